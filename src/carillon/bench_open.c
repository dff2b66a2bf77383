#include "carillon/bench_open.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "carillon/bench_daemon.h"
#include "carillon/bench_ops.h"
#include "proto/envelope.pb-c.h"

enum {
    PROGRESS_MS = 500,
    BURST_MAX = 512, /* requests sent before the answers are looked at again */
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

struct open_load;

/* One request on its way. */
struct flight {
    struct open_load *load;
    struct flight *next; /* free ones */
    struct bench_pair pair;
    uint64_t due_ns;
};

struct open_load {
    struct carillon_client *client;
    struct io *io;
    const struct bench_workload *workload;
    const struct bench_open_options *options;
    struct bench_ops ops;
    struct bench_stream stream;
    struct bench_history *history;
    struct bench_open_result *result;
    struct flight *flights;
    struct flight *free;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t shown_ns;
    int status;
};

/* ---- answers ---- */

static void failure_note(struct bench_open_result *result, const struct carillon_reply *reply)
{
    if (result->failed++ == 0) {
        result->first_failure = reply->status;
        snprintf(result->failure_text, sizeof result->failure_text, "%s", reply->text);
    }
}

static void answer_count(struct open_load *load, const struct flight *flight, int status,
                         uint64_t now_ns)
{
    struct bench_open_result *result = load->result;

    bench_histogram_add(&result->answered, now_ns - flight->due_ns);
    if (now_ns > load->end_ns) {
        result->late++;
    } else {
        result->accepted += status == OK;
        result->refused += status == ERR_REFUSED;
    }
}

static void flight_on_done(void *context, const struct carillon_reply *reply)
{
    struct flight *flight = context;
    struct open_load *load = flight->load;
    uint64_t now_ns = io_now_exact_ns(load->io);
    int rc = OK;

    switch (reply->status) {
    case OK:
        rc = bench_pairs_add(&load->history->accepted, flight->pair);
        answer_count(load, flight, OK, now_ns);
        break;
    case ERR_REFUSED:
        answer_count(load, flight, ERR_REFUSED, now_ns);
        break;
    case ERR_TIMEOUT:
        load->result->unknown++;
        rc = bench_pairs_add(&load->history->unknown, flight->pair);
        break;
    case ERR_BUSY:
        load->result->busy++;
        bench_histogram_add(&load->result->turned, now_ns - flight->due_ns);
        break;
    default:
        failure_note(load->result, reply);
        break;
    }
    if (rc != OK) {
        load->status = rc;
    }
    flight->next = load->free;
    load->free = flight;
}

/* ---- requests ---- */

/* Returns: whether the client took it. */
static bool flight_send(struct open_load *load, uint64_t due_ns)
{
    struct flight *flight = load->free;
    uint8_t body[BENCH_OP_BYTES_MAX];

    if (flight == NULL) {
        return false;
    }
    struct carillon_key key = carillon_key_make(load->client);
    flight->due_ns = due_ns;
    flight->pair.student = bench_stream_student(&load->stream, load->workload);
    flight->pair.section = bench_stream_section(&load->stream, load->workload);
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT,
        .deadline_ms = load->options->deadline_ms,
        .key = &key,
        .body = body,
        .body_bytes =
            bench_ops_write(&load->ops, flight->pair.student, flight->pair.section, body),
        .done = flight_on_done,
        .context = flight,
    };
    if (carillon_submit_call(load->client, &call) != OK) {
        return false;
    }
    load->free = flight->next;
    return true;
}

/* Send what has fallen due, a burst of it. Returns: whether more has. */
static bool requests_send(struct open_load *load, uint64_t now_ns)
{
    struct bench_open_result *result = load->result;
    uint64_t until_ns = now_ns < load->end_ns ? now_ns : load->end_ns;
    uint64_t due = (uint64_t)((double)(until_ns - load->start_ns) *
                              (double)load->options->rate / NS_PER_S);

    for (uint32_t i = 0; i < BURST_MAX && result->due < due; i++) {
        uint64_t at_ns =
            (uint64_t)((double)result->due * NS_PER_S / (double)load->options->rate);

        result->unsent += !flight_send(load, load->start_ns + at_ns);
        result->due++;
    }
    return result->due < due;
}

static void progress_show(struct open_load *load, uint64_t now_ns)
{
    if (load->options->title == NULL ||
        now_ns - load->shown_ns < (uint64_t)PROGRESS_MS * NS_PER_MS) {
        return;
    }
    load->shown_ns = now_ns;
    fprintf(stderr, "\r\033[K%s: %.1f s, %" PRIu64 " requests, %" PRIu64 " answers",
            load->options->title, (double)(now_ns - load->start_ns) / NS_PER_S,
            load->result->due, load->result->answered.count);
    fflush(stderr);
}

static void open_loop(struct open_load *load)
{
    uint64_t now_ns = load->start_ns;

    /* Every request has a deadline, so the outstanding ones end, whatever becomes of the node.
     */
    while (load->status == OK &&
           (now_ns < load->end_ns || carillon_outstanding(load->client) > 0)) {
        bool is_behind = requests_send(load, now_ns);

        if (carillon_poll(load->client, is_behind ? 0 : 1) != OK) {
            load->status = ERR_INTERNAL;
        } else if (bench_is_interrupted()) {
            load->status = ERR_CANCELLED;
        }
        now_ns = io_now_exact_ns(load->io);
        progress_show(load, now_ns);
    }
    load->result->window_ns = load->end_ns - load->start_ns;
}

static int flights_make(struct open_load *load)
{
    load->flights = calloc(CARILLON_OUTSTANDING_MAX, sizeof *load->flights);
    if (load->flights == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < CARILLON_OUTSTANDING_MAX; i++) {
        load->flights[i] = (struct flight){.load = load, .next = load->free};
        load->free = &load->flights[i];
    }
    return OK;
}

int bench_open_run(struct carillon_client *client, struct io *io,
                   const struct bench_workload *workload,
                   const struct bench_open_options *options, struct bench_history *history,
                   struct bench_open_result *ret_result)
{
    struct open_load load = {
        .client = client,
        .io = io,
        .workload = workload,
        .options = options,
        .history = history,
        .result = ret_result,
    };

    memset(ret_result, 0, sizeof *ret_result);
    int rc = bench_ops_init(&load.ops, workload);
    if (rc != OK) {
        return rc;
    }
    bench_stream_init(&load.stream, options->seed);
    load.status = flights_make(&load);
    load.start_ns = io_now_exact_ns(io);
    load.end_ns = load.start_ns + (uint64_t)options->window_ms * NS_PER_MS;
    if (load.status == OK) {
        open_loop(&load);
    }
    if (options->title != NULL) {
        fputs("\r\033[K", stderr);
    }
    free(load.flights);
    bench_ops_fini(&load.ops);
    return load.status;
}

double bench_open_goodput(const struct bench_open_result *result)
{
    return result->window_ns == 0 ? 0
                                  : (double)(result->accepted + result->refused) * NS_PER_S /
                                        (double)result->window_ns;
}
