/* Snapshots of the single node's engine: written in slices between the turns, restored on
 * start. */
#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "node/engine_single_private.h"

enum { CHUNK_BYTES = ENGINE_SLICE_BYTES / 4 * 3, RETRY_MS = 5000, RETRY_MS_MAX = 600000, PACE_MS = 2, REST_MS = 1 };

/* ---- writing ---- */

/* Move the waits for @group (UINT32_MAX: all) from one list to the other. */
static void move_waits(struct list *from, struct list *to, uint32_t group)
{
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, from)
    {
        struct engine_snapshot *wait = CONTAINER_OF(node, struct engine_snapshot, node);
        if (group == UINT32_MAX || wait->group == group) {
            list_remove(node);
            list_add(to, node);
        }
    }
}

/* done() may ask for the next snapshot: only those in the list now are told. */
static void tell_waits(struct list *waits, int status)
{
    struct list told;

    list_init(&told);
    move_waits(waits, &told, UINT32_MAX);
    while (!list_is_empty(&told)) {
        struct engine_snapshot *wait = CONTAINER_OF(told.next, struct engine_snapshot, node);
        list_remove(&wait->node);
        wait->done(wait, status);
    }
}

void engine_single__refuse_waits(struct engine_single *single)
{
    tell_waits(&single->waits_served, ERR_STOPPED);
    tell_waits(&single->waits, ERR_STOPPED);
}

static void retry_fired(struct io_timer *timer)
{
    struct engine_single *single = CONTAINER_OF(timer, struct engine_single, retry);

    single->is_retry_started = false;
    engine_single__round(single);
}

static void retry_later(struct engine_single *single, uint64_t delay_ms)
{
    single->retry_ms = delay_ms < RETRY_MS_MAX ? delay_ms : RETRY_MS_MAX;
    single->is_retry_started = true;
    io_timer_start(single->io, &single->retry, single->retry_ms, retry_fired);
}

void engine_single__needs_room(struct engine_single *single)
{
    /* The one being written, or that will be tried again, frees what can be freed. */
    if (single->writing == ENGINE_IDLE && !single->is_retry_started &&
        log_pinning_group(&single->log) != UINT32_MAX) {
        engine_single__round(single);
    }
}

void engine_single__has_room(struct engine_single *single)
{
    if (single->is_retry_started && !single->is_closing) {
        retry_later(single, RETRY_MS);
    }
}

static void snapshot_failed(struct engine_single *single, int status)
{
    char text[LOG_TEXT_BYTES];

    if (status == ERR_DISK_FULL && !single->is_retry_started) {
        retry_later(single, single->retry_ms == 0 ? RETRY_MS : 2 * single->retry_ms);
    } else if (status != ERR_DISK_FULL && status != ERR_CANCELLED) {
        (void)snprintf(text, sizeof text, "%.*s: %s failed: %s", LOG_PATH_BYTES,
                       single->writer.temporary, single->writer.operation, error_text(status));
        engine_single__fail(single, text);
    }
}

static void snapshot_succeeded(struct engine_single *single)
{
    const struct log_snapshot_info *info = &single->writer.info;
    struct engine_group *group = &single->groups[info->group];
    struct log_record mark = {
        .type = LOG_SNAPSHOT_MARK,
        .group = info->group,
        .index = info->index,
        .term = info->term,
    };

    group->snapshot_index = info->index;
    group->snapshot_bytes = info->bytes;
    group->snapshot_ms = io_wall_ms(single->io);
    if (log_append(&single->log, &mark) != OK) {
        single->marks_left_out++; /* it only adds a check on the next start */
    }
    log_release(&single->log, info->group, info->index);
    single->retry_ms = 0;
    if (single->log.is_refusing) {
        engine_single__needs_room(single); /* for what was applied since this one began */
    }
}

/* The writer has ended, either way. */
static void snapshot_ended(struct engine_single *single, int status)
{
    uint32_t group = single->snapshot_group;

    log_snapshot_fini(&single->writer);
    single->writing = ENGINE_IDLE;
    single->hooks.snapshot_end(single->hooks.context, group, status);
    if (status == OK) {
        snapshot_succeeded(single);
    } else {
        snapshot_failed(single, status);
    }
    tell_waits(&single->waits_served, status);
    engine_single__close_step(single);
}

