#include <stdlib.h>

#include "carillon/bench.h"
#include "carillon/bench_load.h"
#include "carillon/bench_ops.h"
#include "proto/operator.pb-c.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

/* How long until the node works again on a full folder, ended in both ways. */
struct start_times {
    uint64_t greeted_ns; /* all from the start of the process */
    uint64_t registered_ns;
    uint64_t searched_ns;
};

/* Ends the load when enough was accepted, or when the sections are full. */
struct filling {
    const struct bench_history *history;
    uint64_t wanted;
    uint64_t seen;
    uint64_t seen_ns;
};

enum { FILL_IDLE_NS = 2000000000 };

static bool filling_turn(void *context, uint64_t now_ns)
{
    struct filling *filling = context;

    if (filling->history->accepted.count != filling->seen) {
        filling->seen = filling->history->accepted.count;
        filling->seen_ns = now_ns;
    }
    return filling->seen >= filling->wanted || now_ns - filling->seen_ns > FILL_IDLE_NS;
}

static int fill(struct bench_session *session, const struct bench_workload *workload,
                uint64_t *ret_count)
{
    const struct bench_options *options = session->options;
    struct bench_load_result *result = calloc(1, sizeof *result);
    struct bench_history history = {0};
    struct filling filling = {.history = &history,
                              .wanted = options->registrations,
                              .seen_ns = io_now_exact_ns(session->io)};
    struct bench_load_options load = {.outstanding = options->outstanding,
                                      .window_ms = UINT32_MAX,
                                      .seed = options->seed,
                                      .title = session->cli->is_terminal ? "filling" : NULL,
                                      .beside = filling_turn,
                                      .beside_context = &filling};
    int rc = result == NULL ? ERR_NOMEM
                            : bench_load_run(session->client, session->io, workload, &load,
                                             &history, result);

    *ret_count = history.accepted.count;
    bench_pairs_fini(&history.accepted);
    bench_pairs_fini(&history.unknown);
    free(result);
    return rc == OK ? OK : bench_session_fail(session, "filling the folder", rc);
}

/* ---- after the start ---- */

/* Ask for one registration; yes and no are both answers. */
static int register_once(struct bench_session *session, const struct bench_workload *workload,
                         uint32_t student)
{
    struct bench_ops ops;
    uint8_t body[BENCH_OP_BYTES_MAX];
    struct carillon_key key = carillon_key_make(session->client);
    struct carillon_reply reply;
    int rc = bench_ops_init(&ops, workload);

    if (rc != OK) {
        return rc;
    }
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT, .key = &key, .body = body};
    call.body_bytes = bench_ops_write(&ops, student, workload->section_count - 1, body);
    bench_ops_fini(&ops);
    rc = carillon_call(session->client, &call, &reply);
    return rc == ERR_REFUSED ? OK : rc;
}

/* Search for a course that is there; no hit is a failure. */
static int search_once(struct bench_session *session, const struct bench_workload *workload)
{
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;
    Carillon__SearchReply *reply;
    char code[BENCH_NAME_BYTES];

    bench_code(workload->sections[0].course, code);
    request.query = code;
    request.institution = wire_text(workload->slug);
    int rc = carillon_call_message(session->client, CARILLON__METHOD__METHOD_SEARCH, NULL,
                                   &request.base, &carillon__search_reply__descriptor, &reply);
    if (rc == OK && reply->n_hits == 0) {
        rc = ERR_GONE;
    }
    carillon_message_free(reply);
    return rc;
}

static int restart(struct bench_session *session, const struct bench_workload *workload,
                   bool is_killed, struct start_times *times)
{
    uint64_t start_ns;
    int rc = bench_session_restart(session, 1, 1, is_killed, &start_ns);

    times->greeted_ns = io_now_exact_ns(session->io) - start_ns;
    if (rc != OK) {
        return rc;
    }
    rc = register_once(session, workload, is_killed);
    times->registered_ns = io_now_exact_ns(session->io) - start_ns;
    if (rc == OK) {
        rc = search_once(session, workload);
        times->searched_ns = io_now_exact_ns(session->io) - start_ns;
    }
    return rc == OK ? OK : bench_session_fail(session, "asking after the start", rc);
}

