/* One shard, and what others say to it: also what nobody should say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sm.h"
#include "campus/shard.h"
#include "enrol/across.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"
#include "proto/operator.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

enum { SHARDS = 2, MESSAGE_BYTES = 4096, EFFECTS_MAX = 64 };

/* A shard with its leader, whose proposals are committed at once. */
struct bed {
    struct enrol *enrol;
    struct across *across;
    struct enrol_result result;
    uint64_t index;
    uint64_t now_ms;
    uint32_t shard;
    uint32_t proposed;
    struct buf sent; /* the newest message sent */
    int replied;     /* status of the newest answer to a client; 1: none */
};

static void apply(struct bed *bed, uint32_t method, struct slice key, struct slice body)
{
    struct enrol_entry entry = {.index = ++bed->index,
                                .term = 1,
                                .wall_ms = FIXTURE_WALL_MS + bed->now_ms,
                                .method = method,
                                .key = key,
                                .body = body,
                                .hint = ENROL_HINT_NONE};

    enrol_apply(bed->enrol, &entry, &bed->result);
    across_applied(bed->across, bed->now_ms, &entry, &bed->result);
}

/* The effects of the last call, and of what they lead to. */
static void perform(struct bed *bed)
{
    struct buf bodies[EFFECTS_MAX];
    uint32_t methods[EFFECTS_MAX];
    struct uuid keys[EFFECTS_MAX];
    size_t key_lens[EFFECTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < across_effect_count(bed->across); i++) {
        struct across_effect effect = across_effect_at(bed->across, i);

        if (effect.kind == ACROSS_PROPOSE && count < EFFECTS_MAX) {
            buf_init(&bodies[count], ACROSS_BYTES_MAX);
            assert_int_equal(buf_append_slice(&bodies[count], effect.body), OK);
            methods[count] = effect.method;
            key_lens[count] = effect.key.len;
            memset(&keys[count], 0, sizeof keys[count]);
            memcpy(keys[count].bytes, effect.key.len > 0 ? effect.key.data : keys[count].bytes,
                   effect.key.len);
            count++;
        } else if (effect.kind == ACROSS_SEND) {
            buf_clear(&bed->sent);
            assert_int_equal(buf_append_slice(&bed->sent, effect.body), OK);
        } else if (effect.kind == ACROSS_REPLY) {
            bed->replied = effect.status;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bed->proposed++;
        apply(bed, methods[i], slice_from(keys[i].bytes, key_lens[i]), buf_slice(&bodies[i]));
        buf_fini(&bodies[i]);
        perform(bed);
    }
}

static void bed_init(struct bed *bed, uint32_t shard)
{
    struct enrol_config config = {
        .memory_bytes_max = 1ULL << 30, .group = shard + 1, .shards = SHARDS};

    *bed = (struct bed){.shard = shard, .now_ms = 1000, .replied = 1};
    bed->enrol = enrol_create(&config);
    bed->across = across_create(bed->enrol);
    enrol_result_init(&bed->result);
    buf_init(&bed->sent, ACROSS_BYTES_MAX);
    shards_world_populate(bed->enrol, SHARDS, shard, &bed->index);
    across_lead(bed->across, 1);
    across_read_done(bed->across, bed->now_ms, across_effect_at(bed->across, 0).token);
}

static void bed_fini(struct bed *bed)
{
    across_destroy(bed->across);
    enrol_destroy(bed->enrol);
    enrol_result_fini(&bed->result);
    buf_fini(&bed->sent);
}

static bool receive(struct bed *bed, uint32_t from, struct slice message)
{
    bool is_understood = across_receive(bed->across, bed->now_ms, from, message);

    perform(bed);
    return is_understood;
}

/* A student and a course of a shard. */
static const char *student_in(uint32_t shard)
{
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        if (campus_shard_of(slice_from_text(shards_student_name(i)), SHARDS) == shard) {
            return shards_student_name(i);
        }
    }
    fail();
    return NULL;
}

