/* Secured streams of the real world, over loopback: what two ends see of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "identity/certificate.h"
#include "io_uv/io_uv.h"
#include "tests/lib/tls_peer.h"

enum {
    OUT_MAX = 16 << 20,
    IN_MAX = 64 << 20,
    ROUNDS_MAX = 4000,
    BIG = 5 << 20,
    A_WHILE = 20,
    GUESTS_MAX = 8
};

static const uint64_t day_ms = 86400000;

/* One end of a connection and what happened to it. */
struct peer {
    struct io_stream stream;
    struct io *io;
    struct buf in;
    int connected;
    int connect_status;
    int ended;
    int end_status;
    int closed;
    bool is_closing;
    struct io_peer seen; /* of the other, when it ended or said something */
};

/* What one side shows and whom it expects. */
struct side {
    struct identity_trust trust;
    struct identity_key key;
    struct buf certificate;
    struct buf der;
    struct io_tls *tls;
};

struct fixture {
    struct io_uv *uv;
    struct io *io;
    struct identity_key root;
    struct buf root_certificate;
    struct side node;
    struct side user;
    struct io_listener listener;
    uint16_t port;
    bool listener_closed;
    struct peer server;
    struct peer client;
    struct peer guests[GUESTS_MAX]; /* who comes after the first */
    size_t guest_count;
};

/* Holds up the lane where the node judges a client's certificate. */
struct gate {
    struct io *io;
    sem_t reached;
    sem_t open;
    bool is_shut;
    pthread_t judging; /* the thread that judged last */
    pthread_t asked;   /* and where what it asked was answered */
};

static struct gate gate;

static void note_peer(struct peer *peer)
{
    peer->seen = *io_stream_peer(&peer->stream);
}

static void on_connected(struct io_stream *stream, int status)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);

    peer->connected++;
    peer->connect_status = status;
    note_peer(peer);
    if (status == OK) {
        io_stream_resume(peer->io, stream);
    }
}

static void on_received(struct io_stream *stream, struct slice bytes)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);

    assert_true(bytes.len > 0);
    note_peer(peer);
    assert_int_equal(buf_append_slice(&peer->in, bytes), OK);
}

static void on_ended(struct io_stream *stream, int status)
{
    struct peer *peer = CONTAINER_OF(stream, struct peer, stream);

    peer->ended++;
    peer->end_status = status;
    note_peer(peer);
}

static void on_closed(struct io_stream *stream)
{
    CONTAINER_OF(stream, struct peer, stream)->closed++;
}

static void peer_init(struct peer *peer, struct io *io)
{
    *peer = (struct peer){.io = io};
    peer->stream.connected = on_connected;
    peer->stream.received = on_received;
    peer->stream.ended = on_ended;
    peer->stream.closed = on_closed;
    buf_init(&peer->stream.out, OUT_MAX);
    buf_init(&peer->in, IN_MAX);
}

static void peer_fini(struct peer *peer)
{
    buf_fini(&peer->stream.out);
    buf_fini(&peer->in);
}

static void on_incoming(struct io_listener *listener)
{
    struct fixture *f = CONTAINER_OF(listener, struct fixture, listener);
    struct peer *guest;

    while (f->server.stream.world == NULL &&
           io_accept(f->io, listener, &f->server.stream) == OK) {
        io_stream_resume(f->io, &f->server.stream);
    }
    while (f->guest_count < GUESTS_MAX) {
        guest = &f->guests[f->guest_count];
        peer_init(guest, f->io);
        if (io_accept(f->io, listener, &guest->stream) != OK) {
            peer_fini(guest);
            break;
        }
        f->guest_count++;
        io_stream_resume(f->io, &guest->stream);
    }
}

static void on_listener_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct fixture, listener)->listener_closed = true;
}

static void on_ask(void *context)
{
    ((struct gate *)context)->asked = pthread_self();
}

static void gate_open(void)
{
    (void)sem_post(&gate.open);
}

static void gate_pass(void)
{
    gate.judging = pthread_self();
    (void)sem_post(&gate.reached);
    (void)sem_wait(&gate.open);
    io_ask(gate.io, on_ask, &gate);
}

