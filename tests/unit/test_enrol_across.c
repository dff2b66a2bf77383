/* One shard, and what others say to it: also what nobody should say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "tests/lib/across_bed.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"

/* ---- a hold's life */

static void reserve__again_and_late__holds_once(void **state)
{
    struct across_bed bed;
    struct buf message;
    struct buf first;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    buf_init(&first, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    assert_int_equal(buf_append_slice(&first, buf_slice(&bed.sent)), OK);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    assert_true(slice_is_equal(buf_slice(&first), buf_slice(&bed.sent)));
    across_bed_message(&message, ACROSS_SETTLE, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 0);
    assert_int_equal(bed.enrol->campus.registration_count, 1);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 0);
    across_bed_assert_whole(&bed);
    buf_fini(&message);
    buf_fini(&first);
    across_bed_fini(&bed);
}

static void settle__of_another_attempt__does_nothing_and_is_acknowledged(void **state)
{
    struct across_bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    across_bed_message(&message, ACROSS_SETTLE, 0, 4);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    assert_int_equal(bed.enrol->campus.registration_count, 0);
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    across_take_head(&in, &head);
    assert_int_equal(head.kind, ACROSS_SETTLED);
    assert_int_equal(head.id.counter, 4);
    buf_fini(&message);
    across_bed_fini(&bed);
}

static void todo_put(struct across_bed *bed, uint64_t counter)
{
    uint32_t student = campus_student_find(&bed->enrol->campus,
                                           slice_from_text(across_bed_student(bed->shard)));

    (void)enrol__todo_add(&bed->enrol->across, &(struct enrol_todo){
                                                   .id = {bed->shard, 1, counter},
                                                   .student = student,
                                                   .shard = 1,
                                                   .verdict = ACROSS_CONFIRM
    });
}

/* An item of the student of shard 0 for shard 1, which acknowledges it. */
static void acknowledge(struct across_bed *bed, uint64_t counter)
{
    struct buf message;

    todo_put(bed, counter);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_message(&message, ACROSS_SETTLED, bed->shard, counter);
    assert_true(across_bed_receive(bed, 1, buf_slice(&message)));
    buf_fini(&message);
}

/* Nobody waits for it, so many acknowledged items leave the list by one entry. */
static void settled__of_several__leave_the_list_together(void **state)
{
    struct across_bed bed;
    (void)state;

    across_bed_init(&bed, 0);
    acknowledge(&bed, 1);
    acknowledge(&bed, 2);
    acknowledge(&bed, 3);
    assert_int_equal(bed.proposed, 0);
    assert_int_equal(bed.enrol->across.todo_count, 3);
    bed.now_ms += ACROSS_TICK_MS;
    across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
    across_bed_perform(&bed);
    assert_int_equal(bed.proposed, 1);
    assert_int_equal(bed.enrol->across.todo_count, 0);
    for (uint64_t counter = 4; bed.enrol->across.todo_count > 0 || counter == 4; counter++) {
        assert_int_equal(bed.proposed, 1);
        acknowledge(&bed, counter);
    }
    assert_int_equal(bed.proposed, 2); /* so many do not wait for the tick */
    across_bed_assert_whole(&bed);
    across_bed_fini(&bed);
}

/* A decision of the home 0, behind what is there. */
static void add_settle(struct buf *out, uint64_t counter, uint64_t verdict)
{
    struct across_head head = across_bed_head(ACROSS_SETTLE, 0, counter);

    across_put_head(out, &head);
    across_put_number(out, verdict);
}

