/* carillon/bench_workload.h -- what the benchmark works on: sections, students, and the stream
 * of requests.
 *
 * Layer: carillon
 *
 * A population comes from a seed, or from a folder with `sections.psv` and `students.tsv`,
 * whose lines are
 *
 *     ID|COURSE|CAPACITY|FROM-TO,...|COURSE,COURSE;COURSE...     minutes of the week from
 * Monday 0:00; clauses (and) of ID<TAB>COURSE,COURSE,... alternatives (or); ids count from 1
 *
 * Everything is held as numbers, indices from 0; the node sees names made of them (bench_code
 * and so on). Courses that only occur as prerequisites or as taken are part of the catalogue,
 * without a section of their own choosing.
 */
#ifndef CARILLON_CARILLON_BENCH_WORKLOAD_H
#define CARILLON_CARILLON_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
    BENCH_INTERVALS_MAX = 12,
    BENCH_CLAUSES_MAX = 8,
    BENCH_SECTIONS_MAX = 1000000,
    BENCH_STUDENTS_MAX = 10000000,
    BENCH_SHARDS_MAX = 1024,
    BENCH_COURSE_MAX = 10000000, /* the largest number of a course */
    BENCH_REGISTRATIONS_MAX = 5, /* what a student may have: the node's default */
    BENCH_HOT_SECTIONS = 7,      /* that a tenth of the requests ask for */
    BENCH_NAME_BYTES = 32,
    BENCH_SLUG_BYTES = 32,
};

/* Minutes of the week, the end exclusive. */
struct bench_interval {
    uint16_t from_min;
    uint16_t to_min;
};

struct bench_section {
    uint32_t course;
    uint32_t capacity;
    uint32_t ordinal; /* 1: the first section of its course */
    uint32_t interval_count;
    uint32_t clause_count;
    struct bench_interval intervals[BENCH_INTERVALS_MAX];
    uint32_t clauses[BENCH_CLAUSES_MAX +
                     1]; /* clause i is alternatives[clauses[i] .. clauses[i + 1]) */
};

struct bench_workload {
    char slug[BENCH_SLUG_BYTES]; /* the institution's name, and the first part of every token */
    struct bench_section *sections;
    uint32_t *sections_by_name; /* indices in order of (course, ordinal) */
    uint32_t section_count;
    uint32_t *alternatives; /* courses */
    uint32_t alternative_count;
    uint32_t student_count;
    uint32_t *taken_at; /* student i took taken[taken_at[i] .. taken_at[i + 1]) */
    uint32_t *taken;    /* courses */
    uint32_t *courses;  /* every course that occurs, ascending */
    uint32_t course_count;
};

/* Read the two files in @folder. @ret_text gets file, line and what is wrong. Errors: ERR_GONE,
 * ERR_MALFORMED, ERR_NOMEM. */
int bench_workload_read(const char *folder, struct bench_workload *ret_workload, char *ret_text,
                        size_t text_bytes) CHECKED;

/* Draw a population of the same shape from @seed. Errors: ERR_ARGUMENT, ERR_NOMEM. */
int bench_workload_draw(uint64_t seed, uint32_t students, uint32_t sections,
                        struct bench_workload *ret_workload) CHECKED;

/* Write it as `courses.jsonl` and `students.jsonl` into @folder, for the ordinary import.
 * Errors: ERR_IO. */
int bench_workload_write(const struct bench_workload *workload, const char *folder) CHECKED;

/* Number the sections within their courses, index them, collect the courses, and give the
 * default slug. */
int bench_workload_derive(struct bench_workload *workload) CHECKED;

void bench_workload_fini(struct bench_workload *workload);

/* Names of the parts, terminated; the first returns the length in bytes. */
size_t bench_code(uint32_t course, char ret_code[BENCH_NAME_BYTES]);
void bench_token(const struct bench_workload *workload, uint32_t student,
                 char ret_token[BENCH_SLUG_BYTES + BENCH_NAME_BYTES]);
void bench_section_id(const struct bench_section *section, char ret_id[BENCH_NAME_BYTES]);

/* The student with @token; the section of @code with the id @section. Returns: UINT32_MAX when
 * there is none. */
uint32_t bench_student_find(const struct bench_workload *workload, const char *token);
uint32_t bench_section_find(const struct bench_workload *workload, const char *code,
                            const char *section);

/* ---- the stream of requests ---- */

/* xorshift64, as the load generator of the peers draws: a uniformly drawn student; a tenth for
 * the hot sections, the rest by rank with density rank^-1/2. */
struct bench_stream {
    uint64_t state;
};

void bench_stream_init(struct bench_stream *stream, uint64_t seed);
uint32_t bench_stream_student(struct bench_stream *stream,
                              const struct bench_workload *workload);
uint32_t bench_stream_section(struct bench_stream *stream,
                              const struct bench_workload *workload);
uint64_t bench_stream_next(struct bench_stream *stream);

#endif
