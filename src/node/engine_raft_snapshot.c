/* Snapshots of the engine node's engine: written in slices between the turns, restored on
 * start. */
#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "node/engine_raft_private.h"

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

void engine_raft__refuse_waits(struct engine_raft *engine)
{
    tell_waits(&engine->waits_served, ERR_STOPPED);
    tell_waits(&engine->waits, ERR_STOPPED);
}

static void retry_fired(struct io_timer *timer)
{
    struct engine_raft *engine = CONTAINER_OF(timer, struct engine_raft, retry);

    engine->is_retry_started = false;
    engine_raft__round(engine);
}

static void retry_later(struct engine_raft *engine, uint64_t delay_ms)
{
    engine->retry_ms = delay_ms < RETRY_MS_MAX ? delay_ms : RETRY_MS_MAX;
    engine->is_retry_started = true;
    io_timer_start(engine->io, &engine->retry, engine->retry_ms, retry_fired);
}

void engine_raft__needs_room(struct engine_raft *engine)
{
    /* The one being written, or that will be tried again, frees what can be freed. */
    if (engine->writing == ENGINE_IDLE && !engine->is_retry_started &&
        log_pinning_group(&engine->log) != UINT32_MAX) {
        engine_raft__round(engine);
    }
}

void engine_raft__has_room(struct engine_raft *engine)
{
    if (engine->is_retry_started && !engine->is_closing) {
        retry_later(engine, RETRY_MS);
    }
}

/* Those that nobody waits for: the next round wants them again. */
static void forget_wanted(struct engine_raft *engine)
{
    struct list *node;
    struct list *following;

    for (uint32_t i = 0; i < engine->group_count; i++) {
        engine->groups[i].is_wanted = false;
    }
    LIST_EACH(node, following, &engine->waits)
    {
        engine->groups[CONTAINER_OF(node, struct engine_snapshot, node)->group].is_wanted = true;
    }
}

static void snapshot_failed(struct engine_raft *engine, int status)
{
    char text[LOG_TEXT_BYTES];

    if (status == ERR_DISK_FULL) {
        forget_wanted(engine); /* they would find no room either */
    }
    if (status == ERR_DISK_FULL && !engine->is_retry_started) {
        retry_later(engine, engine->retry_ms == 0 ? RETRY_MS : 2 * engine->retry_ms);
    } else if (status != ERR_DISK_FULL && status != ERR_CANCELLED) {
        (void)snprintf(text, sizeof text, "%.*s: %s failed: %s", LOG_PATH_BYTES,
                       engine->writer.temporary, engine->writer.operation, error_text(status));
        engine_raft__fail(engine, text);
    }
}

static void snapshot_succeeded(struct engine_raft *engine)
{
    const struct log_snapshot_info *info = &engine->writer.info;
    struct engine_group *state = &engine->groups[info->group];
    struct raft_event event = {.kind = RAFT_TAKEN, .snapshot = &state->frozen};

    state->is_snapshot_useless = false;
    state->snapshot_bytes = info->bytes;
    state->snapshot_ms = io_wall_ms(engine->io);
    engine_raft__step(engine, info->group, &event);
    engine->retry_ms = 0;
    if (engine->log.is_refusing) {
        engine_raft__needs_room(engine); /* for what was applied since this one began */
    }
}

/* The writer has ended, either way. */
static void snapshot_ended(struct engine_raft *engine, int status)
{
    uint32_t group = engine->snapshot_group;

    log_snapshot_fini(&engine->writer);
    engine->writing = ENGINE_IDLE;
    engine->hooks.snapshot_end(engine->hooks.context, group, status);
    if (status == OK) {
        snapshot_succeeded(engine);
    } else {
        snapshot_failed(engine, status);
    }
    tell_waits(&engine->waits_served, status);
    engine_raft__close_step(engine);
}

static void give_up(struct engine_raft *engine)
{
    engine->writing = ENGINE_GIVING_UP;
    log_snapshot_give_up(&engine->writer);
}

