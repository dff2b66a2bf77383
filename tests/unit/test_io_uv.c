/* tests/unit/test_io_uv.c -- streams and listeners of the real world, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"
#include "io_uv/io_uv.h"

enum { OUT_MAX = 1 << 20, IN_MAX = 64 << 20, ROUNDS_MAX = 20000, FRAME_BYTES = 16 };

/* One end of a connection and what happened to it. */
struct peer {
    struct io_stream stream;
    struct io *io;
    struct buf in;
    int connected; /* calls, of each callback */
    int connect_status;
    int received;
    int drained;
    int ended;
    int end_status;
    int closed;
    bool must_echo;  /* send whole frames back at once */
    bool must_close; /* close inside the first received() */
};

struct fixture {
    struct io_uv *uv;
    struct io *io;
    struct io_listener listener;
    uint16_t port;
    int incoming;
    int listener_closed;
    int accept_status;
    struct peer server;
    struct peer client;
};

static void peer_echo(struct peer *peer)
{
    size_t whole = peer->in.len / FRAME_BYTES * FRAME_BYTES;
    if (whole == 0) {
        return;
    }
    assert_int_equal(buf_append(&peer->stream.out, peer->in.data, whole), OK);
    buf_consume(&peer->in, whole);
    io_stream_flush(peer->io, &peer->stream);
}

static void peer_on_connected(struct io_stream *stream, int status)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);
    peer->connected++;
    peer->connect_status = status;
}

static void peer_on_received(struct io_stream *stream, struct slice bytes)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);
    assert_int_equal(peer->closed, 0);
    assert_true(bytes.len > 0);
    peer->received++;
    assert_int_equal(buf_append_slice(&peer->in, bytes), OK);
    if (peer->must_echo) {
        peer_echo(peer);
    }
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

static void peer_fini(struct peer *peer)
{
    buf_fini(&peer->stream.out);
    buf_fini(&peer->in);
}

static void listener_on_incoming(struct io_listener *listener)
{
    struct fixture *f = CONTAINER_OF(listener, struct fixture, listener);
    f->incoming++;
    f->accept_status = io_accept(f->io, listener, &f->server.stream);
    if (f->accept_status == OK) {
        struct peer none;
        peer_init(&none, f->io);
        assert_int_equal(io_accept(f->io, listener, &none.stream), ERR_GONE);
        assert_null(none.stream.world);
        peer_fini(&none);
    }
}

static void listener_on_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct fixture, listener)->listener_closed++;
}

/* Turn the loop until @done, or fail. */
#define RUN_UNTIL(f, done)                                                                     \
    do {                                                                                       \
        int rounds = 0;                                                                        \
        while (!(done)) {                                                                      \
            io_uv_run_once((f)->uv, 100);                                                      \
            assert_true(rounds++ < ROUNDS_MAX);                                                \
        }                                                                                      \
    } while (0)

static void run_ms(struct fixture *f, uint64_t ms)
{
    uint64_t end = io_now_exact_ns(f->io) + ms * 1000000;
    while (io_now_exact_ns(f->io) < end) {
        io_uv_run_once(f->uv, 1);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->uv = io_uv_create();
    assert_non_null(f->uv);
    f->io = io_uv_world(f->uv);
    f->listener.incoming = listener_on_incoming;
    f->listener.closed = listener_on_closed;
    assert_int_equal(io_listen(f->io, &f->listener, "127.0.0.1", 0, &f->port), OK);
    assert_true(f->port > 0);
    peer_init(&f->server, f->io);
    peer_init(&f->client, f->io);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->server.stream.world != NULL) {
        io_stream_close(f->io, &f->server.stream);
    }
    if (f->client.stream.world != NULL) {
        io_stream_close(f->io, &f->client.stream);
    }
    if (f->listener.world != NULL) {
        io_listener_close(f->io, &f->listener);
    }
    io_uv_destroy(f->uv);
    assert_int_equal(f->listener_closed, 1);
    peer_fini(&f->server);
    peer_fini(&f->client);
    free(f);
    return 0;
}

static void join(struct fixture *f)
{
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "127.0.0.1", f->port), OK);
    assert_int_equal(f->client.connected, 0); /* never inside the call */
    RUN_UNTIL(f, f->client.connected > 0 && f->server.stream.world != NULL);
    assert_int_equal(f->client.connect_status, OK);
    io_stream_resume(f->io, &f->client.stream);
    io_stream_resume(f->io, &f->server.stream);
}

