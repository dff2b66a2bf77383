#include "tests/lib/log_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

enum log_world_size log_world_size(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    if (campaign != NULL && strcmp(campaign, "nightly") == 0) {
        return LOG_WORLD_NIGHTLY;
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return LOG_WORLD_SMALL;
#else
    return LOG_WORLD_MERGE;
#endif
}

void log_world_init(struct log_world *world, uint64_t seed,
                    const struct io_sim_options *options)
{
    memset(world, 0, sizeof *world);
    world->sim = io_sim_create(seed, options);
    world->io = io_sim_machine_create(world->sim, "10.0.0.1");
    world->engine = calloc(1, sizeof *world->engine);
    ASSERT(world->engine != NULL);
    rng_init(&world->rng, seed);
    engine_options_default(&world->options);
    world->options.folder = "data";
    world->options.shards = LOG_WORLD_GROUPS - 1;
    world->options.log.segment_bytes = 16 << 10;
    world->options.log.batch_bytes = 8 << 10;
    world->options.log.ready_max = 2;
}

void log_world_fini(struct log_world *world)
{
    if (world->is_open) {
        log_world_drop(world);
    }
    free(world->engine);
    io_sim_destroy(world->sim);
}

static void violate(struct log_world *world, const char *what, uint32_t group, uint64_t a,
                    uint64_t b)
{
    if (world->violation[0] == '\0') {
        (void)snprintf(world->violation, sizeof world->violation, "group %u: %s: %llu, %llu",
                       group, what, (unsigned long long)a, (unsigned long long)b);
    }
}

static void told(void *context, uint32_t group, uint64_t index, uint64_t value)
{
    struct log_world *world = context;

    if (index <= value || value != world->told[group] + 1) {
        violate(world, "told out of order", group, index, value);
    }
    world->told[group] = value;
}

static void check(struct log_world *world)
{
    for (uint32_t group = 0; group < LOG_WORLD_GROUPS; group++) {
        const struct ledger_group *state = &world->ledger.groups[group];
        if (state->count < world->told[group]) {
            violate(world, "told and lost", group, world->told[group], state->count);
        }
        if (state->count > world->submitted[group]) {
            violate(world, "never submitted", group, world->submitted[group], state->count);
        }
        for (uint64_t i = 0; i < state->count; i++) {
            if (state->values[i] != i + 1) {
                violate(world, "wrong value", group, i + 1, state->values[i]);
            }
        }
        if (world->has_hard_state[group] && world->engine->log.hard[group].serial == 0) {
            violate(world, "hard state lost", group, 0, 0);
        }
        /* From here on it is shown to anyone who asks. */
        world->told[group] = state->count;
        world->submitted[group] = state->count;
    }
}

int log_world_open(struct log_world *world)
{
    struct engine_hooks hooks;

    ASSERT(!world->is_open);
    ledger_init(&world->ledger);
    world->ledger.applied_hook = told;
    world->ledger.applied_context = world;
    world->ledger.slice_values = 20;
    hooks = ledger_hooks(&world->ledger);
    int status = engine_raft_open(world->engine, world->io, &world->options, &hooks);
    if (status != OK) {
        ledger_fini(&world->ledger);
        return status;
    }
    world->is_open = true;
    check(world);
    for (int i = 0; i < 100000 && log_world_is_well(world) &&
                    !ledger_leads(&world->ledger, LOG_WORLD_GROUPS);
         i++) {
        log_world_step(world, 1);
    }
    return OK;
}

void log_world_drop(struct log_world *world)
{
    ASSERT(world->is_open);
    if (!world->ledger.is_closed) {
        for (uint32_t group = 0; group < LOG_WORLD_GROUPS; group++) {
            const struct log_hard *hard = &world->engine->log.hard[group];
            world->has_hard_state[group] = world->has_hard_state[group] || hard->serial != 0;
        }
        if (!io_sim_is_down(world->io)) {
            io_sim_kill(world->io);
        }
        engine_raft_abandon(world->engine);
    }
    ledger_fini(&world->ledger);
    world->is_open = false;
    world->snapshots = 0;
}

bool log_world_is_well(const struct log_world *world)
{
    return world->is_open && !io_sim_is_down(world->io) && !world->ledger.is_failed &&
           !world->ledger.is_closed;
}

void log_world_step(struct log_world *world, int events)
{
    for (int i = 0; i < events && !io_sim_is_down(world->io) && !world->ledger.is_closed; i++) {
        if (!io_sim_step(world->sim)) {
            return;
        }
    }
}

void log_world_close(struct log_world *world)
{
    if (io_sim_is_down(world->io) || world->ledger.is_closed) {
        return;
    }
    engine_close(&world->engine->engine);
    for (int i = 0; i < 100000 && !io_sim_is_down(world->io) && !world->ledger.is_closed; i++) {
        log_world_step(world, 1);
    }
    if (!io_sim_is_down(world->io) && !world->ledger.is_closed) {
        violate(world, "close does not end", 0, 0, 0);
    }
}

int log_world_propose(struct log_world *world, uint32_t group, size_t filling)
{
    uint64_t index;

    int status = ledger_propose(&world->engine->engine, group, world->submitted[group] + 1,
                                filling, &index);
    if (status == OK) {
        world->submitted[group]++;
        if (index <= world->submitted[group]) {
            violate(world, "wrong index", group, world->submitted[group], index);
        }
    }
    return status;
}

struct wait {
    struct engine_snapshot snapshot;
    struct log_world *world;
};

static void snapshot_done(struct engine_snapshot *snapshot, int status)
{
    struct wait *wait = CONTAINER_OF(snapshot, struct wait, snapshot);
    (void)status;
    wait->world->snapshots--;
}

void log_world_snapshot(struct log_world *world, uint32_t group)
{
    static struct wait waits[LOG_WORLD_GROUPS];
    struct wait *wait = NULL;

    /* A wait belongs to one world at a time; asking again while one is pending needs none. */
    if (world->snapshots == 0) {
        wait = &waits[group];
        *wait = (struct wait){.snapshot = {.done = snapshot_done}, .world = world};
        world->snapshots++;
    }
    int status =
        engine_snapshot(&world->engine->engine, group, wait == NULL ? NULL : &wait->snapshot);
    if (status != SM_PENDING && wait != NULL) {
        world->snapshots--;
    }
}

static void append_some(struct log_world *world, int times)
{
    for (int i = 0; i < times && log_world_is_well(world); i++) {
        uint64_t burst = rng_between(&world->rng, 1, 5);
        for (uint64_t k = 0; k < burst; k++) {
            uint32_t group = (uint32_t)rng_below(&world->rng, LOG_WORLD_GROUPS);
            /* Refused for a reason or not: the story goes on. */
            int status = log_world_propose(world, group, rng_below(&world->rng, 700));
            ASSERT(status <= OK);
        }
        log_world_step(world, (int)rng_below(&world->rng, 8));
    }
}

static void idle(struct log_world *world, uint64_t ms)
{
    uint64_t until = io_sim_now_ns(world->sim) + ms * 1000000;

    while (log_world_is_well(world) && io_sim_now_ns(world->sim) < until) {
        if (!io_sim_step(world->sim)) {
            return;
        }
    }
}

bool log_world_settle(struct log_world *world)
{
    for (int i = 0; i < 100000 && log_world_is_well(world); i++) {
        if (memcmp(world->told, world->submitted, sizeof world->told) == 0) {
            return true;
        }
        log_world_step(world, 1);
    }
    return false;
}

int log_world_story(struct log_world *world)
{
    int status = log_world_open(world);

    if (status != OK) {
        return status;
    }
    append_some(world, 6);
    idle(world, 500);
    for (uint32_t round = 0; round < 3 && log_world_is_well(world); round++) {
        append_some(world, 5);
        for (uint32_t group = 0; group < LOG_WORLD_GROUPS && log_world_is_well(world);
             group++) {
            log_world_snapshot(world, group);
            append_some(world, 3);
        }
        idle(world, round == 1 ? 500 : 20);
    }
    append_some(world, 2);
    if (log_world_is_well(world)) {
        log_world_close(world);
    }
    return OK;
}
