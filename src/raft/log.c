#include "raft/log.h"

#include "base/assert.h"

enum { TAIL_FIRST = 16, RUNS_FIRST = 8 }; /* places to begin with: most groups are idle */

void raft_log_init(struct raft_log *log, struct arena *arena, uint32_t tail_max,
                   uint64_t tail_bytes_max, uint64_t tail_kept_bytes, uint32_t runs_max)
{
    ASSERT(tail_max > 0 && runs_max > 1);
    *log = (struct raft_log){
        .arena = arena,
        .tail_first = 1,
        .tail_max = tail_max,
        .tail_bytes_max = tail_bytes_max,
        .tail_kept_bytes = tail_kept_bytes,
        .runs_max = runs_max,
        .tail_cap = TAIL_FIRST,
        .tail = arena_alloc(arena, TAIL_FIRST * sizeof(struct raft_entry)),
        .run_cap = RUNS_FIRST,
        .runs = arena_alloc(arena, RUNS_FIRST * sizeof(struct raft_run)),
    };
}

static void drop_payload(struct raft_log *log, struct raft_entry *entry)
{
    log->tail_bytes -= entry->payload.len;
    arena_free_slice(log->arena, entry->payload);
}

void raft_log_fini(struct raft_log *log)
{
    for (uint32_t i = 0; i < log->tail_count; i++) {
        drop_payload(log, &log->tail[log->tail_start + i]);
    }
    arena_free(log->arena, log->tail, log->tail_cap * sizeof(struct raft_entry));
    arena_free(log->arena, log->runs, log->run_cap * sizeof(struct raft_run));
}

void raft_log_reset(struct raft_log *log, raft_index base, raft_term base_term)
{
    for (uint32_t i = 0; i < log->tail_count; i++) {
        drop_payload(log, &log->tail[log->tail_start + i]);
    }
    log->tail_start = 0;
    log->tail_count = 0;
    log->run_count = 0;
    log->base = base;
    log->base_term = base_term;
    log->last = base;
    log->durable = base;
    log->tail_first = base + 1;
}

