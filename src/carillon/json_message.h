/* carillon/json_message.h -- any Protobuf message to JSON and back, by protobuf-c's
 * descriptors.
 *
 * Layer: carillon (json-c)     Spec: src/carillon/README.md, "JSON"
 *
 * Field names are those of proto/. Numbers are numbers, enums their names, bytes and fixed64
 * (hashes) hexadecimal text, a message that is absent null. Every field is printed, so that a
 * reader never has to guess a default. Reading takes the same and is lenient where it is safe:
 * absent fields keep their defaults, enums may be numbers, 16 bytes may be written as a UUID; a
 * name that the message does not have is an error.
 *
 * Both directions follow the schema and stop at JSON_MESSAGE_DEPTH_MAX levels.
 */
#ifndef CARILLON_CARILLON_JSON_MESSAGE_H
#define CARILLON_CARILLON_JSON_MESSAGE_H

#include "wire/method.h"
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

enum { JSON_MESSAGE_DEPTH_MAX = 12 };

/* Write @message as one line of JSON. */
void json_message_print(FILE *out, const ProtobufCMessage *message);

/* Write {"error": NAME, "text": TEXT}. */
void json_error_print(FILE *out, const char *name, const char *text);

/* Write @text as a JSON string. */
void json_text_print(FILE *out, const char *text);

struct json_message_error {
    char text[256]; /* where and what: "sections[2].capacity: a number from 0 to 4294967295 is
                       expected" */
};

/* Read @json as a message of @type into @arena.
 *
 * Returns: NULL with @ret_error filled when it is not JSON, not of the schema, or nested too
 * deep.
 */
ProtobufCMessage *json_message_parse(struct slice json, const ProtobufCMessageDescriptor *type,
                                     struct arena *arena, struct json_message_error *ret_error);

#endif
