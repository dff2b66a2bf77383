/* Whatever bytes a client sends: frames are cut, requests and their bodies unpacked, in bounded
 * memory; and cutting the stream elsewhere gives the same requests. */
#include <stdint.h>

#include "base/assert.h"
#include "base/hash.h"
#include "proto/envelope.pb-c.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/method.h"

enum { SCRATCH_BYTES = 1 << 20, FUZZ_FRAME_BYTES_MAX = 4096 };

static uint64_t unpack_request(struct slice payload, struct arena *scratch)
{
    arena_reset(scratch);
    const Carillon__Request *request =
        wire_unpack(&carillon__request__descriptor, payload, scratch);
    if (request == NULL) {
        return 1;
    }
    const struct method *method = method_get(request->method);
    if (method == NULL) {
        return 2;
    }
    const ProtobufCMessage *body =
        wire_unpack(method->request, wire_bytes(request->body), scratch);
    if (body == NULL) {
        return 3;
    }
    struct buf again;
    buf_init(&again, SCRATCH_BYTES);
    int rc = wire_pack(body, &again);
    uint64_t hash = rc == OK ? hash_slice(buf_slice(&again)) : 4;
    buf_fini(&again);
    return hash;
}

/* A hash over all that came out of the stream, fed in pieces of @piece bytes. */
static uint64_t run(struct slice stream, size_t piece, struct arena *scratch)
{
    struct frame_reader reader;
    struct slice payload;
    uint64_t hash = 0;
    int rc = OK;

    frame_reader_init(&reader, FUZZ_FRAME_BYTES_MAX);
    while (stream.len > 0 && (rc == OK || rc == ERR_EOF)) {
        frame_reader_feed(&reader, slice_sub(stream, 0, piece));
        stream = slice_sub(stream, piece, SIZE_MAX);
        while ((rc = frame_reader_next(&reader, &payload)) == OK) {
            hash = hash_u64(hash ^ unpack_request(payload, scratch));
        }
    }
    ASSERT(reader.partial.cap <= 2 * (FUZZ_FRAME_BYTES_MAX + FRAME_HEADER_BYTES));
    frame_reader_fini(&reader);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena scratch;

    if (size == 0) {
        return 0;
    }
    arena_init(&scratch, SCRATCH_BYTES);
    struct slice stream = slice_from(data + 1, size - 1);
    uint64_t whole = run(stream, SIZE_MAX, &scratch);
    uint64_t pieces = run(stream, 1 + data[0] % 16, &scratch);
    ASSERT(whole == pieces);
    arena_fini(&scratch);
    return 0;
}
