/* Nodes of a simulated cluster whose disks are full: who leads hands over to a voter that has
 * room, and when nobody has, everybody stays where he is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/members_bed.h"

enum {
    STEP_OPS = 10,
    STEPS_MAX = 400,
    SETTLE_MS = 3000, /* a transfer and an election, many times over */
    ENTRIES_MIN = 20,
};

static uint64_t sometimes[SOMETIMES_NR];

static void begin(struct node_world *world, uint64_t seed)
{
    members_bed_begin(world, seed, sometimes);
    members_bed_import(world);
    members_bed_import(world);
}

static uint64_t commit_of(const struct node_world *world, uint32_t number)
{
    return members_bed_node(world, number)->raft.groups[NODE_GROUP_SHARD].raft.commit;
}

static uint64_t term_of(const struct node_world *world, uint32_t number)
{
    return members_bed_node(world, number)->raft.groups[NODE_GROUP_SHARD].raft.term;
}

/* Not one byte more: what was filled ahead lasts for a while. */
static void fill(struct node_world *world, uint32_t number)
{
    io_sim_disk_bytes_set(members_bed_io(world, number), 1);
    for (int i = 0; i < STEPS_MAX && members_bed_node(world, number)->is_writable; i++) {
        members_bed_work(world, STEP_OPS);
    }
    assert_false(members_bed_node(world, number)->is_writable);
}

static void end(struct node_world *world)
{
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        io_sim_disk_bytes_set(members_bed_io(world, i), 0);
    }
    node_world_run_ms(world, SETTLE_MS); /* trails go on by themselves */
    node_world_settle(world);
    node_world_check(world);
    members_bed_expect_fine(world);
    node_world_fini(world);
}

static void leader__with_a_full_disk__hands_over_to_one_that_has_room(void **state)
{
    struct node_world world;

    (void)state;
    for (uint64_t seed = 40; seed < 44; seed++) {
        begin(&world, seed);
        assert_true(members_bed_leads_any(world.node));
        fill(&world, 0);
        node_world_run_ms(&world, SETTLE_MS);
        assert_false(members_bed_leads_any(world.node));
        uint64_t before = commit_of(&world, 1);

        members_bed_work(&world, 10 * STEP_OPS);
        node_world_run_ms(&world, SETTLE_MS);
        assert_true(commit_of(&world, 1) >= before + ENTRIES_MIN);
        assert_false(members_bed_leads_any(world.node));
        for (uint32_t i = 1; i < MEMBERS_BED_NODES; i++) {
            assert_false(node__has_room(members_bed_node(&world, i), world.node->raft.id));
        }
        io_sim_disk_bytes_set(world.io, 0);
        node_world_run_ms(&world, SETTLE_MS);
        assert_true(world.node->is_writable);
        for (uint32_t i = 1; i < MEMBERS_BED_NODES; i++) {
            assert_true(node__has_room(members_bed_node(&world, i), world.node->raft.id));
        }
        end(&world);
    }
}

static uint32_t leader_of(const struct node_world *world, uint32_t nodes, uint32_t group)
{
    for (uint32_t i = 0; i < nodes; i++) {
        if (members_bed_node(world, i)->raft.groups[group].is_leading) {
            return i;
        }
    }
    return nodes;
}

/* Of five that vote in the cluster's own group two are full: neither leads it, whichever the other
 * one is, and it goes on. */
static void leader__with_a_full_disk__passes_over_one_without_room(void **state)
{
    enum { NODES = 5 };

    (void)state;
    for (uint32_t other = 1; other < NODES; other++) {
        struct node_world world;

        node_world_init(&world, 50 + other, NULL, sometimes);
        node_world_replicas(&world, NODES - 1);
        assert_int_equal(node_world_open(&world), OK);
        node_world_run_ms(&world, 2 * SETTLE_MS);
        members_bed_import(&world);
        members_bed_import(&world);
        fill(&world, other);
        fill(&world, 0);
        node_world_run_ms(&world, SETTLE_MS);
        uint32_t leader = leader_of(&world, NODES, NODE_GROUP_META);

        assert_true(leader != 0 && leader != other && leader < NODES);
        const uint8_t *id = node__identity(members_bed_node(&world, other))->node;
        assert_int_equal(
            members_bed_change(&world, leader, id, META_MEMBER_STATE, META_LEAVING), OK);
        assert_int_equal(
            members_bed_change(&world, leader, id, META_MEMBER_STATE, META_PRESENT), OK);
        io_sim_disk_bytes_set(members_bed_io(&world, other), 0);
        end(&world);
    }
}

/* A follower with a full disk goes on hearing its leader: it knows whom to ask, its term stays,
 * and it catches up as soon as there is room. */
static void follower__with_a_full_disk__goes_on_hearing_its_leader(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 70);
    fill(&world, 1);
    node_world_run_ms(&world, SETTLE_MS);
    const struct raft *raft = &members_bed_node(&world, 1)->raft.groups[NODE_GROUP_SHARD].raft;

    for (int i = 0; i < STEPS_MAX; i++) {
        members_bed_work(&world, 1);
        assert_int_equal(raft->role, RAFT_FOLLOWER);
        assert_true(raft->leader == world.node->raft.id);
    }
    assert_true(commit_of(&world, 1) + ENTRIES_MIN < commit_of(&world, 0));
    io_sim_disk_bytes_set(members_bed_io(&world, 1), 0);
    node_world_run_ms(&world, SETTLE_MS);
    assert_int_equal(commit_of(&world, 1), commit_of(&world, 0));
    end(&world);
}

/* Two of three that are full stop the cluster: who leads goes on, for reads. */
static void disks__of_a_majority_full__move_no_leader(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 60);
    fill(&world, 1);
    fill(&world, 0);
    node_world_run_ms(&world, SETTLE_MS);
    uint64_t term = term_of(&world, 0);

    assert_int_equal(leader_of(&world, MEMBERS_BED_NODES, NODE_GROUP_SHARD), 0);
    node_world_run_ms(&world, 4 * SETTLE_MS);
    assert_int_equal(term_of(&world, 0), term);
    assert_int_equal(leader_of(&world, MEMBERS_BED_NODES, NODE_GROUP_SHARD), 0);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leader__with_a_full_disk__hands_over_to_one_that_has_room),
        cmocka_unit_test(leader__with_a_full_disk__passes_over_one_without_room),
        cmocka_unit_test(follower__with_a_full_disk__goes_on_hearing_its_leader),
        cmocka_unit_test(disks__of_a_majority_full__move_no_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
