/* Performs every row of the table "Cases" of docs/spec/import.md, and holds the table, the
 * kinds of findings and this file together.
 */
#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "carillon/import_private.h"
#include "carillon/json_message.h"

enum { ROWS_MAX = 256, CELLS = 5, FILE_BYTES_MAX = 2 << 20 };

enum cell { CELL_ID, CELL_KIND, CELL_INPUT, CELL_VERDICT, CELL_MESSAGE };

static char *page;
static char *rows[ROWS_MAX][CELLS];
static size_t row_count;

static void load_page(void)
{
    FILE *file = fopen(SOURCE_FOLDER "/docs/spec/import.md", "r");

    assert_non_null(file);
    page = calloc(1, FILE_BYTES_MAX);
    assert_non_null(page);
    assert_true(fread(page, 1, FILE_BYTES_MAX - 1, file) > 0);
    fclose(file);
}

/* A cell without the white space and the backquotes around it. */
static char *trim(char *text)
{
    text += strspn(text, " ");
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == ' ') {
        text[--len] = '\0';
    }
    if (len >= 2 && text[0] == '`' && text[len - 1] == '`') {
        text[len - 1] = '\0';
        text++;
    }
    return text;
}

static void split_row(char *line)
{
    char *rest = line + 1;

    assert_true(row_count < ROWS_MAX);
    for (size_t cell = 0; cell < CELLS; cell++) {
        char *end = strchr(rest, '|');

        assert_non_null(end);
        *end = '\0';
        rows[row_count][cell] = trim(rest);
        rest = end + 1;
    }
    row_count++;
}

static int read_table(void **state)
{
    (void)state;
    load_page();
    char *line = strstr(page, "\n## Cases\n");

    assert_non_null(line);
    for (line = strtok(line, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '|' && strncmp(line, "| id ", 5) != 0 && strncmp(line, "|---", 4) != 0) {
            split_row(line);
        }
    }
    assert_true(row_count > 100);
    return 0;
}

/* ---- building the input ---- */

static void put_repeated(FILE *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(text, out);
    }
}

/* Write @text with the sign for a line break replaced by one. */
static void put_lines(FILE *out, const char *text)
{
    static const char mark[] = "\xe2\x8f\x8e";

    while (*text != '\0') {
        if (strncmp(text, mark, 3) == 0) {
            fputc('\n', out);
            text += 3;
        } else {
            fputc(*text++, out);
        }
    }
    fputc('\n', out);
}

/* Write the fields @fields put over the object @base. */
static void put_over(FILE *out, const char *base, const char *fields)
{
    struct json_object *object = json_tokener_parse(base);
    struct json_object *over = json_tokener_parse(fields);

    assert_non_null(object);
    assert_non_null(over);
    json_object_object_foreach(over, name, value)
    {
        json_object_object_add(object, name, json_object_get(value));
    }
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(over);
    json_object_put(object);
}

static void put_rule(FILE *out, const char *rule)
{
    fputs("code,title,prereq\nCS9,Sums,\"", out);
    for (; *rule != '\0'; rule++) {
        fputs(*rule == '"' ? "\"\"" : (char[]){*rule, '\0'}, out);
    }
    fputs("\"\nCS1,One,\nCS 1,One more,\n\"CS 1 (old, and new)\",Old,\n", out);
}

#define HEAD "{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"Sums\","

static void put_sections(FILE *out, size_t count, const char *place)
{
    fputs("\"sections\":[", out);
    for (size_t i = 1; i <= count; i++) {
        fprintf(out,
                "%s{\"id\":\"%zu\",\"meetings\":[{\"days\":\"M\",\"start\":\"09:00\","
                "\"end\":\"10:00\",\"location\":\"%s\"}]}",
                i > 1 ? "," : "", i, place);
    }
    fputs("]}\n", out);
}

static void make_empty(FILE *out)
{
    (void)out;
}

static void make_crlf(FILE *out)
{
    fputs("\xef\xbb\xbf" HEAD "\"level\":1}\r\n\r\n"
          "{\"institution\":\"lindenmoor\",\"code\":\"COMP 2\",\"title\":\"More\"}\r\n",
          out);
}

