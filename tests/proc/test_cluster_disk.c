/* Real nodes whose disks are full, fail, or are slow: the node that has the trouble stops or
 * refuses, the cluster goes on, and nothing acknowledged is lost. What clients are told is
 * judged by the witness. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/rush.h"

enum {
    CALM_MS = 200,
    FULL_MS = 800,
    ROUNDS_NIGHTLY = 8,
    RESUME_MS = 15000, /* generous: figures are docs/performance.md's business */
    END_MS = 10000,
    LAST_MS = 120000,
    DISK_MIB = 64,
    SLOW_SYNC_MS = 60,
    BULK_STUDENTS = 1500, /* some 6 MB of entries */
    BULK_TAKEN = 250,
    BULKS_MAX = 4,
    BULK_MS = 2000,
    COMMAND_BYTES = 2048,
};

/* The events as they begin: a leader that moves gives its full disk as the reason, too. */
static const char FULL[] = " disk-full ";
static const char HAS_ROOM[] = " disk-has-room ";

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;

static uint32_t rounds(void)
{
    return rush_is_nightly() ? ROUNDS_NIGHTLY : 1;
}

/* With file systems of the nodes' own where they may be mounted. */
static int setup(void **state)
{
    struct cluster_options options = {.nodes = 3,
                                      .is_controlled = true,
                                      .disk_mib = DISK_MIB,
                                      .segments = "2M",
                                      .snapshots = "1M"};

    (void)state;
    if (!cluster_open(&bed, &options)) {
        options.disk_mib = 0;
        assert_true(cluster_open(&bed, &options));
    }
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

/* ---- a sync that fails */

/* The daemon ends by itself: after a failed sync nothing it has may be relied on. */
static void await_end(uint32_t node)
{
    int status = 0;

    for (uint32_t waited = 0; waitpid(bed.nodes[node].pid, &status, WNOHANG) == 0;
         waited += CALM_MS) {
        assert_true(waited < END_MS);
        rush_run(&rush, CALM_MS);
    }
    bed.nodes[node].pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

static void fail_sync(uint32_t node)
{
    struct fault_control *control = bed.controls[node];

    control->failed = 0;
    control->is_sync_failing = true;
    rush_since(&rush);
    await_end(node);
    assert_true(control->failed > 0);
    (void)rush_await_resumed(&rush, RESUME_MS);
    rush_run(&rush, CALM_MS);
    control->is_sync_failing = false;
    cluster_start(&bed, node);
    rush_run(&rush, CALM_MS);
}

static void sync__failing__ends_the_node_and_the_others_go_on(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < rounds(); i++) {
        fail_sync(cluster_leader(&bed));
        fail_sync((cluster_leader(&bed) + 1) % bed.count);
    }
}

/* A leader waits for a majority, and its own disk need not be part of it. */
static void sync__slow__goes_on(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < bed.count; i++) {
        bed.controls[i]->sync_ms = SLOW_SYNC_MS;
        rush_since(&rush);
        (void)rush_await_resumed(&rush, RESUME_MS);
        rush_run(&rush, CALM_MS);
        bed.controls[i]->sync_ms = 0;
    }
}

/* ---- a disk that is full */

static void ballast_path(uint32_t node, char out[DAEMON_PATH_BYTES + 32])
{
    (void)snprintf(out, DAEMON_PATH_BYTES + 32, "%s/data/ballast", bed.nodes[node].folder);
}

static void fill(uint32_t node)
{
    static char bytes[1 << 12];
    char path[DAEMON_PATH_BYTES + 32];

    ballast_path(node, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
}

static void make_room(uint32_t node)
{
    char path[DAEMON_PATH_BYTES + 32];

    ballast_path(node, path);
    assert_int_equal(unlink(path), 0);
}

/* Students with long records, a file of them; the same ones every time, so that what is kept
 * stays as large as it is. */
static void write_students(const char *path, uint32_t round)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (uint32_t i = 0; i < BULK_STUDENTS; i++) {
        (void)fprintf(file,
                      "{\"institution\": \"bulk\", \"token\": \"b%u\", \"name\": \"B %u\", "
                      "\"level\": 1, \"taken\": [",
                      i, round);
        for (uint32_t k = 0; k < BULK_TAKEN; k++) {
            (void)fprintf(file, "%s\"BULK %u-%u\"", k > 0 ? ", " : "", i, k);
        }
        (void)fputs("]}\n", file);
    }
    assert_int_equal(fclose(file), 0);
}

