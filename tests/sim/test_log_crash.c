/* Power fails at each file call of a node's story, and again while it recovers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/lib/log_world.h"

struct totals {
    uint64_t crashes;
    uint64_t in_recovery;
    uint64_t violations;
};

/* [enum log_world_size] */
static const uint64_t crash_seeds[] = {1, 12, 400};
static const uint64_t recovery_strides[] = {41, 7, 1};
static const uint64_t recovery_steps[] = {5, 3, 1};

static void log_world_story__without_faults__recycles_and_tells_everything(void **state)
{
    struct log_world world;
    struct engine_status status;
    (void)state;

    log_world_init(&world, 1, NULL);
    assert_int_equal(log_world_open(&world), OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(log_world_propose(&world, 1, 1000), OK);
        log_world_step(&world, 20);
        if (i % 20 == 19) {
            log_world_snapshot(&world, 1);
        }
        if (i < LOG_WORLD_GROUPS) {
            log_world_snapshot(&world, (uint32_t)i); /* the leaders' own entries */
        }
    }
    assert_true(log_world_settle(&world));
    engine_status(&world.engine->engine, 1, &status);
    assert_true(status.first > 100);
    assert_true(status.segments < 10);
    log_world_close(&world);
    log_world_drop(&world);
    assert_int_equal(log_world_open(&world), OK);
    assert_int_equal(world.told[1], 200);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

static void log_world_story__same_seed_twice__is_the_same_run(void **state)
{
    uint64_t hashes[2];
    struct log_world world;
    (void)state;

    for (int i = 0; i < 2; i++) {
        log_world_init(&world, 77, NULL);
        assert_int_equal(log_world_story(&world), OK);
        hashes[i] = io_sim_trace_hash(world.sim);
        assert_string_equal(world.violation, "");
        log_world_fini(&world);
    }
    assert_int_equal(hashes[0], hashes[1]);
}

/* The process is gone; start it again, with power failing at the given call of the start.
 * Returns: whether it runs. */
static bool start_again(struct log_world *world, uint64_t crash_at)
{
    if (world->is_open) {
        log_world_drop(world);
    }
    io_sim_restart(world->io);
    if (crash_at > 0) {
        io_sim_crash_at(world->io, crash_at);
    }
    int status = log_world_open(world);
    io_sim_fail_clear(world->io);
    if (status != OK && !io_sim_is_down(world->io)) {
        (void)snprintf(world->violation, sizeof world->violation, "does not start: %s",
                       engine_raft_text(world->engine));
    }
    return status == OK && !io_sim_is_down(world->io);
}

/* Crash at call @n; then twice while recovering, when @first and @second are not 0. */
static void crash_story(uint64_t seed, uint64_t n, uint64_t first, uint64_t second,
                        bool is_lying, struct totals *totals)
{
    struct log_world world;

    log_world_init(&world, seed, NULL);
    io_sim_sync_lies(world.io, is_lying);
    io_sim_crash_at(world.io, n);
    (void)log_world_story(&world);
    if (io_sim_is_down(world.io)) {
        totals->crashes++;
        bool runs = start_again(&world, first);
        if (!runs && io_sim_is_down(world.io)) {
            totals->in_recovery++;
            runs = start_again(&world, second);
        }
        if (!runs && io_sim_is_down(world.io)) {
            totals->in_recovery++;
            runs = start_again(&world, 0);
        }
        /* What was recovered was shown: it must survive another failure, with more written on
         * top. */
        if (runs) {
            int status = log_world_propose(&world, 1, 300);
            ASSERT(status <= OK);
            log_world_step(&world, (int)rng_below(&world.rng, 40));
            io_sim_crash(world.io);
            runs = start_again(&world, 0);
        }
        if (runs) {
            log_world_close(&world);
        }
    }
    if (world.violation[0] != '\0') {
        totals->violations++;
        if (!is_lying) {
            print_error("seed %llu call %llu recovery %llu %llu: %s\n",
                        (unsigned long long)seed, (unsigned long long)n,
                        (unsigned long long)first, (unsigned long long)second, world.violation);
        }
    }
    log_world_fini(&world);
}

static uint64_t count_calls(uint64_t seed)
{
    struct log_world world;

    log_world_init(&world, seed, NULL);
    assert_int_equal(log_world_story(&world), OK);
    assert_string_equal(world.violation, "");
    uint64_t calls = io_sim_calls(world.io, IO_SIM_ANY);
    log_world_fini(&world);
    return calls;
}

static void log__crash_at_every_call__keeps_what_was_told(void **state)
{
    struct totals totals = {0};
    uint64_t seeds = crash_seeds[log_world_size()];
    (void)state;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t calls = count_calls(seed);
        for (uint64_t n = 1; n <= calls; n++) {
            crash_story(seed, n, 0, 0, false, &totals);
        }
    }
    print_message("%llu crashes\n", (unsigned long long)totals.crashes);
    assert_int_equal(totals.violations, 0);
    assert_true(totals.crashes > 200);
}

static void log__crash_in_recovery_twice__keeps_what_was_told(void **state)
{
    struct totals totals = {0};
    struct rng rng;
    uint64_t seed = 4;
    uint64_t calls = count_calls(seed);
    (void)state;

    rng_init(&rng, 5);
    for (uint64_t n = 1; n <= calls; n += recovery_strides[log_world_size()]) {
        for (uint64_t first = 1; first <= 60; first += recovery_steps[log_world_size()]) {
            crash_story(seed, n, first, 1 + rng_below(&rng, 60), false, &totals);
        }
    }
    print_message("%llu crashes, %llu of them in recovery\n",
                  (unsigned long long)totals.crashes, (unsigned long long)totals.in_recovery);
    assert_int_equal(totals.violations, 0);
    assert_true(totals.in_recovery > 50);
}

/* The control: were these tests blind, a disk whose sync does nothing would pass them. */
static void log__sync_that_does_nothing__is_caught(void **state)
{
    struct totals totals = {0};
    (void)state;

    for (uint64_t n = 5; n < 120; n += 5) {
        crash_story(9, n, 0, 0, true, &totals);
    }
    print_message("%llu of %llu crashes lost something\n",
                  (unsigned long long)totals.violations, (unsigned long long)totals.crashes);
    assert_true(totals.violations > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_world_story__without_faults__recycles_and_tells_everything),
        cmocka_unit_test(log_world_story__same_seed_twice__is_the_same_run),
        cmocka_unit_test(log__crash_at_every_call__keeps_what_was_told),
        cmocka_unit_test(log__crash_in_recovery_twice__keeps_what_was_told),
        cmocka_unit_test(log__sync_that_does_nothing__is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