static void give_up(struct engine_single *single)
{
    single->writing = ENGINE_GIVING_UP;
    log_snapshot_give_up(&single->writer);
}

/* The end of the turn that this makes does the rest. */
static void pace_fired(struct io_timer *timer)
{
    CONTAINER_OF(timer, struct engine_single, pace)->is_resting = false;
}

/* A snapshot is in no hurry, and the disk, the other processor and the loop are those of whoever
 * registers meanwhile. */
static void rest(struct engine_single *single, uint64_t ms)
{
    single->is_resting = true;
    io_timer_start(single->io, &single->pace, ms, pace_fired);
}

static void writer_done(struct log_snapshot_writer *writer, int status)
{
    struct engine_single *single = CONTAINER_OF(writer, struct engine_single, writer);

    switch (single->writing) {
    case ENGINE_PUTTING:
        if (status != OK || single->is_closing || single->is_failed) {
            give_up(single);
        } else if (single->is_last_step) {
            single->writing = ENGINE_FINISHING;
            log_snapshot_finish(writer);
        } else {
            single->writing = ENGINE_STEPPING;
            rest(single, REST_MS);
        }
        break;
    case ENGINE_FINISHING:
        if (status == OK) {
            snapshot_ended(single, OK);
        } else {
            give_up(single);
        }
        break;
    case ENGINE_GIVING_UP:
        snapshot_ended(single, status);
        break;
    case ENGINE_IDLE:
    case ENGINE_STEPPING:
        UNREACHABLE();
    }
}

static void step(struct engine_single *single)
{
    struct log_snapshot_writer *writer = &single->writer;
    size_t had = writer->raw.len;

    if (single->is_closing || single->is_failed) {
        give_up(single);
        return;
    }
    int status = single->hooks.snapshot_step(single->hooks.context, single->snapshot_group,
                                             &writer->raw);
    ASSERT(status == OK || status == SM_PENDING);
    single->is_last_step = status == OK;
    if (writer->raw.len >= CHUNK_BYTES || (single->is_last_step && writer->raw.len > 0)) {
        single->writing = ENGINE_PUTTING;
        log_snapshot_put(writer);
    } else if (single->is_last_step) {
        single->writing = ENGINE_FINISHING;
        log_snapshot_finish(writer);
    } else if (writer->raw.len > had) {
        single->turn.again = true;
    } else {
        /* It waits for something, for as long as the disk is full perhaps: the loop must not
         * spin. */
        rest(single, PACE_MS);
    }
}

static void begin(struct engine_single *single, uint32_t group)
{
    struct engine_group *state = &single->groups[group];
    struct log_snapshot_info info = {
        .group = group,
        .index = state->applied,
        .term = 1,
        .identity = log_identity_hash(&single->identity),
    };

    /* Whoever asks from here on wants a later one. */
    state->is_wanted = false;
    move_waits(&single->waits, &single->waits_served, group);
    if (state->applied == state->snapshot_index) {
        tell_waits(&single->waits_served, OK);
        single->turn.again = true;
        return;
    }
    int status =
        log_snapshot_init(&single->writer, single->io, single->snapshots, &info, writer_done);
    if (status != OK) {
        log_snapshot_fini(&single->writer);
        tell_waits(&single->waits_served, status);
        single->turn.again = true;
        return;
    }
    single->snapshot_group = group;
    single->writing = ENGINE_STEPPING;
    single->is_last_step = false;
    single->turn.again = true;
    single->hooks.snapshot_begin(single->hooks.context, group);
}

/* The group that pins the oldest segment comes first, then the others in order. */
static void begin_next(struct engine_single *single)
{
    uint32_t pinning = log_pinning_group(&single->log);

    if (single->is_closing || single->is_failed) {
        return;
    }
    if (pinning != UINT32_MAX && single->groups[pinning].is_wanted) {
        begin(single, pinning);
        return;
    }
    for (uint32_t group = 0; group < single->group_count; group++) {
        if (single->groups[group].is_wanted) {
            begin(single, group);
            return;
        }
    }
}

