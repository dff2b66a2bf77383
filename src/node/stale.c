/* Reads that take the state as it is, and how old that may be (docs/spec/protocol.md section
 * 9).
 *
 * The age must not lie, so it rests on no clock but this node's own and on no message that may
 * have been under way for long: the node asks the leader for a read point and, once it has
 * applied that far, holds everything that was answered before it *asked*. Whoever is cut off
 * gets no answer any more, and its age grows. */
#include "node/node_private.h"
#include "proto/peer.pb-c.h"
#include "wire/field.h"
#include "wire/field_append.h"
#include "wire/message.h"

enum {
    STALE_ASK_MS = 500, /* between two questions, as long as they are answered */
    STALE_ANSWER_MS = 2000,
    STALE_SHARDS = 64, /* of more than these each is asked about less often */
    POINT_INDEX = 1,
    STALENESS_AGE = 1,
    STALENESS_INDEX = 2,
    NS_PER_MS = 1000000,
};

static void known_until(struct shard_stale *stale, uint64_t ns)
{
    if (ns > stale->known_ns) {
        stale->known_ns = ns;
    }
}

static uint64_t applied(const struct shard *shard)
{
    struct engine_status status;

    engine_status(shard->node->engine, node__group_of(shard), &status);
    return status.applied;
}

/* Whether the answer that came has been applied. */
static void settle(struct shard *shard)
{
    struct shard_stale *stale = &shard->stale;

    if (stale->is_answered && applied(shard) >= stale->answered_index) {
        stale->is_answered = false;
        known_until(stale, stale->answered_ns);
    }
}

/* ---- asking ---- */

static void on_point(struct engine_read *read, int status)
{
    struct shard_stale *stale = CONTAINER_OF(read, struct shard_stale, point);

    stale->is_asking = false;
    if (status == OK) {
        known_until(stale, stale->asked_ns);
    }
}

static int ask_leader(struct shard *shard)
{
    struct node *node = shard->node;
    uint32_t group = node__group_of(shard);
    raft_id leader = engine_raft_leader(&node->raft, group);
    const struct conn_who who = {.roles = METHOD_ROLE_ANYONE};
    const struct link_forward forward = {
        .conn = {NODE_POINT_SLOT, 0},
        .id = shard->number,
        .deadline_ns = io_now_ns(node->io) + (uint64_t)STALE_ANSWER_MS * NS_PER_MS,
        .group_to = node->shard_count > 1 ? group + 1 : 0,
    };
    Carillon__Request request = CARILLON__REQUEST__INIT;

    if (leader == 0 || leader == node->raft.id) {
        return ERR_NOT_LEADER;
    }
    request.method = CARILLON__METHOD__METHOD_POINT;
    request.deadline_ms = STALE_ANSWER_MS;
    buf_clear(&node->body);
    int rc = wire_pack(&request.base, &node->body);

    return rc == OK ? link_forward(&node->links, leader, &who, &forward, buf_slice(&node->body))
                    : rc;
}

/* Returns: whether the state is known to have everything at this moment. */
static bool ask(struct shard *shard)
{
    struct shard_stale *stale = &shard->stale;

    if (stale->is_asking || shard->node->engine_is_closed) {
        return false;
    }
    stale->asked_ns = io_now_ns(shard->node->io);
    if (!node__can_read(shard)) {
        stale->is_asking = ask_leader(shard) == OK;
        return false;
    }
    int rc = engine_read_point(shard->node->engine, node__group_of(shard), &stale->point);

    stale->is_asking = rc == SM_PENDING;
    if (rc == OK) {
        known_until(stale, stale->asked_ns);
    }
    return rc == OK;
}

static void on_timer(struct io_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, stale_timer);

    for (uint32_t i = 0; i < node->shard_count; i++) {
        settle(&node->shards[i]);
        (void)ask(&node->shards[i]);
    }
    io_timer_start(node->io, timer,
                   (uint64_t)STALE_ASK_MS * (1 + node->shard_count / STALE_SHARDS), on_timer);
}

void node__stale_serve(struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        node->shards[i].stale.point.done = on_point;
    }
    on_timer(&node->stale_timer);
}

void node__stale_stop(struct node *node)
{
    io_timer_stop(node->io, &node->stale_timer);
}

