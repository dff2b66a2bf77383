/* tests/lib/model.h -- a second, independent implementation of docs/spec/registration.md, as
 * plain as possible, to compare the real one with.
 *
 * It knows the specification and proto/, and includes nothing of campus or enrol. Every fact
 * is stored once, in an array in the order it came about, and found by looking through that
 * array: a roster and a schedule are two ways of reading the one list of registrations. It is
 * made for small worlds (names shorter than MODEL_TEXT_MAX) and asserts what it assumes.
 *
 * Owns: everything, by malloc.
 */
#ifndef CARILLON_TESTS_MODEL_H
#define CARILLON_TESTS_MODEL_H

#include "base/error.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "proto/catalogue.pb-c.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"

enum {
    MODEL_NONE = -1,
    MODEL_TEXT_MAX = 64,
    MODEL_OPS_MAX = 16,
    MODEL_DROPS_MAX = 16,
    MODEL_REFUSALS_MAX = 64,
    MODEL_MEETINGS_MAX = 8,
    MODEL_BLOCKS_MAX = 16,
    MODEL_PERMITS_MAX = 64,
    MODEL_PLACES_MAX = 64,         /* of a student */
    MODEL_REGISTRATIONS_MAX = 128, /* of a student */
    MODEL_REASON_MAX = 256,
    MODEL_EVIDENCE_MAX = 320,
};

/* Removed things keep their place in the arrays: order is order of first import. */
enum model_presence { MODEL_ABSENT, MODEL_OFFERED, MODEL_WITHDRAWN };

struct model_meeting {
    uint32_t days;
    uint32_t start_min;
    uint32_t end_min;
};

struct model_section {
    int course;
    char id[MODEL_TEXT_MAX];
    enum model_presence presence;
    bool capacity_known; /* in force */
    uint32_t capacity;
    bool file_capacity_known; /* as last imported */
    uint32_t file_capacity;
    int meeting_count;
    struct model_meeting meetings[MODEL_MEETINGS_MAX];
};

struct model_node {
    uint32_t kind; /* enum RuleKind */
    uint32_t children;
    uint32_t count;
    char institution[MODEL_TEXT_MAX];
    char code[MODEL_TEXT_MAX];
    uint32_t grade_min;
    bool concurrent;
};

struct model_course {
    char institution[MODEL_TEXT_MAX];
    char term[MODEL_TEXT_MAX];
    char code[MODEL_TEXT_MAX];
    enum model_presence presence;
    bool credits_known;
    uint32_t credits;
    int node_count;
    struct model_node *nodes;
    uint64_t content_hash;
};

struct model_taken {
    char institution[MODEL_TEXT_MAX]; /* in full */
    char code[MODEL_TEXT_MAX];
    uint32_t grade;
    uint32_t credits;
};

struct model_block {
    char reason[MODEL_REASON_MAX + 1];
    uint64_t since_ms;
};

struct model_permit {
    int section;
    uint32_t kinds; /* bits of enum PermitKind */
    uint64_t since_ms;
};

struct model_student {
    char institution[MODEL_TEXT_MAX];
    char token[MODEL_TEXT_MAX];
    char name[MODEL_TEXT_MAX];
    enum model_presence presence;
    uint32_t level;
    int taken_count;
    struct model_taken *taken;
    uint64_t content_hash;
    int block_count;
    struct model_block blocks[MODEL_BLOCKS_MAX];
    int permit_count;
    struct model_permit permits[MODEL_PERMITS_MAX];
};

struct model_registration {
    int student;
    int section;
    uint64_t since_index;
    uint64_t since_ms;
    bool over_capacity;
};

struct model_place {
    int student;
    int section;
    uint64_t since_index;
    uint64_t since_ms;
    int drop_count;
    int drops[MODEL_DROPS_MAX];
    uint32_t skips;
    uint64_t skip_index; /* the entry of the last skip */
    uint32_t last_skip;  /* enum RefusalKind */
    uint64_t last_skip_ms;
    char last_skip_evidence[MODEL_EVIDENCE_MAX];
};

