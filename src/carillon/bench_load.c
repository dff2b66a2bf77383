#include "carillon/bench_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "carillon/bench_daemon.h"
#include "carillon/bench_ops.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"

enum {
    FAILURES_MAX = 1000,
    POLL_MS = 20,
    POLL_BESIDE_MS = 1,
    PROGRESS_MS = 500,
    NS_PER_MS = 1000000,
};

enum phase { PHASE_WARMUP, PHASE_OPENING, PHASE_WINDOW, PHASE_CLOSING, PHASE_END };

struct load;

/* One of the N requests. */
struct flight {
    struct load *load;
    struct bench_pair pair;
    struct carillon_key key;
    uint64_t start_ns;
    bool is_idle; /* its request could not be submitted; the loop tries again */
};

struct load {
    struct carillon_client *client;
    struct io *io;
    const struct bench_workload *workload;
    const struct bench_load_options *options;
    struct bench_ops ops;
    struct bench_stream stream;
    struct bench_history *history;
    struct bench_load_result *result;
    struct flight *flights;
    enum phase phase;
    uint64_t start_ns;
    uint64_t window_start_ns;
    uint64_t shown_ns;
    uint64_t drawn; /* requests so far */
    uint32_t idle_count;
    bool is_over; /* beside() has said so */
    struct bench_cpu cpu_at_start;
    int status; /* the first thing that makes going on pointless */
};

static void flight_next(struct flight *flight, uint64_t now_ns);

/* ---- processor time ---- */

static uint64_t own_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static uint64_t server_cpu_us(const struct carillon_reply *reply)
{
    Carillon__StatusReply *status =
        reply->status == OK
            ? carillon__status_reply__unpack(NULL, reply->body_bytes, reply->body)
            : NULL;
    uint64_t cpu_us = status == NULL ? 0 : status->cpu_user_us + status->cpu_system_us;

    carillon_message_free(status);
    return cpu_us;
}

/* The window lies between two answers to a status request, so that both sides' times and the
 * count of answers are taken at the same moments. */
static void status_on_done(void *context, const struct carillon_reply *reply)
{
    struct load *load = context;
    struct bench_load_result *result = load->result;
    struct bench_cpu cpu = {own_cpu_us(), server_cpu_us(reply)};
    uint64_t now_ns = io_now_exact_ns(load->io);

    if (load->phase == PHASE_OPENING) {
        load->phase = PHASE_WINDOW;
        load->window_start_ns = now_ns;
        load->cpu_at_start = cpu;
        return;
    }
    if (load->phase == PHASE_CLOSING) {
        load->phase = PHASE_END;
        result->window_ns = now_ns - load->window_start_ns;
        result->cpu.client_us = cpu.client_us - load->cpu_at_start.client_us;
        result->cpu.server_us = cpu.server_us < load->cpu_at_start.server_us
                                    ? 0
                                    : cpu.server_us - load->cpu_at_start.server_us;
    }
}

static void status_ask(struct load *load, enum phase phase)
{
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_STATUS, .done = status_on_done, .context = load};

    if (carillon_submit_call(load->client, &call) == OK) {
        load->phase = phase; /* else the next turn tries again */
    }
}

/* ---- one request after another ---- */

static void failure_note(struct load *load, const struct carillon_reply *reply)
{
    struct bench_load_result *result = load->result;

    if (result->failed++ == 0) {
        result->first_failure = reply->status;
        snprintf(result->failure_text, sizeof result->failure_text, "%s", reply->text);
    }
    if (result->failed >= FAILURES_MAX && load->status == OK) {
        load->status = reply->status;
    }
}

static void sample_keep(struct load *load, const struct flight *flight, int status)
{
    struct bench_load_result *result = load->result;

    if (result->sample_count < BENCH_SAMPLES_MAX && (status == OK || status == ERR_REFUSED) &&
        load->drawn % BENCH_SAMPLE_EVERY == 0) {
        result->samples[result->sample_count++] =
            (struct bench_sample){flight->key, flight->pair, status};
    }
}

static void answer_count(struct load *load, int status, uint64_t latency_ns)
{
    struct bench_load_result *result = load->result;

    /* The closing status is still on its way: its answers are the window's too. */
    if (load->phase != PHASE_WINDOW && load->phase != PHASE_CLOSING) {
        return;
    }
    result->answers++;
    result->accepted += status == OK;
    result->refused += status == ERR_REFUSED;
    bench_histogram_add(&result->latency, latency_ns);
}

static void flight_on_done(void *context, const struct carillon_reply *reply)
{
    struct flight *flight = context;
    struct load *load = flight->load;
    uint64_t now_ns = io_now_exact_ns(load->io);
    int rc = OK;

    if (reply->status == OK) {
        rc = bench_pairs_add(&load->history->accepted, flight->pair);
    } else if (reply->status == ERR_TIMEOUT) {
        load->result->unknown++;
        rc = bench_pairs_add(&load->history->unknown, flight->pair);
    }
    if (rc != OK) {
        load->status = rc;
    }
    if (reply->status == OK || reply->status == ERR_REFUSED) {
        answer_count(load, reply->status, now_ns - flight->start_ns);
        sample_keep(load, flight, reply->status);
    } else {
        failure_note(load, reply);
    }
    flight_next(flight, now_ns);
}

