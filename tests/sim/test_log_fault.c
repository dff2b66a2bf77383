/* Every file call of the log fails once, and from then on: the node stops cleanly or goes on,
 * and what it told stays true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/lib/log_world.h"

struct sweep {
    struct io_sim_sites *sites;
    int error;
    bool for_ever;
    uint64_t runs;
    uint64_t refused; /* opening answered the error */
    uint64_t stopped; /* the node said that its disk failed */
    uint64_t went_on;
    uint64_t violations;
};

static struct io_sim_options options_of(const struct sweep *sweep)
{
    return (struct io_sim_options){.sites = sweep->sites};
}

static void note(struct log_world *world, const char *what)
{
    if (world->violation[0] == '\0') {
        (void)snprintf(world->violation, sizeof world->violation, "%s", what);
    }
}

/* After a failure nothing is accepted or told, and closing still ends. */
static void check_stopped(struct log_world *world)
{
    uint64_t told[LOG_WORLD_GROUPS];

    if (strstr(world->ledger.text, "data/") == NULL ||
        strstr(world->ledger.text, "failed") == NULL) {
        note(world, "the text does not name file and operation");
    }
    if (log_world_propose(world, 0, 10) != ERR_STOPPED) {
        note(world, "accepts after the disk failed");
    }
    memcpy(told, world->told, sizeof told);
    log_world_step(world, 200);
    if (memcmp(told, world->told, sizeof told) != 0) {
        note(world, "tells after the disk failed");
    }
    log_world_close(world);
}

/* What was told survives a new process, and then a power failure. */
static void check_after(struct log_world *world)
{
    io_sim_fail_clear(world->io);
    if (world->is_open) {
        log_world_drop(world);
    }
    for (int i = 0; i < 2; i++) {
        if (i == 1 || io_sim_is_down(world->io)) {
            io_sim_crash(world->io);
            if (world->is_open) {
                log_world_drop(world);
            }
            io_sim_restart(world->io);
        }
        if (log_world_open(world) != OK) {
            note(world, engine_raft_text(world->engine));
            return;
        }
        if (log_world_propose(world, 2, 100) != OK || !log_world_settle(world)) {
            note(world, "does not go on after the fault is gone");
        }
    }
    log_world_close(world);
}

static void classify(struct sweep *sweep, struct log_world *world, int status)
{
    sweep->runs++;
    if (status != OK) {
        sweep->refused++;
        if (status != sweep->error) {
            note(world, "opening answers another error");
        }
        if (engine_raft_text(world->engine)[0] == '\0') {
            note(world, "opening says nothing");
        }
    } else if (world->ledger.is_failed) {
        sweep->stopped++;
        if (!world->ledger.is_closed) {
            check_stopped(world);
        }
    } else {
        sweep->went_on++;
        if (sweep->error == ERR_IO && !sweep->for_ever) {
            note(world, "an error of the disk was passed over");
        }
    }
}

static void finish(struct sweep *sweep, struct log_world *world, uint64_t n)
{
    check_after(world);
    if (world->violation[0] != '\0') {
        sweep->violations++;
        print_error("call %llu, %s%s: %s\n", (unsigned long long)n, error_name(sweep->error),
                    sweep->for_ever ? " for ever" : "", world->violation);
    }
    log_world_fini(world);
}

/* The story from an empty folder. Returns: whether the fault struck. */
static bool fail_story(struct sweep *sweep, uint64_t n)
{
    struct io_sim_options options = options_of(sweep);
    struct log_world world;

    log_world_init(&world, 21, &options);
    io_sim_fail(world.io, IO_SIM_ANY, n, sweep->error, sweep->for_ever);
    int status = log_world_story(&world);
    bool has_struck = io_sim_calls(world.io, IO_SIM_ANY) >= n;
    if (has_struck) {
        classify(sweep, &world, status);
        finish(sweep, &world, n);
    } else {
        log_world_fini(&world);
    }
    return has_struck;
}

/* The story once more on a folder that a power failure left. */
static bool fail_restart(struct sweep *sweep, uint64_t n, uint64_t crash_at)
{
    struct io_sim_options options = options_of(sweep);
    struct log_world world;

    log_world_init(&world, 22 + crash_at, &options);
    io_sim_crash_at(world.io, crash_at);
    int status = log_world_story(&world);
    ASSERT(io_sim_is_down(world.io));
    if (world.is_open) {
        log_world_drop(&world);
    }
    /* All names are kept, also those of temporary files, and every second sector. */
    uint8_t *kept = calloc(io_sim_unsynced_units(world.io) + 1, 1);
    size_t units = io_sim_unsynced_units(world.io);
    for (size_t i = 0; i < units; i++) {
        kept[i] = i % 2 == 0;
    }
    io_sim_restart_keeping(world.io, kept, units);
    free(kept);
    uint64_t before = io_sim_calls(world.io, IO_SIM_ANY);
    io_sim_fail(world.io, IO_SIM_ANY, n, sweep->error, sweep->for_ever);
    status = log_world_story(&world);
    bool has_struck = io_sim_calls(world.io, IO_SIM_ANY) - before >= n;
    if (has_struck) {
        classify(sweep, &world, status);
        finish(sweep, &world, n);
    } else {
        log_world_fini(&world);
    }
    return has_struck;
}

static void sweep_all(struct sweep *sweep)
{
    static const uint64_t crashes[] = {18, 88, 120, 40, 100, 190};

    sweep->runs = sweep->refused = sweep->stopped = sweep->went_on = 0;
    /* Every call fails in one sweep at least; a slow build thins out the others. */
    bool is_thin =
        log_world_size() == LOG_WORLD_SMALL && (sweep->for_ever || sweep->error != ERR_IO);
    uint64_t stride = is_thin ? 17 : 1;
    for (uint64_t n = 1; fail_story(sweep, n); n += stride) {
    }
    size_t count = log_world_size() == LOG_WORLD_SMALL ? 3 : sizeof crashes / sizeof crashes[0];
    for (size_t i = 0; i < count; i++) {
        for (uint64_t n = 1; fail_restart(sweep, n, crashes[i]); n += stride) {
        }
    }
    print_message("%s%s: %llu runs: %llu refused to open, %llu stopped, %llu went on\n",
                  error_name(sweep->error), sweep->for_ever ? " for ever" : "",
                  (unsigned long long)sweep->runs, (unsigned long long)sweep->refused,
                  (unsigned long long)sweep->stopped, (unsigned long long)sweep->went_on);
    assert_int_equal(sweep->violations, 0);
}

static void log__every_call_fails__stops_or_goes_on_and_loses_nothing(void **state)
{
    struct sweep sweep = {.sites = io_sim_sites_create()};
    (void)state;

    sweep.error = ERR_IO;
    sweep_all(&sweep);
    sweep.for_ever = true;
    sweep_all(&sweep);
    sweep.error = ERR_DISK_FULL;
    sweep_all(&sweep);
    sweep.for_ever = false;
    sweep_all(&sweep);

    struct buf text;
    buf_init(&text, 1 << 20);
    size_t seen = io_sim_sites_seen(sweep.sites);
    size_t failed = io_sim_sites_failed(sweep.sites);
    print_message("%zu of %zu places that call files have failed\n", failed, seen);
    if (failed < seen) {
        assert_int_equal(io_sim_sites_describe(sweep.sites, &text), OK);
        (void)fputs(buf_text(&text), stderr);
    }
    buf_fini(&text);
    io_sim_sites_destroy(sweep.sites);
    assert_int_equal(failed, seen);
    assert_true(seen > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__every_call_fails__stops_or_goes_on_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
