#include "node/engine_raft.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "node/engine_raft_private.h"

enum {
    SHARDS_MAX = LOG_GROUPS_MAX - 1,
    TAIL_ENTRIES = 1 << 16,
    TAIL_BYTES = 16 << 20,
    WRITES_FIRST = 64,
    CONTROL_RECORDS = 4, /* room left for those that cannot be refused, a group */
};

void engine_options_default(struct engine_options *ret_options)
{
    *ret_options = (struct engine_options){.shards = 8, .snapshot_log_bytes = 256U << 20};
    raft_options_default(&ret_options->raft);
    ret_options->raft.tail_entries_max = TAIL_ENTRIES;
    ret_options->raft.tail_bytes_max = TAIL_BYTES;
    ret_options->raft.uncommitted_max = TAIL_ENTRIES;
    log_options_default(&ret_options->log);
}

const char *engine_raft_text(const struct engine_raft *engine)
{
    return engine->text;
}

raft_id engine_raft__id_read(const uint8_t id[LOG_ID_BYTES])
{
    raft_id number = 0;

    for (int i = 0; i < 8; i++) {
        number |= (raft_id)id[LOG_ID_BYTES - 8 + i] << (8 * i);
    }
    return number;
}

void engine_raft__id_write(raft_id id, uint8_t out[LOG_ID_BYTES])
{
    for (int i = 0; i < 8; i++) {
        out[LOG_ID_BYTES - 8 + i] = (uint8_t)(id >> (8 * i));
    }
}

static struct engine_raft *raft_of(struct engine *engine)
{
    return CONTAINER_OF(engine, struct engine_raft, engine);
}

/* ---- the calls ---- */

/* Whether @len bytes more, with all that waits, find room in the log and in the core. */
static int proposal_room(struct engine_raft *engine, const struct engine_group *state,
                         size_t len)
{
    uint64_t reserve = (uint64_t)CONTROL_RECORDS * engine->group_count;
    int status = log_room(&engine->log, engine->proposals_waiting + 1 + (uint32_t)reserve,
                          engine->proposed.len + len);

    if (len > engine->raft_options.tail_bytes_max / 2) {
        return ERR_TOO_LARGE;
    }
    if (status != OK) {
        return len > log_payload_max(&engine->log) || status != ERR_TOO_LARGE ? status
                                                                              : ERR_BUSY;
    }
    enum raft_outcome outcome =
        raft_may_propose(&state->raft, state->proposal_count + 1, state->proposal_bytes + len);
    bool has_place = engine->proposal_count < ENGINE_PROPOSALS_MAX &&
                     list_is_empty(&engine->backlog) && outcome == RAFT_DONE;
    return has_place ? OK : ERR_BUSY;
}

static int raft_propose(struct engine *handle, uint32_t group, struct slice payload,
                        uint64_t *ret_index)
{
    struct engine_raft *engine = raft_of(handle);

    ASSERT(group < engine->group_count);
    struct engine_group *state = &engine->groups[group];
    if (engine->is_closing || engine->is_failed) {
        return ERR_STOPPED;
    }
    if (!state->is_leading || state->raft.role != RAFT_LEADER) {
        return ERR_NOT_LEADER;
    }
    int status = proposal_room(engine, state, payload.len);
    if (status != OK) {
        return status;
    }
    uint32_t place = engine->proposal_count++;
    engine->proposals[place] =
        (struct engine_proposal){(uint32_t)engine->proposed.len, (uint32_t)payload.len, 0};
    status = buf_append_slice(&engine->proposed, payload);
    ASSERT(status == OK); /* the log has more room than that */
    if (state->proposal_count == 0) {
        state->proposal_first = place;
    } else {
        engine->proposals[state->proposal_last].next = place;
    }
    state->proposal_last = place;
    state->proposal_count++;
    state->proposal_bytes += payload.len;
    engine->proposals_waiting++;
    engine_raft__gather(engine, group);
    *ret_index = state->raft.log.last + state->proposal_count;
    return OK;
}

/* Alone, what is durable here is committed, and state is changed only by that: any state may be
 * shown. */
static int raft_read_point(struct engine *handle, uint32_t group, struct engine_read *read)
{
    struct engine_raft *engine = raft_of(handle);
    struct engine_group *state = &engine->groups[group];

    ASSERT(group < engine->group_count);
    if (engine->is_closing || engine->is_failed) {
        return ERR_STOPPED;
    }
    const struct raft_configuration *members = &state->raft.configuration;
    if (!state->raft.is_refilling && raft_configuration_voters(members) == 1 &&
        raft_configuration_is_voter(members, engine->id)) {
        return OK;
    }
    if (!state->is_leading) {
        return ERR_NOT_LEADER;
    }
    list_add(&state->reads, &read->node);
    engine_raft__gather(engine, group);
    return SM_PENDING;
}

