/* Real nodes whose logs are damaged while they are down: the node sets the damage aside, comes
 * back without a vote, is refilled by the others and becomes a voter again; meanwhile it tells
 * nobody anything that is not true. A tail that a crash has torn is cut off, and a folder that
 * is lost is replaced by another node. What clients are told is judged by the witness. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
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
    SECTOR_BYTES = 512,
    RECORD_BYTES = 64, /* before the payload */
    BATCH_HEAD_BYTES = RECORD_BYTES + 32,
    TORN_BYTES = 1024,
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

/* A spare one is empty. */
static bool is_in_use(const char *folder, const char *name)
{
    char path[PATH_BYTES + sizeof((struct dirent *)0)->d_name];
    char magic[3] = "";

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read(fd, magic, sizeof magic);
    (void)close(fd);
    return len == sizeof magic && memcmp(magic, "CLR", sizeof magic) == 0;
}

/* Its first segment that is in use, the oldest: entries that were acknowledged long ago. Or the
 * last one. */
static void segment_path(uint32_t node, bool is_last, char out[PATH_BYTES])
{
    char folder[PATH_BYTES];
    char first[NAME_BYTES] = "";

    log_path(node, folder);
    DIR *names = opendir(folder);
    assert_non_null(names);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        size_t len = strlen(entry->d_name);

        if (strncmp(entry->d_name, "log-", 4) == 0 && len < sizeof first &&
            is_in_use(folder, entry->d_name) &&
            (first[0] == '\0' || (strcmp(entry->d_name, first) > 0) == is_last)) {
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

    segment_path(node, false, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, bytes, sizeof bytes, HEAD_BYTES), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0xff;
    }
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, HEAD_BYTES), sizeof bytes);
    assert_int_equal(close(fd), 0);
}

/* Where the batches of docs/spec/log.md section 3 end, and what the last one was. */
struct tail {
    uint64_t end; /* of its last record */
    uint32_t chain;
    uint8_t head[BATCH_HEAD_BYTES];
};

static uint32_t read_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t read_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static bool is_batch(const uint8_t *at, const uint8_t *first)
{
    return memcmp(at, "CLR", 3) == 0 && read_u32(at + 20) == 1 &&
           read_u64(at + 40) == read_u64(first + 40);
}

static struct tail tail_find(const uint8_t *segment, size_t size)
{
    struct tail tail = {0};
    uint64_t at = 0;

    while (at + SECTOR_BYTES <= size && is_batch(segment + at, segment)) {
        uint64_t end = at + read_u32(segment + at + RECORD_BYTES + 24);

        memcpy(tail.head, segment + at, sizeof tail.head);
        while (at < end) {
            tail.chain = read_u32(segment + at + 4);
            at += (RECORD_BYTES + read_u32(segment + at + 8) + 7) & ~UINT64_C(7);
        }
        tail.end = at;
        at = (at + SECTOR_BYTES - 1) & ~(uint64_t)(SECTOR_BYTES - 1);
    }
    assert_true(tail.end > 0);
    return tail;
}

/* The batch that would come next: its header reached the disk, and of its records nothing that
 * makes sense. Nobody was told of any. */
static void batch_tear(const struct tail *tail, uint8_t out[TORN_BYTES])
{
    uint64_t number = read_u64(tail->head + 48);
    uint64_t next = number + 1;
    uint32_t len = TORN_BYTES;
    uint32_t count = 4;

    for (size_t i = 0; i < TORN_BYTES; i++) {
        out[i] = (uint8_t)(seed >> i % 8 * 8);
    }
    memcpy(out, tail->head, BATCH_HEAD_BYTES);
    memcpy(out + 12, &tail->chain, sizeof tail->chain);
    memcpy(out + 48, &next, sizeof next);
    memcpy(out + RECORD_BYTES, &number, sizeof number);
    memcpy(out + RECORD_BYTES + 8, tail->head + 40, 8);
    memcpy(out + RECORD_BYTES + 16, &tail->end, sizeof tail->end);
    memcpy(out + RECORD_BYTES + 24, &len, sizeof len);
    memcpy(out + RECORD_BYTES + 28, &count, sizeof count);
    uint32_t crc = crc32c(0, out + 8, BATCH_HEAD_BYTES - 8);
    memcpy(out + 4, &crc, sizeof crc);
}

