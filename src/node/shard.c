/* A shard's state in this node: made, restored, frozen for a snapshot, led. */
#include <stdio.h>

#include "base/assert.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

/* A shard's trail is in the order of its log, and follows from that log alone. */
static int open_audit(struct shard *shard)
{
    struct node *node = shard->node;
    char folder[CONFIG_PATH_BYTES + 32];
    int rc = OK;

    (void)snprintf(folder, sizeof folder, "%s/audit", node->config.data_folder);
    if (node->shard_count > 1) {
        rc = io_folder_make(node->io, folder);
        (void)snprintf(folder, sizeof folder, "%s/audit/%u", node->config.data_folder,
                       node__group_of(shard));
    }
    rc = rc == OK ? audit_open(node->io, folder, node->config.audit_bytes_max / node->shard_count,
                               shard->applied, &shard->audit, &node->text)
                  : rc;
    if (rc == OK) {
        shard->audit_from = audit_last_index(shard->audit);
    }
    if (rc == OK && shard->audit_from < shard->applied) {
        /* the trail is synced before a snapshot is: somebody took the records away */
        event_log(EVENT_ERROR, "audit-gap", "group=%u after=%llu until=%llu",
                  node__group_of(shard), (unsigned long long)shard->audit_from,
                  (unsigned long long)shard->applied);
    }
    return rc;
}

/* Nothing of theirs is read or made yet. */
void node__shards_make(struct node *node, uint32_t count)
{
    node->pending_max = NODE_PENDING_MAX;
    while (node->pending_max > NODE_PENDING_MIN &&
           (uint64_t)node->pending_max * count > NODE_PENDING_ALL) {
        node->pending_max /= 2;
    }
    node->shards = arena_alloc_zero(&node->arena, count * sizeof *node->shards);
    node->shard_count = count;
    for (uint32_t i = 0; i < count; i++) {
        node->shards[i].node = node;
        node->shards[i].number = i;
        node->shards[i].pending =
            arena_alloc(&node->arena, node->pending_max * sizeof *node->shards[i].pending);
    }
    if (count > 1) {
        node__across_make(node);
        node__spreads_make(node);
    }
}

/* The leader's snapshot takes the place of the state. What entries it stands for is not in this
 * node's audit trail, but in others'. Whoever is connected was let in by the old state. */
static void forget_state(struct shard *shard)
{
    struct node *node = shard->node;

    event_log(EVENT_WARNING, "state-replaced", "group=%u applied=%llu", node__group_of(shard),
              (unsigned long long)shard->applied);
    node__across_drop(shard);
    node__verify_fini(node);
    node__search_forget(node);
    conn_table_turn_out(&node->conns);
    node__index_drop(shard);
    enrol_destroy(shard->enrol);
}

int node__shard_restore_begin(struct shard *shard, uint64_t index)
{
    struct node *node = shard->node;
    const struct log_identity *identity = node__identity(node);
    struct enrol_config config = {
        .memory_bytes_max = node->config.memory_bytes_max / 2 / node->shard_count,
        .group = node__group_of(shard),
        .shards = node->shard_count,
    };

    if (shard->enrol != NULL) {
        forget_state(shard);
    }
    memcpy(config.cluster_id.bytes, identity->cluster, sizeof config.cluster_id.bytes);
    shard->enrol = enrol_create(&config);
    shard->applied = index;
    /* now that the folder is locked and before entries are replayed */
    return shard->audit == NULL ? open_audit(shard) : OK;
}

int node__shard_restore_end(struct shard *shard)
{
    if (shard->applied == 0) {
        return OK;
    }
    int rc = enrol_restore_end(shard->enrol);
    if (rc == OK && shard->node->is_replayed) {
        node__index_now(shard);
    } else if (rc == OK) {
        node__index_all(shard);
    }
    return rc;
}

void node__shard_snapshot_begin(struct shard *shard)
{
    int rc = enrol_snapshot_begin(shard->enrol);

    ASSERT(rc == OK); /* the engine writes one at a time */
    shard->snapshot_index = shard->applied;
    shard->snapshot_audit = audit_last_index(shard->audit);
    audit_sync(shard->audit);
}

/* The last slice waits for the audit trail: segments that the snapshot covers may go once it is
 * durable. */
int node__shard_snapshot_step(struct shard *shard, struct buf *out)
{
    if (audit_synced_index(shard->audit) < shard->snapshot_audit) {
        return SM_PENDING;
    }
    return enrol_snapshot_step(shard->enrol, out);
}