static int raft_snapshot_now(struct engine *handle, uint32_t group,
                             struct engine_snapshot *wait)
{
    struct engine_raft *engine = raft_of(handle);

    if (group >= engine->group_count) {
        return ERR_ARGUMENT;
    }
    if (engine->is_closing || engine->is_failed) {
        return ERR_STOPPED;
    }
    engine->groups[group].is_wanted = true;
    if (wait != NULL) {
        wait->group = group;
        list_add(&engine->waits, &wait->node);
    }
    return SM_PENDING;
}

static void raft_status(const struct engine *handle, uint32_t group,
                        struct engine_status *ret_status)
{
    const struct engine_raft *engine =
        CONTAINER_OF(handle, const struct engine_raft, engine);
    struct log_stats stats;

    ASSERT(group < engine->group_count);
    const struct engine_group *state = &engine->groups[group];
    const struct raft *raft = &state->raft;
    log_stats(&engine->log, &stats);
    uint64_t first = log_dropped(&engine->log, group) + 1;
    if (state->first > first) {
        first = state->first;
    }
    *ret_status = (struct engine_status){
        .first = first <= raft->log.last ? first : 0,
        .last = raft->log.last + state->proposal_count,
        .durable = raft->log.durable,
        .applied = raft->applied,
        .term = raft->term,
        .is_leading = state->is_leading,
        .snapshot_index = raft->snapshot.index,
        .snapshot_bytes = state->snapshot_bytes,
        .snapshot_ms = state->snapshot_ms,
        .log_bytes = stats.bytes,
        .log_batches = stats.batches,
        .segments = stats.segments,
        .is_writable = !engine->is_failed && !engine->log.is_refusing,
        .is_failed = engine->is_failed,
    };
}

static void raft_close(struct engine *handle)
{
    struct engine_raft *engine = raft_of(handle);

    engine_raft__flush(engine);
    engine->is_closing = true;
    engine_raft__refuse_reads(engine, ERR_STOPPED);
    engine_raft__close_step(engine);
}

static const struct engine_ops raft_ops = {
    .propose = raft_propose,
    .read_point = raft_read_point,
    .snapshot = raft_snapshot_now,
    .status = raft_status,
    .close = raft_close,
};

/* ---- what the log says ---- */

static int damaged(struct engine_raft *engine, const struct log_record *record,
                   const char *what)
{
    (void)snprintf(engine->text, sizeof engine->text,
                   "group %" PRIu32 ": %s: the log goes on with entry %" PRIu64
                   " in segment %" PRIu64,
                   record->group, what, record->index, record->serial);
    return ERR_DAMAGED;
}

enum raft_entry_kind engine_raft__entry_kind(const struct log_record *record)
{
    if (record->type == LOG_CONFIGURATION) {
        return RAFT_ENTRY_CONFIGURATION;
    }
    return record->payload.len == 0 ? RAFT_ENTRY_NOOP : RAFT_ENTRY_DATA;
}

static int replay_entry(struct engine_raft *engine, const struct log_record *record)
{
    struct engine_group *state = &engine->groups[record->group];
    struct raft *raft = &state->raft;
    const struct raft_entry entry = {
        .term = record->term,
        .kind = engine_raft__entry_kind(record),
        .payload = record->payload,
    };

    if (state->first == 0) {
        state->first = record->index;
    }
    if (record->index <= raft->snapshot.index || !raft_is_alone(raft, &entry)) {
        return raft_restore(raft, &(struct raft_persist){.kind = RAFT_PERSIST_ENTRIES,
                                                         .index = record->index,
                                                         .entries = &entry,
                                                         .count = 1});
    }
    int status = raft_restore_applied(raft, record->index, &entry);
    if (status == OK && entry.kind == RAFT_ENTRY_DATA) {
        engine->hooks.apply(engine->hooks.context, record->group, record->index, record->term,
                            record->payload, true);
    }
    return status;
}

static int replay_control(struct engine_raft *engine, const struct log_record *record)
{
    struct raft_persist persist = {.index = record->index, .term = record->term};

    switch (record->type) {
    case LOG_HARD_STATE:
        persist.kind = RAFT_PERSIST_HARD;
        if (record->payload.len == LOG_ID_BYTES) {
            persist.vote = engine_raft__id_read(record->payload.data);
        } else if (record->payload.len != 0) {
            return ERR_DAMAGED;
        }
        break;
    case LOG_TRUNCATE:
        persist.kind = RAFT_PERSIST_TRUNCATE;
        break;
    case LOG_SNAPSHOT_MARK:
        persist.kind = RAFT_PERSIST_MARK;
        break;
    case LOG_ENTRY:
    case LOG_CONFIGURATION:
    case LOG_BATCH:
    case LOG_TYPE_NR:
        return OK;
    }
    return raft_restore(&engine->groups[record->group].raft, &persist);
}

