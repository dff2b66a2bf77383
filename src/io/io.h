/* io/io.h -- everything log, node and client ask of the world: clocks, timers, random, files,
 * lanes, streams, datagrams.
 *
 * Layer: io (base)
 *
 * Two worlds implement it: io_uv (libuv, the real one) and io_sim (seeded simulation). The code
 * above never knows which. All callbacks run on the loop thread; only a job's run() runs
 * elsewhere (see lanes). A callback never fires inside the call that asked for it. Errors are
 * those of base/error.h; system codes do not leave the world.
 */
#ifndef CARILLON_IO_IO_H
#define CARILLON_IO_IO_H

#include "base/buf.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/slice.h"
#include "io/peer.h"

struct io {
    const struct io_ops *ops;
};

/* ---- clock and random
 * ------------------------------------------------------------------------------------- */

/* Monotonic time in ns; never goes back. Read once per loop turn and cached (io_now_exact_ns
 * reads it anew). */
uint64_t io_now_ns(struct io *io);
uint64_t io_now_exact_ns(struct io *io);

/* Wall clock in ms since 1970 (UTC); may jump. */
uint64_t io_wall_ms(struct io *io);

/* Processor time in ns, read anew by each call: of the calling thread, of the whole process. For
 * figures that people read; nothing may be decided by it. */
struct io_cpu {
    uint64_t user_ns;
    uint64_t system_ns;
};

uint64_t io_cpu_thread_ns(struct io *io);
void io_cpu_process(struct io *io, struct io_cpu *ret_used);

/* Fill with random bytes of the world (from the kernel, or seeded in the simulation). */
void io_random(struct io *io, void *data, size_t len);

/* ---- timers and the end of a turn
 * --------------------------------------------------------------------------- */

struct io_timer {
    struct heap_node node; /* key: due time in ns */
    void (*fired)(struct io_timer *timer);
};

/* Call fired() once after @delay_ms; an armed timer is moved. The caller owns the storage until
 * it fired or was stopped. */
void io_timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms,
                    void (*fired)(struct io_timer *));
void io_timer_stop(struct io *io, struct io_timer *timer);

/* Called at the end of every loop turn that delivered anything: the place to hand over what the
 * turn gathered. */
struct io_turn {
    struct list node;
    void (*ended)(struct io_turn *turn);
    bool again; /* set inside ended(): the loop must not wait, call again after polling (sliced
                   work) */
};

void io_turn_add(struct io *io, struct io_turn *turn, void (*ended)(struct io_turn *));
void io_turn_remove(struct io *io, struct io_turn *turn);

/* ---- files: calls that wait
 * --------------------------------------------------------------------------------- */
/* For the start of a node, and for jobs on a lane. On the loop thread of a serving node they
 * are not used. */

struct io_file; /* owned by the world; closed with io_file_close */

enum io_open {
    IO_OPEN_READ = 1,   /* must exist */
    IO_OPEN_WRITE = 2,  /* must exist; read and write */
    IO_OPEN_CREATE = 3, /* must not exist; read and write */
    IO_OPEN_PRIVATE = 4, /* as READ; ERR_PERMISSION unless it is a plain file that only its
                            owner, this user or root, can read */
};

/* Errors: ERR_GONE, ERR_EXISTS, ERR_DISK_FULL, ERR_IO. */
int io_file_open(struct io *io, const char *path, enum io_open how,
                 struct io_file **ret_file) CHECKED;
void io_file_close(struct io *io, struct io_file *file);

/* Read up to @len bytes at @offset; short only at the end of the file. Errors: ERR_IO. */
int io_file_read(struct io *io, struct io_file *file, uint64_t offset, void *data, size_t len,
                 size_t *ret_len) CHECKED;

/* Write all of @data at @offset. Errors: ERR_DISK_FULL (some of it may be written), ERR_IO. */
int io_file_write(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                  size_t len) CHECKED;

