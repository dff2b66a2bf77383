#include "wire/fields.h"

enum { VARINT_BYTES_MAX = 10, NUMBER_BITS = 29 };

static bool fail(struct fields *fields)
{
    fields->failed = true;
    return false;
}

static bool take(struct fields *fields, uint64_t len, struct slice *ret_bytes)
{
    if (len > fields->rest.len) {
        return fail(fields);
    }
    *ret_bytes = slice_sub(fields->rest, 0, (size_t)len);
    fields->rest = slice_sub(fields->rest, (size_t)len, SIZE_MAX);
    return true;
}

static bool take_varint(struct fields *fields, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < fields->rest.len && i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = fields->rest.data[i];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            fields->rest = slice_sub(fields->rest, i + 1, SIZE_MAX);
            *ret_value = value;
            return true;
        }
    }
    return fail(fields);
}

bool fields_next(struct fields *fields, struct field *ret_field)
{
    const uint8_t *start;
    uint64_t tag;
    uint64_t value;

    if (fields->rest.len == 0 || fields->failed || !take_varint(fields, &tag)) {
        return false;
    }
    if (tag >> 3 == 0 || tag >> 3 >= 1U << NUMBER_BITS) {
        return fail(fields);
    }
    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->type = (enum field_type)(tag & 7);
    start = fields->rest.data;
    switch (tag & 7) {
    case FIELD_VARINT:
        if (!take_varint(fields, &value)) {
            return false;
        }
        ret_field->bytes = slice_from(start, (size_t)(fields->rest.data - start));
        return true;
    case FIELD_FIXED64:
        return take(fields, 8, &ret_field->bytes);
    case FIELD_FIXED32:
        return take(fields, 4, &ret_field->bytes);
    case FIELD_BYTES:
        return take_varint(fields, &value) && take(fields, value, &ret_field->bytes);
    default:
        return fail(fields); /* groups went out of use before our first message */
    }
}
