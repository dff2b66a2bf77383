#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "carillon/json_message.h"
#include "carillon/json_private.h"

enum { PATH_BYTES = 96 };

struct reader {
    struct arena *arena;
    struct json_message_error *error;
    char path[PATH_BYTES]; /* of the field at hand */
};

static int parse_message(struct reader *reader, struct json_object *json,
                         ProtobufCMessage *message, unsigned depth);

static int fail(struct reader *reader, const char *what)
{
    (void)snprintf(reader->error->text, sizeof reader->error->text, "%s%s%s", reader->path,
                   reader->path[0] != '\0' ? ": " : "", what);
    return ERR_MALFORMED;
}

static int parse_unsigned(struct reader *reader, struct json_object *json, uint64_t max,
                          uint64_t *ret_value)
{
    /* json-c keeps whole numbers above INT64_MAX as uint64, and below 0 as int64. */
    if (!json_object_is_type(json, json_type_int) || json_object_get_int64(json) < 0 ||
        json_object_get_uint64(json) > max) {
        return fail(reader, max == UINT32_MAX
                                ? "a whole number from 0 to 4294967295 is expected"
                                : "a whole number from 0 on is expected");
    }
    *ret_value = json_object_get_uint64(json);
    return OK;
}

static int parse_text(struct reader *reader, struct json_object *json, char **ret_text)
{
    if (!json_object_is_type(json, json_type_string)) {
        return fail(reader, "a text is expected");
    }
    const char *text = json_object_get_string(json);
    size_t len = (size_t)json_object_get_string_len(json);

    if (strlen(text) != len || !utf8_is_valid(slice_from(text, len))) {
        return fail(reader, "a text without U+0000, in UTF-8, is expected");
    }
    *ret_text = arena_alloc(reader->arena, len + 1);
    memcpy(*ret_text, text, len + 1);
    return OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int parse_bytes(struct reader *reader, struct json_object *json,
                       ProtobufCBinaryData *ret_data)
{
    const char *text = json_object_get_string(json);
    struct uuid uuid;

    if (!json_object_is_type(json, json_type_string)) {
        return fail(reader, "hexadecimal text is expected");
    }
    if (uuid_parse(slice_from_text(text), &uuid) == OK) {
        ret_data->data = arena_alloc(reader->arena, sizeof uuid.bytes);
        ret_data->len = sizeof uuid.bytes;
        memcpy(ret_data->data, uuid.bytes, sizeof uuid.bytes);
        return OK;
    }
    size_t len = strlen(text);
    size_t bytes = len / 2;

    ret_data->data = bytes == 0 ? NULL : arena_alloc(reader->arena, bytes);
    ret_data->len = bytes;
    for (size_t i = 0; i < bytes; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return fail(reader, "hexadecimal text is expected");
        }
        ret_data->data[i] = (uint8_t)(high * 16 + low);
    }
    return len % 2 == 0 ? OK : fail(reader, "an even number of hexadecimal digits is expected");
}

static int parse_fixed64(struct reader *reader, struct json_object *json, uint64_t *ret_value)
{
    ProtobufCBinaryData data = {0, NULL};

    if (json_object_is_type(json, json_type_int)) {
        return parse_unsigned(reader, json, UINT64_MAX, ret_value);
    }
    if (parse_bytes(reader, json, &data) != OK || data.len != sizeof *ret_value) {
        return fail(reader, "16 hexadecimal digits are expected");
    }
    *ret_value = 0;
    ASSERT(data.data != NULL);
    for (size_t i = 0; i < data.len; i++) {
        *ret_value = *ret_value << 8 | data.data[i];
    }
    return OK;
}

static int parse_enum(struct reader *reader, struct json_object *json,
                      const ProtobufCEnumDescriptor *type, int *ret_value)
{
    const ProtobufCEnumValue *row = NULL;

    if (json_object_is_type(json, json_type_string)) {
        row = protobuf_c_enum_descriptor_get_value_by_name(type, json_object_get_string(json));
    } else if (json_object_is_type(json, json_type_int)) {
        row = protobuf_c_enum_descriptor_get_value(type, json_object_get_int(json));
    }
    if (row == NULL) {
        char text[96];

        snprintf(text, sizeof text, "a name of %s is expected, like %s", type->short_name,
                 type->n_values > 1 ? type->values[1].name : type->values[0].name);
        return fail(reader, text);
    }
    *ret_value = row->value;
    return OK;
}

