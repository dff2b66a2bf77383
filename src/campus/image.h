/* campus/image.h -- one object's bytes in a snapshot: what is state, and nothing that can be
 * derived.
 *
 * Layer: campus (base, wire)
 *
 * An image holds ordinals, which are the same wherever the same entries were applied; the hash
 * of a state is the sum of its images' hashes.
 */
#ifndef CARILLON_CAMPUS_IMAGE_H
#define CARILLON_CAMPUS_IMAGE_H

#include "base/buf.h"
#include "campus/campus.h"
#include "campus/import.h"
#include "wire/pack.h"

/* Append the image to @out, whose bound is the caller's promise. */
void campus_image_word(const struct campus *campus, uint32_t word, struct buf *out);
void campus_image_code(const struct campus *campus, uint32_t code, struct buf *out);
void campus_image_catalogue(const struct campus *campus, uint32_t catalogue, struct buf *out);
void campus_image_course(const struct campus *campus, uint32_t course, struct buf *out);
void campus_image_section(const struct campus *campus, uint32_t section, struct buf *out);
void campus_image_document(const struct campus *campus, uint32_t document, struct buf *out);
void campus_image_student(const struct campus *campus, uint32_t student, struct buf *out);
void campus_image_import(const struct campus *campus, uint32_t slot, struct buf *out);
void campus_image_staged(const struct campus *campus, uint32_t slot, uint32_t item,
                         struct buf *out);
void campus_image_removed(const struct campus *campus, uint32_t slot, uint32_t item,
                          struct buf *out);

/* Read an image back into the tables. Errors: ERR_DAMAGED. */
int campus_load_word(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_code(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_catalogue(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_course(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_section(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_document(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_student(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_import(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_staged(struct campus *campus, struct unpack *in) CHECKED;
int campus_load_removed(struct campus *campus, struct unpack *in) CHECKED;

/* Packing into a buffer that is large enough: anything else is a programmer's error. The bytes
 * are those of pack_u64 and its kin; a snapshot or a hash has millions of fields, most of them
 * one byte, so the usual one costs no call. */
void campus_image_grow(struct buf *out, size_t len);

/* Where @len more bytes go. */
static inline uint8_t *image_room(struct buf *out, size_t len)
{
    if (out->cap - out->len < len) {
        campus_image_grow(out, len);
    }
    return out->data + out->len;
}

static inline void image_u64(struct buf *out, uint64_t value)
{
    uint8_t *to = image_room(out, PACK_U64_BYTES_MAX);

    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    out->len = (size_t)(to - out->data);
}

static inline void image_fixed64(struct buf *out, uint64_t value)
{
    uint8_t *to = image_room(out, sizeof value);

    for (size_t i = 0; i < sizeof value; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
    out->len += sizeof value;
}

/* Without a length: for what always has the same. */
static inline void image_raw(struct buf *out, struct slice bytes)
{
    uint8_t *to = image_room(out, bytes.len);

    if (bytes.len > 0) {
        memcpy(to, bytes.data, bytes.len);
        out->len += bytes.len;
    }
}

static inline void image_bytes(struct buf *out, struct slice bytes)
{
    image_u64(out, bytes.len);
    image_raw(out, bytes);
}

/* As unpack_u64 and its kin, for the millions of fields of a snapshot: without a call for the
 * usual ones. */
static inline uint64_t load_u64(struct unpack *in)
{
    uint64_t value = 0;

    for (size_t i = 0; i < in->rest.len && i < PACK_U64_BYTES_MAX - 1; i++) {
        uint8_t byte = in->rest.data[i];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            in->rest.data += i + 1;
            in->rest.len -= i + 1;
            return value;
        }
    }
    return unpack_u64(in); /* the longest numbers, and what is malformed */
}

static inline struct slice load_bytes(struct unpack *in)
{
    uint64_t len = load_u64(in);

    if (in->failed || len > in->rest.len) {
        in->failed = true;
        in->rest.len = 0;
        return SLICE_NONE;
    }
    struct slice bytes = slice_from(in->rest.data, (size_t)len);

    in->rest.data += len;
    in->rest.len -= (size_t)len;
    return bytes;
}

static inline uint64_t load_u64_max(struct unpack *in, uint64_t max)
{
    uint64_t value = load_u64(in);

    if (value > max) {
        in->failed = true;
        in->rest.len = 0;
        return 0;
    }
    return value;
}

/* An ordinal that may be CAMPUS_NONE, as ordinal + 1. */
static inline void image_ordinal(struct buf *out, uint32_t ordinal)
{
    image_u64(out, (uint64_t)(uint32_t)(ordinal + 1));
}

/* The same back: CAMPUS_NONE, or less than @count; else the reading fails. */
static inline uint32_t load_ordinal(struct unpack *in, uint32_t count)
{
    return (uint32_t)load_u64_max(in, count) - 1;
}

/* One that must be there. */
static inline uint32_t load_index(struct unpack *in, uint32_t count)
{
    uint32_t ordinal = load_ordinal(in, count);

    in->failed = in->failed || ordinal == CAMPUS_NONE;
    return in->failed ? 0 : ordinal;
}

#endif
