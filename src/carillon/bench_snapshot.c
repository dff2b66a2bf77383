/* What registering takes while a full folder is written out as a snapshot, and what it takes
 * otherwise: the same load in turns, one window without and one that lasts as long as the
 * snapshot. */
#include <stdlib.h>

#include "carillon/bench_fill.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

enum { SNAPSHOT_DEADLINE_MS = 300000 };

/* The call for a snapshot, beside the load. */
struct snapshotting {
    struct bench_session *session;
    bool is_asked;
    bool is_done;
    int status;
    uint64_t bytes;
    uint64_t duration_ms;
};

struct snapshot_results {
    uint64_t courses;
    uint64_t filled;
    struct bench_histogram during;
    struct bench_histogram outside;
    struct bench_histogram floor;
    uint64_t during_ns;
    uint64_t outside_ns;
    uint64_t during_answers;
    uint64_t outside_answers;
    uint64_t failed;
    uint64_t accepted; /* in all, filling included */
    uint64_t bytes;
    uint64_t longest_ms; /* a snapshot */
    uint64_t sum_ms;
    uint64_t found;
};

static void snapshot_on_done(void *context, const struct carillon_reply *reply)
{
    struct snapshotting *snapshotting = context;

    snapshotting->is_done = true;
    snapshotting->status = reply->status;
    if (reply->status == OK) {
        const ProtobufCMessageDescriptor *type = &carillon__snapshot_reply__descriptor;
        Carillon__SnapshotReply *message = (Carillon__SnapshotReply *)protobuf_c_message_unpack(
            type, NULL, reply->body_bytes, reply->body);

        if (message == NULL) {
            snapshotting->status = ERR_MALFORMED;
            return;
        }
        snapshotting->bytes = message->bytes;
        snapshotting->duration_ms = message->duration_ms;
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

/* Asks once, and ends the window with the answer. */
static bool snapshot_turn(void *context, uint64_t now_ns)
{
    static const Carillon__SnapshotRequest request = CARILLON__SNAPSHOT_REQUEST__INIT;
    struct snapshotting *snapshotting = context;
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SNAPSHOT,
        .deadline_ms = SNAPSHOT_DEADLINE_MS,
        .message = &request.base,
        .done = snapshot_on_done,
        .context = snapshotting,
    };

    (void)now_ns;
    if (!snapshotting->is_asked) {
        snapshotting->is_asked =
            carillon_submit_call(snapshotting->session->client, &call) == OK;
    }
    return snapshotting->is_done;
}

/* One window of the load; with a snapshot it lasts as long as that does. */
static int window(struct bench_session *session, struct bench_fill *fill,
                  struct snapshotting *snapshotting, struct bench_load_result *result,
                  struct snapshot_results *results)
{
    const struct bench_options *options = session->options;
    struct bench_history history = {0};
    struct bench_load_options load = {
        .outstanding = options->outstanding,
        .warmup_ms = snapshotting == NULL ? options->warmup_ms : 0,
        .window_ms = snapshotting == NULL ? options->window_ms : UINT32_MAX,
        .title = session->cli->is_terminal ? "registering" : NULL,
        .draw = bench_fill_draw,
        .draw_context = fill,
        .beside = snapshotting == NULL ? NULL : snapshot_turn,
        .beside_context = snapshotting,
    };
    int rc = bench_load_run(session->client, session->io, fill->workload, &load, &history,
                            result);

    results->accepted += history.accepted.count;
    results->failed += result->failed;
    bench_pairs_fini(&history.accepted);
    bench_pairs_fini(&history.unknown);
    if (rc == OK && snapshotting != NULL) {
        rc = snapshotting->status;
    }
    return rc == OK ? OK : bench_session_fail(session, "registering", rc);
}

static int measure_once(struct bench_session *session, struct bench_fill *fill,
                        struct bench_load_result *result, struct snapshot_results *results)
{
    struct snapshotting snapshotting = {.session = session};
    int rc = window(session, fill, NULL, result, results);

    if (rc != OK) {
        return rc;
    }
    bench_histogram_merge(&results->outside, &result->latency);
    results->outside_ns += result->window_ns;
    results->outside_answers += result->answers;
    rc = window(session, fill, &snapshotting, result, results);
    if (rc != OK) {
        return rc;
    }
    bench_histogram_merge(&results->during, &result->latency);
    results->during_ns += result->window_ns;
    results->during_answers += result->answers;
    results->bytes = snapshotting.bytes;
    results->sum_ms += snapshotting.duration_ms;
    if (snapshotting.duration_ms > results->longest_ms) {
        results->longest_ms = snapshotting.duration_ms;
    }
    return bench_disk_floor(session->io, session->daemon.folder,
                            BENCH_FLOOR_WRITES / session->options->runs + 1, &results->floor);
}

static int measure(struct bench_session *session, struct bench_fill *fill,
                   struct snapshot_results *results)
{
    struct bench_load_result *result = calloc(1, sizeof *result);
    int rc = result == NULL ? ERR_NOMEM
                            : bench_fill_folder(session, fill, &results->courses,
                                                &results->filled);

    results->accepted = results->filled;
    for (uint32_t i = 0; rc == OK && i < session->options->runs; i++) {
        rc = measure_once(session, fill, result, results);
    }
    free(result);
    return rc == OK ? bench_fill_count(session, &results->found) : rc;
}

/* ---- figures ---- */

static void report_part(struct bench_report *report, const char *prefix, const char *heading,
                        const struct bench_histogram *latency, uint64_t answers, uint64_t ns)
{
    static const struct {
        const char *key;
        const char *text;
        uint32_t permille;
    } rows[] = {
        {"p50_ms",  "p50",   500},
        {"p99_ms",  "p99",   990},
        {"p999_ms", "p99.9", 999},
    };
    char key[64];

    bench_report_heading(report, heading);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(key, sizeof key, "%s_%s", prefix, rows[i].key);
        bench_report_number(report, key, rows[i].text,
                            (double)bench_histogram_quantile_ns(latency, rows[i].permille) / 1e6,
                            3, "ms");
    }
    snprintf(key, sizeof key, "%s_max_ms", prefix);
    bench_report_number(report, key, "longest", (double)latency->max_ns / 1e6, 3, "ms");
    snprintf(key, sizeof key, "%s_answers_per_s", prefix);
    bench_report_number(report, key, "answers, refusals included",
                        ns == 0 ? 0 : (double)answers * 1e9 / (double)ns, 0, "/s");
}

