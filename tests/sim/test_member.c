/* Whole clusters of the membership core, each seed with its own mixture of trouble.
 *
 * CARILLON_CAMPAIGN=nightly runs ten times as many seeds and more; CARILLON_SEED=n with
 * CARILLON_NODES=m runs that one seed and tells what happens. */
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

#include "tests/lib/member_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 60 };
#elif defined(__OPTIMIZE__)
enum { SEEDS = 600 };
#else
enum { SEEDS = 100 };
#endif

enum {
    SEEDS_NIGHTLY = 20000,
    AGAIN_EVERY = 20,
    FAILURES_SHOWN = 5,
    BY_LOSS_ONE_IN = 10000, /* of the suspicions, at the most */
};

static struct member_world *world;
static uint64_t seeds_run;

/* An assertion of the core ends the process: say which seed it was. */
static void tell_seed(int number)
{
    char text[80];
    int len = snprintf(text, sizeof text, "SEED=%llu CARILLON_NODES=%u: an assertion\n",
                       (unsigned long long)world->seed, world->nodes);
    ssize_t written = write(STDERR_FILENO, text, (size_t)len);
    (void)written;
    (void)signal(number, SIG_DFL);
}

static int make_world(void **state)
{
    (void)state;
    world = member_world_create();
    (void)signal(SIGABRT, tell_seed);
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    member_world_destroy(world);
    return 0;
}

static uint64_t seed_count(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? SEEDS_NIGHTLY : SEEDS;
}

static bool run_one_seed(uint32_t nodes)
{
    const char *seed = getenv("CARILLON_SEED");
    const char *wanted = getenv("CARILLON_NODES");

    if (seed == NULL) {
        return false;
    }
    if (wanted != NULL && strtoull(wanted, NULL, 10) != nodes) {
        return true;
    }
    world->is_traced = true;
    member_world_begin(world, strtoull(seed, NULL, 10), nodes);
    bool is_fine = member_world_run(world);
    world->is_traced = false;
    assert_true(is_fine);
    return true;
}

/* The same seed is the same run: nothing depends on addresses, on what ran before, or on time.
 */
static void run_again(uint64_t seed, uint32_t nodes)
{
    uint64_t trace = world->trace;
    member_world_begin(world, seed, nodes);
    (void)member_world_run(world);
    if (world->trace != trace) {
        fail_msg("SEED=%llu with %u nodes is another run the second time",
                 (unsigned long long)seed, nodes);
    }
}

static void run_seeds(uint32_t nodes, uint64_t first, uint64_t count)
{
    uint32_t failures = 0;
    uint64_t steps = world->steps;

    if (run_one_seed(nodes)) {
        return;
    }
    clock_t start = clock();
    for (uint64_t seed = first; seed < first + count && failures < FAILURES_SHOWN; seed++) {
        member_world_begin(world, seed, nodes);
        if (!member_world_run(world)) {
            print_error("SEED=%llu CARILLON_NODES=%u: %s\n", (unsigned long long)seed, nodes,
                        world->violation);
            failures++;
        }
        seeds_run++;
        if (world->violation[0] == '\0' && seed % AGAIN_EVERY == 0) {
            run_again(seed, nodes);
        }
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%u nodes: %llu seeds, %.0f seeds a minute on one core, %llu steps a seed\n",
                  nodes, (unsigned long long)count, (double)count / seconds * 60,
                  (unsigned long long)((world->steps - steps) / count));
    assert_int_equal(failures, 0);
}

static void member_cluster__of_two__holds_under_every_mixture(void **state)
{
    (void)state;
    run_seeds(2, 1, seed_count());
}

static void member_cluster__of_three__holds_under_every_mixture(void **state)
{
    (void)state;
    run_seeds(3, 1000001, seed_count());
}

static void member_cluster__of_seven__holds_under_every_mixture(void **state)
{
    (void)state;
    run_seeds(7, 2000001, seed_count());
}

static void member_cluster__of_thirty__holds_under_every_mixture(void **state)
{
    (void)state;
    run_seeds(30, 3000001, seed_count() / 10);
}

/* A search that never reaches the moments that matter proves nothing. Runs after the others. */
static void member_cluster__all_seeds_together__have_met_everything(void **state)
{
    uint64_t by_loss = world->marks[MEMBER_WORLD_UNREACHABLE_BY_LOSS];
    uint32_t missing = 0;
    (void)state;

    if (getenv("CARILLON_SEED") != NULL) {
        return;
    }
    print_message("%llu suspicions, %llu of them of members that ran and lost everything they "
                  "said\n",
                  (unsigned long long)world->marks[MEMBER_WORLD_SUSPECTED],
                  (unsigned long long)by_loss);
    assert_true(by_loss * BY_LOSS_ONE_IN <= world->marks[MEMBER_WORLD_SUSPECTED]);
    for (uint32_t i = 0; i < MEMBER_WORLD_MARK_NR; i++) {
        if (i == MEMBER_WORLD_UNREACHABLE_BY_LOSS) {
            continue;
        }
        if (world->marks[i] == 0 || world->marks[i] < seeds_run / 50) {
            print_error("too seldom: %s, %llu times\n", member_world_mark_names[i],
                        (unsigned long long)world->marks[i]);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_cluster__of_two__holds_under_every_mixture),
        cmocka_unit_test(member_cluster__of_three__holds_under_every_mixture),
        cmocka_unit_test(member_cluster__of_seven__holds_under_every_mixture),
        cmocka_unit_test(member_cluster__of_thirty__holds_under_every_mixture),
        cmocka_unit_test(member_cluster__all_seeds_together__have_met_everything),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
