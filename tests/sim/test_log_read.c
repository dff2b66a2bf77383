/* Entries are read back: the ones that count, at what they cost, whatever happens meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "log/read.h"
#include "tests/lib/log_bed.h"
#include "tests/lib/log_world.h"

enum { READERS = 4 };

struct reader {
    struct log_read read;
    struct log_bed *bed;
    uint64_t void_from; /* the lowest truncation appended meanwhile */
    bool is_busy;
    int status;
    uint64_t calls;
};

/* What is returned is what the group holds: nothing void, nothing else. */
static void check_rows(const struct reader *reader)
{
    const struct log_read *read = &reader->read;

    assert_true(read->count > 0 && read->count <= read->count_max);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < read->count; i++) {
        const struct log_record *record = &read->records[i];
        assert_int_equal(record->group, read->group);
        assert_int_equal(record->index, read->index + i);
        assert_true(record->index < reader->void_from);
        assert_true(log_bed_is_it(reader->bed, reader->bed->told_groups, record));
        bytes += record->payload.len;
    }
    assert_true(read->count == 1 || bytes <= read->bytes_max);
}

static void on_read(struct log_read *read, int status)
{
    struct reader *reader = CONTAINER_OF(read, struct reader, read);

    reader->is_busy = false;
    reader->status = status;
    reader->calls++;
    if (status == OK) {
        check_rows(reader);
    } else {
        assert_int_equal(read->count, 0);
    }
}

static void begin(struct reader *reader, uint32_t group, uint64_t index, uint32_t count,
                  uint64_t bytes)
{
    reader->read.group = group;
    reader->read.index = index;
    reader->read.count_max = count;
    reader->read.bytes_max = bytes;
    reader->read.done = on_read;
    reader->void_from = UINT64_MAX;
    reader->is_busy = true;
    log_read_submit(&reader->bed->log, &reader->read);
    assert_true(reader->is_busy);
}

static void wait_for(struct reader *reader)
{
    for (int i = 0; i < 100000 && reader->is_busy; i++) {
        log_bed_step(reader->bed, 1);
    }
    assert_false(reader->is_busy);
}

static int read_now(struct reader *reader, uint32_t group, uint64_t index, uint32_t count,
                    uint64_t bytes)
{
    begin(reader, group, index, count, bytes);
    wait_for(reader);
    return reader->status;
}

struct fixture {
    struct log_bed *bed;
    struct reader readers[READERS];
};

static void init(struct fixture *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->bed = log_bed_create(seed, NULL);
    for (int i = 0; i < READERS; i++) {
        f->readers[i].bed = f->bed;
    }
}

static void fini(struct fixture *f)
{
    assert_string_equal(f->bed->violation, "");
    for (int i = 0; i < READERS; i++) {
        log_read_fini(&f->readers[i].read);
    }
    log_bed_destroy(f->bed);
}

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);

    assert_non_null(f);
    init(f, 5);
    assert_int_equal(log_bed_open(f->bed), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fini(*state);
    free(*state);
    return 0;
}

static void append(struct log_bed *bed, uint32_t group, int count)
{
    for (int i = 0; i < count; i++) {
        enum log_type type = i % 9 == 4 ? LOG_CONFIGURATION : LOG_ENTRY;
        assert_int_equal(log_bed_append(bed, group, type), OK);
        if (i % 4 == 3) {
            assert_true(log_bed_settle(bed));
        }
    }
    assert_true(log_bed_settle(bed));
}

static void log_read__after_a_restart__finds_every_entry(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];

    for (int i = 0; i < 100; i++) {
        append(f->bed, (uint32_t)i % 5, 3);
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t group = 0; group < 5; group++) {
            for (uint64_t index = 1; index <= 60;) {
                assert_int_equal(read_now(reader, group, index, 7, 500), OK);
                index += reader->read.count;
            }
            assert_int_equal(read_now(reader, group, 61, 7, 500), ERR_GONE);
            assert_int_equal(read_now(reader, group, 0, 7, 500), ERR_GONE);
            assert_int_equal(read_now(reader, group, UINT64_MAX, 7, 500), ERR_GONE);
        }
        log_read_fini(&reader->read);
        assert_int_equal(log_bed_restart(f->bed, true), OK);
    }
}

