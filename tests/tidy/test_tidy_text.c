#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/source_tree.h"

/* How files are written: their size, that of their functions, words and white space. */

enum { FILE_LINES_MAX = 800, FUNCTION_LINES_MAX = 70, README_LINES_MAX = 80 };

/* Functions that may be longer, as "path function". The list starts empty and only shrinks. */
static const char *const long_functions[] = {NULL};

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

/* Returns a text of @count lines between @start and @end. Owns: the caller frees it. */
static char *lines_make(const char *start, size_t count, const char *end)
{
    static const char line[] = "    call();\n";
    size_t line_len = sizeof line - 1;
    char *text = calloc(1, strlen(start) + count * line_len + strlen(end) + 1);
    assert_non_null(text);
    strcpy(text, start);
    char *at = text + strlen(start);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, line, line_len);
        at += line_len;
    }
    strcpy(at, end);
    return text;
}

static bool is_c(const struct source_file *file)
{
    return source_file_ends(file, ".c") || source_file_ends(file, ".h");
}

/* ---- size ---- */

static void check_file_size(const struct source_file *file, struct findings *findings)
{
    size_t lines = source_file_line(file, file->len) - 1;
    if (is_c(file) && lines > FILE_LINES_MAX) {
        findings_add(findings, file, 1, "%zu lines, at most %d", lines, FILE_LINES_MAX);
    }
}

