/* carillon/bench_crowd.h -- a crowd at the node's door: connections that begin a handshake and
 * do not end it, and come again when they are cut off.
 *
 * Layer: carillon (io, io_uv)
 *
 * It is a process of its own, so that what making connections costs is not waited for by the
 * client that is measured beside it; the machine's cores they share, so it says how much of them
 * it took. It computes nothing: its hello was made once and is sent again and again.
 */
#ifndef CARILLON_CARILLON_BENCH_CROWD_H
#define CARILLON_CARILLON_BENCH_CROWD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum bench_crowd_kind {
    BENCH_CROWD_NONE,
    BENCH_CROWD_SILENT, /* three bytes of a handshake, and nothing more */
    BENCH_CROWD_HELLO,  /* its whole first message, which the node answers, and nothing more */
    BENCH_CROWD_SLOW,   /* that message, a byte a second */
    BENCH_CROWD_NR,
};

/* Connections at a time that are slow: as many as the node lets stand there for their 10 s. */
enum { BENCH_CROWD_SLOW_MAX = 250, BENCH_CROWD_MAX = 20000 };

/* Since it began. */
struct bench_crowd_counts {
    uint64_t begun;
    uint64_t ended;  /* by the node */
    uint64_t cpu_us; /* of the process that is the crowd, the kernel's for it included */
};

struct bench_crowd {
    pid_t pid; /* 0: there is none */
    struct bench_crowd_shared *shared;
};

/* Send a crowd of @kind to 127.0.0.1:@port: up to @count connections at a time and @count new
 * ones a second. Errors: ERR_IO no process or no memory to share with it. */
int bench_crowd_start(struct bench_crowd *crowd, enum bench_crowd_kind kind, uint16_t port,
                      uint32_t count) CHECKED;

/* End it. Takes one that was not started. Errors: ERR_IO it had ended by itself. */
int bench_crowd_stop(struct bench_crowd *crowd, struct bench_crowd_counts *ret_counts) CHECKED;

#endif
