/* node/audit.h -- the audit trail: what was asked, by whom, and what came of it, refusals
 * included.
 *
 * Layer: node (base, io, wire)     Spec: docs/spec/audit.md
 *
 * One record an applied entry, in the order of the log. The trail follows from the log and
 * never delays an answer: records gather in blocks that the bulk lane compresses and writes.
 * Because a block may be lost with the machine, the log's segments are kept until the trail is
 * synced up to the snapshot that covers them; replaying the log at start writes again what was
 * lost, and only that.
 */
#ifndef CARILLON_NODE_AUDIT_H
#define CARILLON_NODE_AUDIT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "io/io.h"

enum {
    AUDIT_BLOCK_BYTES = 256 << 10, /* records of one block before compression, about */
    AUDIT_FILE_BYTES = 64 << 20,   /* a new file is begun beyond this */
    AUDIT_BLOCKS_MAX = 64,         /* blocks on their way to the disk; more: audit_is_behind */
    AUDIT_FIELD_BYTES_MAX = 64 << 10,
};

struct audit;

struct audit_record {
    uint64_t index; /* log index of the entry, rising */
    uint64_t wall_ms;
    uint32_t method;
    uint32_t status;      /* 0 or a number of the error table */
    struct slice student; /* token, may be empty */
    struct slice by;      /* who asked, for registrars' work */
    struct slice body;    /* the request as received; empty for import chunks */
    struct slice reply;   /* the reply message's bytes */
    struct slice notes;   /* one line each: what else the entry caused (promotions, skips) */
};

/* Open the trail in @folder, made if need be; find its end and cut off a torn last block.
 * Blocks behind @synced_index, the last record known to be durable, are written once more: a
 * sync that failed in the process before may have left them in a cache that calls them clean.
 * Errors: ERR_IO, ERR_DISK_FULL, with @text naming the file. */
int audit_open(struct io *io, const char *folder, uint64_t bytes_max, uint64_t synced_index,
               struct audit **ret_audit, struct buf *text) CHECKED;

/* The index of the last record that is in the trail; entries up to it need not be appended
 * again. */
uint64_t audit_last_index(const struct audit *audit);

/* Append a record with an index above the last. Owns: copies everything. */
void audit_append(struct audit *audit, const struct audit_record *record);

/* Whether so much waits for the disk that no more entries should be accepted. */
bool audit_is_behind(const struct audit *audit);

/* How many blocks wait for the disk. */
uint32_t audit_blocks(const struct audit *audit);

/* While the node starts and nothing can be refused: when the trail is behind, wait until the
 * lane has written what it has. What a full disk does not take is kept in memory, and is then
 * bounded by the log that the newest snapshot does not cover. */
void audit_bound(struct audit *audit);

/* OK, or the error that ended or suspended writing: ERR_DISK_FULL is tried again by itself,
 * ERR_IO is final. */
int audit_status(const struct audit *audit);

/* Have everything appended so far written and synced; audit_synced_index tells when it is done.
 */
void audit_sync(struct audit *audit);
uint64_t audit_synced_index(const struct audit *audit);

struct audit_query {
    struct io_job job;
    struct audit *audit;
    struct buf request; /* the AuditRequest's bytes */
    struct buf reply;   /* the AuditReply's bytes when done, at most AUDIT_REPLY_BYTES_MAX */
    int status;
    void (*done)(struct audit_query *query);
};

enum { AUDIT_REPLY_BYTES_MAX = 900 << 10 };

/* Find records as an AuditRequest asks (@query->request); done() follows. The caller keeps the
 * query until then and has initialised both buffers. Errors in query->status: ERR_MALFORMED,
 * ERR_IO, ERR_DAMAGED. */
void audit_find(struct audit *audit, struct audit_query *query,
                void (*done)(struct audit_query *query));

/* Write and sync what is left; closed(context) follows and the trail is gone. */
void audit_close(struct audit *audit, void (*closed)(void *context), void *context);

/* Whether the lane has nothing of the trail's. */
bool audit_is_idle(const struct audit *audit);

/* Free the memory of a trail and write nothing: of an idle one that need not be kept, or of one
 * whose simulated process has died. */
void audit_forget(struct audit *audit);

#endif
