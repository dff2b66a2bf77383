#include "carillon/bench_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io_uv/io_uv.h"

enum {
    STOP_PATIENCE_MS = 30000,
    WAIT_STEP_MS = 5,
    REMOVE_DESCRIPTORS = 16,
    LOG_TAIL_BYTES = 1200
};

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t child; /* the running daemon's pid, for the handler */

static void signal_caught(int number)
{
    interrupted = 1;
    if (child > 0) {
        kill((pid_t)child, SIGTERM);
    }
    signal(number, SIG_DFL);
}

void bench_signals_watch(void)
{
    struct sigaction action = {.sa_handler = signal_caught};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool bench_is_interrupted(void)
{
    return interrupted != 0;
}

const volatile sig_atomic_t *bench_interrupt_flag(void)
{
    return &interrupted;
}

/* ---- the folder ---- */

static void path_join(const struct bench_daemon *daemon, const char *name,
                      char out[BENCH_PATH_BYTES + 32])
{
    snprintf(out, BENCH_PATH_BYTES + 32, "%s/%s", daemon->folder, name);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

/* Depth first, without following links and without leaving the file system. */
static void tree_remove(const char *path)
{
    if (nftw(path, remove_one, REMOVE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 &&
        errno != ENOENT) {
        fprintf(stderr, "carillon bench: cannot remove %s; remove it by hand\n", path);
    }
}

const char *bench_folder_parent(const char *chosen)
{
    const char *parent = chosen != NULL ? chosen : getenv("TMPDIR");

    return parent != NULL && parent[0] != '\0' ? parent : "/var/tmp";
}

int bench_daemon_init(struct bench_daemon *daemon, const char *parent,
                      char ret_text[BENCH_TEXT_BYTES])
{
    char made[BENCH_PATH_BYTES];

    *daemon = (struct bench_daemon){0};
    snprintf(made, sizeof made, "%s/carillon-bench-XXXXXX", bench_folder_parent(parent));
    if (mkdtemp(made) == NULL) {
        snprintf(ret_text, BENCH_TEXT_BYTES, "cannot make a folder %s: %s", made,
                 strerror(errno));
        return ERR_IO;
    }
    char *whole = realpath(made, NULL); /* the daemon is told a path that holds from anywhere */
    if (whole == NULL || strlen(whole) >= sizeof daemon->folder) {
        snprintf(ret_text, BENCH_TEXT_BYTES, "cannot resolve %s", made);
        free(whole);
        (void)rmdir(made); /* it is empty */
        return ERR_IO;
    }
    snprintf(daemon->folder, sizeof daemon->folder, "%s", whole);
    free(whole);
    return OK;
}

int bench_daemon_keep_data(struct bench_daemon *daemon)
{
    char data[BENCH_PATH_BYTES + 32], base[BENCH_PATH_BYTES + 32];

    path_join(daemon, "data", data);
    path_join(daemon, "base", base);
    return rename(data, base) == 0 ? OK : ERR_IO;
}

/* cp knows how to copy a tree, and how to share blocks where the file system can. */
static int tree_copy(const char *from, const char *to)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        execlp("cp", "cp", "-a", "--reflink=auto", from, to, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        /* the copy goes on; an interruption is looked at afterwards */
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OK : ERR_IO;
}

int bench_daemon_renew_data(struct bench_daemon *daemon)
{
    char data[BENCH_PATH_BYTES + 32], base[BENCH_PATH_BYTES + 32];

    path_join(daemon, "data", data);
    path_join(daemon, "base", base);
    tree_remove(data);
    return tree_copy(base, data);
}

/* ---- starting ---- */

static void listener_ignore(struct io_listener *listener)
{
    (void)listener;
}

static int port_find(struct io *io, struct io_listener *listener, uint16_t *ret_port)
{
    int rc = io_listen(io, listener, "127.0.0.1", 0, ret_port);

    if (rc == OK) {
        io_listener_close(io, listener);
    }
    return rc;
}

/* A world of its own, so that the listener is closed for good when this returns. */
static int port_free(uint16_t *ret_port)
{
    struct io_listener listener = {.incoming = listener_ignore, .closed = listener_ignore};
    struct io_uv *world = io_uv_create();

    if (world == NULL) {
        return ERR_IO;
    }
    int rc = port_find(io_uv_world(world), &listener, ret_port);
    io_uv_destroy(world);
    return rc;
}

static int program_find(char out[BENCH_PATH_BYTES])
{
    static const char name[] = "carillond";
    ssize_t len = readlink("/proc/self/exe", out, BENCH_PATH_BYTES - sizeof name);

    if (len <= 0) {
        return ERR_GONE;
    }
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    memcpy(slash == NULL ? out : slash + 1, name, sizeof name);
    return access(out, X_OK) == 0 ? OK : ERR_GONE;
}

static int settings_write(const struct bench_daemon *daemon, const char *path)
{
    FILE *out = fopen(path, "w");

    if (out == NULL) {
        return ERR_IO;
    }
    fprintf(out, "data_folder = \"%s/data\";\nlisten = \"%s\";\n", daemon->folder,
            daemon->address);
    if (daemon->shards > 0) {
        fprintf(out, "shards = %u;\n", daemon->shards);
    }
    return fclose(out) == 0 ? OK : ERR_IO;
}

static _Noreturn void child_run(const char *program, const char *settings, const char *log)
{
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int none = open("/dev/null", O_RDONLY);

    setpgid(0, 0); /* a Ctrl-C on the terminal is for us to pass on */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (out < 0 || none < 0 || dup2(none, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) {
        _exit(127);
    }
    execl(program, program, "--config", settings, (char *)NULL);
    _exit(127);
}

int bench_daemon_start(struct bench_daemon *daemon, char ret_text[BENCH_TEXT_BYTES])
{
    char program[BENCH_PATH_BYTES], settings[BENCH_PATH_BYTES + 32], log[BENCH_PATH_BYTES + 32];
    uint16_t port;
    int rc = program_find(program);

    if (rc != OK) {
        snprintf(ret_text, BENCH_TEXT_BYTES, "no carillond beside this program (%s)", program);
        return rc;
    }
    path_join(daemon, "carillond.conf", settings);
    path_join(daemon, "carillond.log", log);
    rc = port_free(&port);
    if (rc == OK) {
        snprintf(daemon->address, sizeof daemon->address, "127.0.0.1:%u", (unsigned)port);
        rc = settings_write(daemon, settings);
    }
    if (rc != OK) {
        snprintf(ret_text, BENCH_TEXT_BYTES, "cannot prepare %s: %s", daemon->folder,
                 error_text(rc));
        return rc;
    }
    pid_t pid = fork();
    if (pid < 0) {
        snprintf(ret_text, BENCH_TEXT_BYTES, "cannot start a process: %s", strerror(errno));
        return ERR_IO;
    }
    if (pid == 0) {
        child_run(program, settings, log);
    }
    daemon->pid = pid;
    child = (sig_atomic_t)pid;
    return OK;
}

/* ---- watching and ending ---- */

static void log_tail(const struct bench_daemon *daemon, char out[BENCH_TEXT_BYTES])
{
    char log[BENCH_PATH_BYTES + 32];

    path_join(daemon, "carillond.log", log);
    FILE *in = fopen(log, "r");
    if (in == NULL) {
        out[0] = '\0';
        return;
    }
    if (fseek(in, -LOG_TAIL_BYTES, SEEK_END) != 0) {
        rewind(in);
    }
    size_t len = fread(out, 1, LOG_TAIL_BYTES, in);
    out[len] = '\0';
    (void)fclose(in); /* it was only read */
}

/* Returns: whether it has ended, with its wait status. */
static bool has_ended(struct bench_daemon *daemon, int *ret_status)
{
    pid_t pid = waitpid(daemon->pid, ret_status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR)) {
        return false;
    }
    daemon->pid = 0;
    child = 0;
    return true;
}

bool bench_daemon_is_running(struct bench_daemon *daemon, char ret_text[BENCH_TEXT_BYTES])
{
    int status;

    if (daemon->pid != 0 && !has_ended(daemon, &status)) {
        return true;
    }
    log_tail(daemon, ret_text);
    return false;
}

static bool wait_end(struct bench_daemon *daemon, uint32_t patience_ms, int *ret_status)
{
    struct timespec step = {0, WAIT_STEP_MS * 1000000L};

    for (uint32_t waited_ms = 0; waited_ms <= patience_ms; waited_ms += WAIT_STEP_MS) {
        if (has_ended(daemon, ret_status)) {
            return true;
        }
        nanosleep(&step, NULL);
    }
    return false;
}

int bench_daemon_kill(struct bench_daemon *daemon)
{
    int status = 0;

    if (daemon->pid == 0) {
        return OK;
    }
    kill(daemon->pid, SIGKILL);
    if (!wait_end(daemon, STOP_PATIENCE_MS, &status)) {
        fprintf(stderr, "carillon bench: process %d does not end\n", (int)daemon->pid);
        return ERR_IO;
    }
    return OK;
}

int bench_daemon_stop(struct bench_daemon *daemon)
{
    int status = 0;

    if (daemon->pid == 0) {
        return OK;
    }
    kill(daemon->pid, SIGTERM);
    if (wait_end(daemon, STOP_PATIENCE_MS, &status)) {
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OK : ERR_IO;
    }
    int rc = bench_daemon_kill(daemon);
    return rc != OK ? rc : ERR_IO; /* ended, but not by itself */
}

void bench_daemon_fini(struct bench_daemon *daemon)
{
    if (bench_daemon_stop(daemon) != OK) {
        fprintf(stderr, "carillon bench: carillond did not end cleanly\n");
    }
    if (daemon->folder[0] != '\0') {
        tree_remove(daemon->folder);
    }
}
