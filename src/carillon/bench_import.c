#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "carillon/bench.h"
#include "carillon/bench_load.h"

/* All catalogues into an idle node, and into one that registers students meanwhile. */
struct import_results {
    uint64_t courses;
    uint64_t idle_ns;
    uint64_t busy_ns;
    uint64_t again_ns; /* the same files once more: nothing to move */
    struct bench_load_result alone;
    struct bench_load_result beside;
};

/* The import runs in a process of its own, as an import does. */
struct importer {
    pid_t pid;
    uint64_t start_ns;
    uint64_t end_ns; /* 0: still at it */
    int status;
};

static int import_idle(struct cli *cli, const struct bench_options *options,
                       struct import_results *results)
{
    struct bench_session session = {0};
    uint64_t courses;
    int rc = bench_session_open(&session, cli, options, 1, 256);

    if (rc == OK) {
        uint64_t start_ns = io_now_exact_ns(session.io);

        rc = bench_session_import_catalogues(&session, &results->courses);
        results->idle_ns = io_now_exact_ns(session.io) - start_ns;
    }
    if (rc == OK) {
        uint64_t start_ns = io_now_exact_ns(session.io);

        rc = bench_session_import_catalogues(&session, &courses);
        results->again_ns = io_now_exact_ns(session.io) - start_ns;
    }
    bench_session_close(&session);
    return rc;
}

/* ---- beside registrations ---- */

static _Noreturn void importer_run(const struct bench_session *parent)
{
    struct bench_options options = *parent->options;
    struct bench_session session = {0};
    uint64_t courses;

    options.connect = parent->address;
    int rc = bench_session_open(&session, parent->cli, &options, 1, 256);
    if (rc == OK) {
        rc = bench_session_import_catalogues(&session, &courses);
    }
    bench_session_close(&session);
    _exit(rc == OK ? 0 : 1);
}

static bool importer_turn(void *context, uint64_t now_ns)
{
    struct importer *importer = context;

    if (importer->end_ns == 0 &&
        waitpid(importer->pid, &importer->status, WNOHANG) == importer->pid) {
        importer->end_ns = now_ns;
    }
    return importer->end_ns != 0;
}

static int importer_start(struct bench_session *session, struct importer *importer)
{
    fflush(session->cli->out);
    importer->start_ns = io_now_exact_ns(session->io);
    importer->pid = fork();
    if (importer->pid == 0) {
        importer_run(session);
    }
    return importer->pid < 0 ? ERR_IO : OK;
}

/* An interrupted load leaves the importer behind: it has lost its node and ends by itself. */
static int importer_end(struct importer *importer)
{
    if (importer->end_ns == 0 &&
        waitpid(importer->pid, &importer->status, 0) != importer->pid) {
        return ERR_IO;
    }
    return WIFEXITED(importer->status) && WEXITSTATUS(importer->status) == 0 ? OK : ERR_IO;
}

static int measure_load(struct bench_session *session, const struct bench_workload *workload,
                        const struct bench_load_options *load, struct bench_load_result *result)
{
    struct bench_history history = {0};
    int rc = bench_load_run(session->client, session->io, workload, load, &history, result);

    bench_pairs_fini(&history.accepted);
    bench_pairs_fini(&history.unknown);
    return rc == OK ? OK : bench_session_fail(session, "registering beside the import", rc);
}

static int measure_beside(struct bench_session *session, const struct bench_workload *workload,
                          struct import_results *results)
{
    const struct bench_options *options = session->options;
    struct importer importer = {0};
    struct bench_load_options load = {.outstanding = options->outstanding,
                                      .warmup_ms = options->warmup_ms / 2,
                                      .window_ms = options->window_ms / 2,
                                      .seed = options->seed};
    int rc = measure_load(session, workload, &load, &results->alone);

