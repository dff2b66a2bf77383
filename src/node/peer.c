/* The other nodes of the cluster: messages of groups' members, requests that one node has
 * another answer, reads that wait for a read point, and who belongs to the groups. */
#include "base/assert.h"
#include "node/event.h"
#include "node/replicas.h"
#include "wire/field.h"

enum {
    PEER_GROUP = 1,
    PEER_MESSAGE = 2,
    FORWARD_ROLES = 1,
    FORWARD_STUDENT = 2,
    FORWARD_REQUEST = 3,
    FORWARD_TO = 4,
    PEER_ACROSS = 3,
    PEER_FROM_SHARD = 4,
    PLACEMENT_MS = 100,
};

/* ---- messages of members */

static void take_message(struct node *node, raft_id from, uint32_t group, struct slice bytes)
{
    struct raft_message_space space = {.entries = node->peer_entries,
                                       .entries_max = NODE_PEER_ENTRIES_MAX};
    struct raft_message message;

    if (raft_message_decode(bytes, &space, &message) != OK || message.from != from ||
        message.to != node->raft.id) {
        node->counters.bad_peer_messages++;
        return;
    }
    engine_raft_receive(&node->raft, group, &message);
}

static void take_item(struct node *node, raft_id from, struct slice item)
{
    struct field_reader in = field_reader_from(item);
    struct slice message = SLICE_NONE;
    struct slice across = SLICE_NONE;
    uint32_t group = 0;
    uint32_t from_shard = 0;
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            node->counters.bad_peer_messages++;
            return;
        }
        if (field.number == PEER_GROUP && field.type == FIELD_VARINT) {
            group = (uint32_t)field.value;
        } else if (field.number == PEER_MESSAGE && field.type == FIELD_BYTES) {
            message = field.bytes;
        } else if (field.number == PEER_ACROSS && field.type == FIELD_BYTES) {
            across = field.bytes;
        } else if (field.number == PEER_FROM_SHARD && field.type == FIELD_VARINT) {
            from_shard = (uint32_t)field.value;
        }
    }
    if (across.len > 0) {
        node__across_take(node, group, from_shard, across);
        return;
    }
    take_message(node, from, group, message);
}

static int link_to(struct node *node, raft_id id, const char *text)
{
    char address[CONFIG_ADDRESS_BYTES];
    uint16_t port;

    int rc = node_config_address_split(text, address, &port);
    return rc == OK ? node__member_put(node, id, address, port) : rc;
}

/* Whoever speaks to a node that has just come, and does not know the others yet, says where it
 * can be answered. What the meta group says of it counts more. */
static void answer_at(struct node *node, raft_id from, struct slice address)
{
    char text[META_ADDRESS_BYTES_MAX + 1];

    if (link_find(&node->links, from) == NULL && address.len < sizeof text) {
        memcpy(text, address.data, address.len);
        text[address.len] = '\0';
        (void)!link_to(node, from, text);
    }
}

void node__members_link(struct node *node)
{
    for (uint32_t i = 0; i < node->meta.member_count && node->links.io != NULL; i++) {
        const struct meta_member *member = &node->meta.members[i];
        raft_id id = meta_number(member->id);

        if (id == node->raft.id) {
            continue;
        }
        if (member->state == META_REMOVED) {
            link_remove(&node->links, id);
        } else if (link_to(node, id, member->address) != OK) {
            event_log(EVENT_WARNING, "member-not-linked", "node=%016llx address=%s",
                      (unsigned long long)id, member->address);
        }
    }
    if (node->swim != NULL) {
        node__swim_members(node);
        node__book_keep(node);
    }
}

static void take_field(struct node *node, const struct conn *conn, const struct field *field)
{
    if (field->type != FIELD_BYTES) {
        return; /* of a later version */
    }
    switch (field->number) {
    case NODE_PEER_MESSAGES:
        take_item(node, conn->who.node, field->bytes);
        break;
    case NODE_PEER_ADDRESS:
        answer_at(node, conn->who.node, field->bytes);
        node__room_said(node, conn->who.node, true);
        break;
    case NODE_PEER_ROOM:
        node__room_said(node, conn->who.node,
                        field->bytes.len == 0 || field->bytes.data[0] != 0);
        break;
    case NODE_PEER_OWN:
        node__member_said(node, conn, field->bytes);
        break;
    case NODE_PEER_KEY:
        node__swim_key(node, conn->who.node, field->bytes);
        break;
    case NODE_PEER_DATAGRAM:
        node__swim_linked(node, conn->who.node, field->bytes);
        break;
    default:
        break; /* likewise */
    }
}

