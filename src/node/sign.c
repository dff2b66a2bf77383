/* Certificates of nodes: signed here, if the root key is here, or by a node that has it. */
#include "base/assert.h"
#include "base/sm.h"
#include "identity/certificate.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"
#include "proto/peer.pb-c.h"
#include "wire/message.h"

enum { REQUESTS_MAX = 16 };

/* ---- asking others, one after the other ---- */

static void ask_next(struct node_sign *sign, int status);

static int take_reply(struct node_sign *sign, const struct envelope_reply *reply)
{
    struct node *node = sign->node;
    struct door_signing *signing = &sign->signing;

    if (reply->status != 0) {
        return error_from_wire(reply->status);
    }
    arena_reset(&node->scratch);
    const Carillon__SignReply *signed_ =
        wire_unpack(&carillon__sign_reply__descriptor, reply->body, &node->scratch);

    if (signed_ == NULL || signed_->certificate.len == 0 ||
        signed_->certificate.len > sizeof signing->certificate) {
        return ERR_MALFORMED;
    }
    memcpy(signing->certificate, signed_->certificate.data, signed_->certificate.len);
    signing->certificate_len = signed_->certificate.len;
    signing->not_before_ms = signed_->not_before_ms;
    return OK;
}

static void on_asked(struct link_ask *ask, int status, const struct envelope_reply *reply)
{
    struct node_sign *sign = CONTAINER_OF(ask, struct node_sign, ask);
    int rc = status == OK ? take_reply(sign, reply) : status;

    if (rc == OK) {
        sign->done(sign, OK, "");
    } else {
        ask_next(sign, rc);
    }
}

static int pack_request(const struct node_sign *sign, struct buf *out)
{
    Carillon__SignRequest request = CARILLON__SIGN_REQUEST__INIT;

    request.node_id = wire_binary(slice_from(sign->signing.id, sizeof sign->signing.id));
    request.key = wire_binary(slice_from(sign->signing.key, sizeof sign->signing.key));
    request.invite = wire_binary(sign->invite);
    buf_clear(out);
    return wire_pack(&request.base, out);
}

/* Whether a member that belongs to the groups cannot be asked just now. */
static bool is_somebody_missing(const struct node *node)
{
    for (uint32_t i = 0; i < node->meta.member_count; i++) {
        const struct meta_member *member = &node->meta.members[i];

        if (member->state == META_PRESENT &&
            !node__is_present(node, meta_number(member->id))) {
            return true;
        }
    }
    return false;
}

/* Who has the root key is not written down anywhere: it may be moved. */
static void ask_next(struct node_sign *sign, int status)
{
    struct node *node = sign->node;

    while (sign->asked < LINKS_MAX && !node->is_closing) {
        const struct link *link = &node->links.links[sign->asked++];

        if (!link_is_up(link)) {
            continue;
        }
        int rc = pack_request(sign, &node->entry);

        ASSERT(rc == OK);
        sign->ask.done = on_asked;
        if (link_ask(&node->links, link->id, CARILLON__METHOD__METHOD_SIGN,
                     buf_slice(&node->entry), &sign->ask) == OK) {
            return;
        }
    }
    const char *text = error_text(status);

    if (status == ERR_GONE) {
        status = is_somebody_missing(node) ? ERR_NOT_LEADER : ERR_GONE;
        text = "no node that can be reached has the cluster's root key: put root.key back into "
               "DATA/keys of one of them";
    }
    sign->done(sign, status, text);
}

/* ---- here ---- */

static void on_signed(struct door_signing *signing, int status, const char *text)
{
    struct node_sign *sign = CONTAINER_OF(signing, struct node_sign, signing);

    if (status == ERR_GONE) {
        ask_next(sign, status);
    } else {
        sign->done(sign, status, text);
    }
}

int node__sign(struct node *node, struct node_sign *sign)
{
    sign->node = node;
    sign->asked = 0;
    sign->signing.done = on_signed;
    int rc = door_sign(&node->door, &sign->signing);

    return rc == SM_PENDING ? OK : rc;
}

/* ---- this node's own ---- */

static void on_renewed(struct node_sign *sign, int status, const char *text)
{
    struct node *node = sign->node;

    if (status == OK) {
        status = door_take_certificate(
            &node->door, slice_from(sign->signing.certificate, sign->signing.certificate_len));
        text = error_text(status);
    }
    if (status != OK && !node->is_closing) {
        door_warn(&node->door, status, text); /* it is looked at again in an hour */
    }
    node->renewal = NULL;
    arena_free(&node->arena, sign, sizeof *sign);
}

