/* tests/lib/witness_private.h -- shared between the files of the witness. */
#ifndef CARILLON_TESTS_LIB_WITNESS_PRIVATE_H
#define CARILLON_TESTS_LIB_WITNESS_PRIVATE_H

#include "tests/lib/witness.h"

enum {
    WITNESS_NONE = -1,
    WITNESS_NAME_BYTES = 48,
    WITNESS_WISHES_MAX = 16,
    WITNESS_DROPS_MAX = 16,
    WITNESS_MEETINGS_MAX = 4,
    WITNESS_LEAVES_MAX = 8,
    WITNESS_TAKEN_MAX = 8,
    WITNESS_SECTIONS_MAX = 128,
    WITNESS_STUDENTS_MAX = 512,
    WITNESS_SEATS_MAX = 2048,
    WITNESS_PLACES_MAX = 1024,
    WITNESS_PERMITS_MAX = 256,
    WITNESS_BLOCKS_MAX = 256,
    WITNESS_UNKNOWN_MAX = 128,
    WITNESS_GROUPS_MAX = 8,
    WITNESS_REFUSALS_MAX = 64,
    WITNESS_ITEMS_MAX = 1200, /* of one answer */
};

#define WITNESS_UNLIMITED UINT32_MAX

/* Words, each with a number from 0. */
struct witness_names {
    char (*text)[WITNESS_NAME_BYTES];
    int count;
    int room;
    int *slots;
    int slot_count;
};

enum witness_leaf_kind { WITNESS_NEEDS, WITNESS_WITH, WITNESS_LEVEL };

struct witness_leaf {
    enum witness_leaf_kind kind;
    int course;
    uint32_t level;
};

struct witness_course {
    uint32_t credits;
    int leaf_count;
    struct witness_leaf leaves[WITNESS_LEAVES_MAX];
};

struct witness_meeting {
    uint32_t days;
    uint32_t start;
    uint32_t end;
};

struct witness_section {
    int course;
    uint32_t capacity;
    int meeting_count;
    struct witness_meeting meetings[WITNESS_MEETINGS_MAX];
};

struct witness_student {
    uint32_t level;
    int taken_count;
    int taken[WITNESS_TAKEN_MAX];
};

enum witness_verb {
    WITNESS_SUBMIT,
    WITNESS_CAP,
    WITNESS_BLOCK,
    WITNESS_UNBLOCK,
    WITNESS_PERMIT,
    WITNESS_LIMITS,
    WITNESS_WINDOW,
    WITNESS_CHECK, /* reads from here */
    WITNESS_SCHEDULE,
    WITNESS_ROSTER,
    WITNESS_OUTCOME,
    WITNESS_VERBS,
};

struct witness_wish {
    bool is_drop;
    bool is_wait;
    int section;
    int drop_count;
    int16_t drops[WITNESS_DROPS_MAX];
};

#define WITNESS_TERM_UNKNOWN UINT64_MAX /* OUTCOME names no term */

struct witness_place_in_log {
    uint32_t group;
    uint64_t term;
    uint64_t index; /* 0: none */
};

enum witness_status {
    WITNESS_UNKNOWN,
    WITNESS_OK,
    WITNESS_NO,     /* by rule */
    WITNESS_NEVER,  /* a definite no without an entry: load */
    WITNESS_FAILED, /* with an error */
};

enum witness_item_kind {
    WITNESS_ITEM_CHANGE,  /* code: enum witness_change, count: the place */
    WITNESS_ITEM_REFUSAL, /* code: enum witness_refusal, who: the op or WITNESS_NONE */
    WITNESS_ITEM_SEAT,    /* who: section or student */
    WITNESS_ITEM_PLACE,
    WITNESS_ITEM_NUMBER,  /* code: enum witness_number, count */
    WITNESS_ITEM_NOTHING, /* no answer is kept under the key */
    WITNESS_ITEM_FOUND,   /* code: enum witness_status, since: the place in the log */
};

enum witness_change {
    WITNESS_REGISTERED,
    WITNESS_DROPPED,
    WITNESS_WAITLISTED,
    WITNESS_LEFT,
    WITNESS_CHANGES,
};

enum witness_number {
    WITNESS_CAPACITY,
    WITNESS_ENROLLED,
    WITNESS_WAITING,
    WITNESS_PROMOTED,
    WITNESS_BLOCK_COUNT,
    WITNESS_NUMBERS,
};

