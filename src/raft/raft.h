/* raft/raft.h -- leader election and replication of one group: an event in, effects out.
 *
 * Layer: raft (base)     Spec: docs/spec/raft.md
 *
 * The core knows no clock, disk, network or random source: time comes with each event, random
 * numbers from a generator seeded at init, and what shall happen in the world is returned as
 * effects. Whoever drives it performs them list by list, in this order:
 *
 *   persists  append these records to the log, in order; say RAFT_STORED when they are on disk
 *   requests  work for the snapshot file and reads of the log; each is answered by an event
 *   sends     may go at once: nothing is sent before what it relies on is on disk
 *   applies   committed entries, or a snapshot to restore from
 *   replies   what became of proposals, reads and changes
 *
 * What effects point to is borrowed until the next step.
 */
#ifndef CARILLON_RAFT_RAFT_H
#define CARILLON_RAFT_RAFT_H

#include "base/arena.h"
#include "base/rng.h"
#include "raft/log.h"
#include "raft/message.h"

enum {
    RAFT_INFLIGHT_MAX = 8, /* appends on their way to one follower; the options may say less */
    RAFT_READS_MAX = 64,
    RAFT_PERSISTS_MAX = 8,
    RAFT_SENDS_MAX = RAFT_MEMBERS_MAX * (RAFT_INFLIGHT_MAX + 3),
    RAFT_REQUESTS_MAX = RAFT_MEMBERS_MAX + 8,
    RAFT_APPLIES_MAX = 4,
    RAFT_REPLIES_MAX = RAFT_READS_MAX + 8,
};

/* ---- effects */

/* Records of the log: docs/spec/raft.md section 5 says which. */
enum raft_persist_kind {
    RAFT_PERSIST_HARD = 1, /* term, vote */
    RAFT_PERSIST_TRUNCATE, /* the entries from index on are void */
    RAFT_PERSIST_ENTRIES,  /* count entries, the first at index */
    RAFT_PERSIST_MARK,     /* a durable snapshot stands at (index, term) */
};

struct raft_persist {
    enum raft_persist_kind kind;
    uint64_t sequence; /* rises by one; RAFT_STORED names the newest that is durable */
    raft_index index;
    raft_term term;
    raft_id vote;
    const struct raft_entry *entries;
    uint32_t count;
};

enum raft_request_kind {
    RAFT_READ_ENTRIES =
        1,              /* from the log, index and on, at most count entries and a message's
                           bytes; answered by RAFT_ENTRIES_READ with the same peer and term */
    RAFT_READ_CHUNK,    /* of the current snapshot; answered by RAFT_CHUNK_READ */
    RAFT_WRITE_CHUNK,   /* of one being received; offset 0 begins it anew; answered by
                           RAFT_CHUNK_WRITTEN */
    RAFT_INSTALL,       /* the one being received is whole: check it, make it durable and the
                           current one; answered by RAFT_INSTALLED */
    RAFT_ABANDON,       /* forget the one being received */
    RAFT_WANT_SNAPSHOT, /* take one soon, RAFT_TAKEN follows */
    RAFT_RELEASE,       /* the log may drop entries up to index */
};

struct raft_request {
    enum raft_request_kind kind;
    raft_id peer; /* 0: for the own state machine */
    raft_term term;
    raft_index index; /* first entry; or the snapshot's index */
    uint32_t count;
    uint64_t offset;
    struct slice data;
    const struct raft_snapshot *snapshot;
};

/* Either entries, count of them from index on, or a snapshot to begin again from. */
struct raft_apply {
    raft_index index;
    const struct raft_entry *entries;
    uint32_t count;
    const struct raft_snapshot *snapshot; /* NULL: entries */
};

enum raft_outcome {
    RAFT_DONE = 1,
    RAFT_NOT_LEADER, /* ask the one that leader names, 0 if unknown */
    RAFT_BUSY,       /* a limit, a change or a transfer is in the way: later */
    RAFT_INVALID,    /* makes no sense in the configuration as it is */
    RAFT_TIMED_OUT,
    RAFT_LOST, /* leadership ended before it was known: the outcome is unknown */
};

