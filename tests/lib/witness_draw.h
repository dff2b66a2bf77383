/* tests/lib/witness_draw.h -- draws random histories that are good, for the witness's own
 * tests.
 *
 * A small campus and its students and registrars, several requests under way at a time,
 * answered by tests/lib/model in the order of a log with gaps and changes of term. Whether an
 * answer is ever seen, and whether a request without one happened, is drawn as well.
 */
#ifndef CARILLON_TESTS_LIB_WITNESS_DRAW_H
#define CARILLON_TESTS_LIB_WITNESS_DRAW_H

#include "tests/lib/witness_record.h"

struct witness_draw_options {
    uint32_t requests;
    uint32_t lost_ppm;  /* answers that nobody saw */
    uint32_t never_ppm; /* requests that never happened, and nobody was told so */
};

/* Write a history of @seed to @record, which is new. It ends with everybody's schedule and all
 * rosters. */
void witness_draw(uint64_t seed, const struct witness_draw_options *options,
                  struct witness_record *record);

#endif
