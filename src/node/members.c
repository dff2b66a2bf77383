/* Who the cluster's nodes are: the meta group's state in this node, and this node in it. */
#include <stdio.h>

#include "base/assert.h"
#include "identity/encoding.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/meta.pb-c.h"
#include "wire/message.h"

/* ---- engine hooks of the meta group ---- */

void node__meta_restore_begin(struct node *node)
{
    meta_init(&node->meta);
    buf_clear(&node->meta_bytes);
}

int node__meta_restore_chunk(struct node *node, struct slice chunk)
{
    return buf_append_slice(&node->meta_bytes, chunk) == OK ? OK : ERR_DAMAGED;
}

/* No bytes at all are the state as it began. */
int node__meta_restore_end(struct node *node)
{
    int rc = node->meta_bytes.len == 0
                 ? OK
                 : meta_restore(&node->meta, buf_slice(&node->meta_bytes));

    if (rc == OK) {
        node__members_link(node);
    }
    return rc;
}

void node__meta_snapshot_begin(struct node *node)
{
    buf_clear(&node->meta_bytes);
    int rc = meta_snapshot(&node->meta, &node->meta_bytes);

    ASSERT(rc == OK); /* its bounds are the buffer's */
}

int node__meta_snapshot_step(struct node *node, struct buf *out)
{
    int rc = buf_append_slice(out, buf_slice(&node->meta_bytes));

    ASSERT(rc == OK && node->meta_bytes.len < ENGINE_SLICE_BYTES);
    return rc;
}

static void say_change(const struct node *node, const struct meta_entry *entry)
{
    const struct meta_member *member = meta_find(&node->meta, entry->member.id);
    char id[2 * META_ID_BYTES + 1];

    if (member != NULL) {
        hex_encode(slice_from(member->id, sizeof member->id), id);
        event_log(EVENT_INFO, "member-changed", "node=%s name=%s address=%s state=%s", id,
                  member->name, member->address, meta_state_name(member->state));
    }
}

void node__meta_apply(struct node *node, uint64_t index, uint64_t term, struct slice payload,
                      bool is_replay)
{
    struct meta_entry entry;
    int rc = meta_entry_decode(payload, &entry);

    ASSERT(rc == OK); /* its checksum held: one of us wrote it */
    rc = meta_apply(&node->meta, &entry);
    if (entry.wall_ms > node->wall_ms) {
        node->wall_ms = entry.wall_ms;
    }
    if (is_replay) {
        return;
    }
    if (index >= node->own_proposed) {
        node->own_proposed = 0;
    }
    if (entry.kind == META_FACT || entry.kind == META_FACTS_APPLIED) {
        node__facts_applied(node, index, term, rc);
        return;
    }
    if (rc == OK && entry.kind != META_TIME) {
        say_change(node, &entry);
        node__members_link(node);
    }
    node__admissions_applied(node, index, rc);
}

int node__meta_propose(struct node *node, struct meta_entry *entry, uint64_t *ret_index)
{
    entry->wall_ms = node__wall_ms(node);
    int rc = meta_check(&node->meta, entry);

    if (rc != OK) {
        return rc;
    }
    buf_clear(&node->entry);
    rc = meta_entry_encode(entry, &node->entry);
    ASSERT(rc == OK);
    return engine_propose(node->engine, NODE_GROUP_META, buf_slice(&node->entry), ret_index);
}

/* ---- this node among the members ---- */

static bool has_no_port(const char *address)
{
    size_t len = strlen(address);

    return len > 2 && strcmp(address + len - 2, ":0") == 0;
}

void node__own_address(const struct node *node, char ret_address[META_ADDRESS_BYTES_MAX + 1])
{
    const char *address =
        node->config.advertise[0] != '\0' ? node->config.advertise : node->config.listen;
    char own[META_ADDRESS_BYTES_MAX + 8];

    (void)snprintf(own, sizeof own, "%s", address);
    if (has_no_port(own)) {
        (void)snprintf(own + strlen(own) - 1, 6, "%u", node->port);
    }
    (void)snprintf(ret_address, META_ADDRESS_BYTES_MAX + 1, "%.*s", META_ADDRESS_BYTES_MAX, own);
}

