#include "log/read.h"

#include <stdio.h>

#include "base/assert.h"
#include "log/bytes.h"
#include "log/log_private.h"

/* ---- in the bulk lane ---- */

struct walk {
    struct io *io;
    const struct log *log; /* folder and identity: constant while it is open */
    struct log_read *read;
    struct io_file *file;
    uint64_t file_serial;
    uint64_t serial; /* the place at hand */
    uint64_t offset;
    uint64_t expect;  /* index of the group's next entry there */
    uint64_t payload; /* bytes taken */
    bool is_full;
    bool
        is_passing; /* the record before was passed unchecked: the next one's chain proves it */
    uint64_t passed; /* its offset */
    uint32_t passed_crc;
};

static int damaged(struct walk *walk, const char *text)
{
    walk->read->bad_serial = walk->serial;
    walk->read->bad_offset = walk->is_passing ? walk->passed : walk->offset;
    walk->read->bad_text = text;
    return ERR_DAMAGED;
}

static int turn_to(struct walk *walk, uint64_t serial)
{
    char path[LOG_PATH_BYTES];

    if (walk->file != NULL && walk->file_serial == serial) {
        return OK;
    }
    if (walk->file != NULL) {
        io_file_close(walk->io, walk->file);
        walk->file = NULL;
    }
    log__segment_path(walk->log, serial, path);
    walk->file_serial = serial;
    int status = io_file_open(walk->io, path, IO_OPEN_READ, &walk->file);
    return status == ERR_GONE ? damaged(walk, "this file of the log is missing") : status;
}

/* Bring @len bytes at the place at hand into view, and as many more as are worth a call. */
static int load(struct walk *walk, uint64_t len)
{
    struct log_read *read = walk->read;
    uint64_t want = len > LOG_READ_VIEW_BYTES ? len : LOG_READ_VIEW_BYTES;

    if (walk->serial == read->limit.serial && walk->offset + want > read->limit.end) {
        want = read->limit.end > walk->offset ? read->limit.end - walk->offset : 0;
    }
    buf_clear(&read->view);
    read->view_serial = walk->serial;
    read->view_offset = walk->offset;
    int status = turn_to(walk, walk->serial);
    if (status == OK) {
        status = buf_reserve(&read->view, want);
    }
    if (status == OK && want > 0) {
        status = io_file_read(walk->io, walk->file, walk->offset, read->view.data, want,
                              &read->view.len);
        read->looked += read->view.len;
    }
    return status;
}

/* The @len bytes at the place at hand. */
static int look(struct walk *walk, uint64_t len, struct slice *ret_bytes)
{
    struct log_read *read = walk->read;
    bool is_in_view = read->view_serial == walk->serial && walk->offset >= read->view_offset &&
                      walk->offset + len <= read->view_offset + read->view.len;

    int status = is_in_view ? OK : load(walk, len);
    if (status != OK) {
        return status;
    }
    *ret_bytes = slice_sub(buf_slice(&read->view), walk->offset - read->view_offset, len);
    return ret_bytes->len == len ? OK : damaged(walk, "the file ends before its records");
}

/* Behind a batch zeros follow up to the next sector, where another begins. */
static int pass_padding(struct walk *walk)
{
    uint64_t next = log_align(walk->offset, LOG_SECTOR_BYTES);
    struct slice zeros;

    if (next == walk->offset) {
        return damaged(walk, "no record stands here, yet entries follow");
    }
    int status = look(walk, next - walk->offset, &zeros);
    if (status != OK) {
        return status;
    }
    for (size_t i = 0; i < zeros.len; i++) {
        if (zeros.data[i] != 0) {
            return damaged(walk, "the record here is bad");
        }
    }
    walk->offset = next;
    return OK;
}

/* The record at the place at hand, checked. A long one that is not wanted is passed by what
 * its header says. */
