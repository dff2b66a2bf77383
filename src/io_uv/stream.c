/* io_uv/stream.c -- TCP connections: own reads and writes on a socket that libuv watches
 * (uv_poll).
 *
 * Why not uv_tcp: its queued writes need memory that stays put, so the caller's `out` would
 * have to be copied or swapped away and its bound would hold for half of what waits. Here the
 * bytes stay in `out` until the kernel has them, and received() gets them where recv() put
 * them.
 *
 * libuv watches a socket for what `events` says. Pausing only clears a flag; the watch ends
 * when something arrives that nobody wants, because each change costs two system calls and most
 * pauses are short.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "io_uv/stream_private.h"
#include "io_uv/tls_private.h"

static void link_on_poll(uv_poll_t *poll, int status, int events);

static struct link *link_of(struct io_stream *stream)
{
    return stream->world;
}

static struct link *link_new(struct io *io, struct io_stream *stream)
{
    struct link *link = io_uv__alloc(sizeof(*link));
    link->io = io;
    link->stream = stream;
    link->fd = -1;
    stream->world = link;
    io_uv__of(io)->open_count++;
    return link;
}

/* Make libuv watch the socket for exactly what the stream waits for. */
void io_uv__link_watch(struct link *link)
{
    int events = 0;
    if ((link->is_reading || link->is_greeting) && !link->has_ended && !link->is_connecting &&
        !io_uv__arrival_is_waiting(link)) {
        events |= UV_READABLE;
    }
    if (link->is_connecting || io_uv__link_has_unsent(link)) {
        events |= UV_WRITABLE;
    }
    if (link->is_closing || link->fd < 0 || events == link->events) {
        return;
    }
    int rc = events == 0 ? uv_poll_stop(&link->poll)
                         : uv_poll_start(&link->poll, events, link_on_poll);
    ASSERT(rc == 0);
    link->events = events;
}

void io_uv__link_offer_end(struct link *link)
{
    if (link->offer != NULL) {
        io_uv__tls_destroy(link->io, link->offer);
        link->offer = NULL;
    }
}

/* Say once that the peer has gone. The owner may close the stream in the callback. */
void io_uv__link_end(struct link *link, int status)
{
    if (link->has_ended) {
        return;
    }
    if (link->is_greeting) {
        io_uv__link_connected(link, status == ERR_EOF ? ERR_IO : status);
        return;
    }
    link->has_ended = true;
    if (status != ERR_EOF) {
        link->is_broken = true;
        link->flushed = 0;
    }
    link->stream->ended(link->stream, status);
}

static void link_receive(struct link *link, struct slice bytes)
{
    if (link->is_arriving) {
        io_uv__arrival_receive(link, bytes);
    } else if (link->tls == NULL) {
        link->stream->received(link->stream, bytes);
    } else {
        io_uv__secure_receive(link, bytes);
    }
}

/* Returns: whether there may be more to read. */
static bool link_read(struct link *link)
{
    struct io_uv *world = io_uv__of(link->io);
    size_t room = link->is_arriving ? io_uv__arrival_room(link) : READ_BUFFER_BYTES;
    ssize_t got = recv(link->fd, world->read_buffer, room, 0);
    if (got > 0) {
        link_receive(link, slice_from(world->read_buffer, (size_t)got));
        return true;
    }
    if (got == 0) {
        /* A secured stream ends with a word; without it somebody may have cut it short. */
        io_uv__link_end(link, link->tls == NULL ? ERR_EOF : ERR_IO);
        return false;
    }
    if (errno == EAGAIN || errno == EINTR) {
        return false;
    }
    io_uv__link_end(link, ERR_IO);
    return false;
}

/* Sending has failed: hand over what the peer still managed to say, then tell the owner. */
static void link_on_broken(struct io_uv_later *later)
{
    struct link *link = CONTAINER_OF(later, struct link, later);
    while (link->is_reading && !link->is_arriving && !link->has_ended && !link->is_closing &&
           link_read(link)) {
        ASSERT(link->fd >= 0);
    }
    if (!link->is_closing) {
        io_uv__link_end(link, ERR_IO);
    }
    if (!link->is_closing) {
        io_uv__link_watch(link);
    }
}

void io_uv__link_break(struct link *link)
{
    link->is_broken = true;
    link->flushed = 0;
    if (!link->is_closing) {
        io_uv__defer(io_uv__of(link->io), &link->later, link_on_broken);
    }
}

