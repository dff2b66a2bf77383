#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "carillon/bench_workload.h"

enum { WEEK_MIN = 7 * 1440, DAY_MIN = 1440, CAPACITY_MAX = 1000000, TEXT_BYTES = 256 };

/* One file being read line by line. */
struct reader {
    FILE *file;
    char path[1024];
    char *line;
    size_t cap;
    uint64_t number;
    char *text; /* what went wrong */
    size_t text_bytes;
};

/* A growing array of course numbers. */
struct numbers {
    uint32_t *at;
    uint32_t count;
    uint32_t cap;
};

static int complain(struct reader *reader, int status, const char *what)
{
    snprintf(reader->text, reader->text_bytes, "%s:%" PRIu64 ": %s", reader->path,
             reader->number, what);
    return status;
}

static int reader_open(struct reader *reader, const char *folder, const char *name)
{
    snprintf(reader->path, sizeof reader->path, "%s/%s", folder, name);
    reader->file = fopen(reader->path, "r");
    reader->number = 0;
    return reader->file == NULL ? complain(reader, ERR_GONE, "cannot be opened") : OK;
}

static void reader_close(struct reader *reader)
{
    if (reader->file != NULL) {
        (void)fclose(reader->file); /* it was only read */
    }
    free(reader->line);
    reader->file = NULL;
    reader->line = NULL;
    reader->cap = 0;
}

static bool reader_next(struct reader *reader, struct slice *ret_line)
{
    ssize_t len = getline(&reader->line, &reader->cap, reader->file);

    if (len <= 0) {
        return false;
    }
    reader->number++;
    *ret_line = slice_trim(slice_from(reader->line, (size_t)len));
    return true;
}

static bool numbers_add(struct numbers *numbers, uint32_t value)
{
    if (numbers->count == numbers->cap) {
        uint32_t cap = numbers->cap == 0 ? 1024 : numbers->cap * 2;
        uint32_t *at = realloc(numbers->at, cap * sizeof *at);

        if (at == NULL) {
            return false;
        }
        numbers->at = at;
        numbers->cap = cap;
    }
    numbers->at[numbers->count++] = value;
    return true;
}

