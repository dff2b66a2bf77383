/* The benchmark's population, its request stream, its packed requests, and its histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "carillon/bench_histogram.h"
#include "carillon/bench_ops.h"
#include "proto/registration.pb-c.h"

enum { DRAWS = 200000 };

static char folder[64];

static int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/carillon-test-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static void path_of(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static int folder_remove(void **state)
{
    static const char *const names[] = {"sections.psv", "students.tsv", "courses.jsonl",
                                        "students.jsonl"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(names[i], path);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void file_write(const char *name, const char *text)
{
    char path[128];

    path_of(name, path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static char *file_read(const char *name)
{
    char path[128];
    char *text = calloc(1, 1 << 20);

    path_of(name, path);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
    (void)fclose(in);
    return text;
}

static const char nine_sections[] =
    "1|20|30|600-650,3480-3530|\n"
    "2|20|31|600-650|7,8;9\n"
    "3|30|32||\n4|31|32||\n5|32|32||\n6|33|32||\n7|34|32||\n8|35|32||\n"
    "9|36|32|0-1440|20\n";

static void read__peers_files__gives_sections_and_students(void **state)
{
    (void)state;
    struct bench_workload workload;
    char text[256] = "";

    file_write("sections.psv", nine_sections);
    file_write("students.tsv", "1\t7,9\n2\t\n3\t20\n");
    assert_int_equal(bench_workload_read(folder, &workload, text, sizeof text), OK);
    assert_int_equal(workload.section_count, 9);
    assert_int_equal(workload.student_count, 3);
    assert_int_equal(workload.sections[0].capacity, 30);
    assert_int_equal(workload.sections[0].interval_count, 2);
    assert_int_equal(workload.sections[0].intervals[1].from_min, 3480);
    assert_int_equal(workload.sections[0].ordinal, 1);
    assert_int_equal(workload.sections[1].ordinal, 2);
    assert_int_equal(workload.sections[8].clause_count, 1);
    assert_int_equal(workload.taken_at[1], 2);
    assert_int_equal(workload.taken_at[2], 2);
    assert_int_equal(workload.course_count, 11); /* 20 30..36 and 7 8 9 */
    assert_int_equal(bench_section_find(&workload, "C 20", "2"), 1);
    assert_int_equal(bench_section_find(&workload, "C 36", "1"), 8);
    assert_int_equal(bench_section_find(&workload, "C 20", "3"), UINT32_MAX);
    assert_int_equal(bench_section_find(&workload, "D 20", "1"), UINT32_MAX);
    assert_int_equal(bench_student_find(&workload, "bench-3"), 2);
    assert_int_equal(bench_student_find(&workload, "bench-4"), UINT32_MAX);
    assert_int_equal(bench_student_find(&workload, "bench-0"), UINT32_MAX);
    assert_int_equal(bench_student_find(&workload, "other-3"), UINT32_MAX);
    bench_workload_fini(&workload);
}

static void write__as_json_lines__has_every_course_and_student(void **state)
{
    (void)state;
    struct bench_workload workload;
    char text[256];

    file_write("sections.psv", nine_sections);
    file_write("students.tsv", "1\t7,9\n2\t\n");
    assert_int_equal(bench_workload_read(folder, &workload, text, sizeof text), OK);
    assert_int_equal(bench_workload_write(&workload, folder), OK);
    char *courses = file_read("courses.jsonl"), *students = file_read("students.jsonl");
    assert_non_null(strstr(courses,
                           "{\"id\":\"1\",\"capacity\":30,\"meetings\":["
                           "{\"days\":\"MW\",\"start\":\"10:00\",\"end\":\"10:50\"}]}"));
    assert_non_null(strstr(courses, "\"code\":\"C 7\""));
    assert_non_null(strstr(courses, "\"end\":\"24:00\""));
    assert_non_null(strstr(courses, "{\"and\":[{\"or\":[\"C 20\"]}]}"));
    assert_non_null(strstr(
        students, "\"token\":\"bench-1\",\"name\":\"Student 1\",\"taken\":[\"C 7\",\"C 9\"]}"));
    assert_non_null(
        strstr(students, "\"token\":\"bench-2\",\"name\":\"Student 2\",\"taken\":[]}"));
    free(courses);
    free(students);
    bench_workload_fini(&workload);
}

static void read__bad_lines__are_refused_by_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *sections, *students, *where;
    } cases[] = {
        {"1|20|30\n",              "1\t\n",    "sections.psv:1"},
        {"2|20|30||\n",            "1\t\n",    "sections.psv:1"},
        {"1|20|30||\n1|21|30||\n", "1\t\n",    "sections.psv:2"},
        {"1|10000001|30||\n",      "1\t\n",    "sections.psv:1"},
        {"1|x|30||\n",             "1\t\n",    "sections.psv:1"},
        {"1|20|-3||\n",            "1\t\n",    "sections.psv:1"},
        {"1|20|30|650-600|\n",     "1\t\n",    "sections.psv:1"},
        {"1|20|30|1400-1500|\n",   "1\t\n",    "sections.psv:1"},
        {"1|20|30|600|\n",         "1\t\n",    "sections.psv:1"},
        {"1|20|30||7,;8\n",        "1\t\n",    "sections.psv:1"},
        {nine_sections,            "2\t\n",    "students.tsv:1"},
        {nine_sections,            "1\t7,x\n", "students.tsv:1"},
        {nine_sections,            "",         "students.tsv:0"},
    };
    struct bench_workload workload;
    char text[256];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text[0] = '\0';
        file_write("sections.psv", cases[i].sections);
        file_write("students.tsv", cases[i].students);
        assert_int_equal(bench_workload_read(folder, &workload, text, sizeof text),
                         ERR_MALFORMED);
        assert_non_null(strstr(text, cases[i].where));
    }
    assert_int_equal(bench_workload_read("/nonexistent", &workload, text, sizeof text),
                     ERR_GONE);
}

