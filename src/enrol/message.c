/* From state to reply messages. All of it lies in scratch and is gone with the next request. */
#include "wire/message.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "enrol/fact.h"

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

/* A fact has one place in the cluster, in group 0's log, however often it is asked for. */
Carillon__Receipt *enrol__receipt_of(const struct enrol_work *work)
{
    const struct enrol_fact *fact = work->fact;

    if (fact == NULL) {
        return enrol__receipt(work->enrol, work->entry->term, work->entry->index);
    }
    Carillon__Receipt *receipt = enrol__receipt(work->enrol, fact->term, fact->index);

    receipt->group = 0;
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
