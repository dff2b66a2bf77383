/* tests/unit/test_identity_seal.c -- sealed datagrams: made by the key alone, taken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "identity/seal.h"

enum { TEXT_LEN = 33, BYTES_LEN = TEXT_LEN + SEAL_BYTES };

static const uint8_t key[SEAL_KEY_BYTES] = {1, 2, 3};
static const uint8_t other_key[SEAL_KEY_BYTES] = {1, 2, 4};
static const struct seal_head head = {.from = 0x1122334455667788, .flags = 5};

struct pair {
    struct seal_sender sender;
    struct seal_receiver receiver;
    uint8_t text[TEXT_LEN];
    uint8_t opened[TEXT_LEN];
    uint8_t bytes[BYTES_LEN];
};

static void begin(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    seal_sender_init(&pair->sender, key);
    seal_receiver_init(&pair->receiver, key);
    for (int i = 0; i < TEXT_LEN; i++) {
        pair->text[i] = (uint8_t)(3 * i);
    }
}

static void make(struct pair *pair, uint8_t *ret_bytes)
{
    assert_int_equal(
        seal_make(&pair->sender, &head, slice_from(pair->text, TEXT_LEN), ret_bytes), BYTES_LEN);
}

static int take(struct pair *pair, const uint8_t *bytes)
{
    return seal_open(&pair->receiver, slice_from(bytes, BYTES_LEN), pair->opened);
}

static void datagram__sealed__is_opened_by_the_same_key(void **state)
{
    struct pair pair;
    struct seal_head read;

    (void)state;
    begin(&pair);
    make(&pair, pair.bytes);
    assert_int_equal(seal_read_head(slice_from(pair.bytes, BYTES_LEN), &read), OK);
    assert_true(read.from == head.from && read.flags == head.flags);
    assert_int_equal(take(&pair, pair.bytes), OK);
    assert_memory_equal(pair.opened, pair.text, TEXT_LEN);
    for (size_t i = 0; i + 8 <= TEXT_LEN; i++) { /* nothing of it can be read on the way */
        assert_null(memmem(pair.bytes, BYTES_LEN, pair.text + i, 8));
    }
    seal_receiver_init(&pair.receiver, other_key);
    assert_int_equal(take(&pair, pair.bytes), ERR_UNAUTHENTICATED);
}

/* Any bit of it, those that stand in the open included; and what was refused moves nothing. */
static void datagram__with_a_bit_changed__is_not_opened(void **state)
{
    struct pair pair;

    (void)state;
    begin(&pair);
    make(&pair, pair.bytes);
    for (size_t bit = 0; bit < (size_t)8 * BYTES_LEN; bit++) {
        pair.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(take(&pair, pair.bytes), OK);
        pair.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len <= SEAL_BYTES; len++) {
        assert_int_equal(seal_open(&pair.receiver, slice_from(pair.bytes, len), pair.opened),
                         ERR_MALFORMED);
    }
    assert_int_equal(take(&pair, pair.bytes), OK);
}

static void datagram__repeated__is_taken_once(void **state)
{
    struct pair pair;
    static uint8_t sent[3 * SEAL_WINDOW][BYTES_LEN];

    (void)state;
    begin(&pair);
    for (int i = 0; i < 3 * SEAL_WINDOW; i++) {
        make(&pair, sent[i]);
    }
    for (int i = SEAL_WINDOW; i >= 1; i--) { /* backwards, as far as the window goes */
        assert_int_equal(take(&pair, sent[i]), OK);
        assert_int_equal(take(&pair, sent[i]), ERR_EXISTS);
    }
    assert_int_equal(take(&pair, sent[0]), ERR_EXISTS); /* too old to tell */
    assert_int_equal(take(&pair, sent[2 * SEAL_WINDOW]), OK);
    for (int i = 1; i <= 2 * SEAL_WINDOW; i++) {
        bool is_due = i > SEAL_WINDOW && i != 2 * SEAL_WINDOW;

        assert_int_equal(take(&pair, sent[i]), is_due ? OK : ERR_EXISTS);
    }
    assert_int_equal(take(&pair, sent[3 * SEAL_WINDOW - 1]), OK);
}

/* Two datagrams with the same text have nothing in common. */
static void datagram__of_the_same_text__is_another(void **state)
{
    struct pair pair;
    uint8_t second[BYTES_LEN];

    (void)state;
    begin(&pair);
    make(&pair, pair.bytes);
    make(&pair, second);
    assert_memory_not_equal(pair.bytes + SEAL_HEAD_BYTES, second + SEAL_HEAD_BYTES, TEXT_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagram__sealed__is_opened_by_the_same_key),
        cmocka_unit_test(datagram__with_a_bit_changed__is_not_opened),
        cmocka_unit_test(datagram__repeated__is_taken_once),
        cmocka_unit_test(datagram__of_the_same_text__is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
