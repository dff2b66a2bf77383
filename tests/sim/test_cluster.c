/* A cluster of several nodes in a simulated world: what was told stays true while its nodes
 * come and go. SEED=n runs one seed of the campaign,
 * SEEDS=n so many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "tests/lib/cluster_campaign.h"

enum {
#if defined(__SANITIZE_ADDRESS__)
    SEEDS_MERGE = 40, /* each costs five times as much */
    SEEDS_NIGHTLY = 6000,
#else
    SEEDS_MERGE = 200,
    SEEDS_NIGHTLY = 30000,
#endif
};

static uint64_t sometimes[SOMETIMES_NR];

static void begin(struct node_world *world, uint64_t seed, uint32_t replicas)
{
    node_world_init(world, seed, NULL, sometimes);
    node_world_replicas(world, replicas);
    assert_int_equal(node_world_open(world), OK);
    assert_true(node_world_gather(world));
}

static void expect_fine(struct node_world *world)
{
    if (world->violation[0] != '\0') {
        fail_msg("%s", world->violation);
    }
}

static void import(struct node_world *world)
{
    uint32_t wave = world->wave_count;

    node_world_import(world);
    while (world->waves[wave].state <= WAVE_COMMITTING && node_world_step(world)) {
    }
    expect_fine(world);
}

static void cluster__of_three__forms_by_itself(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 1, 2);
    expect_fine(&world);
    node_world_fini(&world);
}

static void cluster__of_two__keeps_the_second_as_a_learner(void **state)
{
    struct node_world world;

    (void)state;
    node_world_init(&world, 2, NULL, sometimes);
    node_world_replicas(&world, 1);
    assert_int_equal(node_world_open(&world), OK);
    node_world_run_ms(&world, 3000);
    const struct raft_configuration *members = engine_raft_configuration(&world.node->raft, 1);
    assert_int_equal(members->count, 2);
    assert_int_equal(raft_configuration_voters(members), 1);
    expect_fine(&world);
    node_world_fini(&world);
}

static void cluster__of_three__answers_and_all_hold_the_same(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 3, 2);
    import(&world);
    import(&world);
    for (int i = 0; i < 60; i++) {
        node_world_ask_random(&world);
        node_world_run_ms(&world, 5);
    }
    node_world_settle(&world);
    node_world_check(&world);
    expect_fine(&world);
    node_world_run_ms(&world, 2000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(node__applied(world.replicas[i].node), node__applied(world.node));
        assert_int_equal(enrol_hash(world.replicas[i].node->shards[0].enrol),
                         enrol_hash(world.node->shards[0].enrol));
    }
    node_world_fini(&world);
}

static int reads_answered;

static void on_read(struct engine_read *read, int status)
{
    (void)read;
    assert_int_equal(status, OK);
    reads_answered++;
}

/* A read that comes while the members are being asked for another is not forgotten. */
static void cluster__reads_one_after_the_other__are_all_answered(void **state)
{
    struct node_world world;
    struct engine_read reads[20];

    (void)state;
    begin(&world, 5, 2);
    node_world_run_ms(&world, 1000);
    struct node *leader = world.node->shards[0].is_leading               ? world.node
                          : world.replicas[0].node->shards[0].is_leading ? world.replicas[0].node
                                                               : world.replicas[1].node;
    reads_answered = 0;
    for (int i = 0; i < 20; i++) {
        reads[i].done = on_read;
        assert_int_equal(engine_read_point(leader->engine, 1, &reads[i]), SM_PENDING);
        for (int step = 0; step < 3; step++) {
            (void)node_world_step(&world);
        }
    }
    node_world_run_ms(&world, 1000);
    assert_int_equal(reads_answered, 20);
    expect_fine(&world);
    node_world_fini(&world);
}

/* It asks another to lead before it goes: nobody waits for an election. */
static void cluster__leader_ends_in_an_orderly_way__another_leads_at_once(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 6, 2);
    assert_true(world.node->shards[0].is_leading);
    uint64_t before = io_sim_now_ns(world.sim);
    node_world_close(&world);
    for (int i = 0;
         i < 100 && !world.replicas[0].node->shards[0].is_leading && !world.replicas[1].node->shards[0].is_leading;
         i++) {
        node_world_run_ms(&world, 10);
    }
    assert_true(world.replicas[0].node->shards[0].is_leading || world.replicas[1].node->shards[0].is_leading);
    assert_true(io_sim_now_ns(world.sim) - before < 300000000U);
    expect_fine(&world);
    node_world_fini(&world);
}

