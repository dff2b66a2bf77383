/* io_sim/wire.c -- what lies between two machines: cuts, delays, losses, and what they mean for
 * connections. */
#include "base/assert.h"
#include "io_sim/net_private.h"

/* The first repetition of what was lost; Linux waits no less. */
enum { RESEND_US = 200000, RESEND_DOUBLINGS_MAX = 5 };

static const struct wire whole;

static size_t place_of(const struct io_sim_machine *from, const struct io_sim_machine *to)
{
    ASSERT(from->number <= WIRES_MACHINES_MAX && to->number <= WIRES_MACHINES_MAX);
    return (size_t)(from->number - 1) * WIRES_MACHINES_MAX + (to->number - 1);
}

const struct wire *io_sim__wire(const struct io_sim_machine *from,
                                const struct io_sim_machine *to)
{
    return from->sim->wires == NULL ? &whole : &from->sim->wires[place_of(from, to)];
}

bool io_sim__wires_are_whole(const struct io_sim_machine *one,
                             const struct io_sim_machine *other)
{
    return !io_sim__wire(one, other)->is.is_cut && !io_sim__wire(other, one)->is.is_cut;
}

/* Lost ones are sent again, each repetition after twice as long. */
uint64_t io_sim__wire_delay_ns(const struct io_sim_machine *from,
                               const struct io_sim_machine *to, size_t len)
{
    struct io_sim *sim = from->sim;
    const struct io_sim_wire *wire = &io_sim__wire(from, to)->is;
    uint64_t ns = io_sim__delay_ns(sim, sim->options.network_delay_us);

    if (wire->delay_us > 0) {
        ns += io_sim__delay_ns(sim, wire->delay_us);
    }
    if (wire->bytes_per_s > 0) {
        ns += (uint64_t)len * 1000000 / wire->bytes_per_s * NS_PER_US;
    }
    for (unsigned i = 0; wire->loss_ppm > 0 && i <= RESEND_DOUBLINGS_MAX; i++) {
        if (!rng_chance(&sim->rng, wire->loss_ppm)) {
            break;
        }
        ns += ((uint64_t)RESEND_US << i) * NS_PER_US;
    }
    return ns;
}

/* ---- connections over a wire that changes ---- */

static void end_on_unheard(struct io_sim_event *event)
{
    io_sim__end_reset(CONTAINER_OF(event, struct end, unheard));
}

static void unheard_start(struct end *end)
{
    struct io_sim *sim = end->machine->sim;
    uint64_t ms = sim->options.unheard_ms;

    if (!heap_has(&end->unheard.node)) {
        io_sim__event_start(&end->unheard, end->machine,
                            rng_between(&sim->rng, ms / 2, ms + ms / 2) * NS_PER_MS,
                            end_on_unheard);
    }
}

/* After a cut that lasted so long, the next repetition is at most as far away. */
static void end_go_on(struct end *end, uint64_t lasted_ns)
{
    struct io_sim *sim = end->machine->sim;
    uint64_t us = lasted_ns / NS_PER_US;

    io_sim__end_retry(end, io_sim__delay_ns(sim, us < RESEND_US ? RESEND_US : us));
}

static void end_on_change(struct end *end, uint64_t lasted_ns)
{
    struct end *peer = io_sim__end_peer(end);

    if (!io_sim__end_is_alive(end) || peer->machine == NULL) {
        return;
    }
    if (!io_sim__wires_are_whole(end->machine, peer->machine)) {
        unheard_start(end);
        return;
    }
    if (io_sim__end_is_alive(peer) || end->has_fin) {
        io_sim__event_stop(end->machine->sim, &end->unheard);
    } else {
        unheard_start(end); /* the other has broken it, or died, and could not say so */
    }
    end_go_on(end, lasted_ns);
}

void io_sim_wire_set(struct io *from_io, struct io *to_io, const struct io_sim_wire *is)
{
    ASSERT(from_io != NULL && to_io != NULL && from_io != to_io);
    ASSERT(is != NULL);
    struct io_sim_machine *from = io_sim__of(from_io);
    struct io_sim_machine *to = io_sim__of(to_io);
    struct io_sim *sim = from->sim;

    if (sim->wires == NULL) {
        sim->wires =
            io_sim__alloc(sizeof(*sim->wires) * WIRES_MACHINES_MAX * WIRES_MACHINES_MAX);
    }
    struct wire *wire = &sim->wires[place_of(from, to)];
    bool was_cut = wire->is.is_cut;
    uint64_t lasted_ns = was_cut ? sim->now_ns - wire->cut_ns : 0;
    wire->is = *is;
    io_sim__trace(sim, from, 8, (uint64_t)to->number << 1 | is->is_cut);
    if (was_cut == is->is_cut) {
        return;
    }
    wire->cut_ns = is->is_cut ? sim->now_ns : 0;
    struct list *node;
    struct list *following;
    LIST_EACH(node, following, &sim->conns)
    {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        const struct io_sim_machine *one = conn->ends[0].machine;
        const struct io_sim_machine *other = conn->ends[1].machine;

        if ((one == from && other == to) || (one == to && other == from)) {
            end_on_change(&conn->ends[0], lasted_ns);
            end_on_change(&conn->ends[1], lasted_ns);
        }
    }
}
