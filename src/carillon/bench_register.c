#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "carillon/bench.h"
#include "carillon/bench_load.h"
#include "carillon/bench_readback.h"
#include "proto/operator.pb-c.h"

enum { BESIDE = 2 }; /* the questions about processor time travel beside the load */

/* One run: a fresh node with the workload, the load, the check. */
struct run {
    struct bench_load_result load;
    struct bench_histogram floor;
    uint64_t student_bytes;
    uint64_t course_bytes;
    uint64_t log_batches; /* in the window and around it: the whole load */
    uint64_t registrations;
    struct carillon_counters client;
    struct bench_verdict verdict;
    struct bench_answers_check check;
};

static double per_second(uint64_t count, const struct bench_load_result *load)
{
    return load->window_ns == 0 ? 0 : (double)count * 1e9 / (double)load->window_ns;
}

static double per_answer(uint64_t us, const struct bench_load_result *load)
{
    return load->answers == 0 ? 0 : (double)us / (double)load->answers;
}

static double to_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* ---- one run ---- */

static int status_read(struct bench_session *session, Carillon__StatusReply **ret_status)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    int rc =
        carillon_call_message(session->client, CARILLON__METHOD__METHOD_STATUS, NULL,
                              &request.base, &carillon__status_reply__descriptor, ret_status);

    return rc == OK ? OK : bench_session_fail(session, "cannot read the node's status", rc);
}

static int sizes_read(struct bench_session *session, struct run *run, uint64_t batches_before)
{
    Carillon__StatusReply *status;
    int rc = status_read(session, &status);

    if (rc == OK) {
        run->student_bytes = status->memory_student_bytes;
        run->course_bytes = status->memory_course_bytes;
        run->log_batches = status->log_batches - batches_before;
        run->registrations = status->registrations;
    }
    carillon_message_free(status);
    return rc;
}

static int load_run(struct bench_session *session, const struct bench_workload *workload,
                    uint32_t number, struct bench_history *history, struct run *run)
{
    const struct bench_options *options = session->options;
    struct bench_load_options load = {
        .outstanding = options->outstanding,
        .warmup_ms = options->warmup_ms,
        .window_ms = options->window_ms,
        .seed = options->seed + number,
        .title = session->cli->is_terminal ? "registering" : NULL,
    };
    Carillon__StatusReply *status;
    int rc = status_read(session, &status);
    uint64_t batches = status == NULL ? 0 : status->log_batches;

    carillon_message_free(status);
    if (rc == OK) {
        rc = bench_disk_floor(session->io, session->daemon.folder, BENCH_FLOOR_WRITES,
                              &run->floor);
    }
    if (rc != OK) {
        return bench_session_fail(session, "cannot measure the disk's floor", rc);
    }
    rc = bench_load_run(session->client, session->io, workload, &load, history, &run->load);
    run->client = carillon_counters(session->client);
    if (rc != OK) {
        fprintf(session->cli->err, "carillon bench: the load ended early: %s\n",
                rc == run->load.first_failure ? run->load.failure_text : error_text(rc));
        return rc;
    }
    rc = bench_disk_floor(session->io, session->daemon.folder, BENCH_FLOOR_WRITES, &run->floor);
    if (rc != OK) {
        return bench_session_fail(session, "cannot measure the disk's floor", rc);
    }
    return sizes_read(session, run, batches);
}

static int verify_run(struct bench_session *session, const struct bench_workload *workload,
                      struct bench_history *history, struct run *run)
{
    struct bench_readback readback;
    int rc = bench_readback(session->client, workload, &run->load, &readback, &run->check);

    if (rc == OK) {
        rc = bench_verify(workload, history, &readback, &run->verdict);
    }
    bench_readback_fini(&readback);
    return rc == OK ? OK : bench_session_fail(session, "cannot read everything back", rc);
}

static int run_once(struct bench_session *session, const struct bench_workload *workload,
                    uint32_t number, struct run *run)
{
    const struct bench_options *options = session->options;
    struct bench_history history = {0};
    int rc = options->connect != NULL ? OK
                                      : bench_session_renew(session, options->connections,
                                                            options->outstanding + BESIDE);

    if (rc == OK) {
        rc = load_run(session, workload, number, &history, run);
    }
    if (rc == OK) {
        rc = verify_run(session, workload, &history, run);
    }
    bench_pairs_fini(&history.accepted);
    bench_pairs_fini(&history.unknown);
    return rc;
}

