/* carillon/bench_query.h -- searches for the benchmark: from a file with expected answers, or
 * drawn from catalogues.
 *
 * Layer: carillon (client)
 */
#ifndef CARILLON_CARILLON_BENCH_QUERY_H
#define CARILLON_CARILLON_BENCH_QUERY_H

#include "base/arena.h"
#include "carillon/bench_histogram.h"
#include "carillon/bench_workload.h"
#include "client/carillon.h"
#include "io/io.h"

struct bench_query {
    const char *text;
    const char *institution; /* "" for all */
    const char *expected;    /* "a|b", with institution "" as slug:code; NULL: nothing is */
    struct slice packed;     /* SearchRequest */
};

struct bench_queries {
    struct arena arena; /* owns the texts */
    struct bench_query *at;
    uint32_t count;
    uint32_t cap;
};

void bench_queries_init(struct bench_queries *queries);
void bench_queries_fini(struct bench_queries *queries);

/* Read lines of query, institution or *, expected codes, separated by tabs.
 * Errors: ERR_GONE; ERR_MALFORMED; ERR_NOMEM. */
int bench_queries_read(struct bench_queries *queries, const char *path) CHECKED;

/* Draw @count queries from the codes, titles (up to three words) and people of the *.jsonl
 * files in @folder. Errors: ERR_GONE nothing there; ERR_NOMEM. */
int bench_queries_draw(struct bench_queries *queries, const char *folder, uint64_t seed,
                       uint32_t count) CHECKED;

/* What the first five hits gave. */
struct bench_quality {
    uint32_t asked;
    uint32_t hit;
    char misses[1024]; /* the queries that missed, "; " between them, cut when many */
};

/* Ask every query that expects something, one after another. Errors: those of the client. */
int bench_quality_measure(struct carillon_client *client, const struct bench_queries *queries,
                          struct bench_quality *ret_quality) CHECKED;

/* What a closed loop of searches gave. */
struct bench_search_result {
    uint64_t window_ns;
    uint64_t answers;
    uint64_t failed;
    int first_failure;
    uint64_t client_us; /* processor time */
    uint64_t server_us;
    uint64_t node_count; /* searches inside the node, and their processor time, in the window */
    uint64_t node_cpu_ns;
    uint64_t node_p50_ns; /* since the node's start */
    uint64_t node_p99_ns;
    struct bench_histogram latency;
};

/* Keep @outstanding searches going for @window_ms, drawn from @queries. Errors: ERR_CANCELLED;
 * ERR_NOMEM; those of the client when asking for the status. */
int bench_search_run(struct carillon_client *client, struct io *io,
                     const struct bench_queries *queries, uint32_t outstanding,
                     uint32_t window_ms, struct bench_search_result *ret_result) CHECKED;

/* Searches sent at a steady rate beside another load, whatever becomes of them. */
struct bench_pacer {
    struct carillon_client *client;
    struct io *io;
    const struct bench_queries *queries;
    uint64_t rate; /* a second */
    uint64_t start_ns;
    uint64_t seen_ns; /* the last turn */
    uint64_t sent;    /* or due and not sent, for want of room */
    uint64_t answers;
    struct bench_stream stream;
    struct pacer_flight *flights;
    struct pacer_flight *free;
    struct bench_histogram latency;
};

/* @window: at most so many at a time; what does not fit is not sent and counts as not reaching
 * the rate. */
int bench_pacer_init(struct bench_pacer *pacer, struct carillon_client *client, struct io *io,
                     const struct bench_queries *queries, uint64_t rate,
                     uint32_t window) CHECKED;
void bench_pacer_fini(struct bench_pacer *pacer);

/* Send what is due at @now_ns; the hook of a load. Returns: false. */
bool bench_pacer_turn(void *pacer, uint64_t now_ns);

#endif
