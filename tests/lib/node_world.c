#include "tests/lib/node_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "node/event.h"
#include "node/node_private.h"

enum {
    SEGMENT_BYTES = 32 << 10,
    SNAPSHOT_LOG_BYTES = 12 << 10,
    TEXT_BYTES = 4096,
    CLOSE_MS = 60000,
    SCRATCH_BYTES = 64 << 20,
};

const char *const node_world_sometimes_names[SOMETIMES_NR] = {
    [SOMETIMES_CUT_IN_SNAPSHOT] = "power cut while a snapshot is written",
    [SOMETIMES_CUT_IN_RECYCLE] = "power cut while a segment is recycled",
    [SOMETIMES_CUT_IN_RECOVERY] = "power cut in recovery",
    [SOMETIMES_CUT_IN_BATCH] = "power cut with a batch on its way",
    [SOMETIMES_CUT_IN_AUDIT] = "power cut with the audit trail on its way",
    [SOMETIMES_CUT_IN_IMPORT] = "power cut in an import",
    [SOMETIMES_CUT_WHILE_FULL] = "power cut while the disk is full",
    [SOMETIMES_KILL_IN_BATCH] = "kill with a batch on its way",
    [SOMETIMES_KILL_IN_SNAPSHOT] = "kill while a snapshot is written",
    [SOMETIMES_FAILED] = "the disk failed and the node stopped",
    [SOMETIMES_FAILED_IN_BATCH] = "the disk failed with requests waiting",
    [SOMETIMES_FULL_REFUSED] = "a write refused because the disk is full",
    [SOMETIMES_FULL_WAITING] = "disk full with requests waiting",
    [SOMETIMES_RESTORED] = "start from a snapshot",
    [SOMETIMES_RECYCLED] = "a segment left the log",
    [SOMETIMES_IMPORT_COMMITTED] = "an import committed",
    [SOMETIMES_IMPORT_GIVEN_UP] = "an import given up",
    [SOMETIMES_UNKNOWN_HAPPENED] = "an unanswered request had been performed",
    [SOMETIMES_UNKNOWN_NEVER_HAPPENED] = "an unanswered request had not been performed",
    [SOMETIMES_PROMOTED] = "a promotion from a waitlist",
    [SOMETIMES_RESET] = "a connection reset",
};

void node_world_violate(struct node_world *world, const char *format, ...)
{
    va_list values;

    if (world->violation[0] != '\0') {
        return;
    }
    va_start(values, format);
    (void)vsnprintf(world->violation, sizeof world->violation, format, values);
    va_end(values);
}

void node_world_init(struct node_world *world, uint64_t seed,
                     const struct io_sim_options *options, uint64_t *sometimes)
{
    const struct io_peer operator= {
        .role = IDENTITY_ROLE_OPERATOR, .is_encrypted = true, .name = "tests"};

    memset(world, 0, sizeof *world);
    event_set_level(EVENT_NONE);
    world->sim = io_sim_create(seed, options);
    world->io = io_sim_machine_create(world->sim, "10.0.0.1");
    world->client_io[0] = io_sim_machine_create(world->sim, "10.0.0.2");
    world->client_io[1] = io_sim_machine_create(world->sim, "10.0.0.3");
    io_sim_peer_set(world->client_io[0], &operator);
    io_sim_peer_set(world->client_io[1], &operator);
    rng_init(&world->rng, seed ^ 0x6e6f6465);
    buf_init(&world->text, TEXT_BYTES);
    arena_init(&world->scratch, SCRATCH_BYTES);
    arena_init(&world->looked, SCRATCH_BYTES);
    world->sometimes = sometimes;
    world->retry_never = rng_chance(&world->rng, 500000);
    world->ops = calloc(NODE_WORLD_OPS_MAX, sizeof *world->ops);
    ASSERT(world->ops != NULL);
    world->config = (struct node_config){
        .refill = ENGINE_REFILL_NEVER, /* damage is mended, unless a test is about refills */
        .data_folder = "data",
        .listen = "10.0.0.1:7440",
        .plain = "never",
        .memory_bytes_max = 512 << 20,
        .connections_max = 16,
        .outstanding_max = 64,
        .log_segment_bytes = SEGMENT_BYTES,
        .snapshot_log_bytes = SNAPSHOT_LOG_BYTES,
        .audit_bytes_max = 1 << 30,
    };
}

static void on_destroyed(void *context)
{
    ((struct node_world *)context)->destroyed++;
}

void node_world_fini(struct node_world *world)
{
    uint32_t created = 0;

    for (uint32_t i = 0; i < NODE_WORLD_CLIENTS; i++) {
        if (world->clients[i] != NULL) {
            created++;
            carillon_destroy_in(world->clients[i], on_destroyed, world);
        }
    }
    for (uint32_t i = 0; i < 100000 && world->destroyed < created; i++) {
        (void)io_sim_step(world->sim);
    }
    if (world->node != NULL) {
        node_world_kill(world);
    }
    for (uint32_t i = 0; i < world->replica_count; i++) {
        node_world_replica_kill(world, i);
    }
    io_sim_destroy(world->sim);
    buf_fini(&world->text);
    arena_fini(&world->scratch);
    arena_fini(&world->looked);
    free(world->ops);
}

/* ---- the process ---- */

