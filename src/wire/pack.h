/* wire/pack.h -- a compact codec of varints and byte strings for snapshots and other bulk data
 * of ours.
 *
 * Layer: wire (base)
 *
 * Numbers are LEB128 (seven bits a byte, least significant first, at most ten bytes); byte
 * strings are a length and the bytes. Readers never trust: every get checks the bound, and the
 * first failure sticks, so that a decoder reads all its fields and asks once.
 */
#ifndef CARILLON_WIRE_PACK_H
#define CARILLON_WIRE_PACK_H

#include "base/buf.h"
#include "base/slice.h"

enum { PACK_U64_BYTES_MAX = 10 };

/* Append. Errors: ERR_FULL. */
int pack_u64(struct buf *out, uint64_t value) CHECKED;
int pack_bytes(struct buf *out, struct slice bytes) CHECKED;
int pack_fixed64(struct buf *out, uint64_t value) CHECKED;

struct unpack {
    struct slice rest;
    bool failed;
};

static inline struct unpack unpack_from(struct slice bytes)
{
    return (struct unpack){bytes, false};
}

/* The next value; 0 or the empty slice once anything has failed. Byte strings are borrowed from
 * the input. */
uint64_t unpack_u64_long(struct unpack *in); /* of several bytes; for unpack_u64 alone */

static inline uint64_t unpack_u64(struct unpack *in)
{
    uint64_t value;

    if (in->rest.len == 0 || in->rest.data[0] >= 0x80) {
        return unpack_u64_long(in);
    }
    value = in->rest.data[0]; /* nearly all of them */
    in->rest.data++;
    in->rest.len--;
    return value;
}

uint64_t unpack_fixed64(struct unpack *in);
struct slice unpack_bytes(struct unpack *in);

/* A number that must not exceed @max. */
uint64_t unpack_u64_max(struct unpack *in, uint64_t max);

/* Whether everything so far was well formed, and whether nothing is left. */
static inline bool unpack_is_ok(const struct unpack *in)
{
    return !in->failed;
}

static inline bool unpack_is_done(const struct unpack *in)
{
    return !in->failed && in->rest.len == 0;
}

#endif
