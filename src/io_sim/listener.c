/* io_sim/listener.c -- addresses, listeners, and connections waiting to be accepted. */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/net_private.h"

enum { BACKLOG = 128, ASK_AGAIN_US = 100000 };

/* Four numbers of at most 255 with dots between. */
static bool is_ip4(struct slice text)
{
    struct slice part;
    int parts = 0;
    bool has_more = true;
    while (has_more) {
        uint64_t value = 0;
        has_more = slice_cut(text, '.', &part, &text);
        if (slice_parse_u64(part, UINT8_MAX, &value) != OK) {
            return false;
        }
        parts++;
    }
    return parts == 4;
}

/* Close enough for a world whose addresses are only compared: hexadecimal groups with colons
 * between. */
static bool is_ip6(const char *text)
{
    return strchr(text, ':') != NULL && text[strspn(text, "0123456789abcdefABCDEF:.")] == '\0';
}

bool io_sim__address_is_numeric(const char *address)
{
    return strlen(address) < ADDRESS_BYTES &&
           (is_ip4(slice_from_text(address)) || is_ip6(address));
}

void io_sim__address_set(char address[ADDRESS_BYTES], const char *text)
{
    size_t len = strlen(text);
    ASSERT(len < ADDRESS_BYTES);
    memcpy(address, text, len + 1);
}

bool io_sim__address_is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