static int log_replayed(void *context, const struct log_record *record)
{
    struct engine_raft *engine = context;
    const struct raft *raft = &engine->groups[record->group].raft;
    bool is_entry = record->type == LOG_ENTRY || record->type == LOG_CONFIGURATION;
    uint64_t last = raft->log.last;

    int status = is_entry ? replay_entry(engine, record) : replay_control(engine, record);
    if (status != ERR_DAMAGED || engine->text[0] != '\0') {
        return status;
    }
    if (record->type == LOG_SNAPSHOT_MARK) {
        (void)snprintf(engine->text, sizeof engine->text,
                       "%.*s: the snapshot of group %" PRIu32 " at %" PRIu64 " is missing",
                       LOG_PATH_BYTES, engine->snapshots, record->group, record->index);
        return status;
    }
    if (is_entry && record->index > last + 1) {
        (void)snprintf(engine->text, sizeof engine->text,
                       "group %" PRIu32 ": entry %" PRIu64
                       " is missing: the log goes on with %" PRIu64 " in segment %" PRIu64,
                       record->group, last + 1, record->index, record->serial);
        return status;
    }
    return damaged(engine, record, "a record contradicts those before it");
}

static void log_stored(void *context, const struct log_record *record)
{
    struct engine_raft *engine = context;

    if (!engine->is_failed) {
        engine_raft__stored(engine, record);
    }
}

static void log_batch_stored(void *context)
{
    struct engine_raft *engine = context;

    if (!engine->is_failed) {
        engine_raft__batch_stored(engine);
    }
    if (!engine->is_failed) {
        engine_raft__policy(engine);
    }
}

static void log_writable(void *context, bool is_writable)
{
    struct engine_raft *engine = context;

    if (is_writable) {
        engine_raft__has_room(engine);
    } else {
        engine_raft__needs_room(engine);
    }
    engine->hooks.writable(engine->hooks.context, is_writable);
}

void engine_raft__fail(struct engine_raft *engine, const char *text)
{
    if (engine->is_failed) {
        return;
    }
    engine->is_failed = true;
    (void)snprintf(engine->text, sizeof engine->text, "%s", text);
    engine->hooks.failed(engine->hooks.context, engine->text);
}

static void log_failed(void *context, const char *text)
{
    engine_raft__fail(context, text);
}

/* ---- opening and closing ---- */

static void give_back(struct engine_raft *engine)
{
    for (uint32_t i = 0; i < engine->group_count; i++) {
        raft_fini(&engine->groups[i].raft);
        log_receiver_fini(&engine->groups[i].receiver);
    }
    engine->group_count = 0;
    engine_raft__fetch_fini(engine);
    engine_raft__transfer_fini(engine);
    io_turn_remove(engine->io, &engine->gather_turn);
    io_turn_remove(engine->io, &engine->turn);
    io_timer_stop(engine->io, &engine->clock);
    io_timer_stop(engine->io, &engine->kick);
    io_timer_stop(engine->io, &engine->retry);
    io_timer_stop(engine->io, &engine->pace);
    buf_fini(&engine->proposed);
    if (engine->lock != NULL) {
        io_folder_unlock(engine->io, engine->lock);
        engine->lock = NULL;
    }
    arena_fini(&engine->arena);
}

void engine_raft_abandon(struct engine_raft *engine)
{
    log_snapshot_fini(&engine->writer);
    log_abandon(&engine->log);
    give_back(engine);
}

static void log_closed(void *context)
{
    struct engine_raft *engine = context;

    give_back(engine);
    engine->hooks.closed(engine->hooks.context);
}

void engine_raft__close_step(struct engine_raft *engine)
{
    if (!engine->is_closing || engine->is_log_closing || engine->writing != ENGINE_IDLE) {
        return;
    }
    engine->is_log_closing = true;
    engine_raft__refuse_waits(engine);
    io_turn_remove(engine->io, &engine->turn);
    io_timer_stop(engine->io, &engine->clock);
    io_timer_stop(engine->io, &engine->retry);
    io_timer_stop(engine->io, &engine->pace);
    engine_raft__transfer_stop(engine);
    log_close(&engine->log);
}