static bool is_long_allowed(const char *path, const char *name)
{
    char key[300];
    snprintf(key, sizeof key, "%s %s", path, name);
    for (size_t i = 0; long_functions[i] != NULL; i++) {
        if (strcmp(long_functions[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* The name in the head of the function that ends at @end: the word before its first
 * parenthesis. */
static void function_name(const char *code, size_t end, char *name, size_t size)
{
    size_t start = end;
    while (start > 0 &&
           !(code[start - 1] == '\n' && (start < 2 || strchr("};\n", code[start - 2])))) {
        start--;
    }
    size_t at = start;
    while (at < end && code[at] != '(') {
        at++;
    }
    size_t first = at;
    while (first > start &&
           (isalnum((unsigned char)code[first - 1]) || code[first - 1] == '_')) {
        first--;
    }
    snprintf(name, size, "%.*s", (int)(at - first), code + first);
}

/* A function's body stands between a brace alone in the first column and the next one:
 * .clang-format sees to it. */
static void check_function_size(const struct source_file *file, struct findings *findings)
{
    if (!is_c(file)) {
        return;
    }
    const char *open =
        strncmp(file->code, "{\n", 2) == 0 ? file->code : strstr(file->code, "\n{\n");
    while (open != NULL) {
        const char *close = strstr(open + 1, "\n}");
        if (close == NULL) {
            return;
        }
        size_t from = source_file_line(file, (size_t)(open - file->code) + 1);
        size_t lines = source_file_line(file, (size_t)(close - file->code) + 1) - from - 1;
        char name[128];
        function_name(file->code, (size_t)(open - file->code), name, sizeof name);
        if (lines > FUNCTION_LINES_MAX && !is_long_allowed(file->path, name)) {
            findings_add(findings, file, from, "%s has %zu lines, at most %d", name, lines,
                         FUNCTION_LINES_MAX);
        }
        open = strstr(close + 1, "\n{\n");
    }
}

static void files__none__has_over_800_lines(void **state)
{
    (void)state;
    source_tree_check(&tree, check_file_size);
}

static void files__801_lines__are_reported(void **state)
{
    (void)state;
    char *fits = lines_make("", FILE_LINES_MAX, "");
    char *exceeds = lines_make("", FILE_LINES_MAX + 1, "");
    struct findings findings = source_check_show(check_file_size, "src/base/x.c", fits);
    findings_expect(&findings, 0, "");
    findings = source_check_show(check_file_size, "src/base/x.c", exceeds);
    findings_expect(&findings, 1, "src/base/x.c:1: 801 lines");
    free(fits);
    free(exceeds);
}

static void functions__none__has_over_70_lines(void **state)
{
    (void)state;
    source_tree_check(&tree, check_function_size);
}

static void functions__71_lines__are_reported_by_name(void **state)
{
    (void)state;
    static const char head[] = "static int x;\n\nint base_long_one(int a,\n    int b)\n{\n";
    char *fits = lines_make(head, FUNCTION_LINES_MAX, "}\n");
    char *exceeds = lines_make(head, FUNCTION_LINES_MAX + 1, "}\nint other(void)\n{\n}\n");
    struct findings findings = source_check_show(check_function_size, "src/base/x.c", fits);
    findings_expect(&findings, 0, "");
    findings = source_check_show(check_function_size, "src/base/x.c", exceeds);
    findings_expect(&findings, 1, "src/base/x.c:5: base_long_one has 71 lines");
    free(fits);
    free(exceeds);
}

/* ---- words and white space ---- */

/* Written in halves, so that this file does not report itself. */
static const char *const left_over_words[] = {"TO"
                                              "DO",
                                              "FIX"
                                              "ME",
                                              "XX"
                                              "X",
                                              "HA"
                                              "CK",
                                              NULL};
static const char *const machine_paths[] = {"/wo"
                                            "rk/",
                                            "/ro"
                                            "ot/",
                                            "/ho"
                                            "me/",
                                            NULL};

/* Whole words only: the pattern of mkstemp is six letters. */
static void check_words(const struct source_file *file, struct findings *findings)
{
    for (size_t i = 0; left_over_words[i] != NULL; i++) {
        size_t at = source_word_find(file->text, left_over_words[i], 0);
        if (at != SIZE_MAX) {
            findings_add(findings, file, source_file_line(file, at),
                         "%s: finish it or leave it out", left_over_words[i]);
        }
    }
    for (size_t i = 0; machine_paths[i] != NULL; i++) {
        const char *at = strstr(file->text, machine_paths[i]);
        if (at != NULL) {
            findings_add(findings, file, source_file_line(file, (size_t)(at - file->text)),
                         "%s: a path of one machine", machine_paths[i]);
        }
    }
}

static void check_white_space(const struct source_file *file, struct findings *findings)
{
    if (strlen(file->text) != file->len || source_file_ends(file, ".patch")) {
        return; /* not text, or with a column of its own at the start of lines */
    }
    for (size_t i = 0; i < file->len; i++) {
        char c = file->text[i];
        if (c == '\r') {
            findings_add(findings, file, source_file_line(file, i), "carriage return");
            return;
        }
        bool ends_line = i + 1 == file->len || file->text[i + 1] == '\n';
        if (ends_line && (c == ' ' || c == '\t')) {
            findings_add(findings, file, source_file_line(file, i), "white space at the end");
        }
        if (c == '\t' && is_c(file)) {
            findings_add(findings, file, source_file_line(file, i), "tab");
        }
    }
    if (file->len > 0 && file->text[file->len - 1] != '\n') {
        findings_add(findings, file, source_file_line(file, file->len),
                     "no newline at the end");
    }
}

/* What a program makes is made again, not kept: pictures, generated code, objects. */
static const char *const generated[] = {".png", ".jpg",  ".jpeg",   ".gif",    ".svg", ".pdf",
                                        ".eps", ".webp", ".pb-c.c", ".pb-c.h", ".o",   ".a",
                                        ".so",  ".orig", ".rej",    ".bak",    NULL};

static void check_generated(const struct source_file *file, struct findings *findings)
{
    for (size_t i = 0; generated[i] != NULL; i++) {
        if (source_file_ends(file, generated[i])) {
            findings_add(findings, file, 1, "%s files are not kept", generated[i]);
        }
    }
}

static void text__nowhere__is_left_unfinished_or_names_a_machine(void **state)
{
    (void)state;
    source_tree_check(&tree, check_words);
}

static void text__unfinished_words_and_paths__are_reported(void **state)
{
    (void)state;
    struct findings findings = source_check_show(check_words, "src/base/x.c",
                                                 "int x;\n/* TO"
                                                 "DO: later */\n");
    findings_expect(&findings, 1,
                    "src/base/x.c:2: TO"
                    "DO");
    findings = source_check_show(check_words, "README.md",
                                 "FIX"
                                 "ME\nHA"
                                 "CK\n");
    findings_expect(&findings, 2,
                    "README.md:2: HA"
                    "CK");
    findings = source_check_show(check_words, "docs/x.md",
                                 "see /wo"
                                 "rk/notes\n");
    findings_expect(&findings, 1, "docs/x.md:1");
    findings = source_check_show(check_words, "src/base/x.c",
                                 "mkstemp(\"x-XX"
                                 "XXXX\"); int TO"
                                 "DOS;\n");
    findings_expect(&findings, 0, "");
}

static void text__no_line__ends_with_white_space(void **state)
{
    (void)state;
    source_tree_check(&tree, check_white_space);
}

static void text__white_space_at_the_end__is_reported(void **state)
{
    (void)state;
    struct findings findings = source_check_show(check_white_space, "docs/x.md", "a\nb \nc\n");
    findings_expect(&findings, 1, "docs/x.md:2: white space");
    findings = source_check_show(check_white_space, "docs/x.md", "a\r\nb\n");
    findings_expect(&findings, 1, "docs/x.md:1: carriage");
    findings = source_check_show(check_white_space, "docs/x.md", "a");
    findings_expect(&findings, 1, "docs/x.md:1: no newline");
    findings = source_check_show(check_white_space, "src/base/x.c", "\tcall();\n");
    findings_expect(&findings, 1, "src/base/x.c:1: tab");
}

static void files__none__was_made_by_a_program(void **state)
{
    (void)state;
    source_tree_check(&tree, check_generated);
}

static void files__made_by_a_program__are_reported(void **state)
{
    (void)state;
    struct findings findings = source_check_show(check_generated, "docs/picture.png", "x");
    findings_expect(&findings, 1, "docs/picture.png:1");
    findings = source_check_show(check_generated, "src/wire/entry.pb-c.h", "x");
    findings_expect(&findings, 1, ".pb-c.h files are not kept");
    findings = source_check_show(check_generated, "src/wire/entry.c", "x");
    findings_expect(&findings, 0, "");
}

/* Where the real catalogues lie by default stands in scripts/lib.sh; everything else knows the
 * variable alone. */
static void check_data_folder(const struct source_file *file, struct findings *findings)
{
    static const char folder[] = "../shared/"
                                 "data";
    const char *at = strstr(file->text, folder);
    if (at != NULL && strcmp(file->path, "scripts/lib.sh") != 0) {
        findings_add(findings, file, source_file_line(file, (size_t)(at - file->text)),
                     "only scripts/lib.sh says where the data lies");
    }
}

static void data__its_place__stands_in_one_script(void **state)
{
    (void)state;
    source_tree_check(&tree, check_data_folder);
}

static void data__its_place_elsewhere__is_reported(void **state)
{
    (void)state;
    static const char text[] = "x\ncd ../shared/"
                               "data\n";
    struct findings findings = source_check_show(check_data_folder, "scripts/demo", text);
    findings_expect(&findings, 1, "scripts/demo:2: only scripts/lib.sh");
    findings = source_check_show(check_data_folder, "scripts/lib.sh", text);
    findings_expect(&findings, 0, "");
}

/* ---- a page for every room ---- */

static void check_rooms_have_pages(const struct source_tree *files, struct findings *findings)
{
    char before[32] = "";
    for (size_t i = 0; i < files->count; i++) {
        char room[32];
        if (!source_file_room(&files->files[i], room, sizeof room) ||
            strcmp(room, before) == 0) {
            continue;
        }
        strcpy(before, room);
        char path[64];
        snprintf(path, sizeof path, "src/%s/README.md", room);
        const struct source_file *page = source_tree_find(files, path);
        if (page == NULL) {
            findings_add(findings, &files->files[i], 1, "the room has no README.md");
        } else if (source_file_line(page, page->len) > README_LINES_MAX) {
            findings_add(findings, page, README_LINES_MAX, "longer than a page");
        } else if (page->len < 200) {
            findings_add(findings, page, 1, "says next to nothing");
        }
    }
}

static void rooms__each__has_a_page(void **state)
{
    (void)state;
    struct findings findings = {0};
    check_rooms_have_pages(&tree, &findings);
    findings_expect_none(&findings);
}

static void rooms__without_a_page__are_reported(void **state)
{
    (void)state;
    char *page = lines_make("# raft\n", 100, "");
    struct source_file files[] = {
        source_file_make("src/raft/raft.c", "int x;\n"),
        source_file_make("src/raft/README.md", "# raft\n"),
        source_file_make("src/raft/README.md", page),
    };
    struct findings findings = {0};
    check_rooms_have_pages(&(struct source_tree){files, 1}, &findings);
    findings_expect(&findings, 1, "src/raft/raft.c:1: the room has no README.md");
    check_rooms_have_pages(&(struct source_tree){files, 2}, &findings);
    findings_expect(&findings, 1, "says next to nothing");
    check_rooms_have_pages(&(struct source_tree){files + 2, 1}, &findings);
    findings_expect(&findings, 1, "longer than a page");
    for (size_t i = 0; i < 3; i++) {
        source_file_free(&files[i]);
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files__none__has_over_800_lines),
        cmocka_unit_test(files__801_lines__are_reported),
        cmocka_unit_test(functions__none__has_over_70_lines),
        cmocka_unit_test(functions__71_lines__are_reported_by_name),
        cmocka_unit_test(text__nowhere__is_left_unfinished_or_names_a_machine),
        cmocka_unit_test(text__unfinished_words_and_paths__are_reported),
        cmocka_unit_test(text__no_line__ends_with_white_space),
        cmocka_unit_test(text__white_space_at_the_end__is_reported),
        cmocka_unit_test(files__none__was_made_by_a_program),
        cmocka_unit_test(files__made_by_a_program__are_reported),
        cmocka_unit_test(data__its_place__stands_in_one_script),
        cmocka_unit_test(data__its_place_elsewhere__is_reported),
        cmocka_unit_test(rooms__each__has_a_page),
        cmocka_unit_test(rooms__without_a_page__are_reported),
    };
    return cmocka_run_group_tests(tests, read_tree, free_tree);
}
