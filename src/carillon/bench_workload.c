#include "carillon/bench_workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

enum { DRAWN_INTERVALS_MAX = 3, DRAWN_TAKEN_MAX = 32, DRAWN_TAKEN_DRAWS = 20, DAY_MIN = 1440 };

/* ---- names ---- */

/* By hand, because a large population names courses ten million times. */
size_t bench_code(uint32_t course, char ret_code[BENCH_NAME_BYTES])
{
    char digits[10];
    size_t count = 0, len = 2;

    do {
        digits[count++] = (char)('0' + course % 10);
        course /= 10;
    } while (course > 0);
    ret_code[0] = 'C';
    ret_code[1] = ' ';
    while (count > 0) {
        ret_code[len++] = digits[--count];
    }
    ret_code[len] = '\0';
    return len;
}

void bench_token(const struct bench_workload *workload, uint32_t student,
                 char ret_token[BENCH_SLUG_BYTES + BENCH_NAME_BYTES])
{
    snprintf(ret_token, BENCH_SLUG_BYTES + BENCH_NAME_BYTES, "%s-%u", workload->slug,
             student + 1);
}

void bench_section_id(const struct bench_section *section, char ret_id[BENCH_NAME_BYTES])
{
    snprintf(ret_id, BENCH_NAME_BYTES, "%u", section->ordinal);
}

static uint32_t number_parse(const char *digits, uint64_t max)
{
    uint64_t value;

    return slice_parse_u64(slice_from_text(digits), max, &value) == OK ? (uint32_t)value
                                                                       : UINT32_MAX;
}

uint32_t bench_student_find(const struct bench_workload *workload, const char *token)
{
    size_t len = strlen(workload->slug);

    if (strncmp(token, workload->slug, len) != 0 || token[len] != '-') {
        return UINT32_MAX;
    }
    uint32_t number = number_parse(token + len + 1, workload->student_count);
    return number == 0 || number == UINT32_MAX ? UINT32_MAX : number - 1;
}

static int section_order(const struct bench_section *a, uint32_t course, uint32_t ordinal)
{
    if (a->course != course) {
        return a->course < course ? -1 : 1;
    }
    return (a->ordinal > ordinal) - (a->ordinal < ordinal);
}

uint32_t bench_section_find(const struct bench_workload *workload, const char *code,
                            const char *section)
{
    if (strncmp(code, "C ", 2) != 0) {
        return UINT32_MAX;
    }
    uint32_t course = number_parse(code + 2, UINT32_MAX - 1);
    uint32_t ordinal = number_parse(section, UINT32_MAX - 1);
    uint32_t low = 0, high = workload->section_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t index = workload->sections_by_name[middle];
        int order = section_order(&workload->sections[index], course, ordinal);

        if (order == 0) {
            return index;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return UINT32_MAX;
}

/* ---- what is derived ---- */

static int section_name_order(const void *a, const void *b, void *context)
{
    const struct bench_section *sections = context;
    const struct bench_section *y = &sections[*(const uint32_t *)b];

    return section_order(&sections[*(const uint32_t *)a], y->course, y->ordinal);
}

/* Number the sections of each course in the order of the file, and index them by name. */
static int sections_index(struct bench_workload *workload)
{
    uint32_t *order = malloc(workload->section_count * sizeof *order);

    if (order == NULL) {
        return ERR_NOMEM;
    }
    workload->sections_by_name = order;
    for (uint32_t i = 0; i < workload->section_count; i++) {
        order[i] = i;
        workload->sections[i].ordinal =
            i; /* so that equal courses stay in order; the real number follows */
    }
    qsort_r(order, workload->section_count, sizeof *order, section_name_order,
            workload->sections);
    uint32_t ordinal = 0;
    for (uint32_t i = 0; i < workload->section_count; i++) {
        struct bench_section *section = &workload->sections[order[i]];
        bool is_first = i == 0 || workload->sections[order[i - 1]].course != section->course;

        ordinal = is_first ? 1 : ordinal + 1;
        section->ordinal = ordinal;
        if (!is_first) { /* a rule belongs to the course: the first section's */
            const struct bench_section *first = &workload->sections[order[i - 1]];

            section->clause_count = first->clause_count;
            memcpy(section->clauses, first->clauses, sizeof section->clauses);
        }
    }
    return OK;
}

static void course_mark(uint64_t *marks, uint32_t course)
{
    marks[course / 64] |= 1ULL << (course % 64);
}

static int courses_list(struct bench_workload *workload, const uint64_t *marks)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < BENCH_COURSE_MAX / 64 + 1; i++) {
        count += (uint32_t)__builtin_popcountll(marks[i]);
    }
    workload->courses = malloc((count + 1) * sizeof *workload->courses);
    if (workload->courses == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < BENCH_COURSE_MAX / 64 + 1; i++) {
        for (uint64_t rest = marks[i]; rest != 0; rest &= rest - 1) {
            workload->courses[workload->course_count++] =
                i * 64 + (uint32_t)__builtin_ctzll(rest);
        }
    }
    return OK;
}

