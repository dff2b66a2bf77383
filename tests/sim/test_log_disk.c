/* Disks that are full, fail, or come back with other bytes: what the node says and does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lib/log_world.h"

enum { SEGMENT = 16 << 10 };

static void run_ms(struct log_world *world, uint64_t ms)
{
    io_sim_run_ms(world->sim, ms);
}

/* Propose to group 1 until it is refused. Returns: the refusal. */
static int propose_until_refused(struct log_world *world, int times)
{
    int status = OK;

    for (int i = 0; i < times && status == OK; i++) {
        status = log_world_propose(world, 1, 500);
        log_world_step(world, 10);
    }
    return status;
}

static void log_append__disk_full__refuses_and_goes_on_when_there_is_room(void **state)
{
    struct log_world world;
    struct engine_status status;
    (void)state;

    log_world_init(&world, 31, NULL);
    world.options.snapshot_log_bytes = UINT64_MAX;
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 50);
    io_sim_disk_bytes_set(world.io, 1); /* not even a snapshot fits */
    assert_int_equal(propose_until_refused(&world, 1000), ERR_DISK_FULL);
    assert_true(log_world_settle(&world)); /* what was accepted fits */
    run_ms(&world, 10);
    assert_false(world.ledger.is_writable);
    assert_false(world.ledger.is_failed);
    engine_status(&world.engine->engine, 1, &status);
    assert_false(status.is_writable);
    assert_int_equal(status.applied, world.told[1] + 1); /* and the leader's own entry */
    run_ms(&world, 5000);
    assert_int_equal(log_world_propose(&world, 1, 500), ERR_DISK_FULL);

    io_sim_disk_bytes_set(world.io, 20 * SEGMENT);
    run_ms(&world, 2500);
    assert_true(world.ledger.is_writable);
    assert_int_equal(propose_until_refused(&world, 30), OK);
    assert_true(log_world_settle(&world));
    assert_int_equal(world.ledger.writable_calls, 2);

    io_sim_crash(world.io);
    log_world_drop(&world);
    io_sim_restart(world.io);
    assert_int_equal(log_world_open(&world), OK);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

/* Nobody makes room: a snapshot frees the segments that it covers. */
static void log_append__disk_full__snapshot_frees_what_it_covers(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 32, NULL);
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 50);
    io_sim_disk_bytes_set(world.io, 4 * SEGMENT + 8192);
    int refusals = 0;
    for (int i = 0; i < 400; i++) {
        refusals += log_world_propose(&world, 1, 500) == ERR_DISK_FULL ? 1 : 0;
        run_ms(&world, 10);
    }
    assert_true(refusals > 0);
    assert_true(world.submitted[1] > 200);
    assert_true(world.ledger.snapshots_ended > 1);
    assert_true(log_world_settle(&world));
    log_world_close(&world);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

/* A disk without any room is asked again and again by clients, and writing snapshots to it helps
 * nobody: they are tried ever more rarely, and at once when there is room. */
static void log_append__disk_full_for_long__tries_few_snapshots(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 35, NULL);
    world.options.snapshot_log_bytes = UINT64_MAX;
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 50);
    assert_int_equal(propose_until_refused(&world, 60), OK); /* several segments */
    assert_true(log_world_settle(&world));
    io_sim_disk_bytes_set(world.io, 1);
    assert_int_equal(propose_until_refused(&world, 1000), ERR_DISK_FULL);
    for (int i = 0; i < 6000; i++) { /* ten minutes */
        assert_int_equal(log_world_propose(&world, 1, 500), ERR_DISK_FULL);
        run_ms(&world, 100);
    }
    assert_true(world.ledger.snapshots_ended > 0);
    assert_true(world.ledger.snapshots_ended <= 8);

    io_sim_disk_bytes_set(world.io, 20 * SEGMENT);
    run_ms(&world, 2500);
    assert_int_equal(propose_until_refused(&world, 30), OK);
    assert_true(log_world_settle(&world));
    log_world_close(&world);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

/* What a snapshot cannot free it is not begun for: all entries lie in the segment that is being
 * written. */
static void log_append__disk_full_in_the_first_segment__writes_no_snapshot(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 36, NULL);
    world.options.snapshot_log_bytes = UINT64_MAX;
    io_sim_disk_bytes_set(world.io, SEGMENT + 4096);
    assert_int_equal(log_world_open(&world), OK);
    assert_int_equal(propose_until_refused(&world, 1000), ERR_DISK_FULL);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(log_world_propose(&world, 1, 500), ERR_DISK_FULL);
        run_ms(&world, 100);
    }
    assert_int_equal(world.ledger.snapshots_ended, 0);
    log_world_close(&world);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

