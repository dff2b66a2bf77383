/* The bytes of messages: the ones protobuf-c would make, back to the same, and nothing else is
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "proto/raft.pb-c.h"
#include "raft/message.h"

enum { ENTRIES_MAX = 8, ROUNDS = 3000, OUT_BYTES_MAX = 1 << 16 };

struct sample {
    struct raft_message message;
    struct raft_entry entries[ENTRIES_MAX];
    struct raft_snapshot snapshot;
    uint8_t bytes[64];
};

/* Numbers of all lengths, zero often. */
static uint64_t number(struct rng *rng)
{
    return rng_next(rng) >> rng_below(rng, 65) % 64 >> (rng_below(rng, 4) == 0 ? 63 : 0);
}

static void draw_append(struct rng *rng, struct sample *sample)
{
    struct raft_append *append = &sample->message.append;

    *append = (struct raft_append){
        .prev_index = number(rng),
        .prev_term = number(rng),
        .commit = number(rng),
        .round = number(rng),
        .entries = sample->entries,
        .count = (uint32_t)rng_below(rng, ENTRIES_MAX + 1),
    };
    for (uint32_t i = 0; i < append->count; i++) {
        sample->entries[i] = (struct raft_entry){
            .term = number(rng) | 1,
            .kind = (enum raft_entry_kind)rng_between(rng, 1, 3),
            .payload = slice_from(sample->bytes, rng_below(rng, sizeof sample->bytes)),
        };
    }
}

static void draw_snapshot(struct rng *rng, struct sample *sample)
{
    sample->snapshot = (struct raft_snapshot){.index = number(rng), .term = number(rng)};
    sample->snapshot.configuration.index = number(rng);
    for (uint64_t i = rng_below(rng, 5); i > 0; i--) {
        assert_int_equal(raft_configuration_change(&sample->snapshot.configuration,
                                                   RAFT_ADD_LEARNER, rng_next(rng) | 1),
                         OK);
    }
    sample->message.snapshot = (struct raft_snapshot_chunk){
        .snapshot = &sample->snapshot,
        .offset = number(rng),
        .data = slice_from(sample->bytes, rng_below(rng, sizeof sample->bytes)),
        .round = number(rng),
        .is_last = rng_below(rng, 2),
    };
}

static void draw(struct rng *rng, struct sample *sample)
{
    struct raft_message *message = &sample->message;

    memset(sample, 0, sizeof *sample);
    rng_fill(rng, sample->bytes, sizeof sample->bytes);
    message->type = (enum raft_message_type)rng_between(rng, 1, RAFT_MESSAGE_NR - 1);
    message->from = number(rng);
    message->to = number(rng);
    message->term = number(rng);
    switch (message->type) {
    case RAFT_VOTE:
        message->vote =
            (struct raft_vote){number(rng), number(rng), rng_below(rng, 2), rng_below(rng, 2)};
        break;
    case RAFT_VOTE_REPLY:
        message->vote_reply = (struct raft_vote_reply){rng_below(rng, 2), rng_below(rng, 2)};
        break;
    case RAFT_APPEND:
        draw_append(rng, sample);
        break;
    case RAFT_APPEND_REPLY:
        message->append_reply =
            (struct raft_append_reply){rng_below(rng, 2), number(rng), number(rng), number(rng),
                                       number(rng),       number(rng), number(rng)};
        break;
    case RAFT_SNAPSHOT:
        draw_snapshot(rng, sample);
        break;
    case RAFT_SNAPSHOT_REPLY:
        message->snapshot_reply = (struct raft_snapshot_reply){
            number(rng), number(rng), number(rng), number(rng), rng_below(rng, 2)};
        break;
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_NR:
        break;
    }
}

static void encode(const struct raft_message *message, struct buf *out)
{
    buf_clear(out);
    assert_int_equal(raft_message_encode(message, out), OK);
}

