/* tests/lib/history_private.h -- what the files of the generator share. */
#ifndef CARILLON_TESTS_HISTORY_PRIVATE_H
#define CARILLON_TESTS_HISTORY_PRIVATE_H

#include "base/assert.h"
#include "tests/lib/history.h"
#include "wire/message.h"

/* A number in 0..count-1; count > 0. */
int history__pick(struct history *history, int count);
bool history__chance(struct history *history, uint32_t ppm);

/* Text that lives until the next step. */
char *history__text(struct history *history, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void *history__zero(struct history *history, size_t size);

/* Names of positions. */
char *history__institution(struct history *history, int institution);
char *history__term(struct history *history, int term);
char *history__code(struct history *history, int code);
char *history__token(struct history *history, int student);

/* A new key for a request at this moment. */
void history__key(struct history *history, struct history_op *op);
void history__body(struct history_op *op, uint32_t method, const ProtobufCMessage *message);

/* ---- the world */
void history__world_draw(struct history *history);
void history__course_draw(struct history *history, struct history_course *course);
void history__student_draw(struct history *history, struct history_student *student);
/* Change something about it. */
void history__course_change(struct history *history, struct history_course *course);
Carillon__Course *history__course_message(struct history *history, int course);
Carillon__Student *history__student_message(struct history *history, int student);

/* ---- requests: each fills @op */
void history__submit(struct history *history, const struct model *model, struct history_op *op);
void history__swap(struct history *history, const struct model *model, struct history_op *op);
void history__wait(struct history *history, const struct model *model, struct history_op *op);
void history__window(struct history *history, const struct model *model, struct history_op *op);
void history__limits(struct history *history, const struct model *model, struct history_op *op);
void history__block(struct history *history, const struct model *model, struct history_op *op);
void history__permit(struct history *history, const struct model *model, struct history_op *op);
void history__cap(struct history *history, const struct model *model, struct history_op *op);
void history__import(struct history *history, const struct model *model, struct history_op *op);

/* A window that opens soon, a seat that comes free before it does, and then a request that
 * settles the section: three requests, one after the other. */
bool history__opening_begin(struct history *history, const struct model *model,
                            struct history_op *op);
void history__opening_step(struct history *history, const struct model *model,
                           struct history_op *op);

/* The imports of the whole world, to begin with. */
void history__scripts_begin(struct history *history);
bool history__scripts_running(const struct history *history);

/* A name for @section, often in full. */
Carillon__SectionName *history__name(struct history *history, const struct model *model,
                                     int section);
/* A section, mostly one of those in demand. */
int history__section(struct history *history, const struct model *model);
/* A token, mostly of a student who exists. */
char *history__student_token(struct history *history);

#endif
