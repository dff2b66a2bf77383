/* The checkers' own tests: answers that they must refuse.
 *
 * The honest node is the model itself; its replies are packed, spoiled, and must be reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/checker.h"
#include "tests/lib/checker_case.h"
#include "wire/message.h"

#define KIND(name) CARILLON__REFUSAL_KIND__REFUSAL_##name

/* The answer that the honest node gave last. */
static struct checker_answer honest(const struct checker_case *c)
{
    return (struct checker_answer){
        .status = c->last.status,
        .is_repeated = c->last.is_repeated,
        .index = c->last.index,
        .reply = c->last.reply,
    };
}

static void assert_accepted(struct checker_case *c)
{
    struct checker_answer answer = honest(c);

    buf_clear(&c->why);
    assert_true(checker_answer(&c->last, c->method, &answer, &c->why));
    assert_int_equal(c->why.len, 0);
}

static void assert_reported(struct checker_case *c, const struct checker_answer *answer)
{
    buf_clear(&c->why);
    assert_false(checker_answer(&c->last, c->method, answer, &c->why));
    assert_true(c->why.len > 0);
}

static Carillon__SubmitReply *last_reply(const struct checker_case *c)
{
    Carillon__SubmitReply *reply =
        carillon__submit_reply__unpack(NULL, c->last.reply.len, c->last.reply.data);

    assert_non_null(reply);
    return reply;
}

/* The answer with another reply, which is packed and let go. */
static struct checker_answer with_reply(struct checker_case *c, Carillon__SubmitReply *reply)
{
    struct checker_answer answer = honest(c);

    buf_clear(&c->reply);
    assert_int_equal(wire_pack(&reply->base, &c->reply), OK);
    carillon__submit_reply__free_unpacked(reply, NULL);
    answer.reply = buf_slice(&c->reply);
    return answer;
}

static void checker_answer__section_overbooked__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+A");
    assert_int_equal(c->last.status, OK);
    assert_accepted(c);
    answer = honest(c); /* what s1 heard, said to s2 as well */
    buf_clear(&c->reply);
    assert_int_equal(buf_append_slice(&c->reply, answer.reply), OK);
    checker_case_submit(c, "s2", "+A");
    assert_int_equal(c->last.status, ERR_REFUSED);
    assert_accepted(c);
    answer.index = c->last.index;
    answer.reply = buf_slice(&c->reply);
    assert_reported(c, &answer);
}

static void checker_answer__swap_half_applied__is_reported(void **state)
{
    struct checker_case *c = *state;
    Carillon__SubmitReply *reply;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+A");
    checker_case_submit(c, "s1", "-A+B");
    assert_int_equal(c->last.status, OK);
    assert_accepted(c);
    reply = last_reply(c);
    assert_int_equal(reply->n_changes, 2);
    carillon__change__free_unpacked(reply->changes[--reply->n_changes], NULL);
    answer = with_reply(c, reply);
    assert_reported(c, &answer);
}

static void checker_answer__repeated_key_performed_again__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+B");
    checker_case_submit_again(c, "s1", "+B");
    assert_true(c->last.is_repeated);
    assert_accepted(c);
    answer = honest(c);
    answer.is_repeated = false;
    assert_reported(c, &answer);
    answer = honest(c);
    answer.index++;
    assert_reported(c, &answer);
    answer = honest(c);
    answer.status = ERR_REFUSED; /* as if it were asked anew: registered already */
    assert_reported(c, &answer);
}

static void checker_answer__stale_answer_to_another_body__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+B");
    answer = honest(c);
    buf_clear(&c->reply);
    assert_int_equal(buf_append_slice(&c->reply, answer.reply), OK);
    checker_case_submit_again(c, "s1", "+A");
    assert_int_equal(c->last.status, ERR_KEY_REUSED);
    answer.reply = buf_slice(&c->reply);
    answer.is_repeated = true;
    assert_reported(c, &answer);
}

static void checker_answer__refusal_left_out__is_reported(void **state)
{
    struct checker_case *c = *state;
    Carillon__SubmitReply *reply;
    struct checker_answer answer;

    checker_case_submit(c, "s2", "+A");
    checker_case_submit(c, "s1", "+A+C");
    assert_int_equal(c->last.status, ERR_REFUSED);
    reply = last_reply(c);
    assert_int_equal(reply->n_refusals, 2);
    assert_int_equal(reply->refusals[0]->kind, KIND(WAITLIST_AVAILABLE));
    assert_int_equal(reply->refusals[1]->kind, KIND(PREREQUISITE_UNMET));
    carillon__refusal__free_unpacked(reply->refusals[--reply->n_refusals], NULL);
    answer = with_reply(c, reply);
    assert_reported(c, &answer);
}

static void checker_answer__place_overtaken__is_reported(void **state)
{
    struct checker_case *c = *state;
    Carillon__SubmitReply *reply;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+A");
    checker_case_submit(c, "s2", "~A");
    checker_case_submit(c, "s3", "~A");
    reply = last_reply(c);
    assert_int_equal(reply->changes[0]->waitlist_place, 2);
    reply->changes[0]->waitlist_place = 1;
    answer = with_reply(c, reply);
    assert_reported(c, &answer);
}

static void checker_answer__receipt_of_another_entry__is_reported(void **state)
{
    struct checker_case *c = *state;
    Carillon__SubmitReply *reply;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+B");
    reply = last_reply(c);
    reply->receipt->index--;
    answer = with_reply(c, reply);
    assert_reported(c, &answer);
}

static void checker_answer__reply_that_does_not_decode__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct checker_answer answer;

    checker_case_submit(c, "s1", "+B");
    answer = honest(c);
    answer.reply.len--;
    assert_reported(c, &answer);
}

static void checker_check__promise_not_kept__is_reported(void **state)
{
    struct checker_case *c = *state;
    Carillon__CheckReply check = CARILLON__CHECK_REPLY__INIT;
    Carillon__SubmitReply *reply;

    checker_case_submit(c, "s1", "+B");
    reply = last_reply(c);
    check.n_changes = reply->n_changes;
    check.changes = reply->changes;
    buf_clear(&c->reply);
    assert_int_equal(wire_pack(&check.base, &c->reply), OK);
    assert_true(checker_check(&c->last, OK, buf_slice(&c->reply), &c->why));
    assert_false(checker_check(&c->last, ERR_REFUSED, buf_slice(&c->reply), &c->why));
    check.n_changes = 0;
    buf_clear(&c->reply);
    assert_int_equal(wire_pack(&check.base, &c->reply), OK);
    assert_false(checker_check(&c->last, OK, buf_slice(&c->reply), &c->why));
    carillon__submit_reply__free_unpacked(reply, NULL);
}

#define CASE(name)                                                                             \
    cmocka_unit_test_setup_teardown(name, checker_case_setup, checker_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(checker_answer__section_overbooked__is_reported),
        CASE(checker_answer__swap_half_applied__is_reported),
        CASE(checker_answer__repeated_key_performed_again__is_reported),
        CASE(checker_answer__stale_answer_to_another_body__is_reported),
        CASE(checker_answer__refusal_left_out__is_reported),
        CASE(checker_answer__place_overtaken__is_reported),
        CASE(checker_answer__receipt_of_another_entry__is_reported),
        CASE(checker_answer__reply_that_does_not_decode__is_reported),
        CASE(checker_check__promise_not_kept__is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