static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    const struct side *side = context;
    struct identity_certificate read;
    enum io_refusal refusal = identity_certificate_judge(&side->trust, certificate, &read);

    (void)issuer;
    if (gate.is_shut && side->trust.roles == IDENTITY_ROLE_OPERATOR) {
        gate_pass();
    }
    if (refusal == IO_REFUSAL_NONE) {
        ret_peer->role = read.role;
        (void)snprintf(ret_peer->name, sizeof ret_peer->name, "%s", read.name);
    }
    return refusal;
}

static struct identity_key key_of(uint8_t seed_byte)
{
    uint8_t seed[IDENTITY_KEY_BYTES];
    struct identity_key key = {0};

    memset(seed, seed_byte, sizeof seed);
    assert_int_equal(identity_key_make(seed, &key), OK);
    return key;
}

/* (Re)make what @side shows: @issuer NULL for nothing at all. */
static void side_make(struct fixture *f, struct side *side, uint32_t role,
                      const struct identity_key *issuer, uint32_t expected)
{
    struct identity_certificate_plan plan = {
        .role = role,
        .name = role == IDENTITY_ROLE_NODE ? "00112233445566778899aabbccddeeff" : "alma",
        .subject = &side->key,
        .issuer = issuer,
        .not_before_ms = io_wall_ms(f->io) - day_ms,
        .not_after_ms = io_wall_ms(f->io) + day_ms,
    };
    struct io_tls_options options = {
        .is_server = side == &f->node, .verify = verify, .context = side};

    io_tls_destroy(f->io, side->tls);
    identity_cluster_id(&f->root, plan.cluster);
    side->trust = (struct identity_trust){
        .root = &f->root, .roles = expected, .wall_ms = io_wall_ms(f->io)};
    identity_cluster_id(&f->root, side->trust.cluster);
    buf_clear(&side->certificate);
    buf_clear(&side->der);
    if (issuer != NULL) {
        assert_int_equal(identity_certificate_issue(&plan, &side->certificate), OK);
        assert_int_equal(identity_key_to_der(&side->key, &side->der), OK);
        options.certificate = buf_slice(&side->certificate);
        options.key = buf_slice(&side->der);
        options.issuer = buf_slice(&f->root_certificate);
    }
    assert_int_equal(io_tls_create(f->io, &options, &side->tls), OK);
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.uv = io_uv_create(), .root = key_of(1)};
    f.io = io_uv_world(f.uv);
    gate = (struct gate){.io = f.io};
    (void)sem_init(&gate.reached, 0, 0);
    (void)sem_init(&gate.open, 0, 0);
    f.node.key = key_of(2);
    f.user.key = key_of(3);
    buf_init(&f.root_certificate, 4096);
    buf_init(&f.node.certificate, 4096);
    buf_init(&f.node.der, 4096);
    buf_init(&f.user.certificate, 4096);
    buf_init(&f.user.der, 4096);
    struct identity_certificate_plan plan = {.subject = &f.root, .issuer = &f.root};
    plan.not_after_ms = io_wall_ms(f.io) + day_ms;
    identity_cluster_id(&f.root, plan.cluster);
    assert_int_equal(identity_certificate_issue(&plan, &f.root_certificate), OK);
    side_make(&f, &f.node, IDENTITY_ROLE_NODE, &f.root, IDENTITY_ROLE_OPERATOR);
    side_make(&f, &f.user, IDENTITY_ROLE_OPERATOR, &f.root, IDENTITY_ROLE_NODE);
    peer_init(&f.server, f.io);
    peer_init(&f.client, f.io);
    f.listener = (struct io_listener){
        .incoming = on_incoming, .closed = on_listener_closed, .tls = f.node.tls};
    assert_int_equal(io_listen(f.io, &f.listener, "127.0.0.1", 0, &f.port), OK);
    *state = &f;
    return 0;
}

static void run_until(struct fixture *f, const int *counter)
{
    for (int i = 0; *counter == 0 && i < ROUNDS_MAX; i++) {
        io_uv_run_once(f->uv, 10);
    }
    assert_int_equal(*counter, 1);
}

static void run_until_in(struct fixture *f, const struct peer *peer, size_t len)
{
    for (int i = 0; peer->in.len < len && peer->ended == 0 && i < ROUNDS_MAX; i++) {
        io_uv_run_once(f->uv, 10);
    }
    assert_int_equal(peer->in.len, len);
}

static void peer_close(struct peer *peer)
{
    peer->is_closing = true;
    io_stream_close(peer->io, &peer->stream);
}

