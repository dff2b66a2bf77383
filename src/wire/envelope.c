#include "wire/envelope.h"

#include "wire/field.h"
#include "wire/frame.h"

/* Whether a field of ours has the type that the schema gives it; unknown ones may have any. */
static bool is_typed(const struct field *field, const uint8_t *types, uint32_t count)
{
    return field->number > count || field->type == types[field->number - 1];
}

int envelope_request_decode(struct slice payload, struct envelope_request *ret_request)
{
    static const uint8_t types[] = {FIELD_VARINT, FIELD_VARINT, FIELD_BYTES, FIELD_VARINT,
                                    FIELD_BYTES};
    struct field_reader in = field_reader_from(payload);
    struct field field;

    *ret_request = (struct envelope_request){.key = SLICE_NONE, .body = SLICE_NONE};
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field) || !is_typed(&field, types, sizeof types)) {
            return ERR_MALFORMED;
        }
        switch (field.number) {
        case 1:
            ret_request->id = field.value;
            break;
        case 2:
            ret_request->method = (uint32_t)field.value;
            break;
        case 3:
            ret_request->key = field.bytes;
            break;
        case 4:
            ret_request->deadline_ms = (uint32_t)field.value;
            break;
        case 5:
            ret_request->body = field.bytes;
            break;
        default:
            break; /* of a newer client */
        }
    }
    return OK;
}

int envelope_entry_decode(struct slice payload, struct envelope_entry *ret_entry)
{
    static const uint8_t types[] = {FIELD_FIXED64, FIELD_VARINT, FIELD_BYTES, FIELD_BYTES};
    struct field_reader in = field_reader_from(payload);
    struct field field;

    *ret_entry = (struct envelope_entry){.key = SLICE_NONE, .body = SLICE_NONE};
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field) || !is_typed(&field, types, sizeof types)) {
            return ERR_MALFORMED;
        }
        switch (field.number) {
        case 1:
            ret_entry->wall_ms = field.value;
            break;
        case 2:
            ret_entry->method = (uint32_t)field.value;
            break;
        case 3:
            ret_entry->key = field.bytes;
            break;
        case 4:
            ret_entry->body = field.bytes;
            break;
        default:
            break;
        }
    }
    return OK;
}

int envelope_entry_encode(const struct envelope_entry *entry, struct buf *out)
{
    int rc = buf_reserve(out, 2 * field_bytes_max(0) + field_bytes_max(entry->key.len) +
                                  field_bytes_max(entry->body.len));

    if (rc != OK) {
        return rc;
    }
    uint8_t *to = out->data + out->len;

    to = field_put_fixed64(to, 1, entry->wall_ms);
    to = field_put_number(to, 2, entry->method);
    to = field_put_bytes(to, 3, entry->key);
    to = field_put_bytes(to, 4, entry->body);
    out->len = (size_t)(to - out->data);
    return OK;
}

int envelope_reply_encode(const struct envelope_reply *reply, struct buf *out)
{
    size_t len = field_number_bytes(reply->id) + field_number_bytes(reply->status) +
                 field_len_bytes(reply->text.len) + field_number_bytes(reply->retry_after_ms) +
                 field_len_bytes(reply->body.len);
    size_t start;

    if (len > FRAME_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    int rc = buf_reserve(out, FRAME_HEADER_BYTES + len);
    rc = rc == OK ? frame_begin(out, &start) : rc;
    if (rc != OK) {
        return rc;
    }
    uint8_t *to = out->data + out->len;

    to = field_put_number(to, 1, reply->id);
    to = field_put_number(to, 2, reply->status);
    to = field_put_bytes(to, 3, reply->text);
    to = field_put_number(to, 4, reply->retry_after_ms);
    to = field_put_bytes(to, 5, reply->body);
    out->len = (size_t)(to - out->data);
    frame_end(out, start);
    return OK;
}
