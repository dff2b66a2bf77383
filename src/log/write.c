/* Group commit: one batch is on its way to the disk while the next one gathers. */
#include <stdio.h>

#include "base/assert.h"
#include "log/log_private.h"

void log__filling_begin(struct log *log, struct buf *buffer)
{
    buffer->len = LOG_BATCH_HEADER_BYTES;
    log->filling = buffer;
    log->filling_records = 0;
}

/* On the writer's thread: everything that depends on the place and on the record before, then
 * the disk. */
static void write_run(struct io *io, struct io_job *job)
{
    struct log_write *write = CONTAINER_OF(job, struct log_write, job);
    uint8_t *data = write->bytes->data;

    write->seal.chain = write->chain;
    for (size_t at = 0; at < write->bytes->len;) {
        at += log_record_seal(data + at, &write->seal);
    }
    write->is_written = false;
    write->status = io_file_write(io, write->file, write->offset, data, write->padded);
    if (write->status == OK) {
        write->is_written = true;
        write->status = io_file_sync(io, write->file);
    }
}

/* The batch is durable: hand its records over in order. */
static void deliver(struct log *log)
{
    struct log_write *write = &log->write;
    struct log_segment *segment = &log->segments[log->current];
    struct log_record record;
    uint64_t end = write->offset + write->bytes->len;

    log->durable = (struct log_place){write->seal.batch, write->seal.serial, end};
    log->chain = write->seal.chain;
    log->stats.batches++;
    log->stats.bytes += log_align(end, LOG_SECTOR_BYTES) - write->offset;
    if (write->offset + write->padded > segment->filled) {
        segment->filled = write->offset + write->padded;
    }
    for (size_t at = LOG_BATCH_HEADER_BYTES; at < write->bytes->len;) {
        log_record_parse(write->bytes->data + at, &record);
        log__note(log, segment, &record, write->offset + at);
        log->stats.records++;
        if (record.type != LOG_HARD_STATE || record.index != LOG_HARD_COPY) {
            log->hooks.stored(log->hooks.context, &record);
        }
        at += log_record_bytes(record.payload.len);
    }
    if (log->hooks.batch_stored != NULL) {
        log->hooks.batch_stored(log->hooks.context);
    }
}

static void write_done(struct io_job *job)
{
    struct log *log = CONTAINER_OF(job, struct log, write.job);
    struct log_write *write = &log->write;

    if (log->is_failed) {
        log->is_writing = false; /* durable or not: nothing is told any more */
        log__close_step(log);
        return;
    }
    if (write->status == ERR_DISK_FULL && !write->is_written) {
        /* Nothing was said about these bytes and no sync was tried: the same write may be
         * repeated. */
        log->is_held = true;
        log->is_refusing = true;
        log__starve(log);
        log__close_step(log);
        return;
    }
    if (write->status != OK) {
        char name[32];
        (void)snprintf(name, sizeof name, "log-%016llx",
                       (unsigned long long)write->seal.serial);
        log->is_writing = false;
        log__fail(log, write->is_written ? "sync" : "write", name, write->status);
        log__close_step(log);
        return;
    }
    deliver(log);
    buf_clear(write->bytes);
    log->is_writing = false;
    log__keep(log);
    log__close_step(log);
}

void log__write_again(struct log *log)
{
    ASSERT(log->is_held && log->is_writing);
    log->is_held = false;
    io_lane_submit(log->io, IO_LANE_LOG, &log->write.job);
}

/* Make the next ready segment the current one. */
static void rotate(struct log *log)
{
    struct log_segment *segment = &log->segments[log->current];

    io_file_close(log->io, segment->file);
    segment->file = NULL;
    log->current++;
    log->position = 0;
    log->is_rotated = true;
}

/* Find a place for a batch of @bytes. Returns: false when it has to wait for a segment. */
static bool find_place(struct log *log, uint64_t bytes)
{
    const struct log_segment *segment = &log->segments[log->current];
    bool is_growing = segment->filled < segment->capacity;
    bool fits = log->position + bytes <= segment->capacity;

    if (fits && !(is_growing && log__ready(log) > 0)) {
        return true;
    }
    if (log__ready(log) == 0) {
        log->is_waiting = true;
        log__keep(log);
        return false;
    }
    rotate(log);
    return true;
}

static void put_header(const struct log *log, uint8_t *out, uint32_t bytes, uint32_t records)
{
    uint8_t payload[LOG_BATCH_PAYLOAD_BYTES];
    struct log_batch batch = {
        .durable_batch = log->durable.batch,
        .durable_serial = log->durable.serial,
        .durable_end = log->durable.end,
        .bytes = bytes,
        .records = records,
    };
    struct log_record record = {
        .type = LOG_BATCH, .payload = {payload, sizeof payload}
    };

    log_batch_encode(&batch, payload);
    log_record_encode(&record, out);
}

void log__hand_over(struct log *log)
{
    struct buf *bytes = log->filling;

    if (log->is_writing || log->is_failed || log->is_closed || log->filling_records == 0 ||
        !find_place(log, bytes->len)) {
        return;
    }
    struct log_segment *segment = &log->segments[log->current];
    uint64_t end = log_align(log->position + bytes->len, LOG_PAGE_BYTES);
    if (end > segment->capacity) {
        end = segment->capacity;
    }
    put_header(log, bytes->data, (uint32_t)bytes->len, log->filling_records + 1);
    memset(bytes->data + bytes->len, 0, end - log->position - bytes->len);

    log->batch++;
    log->write = (struct log_write){
        .job = {.run = write_run,       .done = write_done},
        .bytes = bytes,
        .padded = end - log->position,
        .file = segment->file,
        .offset = log->position,
        .seal = { segment->serial, log->batch,                  log->options.identity, 0},
        .chain = log->chain,
    };
    log->position = log_align(log->position + bytes->len, LOG_SECTOR_BYTES);
    io_timer_stop(log->io, &log->kick);
    log->is_writing = true;
    log->is_waiting = false;
    log__filling_begin(log, bytes == &log->buffers[0] ? &log->buffers[1] : &log->buffers[0]);
    io_lane_submit(log->io, IO_LANE_LOG, &log->write.job);
}