static bool parse_number(struct slice text, uint64_t max, uint32_t *ret_value)
{
    uint64_t value;

    if (slice_parse_u64(text, max, &value) != OK) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

/* "3,14,15"; empty is an empty list. */
static bool parse_list(struct slice text, struct numbers *numbers)
{
    struct slice head;
    uint32_t value;

    while (text.len > 0) {
        slice_cut(text, ',', &head, &text);
        if (!parse_number(head, BENCH_COURSE_MAX, &value) || !numbers_add(numbers, value)) {
            return false;
        }
    }
    return true;
}

static bool parse_intervals(struct slice text, struct bench_section *section)
{
    struct slice head, from, to;
    uint32_t from_min, to_min;

    while (text.len > 0) {
        slice_cut(text, ',', &head, &text);
        if (section->interval_count == BENCH_INTERVALS_MAX ||
            !slice_cut(head, '-', &from, &to) || !parse_number(from, WEEK_MIN, &from_min) ||
            !parse_number(to, WEEK_MIN, &to_min) || from_min >= to_min ||
            from_min / DAY_MIN != (to_min - 1) / DAY_MIN) {
            return false;
        }
        section->intervals[section->interval_count++] =
            (struct bench_interval){(uint16_t)from_min, (uint16_t)to_min};
    }
    return true;
}

static bool parse_clauses(struct slice text, struct bench_section *section,
                          struct numbers *alternatives)
{
    struct slice head;

    section->clauses[0] = alternatives->count;
    while (text.len > 0) {
        slice_cut(text, ';', &head, &text);
        if (section->clause_count == BENCH_CLAUSES_MAX || head.len == 0 ||
            !parse_list(head, alternatives)) {
            return false;
        }
        section->clauses[++section->clause_count] = alternatives->count;
    }
    return true;
}

/* ID|COURSE|CAPACITY|INTERVALS|CLAUSES */
static int parse_section(struct reader *reader, struct slice line,
                         struct bench_section *section, struct numbers *alternatives)
{
    struct slice fields[5];
    uint32_t id;

    for (size_t i = 0; i < 5; i++) {
        if (!slice_cut(line, '|', &fields[i], &line) && i < 4) {
            return complain(reader, ERR_MALFORMED, "not five fields separated by |");
        }
    }
    if (!parse_number(fields[0], BENCH_SECTIONS_MAX, &id) || id != reader->number) {
        return complain(reader, ERR_MALFORMED, "ids count from 1 without a gap");
    }
    if (!parse_number(fields[1], BENCH_COURSE_MAX, &section->course) ||
        !parse_number(fields[2], CAPACITY_MAX, &section->capacity)) {
        return complain(reader, ERR_MALFORMED, "course or capacity is not a number");
    }
    if (!parse_intervals(fields[3], section)) {
        return complain(reader, ERR_MALFORMED,
                        "not intervals of one day, like 600-650,3480-3530");
    }
    if (!parse_clauses(fields[4], section, alternatives)) {
        return complain(reader, ERR_MALFORMED, "not clauses of courses, like 5,6;9");
    }
    return OK;
}

static int read_sections(struct reader *reader, struct bench_workload *workload)
{
    struct numbers alternatives = {0};
    struct slice line;
    int rc = OK;

    workload->sections = calloc(BENCH_SECTIONS_MAX,
                                sizeof *workload->sections); /* touched only as far as used */
    if (workload->sections == NULL) {
        return complain(reader, ERR_NOMEM, error_text(ERR_NOMEM));
    }
    while (rc == OK && reader_next(reader, &line)) {
        if (workload->section_count == BENCH_SECTIONS_MAX) {
            rc = complain(reader, ERR_MALFORMED, "too many sections");
            break;
        }
        rc = parse_section(reader, line, &workload->sections[workload->section_count++],
                           &alternatives);
    }
    workload->alternatives = alternatives.at;
    workload->alternative_count = alternatives.count;
    if (rc == OK && workload->section_count <= BENCH_HOT_SECTIONS) {
        rc = complain(reader, ERR_MALFORMED, "too few sections");
    }
    return rc;
}

static int read_students(struct reader *reader, struct bench_workload *workload)
{
    struct numbers taken = {0}, at = {0};
    struct slice line, head;
    uint32_t id;
    int rc = numbers_add(&at, 0) ? OK : ERR_NOMEM;

    while (rc == OK && reader_next(reader, &line)) {
        slice_cut(line, '\t', &head, &line);
        if (!parse_number(head, BENCH_STUDENTS_MAX, &id) || id != reader->number) {
            rc = complain(reader, ERR_MALFORMED, "ids count from 1 without a gap");
        } else if (!parse_list(line, &taken) || !numbers_add(&at, taken.count)) {
            rc = complain(reader, ERR_MALFORMED, "not a list of courses");
        }
    }
    workload->taken = taken.at;
    workload->taken_at = at.at;
    workload->student_count = at.count - 1;
    if (rc == OK && workload->student_count == 0) {
        rc = complain(reader, ERR_MALFORMED, "no student");
    }
    return rc;
}

int bench_workload_read(const char *folder, struct bench_workload *ret_workload, char *ret_text,
                        size_t text_bytes)
{
    struct bench_workload workload = {0};
    struct reader reader = {.text = ret_text, .text_bytes = text_bytes};
    int rc = reader_open(&reader, folder, "sections.psv");

    if (rc == OK) {
        rc = read_sections(&reader, &workload);
    }
    reader_close(&reader);
    if (rc == OK) {
        rc = reader_open(&reader, folder, "students.tsv");
    }
    if (rc == OK) {
        rc = read_students(&reader, &workload);
    }
    reader_close(&reader);
    if (rc == OK) {
        rc = bench_workload_derive(&workload);
    }
    if (rc != OK) {
        bench_workload_fini(&workload);
        return rc;
    }
    *ret_workload = workload;
    return OK;
}

/* ---- as JSON Lines ---- */

static void write_time(FILE *out, const char *name, uint32_t minutes)
{
    fprintf(out, "\"%s\":\"%02u:%02u\"", name, minutes / 60, minutes % 60);
}

/* Intervals at the same time of different days are one meeting, as catalogues write it. */
static void write_meetings(FILE *out, const struct bench_section *section)
{
    bool is_written[BENCH_INTERVALS_MAX] = {false};
    const char *comma = "";

    fputs("\"meetings\":[", out);
    for (uint32_t i = 0; i < section->interval_count; i++) {
        uint32_t from_min = section->intervals[i].from_min % DAY_MIN;
        uint32_t length_min =
            (uint32_t)(section->intervals[i].to_min - section->intervals[i].from_min);

        if (is_written[i]) {
            continue;
        }
        fprintf(out, "%s{\"days\":\"", comma);
        for (uint32_t k = i; k < section->interval_count; k++) {
            const struct bench_interval *other = &section->intervals[k];

            if (other->from_min % DAY_MIN == from_min &&
                (uint32_t)(other->to_min - other->from_min) == length_min) {
                is_written[k] = true;
                fputc("MTWRFSU"[other->from_min / DAY_MIN], out);
            }
        }
        fputs("\",", out);
        write_time(out, "start", from_min);
        fputc(',', out);
        write_time(out, "end", from_min + length_min);
        fputs("}", out);
        comma = ",";
    }
    fputs("]", out);
}

static void write_prerequisites(FILE *out, const struct bench_workload *workload,
                                const struct bench_section *section)
{
    if (section->clause_count == 0) {
        fputs("null", out);
        return;
    }
    fputs("{\"and\":[", out);
    for (uint32_t i = 0; i < section->clause_count; i++) {
        fputs(i == 0 ? "{\"or\":[" : ",{\"or\":[", out);
        for (uint32_t k = section->clauses[i]; k < section->clauses[i + 1]; k++) {
            char code[BENCH_NAME_BYTES];

            bench_code(workload->alternatives[k], code);
            fprintf(out, "%s\"%s\"", k == section->clauses[i] ? "" : ",", code);
        }
        fputs("]}", out);
    }
    fputs("]}", out);
}

/* The sections of a course stand together in the index by name, @at is the first. Returns: how
 * many there are. */
static uint32_t write_sections(FILE *out, const struct bench_workload *workload, uint32_t at,
                               uint32_t course)
{
    uint32_t count = 0;

    fputs("\"sections\":[", out);
    for (; at + count < workload->section_count; count++) {
        const struct bench_section *section =
            &workload->sections[workload->sections_by_name[at + count]];

        if (section->course != course) {
            break;
        }
        fprintf(out, "%s{\"id\":\"%u\",\"capacity\":%u,", count == 0 ? "" : ",",
                section->ordinal, section->capacity);
        write_meetings(out, section);
        fputs("}", out);
    }
    fputs("]}\n", out);
    return count;
}

static void write_courses(FILE *out, const struct bench_workload *workload)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < workload->course_count; i++) {
        uint32_t course = workload->courses[i];
        const struct bench_section *first =
            at < workload->section_count ? &workload->sections[workload->sections_by_name[at]]
                                         : NULL;
        char code[BENCH_NAME_BYTES];

        bench_code(course, code);
        fprintf(out,
                "{\"institution\":\"%s\",\"code\":\"%s\",\"subject\":\"C\",\"number\":\"%u\","
                "\"title\":\"Course %u\",\"prerequisites\":",
                workload->slug, code, course, course);
        if (first != NULL && first->course == course) {
            write_prerequisites(out, workload, first);
        } else {
            fputs("null", out);
        }
        fputc(',', out);
        at += write_sections(out, workload, at, course);
    }
}

