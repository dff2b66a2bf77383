/* The client repeats what is safe to repeat, and keeps its deadlines. */
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

/* Cuts the request whose number is the script, and permits none. */
static void node_cut_then_refuse(struct fake_conn *conn, const Carillon__Request *request)
{
    const struct bed *bed = conn->node->context;

    if (conn->node->requests == bed->script) {
        fake_conn_cut(conn);
        return;
    }
    fake_reply(conn, request->id, ERR_FORBIDDEN, SLICE_NONE);
}

static void node_speaks_of_the_connection(struct fake_conn *conn,
                                          const Carillon__Request *request)
{
    (void)request;
    fake_reply(conn, 0, ERR_MALFORMED, SLICE_NONE);
}

/* What the node says of the whole connection is nobody's answer: a change stays unknown. */
static void retry__reply_about_the_connection__is_no_answer(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_speaks_of_the_connection;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(carillon_counters(bed->client).lost, 1);
    assert_int_equal(carillon_counters(bed->client).malformed, 0);
    bed_ask(bed, READ_METHOD, 6, 0);
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], ERR_MALFORMED);
}

static void retry__connection_lost_twice__same_key_until_answered(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_first;
    bed->script = 2;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
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
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, WRITE_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    bed_run_for(bed, 100);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->node->requests, 1);
}

static void retry__read_on_a_lost_connection__is_repeated_without_key(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_first;
    bed->script = 1;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], OK);
    assert_int_equal(bed->answers.attempts[0], 2);
}

static void retry__told_never_to__hands_the_failure_over(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = 1;
    bed_client_make(bed, (struct carillon_options){.retry_never = true});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_BUSY);
    assert_int_equal(bed->node->requests, 1);
}

static void retry__node_is_busy__is_sent_again_after_a_pause(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = 2;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], OK);
    assert_int_equal(bed->answers.attempts[0], 3);
}

static void retry__node_is_busy_till_the_deadline__is_a_definite_no(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = 1000;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 150);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_BUSY);
    assert_true(bed->answers.attempts[0] > 1);
}

static void retry__lost_once_then_busy__stays_unknown(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_then_busy;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 200);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_true(bed->answers.attempts[0] > 1);
}

static void retry__lost_once_then_forbidden__stays_unknown(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_then_refuse;
    bed->script = 1;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->answers.attempts[0], 2);
}

static void retry__forbidden_at_once__is_a_definite_no(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_cut_then_refuse;
    bed->script = 0;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 0);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_FORBIDDEN);
    assert_int_equal(bed->answers.attempts[0], 1);
}

static void retry__budget_is_spent__failures_pass_through_at_once(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_busy_first;
    bed->script = UINT32_MAX;
    bed_client_make(bed, (struct carillon_options){.outstanding_max = 1});
    for (uint32_t i = 1; i <= 8; i++) {
        bed_ask_with_key(bed, 5, 200);
        bed_wait_answers(bed, i);
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
    bed_client_make(bed, (struct carillon_options){.outstanding_max = 1});
    for (uint32_t i = 1; carillon_counters(bed->client).retries < 10; i++) {
        bed_ask_with_key(bed, 5, 200);
        bed_wait_answers(bed, i);
    }
    uint32_t before = bed->answers.count;
    bed->node->request = node_echo;
    for (uint32_t i = 1; i <= 10; i++) {
        bed_ask_with_key(bed, 5, 200);
        bed_wait_answers(bed, before + i);
    }
    bed->node->request = node_busy_first;
    bed_ask_with_key(bed, 5, 200);
    bed_wait_answers(bed, before + 11);
    assert_int_equal(bed->answers.attempts[before + 10], 2);
    assert_int_equal(carillon_counters(bed->client).retries, 11);
}

static void deadline__no_answer__write_is_unknown_and_a_late_reply_is_nobodys(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 5, 60);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    node_release_backwards(bed);
    bed->node->request = node_echo;
    bed_ask_with_key(bed, 6, 0); /* takes the same slot */
    bed_wait_answers(bed, 2);
    bed_run_for(bed, 30);
    assert_int_equal(bed->answers.count, 2);
    assert_int_equal(bed->answers.number[1], 6);
    assert_int_equal(carillon_counters(bed->client).late, 1);
}

