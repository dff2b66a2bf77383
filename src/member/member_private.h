/* member/member_private.h -- what the files of this room share.
 *
 * Layer: member (base)
 */
#ifndef CARILLON_MEMBER_MEMBER_PRIVATE_H
#define CARILLON_MEMBER_MEMBER_PRIVATE_H

#include "base/assert.h"
#include "member/member.h"

/* table.c: the members, and the order in which they are probed. */
struct member_peer *member__find(struct member *member, member_id id);
void member__on_add(struct member *member, const struct member_event *event);
void member__on_remove(struct member *member, const struct member_event *event);
struct member_peer *member__next_target(struct member *member);
/* A member at random that is not unreachable, has not left, and is neither this one nor one of
 * @excluded. NULL: a few draws found none. */
struct member_peer *member__draw(struct member *member, const member_id *excluded,
                                 uint32_t excluded_count);
void member__set_state(struct member *member, struct member_peer *peer, enum member_state state,
                       member_incarnation incarnation);
/* Members that are alive or suspect, this one included. */
uint32_t member__live_count(const struct member *member);

static inline bool member__is_live(const struct member_peer *peer)
{
    return peer->state == MEMBER_ALIVE || peer->state == MEMBER_SUSPECT;
}

static inline bool member__is_self(const struct member *member, const struct member_peer *peer)
{
    return peer->id == member->options.id;
}

static inline struct member_peer *member__self(struct member *member)
{
    return member__find(member, member->options.id);
}

/* claim.c: what is believed, and what is answered. Returns: whether it is a suspicion that was
 * refuted, so that @from should hear of that. */
bool member__claim(struct member *member, const struct member_claim *claim, member_id from);
void member__on_leave(struct member *member, const struct member_event *event);

/* suspicion.c */
void member__suspect(struct member *member, struct member_peer *peer,
                     const struct member_claim *claim);
/* This member found out for itself that @peer does not answer, since @since_ms. */
void member__accuse(struct member *member, struct member_peer *peer, uint64_t since_ms);
uint64_t member__suspicion_end_ms(const struct member *member, const struct member_peer *peer);
void member__expire(struct member *member);
void member__declare_gone(struct member *member);
void member__restart_suspicions(struct member *member, uint64_t stalled_ms);
void member__watch_majority(struct member *member);
void member__on_link_reset(struct member *member, const struct member_event *event);

/* probe.c */
void member__advance_probe(struct member *member);
void member__drop_probe(struct member *member);
void member__advance_errands(struct member *member);
void member__adjust_health(struct member *member, int32_t by);
void member__recv_ping(struct member *member, const struct member_message *message);
void member__recv_ack(struct member *member, const struct member_message *message);
void member__recv_ping_req(struct member *member, const struct member_message *message);
void member__recv_nack(struct member *member, const struct member_message *message);

/* gossip.c */
void member__spread(struct member *member, struct member_peer *peer);
void member__unspread(struct member *member, struct member_peer *peer);
void member__gossip(struct member *member);
void member__tell(struct member *member);
void member__knock(struct member *member);
void member__sync(struct member *member);
void member__recv_sync(struct member *member, const struct member_message *message);

/* send.c: member->sending is begun, filled, and posted. */
struct member_message *member__begin(struct member *member, enum member_message_type type,
                                     member_id to);
/* Returns: false when the datagram is full. */
bool member__add_claim(struct member *member, const struct member_peer *peer);
/* With as much news as fits. Returns: false when there is no room for one more datagram. */
bool member__post(struct member *member);
void member__post_without_news(struct member *member);

/* received.c */
void member__on_received(struct member *member, const struct member_event *event);

#endif
