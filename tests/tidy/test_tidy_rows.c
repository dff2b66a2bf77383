#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/source_tree.h"

/* Adding a thing is one row and one file: a row without its file, or a file without its row, is
 * reported. */

static struct source_tree tree;

static int read_tree(void **state)
{
    (void)state;
    source_tree_read(&tree, SOURCE_FOLDER);
    return 0;
}

static int free_tree(void **state)
{
    (void)state;
    source_tree_free(&tree);
    return 0;
}

/* ---- errors: numbers are unique and dense ---- */

/* Rows look like X(ERR_NAME, 12, ...) and stand in the order of their numbers. */
static void check_errors(const struct source_file *file, struct findings *findings)
{
    if (!source_file_ends(file, "base/error.h")) {
        return;
    }
    long expected = 1;
    for (const char *at = strstr(file->code, "X(ERR_"); at != NULL;
         at = strstr(at + 1, "X(ERR_")) {
        char name[64];
        long number = 0;
        size_t line = source_file_line(file, (size_t)(at - file->code));
        if (sscanf(at, "X(%63[A-Z0-9_] , %ld ,", name, &number) != 2) {
            findings_add(findings, file, line, "a row that cannot be read");
        } else if (number != expected) {
            findings_add(findings, file, line, "%s has number %ld, the next one is %ld", name,
                         number, expected);
        }
        expected++;
    }
    if (expected == 1) {
        findings_add(findings, file, 1, "no rows");
    }
}

static void errors__numbers__are_unique_and_dense(void **state)
{
    (void)state;
    assert_non_null(source_tree_find(&tree, "src/base/error.h"));
    source_tree_check(&tree, check_errors);
}

static void errors__gaps_and_repeats__are_reported(void **state)
{
    (void)state;
    struct findings findings = source_check_show(
        check_errors, "src/base/error.h", "X(ERR_A, 1, x)\nX(ERR_B, 2, x)\nX(ERR_C,   3, x)\n");
    findings_expect(&findings, 0, "");
    findings =
        source_check_show(check_errors, "src/base/error.h", "X(ERR_A, 1, x)\nX(ERR_B, 3, x)\n");
    findings_expect(&findings, 1, "error.h:2: ERR_B has number 3, the next one is 2");
    findings =
        source_check_show(check_errors, "src/base/error.h", "X(ERR_A, 1, x)\nX(ERR_B, 1, x)\n");
    findings_expect(&findings, 1, "ERR_B has number 1");
    findings = source_check_show(check_errors, "src/base/error.h", "int x;\n");
    findings_expect(&findings, 1, "no rows");
}

/* ---- methods: a number in proto/envelope.proto, a row in wire/method.c, errors of the table
 * ---- */

/* Every METHOD_x but NONE of @numbers has ROW(x, in @rows, and the other way round. */
static void check_methods(const struct source_file *numbers, const struct source_file *rows,
                          struct findings *findings)
{
    char name[64];
    char key[80];
    size_t count = 0;
    for (const char *at = strstr(numbers->code, "METHOD_"); at != NULL;
         at = strstr(at + 1, "METHOD_")) {
        if (sscanf(at, "METHOD_%63[A-Z0-9_] =", name) != 1 || strcmp(name, "NONE") == 0) {
            continue;
        }
        count++;
        snprintf(key, sizeof key, "ROW(%s,", name);
        if (strstr(rows->code, key) == NULL) {
            findings_add(findings, rows, 1, "METHOD_%s has no row", name);
        }
    }
    for (const char *at = strstr(rows->code, "    ROW("); at != NULL;
         at = strstr(at + 1, "    ROW(")) {
        if (sscanf(at, " ROW(%63[A-Z0-9_],", name) != 1) {
            continue;
        }
        snprintf(key, sizeof key, "METHOD_%s", name);
        if (source_word_find(numbers->code, key, 0) == SIZE_MAX) {
            findings_add(findings, rows, source_file_line(rows, (size_t)(at - rows->code)),
                         "%s has no number in %s", name, numbers->path);
        }
    }
    if (count == 0) {
        findings_add(findings, numbers, 1, "no methods");
    }
}

/* Words of the form ERR_x that @file writes in strings stand in the table of errors. */
static void check_error_words(const struct source_file *file, const struct source_file *errors,
                              struct findings *findings)
{
    char name[64];
    for (const char *at = strstr(file->uncommented, "ERR_"); at != NULL;
         at = strstr(at + 1, "ERR_")) {
        if (sscanf(at, "%63[A-Z0-9_]", name) == 1 &&
            source_word_find(errors->code, name, 0) == SIZE_MAX) {
            findings_add(findings, file,
                         source_file_line(file, (size_t)(at - file->uncommented)),
                         "%s is not in the table of errors", name);
        }
    }
}

static void methods__rows_and_numbers__match(void **state)
{
    (void)state;
    const struct source_file *numbers = source_tree_find(&tree, "proto/envelope.proto");
    const struct source_file *rows = source_tree_find(&tree, "src/wire/method.c");
    const struct source_file *errors = source_tree_find(&tree, "src/base/error.h");
    assert_non_null(numbers);
    assert_non_null(rows);
    assert_non_null(errors);
    struct findings findings = {0};
    check_methods(numbers, rows, &findings);
    check_error_words(rows, errors, &findings);
    findings_expect_none(&findings);
}

