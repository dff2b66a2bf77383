/* raft/log.h -- what a member knows of its log: terms of all entries, the newest ones whole.
 *
 * Layer: raft (base)     Spec: docs/spec/raft.md section 4
 *
 * Entries base + 1 .. last exist. Their terms are kept as runs; entries tail_first .. last are
 * in memory, older ones are read back from the disk on request. What is not durable is always
 * in memory. base is the newest entry that may be gone from the disk: a snapshot covers it.
 */
#ifndef CARILLON_RAFT_LOG_H
#define CARILLON_RAFT_LOG_H

#include "base/arena.h"
#include "raft/message.h"

struct raft_run {
    raft_index first;
    raft_term term;
};

struct raft_log {
    struct arena *arena;
    raft_index base;
    raft_term base_term;
    raft_index last;
    raft_index durable; /* entries up to here would survive a crash */

    struct raft_run *runs; /* ascending; the first begins at base + 1 */
    uint32_t run_count;
    uint32_t run_cap;
    uint32_t runs_max;

    struct raft_entry *tail; /* tail_cap places, used from tail_start on */
    uint32_t tail_cap;
    raft_index tail_first; /* last + 1 when the tail is empty */
    uint32_t tail_start;
    uint32_t tail_count;
    uint32_t tail_max; /* entries */
    uint64_t tail_bytes;
    uint64_t tail_bytes_max;
    uint64_t tail_kept_bytes;
};

/* Owns: memory from @arena until raft_log_fini(). */
void raft_log_init(struct raft_log *log, struct arena *arena, uint32_t tail_max,
                   uint64_t tail_bytes_max, uint64_t tail_kept_bytes, uint32_t runs_max);
void raft_log_fini(struct raft_log *log);

/* Forget everything; the log begins behind @base. */
void raft_log_reset(struct raft_log *log, raft_index base, raft_term base_term);

/* The term of the entry at @index, 0 when that is below base or above last. */
raft_term raft_log_term(const struct raft_log *log, raft_index index);

static inline raft_term raft_log_last_term(const struct raft_log *log)
{
    return log->run_count == 0 ? log->base_term : log->runs[log->run_count - 1].term;
}

/* The newest index at or below @index (base <= index <= last) whose term is @term or less; base
 * when there is none. */
raft_index raft_log_find_term(const struct raft_log *log, raft_index index, raft_term term);

/* Whether one more entry of @term with @bytes fits. */
bool raft_log_has_room(const struct raft_log *log, raft_term term, size_t bytes);

/* Add an entry that fits; its payload is copied. */
void raft_log_append(struct raft_log *log, const struct raft_entry *entry);

/* Add a durable entry of @term that is not kept in memory, and let go of those that are, which
 * are durable too. Returns: false when there is no room for another change of term; nothing has
 * changed then. */
bool raft_log_append_absent(struct raft_log *log, raft_term term);

/* Drop the entries from @index on (base < index <= last + 1). */
void raft_log_truncate(struct raft_log *log, raft_index index);

/* Entries up to @index (<= last) may be gone from the disk. */
void raft_log_compact(struct raft_log *log, raft_index index);

/* Make room in memory by letting go of durable entries: half of what may be there is kept of
 * those from @needed on, tail_kept_bytes of those before it. Pointers into the tail end here and
 * nowhere else: called once, where a step begins. */
void raft_log_trim(struct raft_log *log, raft_index needed);

/* Everything up to write @sequence is on disk. Returns: whether durable moved. */
bool raft_log_stored(struct raft_log *log, uint64_t sequence);

/* The entry at @index, which is in memory; the ones behind it follow in the array. */
static inline struct raft_entry *raft_log_at(const struct raft_log *log, raft_index index)
{
    return &log->tail[log->tail_start + (index - log->tail_first)];
}

static inline bool raft_log_has(const struct raft_log *log, raft_index index)
{
    return index >= log->tail_first && index <= log->last;
}

#endif
