/* base/buf.h -- a growable byte buffer with a bound: the only place bytes are appended.
 *
 * Layer: base
 *
 * Invariant: data[0..len) is what was written; cap >= len; cap <= max. The buffer owns its
 * memory; a slice of it is valid until the next append. A full buffer refuses the whole append
 * and keeps what it has.
 */
#ifndef CARILLON_BASE_BUF_H
#define CARILLON_BASE_BUF_H

#include "base/error.h"
#include "base/slice.h"

struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max; /* bytes; appends beyond it return ERR_FULL */
};

/* An empty buffer of at most @max bytes; allocates nothing yet. */
void buf_init(struct buf *buf, size_t max);

/* Release the memory. Takes a zeroed or half-built buffer. */
void buf_fini(struct buf *buf);

/* Forget the contents, keep the memory. */
static inline void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

/* Make room for @len more bytes. Errors: ERR_FULL beyond max; stops the process when the system
 * has no memory. */
int buf_reserve(struct buf *buf, size_t len) CHECKED;

/* Append @len bytes of @data. Errors: ERR_FULL, nothing appended. */
int buf_append(struct buf *buf, const void *data, size_t len) CHECKED;
int buf_append_slice(struct buf *buf, struct slice s) CHECKED;
int buf_append_text(struct buf *buf, const char *text) CHECKED;
int buf_append_byte(struct buf *buf, uint8_t byte) CHECKED;

/* Append printf output, without a terminator. Errors: ERR_FULL. */
int buf_append_format(struct buf *buf, const char *format, ...) CHECKED
    __attribute__((format(printf, 2, 3)));

/* Drop the first @len bytes (len <= buf->len), moving the rest down. */
void buf_consume(struct buf *buf, size_t len);

/* The contents, borrowed until the next append. */
static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data, buf->len};
}

/* Terminate the contents with a NUL that does not count, and return them as a C string borrowed
 * until the next append. Returns NULL when the terminator does not fit. */
const char *buf_text(struct buf *buf);

#endif
