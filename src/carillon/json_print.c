#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "carillon/json_message.h"
#include "carillon/json_private.h"

static void print_message(FILE *out, const ProtobufCMessage *message, unsigned depth);

void json_text_print(FILE *out, const char *text)
{
    struct slice s = slice_from_text(text);

    fputc('"', out);
    for (size_t at = 0, len = 0; at < s.len; at += len) {
        uint32_t point = utf8_decode(s, at, &len);
        uint8_t byte = s.data[at];

        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            fprintf(out, "\\u%04x", byte);
        } else if (point == 0xfffd) {
            fputs("\xef\xbf\xbd", out); /* also for a bad byte: the output stays UTF-8 */
        } else {
            fwrite(s.data + at, 1, len, out);
        }
    }
    fputc('"', out);
}

void json_error_print(FILE *out, const char *name, const char *text)
{
    fputs("{\"error\":", out);
    json_text_print(out, name);
    fputs(",\"text\":", out);
    json_text_print(out, text);
    fputs("}\n", out);
}

static void print_bytes(FILE *out, const ProtobufCBinaryData *data)
{
    fputc('"', out);
    for (size_t i = 0; i < data->len; i++) {
        fprintf(out, "%02x", data->data[i]);
    }
    fputc('"', out);
}

static void print_enum(FILE *out, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(type, value);

    if (row == NULL) {
        fprintf(out, "%d", value);
        return;
    }
    json_text_print(out, row->name);
}

/* One value of the field's type at @at. */
static void print_value(FILE *out, const ProtobufCFieldDescriptor *field, const void *at,
                        unsigned depth)
{
    const char *const *text = at;
    const ProtobufCMessage *const *message = at;

    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        fprintf(out, "%" PRIu32, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
        fprintf(out, "%" PRIu64, *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_FIXED64:
        fprintf(out, "\"%016" PRIx64 "\"", *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        fputs(*(const protobuf_c_boolean *)at ? "true" : "false", out);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(out, field->descriptor, *(const int *)at);
        break;
    case PROTOBUF_C_TYPE_STRING:
        json_text_print(out, *text == NULL ? "" : *text);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        print_bytes(out, at);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        print_message(out, *message, depth + 1);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        fprintf(out, "%" PRId32, *(const int32_t *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        fprintf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    default:
        fputs("null", out); /* no schema of ours has one */
        break;
    }
}

size_t json__element_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
    default:
        return sizeof(uint32_t);
    }
}

static void print_list(FILE *out, const ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field, unsigned depth)
{
    const uint8_t *base = (const uint8_t *)message;
    size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
    const uint8_t *items = *(const uint8_t *const *)(const void *)(base + field->offset);
    size_t step = json__element_bytes(field->type);

    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            fputc(',', out);
        }
        print_value(out, field, items + i * step, depth);
    }
    fputc(']', out);
}

static void print_message(FILE *out, const ProtobufCMessage *message, unsigned depth)
{
    if (message == NULL || depth > JSON_MESSAGE_DEPTH_MAX) {
        fputs("null", out);
        return;
    }
    fputc('{', out);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

        if (i > 0) {
            fputc(',', out);
        }
        json_text_print(out, field->name);
        fputc(':', out);
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            print_list(out, message, field, depth);
        } else {
            print_value(out, field, (const uint8_t *)message + field->offset, depth);
        }
    }
    fputc('}', out);
}

void json_message_print(FILE *out, const ProtobufCMessage *message)
{
    print_message(out, message, 0);
    fputc('\n', out);
}
