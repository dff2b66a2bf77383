#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "carillon/bench.h"
#include "carillon/import.h"
#include "wire/message.h"

/* WINDOW_MIN: imports and readings pipeline, however few requests the load keeps going. */
enum {
    WINDOW_MIN = 256,
    READY_MS_MAX = 60000,
    READY_STEP_MS = 2,
    NS_PER_MS = 1000000,
    PATH_BYTES = 1024
};

int bench_session_fail(struct bench_session *session, const char *what, int status)
{
    const char *text = session->client == NULL ? "" : carillon_text(session->client);

    fprintf(session->cli->err, "carillon bench: %s: %s\n", what,
            text[0] != '\0' ? text : error_text(status));
    return status;
}

/* ---- connecting ---- */

static int client_open_as(struct bench_session *session, uint32_t connections,
                          uint32_t outstanding, const char *credential)
{
    struct carillon_options options = {
        .address = session->address,
        .name = "carillon-bench/" CARILLON_VERSION,
        .credential = credential,
        .connections = connections,
        .outstanding_max = outstanding > WINDOW_MIN ? outstanding : WINDOW_MIN,
        .stays = true, /* what is measured are the nodes that were named */
    };
    int rc = carillon_create(&options, &session->client);

    return rc == OK ? carillon_connect(session->client) : rc;
}

int bench_session_client(struct bench_session *session, uint32_t connections,
                         uint32_t outstanding, bool is_retrying,
                         struct carillon_client **ret_client)
{
    struct carillon_options options = {
        .address = session->address,
        .name = "carillon-bench/" CARILLON_VERSION,
        .credential = session->options->is_tls ? session->credential : session->cli->credential,
        .connections = connections,
        .outstanding_max = outstanding,
        .retry_never = !is_retrying,
        .stays = true,
    };
    int rc = carillon_create(&options, ret_client);

    if (rc == OK) {
        rc = carillon_connect(*ret_client);
        if (rc != OK) {
            carillon_destroy(*ret_client);
        }
    }
    return rc;
}

/* With --tls the first connection fetches what the others come with. */
static int client_open(struct bench_session *session, uint32_t connections,
                       uint32_t outstanding)
{
    int rc = OK;

    if (!session->options->is_tls) {
        return client_open_as(session, connections, outstanding, session->cli->credential);
    }
    if (session->credential[0] == '\0') {
        rc = client_open_as(session, 1, 1, session->cli->credential);
        rc = rc == OK ? bench_tls_credential(session) : rc;
        if (rc == OK) {
            carillon_destroy(session->client);
            session->client = NULL;
        }
    }
    return rc == OK ? client_open_as(session, connections, outstanding, session->credential)
                    : rc;
}

static void client_close(struct bench_session *session)
{
    carillon_destroy(session->client);
    session->client = NULL;
}

/* A new client for every attempt: one that failed would pause before the next. */
static int client_wait(struct bench_session *session, uint32_t connections,
                       uint32_t outstanding)
{
    uint64_t start_ns = io_now_exact_ns(session->io);
    struct timespec step = {0, (long)READY_STEP_MS * NS_PER_MS};
    char text[BENCH_TEXT_BYTES];

    for (;;) {
        int rc = client_open(session, connections, outstanding);

        if (rc == OK || session->options->connect != NULL || bench_is_interrupted()) {
            return rc == OK || !bench_is_interrupted() ? rc : ERR_CANCELLED;
        }
        if (!bench_daemon_is_running(&session->daemon, text)) {
            fprintf(session->cli->err, "carillon bench: carillond has ended:\n%s", text);
            return rc;
        }
        if (!error_is_retryable(rc) ||
            io_now_exact_ns(session->io) - start_ns > (uint64_t)READY_MS_MAX * NS_PER_MS) {
            return rc;
        }
        client_close(session);
        nanosleep(&step, NULL);
    }
}

static int daemon_start(struct bench_session *session)
{
    char text[BENCH_TEXT_BYTES];

    session->daemon.shards = session->options->shards;
    int rc = bench_daemon_start(&session->daemon, text);

    if (rc != OK) {
        fprintf(session->cli->err, "carillon bench: %s\n", text);
        return rc;
    }
    snprintf(session->address, sizeof session->address, "%s", session->daemon.address);
    return OK;
}

