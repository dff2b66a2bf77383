#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "base/uuid.h"

/* RFC 9562 appendix A.6: 2022-02-22 14:22:22 GMT-5, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F. */
static const char rfc_example[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
static const uint64_t rfc_unix_ms = 1645557742000;

static void uuid_make__example_of_the_rfc__gives_its_text(void **state)
{
    (void)state;
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc,
                                       0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct uuid uuid = uuid_make(rfc_unix_ms, random);
    char text[UUID_TEXT_BYTES + 1];
    uuid_format(&uuid, text);
    assert_string_equal(text, rfc_example);
    assert_true(uuid_unix_ms(&uuid) == rfc_unix_ms);
    assert_true(uuid_is_v7(&uuid));
}

static void uuid_make__any_random_bytes__has_version_and_variant(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 41);
    for (int i = 0; i < 1000; i++) {
        uint8_t random[10];
        rng_fill(&rng, random, sizeof random);
        uint64_t unix_ms = rng_below(&rng, 1ULL << 48);
        struct uuid uuid = uuid_make(unix_ms, random);
        assert_true(uuid_is_v7(&uuid));
        assert_true(uuid_unix_ms(&uuid) == unix_ms);
        char text[UUID_TEXT_BYTES + 1];
        struct uuid again;
        uuid_format(&uuid, text);
        assert_int_equal(strlen(text), UUID_TEXT_BYTES);
        assert_int_equal(uuid_parse(slice_from_text(text), &again), OK);
        assert_memory_equal(&uuid, &again, sizeof uuid);
    }
}

static void uuid_make__later_time__sorts_later(void **state)
{
    (void)state;
    static const uint8_t high[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t low[10] = {0};
    struct uuid earlier = uuid_make(1000, high);
    struct uuid later = uuid_make(1001, low);
    assert_true(memcmp(earlier.bytes, later.bytes, UUID_BYTES) < 0);
}

static void uuid_is_v7__other_versions_and_variants__are_not(void **state)
{
    (void)state;
    struct uuid uuid;
    assert_int_equal(uuid_parse(slice_from_text(rfc_example), &uuid), OK);
    for (unsigned version = 0; version < 16; version++) {
        uuid.bytes[6] = (uint8_t)(version << 4);
        assert_int_equal(uuid_is_v7(&uuid), version == 7);
    }
    uuid.bytes[6] = 0x70;
    for (unsigned variant = 0; variant < 4; variant++) {
        uuid.bytes[8] = (uint8_t)(variant << 6);
        assert_int_equal(uuid_is_v7(&uuid), variant == 2);
    }
    struct uuid zeroed = {{0}};
    assert_false(uuid_is_v7(&zeroed));
}

static void uuid_parse__upper_case__is_accepted(void **state)
{
    (void)state;
    struct uuid lower;
    struct uuid upper;
    assert_int_equal(uuid_parse(slice_from_text(rfc_example), &lower), OK);
    assert_int_equal(uuid_parse(SLICE_LITERAL("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &upper),
                     OK);
    assert_memory_equal(&lower, &upper, sizeof lower);
}

static void uuid_parse__any_single_damage__is_refused_and_writes_nothing(void **state)
{
    (void)state;
    struct uuid untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    struct uuid uuid = untouched;
    char text[UUID_TEXT_BYTES + 2];
    for (size_t len = 0; len < UUID_TEXT_BYTES; len++) {
        assert_int_equal(uuid_parse(slice_from(rfc_example, len), &uuid), ERR_MALFORMED);
    }
    for (size_t at = 0; at < UUID_TEXT_BYTES; at++) {
        for (const char *bad = "g/:@`G{- \x80"; *bad != 0; bad++) {
            memcpy(text, rfc_example, sizeof rfc_example);
            if (text[at] == *bad) {
                continue;
            }
            text[at] = *bad;
            assert_int_equal(uuid_parse(slice_from_text(text), &uuid), ERR_MALFORMED);
        }
    }
    memcpy(text, rfc_example, sizeof rfc_example);
    strcat(text, "0");
    assert_int_equal(uuid_parse(slice_from_text(text), &uuid), ERR_MALFORMED);
    text[8] = '0'; /* a digit where a hyphen belongs */
    text[36] = 0;
    assert_int_equal(uuid_parse(slice_from_text(text), &uuid), ERR_MALFORMED);
    assert_memory_equal(&uuid, &untouched, sizeof uuid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuid_make__example_of_the_rfc__gives_its_text),
        cmocka_unit_test(uuid_make__any_random_bytes__has_version_and_variant),
        cmocka_unit_test(uuid_make__later_time__sorts_later),
        cmocka_unit_test(uuid_is_v7__other_versions_and_variants__are_not),
        cmocka_unit_test(uuid_parse__upper_case__is_accepted),
        cmocka_unit_test(uuid_parse__any_single_damage__is_refused_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
