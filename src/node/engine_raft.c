#include "node/engine_single.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "node/engine_single_private.h"

enum { SINGLE_TERM = 1, SHARDS_MAX = LOG_GROUPS_MAX - 1 };

void engine_options_default(struct engine_options *ret_options)
{
    *ret_options = (struct engine_options){.shards = 8, .snapshot_log_bytes = 256U << 20};
    log_options_default(&ret_options->log);
}

const char *engine_single_text(const struct engine_single *single)
{
    return single->text;
}

static struct engine_single *single_of(struct engine *engine)
{
    return CONTAINER_OF(engine, struct engine_single, engine);
}

/* ---- the calls ---- */

static int single_propose(struct engine *engine, uint32_t group, struct slice payload,
                          uint64_t *ret_index)
{
    struct engine_single *single = single_of(engine);

    ASSERT(group < single->group_count);
    struct engine_group *state = &single->groups[group];
    struct log_record record = {
        .type = LOG_ENTRY,
        .group = group,
        .index = state->last + 1,
        .term = SINGLE_TERM,
        .payload = payload,
    };

    if (single->is_closing || single->is_failed) {
        return ERR_STOPPED;
    }
    int status = log_append(&single->log, &record);
    if (status == OK) {
        state->last++;
        *ret_index = state->last;
    }
    return status;
}

/* State is changed only by what is durable, and answers follow the change: any state may be
 * shown. */
static int single_read_point(struct engine *engine, uint32_t group, struct engine_read *read)
{
    const struct engine_single *single = single_of(engine);
    (void)group;
    (void)read;

    return single->is_closing || single->is_failed ? ERR_STOPPED : OK;
}

static int single_snapshot(struct engine *engine, uint32_t group, struct engine_snapshot *wait)
{
    struct engine_single *single = single_of(engine);

    if (group >= single->group_count) {
        return ERR_ARGUMENT;
    }
    if (single->is_closing || single->is_failed) {
        return ERR_STOPPED;
    }
    single->groups[group].is_wanted = true;
    if (wait != NULL) {
        wait->group = group;
        list_add(&single->waits, &wait->node);
    }
    return SM_PENDING;
}

static void single_status(const struct engine *engine, uint32_t group,
                          struct engine_status *ret_status)
{
    const struct engine_single *single =
        CONTAINER_OF(engine, const struct engine_single, engine);
    struct log_stats stats;

    ASSERT(group < single->group_count);
    const struct engine_group *state = &single->groups[group];
    log_stats(&single->log, &stats);
    uint64_t first = log_dropped(&single->log, group) + 1;
    if (state->first > first) {
        first = state->first;
    }
    *ret_status = (struct engine_status){
        .first = first <= state->last ? first : 0,
        .last = state->last,
        .durable = state->applied,
        .applied = state->applied,
        .term = SINGLE_TERM,
        .snapshot_index = state->snapshot_index,
        .snapshot_bytes = state->snapshot_bytes,
        .snapshot_ms = state->snapshot_ms,
        .log_bytes = stats.bytes,
        .log_batches = stats.batches,
        .segments = stats.segments,
        .is_writable = !single->is_failed && !single->log.is_refusing,
        .is_failed = single->is_failed,
    };
}

static void single_close(struct engine *engine)
{
    struct engine_single *single = single_of(engine);

    single->is_closing = true;
    engine_single__close_step(single);
}

static const struct engine_ops single_ops = {
    .propose = single_propose,
    .read_point = single_read_point,
    .snapshot = single_snapshot,
    .status = single_status,
    .close = single_close,
};

/* ---- what the log says ---- */

static int replay_entry(struct engine_single *single, const struct log_record *record)
{
    struct engine_group *group = &single->groups[record->group];

    if (group->first == 0) {
        group->first = record->index;
    }
    if (record->index <= group->snapshot_index) {
        return OK;
    }
    if (record->index != group->applied + 1) {
        (void)snprintf(single->text, sizeof single->text,
                       "group %" PRIu32 ": entry %" PRIu64
                       " is missing: the log goes on with %" PRIu64 " in segment %" PRIu64,
                       record->group, group->applied + 1, record->index, record->serial);
        return ERR_DAMAGED;
    }
    group->applied = record->index;
    group->last = record->index;
    single->hooks.apply(single->hooks.context, record->group, record->index, record->term,
                        record->payload, true);
    return OK;
}

