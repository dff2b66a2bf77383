/* Protobuf's wire format (developers.google.com/protocol-buffers/docs/encoding): fields of
 * (number << 3 | type), value. As everywhere in it, the last value of a field counts and
 * unknown fields are passed over. */
#include "enrol/request.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum { VARINT_BYTES_MAX = 10, NUMBER_MAX = (1 << 29) - 1 };

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

struct field {
    uint32_t number;
    uint32_t type;
    uint64_t value;     /* of a varint */
    struct slice bytes; /* of a string or message */
};

static bool read_varint(struct reader *in, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; in->at < in->end && shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        uint8_t byte = *in->at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct reader *in, uint64_t len)
{
    if (len > (uint64_t)(in->end - in->at)) {
        return false;
    }
    in->at += len;
    return true;
}

/* The next field; @in is not at its end. */
static bool read_field(struct reader *in, struct field *ret_field)
{
    uint64_t tag;

    if (!read_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX) {
        return false;
    }
    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->type = (uint32_t)(tag & 7);
    switch (ret_field->type) {
    case WIRE_VARINT:
        return read_varint(in, &ret_field->value);
    case WIRE_FIXED64:
        return skip(in, 8);
    case WIRE_FIXED32:
        return skip(in, 4);
    case WIRE_BYTES: {
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

/* A text's place in @name by its field's number counted from @first; NULL for other fields. */
static struct slice *name_part(struct campus_name *name, uint32_t number, uint32_t first)
{
    switch (number - first) {
    case 0:
        return &name->institution;
    case 1:
        return &name->code;
    case 2:
        return &name->section;
    case 3:
        return &name->term;
    default:
        return NULL;
    }
}

static int decode_op(struct slice packed, struct request_op *op)
{
    struct reader in = {packed.data, packed.data + packed.len};
    struct field field;

    op->kind = 0;
    op->waitlist = false;
    op->name = (struct campus_name){SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};
    op->drop_count = 0;
    while (in.at < in.end) {
        if (!read_field(&in, &field)) {
            return ERR_MALFORMED;
        }
        struct slice *part = name_part(&op->name, field.number, 2);

        if (part != NULL && field.type == WIRE_BYTES) {
            *part = field.bytes;
        } else if (field.number == 1 && field.type == WIRE_VARINT) {
            op->kind = (uint32_t)field.value;
        } else if (field.number == 6 && field.type == WIRE_VARINT) {
            op->waitlist = field.value != 0;
        } else if (field.number == 7 && field.type == WIRE_BYTES) {
            if (op->drop_count < REQUEST_DROPS_MAX) {
                op->drops[op->drop_count] = field.bytes;
            }
            op->drop_count++;
        } else if (field.number <= 7) {
            return ERR_MALFORMED; /* a known field of another type */
        }
    }
    return OK;
}

int request_decode(struct slice body, struct request *ret_request)
{
    struct reader in = {body.data, body.data + body.len};
    struct field field;
    int rc = OK;

    ret_request->student = SLICE_NONE;
    ret_request->op_count = 0;
    while (rc == OK && in.at < in.end) {
        if (!read_field(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number <= 2 && field.type != WIRE_BYTES) {
            return ERR_MALFORMED;
        }
        if (field.number == 1) {
            ret_request->student = field.bytes;
        } else if (field.number == 2) {
            if (ret_request->op_count < REQUEST_OPS_MAX) {
                rc = decode_op(field.bytes, &ret_request->ops[ret_request->op_count]);
            }
            ret_request->op_count++;
        }
    }
    return rc;
}

int request_decode_name(struct slice packed, struct campus_name *ret_name)
{
    struct reader in = {packed.data, packed.data + packed.len};
    struct field field;

    *ret_name = (struct campus_name){SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};
    while (in.at < in.end) {
        if (!read_field(&in, &field)) {
            return ERR_MALFORMED;
        }
        struct slice *part = name_part(ret_name, field.number, 1);

        if (part != NULL && field.type != WIRE_BYTES) {
            return ERR_MALFORMED;
        }
        if (part != NULL) {
            *part = field.bytes;
        }
    }
    return OK;
}