/* A bit for every possible course: millions of names fall on few courses. */
static int courses_collect(struct bench_workload *workload)
{
    uint64_t *marks = calloc(BENCH_COURSE_MAX / 64 + 1, sizeof *marks);

    if (marks == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < workload->section_count; i++) {
        course_mark(marks, workload->sections[i].course);
    }
    for (uint32_t i = 0; i < workload->alternative_count; i++) {
        course_mark(marks, workload->alternatives[i]);
    }
    for (uint32_t i = 0; i < workload->taken_at[workload->student_count]; i++) {
        course_mark(marks, workload->taken[i]);
    }
    int rc = courses_list(workload, marks);
    free(marks);
    return rc;
}

int bench_workload_derive(struct bench_workload *workload)
{
    snprintf(workload->slug, sizeof workload->slug, "bench");
    int rc = sections_index(workload);

    return rc == OK ? courses_collect(workload) : rc;
}

void bench_workload_fini(struct bench_workload *workload)
{
    free(workload->sections);
    free(workload->sections_by_name);
    free(workload->alternatives);
    free(workload->taken_at);
    free(workload->taken);
    free(workload->courses);
    *workload = (struct bench_workload){0};
}

/* ---- a population from a seed ---- */

/* Monday, Wednesday and Friday for 50 minutes; Tuesday and Thursday for 80; or one long
 * meeting: what most weeks in published schedules are made of. */
static void draw_intervals(struct rng *rng, struct bench_section *section)
{
    static const struct {
        uint32_t days[DRAWN_INTERVALS_MAX];
        uint32_t day_count;
        uint32_t length_min;
    } patterns[] = {
        {{0, 2, 4}, 3, 50 },
        {{1, 3},    2, 80 },
        {{0},       1, 170}
    };
    uint64_t pattern = rng_below(rng, 3);
    uint32_t start_min =
        (uint32_t)rng_between(rng, 16, 34) * 30; /* 8:00 to 17:00, on the half hour */
    uint32_t shift = pattern == 2 ? (uint32_t)rng_below(rng, 5) : 0;

    section->interval_count = patterns[pattern].day_count;
    for (uint32_t i = 0; i < section->interval_count; i++) {
        uint32_t from_min = (patterns[pattern].days[i] + shift) * DAY_MIN + start_min;

        section->intervals[i] = (struct bench_interval){
            (uint16_t)from_min, (uint16_t)(from_min + patterns[pattern].length_min)};
    }
}

/* Every seventh section asks for one or two earlier courses, each with up to three
 * alternatives. */
static void draw_clauses(struct rng *rng, struct bench_workload *workload,
                         struct bench_section *section, uint32_t course_count)
{
    section->clauses[0] = workload->alternative_count;
    if (!rng_chance(rng, 146000)) {
        return;
    }
    section->clause_count = (uint32_t)rng_between(rng, 1, 2);
    for (uint32_t i = 0; i < section->clause_count; i++) {
        uint32_t count = (uint32_t)rng_between(rng, 1, 3);

        for (uint32_t k = 0; k < count; k++) {
            workload->alternatives[workload->alternative_count++] =
                course_count + 1 + (uint32_t)rng_below(rng, course_count);
        }
        section->clauses[i + 1] = workload->alternative_count;
    }
}

static void draw_sections(struct rng *rng, struct bench_workload *workload)
{
    /* Courses 1..count are offered; count+1..2*count were offered in earlier terms. */
    uint32_t count = workload->section_count / 2 + 1;

    for (uint32_t i = 0; i < workload->section_count; i++) {
        struct bench_section *section = &workload->sections[i];
        uint64_t wide = rng_between(rng, 0, 2);

        section->course = 1 + (uint32_t)rng_below(rng, count);
        section->capacity = (uint32_t)rng_between(rng, 8,
                                                  wide == 0   ? 25
                                                  : wide == 1 ? 60
                                                              : 200);
        draw_intervals(rng, section);
        draw_clauses(rng, workload, section, count);
    }
}

