/* node/audit_private.h -- the block format that audit.c writes and audit_find.c reads.
 *
 * Layer: node (base, io, wire)     Spec: docs/spec/audit.md
 */
#ifndef CARILLON_NODE_AUDIT_PRIVATE_H
#define CARILLON_NODE_AUDIT_PRIVATE_H

#include "node/audit.h"

enum {
    AUDIT_MAGIC = 0x31445541, /* "AUD1" */
    AUDIT_HEADER_BYTES = 40,
    AUDIT_PACKED_BYTES_MAX = 2 << 20, /* of one block, either way */
    AUDIT_PATH_BYTES = 1200,
};

/* A block's header, as stored: magic u32, CRC32C u32 of the rest and the payload, packed bytes
 * u32, raw bytes u32, first index u64, last index u64, records u64; little-endian. */
struct audit_block_header {
    uint32_t crc;
    uint32_t packed_bytes;
    uint32_t raw_bytes;
    uint64_t first;
    uint64_t last;
    uint64_t records;
};

void audit__header_encode(const struct audit_block_header *header,
                          uint8_t out[AUDIT_HEADER_BYTES]);

/* Errors: ERR_DAMAGED not a header. */
int audit__header_decode(const uint8_t in[AUDIT_HEADER_BYTES],
                         struct audit_block_header *ret_header) CHECKED;

/* The CRC of a block whose header is @header with @payload. */
uint32_t audit__block_crc(const struct audit_block_header *header, struct slice payload);

/* One record's bytes at the end of @out, and back. Errors: ERR_FULL; ERR_DAMAGED. */
int audit__record_encode(const struct audit_record *record, struct buf *out) CHECKED;
struct unpack;
int audit__record_decode(struct unpack *in, struct audit_record *ret_record) CHECKED;

/* Read the block at @offset: header, payload, checked and unpacked into @ret_raw (cleared
 * first). @packed is working space. Returns: OK; ERR_EOF nothing there; ERR_DAMAGED; ERR_IO. */
int audit__block_read(struct io *io, struct io_file *file, uint64_t offset, struct buf *packed,
                      struct buf *ret_raw, struct audit_block_header *ret_header) CHECKED;

/* Call @found with the path of each audit file in @folder, oldest first. */
int audit__files(struct io *io, const char *folder,
                 int (*found)(void *context, const char *name), void *context) CHECKED;

/* Answer an AuditRequest by reading the files in @folder, the newest one up to @end: behind it
 * may be the beginning of a block that a full disk did not take. Runs on a lane. Errors:
 * ERR_MALFORMED, ERR_IO, ERR_DAMAGED. */
int audit__find(struct io *io, const char *folder, uint64_t end, struct slice request,
                struct buf *reply) CHECKED;

#endif
