#include "tests/lib/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FLAGS_MAX = 16, START_MS = 60000, STEP_MS = 2 };

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

static char runtime_folder[DAEMON_PATH_BYTES];

static void runtime_remove(void)
{
    (void)nftw(runtime_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The local credential goes where the clients of this process, and those it starts, look for
 * it, and where nobody else's is. */
static void runtime_make(void)
{
    if (runtime_folder[0] != '\0') {
        return;
    }
    (void)snprintf(runtime_folder, sizeof runtime_folder, "/tmp/carillon-run-XXXXXX");
    if (mkdtemp(runtime_folder) == NULL || setenv("XDG_RUNTIME_DIR", runtime_folder, 1) != 0 ||
        setenv("XDG_CONFIG_HOME", runtime_folder, 1) != 0 || atexit(runtime_remove) != 0) {
        perror(runtime_folder);
        exit(1);
    }
}

void daemon_init(struct daemon *daemon)
{
    const char *parent = getenv("TMPDIR");

    runtime_make();

    *daemon = (struct daemon){0};
    (void)snprintf(daemon->folder, sizeof daemon->folder, "%s/carillon-test-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    if (mkdtemp(daemon->folder) == NULL) {
        perror(daemon->folder);
        exit(1);
    }
}

static void path_of(const struct daemon *daemon, const char *name,
                    char out[DAEMON_PATH_BYTES + 16])
{
    (void)snprintf(out, DAEMON_PATH_BYTES + 16, "%s/%s", daemon->folder, name);
}

static _Noreturn void run(const struct daemon *daemon, const char *program,
                          const char *const *flags)
{
    char data[DAEMON_PATH_BYTES + 16];
    char port[DAEMON_PATH_BYTES + 16];
    char log[DAEMON_PATH_BYTES + 16];
    const char *arguments[FLAGS_MAX + 8] = {program,       "--data",      data, "--listen",
                                            "127.0.0.1:0", "--port-file", port};
    size_t count = 7;

    path_of(daemon, "data", data);
    path_of(daemon, "port", port);
    path_of(daemon, "log", log);
    while (flags != NULL && *flags != NULL && count < FLAGS_MAX + 7) {
        arguments[count++] = *flags++;
    }
    arguments[count] = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
    }
    union {
        const char *const *from;
        char *const *to;
    } cast = {.from = arguments};
    (void)execv(program, cast.to);
    perror(program);
    _exit(127);
}

static bool read_port(struct daemon *daemon, const char *path)
{
    unsigned port = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return false;
    }
    int fields = fscanf(file, "%u\n", &port);
    (void)fclose(file);
    (void)snprintf(daemon->address, sizeof daemon->address, "127.0.0.1:%u", port);
    return fields == 1 && port != 0;
}

bool daemon_start(struct daemon *daemon, const char *program, const char *const *flags)
{
    char port[DAEMON_PATH_BYTES + 16];
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

    path_of(daemon, "port", port);
    (void)unlink(port);
    daemon->pid = fork();
    if (daemon->pid == 0) {
        run(daemon, program, flags);
    }
    for (int waited = 0; waited < START_MS; waited += STEP_MS) {
        int status;

        if (read_port(daemon, port)) {
            return true;
        }
        if (waitpid(daemon->pid, &status, WNOHANG) == daemon->pid) {
            daemon->pid = 0;
            return false;
        }
        (void)nanosleep(&step, NULL);
    }
    (void)daemon_signal(daemon, SIGKILL);
    return false;
}

int daemon_signal(struct daemon *daemon, int signal)
{
    int status = 0;

    (void)kill(daemon->pid, signal);
    while (waitpid(daemon->pid, &status, 0) < 0 && errno == EINTR) {
    }
    daemon->pid = 0;
    return status;
}

char *daemon_log(const struct daemon *daemon)
{
    char path[DAEMON_PATH_BYTES + 16];
    char *text = calloc(1, 1 << 20);

    path_of(daemon, "log", path);
    FILE *file = fopen(path, "re");
    if (file != NULL && text != NULL) {
        (void)!fread(text, 1, (1 << 20) - 1, file);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

void daemon_fini(struct daemon *daemon)
{
    if (daemon->pid != 0) {
        (void)daemon_signal(daemon, SIGKILL);
    }
    (void)nftw(daemon->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