    if (rc != OK) {
        return rc;
    }
    rc = importer_start(session, &importer);
    if (rc != OK) {
        return bench_session_fail(session, "cannot start a process", rc);
    }
    load.warmup_ms = 0;
    load.window_ms = UINT32_MAX;
    load.seed++;
    load.beside = importer_turn;
    load.beside_context = &importer;
    rc = measure_load(session, workload, &load, &results->beside);
    int imported = importer_end(&importer);
    results->busy_ns = importer.end_ns - importer.start_ns;
    if (rc == OK && imported != OK) {
        return bench_session_fail(session, "the import beside registrations failed", imported);
    }
    return rc;
}

static int import_busy(struct cli *cli, const struct bench_options *options,
                       const struct bench_workload *workload, struct import_results *results)
{
    struct bench_session session = {0};
    uint64_t workload_ns;
    int rc = bench_session_open(&session, cli, options, options->connections,
                                options->outstanding + 2);

    if (rc == OK) {
        rc = bench_session_import_workload(&session, workload, &workload_ns);
    }
    if (rc == OK) {
        rc = measure_beside(&session, workload, results);
    }
    bench_session_close(&session);
    return rc;
}

/* ---- the report ---- */

static double to_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void report_load(struct bench_report *report, const char *prefix,
                        const struct bench_load_result *load)
{
    static const struct {
        const char *key, *label;
        uint32_t permille;
    } rows[] = {
        {"p50_ms",  "registrations, p50",   500},
        {"p99_ms",  "registrations, p99",   990},
        {"p999_ms", "registrations, p99.9", 999}
    };
    char key[64];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(key, sizeof key, "%s_%s", prefix, rows[i].key);
        bench_report_number(
            report, key, rows[i].label,
            to_ms(bench_histogram_quantile_ns(&load->latency, rows[i].permille)), 3, "ms");
    }
    snprintf(key, sizeof key, "%s_answers_per_s", prefix);
    bench_report_number(
        report, key, "registrations answered",
        load->window_ns == 0 ? 0 : (double)load->answers * 1e9 / (double)load->window_ns, 0,
        "/s");
}

static int report_all(struct cli *cli, const struct bench_options *options,
                      const struct import_results *results)
{
    struct bench_report report;

    bench_report_begin(&report, cli, "import");
    bench_report_number(&report, "courses", "courses", (double)results->courses, 0, "");
    bench_report_heading(&report, "An idle node");
    bench_report_number(&report, "import_s", "all catalogues", (double)results->idle_ns / 1e9,
                        2, "s");
    bench_report_number(&report, "again_s", "the same files again",
                        (double)results->again_ns / 1e9, 2, "s");
    bench_report_heading(&report, "Registrations without an import");
    report_load(&report, "alone", &results->alone);
    bench_report_heading(&report, "Registrations while everything is imported");
    report_load(&report, "beside", &results->beside);
    bench_report_number(&report, "beside_import_s", "all catalogues",
                        (double)results->busy_ns / 1e9, 2, "s");
    bench_report_number(&report, "outstanding", "registrations outstanding",
                        options->outstanding, 0, "");
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    bench_report_end(&report);
    return EXIT_DONE;
}

int bench_import(struct cli *cli, const struct bench_options *options)
{
    struct bench_workload workload;
    struct import_results *results = calloc(1, sizeof *results);

    if (options->connect != NULL) {
        fprintf(cli->err,
                "carillon bench: import measures daemons of its own; leave --connect out\n");
        free(results);
        return EXIT_USAGE;
    }
    int rc = results == NULL ? ERR_NOMEM : bench_workload_open(cli, options, &workload);
    if (rc != OK) {
        free(results);
        return error_exit_code(rc);
    }
    rc = import_idle(cli, options, results);
    if (rc == OK) {
        rc = import_busy(cli, options, &workload, results);
    }
    int code = rc == OK ? report_all(cli, options, results) : error_exit_code(rc);
    bench_workload_fini(&workload);
    free(results);
    return code;
}
