#include "wire/field_append.h"

#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "wire/field.h"

int field_append_number(struct buf *out, uint32_t number, uint64_t value)
{
    int rc = buf_reserve(out, field_number_bytes(value));

    if (rc == OK && value != 0) {
        uint8_t *to = out->data + out->len;

        out->len += (size_t)(field_put_number(to, number, value) - to);
    }
    return rc;
}

int field_append_item(struct buf *out, uint32_t number, struct slice text)
{
    int rc = buf_reserve(out, 1 + field_varint_bytes(text.len) + text.len);

    if (rc == OK) {
        uint8_t *to = out->data + out->len;

        out->len += (size_t)(field_put_head(to, number, text.len) - to);
        if (text.len > 0) {
            memcpy(out->data + out->len, text.data, text.len);
            out->len += text.len;
        }
    }
    return rc;
}

int field_append_text(struct buf *out, uint32_t number, struct slice text)
{
    return text.len == 0 ? OK : field_append_item(out, number, text);
}

int field_begin(struct buf *out, uint32_t number, size_t bytes_likely,
                struct field_open *ret_open)
{
    size_t length = field_varint_bytes(bytes_likely);
    int rc = buf_reserve(out, 1 + length);

    if (rc == OK) {
        *ret_open = (struct field_open){out->len, number, length};
        out->len += 1 + length;
    }
    return rc;
}

int field_end(struct buf *out, struct field_open open)
{
    size_t start = open.head + 1 + open.reserved;

    ASSERT(out->len >= start);
    size_t len = out->len - start;
    size_t length = field_varint_bytes(len);
    int rc = length > open.reserved ? buf_reserve(out, length - open.reserved) : OK;
    if (rc != OK) {
        return rc;
    }
    if (length != open.reserved) {
        memmove(out->data + open.head + 1 + length, out->data + start, len);
        out->len = open.head + 1 + length + len;
    }
    (void)field_put_head(out->data + open.head, open.number, len);
    return OK;
}

int field_end_text(struct buf *out, struct field_open open)
{
    if (out->len == open.head + 1 + open.reserved) {
        out->len = open.head;
        return OK;
    }
    return field_end(out, open);
}
