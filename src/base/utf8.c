#include "base/utf8.h"

#include "base/assert.h"

enum { REPLACEMENT = 0xfffd };

/* The length of the well-formed sequence at @at, 0 for none. The ranges of the second byte are
 * those of table 3-7 of the Unicode Standard: they alone exclude overlong forms, surrogates and
 * what lies beyond U+10FFFF. */
static size_t sequence_len(struct slice s, size_t at)
{
    const uint8_t *bytes = s.data + at;
    size_t left = s.len - at;
    uint8_t lead = bytes[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    size_t len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (left < len || bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

size_t utf8_valid_prefix(struct slice s)
{
    size_t at = 0;
    while (at < s.len) {
        size_t len = sequence_len(s, at);
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

uint32_t utf8_decode(struct slice s, size_t at, size_t *ret_len)
{
    ASSERT(at < s.len);
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t len = sequence_len(s, at);
    if (len == 0) {
        *ret_len = 1;
        return REPLACEMENT;
    }
    uint32_t code_point = s.data[at] & lead_bits[len];
    for (size_t i = 1; i < len; i++) {
        code_point = code_point << 6 | (s.data[at + i] & 0x3fU);
    }
    *ret_len = len;
    return code_point;
}

size_t utf8_encode(uint32_t code_point, uint8_t out[UTF8_BYTES_MAX])
{
    ASSERT(code_point <= 0x10ffff);
    ASSERT(code_point < 0xd800 || code_point > 0xdfff);
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (uint8_t)(lead[len] | code_point);
    return len;
}
