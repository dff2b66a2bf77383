/* tests/lib/history.h -- a seeded generator of requests to a small world of registration.
 *
 * A world has a few institutions and terms, tens of courses whose meetings often overlap and
 * whose seats are few, and tens of students. Its first requests import it; the others are drawn
 * at random, swarm style: each seed turns every kind of request and every oddity on or off at a
 * rate of its own, so that the seeds together reach what no single mixture would.
 *
 * The generator looks at the model to be to the point (who has what, which import is open); it
 * never decides what is right.
 */
#ifndef CARILLON_TESTS_HISTORY_H
#define CARILLON_TESTS_HISTORY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rng.h"
#include "tests/lib/model.h"

enum {
    HISTORY_COURSES_MAX = 60,
    HISTORY_STUDENTS_MAX = 80,
    HISTORY_SECTIONS_MAX = 3,
    HISTORY_NODES_MAX = 16,
    HISTORY_TAKEN_MAX = 6,
    HISTORY_PAST_MAX = 32,
    HISTORY_SCRIPTS_MAX = 12,
    HISTORY_KEY_MAX = 24,
};

/* What a step of a history is about; the weights of one seed. */
enum history_kind {
    HISTORY_SUBMIT,
    HISTORY_SWAP,
    HISTORY_WAIT,
    HISTORY_REPEAT,
    HISTORY_PASS,
    HISTORY_WINDOW,
    HISTORY_LIMITS,
    HISTORY_BLOCK,
    HISTORY_PERMIT,
    HISTORY_CAP,
    HISTORY_IMPORT,
    HISTORY_NR,
};

/* How often something odd happens, of a million. */
struct history_odds {
    uint32_t short_name;   /* a name that leaves something out */
    uint32_t unknown_name; /* a name of nothing */
    uint32_t bad_shape;    /* a request that no client of ours would build */
    uint32_t bad_key;
    uint32_t bad_import; /* chunks out of order, records that are not acceptable */
    uint32_t long_pause; /* minutes to days */
    uint32_t shrink;     /* an import that removes most */
};

struct history_meeting {
    uint32_t days;
    uint32_t start_min;
    uint32_t end_min;
};

struct history_section {
    bool is_there;
    bool capacity_known;
    uint32_t capacity;
    int meeting_count;
    struct history_meeting meetings[2];
};

struct history_node {
    uint32_t kind;
    uint32_t children;
    uint32_t count;
    int institution; /* MODEL_NONE: left out */
    int code;
    uint32_t grade_min;
    bool concurrent;
};

/* A course as its file would have it. */
struct history_course {
    int institution;
    int term;
    int code;
    bool credits_known;
    uint32_t credits;
    int node_count;
    struct history_node nodes[HISTORY_NODES_MAX];
    struct history_section sections[HISTORY_SECTIONS_MAX]; /* none there: the default one */
};

struct history_taken {
    int institution;
    int code;
    uint32_t grade;
    uint32_t credits;
};

struct history_student {
    int institution;
    uint32_t level;
    int taken_count;
    struct history_taken taken[HISTORY_TAKEN_MAX];
};

/* An import under way. */
struct history_script {
    bool is_running;
    bool is_begun;
    bool is_closing;
    struct uuid id;
    uint32_t kind; /* enum ImportKind */
    int institution;
    int term;
    int chunk_records; /* records a chunk */
    int staged_count;
    int staged[HISTORY_STUDENTS_MAX]; /* positions of courses or students */
    int removed_count;
    int removed[HISTORY_STUDENTS_MAX];
};

/* One request, as a log entry would hold it. */
struct history_op {
    uint32_t method; /* 0: the passing of time */
    uint64_t wall_ms;
    size_t key_len;
    uint8_t key[HISTORY_KEY_MAX];
    struct buf body;
};

struct history {
    struct rng rng;
    struct arena scratch;
    uint64_t wall_ms;
    uint32_t weights[HISTORY_NR];
    struct history_odds odds;
    uint32_t rule_ppm; /* how many courses have a rule */
    int taken_max;     /* courses taken by a student */
    int institution_count;
    int term_count;
    int code_count;
    int course_count;
    struct history_course courses[HISTORY_COURSES_MAX];
    int student_count;
    struct history_student students[HISTORY_STUDENTS_MAX];
    struct history_script scripts[HISTORY_SCRIPTS_MAX];
    bool is_built;    /* the first imports are through */
    bool is_opening;  /* windows open again and again, with people waiting before them */
    int opening_step; /* 0: none under way */
    int opening_section;
    uint64_t opening_ms;
    bool is_hoarded; /* the first student collects blocks and permits up to their limits */
    int past_count;
    struct history_op past[HISTORY_PAST_MAX];
};

void history_init(struct history *history, uint64_t seed);
void history_fini(struct history *history);

void history_op_init(struct history_op *op);
void history_op_fini(struct history_op *op);
void history_op_copy(struct history_op *to, const struct history_op *from);

/* Draw the next request. */
void history_next(struct history *history, const struct model *model,
                  struct history_op *ret_op);

/* Append the request in words. */
void history_words(const struct history_op *op, struct buf *out);

/* Append a message as its fields that are set, in words. */
void history_message_words(const ProtobufCMessage *message, struct buf *out);

#endif