static void deadline__never_sent__says_why_not_unknown(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed->node->outstanding_max = 1;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask_with_key(bed, 1, 0);
    bed_ask_with_key(bed, 2, 60); /* waits behind the first */
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_BUSY);
    assert_int_equal(bed->answers.attempts[0], 0);
    node_release_backwards(bed);
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->node->requests, 1);
}

static void deadline__given_up_requests__still_count_for_the_node(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed->node->outstanding_max = 1;
    bed_client_make(bed, (struct carillon_options){0});
    bed_ask(bed, READ_METHOD, 1, 40);
    bed_wait_answers(bed, 1);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    bed_ask(bed, READ_METHOD, 2, 0);
    bed_run_for(bed, 50);
    assert_int_equal(bed->node->requests, 1); /* the node still works on the first */
    node_release_backwards(bed);
    bed_wait_requests(bed, 2);
    node_release_backwards(bed);
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[1], OK);
}

static void silence__a_peer_that_says_nothing__is_replaced(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed_client_make(bed, (struct carillon_options){.silence_ms = 100});
    bed_ask_with_key(bed, 1, 150);  /* given up after the silence */
    bed_ask_with_key(bed, 2, 5000); /* waits on the same connection */
    bed_wait_requests(bed, 2);
    bed->node->request = node_echo;
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[0], ERR_TIMEOUT);
    assert_int_equal(bed->answers.status[1], OK);
    assert_int_equal(bed->answers.attempts[1], 2);
    assert_int_equal(bed->node->accepted, 2);
}

static void silence__a_peer_that_talks__is_kept(void **state)
{
    struct bed *bed = *state;

    bed->node->request = node_hold;
    bed_client_make(bed, (struct carillon_options){.silence_ms = 100});
    bed_ask_with_key(bed, 1, 300);
    bed_wait_requests(bed, 1);
    bed->node->request = node_echo;
    bed_run_for(bed, 250);
    bed_ask_with_key(bed, 2, 0);
    bed_wait_answers(bed, 1); /* the second, and the connection was heard again */
    bed_wait_answers(bed, 2);
    assert_int_equal(bed->answers.status[0], OK);
    assert_int_equal(bed->answers.status[1], ERR_TIMEOUT);
    assert_int_equal(bed->node->accepted, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(retry__reply_about_the_connection__is_no_answer),
        CASE(retry__connection_lost_twice__same_key_until_answered),
        CASE(retry__write_without_key__is_sent_once_and_unknown),
        CASE(retry__read_on_a_lost_connection__is_repeated_without_key),
        CASE(retry__told_never_to__hands_the_failure_over),
        CASE(retry__node_is_busy__is_sent_again_after_a_pause),
        CASE(retry__node_is_busy_till_the_deadline__is_a_definite_no),
        CASE(retry__lost_once_then_busy__stays_unknown),
        CASE(retry__lost_once_then_forbidden__stays_unknown),
        CASE(retry__forbidden_at_once__is_a_definite_no),
        CASE(retry__budget_is_spent__failures_pass_through_at_once),
        CASE(retry__ten_successes__earn_one_more),
        CASE(deadline__no_answer__write_is_unknown_and_a_late_reply_is_nobodys),
        CASE(deadline__never_sent__says_why_not_unknown),
        CASE(deadline__given_up_requests__still_count_for_the_node),
        CASE(silence__a_peer_that_says_nothing__is_replaced),
        CASE(silence__a_peer_that_talks__is_kept),
    };

    return cmocka_run_group_tests_name("client_retry", tests, NULL, NULL);
}
