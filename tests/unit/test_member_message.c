/* The bytes of datagrams: the ones protobuf-c would make, back to the same, and nothing else is
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "member/message.h"
#include "proto/member.pb-c.h"

enum { ROUNDS = 3000 };

/* Numbers of all lengths up to @bits, zero often. */
static uint64_t number(struct rng *rng, uint32_t bits)
{
    return rng_next(rng) >> (64 - bits) >> rng_below(rng, bits) >>
           (rng_below(rng, 4) == 0 ? 63 : 0);
}

static void draw_claim(struct rng *rng, struct member_claim *claim)
{
    *claim = (struct member_claim){
        .id = number(rng, 64) | 1,
        .incarnation = number(rng, 62),
        .state = (enum member_state)rng_between(rng, 1, MEMBER_STATE_NR - 1),
        .age_ms = (uint32_t)number(rng, 32),
        .accuser_count = (uint32_t)rng_below(rng, MEMBER_ACCUSERS_MAX + 1),
    };
    for (uint32_t i = 0; i < claim->accuser_count; i++) {
        claim->accusers[i] = number(rng, 64);
    }
}

static void draw(struct rng *rng, struct member_message *message)
{
    uint32_t bytes = MEMBER_HEADER_BYTES_MAX;

    *message = (struct member_message){
        .type = (enum member_message_type)rng_between(rng, 1, MEMBER_MESSAGE_NR - 1),
        .from = number(rng, 64) | 1,
        .to = number(rng, 64) | 1,
        .incarnation = number(rng, 62) | 1,
        .is_leaving = rng_below(rng, 2),
        .is_reply_wanted = rng_below(rng, 2),
        .sequence = (uint32_t)number(rng, 32),
        .target = number(rng, 64),
    };
    for (uint64_t i = rng_below(rng, MEMBER_CLAIMS_MAX + 1); i > 0; i--) {
        struct member_claim claim;
        draw_claim(rng, &claim);
        bytes += member_claim_bytes(&claim);
        if (bytes > MEMBER_DATAGRAM_BYTES_MAX) {
            return;
        }
        message->claims[message->claim_count++] = claim;
    }
}

static void message__encoded__decodes_to_the_same(void **state)
{
    struct member_message message;
    struct member_message read;
    uint8_t first[MEMBER_DATAGRAM_BYTES_MAX];
    uint8_t second[MEMBER_DATAGRAM_BYTES_MAX];
    struct rng rng;
    (void)state;

    rng_init(&rng, 21);
    for (int i = 0; i < ROUNDS; i++) {
        draw(&rng, &message);
        uint32_t len = member_message_encode(&message, first);
        assert_int_equal(member_message_decode(slice_from(first, len), &read), OK);
        assert_int_equal(read.type, message.type);
        assert_int_equal(read.from, message.from);
        assert_int_equal(read.incarnation, message.incarnation);
        assert_int_equal(read.claim_count, message.claim_count);
        assert_int_equal(member_message_encode(&read, second), len);
        assert_memory_equal(first, second, len);
    }
}

static void message__packed_by_protobuf__is_the_same_bytes(void **state)
{
    struct member_message message;
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];
    uint8_t packed[MEMBER_DATAGRAM_BYTES_MAX];
    struct rng rng;
    (void)state;

    rng_init(&rng, 22);
    for (int i = 0; i < ROUNDS; i++) {
        draw(&rng, &message);
        uint32_t len = member_message_encode(&message, bytes);
        Carillon__MemberMessage *read = carillon__member_message__unpack(NULL, len, bytes);
        assert_non_null(read);
        assert_int_equal(read->to, message.to);
        assert_int_equal(read->target, message.target);
        assert_int_equal(read->n_claims, message.claim_count);
        for (uint32_t at = 0; at < message.claim_count; at++) {
            const struct member_claim *claim = &message.claims[at];
            assert_int_equal(read->claims[at]->id, claim->id);
            assert_int_equal(read->claims[at]->age_ms, claim->age_ms);
            assert_int_equal(read->claims[at]->n_accusers, claim->accuser_count);
        }
        assert_int_equal(carillon__member_message__get_packed_size(read), len);
        (void)carillon__member_message__pack(read, packed);
        assert_memory_equal(packed, bytes, len);
        carillon__member_message__free_unpacked(read, NULL);
    }
}