static void draw__same_seed__same_population_in_shape(void **state)
{
    (void)state;
    struct bench_workload a, b;
    uint32_t demanding = 0;

    assert_int_equal(bench_workload_draw(7, 2000, 300, &a), OK);
    assert_int_equal(bench_workload_draw(7, 2000, 300, &b), OK);
    for (uint32_t i = 0; i < 300; i++) {
        const struct bench_section *section = &a.sections[i];

        assert_int_equal(section->course, b.sections[i].course);
        assert_int_equal(section->capacity, b.sections[i].capacity);
        assert_in_range(section->capacity, 8, 200);
        assert_in_range(section->interval_count, 1, 3);
        for (uint32_t k = 0; k < section->interval_count; k++) {
            assert_true(section->intervals[k].to_min <= 7 * 1440);
            assert_int_equal(section->intervals[k].from_min / 1440,
                             (section->intervals[k].to_min - 1) / 1440);
        }
        demanding += section->clause_count > 0;
    }
    assert_in_range(demanding, 15, 120);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_true(a.taken_at[i + 1] - a.taken_at[i] <= 32);
    }
    assert_true(a.taken_at[2000] > 2000);
    bench_workload_fini(&a);
    bench_workload_fini(&b);
    assert_int_equal(bench_workload_draw(7, 0, 300, &a), ERR_ARGUMENT);
    assert_int_equal(bench_workload_draw(7, 10, 7, &a), ERR_ARGUMENT);
}

static void stream__many_draws__has_the_peers_skew(void **state)
{
    (void)state;
    struct bench_workload workload = {.section_count = 3000, .student_count = 40000};
    struct bench_stream stream;
    uint32_t hot = 0, first_quarter = 0, low_students = 0;

    bench_stream_init(&stream, 3);
    for (int i = 0; i < DRAWS; i++) {
        low_students += bench_stream_student(&stream, &workload) < 20000;
        uint32_t section = bench_stream_section(&stream, &workload);

        assert_true(section < 3000);
        hot += section < BENCH_HOT_SECTIONS;
        first_quarter += section >= BENCH_HOT_SECTIONS && section < 750;
    }
    assert_in_range(low_students, DRAWS * 49 / 100, DRAWS * 51 / 100);
    assert_in_range(hot, DRAWS * 95 / 1000, DRAWS * 105 / 1000);        /* a tenth */
    assert_in_range(first_quarter, DRAWS * 43 / 100, DRAWS * 47 / 100); /* half of the rest */
}

static void ops__two_parts__are_one_message(void **state)
{
    (void)state;
    struct bench_workload workload;
    struct bench_ops ops;
    uint8_t body[BENCH_OP_BYTES_MAX];

    assert_int_equal(bench_workload_draw(1, 50, 20, &workload), OK);
    assert_int_equal(bench_ops_init(&ops, &workload), OK);
    size_t len = bench_ops_write(&ops, 49, 19, body);
    Carillon__SubmitRequest *request = carillon__submit_request__unpack(NULL, len, body);
    char code[BENCH_NAME_BYTES], id[BENCH_NAME_BYTES];

    assert_non_null(request);
    bench_code(workload.sections[19].course, code);
    bench_section_id(&workload.sections[19], id);
    assert_string_equal(request->student, "bench-50");
    assert_int_equal(request->n_ops, 1);
    assert_int_equal(request->ops[0]->kind, CARILLON__OP_KIND__OP_ADD);
    assert_string_equal(request->ops[0]->institution, "bench");
    assert_string_equal(request->ops[0]->code, code);
    assert_string_equal(request->ops[0]->section, id);
    carillon__submit_request__free_unpacked(request, NULL);
    bench_ops_fini(&ops);
    bench_workload_fini(&workload);
}

static void histogram__known_values__quantiles_within_two_percent(void **state)
{
    (void)state;
    struct bench_histogram *histogram = calloc(1, sizeof *histogram);

    assert_int_equal(bench_histogram_quantile_ns(histogram, 500), 0);
    for (uint64_t i = 1; i <= 100000; i++) {
        bench_histogram_add(histogram, i * 1000);
    }
    static const uint32_t permilles[] = {1, 10, 500, 990, 999, 1000};
    for (size_t i = 0; i < sizeof permilles / sizeof permilles[0]; i++) {
        uint64_t exact_ns = (uint64_t)permilles[i] * 100000;
        uint64_t got_ns = bench_histogram_quantile_ns(histogram, permilles[i]);

        assert_in_range(got_ns, exact_ns, exact_ns + exact_ns / 50);
    }
    bench_histogram_add(histogram, UINT64_MAX);
    assert_true(bench_histogram_quantile_ns(histogram, 1000) == UINT64_MAX);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__peers_files__gives_sections_and_students),
        cmocka_unit_test(write__as_json_lines__has_every_course_and_student),
        cmocka_unit_test(read__bad_lines__are_refused_by_file_and_line),
        cmocka_unit_test(draw__same_seed__same_population_in_shape),
        cmocka_unit_test(stream__many_draws__has_the_peers_skew),
        cmocka_unit_test(ops__two_parts__are_one_message),
        cmocka_unit_test(histogram__known_values__quantiles_within_two_percent),
    };

    return cmocka_run_group_tests_name("bench_workload", tests, folder_make, folder_remove);
}
