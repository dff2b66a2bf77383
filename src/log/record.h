/* log/record.h -- the bytes of one log record and of a batch's header.
 *
 * Layer: log (base)     Spec: docs/spec/log.md sections 2 and 3
 *
 * Pure functions over memory. A record is a header of 64 bytes, the payload, and zeros up to a
 * multiple of 8; its CRC covers everything but the magic and itself. Numbers are little endian.
 * What is decoded here comes from a disk: every function takes any bytes.
 */
#ifndef CARILLON_LOG_RECORD_H
#define CARILLON_LOG_RECORD_H

#include "base/error.h"
#include "base/slice.h"

enum {
    LOG_FORMAT = 1,         /* the version, in the last byte of the magic */
    LOG_HEADER_BYTES = 64,  /* of a record */
    LOG_RECORD_ALIGN = 8,   /* records begin and end at multiples of this */
    LOG_SECTOR_BYTES = 512, /* batches begin at multiples of this: no two share a sector */
    LOG_HARD_COPY = 1, /* index of a hard state that the log copied forward; else 0 */
    LOG_BATCH_PAYLOAD_BYTES = 32,
    LOG_BATCH_HEADER_BYTES = LOG_HEADER_BYTES + LOG_BATCH_PAYLOAD_BYTES,
};

#define LOG_MAGIC_FAMILY 0x00524c43U /* "CLR", the version is the fourth byte */
#define LOG_MAGIC        (LOG_MAGIC_FAMILY | (uint32_t)LOG_FORMAT << 24)

/* Numbers are stored on disk: rows are added, never renumbered. */
enum log_type {
    LOG_BATCH = 1, /* opens a batch; payload: struct log_batch. Written by the log alone */
    LOG_ENTRY = 2, /* payload: the proposed bytes; none: a no-op */
    LOG_HARD_STATE =
        3, /* a group's term and vote (payload: the vote); only the newest of a group counts */
    LOG_TRUNCATE = 4,      /* the group's entries from index on are void */
    LOG_SNAPSHOT_MARK = 5, /* a durable snapshot of the group stands at (index, term) */
    LOG_CONFIGURATION = 6, /* an entry too; payload: who belongs to the group */
    LOG_TYPE_NR,
};

/* Whether a record of this type takes an index of its group's sequence. */
static inline bool log_type_is_entry(enum log_type type)
{
    return type == LOG_ENTRY || type == LOG_CONFIGURATION;
}

struct log_record {
    uint32_t group;
    enum log_type type;
    uint64_t index;
    uint64_t term;
    struct slice payload;

    /* set by the log, read when decoding */
    uint64_t serial; /* of the segment: its life */
    uint64_t batch;
    uint64_t identity; /* of the node, see log_identity_hash() */
    uint32_t chain;    /* CRC of the record before */
    uint32_t crc;
};

/* The payload of LOG_BATCH: where the log was known to be durable when the batch was made, and
 * the batch's size. */
struct log_batch {
    uint64_t durable_batch; /* 0: nothing before */
    uint64_t durable_serial;
    uint64_t durable_end; /* offset in that segment of the first byte after the batch */
    uint32_t bytes;       /* of the batch, this header included */
    uint32_t records;     /* this header included */
};

/* Bytes that a record with @payload_bytes takes, a multiple of LOG_RECORD_ALIGN. */
static inline size_t log_record_bytes(size_t payload_bytes)
{
    return (LOG_HEADER_BYTES + payload_bytes + LOG_RECORD_ALIGN - 1) &
           ~(size_t)(LOG_RECORD_ALIGN - 1);
}

/* Write @record without its serial, batch, identity, chain and CRC to @out (log_record_bytes()
 * of it, all bytes are set; payloads are at most 4 GiB). log_record_seal() adds the rest. */
void log_record_encode(const struct log_record *record, uint8_t *out);

struct log_seal {
    uint64_t serial;
    uint64_t batch;
    uint64_t identity;
    uint32_t chain; /* CRC of the record before; log_record_seal moves it on */
};

/* Complete the record at @out with what is known only when its batch is written, and move
 * @seal->chain on. Returns: the record's bytes. */
size_t log_record_seal(uint8_t *out, struct log_seal *seal);

/* The bytes of an encoded record of our own making (header in place). */
size_t log_record_size(const uint8_t *at);

/* Read the record that stands at the beginning of @bytes; its payload is borrowed from there.
 *
 * Errors: ERR_MALFORMED no whole, intact record there; ERR_VERSION a record of another format
 * version.
 */
int log_record_decode(struct slice bytes, struct log_record *ret_record) CHECKED;

/* Read a record of our own making without checking its CRC. */
void log_record_parse(const uint8_t *at, struct log_record *ret_record);

void log_batch_encode(const struct log_batch *batch, uint8_t out[LOG_BATCH_PAYLOAD_BYTES]);

/* Errors: ERR_MALFORMED. */
int log_batch_decode(struct slice payload, struct log_batch *ret_batch) CHECKED;

#endif
