#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "base/rng.h"

/* RFC 3720 appendix B.4, and the check value of the catalogue of CRC algorithms. */
static void crc32c__published_vectors__match(void **state)
{
    (void)state;
    uint8_t bytes[32];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x113fdb5c);
    static const uint8_t scsi_read[48] = {
        [0] = 0x01,  [1] = 0xc0,  [16] = 0x14, [22] = 0x04,
        [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
    };
    assert_int_equal(crc32c(0, scsi_read, sizeof scsi_read), 0xd9963a56);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void crc32c__table_and_instruction__agree_at_every_length_and_alignment(void **state)
{
    (void)state;
    uint8_t bytes[600];
    struct rng rng;
    rng_init(&rng, 21);
    rng_fill(&rng, bytes, sizeof bytes);
    for (size_t from = 0; from < 9; from++) {
        for (size_t len = 0; len <= sizeof bytes - from; len++) {
            uint32_t start = (uint32_t)rng_next(&rng);
            uint32_t expected = crc32c_portable(start, bytes + from, len);
            assert_int_equal(crc32c(start, bytes + from, len), expected);
        }
    }
}

/* The definition, bit by bit: what both fast forms are measured against. */
static uint32_t crc32c_by_bits(uint32_t crc, const uint8_t *bytes, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78U : crc >> 1;
        }
    }
    return ~crc;
}

static void crc32c__both_forms__match_the_definition(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct rng rng;
    rng_init(&rng, 22);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        rng_fill(&rng, bytes, len);
        uint32_t expected = crc32c_by_bits(0, bytes, len);
        assert_int_equal(crc32c(0, bytes, len), expected);
        assert_int_equal(crc32c_portable(0, bytes, len), expected);
    }
}

static void crc32c__continued_in_parts__equals_the_whole(void **state)
{
    (void)state;
    uint8_t bytes[300];
    struct rng rng;
    rng_init(&rng, 23);
    rng_fill(&rng, bytes, sizeof bytes);
    uint32_t whole = crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t crc = crc32c(0, bytes, cut);
        assert_int_equal(crc32c(crc, bytes + cut, sizeof bytes - cut), whole);
        crc = crc32c_portable(0, bytes, cut);
        assert_int_equal(crc32c_portable(crc, bytes + cut, sizeof bytes - cut), whole);
    }
}

static void crc32c__any_flipped_bit__changes_it(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct rng rng;
    rng_init(&rng, 24);
    rng_fill(&rng, bytes, sizeof bytes);
    uint32_t whole = crc32c(0, bytes, sizeof bytes);
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_not_equal(crc32c(0, bytes, sizeof bytes), whole);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

/* Stored data relies on these numbers; the first is in the test suite of xxHash itself. */
static void hash_bytes__known_inputs__never_change(void **state)
{
    (void)state;
    assert_true(hash_bytes("", 0) == 0x2d06800538d394c2ULL);
    assert_true(hash_bytes("abc", 3) == 0x78af5f94892f3950ULL);
    assert_true(hash_slice(SLICE_LITERAL("abc")) == hash_bytes("abc", 3));
    assert_true(hash_bytes_seeded(0, "abc", 3) == hash_bytes("abc", 3));
    assert_true(hash_bytes_seeded(1, "abc", 3) != hash_bytes("abc", 3));
}

static void hash_u64__neighbours__differ_in_about_half_the_bits(void **state)
{
    (void)state;
    unsigned changed = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        changed += (unsigned)__builtin_popcountll(hash_u64(i) ^ hash_u64(i + 1));
    }
    assert_in_range(changed, 31000, 33000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c__published_vectors__match),
        cmocka_unit_test(crc32c__table_and_instruction__agree_at_every_length_and_alignment),
        cmocka_unit_test(crc32c__both_forms__match_the_definition),
        cmocka_unit_test(crc32c__continued_in_parts__equals_the_whole),
        cmocka_unit_test(crc32c__any_flipped_bit__changes_it),
        cmocka_unit_test(hash_bytes__known_inputs__never_change),
        cmocka_unit_test(hash_u64__neighbours__differ_in_about_half_the_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
