/* io_sim/world.c -- the simulated world: its clock, the heap of events, the trace. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "io_sim/io_sim_private.h"

enum { TURN_US = 20, FIRST_PORT = 20000, DELIVERY_BYTES_MAX = 1 << 30 };

void *io_sim__alloc(size_t size)
{
    void *block = calloc(1, size);
    ASSERT(block != NULL);
    return block;
}

/* Make room for one more than @count elements. */
void *io_sim__grow(void *array, size_t element, size_t count, size_t *cap)
{
    if (count < *cap) {
        return array;
    }
    *cap = *cap == 0 ? 8 : *cap * 2;
    array = realloc(array, *cap * element);
    ASSERT(array != NULL);
    return array;
}

char *io_sim__copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    return copy;
}

void io_sim__trace(struct io_sim *sim, const struct io_sim_machine *machine, uint64_t what,
                   uint64_t value)
{
    uint64_t row[4] = {sim->now_ns, machine == NULL ? 0 : machine->number, what, value};
    sim->trace = hash_bytes_seeded(sim->trace, row, sizeof(row));
}

uint64_t io_sim__delay_ns(struct io_sim *sim, uint64_t us_max)
{
    return rng_between(&sim->rng, 1, us_max == 0 ? 1 : us_max * NS_PER_US);
}

void io_sim__event_start(struct io_sim_event *event, struct io_sim_machine *machine,
                         uint64_t delay_ns, void (*run)(struct io_sim_event *event))
{
    ASSERT(!heap_has(&event->node));
    event->machine = machine;
    event->life = machine->life;
    event->run = run;
    heap_add(&machine->sim->events, &event->node, machine->sim->now_ns + delay_ns);
}

void io_sim__event_stop(struct io_sim *sim, struct io_sim_event *event)
{
    heap_remove(&sim->events, &event->node);
}

/* The loop of a real process finds several events ready when it looks: a turn lasts a little,
 * and what happens to the process meanwhile is in the same turn. */
void io_sim__delivered(struct io_sim_machine *machine)
{
    if (!machine->is_down && !list_is_empty(&machine->turns) &&
        !heap_has(&machine->turn.node)) {
        io_sim__event_start(&machine->turn, machine, io_sim__delay_ns(machine->sim, TURN_US),
                            io_sim__turn_on_end);
    }
}

/* ---- stepping ---- */

/* What comes next: an event, or a timer of a machine; both NULL when nothing does. Events go
 * before timers of the same instant, and machines in the order of their creation. */
struct due {
    struct io_sim_event *event;
    struct io_timer *timer;
    struct io_sim_machine *machine;
    uint64_t at_ns;
};

static struct due find_due(const struct io_sim *sim)
{
    struct due due = {.at_ns = UINT64_MAX};
    struct heap_node *first = heap_first(&sim->events);
    if (first != NULL) {
        due.event = CONTAINER_OF(first, struct io_sim_event, node);
        due.machine = due.event->machine;
        due.at_ns = first->key;
    }
    for (struct io_sim_machine *m = sim->machines; m != NULL; m = m->next) {
        first = heap_first(&m->timers);
        uint64_t at_ns = first == NULL ? UINT64_MAX : io_sim__world_ns(m, first->key);
        at_ns = at_ns < m->paused_until_ns ? m->paused_until_ns : at_ns;
        if (at_ns < due.at_ns) {
            due.event = NULL;
            due.timer = CONTAINER_OF(first, struct io_timer, node);
            due.machine = m;
            due.at_ns = at_ns;
        }
    }
    return due;
}

static void deliver(struct io_sim *sim, const struct due *due)
{
    struct io_sim_machine *machine = due->machine;
    sim->delivered = machine;
    if (due->at_ns > sim->now_ns) {
        sim->now_ns = due->at_ns;
    }
    if (due->timer != NULL) {
        heap_remove(&machine->timers, &due->timer->node);
        io_sim__trace(sim, machine, 1, 0);
        due->timer->fired(due->timer);
        io_sim__delivered(machine);
        return;
    }
    struct io_sim_event *event = due->event;
    heap_remove(&sim->events, &event->node);
    if (machine->paused_until_ns > sim->now_ns && !event->is_certain) {
        heap_add(&sim->events, &event->node, machine->paused_until_ns);
        return;
    }
    bool is_alive = !machine->is_down && event->life == machine->life;
    if (is_alive || event->is_certain) {
        io_sim__trace(sim, machine, 2, 0);
        event->run(event);
    }
}

