#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static bool is_scalar(uint32_t code_point)
{
    return code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff);
}

static void utf8__every_code_point__survives_writing_and_reading(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        if (!is_scalar(code_point)) {
            continue;
        }
        uint8_t bytes[UTF8_BYTES_MAX];
        size_t len = utf8_encode(code_point, bytes);
        size_t expected = code_point < 0x80      ? 1
                          : code_point < 0x800   ? 2
                          : code_point < 0x10000 ? 3
                                                 : 4;
        size_t read = 0;
        if (len != expected || !utf8_is_valid(slice_from(bytes, len)) ||
            utf8_decode(slice_from(bytes, len), 0, &read) != code_point || read != len) {
            fail_msg("U+%04X", code_point);
        }
    }
}

/* The naive reading of RFC 3629: take the bits by the lead byte, then forbid what is too long,
 * too large or half of a surrogate pair. Returns the length, 0 when malformed. */
static size_t naive_len(const uint8_t *bytes, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = bytes[0] < 0x80             ? 1
                 : (bytes[0] & 0xe0) == 0xc0 ? 2
                 : (bytes[0] & 0xf0) == 0xe0 ? 3
                 : (bytes[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (len == 0 || len > left) {
        return 0;
    }
    uint32_t code_point = len == 1 ? bytes[0] : bytes[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (bytes[i] & 0x3fU);
    }
    return code_point >= least[len] && is_scalar(code_point) ? len : 0;
}

static void
utf8_valid_prefix__all_three_byte_strings_and_edges_of_four__match_the_rfc(void **state)
{
    (void)state;
    static const uint8_t fourth[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (uint32_t i = 0; i < 1U << 24; i++) {
        uint8_t bytes[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, fourth[i % 6]};
        if (bytes[0] < 0xc0 && bytes[0] != 0x41 && bytes[0] != 0x80 && bytes[0] != 0xbf) {
            i |= 0xffff; /* more of the same: one ASCII byte and two stray ones stand for all */
            continue;
        }
        size_t len = naive_len(bytes, 4);
        size_t read = 0;
        uint32_t code_point = utf8_decode(slice_from(bytes, 4), 0, &read);
        size_t prefix = utf8_valid_prefix(slice_from(bytes, len == 0 ? 4 : len));
        if (prefix != len || (len == 0 ? code_point != 0xfffd || read != 1 : read != len)) {
            fail_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
        }
    }
}

static void utf8_valid_prefix__malformed_text__stops_before_the_bad_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t prefix;
        const char *what;
    } cases[] = {
        {"ab\x80"
         "c",               2, "a stray continuation byte"            },
        {"ab\xbf",                   2, "a stray continuation byte at the end" },
        {"\xc0\xaf",                 0, "an overlong slash in two bytes"       },
        {"\xc1\xbf",                 0, "an overlong ASCII byte"               },
        {"\xe0\x80\xaf",             0, "an overlong slash in three bytes"     },
        {"\xe0\x9f\xbf",             0, "the last overlong form of three bytes"},
        {"\xf0\x80\x80\xaf",         0, "an overlong slash in four bytes"      },
        {"\xf0\x8f\xbf\xbf",         0, "the last overlong form of four bytes" },
        {"\xed\xa0\x80",             0, "the first surrogate"                  },
        {"\xed\xbf\xbf",             0, "the last surrogate"                   },
        {"\xed\xa1\x8c\xed\xbe\xb4", 0, "a surrogate pair"                     },
        {"\xf4\x90\x80\x80",         0, "U+110000"                             },
        {"\xf5\x80\x80\x80",         0, "a lead byte beyond Unicode"           },
        {"\xf8\x88\x80\x80\x80",     0, "the old five-byte form"               },
        {"\xfc\x84\x80\x80\x80\x80", 0, "the old six-byte form"                },
        {"\xfe",                     0, "a byte that never occurs"             },
        {"\xff",                     0, "another byte that never occurs"       },
        {"a\xc3",                    1, "a cut sequence of two"                },
        {"a\xe2\x82",                1, "a cut sequence of three"              },
        {"a\xf0\x9f\x92",            1, "a cut sequence of four"               },
        {"\xe2\x28\xa1",             0, "ASCII inside a sequence"              },
        {"\xc3\xc3\xa9",             0, "a lead byte inside a sequence"        },
        {"\xf0\x28\x8c\xbc",         0, "ASCII as the second of four"          },
        {"\xf0\x90\x28\xbc",         0, "ASCII as the third of four"           },
        {"\xf0\x90\x8c\x28",         0, "ASCII as the last of four"            },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice text = slice_from_text(cases[i].text);
        if (utf8_valid_prefix(text) != cases[i].prefix || utf8_is_valid(text)) {
            fail_msg("%s", cases[i].what);
        }
    }
}

static void utf8_valid_prefix__well_formed_text__is_all_of_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "plain",
        "caf\xc3\xa9",
        "\xe6\xbc\xa2\xe5\xad\x97",
        "\xf0\x9f\x8e\x93",
        "\xed\x9f\xbf\xee\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xef\xbf\xbe",
        "\xc2\x80",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_true(utf8_is_valid(slice_from_text(texts[i])));
    }
    assert_true(utf8_is_valid(slice_from("\0a", 2)));
    assert_true(utf8_is_valid(SLICE_NONE));
}

