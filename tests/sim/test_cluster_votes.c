/* Where the votes of a cluster's groups are, and who leads them, in a simulated world: of
 * members that are more than there are votes, that come, and that are drained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/replicas.h"
#include "tests/lib/members_bed.h"

static uint64_t sometimes[SOMETIMES_NR];

static uint32_t fewest_voters(struct node_world *world, uint32_t group)
{
    uint32_t fewest = UINT32_MAX;

    for (uint32_t i = 0; i <= world->replica_count; i++) {
        const struct node *node = members_bed_node(world, i);
        uint32_t voters =
            raft_configuration_voters(engine_raft_configuration(&node->raft, group));

        fewest = voters < fewest ? voters : fewest;
    }
    return fewest;
}

/* Of five, those vote in a group that are wanted for
 * it, and whoever comes or goes moves what is its own. */
static void members__that_are_more_than_three__share_the_votes(void **state)
{
    struct node_world world;
    const struct node *node;

    (void)state;
    node_world_init(&world, 31, NULL, sometimes);
    world.config.shards = 4;
    node_world_replicas(&world, 4);
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    node = world.node;
    assert_int_equal(raft_configuration_voters(engine_raft_configuration(&node->raft, 0)), 5);
    node_world_run_ms(&world, 5000);
    for (uint32_t group = 1; group <= 4; group++) {
        struct placement placement;

        node__placement(node, group, &placement);
        assert_int_equal(
            raft_configuration_voters(engine_raft_configuration(&node->raft, group)), 3);
        /* the first leads it */
        assert_true(members_bed_node(&world, members_bed_leader_of(&world, group))->raft.id ==
                    placement.nodes[0]);
    }
    /* the one that leads the cluster's own group: of four three vote */
    uint32_t number = members_bed_leader_of(&world, 0);
    raft_id gone = members_bed_node(&world, number)->raft.id;
    assert_int_equal(members_bed_change(&world, 0,
                                        node__identity(members_bed_node(&world, number))->node,
                                        META_MEMBER_STATE, META_LEAVING),
                     OK);
    for (int i = 0; i < 200; i++) {
        node_world_run_ms(&world, 50);
        for (uint32_t group = 0; group <= 4; group++) {
            /* whoever goes keeps its vote until another has taken its place */
            assert_true(fewest_voters(&world, group) >= 3);
        }
    }
    for (uint32_t group = 0; group <= 4; group++) {
        const struct node *leader =
            members_bed_node(&world, members_bed_leader_of(&world, group));
        const struct raft_configuration *now = engine_raft_configuration(&leader->raft, group);
        struct placement placement;

        node__placement(leader, group, &placement);
        assert_false(placement_has(&placement, gone));
        assert_int_equal(raft_configuration_voters(now), 3);
        for (uint32_t i = 0; i < 3; i++) {
            assert_true(raft_configuration_is_voter(now, placement.nodes[i]));
        }
    }
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* Of three it keeps its vote, and has more weight for some shards than whoever leads them now.
 */
static void node__drained_that_was_a_favourite__is_not_handed_shards_again(void **state)
{
    struct node_world world;
    uint64_t terms[5];

    (void)state;
    node_world_init(&world, 35, NULL, sometimes);
    world.config.shards = 4;
    node_world_replicas(&world, 2);
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    node_world_run_ms(&world, 5000);
    uint32_t number = members_bed_leader_of(&world, 1); /* its favourite, by now */
    struct node *drained = members_bed_node(&world, number);
    assert_int_equal(members_bed_change(&world, 0, node__identity(drained)->node,
                                        META_MEMBER_STATE, META_LEAVING),
                     OK);
    node_world_run_ms(&world, 5000);
    for (uint32_t group = 0; group <= 4; group++) {
        assert_true(members_bed_is_voter(&world, group, drained->raft.id));
        terms[group] = drained->raft.groups[group].raft.term;
    }
    node_world_run_ms(&world, 10000);
    assert_false(members_bed_leads_any(drained));
    for (uint32_t group = 0; group <= 4; group++) {
        /* nobody has led meanwhile but who leads now */
        assert_int_equal(drained->raft.groups[group].raft.term, terms[group]);
    }
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* Two come to three, whose votes in the shard they may take. Returns: whether they took that of
 * the one that led it. */
static bool grow_over_the_leader(uint64_t seed)
{
    struct node_world world;
    struct placement placement;

    node_world_init(&world, seed, NULL, sometimes);
    node_world_replicas(&world, 4);
    world.replicas_late = 2;
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    raft_id before = members_bed_node(&world, members_bed_leader_of(&world, 1))->raft.id;
    node_world_replica_up(&world, 2);
    node_world_replica_up(&world, 3);
    assert_true(node_world_gather(&world));
    node_world_run_ms(&world, 5000);
    const struct node *leader = members_bed_node(&world, members_bed_leader_of(&world, 1));
    node__placement(leader, 1, &placement);
    assert_int_equal(placement.count, 3);
    assert_true(placement_has(&placement, leader->raft.id));
    for (uint32_t i = 0; i < placement.count; i++) {
        assert_true(members_bed_is_voter(&world, 1, placement.nodes[i]));
    }
    members_bed_expect_fine(&world);
    node_world_fini(&world);
    return !placement_has(&placement, before);
}

/* It cannot take its own vote. */
static void leader__that_newcomers_outweigh__hands_over(void **state)
{
    uint32_t times = 0;

    (void)state;
    for (uint64_t seed = 40; seed < 46; seed++) {
        times += grow_over_the_leader(seed);
    }
    assert_true(times > 0);
}

/* So many members of groups led by @node wait for a snapshot. */
static uint32_t snapshots_awaited(const struct node *node)
{
    uint32_t count = 0;

    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        const struct raft *raft = &node->raft.groups[group].raft;

        for (uint32_t i = 0; raft->role == RAFT_LEADER && i < raft->configuration.count; i++) {
            count += raft->progress[i].id != node->raft.id &&
                     raft->progress[i].match < raft->log.base;
        }
    }
    return count;
}

static void take_snapshots(struct node_world *world, uint32_t nodes)
{
    for (uint32_t i = 0; i < nodes; i++) {
        struct node *node = members_bed_node(world, i);

        for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
            node->raft.groups[group].raft.options.trailing_max = 0;
            assert_int_equal(engine_snapshot(node->engine, group, NULL), SM_PENDING);
        }
    }
    node_world_run_ms(world, 3000);
}

