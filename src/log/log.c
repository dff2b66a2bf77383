#include "log/log.h"

#include <stdio.h>

#include "base/assert.h"
#include "log/log_private.h"

void log_options_default(struct log_options *ret_options)
{
    *ret_options = (struct log_options){
        .segment_bytes = 64U << 20,
        .batch_bytes = 4U << 20,
        .spares = 2,
        .ready_max = 6,
        .idle_ms = 200,
        .extents_max = 1U << 18,
        .probe_ms = 1000,
    };
}

static bool options_are_usable(const struct log_options *options)
{
    return options->groups >= 1 && options->groups <= LOG_GROUPS_MAX &&
           options->batch_bytes >= LOG_PAGE_BYTES &&
           options->batch_bytes % LOG_PAGE_BYTES == 0 &&
           options->batch_bytes <= LOG_BATCH_BYTES_MAX &&
           options->segment_bytes % LOG_PAGE_BYTES == 0 &&
           options->segment_bytes >= options->batch_bytes + 2 * (uint64_t)LOG_PAGE_BYTES &&
           options->segment_bytes <= UINT32_MAX && options->spares >= 1 &&
           options->extents_max >= 1;
}

void log__file_path(const struct log *log, const char *name, char out[LOG_PATH_BYTES])
{
    /* The folder was checked on opening to leave room for any name of ours. */
    (void)snprintf(out, LOG_PATH_BYTES, "%s/%s", log->folder, name);
}

void log__segment_path(const struct log *log, uint64_t serial, char out[LOG_PATH_BYTES])
{
    (void)snprintf(out, LOG_PATH_BYTES, "%s/log-%016llx", log->folder,
                   (unsigned long long)serial);
}

struct log_segment *log__segment_add(struct log *log, uint64_t serial, uint64_t filled,
                                     struct io_file *file)
{
    ASSERT(log->segment_count < LOG_SEGMENTS_MAX);
    struct log_segment *segment = &log->segments[log->segment_count];
    ASSERT(log->segment_count == 0 || segment[-1].serial + 1 == serial);

    uint64_t most = log->options.segment_bytes;
    *segment = (struct log_segment){
        .serial = serial,
        .filled = filled,
        .capacity = filled > most ? filled / LOG_PAGE_BYTES * LOG_PAGE_BYTES : most,
        .file = file,
        .group_last =
            arena_alloc_zero(&log->arena, log->options.groups * sizeof *segment->group_last),
    };
    log->segment_count++;
    return segment;
}

void log__segment_drop(struct log *log)
{
    struct log_segment *oldest = &log->segments[0];

    ASSERT(log->current > 0);
    ASSERT(oldest->file == NULL);
    for (uint32_t group = 0; group < log->options.groups; group++) {
        if (oldest->group_last[group] > log->dropped[group]) {
            log->dropped[group] = oldest->group_last[group];
        }
    }
    arena_free(&log->arena, oldest->group_last,
               log->options.groups * sizeof *oldest->group_last);
    log->segment_count--;
    log->current--;
    memmove(oldest, oldest + 1, log->segment_count * sizeof *oldest);
}

/* Void entries keep no segment. The truncation stands behind them and so leaves after them. */
static void note_truncation(struct log *log, const struct log_record *record)
{
    for (uint32_t i = 0; i < log->segment_count; i++) {
        uint64_t *last = &log->segments[i].group_last[record->group];
        if (*last >= record->index) {
            *last = record->index > 0 ? record->index - 1 : 0;
        }
    }
    log_extents_cut(&log->extents, record->group, record->index);
    if (log->voids[record->group].pending > 0) {
        log->voids[record->group].pending--;
    }
}

/* From the moment it is appended nothing that it voids is read back any more, though entries
 * that went before may become durable meanwhile. */
static void truncation_appended(struct log *log, const struct log_record *record)
{
    struct log_void *voids = &log->voids[record->group];

    if (voids->pending == 0 || record->index < voids->from) {
        voids->from = record->index;
    }
    voids->pending++;
    log__void_reads(log, record->group, record->index);
}

