/* node/engine_raft.h -- the engine: every group is a member of a Raft group on the node's one log.
 *
 * Layer: node (base, io, log, raft)     Interface: node/engine.h
 * Spec: docs/spec/raft.md, docs/spec/log.md
 *
 * The data folder: identity, lock, log/, snapshots/. Opening it restores the snapshots and
 * replays the log before it returns; a group whose only voter this node is, is applied to its
 * end by then, the others go on from their snapshot when a leader tells what is committed. A
 * node alone leads its groups two writes after it was opened (hooks.role says so).
 *
 * Proposals gather during a turn and go into the log and to the other members together at its
 * end. A step of the core whose records find no room in the log is not taken: the message is
 * dropped, the proposal refused; the few small records that cannot be refused (votes, marks,
 * truncations) wait here for room.
 *
 * A snapshot of all groups is begun by itself when the log has grown by max(snapshot_log_bytes,
 * size of all snapshots) since the last time, and when the disk is full and it would free a
 * segment. One that finds no room is tried again after 5 seconds and then ever more rarely, up
 * to ten minutes apart.
 */
#ifndef CARILLON_NODE_ENGINE_RAFT_H
#define CARILLON_NODE_ENGINE_RAFT_H

#include "log/log.h"
#include "log/read.h"
#include "log/refill.h"
#include "log/snapshot.h"
#include "log/transfer.h"
#include "node/engine.h"
#include "raft/raft.h"

enum { ENGINE_PROPOSALS_MAX = 4096 }; /* gathered in a turn, of all groups */

struct engine_options {
    const char *folder; /* DATA; made when it is not there. Borrowed while opening */
    uint32_t shards;    /* when the folder is new; else the folder's own number holds */
    bool is_joined; /* of a new folder: groups begin without members, waiting to be added to
                       those of others; else what the folder says holds */
    enum engine_refill refill;
    uint64_t snapshot_log_bytes; /* default 256 MiB */
    struct raft_options raft;    /* of every group; id and seed are set here */
    struct log_options log;      /* folder, identity, groups and is_new are set here */
};

void engine_options_default(struct engine_options *ret_options);

/* A payload that waits for the end of the turn. */
struct engine_proposal {
    uint32_t at; /* in the gathered bytes */
    uint32_t len;
    uint32_t next; /* of the same group; UINT32_MAX: none */
};

/* A write of the core that is on its way to the disk: this many records more complete it. */
struct engine_write {
    uint64_t sequence;
    uint32_t group;
    uint32_t records;
};

/* Entries on their way back from the disk. */
struct engine_fetch {
    struct list node; /* in engine.fetches or .idle_fetches */
    struct engine_raft *engine;
    struct log_read read;
    raft_id peer;
    raft_term term;
};

/* A snapshot on its way to a member, chunk by chunk. */
struct engine_sending {
    struct list node; /* in engine.sendings */
    struct engine_raft *engine;
    struct log_send send;
    raft_id peer;
    raft_term term;
    bool is_busy;
};

/* A piece of work on a snapshot that comes in. */
struct engine_receiving {
    struct list node; /* in engine.receivings or .idle_receivings */
    struct engine_raft *engine;
    struct log_receive receive;
    struct io_timer timer; /* before a write that found no room is tried again */
    enum raft_request_kind kind;
    uint32_t group;
    raft_term term;
    raft_index index;
    uint64_t offset; /* behind what is written */
};

/* A record that found no room. */
struct engine_backlog {
    struct list node;
    struct log_record record; /* its payload follows */
};

struct engine_group {
    struct raft raft;
    uint64_t first; /* entry seen when opening; 0: none */
    uint64_t snapshot_bytes;
    uint64_t snapshot_ms;
    struct raft_snapshot frozen; /* where the snapshot being written stands */
    raft_index round_index; /* its snapshot when the last round of snapshots began */
    struct log_receiver receiver;
    uint64_t stored;             /* the core's newest durable write */
    uint32_t proposal_first;
    uint32_t proposal_last;
    uint32_t proposal_count;
    uint64_t proposal_bytes;
    struct list reads;       /* that came since the round under way was begun */
    struct list reads_asked; /* whose round is under way */
    bool is_wanted;          /* a snapshot is due */
    bool is_snapshot_useless; /* the file cannot be sent: also if nothing was applied since */
    bool is_gathered;        /* it stands in engine.gathered */
    bool is_dirty;           /* stored is news to the core */
    bool is_leading;         /* and has applied all that was committed before */
};

enum engine_writing {
    ENGINE_IDLE,
    ENGINE_STEPPING,  /* the next slice is due at the end of a turn */
    ENGINE_PUTTING,   /* the bulk lane has the chunk */
    ENGINE_FINISHING, /* the bulk lane makes the file durable */
    ENGINE_GIVING_UP, /* the bulk lane removes it */
};

/* Private to engine_raft but for its storage. */
struct engine_raft {
    struct engine engine;
    struct io *io;
    struct engine_hooks hooks;
    struct log_identity identity;
    struct log_refill refill;
    char folder[LOG_PATH_BYTES]; /* DATA */
    struct raft_options raft_options;
    raft_id id;
    struct log log;
    struct io_file *lock;
    struct arena arena;
    struct engine_group *groups;
    uint32_t group_count;
    struct raft_effects effects; /* of the step being performed */
    enum raft_outcome change_outcome;

