/* Whole groups of the consensus core, each seed with its own mixture of trouble.
 *
 * CARILLON_CAMPAIGN=nightly runs 300,000 seeds with three members and as many with five, and
 * prints what they met;
 * CARILLON_SEED=n with CARILLON_VOTERS=3 or 5 runs that one seed and tells what happens. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/raft_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 400 };
#elif defined(__OPTIMIZE__)
enum { SEEDS = 5000 };
#else
enum { SEEDS = 1000 };
#endif

enum { SEEDS_NIGHTLY = 300000, AGAIN_EVERY = 100, FAILURES_SHOWN = 5 };

static struct world *world;
static uint64_t seeds_run;
static bool is_losing_disks;

/* An assertion of the core ends the process: say which seed it was. */
static void tell_seed(int number)
{
    char text[80];
    int len = snprintf(text, sizeof text, "SEED=%llu CARILLON_VOTERS=%u: an assertion\n",
                       (unsigned long long)world->seed, world->voters);
    ssize_t written = write(STDERR_FILENO, text, (size_t)len);
    (void)written;
    (void)signal(number, SIG_DFL);
}

/* Also after a failure. */
static int keep_disks(void **state)
{
    (void)state;
    is_losing_disks = false;
    return 0;
}

static int make_world(void **state)
{
    (void)state;
    world = world_create();
    (void)signal(SIGABRT, tell_seed);
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    world_destroy(world);
    return 0;
}

static bool is_campaign(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    return campaign != NULL && strcmp(campaign, "nightly") == 0;
}

static uint64_t seed_count(void)
{
    return is_campaign() ? SEEDS_NIGHTLY : SEEDS;
}

/* How often each kind of trouble struck in the seeds since @before. */
static void tell_marks(const uint64_t *before)
{
    for (uint32_t i = 0; i < WORLD_MARK_NR; i++) {
        print_message("%12llu %s\n", (unsigned long long)(world->marks[i] - before[i]),
                      world_mark_names[i]);
    }
}

static void begin(uint64_t seed, uint32_t voters)
{
    world_begin(world, seed, voters);
    if (is_losing_disks) {
        world_lose_disks(world);
    }
}

static bool run_one_seed(uint32_t voters)
{
    const char *seed = getenv("CARILLON_SEED");
    const char *wanted = getenv("CARILLON_VOTERS");

    if (seed == NULL) {
        return false;
    }
    if (wanted != NULL && strtoull(wanted, NULL, 10) != voters) {
        return true;
    }
    world->is_traced = true;
    begin(strtoull(seed, NULL, 10), voters);
    bool is_fine = world_run(world);
    world->is_traced = false;
    assert_true(is_fine);
    return true;
}

/* The same seed is the same run: nothing depends on addresses, on what ran before, or on time.
 */
static void run_again(uint64_t seed, uint32_t voters)
{
    uint64_t trace = world->trace;
    begin(seed, voters);
    (void)world_run(world);
    if (world->trace != trace) {
        fail_msg("SEED=%llu with %u voters is another run the second time",
                 (unsigned long long)seed, voters);
    }
}

static void run_seeds(uint32_t voters, uint64_t first)
{
    uint64_t count = seed_count();
    uint32_t failures = 0;
    uint64_t steps = world->steps;
    uint64_t marks[WORLD_MARK_NR];

    memcpy(marks, world->marks, sizeof marks);
    if (run_one_seed(voters)) {
        return;
    }
    clock_t start = clock();
    for (uint64_t seed = first; seed < first + count && failures < FAILURES_SHOWN; seed++) {
        begin(seed, voters);
        if (!world_run(world)) {
            print_error("SEED=%llu CARILLON_VOTERS=%u: %s\n", (unsigned long long)seed, voters,
                        world->violation);
            failures++;
        }
        seeds_run++;
        if (world->violation[0] == '\0' && seed % AGAIN_EVERY == 0) {
            run_again(seed, voters);
        }
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%u voters: %llu seeds, %.0f seeds a minute on one core, %llu steps a seed\n",
                  voters, (unsigned long long)count, (double)count / seconds * 60,
                  (unsigned long long)((world->steps - steps) / count));
    if (is_campaign()) {
        tell_marks(marks);
    }
    assert_int_equal(failures, 0);
}

static void raft_group__of_three__holds_under_every_mixture(void **state)
{
    (void)state;
    run_seeds(3, 1);
}

static void raft_group__of_five__holds_under_every_mixture(void **state)
{
    (void)state;
    run_seeds(5, 1000001);
}

/* CARILLON_VOTERS=3 or 5 with a seed of these runs it here and above. */
static void raft_group__whose_disks_are_lost__refills_them(void **state)
{
    (void)state;
    is_losing_disks = true;
    run_seeds(3, 3000001);
    run_seeds(5, 4000001);
}

static void raft_group__of_one__holds_and_may_grow(void **state)
{
    (void)state;
    run_seeds(1, 2000001);
}

/* A search that never reaches the moments that matter proves nothing. Runs after the others. */
static void raft_group__all_seeds_together__have_met_everything(void **state)
{
    uint32_t missing = 0;
    (void)state;

    if (getenv("CARILLON_SEED") != NULL) {
        return;
    }
    for (uint32_t i = 0; i < WORLD_MARK_NR; i++) {
        if (world->marks[i] == 0 || world->marks[i] < seeds_run / 200) {
            print_error("too seldom: %s, %llu times\n", world_mark_names[i],
                        (unsigned long long)world->marks[i]);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raft_group__of_three__holds_under_every_mixture),
        cmocka_unit_test(raft_group__of_five__holds_under_every_mixture),
        cmocka_unit_test_teardown(raft_group__whose_disks_are_lost__refills_them, keep_disks),
        cmocka_unit_test(raft_group__of_one__holds_and_may_grow),
        cmocka_unit_test(raft_group__all_seeds_together__have_met_everything),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
