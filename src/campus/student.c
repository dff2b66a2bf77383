#include "campus/student.h"

#include "base/assert.h"
#include "campus/campus_private.h"
#include "campus/snapshot.h"
#include "proto/registrar.pb-c.h"

struct campus_extra *campus_extra(struct campus *campus, uint32_t student)
{
    struct campus_student *of = campus_student(campus, student);

    if (of->extra == NULL) {
        of->extra = arena_alloc_zero(&campus->arena, sizeof *of->extra);
        of->extra->first_place = CAMPUS_NONE;
        campus->student_bytes += sizeof *of->extra;
    }
    return of->extra;
}

/* ---- registrations */

const struct campus_registration *campus_registration_find(const struct campus_student *student,
                                                           uint32_t section)
{
    for (uint32_t i = 0; i < student->registration_count; i++) {
        const struct campus_registration *at = campus_registration(student, i);

        if (at->section == section) {
            return at;
        }
    }
    return NULL;
}

static struct campus_registration registration_make(uint32_t section, struct campus_since since)
{
    return (struct campus_registration){
        .section = section,
        .ms_low = (uint32_t)since.ms,
        .rest = since.index << 16 | (since.ms >> 32 & 0xfff) << 4 | (since.permits & 15),
    };
}

void campus__registration_append(struct campus *campus, uint32_t student,
                                 struct campus_registration registration)
{
    struct campus_student *to = campus_student(campus, student);
    uint32_t count = to->registration_count;

    ASSERT(count < CAMPUS_REGISTRATIONS_MAX);
    if (count < CAMPUS_REGISTRATIONS_INLINE) {
        to->registrations[count] = registration;
    } else {
        struct campus_extra *extra = campus_extra(campus, student);
        uint32_t more = count - CAMPUS_REGISTRATIONS_INLINE;

        if (more == extra->more_cap) {
            uint32_t cap = more == 0 ? 4 : more * 2;

            extra->more =
                arena_grow(&campus->arena, extra->more, sizeof *extra->more, more, cap);
            campus->student_bytes += sizeof *extra->more * (cap - more);
            extra->more_cap = cap;
        }
        extra->more[more] = registration;
    }
    to->registration_count++;
}

void campus_register(struct campus *campus, uint32_t student, uint32_t section,
                     struct campus_since since)
{
    campus_touch_student(campus, student);
    campus__registration_append(campus, student, registration_make(section, since));
    campus__seat_taken(campus, section, student,
                       (since.permits & CARILLON__PERMIT_KIND__PERMIT_CAPACITY) != 0);
}

/* The same place as campus_registration(), to be written. */
static struct campus_registration *registration_slot(struct campus_student *student, uint32_t i)
{
    return i < CAMPUS_REGISTRATIONS_INLINE
               ? &student->registrations[i]
               : &student->extra->more[i - CAMPUS_REGISTRATIONS_INLINE];
}

void campus_unregister(struct campus *campus, uint32_t student, uint32_t section)
{
    struct campus_student *from = campus_student(campus, student);
    uint32_t at = 0;

    campus_touch_student(campus, student);
    while (registration_slot(from, at)->section != section) {
        at++;
        ASSERT(at < from->registration_count);
    }
    bool is_over = campus_registration_is_over(registration_slot(from, at));

    from->registration_count--;
    for (; at < from->registration_count; at++) {
        *registration_slot(from, at) = *registration_slot(from, at + 1);
    }
    campus__seat_freed(campus, section, student, is_over);
}

/* ---- permits and blocks */

static uint32_t permit_position(const struct campus_student *student, uint32_t section)
{
    uint32_t at = 0;

    while (at < student->extra->permit_count &&
           student->extra->permits[at].section != section) {
        at++;
    }
    return at;
}

const struct campus_permit *campus_permit_find(const struct campus_student *student,
                                               uint32_t section)
{
    if (student->extra == NULL) {
        return NULL;
    }
    uint32_t at = permit_position(student, section);

    return at < student->extra->permit_count ? &student->extra->permits[at] : NULL;
}

static void permit_fini(struct campus *campus, struct campus_permit *permit)
{
    arena_free_slice(&campus->arena, permit->reason);
    arena_free_slice(&campus->arena, permit->by);
}

void campus_permit_set(struct campus *campus, uint32_t student,
                       const struct campus_permit *permit)
{
    struct campus_extra *extra = campus_extra(campus, student);
    struct campus_student *of = campus_student(campus, student);
    uint32_t at = permit_position(of, permit->section);

    campus_touch_student(campus, student);
    if (at < extra->permit_count) {
        permit_fini(campus, &extra->permits[at]);
    } else if (permit->kinds == 0) {
        return;
    } else {
        ASSERT(at < CAMPUS_PERMITS_MAX);
        if (extra->permit_count == extra->permit_cap) {
            uint16_t cap = extra->permit_cap == 0 ? 2 : (uint16_t)(extra->permit_cap * 2);

            extra->permits = arena_grow(&campus->arena, extra->permits, sizeof *permit,
                                        extra->permit_cap, cap);
            extra->permit_cap = cap;
        }
        extra->permit_count++;
    }
    if (permit->kinds != 0) {
        extra->permits[at] = *permit;
        extra->permits[at].reason = arena_copy(&campus->arena, permit->reason);
        extra->permits[at].by = arena_copy(&campus->arena, permit->by);
        return;
    }
    uint16_t left = --extra->permit_count;

    memmove(&extra->permits[at], &extra->permits[at + 1], (left - at) * sizeof *permit);
}

void campus_block_add(struct campus *campus, uint32_t student, const struct campus_block *block)
{
    struct campus_extra *extra = campus_extra(campus, student);
    uint16_t at = extra->block_count;

    ASSERT(at < CAMPUS_BLOCKS_MAX);
    campus_touch_student(campus, student);
    if (at == extra->block_cap) {
        uint16_t cap = at == 0 ? 1 : (uint16_t)(at * 2);

        extra->blocks = arena_grow(&campus->arena, extra->blocks, sizeof *block, at, cap);
        extra->block_cap = cap;
    }
    extra->blocks[at] = *block;
    extra->blocks[at].reason = arena_copy(&campus->arena, block->reason);
    extra->blocks[at].by = arena_copy(&campus->arena, block->by);
    extra->block_count++;
}

void campus_block_remove(struct campus *campus, uint32_t student, uint32_t at)
{
    struct campus_extra *extra = campus_extra(campus, student);

    ASSERT(at < extra->block_count);
    campus_touch_student(campus, student);
    arena_free_slice(&campus->arena, extra->blocks[at].reason);
    arena_free_slice(&campus->arena, extra->blocks[at].by);
    uint16_t left = --extra->block_count;

    memmove(&extra->blocks[at], &extra->blocks[at + 1], (left - at) * sizeof *extra->blocks);
}
