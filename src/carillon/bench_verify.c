#include "carillon/bench_verify.h"

#include <stdlib.h>

/* ---- lists ---- */

int bench_pairs_add(struct bench_pairs *pairs, struct bench_pair pair)
{
    if (pairs->count == pairs->cap) {
        size_t cap = pairs->cap == 0 ? 4096 : pairs->cap * 2;
        struct bench_pair *at = realloc(pairs->at, cap * sizeof *at);

        if (at == NULL) {
            return ERR_NOMEM;
        }
        pairs->at = at;
        pairs->cap = cap;
    }
    pairs->at[pairs->count++] = pair;
    return OK;
}

void bench_pairs_fini(struct bench_pairs *pairs)
{
    free(pairs->at);
    *pairs = (struct bench_pairs){0};
}

static int pair_order(const struct bench_pair *a, const struct bench_pair *b)
{
    if (a->student != b->student) {
        return a->student < b->student ? -1 : 1;
    }
    return (a->section > b->section) - (a->section < b->section);
}

static int pair_order_void(const void *a, const void *b)
{
    return pair_order(a, b);
}

static void pairs_sort(struct bench_pairs *pairs)
{
    if (pairs->count > 1) {
        qsort(pairs->at, pairs->count, sizeof *pairs->at, pair_order_void);
    }
}

static bool pairs_has(const struct bench_pairs *pairs, const struct bench_pair *pair)
{
    return pairs->count > 0 &&
           bsearch(pair, pairs->at, pairs->count, sizeof *pairs->at, pair_order_void) != NULL;
}

/* ---- faults ---- */

static const char *const fault_texts[BENCH_FAULT_NR] = {
    [BENCH_FAULT_STRANGER] =
        "a registration names a student or section that was never imported",
    [BENCH_FAULT_TWICE] = "a registration was acknowledged twice or is there twice",
    [BENCH_FAULT_LOST] = "an acknowledged registration is not there",
    [BENCH_FAULT_UNASKED] = "a registration is there that was not acknowledged",
    [BENCH_FAULT_CAPACITY] = "a section holds more students than its capacity",
    [BENCH_FAULT_LIMIT] = "a student has more courses than allowed",
    [BENCH_FAULT_COURSE_TWICE] = "a student has two sections of one course",
    [BENCH_FAULT_TIME] = "a student has two sections that meet at the same time",
    [BENCH_FAULT_PREREQUISITE] = "a student has a course without its prerequisites",
    [BENCH_FAULT_ROSTER] = "a roster differs from the registrations",
    [BENCH_FAULT_SCHEDULE] = "a student's schedule differs from the registrations",
};

const char *bench_fault_text(enum bench_fault fault)
{
    return fault_texts[fault];
}

static void fault_note(struct bench_verdict *verdict, enum bench_fault fault,
                       struct bench_pair pair)
{
    if (verdict->counts[fault] == 0) {
        verdict->first[fault] = pair;
    }
    verdict->counts[fault]++;
}

bool bench_verdict_is_clean(const struct bench_verdict *verdict)
{
    for (size_t i = 0; i < BENCH_FAULT_NR; i++) {
        if (verdict->counts[i] > 0) {
            return false;
        }
    }
    return true;
}

/* ---- acknowledged against there ---- */

/* A sorted list must not hold a pair twice: nothing is ever dropped by the load, so a second
 * registration of the same student in the same section can only be the first one counted again.
 */
static void check_twice(const struct bench_pairs *pairs, struct bench_verdict *verdict)
{
    for (size_t i = 1; i < pairs->count; i++) {
        if (pair_order(&pairs->at[i - 1], &pairs->at[i]) == 0) {
            fault_note(verdict, BENCH_FAULT_TWICE, pairs->at[i]);
        }
    }
}

static void check_history(const struct bench_history *history,
                          const struct bench_pairs *exported, struct bench_verdict *verdict)
{
    for (size_t i = 0; i < history->accepted.count; i++) {
        if (!pairs_has(exported, &history->accepted.at[i])) {
            fault_note(verdict, BENCH_FAULT_LOST, history->accepted.at[i]);
        }
    }
    for (size_t i = 0; i < exported->count; i++) {
        const struct bench_pair *pair = &exported->at[i];

        if (pairs_has(&history->accepted, pair)) {
            continue;
        }
        if (pairs_has(&history->unknown, pair)) {
            verdict->unknown_happened++;
        } else {
            fault_note(verdict, BENCH_FAULT_UNASKED, *pair);
        }
    }
}

/* The part of @exported that @wanted selects must be exactly @other. Both are sorted and free
 * of pairs that are there twice, or that was found already. */
