/* tests/sim/test_io_sim_net.c -- the simulated loop: timers, turns, lanes, connections, and the
 * death of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "io_sim/io_sim.h"

enum {
    SEEDS = 200,
    MS = 1000000,
    OUT_MAX = 1 << 20,
    IN_MAX = 8 << 20,
    JOBS_NR = 20,
    PORT = 7440
};

/* One end of a connection and what happened to it. */
struct peer {
    struct io_stream stream;
    struct io *io;
    struct buf in;
    int connected;
    int connect_status;
    int received;
    int drained;
    int ended;
    int end_status;
    int closed;
    bool must_close; /* inside the first received() */
};

struct fixture {
    struct io_sim *sim;
    struct io *server_io;
    struct io *client_io;
    struct io_listener listener;
    int listener_closed;
    struct peer server;
    struct peer client;
};

static void peer_on_connected(struct io_stream *stream, int status)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);
    peer->connected++;
    peer->connect_status = status;
}

static void peer_on_received(struct io_stream *stream, struct slice bytes)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);
    assert_true(bytes.len > 0);
    peer->received++;
    assert_int_equal(buf_append_slice(&peer->in, bytes), OK);
    if (peer->must_close) {
        peer->must_close = false;
        io_stream_close(peer->io, stream);
    }
}

static void peer_on_drained(struct io_stream *stream)
{
    CONTAINER_OF(stream, struct peer, stream)->drained++;
}

static void peer_on_ended(struct io_stream *stream, int status)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);
    peer->ended++;
    peer->end_status = status;
}

static void peer_on_closed(struct io_stream *stream)
{
    CONTAINER_OF(stream, struct peer, stream)->closed++;
}

static void peer_init(struct peer *peer, struct io *io)
{
    *peer = (struct peer){.io = io};
    peer->stream.connected = peer_on_connected;
    peer->stream.received = peer_on_received;
    peer->stream.drained = peer_on_drained;
    peer->stream.ended = peer_on_ended;
    peer->stream.closed = peer_on_closed;
    buf_init(&peer->stream.out, OUT_MAX);
    buf_init(&peer->in, IN_MAX);
}

static void listener_on_incoming(struct io_listener *listener)
{
    struct fixture *f = CONTAINER_OF(listener, struct fixture, listener);
    assert_int_equal(io_accept(f->server_io, listener, &f->server.stream), OK);
    struct io_stream none = f->client.stream;
    none.world = NULL;
    assert_int_equal(io_accept(f->server_io, listener, &none), ERR_GONE);
}

static void listener_on_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct fixture, listener)->listener_closed++;
}

static void start(struct fixture *f, uint64_t seed)
{
    uint16_t port = 0;
    *f = (struct fixture){0};
    f->sim = io_sim_create(seed, NULL);
    f->server_io = io_sim_machine_create(f->sim, "10.0.0.1");
    f->client_io = io_sim_machine_create(f->sim, "10.0.0.2");
    f->listener.incoming = listener_on_incoming;
    f->listener.closed = listener_on_closed;
    assert_int_equal(io_listen(f->server_io, &f->listener, "10.0.0.1", PORT, &port), OK);
    assert_int_equal(port, PORT);
    peer_init(&f->server, f->server_io);
    peer_init(&f->client, f->client_io);
}

static void end(struct fixture *f)
{
    buf_fini(&f->server.stream.out);
    buf_fini(&f->server.in);
    buf_fini(&f->client.stream.out);
    buf_fini(&f->client.in);
    io_sim_destroy(f->sim);
}

static void idle(struct fixture *f)
{
    assert_true(io_sim_run_idle(f->sim, 60000));
}

static void join(struct fixture *f)
{
    assert_int_equal(io_stream_connect(f->client_io, &f->client.stream, "10.0.0.1", PORT), OK);
    assert_int_equal(f->client.connected, 0);
    idle(f);
    assert_int_equal(f->client.connected, 1);
    assert_int_equal(f->client.connect_status, OK);
    assert_non_null(f->server.stream.world);
    io_stream_resume(f->client_io, &f->client.stream);
    io_stream_resume(f->server_io, &f->server.stream);
}

static void say(struct peer *peer, const void *data, size_t len)
{
    assert_int_equal(buf_append(&peer->stream.out, data, len), OK);
    io_stream_flush(peer->io, &peer->stream);
}