/* Room for a little more and no more: each snapshot buys at least a segment of entries. */
static void log_append__disk_nearly_full__snapshots_follow_the_entries(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 37, NULL);
    world.options.snapshot_log_bytes = UINT64_MAX;
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 50);
    io_sim_disk_bytes_set(world.io, 4 * SEGMENT + 8192);
    int accepted = 0;
    int refusals = 0;
    for (int i = 0; i < 3000; i++) {
        int status = log_world_propose(&world, 1, 500);
        refusals += status == ERR_DISK_FULL ? 1 : 0;
        accepted += status == OK ? 1 : 0;
        run_ms(&world, 10);
    }
    assert_true(refusals > 0);
    assert_true(world.ledger.snapshots_ended <= accepted * 1024 / SEGMENT + 2);
    assert_true(log_world_settle(&world));
    log_world_close(&world);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

/* The first segment still grows: a write that finds no room is kept and repeated, and told only
 * then. */
static void log_write__finds_no_room__is_held_and_repeated(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 33, NULL);
    assert_int_equal(log_world_open(&world), OK);
    assert_int_equal(log_world_propose(&world, 1, 100), OK);
    io_sim_fail(world.io, IO_SIM_WRITE, 1, ERR_DISK_FULL, true);
    run_ms(&world, 3000);
    assert_int_equal(world.told[1], 0);
    assert_false(world.ledger.is_writable);
    assert_int_equal(propose_until_refused(&world, 1000), ERR_DISK_FULL);
    io_sim_fail_clear(world.io);
    run_ms(&world, 3000);
    assert_true(world.told[1] > 0);
    assert_true(world.ledger.is_writable);
    assert_int_equal(log_world_propose(&world, 1, 100), OK);
    assert_true(log_world_settle(&world));
    log_world_close(&world);
    log_world_drop(&world);
    io_sim_crash(world.io);
    io_sim_restart(world.io);
    assert_int_equal(log_world_open(&world), OK);
    assert_int_equal(world.told[1], world.submitted[1]);
    assert_string_equal(world.violation, "");
    log_world_fini(&world);
}

static void log_sync__fails__stops_for_good_and_is_never_repeated(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 34, NULL);
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 1000);
    io_sim_fail(world.io, IO_SIM_SYNC, 1, ERR_IO, false);
    uint64_t told = world.told[1];
    assert_int_equal(log_world_propose(&world, 1, 100), OK);
    run_ms(&world, 100);
    assert_true(world.ledger.is_failed);
    assert_non_null(strstr(world.ledger.text, "data/log/log-0000000000000002: sync failed"));
    uint64_t syncs = io_sim_calls(world.io, IO_SIM_SYNC);
    assert_int_equal(log_world_propose(&world, 1, 100), ERR_STOPPED);
    run_ms(&world, 5000);
    assert_int_equal(io_sim_calls(world.io, IO_SIM_SYNC), syncs);
    assert_int_equal(world.told[1], told);
    log_world_close(&world);
    assert_true(world.ledger.is_closed);
    log_world_fini(&world);
}

/* The kernel may have called the pages clean: to try again would be to lie. */
static void log_sync__finds_no_room__stops_for_good_too(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 36, NULL);
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 1000);
    io_sim_fail(world.io, IO_SIM_SYNC, 1, ERR_DISK_FULL, false);
    assert_int_equal(log_world_propose(&world, 1, 100), OK);
    run_ms(&world, 5000);
    assert_true(world.ledger.is_failed);
    assert_int_equal(world.told[1], 0);
    log_world_fini(&world);
}

static void log_append__one_record_alone__is_one_write_and_one_sync(void **state)
{
    struct log_world world;
    (void)state;

    log_world_init(&world, 35, NULL);
    world.options.log.idle_ms = 100000;
    assert_int_equal(log_world_open(&world), OK);
    run_ms(&world, 1000);
    assert_int_equal(log_world_propose(&world, 1, 100), OK); /* leaves the segment that grows */
    run_ms(&world, 1000);
    for (int i = 0; i < 10; i++) {
        uint64_t all = io_sim_calls(world.io, IO_SIM_ANY);
        uint64_t writes = io_sim_calls(world.io, IO_SIM_WRITE);
        uint64_t syncs = io_sim_calls(world.io, IO_SIM_SYNC);
        assert_int_equal(log_world_propose(&world, 1, 100), OK);
        run_ms(&world, 100);
        assert_int_equal(world.told[1], i + 2);
        assert_int_equal(io_sim_calls(world.io, IO_SIM_WRITE) - writes, 1);
        assert_int_equal(io_sim_calls(world.io, IO_SIM_SYNC) - syncs, 1);
        assert_int_equal(io_sim_calls(world.io, IO_SIM_ANY) - all, 2);
    }
    log_world_fini(&world);
}

/* ---- damage ---- */

/* A node with some entries in segment 2, closed or killed. Returns: where the last record ends.
 */
static uint64_t prepare(struct log_world *world, uint64_t seed, bool is_closed)
{
    log_world_init(world, seed, NULL);
    assert_int_equal(log_world_open(world), OK);
    run_ms(world, 1000);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(log_world_propose(world, 1, 300), OK);
        run_ms(world, 50);
    }
    uint64_t end = world->engine->log.durable.end;
    if (is_closed) {
        log_world_close(world);
    }
    log_world_drop(world);
    if (is_closed) {
        io_sim_crash(world->io);
    }
    io_sim_restart(world->io);
    return end;
}

