/* What a client must not do: that connection gets an error and is closed, and the others never
 * notice. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/carillon.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "tests/lib/daemon.h"
#include "tests/lib/greeting.h"
#include "wire/frame.h"
#include "wire/message.h"

enum { MAGIC = 0x43524c4e, ANSWER_BYTES_MAX = 64 << 10, ANSWER_SECONDS = 15 };

static struct daemon the_daemon;
static struct carillon_client *bystander;

/* A bare connection, on which the test says what it likes. */
struct raw {
    int fd;
    struct buf in;
};

static void raw_connect(struct raw *raw)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    const char *colon = strchr(the_daemon.address, ':');

    assert_non_null(colon);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(raw->fd >= 0);
    assert_int_equal(setsockopt(raw->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
                     0);
    assert_int_equal(connect(raw->fd, (const struct sockaddr *)&to, sizeof to), 0);
    buf_init(&raw->in, ANSWER_BYTES_MAX);
}

static void raw_send(const struct raw *raw, struct slice bytes)
{
    assert_int_equal(send(raw->fd, bytes.data, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
}

static void raw_send_message(const struct raw *raw, const ProtobufCMessage *message)
{
    struct buf out;

    buf_init(&out, FRAME_BYTES_MAX);
    assert_int_equal(wire_pack_frame(message, &out), OK);
    raw_send(raw, buf_slice(&out));
    buf_fini(&out);
}

static void raw_send_hello(const struct raw *raw)
{
    struct buf out;

    buf_init(&out, FRAME_BYTES_MAX);
    greeting_local(the_daemon.address, &out);
    raw_send(raw, buf_slice(&out));
    buf_fini(&out);
}

/* Read whole frames until @frames are there or the peer closes. Returns: whether the peer has
 * closed. */
static bool raw_read(struct raw *raw, size_t frames, size_t *ret_frames)
{
    uint8_t piece[4096];

    *ret_frames = 0;
    for (;;) {
        struct frame_reader reader;
        struct slice payload;

        frame_reader_init(&reader, FRAME_BYTES_MAX);
        frame_reader_feed(&reader, buf_slice(&raw->in));
        *ret_frames = 0;
        while (frame_reader_next(&reader, &payload) == OK) {
            (*ret_frames)++;
        }
        frame_reader_fini(&reader);
        if (frames > 0 && *ret_frames >= frames) {
            return false;
        }
        ssize_t got = recv(raw->fd, piece, sizeof piece, 0);
        if (got <= 0) {
            assert_int_equal(got, 0); /* not a time-out */
            return true;
        }
        assert_int_equal(buf_append(&raw->in, piece, (size_t)got), OK);
    }
}

/* The last frame that came, as a Reply's or Welcome's status. */
static uint32_t raw_status(const struct raw *raw, bool is_reply)
{
    struct frame_reader reader;
    struct slice payload;
    struct arena scratch;
    uint32_t status = 0;

    arena_init(&scratch, 1 << 20);
    frame_reader_init(&reader, FRAME_BYTES_MAX);
    frame_reader_feed(&reader, buf_slice(&raw->in));
    while (frame_reader_next(&reader, &payload) == OK) {
        if (is_reply) {
            const Carillon__Reply *reply =
                wire_unpack(&carillon__reply__descriptor, payload, &scratch);

            status = reply != NULL ? reply->status : UINT32_MAX;
        } else {
            const Carillon__Welcome *welcome =
                wire_unpack(&carillon__welcome__descriptor, payload, &scratch);

            status = welcome != NULL ? welcome->status : UINT32_MAX;
        }
    }
    frame_reader_fini(&reader);
    arena_fini(&scratch);
    return status;
}

static void raw_close(struct raw *raw)
{
    (void)close(raw->fd);
    buf_fini(&raw->in);
}

/* The bystander's connection has been open all the time and still works. */
static void bystander_is_served(void)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;

    assert_int_equal(carillon_call_message(bystander, CARILLON__METHOD__METHOD_STATUS, NULL,
                                           &request.base, &carillon__status_reply__descriptor,
                                           &reply),
                     OK);
    carillon_message_free(reply);
    assert_int_equal(carillon_counters(bystander).lost, 0);
}

/* Greet, send @bytes, and expect one error reply with @error and the end. */
static void after_greeting_is_refused(struct slice bytes, int error)
{
    struct raw raw;
    size_t frames;

    raw_connect(&raw);
    raw_send_hello(&raw);
    assert_false(raw_read(&raw, 1, &frames));
    raw_send(&raw, bytes);
    assert_true(raw_read(&raw, 0, &frames));
    assert_int_equal(frames, 2);
    assert_int_equal(raw_status(&raw, true), -error);
    raw_close(&raw);
    bystander_is_served();
}

static void frame__longer_than_a_mebibyte__is_refused_and_the_connection_closed(void **state)
{
    static const uint8_t header[] = {0x00, 0x00, 0x00, 0x40};

    (void)state;
    after_greeting_is_refused(slice_from(header, sizeof header), ERR_TOO_LARGE);
}

static void frame__that_is_no_request__is_refused_and_the_connection_closed(void **state)
{
    static const uint8_t garbage[] = {5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff};

    (void)state;
    after_greeting_is_refused(slice_from(garbage, sizeof garbage), ERR_MALFORMED);
}

static void hello__with_another_magic__is_refused(void **state)
{
    Carillon__Hello hello = CARILLON__HELLO__INIT;
    struct raw raw;
    size_t frames;

    (void)state;
    hello.magic = 0x20544547; /* "GET " */
    hello.version_min = 1;
    hello.version_max = 1;
    raw_connect(&raw);
    raw_send_message(&raw, &hello.base);
    assert_true(raw_read(&raw, 0, &frames));
    assert_int_equal(frames, 1);
    assert_int_equal(raw_status(&raw, false), -ERR_MALFORMED);
    raw_close(&raw);
    bystander_is_served();
}

static void hello__of_a_version_to_come__is_told_so(void **state)
{
    Carillon__Hello hello = CARILLON__HELLO__INIT;
    struct raw raw;
    size_t frames;

    (void)state;
    hello.magic = MAGIC;
    hello.version_min = 2;
    hello.version_max = 9;
    raw_connect(&raw);
    raw_send_message(&raw, &hello.base);
    assert_true(raw_read(&raw, 0, &frames));
    assert_int_equal(raw_status(&raw, false), -ERR_VERSION);
    raw_close(&raw);
    bystander_is_served();
}

static void http_request__on_the_client_port__is_refused(void **state)
{
    struct raw raw;
    size_t frames;

    (void)state;
    raw_connect(&raw);
    raw_send(&raw, SLICE_LITERAL("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(raw_read(&raw, 0, &frames));
    assert_int_equal(raw_status(&raw, false), -ERR_TOO_LARGE); /* "GET " read as a length */
    raw_close(&raw);
    bystander_is_served();
}

static void frame__that_is_begun_and_broken_off__harms_nobody(void **state)
{
    struct raw raw;
    size_t frames;

    (void)state;
    for (int i = 0; i < 50; i++) {
        raw_connect(&raw);
        raw_send_hello(&raw);
        assert_false(raw_read(&raw, 1, &frames));
        raw_send(&raw, SLICE_LITERAL("\x10\x00\x00\x00half"));
        raw_close(&raw);
    }
    bystander_is_served();
}

/* One request with a body that is not its method's message, or a method that is none. */
static void single_request(uint32_t method, struct slice body, uint32_t status)
{
    Carillon__Request request = CARILLON__REQUEST__INIT;
    struct raw raw;
    size_t frames;

    request.id = 7;
    request.method = method;
    request.body = wire_binary(body);
    raw_connect(&raw);
    raw_send_hello(&raw);
    assert_false(raw_read(&raw, 1, &frames));
    raw_send_message(&raw, &request.base);
    assert_false(raw_read(&raw, 2, &frames));
    assert_int_equal(raw_status(&raw, true), status);
    request.method = CARILLON__METHOD__METHOD_STATUS;
    request.body = wire_binary(SLICE_NONE);
    raw_send_message(&raw, &request.base);
    assert_false(raw_read(&raw, 3, &frames));
    assert_int_equal(raw_status(&raw, true), OK); /* only that request was refused */
    raw_close(&raw);
}

static void request__of_an_unknown_method__is_refused_alone(void **state)
{
    (void)state;
    single_request(9999, SLICE_NONE, -ERR_METHOD);
}

static void request__with_a_body_of_another_schema__is_refused_alone(void **state)
{
    (void)state;
    single_request(CARILLON__METHOD__METHOD_SCHEDULE, SLICE_LITERAL("\xff\xff\xff"),
                   -ERR_MALFORMED);
}

static void write__without_a_key__is_refused_alone(void **state)
{
    (void)state;
    single_request(CARILLON__METHOD__METHOD_SUBMIT, SLICE_LITERAL("\x0a\x02s1"), -ERR_ARGUMENT);
}

static int setup(void **state)
{
    struct carillon_options options = {.name = "bystander", .retry_never = true};

    (void)state;
    daemon_init(&the_daemon);
    if (!daemon_start(&the_daemon, BINARY_FOLDER "/bin/carillond", NULL)) {
        return -1;
    }
    options.address = the_daemon.address;
    return carillon_create(&options, &bystander) == OK && carillon_connect(bystander) == OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    bystander_is_served();
    carillon_destroy(bystander);
    int status = daemon_signal(&the_daemon, SIGTERM);
    daemon_fini(&the_daemon);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame__longer_than_a_mebibyte__is_refused_and_the_connection_closed),
        cmocka_unit_test(frame__that_is_no_request__is_refused_and_the_connection_closed),
        cmocka_unit_test(hello__with_another_magic__is_refused),
        cmocka_unit_test(hello__of_a_version_to_come__is_told_so),
        cmocka_unit_test(http_request__on_the_client_port__is_refused),
        cmocka_unit_test(frame__that_is_begun_and_broken_off__harms_nobody),
        cmocka_unit_test(request__of_an_unknown_method__is_refused_alone),
        cmocka_unit_test(request__with_a_body_of_another_schema__is_refused_alone),
        cmocka_unit_test(write__without_a_key__is_refused_alone),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