/* One that asks for nothing, and has seats. */
static const char *course_in(uint32_t shard)
{
    static const uint32_t plain[] = {1, 2, 3, 5};

    for (uint32_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (campus_shard_of(slice_from_text(shards_course_name(plain[i])), SHARDS) == shard) {
            return shards_course_name(plain[i]);
        }
    }
    fail();
    return NULL;
}

static struct across_head head_of(uint32_t kind, uint32_t home, uint64_t counter)
{
    return (struct across_head){
        .kind = kind,
        .id = {.home = home, .term = 1, .counter = counter},
        .token = slice_from_text(student_in(home))
    };
}

static void put_asking(struct buf *out, uint32_t kind, uint32_t home, uint64_t counter)
{
    static struct across_reserve reserve;
    struct across_head head = head_of(kind, home, counter);

    reserve = (struct across_reserve){
        .left_ms = 5000,
        .is_whole = true,
        .institution = SLICE_LITERAL("x"),
        .name = SLICE_LITERAL("somebody"),
        .level = 2,
        .taken_count = 1,
        .taken = {{SLICE_LITERAL("x"), SLICE_LITERAL("X1"), 401, 600}},
        .beside_count = 1,
        .beside = {{SLICE_LITERAL("x"), SLICE_LITERAL("C5"), SLICE_LITERAL("t")}},
        .op_count = 1,
        .ops = {{.op = 0,
                 .kind = CARILLON__OP_KIND__OP_ADD,
                 .name = {SLICE_LITERAL("x"), slice_from_text(course_in(1 - home)),
                          SLICE_LITERAL("A"), SLICE_LITERAL("t")}}},
    };
    buf_clear(out);
    across_put_head(out, &head);
    across_put_reserve(out, &reserve);
}

static void put_reserve(struct buf *out, uint32_t home, uint64_t counter)
{
    put_asking(out, ACROSS_RESERVE, home, counter);
}

/* Any message, its parts in order. */
static void put_message(struct buf *out, uint32_t kind, uint32_t home, uint64_t counter)
{
    struct across_head head = head_of(kind, home, counter);
    const struct across_reserved reserved = {.outcome = ACROSS_REFUSED};
    const struct across_decline decline = {
        .number = 7,
        .name = {SLICE_LITERAL("x"), slice_from_text(course_in(1 - home)), SLICE_LITERAL("A"),
                 SLICE_LITERAL("t")}
    };

    if (kind == ACROSS_RESERVE || kind == ACROSS_CHECK) {
        put_asking(out, kind, home, counter);
        return;
    }
    buf_clear(out);
    across_put_head(out, &head);
    if (kind == ACROSS_SETTLE) {
        across_put_number(out, ACROSS_CONFIRM);
    } else if (kind == ACROSS_RESERVED || kind == ACROSS_CHECKED) {
        across_put_reserved(out, &reserved);
    } else if (kind == ACROSS_OFFER || kind == ACROSS_DECLINE) {
        across_put_decline(out, &decline);
    } else if (kind == ACROSS_ASK || kind == ACROSS_PENDING) {
        across_put_asked(out, 1, 1);
    }
}

static void assert_whole(struct bed *bed)
{
    struct enrol_verify *verify = enrol_verify_begin(bed->enrol);
    struct buf packed;

    buf_init(&packed, 1 << 20);
    while (enrol_verify_step(verify) == SM_PENDING) {
    }
    assert_int_equal(enrol_verify_end(verify, &packed), OK);
    Carillon__VerifyReply *reply =
        carillon__verify_reply__unpack(NULL, packed.len, packed.data);

    assert_non_null(reply);
    if (!reply->ok) {
        fail_msg("%s", reply->findings[0]);
    }
    carillon__verify_reply__free_unpacked(reply, NULL);
    buf_fini(&packed);
}

/* ---- a hold's life */

static void reserve__again_and_late__holds_once(void **state)
{
    struct bed bed;
    struct buf message;
    struct buf first;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    buf_init(&first, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    assert_int_equal(buf_append_slice(&first, buf_slice(&bed.sent)), OK);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    assert_true(slice_is_equal(buf_slice(&first), buf_slice(&bed.sent)));
    put_message(&message, ACROSS_SETTLE, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 0);
    assert_int_equal(bed.enrol->campus.registration_count, 1);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 0);
    assert_whole(&bed);
    buf_fini(&message);
    buf_fini(&first);
    bed_fini(&bed);
}