enum raft_reply_kind {
    RAFT_REPLY_PROPOSED = 1, /* DONE: the entries stand at index.. in term; apply decides */
    RAFT_REPLY_READ,         /* DONE: applied far enough for a linearizable read */
    RAFT_REPLY_CHANGED,      /* DONE: proposed at index; apply decides */
    RAFT_REPLY_TRANSFERRED,
    RAFT_REPLY_ROLE,    /* role, term or leader is another than before */
    RAFT_REPLY_STOPPED, /* the disk failed or the log contradicts the leader's: stop the node */
};

struct raft_reply {
    enum raft_reply_kind kind;
    enum raft_outcome outcome;
    uint64_t token;
    raft_index index;
    raft_term term;
    raft_id leader;
    const char *text; /* STOPPED: why */
};

struct raft_effects {
    uint32_t persist_count;
    uint32_t request_count;
    uint32_t send_count;
    uint32_t apply_count;
    uint32_t reply_count;
    struct raft_persist persists[RAFT_PERSISTS_MAX];
    struct raft_request requests[RAFT_REQUESTS_MAX];
    struct raft_message sends[RAFT_SENDS_MAX];
    struct raft_apply applies[RAFT_APPLIES_MAX];
    struct raft_reply replies[RAFT_REPLIES_MAX];
};

/* ---- events */

enum raft_event_kind {
    RAFT_TICK = 1,       /* raft_deadline_ms() has passed; more often does no harm */
    RAFT_RECEIVED,       /* message */
    RAFT_STORED,         /* sequence */
    RAFT_PROPOSED,       /* payloads, count, token */
    RAFT_READ_ASKED,     /* token */
    RAFT_CHANGE_ASKED,   /* change, peer, token */
    RAFT_TRANSFER_ASKED, /* peer, token */
    RAFT_ENTRIES_READ, /* peer, term, index, entries, count (0: they are not there any more) */
    RAFT_CHUNK_READ, /* peer, term, index, offset, data, is_last; status: not there any more */
    RAFT_CHUNK_WRITTEN, /* index, offset behind it */
    RAFT_INSTALLED,     /* index; status: the bytes do not check */
    RAFT_TAKEN,         /* snapshot: a durable one of the own state */
    RAFT_LET_GO,        /* index: entries up to there are kept for nobody any more */
    RAFT_DISK_FAILED,   /* text */
    RAFT_EVENT_NR,
};

struct raft_event {
    enum raft_event_kind kind;
    uint64_t token;
    uint64_t sequence;
    raft_id peer;
    raft_term term;
    raft_index index;
    uint64_t offset;
    enum raft_change_kind change;
    int status;
    bool is_last;
    bool is_without_room; /* received: no entry can be written now */
    uint32_t count;
    const struct slice *payloads;
    const struct raft_entry *entries;
    struct slice data;
    const struct raft_message *message;
    const struct raft_snapshot *snapshot;
    const char *text;
};

/* ---- the member */

struct raft_options {
    raft_id id;
    uint64_t seed;   /* of the election timeouts */
    uint64_t refill; /* how often this member has lost its log, or doubts it; kept outside it */
    bool is_refilling; /* it has, and raft_is_refilling() has not been false since */
    uint32_t
        election_ms; /* a follower waits this long, at most twice as long, for its leader */
    uint32_t heartbeat_ms;
    uint32_t stall_ms; /* a leader whose disk has been busy with one write so long steps down */
    uint32_t inflight_max;       /* appends to one follower */
    uint32_t append_entries_max; /* of one message */
    uint32_t append_bytes_max;   /* of one message's payloads; a longer entry goes alone */
    uint32_t uncommitted_max;    /* entries; beyond it proposals are refused */
    uint32_t tail_entries_max;   /* in memory */
    uint64_t tail_bytes_max;     /* in memory, payloads */
    uint64_t tail_kept_bytes;    /* in memory, of payloads that all members are known to have */
    uint32_t runs_max;           /* changes of term between base and end of the log */
    uint32_t trailing_max;       /* entries kept behind a snapshot for followers that lag, until
                                    RAFT_LET_GO */
    uint32_t read_entries_max;   /* of one READ_ENTRIES for the own state machine */
};

