/* The asynchronous client against a scripted node, both in one real world on one thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/carillon.h"
#include "io_uv/io_uv.h"
#include "tests/lib/fake_node.h"
#include "wire/message.h"

enum { STEP_MS = 20, PATIENCE_STEPS = 20000, ANSWERS_MAX = 4096, HELD_MAX = 64 };

#define READ_METHOD  CARILLON__METHOD__METHOD_SHOW
#define WRITE_METHOD CARILLON__METHOD__METHOD_SUBMIT

/* What the callbacks saw. */
struct answers {
    uint32_t count;
    int status[ANSWERS_MAX];
    uint32_t attempts[ANSWERS_MAX];
    uint32_t number[ANSWERS_MAX]; /* the first byte of the body */
};

struct bed {
    struct io_uv *world;
    struct io *io;
    struct fake_node *node;
    struct carillon_client *client;
    struct answers answers;
    bool is_destroyed;
    /* for the scripts */
    struct {
        struct fake_conn *conn;
        uint64_t id;
        uint8_t body;
    } held[HELD_MAX];
    uint32_t held_count;
    uint32_t script;
    uint8_t key[16];
    uint32_t chain_left;
};

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);

    bed->world = io_uv_create();
    assert_non_null(bed->world);
    bed->io = io_uv_world(bed->world);
    bed->node = calloc(1, sizeof *bed->node);
    fake_node_open(bed->node, bed->io, 0);
    bed->node->context = bed;
    *state = bed;
    return 0;
}

static void client_make(struct bed *bed, struct carillon_options options)
{
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)bed->node->port);
    options.address = address;
    options.io = bed->io;
    assert_int_equal(carillon_create(&options, &bed->client), OK);
}

static void on_destroyed(void *context)
{
    ((struct bed *)context)->is_destroyed = true;
}

