/* tests/unit/test_io_uv_loop.c -- clock, timers, end-of-turn hooks, lanes and signals of the
 * real world. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_uv/io_uv.h"

enum { TIMERS_NR = 8, JOBS_NR = 500, MS = 1000000, ROUNDS_MAX = 20000 };

struct fixture;

struct alarm {
    struct io_timer timer;
    struct fixture *f;
    int fired;
    int order; /* the how manieth to fire */
    uint64_t at_ns;
    int rearm; /* times to start again with no delay */
};

struct hook {
    struct io_turn turn;
    struct fixture *f;
    int calls;
    int again;            /* calls that ask for another */
    int alarms_seen;      /* alarms fired before the last call */
    bool must_remove_all; /* take every hook out */
};

struct work {
    struct io_job job;
    struct fixture *f;
    enum io_lane lane;
    uint32_t number;
    bool has_run;
    bool is_done;
};

struct fixture {
    struct io_uv *uv;
    struct io *io;
    struct alarm alarms[TIMERS_NR];
    int alarms_fired;
    struct hook hooks[3];
    struct work works[JOBS_NR];
    uint32_t next_run[IO_LANE_NR]; /* each lane's thread writes its own */
    uint32_t next_done[IO_LANE_NR];
    int jobs_done;
    int signal_caught;
};

#define RUN_UNTIL(f, done)                                                                     \
    do {                                                                                       \
        int rounds = 0;                                                                        \
        while (!(done)) {                                                                      \
            io_uv_run_once((f)->uv, 100);                                                      \
            assert_true(rounds++ < ROUNDS_MAX);                                                \
        }                                                                                      \
    } while (0)

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->uv = io_uv_create();
    assert_non_null(f->uv);
    f->io = io_uv_world(f->uv);
    for (int i = 0; i < TIMERS_NR; i++) {
        f->alarms[i].f = f;
    }
    for (int i = 0; i < 3; i++) {
        f->hooks[i].f = f;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    io_uv_destroy(f->uv);
    free(f);
    return 0;
}

/* ---- timers ---- */

static void alarm_on_fire(struct io_timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    struct fixture *f = alarm->f;
    alarm->fired++;
    alarm->order = f->alarms_fired++;
    alarm->at_ns = io_now_exact_ns(f->io);
    if (alarm->rearm > 0) {
        alarm->rearm--;
        io_timer_start(f->io, timer, 0, alarm_on_fire);
    }
}

static void timers__started_in_any_order__fire_by_due_time(void **state)
{
    static const uint64_t delays_ms[TIMERS_NR] = {30, 5, 20, 5, 0, 40, 10, 1};
    static const int orders[TIMERS_NR] = {6, 2, 5, 3, 0, 7, 4, 1};
    struct fixture *f = *state;
    uint64_t start = io_now_ns(f->io);
    for (int i = 0; i < TIMERS_NR; i++) {
        io_timer_start(f->io, &f->alarms[i].timer, delays_ms[i], alarm_on_fire);
    }
    assert_int_equal(f->alarms_fired, 0);
    RUN_UNTIL(f, f->alarms_fired == TIMERS_NR);
    for (int i = 0; i < TIMERS_NR; i++) {
        assert_int_equal(f->alarms[i].fired, 1);
        assert_int_equal(f->alarms[i].order, orders[i]);
        assert_true(f->alarms[i].at_ns >= start + delays_ms[i] * MS);
    }
}

static void timers__stopped_or_moved__fire_only_as_last_told(void **state)
{
    struct fixture *f = *state;
    io_timer_start(f->io, &f->alarms[0].timer, 2, alarm_on_fire);
    io_timer_start(f->io, &f->alarms[1].timer, 500, alarm_on_fire);
    io_timer_start(f->io, &f->alarms[2].timer, 10, alarm_on_fire);
    io_timer_stop(f->io, &f->alarms[0].timer);
    io_timer_stop(f->io, &f->alarms[0].timer); /* not armed: nothing happens */
    io_timer_start(f->io, &f->alarms[1].timer, 3, alarm_on_fire);
    RUN_UNTIL(f, f->alarms_fired == 2);
    assert_int_equal(f->alarms[0].fired, 0);
    assert_int_equal(f->alarms[1].order, 0);
    assert_int_equal(f->alarms[2].order, 1);
}

