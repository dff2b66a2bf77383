/* The end of an import: what was staged is turned over, record by record, in the order it was
 * staged. */
#include "base/assert.h"
#include "campus/campus_private.h"
#include "campus/document.h"
#include "campus/import.h"
#include "campus/name.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/student.h"

/* A course's part of the sums of its catalogue and of the campus, taken out before a change and
 * put back after. */
void campus__course_count(struct campus *campus, const struct campus_course *course,
                          bool is_added)
{
    struct campus_catalogue *in = campus_catalogue(campus, course->catalogue);
    uint32_t one = is_added ? 1 : UINT32_MAX;

    if (course->state != CAMPUS_OFFERED) {
        return;
    }
    in->offered += one;
    campus->course_count += is_added ? 1 : UINT64_MAX;
    in->bare += campus_document(campus, course->document)->is_bare ? one : 0;
    for (uint32_t i = 0; i < course->section_count; i++) {
        const struct campus_section *section =
            campus_section(campus, course->sections[i].section);

        if (section->state != CAMPUS_OFFERED) {
            continue;
        }
        in->sections += one;
        campus->section_count += is_added ? 1 : UINT64_MAX;
        if (section->capacity == CAMPUS_NONE) {
            in->unlimited += one;
        } else {
            in->seats += is_added ? section->capacity : -(uint64_t)section->capacity;
        }
    }
}

/* Set every section of the course aside; publishing brings back those that are still in the
 * file. */
static void sections_withdraw(struct campus *campus, const struct campus_course *course)
{
    for (uint32_t i = 0; i < course->section_count; i++) {
        uint32_t ordinal = course->sections[i].section;
        struct campus_section *section = campus_section(campus, ordinal);

        campus_touch_section(campus, ordinal);
        section->state = section->state == CAMPUS_OFFERED ? CAMPUS_WITHDRAWN : section->state;
    }
}

/* Those still set aside go, unless someone is registered or waiting. */
static bool sections_settle(struct campus *campus, const struct campus_course *course)
{
    bool is_kept = false;

    for (uint32_t i = 0; i < course->section_count; i++) {
        uint32_t ordinal = course->sections[i].section;
        struct campus_section *section = campus_section(campus, ordinal);

        if (section->state == CAMPUS_WITHDRAWN) {
            bool is_empty =
                section->enrolled == 0 && section->held + section->places_held == 0 &&
                            section->waiting == 0;

            section->state = is_empty ? CAMPUS_HIDDEN : CAMPUS_WITHDRAWN;
            is_kept = is_kept || !is_empty;
        }
        campus_stalled_update(campus, ordinal);
    }
    return is_kept;
}

static void offer_publish(struct campus *campus, const struct campus_document *document,
                          const struct campus_offer *offer)
{
    struct campus_section *section = campus_section(campus, offer->section);
    bool is_new = section->state == CAMPUS_HIDDEN;

    /* An operator's limit stands as long as the file says what it said before. The state is
     * still not OFFERED here, so that the sums stay out of it. */
    if (is_new || section->capacity_file != offer->capacity) {
        section->capacity_file = offer->capacity;
        campus_section_set_capacity(campus, offer->section, offer->capacity);
    }
    section->state = CAMPUS_OFFERED;
    campus_section_set_meetings(
        campus, offer->section,
        offer->meeting_count > 0 ? &document->meetings[offer->first_meeting] : NULL,
        offer->meeting_count);
}

static void course_publish(struct campus *campus, uint32_t ordinal,
                           const struct campus_commit *commit, const struct campus_sink *sink)
{
    struct campus_course *course = campus_course(campus, ordinal);
    uint32_t old = course->document;
    bool was_found = course->state == CAMPUS_OFFERED;

    campus_touch_course(campus, ordinal);
    campus__course_count(campus, course, false);
    sections_withdraw(campus, course);
    course->document = course->staged;
    course->staged = CAMPUS_NONE;
    const struct campus_document *document = campus_document(campus, course->document);

    for (uint32_t i = 0; i < document->offer_count; i++) {
        offer_publish(campus, document, &document->offers[i]);
    }
    (void)sections_settle(campus, course);
    course->credits = document->credits;
    course->rule = document->rule;
    course->state = CAMPUS_OFFERED;
    course->changed_index = commit->index;
    campus__course_count(campus, course, true);
    if (was_found) {
        sink->on_document(sink->context, CAMPUS_DOCUMENT_REMOVED, old);
    }
    if (old != CAMPUS_NONE) {
        campus_document_free(campus, old);
    }
    sink->on_document(sink->context, CAMPUS_DOCUMENT_PUBLISHED, course->document);
}