void node__stale_answered(struct node *node, const struct link_forward *forward,
                          const struct envelope_reply *reply)
{
    struct shard *shard = &node->shards[forward->id];
    struct shard_stale *stale = &shard->stale;
    uint64_t index = 0;

    stale->is_asking = false;
    if (reply == NULL || reply->status != 0 || stale->is_answered) {
        return; /* an earlier answer that is still to be applied will be so first */
    }
    struct field_reader in = field_reader_from(reply->body);
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            node->counters.bad_peer_messages++;
            return;
        }
        if (field.number == POINT_INDEX && field.type == FIELD_VARINT) {
            index = field.value;
        }
    }
    stale->is_answered = true;
    stale->answered_index = index;
    stale->answered_ns = stale->asked_ns;
    settle(shard);
}

int node__point(const struct shard *shard, struct buf *out)
{
    return field_append_number(out, POINT_INDEX, applied(shard));
}

/* ---- answering ---- */

static void look(struct shard *shard, struct node_state_age *ret_age)
{
    settle(shard);
    if (node__can_read(shard)) {
        (void)ask(shard); /* who is alone knows at once */
    }
    *ret_age = (struct node_state_age){shard->stale.known_ns, applied(shard)};
}

int node__stale_look(struct node *node, struct shard *shard, struct node_state_age *ret_age)
{
    look(shard == NULL ? &node->shards[0] : shard, ret_age);
    for (uint32_t i = 1; i < node->shard_count && shard == NULL; i++) {
        struct node_state_age age;

        look(&node->shards[i], &age);
        *ret_age = age.known_ns < ret_age->known_ns ? age : *ret_age;
    }
    if (ret_age->known_ns != 0) {
        return OK;
    }
    buf_clear(&node->text);
    (void)!buf_append_text(&node->text,
                           "no leader has been heard since this node's start, so how old its "
                           "state is cannot be said");
    return ERR_NOT_LEADER;
}

bool node__is_known_since(struct node *node, uint64_t ns)
{
    bool is_known = true;

    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct shard *shard = &node->shards[i];

        settle(shard);
        is_known = (shard->stale.known_ns >= ns || ask(shard)) && is_known;
    }
    return is_known;
}

struct slice node__stale_pack(struct node *node, const struct node_state_age *age)
{
    uint64_t now_ns = io_now_exact_ns(node->io);
    uint64_t age_ns = now_ns > age->known_ns ? now_ns - age->known_ns : 0;
    uint8_t *to = node->stale_packed;

    to = field_put_number(to, STALENESS_AGE, age_ns / NS_PER_MS + 1);
    to = field_put_number(to, STALENESS_INDEX, age->index);
    return slice_from(node->stale_packed, (size_t)(to - node->stale_packed));
}

bool node__is_stale_ok(const struct node *node, const struct envelope_request *request)
{
    const struct method *method = method_get(request->method);
    bool is_across =
        node->shard_count > 1 && (request->method == CARILLON__METHOD__METHOD_CHECK ||
                                  request->method == CARILLON__METHOD__METHOD_ROSTER);

    return request->is_stale_ok && !is_across &&
           request->method != CARILLON__METHOD__METHOD_POINT &&
           (method == NULL
                ? request->method > ENROL_READ_IMPORT && request->method < ENROL_READ_END
                : method->kind == METHOD_KIND_READ);
}

void node__stale_read(struct shard *shard, const struct node_call *call,
                      const struct envelope_request *request)
{
    struct node *node = shard->node;
    const struct asker *asker = &call->asker;
    struct node_state_age age;
    int rc = node__stale_look(node, shard, &age);

    if (rc != OK) {
        node__answer_error(node, asker->name, asker->id, rc);
        return;
    }
    buf_clear(&node->body);
    buf_clear(&node->text);
    rc = enrol_read(shard->enrol, request->method, request->body, node__wall_ms(node),
                    &node->body, &node->text);
    struct conn_answer answer = {.id = asker->id,
                                 .status = rc,
                                 .body = buf_slice(&node->body),
                                 .stale = node__stale_pack(node, &age)};

    if (rc != OK && node->text.len > 0) {
        answer.text = buf_text(&node->text);
    }
    node__answer(node, asker->name, &answer);
}
