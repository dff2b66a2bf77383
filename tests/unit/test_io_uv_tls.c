/* Secured streams of the real world, over loopback: what two ends see of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "identity/certificate.h"
#include "io_uv/io_uv.h"

enum { OUT_MAX = 16 << 20, IN_MAX = 64 << 20, ROUNDS_MAX = 4000, BIG = 5 << 20 };

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
};

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

    while (f->server.stream.world == NULL &&
           io_accept(f->io, listener, &f->server.stream) == OK) {
        io_stream_resume(f->io, &f->server.stream);
    }
}

static void on_listener_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct fixture, listener)->listener_closed = true;
}

static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    const struct side *side = context;
    struct identity_certificate read;
    enum io_refusal refusal = identity_certificate_judge(&side->trust, certificate, &read);

    (void)issuer;
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

static void end(struct fixture *f, struct peer *peer)
{
    if (peer->stream.world != NULL) {
        io_stream_close(f->io, &peer->stream);
        run_until(f, &peer->closed);
    }
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    end(f, &f->client);
    end(f, &f->server);
    io_listener_close(f->io, &f->listener);
    for (int i = 0; !f->listener_closed && i < ROUNDS_MAX; i++) {
        io_uv_run_once(f->uv, 10);
    }
    peer_fini(&f->client);
    peer_fini(&f->server);
    io_tls_destroy(f->io, f->node.tls);
    io_tls_destroy(f->io, f->user.tls);
    io_uv_destroy(f->uv);
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
    io_stream_close(f->io, &f->client.stream);
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
    io_stream_close(f->io, &f->server.stream);
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
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