/* The end of the turn that this makes does the rest. */
static void pace_fired(struct io_timer *timer)
{
    CONTAINER_OF(timer, struct engine_raft, pace)->is_resting = false;
}

/* A snapshot is in no hurry, and the disk, the other processor and the loop are those of whoever
 * registers meanwhile. */
static void rest(struct engine_raft *engine, uint64_t ms)
{
    engine->is_resting = true;
    io_timer_start(engine->io, &engine->pace, ms, pace_fired);
}

static void writer_done(struct log_snapshot_writer *writer, int status)
{
    struct engine_raft *engine = CONTAINER_OF(writer, struct engine_raft, writer);

    switch (engine->writing) {
    case ENGINE_PUTTING:
        if (status != OK || engine->is_closing || engine->is_failed || engine->is_superseded) {
            give_up(engine);
        } else if (engine->is_last_step) {
            engine->writing = ENGINE_FINISHING;
            log_snapshot_finish(writer);
        } else {
            engine->writing = ENGINE_STEPPING;
            rest(engine, REST_MS);
        }
        break;
    case ENGINE_FINISHING:
        if (status == OK) {
            snapshot_ended(engine, OK);
        } else {
            give_up(engine);
        }
        break;
    case ENGINE_GIVING_UP:
        snapshot_ended(engine, status);
        break;
    case ENGINE_IDLE:
    case ENGINE_STEPPING:
        UNREACHABLE();
    }
}

static void step(struct engine_raft *engine)
{
    struct log_snapshot_writer *writer = &engine->writer;
    size_t had = writer->raw.len;

    if (engine->is_closing || engine->is_failed || engine->is_superseded) {
        give_up(engine);
        return;
    }
    int status = engine->hooks.snapshot_step(engine->hooks.context, engine->snapshot_group,
                                             &writer->raw);
    ASSERT(status == OK || status == SM_PENDING);
    engine->is_last_step = status == OK;
    if (writer->raw.len >= CHUNK_BYTES || (engine->is_last_step && writer->raw.len > 0)) {
        engine->writing = ENGINE_PUTTING;
        log_snapshot_put(writer);
    } else if (engine->is_last_step) {
        engine->writing = ENGINE_FINISHING;
        log_snapshot_finish(writer);
    } else if (writer->raw.len > had) {
        engine->turn.again = true;
    } else {
        /* It waits for something, for as long as the disk is full perhaps: the loop must not
         * spin. */
        rest(engine, PACE_MS);
    }
}

void engine_raft__snapshot_info(const struct engine_raft *engine, uint32_t group,
                                const struct raft_snapshot *snapshot,
                                struct log_snapshot_info *ret_info)
{
    _Static_assert((int)RAFT_CONFIGURATION_BYTES_MAX <= (int)LOG_SNAPSHOT_CONFIGURATION_MAX,
                   "a configuration fits into a snapshot's header");
    *ret_info = (struct log_snapshot_info){
        .group = group,
        .index = snapshot->index,
        .term = snapshot->term,
        .identity = log_cluster_hash(&engine->identity),
        .configuration_index = snapshot->configuration.index,
    };
    ret_info->configuration_bytes =
        raft_configuration_encode(&snapshot->configuration, ret_info->configuration);
}

static void begin(struct engine_raft *engine, uint32_t group)
{
    struct engine_group *state = &engine->groups[group];

    raft_snapshot_point(&state->raft, &state->frozen);
    struct log_snapshot_info info;

    engine_raft__snapshot_info(engine, group, &state->frozen, &info);
    /* Whoever asks from here on wants a later one. */
    state->is_wanted = false;
    move_waits(&engine->waits, &engine->waits_served, group);
    if (info.index == state->raft.snapshot.index && !state->is_snapshot_useless) {
        tell_waits(&engine->waits_served, OK);
        engine->turn.again = true;
        return;
    }
    int status =
        log_snapshot_init(&engine->writer, engine->io, engine->snapshots, &info, writer_done);
    if (status != OK) {
        log_snapshot_fini(&engine->writer);
        tell_waits(&engine->waits_served, status);
        engine->turn.again = true;
        return;
    }
    engine->snapshot_group = group;
    engine->writing = ENGINE_STEPPING;
    engine->is_last_step = false;
    engine->is_superseded = false;
    engine->turn.again = true;
    engine->hooks.snapshot_begin(engine->hooks.context, group);
}

