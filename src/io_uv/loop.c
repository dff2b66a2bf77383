/* io_uv/loop.c -- the world: its libuv loop, what happens at the end of a turn, running and
 * stopping. */
#include <signal.h>
#include <stdlib.h>

#include "base/assert.h"
#include "io_uv/io_uv_private.h"

void *io_uv__alloc(size_t size)
{
    void *block = calloc(1, size);
    ASSERT(block != NULL);
    return block;
}

void io_uv__defer(struct io_uv *world, struct io_uv_later *later,
                  void (*run)(struct io_uv_later *later))
{
    if (!list_is_linked(&later->node)) {
        list_add(&world->later, &later->node);
    }
    later->run = run;
}

void io_uv__cancel(struct io_uv_later *later)
{
    list_remove(&later->node);
}

/* ---- turns ---- */

static void turn_add(struct io *io, struct io_turn *turn)
{
    list_add(&io_uv__of(io)->turns, &turn->node);
}

static void turn_remove(struct io *io, struct io_turn *turn)
{
    (void)io;
    list_remove(&turn->node);
}

/* Calls every turn hook once. A hook may remove itself and others, and add new ones, which wait
 * for the next turn. */
static void turns_end(struct io_uv *world)
{
    struct list rest;
    list_move(&world->turns, &rest);
    world->has_delivered = false;
    while (!list_is_empty(&rest)) {
        struct list *node = rest.next;
        list_remove(node);
        list_add(&world->turns, node);
        struct io_turn *turn = CONTAINER_OF(node, struct io_turn, node);
        turn->again = false;
        turn->ended(turn);
    }
    world->is_again = false;
    struct list *node;
    struct list *following;
    LIST_EACH(node, following, &world->turns)
    {
        world->is_again |= CONTAINER_OF(node, struct io_turn, node)->again;
    }
}

/* Runs what was put off. What these calls put off in turn waits for the next round, so that a
 * callback which asks again and again cannot keep the loop from its sockets. */
static void later_run(struct io_uv *world)
{
    struct list due;
    list_move(&world->later, &due);
    while (!list_is_empty(&due)) {
        struct list *node = due.next;
        list_remove(node);
        world->has_delivered = true;
        struct io_uv_later *later = CONTAINER_OF(node, struct io_uv_later, node);
        later->run(later);
    }
}

/* libuv's order in a turn is: timers, prepare, wait and deliver, check, closed. The hooks must
 * run after all input that was ready and before the loop waits, so both ends of the wait look
 * whether anything was delivered. */
static void check_on_turn(uv_check_t *check)
{
    struct io_uv *world = check->data;
    if (world->has_delivered || world->is_again) {
        turns_end(world);
    }
}

static void idle_on_turn(uv_idle_t *idle)
{
    (void)idle; /* being active is all it does: the loop does not wait */
}

static void prepare_on_turn(uv_prepare_t *prepare)
{
    struct io_uv *world = prepare->data;
    bool was_late = !list_is_empty(&world->later);
    later_run(world);
    was_late |= io_uv__arrivals_turn(world);
    if (world->has_delivered) {
        turns_end(world);
    }
    io_uv__alarm_set(world);
    /* What was put off may be what io_uv_run_once() was to wait for: it must not wait for more.
     */
    bool must_not_wait = world->is_again || was_late || !list_is_empty(&world->later) ||
                         !list_is_empty(&world->arrivals);
    int rc =
        must_not_wait ? uv_idle_start(&world->idle, idle_on_turn) : uv_idle_stop(&world->idle);
    ASSERT(rc == 0);
    world->now_ns = 0;
}

/* ---- running ---- */

