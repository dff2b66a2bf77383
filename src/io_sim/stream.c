/* io_sim/stream.c -- connections in memory: delay, cuts at any byte, a bounded way, ends and
 * resets. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "io_sim/net_private.h"

enum {
    CUT_SMALL_BYTES = 16,
    UNREAD_RESET_PPM = 250000,
    CONNECT_AGAIN_NS = 1000 * NS_PER_MS, /* nobody answers: it is tried again */
};

static void end_on_arrive(struct io_sim_event *event);
static void end_on_drain(struct io_sim_event *event);

struct end *io_sim__end_peer(struct end *end)
{
    return end == &end->conn->ends[0] ? &end->conn->ends[1] : &end->conn->ends[0];
}

void io_sim__end_init(struct end *end, struct conn *conn, struct io_sim_machine *machine)
{
    end->io = &machine->io;
    end->machine = machine;
    end->conn = conn;
    buf_init(&end->inbound, machine->sim->options.network_window_bytes);
    list_add(&machine->ends, &end->node);
}

void io_sim__end_attach(struct end *end, struct io_stream *stream)
{
    end->stream = stream;
    stream->world = end;
}

static struct conn *conn_create(struct io_sim_machine *machine, struct io_stream *stream)
{
    struct conn *conn = io_sim__alloc(sizeof(*conn));
    list_add(&machine->sim->conns, &conn->node);
    io_sim__end_init(&conn->ends[0], conn, machine);
    io_sim__end_attach(&conn->ends[0], stream);
    conn->ends[1].conn = conn;
    return conn;
}

bool io_sim__end_is_alive(const struct end *end)
{
    return end->machine != NULL && !end->is_closing && !end->is_dead && !end->is_gone;
}

static void event_soon(struct end *end, struct io_sim_event *event,
                       void (*run)(struct io_sim_event *event))
{
    if (io_sim__end_is_alive(end) && !heap_has(&event->node)) {
        struct io_sim *sim = end->machine->sim;
        io_sim__event_start(event, end->machine,
                            io_sim__delay_ns(sim, sim->options.network_delay_us), run);
    }
}

static bool has_news(const struct end *end)
{
    return end->has_reset || end->is_broken ||
           (end->is_reading && (end->inbound.len > 0 || end->has_fin));
}

/* Whether what the other end says, an end of its own making included, cannot come in. */
static bool is_cut_off(const struct end *end)
{
    const struct end *peer = &end->conn->ends[end == &end->conn->ends[0]];

    return peer->machine != NULL && !end->is_connecting &&
           io_sim__wire(peer->machine, end->machine)->is.is_cut;
}

/* What comes in waits for the wire to be whole; what the end itself has found out does not. */
static void arrive_soon(struct end *end)
{
    bool is_own = end->has_reset || end->is_broken;

    if (!has_news(end) || end->has_ended || (!is_own && is_cut_off(end))) {
        return;
    }
    if (is_own || io_sim__end_peer(end)->machine == NULL) {
        event_soon(end, &end->arrive, end_on_arrive);
    } else if (io_sim__end_is_alive(end) && !heap_has(&end->arrive.node)) {
        io_sim__event_start(&end->arrive, end->machine,
                            io_sim__wire_delay_ns(io_sim__end_peer(end)->machine, end->machine,
                                                  end->inbound.len),
                            end_on_arrive);
    }
}

void io_sim__end_retry(struct end *end, uint64_t delay_ns)
{
    if (has_news(end) && !end->has_ended && !heap_has(&end->arrive.node)) {
        io_sim__event_start(&end->arrive, end->machine, delay_ns, end_on_arrive);
    }
    if (end->flushed > 0 && !end->is_connecting && !heap_has(&end->drain.node)) {
        io_sim__event_start(&end->drain, end->machine, delay_ns, end_on_drain);
    }
}