    struct engine_proposal proposals[ENGINE_PROPOSALS_MAX];
    uint32_t proposal_count;
    uint32_t proposals_waiting; /* of them, not handed to a core yet */
    struct buf proposed;        /* their payloads */
    struct slice payloads[ENGINE_PROPOSALS_MAX]; /* of one group, for its core */
    uint32_t *gathered; /* groups with proposals or reads that wait for the turn's end */
    uint32_t gathered_count;
    struct io_turn gather_turn; /* before the log's */
    struct io_timer kick;       /* for who calls outside of a turn, or late in its end */

    struct engine_write *writes; /* a ring, in the order of the appends */
    uint32_t writes_cap;         /* a power of two */
    uint32_t writes_first;
    uint32_t writes_last;
    struct list backlog;
    struct list fetches;
    struct list idle_fetches;
    struct list sendings;
    struct list receivings;
    struct list idle_receivings;
    struct raft_entry *fetched; /* of the fetch that has just ended */
    uint32_t *dirty; /* groups with news from the disk */
    uint32_t dirty_count;
    struct io_timer clock;
    uint64_t clock_ms; /* when it fires; UINT64_MAX: it does not run */

    struct log_snapshot_writer writer;
    enum engine_writing writing;
    struct list waits;            /* for a snapshot that has not begun */
    struct list waits_served;     /* for the one being written */
    uint32_t snapshot_group;      /* being written */
    uint64_t snapshot_log_bytes;  /* the configured threshold */
    uint64_t snapshot_mark_bytes; /* log bytes when the last round began */
    uint64_t retry_ms; /* how long the last failure for want of room waits; 0: there was none */
    struct io_turn turn;
    struct io_timer retry; /* after a snapshot that found no room */
    bool is_resting;       /* pace runs */
    struct io_timer pace;  /* before a step is asked again that had nothing to add */
    bool is_last_step;
    bool is_superseded; /* the group being written began again from another's snapshot */
    bool is_retry_started;
    bool is_closing;
    bool is_log_closing;
    bool is_failed;

    char snapshots[LOG_PATH_BYTES];
    char text[LOG_TEXT_BYTES];
};

/* Open @options->folder, restore and replay through @hooks. Waits for the disk. The handle is
 * &engine->engine; the storage is kept until closed().
 *
 * Errors:  ERR_LOCKED another process has it; ERR_DAMAGED, ERR_VERSION (engine_raft_text()
 * names file and offset); ERR_IO; ERR_DISK_FULL; ERR_CONFIG unusable options; what a restore
 * hook returned. Nothing is open then. A log that is ERR_DAMAGED was set aside if that may be
 * (engine_raft_is_set_aside): opened once more, by nobody who remembers what hooks said of it,
 * the groups begin without anything and wait to be refilled.
 */
int engine_raft_open(struct engine_raft *engine, struct io *io,
                     const struct engine_options *options,
                     const struct engine_hooks *hooks) CHECKED;

/* Free everything without the disk, when the simulated process has died or the folder failed
 * before the loop began. No hook is called. */
void engine_raft_abandon(struct engine_raft *engine);

/* What went wrong, for people; "" when nothing did. Kept after a failed open. */
const char *engine_raft_text(const struct engine_raft *engine);

/* Whether a failed open has set a damaged log aside. */
static inline bool engine_raft_is_set_aside(const struct engine_raft *engine)
{
    return engine->refill.is_unmade;
}

/* Whether any group still waits to be refilled: none of its answers may be relied on. Looked at
 * now and then it writes down when that is over; waits for the disk that once. */
bool engine_raft_is_refilling(struct engine_raft *engine);

/* A message to this node's member of @group came in; what it points to is borrowed for the call.
 * Dropped while there is no room for what it brings. */
void engine_raft_receive(struct engine_raft *engine, uint32_t group,
                         const struct raft_message *message);

/* Make one change of who belongs to @group. It is in force at once and committed a little later
 * (engine_raft_configuration tells). Errors: ERR_NOT_LEADER; ERR_BUSY another change is not
 * committed yet, the member lags, or there is no room: later; ERR_ARGUMENT it makes no sense;
 * ERR_STOPPED. */
int engine_raft_change(struct engine_raft *engine, uint32_t group, enum raft_change_kind change,
                       raft_id member) CHECKED;

/* Have @member lead @group, if this node does and that one can. */
void engine_raft_transfer(struct engine_raft *engine, uint32_t group, raft_id member);

/* Who belongs to @group, as this node's log says; the newest change may not be committed. */
static inline const struct raft_configuration *
engine_raft_configuration(const struct engine_raft *engine, uint32_t group)
{
    return &engine->groups[group].raft.configuration;
}

/* Who leads @group as far as this node knows; 0: nobody. */
static inline raft_id engine_raft_leader(const struct engine_raft *engine, uint32_t group)
{
    return engine->groups[group].raft.leader;
}

/* The groups of the folder: shards + 1. */
static inline uint32_t engine_raft_groups(const struct engine_raft *engine)
{
    return engine->group_count;
}

/* Who the folder belongs to. */
static inline const struct log_identity *engine_raft_identity(const struct engine_raft *engine)
{
    return &engine->identity;
}

#endif
