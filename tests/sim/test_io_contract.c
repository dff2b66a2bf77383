/* tests/sim/test_io_contract.c -- what io/io.h promises, asked of both worlds by the same code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "io_sim/io_sim.h"
#include "io_uv/io_uv.h"

enum {
    OUT_MAX = 8 << 20,
    IN_MAX = 8 << 20,
    BIG = 6 << 20,
    JOBS_NR = 12,
    LIMIT_MS = 20000,
    QUIET_ROUNDS = 10,
    MS = 1000000
};

/* The world under test, and all that happened in it, as a line of letters. */
struct world {
    struct io *io;
    struct io_uv *uv; /* one of the two is there */
    struct io_sim *sim;
    char folder[64];
    char path[128];
    char trace[256];
    size_t trace_len;
    int calling; /* > 0: inside a call, no callback may come */
    int events;  /* callbacks so far */
};

static struct world *w;

static void note(char letter)
{
    assert_int_equal(w->calling, 0);
    assert_true(w->trace_len + 1 < sizeof(w->trace));
    w->trace[w->trace_len++] = letter;
    w->events++;
}

/* Make a call during which nothing may call back. */
#define QUIETLY(call)                                                                          \
    do {                                                                                       \
        w->calling++;                                                                          \
        call;                                                                                  \
        w->calling--;                                                                          \
    } while (0)

static void run_until(bool (*is_done)(void *context), void *context)
{
    if (w->sim != NULL) {
        assert_true(io_sim_run_until(w->sim, is_done, context, LIMIT_MS));
        return;
    }
    uint64_t end = io_now_exact_ns(w->io) + (uint64_t)LIMIT_MS * MS;
    while (!is_done(context)) {
        io_uv_run_once(w->uv, 20);
        assert_true(io_now_exact_ns(w->io) < end);
    }
}

/* Let whatever still comes come: until nothing has for a while. */
static void settle(void)
{
    if (w->sim != NULL) {
        assert_true(io_sim_run_idle(w->sim, LIMIT_MS));
        return;
    }
    for (int quiet = 0; quiet < QUIET_ROUNDS;) {
        int before = w->events;
        io_uv_run_once(w->uv, 2);
        quiet = w->events == before ? quiet + 1 : 0;
    }
}

static bool has_noted(void *context)
{
    const size_t *letters = context;
    return w->trace_len >= *letters;
}

/* Wait for that many letters, and for those that should not come. */
static void settle_at(size_t letters)
{
    run_until(has_noted, &letters);
    settle();
}

static const char *in(const char *name)
{
    int len = snprintf(w->path, sizeof(w->path), "%s/%s", w->folder, name);
    assert_in_range(len, 1, sizeof(w->path) - 1);
    return w->path;
}

static int setup_uv(void **state)
{
    (void)state;
    w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->uv = io_uv_create();
    assert_non_null(w->uv);
    w->io = io_uv_world(w->uv);
    (void)snprintf(w->folder, sizeof(w->folder), "/tmp/carillon-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    return 0;
}

static int teardown_uv(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
    assert_int_equal(system(command), 0);
    io_uv_destroy(w->uv);
    free(w);
    return 0;
}

static int setup_sim(void **state)
{
    (void)state;
    w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->sim = io_sim_create(7, NULL);
    w->io = io_sim_machine_create(w->sim, "10.0.0.1");
    (void)snprintf(w->folder, sizeof(w->folder), "/data");
    assert_int_equal(io_folder_make(w->io, "/data"), OK);
    return 0;
}

static int teardown_sim(void **state)
{
    (void)state;
    io_sim_destroy(w->sim);
    free(w);
    return 0;
}

/* ---- streams: letters are upper case for the server's end ---- */

struct peer {
    struct io_stream stream;
    struct buf in;
    bool is_server;
    bool must_echo;
    int end_status;
};

static struct peer client;
static struct peer server;
static struct io_listener listener;
static uint16_t port;

static void note_peer(const struct io_stream *stream, char letter)
{
    note(stream == &server.stream ? (char)(letter - 'a' + 'A') : letter);
}

static void on_connected(struct io_stream *stream, int status)
{
    note_peer(stream, status == OK ? 'c' : status == ERR_REFUSED_CONNECT ? 'x' : 'y');
}

static void on_received(struct io_stream *stream, struct slice bytes)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);
    assert_int_equal(w->calling, 0);
    assert_int_equal(buf_append_slice(&peer->in, bytes), OK);
    w->events++;
    if (peer->must_echo) {
        assert_int_equal(buf_append_slice(&stream->out, bytes), OK);
        QUIETLY(io_stream_flush(w->io, stream));
    }
}

