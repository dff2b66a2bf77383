/* Snapshots: receiving, installing, compacting, and what a restart makes of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

enum { TERM = 1 };

/* n3 misses what n1 has compacted away, and is sent chunks until nothing waits but n3's disk.
 */
static void begin_with_a_lagging_member(void)
{
    raft_bed_begin(3);
    story_elect(world, 1);
    story_cut(world, 3);
    for (int i = 0; i < 10; i++) {
        (void)story_propose(world, 1);
        story_settle(world);
    }
    story_snapshot(world, 1);
    story_sync(world, 1);
    story_mend(world);
    story_timeout(world, 1);
}

/* Chunks go over until the last is being installed. */
static void send_all_chunks(void)
{
    for (int i = 0; i < 100 && !story_raft(world, 3)->receipt.is_installing; i++) {
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        if (!story_raft(world, 3)->receipt.is_installing) {
            (void)story_jobs(world, 3);
        }
        (void)story_deliver(world, 3, 1);
        (void)story_jobs(world, 1);
    }
    assert_true(story_raft(world, 3)->receipt.is_installing);
}

static void follower__far_behind__installs_and_goes_on(void **state)
{
    (void)state;
    begin_with_a_lagging_member();
    story_settle(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->snapshot.index,
                     story_raft(world, 1)->snapshot.index);
    (void)story_propose(world, 1);
    story_settle(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->applied, story_raft(world, 1)->applied);
    story_crash(world, 3);
    story_restart(world, 3);
    assert_int_equal(story_raft(world, 3)->log.last, story_raft(world, 1)->log.last);
    raft_bed_expect_well();
}

/* Nothing of a snapshot is acknowledged before it is durable. */
static void install__under_way__is_not_acknowledged(void **state)
{
    (void)state;
    begin_with_a_lagging_member();
    send_all_chunks();
    story_timeout(world, 1);
    (void)story_deliver(world, 1, 3);
    const struct raft_message *reply = story_waiting(world, 3, 1, RAFT_APPEND_REPLY);
    assert_non_null(reply);
    assert_true(reply->append_reply.match < story_raft(world, 1)->snapshot.index);
    (void)story_deliver(world, 3, 1);
    assert_true(story_raft(world, 1)->progress[2].match < story_raft(world, 1)->snapshot.index);
    (void)story_jobs(world, 3);
    (void)story_jobs(world, 3);
    reply = story_waiting(world, 3, 1, RAFT_APPEND_REPLY);
    assert_int_equal(reply->append_reply.match, story_raft(world, 1)->snapshot.index);
    raft_bed_expect_well();
}

/* The install races an election: meanwhile n3 stands for nothing, and cuts nothing. */
static void install__under_way__no_campaign_and_no_change_of_the_log(void **state)
{
    (void)state;
    begin_with_a_lagging_member();
    send_all_chunks();
    raft_index last = story_raft(world, 3)->log.last;
    for (int i = 0; i < 5; i++) {
        story_timeout(world, 3);
    }
    assert_int_equal(story_raft(world, 3)->role, RAFT_FOLLOWER);
    struct raft_message now = {
        .type = RAFT_TIMEOUT_NOW, .from = 1, .to = 3, .term = story_raft(world, 3)->term};
    story_receive(world, 3, &now);
    assert_int_equal(story_raft(world, 3)->role, RAFT_FOLLOWER);
    (void)story_lose(world, 0, 0);
    story_crash(world, 1);
    story_pass(world, 1000);
    story_timeout(world, 2);
    for (int i = 0; i < 6; i++) {
        (void)story_deliver(world, 0, 0);
        story_sync(world, 2);
        story_sync(world, 3);
    }
    assert_int_equal(story_raft(world, 2)->role, RAFT_LEADER); /* with n3's vote */
    assert_int_equal(story_raft(world, 3)->log.last, last);
    /* n1's snapshot is committed state: it is kept, and not acknowledged to n2 */
    (void)story_lose(world, 0, 0);
    (void)story_jobs(world, 3);
    (void)story_jobs(world, 3);
    assert_int_equal(story_raft(world, 3)->applied, story_raft(world, 3)->snapshot.index);
    assert_int_equal(story_raft(world, 3)->verified, 0);
    assert_null(story_waiting(world, 3, 2, RAFT_APPEND_REPLY));
    story_timeout(world, 2);
    story_settle(world);
    story_timeout(world, 2);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->applied, story_raft(world, 2)->applied);
    raft_bed_expect_well();
}

