/* Whatever bytes stand in a snapshot: the reader ends, keeps to its bounds, and takes nothing
 * that does not verify. The first byte says how much of the input is repaired first, so that
 * inputs get past the checksums. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "log/bytes.h"
#include "log/snapshot_format.h"

enum { REPAIR_SUMS = 1, REPAIR_FOOTER = 2 };

struct counted {
    struct slice file;
    uint64_t bytes;
    uint64_t chunks;
};

static int read_file(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len)
{
    const struct counted *counted = context;
    struct slice part = slice_sub(counted->file, offset, len);

    if (part.len > 0) {
        memcpy(data, part.data, part.len);
    }
    *ret_len = part.len;
    return OK;
}

static int begin(void *context, const struct log_snapshot_info *info)
{
    (void)context;
    ASSERT(info->configuration_bytes <= LOG_SNAPSHOT_CONFIGURATION_MAX);
    return OK;
}

static int chunk(void *context, struct slice bytes)
{
    struct counted *counted = context;

    ASSERT(bytes.len > 0 && bytes.len <= LOG_SNAPSHOT_RAW_MAX);
    counted->bytes += bytes.len;
    counted->chunks++;
    return OK;
}

static void reseal(uint8_t *at, size_t len)
{
    bytes_put_u32(at + 4, crc32c(0, at + 8, len - 8));
}

/* Returns: the header's bytes. */
static size_t repair_header(uint8_t *file, size_t size)
{
    size_t whole = SNAPSHOT_HEADER_BYTES;

    memcpy(file, "CLRS", 4);
    if (bytes_get_u32(file + 8) == LOG_SNAPSHOT_FORMAT) {
        uint32_t len = bytes_get_u32(file + 48) % (LOG_SNAPSHOT_CONFIGURATION_MAX + 1);
        size_t padded = (len + 7U) & ~(size_t)7;
        if (whole + padded + SNAPSHOT_FOOTER_BYTES > size) {
            len = 0;
            padded = 0;
        }
        bytes_put_u32(file + 48, len);
        bytes_put_u32(file + 52, crc32c(0, file + whole, padded));
        whole += padded;
    }
    reseal(file, SNAPSHOT_HEADER_BYTES);
    return whole;
}

static void repair(uint8_t *file, size_t size, uint8_t how)
{
    struct snapshot_footer footer = {0, 0, 0, 0};

    if (size < SNAPSHOT_HEADER_BYTES + SNAPSHOT_FOOTER_BYTES || (how & REPAIR_SUMS) == 0) {
        return;
    }
    size_t at = repair_header(file, size);
    footer.hash = hash_bytes_seeded(0, file, at);
    while (at + SNAPSHOT_CHUNK_BYTES + SNAPSHOT_FOOTER_BYTES < size &&
           snapshot_is_chunk(file + at)) {
        size_t room = size - at - SNAPSHOT_CHUNK_BYTES - SNAPSHOT_FOOTER_BYTES;
        size_t packed = bytes_get_u32(file + at + 8) % (room + 1);
        struct snapshot_chunk header = {(uint32_t)packed, bytes_get_u32(file + at + 12),
                                        footer.chunks};
        snapshot_chunk_encode(&header, file + at + SNAPSHOT_CHUNK_BYTES, file + at);
        footer.hash = hash_bytes_seeded(footer.hash, file + at, SNAPSHOT_CHUNK_BYTES + packed);
        footer.chunks++;
        footer.raw_bytes += header.raw;
        at += SNAPSHOT_CHUNK_BYTES + packed;
    }
    footer.bytes = at;
    if ((how & REPAIR_FOOTER) != 0) {
        snapshot_footer_encode(&footer, file + at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct counted counted = {.bytes = 0};
    struct log_snapshot_source source = {&counted, read_file};
    struct log_snapshot_sink sink = {&counted, begin, chunk};
    uint64_t offset;

    if (size < 1 || size > 1 << 16) {
        return 0;
    }
    uint8_t *file = malloc(size);
    ASSERT(file != NULL);
    memcpy(file, data + 1, size - 1);
    repair(file, size - 1, data[0]);
    counted.file = slice_from(file, size - 1);
    int status = log_snapshot_read(&source, &sink, &offset);
    ASSERT(status == OK || status == ERR_DAMAGED || status == ERR_VERSION);
    ASSERT(offset <= size - 1);
    if (status == OK) {
        ASSERT(offset + SNAPSHOT_FOOTER_BYTES == size - 1);
    }
    free(file);
    return 0;
}
