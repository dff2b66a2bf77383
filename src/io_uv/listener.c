/* io_uv/listener.c -- listening sockets and taking connections from them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "io_uv/io_uv_private.h"

enum { BACKLOG = 1024, RETRY_MS = 100 };

struct door {
    struct io *io;
    struct io_listener *listener;
    struct io_uv_later later; /* somebody waits outside */
    uv_poll_t poll;
    struct io_timer retry; /* armed while descriptors have run out */
    int fd;
    unsigned taken; /* connections, in this turn */
    bool is_closing;
};

/* Who comes is let in after those inside were heard, and have their answers. */
static void door_on_turn(struct io_uv_later *later)
{
    struct door *door = CONTAINER_OF(later, struct door, later);
    door->taken = 0;
    door->listener->incoming(door->listener);
}

static void door_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct door *door = poll->data;
    io_uv__defer(io_uv__of(door->io), &door->later, door_on_turn);
}

static void door_open(struct door *door)
{
    int rc = uv_poll_start(&door->poll, UV_READABLE, door_on_poll);
    ASSERT(rc == 0);
}

static void door_on_retry(struct io_timer *retry)
{
    door_open(CONTAINER_OF(retry, struct door, retry));
}

/* A bound and listening socket, or an error. */
static int socket_listen(const struct sockaddr_storage *at, socklen_t at_len, int *ret_fd)
{
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return io_uv__error(errno);
    }
    int on = 1;
    int status = io_uv__socket_set_up(fd);
    if (status == OK &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
         bind(fd, (const struct sockaddr *)at, at_len) < 0 || listen(fd, BACKLOG) < 0)) {
        status = io_uv__error(errno);
    }
    if (status != OK) {
        (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    return OK;
}

int io_uv__listen(struct io *io, struct io_listener *listener, const char *address,
                  uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_storage at;
    socklen_t at_len;
    int fd = -1;
    uint16_t bound = 0;
    int rc = io_uv__address_parse(address, port, &at, &at_len);
    if (rc != OK) {
        return rc;
    }
    rc = socket_listen(&at, at_len, &fd);
    if (rc != OK) {
        return rc;
    }
    struct io_uv *world = io_uv__of(io);
    struct door *door = io_uv__alloc(sizeof(*door));
    rc = io_uv__address_port(fd, &bound);
    if (rc == OK) {
        int code = uv_poll_init(&world->loop, &door->poll, fd);
        rc = code == 0 ? OK : io_uv__error(-code);
    }
    if (rc != OK) {
        (void)close(fd);
        free(door);
        return rc;
    }
    door->io = io;
    door->listener = listener;
    door->fd = fd;
    door->poll.data = door;
    listener->world = door;
    world->open_count++;
    door_open(door);
    *ret_port = bound;
    return OK;
}

int io_uv__accept(struct io *io, struct io_listener *listener, struct io_stream *stream)
{
    struct door *door = listener->world;
    struct sockaddr_storage from = {0};
    socklen_t from_len;
    int fd;
    if (door->taken == ACCEPTS_MAX) {
        return ERR_GONE; /* the socket stays readable: the others are taken in the next turn */
    }
    do {
        from_len = sizeof(from);
        fd = accept4(door->fd, (struct sockaddr *)&from, &from_len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0 && errno == EAGAIN) {
        return ERR_GONE;
    }
    int rc = fd < 0 ? io_uv__error(errno)
                    : io_uv__stream_take(io_uv__of(io), stream, fd, &from, listener->tls);
    if (rc == OK) {
        door->taken++;
        return OK;
    }
    if (fd >= 0) {
        (void)close(fd);
    } else if (!door->is_closing) {
        /* The connection stays in the kernel's queue and the socket stays readable: look again
         * later instead of turning in circles. */
        int stopped = uv_poll_stop(&door->poll);
        ASSERT(stopped == 0);
        io_timer_start(io, &door->retry, RETRY_MS, door_on_retry);
    }
    return rc == ERR_FULL ? ERR_FULL : ERR_IO;
}

static void door_on_closed(uv_handle_t *handle)
{
    struct door *door = handle->data;
    struct io_listener *listener = door->listener;
    io_uv__of(door->io)->has_delivered = true;
    free(door);
    listener->world = NULL;
    listener->closed(listener);
}

void io_uv__listener_close(struct io *io, struct io_listener *listener)
{
    struct door *door = listener->world;
    ASSERT(!door->is_closing);
    door->is_closing = true;
    io_timer_stop(io, &door->retry);
    io_uv__cancel(&door->later);
    io_uv__of(io)->open_count--;
    uv_close((uv_handle_t *)&door->poll, door_on_closed);
    (void)close(door->fd);
}
