/* A request in, an answer out: the way of every call, by the registry's row; and what an
 * entry does when it is durable. */
#include "base/assert.h"
#include "node/event.h"
#include "node/node_private.h"
#include "node/rights.h"
#include "proto/operator.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "wire/envelope.h"
#include "wire/message.h"

/* ---- answers
 * ----------------------------------------------------------------------------------------------------
 */

/* The connection of that name, if it is one's and still there. */
static struct conn *connection(struct node *node, struct conn_name name)
{
    return name.slot == NODE_ASK_SLOT ? NULL : conn_find(&node->conns, name);
}

void node__answer(struct node *node, struct conn_name name, const struct conn_answer *answer)
{
    struct conn *conn = connection(node, name);

    if (conn != NULL) {
        conn_reply(conn, answer);
    } else if (name.slot == NODE_ASK_SLOT) {
        node__asked(node, answer);
    }
}

bool node__is_awaited_by(struct node *node, struct conn_name name)
{
    return name.slot == NODE_ASK_SLOT || conn_find(&node->conns, name) != NULL;
}

void node__owe(const struct asker *asker)
{
    if (asker->conn != NULL) {
        asker->conn->outstanding++;
    }
}

void node__pay(struct node *node, struct conn_name name, const struct conn_answer *answer)
{
    struct conn *conn = connection(node, name);

    if (conn != NULL) {
        ASSERT(conn->outstanding > 0);
        conn->outstanding--;
        conn_reply(conn, answer);
    } else if (name.slot == NODE_ASK_SLOT) {
        node__asked(node, answer);
    }
}

void node__pay_late(struct node *node, struct conn_name name, uint64_t id)
{
    node->counters.late_answers++;
    node__pay(node, name, &(struct conn_answer){.id = id, .status = ERR_TIMEOUT});
}

static struct conn_answer error_answer(struct node *node, uint64_t id, int status)
{
    struct conn_answer answer = {.id = id, .status = status};

    if (node->text.len > 0) {
        answer.text = buf_text(&node->text);
    }
    if (error_is_retryable(status)) {
        answer.retry_after_ms = NODE_RETRY_AFTER_MS;
        node->counters.refused_load++;
    }
    return answer;
}

void node__answer_error(struct node *node, struct conn_name name, uint64_t id, int status)
{
    const struct conn_answer answer = error_answer(node, id, status);

    node__answer(node, name, &answer);
}

void node__pay_error(struct node *node, struct conn_name name, uint64_t id, int status)
{
    const struct conn_answer answer = error_answer(node, id, status);

    node__pay(node, name, &answer);
}

void node__pay_unknown(struct node *node, struct conn_name name, uint64_t id)
{
    buf_clear(&node->text);
    (void)!buf_append_text(&node->text,
                           "another node began to lead meanwhile; safe to try again with the "
                           "same key");
    node__pay_error(node, name, id, ERR_TIMEOUT);
}

void node__answer_message(struct node *node, struct conn_name name, uint64_t id,
                          const ProtobufCMessage *message)
{
    buf_clear(&node->body);
    int rc = wire_pack(message, &node->body);

    node__answer(node, name,
                 &(struct conn_answer){.id = id,
                                       .status = rc == OK ? OK : ERR_NOSPACE_REPLY,
                                       .body = buf_slice(&node->body)});
}

/* ---- apply
 * ----------------------------------------------------------------------------------------------------------
 */

void node__entry_apply(struct shard *shard, const struct enrol_entry *entry)
{
    struct node *node = shard->node;

    if (!node->is_replayed) {
        node__index_before(node, entry->method);
    }
    enrol_apply(shard->enrol, entry, &node->result);
    shard->applied = entry->index;
    if (entry->wall_ms > node->wall_ms) {
        node->wall_ms = entry->wall_ms;
    }
    node__index_effects(shard, &node->result);
    node__index_forget(shard, entry->method, entry->body);
    node__trail_entry(shard, entry);
}

void node__entry_decode(uint64_t index, uint64_t term, struct slice payload,
                        struct enrol_entry *ret_entry)
{
    struct envelope_entry packed;
    int rc = envelope_entry_decode(payload, &packed);