static int check_record(struct walk *walk, struct log_record *ret_record)
{
    const struct log_read *read = walk->read;
    struct slice bytes;

    int status = look(walk, LOG_HEADER_BYTES, &bytes);
    if (status != OK) {
        return status;
    }
    log_record_parse(bytes.data, ret_record);
    size_t whole = log_record_bytes(ret_record->payload.len);
    bool is_passed = ret_record->group != read->group && whole > LOG_READ_VIEW_BYTES;
    if (whole <= LOG_BATCH_BYTES_MAX && !is_passed) {
        status = look(walk, whole, &bytes);
        if (status == OK && log_record_decode(bytes, ret_record) != OK) {
            status = damaged(walk, "the record here is bad");
        }
    }
    if (status == OK && (ret_record->serial != walk->serial || whole > LOG_BATCH_BYTES_MAX ||
                         ret_record->identity != walk->log->options.identity)) {
        status = damaged(walk, "the record here is bad");
    }
    if (status == OK && walk->is_passing && ret_record->chain != walk->passed_crc) {
        status = damaged(walk, "the record here is bad");
    }
    walk->is_passing = is_passed;
    walk->passed = walk->offset;
    walk->passed_crc = ret_record->crc;
    return status;
}

/* The group's next entry. */
static int take(struct walk *walk, const struct log_record *record)
{
    struct log_read *read = walk->read;
    struct slice bytes;

    if (record->index != walk->expect) {
        return damaged(walk, "another entry than the one that belongs here");
    }
    if (record->index < read->index) {
        return OK;
    }
    if (read->count == read->count_max ||
        (read->count > 0 && walk->payload + record->payload.len > read->bytes_max)) {
        walk->is_full = true;
        return OK;
    }
    walk->payload += record->payload.len;
    read->count++;
    int status = look(walk, log_record_bytes(record->payload.len), &bytes);
    return status == OK ? buf_append_slice(&read->bytes, bytes) : status;
}

/* What stands at the place at hand: an entry of the group, another record, or padding. */
static int step(struct walk *walk)
{
    const struct log_read *read = walk->read;
    struct log_record record;
    struct slice bytes;

    int status = look(walk, LOG_RECORD_ALIGN, &bytes);
    if (status != OK) {
        return status;
    }
    if (bytes_get_u32(bytes.data) != LOG_MAGIC) {
        return pass_padding(walk);
    }
    status = check_record(walk, &record);
    if (status != OK) {
        return status;
    }
    bool is_wanted = record.group == read->group && log_type_is_entry(record.type);
    if (is_wanted) {
        status = take(walk, &record);
    }
    if (status == OK && !walk->is_full) {
        walk->expect += is_wanted ? 1 : 0;
        walk->offset += log_record_bytes(record.payload.len);
    }
    return status;
}

/* Where to begin: as far into the extent as the last answer reached. */
static void enter(struct walk *walk, const struct log_extent *extent)
{
    const struct log_read *read = walk->read;

    walk->is_passing = false;
    walk->serial = extent->serial;
    walk->offset = extent->offset;
    walk->expect = extent->first;
    /* A place behind the extent's beginning, and entries of the extent follow there: had they
     * been voided and appended anew since, the extent would begin behind it. */
    if (read->next_group == read->group && read->next_serial == extent->serial &&
        read->next_offset > extent->offset && read->next_index > extent->first &&
        read->next_index <= read->index) {
        walk->offset = read->next_offset;
        walk->expect = read->next_index;
    }
}

static int walk_plan(struct walk *walk)
{
    struct log_read *read = walk->read;

    for (uint32_t i = 0; i < read->plan_count && !walk->is_full; i++) {
        const struct log_extent *extent = &read->plan[i];
        enter(walk, extent);
        while (walk->expect < extent->first + extent->count && !walk->is_full) {
            int status = step(walk);
            if (status != OK) {
                return status;
            }
        }
    }
    read->next_group = read->group;
    read->next_index = walk->expect;
    read->next_serial = walk->serial;
    read->next_offset = walk->offset;
    return OK;
}

static int fill_rows(struct log_read *read)
{
    size_t at = 0;

    int status = buf_reserve(&read->rows, read->count * sizeof *read->records);
    if (status != OK) {
        return status;
    }
    for (uint32_t i = 0; i < read->count; i++) {
        struct log_record record = {.group = 0};
        log_record_parse(read->bytes.data + at, &record);
        at += log_record_bytes(record.payload.len);
        memcpy(read->rows.data + i * sizeof record, &record, sizeof record);
    }
    ASSERT(at == read->bytes.len);
    read->records = (const void *)read->rows.data;
    return OK;
}