static void check_same(const struct bench_pairs *exported, const struct bench_pairs *other,
                       const bool *wanted, bool is_by_section, enum bench_fault fault,
                       struct bench_verdict *verdict)
{
    for (size_t i = 0; i < exported->count; i++) {
        const struct bench_pair *pair = &exported->at[i];
        uint32_t key = is_by_section ? pair->section : pair->student;

        if (wanted != NULL && wanted[key] && !pairs_has(other, pair)) {
            fault_note(verdict, fault, *pair);
        }
    }
    for (size_t i = 0; i < other->count; i++) {
        if (!pairs_has(exported, &other->at[i])) {
            fault_note(verdict, fault, other->at[i]);
        }
    }
}

/* ---- the rules ---- */

static bool has_taken(const struct bench_workload *workload, uint32_t student, uint32_t course)
{
    for (uint32_t i = workload->taken_at[student]; i < workload->taken_at[student + 1]; i++) {
        if (workload->taken[i] == course) {
            return true;
        }
    }
    return false;
}

static bool meets_clause(const struct bench_workload *workload, uint32_t student, uint32_t from,
                         uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if (has_taken(workload, student, workload->alternatives[i])) {
            return true;
        }
    }
    return false;
}

bool bench_is_qualified(const struct bench_workload *workload, uint32_t student,
                        uint32_t section)
{
    const struct bench_section *of = &workload->sections[section];

    for (uint32_t i = 0; i < of->clause_count; i++) {
        if (!meets_clause(workload, student, of->clauses[i], of->clauses[i + 1])) {
            return false;
        }
    }
    return true;
}

static bool do_clash(const struct bench_section *a, const struct bench_section *b)
{
    for (uint32_t i = 0; i < a->interval_count; i++) {
        for (uint32_t k = 0; k < b->interval_count; k++) {
            if (a->intervals[i].from_min < b->intervals[k].to_min &&
                b->intervals[k].from_min < a->intervals[i].to_min) {
                return true;
            }
        }
    }
    return false;
}

/* One student's registrations: @pairs[0 .. count), all of the same student. */
static void check_student(const struct bench_workload *workload, const struct bench_pair *pairs,
                          size_t count, struct bench_verdict *verdict)
{
    if (count > BENCH_REGISTRATIONS_MAX) {
        fault_note(verdict, BENCH_FAULT_LIMIT, pairs[0]);
    }
    for (size_t i = 0; i < count; i++) {
        const struct bench_section *section = &workload->sections[pairs[i].section];

        if (!bench_is_qualified(workload, pairs[i].student, pairs[i].section)) {
            fault_note(verdict, BENCH_FAULT_PREREQUISITE, pairs[i]);
        }
        for (size_t k = 0; k < i; k++) {
            const struct bench_section *other = &workload->sections[pairs[k].section];

            if (other->course == section->course) {
                fault_note(verdict, BENCH_FAULT_COURSE_TWICE, pairs[i]);
            }
            if (do_clash(section, other)) {
                fault_note(verdict, BENCH_FAULT_TIME, pairs[i]);
            }
        }
    }
}

static void check_students(const struct bench_workload *workload,
                           const struct bench_pairs *exported, struct bench_verdict *verdict)
{
    size_t from = 0;

    for (size_t i = 1; i <= exported->count; i++) {
        if (i == exported->count || exported->at[i].student != exported->at[from].student) {
            check_student(workload, &exported->at[from], i - from, verdict);
            from = i;
        }
    }
}

static int check_capacities(const struct bench_workload *workload,
                            const struct bench_pairs *exported, struct bench_verdict *verdict)
{
    uint32_t *seated = calloc(workload->section_count, sizeof *seated);

    if (seated == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < exported->count; i++) {
        uint32_t section = exported->at[i].section;

        seated[section]++;
        if (seated[section] == workload->sections[section].capacity + 1) {
            fault_note(verdict, BENCH_FAULT_CAPACITY, exported->at[i]);
        }
    }
    free(seated);
    return OK;
}

int bench_verify(const struct bench_workload *workload, struct bench_history *history,
                 struct bench_readback *readback, struct bench_verdict *ret_verdict)
{
    struct bench_verdict verdict = {.registrations = readback->exported.count};
    struct bench_pairs *exported = &readback->exported;

    pairs_sort(&history->accepted);
    pairs_sort(&history->unknown);
    pairs_sort(exported);
    pairs_sort(&readback->rosters);
    pairs_sort(&readback->schedules);
    verdict.counts[BENCH_FAULT_STRANGER] = readback->strangers;
    check_twice(&history->accepted, &verdict);
    check_twice(exported, &verdict);
    check_twice(&readback->rosters, &verdict);
    check_twice(&readback->schedules, &verdict);
    check_history(history, exported, &verdict);
    check_same(exported, &readback->rosters, readback->has_roster, true, BENCH_FAULT_ROSTER,
               &verdict);
    check_same(exported, &readback->schedules, readback->has_schedule, false,
               BENCH_FAULT_SCHEDULE, &verdict);
    check_students(workload, exported, &verdict);
    int rc = check_capacities(workload, exported, &verdict);
    if (rc == OK) {
        *ret_verdict = verdict;
    }
    return rc;
}
