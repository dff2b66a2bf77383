#include <inttypes.h>

#include "base/assert.h"
#include "tests/lib/member_world.h"

/* What docs/spec/member.md section 7 says of every state, and section 8 of declaring. */

enum {
    DRIFT_PERCENT = 94,       /* of a time by a drifting clock, at the least */
    PROMISE_LOSS_PPM = 50000, /* beyond it nothing is promised */
    PROMISE_DELAY_MS = 60,
    UNSEEN_PAUSE_MS = 2000,
};

bool member_world_is_member(const struct member_world *world, uint32_t at)
{
    bool is_member = false;

    for (uint32_t i = 0; i < world->log_count; i++) {
        if (world->log[i].id == at + 1) {
            is_member = world->log[i].is_added;
        }
    }
    return is_member;
}

/* ---- I1, I2: what is held of a member only grows, and nobody invents an incarnation */

static void check_view(struct member_world *world, uint32_t at, uint32_t of)
{
    struct member_world_view *view = &world->node[at].views[of];
    struct member_peer peer;

    if (member_find(&world->node[at].member, of + 1, &peer) != OK) {
        return;
    }
    if (peer.incarnation < view->incarnation ||
        (peer.incarnation == view->incarnation && peer.state < view->state)) {
        member_world_fail(world,
                          "n%u goes back in what it holds of n%u: (%" PRIx64 ", %d) to "
                          "(%" PRIx64 ", %d)",
                          at + 1, of + 1, view->incarnation, (int)view->state, peer.incarnation,
                          (int)peer.state);
    }
    if (peer.incarnation > world->node[of].incarnation) {
        member_world_fail(world, "n%u holds an incarnation of n%u that it never had", at + 1,
                          of + 1);
    }
    if (view->state == 0) {
        view->told = MEMBER_ALIVE; /* added: it goes without saying */
        view->live_ms = world->now_ms;
    }
    if (view->state > MEMBER_SUSPECT && peer.state <= MEMBER_SUSPECT) {
        view->live_ms = world->now_ms;
    }
    if (view->told != peer.state && of != at) {
        member_world_fail(world, "n%u does not tell that n%u is another than before", at + 1,
                          of + 1);
    }
    if (peer.state == MEMBER_ALIVE) {
        world->marks[MEMBER_WORLD_REFUTED] += view->state == MEMBER_SUSPECT;
        world->marks[MEMBER_WORLD_BACK_FROM_UNREACHABLE] += view->state == MEMBER_UNREACHABLE;
        world->marks[MEMBER_WORLD_BACK_FROM_GONE] += view->is_gone;
    }
    view->incarnation = peer.incarnation;
    view->state = peer.state;
    view->is_gone = peer.is_gone;
}

static void count_marks(struct member_world *world, struct member_world_node *node)
{
    const struct member_counters *now = &node->member.counters;
    const struct member_counters *before = &node->counters;

    world->marks[MEMBER_WORLD_STALLED] += now->stalls - before->stalls;
    world->marks[MEMBER_WORLD_UNKNOWN_SENDER] += now->unknown_senders - before->unknown_senders;
    world->marks[MEMBER_WORLD_UNKNOWN_CLAIM] += now->unknown_claims - before->unknown_claims;
    for (uint32_t i = 0; i < node->member.probe.relay_count; i++) {
        world->marks[MEMBER_WORLD_PROBED_INDIRECTLY]++;
        world->marks[MEMBER_WORLD_NACKED] += node->member.probe.has_nack[i];
    }
    node->counters = *now;
}

void member_world_check_step(struct member_world *world, uint32_t at)
{
    struct member_world_node *node = &world->node[at];
    struct member_peer self;

    if (member_find(&node->member, at + 1, &self) != OK ||
        self.incarnation < node->incarnation) {
        member_world_fail(world, "n%u goes back in its own incarnation", at + 1);
        return;
    }
    node->incarnation = self.incarnation;
    if (self.state != MEMBER_ALIVE && self.state != MEMBER_LEFT) {
        member_world_fail(world, "n%u does not believe in itself", at + 1);
    }
    for (uint32_t i = 0; i < world->nodes; i++) {
        check_view(world, at, i);
    }
    for (uint32_t i = 0; i < world->effects.send_count; i++) {
        if (world->effects.sends[i].len > MEMBER_DATAGRAM_BYTES_MAX) {
            member_world_fail(world, "n%u sends %u bytes", at + 1, world->effects.sends[i].len);
        }
    }
    if (node->member.counters.malformed + node->member.counters.misaddressed > 0) {
        member_world_fail(world, "n%u cannot read what n%u's kind writes", at + 1, at + 1);
    }
    count_marks(world, node);
}

/* ---- section 8: who is not declared */

static bool is_link_whole(const struct member_world *world, uint32_t a, uint32_t b,
                          uint64_t since)
{
    return world->whole_ms[a][b] <= since && world->whole_ms[b][a] <= since;
}

static bool is_clear(const struct member_world *world, uint32_t at, uint64_t since)
{
    const struct member_world_node *node = &world->node[at];
    return member_world_is_running(world, at) && node->running_ms <= since &&
           node->applied == world->log_count && node->applied_ms <= since &&
           !node->is_leaving && member_world_is_member(world, at);
}

/* Whether two reached each other, knew it, and ran. */
static bool is_pair_well(const struct member_world *world, uint32_t a, uint32_t b,
                         uint64_t since)
{
    const struct member_world_view *ab = &world->node[a].views[b];
    const struct member_world_view *ba = &world->node[b].views[a];
    return is_link_whole(world, a, b, since) && ab->state <= MEMBER_SUSPECT &&
           ab->live_ms <= since && ba->state <= MEMBER_SUSPECT && ba->live_ms <= since;
}

