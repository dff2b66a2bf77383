/* carillon/bench_open.h -- the open loop of registrations: so many new requests a second,
 * whether or not the earlier ones were answered.
 *
 * Layer: carillon
 *
 * A closed loop slows down with the node and so never asks for more than it can do. Here
 * requests fall due by the clock, and what one took is counted from when it was due, also when
 * it left later (else the waits of a node that stands still would be left out).
 */
#ifndef CARILLON_CARILLON_BENCH_OPEN_H
#define CARILLON_CARILLON_BENCH_OPEN_H

#include "carillon/bench_histogram.h"
#include "carillon/bench_verify.h"
#include "client/carillon.h"
#include "io/io.h"

struct bench_open_options {
    uint64_t rate;        /* new requests a second */
    uint32_t window_ms;   /* they fall due for so long; then the last ones are waited for */
    uint32_t deadline_ms; /* of each */
    uint64_t seed;        /* of the workload's stream */
    const char *title;    /* of the progress line; NULL: none */
};

struct bench_open_result {
    uint64_t window_ns;
    uint64_t due;      /* requests that fell due */
    uint64_t unsent;   /* of them, those that the client had no room for */
    uint64_t accepted; /* answered with yes within the window */
    uint64_t refused;  /* by the rules, within the window */
    uint64_t late;     /* answered after it */
    uint64_t busy;     /* refused for load */
    uint64_t unknown;  /* no answer by the deadline */
    uint64_t failed;   /* anything else */
    int first_failure;
    char failure_text[256];
    struct bench_histogram answered; /* what an answer took: yes, or no by the rules */
    struct bench_histogram turned;   /* what a refusal for load took */
};

/* Run it, and wait for the last answer.
 *
 * Owns:    borrows all; appends to @history.
 * Errors:  ERR_CANCELLED interrupted from the keyboard; ERR_NOMEM; ERR_INTERNAL.
 */
int bench_open_run(struct carillon_client *client, struct io *io,
                   const struct bench_workload *workload,
                   const struct bench_open_options *options, struct bench_history *history,
                   struct bench_open_result *ret_result) CHECKED;

/* Answers of the window, a second: what the node got done. */
double bench_open_goodput(const struct bench_open_result *result);

#endif
