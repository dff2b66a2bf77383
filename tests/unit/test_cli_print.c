/* Tables, wrapped texts and words: what people and pipes get to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "carillon/table.h"
#include "carillon/words.h"

static struct cli cli;
static char *text;
static size_t text_len;

static int begin(void **state)
{
    (void)state;
    cli_init(&cli);
    cli.out = open_memstream(&text, &text_len);
    cli.is_terminal = false;
    cli.has_colour = false;
    return cli.out == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    fclose(cli.out);
    free(text);
    cli_fini(&cli);
    return 0;
}

static void print_sample(void)
{
    static const struct table_column columns[] = {
        {"CODE",  false, false},
        {"TITLE", false, true },
        {"SEATS", true,  false},
    };
    struct table table;

    table_init(&table, &cli, columns, 3);
    table_add(&table, "SEA 101");
    table_add(&table, "海洋学入門");
    table_add(&table, "30");
    table_add(&table, "A\tB\n");
    table_add(&table, "\x02two\x03 words");
    table_add_format(&table, "%d", 4);
    table_print(&table);
    fflush(cli.out);
}

static void table_print__piped__is_tab_separated_without_headings(void **state)
{
    (void)state;
    print_sample();
    assert_string_equal(text, "SEA 101\t海洋学入門\t30\nA B \ttwo words\t4\n");
}

static void table_print__on_a_terminal__counts_wide_characters_as_two_columns(void **state)
{
    (void)state;
    cli.is_terminal = true;
    print_sample();
    assert_string_equal(text, "CODE     TITLE       SEATS\n"
                              "SEA 101  海洋学入門     30\n"
                              "A B      two words       4\n");
}

static void table_print__with_colour__shows_marks_in_bold_and_keeps_the_columns(void **state)
{
    (void)state;
    cli.is_terminal = true;
    cli.has_colour = true;
    print_sample();
    assert_non_null(strstr(text, "\033[1mtwo\033[0m words       4\n"));
}

static void table_print__wider_than_the_terminal__cuts_the_flexible_column(void **state)
{
    static const struct table_column columns[] = {
        {"CODE",  false, false},
        {"TITLE", false, true },
    };
    struct table table;

    (void)state;
    cli.is_terminal = true;
    table_init(&table, &cli, columns, 2);
    table.width_max = 24;
    table_add(&table, "SEA 101");
    table_add(&table, "海洋学入門海洋学入門海洋学入門");
    table_print(&table);
    fflush(cli.out);
    assert_string_equal(text, "CODE     TITLE\nSEA 101  海洋学入門海洋…\n");
}

static void table_print__without_rows__prints_nothing(void **state)
{
    static const struct table_column columns[] = {
        {"CODE", false, false},
    };
    struct table table;

    (void)state;
    cli.is_terminal = true;
    table_init(&table, &cli, columns, 1);
    table_print(&table);
    fflush(cli.out);
    assert_int_equal(text_len, 0);
}

static void text_print__escape_sequences_from_a_file__are_defused(void **state)
{
    (void)state;
    text_print(&cli, "red \x1b[31m alarm\a");
    fflush(cli.out);
    assert_string_equal(text, "red .[31m alarm.");
}

static void text_print_wrapped__long_text__breaks_at_words(void **state)
{
    char words[400] = "";

    (void)state;
    for (size_t i = 0; i < 60; i++) {
        strcat(words, "abcde ");
    }
    text_print_wrapped(&cli, words, 2);
    fflush(cli.out);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) <= 100);
        assert_memory_equal(line, "  abcde", 7);
    }
}

static void words_credits__hundredths__are_written_without_idle_zeros(void **state)
{
    (void)state;
    assert_string_equal(words_credits(&cli, true, 300), "3");
    assert_string_equal(words_credits(&cli, true, 50), "0.5");
    assert_string_equal(words_credits(&cli, true, 25), "0.25");
    assert_string_equal(words_credits(&cli, true, 0), "0");
    assert_string_equal(words_credits(&cli, false, 0), "?");
}

static void words_grade__points__become_letters_where_there_is_one(void **state)
{
    static const struct {
        uint32_t grade;
        const char *text;
    } rows[] = {
        {0,   ""    },
        {1,   "F"   },
        {71,  "D-"  },
        {101, "D"   },
        {131, "D+"  },
        {401, "A"   },
        {431, "A+"  },
        {371, "A-"  },
        {351, "3.50"},
        {2,   "0.01"},
        {31,  "0.30"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(words_grade(&cli, rows[i].grade), rows[i].text);
    }
}

static void words_moment_parse__iso_8601__is_read_and_what_is_no_moment_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "soon",
                                      "2027-13-01",
                                      "2027-06-31T08:00",
                                      "2027-01-01T25:00",
                                      "2027-01-01T08:00+99:00",
                                      "2027-01-01T08:00 tea"};
    uint64_t ms = 0;
    uint64_t other = 0;

    (void)state;
    assert_int_equal(words_moment_parse("2027-01-11T08:00:30Z", &ms), OK);
    assert_int_equal(ms, 1799654430000ULL);
    assert_int_equal(words_moment_parse("2027-01-11T09:30:30+01:30", &other), OK);
    assert_int_equal(other, ms);
    assert_int_equal(words_moment_parse("2027-01-11T04:00:30-0400", &other), OK);
    assert_int_equal(other, ms);
    assert_int_equal(words_moment_parse("2027-01-11", &other), OK);
    assert_int_equal(words_moment_parse("2027-01-11 08:00", &other), OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(words_moment_parse(bad[i], &other), ERR_MALFORMED);
    }
}

static void words_refusal__every_kind__has_a_slug_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < carillon__refusal_kind__descriptor.n_values; i++) {
        const char *name =
            carillon__refusal_kind__descriptor.values[i].name + strlen("REFUSAL_");
        const char *slug = words_refusal(
            (Carillon__RefusalKind)carillon__refusal_kind__descriptor.values[i].value);

        /* The slug is the schema's name in small letters with dashes. */
        assert_int_equal(strlen(slug), strlen(name));
        for (size_t j = 0; name[j] != '\0'; j++) {
            assert_int_equal(slug[j], name[j] == '_' ? '-' : name[j] | 0x20);
        }
    }
}

static void words_permit_kinds__each_combination__is_listed(void **state)
{
    static const char *const expected[] = {
        "none", "capacity",       "rule",       "capacity, rule",
        "time", "capacity, time", "rule, time", "capacity, rule, time"};

    (void)state;
    for (uint32_t kinds = 0; kinds < 8; kinds++) {
        assert_string_equal(words_permit_kinds(&cli, kinds), expected[kinds]);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(table_print__piped__is_tab_separated_without_headings),
        CASE(table_print__on_a_terminal__counts_wide_characters_as_two_columns),
        CASE(table_print__with_colour__shows_marks_in_bold_and_keeps_the_columns),
        CASE(table_print__wider_than_the_terminal__cuts_the_flexible_column),
        CASE(table_print__without_rows__prints_nothing),
        CASE(text_print__escape_sequences_from_a_file__are_defused),
        CASE(text_print_wrapped__long_text__breaks_at_words),
        CASE(words_credits__hundredths__are_written_without_idle_zeros),
        CASE(words_grade__points__become_letters_where_there_is_one),
        CASE(words_moment_parse__iso_8601__is_read_and_what_is_no_moment_refused),
        CASE(words_refusal__every_kind__has_a_slug_of_its_own),
        CASE(words_permit_kinds__each_combination__is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
