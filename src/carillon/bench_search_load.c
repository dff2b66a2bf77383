#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "carillon/bench_daemon.h"
#include "carillon/bench_query.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/search.pb-c.h"

enum { POLL_MS = 20, FAILURES_MAX = 1000, NS_PER_MS = 1000000, BEST = 5, NAME_BYTES = 400 };

/* ---- are the answers good? ---- */

/* Whether @name is one of the names in "a|b|c". */
static bool is_expected(const char *expected, const char *name)
{
    struct slice rest = slice_from_text(expected), head;

    while (rest.len > 0) {
        slice_cut(rest, '|', &head, &rest);
        if (slice_is_equal(head, slice_from_text(name))) {
            return true;
        }
    }
    return false;
}

static bool is_hit(const struct bench_query *query, const Carillon__SearchReply *reply)
{
    char name[NAME_BYTES];

    for (size_t i = 0; i < reply->n_hits && i < BEST; i++) {
        const Carillon__SearchHit *hit = reply->hits[i];

        if (query->institution[0] == '\0') {
            snprintf(name, sizeof name, "%s:%s", hit->institution, hit->code);
        } else {
            snprintf(name, sizeof name, "%s", hit->code);
        }
        if (is_expected(query->expected, name)) {
            return true;
        }
    }
    return false;
}

int bench_quality_measure(struct carillon_client *client, const struct bench_queries *queries,
                          struct bench_quality *ret_quality)
{
    struct bench_quality quality = {0};
    size_t len = 0;

    for (uint32_t i = 0; i < queries->count; i++) {
        const struct bench_query *query = &queries->at[i];
        struct carillon_call call = {.method = CARILLON__METHOD__METHOD_SEARCH,
                                     .body = query->packed.data,
                                     .body_bytes = query->packed.len};
        struct carillon_reply reply;
        int rc = carillon_call(client, &call, &reply);

        if (rc != OK && rc != ERR_QUERY) {
            return rc;
        }
        Carillon__SearchReply *found =
            carillon__search_reply__unpack(NULL, reply.body_bytes, reply.body);
        bool hit = rc == OK && found != NULL && is_hit(query, found);
        carillon_message_free(found);
        quality.asked++;
        quality.hit += hit;
        if (!hit && len < sizeof quality.misses) {
            int n = snprintf(quality.misses + len, sizeof quality.misses - len, "%s%s",
                             len == 0 ? "" : "; ", query->text);
            len += n < 0 ? 0 : (size_t)n;
        }
    }
    *ret_quality = quality;
    return OK;
}

/* ---- a closed loop ---- */

struct search_run;

struct search_flight {
    struct search_run *run;
    uint64_t start_ns;
};

struct search_run {
    struct carillon_client *client;
    struct io *io;
    const struct bench_queries *queries;
    struct bench_search_result *result;
    struct bench_stream stream;
    uint64_t end_ns;
    int status;
};

static void search_next(struct search_flight *flight, uint64_t now_ns);

static void search_on_done(void *context, const struct carillon_reply *reply)
{
    struct search_flight *flight = context;
    struct search_run *run = flight->run;
    struct bench_search_result *result = run->result;
    uint64_t now_ns = io_now_exact_ns(run->io);

    if (reply->status == OK) {
        result->answers++;
        bench_histogram_add(&result->latency, now_ns - flight->start_ns);
    } else {
        result->first_failure = result->failed == 0 ? reply->status : result->first_failure;
        if (++result->failed >= FAILURES_MAX && result->answers == 0) {
            run->status = reply->status;
        }
    }
    search_next(flight, now_ns);
}

static void search_next(struct search_flight *flight, uint64_t now_ns)
{
    struct search_run *run = flight->run;

    if (run->status != OK || now_ns >= run->end_ns) {
        return;
    }
    const struct bench_query *query =
        &run->queries->at[bench_stream_next(&run->stream) % run->queries->count];
    struct carillon_call call = {.method = CARILLON__METHOD__METHOD_SEARCH,
                                 .body = query->packed.data,
                                 .body_bytes = query->packed.len,
                                 .done = search_on_done,
                                 .context = flight};
    flight->start_ns = now_ns;
    run->status = carillon_submit_call(run->client, &call);
}

static int status_read(struct carillon_client *client, Carillon__StatusReply **ret_status)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;

    return carillon_call_message(client, CARILLON__METHOD__METHOD_STATUS, NULL, &request.base,
                                 &carillon__status_reply__descriptor, ret_status);
}

static uint64_t own_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int search_loop(struct search_run *run, struct search_flight *flights,
                       uint32_t outstanding)
{
    for (uint32_t i = 0; i < outstanding; i++) {
        flights[i].run = run;
        search_next(&flights[i], io_now_exact_ns(run->io));
    }
    while (carillon_outstanding(run->client) > 0) {
        int rc = carillon_poll(run->client, POLL_MS);

        if (rc != OK && run->status == OK) {
            run->status = rc;
        }
        if (bench_is_interrupted() && run->status == OK) {
            run->status = ERR_CANCELLED;
        }
    }
    return run->status;
}