/* The defaults; id and seed are left to the caller. */
void raft_options_default(struct raft_options *ret_options);

enum raft_role {
    RAFT_FOLLOWER = 1, /* learners too */
    RAFT_PRE_CANDIDATE,
    RAFT_CANDIDATE,
    RAFT_LEADER,
    RAFT_STOPPED, /* for good: the node must end */
};

enum raft_progress_mode {
    RAFT_PROBE = 1, /* where the logs meet is not known: one append at a time */
    RAFT_PIPELINE,  /* known: up to inflight_max appends without waiting */
    RAFT_CATCH_UP,  /* by snapshot, one chunk at a time */
};

/* What a candidate or leader knows of one member. */
struct raft_progress {
    raft_id id;
    enum raft_progress_mode mode;
    raft_index match; /* proved durable there in this term */
    raft_index next;  /* to send */
    uint64_t heard_ms;
    uint64_t sent_ms;
    uint64_t round;                         /* the newest that it answered */
    raft_index inflight[RAFT_INFLIGHT_MAX]; /* last entries of appends, a ring */
    uint32_t inflight_start;
    uint32_t inflight_count;
    raft_index snapshot_index;
    uint64_t snapshot_offset; /* acknowledged */
    uint64_t refill;          /* the newest it spoke of */
    raft_index readmit_at; /* once it has this entry, and that is committed; 0: not yet known */
    bool is_refilling;     /* it neither votes nor counts */
    bool is_readmitted;    /* it is told so with each append until it says so itself */
    bool is_probe_sent;
    bool is_reading;    /* entries or a chunk are being read for it */
    bool is_chunk_sent; /* and not acknowledged */
    bool is_due;        /* a heartbeat is */
    bool is_granted;    /* it gave its vote */
};

struct raft_read {
    uint64_t token;
    raft_index index; /* 0: nothing of the own term is committed yet */
    uint64_t round;   /* a majority must have answered it */
};

/* A snapshot on its way in. */
struct raft_receipt {
    struct raft_snapshot snapshot;
    raft_id from;
    raft_term term;       /* of the leader that sends it */
    uint64_t offset;      /* bytes that are written */
    uint64_t offset_next; /* once what is being written is */
    bool is_active;
    bool is_writing;
    bool is_last;       /* what is being written is the end */
    bool is_installing; /* the disk is making it the current one */
};

/* Private to src/raft but for its storage; read by tests. */
struct raft {
    struct raft_options options;
    struct arena arena;
    struct rng rng;
    struct raft_effects *out; /* during a step */
    uint64_t now_ms;

    /* on disk, or on its way there */
    raft_term term;
    raft_id vote;
    struct raft_log log;
    struct raft_snapshot snapshot;
    uint64_t sequence;      /* of the newest write */
    uint64_t stored;        /* of the newest durable write */
    uint64_t hard_sequence; /* of the newest hard state */
    uint64_t mark_sequence; /* of the newest snapshot mark */
    bool is_release_due;    /* when that is durable */
    uint64_t waiting_ms;    /* since when the oldest open write waits */

    /* configurations: the newest in the log, the one before, the one at applied */
    struct raft_configuration configuration;
    struct raft_configuration configuration_before;
    struct raft_configuration configuration_applied;