static int log_replayed(void *context, const struct log_record *record)
{
    struct engine_single *single = context;
    const struct engine_group *group = &single->groups[record->group];

    switch (record->type) {
    case LOG_ENTRY:
        return replay_entry(single, record);
    case LOG_SNAPSHOT_MARK:
        if (record->index > group->snapshot_index) {
            (void)snprintf(single->text, sizeof single->text,
                           "%.*s: the snapshot of group %" PRIu32 " at %" PRIu64 " is missing",
                           LOG_PATH_BYTES, single->snapshots, record->group, record->index);
            return ERR_DAMAGED;
        }
        return OK;
    case LOG_TRUNCATE:
        (void)snprintf(single->text, sizeof single->text,
                       "the log was written by several nodes; one alone cannot go on with it");
        return ERR_VERSION;
    case LOG_HARD_STATE:
    case LOG_BATCH:
    case LOG_TYPE_NR:
        return OK;
    }
    return OK;
}

static void log_stored(void *context, const struct log_record *record)
{
    struct engine_single *single = context;

    if (record->type != LOG_ENTRY || single->is_failed) {
        return;
    }
    struct engine_group *group = &single->groups[record->group];
    ASSERT(record->index == group->applied + 1);
    group->applied = record->index;
    single->hooks.apply(single->hooks.context, record->group, record->index, record->term,
                        record->payload, false);
}

static void log_batch_stored(void *context)
{
    struct engine_single *single = context;

    if (!single->is_failed) {
        engine_single__policy(single);
    }
}

static void log_writable(void *context, bool is_writable)
{
    struct engine_single *single = context;

    if (is_writable) {
        engine_single__has_room(single);
    } else {
        engine_single__needs_room(single);
    }
    single->hooks.writable(single->hooks.context, is_writable);
}

void engine_single__fail(struct engine_single *single, const char *text)
{
    if (single->is_failed) {
        return;
    }
    single->is_failed = true;
    (void)snprintf(single->text, sizeof single->text, "%s", text);
    single->hooks.failed(single->hooks.context, single->text);
}

static void log_failed(void *context, const char *text)
{
    engine_single__fail(context, text);
}

/* ---- opening and closing ---- */

static void give_back(struct engine_single *single)
{
    if (single->lock != NULL) {
        io_folder_unlock(single->io, single->lock);
        single->lock = NULL;
    }
    arena_fini(&single->arena);
}

void engine_single_abandon(struct engine_single *single)
{
    log_snapshot_fini(&single->writer);
    io_turn_remove(single->io, &single->turn);
    io_timer_stop(single->io, &single->retry);
    io_timer_stop(single->io, &single->pace);
    log_abandon(&single->log);
    give_back(single);
}

static void log_closed(void *context)
{
    struct engine_single *single = context;

    give_back(single);
    single->hooks.closed(single->hooks.context);
}

void engine_single__close_step(struct engine_single *single)
{
    if (!single->is_closing || single->is_log_closing || single->writing != ENGINE_IDLE) {
        return;
    }
    single->is_log_closing = true;
    engine_single__refuse_waits(single);
    io_turn_remove(single->io, &single->turn);
    io_timer_stop(single->io, &single->retry);
    io_timer_stop(single->io, &single->pace);
    log_close(&single->log);
}

static void turn_ended(struct io_turn *turn)
{
    engine_single__snapshot_turn(CONTAINER_OF(turn, struct engine_single, turn));
}