static void say(struct peer *peer, const void *data, size_t len)
{
    assert_int_equal(buf_append(&peer->stream.out, data, len), OK);
    io_stream_flush(peer->io, &peer->stream);
}

static void stream__pipelined_frames__come_back_in_order(void **state)
{
    enum { FRAMES = 20000, AHEAD = 256 };
    struct fixture *f = *state;
    f->server.must_echo = true;
    join(f);
    uint64_t sent = 0;
    int rounds = 0;
    while (f->client.in.len < (size_t)FRAMES * FRAME_BYTES) {
        uint64_t back = f->client.in.len / FRAME_BYTES;
        while (sent < FRAMES && sent - back < AHEAD) {
            uint64_t frame[2] = {sent, ~sent};
            assert_int_equal(buf_append(&f->client.stream.out, frame, sizeof(frame)), OK);
            sent++;
        }
        io_stream_flush(f->io, &f->client.stream);
        io_uv_run_once(f->uv, 100);
        assert_true(rounds++ < FRAMES * 4);
    }
    for (uint64_t i = 0; i < FRAMES; i++) {
        uint64_t frame[2];
        memcpy(frame, f->client.in.data + i * FRAME_BYTES, sizeof(frame));
        assert_true(frame[0] == i && frame[1] == ~i);
    }
    assert_int_equal(io_stream_unsent(&f->client.stream), 0);
}

static void stream__half_a_frame__is_delivered_as_it_comes(void **state)
{
    struct fixture *f = *state;
    f->server.must_echo = true;
    join(f);
    say(&f->client, "0123456", 7);
    RUN_UNTIL(f, f->server.in.len == 7);
    assert_int_equal(f->client.in.len, 0);
    say(&f->client, "789abcdef", 9);
    RUN_UNTIL(f, f->client.in.len == FRAME_BYTES);
    assert_memory_equal(f->client.in.data, "0123456789abcdef", FRAME_BYTES);
}

static void stream__not_resumed__delivers_nothing(void **state)
{
    struct fixture *f = *state;
    join(f);
    io_stream_pause(f->io, &f->server.stream);
    say(&f->client, "hello", 5);
    run_ms(f, 10);
    assert_int_equal(f->server.received, 0);
    io_stream_resume(f->io, &f->server.stream);
    RUN_UNTIL(f, f->server.in.len == 5);
}

static void stream__peer_closes__last_words_then_end_of_file(void **state)
{
    struct fixture *f = *state;
    join(f);
    say(&f->server, "farewell", 8);
    io_stream_close(f->io, &f->server.stream);
    assert_int_equal(f->server.closed, 0);
    RUN_UNTIL(f, f->client.ended > 0 && f->server.closed > 0);
    assert_int_equal(f->client.end_status, ERR_EOF);
    assert_int_equal(f->client.in.len, 8);
    assert_null(f->server.stream.world);
}

static void stream__closed_with_input_unread__peer_still_reads_the_answer(void **state)
{
    struct fixture *f = *state;
    join(f);
    io_stream_pause(f->io, &f->server.stream);
    for (int i = 0; i < 100; i++) {
        say(&f->client, "a request that nobody will read", 31);
    }
    run_ms(f, 5);
    say(&f->server, "error", 5);
    io_stream_close(f->io, &f->server.stream);
    RUN_UNTIL(f, f->client.ended > 0);
    assert_int_equal(f->client.end_status, ERR_EOF);
    assert_int_equal(f->client.in.len, 5);
}

static void stream__closed_in_received__no_callback_but_closed(void **state)
{
    struct fixture *f = *state;
    join(f);
    f->server.must_close = true;
    say(&f->client, "0123456789abcdef", FRAME_BYTES);
    say(&f->client, "0123456789abcdef", FRAME_BYTES);
    RUN_UNTIL(f, f->server.closed > 0 && f->client.ended > 0);
    run_ms(f, 5);
    assert_int_equal(f->server.received, 1);
    assert_int_equal(f->server.closed, 1);
    assert_int_equal(f->server.ended, 0);
    assert_int_equal(f->server.drained, 0);
}

/* Send until the bound has refused often enough that the kernel must be full too. Returns:
 * bytes accepted. */