static void make_long_line(FILE *out)
{
    fputs(HEAD "\"description\":\"", out);
    put_repeated(out, "xxxxxxxxxx", (11 << 20) / 100);
    fputs("\"}\n", out);
}

static void make_not_utf8(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"\xe9t\xe9\"}\n",
          out);
}

static void make_deep_json(FILE *out)
{
    fputs(HEAD "\"subject\":", out);
    put_repeated(out, "[", 100);
    put_repeated(out, "]", 100);
    fputs("}\n", out);
}

static void make_long_title(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"", out);
    put_repeated(out, "x", 1025);
    fputs("\"}\n", out);
}

static void make_title_302(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"", out);
    put_repeated(out, "x", 302);
    fputs("\"}\n", out);
}

static void make_code_110(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"title\":\"Sums\",\"code\":\"", out);
    put_repeated(out, "x", 110);
    fputs("\"}\n", out);
}

static void make_long_description(FILE *out)
{
    fputs(HEAD "\"description\":\"", out);
    put_repeated(out, "x", 50000);
    fputs("\"}\n", out);
}

static void make_two_students(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"token\":\"lm-1\"}\n"
          "{\"institution\":\"lindenmoor\",\"token\":\"lm-1\"}\n",
          out);
}

static void make_401_sections(FILE *out)
{
    fputs(HEAD, out);
    put_sections(out, 401, "");
}

static void make_317_sections(FILE *out)
{
    fputs(HEAD, out);
    put_sections(out, 317, "");
}

static void make_large_record(FILE *out)
{
    fputs(HEAD "\"description\":\"", out);
    put_repeated(out, "x", 47 << 10);
    fputs("\",", out);
    put_sections(out, 300, "A place with a name of fifty bytes, more or less so");
}

static void make_large_rule(FILE *out)
{
    fputs(HEAD "\"prerequisites\":{\"and\":[\"A\"", out);
    put_repeated(out, ",\"A\"", 299);
    fputs("]}}\n", out);
}

static void make_deep_rule(FILE *out)
{
    fputs(HEAD "\"prerequisites\":", out);
    put_repeated(out, "{\"and\":[", 17);
    fputs("\"A\"", out);
    put_repeated(out, "]}", 17);
    fputs("}\n", out);
}

static void make_deep_brackets(FILE *out)
{
    char rule[128] = "";

    memset(rule, '(', 40);
    memcpy(rule + 40, "CS1", 3);
    memset(rule + 43, ')', 40);
    put_rule(out, rule);
}

static void make_one(FILE *out)
{
    fputs(HEAD "\"level\":1}\n", out);
}

static const struct made {
    const char *id;
    void (*put)(FILE *out);
    const char *ending;
    bool is_students;
} made[] = {
    {"plain.crlf",                 make_crlf,             ".jsonl", false},
    {"empty-file",                 make_empty,            ".jsonl", false},
    {"line-too-long",              make_long_line,        ".jsonl", false},
    {"not-utf8",                   make_not_utf8,         ".jsonl", false},
    {"not-json.deep",              make_deep_json,        ".jsonl", false},
    {"field-too-long.title",       make_long_title,       ".jsonl", false},
    {"field-too-long.description", make_long_description, ".jsonl", false},
    {"long-title",                 make_title_302,        ".jsonl", false},
    {"long-code",                  make_code_110,         ".jsonl", false},
    {"token-duplicate",            make_two_students,     ".jsonl", true },
    {"too-many",                   make_401_sections,     ".jsonl", false},
    {"many-sections",              make_317_sections,     ".jsonl", false},
    {"rule-too-large",             make_large_rule,       ".jsonl", false},
    {"rule-too-deep",              make_deep_rule,        ".jsonl", false},
    {"record-too-large",           make_large_record,     ".jsonl", false},
    {"rule-too-deep.grammar",      make_deep_brackets,    ".csv",   false},
    {"file-changed",               make_one,              ".jsonl", false},
};

enum { MADE_COUNT = sizeof made / sizeof made[0] };

static const struct made *find_made(const char *id)
{
    for (size_t i = 0; i < MADE_COUNT; i++) {
        if (strcmp(made[i].id, id) == 0) {
            return &made[i];
        }
    }
    return NULL;
}