static void on_drained(struct io_stream *stream)
{
    assert_int_equal(io_stream_unsent(stream), 0);
    note_peer(stream, 'd');
}

static void on_ended(struct io_stream *stream, int status)
{
    CONTAINER_OF(stream, struct peer, stream)->end_status = status;
    note_peer(stream, 'e');
}

static void on_closed(struct io_stream *stream)
{
    assert_null(stream->world);
    note_peer(stream, 'z');
}

static void on_incoming(struct io_listener *door)
{
    assert_int_equal(w->calling, 0);
    assert_int_equal(io_accept(w->io, door, &server.stream), OK);
    struct io_stream other = server.stream;
    other.world = NULL;
    assert_int_equal(io_accept(w->io, door, &other), ERR_GONE);
}

static void on_listener_closed(struct io_listener *door)
{
    assert_null(door->world);
    note('L');
}

static void peer_init(struct peer *peer)
{
    *peer = (struct peer){0};
    peer->stream.connected = on_connected;
    peer->stream.received = on_received;
    peer->stream.drained = on_drained;
    peer->stream.ended = on_ended;
    peer->stream.closed = on_closed;
    buf_init(&peer->stream.out, OUT_MAX);
    buf_init(&peer->in, IN_MAX);
}

static void open_network(void)
{
    peer_init(&client);
    peer_init(&server);
    listener = (struct io_listener){.incoming = on_incoming, .closed = on_listener_closed};
    assert_int_equal(io_listen(w->io, &listener, "127.0.0.1", 0, &port), OK);
    QUIETLY(assert_int_equal(io_stream_connect(w->io, &client.stream, "127.0.0.1", port), OK));
}

/* Whether the letters of one case in the trace are @expected: the order between two streams is
 * nobody's promise. */
static void assert_story(bool is_upper, const char *expected)
{
    char story[sizeof(w->trace)] = {0};
    size_t len = 0;
    for (size_t i = 0; i < w->trace_len; i++) {
        if ((w->trace[i] <= 'Z') == is_upper) {
            story[len++] = w->trace[i];
        }
    }
    assert_string_equal(story, expected);
}

/* Close what is open and expect the whole story of both ends. */
static void close_network(const char *of_client, const char *of_server)
{
    if (server.stream.world != NULL) {
        QUIETLY(io_stream_close(w->io, &server.stream));
    }
    settle();
    if (client.stream.world != NULL) {
        QUIETLY(io_stream_close(w->io, &client.stream));
    }
    settle();
    QUIETLY(io_listener_close(w->io, &listener));
    settle();
    buf_fini(&client.stream.out);
    buf_fini(&client.in);
    buf_fini(&server.stream.out);
    buf_fini(&server.in);
    assert_story(false, of_client);
    assert_story(true, of_server);
}

static bool is_joined(void *context)
{
    (void)context;
    return server.stream.world != NULL && w->trace_len > 0;
}

static void join(void)
{
    open_network();
    run_until(is_joined, NULL);
    QUIETLY(io_stream_resume(w->io, &client.stream));
    QUIETLY(io_stream_resume(w->io, &server.stream));
}

static void say(struct peer *peer, const void *data, size_t len)
{
    assert_int_equal(buf_append(&peer->stream.out, data, len), OK);
    QUIETLY(io_stream_flush(w->io, &peer->stream));
}

static void stream__echo__comes_back(void **state)
{
    (void)state;
    join();
    server.must_echo = true;
    say(&client, "0123456789", 10);
    say(&client, "abcdefghij", 10);
    settle();
    assert_int_equal(client.in.len, 20);
    assert_memory_equal(client.in.data, "0123456789abcdefghij", 20);
    close_network("cez", "ZL");
}

static void stream__half_closed__hears_the_last_words_first(void **state)
{
    (void)state;
    join();
    say(&server, "farewell", 8);
    QUIETLY(io_stream_close(w->io, &server.stream));
    settle();
    assert_int_equal(client.in.len, 8);
    assert_int_equal(client.end_status, ERR_EOF);
    say(&client, "too late", 8);
    settle();
    close_network("cez", "ZL");
}

