#include "enrol/request.h"

#include "wire/field.h"

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
    struct field_reader in = field_reader_from(packed);
    struct field field;

    op->kind = 0;
    op->waitlist = false;
    op->name = (struct campus_name){SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};
    op->drop_count = 0;
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        struct slice *part = name_part(&op->name, field.number, 2);

        if (part != NULL && field.type == FIELD_BYTES) {
            *part = field.bytes;
        } else if (field.number == 1 && field.type == FIELD_VARINT) {
            op->kind = (uint32_t)field.value;
        } else if (field.number == 6 && field.type == FIELD_VARINT) {
            op->waitlist = field.value != 0;
        } else if (field.number == 7 && field.type == FIELD_BYTES) {
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
    struct field_reader in = field_reader_from(body);
    struct field field;
    int rc = OK;

    ret_request->student = SLICE_NONE;
    ret_request->op_count = 0;
    while (rc == OK && !field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number <= 2 && field.type != FIELD_BYTES) {
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
    struct field_reader in = field_reader_from(packed);
    struct field field;

    *ret_name = (struct campus_name){SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        struct slice *part = name_part(ret_name, field.number, 1);

        if (part != NULL && field.type != FIELD_BYTES) {
            return ERR_MALFORMED;
        }
        if (part != NULL) {
            *part = field.bytes;
        }
    }
    return OK;
}
