/* How another node gets in, at whichever it asks: its certificate is signed by one that has the
 * root key, then an entry of the meta group uses the invite and makes it a member, then the answer
 * leaves. */
#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "identity/keyring_join.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/meta.pb-c.h"
#include "wire/message.h"

enum { ADMISSIONS_MAX = 8 };

struct admission {
    struct node *node;
    struct conn_name conn;
    uint64_t id;
    struct node_change change;
    struct node_sign sign;
};

/* ---- the end of one ---- */

static void admission_end(struct admission *admission)
{
    struct node *node = admission->node;

    node->admission_count--;
    arena_free(&node->arena, admission, sizeof *admission);
}

const char *node__admission_text(int status)
{
    switch (status) {
    case ERR_ARGUMENT:
        return "a node's name is 1 to 64 of a-z A-Z 0-9 . _ -, its address is host:port, and its id "
               "follows from its key";
    case ERR_EXISTS:
        return "another node has this id or number, or the node has another key by now";
    case ERR_GONE:
        return "this node was removed from the cluster; a machine that comes back comes with an "
               "empty folder";
    case ERR_NOT_LEADER:
        return "nobody leads the cluster's own group just now; safe to ask again";
    case ERR_TIMEOUT:
        return "another node began to lead meanwhile; safe to ask again";
    case ERR_FULL:
        return "the cluster has as many nodes as it may have, or too many invites were used";
    default:
        return error_text(status);
    }
}

/* An invite that was used lets nobody in: who shows it is turned away like one who never had
 * it. */
static void refuse(struct node *node, struct conn_name name, uint64_t id, int status,
                   const char *text)
{
    struct conn *conn = conn_find(&node->conns, name);

    if (conn == NULL) {
        return;
    }
    if (status == ERR_FORBIDDEN) {
        conn_turn_away(conn, IO_REFUSAL_INVITE, ERR_UNAUTHENTICATED,
                       "the invite was used by another node, or has ended");
        return;
    }
    conn_reply(conn, &(struct conn_answer){.id = id, .status = status, .text = text});
}

static void admission_refuse(struct admission *admission, int status, const char *text)
{
    refuse(admission->node, admission->conn, admission->id, status, text);
    admission_end(admission);
}

static void admission_answer(struct admission *admission)
{
    struct node *node = admission->node;
    const struct keyring *ring = &node->door.ring;
    const struct door_signing *signing = &admission->sign.signing;
    Carillon__JoinReply reply = CARILLON__JOIN_REPLY__INIT;
    struct node_members members;

    node__members_pack(node, &members);
    reply.cluster_id = wire_binary(slice_from(ring->cluster, sizeof ring->cluster));
    reply.shards = node__identity(node)->shards;
    reply.root_certificate = wire_binary(buf_slice(&ring->root_certificate));
    reply.node_certificate =
        wire_binary(slice_from(signing->certificate, signing->certificate_len));
    reply.card = wire_binary(buf_slice(&ring->card_bytes));
    reply.n_members = members.count;
    reply.members = members.list;
    node__answer_message(node, admission->conn, admission->id, &reply.base);
    admission_end(admission);
}

/* ---- on its way ---- */

static void on_changed(struct node_change *change, int status)
{
    struct admission *admission = CONTAINER_OF(change, struct admission, change);

    if (status == OK) {
        admission_answer(admission);
    } else {
        admission_refuse(admission, status, node__admission_text(status));
    }
}

static void on_signed(struct node_sign *sign, int status, const char *text)
{
    struct admission *admission = CONTAINER_OF(sign, struct admission, sign);
    struct node *node = admission->node;

    if (status == OK && (node->is_closing || node->is_failed)) {
        status = ERR_STOPPED;
        text = error_text(status);
    }
    if (status != OK) {
        event_log(EVENT_WARNING, "join-not-signed", "error=%s text=\"%s\"", error_name(status),
                  text);
        admission_refuse(admission, status, text);
        return;
    }
    admission->change.entry.member.key_ms = sign->signing.not_before_ms;
    status = node__change(node, &admission->change);
    if (status != OK) {
        admission_refuse(admission, status, node__admission_text(status));
    }
}

/* ---- the method ---- */

static int take_request(const struct node *node, const struct conn *conn,
                        const Carillon__JoinRequest *request, struct meta_entry *entry)
{
    const struct enrol_token_secret invite =
        enrol_token_secret(node__token_shard(node, conn->who.token - 1)->enrol,
                           node__token_place(node, conn->who.token - 1));
    struct meta_member *member = &entry->member;
    uint8_t id[IDENTITY_ID_BYTES];

    *entry = (struct meta_entry){.kind = META_MEMBER_JOIN,
                                 .invite_expires_ms = invite.expires_ms};
    memcpy(entry->invite, invite.hash, sizeof entry->invite);
    if (request->node_id.len != sizeof member->id || request->key.len != sizeof member->key ||
        !meta_name_is_valid(request->name) || !meta_address_is_valid(request->address)) {
        return ERR_ARGUMENT;
    }
    memcpy(member->id, request->node_id.data, sizeof member->id);
    memcpy(member->key, request->key.data, sizeof member->key);
    (void)snprintf(member->name, sizeof member->name, "%s", request->name);
    (void)snprintf(member->address, sizeof member->address, "%s", request->address);
    keyring_join_id(member->key, id);
    return memcmp(id, member->id, sizeof id) == 0 ? OK : ERR_ARGUMENT;
}

static int begin(struct node *node, struct conn *conn, uint64_t id, struct meta_entry *entry)
{
    entry->wall_ms = node__wall_ms(node);
    entry->member.key_ms = entry->wall_ms; /* until the certificate says when it begins */
    int rc = meta_check(&node->meta, entry); /* as far as this node knows; the leader looks again */

    if (rc != OK) {
        return rc;
    }
    if (node->admission_count == ADMISSIONS_MAX) {
        return ERR_BUSY;
    }
    struct admission *admission = arena_alloc_zero(&node->arena, sizeof *admission);

    admission->node = node;
    admission->conn = conn->name;
    admission->id = id;
    admission->change.entry = *entry;
    admission->change.done = on_changed;
    memcpy(admission->sign.signing.id, entry->member.id, sizeof admission->sign.signing.id);
    memcpy(admission->sign.signing.key, entry->member.key, sizeof admission->sign.signing.key);
    admission->sign.invite =
        slice_from(admission->change.entry.invite, sizeof admission->change.entry.invite);
    admission->sign.done = on_signed;
    node->admission_count++;
    rc = node__sign(node, &admission->sign);
    if (rc != OK) {
        admission_end(admission);
    }
    return rc;
}

void node__join(struct node *node, struct conn *conn, uint64_t id, struct slice body)
{
    const Carillon__JoinRequest *request =
        wire_unpack(&carillon__join_request__descriptor, body, &node->scratch);
    struct meta_entry entry;

    ASSERT(request != NULL && conn->who.token != 0); /* its role came by an invite */
    int rc = take_request(node, conn, request, &entry);

    rc = rc == OK ? begin(node, conn, id, &entry) : rc;
    if (rc != OK) {
        refuse(node, conn->name, id, rc, node__admission_text(rc));
    }
}
