/* log/transfer.h -- snapshot files on their way from one node to another, as they are.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md section 7, docs/spec/raft.md section 8
 *
 * Every request is a job of the bulk lane and the caller's struct, zeroed at first; its fini
 * frees what it holds. Requests are done in the order they were submitted. done() is never
 * called from within a call.
 */
#ifndef CARILLON_LOG_TRANSFER_H
#define CARILLON_LOG_TRANSFER_H

#include "log/snapshot.h"

enum { LOG_TRANSFER_BYTES_MAX = 1 << 20 };

/* ---- sending */

struct log_send {
    uint32_t group;
    uint64_t index; /* of the snapshot */
    uint64_t offset;
    uint32_t bytes_max; /* at most LOG_TRANSFER_BYTES_MAX */
    void (*done)(struct log_send *send, int status);

    /* the answer, borrowed until the next submit or fini */
    struct slice data;
    bool is_last; /* the file ends with data */

    /* private */
    struct io_job job;
    const char *folder;
    struct buf bytes;
    int status;
    uint32_t seen_group; /* which file the last answer was from */
    uint64_t seen_index;
    uint64_t seen_bytes;
    uint64_t seen_hash;
};

/* Read bytes of a snapshot file. The same request serves one transfer from offset 0 to the end:
 * it knows the file again, so that what it returns is never of two files.
 *
 * Returns: done() follows: OK; ERR_GONE it is not there any more, or another has its name, or
 * it is not that long; ERR_VERSION it is of format 1, which others cannot take; ERR_DAMAGED, as
 * far as the part tells, and at offset 0 anywhere in the file; ERR_IO. Owns: borrows @send and
 * @folder until done().
 */
void log_send_submit(struct io *io, const char *folder, struct log_send *send);

void log_send_fini(struct log_send *send);

/* ---- receiving */

/* The one file that a group may be receiving. Its lane's between submit and done(). */
struct log_receiver {
    struct io *io;
    uint32_t group;
    uint64_t identity;
    char folder[LOG_PATH_BYTES];
    char temporary[LOG_PATH_BYTES];
    struct io_file *file; /* NULL: nothing is being received */
    uint64_t offset;      /* bytes written */
    uint64_t synced;
    uint32_t pending; /* requests under way */
};

/* Errors: ERR_TOO_LARGE the path. */
int log_receiver_init(struct log_receiver *receiver, struct io *io, const char *folder,
                      uint32_t group, const struct log_identity *identity) CHECKED;

/* Close the file; what it leaves is removed by log_snapshot_list() at the next start. Not with
 * requests under way, unless their process has died. Takes a zeroed receiver. */
void log_receiver_fini(struct log_receiver *receiver);

/* Several may be under way for one receiver. */
struct log_receive {
    void (*done)(struct log_receive *receive, int status);

    struct log_snapshot_info info; /* INSTALL: what was expected; OK: what the file says */
    uint64_t bad_offset;           /* ERR_DAMAGED: where */
    const char *operation;         /* that failed */

    /* private */
    struct io_job job;
    struct log_receiver *receiver;
    uint64_t offset;
    struct buf data;
    int status;
};

/* Write @data at @offset; it is copied, at most LOG_TRANSFER_BYTES_MAX. Offset 0 forgets what
 * was received before.
 *
 * Returns: done() follows: OK; ERR_GONE that is not where the file ends (nothing has changed);
 * ERR_DISK_FULL nothing has changed, log_receive_again() may follow; ERR_IO and what was
 * received is forgotten.
 */
void log_receive_write(struct log_receiver *receiver, struct log_receive *receive,
                       uint64_t offset, struct slice data);

/* Try a write that found no room once more. */
void log_receive_again(struct log_receive *receive);

/* What was received is whole: read and verify all of it, and make it the group's snapshot,
 * durable; older ones are removed. @expected: index, term and configuration; it must be exactly
 * that.
 *
 * Returns: done() follows: OK; ERR_DAMAGED the bytes do not check, or are those of another
 * group, cluster or index; ERR_VERSION; ERR_GONE nothing was received; ERR_IO, ERR_DISK_FULL.
 * After an error what was received is forgotten.
 */
void log_receive_install(struct log_receiver *receiver, struct log_receive *receive,
                         const struct log_snapshot_info *expected);

/* Forget what is being received. done() follows: OK, ERR_IO. */
void log_receive_abandon(struct log_receiver *receiver, struct log_receive *receive);

void log_receive_fini(struct log_receive *receive);

#endif
