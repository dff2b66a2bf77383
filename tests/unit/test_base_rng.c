#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"

/* The outputs of the authors' reference code for the state 1, 2, 3, 4. */
static void rng_next__reference_state__gives_the_reference_outputs(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        1215971899390074240ULL,
        1216172134540287360ULL,
        607988272756665600ULL,
    };
    struct rng rng = {
        {1, 2, 3, 4}
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(rng_next(&rng) == expected[i]);
    }
}

/* The first four outputs of splitmix64 for seed 0. */
static void rng_init__seed_zero__fills_the_state_by_splitmix64(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 0);
    assert_true(rng.state[0] == 0xe220a8397b1dcdafULL);
    assert_true(rng.state[1] == 0x6e789e6aa1b965f4ULL);
    assert_true(rng.state[2] == 0x06c45d188009454fULL);
    assert_true(rng.state[3] == 0xf88bb8a8724c81ecULL);
}

static void rng__same_seed__gives_the_same_sequence(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;
    struct rng c;
    rng_init(&a, 77);
    rng_init(&b, 77);
    rng_init(&c, 78);
    int differing = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t draw = rng_next(&a);
        assert_true(draw == rng_next(&b));
        differing += draw != rng_next(&c);
    }
    assert_int_equal(differing, 1000);
}

static void rng_below__all_results__occur_about_equally_often(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    unsigned counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t draw = rng_below(&rng, 7);
        assert_true(draw < 7);
        counts[draw]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
    assert_int_equal(rng_below(&rng, 1), 0);
}

/* With a bound of three quarters of 2^64 a plain remainder would hit the lower third twice as
 * often as the rest. */
static void rng_below__huge_bound__has_no_bias(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2);
    uint64_t bound = 3ULL << 62;
    unsigned low = 0;
    for (int i = 0; i < 30000; i++) {
        low += rng_below(&rng, bound) < bound / 3;
    }
    assert_in_range(low, 9500, 10500);
}

static void rng_between__bounds__are_included(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t draw = rng_between(&rng, 10, 13);
        assert_in_range(draw, 10, 13);
        seen |= 1U << (draw - 10);
    }
    assert_int_equal(seen, 15);
    assert_int_equal(rng_between(&rng, 5, 5), 5);
    uint64_t all = 0;
    for (int i = 0; i < 100; i++) {
        all |= rng_between(&rng, 0, UINT64_MAX);
    }
    assert_true(all == UINT64_MAX);
}

static void rng_chance__never_always_and_in_between(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    unsigned hits = 0;
    for (int i = 0; i < 20000; i++) {
        assert_false(rng_chance(&rng, 0));
        assert_true(rng_chance(&rng, 1000000));
        hits += rng_chance(&rng, 250000);
    }
    assert_in_range(hits, 4700, 5300);
}

static void rng_fill__every_length__writes_exactly_that_many_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 33; len++) {
        uint8_t bytes[40];
        uint8_t again[40];
        struct rng rng;
        memset(bytes, 0xaa, sizeof bytes);
        rng_init(&rng, 5);
        rng_fill(&rng, bytes, len);
        for (size_t i = len; i < sizeof bytes; i++) {
            assert_int_equal(bytes[i], 0xaa);
        }
        rng_init(&rng, 5);
        rng_fill(&rng, again, len);
        assert_memory_equal(bytes, again, len);
    }
    struct rng rng;
    rng_init(&rng, 6);
    struct rng same = rng;
    uint8_t bytes[8];
    rng_fill(&rng, bytes, sizeof bytes);
    uint64_t draw = rng_next(&same);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(bytes[i], (uint8_t)(draw >> (8 * i)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_next__reference_state__gives_the_reference_outputs),
        cmocka_unit_test(rng_init__seed_zero__fills_the_state_by_splitmix64),
        cmocka_unit_test(rng__same_seed__gives_the_same_sequence),
        cmocka_unit_test(rng_below__all_results__occur_about_equally_often),
        cmocka_unit_test(rng_below__huge_bound__has_no_bias),
        cmocka_unit_test(rng_between__bounds__are_included),
        cmocka_unit_test(rng_chance__never_always_and_in_between),
        cmocka_unit_test(rng_fill__every_length__writes_exactly_that_many_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