static void settle__of_another_attempt__does_nothing_and_is_acknowledged(void **state)
{
    struct bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    put_message(&message, ACROSS_SETTLE, 0, 4);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    assert_int_equal(bed.enrol->campus.registration_count, 0);
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    across_take_head(&in, &head);
    assert_int_equal(head.kind, ACROSS_SETTLED);
    assert_int_equal(head.id.counter, 4);
    buf_fini(&message);
    bed_fini(&bed);
}

static void todo_put(struct bed *bed, uint64_t counter)
{
    uint32_t student =
        campus_student_find(&bed->enrol->campus, slice_from_text(student_in(bed->shard)));

    (void)enrol__todo_add(&bed->enrol->across,
                          &(struct enrol_todo){.id = {bed->shard, 1, counter},
                                               .student = student,
                                               .shard = 1,
                                               .verdict = ACROSS_CONFIRM});
}

/* An item of the student of shard 0 for shard 1, which acknowledges it. */
static void acknowledge(struct bed *bed, uint64_t counter)
{
    struct buf message;

    todo_put(bed, counter);
    buf_init(&message, MESSAGE_BYTES);
    put_message(&message, ACROSS_SETTLED, bed->shard, counter);
    assert_true(receive(bed, 1, buf_slice(&message)));
    buf_fini(&message);
}

/* Nobody waits for it, so many acknowledged items leave the list by one entry. */
static void settled__of_several__leave_the_list_together(void **state)
{
    struct bed bed;
    (void)state;

    bed_init(&bed, 0);
    acknowledge(&bed, 1);
    acknowledge(&bed, 2);
    acknowledge(&bed, 3);
    assert_int_equal(bed.proposed, 0);
    assert_int_equal(bed.enrol->across.todo_count, 3);
    bed.now_ms += ACROSS_TICK_MS;
    across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
    perform(&bed);
    assert_int_equal(bed.proposed, 1);
    assert_int_equal(bed.enrol->across.todo_count, 0);
    for (uint64_t counter = 4; bed.enrol->across.todo_count > 0 || counter == 4; counter++) {
        assert_int_equal(bed.proposed, 1);
        acknowledge(&bed, counter);
    }
    assert_int_equal(bed.proposed, 2); /* so many do not wait for the tick */
    assert_whole(&bed);
    bed_fini(&bed);
}

/* A decision of the home 0, behind what is there. */
static void add_settle(struct buf *out, uint64_t counter, uint64_t verdict)
{
    struct across_head head = head_of(ACROSS_SETTLE, 0, counter);

    across_put_head(out, &head);
    across_put_number(out, verdict);
}

static void settle__of_several__is_one_entry_and_acknowledges_each(void **state)
{
    struct bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    buf_clear(&message);
    add_settle(&message, 4, ACROSS_RELEASE);
    add_settle(&message, 5, ACROSS_CONFIRM);
    bed.proposed = 0;
    assert_true(receive(&bed, 0, buf_slice(&message)));
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
    assert_whole(&bed);
    buf_fini(&message);
    bed_fini(&bed);
}

/* All or none of a message are taken. */
static void settle__of_several__one_unsound__none_is_taken(void **state)
{
    struct bed bed;
    struct buf message;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    bed.proposed = 0;
    for (uint64_t unsound = 0; unsound < 3; unsound++) {
        buf_clear(&message);
        add_settle(&message, 5, ACROSS_CONFIRM);
        if (unsound == 0) {
            add_settle(&message, 6, 0);
        } else if (unsound == 1) { /* of another home than it says */
            struct across_head head = head_of(ACROSS_SETTLE, 0, 6);

            head.token = slice_from_text(student_in(1));
            across_put_head(&message, &head);
            across_put_number(&message, ACROSS_CONFIRM);
        } else {
            add_settle(&message, 6, ACROSS_CONFIRM);
            message.len--;
        }
        (void)receive(&bed, 0, buf_slice(&message));
        assert_int_equal(bed.proposed, 0);
    }
    assert_int_equal(bed.enrol->across.hold_count, 1);
    buf_fini(&message);
    bed_fini(&bed);
}

