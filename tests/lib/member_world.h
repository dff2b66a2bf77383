/* tests/lib/member_world.h -- a whole cluster of the production membership core in one thread:
 * network, clocks, pauses, crashes and committed membership from one seed.
 *
 * Every event steps one node; then everything the event touched is checked
 * (member_world_check.c). After the faults everything heals, and everybody must see everybody
 * alive in bounded simulated time.
 */
#ifndef CARILLON_TESTS_MEMBER_WORLD_H
#define CARILLON_TESTS_MEMBER_WORLD_H

#include "base/rng.h"
#include "member/member.h"

enum {
    MEMBER_WORLD_NODES_MAX = 32,
    MEMBER_WORLD_LOG_MAX = 256, /* committed changes of membership */
    MEMBER_WORLD_ACTIONS = 9,   /* bits of enum member_world_action */
};

/* Things that happened: faults, and moments that the search must reach. */
/* clang-format off */
#define MEMBER_WORLD_MARKS(X)                                                                  \
    X(LOST) X(DUPLICATED) X(DELAYED) X(CUT_NODE) X(CUT_ONE_WAY) X(CUT_HALVES) X(CUT_PAIR)      \
    X(CRASHED) X(RESTARTED) X(PAUSED) X(PAUSED_MANY) X(QUEUED) X(QUEUE_FULL) X(CLOCK_DRIFT)    \
    X(LINK_RESET) X(LINK_RESET_BY_CHANCE) X(REMOVED) X(ADDED) X(LEFT)                          \
    X(SUSPECTED) X(REFUTED) X(UNREACHABLE) X(UNREACHABLE_WHILE_UP) X(PROMISE_LOOKED_AT)        \
    X(UNREACHABLE_BY_LOSS) \
    X(BACK_FROM_UNREACHABLE) X(GONE) X(BACK_FROM_GONE) X(STALLED) X(PROBED_INDIRECTLY)         \
    X(NACKED) X(UNKNOWN_SENDER) X(UNKNOWN_CLAIM)
/* clang-format on */

#define MEMBER_WORLD_MARK_ENUM(name) MEMBER_WORLD_##name,
enum member_world_mark { MEMBER_WORLD_MARKS(MEMBER_WORLD_MARK_ENUM) MEMBER_WORLD_MARK_NR };
#undef MEMBER_WORLD_MARK_ENUM

extern const char *const member_world_mark_names[MEMBER_WORLD_MARK_NR];

/* What one node holds of another, as it was after its last step. */
struct member_world_view {
    member_incarnation incarnation; /* 0 with state 0: not a member there */
    enum member_state state;
    enum member_state told; /* by the newest MEMBER_CHANGED; 0: none yet */
    bool is_gone;
    uint64_t live_ms;        /* since when alive or suspect without a break */
    uint64_t unreachable_ms; /* since when, in running time of the one who holds it */
    uint32_t pauses;         /* that it had had by then */
};

struct member_world_node {
    struct member member;
    bool is_up;
    uint32_t boot;
    uint32_t timer; /* of its timer events only the newest counts */
    uint64_t timer_ms;
    int32_t drift_ppm;
    uint64_t paused_ms; /* nothing reaches it before */
    bool is_queueing;   /* its sockets keep what comes while it is paused */
    uint32_t queued;
    uint32_t applied;               /* of the committed log */
    uint64_t applied_ms;            /* when the newest was */
    member_incarnation incarnation; /* its own, in all its lives */
    uint32_t pauses;
    uint64_t ran_ms;     /* all time that it was up and running, but for the present stretch */
    uint64_t running_ms; /* since when it runs without a break */
    uint64_t bytes_sent; /* payload of datagrams */
    uint64_t datagrams_sent;
    bool is_leaving;
    struct member_world_view views[MEMBER_WORLD_NODES_MAX];
    struct member_counters counters; /* as of its last step */
};

struct member_world_faults {
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t delay_ppm;
    uint32_t delay_ms;
    uint32_t action_ms; /* between actions; 0: none */
    uint32_t actions;   /* bits of enum member_world_action */
    uint32_t drift_ppm;
};

struct member_world_change {
    member_id id;
    bool is_added;
};

struct member_world_event;

