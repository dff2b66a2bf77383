#include "member/member_private.h"

/* log10 of @value in thousandths: log2 bit by bit (square, and see whether it passed 2), then
 * log10(2). */
static uint32_t log10_thousandths(uint32_t value)
{
    enum { FRACTION_BITS = 16, LOG10_OF_2 = 19728 /* in 2^-16 */ };
    uint32_t whole = 31 - (uint32_t)__builtin_clz(value);
    uint64_t rest = ((uint64_t)value << 30) >> whole; /* in [1, 2), 30 bits behind the point */
    uint64_t log2 = whole;

    for (int i = 0; i < FRACTION_BITS; i++) {
        rest = rest * rest >> 30;
        log2 <<= 1;
        if (rest >> 31 != 0) {
            rest >>= 1;
            log2 |= 1;
        }
    }
    return (uint32_t)((log2 * LOG10_OF_2 * 1000) >> 32);
}

uint32_t member_suspicion_min_ms(const struct member_options *options, uint32_t members)
{
    uint32_t thousandths = log10_thousandths(members);

    thousandths = thousandths > 1000 ? thousandths : 1000;
    return options->suspicion_factor * options->probe_ms * thousandths / 1000;
}

/* Max - (Max - Min) * log(C + 1) / log(K + 1), but no less than Min, with C confirmations of K
 * that are wanted (Lifeguard's dynamic suspicion timeout); the quotient in thousandths, by K
 * and C. K is never more than there are others to confirm. */
static uint32_t suspicion_ms(const struct member *member, const struct member_peer *peer)
{
    static const uint32_t shortened[MEMBER_ACCUSERS_MAX][MEMBER_ACCUSERS_MAX] = {
        {1000, 0,    0,    0   },
        {0,    1000, 0,    0   },
        {0,    631,  1000, 0   },
        {0,    500,  792,  1000},
    };
    uint32_t shortest = member_suspicion_min_ms(&member->options, member->peer_count);
    uint32_t longest = shortest * member->options.suspicion_max_factor;
    uint32_t live = member__live_count(member);
    uint32_t wanted = live > 2 ? live - 2 : 0;
    uint32_t got = peer->accuser_count > 0 ? peer->accuser_count - 1 : 0;

    if (wanted > member->options.confirmations) {
        wanted = member->options.confirmations;
    }
    if (got > wanted || peer->is_confirmed) {
        got = wanted;
    }
    return longest - (uint32_t)((uint64_t)(longest - shortest) * shortened[wanted][got] / 1000);
}

uint64_t member__suspicion_end_ms(const struct member *member, const struct member_peer *peer)
{
    return peer->since_ms + suspicion_ms(member, peer);
}

/* A suspicion has been going on for @age_ms elsewhere, or since a ping went out. Half of the
 * shortest time is always left to the suspect, counted from the moment it is told from here. */
static uint64_t begun_ms(const struct member *member, uint64_t age_ms)
{
    uint64_t credit = member_suspicion_min_ms(&member->options, member->peer_count) / 2;

    if (age_ms < credit) {
        credit = age_ms;
    }
    return member->now_ms > credit ? member->now_ms - credit : 0;
}

/* Pings may be lost, and the suspect may come back only now: it is told several times while the
 * suspicion lasts. */
static uint64_t tell_again_ms(const struct member *member)
{
    return member_suspicion_min_ms(&member->options, member->peer_count) / 4;
}

/* Returns: whether it is another than those known, and counts. */
static bool add_accuser(struct member *member, struct member_peer *peer, member_id accuser)
{
    if (accuser == peer->id || member__find(member, accuser) == NULL ||
        peer->accuser_count > member->options.confirmations) {
        return false;
    }
    for (uint32_t i = 0; i < peer->accuser_count; i++) {
        if (peer->accusers[i] == accuser) {
            return false;
        }
    }
    peer->accusers[peer->accuser_count++] = accuser;
    return true;
}

/* The claim is suspect or unreachable, and not below what is known of @peer, which is alive or
 * suspect or of an older incarnation. */