/* ---- performing a row ---- */

struct attempt {
    char path[256];
    bool is_students;
    char *said;    /* what was printed */
    char *records; /* what came out, as JSON lines */
    size_t said_len;
    size_t records_len;
    uint64_t refused;
    uint64_t warned;
};

static const char *ending_of(char *const *row)
{
    const char *kind = row[CELL_KIND];

    if (strcmp(kind, "made") == 0) {
        const struct made *how = find_made(row[CELL_ID]);

        assert_non_null(how);
        return how->ending;
    }
    return strcmp(kind, "csv") == 0 || strcmp(kind, "csv students") == 0 ||
                   strcmp(kind, "rule") == 0
               ? ".csv"
               : ".jsonl";
}

static void put_row(FILE *out, char *const *row)
{
    const char *kind = row[CELL_KIND];
    const char *input = row[CELL_INPUT];

    if (strcmp(kind, "course") == 0) {
        put_over(out, "{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"Sums\"}",
                 input);
    } else if (strcmp(kind, "student") == 0) {
        put_over(out, "{\"institution\":\"lindenmoor\",\"token\":\"lm-1\",\"name\":\"Ada\"}",
                 input);
    } else if (strcmp(kind, "rule") == 0) {
        put_rule(out, input);
    } else if (strcmp(kind, "made") == 0) {
        find_made(row[CELL_ID])->put(out);
    } else {
        put_lines(out, input);
    }
}

static void write_input(struct attempt *attempt, char *const *row)
{
    const char *folder = getenv("TMPDIR");

    snprintf(attempt->path, sizeof attempt->path, "%s/carillon-import-XXXXXX%s",
             folder == NULL ? "/tmp" : folder, ending_of(row));
    int fd = mkstemps(attempt->path, (int)strlen(ending_of(row)));

    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");

    assert_non_null(out);
    put_row(out, row);
    assert_int_equal(fclose(out), 0);
}

/* Rewrite the file with other content of the same length. */
static void change_file(const char *path)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    fseek(file, (long)strlen(HEAD) - 4, SEEK_SET);
    fputc('z', file);
    assert_int_equal(fclose(file), 0);
}

/* What sending does with a file that was rewritten after the check. */
static void reload_changed(struct attempt *attempt, struct import_source *source,
                           struct import_report *report)
{
    struct import_options options = {.dry_run = true};
    struct import_summary summary;
    struct import_run run = {
        .source = source, .options = &options, .report = report, .summary = &summary};
    struct import_record record;

    arena_init(&run.arena, 1 << 20);
    import_context_init(&run.context, &run.arena, report);
    import_index_init(&run.index);
    assert_int_equal(source->next(source, &run.context, &record), OK);
    import_index_add(&run.index, &record, report);
    change_file(attempt->path);
    assert_int_equal(import__reload(&run, &run.index.entries[0], &record), ERR_MALFORMED);
    import_index_fini(&run.index);
    import_context_fini(&run.context);
    arena_fini(&run.arena);
}

static void collect_records(struct attempt *attempt)
{
    FILE *out = open_memstream(&attempt->records, &attempt->records_len);
    struct import_report *report = calloc(1, sizeof *report);
    struct import_context context;
    struct import_record record;
    struct import_file file;
    struct arena arena;

    import_report_init(report, NULL);
    arena_init(&arena, 64 << 20);
    import_context_init(&context, &arena, report);
    context.institution_default = "lindenmoor";
    assert_int_equal(import_file_open(&file, attempt->path, attempt->is_students, report), OK);
    while (file.source.next(&file.source, &context, &record) == OK) {
        json_message_print(out, record.course != NULL ? &record.course->base
                                                      : &record.student->base);
    }
    import_file_close(&file);
    import_context_fini(&context);
    arena_fini(&arena);
    free(report);
    fclose(out);
}

