/* The blocking calls against a scripted node in a thread of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "client/carillon.h"
#include "io_uv/io_uv.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/fake_node.h"
#include "wire/message.h"

enum { STEP_MS = 2, CLOSED_PORT = 1 };

struct bed {
    pthread_t thread;
    struct fake_node node;
    atomic_bool is_serving;
    atomic_bool is_stopping;
    void (*request)(struct fake_conn *conn, const Carillon__Request *request);
    char address[32];
};

static void *serve(void *context)
{
    struct bed *bed = context;
    struct io_uv *world = io_uv_create();

    fake_node_open(&bed->node, io_uv_world(world), 0);
    bed->node.request = bed->request;
    bed->node.context = bed;
    snprintf(bed->address, sizeof bed->address, "127.0.0.1:%u", (unsigned)bed->node.port);
    atomic_store(&bed->is_serving, true);
    while (!atomic_load(&bed->is_stopping)) {
        io_uv_run_once(world, STEP_MS);
    }
    fake_node_close(&bed->node);
    while (!fake_node_is_closed(&bed->node)) {
        io_uv_run_once(world, STEP_MS);
    }
    arena_fini(&bed->node.arena);
    io_uv_destroy(world);
    return NULL;
}

static void bed_start(struct bed *bed,
                      void (*request)(struct fake_conn *conn, const Carillon__Request *request))
{
    memset(bed, 0, sizeof *bed);
    bed->request = request;
    assert_int_equal(pthread_create(&bed->thread, NULL, serve, bed), 0);
    while (!atomic_load(&bed->is_serving)) {
        sched_yield();
    }
}

static void bed_stop(struct bed *bed)
{
    atomic_store(&bed->is_stopping, true);
    assert_int_equal(pthread_join(bed->thread, NULL), 0);
}

static struct carillon_client *client_make(const char *address, uint32_t connections)
{
    struct carillon_options options = {
        .address = address, .credential = "", .connections = connections};
    struct carillon_client *client = NULL;

    assert_int_equal(carillon_create(&options, &client), OK);
    return client;
}

/* Answers a SubmitRequest: the student "refused" is refused, "broken" gets bytes that are no
 * message. */
static void node_submit(struct fake_conn *conn, const Carillon__Request *request)
{
    Carillon__SubmitRequest *submit =
        carillon__submit_request__unpack(NULL, request->body.len, request->body.data);
    Carillon__SubmitReply reply = CARILLON__SUBMIT_REPLY__INIT;
    Carillon__Refusal refusal = CARILLON__REFUSAL__INIT, *refusals[] = {&refusal};
    struct buf body;

    ASSERT(submit != NULL);
    if (strcmp(submit->student, "broken") == 0) {
        fake_reply(conn, request->id, OK, SLICE_LITERAL("\xff\xff"));
        carillon__submit_request__free_unpacked(submit, NULL);
        return;
    }
    bool is_refused = strcmp(submit->student, "refused") == 0;
    refusal.kind = CARILLON__REFUSAL_KIND__REFUSAL_BLOCKED;
    refusal.evidence = submit->student;
    reply.refusals = refusals;
    reply.n_refusals = is_refused ? 1 : 0;
    buf_init(&body, 4096);
    int rc = wire_pack(&reply.base, &body);
    ASSERT(rc == OK);
    fake_reply(conn, request->id, is_refused ? ERR_REFUSED : OK, buf_slice(&body));
    buf_fini(&body);
    carillon__submit_request__free_unpacked(submit, NULL);
}

static int submit(struct carillon_client *client, const char *student,
                  Carillon__SubmitReply **ret_reply)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    struct carillon_key key = carillon_key_make(client);

    request.student = wire_text(student);
    return carillon_call_message(client, CARILLON__METHOD__METHOD_SUBMIT, &key, &request.base,
                                 &carillon__submit_reply__descriptor, ret_reply);
}

