/* wire/frame.h -- length-prefixed frames on a byte stream.
 *
 * Layer: wire (base)     Spec: docs/spec/protocol.md section 1
 *
 * A frame is a 32-bit little-endian length followed by that many bytes of payload, at most
 * FRAME_BYTES_MAX. The length is checked before anything is stored: a peer cannot make us
 * allocate by announcing.
 */
#ifndef CARILLON_WIRE_FRAME_H
#define CARILLON_WIRE_FRAME_H

#include "base/buf.h"
#include "base/slice.h"

enum {
    FRAME_HEADER_BYTES = 4,
    FRAME_BYTES_MAX = 1 << 20,
    /* Between nodes: what came in a frame travels on in one, with what is put around it. */
    FRAME_PEER_BYTES_MAX = FRAME_BYTES_MAX + (64 << 10),
};

/* Cuts a stream, which arrives in pieces of any size, into frames. A whole frame in a piece is
 * not copied. */
struct frame_reader {
    struct buf partial; /* the beginning of a frame whose rest has not come yet */
    struct slice input; /* what frame_reader_feed was given and is not consumed yet */
    size_t frame_bytes_max;
    size_t consumed; /* bytes at the front of partial that were handed out */
};

/* A reader that accepts payloads of at most @frame_bytes_max (<= FRAME_PEER_BYTES_MAX)
 * bytes. */
void frame_reader_init(struct frame_reader *reader, size_t frame_bytes_max);
/* From now on accept payloads of at most @frame_bytes_max bytes, which is more than before. */
void frame_reader_widen(struct frame_reader *reader, size_t frame_bytes_max);
void frame_reader_fini(struct frame_reader *reader);

/* Give the next piece of the stream, borrowed until frame_reader_next has returned ERR_EOF. */
void frame_reader_feed(struct frame_reader *reader, struct slice bytes);

/* Take the next whole frame's payload, borrowed until the next call.
 *
 * Errors: ERR_EOF no whole frame is there yet: feed more; ERR_TOO_LARGE the announced length is
 * over the bound (the stream cannot be read any further).
 */
int frame_reader_next(struct frame_reader *reader, struct slice *ret_payload) CHECKED;

/* Whether a frame has begun and not ended: its rest is awaited. */
bool frame_reader_is_inside(const struct frame_reader *reader);

/* Begin a frame at the end of @out: reserves the header. Returns its place for frame_end.
 * Errors: ERR_FULL. */
int frame_begin(struct buf *out, size_t *ret_start) CHECKED;

/* Everything appended since frame_begin becomes the frame's payload. */
void frame_end(struct buf *out, size_t start);

#endif
