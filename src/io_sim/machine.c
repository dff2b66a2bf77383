/* io_sim/machine.c -- a machine: clock, timers and turns of its process; going down and coming
 * up again. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "io_sim/io_sim_private.h"

/* The exact clock moves when it is read: work that is sliced by time comes to an end here too.
 */
enum { READ_CLOCK_NS = 1000, TURN_AGAIN_US = 5 };

/* 2026-01-01 00:00 UTC */
static const uint64_t wall_start_ms = 1767225600000ull;

/* ---- clock, random, timers ---- */

/* Without drift it is the world's time. Nothing here may be rounded differently twice. */
uint64_t io_sim__own_ns(const struct io_sim_machine *machine)
{
    if (machine->drift_from_ns == 0) {
        return machine->sim->now_ns;
    }
    uint64_t since = machine->sim->now_ns - machine->drift_from_ns;
    uint64_t rate = (uint64_t)(1000000 + machine->drift_ppm);
    return machine->drift_own_ns + since / 1000000 * rate + since % 1000000 * rate / 1000000;
}

uint64_t io_sim__world_ns(const struct io_sim_machine *machine, uint64_t own_ns)
{
    if (machine->drift_from_ns == 0) {
        return own_ns;
    }
    if (own_ns <= machine->drift_own_ns) {
        return machine->drift_from_ns;
    }
    uint64_t ahead = own_ns - machine->drift_own_ns;
    uint64_t rate = (uint64_t)(1000000 + machine->drift_ppm);
    return machine->drift_from_ns + ahead / rate * 1000000 +
           (ahead % rate * 1000000 + rate - 1) / rate;
}

void io_sim_drift_set(struct io *io, int32_t ppm)
{
    ASSERT(io != NULL);
    ASSERT(ppm > -1000000 && ppm <= 1000000);
    struct io_sim_machine *machine = io_sim__of(io);
    machine->drift_own_ns = io_sim__own_ns(machine);
    machine->drift_from_ns = machine->sim->now_ns;
    machine->drift_ppm = ppm;
    io_sim__trace(machine->sim, machine, 6, (uint64_t)(int64_t)ppm);
}

void io_sim_pause(struct io *io, uint64_t ms)
{
    ASSERT(io != NULL);
    struct io_sim_machine *machine = io_sim__of(io);
    machine->paused_until_ns = machine->sim->now_ns + ms * NS_PER_MS;
    io_sim__trace(machine->sim, machine, 7, ms);
}

uint64_t io_sim__now_ns(struct io *io)
{
    return io_sim__own_ns(io_sim__of(io));
}

uint64_t io_sim__now_exact_ns(struct io *io)
{
    struct io_sim_machine *machine = io_sim__of(io);
    machine->sim->now_ns += READ_CLOCK_NS;
    return io_sim__own_ns(machine);
}

uint64_t io_sim__wall_ms(struct io *io)
{
    struct io_sim_machine *machine = io_sim__of(io);
    return machine->wall_offset_ms + io_sim__own_ns(machine) / NS_PER_MS;
}

void io_sim_wall_set(struct io *io, uint64_t unix_ms)
{
    ASSERT(io != NULL);
    struct io_sim_machine *machine = io_sim__of(io);
    machine->wall_offset_ms = unix_ms - io_sim__own_ns(machine) / NS_PER_MS;
}

/* A machine has worked since it was last asked: as long as the exact clock says reading it takes.
 * The real time of the processor would differ from run to run. */
uint64_t io_sim__cpu_thread_ns(struct io *io)
{
    struct io_sim_machine *machine = io_sim__of(io);
    machine->cpu_ns += READ_CLOCK_NS;
    return machine->cpu_ns;
}

void io_sim__cpu_process(struct io *io, struct io_cpu *ret_used)
{
    *ret_used = (struct io_cpu){.user_ns = io_sim__cpu_thread_ns(io)};
}

void io_sim__random(struct io *io, void *data, size_t len)
{
    rng_fill(&io_sim__of(io)->random, data, len);
}

void io_sim__timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms)
{
    struct io_sim_machine *machine = io_sim__of(io);
    heap_remove(&machine->timers, &timer->node);
    if (!machine->is_down) {
        heap_add(&machine->timers, &timer->node,
                 io_sim__own_ns(machine) + delay_ms * NS_PER_MS);
    }
}