void io_sim__end_reset(struct end *end)
{
    if (io_sim__end_is_alive(end)) {
        end->has_reset = true;
        buf_clear(&end->inbound);
        arrive_soon(end);
    }
}

/* ---- sending ---- */

/* Hand over as much as fits on the way. Sending to an end that has gone breaks the connection,
 * but what the peer said before it went can still be read. */
static void end_send(struct end *end)
{
    struct end *peer = io_sim__end_peer(end);
    struct buf *out = &end->stream->out;
    ASSERT(end->flushed <= out->len);
    if (!io_sim__end_is_alive(peer) &&
        !(peer->machine != NULL && !io_sim__wires_are_whole(end->machine, peer->machine))) {
        buf_consume(out, end->flushed);
        end->flushed = 0;
        end->is_broken = true;
        arrive_soon(end);
        return;
    }
    size_t room = peer->inbound.max - peer->inbound.len;
    size_t len = end->flushed < room ? end->flushed : room;
    if (len == 0 || !io_sim__end_is_alive(peer)) {
        return; /* nobody acknowledges it: the end breaks by itself */
    }
    int rc = buf_append(&peer->inbound, out->data, len);
    ASSERT(rc == OK);
    buf_consume(out, len);
    end->flushed -= len;
    arrive_soon(peer);
}

void io_sim__stream_flush(struct io *io, struct io_stream *stream)
{
    (void)io;
    struct end *end = stream->world;
    ASSERT(!end->is_closing);
    if (end->is_broken || end->is_dead) {
        buf_clear(&stream->out);
        return;
    }
    bool must_wait = end->is_connecting || end->flushed > 0;
    end->flushed = stream->out.len;
    if (!must_wait && end->flushed > 0) {
        end_send(end);
    }
}

/* There is room on the way again. */
static void end_on_drain(struct io_sim_event *event)
{
    struct end *end = CONTAINER_OF(event, struct end, drain);
    if (end->flushed == 0 || end->is_broken || is_cut_off(end)) {
        return; /* room on the way is told by the other end */
    }
    end_send(end);
    if (end->flushed == 0 && !end->is_broken && end->stream->drained != NULL) {
        end->stream->drained(end->stream);
        io_sim__delivered(end->machine);
    }
}

size_t io_sim__stream_unsent(const struct io_stream *stream)
{
    const struct end *end = stream->world;
    return end->flushed;
}

/* ---- who is there ---- */

void io_sim_peer_set(struct io *io, const struct io_peer *peer)
{
    io_sim__of(io)->peer = *peer;
}

const struct io_peer *io_sim__stream_peer(const struct io_stream *stream)
{
    const struct end *end = stream->world;
    return &end->peer;
}

/* Handshakes are left out: what they would have shown is declared. One for all is enough. */
struct io_tls {
    bool unused;
};

int io_sim__tls_create(struct io *io, const struct io_tls_options *options,
                       struct io_tls **ret_tls)
{
    static struct io_tls tls;
    (void)io;
    (void)options;
    *ret_tls = &tls;
    return OK;
}

int io_sim__tls_renew(struct io *io, struct io_tls *tls, const struct io_tls_options *options)
{
    (void)io;
    (void)tls;
    (void)options;
    return OK;
}

void io_sim__tls_destroy(struct io *io, struct io_tls *tls)
{
    (void)io;
    (void)tls;
}

/* ---- receiving ---- */

static void end_break(struct end *end)
{
    end->has_ended = true;
    end->is_broken = true;
    end->flushed = 0;
    end->stream->ended(end->stream, ERR_IO);
}

/* How many of @len bytes come together: often all, sometimes a few, sometimes any number. */
static size_t cut(struct io_sim *sim, size_t len)
{
    uint64_t how = rng_below(&sim->rng, 8);
    if (how < 4) {
        return len;
    }
    size_t most = how == 4 && len > CUT_SMALL_BYTES ? CUT_SMALL_BYTES : len;
    return (size_t)rng_between(&sim->rng, 1, most);
}

