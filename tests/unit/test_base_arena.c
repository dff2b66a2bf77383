#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/rng.h"

static void arena_cost__every_size__is_tight_and_never_falls(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (size_t size = 1; size <= 300000; size++) {
        uint64_t cost = arena_cost(size);
        assert_true(cost >= size);
        assert_true(cost % 16 == 0);
        assert_true(cost >= before);
        /* Four classes per power of two waste less than a quarter of the size below. */
        assert_true(cost - size < 16 || (cost - size) * 4 < size + 4 ||
                    size > ARENA_LARGE_BYTES);
        before = cost;
    }
    assert_int_equal(arena_cost(1), 16);
    assert_int_equal(arena_cost(16), 16);
    assert_int_equal(arena_cost(17), 32);
    assert_int_equal(arena_cost(128), 128);
    assert_int_equal(arena_cost(129), 160);
    assert_int_equal(arena_cost(161), 192);
    assert_int_equal(arena_cost(256), 256);
    assert_int_equal(arena_cost(257), 320);
    assert_int_equal(arena_cost(ARENA_LARGE_BYTES), ARENA_LARGE_BYTES);
    assert_int_equal(arena_cost(ARENA_LARGE_BYTES + 1), ARENA_LARGE_BYTES + 4096);
}

static void arena_alloc__blocks__are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    enum { BLOCKS = 2000 };
    static uint8_t *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    struct arena arena;
    struct rng rng;
    rng_init(&rng, 3);
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < BLOCKS; i++) {
        sizes[i] = (size_t)rng_between(&rng, 1, i % 50 == 0 ? 90000 : 700);
        blocks[i] = arena_alloc(&arena, sizes[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], i & 0xff, sizes[i]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(blocks[i][at], i & 0xff);
        }
    }
    arena_fini(&arena);
}

static void arena_free__same_class__is_reused_last_in_first_out(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    void *first = arena_alloc(&arena, 40);
    void *second = arena_alloc(&arena, 48);
    arena_free(&arena, first, 40);
    arena_free(&arena, second, 48);
    assert_ptr_equal(arena_alloc(&arena, 33), second);
    assert_ptr_equal(arena_alloc(&arena, 48), first);
    void *other = arena_alloc(&arena, 49); /* another class: nothing of it was freed */
    assert_ptr_not_equal(other, first);
    arena_free(&arena, NULL, 10);
    arena_fini(&arena);
}

static void arena_free__large_block__goes_back_to_the_system(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    void *small = arena_alloc(&arena, 16);
    uint64_t held = arena.held;
    void *a = arena_alloc(&arena, 100000);
    void *b = arena_alloc(&arena, 200000);
    void *c = arena_alloc(&arena, 300000);
    assert_true(arena.held >= held + 600000);
    arena_free(&arena, b, 200000);
    arena_free(&arena, c, 300000);
    arena_free(&arena, a, 100000);
    assert_int_equal(arena.held, held);
    arena_free(&arena, small, 16);
    assert_int_equal(arena.used, 0);
    arena_fini(&arena);
    assert_int_equal(arena.held, 0);
}

static void arena__random_allocs_and_frees__account_for_every_byte(void **state)
{
    (void)state;
    enum { LIVE = 300 };
    static struct {
        uint8_t *data;
        size_t size;
        uint8_t mark;
    } live[LIVE];
    struct arena arena;
    struct rng rng;
    rng_init(&rng, 5);
    arena_init(&arena, 64 << 20);
    uint64_t expected = 0;
    uint64_t held_max = 0;
    for (int i = 0; i < 60000; i++) {
        size_t at = (size_t)rng_below(&rng, LIVE);
        if (live[at].data != NULL) {
            assert_int_equal(live[at].data[0], live[at].mark);
            assert_int_equal(live[at].data[live[at].size - 1], live[at].mark);
            arena_free(&arena, live[at].data, live[at].size);
            expected -= arena_cost(live[at].size);
            live[at].data = NULL;
        } else {
            live[at].size =
                (size_t)rng_between(&rng, 1, rng_chance(&rng, 20000) ? 200000 : 400);
            live[at].data = arena_alloc(&arena, live[at].size);
            live[at].mark = (uint8_t)i;
            memset(live[at].data, live[at].mark, live[at].size);
            expected += arena_cost(live[at].size);
        }
        assert_int_equal(arena.used, expected);
        if (i == 30000) {
            held_max = arena.held;
        }
    }
    /* A steady load reuses what it freed: another 30,000 calls do not make the arena grow much.
     */
    assert_true(arena.held < held_max + 4 * ARENA_BLOCK_BYTES);
    arena_fini(&arena);
}

