/* The engine of a node alone, on real files: what was applied is there again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io_uv/io_uv.h"
#include "node/engine_raft.h"
#include "tests/lib/ledger.h"

enum { GROUPS = 3 };

struct fixture {
    struct io_uv *uv;
    struct io *io;
    char folder[64];
    struct engine_options options;
    struct engine_raft *raft;
    struct engine *engine;
    struct ledger ledger;
    int snapshot_status;
    int snapshots_done;
};

static void fixture_open(struct fixture *f)
{
    struct engine_hooks hooks;

    ledger_init(&f->ledger);
    hooks = ledger_hooks(&f->ledger);
    int status = engine_raft_open(f->raft, f->io, &f->options, &hooks);
    if (status != OK) {
        print_error("%s\n", engine_raft_text(f->raft));
    }
    assert_int_equal(status, OK);
    f->engine = &f->raft->engine;
    while (!ledger_leads(&f->ledger, GROUPS)) {
        io_uv_run_once(f->uv, 1000);
    }
}

static void fixture_close(struct fixture *f)
{
    engine_close(f->engine);
    while (!f->ledger.is_closed) {
        io_uv_run_once(f->uv, 1000);
    }
}

static void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    ledger_fini(&f->ledger);
    fixture_open(f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->uv = io_uv_create();
    f->io = io_uv_world(f->uv);
    f->raft = calloc(1, sizeof *f->raft);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/carillon-engine-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    engine_options_default(&f->options);
    f->options.folder = f->folder;
    f->options.shards = GROUPS - 1;
    f->options.log.segment_bytes = 256 << 10;
    f->options.log.batch_bytes = 64 << 10;
    f->options.log.idle_ms = 5;
    fixture_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    if (!f->ledger.is_closed) {
        fixture_close(f);
    }
    ledger_fini(&f->ledger);
    io_uv_destroy(f->uv);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    free(f->raft);
    free(f);
    return 0;
}

static void propose_many(struct fixture *f, uint32_t group, uint64_t count, size_t filling)
{
    uint64_t proposed = 0;
    uint64_t base = f->ledger.groups[group].count;
    uint64_t before = 0;
    uint64_t index;

    while (f->ledger.groups[group].count < base + count) {
        while (proposed < count) {
            int status = ledger_propose(f->engine, group, base + proposed + 1, filling, &index);
            if (status == ERR_BUSY) {
                break;
            }
            assert_int_equal(status, OK);
            assert_true(before == 0 || index == before + 1);
            before = index;
            proposed++;
        }
        io_uv_run_once(f->uv, 1000);
    }
}

static void assert_counts(const struct fixture *f, uint32_t group, uint64_t count)
{
    const struct ledger_group *state = &f->ledger.groups[group];

    assert_int_equal(state->count, count);
    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(state->values[i], i + 1);
    }
}

struct snapshot_wait {
    struct engine_snapshot wait;
    struct fixture *f;
};

static void snapshot_done(struct engine_snapshot *wait, int status)
{
    struct snapshot_wait *mine = CONTAINER_OF(wait, struct snapshot_wait, wait);

    mine->f->snapshot_status = status;
    mine->f->snapshots_done++;
}

static void snapshot(struct fixture *f, uint32_t group)
{
    struct snapshot_wait wait = {.wait = {.done = snapshot_done}, .f = f};
    int before = f->snapshots_done;

    assert_int_equal(engine_snapshot(f->engine, group, &wait.wait), SM_PENDING);
    while (f->snapshots_done == before) {
        io_uv_run_once(f->uv, 1000);
    }
    assert_int_equal(f->snapshot_status, OK);
}

static void engine_open__after_close__applies_everything_again(void **state)
{
    struct fixture *f = *state;

    propose_many(f, 0, 10, 0);
    propose_many(f, 1, 5000, 100);
    propose_many(f, 2, 1, 60000);
    fixture_reopen(f);
    assert_counts(f, 0, 10);
    assert_counts(f, 1, 5000);
    assert_counts(f, 2, 1);
    assert_int_equal(f->ledger.replayed, 5011);
    propose_many(f, 1, 10, 0);
    fixture_reopen(f);
    assert_counts(f, 1, 5010);
}

static void engine_open__after_snapshot__replays_only_what_follows(void **state)
{
    struct fixture *f = *state;
    struct engine_status status;

    propose_many(f, 1, 5000, 100);
    snapshot(f, 1);
    propose_many(f, 1, 7, 100);
    engine_status(f->engine, 1, &status);
    assert_int_equal(status.snapshot_index, 5001); /* the leader's first entry is its own */
    assert_int_equal(status.applied, 5008);
    assert_true(status.snapshot_bytes > 0);
    fixture_reopen(f);
    assert_counts(f, 1, 5007);
    assert_int_equal(f->ledger.replayed, 7);
}

