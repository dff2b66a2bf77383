/* Reads: from a state that holds everything that was answered before. */
#include "base/assert.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"

bool node__can_read(const struct shard *shard)
{
    const struct node *node = shard->node;
    const struct raft_configuration *members =
        engine_raft_configuration(&node->raft, node__group_of(shard));

    return shard->is_leading || (!node->raft.refill.is_refilling &&
                                 raft_configuration_voters(members) == 1 &&
                                 raft_configuration_is_voter(members, node->raft.id));
}

/* ---- the answer ---- */

/* Whether others have a part in it, whom the machine for attempts asks. */
static bool is_across(const struct shard *shard, uint32_t method)
{
    return shard->node->shard_count > 1 && (method == CARILLON__METHOD__METHOD_CHECK ||
                                            method == CARILLON__METHOD__METHOD_ROSTER);
}

void node__read_pay(struct shard *shard, const struct read_of *of)
{
    struct node *node = shard->node;
    int rc;

    buf_clear(&node->text);
    buf_clear(&node->body);
    if (of->method == CARILLON__METHOD__METHOD_POINT) {
        rc = node__point(shard, &node->body);
    } else if (of->method == NODE_READ_FACT) {
        rc = node__fact_read(shard, of->body, &node->body, &node->text);
    } else {
        rc = enrol_read(shard->enrol, of->method, of->body, node__wall_ms(node), &node->body,
                        &node->text);
    }
    struct conn_answer answer = {.id = of->id, .status = rc, .body = buf_slice(&node->body)};

    if (rc != OK && node->text.len > 0) {
        answer.text = buf_text(&node->text);
    }
    node__pay(node, of->conn, &answer);
}

/* The read point is reached. */
static void read_now(struct shard *shard, const struct read_of *of)
{
    if (is_across(shard, of->method)) {
        node__across_read(shard, of);
    } else {
        node__read_pay(shard, of);
    }
}

/* ---- waiting for a read point ---- */

static void read_recycle(struct node *node, struct parked_read *read)
{
    arena_free_slice(&node->arena, read->of.body);
    read->of.body = SLICE_NONE;
    list_add(&node->idle_reads, &read->node_link);
}

static void on_read_point(struct engine_read *point, int status)
{
    struct parked_read *read = CONTAINER_OF(point, struct parked_read, point);
    struct node *node = read->shard->node;

    list_remove(&read->node_link);
    buf_clear(&node->text);
    if (read->of.method == CARILLON__METHOD__METHOD_NONE) {
        node__across_read_point(read->shard, read->of.id, status);
    } else if (status != OK) {
        node__pay_error(node, read->of.conn, read->of.id, status);
    } else if (node__is_awaited_by(node, read->of.conn)) {
        read_now(read->shard, &read->of);
    }
    read_recycle(node, read);
}

static struct parked_read *read_take(struct node *node)
{
    struct parked_read *read;

    if (!list_is_empty(&node->idle_reads)) {
        read = CONTAINER_OF(node->idle_reads.next, struct parked_read, node_link);
        list_remove(&read->node_link);
        return read;
    }
    if (node->read_count == NODE_READS_MAX || !arena_has_room(&node->arena, sizeof *read)) {
        return NULL;
    }
    node->read_count++;
    read = arena_alloc_zero(&node->arena, sizeof *read);
    read->point.done = on_read_point;
    return read;
}

/* Returns: OK, read now; SM_PENDING, @of is kept; or an error. */
static int read_point(struct shard *shard, const struct read_of *of)
{
    struct node *node = shard->node;
    struct parked_read *read = read_take(node);
    int rc = read == NULL || !arena_has_room(&node->arena, of->body.len)
                 ? ERR_BUSY
                 : engine_read_point(node->engine, node__group_of(shard), &read->point);

    if (rc == SM_PENDING) {
        read->shard = shard;
        read->of = *of;
        read->of.body = arena_copy(&node->arena, of->body);
        list_add(&node->reads, &read->node_link);
    } else if (read != NULL) {
        read_recycle(node, read);
    }
    return rc;
}

int node__read_point(struct shard *shard, uint64_t token)
{
    return read_point(shard, &(struct read_of){.id = token});
}

void node__read(struct shard *shard, const struct node_call *call,
                const struct envelope_request *request)
{
    const struct asker *asker = &call->asker;
    const struct read_of of = {
        .conn = asker->name,
        .id = asker->id,
        .deadline_ns = call->deadline_ns,
        .method = request->method,
        .body = request->body,
    };
    int rc = read_point(shard, &of);

    if (rc != OK && rc != SM_PENDING) {
        node__answer_error(shard->node, asker->name, asker->id, rc);
        return;
    }
    node__owe(asker);
    if (rc == OK) {
        read_now(shard, &of);
    }
}