/* fdatasync. After an error the file's unsynced contents are undefined: never try again on it.
 * Errors: ERR_IO, ERR_DISK_FULL (a file system may find out late that it has no room). */
int io_file_sync(struct io *io, struct io_file *file) CHECKED;

int io_file_size(struct io *io, struct io_file *file, uint64_t *ret_size) CHECKED;
int io_file_truncate(struct io *io, struct io_file *file, uint64_t size) CHECKED;

/* Errors: ERR_GONE, ERR_IO. rename replaces @to. */
int io_file_rename(struct io *io, const char *from, const char *to) CHECKED;
int io_file_remove(struct io *io, const char *path) CHECKED;

/* Create the folder if it is not there (mode 0700), parents included. */
int io_folder_make(struct io *io, const char *path) CHECKED;

/* fsync of the folder: makes created, renamed and removed names in it durable. */
int io_folder_sync(struct io *io, const char *path) CHECKED;

/* Call @found for each plain file in the folder, in byte order of the names. Errors: ERR_GONE,
 * ERR_IO, or what found() returned. */
int io_folder_list(struct io *io, const char *path,
                   int (*found)(void *context, const char *name), void *context) CHECKED;

/* Bytes free for this user on the file system that holds @path. */
int io_folder_free_bytes(struct io *io, const char *path, uint64_t *ret_bytes) CHECKED;

/* Take the lock file in @folder for this process, held until unlock or the end of the process.
 * Errors: ERR_LOCKED. */
int io_folder_lock(struct io *io, const char *folder, struct io_file **ret_lock) CHECKED;
void io_folder_unlock(struct io *io, struct io_file *lock);

/* ---- lanes: work that waits for the disk, off the loop
 * -------------------------------------------------------- */

enum io_lane {
    IO_LANE_LOG,  /* the log's writer thread: batches, and nothing that could delay one */
    IO_LANE_BULK, /* snapshots, zero-filling, audit files, compression */
    IO_LANE_NR,
};

/* A job runs on its lane's thread, one after another in the order submitted; then done() on the
 * loop thread. run() touches only what the job owns until done(), and calls only the file
 * functions above. */
struct io_job {
    struct list node;
    void (*run)(struct io *io, struct io_job *job);
    void (*done)(struct io_job *job);
};

void io_lane_submit(struct io *io, enum io_lane lane, struct io_job *job);

/* For the start of a node, before its loop runs: wait until every job that was submitted to
 * @lane has run, and call done() of each here and now. Not from within a job or a done(). */
void io_lane_wait(struct io *io, enum io_lane lane);

/* For a verifier (io/peer.h), which may be called on a thread of the world: call @asked on the
 * loop thread and wait until it has returned. On the loop thread it is a plain call. */
void io_ask(struct io *io, void (*asked)(void *context), void *context);

/* ---- streams: connections
 * ----------------------------------------------------------------------------------- */

/* A byte stream. The caller embeds it, sets the callbacks, and keeps it until closed() was
 * called. Writing: append to `out`, then io_stream_flush(); the world sends as much as it can
 * and calls drained() when a flush that could not finish has emptied `out`. Reading: received()
 * gets each run of bytes, borrowed for the call.
 */
struct io_stream {
    void *world;    /* the world's own part, its struct io * first; NULL before and after use */
    struct buf out; /* bytes to send; max is the caller's bound */
    struct io_tls *tls; /* of a stream that is to connect: how it proves and judges; NULL: plain */
    void (*connected)(struct io_stream *stream, int status); /* of io_stream_connect only */
    void (*received)(struct io_stream *stream, struct slice bytes);
    void (*drained)(struct io_stream *stream); /* may be NULL */
    void (*ended)(struct io_stream *stream,
                  int status);                /* peer closed (ERR_EOF), broke (ERR_IO), or one side
                                                 would not have the other (ERR_UNAUTHENTICATED) */
    void (*closed)(struct io_stream *stream); /* after io_stream_close: storage is free */
};

