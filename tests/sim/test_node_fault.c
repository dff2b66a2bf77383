/* Every file call of a whole node fails once: it answers with an error, goes on or stops, and
 * what it told is there afterwards. Each place in the code that calls files must have met a
 * failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "tests/lib/node_world.h"

enum {
    SEED = 11,
    OPS = 24,
    CALLS_MAX = 5000,
    DESCRIPTION_BYTES = 64 << 10,
    ASKED_MAX = 16,
    CALM_MS = 300,
    CUTS = 270,
    CUT_STRIDE = 2,
    RECOVERY_CALLS = 90,
    RECOVERY_STRIDE = 5,
};

static uint64_t sometimes[SOMETIMES_NR];

static void work(struct node_world *world)
{
    for (int i = 0; i < OPS && node_world_is_well(world); i++) {
        while (world->asked >= ASKED_MAX && node_world_is_well(world)) {
            (void)node_world_step(world);
        }
        if (node_world_is_well(world)) {
            node_world_ask_random(world);
        }
    }
    node_world_run_ms(world, CALM_MS);
}

static void import(struct node_world *world)
{
    if (node_world_is_well(world)) {
        node_world_import(world);
        node_world_run_ms(world, CALM_MS);
    }
}

/* A term from an empty folder: imports, registrations, snapshots, reads, an orderly end and a
 * start from what it left. */
static void story(struct node_world *world)
{
    if (node_world_open(world) != OK) {
        return;
    }
    import(world);
    import(world);
    if (node_world_is_well(world) && world->waves[1].state == WAVE_COMMITTED) {
        node_world_ask(node_world_op(world, WORLD_LIMITS));
        node_world_run_ms(world, CALM_MS);
        work(world);
        import(world);
        work(world);
    }
    if (node_world_is_well(world)) {
        int rc = engine_snapshot(world->node->engine, NODE_GROUP_SHARD, NULL);

        assert_int_equal(rc, SM_PENDING);
        node_world_run_ms(world, CALM_MS);
    }
    if (node_world_is_well(world)) {
        node_world_settle(world);
        node_world_check_audit(world);
    }
    node_world_close(world);
    if (!world->is_failed && world->node == NULL && !io_sim_is_down(world->io)) {
        (void)!node_world_open(world);
    }
}

/* The fault is gone: everything told is there, after the process' end or a power cut as well.
 */
static void recover(struct node_world *world, bool is_cut)
{
    node_world_close(world);
    io_sim_fail_clear(world->io);
    io_sim_disk_bytes_set(world->io, 0);
    if (is_cut) {
        node_world_cut(world);
    } else {
        node_world_kill(world);
    }
    node_world_up(world);
    if (node_world_open(world) != OK) {
        node_world_violate(world, "the node does not start: %s", buf_text(&world->text));
        return;
    }
    node_world_settle(world);
    if (world->wave_count > 1 && world->waves[1].state == WAVE_COMMITTED) {
        node_world_check(world);
    }
}

static struct io_sim_sites *sites; /* met by any of the tests below */

struct sweep {
    enum io_sim_call kind;
    int error;
    bool for_ever;
    uint64_t violations;
    uint64_t failed;
};

/* Returns: whether the story made as many calls. */
static bool fail_nth(struct sweep *sweep, uint64_t n)
{
    const struct io_sim_options options = {.sites = sites};
    struct node_world world;

    node_world_init(&world, SEED, &options, sometimes);
    io_sim_fail(world.io, sweep->kind, n, sweep->error, sweep->for_ever);
    story(&world);
    bool is_struck = io_sim_calls(world.io, sweep->kind) >= n;
    sweep->failed += world.is_failed;
    recover(&world, n % 2 == 0);
    if (world.violation[0] != '\0') {
        print_error("call %llu, %s%s: %s\n", (unsigned long long)n, error_name(sweep->error),
                    sweep->for_ever ? " for ever" : "", world.violation);
        sweep->violations++;
    }
    node_world_fini(&world);
    return is_struck;
}

