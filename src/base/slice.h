/* base/slice.h -- a borrowed run of bytes, and the string functions we need on it.
 *
 * Layer: base
 *
 * A slice never owns. It is passed by value. Text in a slice is UTF-8 and not terminated.
 */
#ifndef CARILLON_BASE_SLICE_H
#define CARILLON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;          /* bytes */
};

#define SLICE_NONE          ((struct slice){NULL, 0})
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)("" text), sizeof(text) - 1})

static inline struct slice slice_from(const void *data, size_t len)
{
    return (struct slice){data, len};
}

/* The bytes of a terminated string, without the terminator; NULL gives the empty slice. */
static inline struct slice slice_from_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

bool slice_is_equal(struct slice a, struct slice b);

/* memcmp order, a shorter prefix first: -1, 0 or 1. */
int slice_compare(struct slice a, struct slice b);

/* Whether @s begins with @prefix. */
bool slice_has_prefix(struct slice s, struct slice prefix);

/* The part of @s from @from (clamped to the length) with at most @len bytes. */
struct slice slice_sub(struct slice s, size_t from, size_t len);

/* Cut @s at the first @separator: @ret_head is what stands before it, @ret_tail what follows.
 * Returns: false, with all of @s in @ret_head, when there is no separator. */
bool slice_cut(struct slice s, char separator, struct slice *ret_head, struct slice *ret_tail);

/* @s without ASCII white space at both ends. */
struct slice slice_trim(struct slice s);

/* Read a decimal number that fills the whole slice. Errors: ERR_MALFORMED, ERR_TOO_LARGE past
 * @max. */
int slice_parse_u64(struct slice s, uint64_t max, uint64_t *ret_value)
    __attribute__((warn_unused_result));

#endif
