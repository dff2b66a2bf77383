/* tests/lib/member_bed.h -- one membership core, and a test that plays all the others.
 *
 * The core is member 1 of n. The others answer its pings at once, but for those that the test
 * silences; everything it sends and tells is kept for the test to look at.
 */
#ifndef CARILLON_TESTS_MEMBER_BED_H
#define CARILLON_TESTS_MEMBER_BED_H

#include "member/member.h"

enum { MEMBER_BED_SENT_MAX = 4096, MEMBER_BED_BEGIN_MS = 100000 };

struct member_bed_sent {
    uint64_t at_ms;
    uint32_t bytes;
    struct member_message message;
};

struct member_bed {
    struct member member;
    struct member_effects effects;
    uint64_t now_ms;
    uint32_t members;
    bool is_silent[MEMBER_MEMBERS_MAX + 1]; /* by id: it answers nothing */
    bool is_deaf[MEMBER_MEMBERS_MAX + 1];   /* by id: it answers requests, with a nack even */
    struct member_bed_sent sent[MEMBER_BED_SENT_MAX];
    uint32_t sent_count;
    uint32_t answered; /* of those sent */
    struct member_change changes[MEMBER_CHANGES_MAX];
    uint32_t change_count;
};

/* Member 1 of @members, some seconds after its start: nothing is known against anybody. */
struct member_bed *member_bed_create(uint32_t members);
void member_bed_destroy(struct member_bed *bed);

void member_bed_step(struct member_bed *bed, const struct member_event *event);
void member_bed_say(struct member_bed *bed, enum member_event_kind kind, member_id peer);

/* Let @ms pass, with every tick that is asked for. */
void member_bed_pass(struct member_bed *bed, uint64_t ms);

/* Forget what was sent and told so far. */
void member_bed_forget(struct member_bed *bed);

/* A datagram of @from, with at most one claim. */
void member_bed_hear(struct member_bed *bed, enum member_message_type type, member_id from,
                     uint32_t sequence, const struct member_claim *claim);

/* What @from says of @of in a gossip message. */
void member_bed_claim(struct member_bed *bed, member_id from, member_id of,
                      enum member_state state, member_incarnation incarnation);

struct member_peer member_bed_peer(const struct member_bed *bed, member_id id);

/* How many messages of @type (0: of any) went to @to (0: to anybody). */
uint32_t member_bed_count(const struct member_bed *bed, enum member_message_type type,
                          member_id to);
/* How many datagrams carry a claim that @of is in @state (0: any). */
uint32_t member_bed_count_claims(const struct member_bed *bed, member_id of,
                                 enum member_state state);
/* How often it was told that @of is in @state. */
uint32_t member_bed_told(const struct member_bed *bed, enum member_change_kind kind,
                         member_id of, enum member_state state);

#endif