static void note_entry(struct log *log, struct log_segment *segment,
                       const struct log_record *record, uint64_t offset)
{
    if (record->index > segment->group_last[record->group]) {
        segment->group_last[record->group] = record->index;
    }
    log_extents_add(&log->extents, record->group, record->index, segment->serial, offset);
}

void log__note(struct log *log, struct log_segment *segment, const struct log_record *record,
               uint64_t offset)
{
    uint32_t group = record->group;

    if (log_type_is_entry(record->type)) {
        note_entry(log, segment, record, offset);
    }
    if (record->type == LOG_TRUNCATE) {
        note_truncation(log, record);
    }
    if (record->type == LOG_HARD_STATE && record->payload.len <= LOG_HARD_BYTES_MAX) {
        struct log_hard *hard = &log->hard[group];
        hard->serial = segment->serial;
        hard->term = record->term;
        hard->len = (uint32_t)record->payload.len;
        hard->is_moving = false;
        if (hard->len > 0) {
            memcpy(hard->payload, record->payload.data, hard->len);
        }
    }
}

const char *log_text(const struct log *log)
{
    return log->text;
}

void log__fail(struct log *log, const char *operation, const char *name, int status)
{
    if (log->is_failed) {
        return;
    }
    log->is_failed = true;
    (void)snprintf(log->text, sizeof log->text, "%s/%s: %s failed: %s", log->folder, name,
                   operation, error_text(status));
    if (log->hooks.failed != NULL) {
        log->hooks.failed(log->hooks.context, log->text);
    }
}

static void probe_fired(struct io_timer *timer)
{
    struct log *log = CONTAINER_OF(timer, struct log, probe);

    log->is_probing = true;
    if (log->is_held && !log->is_closing) {
        log__write_again(log);
    }
    log__keep(log);
    log__close_step(log);
}

void log__starve(struct log *log)
{
    log->is_starved = true;
    log->is_probing = false;
    io_timer_start(log->io, &log->probe, log->options.probe_ms, probe_fired);
}

/* The end of the turn that this makes does the rest. */
static void kick_fired(struct io_timer *timer)
{
    (void)timer;
}

static void idle_fired(struct io_timer *timer)
{
    struct log *log = CONTAINER_OF(timer, struct log, idle);

    if (log->idle_batch != log->durable.batch || log->is_writing) {
        log->idle_batch = log->durable.batch;
        io_timer_start(log->io, &log->idle, log->options.idle_ms, idle_fired);
        return;
    }
    log->is_idle_started = false;
    log->is_marker_due = log->durable.batch > log->marked.batch;
    log__keep(log);
}

/* A refusal may come inside a call of ours, where no hook fires: it is told here. */
static void tell_writable(struct log *log)
{
    if (log->is_refusing && !log->is_starved && !log->is_held) {
        log->is_refusing = false;
    }
    if (log->is_refusing != log->is_refusing_told) {
        log->is_refusing_told = log->is_refusing;
        if (log->hooks.writable != NULL) {
            log->hooks.writable(log->hooks.context, !log->is_refusing);
        }
    }
}

static void turn_ended(struct io_turn *turn)
{
    struct log *log = CONTAINER_OF(turn, struct log, turn);

    turn->again = false;
    log__hand_over(log);
    tell_writable(log);
    if (!log->is_idle_started && log->durable.batch > log->marked.batch && !log->is_failed &&
        !log->is_marker_due) {
        log->is_idle_started = true;
        log->idle_batch = log->durable.batch;
        io_timer_start(log->io, &log->idle, log->options.idle_ms, idle_fired);
    }
}

/* Release everything but the text. Takes a half-opened log. */
static void give_back(struct log *log)
{
    for (uint32_t i = 0; i < log->segment_count; i++) {
        if (log->segments[i].file != NULL) {
            io_file_close(log->io, log->segments[i].file);
            log->segments[i].file = NULL;
        }
    }
    if (log->keep.file != NULL) {
        io_file_close(log->io, log->keep.file);
        log->keep.file = NULL;
    }
    if (log->keep.recycled != NULL) {
        io_file_close(log->io, log->keep.recycled);
        log->keep.recycled = NULL;
    }
    buf_fini(&log->buffers[0]);
    buf_fini(&log->buffers[1]);
    arena_fini(&log->arena);
}