/* ---- connections ---- */

static void stream__many_bytes__arrive_whole_and_cut_anywhere(void **state)
{
    (void)state;
    int most_pieces = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        static uint8_t data[5000];
        for (size_t i = 0; i < sizeof(data); i++) {
            data[i] = (uint8_t)(i * 7 + seed);
        }
        start(&f, seed);
        join(&f);
        say(&f.client, data, 3000);
        say(&f.client, data + 3000, 2000);
        assert_int_equal(f.server.received, 0);
        idle(&f);
        assert_int_equal(f.server.in.len, sizeof(data));
        assert_memory_equal(f.server.in.data, data, sizeof(data));
        most_pieces = f.server.received > most_pieces ? f.server.received : most_pieces;
        end(&f);
    }
    assert_true(most_pieces > 5);
}

static void stream__paused_reader__holds_the_writer_back(void **state)
{
    (void)state;
    static uint8_t data[200 << 10];
    struct fixture f;
    start(&f, 1);
    join(&f);
    io_stream_pause(f.server_io, &f.server.stream);
    say(&f.client, data, sizeof(data));
    idle(&f);
    assert_int_equal(f.server.received, 0);
    assert_int_equal(io_stream_unsent(&f.client.stream), sizeof(data) - (64 << 10));
    assert_int_equal(f.client.stream.out.len, sizeof(data) - (64 << 10));
    assert_int_equal(f.client.drained, 0);
    io_stream_resume(f.server_io, &f.server.stream);
    idle(&f);
    assert_int_equal(f.server.in.len, sizeof(data));
    assert_int_equal(f.client.drained, 1);
    assert_int_equal(io_stream_unsent(&f.client.stream), 0);
    end(&f);
}

static void stream__flushed_before_connected__is_sent_and_drained(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1);
    assert_int_equal(io_stream_connect(f.client_io, &f.client.stream, "10.0.0.1", PORT), OK);
    say(&f.client, "early", 5);
    assert_int_equal(io_stream_unsent(&f.client.stream), 5);
    idle(&f);
    assert_int_equal(f.client.drained, 1);
    io_stream_resume(f.server_io, &f.server.stream);
    idle(&f);
    assert_int_equal(f.server.in.len, 5);
    end(&f);
}

static void stream__peer_closes__last_words_then_end_of_file(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed);
        join(&f);
        say(&f.server, "farewell", 8);
        io_stream_close(f.server_io, &f.server.stream);
        assert_int_equal(f.server.closed, 0);
        idle(&f);
        assert_int_equal(f.server.closed, 1);
        assert_null(f.server.stream.world);
        assert_int_equal(f.client.in.len, 8);
        assert_int_equal(f.client.ended, 1);
        assert_int_equal(f.client.end_status, ERR_EOF);
        say(&f.client, "anyone?", 7); /* half open: the end was told already */
        idle(&f);
        assert_int_equal(f.client.ended, 1);
        io_stream_close(f.client_io, &f.client.stream);
        idle(&f);
        assert_int_equal(f.client.closed, 1);
        end(&f);
    }
}

static void stream__sending_to_a_closed_peer__hears_it_out_then_breaks(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed);
        join(&f);
        say(&f.server, "farewell", 8);
        io_stream_close(f.server_io, &f.server.stream);
        say(&f.client, "anyone?", 7);
        assert_int_equal(f.client.ended, 0); /* never inside the call */
        idle(&f);
        assert_int_equal(f.client.in.len, 8);
        assert_int_equal(f.client.ended, 1);
        assert_int_equal(f.client.end_status, ERR_IO);
        end(&f);
    }
}

static void stream__closed_in_received__no_callback_but_closed(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed);
        join(&f);
        f.server.must_close = true;
        say(&f.client, "0123456789", 10);
        say(&f.client, "0123456789", 10);
        idle(&f);
        assert_int_equal(f.server.received, 1);
        assert_int_equal(f.server.closed, 1);
        assert_int_equal(f.server.ended, 0);
        assert_int_equal(f.client.ended, 1); /* by end or by reset: input was unread */
        end(&f);
    }
}

