/* Opening: which segments are there, where does the log end, and the seal behind that end. */
#include <stdio.h>

#include "base/assert.h"
#include "log/bytes.h"
#include "log/log_private.h"

/* The files of the folder, and one segment's bytes in memory. */
struct recovery {
    struct log *log;
    uint64_t first; /* serial */
    uint32_t count;
    uint64_t missing; /* the first serial that is not there though a later one is; 0: none */
    struct io_file *file; /* of the segment that was loaded last */
    uint32_t loaded;
    uint64_t size; /* of that file */
    struct buf bytes;
    struct log_scan scan;
};

/* Name what is wrong with the segment @serial at @offset. */
static void explain(struct log *log, uint64_t serial, uint64_t offset, const char *what)
{
    char path[LOG_PATH_BYTES];

    log__segment_path(log, serial, path);
    (void)snprintf(log->text, sizeof log->text, "%s: offset %llu: %s", path,
                   (unsigned long long)offset, what);
}

static bool parse_segment_name(const char *name, uint64_t *ret_serial)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t serial = 0;

    if (strncmp(name, "log-", 4) != 0 || strlen(name) != 4 + 16) {
        return false;
    }
    for (const char *at = name + 4; *at != '\0'; at++) {
        const char *digit = strchr(digits, *at);
        if (digit == NULL) {
            return false;
        }
        serial = serial << 4 | (uint64_t)(digit - digits);
    }
    *ret_serial = serial;
    return true;
}

/* Names come in byte order, which is the order of the serials. */
static int found_file(void *context, const char *name)
{
    struct recovery *recovery = context;
    uint64_t serial;

    if (!parse_segment_name(name, &serial)) {
        return OK;
    }
    if (recovery->count == 0) {
        recovery->first = serial;
    } else if (serial != recovery->first + recovery->count && recovery->missing == 0) {
        recovery->missing = recovery->first + recovery->count;
    }
    recovery->count++;
    return OK;
}

static int remove_if_there(struct log *log, const char *name)
{
    char path[LOG_PATH_BYTES];

    log__file_path(log, name, path);
    int status = io_file_remove(log->io, path);
    return status == ERR_GONE ? OK : status;
}

/* ---- a new log ---- */

int log__segment_make(struct log *log, uint64_t serial)
{
    char from[LOG_PATH_BYTES];
    char to[LOG_PATH_BYTES];
    struct io_file *file;

    log__file_path(log, "log.tmp", from);
    log__segment_path(log, serial, to);
    int status = io_file_open(log->io, from, IO_OPEN_CREATE, &file);
    if (status != OK) {
        return status;
    }
    status = io_file_sync(log->io, file);
    io_file_close(log->io, file);
    if (status == OK) {
        status = io_file_rename(log->io, from, to);
    }
    return status == OK ? io_folder_sync(log->io, log->folder) : status;
}

/* An interrupted first start left a seal at most. A longer file is a log whose identity was
 * lost. */
static int drop_name(void *context, const char *name)
{
    struct log *log = context;
    uint64_t serial;
    uint64_t size;
    char path[LOG_PATH_BYTES];
    struct io_file *file;

    if (strcmp(name, "marker") == 0) {
        return remove_if_there(log, name);
    }
    if (!parse_segment_name(name, &serial)) {
        return OK;
    }
    log__segment_path(log, serial, path);
    int status = io_file_open(log->io, path, IO_OPEN_READ, &file);
    if (status != OK) {
        return status;
    }
    status = io_file_size(log->io, file, &size);
    io_file_close(log->io, file);
    if (status == OK && size > LOG_PAGE_BYTES) {
        explain(log, serial, 0, "this log has records, yet the folder has lost its identity");
        return ERR_DAMAGED;
    }
    return status == OK ? remove_if_there(log, name) : status;
}

static int make_new(struct log *log)
{
    int status = io_folder_list(log->io, log->folder, drop_name, log);

    if (status == OK) {
        status = io_folder_sync(log->io, log->folder);
    }
    return status == OK ? log__segment_make(log, 1) : status;
}

static int find_segments(struct recovery *recovery)
{
    struct log *log = recovery->log;

    int status = io_folder_make(log->io, log->folder);
    if (status == OK) {
        status = remove_if_there(log, "log.tmp");
    }
    if (status == OK) {
        status = remove_if_there(log, "marker.tmp");
    }
    if (status == OK && log->options.is_new) {
        status = make_new(log);
    }
    if (status == OK) {
        status = io_folder_list(log->io, log->folder, found_file, recovery);
    }
    if (status != OK) {
        return status;
    }
    if (recovery->count == 0 || recovery->missing != 0) {
        explain(log, recovery->count == 0 ? 1 : recovery->missing, 0,
                "this file of the log is missing");
        return ERR_DAMAGED;
    }
    if (recovery->count > LOG_SEGMENTS_MAX - 2) {
        explain(log, recovery->first, 0, "the log has too many files");
        return ERR_TOO_LARGE;
    }
    /* A name that the process before made may not be durable yet; what follows relies on it. */
    return io_folder_sync(log->io, log->folder);
}

