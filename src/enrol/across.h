/* enrol/across.h -- what the leader of a shard does for attempts across shards.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md
 *
 * A pure state machine beside the state: it takes requests, messages of other shards' leaders,
 * applied entries and the passing of time, and says what to propose, send and answer. Nothing
 * it knows by itself is durable or needs to be: what must not be lost is in the state (holds,
 * to-do list), and a new leader goes on from there. Messages may be lost, doubled, reordered
 * and late.
 *
 * Effects of a call are in across_effects() until the next call. Entries it proposes have been
 * admitted: their memory is reserved.
 */
#ifndef CARILLON_ENROL_ACROSS_H
#define CARILLON_ENROL_ACROSS_H

#include "enrol/across_entry.h"
#include "enrol/enrol.h"

struct across;

enum {
    ACROSS_TICK_MS = 50,      /* how often across_tick() wants to be called */
    ACROSS_REPEAT_MS = 200,   /* a message without answer is sent again */
    ACROSS_ASK_MS = 1000,     /* a hold without news for so long is asked about */
    ACROSS_FLIGHT_MAX = 1024, /* attempts under way, and requests waiting */
    ACROSS_ASKED_MAX = 4096,  /* questions waiting for one read point */
    ACROSS_CHECKS_MAX = 1024, /* of them, checks */
    ACROSS_ROSTERS_MAX = 256, /* reads waiting for answers */
};

enum across_effect_kind {
    ACROSS_PROPOSE = 1, /* an entry: method, key, body */
    ACROSS_SEND,        /* a message: to shard, body */
    ACROSS_REPLY,       /* to client: status, text, body (the method's reply), from entry index;
                           of a check: index 0 */
    ACROSS_LOCAL,       /* client's request is this shard's alone: it is to be admitted and
                           proposed, a check to be read, like any other */
    ACROSS_READ,        /* a linearizable read point is wanted: across_read_done(token) */
    ACROSS_ROSTER,      /* client's roster may be read now */
};

struct across_effect {
    uint32_t kind; /* enum across_effect_kind */
    uint32_t method;
    uint32_t shard;
    int status;
    uint64_t client;
    uint64_t token;
    uint64_t index;
    uint64_t term;
    struct slice key;
    struct slice body;
    struct slice text;
};

struct across *across_create(struct enrol *enrol);
void across_destroy(struct across *across); /* NULL is allowed */

/* The effects of the last call; slices are borrowed until the next. */
size_t across_effect_count(const struct across *across);
struct across_effect across_effect_at(const struct across *across, size_t i);

/* This node leads the shard in @term. It begins attempts and answers questions about them only
 * after a read point in this term: entries of earlier terms that can still be committed are
 * then applied. */
void across_lead(struct across *across, uint64_t term);
/* It leads no more. Requests under way are answered with ERR_TIMEOUT: unknown. */
void across_follow(struct across *across);

/* A request of a client. */
struct across_request {
    uint64_t now_ms;
    uint64_t wall_ms;
    uint64_t deadline_ms; /* on the clock of now_ms */
    uint64_t client;
    struct slice key;  /* of a check: none */
    struct slice body; /* copied */
};

/* A SubmitRequest, at its student's home.
 * Returns: OK, and one ACROSS_REPLY or ACROSS_LOCAL for the client follows, now or later.
 * Errors: those of enrol_admit; ERR_BUSY too many are under way. */
int across_submit(struct across *across, const struct across_request *request,
                  struct buf *text) CHECKED;

/* A CHECK, at its student's home: as across_submit, and nothing changes anywhere. The caller
 * has reached a read point; so does every shard that is asked. All that refuses is told, as for
 * one shard; ERR_TIMEOUT at the deadline. A check of one shard is ACROSS_LOCAL at once. */
int across_check(struct across *across, const struct across_request *request,
                 struct buf *text) CHECKED;

/* A PERMIT, at its student's home, for a section of whatever shard: as across_submit. One of
 * another shard is asked whether the section is there, and what it is called in full. */
int across_permit(struct across *across, const struct across_request *request,
                  struct buf *text) CHECKED;

/* A roster of @section (an ordinal) is about to be read for @client: the homes are asked about
 * every hold in it. ACROSS_ROSTER follows, at once when there is none, else when each is
 * decided or still under way there, and at @deadline_ms at the latest; what is undecided then
 * is read as pending. Aborts nothing. Errors: ERR_BUSY too many are waiting. */
int across_roster(struct across *across, uint64_t now_ms, uint64_t deadline_ms,
                  uint32_t section, uint64_t client) CHECKED;

/* A message of the leader of @shard. What is malformed is dropped, and told by the return. */
bool across_receive(struct across *across, uint64_t now_ms, uint32_t shard,
                    struct slice message);

/* Any entry was applied, with its result. */
void across_applied(struct across *across, uint64_t now_ms, const struct enrol_entry *entry,
                    const struct enrol_result *result);
/* An entry of ACROSS_PROPOSE could not be proposed; its memory is given back here. */
void across_not_proposed(struct across *across, uint32_t method, struct slice key,
                         struct slice body);

void across_read_done(struct across *across, uint64_t now_ms, uint64_t token);
void across_tick(struct across *across, uint64_t now_ms, uint64_t wall_ms);

/* What is under way at this leader: for figures and tests. */
uint32_t across_flight_count(const struct across *across);
/* Checks and permits that wait for other shards. */
uint32_t across_inquiry_count(const struct across *across);

#endif
