/* tests/sim/test_io_sim_wire.c -- what lies between simulated machines, and clocks that differ:
 * cuts, delays, losses, drift, a process that stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io_sim/io_sim.h"

enum { SEEDS = 100, PORT = 7440, OUT_MAX = 1 << 20, IN_MAX = 4 << 20, UNHEARD_MS = 2000 };

/* One end of a connection and what happened to it. */
struct side {
    struct io_stream stream;
    struct io *io;
    struct buf in;
    int connected;
    int ended;
    int end_status;
};

struct fixture {
    struct io_sim *sim;
    struct io_listener listener;
    struct side one; /* connects */
    struct side other;
};

static void on_connected(struct io_stream *stream, int status)
{
    struct side *side = CONTAINER_OF(stream, struct side, stream);
    side->connected++;
    assert_int_equal(status, OK);
    io_stream_resume(side->io, stream);
}

static void on_received(struct io_stream *stream, struct slice bytes)
{
    struct side *side = CONTAINER_OF(stream, struct side, stream);
    assert_int_equal(buf_append_slice(&side->in, bytes), OK);
}

static void on_ended(struct io_stream *stream, int status)
{
    struct side *side = CONTAINER_OF(stream, struct side, stream);
    side->ended++;
    side->end_status = status;
}

static void on_closed(struct io_stream *stream)
{
    (void)stream;
}

static void side_init(struct side *side, struct io *io)
{
    *side = (struct side){
        .io = io,
        .stream = {.connected = on_connected,
                   .received = on_received,
                   .ended = on_ended,
                   .closed = on_closed}
    };
    buf_init(&side->stream.out, OUT_MAX);
    buf_init(&side->in, IN_MAX);
}

static void on_incoming(struct io_listener *listener)
{
    struct fixture *f = CONTAINER_OF(listener, struct fixture, listener);
    assert_int_equal(io_accept(f->other.io, listener, &f->other.stream), OK);
    io_stream_resume(f->other.io, &f->other.stream);
}

static void on_listener_closed(struct io_listener *listener)
{
    (void)listener;
}

static void start(struct fixture *f, uint64_t seed)
{
    const struct io_sim_options options = {.unheard_ms = UNHEARD_MS};
    uint16_t port = 0;
    *f = (struct fixture){.sim = io_sim_create(seed, &options)};
    side_init(&f->one, io_sim_machine_create(f->sim, "10.0.0.1"));
    side_init(&f->other, io_sim_machine_create(f->sim, "10.0.0.2"));
    f->listener.incoming = on_incoming;
    f->listener.closed = on_listener_closed;
    assert_int_equal(io_listen(f->other.io, &f->listener, "10.0.0.2", PORT, &port), OK);
    assert_int_equal(io_stream_connect(f->one.io, &f->one.stream, "10.0.0.2", PORT), OK);
}

static void join(struct fixture *f, uint64_t seed)
{
    start(f, seed);
    io_sim_run_ms(f->sim, 100);
    assert_int_equal(f->one.connected, 1);
}

static void end(struct fixture *f)
{
    buf_fini(&f->one.stream.out);
    buf_fini(&f->one.in);
    buf_fini(&f->other.stream.out);
    buf_fini(&f->other.in);
    io_sim_destroy(f->sim);
}

static void say(struct side *side, uint8_t first, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)(first + i);
        assert_int_equal(buf_append(&side->stream.out, &byte, 1), OK);
    }
    io_stream_flush(side->io, &side->stream);
}

/* All of it, once, in order. */
static void expect_heard(const struct side *side, size_t len)
{
    assert_int_equal(side->in.len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(side->in.data[i], (uint8_t)i);
    }
}

static void set(const struct side *from, const struct side *to, bool is_cut)
{
    io_sim_wire_set(from->io, to->io, &(struct io_sim_wire){.is_cut = is_cut});
}

static void wire__cut_one_way_for_a_while__loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture f;
        join(&f, seed);
        say(&f.one, 0, 100);
        set(&f.one, &f.other, true);
        say(&f.one, 100, 100);
        say(&f.other, 0, 50);
        io_sim_run_ms(f.sim, UNHEARD_MS / 4);
        assert_true(f.other.in.len <= 100);
        expect_heard(&f.one, 50); /* the other way is whole */
        set(&f.one, &f.other, false);
        io_sim_run_ms(f.sim, UNHEARD_MS);
        expect_heard(&f.other, 200);
        assert_int_equal(f.one.ended + f.other.ended, 0);
        end(&f);
    }
}

/* More than the way holds: who sends must hear that there is room again. */
static void wire__cut_with_a_full_way__goes_on_afterwards(void **state)
{
    enum { MUCH = 200000 };

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS / 10; seed++) {
        struct fixture f;
        join(&f, seed);
        set(&f.other, &f.one, true);
        say(&f.one, 0, MUCH);
        io_sim_run_ms(f.sim, UNHEARD_MS / 4);
        assert_true(f.other.in.len < MUCH); /* no room is told */
        set(&f.other, &f.one, false);
        io_sim_run_ms(f.sim, UNHEARD_MS);
        expect_heard(&f.other, MUCH);
        end(&f);
    }
}

static void wire__cut_for_long__each_end_breaks_by_itself(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture f;
        join(&f, seed);
        set(&f.one, &f.other, true);
        io_sim_run_ms(f.sim, UNHEARD_MS / 2 - 1);
        assert_int_equal(f.one.ended + f.other.ended, 0);
        io_sim_run_ms(f.sim, UNHEARD_MS + 10);
        assert_int_equal(f.one.ended, 1);
        assert_int_equal(f.other.ended, 1);
        assert_int_equal(f.one.end_status, ERR_IO);
        end(&f);
    }
}