/* Whether @at and @of reach each other directly, or both reach most of the members. */
static bool is_reachable(const struct member_world *world, uint32_t at, uint32_t of,
                         uint64_t since)
{
    uint32_t common = 0;
    uint32_t members = 0;

    if (is_link_whole(world, at, of, since)) {
        return true;
    }
    for (uint32_t i = 0; i < world->nodes; i++) {
        members += member_world_is_member(world, i);
        common += i != at && i != of && is_clear(world, i, since) &&
                  is_pair_well(world, at, i, since) && is_pair_well(world, i, of, since);
    }
    return 2 * (common + 2) > members && common > 0;
}

static void check_promise(struct member_world *world, uint32_t at, uint32_t of)
{
    uint32_t shortest =
        member_suspicion_min_ms(&world->options, world->node[at].member.peer_count);
    uint64_t window = (uint64_t)shortest / 2 * DRIFT_PERCENT / 100;
    uint64_t since = world->now_ms > window ? world->now_ms - window : 0;

    if (!is_clear(world, of, since)) {
        return;
    }
    member_world_mark(world, MEMBER_WORLD_UNREACHABLE_WHILE_UP);
    world->up_unreachable_count++;
    if (world->faults.loss_ppm > PROMISE_LOSS_PPM ||
        (world->faults.delay_ppm > 0 && world->faults.delay_ms > PROMISE_DELAY_MS) ||
        world->node[at].applied != world->log_count) {
        return;
    }
    member_world_mark(world, MEMBER_WORLD_PROMISE_LOOKED_AT);
    if (!is_reachable(world, at, of, since)) {
        return;
    }
    if (world->faults.loss_ppm > 0) {
        /* every datagram that could have helped may have been lost: seldom, says test_member */
        member_world_mark(world, MEMBER_WORLD_UNREACHABLE_BY_LOSS);
        return;
    }
    member_world_fail(world, "n%u declares n%u unreachable, which was there all the time%s",
                      at + 1, of + 1,
                      is_link_whole(world, at, of, since) ? "" : ", if not for it");
}

static uint32_t live_in_view(const struct member_world *world, uint32_t at)
{
    const struct member *member = &world->node[at].member;
    uint32_t live = 0;

    for (uint32_t i = 0; i < member->peer_count; i++) {
        live +=
            member->peers[i].state == MEMBER_ALIVE || member->peers[i].state == MEMBER_SUSPECT;
    }
    return live;
}

static void check_gone(struct member_world *world, uint32_t at, uint32_t of)
{
    const struct member_world_view *view = &world->node[at].views[of];
    uint64_t waited = member_world_ran_ms(world, at) - view->unreachable_ms;
    /* What a node sees of a pause begins when it would have done something again. */
    uint64_t unseen = (uint64_t)(world->node[at].pauses - view->pauses) * UNSEEN_PAUSE_MS;

    world->gone_count++;
    member_world_mark(world, MEMBER_WORLD_GONE);
    if (view->state != MEMBER_UNREACHABLE ||
        waited + unseen < (uint64_t)world->options.gone_ms * DRIFT_PERCENT / 100) {
        member_world_fail(world, "n%u declares n%u gone after %" PRIu64 " ms", at + 1, of + 1,
                          waited);
    }
    if (2 * live_in_view(world, at) <= world->node[at].member.peer_count) {
        member_world_fail(world, "n%u declares n%u gone, and sees only a minority", at + 1,
                          of + 1);
    }
}

void member_world_check_change(struct member_world *world, uint32_t at,
                               const struct member_change *change)
{
    static const char *const names[] = {
        [MEMBER_ALIVE] = "alive",
        [MEMBER_SUSPECT] = "suspect",
        [MEMBER_UNREACHABLE] = "unreachable",
        [MEMBER_LEFT] = "left",
    };
    uint32_t of = (uint32_t)change->id - 1;
    struct member_world_view *view = &world->node[at].views[of];

    ASSERT(of < world->nodes);
    member_world_trace(world, "n%u: n%u is %s%s (%" PRIx64 ")", at + 1, of + 1,
                       change->kind == MEMBER_GONE ? "gone, " : "", names[change->state],
                       change->incarnation);
    if (change->kind == MEMBER_GONE) {
        check_gone(world, at, of);
        return;
    }
    view->told = change->state;
    if (change->state == MEMBER_SUSPECT) {
        member_world_mark(world, MEMBER_WORLD_SUSPECTED);
    } else if (change->state == MEMBER_LEFT) {
        member_world_mark(world, MEMBER_WORLD_LEFT);
    } else if (change->state == MEMBER_UNREACHABLE) {
        member_world_mark(world, MEMBER_WORLD_UNREACHABLE);
        world->unreachable_count++;
        view->unreachable_ms = member_world_ran_ms(world, at);
        view->pauses = world->node[at].pauses;
        check_promise(world, at, of);
    }
}

/* ---- after the healing */

bool member_world_is_settled(const struct member_world *world)
{
    for (uint32_t at = 0; at < world->nodes; at++) {
        if (!member_world_is_running(world, at) ||
            world->node[at].applied != world->log_count) {
            return false;
        }
        for (uint32_t of = 0; of < world->nodes; of++) {
            struct member_peer peer;
            if (member_find(&world->node[at].member, of + 1, &peer) != OK ||
                peer.state != MEMBER_ALIVE || peer.incarnation != world->node[of].incarnation) {
                return false;
            }
        }
    }
    return true;
}