int log_open(struct log *log, struct io *io, const struct log_options *options,
             const struct log_hooks *hooks)
{
    memset(log, 0, sizeof *log);
    log->io = io;
    log->hooks = *hooks;
    log->options = *options;
    log->options.folder = NULL;
    if (!options_are_usable(options) || strlen(options->folder) >= LOG_FOLDER_BYTES) {
        (void)snprintf(log->text, sizeof log->text,
                       "the sizes given for the log cannot be used");
        return ERR_CONFIG;
    }
    (void)snprintf(log->folder, sizeof log->folder, "%s", options->folder);
    arena_init(&log->arena, UINT64_MAX);
    log->released = arena_alloc_zero(&log->arena, options->groups * sizeof *log->released);
    log->dropped = arena_alloc_zero(&log->arena, options->groups * sizeof *log->dropped);
    log->hard = arena_alloc_zero(&log->arena, options->groups * sizeof *log->hard);
    log->voids = arena_alloc_zero(&log->arena, options->groups * sizeof *log->voids);
    log_extents_init(&log->extents, &log->arena, options->groups, options->extents_max,
                     options->segment_bytes);
    list_init(&log->reads);

    int status = log__recover(log);
    if (status != OK) {
        if (log->text[0] == '\0') {
            (void)snprintf(log->text, sizeof log->text, "%s: %s", log->folder,
                           error_text(status));
        }
        give_back(log);
        return status;
    }
    for (int i = 0; i < 2; i++) {
        buf_init(&log->buffers[i], options->batch_bytes + (size_t)LOG_PAGE_BYTES);
        status = buf_reserve(&log->buffers[i], log->buffers[i].max);
        ASSERT(status == OK);
    }
    log__filling_begin(log, &log->buffers[0]);
    io_turn_add(io, &log->turn, turn_ended);
    /* What there is to keep begins with the loop. */
    io_timer_start(io, &log->probe, 0, probe_fired);
    return OK;
}

void log_abandon(struct log *log)
{
    log->is_closed = true;
    io_timer_stop(log->io, &log->idle);
    io_timer_stop(log->io, &log->probe);
    io_timer_stop(log->io, &log->kick);
    io_turn_remove(log->io, &log->turn);
    /* Nobody will run them. A log that was never opened has no list. */
    while (log->reads.next != NULL && !list_is_empty(&log->reads)) {
        list_remove(log->reads.next);
    }
    give_back(log);
}

size_t log_payload_max(const struct log *log)
{
    return log->options.batch_bytes - LOG_BATCH_HEADER_BYTES - LOG_HEADER_BYTES;
}

/* Whether a batch of @bytes fits behind what was handed over, without any new block from the
 * disk. From entries with a payload room is kept for each group's hard state, mark, truncation
 * and no-op: without them nobody could lead, nor the segments that a snapshot covers be freed. */
static bool fits_filled(const struct log *log, uint64_t bytes, bool is_control)
{
    const struct log_segment *segment = &log->segments[log->current];
    uint64_t reserve = 0;

    if (!is_control) {
        size_t group = log_record_bytes(LOG_HARD_BYTES_MAX) + 3 * log_record_bytes(0);

        reserve = log->options.groups * group + LOG_PAGE_BYTES;
    }
    return !log->is_held &&
           log->position + log_align(bytes, LOG_SECTOR_BYTES) + reserve <= segment->filled;
}

/* Whether @bytes of records can be gathered now. */
static int admit(struct log *log, uint64_t bytes, bool is_control)
{
    if (log->is_failed || log->is_closing || log->is_closed) {
        return ERR_STOPPED;
    }
    if (bytes > log->options.batch_bytes - (uint64_t)LOG_BATCH_HEADER_BYTES) {
        return ERR_TOO_LARGE;
    }
    uint64_t gathered = log->filling->len + bytes;
    if (gathered > log->options.batch_bytes) {
        return log->is_held ? ERR_DISK_FULL : ERR_BUSY;
    }
    if ((log->is_starved || log->is_held) && log__ready(log) == 0 &&
        !fits_filled(log, gathered, is_control)) {
        log->is_refusing = true;
        return ERR_DISK_FULL;
    }
    return OK;
}

