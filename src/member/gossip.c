#include "member/member_private.h"

/* News travels in all datagrams, and in rounds of its own while there is any. */

/* News is sent lambda log N times (SWIM, section 4.1), and then is known but to few with near
 * certainty. ceil(log10(N + 1)) is the number of digits of N. */
static uint32_t transmits_max(const struct member *member)
{
    uint32_t digits = 1;

    for (uint32_t rest = member->peer_count; rest >= 10; rest /= 10) {
        digits++;
    }
    return member->options.transmit_factor * digits;
}

void member__spread(struct member *member, struct member_peer *peer)
{
    member->news_count += peer->transmits == 0;
    peer->transmits = transmits_max(member);
}

void member__unspread(struct member *member, struct member_peer *peer)
{
    member->news_count -= peer->transmits > 0;
    peer->transmits = 0;
}

void member__gossip(struct member *member)
{
    member_id told[1 + MEMBER_RELAYS_MAX];

    if (member->news_count == 0 || member->now_ms < member->gossip_ms) {
        return;
    }
    member->gossip_ms = member->now_ms + member->options.gossip_ms;
    for (uint32_t i = 0; i < member->options.gossip_fanout && member->news_count > 0; i++) {
        const struct member_peer *peer = member__draw(member, told, i);
        if (peer == NULL) {
            if (i == 0) {
                /* nobody to tell: not before the next knock */
                member->gossip_ms = member->now_ms + member->options.knock_ms;
            }
            return;
        }
        told[i] = peer->id;
        (void)member__begin(member, MEMBER_GOSSIP, peer->id);
        (void)member__post(member);
    }
}

/* Whoever shall be told what is said of it gets a ping, as far as there is room in the step. */
void member__tell(struct member *member)
{
    for (uint32_t i = 0; i < member->peer_count; i++) {
        struct member_peer *peer = &member->peers[i];
        if (!peer->is_tell_due) {
            continue;
        }
        if (peer->state != MEMBER_ALIVE) {
            (void)member__begin(member, MEMBER_PING, peer->id);
            if (!member__post(member)) {
                return;
            }
        }
        peer->is_tell_due = false;
    }
}

/* Members that are unreachable or have left are told so one after the other: when they can be
 * reached again, they say that they are alive. (Two that know of each other that they left, and
 * started since, would never speak otherwise.) */
void member__knock(struct member *member)
{
    struct member_peer *first = NULL;
    struct member_peer *next = NULL;

    if (member__live_count(member) == member->peer_count || member->now_ms < member->knock_ms) {
        return;
    }
    member->knock_ms = member->now_ms + member->options.knock_ms;
    for (uint32_t i = 0; i < member->peer_count && next == NULL; i++) {
        struct member_peer *peer = &member->peers[i];
        if (!member__is_live(peer)) {
            first = first == NULL ? peer : first;
            next = peer->id > member->knocked ? peer : NULL;
        }
    }
    next = next == NULL ? first : next;
    ASSERT(next != NULL);
    member->knocked = next->id;
    next->is_tell_due = true;
}

/* ---- exchange of everything */

/* All that is known, in as many datagrams as it takes; each stands for itself. */
static void send_all(struct member *member, enum member_message_type type, member_id to)
{
    struct member_message *message = member__begin(member, type, to);

    message->is_reply_wanted = type == MEMBER_SYNC;
    for (uint32_t i = 0; i < member->peer_count; i++) {
        const struct member_peer *peer = &member->peers[i];
        bool is_told_anyway = member__is_self(member, peer) || peer->id == to;
        if (is_told_anyway || (peer->incarnation == 0 && peer->state == MEMBER_ALIVE)) {
            continue;
        }
        if (!member__add_claim(member, peer)) {
            member__post_without_news(member);
            (void)member__begin(member, type, to);
            bool is_added = member__add_claim(member, peer);
            ASSERT(is_added);
        }
    }
    member__post_without_news(member);
}

/* Push and pull with somebody at random, now and then: it heals what gossip missed. */
void member__sync(struct member *member)
{
    const struct member_peer *peer = NULL;

    if (member->order_count == 0 || member->now_ms < member->sync_ms) {
        return;
    }
    member->sync_ms = member->now_ms + member->options.sync_ms;
    peer = member__draw(member, NULL, 0);
    if (peer != NULL) {
        send_all(member, MEMBER_SYNC, peer->id);
    }
}

void member__recv_sync(struct member *member, const struct member_message *message)
{
    if (message->is_reply_wanted) {
        send_all(member, MEMBER_SYNC_REPLY, message->from);
    }
}