static void call_message__accepted_and_refused__both_bring_the_reply(void **state)
{
    (void)state;
    struct bed bed;
    Carillon__SubmitReply *reply;

    bed_start(&bed, node_submit);
    struct carillon_client *client = client_make(bed.address, 1);
    assert_int_equal(submit(client, "ada", &reply), OK);
    assert_non_null(reply);
    assert_int_equal(reply->n_refusals, 0);
    assert_string_equal(carillon_text(client), "");
    carillon_message_free(reply);

    assert_int_equal(submit(client, "refused", &reply), ERR_REFUSED);
    assert_non_null(reply);
    assert_int_equal(reply->n_refusals, 1);
    assert_string_equal(reply->refusals[0]->evidence, "refused");
    assert_string_equal(carillon_text(client), error_text(ERR_REFUSED));
    carillon_message_free(reply);
    carillon_destroy(client);
    bed_stop(&bed);
}

static void call_message__reply_of_another_shape__is_malformed(void **state)
{
    (void)state;
    struct bed bed;
    Carillon__SubmitReply *reply;

    bed_start(&bed, node_submit);
    struct carillon_client *client = client_make(bed.address, 1);
    assert_int_equal(submit(client, "broken", &reply), ERR_MALFORMED);
    assert_null(reply);
    assert_true(strlen(carillon_text(client)) > 0);
    carillon_destroy(client);
    bed_stop(&bed);
}

static void connect__several_connections__all_are_greeted(void **state)
{
    (void)state;
    struct bed bed;

    bed_start(&bed, node_submit);
    struct carillon_client *client = client_make(bed.address, 8);
    assert_int_equal(carillon_connect(client), OK);
    assert_int_equal(carillon_counters(client).connects, 8);
    assert_int_equal(carillon_node(client)->version, 1);
    carillon_destroy(client);
    bed_stop(&bed);
}

static void connect__nothing_listens__names_the_address(void **state)
{
    (void)state;
    char address[32];
    struct carillon_reply reply;
    struct carillon_call call = {.method = CARILLON__METHOD__METHOD_STATUS};

    snprintf(address, sizeof address, "127.0.0.1:%d", CLOSED_PORT);
    struct carillon_client *client = client_make(address, 1);
    assert_int_equal(carillon_connect(client), ERR_REFUSED_CONNECT);
    assert_non_null(strstr(carillon_text(client), "127.0.0.1"));
    assert_int_equal(carillon_call(client, &call, &reply), ERR_REFUSED_CONNECT);
    assert_int_equal(reply.status, ERR_REFUSED_CONNECT);
    assert_non_null(strstr(reply.text, "127.0.0.1"));
    carillon_destroy(client);
}

static void connect__not_a_numeric_address__says_so(void **state)
{
    (void)state;
    struct carillon_client *client = client_make("not.numeric:7440", 1);

    assert_int_equal(carillon_connect(client), ERR_ADDRESS);
    carillon_destroy(client);
}

static void call__in_a_lent_world__is_refused(void **state)
{
    (void)state;
    struct io_uv *world = io_uv_create();
    struct carillon_options options = {.io = io_uv_world(world), .credential = ""};
    struct carillon_client *client;
    struct carillon_call call = {.method = CARILLON__METHOD__METHOD_STATUS};
    struct carillon_reply reply;

    assert_int_equal(carillon_create(&options, &client), OK);
    assert_int_equal(carillon_call(client, &call, &reply), ERR_ARGUMENT);
    assert_int_equal(carillon_connect(client), ERR_ARGUMENT);
    assert_int_equal(carillon_poll(client, 0), ERR_ARGUMENT);
    assert_int_equal(carillon_descriptor(client), -1);
    carillon_destroy(client);
    io_uv_destroy(world);
}

static void destroy__null__does_nothing(void **state)
{
    (void)state;
    carillon_destroy(NULL);
    carillon_message_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_message__accepted_and_refused__both_bring_the_reply),
        cmocka_unit_test(call_message__reply_of_another_shape__is_malformed),
        cmocka_unit_test(connect__several_connections__all_are_greeted),
        cmocka_unit_test(connect__nothing_listens__names_the_address),
        cmocka_unit_test(connect__not_a_numeric_address__says_so),
        cmocka_unit_test(call__in_a_lent_world__is_refused),
        cmocka_unit_test(destroy__null__does_nothing),
    };

    return cmocka_run_group_tests_name("client_blocking", tests, NULL, NULL);
}
