/* The kinds of records that a group's log is made of, and whether there is room for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/log_bed.h"

enum { UNSYNCED_SEEDS = 240 };

static int setup(void **state)
{
    struct log_bed *bed = log_bed_create(3, NULL);

    assert_int_equal(log_bed_open(bed), OK);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct log_bed *bed = *state;

    assert_string_equal(bed->violation, "");
    log_bed_destroy(bed);
    return 0;
}

static void log_append__all_kinds_of_entries__come_back_after_a_power_failure(void **state)
{
    struct log_bed *bed = *state;

    /* Among forty are several without payload. */
    for (int i = 0; i < 40; i++) {
        enum log_type type = i % 3 == 0 ? LOG_CONFIGURATION : LOG_ENTRY;
        assert_int_equal(log_bed_append(bed, 1, type), OK);
        assert_int_equal(log_bed_append(bed, 2, LOG_ENTRY), OK);
        assert_true(log_bed_settle(bed));
    }
    assert_int_equal(log_bed_truncate(bed, 1, 21), OK);
    assert_int_equal(log_bed_append(bed, 1, LOG_CONFIGURATION), OK);
    assert_true(log_bed_settle(bed));
    assert_int_equal(log_bed_restart(bed, true), OK);
    assert_int_equal(bed->told, 82);
    assert_int_equal(bed->told_groups[1].last, 21);
    assert_int_equal(bed->told_groups[1].terms[21], 82);
    assert_int_equal(bed->told_groups[2].last, 40);
}

static void append_many(struct log_bed *bed, uint32_t group, enum log_type type, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(log_bed_append(bed, group, type), OK);
        assert_true(log_bed_settle(bed));
    }
}

/* A configuration counts for recycling like any entry. */
static void log_release__below_a_configuration__keeps_its_segment(void **state)
{
    struct log_bed *bed = *state;

    append_many(bed, 1, LOG_CONFIGURATION, 1);
    append_many(bed, 2, LOG_ENTRY, 200);
    log_release(&bed->log, 2, 200);
    io_sim_run_ms(bed->sim, 1000);
    assert_int_equal(log_pinning_group(&bed->log), 1);
    assert_int_equal(log_dropped(&bed->log, 2), 0);
    log_release(&bed->log, 1, 1);
    io_sim_run_ms(bed->sim, 1000);
    assert_int_equal(log_pinning_group(&bed->log), UINT32_MAX);
    assert_int_equal(log_dropped(&bed->log, 1), 1);
}

/* What was voided keeps no segment: no snapshot will ever reach it. */
static void log_release__of_what_is_left_after_a_truncation__recycles(void **state)
{
    struct log_bed *bed = *state;

    for (int i = 0; i < 2; i++) {
        if (i == 0) {
            append_many(bed, 1, LOG_ENTRY, 50);
            assert_int_equal(log_bed_truncate(bed, 1, 11), OK);
            append_many(bed, 1, LOG_ENTRY, 2);
            append_many(bed, 2, LOG_ENTRY, 200);
        } else {
            assert_int_equal(log_bed_restart(bed, true), OK);
        }
        log_release(&bed->log, 1, i == 0 ? 9 : 12);
        log_release(&bed->log, 2, 200);
        io_sim_run_ms(bed->sim, 1000);
        assert_int_equal(log_pinning_group(&bed->log), i == 0 ? 1 : UINT32_MAX);
    }
    assert_int_equal(log_dropped(&bed->log, 1), 12);
}