static int count_registrations(struct bench_session *session, uint64_t *ret_count)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *status;
    int rc = carillon_call_message(session->client, CARILLON__METHOD__METHOD_STATUS, NULL,
                                   &request.base, &carillon__status_reply__descriptor, &status);

    *ret_count = status == NULL ? 0 : status->registrations;
    carillon_message_free(status);
    return rc;
}

/* ---- the whole ---- */

struct start_results {
    uint64_t courses;
    uint64_t filled;
    uint64_t found; /* registrations after both restarts */
    struct start_times stopped;
    struct start_times killed;
};

static int measure(struct bench_session *session, const struct bench_workload *workload,
                   struct start_results *results)
{
    uint64_t import_ns;
    int rc = bench_data_folder(session->options) == NULL
                 ? OK
                 : bench_session_import_catalogues(session, &results->courses);

    if (rc == OK) {
        rc = bench_session_import_workload(session, workload, &import_ns);
    }
    if (rc == OK) {
        rc = fill(session, workload, &results->filled);
    }
    if (rc == OK) {
        rc = restart(session, workload, false, &results->stopped);
    }
    if (rc == OK) {
        rc = restart(session, workload, true, &results->killed);
    }
    return rc == OK ? count_registrations(session, &results->found) : rc;
}

static void report_times(struct bench_report *report, const char *prefix, const char *heading,
                         const struct start_times *times)
{
    char key[64];

    bench_report_heading(report, heading);
    snprintf(key, sizeof key, "%s_greeted_s", prefix);
    bench_report_number(report, key, "greets connections after",
                        (double)times->greeted_ns / 1e9, 3, "s");
    snprintf(key, sizeof key, "%s_registered_s", prefix);
    bench_report_number(report, key, "first registration answered after",
                        (double)times->registered_ns / 1e9, 3, "s");
    snprintf(key, sizeof key, "%s_searched_s", prefix);
    bench_report_number(report, key, "first search answered after",
                        (double)times->searched_ns / 1e9, 3, "s");
}

static int report_all(struct cli *cli, const struct bench_options *options,
                      const struct bench_workload *workload,
                      const struct start_results *results)
{
    struct bench_report report;
    /* The two registrations asked for after the restarts may have been accepted. */
    bool is_whole = results->found >= results->filled && results->found <= results->filled + 2;

    bench_report_begin(&report, cli, "start");
    report_times(&report, "stopped", "From process start, after a clean stop",
                 &results->stopped);
    report_times(&report, "killed", "From process start, after kill -9", &results->killed);
    bench_report_heading(&report, "The folder");
    bench_report_number(&report, "registrations", "registrations", (double)results->filled, 0,
                        "");
    bench_report_number(&report, "found", "registrations after both starts",
                        (double)results->found, 0, "");
    bench_report_number(&report, "courses", "courses of the catalogues",
                        (double)results->courses, 0, "");
    bench_report_number(&report, "students", "students", workload->student_count, 0, "");
    bench_report_number(&report, "sections", "sections of the benchmark",
                        workload->section_count, 0, "");
    bench_report_text(&report, "verdict", "verdict", is_whole ? "passed" : "VOID");
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    bench_report_end(&report);
    if (results->filled < options->registrations) {
        fprintf(cli->err,
                "carillon bench: only %llu of %u registrations fit; give more --students or "
                "--sections\n",
                (unsigned long long)results->filled, options->registrations);
    }
    return is_whole ? EXIT_DONE : EXIT_FAILED;
}

int bench_start(struct cli *cli, const struct bench_options *options)
{
    struct bench_session session = {0};
    struct bench_workload workload;
    struct start_results results = {0};

    if (options->connect != NULL) {
        fprintf(cli->err,
                "carillon bench: start measures a daemon of its own; leave --connect out\n");
        return EXIT_USAGE;
    }
    int rc = bench_workload_open(cli, options, &workload);
    if (rc != OK) {
        return error_exit_code(rc);
    }
    rc = bench_session_open(&session, cli, options, options->connections,
                            options->outstanding + 2);
    if (rc == OK) {
        rc = measure(&session, &workload, &results);
    }
    bench_session_close(&session);
    int code = rc == OK ? report_all(cli, options, &workload, &results) : error_exit_code(rc);
    bench_workload_fini(&workload);
    return code;
}