static void stream__reset__both_ends_break(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1);
    join(&f);
    say(&f.client, "lost", 4);
    io_sim_stream_reset(&f.client.stream);
    idle(&f);
    assert_int_equal(f.server.in.len, 0);
    assert_int_equal(f.server.end_status, ERR_IO);
    assert_int_equal(f.client.end_status, ERR_IO);
    end(&f);
}

static void connect__nobody_there__is_refused(void **state)
{
    (void)state;
    static const char *const nowhere[] = {"10.0.0.2", "10.0.0.9", "127.0.0.1"};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        start(&f, i);
        assert_int_equal(io_stream_connect(f.client_io, &f.client.stream, nowhere[i], PORT),
                         OK);
        idle(&f);
        assert_int_equal(f.client.connect_status, ERR_REFUSED_CONNECT);
        io_stream_close(f.client_io, &f.client.stream);
        idle(&f);
        assert_int_equal(f.client.closed, 1);
        assert_int_equal(f.client.ended, 0);
        end(&f);
    }
}

static void listen__wrong_or_taken__says_so(void **state)
{
    (void)state;
    struct fixture f;
    uint16_t port = 0;
    start(&f, 1);
    struct io_listener other = f.listener;
    other.world = NULL;
    assert_int_equal(io_listen(f.server_io, &other, "localhost", 1, &port), ERR_ADDRESS);
    assert_int_equal(io_listen(f.server_io, &other, "10.0.0.2", 1, &port), ERR_ADDRESS);
    assert_int_equal(io_listen(f.server_io, &other, "0.0.0.0", PORT, &port), ERR_EXISTS);
    assert_int_equal(io_stream_connect(f.client_io, &f.client.stream, "here", 1), ERR_ADDRESS);
    io_listener_close(f.server_io, &f.listener);
    idle(&f);
    assert_int_equal(f.listener_closed, 1);
    assert_int_equal(io_listen(f.server_io, &f.listener, "0.0.0.0", PORT, &port), OK);
    join(&f);
    end(&f);
}

static void crash__open_connection__peer_is_told_and_nothing_is_left(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        uint16_t port = 0;
        start(&f, seed);
        join(&f);
        say(&f.client, "request", 7);
        io_sim_run_ms(f.sim, seed % 2);
        int received = f.server.received;
        io_sim_crash(f.server_io);
        idle(&f);
        assert_int_equal(f.client.ended, 1);
        assert_int_equal(f.client.end_status, ERR_IO);
        assert_int_equal(f.server.received, received);
        assert_int_equal(f.server.ended, 0);
        io_stream_close(f.server_io, &f.server.stream); /* clearing the dead away */
        io_listener_close(f.server_io, &f.listener);
        io_stream_close(f.client_io, &f.client.stream);
        idle(&f);
        assert_int_equal(f.server.closed, 1);
        assert_int_equal(f.listener_closed, 1);
        io_sim_restart(f.server_io);
        f.client.connected = 0;
        assert_int_equal(io_listen(f.server_io, &f.listener, "10.0.0.1", PORT, &port), OK);
        join(&f);
        end(&f);
    }
}

/* What a process was closing when it died, it is told nothing more of once it is forgotten. */
static void forget__closing_when_it_died__closed_does_not_come(void **state)
{
    (void)state;
    for (int is_forgotten = 0; is_forgotten < 2; is_forgotten++) {
        struct fixture f;
        uint16_t port = 0;
        start(&f, 1);
        join(&f);
        io_stream_close(f.server_io, &f.server.stream);
        io_listener_close(f.server_io, &f.listener);
        io_sim_kill(f.server_io);
        if (is_forgotten) {
            io_sim_forget(f.server_io);
        }
        io_sim_restart(f.server_io);
        idle(&f);
        assert_int_equal(f.server.closed, !is_forgotten);
        assert_int_equal(f.listener_closed, !is_forgotten);
        assert_int_equal(f.client.ended, 1);
        io_stream_close(f.client_io, &f.client.stream);
        idle(&f);
        assert_int_equal(f.client.closed, 1);
        f.client.connected = 0;
        f.server.stream.world = NULL; /* in the memory of another process */
        f.listener.world = NULL;
        assert_int_equal(io_listen(f.server_io, &f.listener, "10.0.0.1", PORT, &port), OK);
        join(&f);
        end(&f);
    }
}

/* ---- timers, turns, lanes ---- */