static int parse_child(struct reader *reader, struct json_object *json,
                       const ProtobufCMessageDescriptor *type, void *at, unsigned depth)
{
    ProtobufCMessage *child = arena_alloc_zero(reader->arena, type->sizeof_message);

    protobuf_c_message_init(type, child);
    *(ProtobufCMessage **)at = child;
    return parse_message(reader, json, child, depth + 1);
}

static int parse_value(struct reader *reader, struct json_object *json,
                       const ProtobufCFieldDescriptor *field, void *at, unsigned depth)
{
    uint64_t number = 0;
    int error = OK;

    if (field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32) {
        error = parse_unsigned(reader, json, UINT32_MAX, &number);
        *(uint32_t *)at = (uint32_t)number;
        return error;
    }
    if (field->type == PROTOBUF_C_TYPE_UINT64) {
        return parse_unsigned(reader, json, UINT64_MAX, at);
    }
    if (field->type == PROTOBUF_C_TYPE_FIXED64) {
        return parse_fixed64(reader, json, at);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        *(protobuf_c_boolean *)at = json_object_get_boolean(json);
        return json_object_is_type(json, json_type_boolean)
                   ? OK
                   : fail(reader, "true or false is expected");
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        return parse_enum(reader, json, field->descriptor, at);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return parse_text(reader, json, at);
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return parse_bytes(reader, json, at);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return parse_child(reader, json, field->descriptor, at, depth);
    }
    return fail(reader, "a field of a type that JSON is not read into");
}

static int parse_list(struct reader *reader, struct json_object *json,
                      ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                      unsigned depth)
{
    uint8_t *base = (uint8_t *)message;
    size_t step = json__element_bytes(field->type);
    size_t path_len = strlen(reader->path);

    if (!json_object_is_type(json, json_type_array)) {
        return fail(reader, "a list is expected");
    }
    size_t count = json_object_array_length(json);
    uint8_t *items = count == 0 ? NULL : arena_alloc_zero(reader->arena, count * step);

    for (size_t i = 0; i < count; i++) {
        snprintf(reader->path + path_len, sizeof reader->path - path_len, "[%zu]", i);
        int error = parse_value(reader, json_object_array_get_idx(json, i), field,
                                items + i * step, depth);

        if (error != OK) {
            return error;
        }
    }
    reader->path[path_len] = '\0';
    *(size_t *)(void *)(base + field->quantifier_offset) = count;
    *(uint8_t **)(void *)(base + field->offset) = items;
    return OK;
}

static int parse_message(struct reader *reader, struct json_object *json,
                         ProtobufCMessage *message, unsigned depth)
{
    size_t path_len = strlen(reader->path);

    if (!json_object_is_type(json, json_type_object)) {
        return fail(reader, "an object is expected");
    }
    if (depth > JSON_MESSAGE_DEPTH_MAX) {
        return fail(reader, "nested too deep");
    }
    json_object_object_foreach(json, name, value)
    {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

        snprintf(reader->path + path_len, sizeof reader->path - path_len, "%s%.40s",
                 path_len > 0 ? "." : "", name);
        if (field == NULL) {
            return fail(reader, "the message has no such field");
        }
        int error =
            value == NULL ? OK
            : field->label == PROTOBUF_C_LABEL_REPEATED
                ? parse_list(reader, value, message, field, depth)
                : parse_value(reader, value, field, (uint8_t *)message + field->offset, depth);

        if (error != OK) {
            return error;
        }
        reader->path[path_len] = '\0';
    }
    return OK;
}

ProtobufCMessage *json_message_parse(struct slice json, const ProtobufCMessageDescriptor *type,
                                     struct arena *arena, struct json_message_error *ret_error)
{
    struct reader reader = {.arena = arena, .error = ret_error, .path = ""};
    struct json_tokener *tokener = json_tokener_new_ex(3 * JSON_MESSAGE_DEPTH_MAX);
    ProtobufCMessage *message = arena_alloc_zero(arena, type->sizeof_message);
    struct slice text = slice_trim(json);

    protobuf_c_message_init(type, message);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *object =
        json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.len);
    int error = OK;

    if (object == NULL || json_tokener_get_parse_end(tokener) != text.len) {
        snprintf(ret_error->text, sizeof ret_error->text, "not JSON at byte %zu: %s",
                 json_tokener_get_parse_end(tokener) + 1,
                 json_tokener_error_desc(json_tokener_get_error(tokener)));
        error = ERR_MALFORMED;
    } else {
        error = parse_message(&reader, object, message, 0);
    }
    json_object_put(object);
    json_tokener_free(tokener);
    return error == OK ? message : NULL;
}