bool io_sim_step(struct io_sim *sim)
{
    ASSERT(sim != NULL);
    struct due due = find_due(sim);
    if (due.machine == NULL) {
        return false;
    }
    deliver(sim, &due);
    return true;
}

/* Deliver what is due until @end_ns or until is_done(). Returns: whether anything is left. */
static bool run(struct io_sim *sim, uint64_t end_ns, bool (*is_done)(void *context),
                void *context)
{
    for (;;) {
        if (is_done != NULL && is_done(context)) {
            return true;
        }
        struct due due = find_due(sim);
        if (due.machine == NULL) {
            return false;
        }
        if (due.at_ns > end_ns) {
            sim->now_ns = end_ns > sim->now_ns ? end_ns : sim->now_ns;
            return true;
        }
        deliver(sim, &due);
    }
}

bool io_sim_run_idle(struct io_sim *sim, uint64_t limit_ms)
{
    ASSERT(sim != NULL);
    return !run(sim, sim->now_ns + limit_ms * NS_PER_MS, NULL, NULL);
}

void io_sim_run_ms(struct io_sim *sim, uint64_t ms)
{
    ASSERT(sim != NULL);
    uint64_t end_ns = sim->now_ns + ms * NS_PER_MS;
    if (!run(sim, end_ns, NULL, NULL) && sim->now_ns < end_ns) {
        sim->now_ns = end_ns;
    }
}

bool io_sim_run_until(struct io_sim *sim, bool (*is_done)(void *context), void *context,
                      uint64_t limit_ms)
{
    ASSERT(sim != NULL);
    ASSERT(is_done != NULL);
    (void)run(sim, sim->now_ns + limit_ms * NS_PER_MS, is_done, context);
    return is_done(context);
}

struct io *io_sim_last(const struct io_sim *sim)
{
    ASSERT(sim != NULL);
    return sim->delivered == NULL ? NULL : &sim->delivered->io;
}

uint64_t io_sim_now_ns(const struct io_sim *sim)
{
    ASSERT(sim != NULL);
    return sim->now_ns;
}

uint64_t io_sim_trace_hash(const struct io_sim *sim)
{
    ASSERT(sim != NULL);
    return sim->trace;
}

/* ---- life ---- */

struct io_sim *io_sim_create(uint64_t seed, const struct io_sim_options *options)
{
    struct io_sim *sim = io_sim__alloc(sizeof(*sim));
    if (options != NULL) {
        sim->options = *options;
    }
    struct io_sim_options *o = &sim->options;
    o->network_delay_us = o->network_delay_us == 0 ? 500 : o->network_delay_us;
    o->network_window_bytes = o->network_window_bytes == 0 ? 64 << 10 : o->network_window_bytes;
    o->job_us = o->job_us == 0 ? 200 : o->job_us;
    o->sync_us = o->sync_us == 0 ? 1000 : o->sync_us;
    o->unheard_ms = o->unheard_ms == 0 ? 10000 : o->unheard_ms;
    rng_init(&sim->rng, seed);
    sim->now_ns = 1000ull * NS_PER_MS; /* a clock that starts at 0 hides mistakes */
    sim->next_port = FIRST_PORT;
    heap_init(&sim->events);
    list_init(&sim->conns);
    list_init(&sim->flights);
    buf_init(&sim->delivery, DELIVERY_BYTES_MAX);
    return sim;
}

void io_sim_destroy(struct io_sim *sim)
{
    ASSERT(sim != NULL);
    io_sim__net_fini(sim);
    io_sim__ports_fini(sim);
    while (sim->machines != NULL) {
        struct io_sim_machine *machine = sim->machines;
        sim->machines = machine->next;
        io_sim__machine_destroy(machine);
    }
    heap_fini(&sim->events);
    buf_fini(&sim->delivery);
    free(sim->wires);
    free(sim);
}
