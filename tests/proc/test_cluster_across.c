/* Real nodes with several shards, each with a leader of its own: killed, paused, cut off, and
 * restarted one after the other. Students register across shards meanwhile, at every node and
 * by one client that goes from node to node. What all are told is judged by the witness of
 * several shards, and in the end schedules and rosters say the same. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "tests/lib/rush.h"

enum {
    SHARDS = 4,
    CALM_MS = 150,
    CUT_MS = 500,
    CUT_MS_NIGHTLY = 4000,
    ROUNDS_NIGHTLY = 12,
    RESUME_MS = 20000, /* generous: figures are docs/performance.md's business */
};

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;
static bool is_open;

static uint32_t rounds(void)
{
    return rush_is_nightly() ? ROUNDS_NIGHTLY : 1;
}

static void begin(bool is_networked, uint32_t nodes)
{
    /* small segments and many snapshots, so that trouble may meet each of their steps */
    const struct cluster_options options = {.nodes = nodes,
                                            .shards = SHARDS,
                                            .is_networked = is_networked,
                                            .segments = "2M",
                                            .snapshots = "1M",
                                            .seed = seed};

    is_open = cluster_open(&bed, &options);
    if (is_open) {
        rush_open(&rush, &bed, seed);
        rush_run(&rush, CALM_MS);
    }
}

static int setup(void **state)
{
    (void)state;
    begin(false, 3);
    assert_true(is_open);
    rush_rove(&rush);
    return 0;
}

static int setup_network(void **state)
{
    (void)state;
    begin(true, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (is_open) {
        rush_close(&rush);
        cluster_close(&bed);
        is_open = false;
    }
    return 0;
}

/* A node that leads some shard: the one of @turn. */
static uint32_t some_leader(uint64_t turn)
{
    return cluster_leader_of(&bed, 1 + (uint32_t)(turn % SHARDS));
}

/* ---- on one machine ---- */

static void kill_and_restart(uint32_t node)
{
    rush_run(&rush, CALM_MS);
    cluster_kill(&bed, node);
    rush_since(&rush);
    print_message("leader killed: registering again after %u ms\n",
                  rush_await_resumed(&rush, RESUME_MS));
    rush_run(&rush, CUT_MS);
    cluster_start(&bed, node);
    rush_run(&rush, 2 * CALM_MS);
}

static void shards__leader_killed__go_on(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < rounds(); i++) {
        kill_and_restart(some_leader(seed + i));
    }
}

/* Every client accepted something since rush_since(), the one that goes across too. */
static void await_all_clients(void)
{
    uint64_t end = rush_now_ms() + RESUME_MS;

    for (uint32_t i = 0; i < rush.count; i++) {
        while (rush.accepted[i] == 0) {
            if (rush_now_ms() > end) {
                cluster_print(&bed);
                fail_msg("client %u of %u registers nothing", i + 1, rush.count);
            }
            rush_run(&rush, CALM_MS / 3);
        }
    }
}

/* In good order: what it leads it hands over, and clients that know all nodes lose nothing. */
static void shards__restarted_node_by_node__go_on(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < bed.count * rounds(); i++) {
        uint32_t node = (uint32_t)((seed + i) % bed.count);
        int status = daemon_signal(&bed.nodes[node], SIGTERM);

        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        rush_since(&rush);
        rush_run(&rush, 2 * CALM_MS);
        cluster_start(&bed, node);
        rush_since(&rush);
        await_all_clients();
    }
}

/* At night: each start costs more than a merge has. */
static void shards__all_killed__lose_nothing(void **state)
{
    (void)state;
    for (uint32_t round = 0; rush_is_nightly() && round < rounds(); round++) {
        rush_run(&rush, CALM_MS);
        for (uint32_t i = 0; i < bed.count; i++) {
            cluster_kill(&bed, i);
        }
        for (uint32_t i = 0; i < bed.count; i++) {
            cluster_start(&bed, i);
        }
        rush_since(&rush);
        await_all_clients();
    }
}