static void end_deliver(struct end *end)
{
    struct io_sim *sim = end->machine->sim;
    size_t len = cut(sim, end->inbound.len);
    buf_clear(&sim->delivery);
    int rc = buf_append(&sim->delivery, end->inbound.data, len);
    ASSERT(rc == OK);
    buf_consume(&end->inbound, len);
    struct end *peer = io_sim__end_peer(end);
    if (peer->flushed > 0) {
        event_soon(peer, &peer->drain, end_on_drain);
    }
    io_sim__trace(sim, end->machine, 5, hash_bytes(sim->delivery.data, len));
    end->stream->received(end->stream, buf_slice(&sim->delivery));
}

static void end_on_arrive(struct io_sim_event *event)
{
    struct end *end = CONTAINER_OF(event, struct end, arrive);
    bool is_own = end->has_reset || end->is_broken;
    if (end->stream == NULL || end->has_ended || !has_news(end) ||
        (!is_own && is_cut_off(end))) {
        return;
    }
    bool has_words = end->is_reading && end->inbound.len > 0;
    if (end->has_reset || (end->is_broken && !has_words)) {
        end_break(end);
    } else if (end->inbound.len > 0) {
        end_deliver(end);
    } else {
        end->has_ended = true;
        end->stream->ended(end->stream, ERR_EOF);
    }
    arrive_soon(end);
    io_sim__delivered(end->machine);
}

void io_sim__stream_pause(struct io *io, struct io_stream *stream)
{
    (void)io;
    struct end *end = stream->world;
    end->is_reading = false;
}

void io_sim__stream_resume(struct io *io, struct io_stream *stream)
{
    (void)io;
    struct end *end = stream->world;
    ASSERT(!end->is_closing);
    end->is_reading = true;
    arrive_soon(end);
}

/* ---- connecting ---- */

static void end_on_connect(struct io_sim_event *event)
{
    struct end *end = CONTAINER_OF(event, struct end, connect);
    struct door *door = io_sim__door_find(end->machine, end->address, end->port);
    struct io_sim_machine *to = io_sim__machine_at(end->machine->sim, end->address);
    if (to != NULL && to != end->machine && !io_sim__wires_are_whole(end->machine, to)) {
        io_sim__event_start(&end->connect, end->machine, CONNECT_AGAIN_NS, end_on_connect);
        return;
    }
    bool is_through = door != NULL && io_sim__door_knock(door, io_sim__end_peer(end));
    end->is_connecting = false;
    if (is_through) {
        end->peer = io_sim__end_peer(end)->machine->peer;
        io_sim__end_peer(end)->peer = end->machine->peer;
    }
    if (!is_through) {
        end->is_broken = true;
        end->has_ended = true;
        end->flushed = 0;
    } else if (end->flushed > 0) {
        event_soon(end, &end->drain, end_on_drain);
    }
    end->stream->connected(end->stream, is_through ? OK : ERR_REFUSED_CONNECT);
    io_sim__delivered(end->machine);
}

int io_sim__stream_connect(struct io *io, struct io_stream *stream, const char *address,
                           uint16_t port)
{
    struct io_sim_machine *machine = io_sim__of(io);
    if (!io_sim__address_is_numeric(address)) {
        return ERR_ADDRESS;
    }
    struct end *end = &conn_create(machine, stream)->ends[0];
    end->is_connecting = true;
    end->is_dead = machine->is_down;
    end->port = port;
    io_sim__address_set(end->address, address);
    event_soon(end, &end->connect, end_on_connect);
    return OK;
}

void io_sim_stream_reset(struct io_stream *stream)
{
    ASSERT(stream != NULL);
    struct end *end = stream->world;
    ASSERT(end != NULL);
    io_sim__end_reset(io_sim__end_peer(end));
    io_sim__end_reset(end);
}

/* ---- closing ---- */