/* Start connecting to a numeric @address and @port. Errors: ERR_ADDRESS at once; else
 * connected() follows with OK, ERR_REFUSED_CONNECT or ERR_IO; and with tls after the handshake,
 * or with ERR_UNAUTHENTICATED. */
int io_stream_connect(struct io *io, struct io_stream *stream, const char *address,
                      uint16_t port) CHECKED;

void io_stream_flush(struct io *io, struct io_stream *stream);

/* Stop or go on delivering received bytes (a stream starts paused until its first resume). */
void io_stream_pause(struct io *io, struct io_stream *stream);
void io_stream_resume(struct io *io, struct io_stream *stream);

/* Bytes handed over to the world by flush and not yet taken by the kernel (with tls: sealed). */
size_t io_stream_unsent(const struct io_stream *stream);

/* Who is at the other end; final when something was received, or the stream has ended. Borrowed
 * until it is closed. */
const struct io_peer *io_stream_peer(const struct io_stream *stream);

/* Close now; unsent bytes are tried once and then dropped. closed() follows; no other callback
 * does. Initialised but unconnected streams may be closed too. */
void io_stream_close(struct io *io, struct io_stream *stream);

/* With tls the first byte of a connection tells whether it is secured; the owner decides what
 * may be said over one that is not. A handshake that fails ends the stream with
 * ERR_UNAUTHENTICATED, and its peer has the reason. */
struct io_listener {
    void *world;
    struct io_tls *tls; /* NULL: connections are plain. May be set later */
    void (*incoming)(
        struct io_listener *listener); /* call io_accept until it returns ERR_GONE */
    void (*closed)(struct io_listener *listener);
};

/* Listen on a numeric @address (port 0: any free one, see @ret_port). Errors: ERR_ADDRESS,
 * ERR_EXISTS the port is in use, ERR_PERMISSION, ERR_IO. */
int io_listen(struct io *io, struct io_listener *listener, const char *address, uint16_t port,
              uint16_t *ret_port) CHECKED;

/* Take one waiting connection into @stream (callbacks and out set by the caller beforehand).
 * Errors: ERR_GONE none is waiting, or enough for this turn: incoming() follows for the others;
 * ERR_FULL out of descriptors; ERR_IO. */
int io_accept(struct io *io, struct io_listener *listener, struct io_stream *stream) CHECKED;
void io_listener_close(struct io *io, struct io_listener *listener);

/* ---- datagrams
 * ----------------------------------------------------------------------------------- */

enum { IO_DATAGRAM_BYTES_MAX = 1400 }; /* none is cut into pieces on its way */

/* An address for datagrams. Whatever is sent may be lost, come late, twice, or after what was
 * sent later; and anybody may have sent what comes. The caller embeds it, sets the callbacks, and
 * keeps it until closed() was called. */
struct io_datagrams {
    void *world; /* the world's own part; NULL before and after use */
    /* One has come from @address and @port; both are borrowed for the call. Longer ones than
     * IO_DATAGRAM_BYTES_MAX are dropped. */
    void (*received)(struct io_datagrams *datagrams, const char *address, uint16_t port,
                     struct slice bytes);
    void (*closed)(struct io_datagrams *datagrams);
};

/* Receive what is sent to a numeric @address and @port (port 0: any free one, see @ret_port).
 * Errors: as io_listen. */
int io_datagrams_open(struct io *io, struct io_datagrams *datagrams, const char *address,
                      uint16_t port, uint16_t *ret_port) CHECKED;

/* Send @bytes now, to a numeric @address and @port. Errors: ERR_ADDRESS; ERR_FULL the kernel has
 * no room, ERR_IO it does not want to: either is a loss like any other. */
int io_datagrams_send(struct io *io, struct io_datagrams *datagrams, const char *address,
                      uint16_t port, struct slice bytes) CHECKED;

