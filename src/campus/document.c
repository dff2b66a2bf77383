#include "campus/document.h"

#include "base/assert.h"
#include "base/hash.h"
#include "campus/campus_private.h"
#include "campus/name.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/text.h"
#include "wire/pack.h"

enum {
    TITLE_BYTES_MAX = 1024,
    SUBJECT_BYTES_MAX = 128,
    TEXT_BYTES_MAX = 60000,
    INSTRUCTOR_BYTES_MAX = 256,
    INSTRUCTORS_MAX = 1024,
    LOCATION_BYTES_MAX = 256,
    CREDITS_MAX = 100000, /* hundredths */
    LEVEL_MAX = 60000,
    DAY_MINUTES = 1440,
    DAYS_ALL = 0x7f,
};

/* ---- checking */

static const char *texts_fault(const Carillon__Course *course)
{
    if (!text_is_name(course->code, CAMPUS_CODE_BYTES_MAX)) {
        return "the code is empty, too long or not plain text";
    }
    if (!text_is_plain(course->subject, SUBJECT_BYTES_MAX) ||
        !text_is_plain(course->number, SUBJECT_BYTES_MAX) ||
        !text_is_plain(course->title, TITLE_BYTES_MAX)) {
        return "subject, number or title is too long or not UTF-8";
    }
    if (!text_is_plain(course->description, TEXT_BYTES_MAX) ||
        !text_is_plain(course->prerequisites_text, TEXT_BYTES_MAX)) {
        return "the description or the prerequisites' text is too long or not UTF-8";
    }
    if (!text_is_plain(course->source, TITLE_BYTES_MAX) ||
        !text_is_plain(course->licence, TITLE_BYTES_MAX)) {
        return "source or licence is too long or not UTF-8";
    }
    if (course->n_instructors > INSTRUCTORS_MAX) {
        return "too many instructors";
    }
    for (size_t i = 0; i < course->n_instructors; i++) {
        if (!text_is_plain(course->instructors[i], INSTRUCTOR_BYTES_MAX)) {
            return "an instructor's name is too long or not UTF-8";
        }
    }
    return NULL;
}

static const char *section_fault(const Carillon__Section *section)
{
    if (!text_is_name(section->id, CAMPUS_SECTION_BYTES_MAX)) {
        return "a section has no proper id";
    }
    if (section->capacity_known && section->capacity > CAMPUS_CAPACITY_MAX) {
        return "a section's capacity is absurd";
    }
    if (section->n_meetings > CAMPUS_MEETINGS_MAX) {
        return "a section has more than 64 meetings";
    }
    for (size_t i = 0; i < section->n_meetings; i++) {
        const Carillon__Meeting *meeting = section->meetings[i];

        if (meeting->days == 0 || meeting->days > DAYS_ALL || meeting->end_min > DAY_MINUTES ||
            meeting->start_min >= meeting->end_min) {
            return "a meeting has no day, or ends before it starts";
        }
        if (!text_is_plain(meeting->location, LOCATION_BYTES_MAX)) {
            return "a location is too long or not UTF-8";
        }
    }
    return NULL;
}

static const char *sections_fault(const Carillon__Course *course)
{
    uint64_t ids[CAMPUS_SECTIONS_MAX];

    if (course->n_sections > CAMPUS_SECTIONS_MAX) {
        return "more than 1024 sections";
    }
    for (size_t i = 0; i < course->n_sections; i++) {
        const char *fault = section_fault(course->sections[i]);

        if (fault != NULL) {
            return fault;
        }
        ids[i] = hash_slice(slice_from_text(course->sections[i]->id));
        for (size_t j = 0; j < i; j++) {
            if (ids[j] == ids[i]) {
                return "two sections have the same id";
            }
        }
    }
    return NULL;
}

int campus_course_check(const Carillon__Course *course, struct buf *text)
{
    const char *wrong = texts_fault(course);

    if (wrong == NULL && course->credits_known && course->credits_hundredths > CREDITS_MAX) {
        wrong = "the credits are absurd";
    }
    if (wrong == NULL && course->level > LEVEL_MAX) {
        wrong = "the level is absurd";
    }
    if (wrong == NULL) {
        wrong = sections_fault(course);
    }
    if (wrong == NULL) {
        (void)rule_is_sound(course->prerequisites, course->n_prerequisites, &wrong);
    }
    if (wrong == NULL) {
        return OK;
    }
    int rc = buf_append_format(text, "course \"%s\": %s",
                               text_or_mark(course->code, CAMPUS_CODE_BYTES_MAX), wrong);
    (void)rc; /* a text cut short is still a text */
    return ERR_ARGUMENT;
}

/* ---- building */

static uint32_t document_take(struct campus *campus)
{
    uint32_t document = campus->free_document;

    if (document == CAMPUS_NONE) {
        return table_add(&campus->documents);
    }
    campus_touch_document(campus, document);
    campus->free_document = campus_document(campus, document)->next_free;
    return document;
}