static void log_read__not_durable_yet__is_gone(void **state)
{
    struct fixture *f = *state;

    append(f->bed, 1, 3);
    assert_int_equal(log_bed_append(f->bed, 1, LOG_ENTRY), OK);
    begin(&f->readers[0], 1, 4, 10, 1000);
    begin(&f->readers[1], 1, 1, 10, 1000000);
    wait_for(&f->readers[0]);
    wait_for(&f->readers[1]);
    assert_int_equal(f->readers[0].status, ERR_GONE);
    assert_int_equal(f->readers[1].status, OK);
    assert_int_equal(f->readers[1].read.count, 3);
    assert_true(log_bed_settle(f->bed));
    assert_int_equal(read_now(&f->readers[0], 1, 4, 10, 1000), OK);
}

/* Entries 6 to 9 are void as soon as the truncation is appended: for reads on their way, for
 * new ones, and though entries 8 and 9 become durable only then. */
static void log_read__truncated_meanwhile__returns_nothing_void(void **state)
{
    struct fixture *f = *state;
    struct reader *readers = f->readers;

    append(f->bed, 2, 7);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(log_bed_append(f->bed, 2, LOG_ENTRY), OK);
        log_bed_step(f->bed, 1);
    }
    begin(&readers[0], 2, 3, 100, 100000);
    begin(&readers[1], 2, 6, 100, 100000);
    assert_int_equal(log_bed_truncate(f->bed, 2, 6), OK);
    readers[0].void_from = 6;
    readers[1].void_from = 6;
    begin(&readers[2], 2, 5, 100, 100000);
    begin(&readers[3], 2, 7, 100, 100000);
    readers[2].void_from = 6;
    for (int i = 0; i < READERS; i++) {
        wait_for(&readers[i]);
        assert_int_equal(readers[i].status, i == 0 || i == 2 ? OK : ERR_GONE);
    }
    assert_int_equal(readers[0].read.count, 3);
    assert_int_equal(readers[2].read.count, 1);
    append(f->bed, 2, 3);
    for (uint64_t index = 1; index <= 8; index++) {
        assert_int_equal(read_now(&readers[0], 2, index, 100, 100000), OK);
        assert_int_equal(readers[0].read.count, 9 - index);
    }
    assert_int_equal(log_bed_restart(f->bed, false), OK);
    for (int i = 0; i < READERS; i++) {
        log_read_fini(&readers[i].read);
    }
    for (uint64_t index = 1; index <= 8; index++) {
        assert_int_equal(read_now(&readers[0], 2, index, 100, 100000), OK);
        assert_int_equal(readers[0].read.count, 9 - index);
    }
}

/* A request that is used again goes on where it ended, unless what follows stands elsewhere
 * now. */
static void log_read__goes_on_after_a_truncation__returns_the_new_entries(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];

    append(f->bed, 1, 10);
    assert_int_equal(read_now(reader, 1, 1, 6, 100000), OK);
    assert_int_equal(log_bed_truncate(f->bed, 1, 7), OK);
    append(f->bed, 1, 4);
    assert_int_equal(read_now(reader, 1, 7, 2, 100000), OK);
    assert_int_equal(log_bed_truncate(f->bed, 1, 4), OK);
    append(f->bed, 1, 9);
    assert_int_equal(read_now(reader, 1, 9, 3, 100000), OK);
    assert_int_equal(reader->read.count, 3);
}

/* ---- what it costs ---- */

static uint64_t looked(struct fixture *f)
{
    struct log_stats stats;

    log_stats(&f->bed->log, &stats);
    return stats.read_bytes;
}

/* One group alone, read from end to end: about one pass over what it wrote. */
static void log_read__sequential__is_one_pass(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];
    struct log_stats stats;

    log_bed_destroy(f->bed);
    init(f, 6);
    f->bed->options.segment_bytes = 1 << 20;
    f->bed->options.batch_bytes = 64 << 10;
    assert_int_equal(log_bed_open(f->bed), OK);
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 50; k++) {
            assert_int_equal(log_bed_append(f->bed, 1, LOG_ENTRY), OK);
        }
        assert_true(log_bed_settle(f->bed));
    }
    log_stats(&f->bed->log, &stats);
    for (uint64_t index = 1; index <= 5000; index += reader->read.count) {
        assert_int_equal(read_now(reader, 1, index, 20, 100000), OK);
    }
    print_message("%llu bytes looked at, %llu written\n", (unsigned long long)looked(f),
                  (unsigned long long)stats.bytes);
    assert_true(looked(f) < stats.bytes + stats.bytes / 8);
}

