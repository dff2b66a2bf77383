/* Replication: backing up, flow control, memory and disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/raft_bed.h"

/* n3 holds a hundred entries of terms that came to nothing; n1 as many of its own. They meet
 * after a round trip a term, without waiting for a heartbeat. */
static void append__long_divergence__heals_without_heartbeats(void **state)
{
    (void)state;
    struct raft_options options = story_options();
    options.append_entries_max = 8;
    options.tail_entries_max = 256;
    options.uncommitted_max = 200;
    world_begin_scripted(world, &options, 3);
    story_elect(world, 3);
    story_cut(world, 3);
    for (int i = 0; i < 100; i++) {
        assert_true(story_propose(world, 3) > 0);
    }
    story_sync(world, 3);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t leader = 1 + i % 2;
        if (i == 0) {
            story_elect(world, leader);
        } else {
            (void)story_transfer(world, 3 - leader, leader);
            story_settle(world);
        }
        for (int entry = 0; entry < 40; entry++) {
            assert_true(story_propose(world, leader) > 0);
            story_settle(world);
        }
    }
    assert_true(story_raft(world, 3)->log.last > 90);
    story_mend(world);
    story_timeout(world, 1); /* one heartbeat; from here on time stands still */
    uint32_t rejections = 0;
    for (int i = 0; i < 1000 && story_raft(world, 3)->applied < story_raft(world, 1)->commit;
         i++) {
        const struct raft_message *reply = story_waiting(world, 3, 1, RAFT_APPEND_REPLY);
        rejections += reply != NULL && reply->append_reply.is_rejected;
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        (void)story_jobs(world, 3);
        (void)story_jobs(world, 1);
        (void)story_deliver(world, 3, 1);
        if (story_raft(world, 3)->log.last == story_raft(world, 1)->log.last) {
            break;
        }
    }
    assert_int_equal(story_raft(world, 3)->log.last, story_raft(world, 1)->log.last);
    assert_true(rejections < 12);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->applied, story_raft(world, 1)->commit);
    raft_bed_expect_well();
}

static void pipeline__unanswered__stops_at_its_bound(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    for (int i = 0; i < 10; i++) {
        assert_true(story_propose(world, 1) > 0);
    }
    assert_int_equal(story_deliver(world, 1, 2), 4); /* one entry each, at most four */
    assert_int_equal(story_deliver(world, 1, 2), 0);
    story_sync(world, 2);
    assert_true(story_deliver(world, 2, 1) > 0);
    assert_int_equal(story_deliver(world, 1, 2), 4);
    story_settle(world);
    assert_int_equal(story_raft(world, 2)->log.durable, story_raft(world, 1)->log.last);
    raft_bed_expect_well();
}

/* An append that was overtaken by the next ones arrives again: nothing is cut. */
static void append__overtaken__does_not_cut_what_came_after(void **state)
{
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    (void)story_propose(world, 1);
    struct raft_message first = *story_waiting(world, 1, 2, RAFT_APPEND);
    struct raft_entry entry = first.append.entries[0];
    first.append.entries = &entry;
    raft_index last = 0;
    for (int i = 0; i < 3; i++) {
        last = story_propose(world, 1);
    }
    story_settle(world);
    story_receive(world, 2, &first);
    assert_int_equal(story_raft(world, 2)->log.last, last);
    assert_int_equal(world->effects.persist_count, 0);
    raft_bed_expect_well();
}

/* Found by the simulation: a follower whose disk is slower than the network has no room. It and
 * its leader must not exchange refusals without end; when there is room it goes on at once. */
static void follower__without_room__is_not_flooded_and_goes_on_by_itself(void **state)
{
    (void)state;
    struct raft_options options = story_options();
    options.tail_entries_max = 8;
    options.append_entries_max = 4;
    world_begin_scripted(world, &options, 3);
    story_elect(world, 1);
    for (int i = 0; i < 40; i++) {
        (void)world_propose(world, 0, 4);
        story_sync(world, 1);
        (void)story_deliver(world, 1, 3);
        story_sync(world, 3);
        (void)story_deliver(world, 3, 1);
        (void)story_jobs(world, 1);
    }
    uint32_t exchanged = 0;
    for (int i = 0; i < 200; i++) {
        exchanged += story_deliver(world, 1, 2);
        exchanged += story_deliver(world, 2, 1);
        (void)story_jobs(world, 1);
    }
    assert_true(story_raft(world, 2)->is_full);
    assert_true(exchanged < 60);
    /* only its disk moves now: no heartbeat is needed */
    for (int i = 0; i < 200; i++) {
        story_sync(world, 2);
        (void)story_deliver(world, 2, 1);
        (void)story_jobs(world, 1);
        (void)story_deliver(world, 1, 2);
    }
    story_settle(world);
    assert_int_equal(story_raft(world, 2)->log.durable, story_raft(world, 1)->log.last);
    raft_bed_expect_well();
}