static void stream__send_to_a_closed_peer__breaks_once(void **state)
{
    (void)state;
    join();
    QUIETLY(io_stream_pause(w->io, &client.stream));
    QUIETLY(io_stream_close(w->io, &server.stream));
    settle();
    for (int i = 0; i < 3; i++) { /* a kernel needs the first to learn of it */
        say(&client, "anyone?", 7);
        settle();
    }
    assert_int_equal(client.end_status, ERR_IO);
    assert_int_equal(client.stream.out.len, 0);
    close_network("cez", "ZL");
}

static bool is_stuck(void *context)
{
    size_t *before = context;
    size_t now = io_stream_unsent(&client.stream);
    bool is_same = now == *before;
    *before = now;
    return is_same;
}

static bool is_all_there(void *context)
{
    (void)context;
    return server.in.len == BIG && io_stream_unsent(&client.stream) == 0;
}

static void stream__paused__keeps_the_rest_with_the_sender(void **state)
{
    (void)state;
    join();
    QUIETLY(io_stream_pause(w->io, &server.stream));
    uint8_t *data = malloc(BIG);
    assert_non_null(data);
    memset(data, 'x', BIG);
    say(&client, data, BIG);
    free(data);
    size_t before = 0;
    settle();
    run_until(is_stuck, &before);
    assert_true(before > 0);
    assert_int_equal(client.stream.out.len, before);
    assert_int_equal(server.in.len, 0);
    QUIETLY(io_stream_resume(w->io, &server.stream));
    run_until(is_all_there, NULL);
    settle();
    close_network("cdez", "ZL");
}

static void stream__flushed_too_early__is_sent_when_connected(void **state)
{
    (void)state;
    open_network();
    say(&client, "early", 5);
    assert_int_equal(io_stream_unsent(&client.stream), 5);
    settle();
    QUIETLY(io_stream_resume(w->io, &server.stream));
    settle();
    assert_int_equal(server.in.len, 5);
    QUIETLY(io_stream_resume(w->io, &client.stream));
    close_network("cdez", "ZL");
}

static void connect__refused__ends_only_with_closed(void **state)
{
    (void)state;
    join();
    QUIETLY(io_listener_close(w->io, &listener));
    settle();
    struct io_stream other = client.stream;
    other.world = NULL;
    buf_init(&other.out, 100);
    QUIETLY(assert_int_equal(io_stream_connect(w->io, &other, "127.0.0.1", port), OK));
    settle();
    QUIETLY(io_stream_close(w->io, &other));
    settle();
    assert_int_equal(io_stream_connect(w->io, &other, "localhost", port), ERR_ADDRESS);
    assert_int_equal(io_listen(w->io, &listener, "127.0.0.1", port, &port), OK);
    close_network("cxzez", "LZL");
}

static void stream__never_connected__is_closed(void **state)
{
    (void)state;
    join();
    struct io_stream other = client.stream;
    other.world = NULL;
    assert_int_equal(io_stream_unsent(&other), 0);
    QUIETLY(io_stream_close(w->io, &other));
    settle();
    close_network("czez", "ZL");
}

/* ---- datagrams: what one address says to the other ---- */

struct post {
    struct io_datagrams datagrams;
    char letter;
    uint16_t port;
    uint16_t heard_port;
    char heard_address[46];
    struct buf in;
};

static struct post here;
static struct post there;

static void on_datagram(struct io_datagrams *datagrams, const char *address, uint16_t from,
                        struct slice bytes)
{
    struct post *post = CONTAINER_OF(datagrams, struct post, datagrams);
    post->heard_port = from;
    (void)snprintf(post->heard_address, sizeof(post->heard_address), "%s", address);
    buf_clear(&post->in);
    assert_int_equal(buf_append_slice(&post->in, bytes), OK);
    note(post->letter);
}

static void on_post_closed(struct io_datagrams *datagrams)
{
    assert_null(datagrams->world);
    note('z');
}

static void post_open(struct post *post, char letter)
{
    *post = (struct post){.datagrams = {.received = on_datagram, .closed = on_post_closed},
                          .letter = letter};
    buf_init(&post->in, IO_DATAGRAM_BYTES_MAX);
    QUIETLY(assert_int_equal(
        io_datagrams_open(w->io, &post->datagrams, "127.0.0.1", 0, &post->port), OK));
    assert_int_not_equal(post->port, 0);
}

