#include "identity/encoding.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(struct slice bytes, char *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        *out++ = hex_digits[bytes.data[i] >> 4];
        *out++ = hex_digits[bytes.data[i] & 15];
    }
    *out = '\0';
}

/* The place of @c among @digits, or -1. */
static int digit_of(const char *digits, size_t count, uint8_t c)
{
    const char *at = memchr(digits, c, count);

    return at == NULL ? -1 : (int)(at - digits);
}

int hex_decode(struct slice text, uint8_t *out, size_t len)
{
    if (text.len != 2 * len) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < len; i++) {
        int high = digit_of(hex_digits, 16, text.data[2 * i]);
        int low = digit_of(hex_digits, 16, text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return ERR_MALFORMED;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return OK;
}

int base64_encode(struct slice bytes, struct buf *out)
{
    int rc = OK;

    for (size_t i = 0; rc == OK && i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t three = (uint32_t)bytes.data[i] << 16 |
                         (have > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (have > 2 ? bytes.data[i + 2] : 0);
        char four[4] = {
            base64_digits[three >> 18],
            base64_digits[three >> 12 & 63],
            (char)(have > 1 ? base64_digits[three >> 6 & 63] : '='),
            (char)(have > 2 ? base64_digits[three & 63] : '='),
        };

        rc = buf_append(out, four, sizeof four);
    }
    return rc;
}

/* Four digits, of which the last @pad are padding. */
static int quartet_decode(const uint8_t *four, size_t pad, struct buf *out)
{
    uint32_t three = 0;

    for (size_t i = 0; i < 4; i++) {
        int digit = i < 4 - pad ? digit_of(base64_digits, 64, four[i]) : 0;

        if (digit < 0) {
            return ERR_MALFORMED;
        }
        three = three << 6 | (uint32_t)digit;
    }
    const uint8_t bytes[3] = {(uint8_t)(three >> 16), (uint8_t)(three >> 8), (uint8_t)three};

    /* One way only to write a value: no bits beside it. */
    if ((pad == 1 && bytes[2] != 0) || (pad == 2 && bytes[1] != 0)) {
        return ERR_MALFORMED;
    }
    return buf_append(out, bytes, 3 - pad);
}

int base64_decode(struct slice text, struct buf *out)
{
    int rc = text.len % 4 == 0 ? OK : ERR_MALFORMED;

    for (size_t i = 0; rc == OK && i < text.len; i += 4) {
        bool is_last = i + 4 == text.len;
        size_t pad = !is_last || text.data[i + 3] != '=' ? 0 : text.data[i + 2] == '=' ? 2 : 1;

        rc = quartet_decode(text.data + i, pad, out);
    }
    return rc;
}
