#include "tests/lib/source_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* ---- reading ---- */

static char *path_join(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", folder, *folder == 0 ? "" : "/", name) < 0) {
        fail_msg("no memory");
    }
    return path;
}

enum state { IN_CODE, IN_LINE_COMMENT, IN_COMMENT, IN_STRING, IN_CHARACTER };

/* Go one character on; @ret_width becomes 2 where two characters belong together. */
static enum state next_state(enum state state, const char *at, size_t *ret_width)
{
    switch (state) {
    case IN_CODE:
        if (at[0] == '/' && (at[1] == '/' || at[1] == '*')) {
            *ret_width = 2;
            return at[1] == '/' ? IN_LINE_COMMENT : IN_COMMENT;
        }
        return at[0] == '"' ? IN_STRING : at[0] == '\'' ? IN_CHARACTER : IN_CODE;
    case IN_LINE_COMMENT:
        return at[0] == '\n' ? IN_CODE : IN_LINE_COMMENT;
    case IN_COMMENT:
        if (at[0] == '*' && at[1] == '/') {
            *ret_width = 2;
            return IN_CODE;
        }
        return IN_COMMENT;
    case IN_STRING:
    case IN_CHARACTER:
        if (at[0] == '\\' && at[1] != 0) {
            *ret_width = 2;
            return state;
        }
        return at[0] == (state == IN_STRING ? '"' : '\'') ? IN_CODE : state;
    }
    return state;
}

/* Fill in the two blanked copies. The quotes themselves stay, so that a constant can still be
 * seen to be there. */
static void blank(struct source_file *file)
{
    enum state state = IN_CODE;
    for (size_t at = 0; at < file->len;) {
        size_t width = 1;
        enum state next = next_state(state, file->text + at, &width);
        bool in_comment = state == IN_COMMENT || state == IN_LINE_COMMENT ||
                          next == IN_COMMENT || next == IN_LINE_COMMENT;
        bool in_constant = (state == IN_STRING || state == IN_CHARACTER) && next == state;
        for (size_t i = at; i < at + width && file->text[i] != '\n'; i++) {
            if (in_comment) {
                file->uncommented[i] = ' ';
            }
            if (in_comment || in_constant) {
                file->code[i] = ' ';
            }
        }
        state = next;
        at += width;
    }
}

/* Takes @path and @text, which has @len bytes and a terminator. */
static struct source_file file_from(char *path, char *text, size_t len)
{
    struct source_file file = {.path = path, .text = text, .len = len};
    file.uncommented = malloc(len + 1);
    file.code = malloc(len + 1);
    assert_non_null(file.uncommented);
    assert_non_null(file.code);
    memcpy(file.uncommented, text, len + 1);
    memcpy(file.code, text, len + 1);
    blank(&file);
    return file;
}

struct source_file source_file_make(const char *path, const char *text)
{
    return file_from(strdup(path), strdup(text), strlen(text));
}

void source_file_free(struct source_file *file)
{
    free(file->path);
    free(file->text);
    free(file->uncommented);
    free(file->code);
    *file = (struct source_file){0};
}

static void add_file(struct source_tree *tree, const char *full, char *path)
{
    FILE *stream = fopen(full, "rb");
    if (stream == NULL) {
        fail_msg("cannot open %s", full);
    }
    char *text = NULL;
    size_t len = 0;
    size_t got = 0;
    do {
        text = realloc(text, len + 65536 + 1);
        assert_non_null(text);
        got = fread(text + len, 1, 65536, stream);
        len += got;
    } while (got > 0);
    text[len] = 0;
    fclose(stream);
    tree->files = realloc(tree->files, (tree->count + 1) * sizeof *tree->files);
    assert_non_null(tree->files);
    tree->files[tree->count++] = file_from(path, text, len);
}

