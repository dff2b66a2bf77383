/* campus/prefetch.h -- brings what several requests will look at into the processor's cache.
 *
 * Layer: campus (base)
 *
 * Finding a student and a section by name follows a chain of some ten addresses, each known
 * only when the one before was read, and in a large campus nearly each of them is a cache miss.
 * One request after the other waits for every one of them. Here the chains of a group are
 * followed side by side: each step asks for the next link of every walk before any of them is
 * read, so that the memory answers all of them in the time of one (group prefetching: Chen,
 * Ailamaki, Gibbons, Mowry, "Improving hash join performance through prefetching", ICDE 2004).
 *
 * Nothing is decided here and nothing changes: a walk that goes astray costs time and is
 * otherwise without consequence.
 */
#ifndef CARILLON_CAMPUS_PREFETCH_H
#define CARILLON_CAMPUS_PREFETCH_H

#include "campus/name.h"

/* One student and one section. @token and @name are borrowed and may be empty. */
struct campus_walk {
    struct slice token;
    struct campus_name name;
    uint64_t token_hash;
    uint64_t code_hash;
    uint32_t student; /* CAMPUS_NONE from where the walk has no further link */
    uint32_t word;
    uint32_t code;
    uint32_t course;
    uint32_t section;
};

enum { CAMPUS_WALK_STEPS = 7 };

/* Go step @step (0 .. CAMPUS_WALK_STEPS - 1, in this order) of each of the @count walks. */
void campus_walk_step(const struct campus *campus, struct campus_walk *walks, size_t count,
                      unsigned step);

/* For a walk whose end is known: the student and the section themselves; then, when those are
 * there, what hangs on them. */
void campus_walk_objects(const struct campus *campus, const struct campus_walk *walk);
void campus_walk_lists(const struct campus *campus, const struct campus_walk *walk);

#endif
