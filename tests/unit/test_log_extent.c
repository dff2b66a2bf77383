/* Extents against a list of all that was ever added: walking from an extent's place meets its
 * entries and nothing else of the group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "log/extent.h"

enum { GROUPS = 3, ADDED_MAX = 20000, INDEX_MAX = 8000, SEGMENT = 1 << 20, COPIED_MAX = 16 };

struct added {
    uint32_t group;
    uint64_t index;
    uint64_t serial;
    uint64_t offset;
};

struct fixture {
    struct arena arena;
    struct log_extents extents;
    struct rng rng;
    struct added added[ADDED_MAX];
    uint32_t count;
    uint32_t live[GROUPS][INDEX_MAX]; /* place in added + 1; 0: none */
    uint64_t last[GROUPS];
    uint64_t oldest; /* serial */
    uint64_t serial;
    uint64_t offset;
};

static void init(struct fixture *f, uint64_t seed, uint32_t max)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, UINT64_MAX);
    log_extents_init(&f->extents, &f->arena, GROUPS, max, SEGMENT);
    rng_init(&f->rng, seed);
    f->oldest = 1;
    f->serial = 1;
}

static void add(struct fixture *f, uint32_t group, uint64_t index)
{
    assert_true(f->count < ADDED_MAX && index < INDEX_MAX);
    for (uint64_t i = index; i <= f->last[group]; i++) {
        f->live[group][i] = 0;
    }
    f->added[f->count] = (struct added){group, index, f->serial, f->offset};
    f->count++;
    f->live[group][index] = f->count;
    f->last[group] = index;
    log_extents_add(&f->extents, group, index, f->serial, f->offset);
}

static void cut(struct fixture *f, uint32_t group, uint64_t index)
{
    for (uint64_t i = index; i <= f->last[group]; i++) {
        f->live[group][i] = 0;
    }
    if (index <= f->last[group]) {
        f->last[group] = index - 1;
    }
    log_extents_cut(&f->extents, group, index);
}

static bool is_live(const struct fixture *f, uint32_t group, uint64_t index)
{
    uint32_t at = f->live[group][index];

    return at != 0 && f->added[at - 1].serial >= f->oldest;
}

/* Walk what was added from the extent's place on. */
static void check_extent(const struct fixture *f, uint32_t group,
                         const struct log_extent *extent)
{
    uint64_t expect = extent->first;

    for (uint32_t i = 0; i < f->count && expect < extent->first + extent->count; i++) {
        const struct added *added = &f->added[i];
        if (added->group != group || added->serial != extent->serial ||
            added->offset < extent->offset) {
            continue;
        }
        assert_int_equal(added->index, expect);
        assert_int_equal(f->live[group][expect], i + 1);
        expect++;
    }
    assert_int_equal(expect, extent->first + extent->count);
}

static void check(const struct fixture *f, uint32_t group, uint64_t index)
{
    struct log_extent out[COPIED_MAX];

    uint32_t count = log_extents_copy(&f->extents, group, index, out, COPIED_MAX);
    assert_int_equal(count > 0, is_live(f, group, index));
    for (uint32_t i = 0; i < count; i++) {
        check_extent(f, group, &out[i]);
        if (i > 0) {
            assert_int_equal(out[i].first, out[i - 1].first + out[i - 1].count);
        }
    }
    if (count > 0) {
        assert_true(out[0].first <= index && index < out[0].first + out[0].count);
    }
}

static void change(struct fixture *f)
{
    uint32_t group = (uint32_t)rng_below(&f->rng, GROUPS);
    uint64_t draw = rng_below(&f->rng, 1000);

    f->offset += 64 + rng_below(&f->rng, draw < 20 ? 80000 : 3000);
    if (f->offset >= SEGMENT) {
        f->serial++;
        f->offset = 0;
    }
    if (draw < 10 && f->last[group] > 0) {
        cut(f, group, rng_between(&f->rng, 1, f->last[group] + 2));
    } else if (draw < 13 && f->last[group] > 0) {
        add(f, group, rng_between(&f->rng, 1, f->last[group])); /* in its place */
    } else if (draw < 16) {
        add(f, group, f->last[group] + 5); /* a snapshot was installed */
    } else if (draw < 20 && f->oldest < f->serial) {
        log_extents_drop(&f->extents, f->oldest);
        f->oldest++;
    } else {
        add(f, group, f->last[group] + 1);
    }
}

static void sum(const struct fixture *f)
{
    uint32_t count = 0;

    for (uint32_t group = 0; group < GROUPS; group++) {
        count += f->extents.lists[group].count;
    }
    assert_int_equal(count, f->extents.count);
}

static void run(uint64_t seed, uint32_t max, int changes)
{
    struct fixture *f = malloc(sizeof *f);

    assert_non_null(f);
    init(f, seed, max);
    for (int i = 0; i < changes; i++) {
        change(f);
        uint32_t group = (uint32_t)rng_below(&f->rng, GROUPS);
        check(f, group, rng_between(&f->rng, 1, f->last[group] + 2));
        sum(f);
    }
    for (uint32_t group = 0; group < GROUPS; group++) {
        for (uint64_t index = 1; index <= f->last[group]; index += 7) {
            check(f, group, index);
        }
    }
    arena_fini(&f->arena);
    free(f);
}

static void log_extents__random_changes__lead_to_live_entries_only(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run(seed, UINT32_MAX, 1500);
    }
}

/* With a limit that is reached again and again. */
static void log_extents__few_allowed__lead_to_live_entries_all_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run(seed, (uint32_t)(seed % 5 * 10 + 3), 1500);
    }
}

static void log_extents__beyond_the_limit__look_less_closely(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    (void)state;

    assert_non_null(f);
    init(f, 1, 40);
    for (uint64_t i = 1; i <= 4000; i++) {
        f->offset += 4096;
        if (f->offset >= SEGMENT) {
            f->serial++;
            f->offset = 0;
        }
        add(f, 0, i);
        assert_true(f->extents.count <= 41);
    }
    assert_true(f->extents.span > LOG_EXTENT_SPAN_MIN);
    /* Less is left: closer again. */
    while (f->oldest < f->serial) {
        log_extents_drop(&f->extents, f->oldest);
        f->oldest++;
    }
    assert_int_equal(f->extents.span, LOG_EXTENT_SPAN_MIN);
    check(f, 0, 4000);
    check(f, 0, 1);
    arena_fini(&f->arena);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_extents__random_changes__lead_to_live_entries_only),
        cmocka_unit_test(log_extents__few_allowed__lead_to_live_entries_all_the_same),
        cmocka_unit_test(log_extents__beyond_the_limit__look_less_closely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
