/* tests/lib/shards_world.h -- several shards of the production cores in one thread, with
 * students who register across them.
 *
 * Each shard is a replicated log as consensus gives it to the cores: entries in order, a leader
 * a term, entries proposed and not committed that a change of leader may keep or cut, a new
 * leader whose state is behind until an entry of its own term is committed. Messages between
 * leaders are lost, doubled, reordered and late. Every committed entry is applied at once to a
 * state of the shard that nothing ever disturbs (`truth`) and that is checked after every
 * entry; the leader's own state comes from snapshots and logs.
 */
#ifndef CARILLON_TESTS_SHARDS_WORLD_H
#define CARILLON_TESTS_SHARDS_WORLD_H

#include "base/arena.h"
#include "base/rng.h"
#include "enrol/across.h"
#include "enrol/across_state.h"
#include "enrol/enrol.h"
#include "enrol/fact.h"
#include "enrol/staging.h"

enum {
    SHARDS_MAX = 8,
    SHARDS_STUDENTS = 10,
    SHARDS_COURSES = 10,
    SHARDS_ENTRIES_MAX = 16384,
    SHARDS_REQUESTS_MAX = 512,
    SHARDS_CHECKS_MAX = 4096,
    SHARDS_FACTS_MAX = 1024,
    SHARDS_IMPORTS_MAX = 256,
    SHARDS_COURSES_MAX_MOST = 6, /* that a limit ever is */
    SHARDS_ROSTER_CLIENT = 1 << 20, /* from here on they are reads */
    SHARDS_OFFICE_CLIENT = 1 << 21,
};

/* Moments that the search must reach. */
/* clang-format off */
#define SHARDS_MARKS(X)                                                                        \
    X(ACROSS) X(LOCAL) X(ACCEPTED_ACROSS) X(REFUSED_ACROSS) X(SWAPPED_ACROSS) X(REPEATED)      \
    X(LOST) X(DUPLICATED) X(REORDERED) X(CUT) X(SLOW)                                                  \
    X(LEADER_LOST) X(LEADER_BEHIND) X(LEADER_SLOW) X(RESTORED) X(TAIL_KEPT) X(TAIL_CUT)                       \
    X(LEADER_LOST_HOLDING) X(LEADER_LOST_DECIDING) X(LEADER_LOST_OWING)                        \
    X(OUTDATED) X(TAKEN_OVER) X(MOVED) X(ASKED) X(PENDING) X(RELEASED) X(SETTLED_TWICE)        \
    X(SETTLED_TOGETHER) X(RULED)                                                                    \
    X(UNDECIDED_SEAT) X(OFFERED) X(DECLINED) X(EXPIRED) X(PROMOTED_ACROSS) X(ROSTER) X(ROSTER_WAITED) X(UNKNOWN) X(GAVE_UP) X(SNAPSHOT_HOLDING) X(SNAPSHOT_OWING)   \
    X(CHECKED) X(CHECK_REFUSED) X(LEARNT) X(PERMITTED) X(PERMITTED_ACROSS) X(PERMIT_TAKEN_BACK)                  \
    X(SEATED_BY_PERMIT) X(LEADER_LOST_ASKING) X(SNAPSHOT_PERMITTING)    \
    X(FACT) X(FACT_OUTDATED) X(FACT_REPEATED) X(FACTS_APART) X(IMPORTED) X(IMPORT_AGAIN) X(IMPORT_REFUSED)                        \
    X(IMPORT_ABORTED) X(IMPORT_ABANDONED) X(IMPORT_DISCARDED) X(LEADER_LOST_PREPARED) X(SNAPSHOT_PREPARED)
/* clang-format on */

#define SHARDS_MARK_ENUM(name) SHARDS_##name,
enum shards_mark { SHARDS_MARKS(SHARDS_MARK_ENUM) SHARDS_MARK_NR };
#undef SHARDS_MARK_ENUM

extern const char *const shards_mark_names[SHARDS_MARK_NR];

/* What a shard shows after a fact. */
struct shards_model {
    uint64_t opens_ms;
    uint64_t closes_ms;
    uint32_t level_min;
    uint32_t courses_max;
    uint32_t versions[SHARDS_COURSES]; /* 0: as populated */
};

struct shards_fact {
    uint32_t method;
    uint32_t import; /* of a commit, of an abort */
    uint64_t wall_ms;
    struct uuid key;
    struct slice body;
};

struct shards_import {
    struct uuid id;
    bool is_ended;                     /* by a fact */
    uint32_t versions[SHARDS_COURSES]; /* that it would make; 0: as it is */
};

enum shards_office_phase {
    SHARDS_OFFICE_IDLE,
    SHARDS_OFFICE_BEGIN,
    SHARDS_OFFICE_CHUNK,
    SHARDS_OFFICE_LOOK,
    SHARDS_OFFICE_PREPARE,
};