static void perform(struct attempt *attempt, char *const *row)
{
    FILE *out = open_memstream(&attempt->said, &attempt->said_len);
    struct import_report *report = calloc(1, sizeof *report);
    bool needs_default = strcmp(ending_of(row), ".csv") == 0;
    struct import_options options = {
        .dry_run = true, .institution_default = needs_default ? "lindenmoor" : NULL};
    struct import_summary summary;
    struct import_file file;

    import_report_init(report, out);
    report->show_warnings = true;
    assert_int_equal(import_file_open(&file, attempt->path, attempt->is_students, report), OK);
    if (strcmp(row[CELL_ID], "file-changed") == 0) {
        reload_changed(attempt, &file.source, report);
    } else {
        int error = attempt->is_students
                        ? import_students(NULL, &file.source, &options, report, &summary)
                        : import_courses(NULL, &file.source, &options, report, &summary);

        assert_int_equal(error, report->refused > 0 ? ERR_MALFORMED : OK);
    }
    import_file_close(&file);
    attempt->refused = report->refused;
    attempt->warned = report->warned;
    free(report);
    fclose(out);
}

static const char *verdict_of(const struct attempt *attempt)
{
    return attempt->refused > 0 ? "refused" : attempt->warned > 0 ? "warned" : "accepted";
}

/* Returns: whether the row came out as the table says; explains itself if not. */
static bool check_row(char *const *row)
{
    const struct made *how = find_made(row[CELL_ID]);
    struct attempt attempt = {.is_students = strstr(row[CELL_KIND], "student") != NULL ||
                                             (how != NULL && how->is_students)};

    write_input(&attempt, row);
    perform(&attempt, row);
    collect_records(&attempt);
    bool is_accepted = strcmp(row[CELL_VERDICT], "accepted") == 0;
    const char *where = is_accepted ? attempt.records : attempt.said;
    bool is_right = strcmp(verdict_of(&attempt), row[CELL_VERDICT]) == 0 &&
                    strstr(where, row[CELL_MESSAGE]) != NULL;

    if (!is_right) {
        print_error("row %s: %s is expected with\n  %s\nbut it was %s with\n  %.2000s\n",
                    row[CELL_ID], row[CELL_VERDICT], row[CELL_MESSAGE], verdict_of(&attempt),
                    where);
    }
    unlink(attempt.path);
    free(attempt.said);
    free(attempt.records);
    return is_right;
}

static void import_cases__every_row_of_the_table__comes_out_as_it_says(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < row_count; i++) {
        wrong += check_row(rows[i]) ? 0 : 1;
    }
    assert_int_equal(wrong, 0);
}

static bool begins_with_id(const char *row_id, const char *id)
{
    size_t len = strlen(id);

    return strncmp(row_id, id, len) == 0 && (row_id[len] == '\0' || row_id[len] == '.');
}

static void import_cases__every_kind_of_finding__has_a_row_of_its_severity(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < IMPORT_FINDING_NR; kind++) {
        const char *id = import_finding_id((enum import_finding)kind);
        const char *verdict =
            import_finding_severity((enum import_finding)kind) == IMPORT_REFUSED ? "refused"
                                                                                 : "warned";
        size_t found = 0;

        for (size_t i = 0; i < row_count; i++) {
            if (begins_with_id(rows[i][CELL_ID], id)) {
                assert_string_equal(rows[i][CELL_VERDICT], verdict);
                found++;
            }
        }
        if (found == 0) {
            fail_msg("the table has no row for %s", id);
        }
    }
}

static void import_cases__every_id__is_there_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < row_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(rows[i][CELL_ID], rows[j][CELL_ID]);
        }
    }
}

static void import_cases__every_made_input__belongs_to_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE_COUNT; i++) {
        size_t found = 0;

        for (size_t j = 0; j < row_count; j++) {
            found += strcmp(rows[j][CELL_ID], made[i].id) == 0 &&
                             strcmp(rows[j][CELL_KIND], "made") == 0
                         ? 1
                         : 0;
        }
        assert_int_equal(found, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import_cases__every_row_of_the_table__comes_out_as_it_says),
        cmocka_unit_test(import_cases__every_kind_of_finding__has_a_row_of_its_severity),
        cmocka_unit_test(import_cases__every_id__is_there_once),
        cmocka_unit_test(import_cases__every_made_input__belongs_to_a_row),
    };

    return cmocka_run_group_tests(tests, read_table, NULL);
}
