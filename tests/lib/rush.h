/* tests/lib/rush.h -- clients that register at all nodes of a cluster at once, while a test
 * does to it what it likes; what they are told is written down and judged by the witness.
 *
 * Layer: tests     Spec: docs/spec/history.md
 *
 * Every node has a client on its own machine, so that no cut comes between the two. All clients
 * belong to one thread and write one history: what stands earlier in it was seen earlier. A
 * change that nobody answered is asked again with its key, by whichever client comes to it, but
 * for a few of which nobody hears any more.
 */
#ifndef CARILLON_TESTS_RUSH_H
#define CARILLON_TESTS_RUSH_H

#include "base/buf.h"
#include "base/rng.h"
#include "client/carillon.h"
#include "tests/lib/cluster_bed.h"
#include "tests/lib/witness_record.h"

enum {
    RUSH_COURSES = 12,
    RUSH_STUDENTS = 40,
    RUSH_OUTSTANDING = 4, /* of each client */
    RUSH_CLIENTS_MAX = CLUSTER_NODES_MAX + 1,
};

/* What a student has of a course, as a read shows it. */
enum rush_has { RUSH_NOTHING, RUSH_SEAT, RUSH_PLACE };

struct rush;

/* One request at a time, or one that nobody answered. */
struct rush_asking {
    struct rush *rush;
    uint32_t node; /* whose client asks */
    uint32_t method;
    uint64_t call;
    uint64_t asked_ms;
    uint64_t rest_ms; /* not before: the last answer said no for now */
    struct carillon_key key;
    struct buf body; /* packed, to be asked again */
    int status;      /* of the last answer */
    uint32_t number; /* the student or course of a read */
    bool is_busy;
    bool is_unknown;
    bool was_unknown; /* before it was asked again */
};

struct rush {
    struct cluster_bed *bed;
    struct rng rng;
    struct witness_record record;
    uint32_t count; /* of clients: one with each node, and the one that goes across all */
    struct carillon_client *clients[RUSH_CLIENTS_MAX];
    uint32_t at[RUSH_CLIENTS_MAX]; /* whose machine the client is on */
    struct rush_asking askings[RUSH_CLIENTS_MAX][RUSH_OUTSTANDING];
    uint32_t silent;     /* bits of nodes whose clients rest */
    uint64_t unknown;    /* answers in time that did not come */
    uint64_t abandoned;  /* of them, those nobody asks about again */
    uint64_t registered; /* changes accepted */
    uint64_t since_ms;   /* rush_since(): from then on */
    uint64_t resumed_ms; /* the first change asked since then was accepted; 0: none yet */
    uint64_t full;       /* refusals for a full disk, since then */
    uint64_t accepted[RUSH_CLIENTS_MAX]; /* changes, since then, by whose client asked */
    uint64_t read[RUSH_CLIENTS_MAX];     /* reads answered, the same */
    /* as the last reads had it; from 1 */
    uint8_t by_schedule[RUSH_STUDENTS + 1][RUSH_COURSES + 1];
    uint8_t by_roster[RUSH_STUDENTS + 1][RUSH_COURSES + 1];
};

uint64_t rush_now_ms(void);

/* Import courses and students, connect. */
void rush_open(struct rush *rush, struct cluster_bed *bed, uint64_t seed);
void rush_close(struct rush *rush);

/* From now on one more client asks: it knows all nodes, and goes on elsewhere when the one it
 * talks to is gone. On loopback only. Its number is that of the nodes. */
void rush_rove(struct rush *rush);

/* There is a new node with the next number, or another one on a machine that had one: it has a
 * client of its own. */
void rush_meet(struct rush *rush, uint32_t node);

/* The node is gone for good: its client asks nothing new, and at the node @to what became of
 * that which it has asked. */
void rush_part(struct rush *rush, uint32_t node, uint32_t to);

/* Ask at all nodes for so long. */
void rush_run(struct rush *rush, uint32_t ms);

/* Count from now on. */
void rush_since(struct rush *rush);

/* Ask until a change that was asked after rush_since() is accepted. Returns: how long after
 * rush_since() that was; fails the test after @ms. */
uint32_t rush_await_resumed(struct rush *rush, uint32_t ms);

/* Ask nothing new until everything is answered, at nodes that all are well but for those that
 * are gone for good: then read all schedules and rosters, at every node, which must come to say
 * the same, and have the witness judge all there was. A history that is not believed is kept as
 * NAME in the folder of CARILLON_KEEP. */
void rush_judge(struct rush *rush, const char *name);

/* Where there is no right to cut the network, or another seed: SEED of the environment, or the
 * time. Printed. */
uint64_t rush_seed(void);

/* Whether CARILLON_CAMPAIGN asks for more than a merge does. */
bool rush_is_nightly(void);

#endif