/* What is offered by an institution in a term: its window and its limits. */
struct model_offer {
    char institution[MODEL_TEXT_MAX];
    char term[MODEL_TEXT_MAX];
    uint64_t opens_ms;
    uint64_t closes_ms;
    uint32_t level_min;
    uint32_t courses_max;
    uint32_t credits_max;
    uint32_t waitlist_max;
};

/* What an entry answered, kept under its key. */
struct model_answer {
    uint8_t key[UUID_BYTES];
    uint32_t method;
    uint8_t *body;
    size_t body_len;
    uint64_t index;
    uint64_t wall_ms;
    int status;
    uint8_t *reply; /* packed */
    size_t reply_len;
};

struct model_import {
    uint8_t id[UUID_BYTES];
    uint32_t kind; /* enum ImportKind */
    char institution[MODEL_TEXT_MAX];
    char term[MODEL_TEXT_MAX];
    uint32_t chunk_count;
    Carillon__ImportChunkRequest **chunks; /* staged, in order */
};

/* What happened to students other than by their own request. */
enum model_note_kind { MODEL_PROMOTED = 1, MODEL_PROMOTION_DROP, MODEL_SKIPPED };

struct model_note {
    enum model_note_kind kind;
    int student;
    int section;
    uint32_t refusal;
    char evidence[MODEL_EVIDENCE_MAX];
};

/* An array that grows: `items` has room for `room`, holds `count`. */
#define MODEL_LIST(type)                                                                       \
    struct {                                                                                   \
        type *items;                                                                           \
        int count;                                                                             \
        int room;                                                                              \
    }

struct model {
    uint8_t cluster_id[UUID_BYTES];
    uint32_t group;
    uint64_t index; /* of the entry applied last */
    uint64_t term;
    uint64_t wall_ms;
    MODEL_LIST(struct model_course) courses;
    MODEL_LIST(struct model_section) sections;
    MODEL_LIST(struct model_student) students;
    MODEL_LIST(struct model_registration) registrations;
    MODEL_LIST(struct model_place) places;
    MODEL_LIST(struct model_offer) offers;
    MODEL_LIST(struct model_answer) answers;
    MODEL_LIST(struct model_import) imports; /* open ones */
    MODEL_LIST(int) queue;                   /* sections to settle; empty between entries */
    MODEL_LIST(struct model_note) notes;     /* of the entry applied last */
    uint32_t settled_first;                  /* whom its settling first promoted */
};

struct model_entry {
    uint64_t index;
    uint64_t term;
    uint64_t wall_ms;
    uint32_t method; /* 0: the passing of time */
    struct slice key;
    struct slice body;
};

/* What the model says an entry answers. */
struct model_result {
    int status;
    bool is_repeated;
    uint64_t index;     /* of the entry that the answer stems from */
    struct slice reply; /* packed; borrowed until the next model_apply() */
};

void model_init(struct model *model, const uint8_t cluster_id[UUID_BYTES], uint32_t group);
void model_fini(struct model *model);

/* Do what the entry asks and say what it answers. */
void model_apply(struct model *model, const struct model_entry *entry,
                 struct model_result *ret_result);

/* ---- reading the state; positions in the arrays, or MODEL_NONE */

int model_course_find(const struct model *model, const char *institution, const char *term,
                      const char *code);
int model_section_find(const struct model *model, int course, const char *id);
int model_student_find(const struct model *model, const char *token);
int model_registration_find(const struct model *model, int student, int section);
int model_place_find(const struct model *model, int student, int section);
int model_offer_find(const struct model *model, const char *institution, const char *term);
const struct model_answer *model_answer_find(const struct model *model, const uint8_t *key);

/* The course of a section. */
const struct model_course *model_course_of(const struct model *model, int section);

uint32_t model_enrolled(const struct model *model, int section);
uint32_t model_waiting(const struct model *model, int section);
bool model_is_full(const struct model *model, int section);

/* 1 for the first who waits. */
uint32_t model_place_number(const struct model *model, int place);

/* Find what a name means (section 1). Errors: ERR_UNKNOWN_COURSE, ERR_UNKNOWN_SECTION,
 * ERR_AMBIGUOUS. */
int model_resolve(const struct model *model, const Carillon__SectionName *name,
                  int *ret_section) CHECKED;

#endif