static void read_run(struct io *io, struct io_job *job)
{
    struct log_read *read = CONTAINER_OF(job, struct log_read, job);
    struct walk walk = {.io = io, .log = read->log, .read = read};

    if (read->status != OK) {
        return;
    }
    read->status = walk_plan(&walk);
    if (read->status == OK) {
        read->status = fill_rows(read);
    }
    if (walk.file != NULL) {
        io_file_close(io, walk.file);
    }
    if (read->status != OK || read->view.cap > LOG_READ_VIEW_BYTES) {
        buf_fini(&read->view); /* who tries again shall look again */
    }
}

/* ---- on the loop ---- */

static void explain(struct log *log, const struct log_read *read)
{
    char path[LOG_PATH_BYTES];

    if (!log->is_failed) {
        log__segment_path(log, read->bad_serial, path);
        (void)snprintf(log->text, sizeof log->text, "%s: offset %llu: %s", path,
                       (unsigned long long)read->bad_offset, read->bad_text);
    }
}

static void read_done(struct io_job *job)
{
    struct log_read *read = CONTAINER_OF(job, struct log_read, job);
    struct log *log = read->log;

    list_remove(&read->node);
    log->stats.read_bytes += read->looked;
    if (read->status == ERR_DAMAGED) {
        explain(log, read);
    }
    uint64_t live = read->until > read->index ? read->until - read->index : 0;
    if (live < read->count) {
        read->count = (uint32_t)live;
    }
    if (read->status == OK && read->count == 0) {
        read->status = ERR_GONE;
    }
    if (read->status != OK) {
        read->count = 0;
        read->records = NULL;
    }
    read->done(read, read->status);
    log__close_step(log);
}

static int plan(struct log *log, struct log_read *read)
{
    const struct log_void *voids = &log->voids[read->group];

    if (log->is_closing) {
        return ERR_STOPPED;
    }
    read->until = voids->pending > 0 ? voids->from : UINT64_MAX;
    read->limit = log->durable;
    if (read->index >= read->until) {
        return ERR_GONE;
    }
    read->plan_count =
        log_extents_copy(&log->extents, read->group, read->index, read->plan, LOG_READ_EXTENTS);
    return read->plan_count > 0 ? OK : ERR_GONE;
}

void log_read_submit(struct log *log, struct log_read *read)
{
    ASSERT(!log->is_closed);
    ASSERT(read->group < log->options.groups);
    ASSERT(read->count_max > 0 && read->done != NULL);
    ASSERT(!list_is_linked(&read->node));
    if (read->count_max > LOG_READ_ENTRIES_MAX) {
        read->count_max = LOG_READ_ENTRIES_MAX;
    }
    read->log = log;
    read->records = NULL;
    read->count = 0;
    read->looked = 0;
    read->bytes.max = SIZE_MAX;
    read->rows.max = LOG_READ_ENTRIES_MAX * sizeof *read->records;
    read->view.max = LOG_BATCH_BYTES_MAX + (size_t)LOG_READ_VIEW_BYTES;
    buf_clear(&read->bytes);
    buf_clear(&read->rows);
    read->plan_count = 0;
    read->status = plan(log, read);
    list_add(&log->reads, &read->node);
    read->job = (struct io_job){.run = read_run, .done = read_done};
    io_lane_submit(log->io, IO_LANE_BULK, &read->job);
}

void log__void_reads(struct log *log, uint32_t group, uint64_t index)
{
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, &log->reads)
    {
        struct log_read *read = CONTAINER_OF(node, struct log_read, node);
        if (read->group == group && index < read->until) {
            read->until = index;
        }
    }
}

void log_read_fini(struct log_read *read)
{
    ASSERT(!list_is_linked(&read->node));
    buf_fini(&read->bytes);
    buf_fini(&read->rows);
    buf_fini(&read->view);
    read->next_serial = 0;
    read->records = NULL;
    read->count = 0;
}