static void utf8_decode__bad_bytes__are_replaced_one_by_one(void **state)
{
    (void)state;
    struct slice text = SLICE_LITERAL("a\xe2\x82z\xff");
    static const uint32_t expected[] = {'a', 0xfffd, 0xfffd, 'z', 0xfffd};
    size_t at = 0;
    for (size_t i = 0; i < 5; i++) {
        size_t len = 0;
        assert_int_equal(utf8_decode(text, at, &len), expected[i]);
        assert_int_equal(len, 1);
        at += len;
    }
    assert_int_equal(at, text.len);
}

static void utf8_columns__counts_wide_combining_and_plain_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"",                                     0 },
        {"Algorithms",                           10},
        {"caf\xc3\xa9",                          4 }, /* precomposed */
        {"cafe\xcc\x81",                         4 }, /* combining acute */
        {"\xe6\xbc\xa2\xe5\xad\x97",             4 }, /* two ideographs */
        {"\xef\xbc\xa1",                         2 }, /* fullwidth A */
        {"\xed\x95\x9c",                         2 }, /* a Hangul syllable */
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 2 }, /* the same in three letters */
        {"\xe0\xb8\x97\xe0\xb8\xb5\xe0\xb9\x88", 1 }, /* Thai with two marks */
        {"\xe3\x81\x8b\xe3\x82\x99",             2 }, /* kana with a combining mark */
        {"\xef\xbd\xb6",                         1 }, /* halfwidth kana */
        {"\xf0\x9f\x8e\x93",                     2 }, /* an emoji */
        {"\xf0\xa0\x80\x80",                     2 }, /* an ideograph beyond the first plane */
        {"a\xe2\x80\x8d"
         "b",                           2 }, /* zero width joiner */
        {"a\xc2\xad"
         "b",                           3 }, /* soft hyphen: shown */
        {"\x02"
         "bold\x03",                    4 }, /* controls */
        {"\xff",                                 1 }, /* shown as U+FFFD */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(utf8_columns(slice_from_text(cases[i].text)), cases[i].columns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8__every_code_point__survives_writing_and_reading),
        cmocka_unit_test(
            utf8_valid_prefix__all_three_byte_strings_and_edges_of_four__match_the_rfc),
        cmocka_unit_test(utf8_valid_prefix__malformed_text__stops_before_the_bad_byte),
        cmocka_unit_test(utf8_valid_prefix__well_formed_text__is_all_of_it),
        cmocka_unit_test(utf8_decode__bad_bytes__are_replaced_one_by_one),
        cmocka_unit_test(utf8_columns__counts_wide_combining_and_plain_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