static void client_end(struct bed *bed)
{
    carillon_destroy_in(bed->client, on_destroyed, bed);
    for (int i = 0; !bed->is_destroyed && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_true(bed->is_destroyed);
    bed->client = NULL;
}

static void node_end(struct bed *bed)
{
    if (bed->node->is_listening) {
        fake_node_close(bed->node);
    }
    for (int i = 0; !fake_node_is_closed(bed->node) && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_true(fake_node_is_closed(bed->node));
}

static int teardown(void **state)
{
    struct bed *bed = *state;

    if (bed->client != NULL) {
        client_end(bed);
    }
    node_end(bed);
    arena_fini(&bed->node->arena);
    io_uv_destroy(bed->world);
    free(bed->node);
    free(bed);
    return 0;
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct bed *bed = context;
    struct answers *answers = &bed->answers;
    uint32_t at = answers->count++;

    assert_true(at < ANSWERS_MAX);
    assert_non_null(reply->text);
    answers->status[at] = reply->status;
    answers->attempts[at] = reply->attempts;
    answers->number[at] = reply->body_bytes > 0 ? reply->body[0] : 0;
}

static struct carillon_call call_of(struct bed *bed, uint32_t method, const uint8_t *body,
                                    uint32_t deadline_ms)
{
    return (struct carillon_call){.method = method,
                                  .deadline_ms = deadline_ms,
                                  .body = body,
                                  .body_bytes = 1,
                                  .done = on_done,
                                  .context = bed};
}

static void ask(struct bed *bed, uint32_t method, uint8_t body, uint32_t deadline_ms)
{
    struct carillon_call call = call_of(bed, method, &body, deadline_ms);

    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

static void ask_with_key(struct bed *bed, uint8_t body, uint32_t deadline_ms)
{
    struct carillon_call call = call_of(bed, WRITE_METHOD, &body, deadline_ms);
    struct carillon_key key = carillon_key_make(bed->client);

    call.key = &key;
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

static void wait_answers(struct bed *bed, uint32_t count)
{
    carillon_flush(bed->client);
    for (int i = 0; bed->answers.count < count && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_int_equal(bed->answers.count, count);
}

static void wait_requests(struct bed *bed, uint32_t count)
{
    carillon_flush(bed->client);
    for (int i = 0; bed->node->requests < count && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_int_equal(bed->node->requests, count);
}

static void run_for(struct bed *bed, uint64_t ms)
{
    uint64_t end_ns = io_now_exact_ns(bed->io) + ms * 1000000;

    while (io_now_exact_ns(bed->io) < end_ns) {
        io_uv_run_once(bed->world, 5);
    }
}

/* ---- scripts ---- */

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

/* Cuts the connection on the first `script` requests, then answers; the key must stay the same.
 */
static void node_cut_first(struct fake_conn *conn, const Carillon__Request *request)
{
    struct bed *bed = conn->node->context;

    if (conn->node->requests == 1 && request->key.len == 16) {
        memcpy(bed->key, request->key.data, request->key.len);
    } else if (request->key.len > 0) {
        assert_memory_equal(bed->key, request->key.data, 16);
    }
    if (conn->node->requests <= bed->script) {
        fake_conn_cut(conn);
        return;
    }
    node_echo(conn, request);
}

static void node_busy_first(struct fake_conn *conn, const Carillon__Request *request)
{
    struct bed *bed = conn->node->context;

    if (conn->node->requests <= bed->script) {
        fake_reply(conn, request->id, ERR_BUSY, SLICE_NONE);
        return;
    }
    node_echo(conn, request);
}

static void node_cut_then_busy(struct fake_conn *conn, const Carillon__Request *request)
{
    if (conn->node->requests == 1) {
        fake_conn_cut(conn);
        return;
    }
    fake_reply(conn, request->id, ERR_BUSY, SLICE_NONE);
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

/* ---- pipelining ---- */

static void submit_call__many_at_once__each_is_answered_with_its_own_reply(void **state)
{
    struct bed *bed = *state;
    bool seen[200] = {false};

    bed->node->request = node_echo;
    client_make(bed, (struct carillon_options){.connections = 3});
    for (uint8_t i = 0; i < 200; i++) {
        ask(bed, READ_METHOD, i, 0);
    }
    assert_int_equal(carillon_outstanding(bed->client), 200);
    wait_answers(bed, 200);
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
    client_make(bed, (struct carillon_options){0});
    for (uint8_t i = 0; i < 10; i++) {
        ask(bed, READ_METHOD, i, 0);
    }
    wait_requests(bed, 10);
    node_release_backwards(bed);
    wait_answers(bed, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(bed->answers.number[i], 9 - i);
    }
}

static void submit_call__more_than_outstanding_max__says_busy(void **state)
{
    struct bed *bed = *state;
    uint8_t body = 1;

    bed->node->request = node_hold;
    client_make(bed, (struct carillon_options){.outstanding_max = 4});
    for (uint8_t i = 0; i < 4; i++) {
        ask(bed, READ_METHOD, i, 0);
    }
    struct carillon_call call = call_of(bed, READ_METHOD, &body, 0);
    assert_int_equal(carillon_submit_call(bed->client, &call), ERR_BUSY);
    wait_requests(bed, 4);
    node_release_backwards(bed);
    wait_answers(bed, 4);
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

static void submit_call__node_allows_two__never_sends_a_third(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed->node->outstanding_max = 2;
    client_make(bed, (struct carillon_options){0});
    for (uint8_t i = 0; i < 10; i++) {
        ask(bed, READ_METHOD, i, 0);
    }
    for (uint32_t round = 1; round <= 5; round++) {
        wait_requests(bed, 2 * round);
        run_for(bed, 10);
        assert_int_equal(bed->held_count, 2);
        node_release_backwards(bed);
        wait_answers(bed, 2 * round);
    }
}

static void chain_on_done(void *context, const struct carillon_reply *reply)
{
    struct bed *bed = context;
    uint8_t body = 7;
    struct carillon_call call = call_of(bed, READ_METHOD, &body, 0);

    assert_int_equal(reply->status, OK);
    bed->answers.count++;
    if (--bed->chain_left > 0) {
        call.done = chain_on_done;
        assert_int_equal(carillon_submit_call(bed->client, &call), OK);
    }
}

static void submit_call__from_a_callback_with_a_full_window__has_room(void **state)
{
    struct bed *bed = *state;
    uint8_t body = 7;

    bed->node->request = node_echo;
    bed->chain_left = 1000;
    client_make(bed, (struct carillon_options){.outstanding_max = 1});
    struct carillon_call call = call_of(bed, READ_METHOD, &body, 0);
    call.done = chain_on_done;
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
    wait_answers(bed, 1000);
}

static void submit_call__refused_by_rule__carries_the_reply_and_is_not_repeated(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_refuse;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 42, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_REFUSED);
    assert_int_equal(bed->answers.number[0], 42);
    assert_int_equal(bed->node->requests, 1);
}

static void submit_call__body_beyond_a_frame__is_too_large(void **state)
{
    struct bed *bed = *state;
    uint8_t *body = calloc(1, FRAME_BYTES_MAX);

    client_make(bed, (struct carillon_options){0});
    struct carillon_call call = call_of(bed, READ_METHOD, body, 0);
    call.body_bytes = FRAME_BYTES_MAX;
    assert_int_equal(carillon_submit_call(bed->client, &call), ERR_TOO_LARGE);
    assert_int_equal(carillon_outstanding(bed->client), 0);
    free(body);
}

/* ---- again, with the same key ---- */

static void retry__connection_lost_twice__same_key_until_answered(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_first;
    bed->script = 2;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], OK);
    assert_int_equal(bed->answers.attempts[0], 3);
    assert_int_equal(bed->node->requests, 3);
    assert_int_equal(carillon_counters(bed->client).retries, 2);
    assert_int_equal(carillon_counters(bed->client).lost, 2);
}

static void retry__write_without_key__is_sent_once_and_unknown(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_first;
    bed->script = 1;
    client_make(bed, (struct carillon_options){0});
    ask(bed, WRITE_METHOD, 5, 0);
    wait_answers(bed, 1);
    run_for(bed, 100);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->node->requests, 1);
}

static void retry__read_on_a_lost_connection__is_repeated_without_key(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_first;
    bed->script = 1;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], OK);
    assert_int_equal(bed->answers.attempts[0], 2);
}

static void retry__told_never_to__hands_the_failure_over(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = 1;
    client_make(bed, (struct carillon_options){.retry_never = true});
    ask_with_key(bed, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_BUSY);
    assert_int_equal(bed->node->requests, 1);
}

static void retry__node_is_busy__is_sent_again_after_a_pause(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = 2;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], OK);
    assert_int_equal(bed->answers.attempts[0], 3);
}

