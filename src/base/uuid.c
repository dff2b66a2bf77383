#include "base/uuid.h"

#include <stdbool.h>

struct uuid uuid_make(uint64_t unix_ms, const uint8_t random[10])
{
    struct uuid uuid;
    for (int i = 0; i < 6; i++) {
        uuid.bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    }
    memcpy(uuid.bytes + 6, random, 10);
    uuid.bytes[6] = (uint8_t)(0x70 | (uuid.bytes[6] & 0x0f));
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f));
    return uuid;
}

uint64_t uuid_unix_ms(const struct uuid *uuid)
{
    uint64_t unix_ms = 0;
    for (int i = 0; i < 6; i++) {
        unix_ms = unix_ms << 8 | uuid->bytes[i];
    }
    return unix_ms;
}

bool uuid_is_v7(const struct uuid *uuid)
{
    return uuid->bytes[6] >> 4 == 7 && uuid->bytes[8] >> 6 == 2;
}

/* Whether a hyphen stands before byte @i: 8-4-4-4-12 digits. */
static bool has_hyphen(int i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < UUID_BYTES; i++) {
        if (has_hyphen(i)) {
            *out++ = '-';
        }
        *out++ = digits[uuid->bytes[i] >> 4];
        *out++ = digits[uuid->bytes[i] & 0x0f];
    }
    *out = 0;
}

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(struct slice text, struct uuid *ret_uuid)
{
    if (text.len != UUID_TEXT_BYTES) {
        return ERR_MALFORMED;
    }
    struct uuid uuid;
    const uint8_t *at = text.data;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (has_hyphen(i) && *at++ != '-') {
            return ERR_MALFORMED;
        }
        int high = digit_value(at[0]);
        int low = digit_value(at[1]);
        if (high < 0 || low < 0) {
            return ERR_MALFORMED;
        }
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *ret_uuid = uuid;
    return OK;
}
