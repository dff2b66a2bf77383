/* node/engine.h -- the replicated log as everything above sees it: propose, apply, read,
 * snapshot.
 *
 * Layer: node (base, io)
 *
 * Narrow on purpose, so that another replicated log could stand behind the same calls; campus,
 * enrol and service know nothing of the one that does (engine_raft.h). A node has groups 0..groups-1; group 0 is the cluster's own (meta), group g > 0 is shard g. Each
 * group is a sequence of entries with indexes 1, 2, ...
 *
 * Effects come in one order: persist, send, apply, reply. An entry is applied only when it is
 * durable on a majority of its group's voters, in the order of its group's indexes (which may
 * jump: consensus has entries of its own); so whatever apply() shows may be told to anyone. All calls and hooks are on the loop thread. Hooks never
 * fire inside engine_propose().
 */
#ifndef CARILLON_NODE_ENGINE_H
#define CARILLON_NODE_ENGINE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/slice.h"
#include "base/sm.h"

enum {
    ENGINE_SLICE_BYTES = 64 << 10, /* what one snapshot_step should add at most */
    ENGINE_AHEAD_MAX = 64,         /* entries that are looked ahead at side by side */
};

struct engine {
    const struct engine_ops *ops;
};

struct log_identity;

/* Whether a damaged log is set aside when the folder is opened, for others to refill the groups
 * (docs/spec/log.md section 11). */
enum engine_refill {
    ENGINE_REFILL_JOINED, /* of a node that joined others */
    ENGINE_REFILL_ALWAYS,
    ENGINE_REFILL_NEVER,
};

struct engine_hooks {
    void *context;

    /* The data folder is locked, and nothing in it was read or made but its identity; of a new
     * folder all of it may be set here. An error ends the start with it. May be NULL. */
    int (*identify)(void *context, bool is_new, struct log_identity *identity);
    /* The start has succeeded, and the identity is recorded. As above. */
    int (*identified)(void *context, const struct log_identity *identity);

    /* An entry is durable: change the state. @payload is borrowed for the call. @is_replay: the
     * node is starting and nobody waits for an answer. Must not fail; may call engine_propose()
     * unless it is a replay. */
    void (*apply)(void *context, uint32_t group, uint64_t index, uint64_t term,
                  struct slice payload, bool is_replay);

    /* These are applied next, one by one: what they look at can be asked for side by side. At
     * most ENGINE_AHEAD_MAX, of indexes from @index on (an empty one is not applied), borrowed
     * for the call. Changes nothing that shows. Not while the node starts. May be NULL. */
    void (*ahead)(void *context, uint32_t group, uint64_t index, const struct slice *payloads,
                  uint32_t count);

    /* On start, before the entries of the group: the state as snapshot_step() wrote it, cut
     * into chunks at other places than it was written. restore_begin() is called for every
     * group, with @index 0 and no chunk when the group has no snapshot. An error ends the start
     * with it (ERR_DAMAGED: the bytes make no sense). */
    int (*restore_begin)(void *context, uint32_t group, uint64_t index);
    int (*restore_chunk)(void *context, uint32_t group, struct slice chunk);
    int (*restore_end)(void *context, uint32_t group);

    /* Freeze the group's state as it is now (applied up to status.applied) for writing it out
     * in slices, while later entries go on being applied. */
    void (*snapshot_begin)(void *context, uint32_t group);
    /* Append the next slice to @out: at most ENGINE_SLICE_BYTES or about 200 us of work; one
     * slice a turn; with nothing appended it is asked again a little later. Returns: SM_PENDING
     * when more follows, OK with the last. */
    int (*snapshot_step)(void *context, uint32_t group, struct buf *out);
    /* The frozen state is not needed any more: written (OK), or given up. Follows each
     * snapshot_begin() once. */
    void (*snapshot_end)(void *context, uint32_t group, int status);

    /* Whether this node leads @group, in @term: proposals are taken, and the state holds all
     * that was committed before. When it no longer does, what became of the proposals that were
     * not applied yet is unknown. Not called before the first time that it leads. */
    void (*role)(void *context, uint32_t group, bool is_leading, uint64_t term);

    /* Carry @message (struct raft_message) to the member it is to, as soon as may be; it may be
     * lost. Borrowed for the call. NULL: there is nobody else. */
    void (*send)(void *context, uint32_t group, const void *message);