/* As it should stand in the state; of a key that the state does not know the certificate begins
 * later than that of the one it does, whatever this machine's clock says. */
static void describe_own(const struct node *node, const struct meta_member *known,
                         struct meta_member *ret_own)
{
    const struct keyring_pair *pair = &node->door.ring.node;

    *ret_own = (struct meta_member){.key_ms = pair->not_before_ms};
    memcpy(ret_own->id, node__identity(node)->node, sizeof ret_own->id);
    memcpy(ret_own->key, pair->key.bytes, sizeof ret_own->key);
    (void)snprintf(ret_own->name, sizeof ret_own->name, "%s",
                   node->config.name[0] != '\0' ? node->config.name : "node");
    node__own_address(node, ret_own->address);
    if (known == NULL) {
        ret_own->state = META_PRESENT;
    } else if (memcmp(known->key, ret_own->key, sizeof known->key) == 0) {
        ret_own->key_ms = known->key_ms;
    } else if (ret_own->key_ms <= known->key_ms) {
        ret_own->key_ms = known->key_ms + 1;
    }
}

static bool is_as_known(const struct meta_member *own, const struct meta_member *known)
{
    return known != NULL && strcmp(own->name, known->name) == 0 &&
           strcmp(own->address, known->address) == 0 &&
           memcmp(own->key, known->key, sizeof own->key) == 0;
}

void node__members_look(struct node *node)
{
    const struct meta_member *known = meta_find(&node->meta, node__identity(node)->node);
    struct meta_entry entry = {.kind = META_MEMBER_PUT};

    if (!node->is_leading_meta || node->own_proposed != 0 || node->is_closing) {
        return;
    }
    describe_own(node, known, &entry.member);
    if (is_as_known(&entry.member, known)) {
        return;
    }
    int rc = node__meta_propose(node, &entry, &node->own_proposed);

    if (rc != OK) {
        node->own_proposed = 0;
    }
    if (rc != OK && !error_is_retryable(rc)) {
        event_log(EVENT_WARNING, "member-not-put", "name=%s address=%s error=%s",
                  entry.member.name, entry.member.address, error_name(rc));
    }
}

void node__meta_role(struct node *node, bool is_leading)
{
    node->is_leading_meta = is_leading;
    node->own_proposed = 0;
    if (!is_leading) {
        node__admissions_lost(node);
        node__facts_lost(node);
    }
    node__members_look(node);
}

/* Whoever is not known has a certificate all the same, and that was given away only when the
 * group knew: it is this node that is behind. */
enum io_refusal node__member_judge(void *context, const struct door_member *peer)
{
    const struct node *node = context;
    const struct meta_member *known = meta_find(&node->meta, peer->id);

    if (known == NULL) {
        return IO_REFUSAL_NONE;
    }
    bool is_its_key = peer->key == NULL ||
                      memcmp(known->key, peer->key, sizeof known->key) == 0 ||
                      peer->key_ms > known->key_ms;

    return known->state != META_REMOVED && is_its_key ? IO_REFUSAL_NONE : IO_REFUSAL_MEMBER;
}

/* ---- the method ---- */

void node__members_pack(const struct node *node, struct node_members *out)
{
    out->count = node->meta.member_count;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct meta_member *member = &node->meta.members[i];
        Carillon__Member *row = &out->rows[i];

        carillon__member__init(row);
        row->node_id = wire_binary(slice_from(member->id, sizeof member->id));
        row->name = wire_text(member->name);
        row->address = wire_text(member->address);
        row->key = wire_binary(slice_from(member->key, sizeof member->key));
        row->key_ms = member->key_ms;
        row->state = (Carillon__MemberState)member->state;
        row->changed_ms = member->changed_ms;
        out->list[i] = row;
    }
}

void node__members(struct node *node, struct conn *conn, uint64_t id)
{
    Carillon__MembersReply reply = CARILLON__MEMBERS_REPLY__INIT;
    struct node_members members;

    node__members_pack(node, &members);
    reply.n_members = members.count;
    reply.members = members.list;
    reply.node_id = wire_binary(slice_from(node__identity(node)->node, META_ID_BYTES));
    node__answer_message(node, conn->name, id, &reply.base);
}
