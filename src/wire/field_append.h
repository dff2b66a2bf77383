/* wire/field_append.h -- appends fields of a Protobuf message to a buffer, texts in the making
 * included.
 *
 * Layer: wire (base)
 *
 * What comes out is what protobuf-c would pack, if the fields are put in ascending order:
 * proto3 leaves out a field that is zero or empty, but not the items of a repeated one.
 */
#ifndef CARILLON_WIRE_FIELD_APPEND_H
#define CARILLON_WIRE_FIELD_APPEND_H

#include "base/buf.h"
#include "base/slice.h"

/* Append. Errors: ERR_FULL, nothing appended. */
int field_append_number(struct buf *out, uint32_t number, uint64_t value) CHECKED;
int field_append_text(struct buf *out, uint32_t number, struct slice text) CHECKED;
int field_append_item(struct buf *out, uint32_t number, struct slice text) CHECKED;

/* A field of bytes that are appended between these two: a message, or text in the making. */
struct field_open {
    size_t head; /* where it stands */
    uint32_t number;
    size_t reserved; /* bytes of the length */
};

/* @bytes_likely: how long it may become; a wrong guess costs moving it. */
int field_begin(struct buf *out, uint32_t number, size_t bytes_likely,
                struct field_open *ret_open) CHECKED;
int field_end(struct buf *out, struct field_open open) CHECKED;

/* The same for text that is left out when it is empty. */
int field_end_text(struct buf *out, struct field_open open) CHECKED;

#endif