static void engine_snapshot__of_all_groups__recycles_covered_segments(void **state)
{
    struct fixture *f = *state;
    struct engine_status before;
    struct engine_status after;

    for (int round = 0; round < 6; round++) {
        propose_many(f, 1, 4000, 100);
        propose_many(f, 2, 4000, 100);
        snapshot(f, 0); /* the leader's own entry */
        snapshot(f, 1);
        snapshot(f, 2);
        if (round == 2) {
            engine_status(f->engine, 1, &before);
        }
    }
    engine_status(f->engine, 1, &after);
    assert_true(after.segments <= before.segments + 1);
    assert_int_not_equal(after.first, 1); /* 0 when nothing is left of the group */
    fixture_reopen(f);
    assert_counts(f, 1, 24000);
    assert_counts(f, 2, 24000);
}

static void engine__log_beyond_threshold__snapshots_by_itself(void **state)
{
    struct fixture *f = *state;
    struct engine_status status;

    f->raft->snapshot_log_bytes = 100 << 10;
    propose_many(f, 2, 100, 100);
    for (int i = 0; i < 1000; i++) {
        propose_many(f, 1, 200, 100);
        engine_status(f->engine, 2, &status);
        if (status.snapshot_index != 0) {
            break;
        }
    }
    assert_int_equal(status.snapshot_index, 101);
    assert_int_equal(f->ledger.snapshot_status, OK);
}

static void engine_open__twice__second_is_locked_out(void **state)
{
    struct fixture *f = *state;
    struct engine_raft *second = calloc(1, sizeof *second);
    struct ledger ledger;
    struct engine_hooks hooks;

    ledger_init(&ledger);
    hooks = ledger_hooks(&ledger);
    assert_int_equal(engine_raft_open(second, f->io, &f->options, &hooks), ERR_LOCKED);
    ledger_fini(&ledger);
    free(second);
}

static void engine_propose__after_close__is_refused(void **state)
{
    struct fixture *f = *state;
    uint64_t index;
    struct engine_read read;

    assert_int_equal(engine_read_point(f->engine, 1, &read), OK);
    engine_close(f->engine);
    assert_int_equal(ledger_propose(f->engine, 1, 1, 0, &index), ERR_STOPPED);
    assert_int_equal(engine_read_point(f->engine, 1, &read), ERR_STOPPED);
    while (!f->ledger.is_closed) {
        io_uv_run_once(f->uv, 1000);
    }
}

static void engine_propose__beyond_the_limits__is_refused(void **state)
{
    struct fixture *f = *state;
    uint64_t index;

    assert_int_equal(ledger_propose(f->engine, 1, 1, 64 << 10, &index), ERR_TOO_LARGE);
    assert_int_equal(ledger_propose(f->engine, 1, 1, 40 << 10, &index), OK);
    assert_int_equal(ledger_propose(f->engine, 1, 1, 40 << 10, &index), ERR_BUSY);
    assert_int_equal(ledger_propose(f->engine, 1, 2, 10, &index), OK);
    assert_int_equal(index, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(engine_open__after_close__applies_everything_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(engine_open__after_snapshot__replays_only_what_follows,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            engine_snapshot__of_all_groups__recycles_covered_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(engine__log_beyond_threshold__snapshots_by_itself,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(engine_open__twice__second_is_locked_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(engine_propose__after_close__is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(engine_propose__beyond_the_limits__is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
