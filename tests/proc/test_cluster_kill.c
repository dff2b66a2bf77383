/* Real nodes that are killed: registrations go on as long as a majority lives, nothing
 * acknowledged is lost, and no read is stale. One rush is that of `carillon bench register`,
 * which compares every answer with what the cluster holds afterwards; the others are judged by
 * the witness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/rush.h"

enum {
    NODES = 3,
    COMMAND_BYTES = 2048,
    OUTPUT_BYTES = 8192,
    KILLS_MERGE = 2,
    KILLS_NIGHTLY = 40,
    BEFORE_KILL_MS = 4500, /* the catalogue is there and registrations have begun */
    CALM_MS = 200,
    RESUME_MS_MAX = 10000, /* generous: figures are docs/performance.md's business */
};

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;

static uint32_t kills(void)
{
    return rush_is_nightly() ? KILLS_NIGHTLY : KILLS_MERGE;
}

static void begin(uint32_t nodes)
{
    /* small segments and many snapshots, so that a kill may meet each of their steps */
    const struct cluster_options options = {
        .nodes = nodes, .segments = "2M", .snapshots = "1M"};

    assert_true(cluster_open(&bed, &options));
    rush_open(&rush, &bed, seed);
}

static int setup(void **state)
{
    (void)state;
    begin(NODES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rush_close(&rush);
    cluster_close(&bed);
    return 0;
}

/* ---- rushes with a witness ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* From SIGKILL to the answer to the first change that was asked after it and accepted. */
static uint32_t kill_leader(void)
{
    uint32_t victim = cluster_leader(&bed);

    rush_run(&rush, CALM_MS);
    cluster_kill(&bed, victim);
    rush_since(&rush);
    uint32_t ms = rush_await_resumed(&rush, RESUME_MS_MAX);
    rush_run(&rush, CALM_MS);
    cluster_start(&bed, victim);
    rush_run(&rush, CALM_MS);
    return ms;
}

static void cluster__leader_killed_again_and_again__loses_nothing(void **state)
{
    uint32_t resumed_ms[KILLS_NIGHTLY];
    uint32_t count = kills();

    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        resumed_ms[i] = kill_leader();
    }
    qsort(resumed_ms, count, sizeof resumed_ms[0], compare);
    print_message("%u leaders killed; registering again after p50 %u ms, p99 %u ms\n", count,
                  resumed_ms[count / 2], resumed_ms[(count * 99 - 1) / 100]);
}

/* All at once, and each starts again: what was acknowledged is on the disks of a majority. */
static void kill_all(void)
{
    for (uint32_t i = 0; i < bed.count; i++) {
        cluster_kill(&bed, i);
    }
    for (uint32_t i = 0; i < bed.count; i++) {
        cluster_start(&bed, i);
    }
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS_MAX);
}

static void cluster__all_killed__loses_nothing(void **state)
{
    uint32_t rounds = rush_is_nightly() ? 6 : 1;

    (void)state;
    for (uint32_t i = 0; i < rounds; i++) {
        rush_run(&rush, 2 * CALM_MS);
        kill_all();
    }
    rush_judge(&rush, "kill");
}

/* ---- the rush of the command line: its catalogue comes beside that of the others ---- */

static double figure(const char *out, const char *name)
{
    const char *at = strstr(out, name);

    assert_non_null(at);
    return strtod(at + strlen(name), NULL);
}

static FILE *bench_begin(const char *entrances)
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof command,
                   "%s/bin/carillon bench register --connect %s --runs 1 --seconds 8 "
                   "--warmup 1 --outstanding 32 --connections 4 --students 3000 "
                   "--sections 300 --seed 1 2>&1",
                   BINARY_FOLDER, entrances);
    FILE *bench = popen(command, "r");
    assert_non_null(bench);
    return bench;
}

static void bench_end(FILE *bench, char out[OUTPUT_BYTES])
{
    size_t len = fread(out, 1, OUTPUT_BYTES - 1, bench);

    out[len] = '\0';
    int status = pclose(bench);
    if (status != 0) {
        print_error("%s\n", out);
        cluster_print(&bed);
    }
    assert_int_equal(status, 0);
}

/* The clients talk to the very node that dies, and know of the others. */
static void cluster__leader_killed_in_a_bench__loses_nothing(void **state)
{
    char out[OUTPUT_BYTES];
    char entrances[COMMAND_BYTES / 2];
    uint32_t victim = cluster_leader(&bed);

    (void)state;
    (void)snprintf(entrances, sizeof entrances, "%s,%s,%s", bed.nodes[victim].address,
                   bed.nodes[(victim + 1) % NODES].address,
                   bed.nodes[(victim + 2) % NODES].address);
    FILE *bench = bench_begin(entrances);

    (void)usleep(BEFORE_KILL_MS * 1000);
    cluster_kill(&bed, victim);
    bench_end(bench, out);
    assert_non_null(strstr(out, "verdict=passed"));
    assert_true(figure(out, "failed=") == 0 && figure(out, "unknown=") == 0);
    assert_true(figure(out, "accepted_per_s=") > 0);
    assert_true(figure(out, "max_ms=") < RESUME_MS_MAX);
    print_message("leader killed: the longest answer took %.0f ms, %.0f checked\n",
                  figure(out, "max_ms="), figure(out, "checked="));
    assert_true(cluster_leader(&bed) != victim);
    cluster_start(&bed, victim);
}

/* One of @set. */
static uint32_t first_of(uint32_t set)
{
    assert_true(set != 0);
    return (uint32_t)__builtin_ctz(set);
}

/* Of five three vote. Two die, the leader and one without a vote: the others go on. Another voter
 * dies: they stop, and go on when it is back. */
static void cluster__minority_of_five_killed__goes_on(void **state)
{
    (void)state;
    (void)teardown(NULL);
    begin(5);
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t leader = cluster_leader(&bed);
        uint32_t voters = cluster_voters(&bed, 1, NULL);
        uint32_t other = first_of(~voters & ((1U << bed.count) - 1));
        uint32_t third = first_of(voters & ~(1U << leader));

        rush_run(&rush, CALM_MS);
        cluster_kill(&bed, leader);
        cluster_kill(&bed, other);
        rush_since(&rush);
        (void)rush_await_resumed(&rush, RESUME_MS_MAX);
        cluster_kill(&bed, third);
        rush_run(&rush, 2000);
        rush_since(&rush);
        rush_run(&rush, CALM_MS);
        assert_int_equal(rush.resumed_ms, 0);
        cluster_start(&bed, third);
        (void)rush_await_resumed(&rush, RESUME_MS_MAX);
        cluster_start(&bed, leader);
        cluster_start(&bed, other);
    }
    rush_judge(&rush, "kill_minority");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__leader_killed_again_and_again__loses_nothing),
        cmocka_unit_test(cluster__all_killed__loses_nothing),
        cmocka_unit_test(cluster__leader_killed_in_a_bench__loses_nothing),
    };
    const struct CMUnitTest nightly[] = {
        cmocka_unit_test(cluster__minority_of_five_killed__goes_on),
    };

    seed = rush_seed();
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    return failed == 0 && rush_is_nightly() ? cmocka_run_group_tests(nightly, setup, teardown)
                                            : failed;
}
