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
    entry.term = term;
    entry.index = index;
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
        node__facts_applied(node, index, rc);
        return;
    }
    if (rc == OK && entry.kind != META_TIME) {
        say_change(node, &entry);
        node__members_link(node);
    }
    if (rc == OK && entry.kind == META_MEMBER_REMOVE) {
        conn_table_turn_out_node(&node->conns, meta_number(entry.member.id));
    }
    node__changes_applied(node, index, rc);
}

int node__meta_propose(struct node *node, struct meta_entry *entry, uint64_t *ret_index)
{
    entry->wall_ms = node__wall_ms(node);
    int rc = meta_check(&node->meta, entry);

    if (rc == OK && entry->kind == META_MEMBER_REMOVE &&
        !node__can_do_without(node, meta_number(entry->member.id))) {
        rc = ERR_BUSY;
    }
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

static void pack_member(const struct meta_member *member, Carillon__Member *out)
{
    carillon__member__init(out);
    out->node_id = wire_binary(slice_from(member->id, sizeof member->id));
    out->name = wire_text(member->name);
    out->address = wire_text(member->address);
    out->key = wire_binary(slice_from(member->key, sizeof member->key));
    out->key_ms = member->key_ms;
    out->state = (Carillon__MemberState)member->state;
    out->changed_ms = member->changed_ms;
}

/* Whoever leads puts it, or has done so already and this node has not heard of it yet. A node that
 * others do not find where it is now hears of no leader: it tells everybody. */
static void tell_leader(struct node *node, const struct meta_member *own)
{
    raft_id leader = engine_raft_leader(&node->raft, NODE_GROUP_META);
    Carillon__Member message;
    bool is_told;

    pack_member(own, &message);
    buf_clear(&node->entry);
    int rc = wire_pack(&message.base, &node->entry);

    ASSERT(rc == OK);
    is_told = link_say(&node->links, leader, NODE_PEER_OWN, buf_slice(&node->entry)) == OK;
    for (uint32_t i = 0; i < LINKS_MAX && !is_told; i++) {
        (void)!link_say(&node->links, node->links.links[i].id, NODE_PEER_OWN,
                        buf_slice(&node->entry)); /* else the next look says it */
    }
}

/* What another node says of itself, over TLS with its own certificate. */
void node__member_said(struct node *node, const struct conn *conn, struct slice body)
{
    const Carillon__Member *said =
        wire_unpack(&carillon__member__descriptor, body, &node->scratch);
    struct meta_entry entry = {.kind = META_MEMBER_PUT};
    struct meta_member *member = &entry.member;
    uint64_t index;

    if (said == NULL || said->node_id.len != sizeof member->id ||
        said->key.len != sizeof member->key || !meta_name_is_valid(said->name) ||
        !meta_address_is_valid(said->address) ||
        meta_number(said->node_id.data) != conn->who.node) {
        node->counters.bad_peer_messages++;
        return;
    }
    memcpy(member->id, said->node_id.data, sizeof member->id);
    memcpy(member->key, said->key.data, sizeof member->key);
    (void)snprintf(member->name, sizeof member->name, "%s", said->name);
    (void)snprintf(member->address, sizeof member->address, "%s", said->address);
    member->key_ms = said->key_ms;
    if (!node->is_leading_meta || is_as_known(member, meta_find(&node->meta, member->id))) {
        return;
    }
    int rc = node__meta_propose(node, &entry, &index);

    if (rc != OK && !error_is_retryable(rc)) {
        event_log(EVENT_WARNING, "member-not-put", "name=%s address=%s error=%s", member->name,
                  member->address, error_name(rc));
    }
}

void node__members_look(struct node *node)
{
    const struct meta_member *known = meta_find(&node->meta, node__identity(node)->node);
    struct meta_entry entry = {.kind = META_MEMBER_PUT};

    if (node->own_proposed != 0 || node->is_closing ||
        (known != NULL && known->state == META_REMOVED)) {
        return;
    }
    describe_own(node, known, &entry.member);
    if (is_as_known(&entry.member, known)) {
        return;
    }
    if (!node->is_leading_meta) {
        tell_leader(node, &entry.member);
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
        node__changes_lost(node);
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

    if (known->state == META_REMOVED) {
        return IO_REFUSAL_REMOVED;
    }
    return is_its_key ? IO_REFUSAL_NONE : IO_REFUSAL_MEMBER;
}

/* ---- the method ---- */

void node__members_pack(const struct node *node, struct node_members *out)
{
    out->count = node->meta.member_count;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct meta_member *member = &node->meta.members[i];

        pack_member(member, &out->rows[i]);
        out->list[i] = &out->rows[i];
    }
}

/* How this node finds the others; itself it finds always. */
static void pack_sights(const struct node *node, struct node_members *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct meta_member *member = &node->meta.members[i];
        Carillon__Member *row = &out->rows[i];
        uint64_t since_ms;

        if (member->state == META_REMOVED) {
            continue;
        }
        raft_id id = meta_number(member->id);
        enum member_state state = node__swim_state(node, id, &since_ms);

        if (node__swim_is_gone(node, id)) {
            row->sight = CARILLON__MEMBER_SIGHT__SIGHT_GONE;
        } else if (state < MEMBER_STATE_NR) {
            row->sight = (Carillon__MemberSight)state;
        }
        row->sight_ms = since_ms;
    }
}

void node__members(struct node *node, struct conn *conn, uint64_t id)
{
    Carillon__MembersReply reply = CARILLON__MEMBERS_REPLY__INIT;
    struct node_members members;

    node__members_pack(node, &members);
    pack_sights(node, &members);
    reply.n_members = members.count;
    reply.members = members.list;
    reply.node_id = wire_binary(slice_from(node__identity(node)->node, META_ID_BYTES));
    node__answer_message(node, conn->name, id, &reply.base);
}
