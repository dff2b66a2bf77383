#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "carillon/name.h"

static const struct row {
    const char *text;
    const char *institution;
    const char *code;
    const char *section;
    const char *term;
} rows[] = {
    {"COMP 240#1",                        "",           "COMP 240",                    "1",            ""           },
    {"COMP 240",                          "",           "COMP 240",                    "",             ""           },
    {"lindenmoor:COMP 240#1@2027-spring", "lindenmoor", "COMP 240",                    "1",            "2027-spring"},
    {"10.87@current",                     "",           "10.87",                       "",             "current"    },
    {"HIGR 238/ANTH 268/COGR 225A#A01",   "",           "HIGR 238/ANTH 268/COGR 225A", "A01",          ""           },
    {"GERM 247#A#2",                      "",           "GERM 247",                    "A#2",          ""           },
    {"ACCT1111#A-LEC (6949)",             "",           "ACCT1111",                    "A-LEC (6949)", ""           },
    {"mail@school#x@y@fall",              "",           "mail@school",                 "x@y",          "fall"       },
    {" thalassa : ΝΑΥ 101 # 1 ",       "thalassa",   "ΝΑΥ 101",                  "1",            ""           },
    {"POLI 191A–B",                     "",           "POLI 191A–B",               "",             ""           },
};

static void name_parse__names_of_real_catalogues__are_taken_apart(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Carillon__SectionName name;

        assert_null(name_parse(&arena, slice_from_text(rows[i].text), &name));
        assert_string_equal(name.institution, rows[i].institution);
        assert_string_equal(name.code, rows[i].code);
        assert_string_equal(name.section, rows[i].section);
        assert_string_equal(name.term, rows[i].term);
    }
    arena_fini(&arena);
}

static void name_format__of_a_parsed_name__gives_a_name_that_parses_the_same(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Carillon__SectionName name;
        Carillon__SectionName again;

        assert_null(name_parse(&arena, slice_from_text(rows[i].text), &name));
        if (strchr(name.code, '@') != NULL) {
            continue; /* no import accepts such a code */
        }
        assert_null(name_parse(&arena, slice_from_text(name_format(&arena, &name)), &again));
        assert_string_equal(again.institution, name.institution);
        assert_string_equal(again.code, name.code);
        assert_string_equal(again.section, name.section);
        assert_string_equal(again.term, name.term);
    }
    arena_fini(&arena);
}

static void name_parse__a_name_with_an_empty_part__says_which(void **state)
{
    static const char *const bad[][2] = {
        {"",            "no course code in it"                  },
        {"#1",          "no course code in it"                  },
        {"COMP 240#",   "no section follows the #"              },
        {"COMP 240#1@", "no term follows the @"                 },
        {":COMP 240",   "no institution stands before the colon"},
        {"x:",          "no course code in it"                  },
    };
    struct arena arena;
    char longer[600];

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        Carillon__SectionName name;
        const char *why = name_parse(&arena, slice_from_text(bad[i][0]), &name);

        assert_non_null(why);
        assert_string_equal(why, bad[i][1]);
    }
    memset(longer, 'x', sizeof longer);
    Carillon__SectionName name;

    assert_string_equal(name_parse(&arena, slice_from(longer, sizeof longer), &name),
                        "the name is too long");
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_parse__names_of_real_catalogues__are_taken_apart),
        cmocka_unit_test(name_format__of_a_parsed_name__gives_a_name_that_parses_the_same),
        cmocka_unit_test(name_parse__a_name_with_an_empty_part__says_which),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
