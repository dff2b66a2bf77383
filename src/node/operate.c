/* Methods of kind NODE: about the node itself. */
#include "base/assert.h"
#include "enrol/merge.h"
#include "node/node_private.h"
#include "proto/operator.pb-c.h"
#include "wire/field.h"
#include "wire/field_append.h"
#include "wire/message.h"

enum { AUDIT_SHARD_SHIFT = 54 }; /* of a page's place: the log's index below, the shard above */

/* ---- status
 * -------------------------------------------------------------------------------------------------------
 */

static void status_state(struct node *node, Carillon__StatusReply *reply)
{
    struct enrol_counters counters;
    struct search_stats stats = search_stats(node->search);

    node__count(node, &counters);
    reply->courses = counters.courses;
    reply->sections = counters.sections;
    reply->students = counters.students;
    reply->registrations = counters.registrations;
    reply->waiting = counters.waiting;
    reply->answers_kept = counters.answers;
    reply->memory_campus_bytes = counters.bytes;
    reply->memory_student_bytes = counters.student_bytes;
    reply->memory_course_bytes = counters.course_bytes;
    reply->memory_search_bytes = node->search_arena.held;
    reply->search_index_bytes = stats.index_bytes;
    reply->search_text_bytes = stats.text_bytes;
}

/* Positions are those of all shards, added up. */
static void status_log(struct node *node, Carillon__StatusReply *reply)
{
    struct engine_status status;

    for (uint32_t i = 0; i < node->shard_count; i++) {
        engine_status(node->engine, NODE_GROUP_SHARD + i, &status);
        reply->log_first_index += status.first;
        reply->log_last_index += status.last;
        reply->log_durable_index += status.durable;
        reply->log_applied_index += status.applied;
        reply->snapshot_index += status.snapshot_index;
        reply->snapshot_bytes += status.snapshot_bytes;
        if (status.snapshot_ms > reply->snapshot_ms) {
            reply->snapshot_ms = status.snapshot_ms;
        }
    }
    reply->log_bytes = status.log_bytes;
    reply->log_batches = status.log_batches;
    reply->shards = node->shard_count;
}

static void status_activity(struct node *node, Carillon__StatusReply *reply)
{
    const struct histogram *searches = &node->counters.search_time;
    struct io_cpu used;

    reply->connections = node->conns.used;
    reply->requests = node->counters.requests;
    reply->refused_load = node->counters.refused_load;
    reply->bad_frames = node->conns.counters.bad_frames;
    reply->search_count = searches->count;
    reply->search_cpu_ns = node->counters.search_cpu_ns;
    reply->search_p50_ns = histogram_quantile(searches, 500000);
    reply->search_p99_ns = histogram_quantile(searches, 990000);
    io_cpu_process(node->io, &used);
    reply->cpu_user_us = used.user_ns / 1000;
    reply->cpu_system_us = used.system_ns / 1000;
}

static void status(struct node *node, struct conn *conn, uint64_t id)
{
    Carillon__StatusReply reply = CARILLON__STATUS_REPLY__INIT;
    struct node_refusals refusals;
    const struct log_identity *identity = node__identity(node);

    reply.version = wire_text(CARILLON_VERSION);
    reply.cluster_id = wire_binary(slice_from(identity->cluster, sizeof identity->cluster));
    reply.node_id = wire_binary(slice_from(identity->node, sizeof identity->node));
    reply.uptime_ms = (io_now_ns(node->io) - node->opened_ns) / 1000000;
    reply.data_folder = node->config.data_folder;
    reply.writable = node->is_writable;
    reply.state = wire_text(node__is_waiting(node) ? "waiting to be added"
                            : node->is_writable    ? "serving"
                                                   : "disk full: reads only");
    reply.memory_bytes_max = node->config.memory_bytes_max;
    status_state(node, &reply);
    status_log(node, &reply);
    status_activity(node, &reply);
    node__status_refusals(node, &refusals, &reply);
    node__status_groups(node, &reply);
    node__answer_message(node, conn->name, id, &reply.base);
}

/* ---- what waits
 * -----------------------------------------------------------------------------------------------------
 */

static struct wait *wait_create(struct node *node, const struct conn *conn, uint64_t id)
{
    struct wait *wait = arena_alloc_zero(&node->arena, sizeof *wait);

    wait->node = node;
    wait->conn = conn->name;
    wait->id = id;
    wait->began_ns = io_now_ns(node->io);
    buf_init(&wait->audit.request, FRAME_BYTES_MAX);
    buf_init(&wait->audit.reply, AUDIT_REPLY_BYTES_MAX);
    list_add(&node->waits, &wait->node_link);
    return wait;
}

