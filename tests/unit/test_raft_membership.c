/* Membership: one change at a time, in force from the log, rolled back with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

static uint32_t voters(uint32_t member)
{
    return raft_configuration_voters(&story_raft(world, member)->configuration);
}

static void learner__promoted__votes_and_counts(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    assert_int_equal(story_change(world, 1, RAFT_ADD_LEARNER, 4), RAFT_DONE);
    assert_int_equal(voters(1), 3);
    assert_int_equal(story_change(world, 1, RAFT_PROMOTE, 4), RAFT_BUSY);
    story_settle(world);
    assert_int_equal(story_change(world, 1, RAFT_PROMOTE, 4), RAFT_DONE);
    assert_int_equal(voters(1), 4);
    story_settle(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(voters(4), 4);
    story_elect(world, 4);
    raft_bed_expect_well();
}

/* A learner's disk does not make a majority. */
static void learner__acknowledges__counts_for_nothing(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_change(world, 1, RAFT_ADD_LEARNER, 4);
    story_settle(world);
    story_cut(world, 2);
    story_cut(world, 3);
    raft_index entry = story_propose(world, 1);
    story_settle(world);
    assert_int_equal(story_raft(world, 4)->log.durable, entry);
    assert_true(story_raft(world, 1)->commit < entry);
    assert_int_equal(raft_deadline_ms(story_raft(world, 4)), UINT64_MAX);
    raft_bed_expect_well();
}

static void change__before_an_own_entry_is_committed__is_refused(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    assert_int_equal(story_change(world, 2, RAFT_ADD_LEARNER, 4), RAFT_NOT_LEADER);
    story_pass(world, 2000);
    story_timeout(world, 2);
    for (int i = 0; i < 10 && story_raft(world, 2)->role != RAFT_LEADER; i++) {
        (void)story_deliver(world, 2, 3);
        story_sync(world, 3);
        (void)story_deliver(world, 3, 2);
        story_sync(world, 2);
    }
    assert_int_equal(story_raft(world, 2)->role, RAFT_LEADER);
    assert_int_equal(story_change(world, 2, RAFT_ADD_LEARNER, 4), RAFT_BUSY);
    story_settle(world);
    assert_int_equal(story_change(world, 2, RAFT_ADD_LEARNER, 4), RAFT_DONE);
    assert_int_equal(story_change(world, 2, RAFT_ADD_LEARNER, 5), RAFT_BUSY);
    story_settle(world);
    assert_int_equal(story_change(world, 2, RAFT_ADD_LEARNER, 4), RAFT_INVALID);
    assert_int_equal(story_change(world, 2, RAFT_REMOVE, 7), RAFT_INVALID);
    raft_bed_expect_well();
}

/* n1 demotes n3 and is cut off; the others never hear of it. Back again, it uses theirs. */
static void configuration__cut_off_with_the_log__is_rolled_back(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    story_cut(world, 1);
    assert_int_equal(story_change(world, 1, RAFT_DEMOTE, 3), RAFT_DONE);
    story_sync(world, 1);
    assert_int_equal(voters(1), 2);
    story_elect(world, 2);
    story_mend(world);
    story_timeout(world, 2);
    story_settle(world);
    assert_int_equal(voters(1), 3);
    assert_int_equal(story_raft(world, 1)->configuration.index, 0);
    raft_bed_expect_well();
}

/* The same after a snapshot and a restart: what is rolled back to comes from the snapshot. */
static void configuration__rolled_back_after_compaction__is_the_snapshots(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_change(world, 1, RAFT_ADD_LEARNER, 4);
    story_settle(world);
    raft_index index = story_raft(world, 1)->configuration.index;
    for (int i = 0; i < 5; i++) {
        (void)story_propose(world, 1);
        story_settle(world);
    }
    story_snapshot(world, 1);
    assert_true(story_raft(world, 1)->log.base > index);
    story_cut(world, 1);
    (void)story_change(world, 1, RAFT_REMOVE, 3);
    story_sync(world, 1);
    story_crash(world, 1);
    story_restart(world, 1);
    assert_int_equal(voters(1), 2);
    story_elect(world, 2);
    story_mend(world);
    story_timeout(world, 2);
    story_settle(world);
    assert_int_equal(story_raft(world, 1)->configuration.index, index);
    assert_int_equal(voters(1), 3);
    assert_int_equal(story_raft(world, 1)->configuration.count, 4);
    raft_bed_expect_well();
}

