#include "tests/lib/raft_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

#define MARK_NAME(name) #name,
const char *const world_mark_names[WORLD_MARK_NR] = {WORLD_MARKS(MARK_NAME)};
#undef MARK_NAME

enum { EPOCH_MS = 1000000, HEAL_MS_MAX = 30000, STEPS_MAX = 100000, QUIET_MS = 50 };

struct world *world_create(void)
{
    struct world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    arena_init(&world->arena, 1ULL << 30);
    return world;
}

void world_destroy(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
        if (world->node[i].is_up) {
            raft_fini(&world->node[i].raft);
        }
        free(world->node[i].records);
    }
    arena_fini(&world->arena);
    free(world->events);
    free(world);
}

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->violation[0] != '\0') {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(world->violation, sizeof world->violation, format, arguments);
    va_end(arguments);
    world_trace(world, "VIOLATION %s", world->violation);
}

void world_trace(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (!world->is_traced) {
        return;
    }
    (void)printf("%8" PRIu64 "  ", world->now_ms);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
}

void world_mix(struct world *world, uint64_t a, uint64_t b, uint64_t c)
{
    world->trace = hash_u64(world->trace * 31 + a);
    world->trace = hash_u64(world->trace + (b << 32) + c);
}

uint64_t world_clock(const struct world *world, uint32_t at)
{
    const struct world_node *node = &world->node[at];
    int64_t drift = (int64_t)world->now_ms * node->drift_ppm / 1000000;
    return (uint64_t)((int64_t)(EPOCH_MS + world->now_ms) + drift + node->skew_ms);
}

/* ---- events in the order of time, and of their making within a moment */