/* Nobody waits for a hold to end, until somebody does. */
static void decisions__are_told_together__at_the_tick_or_when_asked(void **state)
{
    struct bed bed;
    struct buf message;
    (void)state;

    for (int is_asked = 0; is_asked < 2; is_asked++) {
        bed_init(&bed, 0);
        buf_init(&message, MESSAGE_BYTES);
        todo_put(&bed, 1);
        todo_put(&bed, 2);
        buf_clear(&bed.sent);
        if (is_asked == 1) {
            put_message(&message, ACROSS_ASK, 0, 2);
            assert_true(receive(&bed, 1, buf_slice(&message)));
        } else {
            bed.now_ms += ACROSS_TICK_MS;
            across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
            perform(&bed);
        }
        assert_int_equal(across_settle_count(buf_slice(&bed.sent)), 2);
        buf_fini(&message);
        bed_fini(&bed);
    }
}

static void reserve__newer_attempt__takes_over_the_hold(void **state)
{
    struct bed bed;
    struct buf message;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    put_reserve(&message, 0, 6);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 1);
    put_message(&message, ACROSS_SETTLE, 0, 5); /* what was taken over is over */
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->campus.registration_count, 0);
    assert_whole(&bed);
    buf_fini(&message);
    bed_fini(&bed);
}

static void hold__without_news__asks_and_stays(void **state)
{
    struct bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    for (uint32_t i = 0; i < 1000; i++) {
        bed.now_ms += ACROSS_TICK_MS;
        across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
        perform(&bed);
    }
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    across_take_head(&in, &head);
    assert_int_equal(head.kind, ACROSS_ASK);
    assert_int_equal(bed.enrol->across.hold_count, 1);
    buf_fini(&message);
    bed_fini(&bed);
}

static bool is_roster_read(const struct bed *bed)
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
    struct bed bed;
    struct buf message;
    struct campus_name name = {.code = slice_from_text(course_in(1)),
                               .section = SLICE_LITERAL("A")};
    uint32_t section;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    bed.now_ms += ACROSS_ASK_MS;
    across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms);
    bed.now_ms += ACROSS_ASK_MS;
    across_tick(bed.across, bed.now_ms, FIXTURE_WALL_MS + bed.now_ms); /* question 1 */
    assert_int_equal(campus_resolve_section(&bed.enrol->campus, &name, &section), OK);
    assert_int_equal(across_roster(bed.across, bed.now_ms, bed.now_ms + 5000, section, 9), OK);
    assert_false(is_roster_read(&bed));
    for (uint64_t number = 1; number <= 2; number++) {
        struct across_head head = head_of(ACROSS_PENDING, 0, 5);

        buf_clear(&message);
        across_put_head(&message, &head);
        across_put_asked(&message, 1, number);
        bed.now_ms++;
        assert_true(across_receive(bed.across, bed.now_ms, 0, buf_slice(&message)));
        assert_int_equal(is_roster_read(&bed), number == 2);
    }
    buf_fini(&message);
    bed_fini(&bed);
}

