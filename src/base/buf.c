#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/base_private.h"

enum { BUF_FIRST_BYTES = 64 };

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_fini(struct buf *buf)
{
    base__release(buf->data);
    *buf = (struct buf){0};
}

int buf_reserve(struct buf *buf, size_t len)
{
    ASSERT(buf->len <= buf->cap);
    ASSERT(buf->cap <= buf->max);
    if (len <= buf->cap - buf->len) {
        return OK;
    }
    if (len > buf->max - buf->len) {
        return ERR_FULL;
    }
    size_t needed = buf->len + len;
    size_t cap = buf->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : buf->cap;
    while (cap < needed) {
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    }
    if (cap > buf->max) {
        cap = buf->max;
    }
    buf->data = base__resize(buf->data, cap);
    buf->cap = cap;
    return OK;
}

int buf_append(struct buf *buf, const void *data, size_t len)
{
    if (len == 0) {
        return OK;
    }
    int status = buf_reserve(buf, len);
    if (status != OK) {
        return status;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return OK;
}

int buf_append_slice(struct buf *buf, struct slice s)
{
    return buf_append(buf, s.data, s.len);
}

int buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int buf_append_byte(struct buf *buf, uint8_t byte)
{
    return buf_append(buf, &byte, 1);
}

/* vsnprintf writes a terminator, which has to fit for a moment even where it is not kept:
 * so it is made elsewhere and copied. */
__attribute__((format(printf, 3, 0))) static int
append_formatted(struct buf *buf, size_t len, const char *format, va_list arguments)
{
    char short_text[256];
    char *text = len < sizeof short_text ? short_text : base__obtain(len + 1);
    vsnprintf(text, len + 1, format, arguments);
    int status = buf_append(buf, text, len);
    if (text != short_text) {
        base__release(text);
    }
    return status;
}

int buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(len >= 0);
    int status = (size_t)len > buf->max - buf->len
                     ? ERR_FULL
                     : append_formatted(buf, (size_t)len, format, again);
    va_end(again);
    return status;
}

void buf_consume(struct buf *buf, size_t len)
{
    ASSERT(len <= buf->len);
    buf->len -= len;
    if (len > 0 && buf->len > 0) {
        memmove(buf->data, buf->data + len, buf->len);
    }
}

const char *buf_text(struct buf *buf)
{
    if (buf_reserve(buf, 1) != OK) {
        return NULL;
    }
    buf->data[buf->len] = 0;
    return (const char *)buf->data;
}
