#include "tests/lib/raft_story.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum { SETTLE_ROUNDS_MAX = 10000 };

struct raft_options story_options(void)
{
    struct raft_options options;

    raft_options_default(&options);
    options.stall_ms = 1000;
    options.inflight_max = 4;
    options.append_entries_max = 1;
    options.append_bytes_max = 256;
    options.tail_entries_max = 64;
    options.tail_bytes_max = 4096;
    options.tail_kept_bytes = 2048;
    options.trailing_max = 0;
    options.read_entries_max = WORLD_APPEND_MAX;
    return options;
}

const struct raft *story_raft(const struct world *world, uint32_t member)
{
    return &world->node[member - 1].raft;
}

void story_pass(struct world *world, uint64_t ms)
{
    world->now_ms += ms;
}

void story_tick(struct world *world, uint32_t member)
{
    struct raft_event event = {.kind = RAFT_TICK};
    world_step(world, member - 1, &event);
}

void story_timeout(struct world *world, uint32_t member)
{
    uint64_t deadline = raft_deadline_ms(story_raft(world, member));
    uint64_t now = world_clock(world, member - 1);

    ASSERT(deadline != UINT64_MAX);
    if (deadline > now) {
        story_pass(world, deadline - now);
    }
    story_tick(world, member);
}

/* ---- what waits */

static bool is_wanted(const struct world_event *event, uint32_t from, uint32_t to,
                      enum raft_message_type type)
{
    return event->kind == WORLD_PACKET && (from == 0 || event->packet->message.from == from) &&
           (to == 0 || event->packet->message.to == to) &&
           (type == 0 || event->packet->message.type == type);
}

/* Take the oldest that fits and was made before @until. */
static bool take(struct world *world, uint32_t from, uint32_t to, enum raft_message_type type,
                 uint32_t until, struct world_event *ret_event)
{
    uint32_t best = world->event_count;

    for (uint32_t i = 0; i < world->event_count; i++) {
        const struct world_event *event = &world->events[i];
        if (is_wanted(event, from, to, type) && event->sequence < until &&
            (best == world->event_count || event->sequence < world->events[best].sequence)) {
            best = i;
        }
    }
    if (best == world->event_count) {
        return false;
    }
    *ret_event = world->events[best];
    world->events[best] = world->events[--world->event_count];
    return true;
}

uint32_t story_deliver_type(struct world *world, uint32_t from, uint32_t to,
                            enum raft_message_type type)
{
    uint32_t until = world->event_sequence;
    uint32_t count = 0;
    struct world_event event;

    while (take(world, from, to, type, until, &event)) {
        if (world->node[event.node].is_up) {
            world_deliver(world, event.node, event.packet);
        }
        count++;
    }
    return count;
}

uint32_t story_deliver(struct world *world, uint32_t from, uint32_t to)
{
    return story_deliver_type(world, from, to, 0);
}

uint32_t story_lose(struct world *world, uint32_t from, uint32_t to)
{
    struct world_event event;
    uint32_t count = 0;

    while (take(world, from, to, 0, UINT32_MAX, &event)) {
        count++;
    }
    return count;
}

const struct raft_message *story_waiting(const struct world *world, uint32_t from, uint32_t to,
                                         enum raft_message_type type)
{
    const struct world_event *newest = NULL;

    for (uint32_t i = 0; i < world->event_count; i++) {
        const struct world_event *event = &world->events[i];
        if (is_wanted(event, from, to, type) &&
            (newest == NULL || event->sequence > newest->sequence)) {
            newest = event;
        }
    }
    return newest == NULL ? NULL : &newest->packet->message;
}

void story_receive(struct world *world, uint32_t to, const struct raft_message *message)
{
    struct raft_event event = {.kind = RAFT_RECEIVED, .message = message};
    world_step(world, to - 1, &event);
}

void story_sync(struct world *world, uint32_t member)
{
    struct world_node *node = &world->node[member - 1];

    if (node->is_up && node->durable_count < node->record_count) {
        node->batch_end = node->record_count;
        world_disk_done(world, member - 1);
    }
}