/* Send what was handed over, as far as the kernel takes it. Never calls back. */
static void link_send(struct link *link)
{
    struct buf *out = &link->stream->out;
    if (link->tls != NULL) {
        io_uv__secure_send(link);
        return;
    }
    ASSERT(link->flushed <= out->len);
    ssize_t sent;
    do {
        sent = send(link->fd, out->data, link->flushed, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        link->flushed -= (size_t)sent;
        buf_consume(out, (size_t)sent);
        return;
    }
    if (errno != EAGAIN && errno != ENOBUFS) {
        io_uv__link_break(link);
    }
}

/* Say how connecting has ended. */
void io_uv__link_connected(struct link *link, int status)
{
    link->is_greeting = false;
    if (status != OK) {
        link->is_broken = true;
        link->has_ended = true;
        link->flushed = 0;
    }
    link->stream->connected(link->stream, status);
}

static void link_on_connected(struct link *link)
{
    int code = 0;
    socklen_t len = sizeof(code);
    int rc = getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &code, &len);
    link->is_connecting = false;
    int status = rc < 0 || code != 0 ? io_uv__error(rc < 0 ? errno : code) : OK;
    if (status == OK && link->stream->tls != NULL) {
        io_uv__secure_begin(link);
    } else {
        io_uv__link_connected(link, status);
    }
}

void io_uv__link_read_arrival(struct link *link)
{
    if (link->is_reading && !link->has_ended) {
        (void)link_read(link);
    }
    if (!io_uv__arrival_is_waiting(link)) {
        io_uv__link_watch(link);
    }
}

/* Something is there to be read. Returns: whether to look anew at what is watched. */
static bool link_on_readable(struct link *link)
{
    if (!link->is_arriving) {
        (void)link_read(link); /* once a turn: the next stream has its turn too */
        return true;
    }
    if (io_uv__arrival_is_waiting(link)) {
        return true; /* it goes on saying so: the watch ends until the step is made */
    }
    io_uv__arrival_wait(link);
    return false; /* most are read before the socket has more to say */
}

static void link_on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    io_uv__of(link->io)->has_delivered = true;
    if (status < 0) {
        /* An error waits on the socket, and libuv has ended the watch. Reading or sending will
         * name it. */
        link->events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (link->is_connecting) {
        link_on_connected(link);
        io_uv__link_watch(link);
        return;
    }
    bool must_watch = true;
    if ((events & UV_READABLE) != 0 && (link->is_reading || link->is_greeting) &&
        !link->has_ended) {
        must_watch = link_on_readable(link);
    }
    if ((events & UV_WRITABLE) != 0 && io_uv__link_has_unsent(link) && !link->is_closing &&
        !link->is_broken) {
        link_send(link);
        if (!io_uv__link_has_unsent(link) && !link->is_broken && !link->is_greeting &&
            link->stream->drained != NULL) {
            link->stream->drained(link->stream);
        }
    }
    if (must_watch || link->events != UV_READABLE) {
        io_uv__link_watch(link);
    }
}

/* Take over a connected or connecting socket. */
static int link_attach(struct link *link, int fd)
{
    int rc = uv_poll_init(&io_uv__of(link->io)->loop, &link->poll, fd);
    if (rc != 0) {
        return io_uv__error(-rc);
    }
    link->poll.data = link;
    link->fd = fd;
    return OK;
}

int io_uv__stream_take(struct io_uv *world, struct io_stream *stream, int fd,
                       const struct sockaddr_storage *from, struct io_tls *offer)
{
    struct link *link = link_new(&world->io, stream);
    int rc = link_attach(link, fd);
    if (rc != OK) {
        stream->world = NULL;
        world->open_count--;
        free(link);
        return rc;
    }
    link->peer.is_loopback = io_uv__address_is_loopback(from);
    link->offer = offer == NULL ? NULL : tls_context_hold(offer);
    link->is_arriving = offer != NULL;
    return rc;
}

/* ---- connecting ---- */

static bool option_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Answers are gathered per turn here; waiting for more in the kernel would only delay them. And
 * the kernel finds out that the other machine is gone, by asking when nothing is said. */
int io_uv__socket_set_up(int fd)
{
    return option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
                   option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
                   option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IO_UV_IDLE_S) &&
                   option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, IO_UV_PROBE_S) &&
                   option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, IO_UV_PROBES)
               ? OK
               : io_uv__error(errno);
}

/* Left alone, a kernel gives up on what is not acknowledged after a quarter of an hour, and
 * after a long cut waits for minutes before it tries again. Not on accepted connections: a
 * client may read as slowly as it likes. */
static int socket_press(int fd)
{
    return option_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, IO_UV_UNACKNOWLEDGED_MS)
               ? OK
               : io_uv__error(errno);
}

static void link_on_refused(struct io_uv_later *later)
{
    struct link *link = CONTAINER_OF(later, struct link, later);
    link->is_connecting = false;
    link->is_broken = true;
    link->has_ended = true;
    link->flushed = 0;
    link->stream->connected(link->stream, link->status);
}

