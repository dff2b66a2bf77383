#include "member/member.h"

#include "member/member_private.h"

void member_options_default(struct member_options *ret_options)
{
    *ret_options = (struct member_options){
        .members_max = MEMBER_MEMBERS_MAX,
        .probe_ms = 200,
        .direct_ms = 80,
        .relays = 3,
        .nack_ms = 64,
        .suspicion_factor = 4,
        .suspicion_max_factor = 6,
        .confirmations = 2,
        .checkers = 8,
        .gossip_ms = 50,
        .gossip_fanout = 3,
        .transmit_factor = 4,
        .sync_ms = 10000,
        .knock_ms = 1000,
        .gone_ms = 60000,
        .health_max = MEMBER_HEALTH_MAX,
    };
}

static void assert_options(const struct member_options *options)
{
    ASSERT(options->id != 0 && options->boot > 0);
    ASSERT(options->members_max > 0 && options->members_max <= MEMBER_MEMBERS_MAX);
    ASSERT(options->direct_ms > 0 && options->direct_ms < options->probe_ms);
    ASSERT(options->relays <= MEMBER_RELAYS_MAX);
    ASSERT(options->suspicion_factor > 0 && options->suspicion_max_factor > 0);
    ASSERT(options->confirmations < MEMBER_ACCUSERS_MAX);
    ASSERT(options->gossip_ms > 0 && options->knock_ms > 0 && options->sync_ms > 0);
    ASSERT(options->gossip_fanout > 0 && options->gossip_fanout <= MEMBER_RELAYS_MAX);
    ASSERT(options->transmit_factor > 0 && options->health_max <= MEMBER_HEALTH_MAX);
}

void member_init(struct member *member, const struct member_options *options, uint64_t now_ms)
{
    uint64_t members = options->members_max;

    assert_options(options);
    *member = (struct member){
        .options = *options,
        .now_ms = now_ms,
        .deadline_ms = UINT64_MAX,
        .peer_count = 1,
        .has_majority = true,
    };
    rng_init(&member->rng, options->seed);
    arena_init(&member->arena, arena_cost(members * sizeof(struct member_peer)) +
                                   arena_cost(members * sizeof(member_id)));
    member->peers = arena_alloc_zero(&member->arena, members * sizeof(struct member_peer));
    member->order = arena_alloc_zero(&member->arena, members * sizeof(member_id));
    ASSERT(arena_has_room(&member->arena, 0));
    /* A start raises the incarnation above all of the life before. */
    member->peers[0] = (struct member_peer){
        .id = options->id,
        .incarnation = (member_incarnation)options->boot << 32,
        .state = MEMBER_ALIVE,
    };
    member->state_counts[MEMBER_ALIVE] = 1;
    /* Answers to a life before shall fit no question of this one, and nodes that start together
     * shall not ask together. */
    member->sequence = (uint32_t)rng_next(&member->rng);
    member->probe_ms = now_ms + rng_below(&member->rng, options->probe_ms);
    member->sync_ms = member->probe_ms;
}

void member_fini(struct member *member)
{
    arena_fini(&member->arena);
}

typedef void member_handler(struct member *member, const struct member_event *event);

static void on_tick(struct member *member, const struct member_event *event)
{
    (void)event;
    member__advance_errands(member);
    if (member__self(member)->state == MEMBER_LEFT) {
        return; /* it judges nobody any more */
    }
    member__expire(member);
    member__declare_gone(member);
    member__advance_probe(member);
    member__sync(member);
    member__knock(member);
}

static member_handler *const handlers[MEMBER_EVENT_NR] = {
    [MEMBER_TICK] = on_tick,
    [MEMBER_RECEIVED] = member__on_received,
    [MEMBER_LINK_RESET] = member__on_link_reset,
    [MEMBER_ADD] = member__on_add,
    [MEMBER_REMOVE] = member__on_remove,
    [MEMBER_LEAVE] = member__on_leave,
};

/* The process stood still, or its thread had other things to do: what others did not hear of
 * this member, and it not of them, is for this one to answer for (Lifeguard's local health). */
