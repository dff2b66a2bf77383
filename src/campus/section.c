#include "campus/section.h"

#include "base/assert.h"
#include "campus/campus_private.h"
#include "campus/snapshot.h"

void campus_roster_add(struct campus *campus, uint32_t section, uint32_t student)
{
    struct campus_section *to = campus_section(campus, section);

    if (to->enrolled == to->roster_cap) {
        uint32_t cap = to->roster_cap == 0 ? 4 : to->roster_cap * 2;

        to->roster =
            arena_grow(&campus->arena, to->roster, sizeof *to->roster, to->roster_cap, cap);
        campus->course_bytes += sizeof *to->roster * (cap - to->roster_cap);
        to->roster_cap = cap;
    }
    to->roster[to->enrolled++] = student;
}

void campus_roster_remove(struct campus *campus, uint32_t section, uint32_t student)
{
    struct campus_section *from = campus_section(campus, section);
    uint32_t at = 0;

    while (from->roster[at] != student) {
        at++;
        ASSERT(at < from->enrolled);
    }
    from->enrolled--;
    memmove(&from->roster[at], &from->roster[at + 1],
            (from->enrolled - at) * sizeof *from->roster);
}

/* How many seats, held ones too, are above the limit and not there by a permit. */
static uint32_t above_limit(const struct campus_section *section)
{
    uint64_t allowed = (uint64_t)section->capacity + section->over;
    uint64_t seats = (uint64_t)section->enrolled + section->held + section->offered;

    return section->capacity == CAMPUS_NONE || seats <= allowed ? 0
                                                                : (uint32_t)(seats - allowed);
}

/* Fewer are excused for a limit that was lowered, once a seat is given up. */
static void excuse_less(struct campus_section *section)
{
    uint32_t above = above_limit(section);

    section->excused = section->excused < above ? section->excused : above;
}

/* The section's part of its catalogue's sums, taken out before a change of the limit and put
 * back after. */
static void count_seats(struct campus *campus, const struct campus_section *section,
                        bool is_added)
{
    struct campus_catalogue *catalogue =
        campus_catalogue(campus, campus_course(campus, section->course)->catalogue);

    if (section->state != CAMPUS_OFFERED) {
        return;
    }
    if (section->capacity == CAMPUS_NONE) {
        catalogue->unlimited += is_added ? 1 : UINT32_MAX;
    } else {
        catalogue->seats += is_added ? section->capacity : -(uint64_t)section->capacity;
    }
}

void campus_section_set_capacity(struct campus *campus, uint32_t section, uint32_t capacity)
{
    struct campus_section *of = campus_section(campus, section);

    campus_touch_section(campus, section);
    count_seats(campus, of, false);
    of->capacity = capacity;
    count_seats(campus, of, true);
    of->excused = above_limit(of);
    campus_stalled_update(campus, section);
}

void campus_section_set_meetings(struct campus *campus, uint32_t section,
                                 const struct campus_meeting *meetings, uint32_t count)
{
    struct campus_section *of = campus_section(campus, section);
    size_t bytes = count * sizeof *meetings;

    ASSERT(count <= CAMPUS_MEETINGS_MAX);
    if (of->meeting_count > CAMPUS_MEETINGS_INLINE) {
        arena_free(&campus->arena, of->meetings.outside, of->meeting_count * sizeof *meetings);
    }
    of->meeting_count = (uint8_t)count;
    if (count > CAMPUS_MEETINGS_INLINE) {
        of->meetings.outside = arena_alloc(&campus->arena, bytes);
        memcpy(of->meetings.outside, meetings, bytes);
    } else if (count > 0) {
        memcpy(of->meetings.inside, meetings, bytes);
    }
}

