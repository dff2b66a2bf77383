/* enrol/prefetch.h -- brings into the processor's cache what a group of entries will look at.
 *
 * Layer: enrol (base, wire, campus)
 */
#ifndef CARILLON_ENROL_PREFETCH_H
#define CARILLON_ENROL_PREFETCH_H

#include "enrol/enrol.h"

enum { ENROL_PREFETCH_MAX = 64 };

struct enrol_ahead {
    uint32_t method;
    struct slice key;
    struct slice body;      /* as received */
    struct enrol_hint hint; /* what was seen on the way, of a submit */
};

/* Entries that come in numbers: submits, and what attempts across shards are made of. */
bool enrol_is_prefetched(uint32_t method);

/* Prefetch for @count (<= ENROL_PREFETCH_MAX) of them that are about to be admitted or applied, and
 * fill in the hints. Changes nothing and judges nothing; malformed ones are passed over. */
void enrol_prefetch(const struct enrol *enrol, struct enrol_ahead *entries, size_t count);

/* The same for an entry that will be applied soon and whose names are known by @hint: twice, in
 * this order, with some entries' time in between. */
enum enrol_ahead_step { ENROL_AHEAD_OBJECTS, ENROL_AHEAD_LISTS };

void enrol_prefetch_hint(const struct enrol *enrol, struct enrol_hint hint,
                         enum enrol_ahead_step step);

#endif