static void on_failed(void *context)
{
    struct node_world *world = context;

    world->is_failed = true;
    world->failed_ns = io_sim_now_ns(world->sim);
    world->is_log_failed = world->node == NULL || world->node->raft.is_failed;
    world->sometimes[SOMETIMES_FAILED]++;
    if (world->node != NULL && world->node->shards[0].pending_first != world->node->shards[0].pending_last) {
        world->sometimes[SOMETIMES_FAILED_IN_BATCH]++;
    }
}

static void on_closed(void *context)
{
    struct node_world *world = context;

    world->is_closed = true;
    world->node = NULL;
}

int node_world_open(struct node_world *world)
{
    struct node *node = NULL;

    world->is_failed = false;
    world->is_closing = false;
    world->is_closed = false;
    buf_clear(&world->text);
    world->opens++;
    int rc = node_open(world->io, &world->config, &node, &world->text);
    if (rc != OK) {
        if (world->text.len == 0) {
            node_world_violate(world, "opening fails without a word: %s", error_name(rc));
        }
        node_world_run_ms(world, 10); /* what is open closes by itself */
        return rc;
    }
    world->node = node;
    world->sometimes[SOMETIMES_RESTORED] += node->raft.groups[1].raft.snapshot.index > 0;
    node_on_failed(node, on_failed, world);
    if (world->opens == 1) {
        node_world__replicas_begin(world);
    }
    node_world__introduce(world);
    return OK;
}

/* Where the process was when it ended. */
static void note_where(struct node_world *world, bool is_kill)
{
    const struct node *node = world->node;
    const struct log *log = &node->raft.log;
    uint64_t *sometimes = world->sometimes;
    bool is_snapshot = node->raft.writing != ENGINE_IDLE;

    if (is_kill) {
        sometimes[SOMETIMES_KILL_IN_BATCH] += log->is_writing;
        sometimes[SOMETIMES_KILL_IN_SNAPSHOT] += is_snapshot;
        return;
    }
    sometimes[SOMETIMES_CUT_IN_BATCH] += log->is_writing;
    sometimes[SOMETIMES_CUT_IN_SNAPSHOT] += is_snapshot;
    sometimes[SOMETIMES_CUT_IN_RECYCLE] +=
        log->is_keeping && log->keep.kind == LOG_KEEP_RECYCLE;
    sometimes[SOMETIMES_CUT_IN_AUDIT] += !audit_is_idle(node->shards[0].audit);
    sometimes[SOMETIMES_CUT_WHILE_FULL] += !node->is_writable;
    for (uint32_t i = 2; i < world->wave_count; i++) {
        sometimes[SOMETIMES_CUT_IN_IMPORT] += world->waves[i].state <= WAVE_COMMITTING;
    }
}

static void fall(struct node_world *world, bool is_kill)
{
    if (world->node != NULL) {
        if (!world->node->engine_is_closed) {
            note_where(world, is_kill);
            world->sometimes[SOMETIMES_RECYCLED] +=
                log_dropped(&world->node->raft.log, 1) > 0;
        }
        io_sim_forget(world->io);
        node_forget(world->node);
        world->node = NULL;
    }
}

void node_world_cut(struct node_world *world)
{
    io_sim_crash(world->io);
    fall(world, false);
}

void node_world_kill(struct node_world *world)
{
    io_sim_kill(world->io);
    fall(world, true);
}

void node_world_fallen(struct node_world *world)
{
    ASSERT(io_sim_is_down(world->io));
    fall(world, false);
}

void node_world_up(struct node_world *world)
{
    io_sim_fail_clear(world->io);
    io_sim_restart(world->io);
}

bool node_world_is_well(const struct node_world *world)
{
    return world->node != NULL && !world->is_failed && !world->is_closing &&
           !io_sim_is_down(world->io);
}

void node_world_close_begin(struct node_world *world)
{
    world->is_closing = true;
    node_close(world->node, on_closed, world);
}

bool node_world_step(struct node_world *world)
{
    bool more = io_sim_step(world->sim);

    if (world->is_failed && !world->is_closing && world->node != NULL &&
        !io_sim_is_down(world->io)) {
        node_world_close_begin(world);
    }
    if (more && world->watch != NULL) {
        world->watch(world);
    }
    return more;
}

void node_world_run_ms(struct node_world *world, uint64_t ms)
{
    uint64_t until = io_sim_now_ns(world->sim) + ms * 1000000;

    while (io_sim_now_ns(world->sim) < until && node_world_step(world)) {
    }
    while (io_sim_now_ns(world->sim) < until) {
        io_sim_run_ms(world->sim, 1); /* everything is down: only time goes on */
    }
}

void node_world_close(struct node_world *world)
{
    uint64_t until = io_sim_now_ns(world->sim) + (uint64_t)CLOSE_MS * 1000000;

    if (world->node == NULL || io_sim_is_down(world->io)) {
        return;
    }
    if (!world->is_closing) {
        node_world_close_begin(world);
    }
    while (!world->is_closed && !io_sim_is_down(world->io) &&
           io_sim_now_ns(world->sim) < until && node_world_step(world)) {
    }
    if (!world->is_closed && !io_sim_is_down(world->io)) {
        node_world_violate(world, "closing does not end");
        node_world_kill(world);
        node_world_up(world);
    }
}
