#include "tests/lib/across_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sm.h"
#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "proto/operator.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

enum { EFFECTS_MAX = 64 };

void across_bed_apply(struct across_bed *bed, uint32_t method, struct slice key,
                      struct slice body)
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
void across_bed_perform(struct across_bed *bed)
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
        across_bed_apply(bed, methods[i], slice_from(keys[i].bytes, key_lens[i]),
                         buf_slice(&bodies[i]));
        buf_fini(&bodies[i]);
        across_bed_perform(bed);
    }
}

void across_bed_init(struct across_bed *bed, uint32_t shard)
{
    struct enrol_config config = {
        .memory_bytes_max = 1ULL << 30, .group = shard + 1, .shards = ACROSS_BED_SHARDS};

    *bed = (struct across_bed){.shard = shard, .now_ms = 1000, .replied = 1};
    bed->enrol = enrol_create(&config);
    bed->across = across_create(bed->enrol);
    enrol_result_init(&bed->result);
    buf_init(&bed->sent, ACROSS_BYTES_MAX);
    shards_world_populate(bed->enrol, ACROSS_BED_SHARDS, shard, &bed->index);
    across_lead(bed->across, 1);
    across_read_done(bed->across, bed->now_ms, across_effect_at(bed->across, 0).token);
}

void across_bed_fini(struct across_bed *bed)
{
    across_destroy(bed->across);
    enrol_destroy(bed->enrol);
    enrol_result_fini(&bed->result);
    buf_fini(&bed->sent);
}

bool across_bed_receive(struct across_bed *bed, uint32_t from, struct slice message)
{
    bool is_understood = across_receive(bed->across, bed->now_ms, from, message);

    across_bed_perform(bed);
    return is_understood;
}

/* A student and a course of a shard. */
const char *across_bed_student(uint32_t shard)
{
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        if (campus_shard_of(slice_from_text(shards_student_name(i)), ACROSS_BED_SHARDS) ==
            shard) {
            return shards_student_name(i);
        }
    }
    fail();
    return NULL;
}

/* One that asks for nothing, and has seats. */
const char *across_bed_course(uint32_t shard)
{
    static const uint32_t plain[] = {1, 2, 3, 5};

    for (uint32_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (campus_shard_of(slice_from_text(shards_course_name(plain[i])), ACROSS_BED_SHARDS) ==
            shard) {
            return shards_course_name(plain[i]);
        }
    }
    fail();
    return NULL;
}

struct across_head across_bed_head(uint32_t kind, uint32_t home, uint64_t counter)
{
    return (struct across_head){
        .kind = kind,
        .id = {.home = home, .term = 1, .counter = counter},
        .token = slice_from_text(across_bed_student(home))
    };
}

void across_bed_asking(struct buf *out, uint32_t kind, uint32_t home, uint64_t counter)
{
    static struct across_reserve reserve;
    struct across_head head = across_bed_head(kind, home, counter);

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
                 .name = {SLICE_LITERAL("x"), slice_from_text(across_bed_course(1 - home)),
                          SLICE_LITERAL("A"), SLICE_LITERAL("t")}}},
    };
    buf_clear(out);
    across_put_head(out, &head);
    across_put_reserve(out, &reserve);
}

void across_bed_reserve(struct buf *out, uint32_t home, uint64_t counter)
{
    across_bed_asking(out, ACROSS_RESERVE, home, counter);
}

/* Any message, its parts in order. */
void across_bed_message(struct buf *out, uint32_t kind, uint32_t home, uint64_t counter)
{
    struct across_head head = across_bed_head(kind, home, counter);
    const struct across_reserved reserved = {.outcome = ACROSS_REFUSED};
    const struct across_decline decline = {
        .number = 7,
        .name = {SLICE_LITERAL("x"), slice_from_text(across_bed_course(1 - home)),
                 SLICE_LITERAL("A"), SLICE_LITERAL("t")}
    };

    if (kind == ACROSS_RESERVE || kind == ACROSS_CHECK) {
        across_bed_asking(out, kind, home, counter);
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

void across_bed_assert_whole(struct across_bed *bed)
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

void across_bed_submit(struct across_bed *bed, uint32_t kind, const char *course,
                       uint8_t number)
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

    buf_init(&body, ACROSS_BED_BYTES);
    buf_init(&text, ACROSS_BED_BYTES);
    (void)snprintf(token, sizeof token, "%s", across_bed_student(0));
    (void)snprintf(code, sizeof code, "%s", course);
    op.kind = (Carillon__OpKind)kind;
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
    across_bed_perform(bed);
    buf_fini(&body);
    buf_fini(&text);
}
