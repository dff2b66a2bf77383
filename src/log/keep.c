/* Keeping the folder: spare segments ahead, covered ones recycled, the marker of an idle log.
 * One thing at a time in the bulk lane, each durable before the next begins. */
#include <stdio.h>

#include "base/assert.h"
#include "log/log_private.h"

static const uint8_t zeros[64 << 10];

/* ---- in the bulk lane ---- */

static struct log *log_of(struct io_job *job)
{
    return CONTAINER_OF(job, struct log, keep.job);
}

/* What the job reads of the log is constant while it is open: folder and options. */
static int spare_begin(struct io *io, const struct log *log, struct log_keep *keep)
{
    char path[LOG_PATH_BYTES];
    uint64_t free_bytes;
    uint64_t need = log->options.segment_bytes + log->options.segment_bytes / 4;

    /* The last room on the disk is left to snapshots, which are what frees segments. */
    keep->operation = "look for free space";
    int status = io_folder_free_bytes(io, log->folder, &free_bytes);
    if (status != OK) {
        return status;
    }
    if (free_bytes < need) {
        return ERR_DISK_FULL;
    }
    log__file_path(log, "log.tmp", path);
    keep->operation = "create";
    return io_file_open(io, path, IO_OPEN_CREATE, &keep->file);
}

static int spare_fill(struct io *io, const struct log *log, struct log_keep *keep)
{
    uint64_t until = keep->filled + LOG_FILL_BYTES;
    if (until > log->options.segment_bytes) {
        until = log->options.segment_bytes;
    }
    while (keep->filled < until) {
        uint64_t len = until - keep->filled;
        if (len > sizeof zeros) {
            len = sizeof zeros;
        }
        keep->operation = "write";
        int status = io_file_write(io, keep->file, keep->filled, zeros, len);
        if (status != OK) {
            return status;
        }
        keep->filled += len;
    }
    keep->operation = "sync";
    return io_file_sync(io, keep->file);
}

/* A spare that cannot be finished holds nothing: its room goes back to the disk. */
static int spare_drop(struct io *io, const struct log *log, struct log_keep *keep)
{
    char path[LOG_PATH_BYTES];

    if (keep->file != NULL) {
        io_file_close(io, keep->file);
        keep->file = NULL;
    }
    keep->filled = 0;
    log__file_path(log, "log.tmp", path);
    int status = io_file_remove(io, path);
    if (status != OK && status != ERR_GONE) {
        keep->operation = "remove";
        return status;
    }
    return ERR_DISK_FULL;
}

static int run_fill(struct io *io, const struct log *log, struct log_keep *keep)
{
    int status = keep->file == NULL ? spare_begin(io, log, keep) : OK;

    if (status == OK) {
        status = spare_fill(io, log, keep);
    }
    return status == ERR_DISK_FULL ? spare_drop(io, log, keep) : status;
}

static int run_rename(struct io *io, const struct log *log, struct log_keep *keep,
                      const char *from, const char *to)
{
    keep->operation = "rename";
    int status = io_file_rename(io, from, to);
    if (status == OK) {
        keep->operation = "sync the folder";
        status = io_folder_sync(io, log->folder);
    }
    return status;
}

static int run_publish(struct io *io, const struct log *log, struct log_keep *keep)
{
    char from[LOG_PATH_BYTES];
    char to[LOG_PATH_BYTES];

    log__file_path(log, "log.tmp", from);
    log__segment_path(log, keep->serial_new, to);
    return run_rename(io, log, keep, from, to);
}

static int run_recycle(struct io *io, const struct log *log, struct log_keep *keep)
{
    char from[LOG_PATH_BYTES];
    char to[LOG_PATH_BYTES];

    log__segment_path(log, keep->serial, from);
    log__segment_path(log, keep->serial_new, to);
    int status = run_rename(io, log, keep, from, to);
    if (status == OK) {
        keep->operation = "open";
        status = io_file_open(io, to, IO_OPEN_WRITE, &keep->recycled);
    }
    return status;
}

