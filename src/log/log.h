/* log/log.h -- the node's one write-ahead log: append, group commit, recovery, recycling.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md
 *
 * All groups of a node share it. Appended records gather in a buffer; at the end of the turn,
 * when no batch is being written, the whole buffer goes to the log's writer thread as one
 * batch: one write, one fdatasync. Meanwhile a second buffer fills. stored() is called for each
 * record of a batch that is durable, in the order of the appends.
 *
 * Bounds:  two buffers of batch_bytes; segments of segment_bytes, at most LOG_SEGMENTS_MAX
 * files. Errors:  a failed write or sync ends the log for good: failed() once, nothing is
 * stored any more, nothing is tried again. A full disk is not a failure: appends are refused
 * with ERR_DISK_FULL until there is room.
 */
#ifndef CARILLON_LOG_LOG_H
#define CARILLON_LOG_LOG_H

#include "base/arena.h"
#include "base/buf.h"
#include "io/io.h"
#include "log/extent.h"
#include "log/identity.h"
#include "log/marker.h"
#include "log/record.h"

enum {
    LOG_SEGMENTS_MAX = 1024, /* files; beyond it appends are refused as if the disk were full */
    LOG_GROUPS_MAX = 1025,
    LOG_HARD_BYTES_MAX = 64, /* payload of a hard state */
    LOG_BATCH_BYTES_MAX =
        8 << 20, /* a batch never takes more, whatever the configuration says */
    LOG_TEXT_BYTES = 1024,
    LOG_FOLDER_BYTES = LOG_PATH_BYTES - 32,
};

struct log_options {
    const char *folder; /* DATA/log; made when it is not there. Borrowed while opening */
    uint64_t identity;  /* log_identity_hash() */
    uint32_t groups;    /* 1..LOG_GROUPS_MAX */
    bool is_new;        /* the data folder is being made: no segment is expected */
    uint64_t
        segment_bytes;    /* a multiple of 4096, at least batch_bytes + 8192; default 64 MiB */
    uint32_t batch_bytes; /* of one buffer, a multiple of 4096; default 4 MiB */
    uint32_t spares;      /* zero-filled segments kept ahead; default 2 */
    uint32_t ready_max;   /* covered segments kept for recycling; more are removed; default 6 */
    uint32_t
        idle_ms; /* without a batch before the marker is written to its file; default 200 */
    uint32_t extents_max; /* places of entries noted, 32 bytes each; beyond it they are noted
                             more coarsely; default 262144 */
    uint32_t probe_ms;    /* between tries when the disk is full; default 1000 */
};

/* The defaults; folder, identity and groups are left to the caller. */
void log_options_default(struct log_options *ret_options);

struct log_hooks {
    void *context;
    /* On open: a durable record, in order. An error ends the opening with it. */
    int (*replayed)(void *context, const struct log_record *record);
    /* A record that was appended is durable. The payload is borrowed for the call. May append.
     * The log's own copies of hard states are not told. */
    void (*stored)(void *context, const struct log_record *record);
    /* After the last stored() of a batch. */
    void (*batch_stored)(void *context);
    void (*writable)(void *context, bool is_writable);
    void (*failed)(void *context, const char *text);
    void (*closed)(void *context);
};

struct log_segment {
    uint64_t serial;
    uint64_t filled;      /* bytes the file has */
    uint64_t capacity;    /* bytes it may have */
    struct io_file *file; /* open while ready or current */
    uint64_t *group_last; /* per group: the highest index of its entries here */
};

/* A place in the log: the first byte after batch @batch. */
struct log_place {
    uint64_t batch;
    uint64_t serial;
    uint64_t end;
};

struct log_hard {
    uint64_t serial; /* of the segment that holds the newest hard state; 0: there is none */
    uint64_t term;
    uint32_t len;
    bool is_moving; /* a newer one, or a copy, is on its way into the current segment */
    uint8_t payload[LOG_HARD_BYTES_MAX];
};

/* Truncations that were appended and are not durable yet. */
struct log_void {
    uint32_t pending;
    uint64_t from; /* entries from here on are not returned by reads */
};

/* A batch on its way: gathered on the loop, owned by the writer thread from hand-over to
 * done(). */
struct log_write {
    struct io_job job;
    struct buf *bytes;
    size_t padded; /* bytes with the zeros up to the end of the page */
    struct io_file *file;
    uint64_t offset;
    struct log_seal seal;
    uint32_t chain;  /* what seal.chain begins with */
    bool is_written; /* out: the write went well, what failed is the sync */
    int status;
};

enum log_keep_kind {
    LOG_KEEP_MARKER,
    LOG_KEEP_RECYCLE,
    LOG_KEEP_REMOVE,
    LOG_KEEP_FILL,
    LOG_KEEP_PUBLISH,
};

/* What the bulk lane does for the log, one thing at a time. */
struct log_keep {
    struct io_job job;
    enum log_keep_kind kind;
    struct io_file *file;     /* the spare being filled */
    struct io_file *recycled; /* RECYCLE: out, open under its new name */
    uint64_t slot;            /* MARKER */
    uint64_t filled;          /* of the spare */
    uint64_t serial;          /* RECYCLE, REMOVE: of the oldest segment */
    uint64_t serial_new;      /* RECYCLE, PUBLISH */
    struct log_place place;   /* MARKER */
    const char *operation;    /* the one that failed */
    int status;
};

