/* The audit trail on a simulated disk: nothing synced is lost, what is lost is the tail only,
 * and a full disk is waited out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io_sim/io_sim.h"
#include "node/audit.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

enum { RUN_MS = 60000 };

struct world {
    struct io_sim *sim;
    struct io *io;
    struct audit *audit;
    bool is_closed;
    struct audit_query query;
    bool is_found;
};

static void world_open(struct world *world)
{
    struct buf text;

    buf_init(&text, 4096);
    int rc = audit_open(world->io, "/data/audit", UINT64_MAX, 0, &world->audit, &text);
    if (rc != OK) {
        print_error("%s\n", buf_text(&text));
    }
    assert_int_equal(rc, OK);
    buf_fini(&text);
    world->is_closed = false;
}

static void on_closed(void *context)
{
    ((struct world *)context)->is_closed = true;
}

static bool closed(void *context)
{
    return ((struct world *)context)->is_closed;
}

static void world_close(struct world *world)
{
    world->is_closed = false;
    audit_close(world->audit, on_closed, world);
    assert_true(world->is_closed || io_sim_run_until(world->sim, closed, world, RUN_MS));
}

static void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.sim = io_sim_create(seed, NULL)};
    world->io = io_sim_machine_create(world->sim, "10.0.0.1");
    world_open(world);
}

/* Records first..last; those of even index are of student "even". */
static void append(struct world *world, uint64_t first, uint64_t last)
{
    char by[64];

    for (uint64_t index = first; index <= last; index++) {
        (void)snprintf(by, sizeof by, "registrar %llu", (unsigned long long)index);
        struct audit_record record = {
            .index = index,
            .wall_ms = 1000 * index,
            .method = CARILLON__METHOD__METHOD_BLOCK,
            .status = (uint32_t)(index % 3),
            .student = index % 2 == 0 ? SLICE_LITERAL("even") : SLICE_LITERAL("odd"),
            .by = slice_from_text(by),
            .notes = SLICE_LITERAL("a note"),
        };
        audit_append(world->audit, &record);
    }
}

static void on_found(struct audit_query *query)
{
    CONTAINER_OF(query, struct world, query)->is_found = true;
}

static bool found(void *context)
{
    return ((struct world *)context)->is_found;
}

/* All records of @student, by pages; checks that each is whole and in order. Returns: how many;
 * @ret_last the last index. */
static uint64_t read_all(struct world *world, const char *student, uint64_t *ret_last)
{
    Carillon__AuditRequest request = CARILLON__AUDIT_REQUEST__INIT;
    struct arena scratch;
    uint64_t count = 0;

    arena_init(&scratch, 64 << 20);
    request.student = wire_text(student);
    *ret_last = 0;
    do {
        buf_init(&world->query.request, 4096);
        buf_init(&world->query.reply, AUDIT_REPLY_BYTES_MAX);
        assert_int_equal(wire_pack(&request.base, &world->query.request), OK);
        world->is_found = false;
        audit_find(world->audit, &world->query, on_found);
        assert_true(io_sim_run_until(world->sim, found, world, RUN_MS));
        assert_int_equal(world->query.status, OK);
        const Carillon__AuditReply *reply = wire_unpack(
            &carillon__audit_reply__descriptor, buf_slice(&world->query.reply), &scratch);
        assert_non_null(reply);
        for (size_t i = 0; i < reply->n_records; i++) {
            char by[64];

            (void)snprintf(by, sizeof by, "registrar %llu",
                           (unsigned long long)reply->records[i]->index);
            assert_true(reply->records[i]->index > *ret_last);
            assert_string_equal(reply->records[i]->by, by);
            assert_string_equal(reply->records[i]->text, "a note");
            *ret_last = reply->records[i]->index;
            count++;
        }
        request.after_index = reply->next_after_index;
        buf_fini(&world->query.request);
        buf_fini(&world->query.reply);
    } while (request.after_index != 0);
    arena_fini(&scratch);
    return count;
}

static void audit__closed_and_opened__has_every_record_once(void **state)
{
    struct world world;
    uint64_t last;

    (void)state;
    world_init(&world, 1);
    append(&world, 5, 2000);
    world_close(&world);
    world_open(&world);
    assert_true(audit_last_index(world.audit) == 2000);
    append(&world, 2001, 2500);
    assert_true(read_all(&world, "", &last) == 2496);
    assert_true(last == 2500);
    assert_true(read_all(&world, "even", &last) == 1248);
    world_close(&world);
    io_sim_destroy(world.sim);
}

static bool synced(void *context)
{
    const struct world *world = context;

    return audit_synced_index(world->audit) >= 3000;
}

/* Power fails while later blocks are on their way. What was synced is there; the rest is cut
 * off at some record. */