static int folder_make(struct bench_session *session)
{
    char text[BENCH_TEXT_BYTES];
    int rc = bench_daemon_init(&session->daemon, session->options->folder, text);

    if (rc != OK) {
        fprintf(session->cli->err, "carillon bench: %s\n", text);
    }
    return rc;
}

int bench_session_open(struct bench_session *session, struct cli *cli,
                       const struct bench_options *options, uint32_t connections,
                       uint32_t outstanding)
{
    *session = (struct bench_session){.cli = cli, .options = options};
    session->world = io_uv_create();
    if (session->world == NULL) {
        return bench_session_fail(session, "cannot make an event loop", ERR_IO);
    }
    session->io = io_uv_world(session->world);
    int rc = folder_make(session);
    if (rc == OK && options->connect == NULL) {
        rc = daemon_start(session);
    } else if (rc == OK) {
        snprintf(session->address, sizeof session->address, "%s", options->connect);
    }
    if (rc != OK) {
        return rc;
    }
    rc = client_wait(session, connections, outstanding);
    return rc == OK ? OK : bench_session_fail(session, "cannot reach the node", rc);
}

void bench_session_close(struct bench_session *session)
{
    client_close(session);
    bench_daemon_fini(&session->daemon);
    if (session->world != NULL) {
        io_uv_destroy(session->world);
    }
    *session = (struct bench_session){0};
}

/* ---- restarting ---- */

int bench_session_restart(struct bench_session *session, uint32_t connections,
                          uint32_t outstanding, bool is_killed, uint64_t *ret_start_ns)
{
    client_close(session);
    int rc =
        is_killed ? bench_daemon_kill(&session->daemon) : bench_daemon_stop(&session->daemon);
    if (rc != OK) {
        return bench_session_fail(session, "carillond did not end cleanly", rc);
    }
    *ret_start_ns = io_now_exact_ns(session->io);
    rc = daemon_start(session);
    if (rc == OK) {
        rc = client_wait(session, connections, outstanding);
    }
    return rc == OK
               ? OK
               : bench_session_fail(session, "cannot reach the node after its restart", rc);
}

/* ---- many runs from one state ---- */

static int daemon_rest(struct bench_session *session)
{
    client_close(session);
    int rc = bench_daemon_stop(&session->daemon);
    return rc == OK ? OK : bench_session_fail(session, "carillond did not end cleanly", rc);
}

int bench_session_keep(struct bench_session *session)
{
    int rc = daemon_rest(session);

    if (rc == OK) {
        rc = bench_daemon_keep_data(&session->daemon);
        rc = rc == OK ? OK : bench_session_fail(session, "cannot set the data aside", rc);
    }
    return rc;
}

int bench_session_renew(struct bench_session *session, uint32_t connections,
                        uint32_t outstanding)
{
    int rc = daemon_rest(session);

    if (rc != OK) {
        return rc;
    }
    rc = bench_daemon_renew_data(&session->daemon);
    if (rc == OK) {
        rc = daemon_start(session);
    }
    if (rc == OK) {
        rc = client_wait(session, connections, outstanding);
    }
    return rc == OK ? OK
                    : bench_session_fail(session, "cannot start on a copy of the data", rc);
}

/* ---- importing ---- */

static int import_say(struct bench_session *session, const char *path, int status,
                      const struct import_report *report, const struct import_summary *summary)
{
    if (status != OK) {
        import_report_summary(report);
        fprintf(session->cli->err, "carillon bench: importing %s: %s\n", path,
                summary->error[0] != '\0' ? summary->error : error_text(status));
    }
    return status;
}

/* On a terminal, what is going on; NULL: nothing any more. */
static void import_show(struct bench_session *session, const char *path)
{
    if (session->cli->is_terminal) {
        fprintf(stderr, "\r\033[K%s%s", path == NULL ? "" : "importing ",
                path == NULL ? "" : path);
        fflush(stderr);
    }
}