static void wait_destroy(struct wait *wait)
{
    uint32_t shards = wait->node->shard_count;

    for (uint32_t i = 0; wait->replies != NULL && i < shards; i++) {
        buf_fini(&wait->replies[i]);
    }
    if (wait->replies != NULL) {
        arena_free(&wait->node->arena, wait->replies, shards * sizeof *wait->replies);
    }
    list_remove(&wait->node_link);
    buf_fini(&wait->audit.request);
    buf_fini(&wait->audit.reply);
    arena_free(&wait->node->arena, wait, sizeof *wait);
}

static void answer_status(struct wait *wait, int status)
{
    node__answer(wait->node, wait->conn,
                 &(struct conn_answer){.id = wait->id, .status = status});
}

static void snapshot_next(struct wait *wait);

static void on_snapshot(struct engine_snapshot *snapshot, int status)
{
    struct wait *wait = CONTAINER_OF(snapshot, struct wait, snapshot);
    struct node *node = wait->node;
    Carillon__SnapshotReply reply = CARILLON__SNAPSHOT_REPLY__INIT;

    if (status == OK) {
        struct engine_status engine;

        engine_status(node->engine, NODE_GROUP_SHARD + wait->shard, &engine);
        wait->snapshot_index += engine.snapshot_index;
        wait->snapshot_bytes += engine.snapshot_bytes;
        if (++wait->shard < node->shard_count) {
            snapshot_next(wait);
            return;
        }
        reply.index = wait->snapshot_index;
        reply.bytes = wait->snapshot_bytes;
        reply.duration_ms = (io_now_ns(node->io) - wait->began_ns) / 1000000;
        node__answer_message(node, wait->conn, wait->id, &reply.base);
    } else {
        answer_status(wait, status);
    }
    wait_destroy(wait);
}

/* Of one shard after the other. */
static void snapshot_next(struct wait *wait)
{
    wait->snapshot = (struct engine_snapshot){.done = on_snapshot};
    int rc =
        engine_snapshot(wait->node->engine, NODE_GROUP_SHARD + wait->shard, &wait->snapshot);
    if (rc != SM_PENDING) {
        answer_status(wait, rc);
        wait_destroy(wait);
    }
}

static void snapshot(struct node *node, struct conn *conn, uint64_t id)
{
    snapshot_next(wait_create(node, conn, id));
}

/* The trails of the shards follow one another: a page's place is that in its shard's log, with
 * the shard above. The last of a field's occurrences counts. */
static void place_page(struct wait *wait)
{
    enum { NEXT_AFTER_INDEX = 2, SHARD = 3, SHARDS = 4 }; /* fields of AuditReply */
    struct buf *reply = &wait->audit.reply;
    struct field_reader in = field_reader_from(buf_slice(reply));
    struct field field;
    uint64_t next = 0;

    while (!field_reader_is_done(&in) && field_read(&in, &field)) {
        if (field.number == NEXT_AFTER_INDEX && field.type == FIELD_VARINT) {
            next = field.value;
        }
    }
    if (next != 0) {
        next |= (uint64_t)wait->shard << AUDIT_SHARD_SHIFT;
    } else if (wait->shard + 1 < wait->node->shard_count) {
        next = (uint64_t)(wait->shard + 1) << AUDIT_SHARD_SHIFT;
    }
    int rc = field_append_number(reply, NEXT_AFTER_INDEX, next);
    rc = rc == OK ? field_append_number(reply, SHARD, wait->shard) : rc;
    rc = rc == OK ? field_append_number(reply, SHARDS, wait->node->shard_count) : rc;
    ASSERT(rc == OK); /* the buffer has more room than a page */
}

static void on_audit(struct audit_query *query)
{
    struct wait *wait = CONTAINER_OF(query, struct wait, audit);

    if (query->status == OK && wait->node->shard_count > 1) {
        place_page(wait);
    }
    node__answer(wait->node, wait->conn,
                 &(struct conn_answer){.id = wait->id,
                                       .status = query->status,
                                       .body = buf_slice(&query->reply)});
    wait_destroy(wait);
}

static void audit(struct node *node, struct conn *conn, uint64_t id, struct slice body)
{
    enum { AFTER_INDEX = 3 }; /* AuditRequest's field */
    const Carillon__AuditRequest *asked =
        wire_unpack(&carillon__audit_request__descriptor, body, &node->scratch);
    uint64_t shard = asked->after_index >> AUDIT_SHARD_SHIFT;
    uint64_t after = asked->after_index & (((uint64_t)1 << AUDIT_SHARD_SHIFT) - 1);

    if (shard >= node->shard_count) {
        conn_reply(conn, &(struct conn_answer){.id = id, .status = ERR_ARGUMENT});
        return;
    }
    struct wait *wait = wait_create(node, conn, id);

    wait->shard = (uint32_t)shard;
    int rc = buf_append_slice(&wait->audit.request, body);
    if (rc == OK && shard > 0) { /* the last of a field's occurrences counts, if it is not 0 */
        wait->audit.request.len = 0;
        Carillon__AuditRequest one = *asked;

        one.after_index = after;
        rc = wire_pack(&one.base, &wait->audit.request);
    }
    ASSERT(rc == OK); /* it came in a frame */
    audit_find(node->shards[shard].audit, &wait->audit, on_audit);
}