/* The group that pins the oldest segment comes first, then the others in order. */
static void begin_next(struct engine_raft *engine)
{
    uint32_t pinning = log_pinning_group(&engine->log);

    if (engine->is_closing || engine->is_failed) {
        return;
    }
    if (pinning != UINT32_MAX && engine->groups[pinning].is_wanted) {
        begin(engine, pinning);
        return;
    }
    for (uint32_t group = 0; group < engine->group_count; group++) {
        if (engine->groups[group].is_wanted) {
            begin(engine, group);
            return;
        }
    }
}

void engine_raft__snapshot_turn(struct engine_raft *engine)
{
    engine->turn.again = false;
    if (engine->writing == ENGINE_IDLE) {
        begin_next(engine);
    } else if (engine->writing == ENGINE_STEPPING &&
               (!engine->is_resting || engine->is_closing || engine->is_failed ||
                engine->is_superseded)) {
        step(engine);
    }
}

void engine_raft__round(struct engine_raft *engine)
{
    struct log_stats stats;

    log_stats(&engine->log, &stats);
    engine->snapshot_mark_bytes = stats.bytes;
    for (uint32_t i = 0; i < engine->group_count; i++) {
        struct engine_group *group = &engine->groups[i];
        const struct raft *raft = &group->raft;

        group->is_wanted = group->is_wanted || raft->applied > raft->snapshot.index;
        /* What was covered a whole round ago is kept for nobody: a group that is idle would
         * keep the segments of all the others. */
        if (group->round_index > raft->log.base) {
            engine_raft__step(
                engine, i,
                &(struct raft_event){.kind = RAFT_LET_GO, .index = group->round_index});
        }
        group->round_index = raft->snapshot.index;
    }
}

void engine_raft__policy(struct engine_raft *engine)
{
    uint64_t threshold = engine->snapshot_log_bytes;
    uint64_t snapshots = 0;
    struct log_stats stats;

    log_stats(&engine->log, &stats);
    uint64_t grown = stats.bytes - engine->snapshot_mark_bytes;
    if (grown <= threshold) {
        return;
    }
    for (uint32_t i = 0; i < engine->group_count; i++) {
        snapshots += engine->groups[i].snapshot_bytes;
    }
    if (grown > snapshots && engine->writing == ENGINE_IDLE) {
        engine_raft__round(engine);
    }
}

/* ---- restoring ---- */

struct restore {
    struct engine_raft *engine;
    struct io_file *file;
    uint32_t group;
    struct raft_snapshot snapshot;
};

static int restore_read(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len)
{
    struct restore *restore = context;

    return io_file_read(restore->engine->io, restore->file, offset, data, len, ret_len);
}

static int restore_begin(void *context, const struct log_snapshot_info *info)
{
    struct restore *restore = context;

    bool is_it = info->group == restore->group && info->index == restore->snapshot.index &&
                 log_snapshot_is_of(info, &restore->engine->identity);
    if (!is_it) {
        return ERR_DAMAGED;
    }
    restore->snapshot.term = info->term;
    return info->configuration_bytes == 0
               ? OK /* written by a node that was alone */
               : raft_configuration_decode(
                     slice_from(info->configuration, info->configuration_bytes),
                     info->configuration_index, &restore->snapshot.configuration);
}

static int restore_chunk(void *context, struct slice bytes)
{
    struct restore *restore = context;
    const struct engine_hooks *hooks = &restore->engine->hooks;

    return hooks->restore_chunk(hooks->context, restore->group, bytes);
}

