/* The five known ways in which consensus has lost acknowledged data, each as the schedule that
 * does it (docs/spec/raft.md section 11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

/* Way 1, figure 8 of the paper. n1 leads term 1 and brings an entry to n2 alone. n5 leads term
 * 2 and writes another at its place. n1 leads term 3 and brings the old entry to n3: now a
 * majority has it, and n5 may still overwrite it. */
static void commit__entry_of_older_term_on_a_majority__is_not_counted(void **state)
{
    (void)state;
    raft_bed_begin(5);
    story_elect(world, 1);
    raft_index entry = story_propose(world, 1);
    story_sync(world, 1);
    assert_int_equal(story_deliver(world, 1, 2), 1);
    story_sync(world, 2);
    story_crash(world, 1);
    (void)story_lose(world, 0, 0);

    story_pass(world, 2000);
    story_timeout(world, 5); /* n2 refuses: its log is longer; n3 and n4 do not */
    for (int i = 0; i < 8; i++) {
        (void)story_deliver(world, 5, 3);
        (void)story_deliver(world, 5, 4);
        story_sync(world, 3);
        story_sync(world, 4);
        story_sync(world, 5);
        (void)story_deliver_type(world, 3, 5, RAFT_VOTE_REPLY);
        (void)story_deliver_type(world, 4, 5, RAFT_VOTE_REPLY);
        if (story_raft(world, 5)->role == RAFT_LEADER) {
            break;
        }
    }
    assert_int_equal(story_raft(world, 5)->role, RAFT_LEADER);
    story_sync(world, 5);
    assert_int_equal(raft_log_term(&story_raft(world, 5)->log, entry), 2);
    (void)story_lose(world, 0, 0);
    story_crash(world, 5);

    story_restart(world, 1);
    story_pass(world, 2000);
    for (int i = 0; i < 16 && story_raft(world, 1)->role != RAFT_LEADER; i++) {
        if (i % 4 == 0) {
            story_timeout(world, 1);
        }
        (void)story_deliver_type(world, 1, 2, RAFT_VOTE);
        (void)story_deliver_type(world, 1, 3, RAFT_VOTE);
        story_sync(world, 1);
        story_sync(world, 2);
        story_sync(world, 3);
        (void)story_deliver_type(world, 0, 1, RAFT_VOTE_REPLY);
    }
    assert_int_equal(story_raft(world, 1)->role, RAFT_LEADER);
    story_sync(world, 1);
    /* back to where n3's log meets, then the old entry, one an append; the no-op is lost */
    for (int i = 0; i < 6 && story_raft(world, 3)->log.last < entry; i++) {
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        (void)story_deliver(world, 3, 1);
    }
    assert_int_equal(raft_log_term(&story_raft(world, 3)->log, entry), 1);
    story_sync(world, 3);
    (void)story_deliver(world, 3, 1);
    assert_true(story_raft(world, 1)->commit < entry);
    raft_bed_expect_well();

    /* with the own no-op on a majority the old entry is committed too, and stays */
    story_settle(world);
    story_tick(world, 1);
    story_settle(world);
    assert_true(story_raft(world, 1)->commit > entry);
    story_restart(world, 5);
    story_pass(world, 1000);
    story_settle(world);
    raft_bed_expect_well();
}

/* Way 2. n1 was cut off with two entries of its own behind what everybody has. An append that
 * brings nothing proves nothing about them. */
static void
append_reply__with_leftovers_behind_what_was_proved__does_not_count_them(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_index common = story_raft(world, 1)->log.last;
    story_cut(world, 1);
    raft_index leftover = story_propose(world, 1);
    (void)story_propose(world, 1);
    story_sync(world, 1);
    story_elect(world, 2);
    raft_term term = story_raft(world, 2)->term;
    story_mend(world);
    (void)story_lose(world, 0, 0);

    struct raft_message heartbeat = {
        .type = RAFT_APPEND,
        .from = 2,
        .to = 1,
        .term = term,
        .append = {.prev_index = common,
                   .prev_term = raft_log_term(&story_raft(world, 2)->log, common)},
    };
    story_receive(world, 1, &heartbeat);
    story_sync(world, 1);
    const struct raft_message *reply = story_waiting(world, 1, 2, RAFT_APPEND_REPLY);
    assert_non_null(reply);
    assert_true(leftover > common);
    assert_true(story_raft(world, 1)->log.last > leftover);
    assert_int_equal(reply->append_reply.match, common);
    assert_int_equal(reply->append_reply.seen, common);
    raft_bed_expect_well();
}

/* Way 3. An entry of n1 is on its way to n3's disk when n3 hears of the new leader n2. What the
 * disk then reports was proved by n1, in a term that is over. */