static void end(struct fixture *f, struct peer *peer)
{
    if (peer->stream.world != NULL) {
        if (!peer->is_closing) {
            peer_close(peer);
        }
        run_until(f, &peer->closed);
    }
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gate.is_shut = false;
    for (size_t i = 0; i <= GUESTS_MAX; i++) { /* whatever has failed, the lane ends */
        gate_open();
    }
    if (f->uv != NULL) {
        end(f, &f->client);
        end(f, &f->server);
        for (size_t i = 0; i < f->guest_count; i++) {
            end(f, &f->guests[i]);
            peer_fini(&f->guests[i]);
        }
        io_listener_close(f->io, &f->listener);
        for (int i = 0; !f->listener_closed && i < ROUNDS_MAX; i++) {
            io_uv_run_once(f->uv, 10);
        }
        io_tls_destroy(f->io, f->node.tls);
        io_tls_destroy(f->io, f->user.tls);
        io_uv_destroy(f->uv);
    }
    peer_fini(&f->client);
    peer_fini(&f->server);
    buf_fini(&f->root_certificate);
    buf_fini(&f->node.certificate);
    buf_fini(&f->node.der);
    buf_fini(&f->user.certificate);
    buf_fini(&f->user.der);
    identity_key_fini(&f->root);
    identity_key_fini(&f->node.key);
    identity_key_fini(&f->user.key);
    return 0;
}

/* Connect again, from the beginning. */
static void reconnect(struct fixture *f, struct io_tls *tls)
{
    end(f, &f->client);
    end(f, &f->server);
    peer_fini(&f->client);
    peer_fini(&f->server);
    peer_init(&f->server, f->io);
    peer_init(&f->client, f->io);
    f->client.stream.tls = tls;
    assert_int_equal(io_stream_connect(f->io, &f->client.stream, "127.0.0.1", f->port), OK);
}

static void send_text(struct peer *peer, const char *text)
{
    assert_int_equal(buf_append_text(&peer->stream.out, text), OK);
    io_stream_flush(peer->io, &peer->stream);
}

static void stream__secured__both_ends_know_each_other(void **state)
{
    struct fixture *f = *state;

    reconnect(f, f->user.tls);
    send_text(&f->client, "early: waits for the handshake");
    run_until(f, &f->client.connected);
    assert_int_equal(f->client.connect_status, OK);
    run_until_in(f, &f->server, 30);
    assert_true(f->server.seen.is_encrypted && f->server.seen.is_loopback);
    assert_int_equal(f->server.seen.role, IDENTITY_ROLE_OPERATOR);
    assert_string_equal(f->server.seen.name, "alma");
    assert_int_equal(f->client.seen.role, IDENTITY_ROLE_NODE);
    assert_string_equal(f->client.seen.name, "00112233445566778899aabbccddeeff");
    send_text(&f->server, "answer");
    run_until_in(f, &f->client, 6);
    peer_close(&f->client);
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.end_status, ERR_EOF);
}

/* Both directions at once, more than any buffer holds, and not a byte wrong. */
static void stream__megabytes_both_ways__arrive_whole(void **state)
{
    struct fixture *f = *state;
    uint8_t *big = malloc(BIG);

    assert_non_null(big);
    for (size_t i = 0; i < BIG; i++) {
        big[i] = (uint8_t)(i * 131 + i / 257);
    }
    reconnect(f, f->user.tls);
    run_until(f, &f->client.connected);
    send_text(&f->client, "x");
    run_until_in(f, &f->server, 1);
    buf_clear(&f->server.in);
    assert_int_equal(buf_append(&f->client.stream.out, big, BIG), OK);
    assert_int_equal(buf_append(&f->server.stream.out, big, BIG), OK);
    io_stream_flush(f->io, &f->client.stream);
    io_stream_flush(f->io, &f->server.stream);
    run_until_in(f, &f->server, BIG);
    run_until_in(f, &f->client, BIG);
    assert_memory_equal(f->server.in.data, big, BIG);
    assert_memory_equal(f->client.in.data, big, BIG);
    assert_int_equal(io_stream_unsent(&f->client.stream), 0);
    free(big);
}

