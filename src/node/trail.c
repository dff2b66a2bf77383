/* What the audit trail says of an entry that was applied. */
#include "enrol/across_message.h"
#include "enrol/fact.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

/* The words of the notes for the audit trail: a line each. */
static void notes_describe(const struct shard *shard)
{
    struct node *node = shard->node;
    static const char *const verbs[] = {"", "promoted", "dropped on promotion", "passed over"};
    const struct campus *campus = enrol_campus(shard->enrol);
    const struct enrol_result *result = &node->result;
    int rc = OK;

    buf_clear(&node->notes);
    for (size_t i = 0; i < enrol_note_count(result) && rc == OK; i++) {
        struct enrol_note note = enrol_note_at(result, i);
        const struct campus_section *section = campus_section(campus, note.section);
        const struct campus_code *code =
            campus_code(campus, campus_course(campus, section->course)->code);
        struct slice token =
            campus_profile_token(campus_student(campus, note.student)->profile);
        struct slice course = campus_word(campus, code->word)->text;
        struct slice id = campus_section_id(section);
        struct slice why =
            slice_sub(buf_slice(&result->note_text), note.text_at, note.text_len);

        rc = buf_append_format(&node->notes, "%s%.*s %s %.*s#%.*s%s%.*s", i > 0 ? "\n" : "",
                               (int)token.len, (const char *)token.data, verbs[note.kind],
                               (int)course.len, (const char *)course.data, (int)id.len,
                               (const char *)id.data, why.len > 0 ? ": " : "", (int)why.len,
                               (const char *)why.data);
    }
}

/* Who asked for a registrar's change. */
static struct slice asked_by(struct node *node, uint32_t number, struct slice body)
{
    const struct method *method = method_get(number);

    if (method == NULL) {
        return SLICE_NONE;
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(method->request, "by");
    if (field == NULL || field->type != PROTOBUF_C_TYPE_STRING) {
        return SLICE_NONE;
    }
    const char *message = wire_unpack(method->request, body, &node->scratch);
    const char *by = NULL;
    if (message != NULL) {
        memcpy(&by, message + field->offset, sizeof by);
    }
    return slice_from_text(by);
}

/* What somebody asked for, in the words that he used: an entry between shards carries the request
 * that it is for. */
static void describe_request(struct node *node, const struct enrol_entry *entry,
                             struct audit_record *record)
{
    struct unpack in = unpack_from(entry->body);
    struct across_decide decide;
    struct enrol_fact fact;

    record->method = entry->method;
    record->body = entry->body;
    if (entry->method == ENROL_ENTRY_FACT && enrol_fact_unpack(entry->body, &fact) == OK) {
        record->method = fact.method;
        record->body = fact.body;
    } else if (entry->method == ENROL_ENTRY_DECIDE && entry->key.len > 0) {
        across_take_decide(&in, &decide);
        record->method = CARILLON__METHOD__METHOD_SUBMIT;
        record->body = in.failed ? SLICE_NONE : decide.request;
    } else if (entry->method == ENROL_ENTRY_PERMIT) {
        record->method = CARILLON__METHOD__METHOD_PERMIT;
        record->body = unpack_bytes(&in);
    } else if (entry->method == ENROL_ENTRY_RESERVE || entry->method == ENROL_ENTRY_SETTLE ||
               entry->method == ENROL_ENTRY_SETTLED) {
        record->body = SLICE_NONE; /* what a student has taken is his home's to tell */
        record->reply = SLICE_NONE;
    }
    if (record->method == CARILLON__METHOD__METHOD_IMPORT_CHUNK) {
        record->body = SLICE_NONE;
    } else if (record->method != CARILLON__METHOD__METHOD_SUBMIT) {
        record->by = asked_by(node, record->method, record->body);
    }
}

void node__trail_entry(struct shard *shard, const struct enrol_entry *entry)
{
    struct node *node = shard->node;
    const struct enrol_result *result = &node->result;
    struct audit_record record = {
        .index = entry->index,
        .wall_ms = entry->wall_ms,
        .status = (uint32_t)-result->status,
        .reply = buf_slice(&result->reply),
    };

    if (entry->index <= shard->audit_from) {
        return;
    }
    describe_request(node, entry, &record);
    if (result->student != CAMPUS_NONE) {
        record.student = campus_profile_token(
            campus_student(enrol_campus(shard->enrol), result->student)->profile);
    }
    if (enrol_note_count(result) > 0) {
        notes_describe(shard);
        record.notes = buf_slice(&node->notes);
    }
    audit_append(shard->audit, &record);
}
