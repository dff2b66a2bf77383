/* From state to reply messages. All of it lies in scratch and is gone with the next request. */
#include "wire/message.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"

char *enrol__text(struct enrol *enrol, struct slice s)
{
    char *text = arena_alloc(&enrol->scratch, s.len + 1);

    if (s.len > 0) {
        memcpy(text, s.data, s.len);
    }
    text[s.len] = '\0';
    return text;
}

void *enrol__scratch(struct enrol *enrol, size_t bytes)
{
    return arena_alloc_zero(&enrol->scratch, bytes > 0 ? bytes : 1);
}

Carillon__SectionName *enrol__section_message(struct enrol *enrol, uint32_t section)
{
    Carillon__SectionName *message = arena_alloc(&enrol->scratch, sizeof *message);
    struct campus_name name;

    campus_section_name(&enrol->campus, section, &name);
    carillon__section_name__init(message);
    message->institution = enrol__text(enrol, name.institution);
    message->code = enrol__text(enrol, name.code);
    message->section = enrol__text(enrol, name.section);
    message->term = enrol__text(enrol, name.term);
    return message;
}

Carillon__Receipt *enrol__receipt(struct enrol *enrol, uint64_t term, uint64_t index)
{
    Carillon__Receipt *receipt = arena_alloc(&enrol->scratch, sizeof *receipt);

    carillon__receipt__init(receipt);
    receipt->cluster_id = wire_binary(
        slice_from(enrol->config.cluster_id.bytes, sizeof enrol->config.cluster_id.bytes));
    receipt->group = enrol->config.group;
    receipt->term = term;
    receipt->index = index;
    return receipt;
}

Carillon__Receipt *enrol__as_of(struct enrol *enrol)
{
    return enrol__receipt(enrol, enrol->term, enrol->index);
}

int enrol__pack(const ProtobufCMessage *message, struct buf *out)
{
    return wire_pack(message, out) == OK ? OK : ERR_NOSPACE_REPLY;
}

Carillon__Change **enrol__change_messages(struct enrol *enrol, const struct enrol_op *ops,
                                          uint32_t count)
{
    Carillon__Change **list = enrol__scratch(enrol, count * sizeof(Carillon__Change *));

    for (uint32_t i = 0; i < count; i++) {
        list[i] = arena_alloc(&enrol->scratch, sizeof *list[i]);
        carillon__change__init(list[i]);
        list[i]->kind = (Carillon__ChangeKind)ops[i].change;
        list[i]->section = enrol__section_message(enrol, ops[i].section);
        list[i]->waitlist_place = ops[i].place;
    }
    return list;
}

/* What a student can do about each kind of refusal. */
static const char *remedy(uint32_t kind)
{
    switch ((Carillon__RefusalKind)kind) {
    case CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNAVAILABLE:
        return "choose another section, or ask for a permit";
    case CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_AVAILABLE:
        return "join the waitlist";
    case CARILLON__REFUSAL_KIND__REFUSAL_TIME_CONFLICT:
        return "drop the other section in the same request, or choose another time";
    case CARILLON__REFUSAL_KIND__REFUSAL_CREDIT_LOAD_EXCEEDED:
    case CARILLON__REFUSAL_KIND__REFUSAL_COURSE_LIMIT:
        return "drop something in the same request";
    case CARILLON__REFUSAL_KIND__REFUSAL_PREREQUISITE_UNMET:
        return "take this course first, or ask for a permit";
    case CARILLON__REFUSAL_KIND__REFUSAL_COREQUISITE_MISSING:
        return "add or drop both together";
    case CARILLON__REFUSAL_KIND__REFUSAL_LEVEL_RESTRICTED:
    case CARILLON__REFUSAL_KIND__REFUSAL_CREDITS_UNMET:
        return "register when you are further on, or ask for a permit";
    case CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_REGISTERED:
        return "drop the other section in the same request to change sections";
    case CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_TAKEN:
        return "ask for a permit to repeat it";
    case CARILLON__REFUSAL_KIND__REFUSAL_BLOCKED:
        return "have the block lifted";
    case CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_CLOSED:
        return "ask the registrar";
    case CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_NOT_OPEN:
        return "try again when registration is open for you";
    case CARILLON__REFUSAL_KIND__REFUSAL_NOT_REGISTERED:
        return "look at your schedule";
    case CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_FULL:
    case CARILLON__REFUSAL_KIND__REFUSAL_SECTION_WITHDRAWN:
        return "choose another section";
    case CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_WAITLISTED:
        return "wait for a seat, or leave the waitlist";
    case CARILLON__REFUSAL_KIND__REFUSAL_STUDENT_WITHDRAWN:
        return "ask the registrar";
    case CARILLON__REFUSAL_KIND__REFUSAL_DUPLICATE_OP:
        return "name each section once";
    case CARILLON__REFUSAL_KIND__REFUSAL_NONE:
    case CARILLON__REFUSAL_KIND__REFUSAL_UNKNOWN_COURSE:
    case CARILLON__REFUSAL_KIND__REFUSAL_UNKNOWN_SECTION:
    case CARILLON__REFUSAL_KIND__REFUSAL_UNKNOWN_STUDENT:
    case CARILLON__REFUSAL_KIND__REFUSAL_AMBIGUOUS_NAME:
    case _CARILLON__REFUSAL_KIND_IS_INT_SIZE:
        break;
    }
    return "";
}

Carillon__Refusal **enrol__refusal_messages(struct enrol_attempt *attempt)
{
    struct enrol *enrol = attempt->enrol;
    Carillon__Refusal **list =
        enrol__scratch(enrol, attempt->refusal_count * sizeof(Carillon__Refusal *));

    for (uint32_t i = 0; i < attempt->refusal_count; i++) {
        const struct enrol_refusal *refusal = &attempt->refusals[i];

        list[i] = arena_alloc(&enrol->scratch, sizeof *list[i]);
        carillon__refusal__init(list[i]);
        list[i]->kind = (Carillon__RefusalKind)refusal->kind;
        list[i]->op = refusal->op;
        list[i]->rule_node = refusal->rule_node;
        list[i]->evidence = enrol__text(enrol, refusal->evidence);
        list[i]->remedy = wire_text(remedy(refusal->kind));
    }
    return list;
}
