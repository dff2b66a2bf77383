/* tests/sim/test_io_sim_datagram.c -- what the simulated network does to datagrams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io_sim/io_sim.h"

enum { PORT = 7440, SENT_NR = 2000, MILLION = 1000000 };

struct post {
    struct io_datagrams datagrams;
    struct io *io;
    uint32_t came[SENT_NR]; /* how often each */
    uint32_t count;
    uint32_t last;
    uint32_t overtaken; /* came after a later one */
};

struct fixture {
    struct io_sim *sim;
    struct post a;
    struct post b;
};

static void on_received(struct io_datagrams *datagrams, const char *address, uint16_t port,
                        struct slice bytes)
{
    struct post *post = CONTAINER_OF(datagrams, struct post, datagrams);
    uint32_t number;

    assert_int_equal(bytes.len, sizeof number);
    assert_int_equal(port, PORT);
    assert_non_null(address);
    memcpy(&number, bytes.data, sizeof number);
    assert_true(number < SENT_NR);
    post->came[number]++;
    post->count++;
    post->overtaken += number < post->last;
    post->last = number;
}

static void on_closed(struct io_datagrams *datagrams)
{
    (void)datagrams;
}

static void post_open(struct post *post, struct io *io, const char *address)
{
    uint16_t port;

    *post = (struct post){.datagrams = {.received = on_received, .closed = on_closed}, .io = io};
    assert_int_equal(io_datagrams_open(io, &post->datagrams, address, PORT, &port), OK);
}

static void begin(struct fixture *f, uint64_t seed)
{
    f->sim = io_sim_create(seed, NULL);
    post_open(&f->a, io_sim_machine_create(f->sim, "10.0.0.1"), "10.0.0.1");
    post_open(&f->b, io_sim_machine_create(f->sim, "10.0.0.2"), "0.0.0.0");
}

static void send_all(struct fixture *f)
{
    for (uint32_t i = 0; i < SENT_NR; i++) {
        assert_int_equal(io_datagrams_send(f->a.io, &f->a.datagrams, "10.0.0.2", PORT,
                                           slice_from(&i, sizeof i)),
                         OK);
        io_sim_run_ms(f->sim, i % 16 == 0 ? 1 : 0);
    }
    assert_true(io_sim_run_idle(f->sim, 10000));
}

static void datagrams__without_faults__come_once_each(void **state)
{
    static struct fixture f;

    (void)state;
    begin(&f, 1);
    send_all(&f);
    for (uint32_t i = 0; i < SENT_NR; i++) {
        assert_int_equal(f.b.came[i], 1);
    }
    assert_true(f.b.overtaken > 0); /* those of one moment, by their delays */
    io_sim_destroy(f.sim);
}

static void datagrams__with_faults__are_lost_copied_and_late(void **state)
{
    static struct fixture f;
    const struct io_sim_datagram_faults faults = {
        .lost_ppm = 200000, .copied_ppm = 200000, .late_ppm = 100000, .late_us = 20000};
    uint32_t lost = 0;
    uint32_t twice = 0;

    (void)state;
    begin(&f, 2);
    io_sim_datagram_faults_set(f.sim, &faults);
    send_all(&f);
    for (uint32_t i = 0; i < SENT_NR; i++) {
        lost += f.b.came[i] == 0;
        twice += f.b.came[i] == 2;
        assert_true(f.b.came[i] <= 2);
    }
    assert_in_range(lost, SENT_NR / 10, SENT_NR * 3 / 10);
    assert_in_range(twice, SENT_NR / 10, SENT_NR * 3 / 10);
    io_sim_destroy(f.sim);
}

static void way__cut__is_cut_in_that_direction_only(void **state)
{
    static struct fixture f;
    uint32_t number = 0;

    (void)state;
    begin(&f, 3);
    io_sim_datagrams_cut(f.a.io, f.b.io, true);
    send_all(&f);
    assert_int_equal(f.b.count, 0);
    assert_int_equal(io_datagrams_send(f.b.io, &f.b.datagrams, "10.0.0.1", PORT,
                                       slice_from(&number, sizeof number)),
                     OK);
    assert_true(io_sim_run_idle(f.sim, 1000));
    assert_int_equal(f.a.count, 1);
    io_sim_datagrams_cut(f.a.io, f.b.io, false);
    send_all(&f);
    assert_int_equal(f.b.count, SENT_NR);
    io_sim_destroy(f.sim);
}

/* What is on its way to a process that dies is lost; a new one opens its own address. */
static void receiver__killed__hears_nothing_until_it_opens_again(void **state)
{
    static struct fixture f;
    uint32_t number = 7;

    (void)state;
    begin(&f, 4);
    assert_int_equal(io_datagrams_send(f.a.io, &f.a.datagrams, "10.0.0.2", PORT,
                                       slice_from(&number, sizeof number)),
                     OK);
    io_sim_kill(f.b.io);
    assert_true(io_sim_run_idle(f.sim, 1000));
    io_sim_restart(f.b.io);
    assert_int_equal(f.b.count, 0);
    post_open(&f.b, f.b.io, "10.0.0.2");
    send_all(&f);
    assert_int_equal(f.b.count, SENT_NR);
    io_sim_destroy(f.sim);
}

static uint64_t trace_of(uint64_t seed)
{
    static struct fixture f;
    const struct io_sim_datagram_faults faults = {.lost_ppm = MILLION / 10,
                                                  .copied_ppm = MILLION / 10};

    begin(&f, seed);
    io_sim_datagram_faults_set(f.sim, &faults);
    send_all(&f);
    uint64_t hash = io_sim_trace_hash(f.sim);
    io_sim_destroy(f.sim);
    return hash;
}

static void seed__run_twice__gives_the_same_trace(void **state)
{
    (void)state;
    assert_true(trace_of(5) == trace_of(5));
    assert_true(trace_of(5) != trace_of(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams__without_faults__come_once_each),
        cmocka_unit_test(datagrams__with_faults__are_lost_copied_and_late),
        cmocka_unit_test(way__cut__is_cut_in_that_direction_only),
        cmocka_unit_test(receiver__killed__hears_nothing_until_it_opens_again),
        cmocka_unit_test(seed__run_twice__gives_the_same_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
