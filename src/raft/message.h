/* raft/message.h -- what the members of a group say to one another, and what a log holds.
 *
 * Layer: raft (base, wire)     Spec: docs/spec/raft.md section 3, proto/raft.proto
 *
 * Messages may be lost, repeated, delayed and reordered; each says all that it relies on. What
 * a message points to is borrowed until the next step of the one who made it.
 */
#ifndef CARILLON_RAFT_MESSAGE_H
#define CARILLON_RAFT_MESSAGE_H

#include "base/buf.h"
#include "raft/configuration.h"

enum raft_entry_kind {
    RAFT_ENTRY_DATA = 1,      /* what was proposed */
    RAFT_ENTRY_NOOP,          /* what a new leader begins with; no payload */
    RAFT_ENTRY_CONFIGURATION, /* raft_configuration_encode() */
};

struct raft_entry {
    raft_term term;
    enum raft_entry_kind kind;
    struct slice payload;
    uint64_t sequence; /* of the write that makes it durable; the holder's own, never sent */
};

/* A state that may stand for all entries up to its index. */
struct raft_snapshot {
    raft_index index;                        /* 0: there is none */
    raft_term term;                          /* of the entry at index */
    struct raft_configuration configuration; /* the newest at or below index */
};

enum raft_message_type {
    RAFT_VOTE = 1,
    RAFT_VOTE_REPLY,
    RAFT_APPEND,
    RAFT_APPEND_REPLY,
    RAFT_SNAPSHOT,
    RAFT_SNAPSHOT_REPLY,
    RAFT_TIMEOUT_NOW,
    RAFT_MESSAGE_NR,
};

/* A candidate asks for a vote. A pre-vote asks whether the vote would be given in message.term,
 * which nobody has begun yet. */
struct raft_vote {
    raft_index last_index;
    raft_term last_term;
    bool is_pre;
    bool is_transfer; /* the leader itself asked for this election */
};

struct raft_vote_reply {
    bool is_pre;
    bool is_granted; /* then message.term is the term that was asked for */
};

/* The leader sends entries prev_index + 1 and on; without entries it is a heartbeat. */
struct raft_append {
    raft_index prev_index;
    raft_term prev_term;
    raft_index commit;
    uint64_t round; /* returned in the reply: which heartbeat it answers at the least */
    const struct raft_entry *entries;
    uint32_t count;
};

struct raft_append_reply {
    bool is_rejected;
    raft_index match;      /* proved by this term's leader and durable here */
    raft_index seen;       /* proved; not all of it durable */
    raft_index rejected;   /* rejection: the prev_index that does not fit */
    raft_index hint_index; /* rejection: the newest place that may fit, and its term */
    raft_term hint_term;
    uint64_t round;
};

struct raft_snapshot_chunk {
    const struct raft_snapshot *snapshot;
    uint64_t offset; /* of data in the snapshot's bytes */
    struct slice data;
    uint64_t round;
    bool is_last;
};

struct raft_snapshot_reply {
    raft_index index;
    raft_term snapshot_term;
    uint64_t offset; /* bytes that the receiver has: where to go on */
    uint64_t round;
    bool is_complete; /* the last byte was among them */
};

struct raft_message {
    enum raft_message_type type;
    raft_id from;
    raft_id to;
    raft_term term;
    uint64_t refill;   /* how often the sender has lost its log */
    uint64_t readmits; /* append: the receiver's refill that is complete */
    bool is_refilling; /* the sender neither votes nor counts */
    union {
        struct raft_vote vote;
        struct raft_vote_reply vote_reply;
        struct raft_append append;
        struct raft_append_reply append_reply;
        struct raft_snapshot_chunk snapshot;
        struct raft_snapshot_reply snapshot_reply;
    };
};

/* Append the bytes of @message to @out. Errors: ERR_FULL, nothing appended. */
int raft_message_encode(const struct raft_message *message, struct buf *out) CHECKED;

/* Where a decoded message keeps what it points to. */
struct raft_message_space {
    struct raft_entry *entries;
    uint32_t entries_max;
    struct raft_snapshot snapshot;
};

/* Read a message; payloads and data are borrowed from @bytes, the rest is in @space. Whether it
 * makes sense is judged where it is received.
 *
 * Errors: ERR_MALFORMED; ERR_TOO_LARGE more entries than there is space for.
 */
int raft_message_decode(struct slice bytes, struct raft_message_space *space,
                        struct raft_message *ret_message) CHECKED;

#endif
