#include "wire/envelope.h"

#include "wire/field.h"
#include "wire/frame.h"

/* Read a flat message: @fields[n - 1] is field n, of the type that stands there beforehand.
 * Those that do not occur stay zero; unknown ones are a newer peer's. */
static int fields_decode(struct slice payload, struct field *fields, uint32_t count)
{
    struct field_reader in = field_reader_from(payload);
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number > count) {
            continue;
        }
        if (field.type != fields[field.number - 1].type) {
            return ERR_MALFORMED;
        }
        fields[field.number - 1] = field;
    }
    return OK;
}

int envelope_request_decode(struct slice payload, struct envelope_request *ret_request)
{
    struct field fields[] = {{.type = FIELD_VARINT}, {.type = FIELD_VARINT},
                             {.type = FIELD_BYTES},  {.type = FIELD_VARINT},
                             {.type = FIELD_BYTES},  {.type = FIELD_VARINT}};
    int rc = fields_decode(payload, fields, 6);

    *ret_request = (struct envelope_request){
        .id = fields[0].value,
        .method = (uint32_t)fields[1].value,
        .key = fields[2].bytes,
        .deadline_ms = (uint32_t)fields[3].value,
        .body = fields[4].bytes,
        .is_stale_ok = fields[5].value != 0,
    };
    return rc;
}

int envelope_reply_decode(struct slice payload, struct envelope_reply *ret_reply)
{
    struct field fields[] = {{.type = FIELD_VARINT},
                             {.type = FIELD_VARINT},
                             {.type = FIELD_BYTES},
                             {.type = FIELD_VARINT},
                             {.type = FIELD_BYTES}};
    int rc = fields_decode(payload, fields, 5);

    *ret_reply = (struct envelope_reply){
        .id = fields[0].value,
        .status = (uint32_t)fields[1].value,
        .text = fields[2].bytes,
        .retry_after_ms = (uint32_t)fields[3].value,
        .body = fields[4].bytes,
    };
    return rc;
}

int envelope_entry_decode(struct slice payload, struct envelope_entry *ret_entry)
{
    struct field fields[] = {{.type = FIELD_FIXED64},
                             {.type = FIELD_VARINT},
                             {.type = FIELD_BYTES},
                             {.type = FIELD_BYTES}};
    int rc = fields_decode(payload, fields, 4);

    *ret_entry = (struct envelope_entry){
        .wall_ms = fields[0].value,
        .method = (uint32_t)fields[1].value,
        .key = fields[2].bytes,
        .body = fields[3].bytes,
    };
    return rc;
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
                 field_len_bytes(reply->body.len) + field_len_bytes(reply->stale.len) +
                 field_len_bytes(reply->cluster.len);
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
    to = field_put_bytes(to, 6, reply->stale);
    to = field_put_bytes(to, 7, reply->cluster);
    out->len = (size_t)(to - out->data);
    frame_end(out, start);
    return OK;
}
