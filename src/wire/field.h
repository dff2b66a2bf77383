/* wire/field.h -- single fields of a Protobuf message, for the few messages that travel most.
 *
 * Layer: wire (base)
 *
 * protobuf-c allocates a struct for each message and copies each text. What a node reads and
 * writes for every request goes field by field instead, where it lies. The format is Protobuf's
 * own (developers.google.com/protocol-buffers/docs/encoding): fields of (number << 3 | type),
 * value; the last value of a field counts, unknown fields are passed over.
 */
#ifndef CARILLON_WIRE_FIELD_H
#define CARILLON_WIRE_FIELD_H

#include "base/buf.h"
#include "base/slice.h"

enum field_type { FIELD_VARINT = 0, FIELD_FIXED64 = 1, FIELD_BYTES = 2, FIELD_FIXED32 = 5 };

enum { FIELD_VARINT_BYTES_MAX = 10 };

struct field_reader {
    const uint8_t *at;
    const uint8_t *end;
};

struct field {
    uint32_t number;
    uint32_t type;      /* enum field_type */
    uint64_t value;     /* of a number */
    struct slice bytes; /* of a text, bytes or message: borrowed */
};

static inline struct field_reader field_reader_from(struct slice message)
{
    return (struct field_reader){message.data, message.data + message.len};
}

static inline bool field_reader_is_done(const struct field_reader *in)
{
    return in->at == in->end;
}

/* The next field; @in is not at its end. Returns: false when the bytes are no message. */
bool field_read(struct field_reader *in, struct field *ret_field);

/* The bytes of a text, bytes or message, the last of its occurrences, borrowed; none when it is
 * not there, and when the message is malformed: whoever it is sent to says so. */
struct slice field_find(struct slice message, uint32_t number);

/* ---- writing, into memory that is known to suffice: each returns the place behind it. As in
 * proto3 a field of zero or no bytes is left out. Numbers of fields are below 16, but for
 * field_put_number. */

/* Bytes that a field takes at most. */
static inline size_t field_bytes_max(size_t len)
{
    return 1 + FIELD_VARINT_BYTES_MAX + len;
}

uint8_t *field_put_varint(uint8_t *to, uint64_t value);
uint8_t *field_put_number(uint8_t *to, uint32_t number, uint64_t value);
uint8_t *field_put_fixed64(uint8_t *to, uint32_t number, uint64_t value);
uint8_t *field_put_bytes(uint8_t *to, uint32_t number, struct slice bytes);
/* The head of a field of @len bytes; the caller writes them behind it. */
uint8_t *field_put_head(uint8_t *to, uint32_t number, size_t len);

/* Bytes of a varint; of a whole field (0 when it is left out). */
static inline size_t field_varint_bytes(uint64_t value)
{
    return (70 - (size_t)__builtin_clzll(value | 1)) / 7;
}

static inline size_t field_number_bytes(uint64_t value)
{
    return value == 0 ? 0 : 1 + field_varint_bytes(value);
}

static inline size_t field_len_bytes(size_t len)
{
    return len == 0 ? 0 : 1 + field_varint_bytes(len) + len;
}

#endif
