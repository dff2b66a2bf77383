/* How soon a dead node is noticed by all, who is declared while nodes pause, what it costs to
 * say that all is well, and how fast the halves of a cluster find together again.
 *
 * CARILLON_CAMPAIGN=nightly measures with ten times as many runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/member_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { RUNS = 40, PAUSE_RUNS = 2 };
#elif defined(__OPTIMIZE__)
enum { RUNS = 200, PAUSE_RUNS = 10 };
#else
enum { RUNS = 60, PAUSE_RUNS = 3 };
#endif

enum {
    NIGHTLY_TIMES = 10,
    NODES = 30,
    WARM_MS = 5000,
    NOTICED_MS_MAX = 20000,
    NOTICED_MEDIAN_MS = 1500,
    NOTICED_P99_MS = 2500,
    PAUSE_MS = 30000,
    IDLE_MS = 60000,
    IDLE_BYTES_MAX = 2000, /* a second and node, sent */
    HEADERS_BYTES = 28,    /* IPv4 and UDP, of a datagram */
    RUNS_MAX = RUNS * NIGHTLY_TIMES,
};

static struct member_world *world;

static int make_world(void **state)
{
    (void)state;
    world = member_world_create();
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    member_world_destroy(world);
    return 0;
}

static uint32_t times(uint32_t runs)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    bool is_nightly = campaign != NULL && strcmp(campaign, "nightly") == 0;
    return is_nightly ? runs * NIGHTLY_TIMES : runs;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void expect_well(void)
{
    if (world->violation[0] != '\0') {
        fail_msg("SEED=%llu: %s", (unsigned long long)world->seed, world->violation);
    }
}

/* Whether all that run hold the node @of for unreachable. */
static bool is_noticed_by_all(uint32_t of)
{
    for (uint32_t i = 0; i < world->nodes; i++) {
        if (world->node[i].is_up && world->node[i].views[of].state != MEMBER_UNREACHABLE) {
            return false;
        }
    }
    return true;
}

/* Milliseconds from the death of a node to the moment when all others hold it unreachable. */
static uint64_t measure(uint64_t seed, const struct member_world_faults *faults,
                        bool has_resets)
{
    member_world_begin_with(world, seed, NODES, faults);
    (void)member_world_pass(world, WARM_MS + rng_below(&world->rng, 400));
    uint32_t victim = (uint32_t)rng_below(&world->rng, NODES);
    uint64_t died = world->now_ms;
    member_world_crash(world, victim, 0, has_resets);
    while (!is_noticed_by_all(victim) && world->now_ms < died + NOTICED_MS_MAX) {
        if (!member_world_pass(world, 1)) {
            break;
        }
    }
    expect_well();
    return world->now_ms - died;
}

/* Returns: how often a node that ran was declared unreachable meanwhile. */
static uint64_t measure_many(const char *name, const struct member_world_faults *faults,
                             bool has_resets)
{
    static uint64_t measured[RUNS_MAX];
    uint32_t runs = times(RUNS);
    uint64_t false_ones = 0;

    for (uint32_t i = 0; i < runs; i++) {
        measured[i] = measure(i + 1, faults, has_resets);
        false_ones += world->up_unreachable_count;
    }
    qsort(measured, runs, sizeof measured[0], compare);
    uint64_t median = measured[runs / 2];
    uint64_t p99 = measured[runs * 99 / 100];
    print_message("%s: a dead node of %u is noticed by all after: median %llu ms, p99 %llu ms, "
                  "most %llu ms (%u runs, %llu false ones)\n",
                  name, NODES, (unsigned long long)median, (unsigned long long)p99,
                  (unsigned long long)measured[runs - 1], runs, (unsigned long long)false_ones);
    assert_true(median <= NOTICED_MEDIAN_MS);
    assert_true(p99 <= NOTICED_P99_MS);
    return false_ones;
}

static void member_cluster__a_node_dies__all_notice_soon(void **state)
{
    struct member_world_faults none = {.delay_ms = 1};
    (void)state;

    assert_int_equal(measure_many("quiet network", &none, false), 0);
}

static void member_cluster__a_node_dies_and_5_percent_are_lost__all_notice_soon(void **state)
{
    struct member_world_faults lossy = {
        .loss_ppm = 50000, .delay_ppm = 1000000, .delay_ms = 20};
    (void)state;

    assert_int_equal(measure_many("5 % lost, 20 ms late", &lossy, false), 0);
}

static void member_cluster__a_process_dies__reset_links_tell_sooner(void **state)
{
    struct member_world_faults none = {.delay_ms = 1};
    (void)state;

    assert_int_equal(measure_many("links reset", &none, true), 0);
}

/* The paused are unreachable, and must be called so; gone is nobody, and the others are not
 * even unreachable, to nobody: nor to those that wake up. */
