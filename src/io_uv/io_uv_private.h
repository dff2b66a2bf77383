/* io_uv/io_uv_private.h -- what the files of io_uv share: the world, deferred calls, the parts
 * of the ops table.
 *
 * Layer: io_uv
 */
#ifndef CARILLON_IO_UV_PRIVATE_H
#define CARILLON_IO_UV_PRIVATE_H

#include <pthread.h>
#include <sys/socket.h>
#include <uv.h>

#include "io_uv/io_uv.h"

enum {
    READ_BUFFER_BYTES = 256 << 10,
    PLAIN_BUFFER_BYTES = READ_BUFFER_BYTES + (32 << 10), /* with what was begun before */
    SIGNALS_NR = 2,
    ACCEPTS_MAX = 16, /* a listener and turn */
    STEPS_MAX = 4,    /* handshakes handed to their lane at a time */
    LANE_ARRIVAL = IO_LANE_NR, /* beside those of io.h: handshakes of who comes in */
    LANES_NR,
};

/* A call put off until the asking call has returned; runs before the loop waits again. */
struct io_uv_later {
    struct list node;
    void (*run)(struct io_uv_later *later);
};

/* What a lane's thread asks of the loop, and waits for. */
struct io_uv_question {
    void (*asked)(void *context);
    void *context;
    bool is_answered;
};

/* A thread and its jobs. The mutex guards queue, finished, question, is_running and
 * is_stopping, and hands a job's contents over. */
struct io_uv_lane {
    struct io_uv *world;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_cond_t idle; /* for lane_wait: the queue is empty and nothing runs, or a question */
    pthread_cond_t answered;
    struct list queue;    /* struct io_job, submitted and not begun */
    struct list finished; /* struct io_job, run and not handed back */
    struct io_uv_question *question; /* NULL: none */
    int niceness;         /* of its thread, beside the loop's */
    bool is_running;      /* a job was taken and not given back */
    bool is_started;
    bool is_stopping;
};

struct io_uv {
    struct io io; /* first: a struct io * of this world is a struct io_uv * */
    uv_loop_t loop;
    uv_prepare_t prepare; /* before the loop waits */
    uv_check_t check;     /* after all that was ready has been delivered */
    uv_idle_t idle;       /* active: do not wait */
    uv_timer_t alarm;     /* for the first of timers */
    uv_timer_t limit;     /* the bound of io_uv_run_once */
    uv_poll_t wake;       /* a lane has finished something, or asks: wake_fd is readable */
    int wake_fd;          /* an eventfd; -1: none */
    uv_signal_t signals[SIGNALS_NR];
    void (*caught)(void *context, int signal_number);
    void *caught_context;

    struct heap timers; /* struct io_timer by due time in ns */
    uint64_t alarm_ns;  /* what alarm is set to; UINT64_MAX: nothing */
    uint64_t now_ns;    /* cached for the turn; 0: read it anew */
    struct list turns;  /* struct io_turn */
    struct list later;  /* struct io_uv_later */
    struct list arrivals; /* struct link that arrives and has something to read, oldest first */
    struct list steps;    /* struct link whose handshake can go on, likewise */
    struct list steps_new; /* those found since the lane was last given some, newest first */
    size_t steps_count;   /* handed to LANE_ARRIVAL and not come back */
    bool has_delivered; /* a callback was made since the last end of a turn */
    bool is_again;      /* a turn asked to be called again */
    struct io_uv_lane lanes[LANES_NR];
    size_t jobs_count;    /* submitted and not handed back */
    size_t open_count;    /* streams and listeners not yet closed by their owner */
    uint8_t *read_buffer; /* READ_BUFFER_BYTES, lent to received() */
    uint8_t
        *plain_buffer; /* PLAIN_BUFFER_BYTES, likewise, of secured streams; NULL: none yet */
};

static inline struct io_uv *io_uv__of(struct io *io)
{
    return (struct io_uv *)(void *)io;
}

/* error.c: the one place where system codes become ours. @code is an errno value. */
int io_uv__error(int code);

/* loop.c */
void *io_uv__alloc(size_t size); /* zeroed; stops the process when memory has ended */
void io_uv__defer(struct io_uv *world, struct io_uv_later *later,
                  void (*run)(struct io_uv_later *later));
void io_uv__cancel(struct io_uv_later *later);

/* clock.c */
uint64_t io_uv__now_ns(struct io *io);
uint64_t io_uv__now_exact_ns(struct io *io);
uint64_t io_uv__wall_ms(struct io *io);
uint64_t io_uv__cpu_thread_ns(struct io *io);
void io_uv__cpu_process(struct io *io, struct io_cpu *ret_used);
void io_uv__random(struct io *io, void *data, size_t len);
void io_uv__timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms);
void io_uv__timer_stop(struct io *io, struct io_timer *timer);
void io_uv__alarm_set(struct io_uv *world);
void io_uv__alarm_on_fire(uv_timer_t *alarm);