static void expect_damage(struct log_world *world, int status, const char *file,
                          const char *text)
{
    assert_int_equal(log_world_open(world), status);
    if (strstr(engine_raft_text(world->engine), file) == NULL ||
        strstr(engine_raft_text(world->engine), text) == NULL) {
        fail_msg("%s", engine_raft_text(world->engine));
    }
    /* Refusing has changed nothing: it is refused again. */
    assert_int_equal(log_world_open(world), status);
}

static const char *const segment2 = "data/log/log-0000000000000002";

static void engine_open__bad_bit_in_the_middle__names_file_and_offset(void **state)
{
    struct log_world world;
    (void)state;

    prepare(&world, 41, false);
    assert_int_equal(io_sim_flip_bit(world.io, segment2, 200, 3), OK);
    expect_damage(&world, ERR_DAMAGED, segment2,
                  "offset 96: the record here is bad, yet a later batch");
    log_world_fini(&world);
}

/* Only the marker knows that the last batch was durable. */
static void engine_open__bad_bit_in_the_last_batch__is_damage_below_the_marker(void **state)
{
    struct log_world world;
    (void)state;

    uint64_t end = prepare(&world, 42, true);
    assert_int_equal(io_sim_flip_bit(world.io, segment2, end - 20, 3), OK);
    expect_damage(&world, ERR_DAMAGED, segment2, "it was durable");
    log_world_fini(&world);
}

static void engine_open__log_files_gone__is_damage(void **state)
{
    struct log_world world;
    (void)state;

    prepare(&world, 43, false);
    assert_int_equal(io_file_remove(world.io, segment2), OK);
    expect_damage(&world, ERR_DAMAGED, "data/log/log-", "missing");
    log_world_fini(&world);

    prepare(&world, 44, false);
    static const char *const all[] = {"data/log/log-0000000000000001",
                                      "data/log/log-0000000000000002",
                                      "data/log/log-0000000000000003"};
    for (size_t i = 0; i < 3; i++) {
        int status = io_file_remove(world.io, all[i]);
        assert_true(status == OK || status == ERR_GONE);
    }
    expect_damage(&world, ERR_DAMAGED, "data/log/log-", "missing");
    log_world_fini(&world);
}

static void engine_open__identity_lost_or_bad__is_refused(void **state)
{
    struct log_world world;
    (void)state;

    prepare(&world, 45, false);
    assert_int_equal(io_file_remove(world.io, "data/identity"), OK);
    expect_damage(&world, ERR_DAMAGED, "data/log/log-", "lost its identity");
    log_world_fini(&world);

    prepare(&world, 46, false);
    assert_int_equal(io_sim_flip_bit(world.io, "data/identity", 10, 0), OK);
    expect_damage(&world, ERR_DAMAGED, "data/identity", "damaged");
    log_world_fini(&world);
}

static void engine_open__snapshot_lost_or_bad__is_refused(void **state)
{
    static const char *const snapshot = "data/snapshots/snapshot-0001-0000000000000007";
    struct log_world world;
    (void)state;

    for (int i = 0; i < 2; i++) {
        prepare(&world, 47, false);
        assert_int_equal(log_world_open(&world), OK);
        log_world_snapshot(&world, 1);
        run_ms(&world, 1000);
        assert_int_equal(world.ledger.snapshot_status, OK);
        log_world_close(&world);
        log_world_drop(&world);
        io_sim_crash(world.io);
        io_sim_restart(world.io);
        if (i == 0) {
            assert_int_equal(io_sim_flip_bit(world.io, snapshot, 90, 0), OK);
            expect_damage(&world, ERR_DAMAGED, snapshot, "offset 80");
        } else {
            assert_int_equal(io_file_remove(world.io, snapshot), OK);
            expect_damage(&world, ERR_DAMAGED, "data/snapshots", "is missing");
        }
        log_world_fini(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_append__disk_full__refuses_and_goes_on_when_there_is_room),
        cmocka_unit_test(log_append__disk_full_for_long__tries_few_snapshots),
        cmocka_unit_test(log_append__disk_full_in_the_first_segment__writes_no_snapshot),
        cmocka_unit_test(log_append__disk_nearly_full__snapshots_follow_the_entries),
        cmocka_unit_test(log_append__disk_full__snapshot_frees_what_it_covers),
        cmocka_unit_test(log_write__finds_no_room__is_held_and_repeated),
        cmocka_unit_test(log_sync__fails__stops_for_good_and_is_never_repeated),
        cmocka_unit_test(log_sync__finds_no_room__stops_for_good_too),
        cmocka_unit_test(log_append__one_record_alone__is_one_write_and_one_sync),
        cmocka_unit_test(engine_open__bad_bit_in_the_middle__names_file_and_offset),
        cmocka_unit_test(engine_open__bad_bit_in_the_last_batch__is_damage_below_the_marker),
        cmocka_unit_test(engine_open__log_files_gone__is_damage),
        cmocka_unit_test(engine_open__identity_lost_or_bad__is_refused),
        cmocka_unit_test(engine_open__snapshot_lost_or_bad__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
