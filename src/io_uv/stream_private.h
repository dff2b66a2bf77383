/* io_uv/stream_private.h -- a connection, as stream.c and stream_tls.c share it.
 *
 * Layer: io_uv
 */
#ifndef CARILLON_IO_UV_STREAM_PRIVATE_H
#define CARILLON_IO_UV_STREAM_PRIVATE_H

#include "io_uv/io_uv_private.h"
#include "io_uv/tls.h"

struct link {
    struct io *io; /* first: io_stream_unsent() finds it here */
    struct io_stream *stream;
    struct io_uv_later later;
    struct io_uv_later more; /* plaintext waits that came while nobody read */
    struct list arrival; /* in one of the world's lists while it arrives and waits */
    struct io_job step;  /* of its handshake, on the lane */
    size_t step_len;     /* bytes of arrived that are the step's */
    int step_status;
    struct buf arrived;  /* of a handshake: what did not go into a step yet */
    struct io_peer seen; /* what a step writes in place of peer */
    uv_poll_t poll;
    struct tls *tls;      /* the connection is secured, or is to be; NULL: plain */
    struct io_tls *offer; /* what it will be secured with if its first byte says so */
    struct io_peer peer;
    int fd;         /* -1: there is no socket, and poll is not initialised */
    int events;     /* what poll watches now */
    int status;     /* what connected() will say when it was clear at once */
    size_t flushed; /* bytes of out that flush handed over and the kernel has not taken */
    bool is_connecting;
    bool is_greeting; /* connected, and the handshake is not done: connected() is still due */
    bool is_reading;  /* resumed */
    bool is_arriving; /* accepted, and not heard yet whether it is to be secured, or not secured
                         yet */
    bool is_stepping; /* the lane has tls, arrived and seen: nobody else touches them */
    bool is_gone;     /* closed, and the socket's watch has ended */
    bool has_ended;   /* ended() was called or is about to be */
    bool is_broken;   /* nothing can be sent any more */
    bool is_closing;  /* the owner has closed it: closed() is the only callback left */
};

/* stream.c: say once that the peer has gone, or that sending has failed. */
void io_uv__link_end(struct link *link, int status);
void io_uv__link_break(struct link *link);
void io_uv__link_connected(struct link *link, int status);

/* stream.c: read once, and watch on. */
void io_uv__link_read_arrival(struct link *link);
void io_uv__link_watch(struct link *link);
void io_uv__link_offer_end(struct link *link);

/* stream.c: the watch and the lane have let go of it, as far as they had it. */
void io_uv__link_finish(struct link *link);

/* arrival.c: this link's socket has something to read; it waits. */
void io_uv__arrival_wait(struct link *link);

/* Whether it waits to be read, or for a step. Its socket is not read then. */
static inline bool io_uv__arrival_is_waiting(const struct link *link)
{
    return link->is_stepping || list_is_linked(&link->arrival);
}

/* How much may be read of it, and what was. */
size_t io_uv__arrival_room(const struct link *link);
void io_uv__arrival_receive(struct link *link, struct slice bytes);

/* stream_tls.c */

/* Whether anything, sealed or not, waits for the kernel. */
bool io_uv__link_has_unsent(const struct link *link);

/* What arrived on a secured connection. */
void io_uv__secure_receive(struct link *link, struct slice bytes);

/* A step of the handshake was made for it. */
void io_uv__secure_stepped(struct link *link, int status);

/* Seal what was handed over and send it, as far as the kernel takes it. Never calls back. */
void io_uv__secure_send(struct link *link);

/* A client's socket is there: begin the handshake. */
void io_uv__secure_begin(struct link *link);

/* The owner reads again: deliver what waits, later. */
void io_uv__secure_resume(struct link *link);

/* Send the rest and goodbye, once. */
void io_uv__secure_shut(struct link *link);

#endif
