#include "wire/pack.h"

/* Write where there is room. Returns: how many bytes. */
static size_t write_u64(uint8_t *at, uint64_t value)
{
    size_t n = 0;

    while (value >= 0x80) {
        at[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[n++] = (uint8_t)value;
    return n;
}

int pack_u64(struct buf *out, uint64_t value)
{
    uint8_t bytes[PACK_U64_BYTES_MAX];

    if (out->cap - out->len >= PACK_U64_BYTES_MAX) {
        out->len += write_u64(out->data + out->len, value);
        return OK;
    }
    return buf_append(out, bytes, write_u64(bytes, value));
}

int pack_bytes(struct buf *out, struct slice bytes)
{
    size_t needed = PACK_U64_BYTES_MAX + bytes.len;
    int rc = out->cap - out->len >= needed ? OK : buf_reserve(out, needed);

    if (rc != OK) {
        return rc;
    }
    out->len += write_u64(out->data + out->len, bytes.len);
    if (bytes.len > 0) {
        memcpy(out->data + out->len, bytes.data, bytes.len);
        out->len += bytes.len;
    }
    return OK;
}

int pack_fixed64(struct buf *out, uint64_t value)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    return buf_append(out, bytes, sizeof bytes);
}

static uint64_t fail(struct unpack *in)
{
    in->failed = true;
    in->rest = SLICE_NONE;
    return 0;
}

static void advance(struct unpack *in, size_t n)
{
    in->rest.data += n;
    in->rest.len -= n;
}

uint64_t unpack_u64_long(struct unpack *in)
{
    uint64_t value = 0;

    for (size_t i = 0; i < PACK_U64_BYTES_MAX && i < in->rest.len; i++) {
        uint8_t byte = in->rest.data[i];

        if (i == PACK_U64_BYTES_MAX - 1 && byte > 1) {
            return fail(in); /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            advance(in, i + 1);
            return value;
        }
    }
    return fail(in);
}

uint64_t unpack_u64_max(struct unpack *in, uint64_t max)
{
    uint64_t value = unpack_u64(in);

    return value <= max ? value : fail(in);
}

uint64_t unpack_fixed64(struct unpack *in)
{
    uint64_t value = 0;

    if (in->rest.len < 8) {
        return fail(in);
    }
    for (size_t i = 0; i < 8; i++) {
        value |= (uint64_t)in->rest.data[i] << (8 * i);
    }
    advance(in, 8);
    return value;
}

struct slice unpack_bytes(struct unpack *in)
{
    uint64_t len = unpack_u64(in);

    if (in->failed || len > in->rest.len) {
        fail(in);
        return SLICE_NONE;
    }
    struct slice bytes = slice_from(in->rest.data, (size_t)len);

    advance(in, (size_t)len);
    return bytes;
}