/* file.c and folder.c: called from any thread, touch nothing of the world */
int io_uv__file_open(struct io *io, const char *path, enum io_open how,
                     struct io_file **ret_file);
void io_uv__file_close(struct io *io, struct io_file *file);
int io_uv__file_read(struct io *io, struct io_file *file, uint64_t offset, void *data,
                     size_t len, size_t *ret_len);
int io_uv__file_write(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                      size_t len);
int io_uv__file_sync(struct io *io, struct io_file *file);
int io_uv__file_size(struct io *io, struct io_file *file, uint64_t *ret_size);
int io_uv__file_truncate(struct io *io, struct io_file *file, uint64_t size);
int io_uv__file_rename(struct io *io, const char *from, const char *to);
int io_uv__file_remove(struct io *io, const char *path);
int io_uv__folder_make(struct io *io, const char *path);
int io_uv__folder_sync(struct io *io, const char *path);
int io_uv__folder_list(struct io *io, const char *path,
                       int (*found)(void *context, const char *name), void *context);
int io_uv__folder_free_bytes(struct io *io, const char *path, uint64_t *ret_bytes);
int io_uv__folder_lock(struct io *io, const char *folder, struct io_file **ret_lock);
void io_uv__folder_unlock(struct io *io, struct io_file *lock);
struct io_file *io_uv__file_of(int fd); /* takes the descriptor */

/* lane.c */
void io_uv__lanes_init(struct io_uv *world);
void io_uv__lanes_fini(struct io_uv *world);
void io_uv__lane_submit(struct io *io, enum io_lane lane, struct io_job *job);
void io_uv__lane_give(struct io_uv_lane *lane, struct io_job *job);
void io_uv__lane_wait(struct io *io, enum io_lane lane);
void io_uv__ask(struct io *io, void (*asked)(void *context), void *context);
int io_uv__wake_init(struct io_uv *world) CHECKED; /* Returns: 0 or libuv's error. */
void io_uv__wake_fini(struct io_uv *world);        /* the loop has let go of it */

/* address.c. Errors: ERR_ADDRESS. */
int io_uv__address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret_address,
                         socklen_t *ret_len) CHECKED;
bool io_uv__address_is_loopback(const struct sockaddr_storage *address);

/* The port a socket is bound to. Errors: as io_uv__error. */
int io_uv__address_port(int fd, uint16_t *ret_port) CHECKED;

/* The text and port of an address; false: it is of a kind that is not ours. */
bool io_uv__address_format(const struct sockaddr_storage *address, char *text, size_t text_len,
                           uint16_t *ret_port);

/* tls_context.c */
int io_uv__tls_create(struct io *io, const struct io_tls_options *options,
                      struct io_tls **ret_tls);
int io_uv__tls_renew(struct io *io, struct io_tls *tls, const struct io_tls_options *options);
void io_uv__tls_destroy(struct io *io, struct io_tls *tls);

/* stream.c */
int io_uv__stream_connect(struct io *io, struct io_stream *stream, const char *address,
                          uint16_t port);
void io_uv__stream_flush(struct io *io, struct io_stream *stream);
void io_uv__stream_pause(struct io *io, struct io_stream *stream);
void io_uv__stream_resume(struct io *io, struct io_stream *stream);
size_t io_uv__stream_unsent(const struct io_stream *stream);
void io_uv__stream_close(struct io *io, struct io_stream *stream);
const struct io_peer *io_uv__stream_peer(const struct io_stream *stream);
int io_uv__socket_set_up(int fd); /* accepted ones have it from the one that listens */
int io_uv__stream_take(struct io_uv *world, struct io_stream *stream, int fd,
                       const struct sockaddr_storage *from, struct io_tls *offer);

/* arrival.c: read handshakes that wait, for a moment, and hand some to their lane. Returns:
 * whether there were any. */
bool io_uv__arrivals_turn(struct io_uv *world);

/* listener.c */
int io_uv__listen(struct io *io, struct io_listener *listener, const char *address,
                  uint16_t port, uint16_t *ret_port);
int io_uv__accept(struct io *io, struct io_listener *listener, struct io_stream *stream);
void io_uv__listener_close(struct io *io, struct io_listener *listener);

/* datagram.c */
int io_uv__datagrams_open(struct io *io, struct io_datagrams *datagrams, const char *address,
                          uint16_t port, uint16_t *ret_port);
int io_uv__datagrams_send(struct io *io, struct io_datagrams *datagrams, const char *address,
                          uint16_t port, struct slice bytes);
void io_uv__datagrams_close(struct io *io, struct io_datagrams *datagrams);

#endif
