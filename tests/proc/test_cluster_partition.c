/* Real nodes whose network is cut, delayed and lossy, in namespaces of their own. A client
 * stays with every node, also with those that are cut off; whatever they are told is judged by
 * the witness: nothing acknowledged is lost, and no read is stale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/rush.h"

enum {
    CALM_MS = 200,
    CUT_MS = 800,
    CUT_MS_NIGHTLY = 4000,
    ROUNDS_NIGHTLY = 12,
    RESUME_MS = 20000, /* generous: figures are docs/performance.md's business */
    STEP_DOWN_MS = 2000,
    SLOW_DELAY_MS = 20,
    SLOW_JITTER_MS = 15,
    SLOW_LOSS_PPM = 20000,
};

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;
static bool is_open;

static uint32_t cut_ms(void)
{
    return rush_is_nightly() ? CUT_MS_NIGHTLY : CUT_MS;
}

static uint32_t rounds(void)
{
    return rush_is_nightly() ? ROUNDS_NIGHTLY : 1;
}

static void begin(uint32_t nodes)
{
    const struct cluster_options options = {.nodes = nodes, .is_networked = true, .seed = seed};

    is_open = cluster_open(&bed, &options);
    if (is_open) {
        rush_open(&rush, &bed, seed);
        rush_run(&rush, CALM_MS);
    }
}

static int setup(void **state)
{
    (void)state;
    begin(3);
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

static void need_network(void)
{
    if (!is_open) {
        print_message("skipped: no right to make network namespaces\n");
        skip();
    }
}

static void heal(void)
{
    net_switch_heal(&bed.net);
    rush_since(&rush);
    print_message("healed: registering after %u ms\n", rush_await_resumed(&rush, RESUME_MS));
    rush_run(&rush, CALM_MS);
}

static uint64_t answered(uint32_t nodes)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < bed.count; i++) {
        count += (nodes >> i & 1) != 0 ? rush.accepted[i] + rush.read[i] : 0;
    }
    return count;
}

/* The nodes of the set of bits @these, the leader among them, are a minority: the others elect
 * one and register, they neither register nor read. */
static void cut_off(uint32_t these)
{
    uint64_t dropped = net_switch_dropped(&bed.net);

    net_switch_part(&bed.net, these, ~these, true);
    rush_since(&rush);
    (void)cluster_await_leader(&bed, these, RESUME_MS);
    print_message("leader cut off: registering again after %u ms\n",
                  rush_await_resumed(&rush, RESUME_MS));
    rush_since(&rush);
    rush_run(&rush, cut_ms());
    assert_true(net_switch_dropped(&bed.net) > dropped);
    assert_int_equal(answered(these), 0);
    assert_true(answered(~these) > 0);
    heal();
}

static void partition__of_the_leader__registers_on_the_other_side_only(void **state)
{
    (void)state;
    need_network();
    for (uint32_t i = 0; i < rounds(); i++) {
        cut_off(1U << cluster_leader(&bed));
    }
}

/* It does not hear the others, or they do not hear it. */
static void cut_one_way(uint32_t node, bool is_deaf)
{
    uint64_t dropped = net_switch_dropped(&bed.net);

    for (uint32_t i = 0; i < bed.count; i++) {
        struct switch_link *link =
            is_deaf ? &bed.net.links->from[i][node] : &bed.net.links->from[node][i];

        link->is_cut = true;
    }
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    rush_run(&rush, cut_ms());
    assert_true(net_switch_dropped(&bed.net) > dropped);
    heal();
}

static void partition__one_way__goes_on(void **state)
{
    (void)state;
    need_network();
    for (uint64_t i = 0; i < (rush_is_nightly() ? 4 * ROUNDS_NIGHTLY : 1); i++) {
        uint32_t leader = cluster_leader(&bed);
        uint32_t follower = (leader + 1) % bed.count;

        cut_one_way((seed + i) % 2 == 0 ? leader : follower, (seed + i) % 4 < 2);
    }
}

static void network__slow_and_lossy__goes_on(void **state)
{
    (void)state;
    need_network();
    uint64_t dropped = net_switch_dropped(&bed.net);

    net_switch_slow(&bed.net, SLOW_DELAY_MS, SLOW_JITTER_MS, SLOW_LOSS_PPM);
    rush_since(&rush);
    rush_run(&rush, cut_ms());
    (void)rush_await_resumed(&rush, RESUME_MS);
    assert_true(net_switch_dropped(&bed.net) > dropped);
    heal();
}

/* Nobody has a majority: nobody registers, and nobody reads but stale. */
static void partition__of_all__registers_nothing_until_healed(void **state)
{
    (void)state;
    need_network();
    net_switch_part(&bed.net, UINT32_MAX, UINT32_MAX, true);
    rush_since(&rush);
    for (uint32_t waited = 0; waited < STEP_DOWN_MS; waited += CALM_MS) {
        rush_since(&rush);
        rush_run(&rush, CALM_MS);
    }
    assert_int_equal(answered(UINT32_MAX), 0);
    heal();
}

static void network__after_all_that__what_was_told_is_true(void **state)
{
    (void)state;
    need_network();
    rush_judge(&rush, "partition");
}

/* Of five, the leader and one of the two that have no vote at a time. */
static void partition__of_two_of_five__goes_on(void **state)
{
    (void)state;
    need_network();
    (void)teardown(NULL);
    begin(5);
    for (uint32_t i = 0; i < ROUNDS_NIGHTLY; i++) {
        uint32_t leader = cluster_leader(&bed);
        uint32_t voters = cluster_voters(&bed, 1, NULL);
        uint32_t other = (leader + 1 + i) % bed.count;

        while ((voters >> other & 1) != 0) {
            other = (other + 1) % bed.count;
        }
        cut_off(1U << leader | 1U << other);
    }
    rush_judge(&rush, "partition_five");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition__of_the_leader__registers_on_the_other_side_only),
        cmocka_unit_test(partition__one_way__goes_on),
        cmocka_unit_test(network__slow_and_lossy__goes_on),
        cmocka_unit_test(partition__of_all__registers_nothing_until_healed),
        cmocka_unit_test(network__after_all_that__what_was_told_is_true),
    };
    const struct CMUnitTest nightly[] = {
        cmocka_unit_test(partition__of_two_of_five__goes_on),
    };

    seed = rush_seed();
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    return failed == 0 && rush_is_nightly() ? cmocka_run_group_tests(nightly, setup, teardown)
                                            : failed;
}
