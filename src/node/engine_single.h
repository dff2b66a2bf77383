/* node/engine_single.h -- the engine of a cluster of one node: what is durable here is
 * committed.
 *
 * Layer: node (base, io, log)     Interface: node/engine.h
 *
 * The data folder: identity, lock, log/, snapshots/. Opening it restores the snapshots and
 * replays the log before it returns. All groups live in term 1; the hard state that consensus
 * will go on from is written when the folder is made. A snapshot of all groups is begun by
 * itself when the log has grown by max(snapshot_log_bytes, size of the last snapshots) since
 * the last.
 */
#ifndef CARILLON_NODE_ENGINE_SINGLE_H
#define CARILLON_NODE_ENGINE_SINGLE_H

#include "log/log.h"
#include "log/snapshot.h"
#include "node/engine.h"

struct engine_options {
    const char *folder; /* DATA; made when it is not there. Borrowed while opening */
    uint32_t shards;    /* when the folder is new; else the folder's own number holds */
    uint64_t snapshot_log_bytes; /* default 256 MiB */
    struct log_options log;      /* folder, identity and groups are set here */
};

void engine_options_default(struct engine_options *ret_options);

struct engine_group {
    uint64_t first;
    uint64_t last;
    uint64_t applied;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    uint64_t snapshot_bytes;
    uint64_t snapshot_ms;
    bool is_wanted; /* a snapshot is due */
};

/* Private to engine_single but for its storage. */
struct engine_single {
    struct engine engine;
    struct io *io;
    struct engine_hooks hooks;
    struct log_identity identity;
    struct log log;
    struct io_file *lock;
    struct arena arena;
    struct engine_group *groups;
    uint32_t group_count;

    struct log_snapshot_writer writer;
    struct list snapshot_waits;
    uint32_t snapshot_group;      /* being written */
    uint64_t snapshot_log_bytes;  /* the configured threshold */
    uint64_t snapshot_mark_bytes; /* log bytes when the last round began */
    struct io_turn turn;
    bool is_snapshotting;
    bool is_step_due;
    bool is_last_step;
    bool is_round_full; /* the round was begun by the policy: all groups */
    bool is_closing;
    bool is_failed;
    bool is_log_closed;

    char folder[LOG_PATH_BYTES];
    char snapshots[LOG_PATH_BYTES];
    char text[LOG_TEXT_BYTES];
};

/* Open @options->folder, restore and replay through @hooks. Waits for the disk. The handle is
 * &single->engine.
 *
 * Errors:  ERR_LOCKED another process has it; ERR_DAMAGED, ERR_VERSION (engine_single_text()
 * names file and offset); ERR_IO; ERR_DISK_FULL; ERR_CONFIG unusable options; what a restore
 * hook returned. Nothing is open then.
 */
int engine_single_open(struct engine_single *single, struct io *io,
                       const struct engine_options *options,
                       const struct engine_hooks *hooks) CHECKED;

/* What went wrong, for people; "" when nothing did. Kept after a failed open. */
const char *engine_single_text(const struct engine_single *single);

/* The groups of the folder: shards + 1. */
uint32_t engine_single_groups(const struct engine_single *single);

#endif
