#include "tests/lib/member_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

#define MARK_NAME(name) #name,
const char *const member_world_mark_names[MEMBER_WORLD_MARK_NR] = {
    MEMBER_WORLD_MARKS(MARK_NAME)};
#undef MARK_NAME

enum {
    EPOCH_MS = 1000000,
    HEAL_MS_MAX = 30000,
    STEPS_MAX = 3000000,
    QUEUE_MAX = 100, /* datagrams that a socket keeps for a paused node */
};

enum event_kind {
    EVENT_TIMER = 1,
    EVENT_PACKET,
    EVENT_RESET, /* the connection to the node @life was reset */
    EVENT_APPLY, /* the next committed change */
    EVENT_RESTART,
    EVENT_ACTION,
};

struct member_world_packet {
    struct member_world_packet *next;
    uint32_t from;
    uint32_t len;
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];
};

struct member_world_event {
    uint64_t at_ms;
    uint32_t sequence;
    enum event_kind kind;
    uint32_t node;
    uint32_t number; /* timer: its number; reset: of whom */
    struct member_world_packet *packet;
};

struct member_world *member_world_create(void)
{
    struct member_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    arena_init(&world->arena, 1ULL << 30);
    return world;
}

static void stop_all(struct member_world *world)
{
    for (uint32_t i = 0; i < MEMBER_WORLD_NODES_MAX; i++) {
        if (world->node[i].is_up) {
            member_fini(&world->node[i].member);
            world->node[i].is_up = false;
        }
    }
}

void member_world_destroy(struct member_world *world)
{
    stop_all(world);
    arena_fini(&world->arena);
    free(world->events);
    free(world);
}