uint32_t story_jobs(struct world *world, uint32_t member)
{
    uint32_t until = world->event_sequence;
    uint32_t count = 0;

    for (;;) {
        uint32_t best = world->event_count;
        for (uint32_t i = 0; i < world->event_count; i++) {
            const struct world_event *event = &world->events[i];
            if (event->kind == WORLD_JOB && event->node == member - 1 &&
                event->sequence < until &&
                (best == world->event_count ||
                 event->sequence < world->events[best].sequence)) {
                best = i;
            }
        }
        if (best == world->event_count) {
            return count;
        }
        struct world_event event = world->events[best];
        world->events[best] = world->events[--world->event_count];
        if (world->node[event.node].is_up && world->node[event.node].life == event.life) {
            world_disk_job(world, event.node, event.packet);
        }
        count++;
    }
}

void story_disk_fails(struct world *world, uint32_t member)
{
    struct raft_event event = {.kind = RAFT_DISK_FAILED, .text = "the disk failed"};
    world_step(world, member - 1, &event);
}

void story_settle(struct world *world)
{
    for (int i = 0; i < SETTLE_ROUNDS_MAX; i++) {
        uint32_t moved = story_deliver(world, 0, 0);
        for (uint32_t member = 1; member <= world->nodes; member++) {
            const struct world_node *node = &world->node[member - 1];
            moved += node->is_up && node->durable_count < node->record_count;
            story_sync(world, member);
            moved += story_jobs(world, member);
        }
        if (moved == 0 || !story_holds(world)) {
            return;
        }
    }
    world_fail(world, "the members send without end");
}

void story_cut(struct world *world, uint32_t member)
{
    for (uint32_t i = 0; i < world->nodes; i++) {
        world->cut[i][member - 1] = true;
        world->cut[member - 1][i] = true;
    }
}

void story_mend(struct world *world)
{
    memset(world->cut, 0, sizeof world->cut);
}

void story_crash(struct world *world, uint32_t member)
{
    world_crash(world, member - 1);
    (void)story_lose(world, 0, member);
}

void story_restart(struct world *world, uint32_t member)
{
    world_restart(world, member - 1);
}

void story_disk_lost(struct world *world, uint32_t member)
{
    world_disk_empty(world, member - 1);
}

void story_elect(struct world *world, uint32_t member)
{
    /* whoever followed somebody has not heard from it for long enough */
    story_pass(world, 2 * world->options.election_ms);
    for (int i = 0; i < 3 && story_raft(world, member)->role != RAFT_LEADER; i++) {
        story_timeout(world, member);
        story_settle(world);
    }
    if (story_raft(world, member)->role != RAFT_LEADER) {
        world_fail(world, "n%u was not elected", member);
    }
}

raft_index story_propose(struct world *world, uint32_t member)
{
    raft_index last = story_raft(world, member)->log.last;
    return world_propose(world, member - 1, 1) == 0 ? 0 : last + 1;
}

static enum raft_outcome ask(struct world *world, uint32_t member,
                             const struct raft_event *event)
{
    world_step(world, member - 1, event);
    for (uint32_t i = 0; i < world->effects.reply_count; i++) {
        if (world->effects.replies[i].token == event->token) {
            return world->effects.replies[i].outcome;
        }
    }
    return 0;
}

enum raft_outcome story_change(struct world *world, uint32_t member, enum raft_change_kind kind,
                               uint32_t whom)
{
    struct raft_event event = {
        .kind = RAFT_CHANGE_ASKED,
        .token = ++world->tokens,
        .change = kind,
        .peer = whom,
    };
    return ask(world, member, &event);
}

enum raft_outcome story_transfer(struct world *world, uint32_t member, uint32_t whom)
{
    struct raft_event event = {
        .kind = RAFT_TRANSFER_ASKED,
        .token = ++world->tokens,
        .peer = whom,
    };
    return ask(world, member, &event);
}

void story_snapshot(struct world *world, uint32_t member)
{
    world_snapshot_take(world, member - 1);
    (void)story_jobs(world, member);
    (void)story_jobs(world, member);
    story_sync(world, member);
}

bool story_holds(const struct world *world)
{
    return world->violation[0] == '\0';
}
