/* tests/lib/cluster_world.h -- a whole cluster of production nodes in one thread, in any
 * trouble: network, disks, clocks, processes and members, from one seed.
 *
 * Layer: tests
 *
 * Built on node_world: node 0 is its node, the others are its replicas; its clients speak with
 * nodes 0 and 1. A seed turns on some of the kinds of trouble and draws when they strike. After
 * every event the node that it went to is checked (cluster_world_check.c). In the end all
 * trouble ends, and everything that was asked must be answered soon.
 *
 * Known limit: a bit goes bad only where the log can tell that from a torn write
 * (docs/spec/log.md section 6): in older segments and in snapshots.
 */
#ifndef CARILLON_TESTS_LIB_CLUSTER_WORLD_H
#define CARILLON_TESTS_LIB_CLUSTER_WORLD_H

#include "tests/lib/node_world.h"

enum {
    CLUSTER_NODES_MAX = NODE_WORLD_REPLICAS_MAX + 1,
    CLUSTER_GROUPS_MAX = 9, /* the cluster's own and the shards */
    CLUSTER_TROUBLES_MAX = 16,
    CLUSTER_RUN_MS = 60000,  /* of trouble and healing together, at least */
    CLUSTER_HEAL_MS = 30000, /* until everything is answered, at most */
};

/* The kinds of trouble. */
enum cluster_fault {
    FAULT_WIRE_DELAYED,
    FAULT_WIRE_LOSSY,
    FAULT_WIRE_SLOW,
    FAULT_CUT_ONE_WAY, /* one node does not hear another */
    FAULT_CUT_PARTIAL, /* two do not hear each other, the others hear both */
    FAULT_CUT_NODE,    /* one from all others, clients included */
    FAULT_CUT_CLIENT,  /* a client from a node */
    FAULT_KILLED,      /* a process */
    FAULT_POWER,       /* a machine */
    FAULT_POWER_ALL,   /* all at once */
    FAULT_POWER_IN_IO, /* in the middle of a file call */
    FAULT_POWER_IN_START,
    FAULT_CLOSED, /* a process that ends in an orderly way */
    FAULT_PAUSED,
    FAULT_DISK_ERROR,
    FAULT_DISK_FULL,
    FAULT_DISK_SLOW,
    FAULT_DISK_ROT, /* a bit of what is durable */
    FAULT_CLOCK_JUMP,
    FAULT_CLOCK_DRIFT,
    FAULT_JOIN,     /* one more node */
    FAULT_REMOVE,   /* one less */
    FAULT_SNAPSHOT, /* asked for out of turn */
    FAULT_TRANSFER, /* the leader asks another to lead */
    FAULT_NR,
};

/* What must come of it in some seeds, or the trouble is harmless. */
enum cluster_mark {
    CLUSTER_LEADER_CHANGED = FAULT_NR,
    CLUSTER_TRUNCATED, /* entries of a leader that was none any more */
    CLUSTER_INSTALLED, /* a node began again from another's snapshot */
    CLUSTER_DAMAGE_FOUND,
    CLUSTER_FAILED,  /* a node gave up because of its disk */
    CLUSTER_UNREADY, /* a start that found no room, or an error */
    CLUSTER_MEMBERS_CHANGED,
    CLUSTER_UNKNOWN_SETTLED,
    CLUSTER_ASKED_AGAIN, /* what was answered already: the same must come */
    CLUSTER_MARK_NR,
};

extern const char *const cluster_world_names[CLUSTER_MARK_NR];

/* What is known of one member of a group, from its last event on. */
struct cluster_view {
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
    uint64_t last;
    uint64_t last_term;
    uint64_t *held; /* terms of its entries, by index */
    uint64_t held_cap;
    int role;
    uint64_t configuration;
};

/* An entry that some member holds or held. */
struct cluster_entry {
    uint64_t term;
    uint64_t prev_term;
    uint64_t hash;
    uint32_t next; /* of the same index; 0: none */
};

struct cluster_index {
    uint32_t entries;     /* in entry_pool, 0: none */
    uint64_t committed;   /* its term, 0: not */
    uint64_t commit_term; /* in which that was decided */
    uint64_t state;       /* the hash of the state behind it, 0: not known */
};

