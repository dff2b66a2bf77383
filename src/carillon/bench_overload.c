/* More than the node can do: the peak by a closed loop, then an open loop at a multiple of it,
 * without and with repetition by the clients, then the same closed loop again: what gets done
 * meanwhile, how fast the rest is told to come again, and how soon everything is as before. */
#include <inttypes.h>
#include <stdlib.h>

#include "carillon/bench.h"
#include "carillon/bench_load.h"
#include "carillon/bench_open.h"
#include "carillon/bench_readback.h"

enum {
    BESIDE = 2, /* the questions about processor time travel beside the load */
    SLOT_MS = 250,
    SLOTS_MAX = 80,
    NORMAL_PERCENT = 90, /* of the peak */
    DEADLINE_MS = 2000,  /* of a request of the flood */
    NS_PER_MS = 1000000,
};

/* How many answers came in each quarter of a second after the flood. */
struct recovery {
    const struct bench_load_result *load;
    uint64_t start_ns;
    uint64_t counts[SLOTS_MAX];
    uint32_t slot_count;
    uint64_t seen;
};

struct overload {
    struct bench_session session;
    struct bench_workload workload;
    struct bench_history history; /* of all parts */
    struct bench_load_result peak;
    struct bench_open_result refused; /* clients that take a refusal for an answer */
    struct bench_open_result retried; /* clients that come again */
    struct bench_load_result after;
    struct recovery recovery;
    struct bench_verdict verdict;
    struct bench_answers_check check;
};

static double per_second(const struct bench_load_result *load)
{
    return load->window_ns == 0 ? 0 : (double)load->answers * 1e9 / (double)load->window_ns;
}

/* ---- measuring ---- */

static bool recovery_watch(void *context, uint64_t now_ns)
{
    struct recovery *recovery = context;
    uint64_t answers = recovery->load->answers;

    if (recovery->start_ns == 0) {
        recovery->start_ns = now_ns;
    }
    while (recovery->slot_count < SLOTS_MAX &&
           now_ns - recovery->start_ns >=
               (uint64_t)(recovery->slot_count + 1) * SLOT_MS * NS_PER_MS) {
        recovery->counts[recovery->slot_count++] = answers - recovery->seen;
        recovery->seen = answers;
    }
    return false;
}

static int closed_run(struct overload *overload, uint32_t number, uint32_t warmup_ms,
                      struct bench_load_result *result)
{
    const struct bench_options *options = overload->session.options;
    struct bench_load_options load = {
        .outstanding = options->outstanding,
        .warmup_ms = warmup_ms,
        .window_ms = options->window_ms,
        .seed = options->seed + number,
        .title = overload->session.cli->is_terminal ? "registering" : NULL,
    };

    if (number > 0) {
        overload->recovery.load = result;
        load.beside = recovery_watch;
        load.beside_context = &overload->recovery;
    }
    int rc = bench_load_run(overload->session.client, overload->session.io, &overload->workload,
                            &load, &overload->history, result);
    return rc == OK ? OK : bench_session_fail(&overload->session, "the load ended early", rc);
}

static int open_run(struct overload *overload, uint32_t number, bool is_retrying,
                    struct bench_open_result *result)
{
    struct bench_session *session = &overload->session;
    const struct bench_options *options = session->options;
    struct bench_open_options load = {
        .rate = (uint64_t)(per_second(&overload->peak) * options->times),
        .window_ms = options->window_ms,
        .deadline_ms = DEADLINE_MS,
        .seed = options->seed + number,
        .title = session->cli->is_terminal ? "flooding" : NULL,
    };
    struct carillon_client *client = NULL;
    int rc = bench_session_client(session, options->connections, CARILLON_OUTSTANDING_MAX,
                                  is_retrying, &client);

    if (rc != OK) {
        return bench_session_fail(session, "cannot connect the flood", rc);
    }
    rc = bench_open_run(client, session->io, &overload->workload, &load, &overload->history,
                        result);
    carillon_destroy(client);
    return rc == OK ? OK : bench_session_fail(session, "the flood ended early", rc);
}

static int verify(struct overload *overload)
{
    struct bench_session *session = &overload->session;
    struct bench_readback readback;
    int rc = bench_readback(session->client, &overload->workload, &overload->peak, &readback,
                            &overload->check);

    if (rc == OK) {
        rc = bench_verify(&overload->workload, &overload->history, &readback,
                          &overload->verdict);
    }
    bench_readback_fini(&readback);
    return rc == OK ? OK : bench_session_fail(session, "cannot read everything back", rc);
}

static int measure(struct overload *overload)
{
    uint64_t import_ns;
    int rc = bench_session_import_workload(&overload->session, &overload->workload, &import_ns);

    rc = rc == OK
             ? closed_run(overload, 0, overload->session.options->warmup_ms, &overload->peak)
             : rc;
    rc = rc == OK ? open_run(overload, 1, false, &overload->refused) : rc;
    rc = rc == OK ? open_run(overload, 2, true, &overload->retried) : rc;
    rc = rc == OK ? closed_run(overload, 3, 0, &overload->after) : rc;
    return rc == OK ? verify(overload) : rc;
}

/* ---- the report ---- */

/* Seconds after the flood from which on every quarter of a second had NORMAL_PERCENT of the
 * peak's answers; negative: not in the time it was watched. */
static double recovered_s(const struct overload *overload)
{
    const struct recovery *recovery = &overload->recovery;
    double wanted = per_second(&overload->peak) * SLOT_MS / 1000 * NORMAL_PERCENT / 100;
    uint32_t from = recovery->slot_count;

    while (from > 0 && (double)recovery->counts[from - 1] >= wanted) {
        from--;
    }
    return from == recovery->slot_count ? -1 : from * SLOT_MS / 1000.0;
}