void node__peer_messages(struct node *node, const struct conn *conn, struct slice body)
{
    struct field_reader in = field_reader_from(body);
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            node->counters.bad_peer_messages++;
            return;
        }
        take_field(node, conn, &field);
    }
}

void node__peer_send(void *context, uint32_t group, const void *message)
{
    struct node *node = context;

    link_send(&node->links, group, message);
}

/* ---- requests that another node answers */

void node__forward(struct node *node, const struct node_call *call)
{
    const struct asker *asker = &call->asker;
    const struct conn *conn = asker->conn;
    raft_id leader = engine_raft_leader(&node->raft, call->group);
    const struct link_forward forward = {
        .conn = asker->name,
        .id = asker->id,
        .deadline_ns = call->deadline_ns,
        .group_to = node->shard_count > 1 ? call->group + 1 : 0,
        .is_write = call->method == NULL || call->method->kind == METHOD_KIND_WRITE,
    };
    int rc = ERR_NOT_LEADER;

    if (!call->is_forwarded && leader != 0 && leader != node->raft.id) {
        rc = conn != NULL && conn->outstanding >= node->conns.limits.outstanding_max
                 ? ERR_BUSY
                 : link_forward(&node->links, leader, call->who, &forward, call->payload);
    }
    if (rc != OK) {
        node__answer_error(node, asker->name, asker->id, rc);
        return;
    }
    node__owe(asker);
}

int node__forwarded_decode(struct slice body, struct conn_who *ret_who,
                           struct node_call *ret_call)
{
    struct field_reader in = field_reader_from(body);
    struct slice student = SLICE_NONE;
    struct field field;

    *ret_who = (struct conn_who){0};
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number == FORWARD_ROLES && field.type == FIELD_VARINT) {
            ret_who->roles = (uint32_t)field.value & ~(uint32_t)METHOD_ROLE_NODE;
        } else if (field.number == FORWARD_STUDENT && field.type == FIELD_BYTES) {
            student = field.bytes;
        } else if (field.number == FORWARD_REQUEST && field.type == FIELD_BYTES) {
            ret_call->payload = field.bytes;
        } else if (field.number == FORWARD_TO && field.type == FIELD_VARINT &&
                   field.value > 0) {
            ret_call->group = (uint32_t)(field.value - 1);
            ret_call->is_addressed = true;
        }
    }
    if (student.len > CONN_STUDENT_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    if (student.len > 0) {
        memcpy(ret_who->student, student.data, student.len);
    }
    return OK;
}

static void on_answered(void *context, const struct link_forward *forward,
                        const struct envelope_reply *reply)
{
    struct node *node = context;
    if (forward->conn.slot == NODE_POINT_SLOT) {
        node__stale_answered(node, forward, reply);
        return;
    }
    struct conn_answer answer = {
        .id = forward->id,
        .status = error_from_wire(reply->status),
        .retry_after_ms = reply->retry_after_ms,
        .body = reply->body,
    };

    buf_clear(&node->text);
    if (reply->text.len > 0 && buf_append_slice(&node->text, reply->text) == OK) {
        answer.text = buf_text(&node->text);
    }
    node__pay(node, forward->conn, &answer);
}

static void on_unanswered(void *context, const struct link_forward *forward, int status)
{
    struct node *node = context;

    if (forward->conn.slot == NODE_POINT_SLOT) {
        node__stale_answered(node, forward, NULL);
        return;
    }

    if (status == ERR_TIMEOUT) {
        node__pay_late(node, forward->conn, forward->id);
    } else if (forward->is_write) {
        node__pay_unknown(node, forward->conn, forward->id);
    } else {
        buf_clear(&node->text);
        node__pay_error(node, forward->conn, forward->id, ERR_NOT_LEADER);
    }
}

/* ---- who belongs to the groups */

int node__member_put(struct node *node, raft_id id, const char *address, uint16_t port)
{
    return id == node->raft.id ? OK : link_put(&node->links, id, address, port);
}

