/* Real nodes that stand still for a while, and whose wall clocks jump: time is nothing that
 * safety rests on. What clients are told meanwhile is judged by the witness. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/rush.h"

enum {
    CALM_MS = 200,
    PAUSE_MS = 2500,
    ROUNDS_NIGHTLY = 10,
    RESUME_MS = 15000, /* generous: figures are docs/performance.md's business */
    JUMP_MS = 300000,
};

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;

static uint32_t rounds(void)
{
    return rush_is_nightly() ? ROUNDS_NIGHTLY : 1;
}

static int setup(void **state)
{
    const struct cluster_options options = {.nodes = 3, .is_controlled = true};

    (void)state;
    assert_true(cluster_open(&bed, &options));
    rush_open(&rush, &bed, seed);
    rush_run(&rush, CALM_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rush_close(&rush);
    cluster_close(&bed);
    return 0;
}

/* A leader that wakes up still believes that it leads: what it answers then must be true. */
static void pause__of_the_leader__another_takes_over(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < rounds(); i++) {
        uint32_t leader = cluster_leader(&bed);

        cluster_signal(&bed, leader, SIGSTOP);
        rush_since(&rush);
        (void)cluster_await_leader(&bed, 1U << leader, RESUME_MS);
        print_message("leader paused: registering again after %u ms\n",
                      rush_await_resumed(&rush, RESUME_MS));
        rush_run(&rush, CALM_MS);
        cluster_signal(&bed, leader, SIGCONT);
        rush_run(&rush, 2 * CALM_MS);
    }
}

static void pause__of_a_follower__disturbs_nobody(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < rounds(); i++) {
        uint32_t leader = cluster_leader(&bed);
        uint32_t follower = (leader + 1 + i % 2) % bed.count;

        cluster_signal(&bed, follower, SIGSTOP);
        rush_since(&rush);
        rush_run(&rush, rush_is_nightly() ? PAUSE_MS : 4 * CALM_MS);
        assert_true(rush.accepted[leader] > 0);
        cluster_signal(&bed, follower, SIGCONT);
        rush_run(&rush, CALM_MS);
        assert_int_equal(cluster_leader(&bed), leader);
    }
}

/* Forth and back again, on one node after the other: no election, and nobody is refused for
 * it. */
static void clock__jumping__disturbs_nobody(void **state)
{
    static const int64_t jumps[] = {JUMP_MS, -JUMP_MS, 0};
    uint32_t leader = cluster_leader(&bed);
    uint64_t reads = bed.controls[leader]->clock_reads;

    (void)state;
    for (uint32_t i = 0; i < bed.count * rounds(); i++) {
        struct fault_control *control = bed.controls[i % bed.count];

        for (size_t k = 0; k < sizeof jumps / sizeof jumps[0]; k++) {
            control->clock_ms = jumps[k];
            rush_since(&rush);
            (void)rush_await_resumed(&rush, RESUME_MS);
            rush_run(&rush, CALM_MS);
        }
    }
    assert_true(bed.controls[leader]->clock_reads > reads);
    assert_int_equal(cluster_leader(&bed), leader);
}

/* The leader dies while its clock is ahead: what it stamped is later than the next one's time.
 */
static void clock__of_a_leader_ahead__the_next_goes_on(void **state)
{
    uint32_t leader = cluster_leader(&bed);

    (void)state;
    bed.controls[leader]->clock_ms = JUMP_MS;
    rush_run(&rush, CALM_MS);
    cluster_kill(&bed, leader);
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    bed.controls[leader]->clock_ms = 0;
    cluster_start(&bed, leader);
    rush_run(&rush, CALM_MS);
}

static void time__after_all_that__what_was_told_is_true(void **state)
{
    (void)state;
    rush_judge(&rush, "pause");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pause__of_the_leader__another_takes_over),
        cmocka_unit_test(pause__of_a_follower__disturbs_nobody),
        cmocka_unit_test(clock__jumping__disturbs_nobody),
        cmocka_unit_test(clock__of_a_leader_ahead__the_next_goes_on),
        cmocka_unit_test(time__after_all_that__what_was_told_is_true),
    };

    seed = rush_seed();
    return cmocka_run_group_tests(tests, setup, teardown);
}