void member__suspect(struct member *member, struct member_peer *peer,
                     const struct member_claim *claim)
{
    bool is_unreachable = claim->state == MEMBER_UNREACHABLE;
    bool is_news = false;

    if (peer->state != MEMBER_SUSPECT || claim->incarnation > peer->incarnation) {
        member__set_state(member, peer, MEMBER_SUSPECT, claim->incarnation);
        /* The buddy system of Lifeguard has the suspect hear of it with the next ping: here a
         * ping leaves at once. */
        peer->is_tell_due = true;
        peer->tell_ms = member->now_ms + tell_again_ms(member);
        peer->since_ms = begun_ms(member, is_unreachable ? 0 : claim->age_ms);
        /* Beyond SWIM: round robin alone brings the confirmations too late when a member is
         * dead. A few of those who hear of it, however many there are, look for themselves. */
        peer->is_check_due =
            claim->accusers[0] != member->options.id &&
            rng_below(&member->rng, member->peer_count) < member->options.checkers;
    }
    for (uint32_t i = 0; i < claim->accuser_count; i++) {
        is_news |= add_accuser(member, peer, claim->accusers[i]);
    }
    if (is_unreachable && !peer->is_confirmed) {
        /* somebody waited in vain: as good as all confirmations */
        peer->is_confirmed = true;
        is_news = true;
    }
    if (is_news) {
        member__spread(member, peer);
    }
}

void member__accuse(struct member *member, struct member_peer *peer, uint64_t since_ms)
{
    if (!member__is_live(peer)) {
        return;
    }
    struct member_claim claim = {
        .id = peer->id,
        .incarnation = peer->incarnation,
        .state = MEMBER_SUSPECT,
        .age_ms = (uint32_t)(member->now_ms - since_ms),
        .accuser_count = 1,
        .accusers = {member->options.id},
    };
    member->counters.suspicions += peer->state == MEMBER_ALIVE;
    member__suspect(member, peer, &claim);
}

/* The kernel of a node whose process died resets its connections: as good as a failed probe,
 * and sooner. */
void member__on_link_reset(struct member *member, const struct member_event *event)
{
    struct member_peer *peer = member__find(member, event->peer);

    if (peer != NULL && !member__is_self(member, peer)) {
        member__accuse(member, peer, member->now_ms);
    }
}

/* Whoever sees only a minority is more likely the one that is cut off: it declares nobody gone,
 * and begins to count when it sees a majority again. */
void member__watch_majority(struct member *member)
{
    bool has_majority = 2 * member__live_count(member) > member->peer_count;

    if (has_majority && !member->has_majority) {
        for (uint32_t i = 0; i < member->peer_count; i++) {
            if (member->peers[i].state == MEMBER_UNREACHABLE && !member->peers[i].is_gone) {
                member->peers[i].since_ms = member->now_ms;
            }
        }
    }
    member->has_majority = has_majority;
}

static bool is_gone_due(const struct member *member, const struct member_peer *peer)
{
    return peer->state == MEMBER_UNREACHABLE && !peer->is_gone && member->has_majority &&
           member->now_ms >= peer->since_ms + member->options.gone_ms;
}

void member__expire(struct member *member)
{
    for (uint32_t i = 0; i < member->peer_count; i++) {
        struct member_peer *peer = &member->peers[i];
        if (peer->state == MEMBER_SUSPECT &&
            member->now_ms >= member__suspicion_end_ms(member, peer)) {
            member__set_state(member, peer, MEMBER_UNREACHABLE, peer->incarnation);
        } else if (peer->state == MEMBER_SUSPECT && member->now_ms >= peer->tell_ms) {
            /* Those who heard of it the first time may have been cut off then. */
            peer->is_tell_due = true;
            peer->tell_ms = member->now_ms + tell_again_ms(member);
            member__spread(member, peer);
        }
    }
}

void member__declare_gone(struct member *member)
{
    member__watch_majority(member);
    for (uint32_t i = 0; i < member->peer_count; i++) {
        struct member_peer *peer = &member->peers[i];
        if (is_gone_due(member, peer)) {
            peer->is_gone = true;
            ASSERT(member->out->change_count < MEMBER_CHANGES_MAX);
            member->out->changes[member->out->change_count++] = (struct member_change){
                .kind = MEMBER_GONE,
                .id = peer->id,
                .state = peer->state,
                .incarnation = peer->incarnation,
            };
        }
    }
}

/* While a member stands still it hears no refutation: what ran out meanwhile proves nothing.
 * Suspicions begin anew, and time that was not lived counts for no verdict. */
void member__restart_suspicions(struct member *member, uint64_t stalled_ms)
{
    for (uint32_t i = 0; i < member->peer_count; i++) {
        struct member_peer *peer = &member->peers[i];
        if (peer->state == MEMBER_SUSPECT) {
            peer->since_ms = member->now_ms;
            peer->is_tell_due = true;
        } else if (peer->state == MEMBER_UNREACHABLE) {
            peer->since_ms += stalled_ms;
        }
    }
}