static void recover_from_stall(struct member *member)
{
    uint64_t stalled = member->now_ms - member->deadline_ms;

    member->counters.stalls++;
    member__drop_probe(member);
    member->probe_ms = member->now_ms;
    for (uint32_t i = 0; i < MEMBER_ERRANDS_MAX; i++) {
        member->errands[i].sequence = 0;
    }
    member__adjust_health(member, 1);
    member__restart_suspicions(member, stalled);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t peers_deadline_ms(const struct member *member)
{
    uint64_t deadline = UINT64_MAX;

    for (uint32_t i = 0; i < member->peer_count; i++) {
        const struct member_peer *peer = &member->peers[i];
        if (peer->is_tell_due) {
            deadline = least(deadline, member->now_ms + 1);
        }
        if (peer->state == MEMBER_SUSPECT) {
            deadline = least(deadline, member__suspicion_end_ms(member, peer));
            deadline = least(deadline, peer->tell_ms);
        } else if (peer->state == MEMBER_UNREACHABLE && !peer->is_gone &&
                   member->has_majority) {
            deadline = least(deadline, peer->since_ms + member->options.gone_ms);
        }
    }
    return deadline;
}

static uint64_t deadline_ms(struct member *member)
{
    const struct member_probe *probe = &member->probe;
    uint64_t deadline = UINT64_MAX;

    if (member->is_out) {
        return deadline;
    }
    for (uint32_t i = 0; i < MEMBER_ERRANDS_MAX; i++) {
        if (member->errands[i].sequence != 0) {
            deadline = least(deadline, member->errands[i].nack_ms);
        }
    }
    if (member->news_count > 0 && member->order_count > 0) {
        deadline = least(deadline, member->gossip_ms);
    }
    if (member->order_count == 0 || member__self(member)->state == MEMBER_LEFT) {
        return deadline;
    }
    deadline = least(deadline, peers_deadline_ms(member));
    deadline = least(deadline, member->sync_ms);
    if (member__live_count(member) < member->peer_count) {
        deadline = least(deadline, member->knock_ms);
    }
    return least(deadline,
                 probe->is_active ? least(probe->direct_ms, probe->end_ms) : member->probe_ms);
}

static void assert_invariants(const struct member *member)
{
    uint32_t news = 0;
    uint32_t counts[MEMBER_STATE_NR] = {0};

    for (uint32_t i = 0; i < member->peer_count; i++) {
        const struct member_peer *peer = &member->peers[i];
        ASSERT(i == 0 || member->peers[i - 1].id < peer->id);
        ASSERT(peer->accuser_count <= member->options.confirmations + 1);
        ASSERT(peer->state == MEMBER_SUSPECT || peer->accuser_count == 0);
        ASSERT(!peer->is_gone || peer->state == MEMBER_UNREACHABLE);
        news += peer->transmits > 0;
        counts[peer->state]++;
    }
    ASSERT(news == member->news_count);
    for (uint32_t i = 0; i < MEMBER_STATE_NR; i++) {
        ASSERT(counts[i] == member->state_counts[i]);
    }
    ASSERT(member->order_count + 1 == member->peer_count);
    ASSERT(member->order_at <= member->order_count);
    ASSERT(member->health <= member->options.health_max);
    ASSERT(arena_has_room(&member->arena, 0));
}

void member_step(struct member *member, const struct member_event *event, uint64_t now_ms,
                 struct member_effects *ret_effects)
{
    ASSERT(event->kind > 0 && event->kind < MEMBER_EVENT_NR);
    ret_effects->send_count = 0;
    ret_effects->change_count = 0;
    member->out = ret_effects;
    if (now_ms > member->now_ms) {
        member->now_ms = now_ms;
    }
    if (!member->is_out && member->deadline_ms != UINT64_MAX &&
        member->now_ms > member->deadline_ms + member->options.probe_ms) {
        recover_from_stall(member);
    }
    if (!member->is_out || event->kind == MEMBER_ADD || event->kind == MEMBER_REMOVE) {
        handlers[event->kind](member, event);
    }
    if (!member->is_out) {
        member__tell(member);
        member__gossip(member);
        member__watch_majority(member);
    }
    member->deadline_ms = deadline_ms(member);
    assert_invariants(member);
    member->out = NULL;
}

uint64_t member_deadline_ms(const struct member *member)
{
    return member->deadline_ms;
}
