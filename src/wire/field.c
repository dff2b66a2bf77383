#include "wire/field.h"

enum { NUMBER_MAX = (1 << 29) - 1 };

static bool read_varint(struct field_reader *in, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; in->at < in->end && shift < 7 * FIELD_VARINT_BYTES_MAX;
         shift += 7) {
        uint8_t byte = *in->at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct field_reader *in, uint64_t len)
{
    if (len > (uint64_t)(in->end - in->at)) {
        return false;
    }
    in->at += len;
    return true;
}

static bool read_fixed(struct field_reader *in, size_t len, uint64_t *ret_value)
{
    const uint8_t *from = in->at;

    if (!skip(in, len)) {
        return false;
    }
    *ret_value = 0;
    for (size_t i = 0; i < len; i++) {
        *ret_value |= (uint64_t)from[i] << (8 * i);
    }
    return true;
}

bool field_read(struct field_reader *in, struct field *ret_field)
{
    uint64_t tag;

    if (!read_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX) {
        return false;
    }
    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->type = (uint32_t)(tag & 7);
    switch (ret_field->type) {
    case FIELD_VARINT:
        return read_varint(in, &ret_field->value);
    case FIELD_FIXED64:
        return read_fixed(in, 8, &ret_field->value);
    case FIELD_FIXED32:
        return read_fixed(in, 4, &ret_field->value);
    case FIELD_BYTES: {
        uint64_t len;

        if (!read_varint(in, &len)) {
            return false;
        }
        ret_field->bytes = slice_from(in->at, (size_t)len);
        return skip(in, len);
    }
    default:
        return false;
    }
}

uint8_t *field_put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

uint8_t *field_put_number(uint8_t *to, uint32_t number, uint64_t value)
{
    if (value == 0) {
        return to;
    }
    to = field_put_varint(to, (uint64_t)number << 3 | FIELD_VARINT);
    return field_put_varint(to, value);
}

uint8_t *field_put_fixed64(uint8_t *to, uint32_t number, uint64_t value)
{
    if (value == 0) {
        return to;
    }
    *to++ = (uint8_t)(number << 3 | FIELD_FIXED64);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        *to++ = (uint8_t)(value >> shift);
    }
    return to;
}

uint8_t *field_put_head(uint8_t *to, uint32_t number, size_t len)
{
    *to++ = (uint8_t)(number << 3 | FIELD_BYTES);
    return field_put_varint(to, len);
}

uint8_t *field_put_bytes(uint8_t *to, uint32_t number, struct slice bytes)
{
    if (bytes.len == 0) {
        return to;
    }
    to = field_put_head(to, number, bytes.len);
    memcpy(to, bytes.data, bytes.len);
    return to + bytes.len;
}

struct slice field_find(struct slice message, uint32_t number)
{
    struct field_reader in = field_reader_from(message);
    struct slice found = SLICE_NONE;
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return SLICE_NONE;
        }
        if (field.number == number && field.type == FIELD_BYTES) {
            found = field.bytes;
        }
    }
    return found;
}
