/* io_sim/net_private.h -- connections and listeners: what stream.c and listener.c share.
 *
 * Layer: io_sim
 */
#ifndef CARILLON_IO_SIM_NET_PRIVATE_H
#define CARILLON_IO_SIM_NET_PRIVATE_H

#include "io_sim/io_sim_private.h"

struct conn;

/* One end of a connection. Bytes on their way to it wait in `inbound`, which stands for the
 * sender's kernel, the wire and the receiver's kernel together. */
struct end {
    struct io *io;                  /* first: io_stream_unsent() finds it here */
    struct io_sim_machine *machine; /* NULL: this end was never made */
    struct conn *conn;
    struct list node;         /* of machine.ends */
    struct list waiting;      /* of door.waiting, until accepted */
    struct io_stream *stream; /* NULL: not accepted yet, or closed */
    struct buf inbound;
    struct io_peer peer; /* who is at the other end */
    size_t flushed; /* bytes of stream->out that flush handed over and inbound has not taken */
    bool is_connecting;
    bool is_reading; /* resumed */
    bool has_ended;  /* ended() was called */
    bool is_broken;  /* nothing goes either way any more */
    bool is_closing; /* closed by its owner */
    bool is_dead;    /* its process has died */
    bool is_gone;    /* closed() was called, or nobody will ever ask for it */
    bool has_fin;    /* the peer has closed: inbound is all that comes */
    bool has_reset;  /* the connection broke; ended(ERR_IO) is due */
    uint16_t port;   /* of the connecting end: where to */
    char address[ADDRESS_BYTES];
    struct io_sim_event connect;
    struct io_sim_event arrive;
    struct io_sim_event drain;
    struct io_sim_event closed;
    struct io_sim_event unheard; /* it breaks for want of any word from the other */
};

/* ends[0] connects, ends[1] is accepted. Freed when both are gone. */
struct conn {
    struct list node; /* of sim.conns */
    struct end ends[2];
};

/* A listener's part. */
struct door {
    struct io_sim_machine *machine;
    struct list node; /* of machine.doors */
    struct io_listener *listener;
    char address[ADDRESS_BYTES];
    uint16_t port;
    bool is_shut;        /* closed by its owner, or its process has died */
    struct list waiting; /* struct end */
    size_t waiting_count;
    struct io_sim_event incoming;
    struct io_sim_event closed;
};

/* stream.c */
void io_sim__end_init(struct end *end, struct conn *conn, struct io_sim_machine *machine);
void io_sim__end_attach(struct end *end, struct io_stream *stream);
void io_sim__end_reset(struct end *end); /* takes an end that was never made */
struct end *io_sim__end_peer(struct end *end);
bool io_sim__end_is_alive(const struct end *end);

/* In @delay_ns what waited at a cut wire comes in, and what waits to leave is sent. */
void io_sim__end_retry(struct end *end, uint64_t delay_ns);

/* wire.c */
const struct wire *io_sim__wire(const struct io_sim_machine *from,
                                const struct io_sim_machine *to);
bool io_sim__wires_are_whole(const struct io_sim_machine *one,
                             const struct io_sim_machine *other);

/* How long @len bytes are on the way. */
uint64_t io_sim__wire_delay_ns(const struct io_sim_machine *from,
                               const struct io_sim_machine *to, size_t len);

/* listener.c */
struct io_sim_machine *io_sim__machine_at(struct io_sim *sim, const char *address);
struct door *io_sim__door_find(struct io_sim_machine *from, const char *address, uint16_t port);
bool io_sim__door_knock(struct door *door, struct end *end); /* false: the queue is full */
void io_sim__doors_drop(struct io_sim_machine *machine);
void io_sim__doors_forget(struct io_sim_machine *machine);
void io_sim__doors_fini(struct io_sim *sim);

#endif