static void turn_ended(struct io_turn *turn)
{
    engine_raft__snapshot_turn(CONTAINER_OF(turn, struct engine_raft, turn));
}

static void gather_turn_ended(struct io_turn *turn)
{
    struct engine_raft *engine = CONTAINER_OF(turn, struct engine_raft, gather_turn);

    io_timer_stop(engine->io, &engine->kick);
    engine_raft__flush(engine);
}

static int open_identity(struct engine_raft *engine, const struct engine_options *options,
                         bool *ret_is_new)
{
    struct io *io = engine->io;

    int status = io_folder_make(io, options->folder);
    if (status == OK) {
        status = io_folder_lock(io, options->folder, &engine->lock);
    }
    if (status == OK) {
        status = log_identity_read(io, options->folder, &engine->identity);
    }
    if (status == OK) {
        /* The process before may have been stopped by the very sync that makes its name
         * durable. */
        status = io_folder_sync(io, options->folder);
    }
    *ret_is_new = status == ERR_GONE;
    if (status == ERR_GONE) {
        log_identity_make(io, options->shards, &engine->identity);
        engine->identity.is_joined = options->is_joined;
        status = OK;
    }
    if (status == OK && engine->hooks.identify != NULL) {
        status = engine->hooks.identify(engine->hooks.context, *ret_is_new, &engine->identity);
    }
    if (status == ERR_DAMAGED || status == ERR_VERSION) {
        (void)snprintf(engine->text, sizeof engine->text, "%s/identity: offset 0: %s",
                       options->folder, error_text(status));
    }
    uint32_t shards = engine->identity.shards;
    if (status == OK && (shards < 1 || shards > SHARDS_MAX)) {
        (void)snprintf(engine->text, sizeof engine->text,
                       "%" PRIu32 " shards: the number must be in 1..%d", shards, SHARDS_MAX);
        status = ERR_CONFIG;
    }
    return status;
}

static int open_log(struct engine_raft *engine, const struct engine_options *options,
                    bool is_new)
{
    char folder[LOG_PATH_BYTES];
    struct log_options log = options->log;
    struct log_hooks hooks = {
        .context = engine,
        .replayed = log_replayed,
        .stored = log_stored,
        .batch_stored = log_batch_stored,
        .writable = log_writable,
        .failed = log_failed,
        .closed = log_closed,
    };

    int status = log_refill_path(folder, options->folder, "log", &engine->refill);
    if (status != OK) {
        return status;
    }
    log.folder = folder;
    log.identity = log_identity_hash(&engine->identity);
    log.groups = engine->group_count;
    log.is_new = is_new || engine->refill.is_unmade;
    status = log_open(&engine->log, engine->io, &log, &hooks);
    if (status != OK && engine->text[0] == '\0') {
        (void)snprintf(engine->text, sizeof engine->text, "%s", log_text(&engine->log));
    }
    return status;
}

static void make_groups(struct engine_raft *engine, const struct engine_options *options)
{
    uint32_t count = engine->identity.shards + 1;

    engine->id = engine_raft__id_read(engine->identity.node);
    engine->raft_options = options->raft;
    engine->raft_options.id = engine->id;
    engine->raft_options.refill = engine->refill.count;
    engine->raft_options.is_refilling = engine->refill.is_refilling;
    engine->groups = arena_alloc_zero(&engine->arena, count * sizeof *engine->groups);
    engine->gathered = arena_alloc(&engine->arena, count * sizeof *engine->gathered);
    engine->dirty = arena_alloc(&engine->arena, count * sizeof *engine->dirty);
    engine->writes_cap = WRITES_FIRST;
    engine->writes = arena_alloc(&engine->arena, WRITES_FIRST * sizeof *engine->writes);
    for (uint32_t i = 0; i < count; i++) {
        list_init(&engine->groups[i].reads);
        list_init(&engine->groups[i].reads_asked);
    }
    buf_init(&engine->proposed, options->log.batch_bytes);
    uint32_t fetched = options->raft.append_entries_max > options->raft.read_entries_max
                           ? options->raft.append_entries_max
                           : options->raft.read_entries_max;
    engine->fetched = arena_alloc(&engine->arena, fetched * sizeof *engine->fetched);
}

static int open_refill(struct engine_raft *engine)
{
    int status = log_refill_read(engine->io, engine->folder, &engine->refill);

    if (status == ERR_DAMAGED || status == ERR_VERSION) {
        (void)snprintf(engine->text, sizeof engine->text, "%.*s/refill: offset 0: %s",
                       LOG_PATH_BYTES, engine->folder, error_text(status));
    }
    return status == OK ? log_refill_path(engine->snapshots, engine->folder, "snapshots",
                                          &engine->refill)
                        : status;
}

