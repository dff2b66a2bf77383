/* tests/lib/node_world.h -- the whole production node on a simulated machine, clients on
 * others, and everything they asked with what they were told.
 *
 * Layer: tests
 *
 * Every request is an op with a key of its own. It ends as told (a yes or a no by rule, with
 * its place in the log), as never (a definite no: nothing happened and nothing will), or stays
 * unknown and is asked again with the same key. Nothing here asserts: the first thing that is
 * wrong becomes world->violation, so that the control, a disk whose sync lies, can be seen to
 * break it.
 */
#ifndef CARILLON_TESTS_LIB_NODE_WORLD_H
#define CARILLON_TESTS_LIB_NODE_WORLD_H

#include "base/arena.h"
#include "base/rng.h"
#include "client/carillon.h"
#include "io_sim/io_sim.h"
#include "node/node.h"
#include "proto/envelope.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/witness_record.h"

enum {
    NODE_WORLD_COURSES = 6,
    NODE_WORLD_COURSES_MAX = 16, /* of a student, from the first WORLD_LIMITS on */
    NODE_WORLD_STUDENTS = 16,
    NODE_WORLD_OPS_MAX = 8192,
    NODE_WORLD_REPLICAS_MAX = 5,
    NODE_WORLD_CLIENTS = 2,
    NODE_WORLD_WAVES_MAX = 12,
    NODE_WORLD_WAVE_COURSES = 4,
    NODE_WORLD_CALL_MS = 60000,
};

/* What must happen in some seeds, or the campaign tests less than it says. */
enum node_world_sometimes {
    SOMETIMES_CUT_IN_SNAPSHOT,
    SOMETIMES_CUT_IN_RECYCLE,
    SOMETIMES_CUT_IN_RECOVERY,
    SOMETIMES_CUT_IN_BATCH,
    SOMETIMES_CUT_IN_AUDIT,
    SOMETIMES_CUT_IN_IMPORT,
    SOMETIMES_CUT_WHILE_FULL,
    SOMETIMES_KILL_IN_BATCH,
    SOMETIMES_KILL_IN_SNAPSHOT,
    SOMETIMES_FAILED,          /* the node gave up because of its disk */
    SOMETIMES_FAILED_IN_BATCH, /* with requests waiting */
    SOMETIMES_FULL_REFUSED,
    SOMETIMES_FULL_WAITING, /* with requests waiting for their answer */
    SOMETIMES_RESTORED,     /* started from a snapshot */
    SOMETIMES_RECYCLED,     /* a segment left the log */
    SOMETIMES_IMPORT_COMMITTED,
    SOMETIMES_IMPORT_GIVEN_UP,
    SOMETIMES_UNKNOWN_HAPPENED,
    SOMETIMES_UNKNOWN_NEVER_HAPPENED,
    SOMETIMES_PROMOTED,
    SOMETIMES_RESET,
    SOMETIMES_NR,
};

extern const char *const node_world_sometimes_names[SOMETIMES_NR];

enum world_op_kind {
    WORLD_ADD,
    WORLD_DROP,
    WORLD_SWAP,
    WORLD_WAIT,
    WORLD_CAP,
    WORLD_LIMITS,
    WORLD_IMPORT_BEGIN,
    WORLD_IMPORT_CHUNK,
    WORLD_IMPORT_COMMIT,
};

enum world_op_state {
    WORLD_OP_ASKED,
    WORLD_OP_UNKNOWN,
    WORLD_OP_TOLD,
    WORLD_OP_NEVER,
};

struct world_op {
    struct node_world *world;
    struct carillon_key key;
    uint64_t call; /* of the record, while it is asked */
    uint32_t client; /* who asked last */
    enum world_op_kind kind;
    enum world_op_state state;
    bool was_unknown;
    bool is_asked; /* and not answered yet, whatever it was told before */
    uint32_t student; /* 1.. */
    uint32_t add;     /* course, 1.. */
    uint32_t drop;
    uint32_t capacity; /* CAP */
    uint32_t wave;     /* imports */
    uint32_t sequence; /* CHUNK */
    int status;        /* told */
    uint64_t index;    /* of the receipt */
    uint64_t hash;     /* of the reply's bytes */
    uint32_t change;   /* of the last op of the request, enum ChangeKind */
    uint32_t refusal;  /* the first one, enum RefusalKind */
};

enum world_wave_state { WAVE_OPEN, WAVE_COMMITTING, WAVE_COMMITTED, WAVE_OVER };

/* An import: number 0 brings the catalogue, 1 the students, later ones more courses. */
struct world_wave {
    struct carillon_key id;
    enum world_wave_state state;
};

/* Another node of the cluster: its process comes and goes by itself. */
struct world_replica {
    struct io *io;
    struct node_config config;
    struct node *node; /* NULL: not running */
    bool is_closed;
};