static void write_students(FILE *out, const struct bench_workload *workload)
{
    for (uint32_t i = 0; i < workload->student_count; i++) {
        char token[BENCH_SLUG_BYTES + BENCH_NAME_BYTES];

        bench_token(workload, i, token);
        fprintf(out,
                "{\"institution\":\"%s\",\"token\":\"%s\",\"name\":\"Student %u\",\"taken\":[",
                workload->slug, token, i + 1);
        for (uint32_t k = workload->taken_at[i]; k < workload->taken_at[i + 1]; k++) {
            char text[BENCH_NAME_BYTES + 3] = ",\"";
            size_t len = 2 + bench_code(workload->taken[k], text + 2);
            bool is_first = k == workload->taken_at[i];

            text[len++] = '"';
            (void)fwrite(text + is_first, 1, len - is_first,
                         out); /* write_file looks at ferror */
        }
        fputs("]}\n", out);
    }
}

static int write_file(const struct bench_workload *workload, const char *folder,
                      const char *name,
                      void (*write)(FILE *out, const struct bench_workload *workload))
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        return ERR_IO;
    }
    write(out, workload);
    bool failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? ERR_IO : OK;
}

int bench_workload_write(const struct bench_workload *workload, const char *folder)
{
    int rc = write_file(workload, folder, "courses.jsonl", write_courses);

    return rc == OK ? write_file(workload, folder, "students.jsonl", write_students) : rc;
}