/* Permits come with each attempt and count for that one: nothing of them stays here. */
static void reserve__with_permits__many_times__keeps_none(void **state)
{
    static struct across_reserve reserve;
    struct bed bed;
    struct buf message;
    uint32_t sections = 0;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    for (uint32_t i = 1; i <= SHARDS_COURSES; i++) {
        const char *course = shards_course_name(i - 1);
        struct across_head head = head_of(ACROSS_RESERVE, 0, i);

        if (campus_shard_of(slice_from_text(course), SHARDS) != 1) {
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
        assert_true(receive(&bed, 0, buf_slice(&message)));
    }
    uint32_t student = campus_student_find(&bed.enrol->campus, slice_from_text(student_in(0)));
    const struct campus_extra *extra = campus_student(&bed.enrol->campus, student)->extra;
    uint32_t slot = enrol__hold_find(&bed.enrol->across, student);

    assert_true(sections > 1);
    assert_true(extra == NULL || extra->permit_count == 0);
    assert_int_not_equal(slot, CAMPUS_NONE); /* whatever the rules say: he may */
    buf_fini(&message);
    bed_fini(&bed);
}

/* ---- how much of the record is told */

/* A course with a rule, in @shard. */
static const char *ruled_course_in(uint32_t shard)
{
    static const uint32_t ruled[] = {4, 6, 7, 8, 9};

    for (uint32_t i = 0; i < sizeof ruled / sizeof ruled[0]; i++) {
        if (campus_shard_of(slice_from_text(shards_course_name(ruled[i])), SHARDS) == shard) {
            return shards_course_name(ruled[i]);
        }
    }
    fail();
    return NULL;
}

static uint32_t outcome_sent(const struct bed *bed)
{
    return across_outcome_of(buf_slice(&bed->sent));
}

/* The rule may ask for what was not told: nothing is judged, by the leader or by an entry that the
 * rule overtook, and the same attempt goes on with the whole record. */
static void reserve__of_part_of_the_record__by_a_rule__wants_the_whole(void **state)
{
    static struct across_reserve reserve;
    struct bed bed;
    struct buf message;
    struct across_head head = head_of(ACROSS_RESERVE, 0, 5);
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
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
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, 0);
    assert_int_equal(outcome_sent(&bed), ACROSS_RULED);

    buf_clear(&bed.sent);
    bed.enrol->reserved += enrol__across_growth(ENROL_ENTRY_RESERVE, buf_slice(&message));
    apply(&bed, ENROL_ENTRY_RESERVE, SLICE_NONE, buf_slice(&message));
    perform(&bed);
    assert_int_equal(outcome_sent(&bed), ACROSS_RULED);
    assert_int_equal(bed.enrol->across.hold_count, 0);

    reserve.is_whole = true;
    buf_clear(&message);
    across_put_head(&message, &head);
    across_put_reserve(&message, &reserve);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, 1);
    assert_true(outcome_sent(&bed) == ACROSS_GRANTED || outcome_sent(&bed) == ACROSS_REFUSED);
    buf_fini(&message);
    bed_fini(&bed);
}

static void submit_of(struct bed *bed, const char *course, uint8_t number)
{
    uint8_t random[10] = {number};
    struct uuid key = uuid_make(FIXTURE_WALL_MS + bed->now_ms, random);
    struct buf body;
    struct buf text;
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *ops[] = {&op};
    char token[64];
    char code[64];
    char section[] = "A";

    buf_init(&body, MESSAGE_BYTES);
    buf_init(&text, MESSAGE_BYTES);
    (void)snprintf(token, sizeof token, "%s", student_in(0));
    (void)snprintf(code, sizeof code, "%s", course);
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = code;
    op.section = section;
    request.student = token;
    request.ops = ops;
    request.n_ops = 1;
    assert_int_equal(wire_pack(&request.base, &body), OK);
    const struct across_request of = {.now_ms = bed->now_ms,
                                      .wall_ms = FIXTURE_WALL_MS + bed->now_ms,
                                      .deadline_ms = bed->now_ms + 5000,
                                      .client = number,
                                      .key = slice_from(key.bytes, sizeof key.bytes),
                                      .body = buf_slice(&body)};

    assert_int_equal(across_submit(bed->across, &of, &text), OK);
    perform(bed);
    buf_fini(&body);
    buf_fini(&text);
}

static void assert_reserve_sent(const struct bed *bed, uint64_t counter, bool is_whole)
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

static void say_outcome(struct bed *bed, uint64_t counter, uint32_t outcome)
{
    static struct across_reserved reserved;
    struct across_head head = head_of(ACROSS_RESERVED, 0, counter);
    struct buf message;

    reserved = (struct across_reserved){.outcome = outcome, .error = ERR_UNKNOWN_COURSE};
    buf_init(&message, MESSAGE_BYTES);
    across_put_head(&message, &head);
    across_put_reserved(&message, &reserved);
    assert_true(receive(bed, 1, buf_slice(&message)));
    buf_fini(&message);
}