struct member_world {
    struct rng rng;
    uint64_t seed;
    uint32_t nodes;
    struct member_world_node node[MEMBER_WORLD_NODES_MAX];
    bool cut[MEMBER_WORLD_NODES_MAX][MEMBER_WORLD_NODES_MAX];          /* from, to */
    uint64_t whole_ms[MEMBER_WORLD_NODES_MAX][MEMBER_WORLD_NODES_MAX]; /* uncut since */
    struct member_world_change log[MEMBER_WORLD_LOG_MAX];
    uint32_t log_count;
    uint64_t now_ms;
    uint64_t end_ms; /* of the faults */
    struct member_world_faults faults;
    struct member_options options;
    bool is_healed;
    bool is_traced;
    struct member_effects effects;

    struct member_world_event *events; /* a heap */
    uint32_t event_count;
    uint32_t event_cap;
    uint32_t event_sequence;
    struct member_world_packet *free_packets;
    struct arena arena; /* packets */

    uint64_t unreachable_count;    /* changes to unreachable, by anybody of anybody */
    uint64_t up_unreachable_count; /* of nodes that ran, and had for a suspicion's time */
    uint64_t gone_count;
    uint64_t steps;
    uint64_t steps_before; /* of earlier seeds */
    uint64_t trace;        /* hash of all that happened */
    uint64_t marks[MEMBER_WORLD_MARK_NR];
    char violation[400]; /* "" while all is well */
};

/* A world that can be used for many seeds, one after the other. */
struct member_world *member_world_create(void);
void member_world_destroy(struct member_world *world);

/* Begin @seed with @nodes members; all faults are drawn from the seed. Marks are kept. */
void member_world_begin(struct member_world *world, uint64_t seed, uint32_t nodes);
/* The same without faults but those that @faults says all the time. */
void member_world_begin_with(struct member_world *world, uint64_t seed, uint32_t nodes,
                             const struct member_world_faults *faults);

/* The faults, the healing, and the wait for everybody to see everybody alive. Returns: whether
 * all held; else world->violation says what did not. */
bool member_world_run(struct member_world *world);

/* Let @ms pass. Returns: false after a violation. */
bool member_world_pass(struct member_world *world, uint64_t ms);

/* ---- shared by the files of the world, and for tests that tell what happens */

enum member_world_action {
    MEMBER_WORLD_ACT_CRASH = 1 << 0,
    MEMBER_WORLD_ACT_PAUSE = 1 << 1,
    MEMBER_WORLD_ACT_PAUSE_MANY = 1 << 2,
    MEMBER_WORLD_ACT_CUT_NODE = 1 << 3,
    MEMBER_WORLD_ACT_CUT_ONE_WAY = 1 << 4,
    MEMBER_WORLD_ACT_CUT_HALVES = 1 << 5,
    MEMBER_WORLD_ACT_MEMBERSHIP = 1 << 6,
    MEMBER_WORLD_ACT_LEAVE = 1 << 7,
    MEMBER_WORLD_ACT_LINK_RESET = 1 << 8,
};

void member_world_fail(struct member_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void member_world_trace(struct member_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void member_world_mark(struct member_world *world, enum member_world_mark mark)
{
    world->marks[mark]++;
}

static inline bool member_world_is_running(const struct member_world *world, uint32_t at)
{
    return world->node[at].is_up && world->node[at].paused_ms <= world->now_ms;
}

/* What the clock of a node shows that has lived through @ms. */
uint64_t member_world_clock(const struct member_world *world, uint32_t at);
/* How long it has run in all, without pauses. */
uint64_t member_world_ran_ms(const struct member_world *world, uint32_t at);

void member_world_step(struct member_world *world, uint32_t at,
                       const struct member_event *event);
void member_world_start(struct member_world *world, uint32_t at);
/* @restart_ms: 0 never. With @has_resets the others' connections to it are reset. */
void member_world_crash(struct member_world *world, uint32_t at, uint64_t restart_ms,
                        bool has_resets);
void member_world_pause(struct member_world *world, uint32_t at, uint64_t ms, bool is_queueing);
void member_world_set_cut(struct member_world *world, uint32_t from, uint32_t to, bool is_cut);
void member_world_commit(struct member_world *world, uint32_t of, bool is_added);
void member_world_post_action(struct member_world *world);
void member_world_post_reset(struct member_world *world, uint32_t at, uint32_t of);

/* member_world_faults.c */
void member_world_draw_faults(struct member_world *world);
void member_world_act(struct member_world *world);
void member_world_heal(struct member_world *world);

/* member_world_check.c */
void member_world_check_step(struct member_world *world, uint32_t at);
void member_world_check_change(struct member_world *world, uint32_t at,
                               const struct member_change *change);
bool member_world_is_settled(const struct member_world *world);
bool member_world_is_member(const struct member_world *world, uint32_t at);

#endif
