#include "carillon/import_json.h"

#include <math.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "carillon/import_record.h"

enum { JSON_DEPTH_MAX = 64, JSON_FIELDS_MAX = 24 };

struct json_tokener *import_json_open(void)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);

    ASSERT(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    return tokener;
}

void import_json_close(struct json_tokener *tokener)
{
    json_tokener_free(tokener);
}

int import_json_parse(struct import_context *context, struct json_tokener *tokener,
                      struct slice line, struct json_object **ret_record)
{
    struct slice text = slice_trim(line);
    size_t valid = utf8_valid_prefix(text);

    if (valid < text.len) {
        import_find_format(context->report, IMPORT_FOUND_NOT_UTF8, NULL, "at byte %zu",
                           valid + 1);
        return ERR_MALFORMED;
    }
    json_tokener_reset(tokener);
    struct json_object *record =
        json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);

    if (record == NULL || error != json_tokener_success || end != text.len) {
        const char *why = error == json_tokener_continue
                              ? "the object does not end on this line"
                          : error != json_tokener_success ? json_tokener_error_desc(error)
                          : record == NULL                ? "null"
                                                          : "more text after the object";

        import_find_format(context->report, IMPORT_FOUND_NOT_JSON, NULL, "at byte %zu: %s",
                           end + 1, why);
        json_object_put(record);
        return ERR_MALFORMED;
    }
    if (!json_object_is_type(record, json_type_object)) {
        import_find_format(context->report, IMPORT_FOUND_NOT_JSON, NULL, "it is %s",
                           json_type_to_name(json_object_get_type(record)));
        json_object_put(record);
        return ERR_MALFORMED;
    }
    *ret_record = record;
    return OK;
}

static const struct import_json_field *find_field(const struct import_json_field *fields,
                                                  const char *name)
{
    for (const struct import_json_field *field = fields; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

static void read_field(struct import_context *context, const struct import_json_field *field,
                       void *message, const char *name, struct json_object *value)
{
    if (field->read != NULL) {
        field->read(context, message, name, value);
        return;
    }
    char *text = import_text(context, name, import_json_text(context, name, value),
                             field->bytes_max, field->flags);

    memcpy((char *)message + field->offset, &text, sizeof text);
}

void import_json_read(struct import_context *context, const struct import_json_field *fields,
                      struct json_object *record, void *message)
{
    uint32_t seen = 0;

    json_object_object_foreach(record, name, value)
    {
        const struct import_json_field *field = find_field(fields, name);

        if (field == NULL) {
            import_context_find(context, IMPORT_FOUND_FIELD_UNKNOWN, "record",
                                slice_from_text(name));
            continue;
        }
        ASSERT(field - fields < JSON_FIELDS_MAX);
        if (value != NULL) {
            seen |= 1U << (field - fields);
            read_field(context, field, message, field->name, value);
        }
    }
    for (const struct import_json_field *field = fields; field->name != NULL; field++) {
        if (field->is_required && (seen & (1U << (field - fields))) == 0) {
            import_context_find(context, IMPORT_FOUND_FIELD_MISSING, field->name, SLICE_NONE);
        }
    }
}

void import_json_type(struct import_context *context, const char *field, const char *expected,
                      struct json_object *value)
{
    char evidence[80];

    snprintf(evidence, sizeof evidence, "%s instead of %s",
             json_type_to_name(json_object_get_type(value)), expected);
    import_context_find(context, IMPORT_FOUND_FIELD_TYPE, field, slice_from_text(evidence));
}

struct slice import_json_text(struct import_context *context, const char *field,
                              struct json_object *value)
{
    if (json_object_is_type(value, json_type_string)) {
        return slice_from(json_object_get_string(value),
                          (size_t)json_object_get_string_len(value));
    }
    if (json_object_is_type(value, json_type_int)) {
        return slice_from_text(json_object_get_string(value));
    }
    import_json_type(context, field, "string", value);
    return SLICE_NONE;
}

bool import_json_credits(struct import_context *context, const char *field,
                         struct json_object *value, uint32_t *ret_hundredths)
{
    bool is_number = json_object_is_type(value, json_type_double) ||
                     json_object_is_type(value, json_type_int);

    if (!is_number) {
        import_json_type(context, field, "number", value);
        return false;
    }
    double hundredths = json_object_get_double(value) * 100;
    struct slice evidence = slice_from_text(json_object_get_string(value));

    if (!isfinite(hundredths) || hundredths < 0 || hundredths > IMPORT_CREDITS_HUNDREDTHS_MAX) {
        import_context_find(context, IMPORT_FOUND_CREDITS_RANGE, field, evidence);
        return false;
    }
    /* 0.29 * 100 is not 29 in binary: what is within a millionth of a hundredth was written as
     * one. */
    uint32_t rounded = (uint32_t)(hundredths + 0.5);
    double rest = hundredths - (double)rounded;

    if (rest > 1e-6 || rest < -1e-6) {
        import_context_find(context, IMPORT_FOUND_CREDITS_FRACTION, field, evidence);
        return false;
    }
    *ret_hundredths = rounded;
    return true;
}

bool import_json_number(struct import_context *context, const char *field,
                        struct json_object *value, uint32_t max, enum import_finding kind,
                        uint32_t *ret_number)
{
    if (!json_object_is_type(value, json_type_int)) {
        import_json_type(context, field, "whole number", value);
        return false;
    }
    int64_t number = json_object_get_int64(value);

    if (number < 1 || number > (int64_t)max) {
        import_context_find(context, kind, field,
                            slice_from_text(json_object_get_string(value)));
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}