/* Who imports, step by step in all shards. */
struct shards_office {
    enum shards_office_phase phase;
    uint32_t import;
    uint32_t method; /* of the phase's entries */
    struct uuid key;
    struct slice body;
    uint64_t term[SHARDS_MAX]; /* in which the shard was asked last */
    bool is_done[SHARDS_MAX];
    struct enrol_staging parts[SHARDS_MAX];
    int status;
};

struct shards_entry {
    uint64_t term;
    uint64_t wall_ms;
    uint32_t method;
    uint32_t client; /* whom the leader that proposed it answers; UINT32_MAX: nobody */
    struct slice key;
    struct slice body;
};

struct shards_shard {
    struct enrol *truth; /* every committed entry */
    struct enrol *enrol; /* the leader's */
    struct across *across;
    bool is_led;
    uint64_t term;
    uint64_t slow_ms;   /* nothing is committed before: too few disks answer */
    uint64_t noop;      /* index of the entry the leader began with */
    uint64_t applied;   /* by the leader */
    uint64_t committed; /* and applied by the truth */
    uint64_t last;
    uint64_t wall_ms;             /* of the last entry */
    uint64_t fact_term;           /* of the leader that has copied facts */
    uint64_t fact_proposed;       /* up to this one */
    struct shards_entry *entries; /* by index */
    struct buf snapshot;
    uint64_t snapshot_index;
    bool is_cut;                                      /* hears nothing of other shards */
    struct enrol_attempt_id settled[SHARDS_STUDENTS]; /* the newest settled here, of each */
};

/* A request of a client, and what is known of it. */
struct shards_request {
    uint32_t method; /* SUBMIT, CHECK or PERMIT */
    uint32_t student;
    uint32_t course; /* of a permit */
    uint32_t kinds;
    struct uuid key;
    struct slice body;
    uint64_t deadline_ms;
    uint32_t tries;
    uint32_t refusals; /* of them that were refused for load: nothing comes of those */
    bool is_answered;  /* for good */
    bool is_given_up;  /* refused for load, and not asked again: nothing may come of it */
    bool is_decided;   /* in some truth */
    int status;        /* of the outcome */
    uint64_t outcome;  /* hash of it */
};

struct shards_faults {
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t late_ppm;
    uint32_t late_ms;
    uint32_t leader_ms; /* between losses of leaders; 0: none */
    uint32_t cut_ms;
    uint32_t snapshot_ms;
    uint32_t client_ms;
    uint32_t students; /* that take part */
    uint32_t deadline_ms;
    uint32_t wait_ppm; /* adds that take a place */
    uint32_t check_ppm;
    uint32_t permit_ppm;
    uint32_t fact_ms; /* 0: none */
    uint32_t import_ppm;
};

struct shards_event;

struct shards_world {
    uint64_t seed;
    struct rng rng;
    uint32_t shard_count;
    struct shards_shard shard[SHARDS_MAX];
    struct shards_faults faults;
    uint64_t now_ms;
    uint64_t end_ms; /* of the faults */
    bool is_healed;
    bool is_traced;
    bool is_quiet; /* no faults, and nothing by itself: the test sends */

    struct shards_event *events; /* a heap */
    uint32_t event_count;
    uint32_t event_cap;
    uint32_t event_sequence;
    struct arena arena; /* of the seed: entries, messages */

    struct shards_request requests[SHARDS_REQUESTS_MAX];
    uint32_t request_count;
    uint64_t keys;
    /* What permits say, by the homes' logs; what any has ever said. */
    uint32_t permits[SHARDS_STUDENTS][SHARDS_COURSES];
    uint32_t permits_ever[SHARDS_STUDENTS][SHARDS_COURSES];
    struct enrol_attempt_id checks[SHARDS_CHECKS_MAX]; /* that were asked about */
    uint32_t check_count;
    struct shards_fact facts[SHARDS_FACTS_MAX]; /* from 1 */
    struct shards_model models[SHARDS_FACTS_MAX];
    uint32_t fact_count;
    struct shards_import imports[SHARDS_IMPORTS_MAX];
    uint32_t import_count;
    uint32_t versions;
    struct shards_office office;
    struct { /* the roster being read: of whom it was known that they have the course */
        uint64_t client;
        uint32_t course;
        uint64_t index; /* of the reader's state then */
        uint64_t deadline_ms;
        bool had[SHARDS_STUDENTS];
    } roster;
    struct enrol_result result;
    struct buf text;
    struct buf reply; /* of the newest answer, for tests */
    int status;

    uint64_t steps;
    uint64_t trace;
    uint64_t marks[SHARDS_MARK_NR];
    char violation[400]; /* "" while all is well */
};

struct shards_world *shards_world_create(void);
void shards_world_destroy(struct shards_world *world);