/* Found by the simulation: the disk still holds entries that memory has cut off. What is read
 * back for applying must not reach into them. */
static void
apply__disk_holds_entries_that_were_cut_off__reads_only_what_left_memory(void **state)
{
    enum { LAST = 40, CUT = 31 };
    struct raft_effects *effects = &world->effects;
    struct raft_options options = story_options();
    struct raft_snapshot nothing = {
        .configuration = {.count = 2, .members = {{1, true}, {2, true}}}
    };
    struct raft_entry entry = {.term = 1, .kind = RAFT_ENTRY_DATA};
    struct raft member;
    (void)state;
    options.id = 1;
    options.tail_entries_max = 16;
    options.read_entries_max = 64;
    raft_init(&member, &options, &nothing);
    for (raft_index i = 1; i <= LAST; i++) {
        struct raft_persist record = {
            .kind = RAFT_PERSIST_ENTRIES,
            .index = i,
            .entries = &entry,
            .count = 1,
        };
        assert_int_equal(raft_restore(&member, &record), OK);
    }
    raft_start(&member, 1000);
    entry.term = 2;
    struct raft_message append = {
        .type = RAFT_APPEND,
        .from = 2,
        .to = 1,
        .term = 2,
        .append = {.prev_index = CUT - 1,
                   .prev_term = 1,
                   .commit = CUT,
                   .entries = &entry,
                   .count = 1},
    };
    struct raft_event event = {.kind = RAFT_RECEIVED, .message = &append};
    raft_step(&member, &event, 1001, effects);
    assert_int_equal(member.commit, CUT);
    assert_int_equal(effects->persists[1].kind, RAFT_PERSIST_TRUNCATE);
    assert_int_equal(effects->requests[0].kind, RAFT_READ_ENTRIES);
    assert_int_equal(effects->requests[0].index, 1);
    assert_int_equal(effects->requests[0].count, CUT - 1);
    raft_fini(&member);
}

/* What is far behind is read from the log, one read at a time. */
static void follower__far_behind__is_fed_from_the_log(void **state)
{
    (void)state;
    struct raft_options options = story_options();
    options.tail_entries_max = 8;
    options.append_entries_max = 4;
    options.uncommitted_max = 100;
    world_begin_scripted(world, &options, 3);
    story_elect(world, 1);
    story_cut(world, 3);
    for (int i = 0; i < 50; i++) {
        assert_true(story_propose(world, 1) > 0);
        story_settle(world);
    }
    assert_true(story_raft(world, 1)->log.tail_first > 40);
    story_mend(world);
    story_timeout(world, 1);
    story_settle(world);
    story_timeout(world, 1);
    story_settle(world);
    assert_int_equal(story_raft(world, 3)->applied, story_raft(world, 1)->commit);
    raft_bed_expect_well();
}

/* Each change of term is remembered until a snapshot covers it; when there are many, one is
 * asked for. */
static void terms__many_since_the_snapshot__ask_for_another(void **state)
{
    (void)state;
    struct raft_options options = story_options();
    options.runs_max = 8;
    world_begin_scripted(world, &options, 3);
    story_elect(world, 1);
    for (uint32_t i = 0; i < 30; i++) {
        uint32_t leader = 1 + i % 2;
        (void)story_transfer(world, leader, 3 - leader);
        story_settle(world);
        assert_int_equal(story_raft(world, 3 - leader)->role, RAFT_LEADER);
        assert_true(story_raft(world, 3 - leader)->log.run_count <= 8);
    }
    assert_true(story_raft(world, 1)->snapshot.index > 20);
    assert_true(story_raft(world, 3)->snapshot.index > 20);
    raft_bed_expect_well();
}

