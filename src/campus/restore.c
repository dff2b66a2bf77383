/* A snapshot read back: records into tables, then everything tied together in the order of
 * ordinals, which is the order in which the original was built. */
#include "base/assert.h"
#include "campus/campus_private.h"
#include "campus/image.h"
#include "campus/name.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/student.h"

enum { OBJECTS_MAX = 1 << 30 };

static uint32_t load_count(struct unpack *in)
{
    return (uint32_t)load_u64_max(in, OBJECTS_MAX);
}

static int load_counts(struct campus *campus, struct unpack *in)
{
    struct table *tables[] = {&campus->words,     &campus->codes,     &campus->courses,
                              &campus->sections,  &campus->documents, &campus->students,
                              &campus->catalogues};
    uint32_t counts[sizeof tables / sizeof tables[0]];

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        counts[i] = load_count(in);
    }
    campus->free_document = load_ordinal(in, OBJECTS_MAX);
    if (!unpack_is_done(in) || campus->words.count > 0) {
        return ERR_DAMAGED;
    }
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        table_resize(tables[i], counts[i]);
    }
    for (uint32_t i = 0; i < campus->documents.count; i++) {
        campus_document(campus, i)->course = CAMPUS_NONE;
        campus_document(campus, i)->next_free = CAMPUS_NONE;
    }
    return OK;
}

struct campus_rule *campus__load_rule(struct campus *campus, struct unpack *in)
{
    uint32_t count = (uint32_t)load_u64_max(in, RULE_NODES_MAX);

    if (count == 0) {
        return NULL;
    }
    struct campus_rule *rule = rule_alloc(campus, count);
    uint64_t open = 1;

    for (uint32_t i = 0; i < count; i++) {
        struct campus_rule_node *node = &rule->nodes[i];

        node->kind = (uint8_t)load_u64_max(in, CARILLON__RULE_KIND__RULE_CREDITS);
        node->concurrent = load_u64_max(in, 1) != 0;
        node->children = (uint16_t)load_u64_max(in, RULE_NODES_MAX);
        node->grade_min = (uint16_t)load_u64_max(in, UINT16_MAX);
        node->count = (uint32_t)load_u64_max(in, UINT32_MAX);
        node->code = load_ordinal(in, campus->codes.count);
        bool is_course = node->kind == CARILLON__RULE_KIND__RULE_COURSE;

        in->failed = in->failed || open == 0 || node->kind == CARILLON__RULE_KIND__RULE_NONE ||
                     is_course != (node->code != CAMPUS_NONE);
        open += node->children;
        open--;
    }
    in->failed = in->failed || open != 0;
    return rule;
}

static void load_offers(struct campus *campus, struct unpack *in, struct campus_document *to)
{
    uint32_t meetings = 0;

    to->offer_count = (uint32_t)load_u64_max(in, CAMPUS_SECTIONS_MAX);
    in->failed = in->failed || to->offer_count == 0;
    if (in->failed) {
        to->offer_count = 0;
        return;
    }
    to->offers = arena_alloc_zero(&campus->arena, to->offer_count * sizeof *to->offers);
    for (uint32_t i = 0; i < to->offer_count; i++) {
        struct campus_offer *offer = &to->offers[i];

        offer->section = load_index(in, campus->sections.count);
        offer->capacity = load_ordinal(in, UINT32_MAX);
        offer->meeting_count = (uint32_t)load_u64_max(in, CAMPUS_MEETINGS_MAX);
        offer->first_meeting = meetings;
        meetings += offer->meeting_count;
    }
    in->failed = in->failed || meetings != to->meeting_count;
}

static void load_document_meetings(struct campus *campus, struct unpack *in,
                                   struct campus_document *to)
{
    to->meeting_count =
        (uint32_t)load_u64_max(in, (uint64_t)CAMPUS_SECTIONS_MAX * CAMPUS_MEETINGS_MAX);
    if (to->meeting_count == 0) {
        return;
    }
    to->meetings = arena_alloc(&campus->arena, to->meeting_count * sizeof *to->meetings);
    for (uint32_t i = 0; i < to->meeting_count; i++) {
        to->meetings[i].days = (uint16_t)load_u64_max(in, UINT16_MAX);
        to->meetings[i].start_min = (uint16_t)load_u64_max(in, UINT16_MAX);
        to->meetings[i].end_min = (uint16_t)load_u64_max(in, UINT16_MAX);
    }
}

int campus_load_document(struct campus *campus, struct unpack *in)
{
    uint32_t ordinal = load_index(in, campus->documents.count);
    uint32_t course = load_ordinal(in, campus->courses.count);

    if (in->failed || campus->documents.count == 0) {
        return ERR_DAMAGED;
    }
    struct campus_document *to = campus_document(campus, ordinal);

    if (to->course != CAMPUS_NONE) {
        return ERR_DAMAGED; /* twice */
    }
    if (course == CAMPUS_NONE) {
        to->next_free = load_ordinal(in, campus->documents.count);
        return unpack_is_done(in) ? OK : ERR_DAMAGED;
    }
    struct slice blob = load_bytes(in);

    to->course = course;
    to->blob_len = (uint32_t)blob.len;
    to->blob = arena_alloc(&campus->arena, blob.len > 0 ? blob.len : 1);
    if (blob.len > 0) {
        memcpy(to->blob, blob.data, blob.len);
    }
    to->content_hash = unpack_fixed64(in);
    to->credits = load_ordinal(in, UINT32_MAX);
    to->level = (uint16_t)load_u64_max(in, UINT16_MAX);
    to->is_bare = load_u64_max(in, 1) != 0;
    to->rule = campus__load_rule(campus, in);
    load_document_meetings(campus, in, to);
    load_offers(campus, in, to);
    campus->course_bytes += to->blob_len + to->offer_count * sizeof *to->offers;
    return unpack_is_done(in) ? OK : ERR_DAMAGED;
}

