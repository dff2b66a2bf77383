/* carillon/import_json.h -- reading the fields of a JSON record through a table of names.
 *
 * Layer: carillon     Spec: docs/spec/import.md
 */
#ifndef CARILLON_CARILLON_IMPORT_JSON_H
#define CARILLON_CARILLON_IMPORT_JSON_H

#include <json-c/json.h>

#include "carillon/import_context.h"

/* One field of a record: its name, whether it must be there, and what reads it into the
 * message; without a reader it is a text, which goes to a member of the message. null counts as
 * absent and is not passed on. */
struct import_json_field {
    const char *name;
    bool is_required;
    void (*read)(struct import_context *context, void *message, const char *name,
                 struct json_object *value);
    size_t offset;    /* of a text: its char * in the message, */
    size_t bytes_max; /* its bound, */
    unsigned flags;   /* and what import_text is told of it */
};

#define IMPORT_JSON_READ(name, is_required, read)                                              \
    {                                                                                          \
        name, is_required, read, 0, 0, 0                                                       \
    }
#define IMPORT_JSON_TEXT(name, is_required, type, member, bytes_max, flags)                    \
    {                                                                                          \
        name, is_required, NULL, offsetof(type, member), bytes_max, flags                      \
    }
#define IMPORT_JSON_END                                                                        \
    {                                                                                          \
        NULL, false, NULL, 0, 0, 0                                                             \
    }

/* Read every field of @record by the table @fields (ends with a row without name); names that
 * are not in it are reported once each. */
void import_json_read(struct import_context *context, const struct import_json_field *fields,
                      struct json_object *record, void *message);

/* A text value, or the empty slice with a finding. Numbers are taken as they are written. */
struct slice import_json_text(struct import_context *context, const char *field,
                              struct json_object *value);

/* Credits as hundredths. Returns: false with a finding. */
bool import_json_credits(struct import_context *context, const char *field,
                         struct json_object *value, uint32_t *ret_hundredths);

/* A whole number from 1 to @max. Returns: false with the finding @kind. */
bool import_json_number(struct import_context *context, const char *field,
                        struct json_object *value, uint32_t max, enum import_finding kind,
                        uint32_t *ret_number);

/* Report @value as being of the wrong type. */
void import_json_type(struct import_context *context, const char *field, const char *expected,
                      struct json_object *value);

#endif
