#include <stdlib.h>

#include "carillon/bench.h"
#include "carillon/bench_load.h"
#include "carillon/bench_query.h"
#include "proto/operator.pb-c.h"

enum {
    BESIDE_OUTSTANDING = 16, /* registrations kept going while searches run */
    PACER_WINDOW = 64,
    PATH_BYTES = 1024,
};

struct results {
    struct bench_quality quality;
    uint64_t courses;
    uint64_t index_bytes;
    uint64_t text_bytes;
    struct bench_search_result file;     /* queries of the file */
    struct bench_search_result distinct; /* drawn ones */
    uint32_t distinct_count;
    struct bench_load_result alone; /* registrations without searches */
    struct bench_load_result beside;
    struct bench_histogram paced; /* the searches meanwhile */
    uint64_t paced_rate;
    uint64_t paced_answers;
    uint64_t paced_ns;
};

static double to_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double per_second(uint64_t count, uint64_t window_ns)
{
    return window_ns == 0 ? 0 : (double)count * 1e9 / (double)window_ns;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* ---- measuring ---- */

static int search_measure(struct bench_session *session, const struct bench_queries *queries,
                          struct bench_search_result *result)
{
    const struct bench_options *options = session->options;
    int rc = bench_search_run(session->client, session->io, queries, options->outstanding,
                              options->warmup_ms, result);

    if (rc == OK) {
        rc = bench_search_run(session->client, session->io, queries, options->outstanding,
                              options->window_ms, result);
    }
    return rc == OK ? OK : bench_session_fail(session, "searching", rc);
}

static int sizes_read(struct bench_session *session, struct results *results)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *status;
    int rc = carillon_call_message(session->client, CARILLON__METHOD__METHOD_STATUS, NULL,
                                   &request.base, &carillon__status_reply__descriptor, &status);

    if (rc == OK) {
        results->index_bytes = status->search_index_bytes;
        results->text_bytes = status->search_text_bytes;
    }
    carillon_message_free(status);
    return rc;
}

/* A restart between the two sets of queries: the node's own quantiles begin anew with it. */
static int distinct_measure(struct bench_session *session, struct results *results)
{
    const struct bench_options *options = session->options;
    struct bench_queries queries;
    uint64_t start_ns;

    bench_queries_init(&queries);
    int rc = bench_queries_draw(&queries, bench_data_folder(options), options->seed,
                                options->distinct);
    if (rc == OK && options->connect == NULL) {
        rc = bench_session_restart(session, options->connections,
                                   options->outstanding + PACER_WINDOW + 2, false, &start_ns);
    }
    if (rc == OK) {
        results->distinct_count = queries.count;
        rc = search_measure(session, &queries, &results->distinct);
    }
    bench_queries_fini(&queries);
    return rc;
}

static int registrations_measure(struct bench_session *session,
                                 const struct bench_workload *workload,
                                 const struct bench_load_options *load,
                                 struct bench_load_result *result)
{
    struct bench_history history = {0};
    int rc = bench_load_run(session->client, session->io, workload, load, &history, result);

    bench_pairs_fini(&history.accepted);
    bench_pairs_fini(&history.unknown);
    return rc == OK ? OK : bench_session_fail(session, "registering beside the searches", rc);
}

/* Registrations alone, then beside searches at half the rate that was measured. */
static int beside_measure(struct bench_session *session, const struct bench_queries *queries,
                          struct results *results)
{
    const struct bench_options *options = session->options;
    struct bench_workload workload;
    struct bench_pacer *pacer = calloc(1, sizeof *pacer);
    struct bench_load_options load = {.outstanding = BESIDE_OUTSTANDING,
                                      .warmup_ms = options->warmup_ms / 2,
                                      .window_ms = options->window_ms / 2,
                                      .seed = options->seed};
    uint64_t import_ns;
    int rc = pacer == NULL ? ERR_NOMEM : bench_workload_open(session->cli, options, &workload);