static int report_all(struct cli *cli, const struct bench_options *options,
                      const struct snapshot_results *results)
{
    struct bench_report report;
    bool is_whole = results->found == results->accepted && results->failed == 0;

    bench_report_begin(&report, cli, "snapshot");
    report_part(&report, "during", "Registering while a snapshot is written", &results->during,
                results->during_answers, results->during_ns);
    report_part(&report, "outside", "Registering otherwise", &results->outside,
                results->outside_answers, results->outside_ns);
    bench_report_heading(&report, "The snapshots");
    bench_report_number(&report, "snapshots", "written", options->runs, 0, "");
    bench_report_number(&report, "snapshot_s", "one takes",
                        (double)results->sum_ms / 1000.0 / options->runs, 2, "s");
    bench_report_number(&report, "snapshot_longest_s", "the longest",
                        (double)results->longest_ms / 1000.0, 2, "s");
    bench_report_number(&report, "snapshot_mib", "size of the last",
                        (double)results->bytes / (1 << 20), 1, "MiB");
    bench_report_heading(&report, "The disk itself, in the same runs");
    bench_report_number(&report, "floor_p50_ms", "4 KiB overwritten and synced, p50",
                        (double)bench_histogram_quantile_ns(&results->floor, 500) / 1e6, 3,
                        "ms");
    bench_report_number(&report, "floor_p99_ms", "p99",
                        (double)bench_histogram_quantile_ns(&results->floor, 990) / 1e6, 3,
                        "ms");
    bench_report_heading(&report, "The folder");
    bench_report_number(&report, "registrations", "registrations before",
                        (double)results->filled, 0, "");
    bench_report_number(&report, "accepted", "accepted in all", (double)results->accepted, 0,
                        "");
    bench_report_number(&report, "found", "there at the end", (double)results->found, 0, "");
    bench_report_number(&report, "courses", "courses of the catalogues",
                        (double)results->courses, 0, "");
    bench_report_number(&report, "outstanding", "requests outstanding", options->outstanding, 0,
                        "");
    bench_report_number(&report, "connections", "connections", options->connections, 0, "");
    bench_report_number(&report, "failed", "errors", (double)results->failed, 0, "");
    bench_report_text(&report, "verdict", "verdict", is_whole ? "passed" : "VOID");
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    bench_report_end(&report);
    return is_whole ? EXIT_DONE : EXIT_FAILED;
}

int bench_snapshot(struct cli *cli, const struct bench_options *options)
{
    struct bench_session session = {0};
    struct bench_workload workload;
    struct bench_fill fill = {0};
    struct snapshot_results *results = NULL;

    if (options->connect != NULL) {
        fprintf(cli->err, "carillon bench: snapshot measures a daemon of its own; leave "
                          "--connect out\n");
        return EXIT_USAGE;
    }
    int rc = bench_workload_open(cli, options, &workload);
    if (rc != OK) {
        return error_exit_code(rc);
    }
    results = calloc(1, sizeof *results);
    rc = results == NULL ? ERR_NOMEM : bench_fill_init(&fill, &workload, options->seed);
    if (rc == OK) {
        rc = bench_session_open(&session, cli, options, options->connections,
                                (options->outstanding > BENCH_FILL_OUTSTANDING
                                     ? options->outstanding
                                     : BENCH_FILL_OUTSTANDING) + 2);
    }
    if (rc == OK) {
        rc = measure(&session, &fill, results);
    }
    bench_session_close(&session);
    bench_fill_fini(&fill);
    int code = rc == OK ? report_all(cli, options, results) : error_exit_code(rc);
    free(results);
    bench_workload_fini(&workload);
    return code;
}