/* Returns: OK when connecting has begun, else the status for connected(). */
static int link_connect(struct link *link, const struct sockaddr_storage *to, socklen_t to_len)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return io_uv__error(errno);
    }
    int rc = io_uv__socket_set_up(fd);
    rc = rc == OK ? socket_press(fd) : rc;
    rc = rc == OK ? link_attach(link, fd) : rc;
    if (rc != OK) {
        (void)close(fd);
        return rc;
    }
    if (connect(fd, (const struct sockaddr *)to, to_len) < 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        return io_uv__error(errno);
    }
    return OK;
}

int io_uv__stream_connect(struct io *io, struct io_stream *stream, const char *address,
                          uint16_t port)
{
    struct sockaddr_storage to;
    socklen_t to_len;
    int rc = io_uv__address_parse(address, port, &to, &to_len);
    if (rc != OK) {
        return rc;
    }
    struct link *link = link_new(io, stream);
    link->is_connecting = true;
    link->peer.is_loopback = io_uv__address_is_loopback(&to);
    link->status = link_connect(link, &to, to_len);
    if (link->status == OK) {
        io_uv__link_watch(link);
    } else {
        io_uv__defer(io_uv__of(io), &link->later, link_on_refused);
    }
    return OK;
}

/* ---- sending, pausing ---- */

void io_uv__stream_flush(struct io *io, struct io_stream *stream)
{
    (void)io;
    struct link *link = link_of(stream);
    ASSERT(!link->is_closing);
    if (link->is_broken) {
        buf_clear(&stream->out); /* ended() was said or follows; nobody will take these bytes */
        return;
    }
    bool must_wait = link->is_connecting || link->is_greeting || link->is_stepping ||
                     io_uv__link_has_unsent(link);
    link->flushed = stream->out.len;
    if (must_wait || link->flushed == 0) {
        return; /* the socket is being watched and will say when it takes more */
    }
    link_send(link);
    if (io_uv__link_has_unsent(link)) {
        io_uv__link_watch(link);
    }
}

void io_uv__stream_pause(struct io *io, struct io_stream *stream)
{
    (void)io;
    link_of(stream)->is_reading = false;
}

void io_uv__stream_resume(struct io *io, struct io_stream *stream)
{
    (void)io;
    struct link *link = link_of(stream);
    ASSERT(!link->is_closing);
    link->is_reading = true;
    if (link->tls != NULL) {
        io_uv__secure_resume(link);
    }
    if ((link->events & UV_READABLE) == 0) {
        io_uv__link_watch(link);
    }
}

size_t io_uv__stream_unsent(const struct io_stream *stream)
{
    const struct link *link = stream->world;
    return link->flushed;
}

const struct io_peer *io_uv__stream_peer(const struct io_stream *stream)
{
    const struct link *link = stream->world;
    return &link->peer;
}

/* ---- closing ---- */

void io_uv__link_finish(struct link *link)
{
    struct io_stream *stream = link->stream;
    io_uv__of(link->io)->has_delivered = true;
    tls_destroy(link->tls);
    io_uv__link_offer_end(link);
    buf_fini(&link->arrived);
    free(link);
    stream->world = NULL;
    stream->closed(stream);
}

static void link_on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    link->is_gone = true;
    if (!link->is_stepping) {
        io_uv__link_finish(link);
    }
}

static void link_on_closed_later(struct io_uv_later *later)
{
    io_uv__link_finish(CONTAINER_OF(later, struct link, later));
}

/* Close the socket so that the peer gets what was sent: input left unread would make the kernel
 * answer with a reset, which throws away what the peer has not read yet. */
static void link_shut(struct link *link)
{
    struct io_uv *world = io_uv__of(link->io);
    if (link->tls != NULL) {
        if (!link->is_stepping) {
            io_uv__secure_shut(link);
        }
    } else if (link->flushed > 0 && !link->is_connecting) {
        (void)send(link->fd, link->stream->out.data, link->flushed, MSG_NOSIGNAL);
    }
    if (shutdown(link->fd, SHUT_WR) == 0) {
        (void)recv(link->fd, world->read_buffer, READ_BUFFER_BYTES, 0);
    }
    (void)close(link->fd);
}

void io_uv__stream_close(struct io *io, struct io_stream *stream)
{
    struct link *link = stream->world == NULL ? link_new(io, stream) : link_of(stream);
    ASSERT(!link->is_closing);
    link->is_closing = true;
    io_uv__cancel(&link->later);
    io_uv__cancel(&link->more);
    list_remove(&link->arrival);
    io_uv__of(io)->open_count--;
    if (link->fd < 0) {
        io_uv__defer(io_uv__of(io), &link->later, link_on_closed_later);
        return;
    }
    uv_close((uv_handle_t *)&link->poll,
             link_on_closed); /* ends the watch before the socket goes */
    link_shut(link);
    link->flushed = 0;
}
