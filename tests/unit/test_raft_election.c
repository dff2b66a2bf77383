/* Elections: who may win, when, and what must be on disk by then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

static void campaign__first__asks_without_a_new_term(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_timeout(world, 1);
    assert_int_equal(story_raft(world, 1)->role, RAFT_PRE_CANDIDATE);
    assert_int_equal(story_raft(world, 1)->term, 0);
    assert_true(story_waiting(world, 1, 2, RAFT_VOTE)->vote.is_pre);
    (void)story_deliver(world, 1, 2);
    assert_int_equal(story_raft(world, 2)->term, 0);
    (void)story_deliver(world, 2, 1);
    assert_int_equal(story_raft(world, 1)->role, RAFT_CANDIDATE);
    assert_int_equal(story_raft(world, 1)->term, 1);
    raft_bed_expect_well();
}

/* The request leaves when the own vote is on disk, and with it everything written before. */
static void candidate__own_vote_not_on_disk__asks_nobody(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_timeout(world, 1);
    (void)story_deliver(world, 1, 2);
    (void)story_deliver(world, 2, 1);
    assert_int_equal(story_raft(world, 1)->role, RAFT_CANDIDATE);
    (void)story_lose(world, 1, 3);
    assert_null(story_waiting(world, 1, 0, RAFT_VOTE));
    story_sync(world, 1);
    assert_non_null(story_waiting(world, 1, 2, RAFT_VOTE));
    assert_false(story_waiting(world, 1, 2, RAFT_VOTE)->vote.is_pre);
    raft_bed_expect_well();
}

/* Elections while entries are not on disk: n2 has an entry in memory that it would lose. Its
 * candidacy waits for the very write that makes the entry durable. */
static void candidate__with_entries_not_on_disk__stands_for_none_that_it_may_lose(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_index entry = story_propose(world, 1);
    (void)story_deliver(world, 1, 2);
    assert_true(story_raft(world, 2)->log.durable < entry);
    story_pass(world, 1000);
    story_timeout(world, 2);
    (void)story_deliver(world, 2, 3);
    (void)story_deliver(world, 3, 2);
    assert_int_equal(story_raft(world, 2)->role, RAFT_CANDIDATE);
    (void)story_lose(world, 0, 0);
    assert_null(story_waiting(world, 2, 3, RAFT_VOTE));
    story_sync(world, 2);
    assert_int_equal(story_waiting(world, 2, 3, RAFT_VOTE)->vote.last_index, entry);
    assert_int_equal(story_raft(world, 2)->log.durable, entry);
    raft_bed_expect_well();
}

