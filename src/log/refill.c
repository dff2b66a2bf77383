#include "log/refill.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "log/bytes.h"

/* "CLRL", version, count, flags, crc. */
enum {
    REFILL_FORMAT = 1,
    AT_VERSION = 4,
    AT_COUNT = 8,
    AT_FLAGS = 16,
    AT_CRC = 20,
    REFILL_BYTES = 24,
    FLAG_REFILLING = 1,
    FLAG_UNMADE = 2,
    NAME_BYTES = 64,
};

static int decode(const uint8_t *bytes, size_t len, struct log_refill *ret_refill)
{
    if (len != REFILL_BYTES || memcmp(bytes, "CLRL", 4) != 0 ||
        bytes_get_u32(bytes + AT_CRC) != crc32c(0, bytes, AT_CRC)) {
        return ERR_DAMAGED;
    }
    uint32_t flags = bytes_get_u32(bytes + AT_FLAGS);

    if (bytes_get_u32(bytes + AT_VERSION) != REFILL_FORMAT ||
        (flags & ~(uint32_t)(FLAG_REFILLING | FLAG_UNMADE)) != 0) {
        return ERR_VERSION;
    }
    *ret_refill = (struct log_refill){
        .count = bytes_get_u64(bytes + AT_COUNT),
        .is_refilling = (flags & FLAG_REFILLING) != 0,
        .is_unmade = (flags & FLAG_UNMADE) != 0,
    };
    return OK;
}

int log_refill_read(struct io *io, const char *folder, struct log_refill *ret_refill)
{
    char path[LOG_PATH_BYTES];
    uint8_t bytes[2 * REFILL_BYTES];
    struct io_file *file;
    size_t len;

    *ret_refill = (struct log_refill){0};
    int status = log_path_join(path, folder, "refill");
    if (status == OK) {
        status = io_file_open(io, path, IO_OPEN_READ, &file);
    }
    if (status != OK) {
        return status == ERR_GONE ? OK : status;
    }
    status = io_file_read(io, file, 0, bytes, sizeof bytes, &len);
    io_file_close(io, file);
    return status == OK ? decode(bytes, len, ret_refill) : status;
}

int log_refill_write(struct io *io, const char *folder, const struct log_refill *refill)
{
    uint8_t bytes[REFILL_BYTES];

    memcpy(bytes, "CLRL", 4);
    bytes_put_u32(bytes + AT_VERSION, REFILL_FORMAT);
    bytes_put_u64(bytes + AT_COUNT, refill->count);
    bytes_put_u32(bytes + AT_FLAGS, (refill->is_refilling ? (uint32_t)FLAG_REFILLING : 0) |
                                        (refill->is_unmade ? (uint32_t)FLAG_UNMADE : 0));
    bytes_put_u32(bytes + AT_CRC, crc32c(0, bytes, AT_CRC));
    return log_file_replace(io, folder, "refill", slice_from(bytes, sizeof bytes));
}

int log_refill_path(char out[LOG_PATH_BYTES], const char *folder, const char *name,
                    const struct log_refill *refill)
{
    char numbered[NAME_BYTES];

    (void)snprintf(numbered, sizeof numbered, "%s.%" PRIu64, name, refill->count);
    return log_path_join(out, folder, refill->count == 0 ? name : numbered);
}