static int restore_file(struct restore *restore)
{
    struct engine_raft *engine = restore->engine;
    struct log_snapshot_source source = {restore, restore_read};
    struct log_snapshot_sink sink = {restore, restore_begin, restore_chunk};
    char name[LOG_SNAPSHOT_NAME_BYTES];
    char path[LOG_PATH_BYTES];
    uint64_t offset = 0;

    log_snapshot_name(restore->group, restore->snapshot.index, name);
    int status = log_path_join(path, engine->snapshots, name);
    if (status == OK) {
        status = io_file_open(engine->io, path, IO_OPEN_READ, &restore->file);
    }
    if (status != OK) {
        return status;
    }
    status = log_snapshot_read(&source, &sink, &offset);
    if (status == OK) {
        status = io_file_size(engine->io, restore->file,
                              &engine->groups[restore->group].snapshot_bytes);
    }
    io_file_close(engine->io, restore->file);
    if (status != OK) {
        (void)snprintf(engine->text, sizeof engine->text, "%s: offset %llu: %s", path,
                       (unsigned long long)offset, error_text(status));
    }
    return status;
}

/* A group begins with the node that made the cluster as its only member; one that lost its log
 * does not know whom it had. */
static struct raft_configuration configuration_of(const struct engine_raft *engine)
{
    if (engine->identity.is_joined || engine->refill.count > 0) {
        return (struct raft_configuration){0};
    }
    return (struct raft_configuration){
        .count = 1, .members = {{.id = engine->id, .is_voter = true}}};
}

static void begin_group(struct engine_raft *engine, uint32_t group,
                        const struct raft_snapshot *snapshot)
{
    struct raft_options options = engine->raft_options;

    io_random(engine->io, &options.seed, sizeof options.seed);
    raft_init(&engine->groups[group].raft, &options, snapshot);
    engine->group_count = group + 1;
    int status = log_receiver_init(&engine->groups[group].receiver, engine->io,
                                   engine->snapshots, group, &engine->identity);
    ASSERT(status == OK); /* longer paths of that folder were made before */
}

static int restore_state(struct restore *restore)
{
    const struct engine_hooks *hooks = &restore->engine->hooks;

    int status = hooks->restore_begin(hooks->context, restore->group, restore->snapshot.index);
    if (status == OK && restore->snapshot.index > 0) {
        status = restore_file(restore);
    }
    return status == OK ? hooks->restore_end(hooks->context, restore->group) : status;
}

void engine_raft__begin_again(struct engine_raft *engine, uint32_t group,
                              const struct raft_snapshot *snapshot)
{
    struct restore restore = {.engine = engine, .group = group, .snapshot = *snapshot};

    if (engine->writing != ENGINE_IDLE && engine->snapshot_group == group) {
        engine->is_superseded = true;
    }
    int status = restore_state(&restore);
    if (status != OK) {
        char text[LOG_TEXT_BYTES];

        (void)snprintf(text, sizeof text, "the snapshot of group %u that was sent: %s", group,
                       error_text(status));
        engine_raft__fail(engine, text);
    }
}

static int restore_group(struct engine_raft *engine, uint32_t group, uint64_t index)
{
    struct restore restore = {
        .engine = engine,
        .group = group,
        .snapshot = {.index = index, .configuration = configuration_of(engine)},
    };

    int status = restore_state(&restore);
    if (status == OK) {
        begin_group(engine, group, &restore.snapshot);
    }
    return status;
}

int engine_raft__restore(struct engine_raft *engine)
{
    uint32_t groups = engine->identity.shards + 1;
    uint64_t *indexes = arena_alloc(&engine->arena, groups * sizeof *indexes);

    int status = log_snapshot_list(engine->io, engine->snapshots, groups, indexes);
    for (uint32_t group = 0; group < groups && status == OK; group++) {
        status = restore_group(engine, group, indexes[group]);
    }
    arena_free(&engine->arena, indexes, groups * sizeof *indexes);
    return status;
}
