/* The log in memory against a plain array, by random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "raft/log.h"

enum { ENTRIES_MAX = 4000, OPERATIONS = 20000, TAIL = 32, BYTES = 600, RUNS = 64 };

struct model {
    raft_term terms[ENTRIES_MAX];
    raft_index base;
    raft_index last;
    raft_index durable;
};

static void compare(const struct raft_log *log, const struct model *model)
{
    assert_int_equal(log->base, model->base);
    assert_int_equal(log->last, model->last);
    assert_int_equal(log->durable, model->durable);
    assert_true(log->tail_first <= log->durable + 1);
    assert_true(log->tail_count <= TAIL && log->tail_bytes <= BYTES);
    for (raft_index i = model->base; i <= model->last; i++) {
        assert_int_equal(raft_log_term(log, i), model->terms[i]);
        if (raft_log_has(log, i)) {
            assert_int_equal(raft_log_at(log, i)->term, model->terms[i]);
            assert_int_equal(raft_log_at(log, i)->payload.len, i % 40);
        }
    }
    assert_int_equal(raft_log_term(log, model->last + 1), 0);
    if (model->base > 0) {
        assert_int_equal(raft_log_term(log, model->base - 1), 0);
    }
}

static void append(struct raft_log *log, struct model *model, struct rng *rng, raft_term *term,
                   uint64_t *sequence)
{
    static const uint8_t bytes[40];
    *term += rng_below(rng, 6) == 0;
    struct raft_entry entry = {
        .term = *term,
        .kind = RAFT_ENTRY_DATA,
        .payload = slice_from(bytes, (model->last + 1) % 40),
        .sequence = ++*sequence,
    };
    if (model->last + 1 < ENTRIES_MAX && raft_log_has_room(log, *term, entry.payload.len)) {
        raft_log_append(log, &entry);
        model->terms[++model->last] = *term;
    }
}

static void check_find_term(const struct raft_log *log, const struct model *model,
                            struct rng *rng, raft_term term)
{
    raft_index index = rng_between(rng, model->base, model->last);
    raft_term wanted = rng_below(rng, term + 2);
    raft_index expected = index;
    while (expected > model->base && model->terms[expected] > wanted) {
        expected--;
    }
    assert_int_equal(raft_log_find_term(log, index, wanted), expected);
}

static void log__random_operations__agrees_with_an_array(void **state)
{
    static struct model model;
    struct raft_log log;
    struct arena arena;
    struct rng rng;
    raft_term term = 1;
    uint64_t sequence = 0;
    uint64_t stored = 0;
    (void)state;

    arena_init(&arena, 1 << 20);
    rng_init(&rng, 7);
    raft_log_init(&log, &arena, TAIL, BYTES, BYTES / 8, RUNS);
    raft_log_reset(&log, 0, 0);
    for (int i = 0; i < OPERATIONS; i++) {
        raft_log_trim(&log, rng_between(&rng, 0, model.last + 1));
        switch (rng_below(&rng, 8)) {
        case 0:
            if (model.last > model.base && rng_below(&rng, 3) == 0) {
                raft_index at = rng_between(&rng, model.base + 1, model.last + 1);
                raft_log_truncate(&log, at);
                model.last = at - 1;
                model.durable = model.durable < at ? model.durable : at - 1;
            }
            break;
        case 1:
            raft_log_compact(&log, rng_between(&rng, model.base, model.durable));
            model.base = log.base;
            break;
        case 2:
        case 3:
            stored = rng_between(&rng, stored, sequence);
            (void)raft_log_stored(&log, stored);
            while (model.durable < model.last &&
                   raft_log_at(&log, model.durable + 1)->sequence <= stored) {
                model.durable++;
            }
            break;
        case 4:
            check_find_term(&log, &model, &rng, term);
            break;
        default:
            append(&log, &model, &rng, &term, &sequence);
            break;
        }
        if (i % 16 == 0) {
            compare(&log, &model);
        }
    }
    assert_true(model.last > 200);
    raft_log_fini(&log);
    assert_int_equal(arena.used, 0);
    arena_fini(&arena);
}

static void log__full__refuses_until_the_disk_has_caught_up(void **state)
{
    struct raft_log log;
    struct arena arena;
    (void)state;

    arena_init(&arena, 1 << 20);
    raft_log_init(&log, &arena, 4, BYTES, BYTES, RUNS);
    raft_log_reset(&log, 0, 0);
    for (uint64_t i = 1; i <= 4; i++) {
        assert_true(raft_log_has_room(&log, 1, 8));
        raft_log_append(&log, &(struct raft_entry){.term = 1, .sequence = i});
    }
    raft_log_trim(&log, 0);
    assert_false(raft_log_has_room(&log, 1, 8));
    assert_true(raft_log_stored(&log, 3));
    raft_log_trim(&log, 0);
    assert_true(raft_log_has_room(&log, 1, 8));
    assert_false(raft_log_has_room(&log, 1, BYTES + 1));
    assert_int_equal(raft_log_term(&log, 1), 1);
    raft_log_fini(&log);
    arena_fini(&arena);
}

static void log__entries_that_nobody_needs__keeps_a_part(void **state)
{
    static const uint8_t bytes[8];
    struct raft_log log;
    struct arena arena;
    (void)state;

    arena_init(&arena, 1 << 20);
    raft_log_init(&log, &arena, TAIL, BYTES, 2 * sizeof bytes, RUNS);
    raft_log_reset(&log, 0, 0);
    for (uint64_t i = 1; i <= 6; i++) {
        struct raft_entry entry = {
            .term = 1, .sequence = i, .payload = slice_from(bytes, sizeof bytes)};

        raft_log_append(&log, &entry);
    }
    raft_log_trim(&log, 7); /* nothing is durable */
    assert_int_equal(log.tail_first, 1);
    assert_true(raft_log_stored(&log, 5));
    raft_log_trim(&log, 3); /* 3 is still to be applied, or sent */
    assert_int_equal(log.tail_first, 3);
    raft_log_trim(&log, 7);
    assert_int_equal(log.tail_first, 5);
    assert_true(raft_log_stored(&log, 6));
    raft_log_trim(&log, 7);
    assert_int_equal(log.tail_bytes, 2 * sizeof bytes);
    raft_log_fini(&log);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__random_operations__agrees_with_an_array),
        cmocka_unit_test(log__full__refuses_until_the_disk_has_caught_up),
        cmocka_unit_test(log__entries_that_nobody_needs__keeps_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