static void pause_a_quarter(uint64_t seed, bool is_queueing, uint32_t loss_ppm)
{
    struct member_world_faults faults = {.loss_ppm = loss_ppm, .delay_ms = 1};
    bool is_paused[NODES] = {false};

    member_world_begin_with(world, seed, NODES, &faults);
    (void)member_world_pass(world, WARM_MS);
    for (uint32_t paused = 0; paused < (NODES + 3) / 4;) {
        uint32_t at = (uint32_t)rng_below(&world->rng, NODES);
        if (!is_paused[at]) {
            is_paused[at] = true;
            paused++;
            member_world_pause(world, at, PAUSE_MS, is_queueing);
        }
    }
    (void)member_world_pass(world, PAUSE_MS - 1);
    expect_well();
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        uint32_t at = i / NODES;
        uint32_t of = i % NODES;
        if (at != of && !is_paused[at]) {
            assert_int_equal(world->node[at].views[of].state,
                             is_paused[of] ? MEMBER_UNREACHABLE : MEMBER_ALIVE);
        }
    }
    (void)member_world_pass(world, PAUSE_MS);
    expect_well();
    assert_true(member_world_is_settled(world));
    assert_int_equal(world->gone_count, 0);
    assert_int_equal(world->up_unreachable_count, 0);
}

static void member_cluster__a_quarter_pauses_30_s__nobody_is_gone(void **state)
{
    uint32_t runs = times(PAUSE_RUNS);
    (void)state;

    for (uint32_t i = 0; i < runs; i++) {
        pause_a_quarter(4 * i + 1, false, 0);
        pause_a_quarter(4 * i + 2, true, 0);
        pause_a_quarter(4 * i + 3, false, 10000);
        pause_a_quarter(4 * i + 4, true, 10000);
    }
    print_message("a quarter of %u pauses 30 s, %u times: none is declared gone, none that ran "
                  "is declared unreachable\n",
                  NODES, 4 * runs);
}

static void member_cluster__all_is_well__costs_little(void **state)
{
    struct member_world_faults none = {.delay_ms = 1};
    uint64_t bytes = 0;
    uint64_t datagrams = 0;
    (void)state;

    member_world_begin_with(world, 1, NODES, &none);
    (void)member_world_pass(world, WARM_MS);
    for (uint32_t i = 0; i < NODES; i++) {
        world->node[i].bytes_sent = 0;
        world->node[i].datagrams_sent = 0;
    }
    (void)member_world_pass(world, IDLE_MS);
    expect_well();
    for (uint32_t i = 0; i < NODES; i++) {
        bytes += world->node[i].bytes_sent;
        datagrams += world->node[i].datagrams_sent;
    }
    uint64_t seconds = (uint64_t)NODES * IDLE_MS / 1000;
    uint64_t each = bytes / seconds;
    uint64_t with_headers = each + HEADERS_BYTES * datagrams / seconds;
    print_message("%u nodes at rest: %llu bytes/s a node, %llu with headers, %llu.%llu "
                  "datagrams/s; as many received\n",
                  NODES, (unsigned long long)each, (unsigned long long)with_headers,
                  (unsigned long long)(datagrams / seconds),
                  (unsigned long long)(datagrams * 10 / seconds % 10));
    assert_int_equal(world->unreachable_count, 0);
    assert_true(with_headers <= IDLE_BYTES_MAX);
}

static void member_cluster__halves_meet_again__all_are_alive_soon(void **state)
{
    struct member_world_faults none = {.delay_ms = 1};
    (void)state;

    member_world_begin_with(world, 1, NODES, &none);
    (void)member_world_pass(world, WARM_MS);
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        member_world_set_cut(world, i / NODES, i % NODES,
                             (i / NODES < NODES / 2) != (i % NODES < NODES / 2));
    }
    (void)member_world_pass(world, 2 * PAUSE_MS + WARM_MS + 10000);
    expect_well();
    /* Neither half is a majority: nobody is gone. */
    assert_int_equal(world->gone_count, 0);
    assert_int_equal(world->node[0].views[NODES - 1].state, MEMBER_UNREACHABLE);
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        member_world_set_cut(world, i / NODES, i % NODES, false);
    }
    uint64_t began = world->now_ms;
    while (!member_world_is_settled(world) && world->now_ms < began + NOTICED_MS_MAX) {
        (void)member_world_pass(world, 10);
    }
    expect_well();
    assert_true(member_world_is_settled(world));
    print_message("two halves of %u see one another again after %llu ms\n", NODES / 2,
                  (unsigned long long)(world->now_ms - began));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_cluster__a_node_dies__all_notice_soon),
        cmocka_unit_test(member_cluster__a_node_dies_and_5_percent_are_lost__all_notice_soon),
        cmocka_unit_test(member_cluster__a_process_dies__reset_links_tell_sooner),
        cmocka_unit_test(member_cluster__a_quarter_pauses_30_s__nobody_is_gone),
        cmocka_unit_test(member_cluster__all_is_well__costs_little),
        cmocka_unit_test(member_cluster__halves_meet_again__all_are_alive_soon),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
