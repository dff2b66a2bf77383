/* base/utf8.h -- UTF-8: check it, walk it, write it (RFC 3629: no surrogates, no overlong
 * forms, at most U+10FFFF).
 *
 * Layer: base
 */
#ifndef CARILLON_BASE_UTF8_H
#define CARILLON_BASE_UTF8_H

#include "base/slice.h"

enum { UTF8_BYTES_MAX = 4 };

/* The length of the longest prefix of @s that is well formed; s.len when all of it is. */
size_t utf8_valid_prefix(struct slice s);

static inline bool utf8_is_valid(struct slice s)
{
    return utf8_valid_prefix(s) == s.len;
}

/* Decode the code point at @at (at < s.len) and store its length in bytes; 0xFFFD with length 1
 * for a bad byte. */
uint32_t utf8_decode(struct slice s, size_t at, size_t *ret_len);

/* Write @code_point (valid) into @out. Returns: bytes written, 1..4. */
size_t utf8_encode(uint32_t code_point, uint8_t out[UTF8_BYTES_MAX]);

/* How many columns a terminal needs for the text: 0 for combining marks, 2 for wide East Asian
 * characters. */
size_t utf8_columns(struct slice s);

#endif
