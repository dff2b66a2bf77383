#include "carillon/bench_crowd.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "io_uv/io_uv.h"

enum {
    HELLO_BYTES_MAX = 4096,
    SILENT_BYTES = 3,
    TURN_MS = 1,
    NS_PER_S = 1000000000,
    LATE_NS_MAX = 100000000, /* what was not begun in time is not made up for later than this */
};

/* What the process tells us while it runs. */
struct bench_crowd_shared {
    _Atomic uint64_t begun;
    _Atomic uint64_t ended;
};

struct process;

/* One connection after another. */
struct caller {
    struct list node; /* in process.free while it has none */
    struct io_stream stream;
    struct process *process;
    size_t said; /* bytes of the hello */
    bool is_open;
};

struct process {
    struct io_uv *world;
    struct io *io;
    struct bench_crowd_shared *shared;
    enum bench_crowd_kind kind;
    uint16_t port;
    uint32_t count;
    uint32_t per_second;
    struct buf hello;
    struct caller *callers;
    struct list free;
    pid_t parent;
    uint64_t next_ns; /* when the next connection is due */
    uint64_t slow_ns; /* when the next slow one says its byte */
    uint32_t slow_at;
};

/* ---- the first message of a handshake, as our own TLS would send it ---- */

struct capture {
    struct io *io;
    struct buf *hello;
    struct io_listener listener;
    struct io_stream caller;
    struct io_stream called;
    uint32_t open_count;
};

static void capture_on_listener_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct capture, listener)->open_count--;
}

static void caller_on_closed(struct io_stream *stream)
{
    CONTAINER_OF(stream, struct capture, caller)->open_count--;
}

static void called_on_closed(struct io_stream *stream)
{
    CONTAINER_OF(stream, struct capture, called)->open_count--;
}

static void caller_on_connected(struct io_stream *stream, int status)
{
    ASSERT(status != OK); /* nobody answers */
    io_stream_close(CONTAINER_OF(stream, struct capture, caller)->io, stream);
}

static void stream_ignore_bytes(struct io_stream *stream, struct slice bytes)
{
    (void)stream;
    (void)bytes;
}

static void stream_ignore_end(struct io_stream *stream, int status)
{
    (void)stream;
    (void)status;
}

/* A first message is one record, and short enough to come whole. */
static void called_on_received(struct io_stream *stream, struct slice bytes)
{
    struct capture *capture = CONTAINER_OF(stream, struct capture, called);
    int rc = buf_append_slice(capture->hello, bytes);

    ASSERT(rc == OK);
    io_stream_close(capture->io, stream);
    io_listener_close(capture->io, &capture->listener);
}

static void capture_on_incoming(struct io_listener *listener)
{
    struct capture *capture = CONTAINER_OF(listener, struct capture, listener);

    if (capture->called.world == NULL &&
        io_accept(capture->io, listener, &capture->called) == OK) {
        capture->open_count++;
        io_stream_resume(capture->io, &capture->called);
    }
}

static enum io_refusal verify_nobody(void *context, struct slice certificate,
                                     struct slice issuer, struct io_peer *ret_peer)
{
    (void)context;
    (void)certificate;
    (void)issuer;
    (void)ret_peer;
    return IO_REFUSAL_CERTIFICATE;
}

static int hello_capture(struct process *process)
{
    const struct io_tls_options options = {.verify = verify_nobody};
    struct capture capture = {.io = process->io, .hello = &process->hello};
    uint16_t port = 0;

    capture.listener = (struct io_listener){.incoming = capture_on_incoming,
                                            .closed = capture_on_listener_closed};
    capture.caller = (struct io_stream){.connected = caller_on_connected,
                                        .received = stream_ignore_bytes,
                                        .ended = stream_ignore_end,
                                        .closed = caller_on_closed};
    capture.called = (struct io_stream){
        .received = called_on_received, .ended = stream_ignore_end, .closed = called_on_closed};
    int rc = io_tls_create(process->io, &options, &capture.caller.tls);

    rc = rc == OK ? io_listen(process->io, &capture.listener, "127.0.0.1", 0, &port) : rc;
    rc = rc == OK ? io_stream_connect(process->io, &capture.caller, "127.0.0.1", port) : rc;
    if (rc != OK) {
        return rc;
    }
    capture.open_count = 2;
    while (capture.open_count > 0) {
        io_uv_run_once(process->world, TURN_MS);
    }
    io_tls_destroy(process->io, capture.caller.tls);
    return OK;
}

/* ---- a connection ---- */

static void caller_say(struct caller *caller, size_t len)
{
    struct process *process = caller->process;
    struct slice bytes = slice_sub(buf_slice(&process->hello), caller->said, len);
    int rc = buf_append_slice(&caller->stream.out, bytes);

    ASSERT(rc == OK);
    caller->said += bytes.len;
    io_stream_flush(process->io, &caller->stream);
}

static void stream_on_connected(struct io_stream *stream, int status)
{
    struct caller *caller = CONTAINER_OF(stream, struct caller, stream);
    struct process *process = caller->process;
    static const size_t first[BENCH_CROWD_NR] = {[BENCH_CROWD_SILENT] = SILENT_BYTES,
                                                 [BENCH_CROWD_HELLO] = SIZE_MAX,
                                                 [BENCH_CROWD_SLOW] = 1};

    if (status != OK) {
        io_stream_close(process->io, stream);
        return;
    }
    caller->is_open = true;
    io_stream_resume(process->io, stream);
    caller_say(caller, first[process->kind]);
}

