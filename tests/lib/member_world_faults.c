#include <string.h>

#include "base/assert.h"
#include "tests/lib/member_world.h"

/* Those who operate the cluster, and what goes wrong around it. */

static uint32_t any_node(struct member_world *world)
{
    return (uint32_t)rng_below(&world->rng, world->nodes);
}

static void mend_links(struct member_world *world)
{
    for (uint32_t i = 0; i < world->nodes; i++) {
        for (uint32_t j = 0; j < world->nodes; j++) {
            member_world_set_cut(world, i, j, false);
        }
    }
}

static void cut_node(struct member_world *world)
{
    uint32_t at = any_node(world);

    member_world_mark(world, MEMBER_WORLD_CUT_NODE);
    member_world_trace(world, "n%u is cut off", at + 1);
    for (uint32_t i = 0; i < world->nodes; i++) {
        member_world_set_cut(world, at, i, true);
        member_world_set_cut(world, i, at, true);
    }
}

static void cut_halves(struct member_world *world)
{
    uint64_t side = rng_next(&world->rng);

    member_world_mark(world, MEMBER_WORLD_CUT_HALVES);
    member_world_trace(world, "the network splits");
    for (uint32_t i = 0; i < world->nodes; i++) {
        for (uint32_t j = 0; j < world->nodes; j++) {
            member_world_set_cut(world, i, j, (side >> i & 1) != (side >> j & 1));
        }
    }
}

/* One is not heard by some, or two do not reach each other while all others reach both. */
static void cut_one_way(struct member_world *world)
{
    uint32_t from = any_node(world);
    uint32_t other = any_node(world);

    if (rng_below(&world->rng, 2) == 0) {
        member_world_mark(world, MEMBER_WORLD_CUT_PAIR);
        member_world_trace(world, "n%u does not reach n%u", from + 1, other + 1);
        member_world_set_cut(world, from, other, true);
        if (rng_below(&world->rng, 2) == 0) {
            member_world_set_cut(world, other, from, true);
        }
        return;
    }
    member_world_mark(world, MEMBER_WORLD_CUT_ONE_WAY);
    member_world_trace(world, "n%u is not heard by some", from + 1);
    for (uint32_t i = 0; i < world->nodes; i++) {
        if (i != from && rng_below(&world->rng, 2) == 0) {
            member_world_set_cut(world, from, i, true);
        }
    }
}

static void crash(struct member_world *world)
{
    uint32_t at = any_node(world);

    if (world->node[at].is_up) {
        member_world_mark(world, MEMBER_WORLD_CRASHED);
        member_world_crash(world, at, 1 + rng_below(&world->rng, 12000),
                           rng_below(&world->rng, 2) == 0);
    }
}

static void pause(struct member_world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        member_world_pause(world, any_node(world),
                           1 + rng_below(&world->rng, rng_below(&world->rng, 2) ? 900 : 30000),
                           rng_below(&world->rng, 2) == 0);
    }
}

/* Never so many that nobody is left. */
static void change_membership(struct member_world *world)
{
    uint32_t at = any_node(world);
    uint32_t members = 0;

    for (uint32_t i = 0; i < world->nodes; i++) {
        members += member_world_is_member(world, i);
    }
    if (!member_world_is_member(world, at)) {
        member_world_mark(world, MEMBER_WORLD_ADDED);
        member_world_trace(world, "n%u is added", at + 1);
        member_world_commit(world, at, true);
    } else if (2 * members > world->nodes) {
        member_world_mark(world, MEMBER_WORLD_REMOVED);
        member_world_trace(world, "n%u is removed", at + 1);
        member_world_commit(world, at, false);
    }
}

static void leave(struct member_world *world)
{
    uint32_t at = any_node(world);
    struct member_event event = {.kind = MEMBER_LEAVE};

    if (member_world_is_running(world, at) && !world->node[at].is_leaving) {
        member_world_trace(world, "n%u leaves", at + 1);
        world->node[at].is_leaving = true;
        member_world_step(world, at, &event);
    } else if (world->node[at].is_up && world->node[at].is_leaving) {
        member_world_crash(world, at, 1 + rng_below(&world->rng, 12000), false);
    }
}