static bool has_taken(const struct bench_workload *workload, uint32_t from, uint32_t to,
                      uint32_t course)
{
    for (uint32_t i = from; i < to; i++) {
        if (workload->taken[i] == course) {
            return true;
        }
    }
    return false;
}

/* One alternative of every clause of @section, as far as the student whose list begins at @from
 * has not taken it. Returns: where the list ends now. */
static uint32_t draw_courses(struct rng *rng, struct bench_workload *workload,
                             const struct bench_section *section, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < section->clause_count; i++) {
        uint32_t course = workload->alternatives[rng_between(rng, section->clauses[i],
                                                             section->clauses[i + 1] - 1)];

        if (n - from < DRAWN_TAKEN_MAX && !has_taken(workload, from, n, course)) {
            workload->taken[n++] = course;
        }
    }
    return n;
}

/* Twenty sections with prerequisites are drawn for each student, who has taken one alternative
 * of every clause. */
static void draw_taken(struct rng *rng, struct bench_workload *workload,
                       const uint32_t *demanding, uint32_t demanding_count)
{
    uint32_t n = 0;

    for (uint32_t student = 0; student < workload->student_count; student++) {
        uint32_t from = n;

        for (uint32_t draw = 0; draw < DRAWN_TAKEN_DRAWS && demanding_count > 0; draw++) {
            const struct bench_section *section =
                &workload->sections[demanding[rng_below(rng, demanding_count)]];

            n = draw_courses(rng, workload, section, from, n);
        }
        workload->taken_at[student + 1] = n;
    }
}

int bench_workload_draw(uint64_t seed, uint32_t students, uint32_t sections,
                        struct bench_workload *ret_workload)
{
    struct bench_workload workload = {.section_count = sections, .student_count = students};
    struct rng rng;
    uint32_t demanding_count = 0;

    if (students == 0 || students > BENCH_STUDENTS_MAX || sections <= BENCH_HOT_SECTIONS ||
        sections > BENCH_SECTIONS_MAX) {
        return ERR_ARGUMENT;
    }
    rng_init(&rng, seed);
    workload.sections = calloc(sections, sizeof *workload.sections);
    workload.alternatives = calloc(6 * (size_t)sections, sizeof *workload.alternatives);
    workload.taken_at = calloc((size_t)students + 1, sizeof *workload.taken_at);
    workload.taken = malloc((size_t)students * DRAWN_TAKEN_MAX * sizeof *workload.taken);
    uint32_t *demanding = malloc(sections * sizeof *demanding);
    int rc = ERR_NOMEM;
    if (workload.sections != NULL && workload.alternatives != NULL &&
        workload.taken_at != NULL && workload.taken != NULL && demanding != NULL) {
        draw_sections(&rng, &workload);
        for (uint32_t i = 0; i < sections; i++) {
            if (workload.sections[i].clause_count > 0) {
                demanding[demanding_count++] = i;
            }
        }
        draw_taken(&rng, &workload, demanding, demanding_count);
        rc = bench_workload_derive(&workload);
    }
    free(demanding);
    if (rc != OK) {
        bench_workload_fini(&workload);
        return rc;
    }
    *ret_workload = workload;
    return OK;
}

/* ---- the stream ---- */

void bench_stream_init(struct bench_stream *stream, uint64_t seed)
{
    stream->state = 0x9E3779B97F4A7C15ULL * (seed + 1);
    if (stream->state == 0) {
        stream->state = 1; /* zero is xorshift's one dead state */
    }
}

uint64_t bench_stream_next(struct bench_stream *stream)
{
    stream->state ^= stream->state << 13;
    stream->state ^= stream->state >> 7;
    stream->state ^= stream->state << 17;
    return stream->state;
}

static double draw_unit(struct bench_stream *stream)
{
    return (double)(bench_stream_next(stream) >> 11) / 9007199254740992.0;
}

uint32_t bench_stream_student(struct bench_stream *stream,
                              const struct bench_workload *workload)
{
    return (uint32_t)(bench_stream_next(stream) % workload->student_count);
}

uint32_t bench_stream_section(struct bench_stream *stream,
                              const struct bench_workload *workload)
{
    if (draw_unit(stream) < 0.1) {
        return (uint32_t)(draw_unit(stream) * BENCH_HOT_SECTIONS);
    }
    double u = draw_unit(stream);

    return BENCH_HOT_SECTIONS +
           (uint32_t)((double)(workload->section_count - BENCH_HOT_SECTIONS) * u * u);
}