static void
log_read__many_groups_interleaved__looks_at_little_more_than_it_returns(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];

    log_bed_destroy(f->bed);
    init(f, 7);
    f->bed->options.groups = 64;
    f->bed->options.segment_bytes = 4 << 20;
    f->bed->options.batch_bytes = 64 << 10;
    assert_int_equal(log_bed_open(f->bed), OK);
    for (int i = 0; i < 400; i++) {
        for (uint32_t group = 0; group < 64; group++) {
            assert_int_equal(log_bed_append(f->bed, group, LOG_ENTRY), OK);
        }
        assert_true(log_bed_settle(f->bed));
    }
    /* A few entries anywhere: the extent they are in, not the segment. */
    for (int i = 0; i < 200; i++) {
        uint32_t group = (uint32_t)rng_below(&f->bed->rng, 64);
        uint64_t before = looked(f);
        log_read_fini(&reader->read);
        assert_int_equal(read_now(reader, group, rng_between(&f->bed->rng, 1, 398), 2, 100000),
                         OK);
        assert_true(looked(f) - before <= 3 * LOG_EXTENT_SPAN_MIN);
    }
    /* All of one group: what lies between must be walked, but once. */
    uint64_t before = looked(f);
    for (uint64_t index = 1; index <= 400; index += reader->read.count) {
        assert_int_equal(read_now(reader, 33, index, 10, 100000), OK);
    }
    assert_true(looked(f) - before < 2 * (4 << 20) + (1 << 20));
    print_message("%llu bytes looked at for one group of 64\n",
                  (unsigned long long)(looked(f) - before));
}

/* ---- damage and failures ---- */

static void log_read__every_byte_of_the_log_spoilt__is_damage_or_right(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];
    static const char *const path = "log/log-0000000000000002";
    char where[64];
    uint64_t damages = 0;

    io_sim_run_ms(f->bed->sim, 500);
    for (uint32_t i = 0; i < 24; i++) {
        append(f->bed, i % 2, 1);
    }
    uint64_t end = f->bed->log.durable.end;
    assert_int_equal(f->bed->log.durable.serial, 2);
    for (uint64_t offset = 0; offset < end; offset++) {
        unsigned bit = (unsigned)(offset % 8);
        assert_int_equal(io_sim_flip_bit(f->bed->io, path, offset, bit), OK);
        uint64_t index = 0;
        do {
            log_read_fini(&reader->read); /* it is not to answer from memory */
            int status = read_now(reader, 1, index + 1, 100, 100000);
            if (status != OK) {
                assert_int_equal(status, ERR_DAMAGED);
                damages++;
                assert_non_null(strstr(log_text(&f->bed->log), path));
                (void)snprintf(where, sizeof where, "offset ");
                const char *at = strstr(log_text(&f->bed->log), where);
                assert_non_null(at);
                uint64_t named = strtoull(at + strlen(where), NULL, 10);
                if (named > offset || offset - named >= 4000) {
                    fail_msg("spoilt at %llu: %s", (unsigned long long)offset,
                             log_text(&f->bed->log));
                }
                break;
            }
            index += reader->read.count;
        } while (index < 12);
        assert_int_equal(io_sim_flip_bit(f->bed->io, path, offset, bit), OK);
    }
    print_message("%llu of %llu spoilt bytes were in the way\n", (unsigned long long)damages,
                  (unsigned long long)end);
    assert_true(damages > end / 8);
    assert_false(f->bed->is_failed);
    assert_int_equal(read_now(reader, 1, 1, 100, 100000), OK);
}