static void reset_link(struct member_world *world)
{
    uint32_t at = any_node(world);
    uint32_t of = any_node(world);

    if (at != of) {
        member_world_mark(world, MEMBER_WORLD_LINK_RESET_BY_CHANCE);
        member_world_post_reset(world, at, of);
        member_world_post_reset(world, of, at);
    }
}

static void act_once(struct member_world *world, enum member_world_action action)
{
    switch (action) {
    case MEMBER_WORLD_ACT_CRASH:
        crash(world);
        break;
    case MEMBER_WORLD_ACT_PAUSE:
        member_world_mark(world, MEMBER_WORLD_PAUSED);
        pause(world, 1);
        break;
    case MEMBER_WORLD_ACT_PAUSE_MANY:
        member_world_mark(world, MEMBER_WORLD_PAUSED_MANY);
        pause(world, 1 + world->nodes / 4);
        break;
    case MEMBER_WORLD_ACT_CUT_NODE:
        cut_node(world);
        break;
    case MEMBER_WORLD_ACT_CUT_ONE_WAY:
        cut_one_way(world);
        break;
    case MEMBER_WORLD_ACT_CUT_HALVES:
        cut_halves(world);
        break;
    case MEMBER_WORLD_ACT_MEMBERSHIP:
        change_membership(world);
        break;
    case MEMBER_WORLD_ACT_LEAVE:
        leave(world);
        break;
    case MEMBER_WORLD_ACT_LINK_RESET:
        reset_link(world);
        break;
    }
}

void member_world_act(struct member_world *world)
{
    if (world->is_healed) {
        return;
    }
    if (rng_below(&world->rng, 4) == 0) {
        mend_links(world);
    }
    uint32_t action = 1U << rng_below(&world->rng, MEMBER_WORLD_ACTIONS);
    if ((world->faults.actions & action) != 0) {
        act_once(world, (enum member_world_action)action);
    }
    member_world_post_action(world);
}

/* Swarm testing (Groce and others, 2012): each seed leaves most kinds of trouble out, so that
 * one kind does not hide what another would find. */
void member_world_draw_faults(struct member_world *world)
{
    struct rng *rng = &world->rng;

    world->faults = (struct member_world_faults){
        .loss_ppm = rng_below(rng, 2)
                        ? (uint32_t)rng_below(rng, rng_below(rng, 2) ? 300000 : 50000)
                        : 0,
        .duplicate_ppm = rng_below(rng, 3) ? 0 : (uint32_t)rng_below(rng, 300000),
        .delay_ppm = rng_below(rng, 2) ? (uint32_t)rng_below(rng, 500000) : 0,
        .delay_ms = 1 + (uint32_t)rng_below(rng, rng_below(rng, 3) ? 60 : 1500),
        .action_ms = 100 + (uint32_t)rng_below(rng, 2000),
        .actions =
            (uint32_t)(rng_next(rng) & rng_next(rng)) & ((1U << MEMBER_WORLD_ACTIONS) - 1),
        .drift_ppm = rng_below(rng, 3) ? 0 : 50000,
    };
    world->options.gone_ms = 2000 + (uint32_t)rng_below(rng, 15000);
    world->end_ms = 10000 + rng_below(rng, 40000);
}

static void wake(struct member_world *world, uint32_t at)
{
    struct member_world_node *node = &world->node[at];

    if (node->is_up && node->is_leaving) {
        member_world_crash(world, at, 0, false);
    }
    if (!node->is_up) {
        member_world_start(world, at);
    }
    if (!member_world_is_member(world, at)) {
        member_world_commit(world, at, true);
    }
}

void member_world_heal(struct member_world *world)
{
    uint64_t paused_ms = world->now_ms;

    member_world_trace(world, "everything heals");
    world->is_healed = true;
    mend_links(world);
    world->faults = (struct member_world_faults){.delay_ms = 1};
    for (uint32_t i = 0; i < world->nodes; i++) {
        paused_ms = world->node[i].paused_ms > paused_ms ? world->node[i].paused_ms : paused_ms;
    }
    /* Pauses end by themselves. */
    if (paused_ms > world->now_ms && !member_world_pass(world, paused_ms - world->now_ms + 1)) {
        return;
    }
    for (uint32_t i = 0; i < world->nodes; i++) {
        wake(world, i);
    }
}