static uint32_t offer_meetings(const Carillon__Section *section,
                               struct campus_meeting *meetings, uint32_t first)
{
    for (size_t i = 0; i < section->n_meetings; i++) {
        meetings[first + i] = (struct campus_meeting){
            .start_min = (uint16_t)section->meetings[i]->start_min,
            .end_min = (uint16_t)section->meetings[i]->end_min,
            .days = (uint16_t)section->meetings[i]->days,
        };
    }
    return (uint32_t)section->n_meetings;
}

/* A course without sections gets the section `1`, without meetings and without a limit. */
static void offers_make(struct campus *campus, struct campus_document *document,
                        const Carillon__Course *message)
{
    uint32_t meetings = 0;

    document->is_bare = message->n_sections == 0;
    document->offer_count = document->is_bare ? 1 : (uint32_t)message->n_sections;
    document->offers =
        arena_alloc_zero(&campus->arena, document->offer_count * sizeof *document->offers);
    if (document->is_bare) {
        document->offers[0].section =
            campus_section_intern(campus, document->course, SLICE_LITERAL("1"));
        document->offers[0].capacity = CAMPUS_NONE;
        return;
    }
    for (size_t i = 0; i < message->n_sections; i++) {
        meetings += (uint32_t)message->sections[i]->n_meetings;
    }
    document->meeting_count = meetings;
    if (meetings > 0) {
        document->meetings = arena_alloc(&campus->arena, meetings * sizeof *document->meetings);
    }
    meetings = 0;
    for (size_t i = 0; i < message->n_sections; i++) {
        const Carillon__Section *section = message->sections[i];
        struct campus_offer *offer = &document->offers[i];

        offer->section =
            campus_section_intern(campus, document->course, slice_from_text(section->id));
        offer->capacity = section->capacity_known ? section->capacity : CAMPUS_NONE;
        offer->first_meeting = meetings;
        offer->meeting_count = offer_meetings(section, document->meetings, meetings);
        meetings += offer->meeting_count;
    }
}

/* Keep the codes' lists of who names them: ascending, each course once. They only ever grow; a
 * reader looks whether the course's rule still names the code. */
void campus__name_add(struct campus *campus, uint32_t code, uint32_t course)
{
    struct campus_code *named = campus_code(campus, code);
    uint32_t at = named->named_count;

    while (at > 0 && named->named_by[at - 1] > course) {
        at--;
    }
    if (at > 0 && named->named_by[at - 1] == course) {
        return;
    }
    if (named->named_count == named->named_cap) {
        uint32_t cap = named->named_cap == 0 ? 2 : named->named_cap * 2;

        named->named_by =
            arena_grow(&campus->arena, named->named_by, sizeof course, named->named_cap, cap);
        named->named_cap = cap;
    }
    memmove(&named->named_by[at + 1], &named->named_by[at],
            (named->named_count - at) * sizeof course);
    named->named_by[at] = course;
    named->named_count++;
}

static void blob_make(struct campus *campus, struct campus_document *document,
                      const Carillon__Course *message)
{
    size_t len = carillon__course__get_packed_size(message);

    document->blob = arena_alloc(&campus->arena, len > 0 ? len : 1);
    document->blob_len = (uint32_t)carillon__course__pack(message, document->blob);
    ASSERT(document->blob_len == len);
}

uint32_t campus_document_make(struct campus *campus, uint32_t course, Carillon__Course *message)
{
    uint32_t ordinal = document_take(campus);
    struct campus_document *document = campus_document(campus, ordinal);
    const struct campus_catalogue *catalogue =
        campus_catalogue(campus, campus_course(campus, course)->catalogue);

    *document = (struct campus_document){
        .course = course,
        .content_hash = message->content_hash,
        .credits = message->credits_known ? message->credits_hundredths : CAMPUS_NONE,
        .level = (uint16_t)message->level,
        .epoch = campus->epoch,
    };
    blob_make(campus, document, message);
    if (message->n_prerequisites > 0) {
        document->rule = rule_make(campus, catalogue->institution, message->prerequisites,
                                   message->n_prerequisites);
        for (uint32_t i = 0; i < document->rule->count; i++) {
            if (document->rule->nodes[i].code != CAMPUS_NONE) {
                campus__name_add(campus, document->rule->nodes[i].code, course);
            }
        }
    }
    offers_make(campus, document, message);
    campus->course_bytes +=
        document->blob_len + document->offer_count * sizeof *document->offers;
    return ordinal;
}

void campus_document_free(struct campus *campus, uint32_t ordinal)
{
    struct campus_document *document = campus_document(campus, ordinal);

    ASSERT(document->course != CAMPUS_NONE);
    campus_touch_document(campus, ordinal);
    campus->course_bytes -=
        document->blob_len + document->offer_count * sizeof *document->offers;
    arena_free(&campus->arena, document->blob, document->blob_len > 0 ? document->blob_len : 1);
    arena_free(&campus->arena, document->offers,
               document->offer_count * sizeof *document->offers);
    if (document->meeting_count > 0) {
        arena_free(&campus->arena, document->meetings,
                   document->meeting_count * sizeof *document->meetings);
    }
    rule_free(campus, document->rule);
    *document = (struct campus_document){
        .course = CAMPUS_NONE, .epoch = document->epoch, .next_free = campus->free_document};
    campus->free_document = ordinal;
}
