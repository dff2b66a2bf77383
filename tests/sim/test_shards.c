/* Several shards and students who register across them, each seed with its own mixture of
 * trouble.
 *
 * CARILLON_CAMPAIGN=nightly runs 30,000 seeds; CARILLON_SEED=n runs that one seed and tells
 * what happens. */
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

#include "tests/lib/shards_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 60 };
#elif defined(__OPTIMIZE__)
enum { SEEDS = 600 };
#else
enum { SEEDS = 150 };
#endif

enum {
    SEEDS_ALL = 600, /* so many meet everything; slower builds run fewer */
    SEEDS_NIGHTLY = 30000,
    AGAIN_EVERY = 50,
    FAILURES_SHOWN = 5,
};

static struct shards_world *world;
static uint64_t seeds_run;

/* An assertion of the core ends the process: say which seed it was. */
static void tell_seed(int number)
{
    char text[80];
    int len = snprintf(text, sizeof text, "SEED=%llu: an assertion\n",
                       (unsigned long long)world->seed);
    ssize_t written = write(STDERR_FILENO, text, (size_t)len);
    (void)written;
    (void)signal(number, SIG_DFL);
}

static int make_world(void **state)
{
    (void)state;
    world = shards_world_create();
    (void)signal(SIGABRT, tell_seed);
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    shards_world_destroy(world);
    return 0;
}

static uint64_t seed_count(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? SEEDS_NIGHTLY : SEEDS;
}

static uint32_t shards_of(uint64_t seed)
{
    return 2U << seed % 3;
}

static bool run(uint64_t seed)
{
    shards_world_begin(world, seed, shards_of(seed));
    return shards_world_run(world);
}

static void shards__under_every_mixture__hold(void **state)
{
    const char *wanted = getenv("CARILLON_SEED");
    uint64_t count = seed_count();
    uint32_t failures = 0;
    (void)state;

    if (wanted != NULL) {
        world->is_traced = true;
        bool is_fine = run(strtoull(wanted, NULL, 10));
        world->is_traced = false;
        (void)printf("%s\n", world->violation);
        assert_true(is_fine);
        return;
    }
    clock_t start = clock();
    for (uint64_t seed = 1; seed <= count && failures < FAILURES_SHOWN; seed++) {
        if (!run(seed)) {
            print_error("SEED=%llu: %s\n", (unsigned long long)seed, world->violation);
            failures++;
        }
        seeds_run++;
        if (world->violation[0] == '\0' && seed % AGAIN_EVERY == 0) {
            uint64_t trace = world->trace;
            (void)run(seed);
            if (world->trace != trace) {
                fail_msg("SEED=%llu is another run the second time", (unsigned long long)seed);
            }
        }
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%llu seeds, %.0f seeds a minute on one core\n",
                  (unsigned long long)seeds_run, (double)seeds_run / seconds * 60);
    assert_int_equal(failures, 0);
}

/* A search that never reaches the moments that matter proves nothing. Runs after the others. */
static void shards__all_seeds_together__have_met_everything(void **state)
{
    uint32_t missing = 0;
    (void)state;

    if (getenv("CARILLON_SEED") != NULL || seeds_run < SEEDS_ALL) {
        return;
    }
    for (uint32_t i = 0; i < SHARDS_MARK_NR; i++) {
        if (world->marks[i] < seeds_run / 100 || world->marks[i] == 0) {
            print_error("too seldom: %s, %llu times\n", shards_mark_names[i],
                        (unsigned long long)world->marks[i]);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards__under_every_mixture__hold),
        cmocka_unit_test(shards__all_seeds_together__have_met_everything),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
