/* io_uv/clock.c -- time, processor time, random bytes, and all timers of a world behind one of libuv's. */
#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "base/assert.h"
#include "io_uv/io_uv_private.h"

enum { NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

uint64_t io_uv__now_exact_ns(struct io *io)
{
    (void)io;
    return uv_hrtime();
}

uint64_t io_uv__now_ns(struct io *io)
{
    struct io_uv *world = io_uv__of(io);
    if (world->now_ns == 0) {
        world->now_ns = uv_hrtime();
    }
    return world->now_ns;
}

uint64_t io_uv__wall_ms(struct io *io)
{
    (void)io;
    struct timespec now;
    int rc = clock_gettime(CLOCK_REALTIME, &now);
    ASSERT(rc == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

uint64_t io_uv__cpu_thread_ns(struct io *io)
{
    (void)io;
    struct timespec used;
    int rc = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    ASSERT(rc == 0);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

void io_uv__cpu_process(struct io *io, struct io_cpu *ret_used)
{
    (void)io;
    struct rusage usage;
    int rc = getrusage(RUSAGE_SELF, &usage);
    ASSERT(rc == 0);
    *ret_used =
        (struct io_cpu){.user_ns = ns_of(usage.ru_utime), .system_ns = ns_of(usage.ru_stime)};
}

void io_uv__random(struct io *io, void *data, size_t len)
{
    (void)io;
    uint8_t *at = data;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

void io_uv__timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms)
{
    struct io_uv *world = io_uv__of(io);
    heap_remove(&world->timers, &timer->node);
    heap_add(&world->timers, &timer->node, io_uv__now_ns(io) + delay_ms * NS_PER_MS);
}

void io_uv__timer_stop(struct io *io, struct io_timer *timer)
{
    heap_remove(&io_uv__of(io)->timers, &timer->node);
}

/* Set the alarm for the first timer, unless it is set to ring early enough: an alarm that rings
 * for a timer since stopped costs one wake-up, which is less than setting it anew at every
 * stop. */
void io_uv__alarm_set(struct io_uv *world)
{
    struct heap_node *first = heap_first(&world->timers);
    if (first == NULL || first->key >= world->alarm_ns) {
        return;
    }
    uint64_t now = uv_hrtime();
    uint64_t wait_ms = first->key <= now ? 0 : (first->key - now + NS_PER_MS - 1) / NS_PER_MS;
    int rc = uv_timer_start(&world->alarm, io_uv__alarm_on_fire, wait_ms, 0);
    ASSERT(rc == 0);
    world->alarm_ns = first->key;
}

/* Fires what is due. A timer started from a callback here waits for the next turn, however
 * short its delay. */
void io_uv__alarm_on_fire(uv_timer_t *alarm)
{
    struct io_uv *world = alarm->data;
    world->alarm_ns = UINT64_MAX;
    uint64_t now = uv_hrtime();
    size_t most = world->timers.count;
    for (size_t i = 0; i < most; i++) {
        struct heap_node *first = heap_first(&world->timers);
        if (first == NULL || first->key > now) {
            break;
        }
        heap_remove(&world->timers, first);
        world->has_delivered = true;
        struct io_timer *timer = CONTAINER_OF(first, struct io_timer, node);
        timer->fired(timer);
    }
}
