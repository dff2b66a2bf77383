/* campus/section.h -- seats: rosters, limits, and the sections where a seat is free while
 * someone waits.
 *
 * Layer: campus (base, wire)
 *
 * Invariant: enrolled + held + offered <= capacity + over + excused, where `excused` counts those above
 * the limit because it was lowered under them.
 */
#ifndef CARILLON_CAMPUS_SECTION_H
#define CARILLON_CAMPUS_SECTION_H

#include "campus/student.h"

/* Append to the roster; take out of it. The student's side is campus_register's. */
void campus_roster_add(struct campus *campus, uint32_t section, uint32_t student);
void campus_roster_remove(struct campus *campus, uint32_t section, uint32_t student);

/* Set the limit (CAMPUS_NONE: none) and excuse whom it leaves above; keeps the catalogue's
 * sums. */
void campus_section_set_capacity(struct campus *campus, uint32_t section, uint32_t capacity);

void campus_section_set_meetings(struct campus *campus, uint32_t section,
                                 const struct campus_meeting *meetings, uint32_t count);

/* Bring the list of stalled sections in step with this one. After every change of seats, places
 * or state. */
void campus_stalled_update(struct campus *campus, uint32_t section);

static inline bool campus_section_is_stalled(const struct campus_section *section)
{
    return section->state == CAMPUS_OFFERED && section->waiting > 0 &&
           !campus_section_is_full(section);
}

/* Keep a seat for an undecided attempt, over the limit by a permit or not; give it up; seat the
 * student in it, who is not registered there. */
void campus_seat_hold(struct campus *campus, uint32_t section, bool is_over);
void campus_seat_release(struct campus *campus, uint32_t section, bool is_over);
void campus_seat_give(struct campus *campus, uint32_t section, uint32_t student, bool is_over,
                      struct campus_since since);

/* Keep a seat for someone who waits; end that. */
void campus_seat_offer(struct campus *campus, uint32_t section);
void campus_seat_offer_end(struct campus *campus, uint32_t section);

/* Whether two sections meet at the same time on some day; terms are the caller's to compare. */
bool campus_sections_clash(const struct campus_section *a, const struct campus_section *b);

#endif