void io_sim__timer_stop(struct io *io, struct io_timer *timer)
{
    heap_remove(&io_sim__of(io)->timers, &timer->node);
}

/* ---- turns ---- */

void io_sim__turn_add(struct io *io, struct io_turn *turn)
{
    struct io_sim_machine *machine = io_sim__of(io);
    turn->node = (struct list){NULL, NULL};
    if (!machine->is_down) {
        list_add(&machine->turns, &turn->node);
    }
}

void io_sim__turn_remove(struct io *io, struct io_turn *turn)
{
    (void)io;
    list_remove(&turn->node);
}

static void list_forget(struct list *head)
{
    while (!list_is_empty(head)) {
        list_remove(head->next);
    }
}

/* Calls every hook once; a hook may remove itself and others, and may crash the machine. */
void io_sim__turn_on_end(struct io_sim_event *event)
{
    struct io_sim_machine *machine = event->machine;
    struct list rest;
    list_init(&rest);
    while (!list_is_empty(&machine->turns)) {
        struct list *node = machine->turns.next;
        list_remove(node);
        list_add(&rest, node);
    }
    while (!list_is_empty(&rest) && !machine->is_down) {
        struct list *node = rest.next;
        list_remove(node);
        list_add(&machine->turns, node);
        struct io_turn *turn = CONTAINER_OF(node, struct io_turn, node);
        turn->again = false;
        turn->ended(turn);
    }
    if (machine->is_down) {
        list_forget(&rest);
        return;
    }
    bool is_again = false;
    struct list *node;
    struct list *following;
    LIST_EACH(node, following, &machine->turns)
    {
        is_again |= CONTAINER_OF(node, struct io_turn, node)->again;
    }
    if (is_again && !heap_has(&machine->turn.node)) {
        io_sim__event_start(&machine->turn, machine,
                            io_sim__delay_ns(machine->sim, TURN_AGAIN_US), io_sim__turn_on_end);
    }
}

/* ---- down and up ---- */

/* Ends the process. Its objects are unlinked here, while their memory is still there. */
void io_sim__machine_down(struct io_sim_machine *machine, bool is_kill)
{
    if (machine->is_down) {
        return;
    }
    machine->is_down = true;
    machine->paused_until_ns = 0;
    machine->was_killed = is_kill;
    machine->crash_left = 0;
    struct heap_node *first;
    while ((first = heap_first(&machine->timers)) != NULL) {
        heap_remove(&machine->timers, first);
    }
    list_forget(&machine->turns);
    io_sim__event_stop(machine->sim, &machine->turn);
    io_sim__lanes_drop(machine);
    io_sim__net_drop(machine);
    io_sim__ports_drop(machine);
    io_sim__disk_close_all(&machine->disk);
    io_sim__trace(machine->sim, machine, 3, is_kill);
}

void io_sim_crash(struct io *io)
{
    ASSERT(io != NULL);
    io_sim__machine_down(io_sim__of(io), false);
}

void io_sim_kill(struct io *io)
{
    ASSERT(io != NULL);
    io_sim__machine_down(io_sim__of(io), true);
}

void io_sim_forget(struct io *io)
{
    ASSERT(io != NULL);
    struct io_sim_machine *machine = io_sim__of(io);
    ASSERT(machine->is_down);
    io_sim__net_forget(machine);
    io_sim__ports_forget(machine);
}

bool io_sim_is_down(const struct io *io)
{
    ASSERT(io != NULL);
    return io_sim__of(io)->is_down;
}

static void machine_up(struct io_sim_machine *machine, struct loss *loss)
{
    ASSERT(machine->is_down);
    if (!machine->was_killed) {
        io_sim__disk_lose(&machine->disk, loss);
    }
    machine->is_down = false;
    machine->life++;
    machine->cpu_ns = 0;
    io_sim__trace(machine->sim, machine, 4, machine->life);
}

void io_sim_restart(struct io *io)
{
    ASSERT(io != NULL);
    struct io_sim_machine *machine = io_sim__of(io);
    struct loss loss = {.rng = &machine->chance};
    machine_up(machine, &loss);
}

