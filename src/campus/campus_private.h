/* campus/campus_private.h -- what the files of campus share with each other only.
 *
 * Layer: campus (base)
 */
#ifndef CARILLON_CAMPUS_CAMPUS_PRIVATE_H
#define CARILLON_CAMPUS_CAMPUS_PRIVATE_H

#include "campus/campus.h"
#include "campus/import.h"

/* The section's side of a registration. */
void campus__seat_taken(struct campus *campus, uint32_t section, uint32_t student,
                        bool is_over);
void campus__seat_freed(struct campus *campus, uint32_t section, uint32_t student,
                        bool is_over);

/* Which of the tables holds the student whose token has this hash. A table takes the low bits of
 * a hash; the choice of the table the high ones. */
static inline uint32_t campus__student_map_of(uint64_t hash)
{
    return (uint32_t)(hash >> 60) % CAMPUS_STUDENT_MAPS;
}

/* Release an import from which everything was taken. */
void campus__import_close(struct campus *campus, struct campus_import *import);

void campus__item_add(struct campus_import *import, struct campus_staged item);
void campus__removed_add(struct campus *campus, struct campus_import *import, uint32_t object);

/* Add the course's part to the sums of its catalogue and of the campus, or take it out. */
void campus__course_count(struct campus *campus, const struct campus_course *course,
                          bool is_added);

/* Note that the rule of @course names @code. */
void campus__name_add(struct campus *campus, uint32_t code, uint32_t course);

/* Put a place into its student's list. */
void campus__place_link(struct campus *campus, uint32_t place);

struct unpack;
/* The rule in an image; NULL when there is none or the reading fails. */
struct campus_rule *campus__load_rule(struct campus *campus, struct unpack *in);

/* Append to a student's list without touching the section's; for loading too. */
void campus__registration_append(struct campus *campus, uint32_t student,
                                 struct campus_registration registration);

#endif
