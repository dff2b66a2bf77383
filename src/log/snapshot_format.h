/* log/snapshot_format.h -- the bytes of a snapshot's header, chunk header and footer; and its
 * name.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md section 7
 */
#ifndef CARILLON_LOG_SNAPSHOT_FORMAT_H
#define CARILLON_LOG_SNAPSHOT_FORMAT_H

#include "log/snapshot.h"

enum {
    SNAPSHOT_HEADER_BYTES = 64, /* of its fixed part; the configuration follows */
    SNAPSHOT_HEADER_MAX = SNAPSHOT_HEADER_BYTES + LOG_SNAPSHOT_CONFIGURATION_MAX,
    SNAPSHOT_CHUNK_BYTES = 24,
    SNAPSHOT_FOOTER_BYTES = 48,
};

/* A chunk's data is never longer, even if it could not be compressed. */
enum { SNAPSHOT_PACKED_MAX = LOG_SNAPSHOT_RAW_MAX + LOG_SNAPSHOT_RAW_MAX / 128 };

struct snapshot_chunk {
    uint32_t packed; /* bytes */
    uint32_t raw;    /* bytes */
    uint64_t number; /* from 0 */
};

struct snapshot_footer {
    uint64_t chunks;
    uint64_t raw_bytes;
    uint64_t bytes; /* before the footer */
    uint64_t hash;  /* of them */
};

/* Returns: the header's bytes, the configuration included. */
size_t snapshot_header_encode(const struct log_snapshot_info *info,
                              uint8_t out[SNAPSHOT_HEADER_MAX]);

/* The fixed part; snapshot_configuration_bytes() follow it. Errors: ERR_DAMAGED, ERR_VERSION.
 */
int snapshot_header_decode(const uint8_t in[SNAPSHOT_HEADER_BYTES],
                           struct log_snapshot_info *ret_info) CHECKED;

/* What the configuration takes in the file: a multiple of 8. */
static inline size_t snapshot_configuration_bytes(const struct log_snapshot_info *info)
{
    return (info->configuration_bytes + 7U) & ~(size_t)7;
}

/* The rest of a header @in whose fixed part was decoded to @info. Errors: ERR_DAMAGED. */
int snapshot_configuration_decode(const uint8_t *in, struct log_snapshot_info *info) CHECKED;

/* @data: the chunk's packed bytes, covered by the crc in its header. */
void snapshot_chunk_encode(const struct snapshot_chunk *chunk, const uint8_t *data,
                           uint8_t out[SNAPSHOT_CHUNK_BYTES]);

/* What stands at the beginning of a piece. */
bool snapshot_is_chunk(const uint8_t *in);

/* The lengths, before the data is there to be checked. Errors: ERR_DAMAGED beyond the bounds.
 */
int snapshot_chunk_decode(const uint8_t in[SNAPSHOT_CHUNK_BYTES],
                          struct snapshot_chunk *ret_chunk) CHECKED;

/* Whether header and data are what was written. */
bool snapshot_chunk_is_intact(const uint8_t in[SNAPSHOT_CHUNK_BYTES], struct slice data);

void snapshot_footer_encode(const struct snapshot_footer *footer,
                            uint8_t out[SNAPSHOT_FOOTER_BYTES]);

/* Errors: ERR_DAMAGED. */
int snapshot_footer_decode(const uint8_t in[SNAPSHOT_FOOTER_BYTES],
                           struct snapshot_footer *ret_footer) CHECKED;

/* Where a whole and synced temporary file is to stand. */
struct snapshot_place {
    const char *folder;
    const char *temporary; /* path */
    uint32_t group;
    uint64_t index;
};

/* Rename it, make the name durable, and remove older snapshots of the group. In a lane.
 * @operation: out, what was tried last. Errors: ERR_IO, ERR_TOO_LARGE. */
int snapshot_publish(struct io *io, const struct snapshot_place *place,
                     const char **operation) CHECKED;

#endif
