/* io_sim/datagram.c -- datagrams in memory: each on its own way, lost, late, twice, or cut off. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "io_sim/io_sim_private.h"

enum { FIRST_PORT = 30000, CUT_MACHINES_MAX = 64 };

/* Where a process receives them. */
struct port {
    struct io_sim_machine *machine;
    struct list node; /* of machine.ports */
    struct io_datagrams *datagrams;
    char address[ADDRESS_BYTES];
    uint16_t port;
    bool is_shut; /* closed by its owner, or its process has died */
    struct io_sim_event closed;
};

/* One on its way. */
struct flight {
    struct list node; /* of sim.flights */
    struct io_sim_event arrive;
    struct io_sim_machine *from;
    char from_address[ADDRESS_BYTES];
    uint16_t from_port;
    char to_address[ADDRESS_BYTES];
    uint16_t to_port;
    size_t len;
    uint8_t bytes[];
};

/* ---- finding ---- */

static struct port *port_at(const struct io_sim_machine *machine, const char *address,
                            uint16_t number)
{
    for (struct list *node = machine->ports.next; node != &machine->ports; node = node->next) {
        struct port *port = CONTAINER_OF(node, struct port, node);
        bool fits = io_sim__address_is_wildcard(address) ||
                    io_sim__address_is_wildcard(port->address) ||
                    strcmp(port->address, address) == 0;
        if (!port->is_shut && port->port == number && fits) {
            return port;
        }
    }
    return NULL;
}

static struct port *port_of_flight(const struct flight *flight)
{
    if (io_sim__address_is_loopback(flight->to_address)) {
        return port_at(flight->from, flight->to_address, flight->to_port);
    }
    for (struct io_sim_machine *m = flight->from->sim->machines; m != NULL; m = m->next) {
        if (!m->is_down && strcmp(m->address, flight->to_address) == 0) {
            return port_at(m, flight->to_address, flight->to_port);
        }
    }
    return NULL;
}

static bool is_cut(const struct io_sim_machine *from, const struct io_sim_machine *to)
{
    return from->number < CUT_MACHINES_MAX && (to->deaf_to >> from->number & 1) != 0;
}

/* ---- on the way ---- */

static void flight_free(struct flight *flight)
{
    list_remove(&flight->node);
    free(flight);
}

static void flight_on_arrive(struct io_sim_event *event)
{
    struct flight *flight = CONTAINER_OF(event, struct flight, arrive);
    struct port *port = port_of_flight(flight);
    if (port != NULL && !is_cut(flight->from, port->machine)) {
        struct io_sim_machine *machine = port->machine;
        io_sim__trace(machine->sim, machine, 6, hash_bytes(flight->bytes, flight->len));
        port->datagrams->received(port->datagrams, flight->from_address, flight->from_port,
                                  slice_from(flight->bytes, flight->len));
        io_sim__delivered(machine);
    }
    flight_free(flight);
}

static void flight_start(const struct port *port, const char *address, uint16_t number,
                         struct slice bytes)
{
    struct io_sim_machine *machine = port->machine;
    struct io_sim *sim = machine->sim;
    const struct io_sim_datagram_faults *faults = &sim->datagram_faults;
    struct flight *flight = io_sim__alloc(sizeof(*flight) + bytes.len);
    uint64_t delay_ns = io_sim__delay_ns(sim, sim->options.network_delay_us);
    if (faults->late_us > 0 && rng_chance(&sim->rng, faults->late_ppm)) {
        delay_ns += io_sim__delay_ns(sim, faults->late_us);
    }
    flight->from = machine;
    flight->from_port = port->port;
    flight->to_port = number;
    flight->len = bytes.len;
    bool is_own = io_sim__address_is_loopback(address);
    io_sim__address_set(flight->from_address, is_own ? address : machine->address);
    io_sim__address_set(flight->to_address, address);
    memcpy(flight->bytes, bytes.data, bytes.len);
    list_add(&sim->flights, &flight->node);
    flight->arrive.is_certain = true; /* its sender may die meanwhile */
    io_sim__event_start(&flight->arrive, machine, delay_ns, flight_on_arrive);
}