static void arena_has_room__counts_rounded_bytes_against_the_budget(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 160);
    assert_true(arena_has_room(&arena, 160));
    assert_false(arena_has_room(&arena, 161));
    void *block = arena_alloc(&arena, 100); /* costs 112 */
    assert_true(arena_has_room(&arena, 48));
    assert_false(arena_has_room(&arena, 49));
    /* Apply never fails: beyond the budget memory is given all the same, and counted. */
    void *more = arena_alloc(&arena, 5000);
    memset(more, 1, 5000);
    assert_false(arena_has_room(&arena, 1));
    arena_free(&arena, more, 5000);
    arena_free(&arena, block, 100);
    assert_true(arena_has_room(&arena, 160));
    arena_fini(&arena);
}

static void arena_reset__keeps_one_chunk_and_forgets_the_rest(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4 << 20);
    void *first = arena_alloc(&arena, 64);
    uint64_t held = arena.held;
    for (int i = 0; i < 100; i++) {
        arena_alloc(&arena, 40000);
    }
    arena_alloc(&arena, 500000);
    assert_true(arena.held > held);
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_int_equal(arena.held, held);
    assert_ptr_equal(arena_alloc(&arena, 64), first);
    arena_reset(&arena);
    arena_fini(&arena);
}

static void arena__small_budget__takes_a_small_chunk(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 8192);
    arena_alloc(&arena, 100);
    assert_in_range(arena.held, 8192, 9000);
    arena_fini(&arena);
}

static uint64_t whole_huge_pages; /* bytes of advised blocks that are huge pages as a whole */

static void count_huge_pages(void *block, size_t bytes)
{
    uintptr_t page = 2 << 20;
    assert_int_equal((uintptr_t)block % page, 0);
    whole_huge_pages += bytes / page * page;
}

static void arena__that_grows_large__lies_in_whole_huge_pages(void **state)
{
    (void)state;
    struct arena arena;
    whole_huge_pages = 0;
    arena_advise(count_huge_pages);
    arena_init(&arena, 256 << 20);
    while (arena.used < 48 << 20) {
        arena_alloc(&arena, 1000);
    }
    /* All but its first chunks, which may be as large as two such pages together. */
    assert_true(whole_huge_pages >= arena.held - (5 << 20));
    void *table = arena_alloc(&arena, 4 << 20);
    assert_true(whole_huge_pages >= arena.held - (6 << 20));
    arena_free(&arena, table, 4 << 20);
    arena_fini(&arena);
    arena_advise(NULL);
}

static void arena_alloc_zero__reused_block__is_cleared(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 8192);
    uint8_t *block = arena_alloc(&arena, 96);
    memset(block, 0xee, 96);
    arena_free(&arena, block, 96);
    uint8_t *again = arena_alloc_zero(&arena, 96);
    assert_ptr_equal(again, block);
    for (int i = 0; i < 96; i++) {
        assert_int_equal(again[i], 0);
    }
    arena_fini(&arena);
}

static void arena_copy__slices__are_owned_and_freed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 8192);
    char text[] = "Algorithms";
    struct slice copy = arena_copy(&arena, slice_from_text(text));
    text[0] = 'X';
    assert_true(slice_is_equal(copy, SLICE_LITERAL("Algorithms")));
    struct slice none = arena_copy(&arena, SLICE_NONE);
    assert_null(none.data);
    arena_free_slice(&arena, none);
    arena_free_slice(&arena, copy);
    assert_int_equal(arena.used, 0);
    arena_fini(&arena);
}