static void timer__rearmed_without_delay__lets_others_have_their_turn(void **state)
{
    struct fixture *f = *state;
    f->alarms[0].rearm = 1000;
    io_timer_start(f->io, &f->alarms[0].timer, 0, alarm_on_fire);
    io_timer_start(f->io, &f->alarms[1].timer, 1, alarm_on_fire);
    io_uv_run_once(f->uv, 0);
    assert_true(f->alarms[0].fired <= 2);
    RUN_UNTIL(f, f->alarms[0].fired == 1001 && f->alarms[1].fired == 1);
}

static void clock__within_a_turn__stands_still(void **state)
{
    struct fixture *f = *state;
    uint64_t now = io_now_ns(f->io);
    usleep(2000);
    assert_true(io_now_ns(f->io) == now);
    assert_true(io_now_exact_ns(f->io) >= now + 2 * MS);
    io_uv_run_once(f->uv, 0);
    assert_true(io_now_ns(f->io) >= now + 2 * MS);
    assert_true(io_wall_ms(f->io) > 1600000000000u);
}

static uint64_t process_ns(struct io *io)
{
    struct io_cpu used;

    io_cpu_process(io, &used);
    return used.user_ns + used.system_ns;
}

static void cpu__work_done__is_counted_and_waiting_is_not(void **state)
{
    struct fixture *f = *state;
    uint64_t thread_ns = io_cpu_thread_ns(f->io);
    uint64_t all_ns = process_ns(f->io);
    uint64_t began_ns = io_now_exact_ns(f->io);

    usleep(20000);
    uint64_t idle_ns = io_cpu_thread_ns(f->io) - thread_ns;
    assert_true(idle_ns < io_now_exact_ns(f->io) - began_ns);
    while (io_cpu_thread_ns(f->io) - thread_ns < 5 * MS) {
    }
    while (process_ns(f->io) - all_ns < 5 * MS) {
    }
}

