/* A member that lost its log, each trap of its refilling as a schedule (docs/spec/raft.md
 * section 12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

/* What two of them say to each other, and write, until neither has anything to say; nobody else
 * is heard. */
static void talk(uint32_t one, uint32_t other)
{
    uint32_t moved = 1;

    while (moved > 0 && story_holds(world)) {
        moved = story_deliver(world, one, other) + story_deliver(world, other, one) +
                story_jobs(world, one) + story_jobs(world, other);
        story_sync(world, one);
        story_sync(world, other);
    }
}

/* n1 leads term 1. Its heartbeat has reached n2, whose answer is late; meanwhile n3 has had
 * n2's vote for term 2, and does not know it yet. Then n2 loses its log, and the vote with it.
 */
static void begin_with_a_vote_that_was_lost(void)
{
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    story_settle(world);
    story_timeout(world, 1);
    (void)story_deliver(world, 1, 2);
    (void)story_lose(world, 1, 3);
    story_pass(world, 2 * world->options.election_ms);
    story_timeout(world, 3);
    (void)story_lose(world, 3, 1);
    (void)story_deliver(world, 3, 2);
    (void)story_deliver(world, 2, 3);
    story_sync(world, 3);
    (void)story_lose(world, 3, 1);
    (void)story_deliver(world, 3, 2);
    story_sync(world, 2);
    assert_int_equal(story_raft(world, 3)->role, RAFT_CANDIDATE);
    assert_true(story_waiting(world, 2, 3, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    story_crash(world, 2);
    story_disk_lost(world, 2);
    story_restart(world, 2);
    assert_int_equal(story_raft(world, 2)->term, 0);
}

/* n1 hears n2's late answer, leads on, and fills n2 again. What n1 and n2 then have is not
 * committed: n3 may lead term 2 with the vote that n2 does not remember. */
static void commit__with_a_voter_being_refilled__does_not_count_it(void **state)
{
    (void)state;
    begin_with_a_vote_that_was_lost();
    (void)story_deliver(world, 2, 1);
    story_tick(world, 1);
    talk(1, 2);
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    raft_index entry = story_propose(world, 1);
    assert_true(entry > 0);
    talk(1, 2);
    assert_int_equal(story_raft(world, 2)->log.last, entry);
    assert_true(story_raft(world, 1)->commit < entry);

    (void)story_deliver(world, 2, 3);
    assert_int_equal(story_raft(world, 3)->role, RAFT_LEADER);
    assert_int_equal(story_raft(world, 3)->term, 2);
    story_settle(world);
    raft_bed_expect_well();
}

/* The same with a change of members: n2 is not made a learner by its own acknowledgement, or it
 * would be readmitted while n3 may still use its old vote. */
static void demotion__of_a_voter_being_refilled__needs_the_others(void **state)
{
    (void)state;
    begin_with_a_vote_that_was_lost();
    (void)story_deliver(world, 2, 1);
    story_tick(world, 1);
    talk(1, 2);
    assert_int_equal(story_change(world, 1, RAFT_DEMOTE, 2), RAFT_DONE);
    talk(1, 2);
    assert_true(story_raft(world, 2)->is_refilling);
    assert_true(story_raft(world, 1)->commit < story_raft(world, 1)->configuration.index);

    (void)story_deliver(world, 2, 3);
    assert_int_equal(story_raft(world, 3)->role, RAFT_LEADER);
    story_settle(world);
    raft_bed_expect_well();
}

/* A read asks a majority whether it still follows. Who is being refilled takes no terms, and so
 * does not know whether it follows somebody else. */
static void read__confirmed_by_a_voter_being_refilled__waits(void **state)
{
    (void)state;
    begin_with_a_vote_that_was_lost();
    (void)story_deliver(world, 2, 1);
    story_tick(world, 1);
    talk(1, 2);
    uint64_t done = world->marks[WORLD_READ_DONE];
    world_read(world, 0);
    talk(1, 2);
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    assert_int_equal(world->marks[WORLD_READ_DONE], done);
    raft_bed_expect_well();
}

/* Its vote of the leader's term may have been given before the loss; it is given to the leader,
 * and on disk, before anybody may ask for it. */
static void member__readmitted__has_no_vote_left_in_the_leaders_term(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    story_settle(world);
    raft_term term = story_raft(world, 1)->term;

    story_crash(world, 2);
    story_disk_lost(world, 2);
    story_restart(world, 2);
    story_timeout(world, 1);
    story_settle(world);
    assert_true(story_raft(world, 2)->is_refilling);
    assert_int_equal(story_change(world, 1, RAFT_DEMOTE, 2), RAFT_DONE);
    story_settle(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_false(raft_is_refilling(story_raft(world, 2)));
    assert_int_equal(world->node[1].hard_term, term);
    assert_int_equal(world->node[1].hard_vote, 1);

    const struct raft_log *log = &story_raft(world, 2)->log;
    const struct raft_message request = {
        .type = RAFT_VOTE,
        .from = 3,
        .to = 2,
        .term = term,
        .vote = {.last_index = log->last,
                 .last_term = raft_log_last_term(log),
                 .is_transfer = true},
    };
    story_receive(world, 2, &request);
    story_sync(world, 2);
    assert_false(story_waiting(world, 2, 3, RAFT_VOTE_REPLY)->vote_reply.is_granted);
    raft_bed_expect_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit__with_a_voter_being_refilled__does_not_count_it),
        cmocka_unit_test(demotion__of_a_voter_being_refilled__needs_the_others),
        cmocka_unit_test(read__confirmed_by_a_voter_being_refilled__waits),
        cmocka_unit_test(member__readmitted__has_no_vote_left_in_the_leaders_term),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