static void audit__after_a_power_cut__has_all_that_was_synced(void **state)
{
    uint64_t lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world world;
        uint64_t last;

        world_init(&world, seed);
        append(&world, 1, 3000);
        audit_sync(world.audit);
        assert_true(io_sim_run_until(world.sim, synced, &world, RUN_MS));
        append(&world, 3001, 9000);
        io_sim_run_ms(world.sim, seed % 7);
        io_sim_crash(world.io);
        audit_forget(world.audit);
        io_sim_restart(world.io);
        world_open(&world);
        assert_true(audit_last_index(world.audit) >= 3000);
        lost += audit_last_index(world.audit) < 9000;
        append(&world, audit_last_index(world.audit) + 1, 9000);
        assert_true(read_all(&world, "", &last) == 9000);
        world_close(&world);
        io_sim_destroy(world.sim);
    }
    assert_true(lost > 10); /* else the cut was never in the middle */
}

/* The control: with a sync that does nothing the same test must find something missing. */
static void audit__with_a_sync_that_lies__loses_what_it_called_synced(void **state)
{
    uint64_t lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world world;

        world_init(&world, seed);
        io_sim_sync_lies(world.io, true);
        append(&world, 1, 3000);
        audit_sync(world.audit);
        assert_true(io_sim_run_until(world.sim, synced, &world, RUN_MS));
        io_sim_crash(world.io);
        audit_forget(world.audit);
        io_sim_restart(world.io);
        io_sim_sync_lies(world.io, false);
        world_open(&world);
        lost += audit_last_index(world.audit) < 3000;
        world_close(&world);
        io_sim_destroy(world.sim);
    }
    assert_true(lost > 0);
}

static bool full(void *context)
{
    return audit_status(((struct world *)context)->audit) == ERR_DISK_FULL;
}

static void audit__on_a_full_disk__waits_and_goes_on_without_a_gap(void **state)
{
    struct world world;
    uint64_t last;

    (void)state;
    world_init(&world, 3);
    io_sim_disk_bytes_set(world.io, 4096);
    append(&world, 1, 40000);
    audit_sync(world.audit);
    assert_true(io_sim_run_until(world.sim, full, &world, RUN_MS));
    append(&world, 40001, 60000);
    io_sim_disk_bytes_set(world.io, 0);
    io_sim_run_ms(world.sim, 3000);
    assert_int_equal(audit_status(world.audit), OK);
    assert_true(read_all(&world, "", &last) == 60000);
    world_close(&world);
    world_open(&world);
    assert_true(audit_last_index(world.audit) == 60000);
    world_close(&world);
    io_sim_destroy(world.sim);
}

/* Every call that opening or writing makes is failed once: an error is told, and what was
 * synced stays. */
static void audit__with_any_call_failing__never_loses_what_was_synced(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct world world;
        uint64_t last;

        world_init(&world, 5);
        append(&world, 1, 3000);
        audit_sync(world.audit);
        assert_true(io_sim_run_until(world.sim, synced, &world, RUN_MS));
        io_sim_fail(world.io, IO_SIM_ANY, nth, ERR_IO, false);
        append(&world, 3001, 12000);
        world_close(&world);
        struct buf text;
        buf_init(&text, 4096);
        int rc = audit_open(world.io, "/data/audit", UINT64_MAX, 0, &world.audit, &text);
        if (rc != OK) {
            assert_int_equal(rc, ERR_IO);
            assert_true(text.len > 0);
            io_sim_fail_clear(world.io);
            world_open(&world);
        }
        io_sim_fail_clear(world.io);
        assert_true(audit_last_index(world.audit) >= 3000);
        append(&world, audit_last_index(world.audit) + 1, 12000);
        assert_true(read_all(&world, "", &last) == 12000);
        world_close(&world);
        buf_fini(&text);
        io_sim_destroy(world.sim);
    }
}

static bool failed(void *context)
{
    return audit_status(((struct world *)context)->audit) == ERR_IO;
}

/* Who opens the trail again finds all of it in the cache, which calls it clean, and writes it
 * once more before it says that it is durable. */
static void audit__opened_after_a_failed_sync__is_durable(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct world world;

        world_init(&world, seed);
        append(&world, 1, 3000);
        io_sim_fail(world.io, IO_SIM_SYNC, 1, ERR_IO, false);
        audit_sync(world.audit);
        assert_true(io_sim_run_until(world.sim, failed, &world, RUN_MS));
        world_close(&world);
        world_open(&world);
        uint64_t synced = audit_synced_index(world.audit);

        assert_true(synced > 0);
        io_sim_crash(world.io);
        audit_forget(world.audit);
        io_sim_restart(world.io);
        world_open(&world);
        assert_true(audit_last_index(world.audit) >= synced);
        world_close(&world);
        io_sim_destroy(world.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit__closed_and_opened__has_every_record_once),
        cmocka_unit_test(audit__after_a_power_cut__has_all_that_was_synced),
        cmocka_unit_test(audit__with_a_sync_that_lies__loses_what_it_called_synced),
        cmocka_unit_test(audit__on_a_full_disk__waits_and_goes_on_without_a_gap),
        cmocka_unit_test(audit__with_any_call_failing__never_loses_what_was_synced),
        cmocka_unit_test(audit__opened_after_a_failed_sync__is_durable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
