/* carillon/bench_readback.h -- reading everything back after a run, by every way the node
 * offers.
 *
 * Layer: carillon (client)
 */
#ifndef CARILLON_CARILLON_BENCH_READBACK_H
#define CARILLON_CARILLON_BENCH_READBACK_H

#include "carillon/bench_load.h"
#include "carillon/bench_verify.h"

/* What was found beside the registrations. */
struct bench_answers_check {
    uint64_t outcomes;       /* keys asked for */
    uint64_t outcomes_wrong; /* known otherwise than acknowledged, or not at all */
    bool is_state_sound;     /* the node's own check of its invariants */
    uint64_t rosters;        /* read */
    uint64_t schedules;
    char text[256]; /* the first finding of the node's own check */
};

/* Read all registrations of the workload's institution, all rosters, all schedules, the
 * outcomes of the sampled keys, and let the node check itself.
 *
 * Owns:   @ret_readback goes to bench_readback_fini, also after an error.
 * Errors: ERR_CANCELLED interrupted; ERR_NOMEM; those of the client.
 */
int bench_readback(struct carillon_client *client, const struct bench_workload *workload,
                   const struct bench_load_result *result, struct bench_readback *ret_readback,
                   struct bench_answers_check *ret_check) CHECKED;

void bench_readback_fini(struct bench_readback *readback);

#endif