/* How far it is from one call to the next that fails: with sanitizers, where a story costs ten
 * times as much, a fifth of them at merge time; without, all. */
static uint64_t every(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? 1 : 5;
#else
    return 1;
#endif
}

static void run(struct sweep *sweep)
{
    uint64_t n = 1;

    while (n < CALLS_MAX && fail_nth(sweep, n)) {
        n += every();
    }
    print_message("%llu calls, %llu nodes stopped\n", (unsigned long long)n - 1,
                  (unsigned long long)sweep->failed);
    assert_true(n < CALLS_MAX);
    assert_int_equal(sweep->violations, 0);
}

static void node__any_call_fails_once__keeps_what_it_told(void **state)
{
    struct sweep sweep = {.kind = IO_SIM_ANY, .error = ERR_IO};

    (void)state;
    run(&sweep);
}

static void node__any_sync_fails_for_ever__keeps_what_it_told(void **state)
{
    struct sweep sweep = {.kind = IO_SIM_SYNC, .error = ERR_IO, .for_ever = true};

    (void)state;
    run(&sweep);
}

static void node__any_write_finds_no_room__keeps_what_it_told(void **state)
{
    struct sweep sweep = {.kind = IO_SIM_WRITE, .error = ERR_DISK_FULL};

    (void)state;
    run(&sweep);
}

static void node__any_sync_finds_no_room__keeps_what_it_told(void **state)
{
    struct sweep sweep = {.kind = IO_SIM_SYNC, .error = ERR_DISK_FULL};

    (void)state;
    run(&sweep);
}

/* Power fails at some call, and in the start after that another call fails. */
static uint64_t fail_in_recovery(uint64_t cut, uint64_t n)
{
    const struct io_sim_options options = {.sites = sites};
    struct node_world world;

    node_world_init(&world, SEED, &options, sometimes);
    io_sim_crash_at(world.io, cut);
    story(&world);
    if (io_sim_is_down(world.io)) {
        node_world_fallen(&world);
    } else {
        node_world_kill(&world);
    }
    node_world_up(&world);
    io_sim_fail(world.io, IO_SIM_ANY, n, ERR_IO, false);
    if (node_world_open(&world) == OK) {
        node_world_run_ms(&world, CALM_MS);
    }
    recover(&world, (cut + n) % 2 == 0);
    uint64_t violations = world.violation[0] != '\0';
    if (violations > 0) {
        print_error("cut in call %llu, failure in call %llu: %s\n", (unsigned long long)cut,
                    (unsigned long long)n, world.violation);
    }
    node_world_fini(&world);
    return violations;
}

static void node__any_call_fails_in_recovery__keeps_what_it_told(void **state)
{
    uint64_t violations = 0;

    (void)state;
    for (uint64_t cut = 1; cut < CUTS; cut += CUT_STRIDE) {
        for (uint64_t n = 1 + cut % RECOVERY_STRIDE; n < RECOVERY_CALLS; n += RECOVERY_STRIDE) {
            violations += fail_in_recovery(cut, n);
        }
    }
    assert_int_equal(violations, 0);
}

static void begin(struct node_world *world)
{
    const struct io_sim_options options = {.sites = sites};

    node_world_init(world, SEED, &options, sometimes);
    assert_int_equal(node_world_open(world), OK);
}

static void end(struct node_world *world, bool is_cut)
{
    recover(world, is_cut);
    assert_string_equal(world->violation, "");
    node_world_fini(world);
}

/* A snapshot, or a spare segment, finds no room, and what it began cannot be removed either. */
static void node__file_without_room_that_stays__keeps_what_it_told(void **state)
{
    struct node_world world;

    (void)state;
    for (uint64_t n = 1; n <= 6; n++) {
        begin(&world);
        import(&world);
        import(&world);
        io_sim_fail(world.io, IO_SIM_WRITE, n, ERR_DISK_FULL, false);
        io_sim_fail(world.io, IO_SIM_REMOVE, 2, ERR_IO, false);
        assert_int_equal(engine_snapshot(world.node->engine, NODE_GROUP_SHARD, NULL),
                         SM_PENDING);
        node_world_run_ms(&world, CALM_MS);
        end(&world, n % 2 == 0);

        begin(&world);
        io_sim_fail(world.io, IO_SIM_WRITE, n, ERR_DISK_FULL, false);
        io_sim_fail(world.io, IO_SIM_REMOVE, 1, ERR_IO, false);
        import(&world);
        end(&world, n % 2 == 0);
    }
}

