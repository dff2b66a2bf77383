#include "base/slice.h"

#include "base/assert.h"
#include "base/error.h"

bool slice_is_equal(struct slice a, struct slice b)
{
    /* memcmp must not see NULL, even for no bytes. */
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order == 0) {
        order = (a.len > b.len) - (a.len < b.len);
    }
    return (order > 0) - (order < 0);
}

bool slice_has_prefix(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_is_equal(slice_sub(s, 0, prefix.len), prefix);
}

struct slice slice_sub(struct slice s, size_t from, size_t len)
{
    ASSERT(s.data != NULL || s.len == 0);
    if (from > s.len) {
        from = s.len;
    }
    size_t rest = s.len - from;
    const uint8_t *start = s.data == NULL ? NULL : s.data + from;
    return (struct slice){start, len < rest ? len : rest};
}

bool slice_cut(struct slice s, char separator, struct slice *ret_head, struct slice *ret_tail)
{
    const uint8_t *at = s.len == 0 ? NULL : memchr(s.data, (unsigned char)separator, s.len);
    if (at == NULL) {
        *ret_head = s;
        *ret_tail = SLICE_NONE;
        return false;
    }
    size_t head_len = (size_t)(at - s.data);
    *ret_head = slice_sub(s, 0, head_len);
    *ret_tail = slice_sub(s, head_len + 1, s.len);
    return true;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

int slice_parse_u64(struct slice s, uint64_t max, uint64_t *ret_value)
{
    if (s.len == 0) {
        return ERR_MALFORMED;
    }
    uint64_t value = 0;
    bool is_too_large = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return ERR_MALFORMED;
        }
        uint64_t digit = (uint64_t)(s.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            is_too_large = true; /* go on: a stray letter further on is the better report */
            continue;
        }
        value = value * 10 + digit;
    }
    if (is_too_large || value > max) {
        return ERR_TOO_LARGE;
    }
    *ret_value = value;
    return OK;
}