    /* The disk is full (false): proposals are refused with ERR_DISK_FULL and everything stays
     * readable; or there is room again (true). */
    void (*writable)(void *context, bool is_writable);
    /* The disk failed: @text names file and operation (terminated, borrowed). Nothing is
     * applied or accepted from here on; the node must stop. Called once. */
    void (*failed)(void *context, const char *text);
    /* engine_close() has ended: the storage is free. */
    void (*closed)(void *context);
};

struct engine_status {
    uint64_t first; /* index of the oldest entry the log still holds; 0 if it holds none */
    uint64_t last;  /* proposed */
    uint64_t durable;
    uint64_t applied;
    uint64_t term;
    bool is_leading;
    uint64_t snapshot_index; /* 0: there is none */
    uint64_t snapshot_bytes; /* of the file */
    uint64_t snapshot_ms; /* wall time when it was finished by this process, 0 if by an earlier
                             one */
    /* of the whole node */
    uint64_t log_bytes;   /* written by this process, padding included */
    uint64_t log_batches; /* written by this process */
    uint64_t segments;    /* files in the log's folder */
    bool is_writable;
    bool is_failed;
};

/* A wait for a read point; embedded by the caller, who keeps it until done(). */
struct engine_read {
    struct list node;
    void (*done)(struct engine_read *read, int status);
};

/* A wait for a snapshot; embedded by the caller, who keeps it until done(). */
struct engine_snapshot {
    struct list node;
    uint32_t group;
    void (*done)(struct engine_snapshot *wait, int status);
};

struct engine_ops {
    int (*propose)(struct engine *engine, uint32_t group, struct slice payload,
                   uint64_t *ret_index);
    int (*read_point)(struct engine *engine, uint32_t group, struct engine_read *read);
    int (*snapshot)(struct engine *engine, uint32_t group, struct engine_snapshot *wait);
    void (*status)(const struct engine *engine, uint32_t group,
                   struct engine_status *ret_status);
    void (*close)(struct engine *engine);
};

/* Append @payload (not empty) to the log of @group. apply() with @ret_index follows when it is
 * durable on a majority; an entry that was accepted may still be lost with the process or with
 * the leadership, so nobody is told before apply().
 *
 * Owns:    copies @payload.
 * Errors:  ERR_NOT_LEADER; ERR_BUSY the buffer is full, try again after an apply();
 * ERR_DISK_FULL; ERR_TOO_LARGE beyond entry_bytes_max; ERR_STOPPED failed or closing. Nothing
 * was proposed then.
 */
static inline int engine_propose(struct engine *engine, uint32_t group, struct slice payload,
                                 uint64_t *ret_index) CHECKED;
static inline int engine_propose(struct engine *engine, uint32_t group, struct slice payload,
                                 uint64_t *ret_index)
{
    return engine->ops->propose(engine, group, payload, ret_index);
}

/* Wait until the state of @group holds everything that was answered before this call: a
 * linearizable read.
 *
 * Returns: OK, read now (a node alone always); or SM_PENDING and read->done() follows once: OK,
 * ERR_NOT_LEADER, ERR_BUSY, ERR_STOPPED.
 * Errors:  ERR_NOT_LEADER; ERR_STOPPED.
 */
static inline int engine_read_point(struct engine *engine, uint32_t group,
                                    struct engine_read *read) CHECKED;
static inline int engine_read_point(struct engine *engine, uint32_t group,
                                    struct engine_read *read)
{
    return engine->ops->read_point(engine, group, read);
}

/* Write a snapshot of @group now (after those that wait already). @wait may be NULL; its group
 * is set here.
 *
 * Returns: SM_PENDING: wait->done() follows once: OK, ERR_DISK_FULL, ERR_IO, ERR_STOPPED.
 * Errors:  ERR_STOPPED failed or closing; ERR_ARGUMENT no such group.
 */
static inline int engine_snapshot(struct engine *engine, uint32_t group,
                                  struct engine_snapshot *wait) CHECKED;
static inline int engine_snapshot(struct engine *engine, uint32_t group,
                                  struct engine_snapshot *wait)
{
    return engine->ops->snapshot(engine, group, wait);
}

static inline void engine_status(const struct engine *engine, uint32_t group,
                                 struct engine_status *ret_status)
{
    engine->ops->status(engine, group, ret_status);
}

/* Stop accepting, store and apply what was accepted, write the durable marker, unlock the
 * folder; then closed(). Also after failed(). */
static inline void engine_close(struct engine *engine)
{
    engine->ops->close(engine);
}

#endif
