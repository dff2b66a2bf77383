/* log/read.h -- entries read back from the log: for followers that lag, and to apply what is
 * not in memory any more.
 *
 * Layer: log (base, io)
 *
 * A request is the caller's struct, zeroed when the log is opened and used again for the next
 * read; it goes through the bulk lane. What is returned was durable when it was asked for, and
 * not void when done() is called. Everything that is returned was verified: checksum, segment's
 * life, identity, index.
 *
 * A request that is used again for the index after its last answer goes on where that ended:
 * one that walks through a group reads each byte about once.
 */
#ifndef CARILLON_LOG_READ_H
#define CARILLON_LOG_READ_H

#include "log/extent.h"
#include "log/log.h"

enum {
    LOG_READ_EXTENTS = 16, /* looked at by one request: about a MiB of the log */
    LOG_READ_VIEW_BYTES = 64 << 10,
    LOG_READ_ENTRIES_MAX = 4096,
};

struct log_read {
    /* what is asked for: set by the caller, kept until done() */
    uint32_t group;
    uint64_t index;     /* of the first entry */
    uint32_t count_max; /* entries, at least 1 */
    uint64_t bytes_max; /* payloads in sum; the first is returned however long it is */
    void (*done)(struct log_read *read, int status);

    /* the answer: entries and configurations from index on, without gaps. Borrowed until the
     * next submit or fini. Fewer than asked for do not mean that there are no more. */
    const struct log_record *records;
    uint32_t count;

    /* private to src/log */
    struct log *log;
    struct io_job job;
    struct list node;
    uint64_t until; /* entries from here on were voided meanwhile */
    struct log_extent plan[LOG_READ_EXTENTS];
    uint32_t plan_count;
    struct log_place limit; /* what follows in that segment may still change */
    int status;
    struct buf bytes; /* the records as they stand in the log */
    struct buf rows;

    struct buf view; /* a part of a segment */
    uint64_t view_serial;
    uint64_t view_offset;
    uint64_t looked; /* bytes of the disk */

    uint32_t next_group; /* where the last answer ended */
    uint64_t next_index;
    uint64_t next_serial;
    uint64_t next_offset;

    uint64_t bad_serial; /* damaged: what, and where */
    uint64_t bad_offset;
    const char *bad_text;
};

/* Read. done() follows, never from within the call, and before closed() of the log: OK and at
 * least one record; ERR_GONE the entry at index is not in the log any more, void, or not
 * durable yet; ERR_DAMAGED, log_text() names file and offset; ERR_IO; ERR_NOMEM; ERR_STOPPED
 * the log is closing.
 *
 * Owns:    borrows @read until done().
 * Bounds:  keeps at most LOG_READ_VIEW_BYTES of the segment between reads, and the answer.
 */
void log_read_submit(struct log *log, struct log_read *read);

/* Free the buffers. Not between submit and done(). Takes a zeroed request. */
void log_read_fini(struct log_read *read);

#endif
