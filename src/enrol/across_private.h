/* enrol/across_private.h -- the leader's part, shared by its files.
 *
 * Layer: enrol (base, wire, campus)
 */
#ifndef CARILLON_ENROL_ACROSS_PRIVATE_H
#define CARILLON_ENROL_ACROSS_PRIVATE_H

#include "enrol/across.h"
#include "enrol/across_message.h"

enum across_phase {
    ACROSS_WAITING = 1, /* for the student's own earlier attempt, or for holds to be decided */
    ACROSS_RESERVING,
    ACROSS_DECIDING, /* the decision is proposed: it may happen */
};

/* What one section's shard was asked, and said. */
struct across_asked {
    uint32_t shard;
    bool is_answered;
    uint64_t send_ms;     /* when the question is sent again */
    struct slice reserve; /* packed: the reserve without its head and deadline; own memory */
    struct slice reply;   /* the RESERVED message; own memory */
};

/* A request at its student's home. */
struct across_flight {
    struct enrol_attempt_id id;
    uint32_t phase; /* enum across_phase; 0: a free slot */
    uint32_t student;
    uint32_t version; /* of the student, that the facts were taken of */
    bool is_local;    /* everything lies here; it waits for holds only */
    uint64_t claim;   /* an offer's number, for which nobody has asked; 0: a client has */
    uint32_t claim_shard;
    uint64_t client;
    uint64_t deadline_ms;
    struct uuid key;
    struct slice body; /* own memory */
    uint32_t asked_count;
    struct across_asked asked[ACROSS_OPS_MAX];
};

/* At the section's shard: a reserve between which and a seat there are only holds. */
struct across_parked {
    uint64_t deadline_ms; /* 0: a free slot */
    struct slice message; /* own memory */
};

/* What is known of a slot of the holds or of the to-do list beside the state. */
struct across_news {
    struct enrol_attempt_id id; /* of the one that stood in the slot then */
    uint64_t next_ms;           /* when it is asked about, or sent again */
    bool is_done;               /* of an item: acknowledged, and being taken off the list */
    uint64_t pending_ms;        /* of a hold: when its home last said that it is under way */
};

/* A read that waits until the holds it would meet are decided, or are known not to be. */
struct across_roster {
    uint64_t client;
    uint64_t asked_ms;
    uint64_t deadline_ms;
    uint64_t index; /* holds of later entries are not waited for */
    uint32_t section;
};

struct across_question {
    struct across_head head; /* token in own memory */
    uint32_t shard;
    uint64_t token; /* of the read point it waits for */
};

struct across {
    struct arena own;
    struct enrol *enrol;
    struct buf effects;   /* of struct packed_effect */
    struct buf bytes;     /* what effects point into */
    struct buf message;   /* being made */
    uint64_t term;        /* 0: not leading */
    uint64_t counter;     /* of the newest attempt */
    uint64_t wall_ms;     /* the newest heard of */
    bool is_ready;        /* a read point in this term was reached */
    uint64_t token;       /* of the newest read point wanted */
    uint64_t token_first; /* of this term */
    uint64_t token_done;
    struct across_flight *flights; /* ACROSS_FLIGHT_MAX */
    uint32_t flight_end;           /* slots from here on were never used */
    uint32_t flight_count;
    struct across_parked *parked; /* ACROSS_FLIGHT_MAX */
    uint32_t parked_end;
    uint32_t reserving; /* reserves proposed and not applied: each may become a hold */
    uint32_t parked_count;
    struct across_roster *rosters; /* ACROSS_ROSTERS_MAX */
    uint32_t roster_count;
    struct across_question *questions; /* ACROSS_ASKED_MAX */
    uint32_t question_count;
    struct across_news *hold_news; /* by slot */
    uint32_t hold_news_cap;
    struct across_news *todo_news;
    uint32_t todo_news_cap;
    struct across_news *offer_news;
    uint32_t offer_news_cap;
    uint64_t due_ms;    /* when lines are looked at again */
    uint64_t expire_ms; /* when the passing of time is proposed again */
};

/* ---- effects */

void across__begin(struct across *across); /* forget the last call's */
void across__send(struct across *across, uint32_t shard, struct slice message);
void across__propose(struct across *across, uint32_t method, struct slice key,
                     struct slice body);
void across__local(struct across *across, uint64_t client);
void across__effect(struct across *across, const struct across_effect *effect);

void across__read(struct across *across); /* ask for a read point */

/* Send a message that is no more than its head, or a head and a verdict (0: none). */
void across__send_head(struct across *across, uint32_t shard, uint32_t kind,
                       const struct enrol_attempt_id *id, struct slice token, uint32_t verdict);

/* The token of a student of the state. */
struct slice across__token(const struct across *across, uint32_t student);

/* Copies in own memory. */
struct slice across__keep(struct across *across, struct slice bytes);
void across__give_back(struct across *across, struct slice *bytes);

/* ---- the home's part: across_home.c */

void across__reserved(struct across *across, uint64_t now_ms, uint32_t shard,
                      const struct across_head *head, struct slice message);
void across__decided(struct across *across, uint64_t now_ms, const struct enrol_entry *entry,
                     const struct enrol_result *result);
void across__home_look(struct across *across, uint64_t now_ms);
void across__flight_end(struct across *across, struct across_flight *flight, int status,
                        const char *text);
/* The attempt under way here with this id, or NULL. */
struct across_flight *across__flight_find(struct across *across,
                                          const struct across_head *head);

/* Begin an attempt that was asked for by an offer, or none when there is no room. */
void across__claim(struct across *across, uint64_t now_ms, const struct across_flight *as,
                   struct slice body);

/* ---- offers, in both their shards: across_offer.c */

void across__offered(struct across *across, uint64_t now_ms, uint32_t shard,
                     const struct across_head *head, struct slice message);
void across__decline(struct across *across, const struct across_flight *flight,
                     const struct across_reserved *reserved);
void across__decline_take(struct across *across, struct slice message);
void across__offer_send(struct across *across, uint64_t now_ms);
void across__offer_due(struct across *across, uint64_t now_ms);

/* The news of @slot in one of the lists of news, begun anew when another stands there now. */
struct across_news *across__news(struct across *across, struct across_news **news,
                                 uint32_t *cap, uint32_t slot,
                                 const struct enrol_attempt_id *id, uint64_t next_ms);

/* ---- settlement: across_settle.c */

void across__settled(struct across *across, uint64_t now_ms, uint32_t shard,
                     const struct across_head *head);
void across__asked(struct across *across, uint32_t shard, const struct across_head *head);
void across__answer(struct across *across);
void across__todo_send(struct across *across,
                       uint64_t now_ms); /* the whole list; of a student */
void across__todo_send_of(struct across *across, uint64_t now_ms, uint32_t student);
void across__hold_ask(struct across *across, uint64_t now_ms);
void across__pending(struct across *across, uint64_t now_ms, const struct across_head *head);
void across__roster_look(struct across *across, uint64_t now_ms);
/* Whether @shard still has to hear of an earlier decision about the student. */
bool across__is_owed(const struct across *across, uint32_t student, uint32_t shard);
void across__news_reset(struct across *across);

/* ---- the section's part: across_section.c */

void across__reserve_take(struct across *across, uint64_t now_ms, struct slice message);
void across__reserve_applied(struct across *across, uint64_t now_ms,
                             const struct enrol_entry *entry,
                             const struct enrol_result *result);
void across__settle_take(struct across *across, struct slice message);
void across__section_look(struct across *across, uint64_t now_ms);

#endif
