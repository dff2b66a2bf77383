/* Changes of who the cluster's nodes are: judged and proposed by the leader of the meta group, for
 * whichever node was asked. */
#include "base/assert.h"
#include "base/sm.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

enum { REQUESTS_MAX = 16 };

/* ---- one on its way ---- */

static void change_end(struct node_change *change, int status)
{
    if (change->index != 0) {
        list_remove(&change->node_link);
    }
    change->done(change, status);
}

void node__changes_applied(struct node *node, uint64_t index, int status)
{
    struct list *link;
    struct list *following;

    LIST_EACH(link, following, &node->changes)
    {
        struct node_change *change = CONTAINER_OF(link, struct node_change, node_link);

        if (change->index == index) {
            change_end(change, status);
        }
    }
}

void node__changes_lost(struct node *node)
{
    struct list *link;
    struct list *following;

    LIST_EACH(link, following, &node->changes)
    {
        change_end(CONTAINER_OF(link, struct node_change, node_link), ERR_TIMEOUT);
    }
}

static void on_asked(struct link_ask *ask, int status, const struct envelope_reply *reply)
{
    struct node_change *change = CONTAINER_OF(ask, struct node_change, ask);

    change_end(change, status == OK ? error_from_wire(reply->status) : ERR_TIMEOUT);
}

static int ask_leader(struct node *node, struct node_change *change)
{
    raft_id leader = engine_raft_leader(&node->raft, NODE_GROUP_META);

    if (leader == 0 || leader == node->raft.id) {
        return ERR_NOT_LEADER;
    }
    buf_clear(&node->entry);
    int rc = meta_entry_encode(&change->entry, &node->entry);

    ASSERT(rc == OK);
    change->ask.done = on_asked;
    return link_ask(&node->links, leader, CARILLON__METHOD__METHOD_META,
                    buf_slice(&node->entry), &change->ask);
}

int node__change(struct node *node, struct node_change *change)
{
    change->node = node;
    change->index = 0;
    if (node->is_closing || node->is_failed) {
        return ERR_STOPPED;
    }
    if (!node->is_leading_meta) {
        return ask_leader(node, change);
    }
    int rc = node__meta_propose(node, &change->entry, &change->index);

    if (rc == OK) {
        list_add(&node->changes, &change->node_link);
    }
    return rc;
}

/* ---- whom others wait for ---- */

static const char *text_of(const struct meta_entry *entry, int status)
{
    switch (status) {
    case ERR_ARGUMENT:
        return entry->kind == META_MEMBER_REMOVE
                   ? "no member of the cluster would be left"
                   : "only a member is drained, while there is another one that is not, and "
                     "only one that is drained is taken back";
    case ERR_GONE:
        return "no such node, or it was removed";
    case ERR_BUSY:
        return entry->kind == META_MEMBER_REMOVE
                   ? "without it a group would have no majority of its voters now: start the "
                     "nodes that are down first, or wait until one more has become a voter"
                   : error_text(status);
    default:
        return node__admission_text(status);
    }
}

/* Somebody's request for a change: another node's, or an operator's. */
struct change_request {
    struct node_change change;
    struct conn_name conn;
    uint64_t id;
};

static void request_answer(struct node *node, struct conn_name name, uint64_t id,
                           const struct meta_entry *entry, int status)
{
    struct conn_answer answer = {.id = id, .status = status};

    if (status != OK) {
        answer.text = text_of(entry, status);
        answer.retry_after_ms = error_is_retryable(status) ? NODE_RETRY_AFTER_MS : 0;
    }
    node__answer(node, name, &answer);
}

static void on_changed(struct node_change *change, int status)
{
    struct change_request *request = CONTAINER_OF(change, struct change_request, change);
    struct node *node = change->node;

    request_answer(node, request->conn, request->id, &change->entry, status);
    node->request_count--;
    arena_free(&node->arena, request, sizeof *request);
}

static int request_start(struct node *node, const struct conn *conn, uint64_t id,
                         const struct meta_entry *entry)
{
    if (node->request_count == REQUESTS_MAX) {
        return ERR_BUSY;
    }
    struct change_request *request = arena_alloc_zero(&node->arena, sizeof *request);

    request->conn = conn->name;
    request->id = id;
    request->change.entry = *entry;
    request->change.done = on_changed;
    node->request_count++;
    int rc = node__change(node, &request->change);

    if (rc != OK) {
        node->request_count--;
        arena_free(&node->arena, request, sizeof *request);
    }
    return rc;
}

/* The leader takes it, or says that it leads no more: it does not ask on. */
void node__peer_change(struct node *node, const struct conn *conn, uint64_t id, struct slice body)
{
    struct meta_entry entry = {0};
    int rc = meta_entry_decode(body, &entry);

    rc = rc == OK && !node->is_leading_meta ? ERR_NOT_LEADER : rc;
    rc = rc == OK ? request_start(node, conn, id, &entry) : rc;
    if (rc != OK) {
        request_answer(node, conn->name, id, &entry, rc);
    }
}

void node__operator_change(struct node *node, const struct conn *conn, uint64_t id, struct slice body)
{
    const Carillon__ChangeRequest *request =
        wire_unpack(&carillon__change_request__descriptor, body, &node->scratch);
    struct meta_entry entry = {.kind = META_MEMBER_STATE};
    int rc = ERR_ARGUMENT;

    ASSERT(request != NULL); /* operate.c has looked */
    if (request->node_id.len == META_ID_BYTES) {
        memcpy(entry.member.id, request->node_id.data, META_ID_BYTES);
        entry.member.state = (enum meta_member_state)request->state;
        if (request->state == CARILLON__MEMBER_STATE__MEMBER_REMOVED) {
            entry.kind = META_MEMBER_REMOVE;
            entry.member.state = META_ANY;
        }
        rc = request->state >= CARILLON__MEMBER_STATE__MEMBER_PRESENT &&
                     request->state <= CARILLON__MEMBER_STATE__MEMBER_REMOVED
                 ? request_start(node, conn, id, &entry)
                 : ERR_ARGUMENT;
    }
    if (rc != OK) {
        request_answer(node, conn->name, id, &entry, rc);
    }
}