static void arena_grow__step_by_step__keeps_the_contents(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4 << 20);
    uint32_t *array = NULL;
    size_t count = 0;
    for (size_t next = 1; next <= 40000; next = next + next / 3 + 1) {
        array = arena_grow(&arena, array, sizeof *array, count, next);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(array[i], i * 7);
        }
        for (size_t i = count; i < next; i++) {
            array[i] = (uint32_t)(i * 7);
        }
        count = next;
        assert_int_equal(arena.used, arena_cost(count * sizeof *array));
    }
    arena_free(&arena, array, count * sizeof *array);
    assert_int_equal(arena.used, 0);
    arena_fini(&arena);
}

static void arena__same_calls__give_the_same_layout(void **state)
{
    (void)state;
    ptrdiff_t offsets[2][500];
    for (int run = 0; run < 2; run++) {
        struct arena arena;
        struct rng rng;
        rng_init(&rng, 9);
        arena_init(&arena, 1 << 20);
        uint8_t *base = arena_alloc(&arena, 16);
        uint8_t *last = NULL;
        size_t last_size = 0;
        for (int i = 0; i < 500; i++) {
            if (rng_chance(&rng, 300000)) {
                arena_free(&arena, last, last_size);
            }
            last_size = (size_t)rng_between(&rng, 1, 300);
            last = arena_alloc(&arena, last_size);
            offsets[run][i] = last - base;
        }
        arena_fini(&arena);
    }
    assert_memory_equal(offsets[0], offsets[1], sizeof offsets[0]);
}

static void arena_spare__given__is_the_next_chunk_and_changes_nothing_else(void **state)
{
    (void)state;
    struct arena with, without;
    uint32_t spares = 0;
    arena_init(&with, 1ULL << 30);
    arena_init(&without, 1ULL << 30);
    assert_false(arena_wants_spare(&with)); /* it may stay small */
    for (size_t i = 0; i < 40000; i++) {
        size_t size = 1 + i * 7 % 2000;
        uint8_t *block = arena_alloc(&with, size);
        memset(block, 0xee, size);
        (void)arena_alloc(&without, size);
        assert_int_equal(with.used, without.used);
        if (arena_wants_spare(&with)) {
            struct arena_block *spare = arena_spare_make();
            arena_spare_give(&with, spare);
            assert_false(arena_wants_spare(&with));
            spares++;
        }
    }
    assert_in_range(spares, 5, 20); /* 40 MB in steps of 4 */
    assert_in_range(with.held, with.used, with.used + 3 * ARENA_SPARE_BYTES);
    arena_reset(&with);
    assert_in_range(with.held, 1, ARENA_SPARE_BYTES);
    arena_fini(&with);
    arena_fini(&without);
    arena_spare_free(arena_spare_make());
    arena_spare_free(NULL);
    struct arena small;
    arena_init(&small, 1 << 20);
    (void)arena_alloc(&small, 60000);
    assert_false(arena_wants_spare(&small)); /* four times what it may hold */
    arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_cost__every_size__is_tight_and_never_falls),
        cmocka_unit_test(arena_alloc__blocks__are_aligned_and_do_not_overlap),
        cmocka_unit_test(arena_free__same_class__is_reused_last_in_first_out),
        cmocka_unit_test(arena_free__large_block__goes_back_to_the_system),
        cmocka_unit_test(arena__random_allocs_and_frees__account_for_every_byte),
        cmocka_unit_test(arena_has_room__counts_rounded_bytes_against_the_budget),
        cmocka_unit_test(arena_reset__keeps_one_chunk_and_forgets_the_rest),
        cmocka_unit_test(arena__small_budget__takes_a_small_chunk),
        cmocka_unit_test(arena__that_grows_large__lies_in_whole_huge_pages),
        cmocka_unit_test(arena_alloc_zero__reused_block__is_cleared),
        cmocka_unit_test(arena_copy__slices__are_owned_and_freed),
        cmocka_unit_test(arena_grow__step_by_step__keeps_the_contents),
        cmocka_unit_test(arena_spare__given__is_the_next_chunk_and_changes_nothing_else),
        cmocka_unit_test(arena__same_calls__give_the_same_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
