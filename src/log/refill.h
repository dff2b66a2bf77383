/* log/refill.h -- how often a node has lost its log, kept beside it.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md section 11
 *
 * A damaged log is never removed: the next one, with its snapshots, has another folder, which
 * follows from this count. So one small file, replaced as a whole, says which log counts and
 * whether what it says may be relied on.
 */
#ifndef CARILLON_LOG_REFILL_H
#define CARILLON_LOG_REFILL_H

#include "log/identity.h"

struct log_refill {
    uint64_t count;    /* losses; 0: the first log */
    bool is_refilling; /* what the log holds may be less than the node has said */
    bool is_unmade;    /* the folder of the log is not made yet, or not wholly */
};

/* Read @folder/refill; zeros when there is none. Errors: ERR_DAMAGED; ERR_VERSION; ERR_IO. */
int log_refill_read(struct io *io, const char *folder, struct log_refill *ret_refill) CHECKED;

/* Replace it. Errors: ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE. */
int log_refill_write(struct io *io, const char *folder,
                     const struct log_refill *refill) CHECKED;

/* The path of the current log or snapshots: @folder/@name, or @folder/@name.COUNT.
 * Errors: ERR_TOO_LARGE. */
int log_refill_path(char out[LOG_PATH_BYTES], const char *folder, const char *name,
                    const struct log_refill *refill) CHECKED;

#endif
