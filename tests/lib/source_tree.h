/* lib/source_tree.h -- the repository's own files as text, for the tests that check how
 * they are written.
 *
 * A file is kept three times, at the same length: as it is, without comments, and without
 * comments and the contents of string and character constants. An offset or a line therefore
 * means the same place in all three.
 */
#ifndef CARILLON_TESTS_SOURCE_TREE_H
#define CARILLON_TESTS_SOURCE_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct source_file {
    char *path; /* from the root: "src/base/buf.c" */
    char *text;
    char *uncommented; /* comments are spaces */
    char *code;        /* comments and constants are spaces */
    size_t len;
};

struct source_tree {
    struct source_file *files; /* in byte order of the paths */
    size_t count;
};

/* What checks found, one line each: "path:line: words". */
struct findings {
    char *text; /* all lines, terminated; NULL when there are none */
    size_t len;
    size_t count;
};

/* Read every file below @root, without .git and build folders. Fails the test when something
 * cannot be read. Owns: the caller, who gives it back with source_tree_free. */
void source_tree_read(struct source_tree *tree, const char *root);
void source_tree_free(struct source_tree *tree);

/* A file made of a string, for checks that are shown a violation. Freed with source_file_free.
 */
struct source_file source_file_make(const char *path, const char *text);
void source_file_free(struct source_file *file);

/* The file at @path, or NULL. */
const struct source_file *source_tree_find(const struct source_tree *tree, const char *path);

/* Whether the path ends with @ending, or begins with @start. */
bool source_file_ends(const struct source_file *file, const char *ending);
bool source_file_begins(const struct source_file *file, const char *start);

/* The room of a file below src/ ("base"), written into @room; false for a file outside. */
bool source_file_room(const struct source_file *file, char *room, size_t size);

/* The line (from 1) of an offset. */
size_t source_file_line(const struct source_file *file, size_t at);

/* Where the identifier @name stands in @code at or after @from, as a whole word; SIZE_MAX when
 * nowhere. */
size_t source_word_find(const char *code, const char *name, size_t from);

/* Report what is wrong with one file. */
typedef void (*source_check)(const struct source_file *file, struct findings *findings);

/* Run @check over every file and fail the test with all it found. */
void source_tree_check(const struct source_tree *tree, source_check check);

/* Run @check over a file made of a string. Returns: what it found; findings_expect takes it. */
struct findings source_check_show(source_check check, const char *path, const char *text);

void findings_add(struct findings *findings, const struct source_file *file, size_t line,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* End the test case: fail with all findings when there are any. Frees them. */
void findings_expect_none(struct findings *findings);

/* End a case that shows a violation: exactly @count findings, the first of which contains
 * @words. Frees them. */
void findings_expect(struct findings *findings, size_t count, const char *words);

#endif
