/* tests/lib/witness.h -- whether a correct cluster could have told its clients what it told
 * them.
 *
 * Layer: tests (base, wire)     Spec: docs/spec/history.md
 *
 * A witness reads a history: a small catalogue, then every request and every answer in the
 * order in which they were seen, with the places in the log that answers name. It checks keys,
 * places and real time, then replays the entries in the order of their places by rules of its
 * own, and compares every answer and every read with them. A request without an answer may have
 * happened or not: the witness looks for a way in which everything fits, and calls a history
 * wrong only when there is none.
 *
 * It includes nothing of campus or enrol, and nothing of tests/lib/model.
 */
#ifndef CARILLON_TESTS_LIB_WITNESS_H
#define CARILLON_TESTS_LIB_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum witness_kind {
    WITNESS_GOOD,
    WITNESS_UNDECIDED, /* the search for unanswered requests was given up, or several groups */
    WITNESS_FORMAT,    /* not a history */
    WITNESS_CLUSTER,   /* a receipt of another cluster */
    WITNESS_POSITION,  /* a place in the log held twice, or none where there must be one */
    WITNESS_TERM,      /* terms that go down, or two terms of one place */
    WITNESS_ORDER,     /* a place before that of something answered earlier */
    WITNESS_STALE,     /* a read that shows less than was known when it was asked */
    WITNESS_KEY,       /* two outcomes of one key */
    WITNESS_ERROR,     /* an error for which there is no reason */
    WITNESS_ANSWER,    /* not what the rules make of the request at its place */
    WITNESS_READ,      /* not what the entries up to its place leave */
    WITNESS_KINDS,
};

extern const char *const witness_kind_names[WITNESS_KINDS];

struct witness_result {
    enum witness_kind kind;
    int line; /* of the answer that is wrong, or 0 */
    uint32_t calls;
    uint32_t entries; /* with a place */
    uint32_t reads;
    uint32_t unknown;  /* requests that may have happened or not */
    uint32_t supposed; /* of them, those that the explanation found says have happened */
    uint64_t tried;    /* steps of the replay */
    char text[1024];
};

/* Check the history in @text. */
void witness_check(const char *text, size_t len, struct witness_result *ret_result);

/* The same, giving up the search for unanswered requests after @steps of the replay. */
void witness_check_within(const char *text, size_t len, uint64_t steps,
                          struct witness_result *ret_result);

#endif
