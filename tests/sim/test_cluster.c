/* A cluster of several nodes in a simulated world: what was told stays true while its nodes come
 * and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "tests/lib/node_world.h"

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
        assert_int_equal(world.replicas[i].node->applied, world.node->applied);
        assert_int_equal(enrol_hash(world.replicas[i].node->enrol),
                         enrol_hash(world.node->enrol));
    }
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
    assert_int_equal(world.replicas[1].node->applied, world.node->applied);
    assert_int_equal(enrol_hash(world.replicas[1].node->enrol), enrol_hash(world.node->enrol));
    node_world_check(&world);
    expect_fine(&world);
    node_world_fini(&world);
}

/* Whoever leads is killed, again and again, with work going on. */
static void cluster__leader_killed_again_and_again__loses_nothing(void **state)
{
    struct node_world world;

    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        begin(&world, seed, 2);
        import(&world);
        import(&world);
        for (int round = 0; round < 6; round++) {
            for (int i = 0; i < 20; i++) {
                node_world_ask_random(&world);
                node_world_run_ms(&world, 5);
            }
            if (world.node->is_leading) {
                node_world_kill(&world);
                node_world_run_ms(&world, rng_below(&world.rng, 3000));
                node_world_up(&world);
                assert_int_equal(node_world_open(&world), OK);
            } else {
                uint32_t leader = world.replicas[0].node->is_leading ? 0 : 1;

                node_world_replica_kill(&world, leader);
                node_world_run_ms(&world, rng_below(&world.rng, 3000));
                node_world_replica_up(&world, leader);
            }
        }
        assert_true(node_world_gather(&world));
        node_world_settle(&world);
        node_world_check(&world);
        expect_fine(&world);
        node_world_fini(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__of_three__forms_by_itself),
        cmocka_unit_test(cluster__of_two__keeps_the_second_as_a_learner),
        cmocka_unit_test(cluster__of_three__answers_and_all_hold_the_same),
        cmocka_unit_test(cluster__node_away_for_long__comes_back_by_a_snapshot),
        cmocka_unit_test(cluster__leader_killed_again_and_again__loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