void io_sim_restart_keeping(struct io *io, const uint8_t *kept, size_t kept_count)
{
    ASSERT(io != NULL);
    ASSERT(kept != NULL || kept_count == 0);
    struct loss loss = {.kept = kept, .kept_count = kept_count};
    machine_up(io_sim__of(io), &loss);
}

size_t io_sim_unsynced_units(const struct io *io)
{
    ASSERT(io != NULL);
    const struct disk *disk = &io_sim__of(io)->disk;
    size_t units = 0;
    for (struct list *node = disk->inodes.next; node != &disk->inodes; node = node->next) {
        units += io_sim__inode_units(CONTAINER_OF(node, struct inode, node));
    }
    return units;
}

/* ---- life ---- */

struct io *io_sim_machine_create(struct io_sim *sim, const char *address)
{
    ASSERT(sim != NULL);
    ASSERT(address != NULL);
    struct io_sim_machine *machine = io_sim__alloc(sizeof(*machine));
    machine->io.ops = &io_sim__ops;
    machine->sim = sim;
    machine->number = ++sim->machines_count;
    io_sim__address_set(machine->address, address);
    rng_init(&machine->random, rng_next(&sim->rng));
    rng_init(&machine->chance, rng_next(&sim->rng));
    machine->wall_offset_ms = wall_start_ms;
    heap_init(&machine->timers);
    list_init(&machine->turns);
    list_init(&machine->ends);
    list_init(&machine->doors);
    list_init(&machine->ports);
    io_sim__lanes_init(machine);
    io_sim__disk_init(&machine->disk, sim->options.disk_bytes);
    if (sim->last == NULL) {
        sim->machines = machine;
    } else {
        sim->last->next = machine;
    }
    sim->last = machine;
    return &machine->io;
}

void io_sim__machine_destroy(struct io_sim_machine *machine)
{
    heap_fini(&machine->timers);
    io_sim__disk_fini(&machine->disk);
    free(machine);
}

const struct io_ops io_sim__ops = {
    .now_ns = io_sim__now_ns,
    .now_exact_ns = io_sim__now_exact_ns,
    .wall_ms = io_sim__wall_ms,
    .cpu_thread_ns = io_sim__cpu_thread_ns,
    .cpu_process = io_sim__cpu_process,
    .random = io_sim__random,
    .timer_start = io_sim__timer_start,
    .timer_stop = io_sim__timer_stop,
    .turn_add = io_sim__turn_add,
    .turn_remove = io_sim__turn_remove,
    .file_open = io_sim__file_open,
    .file_close = io_sim__file_close,
    .file_read = io_sim__file_read,
    .file_write = io_sim__file_write,
    .file_sync = io_sim__file_sync,
    .file_size = io_sim__file_size,
    .file_truncate = io_sim__file_truncate,
    .file_rename = io_sim__file_rename,
    .file_remove = io_sim__file_remove,
    .folder_make = io_sim__folder_make,
    .folder_sync = io_sim__folder_sync,
    .folder_list = io_sim__folder_list,
    .folder_free_bytes = io_sim__folder_free_bytes,
    .folder_lock = io_sim__folder_lock,
    .folder_unlock = io_sim__folder_unlock,
    .lane_submit = io_sim__lane_submit,
    .lane_wait = io_sim__lane_wait,
    .ask = io_sim__ask,
    .stream_connect = io_sim__stream_connect,
    .stream_flush = io_sim__stream_flush,
    .stream_pause = io_sim__stream_pause,
    .stream_resume = io_sim__stream_resume,
    .stream_unsent = io_sim__stream_unsent,
    .stream_peer = io_sim__stream_peer,
    .stream_close = io_sim__stream_close,
    .listen = io_sim__listen,
    .accept = io_sim__accept,
    .listener_close = io_sim__listener_close,
    .datagrams_open = io_sim__datagrams_open,
    .datagrams_send = io_sim__datagrams_send,
    .datagrams_close = io_sim__datagrams_close,
    .tls_create = io_sim__tls_create,
    .tls_renew = io_sim__tls_renew,
    .tls_destroy = io_sim__tls_destroy,
};
