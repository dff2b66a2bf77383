#include "wire/pack.h"

int pack_u64(struct buf *out, uint64_t value)
{
    uint8_t bytes[PACK_U64_BYTES_MAX];
    size_t n = 0;

    while (value >= 0x80) {
        bytes[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (uint8_t)value;
    return buf_append(out, bytes, n);
}

int pack_bytes(struct buf *out, struct slice bytes)
{
    int rc = buf_reserve(out, PACK_U64_BYTES_MAX + bytes.len);

    if (rc != OK) {
        return rc;
    }
    rc = pack_u64(out, bytes.len);
    return rc == OK ? buf_append_slice(out, bytes) : rc;
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

uint64_t unpack_u64(struct unpack *in)
{
    uint64_t value = 0;

    for (size_t i = 0; i < PACK_U64_BYTES_MAX && i < in->rest.len; i++) {
        uint8_t byte = in->rest.data[i];

        if (i == PACK_U64_BYTES_MAX - 1 && byte > 1) {
            return fail(in); /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            in->rest = slice_sub(in->rest, i + 1, SIZE_MAX);
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
    in->rest = slice_sub(in->rest, 8, SIZE_MAX);
    return value;
}

struct slice unpack_bytes(struct unpack *in)
{
    uint64_t len = unpack_u64(in);

    if (in->failed || len > in->rest.len) {
        fail(in);
        return SLICE_NONE;
    }
    struct slice bytes = slice_sub(in->rest, 0, (size_t)len);
    in->rest = slice_sub(in->rest, (size_t)len, SIZE_MAX);
    return bytes;
}