bool io_sim__address_is_wildcard(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static struct door *door_at(struct io_sim_machine *machine, const char *address, uint16_t port)
{
    for (struct list *node = machine->doors.next; node != &machine->doors; node = node->next) {
        struct door *door = CONTAINER_OF(node, struct door, node);
        bool fits = io_sim__address_is_wildcard(address) || io_sim__address_is_wildcard(door->address) ||
                    strcmp(door->address, address) == 0;
        if (!door->is_shut && door->port == port && fits) {
            return door;
        }
    }
    return NULL;
}

struct io_sim_machine *io_sim__machine_at(struct io_sim *sim, const char *address)
{
    for (struct io_sim_machine *m = sim->machines; m != NULL; m = m->next) {
        if (strcmp(m->address, address) == 0) {
            return m;
        }
    }
    return NULL;
}

/* Who listens where @from wants to go. Loopback leads to the machine itself. */
struct door *io_sim__door_find(struct io_sim_machine *from, const char *address, uint16_t port)
{
    if (io_sim__address_is_loopback(address)) {
        return door_at(from, address, port);
    }
    for (struct io_sim_machine *m = from->sim->machines; m != NULL; m = m->next) {
        if (!m->is_down && strcmp(m->address, address) == 0) {
            struct door *door = door_at(m, address, port);
            if (door != NULL) {
                return door;
            }
        }
    }
    return NULL;
}

static void door_on_incoming(struct io_sim_event *event);

static void incoming_soon(struct door *door, uint64_t us)
{
    if (!door->is_shut && !heap_has(&door->incoming.node)) {
        io_sim__event_start(&door->incoming, door->machine,
                            io_sim__delay_ns(door->machine->sim, us), door_on_incoming);
    }
}

static void door_on_incoming(struct io_sim_event *event)
{
    struct door *door = CONTAINER_OF(event, struct door, incoming);
    if (list_is_empty(&door->waiting)) {
        return;
    }
    struct io_sim_machine *machine = door->machine;
    door->listener->incoming(door->listener);
    if (!list_is_empty(&door->waiting)) {
        incoming_soon(door, ASK_AGAIN_US);
    }
    io_sim__delivered(machine);
}

bool io_sim__door_knock(struct door *door, struct end *end)
{
    if (door->waiting_count == BACKLOG) {
        return false;
    }
    io_sim__end_init(end, end->conn, door->machine);
    list_add(&door->waiting, &end->waiting);
    door->waiting_count++;
    incoming_soon(door, door->machine->sim->options.network_delay_us);
    return true;
}

int io_sim__accept(struct io *io, struct io_listener *listener, struct io_stream *stream)
{
    (void)io;
    struct door *door = listener->world;
    if (door->is_shut || list_is_empty(&door->waiting)) {
        return ERR_GONE;
    }
    struct end *end = CONTAINER_OF(door->waiting.next, struct end, waiting);
    list_remove(&end->waiting);
    door->waiting_count--;
    io_sim__end_attach(end, stream);
    if (end->has_reset) {
        io_sim__end_reset(end); /* it broke while nobody was there to be told */
    }
    return OK;
}

/* ---- opening and closing ---- */

static uint16_t free_port(struct io_sim_machine *machine)
{
    struct io_sim *sim = machine->sim;
    do {
        sim->next_port = sim->next_port == UINT16_MAX ? 20000 : (uint16_t)(sim->next_port + 1);
    } while (door_at(machine, "0.0.0.0", sim->next_port) != NULL);
    return sim->next_port;
}

int io_sim__listen(struct io *io, struct io_listener *listener, const char *address,
                   uint16_t port, uint16_t *ret_port)
{
    struct io_sim_machine *machine = io_sim__of(io);
    bool is_own =
        io_sim__address_is_loopback(address) || io_sim__address_is_wildcard(address) || strcmp(address, machine->address) == 0;
    if (!io_sim__address_is_numeric(address) || !is_own) {
        return ERR_ADDRESS;
    }
    if (machine->is_down) {
        return ERR_IO;
    }
    if (port != 0 && door_at(machine, address, port) != NULL) {
        return ERR_EXISTS;
    }
    struct door *door = io_sim__alloc(sizeof(*door));
    door->machine = machine;
    door->listener = listener;
    door->port = port == 0 ? free_port(machine) : port;
    io_sim__address_set(door->address, address);
    list_init(&door->waiting);
    list_add(&machine->doors, &door->node);
    listener->world = door;
    *ret_port = door->port;
    return OK;
}

/* Whoever waits is turned away. */
static void door_shut(struct door *door)
{
    door->is_shut = true;
    io_sim__event_stop(door->machine->sim, &door->incoming);
    while (!list_is_empty(&door->waiting)) {
        struct end *end = CONTAINER_OF(door->waiting.next, struct end, waiting);
        list_remove(&end->waiting);
        end->is_gone = true;
        io_sim__end_reset(io_sim__end_peer(end));
    }
    door->waiting_count = 0;
}

static void door_free(struct door *door)
{
    io_sim__event_stop(door->machine->sim, &door->incoming);
    io_sim__event_stop(door->machine->sim, &door->closed);
    list_remove(&door->node);
    free(door);
}

static void door_on_closed(struct io_sim_event *event)
{
    struct door *door = CONTAINER_OF(event, struct door, closed);
    struct io_sim_machine *machine = door->machine;
    struct io_listener *listener = door->listener;
    door_free(door);
    listener->world = NULL;
    listener->closed(listener);
    io_sim__delivered(machine);
}

void io_sim__listener_close(struct io *io, struct io_listener *listener)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct door *door = listener->world;
    ASSERT(!heap_has(&door->closed.node));
    if (!door->is_shut) {
        door_shut(door);
    }
    door->closed.is_certain = true;
    io_sim__event_start(&door->closed, machine, io_sim__delay_ns(machine->sim, 1),
                        door_on_closed);
}

/* The process has died. */
void io_sim__doors_drop(struct io_sim_machine *machine)
{
    for (struct list *node = machine->doors.next; node != &machine->doors; node = node->next) {
        struct door *door = CONTAINER_OF(node, struct door, node);
        if (!door->is_shut) {
            door_shut(door);
        }
    }
}

void io_sim__doors_forget(struct io_sim_machine *machine)
{
    for (struct list *node = machine->doors.next; node != &machine->doors; node = node->next) {
        CONTAINER_OF(node, struct door, node)->closed.is_certain = false;
    }
}

void io_sim__doors_fini(struct io_sim *sim)
{
    for (struct io_sim_machine *m = sim->machines; m != NULL; m = m->next) {
        while (!list_is_empty(&m->doors)) {
            door_free(CONTAINER_OF(m->doors.next, struct door, node));
        }
    }
}
