/* The asynchronous client against a scripted node: pipelining, greetings, bad answers, the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/client_bed.h"
#include "wire/message.h"

static void node_echo(struct fake_conn *conn, const Carillon__Request *request)
{
    fake_reply(conn, request->id, OK, wire_bytes(request->body));
}

static void node_hold(struct fake_conn *conn, const Carillon__Request *request)
{
    struct bed *bed = conn->node->context;

    assert_true(bed->held_count < HELD_MAX);
    bed->held[bed->held_count].conn = conn;
    bed->held[bed->held_count].id = request->id;
    bed->held[bed->held_count].body = request->body.data[0];
    bed->held_count++;
}

static void node_release_backwards(struct bed *bed)
{
    while (bed->held_count > 0) {
        bed->held_count--;
        fake_reply(bed->held[bed->held_count].conn, bed->held[bed->held_count].id, OK,
                   slice_from(&bed->held[bed->held_count].body, 1));
    }
}

static void node_garble(struct fake_conn *conn, const Carillon__Request *request)
{
    struct bed *bed = conn->node->context;

    if (conn->node->requests <= bed->script) {
        fake_send(conn, SLICE_LITERAL("\x03\0\0\0\xff\xff\xff"));
        return;
    }
    node_echo(conn, request);
}

static void node_answer_another(struct fake_conn *conn, const Carillon__Request *request)
{
    fake_reply(conn, request->id + 1, OK, SLICE_NONE);
}

static void node_announce_too_much(struct fake_conn *conn, const Carillon__Request *request)
{
    (void)request;
    fake_send(conn, SLICE_LITERAL("\xff\xff\xff\x7f"));
}

static void node_refuse(struct fake_conn *conn, const Carillon__Request *request)
{
    fake_reply(conn, request->id, ERR_REFUSED, wire_bytes(request->body));
}

static void chain_on_done(void *context, const struct carillon_reply *reply)
{
    struct bed *bed = context;
    uint8_t body = 7;
    struct carillon_call call = bed_call(bed, READ_METHOD, &body, 0);

    assert_int_equal(reply->status, OK);
    bed->answers.count++;
    if (--bed->chain_left > 0) {
        call.done = chain_on_done;
        assert_int_equal(carillon_submit_call(bed->client, &call), OK);
    }
}

static void submit_call__many_at_once__each_is_answered_with_its_own_reply(void **state)
{
    struct bed *bed = *state;
    bool seen[200] = {false};

    bed->node->request = node_echo;
    bed_client_make(bed, (struct carillon_options){.connections = 3});
    for (uint8_t i = 0; i < 200; i++) {
        bed_ask(bed, READ_METHOD, i, 0);
    }
    assert_int_equal(carillon_outstanding(bed->client), 200);
    bed_wait_answers(bed, 200);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(bed->answers.status[i], OK);
        assert_int_equal(bed->answers.attempts[i], 1);
        assert_false(seen[bed->answers.number[i]]);
        seen[bed->answers.number[i]] = true;
    }
    assert_int_equal(bed->node->accepted, 3);
    assert_int_equal(carillon_outstanding(bed->client), 0);
    assert_string_equal(carillon_node(bed->client)->node_version, "9.8.7");
    assert_memory_equal(carillon_node(bed->client)->cluster_id, "cluster of tests", 16);
}

static void submit_call__replies_in_reverse__each_finds_its_caller(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed_client_make(bed, (struct carillon_options){0});
    for (uint8_t i = 0; i < 10; i++) {
        bed_ask(bed, READ_METHOD, i, 0);
    }
    bed_wait_requests(bed, 10);
    node_release_backwards(bed);
    bed_wait_answers(bed, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(bed->answers.number[i], 9 - i);
    }
}

static void submit_call__more_than_outstanding_max__says_busy(void **state)
{
    struct bed *bed = *state;
    uint8_t body = 1;

    bed->node->request = node_hold;
    bed_client_make(bed, (struct carillon_options){.outstanding_max = 4});
    for (uint8_t i = 0; i < 4; i++) {
        bed_ask(bed, READ_METHOD, i, 0);
    }
    struct carillon_call call = bed_call(bed, READ_METHOD, &body, 0);
    assert_int_equal(carillon_submit_call(bed->client, &call), ERR_BUSY);
    bed_wait_requests(bed, 4);
    node_release_backwards(bed);
    bed_wait_answers(bed, 4);
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

static void submit_call__node_allows_two__never_sends_a_third(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed->node->outstanding_max = 2;
    bed_client_make(bed, (struct carillon_options){0});
    for (uint8_t i = 0; i < 10; i++) {
        bed_ask(bed, READ_METHOD, i, 0);
    }
    for (uint32_t round = 1; round <= 5; round++) {
        bed_wait_requests(bed, 2 * round);
        bed_run_for(bed, 10);
        assert_int_equal(bed->held_count, 2);
        node_release_backwards(bed);
        bed_wait_answers(bed, 2 * round);
    }
}

static void submit_call__from_a_callback_with_a_full_window__has_room(void **state)
{
    struct bed *bed = *state;
    uint8_t body = 7;

    bed->node->request = node_echo;
    bed->chain_left = 1000;
    bed_client_make(bed, (struct carillon_options){.outstanding_max = 1});
    struct carillon_call call = bed_call(bed, READ_METHOD, &body, 0);
    call.done = chain_on_done;
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
    bed_wait_answers(bed, 1000);
}

static void submit_call__refused_by_rule__carries_the_reply_and_is_not_repeated(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_refuse;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 42, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_REFUSED);
    assert_int_equal(bed->answers.number[0], 42);
    assert_int_equal(bed->node->requests, 1);
}

static void submit_call__body_beyond_a_frame__is_too_large(void **state)
{
    struct bed *bed = *state;
    uint8_t *body = calloc(1, FRAME_BYTES_MAX);

    bed_client_make(bed, (struct carillon_options){0});
    struct carillon_call call = bed_call(bed, READ_METHOD, body, 0);
    call.body_bytes = FRAME_BYTES_MAX;
    assert_int_equal(carillon_submit_call(bed->client, &call), ERR_TOO_LARGE);
    assert_int_equal(carillon_outstanding(bed->client), 0);
    free(body);
}

static void reply__malformed__ends_write_as_unknown_and_connects_anew(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_garble;
    bed->script = 1;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(carillon_counters(bed->client).malformed, 1);
    bed_ask_with_key(bed, 6, 0);
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], OK);
    assert_int_equal(bed->node->accepted, 2);
}

static void reply__malformed__ends_read_as_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_garble;
    bed->script = 1;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void reply__to_what_was_not_asked__is_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_answer_another;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void reply__announces_two_gigabytes__is_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_announce_too_much;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void greeting__no_common_version__is_told_at_once(void **state)
{
    struct bed *bed = *state;

    bed->node->welcome_version = 0;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_VERSION);
    assert_int_equal(bed->answers.attempts[0], 0);
}

static void greeting__node_refuses__says_the_nodes_reason(void **state)
{
    struct bed *bed = *state;

    bed->node->welcome_status = (uint32_t)-ERR_PERMISSION;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_PERMISSION);
}

static void greeting__garbled__is_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->is_garbled = true;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void greeting__never_comes__times_out_after_connect_ms(void **state)
{
    struct bed *bed = *state;

    bed->node->is_silent = true;
    bed_client_make(bed, (struct carillon_options){.connect_ms = 50});
    bed_ask_with_key(bed, 5, 5000);
    uint64_t start_ns = io_now_exact_ns(bed->io);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_REFUSED_CONNECT); /* a no: it was not sent */
    assert_int_equal(bed->answers.attempts[0], 0);
    assert_true(io_now_exact_ns(bed->io) - start_ns < 2000000000ULL);
}

