/* node/spread.h -- requests that several shards answer, step by step.
 *
 * Layer: node (base, io, wire, meta, campus, enrol)
 *
 * A spread is such a request while its shards are asked; what they answer comes back at the end
 * of a turn, never from within the call that asks. Spreads hold nothing that must not be lost:
 * who asked hears that nobody knows, and the same key finds out.
 */
#ifndef CARILLON_NODE_SPREAD_H
#define CARILLON_NODE_SPREAD_H

#include "enrol/merge.h"
#include "node/node_private.h"

enum spread_step {
    SPREAD_FREE,
    SPREAD_ALL,            /* every shard has a part */
    SPREAD_PAGE,           /* one does, the next page another */
    SPREAD_SCHEDULE_HOME,  /* the home, and then */
    SPREAD_SCHEDULE,       /* those who know the sections */
    SPREAD_SHOW_HOME,      /* the home, for the student's record, and then */
    SPREAD_SHOW_COURSE,    /* the course's shard, and then */
    SPREAD_SHOW,           /* all others */
    SPREAD_IMPORT_READ,    /* what every shard has of an import; then all, or */
    SPREAD_IMPORT_PREPARE, /* which they are to keep, */
    SPREAD_IMPORT_FACT,    /* until its end is a fact */
    SPREAD_FACT_ORDER,     /* a fact, whose entry in group 0 is on its way, */
    SPREAD_FACT_ALL,       /* and which every shard is to apply */
    SPREAD_FACT_OLD,       /* whether every shard has applied one, so that it may be forgotten */
};

struct spread_part {
    int status;
    bool is_asked;
    bool is_done;
    struct buf reply;
    struct buf text;
};

struct spread {
    struct node *node;
    enum spread_step step;
    uint32_t generation; /* of the place: answers to the one before come too late */
    struct conn_name conn;
    uint64_t id;
    struct conn_who who;
    uint32_t method;
    uint64_t deadline_ns;
    struct buf key;
    struct buf body;
    uint32_t shard;   /* that is asked alone: whose page it is, the home, the course's */
    uint32_t awaited; /* questions without an answer */
    struct spread_part *parts; /* of each shard */
    uint64_t fact_index;       /* of group 0's entry */
    uint64_t fact_number;
    bool is_stale_ok;
    struct node_state_age age; /* is_stale_ok: of the oldest shard, when it began */
    uint32_t fact_method; /* how an import is to end */
    int status;  /* what is told when all is done, if not OK */
    bool is_own; /* the node's: nobody is told */
};

struct spread_question {
    uint32_t group; /* whose leader is asked */
    uint32_t method;
    struct slice key;
    struct slice body;
};

/* A free place for @call. Returns: NULL when there is none. */
struct spread *node__spread_take(struct node *node, const struct node_call *call,
                                 const struct envelope_request *request);

/* Ask; the answer is that of @part. When no question is without answer node__spread_next()
 * follows. */
void node__spread_ask(struct spread *spread, uint32_t part,
                      const struct spread_question *question);
void node__spread_ask_all(struct spread *spread, uint32_t method, struct slice key,
                          struct slice body);
void node__spread_next(struct spread *spread);

/* The end: with node.body and node.text, with node.text alone, with what the parts make. */
void node__spread_pay(struct spread *spread, int status);
void node__spread_pay_error(struct spread *spread, int status);
void node__spread_merge(struct spread *spread);

/* Ask every shard for its part in the request. */
void node__spread_every(struct spread *spread);

/* spread_read.c: SCHEDULE and SHOW, of @shard. */
void node__spread_read(struct spread *spread, uint32_t shard);
void node__spread_read_next(struct spread *spread);

/* facts.c: the steps of imports and facts. A BEGIN or COMMIT: what have the shards of it? */
int node__import_ask(struct spread *spread) CHECKED;
void node__fact_pass_on(struct spread *spread, uint32_t method);
void node__fact_next(struct spread *spread);

#endif