static void retry__node_is_busy_till_the_deadline__is_a_definite_no(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = 1000;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 150);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_BUSY);
    assert_true(bed->answers.attempts[0] > 1);
}

static void retry__lost_once_then_busy__stays_unknown(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_then_busy;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 200);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_true(bed->answers.attempts[0] > 1);
}

static void retry__budget_is_spent__failures_pass_through_at_once(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = UINT32_MAX;
    client_make(bed, (struct carillon_options){.outstanding_max = 1});
    for (uint32_t i = 1; i <= 8; i++) {
        ask_with_key(bed, 5, 200);
        wait_answers(bed, i);
        assert_int_equal(bed->answers.status[i - 1], ERR_BUSY);
    }
    /* ten retries to begin with, and no success to earn another */
    assert_int_equal(carillon_counters(bed->client).retries, 10);
    assert_int_equal(bed->node->requests, 18);
    assert_int_equal(bed->answers.attempts[7], 1);
}

static void retry__ten_successes__earn_one_more(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = UINT32_MAX;
    client_make(bed, (struct carillon_options){.outstanding_max = 1});
    for (uint32_t i = 1; carillon_counters(bed->client).retries < 10; i++) {
        ask_with_key(bed, 5, 200);
        wait_answers(bed, i);
    }
    uint32_t before = bed->answers.count;
    bed->node->request = node_echo;
    for (uint32_t i = 1; i <= 10; i++) {
        ask_with_key(bed, 5, 200);
        wait_answers(bed, before + i);
    }
    bed->node->request = node_busy_first;
    ask_with_key(bed, 5, 200);
    wait_answers(bed, before + 11);
    assert_int_equal(bed->answers.attempts[before + 10], 2);
    assert_int_equal(carillon_counters(bed->client).retries, 11);
}

/* ---- deadlines ---- */

static void deadline__no_answer__write_is_unknown_and_a_late_reply_is_nobodys(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 60);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    node_release_backwards(bed);
    bed->node->request = node_echo;
    ask_with_key(bed, 6, 0); /* takes the same slot */
    wait_answers(bed, 2);
    run_for(bed, 30);
    assert_int_equal(bed->answers.count, 2);
    assert_int_equal(bed->answers.number[1], 6);
    assert_int_equal(carillon_counters(bed->client).late, 1);
}

static void deadline__never_sent__says_why_not_unknown(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed->node->outstanding_max = 1;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 1, 0);
    ask_with_key(bed, 2, 60); /* waits behind the first */
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_BUSY);
    assert_int_equal(bed->answers.attempts[0], 0);
    node_release_backwards(bed);
    wait_answers(bed, 2);
    assert_int_equal(bed->node->requests, 1);
}

static void deadline__given_up_requests__still_count_for_the_node(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed->node->outstanding_max = 1;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 1, 40);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    ask(bed, READ_METHOD, 2, 0);
    run_for(bed, 50);
    assert_int_equal(bed->node->requests, 1); /* the node still works on the first */
    node_release_backwards(bed);
    wait_requests(bed, 2);
    node_release_backwards(bed);
    wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], OK);
}