static void vote__not_on_disk__is_not_spoken(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_timeout(world, 1);
    (void)story_deliver(world, 1, 2);
    (void)story_deliver(world, 2, 1);
    story_sync(world, 1);
    (void)story_deliver(world, 1, 2);
    assert_null(story_waiting(world, 2, 1, RAFT_VOTE_REPLY));
    story_sync(world, 2);
    assert_true(story_waiting(world, 2, 1, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    raft_bed_expect_well();
}

/* A vote is kept over a crash: n3 comes too late. */
static void vote__given__is_remembered_after_a_crash(void **state)
{
    (void)state;
    raft_bed_begin(3);
    struct raft_message vote = {.type = RAFT_VOTE, .from = 1, .to = 2, .term = 1};
    story_receive(world, 2, &vote);
    story_sync(world, 2);
    story_crash(world, 2);
    story_restart(world, 2);
    assert_int_equal(story_raft(world, 2)->vote, 1);
    vote.from = 3;
    story_receive(world, 2, &vote);
    story_sync(world, 2);
    assert_false(story_waiting(world, 2, 3, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    vote.from = 1; /* asked again, the answer is the same */
    story_receive(world, 2, &vote);
    assert_true(story_waiting(world, 2, 1, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    raft_bed_expect_well();
}

static void vote__for_a_shorter_log__is_refused(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_cut(world, 3);
    (void)story_propose(world, 1);
    story_settle(world);
    story_mend(world);
    story_crash(world, 1);
    story_pass(world, 2000);
    story_timeout(world, 3);
    story_settle(world);
    assert_int_not_equal(story_raft(world, 3)->role, RAFT_LEADER);
    story_elect(world, 2);
    raft_bed_expect_well();
}

/* Who follows a leader gives no vote, and does not even take over the term. */
static void vote__while_a_leader_is_heard__is_refused(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_term term = story_raft(world, 2)->term;
    story_timeout(world, 1); /* a heartbeat */
    story_settle(world);
    struct raft_message vote = {
        .type = RAFT_VOTE,
        .from = 3,
        .to = 2,
        .term = term + 5,
        .vote = {.last_index = 100, .last_term = term},
    };
    story_receive(world, 2, &vote);
    assert_int_equal(story_raft(world, 2)->term, term);
    assert_false(story_waiting(world, 2, 3, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    vote.to = 1;
    story_receive(world, 1, &vote);
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    /* when nothing is heard any more it is given, if the log allows */
    story_pass(world, 500);
    vote.to = 2;
    story_receive(world, 2, &vote);
    assert_int_equal(story_raft(world, 2)->term, term + 5);
    raft_bed_expect_well();
}

/* n3 was cut off for long and comes back: nobody's term has moved. */
static void member__cut_off_for_long__does_not_disturb_when_it_returns(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_term term = story_raft(world, 1)->term;
    story_cut(world, 3);
    for (int i = 0; i < 20; i++) {
        story_timeout(world, 3);
        story_sync(world, 3);
    }
    assert_int_equal(story_raft(world, 3)->term, term);
    story_mend(world);
    story_tick(world, 1);
    assert_int_equal(story_raft(world, 1)->term, term);
    raft_bed_expect_well();
}

static void leader__without_a_majority__steps_down(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_cut(world, 1);
    for (int i = 0; i < 7 && story_raft(world, 1)->role == RAFT_LEADER; i++) {
        story_timeout(world, 1);
    }
    assert_int_equal(story_raft(world, 1)->role, RAFT_FOLLOWER);
    assert_int_equal(story_propose(world, 1), 0);
    raft_bed_expect_well();
}

/* Heartbeats are answered, the own disk is not: somebody else should lead. */
static void leader__whose_disk_stalls__steps_down(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    for (int i = 0; i < 12 && story_raft(world, 1)->role == RAFT_LEADER; i++) {
        story_timeout(world, 1);
        (void)story_deliver(world, 1, 0);
        story_sync(world, 2);
        story_sync(world, 3);
        (void)story_deliver(world, 0, 1);
    }
    assert_int_equal(story_raft(world, 1)->role, RAFT_FOLLOWER);
    story_sync(world, 1);
    story_elect(world, 2);
    raft_bed_expect_well();
}

static void group_of_one__needs_no_message(void **state)
{
    (void)state;
    raft_bed_begin(1);
    assert_int_equal(story_raft(world, 1)->role, RAFT_CANDIDATE);
    story_sync(world, 1);
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    raft_index entry = story_propose(world, 1);
    assert_true(entry > 0);
    assert_true(story_raft(world, 1)->commit < entry);
    story_sync(world, 1);
    assert_int_equal(story_raft(world, 1)->applied, entry);
    assert_null(story_waiting(world, 0, 0, 0));
    story_crash(world, 1);
    story_restart(world, 1);
    story_sync(world, 1);
    story_sync(world, 1);
    assert_true(story_raft(world, 1)->applied > entry);
    raft_bed_expect_well();
}

static void timeouts__of_two_seeds__differ(void **state)
{
    (void)state;
    raft_bed_begin(3);
    uint64_t first = raft_deadline_ms(story_raft(world, 1));
    uint64_t second = raft_deadline_ms(story_raft(world, 2));
    assert_int_not_equal(first, second);
    uint64_t now = world_clock(world, 0);
    assert_true(first >= now + 500 && first < now + 1000);
    raft_bed_expect_well();
}

/* ---- transfer */

static void transfer__target_has_everything__it_leads_next(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    assert_int_equal(story_transfer(world, 1, 2), 0); /* no answer yet */
    assert_null(story_waiting(world, 1, 2, RAFT_TIMEOUT_NOW));
    assert_int_equal(story_propose(world, 1), 0);
    story_settle(world);
    assert_int_equal(story_raft(world, 2)->role, RAFT_LEADER);
    assert_int_equal(story_raft(world, 1)->role, RAFT_FOLLOWER);
    raft_bed_expect_well();
}

/* TIMEOUT_NOW twice, and a candidate of the same term: n2 has voted for itself, on disk, before
 * anybody hears of it, and nobody gives two votes. */
static void transfer__message_repeated__nobody_votes_twice(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_term term = story_raft(world, 1)->term;
    struct raft_message now = {.type = RAFT_TIMEOUT_NOW, .from = 1, .to = 2, .term = term};
    story_receive(world, 2, &now);
    assert_int_equal(story_raft(world, 2)->term, term + 1);
    assert_int_equal(story_raft(world, 2)->vote, 2);
    assert_null(story_waiting(world, 2, 0, RAFT_VOTE));
    story_receive(world, 2, &now);
    assert_int_equal(story_raft(world, 2)->term, term + 1);
    struct raft_message vote = {
        .type = RAFT_VOTE,
        .from = 3,
        .to = 2,
        .term = term + 1,
        .vote = {.last_index = 100, .last_term = term, .is_transfer = true},
    };
    story_receive(world, 2, &vote);
    story_sync(world, 2);
    assert_false(story_waiting(world, 2, 3, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    assert_int_equal(story_raft(world, 2)->vote, 2);
    story_crash(world, 2);
    story_restart(world, 2);
    assert_int_equal(story_raft(world, 2)->vote, 2);
    raft_bed_expect_well();
}

static void transfer__target_lags__is_given_up(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_cut(world, 2);
    (void)story_propose(world, 1);
    assert_int_equal(story_transfer(world, 1, 2), 0);
    assert_int_equal(story_transfer(world, 1, 3), RAFT_BUSY);
    for (int i = 0; i < 6; i++) {
        story_timeout(world, 1);
        story_settle(world);
    }
    assert_int_equal(story_raft(world, 1)->transfer_to, 0);
    assert_true(story_propose(world, 1) > 0);
    assert_int_equal(story_transfer(world, 1, 1), RAFT_INVALID);
    assert_int_equal(story_transfer(world, 1, 7), RAFT_INVALID);
    assert_int_equal(story_transfer(world, 3, 1), RAFT_NOT_LEADER);
    raft_bed_expect_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaign__first__asks_without_a_new_term),
        cmocka_unit_test(candidate__own_vote_not_on_disk__asks_nobody),
        cmocka_unit_test(candidate__with_entries_not_on_disk__stands_for_none_that_it_may_lose),
        cmocka_unit_test(vote__not_on_disk__is_not_spoken),
        cmocka_unit_test(vote__given__is_remembered_after_a_crash),
        cmocka_unit_test(vote__for_a_shorter_log__is_refused),
        cmocka_unit_test(vote__while_a_leader_is_heard__is_refused),
        cmocka_unit_test(member__cut_off_for_long__does_not_disturb_when_it_returns),
        cmocka_unit_test(leader__without_a_majority__steps_down),
        cmocka_unit_test(leader__whose_disk_stalls__steps_down),
        cmocka_unit_test(group_of_one__needs_no_message),
        cmocka_unit_test(timeouts__of_two_seeds__differ),
        cmocka_unit_test(transfer__target_has_everything__it_leads_next),
        cmocka_unit_test(transfer__message_repeated__nobody_votes_twice),
        cmocka_unit_test(transfer__target_lags__is_given_up),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
