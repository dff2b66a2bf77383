/* Whole files: reading in pieces, what is printed and what only counted, the samples, and the
 * real catalogues. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "carillon/import_private.h"

enum { REAL_COURSES = 89296 };

static char path[256];
static struct import_report *report;
static char *said;
static size_t said_len;

static int begin(void **state)
{
    (void)state;
    report = calloc(1, sizeof *report);
    import_report_init(report, open_memstream(&said, &said_len));
    return 0;
}

static int end(void **state)
{
    (void)state;
    fclose(report->out);
    free(said);
    free(report);
    if (path[0] != '\0') {
        unlink(path);
        path[0] = '\0';
    }
    return 0;
}

static FILE *create(const char *ending)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof path, "%s/carillon-file-XXXXXX%s", folder == NULL ? "/tmp" : folder,
             ending);
    int fd = mkstemps(path, (int)strlen(ending));

    assert_true(fd >= 0);
    return fdopen(fd, "w");
}

static int scan(const char *name, bool is_students, struct import_summary *summary)
{
    struct import_options options = {.dry_run = true, .institution_default = "brackwater"};
    struct import_file file;

    assert_int_equal(import_file_open(&file, name, is_students, report), OK);
    int error = is_students ? import_students(NULL, &file.source, &options, report, summary)
                            : import_courses(NULL, &file.source, &options, report, summary);

    import_file_close(&file);
    fflush(report->out);
    return error;
}

static void
import_file__records_across_every_read__are_found_again_where_they_stand(void **state)
{
    enum { RECORDS = 3000 };
    struct import_context context;
    struct import_record record;
    struct import_record again;
    struct import_file file;
    struct arena arena;
    FILE *out = create(".jsonl");

    (void)state;
    /* Some 600 bytes each: the reader's pieces end at every place of a record. */
    for (size_t i = 0; i < RECORDS; i++) {
        fprintf(out, "{\"institution\":\"a\",\"code\":\"C %zu\",\"title\":\"%*s\"}\n", i,
                (int)(i * 7 % 1000), "x");
    }
    fclose(out);
    arena_init(&arena, 64 << 20);
    import_context_init(&context, &arena, report);
    assert_int_equal(import_file_open(&file, path, false, report), OK);
    for (size_t i = 0; i < RECORDS; i++) {
        char code[16];

        snprintf(code, sizeof code, "C %zu", i);
        assert_int_equal(file.source.next(&file.source, &context, &record), OK);
        assert_string_equal(record.course->code, code);
        assert_int_equal(record.unit.line, i + 1);
        assert_int_equal(file.source.load(&file.source, &context, &record.unit, &again), OK);
        assert_int_equal(again.course->content_hash, record.course->content_hash);
    }
    assert_int_equal(file.source.next(&file.source, &context, &record), ERR_EOF);
    import_file_close(&file);
    import_context_fini(&context);
    arena_fini(&arena);
}

static void import_report__a_hundred_refusals__prints_twenty_and_counts_the_rest(void **state)
{
    struct import_summary summary;
    FILE *out = create(".jsonl");
    size_t lines = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        fprintf(out,
                "{\"institution\":\"a\",\"code\":\"C %zu\",\"title\":\"t\",\"credits\":-1}\n",
                i);
    }
    fclose(out);
    assert_int_equal(scan(path, false, &summary), ERR_MALFORMED);
    import_report_summary(report);
    fflush(report->out);
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, IMPORT_PRINTED_MAX + 1);
    assert_non_null(strstr(said, "... and 80 more like these\n"));
    assert_int_equal(report->refused, 100);
}

static void import_report__warnings__are_one_line_a_kind_with_an_example(void **state)
{
    struct import_summary summary;
    FILE *out = create(".jsonl");

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        fprintf(out,
                "{\"institution\":\"a\",\"code\":\"C "
                "%zu\",\"title\":\"\",\"prerequisites\":\"Z\"}\n",
                i);
    }
    fclose(out);
    assert_int_equal(scan(path, false, &summary), OK);
    assert_int_equal(said_len, 0);
    import_report_summary(report);
    fflush(report->out);
    assert_non_null(strstr(said, "warning: 50 x title-empty, for example "));
    assert_non_null(strstr(said, "warning: 50 x prerequisite-unknown, for example "));
    assert_non_null(
        strstr(said, ":1: prerequisites: names a course that is not in the file, kept: Z;"));
}

static void import_file__one_refused_record__refuses_the_file(void **state)
{
    struct import_summary summary;
    FILE *out = create(".jsonl");

    (void)state;
    fputs("{\"institution\":\"a\",\"code\":\"C 1\",\"title\":\"t\"}\n"
          "{\"institution\":\"a\",\"code\":\"C 2\",\"title\":\"t\",\"level\":77}\n"
          "{\"institution\":\"a\",\"code\":\"C 3\",\"title\":\"t\"}\n",
          out);
    fclose(out);
    assert_int_equal(scan(path, false, &summary), ERR_MALFORMED);
    assert_int_equal(summary.records, 2);
    assert_false(summary.was_committed);
}