void node__renew(void *context)
{
    struct node *node = context;

    if (node->renewal != NULL) {
        return;
    }
    struct node_sign *sign = arena_alloc_zero(&node->arena, sizeof *sign);

    sign->node = node;
    sign->done = on_renewed;
    memcpy(sign->signing.id, node__identity(node)->node, sizeof sign->signing.id);
    memcpy(sign->signing.key, node->door.ring.node.key.bytes, sizeof sign->signing.key);
    node->renewal = sign;
    ask_next(sign, ERR_GONE);
}

/* ---- for others ---- */

struct sign_request {
    struct node *node;
    struct door_signing signing;
    struct conn_name conn;
    uint64_t id;
};

static void on_request_signed(struct door_signing *signing, int status, const char *text)
{
    struct sign_request *request = CONTAINER_OF(signing, struct sign_request, signing);
    struct node *node = request->node;
    Carillon__SignReply reply = CARILLON__SIGN_REPLY__INIT;

    if (status == OK) {
        reply.certificate =
            wire_binary(slice_from(signing->certificate, signing->certificate_len));
        reply.not_before_ms = signing->not_before_ms;
        node__answer_message(node, request->conn, request->id, &reply.base);
    } else {
        node__answer(node, request->conn,
                     &(struct conn_answer){.id = request->id, .status = status, .text = text});
    }
    node->request_count--;
    arena_free(&node->arena, request, sizeof *request);
}

/* A node asks for itself, while it is a member and with the key it has; or for one that came to it
 * with an invite that is good here as well. Nobody gets a certificate for anything else. */
static int judge(struct node *node, const struct conn *conn,
                 const Carillon__SignRequest *request)
{
    struct enrol_token_view token;

    if (request->node_id.len != IDENTITY_ID_BYTES || request->key.len != IDENTITY_KEY_BYTES) {
        return ERR_ARGUMENT;
    }
    const struct meta_member *known = meta_find(&node->meta, request->node_id.data);

    if (request->invite.len == 0) {
        bool is_its_own = meta_number(request->node_id.data) == conn->who.node;

        return is_its_own && known != NULL && known->state != META_REMOVED &&
                       memcmp(known->key, request->key.data, sizeof known->key) == 0
                   ? OK
                   : ERR_FORBIDDEN;
    }
    if (request->invite.len != IDENTITY_FINGERPRINT_BYTES) {
        return ERR_FORBIDDEN;
    }
    if (!node__token_find(node, request->invite.data, &token)) {
        return ERR_NOT_LEADER; /* who asks has found it: it will come here as well */
    }
    if (token.role != METHOD_ROLE_NODE ||
        meta_invite_is_used(&node->meta, request->invite.data, request->node_id.data,
                            node__wall_ms(node))) {
        return ERR_FORBIDDEN;
    }
    return OK;
}

static int begin(struct node *node, const struct conn *conn, uint64_t id,
                 const Carillon__SignRequest *request)
{
    if (node->request_count == REQUESTS_MAX) {
        return ERR_BUSY;
    }
    struct sign_request *kept = arena_alloc_zero(&node->arena, sizeof *kept);

    kept->node = node;
    kept->conn = conn->name;
    kept->id = id;
    memcpy(kept->signing.id, request->node_id.data, sizeof kept->signing.id);
    memcpy(kept->signing.key, request->key.data, sizeof kept->signing.key);
    kept->signing.done = on_request_signed;
    node->request_count++;
    int rc = door_sign(&node->door, &kept->signing);

    if (rc == SM_PENDING) {
        return OK;
    }
    node->request_count--;
    arena_free(&node->arena, kept, sizeof *kept);
    return rc;
}

void node__peer_sign(struct node *node, const struct conn *conn, uint64_t id, struct slice body)
{
    const Carillon__SignRequest *request =
        wire_unpack(&carillon__sign_request__descriptor, body, &node->scratch);
    int rc = request == NULL ? ERR_MALFORMED : judge(node, conn, request);

    rc = rc == OK ? begin(node, conn, id, request) : rc;
    if (rc != OK) {
        node__answer(node, conn->name, &(struct conn_answer){.id = id, .status = rc});
    }
}