    enum raft_role role;
    raft_id leader;
    raft_index commit;
    raft_index applied;
    bool is_connected;    /* restoring: the next entry would follow the snapshot */
    bool is_repair_due;   /* the log says too little about the snapshot */
    bool is_leftover;     /* restoring: entries were passed over that the log still holds */
    raft_index mark;      /* restoring: the newest that was read */
    bool is_applying;     /* entries are being read for it */
    bool is_refilling;    /* neither votes, nor campaigns, nor counts: docs/spec/raft.md 12 */
    uint64_t election_ms; /* when the wait for a leader ends */
    uint64_t heard_ms;    /* from the leader */

    /* follower */
    raft_index verified; /* equal to the leader's log up to here, proved in this term */
    raft_id vote_reply_to;
    bool is_full;         /* entries were left out for want of room */
    bool is_without_room; /* of the message at hand: there is none on the disk */
    bool is_ack_due;
    bool is_reject_due;
    struct raft_message reject;
    struct raft_receipt receipt;
    uint64_t round; /* leader: the newest begun; follower: the newest heard */

    /* candidate and leader; by place in the configuration */
    struct raft_progress progress[RAFT_MEMBERS_MAX];
    bool is_vote_asked;
    bool is_transfer_election;
    uint64_t heartbeat_ms; /* when the next is due */
    uint64_t round_confirmed;
    raft_id transfer_to;
    uint64_t transfer_token;
    uint64_t transfer_ms; /* when it is given up */
    bool is_transfer_sent;
    struct raft_read reads[RAFT_READS_MAX];
    uint32_t read_count;
};

/* A member with an empty log behind @snapshot, whose configuration holds when the log has none
 * (index 0: what the group begins with; without members it waits to be added). Then
 * raft_restore() for each durable record of the group, in order, and raft_start().
 *
 * Owns: copies all; memory from an arena within a budget that follows from the options, until
 * raft_fini().
 */
void raft_init(struct raft *raft, const struct raft_options *options,
               const struct raft_snapshot *snapshot);
void raft_fini(struct raft *raft);

/* One durable record: a hard state, a truncation, a mark, or entries. Errors: ERR_DAMAGED the
 * records do not follow on one another. */
int raft_restore(struct raft *raft, const struct raft_persist *record) CHECKED;

/* The same for an entry that the caller has applied because it knows it to be committed: it is
 * durable, and raft_is_alone(). Everything before it was applied as well. Errors: as above. */
int raft_restore_applied(struct raft *raft, raft_index index,
                         const struct raft_entry *entry) CHECKED;

/* Whether @entry, the next one of a restored log, is committed by being there: nobody else has a
 * vote, nor has with it, and everything before it was applied. */
bool raft_is_alone(const struct raft *raft, const struct raft_entry *entry);

void raft_start(struct raft *raft, uint64_t now_ms);

/* Whether a member that lost its log is still being refilled, or what ends that is not on disk.
 * False means for good: whoever drives it may forget options.is_refilling, not options.refill.
 */
bool raft_is_refilling(const struct raft *raft);

/* Whether @id, as far as this leader knows, is being refilled: as a voter it should be demoted,
 * as a learner it cannot be promoted yet. */
bool raft_is_refilled_by(const struct raft *raft, raft_id id);

/* One event. @ret_effects is the caller's storage and may serve many groups, one after another.
 */
void raft_step(struct raft *raft, const struct raft_event *event, uint64_t now_ms,
               struct raft_effects *ret_effects);

/* What RAFT_PROPOSED with @count payloads of @bytes in all would be answered now: RAFT_DONE,
 * RAFT_NOT_LEADER or RAFT_BUSY. (A single payload may be too long for all times.) */
enum raft_outcome raft_may_propose(const struct raft *raft, uint32_t count, uint64_t bytes);

/* When the next RAFT_TICK is due; UINT64_MAX: not before another event. */
uint64_t raft_deadline_ms(const struct raft *raft);

/* Where a snapshot taken now would stand: applied, with the configuration there. To be kept
 * with the state that is frozen at the same moment. */
void raft_snapshot_point(const struct raft *raft, struct raft_snapshot *ret_snapshot);

#endif