static void methods__without_row_number_or_known_error__are_reported(void **state)
{
    (void)state;
    struct source_file numbers = source_file_make(
        "proto/envelope.proto",
        "enum Method {\n METHOD_NONE = 0;\n METHOD_A = 1;\n METHOD_B = 2;\n}\n");
    struct source_file rows = source_file_make(
        "src/wire/method.c", "    ROW(A, \"ERR_A\")\n    ROW(C, \"ERR_NONSENSE\")\n");
    struct source_file both =
        source_file_make("src/wire/method.c", "    ROW(A, 1)\n    ROW(B, 2)\n");
    struct source_file errors = source_file_make("src/base/error.h", "X(ERR_A, 1, x)\n");
    struct findings findings = {0};
    check_methods(&numbers, &rows, &findings);
    findings_expect(&findings, 2, "METHOD_B has no row");
    check_methods(&numbers, &rows, &findings);
    findings_expect(&findings, 2, "method.c:2: C has no number");
    check_methods(&numbers, &both, &findings);
    findings_expect(&findings, 0, "");
    check_error_words(&rows, &errors, &findings);
    findings_expect(&findings, 1, "method.c:2: ERR_NONSENSE is not in the table");
    source_file_free(&numbers);
    source_file_free(&rows);
    source_file_free(&both);
    source_file_free(&errors);
}

/* ---- verbs: a row in carillon/verbs.h, a file carillon/verb_x.c ---- */

static const char verb_rows[] = "src/carillon/verbs.h";
static const char verb_start[] = "src/carillon/verb_";

/* Rows look like X(name, ...); the file verb_name.c defines int verb_name(. Returns: how many
 * rows. */
static size_t check_verb_rows(const struct source_tree *files, const struct source_file *rows,
                              struct findings *findings)
{
    char name[64];
    char path[120];
    char definition[120];
    size_t count = 0;
    for (const char *at = strstr(rows->code, " X("); at != NULL; at = strstr(at + 1, " X(")) {
        if (sscanf(at, " X(%63[a-z0-9_]", name) != 1) {
            continue;
        }
        snprintf(path, sizeof path, "%s%s.c", verb_start, name);
        snprintf(definition, sizeof definition, "\nint verb_%s(", name);
        const struct source_file *file = source_tree_find(files, path);
        if (file == NULL || strstr(file->code, definition) == NULL) {
            findings_add(findings, rows, source_file_line(rows, (size_t)(at - rows->code)),
                         "verb %s is not defined in a file %s", name, path);
        }
        count++;
    }
    return count;
}

static void check_verbs(const struct source_tree *files, const struct source_file *rows,
                        struct findings *findings)
{
    if (check_verb_rows(files, rows, findings) == 0) {
        findings_add(findings, rows, 1, "no verbs");
    }
    for (size_t i = 0; i < files->count; i++) {
        const struct source_file *file = &files->files[i];
        if (!source_file_begins(file, verb_start) || !source_file_ends(file, ".c")) {
            continue;
        }
        char row[64];
        int len = (int)(strlen(file->path) - strlen(verb_start) - strlen(".c"));
        snprintf(row, sizeof row, " X(%.*s,", len, file->path + strlen(verb_start));
        if (strstr(rows->code, row) == NULL) {
            findings_add(findings, file, 1, "has no row in %s", rows->path);
        }
    }
}

static void verbs__rows_and_files__match(void **state)
{
    (void)state;
    const struct source_file *rows = source_tree_find(&tree, verb_rows);
    if (rows == NULL) { /* then there is no file of a verb either */
        for (size_t i = 0; i < tree.count; i++) {
            assert_false(source_file_begins(&tree.files[i], verb_start));
        }
        return;
    }
    struct findings findings = {0};
    check_verbs(&tree, rows, &findings);
    findings_expect_none(&findings);
}

static void verbs__row_without_file_and_file_without_row__are_reported(void **state)
{
    (void)state;
    struct source_file files[] = {
        source_file_make("src/carillon/verb_show.c", "\nint verb_show(int x)\n{\n}\n"),
        source_file_make("src/carillon/verb_swap.c", "\nint verb_swap(int x)\n{\n}\n"),
    };
    struct source_tree both = {files, 2};
    struct findings findings = {0};
    struct source_file rows = source_file_make(
        verb_rows, "#define VERBS(X) \\\n    X(show, \"a\") \\\n    X(swap, \"b\")\n");
    check_verbs(&both, &rows, &findings);
    findings_expect(&findings, 0, "");
    source_file_free(&rows);
    rows = source_file_make(verb_rows,
                            "#define VERBS(X) \\\n    X(show, \"a\") \\\n    X(drop, \"b\")\n");
    check_verbs(&both, &rows, &findings);
    findings_expect(&findings, 2,
                    "verbs.h:3: verb drop is not defined in a file src/carillon/verb_drop.c");
    check_verbs(&both, &rows, &findings);
    findings_expect(&findings, 2, "src/carillon/verb_swap.c:1: has no row");
    source_file_free(&rows);
    rows = source_file_make(verb_rows, "int x;\n");
    check_verbs(&(struct source_tree){files, 0}, &rows, &findings);
    findings_expect(&findings, 1, "no verbs");
    source_file_free(&rows);
    source_file_free(&files[0]);
    source_file_free(&files[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors__numbers__are_unique_and_dense),
        cmocka_unit_test(errors__gaps_and_repeats__are_reported),
        cmocka_unit_test(methods__rows_and_numbers__match),
        cmocka_unit_test(methods__without_row_number_or_known_error__are_reported),
        cmocka_unit_test(verbs__rows_and_files__match),
        cmocka_unit_test(verbs__row_without_file_and_file_without_row__are_reported),
    };
    return cmocka_run_group_tests(tests, read_tree, free_tree);
}
