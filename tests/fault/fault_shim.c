/* Preloaded into a daemon under test: its wall clock and its syncs do what a test says while it
 * runs (tests/lib/fault_control.h). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/fault_control.h"

#define EXPORTED __attribute__((visibility("default")))

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static struct fault_control *control;

__attribute__((constructor)) static void find_control(void)
{
    const char *path = getenv(FAULT_CONTROL_VARIABLE);
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    control = map == MAP_FAILED ? NULL : map;
}

/* What ISO C has no cast for. */
static void next_function(const char *name, void *ret_function)
{
    *(void **)ret_function = dlsym(RTLD_NEXT, name);
}

static int sync_with(int fd, const char *name)
{
    int (*next)(int) = NULL;

    next_function(name, &next);
    if (control != NULL) {
        __atomic_fetch_add(&control->syncs, 1, __ATOMIC_RELAXED);
        uint32_t ms = control->sync_ms;
        struct timespec wait = {.tv_sec = ms / MS_PER_S,
                                .tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS};

        if (ms > 0) {
            (void)nanosleep(&wait, NULL);
        }
        if (control->is_sync_failing) {
            __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
            errno = EIO;
            return -1;
        }
    }
    return next(fd);
}

EXPORTED int fsync(int fd)
{
    return sync_with(fd, "fsync");
}

EXPORTED int fdatasync(int fd)
{
    return sync_with(fd, "fdatasync");
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    int (*next)(clockid_t, struct timespec *) = NULL;

    next_function("clock_gettime", &next);
    int rc = next(clock, ret_now);

    if (rc != 0 || control == NULL || clock != CLOCK_REALTIME) {
        return rc;
    }
    __atomic_fetch_add(&control->clock_reads, 1, __ATOMIC_RELAXED);
    int64_t ms = control->clock_ms;
    int64_t ns = ret_now->tv_nsec + ms % MS_PER_S * NS_PER_MS;

    ret_now->tv_sec += ms / MS_PER_S + (ns < 0 ? -1 : ns / NS_PER_S);
    ret_now->tv_nsec = (ns + NS_PER_S) % NS_PER_S;
    return 0;
}

EXPORTED time_t time(time_t *ret_now)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now != NULL) {
        *ret_now = now.tv_sec;
    }
    return now.tv_sec;
}
