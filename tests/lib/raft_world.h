/* tests/lib/raft_world.h -- a whole group of the production core in one thread: network, disks,
 * clocks, crashes and clients from one seed.
 *
 * Every event steps one member; its effects are performed with a chance of a crash between any
 * two of them; then everything the event touched is checked (raft_world_check.c). After the
 * faults everything heals, and what is pending must finish in bounded simulated time.
 */
#ifndef CARILLON_TESTS_RAFT_WORLD_H
#define CARILLON_TESTS_RAFT_WORLD_H

#include "base/rng.h"
#include "raft/raft.h"

enum {
    WORLD_NODES_MAX = 7,
    WORLD_INDEX_MAX = 4096,
    WORLD_TERMS_MAX = 4096,
    WORLD_APPEND_MAX = 8, /* entries of a message */
    WORLD_CHUNK_BYTES = 32,
    WORLD_SNAPSHOT_BYTES_MAX = 256,
    WORLD_READS_MAX = 256,
    WORLD_CONFIGURATIONS_MAX = 512,
    WORLD_ACTIONS = 10, /* bits of enum world_action */
};

/* Things that happened: faults, and moments that the search must reach. */
/* clang-format off */
#define WORLD_MARKS(X)                                                                         \
    X(LOST) X(DUPLICATED) X(DELAYED) X(CUT_NODE) X(CUT_ONE_WAY) X(CUT_HALVES)                  \
    X(CRASH_IDLE) X(CRASH_BEFORE_PERSIST) X(CRASH_BETWEEN_PERSISTS) X(CRASH_BEFORE_SEND)       \
    X(CRASH_BETWEEN_SENDS) X(CRASH_BEFORE_APPLY) X(CRASH_SNAPSHOT_DURABLE) X(CRASH_ALL)        \
    X(SUFFIX_LOST) X(SUFFIX_TORN) X(SLOW_DISK) X(DISK_FAILED) X(LEADER_DISK_FAILED)            \
    X(FROZEN) X(CLOCK_DRIFT) X(CLOCK_JUMP) X(RESTARTED)                                        \
    X(LEADER_ELECTED) X(LEADER_STEPPED_DOWN) X(LEADER_STALLED) X(LEADER_REMOVED)               \
    X(VOTE_REFUSED) X(PRE_VOTE_REFUSED) X(TRUNCATED) X(REJECTED) X(OLD_TERM_NOT_COUNTED)       \
    X(COMMITTED_WITHOUT_LEADERS_DISK) X(ACKED) X(PROPOSAL_REFUSED) X(PROPOSAL_BUSY)            \
    X(LEARNER_ADDED) X(PROMOTED) X(DEMOTED) X(REMOVED) X(CONFIGURATION_ROLLED_BACK)            \
    X(TRANSFER_ASKED) X(TRANSFERRED) X(TRANSFER_TIMED_OUT)                                     \
    X(READ_DONE) X(READ_REFUSED) X(READ_BEFORE_OWN_COMMIT)                                     \
    X(SNAPSHOT_TAKEN) X(SNAPSHOT_SENT) X(SNAPSHOT_INSTALLED) X(SNAPSHOT_RESUMED)               \
    X(SNAPSHOT_ABANDONED) X(INSTALLED_ACROSS_TERMS) X(LOG_REPAIRED) X(LOG_RECYCLED)            \
    X(FOLLOWER_FULL) X(READ_FROM_LOG) X(READ_FROM_LOG_TO_APPLY)               \
    X(RESTORED_APPLIED) X(DISK_LOST) X(LEADERS_DISK_LOST) X(REFILL_CRASHED) X(READMITTED)
/* clang-format on */

#define WORLD_MARK_ENUM(name) WORLD_##name,
enum world_mark { WORLD_MARKS(WORLD_MARK_ENUM) WORLD_MARK_NR };
#undef WORLD_MARK_ENUM

extern const char *const world_mark_names[WORLD_MARK_NR];

/* Each entry that any log ever held, once; (index, term) names it. */
struct world_entry {
    raft_index index;
    raft_term prev_term;
    struct raft_entry entry;
    struct world_entry *other; /* another of the same index */
};

struct world_record {
    enum raft_persist_kind kind;
    uint64_t sequence;
    raft_index index;
    raft_term term;
    raft_id vote;
    const struct world_entry *entry;
};

struct world_snapshot {
    struct raft_snapshot at;
    uint64_t hash; /* of the state there */
};

