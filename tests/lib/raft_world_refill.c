#include <inttypes.h>

#include "base/assert.h"
#include "tests/lib/raft_world.h"

/* Disks that are lost in a crash, and what the nodes do about it: the member begins again with
 * nothing but the count of its losses, its leader demotes it, refills it, and promotes it when
 * it counts again. */

enum { LOST_PPM = 250000, FORGETS = 2 };

void world_lose_disks(struct world *world)
{
    world->faults.lost_ppm = LOST_PPM;
    world->faults.actions &= ~(uint32_t)WORLD_ACT_MEMBERSHIP;
    world->faults.actions |= WORLD_ACT_CRASH;
}

/* The others can elect a leader and commit what it says, whatever has reached whom. */
static bool may_lose(const struct world *world, uint32_t at)
{
    uint32_t leader = world_leader(world);
    uint32_t counting = 0;

    if (leader == world->nodes || leader == at) {
        return false;
    }
    const struct raft_configuration *now = &world->node[leader].raft.configuration;
    for (uint32_t i = 0; i < now->count; i++) {
        const struct raft_member *member = &now->members[i];

        counting += member->is_voter && member->id != at + 1 &&
                    !world->node[member->id - 1].is_refilling;
    }
    return world->node[leader].raft.commit >= now->index &&
           counting >= raft_configuration_quorum(now) && !world->node[at].is_refilling &&
           raft_configuration_is_voter(now, at + 1);
}

void world_disk_empty(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    ASSERT(!node->is_up);
    world_trace(world, "n%u has lost its disk", at + 1);
    node->record_count = 0;
    node->durable_count = 0;
    node->hard_recycled = (struct world_record){0};
    node->released = 0;
    node->hard_term = 0;
    node->hard_vote = 0;
    node->durable_last = 0;
    node->snapshot = (struct world_snapshot){0};
    node->refill++;
    node->is_refilling = true;
}

void world_disk_lose(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    ASSERT(!node->is_up);
    if (world->faults.lost_ppm == 0 || world->is_healed) {
        return;
    }
    if (node->is_refilling) {
        world_mark(world, WORLD_REFILL_CRASHED);
        return;
    }
    if (!rng_chance(&world->rng, world->faults.lost_ppm) || !may_lose(world, at)) {
        return;
    }
    world_mark(world, WORLD_DISK_LOST);
    world->marks[WORLD_LEADERS_DISK_LOST] += node->role == RAFT_LEADER;
    world_disk_empty(world, at);
}

/* That it is over is written beside the log, and a crash may come before. */
void world_refill_note(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    if (node->is_refilling && !raft_is_refilling(&node->raft) &&
        rng_below(&world->rng, FORGETS) == 0) {
        node->is_refilling = false;
        world_mark(world, WORLD_READMITTED);
        world_trace(world, "n%u is refilled", at + 1);
    }
}

/* Returns: whether there was one to ask for. */
static bool change_one(struct world *world, uint32_t leader, enum raft_change_kind change)
{
    const struct raft *raft = &world->node[leader].raft;

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member member = raft->configuration.members[i];

        if (member.is_voter == (change == RAFT_DEMOTE) &&
            raft_is_refilled_by(raft, member.id) == (change == RAFT_DEMOTE)) {
            world_step(world, leader,
                       &(struct raft_event){.kind = RAFT_CHANGE_ASKED,
                                            .token = ++world->tokens,
                                            .peer = member.id,
                                            .change = change});
            return true;
        }
    }
    return false;
}

/* Nobody is promoted while a voter does not count: it goes first. */
void world_refill_settle(struct world *world)
{
    uint32_t leader = world_leader(world);

    if (world->faults.lost_ppm == 0 || leader == world->nodes ||
        world->node[leader].frozen_ms > world->now_ms) {
        return;
    }
    if (!change_one(world, leader, RAFT_DEMOTE)) {
        (void)change_one(world, leader, RAFT_PROMOTE);
    }
}

bool world_is_refilled(const struct world *world)
{
    uint32_t leader = world_leader(world);

    for (uint32_t i = 0; i < world->nodes; i++) {
        if (world->node[i].is_refilling) {
            return false;
        }
    }
    return world->faults.lost_ppm == 0 ||
           (leader < world->nodes &&
            raft_configuration_voters(&world->node[leader].raft.configuration) ==
                world->voters);
}