static void stream__paused__delivers_nothing_and_then_all(void **state)
{
    struct fixture *f = *state;

    reconnect(f, f->user.tls);
    run_until(f, &f->client.connected);
    send_text(&f->client, "a");
    run_until_in(f, &f->server, 1);
    io_stream_pause(f->io, &f->server.stream);
    send_text(&f->client, "bcd");
    for (int i = 0; i < 20; i++) {
        io_uv_run_once(f->uv, 1);
    }
    assert_int_equal(f->server.in.len, 1);
    io_stream_resume(f->io, &f->server.stream);
    run_until_in(f, &f->server, 4);
}

static void session__a_second_time__is_resumed_and_judged_again(void **state)
{
    struct fixture *f = *state;

    reconnect(f, f->user.tls);
    send_text(&f->client, "a");
    run_until_in(f, &f->server, 1);
    send_text(&f->server, "tickets came before this");
    run_until_in(f, &f->client, 24);
    assert_false(f->server.seen.is_resumed);
    reconnect(f, f->user.tls);
    send_text(&f->client, "b");
    run_until_in(f, &f->server, 1);
    assert_true(f->server.seen.is_resumed);
    assert_true(f->client.seen.is_resumed);
    assert_int_equal(f->server.seen.role, IDENTITY_ROLE_OPERATOR);
    f->node.trust.wall_ms += 2 * day_ms; /* its certificate has ended meanwhile */
    reconnect(f, f->user.tls);
    send_text(&f->client, "c");
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.end_status, ERR_UNAUTHENTICATED);
    assert_int_equal(f->server.seen.refusal, IO_REFUSAL_EXPIRED);
    assert_true(f->server.seen.is_resumed);
    assert_int_equal(f->server.in.len, 0);
}

/* The client believes it is through; the alert comes later. */
static void client__of_another_ca__hears_it_after_its_own_handshake(void **state)
{
    struct fixture *f = *state;
    struct identity_key other = key_of(9);

    side_make(f, &f->user, IDENTITY_ROLE_OPERATOR, &other, IDENTITY_ROLE_NODE);
    reconnect(f, f->user.tls);
    send_text(&f->client, "let me in");
    run_until(f, &f->client.connected);
    assert_int_equal(f->client.connect_status, OK);
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.end_status, ERR_UNAUTHENTICATED);
    assert_int_equal(f->server.seen.refusal, IO_REFUSAL_OTHER_CA);
    assert_int_equal(f->server.in.len, 0);
    peer_close(&f->server);
    run_until(f, &f->client.ended);
    assert_int_equal(f->client.end_status, ERR_UNAUTHENTICATED);
    assert_int_equal(f->client.seen.refusal, IO_REFUSAL_OTHER_CA);
    identity_key_fini(&other);
}

static void client__without_certificate__is_nobody(void **state)
{
    struct fixture *f = *state;

    side_make(f, &f->user, 0, NULL, IDENTITY_ROLE_NODE);
    reconnect(f, f->user.tls);
    send_text(&f->client, "hello");
    run_until_in(f, &f->server, 5);
    assert_true(f->server.seen.is_encrypted);
    assert_int_equal(f->server.seen.role, 0);
}

static void client__of_a_node_it_does_not_expect__does_not_connect(void **state)
{
    struct fixture *f = *state;

    f->user.trust.cluster[0] ^= 1;
    reconnect(f, f->user.tls);
    send_text(&f->client, "a secret");
    run_until(f, &f->client.connected);
    assert_int_equal(f->client.connect_status, ERR_UNAUTHENTICATED);
    assert_int_equal(f->client.seen.refusal, IO_REFUSAL_OTHER_CLUSTER);
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.seen.refusal, IO_REFUSAL_TLS);
    assert_int_equal(f->server.in.len, 0);
}

static void plain__on_a_secured_listener__is_seen_as_such(void **state)
{
    struct fixture *f = *state;

    reconnect(f, NULL);
    send_text(&f->client, "plain");
    run_until_in(f, &f->server, 5);
    assert_false(f->server.seen.is_encrypted);
    assert_true(f->server.seen.is_loopback);
}

static void handshake__of_garbage__is_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t record[] = {0x16, 3, 1, 0, 4, 0x77, 0, 0, 0};

    reconnect(f, NULL);
    assert_int_equal(buf_append(&f->client.stream.out, record, sizeof record), OK);
    io_stream_flush(f->io, &f->client.stream);
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.end_status, ERR_UNAUTHENTICATED);
    assert_int_equal(f->server.seen.refusal, IO_REFUSAL_TLS);
}