static int open_identity(struct engine_single *single, const struct engine_options *options,
                         bool *ret_is_new)
{
    struct io *io = single->io;

    int status = io_folder_make(io, options->folder);
    if (status == OK) {
        status = io_folder_lock(io, options->folder, &single->lock);
    }
    if (status == OK) {
        status = log_identity_read(io, options->folder, &single->identity);
    }
    if (status == OK) {
        /* The process before may have been stopped by the very sync that makes its name
         * durable. */
        status = io_folder_sync(io, options->folder);
    }
    *ret_is_new = status == ERR_GONE;
    if (status == ERR_GONE) {
        log_identity_make(io, options->shards, &single->identity);
        status = OK;
    }
    if (status == OK && single->hooks.identify != NULL) {
        status = single->hooks.identify(single->hooks.context, *ret_is_new, &single->identity);
    }
    if (status == ERR_DAMAGED || status == ERR_VERSION) {
        (void)snprintf(single->text, sizeof single->text, "%s/identity: offset 0: %s",
                       options->folder, error_text(status));
    }
    uint32_t shards = single->identity.shards;
    if (status == OK && (shards < 1 || shards > SHARDS_MAX)) {
        (void)snprintf(single->text, sizeof single->text,
                       "%" PRIu32 " shards: the number must be in 1..%d", shards, SHARDS_MAX);
        status = ERR_CONFIG;
    }
    return status;
}

static int open_log(struct engine_single *single, const struct engine_options *options,
                    bool is_new)
{
    char folder[LOG_PATH_BYTES];
    struct log_options log = options->log;
    struct log_hooks hooks = {
        .context = single,
        .replayed = log_replayed,
        .stored = log_stored,
        .batch_stored = log_batch_stored,
        .writable = log_writable,
        .failed = log_failed,
        .closed = log_closed,
    };

    int status = log_path_join(folder, options->folder, "log");
    if (status != OK) {
        return status;
    }
    log.folder = folder;
    log.identity = log_identity_hash(&single->identity);
    log.groups = single->group_count;
    log.is_new = is_new;
    status = log_open(&single->log, single->io, &log, &hooks);
    if (status != OK && single->text[0] == '\0') {
        (void)snprintf(single->text, sizeof single->text, "%s", log_text(&single->log));
    }
    return status;
}

/* What consensus will go on from: the term, and in it a vote for this node. */
static void put_hard_states(struct engine_single *single)
{
    for (uint32_t group = 0; group < single->group_count; group++) {
        struct log_record record = {
            .type = LOG_HARD_STATE,
            .group = group,
            .term = SINGLE_TERM,
            .payload = slice_from(single->identity.node, LOG_ID_BYTES),
        };
        if (single->log.hard[group].serial == 0 && log_append(&single->log, &record) != OK) {
            return; /* a later start writes what is missing */
        }
    }
}

static int open_data(struct engine_single *single, const struct engine_options *options)
{
    bool is_new;

    int status = open_identity(single, options, &is_new);
    if (status == OK) {
        status = log_path_join(single->snapshots, options->folder, "snapshots");
    }
    if (status != OK) {
        return status;
    }
    single->group_count = single->identity.shards + 1;
    single->groups =
        arena_alloc_zero(&single->arena, single->group_count * sizeof *single->groups);
    status = engine_single__restore(single);
    if (status == OK) {
        status = open_log(single, options, is_new);
    }
    if (status == OK && is_new) {
        status = log_identity_write(single->io, options->folder, &single->identity);
        if (status != OK) {
            log_abandon(&single->log);
        }
    }
    return status;
}

static int identified(struct engine_single *single)
{
    int status = single->hooks.identified == NULL
                     ? OK
                     : single->hooks.identified(single->hooks.context, &single->identity);

    if (status != OK) {
        log_abandon(&single->log);
    }
    return status;
}

int engine_single_open(struct engine_single *single, struct io *io,
                       const struct engine_options *options, const struct engine_hooks *hooks)
{
    memset(single, 0, sizeof *single);
    single->engine.ops = &single_ops;
    single->io = io;
    single->hooks = *hooks;
    single->snapshot_log_bytes = options->snapshot_log_bytes;
    list_init(&single->waits);
    list_init(&single->waits_served);
    arena_init(&single->arena, UINT64_MAX);
    int status = open_data(single, options);
    status = status == OK ? identified(single) : status;
    if (status != OK) {
        if (single->text[0] == '\0') {
            (void)snprintf(single->text, sizeof single->text, "%s: %s", options->folder,
                           error_text(status));
        }
        give_back(single);
        return status;
    }
    put_hard_states(single);
    io_turn_add(io, &single->turn, turn_ended);
    return OK;
}
