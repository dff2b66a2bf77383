#include "carillon/bench_fill.h"
#include "carillon/bench_ops.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

/* How long until the node works again on a full folder, ended in both ways. */
struct start_times {
    uint64_t greeted_ns; /* all from the start of the process */
    uint64_t registered_ns;
    uint64_t searched_ns;
};

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

/* ---- the whole ---- */

struct start_results {
    uint64_t courses;
    uint64_t filled;
    uint64_t found; /* registrations after both restarts */
    struct start_times stopped;
    struct start_times killed;
};

static int measure(struct bench_session *session, struct bench_fill *fill,
                   struct start_results *results)
{
    int rc = bench_fill_folder(session, fill, &results->courses, &results->filled);

    if (rc == OK) {
        rc = restart(session, fill->workload, false, &results->stopped);
    }
    if (rc == OK) {
        rc = restart(session, fill->workload, true, &results->killed);
    }
    return rc == OK ? bench_fill_count(session, &results->found) : rc;
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
    return is_whole ? EXIT_DONE : EXIT_FAILED;
}

int bench_start(struct cli *cli, const struct bench_options *options)
{
    struct bench_session session = {0};
    struct bench_workload workload;
    struct bench_fill fill = {0};
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
    rc = bench_fill_init(&fill, &workload, options->seed);
    if (rc == OK) {
        rc = bench_session_open(&session, cli, options, options->connections,
                                BENCH_FILL_OUTSTANDING + 2);
    }
    if (rc == OK) {
        rc = measure(&session, &fill, &results);
    }
    bench_session_close(&session);
    bench_fill_fini(&fill);
    int code = rc == OK ? report_all(cli, options, &workload, &results) : error_exit_code(rc);
    bench_workload_fini(&workload);
    return code;
}
