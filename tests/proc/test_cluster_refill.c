/* Real nodes whose logs are damaged while they are down: the node sets the damage aside, comes
 * back without a vote, is refilled by the others and becomes a voter again; meanwhile it tells
 * nobody anything that is not true. What clients are told is judged by the witness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/rush.h"

enum {
    CALM_MS = 400,
    ROUNDS_NIGHTLY = 10,
    RESUME_MS = 20000, /* generous: figures are docs/performance.md's business */
    REFILL_MS = 30000,
    PATH_BYTES = DAEMON_PATH_BYTES + 600,
    NAME_BYTES = 64,
    FLIPPED_BYTES = 64,
    HEAD_BYTES = 8192, /* of a log: there are records behind it */
};

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;

static int setup(void **state)
{
    const struct cluster_options options = {
        .nodes = 3, .may_refill = true, .segments = "2M", .snapshots = "1M"};

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

/* ---- damage */

/* The newest log of @node, as a path. */
static void log_path(uint32_t node, char out[PATH_BYTES])
{
    char data[DAEMON_PATH_BYTES + 16];
    struct stat stat_of;

    cluster_data(&bed, node, data, sizeof data);
    (void)snprintf(out, PATH_BYTES, "%s/log", data);
    for (uint32_t i = 1; i < 100; i++) {
        char next[PATH_BYTES];

        (void)snprintf(next, sizeof next, "%s/log.%u", data, i);
        if (stat(next, &stat_of) == 0) {
            (void)snprintf(out, PATH_BYTES, "%s", next);
        }
    }
}

/* Its first segment that is in use, the oldest: entries that were acknowledged long ago. */
static void segment_path(uint32_t node, char out[PATH_BYTES])
{
    char folder[PATH_BYTES];
    char first[NAME_BYTES] = "";

    log_path(node, folder);
    DIR *names = opendir(folder);
    assert_non_null(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        size_t len = strlen(entry->d_name);

        if (strncmp(entry->d_name, "log-", 4) == 0 && len < sizeof first &&
            (first[0] == '\0' || strcmp(entry->d_name, first) < 0)) {
            memcpy(first, entry->d_name, len + 1);
        }
    }
    (void)closedir(names);
    assert_true(first[0] != '\0');
    int len = snprintf(out, PATH_BYTES, "%s/%s", folder, first);
    assert_in_range(len, 1, PATH_BYTES - 1);
}

static void damage_middle(uint32_t node)
{
    char path[PATH_BYTES];
    uint8_t bytes[FLIPPED_BYTES];

    segment_path(node, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, bytes, sizeof bytes, HEAD_BYTES), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0xff;
    }
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, HEAD_BYTES), sizeof bytes);
    assert_int_equal(close(fd), 0);
}

/* ---- stories */

static bool is_set_aside(uint32_t node)
{
    return cluster_said(&bed, node, "log-set-aside") > 0;
}

static void damage_and_refill(uint32_t node)
{
    uint32_t refilled = cluster_said(&bed, node, " refilled ");
    uint32_t set_aside = cluster_said(&bed, node, "log-set-aside");

    rush_run(&rush, CALM_MS);
    cluster_kill(&bed, node);
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    damage_middle(node);
    cluster_start(&bed, node);
    assert_int_equal(cluster_said(&bed, node, "log-set-aside"), set_aside + 1);
    rush_since(&rush);
    while (cluster_said(&bed, node, " refilled ") == refilled) {
        if (rush_now_ms() > rush.since_ms + REFILL_MS) {
            cluster_print(&bed);
            fail_msg("node %u is not refilled", node + 1);
        }
        rush_run(&rush, CALM_MS / 4);
    }
    print_message("refilled after %llu ms\n",
                  (unsigned long long)(rush_now_ms() - rush.since_ms));
    rush_run(&rush, CALM_MS);
}

/* It votes again: with it alone the other goes on, while the third is down. */
static void go_on_with(uint32_t node)
{
    uint32_t leader = cluster_leader(&bed);
    uint32_t third = 3 - leader - node;

    if (leader == node) {
        third = (node + 1) % bed.count;
    }
    cluster_kill(&bed, third);
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    cluster_start(&bed, third);
    rush_run(&rush, CALM_MS);
}

static void log__damaged__is_set_aside_and_refilled(void **state)
{
    uint32_t rounds = rush_is_nightly() ? ROUNDS_NIGHTLY : 1;

    (void)state;
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t leader = cluster_leader(&bed);
        uint32_t node = i % 2 == 0 ? (leader + 1) % bed.count : leader;

        damage_and_refill(node);
        assert_true(is_set_aside(node));
        go_on_with(node);
    }
    rush_judge(&rush, "refill");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__damaged__is_set_aside_and_refilled),
    };

    seed = rush_seed();
    return cmocka_run_group_tests(tests, setup, teardown);
}
