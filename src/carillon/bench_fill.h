/* carillon/bench_fill.h -- a folder full of registrations, for what is measured on one.
 *
 * Layer: carillon (client)
 */
#ifndef CARILLON_CARILLON_BENCH_FILL_H
#define CARILLON_CARILLON_BENCH_FILL_H

#include "carillon/bench.h"
#include "carillon/bench_load.h"

enum { BENCH_FILL_OUTSTANDING = 256 };

/* Draws requests that the rules allow as far as one request alone can tell: the student has
 * what the section asks for and is below the limit, and the section has a seat. What is left to
 * refuse is that two sections meet at one time. */
struct bench_fill {
    const struct bench_workload *workload;
    struct bench_stream stream;
    uint8_t *asked;  /* by student: requests drawn */
    uint32_t *seats; /* by section: requests drawn */
};

/* Errors: ERR_NOMEM. */
int bench_fill_init(struct bench_fill *fill, const struct bench_workload *workload,
                    uint64_t seed) CHECKED;
void bench_fill_fini(struct bench_fill *fill);

/* The next request (bench_load_options.draw; @context is a struct bench_fill). When nobody
 * fits, any. */
struct bench_pair bench_fill_draw(void *context);

/* Import the catalogues, if a folder of them is named, and the workload, and register until
 * session->options->registrations are accepted or nothing fits any more. The session's client
 * takes BENCH_FILL_OUTSTANDING requests and two more. */
int bench_fill_folder(struct bench_session *session, struct bench_fill *fill,
                      uint64_t *ret_courses, uint64_t *ret_count) CHECKED;

/* How many registrations the node holds. */
int bench_fill_count(struct bench_session *session, uint64_t *ret_count) CHECKED;

#endif
