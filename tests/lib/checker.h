/* tests/lib/checker.h -- compares what a node answers with what the model says.
 *
 * Every check appends to @why what differs and returns false, or returns true. What the
 * specification leaves open is not compared: remedies and other words for people, titles, and
 * the limits that a schedule of all terms shows.
 */
#ifndef CARILLON_TESTS_CHECKER_H
#define CARILLON_TESTS_CHECKER_H

#include "base/buf.h"
#include "tests/lib/model.h"

/* What a node answered to an entry. */
struct checker_answer {
    int status;
    bool is_repeated;
    uint64_t index;
    struct slice reply;
};

/* An entry's answer. */
bool checker_answer(const struct model_result *expected, uint32_t method,
                    const struct checker_answer *actual, struct buf *why);

/* The answer of CHECK, right before the submit that the model says ends in @expected. */
bool checker_check(const struct model_result *expected, int status, struct slice reply,
                   struct buf *why);

/* Append what SCHEDULE (all terms), ROSTER (all of it) and OUTCOME should reply, packed;
 * @answer is NULL when the key has none. */
void checker_schedule_pack(const struct model *model, int student, struct buf *out);
void checker_roster_pack(const struct model *model, int section, struct buf *out);
void checker_outcome_pack(const struct model *model, const struct model_answer *answer,
                          struct buf *out);

/* Compare two packed replies of one type. */
bool checker_reply(const ProtobufCMessageDescriptor *type, struct slice expected,
                   struct slice actual, struct buf *why);

/* Whether the specification leaves this field of this message open. */
bool checker_is_open(const ProtobufCMessageDescriptor *type,
                     const ProtobufCFieldDescriptor *field);

/* Compare two messages of one type field by field, those that are not compared apart. */
bool checker_message(const ProtobufCMessage *expected, const ProtobufCMessage *actual,
                     struct buf *why);

/* What must be true of @model itself: nobody has a course twice, waits for what he has, or has
 * or waits for what is removed. */
bool checker_model(const struct model *model, struct buf *why);

#endif