void engine_single__snapshot_turn(struct engine_single *single)
{
    single->turn.again = false;
    if (single->writing == ENGINE_IDLE) {
        begin_next(single);
    } else if (single->writing == ENGINE_STEPPING &&
               (!single->is_resting || single->is_closing || single->is_failed)) {
        step(single);
    }
}

void engine_single__round(struct engine_single *single)
{
    struct log_stats stats;

    log_stats(&single->log, &stats);
    single->snapshot_mark_bytes = stats.bytes;
    for (uint32_t i = 0; i < single->group_count; i++) {
        struct engine_group *group = &single->groups[i];
        group->is_wanted = group->is_wanted || group->applied > group->snapshot_index;
    }
}

void engine_single__policy(struct engine_single *single)
{
    uint64_t threshold = single->snapshot_log_bytes;
    uint64_t snapshots = 0;
    struct log_stats stats;

    log_stats(&single->log, &stats);
    uint64_t grown = stats.bytes - single->snapshot_mark_bytes;
    if (grown <= threshold) {
        return;
    }
    for (uint32_t i = 0; i < single->group_count; i++) {
        snapshots += single->groups[i].snapshot_bytes;
    }
    if (grown > snapshots && single->writing == ENGINE_IDLE) {
        engine_single__round(single);
    }
}

/* ---- restoring ---- */

struct restore {
    struct engine_single *single;
    struct io_file *file;
    uint32_t group;
    uint64_t index;
};

static int restore_read(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len)
{
    struct restore *restore = context;

    return io_file_read(restore->single->io, restore->file, offset, data, len, ret_len);
}

static int restore_begin(void *context, const struct log_snapshot_info *info)
{
    struct restore *restore = context;

    bool is_it = info->group == restore->group && info->index == restore->index &&
                 info->identity == log_identity_hash(&restore->single->identity);
    return is_it ? OK : ERR_DAMAGED;
}

static int restore_chunk(void *context, struct slice bytes)
{
    struct restore *restore = context;
    const struct engine_hooks *hooks = &restore->single->hooks;

    return hooks->restore_chunk(hooks->context, restore->group, bytes);
}

static int restore_file(struct restore *restore)
{
    struct engine_single *single = restore->single;
    struct log_snapshot_source source = {restore, restore_read};
    struct log_snapshot_sink sink = {restore, restore_begin, restore_chunk};
    char name[LOG_SNAPSHOT_NAME_BYTES];
    char path[LOG_PATH_BYTES];
    uint64_t offset = 0;

    log_snapshot_name(restore->group, restore->index, name);
    int status = log_path_join(path, single->snapshots, name);
    if (status == OK) {
        status = io_file_open(single->io, path, IO_OPEN_READ, &restore->file);
    }
    if (status != OK) {
        return status;
    }
    status = log_snapshot_read(&source, &sink, &offset);
    if (status == OK) {
        status = io_file_size(single->io, restore->file,
                              &single->groups[restore->group].snapshot_bytes);
    }
    io_file_close(single->io, restore->file);
    if (status != OK) {
        (void)snprintf(single->text, sizeof single->text, "%s: offset %llu: %s", path,
                       (unsigned long long)offset, error_text(status));
    }
    return status;
}

static int restore_group(struct engine_single *single, uint32_t group, uint64_t index)
{
    const struct engine_hooks *hooks = &single->hooks;
    struct restore restore = {.single = single, .group = group, .index = index};
    struct engine_group *state = &single->groups[group];

    int status = hooks->restore_begin(hooks->context, group, index);
    if (status == OK && index > 0) {
        status = restore_file(&restore);
    }
    if (status == OK) {
        status = hooks->restore_end(hooks->context, group);
    }
    state->snapshot_index = index;
    state->applied = index;
    state->last = index;
    return status;
}

int engine_single__restore(struct engine_single *single)
{
    uint64_t *indexes = arena_alloc(&single->arena, single->group_count * sizeof *indexes);

    int status = log_snapshot_list(single->io, single->snapshots, single->group_count, indexes);
    for (uint32_t group = 0; group < single->group_count && status == OK; group++) {
        status = restore_group(single, group, indexes[group]);
    }
    arena_free(&single->arena, indexes, single->group_count * sizeof *indexes);
    return status;
}
