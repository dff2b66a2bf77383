/* Performs every row of the table "Cases" of docs/spec/import.md, and holds the table, the
 * kinds of findings and this file together.
 */
#include <errno.h>
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
#include "tests/lib/import_inputs.h"

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

static struct import_input input_of(char *const *row)
{
    return (struct import_input){row[CELL_ID], row[CELL_KIND], row[CELL_INPUT]};
}

static void write_input(struct attempt *attempt, char *const *row)
{
    struct import_input input = input_of(row);
    const char *folder = getenv("TMPDIR");

    snprintf(attempt->path, sizeof attempt->path, "%s/carillon-import-XXXXXX%s",
             folder == NULL ? "/tmp" : folder, import_input_ending(&input));
    int fd = mkstemps(attempt->path, (int)strlen(import_input_ending(&input)));

    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");

    assert_non_null(out);
    import_input_put(out, &input);
    assert_int_equal(fclose(out), 0);
}

/* Rewrite the file with other content of the same length. */
static void change_file(const char *path)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    /* A letter of the title. */
    fseek(file,
          (long)strlen("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"Su"),
          SEEK_SET);
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
    struct import_input input = input_of(row);
    bool needs_default = strcmp(import_input_ending(&input), ".csv") == 0;
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
    struct import_input input = input_of(row);
    struct attempt attempt = {.is_students = import_input_is_students(&input)};

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
    for (size_t i = 0; import_input_made(i) != NULL; i++) {
        size_t found = 0;

        for (size_t j = 0; j < row_count; j++) {
            found += strcmp(rows[j][CELL_ID], import_input_made(i)) == 0 &&
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
