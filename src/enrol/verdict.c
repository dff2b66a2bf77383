#include "enrol/verdict.h"

#include "base/assert.h"
#include "wire/field.h"

/* Numbers of fields in proto/registration.proto: the lists follow one another, in both replies
 * in the same order. */
struct layout {
    uint32_t receipt;
    uint32_t changes;
    uint32_t refusals;
};

static const struct layout submit_layout = {1, 2, 3};
static const struct layout check_layout = {3, 1, 2};

/* A message's length stands before it, so every length is known before the first byte. */
struct lengths {
    size_t names[ENROL_OPS_MAX];
    size_t changes[ENROL_OPS_MAX];
    size_t refusals[ENROL_REFUSALS_MAX];
    size_t receipt;
    size_t all;
};

struct slice enrol__remedy(uint32_t kind)
{
    switch ((Carillon__RefusalKind)kind) {
    case CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNAVAILABLE:
        return SLICE_LITERAL("choose another section, or ask for a permit");
    case CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_AVAILABLE:
        return SLICE_LITERAL("join the waitlist");
    case CARILLON__REFUSAL_KIND__REFUSAL_TIME_CONFLICT:
        return SLICE_LITERAL(
            "drop the other section in the same request, or choose another time");
    case CARILLON__REFUSAL_KIND__REFUSAL_CREDIT_LOAD_EXCEEDED:
    case CARILLON__REFUSAL_KIND__REFUSAL_COURSE_LIMIT:
        return SLICE_LITERAL("drop something in the same request");
    case CARILLON__REFUSAL_KIND__REFUSAL_PREREQUISITE_UNMET:
        return SLICE_LITERAL("take this course first, or ask for a permit");
    case CARILLON__REFUSAL_KIND__REFUSAL_COREQUISITE_MISSING:
        return SLICE_LITERAL("add or drop both together");
    case CARILLON__REFUSAL_KIND__REFUSAL_LEVEL_RESTRICTED:
    case CARILLON__REFUSAL_KIND__REFUSAL_CREDITS_UNMET:
        return SLICE_LITERAL("register when you are further on, or ask for a permit");
    case CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_REGISTERED:
        return SLICE_LITERAL("drop the other section in the same request to change sections");
    case CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_TAKEN:
        return SLICE_LITERAL("ask for a permit to repeat it");
    case CARILLON__REFUSAL_KIND__REFUSAL_BLOCKED:
        return SLICE_LITERAL("have the block lifted");
    case CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_CLOSED:
        return SLICE_LITERAL("ask the registrar");
    case CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_NOT_OPEN:
        return SLICE_LITERAL("try again when registration is open for you");
    case CARILLON__REFUSAL_KIND__REFUSAL_NOT_REGISTERED:
        return SLICE_LITERAL("look at your schedule");
    case CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_FULL:
    case CARILLON__REFUSAL_KIND__REFUSAL_SECTION_WITHDRAWN:
        return SLICE_LITERAL("choose another section");
    case CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_WAITLISTED:
        return SLICE_LITERAL("wait for a seat, or leave the waitlist");
    case CARILLON__REFUSAL_KIND__REFUSAL_STUDENT_WITHDRAWN:
        return SLICE_LITERAL("ask the registrar");
    case CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNDECIDED:
        return SLICE_LITERAL("try again: whether the seat is taken is being decided");
    case CARILLON__REFUSAL_KIND__REFUSAL_DUPLICATE_OP:
        return SLICE_LITERAL("name each section once");
    case CARILLON__REFUSAL_KIND__REFUSAL_NONE:
    case CARILLON__REFUSAL_KIND__REFUSAL_UNKNOWN_COURSE:
    case CARILLON__REFUSAL_KIND__REFUSAL_UNKNOWN_SECTION:
    case CARILLON__REFUSAL_KIND__REFUSAL_UNKNOWN_STUDENT:
    case CARILLON__REFUSAL_KIND__REFUSAL_AMBIGUOUS_NAME:
    case _CARILLON__REFUSAL_KIND_IS_INT_SIZE:
        break;
    }
    return SLICE_NONE;
}

static size_t message_bytes(size_t len)
{
    return 1 + field_varint_bytes(len) + len;
}

static size_t name_bytes(const struct campus_name *name)
{
    return field_len_bytes(name->institution.len) + field_len_bytes(name->code.len) +
           field_len_bytes(name->section.len) + field_len_bytes(name->term.len);
}