/* Every file call of a read fails once: the read says so, the log goes on. */
static void log_read__every_call_fails__says_so_and_the_log_goes_on(void **state)
{
    struct io_sim_sites *sites = io_sim_sites_create();
    struct io_sim_options options = {.sites = sites};
    struct log_bed *bed = log_bed_create(8, &options);
    struct reader reader = {.bed = bed};
    int failures = 0;
    (void)state;

    assert_int_equal(log_bed_open(bed), OK);
    append(bed, 1, 200); /* several segments */
    io_sim_run_ms(bed->sim, 2000);
    for (uint64_t n = 1;; n++) {
        uint64_t before = io_sim_calls(bed->io, IO_SIM_ANY);
        io_sim_fail(bed->io, IO_SIM_ANY, n, ERR_IO, false);
        log_read_fini(&reader.read);
        int status = read_now(&reader, 1, 1, 200, 1 << 20);
        bool has_struck = io_sim_calls(bed->io, IO_SIM_ANY) - before >= n;
        io_sim_fail_clear(bed->io);
        assert_int_equal(status, has_struck ? ERR_IO : OK);
        failures += has_struck ? 1 : 0;
        if (!has_struck) {
            break;
        }
    }
    assert_true(failures > 3);
    assert_false(bed->is_failed);
    append(bed, 1, 5);
    log_bed_close(bed);
    assert_string_equal(bed->violation, "");
    log_read_fini(&reader.read);
    log_bed_destroy(bed);
    io_sim_sites_destroy(sites);
}

static void log_close__with_reads_under_way__waits_for_them(void **state)
{
    struct fixture *f = *state;

    append(f->bed, 1, 30);
    begin(&f->readers[0], 1, 1, 100, 100000);
    log_bed_close(f->bed);
    assert_int_equal(f->readers[0].calls, 1);
    assert_int_equal(f->readers[0].status, OK);
}

/* ---- at random ---- */

/* Whether an answer that there is nothing can be right. */
static bool may_be_gone(const struct fixture *f, const struct reader *reader,
                        uint64_t told_before)
{
    const struct log_read *read = &reader->read;

    return read->index == 0 || read->index > told_before || read->index >= reader->void_from ||
           read->index <= f->bed->released[read->group];
}

static void truncate_some(struct fixture *f, uint32_t group)
{
    struct log_bed *bed = f->bed;
    uint64_t last = bed->appended_groups[group].last;
    uint64_t lowest = bed->released[group] + 1;

    uint64_t reach = last < 20 ? 0 : last - 20;
    uint64_t index = rng_between(&bed->rng, reach > lowest ? reach : lowest,
                                 (last > lowest ? last : lowest) + 1);
    if (log_bed_truncate(bed, group, index) != OK) {
        return;
    }
    for (int i = 0; i < READERS; i++) {
        struct reader *reader = &f->readers[i];
        if (reader->is_busy && reader->read.group == group && index < reader->void_from) {
            reader->void_from = index;
        }
    }
}

/* Some of what is durable and will not be voided is in a snapshot, let us say. */
static void release_some(struct fixture *f, uint32_t group)
{
    struct log_bed *bed = f->bed;
    uint64_t told = bed->told_groups[group].last;
    uint64_t appended = bed->appended_groups[group].last;
    uint64_t last = told < appended ? told : appended;

    if (last > bed->released[group] + 20) {
        bed->released[group] = last - 20;
        log_release(&bed->log, group, last - 20);
    }
}

static void restart(struct fixture *f)
{
    assert_int_equal(log_bed_restart(f->bed, rng_below(&f->bed->rng, 2) == 0), OK);
    for (uint32_t group = 0; group < 5; group++) {
        log_release(&f->bed->log, group, f->bed->released[group]);
    }
    for (int i = 0; i < READERS; i++) {
        struct reader *reader = &f->readers[i];
        if (reader->is_busy) { /* its process is gone */
            reader->read.node = (struct list){NULL, NULL};
            reader->is_busy = false;
        }
        log_read_fini(&reader->read);
    }
}

/* The last entry that a read must find. While truncations are on their way, what the first of
 * them voided may be withheld even when it was appended anew. */
static uint64_t readable_last(const struct log_bed *bed, uint32_t group)
{
    uint64_t last = bed->told_groups[group].last;
    bool is_pending = false;

    for (uint64_t number = bed->told + 1; number <= bed->appended; number++) {
        const struct log_bed_step *step = &bed->steps[number];
        is_pending = is_pending || (step->group == group && step->type == LOG_TRUNCATE);
    }
    assert_int_equal(is_pending, bed->log.voids[group].pending > 0);
    uint64_t from = bed->log.voids[group].from;
    return is_pending && from <= last ? from - 1 : last;
}

