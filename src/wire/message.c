#include "wire/message.h"

#include "base/assert.h"
#include "base/error.h"
#include "wire/frame.h"

static void *scratch_alloc(void *context, size_t size)
{
    struct arena *scratch = context;

    if (size == 0) {
        size = 1;
    }
    return arena_has_room(scratch, arena_cost(size)) ? arena_alloc(scratch, size) : NULL;
}

/* The arena forgets everything at once; single blocks are not given back. */
static void scratch_free(void *context, void *block)
{
    (void)context;
    (void)block;
}

void *wire_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
                  struct arena *scratch)
{
    ProtobufCAllocator allocator = {scratch_alloc, scratch_free, scratch};

    return protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
}

int wire_pack(const ProtobufCMessage *message, struct buf *out)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    int rc = buf_reserve(out, len);

    if (rc != OK) {
        return rc;
    }
    size_t packed = len == 0 ? 0 : protobuf_c_message_pack(message, out->data + out->len);
    ASSERT(packed == len);
    out->len += len;
    return OK;
}

int wire_pack_frame(const ProtobufCMessage *message, struct buf *out)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    size_t start;

    if (len > FRAME_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    int rc = buf_reserve(out, FRAME_HEADER_BYTES + len);
    if (rc != OK) {
        return rc;
    }
    rc = frame_begin(out, &start);
    ASSERT(rc == OK);
    rc = wire_pack(message, out);
    ASSERT(rc == OK);
    frame_end(out, start);
    return OK;
}