static void end_stop(struct end *end)
{
    struct io_sim *sim = end->machine->sim;
    io_sim__event_stop(sim, &end->connect);
    io_sim__event_stop(sim, &end->arrive);
    io_sim__event_stop(sim, &end->drain);
    io_sim__event_stop(sim, &end->unheard);
}

static void conn_free(struct conn *conn)
{
    for (size_t i = 0; i < 2; i++) {
        struct end *end = &conn->ends[i];
        if (end->machine != NULL) {
            end_stop(end);
            io_sim__event_stop(end->machine->sim, &end->closed);
            buf_fini(&end->inbound);
            list_remove(&end->node);
            list_remove(&end->waiting);
        }
    }
    list_remove(&conn->node);
    free(conn);
}

static void end_on_closed(struct io_sim_event *event)
{
    struct end *end = CONTAINER_OF(event, struct end, closed);
    struct io_sim_machine *machine = end->machine;
    struct io_stream *stream = end->stream;
    struct end *peer = io_sim__end_peer(end);
    end->stream = NULL;
    end->is_gone = true;
    if (peer->machine == NULL || peer->is_gone) {
        conn_free(end->conn);
    }
    stream->world = NULL;
    stream->closed(stream);
    io_sim__delivered(machine);
}

/* Tell the other side. Closing with input unread may reset the connection, as a kernel does;
 * what was on its way is then lost, last words included. */
static void end_leave(struct end *end)
{
    struct end *peer = io_sim__end_peer(end);
    struct io_sim *sim = end->machine->sim;
    if (!io_sim__end_is_alive(peer)) {
        return;
    }
    if (end->flushed > 0) {
        end_send(end);
    }
    bool is_heard = !io_sim__wire(end->machine, peer->machine)->is.is_cut;
    if (is_heard && end->inbound.len > 0 && rng_chance(&sim->rng, UNREAD_RESET_PPM)) {
        io_sim__end_reset(peer);
        return;
    }
    peer->has_fin = true;
    arrive_soon(peer);
}

void io_sim__stream_close(struct io *io, struct io_stream *stream)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct end *end =
        stream->world == NULL ? &conn_create(machine, stream)->ends[0] : stream->world;
    ASSERT(!end->is_closing);
    if (io_sim__end_is_alive(end) && !end->is_broken && !end->has_reset) {
        end_leave(end);
    }
    end->is_closing = true;
    end->flushed = 0;
    buf_clear(&end->inbound);
    end_stop(end);
    end->closed.is_certain = true;
    io_sim__event_start(&end->closed, machine, io_sim__delay_ns(machine->sim, 1),
                        end_on_closed);
}

/* ---- the process has died; the world ends ---- */

void io_sim__net_drop(struct io_sim_machine *machine)
{
    for (struct list *node = machine->ends.next; node != &machine->ends; node = node->next) {
        struct end *end = CONTAINER_OF(node, struct end, node);
        if (end->is_dead || end->is_closing || end->is_gone) {
            continue;
        }
        end_stop(end);
        end->is_dead = true;
        end->is_gone = end->stream == NULL; /* nobody took it, nobody will close it */
        end->flushed = 0;
        struct end *peer = io_sim__end_peer(end);
        if (peer->machine == NULL || !io_sim__wire(machine, peer->machine)->is.is_cut) {
            io_sim__end_reset(peer);
        }
    }
    io_sim__doors_drop(machine);
}

/* An event that is not certain is dropped on a machine that is down, and in its next life. */
void io_sim__net_forget(struct io_sim_machine *machine)
{
    for (struct list *node = machine->ends.next; node != &machine->ends; node = node->next) {
        CONTAINER_OF(node, struct end, node)->closed.is_certain = false;
    }
    io_sim__doors_forget(machine);
}

void io_sim__net_fini(struct io_sim *sim)
{
    while (!list_is_empty(&sim->conns)) {
        conn_free(CONTAINER_OF(sim->conns.next, struct conn, node));
    }
    io_sim__doors_fini(sim);
}