static double quantile_ms(const struct bench_histogram *histogram, uint32_t permille)
{
    return (double)bench_histogram_quantile_ns(histogram, permille) / 1e6;
}

struct figure {
    const char *key;
    const char *label;
    double value;
    int decimals;
    const char *unit;
};

static void report_open(struct bench_report *report, const char *prefix, const char *heading,
                        const struct bench_open_result *result, double peak)
{
    double goodput = bench_open_goodput(result);
    double offered = (double)result->due * 1e9 / (double)result->window_ns;
    const struct figure figures[] = {
        {"offered_per_s",          "requests",                         offered,                       0,                                                    "/s"                                                                                  },
        {"answers_per_s",          "answers: yes, or no by the rules", goodput,                       0,                                                    "/s"                                                                                  },
        {"goodput",                "answers, of the peak",             peak > 0 ? goodput / peak : 0, 3,                                                    ""                                                                                    },
        {"answer_p50_ms",          "an answer took, p50",              quantile_ms(&result->answered, 500),                                                 3,                                                                                      "ms"},
        {"answer_p99_ms",                        "p99",                                            quantile_ms(&result->answered,                                             990),                         3,                                                               "ms"},
        {"busy",                    "told to come again",                                                      (double)result->busy,                                                                              0,                                                                                           ""                                         },
        {"busy_p50_ms",                      "which took, p50",                                                        quantile_ms(&result->turned,                                                                         500),3,"ms"},
        {"busy_p99_ms",                       "p99",                                                     quantile_ms(&result->turned,                                                                                  990),                                                                                                                              3,                                                                                                                                                                                                                                  "ms"},
        {"late",                    "answered after the last request",                                                     (double)result->late,0,""},
        {"unsent",    "no room at the client",(double)result->unsent,                0,                                                                                                                                                 ""                                                                                                                                                                                                                                                                                                                                                                                                                                                            },
        {"unknown",  "unanswered by the deadline",                                                   (double)result->unknown,                                                               0,""},
        {"failed", "errors",(double)result->failed,0,                               ""                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         },
    };
    char key[64];

    bench_report_heading(report, heading);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        snprintf(key, sizeof key, "%s_%s", prefix, figures[i].key);
        bench_report_number(report, key, figures[i].label, figures[i].value,
                            figures[i].decimals, figures[i].unit);
    }
    if (result->failed > 0) {
        snprintf(key, sizeof key, "%s_failure", prefix);
        bench_report_text(report, key, "the first error", result->failure_text);
    }
}

static void report_closed(struct bench_report *report, const char *prefix, const char *heading,
                          const struct bench_load_result *load)
{
    char key[64];

    bench_report_heading(report, heading);
    snprintf(key, sizeof key, "%s_answers_per_s", prefix);
    bench_report_number(report, key, "answers, refusals included", per_second(load), 0, "/s");
    snprintf(key, sizeof key, "%s_p99_ms", prefix);
    bench_report_number(report, key, "p99", quantile_ms(&load->latency, 990), 3, "ms");
    snprintf(key, sizeof key, "%s_failed", prefix);
    bench_report_number(report, key, "errors", (double)load->failed, 0, "");
}

static int report_all(struct cli *cli, const struct overload *overload,
                      const struct bench_options *options)
{
    struct bench_report report;
    double peak = per_second(&overload->peak);
    bool is_sound = bench_verdict_is_clean(&overload->verdict) &&
                    overload->check.outcomes_wrong == 0 && overload->check.is_state_sound;

    bench_report_begin(&report, cli, "overload");
    report_closed(&report, "peak", "The peak, by a closed loop", &overload->peak);
    report_open(&report, "refused", "Too many, and nobody comes again", &overload->refused,
                peak);
    report_open(&report, "retried", "Too many, and who is refused comes again",
                &overload->retried, peak);
    report_closed(&report, "after", "The closed loop again, right afterwards",
                  &overload->after);
    bench_report_number(&report, "recovered_s", "nine tenths of the peak again after",
                        recovered_s(overload), 2, "s");
    bench_report_heading(&report, "Settings");
    bench_report_number(&report, "times", "requests of the flood, of the peak", options->times,
                        1, "");
    bench_report_number(&report, "outstanding", "requests outstanding, closed loop",
                        options->outstanding, 0, "");
    bench_report_number(&report, "connections", "connections", options->connections, 0, "");
    bench_report_number(&report, "seconds", "each part", options->window_ms / 1000.0, 1, "s");
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    bench_report_heading(&report, "Check");
    bench_report_number(&report, "checked", "registrations read back and compared",
                        (double)overload->verdict.registrations, 0, "");
    bench_report_text(&report, "verdict", "verdict", is_sound ? "passed" : "VOID");
    bench_report_end(&report);
    return is_sound ? EXIT_DONE : EXIT_FAILED;
}

int bench_overload(struct cli *cli, const struct bench_options *options)
{
    struct overload *overload = calloc(1, sizeof *overload);
    int rc =
        overload == NULL ? ERR_NOMEM : bench_workload_open(cli, options, &overload->workload);

    if (rc != OK) {
        free(overload);
        return error_exit_code(rc);
    }
    rc = bench_session_open(&overload->session, cli, options, options->connections,
                            options->outstanding + BESIDE);
    rc = rc == OK ? measure(overload) : rc;
    int code = rc == OK ? report_all(cli, overload, options) : error_exit_code(rc);

    bench_session_close(&overload->session);
    bench_pairs_fini(&overload->history.accepted);
    bench_pairs_fini(&overload->history.unknown);
    bench_workload_fini(&overload->workload);
    free(overload);
    return code;
}