static void chunks__after_a_loss__go_on_where_they_were(void **state)
{
    uint64_t offset = 0;
    (void)state;
    begin_with_a_lagging_member();
    for (int i = 0; i < 100 && offset < 64; i++) {
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        (void)story_jobs(world, 3);
        (void)story_deliver(world, 3, 1);
        (void)story_jobs(world, 1);
        offset = story_raft(world, 3)->receipt.offset;
    }
    (void)story_lose(world, 0, 0);
    for (int i = 0; i < 3; i++) {
        story_timeout(world, 1);
        (void)story_jobs(world, 1);
    }
    const struct raft_message *chunk = story_waiting(world, 1, 3, RAFT_SNAPSHOT);
    assert_non_null(chunk);
    assert_true(chunk->snapshot.offset > 0);
    story_settle(world);
    assert_true(story_raft(world, 3)->snapshot.index > 0);
    raft_bed_expect_well();
}

static void receipt__of_an_old_term__is_abandoned(void **state)
{
    (void)state;
    begin_with_a_lagging_member();
    for (int i = 0; i < 100 && story_raft(world, 3)->receipt.offset == 0; i++) {
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        (void)story_jobs(world, 3);
        (void)story_deliver(world, 3, 1);
        (void)story_jobs(world, 1);
    }
    assert_true(story_raft(world, 3)->receipt.is_active);
    struct raft_message higher = {
        .type = RAFT_APPEND, .from = 2, .to = 3, .term = story_raft(world, 1)->term + 1};
    story_receive(world, 3, &higher);
    assert_false(story_raft(world, 3)->receipt.is_active);
    raft_bed_expect_well();
}

/* A member that campaigns does not install what a leader of before was sending. */
static void receipt__when_it_campaigns__is_abandoned(void **state)
{
    (void)state;
    begin_with_a_lagging_member();
    for (int i = 0; i < 100 && !story_raft(world, 3)->receipt.is_last; i++) {
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        if (!story_raft(world, 3)->receipt.is_last) {
            (void)story_jobs(world, 3);
        }
        (void)story_deliver(world, 3, 1);
        (void)story_jobs(world, 1);
    }
    assert_true(story_raft(world, 3)->receipt.is_writing); /* the last chunk */
    story_timeout(world, 3);
    assert_int_equal(story_raft(world, 3)->role, RAFT_PRE_CANDIDATE);
    (void)story_jobs(world, 3);
    assert_false(story_raft(world, 3)->receipt.is_installing);
    story_settle(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->snapshot.index,
                     story_raft(world, 1)->snapshot.index);
    raft_bed_expect_well();
}

/* Found by the simulation: appends that were late bring the log past the snapshot while its
 * last chunk is being written. It is not installed over what is committed by then. */
static void receipt__log_reached_the_snapshot_meanwhile__is_dropped(void **state)
{
    (void)state;
    begin_with_a_lagging_member();
    for (int i = 0; i < 100 && !story_raft(world, 3)->receipt.is_last; i++) {
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        if (!story_raft(world, 3)->receipt.is_last) {
            (void)story_jobs(world, 3);
        }
        (void)story_deliver(world, 3, 1);
        (void)story_jobs(world, 1);
    }
    raft_index index = story_raft(world, 1)->snapshot.index;
    for (raft_index i = story_raft(world, 3)->log.last + 1; i <= index; i++) {
        struct raft_entry entry = world->commits[i]->entry;
        struct raft_message append = {
            .type = RAFT_APPEND,
            .from = 1,
            .to = 3,
            .term = story_raft(world, 1)->term,
            .append = {.prev_index = i - 1,
                       .prev_term = i == 1 ? 0 : world->commits[i - 1]->entry.term,
                       .commit = index,
                       .entries = &entry,
                       .count = 1},
        };
        story_receive(world, 3, &append);
    }
    assert_int_equal(story_raft(world, 3)->commit, index);
    (void)story_jobs(world, 3);
    assert_false(story_raft(world, 3)->receipt.is_active);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->snapshot.index, 0);
    raft_bed_expect_well();
}