/* OK is kept: that many records of any lengths that make up the sum are then taken. */
static void log_room__says_yes__keeps_its_word(void **state)
{
    struct log_bed *bed = *state;
    static uint8_t payload[8 << 10];
    uint64_t index = 0;
    int answers[3] = {0};

    for (int round = 0; round < 3000; round++) {
        uint32_t records = (uint32_t)rng_below(&bed->rng, 12);
        uint64_t bytes = rng_below(&bed->rng, 6000);
        int status = log_room(&bed->log, records, bytes);
        assert_true(status == OK || status == ERR_BUSY || status == ERR_TOO_LARGE);
        assert_int_equal(log_has_room(&bed->log, records, bytes), status == OK);
        answers[status == OK ? 0 : status == ERR_BUSY ? 1 : 2]++;
        for (uint32_t i = 0; i < records && status == OK; i++) {
            size_t len = i + 1 == records ? bytes : rng_below(&bed->rng, bytes + 1);
            struct log_record record = {
                .type = LOG_HARD_STATE,
                .group = 3,
                .index = ++index,
                .payload = {payload, len},
            };
            bytes -= len;
            assert_int_equal(log_append(&bed->log, &record), OK);
        }
        log_bed_step(bed, (int)rng_below(&bed->rng, 3));
    }
    assert_true(answers[0] > 100);
    assert_true(answers[1] > 100);
    /* Exactly a batch fits, one byte more never does. */
    io_sim_run_ms(bed->sim, 100);
    size_t most = log_payload_max(&bed->log);
    assert_int_equal(log_room(&bed->log, 1, most - 7), OK);
    assert_int_equal(log_room(&bed->log, 1, most + 1), ERR_TOO_LARGE);
    assert_int_equal(log_room(&bed->log, 200, 0), ERR_TOO_LARGE);
    assert_int_equal(log_room(&bed->log, UINT32_MAX, UINT64_MAX), ERR_TOO_LARGE);
}

/* Whoever was told that there is no room is told when there is. */
static void log_room__disk_full__says_so_until_there_is_room(void **state)
{
    struct log_bed *bed = *state;
    int status = OK;

    io_sim_run_ms(bed->sim, 50);
    io_sim_disk_bytes_set(bed->io, 1);
    for (int i = 0; i < 2000 && status == OK; i++) {
        status = log_room(&bed->log, 1, 200);
        if (status == OK) {
            assert_int_equal(log_bed_append(bed, 1, LOG_ENTRY), OK);
            assert_true(log_bed_settle(bed));
        }
    }
    assert_int_equal(status, ERR_DISK_FULL);
    io_sim_run_ms(bed->sim, 10);
    assert_true(bed->log.is_refusing_told);
    io_sim_disk_bytes_set(bed->io, 0);
    io_sim_run_ms(bed->sim, 3000);
    assert_false(bed->log.is_refusing_told);
    assert_int_equal(log_room(&bed->log, 1, 200), OK);
}

static void log_room__after_the_disk_failed__is_stopped(void **state)
{
    struct log_bed *bed = *state;

    io_sim_fail(bed->io, IO_SIM_SYNC, 1, ERR_IO, true);
    assert_int_equal(log_bed_append(bed, 1, LOG_ENTRY), OK);
    io_sim_run_ms(bed->sim, 100);
    assert_true(bed->is_failed);
    assert_int_equal(log_room(&bed->log, 1, 1), ERR_STOPPED);
}

/* A segment's name is made by a rename whose sync fails, and the process ends. The next one
 * finds the name, writes behind it and tells: by then the name is durable, whatever the process
 * before left of it. */
static void log_open__after_a_name_that_was_not_synced__makes_it_durable(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= UNSYNCED_SEEDS; seed++) {
        struct log_bed *bed = log_bed_create(seed, NULL);

        assert_int_equal(log_bed_open(bed), OK);
        append_many(bed, 1, LOG_ENTRY, 5);
        io_sim_fail(bed->io, IO_SIM_FOLDER_SYNC, 1 + seed % 3, ERR_IO, false);
        for (int i = 0; i < 2000 && !bed->is_failed; i++) {
            (void)!log_bed_append(bed, 1, LOG_ENTRY);
            log_bed_step(bed, 20);
        }
        assert_true(bed->is_failed);
        io_sim_fail_clear(bed->io);
        assert_int_equal(log_bed_restart(bed, false), OK);
        for (uint64_t i = 0; i < seed % 40; i++) {
            (void)!log_bed_append(bed, 1, LOG_ENTRY);
            log_bed_step(bed, 2 + (int)(seed % 5));
        }
        if (log_bed_restart(bed, true) != OK || bed->violation[0] != '\0') {
            fail_msg("seed %llu: %s", (unsigned long long)seed, bed->violation);
        }
        log_bed_destroy(bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            log_append__all_kinds_of_entries__come_back_after_a_power_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(log_release__below_a_configuration__keeps_its_segment,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            log_release__of_what_is_left_after_a_truncation__recycles, setup, teardown),
        cmocka_unit_test_setup_teardown(log_room__says_yes__keeps_its_word, setup, teardown),
        cmocka_unit_test_setup_teardown(log_room__disk_full__says_so_until_there_is_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_room__after_the_disk_failed__is_stopped, setup,
                                        teardown),
        cmocka_unit_test(log_open__after_a_name_that_was_not_synced__makes_it_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