static void few_behind_snapshots(struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        node->raft.groups[group].raft.options.trailing_max = 10;
    }
}

/* A replica is away while the others write several snapshots: entries alone do not bring it
 * back. */
static void cluster__node_away_for_long__comes_back_by_a_snapshot(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 4, 2);
    import(&world);
    import(&world);
    for (uint32_t i = 0; i < 2; i++) {
        few_behind_snapshots(i == 0 ? world.node : world.replicas[0].node);
    }
    node_world_replica_kill(&world, 1);
    for (int i = 0; i < 400; i++) {
        node_world_ask_random(&world);
        node_world_run_ms(&world, 5);
    }
    node_world_settle(&world);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(engine_snapshot(world.node->engine, 1, NULL), SM_PENDING);
        node_world_run_ms(&world, 500);
    }
    node_world_replica_up(&world, 1);
    node_world_run_ms(&world, 5000);
    assert_true(log_dropped(&world.node->raft.log, 1) > 0);
    expect_fine(&world);
    assert_int_equal(node__applied(world.replicas[1].node), node__applied(world.node));
    assert_int_equal(enrol_hash(world.replicas[1].node->shards[0].enrol), enrol_hash(world.node->shards[0].enrol));
    node_world_check(&world);
    expect_fine(&world);
    node_world_fini(&world);
}

/* What it missed is more than its log takes in one batch: it comes in pieces, not never. */
static void cluster__node_away_for_more_than_a_batch__catches_up(void **state)
{
    struct node_world world;

    (void)state;
    node_world_init(&world, 7, NULL, sometimes);
    world.config.log_segment_bytes = 32 << 10;
    world.config.snapshot_log_bytes = 1 << 20; /* no snapshot brings it what it missed */
    node_world_replicas(&world, 2);
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    import(&world);
    import(&world);
    node_world_replica_kill(&world, 1);
    uint64_t before = node__applied(world.node);
    while (node__applied(world.node) < before + 240) { /* all of them in the leader's memory */
        node_world_ask_random(&world);
        node_world_run_ms(&world, 5);
    }
    node_world_settle(&world);
    node_world_replica_up(&world, 1);
    node_world_run_ms(&world, 5000);
    assert_int_equal(node__applied(world.replicas[1].node), node__applied(world.node));
    expect_fine(&world);
    node_world_fini(&world);
}

static const struct cluster_campaign campaign = {
    .shards = 1, .seeds_merge = SEEDS_MERGE, .seeds_nightly = SEEDS_NIGHTLY};

/* Seeds that found something: 5002644 an only voter that took an entry which gives another one a
 * vote for committed when it started again; 6008798 a node whose power failed while it read its
 * log. */
static void cluster__in_trouble_that_found_something__keeps_what_it_told(void **state)
{
    (void)state;
    assert_true(cluster_campaign_seed(&campaign, 5002644));
    assert_true(cluster_campaign_seed(&campaign, 6008798));
}

static void cluster__in_any_trouble__keeps_what_it_told(void **state)
{
    (void)state;
    assert_true(cluster_campaign_run(&campaign));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__of_three__forms_by_itself),
        cmocka_unit_test(cluster__of_two__keeps_the_second_as_a_learner),
        cmocka_unit_test(cluster__of_three__answers_and_all_hold_the_same),
        cmocka_unit_test(cluster__reads_one_after_the_other__are_all_answered),
        cmocka_unit_test(cluster__leader_ends_in_an_orderly_way__another_leads_at_once),
        cmocka_unit_test(cluster__node_away_for_long__comes_back_by_a_snapshot),
        cmocka_unit_test(cluster__node_away_for_more_than_a_batch__catches_up),
        cmocka_unit_test(cluster__in_trouble_that_found_something__keeps_what_it_told),
        cmocka_unit_test(cluster__in_any_trouble__keeps_what_it_told),
    };
    cluster_campaign_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