static uint64_t fill(struct fixture *f, uint8_t *block, size_t block_bytes)
{
    uint64_t accepted = 0;
    for (int refused = 0; refused < 50;) {
        memset(block, (int)(accepted / block_bytes % 251), block_bytes);
        int rc = buf_append(&f->client.stream.out, block, block_bytes);
        assert_true(rc == OK || rc == ERR_FULL);
        accepted += rc == OK ? block_bytes : 0;
        refused += rc == OK ? 0 : 1;
        io_stream_flush(f->io, &f->client.stream);
        assert_true(io_stream_unsent(&f->client.stream) <= OUT_MAX);
        io_uv_run_once(f->uv, 0);
        assert_true(accepted < IN_MAX);
    }
    return accepted;
}

static void stream__paused_reader__holds_the_writer_back_within_its_bound(void **state)
{
    static uint8_t block[4096];
    struct fixture *f = *state;
    join(f);
    io_stream_pause(f->io, &f->server.stream);
    uint64_t accepted = fill(f, block, sizeof(block));
    assert_true(io_stream_unsent(&f->client.stream) > OUT_MAX - sizeof(block));
    assert_int_equal(f->server.in.len, 0);
    assert_int_equal(f->client.drained, 0);

    io_stream_resume(f->io, &f->server.stream);
    RUN_UNTIL(f, f->server.in.len == accepted && f->client.drained > 0);
    assert_int_equal(f->client.drained, 1);
    assert_int_equal(io_stream_unsent(&f->client.stream), 0);
    assert_int_equal(f->client.stream.out.len, 0);
    for (size_t at = 0; at < accepted; at += sizeof(block)) {
        memset(block, (int)(at / sizeof(block) % 251), sizeof(block));
        assert_memory_equal(f->server.in.data + at, block, sizeof(block));
    }
}

static void stream__bytes_not_flushed__stay_until_the_next_flush(void **state)
{
    struct fixture *f = *state;
    join(f);
    assert_int_equal(buf_append_text(&f->client.stream.out, "later"), OK);
    run_ms(f, 5);
    assert_int_equal(f->server.in.len, 0);
    assert_int_equal(io_stream_unsent(&f->client.stream), 0);
    io_stream_flush(f->io, &f->client.stream);
    RUN_UNTIL(f, f->server.in.len == 5);
    assert_int_equal(f->client.drained, 0); /* the kernel took all of it at once */
}

static void stream__flushed_before_connected__is_sent_and_drained(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "127.0.0.1", f->port), OK);
    say(&f->client, "early", 5);
    assert_int_equal(io_stream_unsent(&f->client.stream), 5);
    RUN_UNTIL(f, f->client.drained > 0 && f->server.stream.world != NULL);
    io_stream_resume(f->io, &f->server.stream);
    RUN_UNTIL(f, f->server.in.len == 5);
    assert_int_equal(f->client.connected, 1);
}

static void stream__sending_to_a_closed_peer__ends_once_outside_the_call(void **state)
{
    struct fixture *f = *state;
    join(f);
    io_stream_close(f->io, &f->server.stream);
    RUN_UNTIL(f, f->client.ended > 0);
    assert_int_equal(f->client.end_status, ERR_EOF);
    for (int i = 0; i < 20; i++) { /* the first ones provoke the reset, later ones meet it */
        say(&f->client, "anyone there?", 13);
        run_ms(f, 1);
    }
    assert_int_equal(f->client.ended, 1);
    assert_int_equal(io_stream_unsent(&f->client.stream), 0);
}

static void stream__sending_fails_while_paused__is_told(void **state)
{
    struct fixture *f = *state;
    join(f);
    io_stream_pause(f->io, &f->client.stream);
    io_stream_close(f->io, &f->server.stream);
    run_ms(f, 5);
    for (int i = 0; i < 20 && f->client.ended == 0; i++) {
        say(&f->client, "anyone there?", 13);
        assert_int_equal(f->client.ended, 0); /* never inside the call */
        run_ms(f, 1);
    }
    assert_int_equal(f->client.ended, 1);
    assert_int_equal(f->client.end_status, ERR_IO);
}

static void stream__never_connected__can_be_closed(void **state)
{
    struct fixture *f = *state;
    io_stream_close(f->io, &f->client.stream);
    assert_int_equal(f->client.closed, 0);
    RUN_UNTIL(f, f->client.closed > 0);
    assert_int_equal(f->client.closed, 1);
}

static void connect__nobody_listens__is_refused(void **state)
{
    struct fixture *f = *state;
    io_listener_close(f->io, &f->listener);
    RUN_UNTIL(f, f->listener_closed > 0);
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "127.0.0.1", f->port), OK);
    RUN_UNTIL(f, f->client.connected > 0);
    assert_int_equal(f->client.connect_status, ERR_REFUSED_CONNECT);
    say(&f->client, "hello?", 6);
    io_stream_close(f->io, &f->client.stream);
    RUN_UNTIL(f, f->client.closed > 0);
    assert_int_equal(f->client.connected, 1);
    assert_int_equal(f->client.ended, 0);
}