void member_world_fail(struct member_world *world, const char *format, ...)
{
    va_list arguments;

    if (world->violation[0] != '\0') {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(world->violation, sizeof world->violation, format, arguments);
    va_end(arguments);
    member_world_trace(world, "VIOLATION %s", world->violation);
}

void member_world_trace(struct member_world *world, const char *format, ...)
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

static void mix(struct member_world *world, uint64_t a, uint64_t b, uint64_t c)
{
    world->trace = hash_u64(world->trace * 31 + a);
    world->trace = hash_u64(world->trace + (b << 32) + c);
}

uint64_t member_world_clock(const struct member_world *world, uint32_t at)
{
    int64_t drift = (int64_t)world->now_ms * world->node[at].drift_ppm / 1000000;
    return (uint64_t)((int64_t)(EPOCH_MS + world->now_ms) + drift);
}

uint64_t member_world_ran_ms(const struct member_world *world, uint32_t at)
{
    const struct member_world_node *node = &world->node[at];
    return node->ran_ms +
           (world->now_ms > node->running_ms ? world->now_ms - node->running_ms : 0);
}

/* ---- events in the order of time, and of their making within a moment */

static bool is_before(const struct member_world_event *a, const struct member_world_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void post(struct member_world *world, uint64_t delay_ms, enum event_kind kind,
                 uint32_t node, uint32_t number, struct member_world_packet *packet)
{
    struct member_world_event event = {
        .at_ms = world->now_ms + delay_ms,
        .sequence = world->event_sequence++,
        .kind = kind,
        .node = node,
        .number = number,
        .packet = packet,
    };

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

static struct member_world_event take(struct member_world *world)
{
    struct member_world_event first = world->events[0];
    struct member_world_event last = world->events[--world->event_count];
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

void member_world_post_action(struct member_world *world)
{
    post(world, 1 + rng_below(&world->rng, 2ULL * world->faults.action_ms), EVENT_ACTION, 0, 0,
         NULL);
}

void member_world_post_reset(struct member_world *world, uint32_t at, uint32_t of)
{
    post(world, 1 + rng_below(&world->rng, 5), EVENT_RESET, at, of, NULL);
}

/* ---- the network */

static void put_on_wire(struct member_world *world, uint32_t from,
                        const struct member_send *send)
{
    uint64_t delay = 1 + rng_below(&world->rng, 3);
    struct member_world_packet *packet = world->free_packets;

    if (packet == NULL) {
        packet = arena_alloc(&world->arena, sizeof *packet);
    } else {
        world->free_packets = packet->next;
    }
    packet->from = from;
    packet->len = send->len;
    memcpy(packet->bytes, send->bytes, send->len);
    if (rng_chance(&world->rng, world->faults.delay_ppm)) {
        member_world_mark(world, MEMBER_WORLD_DELAYED);
        delay += rng_below(&world->rng, world->faults.delay_ms);
    }
    post(world, delay, EVENT_PACKET, (uint32_t)send->to - 1, 0, packet);
}

/* What a datagram says, for whoever reads a trace. */
static void trace_send(struct member_world *world, uint32_t from,
                       const struct member_send *send, const char *fate)
{
    static const char *const types[] = {
        [MEMBER_PING] = "ping",
        [MEMBER_ACK] = "ack",
        [MEMBER_PING_REQ] = "ping-req",
        [MEMBER_NACK] = "nack",
        [MEMBER_GOSSIP] = "gossip",
        [MEMBER_SYNC] = "sync",
        [MEMBER_SYNC_REPLY] = "sync-reply",
    };
    static struct member_message message;

    if (!world->is_traced ||
        member_message_decode(slice_from(send->bytes, send->len), &message) != OK) {
        return;
    }
    (void)printf("%8" PRIu64 "    n%u > n%u %s %s %u", world->now_ms, from + 1,
                 (unsigned)send->to, types[message.type], fate, message.sequence);
    for (uint32_t i = 0; i < message.claim_count; i++) {
        const struct member_claim *claim = &message.claims[i];
        (void)printf(" [n%u %d %" PRIx64 "]", (unsigned)claim->id, (int)claim->state,
                     claim->incarnation);
    }
    (void)printf("\n");
}

static void transmit(struct member_world *world, uint32_t from, const struct member_send *send)
{
    uint32_t to = (uint32_t)send->to - 1;

    ASSERT(to < world->nodes && to != from);
    world->node[from].bytes_sent += send->len;
    world->node[from].datagrams_sent++;
    mix(world, (uint64_t)from << 8 | to, hash_bytes(send->bytes, send->len), send->len);
    if (world->cut[from][to]) {
        trace_send(world, from, send, "cut");
        return;
    }
    if (rng_chance(&world->rng, world->faults.loss_ppm)) {
        member_world_mark(world, MEMBER_WORLD_LOST);
        trace_send(world, from, send, "lost");
        return;
    }
    trace_send(world, from, send, "");
    put_on_wire(world, from, send);
    if (rng_chance(&world->rng, world->faults.duplicate_ppm)) {
        member_world_mark(world, MEMBER_WORLD_DUPLICATED);
        put_on_wire(world, from, send);
    }
}

void member_world_set_cut(struct member_world *world, uint32_t from, uint32_t to, bool is_cut)
{
    if (world->cut[from][to] != is_cut) {
        world->cut[from][to] = is_cut;
        world->whole_ms[from][to] = is_cut ? UINT64_MAX : world->now_ms;
    }
}

/* ---- nodes */

static void set_timer(struct member_world *world, uint32_t at)
{
    struct member_world_node *node = &world->node[at];
    uint64_t deadline = member_deadline_ms(&node->member);
    uint64_t now = member_world_clock(world, at);

    if (deadline == UINT64_MAX || (deadline == node->timer_ms && deadline > now)) {
        return;
    }
    node->timer_ms = deadline;
    node->timer++;
    post(world, deadline > now ? deadline - now : 1, EVENT_TIMER, at, node->timer, NULL);
}

void member_world_step(struct member_world *world, uint32_t at,
                       const struct member_event *event)
{
    struct member_world_node *node = &world->node[at];

    ASSERT(member_world_is_running(world, at));
    world->steps++;
    member_step(&node->member, event, member_world_clock(world, at), &world->effects);
    mix(world, (uint64_t)event->kind << 8 | at, world->effects.send_count,
        world->effects.change_count);
    for (uint32_t i = 0; i < world->effects.change_count; i++) {
        member_world_check_change(world, at, &world->effects.changes[i]);
    }
    member_world_check_step(world, at);
    for (uint32_t i = 0; i < world->effects.send_count; i++) {
        transmit(world, at, &world->effects.sends[i]);
    }
    set_timer(world, at);
}

static void tell_membership(struct member_world *world, uint32_t at, uint32_t entry)
{
    const struct member_world_change *change = &world->log[entry];
    struct member_event event = {
        .kind = change->is_added ? MEMBER_ADD : MEMBER_REMOVE,
        .peer = change->id,
    };
    struct member_world_view *view = &world->node[at].views[change->id - 1];

    if (!change->is_added) {
        *view = (struct member_world_view){0};
    }
    member_world_step(world, at, &event);
}

void member_world_start(struct member_world *world, uint32_t at)
{
    struct member_world_node *node = &world->node[at];
    struct member_options options = world->options;

    ASSERT(!node->is_up);
    options.id = at + 1;
    options.boot = ++node->boot;
    options.seed = rng_next(&world->rng);
    node->is_up = true;
    node->is_leaving = false;
    node->paused_ms = 0;
    node->queued = 0;
    node->timer++;
    node->timer_ms = 0;
    node->ran_ms = 0;
    node->running_ms = world->now_ms;
    memset(node->views, 0, sizeof node->views);
    node->counters = (struct member_counters){0};
    member_init(&node->member, &options, member_world_clock(world, at));
    for (uint32_t i = 0; i < node->applied; i++) {
        tell_membership(world, at, i);
    }
}

void member_world_crash(struct member_world *world, uint32_t at, uint64_t restart_ms,
                        bool has_resets)
{
    struct member_world_node *node = &world->node[at];

    member_world_trace(world, "n%u crashes", at + 1);
    ASSERT(node->is_up);
    member_fini(&node->member);
    node->is_up = false;
    for (uint32_t i = 0; has_resets && i < world->nodes; i++) {
        if (i != at && !world->cut[at][i]) {
            member_world_post_reset(world, i, at);
        }
    }
    if (restart_ms > 0) {
        post(world, restart_ms, EVENT_RESTART, at, 0, NULL);
    }
}

void member_world_pause(struct member_world *world, uint32_t at, uint64_t ms, bool is_queueing)
{
    struct member_world_node *node = &world->node[at];

    if (!member_world_is_running(world, at)) {
        return;
    }
    member_world_trace(world, "n%u stands still for %" PRIu64 " ms", at + 1, ms);
    node->pauses++;
    node->ran_ms = member_world_ran_ms(world, at);
    node->paused_ms = world->now_ms + ms;
    node->running_ms = node->paused_ms;
    node->is_queueing = is_queueing;
    node->queued = 0;
}

void member_world_commit(struct member_world *world, uint32_t of, bool is_added)
{
    if (world->log_count == MEMBER_WORLD_LOG_MAX) {
        return;
    }
    world->log[world->log_count++] =
        (struct member_world_change){.id = of + 1, .is_added = is_added};
    for (uint32_t i = 0; i < world->nodes; i++) {
        post(world, 1 + rng_below(&world->rng, 500), EVENT_APPLY, i, 0, NULL);
    }
}

/* ---- what happens */

static void deliver(struct member_world *world, uint32_t at,
                    const struct member_world_packet *packet)
{
    struct member_event event = {
        .kind = MEMBER_RECEIVED,
        .bytes = slice_from(packet->bytes, packet->len),
    };
    if (world->node[at].is_up && !world->cut[packet->from][at]) {
        member_world_step(world, at, &event);
    }
}

static void dispatch(struct member_world *world, const struct member_world_event *event)
{
    struct member_world_node *node = &world->node[event->node];
    struct member_event tick = {.kind = MEMBER_TICK};
    struct member_event reset = {.kind = MEMBER_LINK_RESET, .peer = event->number + 1};

    switch (event->kind) {
    case EVENT_TIMER:
        if (node->is_up && event->number == node->timer) {
            node->timer_ms = 0;
            member_world_step(world, event->node, &tick);
        }
        break;
    case EVENT_PACKET:
        deliver(world, event->node, event->packet);
        break;
    case EVENT_RESET:
        if (node->is_up) {
            member_world_mark(world, MEMBER_WORLD_LINK_RESET);
            member_world_step(world, event->node, &reset);
        }
        break;
    case EVENT_APPLY:
        ASSERT(node->applied < world->log_count);
        node->applied++;
        node->applied_ms = world->now_ms;
        if (node->is_up) {
            tell_membership(world, event->node, node->applied - 1);
        }
        break;
    case EVENT_RESTART:
        if (!node->is_up) {
            member_world_mark(world, MEMBER_WORLD_RESTARTED);
            member_world_trace(world, "n%u starts", event->node + 1);
            member_world_start(world, event->node);
        }
        break;
    case EVENT_ACTION:
        member_world_act(world);
        break;
    }
}

static void give_back(struct member_world *world, struct member_world_packet *packet)
{
    if (packet != NULL) {
        packet->next = world->free_packets;
        world->free_packets = packet;
    }
}

/* The process stands still: it meets all this when it goes on, its timers first, and of the
 * datagrams those that its socket kept. */
static void postpone(struct member_world *world, const struct member_world_event *event)
{
    struct member_world_node *node = &world->node[event->node];

    if (event->kind == EVENT_PACKET) {
        if (!node->is_queueing || node->queued == QUEUE_MAX) {
            world->marks[MEMBER_WORLD_QUEUE_FULL] += node->is_queueing;
            give_back(world, event->packet);
            return;
        }
        node->queued++;
        member_world_mark(world, MEMBER_WORLD_QUEUED);
    }
    post(world, node->paused_ms - world->now_ms, event->kind, event->node, event->number,
         event->packet);
}

static bool next(struct member_world *world, uint64_t until_ms)
{
    if (world->event_count == 0 || world->violation[0] != '\0' ||
        world->events[0].at_ms > until_ms) {
        return false;
    }
    struct member_world_event event = take(world);
    const struct member_world_node *node = &world->node[event.node];
    world->now_ms = event.at_ms;
    if (world->steps - world->steps_before > STEPS_MAX) {
        member_world_fail(world, "%d steps: the members send without end", STEPS_MAX);
    }
    if (event.kind <= EVENT_APPLY && node->is_up && node->paused_ms > world->now_ms) {
        postpone(world, &event);
        return true;
    }
    dispatch(world, &event);
    give_back(world, event.packet);
    return world->violation[0] == '\0';
}

bool member_world_pass(struct member_world *world, uint64_t ms)
{
    uint64_t until = world->now_ms + ms;

    while (next(world, until)) {
    }
    world->now_ms = until;
    return world->violation[0] == '\0';
}

/* ---- a seed */

static void begin_anew(struct member_world *world, uint64_t seed, uint32_t nodes)
{
    ASSERT(nodes <= MEMBER_WORLD_NODES_MAX);
    stop_all(world);
    rng_init(&world->rng, seed);
    world->seed = seed;
    world->nodes = nodes;
    world->now_ms = 0;
    world->is_healed = false;
    world->event_count = 0;
    world->event_sequence = 0;
    world->free_packets = NULL;
    arena_reset(&world->arena);
    memset(world->cut, 0, sizeof world->cut);
    memset(world->whole_ms, 0, sizeof world->whole_ms);
    memset(world->node, 0, sizeof world->node);
    world->log_count = 0;
    world->unreachable_count = 0;
    world->up_unreachable_count = 0;
    world->gone_count = 0;
    world->trace = 0;
    world->steps_before = world->steps;
    world->violation[0] = '\0';
    world->faults = (struct member_world_faults){0};
    member_options_default(&world->options);
    for (uint32_t i = 0; i < nodes; i++) {
        world->log[world->log_count++] =
            (struct member_world_change){.id = i + 1, .is_added = true};
    }
}

static void start_all(struct member_world *world)
{
    for (uint32_t i = 0; i < world->nodes; i++) {
        struct member_world_node *node = &world->node[i];
        if (world->faults.drift_ppm > 0) {
            member_world_mark(world, MEMBER_WORLD_CLOCK_DRIFT);
            node->drift_ppm = (int32_t)rng_below(&world->rng, 2ULL * world->faults.drift_ppm) -
                              (int32_t)world->faults.drift_ppm;
        }
        node->applied = world->log_count;
        member_world_start(world, i);
    }
}

void member_world_begin(struct member_world *world, uint64_t seed, uint32_t nodes)
{
    begin_anew(world, seed, nodes);
    member_world_draw_faults(world);
    start_all(world);
}

void member_world_begin_with(struct member_world *world, uint64_t seed, uint32_t nodes,
                             const struct member_world_faults *faults)
{
    begin_anew(world, seed, nodes);
    world->faults = *faults;
    start_all(world);
}

bool member_world_run(struct member_world *world)
{
    if (world->faults.action_ms > 0) {
        member_world_post_action(world);
    }
    if (!member_world_pass(world, world->end_ms)) {
        return false;
    }
    member_world_heal(world);
    for (uint64_t until = world->now_ms + HEAL_MS_MAX; world->now_ms < until;) {
        if (!member_world_pass(world, 100)) {
            return false;
        }
        if (member_world_is_settled(world)) {
            return true;
        }
    }
    member_world_fail(world, "%d s after everything healed not everybody is seen alive",
                      HEAL_MS_MAX / 1000);
    return false;
}
