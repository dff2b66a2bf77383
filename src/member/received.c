#include "member/member_private.h"

/* What every datagram has in common. One that makes no sense is dropped and counted. */

typedef void member_receiver(struct member *member, const struct member_message *message);

static void recv_claims_only(struct member *member, const struct member_message *message)
{
    (void)member;
    (void)message;
}

static member_receiver *const receivers[MEMBER_MESSAGE_NR] = {
    [MEMBER_PING] = member__recv_ping,         [MEMBER_ACK] = member__recv_ack,
    [MEMBER_PING_REQ] = member__recv_ping_req, [MEMBER_NACK] = member__recv_nack,
    [MEMBER_GOSSIP] = recv_claims_only,        [MEMBER_SYNC] = member__recv_sync,
    [MEMBER_SYNC_REPLY] = recv_claims_only,
};

/* The sender says of itself that it is there, or that it leaves. */
static void hear_of_sender(struct member *member, const struct member_message *message)
{
    struct member_claim claim = {
        .id = message->from,
        .incarnation = message->incarnation,
        .state = message->is_leaving ? MEMBER_LEFT : MEMBER_ALIVE,
    };
    (void)member__claim(member, &claim, message->from);
}

/* Beyond SWIM: whoever still spreads a suspicion that was refuted missed the refutation, and is
 * told before its time is over. */
static void correct(struct member *member, const struct member_message *message,
                    const bool *is_refuted)
{
    (void)member__begin(member, MEMBER_GOSSIP, message->from);
    for (uint32_t i = 0; i < message->claim_count; i++) {
        const struct member_peer *peer = member__find(member, message->claims[i].id);
        if (is_refuted[i] && peer != NULL && !member__add_claim(member, peer)) {
            break;
        }
    }
    member__post_without_news(member);
}

void member__on_received(struct member *member, const struct member_event *event)
{
    const struct member_message *message = &member->received;
    bool is_refuted[MEMBER_CLAIMS_MAX] = {false};
    bool is_correction_due = false;

    if (member_message_decode(event->bytes, &member->received) != OK) {
        member->counters.malformed++;
        return;
    }
    if (message->to != member->options.id || message->from == member->options.id ||
        (event->peer != 0 && message->from != event->peer)) {
        member->counters.misaddressed++;
        return;
    }
    if (member__find(member, message->from) == NULL) {
        member->counters.unknown_senders++;
        return;
    }
    /* Claims first: an answer then says what they changed. */
    hear_of_sender(member, message);
    for (uint32_t i = 0; i < message->claim_count; i++) {
        is_refuted[i] = member__claim(member, &message->claims[i], message->from);
        /* ... of itself: the answer to a ping says so as well. */
        is_correction_due |= is_refuted[i] && (message->type != MEMBER_PING ||
                                               message->claims[i].id != member->options.id);
    }
    receivers[message->type](member, message);
    if (is_correction_due) {
        correct(member, message, is_refuted);
    }
}