static void post_close(struct post *post)
{
    QUIETLY(io_datagrams_close(w->io, &post->datagrams));
    settle();
    buf_fini(&post->in);
}

static void post_say(struct post *from, const struct post *to, const void *data, size_t len)
{
    QUIETLY(assert_int_equal(io_datagrams_send(w->io, &from->datagrams, "127.0.0.1", to->port,
                                               slice_from(data, len)),
                             OK));
}

static void datagram__sent__comes_with_its_sender(void **state)
{
    uint8_t longest[IO_DATAGRAM_BYTES_MAX];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    post_open(&here, 'h');
    post_open(&there, 't');
    post_say(&here, &there, "ping", 4);
    settle_at(1);
    assert_int_equal(there.heard_port, here.port);
    assert_string_equal(there.heard_address, "127.0.0.1");
    assert_memory_equal(there.in.data, "ping", 4);
    post_say(&there, &here, longest, sizeof(longest));
    settle_at(2);
    assert_int_equal(here.in.len, sizeof(longest));
    post_close(&here);
    post_close(&there);
    assert_string_equal(w->trace, "thzz");
}

/* Nobody is told that nobody was there; and who has closed hears nothing any more. */
static void datagram__to_nobody__is_lost(void **state)
{
    (void)state;
    post_open(&here, 'h');
    post_open(&there, 't');
    post_close(&there);
    for (int i = 0; i < 3; i++) {
        post_say(&here, &there, "anyone?", 7);
        settle();
    }
    post_say(&here, &here, "me", 2);
    settle_at(2);
    assert_string_equal(w->trace, "zh");
    post_say(&here, &here, "too late", 8);
    post_close(&here);
    assert_string_equal(w->trace, "zhz");
}

static void datagram_address__taken_or_wrong__is_refused(void **state)
{
    struct io_datagrams other = {.received = on_datagram, .closed = on_post_closed};
    uint16_t number = 0;

    (void)state;
    post_open(&here, 'h');
    assert_int_equal(io_datagrams_open(w->io, &other, "127.0.0.1", here.port, &number),
                     ERR_EXISTS);
    assert_int_equal(io_datagrams_open(w->io, &other, "localhost", 0, &number), ERR_ADDRESS);
    assert_null(other.world);
    assert_int_equal(io_datagrams_send(w->io, &here.datagrams, "localhost", 7440,
                                       slice_from("ping", 4)),
                     ERR_ADDRESS);
    /* a stream's port is another */
    listener = (struct io_listener){.incoming = on_incoming, .closed = on_listener_closed};
    assert_int_equal(io_listen(w->io, &listener, "127.0.0.1", here.port, &port), OK);
    QUIETLY(io_listener_close(w->io, &listener));
    settle();
    post_close(&here);
    assert_int_equal(io_datagrams_open(w->io, &other, "127.0.0.1", here.port, &number), OK);
    assert_int_equal(number, here.port);
    QUIETLY(io_datagrams_close(w->io, &other));
    settle();
}

/* ---- files ---- */

static int note_name(void *context, const char *name)
{
    (void)context;
    note(name[0]);
    return name[0] == 'q' ? ERR_CANCELLED : OK;
}

