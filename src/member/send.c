#include <string.h>

#include "member/member_private.h"

/* A datagram in the making, and what it carries beside its own. */

static struct member_claim claim_of(const struct member *member, const struct member_peer *peer)
{
    struct member_claim claim = {
        .id = peer->id,
        .incarnation = peer->incarnation,
        .state = peer->state,
    };

    if (peer->state == MEMBER_SUSPECT) {
        claim.age_ms = (uint32_t)(member->now_ms - peer->since_ms);
        claim.accuser_count = peer->accuser_count;
        memcpy(claim.accusers, peer->accusers, sizeof claim.accusers);
    }
    return claim;
}

static bool add(struct member *member, const struct member_claim *claim)
{
    struct member_message *message = &member->sending;
    uint32_t bytes = member_claim_bytes(claim);

    if (message->claim_count == MEMBER_CLAIMS_MAX ||
        member->sending_bytes + bytes > MEMBER_DATAGRAM_BYTES_MAX) {
        return false;
    }
    message->claims[message->claim_count++] = *claim;
    member->sending_bytes += bytes;
    return true;
}

bool member__add_claim(struct member *member, const struct member_peer *peer)
{
    struct member_claim claim = claim_of(member, peer);
    return add(member, &claim);
}

struct member_message *member__begin(struct member *member, enum member_message_type type,
                                     member_id to)
{
    struct member_message *message = &member->sending;
    const struct member_peer *self = member__self(member);
    const struct member_peer *peer = member__find(member, to);

    *message = (struct member_message){
        .type = type,
        .from = self->id,
        .to = to,
        .incarnation = self->incarnation,
        .is_leaving = self->state == MEMBER_LEFT,
    };
    member->sending_bytes = MEMBER_HEADER_BYTES_MAX;
    /* Whoever is not believed to be alive hears so in every datagram. */
    if (peer != NULL && peer->state != MEMBER_ALIVE) {
        bool is_added = member__add_claim(member, peer);
        ASSERT(is_added);
    }
    return message;
}

static bool is_said(const struct member_message *message, member_id of)
{
    for (uint32_t i = 0; i < message->claim_count; i++) {
        if (message->claims[i].id == of) {
            return true;
        }
    }
    return false;
}

/* News that was sent less often comes first (SWIM, section 4.1): what shall be carried most
 * often still. */
static void add_news(struct member *member)
{
    bool is_chosen[MEMBER_MEMBERS_MAX] = {false};
    uint32_t most = 0;

    for (uint32_t i = 0; i < member->peer_count; i++) {
        most = member->peers[i].transmits > most ? member->peers[i].transmits : most;
    }
    for (uint32_t level = most; level > 0 && member->news_count > 0; level--) {
        for (uint32_t i = 0; i < member->peer_count; i++) {
            struct member_peer *peer = &member->peers[i];
            if (is_chosen[i] || peer->transmits != level) {
                continue;
            }
            if (!is_said(&member->sending, peer->id) && !member__add_claim(member, peer)) {
                return;
            }
            is_chosen[i] = true;
            peer->transmits--;
            member->news_count -= peer->transmits == 0;
        }
    }
}

static struct member_send *next_send(struct member *member)
{
    if (member->out->send_count == MEMBER_SENDS_MAX) {
        member->counters.sends_full++;
        return NULL;
    }
    return &member->out->sends[member->out->send_count++];
}

void member__post_without_news(struct member *member)
{
    struct member_send *send = next_send(member);

    if (send != NULL) {
        send->to = member->sending.to;
        send->len = member_message_encode(&member->sending, send->bytes);
    }
}

bool member__post(struct member *member)
{
    if (member->out->send_count < MEMBER_SENDS_MAX && member->news_count > 0) {
        add_news(member);
    }
    bool has_room = member->out->send_count < MEMBER_SENDS_MAX;
    member__post_without_news(member);
    return has_room;
}