static int run_remove(struct io *io, const struct log *log, struct log_keep *keep)
{
    char path[LOG_PATH_BYTES];

    log__segment_path(log, keep->serial, path);
    keep->operation = "remove";
    int status = io_file_remove(io, path);
    if (status == OK) {
        keep->operation = "sync the folder";
        status = io_folder_sync(io, log->folder);
    }
    return status;
}

static int run_marker(struct io *io, const struct log *log, struct log_keep *keep)
{
    char path[LOG_PATH_BYTES];
    uint8_t slot[LOG_MARKER_SLOT_BYTES];
    struct io_file *file;

    log__file_path(log, "marker", path);
    log_marker_encode(&keep->place, log->options.identity, slot);
    keep->operation = "open";
    int status = io_file_open(io, path, IO_OPEN_WRITE, &file);
    if (status != OK) {
        return status;
    }
    keep->operation = "write";
    status = io_file_write(io, file, keep->slot * LOG_MARKER_SLOT_BYTES, slot, sizeof slot);
    if (status == OK) {
        keep->operation = "sync";
        status = io_file_sync(io, file);
    }
    io_file_close(io, file);
    return status;
}

static void keep_run(struct io *io, struct io_job *job)
{
    const struct log *log = log_of(job);
    struct log_keep *keep = CONTAINER_OF(job, struct log_keep, job);

    switch (keep->kind) {
    case LOG_KEEP_MARKER:
        keep->status = run_marker(io, log, keep);
        break;
    case LOG_KEEP_RECYCLE:
        keep->status = run_recycle(io, log, keep);
        break;
    case LOG_KEEP_REMOVE:
        keep->status = run_remove(io, log, keep);
        break;
    case LOG_KEEP_FILL:
        keep->status = run_fill(io, log, keep);
        break;
    case LOG_KEEP_PUBLISH:
        keep->status = run_publish(io, log, keep);
        break;
    }
}

/* ---- on the loop ---- */

static void keep_failed(struct log *log)
{
    static const char *const names[] = {
        [LOG_KEEP_MARKER] = "marker",   [LOG_KEEP_RECYCLE] = "log-*",
        [LOG_KEEP_REMOVE] = "log-*",    [LOG_KEEP_FILL] = "log.tmp",
        [LOG_KEEP_PUBLISH] = "log.tmp",
    };
    const struct log_keep *keep = &log->keep;
    char name[32];

    (void)snprintf(name, sizeof name, "%s", names[keep->kind]);
    if (keep->kind == LOG_KEEP_RECYCLE || keep->kind == LOG_KEEP_REMOVE) {
        (void)snprintf(name, sizeof name, "log-%016llx", (unsigned long long)keep->serial);
    }
    log__fail(log, keep->operation, name, keep->status);
}

static void has_room(struct log *log)
{
    log->is_starved = false;
    log->is_probing = false;
}

static void keep_succeeded(struct log *log)
{
    struct log_keep *keep = &log->keep;

    switch (keep->kind) {
    case LOG_KEEP_MARKER:
        log->marked = keep->place;
        log->marker_slot = 1 - keep->slot;
        break;
    case LOG_KEEP_RECYCLE: {
        uint64_t bytes = log->segments[0].filled;
        log__segment_drop(log);
        log__segment_add(log, keep->serial_new, bytes, keep->recycled);
        keep->recycled = NULL;
        has_room(log);
        break;
    }
    case LOG_KEEP_REMOVE:
        log__segment_drop(log);
        log->is_probing = log->is_starved;
        break;
    case LOG_KEEP_FILL:
        break;
    case LOG_KEEP_PUBLISH:
        log__segment_add(log, keep->serial_new, keep->filled, keep->file);
        keep->file = NULL;
        keep->filled = 0;
        has_room(log);
        break;
    }
}

static void keep_done(struct io_job *job)
{
    struct log *log = log_of(job);
    struct log_keep *keep = &log->keep;

    log->is_keeping = false;
    if (keep->kind == LOG_KEEP_MARKER && keep->status == ERR_DISK_FULL) {
        keep->status = OK; /* the marker is an addition: the next one will do */
    }
    if (keep->status == OK) {
        keep_succeeded(log);
    } else if (keep->status == ERR_DISK_FULL && keep->kind == LOG_KEEP_FILL) {
        log__starve(log);
    } else {
        keep_failed(log);
    }
    log__keep(log);
    log__close_step(log);
}