static void add_folder(struct source_tree *tree, const char *root, const char *folder)
{
    char *full = path_join(root, folder);
    DIR *stream = opendir(full);
    if (stream == NULL) {
        fail_msg("cannot open %s", full);
    }
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0 ||
            (*folder == 0 && strcmp(name, "build") == 0) ||
            (strcmp(folder, "tests/fuzz") == 0 && strcmp(name, "corpus") == 0)) {
            continue; /* a corpus holds whatever bytes a fuzz target is given */
        }
        char *path = path_join(folder, name);
        char *file = path_join(root, path);
        struct stat about;
        assert_int_equal(lstat(file, &about), 0);
        if (S_ISDIR(about.st_mode)) {
            add_folder(tree, root, path);
            free(path);
        } else if (S_ISREG(about.st_mode)) {
            add_file(tree, file, path);
        } else {
            free(path);
        }
        free(file);
    }
    closedir(stream);
    free(full);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

void source_tree_read(struct source_tree *tree, const char *root)
{
    *tree = (struct source_tree){0};
    add_folder(tree, root, "");
    assert_true(tree->count > 0);
    qsort(tree->files, tree->count, sizeof *tree->files, compare_paths);
}

void source_tree_free(struct source_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        source_file_free(&tree->files[i]);
    }
    free(tree->files);
    *tree = (struct source_tree){0};
}

/* ---- asking ---- */

const struct source_file *source_tree_find(const struct source_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (strcmp(tree->files[i].path, path) == 0) {
            return &tree->files[i];
        }
    }
    return NULL;
}

bool source_file_ends(const struct source_file *file, const char *ending)
{
    size_t len = strlen(file->path);
    size_t ending_len = strlen(ending);
    return len >= ending_len && strcmp(file->path + len - ending_len, ending) == 0;
}

bool source_file_begins(const struct source_file *file, const char *start)
{
    return strncmp(file->path, start, strlen(start)) == 0;
}

bool source_file_room(const struct source_file *file, char *room, size_t size)
{
    if (!source_file_begins(file, "src/")) {
        return false;
    }
    const char *start = file->path + 4;
    const char *end = strchr(start, '/');
    if (end == NULL || (size_t)(end - start) >= size) {
        return false;
    }
    memcpy(room, start, (size_t)(end - start));
    room[end - start] = 0;
    return true;
}

size_t source_file_line(const struct source_file *file, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at && i < file->len; i++) {
        line += file->text[i] == '\n';
    }
    return line;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

size_t source_word_find(const char *code, const char *name, size_t from)
{
    size_t name_len = strlen(name);
    for (const char *at = strstr(code + from, name); at != NULL; at = strstr(at + 1, name)) {
        if ((at == code || !is_word(at[-1])) && !is_word(at[name_len])) {
            return (size_t)(at - code);
        }
    }
    return SIZE_MAX;
}

/* ---- findings ---- */

void findings_add(struct findings *findings, const struct source_file *file, size_t line,
                  const char *format, ...)
{
    char words[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    char *whole = NULL;
    if (asprintf(&whole, "%s%s:%zu: %s\n", findings->text == NULL ? "" : findings->text,
                 file->path, line, words) < 0) {
        fail_msg("no memory");
    }
    free(findings->text);
    findings->text = whole;
    findings->count++;
}

void findings_expect_none(struct findings *findings)
{
    size_t count = findings->count;
    if (count > 0) {
        fprintf(stderr, "%s", findings->text);
    }
    free(findings->text);
    *findings = (struct findings){0};
    assert_int_equal(count, 0);
}

void findings_expect(struct findings *findings, size_t count, const char *words)
{
    size_t found = findings->count;
    bool has_words =
        count == 0 || (findings->text != NULL && strstr(findings->text, words) != NULL);
    if (found != count || !has_words) {
        fprintf(stderr, "wanted %zu with '%s', found:\n%s", count, words,
                findings->text == NULL ? "nothing\n" : findings->text);
    }
    free(findings->text);
    *findings = (struct findings){0};
    assert_int_equal(found, count);
    assert_true(has_words);
}

void source_tree_check(const struct source_tree *tree, source_check check)
{
    struct findings findings = {0};
    for (size_t i = 0; i < tree->count; i++) {
        check(&tree->files[i], &findings);
    }
    findings_expect_none(&findings);
}

struct findings source_check_show(source_check check, const char *path, const char *text)
{
    struct findings findings = {0};
    struct source_file file = source_file_make(path, text);
    check(&file, &findings);
    source_file_free(&file);
    return findings;
}
