/* Requests and messages in words, for people who look for the cause of a difference. */
#include <protobuf-c/protobuf-c.h>

#include "tests/lib/history_private.h"
#include "wire/method.h"

static void say(struct buf *out, int status)
{
    (void)out;
    ASSERT(status == OK);
}

static void hex_words(struct slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        say(out, buf_append_format(out, "%02x", bytes.data[i]));
    }
}

/* One value of a field; @at points to it. */
static void value_words(const ProtobufCFieldDescriptor *field, const void *at, struct buf *out)
{
    const ProtobufCBinaryData *bytes = at;
    uint64_t number;

    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        say(out, buf_append_format(out, "\"%s\"", *(char *const *)at));
        return;
    case PROTOBUF_C_TYPE_BYTES:
        hex_words(wire_bytes(*bytes), out);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        say(out, buf_append_text(out, "{"));
        history_message_words(*(const ProtobufCMessage *const *)at, out);
        say(out, buf_append_text(out, "}"));
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        memcpy(&number, at, sizeof number);
        say(out, buf_append_format(out, "%llu", (unsigned long long)number));
        return;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)at);

        say(out, buf_append_text(out, value == NULL ? "?" : value->name));
        return;
    }
    default: /* uint32, bool */
        say(out, buf_append_format(out, "%u", *(const uint32_t *)at));
    }
}

static size_t value_bytes(const ProtobufCFieldDescriptor *field)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

/* Whether a field that is not repeated has another value than none. */
static bool is_set(const ProtobufCFieldDescriptor *field, const void *at)
{
    const ProtobufCBinaryData *bytes = at;
    uint64_t number = 0;

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return (*(char *const *)at)[0] != '\0';
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return bytes->len > 0;
    }
    memcpy(&number, at, value_bytes(field));
    return number != 0;
}

void history_message_words(const ProtobufCMessage *message, struct buf *out)
{
    const char *separator = "";

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const char *at = (const char *)message + field->offset;
        size_t count = 1;

        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            memcpy(&count, (const char *)message + field->quantifier_offset, sizeof count);
            at = *(const char *const *)(const void *)at; /* the list itself */
        } else if (!is_set(field, at)) {
            continue;
        }
        for (size_t j = 0; j < count; j++) {
            say(out, buf_append_format(out, "%s%s=", separator, field->name));
            value_words(field, at + j * value_bytes(field), out);
            separator = " ";
        }
    }
}

void history_words(const struct history_op *op, struct buf *out)
{
    const struct method *method = method_get(op->method);
    ProtobufCMessage *message = NULL;

    say(out, buf_append_format(out, "at %llu ", (unsigned long long)op->wall_ms));
    if (op->method == 0) {
        say(out, buf_append_text(out, "time passes"));
        return;
    }
    say(out, buf_append_text(out, method == NULL ? "?" : method->name));
    say(out, buf_append_text(out, " key "));
    hex_words(slice_from(op->key, op->key_len), out);
    say(out, buf_append_text(out, ": "));
    if (method != NULL) {
        message = protobuf_c_message_unpack(method->request, NULL, op->body.len, op->body.data);
    }
    if (message == NULL) {
        say(out, buf_append_format(out, "%zu bytes that do not decode", op->body.len));
        return;
    }
    history_message_words(message, out);
    protobuf_c_message_free_unpacked(message, NULL);
}