static void files__each_call__answers_the_same(void **state)
{
    (void)state;
    struct io_file *file = NULL;
    struct io_file *reader = NULL;
    char data[16] = {0};
    size_t len = 0;
    uint64_t size = 0;
    assert_int_equal(io_file_open(w->io, in("b"), IO_OPEN_WRITE, &file), ERR_GONE);
    assert_int_equal(io_file_open(w->io, in("none/b"), IO_OPEN_CREATE, &file), ERR_GONE);
    assert_int_equal(io_file_open(w->io, in("b"), IO_OPEN_CREATE, &file), OK);
    assert_int_equal(io_file_open(w->io, in("b"), IO_OPEN_CREATE, &reader), ERR_EXISTS);
    assert_int_equal(io_file_open(w->io, in("b"), IO_OPEN_READ, &reader), OK);
    assert_int_equal(io_file_write(w->io, file, 5, "abc", 3), OK);
    assert_int_equal(io_file_write(w->io, reader, 0, "abc", 3), ERR_IO);
    assert_int_equal(io_file_truncate(w->io, file, 7), OK);
    assert_int_equal(io_file_truncate(w->io, file, 9), OK);
    assert_int_equal(io_file_read(w->io, reader, 4, data, sizeof(data), &len), OK);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "\0ab\0\0", 5);
    assert_int_equal(io_file_read(w->io, reader, 9, data, sizeof(data), &len), OK);
    assert_int_equal(len, 0);
    assert_int_equal(io_file_sync(w->io, file), OK);
    assert_int_equal(io_file_size(w->io, reader, &size), OK);
    assert_int_equal(size, 9);
    assert_int_equal(io_file_remove(w->io, in("b")), OK);
    assert_int_equal(io_file_remove(w->io, in("b")), ERR_GONE);
    assert_int_equal(io_file_size(w->io, reader, &size),
                     OK); /* open files outlive their names */
    assert_int_equal(size, 9);
    io_file_close(w->io, reader);
    io_file_close(w->io, file);
}

static void create(const char *name)
{
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(w->io, in(name), IO_OPEN_CREATE, &file), OK);
    io_file_close(w->io, file);
}

static void folders__each_call__answers_the_same(void **state)
{
    (void)state;
    struct io_file *lock = NULL;
    struct io_file *second = NULL;
    char to[128];
    uint64_t bytes = 0;
    create("r");
    create("B");
    create("q");
    (void)snprintf(to, sizeof(to), "%s", in("a"));
    assert_int_equal(io_file_rename(w->io, in("r"), to), OK);
    assert_int_equal(io_file_rename(w->io, in("r"), to), ERR_GONE);
    create("r");
    assert_int_equal(io_folder_make(w->io, in("c/d")), OK);
    assert_int_equal(io_folder_make(w->io, in("c/d/")), OK);
    assert_int_equal(io_folder_make(w->io, in("a")), ERR_EXISTS);
    assert_int_equal(io_folder_sync(w->io, in("c/d")), OK);
    assert_int_equal(io_folder_sync(w->io, in("none")), ERR_GONE);
    assert_int_equal(io_folder_list(w->io, in("none"), note_name, NULL), ERR_GONE);
    assert_int_equal(io_folder_lock(w->io, in("none"), &lock), ERR_GONE);
    assert_int_equal(io_folder_lock(w->io, w->folder, &lock), OK);
    assert_int_equal(io_folder_lock(w->io, w->folder, &second), ERR_LOCKED);
    assert_int_equal(io_folder_list(w->io, w->folder, note_name, NULL), ERR_CANCELLED);
    io_folder_unlock(w->io, lock);
    assert_int_equal(io_folder_free_bytes(w->io, w->folder, &bytes), OK);
    assert_true(bytes > 0);
    assert_int_equal(io_folder_free_bytes(w->io, in("none/x"), &bytes), ERR_GONE);
    assert_string_equal(w->trace, "BLaq");
}

/* ---- the loop ---- */

static struct io_job jobs[JOBS_NR];

static void job_run(struct io *io, struct io_job *job)
{
    struct io_file *file = NULL;
    char path[192];
    (void)snprintf(path, sizeof(path), "%s/%c", w->folder, (char)('a' + (job - jobs)));
    if (io_file_open(io, path, IO_OPEN_CREATE, &file) == OK) {
        io_file_close(io, file);
    }
}

static void on_job_done(struct io_job *job)
{
    note((char)('a' + (job - jobs)));
}

static struct io_timer timers[3];

static void on_fired(struct io_timer *timer)
{
    note((char)('0' + (timer - timers)));
}

static void lanes_and_timers__everything__comes_once_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < JOBS_NR; i++) {
        jobs[i] = (struct io_job){.run = job_run, .done = on_job_done};
        QUIETLY(io_lane_submit(w->io, IO_LANE_LOG, &jobs[i]));
    }
    settle_at(JOBS_NR);
    assert_string_equal(w->trace, "abcdefghijkl");
    assert_int_equal(io_folder_list(w->io, w->folder, note_name, NULL), OK);
    assert_string_equal(w->trace, "abcdefghijklabcdefghijkl");

    w->trace_len = 0;
    memset(w->trace, 0, sizeof(w->trace));
    memset(timers, 0, sizeof(timers));
    QUIETLY(io_timer_start(w->io, &timers[0], 3, on_fired));
    QUIETLY(io_timer_start(w->io, &timers[1], 0, on_fired));
    QUIETLY(io_timer_start(w->io, &timers[2], 1, on_fired));
    QUIETLY(io_timer_start(w->io, &timers[2], 6, on_fired));
    settle_at(3);
    assert_string_equal(w->trace, "102");
}