    ASSERT(rc == OK); /* its checksum held: we wrote it */
    *ret_entry = (struct enrol_entry){
        .index = index,
        .term = term,
        .wall_ms = packed.wall_ms,
        .method = packed.method,
        .key = packed.key,
        .body = packed.body,
        .hint = ENROL_HINT_NONE,
    };
}

void node__apply(void *context, uint32_t group, uint64_t index, uint64_t term,
                 struct slice payload, bool is_replay)
{
    struct node *node = context;
    struct enrol_entry entry;

    if (group == NODE_GROUP_META) {
        node__meta_apply(node, index, term, payload, is_replay);
        return;
    }
    struct shard *shard = node__shard_of_group(node, group);
    if (is_replay) {
        node__replay(shard, index, term, payload);
        return;
    }
    node__entry_decode(index, term, payload, &entry);
    entry.hint = node__write_hint(shard, index);
    node__entry_apply(shard, &entry);
    node__import_heard(shard, entry.method);
    node__write_applied(shard, index);
    if (node->shard_count > 1) {
        node__across_applied(shard, &entry);
    }
}

/* ---- requests
 * ----------------------------------------------------------------------------------------------------------
 */

static void refuse_right(struct node *node, const struct asker *asker, int status)
{
    if (status == ERR_FORBIDDEN) {
        door_refused(&node->door, IO_REFUSAL_FORBIDDEN);
    }
    node__answer_error(node, asker->name, asker->id, status);
}

static void route(struct node *node, const struct envelope_request *request,
                  struct node_call *call);

/* A request that somebody made to another node, or that another node has. */
static void route_forwarded(struct node *node, const struct asker *asker, struct slice body)
{
    struct envelope_request request;
    struct conn_who who;
    struct node_call call = {.asker = *asker, .who = &who, .is_forwarded = true};

    if (node__forwarded_decode(body, &who, &call) != OK ||
        envelope_request_decode(call.payload, &request) != OK ||
        (call.is_addressed && call.group > node->shard_count)) {
        node__answer_error(node, asker->name, asker->id, ERR_MALFORMED);
        return;
    }
    route(node, &request, &call);
}

static void route_peer(struct node *node, const struct envelope_request *request,
                       const struct node_call *call)
{
    const struct conn *conn = call->asker.conn;

    if (call->is_forwarded || conn->who.node == 0) {
        node__answer_error(node, call->asker.name, call->asker.id, ERR_FORBIDDEN);
    } else if (request->method == CARILLON__METHOD__METHOD_PEER) {
        node__peer_messages(node, conn, request->body);
    } else if (request->method == CARILLON__METHOD__METHOD_META) {
        node__peer_change(node, conn, request->id, request->body);
    } else if (request->method == CARILLON__METHOD__METHOD_SIGN) {
        node__peer_sign(node, conn, request->id, request->body);
    } else {
        route_forwarded(node, &call->asker, request->body);
    }
}

/* The leader of the group takes it; another node has sent it here for that. */
static void take(struct node *node, const struct envelope_request *request,
                 const struct node_call *call)
{
    if (call->group == NODE_GROUP_META) {
        node__fact(node, call, request);
        return;
    }
    struct shard *shard = node__shard_of_group(node, call->group);

    if (call->method == NULL || node->shard_count > 1) {
        node__shard_take(shard, call, request);
    } else if (call->method->kind == METHOD_KIND_WRITE) {
        node__write(shard, &call->asker, request, call->deadline_ns);
    } else {
        node__read(shard, call, request);
    }
}

static bool is_taken_here(const struct node *node, const struct node_call *call)
{
    if (call->group == NODE_GROUP_META) {
        return node->is_leading_meta;
    }
    const struct shard *shard = node__shard_of_group(node, call->group);

    return call->method != NULL && call->method->kind == METHOD_KIND_READ
               ? node__can_read(shard)
               : shard->is_leading;
}

void node__pass(struct node *node, const struct node_call *call,
                const struct envelope_request *request)
{
    if (call->group != NODE_GROUP_META && node__is_stale_ok(node, request)) {
        node__stale_read(node__shard_of_group(node, call->group), call, request);
    } else if (is_taken_here(node, call)) {
        take(node, request, call);
    } else {
        node__forward(node, call);
    }
}