static void result_finish(struct bench_search_result *result,
                          const Carillon__StatusReply *before,
                          const Carillon__StatusReply *after)
{
    result->server_us =
        after->cpu_user_us + after->cpu_system_us - before->cpu_user_us - before->cpu_system_us;
    result->node_count = after->search_count - before->search_count;
    result->node_cpu_ns = after->search_cpu_ns - before->search_cpu_ns;
    result->node_p50_ns = after->search_p50_ns;
    result->node_p99_ns = after->search_p99_ns;
}

int bench_search_run(struct carillon_client *client, struct io *io,
                     const struct bench_queries *queries, uint32_t outstanding,
                     uint32_t window_ms, struct bench_search_result *ret_result)
{
    struct search_run run = {
        .client = client, .io = io, .queries = queries, .result = ret_result};
    Carillon__StatusReply *before = NULL, *after = NULL;

    memset(ret_result, 0, sizeof *ret_result);
    bench_stream_init(&run.stream, queries->count);
    struct search_flight *flights = calloc(outstanding, sizeof *flights);
    int rc = flights == NULL ? ERR_NOMEM : status_read(client, &before);
    if (rc == OK) {
        uint64_t start_ns = io_now_exact_ns(io), cpu_us = own_cpu_us();

        run.end_ns = start_ns + (uint64_t)window_ms * NS_PER_MS;
        rc = search_loop(&run, flights, outstanding);
        ret_result->client_us = own_cpu_us() - cpu_us;
        ret_result->window_ns = io_now_exact_ns(io) - start_ns;
    }
    if (rc == OK) {
        rc = status_read(client, &after);
    }
    if (rc == OK) {
        result_finish(ret_result, before, after);
    }
    carillon_message_free(before);
    carillon_message_free(after);
    free(flights);
    return rc;
}

/* ---- a steady rate ---- */

struct pacer_flight {
    struct bench_pacer *pacer;
    struct pacer_flight *next; /* free ones */
    uint64_t start_ns;
};

int bench_pacer_init(struct bench_pacer *pacer, struct carillon_client *client, struct io *io,
                     const struct bench_queries *queries, uint64_t rate, uint32_t window)
{
    memset(pacer, 0, sizeof *pacer);
    pacer->client = client;
    pacer->io = io;
    pacer->queries = queries;
    pacer->rate = rate;
    pacer->start_ns = io_now_exact_ns(io);
    pacer->flights = calloc(window, sizeof *pacer->flights);
    if (pacer->flights == NULL) {
        return ERR_NOMEM;
    }
    bench_stream_init(&pacer->stream, rate);
    for (uint32_t i = 0; i < window; i++) {
        pacer->flights[i].pacer = pacer;
        pacer->flights[i].next = pacer->free;
        pacer->free = &pacer->flights[i];
    }
    return OK;
}

void bench_pacer_fini(struct bench_pacer *pacer)
{
    free(pacer->flights);
    pacer->flights = NULL;
}

static void pacer_on_done(void *context, const struct carillon_reply *reply)
{
    struct pacer_flight *flight = context;
    struct bench_pacer *pacer = flight->pacer;

    if (reply->status == OK) {
        pacer->answers++;
        bench_histogram_add(&pacer->latency, io_now_exact_ns(pacer->io) - flight->start_ns);
    }
    flight->next = pacer->free;
    pacer->free = flight;
}

static void pacer_send(struct bench_pacer *pacer, uint64_t now_ns)
{
    struct pacer_flight *flight = pacer->free;
    const struct bench_query *query =
        &pacer->queries->at[bench_stream_next(&pacer->stream) % pacer->queries->count];
    struct carillon_call call = {.method = CARILLON__METHOD__METHOD_SEARCH,
                                 .body = query->packed.data,
                                 .body_bytes = query->packed.len,
                                 .done = pacer_on_done,
                                 .context = flight};

    if (flight != NULL && carillon_submit_call(pacer->client, &call) == OK) {
        pacer->free = flight->next;
        flight->start_ns = now_ns;
    }
}

bool bench_pacer_turn(void *context, uint64_t now_ns)
{
    struct bench_pacer *pacer = context;
    pacer->seen_ns = now_ns;
    uint64_t due = (uint64_t)((double)(now_ns - pacer->start_ns) / 1e9 * (double)pacer->rate);

    while (pacer->sent < due) {
        pacer->sent++; /* what cannot be sent now is not made up for later */
        pacer_send(pacer, now_ns);
    }
    return false;
}