int log_room(struct log *log, uint32_t records, uint64_t payload_bytes)
{
    const uint64_t record_most = LOG_HEADER_BYTES + LOG_RECORD_ALIGN - 1;

    if (payload_bytes > log->options.batch_bytes) {
        return ERR_TOO_LARGE;
    }
    return admit(log, payload_bytes + records * record_most, false);
}

bool log_has_control_room(const struct log *log)
{
    const struct log_segment *segment = &log->segments[log->current];
    uint64_t next = log_align(log->filling->len + LOG_SECTOR_BYTES, LOG_SECTOR_BYTES);
    uint64_t reserve =
        (uint64_t)log->options.groups * 3 * log_record_bytes(0) + LOG_PAGE_BYTES / 2;

    return log__ready(log) > 0 ||
           (!log->is_held && log->position + next + reserve <= segment->filled);
}

int log_append(struct log *log, const struct log_record *record)
{
    size_t bytes = log_record_bytes(record->payload.len);
    struct buf *filling = log->filling;

    ASSERT(record->group < log->options.groups);
    ASSERT(record->type > LOG_BATCH && record->type < LOG_TYPE_NR);
    bool is_control = !log_type_is_entry(record->type) || record->payload.len == 0;
    int status = admit(log, bytes, is_control);
    if (status != OK) {
        return status;
    }
    if (record->type == LOG_HARD_STATE) {
        log->hard[record->group].is_moving = true;
    }
    log_record_encode(record, filling->data + filling->len);
    filling->len += bytes;
    log->filling_records++;
    if (record->type == LOG_TRUNCATE) {
        truncation_appended(log, record);
    }
    if (log->filling_records == 1 && !log->is_writing) {
        /* Whoever calls outside of a turn, or late in its end, need not think of one. */
        io_timer_start(log->io, &log->kick, 0, kick_fired);
    }
    return OK;
}

void log_release(struct log *log, uint32_t group, uint64_t index)
{
    ASSERT(group < log->options.groups);
    if (index > log->released[group]) {
        log->released[group] = index;
    }
    if (!log->is_failed) {
        log__keep(log);
    }
}

uint32_t log_pinning_group(const struct log *log)
{
    for (uint32_t group = 0; log->current > 0 && group < log->options.groups; group++) {
        if (log->segments[0].group_last[group] > log->released[group]) {
            return group;
        }
    }
    return UINT32_MAX;
}

uint64_t log_dropped(const struct log *log, uint32_t group)
{
    ASSERT(group < log->options.groups);
    return log->dropped[group];
}

void log_stats(const struct log *log, struct log_stats *ret_stats)
{
    *ret_stats = log->stats;
    ret_stats->segments = log->segment_count;
    ret_stats->ready = log__ready(log);
}

/* What was accepted is stored or never can be, and the lanes are empty. */
static bool is_quiet(const struct log *log)
{
    bool is_stuck = log->is_failed || log->is_held || (log->is_waiting && log->is_starved);

    return !log->is_keeping && list_is_empty(&log->reads) &&
           (!log->is_writing || log->is_held) && (is_stuck || log->filling_records == 0);
}

void log__close_step(struct log *log)
{
    if (!log->is_closing || log->is_closed || !is_quiet(log)) {
        return;
    }
    if (!log->is_failed && log->durable.batch > log->marked.batch) {
        log->is_marker_due = true;
        log__keep(log);
        return;
    }
    log_abandon(log);
    if (log->hooks.closed != NULL) {
        log->hooks.closed(log->hooks.context);
    }
}

void log_close(struct log *log)
{
    log->is_closing = true;
    /* Closing goes on from the loop, even if nothing else happens there. */
    io_timer_start(log->io, &log->probe, 0, probe_fired);
}