void node__shard_snapshot_end(struct shard *shard, int status)
{
    enrol_snapshot_abort(shard->enrol);
    if (status == OK) {
        event_log(EVENT_INFO, "snapshot-written", "group=%u index=%llu", node__group_of(shard),
                  (unsigned long long)shard->snapshot_index);
    } else {
        event_log(EVENT_WARNING, "snapshot-failed", "group=%u index=%llu error=%s",
                  node__group_of(shard), (unsigned long long)shard->snapshot_index,
                  error_name(status));
    }
}

uint64_t node__applied(const struct node *node)
{
    uint64_t applied = 0;

    for (uint32_t i = 0; i < node->shard_count; i++) {
        applied += node->shards[i].applied;
    }
    return applied;
}

/* Whether a registration window has opened or closed since time was last logged: waitlists may
 * move then. */
static bool window_has_turned(const struct shard *shard, uint64_t now)
{
    const struct campus *campus = enrol_campus(shard->enrol);

    for (uint32_t i = 0; i < campus->catalogues.count; i++) {
        const struct campus_catalogue *catalogue = campus_catalogue(campus, i);

        if (catalogue->opens_ms > shard->tick_ms && catalogue->opens_ms <= now) {
            return true;
        }
    }
    return false;
}

/* Imports are given up as an entry like any other. */
static void end_imports(struct shard *shard, const char *reason)
{
    struct node *node = shard->node;
    struct uuid id;
    int rc = OK;

    shard->import_heard_ns = io_now_ns(node->io);
    for (size_t n = 0; rc == OK && enrol_open_import(shard->enrol, n, &id); n++) {
        Carillon__ImportAbortRequest request = CARILLON__IMPORT_ABORT_REQUEST__INIT;

        request.import_id = wire_binary(slice_from(id.bytes, sizeof id.bytes));
        buf_clear(&node->body);
        rc = wire_pack(&request.base, &node->body);
        rc = rc == OK ? node__propose(shard, CARILLON__METHOD__METHOD_IMPORT_ABORT,
                                      buf_slice(&node->body))
                      : rc;
        event_log(EVENT_WARNING, rc == OK ? "import-given-up" : "import-not-given-up",
                  "group=%u reason=\"%s\"", node__group_of(shard), reason);
    }
}

/* Of those of which nothing has come for so long the client is gone. */
static void end_left_imports(struct shard *shard)
{
    if (io_now_ns(shard->node->io) - shard->import_heard_ns >=
        (uint64_t)NODE_IMPORT_IDLE_MS * 1000000) {
        end_imports(shard, "nothing of it has come");
    }
}

void node__import_heard(struct shard *shard, uint32_t method)
{
    if (method == CARILLON__METHOD__METHOD_IMPORT_BEGIN ||
        method == CARILLON__METHOD__METHOD_IMPORT_CHUNK) {
        shard->import_heard_ns = io_now_ns(shard->node->io);
    }
}

/* Of a shard that is led here. */
void node__shard_tick(struct shard *shard, uint64_t now)
{
    if (!window_has_turned(shard, now) ||
        node__propose(shard, CARILLON__METHOD__METHOD_NONE, SLICE_NONE) == OK) {
        shard->tick_ms = now;
    }
    end_left_imports(shard);
}

/* Whether there is a shard that only this node could lead, and does not yet. */
bool node__is_awaited(const struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (!node->shards[i].is_leading && node__can_read(&node->shards[i])) {
            return true;
        }
    }
    return false;
}

/* That another leads ends no import: clients ask again with the same key. The only voter leads
 * because it was started, and drops what was not finished. */
void node__lead(struct shard *shard)
{
    const struct node *node = shard->node;

    shard->import_heard_ns = io_now_ns(node->io);
    if (raft_configuration_voters(
            engine_raft_configuration(&node->raft, node__group_of(shard))) == 1) {
        end_imports(shard, "the node stopped during it");
    }
    if (!node__is_awaited(node)) {
        node__serve(shard->node);
    }
}

void node__count(const struct node *node, struct enrol_counters *ret_counters)
{
    *ret_counters = (struct enrol_counters){0};
    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct enrol_counters one;

        enrol_count(node->shards[i].enrol, &one);
        ret_counters->courses += one.courses;
        ret_counters->sections += one.sections;
        ret_counters->students += one.students;
        ret_counters->registrations += one.registrations;
        ret_counters->waiting += one.waiting;
        ret_counters->answers += one.answers;
        ret_counters->bytes += one.bytes;
        ret_counters->reserved += one.reserved;
        ret_counters->bytes_max += one.bytes_max;
        ret_counters->student_bytes += one.student_bytes / node->shard_count;
        ret_counters->course_bytes += one.course_bytes / node->shard_count;
    }
}
