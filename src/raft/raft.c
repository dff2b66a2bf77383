#include "raft/raft.h"

#include "raft/raft_private.h"

void raft_options_default(struct raft_options *ret_options)
{
    *ret_options = (struct raft_options){
        .election_ms = 500,
        .heartbeat_ms = 100,
        .stall_ms = 2000,
        .inflight_max = RAFT_INFLIGHT_MAX,
        .append_entries_max = 1024,
        .append_bytes_max = 512 << 10,
        .uncommitted_max = 16384,
        .tail_entries_max = 4096,
        .tail_bytes_max = 4 << 20,
        .tail_kept_bytes = 256 << 10,
        .runs_max = 1024,
        .trailing_max = 4096,
        .read_entries_max = 256,
    };
}

/* What the arena may hold: the tail's payloads, each rounded up by a quarter or to 16 bytes,
 * and the arrays, which at most double what they need and are copied when they grow. */
static uint64_t memory_budget(const struct raft_options *options)
{
    uint64_t entries = 64 + (uint64_t)options->tail_entries_max;
    uint64_t runs = 64 + (uint64_t)options->runs_max;

    return options->tail_bytes_max + options->tail_bytes_max / 4 + entries * 48 +
           entries * 8 * sizeof(struct raft_entry) + runs * 4 * sizeof(struct raft_run);
}

void raft_init(struct raft *raft, const struct raft_options *options,
               const struct raft_snapshot *snapshot)
{
    ASSERT(options->id != 0);
    ASSERT(options->refill > 0 || !options->is_refilling);
    ASSERT(options->inflight_max > 0 && options->inflight_max <= RAFT_INFLIGHT_MAX);
    ASSERT(options->heartbeat_ms > 0 && options->election_ms > options->heartbeat_ms);
    ASSERT(options->append_entries_max > 0 && options->read_entries_max > 0);
    /* Half of the tail is let go when it is durable: a message always fits into the other. */
    ASSERT(options->append_entries_max <= options->tail_entries_max / 2);
    ASSERT(options->append_bytes_max <= options->tail_bytes_max / 2);
    *raft = (struct raft){.options = *options, .role = RAFT_FOLLOWER, .snapshot = *snapshot};
    arena_init(&raft->arena, memory_budget(options));
    rng_init(&raft->rng, options->seed);
    raft_log_init(&raft->log, &raft->arena, options->tail_entries_max, options->tail_bytes_max,
                  options->tail_kept_bytes, options->runs_max);
    raft_log_reset(&raft->log, snapshot->index, snapshot->term);
    raft->term = snapshot->term;
    raft->commit = snapshot->index;
    raft->applied = snapshot->index;
    raft->configuration = snapshot->configuration;
    raft->configuration_before = snapshot->configuration;
    raft->configuration_applied = snapshot->configuration;
    raft->is_connected = true;
    raft->is_refilling = options->is_refilling;
}

void raft_fini(struct raft *raft)
{
    arena_fini(&raft->arena);
}

typedef void raft_handler(struct raft *raft, const struct raft_event *event);

static void on_disk_failed(struct raft *raft, const struct raft_event *event)
{
    raft__stop(raft, event->text);
}

static raft_handler *const handlers[RAFT_EVENT_NR] = {
    [RAFT_TICK] = raft__on_tick,
    [RAFT_RECEIVED] = raft__on_received,
    [RAFT_STORED] = raft__on_stored,
    [RAFT_PROPOSED] = raft__on_proposed,
    [RAFT_READ_ASKED] = raft__on_read_asked,
    [RAFT_CHANGE_ASKED] = raft__on_change_asked,
    [RAFT_TRANSFER_ASKED] = raft__on_transfer_asked,
    [RAFT_ENTRIES_READ] = raft__on_entries_read,
    [RAFT_CHUNK_READ] = raft__on_chunk_read,
    [RAFT_CHUNK_WRITTEN] = raft__on_chunk_written,
    [RAFT_INSTALLED] = raft__on_installed,
    [RAFT_TAKEN] = raft__on_taken,
    [RAFT_LET_GO] = raft__on_let_go,
    [RAFT_DISK_FAILED] = on_disk_failed,
};