static void lane__waited_for__has_called_everything_in_order(void **state)
{
    (void)state;
    io_lane_wait(w->io, IO_LANE_LOG); /* nothing to wait for */
    for (size_t i = 0; i < JOBS_NR; i++) {
        jobs[i] = (struct io_job){.run = job_run, .done = on_job_done};
        QUIETLY(io_lane_submit(w->io, IO_LANE_LOG, &jobs[i]));
    }
    io_lane_wait(w->io, IO_LANE_LOG);
    assert_string_equal(w->trace, "abcdefghijkl");

    /* The lane goes on as ever, and nothing is called twice. */
    jobs[0] = (struct io_job){.run = job_run, .done = on_job_done};
    QUIETLY(io_lane_submit(w->io, IO_LANE_LOG, &jobs[0]));
    settle_at(JOBS_NR + 1);
    assert_string_equal(w->trace, "abcdefghijkla");
}

static struct io_turn turn;
static int turns_left;

static void on_turn(struct io_turn *ended)
{
    note('t');
    ended->again = --turns_left > 0;
}

static void turn__again__until_it_has_enough(void **state)
{
    (void)state;
    turns_left = 4;
    memset(timers, 0, sizeof(timers));
    QUIETLY(io_turn_add(w->io, &turn, on_turn));
    QUIETLY(io_timer_start(w->io, &timers[0], 1, on_fired));
    settle_at(5);
    assert_string_equal(w->trace, "0tttt");
    io_turn_remove(w->io, &turn);
}

#define CASES(setup, teardown)                                                                 \
    {                                                                                          \
        cmocka_unit_test_setup_teardown(stream__echo__comes_back, setup, teardown),            \
            cmocka_unit_test_setup_teardown(stream__half_closed__hears_the_last_words_first,   \
                                            setup, teardown),                                  \
            cmocka_unit_test_setup_teardown(stream__send_to_a_closed_peer__breaks_once, setup, \
                                            teardown),                                         \
            cmocka_unit_test_setup_teardown(stream__paused__keeps_the_rest_with_the_sender,    \
                                            setup, teardown),                                  \
            cmocka_unit_test_setup_teardown(stream__flushed_too_early__is_sent_when_connected, \
                                            setup, teardown),                                  \
            cmocka_unit_test_setup_teardown(connect__refused__ends_only_with_closed, setup,    \
                                            teardown),                                         \
            cmocka_unit_test_setup_teardown(stream__never_connected__is_closed, setup,         \
                                            teardown),                                         \
            cmocka_unit_test_setup_teardown(datagram__sent__comes_with_its_sender, setup,      \
                                            teardown),                                         \
            cmocka_unit_test_setup_teardown(datagram__to_nobody__is_lost, setup, teardown),    \
            cmocka_unit_test_setup_teardown(datagram_address__taken_or_wrong__is_refused,      \
                                            setup, teardown),                                  \
            cmocka_unit_test_setup_teardown(files__each_call__answers_the_same, setup,         \
                                            teardown),                                         \
            cmocka_unit_test_setup_teardown(folders__each_call__answers_the_same, setup,       \
                                            teardown),                                         \
            cmocka_unit_test_setup_teardown(lanes_and_timers__everything__comes_once_in_order, \
                                            setup, teardown),                                  \
            cmocka_unit_test_setup_teardown(lane__waited_for__has_called_everything_in_order,  \
                                            setup, teardown),                                  \
            cmocka_unit_test_setup_teardown(turn__again__until_it_has_enough, setup,           \
                                            teardown),                                         \
    }

int main(void)
{
    const struct CMUnitTest real[] = CASES(setup_uv, teardown_uv);
    const struct CMUnitTest simulated[] = CASES(setup_sim, teardown_sim);
    int failed = cmocka_run_group_tests_name("real", real, NULL, NULL);
    return failed + cmocka_run_group_tests_name("simulated", simulated, NULL, NULL);
}