struct world {
    struct io_sim *sim;
    struct io *io;
    struct io_timer timers[4];
    struct io_turn turn;
    int fired[4]; /* timers, in the order they fired */
    int fired_count;
    int turns;
    int again;
    int jobs_run[IO_LANE_NR];
    int jobs_done[IO_LANE_NR];
    bool must_crash; /* in the job's run() */
};

struct work {
    struct io_job job;
    struct world *w;
    enum io_lane lane;
    int number;
    uint64_t run_ns;
};

static struct world *the_world; /* for callbacks that have no context */

static void on_fired(struct io_timer *timer)
{
    the_world->fired[the_world->fired_count++] = (int)(timer - the_world->timers);
}

static void on_turn(struct io_turn *turn)
{
    the_world->turns++;
    turn->again = the_world->again > 0;
    the_world->again--;
}

static void world_start(struct world *w, uint64_t seed)
{
    *w = (struct world){.sim = io_sim_create(seed, NULL)};
    w->io = io_sim_machine_create(w->sim, "10.0.0.1");
    the_world = w;
}

static void timers__any_order__fire_when_due(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, 1);
    uint64_t begin = io_now_ns(w.io);
    uint64_t wall = io_wall_ms(w.io);
    io_timer_start(w.io, &w.timers[0], 30, on_fired);
    io_timer_start(w.io, &w.timers[1], 10, on_fired);
    io_timer_start(w.io, &w.timers[2], 10, on_fired);
    io_timer_start(w.io, &w.timers[3], 5, on_fired);
    io_timer_stop(w.io, &w.timers[3]);
    io_sim_run_ms(w.sim, 10);
    assert_int_equal(w.fired_count, 2);
    assert_int_equal(w.fired[0], 1);
    assert_int_equal(w.fired[1], 2);
    assert_true(io_sim_run_idle(w.sim, 1000));
    assert_int_equal(w.fired_count, 3);
    assert_true(io_now_ns(w.io) == begin + 30 * MS);
    assert_true(io_wall_ms(w.io) == wall + 30);
    io_sim_wall_set(w.io, 5);
    assert_true(io_wall_ms(w.io) == 5);
    assert_true(io_now_exact_ns(w.io) > begin + 30 * MS);
    io_sim_destroy(w.sim);
}

static void turn__events__are_followed_by_its_end(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, 1);
    io_turn_add(w.io, &w.turn, on_turn);
    assert_true(io_sim_run_idle(w.sim, 1000));
    assert_int_equal(w.turns, 0);
    io_timer_start(w.io, &w.timers[0], 1, on_fired);
    io_timer_start(w.io, &w.timers[1], 1, on_fired);
    assert_true(io_sim_run_idle(w.sim, 1000));
    assert_int_equal(w.turns, 1);
    w.again = 5;
    io_timer_start(w.io, &w.timers[0], 1, on_fired);
    assert_true(io_sim_run_idle(w.sim, 1000));
    assert_int_equal(w.turns, 7);
    io_turn_remove(w.io, &w.turn);
    io_sim_destroy(w.sim);
}

static void work_run(struct io *io, struct io_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    assert_int_equal(work->number, work->w->jobs_run[work->lane]++);
    work->run_ns = io_now_ns(io);
    if (work->w->must_crash && work->number == 3) {
        io_sim_crash_at(io, 1);
        assert_int_equal(io_folder_sync(io, "."), ERR_IO);
        return;
    }
    (void)!io_folder_sync(io, ".");
}

static void work_on_done(struct io_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    assert_int_equal(work->number, work->w->jobs_done[work->lane]++);
    assert_true(io_now_ns(work->w->io) > work->run_ns);
}

static void submit_all(struct world *w, struct work *works)
{
    int numbers[IO_LANE_NR] = {0};
    for (int i = 0; i < JOBS_NR; i++) {
        enum io_lane lane = i % 4 == 0 ? IO_LANE_BULK : IO_LANE_LOG;
        works[i] = (struct work){.w = w, .lane = lane, .number = numbers[lane]++};
        works[i].job.run = work_run;
        works[i].job.done = work_on_done;
        io_lane_submit(w->io, lane, &works[i].job);
    }
    assert_int_equal(w->jobs_run[IO_LANE_LOG], 0); /* never inside the call */
}

