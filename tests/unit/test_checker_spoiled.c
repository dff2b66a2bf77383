/* One field of one answer of a random history, spoiled: the checker must say so, and say
 * nothing about the answers as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/lib/checker.h"
#include "tests/lib/history.h"
#include "wire/message.h"
#include "wire/method.h"

enum { SEEDS = 20, OPS = 300, REPLY_BYTES = 1 << 20, TRIES = 50, SPOILED_MIN = 1000 };

static void number_change(char *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof number);
    number ^= 1;
    memcpy(at, &number, sizeof number);
}

static bool message_spoil(ProtobufCMessage *message, struct rng *rng);

static bool field_spoil(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
                        struct rng *rng)
{
    char *at = (char *)message + field->offset;
    size_t *count = (size_t *)(void *)((char *)message + field->quantifier_offset);
    ProtobufCMessage **list;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        if (*count == 0 || field->type != PROTOBUF_C_TYPE_MESSAGE) {
            return false;
        }
        memcpy(&list, at, sizeof list);
        if (rng_chance(rng, 300000)) {
            protobuf_c_message_free_unpacked(list[--*count], NULL);
            return true;
        }
        return message_spoil(list[rng_below(rng, *count)], rng);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(ProtobufCMessage **)(void *)at != NULL &&
               message_spoil(*(ProtobufCMessage **)(void *)at, rng);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        if ((*(char **)(void *)at)[0] == '\0') {
            return false;
        }
        (*(char **)(void *)at)[0] ^= 1;
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData *bytes = (ProtobufCBinaryData *)(void *)at;

        if (bytes->len > 0) {
            bytes->data[0] ^= 1;
        }
        return bytes->len > 0;
    }
    number_change(at);
    return true;
}

/* Change one field that the specification fixes. Returns false when it found none. */
static bool message_spoil(ProtobufCMessage *message, struct rng *rng)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned at = (unsigned)rng_below(rng, message->descriptor->n_fields);
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[at];

        if (!checker_is_open(message->descriptor, field) && field_spoil(field, message, rng)) {
            return true;
        }
    }
    return false;
}

/* Returns whether there was something to spoil. */
static bool answer_try(const struct model_result *expected, uint32_t method, struct rng *rng,
                       struct buf *scratch)
{
    struct checker_answer answer = {
        .status = expected->status,
        .is_repeated = expected->is_repeated,
        .index = expected->index,
        .reply = expected->reply,
    };
    const struct method *row = method_get(method);
    ProtobufCMessage *message;
    struct buf why;
    bool is_spoiled;

    if (row == NULL || (expected->status != OK && expected->status != ERR_REFUSED)) {
        return false;
    }
    buf_init(&why, REPLY_BYTES);
    assert_true(checker_answer(expected, method, &answer, &why));
    message = protobuf_c_message_unpack(row->reply, NULL, answer.reply.len, answer.reply.data);
    assert_non_null(message);
    is_spoiled = message_spoil(message, rng);
    buf_clear(scratch);
    assert_int_equal(wire_pack(message, scratch), OK);
    protobuf_c_message_free_unpacked(message, NULL);
    answer.reply = buf_slice(scratch);
    if (is_spoiled) {
        assert_false(checker_answer(expected, method, &answer, &why));
        assert_true(why.len > 0);
    }
    buf_fini(&why);
    return is_spoiled;
}

static unsigned history_try(uint64_t seed, struct rng *rng, struct buf *scratch)
{
    static const uint8_t cluster[UUID_BYTES] = {1};
    static struct history history;
    struct model model;
    struct history_op op;
    unsigned spoiled = 0;

    history_init(&history, seed);
    history_op_init(&op);
    model_init(&model, cluster, 1);
    for (int i = 0; i < OPS; i++) {
        struct model_entry entry;
        struct model_result result;

        history_next(&history, &model, &op);
        entry = (struct model_entry){
            .index = model.index + 1,
            .term = 1,
            .wall_ms = op.wall_ms,
            .method = op.method,
            .key = slice_from(op.key, op.key_len),
            .body = buf_slice(&op.body),
        };
        model_apply(&model, &entry, &result);
        spoiled += answer_try(&result, op.method, rng, scratch);
    }
    model_fini(&model);
    history_op_fini(&op);
    history_fini(&history);
    return spoiled;
}

static void checker_answer__any_field_spoiled__is_reported(void **state)
{
    struct rng rng;
    struct buf scratch;
    unsigned spoiled = 0;

    (void)state;
    rng_init(&rng, 7);
    buf_init(&scratch, REPLY_BYTES);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        spoiled += history_try(seed, &rng, &scratch);
    }
    buf_fini(&scratch);
    assert_true(spoiled >= SPOILED_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_answer__any_field_spoiled__is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
