/* io_uv/datagram.c -- UDP: sending at once or not at all, receiving a few in a turn. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "io_uv/io_uv_private.h"

enum { RECEIVED_MAX = 64 }; /* in a turn: a flood of datagrams does not keep streams waiting */

struct port {
    struct io *io;
    struct io_datagrams *datagrams;
    uv_poll_t poll;
    int fd;
    bool is_closing;
};

/* Returns: false when none is waiting. What is too long, or from nowhere, is dropped. */
static bool receive_one(struct port *port)
{
    struct io_uv *world = io_uv__of(port->io);
    struct sockaddr_storage from = {0};
    struct iovec part = {.iov_base = world->read_buffer, .iov_len = IO_DATAGRAM_BYTES_MAX};
    struct msghdr head = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1};
    char address[INET6_ADDRSTRLEN + 1];
    uint16_t from_port = 0;
    ssize_t len;
    do {
        len = recvmsg(port->fd, &head, 0);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return false; /* an error of the network's is a loss, and what follows is read next turn */
    }
    if (len > 0 && (head.msg_flags & MSG_TRUNC) == 0 &&
        io_uv__address_format(&from, address, sizeof(address), &from_port)) {
        port->datagrams->received(port->datagrams, address, from_port,
                                  slice_from(world->read_buffer, (size_t)len));
    }
    return true;
}

static void port_on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct port *port = poll->data;
    io_uv__of(port->io)->has_delivered = true;
    for (int i = 0; i < RECEIVED_MAX && !port->is_closing; i++) {
        if (!receive_one(port)) {
            return;
        }
    }
}

static int socket_bind(const struct sockaddr_storage *at, socklen_t at_len, int *ret_fd)
{
    int fd = socket(at->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return io_uv__error(errno);
    }
    if (bind(fd, (const struct sockaddr *)at, at_len) < 0) {
        int status = io_uv__error(errno);
        (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    return OK;
}

int io_uv__datagrams_open(struct io *io, struct io_datagrams *datagrams, const char *address,
                          uint16_t port_number, uint16_t *ret_port)
{
    struct io_uv *world = io_uv__of(io);
    struct sockaddr_storage at;
    socklen_t at_len;
    uint16_t bound = 0;
    int fd = -1;
    int rc = io_uv__address_parse(address, port_number, &at, &at_len);
    rc = rc == OK ? socket_bind(&at, at_len, &fd) : rc;
    if (rc != OK) {
        return rc;
    }
    struct port *port = io_uv__alloc(sizeof(*port));
    rc = io_uv__address_port(fd, &bound);
    if (rc == OK) {
        int code = uv_poll_init(&world->loop, &port->poll, fd);
        rc = code == 0 ? OK : io_uv__error(-code);
    }
    if (rc != OK) {
        (void)close(fd);
        free(port);
        return rc;
    }
    port->io = io;
    port->datagrams = datagrams;
    port->fd = fd;
    port->poll.data = port;
    datagrams->world = port;
    world->open_count++;
    int code = uv_poll_start(&port->poll, UV_READABLE, port_on_poll);
    ASSERT(code == 0);
    *ret_port = bound;
    return OK;
}

int io_uv__datagrams_send(struct io *io, struct io_datagrams *datagrams, const char *address,
                          uint16_t port_number, struct slice bytes)
{
    (void)io;
    struct port *port = datagrams->world;
    struct sockaddr_storage to;
    socklen_t to_len;
    ssize_t sent;
    int rc = io_uv__address_parse(address, port_number, &to, &to_len);
    if (rc != OK) {
        return rc;
    }
    do {
        sent = sendto(port->fd, bytes.data, bytes.len, MSG_NOSIGNAL,
                      (const struct sockaddr *)&to, to_len);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return OK;
    }
    return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? ERR_FULL : ERR_IO;
}

static void port_on_closed(uv_handle_t *handle)
{
    struct port *port = handle->data;
    struct io_datagrams *datagrams = port->datagrams;
    io_uv__of(port->io)->has_delivered = true;
    free(port);
    datagrams->world = NULL;
    datagrams->closed(datagrams);
}

void io_uv__datagrams_close(struct io *io, struct io_datagrams *datagrams)
{
    struct port *port = datagrams->world;
    ASSERT(!port->is_closing);
    port->is_closing = true;
    io_uv__of(io)->open_count--;
    uv_close((uv_handle_t *)&port->poll, port_on_closed);
    (void)close(port->fd);
}
