/* enrol/fact.h -- facts of the cluster: what every shard applies, in one order.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md section 12
 *
 * Windows, limits, the commit and the end of imports, the tokens of registrars and operators,
 * and whatever is revoked by its id are the same in every shard. Group 0 puts them in order and
 * gives each its number, 1 up without gaps; the leader of each shard copies them, in that
 * order, into its own log as entries ENROL_ENTRY_FACT: key the client's, body as
 * enrol_fact_pack() makes it. Such an entry is admitted by enrol_admit() and applied by
 * enrol_apply() like any other; its reply is that of the method, with group 0's receipt.
 * enrol/merge.h makes the cluster's answer of those of all shards.
 *
 * A shard remembers the newest number, in snapshots too. A fact that is not newer does nothing:
 * result->is_outdated. One that leaves a gap does nothing either, and is refused with
 * ERR_ARGUMENT: it is its leader's error.
 */
#ifndef CARILLON_ENROL_FACT_H
#define CARILLON_ENROL_FACT_H

#include "enrol/across_entry.h"
#include "enrol/enrol.h"

struct enrol_fact {
    uint64_t number;
    uint64_t wall_ms; /* of group 0's entry: what the fact's own times are judged by; */
    uint64_t term;    /* and its place there: the receipt */
    uint64_t index;
    uint32_t method;
    struct slice body; /* the client's request */
};

/* Append an entry's body. Errors: ERR_FULL. */
int enrol_fact_pack(const struct enrol_fact *fact, struct buf *out) CHECKED;
/* Borrows from @body. Errors: ERR_MALFORMED. */
int enrol_fact_unpack(struct slice body, struct enrol_fact *ret_fact) CHECKED;

/* The number of the newest that was applied; 0: none. */
uint64_t enrol_fact_newest(const struct enrol *enrol);

/* The answer that is kept under @key here, for whoever tells the client. Returns: false when
 * there is none (any more). */
bool enrol_fact_answer(struct enrol *enrol, struct slice key, int *ret_status,
                       struct buf *reply, struct buf *text);

/* Whether group 0 may take a request (entry->method, key, body, wall_ms): key, shape and names
 * by the state of this shard, whichever it is: facts are the same in all. What is revoked may
 * be in another shard, and is not looked for. Reserves nothing. An answered key passes: its
 * fact answers again. Errors: as enrol_admit(). */
int enrol_fact_check(struct enrol *enrol, const struct enrol_entry *entry,
                     struct buf *text) CHECKED;

#endif
