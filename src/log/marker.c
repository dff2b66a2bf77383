#include "log/marker.h"

#include "base/crc32c.h"
#include "log/bytes.h"
#include "log/log.h"

/* "CLRM", version, crc, zero, identity, batch, serial, end; zeros up to the sector's end. */
enum {
    AT_VERSION = 4,
    AT_CRC = 8,
    AT_IDENTITY = 16,
    AT_BATCH = 24,
    AT_SERIAL = 32,
    AT_END = 40
};

static uint32_t slot_crc(const uint8_t *slot)
{
    uint32_t crc = crc32c(0, slot, AT_CRC);
    return crc32c(crc, slot + AT_CRC + 4, LOG_MARKER_SLOT_BYTES - AT_CRC - 4);
}

void log_marker_encode(const struct log_place *place, uint64_t identity,
                       uint8_t out[LOG_MARKER_SLOT_BYTES])
{
    memset(out, 0, LOG_MARKER_SLOT_BYTES);
    memcpy(out, "CLRM", 4);
    bytes_put_u32(out + AT_VERSION, LOG_FORMAT);
    bytes_put_u64(out + AT_IDENTITY, identity);
    bytes_put_u64(out + AT_BATCH, place->batch);
    bytes_put_u64(out + AT_SERIAL, place->serial);
    bytes_put_u64(out + AT_END, place->end);
    bytes_put_u32(out + AT_CRC, slot_crc(out));
}

uint64_t log_marker_decode(struct slice bytes, uint64_t identity, struct log_place *ret_place)
{
    uint64_t next = 0;

    *ret_place = (struct log_place){0, 0, 0};
    for (uint64_t i = 0; i < 2 && bytes.len >= (i + 1) * LOG_MARKER_SLOT_BYTES; i++) {
        const uint8_t *slot = bytes.data + i * LOG_MARKER_SLOT_BYTES;
        bool is_valid = memcmp(slot, "CLRM", 4) == 0 &&
                        bytes_get_u32(slot + AT_VERSION) == LOG_FORMAT &&
                        bytes_get_u32(slot + AT_CRC) == slot_crc(slot) &&
                        bytes_get_u64(slot + AT_IDENTITY) == identity;
        if (is_valid && bytes_get_u64(slot + AT_BATCH) > ret_place->batch) {
            ret_place->batch = bytes_get_u64(slot + AT_BATCH);
            ret_place->serial = bytes_get_u64(slot + AT_SERIAL);
            ret_place->end = bytes_get_u64(slot + AT_END);
            next = 1 - i;
        }
    }
    return next;
}