static void flight_next(struct flight *flight, uint64_t now_ns)
{
    struct load *load = flight->load;
    uint8_t body[BENCH_OP_BYTES_MAX];

    if (load->phase == PHASE_END || load->status != OK) {
        return;
    }
    load->drawn++;
    if (load->options->draw != NULL) {
        flight->pair = load->options->draw(load->options->draw_context);
    } else {
        flight->pair.student = bench_stream_student(&load->stream, load->workload);
        flight->pair.section = bench_stream_section(&load->stream, load->workload);
    }
    flight->key = carillon_key_make(load->client);
    flight->start_ns = now_ns;
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT,
        .key = &flight->key,
        .body = body,
        .body_bytes =
            bench_ops_write(&load->ops, flight->pair.student, flight->pair.section, body),
        .done = flight_on_done,
        .context = flight,
    };
    flight->is_idle = carillon_submit_call(load->client, &call) != OK;
    load->idle_count += flight->is_idle;
}

static void flights_retry(struct load *load)
{
    for (uint32_t i = 0; load->idle_count > 0 && i < load->options->outstanding; i++) {
        if (load->flights[i].is_idle) {
            load->idle_count--;
            load->flights[i].is_idle = false;
            flight_next(&load->flights[i], io_now_exact_ns(load->io));
        }
    }
}

/* ---- the run ---- */

static void progress_show(struct load *load, uint64_t now_ns)
{
    static const char *const names[] = {"warming up", "warming up", "measuring", "measuring",
                                        "ending"};

    if (load->options->title == NULL ||
        now_ns - load->shown_ns < (uint64_t)PROGRESS_MS * NS_PER_MS) {
        return;
    }
    load->shown_ns = now_ns;
    fprintf(stderr, "\r\033[K%s: %s, %.1f s, %" PRIu64 " answers", load->options->title,
            names[load->phase], (double)(now_ns - load->start_ns) / 1e9, load->result->answers);
    fflush(stderr);
}

static void phase_advance(struct load *load, uint64_t now_ns)
{
    const struct bench_load_options *options = load->options;

    if (load->phase == PHASE_WARMUP &&
        now_ns - load->start_ns >= (uint64_t)options->warmup_ms * NS_PER_MS) {
        status_ask(load, PHASE_OPENING);
    } else if (load->phase == PHASE_WINDOW &&
               (load->is_over ||
                now_ns - load->window_start_ns >= (uint64_t)options->window_ms * NS_PER_MS)) {
        status_ask(load, PHASE_CLOSING);
    }
}

static void beside_call(struct load *load, uint64_t now_ns)
{
    if (load->options->beside != NULL &&
        load->options->beside(load->options->beside_context, now_ns)) {
        load->is_over = true;
    }
}

static void load_loop(struct load *load)
{
    for (uint32_t i = 0; i < load->options->outstanding; i++) {
        load->flights[i].load = load;
        flight_next(&load->flights[i], io_now_exact_ns(load->io));
    }
    /* Every request has a deadline, so the outstanding ones end, whatever becomes of the node.
     */
    while ((load->phase != PHASE_END && load->status == OK) ||
           carillon_outstanding(load->client) > 0) {
        if (carillon_poll(load->client,
                          load->options->beside == NULL ? POLL_MS : POLL_BESIDE_MS) != OK) {
            load->status = ERR_INTERNAL;
            return;
        }
        uint64_t now_ns = io_now_exact_ns(load->io);

        if (bench_is_interrupted() && load->status == OK) {
            load->status = ERR_CANCELLED;
        }
        if (load->status == OK && load->phase != PHASE_END) {
            flights_retry(load);
            beside_call(load, now_ns);
            phase_advance(load, now_ns);
        }
        progress_show(load, now_ns);
    }
}

int bench_load_run(struct carillon_client *client, struct io *io,
                   const struct bench_workload *workload,
                   const struct bench_load_options *options, struct bench_history *history,
                   struct bench_load_result *ret_result)
{
    struct load load = {
        .client = client,
        .io = io,
        .workload = workload,
        .options = options,
        .history = history,
        .result = ret_result,
        .start_ns = io_now_exact_ns(io),
    };

    memset(ret_result, 0, sizeof *ret_result);
    int rc = bench_ops_init(&load.ops, workload);
    if (rc != OK) {
        return rc;
    }
    bench_stream_init(&load.stream, options->seed);
    load.flights = calloc(options->outstanding, sizeof *load.flights);
    load.status = load.flights == NULL ? ERR_NOMEM : OK;
    if (load.status == OK) {
        load_loop(&load);
    }
    if (options->title != NULL) {
        fputs("\r\033[K", stderr);
    }
    free(load.flights);
    bench_ops_fini(&load.ops);
    return load.status;
}