static size_t refusal_bytes(const struct enrol_refusal *refusal)
{
    return field_number_bytes(refusal->kind) + field_number_bytes(refusal->op) +
           field_number_bytes(refusal->rule_node) + field_len_bytes(refusal->evidence.len) +
           field_len_bytes(enrol__remedy(refusal->kind).len);
}

static void measure(const struct enrol *enrol, const struct enrol_verdict *verdict,
                    struct lengths *ret)
{
    struct campus_name name;

    ret->receipt = field_len_bytes(sizeof enrol->config.cluster_id.bytes) +
                   field_number_bytes(enrol->config.group) + field_number_bytes(verdict->term) +
                   field_number_bytes(verdict->index);
    ret->all = message_bytes(ret->receipt);
    for (uint32_t i = 0; i < verdict->op_count; i++) {
        const struct enrol_op *op = &verdict->ops[i];

        campus_section_name(&enrol->campus, op->section, &name);
        ret->names[i] = name_bytes(&name);
        ret->changes[i] = field_number_bytes(op->change) + message_bytes(ret->names[i]) +
                          field_number_bytes(op->place);
        ret->all += message_bytes(ret->changes[i]);
    }
    for (uint32_t i = 0; i < verdict->refusal_count; i++) {
        ret->refusals[i] = refusal_bytes(&verdict->refusals[i]);
        ret->all += message_bytes(ret->refusals[i]);
    }
}

static uint8_t *put_receipt(uint8_t *to, uint32_t number, const struct enrol *enrol,
                            const struct enrol_verdict *verdict, size_t len)
{
    const struct uuid *cluster = &enrol->config.cluster_id;

    to = field_put_head(to, number, len);
    to = field_put_bytes(to, 1, slice_from(cluster->bytes, sizeof cluster->bytes));
    to = field_put_number(to, 2, enrol->config.group);
    to = field_put_number(to, 3, verdict->term);
    return field_put_number(to, 4, verdict->index);
}

static uint8_t *put_change(uint8_t *to, const struct enrol *enrol, const struct enrol_op *op,
                           size_t name_len)
{
    struct campus_name name;

    campus_section_name(&enrol->campus, op->section, &name);
    to = field_put_number(to, 1, op->change);
    to = field_put_head(to, 2, name_len);
    to = field_put_bytes(to, 1, name.institution);
    to = field_put_bytes(to, 2, name.code);
    to = field_put_bytes(to, 3, name.section);
    to = field_put_bytes(to, 4, name.term);
    return field_put_number(to, 3, op->place);
}

static uint8_t *put_refusal(uint8_t *to, const struct enrol_refusal *refusal)
{
    to = field_put_number(to, 1, refusal->kind);
    to = field_put_number(to, 2, refusal->op);
    to = field_put_number(to, 3, refusal->rule_node);
    to = field_put_bytes(to, 4, refusal->evidence);
    return field_put_bytes(to, 5, enrol__remedy(refusal->kind));
}

static int pack(const struct enrol *enrol, const struct layout *layout,
                const struct enrol_verdict *verdict, struct buf *out)
{
    struct lengths lengths;

    measure(enrol, verdict, &lengths);
    if (buf_reserve(out, lengths.all) != OK) {
        return ERR_NOSPACE_REPLY;
    }
    uint8_t *to = out->data + out->len;

    if (layout->receipt < layout->changes) {
        to = put_receipt(to, layout->receipt, enrol, verdict, lengths.receipt);
    }
    for (uint32_t i = 0; i < verdict->op_count; i++) {
        to = field_put_head(to, layout->changes, lengths.changes[i]);
        to = put_change(to, enrol, &verdict->ops[i], lengths.names[i]);
    }
    for (uint32_t i = 0; i < verdict->refusal_count; i++) {
        to = field_put_head(to, layout->refusals, lengths.refusals[i]);
        to = put_refusal(to, &verdict->refusals[i]);
    }
    if (layout->receipt > layout->changes) {
        to = put_receipt(to, layout->receipt, enrol, verdict, lengths.receipt);
    }
    ASSERT((size_t)(to - out->data) == out->len + lengths.all);
    out->len += lengths.all;
    return OK;
}

int enrol__submit_reply(const struct enrol *enrol, const struct enrol_verdict *verdict,
                        struct buf *out)
{
    return pack(enrol, &submit_layout, verdict, out);
}

int enrol__check_reply(const struct enrol *enrol, const struct enrol_verdict *verdict,
                       struct buf *out)
{
    return pack(enrol, &check_layout, verdict, out);
}