/* ---- restarts */

static struct raft member;

static void begin_member(raft_index index, raft_term term)
{
    struct raft_options options = story_options();
    struct raft_snapshot snapshot = {.index = index, .term = term};
    options.id = 1;
    for (uint32_t i = 0; i < 3; i++) {
        snapshot.configuration.members[i] = (struct raft_member){i + 1, true};
    }
    snapshot.configuration.count = 3;
    raft_init(&member, &options, &snapshot);
}

static int restore_entry(raft_index index, raft_term term)
{
    struct raft_entry entry = {
        .term = term,
        .kind = RAFT_ENTRY_DATA,
        .payload = SLICE_LITERAL("x"),
    };
    struct raft_persist record = {
        .kind = RAFT_PERSIST_ENTRIES,
        .index = index,
        .entries = &entry,
        .count = 1,
    };
    return raft_restore(&member, &record);
}

static int restore(enum raft_persist_kind kind, raft_index index, raft_term term)
{
    struct raft_persist record = {.kind = kind, .index = index, .term = term};
    return raft_restore(&member, &record);
}

/* Power failed after a snapshot at 5 was installed and before the log heard of it: what the log
 * holds behind it contradicts it. The first thing written says so. */
static void restart__snapshot_ahead_of_the_log__voids_leftovers(void **state)
{
    struct raft_effects *effects = &world->effects;
    (void)state;
    begin_member(5, 3);
    for (raft_index i = 1; i <= 8; i++) {
        assert_int_equal(restore_entry(i, 2), OK);
    }
    raft_start(&member, 1000);
    assert_int_equal(member.log.last, 5);
    struct raft_event tick = {.kind = RAFT_TICK};
    raft_step(&member, &tick, 1000, effects);
    assert_int_equal(effects->persist_count, 2);
    assert_int_equal(effects->persists[0].kind, RAFT_PERSIST_TRUNCATE);
    assert_int_equal(effects->persists[0].index, 6);
    assert_int_equal(effects->persists[1].kind, RAFT_PERSIST_MARK);
    raft_fini(&member);

    begin_member(5, 2); /* the very entry: what follows it stays */
    for (raft_index i = 1; i <= 8; i++) {
        assert_int_equal(restore_entry(i, 2), OK);
    }
    raft_start(&member, 1000);
    assert_int_equal(member.log.last, 8);
    raft_fini(&member);
}

/* Found by the simulation: the first record that was not recycled may be an entry that was cut
 * off, and what voids it lies behind. */
static void restart__log_begins_with_a_leftover__takes_what_follows_the_snapshot(void **state)
{
    (void)state;
    begin_member(5, 3);
    assert_int_equal(restore_entry(6, 2), OK);
    assert_int_equal(restore(RAFT_PERSIST_TRUNCATE, 4, 0), OK);
    assert_int_equal(restore_entry(4, 3), OK);
    assert_int_equal(restore_entry(5, 3), OK);
    assert_int_equal(restore_entry(6, 3), OK);
    assert_int_equal(restore(RAFT_PERSIST_MARK, 5, 3), OK);
    raft_start(&member, 1000);
    assert_int_equal(member.log.last, 6);
    assert_int_equal(raft_log_term(&member.log, 6), 3);
    assert_false(member.is_repair_due);
    raft_fini(&member);
}

