/* carillon/bench_load.h -- the closed loop of registrations: N requests always outstanding,
 * each answered before the next one is drawn.
 *
 * Layer: carillon
 *
 * One thread, one client. Time passes through three phases: warm-up (answers are not counted),
 * the window (counted), and the end (nothing new is sent, everything is answered). What was
 * acknowledged is recorded from the very first request: the history covers all phases.
 */
#ifndef CARILLON_CARILLON_BENCH_LOAD_H
#define CARILLON_CARILLON_BENCH_LOAD_H

#include "carillon/bench_histogram.h"
#include "carillon/bench_verify.h"
#include "client/carillon.h"
#include "io/io.h"

enum {
    BENCH_SAMPLE_EVERY =
        1024, /* one key in so many is kept, to ask for its outcome afterwards */
    BENCH_SAMPLES_MAX = 4096,
};

/* A key and what was said under it. */
struct bench_sample {
    struct carillon_key key;
    struct bench_pair pair;
    int status; /* OK, ERR_REFUSED */
};

/* Processor time used so far, in µs. */
struct bench_cpu {
    uint64_t client_us;
    uint64_t server_us;
};

struct bench_load_options {
    uint32_t outstanding;
    uint32_t warmup_ms;
    uint32_t window_ms; /* UINT32_MAX: until beside() ends it */
    uint64_t seed;
    const char *title; /* of the progress line; NULL: none */

    /* What to ask for next; NULL: the workload's stream, from the seed. */
    struct bench_pair (*draw)(void *context);
    void *draw_context;

    /* Called every millisecond or so, for work beside the load; true ends the window. May be
     * NULL. */
    bool (*beside)(void *context, uint64_t now_ns);
    void *beside_context;
};

struct bench_load_result {
    uint64_t window_ns;
    uint64_t answers; /* in the window: accepted + refused */
    uint64_t accepted;
    uint64_t refused;
    uint64_t failed; /* in the whole run: neither */
    uint64_t unknown;
    int first_failure;
    char failure_text[256];
    struct bench_cpu cpu; /* in the window */
    struct bench_histogram latency;
    struct bench_sample samples[BENCH_SAMPLES_MAX];
    uint32_t sample_count;
};

/* Run the loop to its end.
 *
 * @io:     the clock.
 * Owns:    borrows all; appends to @history.
 * Errors:  ERR_CANCELLED interrupted from the keyboard; ERR_NOMEM; what the first failure was
 * when nothing works any more (a thousand failures).
 */
int bench_load_run(struct carillon_client *client, struct io *io,
                   const struct bench_workload *workload,
                   const struct bench_load_options *options, struct bench_history *history,
                   struct bench_load_result *ret_result) CHECKED;

#endif