/* Most courses have no rule. Of one that has the home hears, and remembers it. */
static void record__is_told_in_part__until_a_course_has_a_rule(void **state)
{
    struct bed bed;
    (void)state;

    bed_init(&bed, 0);
    submit_of(&bed, ruled_course_in(1), 1);
    assert_reserve_sent(&bed, 1, false);
    say_outcome(&bed, 1, ACROSS_RULED);
    assert_reserve_sent(&bed, 1, true);
    buf_clear(&bed.sent);
    say_outcome(&bed, 1, ACROSS_RULED); /* doubled on its way */
    assert_int_equal(bed.sent.len, 0);
    say_outcome(&bed, 1, ACROSS_FAILED);
    assert_int_equal(bed.replied, ERR_UNKNOWN_COURSE);
    submit_of(&bed, ruled_course_in(1), 2);
    assert_reserve_sent(&bed, 2, true);
    say_outcome(&bed, 2, ACROSS_FAILED);
    submit_of(&bed, course_in(1), 3);
    assert_reserve_sent(&bed, 3, false);
    bed_fini(&bed);
}

/* ---- checks */

/* Asked once more, or late, it is answered once more: there is nothing to be remembered. */
static void check__is_answered_after_a_read_point_and_changes_nothing(void **state)
{
    struct bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_asking(&message, ACROSS_CHECK, 0, 5);
    uint64_t hash = enrol_hash(bed.enrol);

    for (uint32_t i = 0; i < 2; i++) {
        buf_clear(&bed.sent);
        assert_true(across_receive(bed.across, bed.now_ms, 0, buf_slice(&message)));
        assert_int_equal(across_effect_count(bed.across), 1);
        struct across_effect read = across_effect_at(bed.across, 0);

        assert_int_equal(read.kind, ACROSS_READ);
        assert_int_equal(bed.sent.len, 0);
        across_read_done(bed.across, bed.now_ms, read.token);
        perform(&bed);
        struct unpack in = unpack_from(buf_slice(&bed.sent));
        across_take_head(&in, &head);
        assert_int_equal(head.kind, ACROSS_CHECKED);
    }
    assert_int_equal(bed.proposed, 0);
    assert_int_equal(enrol_hash(bed.enrol), hash);
    assert_int_equal(campus_student_find(&bed.enrol->campus, slice_from_text(student_in(0))),
                     CAMPUS_NONE); /* not even that there is such a student */
    buf_fini(&message);
    bed_fini(&bed);
}

/* Who has heard of fewer facts than the asking home would tell it what is no longer so. */
static void check__behind_the_home__is_not_answered(void **state)
{
    static struct across_reserve reserve;
    struct bed bed;
    struct buf message;
    struct across_head head = head_of(ACROSS_CHECK, 0, 5);
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    reserve = (struct across_reserve){
        .left_ms = 5000,
        .fact = 1,
        .institution = SLICE_LITERAL("x"),
        .op_count = 1,
        .ops = {{.kind = CARILLON__OP_KIND__OP_DROP,
                 .name = {.code = slice_from_text(course_in(1))}}},
    };
    across_put_head(&message, &head);
    across_put_reserve(&message, &reserve);
    assert_true(across_receive(bed.across, bed.now_ms, 0, buf_slice(&message)));
    across_read_done(bed.across, bed.now_ms, across_effect_at(bed.across, 0).token);
    perform(&bed);
    assert_int_equal(bed.sent.len, 0);
    buf_fini(&message);
    bed_fini(&bed);
}

/* ---- no room */

static void reserve__without_memory__is_refused_before_it_is_proposed(void **state)
{
    static struct across_reserved reserved;
    struct bed bed;
    struct buf message;
    struct across_head head;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    uint32_t proposed = bed.proposed;

    bed.enrol->campus.arena.budget = bed.enrol->campus.arena.used;
    put_reserve(&message, 0, 6);
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.proposed, proposed);
    struct unpack in = unpack_from(buf_slice(&bed.sent));

    across_take_head(&in, &head);
    across_take_reserved(&in, &reserved);
    assert_true(unpack_is_done(&in));
    assert_int_equal(reserved.outcome, ACROSS_FAILED);
    assert_int_equal(reserved.error, ERR_FULL);
    put_message(&message, ACROSS_SETTLE, 0, 5); /* what makes room needs none */
    assert_true(receive(&bed, 0, buf_slice(&message)));
    assert_int_equal(bed.enrol->across.hold_count, 0);
    buf_fini(&message);
    bed_fini(&bed);
}