struct world_node {
    struct raft raft;
    bool is_up;
    uint32_t life;
    uint32_t timer; /* of its timer events only the newest counts */
    uint64_t timer_ms;
    int64_t skew_ms; /* of its clock */
    int32_t drift_ppm;
    uint64_t frozen_ms; /* nothing reaches it before */
    uint64_t disk_slow_ms;
    uint64_t disk_fail_in; /* batches; 0: not */

    /* the log on its disk */
    struct world_record *records;
    uint32_t record_count;
    uint32_t record_cap;
    uint32_t durable_count;
    uint32_t batch_end; /* records up to here are being written; 0: none */
    struct world_record hard_recycled;
    raft_index released;
    /* what a restart would find */
    raft_term hard_term;
    raft_id hard_vote;
    raft_index durable_last;
    const struct world_entry *durable[WORLD_INDEX_MAX]; /* by index, up to durable_last */
    struct world_snapshot snapshot;
    /* kept beside the log */
    uint64_t refill;
    bool is_refilling;
    /* one being received */
    struct world_snapshot receiving;
    uint32_t received;
    uint8_t receive_bytes[WORLD_SNAPSHOT_BYTES_MAX];
    bool is_taking;
    uint64_t bulk_ms; /* when its work beside the log is done */

    /* the state machine */
    raft_index applied;
    uint64_t hash;

    /* seen by the checks */
    raft_index commit;
    raft_index commit_before; /* the newest step */
    enum raft_role role;
    raft_term term;
    raft_index configurations[WORLD_CONFIGURATIONS_MAX]; /* entries in its log, rising */
    uint32_t configuration_count;
};

struct world_event;
struct world_packet;

struct world_faults {
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t delay_ppm;
    uint32_t delay_ms;
    uint32_t crash_ppm; /* between two effects */
    uint32_t action_ms; /* between actions; 0: none */
    uint32_t actions;   /* bits of enum world_action */
    uint32_t disk_ms;
    uint32_t drift_ppm;
    uint32_t client_ms;
    uint32_t snapshot_ms;
    bool has_disk_failures;
    uint32_t lost_ppm; /* disks that are empty after a crash */
};

struct world_read {
    uint64_t token;
    raft_index floor; /* acknowledged before it was asked */
};

struct world {
    struct rng rng;
    uint64_t seed;
    uint32_t nodes;  /* all */
    uint32_t voters; /* to begin with */
    struct world_node node[WORLD_NODES_MAX];
    bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* from, to */
    uint64_t now_ms;
    uint64_t end_ms; /* of the faults */
    struct world_faults faults;
    bool is_healed;
    bool is_traced;
    bool is_scripted; /* a test says what happens; nothing is drawn */
    struct raft_effects effects;
    struct raft_options options;

    struct world_event *events; /* a heap */
    uint32_t event_count;
    uint32_t event_cap;
    uint32_t event_sequence;
    struct world_packet *free_packets;
    struct arena arena; /* entries, packets */

    /* the truth */
    struct world_entry *entries[WORLD_INDEX_MAX];
    raft_id leaders[WORLD_TERMS_MAX];
    raft_index committed;
    const struct world_entry *commits[WORLD_INDEX_MAX];
    raft_term commit_terms[WORLD_INDEX_MAX]; /* in which they were committed */
    raft_index hashed;                       /* applied by anybody */
    uint64_t hashes[WORLD_INDEX_MAX];
    raft_index acked;
    struct world_read reads[WORLD_READS_MAX]; /* a ring by token */
    uint64_t tokens;
    uint64_t proposed;

    uint64_t steps;
    uint64_t steps_before; /* of earlier seeds */
    uint64_t trace;        /* hash of all that happened */
    uint64_t marks[WORLD_MARK_NR];
    char violation[400]; /* "" while all is well */
};

/* A world that can be used for many seeds, one after the other. */
struct world *world_create(void);
void world_destroy(struct world *world);

/* Begin @seed with @voters members (3 or 5; two more may join). All faults are drawn from the
 * seed. Marks are kept. */
void world_begin(struct world *world, uint64_t seed, uint32_t voters);

/* Begin a world in which nothing happens by itself: no time passes, messages and disks wait
 * until the test moves them (raft_story.h). */
void world_begin_scripted(struct world *world, const struct raft_options *options,
                          uint32_t voters);

/* Let disks be lost in crashes from now on, as many at a time as the others can do without; who
 * lost one is demoted, refilled and promoted again. Nobody else joins or leaves. */
void world_lose_disks(struct world *world);

/* The faults, the healing, and the wait for everything to finish. Returns: whether all held;
 * else world->violation says what did not. */
bool world_run(struct world *world);

/* ---- shared by the files of the world */