/* The workload is imported once; every run begins with a copy of the folder as it was then. */
static int runs_all(struct bench_session *session, const struct bench_workload *workload,
                    struct run *runs, uint64_t *ret_import_ns)
{
    const struct bench_options *options = session->options;
    int rc = bench_session_import_workload(session, workload, ret_import_ns);

    if (rc == OK && options->connect == NULL) {
        rc = bench_session_keep(session);
    }
    for (uint32_t i = 0; rc == OK && i < options->runs; i++) {
        rc = run_once(session, workload, i, &runs[i]);
    }
    return rc;
}

/* ---- the report ---- */

static bool run_is_sound(const struct run *run)
{
    return bench_verdict_is_clean(&run->verdict) && run->check.outcomes_wrong == 0 &&
           run->check.is_state_sound;
}

static void report_figures(struct bench_report *report, const struct run *run)
{
    const struct bench_load_result *load = &run->load;

    bench_report_heading(report, "Registrations (the median run)");
    bench_report_number(report, "answers_per_s", "answers, refusals included",
                        per_second(load->answers, load), 0, "/s");
    bench_report_number(report, "accepted_per_s", "accepted and durable",
                        per_second(load->accepted, load), 0, "/s");
    bench_report_number(report, "p50_ms", "p50",
                        to_ms(bench_histogram_quantile_ns(&load->latency, 500)), 3, "ms");
    bench_report_number(report, "p99_ms", "p99",
                        to_ms(bench_histogram_quantile_ns(&load->latency, 990)), 3, "ms");
    bench_report_number(report, "p999_ms", "p99.9",
                        to_ms(bench_histogram_quantile_ns(&load->latency, 999)), 3, "ms");
    bench_report_number(report, "max_ms", "longest", to_ms(load->latency.max_ns), 3, "ms");
    bench_report_number(report, "client_us", "processor time an answer, client",
                        per_answer(load->cpu.client_us, load), 2, "us");
    bench_report_number(report, "server_us", "processor time an answer, server",
                        per_answer(load->cpu.server_us, load), 2, "us");
    bench_report_number(report, "unknown", "unanswered by the deadline", (double)load->unknown,
                        0, "");
    bench_report_number(report, "failed", "errors", (double)(load->failed - load->unknown), 0,
                        "");
    bench_report_number(report, "retries", "repeated by the library",
                        (double)run->client.retries, 0, "");
    bench_report_number(report, "batches", "syncs of the log, warm-up included",
                        (double)run->log_batches, 0, "");
}

static void report_surroundings(struct bench_report *report, const struct run *run,
                                const struct bench_workload *workload, uint64_t import_ns)
{
    bench_report_heading(report, "The disk itself, in the same runs");
    bench_report_number(report, "floor_p50_ms", "4 KiB overwritten and synced, p50",
                        to_ms(bench_histogram_quantile_ns(&run->floor, 500)), 3, "ms");
    bench_report_number(report, "floor_p99_ms", "p99",
                        to_ms(bench_histogram_quantile_ns(&run->floor, 990)), 3, "ms");
    bench_report_heading(report, "Population");
    bench_report_number(report, "students", "students", workload->student_count, 0, "");
    bench_report_number(report, "sections", "sections", workload->section_count, 0, "");
    bench_report_number(report, "courses", "courses, prerequisites included",
                        workload->course_count, 0, "");
    bench_report_number(report, "import_s", "imported in", (double)import_ns / 1e9, 2, "s");
    bench_report_number(report, "student_bytes", "memory a student", (double)run->student_bytes,
                        0, "bytes");
    bench_report_number(report, "course_bytes", "memory a course", (double)run->course_bytes, 0,
                        "bytes");
}