/* Legal records of a ClientHello that never ends. */
static void handshake__beyond_its_bound__is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t record[5 + 4096] = {0x16, 3, 1, 0x10, 0, 1, 0x01, 0x00, 0x00};

    reconnect(f, NULL);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(buf_append(&f->client.stream.out, record, sizeof record), OK);
        record[5] = 0;
        record[6] = 0;
    }
    io_stream_flush(f->io, &f->client.stream);
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.end_status, ERR_UNAUTHENTICATED);
    assert_int_equal(f->server.seen.refusal, IO_REFUSAL_SIZE);
}

static void context__without_a_usable_key__is_not_made(void **state)
{
    struct fixture *f = *state;
    struct io_tls *tls = NULL;
    struct io_tls_options options = {.is_server = true, .verify = verify, .context = &f->node};

    assert_int_equal(io_tls_create(f->io, &options, &tls), ERR_ARGUMENT);
    options.certificate = buf_slice(&f->node.certificate);
    options.key = buf_slice(&f->user.der); /* another's */
    assert_int_equal(io_tls_create(f->io, &options, &tls), ERR_ARGUMENT);
    assert_int_equal(io_tls_renew(f->io, f->node.tls, &options), ERR_ARGUMENT);
    options.key = buf_slice(&f->node.der);
    options.issuer = buf_slice(&f->root_certificate);
    assert_int_equal(io_tls_renew(f->io, f->node.tls, &options), OK);
    reconnect(f, f->user.tls);
    run_until(f, &f->client.connected);
    assert_int_equal(f->client.connect_status, OK);
}

/* ---- steps on the lane ---- */

static void run_a_while(struct fixture *f)
{
    for (int i = 0; i < A_WHILE; i++) {
        io_uv_run_once(f->uv, 1);
    }
}

/* A handshake begins, and its last step is held up on the lane. */
static void begin_and_hold(struct fixture *f)
{
    gate.is_shut = true;
    reconnect(f, f->user.tls);
    send_text(&f->client, "early");
    for (int i = 0; sem_trywait(&gate.reached) != 0; i++) {
        assert_true(i < ROUNDS_MAX);
        io_uv_run_once(f->uv, 10);
    }
}

static void handshake__judged__is_so_elsewhere_and_asks_the_loop(void **state)
{
    struct fixture *f = *state;

    begin_and_hold(f);
    run_a_while(f);
    assert_int_equal(f->server.in.len, 0); /* the loop turns meanwhile */
    gate_open();
    run_until_in(f, &f->server, 5);
    assert_false(pthread_equal(gate.judging, pthread_self()));
    assert_true(pthread_equal(gate.asked, pthread_self()));
    assert_int_equal(f->server.seen.role, IDENTITY_ROLE_OPERATOR);
}

/* Its socket goes at once, its storage when the lane has let go of it. */
static void handshake__closed_during_a_step__is_closed_after_it(void **state)
{
    struct fixture *f = *state;

    begin_and_hold(f);
    peer_close(&f->server);
    run_until(f, &f->client.ended);
    run_a_while(f);
    assert_int_equal(f->server.closed, 0);
    gate_open();
    run_until(f, &f->server.closed);
    assert_int_equal(f->server.in.len + (size_t)f->server.ended, 0);
}

struct watchdog {
    struct io_timer timer;
    struct fixture *fixture;
};

static void on_too_late(struct io_timer *timer)
{
    struct fixture *f = CONTAINER_OF(timer, struct watchdog, timer)->fixture;

    peer_close(&f->server);
    gate_open();
}

static void handshake__timed_out_during_a_step__is_closed_once(void **state)
{
    struct fixture *f = *state;
    struct watchdog watchdog = {.fixture = f};

    begin_and_hold(f);
    io_timer_start(f->io, &watchdog.timer, 5, on_too_late);
    run_until(f, &f->server.closed);
    run_a_while(f);
    assert_int_equal(f->server.closed, 1);
    assert_int_equal(f->server.in.len + (size_t)f->server.ended, 0);
}

