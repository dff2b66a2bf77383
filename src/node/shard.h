/* node/shard.h -- one shard of the cluster as this node holds it.
 *
 * Layer: node (base, io, wire, campus, enrol)
 *
 * A shard is a group of its own: its log, its leader, its state, and what waits for its
 * entries. The search index, connections and scratch memory are the node's, not a shard's.
 */
#ifndef CARILLON_NODE_SHARD_H
#define CARILLON_NODE_SHARD_H

#include "enrol/across.h"
#include "enrol/enrol.h"
#include "io/io.h"
#include "node/audit.h"
#include "node/conn.h"
#include "node/engine.h"

struct node;

/* Whom an entry's answer goes to. */
struct pending {
    struct conn_name conn;
    uint64_t id;
    uint64_t index;
    uint64_t since_ns;
    uint64_t deadline_ns;
    struct enrol_hint hint;
};

/* How old the shard's state may be. All times are this node's own. */
struct shard_stale {
    struct engine_read point; /* asked for while the shard is led here */
    bool is_asking;
    uint64_t asked_ns;    /* when the newest question was asked */
    bool is_answered;     /* and not yet applied so far */
    uint64_t answered_ns; /* when what was answered was asked */
    uint64_t answered_index;
    uint64_t known_ns;    /* whatever was answered to anybody before it is in the state; 0: unknown */
};

struct shard {
    struct node *node;
    uint32_t number; /* from 0; the group is one more */
    struct enrol *enrol;
    struct io_job indexing; /* the restored state's documents, on the log's lane, at start */
    uint32_t indexing_next; /* the document it comes to next; its own while it runs */
    bool is_indexed;        /* likewise: it came to the end */
    bool is_indexing;       /* not all are indexed yet, whether it runs or is paused */
    struct across *across; /* when it was led here, and there are others */
    uint64_t fact_proposed; /* the entry with the next fact; 0: none is on its way */
    struct audit *audit;
    uint64_t audit_from; /* entries up to here are in the audit trail */
    struct pending *pending; /* a ring of node.pending_max */
    uint64_t pending_first;
    uint64_t pending_last;
    uint64_t search_reserved; /* of node.search_reserved */
    uint32_t gathered_count; /* of node.gathered, those of this shard */
    uint64_t tick_ms;        /* wall time up to which the passing of time was logged */
    uint64_t import_heard_ns; /* when something of an import came last, or leading began */
    uint64_t applied;        /* index of the newest entry */
    uint64_t snapshot_index; /* the frozen one's, while a snapshot is written */
    uint64_t snapshot_audit; /* the newest in the audit trail then */
    struct shard_stale stale;
    bool is_leading;
};

#endif