static void settle__of_several__is_one_entry_and_acknowledges_each(void **state)
{
    struct across_bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    buf_clear(&message);
    add_settle(&message, 4, ACROSS_RELEASE);
    add_settle(&message, 5, ACROSS_CONFIRM);
    bed.proposed = 0;
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, 1);
    assert_int_equal(bed.enrol->across.hold_count, 0);
    assert_int_equal(bed.enrol->campus.registration_count, 1);
    assert_int_equal(bed.enrol->reserved, 0);
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    for (uint64_t counter = 4; counter <= 5; counter++) {
        across_take_head(&in, &head);
        assert_int_equal(head.kind, ACROSS_SETTLED);
        assert_int_equal(head.id.counter, counter);
    }
    assert_true(unpack_is_done(&in));
    across_bed_assert_whole(&bed);
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* All or none of a message are taken. */
static void settle__of_several__one_unsound__none_is_taken(void **state)
{
    struct across_bed bed;
    struct buf message;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    bed.proposed = 0;
    for (uint64_t unsound = 0; unsound < 3; unsound++) {
        buf_clear(&message);
        add_settle(&message, 5, ACROSS_CONFIRM);
        if (unsound == 0) {
            add_settle(&message, 6, 0);
        } else if (unsound == 1) { /* of another home than it says */
            struct across_head head = across_bed_head(ACROSS_SETTLE, 0, 6);

            head.token = slice_from_text(across_bed_student(1));
            across_put_head(&message, &head);
            across_put_number(&message, ACROSS_CONFIRM);
        } else {
            add_settle(&message, 6, ACROSS_CONFIRM);
            message.len--;
        }
        (void)across_bed_receive(&bed, 0, buf_slice(&message));
        assert_int_equal(bed.proposed, 0);
    }
    assert_int_equal(bed.enrol->across.hold_count, 1);
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* Nobody waits for a hold to end, until somebody does. */
static void decisions__are_told_together__at_the_tick_or_when_asked(void **state)
{
    struct across_bed bed;
    struct buf message;
    (void)state;

    for (int is_asked = 0; is_asked < 2; is_asked++) {
        across_bed_init(&bed, 0);
        buf_init(&message, ACROSS_BED_BYTES);
        todo_put(&bed, 1);
        todo_put(&bed, 2);
        buf_clear(&bed.sent);
        if (is_asked == 1) {
            across_bed_message(&message, ACROSS_ASK, 0, 2);
            assert_true(across_bed_receive(&bed, 1, buf_slice(&message)));
        } else {
            bed.now_ms += ACROSS_TICK_MS;
            across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
            across_bed_perform(&bed);
        }
        assert_int_equal(across_settle_count(buf_slice(&bed.sent)), 2);
        buf_fini(&message);
        across_bed_fini(&bed);
    }
}

/* A seat is free when the decision that drops it is told: at once. */
static void decision__that_drops_elsewhere__is_told_at_once(void **state)
{
    struct across_bed home;
    struct across_bed elsewhere;
    (void)state;

    for (uint32_t kind = CARILLON__OP_KIND__OP_ADD; kind <= CARILLON__OP_KIND__OP_DROP;
         kind++) {
        across_bed_init(&home, 0);
        across_bed_init(&elsewhere, 1);
        across_bed_submit(&home, kind, across_bed_course(1), 1);
        assert_true(across_bed_receive(&elsewhere, 0, buf_slice(&home.sent)));
        buf_clear(&home.sent);
        assert_true(across_bed_receive(&home, 1, buf_slice(&elsewhere.sent)));
        assert_int_equal(home.enrol->across.todo_count, 1);
        assert_int_equal(across_settle_count(buf_slice(&home.sent)),
                         kind == CARILLON__OP_KIND__OP_DROP);
        across_bed_fini(&elsewhere);
        across_bed_fini(&home);
    }
}

static void reserve__newer_attempt__takes_over_the_hold(void **state)
{
    struct across_bed bed;
    struct buf message;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    across_bed_reserve(&message, 0, 6);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    across_bed_message(&message, ACROSS_SETTLE, 0, 5); /* what was taken over is over */
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->campus.registration_count, 0);
    across_bed_assert_whole(&bed);
    buf_fini(&message);
    across_bed_fini(&bed);
}

static void hold__without_news__asks_and_stays(void **state)
{
    struct across_bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    for (uint32_t i = 0; i < 1000; i++) {
        bed.now_ms += ACROSS_TICK_MS;
        across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
        across_bed_perform(&bed);
    }
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    across_take_head(&in, &head);
    assert_int_equal(head.kind, ACROSS_ASK);
    assert_int_equal(bed.enrol->across.hold_count, 1);
    buf_fini(&message);
    across_bed_fini(&bed);
}

static bool is_roster_read(const struct across_bed *bed)
{
    for (size_t i = 0; i < across_effect_count(bed->across); i++) {
        if (across_effect_at(bed->across, i).kind == ACROSS_ROSTER) {
            return true;
        }
    }
    return false;
}

