/* carillon/bench.h -- the benchmarks: their options, the session each works in, and how figures
 * are shown.
 *
 * Layer: carillon (client)     Figures and conditions: docs/performance.md
 *
 * A benchmark starts a daemon of its own on a new folder, unless --connect names one, works
 * through libcarillon alone, checks afterwards that what was acknowledged is there, and removes
 * what it made. A figure whose check fails is void.
 */
#ifndef CARILLON_CARILLON_BENCH_H
#define CARILLON_CARILLON_BENCH_H

#include "carillon/bench_daemon.h"
#include "carillon/bench_disk.h"
#include "carillon/bench_workload.h"
#include "carillon/cli.h"
#include "io_uv/io_uv.h"

enum {
    BENCH_RUNS_MAX = 9,
    BENCH_FLOOR_WRITES = 400,
    BENCH_STUDENTS = 40000,
    BENCH_SECTIONS = 3000
};

struct bench_options {
    const char *kind;    /* register, search, start, snapshot, import, handshake, flood,
                            overload */
    const char *connect; /* NULL: a daemon of our own */
    const char *folder;  /* where the temporary folder is made; NULL: $TMPDIR, else /var/tmp */
    const char
        *workload; /* folder with sections.psv and students.tsv; NULL: drawn from the seed */
    const char *queries; /* TSV: query, institution or *, expected codes */
    const char *data;    /* folder of catalogues, NULL: $CARILLON_DATA */
    uint32_t outstanding;
    uint32_t connections;
    uint32_t window_ms;
    uint32_t warmup_ms;
    uint32_t runs;
    uint32_t students;
    uint32_t sections;
    uint32_t registrations; /* start: how many the folder holds */
    uint32_t shards;        /* of the daemon's cluster; 0: its default */
    uint32_t crowd;         /* flood: connections at a time, and new ones a second */
    double times;            /* overload: of the peak */
    uint32_t distinct; /* searches: also so many queries drawn from the catalogues; 0: none */
    uint64_t seed;
    bool is_tls;
};

/* ---- bench_session.c: a node to work with ---- */

struct bench_session {
    struct cli *cli;
    const struct bench_options *options;
    struct io_uv *world; /* for the clock and the disk; the client has its own */
    struct io *io;
    struct bench_daemon daemon;
    struct carillon_client *client;
    char address[BENCH_ADDRESS_BYTES];
    char credential[BENCH_PATH_BYTES + 16]; /* of a token, to come by TLS; "": none yet */
};

/* ---- bench_tls.c: coming by TLS ---- */

/* Have the node, to which session->client is connected, take a token of an operator, and keep it
 * as session->credential. Errors: ERR_IO, those of the call. */
int bench_tls_credential(struct bench_session *session) CHECKED;

/* Make the folder, start the daemon and connect; each failure is said on cli->err.
 * @connections, @outstanding: the client's. Errors: those of the parts. */
int bench_session_open(struct bench_session *session, struct cli *cli,
                       const struct bench_options *options, uint32_t connections,
                       uint32_t outstanding) CHECKED;

/* One more client of the session's node, connected; for carillon_destroy. @is_retrying: what is
 * refused for load is repeated by the library, else it is handed to the caller. Errors: those of
 * the client. */
int bench_session_client(struct bench_session *session, uint32_t connections,
                         uint32_t outstanding, bool is_retrying,
                         struct carillon_client **ret_client) CHECKED;

/* Stop and remove everything. Takes a zeroed or half-opened one. */
void bench_session_close(struct bench_session *session);

/* Stop the daemon, by SIGTERM or in mid-air (@is_killed), start it again on the same data, and
 * connect.
 * @ret_start_ns: the moment the process was started. Not with --connect. */
int bench_session_restart(struct bench_session *session, uint32_t connections,
                          uint32_t outstanding, bool is_killed, uint64_t *ret_start_ns) CHECKED;

/* The node as it is now is what every run begins with: stop it and set its data aside. */
int bench_session_keep(struct bench_session *session) CHECKED;

/* Start the node on a fresh copy of what was kept, and connect. */
int bench_session_renew(struct bench_session *session, uint32_t connections,
                        uint32_t outstanding) CHECKED;

/* Import one file by the ordinary way. @institution_default may be NULL. @ret_count: records of
 * the file. */
int bench_session_import(struct bench_session *session, const char *path, bool is_students,
                         const char *institution_default, uint64_t *ret_count) CHECKED;

/* Write the workload below the session's folder and import it. */
int bench_session_import_workload(struct bench_session *session,
                                  const struct bench_workload *workload,
                                  uint64_t *ret_ns) CHECKED;

/* Import every *.jsonl of the data folder, in order of the names; `samples` stand in without
 * one.
 * @ret_courses: how many were read. Errors: ERR_GONE there is no folder, said on cli->err. */
int bench_session_import_catalogues(struct bench_session *session,
                                    uint64_t *ret_courses) CHECKED;

/* The folder that bench_session_import_catalogues reads, or NULL. */
const char *bench_data_folder(const struct bench_options *options);

/* Say on cli->err what failed. Returns @status. */
int bench_session_fail(struct bench_session *session, const char *what, int status);

/* Read the workload that the options ask for. */
int bench_workload_open(struct cli *cli, const struct bench_options *options,
                        struct bench_workload *ret_workload) CHECKED;

/* ---- bench_report.c: figures ---- */

struct json_object;

/* People read a table, pipes get key=value lines, --json one object. */
struct bench_report {
    struct cli *cli;
    struct json_object *json;
};

void bench_report_begin(struct bench_report *report, struct cli *cli, const char *kind);
void bench_report_heading(struct bench_report *report, const char *text);
void bench_report_number(struct bench_report *report, const char *key, const char *label,
                         double value, int decimals, const char *unit);
void bench_report_text(struct bench_report *report, const char *key, const char *label,
                       const char *text);
void bench_report_conditions(struct bench_report *report, const char *folder);
void bench_report_end(struct bench_report *report);

/* ---- the kinds; each returns an exit code ---- */

int bench_register(struct cli *cli, const struct bench_options *options);
int bench_search(struct cli *cli, const struct bench_options *options);
int bench_start(struct cli *cli, const struct bench_options *options);
int bench_snapshot(struct cli *cli, const struct bench_options *options);
int bench_import(struct cli *cli, const struct bench_options *options);
int bench_handshake(struct cli *cli, const struct bench_options *options);
int bench_flood(struct cli *cli, const struct bench_options *options);
int bench_overload(struct cli *cli, const struct bench_options *options);

#endif
