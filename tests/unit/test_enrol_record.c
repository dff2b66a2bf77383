/* How much of a student's record other shards are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/across_bed.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

/* A course with a rule, in @shard. */
static const char *ruled_course_in(uint32_t shard)
{
    static const uint32_t ruled[] = {4, 6, 7, 8, 9};

    for (uint32_t i = 0; i < sizeof ruled / sizeof ruled[0]; i++) {
        if (campus_shard_of(slice_from_text(shards_course_name(ruled[i])), ACROSS_BED_SHARDS) ==
            shard) {
            return shards_course_name(ruled[i]);
        }
    }
    fail();
    return NULL;
}

static uint32_t outcome_sent(const struct across_bed *bed)
{
    return across_outcome_of(buf_slice(&bed->sent));
}

/* The rule may ask for what was not told: nothing is judged, by the leader or by an entry that
 * the rule overtook, and the same attempt goes on with the whole record. */
static void reserve__of_part_of_the_record__by_a_rule__wants_the_whole(void **state)
{
    static struct across_reserve reserve;
    struct across_bed bed;
    struct buf message;
    struct across_head head = across_bed_head(ACROSS_RESERVE, 0, 5);
    (void)state;

    across_bed_init(&bed, 1);
    buf_init(&message, ACROSS_BED_BYTES);
    reserve = (struct across_reserve){
        .left_ms = 5000,
        .institution = SLICE_LITERAL("x"),
        .level = 2,
        .op_count = 1,
        .ops = {{.kind = CARILLON__OP_KIND__OP_ADD,
                 .name = {.code = slice_from_text(ruled_course_in(1)),
                          .section = SLICE_LITERAL("A")}}},
    };
    across_put_head(&message, &head);
    across_put_reserve(&message, &reserve);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, 0);
    assert_int_equal(outcome_sent(&bed), ACROSS_RULED);

    buf_clear(&bed.sent);
    bed.enrol->reserved += enrol__across_growth(ENROL_ENTRY_RESERVE, buf_slice(&message));
    across_bed_apply(&bed, ENROL_ENTRY_RESERVE, SLICE_NONE, buf_slice(&message));
    across_bed_perform(&bed);
    assert_int_equal(outcome_sent(&bed), ACROSS_RULED);
    assert_int_equal(bed.enrol->across.hold_count, 0);

    reserve.is_whole = true;
    buf_clear(&message);
    across_put_head(&message, &head);
    across_put_reserve(&message, &reserve);
    assert_true(across_bed_receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, 1);
    assert_true(outcome_sent(&bed) == ACROSS_GRANTED || outcome_sent(&bed) == ACROSS_REFUSED);
    buf_fini(&message);
    across_bed_fini(&bed);
}

static void assert_reserve_sent(const struct across_bed *bed, uint64_t counter, bool is_whole)
{
    static struct across_reserve reserve;
    struct unpack in = unpack_from(buf_slice(&bed->sent));
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserve(&in, &reserve);
    assert_true(unpack_is_done(&in));
    assert_int_equal(head.kind, ACROSS_RESERVE);
    assert_int_equal(head.id.counter, counter);
    assert_int_equal(reserve.is_whole, is_whole);
}

static void say_outcome(struct across_bed *bed, uint64_t counter, uint32_t outcome)
{
    static struct across_reserved reserved;
    struct across_head head = across_bed_head(ACROSS_RESERVED, 0, counter);
    struct buf message;

    reserved = (struct across_reserved){.outcome = outcome, .error = ERR_UNKNOWN_COURSE};
    buf_init(&message, ACROSS_BED_BYTES);
    across_put_head(&message, &head);
    across_put_reserved(&message, &reserved);
    assert_true(across_bed_receive(bed, 1, buf_slice(&message)));
    buf_fini(&message);
}

/* Most courses have no rule. Of one that has the home hears, and remembers it. */
static void record__is_told_in_part__until_a_course_has_a_rule(void **state)
{
    struct across_bed bed;
    (void)state;

    across_bed_init(&bed, 0);
    across_bed_submit(&bed, CARILLON__OP_KIND__OP_ADD, ruled_course_in(1), 1);
    assert_reserve_sent(&bed, 1, false);
    say_outcome(&bed, 1, ACROSS_RULED);
    assert_reserve_sent(&bed, 1, true);
    buf_clear(&bed.sent);
    say_outcome(&bed, 1, ACROSS_RULED); /* doubled on its way */
    assert_int_equal(bed.sent.len, 0);
    say_outcome(&bed, 1, ACROSS_FAILED);
    assert_int_equal(bed.replied, ERR_UNKNOWN_COURSE);
    across_bed_submit(&bed, CARILLON__OP_KIND__OP_ADD, ruled_course_in(1), 2);
    assert_reserve_sent(&bed, 2, true);
    say_outcome(&bed, 2, ACROSS_FAILED);
    across_bed_submit(&bed, CARILLON__OP_KIND__OP_ADD, across_bed_course(1), 3);
    assert_reserve_sent(&bed, 3, false);
    across_bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve__of_part_of_the_record__by_a_rule__wants_the_whole),
        cmocka_unit_test(record__is_told_in_part__until_a_course_has_a_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
