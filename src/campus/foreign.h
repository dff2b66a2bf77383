/* campus/foreign.h -- what stands here of the courses and students of other shards.
 *
 * Layer: campus (base)     Spec: docs/spec/enrol.md section 2
 *
 * A registration across shards stands in both, each with its two sides in step: in the
 * student's home the section has a stand-in, which knows its name, times, credits and rule; in
 * the section's shard the student has one, which knows token and name. Stand-ins are hidden:
 * nobody finds them by name, nothing counts them.
 */
#ifndef CARILLON_CAMPUS_FOREIGN_H
#define CARILLON_CAMPUS_FOREIGN_H

#include "campus/campus.h"
#include "campus/name.h"
#include "wire/pack.h"

/* Append what another shard needs to know of a section, as it is now. Errors: ERR_FULL. */
int campus_section_describe(const struct campus *campus, uint32_t section,
                            struct buf *out) CHECKED;

/* The stand-in of a section of another shard, made when there is none, as @description says;
 * one that is older than what is known changes nothing. Returns: the section, or CAMPUS_NONE
 * and
 * @in has failed. */
uint32_t campus_section_stand_in(struct campus *campus, struct unpack *in);

/* The stand-in that @description speaks of, or CAMPUS_NONE. */
uint32_t campus_stand_in_find(const struct campus *campus, struct slice description);

/* Whether @description says nothing that its stand-in does not know already, or is older. */
bool campus_stand_in_knows(const struct campus *campus, struct slice description);

/* The full name in a description, without taking anything in. */
struct campus_name campus_description_name(struct unpack *in);

/* The stand-in of a student of another shard, made when there is none. */
uint32_t campus_student_stand_in(struct campus *campus, struct slice institution,
                                 struct slice token, struct slice name);

/* The newest attempt of the student that has held anything here. A stand-in has no profile of
 * its own: this stands in the profile's index and hash. */
static inline uint64_t campus_stand_in_term(const struct campus_student *student)
{
    return student->profile_index;
}

static inline uint64_t campus_stand_in_counter(const struct campus_student *student)
{
    return student->profile->content_hash;
}

static inline void campus_stand_in_set(struct campus_student *student, uint64_t term,
                                       uint64_t counter)
{
    student->profile_index = term;
    student->profile->content_hash = counter;
}

#endif
