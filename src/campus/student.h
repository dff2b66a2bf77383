/* campus/student.h -- a student's profile, registrations, places, blocks and permits.
 *
 * Layer: campus (base, wire)
 *
 * campus_register and its kin keep the two sides in step: what stands in a section's roster or
 * waitlist stands in the student's list, always.
 */
#ifndef CARILLON_CAMPUS_STUDENT_H
#define CARILLON_CAMPUS_STUDENT_H

#include "base/buf.h"
#include "campus/campus.h"
#include "proto/catalogue.pb-c.h"

/* Whether a Student message is acceptable. Errors: ERR_ARGUMENT, and @text says which and what.
 */
int campus_student_check(const Carillon__Student *student, struct buf *text) CHECKED;

/* The profile of an acceptable message for a student of @institution (a word), interning the
 * codes taken. */
struct campus_profile *campus_profile_make(struct campus *campus, uint32_t institution,
                                           const Carillon__Student *message);
/* A profile that says nothing but the token. */
struct campus_profile *campus_profile_bare(struct campus *campus, struct slice token);
/* An uninitialised one of the right size; for loading. */
struct campus_profile *campus_profile_alloc(struct campus *campus, uint16_t taken_count,
                                            struct slice token, struct slice name);
void campus_profile_free(struct campus *campus, struct campus_profile *profile);

/* What the student has taken under @code, or NULL. */
const struct campus_taken *campus_taken_find(const struct campus_profile *profile,
                                             uint32_t code);

static inline bool campus_taken_is_passed(const struct campus_taken *taken)
{
    return taken->grade != 1; /* 0.00; 0 means passed without a grade */
}

/* The @i-th registration in order of registration. */
static inline const struct campus_registration *
campus_registration(const struct campus_student *student, uint32_t i)
{
    return i < CAMPUS_REGISTRATIONS_INLINE
               ? &student->registrations[i]
               : &student->extra->more[i - CAMPUS_REGISTRATIONS_INLINE];
}

/* The registration for @section, or NULL. */
const struct campus_registration *campus_registration_find(const struct campus_student *student,
                                                           uint32_t section);

struct campus_since {
    uint64_t index;
    uint64_t ms;
    uint32_t permits; /* bits of enum PermitKind that were in force; CAPACITY: seated over the
                         limit */
};

/* Seat a student who is not registered there; end a registration. */
void campus_register(struct campus *campus, uint32_t student, uint32_t section,
                     struct campus_since since);
void campus_unregister(struct campus *campus, uint32_t student, uint32_t section);

/* The student's place in @section, or CAMPUS_NONE; the first of all his places, or CAMPUS_NONE.
 */
uint32_t campus_place_find(const struct campus *campus, uint32_t student, uint32_t section);
static inline uint32_t campus_place_first(const struct campus_student *student)
{
    return student->extra == NULL ? CAMPUS_NONE : student->extra->first_place;
}

/* Take the last place in line, with the sections to drop on promotion (copied). Returns: the
 * place. */
uint32_t campus_place_add(struct campus *campus, uint32_t student, uint32_t section,
                          const struct campus_since *since);
void campus_place_set_drops(struct campus *campus, uint32_t place, const uint32_t *drops,
                            uint32_t count);
void campus_place_remove(struct campus *campus, uint32_t place);
/* 1 for the first in line. */
uint32_t campus_place_number(const struct campus *campus, uint32_t place);
/* Record that an offer to the place ended without a seat. */
void campus_place_pass(struct campus *campus, uint32_t place, uint64_t ms);
/* Record that a seat went past the place. */
void campus_place_skip(struct campus *campus, uint32_t place, const struct campus_since *when,
                       uint32_t kind, struct slice evidence);

/* The student's rare belongings, made when there are none. */
struct campus_extra *campus_extra(struct campus *campus, uint32_t student);

const struct campus_permit *campus_permit_find(const struct campus_student *student,
                                               uint32_t section);
/* Set (kinds > 0) or take back (kinds = 0) a permit; the bound is the caller's to check. */
void campus_permit_set(struct campus *campus, uint32_t student,
                       const struct campus_permit *permit);
/* Add a block; remove the one at @at. */
void campus_block_add(struct campus *campus, uint32_t student,
                      const struct campus_block *block);
void campus_block_remove(struct campus *campus, uint32_t student, uint32_t at);

#endif
