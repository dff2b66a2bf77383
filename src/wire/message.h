/* wire/message.h -- Protobuf messages to bytes and back, in bounded memory.
 *
 * Layer: wire (base)
 *
 * protobuf-c unpacks by recursion and allocates what the bytes ask for. Two things bound it: no
 * message type of ours contains itself (tests/tidy proves it on proto/), so the depth is that
 * of the schema; and all memory comes from an arena whose budget ends the unpacking.
 */
#ifndef CARILLON_WIRE_MESSAGE_H
#define CARILLON_WIRE_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

/* Unpack @bytes as a message of @type into @scratch; the result lives until the arena is reset.
 * Returns NULL when the bytes are malformed or need more than the arena's budget leaves. */
void *wire_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
                  struct arena *scratch);

/* Append the packed message. Errors: ERR_FULL when @out's bound is reached, nothing appended.
 */
int wire_pack(const ProtobufCMessage *message, struct buf *out) CHECKED;

/* The same as a frame of its own. Errors: ERR_FULL; ERR_TOO_LARGE when it is longer than a
 * frame. */
int wire_pack_frame(const ProtobufCMessage *message, struct buf *out) CHECKED;

static inline struct slice wire_bytes(ProtobufCBinaryData data)
{
    return slice_from(data.data, data.len);
}

/* Protobuf-c wants writable bytes but only reads them when packing. */
static inline ProtobufCBinaryData wire_binary(struct slice s)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } cast = {.from = s.data};

    return (ProtobufCBinaryData){.len = s.len, .data = cast.to};
}

/* A text field's value for packing: protobuf-c wants a writable terminated string but only
 * reads it. */
static inline char *wire_text(const char *text)
{
    union {
        const char *from;
        char *to;
    } cast = {.from = text};

    return cast.to;
}

#endif