/* What must be true of a group, whoever is asked. */
struct cluster_group {
    struct cluster_index *indexes;
    uint64_t index_cap;
    struct cluster_entry *entries;
    uint32_t entry_count;
    uint64_t entry_cap;
    uint32_t *leaders; /* by term: node + 1 */
    uint64_t term_cap;
    uint64_t commit;
};

struct cluster_node {
    struct cluster_view views[CLUSTER_GROUPS_MAX];
    uint64_t start_ns; /* when it is started again; 0: it runs, or never will */
    uint64_t born_ns;  /* first start */
    bool is_watched;   /* its views are of the process that runs */
    bool is_removed;
    bool is_closing;  /* replicas */
    bool has_trouble; /* of its disk: a start may fail */
};

/* Something that ends by itself. */
struct cluster_trouble {
    uint64_t until_ns;
    enum cluster_fault fault;
    uint32_t node;
};

struct cluster_options {
    uint32_t nodes;      /* to begin with: 3 or 5 */
    uint32_t shards;     /* a power of two; 0: one */
    uint64_t *counts;    /* of CLUSTER_MARK_NR, counted up */
    uint64_t *sometimes; /* of SOMETIMES_NR */
    /* Hears what happens, for people; or NULL. @node: whom it is about, or UINT32_MAX. */
    void (*say)(void *context, uint64_t ms, uint32_t node, const char *text);
    void *context;
    bool is_verbose; /* requests and commits too */
};

struct cluster_world {
    struct node_world world;
    struct cluster_options options;
    struct cluster_node nodes[CLUSTER_NODES_MAX];
    struct cluster_group groups[CLUSTER_GROUPS_MAX];
    struct cluster_trouble troubles[CLUSTER_TROUBLES_MAX];
    uint32_t trouble_count;
    uint32_t node_count; /* that will ever be there */
    uint32_t group_count;
    uint32_t faults;     /* bits of enum cluster_fault */
    uint64_t pace_ms;    /* between strikes, at most */
    uint64_t op_pace_ms; /* between requests, at most */
    uint64_t next_op_ns;
    uint64_t next_strike_ns;
    uint64_t begin_ns;
    bool is_healing;
    bool is_recorded;
    bool has_installs; /* who lags finds the entries gone */
    struct witness_record record;
};

/* How many nodes the world of a seed begins with, unless somebody says otherwise. */
uint32_t cluster_world_nodes(uint64_t seed);

/* Live through the whole story of @seed. Returns: whether nothing was wrong;
 * cluster->world.violation says what was. The world stays to be looked at until fini. */
bool cluster_world_run(struct cluster_world *cluster, uint64_t seed,
                       const struct cluster_options *options);
void cluster_world_fini(struct cluster_world *cluster);

/* ---- between the files cluster_world*.c */

struct io *cluster_world__io(const struct cluster_world *cluster, uint32_t node);
struct node *cluster_world__node(const struct cluster_world *cluster, uint32_t node);
uint64_t cluster_world__now_ns(const struct cluster_world *cluster);

/* Count @mark, a fault or an outcome, and say so. */
void cluster_world__mark(struct cluster_world *cluster, uint32_t mark, uint32_t node);
void cluster_world__say(struct cluster_world *cluster, uint32_t node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One kind of the seed's trouble strikes; what has lasted its time ends; all of it ends. */
void cluster_world__strike(struct cluster_world *cluster);
void cluster_world__relieve(struct cluster_world *cluster);
void cluster_world__heal(struct cluster_world *cluster);

/* Before a start of @node: power may fail in it. */
void cluster_world__start_trouble(struct cluster_world *cluster, uint32_t node);

/* Node @node has had an event. */
void cluster_world__check(struct cluster_world *cluster, uint32_t node);

/* A request was answered. */
void cluster_world__check_told(struct cluster_world *cluster, const struct world_op *op);

/* The process of @node has ended, or begun: what was seen of it counts no more. */
void cluster_world__forget(struct cluster_world *cluster, uint32_t node);
void cluster_world__check_fini(struct cluster_world *cluster);

/* Its process ends here; it starts again after a while. */
void cluster_world__fell(struct cluster_world *cluster, uint32_t node);

#endif