static void handshake__left_during_a_step__ends_after_it(void **state)
{
    struct fixture *f = *state;

    begin_and_hold(f);
    peer_close(&f->client);
    run_until(f, &f->client.closed);
    run_a_while(f);
    assert_int_equal(f->server.ended, 0);
    gate_open();
    run_until(f, &f->server.ended);
    assert_int_equal(f->server.in.len, 5); /* it had said that much */
}

static void *open_later(void *unused)
{
    const struct timespec while_ns = {.tv_nsec = 20000000};

    (void)unused;
    (void)nanosleep(&while_ns, NULL);
    gate_open();
    return NULL;
}

/* The world waits for the lane, and goes on answering it. */
static void world__ended_during_a_step__ends_after_it(void **state)
{
    struct fixture *f = *state;
    pthread_t opener;

    begin_and_hold(f);
    peer_close(&f->server);
    peer_close(&f->client);
    io_listener_close(f->io, &f->listener);
    io_tls_destroy(f->io, f->node.tls);
    io_tls_destroy(f->io, f->user.tls);
    assert_int_equal(pthread_create(&opener, NULL, open_later, NULL), 0);
    io_uv_destroy(f->uv);
    f->uv = NULL;
    assert_int_equal(pthread_join(opener, NULL), 0);
    assert_int_equal(f->server.closed, 1);
    assert_int_equal(f->client.closed, 1);
    assert_true(f->listener_closed);
    assert_true(pthread_equal(gate.asked, pthread_self()));
}

/* More than the lane takes at a time: the others wait, can be sent away, and lose nothing; and
 * who needs no lane does not wait. */
static void handshakes__behind_a_held_lane__wait_and_go_on(void **state)
{
    struct fixture *f = *state;
    static struct peer callers[GUESTS_MAX];
    static const char plain[] = "plain";

    begin_and_hold(f);
    for (size_t i = 0; i + 1 < GUESTS_MAX; i++) {
        peer_init(&callers[i], f->io);
        callers[i].stream.tls = f->user.tls;
        assert_int_equal(io_stream_connect(f->io, &callers[i].stream, "127.0.0.1", f->port),
                         OK);
    }
    run_a_while(f);
    assert_int_equal(f->guest_count, GUESTS_MAX - 1);
    for (size_t i = 0; i + 1 < GUESTS_MAX; i++) {
        assert_int_equal(callers[i].connected, 0);
    }
    peer_close(&f->guests[0]); /* is not on the lane yet, or just is */
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", f->port);
    int fd = tls_peer_dial(address);
    assert_int_equal(send(fd, plain, sizeof plain, MSG_NOSIGNAL), sizeof plain);
    for (int i = 0; f->guests[GUESTS_MAX - 1].in.len < sizeof plain && i < ROUNDS_MAX; i++) {
        io_uv_run_once(f->uv, 10);
    }
    assert_int_equal(f->guests[GUESTS_MAX - 1].in.len, sizeof plain);
    (void)close(fd);
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        gate_open();
    }
    for (size_t i = 0; i + 1 < GUESTS_MAX; i++) {
        run_until(f, &callers[i].connected);
    }
    run_until_in(f, &f->server, 5);
    for (size_t i = 0; i + 1 < GUESTS_MAX; i++) {
        assert_int_equal(callers[i].connect_status, i == 0 ? ERR_IO : OK);
        end(f, &callers[i]);
        peer_fini(&callers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(stream__secured__both_ends_know_each_other),
        TEST(stream__megabytes_both_ways__arrive_whole),
        TEST(stream__paused__delivers_nothing_and_then_all),
        TEST(session__a_second_time__is_resumed_and_judged_again),
        TEST(client__of_another_ca__hears_it_after_its_own_handshake),
        TEST(client__without_certificate__is_nobody),
        TEST(client__of_a_node_it_does_not_expect__does_not_connect),
        TEST(plain__on_a_secured_listener__is_seen_as_such),
        TEST(handshake__of_garbage__is_refused),
        TEST(handshake__beyond_its_bound__is_refused),
        TEST(context__without_a_usable_key__is_not_made),
        TEST(handshake__judged__is_so_elsewhere_and_asks_the_loop),
        TEST(handshake__closed_during_a_step__is_closed_after_it),
        TEST(handshake__timed_out_during_a_step__is_closed_once),
        TEST(handshake__left_during_a_step__ends_after_it),
        TEST(world__ended_during_a_step__ends_after_it),
        TEST(handshakes__behind_a_held_lane__wait_and_go_on),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
