/* enrol/across_message.h -- the bytes of what shards say to one another, and of the entries
 * that come of it.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md section 4
 *
 * A reader borrows from the bytes. What comes from another shard is decoded with every bound
 * checked, at admission and again at apply; entries of the own log are as they were admitted.
 */
#ifndef CARILLON_ENROL_ACROSS_MESSAGE_H
#define CARILLON_ENROL_ACROSS_MESSAGE_H

#include "campus/name.h"
#include "enrol/enrol_private.h"
#include "wire/pack.h"

enum {
    ACROSS_OPS_MAX = ENROL_OPS_MAX,
    ACROSS_BYTES_MAX = 256 << 10, /* a message or entry */
};

enum across_kind {
    ACROSS_RESERVE = 1, /* home to section */
    ACROSS_RESERVED,    /* and back */
    ACROSS_SETTLE,      /* home to section: what was decided */
    ACROSS_SETTLED,     /* section to home: it is done */
    ACROSS_ASK,         /* section to home: what became of it? */
    ACROSS_PENDING,     /* home to section: nothing yet */
    ACROSS_OFFER,       /* section to home: a seat for one who waits */
    ACROSS_DECLINE,     /* home to section: he cannot have it */
    ACROSS_CHECK,       /* home to section: what would come of it? nothing is kept */
    ACROSS_CHECKED,     /* and back: as RESERVED */
    ACROSS_KIND_NR,
};

/* What every message begins with. */
struct across_head {
    uint32_t kind; /* enum across_kind */
    struct enrol_attempt_id id;
    struct slice token; /* the student's */
};

enum across_verdict { ACROSS_CONFIRM = 1, ACROSS_RELEASE };

/* An op that is another shard's to judge. */
struct across_op {
    uint32_t op;   /* in the request */
    uint32_t kind; /* enum OpKind */
    bool waitlist;
    uint64_t claim; /* the number of an offer that this add claims; 0: none */
    struct campus_name name;
};

struct across_taken {
    struct slice institution;
    struct slice code;
    uint32_t grade;
    uint32_t credits;
};

/* A course that the student has or would have, and does not drop, in whatever shard. */
struct across_beside {
    struct slice institution;
    struct slice code;
    struct slice term;
};

/* What a student may do in a section, by its full name. */
struct across_permit {
    struct campus_name name;
    uint32_t kinds; /* bits of enum PermitKind */
};

struct across_reserve {
    uint64_t left_ms; /* until the request's deadline, when it was sent */
    uint64_t fact;    /* of a check: who answers has applied this one of the cluster's */
    bool is_whole;    /* else taken and beside are for courses without a rule alone */
    struct slice institution;
    struct slice name;
    uint32_t level;
    uint32_t taken_count;
    struct across_taken taken[CAMPUS_TAKEN_MAX];
    uint32_t beside_count;
    struct across_beside beside[ENROL_AFTER_MAX];
    uint32_t permit_count;
    struct across_permit permits[CAMPUS_PERMITS_MAX];
    uint32_t op_count;
    struct across_op ops[ACROSS_OPS_MAX];
};

enum across_outcome {
    ACROSS_GRANTED = 1,
    ACROSS_REFUSED,  /* by rule: every failing rule of the section's side is listed */
    ACROSS_FAILED,   /* an error: a name that leads nowhere, no memory */
    ACROSS_OUTDATED, /* a newer attempt was here, or this one is over */
    ACROSS_RULED,    /* a course has a rule: the whole record is wanted */
    ACROSS_OUTCOME_NR,
};

struct across_part {
    uint32_t op;
    uint32_t what;            /* enum enrol_held; 0: nothing is held for it */
    uint32_t place;           /* of a place on a waitlist: its number */
    uint32_t permits;         /* those in force */
    struct slice description; /* of the section (campus/foreign.h) */
};

struct across_refusal {
    uint32_t kind; /* enum RefusalKind */
    uint32_t op;
    uint32_t rule_node;
    struct slice evidence;
};

struct across_reserved {
    uint32_t outcome; /* enum across_outcome */
    int error;        /* FAILED */
    uint64_t fact;    /* the newest of the cluster's that the shard had applied */
    struct slice text;
    uint32_t part_count;
    struct across_part parts[ACROSS_OPS_MAX];
    uint32_t refusal_count;
    struct across_refusal refusals[ENROL_REFUSALS_MAX];
};

/* What follows the head of an OFFER, and of a DECLINE (which says why, too). */
struct across_decline {
    uint64_t number; /* of the offer */
    struct campus_name name;
    uint32_t kind; /* enum RefusalKind; 0 in an OFFER */
    struct slice evidence;
};

/* The entry that decides: the request, and what the sections' shards said. */
struct across_decide {
    struct enrol_attempt_id id;
    uint32_t version; /* of the student that all of it was chosen for */
    struct slice request;
    uint32_t reply_count;
    struct {
        uint32_t shard;
        struct slice bytes; /* a RESERVED */
    } replies[ACROSS_OPS_MAX];
};

/* Append a head; the rest of each message follows with the functions below. A message that does
 * not fit is a programmer's error: their parts are bounded. */
void across_put_head(struct buf *out, const struct across_head *head);
void across_put_reserve(struct buf *out, const struct across_reserve *reserve);
void across_put_facts(struct buf *out, const struct across_reserve *reserve); /* of it */
void across_put_reserved(struct buf *out, const struct across_reserved *reserved);
void across_put_decide(struct buf *out, const struct across_decide *decide);
void across_put_decline(struct buf *out, const struct across_decline *decline);
void across_put_number(struct buf *out, uint64_t number); /* a verdict; a shard */
void across_put_bytes(struct buf *out, struct slice bytes);

/* Read; in->failed afterwards says that the bytes are not one. */
void across_take_head(struct unpack *in, struct across_head *ret_head);
void across_take_reserve(struct unpack *in, struct across_reserve *ret_reserve);
void across_take_facts(struct unpack *in, struct across_reserve *ret_reserve);
void across_take_reserved(struct unpack *in, struct across_reserved *ret_reserved);
void across_take_decline(struct unpack *in, struct across_decline *ret_decline);
void across_take_decide(struct unpack *in, struct across_decide *ret_decide);

/* What follows the head of an ASK, and of the PENDING that answers it: which question it is, of
 * the leader of which term. */
void across_put_asked(struct buf *out, uint64_t term, uint64_t number);
bool across_take_asked(struct slice message, uint64_t *ret_term, uint64_t *ret_number);

/* What a RESERVED says, in short; 0 when it is malformed. */
uint32_t across_outcome_of(struct slice message);

/* How many decisions a SETTLE holds; 0 when it is malformed. */
uint32_t across_settle_count(struct slice message);

#endif
