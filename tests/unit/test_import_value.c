#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "carillon/import_limits.h"
#include "carillon/import_value.h"

static void time_parse__every_minute_of_a_day__is_read_back(void **state)
{
    (void)state;
    for (uint32_t minute = 0; minute <= IMPORT_MINUTES_A_DAY; minute++) {
        char text[16];
        uint32_t got = UINT32_MAX;

        snprintf(text, sizeof text, "%02u:%02u", minute / 60, minute % 60);
        assert_int_equal(import_time_parse(slice_from_text(text), &got), OK);
        assert_int_equal(got, minute);
        if (minute < 600) {
            assert_int_equal(import_time_parse(slice_from_text(text + 1), &got), OK);
            assert_int_equal(got, minute);
        }
    }
}

static void time_parse__what_is_no_time__is_refused(void **state)
{
    static const char *const bad[] = {"",      "9",     "9am",   "09.50", "24:01",
                                      "25:00", "09:60", "0950",  "009:5", "-9:00",
                                      "09:5",  "9:5",   "09:500"};
    uint32_t got = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(import_time_parse(slice_from_text(bad[i]), &got), ERR_MALFORMED);
    }
    assert_int_equal(got, 77);
}

static void days_parse__letters__become_bits_from_monday(void **state)
{
    uint32_t days = 0;

    (void)state;
    assert_int_equal(import_days_parse(SLICE_LITERAL("MWF"), &days), OK);
    assert_int_equal(days, 1 | 4 | 16);
    assert_int_equal(import_days_parse(SLICE_LITERAL("RTT"), &days), OK);
    assert_int_equal(days, 2 | 8);
    assert_int_equal(import_days_parse(SLICE_LITERAL("SU"), &days), OK);
    assert_int_equal(days, 32 | 64);
    assert_int_equal(import_days_parse(SLICE_LITERAL("Th"), &days), ERR_MALFORMED);
    assert_int_equal(import_days_parse(slice_from("M\0", 2), &days), ERR_MALFORMED);
}

static void grade_parse__letters_and_points__agree(void **state)
{
    static const struct {
        const char *letter;
        const char *points;
        uint32_t grade;
    } rows[] = {
        {"A+", "4.30", 431},
        {"A",  "4",    401},
        {"a-", "3.7",  371},
        {"B+", "3.3",  331},
        {"B",  "3.00", 301},
        {"B-", "2.7",  271},
        {"C+", "2.3",  231},
        {"C",  "2.0",  201},
        {"C-", "1.7",  171},
        {"D+", "1.3",  131},
        {"D",  "1",    101},
        {"d-", "0.7",  71 },
        {"F",  "0",    1  },
    };
    uint32_t grade = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(import_grade_parse(slice_from_text(rows[i].letter), &grade), OK);
        assert_int_equal(grade, rows[i].grade);
        assert_int_equal(import_grade_parse(slice_from_text(rows[i].points), &grade), OK);
        assert_int_equal(grade, rows[i].grade);
    }
    assert_int_equal(import_grade_parse(SLICE_LITERAL("pass"), &grade), OK);
    assert_int_equal(grade, 0);
}

static void grade_parse__what_is_not_on_the_scale__is_refused(void **state)
{
    static const char *const bad[] = {"",     "E", "G",   "A*",    "A++", "F+", "F-",
                                      "4.31", "5", "1,7", "3.705", "-1",  "AB"};
    uint32_t grade = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(import_grade_parse(slice_from_text(bad[i]), &grade), ERR_MALFORMED);
    }
}

static void hundredths_parse__decimals__are_exact(void **state)
{
    uint32_t got = 0;

    (void)state;
    for (uint32_t hundredths = 0; hundredths <= 10000; hundredths++) {
        char text[16];

        snprintf(text, sizeof text, "%u.%02u", hundredths / 100, hundredths % 100);
        assert_int_equal(import_hundredths_parse(slice_from_text(text), 10000, &got), OK);
        assert_int_equal(got, hundredths);
    }
    assert_int_equal(import_hundredths_parse(SLICE_LITERAL("3.500"), 10000, &got), OK);
    assert_int_equal(got, 350);
    assert_int_equal(import_hundredths_parse(SLICE_LITERAL("100.01"), 10000, &got),
                     ERR_TOO_LARGE);
    assert_int_equal(
        import_hundredths_parse(SLICE_LITERAL("99999999999999999999"), 10000, &got),
        ERR_TOO_LARGE);
    assert_int_equal(import_hundredths_parse(SLICE_LITERAL("3.333"), 10000, &got),
                     ERR_MALFORMED);
    assert_int_equal(import_hundredths_parse(SLICE_LITERAL("3."), 10000, &got), ERR_MALFORMED);
    assert_int_equal(import_hundredths_parse(SLICE_LITERAL(".5"), 10000, &got), ERR_MALFORMED);
    assert_int_equal(import_hundredths_parse(SLICE_LITERAL("1e2"), 10000, &got), ERR_MALFORMED);
}

static void level_parse__years_and_numbers__are_levels(void **state)
{
    uint32_t level = 0;

    (void)state;
    assert_int_equal(import_level_parse(SLICE_LITERAL("Junior"), 9, &level), OK);
    assert_int_equal(level, 3);
    assert_int_equal(import_level_parse(SLICE_LITERAL("9"), 9, &level), OK);
    assert_int_equal(level, 9);
    assert_int_equal(import_level_parse(SLICE_LITERAL("0"), 9, &level), ERR_MALFORMED);
    assert_int_equal(import_level_parse(SLICE_LITERAL("10"), 9, &level), ERR_MALFORMED);
    assert_int_equal(import_level_of_semester(1), 1);
    assert_int_equal(import_level_of_semester(2), 1);
    assert_int_equal(import_level_of_semester(7), 4);
}

static void is_slug__short_names__and_nothing_else(void **state)
{
    char longer[IMPORT_SLUG_BYTES_MAX + 1];

    (void)state;
    assert_true(import_is_slug(SLICE_LITERAL("lindenmoor")));
    assert_true(import_is_slug(SLICE_LITERAL("2027-spring.a_b")));
    assert_false(import_is_slug(SLICE_LITERAL("")));
    assert_false(import_is_slug(SLICE_LITERAL("-x")));
    assert_false(import_is_slug(SLICE_LITERAL("Lindenmoor")));
    assert_false(import_is_slug(SLICE_LITERAL("a:b")));
    memset(longer, 'x', sizeof longer);
    assert_true(import_is_slug(slice_from(longer, IMPORT_SLUG_BYTES_MAX)));
    assert_false(import_is_slug(slice_from(longer, sizeof longer)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_parse__every_minute_of_a_day__is_read_back),
        cmocka_unit_test(time_parse__what_is_no_time__is_refused),
        cmocka_unit_test(days_parse__letters__become_bits_from_monday),
        cmocka_unit_test(grade_parse__letters_and_points__agree),
        cmocka_unit_test(grade_parse__what_is_not_on_the_scale__is_refused),
        cmocka_unit_test(hundredths_parse__decimals__are_exact),
        cmocka_unit_test(level_parse__years_and_numbers__are_levels),
        cmocka_unit_test(is_slug__short_names__and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
