/* io_uv/io_uv.h -- the real world behind io/io.h: one libuv loop, sockets, POSIX files, two
 * disk threads.
 *
 * Layer: io_uv (base, io, libuv)
 *
 * A world belongs to one thread: every call but the file functions of io/io.h is made there.
 * Several worlds may exist in one process, each with a thread of its own.
 */
#ifndef CARILLON_IO_UV_H
#define CARILLON_IO_UV_H

#include "io/io.h"

struct io_uv;

/* A machine that is gone without a word is noticed: on a connection where nothing is said after
 * so long a silence and so many questions; on one that was made from here, where something was,
 * when so long nothing of it was acknowledged. */
enum {
    IO_UV_IDLE_S = 5,
    IO_UV_PROBE_S = 2,
    IO_UV_PROBES = 3,
    IO_UV_UNACKNOWLEDGED_MS = 20000,
};

/* A new world. Returns: NULL when the system has no descriptor left for a loop. */
struct io_uv *io_uv_create(void);

/* Wait for submitted jobs, deliver what was closed, and free the world. Every stream and
 * listener has been closed by its owner; their closed() may still be called from here. */
void io_uv_destroy(struct io_uv *world);

/* What the code above is given. Lives as long as the world. */
struct io *io_uv_world(struct io_uv *world);

/* Deliver events until io_uv_stop() is called from a callback. */
void io_uv_run(struct io_uv *world);
void io_uv_stop(struct io_uv *world);

/* Deliver what is ready, waiting for the first event at most @timeout_ms (0: not at all,
 * negative: for ever). Ends with the end-of-turn hooks, so that nothing gathered is left
 * behind. */
void io_uv_run_once(struct io_uv *world, int timeout_ms);

/* For a program with a loop of its own: after each of its turns it calls io_uv_run_once(world,
 * 0), then waits for the descriptor to become readable, at most io_uv_wait_ms() (-1: for ever).
 */
int io_uv_backend_fd(const struct io_uv *world);
int io_uv_wait_ms(struct io_uv *world);

/* Call @caught on the loop thread for every SIGTERM and SIGINT from now on. At most once per
 * world. */
int io_uv_watch_signals(struct io_uv *world, void (*caught)(void *context, int signal_number),
                        void *context) CHECKED;

#endif
