/* Linearizable reads: after an own entry is committed, after a majority answered, never by a
 * clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

/* Ask, and see whether it is answered in the same step. */
static bool is_read_at_once(uint32_t member)
{
    uint64_t done = world->marks[WORLD_READ_DONE];
    world_read(world, member - 1);
    return world->marks[WORLD_READ_DONE] > done;
}

static uint64_t answered(void)
{
    return world->marks[WORLD_READ_DONE];
}

static uint64_t refused(void)
{
    return world->marks[WORLD_READ_REFUSED];
}

static void read__asked__waits_for_a_majority_that_answers_later(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_timeout(world, 1);
    (void)story_deliver(world, 1, 2); /* a heartbeat from before is answered after */
    uint64_t before = answered();
    assert_false(is_read_at_once(1));
    struct raft_message old = *story_waiting(world, 2, 1, RAFT_APPEND_REPLY);
    (void)story_lose(world, 2, 1);
    story_receive(world, 1, &old);
    assert_int_equal(answered(), before);
    (void)story_deliver(world, 1, 2);
    (void)story_deliver(world, 2, 1);
    assert_int_equal(answered(), before + 1);
    raft_bed_expect_well();
}

/* Another leader has been elected and has acknowledged more; the old one must not answer. */
static void read__at_a_leader_that_was_replaced__is_never_answered(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_cut(world, 1);
    story_elect(world, 2);
    (void)story_propose(world, 2);
    story_settle(world);
    uint64_t before = answered();
    uint64_t no = refused();
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    assert_false(is_read_at_once(1));
    story_mend(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(answered(), before);
    assert_true(refused() > no);
    raft_bed_expect_well();
}

/* A new leader holds everything that was acknowledged, and does not know yet that it does. */
static void read__before_an_own_entry_is_committed__waits(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    story_settle(world); /* acknowledged by n1; n2 and n3 have it and do not know */
    assert_true(story_raft(world, 2)->commit < world->acked);
    story_pass(world, 2000);
    story_timeout(world, 2);
    for (int i = 0; i < 10 && story_raft(world, 2)->role != RAFT_LEADER; i++) {
        (void)story_deliver(world, 2, 3);
        story_sync(world, 3);
        (void)story_deliver(world, 3, 2);
        story_sync(world, 2);
    }
    assert_int_equal(story_raft(world, 2)->role, RAFT_LEADER);
    uint64_t before = answered();
    assert_false(is_read_at_once(2));
    /* the heartbeat is answered, the no-op is not on disk: not yet */
    (void)story_deliver(world, 2, 3);
    (void)story_deliver(world, 3, 2);
    assert_int_equal(answered(), before);
    story_settle(world);
    assert_int_equal(answered(), before + 1);
    raft_bed_expect_well();
}

static void reads__while_a_round_is_under_way__share_the_next(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    uint64_t before = answered();
    uint64_t round = story_raft(world, 1)->round;
    for (int i = 0; i < 10; i++) {
        assert_false(is_read_at_once(1));
    }
    story_settle(world);
    assert_int_equal(answered(), before + 10);
    assert_int_equal(story_raft(world, 1)->round, round + 2);
    for (int i = 0; i < RAFT_READS_MAX; i++) {
        assert_false(is_read_at_once(1));
    }
    uint64_t no = refused();
    assert_false(is_read_at_once(1));
    assert_int_equal(refused(), no + 1);
    raft_bed_expect_well();
}

static void read__of_a_group_of_one__is_answered_at_once(void **state)
{
    (void)state;
    raft_bed_begin(1);
    story_sync(world, 1);
    assert_false(is_read_at_once(1)); /* its first entry is not on disk */
    story_sync(world, 1);
    assert_true(is_read_at_once(1));
    raft_bed_expect_well();
}

static void read__elsewhere__names_the_leader(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_timeout(world, 1);
    story_settle(world);
    assert_false(is_read_at_once(2));
    assert_int_equal(world->effects.replies[0].outcome, RAFT_NOT_LEADER);
    assert_int_equal(world->effects.replies[0].leader, 1);
    raft_bed_expect_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__asked__waits_for_a_majority_that_answers_later),
        cmocka_unit_test(read__at_a_leader_that_was_replaced__is_never_answered),
        cmocka_unit_test(read__before_an_own_entry_is_committed__waits),
        cmocka_unit_test(reads__while_a_round_is_under_way__share_the_next),
        cmocka_unit_test(read__of_a_group_of_one__is_answered_at_once),
        cmocka_unit_test(read__elsewhere__names_the_leader),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