    if (rc != OK) {
        free(pacer);
        return rc;
    }
    rc = bench_session_import_workload(session, &workload, &import_ns);
    if (rc == OK) {
        rc = registrations_measure(session, &workload, &load, &results->alone);
    }
    results->paced_rate =
        (uint64_t)(per_second(results->file.answers, results->file.window_ns) / 2);
    if (rc == OK) {
        rc = bench_pacer_init(pacer, session->client, session->io, queries, results->paced_rate,
                              PACER_WINDOW);
    }
    if (rc == OK) {
        load.beside = bench_pacer_turn;
        load.beside_context = pacer;
        load.seed++;
        rc = registrations_measure(session, &workload, &load, &results->beside);
        results->paced = pacer->latency;
        results->paced_answers = pacer->answers;
        results->paced_ns = pacer->seen_ns - pacer->start_ns;
    }
    bench_pacer_fini(pacer);
    free(pacer);
    bench_workload_fini(&workload);
    return rc;
}

static int measure(struct bench_session *session, const struct bench_queries *queries,
                   struct results *results)
{
    int rc = bench_session_import_catalogues(session, &results->courses);

    if (rc == OK) {
        rc = bench_quality_measure(session->client, queries, &results->quality);
        rc = rc == OK ? OK : bench_session_fail(session, "searching", rc);
    }
    if (rc == OK) {
        rc = search_measure(session, queries, &results->file);
    }
    if (rc == OK) {
        rc = sizes_read(session, results);
    }
    if (rc == OK && session->options->distinct > 0) {
        rc = distinct_measure(session, results);
    }
    return rc == OK ? beside_measure(session, queries, results) : rc;
}

/* ---- the report ---- */

static void report_searches(struct bench_report *report, const char *prefix,
                            const char *heading, const struct bench_search_result *result)
{
    const struct {
        const char *key, *label;
        double value;
        int decimals;
        const char *unit;
    } rows[] = {
        {"per_s",                            "searches",            per_second(result->answers, result->window_ns),          0,"/s"},
        {"p50_ms",                                  "p50 at the client",
         to_ms(bench_histogram_quantile_ns(&result->latency,                      500)),                                                                 3,"ms"},
        {"p99_ms",                              "p99 at the client",
         to_ms(bench_histogram_quantile_ns(&result->latency,                                                                      990)),                                                 3,"ms"},
        {"node_p50_ms",                                 "p50 inside the node",                                                  to_ms(result->node_p50_ns),                                                                            3,                                           "ms"},
        {"node_p99_ms",                                 "p99 inside the node",                                                  to_ms(result->node_p99_ns), 3,"ms"},
        {"node_cpu_us",                                 "processor time inside the node, mean",
         ratio((double)result->node_cpu_ns / 1e3,                                                                            (double)result->node_count),                                                                                                                      1,                                                   "us"},
        {"server_us",       "processor time a search, server",
         ratio((double)result->server_us,(double)result->answers),1,"us"},
        {"client_us",    "processor time a search, client",
         ratio((double)result->client_us,                                                     (double)result->answers),                                                                                                                                                                                                 1,                                                                                                                                                                                                                                                                                                                                                                                  "us"},
        {"failed","errors",                           (double)result->failed,0,""},
    };
    char key[64];

    bench_report_heading(report, heading);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(key, sizeof key, "%s_%s", prefix, rows[i].key);
        bench_report_number(report, key, rows[i].label, rows[i].value, rows[i].decimals,
                            rows[i].unit);
    }
}