/* A request of a stopped member still gets its answer. */
static void refuse(struct raft *raft, const struct raft_event *event)
{
    static const enum raft_reply_kind kinds[RAFT_EVENT_NR] = {
        [RAFT_PROPOSED] = RAFT_REPLY_PROPOSED,
        [RAFT_READ_ASKED] = RAFT_REPLY_READ,
        [RAFT_CHANGE_ASKED] = RAFT_REPLY_CHANGED,
        [RAFT_TRANSFER_ASKED] = RAFT_REPLY_TRANSFERRED,
    };
    if (kinds[event->kind] != 0) {
        raft__reply(raft, kinds[event->kind], RAFT_NOT_LEADER, event->token);
    }
}

static void assert_invariants(const struct raft *raft)
{
    const struct raft_log *log = &raft->log;

    ASSERT(log->base <= raft->applied && raft->applied <= raft->commit);
    ASSERT(raft->commit <= log->last && log->durable <= log->last);
    ASSERT(log->tail_first <= log->durable + 1);
    ASSERT(log->tail_first + log->tail_count == log->last + 1);
    ASSERT(raft->configuration.index <= log->last);
    ASSERT(raft->verified <= log->last);
    ASSERT(raft->stored <= raft->sequence && raft->hard_sequence <= raft->sequence);
    ASSERT(arena_has_room(&raft->arena, 0));
    ASSERT(raft->role != RAFT_LEADER || raft->leader == raft->options.id);
    ASSERT(raft->role != RAFT_LEADER || raft__is_hard_stored(raft));
}

/* The first entry that is still to be applied here, or to be sent to a member. Others are kept
 * for one who comes to lead and finds a member a little behind; what it misses is on disk. */
static raft_index needed_from(const struct raft *raft)
{
    raft_index needed = raft->applied + 1;

    for (uint32_t i = 0; raft->role == RAFT_LEADER && i < raft->configuration.count; i++) {
        if (raft->progress[i].id != raft->options.id && raft->progress[i].match < needed) {
            needed = raft->progress[i].match + 1;
        }
    }
    return needed;
}

void raft_step(struct raft *raft, const struct raft_event *event, uint64_t now_ms,
               struct raft_effects *ret_effects)
{
    enum raft_role role = raft->role;
    raft_term term = raft->term;
    raft_id leader = raft->leader;

    ASSERT(event->kind > 0 && event->kind < RAFT_EVENT_NR);
    ret_effects->persist_count = 0;
    ret_effects->request_count = 0;
    ret_effects->send_count = 0;
    ret_effects->apply_count = 0;
    ret_effects->reply_count = 0;
    raft->out = ret_effects;
    if (raft->role == RAFT_STOPPED) {
        refuse(raft, event);
        return;
    }
    if (now_ms > raft->now_ms) {
        raft->now_ms = now_ms;
    }
    raft_log_trim(&raft->log, needed_from(raft));
    if (raft->is_repair_due) {
        raft__repair(raft);
    }
    handlers[event->kind](raft, event);
    if (raft->role == RAFT_LEADER) {
        raft__commit_by_count(raft);
        raft__refill_advance(raft);
    }
    raft__apply(raft);
    if (raft->role == RAFT_LEADER) {
        raft__transfer_advance(raft);
        raft__reads_advance(raft);
        raft__replicate(raft);
    }
    raft__flush_ack(raft);
    if (raft->role != RAFT_STOPPED &&
        (raft->role != role || raft->term != term || raft->leader != leader)) {
        raft__reply(raft, RAFT_REPLY_ROLE, RAFT_DONE, 0);
    }
    assert_invariants(raft);
    raft->out = NULL;
}

static bool is_only_member(const struct raft *raft)
{
    return raft->configuration.count == 1 &&
           raft->configuration.members[0].id == raft->options.id;
}

uint64_t raft_deadline_ms(const struct raft *raft)
{
    switch (raft->role) {
    case RAFT_LEADER:
        /* Alone nobody hears its heartbeats, and nobody could take over from a slow disk. */
        return is_only_member(raft) ? UINT64_MAX : raft->heartbeat_ms;
    case RAFT_FOLLOWER:
    case RAFT_PRE_CANDIDATE:
    case RAFT_CANDIDATE:
        return raft__may_campaign(raft) ? raft->election_ms : UINT64_MAX;
    case RAFT_STOPPED:
        break;
    }
    return UINT64_MAX;
}

void raft_snapshot_point(const struct raft *raft, struct raft_snapshot *ret_snapshot)
{
    ret_snapshot->index = raft->applied;
    ret_snapshot->term = raft_log_term(&raft->log, raft->applied);
    ret_snapshot->configuration = raft->configuration_applied;
}