static void copy_hard_state(struct log *log, uint32_t group)
{
    struct log_hard *hard = &log->hard[group];
    struct log_record record = {
        .group = group,
        .type = LOG_HARD_STATE,
        .index = LOG_HARD_COPY,
        .term = hard->term,
        .payload = {hard->payload, hard->len},
    };

    /* When there is no room for it now, the next durable batch asks again. A newer one on its
     * way takes its place: copied behind that, the old one would count. */
    if (!hard->is_moving) {
        (void)!log_append(log, &record);
    }
}

bool log__oldest_is_covered(struct log *log)
{
    const struct log_segment *oldest = &log->segments[0];
    bool is_covered = true;

    if (log->current == 0) {
        return false;
    }
    for (uint32_t group = 0; group < log->options.groups; group++) {
        if (oldest->group_last[group] > log->released[group]) {
            return false;
        }
    }
    for (uint32_t group = 0; group < log->options.groups; group++) {
        if (log->hard[group].serial == oldest->serial) {
            copy_hard_state(log, group);
            is_covered = false;
        }
    }
    return is_covered;
}

static void submit(struct log *log, enum log_keep_kind kind)
{
    struct log_keep *keep = &log->keep;

    keep->kind = kind;
    keep->job = (struct io_job){.run = keep_run, .done = keep_done};
    keep->serial = log->segments[0].serial;
    keep->serial_new = log->segments[log->segment_count - 1].serial + 1;
    keep->place = log->durable;
    keep->slot = log->marker_slot;
    log->is_keeping = true;
    if (kind == LOG_KEEP_RECYCLE || kind == LOG_KEEP_REMOVE) {
        /* Reads that were asked for go before it in the lane, later ones find nothing there. */
        log_extents_drop(&log->extents, keep->serial);
    }
    io_lane_submit(log->io, IO_LANE_BULK, &keep->job);
}

/* A new log has one spare; a log that has needed a second segment once keeps all. */
static bool spare_is_wanted(const struct log *log)
{
    uint32_t target = log->is_rotated ? log->options.spares : 1;

    return log__ready(log) < target || log->keep.file != NULL;
}

static void keep_spare(struct log *log)
{
    const struct log_keep *keep = &log->keep;
    bool is_whole = keep->filled == log->options.segment_bytes;

    if (log->segment_count == LOG_SEGMENTS_MAX) {
        if (!log->is_starved) {
            log__starve(log);
        }
        return;
    }
    if (log->is_starved && !log->is_probing && keep->file == NULL) {
        return;
    }
    log->is_probing = false;
    /* A batch that waits takes the spare as it is; the rest of it grows as it is written. */
    bool is_publishable = keep->file != NULL && (is_whole || log->is_waiting);
    submit(log, is_publishable ? LOG_KEEP_PUBLISH : LOG_KEEP_FILL);
}

static void keep_oldest(struct log *log)
{
    const struct log_segment *oldest = &log->segments[0];
    bool fits = oldest->filled == log->options.segment_bytes &&
                oldest->capacity == log->options.segment_bytes;

    submit(log, fits && log__ready(log) < log->options.ready_max ? LOG_KEEP_RECYCLE
                                                                 : LOG_KEEP_REMOVE);
}

void log__keep(struct log *log)
{
    if (log->is_keeping || log->is_failed || log->is_closed) {
        return;
    }
    if (log->is_marker_due) {
        log->is_marker_due = false;
        submit(log, LOG_KEEP_MARKER);
    } else if (log->is_closing && !log->is_waiting) {
        return;
    } else if (log__oldest_is_covered(log)) {
        keep_oldest(log);
    } else if (spare_is_wanted(log)) {
        keep_spare(log);
    } else if (log->is_probing) {
        has_room(log);
    }
}
