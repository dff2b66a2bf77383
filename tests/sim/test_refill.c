/* A node of a simulated cluster whose log is damaged: it is set aside, and the node is refilled
 * by the others, though its power may fail at any step of that. SEED=n runs one seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "tests/lib/node_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 4 };
#else
enum { SEEDS = 20 };
#endif

enum {
    SEEDS_NIGHTLY = 5000,
    FIRST_SEED = 500,
    FAILURES_SHOWN = 5,
    AWAY_MS = 4000,
    REFILL_MS = 60000,
    ASKED_MAX = 16,
    OPS = 10, /* the model knows no limit of courses a student */
    FEW_OPS = 5,
    TRAILING_MAX = 8,
};

static uint64_t sometimes[SOMETIMES_NR];
static uint64_t cuts_in_refill;

static void begin(struct node_world *world, uint64_t seed)
{
    node_world_init(world, seed, NULL, sometimes);
    world->config.refill = ENGINE_REFILL_JOINED;
    node_world_replicas(world, 2);
    assert_int_equal(node_world_open(world), OK);
    assert_true(node_world_gather(world));
}

static bool is_well(const struct node_world *world)
{
    return world->violation[0] == '\0';
}

static void import(struct node_world *world)
{
    uint32_t wave = world->wave_count;

    node_world_import(world);
    while (world->waves[wave].state <= WAVE_COMMITTING && node_world_step(world)) {
    }
}

static void work(struct node_world *world, uint32_t ops)
{
    for (uint32_t i = 0; i < ops && is_well(world); i++) {
        while (world->asked >= ASKED_MAX && node_world_step(world)) {
        }
        node_world_ask_random(world);
        node_world_run_ms(world, rng_below(&world->rng, 30));
    }
}

/* So that snapshots are needed to refill. */
static void few_behind_snapshots(struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        node->raft.groups[group].raft.options.trailing_max = TRAILING_MAX;
    }
}

static bool is_refilled(struct node_world *world, uint32_t number)
{
    uint64_t until = io_sim_now_ns(world->sim) + (uint64_t)REFILL_MS * 1000000;
    const struct node *replica = world->replicas[number].node;

    while (replica != NULL && replica->raft.refill.is_refilling &&
           io_sim_now_ns(world->sim) < until && node_world_step(world)) {
    }
    return replica != NULL && !replica->raft.refill.is_refilling;
}

/* It may lose its power in any step of it, also while the new log is made. */
static void damage_and_refill(struct node_world *world, uint32_t number)
{
    uint32_t cuts = (uint32_t)rng_below(&world->rng, 3);

    node_world_replica_damage(world, number);
    work(world, FEW_OPS);
    node_world_replica_up(world, number);
    for (uint32_t i = 0; i < cuts && is_well(world); i++) {
        node_world_run_ms(world, rng_below(&world->rng, 400));
        cuts_in_refill += world->replicas[number].node->raft.refill.is_refilling;
        node_world_replica_cut(world, number);
        node_world_run_ms(world, rng_below(&world->rng, 400));
        node_world_replica_up(world, number);
    }
    work(world, FEW_OPS);
    if (is_well(world) && !is_refilled(world, number)) {
        node_world_violate(world, "replica %u is not refilled", number);
    }
    if (is_well(world) && !node_world_gather(world)) {
        node_world_violate(world, "the refilled node gets no vote back");
    }
}

/* With the one that was refilled, and without the other, the cluster goes on. */
static void go_on_without(struct node_world *world, uint32_t other)
{
    node_world_replica_kill(world, other);
    work(world, OPS);
    node_world_run_ms(world, AWAY_MS);
    work(world, OPS);
    node_world_replica_up(world, other);
    if (is_well(world) && !node_world_gather(world)) {
        node_world_violate(world, "the nodes do not find together again");
    }
}

static void expect_equal(struct node_world *world)
{
    node_world_run_ms(world, 3000);
    for (uint32_t i = 0; i < world->replica_count; i++) {
        for (uint32_t k = 0; k < world->node->shard_count; k++) {
            if (enrol_hash(world->replicas[i].node->shards[k].enrol) !=
                enrol_hash(world->node->shards[k].enrol)) {
                node_world_violate(world, "replica %u holds another state", i);
            }
        }
    }
}

static void story(struct node_world *world, uint64_t seed)
{
    for (uint32_t i = 0; i < 2 && is_well(world); i++) {
        uint32_t number = (uint32_t)((seed + i) % 2);

        work(world, OPS);
        damage_and_refill(world, number);
        if (is_well(world)) {
            go_on_without(world, 1 - number);
        }
    }
    if (is_well(world)) {
        node_world_settle(world);
        node_world_check(world);
    }
    if (is_well(world)) {
        expect_equal(world);
    }
}

static bool run_seed(uint64_t seed)
{
    struct node_world world;

    begin(&world, seed);
    import(&world);
    import(&world);
    if (seed % 2 == 0) {
        few_behind_snapshots(world.node);
        few_behind_snapshots(world.replicas[0].node);
        few_behind_snapshots(world.replicas[1].node);
    }
    story(&world, seed);
    bool is_fine = is_well(&world);
    if (!is_fine) {
        print_error("SEED=%llu: %s\n", (unsigned long long)seed, world.violation);
    }
    node_world_fini(&world);
    return is_fine;
}

static uint64_t seed_count(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? SEEDS_NIGHTLY : SEEDS;
}

static void cluster__log_damaged__is_set_aside_and_refilled(void **state)
{
    const char *one = getenv("SEED");
    uint64_t first = one == NULL ? FIRST_SEED : strtoull(one, NULL, 10);
    uint64_t count = one == NULL ? seed_count() : 1;
    uint32_t failures = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count && failures < FAILURES_SHOWN; seed++) {
        failures += !run_seed(seed);
    }
    assert_int_equal(failures, 0);
    assert_true(one != NULL || cuts_in_refill > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__log_damaged__is_set_aside_and_refilled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