int io_sim__datagrams_send(struct io *io, struct io_datagrams *datagrams, const char *address,
                           uint16_t number, struct slice bytes)
{
    (void)io;
    struct port *port = datagrams->world;
    struct io_sim *sim = port->machine->sim;
    if (!io_sim__address_is_numeric(address)) {
        return ERR_ADDRESS;
    }
    if (port->is_shut) {
        return ERR_IO;
    }
    const struct io_sim_datagram_faults *faults = &sim->datagram_faults;
    uint32_t copies = 1;
    if (faults->lost_ppm > 0 && rng_chance(&sim->rng, faults->lost_ppm)) {
        copies = 0;
    } else if (faults->copied_ppm > 0 && rng_chance(&sim->rng, faults->copied_ppm)) {
        copies = 2;
    }
    for (; copies > 0; copies--) {
        flight_start(port, address, number, bytes);
    }
    return OK;
}

/* ---- faults ---- */

void io_sim_datagram_faults_set(struct io_sim *sim, const struct io_sim_datagram_faults *faults)
{
    ASSERT(sim != NULL);
    sim->datagram_faults = *faults;
}

void io_sim_datagrams_cut(const struct io *from, struct io *to, bool is_to_be_cut)
{
    uint32_t number = io_sim__of(from)->number;
    struct io_sim_machine *machine = io_sim__of(to);
    ASSERT(number < CUT_MACHINES_MAX);
    uint64_t bit = 1ULL << number;
    machine->deaf_to = is_to_be_cut ? machine->deaf_to | bit : machine->deaf_to & ~bit;
}

/* ---- opening and closing ---- */

static uint16_t free_port(const struct io_sim_machine *machine)
{
    uint16_t number = FIRST_PORT;
    while (port_at(machine, "0.0.0.0", number) != NULL) {
        number++;
    }
    return number;
}

int io_sim__datagrams_open(struct io *io, struct io_datagrams *datagrams, const char *address,
                           uint16_t number, uint16_t *ret_port)
{
    struct io_sim_machine *machine = io_sim__of(io);
    bool is_own = io_sim__address_is_loopback(address) ||
                  io_sim__address_is_wildcard(address) || strcmp(address, machine->address) == 0;
    if (!io_sim__address_is_numeric(address) || !is_own) {
        return ERR_ADDRESS;
    }
    if (machine->is_down) {
        return ERR_IO;
    }
    if (number != 0 && port_at(machine, address, number) != NULL) {
        return ERR_EXISTS;
    }
    struct port *port = io_sim__alloc(sizeof(*port));
    port->machine = machine;
    port->datagrams = datagrams;
    port->port = number == 0 ? free_port(machine) : number;
    io_sim__address_set(port->address, address);
    list_add(&machine->ports, &port->node);
    datagrams->world = port;
    *ret_port = port->port;
    return OK;
}

static void port_free(struct port *port)
{
    io_sim__event_stop(port->machine->sim, &port->closed);
    list_remove(&port->node);
    free(port);
}

static void port_on_closed(struct io_sim_event *event)
{
    struct port *port = CONTAINER_OF(event, struct port, closed);
    struct io_sim_machine *machine = port->machine;
    struct io_datagrams *datagrams = port->datagrams;
    port_free(port);
    datagrams->world = NULL;
    datagrams->closed(datagrams);
    io_sim__delivered(machine);
}

void io_sim__datagrams_close(struct io *io, struct io_datagrams *datagrams)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct port *port = datagrams->world;
    ASSERT(!heap_has(&port->closed.node));
    port->is_shut = true;
    port->closed.is_certain = true;
    io_sim__event_start(&port->closed, machine, io_sim__delay_ns(machine->sim, 1),
                        port_on_closed);
}

/* The process has died. */
void io_sim__ports_drop(struct io_sim_machine *machine)
{
    for (struct list *node = machine->ports.next; node != &machine->ports; node = node->next) {
        CONTAINER_OF(node, struct port, node)->is_shut = true;
    }
}

void io_sim__ports_forget(struct io_sim_machine *machine)
{
    for (struct list *node = machine->ports.next; node != &machine->ports; node = node->next) {
        CONTAINER_OF(node, struct port, node)->closed.is_certain = false;
    }
}

void io_sim__ports_fini(struct io_sim *sim)
{
    while (!list_is_empty(&sim->flights)) {
        struct flight *flight = CONTAINER_OF(sim->flights.next, struct flight, node);
        io_sim__event_stop(sim, &flight->arrive);
        flight_free(flight);
    }
    for (struct io_sim_machine *m = sim->machines; m != NULL; m = m->next) {
        while (!list_is_empty(&m->ports)) {
            port_free(CONTAINER_OF(m->ports.next, struct port, node));
        }
    }
}