static bool is_before(const struct world_event *a, const struct world_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

void world_post(struct world *world, uint64_t delay_ms, enum world_event_kind kind,
                uint32_t node, uint32_t life, struct world_packet *packet)
{
    struct world_event event = {
        .at_ms = world->now_ms + delay_ms,
        .sequence = world->event_sequence++,
        .kind = kind,
        .node = node,
        .life = life,
        .packet = packet,
    };

    if (world->is_scripted && kind == WORLD_TIMER) {
        return;
    }
    if (world->event_count == world->event_cap) {
        world->event_cap = world->event_cap == 0 ? 1024 : world->event_cap * 2;
        world->events = realloc(world->events, world->event_cap * sizeof world->events[0]);
        ASSERT(world->events != NULL);
    }
    uint32_t at = world->event_count++;
    while (at > 0 && is_before(&event, &world->events[(at - 1) / 2])) {
        world->events[at] = world->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->events[at] = event;
}

static struct world_event take_event(struct world *world)
{
    struct world_event first = world->events[0];
    struct world_event last = world->events[--world->event_count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= world->event_count) {
            break;
        }
        if (child + 1 < world->event_count &&
            is_before(&world->events[child + 1], &world->events[child])) {
            child++;
        }
        if (!is_before(&world->events[child], &last)) {
            break;
        }
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return first;
}

struct world_packet *world_packet_take(struct world *world)
{
    struct world_packet *packet = world->free_packets;

    if (packet == NULL) {
        return arena_alloc_zero(&world->arena, sizeof *packet);
    }
    world->free_packets = packet->next;
    packet->status = OK;
    return packet;
}

void world_packet_give(struct world *world, struct world_packet *packet)
{
    if (packet != NULL) {
        packet->next = world->free_packets;
        world->free_packets = packet;
    }
}

/* ---- a step of a member */

static bool crashes_here(struct world *world, uint32_t at, enum world_mark mark)
{
    /* few steps write twice: the moment between is tried more often */
    uint32_t weight = mark == WORLD_CRASH_BETWEEN_PERSISTS ? 10 : 1;

    if (world->faults.crash_ppm == 0 || world->is_healed ||
        !rng_chance(&world->rng, world->faults.crash_ppm * weight)) {
        return false;
    }
    world_mark(world, mark);
    world_crash(world, at);
    return true;
}

/* Returns: whether the member is still there. */
static bool perform(struct world *world, uint32_t at)
{
    const struct raft_effects *effects = &world->effects;

    if (effects->persist_count > 0 && crashes_here(world, at, WORLD_CRASH_BEFORE_PERSIST)) {
        return false;
    }
    for (uint32_t i = 0; i < effects->persist_count; i++) {
        if (i > 0 && crashes_here(world, at, WORLD_CRASH_BETWEEN_PERSISTS)) {
            return false;
        }
        world_check_persist(world, at, &effects->persists[i]);
        world_mix(world, effects->persists[i].kind, effects->persists[i].index,
                  effects->persists[i].count);
        if (!world_disk_append(world, at, &effects->persists[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < effects->request_count; i++) {
        world_disk_request(world, at, &effects->requests[i]);
    }
    if (effects->send_count > 0 && crashes_here(world, at, WORLD_CRASH_BEFORE_SEND)) {
        return false;
    }
    for (uint32_t i = 0; i < effects->send_count; i++) {
        if (i > 0 && crashes_here(world, at, WORLD_CRASH_BETWEEN_SENDS)) {
            return false;
        }
        world_check_send(world, at, &effects->sends[i]);
        world_send(world, &effects->sends[i]);
    }
    if (effects->apply_count > 0 && crashes_here(world, at, WORLD_CRASH_BEFORE_APPLY)) {
        return false;
    }
    for (uint32_t i = 0; i < effects->apply_count; i++) {
        world_check_apply(world, at, &effects->applies[i]);
    }
    for (uint32_t i = 0; i < effects->reply_count; i++) {
        world_reply(world, at, &effects->replies[i]);
    }
    return true;
}

static void set_timer(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    uint64_t deadline = raft_deadline_ms(&node->raft);
    uint64_t now = world_clock(world, at);

    if (deadline == UINT64_MAX || (deadline == node->timer_ms && deadline > now)) {
        return;
    }
    node->timer_ms = deadline;
    node->timer++;
    world_post(world, deadline > now ? deadline - now : 1, WORLD_TIMER, at, node->timer, NULL);
}

void world_step(struct world *world, uint32_t at, const struct raft_event *event)
{
    struct world_node *node = &world->node[at];

    ASSERT(node->is_up);
    world->steps++;
    raft_step(&node->raft, event, world_clock(world, at), &world->effects);
    world_mix(world, (uint64_t)event->kind << 8 | at, node->raft.term, node->raft.commit);
    if (node->raft.role == RAFT_STOPPED) {
        if (event->kind != RAFT_DISK_FAILED && node->role != RAFT_STOPPED) {
            world_fail(world, "n%u stopped: %s", at + 1,
                       world->effects.replies[world->effects.reply_count - 1].text);
        }
        if (world->effects.send_count + world->effects.persist_count +
                world->effects.apply_count >
            0) {
            world_fail(world, "n%u goes on after its disk failed", at + 1);
        }
        node->role = RAFT_STOPPED;
        return;
    }
    world_check_node(world, at);
    uint32_t life = node->life;
    if (perform(world, at) && world->violation[0] == '\0') {
        world_check_configuration(world, at);
        world_disk_kick(world, at);
        set_timer(world, at);
        world_refill_note(world, at);
    } else if (node->is_up && node->life == life && world->violation[0] == '\0') {
        world_fail(world, "n%u writes an entry nobody made", at + 1);
    }
}

static void tick(struct world *world, const struct world_event *event)
{
    struct world_node *node = &world->node[event->node];
    struct raft_event tick_event = {.kind = RAFT_TICK};

    if (event->life == node->timer && node->is_up) {
        node->timer_ms = 0;
        world_step(world, event->node, &tick_event);
    }
}

static void dispatch(struct world *world, const struct world_event *event)
{
    struct world_node *node = &world->node[event->node];
    bool is_alive = node->is_up && node->life == event->life;

    switch (event->kind) {
    case WORLD_TIMER:
        tick(world, event);
        break;
    case WORLD_PACKET:
        if (node->is_up) {
            world_deliver(world, event->node, event->packet);
        }
        break;
    case WORLD_DISK:
        if (is_alive) {
            world_disk_done(world, event->node);
        }
        break;
    case WORLD_JOB:
        if (is_alive) {
            world_disk_job(world, event->node, event->packet);
        }
        break;
    case WORLD_RESTART:
        if (!node->is_up) {
            world_restart(world, event->node);
        }
        break;
    case WORLD_CLIENT:
        world_client(world);
        break;
    case WORLD_ACTION:
        world_act(world);
        break;
    case WORLD_SNAPSHOT:
        world_snapshot_take(world, (uint32_t)rng_below(&world->rng, world->nodes));
        if (!world->is_healed) {
            world_post(world, 1 + rng_below(&world->rng, 2 * world->faults.snapshot_ms),
                       WORLD_SNAPSHOT, 0, 0, NULL);
        }
        break;
    }
    world_packet_give(world, event->packet);
}

bool world_next(struct world *world)
{
    if (world->event_count == 0 || world->violation[0] != '\0') {
        return false;
    }
    struct world_event event = take_event(world);
    const struct world_node *node = &world->node[event.node];
    world->now_ms = event.at_ms;
    if (world->steps - world->steps_before > STEPS_MAX) {
        world_fail(world, "%d steps: the members send without end", STEPS_MAX);
    }
    if (event.kind <= WORLD_JOB && node->is_up && node->frozen_ms > world->now_ms) {
        /* the process stands still: it meets all this when it goes on */
        world_post(world, node->frozen_ms - world->now_ms, event.kind, event.node, event.life,
                   event.packet);
        return true;
    }
    dispatch(world, &event);
    return world->violation[0] == '\0';
}

/* ---- a seed */

static void options_of_the_world(struct world *world)
{
    raft_options_default(&world->options);
    world->options.stall_ms = 800;
    world->options.inflight_max = 1 + (uint32_t)rng_below(&world->rng, 4);
    world->options.append_entries_max = 1 + (uint32_t)rng_below(&world->rng, WORLD_APPEND_MAX);
    world->options.append_bytes_max = 64;
    world->options.uncommitted_max = 40;
    world->options.tail_entries_max =
        16 + (uint32_t)rng_below(&world->rng, rng_below(&world->rng, 2) ? 16 : 240);
    world->options.tail_bytes_max = 4096;
    world->options.tail_kept_bytes = world->seed % 1024; /* without a draw: old seeds hold */
    world->options.runs_max = 24 + (uint32_t)rng_below(&world->rng, 100);
    world->options.trailing_max = (uint32_t)rng_below(&world->rng, 20);
    world->options.read_entries_max = 1 + (uint32_t)rng_below(&world->rng, WORLD_APPEND_MAX);
}

static void begin_anew(struct world *world, uint64_t seed, uint32_t voters)
{
    ASSERT(voters <= WORLD_NODES_MAX - 2);
    rng_init(&world->rng, seed);
    world->seed = seed;
    world->voters = voters;
    world->nodes = voters + 2;
    world->now_ms = 0;
    world->is_healed = false;
    world->is_scripted = false;
    world->event_count = 0;
    world->event_sequence = 0;
    world->free_packets = NULL;
    arena_reset(&world->arena);
    memset(world->cut, 0, sizeof world->cut);
    memset(world->entries, 0, sizeof world->entries);
    memset(world->leaders, 0, sizeof world->leaders);
    world->committed = 0;
    world->hashed = 0;
    world->acked = 0;
    world->tokens = 0;
    world->proposed = 0;
    world->trace = 0;
    world->steps_before = world->steps;
    world->violation[0] = '\0';
    world->faults = (struct world_faults){0};
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
        world_node_reset(world, i);
    }
}

void world_begin(struct world *world, uint64_t seed, uint32_t voters)
{
    begin_anew(world, seed, voters);
    options_of_the_world(world);
    world_draw_faults(world);
    for (uint32_t i = 0; i < world->nodes; i++) {
        if (world->faults.drift_ppm > 0) {
            world_mark(world, WORLD_CLOCK_DRIFT);
            world->node[i].drift_ppm =
                (int32_t)rng_below(&world->rng, 2 * world->faults.drift_ppm) -
                (int32_t)world->faults.drift_ppm;
        }
        world_restart(world, i);
    }
}

void world_begin_scripted(struct world *world, const struct raft_options *options,
                          uint32_t voters)
{
    begin_anew(world, voters, voters);
    world->is_scripted = true;
    world->options = *options;
    for (uint32_t i = 0; i < world->nodes; i++) {
        world_restart(world, i);
    }
}

/* Whether everybody who belongs to the group has everything. */
static bool is_settled(const struct world *world, raft_index index)
{
    uint32_t leader = world_leader(world);

    if (leader == world->nodes || world->committed < index) {
        return false;
    }
    const struct raft *raft = &world->node[leader].raft;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct world_node *node = &world->node[raft->configuration.members[i].id - 1];
        if (!node->is_up || node->applied < index || node->raft.commit < index) {
            return false;
        }
    }
    return raft->read_count == 0 && raft->configuration.index <= raft->commit;
}

static bool finish(struct world *world)
{
    uint64_t proposed = 0;
    uint64_t settled = 0;
    raft_index target = 0;
    uint64_t until = world->now_ms + HEAL_MS_MAX;

    world_heal(world);
    while (world->now_ms < until && world->violation[0] == '\0') {
        if (!world_next(world)) {
            world->now_ms += QUIET_MS; /* a leader without anybody to lead has no timer */
        }
        if (world->now_ms >= settled) {
            settled = world->now_ms + QUIET_MS;
            world_refill_settle(world);
        }
        uint32_t leader = world_leader(world);
        if (leader == world->nodes) {
            continue;
        }
        if (target == 0 && world->now_ms >= proposed) {
            proposed = world->now_ms + 300;
            raft_index last = world->node[leader].raft.log.last;
            if (world_propose(world, leader, 1) > 0) {
                target = last + 1;
                world_read(world, leader);
            }
        }
        if (target > 0 && is_settled(world, target) && world_is_refilled(world)) {
            return true;
        }
        if (target > 0 && world->now_ms >= proposed + 2000) {
            target = 0; /* it may have been lost with its leader */
        }
    }
    world_fail(world, "%d s after everything healed not everybody has what is committed",
               HEAL_MS_MAX / 1000);
    return false;
}

bool world_run(struct world *world)
{
    if (world->faults.action_ms > 0) {
        world_post(world, world->faults.action_ms, WORLD_ACTION, 0, 0, NULL);
    }
    if (world->faults.snapshot_ms > 0) {
        world_post(world, world->faults.snapshot_ms, WORLD_SNAPSHOT, 0, 0, NULL);
    }
    world_post(world, 1, WORLD_CLIENT, 0, 0, NULL);
    while (world->now_ms < world->end_ms && world_next(world)) {
    }
    return world->violation[0] == '\0' && finish(world) && world->violation[0] == '\0';
}
