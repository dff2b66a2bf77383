#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/raft_world.h"

/* Those who use the group, those who operate it, and what goes wrong around it. */

/* Entries that clients make before the healing: whoever has none of them must be able to get
 * them all in the time that is left, one an append on the slowest of these networks. */
enum { PROPOSED_MAX = 600 };

uint32_t world_leader(const struct world *world)
{
    uint32_t leader = world->nodes;

    for (uint32_t i = 0; i < world->nodes; i++) {
        const struct world_node *node = &world->node[i];
        if (node->is_up && node->raft.role == RAFT_LEADER &&
            (leader == world->nodes || node->raft.term > world->node[leader].raft.term)) {
            leader = i;
        }
    }
    return leader;
}

static uint32_t any_node(struct world *world)
{
    return (uint32_t)rng_below(&world->rng, world->nodes);
}

/* Mostly where the leader is believed to be, sometimes anywhere. */
static uint32_t client_node(struct world *world)
{
    uint32_t leader = world_leader(world);
    return leader == world->nodes || rng_below(&world->rng, 5) == 0 ? any_node(world) : leader;
}

/* Returns: the token, or 0 when it was refused. */
uint64_t world_propose(struct world *world, uint32_t at, uint32_t count)
{
    struct world_node *node = &world->node[at];
    uint8_t bytes[4][40];
    struct slice payloads[4];

    ASSERT(count <= 4);
    if (!node->is_up || node->frozen_ms > world->now_ms) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = ++world->proposed;
        memset(bytes[i], 0, sizeof bytes[i]);
        memcpy(bytes[i], &value, sizeof value);
        payloads[i] = slice_from(bytes[i], 8 + value % 32);
    }
    struct raft_event event = {
        .kind = RAFT_PROPOSED,
        .token = ++world->tokens,
        .payloads = payloads,
        .count = count,
    };
    raft_index last = node->raft.log.last;
    world_step(world, at, &event);
    return node->is_up && node->raft.log.last > last ? event.token : 0;
}

void world_read(struct world *world, uint32_t at)
{
    const struct world_node *node = &world->node[at];

    if (!node->is_up || node->frozen_ms > world->now_ms) {
        return;
    }
    struct raft_event event = {.kind = RAFT_READ_ASKED, .token = ++world->tokens};
    world->reads[event.token % WORLD_READS_MAX] =
        (struct world_read){.token = event.token, .floor = world->acked};
    if (node->raft.role == RAFT_LEADER &&
        raft_log_term(&node->raft.log, node->raft.commit) != node->raft.term) {
        world_mark(world, WORLD_READ_BEFORE_OWN_COMMIT);
    }
    world_step(world, at, &event);
}

static void check_read(struct world *world, uint32_t at, const struct raft_reply *reply)
{
    const struct world_node *node = &world->node[at];
    const struct world_read *read = &world->reads[reply->token % WORLD_READS_MAX];

    world_mark(world, WORLD_READ_DONE);
    if (read->token == reply->token && node->applied < read->floor) {
        world_fail(world, "stale read: n%u answers from %" PRIu64 ", acknowledged was %" PRIu64,
                   at + 1, node->applied, read->floor);
    }
}

void world_reply(struct world *world, uint32_t at, const struct raft_reply *reply)
{
    world_mix(world, reply->kind, reply->outcome, reply->token);
    switch (reply->kind) {
    case RAFT_REPLY_READ:
        if (reply->outcome == RAFT_DONE) {
            check_read(world, at, reply);
        } else {
            world_mark(world, WORLD_READ_REFUSED);
        }
        break;
    case RAFT_REPLY_PROPOSED:
        world->marks[WORLD_PROPOSAL_REFUSED] += reply->outcome == RAFT_NOT_LEADER;
        world->marks[WORLD_PROPOSAL_BUSY] += reply->outcome == RAFT_BUSY;
        break;
    case RAFT_REPLY_TRANSFERRED:
        world->marks[WORLD_TRANSFERRED] += reply->outcome == RAFT_DONE;
        world->marks[WORLD_TRANSFER_TIMED_OUT] += reply->outcome == RAFT_TIMED_OUT;
        break;
    case RAFT_REPLY_ROLE:
        world_trace(world, "n%u is %s of term %" PRIu64 ", leader n%u", at + 1,
                    world->node[at].raft.role == RAFT_LEADER ? "leader" : "not leader",
                    reply->term, (unsigned)reply->leader);
        break;
    case RAFT_REPLY_CHANGED:
    case RAFT_REPLY_STOPPED:
        break;
    }
}