static void propose__too_much__is_refused_and_nothing_is_written(void **state)
{
    static uint8_t bytes[4096];
    (void)state;
    struct raft_options options = story_options();
    options.uncommitted_max = 3;
    world_begin_scripted(world, &options, 3);
    story_elect(world, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(story_propose(world, 1) > 0);
    }
    assert_int_equal(story_propose(world, 1), 0);
    assert_int_equal(world->effects.replies[0].outcome, RAFT_BUSY);
    assert_int_equal(world->effects.persist_count, 0);
    assert_int_equal(story_propose(world, 2), 0);
    assert_int_equal(world->effects.replies[0].outcome, RAFT_NOT_LEADER);
    assert_int_equal(world->effects.replies[0].leader, 1);
    struct slice payload = slice_from(bytes, sizeof bytes);
    struct raft_event event = {.kind = RAFT_PROPOSED, .payloads = &payload, .count = 1};
    world_step(world, 0, &event);
    assert_int_equal(world->effects.replies[0].outcome, RAFT_INVALID);
    raft_bed_expect_well();
}

/* What a peer sends is never trusted to make sense. */
static void messages__that_make_no_sense__change_nothing(void **state)
{
    struct raft_entry falling[] = {
        {.term = 3, .kind = RAFT_ENTRY_DATA},
        {.term = 2, .kind = RAFT_ENTRY_DATA}
    };
    struct raft_snapshot nothing = {0};
    (void)state;
    raft_bed_begin(3);
    story_elect(world, 1);
    raft_index last = story_raft(world, 2)->log.last;
    struct raft_message bad[] = {
        {.type = 0,                   .from = 1,     .to = 2,                                           .term = 1                                                                               },
        {.type = RAFT_MESSAGE_NR,     .from = 1,     .to = 2,                                           .term = 1                                                                               },
        {.type = RAFT_APPEND,         .from = 1,     .to = 3,                                           .term = 1                                                                               },
        {.type = RAFT_APPEND,         .from = 2,     .to = 2,                                           .term = 1                                                                               },
        {.type = RAFT_APPEND,         .from = 0,     .to = 2,                                           .term = 1                                                                               },
        {.type = RAFT_APPEND,         .from = 1,     .to = 2,                                           .term = 0                                                                               },
        {.type = RAFT_APPEND,         .from = 1,     .to = 2,                                           .term = 1,                                                                                .append = {.prev_index = 5}},
        {.type = RAFT_APPEND,                           .from = 1,                      .to = 2,                                    .term = 1,                                                                                                .append = {.prev_term = 5}},
        {.type = RAFT_APPEND,
         .from = 1,
         .to = 2,
         .term = 3,
         .append = {.entries = falling, .count = 2}},
        {.type = RAFT_SNAPSHOT,                   .from = 1, .to = 2,                                                  .term = 3,                                                                                                                      .snapshot = {.snapshot = &nothing}},
        {.type = RAFT_APPEND_REPLY,                    .from = 3,                        .to = 2,.term = 3},
        {.type = RAFT_SNAPSHOT_REPLY,.from = 9,.to = 2,                        .term = 3                                                                                                                                              },
        {.type = RAFT_VOTE_REPLY,                    .from = 9,                                             .to = 2,                                                              .term = 3,        .vote_reply = {false, true}},
        {.type = RAFT_TIMEOUT_NOW,.from = 3,.to = 2,.term = 3},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        story_receive(world, 2, &bad[i]);
        assert_int_equal(story_raft(world, 2)->log.last, last);
        assert_int_equal(story_raft(world, 2)->role, RAFT_FOLLOWER);
    }
    raft_term term = story_raft(world, 1)->term;
    raft_index commit = story_raft(world, 1)->commit;
    struct raft_message lies = {
        .type = RAFT_APPEND_REPLY,
        .from = 2,
        .to = 1,
        .term = term,
        .append_reply = {.match = 1000, .seen = 1000},
    };
    story_receive(world, 1, &lies);
    lies.append_reply = (struct raft_append_reply){.round = 1000};
    story_receive(world, 1, &lies);
    assert_int_equal(story_raft(world, 1)->commit, commit);
    raft_bed_expect_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__long_divergence__heals_without_heartbeats),
        cmocka_unit_test(pipeline__unanswered__stops_at_its_bound),
        cmocka_unit_test(append__overtaken__does_not_cut_what_came_after),
        cmocka_unit_test(follower__without_room__is_not_flooded_and_goes_on_by_itself),
        cmocka_unit_test(
            apply__disk_holds_entries_that_were_cut_off__reads_only_what_left_memory),
        cmocka_unit_test(follower__far_behind__is_fed_from_the_log),
        cmocka_unit_test(terms__many_since_the_snapshot__ask_for_another),
        cmocka_unit_test(propose__too_much__is_refused_and_nothing_is_written),
        cmocka_unit_test(messages__that_make_no_sense__change_nothing),
    };
    return cmocka_run_group_tests(tests, raft_bed_open, raft_bed_close);
}