/* ---- verify: sliced over turns, one at a time
 * ------------------------------------------------------------------------ */

static void verify(struct node *node, struct conn *conn, uint64_t id)
{
    if (node->verifying != NULL) {
        (void)!buf_append_text(&node->text, "a verify is running already");
        conn_reply(conn, &(struct conn_answer){.id = id,
                                               .status = ERR_BUSY,
                                               .text = buf_text(&node->text),
                                               .retry_after_ms = NODE_RETRY_AFTER_MS});
        return;
    }
    node->verifying = wait_create(node, conn, id);
    node->verifying->verify = enrol_verify_begin(node->shards[0].enrol);
    if (node->shard_count > 1) {
        node->verifying->replies = arena_alloc_zero(
            &node->arena, node->shard_count * sizeof *node->verifying->replies);
    }
    node->turn.again = true;
}

static int keep_verified(struct wait *wait)
{
    struct buf *reply = &wait->replies[wait->shard];

    buf_init(reply, NODE_REPLY_BODY_BYTES_MAX);
    return buf_append_slice(reply, buf_slice(&wait->node->body));
}

/* One answer of those of all shards. */
static int merge_verified(struct wait *wait)
{
    struct node *node = wait->node;
    struct enrol_merge merge = {.method = CARILLON__METHOD__METHOD_VERIFY,
                                .count = node->shard_count};

    arena_reset(&node->scratch);
    struct enrol_merge_part *parts =
        arena_alloc_zero(&node->scratch, node->shard_count * sizeof *parts);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        parts[i].reply = buf_slice(&wait->replies[i]);
    }
    merge.parts = parts;
    buf_clear(&node->body);
    buf_clear(&node->text);
    return enrol_merge(&merge, &node->scratch, &node->body, &node->text);
}

bool node__verify_turn(struct node *node)
{
    struct wait *wait = node->verifying;

    if (wait == NULL) {
        return false;
    }
    if (enrol_verify_step(wait->verify) == SM_PENDING) {
        return true;
    }
    buf_clear(&node->body);
    int rc = enrol_verify_end(wait->verify, &node->body);
    wait->verify = NULL;
    if (rc == OK && node->shard_count > 1) {
        rc = keep_verified(wait);
        if (wait->shard + 1 < node->shard_count) {
            wait->verify = enrol_verify_begin(node->shards[++wait->shard].enrol);
            return true;
        }
        rc = rc == OK ? merge_verified(wait) : rc;
    }
    node__answer(
        node, wait->conn,
        &(struct conn_answer){.id = wait->id, .status = rc, .body = buf_slice(&node->body)});
    node->verifying = NULL;
    wait_destroy(wait);
    return false;
}

void node__verify_fini(struct node *node)
{
    if (node->verifying != NULL) {
        (void)!enrol_verify_end(node->verifying->verify, NULL); /* nobody is told */
        wait_destroy(node->verifying);
        node->verifying = NULL;
    }
}

void node__waits_forget(struct node *node)
{
    node__verify_fini(node);
    while (!list_is_empty(&node->waits)) {
        wait_destroy(CONTAINER_OF(node->waits.next, struct wait, node_link));
    }
}

void node__operate(struct node *node, struct conn *conn, uint64_t id,
                   const struct method *method, struct slice body)
{
    if (wire_unpack(method->request, body, &node->scratch) == NULL) {
        conn_reply(conn, &(struct conn_answer){.id = id, .status = ERR_MALFORMED});
        return;
    }
    if (method->number == CARILLON__METHOD__METHOD_STATUS) {
        status(node, conn, id);
    } else if (method->number == CARILLON__METHOD__METHOD_SNAPSHOT) {
        snapshot(node, conn, id);
    } else if (method->number == CARILLON__METHOD__METHOD_VERIFY) {
        verify(node, conn, id);
    } else if (method->number == CARILLON__METHOD__METHOD_KEYS) {
        node__keys(node, conn, id);
    } else if (method->number == CARILLON__METHOD__METHOD_ROTATE) {
        node__rotate(node, conn, id);
    } else if (method->number == CARILLON__METHOD__METHOD_MEMBERS) {
        node__members(node, conn, id);
    } else if (method->number == CARILLON__METHOD__METHOD_JOIN) {
        node__join(node, conn, id, body);
    } else if (method->number == CARILLON__METHOD__METHOD_CHANGE) {
        node__operator_change(node, conn, id, body);
    } else {
        ASSERT(method->number == CARILLON__METHOD__METHOD_AUDIT);
        audit(node, conn, id, body);
    }
}