static void
append_reply__stored_after_a_change_of_leaders__is_not_told_to_the_next(void **state)
{
    (void)state;
    raft_bed_begin(5);
    story_elect(world, 1);
    raft_index common = story_raft(world, 1)->log.last;
    raft_index entry = story_propose(world, 1);
    (void)story_deliver(world, 1, 3);
    assert_int_equal(story_raft(world, 3)->log.last, entry);
    assert_int_equal(story_raft(world, 3)->log.durable, common);
    (void)story_lose(world, 0, 0);

    raft_term term = story_raft(world, 1)->term + 1;
    struct raft_message heartbeat = {
        .type = RAFT_APPEND,
        .from = 2,
        .to = 3,
        .term = term,
        .append = {.prev_index = common,
                   .prev_term = raft_log_term(&story_raft(world, 3)->log, common)},
    };
    story_receive(world, 3, &heartbeat);
    /* not even the sign of life, before the new term is on disk */
    assert_null(story_waiting(world, 3, 2, RAFT_APPEND_REPLY));
    story_sync(world, 3);
    assert_int_equal(story_raft(world, 3)->log.durable, entry);
    const struct raft_message *reply = story_waiting(world, 3, 2, RAFT_APPEND_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->term, term);
    assert_int_equal(reply->append_reply.match, common);
    raft_bed_expect_well();
}

/* Way 4. The leader's disk runs ahead: nobody ever has its newest entry, everybody has older
 * ones. */
static void commit__leaders_log_ever_ahead__follows_the_majority(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    for (int i = 0; i < 20; i++) {
        raft_index entry = story_propose(world, 1);
        story_sync(world, 1);
        (void)story_propose(world, 1); /* and one more before anybody answers */
        (void)story_deliver(world, 1, 2);
        story_sync(world, 2);
        (void)story_deliver(world, 2, 1);
        assert_true(story_raft(world, 1)->commit >= entry);
        assert_true(story_raft(world, 1)->log.last > entry);
    }
    raft_bed_expect_well();
}

/* Way 4, the other side: the leader's own disk counts when it has written, not before. */
static void commit__leaders_own_disk_behind__needs_two_others(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_index entry = story_propose(world, 1);
    (void)story_deliver(world, 1, 2);
    story_sync(world, 2);
    (void)story_deliver(world, 2, 1);
    assert_true(story_raft(world, 1)->commit < entry);
    (void)story_deliver(world, 1, 3);
    story_sync(world, 3);
    (void)story_deliver(world, 3, 1);
    assert_int_equal(story_raft(world, 1)->commit, entry);
    assert_true(story_raft(world, 1)->log.durable < entry);
    raft_bed_expect_well();
}

/* Way 5. After an error of its disk a leader says nothing, ever. It starts again from what is
 * on disk, and uses no (index, term) twice. */
static void leader__its_disk_failed__is_silent_and_never_reuses_an_index(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_term term = story_raft(world, 1)->term;
    raft_index entry = story_propose(world, 1);
    (void)story_deliver(world, 1, 2);
    story_sync(world, 2);
    (void)story_lose(world, 1, 0);
    story_disk_fails(world, 1);
    assert_int_equal(story_raft(world, 1)->role, RAFT_STOPPED);
    (void)story_deliver(world, 2, 1);
    assert_int_equal(story_propose(world, 1), 0);
    story_pass(world, 10000);
    story_tick(world, 1);
    assert_null(story_waiting(world, 1, 0, 0));
    assert_int_equal(raft_deadline_ms(story_raft(world, 1)), UINT64_MAX);

    story_crash(world, 1);
    story_restart(world, 1);
    assert_true(story_raft(world, 1)->log.last < entry);
    story_elect(world, 2);
    story_elect(world, 1);
    assert_true(story_raft(world, 1)->term > term);
    assert_int_equal(raft_log_term(&story_raft(world, 1)->log, entry), term);
    raft_bed_expect_well();
}

/* The same for a follower: memory and disk must not go apart. */
static void follower__its_disk_failed__acknowledges_nothing(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    (void)story_deliver(world, 1, 2);
    story_disk_fails(world, 2);
    (void)story_lose(world, 0, 0);
    (void)story_propose(world, 1);
    (void)story_deliver(world, 1, 2);
    assert_null(story_waiting(world, 2, 0, 0));
    raft_bed_expect_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit__entry_of_older_term_on_a_majority__is_not_counted),
        cmocka_unit_test(
            append_reply__with_leftovers_behind_what_was_proved__does_not_count_them),
        cmocka_unit_test(
            append_reply__stored_after_a_change_of_leaders__is_not_told_to_the_next),
        cmocka_unit_test(commit__leaders_log_ever_ahead__follows_the_majority),
        cmocka_unit_test(commit__leaders_own_disk_behind__needs_two_others),
        cmocka_unit_test(leader__its_disk_failed__is_silent_and_never_reuses_an_index),
        cmocka_unit_test(follower__its_disk_failed__acknowledges_nothing),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