/* Begin @seed with @shards shards (a power of two). Marks are kept. */
void shards_world_begin(struct shards_world *world, uint64_t seed, uint32_t shards);
/* Begin a world in which messages arrive and entries are committed, and nothing goes wrong. */
void shards_world_begin_quiet(struct shards_world *world, uint64_t seed, uint32_t shards);

/* The faults, the healing, and the wait for everything to finish. Returns: whether all held. */
bool shards_world_run(struct shards_world *world);

/* In a quiet world: a request of a student, run until it is answered and settled. Returns the
 * status; world->reply holds the reply. */
int shards_world_submit(struct shards_world *world, uint32_t student, struct slice body);
/* The same for a CHECK; for a permit of @kinds for a course. */
int shards_world_check(struct shards_world *world, uint32_t student, struct slice body);
int shards_world_permit(struct shards_world *world, uint32_t student, uint32_t course,
                        uint32_t kinds);
/* Let @ms pass. */
void shards_world_pass(struct shards_world *world, uint64_t ms);

/* "s3", "C7", both in static storage. The same catalogue and students for a single state. */
const char *shards_student_name(uint32_t student);
const char *shards_course_name(uint32_t course);
void shards_world_populate(struct enrol *enrol, uint32_t shards, uint32_t shard,
                           uint64_t *index);

/* ---- shared by the files of the world */

enum shards_event_kind {
    SHARDS_COMMIT = 1,
    SHARDS_MESSAGE,
    SHARDS_TICK,
    SHARDS_READ,
    SHARDS_SUBMIT, /* a request arrives */
    SHARDS_CLIENT, /* somebody thinks of a request */
    SHARDS_LOSE,   /* some leader is lost */
    SHARDS_ELECT,
    SHARDS_CUT_OFF,
    SHARDS_JOIN,
    SHARDS_SNAPSHOT,
    SHARDS_EXPIRE, /* a client waits no longer */
    SHARDS_FACT_COMES,
    SHARDS_OFFICE,
};

struct shards_event {
    uint64_t at_ms;
    uint32_t sequence;
    enum shards_event_kind kind;
    uint32_t shard;
    uint32_t from;   /* shard; request */
    uint64_t number; /* term; token in `more` */
    uint64_t more;
    struct slice bytes;
};

void shards_fail(struct shards_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void shards_trace(struct shards_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void shards_mix(struct shards_world *world, uint64_t a, uint64_t b);
void shards_post(struct shards_world *world, uint64_t delay_ms,
                 const struct shards_event *event);
uint64_t shards_append(struct shards_world *world, uint32_t shard,
                       const struct shards_entry *entry);
void shards_perform(struct shards_world *world, uint32_t shard);

static inline void shards_mark(struct shards_world *world, enum shards_mark mark)
{
    world->marks[mark]++;
}

/* shards_world_client.c */
void shards_client(struct shards_world *world);
void shards_arrive(struct shards_world *world, uint32_t request);
/* A PermitRequest, in the world's memory. */
struct slice shards_permit_body(struct shards_world *world, uint32_t student, uint32_t course,
                                uint32_t kinds);
void shards_answer(struct shards_world *world, uint32_t request, int status, struct slice text,
                   struct slice reply, bool is_outcome);
void shards_expire(struct shards_world *world, uint32_t request, uint64_t try_number);
void shards_send(struct shards_world *world, uint32_t request, uint64_t delay_ms);
uint32_t shards_request_find(const struct shards_world *world, struct slice key);

/* shards_world_facts.c */
void shards_fact_draw(struct shards_world *world);
void shards_facts_heal(struct shards_world *world);
void shards_facts_copy(struct shards_world *world, uint32_t shard);
void shards_office_poll(struct shards_world *world);
void shards_office_applied(struct shards_world *world, uint32_t shard,
                           const struct shards_entry *entry, const struct enrol_result *result);
void shards_imports_discard(struct shards_world *world, uint32_t shard);
void shards_imports_tend(struct shards_world *world, uint32_t shard);
void shards_check_facts(struct shards_world *world, uint32_t shard);
void shards_check_facts_end(struct shards_world *world);

/* shards_world_leader.c */
void shards_lose(struct shards_world *world, uint32_t shard);
void shards_elect(struct shards_world *world, uint32_t shard);
void shards_snapshot(struct shards_world *world, uint32_t shard);

/* shards_world_check.c */
void shards_check_before(struct shards_world *world, uint32_t shard,
                         const struct shards_entry *entry);
void shards_check_message(struct shards_world *world, struct slice message);
void shards_check_entry(struct shards_world *world, uint32_t shard,
                        const struct shards_entry *entry, const struct enrol_result *result);
void shards_check_all(struct shards_world *world);
void shards_roster(struct shards_world *world);
void shards_check_roster(struct shards_world *world, uint32_t shard, uint64_t client);
void shards_check_end(struct shards_world *world);

#endif
