/* node/engine_single.h -- the engine of a cluster of one node: what is durable here is
 * committed.
 *
 * Layer: node (base, io, log)     Interface: node/engine.h     Spec: docs/spec/log.md
 *
 * The data folder: identity, lock, log/, snapshots/. Opening it restores the snapshots and
 * replays the log before it returns. All groups live in term 1; the hard state that consensus
 * will go on from is in the log. A snapshot of all groups is begun by itself when the log has
 * grown by max(snapshot_log_bytes, size of all snapshots) since the last time, and when the
 * disk is full and it would free a segment. One that finds no room is tried again after 5
 * seconds and then ever more rarely, up to ten minutes apart.
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
    struct log_options log;      /* folder, identity, groups and is_new are set here */
};

void engine_options_default(struct engine_options *ret_options);

struct engine_group {
    uint64_t first; /* entry seen when opening; 0: none */
    uint64_t last;
    uint64_t applied;
    uint64_t snapshot_index;
    uint64_t snapshot_bytes;
    uint64_t snapshot_ms;
    bool is_wanted; /* a snapshot is due */
};

enum engine_writing {
    ENGINE_IDLE,
    ENGINE_STEPPING,  /* the next slice is due at the end of a turn */
    ENGINE_PUTTING,   /* the bulk lane has the chunk */
    ENGINE_FINISHING, /* the bulk lane makes the file durable */
    ENGINE_GIVING_UP, /* the bulk lane removes it */
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
    enum engine_writing writing;
    struct list waits;        /* for a snapshot that has not begun */
    struct list waits_served; /* for the one being written */
    uint64_t marks_left_out;
    uint32_t snapshot_group;      /* being written */
    uint64_t snapshot_log_bytes;  /* the configured threshold */
    uint64_t snapshot_mark_bytes; /* log bytes when the last round began */
    uint64_t retry_ms; /* how long the last failure for want of room waits; 0: there was none */
    struct io_turn turn;
    struct io_timer retry; /* after a snapshot that found no room */
    bool is_resting;       /* pace runs */
    struct io_timer pace;  /* before a step is asked again that had nothing to add */
    bool is_last_step;
    bool is_retry_started;
    bool is_closing;
    bool is_log_closing;
    bool is_failed;

    char snapshots[LOG_PATH_BYTES];
    char text[LOG_TEXT_BYTES];
};

/* Open @options->folder, restore and replay through @hooks. Waits for the disk. The handle is
 * &single->engine; the storage is kept until closed().
 *
 * Errors:  ERR_LOCKED another process has it; ERR_DAMAGED, ERR_VERSION (engine_single_text()
 * names file and offset); ERR_IO; ERR_DISK_FULL; ERR_CONFIG unusable options; what a restore
 * hook returned. Nothing is open then.
 */
int engine_single_open(struct engine_single *single, struct io *io,
                       const struct engine_options *options,
                       const struct engine_hooks *hooks) CHECKED;

/* Free everything without the disk, when the simulated process has died or the folder failed
 * before the loop began. No hook is called. */
void engine_single_abandon(struct engine_single *single);

/* What went wrong, for people; "" when nothing did. Kept after a failed open. */
const char *engine_single_text(const struct engine_single *single);

/* The groups of the folder: shards + 1. */
static inline uint32_t engine_single_groups(const struct engine_single *single)
{
    return single->group_count;
}

/* Who the folder belongs to. */
static inline const struct log_identity *
engine_single_identity(const struct engine_single *single)
{
    return &single->identity;
}

#endif