/* ---- what nobody should say */

static void message__cut_anywhere__is_dropped(void **state)
{
    struct bed beds[SHARDS];
    struct buf message;
    (void)state;

    bed_init(&beds[0], 0);
    bed_init(&beds[1], 1);
    buf_init(&message, MESSAGE_BYTES);
    for (uint32_t kind = ACROSS_RESERVE; kind < ACROSS_KIND_NR; kind++) {
        put_message(&message, kind, 0, 5);
        for (size_t len = 0; len < message.len; len++) {
            for (uint32_t shard = 0; shard < SHARDS; shard++) {
                (void)receive(&beds[shard], 1 - shard, slice_from(message.data, len));
                assert_int_equal(beds[shard].enrol->across.hold_count, 0);
                assert_int_equal(beds[shard].proposed, 0);
            }
        }
    }
    buf_fini(&message);
    bed_fini(&beds[0]);
    bed_fini(&beds[1]);
}

static void message__changed_anywhere__leaves_the_state_whole(void **state)
{
    struct bed beds[SHARDS];
    struct buf message;
    (void)state;

    bed_init(&beds[0], 0);
    bed_init(&beds[1], 1);
    buf_init(&message, MESSAGE_BYTES);
    for (uint32_t kind = ACROSS_RESERVE; kind < ACROSS_KIND_NR; kind++) {
        put_message(&message, kind, 0, 5);
        for (size_t at = 0; at < message.len; at++) {
            for (uint32_t bit = 0; bit < 8; bit++) {
                message.data[at] ^= (uint8_t)(1U << bit);
                (void)receive(&beds[0], 1, buf_slice(&message));
                (void)receive(&beds[1], 0, buf_slice(&message));
                message.data[at] ^= (uint8_t)(1U << bit);
            }
        }
    }
    assert_true(beds[1].proposed > 0);
    assert_whole(&beds[0]);
    assert_whole(&beds[1]);
    buf_fini(&message);
    bed_fini(&beds[0]);
    bed_fini(&beds[1]);
}

static void message__of_the_wrong_shard__is_dropped(void **state)
{
    struct bed bed;
    struct buf message;
    (void)state;

    bed_init(&bed, 1);
    buf_init(&message, MESSAGE_BYTES);
    put_reserve(&message, 0, 5);
    assert_false(receive(&bed, 1, buf_slice(&message))); /* not the student's home */
    assert_false(receive(&bed, SHARDS, buf_slice(&message)));
    put_message(&message, ACROSS_ASK, 0, 5);
    assert_false(receive(&bed, 0, buf_slice(&message))); /* this is not his home */
    assert_int_equal(bed.proposed, 0);
    buf_fini(&message);
    bed_fini(&bed);
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
        cmocka_unit_test(reserve__newer_attempt__takes_over_the_hold),
        cmocka_unit_test(hold__without_news__asks_and_stays),
        cmocka_unit_test(roster__answer_to_an_earlier_question__waits_on),
        cmocka_unit_test(reserve__with_permits__many_times__keeps_none),
        cmocka_unit_test(reserve__of_part_of_the_record__by_a_rule__wants_the_whole),
        cmocka_unit_test(record__is_told_in_part__until_a_course_has_a_rule),
        cmocka_unit_test(check__is_answered_after_a_read_point_and_changes_nothing),
        cmocka_unit_test(check__behind_the_home__is_not_answered),
        cmocka_unit_test(reserve__without_memory__is_refused_before_it_is_proposed),
        cmocka_unit_test(message__cut_anywhere__is_dropped),
        cmocka_unit_test(message__changed_anywhere__leaves_the_state_whole),
        cmocka_unit_test(message__of_the_wrong_shard__is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