int campus_restore_record(struct campus *campus, uint64_t kind, struct slice bytes)
{
    static int (*const loads[CAMPUS_RECORD_NR])(struct campus *, struct unpack *) = {
        [CAMPUS_RECORD_COUNTS] = load_counts,
        [CAMPUS_RECORD_WORD] = campus_load_word,
        [CAMPUS_RECORD_CODE] = campus_load_code,
        [CAMPUS_RECORD_CATALOGUE] = campus_load_catalogue,
        [CAMPUS_RECORD_COURSE] = campus_load_course,
        [CAMPUS_RECORD_SECTION] = campus_load_section,
        [CAMPUS_RECORD_DOCUMENT] = campus_load_document,
        [CAMPUS_RECORD_STUDENT] = campus_load_student,
        [CAMPUS_RECORD_IMPORT] = campus_load_import,
        [CAMPUS_RECORD_STAGED] = campus_load_staged,
        [CAMPUS_RECORD_REMOVED] = campus_load_removed,
    };
    struct unpack in = unpack_from(bytes);

    if (kind >= CAMPUS_RECORD_NR || loads[kind] == NULL) {
        return ERR_DAMAGED;
    }
    return loads[kind](campus, &in);
}

/* ---- tying together */

static int link_names(struct campus *campus)
{
    map_reserve(&campus->word_map, campus->words.count);
    for (uint32_t i = 0; i < campus->words.count; i++) {
        if (campus_word(campus, i)->text.len == 0) {
            return ERR_DAMAGED;
        }
        campus_word_link(campus, i);
    }
    for (uint32_t i = 0; i < campus->codes.count; i++) {
        campus_code_link(campus, i);
    }
    for (uint32_t i = 0; i < campus->catalogues.count; i++) {
        campus_catalogue_link(campus, i);
    }
    return OK;
}

static int link_courses(struct campus *campus)
{
    for (uint32_t i = 0; i < campus->courses.count; i++) {
        campus_course_link(campus, i);
    }
    for (uint32_t i = 0; i < campus->sections.count; i++) {
        if (campus_section(campus, i)->id_len == 0) {
            return ERR_DAMAGED;
        }
        campus_section_link(campus, i);
        campus_stalled_update(campus, i);
    }
    for (uint32_t i = 0; i < campus->documents.count; i++) {
        const struct campus_document *document = campus_document(campus, i);
        const struct campus_rule *rule = document->rule;

        for (uint32_t at = 0; rule != NULL && at < rule->count; at++) {
            if (rule->nodes[at].code != CAMPUS_NONE) {
                campus__name_add(campus, rule->nodes[at].code, document->course);
            }
        }
    }
    for (uint32_t i = 0; i < campus->courses.count; i++) {
        struct campus_course *course = campus_course(campus, i);

        if (course->document == CAMPUS_NONE) {
            continue;
        }
        if (campus_document(campus, course->document)->course != i) {
            return ERR_DAMAGED;
        }
        course->credits = campus_document(campus, course->document)->credits;
        course->rule = campus_document(campus, course->document)->rule;
        campus__course_count(campus, course, true);
    }
    return OK;
}

static int link_students(struct campus *campus)
{
    uint64_t registrations = 0;

    for (uint32_t i = 0; i < campus->students.count; i++) {
        const struct campus_student *student = campus_student(campus, i);

        if (student->profile == NULL) {
            return ERR_DAMAGED;
        }
        campus_student_link(campus, i);
        if (student->state == CAMPUS_OFFERED) {
            campus_catalogue(campus, student->body)->offered++;
            campus->student_count++;
        }
        for (uint32_t at = 0; at < student->registration_count; at++) {
            const struct campus_registration *registration = campus_registration(student, at);

            if (campus_registration_is_over(registration)) {
                campus_section(campus, registration->section)->over++;
            }
        }
        registrations += student->registration_count;
        if (student->is_foreign) {
            campus->registrations_away += student->registration_count;
            campus->waiting_away += student->extra == NULL ? 0 : student->extra->place_count;
        }
    }
    return registrations == campus->registration_count ? OK : ERR_DAMAGED;
}

static int link_imports(struct campus *campus)
{
    for (uint32_t slot = 0; slot < CAMPUS_IMPORTS_MAX; slot++) {
        const struct campus_import *import = campus->imports[slot];

        if (import == NULL) {
            continue;
        }
        bool is_courses = import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;

        campus_catalogue(campus, import->catalogue)->import = slot;
        for (uint32_t i = 0; i < import->items.count; i++) {
            uint32_t object = campus_staged(import, i)->object;

            if (is_courses) {
                campus_course(campus, object)->staged = campus_staged(import, i)->document;
            } else {
                campus_student(campus, object)->is_staged = true;
            }
        }
        for (uint32_t i = 0; i < import->removed_count; i++) {
            if (is_courses) {
                campus_course(campus, import->removed[i])->is_doomed = true;
            } else {
                campus_student(campus, import->removed[i])->is_doomed = true;
            }
        }
    }
    return OK;
}

int campus_restore_end(struct campus *campus)
{
    int rc = link_names(campus);

    rc = rc == OK ? link_courses(campus) : rc;
    rc = rc == OK ? link_students(campus) : rc;
    return rc == OK ? link_imports(campus) : rc;
}
