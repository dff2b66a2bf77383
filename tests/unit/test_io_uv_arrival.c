/* Many who arrive at once, beside one who is there already: who is heard first, and how many in
 * a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "identity/certificate.h"
#include "io_uv/io_uv.h"
#include "tests/lib/tls_peer.h"

enum { CROWD = 40, GUESTS_MAX = CROWD + 1, ROUNDS_MAX = 4000, A_FEW = CROWD / 2 };

static const uint64_t day_ms = 86400000;

/* A connection, on the side of whoever listens. */
struct guest {
    struct io_stream stream;
    struct house *house;
    size_t heard; /* bytes of plaintext */
};

struct house {
    struct io_uv *uv;
    struct io *io;
    struct io_tls *tls;
    struct io_listener listener;
    struct guest guests[GUESTS_MAX];
    size_t count;      /* accepted */
    size_t turn_most;  /* in one turn */
    size_t open_count; /* of them */
    bool is_closed;    /* the listener */
    char address[32];
    int crowd[CROWD]; /* their ends */
    bool is_answered[CROWD];
    uint8_t hello[4096];
    size_t hello_len;
};

static void on_received(struct io_stream *stream, struct slice bytes)
{
    CONTAINER_OF(stream, struct guest, stream)->heard += bytes.len;
}

static void on_ended(struct io_stream *stream, int status)
{
    (void)status;
    io_stream_close(CONTAINER_OF(stream, struct guest, stream)->house->io, stream);
}

static void on_closed(struct io_stream *stream)
{
    struct guest *guest = CONTAINER_OF(stream, struct guest, stream);

    buf_fini(&stream->out);
    guest->house->open_count--;
}

static void on_incoming(struct io_listener *listener)
{
    struct house *house = CONTAINER_OF(listener, struct house, listener);
    size_t before = house->count;

    while (house->count < GUESTS_MAX) {
        struct guest *guest = &house->guests[house->count];

        *guest = (struct guest){.house = house};
        guest->stream =
            (struct io_stream){.received = on_received, .ended = on_ended, .closed = on_closed};
        buf_init(&guest->stream.out, 4096);
        if (io_accept(house->io, listener, &guest->stream) != OK) {
            buf_fini(&guest->stream.out);
            break;
        }
        house->count++;
        house->open_count++;
        io_stream_resume(house->io, &guest->stream);
    }
    if (house->count - before > house->turn_most) {
        house->turn_most = house->count - before;
    }
}

static void on_listener_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct house, listener)->is_closed = true;
}

static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    (void)context;
    (void)certificate;
    (void)issuer;
    (void)ret_peer;
    return IO_REFUSAL_CERTIFICATE;
}

/* A key and a certificate that nobody judges here. */
static void tls_make(struct house *house)
{
    const uint8_t seed[IDENTITY_KEY_BYTES] = {1};
    struct identity_key key = {0};
    struct buf certificate;
    struct buf der;

    buf_init(&certificate, 4096);
    buf_init(&der, 4096);
    assert_int_equal(identity_key_make(seed, &key), OK);
    struct identity_certificate_plan plan = {
        .role = IDENTITY_ROLE_NODE,
        .name = "00112233445566778899aabbccddeeff",
        .subject = &key,
        .issuer = &key,
        .not_after_ms = io_wall_ms(house->io) + day_ms,
    };
    assert_int_equal(identity_certificate_issue(&plan, &certificate), OK);
    assert_int_equal(identity_key_to_der(&key, &der), OK);
    const struct io_tls_options options = {.is_server = true,
                                           .verify = verify,
                                           .certificate = buf_slice(&certificate),
                                           .key = buf_slice(&der)};
    assert_int_equal(io_tls_create(house->io, &options, &house->tls), OK);
    identity_key_fini(&key);
    buf_fini(&certificate);
    buf_fini(&der);
}

/* The first message of a handshake. */
static void hello_make(struct house *house)
{
    static const uint8_t alpn[] = "\x0a"
                                  "carillon/1";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    char *data = NULL;

    assert_non_null(context);
    assert_int_equal(SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1), 0);
    SSL *ssl = SSL_new(context);

    assert_non_null(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_connect(ssl), -1); /* it waits for an answer */
    long len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);

    assert_true(len > 0 && (size_t)len <= sizeof house->hello);
    memcpy(house->hello, data, (size_t)len);
    house->hello_len = (size_t)len;
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static int setup(void **state)
{
    static struct house house;
    uint16_t port;

    house = (struct house){.uv = io_uv_create()};
    house.io = io_uv_world(house.uv);
    tls_make(&house);
    hello_make(&house);
    house.listener = (struct io_listener){
        .incoming = on_incoming, .closed = on_listener_closed, .tls = house.tls};
    assert_int_equal(io_listen(house.io, &house.listener, "127.0.0.1", 0, &port), OK);
    (void)snprintf(house.address, sizeof house.address, "127.0.0.1:%u", port);
    *state = &house;
    return 0;
}

