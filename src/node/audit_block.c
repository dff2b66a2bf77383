/* The audit trail's blocks and records as bytes. */
#include <stdio.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "node/audit_private.h"
#include "wire/pack.h"

static void put_u32(uint8_t *at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static uint64_t get_u64(const uint8_t *at)
{
    return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

void audit__header_encode(const struct audit_block_header *header,
                          uint8_t out[AUDIT_HEADER_BYTES])
{
    put_u32(out, AUDIT_MAGIC);
    put_u32(out + 4, header->crc);
    put_u32(out + 8, header->packed_bytes);
    put_u32(out + 12, header->raw_bytes);
    put_u64(out + 16, header->first);
    put_u64(out + 24, header->last);
    put_u64(out + 32, header->records);
}

int audit__header_decode(const uint8_t in[AUDIT_HEADER_BYTES],
                         struct audit_block_header *ret_header)
{
    struct audit_block_header header = {
        .crc = get_u32(in + 4),
        .packed_bytes = get_u32(in + 8),
        .raw_bytes = get_u32(in + 12),
        .first = get_u64(in + 16),
        .last = get_u64(in + 24),
        .records = get_u64(in + 32),
    };

    if (get_u32(in) != AUDIT_MAGIC || header.packed_bytes > AUDIT_PACKED_BYTES_MAX ||
        header.raw_bytes > AUDIT_PACKED_BYTES_MAX || header.first > header.last) {
        return ERR_DAMAGED;
    }
    *ret_header = header;
    return OK;
}

uint32_t audit__block_crc(const struct audit_block_header *header, struct slice payload)
{
    uint8_t bytes[AUDIT_HEADER_BYTES];

    audit__header_encode(header, bytes);
    return crc32c(crc32c(0, bytes + 8, sizeof bytes - 8), payload.data, payload.len);
}

int audit__record_encode(const struct audit_record *record, struct buf *out)
{
    const struct slice texts[] = {record->student, record->by, record->body, record->reply,
                                  record->notes};
    size_t start = out->len;
    int rc = pack_u64(out, record->index);

    rc = rc == OK ? pack_u64(out, record->wall_ms) : rc;
    rc = rc == OK ? pack_u64(out, record->method) : rc;
    rc = rc == OK ? pack_u64(out, record->status) : rc;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && rc == OK; i++) {
        rc = pack_bytes(out, slice_sub(texts[i], 0, AUDIT_FIELD_BYTES_MAX));
    }
    if (rc != OK) {
        out->len = start;
    }
    return rc;
}

int audit__record_decode(struct unpack *in, struct audit_record *ret_record)
{
    struct audit_record record = {
        .index = unpack_u64(in),
        .wall_ms = unpack_u64(in),
        .method = (uint32_t)unpack_u64_max(in, UINT32_MAX),
        .status = (uint32_t)unpack_u64_max(in, UINT32_MAX),
    };

    record.student = unpack_bytes(in);
    record.by = unpack_bytes(in);
    record.body = unpack_bytes(in);
    record.reply = unpack_bytes(in);
    record.notes = unpack_bytes(in);
    if (!unpack_is_ok(in)) {
        return ERR_DAMAGED;
    }
    *ret_record = record;
    return OK;
}

int audit__block_read(struct io *io, struct io_file *file, uint64_t offset, struct buf *packed,
                      struct buf *ret_raw, struct audit_block_header *ret_header)
{
    uint8_t bytes[AUDIT_HEADER_BYTES];
    struct audit_block_header header;
    size_t len;
    int rc = io_file_read(io, file, offset, bytes, sizeof bytes, &len);

    if (rc != OK || len == 0) {
        return rc != OK ? rc : ERR_EOF;
    }
    rc = len == sizeof bytes ? audit__header_decode(bytes, &header) : ERR_DAMAGED;
    if (rc != OK) {
        return rc;
    }
    buf_clear(packed);
    buf_clear(ret_raw);
    rc = buf_reserve(packed, header.packed_bytes);
    rc = rc == OK ? buf_reserve(ret_raw, header.raw_bytes) : rc;
    if (rc != OK) {
        return rc;
    }
    rc = io_file_read(io, file, offset + AUDIT_HEADER_BYTES, packed->data, header.packed_bytes,
                      &len);
    if (rc != OK) {
        return rc;
    }
    if (len != header.packed_bytes ||
        audit__block_crc(&header, slice_from(packed->data, len)) != header.crc ||
        ZSTD_decompress(ret_raw->data, header.raw_bytes, packed->data, len) !=
            header.raw_bytes) {
        return ERR_DAMAGED;
    }
    ret_raw->len = header.raw_bytes;
    *ret_header = header;
    return OK;
}

struct files_found {
    int (*found)(void *context, const char *name);
    void *context;
};

static int found_file(void *context, const char *name)
{
    const struct files_found *files = context;
    struct slice text = slice_from_text(name);

    if (!slice_has_prefix(text, SLICE_LITERAL("audit-"))) {
        return OK;
    }
    return files->found(files->context, name);
}

int audit__files(struct io *io, const char *folder,
                 int (*found)(void *context, const char *name), void *context)
{
    struct files_found files = {found, context};

    return io_folder_list(io, folder, found_file, &files);
}