enum world_event_kind {
    WORLD_TIMER = 1,
    WORLD_PACKET,
    WORLD_DISK,
    WORLD_JOB,
    WORLD_RESTART,
    WORLD_CLIENT,
    WORLD_ACTION,
    WORLD_SNAPSHOT,
};

enum world_action {
    WORLD_ACT_CRASH = 1 << 0,
    WORLD_ACT_CRASH_ALL = 1 << 1,
    WORLD_ACT_CUT_NODE = 1 << 2,
    WORLD_ACT_CUT_ONE_WAY = 1 << 3,
    WORLD_ACT_CUT_HALVES = 1 << 4,
    WORLD_ACT_SLOW_DISK = 1 << 5,
    WORLD_ACT_FREEZE = 1 << 6,
    WORLD_ACT_CLOCK_JUMP = 1 << 7,
    WORLD_ACT_MEMBERSHIP = 1 << 8,
    WORLD_ACT_TRANSFER = 1 << 9,
};

enum world_job_kind {
    WORLD_READ_ENTRIES = 1,
    WORLD_READ_CHUNK,
    WORLD_WRITE_CHUNK,
    WORLD_INSTALL,
    WORLD_INSTALLED,
    WORLD_TAKE,
    WORLD_TAKEN,
};

/* A message on its way, or work of a disk beside the log. */
struct world_packet {
    struct world_packet *next;
    struct raft_message message;
    struct raft_entry entries[WORLD_APPEND_MAX];
    struct raft_snapshot snapshot;
    uint8_t data[WORLD_CHUNK_BYTES];
    enum world_job_kind job;
    struct raft_request request;
    struct world_snapshot taken;
    int status;
};

struct world_event {
    uint64_t at_ms;
    uint32_t sequence;
    enum world_event_kind kind;
    uint32_t node;
    uint32_t life; /* or the timer's number */
    struct world_packet *packet;
};

void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_mix(struct world *world, uint64_t a, uint64_t b, uint64_t c);

static inline void world_mark(struct world *world, enum world_mark mark)
{
    world->marks[mark]++;
}

void world_post(struct world *world, uint64_t delay_ms, enum world_event_kind kind,
                uint32_t node, uint32_t life, struct world_packet *packet);
struct world_packet *world_packet_take(struct world *world);
void world_packet_give(struct world *world, struct world_packet *packet);

/* What the clock of @node says. */
uint64_t world_clock(const struct world *world, uint32_t node);

/* Give @node an event and perform what it answers. */
void world_step(struct world *world, uint32_t node, const struct raft_event *event);
bool world_next(struct world *world); /* the next event; false: none or a violation */

/* raft_world_disk.c */
bool world_disk_append(struct world *world, uint32_t node, const struct raft_persist *persist);
void world_disk_kick(struct world *world, uint32_t node);
void world_disk_done(struct world *world, uint32_t node);
void world_disk_request(struct world *world, uint32_t node, const struct raft_request *request);
void world_disk_job(struct world *world, uint32_t node, struct world_packet *packet);
void world_snapshot_take(struct world *world, uint32_t node);
void world_crash(struct world *world, uint32_t node);
void world_restart(struct world *world, uint32_t node);
void world_node_reset(struct world *world, uint32_t node);

/* raft_world_refill.c */
void world_disk_empty(struct world *world, uint32_t node); /* of one that is down */
void world_disk_lose(struct world *world, uint32_t node);  /* by chance, before it restarts */
void world_refill_note(struct world *world, uint32_t node);
void world_refill_settle(struct world *world); /* what operators do in a node: demote, promote */
bool world_is_refilled(const struct world *world);

/* raft_world_net.c */
void world_send(struct world *world, const struct raft_message *message);
void world_deliver(struct world *world, uint32_t node, struct world_packet *packet);

/* raft_world_client.c */
void world_client(struct world *world);
void world_act(struct world *world);
void world_draw_faults(struct world *world);
void world_heal(struct world *world);
void world_reply(struct world *world, uint32_t node, const struct raft_reply *reply);
/* The member that leads the newest term, or world->nodes. */
uint32_t world_leader(const struct world *world);
uint64_t world_propose(struct world *world, uint32_t node, uint32_t count);
void world_read(struct world *world, uint32_t node);

/* raft_world_check.c */
void world_check_send(struct world *world, uint32_t node, const struct raft_message *message);
void world_check_persist(struct world *world, uint32_t node,
                         const struct raft_persist *persist);
void world_check_apply(struct world *world, uint32_t node, const struct raft_apply *apply);
void world_check_node(struct world *world, uint32_t node);          /* before its effects */
void world_check_configuration(struct world *world, uint32_t node); /* and after */
const struct world_entry *world_entry_find(const struct world *world, raft_index index,
                                           raft_term term);

#endif