int bench_session_import(struct bench_session *session, const char *path, bool is_students,
                         const char *institution_default, uint64_t *ret_count)
{
    struct import_report *report = calloc(1, sizeof *report);
    struct import_file *file = calloc(1, sizeof *file);
    struct import_summary summary = {0};
    struct import_options options = {
        .institution_default = institution_default,
        .by = "bench",
        .force = true, /* a folder's catalogues are what the benchmark wants there */
        .is_interrupted = bench_interrupt_flag(),
    };

    if (report == NULL || file == NULL) {
        free(report);
        free(file);
        return bench_session_fail(session, path, ERR_NOMEM);
    }
    import_report_init(report, session->cli->err);
    report->file = path;
    import_show(session, path);
    int rc = import_file_open(file, path, is_students, report);
    if (rc == OK) {
        rc = is_students
                 ? import_students(session->client, &file->source, &options, report, &summary)
                 : import_courses(session->client, &file->source, &options, report, &summary);
        import_file_close(file);
    }
    import_show(session, NULL);
    rc = import_say(session, path, rc, report, &summary);
    *ret_count += summary.records;
    free(report);
    free(file);
    return rc;
}

int bench_session_import_workload(struct bench_session *session,
                                  const struct bench_workload *workload, uint64_t *ret_ns)
{
    char path[PATH_BYTES];
    uint64_t count = 0;
    int rc = bench_workload_write(workload, session->daemon.folder);

    if (rc != OK) {
        return bench_session_fail(session, "cannot write the workload's files", rc);
    }
    uint64_t start_ns = io_now_exact_ns(session->io);
    snprintf(path, sizeof path, "%s/courses.jsonl", session->daemon.folder);
    rc = bench_session_import(session, path, false, NULL, &count);
    if (rc == OK) {
        snprintf(path, sizeof path, "%s/students.jsonl", session->daemon.folder);
        rc = bench_session_import(session, path, true, NULL, &count);
    }
    *ret_ns = io_now_exact_ns(session->io) - start_ns;
    return rc;
}

const char *bench_data_folder(const struct bench_options *options)
{
    const char *folder = options->data != NULL ? options->data : getenv("CARILLON_DATA");

    return folder != NULL && folder[0] != '\0' ? folder : NULL;
}

static int is_catalogue(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 6 && strcmp(entry->d_name + len - 6, ".jsonl") == 0 &&
           strstr(entry->d_name, "students") == NULL;
}

static int import_entries(struct bench_session *session, const char *folder,
                          struct dirent **entries, int count, uint64_t *ret_courses)
{
    char path[PATH_BYTES], slug[64];
    int rc = OK;

    for (int i = 0; rc == OK && i < count; i++) {
        snprintf(path, sizeof path, "%.640s/%.255s", folder, entries[i]->d_name);
        snprintf(slug, sizeof slug, "%.*s", (int)strcspn(entries[i]->d_name, "."),
                 entries[i]->d_name);
        rc = bench_session_import(session, path, false, slug, ret_courses);
    }
    return rc;
}

int bench_session_import_catalogues(struct bench_session *session, uint64_t *ret_courses)
{
    const char *folder = bench_data_folder(session->options);
    struct dirent **entries = NULL;
    int count = folder == NULL ? -1 : scandir(folder, &entries, is_catalogue, alphasort);
    uint64_t courses = 0;

    if (count <= 0) {
        fprintf(session->cli->err,
                "carillon bench: no catalogues%s%s: name a folder of *.jsonl files by --data "
                "or CARILLON_DATA\n",
                folder == NULL ? "" : " in ", folder == NULL ? "" : folder);
        free(entries);
        return ERR_GONE;
    }
    int rc = import_entries(session, folder, entries, count, &courses);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    *ret_courses = courses;
    return rc;
}

/* ---- the workload ---- */

int bench_workload_open(struct cli *cli, const struct bench_options *options,
                        struct bench_workload *ret_workload)
{
    char text[BENCH_TEXT_BYTES] = "";
    int rc = options->workload != NULL
                 ? bench_workload_read(options->workload, ret_workload, text, sizeof text)
                 : bench_workload_draw(options->seed, options->students, options->sections,
                                       ret_workload);

    if (rc != OK) {
        fprintf(cli->err, "carillon bench: %s\n", text[0] != '\0' ? text : error_text(rc));
        return rc;
    }
    if (options->connect != NULL) {
        /* A node that others use: a name of this run's own, so that nothing there is replaced.
         */
        snprintf(ret_workload->slug, sizeof ret_workload->slug, "bench-%" PRIx64,
                 (uint64_t)time(NULL));
    }
    return OK;
}
