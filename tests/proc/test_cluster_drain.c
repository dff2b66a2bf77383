/* Real nodes, more than there are votes: one is drained while students register, another is
 * killed then, and the drained one is taken out of the cluster. The votes move first, nobody is
 * told anything that is not true, and registering goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/rush.h"

enum {
    NODES = 5,
    SHARDS = 1, /* the leaders of several go on moving for a while */
    CALM_MS = 150,
    MOVE_MS = 20000, /* generous: figures are docs/performance.md's business */
    COMMAND_BYTES = 256,
};

static struct cluster_bed bed;
static struct rush rush;

/* `carillon node VERB` about @node, asked of @asked. */
static void operate(const char *verb, uint32_t node, uint32_t asked)
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof command,
                   BINARY_FOLDER "/bin/carillon node %s node%u --connect %s", verb, node,
                   bed.nodes[asked].address);
    assert_int_equal(system(command), 0);
}

/* Whether three vote in each shard, in the cluster's own group as many as should of @nodes, none
 * of them is @but, and nothing is about to move. */
static bool is_settled(uint32_t nodes, uint32_t but)
{
    for (uint32_t group = 0; group <= SHARDS; group++) {
        bool is_moving;
        uint32_t voters = cluster_voters(&bed, group, &is_moving);
        int wanted = group == 0 && nodes >= NODES ? NODES : 3;

        if (is_moving || __builtin_popcount(voters) != wanted || (voters & but) != 0) {
            return false;
        }
    }
    return true;
}

static void await_settled(uint32_t nodes, uint32_t but)
{
    uint64_t end = rush_now_ms() + MOVE_MS;

    while (!is_settled(nodes, but)) {
        if (rush_now_ms() > end) {
            cluster_print(&bed);
            fail_msg("the votes do not come to rest");
        }
        rush_run(&rush, CALM_MS);
    }
}

static void node__drained_and_removed__is_replaced_by_others(void **state)
{
    const struct cluster_options options = {
        .nodes = NODES, .shards = SHARDS, .segments = "2M", .snapshots = "1M"};

    (void)state;
    assert_true(cluster_open(&bed, &options));
    rush_open(&rush, &bed, rush_seed());
    rush_run(&rush, CALM_MS);
    assert_true(is_settled(NODES, 0));

    uint32_t drained = cluster_leader_of(&bed, 1);
    uint32_t asked = (drained + 1) % NODES;

    operate("drain", drained, asked);
    await_settled(NODES - 1, 1U << drained);

    uint32_t killed = cluster_leader_of(&bed, 1);

    assert_true(killed != drained);
    cluster_kill(&bed, killed);
    rush_since(&rush);
    (void)rush_await_resumed(&rush, MOVE_MS);
    cluster_start(&bed, killed);
    rush_run(&rush, CALM_MS);
    await_settled(NODES - 1, 1U << drained);
    rush_judge(&rush, "drain"); /* at all nodes, as long as there are all */
    rush_close(&rush);
    operate("remove", drained, asked);
    cluster_await(&bed, drained, "removed-from-cluster", 0, MOVE_MS);
    cluster_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__drained_and_removed__is_replaced_by_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
