#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/slice.h"

#define TEXT(literal) SLICE_LITERAL(literal)

static void slice_is_equal__empty_slices__are_equal_whatever_their_address(void **state)
{
    (void)state;
    assert_true(slice_is_equal(SLICE_NONE, slice_from("x", 0)));
    assert_false(slice_is_equal(SLICE_NONE, TEXT("x")));
    assert_true(slice_is_equal(TEXT("CS2030"), slice_from_text("CS2030")));
    assert_int_equal(slice_from_text(NULL).len, 0);
}

static void slice_compare__orders_bytes_as_unsigned_and_prefixes_first(void **state)
{
    (void)state;
    assert_int_equal(slice_compare(TEXT("a"), TEXT("b")), -1);
    assert_int_equal(slice_compare(TEXT("b"), TEXT("a")), 1);
    assert_int_equal(slice_compare(TEXT("a"), TEXT("ab")), -1);
    assert_int_equal(slice_compare(TEXT("ab"), TEXT("a")), 1);
    assert_int_equal(slice_compare(TEXT("\x7f"), TEXT("\x80")), -1);
    assert_int_equal(slice_compare(SLICE_NONE, SLICE_NONE), 0);
    assert_int_equal(slice_compare(SLICE_NONE, TEXT("a")), -1);
}

static void slice_has_prefix__longer_prefix__is_false(void **state)
{
    (void)state;
    assert_true(slice_has_prefix(TEXT("level:300"), TEXT("level:")));
    assert_true(slice_has_prefix(TEXT("x"), SLICE_NONE));
    assert_false(slice_has_prefix(TEXT("lev"), TEXT("level:")));
    assert_false(slice_has_prefix(TEXT("lexel:"), TEXT("level:")));
}

static void slice_sub__beyond_the_end__is_clamped(void **state)
{
    (void)state;
    assert_true(slice_is_equal(slice_sub(TEXT("abcdef"), 2, 3), TEXT("cde")));
    assert_true(slice_is_equal(slice_sub(TEXT("abc"), 1, SIZE_MAX), TEXT("bc")));
    assert_int_equal(slice_sub(TEXT("abc"), 7, 2).len, 0);
    assert_int_equal(slice_sub(SLICE_NONE, 0, 2).len, 0);
}

static void slice_cut__splits_at_the_first_separator(void **state)
{
    (void)state;
    struct slice head;
    struct slice tail;
    assert_true(slice_cut(TEXT("brown:CSCI:1"), ':', &head, &tail));
    assert_true(slice_is_equal(head, TEXT("brown")));
    assert_true(slice_is_equal(tail, TEXT("CSCI:1")));
    assert_true(slice_cut(TEXT(":"), ':', &head, &tail));
    assert_int_equal(head.len, 0);
    assert_int_equal(tail.len, 0);
}

static void slice_cut__without_separator__leaves_everything_in_the_head(void **state)
{
    (void)state;
    struct slice head;
    struct slice tail;
    assert_false(slice_cut(TEXT("plain"), '#', &head, &tail));
    assert_true(slice_is_equal(head, TEXT("plain")));
    assert_int_equal(tail.len, 0);
    assert_false(slice_cut(SLICE_NONE, '#', &head, &tail));
    assert_int_equal(head.len, 0);
}

static void slice_cut__output_over_its_own_input__works(void **state)
{
    (void)state;
    struct slice rest = TEXT("a b c");
    struct slice word;
    char words[8] = {0};
    size_t count = 0;
    while (rest.len > 0) {
        slice_cut(rest, ' ', &word, &rest);
        words[count++] = (char)word.data[0];
    }
    assert_string_equal(words, "abc");
}

static void slice_trim__removes_ascii_white_space_only_at_the_ends(void **state)
{
    (void)state;
    assert_true(slice_is_equal(slice_trim(TEXT(" \t\r\n\v\fa b \n")), TEXT("a b")));
    assert_int_equal(slice_trim(TEXT(" \t ")).len, 0);
    assert_true(slice_is_equal(slice_trim(TEXT("\xc2\xa0x")), TEXT("\xc2\xa0x")));
}

static void slice_parse_u64__reads_up_to_the_largest_number(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_int_equal(slice_parse_u64(TEXT("0"), 0, &value), OK);
    assert_int_equal(value, 0);
    assert_int_equal(slice_parse_u64(TEXT("18446744073709551615"), UINT64_MAX, &value), OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(slice_parse_u64(TEXT("0000000000000000000000042"), 42, &value), OK);
    assert_int_equal(value, 42);
}

static void slice_parse_u64__bad_input__is_refused_and_writes_nothing(void **state)
{
    (void)state;
    uint64_t value = 7;
    static const char *const malformed[] = {
        "", "-1", "+1", " 1", "1 ", "1.5", "0x10", "99999999999999999999999a", "\xd9\xa1",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct slice text = slice_from_text(malformed[i]);
        assert_int_equal(slice_parse_u64(text, UINT64_MAX, &value), ERR_MALFORMED);
    }
    assert_int_equal(slice_parse_u64(TEXT("6"), 5, &value), ERR_TOO_LARGE);
    assert_int_equal(slice_parse_u64(TEXT("18446744073709551616"), UINT64_MAX, &value),
                     ERR_TOO_LARGE);
    assert_int_equal(slice_parse_u64(TEXT("99999999999999999999999"), UINT64_MAX, &value),
                     ERR_TOO_LARGE);
    assert_int_equal(value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_is_equal__empty_slices__are_equal_whatever_their_address),
        cmocka_unit_test(slice_compare__orders_bytes_as_unsigned_and_prefixes_first),
        cmocka_unit_test(slice_has_prefix__longer_prefix__is_false),
        cmocka_unit_test(slice_sub__beyond_the_end__is_clamped),
        cmocka_unit_test(slice_cut__splits_at_the_first_separator),
        cmocka_unit_test(slice_cut__without_separator__leaves_everything_in_the_head),
        cmocka_unit_test(slice_cut__output_over_its_own_input__works),
        cmocka_unit_test(slice_trim__removes_ascii_white_space_only_at_the_ends),
        cmocka_unit_test(slice_parse_u64__reads_up_to_the_largest_number),
        cmocka_unit_test(slice_parse_u64__bad_input__is_refused_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