/* As in proto/registration.proto; those that a history can hold. */
enum witness_refusal {
    WITNESS_SEAT_UNAVAILABLE,
    WITNESS_WAITLIST_AVAILABLE,
    WITNESS_TIME_CONFLICT,
    WITNESS_CREDIT_LOAD_EXCEEDED,
    WITNESS_COURSE_LIMIT,
    WITNESS_PREREQUISITE_UNMET,
    WITNESS_COREQUISITE_MISSING,
    WITNESS_LEVEL_RESTRICTED,
    WITNESS_ALREADY_REGISTERED,
    WITNESS_ALREADY_TAKEN,
    WITNESS_BLOCKED,
    WITNESS_WINDOW_CLOSED,
    WITNESS_WINDOW_NOT_OPEN,
    WITNESS_NOT_REGISTERED,
    WITNESS_WAITLIST_FULL,
    WITNESS_ALREADY_WAITLISTED,
    WITNESS_DUPLICATE_OP,
    WITNESS_SEAT_UNDECIDED, /* of several shards only */
    WITNESS_REFUSALS,
};

struct witness_item {
    enum witness_item_kind kind;
    int who;
    uint32_t code;
    uint32_t count;
    uint64_t since;
    bool is_over;
};

struct witness_answer {
    int line; /* 0: there was none */
    enum witness_status status;
    int error; /* word */
    bool is_of_another_cluster;
    struct witness_place_in_log at;
    int item_first;
    int item_count;
};

struct witness_call {
    int line;
    enum witness_verb verb;
    int key;
    int student;
    int section;
    int word;        /* a reason; of an outcome: the key */
    bool is_strange; /* names what the catalogue does not have */
    uint32_t numbers[3];
    int wish_count;
    struct witness_wish wishes[WITNESS_WISHES_MAX];
    struct witness_answer answer;
};

struct witness_event {
    int call;
    bool is_answer;
};

enum witness_window { WITNESS_OPEN, WITNESS_BEFORE, WITNESS_CLOSED };

struct witness_history {
    struct witness_names courses;
    struct witness_names sections;
    struct witness_names students;
    struct witness_names keys;
    struct witness_names ids;
    struct witness_names words;
    char cluster[WITNESS_NAME_BYTES];
    struct witness_course *course_rows;
    struct witness_section section_rows[WITNESS_SECTIONS_MAX];
    struct witness_student student_rows[WITNESS_STUDENTS_MAX];
    uint32_t limits[3]; /* courses, credits, places a section */
    uint32_t shards;    /* 0: not said, one */
    struct witness_call *calls;
    int call_count;
    int call_room;
    struct witness_event *events;
    int event_count;
    int event_room;
    struct witness_item *items;
    int item_count;
    int item_room;
    struct witness_result *result;
};

/* What a request asks for, under its key, however often it was sent. */
struct witness_deed {
    int call; /* the first one */
    int key;
    uint64_t floor[WITNESS_GROUPS_MAX]; /* every place up to it was known before it was asked */
    enum witness_status status;         /* WITNESS_UNKNOWN while nobody was told */
    struct witness_place_in_log at;
    int told; /* the call that was told with all it says; WITNESS_NONE: only through OUTCOME */
    int line; /* of what told */
    bool may_have_happened;
};

struct witness_deeds {
    struct witness_deed *rows;
    int count;
    int room;
    uint32_t groups[WITNESS_GROUPS_MAX];
    int group_count;
};

/* ---- state: what a prefix of the log leaves */

struct witness_seat {
    int16_t student;
    int16_t section;
    bool is_over;
    uint64_t since;
};

struct witness_place {
    int16_t student;
    int16_t section;
    int16_t drop_count;
    int16_t drops[WITNESS_DROPS_MAX];
    uint64_t since;
};

struct witness_permit {
    int16_t student;
    int16_t section;
    uint32_t kinds;
};

struct witness_block {
    int student;
    int reason;
};

/* A request that is supposed to have happened between two places. */
struct witness_hidden {
    int deed;
    uint64_t low;
    uint64_t high;
    uint64_t index; /* 0: not seen yet */
};

enum { WITNESS_PERMIT_CAPACITY = 1, WITNESS_PERMIT_RULE = 2, WITNESS_PERMIT_TIME = 4 };

/* A place in the log that stands for hidden request n. */
#define WITNESS_HIDDEN_BASE (UINT64_C(1) << 62)

struct witness_state {
    const struct witness_history *history;
    uint32_t capacity[WITNESS_SECTIONS_MAX];
    uint32_t enrolled[WITNESS_SECTIONS_MAX];
    uint32_t limits[3];
    enum witness_window window;
    uint32_t level_min;
    int seat_count;
    int place_count;
    int permit_count;
    int block_count;
    int hidden_count;
    struct witness_seat seats[WITNESS_SEATS_MAX];
    struct witness_place places[WITNESS_PLACES_MAX];
    struct witness_permit permits[WITNESS_PERMITS_MAX];
    struct witness_block blocks[WITNESS_BLOCKS_MAX];
    struct witness_hidden hidden[WITNESS_UNKNOWN_MAX];
};