/* Who has come and belongs to the cluster's own group is a member like the others. */
static void settle_members(struct node *node)
{
    const struct raft_configuration *now =
        engine_raft_configuration(&node->raft, NODE_GROUP_META);

    for (uint32_t i = 0; i < node->meta.member_count && node->is_leading_meta; i++) {
        struct meta_entry entry = {.kind = META_MEMBER_PUT, .member = node->meta.members[i]};
        raft_id id = meta_number(entry.member.id);
        uint64_t index;

        if (entry.member.state == META_JOINING &&
            raft_configuration_find(now, id) < now->count) {
            entry.member.state = META_PRESENT;
            (void)!node__meta_propose(node, &entry, &index); /* else the next turn tries */
            return;
        }
    }
}

static void settle_refill(struct node *node)
{
    if (node->raft.refill.is_refilling && !engine_raft_is_refilling(&node->raft)) {
        event_log(EVENT_INFO, "refilled", "times=%llu",
                  (unsigned long long)node->raft.refill.count);
    }
}

static void on_placement(struct io_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, placement);

    settle_members(node);
    node__depart_turn(node);
    if (node->is_failed) {
        return; /* it may be closing by now */
    }
    node__cluster_look(node);
    settle_refill(node);
    node__replicas_turn(node);
    node__room_turn(node);
    node__leaders_spread(node);
    io_timer_start(node->io, timer, PLACEMENT_MS, on_placement);
}

/* ---- opening and closing */

static bool is_it(void *context, const struct io_peer *peer, raft_id id)
{
    struct node *node = context;
    uint8_t own[META_ID_BYTES];

    return door_peer_id(&node->door, peer, own) == IO_REFUSAL_NONE && meta_number(own) == id;
}

static void on_link_up(void *context, raft_id id)
{
    struct node *node = context;

    (void)!link_say(&node->links, id, NODE_PEER_ADDRESS,
                    slice_from_text(node->links.own_address)); /* nothing else was said yet */
    node__room_link_up(node, id);
    node__swim_link_up(node, id);
}

static void on_link_down(void *context, raft_id id)
{
    node__swim_link_down(context, id);
}

static void on_removed(void *context, raft_id id)
{
    node__removed(context, id);
}

void node__peers_open(struct node *node)
{
    const struct link_hooks hooks = {
        node, is_it, on_answered, on_unanswered, on_link_up, on_link_down, on_removed,
    };

    node->peer_entries =
        arena_alloc(&node->arena, NODE_PEER_ENTRIES_MAX * sizeof *node->peer_entries);
    link_table_open(&node->links, node->io, &node->arena, &hooks);
    node->links.tls = door_peer_tls(&node->door);
    node__own_address(node, node->links.own_address);
    node__members_link(node);
    node__book_open(node);
}

void node__peers_serve(struct node *node)
{
    node__cluster_look(node);
    node__stale_serve(node);
    io_timer_start(node->io, &node->placement, PLACEMENT_MS, on_placement);
}

void node__peers_stop(struct node *node)
{
    node__stale_stop(node);
    io_timer_stop(node->io, &node->placement);
}

bool node__leads_any(const struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        if (node->raft.groups[group].is_leading) {
            return true;
        }
    }
    return false;
}

/* Who leads best: a voter that is there, and that stays if one does. */
static raft_id heir(const struct node *node, const struct raft_configuration *now)
{
    raft_id found = 0;

    for (uint32_t i = 0; i < now->count; i++) {
        raft_id id = now->members[i].id;

        if (!now->members[i].is_voter || id == node->raft.id || !node__is_present(node, id)) {
            continue;
        }
        if (node__may_carry(node, id) && node__has_room(node, id)) {
            return id;
        }
        found = found != 0 ? found : id;
    }
    return found;
}

/* A leader that leaves without a word costs its group the time of an election. */
bool node__hand_over(struct node *node)
{
    bool is_asked = false;

    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        raft_id next = heir(node, engine_raft_configuration(&node->raft, group));

        if (node->raft.groups[group].is_leading && next != 0) {
            engine_raft_transfer(&node->raft, group, next);
            is_asked = true;
        }
    }
    return is_asked;
}
