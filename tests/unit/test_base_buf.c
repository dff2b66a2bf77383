#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"

static void buf_append__up_to_max__keeps_every_byte(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(buf_append_byte(&buf, (uint8_t)i), OK);
        assert_true(buf.cap >= buf.len && buf.cap <= buf.max);
    }
    assert_int_equal(buf.len, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(buf.data[i], (uint8_t)i);
    }
    buf_fini(&buf);
}

static void buf_append__beyond_max__returns_full_and_appends_nothing(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_int_equal(buf_append_text(&buf, "12345678"), OK);
    assert_int_equal(buf_append_text(&buf, "abc"), ERR_FULL);
    assert_int_equal(buf_append_format(&buf, "%d", 100), ERR_FULL);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX), ERR_FULL);
    assert_true(slice_is_equal(buf_slice(&buf), SLICE_LITERAL("12345678")));
    assert_int_equal(buf_append_text(&buf, "ab"), OK);
    assert_true(slice_is_equal(buf_slice(&buf), SLICE_LITERAL("12345678ab")));
    buf_fini(&buf);
}

static void buf_append__nothing__needs_no_memory(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 0);
    assert_int_equal(buf_append(&buf, NULL, 0), OK);
    assert_int_equal(buf_append_slice(&buf, SLICE_NONE), OK);
    assert_int_equal(buf_append_byte(&buf, 1), ERR_FULL);
    assert_null(buf.data);
    buf_fini(&buf);
}

static void buf_append_format__short_and_long_output__match_printf(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 2000);
    assert_int_equal(buf_append_format(&buf, "%s-%05d", "CS", 42), OK);
    assert_true(slice_is_equal(buf_slice(&buf), SLICE_LITERAL("CS-00042")));
    buf_clear(&buf);
    assert_int_equal(buf_append_format(&buf, "%*d", 255, 1), OK);
    assert_int_equal(buf.len, 255);
    buf_clear(&buf);
    assert_int_equal(buf_append_format(&buf, "%*d", 2000, 1), OK);
    assert_int_equal(buf.len, 2000); /* exactly full: the terminator needs no room */
    assert_int_equal(buf.data[1999], '1');
    buf_clear(&buf);
    assert_int_equal(buf_append_format(&buf, "%*d", 2001, 1), ERR_FULL);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void buf_consume__moves_the_rest_down(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(buf_append_text(&buf, "abcdef"), OK);
    buf_consume(&buf, 0);
    buf_consume(&buf, 4);
    assert_true(slice_is_equal(buf_slice(&buf), SLICE_LITERAL("ef")));
    buf_consume(&buf, 2);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void buf_text__without_room_for_the_terminator__is_null(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf_append_text(&buf, "ab"), OK);
    assert_string_equal(buf_text(&buf), "ab");
    assert_int_equal(buf.len, 2);
    assert_int_equal(buf_append_text(&buf, "c"), OK);
    assert_null(buf_text(&buf));
    buf_fini(&buf);
}

static void buf_fini__zeroed_buffer__is_allowed(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_fini(&buf);
    buf_fini(&buf);
    assert_null(buf.data);
}

static void buf__random_appends_and_consumes__match_a_plain_array(void **state)
{
    (void)state;
    enum { MAX = 5000 };
    struct rng rng;
    rng_init(&rng, 11);
    uint8_t *model = calloc(1, MAX);
    size_t model_len = 0;
    uint8_t piece[700];
    struct buf buf;
    buf_init(&buf, MAX);
    for (int i = 0; i < 4000; i++) {
        size_t len = (size_t)rng_below(&rng, sizeof piece);
        if (rng_chance(&rng, 500000)) {
            rng_fill(&rng, piece, len);
            int expected = len > MAX - model_len ? ERR_FULL : OK;
            assert_int_equal(buf_append(&buf, piece, len), expected);
            if (expected == OK) {
                memcpy(model + model_len, piece, len);
                model_len += len;
            }
        } else {
            len = len < model_len ? len : model_len;
            buf_consume(&buf, len);
            model_len -= len;
            memmove(model, model + len, model_len);
        }
        assert_true(slice_is_equal(buf_slice(&buf), slice_from(model, model_len)));
    }
    buf_fini(&buf);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_append__up_to_max__keeps_every_byte),
        cmocka_unit_test(buf_append__beyond_max__returns_full_and_appends_nothing),
        cmocka_unit_test(buf_append__nothing__needs_no_memory),
        cmocka_unit_test(buf_append_format__short_and_long_output__match_printf),
        cmocka_unit_test(buf_consume__moves_the_rest_down),
        cmocka_unit_test(buf_text__without_room_for_the_terminator__is_null),
        cmocka_unit_test(buf_fini__zeroed_buffer__is_allowed),
        cmocka_unit_test(buf__random_appends_and_consumes__match_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