static void report_settings(struct bench_report *report, const struct bench_options *options,
                            const struct run *runs)
{
    char text[BENCH_RUNS_MAX * 16] = "";
    size_t len = 0;

    for (uint32_t i = 0; i < options->runs; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.0f", i == 0 ? "" : " ",
                                per_second(runs[i].load.answers, &runs[i].load));
    }
    bench_report_heading(report, "Settings");
    bench_report_number(report, "outstanding", "requests outstanding", options->outstanding, 0,
                        "");
    bench_report_number(report, "connections", "connections", options->connections, 0, "");
    bench_report_text(report, "transport", "transport", options->is_tls ? "TLS 1.3" : "TCP");
    bench_report_number(report, "seconds", "measured", options->window_ms / 1000.0, 1, "s");
    bench_report_number(report, "warmup", "after a warm-up of", options->warmup_ms / 1000.0, 1,
                        "s");
    bench_report_text(report, "workload", "workload",
                      options->workload == NULL ? "drawn" : options->workload);
    bench_report_number(report, "seed", "seed", (double)options->seed, 0, "");
    bench_report_text(report, "runs", "answers/s of all runs", text);
}

/* Say what is wrong with the runs that are. Returns: how many are sound. */
static uint32_t report_check(struct bench_report *report, struct cli *cli,
                             const struct bench_options *options, const struct run *runs)
{
    uint32_t sound = 0;
    uint64_t registrations = 0, outcomes = 0;

    for (uint32_t i = 0; i < options->runs; i++) {
        const struct run *run = &runs[i];

        sound += run_is_sound(run);
        registrations += run->verdict.registrations;
        outcomes += run->check.outcomes;
        for (size_t fault = 0; fault < BENCH_FAULT_NR; fault++) {
            if (run->verdict.counts[fault] > 0) {
                fprintf(cli->err,
                        "run %u: %s (%" PRIu64 " times; first: student %u, section %u)\n",
                        i + 1, bench_fault_text((enum bench_fault)fault),
                        run->verdict.counts[fault], run->verdict.first[fault].student + 1,
                        run->verdict.first[fault].section + 1);
            }
        }
        if (run->check.outcomes_wrong > 0) {
            fprintf(cli->err,
                    "run %u: %" PRIu64 " keys have another outcome than was acknowledged\n",
                    i + 1, run->check.outcomes_wrong);
        }
        if (!run->check.is_state_sound) {
            fprintf(cli->err, "run %u: the node's own check fails: %s\n", i + 1,
                    run->check.text);
        }
    }
    bench_report_heading(report, "Check");
    bench_report_number(report, "checked", "registrations read back and compared",
                        (double)registrations, 0, "");
    bench_report_number(report, "checked_keys", "keys asked for their outcome",
                        (double)outcomes, 0, "");
    bench_report_text(report, "verdict", "verdict", sound == options->runs ? "passed" : "VOID");
    return sound;
}

static int answers_order(const void *a, const void *b)
{
    const struct run *const *x = a, *const *y = b;
    double difference = per_second((*x)->load.answers, &(*x)->load) -
                        per_second((*y)->load.answers, &(*y)->load);

    return (difference > 0) - (difference < 0);
}

static const struct run *median_of(const struct run *runs, uint32_t count)
{
    const struct run *order[BENCH_RUNS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        order[i] = &runs[i];
    }
    qsort(order, count, sizeof order[0], answers_order);
    return order[count / 2];
}

static int report_all(struct cli *cli, const struct bench_options *options,
                      const struct bench_workload *workload, const struct run *runs,
                      uint64_t import_ns)
{
    struct bench_report report;
    const struct run *median = median_of(runs, options->runs);

    bench_report_begin(&report, cli, "register");
    report_figures(&report, median);
    report_surroundings(&report, median, workload, import_ns);
    report_settings(&report, options, runs);
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    uint32_t sound = report_check(&report, cli, options, runs);
    bench_report_end(&report);
    return sound == options->runs ? EXIT_DONE : EXIT_FAILED;
}

int bench_register(struct cli *cli, const struct bench_options *options)
{
    struct bench_session session = {0};
    struct bench_workload workload;
    uint64_t import_ns = 0;
    int rc = bench_workload_open(cli, options, &workload);

    if (rc != OK) {
        return error_exit_code(rc);
    }
    struct run *runs = calloc(options->runs, sizeof *runs);
    rc = runs == NULL ? ERR_NOMEM
                      : bench_session_open(&session, cli, options, options->connections,
                                           options->outstanding + BESIDE);
    if (rc == OK) {
        rc = runs_all(&session, &workload, runs, &import_ns);
    }
    bench_session_close(&session);
    int code =
        rc == OK ? report_all(cli, options, &workload, runs, import_ns) : error_exit_code(rc);
    free(runs);
    bench_workload_fini(&workload);
    return code;
}