/* Whoever comes needs a snapshot of every group; they are sent a few at a time. */
static void node__that_comes_late__gets_few_snapshots_at_once(void **state)
{
    struct node_world world;
    uint32_t most = 0;

    (void)state;
    node_world_init(&world, 33, NULL, sometimes);
    world.config.shards = 8;
    node_world_replicas(&world, 3);
    world.replicas_late = 1;
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    take_snapshots(&world, 3);
    node_world_replica_up(&world, 2);
    for (int i = 0; i < 1000; i++) {
        node_world_run_ms(&world, 5);
        for (uint32_t node = 0; node < 3; node++) {
            uint32_t awaited = snapshots_awaited(members_bed_node(&world, node));

            most = awaited > most ? awaited : most;
        }
    }
    assert_int_equal(most, 2);
    assert_true(node_world_gather(&world));
    for (uint32_t group = 0; group <= 8; group++) {
        assert_int_equal(engine_raft_configuration(&world.node->raft, group)->count, 4);
    }
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members__that_are_more_than_three__share_the_votes),
        cmocka_unit_test(node__drained_that_was_a_favourite__is_not_handed_shards_again),
        cmocka_unit_test(leader__that_newcomers_outweigh__hands_over),
        cmocka_unit_test(node__that_comes_late__gets_few_snapshots_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
