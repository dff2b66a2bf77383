/* carillon/bench_verify.h -- was the benchmark's work done right? Compares what was
 * acknowledged with what is there.
 *
 * Layer: carillon
 *
 * The checker is pure and knows the rules from the workload alone, not from the node: it is
 * given what the load generator was told (the history), and what was read back afterwards by
 * three ways (the export, the rosters, the students' schedules), and looks for contradictions.
 * A run with one is void.
 */
#ifndef CARILLON_CARILLON_BENCH_VERIFY_H
#define CARILLON_CARILLON_BENCH_VERIFY_H

#include "carillon/bench_workload.h"

/* One student in one section; indices into the workload. */
struct bench_pair {
    uint32_t student;
    uint32_t section;
};

/* A growing list of pairs. */
struct bench_pairs {
    struct bench_pair *at;
    size_t count;
    size_t cap;
};

/* Errors: ERR_NOMEM. */
int bench_pairs_add(struct bench_pairs *pairs, struct bench_pair pair) CHECKED;
void bench_pairs_fini(struct bench_pairs *pairs);

/* What the node said, a list an answer: the registrations it acknowledged, and those whose
 * outcome stayed unknown (no answer before the deadline, or an error that does not tell).
 * Refusals leave no trace to compare. */
struct bench_history {
    struct bench_pairs accepted;
    struct bench_pairs unknown;
};

/* What was read back. */
struct bench_readback {
    struct bench_pairs exported;  /* all registrations */
    struct bench_pairs rosters;   /* of the sections that were asked for */
    struct bench_pairs schedules; /* of the students that were asked for */
    bool *has_roster;             /* by section: asked for */
    bool *has_schedule;           /* by student */
    uint64_t strangers;           /* rows that name no student or section of the workload */
};

enum bench_fault {
    BENCH_FAULT_STRANGER,     /* a row that names nobody of ours */
    BENCH_FAULT_TWICE,        /* acknowledged twice, or there twice */
    BENCH_FAULT_LOST,         /* acknowledged and not there */
    BENCH_FAULT_UNASKED,      /* there, and neither acknowledged nor unknown */
    BENCH_FAULT_CAPACITY,     /* a section holds more than its capacity */
    BENCH_FAULT_LIMIT,        /* a student has more than five */
    BENCH_FAULT_COURSE_TWICE, /* a student has two sections of one course */
    BENCH_FAULT_TIME,         /* two sections of a student meet at the same time */
    BENCH_FAULT_PREREQUISITE, /* a course without what it asks for */
    BENCH_FAULT_ROSTER,       /* a roster differs from the export */
    BENCH_FAULT_SCHEDULE,     /* a schedule differs from the export */
    BENCH_FAULT_NR,
};

struct bench_verdict {
    uint64_t counts[BENCH_FAULT_NR];
    struct bench_pair first[BENCH_FAULT_NR]; /* an example of each */
    uint64_t registrations;                  /* compared */
    uint64_t unknown_happened;               /* unknown ones that turned out to be there */
};

/* Compare. Sorts the lists in place. Errors: ERR_NOMEM. */
int bench_verify(const struct bench_workload *workload, struct bench_history *history,
                 struct bench_readback *readback, struct bench_verdict *ret_verdict) CHECKED;

/* Whether @student has taken what @section asks for. */
bool bench_is_qualified(const struct bench_workload *workload, uint32_t student,
                        uint32_t section);

/* Whether nothing was found. */
bool bench_verdict_is_clean(const struct bench_verdict *verdict);

/* A few words on what @fault is. Static storage. */
const char *bench_fault_text(enum bench_fault fault);

#endif