/* What was under way when it was asked before may be decided by now. */
static void roster__answer_to_an_earlier_question__waits_on(void **state)
{
    struct across_bed bed;
    struct buf message;
    struct campus_name name = {.code = slice_from_text(across_bed_course(1)),
                               .section = SLICE_LITERAL("A")};
    uint32_t section;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    bed.now_ms += ACROSS_ASK_MS;
    across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
    bed.now_ms += ACROSS_ASK_MS;
    across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms); /* question 1 */
    assert_int_equal(campus_resolve_section(&bed.enrol->campus, &name, &section), OK);
    assert_int_equal(across_roster(bed.across, bed.now_ms, bed.now_ms + 5000, section, 9), OK);
    assert_false(is_roster_read(&bed));
    for (uint64_t number = 1; number <= 2; number++) {
        struct across_head head = across_bed_head(ACROSS_PENDING, 0, 5);

        buf_clear(&message);
        across_put_head(&message, &head);
        across_put_asked(&message, 1, number);
        bed.now_ms++;
        assert_true(across_receive(bed.across, bed.now_ms, 0, buf_slice(&message)));
        assert_int_equal(is_roster_read(&bed), number == 2);
    }
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* Permits come with each attempt and count for that one: nothing of them stays here. */
static void reserve__with_permits__many_times__keeps_none(void **state)
{
    static struct across_reserve reserve;
    struct across_bed bed;
    struct buf message;
    uint32_t sections = 0;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    for (uint32_t i = 1; i <= SHARDS_COURSES; i++) {
        const char *course = shards_course_name(i - 1);
        struct across_head head = across_bed_head(ACROSS_RESERVE, 0, i);

        if (campus_shard_of(slice_from_text(course), ACROSS_BED_SHARDS) != 1) {
            continue;
        }
        sections++;
        reserve = (struct across_reserve){
            .left_ms = 5000,
            .is_whole = true,
            .institution = SLICE_LITERAL("x"),
            .permit_count = 1,
            .permits = {{{SLICE_LITERAL("x"), slice_from_text(course), SLICE_LITERAL("A"),
                          SLICE_LITERAL("t")},
                         7}},
            .op_count = 1,
            .ops = {{.kind = CARILLON__OP_KIND__OP_ADD,
                     .name = {.code = slice_from_text(course)}}},
        };
        buf_clear(&message);
        across_put_head(&message, &head);
        across_put_reserve(&message, &reserve);
        assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    }
    uint32_t student =
        campus_student_find(&bed.enrol->campus, slice_from_text(across_bed_student(0)));
    const struct campus_extra *extra = campus_student(&bed.enrol->campus, student)->extra;
    uint32_t slot = enrol__hold_find(&bed.enrol->across, student);

    assert_true(sections > 1);
    assert_true(extra == NULL || extra->permit_count == 0);
    assert_int_not_equal(slot, CAMPUS_NONE); /* whatever the rules say: he may */
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* ---- checks */

/* Asked once more, or late, it is answered once more: there is nothing to be remembered. */
static void check__is_answered_after_a_read_point_and_changes_nothing(void **state)
{
    struct across_bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_asking(&message, ACROSS_CHECK, 0, 5);
    uint64_t hash = enrol_hash(bed.enrol);

    for (uint32_t i = 0; i < 2; i++) {
        buf_clear(&bed.sent);
        assert_true(across_receive(bed.across, bed.now_ms, 0, buf_slice(&message)));
        assert_int_equal(across_effect_count(bed.across), 1);
        struct across_effect read = across_effect_at(bed.across, 0);

        assert_int_equal(read.kind, ACROSS_READ);
        assert_int_equal(bed.sent.len, 0);
        across_read_done(bed.across, bed.now_ms, read.token);
        across_bed_perform(&bed);
        struct unpack in = unpack_from(buf_slice(&bed.sent));
        across_take_head(&in, &head);
        assert_int_equal(head.kind, ACROSS_CHECKED);
    }
    assert_int_equal(bed.proposed, 0);
    assert_int_equal(enrol_hash(bed.enrol), hash);
    assert_int_equal(
        campus_student_find(&bed.enrol->campus, slice_from_text(across_bed_student(0))),
        CAMPUS_NONE); /* not even that there is such a student */
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* Who has heard of fewer facts than the asking home would tell it what is no longer so. */
static void check__behind_the_home__is_not_answered(void **state)
{
    static struct across_reserve reserve;
    struct across_bed bed;
    struct buf message;
    struct across_head head = across_bed_head(ACROSS_CHECK, 0, 5);
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    reserve = (struct across_reserve){
        .left_ms = 5000,
        .fact = 1,
        .institution = SLICE_LITERAL("x"),
        .op_count = 1,
        .ops = {{.kind = CARILLON__OP_KIND__OP_DROP,
                 .name = {.code = slice_from_text(across_bed_course(1))}}},
    };
    across_put_head(&message, &head);
    across_put_reserve(&message, &reserve);
    assert_true(across_receive(bed.across, bed.now_ms, 0, buf_slice(&message)));
    across_read_done(bed.across, bed.now_ms, across_effect_at(bed.across, 0).token);
    across_bed_perform(&bed);
    assert_int_equal(bed.sent.len, 0);
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* ---- no room */

static void reserve__without_memory__is_refused_before_it_is_proposed(void **state)
{
    static struct across_reserved reserved;
    struct across_bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    uint32_t proposed = bed.proposed;

    bed.enrol->campus.arena.budget = bed.enrol->campus.arena.used;
    across_bed_reserve(&message, 0, 6);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, proposed);
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    across_take_head(&in, &head);
    across_take_reserved(&in, &reserved);
    assert_true(unpack_is_done(&in));
    assert_int_equal(reserved.outcome, ACROSS_FAILED);
    assert_int_equal(reserved.error, ERR_FULL);
    across_bed_message(&message, ACROSS_SETTLE, 0, 5); /* what makes room needs none */
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 0);
    buf_fini(&message);
    across_bed_fini(&bed);
}

/* ---- what nobody should say */

static void message__cut_anywhere__is_dropped(void **state)
{
    struct across_bed beds[ACROSS_BED_SHARDS];
    struct buf message;
    (void)state;

    across_bed_init(&beds[0], 0);
    across_bed_init(&beds[1], 1);
    buf_init(&message, ACROSS_BED_BYTES);
    for (uint32_t kind = ACROSS_RESERVE; kind < ACROSS_KIND_NR; kind++) {
        across_bed_message(&message, kind, 0, 5);
        for (size_t len = 0; len < message.len; len++) {
            for (uint32_t shard = 0; shard < ACROSS_BED_SHARDS; shard++) {
                (void)across_bed_receive(&beds[shard], 1 - shard,
                                         slice_from(message.data, len));
                assert_int_equal(beds[shard].enrol->across.hold_count, 0);
                assert_int_equal(beds[shard].proposed, 0);
            }
        }
    }
    buf_fini(&message);
    across_bed_fini(&beds[0]);
    across_bed_fini(&beds[1]);
}

static void message__changed_anywhere__leaves_the_state_whole(void **state)
{
    struct across_bed beds[ACROSS_BED_SHARDS];
    struct buf message;
    (void)state;

    across_bed_init(&beds[0], 0);
    across_bed_init(&beds[1], 1);
    buf_init(&message, ACROSS_BED_BYTES);
    for (uint32_t kind = ACROSS_RESERVE; kind < ACROSS_KIND_NR; kind++) {
        across_bed_message(&message, kind, 0, 5);
        for (size_t at = 0; at < message.len; at++) {
            for (uint32_t bit = 0; bit < 8; bit++) {
                message.data[at] ^= (uint8_t)(1U << bit);
                (void)across_bed_receive(&beds[0], 1, buf_slice(&message));
                (void)across_bed_receive(&beds[1], 0, buf_slice(&message));
                message.data[at] ^= (uint8_t)(1U << bit);
            }
        }
    }
    assert_true(beds[1].proposed > 0);
    across_bed_assert_whole(&beds[0]);
    across_bed_assert_whole(&beds[1]);
    buf_fini(&message);
    across_bed_fini(&beds[0]);
    across_bed_fini(&beds[1]);
}

static void message__of_the_wrong_shard__is_dropped(void **state)
{
    struct across_bed bed;
    struct buf message;
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    across_bed_reserve(&message, 0, 5);
    assert_false(across_bed_receive(&bed, 1, buf_slice(&message))); /* not the student's home */
    assert_false(across_bed_receive(&bed, ACROSS_BED_SHARDS, buf_slice(&message)));
    across_bed_message(&message, ACROSS_ASK, 0, 5);
    assert_false(across_bed_receive(&bed, 0, buf_slice(&message))); /* this is not his home */
    assert_int_equal(bed.proposed, 0);
    buf_fini(&message);
    across_bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve__again_and_late__holds_once),
        cmocka_unit_test(settle__of_another_attempt__does_nothing_and_is_acknowledged),
        cmocka_unit_test(settled__of_several__leave_the_list_together),
        cmocka_unit_test(settle__of_several__is_one_entry_and_acknowledges_each),
        cmocka_unit_test(settle__of_several__one_unsound__none_is_taken),
        cmocka_unit_test(decisions__are_told_together__at_the_tick_or_when_asked),
        cmocka_unit_test(decision__that_drops_elsewhere__is_told_at_once),
        cmocka_unit_test(reserve__newer_attempt__takes_over_the_hold),
        cmocka_unit_test(hold__without_news__asks_and_stays),
        cmocka_unit_test(roster__answer_to_an_earlier_question__waits_on),
        cmocka_unit_test(reserve__with_permits__many_times__keeps_none),
        cmocka_unit_test(check__is_answered_after_a_read_point_and_changes_nothing),
        cmocka_unit_test(check__behind_the_home__is_not_answered),
        cmocka_unit_test(reserve__without_memory__is_refused_before_it_is_proposed),
        cmocka_unit_test(message__cut_anywhere__is_dropped),
        cmocka_unit_test(message__changed_anywhere__leaves_the_state_whole),
        cmocka_unit_test(message__of_the_wrong_shard__is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