static void leader__that_removed_itself__leads_until_that_is_committed(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    assert_int_equal(story_change(world, 1, RAFT_REMOVE, 1), RAFT_DONE);
    story_sync(world, 1);
    (void)story_deliver(world, 1, 2);
    story_sync(world, 2);
    (void)story_deliver(world, 2, 1);
    /* itself and n2: but it does not count any more */
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    story_settle(world);
    assert_int_equal(story_raft(world, 1)->role, RAFT_FOLLOWER);
    assert_int_equal(raft_deadline_ms(story_raft(world, 1)), UINT64_MAX);
    story_elect(world, 3);
    raft_bed_expect_well();
}

/* Found by the simulation. n2 leads a group of two and demotes itself; n1 never hears of it,
 * and cannot win against n2's longer log. Only n2 can go on, though it is no voter any more. */
static void member__demoted_by_an_uncommitted_entry__still_campaigns(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 2);
    (void)story_change(world, 2, RAFT_REMOVE, 3);
    story_settle(world);
    story_timeout(world, 2);
    story_settle(world);
    story_cut(world, 1);
    assert_int_equal(story_change(world, 2, RAFT_DEMOTE, 2), RAFT_DONE);
    story_sync(world, 2);
    story_crash(world, 2);
    story_restart(world, 2);
    story_mend(world);
    story_pass(world, 1000);
    story_timeout(world, 2);
    story_settle(world); /* it leads, commits its own demotion, and steps down */
    assert_int_equal(story_raft(world, 2)->role, RAFT_FOLLOWER);
    assert_int_equal(story_raft(world, 1)->log.last, story_raft(world, 2)->log.last);
    assert_int_equal(voters(1), 1);
    story_elect(world, 1);
    raft_bed_expect_well();
}

static void configuration__encoded__decodes_to_the_same(void **state)
{
    struct raft_configuration made = {.index = 9};
    struct raft_configuration read;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    (void)state;
    for (raft_id id = 1; id <= RAFT_MEMBERS_MAX; id++) {
        assert_int_equal(raft_configuration_change(&made, RAFT_ADD_LEARNER, id << 60 | id), OK);
    }
    assert_int_equal(raft_configuration_change(&made, RAFT_ADD_LEARNER, 99), ERR_FULL);
    assert_int_equal(raft_configuration_change(&made, RAFT_PROMOTE, 1ULL << 60 | 1), OK);
    assert_int_equal(raft_configuration_change(&made, RAFT_REMOVE, 1ULL << 60 | 1),
                     ERR_ARGUMENT);
    assert_int_equal(raft_configuration_change(&made, RAFT_DEMOTE, 1ULL << 60 | 1),
                     ERR_ARGUMENT);
    uint32_t len = raft_configuration_encode(&made, bytes);
    assert_int_equal(raft_configuration_decode(slice_from(bytes, len), 9, &read), OK);
    assert_int_equal(read.count, made.count);
    for (uint32_t i = 0; i < made.count; i++) {
        assert_int_equal(read.members[i].id, made.members[i].id);
        assert_int_equal(read.members[i].is_voter, made.members[i].is_voter);
    }
    for (uint32_t cut = 0; cut < len; cut++) {
        assert_int_equal(raft_configuration_decode(slice_from(bytes, cut), 9, &read),
                         ERR_MALFORMED);
    }
    bytes[2 + 8] = 7; /* a voter is 0 or 1 */
    assert_int_equal(raft_configuration_decode(slice_from(bytes, len), 9, &read),
                     ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learner__promoted__votes_and_counts),
        cmocka_unit_test(learner__acknowledges__counts_for_nothing),
        cmocka_unit_test(change__before_an_own_entry_is_committed__is_refused),
        cmocka_unit_test(configuration__cut_off_with_the_log__is_rolled_back),
        cmocka_unit_test(configuration__rolled_back_after_compaction__is_the_snapshots),
        cmocka_unit_test(leader__that_removed_itself__leads_until_that_is_committed),
        cmocka_unit_test(member__demoted_by_an_uncommitted_entry__still_campaigns),
        cmocka_unit_test(configuration__encoded__decodes_to_the_same),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
