#include "member/member_private.h"

/* A suspect refutes by a higher incarnation, which nobody else may give it (SWIM, section 4.2).
 */
static void hear_of_itself(struct member *member, struct member_peer *self,
                           const struct member_claim *claim)
{
    if (claim->incarnation < self->incarnation || self->state == MEMBER_LEFT ||
        claim->incarnation >= MEMBER_INCARNATION_MAX) {
        return;
    }
    if (claim->state == MEMBER_ALIVE) {
        if (claim->incarnation > self->incarnation) {
            /* an earlier life went further: its boot number was not above ours */
            member__set_state(member, self, MEMBER_ALIVE, claim->incarnation + 1);
        }
        return;
    }
    member->counters.refutations++;
    member__set_state(member, self, MEMBER_ALIVE, claim->incarnation + 1);
    /* To be suspected is a sign of being slow (Lifeguard's local health). */
    member__adjust_health(member, 1);
}

static bool is_refuted(const struct member_claim *claim, const struct member_peer *peer)
{
    return claim->incarnation < peer->incarnation &&
           (claim->state == MEMBER_SUSPECT || claim->state == MEMBER_UNREACHABLE);
}

/* What wins is docs/spec/member.md section 3: the higher incarnation, and within one the state
 * that stands later in enum member_state. But nobody is unreachable by hearsay. */
bool member__claim(struct member *member, const struct member_claim *claim, member_id from)
{
    struct member_peer *peer = member__find(member, claim->id);
    struct member_claim heard = *claim;

    if (peer == NULL) {
        member->counters.unknown_claims++;
        return false;
    }
    if (member__is_self(member, peer)) {
        hear_of_itself(member, peer, claim);
        return is_refuted(claim, peer);
    }
    bool is_newer = claim->incarnation > peer->incarnation;
    switch (claim->state) {
    case MEMBER_ALIVE:
        if (is_newer) {
            member__set_state(member, peer, MEMBER_ALIVE, claim->incarnation);
        }
        break;
    case MEMBER_SUSPECT:
    case MEMBER_UNREACHABLE:
        if (!is_newer && (claim->incarnation < peer->incarnation || !member__is_live(peer))) {
            break;
        }
        if (heard.accuser_count == 0) {
            heard.accusers[heard.accuser_count++] = from;
        }
        member__suspect(member, peer, &heard);
        break;
    case MEMBER_LEFT:
        if (is_newer ||
            (claim->incarnation == peer->incarnation && peer->state != MEMBER_LEFT)) {
            member__set_state(member, peer, MEMBER_LEFT, claim->incarnation);
        }
        break;
    case MEMBER_STATE_NR:
        break;
    }
    return is_refuted(claim, peer);
}

void member__on_leave(struct member *member, const struct member_event *event)
{
    struct member_peer *self = member__self(member);
    (void)event;

    if (self->state != MEMBER_LEFT) {
        member__drop_probe(member);
        member__set_state(member, self, MEMBER_LEFT, self->incarnation);
    }
}

bool member_has_left(const struct member *member)
{
    struct member_peer self;

    return member_find(member, member->options.id, &self) == OK && self.state == MEMBER_LEFT &&
           (self.transmits == 0 || member->order_count == 0);
}
