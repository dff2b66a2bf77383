/* log/scan.h -- walks the bytes of segments and tells the durable records from a torn tail and
 * from damage.
 *
 * Layer: log (base)     Spec: docs/spec/log.md section 4
 *
 * Pure: the bytes come from the caller, so that recovery, the tests over memory images and the
 * fuzzer run the same code. Nothing it meets in the bytes is a programmer's error.
 */
#ifndef CARILLON_LOG_SCAN_H
#define CARILLON_LOG_SCAN_H

#include "log/log.h"

/* The segments, oldest first; their serials have no gaps. */
struct log_scan_input {
    void *context;
    uint64_t first_serial;
    uint32_t count;
    /* The @bytes at @offset of segment @i, fewer only where it ends; valid until the next load.
     */
    int (*load)(void *context, uint32_t i, uint64_t offset, uint64_t bytes,
                struct slice *ret_bytes);
};

enum log_scan_reason {
    LOG_SCAN_END,          /* not damaged: the end, or a torn tail */
    LOG_SCAN_LATER_BATCH,  /* a later batch follows the bad record */
    LOG_SCAN_BELOW_MARKER, /* the marker's file says that this was durable */
    LOG_SCAN_FOREIGN,      /* an intact record of another node */
    LOG_SCAN_VERSION,      /* records of another format */
};

struct log_scan {
    uint64_t identity;
    struct log_place marker; /* what the marker's file says, zeros: nothing */
    int (*replayed)(void *context, const struct log_record *record);
    void *context;

    /* results */
    struct log_place last; /* end of the last accepted record; zeros: there is none */
    uint64_t last_begin;   /* offset where the batch of that record begins */
    uint32_t segment;      /* index of the segment where the scan stopped */
    uint32_t chain;        /* CRC of the last accepted record */
    uint64_t
        batch_seen;   /* the highest batch number of any valid record, accepted or left over */
    uint64_t records; /* accepted, batch headers included */
    uint32_t stop_segment; /* index of the segment that misses a record */
    uint64_t stop;         /* offset in it of the missing or bad record */
    enum log_scan_reason reason;

    /* at work */
    const struct log_scan_input *input;
    uint32_t at;          /* index of the segment in view */
    struct slice view;    /* a part of it */
    uint64_t view_offset; /* where that begins */
    bool is_view_end;     /* it ends with the segment */
    uint64_t later_batch; /* the lowest later batch whose header was found, 0: none */
    uint64_t later_after; /* serial of the segment that held the batch before that one */
    bool is_inside;       /* a record of the last batch is missing */
};

/* Zeroed but for what the caller sets: identity, marker, replayed, context. */
void log_scan_init(struct log_scan *scan, uint64_t identity);

/* Walk all segments, handing each accepted record (batch headers excepted) to replayed().
 *
 * Errors:  ERR_DAMAGED, ERR_VERSION (reason, stop_segment and stop say why and where); what
 * load() or replayed() returned.
 */
int log_scan_run(struct log_scan *scan, const struct log_scan_input *input) CHECKED;

/* What the reason means, for people. Static storage. */
const char *log_scan_text(enum log_scan_reason reason);

static inline uint64_t log_align(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

#endif
