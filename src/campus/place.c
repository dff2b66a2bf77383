/* Places on waitlists. A section's line is a doubly linked list, so that leaving from its
 * middle costs nothing. */
#include "base/assert.h"
#include "campus/campus_private.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/student.h"

uint32_t campus_place_find(const struct campus *campus, uint32_t student, uint32_t section)
{
    uint32_t at = campus_place_first(campus_student(campus, student));

    while (at != CAMPUS_NONE && campus_place(campus, at)->section != section) {
        at = campus_place(campus, at)->next_of_student;
    }
    return at;
}

/* The order in which a student joined; places of one entry in the order of their sections. */
static bool is_before(const struct campus_place *a, const struct campus_place *b)
{
    return a->since_index != b->since_index ? a->since_index < b->since_index
                                            : a->section < b->section;
}

void campus__place_link(struct campus *campus, uint32_t place)
{
    struct campus_place *added = campus_place(campus, place);
    struct campus_extra *extra = campus_extra(campus, added->student);
    uint32_t *at = &extra->first_place;

    while (*at != CAMPUS_NONE && is_before(campus_place(campus, *at), added)) {
        at = &campus_place(campus, *at)->next_of_student;
    }
    added->next_of_student = *at;
    *at = place;
    extra->place_count++;
}

static uint32_t place_take(struct campus *campus)
{
    uint32_t place = campus->free_place;

    if (place == CAMPUS_NONE) {
        return table_add(&campus->places);
    }
    campus->free_place = campus_place(campus, place)->next_of_student;
    return place;
}

uint32_t campus_place_add(struct campus *campus, uint32_t student, uint32_t section,
                          const struct campus_since *since)
{
    struct campus_section *in = campus_section(campus, section);

    campus_touch_section(campus, section);
    uint32_t place = place_take(campus);
    struct campus_place *added = campus_place(campus, place);

    *added = (struct campus_place){
        .section = section,
        .student = student,
        .next = CAMPUS_NONE,
        .previous = in->wait_last,
        .offer = CAMPUS_NONE,
        .since_index = since->index,
        .since_ms = since->ms,
    };
    if (in->wait_last == CAMPUS_NONE) {
        in->wait_first = place;
    } else {
        campus_place(campus, in->wait_last)->next = place;
    }
    in->wait_last = place;
    in->waiting++;
    campus->waiting_count++;
    campus->waiting_away += campus_student(campus, student)->is_foreign;
    campus__place_link(campus, place);
    campus_stalled_update(campus, section);
    return place;
}

void campus_place_set_drops(struct campus *campus, uint32_t place, const uint32_t *drops,
                            uint32_t count)
{
    struct campus_place *of = campus_place(campus, place);

    ASSERT(of->drop_count == 0 && count <= CAMPUS_DROPS_MAX);
    if (count > 0) {
        of->drops = arena_alloc(&campus->arena, count * sizeof *drops);
        memcpy(of->drops, drops, count * sizeof *drops);
        of->drop_count = count;
    }
}

static void place_unlink(struct campus *campus, uint32_t place)
{
    const struct campus_place *removed = campus_place(campus, place);
    struct campus_section *in = campus_section(campus, removed->section);
    struct campus_extra *extra = campus_student(campus, removed->student)->extra;
    uint32_t *at = &extra->first_place;

    if (removed->previous == CAMPUS_NONE) {
        in->wait_first = removed->next;
    } else {
        campus_place(campus, removed->previous)->next = removed->next;
    }
    if (removed->next == CAMPUS_NONE) {
        in->wait_last = removed->previous;
    } else {
        campus_place(campus, removed->next)->previous = removed->previous;
    }
    while (*at != place) {
        ASSERT(*at != CAMPUS_NONE);
        at = &campus_place(campus, *at)->next_of_student;
    }
    *at = removed->next_of_student;
    extra->place_count--;
    in->waiting--;
    campus->waiting_count--;
    campus->waiting_away -= campus_student(campus, removed->student)->is_foreign;
}

void campus_place_remove(struct campus *campus, uint32_t place)
{
    struct campus_place *removed = campus_place(campus, place);
    uint32_t section = removed->section;

    campus_touch_section(campus, section);
    place_unlink(campus, place);
    if (removed->drop_count > 0) {
        arena_free(&campus->arena, removed->drops,
                   removed->drop_count * sizeof *removed->drops);
    }
    arena_free_slice(&campus->arena, removed->skip_evidence);
    *removed =
        (struct campus_place){.section = CAMPUS_NONE, .next_of_student = campus->free_place};
    campus->free_place = place;
    campus_stalled_update(campus, section);
}

uint32_t campus_place_number(const struct campus *campus, uint32_t place)
{
    uint32_t number = 1;

    for (uint32_t at = campus_place(campus, place)->previous; at != CAMPUS_NONE;
         at = campus_place(campus, at)->previous) {
        number++;
    }
    return number;
}

void campus_place_pass(struct campus *campus, uint32_t place, uint64_t ms)
{
    campus_touch_section(campus, campus_place(campus, place)->section);
    campus_place(campus, place)->passed_ms = ms;
}

void campus_place_skip(struct campus *campus, uint32_t place, const struct campus_since *when,
                       uint32_t kind, struct slice evidence)
{
    struct campus_place *of = campus_place(campus, place);

    campus_touch_section(campus, of->section);
    of->skips++;
    of->skip_kind = kind;
    of->skip_index = when->index;
    of->skip_ms = when->ms;
    arena_free_slice(&campus->arena, of->skip_evidence);
    of->skip_evidence = arena_copy(&campus->arena, evidence);
}