/* The other's last word is lost with its machine. */
static void wire__other_dies_behind_a_cut__is_found_out_afterwards(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture f;
        join(&f, seed);
        set(&f.other, &f.one, true);
        io_sim_crash(f.other.io);
        io_sim_run_ms(f.sim, UNHEARD_MS / 4);
        assert_int_equal(f.one.ended, 0);
        set(&f.other, &f.one, false);
        io_sim_run_ms(f.sim, 2 * UNHEARD_MS);
        assert_int_equal(f.one.ended, 1);
        end(&f);
    }
}

/* An orderly end comes in as soon as the wire is whole, behind everything that was said. */
static void wire__other_closes_behind_a_cut__last_words_come_in(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture f;
        join(&f, seed);
        set(&f.other, &f.one, true);
        say(&f.other, 0, 40);
        io_stream_close(f.other.io, &f.other.stream);
        io_sim_run_ms(f.sim, UNHEARD_MS / 4);
        assert_int_equal(f.one.ended, 0);
        set(&f.other, &f.one, false);
        io_sim_run_ms(f.sim, UNHEARD_MS);
        expect_heard(&f.one, 40);
        assert_int_equal(f.one.ended, 1);
        assert_int_equal(f.one.end_status, ERR_EOF);
        end(&f);
    }
}

static void wire__cut__connecting_waits_for_it(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 1);
    set(&f.other, &f.one, true);
    io_sim_run_ms(f.sim, 5000);
    assert_int_equal(f.one.connected, 0);
    set(&f.other, &f.one, false);
    io_sim_run_ms(f.sim, 1100);
    assert_int_equal(f.one.connected, 1);
    end(&f);
}

static uint64_t ms_until_heard(struct fixture *f, size_t len)
{
    uint64_t from = io_sim_now_ns(f->sim);

    while (f->other.in.len < len && io_sim_step(f->sim)) {
    }
    return (io_sim_now_ns(f->sim) - from) / 1000000;
}

static void wire__slow_or_delayed_or_lossy__all_comes_in_order_and_late(void **state)
{
    const struct io_sim_wire wires[] = {
        {.bytes_per_s = 10000},
        {.delay_us = 300000},
        {.loss_ppm = 900000},
    };
    uint64_t ms[3] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (size_t i = 0; i < 3; i++) {
            struct fixture f;
            join(&f, seed);
            io_sim_wire_set(f.one.io, f.other.io, &wires[i]);
            say(&f.one, 0, 1000);
            ms[i] += ms_until_heard(&f, 1000);
            expect_heard(&f.other, 1000);
            end(&f);
        }
    }
    assert_true(ms[0] >= SEEDS * 99);
    assert_true(ms[1] >= SEEDS * 100);
    assert_true(ms[2] >= SEEDS * 200);
}

/* ---- clocks */

static uint64_t fired_ns;

static struct io_sim *clock_sim;

static void on_fired(struct io_timer *timer)
{
    (void)timer;
    fired_ns = io_sim_now_ns(clock_sim);
}

static uint64_t ms_until_fired(int32_t ppm, uint64_t pause_ms)
{
    struct io_timer timer = {0};

    clock_sim = io_sim_create(1, NULL);
    struct io *io = io_sim_machine_create(clock_sim, "10.0.0.1");
    io_sim_run_ms(clock_sim, 10);
    io_sim_drift_set(io, ppm);
    uint64_t from = io_sim_now_ns(clock_sim);
    uint64_t own = io_now_ns(io);
    uint64_t wall = io_wall_ms(io);
    io_timer_start(io, &timer, 1000, on_fired);
    if (pause_ms > 0) {
        io_sim_pause(io, pause_ms);
    }
    assert_true(io_sim_run_idle(clock_sim, 10000));
    assert_true(io_now_ns(io) - own >= 1000000000);
    assert_true(io_wall_ms(io) - wall >= 1000);
    io_sim_destroy(clock_sim);
    return (fired_ns - from) / 1000000;
}

static void clock__that_drifts__fires_early_or_late(void **state)
{
    (void)state;
    assert_int_equal(ms_until_fired(0, 0), 1000);
    assert_int_equal(ms_until_fired(250000, 0), 800);
    assert_int_equal(ms_until_fired(-500000, 0), 2000);
}

static void process__that_stands_still__finds_its_timer_late(void **state)
{
    (void)state;
    assert_int_equal(ms_until_fired(0, 3000), 3000);
    assert_int_equal(ms_until_fired(0, 500), 1000);
}

/* What is said to it waits; nothing is lost. */
static void process__that_stands_still__hears_all_afterwards(void **state)
{
    struct fixture f;

    (void)state;
    join(&f, 1);
    io_sim_pause(f.other.io, 1000);
    say(&f.one, 0, 100);
    io_sim_run_ms(f.sim, 990);
    assert_int_equal(f.other.in.len, 0);
    io_sim_run_ms(f.sim, 100);
    expect_heard(&f.other, 100);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire__cut_one_way_for_a_while__loses_nothing),
        cmocka_unit_test(wire__cut_with_a_full_way__goes_on_afterwards),
        cmocka_unit_test(wire__cut_for_long__each_end_breaks_by_itself),
        cmocka_unit_test(wire__other_dies_behind_a_cut__is_found_out_afterwards),
        cmocka_unit_test(wire__other_closes_behind_a_cut__last_words_come_in),
        cmocka_unit_test(wire__cut__connecting_waits_for_it),
        cmocka_unit_test(wire__slow_or_delayed_or_lossy__all_comes_in_order_and_late),
        cmocka_unit_test(clock__that_drifts__fires_early_or_late),
        cmocka_unit_test(process__that_stands_still__finds_its_timer_late),
        cmocka_unit_test(process__that_stands_still__hears_all_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