static void connect__nothing_listens__is_told_at_once(void **state)
{
    struct bed *bed = *state;

    bed_node_end(bed);
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 5000);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_REFUSED_CONNECT);
    assert_int_equal(bed->answers.attempts[0], 0);
}

static void connect__node_is_gone_for_a_while__requests_wait_for_it(void **state)
{
    struct bed *bed = *state;
    uint16_t port = bed->node->port;

    bed->node->request = node_echo;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    bed_node_end(bed);
    arena_fini(&bed->node->arena);
    bed_ask_with_key(bed, 6, 5000);
    bed_run_for(bed, 80);
    assert_int_equal(bed->answers.count, 1);
    fake_node_open(bed->node, bed->io, port);
    bed->node->request = node_echo;
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], OK);
    assert_int_equal(bed->answers.number[1], 6);
}

static void destroy__unanswered_requests__writes_are_unknown_reads_cancelled(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 1, 0);
    bed_ask(bed, READ_METHOD, 2, 0);
    bed_wait_requests(bed, 2);
    bed_client_end(bed);
    assert_int_equal(bed->answers.count, 2);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->answers.status[1], ERR_CANCELLED);
}

static void destroy__nothing_was_ever_asked__is_done_at_once(void **state)
{
    struct bed *bed = *state;

    bed_client_make(bed, (struct carillon_options){0});
    bed_client_end(bed);
    assert_int_equal(bed->node->accepted, 0);
}

