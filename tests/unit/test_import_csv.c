#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "carillon/import_csv.h"

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void row_split__the_rules_of_rfc_4180__are_followed(void **state)
{
    static const struct {
        const char *row;
        size_t count;
        const char *cells[4];
    } rows[] = {
        {"a,b,c\r\n",           3, {"a", "b", "c"}},
        {"a,b,c\n",             3, {"a", "b", "c"}},
        {"a,b,c",               3, {"a", "b", "c"}},
        {",,",                  3, {"", "", ""}   },
        {"",                    1, {""}           },
        {"\"a,b\",c",           2, {"a,b", "c"}   },
        {"\"a\"\"b\",\"\"\"\"", 2, {"a\"b", "\""} },
        {"\"a\r\nb\",\"\"\r\n", 2, {"a\r\nb", ""} },
        {" a , b ",             2, {" a ", " b "} },
        {"\"\",x,\"\"",         3, {"", "x", ""}  },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct csv_row row;

        assert_int_equal(csv_row_split(slice_from_text(rows[i].row), &arena, &row), OK);
        assert_int_equal(row.count, rows[i].count);
        for (size_t j = 0; j < row.count; j++) {
            assert_true(slice_is_equal(row.cells[j], slice_from_text(rows[i].cells[j])));
        }
    }
}

static void row_split__marks_out_of_place__are_refused(void **state)
{
    static const char *const bad[] = {"a\"b,c",  "\"a\"b,c",   "\"a",
                                      "\"a\"\"", "a,\"b\" ,c", "\"\"\""};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct csv_row row;

        assert_int_equal(csv_row_split(slice_from_text(bad[i]), &arena, &row), ERR_MALFORMED);
    }
}

static void row_split__beyond_the_cells_of_a_row__returns_full(void **state)
{
    char commas[CSV_CELLS_MAX + 1];
    struct csv_row row;

    (void)state;
    memset(commas, ',', sizeof commas);
    assert_int_equal(csv_row_split(slice_from(commas, CSV_CELLS_MAX - 1), &arena, &row), OK);
    assert_int_equal(row.count, CSV_CELLS_MAX);
    assert_int_equal(csv_row_split(slice_from(commas, CSV_CELLS_MAX), &arena, &row), ERR_FULL);
}

/* However much of a file is in the window, a row is never ended early. */
static void row_length__at_every_cut__waits_for_the_whole_row(void **state)
{
    static const char text[] = "a,\"two\nlines \"\"quoted\"\"\",c\r\nnext";
    const size_t first = strlen("a,\"two\nlines \"\"quoted\"\"\",c\r\n");

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        struct slice part = slice_from(text, len);

        assert_int_equal(csv_row_length(part, false), len < first ? 0 : first);
        assert_int_equal(csv_row_length(part, true), len < first ? len : first);
    }
}

static void row_is_blank__only_white_space__is(void **state)
{
    (void)state;
    assert_true(csv_row_is_blank(SLICE_LITERAL("")));
    assert_true(csv_row_is_blank(SLICE_LITERAL(" \r\n")));
    assert_false(csv_row_is_blank(SLICE_LITERAL(",\n")));
}

static void cell__of_a_column_that_the_file_has_not__is_empty(void **state)
{
    static const char *const columns[] = {"code", "title", NULL};
    struct csv_header header = {.columns = columns, .count = 1};
    struct csv_row row;

    (void)state;
    header.at[0] = 0;
    header.at[1] = SIZE_MAX;
    assert_int_equal(csv_row_split(SLICE_LITERAL(" CS 1 "), &arena, &row), OK);
    assert_true(slice_is_equal(csv_cell(&header, &row, 0), SLICE_LITERAL("CS 1")));
    assert_int_equal(csv_cell(&header, &row, 1).len, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(row_split__the_rules_of_rfc_4180__are_followed),
        CASE(row_split__marks_out_of_place__are_refused),
        CASE(row_split__beyond_the_cells_of_a_row__returns_full),
        CASE(row_length__at_every_cut__waits_for_the_whole_row),
        CASE(row_is_blank__only_white_space__is),
        CASE(cell__of_a_column_that_the_file_has_not__is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