/* ---- bad answers and bad greetings ---- */

static void reply__malformed__ends_write_as_unknown_and_connects_anew(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_garble;
    bed->script = 1;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(carillon_counters(bed->client).malformed, 1);
    ask_with_key(bed, 6, 0);
    wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], OK);
    assert_int_equal(bed->node->accepted, 2);
}

static void reply__malformed__ends_read_as_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_garble;
    bed->script = 1;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void reply__to_what_was_not_asked__is_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_answer_another;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void reply__announces_two_gigabytes__is_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_announce_too_much;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void greeting__no_common_version__is_told_at_once(void **state)
{
    struct bed *bed = *state;

    bed->node->welcome_version = 0;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_VERSION);
    assert_int_equal(bed->answers.attempts[0], 0);
}

static void greeting__node_refuses__says_the_nodes_reason(void **state)
{
    struct bed *bed = *state;

    bed->node->welcome_status = (uint32_t)-ERR_PERMISSION;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_PERMISSION);
}

static void greeting__garbled__is_malformed(void **state)
{
    struct bed *bed = *state;

    bed->node->is_garbled = true;
    client_make(bed, (struct carillon_options){0});
    ask(bed, READ_METHOD, 5, 0);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_MALFORMED);
}

static void greeting__never_comes__times_out_after_connect_ms(void **state)
{
    struct bed *bed = *state;

    bed->node->is_silent = true;
    client_make(bed, (struct carillon_options){.connect_ms = 50});
    ask_with_key(bed, 5, 5000);
    uint64_t start_ns = io_now_exact_ns(bed->io);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->answers.attempts[0], 0);
    assert_true(io_now_exact_ns(bed->io) - start_ns < 2000000000ULL);
}

static void connect__nothing_listens__is_told_at_once(void **state)
{
    struct bed *bed = *state;

    node_end(bed);
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 5000);
    wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_REFUSED_CONNECT);
    assert_int_equal(bed->answers.attempts[0], 0);
}

static void connect__node_is_gone_for_a_while__requests_wait_for_it(void **state)
{
    struct bed *bed = *state;
    uint16_t port = bed->node->port;

    bed->node->request = node_echo;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 5, 0);
    wait_answers(bed, 1);
    node_end(bed);
    arena_fini(&bed->node->arena);
    ask_with_key(bed, 6, 5000);
    run_for(bed, 80);
    assert_int_equal(bed->answers.count, 1);
    fake_node_open(bed->node, bed->io, port);
    bed->node->request = node_echo;
    wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], OK);
    assert_int_equal(bed->answers.number[1], 6);
}

/* ---- the end ---- */

static void destroy__unanswered_requests__writes_are_unknown_reads_cancelled(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    client_make(bed, (struct carillon_options){0});
    ask_with_key(bed, 1, 0);
    ask(bed, READ_METHOD, 2, 0);
    wait_requests(bed, 2);
    client_end(bed);
    assert_int_equal(bed->answers.count, 2);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->answers.status[1], ERR_CANCELLED);
}

static void destroy__nothing_was_ever_asked__is_done_at_once(void **state)
{
    struct bed *bed = *state;

    client_make(bed, (struct carillon_options){0});
    client_end(bed);
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

    client_make(bed, (struct carillon_options){0});
    for (size_t i = 0; i < 200; i++) {
        keys[i] = carillon_key_make(bed->client);
        assert_int_equal(keys[i].bytes[6] >> 4, 7);
        assert_int_equal(keys[i].bytes[8] >> 6, 2);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(keys[i].bytes, keys[k].bytes, 16);
        }
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        CASE(retry__connection_lost_twice__same_key_until_answered),
        CASE(retry__write_without_key__is_sent_once_and_unknown),
        CASE(retry__read_on_a_lost_connection__is_repeated_without_key),
        CASE(retry__told_never_to__hands_the_failure_over),
        CASE(retry__node_is_busy__is_sent_again_after_a_pause),
        CASE(retry__node_is_busy_till_the_deadline__is_a_definite_no),
        CASE(retry__lost_once_then_busy__stays_unknown),
        CASE(retry__budget_is_spent__failures_pass_through_at_once),
        CASE(retry__ten_successes__earn_one_more),
        CASE(deadline__no_answer__write_is_unknown_and_a_late_reply_is_nobodys),
        CASE(deadline__never_sent__says_why_not_unknown),
        CASE(deadline__given_up_requests__still_count_for_the_node),
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