/* The log does not hold what it must. Where others have it, the next open begins anew: what is
 * there stays as it is. */
static void set_aside(struct engine_raft *engine, const struct engine_options *options)
{
    const struct log_refill next = {
        .count = engine->refill.count + 1, .is_refilling = true, .is_unmade = true};

    if (options->refill == ENGINE_REFILL_NEVER ||
        (options->refill == ENGINE_REFILL_JOINED && !engine->identity.is_joined)) {
        return;
    }
    if (log_refill_write(engine->io, engine->folder, &next) == OK) {
        engine->refill = next;
    }
}

/* The folder of the log is whole: from now on it is damage when it is not. */
static int note_made(struct engine_raft *engine)
{
    struct log_refill next = engine->refill;

    next.is_unmade = false;
    int status = log_refill_write(engine->io, engine->folder, &next);
    if (status == OK) {
        engine->refill = next;
    } else {
        log_abandon(&engine->log);
    }
    return status;
}

bool engine_raft_is_refilling(struct engine_raft *engine)
{
    bool is_refilling = false;

    if (!engine->refill.is_refilling) {
        return false;
    }
    for (uint32_t i = 0; i < engine->group_count; i++) {
        is_refilling = is_refilling || raft_is_refilling(&engine->groups[i].raft);
    }
    if (!is_refilling) {
        const struct log_refill next = {.count = engine->refill.count};

        /* if it cannot be written the next start is refilled once more, which does no harm */
        if (log_refill_write(engine->io, engine->folder, &next) == OK) {
            engine->refill = next;
        }
    }
    return is_refilling;
}

static int open_data(struct engine_raft *engine, const struct engine_options *options)
{
    bool is_new;

    int len = snprintf(engine->folder, sizeof engine->folder, "%s", options->folder);
    int status = len < LOG_PATH_BYTES ? open_identity(engine, options, &is_new) : ERR_TOO_LARGE;
    if (status == OK) {
        status = open_refill(engine);
    }
    if (status != OK) {
        return status;
    }
    bool was_unmade = engine->refill.is_unmade;
    make_groups(engine, options);
    status = engine_raft__restore(engine);
    if (status == OK) {
        status = open_log(engine, options, is_new);
    }
    if (status == ERR_DAMAGED) {
        engine->refill.is_unmade = false;
        set_aside(engine, options);
        return status;
    }
    if (status == OK && was_unmade) {
        status = note_made(engine);
    }
    if (status == OK && is_new) {
        status = log_identity_write(engine->io, options->folder, &engine->identity);
        if (status != OK) {
            log_abandon(&engine->log);
        }
    }
    return status;
}

static int identified(struct engine_raft *engine)
{
    int status = engine->hooks.identified == NULL
                     ? OK
                     : engine->hooks.identified(engine->hooks.context, &engine->identity);

    if (status != OK) {
        log_abandon(&engine->log);
    }
    return status;
}

static void start_groups(struct engine_raft *engine)
{
    for (uint32_t i = 0; i < engine->group_count; i++) {
        raft_start(&engine->groups[i].raft, io_now_ns(engine->io) / 1000000);
    }
    engine_raft__clock_start(engine);
}

int engine_raft_open(struct engine_raft *engine, struct io *io,
                     const struct engine_options *options, const struct engine_hooks *hooks)
{
    memset(engine, 0, sizeof *engine);
    engine->engine.ops = &raft_ops;
    engine->io = io;
    engine->hooks = *hooks;
    engine->snapshot_log_bytes = options->snapshot_log_bytes;
    engine->clock_ms = UINT64_MAX;
    list_init(&engine->waits);
    list_init(&engine->waits_served);
    list_init(&engine->backlog);
    list_init(&engine->fetches);
    list_init(&engine->idle_fetches);
    list_init(&engine->sendings);
    list_init(&engine->receivings);
    list_init(&engine->idle_receivings);
    arena_init(&engine->arena, UINT64_MAX);
    io_turn_add(io, &engine->gather_turn, gather_turn_ended);
    int status = open_data(engine, options);
    status = status == OK ? identified(engine) : status;
    if (status != OK) {
        if (status != ERR_DAMAGED) {
            engine->refill.is_unmade = false; /* nothing was set aside */
        }
        if (engine->text[0] == '\0') {
            (void)snprintf(engine->text, sizeof engine->text, "%s: %s", options->folder,
                           error_text(status));
        }
        give_back(engine);
        return status;
    }
    io_turn_add(io, &engine->turn, turn_ended);
    start_groups(engine);
    return OK;
}