static void import_file__what_is_no_file__is_told(void **state)
{
    struct import_file file;

    (void)state;
    assert_int_equal(import_file_open(&file, "/nonexistent/x.jsonl", false, report), ERR_IO);
    import_file_close(&file);
    assert_int_equal(import_file_open(&file, "/dev/null", false, report), ERR_IO);
    import_file_close(&file);
    fflush(report->out);
    assert_non_null(strstr(said, "/nonexistent/x.jsonl: No such file or directory\n"));
    assert_non_null(strstr(
        said, "/dev/null: not a file; an import reads its input twice, so save it first\n"));
}

static void import_file__a_course_of_a_thousand_rows__is_one_record(void **state)
{
    struct import_summary summary;
    FILE *out = create(".csv");

    (void)state;
    fputs("code,title,capacity,days,start,end,room,description\r\n", out);
    for (size_t i = 0; i < 390; i++) {
        fprintf(out,
                "C 1,\"A title, with \"\"marks\"\"\",%zu,M,08:00,09:00,Room %zu,"
                "\"Two lines,\nand a comma\"\r\n",
                i, i);
        fprintf(out, "C 1,,,W,08:00,09:00,,\r\n");
    }
    fputs("\r\nC 2,Next,,,,,,\r\n", out);
    fclose(out);
    assert_int_equal(scan(path, false, &summary), OK);
    assert_int_equal(summary.records, 2);
    assert_int_equal(summary.sections, 391);
}

static void import_file__the_samples__are_accepted_without_a_warning(void **state)
{
    static const struct {
        const char *name;
        bool is_students;
        uint64_t records;
    } rows[] = {
        {"lindenmoor.jsonl",          false, 66 },
        {"brackwater.jsonl",          false, 63 },
        {"thalassa.jsonl",            false, 65 },
        {"csv/brackwater.csv",        false, 63 },
        {"students/lindenmoor.jsonl", true,  160},
        {"students/brackwater.csv",   true,  120},
        {"students/thalassa.jsonl",   true,  100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct import_summary summary;
        char name[512];

        snprintf(name, sizeof name, "%s/samples/%s", SOURCE_FOLDER, rows[i].name);
        assert_int_equal(scan(name, rows[i].is_students, &summary), OK);
        assert_int_equal(summary.records, rows[i].records);
    }
    assert_int_equal(report->warned, 0);
}

static void
import_file__the_same_courses_as_json_and_as_csv__have_the_same_sections(void **state)
{
    struct import_summary json;
    struct import_summary csv;

    (void)state;
    assert_int_equal(scan(SOURCE_FOLDER "/samples/brackwater.jsonl", false, &json), OK);
    assert_int_equal(scan(SOURCE_FOLDER "/samples/csv/brackwater.csv", false, &csv), OK);
    assert_int_equal(json.records, csv.records);
    assert_int_equal(json.sections, csv.sections);
}

static uint64_t cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void import_file__every_real_catalogue__is_accepted(void **state)
{
    const char *folder = getenv("CARILLON_DATA");
    DIR *entries = folder == NULL ? NULL : opendir(folder);
    uint64_t records = 0;
    uint64_t before = cpu_ms();

    (void)state;
    if (entries == NULL) {
        print_message("skipped: CARILLON_DATA is not set\n");
        skip();
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL;
         entry = readdir(entries)) {
        const char *dot = strrchr(entry->d_name, '.');
        struct import_summary summary;
        char name[512];

        if (dot == NULL || strcmp(dot, ".jsonl") != 0) {
            continue;
        }
        snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        assert_int_equal(scan(name, false, &summary), OK);
        records += summary.records;
    }
    closedir(entries);
    import_report_summary(report);
    fflush(report->out);
    print_message("%llu courses in %llu ms of CPU\n%s", (unsigned long long)records,
                  (unsigned long long)(cpu_ms() - before), said);
    assert_int_equal(records, REAL_COURSES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(import_file__records_across_every_read__are_found_again_where_they_stand),
        CASE(import_report__a_hundred_refusals__prints_twenty_and_counts_the_rest),
        CASE(import_report__warnings__are_one_line_a_kind_with_an_example),
        CASE(import_file__one_refused_record__refuses_the_file),
        CASE(import_file__what_is_no_file__is_told),
        CASE(import_file__a_course_of_a_thousand_rows__is_one_record),
        CASE(import_file__the_samples__are_accepted_without_a_warning),
        CASE(import_file__the_same_courses_as_json_and_as_csv__have_the_same_sections),
        CASE(import_file__every_real_catalogue__is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