static void message__cut_or_spoilt__is_refused_or_another(void **state)
{
    struct member_message message;
    struct member_message read;
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];
    struct rng rng;
    (void)state;

    rng_init(&rng, 23);
    assert_int_equal(member_message_decode(SLICE_NONE, &read), ERR_MALFORMED);
    for (int i = 0; i < 200; i++) {
        draw(&rng, &message);
        uint32_t len = member_message_encode(&message, bytes);
        for (uint32_t cut = 0; cut < len; cut++) {
            int status = member_message_decode(slice_from(bytes, cut), &read);
            assert_true(status == OK || status == ERR_MALFORMED);
        }
        for (int spoilt = 0; spoilt < 100; spoilt++) {
            size_t at = rng_below(&rng, len);
            uint8_t kept = bytes[at];
            bytes[at] ^= (uint8_t)(1U << rng_below(&rng, 8));
            int status = member_message_decode(slice_from(bytes, len), &read);
            assert_true(status == OK || status == ERR_MALFORMED || status == ERR_TOO_LARGE);
            bytes[at] = kept;
        }
    }
}

static void message__beyond_its_limits__is_refused(void **state)
{
    /* type 5, from 1, to 2, incarnation 1; then claims of id 3, state 1 */
    static const uint8_t head[] = {0x08, 5, 0x11, 1, 0, 0, 0, 0, 0, 0,    0,
                                   0x19, 2, 0,    0, 0, 0, 0, 0, 0, 0x20, 1};
    static const uint8_t claim[] = {0x42, 11, 0x09, 3, 0, 0, 0, 0, 0, 0, 0, 0x18, 1};
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX + 1] = {0};
    struct member_message read;
    uint32_t len = sizeof head;
    (void)state;

    memcpy(bytes, head, sizeof head);
    for (uint32_t i = 0; i < MEMBER_CLAIMS_MAX; i++, len += sizeof claim) {
        assert_int_equal(member_message_decode(slice_from(bytes, len), &read), OK);
        assert_int_equal(read.claim_count, i);
        memcpy(bytes + len, claim, sizeof claim);
    }
    assert_int_equal(member_message_decode(slice_from(bytes, len), &read), OK);
    memcpy(bytes + len, claim, sizeof claim);
    assert_int_equal(member_message_decode(slice_from(bytes, len + sizeof claim), &read),
                     ERR_TOO_LARGE);
    assert_int_equal(member_message_decode(slice_from(bytes, sizeof bytes), &read),
                     ERR_TOO_LARGE);
    bytes[1] = MEMBER_MESSAGE_NR;
    assert_int_equal(member_message_decode(slice_from(bytes, sizeof head), &read),
                     ERR_MALFORMED);
    bytes[1] = MEMBER_GOSSIP;
    bytes[sizeof head + sizeof claim - 1] = MEMBER_STATE_NR;
    assert_int_equal(
        member_message_decode(slice_from(bytes, sizeof head + sizeof claim), &read),
        ERR_MALFORMED);
    bytes[sizeof head - 1] = 0; /* no incarnation */
    assert_int_equal(member_message_decode(slice_from(bytes, sizeof head), &read),
                     ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message__encoded__decodes_to_the_same),
        cmocka_unit_test(message__packed_by_protobuf__is_the_same_bytes),
        cmocka_unit_test(message__cut_or_spoilt__is_refused_or_another),
        cmocka_unit_test(message__beyond_its_limits__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