/* Encoding is one to one, so the same bytes again mean the same message. */
static void message__encoded__decodes_to_the_same(void **state)
{
    static struct sample sample;
    struct raft_entry entries[ENTRIES_MAX];
    struct raft_message_space space = {.entries = entries, .entries_max = ENTRIES_MAX};
    struct raft_message read;
    struct rng rng;
    struct buf first;
    struct buf second;
    (void)state;

    rng_init(&rng, 11);
    buf_init(&first, OUT_BYTES_MAX);
    buf_init(&second, OUT_BYTES_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        draw(&rng, &sample);
        encode(&sample.message, &first);
        assert_int_equal(raft_message_decode(buf_slice(&first), &space, &read), OK);
        assert_int_equal(read.type, sample.message.type);
        assert_int_equal(read.from, sample.message.from);
        assert_int_equal(read.term, sample.message.term);
        encode(&read, &second);
        assert_true(slice_is_equal(buf_slice(&first), buf_slice(&second)));
        if (read.type == RAFT_APPEND && read.append.count > 0) {
            space.entries_max = read.append.count - 1;
            assert_int_equal(raft_message_decode(buf_slice(&first), &space, &read),
                             ERR_TOO_LARGE);
            space.entries_max = ENTRIES_MAX;
        }
    }
    buf_fini(&first);
    buf_fini(&second);
}

static void message__packed_by_protobuf__is_the_same_bytes(void **state)
{
    static struct sample sample;
    static uint8_t packed[OUT_BYTES_MAX];
    struct rng rng;
    struct buf out;
    (void)state;

    rng_init(&rng, 12);
    buf_init(&out, OUT_BYTES_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        draw(&rng, &sample);
        encode(&sample.message, &out);
        Carillon__RaftMessage *message =
            carillon__raft_message__unpack(NULL, out.len, out.data);
        assert_non_null(message);
        assert_int_equal(message->type, sample.message.type);
        assert_int_equal(message->to, sample.message.to);
        if (sample.message.type == RAFT_APPEND) {
            assert_int_equal(message->n_entries, sample.message.append.count);
            assert_int_equal(message->commit, sample.message.append.commit);
        }
        assert_true(carillon__raft_message__get_packed_size(message) <= sizeof packed);
        size_t len = carillon__raft_message__pack(message, packed);
        assert_true(slice_is_equal(slice_from(packed, len), buf_slice(&out)));
        carillon__raft_message__free_unpacked(message, NULL);
    }
    buf_fini(&out);
}

static void message__cut_or_spoilt__is_refused_or_another(void **state)
{
    static struct sample sample;
    struct raft_entry entries[ENTRIES_MAX];
    struct raft_message_space space = {.entries = entries, .entries_max = ENTRIES_MAX};
    struct raft_message read;
    struct rng rng;
    struct buf out;
    (void)state;

    rng_init(&rng, 13);
    buf_init(&out, OUT_BYTES_MAX);
    assert_int_equal(raft_message_decode(SLICE_NONE, &space, &read), ERR_MALFORMED);
    for (int i = 0; i < 200; i++) {
        draw(&rng, &sample);
        encode(&sample.message, &out);
        for (size_t cut = 0; cut < out.len; cut++) {
            int status = raft_message_decode(slice_from(out.data, cut), &space, &read);
            assert_true(status == OK || status == ERR_MALFORMED);
        }
        for (int spoilt = 0; spoilt < 100; spoilt++) {
            size_t at = rng_below(&rng, out.len);
            uint8_t kept = out.data[at];
            out.data[at] ^= (uint8_t)(1U << rng_below(&rng, 8));
            int status = raft_message_decode(buf_slice(&out), &space, &read);
            assert_true(status == OK || status == ERR_MALFORMED || status == ERR_TOO_LARGE);
            out.data[at] = kept;
        }
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message__encoded__decodes_to_the_same),
        cmocka_unit_test(message__packed_by_protobuf__is_the_same_bytes),
        cmocka_unit_test(message__cut_or_spoilt__is_refused_or_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