static void read_some(struct fixture *f, uint64_t *told_before)
{
    struct log_bed *bed = f->bed;
    uint64_t i = rng_below(&bed->rng, READERS);
    struct reader *reader = &f->readers[i];
    uint32_t group = (uint32_t)rng_below(&bed->rng, 5);

    if (reader->is_busy) {
        return;
    }
    uint64_t index = rng_between(&bed->rng, bed->released[group],
                                 bed->released[group] + bed->told_groups[group].last / 2 + 2);
    if (reader->calls > 0 && reader->status == OK && rng_below(&bed->rng, 3) > 0) {
        group = reader->read.group;
        index = reader->read.index + reader->read.count;
    }
    told_before[i] = readable_last(bed, group);
    begin(reader, group, index, (uint32_t)rng_between(&bed->rng, 1, 40),
          rng_below(&bed->rng, 5000));
}

static void check_gone(const struct fixture *f, const uint64_t *told_before,
                       const bool was_busy[READERS], uint64_t *gone)
{
    for (int i = 0; i < READERS; i++) {
        const struct reader *reader = &f->readers[i];
        if (was_busy[i] && !reader->is_busy && reader->status != OK) {
            assert_int_equal(reader->status, ERR_GONE);
            assert_true(may_be_gone(f, reader, told_before[i]));
            (*gone)++;
        }
    }
}

static void random_story(uint64_t seed, uint32_t extents_max, uint64_t totals[2])
{
    struct fixture f;
    uint64_t told_before[READERS] = {0};
    bool was_busy[READERS] = {false};

    init(&f, seed);
    f.bed->options.extents_max = extents_max;
    assert_int_equal(log_bed_open(f.bed), OK);
    for (int i = 0; i < 3000; i++) {
        uint32_t group = (uint32_t)rng_below(&f.bed->rng, 5);
        uint64_t draw = rng_below(&f.bed->rng, 100);
        if (draw < 40) {
            int status = log_bed_append(f.bed, group, draw < 4 ? LOG_CONFIGURATION : LOG_ENTRY);
            ASSERT(status == OK || status == ERR_BUSY);
        } else if (draw < 44) {
            truncate_some(&f, group);
        } else if (draw < 48) {
            release_some(&f, group);
        } else if (draw < 75) {
            read_some(&f, told_before);
        } else if (draw == 99 && rng_below(&f.bed->rng, 4) == 0) {
            restart(&f);
        }
        for (int k = 0; k < READERS; k++) {
            was_busy[k] = f.readers[k].is_busy;
        }
        log_bed_step(f.bed, (int)rng_below(&f.bed->rng, 4));
        check_gone(&f, told_before, was_busy, &totals[1]);
    }
    for (int i = 0; i < READERS; i++) {
        totals[0] += f.readers[i].calls;
        if (f.readers[i].is_busy) {
            wait_for(&f.readers[i]);
        }
    }
    fini(&f);
}

static void log_read__random_story__returns_what_the_model_has(void **state)
{
    static const uint64_t seeds[] = {15, 80, 1500}; /* [enum log_world_size] */
    uint64_t totals[2] = {0};
    (void)state;

    for (uint64_t seed = 1; seed <= seeds[log_world_size()]; seed++) {
        random_story(seed, seed % 3 == 0 ? 3 : 1 << 18, totals);
    }
    print_message("%llu reads, %llu of them of entries that are gone\n",
                  (unsigned long long)totals[0], (unsigned long long)totals[1]);
    assert_true(totals[1] > 100 && totals[0] > 2 * totals[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(log_read__after_a_restart__finds_every_entry, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_read__not_durable_yet__is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(log_read__truncated_meanwhile__returns_nothing_void,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            log_read__goes_on_after_a_truncation__returns_the_new_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(log_read__sequential__is_one_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(
            log_read__many_groups_interleaved__looks_at_little_more_than_it_returns, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            log_read__every_byte_of_the_log_spoilt__is_damage_or_right, setup, teardown),
        cmocka_unit_test_setup_teardown(log_read__every_call_fails__says_so_and_the_log_goes_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(log_close__with_reads_under_way__waits_for_them, setup,
                                        teardown),
        cmocka_unit_test(log_read__random_story__returns_what_the_model_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