/* The run that holds @index, which is above base. */
static uint32_t find_run(const struct raft_log *log, raft_index index)
{
    uint32_t low = 0;
    uint32_t high = log->run_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (log->runs[middle].first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

raft_term raft_log_term(const struct raft_log *log, raft_index index)
{
    if (index == log->base) {
        return log->base_term;
    }
    if (index < log->base || index > log->last) {
        return 0;
    }
    if (raft_log_has(log, index)) {
        return raft_log_at(log, index)->term;
    }
    return log->runs[find_run(log, index)].term;
}

raft_index raft_log_find_term(const struct raft_log *log, raft_index index, raft_term term)
{
    ASSERT(index >= log->base && index <= log->last);
    while (index > log->base) {
        const struct raft_run *run = &log->runs[find_run(log, index)];
        if (run->term <= term) {
            break;
        }
        index = run->first - 1;
    }
    return index;
}

bool raft_log_has_room(const struct raft_log *log, raft_term term, size_t bytes)
{
    bool has_run = log->run_count < log->runs_max ||
                   (log->run_count > 0 && log->runs[log->run_count - 1].term == term);
    return has_run && log->tail_bytes + bytes <= log->tail_bytes_max &&
           log->tail_count < log->tail_max;
}

/* Moves the arrays: pointers into the tail are taken after a step's appends, never before. */
static void grow(struct raft_log *log)
{
    if (log->tail_start + log->tail_count == log->tail_cap) {
        log->tail = arena_grow(log->arena, log->tail, sizeof log->tail[0], log->tail_cap,
                               2 * (size_t)log->tail_cap);
        log->tail_cap *= 2;
    }
    if (log->run_count == log->run_cap) {
        log->runs = arena_grow(log->arena, log->runs, sizeof log->runs[0], log->run_cap,
                               2 * (size_t)log->run_cap);
        log->run_cap *= 2;
    }
}

void raft_log_append(struct raft_log *log, const struct raft_entry *entry)
{
    ASSERT(raft_log_has_room(log, entry->term, entry->payload.len));
    ASSERT(entry->term >= raft_log_last_term(log));
    grow(log);
    struct raft_entry *to = &log->tail[log->tail_start + log->tail_count];
    *to = *entry;
    to->payload = arena_copy(log->arena, entry->payload);
    log->tail_count++;
    log->tail_bytes += entry->payload.len;
    log->last++;
    if (log->run_count == 0 || log->runs[log->run_count - 1].term != entry->term) {
        log->runs[log->run_count++] = (struct raft_run){log->last, entry->term};
    }
}

bool raft_log_append_absent(struct raft_log *log, raft_term term)
{
    ASSERT(log->durable == log->last && term >= raft_log_last_term(log));
    if (!raft_log_has_room(log, term, 0)) {
        return false;
    }
    while (log->tail_count > 0) {
        log->tail_count--;
        drop_payload(log, &log->tail[log->tail_start + log->tail_count]);
    }
    grow(log);
    log->last++;
    log->durable = log->last;
    log->tail_start = 0;
    log->tail_first = log->last + 1;
    if (log->run_count == 0 || log->runs[log->run_count - 1].term != term) {
        log->runs[log->run_count++] = (struct raft_run){log->last, term};
    }
    return true;
}

void raft_log_truncate(struct raft_log *log, raft_index index)
{
    ASSERT(index > log->base && index <= log->last + 1);
    while (log->tail_count > 0 && log->last >= index) {
        log->tail_count--;
        drop_payload(log, &log->tail[log->tail_start + log->tail_count]);
        log->last--;
    }
    log->last = index - 1;
    if (log->tail_count == 0) {
        log->tail_first = index;
    }
    while (log->run_count > 0 && log->runs[log->run_count - 1].first >= index) {
        log->run_count--;
    }
    if (log->durable >= index) {
        log->durable = index - 1;
    }
}

void raft_log_compact(struct raft_log *log, raft_index index)
{
    ASSERT(index <= log->durable);
    if (index <= log->base) {
        return;
    }
    log->base_term = raft_log_term(log, index);
    log->base = index;
    uint32_t gone = 0;
    while (gone + 1 < log->run_count && log->runs[gone + 1].first <= index + 1) {
        gone++;
    }
    if (log->last == index) {
        gone = log->run_count;
    }
    log->run_count -= gone;
    for (uint32_t i = 0; i < log->run_count; i++) {
        log->runs[i] = log->runs[i + gone];
    }
    if (log->run_count > 0 && log->runs[0].first <= index) {
        log->runs[0].first = index + 1;
    }
}

/* Whether the first entry of the tail, which is durable, is let go of. */
static bool is_spare(const struct raft_log *log, raft_index needed)
{
    return log->tail_count > log->tail_max / 2 || log->tail_bytes > log->tail_bytes_max / 2 ||
           (log->tail_bytes > log->tail_kept_bytes && log->tail_first < needed) ||
           log->tail_first <= log->base;
}

void raft_log_trim(struct raft_log *log, raft_index needed)
{
    while (log->tail_count > 0 && log->tail_first <= log->durable && is_spare(log, needed)) {
        drop_payload(log, &log->tail[log->tail_start]);
        log->tail_start++;
        log->tail_count--;
        log->tail_first++;
    }
    if (log->tail_count == 0) {
        log->tail_start = 0;
        log->tail_first = log->last + 1;
    }
    if (log->tail_start > log->tail_cap / 2) {
        memmove(log->tail, log->tail + log->tail_start,
                log->tail_count * sizeof(struct raft_entry));
        log->tail_start = 0;
    }
}

bool raft_log_stored(struct raft_log *log, uint64_t sequence)
{
    raft_index before = log->durable;

    while (log->durable < log->last && raft_log_has(log, log->durable + 1) &&
           raft_log_at(log, log->durable + 1)->sequence <= sequence) {
        log->durable++;
    }
    return log->durable != before;
}
