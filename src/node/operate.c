/* Methods of kind NODE: about the node itself. */
#include <sys/resource.h>

#include "base/assert.h"
#include "node/node_private.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000U + (uint64_t)time.tv_usec;
}

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

static void status_log(struct node *node, Carillon__StatusReply *reply)
{
    struct engine_status status;

    engine_status(node->engine, NODE_GROUP_SHARD, &status);
    reply->log_first_index = status.first;
    reply->log_last_index = status.last;
    reply->log_durable_index = status.durable;
    reply->log_applied_index = status.applied;
    reply->log_bytes = status.log_bytes;
    reply->log_batches = status.log_batches;
    reply->snapshot_index = status.snapshot_index;
    reply->snapshot_bytes = status.snapshot_bytes;
    reply->snapshot_ms = status.snapshot_ms;
}

static void status_activity(struct node *node, Carillon__StatusReply *reply)
{
    const struct histogram *searches = &node->counters.search_time;
    struct rusage usage;

    reply->connections = node->conns.used;
    reply->requests = node->counters.requests;
    reply->refused_load = node->counters.refused_load;
    reply->bad_frames = node->conns.counters.bad_frames;
    reply->search_count = searches->count;
    reply->search_cpu_ns = node->counters.search_cpu_ns;
    reply->search_p50_ns = histogram_quantile(searches, 500000);
    reply->search_p99_ns = histogram_quantile(searches, 990000);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        reply->cpu_user_us = microseconds(usage.ru_utime);
        reply->cpu_system_us = microseconds(usage.ru_stime);
    }
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

static void on_snapshot(struct engine_snapshot *snapshot, int status)
{
    struct wait *wait = CONTAINER_OF(snapshot, struct wait, snapshot);
    struct node *node = wait->node;
    Carillon__SnapshotReply reply = CARILLON__SNAPSHOT_REPLY__INIT;
    struct engine_status engine;

    if (status == OK) {
        engine_status(node->engine, NODE_GROUP_SHARD, &engine);
        reply.index = engine.snapshot_index;
        reply.bytes = engine.snapshot_bytes;
        reply.duration_ms = (io_now_ns(node->io) - wait->began_ns) / 1000000;
        node__answer_message(node, wait->conn, wait->id, &reply.base);
    } else {
        answer_status(wait, status);
    }
    wait_destroy(wait);
}

static void snapshot(struct node *node, struct conn *conn, uint64_t id)
{
    struct wait *wait = wait_create(node, conn, id);

    wait->snapshot.done = on_snapshot;
    int rc = engine_snapshot(node->engine, NODE_GROUP_SHARD, &wait->snapshot);
    if (rc != SM_PENDING) {
        answer_status(wait, rc);
        wait_destroy(wait);
    }
}

static void on_audit(struct audit_query *query)
{
    struct wait *wait = CONTAINER_OF(query, struct wait, audit);

    node__answer(wait->node, wait->conn,
                 &(struct conn_answer){.id = wait->id,
                                       .status = query->status,
                                       .body = buf_slice(&query->reply)});
    wait_destroy(wait);
}

static void audit(struct node *node, struct conn *conn, uint64_t id, struct slice body)
{
    struct wait *wait = wait_create(node, conn, id);

    int rc = buf_append_slice(&wait->audit.request, body);
    ASSERT(rc == OK); /* it came in a frame */
    audit_find(node->shards[0].audit, &wait->audit, on_audit);
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
    node->turn.again = true;
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
    } else {
        ASSERT(method->number == CARILLON__METHOD__METHOD_AUDIT);
        audit(node, conn, id, body);
    }
}