/* A withdrawn course keeps its document, so that it can be shown; search no longer finds it. */
static void course_remove(struct campus *campus, uint32_t ordinal,
                          const struct campus_commit *commit, const struct campus_sink *sink,
                          struct campus_import_totals *totals)
{
    struct campus_course *course = campus_course(campus, ordinal);

    campus_touch_course(campus, ordinal);
    course->is_doomed = false;
    campus__course_count(campus, course, false);
    sections_withdraw(campus, course);
    bool is_kept = sections_settle(campus, course);

    course->state = is_kept ? CAMPUS_WITHDRAWN : CAMPUS_HIDDEN;
    course->changed_index = commit->index;
    sink->on_document(sink->context, CAMPUS_DOCUMENT_REMOVED, course->document);
    if (is_kept) {
        totals->withdrawn++;
        return;
    }
    totals->removed++;
    campus_document_free(campus, course->document);
    course->document = CAMPUS_NONE;
    course->credits = CAMPUS_NONE;
    course->rule = NULL;
}

static void student_publish(struct campus *campus, const struct campus_staged *item,
                            const struct campus_commit *commit)
{
    struct campus_student *student = campus_student(campus, item->object);

    campus_touch_student(campus, item->object);
    if (student->state != CAMPUS_OFFERED) {
        campus_catalogue(campus, student->body)->offered++;
        campus->student_count++;
    }
    campus_profile_free(campus, student->profile);
    student->profile = item->profile;
    student->level = item->profile->level;
    student->profile_index = commit->index;
    student->state = CAMPUS_OFFERED;
    student->is_staged = false;
}

static void student_remove(struct campus *campus, uint32_t ordinal,
                           const struct campus_commit *commit,
                           struct campus_import_totals *totals)
{
    struct campus_student *student = campus_student(campus, ordinal);

    campus_touch_student(campus, ordinal);
    student->is_doomed = false;
    campus_catalogue(campus, student->body)->offered--;
    campus->student_count--;
    if (student->registration_count > 0 || campus_place_first(student) != CAMPUS_NONE) {
        student->state = CAMPUS_WITHDRAWN;
        totals->withdrawn++;
        return;
    }
    struct campus_profile *bare =
        campus_profile_bare(campus, campus_profile_token(student->profile));

    campus_profile_free(campus, student->profile);
    student->profile = bare;
    student->level = 0;
    student->profile_index = commit->index;
    student->state = CAMPUS_HIDDEN;
    totals->removed++;
}

void campus_import_commit(struct campus *campus, struct campus_import *import,
                          const struct campus_commit *commit, const struct campus_sink *sink,
                          struct campus_import_totals *ret_totals)
{
    bool is_courses = import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;
    struct campus_catalogue *in = campus_catalogue(campus, import->catalogue);
    struct campus_import_totals totals = {0};

    campus__save_import(campus, import);
    for (uint32_t i = 0; i < import->removed_count; i++) {
        if (is_courses) {
            course_remove(campus, import->removed[i], commit, sink, &totals);
        } else {
            student_remove(campus, import->removed[i], commit, &totals);
        }
    }
    for (uint32_t i = 0; i < import->items.count; i++) {
        uint32_t object = campus_staged(import, i)->object;
        uint8_t state = is_courses ? campus_course(campus, object)->state
                                   : campus_student(campus, object)->state;

        totals.changed += state == CAMPUS_OFFERED ? 1 : 0;
        totals.added += state == CAMPUS_OFFERED ? 0 : 1;
        if (is_courses) {
            course_publish(campus, object, commit, sink);
        } else {
            student_publish(campus, campus_staged(import, i), commit);
        }
    }
    in->updated_ms = commit->wall_ms;
    totals.total = in->offered;
    campus__import_close(campus, import);
    *ret_totals = totals;
}
