/* Planted bugs: each says what it breaks and which tests find it, and can be planted in the
 * tree as it is. That they are found is seen by scripts/planted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/source_tree.h"

enum { NAME_BYTES = 128 };

static const char found_by[] = "\nFound by: ";

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

static bool is_planted(const struct source_file *file)
{
    return source_file_begins(file, "tests/planted/") && source_file_ends(file, ".patch");
}

static size_t line_len(const char *line)
{
    size_t len = strcspn(line, "\n");

    return len + (line[len] == '\n' ? 1 : 0);
}

/* ---- its head */

/* The test that a program is, or "": tests/unit/test_x.c is test_x, and test_x.py of the Python
 * client test_python_x. */
static void test_of(const struct source_file *file, char out[NAME_BYTES])
{
    const char *slash = strrchr(file->path, '/');
    const char *base = slash == NULL ? file->path : slash + 1;
    size_t ending = source_file_ends(file, ".py") ? 3 : 2;
    bool is_program = (source_file_begins(file, "tests/") && source_file_ends(file, ".c")) ||
                      (source_file_begins(file, "clients/python/tests/") && ending == 3);

    out[0] = '\0';
    if (is_program && strncmp(base, "test_", 5) == 0) {
        (void)snprintf(out, NAME_BYTES, "test_%s%.*s", ending == 3 ? "python_" : "",
                       (int)(strlen(base) - 5 - ending), base + 5);
    }
}

static bool names_a_test(const char *pattern)
{
    regex_t regex;
    bool is_found = false;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    for (size_t i = 0; i < tree.count && !is_found; i++) {
        char name[NAME_BYTES];

        test_of(&tree.files[i], name);
        is_found = name[0] != '\0' && regexec(&regex, name, 0, NULL, 0) == 0;
    }
    regfree(&regex);
    return is_found;
}

static void check_head(const struct source_file *file, struct findings *findings)
{
    const char *found = strstr(file->text, found_by);
    char pattern[NAME_BYTES] = "";

    if (!is_planted(file)) {
        return;
    }
    if (found == NULL || found == file->text) {
        findings_add(findings, file, 1, "says not what it breaks, or not which test finds it");
        return;
    }
    found += sizeof found_by - 1;
    (void)snprintf(pattern, sizeof pattern, "%.*s", (int)strcspn(found, "\n"), found);
    if (!names_a_test(pattern)) {
        findings_add(findings, file, 2, "no test is named %s", pattern);
    }
}

static void planted_bug__each__says_what_it_breaks_and_who_finds_it(void **state)
{
    (void)state;
    source_tree_check(&tree, check_head);
}

static void planted_bug__without_a_test__is_found(void **state)
{
    struct findings findings = source_check_show(check_head, "tests/planted/x.patch",
                                                 "It breaks.\nFound by: ^test_of_nothing$\n");

    (void)state;
    findings_expect(&findings, 1, "no test is named ^test_of_nothing$");
    findings = source_check_show(check_head, "tests/planted/x.patch", "It breaks.\n");
    findings_expect(&findings, 1, "which test finds it");
}

/* ---- its hunks */

/* The text before the change of the hunk that begins behind @at, which is moved to its end.
 * Owns: the caller frees it. */
static char *hunk_before(const char **at)
{
    char *text = calloc(1, strlen(*at) + 1);
    size_t len = 0;

    assert_non_null(text);
    for (; **at == ' ' || **at == '-' || **at == '+'; *at += line_len(*at)) {
        if (strncmp(*at, "--- ", 4) == 0) {
            break;
        }
        if (**at != '+') {
            memcpy(text + len, *at + 1, line_len(*at) - 1);
            len += line_len(*at) - 1;
        }
    }
    return text;
}

static const struct source_file *target_of(const char *line)
{
    char path[NAME_BYTES];

    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
    return source_tree_find(&tree, path);
}

static void check_hunks(const struct source_file *file, struct findings *findings)
{
    const struct source_file *target = NULL;
    const char *at = file->text;

    if (!is_planted(file)) {
        return;
    }
    while (*at != '\0') {
        size_t line = source_file_line(file, (size_t)(at - file->text));
        bool is_hunk = strncmp(at, "@@ ", 3) == 0;

        if (strncmp(at, "--- a/", 6) == 0) {
            target = target_of(at);
        }
        at += line_len(at);
        if (is_hunk) {
            char *before = hunk_before(&at);

            if (target == NULL || strstr(target->text, before) == NULL) {
                findings_add(findings, file, line, "does not apply any more");
            }
            free(before);
        }
    }
    if (target == NULL) {
        findings_add(findings, file, 1, "changes no file that is there");
    }
}

static void planted_bug__each__applies(void **state)
{
    (void)state;
    source_tree_check(&tree, check_hunks);
}

static void planted_bug__that_does_not_apply__is_found(void **state)
{
    struct findings findings = source_check_show(
        check_hunks, "tests/planted/x.patch",
        "It breaks.\nFound by: test_raft\n\n--- a/src/raft/raft.c\n+++ b/src/raft/raft.c\n"
        "@@ -1,2 +1,2 @@\n #include \"raft/raft_private.h\"\n-nothing of the kind\n+x\n");

    (void)state;
    findings_expect(&findings, 1, "does not apply any more");
    findings = source_check_show(check_hunks, "tests/planted/x.patch",
                                 "It breaks.\nFound by: test_raft\n\n--- a/src/none.c\n");
    findings_expect(&findings, 1, "changes no file that is there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_bug__each__says_what_it_breaks_and_who_finds_it),
        cmocka_unit_test(planted_bug__without_a_test__is_found),
        cmocka_unit_test(planted_bug__each__applies),
        cmocka_unit_test(planted_bug__that_does_not_apply__is_found),
    };
    return cmocka_run_group_tests(tests, read_tree, free_tree);
}