/* What was filled ahead lasts for a while: an import uses it up. Whether it gets through is not
 * the question; students of another institution are nobody else's business. */
static FILE *bulk_begin(uint32_t node, uint32_t round)
{
    char path[DAEMON_PATH_BYTES + 32];
    char command[COMMAND_BYTES];

    (void)snprintf(path, sizeof path, "%s/bulk.jsonl", bed.nodes[node].folder);
    write_students(path, round);
    (void)snprintf(command, sizeof command,
                   "timeout 5 " BINARY_FOLDER
                   "/bin/carillon import --students --connect %s %s 2>&1",
                   bed.nodes[node].address, path);
    FILE *bulk = popen(command, "r");
    assert_non_null(bulk);
    return bulk;
}

static void bulk_end(FILE *bulk)
{
    char out[COMMAND_BYTES];

    while (fread(out, 1, sizeof out, bulk) > 0) {
    }
    (void)pclose(bulk);
}

/* A leader that cannot write any more hands over, and registrations go on while its disk is
 * full; then it has room again, without a restart. At night: what was filled ahead is too much
 * for a merge. */
static void use_up(uint32_t leader, uint32_t round)
{
    uint32_t full = cluster_said(&bed, leader, FULL);

    /* a snapshot may free what was used up, and its node goes on leading */
    for (uint32_t i = 0; i < BULKS_MAX && cluster_leader(&bed) == leader; i++) {
        FILE *bulk = bulk_begin(leader, round * BULKS_MAX + i);

        rush_run(&rush, BULK_MS);
        bulk_end(bulk);
    }
    assert_true(cluster_said(&bed, leader, FULL) > full);
    rush_since(&rush);
    print_message("disk of the leader full, %s: registering again after %u ms\n",
                  cluster_leader(&bed) == leader ? "room was made" : "another leads",
                  rush_await_resumed(&rush, RESUME_MS));
    rush_since(&rush);
    rush_run(&rush, FULL_MS);
    /* also by the node that is full: it goes on hearing the leader */
    assert_true(rush.accepted[leader] > 0);
}

static bool is_full(uint32_t node)
{
    return cluster_said(&bed, node, FULL) > cluster_said(&bed, node, HAS_ROOM);
}

static void fill_leader(uint32_t round)
{
    uint32_t leader = cluster_leader(&bed);

    fill(leader);
    if (rush_is_nightly()) {
        use_up(leader, round);
    } else {
        rush_run(&rush, FULL_MS);
    }
    make_room(leader);
    for (uint32_t waited = 0; is_full(leader); waited += CALM_MS) {
        assert_true(waited < LAST_MS);
        rush_run(&rush, CALM_MS);
    }
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    rush_run(&rush, CALM_MS);
}

static void fill_follower(void)
{
    uint32_t follower = (cluster_leader(&bed) + 1) % bed.count;

    fill(follower);
    rush_run(&rush, FULL_MS);
    rush_since(&rush);
    (void)rush_await_resumed(&rush, RESUME_MS);
    make_room(follower);
    rush_run(&rush, CALM_MS);
}

static void disk__full__is_waited_out(void **state)
{
    (void)state;
    if (!bed.is_mounted[0]) {
        print_message("skipped: no right to mount a file system\n");
        skip();
    }
    for (uint32_t i = 0; i < rounds(); i++) {
        fill_follower();
        fill_leader(i);
    }
}

static void disks__after_all_that__what_was_told_is_true(void **state)
{
    (void)state;
    rush_judge(&rush, "disk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync__failing__ends_the_node_and_the_others_go_on),
        cmocka_unit_test(sync__slow__goes_on),
        cmocka_unit_test(disk__full__is_waited_out),
        cmocka_unit_test(disks__after_all_that__what_was_told_is_true),
    };

    seed = rush_seed();
    return cmocka_run_group_tests(tests, setup, teardown);
}