static void connect__closed_before_it_is_through__only_closed_follows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "127.0.0.1", f->port), OK);
    io_stream_close(f->io, &f->client.stream);
    RUN_UNTIL(f, f->client.closed > 0);
    run_ms(f, 5);
    assert_int_equal(f->client.connected, 0);
    assert_int_equal(f->client.ended, 0);
}

static void address__not_numeric__is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct io_listener other = {.incoming = listener_on_incoming, .closed = listener_on_closed};
    uint16_t port;
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "localhost", 1), ERR_ADDRESS);
    assert_null(f->client.stream.world);
    assert_int_equal(io_listen(f->io, &other, "::g", 0, &port), ERR_ADDRESS);
    assert_int_equal(io_listen(f->io, &other, "192.0.2.1", 0, &port), ERR_ADDRESS);
}

static void listen__port_in_use__exists(void **state)
{
    struct fixture *f = *state;
    struct io_listener other = {.incoming = listener_on_incoming, .closed = listener_on_closed};
    uint16_t port = 7;
    assert_int_equal(io_listen(f->io, &other, "127.0.0.1", f->port, &port), ERR_EXISTS);
    assert_int_equal(port, 7);
    assert_null(other.world);
}

static void accept__out_of_descriptors__full_and_later_again(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;
    struct rlimit tight;
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "127.0.0.1", f->port), OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int highest = dup(0);
    tight = (struct rlimit){.rlim_cur = (rlim_t)highest, .rlim_max = before.rlim_max};
    assert_true(highest > 0);
    assert_int_equal(close(highest), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    RUN_UNTIL(f, f->incoming > 0);
    assert_int_equal(f->accept_status, ERR_FULL);
    int incoming = f->incoming;
    uint64_t start = io_now_exact_ns(f->io);
    run_ms(f, 20);
    uint64_t waited_ms = (io_now_exact_ns(f->io) - start) / 1000000;
    assert_true((uint64_t)(f->incoming - incoming) <=
                1 + waited_ms / 100); /* no turning in circles */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    RUN_UNTIL(f, f->server.stream.world != NULL);
    assert_int_equal(f->accept_status, OK);
}

/* ---- peers that are gone without a word ---- */

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

/* The kernel is asked to find out; nothing short of a network to cut could show that it does. */
static void stream__peer_gone_without_a_word__is_found_out_by_the_kernel(void **state)
{
    struct fixture *f = *state;
    int asked = 0;
    int pressed = 0;
    join(f);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
            option(fd, IPPROTO_TCP, TCP_NODELAY) != 1) {
            continue;
        }
        asked += option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1 &&
                 option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == IO_UV_IDLE_S &&
                 option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == IO_UV_PROBE_S &&
                 option(fd, IPPROTO_TCP, TCP_KEEPCNT) == IO_UV_PROBES;
        pressed += option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == IO_UV_UNACKNOWLEDGED_MS;
    }
    assert_int_equal(asked, 2);
    assert_int_equal(pressed, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(stream__pipelined_frames__come_back_in_order),
        CASE(stream__half_a_frame__is_delivered_as_it_comes),
        CASE(stream__not_resumed__delivers_nothing),
        CASE(stream__peer_closes__last_words_then_end_of_file),
        CASE(stream__closed_with_input_unread__peer_still_reads_the_answer),
        CASE(stream__closed_in_received__no_callback_but_closed),
        CASE(stream__paused_reader__holds_the_writer_back_within_its_bound),
        CASE(stream__bytes_not_flushed__stay_until_the_next_flush),
        CASE(stream__flushed_before_connected__is_sent_and_drained),
        CASE(stream__sending_to_a_closed_peer__ends_once_outside_the_call),
        CASE(stream__sending_fails_while_paused__is_told),
        CASE(stream__never_connected__can_be_closed),
        CASE(connect__nobody_listens__is_refused),
        CASE(connect__closed_before_it_is_through__only_closed_follows),
        CASE(address__not_numeric__is_refused_at_once),
        CASE(listen__port_in_use__exists),
        CASE(accept__out_of_descriptors__full_and_later_again),
        CASE(stream__peer_gone_without_a_word__is_found_out_by_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