static void tear_tail(uint32_t node)
{
    char path[PATH_BYTES];
    uint8_t torn[TORN_BYTES];
    struct stat stat_of;

    segment_path(node, true, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &stat_of), 0);
    uint8_t *segment = mmap(NULL, (size_t)stat_of.st_size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(segment != MAP_FAILED);
    struct tail tail = tail_find(segment, (size_t)stat_of.st_size);
    (void)munmap(segment, (size_t)stat_of.st_size);
    uint64_t at = (tail.end + SECTOR_BYTES - 1) & ~(uint64_t)(SECTOR_BYTES - 1);
    batch_tear(&tail, torn);
    assert_int_equal(pwrite(fd, torn, sizeof torn, (off_t)at), sizeof torn);
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
}

/* A torn tail is no damage: the node comes back with its vote and all it has acknowledged. */
static void tear_and_go_on(uint32_t node)
{
    uint32_t set_aside = cluster_said(&bed, node, "log-set-aside");

    rush_run(&rush, CALM_MS);
    cluster_kill(&bed, node);
    tear_tail(node);
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    cluster_start(&bed, node);
    assert_int_equal(cluster_said(&bed, node, "log-set-aside"), set_aside);
    rush_run(&rush, CALM_MS);
    go_on_with(node);
}

static void log__with_a_torn_tail__is_cut_and_goes_on(void **state)
{
    uint32_t rounds = rush_is_nightly() ? 2 * ROUNDS_NIGHTLY : 1;

    (void)state;
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t leader = cluster_leader(&bed);

        tear_and_go_on((seed + i) % 2 == 0 ? leader : (leader + 1) % bed.count);
    }
}

static void replace_and_go_on(uint32_t node)
{
    uint32_t by = (node + 1) % bed.count;
    char invite[CLUSTER_INVITE_BYTES];

    rush_run(&rush, CALM_MS);
    cluster_invite(&bed, by, invite);
    cluster_kill(&bed, node);
    uint32_t made = cluster_replace(&bed, node, by, invite);
    rush_meet(&rush, node);
    rush_since(&rush);
    while (rush.accepted[node] == 0 ||
           cluster_voters_made(&bed, 0) + cluster_voters_made(&bed, 1) < made + 2) {
        if (rush_now_ms() > rush.since_ms + REFILL_MS) {
            cluster_print(&bed);
            fail_msg("node %u takes no part", node + 1);
        }
        rush_run(&rush, CALM_MS / 4);
    }
    go_on_with(node);
}

/* Also that of the node which founded the cluster: any other invites. The first is the one that
 * leads the cluster's own group: who comes at once finds nobody there to take it in, and waits. */
static void folder__lost__is_replaced_by_another_node(void **state)
{
    uint32_t rounds = rush_is_nightly() ? bed.count : 1;

    (void)state;
    for (uint32_t i = 0; i < rounds; i++) {
        replace_and_go_on((cluster_leader_of(&bed, 0) + i) % bed.count);
    }
}

static void logs__after_all_that__what_was_told_is_true(void **state)
{
    (void)state;
    rush_judge(&rush, "refill");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__damaged__is_set_aside_and_refilled),
        cmocka_unit_test(log__with_a_torn_tail__is_cut_and_goes_on),
        cmocka_unit_test(folder__lost__is_replaced_by_another_node),
        cmocka_unit_test(logs__after_all_that__what_was_told_is_true),
    };

    seed = rush_seed();
    return cmocka_run_group_tests(tests, setup, teardown);
}
