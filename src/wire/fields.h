/* wire/fields.h -- the fields of a packed Protobuf message one after another, without unpacking
 * it.
 *
 * Layer: wire (base)
 *
 * For looking at one field of a message that somebody else will unpack. Nothing is allocated;
 * what is in a message inside is not looked at.
 */
#ifndef CARILLON_WIRE_FIELDS_H
#define CARILLON_WIRE_FIELDS_H

#include <stdbool.h>

#include "base/slice.h"

/* As Protobuf numbers them. */
enum field_type {
    FIELD_VARINT = 0,
    FIELD_FIXED64 = 1,
    FIELD_BYTES = 2,
    FIELD_FIXED32 = 5,
};

struct field {
    uint32_t number;
    enum field_type type;
    struct slice bytes; /* of FIELD_BYTES: its contents; of the others: as they lie there */
};

struct fields {
    struct slice rest;
    bool failed;
};

static inline struct fields fields_from(struct slice message)
{
    return (struct fields){message, false};
}

/* Returns: false at the end, or when what follows is no field; fields->failed tells which. */
bool fields_next(struct fields *fields, struct field *ret_field);

#endif