static void lanes__jobs__run_and_return_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct world w;
        struct work works[JOBS_NR];
        world_start(&w, seed);
        submit_all(&w, works);
        assert_true(io_sim_run_idle(w.sim, 60000));
        assert_int_equal(w.jobs_done[IO_LANE_LOG], JOBS_NR * 3 / 4);
        assert_int_equal(w.jobs_done[IO_LANE_BULK], JOBS_NR / 4);
        io_sim_destroy(w.sim);
    }
}

static void lanes__power_fails_inside_a_job__nothing_is_handed_back_after(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct world w;
        struct work works[JOBS_NR];
        world_start(&w, seed);
        w.must_crash = true;
        io_turn_add(w.io, &w.turn, on_turn);
        io_timer_start(w.io, &w.timers[0], 10000, on_fired);
        submit_all(&w, works);
        assert_true(io_sim_run_idle(w.sim, 60000));
        assert_true(io_sim_is_down(w.io));
        assert_true(w.jobs_done[IO_LANE_LOG] <= 3);
        assert_int_equal(w.fired_count, 0);
        io_timer_stop(w.io, &w.timers[0]);
        io_turn_remove(w.io, &w.turn);
        io_sim_restart(w.io);
        assert_true(io_sim_run_idle(w.sim, 60000));
        assert_true(w.jobs_done[IO_LANE_LOG] <= 3);
        io_sim_destroy(w.sim);
    }
}

static void sync__slow__delays_only_the_handing_back(void **state)
{
    (void)state;
    struct world w;
    world_start(&w, 1);
    io_sim_sync_slow(w.io, 1000000);
    struct work work = {.w = &w, .lane = IO_LANE_LOG};
    work.job.run = work_run;
    work.job.done = work_on_done;
    io_lane_submit(w.io, IO_LANE_LOG, &work.job);
    io_sim_run_ms(w.sim, 900);
    assert_int_equal(w.jobs_run[IO_LANE_LOG], 1);
    assert_int_equal(w.jobs_done[IO_LANE_LOG], 0);
    io_sim_run_ms(w.sim, 200);
    assert_int_equal(w.jobs_done[IO_LANE_LOG], 1);
    io_sim_destroy(w.sim);
}

/* ---- the same again ---- */

static uint64_t hash_of_a_run(uint64_t seed, const char *text)
{
    struct fixture f;
    start(&f, seed);
    join(&f);
    say(&f.client, text, strlen(text));
    idle(&f);
    say(&f.server, f.server.in.data, f.server.in.len);
    io_stream_close(f.server_io, &f.server.stream);
    idle(&f);
    uint64_t hash = io_sim_trace_hash(f.sim);
    end(&f);
    return hash;
}

static void trace__same_seed_and_bytes__same_hash(void **state)
{
    (void)state;
    assert_true(hash_of_a_run(1, "a longer text") == hash_of_a_run(1, "a longer text"));
    assert_true(hash_of_a_run(1, "a longer text") != hash_of_a_run(2, "a longer text"));
    assert_true(hash_of_a_run(1, "a longer text") != hash_of_a_run(1, "A longer text"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream__many_bytes__arrive_whole_and_cut_anywhere),
        cmocka_unit_test(stream__paused_reader__holds_the_writer_back),
        cmocka_unit_test(stream__flushed_before_connected__is_sent_and_drained),
        cmocka_unit_test(stream__peer_closes__last_words_then_end_of_file),
        cmocka_unit_test(stream__sending_to_a_closed_peer__hears_it_out_then_breaks),
        cmocka_unit_test(stream__closed_in_received__no_callback_but_closed),
        cmocka_unit_test(stream__reset__both_ends_break),
        cmocka_unit_test(connect__nobody_there__is_refused),
        cmocka_unit_test(listen__wrong_or_taken__says_so),
        cmocka_unit_test(crash__open_connection__peer_is_told_and_nothing_is_left),
        cmocka_unit_test(forget__closing_when_it_died__closed_does_not_come),
        cmocka_unit_test(timers__any_order__fire_when_due),
        cmocka_unit_test(turn__events__are_followed_by_its_end),
        cmocka_unit_test(lanes__jobs__run_and_return_in_order),
        cmocka_unit_test(lanes__power_fails_inside_a_job__nothing_is_handed_back_after),
        cmocka_unit_test(sync__slow__delays_only_the_handing_back),
        cmocka_unit_test(trace__same_seed_and_bytes__same_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