void io_uv_run(struct io_uv *world)
{
    ASSERT(world != NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

void io_uv_stop(struct io_uv *world)
{
    ASSERT(world != NULL);
    uv_stop(&world->loop);
}

static void limit_on_fire(uv_timer_t *limit)
{
    (void)limit; /* it has ended the wait: that was its purpose */
}

void io_uv_run_once(struct io_uv *world, int timeout_ms)
{
    ASSERT(world != NULL);
    world->now_ns = 0;
    if (timeout_ms > 0) {
        uv_update_time(&world->loop);
        int rc = uv_timer_start(&world->limit, limit_on_fire, (uint64_t)timeout_ms, 0);
        ASSERT(rc == 0);
    }
    uv_run(&world->loop, timeout_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    if (timeout_ms > 0) {
        int rc = uv_timer_stop(&world->limit);
        ASSERT(rc == 0);
    }
    if (world->has_delivered) {
        turns_end(world); /* closed() and timers came after the check */
    }
}

int io_uv_backend_fd(const struct io_uv *world)
{
    ASSERT(world != NULL);
    return uv_backend_fd(&world->loop);
}

int io_uv_wait_ms(struct io_uv *world)
{
    ASSERT(world != NULL);
    if (world->is_again || world->has_delivered || !list_is_empty(&world->later) ||
        !list_is_empty(&world->arrivals)) {
        return 0;
    }
    io_uv__alarm_set(world);
    return uv_backend_timeout(&world->loop);
}

struct io *io_uv_world(struct io_uv *world)
{
    ASSERT(world != NULL);
    return &world->io;
}

/* ---- signals ---- */

static void signal_on_catch(uv_signal_t *watch, int signal_number)
{
    struct io_uv *world = watch->data;
    world->has_delivered = true;
    world->caught(world->caught_context, signal_number);
}

int io_uv_watch_signals(struct io_uv *world, void (*caught)(void *context, int signal_number),
                        void *context)
{
    static const int watched[SIGNALS_NR] = {SIGTERM, SIGINT};
    ASSERT(world != NULL);
    ASSERT(caught != NULL);
    ASSERT(world->caught == NULL);
    world->caught = caught;
    world->caught_context = context;
    for (size_t i = 0; i < SIGNALS_NR; i++) {
        int rc = uv_signal_init(&world->loop, &world->signals[i]);
        if (rc != 0) {
            return io_uv__error(-rc);
        }
        world->signals[i].data = world;
        rc = uv_signal_start(&world->signals[i], signal_on_catch, watched[i]);
        if (rc != 0) {
            return io_uv__error(-rc);
        }
    }
    return OK;
}

/* ---- life ---- */

static const struct io_ops ops = {
    .now_ns = io_uv__now_ns,
    .now_exact_ns = io_uv__now_exact_ns,
    .wall_ms = io_uv__wall_ms,
    .cpu_thread_ns = io_uv__cpu_thread_ns,
    .cpu_process = io_uv__cpu_process,
    .random = io_uv__random,
    .timer_start = io_uv__timer_start,
    .timer_stop = io_uv__timer_stop,
    .turn_add = turn_add,
    .turn_remove = turn_remove,
    .file_open = io_uv__file_open,
    .file_close = io_uv__file_close,
    .file_read = io_uv__file_read,
    .file_write = io_uv__file_write,
    .file_sync = io_uv__file_sync,
    .file_size = io_uv__file_size,
    .file_truncate = io_uv__file_truncate,
    .file_rename = io_uv__file_rename,
    .file_remove = io_uv__file_remove,
    .folder_make = io_uv__folder_make,
    .folder_sync = io_uv__folder_sync,
    .folder_list = io_uv__folder_list,
    .folder_free_bytes = io_uv__folder_free_bytes,
    .folder_lock = io_uv__folder_lock,
    .folder_unlock = io_uv__folder_unlock,
    .lane_submit = io_uv__lane_submit,
    .lane_wait = io_uv__lane_wait,
    .ask = io_uv__ask,
    .stream_connect = io_uv__stream_connect,
    .stream_flush = io_uv__stream_flush,
    .stream_pause = io_uv__stream_pause,
    .stream_resume = io_uv__stream_resume,
    .stream_unsent = io_uv__stream_unsent,
    .stream_peer = io_uv__stream_peer,
    .stream_close = io_uv__stream_close,
    .listen = io_uv__listen,
    .accept = io_uv__accept,
    .listener_close = io_uv__listener_close,
    .datagrams_open = io_uv__datagrams_open,
    .datagrams_send = io_uv__datagrams_send,
    .datagrams_close = io_uv__datagrams_close,
    .tls_create = io_uv__tls_create,
    .tls_renew = io_uv__tls_renew,
    .tls_destroy = io_uv__tls_destroy,
};

/* Everything of libuv that a world has from its first moment; the loop is there. Returns: 0 or
 * libuv's error. */
static int handles_init(struct io_uv *world)
{
    uv_loop_t *loop = &world->loop;
    int rc = uv_prepare_init(loop, &world->prepare);
    rc |= uv_check_init(loop, &world->check);
    rc |= uv_idle_init(loop, &world->idle);
    rc |= uv_timer_init(loop, &world->alarm);
    rc |= uv_timer_init(loop, &world->limit);
    rc |= uv_prepare_start(&world->prepare, prepare_on_turn);
    rc |= uv_check_start(&world->check, check_on_turn);
    ASSERT(rc == 0); /* these cannot fail: they only fill in the handle */
    world->prepare.data = world;
    world->check.data = world;
    world->alarm.data = world;
    return io_uv__wake_init(world);
}

static void handle_close(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void handles_fini(struct io_uv *world)
{
    uv_walk(&world->loop, handle_close, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    io_uv__wake_fini(world);
    int rc = uv_loop_close(&world->loop);
    ASSERT(rc == 0);
}

struct io_uv *io_uv_create(void)
{
    struct io_uv *world = io_uv__alloc(sizeof(*world));
    if (uv_loop_init(&world->loop) != 0) {
        free(world);
        return NULL;
    }
    if (handles_init(world) != 0) {
        handles_fini(world);
        free(world);
        return NULL;
    }
    world->io.ops = &ops;
    world->alarm_ns = UINT64_MAX;
    world->read_buffer = io_uv__alloc(READ_BUFFER_BYTES);
    list_init(&world->turns);
    list_init(&world->later);
    list_init(&world->arrivals);
    list_init(&world->steps);
    list_init(&world->steps_new);
    heap_init(&world->timers);
    io_uv__lanes_init(world);
    return world;
}

void io_uv_destroy(struct io_uv *world)
{
    ASSERT(world != NULL);
    ASSERT(world->open_count == 0);
    while (world->jobs_count > 0) {
        io_uv_run_once(world, -1);
    }
    io_uv__lanes_fini(world);
    while (!list_is_empty(&world->later)) {
        later_run(world);
    }
    handles_fini(world);
    heap_fini(&world->timers);
    free(world->read_buffer);
    free(world->plain_buffer);
    free(world);
}
