#include "tests/lib/checker.h"

#include "base/assert.h"
#include "tests/lib/history.h"
#include "wire/message.h"
#include "wire/method.h"

static void say(struct buf *why, const char *text)
{
    int status = buf_append_text(why, text);

    ASSERT(status == OK);
}

/* Fields that the specification does not fix, by message and name. */
static const char *const open_fields[][2] = {
    {"Refusal",       "remedy"                },
    {"ScheduleItem",  "title"                 },
    {"ScheduleItem",  "instructors"           },
    {"ScheduleItem",  "meeting_location"      },
    {"WaitlistItem",  "title"                 },
    {"BlockItem",     "by"                    },
    {"PermitItem",    "by"                    },
    {"PermitItem",    "reason"                },
    {"ScheduleReply", "courses_max"           },
    {"ScheduleReply", "credits_max_hundredths"},
    {"RosterReply",   "title"                 },
    {"RosterReply",   "next_cursor"           },
    {"CheckReply",    "as_of"                 },
};

bool checker_is_open(const ProtobufCMessageDescriptor *type,
                     const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < sizeof open_fields / sizeof open_fields[0]; i++) {
        if (strcmp(open_fields[i][0], type->short_name) == 0 &&
            strcmp(open_fields[i][1], field->name) == 0) {
            return true;
        }
    }
    return false;
}

/* Refusals that the specification gives no evidence may carry any. */
static bool is_open_evidence(const ProtobufCFieldDescriptor *field, const char *expected)
{
    return expected[0] == '\0' && (strcmp(field->name, "evidence") == 0 ||
                                   strcmp(field->name, "last_skip_evidence") == 0);
}

static bool is_value_equal(const ProtobufCFieldDescriptor *field, const void *a, const void *b,
                           struct buf *why)
{
    const ProtobufCBinaryData *bytes = a;
    const ProtobufCBinaryData *others = b;
    const ProtobufCMessage *message;
    const ProtobufCMessage *other;

    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return strcmp(*(char *const *)a, *(char *const *)b) == 0 ||
               is_open_evidence(field, *(char *const *)a);
    case PROTOBUF_C_TYPE_BYTES:
        return slice_is_equal(wire_bytes(*bytes), wire_bytes(*others));
    case PROTOBUF_C_TYPE_MESSAGE:
        message = *(const ProtobufCMessage *const *)a;
        other = *(const ProtobufCMessage *const *)b;
        if (message == NULL || other == NULL) {
            return message == other;
        }
        return checker_message(message, other, why);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return memcmp(a, b, sizeof(uint64_t)) == 0;
    default:
        return memcmp(a, b, sizeof(uint32_t)) == 0;
    }
}

static size_t value_bytes(const ProtobufCFieldDescriptor *field)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

static bool is_field_equal(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *a,
                           const ProtobufCMessage *b, struct buf *why)
{
    const char *at = (const char *)a + field->offset;
    const char *other = (const char *)b + field->offset;
    size_t count = 1;
    size_t other_count = 1;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, (const char *)a + field->quantifier_offset, sizeof count);
        memcpy(&other_count, (const char *)b + field->quantifier_offset, sizeof other_count);
        at = *(const char *const *)(const void *)at; /* the list itself */
        other = *(const char *const *)(const void *)other;
    }
    if (count != other_count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_value_equal(field, at + i * value_bytes(field), other + i * value_bytes(field),
                            why)) {
            return false;
        }
    }
    return true;
}

bool checker_message(const ProtobufCMessage *expected, const ProtobufCMessage *actual,
                     struct buf *why)
{
    ASSERT(expected->descriptor == actual->descriptor);
    for (unsigned i = 0; i < expected->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &expected->descriptor->fields[i];

        if (!checker_is_open(expected->descriptor, field) &&
            !is_field_equal(field, expected, actual, why)) {
            say(why, expected->descriptor->short_name);
            say(why, ".");
            say(why, field->name);
            say(why, " differs; ");
            return false;
        }
    }
    return true;
}

static bool compare(const ProtobufCMessage *expected, struct slice reply, struct buf *why)
{
    ProtobufCMessage *actual =
        protobuf_c_message_unpack(expected->descriptor, NULL, reply.len, reply.data);
    bool is_equal;

    if (actual == NULL) {
        say(why, "the reply does not decode");
        return false;
    }
    is_equal = checker_message(expected, actual, why);
    if (!is_equal) {
        say(why, "\n  expected ");
        history_message_words(expected, why);
        say(why, "\n  got      ");
        history_message_words(actual, why);
    }
    protobuf_c_message_free_unpacked(actual, NULL);
    return is_equal;
}

bool checker_reply(const ProtobufCMessageDescriptor *type, struct slice expected,
                   struct slice actual, struct buf *why)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, NULL, expected.len, expected.data);
    bool is_equal;

    ASSERT(message != NULL);
    is_equal = compare(message, actual, why);
    protobuf_c_message_free_unpacked(message, NULL);
    return is_equal;
}

static void words(const ProtobufCMessageDescriptor *type, struct slice reply, struct buf *out)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, reply.len, reply.data);

    if (message != NULL) {
        history_message_words(message, out);
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

static bool is_status_equal(int expected, int actual, struct buf *why)
{
    if (expected == actual) {
        return true;
    }
    say(why, "expected ");
    say(why, error_name(expected));
    say(why, ", got ");
    say(why, error_name(actual));
    return false;
}

bool checker_answer(const struct model_result *expected, uint32_t method,
                    const struct checker_answer *actual, struct buf *why)
{
    const struct method *row = method_get(method);

    if (!is_status_equal(expected->status, actual->status, why)) {
        if (actual->status == ERR_REFUSED || expected->status == ERR_REFUSED) {
            say(why, "\n  expected ");
            words(row->reply, expected->reply, why);
            say(why, "\n  got      ");
            words(row->reply, actual->reply, why);
        }
        return false;
    }
    if (expected->is_repeated != actual->is_repeated) {
        say(why, expected->is_repeated ? "expected the answer of a repeated key"
                                       : "expected the first answer of this key");
        return false;
    }
    if (expected->index != actual->index) {
        say(why, "the answer stems from another entry");
        return false;
    }
    if (row == NULL || (expected->status != OK && expected->status != ERR_REFUSED)) {
        return true;
    }
    return checker_reply(row->reply, expected->reply, actual->reply, why);
}

bool checker_check(const struct model_result *expected, int status, struct slice reply,
                   struct buf *why)
{
    Carillon__CheckReply check = CARILLON__CHECK_REPLY__INIT;
    Carillon__SubmitReply *submit;
    bool is_equal;

    if (!is_status_equal(expected->status, status, why)) {
        say(why, "\n  got      ");
        words(&carillon__check_reply__descriptor, reply, why);
        return false;
    }
    if (expected->status != OK && expected->status != ERR_REFUSED) {
        return true;
    }
    submit = carillon__submit_reply__unpack(NULL, expected->reply.len, expected->reply.data);
    ASSERT(submit != NULL);
    check.n_changes = submit->n_changes;
    check.changes = submit->changes;
    check.n_refusals = submit->n_refusals;
    check.refusals = submit->refusals;
    is_equal = compare(&check.base, reply, why);
    carillon__submit_reply__free_unpacked(submit, NULL);
    return is_equal;
}