static void create__bad_options__are_refused(void **state)
{
    (void)state;
    static const struct {
        struct carillon_options options;
        int status;
    } cases[] = {
        {{.address = "127.0.0.1:"},                                                          ERR_ADDRESS },
        {{.address = "127.0.0.1:0"},                                                         ERR_ADDRESS },
        {{.address = "127.0.0.1:65536"},                                                     ERR_ADDRESS },
        {{.address = "127.0.0.1:7440x"},                                                     ERR_ADDRESS },
        {{.address = "[::1"},                                                                ERR_ADDRESS },
        {{.address = "[::1]7440"},                                                           ERR_ADDRESS },
        {{.connections = CARILLON_CONNECTIONS_MAX + 1},                                      ERR_ARGUMENT},
        {{.outstanding_max = CARILLON_OUTSTANDING_MAX + 1},                                  ERR_ARGUMENT},
        {{.name = "a name of more than sixty-four bytes, which no node would want to keep"},
         ERR_ARGUMENT                                                                                    },
    };
    struct carillon_client *client = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(carillon_create(&cases[i].options, &client), cases[i].status);
        assert_null(client);
    }
}

static void key_make__many__are_version_7_and_all_different(void **state)
{
    struct bed *bed = *state;
    struct carillon_key keys[200];

    bed_client_make(bed, (struct carillon_options){0});
    for (size_t i = 0; i < 200; i++) {
        keys[i] = carillon_key_make(bed->client);
        assert_int_equal(keys[i].bytes[6] >> 4, 7);
        assert_int_equal(keys[i].bytes[8] >> 6, 2);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(keys[i].bytes, keys[k].bytes, 16);
        }
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(submit_call__many_at_once__each_is_answered_with_its_own_reply),
        CASE(submit_call__replies_in_reverse__each_finds_its_caller),
        CASE(submit_call__more_than_outstanding_max__says_busy),
        CASE(submit_call__node_allows_two__never_sends_a_third),
        CASE(submit_call__from_a_callback_with_a_full_window__has_room),
        CASE(submit_call__refused_by_rule__carries_the_reply_and_is_not_repeated),
        CASE(submit_call__body_beyond_a_frame__is_too_large),
        CASE(reply__malformed__ends_write_as_unknown_and_connects_anew),
        CASE(reply__malformed__ends_read_as_malformed),
        CASE(reply__to_what_was_not_asked__is_malformed),
        CASE(reply__announces_two_gigabytes__is_malformed),
        CASE(greeting__no_common_version__is_told_at_once),
        CASE(greeting__node_refuses__says_the_nodes_reason),
        CASE(greeting__garbled__is_malformed),
        CASE(greeting__never_comes__times_out_after_connect_ms),
        CASE(connect__nothing_listens__is_told_at_once),
        CASE(connect__node_is_gone_for_a_while__requests_wait_for_it),
        CASE(destroy__unanswered_requests__writes_are_unknown_reads_cancelled),
        CASE(destroy__nothing_was_ever_asked__is_done_at_once),
        CASE(create__bad_options__are_refused),
        CASE(key_make__many__are_version_7_and_all_different),
    };

    return cmocka_run_group_tests_name("client_async", tests, NULL, NULL);
}
