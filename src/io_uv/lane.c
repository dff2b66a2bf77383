/* io_uv/lane.c -- lanes: one thread each, started with its first job.
 *
 * A job passes through two lists under one mutex: queue (submitted) and finished (run). The
 * thread takes one job at a time and hands it back at once, because a job may last; the loop
 * takes all that are finished. Several jobs finished before the loop wakes cost one wake-up.
 * Between jobs a thread that finds the queue empty sleeps; it does not spin, for on a small
 * machine the core it would burn is the one that the loop needs.
 *
 * A job may ask the loop something and wait for the answer (io_ask): what it asks is answered
 * at the wake-up that hands jobs back. The loop never waits for a lane that could be asking,
 * but in lane_wait, which answers too.
 */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "io_uv/io_uv_private.h"

/* Where cores are scarce a newcomer's signature waits for answers to who is in; at this value
 * it still gets about a third of what the loop gets, so that nobody is kept out for good. */
enum { ARRIVAL_NICENESS = 5 };

/* ---- waking the loop ---- */

/* An eventfd of our own, and not libuv's uv_async: there the loop spins until whoever woke it
 * has come back from doing so, and a lane that yields to the loop does not come back while it
 * spins. */
static void wake_loop(const struct io_uv *world)
{
    const uint64_t one = 1;
    ssize_t len;
    do {
        len = write(world->wake_fd, &one, sizeof one);
    } while (len < 0 && errno == EINTR);
    ASSERT(len == sizeof one); /* what nobody read yet adds up, and never to so much */
}

static void wake_on_poll(uv_poll_t *wake, int status, int events);

int io_uv__wake_init(struct io_uv *world)
{
    world->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (world->wake_fd < 0) {
        return -errno; /* libuv's errors are these */
    }
    int rc = uv_poll_init(&world->loop, &world->wake, world->wake_fd);
    if (rc == 0) {
        world->wake.data = world;
        rc = uv_poll_start(&world->wake, UV_READABLE, wake_on_poll);
    }
    return rc;
}

void io_uv__wake_fini(struct io_uv *world)
{
    if (world->wake_fd >= 0) {
        (void)close(world->wake_fd);
    }
}

/* The next job, or NULL when the world ends. */
static struct io_job *lane_take(struct io_uv_lane *lane)
{
    struct io_job *job = NULL;
    pthread_mutex_lock(&lane->mutex);
    while (list_is_empty(&lane->queue) && !lane->is_stopping) {
        pthread_cond_wait(&lane->wake, &lane->mutex);
    }
    if (!list_is_empty(&lane->queue)) {
        job = CONTAINER_OF(lane->queue.next, struct io_job, node);
        list_remove(&job->node);
        lane->is_running = true;
    }
    pthread_mutex_unlock(&lane->mutex);
    return job;
}

static void lane_give_back(struct io_uv_lane *lane, struct io_job *job)
{
    pthread_mutex_lock(&lane->mutex);
    bool is_first = list_is_empty(&lane->finished);
    list_add(&lane->finished, &job->node);
    lane->is_running = false;
    if (list_is_empty(&lane->queue)) {
        pthread_cond_signal(&lane->idle);
    }
    pthread_mutex_unlock(&lane->mutex);
    if (is_first) {
        wake_loop(lane->world);
    }
}

/* The lane whose thread this is; NULL: the loop's. */
static _Thread_local struct io_uv_lane *lane_here;

static void *lane_run(void *context)
{
    struct io_uv_lane *lane = context;
    struct io_job *job;
    lane_here = lane;
    if (lane->niceness > 0) {
        /* Linux has one niceness a thread, and this one has its parent's so far. Without
         * another the lane works all the same. */
        int mine = getpriority(PRIO_PROCESS, (id_t)gettid());
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), mine + lane->niceness);
    }
    while ((job = lane_take(lane)) != NULL) {
        job->run(&lane->world->io, job);
        lane_give_back(lane, job);
    }
    return NULL;
}

/* The thread takes no signals: they belong to whoever runs the loop. */
static void lane_start(struct io_uv_lane *lane)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(rc == 0);
    rc = pthread_create(&lane->thread, NULL, lane_run, lane);
    ASSERT(rc == 0);
    rc = pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(rc == 0);
    lane->is_started = true;
}

void io_uv__lane_give(struct io_uv_lane *lane, struct io_job *job)
{
    if (!lane->is_started) {
        lane_start(lane);
    }
    lane->world->jobs_count++;
    pthread_mutex_lock(&lane->mutex);
    list_add(&lane->queue, &job->node);
    pthread_mutex_unlock(&lane->mutex);
    pthread_cond_signal(&lane->wake);
}

void io_uv__lane_submit(struct io *io, enum io_lane which, struct io_job *job)
{
    io_uv__lane_give(&io_uv__of(io)->lanes[which], job);
}

