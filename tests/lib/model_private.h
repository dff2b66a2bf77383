/* tests/lib/model_private.h -- what the files of the model share. */
#ifndef CARILLON_TESTS_MODEL_PRIVATE_H
#define CARILLON_TESTS_MODEL_PRIVATE_H

#include "base/assert.h"
#include "tests/lib/model.h"
#include "wire/message.h"

enum { MODEL_AFTER_MAX = MODEL_REGISTRATIONS_MAX + MODEL_OPS_MAX };

/* One add or drop of an attempt, its names resolved. */
struct model_attempt_op {
    bool is_add;
    bool waitlist;
    int section;
    int drop_count; /* promotion_drops */
    int drops[MODEL_DROPS_MAX];
    bool is_duplicate; /* an earlier op names the same section; set by model__judge() */
    bool is_wait;      /* wait add; set by model__judge() */
};

/* What a student asks for at once. */
struct model_attempt {
    int student;
    bool is_promotion;
    int op_count;
    struct model_attempt_op ops[MODEL_OPS_MAX];
};

struct model_refusal {
    uint32_t kind;
    uint32_t op;
    uint32_t rule_node;
    char evidence[MODEL_EVIDENCE_MAX];
};

struct model_refusals {
    int count;
    struct model_refusal items[MODEL_REFUSALS_MAX];
};

/* A set of sections that a student has or would have, in order. */
struct model_after {
    int count;
    int sections[MODEL_AFTER_MAX];
    int ops[MODEL_AFTER_MAX]; /* whose seat add; MODEL_NONE: a registration */
};

#define MODEL_REFUSAL(name) CARILLON__REFUSAL_KIND__REFUSAL_##name

/* The op of a refusal of the request as a whole. */
#define MODEL_WHOLE 0xffffffffu

/* Make room for one more in a MODEL_LIST, count it, and give its cleared storage. */
#define MODEL_PUSH(list)                                                                       \
    ((list).items =                                                                            \
         model__grow((list).items, &(list).room, (list).count, sizeof *(list).items),          \
     &(list).items[(list).count++])

/* Take item @at out of a MODEL_LIST, keeping the order of the others. */
#define MODEL_REMOVE(list, at)                                                                 \
    (memmove(&(list).items[at], &(list).items[(at) + 1],                                       \
             (size_t)((list).count - (at)-1) * sizeof *(list).items),                          \
     (list).count--)

/* What the rows of the table of refusals look at. */
struct model_bench {
    const struct model *model;
    const struct model_attempt *attempt;
    struct model_after before; /* the registrations before the request */
    struct model_after after;
    struct model_refusals *refusals;
};

void *model__grow(void *items, int *room, int count, size_t size);
void *model__alloc(size_t size);
void model__text_set(char *to, size_t size, const char *text);

/* "institution:CODE#SECTION". */
void model__section_text(const struct model *model, int section, char *out, size_t size);

struct model_refusal *model__refuse(struct model_refusals *refusals, uint32_t kind,
                                    uint32_t op);

/* ---- rules (section 4) */

/* The entry of the taken list that counts for a course, or NULL. */
const struct model_taken *model__taken(const struct model_student *student,
                                       const char *institution, const char *code);
bool model__is_passing(const struct model_taken *taken);
bool model__rule_holds(const struct model *model, int student, int course,
                       const struct model_after *after);
/* List the failing leaves of the course's rule as refusals of op @op. */
void model__rule_refuse(const struct model *model, int student, int course,
                        const struct model_after *after, uint32_t op,
                        struct model_refusals *refusals);

/* ---- verdicts (section 3) */

/* Set the modes of the ops of @attempt, and find what the student has and would have. */
void model__attempt_prepare(const struct model *model, struct model_attempt *attempt,
                            struct model_after *ret_before, struct model_after *ret_after);
bool model__is_seat_add(const struct model_attempt_op *op);
const struct model_offer *model__offer_of(const struct model *model, int section);
void model__refuse_section(const struct model_bench *bench, uint32_t kind, uint32_t op,
                           int section);
bool model__has_permit(const struct model_bench *bench, int section, uint32_t kind);
/* Rows 15 to 17, about the request as a whole. */
void model__judge_loads(const struct model_bench *bench);
void model__judge_corequisites(const struct model_bench *bench);
uint32_t model__permit(const struct model *model, int student, int section);
void model__judge(const struct model *model, struct model_attempt *attempt,
                  struct model_refusals *ret_refusals);
/* WINDOW_NOT_OPEN, WINDOW_CLOSED or REFUSAL_NONE, without levels. */
uint32_t model__window(const struct model *model, const struct model_offer *offer);

/* ---- waitlists (section 5) */

/* Settle one section. Returns how many were promoted. */
uint32_t model__settle(struct model *model, int section);

/* Put into the queue, if it is a candidate: one section; those where a student waits; all. */
void model__queue_section(struct model *model, int section);
void model__queue_student(struct model *model, int student);
void model__queue_all(struct model *model);

/* Work the queue off. Returns how many were promoted from @section. */
uint32_t model__queue_run(struct model *model, int section);

void model__register(struct model *model, int student, int section, bool over_capacity);
void model__unregister(struct model *model, int student, int section);

/* ---- methods. Each returns the status and packs its reply into @answer. */

void model__reply(struct model_answer *answer, const ProtobufCMessage *message);
Carillon__Receipt model__receipt(const struct model *model);

int model__submit(struct model *model, struct slice body, struct model_answer *answer);
int model__window_set(struct model *model, struct slice body, struct model_answer *answer);
int model__limits_set(struct model *model, struct slice body, struct model_answer *answer);
int model__block(struct model *model, struct slice body, struct model_answer *answer);
int model__permit_set(struct model *model, struct slice body, struct model_answer *answer);
int model__cap(struct model *model, struct slice body, struct model_answer *answer);
int model__import_begin(struct model *model, struct slice body, struct model_answer *answer);
int model__import_chunk(struct model *model, struct slice body, struct model_answer *answer);
int model__import_commit(struct model *model, struct slice body, struct model_answer *answer);
int model__import_abort(struct model *model, struct slice body, struct model_answer *answer);

/* Whether a record of an import has a shape that the model knows. */
bool model__is_course_valid(const struct model_import *import, const Carillon__Course *record);
bool model__is_student_valid(const struct model_import *import,
                             const Carillon__Student *record);
/* Make a staged course or student visible. Returns whether it is anew offered. */
bool model__course_publish(struct model *model, const Carillon__Course *record);
bool model__student_publish(struct model *model, const Carillon__Student *record);
/* Take it away. Returns what is left of it: absent or withdrawn. */
enum model_presence model__course_remove(struct model *model, int course);
enum model_presence model__student_remove(struct model *model, int student);
void model__import_free(struct model_import *import);

#endif
