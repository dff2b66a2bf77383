/* enrol/verdict.h -- the replies to submit and check, written where they go.
 *
 * Layer: enrol (base, wire, campus)     Spec: proto/registration.proto
 */
#ifndef CARILLON_ENROL_VERDICT_H
#define CARILLON_ENROL_VERDICT_H

#include "enrol/enrol_private.h"

/* What came of a request, or would: a change for each op, or every refusal. */
struct enrol_verdict {
    uint64_t term; /* of the receipt */
    uint64_t index;
    const struct enrol_op *ops;
    uint32_t op_count;
    const struct enrol_refusal *refusals;
    uint32_t refusal_count;
};

/* Append the packed SubmitReply; the packed CheckReply. The bytes are those that protobuf-c
 * makes of the same messages. Errors: ERR_NOSPACE_REPLY, nothing appended. */
int enrol__submit_reply(const struct enrol *enrol, const struct enrol_verdict *verdict,
                        struct buf *out) CHECKED;
int enrol__check_reply(const struct enrol *enrol, const struct enrol_verdict *verdict,
                       struct buf *out) CHECKED;

/* What a student can do about a refusal of this kind (enum RefusalKind). */
struct slice enrol__remedy(uint32_t kind);

#endif