void world_client(struct world *world)
{
    uint32_t at = client_node(world);

    if (rng_below(&world->rng, 4) == 0) {
        world_read(world, at);
    } else if (world->committed < PROPOSED_MAX) {
        (void)world_propose(world, at, 1 + (uint32_t)rng_below(&world->rng, 4));
    }
    if (!world->is_healed) {
        world_post(world, 1 + rng_below(&world->rng, 2 * world->faults.client_ms), WORLD_CLIENT,
                   0, 0, NULL);
    }
}

/* ---- operators */

static void change_a_member(struct world *world)
{
    static const enum world_mark marks[] = {
        [RAFT_ADD_LEARNER] = WORLD_LEARNER_ADDED,
        [RAFT_PROMOTE] = WORLD_PROMOTED,
        [RAFT_DEMOTE] = WORLD_DEMOTED,
        [RAFT_REMOVE] = WORLD_REMOVED,
    };
    uint32_t at = client_node(world);
    const struct world_node *node = &world->node[at];
    struct raft_event event = {
        .kind = RAFT_CHANGE_ASKED,
        .token = ++world->tokens,
        .peer = 1 + any_node(world),
    };

    if (!node->is_up || node->frozen_ms > world->now_ms) {
        return;
    }
    const struct raft_configuration *now = &node->raft.configuration;
    uint32_t place = raft_configuration_find(now, event.peer);
    bool is_few = raft_configuration_voters(now) < 2;
    if (place == now->count) {
        event.change = RAFT_ADD_LEARNER;
    } else if (!now->members[place].is_voter) {
        event.change = rng_below(&world->rng, 4) == 0 ? RAFT_REMOVE : RAFT_PROMOTE;
    } else if (is_few) {
        return;
    } else {
        event.change = rng_below(&world->rng, 2) == 0 ? RAFT_REMOVE : RAFT_DEMOTE;
    }
    raft_index before = node->raft.configuration.index;
    world_step(world, at, &event);
    if (node->is_up && node->raft.configuration.index > before) {
        world_mark(world, marks[event.change]);
    }
}

/* Several attempts: most are refused, and a learner is soon promoted. */
static void change_members(struct world *world)
{
    for (uint32_t i = 0; i < 4; i++) {
        change_a_member(world);
    }
}

static void transfer(struct world *world)
{
    uint32_t at = client_node(world);
    const struct world_node *node = &world->node[at];
    struct raft_event event = {
        .kind = RAFT_TRANSFER_ASKED,
        .token = ++world->tokens,
        .peer = 1 + any_node(world),
    };

    if (node->is_up && node->frozen_ms <= world->now_ms) {
        world_mark(world, WORLD_TRANSFER_ASKED);
        world_step(world, at, &event);
    }
}

/* ---- trouble */

static void mend_links(struct world *world)
{
    memset(world->cut, 0, sizeof world->cut);
}

static void cut_node(struct world *world, uint32_t at)
{
    world_mark(world, WORLD_CUT_NODE);
    world_trace(world, "n%u is cut off", at + 1);
    for (uint32_t i = 0; i < world->nodes; i++) {
        world->cut[at][i] = true;
        world->cut[i][at] = true;
    }
}

static void cut_halves(struct world *world)
{
    uint64_t side = rng_next(&world->rng);

    world_mark(world, WORLD_CUT_HALVES);
    world_trace(world, "the network splits");
    for (uint32_t i = 0; i < world->nodes; i++) {
        for (uint32_t j = 0; j < world->nodes; j++) {
            world->cut[i][j] = (side >> i & 1) != (side >> j & 1);
        }
    }
}

static void cut_one_way(struct world *world)
{
    uint32_t from = any_node(world);
    bool is_all = rng_below(&world->rng, 2) == 0;

    world_mark(world, WORLD_CUT_ONE_WAY);
    world_trace(world, "n%u is not heard", from + 1);
    for (uint32_t i = 0; i < world->nodes; i++) {
        world->cut[from][i] = is_all || rng_below(&world->rng, 2) == 0;
    }
}

static void trouble_disk(struct world *world, struct world_node *node)
{
    if (world->faults.has_disk_failures && rng_below(&world->rng, 2) == 0) {
        node->disk_fail_in = 1 + rng_below(&world->rng, 5);
        return;
    }
    world_mark(world, WORLD_SLOW_DISK);
    node->disk_slow_ms = node->disk_slow_ms > 0 ? 0 : 1 + rng_below(&world->rng, 1500);
}

static void crash_all(struct world *world)
{
    world_mark(world, WORLD_CRASH_ALL);
    for (uint32_t i = 0; i < world->nodes; i++) {
        if (world->node[i].is_up) {
            world_crash(world, i);
        }
    }
}