/* ---- the scan ---- */

static void close_segment(struct recovery *recovery)
{
    if (recovery->file != NULL) {
        io_file_close(recovery->log->io, recovery->file);
        recovery->file = NULL;
    }
}

static int load_segment(void *context, uint32_t i, uint64_t offset, uint64_t bytes,
                        struct slice *ret_bytes)
{
    struct recovery *recovery = context;
    struct log *log = recovery->log;
    char path[LOG_PATH_BYTES];
    size_t len = 0;
    int status = OK;

    if (recovery->file == NULL || recovery->loaded != i) {
        close_segment(recovery);
        log__segment_path(log, recovery->first + i, path);
        status = io_file_open(log->io, path, IO_OPEN_READ, &recovery->file);
        recovery->loaded = i;
        if (status == OK) {
            status = io_file_size(log->io, recovery->file, &recovery->size);
        }
    }
    uint64_t left = offset < recovery->size ? recovery->size - offset : 0;
    if (bytes > left) {
        bytes = left;
    }
    buf_clear(&recovery->bytes);
    if (status == OK) {
        status = buf_reserve(&recovery->bytes, bytes + 1);
    }
    if (status == OK) {
        status =
            io_file_read(log->io, recovery->file, offset, recovery->bytes.data, bytes, &len);
    }
    recovery->bytes.len = len;
    *ret_bytes = buf_slice(&recovery->bytes);
    return status;
}

static int replay_record(void *context, const struct log_record *record)
{
    struct recovery *recovery = context;
    struct log *log = recovery->log;

    if (record->group >= log->options.groups) {
        explain(log, record->serial, recovery->scan.last.end,
                "the record before belongs to a group that this node does not have");
        return ERR_DAMAGED;
    }
    log__note(log, &log->segments[record->serial - recovery->first], record,
              recovery->scan.last.end - log_record_bytes(record->payload.len));
    return log->hooks.replayed == NULL ? OK : log->hooks.replayed(log->hooks.context, record);
}

static int read_marker(struct log *log)
{
    static const uint8_t empty[LOG_MARKER_FILE_BYTES];
    char path[LOG_PATH_BYTES];
    uint8_t bytes[LOG_MARKER_FILE_BYTES];
    struct io_file *file;
    size_t len;

    log__file_path(log, "marker", path);
    int status = io_file_open(log->io, path, IO_OPEN_READ, &file);
    if (status == ERR_GONE) {
        return log_file_replace(log->io, log->folder, "marker",
                                slice_from(empty, sizeof empty));
    }
    if (status != OK) {
        return status;
    }
    status = io_file_read(log->io, file, 0, bytes, sizeof bytes, &len);
    io_file_close(log->io, file);
    if (status == OK) {
        log->marker_slot =
            log_marker_decode(slice_from(bytes, len), log->options.identity, &log->marked);
    }
    return status;
}

static int scan_segments(struct recovery *recovery)
{
    struct log *log = recovery->log;
    struct log_scan *scan = &recovery->scan;
    struct log_scan_input input = {
        .context = recovery,
        .first_serial = recovery->first,
        .count = recovery->count,
        .load = load_segment,
    };

    for (uint32_t i = 0; i < recovery->count; i++) {
        log__segment_add(log, recovery->first + i, 0, NULL);
    }
    log_scan_init(scan, log->options.identity);
    scan->marker = log->marked;
    scan->replayed = replay_record;
    scan->context = recovery;
    int status = log_scan_run(scan, &input);
    if (status != OK && scan->reason != LOG_SCAN_END) {
        explain(log, recovery->first + scan->stop_segment, scan->stop,
                log_scan_text(scan->reason));
    }
    log->current = scan->segment;
    log->chain = scan->chain;
    log->durable = scan->last;
    log->stats.records = scan->records;
    return status;
}

/* ---- the end ---- */

/* Open the segments that will be written. */
static int open_rest(struct log *log)
{
    char path[LOG_PATH_BYTES];
    int status = OK;

    for (uint32_t i = 0; i < log->segment_count && status == OK; i++) {
        struct log_segment *segment = &log->segments[i];
        struct io_file *file;
        log__segment_path(log, segment->serial, path);
        status = io_file_open(log->io, path, IO_OPEN_WRITE, &file);
        if (status != OK) {
            break;
        }
        status = io_file_size(log->io, file, &segment->filled);
        if (segment->filled > segment->capacity) {
            segment->capacity = segment->filled / LOG_PAGE_BYTES * LOG_PAGE_BYTES;
        }
        if (i < log->current) {
            io_file_close(log->io, file);
        } else {
            segment->file = file;
        }
    }
    return status;
}

/* Write @bytes at @offset, padded with zeros to the end of the page, and sync. */
static int write_end(struct log *log, struct log_segment *segment, uint64_t offset,
                     struct buf *bytes)
{
    static const uint8_t zeros[LOG_PAGE_BYTES];
    uint64_t end = log_align(offset + bytes->len, LOG_PAGE_BYTES);

