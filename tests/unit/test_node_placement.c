/* Which nodes keep which group: always the same, evenly, and with as little moved as may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "node/placement.h"

enum { NODES = 16, GROUPS = 1024, WORLDS = 50 };

static void draw_nodes(struct rng *rng, raft_id *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        nodes[i] = rng_next(rng) | 1;
    }
}

static void group__of_few_nodes__is_kept_by_all(void **state)
{
    raft_id nodes[NODES];
    struct placement placement;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    draw_nodes(&rng, nodes, NODES);
    for (uint32_t count = 0; count <= 3; count++) {
        for (uint32_t group = 0; group < 9; group++) {
            placement_choose(group, nodes, count, &placement);
            assert_int_equal(placement.count, count);
            for (uint32_t i = 0; i < count; i++) {
                assert_true(placement_has(&placement, nodes[i]));
            }
            assert_false(placement_has(&placement, nodes[NODES - 1]));
        }
    }
}

static void group__of_many_nodes__has_three_and_the_clusters_own_five(void **state)
{
    raft_id nodes[NODES];
    struct placement placement;
    struct rng rng;

    (void)state;
    rng_init(&rng, 2);
    draw_nodes(&rng, nodes, NODES);
    for (uint32_t count = 4; count <= NODES; count++) {
        placement_choose(0, nodes, count, &placement);
        assert_int_equal(placement.count, count >= 5 ? 5 : 3);
        for (uint32_t group = 1; group < 9; group++) {
            placement_choose(group, nodes, count, &placement);
            assert_int_equal(placement.count, 3);
        }
    }
}

/* Nobody is asked: all must find the same, whoever they heard of first. */
static void placement__of_the_same_nodes__is_the_same_in_any_order(void **state)
{
    raft_id nodes[NODES];
    raft_id turned[NODES];
    struct rng rng;

    (void)state;
    rng_init(&rng, 3);
    draw_nodes(&rng, nodes, NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        turned[i] = nodes[(i * 7 + 3) % NODES];
    }
    for (uint32_t group = 0; group < GROUPS; group++) {
        struct placement one;
        struct placement other;

        placement_choose(group, nodes, NODES, &one);
        placement_choose(group, turned, NODES, &other);
        assert_int_equal(one.count, other.count);
        assert_memory_equal(one.nodes, other.nodes, one.count * sizeof one.nodes[0]);
        for (uint32_t i = 1; i < one.count; i++) {
            assert_true(placement_weight(one.nodes[i - 1], group) >
                        placement_weight(one.nodes[i], group));
        }
    }
}

/* Whoever comes takes one place of a group at most, and when it goes all is as it was. */
static void node__that_comes__moves_one_replica_of_a_group_at_most(void **state)
{
    raft_id nodes[NODES];
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    for (uint32_t world = 0; world < WORLDS; world++) {
        uint32_t count = 3 + world % (NODES - 3);
        uint32_t moved = 0;

        draw_nodes(&rng, nodes, count + 1);
        for (uint32_t group = 1; group <= GROUPS; group++) {
            struct placement before;
            struct placement after;
            uint32_t kept = 0;

            placement_choose(group, nodes, count, &before);
            placement_choose(group, nodes, count + 1, &after);
            for (uint32_t i = 0; i < before.count; i++) {
                kept += placement_has(&after, before.nodes[i]);
            }
            assert_true(kept + 1 >= before.count);
            assert_int_equal(before.count - kept, placement_has(&after, nodes[count]));
            moved += before.count - kept;
        }
        /* its share is 3 of count + 1 places: not more than a quarter beside that */
        assert_true(moved * 4 * (count + 1) < 5 * 3 * GROUPS);
        assert_true(moved * 4 * (count + 1) > 3 * 3 * GROUPS);
    }
}

static void groups__of_many_nodes__are_spread_evenly(void **state)
{
    raft_id nodes[NODES];
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    for (uint32_t world = 0; world < WORLDS; world++) {
        uint32_t count = 4 + world % (NODES - 4);
        uint32_t replicas[NODES] = {0};
        uint32_t first[NODES] = {0};

        draw_nodes(&rng, nodes, count);
        for (uint32_t group = 1; group <= GROUPS; group++) {
            struct placement placement;

            placement_choose(group, nodes, count, &placement);
            for (uint32_t i = 0; i < count; i++) {
                replicas[i] += placement_has(&placement, nodes[i]);
                first[i] += placement.nodes[0] == nodes[i];
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            assert_true(replicas[i] * count > 3 * GROUPS * 3 / 4);
            assert_true(replicas[i] * count < 3 * GROUPS * 5 / 4);
            assert_true(first[i] * count > GROUPS / 2); /* who leads it best */
            assert_true(first[i] * count < GROUPS * 3 / 2);
        }
    }
}

static void voters__of_any_number__are_odd(void **state)
{
    static const uint32_t expected[] = {0, 1, 1, 3, 3, 5};

    (void)state;
    for (uint32_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(placement_voters(i), expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group__of_few_nodes__is_kept_by_all),
        cmocka_unit_test(group__of_many_nodes__has_three_and_the_clusters_own_five),
        cmocka_unit_test(placement__of_the_same_nodes__is_the_same_in_any_order),
        cmocka_unit_test(node__that_comes__moves_one_replica_of_a_group_at_most),
        cmocka_unit_test(groups__of_many_nodes__are_spread_evenly),
        cmocka_unit_test(voters__of_any_number__are_odd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