static void act_once(struct world *world, enum world_action action)
{
    uint32_t at = rng_below(&world->rng, 2) == 0 ? client_node(world) : any_node(world);
    struct world_node *node = &world->node[at];

    switch (action) {
    case WORLD_ACT_CRASH:
        if (node->is_up) {
            world_mark(world, WORLD_CRASH_IDLE);
            world_crash(world, at);
        }
        break;
    case WORLD_ACT_CRASH_ALL:
        crash_all(world);
        break;
    case WORLD_ACT_CUT_NODE:
        cut_node(world, at);
        break;
    case WORLD_ACT_CUT_ONE_WAY:
        cut_one_way(world);
        break;
    case WORLD_ACT_CUT_HALVES:
        cut_halves(world);
        break;
    case WORLD_ACT_SLOW_DISK:
        trouble_disk(world, node);
        break;
    case WORLD_ACT_FREEZE:
        world_mark(world, WORLD_FROZEN);
        world_trace(world, "n%u stands still", at + 1);
        node->frozen_ms = world->now_ms + rng_below(&world->rng, 2000);
        break;
    case WORLD_ACT_CLOCK_JUMP:
        world_mark(world, WORLD_CLOCK_JUMP);
        node->skew_ms += (int64_t)rng_below(&world->rng, 3000) - 1000;
        break;
    case WORLD_ACT_MEMBERSHIP:
        change_members(world);
        break;
    case WORLD_ACT_TRANSFER:
        transfer(world);
        break;
    }
}

void world_act(struct world *world)
{
    if (world->is_healed) {
        return;
    }
    if (rng_below(&world->rng, 3) == 0) {
        mend_links(world);
    }
    uint32_t action = 1U << rng_below(&world->rng, WORLD_ACTIONS);
    if ((world->faults.actions & action) != 0) {
        act_once(world, (enum world_action)action);
    }
    if ((world->faults.actions & WORLD_ACT_MEMBERSHIP) != 0 && rng_below(&world->rng, 2) == 0) {
        change_members(world);
    }
    world_refill_settle(world);
    world_post(world, 1 + rng_below(&world->rng, 2 * world->faults.action_ms), WORLD_ACTION, 0,
               0, NULL);
}

/* Swarm testing (Groce and others, 2012): each seed leaves most kinds of trouble out, so that
 * one kind does not hide what another would find. */
void world_draw_faults(struct world *world)
{
    struct rng *rng = &world->rng;
    struct world_faults *faults = &world->faults;

    *faults = (struct world_faults){
        .loss_ppm = rng_below(rng, 2) ? (uint32_t)rng_below(rng, 300000) : 0,
        .duplicate_ppm = rng_below(rng, 3) ? 0 : (uint32_t)rng_below(rng, 300000),
        .delay_ppm = rng_below(rng, 2) ? (uint32_t)rng_below(rng, 500000) : 0,
        .delay_ms = 1 + (uint32_t)rng_below(rng, rng_below(rng, 3) ? 60 : 1500),
        .crash_ppm = rng_below(rng, 3) ? 0 : (uint32_t)rng_below(rng, 20000),
        .action_ms = 40 + (uint32_t)rng_below(rng, 300),
        .actions = (uint32_t)(rng_next(rng) & rng_next(rng)) & ((1U << WORLD_ACTIONS) - 1),
        .disk_ms = (uint32_t)rng_below(rng, rng_below(rng, 3) ? 8 : 120),
        .drift_ppm = rng_below(rng, 3) ? 0 : 50000,
        .client_ms = 4 + (uint32_t)rng_below(rng, 60),
        .snapshot_ms = rng_below(rng, 2) ? 100 + (uint32_t)rng_below(rng, 800) : 0,
        .has_disk_failures = rng_below(rng, 3) == 0,
    };
    world->end_ms = 2000 + rng_below(rng, 6000);
}

void world_heal(struct world *world)
{
    world_trace(world, "everything heals");
    world->is_healed = true;
    mend_links(world);
    world->faults.disk_ms = 4;
    for (uint32_t i = 0; i < world->nodes; i++) {
        struct world_node *node = &world->node[i];
        node->disk_slow_ms = 0;
        node->disk_fail_in = 0;
        node->drift_ppm = 0;
        if (node->frozen_ms > world->now_ms) {
            node->frozen_ms = world->now_ms;
        }
        if (!node->is_up) {
            world_post(world, 1, WORLD_RESTART, i, node->life, NULL);
        }
    }
}