/* A request about the cluster's state. */
static void answer_state(struct node *node, const struct envelope_request *request,
                         struct node_call *call)
{
    if (call->is_addressed) {
        node__pass(node, call, request);
    } else if (node->shard_count > 1 && request->method != CARILLON__METHOD__METHOD_POINT) {
        node__spread(node, call, request);
    } else {
        call->group = NODE_GROUP_SHARD;
        node__pass(node, call, request);
    }
}

static void answer(struct node *node, const struct envelope_request *request,
                   struct node_call *call)
{
    const struct asker *asker = &call->asker;
    bool is_of_the_state = call->method->kind != METHOD_KIND_PEER &&
                           call->method->number != CARILLON__METHOD__METHOD_STATUS;

    if (is_of_the_state && node__is_waiting(node)) {
        (void)!buf_append_text(&node->text, "this node waits to be added to its cluster");
        node__answer_error(node, asker->name, asker->id, ERR_NOT_LEADER);
        return;
    }
    switch (call->method->kind) {
    case METHOD_KIND_WRITE:
    case METHOD_KIND_READ:
        answer_state(node, request, call);
        break;
    case METHOD_KIND_QUERY:
        node__search(node, call, request);
        break;
    case METHOD_KIND_NODE:
        node__operate(node, asker->conn, asker->id, call->method, request->body);
        break;
    case METHOD_KIND_PEER:
        route_peer(node, request, call);
        break;
    }
}

static void route(struct node *node, const struct envelope_request *request,
                  struct node_call *call)
{
    const struct method *method = method_get(request->method);
    const struct asker *asker = &call->asker;
    uint64_t deadline_ms = request->deadline_ms;

    if (method == NULL && call->is_addressed && node__is_between_nodes(request->method)) {
        call->deadline_ns = io_now_ns(node->io) + deadline_ms * 1000000;
        node__pass(node, call, request);
        return;
    }
    if (method == NULL) {
        (void)!buf_append_format(&node->text, "this node has no method %u", request->method);
        node__answer_error(node, asker->name, asker->id, ERR_METHOD);
        return;
    }
    int rc = rights_check(call->who, method, request->body, &node->text);

    if (rc != OK) {
        refuse_right(node, asker, rc);
        return;
    }
    if (conn_is_choked(asker->conn) && method->kind != METHOD_KIND_PEER) {
        node__answer_error(node, asker->name, asker->id, ERR_BUSY);
        return;
    }
    deadline_ms = deadline_ms != 0 ? deadline_ms : method->deadline_ms;
    call->method = method;
    call->deadline_ns = io_now_ns(node->io) + deadline_ms * 1000000;
    answer(node, request, call);
}

void node__request(void *context, struct conn *conn, struct slice payload)
{
    struct node *node = context;
    struct node_call call = {.who = &conn->who, .payload = payload};
    struct envelope_request request;

    node->counters.requests++;
    if (conn->who.token != 0 &&
        !enrol_token_is_live(node__token_shard(node, conn->who.token - 1)->enrol,
                             node__token_place(node, conn->who.token - 1),
                             node__wall_ms(node))) {
        conn_turn_away(conn,
                       (conn->who.roles & METHOD_ROLE_INVITED) != 0 ? IO_REFUSAL_INVITE
                                                                    : IO_REFUSAL_TOKEN,
                       ERR_UNAUTHENTICATED, "the token was revoked, or has ended");
        return;
    }
    arena_reset(&node->scratch);
    buf_clear(&node->text);
    if (envelope_request_decode(payload, &request) != OK) {
        conn_refuse(conn, ERR_MALFORMED, "a frame is not a Request");
        return;
    }
    if (node->engine_is_closed) {
        /* The groups are gone, while links to other nodes take their time to close; connections
         * are open until then for what was answered before. */
        if (request.method != CARILLON__METHOD__METHOD_PEER) {
            node__answer_error(node, conn->name, request.id, ERR_STOPPED);
        }
        return;
    }
    call.asker = (struct asker){conn, conn->name, request.id};
    route(node, &request, &call);
}