struct witness_items {
    int count;
    struct witness_item rows[WITNESS_ITEMS_MAX];
};

/* ---- witness_names.c */

void witness__names_fini(struct witness_names *names);
int witness__name_find(const struct witness_names *names, const char *text);
int witness__name_put(struct witness_names *names, const char *text);

extern const char *const witness__verbs[WITNESS_VERBS];
extern const char *const witness__changes[WITNESS_CHANGES];
extern const char *const witness__numbers[WITNESS_NUMBERS];
extern const char *const witness__refusals[WITNESS_REFUSALS];

/* ---- witness_parse.c */

/* Returns: whether it is a history; else the result says why not. */
bool witness__parse(struct witness_history *history, const char *text, size_t len);
void witness__history_fini(struct witness_history *history);

/* Note what is wrong, if it is the first. Returns: false. */
bool witness__wrong(struct witness_history *history, enum witness_kind kind, int line,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Room for one more row of an array that grows. */
void *witness__grow(void *rows, int count, int *room, size_t size);

/* ---- witness_parse_call.c, witness_parse_answer.c: one line each, its words after the id */

bool witness__parse_call(struct witness_history *history, struct witness_call *call,
                         char **words, int count);
bool witness__parse_answer(struct witness_history *history, struct witness_call *call, int line,
                           char **words, int count);
void witness__items_print(const struct witness_history *history,
                          const struct witness_call *call, const struct witness_item *items,
                          int count, char *out, size_t size);
bool witness__number(const char *text, uint64_t most, uint64_t *ret_number);

/* ---- witness_order.c: keys, places, real time. Returns: whether nothing is wrong. */

bool witness__order(struct witness_history *history, struct witness_deeds *deeds);

/* ---- witness_state.c */

void witness__state_init(struct witness_state *state, const struct witness_history *history);
void witness__state_copy(struct witness_state *to, const struct witness_state *from);
uint64_t witness__state_hash(const struct witness_state *state);
bool witness__is_full(const struct witness_state *state, int section);
int witness__seat_find(const struct witness_state *state, int student, int section);
int witness__place_find(const struct witness_state *state, int student, int section);
uint32_t witness__waiting(const struct witness_state *state, int section);
uint32_t witness__place_number(const struct witness_state *state, int place);
uint32_t witness__permits(const struct witness_state *state, int student, int section);
void witness__seat_add(struct witness_state *state, const struct witness_seat *seat);
void witness__seat_remove(struct witness_state *state, int seat);
void witness__place_add(struct witness_state *state, const struct witness_place *place);
void witness__place_remove(struct witness_state *state, int place);

/* ---- witness_judge.c */

/* A request as the rules see it. */
struct witness_request {
    int student;
    int wish_count;
    const struct witness_wish *wishes;
    bool is_promotion; /* seats and places are not asked about */
};

/* Every refusal the request meets, as items. */
void witness__judge(const struct witness_state *state, const struct witness_request *request,
                    struct witness_items *out);

/* ---- witness_apply.c */

/* Do what a call asks, as the entry @index. @out: what its answer must say.
 * Returns: the status it must have. */
enum witness_status witness__apply(struct witness_state *state, const struct witness_call *call,
                                   uint64_t index, struct witness_items *out);

/* What a CHECK, SCHEDULE or ROSTER must say. */
enum witness_status witness__look(const struct witness_state *state,
                                  const struct witness_call *call, struct witness_items *out);

/* Give the seat to place @at, as entry @index, whatever the seats. Returns: whether the rules let
 * the student have it; else nothing has changed. */
bool witness__promote(struct witness_state *state, int at, uint64_t index);

/* ---- witness_replay.c */

void witness__replay(struct witness_history *history, const struct witness_deeds *deeds,
                     uint64_t steps);

/* ---- witness_records.c, witness_sections.c: several shards */

/* Returns: the number of @group, or WITNESS_NONE when no place was in it. */
int witness__group_find(const struct witness_deeds *deeds, uint32_t group);

/* Each student's record, in the order of his home. Returns: whether all could be followed; that
 * one is wrong is noted. */
bool witness__records(struct witness_history *history, const struct witness_deeds *deeds);

/* Each section's capacity and roster, against the records of all. */
void witness__sections(struct witness_history *history, const struct witness_deeds *deeds);

#endif