/* This place in the code counts as well: it meets its failure first. */
static void put_empty_file(struct io *io, const char *path)
{
    struct io_file *file;
    int rc = ERR_IO;

    io_sim_fail(io, IO_SIM_OPEN, 1, ERR_IO, false);
    for (int i = 0; i < 2 && rc != OK; i++) {
        rc = io_file_open(io, path, IO_OPEN_CREATE, &file);
    }
    assert_int_equal(rc, OK);
    io_file_close(io, file);
}

/* What a snapshot left behind that was never finished does not go. */
static void node__leftover_that_stays__keeps_what_it_told(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world);
    import(&world);
    node_world_close(&world);
    put_empty_file(world.io, "data/snapshots/snapshot-0001-0000000000000001.tmp");
    io_sim_fail(world.io, IO_SIM_REMOVE, 1, ERR_IO, false);
    assert_int_equal(node_world_open(&world), ERR_IO);
    end(&world, true);
}

/* The trail is ahead of the snapshot and written once more; a file in which nothing is goes. */
static void node__audit_trail_cannot_be_taken_up__keeps_what_it_told(void **state)
{
    struct node_world world;

    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        begin(&world);
        import(&world);
        import(&world);
        node_world_close(&world);
        if (n == 3) {
            put_empty_file(world.io, "data/audit/audit-09999999999999999999");
            io_sim_fail(world.io, IO_SIM_REMOVE, 1, ERR_IO, false);
        } else {
            io_sim_fail(world.io, IO_SIM_WRITE, n, ERR_IO, false);
        }
        assert_int_equal(node_world_open(&world), ERR_IO);
        end(&world, n % 2 == 0);
    }
}

/* Name the places that met no failure; addr2line knows them. */
static void describe(void)
{
    struct buf text;
    char *rest = NULL;

    buf_init(&text, DESCRIPTION_BYTES);
    assert_int_equal(io_sim_sites_describe(sites, &text), OK);
    char *lines = strdup(buf_text(&text));
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, "failures        0 ") != NULL) {
            print_error("%s\n", line);
        }
    }
    free(lines);
    buf_fini(&text);
}

static void node__every_place_that_calls_files__has_met_a_failure(void **state)
{
    (void)state;
    print_message("%zu places\n", io_sim_sites_seen(sites));
    describe();
    if (every() == 1) {
        assert_int_equal(io_sim_sites_failed(sites), io_sim_sites_seen(sites));
    }
}

static int make_sites(void **state)
{
    (void)state;
    sites = io_sim_sites_create();
    return 0;
}

static int free_sites(void **state)
{
    (void)state;
    io_sim_sites_destroy(sites);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__any_call_fails_once__keeps_what_it_told),
        cmocka_unit_test(node__any_sync_fails_for_ever__keeps_what_it_told),
        cmocka_unit_test(node__any_write_finds_no_room__keeps_what_it_told),
        cmocka_unit_test(node__any_sync_finds_no_room__keeps_what_it_told),
        cmocka_unit_test(node__any_call_fails_in_recovery__keeps_what_it_told),
        cmocka_unit_test(node__file_without_room_that_stays__keeps_what_it_told),
        cmocka_unit_test(node__leftover_that_stays__keeps_what_it_told),
        cmocka_unit_test(node__audit_trail_cannot_be_taken_up__keeps_what_it_told),
        cmocka_unit_test(node__every_place_that_calls_files__has_met_a_failure),
    };

    return cmocka_run_group_tests(tests, make_sites, free_sites);
}