/* ---- questions ---- */

void io_uv__ask(struct io *io, void (*asked)(void *context), void *context)
{
    struct io_uv_lane *lane = lane_here;
    if (lane == NULL) {
        asked(context);
        return;
    }
    ASSERT(&lane->world->io == io);
    struct io_uv_question question = {.asked = asked, .context = context};
    pthread_mutex_lock(&lane->mutex);
    lane->question = &question;
    pthread_cond_signal(&lane->idle);
    pthread_mutex_unlock(&lane->mutex);
    wake_loop(lane->world);
    pthread_mutex_lock(&lane->mutex);
    while (!question.is_answered) {
        pthread_cond_wait(&lane->answered, &lane->mutex);
    }
    pthread_mutex_unlock(&lane->mutex);
}

static void lane_answer(struct io_uv_lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    struct io_uv_question *question = lane->question;
    lane->question = NULL;
    pthread_mutex_unlock(&lane->mutex);
    if (question == NULL) {
        return;
    }
    question->asked(question->context);
    pthread_mutex_lock(&lane->mutex);
    question->is_answered = true;
    pthread_cond_signal(&lane->answered);
    pthread_mutex_unlock(&lane->mutex);
}

/* ---- back on the loop ---- */

static void lane_deliver(struct io_uv_lane *lane)
{
    struct list finished;
    list_init(&finished);
    pthread_mutex_lock(&lane->mutex);
    while (!list_is_empty(&lane->finished)) {
        struct list *node = lane->finished.next;
        list_remove(node);
        list_add(&finished, node);
    }
    pthread_mutex_unlock(&lane->mutex);

    while (!list_is_empty(&finished)) {
        struct io_job *job = CONTAINER_OF(finished.next, struct io_job, node);
        list_remove(&job->node);
        ASSERT(lane->world->jobs_count > 0);
        lane->world->jobs_count--;
        lane->world->has_delivered = true;
        job->done(job);
    }
}

void io_uv__lane_wait(struct io *io, enum io_lane which)
{
    struct io_uv_lane *lane = &io_uv__of(io)->lanes[which];
    if (!lane->is_started) {
        return;
    }
    pthread_mutex_lock(&lane->mutex);
    while (lane->is_running || !list_is_empty(&lane->queue)) {
        if (lane->question == NULL) {
            pthread_cond_wait(&lane->idle, &lane->mutex);
        } else {
            pthread_mutex_unlock(&lane->mutex);
            lane_answer(lane);
            pthread_mutex_lock(&lane->mutex);
        }
    }
    pthread_mutex_unlock(&lane->mutex);
    lane_deliver(lane); /* the wake-up that was sent for them finds nothing any more */
}

static void wake_on_poll(uv_poll_t *wake, int status, int events)
{
    struct io_uv *world = wake->data;
    uint64_t count;
    (void)status;
    (void)events;
    (void)!read(world->wake_fd, &count, sizeof count); /* what it says is in the lists */
    for (size_t i = 0; i < LANES_NR; i++) {
        if (world->lanes[i].is_started) {
            lane_answer(&world->lanes[i]);
            lane_deliver(&world->lanes[i]);
        }
    }
}

void io_uv__lanes_init(struct io_uv *world)
{
    for (size_t i = 0; i < LANES_NR; i++) {
        struct io_uv_lane *lane = &world->lanes[i];
        lane->world = world;
        list_init(&lane->queue);
        list_init(&lane->finished);
        int rc = pthread_mutex_init(&lane->mutex, NULL);
        ASSERT(rc == 0);
        rc = pthread_cond_init(&lane->wake, NULL);
        ASSERT(rc == 0);
        rc = pthread_cond_init(&lane->idle, NULL);
        ASSERT(rc == 0);
        rc = pthread_cond_init(&lane->answered, NULL);
        ASSERT(rc == 0);
    }
    world->lanes[LANE_ARRIVAL].niceness = ARRIVAL_NICENESS;
}

static void lane_stop(struct io_uv_lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    lane->is_stopping = true;
    pthread_mutex_unlock(&lane->mutex);
    pthread_cond_signal(&lane->wake);
    int rc = pthread_join(lane->thread, NULL);
    ASSERT(rc == 0);
}

void io_uv__lanes_fini(struct io_uv *world)
{
    ASSERT(world->jobs_count == 0);
    for (size_t i = 0; i < LANES_NR; i++) {
        struct io_uv_lane *lane = &world->lanes[i];
        if (lane->is_started) {
            lane_stop(lane);
        }
        pthread_cond_destroy(&lane->wake);
        pthread_cond_destroy(&lane->idle);
        pthread_cond_destroy(&lane->answered);
        pthread_mutex_destroy(&lane->mutex);
    }
}
