/* io_uv/stream_tls.c -- a secured connection: sealed bytes on the socket's side, plain ones on
 * the owner's.
 *
 * All that one recv() brought is opened at once and handed over in one call, as on plain
 * connections, so that a turn's requests become one batch. What is handed over for sending is
 * sealed when the kernel has taken what was sealed before: beside `out`, at most SEAL_BYTES
 * wait.
 */
#include <errno.h>

#include "base/assert.h"
#include "io_uv/stream_private.h"

enum { SEAL_BYTES = 128 << 10 };

bool io_uv__link_has_unsent(const struct link *link)
{
    if (link->is_stepping) {
        return false; /* it is looked at again when the step has come back */
    }
    if (link->tls == NULL) {
        return link->flushed > 0;
    }
    /* What was handed over early waits for the handshake, not for the kernel. */
    return tls_pending(link->tls).len > 0 || (link->flushed > 0 && tls_is_open(link->tls));
}

/* ---- sending ---- */

/* Returns: whether the kernel took all that was sealed. */
static bool send_sealed(struct link *link)
{
    for (;;) {
        struct slice sealed = tls_pending(link->tls);
        if (sealed.len == 0) {
            return true;
        }
        ssize_t sent = send(link->fd, sealed.data, sealed.len, MSG_NOSIGNAL);
        if (sent >= 0) {
            tls_sent(link->tls, (size_t)sent);
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            return false;
        } else if (errno != EINTR) {
            io_uv__link_break(link);
            return false;
        }
    }
}

void io_uv__secure_send(struct link *link)
{
    struct buf *out = &link->stream->out;
    size_t sealed = 0;
    ASSERT(!link->is_stepping);
    ASSERT(link->flushed <= out->len);
    while (send_sealed(link) && tls_is_open(link->tls) && sealed < link->flushed) {
        size_t len = link->flushed - sealed;
        len = len < SEAL_BYTES ? len : SEAL_BYTES;
        if (tls_write(link->tls, slice_from(out->data + sealed, len)) != OK) {
            io_uv__link_break(link);
            break;
        }
        sealed += len;
    }
    if (!link->is_broken) {
        link->flushed -= sealed;
        buf_consume(out, sealed);
    }
}

/* ---- receiving ---- */

/* Tell the owner that there will be no connection, or no more of it. */
static void secure_fail(struct link *link, int status)
{
    (void)send_sealed(link); /* an alert says why */
    if (link->is_closing) {
        return;
    }
    io_uv__link_end(link, status);
}

/* Hand over all plaintext there is. */
static void secure_deliver(struct link *link)
{
    struct io_uv *world = io_uv__of(link->io);
    size_t len = 0;
    int rc;
    if (world->plain_buffer == NULL) {
        world->plain_buffer = io_uv__alloc(PLAIN_BUFFER_BYTES);
    }
    do {
        rc = tls_read(link->tls, world->plain_buffer, PLAIN_BUFFER_BYTES, &len);
        if (len > 0) {
            link->stream->received(link->stream, slice_from(world->plain_buffer, len));
        }
    } while (rc == OK && len == PLAIN_BUFFER_BYTES && link->is_reading && !link->is_closing);
    if (rc != OK && !link->is_closing) {
        secure_fail(link, rc);
    }
}

/* What came was taken: go on from where that has led. */
static void secure_go_on(struct link *link, int status)
{
    if (status != OK) {
        secure_fail(link, status);
        return;
    }
    if (link->is_greeting && tls_is_open(link->tls)) {
        io_uv__link_connected(link, OK);
    }
    if (!link->is_closing && !link->is_broken) {
        io_uv__secure_send(link); /* handshake messages, and what waited for them */
    }
    if (!link->is_closing && link->is_reading && tls_is_open(link->tls)) {
        secure_deliver(link);
    }
    if (!link->is_closing && tls_pending(link->tls).len > TLS_OUT_BYTES_MAX) {
        secure_fail(link, ERR_IO); /* it makes us talk and does not listen */
    }
}

void io_uv__secure_receive(struct link *link, struct slice bytes)
{
    secure_go_on(link, tls_feed(link->tls, bytes));
}

void io_uv__secure_stepped(struct link *link, int status)
{
    if (status == OK && tls_is_open(link->tls)) {
        link->is_arriving = false;
        if (link->arrived.len > 0) { /* part of a record of what it says next */
            status = tls_feed(link->tls, buf_slice(&link->arrived));
        }
        buf_fini(&link->arrived);
    }
    secure_go_on(link, status);
}

void io_uv__secure_begin(struct link *link)
{
    link->is_greeting = true;
    link->tls = tls_create(link->stream->tls, &link->peer);
    int rc = tls_begin(link->tls);
    if (rc != OK) {
        secure_fail(link, rc);
        return;
    }
    (void)send_sealed(link);
}

static void link_on_more(struct io_uv_later *later)
{
    struct link *link = CONTAINER_OF(later, struct link, more);
    if (!link->is_closing && link->is_reading && !link->has_ended) {
        secure_deliver(link);
    }
}

void io_uv__secure_resume(struct link *link)
{
    if (!link->is_arriving && tls_is_open(link->tls) && !list_is_linked(&link->more.node)) {
        io_uv__defer(io_uv__of(link->io), &link->more, link_on_more);
    }
}

void io_uv__secure_shut(struct link *link)
{
    if (!link->is_broken) {
        io_uv__secure_send(link);
        tls_close(link->tls);
        (void)send_sealed(link);
    }
}
