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
};

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
    bool is_busy;
    bool is_unknown;
};

struct rush {
    struct cluster_bed *bed;
    struct rng rng;
    struct witness_record record;
    struct carillon_client *clients[CLUSTER_NODES_MAX];
    struct rush_asking askings[CLUSTER_NODES_MAX][RUSH_OUTSTANDING];
    uint32_t silent;     /* bits of nodes whose clients rest */
    uint64_t unknown;    /* answers in time that did not come */
    uint64_t abandoned;  /* of them, those nobody asks about again */
    uint64_t registered; /* changes accepted */
    uint64_t since_ms;   /* rush_since(): from then on */
    uint64_t resumed_ms; /* the first change asked since then was accepted; 0: none yet */
    uint64_t full;       /* refusals for a full disk, since then */
    uint64_t accepted[CLUSTER_NODES_MAX]; /* changes, since then, by whose client asked */
    uint64_t read[CLUSTER_NODES_MAX];     /* reads answered, the same */
};

uint64_t rush_now_ms(void);

/* Import courses and students, connect. */
void rush_open(struct rush *rush, struct cluster_bed *bed, uint64_t seed);
void rush_close(struct rush *rush);

/* Ask at all nodes for so long. */
void rush_run(struct rush *rush, uint32_t ms);

/* Count from now on. */
void rush_since(struct rush *rush);

/* Ask until a change that was asked after rush_since() is accepted. Returns: how long after
 * rush_since() that was; fails the test after @ms. */
uint32_t rush_await_resumed(struct rush *rush, uint32_t ms);

/* Ask nothing new until everything is answered, at nodes that all are well: then read all
 * schedules and rosters, at every node, and have the witness judge all there was. A history
 * that is not believed is kept as NAME in the folder of CARILLON_KEEP. */
void rush_judge(struct rush *rush, const char *name);

/* Where there is no right to cut the network, or another seed: SEED of the environment, or the
 * time. Printed. */
uint64_t rush_seed(void);

/* Whether CARILLON_CAMPAIGN asks for more than a merge does. */
bool rush_is_nightly(void);

#endif
