#include <string.h>

#include "member/member_private.h"

/* Where @id is, or would be. */
static uint32_t place_of(const struct member *member, member_id id)
{
    uint32_t low = 0;
    uint32_t high = member->peer_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (member->peers[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct member_peer *member__find(struct member *member, member_id id)
{
    uint32_t place = place_of(member, id);
    bool is_there = place < member->peer_count && member->peers[place].id == id;
    return is_there ? &member->peers[place] : NULL;
}

int member_find(const struct member *member, member_id id, struct member_peer *ret_peer)
{
    uint32_t place = place_of(member, id);

    if (place == member->peer_count || member->peers[place].id != id) {
        return ERR_GONE;
    }
    *ret_peer = member->peers[place];
    return OK;
}

uint32_t member__live_count(const struct member *member)
{
    return member->state_counts[MEMBER_ALIVE] + member->state_counts[MEMBER_SUSPECT];
}

/* A new member gets a random place in the round (SWIM, section 4.3), among those that are still
 * to come. */
static void insert_in_order(struct member *member, member_id id)
{
    uint32_t place = (uint32_t)rng_between(&member->rng, member->order_at, member->order_count);

    memmove(&member->order[place + 1], &member->order[place],
            (member->order_count - place) * sizeof member->order[0]);
    member->order[place] = id;
    member->order_count++;
}

static void remove_from_order(struct member *member, member_id id)
{
    uint32_t place = 0;

    while (place < member->order_count && member->order[place] != id) {
        place++;
    }
    ASSERT(place < member->order_count);
    member->order_count--;
    memmove(&member->order[place], &member->order[place + 1],
            (member->order_count - place) * sizeof member->order[0]);
    member->order_at -= place < member->order_at;
}

void member__on_add(struct member *member, const struct member_event *event)
{
    uint32_t place = place_of(member, event->peer);

    ASSERT(event->peer != 0);
    if (event->peer == member->options.id) {
        member->is_out = false;
        return;
    }
    if (member__find(member, event->peer) != NULL) {
        return;
    }
    if (member->peer_count == member->options.members_max) {
        member->counters.refused_adds++;
        return;
    }
    memmove(&member->peers[place + 1], &member->peers[place],
            (member->peer_count - place) * sizeof member->peers[0]);
    /* Somebody decided to have it: it is believed to be there until a probe says otherwise. */
    member->peers[place] = (struct member_peer){.id = event->peer, .state = MEMBER_ALIVE};
    member->peer_count++;
    member->state_counts[MEMBER_ALIVE]++;
    insert_in_order(member, event->peer);
}

void member__on_remove(struct member *member, const struct member_event *event)
{
    struct member_peer *peer = member__find(member, event->peer);

    if (event->peer == member->options.id) {
        member->is_out = true;
        return;
    }
    if (peer == NULL) {
        return;
    }
    member__unspread(member, peer);
    member->state_counts[peer->state]--;
    remove_from_order(member, event->peer);
    if (member->probe.target == event->peer) {
        member->probe.is_active = false;
    }
    member->peer_count--;
    memmove(peer, peer + 1,
            (size_t)(&member->peers[member->peer_count] - peer) * sizeof member->peers[0]);
}

static void shuffle(struct member *member)
{
    for (uint32_t i = member->order_count; i > 1; i--) {
        uint32_t other = (uint32_t)rng_below(&member->rng, i);
        member_id kept = member->order[i - 1];
        member->order[i - 1] = member->order[other];
        member->order[other] = kept;
    }
    member->order_at = 0;
}

/* Round robin over a list that is shuffled after each round (SWIM, section 4.3): whatever the
 * dice say, each is probed within 2 (N - 1) probes, but for those that check a suspicion.
 * Unreachable members are knocked at instead. */
struct member_peer *member__next_target(struct member *member)
{
    for (uint32_t i = 0; i < member->peer_count; i++) {
        struct member_peer *peer = &member->peers[i];
        if (peer->is_check_due) {
            peer->is_check_due = false;
            return peer;
        }
    }
    for (uint32_t tries = 2 * member->order_count; tries > 0; tries--) {
        if (member->order_at >= member->order_count) {
            shuffle(member);
        }
        struct member_peer *peer = member__find(member, member->order[member->order_at++]);
        ASSERT(peer != NULL);
        if (member__is_live(peer)) {
            return peer;
        }
    }
    return NULL;
}

static bool is_among(member_id id, const member_id *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

struct member_peer *member__draw(struct member *member, const member_id *excluded,
                                 uint32_t excluded_count)
{
    /* As many draws as make a miss rare when most are unreachable. */
    enum { DRAWS_MAX = 24 };

    for (uint32_t i = 0; i < DRAWS_MAX; i++) {
        struct member_peer *peer = &member->peers[rng_below(&member->rng, member->peer_count)];
        if (!member__is_self(member, peer) && member__is_live(peer) &&
            !is_among(peer->id, excluded, excluded_count)) {
            return peer;
        }
    }
    return NULL;
}

void member__set_state(struct member *member, struct member_peer *peer, enum member_state state,
                       member_incarnation incarnation)
{
    enum member_state before = peer->state;

    /* (incarnation, state) only grows: docs/spec/member.md section 3 */
    ASSERT(incarnation > peer->incarnation ||
           (incarnation == peer->incarnation && state > before));
    peer->state = state;
    peer->incarnation = incarnation;
    peer->accuser_count = 0;
    peer->is_confirmed = false;
    peer->is_check_due = false;
    peer->is_gone = false;
    peer->since_ms = member->now_ms;
    member__spread(member, peer);
    if (state == before) {
        return;
    }
    member->state_counts[before]--;
    member->state_counts[state]++;
    ASSERT(member->out->change_count < MEMBER_CHANGES_MAX);
    member->out->changes[member->out->change_count++] = (struct member_change){
        .kind = MEMBER_CHANGED,
        .id = peer->id,
        .state = state,
        .incarnation = incarnation,
    };
}
