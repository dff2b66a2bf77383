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
    bool is_whole; /* it was told the whole record */
    bool is_answered;
    uint64_t send_ms;     /* when the question is sent again */
    struct slice reserve; /* packed: the reserve without its head and deadline; own memory */
    struct slice reply;   /* the RESERVED or CHECKED message; own memory */
};

/* A question about a student to the shards of sections, until all have answered. */
struct across_asking {
    uint32_t kind; /* ACROSS_RESERVE or ACROSS_CHECK */
    struct enrol_attempt_id id;
    uint32_t student;
    uint64_t deadline_ms;
    uint64_t fact; /* of a check: who answers has applied it */
    uint32_t count;
    struct across_asked of[ACROSS_OPS_MAX];
};

/* A request at its student's home. */
struct across_flight {
    uint32_t phase;   /* enum across_phase; 0: a free slot */
    uint32_t version; /* of the student, that the facts were taken of */
    bool is_local;    /* everything lies here; it waits for holds only */
    bool is_hurried;  /* others wait for its decision */
    bool has_hurried; /* those whose decision it waits for */
    uint64_t claim;   /* an offer's number, for which nobody has asked; 0: a client has */
    uint32_t claim_shard;
    uint64_t client;
    struct uuid key;
    struct slice body; /* own memory */
    struct across_asking asking;
};

enum {
    ACROSS_WALK_MS = 5000,
    ACROSS_RULED_BITS = 1 << 16, /* a power of two; some thousand courses have a rule */
};

enum across_inquiry_kind {
    ACROSS_INQUIRY_CHECK = 1,
    ACROSS_INQUIRY_PERMIT,  /* the section is elsewhere: what is it called? */
    ACROSS_INQUIRY_REFRESH, /* for nobody: have sections elsewhere changed? */
};

enum across_inquiry_phase {
    ACROSS_ASKING = 1,
    ACROSS_LEARNING, /* an entry that makes sections elsewhere known is proposed */
    ACROSS_PERMITTING,
};

/* What other shards are asked and nothing is kept for. */
struct across_inquiry {
    uint32_t kind;     /* enum across_inquiry_kind */
    uint32_t phase;    /* enum across_inquiry_phase; 0: a free slot */
    uint32_t version;  /* of the student that the facts were taken of */
    uint64_t again_ms; /* LEARNING: when it is looked at again at the latest */
    uint64_t wall_ms;
    uint64_t client;
    struct uuid key;
    struct slice body; /* own memory; of a refresh: none */
    struct across_asking asking;
};

/* The home's walk over the stand-ins that are in use: which have changed where they are at
 * home? */
struct across_walk {
    bool is_wanted; /* once more, from the beginning */
    bool is_running;
    uint64_t fact;    /* as of when */
    uint32_t shard;   /* whose stand-ins */
    uint32_t section; /* the next to be looked at */
    uint32_t next;    /* behind those that are being asked about */
    bool is_single;   /* one at a time: some name of the last question led nowhere */
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
    bool is_done;               /* of an item: acknowledged, and being taken off the list; of a
                                   hold: asked about */
    uint64_t pending;           /* of a hold: the newest question to which its home has said that
                                   it is under way */
};

/* A read that waits until the holds it would meet are decided, or are known not to be. */
struct across_roster {
    uint64_t client;
    uint64_t asked; /* the newest question before it: answers to it say nothing */
    uint64_t deadline_ms;
    uint64_t index; /* holds of later entries are not waited for */
    uint32_t section;
};