static void random__two_draws__differ(void **state)
{
    struct fixture *f = *state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    io_random(f->io, a, sizeof(a));
    io_random(f->io, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* ---- turns ---- */

static void hook_on_end(struct io_turn *turn)
{
    struct hook *hook = CONTAINER_OF(turn, struct hook, turn);
    struct fixture *f = hook->f;
    hook->calls++;
    hook->alarms_seen = f->alarms_fired;
    turn->again = hook->again > 0;
    hook->again--;
    if (hook->must_remove_all) {
        for (int i = 0; i < 3; i++) {
            io_turn_remove(f->io, &f->hooks[i].turn);
        }
    }
}

static void turn__several_events__one_call_after_them(void **state)
{
    struct fixture *f = *state;
    io_turn_add(f->io, &f->hooks[0].turn, hook_on_end);
    for (int i = 0; i < 3; i++) {
        io_timer_start(f->io, &f->alarms[i].timer, 0, alarm_on_fire);
    }
    RUN_UNTIL(f, f->alarms_fired == 3);
    assert_int_equal(f->hooks[0].calls, 1);
    assert_int_equal(f->hooks[0].alarms_seen, 3);
    io_uv_run_once(f->uv, 1); /* nothing happens in this turn */
    assert_int_equal(f->hooks[0].calls, 1);
    io_turn_remove(f->io, &f->hooks[0].turn);
}

static void turn__again__is_called_without_waiting(void **state)
{
    struct fixture *f = *state;
    io_turn_add(f->io, &f->hooks[0].turn, hook_on_end);
    f->hooks[0].again = 50;
    io_timer_start(f->io, &f->alarms[0].timer, 0, alarm_on_fire);
    uint64_t start = io_now_exact_ns(f->io);
    while (f->hooks[0].calls < 51) {
        io_uv_run_once(f->uv, 10000);
        assert_true(f->hooks[0].calls > 0 || f->alarms_fired == 0);
    }
    assert_true(io_now_exact_ns(f->io) - start < 5000ull * MS);
    io_uv_run_once(f->uv, 1);
    assert_int_equal(f->hooks[0].calls, 51);
    io_turn_remove(f->io, &f->hooks[0].turn);
}

static void turn__a_hook_removes_all__the_others_are_not_called(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        io_turn_add(f->io, &f->hooks[i].turn, hook_on_end);
    }
    f->hooks[1].must_remove_all = true;
    io_timer_start(f->io, &f->alarms[0].timer, 0, alarm_on_fire);
    io_timer_start(f->io, &f->alarms[1].timer, 5, alarm_on_fire);
    RUN_UNTIL(f, f->alarms_fired == 2);
    assert_int_equal(f->hooks[0].calls, 1);
    assert_int_equal(f->hooks[1].calls, 1);
    assert_int_equal(f->hooks[2].calls, 0);
}

static void run_once__long_limit__waits_for_the_backend_only_as_long_as_a_timer(void **state)
{
    struct fixture *f = *state;
    assert_true(io_uv_backend_fd(f->uv) >= 0);
    io_timer_start(f->io, &f->alarms[0].timer, 20, alarm_on_fire);
    io_uv_run_once(f->uv, 0);
    int wait_ms = io_uv_wait_ms(f->uv);
    assert_in_range(wait_ms, 0, 21);
    RUN_UNTIL(f, f->alarms_fired == 1);
    io_uv_run_once(f->uv, 0);
    assert_int_equal(io_uv_wait_ms(f->uv), -1);
}

/* ---- lanes ---- */

static void work_run(struct io *io, struct io_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    (void)io;
    assert_int_equal(work->number, work->f->next_run[work->lane]++);
    work->has_run = true;
}

static void work_on_done(struct io_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    struct fixture *f = work->f;
    assert_true(work->has_run);
    assert_false(work->is_done);
    assert_int_equal(work->number, f->next_done[work->lane]++);
    work->is_done = true;
    f->jobs_done++;
}

static void work_submit(struct fixture *f, struct work *work, enum io_lane lane,
                        uint32_t number)
{
    *work = (struct work){.f = f, .lane = lane, .number = number};
    work->job.run = work_run;
    work->job.done = work_on_done;
    io_lane_submit(f->io, lane, &work->job);
}

static void lanes__many_jobs__run_and_return_in_order(void **state)
{
    struct fixture *f = *state;
    uint32_t numbers[IO_LANE_NR] = {0};
    io_turn_add(f->io, &f->hooks[0].turn, hook_on_end);
    for (int i = 0; i < JOBS_NR; i++) {
        enum io_lane lane = i % 3 == 0 ? IO_LANE_BULK : IO_LANE_LOG;
        work_submit(f, &f->works[i], lane, numbers[lane]++);
        if (i % 50 == 0) {
            io_uv_run_once(f->uv, 0);
        }
    }
    RUN_UNTIL(f, f->jobs_done == JOBS_NR);
    assert_true(f->hooks[0].calls > 0); /* a turn that hands jobs back has an end too */
    io_turn_remove(f->io, &f->hooks[0].turn);
}

static void destroy__jobs_in_flight__are_finished_first(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 20; i++) {
        work_submit(f, &f->works[i], IO_LANE_BULK, i);
    }
    io_uv_destroy(f->uv);
    assert_int_equal(f->jobs_done, 20);
    f->uv = io_uv_create();
    assert_non_null(f->uv);
}

/* ---- signals ---- */

static void signal_on_catch(void *context, int signal_number)
{
    struct fixture *f = context;
    f->signal_caught = signal_number;
    io_uv_stop(f->uv);
}

static void signals__sigterm__stops_the_run(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(io_uv_watch_signals(f->uv, signal_on_catch, f), OK);
    work_submit(f, &f->works[0], IO_LANE_LOG, 0); /* its thread must not take the signal */
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    io_uv_run(f->uv);
    assert_int_equal(f->signal_caught, SIGTERM);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    io_uv_run(f->uv);
    assert_int_equal(f->signal_caught, SIGINT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers__started_in_any_order__fire_by_due_time),
        CASE(timers__stopped_or_moved__fire_only_as_last_told),
        CASE(timer__rearmed_without_delay__lets_others_have_their_turn),
        CASE(clock__within_a_turn__stands_still),
        CASE(cpu__work_done__is_counted_and_waiting_is_not),
        CASE(random__two_draws__differ),
        CASE(turn__several_events__one_call_after_them),
        CASE(turn__again__is_called_without_waiting),
        CASE(turn__a_hook_removes_all__the_others_are_not_called),
        CASE(run_once__long_limit__waits_for_the_backend_only_as_long_as_a_timer),
        CASE(lanes__many_jobs__run_and_return_in_order),
        CASE(destroy__jobs_in_flight__are_finished_first),
        CASE(signals__sigterm__stops_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
