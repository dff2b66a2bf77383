#include "wire/frame.h"

#include "base/assert.h"

enum { PARTIAL_KEPT_BYTES = 64 << 10 };

static uint32_t length_decode(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

void frame_reader_init(struct frame_reader *reader, size_t frame_bytes_max)
{
    ASSERT(frame_bytes_max <= FRAME_PEER_BYTES_MAX);
    *reader = (struct frame_reader){.frame_bytes_max = frame_bytes_max};
    buf_init(&reader->partial, frame_bytes_max + FRAME_HEADER_BYTES);
}

void frame_reader_widen(struct frame_reader *reader, size_t frame_bytes_max)
{
    ASSERT(frame_bytes_max >= reader->frame_bytes_max && frame_bytes_max <= FRAME_PEER_BYTES_MAX);
    reader->frame_bytes_max = frame_bytes_max;
    reader->partial.max = frame_bytes_max + FRAME_HEADER_BYTES;
}

void frame_reader_fini(struct frame_reader *reader)
{
    buf_fini(&reader->partial);
}

void frame_reader_feed(struct frame_reader *reader, struct slice bytes)
{
    ASSERT(reader->input.len == 0);
    reader->input = bytes;
}

/* Move up to @len bytes of input behind what is partial. */
static void gather(struct frame_reader *reader, size_t len)
{
    size_t n = len < reader->input.len ? len : reader->input.len;
    int rc = buf_append(&reader->partial, reader->input.data, n);

    ASSERT(rc == OK); /* partial holds less than one frame, and its bound is one frame */
    reader->input.data += n;
    reader->input.len -= n;
}

/* A frame that began in an earlier piece: complete its header, then its payload, byte by byte
 * as they are missing. */
static int next_from_partial(struct frame_reader *reader, struct slice *ret_payload)
{
    struct buf *partial = &reader->partial;

    if (partial->len < FRAME_HEADER_BYTES) {
        gather(reader, FRAME_HEADER_BYTES - partial->len);
        if (partial->len < FRAME_HEADER_BYTES) {
            return ERR_EOF;
        }
    }
    size_t len = length_decode(partial->data);
    if (len > reader->frame_bytes_max) {
        return ERR_TOO_LARGE;
    }
    gather(reader, FRAME_HEADER_BYTES + len - partial->len);
    if (partial->len < FRAME_HEADER_BYTES + len) {
        return ERR_EOF;
    }
    reader->consumed = partial->len;
    *ret_payload = slice_from(partial->data + FRAME_HEADER_BYTES, len);
    return OK;
}

int frame_reader_next(struct frame_reader *reader, struct slice *ret_payload)
{
    if (reader->consumed > 0) {
        reader->consumed = 0;
        if (reader->partial.cap > PARTIAL_KEPT_BYTES) {
            buf_fini(&reader->partial); /* one large frame must not cost the connection that
                                           memory for ever */
            buf_init(&reader->partial, reader->frame_bytes_max + FRAME_HEADER_BYTES);
        }
        buf_clear(&reader->partial);
    }
    if (reader->partial.len > 0) {
        return next_from_partial(reader, ret_payload);
    }
    if (reader->input.len >= FRAME_HEADER_BYTES) {
        size_t len = length_decode(reader->input.data);

        if (len > reader->frame_bytes_max) {
            return ERR_TOO_LARGE;
        }
        if (reader->input.len - FRAME_HEADER_BYTES >= len) {
            *ret_payload = slice_from(reader->input.data + FRAME_HEADER_BYTES, len);
            reader->input.data += FRAME_HEADER_BYTES + len;
            reader->input.len -= FRAME_HEADER_BYTES + len;
            return OK;
        }
    }
    gather(reader, reader->input.len);
    return ERR_EOF;
}

bool frame_reader_is_inside(const struct frame_reader *reader)
{
    return reader->partial.len > reader->consumed;
}

int frame_begin(struct buf *out, size_t *ret_start)
{
    static const uint8_t unknown[FRAME_HEADER_BYTES];
    size_t start = out->len;
    int rc = buf_append(out, unknown, sizeof unknown);

    if (rc != OK) {
        return rc;
    }
    *ret_start = start;
    return OK;
}

void frame_end(struct buf *out, size_t start)
{
    ASSERT(out->len >= start + FRAME_HEADER_BYTES);
    size_t len = out->len - start - FRAME_HEADER_BYTES;

    ASSERT(len <= FRAME_PEER_BYTES_MAX);
    out->data[start] = (uint8_t)len;
    out->data[start + 1] = (uint8_t)(len >> 8);
    out->data[start + 2] = (uint8_t)(len >> 16);
    out->data[start + 3] = (uint8_t)(len >> 24);
}