/* And so the log must not be recycled before the mark is on disk. */
static void release__before_the_mark_is_durable__is_not_asked(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    for (int i = 0; i < 5; i++) {
        (void)story_propose(world, 1);
        story_settle(world);
    }
    world_snapshot_take(world, 0);
    (void)story_jobs(world, 1);
    (void)story_jobs(world, 1);
    assert_true(story_raft(world, 1)->snapshot.index > 0);
    assert_int_equal(world->node[0].released, 0);
    story_sync(world, 1);
    assert_int_equal(world->node[0].released, story_raft(world, 1)->snapshot.index);
    raft_bed_expect_well();
}

static void restart__records_that_do_not_follow__are_damage(void **state)
{
    (void)state;
    begin_member(0, 0);
    assert_int_equal(restore_entry(1, TERM), OK);
    assert_int_equal(restore_entry(3, TERM), ERR_DAMAGED);
    raft_fini(&member);
    begin_member(5, 2);
    assert_int_equal(restore_entry(7, 2), ERR_DAMAGED);
    raft_fini(&member);
    begin_member(5, 2);
    assert_int_equal(restore(RAFT_PERSIST_MARK, 6, 2), ERR_DAMAGED);
    raft_fini(&member);
    begin_member(0, 0);
    assert_int_equal(restore_entry(1, 4), OK);
    assert_int_equal(restore_entry(2, 3), ERR_DAMAGED);
    raft_fini(&member);
}

/* The folder of the single-node engine: term 1, a vote for itself, entries, no configuration.
 */
static void restart__on_the_single_nodes_folder__goes_on_from_it(void **state)
{
    struct raft_effects *effects = &world->effects;
    struct raft_options options = story_options();
    struct raft_snapshot nothing = {
        .configuration = {.count = 1, .members = {{1, true}}}
    };
    (void)state;
    options.id = 1;
    raft_init(&member, &options, &nothing);
    struct raft_persist hard = {.kind = RAFT_PERSIST_HARD, .term = TERM, .vote = 1};
    assert_int_equal(raft_restore(&member, &hard), OK);
    for (raft_index i = 1; i <= 200; i++) {
        assert_int_equal(restore_entry(i, TERM), OK);
    }
    raft_start(&member, 1000);
    struct raft_event event = {.kind = RAFT_TICK};
    raft_step(&member, &event, 1000, effects);
    assert_int_equal(effects->persists[0].kind, RAFT_PERSIST_HARD);
    assert_int_equal(effects->persists[0].term, TERM + 1);
    event = (struct raft_event){.kind = RAFT_STORED, .sequence = effects->persists[0].sequence};
    raft_step(&member, &event, 1001, effects);
    assert_int_equal(member.role, RAFT_LEADER);
    event.sequence = effects->persists[0].sequence;
    raft_step(&member, &event, 1002, effects);
    assert_int_equal(member.commit, 201);
    /* the oldest entries are not in memory: they are asked for */
    assert_int_equal(effects->requests[0].kind, RAFT_READ_ENTRIES);
    assert_int_equal(effects->requests[0].index, 1);
    assert_int_equal(effects->send_count, 0);
    raft_fini(&member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follower__far_behind__installs_and_goes_on),
        cmocka_unit_test(install__under_way__is_not_acknowledged),
        cmocka_unit_test(install__under_way__no_campaign_and_no_change_of_the_log),
        cmocka_unit_test(chunks__after_a_loss__go_on_where_they_were),
        cmocka_unit_test(receipt__of_an_old_term__is_abandoned),
        cmocka_unit_test(receipt__when_it_campaigns__is_abandoned),
        cmocka_unit_test(receipt__log_reached_the_snapshot_meanwhile__is_dropped),
        cmocka_unit_test(restart__snapshot_ahead_of_the_log__voids_leftovers),
        cmocka_unit_test(restart__log_begins_with_a_leftover__takes_what_follows_the_snapshot),
        cmocka_unit_test(release__before_the_mark_is_durable__is_not_asked),
        cmocka_unit_test(restart__records_that_do_not_follow__are_damage),
        cmocka_unit_test(restart__on_the_single_nodes_folder__goes_on_from_it),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