/* Where @section stands in the ascending list, or would stand. */
static uint32_t stalled_position(const struct campus *campus, uint32_t section)
{
    uint32_t low = 0;
    uint32_t high = campus->stalled_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (campus->stalled[middle] < section) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void campus_stalled_update(struct campus *campus, uint32_t section)
{
    const struct campus_section *of = campus_section(campus, section);

    if (of->waiting == 0 && campus->stalled_count == 0) {
        return; /* by far the most */
    }
    uint32_t at = stalled_position(campus, section);
    bool is_there = at < campus->stalled_count && campus->stalled[at] == section;
    bool is_stalled = campus_section_is_stalled(of);
    uint32_t behind = campus->stalled_count - at;

    if (is_stalled && !is_there) {
        if (campus->stalled_count == campus->stalled_cap) {
            uint32_t cap = campus->stalled_cap == 0 ? 16 : campus->stalled_cap * 2;

            campus->stalled = arena_grow(&campus->arena, campus->stalled, sizeof section,
                                         campus->stalled_cap, cap);
            campus->stalled_cap = cap;
        }
        memmove(&campus->stalled[at + 1], &campus->stalled[at], behind * sizeof section);
        campus->stalled[at] = section;
        campus->stalled_count++;
    } else if (!is_stalled && is_there) {
        memmove(&campus->stalled[at], &campus->stalled[at + 1], (behind - 1) * sizeof section);
        campus->stalled_count--;
    }
}

bool campus_sections_clash(const struct campus_section *a, const struct campus_section *b)
{
    const struct campus_meeting *of_a = campus_section_meetings(a);
    const struct campus_meeting *of_b = campus_section_meetings(b);

    for (uint32_t i = 0; i < a->meeting_count; i++) {
        for (uint32_t j = 0; j < b->meeting_count; j++) {
            if ((of_a[i].days & of_b[j].days) != 0 && of_a[i].start_min < of_b[j].end_min &&
                of_b[j].start_min < of_a[i].end_min) {
                return true;
            }
        }
    }
    return false;
}

/* ---- both sides of a registration; the student's list is in student.c */

void campus__seat_taken(struct campus *campus, uint32_t section, uint32_t student, bool is_over)
{
    struct campus_section *of = campus_section(campus, section);

    campus_touch_section(campus, section);
    campus_roster_add(campus, section, student);
    of->over += is_over ? 1 : 0;
    campus->registration_count++;
    campus->registrations_away += campus_student(campus, student)->is_foreign;
    campus_stalled_update(campus, section);
}

void campus__seat_freed(struct campus *campus, uint32_t section, uint32_t student, bool is_over)
{
    struct campus_section *of = campus_section(campus, section);

    campus_touch_section(campus, section);
    campus_roster_remove(campus, section, student);
    of->over -= is_over ? 1 : 0;
    excuse_less(of);
    campus->registration_count--;
    campus->registrations_away -= campus_student(campus, student)->is_foreign;
    campus_stalled_update(campus, section);
}

/* ---- seats kept for undecided attempts */

void campus_seat_hold(struct campus *campus, uint32_t section, bool is_over)
{
    struct campus_section *of = campus_section(campus, section);

    campus_touch_section(campus, section);
    of->held++;
    of->over += is_over ? 1 : 0;
    campus_stalled_update(campus, section);
}

void campus_seat_release(struct campus *campus, uint32_t section, bool is_over)
{
    struct campus_section *of = campus_section(campus, section);

    ASSERT(of->held > 0);
    campus_touch_section(campus, section);
    of->held--;
    of->over -= is_over ? 1 : 0;
    excuse_less(of);
    campus_stalled_update(campus, section);
}

void campus_seat_offer(struct campus *campus, uint32_t section)
{
    campus_touch_section(campus, section);
    campus_section(campus, section)->offered++;
    campus_stalled_update(campus, section);
}

void campus_seat_offer_end(struct campus *campus, uint32_t section)
{
    struct campus_section *of = campus_section(campus, section);

    ASSERT(of->offered > 0);
    campus_touch_section(campus, section);
    of->offered--;
    excuse_less(of);
    campus_stalled_update(campus, section);
}

/* The seat goes from the hold to the student: nothing is counted anew. */
void campus_seat_give(struct campus *campus, uint32_t section, uint32_t student, bool is_over,
                      struct campus_since since)
{
    struct campus_section *of = campus_section(campus, section);

    ASSERT(of->held > 0);
    campus_touch_section(campus, section);
    of->held--;
    of->over -= is_over ? 1 : 0;
    campus_register(campus, student, section, since);
}