    if (end > segment->capacity) {
        end = segment->capacity;
    }
    int status = buf_append(bytes, zeros, end - offset - bytes->len);
    if (status == OK) {
        status = io_file_write(log->io, segment->file, offset, bytes->data, bytes->len);
    }
    if (status == OK) {
        status = io_file_sync(log->io, segment->file);
    }
    if (end > segment->filled) {
        segment->filled = end;
    }
    return status;
}

static int append_seal(struct log *log, struct buf *bytes)
{
    uint8_t payload[LOG_BATCH_PAYLOAD_BYTES];
    uint8_t record[LOG_BATCH_HEADER_BYTES];
    struct log_batch batch = {
        .durable_batch = log->durable.batch,
        .durable_serial = log->durable.serial,
        .durable_end = log->durable.end,
        .bytes = LOG_BATCH_HEADER_BYTES,
        .records = 1,
    };
    struct log_record header = {
        .type = LOG_BATCH, .payload = {payload, sizeof payload}
    };
    struct log_seal seal = {log->segments[log->current].serial, log->batch,
                            log->options.identity, log->chain};

    log_batch_encode(&batch, payload);
    log_record_encode(&header, record);
    log_record_seal(record, &seal);
    log->chain = seal.chain;
    return buf_append(bytes, record, sizeof record);
}

/* Go on in the segment after the last used one, making it if there is none. */
static int next_segment(struct log *log)
{
    char path[LOG_PATH_BYTES];

    io_file_close(log->io, log->segments[log->current].file);
    log->segments[log->current].file = NULL;
    if (log__ready(log) == 0) {
        uint64_t serial = log->segments[log->current].serial + 1;
        struct io_file *file;
        log__segment_path(log, serial, path);
        int status = log__segment_make(log, serial);
        if (status == OK) {
            status = io_file_open(log->io, path, IO_OPEN_WRITE, &file);
        }
        if (status != OK) {
            return status;
        }
        log__segment_add(log, serial, 0, file);
    }
    log->current++;
    log->position = 0;
    return OK;
}

/* Write @bytes, the last batch and the zeros behind it, once more and sync: what was read may
 * never have left a cache. */
static int write_last(struct log *log, struct log_segment *segment, uint64_t offset,
                      const struct buf *bytes)
{
    if (bytes->len == 0) {
        return OK;
    }
    int status = io_file_write(log->io, segment->file, offset, bytes->data, bytes->len);
    if (status == OK) {
        status = io_file_sync(log->io, segment->file);
    }
    if (offset + bytes->len > segment->filled) {
        segment->filled = offset + bytes->len;
    }
    return status;
}

/* Write the last batch once more and, when it is durable, the seal behind it: in one write, a
 * power cut could leave the seal without the batch, which the next start would have to call
 * damage. */
static int seal_end(struct recovery *recovery)
{
    struct log *log = recovery->log;
    struct log_scan *scan = &recovery->scan;
    struct log_segment *segment = &log->segments[log->current];
    struct slice kept = SLICE_NONE;
    int status = OK;

    log->batch = scan->batch_seen + 1;
    if (scan->last.batch != 0) {
        status = load_segment(recovery, scan->segment, scan->last_begin,
                              scan->last.end - scan->last_begin, &kept);
        if (status == OK && kept.len < scan->last.end - scan->last_begin) {
            status = ERR_IO; /* it was longer a moment ago */
        }
        if (status != OK) {
            return status;
        }
    }
    struct buf end;
    buf_init(&end, kept.len + 3 * (size_t)LOG_PAGE_BYTES);
    static const uint8_t zeros[LOG_SECTOR_BYTES];
    log->position = log_align(scan->last.end, LOG_SECTOR_BYTES);
    status = buf_append_slice(&end, kept);
    if (status == OK) {
        status = buf_append(&end, zeros, log->position - scan->last.end);
    }
    if (status == OK) {
        status = write_last(log, segment, scan->last_begin, &end);
    }
    if (status == OK && log->position + LOG_SECTOR_BYTES > segment->capacity) {
        status = next_segment(log);
        segment = &log->segments[log->current];
    }
    buf_clear(&end);
    if (status == OK) {
        status = append_seal(log, &end);
    }
    if (status == OK) {
        status = write_end(log, segment, log->position, &end);
    }
    buf_fini(&end);
    log->durable =
        (struct log_place){log->batch, segment->serial, log->position + LOG_BATCH_HEADER_BYTES};
    log->position = log_align(log->durable.end, LOG_SECTOR_BYTES);
    return status;
}

int log__recover(struct log *log)
{
    struct recovery *recovery = arena_alloc_zero(&log->arena, sizeof *recovery);

    recovery->log = log;
    buf_init(&recovery->bytes, UINT32_MAX);
    int status = find_segments(recovery);
    if (status == OK) {
        status = read_marker(log);
    }
    if (status == OK) {
        status = scan_segments(recovery);
    }
    if (status == OK) {
        status = open_rest(log);
    }
    if (status == OK) {
        status = seal_end(recovery);
    }
    close_segment(recovery);
    buf_fini(&recovery->bytes);
    arena_free(&log->arena, recovery, sizeof *recovery);
    return status;
}
