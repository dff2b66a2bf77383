/* Hard states: only a group's newest counts, whatever the log copies forward meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io_sim/io_sim.h"
#include "log/log.h"

enum { ENTRY_BYTES = 1000, ENTRIES = 60 };

struct fixture {
    struct io_sim *sim;
    struct io *io;
    struct log *log;
    uint64_t term;   /* of the newest hard state that came back */
    uint64_t stored; /* records that were told */
    bool is_copy_told;
};

static int on_replayed(void *context, const struct log_record *record)
{
    struct fixture *f = context;

    if (record->type == LOG_HARD_STATE) {
        f->term = record->term;
    }
    return OK;
}

static void on_stored(void *context, const struct log_record *record)
{
    struct fixture *f = context;

    f->stored++;
    f->is_copy_told =
        f->is_copy_told || (record->type == LOG_HARD_STATE && record->index == LOG_HARD_COPY);
}

static void open_log(struct fixture *f)
{
    struct log_options options;
    const struct log_hooks hooks = {
        .context = f, .replayed = on_replayed, .stored = on_stored};

    log_options_default(&options);
    options.folder = "log";
    options.identity = 7;
    options.groups = 1;
    options.is_new = f->stored == 0;
    options.segment_bytes = 16 << 10;
    options.batch_bytes = 8 << 10;
    assert_int_equal(log_open(f->log, f->io, &options, &hooks), OK);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->sim = io_sim_create(5, NULL);
    f->io = io_sim_machine_create(f->sim, "10.0.0.1");
    f->log = calloc(1, sizeof *f->log);
    open_log(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_abandon(f->log);
    io_sim_destroy(f->sim);
    free(f->log);
    free(f);
    return 0;
}

static void append(struct fixture *f, enum log_type type, uint64_t index, uint64_t term)
{
    static const uint8_t payload[ENTRY_BYTES];
    const struct log_record record = {
        .type = type,
        .index = index,
        .term = term,
        .payload = slice_from(payload, type == LOG_ENTRY ? sizeof payload : 16),
    };

    assert_int_equal(log_append(f->log, &record), OK);
}

static void append_and_settle(struct fixture *f, enum log_type type, uint64_t index,
                              uint64_t term)
{
    uint64_t before = f->stored;

    append(f, type, index, term);
    while (f->stored == before) {
        assert_true(io_sim_step(f->sim));
    }
}

/* The first segment holds the hard state and covered entries, the newest is another. */
static void fill(struct fixture *f)
{
    append_and_settle(f, LOG_HARD_STATE, 0, 1);
    for (uint64_t i = 1; i <= ENTRIES; i++) {
        append_and_settle(f, LOG_ENTRY, i, 1);
    }
    io_sim_run_ms(f->sim, 100);
}

static void restart(struct fixture *f)
{
    io_sim_crash(f->io);
    log_abandon(f->log);
    io_sim_restart(f->io);
    f->term = 0;
    open_log(f);
}

static void log_hard_state__recycled_with_its_segment__is_copied_and_not_told(void **state)
{
    struct fixture *f = *state;

    fill(f);
    log_release(f->log, 0, ENTRIES);
    io_sim_run_ms(f->sim, 1000);
    assert_true(log_dropped(f->log, 0) > 0);
    assert_false(f->is_copy_told);
    restart(f);
    assert_int_equal(f->term, 1);
}

static void log_hard_state__on_its_way_when_the_old_one_would_be_copied__counts(void **state)
{
    struct fixture *f = *state;

    fill(f);
    append(f, LOG_HARD_STATE, 0, 2);
    log_release(f->log, 0, ENTRIES); /* asks for the old one's segment at once */
    io_sim_run_ms(f->sim, 1000);
    assert_true(log_dropped(f->log, 0) > 0);
    restart(f);
    assert_int_equal(f->term, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            log_hard_state__recycled_with_its_segment__is_copied_and_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            log_hard_state__on_its_way_when_the_old_one_would_be_copied__counts, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