static int teardown(void **state)
{
    struct house *house = *state;

    for (size_t i = 0; i < CROWD; i++) {
        (void)close(house->crowd[i]);
    }
    io_listener_close(house->io, &house->listener);
    for (int i = 0; (house->open_count > 0 || !house->is_closed) && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_int_equal(house->open_count, 0);
    io_tls_destroy(house->io, house->tls);
    io_uv_destroy(house->uv);
    return 0;
}

/* ---- what the others do ---- */

static void crowd_dial(struct house *house)
{
    size_t before = house->count;

    for (size_t i = 0; i < CROWD; i++) {
        house->crowd[i] = tls_peer_dial(house->address);
    }
    for (int i = 0; house->count < before + CROWD && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_int_equal(house->count, before + CROWD);
}

static void crowd_begin(struct house *house)
{
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(send(house->crowd[i], house->hello, house->hello_len, MSG_NOSIGNAL),
                         house->hello_len);
    }
}

/* Returns: how many of them have had an answer to their hello by now. */
static size_t crowd_answered(struct house *house)
{
    uint8_t answer[8192];
    size_t count = 0;

    for (size_t i = 0; i < CROWD; i++) {
        house->is_answered[i] |= recv(house->crowd[i], answer, sizeof answer, MSG_DONTWAIT) > 0;
        count += house->is_answered[i];
    }
    return count;
}

static void run_until_heard(struct house *house, size_t len)
{
    for (int i = 0; house->guests[0].heard < len && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_int_equal(house->guests[0].heard, len);
}

/* Somebody who is in, and talks. */
static int resident_dial(struct house *house)
{
    int fd = tls_peer_dial(house->address);

    assert_int_equal(send(fd, "a", 1, MSG_NOSIGNAL), 1);
    run_until_heard(house, 1);
    return fd;
}

/* ---- */

static void listener__many_at_once__are_taken_a_few_a_turn(void **state)
{
    struct house *house = *state;

    crowd_dial(house);
    assert_true(house->turn_most > 0);
    assert_true(house->turn_most <= A_FEW);
}

static void handshakes__many_at_once__wait_for_who_is_in(void **state)
{
    struct house *house = *state;
    int resident = resident_dial(house);

    crowd_dial(house);
    crowd_begin(house);
    assert_int_equal(send(resident, "b", 1, MSG_NOSIGNAL), 1); /* after them */
    run_until_heard(house, 2);
    assert_true(crowd_answered(house) <= A_FEW);
    for (int i = 0; crowd_answered(house) < CROWD && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_int_equal(crowd_answered(house), CROWD); /* none was forgotten */
    (void)close(resident);
}

static void handshakes__many_at_once__begin_with_the_newest(void **state)
{
    struct house *house = *state;

    crowd_dial(house);
    crowd_begin(house);
    for (int i = 0; crowd_answered(house) == 0 && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_true(house->is_answered[CROWD - 1]);
    assert_false(house->is_answered[0]);
}

/* Nothing is made of it before it is whole, and then it is answered. */
static void handshake__a_byte_at_a_time__is_answered_when_it_is_whole(void **state)
{
    struct house *house = *state;

    crowd_dial(house);
    for (size_t i = 0; i < house->hello_len; i++) {
        assert_int_equal(send(house->crowd[0], house->hello + i, 1, MSG_NOSIGNAL), 1);
        io_uv_run_once(house->uv, i + 1 < house->hello_len ? 0 : 10);
        assert_true(i + 1 == house->hello_len || crowd_answered(house) == 0);
    }
    for (int i = 0; crowd_answered(house) == 0 && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_true(house->is_answered[0]);
}

static void handshake__given_up_while_it_waits__is_forgotten(void **state)
{
    struct house *house = *state;

    crowd_dial(house);
    crowd_begin(house);
    io_uv_run_once(house->uv, 10); /* they were seen and not all of them read */
    for (size_t i = 0; i < house->count; i++) {
        io_stream_close(house->io, &house->guests[i].stream);
    }
    for (int i = 0; house->open_count > 0 && i < ROUNDS_MAX; i++) {
        io_uv_run_once(house->uv, 10);
    }
    assert_int_equal(house->open_count, 0);
    assert_true(crowd_answered(house) <= A_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(listener__many_at_once__are_taken_a_few_a_turn),
        TEST(handshakes__many_at_once__wait_for_who_is_in),
        TEST(handshakes__many_at_once__begin_with_the_newest),
        TEST(handshake__a_byte_at_a_time__is_answered_when_it_is_whole),
        TEST(handshake__given_up_while_it_waits__is_forgotten),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