static void shards__after_kills__what_was_told_is_true(void **state)
{
    (void)state;
    rush_judge(&rush, "shards_kill");
}

/* ---- with a network between ---- */

static void need_network(void)
{
    if (!is_open) {
        print_message("skipped: no right to make network namespaces\n");
        skip();
    }
}

static void shards__node_paused__go_on(void **state)
{
    (void)state;
    need_network();
    for (uint32_t i = 0; i < rounds(); i++) {
        uint32_t node = some_leader(seed + i);

        cluster_signal(&bed, node, SIGSTOP);
        rush_since(&rush);
        (void)rush_await_resumed(&rush, RESUME_MS);
        rush_run(&rush, rush_is_nightly() ? CUT_MS_NIGHTLY : CUT_MS);
        cluster_signal(&bed, node, SIGCONT);
        rush_run(&rush, 2 * CALM_MS);
    }
}

/* The two that see each other lead all shards; the third neither registers nor reads. */
static void cut_off(uint32_t node)
{
    uint64_t dropped = net_switch_dropped(&bed.net);
    uint64_t others = 0;

    net_switch_part(&bed.net, 1U << node, ~(1U << node), true);
    for (uint32_t group = 1; group <= SHARDS; group++) {
        (void)cluster_await_leader_of(&bed, group, 1U << node, RESUME_MS);
    }
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    rush_since(&rush);
    rush_run(&rush, rush_is_nightly() ? CUT_MS_NIGHTLY : CUT_MS);
    assert_true(net_switch_dropped(&bed.net) > dropped);
    for (uint32_t i = 0; i < bed.count; i++) {
        others += i != node ? rush.accepted[i] : 0;
    }
    assert_int_equal(rush.accepted[node] + rush.read[node], 0);
    assert_true(others > 0);
    net_switch_heal(&bed.net);
    rush_since(&rush);
    await_all_clients();
}

static void shards__node_cut_off__go_on_without_it(void **state)
{
    (void)state;
    need_network();
    for (uint32_t i = 0; i < rounds(); i++) {
        cut_off(some_leader(seed + i));
    }
}

static void shards__after_cuts__what_was_told_is_true(void **state)
{
    (void)state;
    need_network();
    rush_judge(&rush, "shards_cut");
}

/* ---- five nodes, at night ---- */

/* Each shard has three votes among the five: any one node may die. */
static void shards__of_five_nodes_one_killed__go_on(void **state)
{
    (void)state;
    (void)teardown(NULL);
    begin(false, 5);
    rush_rove(&rush);
    for (uint32_t i = 0; i < ROUNDS_NIGHTLY; i++) {
        uint32_t node = some_leader(i);

        rush_run(&rush, CALM_MS);
        cluster_kill(&bed, node);
        rush_since(&rush);
        (void)rush_await_resumed(&rush, RESUME_MS);
        rush_run(&rush, CUT_MS);
        cluster_start(&bed, node);
        rush_since(&rush);
        await_all_clients();
    }
    rush_judge(&rush, "shards_five");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards__leader_killed__go_on),
        cmocka_unit_test(shards__restarted_node_by_node__go_on),
        cmocka_unit_test(shards__all_killed__lose_nothing),
        cmocka_unit_test(shards__after_kills__what_was_told_is_true),
    };
    const struct CMUnitTest network[] = {
        cmocka_unit_test(shards__node_paused__go_on),
        cmocka_unit_test(shards__node_cut_off__go_on_without_it),
        cmocka_unit_test(shards__after_cuts__what_was_told_is_true),
    };
    const struct CMUnitTest nightly[] = {
        cmocka_unit_test(shards__of_five_nodes_one_killed__go_on),
    };

    seed = rush_seed();
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    failed += cmocka_run_group_tests(network, setup_network, teardown);
    if (rush_is_nightly() && failed == 0) {
        failed = cmocka_run_group_tests(nightly, setup, teardown);
    }
    return failed;
}