struct across_question {
    struct across_head head; /* token in own memory */
    uint32_t shard;
    uint64_t token;       /* of the read point it waits for */
    uint64_t asked_term;  /* what the answer repeats, of an ASK */
    uint64_t asked;
    struct slice message; /* of a check; own memory */
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
    uint64_t asked; /* the newest question about a hold, in this term */
    struct across_flight *flights; /* ACROSS_FLIGHT_MAX */
    uint32_t flight_end;           /* slots from here on are free, and not written yet */
    uint32_t flight_count;
    struct across_inquiry *inquiries; /* ACROSS_FLIGHT_MAX */
    uint32_t inquiry_end;
    struct across_walk walk;
    struct across_parked *parked; /* ACROSS_FLIGHT_MAX */
    uint32_t parked_end;
    uint32_t reserving; /* reserves proposed and not applied: each may become a hold */
    uint32_t parked_count;
    struct across_roster *rosters; /* ACROSS_ROSTERS_MAX */
    uint32_t roster_count;
    struct across_question *questions; /* ACROSS_ASKED_MAX */
    uint32_t question_count;
    uint32_t check_count;          /* of them, checks */
    struct across_news *hold_news; /* by slot */
    uint32_t hold_news_cap;
    struct across_news *todo_news;
    uint32_t todo_news_cap;
    uint64_t ruled[ACROSS_RULED_BITS / 64]; /* by hash: codes elsewhere that have had a rule */
    uint32_t untold_count;  /* decisions since shards were last told of all */
    uint32_t settled_count; /* items acknowledged since those were last taken off the list */
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

/* ---- questions to several shards: across_asking.c */

struct request;
/* Ask every other shard that @request concerns, under a new id. */
void across__asking_start(struct across *across, uint64_t now_ms, struct across_asking *asking,
                          const struct request *request, uint64_t claim);
/* Take an answer. Returns: whether it was the last one missing. */
bool across__asking_take(struct across *across, struct across_asking *asking, uint32_t shard,
                         struct slice message);
/* @shard judges by a rule: it is told the whole record. */
void across__asking_tell(struct across *across, uint64_t now_ms, struct across_asking *asking,
                         const struct across_flight *flight, uint32_t shard);
/* Those who have not answered in time are asked again. */
void across__asking_again(struct across *across, uint64_t now_ms, struct across_asking *asking);
void across__asking_forget(struct across *across, struct across_asking *asking);

/* ---- checks, permits, and what has changed elsewhere: across_inquiry.c, across_walk.c */

void across__checked(struct across *across, uint64_t now_ms, uint32_t shard,
                     const struct across_head *head, struct slice message);
void across__inquiry_look(struct across *across, uint64_t now_ms);
/* An entry that an inquiry may have waited for was applied. */
void across__inquiry_applied(struct across *across, uint64_t now_ms,
                             const struct enrol_entry *entry,
                             const struct enrol_result *result);
void across__inquiry_not_proposed(struct across *across, struct slice key);
void across__inquiries_end(struct across *across);
struct across_inquiry *across__inquiry_take(struct across *across);
void across__inquiry_give(struct across *across, struct across_inquiry *inquiry);
/* The sections' descriptions in an inquiry's answers that say something new, as the body of an
 * ENROL_ENTRY_REFRESH in across->message. Returns: how many. */
uint32_t across__inquiry_news(struct across *across, const struct across_inquiry *inquiry);
/* A fact was applied: after an import courses may have changed. */
void across__walk_applied(struct across *across, const struct enrol_entry *entry,
                          const struct enrol_result *result);
/* A decision was accepted: what it knows of the sections may be from before an import that this
 * home has looked for already. */
void across__walk_decided(struct across *across, const struct across_decide *decide);
void across__walk_look(struct across *across, uint64_t now_ms);
void across__walk_answered(struct across *across, uint64_t now_ms,
                           struct across_inquiry *inquiry, bool has_failed);

/* ---- the home's part: across_home.c */

/* What of a request is other shards'. */
struct across_foreign {
    bool has_op;
    bool has_promotion_drop; /* with a place here, where no offer asks for it */
};
struct across_foreign across__foreign_of(const struct campus *campus,
                                         const struct request *request);
/* The names that are this shard's to know lead somewhere. Errors: ERR_UNKNOWN_*, ERR_AMBIGUOUS,
 * ERR_ARGUMENT. */
int across__say_promotion_drop(struct buf *text); /* returns ERR_ARGUMENT */
int across__check_names(struct across *across, const struct request *request,
                        uint32_t *ret_student, struct buf *text) CHECKED;

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

void across__settled_take(struct across *across, uint64_t now_ms, uint32_t shard,
                          struct slice message);
void across__asked(struct across *across, uint64_t now_ms, uint32_t shard,
                   const struct across_head *head, struct slice message);
/* A question that a read point has to come before: head and shard, and of a check the message,
 * which are copied. Returns: false when there are too many. */
bool across__question_add(struct across *across, const struct across_question *of);
void across__answer(struct across *across);
/* Tell what is on the list and due: of everybody, at every tick; of a student, when somebody waits
 * for that. */
void across__todo_send(struct across *across, uint64_t now_ms);
void across__todo_send_of(struct across *across, uint64_t now_ms, uint32_t student);
/* So many decisions more are on the list, for which nobody waits yet. */
void across__todo_added(struct across *across, uint64_t now_ms, uint32_t count);
void across__hold_ask(struct across *across, uint64_t now_ms);
/* A request waits for a seat of @section: the homes of holds there are asked, once. */
void across__hold_hurry(struct across *across, uint64_t now_ms, uint32_t section);
void across__pending(struct across *across, uint64_t now_ms, const struct across_head *head,
                     struct slice message);
void across__roster_look(struct across *across, uint64_t now_ms);
/* Whether @shard still has to hear of an earlier decision about the student. */
bool across__is_owed(const struct across *across, uint32_t student, uint32_t shard);
void across__news_reset(struct across *across);

/* ---- the section's part: across_section.c */

void across__reserve_take(struct across *across, uint64_t now_ms, struct slice message);
void across__reserve_applied(struct across *across, uint64_t now_ms,
                             const struct enrol_entry *entry,
                             const struct enrol_result *result);
void across__settle_take(struct across *across, uint32_t shard, struct slice message);
/* A check waits for a read point; then it is answered. */
void across__check_take(struct across *across, uint32_t shard, struct slice message);
void across__check_answer(struct across *across, struct slice message);
void across__section_look(struct across *across, uint64_t now_ms);

#endif