static void report_beside(struct bench_report *report, const struct results *results)
{
    const struct bench_load_result *alone = &results->alone, *beside = &results->beside;

    bench_report_heading(report,
                         "Registrations, 16 outstanding, beside searches at half that rate");
    bench_report_number(report, "register_alone_per_s", "answers without searches",
                        per_second(alone->answers, alone->window_ns), 0, "/s");
    bench_report_number(report, "register_alone_p99_ms", "p99 without searches",
                        to_ms(bench_histogram_quantile_ns(&alone->latency, 990)), 3, "ms");
    bench_report_number(report, "register_beside_per_s", "answers beside searches",
                        per_second(beside->answers, beside->window_ns), 0, "/s");
    bench_report_number(report, "register_beside_p99_ms", "p99 beside searches",
                        to_ms(bench_histogram_quantile_ns(&beside->latency, 990)), 3, "ms");
    bench_report_number(report, "paced_rate", "searches wanted", (double)results->paced_rate, 0,
                        "/s");
    bench_report_number(report, "paced_per_s", "searches answered meanwhile",
                        per_second(results->paced_answers, results->paced_ns), 0, "/s");
    bench_report_number(report, "paced_p99_ms", "their p99",
                        to_ms(bench_histogram_quantile_ns(&results->paced, 990)), 3, "ms");
}

static int report_all(struct cli *cli, const struct bench_options *options,
                      const struct results *results)
{
    struct bench_report report;
    char text[64];

    bench_report_begin(&report, cli, "search");
    snprintf(text, sizeof text, "%u/%u", results->quality.hit, results->quality.asked);
    bench_report_heading(&report, "An expected course among the first five");
    bench_report_text(&report, "hit_at_5", "queries", text);
    bench_report_text(&report, "misses", "missed", results->quality.misses);
    report_searches(&report, "search", "The file's queries, drawn at random", &results->file);
    if (results->distinct_count > 0) {
        bench_report_number(&report, "distinct", "distinct queries", results->distinct_count, 0,
                            "");
        report_searches(&report, "distinct", "Queries from titles, people and codes",
                        &results->distinct);
    }
    report_beside(&report, results);
    bench_report_heading(&report, "Catalogues");
    bench_report_number(&report, "courses", "courses", (double)results->courses, 0, "");
    bench_report_number(&report, "index_bytes", "index", (double)results->index_bytes, 0,
                        "bytes");
    bench_report_number(&report, "text_bytes", "text", (double)results->text_bytes, 0, "bytes");
    bench_report_number(&report, "outstanding", "searches outstanding", options->outstanding, 0,
                        "");
    bench_report_number(&report, "connections", "connections", options->connections, 0, "");
    bench_report_number(&report, "seconds", "measured", options->window_ms / 1000.0, 1, "s");
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    bench_report_end(&report);
    return EXIT_DONE;
}

static int queries_open(struct cli *cli, const struct bench_options *options,
                        struct bench_queries *queries)
{
    char path[PATH_BYTES];
    const char *folder = bench_data_folder(options);

    snprintf(path, sizeof path, "%s/queries.tsv", folder == NULL ? "." : folder);
    const char *chosen = options->queries != NULL ? options->queries : path;
    int rc = bench_queries_read(queries, chosen);
    if (rc != OK) {
        fprintf(cli->err,
                "carillon bench: %s: %s; name a file of query<TAB>institution or *<TAB>codes "
                "by --queries\n",
                chosen, error_text(rc));
    }
    return rc;
}

int bench_search(struct cli *cli, const struct bench_options *options)
{
    struct bench_session session = {0};
    struct bench_queries queries;
    struct results *results = calloc(1, sizeof *results);

    bench_queries_init(&queries);
    int rc = results == NULL ? ERR_NOMEM : queries_open(cli, options, &queries);
    if (rc == OK) {
        rc = bench_session_open(&session, cli, options, options->connections,
                                options->outstanding + PACER_WINDOW + 2);
    }
    if (rc == OK) {
        rc = measure(&session, &queries, results);
    }
    bench_session_close(&session);
    int code = rc == OK ? report_all(cli, options, results) : error_exit_code(rc);
    bench_queries_fini(&queries);
    free(results);
    return code;
}