struct log_stats {
    uint64_t bytes; /* written, padding included */
    uint64_t batches;
    uint64_t records;
    uint64_t read_bytes; /* of segments, to read entries back */
    uint64_t segments;   /* files */
    uint64_t ready;      /* of them, zero-filled or recycled ones ahead */
};

/* Private to src/log but for its storage. */
struct log {
    struct io *io;
    struct log_hooks hooks;
    struct log_options options;
    char folder[LOG_FOLDER_BYTES];
    char text[LOG_TEXT_BYTES];
    struct arena arena;

    struct log_segment segments[LOG_SEGMENTS_MAX]; /* by serial, without gaps */
    uint32_t segment_count;
    uint32_t current;         /* being written; the ones after it are ready */
    uint64_t position;        /* where the next batch goes in the current one, sector aligned */
    struct log_place durable; /* the last batch known to be on disk */
    struct log_place marked;  /* what the marker's file says */
    uint64_t marker_slot;
    uint64_t batch; /* number of the newest batch handed over */
    uint32_t chain;

    struct buf buffers[2];
    struct buf *filling; /* one of the two; begins with room for the batch's header */
    uint32_t filling_records;
    struct log_write write;
    struct log_keep keep;
    struct io_turn turn;
    struct io_timer idle;
    struct io_timer probe;
    struct io_timer kick;
    uint64_t idle_batch; /* the newest durable batch when the idle timer was started */

    uint64_t *released;    /* per group: entries up to here are in a durable snapshot */
    uint64_t *dropped;     /* per group: entries up to here left with recycled segments */
    struct log_hard *hard; /* per group */
    struct log_extents extents;
    struct log_void *voids; /* per group */
    struct list reads;      /* under way */
    struct log_stats stats;

    bool is_writing;      /* the lane has a batch, or it is being handed to stored() */
    bool is_keeping;      /* the bulk lane has the keep job */
    bool is_idle_started; /* the timer runs */
    bool is_marker_due;
    bool is_waiting; /* a batch needs a segment and none is ready */
    bool is_starved; /* the disk has no room for another segment */
    bool is_probing; /* the next fill looks whether there is room again */
    bool is_held; /* the batch could not be written for want of room; it waits for the probe */
    bool is_refusing;      /* an append was refused for want of room */
    bool is_refusing_told; /* what writable() said last */
    bool is_rotated;       /* a second segment was needed at least once */
    bool is_closing;
    bool is_closed;
    bool is_failed;
};

/* Open the log in options.folder: recover, hand every durable record to replayed(), seal the
 * end and begin to keep spare segments. Waits for the disk. @log is the caller's storage, kept
 * until closed().
 *
 * Errors:  ERR_DAMAGED a record that was durable is bad: log_text() names file and offset;
 * ERR_VERSION another format; ERR_IO; ERR_DISK_FULL (the first segment cannot be made); what
 * replayed() returned. Nothing is open then.
 */
int log_open(struct log *log, struct io *io, const struct log_options *options,
             const struct log_hooks *hooks) CHECKED;

/* What went wrong, for people: names file and operation or offset. "" when nothing did. Kept
 * after a failed open. */
const char *log_text(const struct log *log);

/* Append a record (group, type, index, term, payload are read and copied). It is durable when
 * stored() says so.
 *
 * Errors:  ERR_BUSY the buffer is full until the batch being written is stored; ERR_TOO_LARGE
 * the record alone is larger than a batch; ERR_DISK_FULL; ERR_STOPPED failed or closing.
 * Nothing was appended then.
 */
int log_append(struct log *log, const struct log_record *record) CHECKED;

/* Whether @records records, with @payload_bytes of payloads in sum, can all be appended now, as
 * one batch or with what has gathered. Safe-side: up to 7 bytes a record are asked for that
 * padding may not need. OK holds until the next append, release or return to the loop.
 *
 * Errors: what log_append() would answer; ERR_TOO_LARGE together they are larger than a batch.
 */
int log_room(struct log *log, uint32_t records, uint64_t payload_bytes) CHECKED;

static inline bool log_has_room(struct log *log, uint32_t records, uint64_t payload_bytes)
{
    return log_room(log, records, payload_bytes) == OK;
}

/* With a full disk: whether a hard state more leaves room for what a snapshot needs to free
 * segments, a mark and a truncation of each group. */
bool log_has_control_room(const struct log *log);

/* The largest payload that log_append() takes. */
size_t log_payload_max(const struct log *log);

/* The entries of @group up to @index are in a durable snapshot: segments that hold nothing else
 * are recycled. */
void log_release(struct log *log, uint32_t group, uint64_t index);

/* The group that keeps the oldest segment from being recycled, or UINT32_MAX when that is the
 * current one. */
uint32_t log_pinning_group(const struct log *log);

/* The highest index of @group that left with a recycled segment since opening; 0: none did. */
uint64_t log_dropped(const struct log *log, uint32_t group);

void log_stats(const struct log *log, struct log_stats *ret_stats);

/* Close at once: nothing more is written and no hook is called. For a log whose jobs no lane
 * has: one just opened, or that of a simulated process that has died. */
void log_abandon(struct log *log);

/* Store what was appended, write the marker, then closed(). Takes a failed log too. */
void log_close(struct log *log);

#endif