/* closed() follows; no other callback does. */
void io_datagrams_close(struct io *io, struct io_datagrams *datagrams);

/* ---- the world's side
 * ----------------------------------------------------------------------------------------- */

/* Where in the code above the file call in progress on this thread was made. A world may count and choose by it. */
const void *io_call_site(void);

struct io_ops {
    uint64_t (*now_ns)(struct io *io);
    uint64_t (*now_exact_ns)(struct io *io);
    uint64_t (*wall_ms)(struct io *io);
    uint64_t (*cpu_thread_ns)(struct io *io);
    void (*cpu_process)(struct io *io, struct io_cpu *ret_used);
    void (*random)(struct io *io, void *data, size_t len);
    void (*timer_start)(struct io *io, struct io_timer *timer, uint64_t delay_ms);
    void (*timer_stop)(struct io *io, struct io_timer *timer);
    void (*turn_add)(struct io *io, struct io_turn *turn);
    void (*turn_remove)(struct io *io, struct io_turn *turn);
    int (*file_open)(struct io *io, const char *path, enum io_open how,
                     struct io_file **ret_file);
    void (*file_close)(struct io *io, struct io_file *file);
    int (*file_read)(struct io *io, struct io_file *file, uint64_t offset, void *data,
                     size_t len, size_t *ret_len);
    int (*file_write)(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                      size_t len);
    int (*file_sync)(struct io *io, struct io_file *file);
    int (*file_size)(struct io *io, struct io_file *file, uint64_t *ret_size);
    int (*file_truncate)(struct io *io, struct io_file *file, uint64_t size);
    int (*file_rename)(struct io *io, const char *from, const char *to);
    int (*file_remove)(struct io *io, const char *path);
    int (*folder_make)(struct io *io, const char *path);
    int (*folder_sync)(struct io *io, const char *path);
    int (*folder_list)(struct io *io, const char *path,
                       int (*found)(void *context, const char *name), void *context);
    int (*folder_free_bytes)(struct io *io, const char *path, uint64_t *ret_bytes);
    int (*folder_lock)(struct io *io, const char *folder, struct io_file **ret_lock);
    void (*folder_unlock)(struct io *io, struct io_file *lock);
    void (*lane_submit)(struct io *io, enum io_lane lane, struct io_job *job);
    void (*lane_wait)(struct io *io, enum io_lane lane);
    void (*ask)(struct io *io, void (*asked)(void *context), void *context);
    int (*stream_connect)(struct io *io, struct io_stream *stream, const char *address,
                          uint16_t port);
    void (*stream_flush)(struct io *io, struct io_stream *stream);
    void (*stream_pause)(struct io *io, struct io_stream *stream);
    void (*stream_resume)(struct io *io, struct io_stream *stream);
    size_t (*stream_unsent)(const struct io_stream *stream); /* world in stream->world */
    const struct io_peer *(*stream_peer)(const struct io_stream *stream); /* likewise */
    void (*stream_close)(struct io *io, struct io_stream *stream);
    int (*listen)(struct io *io, struct io_listener *listener, const char *address,
                  uint16_t port, uint16_t *ret_port);
    int (*accept)(struct io *io, struct io_listener *listener, struct io_stream *stream);
    void (*listener_close)(struct io *io, struct io_listener *listener);
    int (*datagrams_open)(struct io *io, struct io_datagrams *datagrams, const char *address,
                          uint16_t port, uint16_t *ret_port);
    int (*datagrams_send)(struct io *io, struct io_datagrams *datagrams, const char *address,
                          uint16_t port, struct slice bytes);
    void (*datagrams_close)(struct io *io, struct io_datagrams *datagrams);
    int (*tls_create)(struct io *io, const struct io_tls_options *options,
                      struct io_tls **ret_tls);
    int (*tls_renew)(struct io *io, struct io_tls *tls, const struct io_tls_options *options);
    void (*tls_destroy)(struct io *io, struct io_tls *tls);
};

#endif