struct node_world {
    struct io_sim *sim;
    struct io *io; /* the node's machine */
    struct io *client_io[NODE_WORLD_CLIENTS];
    struct carillon_client *clients[NODE_WORLD_CLIENTS];
    uint32_t destroyed;
    struct node_config config;
    struct node *node; /* NULL: not running */
    struct world_replica replicas[NODE_WORLD_REPLICAS_MAX];
    uint32_t replica_count;
    uint32_t replicas_late; /* of them, the last ones: not started with the others */
    const char *doors[NODE_WORLD_CLIENTS]; /* whom a client asks; NULL: the node */
    void (*watch)(struct node_world *world); /* called after every event; or NULL */
    void (*told)(const struct world_op *op); /* called after every first answer; or NULL */
    struct buf text;
    struct rng rng;
    struct arena scratch; /* of an answer being read */
    struct arena looked;  /* of the last node_world_call */
    uint64_t failed_ns;
    bool is_failed;
    bool is_log_failed; /* what failed is the log, not the audit trail alone */
    bool is_closing;
    bool is_closed;
    bool retry_never;
    bool is_short; /* the test has taken room from the disk */
    struct world_op *ops;
    uint32_t op_count;
    uint32_t asked; /* without an answer now */
    uint32_t refused_full;
    struct world_wave waves[NODE_WORLD_WAVES_MAX];
    uint32_t wave_count;
    uint64_t opens;                /* starts tried */
    struct witness_record *record; /* of what is asked and told; NULL: none is kept */
    uint64_t *sometimes;           /* of SOMETIMES_NR, over all worlds */
    char violation[512]; /* "" while all is well */
};

/* A world with an empty disk, nothing running. @sometimes is counted up. */
void node_world_init(struct node_world *world, uint64_t seed,
                     const struct io_sim_options *options, uint64_t *sometimes);
void node_world_fini(struct node_world *world);

/* Before the first start: the node founds a cluster of @count more nodes. */
void node_world_replicas(struct node_world *world, uint32_t count);

/* Kill the process of a replica; start it again. node_world_replica_open() says what came of
 * it, with the reason in world->text. */
void node_world_replica_kill(struct node_world *world, uint32_t replica);
void node_world_replica_up(struct node_world *world, uint32_t replica);
int node_world_replica_open(struct node_world *world, uint32_t replica) CHECKED;

/* Kill it and damage the beginning of its log; its next start has to set that aside. */
void node_world_replica_damage(struct node_world *world, uint32_t replica);

/* Its power fails: what was not synced is lost. */
void node_world_replica_cut(struct node_world *world, uint32_t replica);

/* All who run get to know one another; done by every start. */
void node_world__introduce(struct node_world *world);

/* The node has started for the first time: now the others may. */
void node_world__replicas_begin(struct node_world *world);

/* Run until every running node is a voter of every group. Returns: whether they are. */
bool node_world_gather(struct node_world *world);

/* Note what is wrong, if it is the first. */
void node_world_violate(struct node_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Start the node. Errors: as node_open; what a failed start left is gone on return. */
int node_world_open(struct node_world *world) CHECKED;

/* Power off, or kill the process, and free what it had; the machine comes up again with
 * node_world_up(). node_world_fallen() does the freeing alone, after io_sim_crash_at struck. */
void node_world_cut(struct node_world *world);
void node_world_kill(struct node_world *world);
void node_world_fallen(struct node_world *world);
void node_world_up(struct node_world *world);

/* Close the node in an orderly way, and wait for it; or let it happen meanwhile. */
void node_world_close(struct node_world *world);
void node_world_close_begin(struct node_world *world);

/* Whether the process is there and its disk has not failed. */
bool node_world_is_well(const struct node_world *world);

/* Deliver one event; a node that failed is closed. Returns: false when nothing is left. */
bool node_world_step(struct node_world *world);
void node_world_run_ms(struct node_world *world, uint64_t ms);

/* ---- asking (node_world_ops.c) */

struct carillon_client *node_world_client(struct node_world *world);

/* A new op of @kind; its further fields are the caller's to fill before node_world_ask(). */
struct world_op *node_world_op(struct node_world *world, enum world_op_kind kind);

/* Send it, again with the same key if it was sent before. */
void node_world_ask(struct world_op *op);

/* A random op of a student or registrar, asked. */
void node_world_ask_random(struct node_world *world);

/* Begin the next import; its steps follow by themselves, each when the one before was answered.
 */
void node_world_import(struct node_world *world);

/* Ask again what is unknown until nothing is. The node must be well. */
void node_world_settle(struct node_world *world);

/* ---- for the witness (node_world_record.c) */

/* Keep a record from now on, when nothing was asked yet. */
void node_world_record(struct node_world *world, struct witness_record *record);

/* Ask for a random roster, schedule or outcome; the answer goes to the record only. */
void node_world_look_random(struct node_world *world);

/* Read every roster and schedule, then let the witness check the record. What it does not
 * believe is kept as NAME.history in the folder that CARILLON_KEEP names. */
void node_world_check_record(struct node_world *world, const char *name);

/* ---- looking (node_world_check.c) */

/* One call, waited for. @type is the reply's; @ret_reply lives until the next call, NULL when
 * there is none. Returns: its status. */
int node_world_call(struct node_world *world, uint32_t method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *type, void *ret_reply);

/* Compare everything that was told with what the node holds: registrations, waitlists,
 * catalogue, search, audit trail, answers by key, verify. Nothing may be unknown. */
void node_world_check(struct node_world *world);

/* Reads are served and show no import before its end. */
void node_world_check_reads(struct node_world *world);

/* Read the whole audit trail: every entry once, in order, with what was told of it. */
void node_world_check_audit(struct node_world *world);

/* What the ops told must be, in the order of the log (node_world_model.c). */
void node_world_check_model(struct node_world *world, const Carillon__Receipt *as_of);

/* Whether another node that runs has applied the request with that key. */
bool node_world__is_answered_elsewhere(const struct node_world *world,
                                       const struct carillon_key *key);

/* The names of things. */
void node_world_course(uint32_t course, char out[24]);
void node_world_wave_course(uint32_t wave, uint32_t course, char out[24]);
void node_world_student(uint32_t student, char out[24]);

/* In a cluster of several shards that has come to rest: rosters and schedules say the same, and
 * nothing is on its way between shards. By the states of world->node. */
void node_world_check_shards(struct node_world *world);

#endif