static void stream_on_ended(struct io_stream *stream, int status)
{
    struct caller *caller = CONTAINER_OF(stream, struct caller, stream);

    (void)status;
    caller->is_open = false;
    caller->process->shared->ended++;
    io_stream_close(caller->process->io, stream);
}

static void stream_on_closed(struct io_stream *stream)
{
    struct caller *caller = CONTAINER_OF(stream, struct caller, stream);

    buf_fini(&stream->out);
    list_add(&caller->process->free, &caller->node);
}

static void caller_begin(struct caller *caller)
{
    struct process *process = caller->process;

    caller->said = 0;
    caller->stream = (struct io_stream){.connected = stream_on_connected,
                                        .received = stream_ignore_bytes,
                                        .ended = stream_on_ended,
                                        .closed = stream_on_closed};
    buf_init(&caller->stream.out, HELLO_BYTES_MAX);
    int rc = io_stream_connect(process->io, &caller->stream, "127.0.0.1", process->port);

    ASSERT(rc == OK);
    process->shared->begun++;
}

/* ---- the process ---- */

/* Begin the connections that are due, as far as there is room for them. */
static void crowd_begin(struct process *process, uint64_t now_ns)
{
    if (now_ns > process->next_ns + LATE_NS_MAX) {
        process->next_ns = now_ns - LATE_NS_MAX;
    }
    while (process->next_ns <= now_ns && !list_is_empty(&process->free)) {
        struct list *node = process->free.next;

        list_remove(node);
        caller_begin(CONTAINER_OF(node, struct caller, node));
        process->next_ns += NS_PER_S / process->per_second;
    }
}

/* Every slow one says a byte a second, one after the other. */
static void crowd_drip(struct process *process, uint64_t now_ns)
{
    while (process->kind == BENCH_CROWD_SLOW && process->slow_ns <= now_ns) {
        struct caller *caller = &process->callers[process->slow_at];

        if (caller->is_open) {
            caller_say(caller, 1);
        }
        process->slow_at = (process->slow_at + 1) % process->count;
        process->slow_ns += NS_PER_S / process->count;
    }
}

static int process_prepare(struct process *process)
{
    struct rlimit limit;

    process->world = io_uv_create();
    if (process->world == NULL || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return ERR_IO;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return ERR_IO;
    }
    process->io = io_uv_world(process->world);
    buf_init(&process->hello, HELLO_BYTES_MAX);
    list_init(&process->free);
    process->callers = calloc(process->count, sizeof *process->callers);
    if (process->callers == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < process->count; i++) {
        process->callers[i].process = process;
        list_add(&process->free, &process->callers[i].node);
    }
    return hello_capture(process);
}

/* Goes on until it is ended from outside. */
static _Noreturn void process_run(struct process *process)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != process->parent || process_prepare(process) != OK) {
        _exit(EXIT_FAILURE);
    }
    process->next_ns = io_now_exact_ns(process->io);
    process->slow_ns = process->next_ns + NS_PER_S;
    for (;;) {
        uint64_t now_ns = io_now_exact_ns(process->io);

        crowd_begin(process, now_ns);
        crowd_drip(process, now_ns);
        io_uv_run_once(process->world, TURN_MS);
    }
}

int bench_crowd_start(struct bench_crowd *crowd, enum bench_crowd_kind kind, uint16_t port,
                      uint32_t count)
{
    bool is_slow = kind == BENCH_CROWD_SLOW;
    struct process process = {
        .kind = kind,
        .port = port,
        .count = is_slow && count > BENCH_CROWD_SLOW_MAX ? BENCH_CROWD_SLOW_MAX : count,
        .per_second = count,
        .parent = getpid(),
    };

    ASSERT(kind != BENCH_CROWD_NONE && kind < BENCH_CROWD_NR);
    ASSERT(count > 0 && count <= BENCH_CROWD_MAX);
    *crowd = (struct bench_crowd){0};
    process.shared = mmap(NULL, sizeof *process.shared, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (process.shared == MAP_FAILED) {
        return ERR_IO;
    }
    pid_t pid = fork();
    if (pid < 0) {
        (void)munmap(process.shared, sizeof *process.shared);
        return ERR_IO;
    }
    if (pid == 0) {
        process_run(&process);
    }
    crowd->pid = pid;
    crowd->shared = process.shared;
    return OK;
}

static uint64_t us_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

int bench_crowd_stop(struct bench_crowd *crowd, struct bench_crowd_counts *ret_counts)
{
    struct rusage usage = {0};
    int status = 0;

    *ret_counts = (struct bench_crowd_counts){0};
    if (crowd->pid == 0) {
        return OK;
    }
    kill(crowd->pid, SIGKILL);
    while (wait4(crowd->pid, &status, 0, &usage) < 0 && errno == EINTR) {
        /* it has no say in it: it ends at once */
    }
    ret_counts->begun = crowd->shared->begun;
    ret_counts->ended = crowd->shared->ended;
    ret_counts->cpu_us = us_of(usage.ru_utime) + us_of(usage.ru_stime);
    (void)munmap(crowd->shared, sizeof *crowd->shared);
    *crowd = (struct bench_crowd){0};
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? OK : ERR_IO;
}
