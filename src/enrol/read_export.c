/* EXPORT and IMPORT_HASHES: everything of a kind, page by page. A cursor is a position in the
 * order of ordinals, in which nothing is ever inserted; a page ends early rather than look at
 * too much at once. */
#include <inttypes.h>

#include "base/assert.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "wire/message.h"

enum {
    EXPORT_LIMIT_DEFAULT = 1000,
    EXPORT_LIMIT_MAX = 5000,
    HASHES_LIMIT_DEFAULT = 5000,
    HASHES_LIMIT_MAX = 10000,
    LOOKED_AT_MAX = 20000, /* objects a page */
    PAGE_BYTES_MAX = 512 << 10,
    ROW_BYTES = 96, /* of a row beside its names: a token, numbers, tags */
};

struct page {
    struct enrol *enrol;
    uint64_t at; /* the cursor */
    uint64_t end;
    uint32_t limit; /* rows */
    uint32_t looked_at;
    size_t bytes;
    struct slice institution;
    struct slice term;
};

static int page_begin(struct page *page, const char *cursor, uint32_t limit, uint32_t limit_max)
{
    page->at = 0;
    page->limit = limit;
    page->looked_at = 0;
    page->bytes = 0;
    if (limit > limit_max ||
        (cursor[0] != '\0' &&
         slice_parse_u64(slice_from_text(cursor), UINT32_MAX, &page->at) != OK)) {
        return ERR_ARGUMENT;
    }
    return OK;
}

/* Whether there is a next object, and room to look at it. */
static bool page_goes_on(const struct page *page, size_t rows)
{
    return page->at < page->end && rows < page->limit && page->looked_at < LOOKED_AT_MAX &&
           page->bytes < PAGE_BYTES_MAX;
}

static char *page_cursor(const struct page *page)
{
    return page->at < page->end
               ? enrol__text(page->enrol, ENROL_EVIDENCE(page->enrol, "%" PRIu64, page->at))
               : enrol__text(page->enrol, SLICE_NONE);
}

/* ---- hashes */

static void hash_add(struct page *page, Carillon__ImportHashesReply *reply, uint32_t kind,
                     uint32_t object)
{
    struct enrol *enrol = page->enrol;
    const struct campus *campus = &enrol->campus;

    page->bytes += ROW_BYTES;

    if (kind == CARILLON__IMPORT_KIND__IMPORT_COURSES) {
        const struct campus_course *course = campus_course(campus, object);

        if (course->state == CAMPUS_OFFERED) {
            reply->names[reply->n_names++] = enrol__text(
                enrol, campus_word(campus, campus_code(campus, course->code)->word)->text);
            reply->hashes[reply->n_hashes++] =
                campus_document(campus, course->document)->content_hash;
        }
        return;
    }
    const struct campus_student *student = campus_student(campus, object);

    if (student->state == CAMPUS_OFFERED) {
        reply->names[reply->n_names++] =
            enrol__text(enrol, campus_profile_token(student->profile));
        reply->hashes[reply->n_hashes++] = student->profile->content_hash;
    }
}

int enrol__read_hashes(struct enrol_reading *reading, const void *body)
{
    const Carillon__ImportHashesRequest *request = body;
    struct enrol *enrol = reading->enrol;
    Carillon__ImportHashesReply reply = CARILLON__IMPORT_HASHES_REPLY__INIT;
    bool is_courses = request->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;
    struct page page = {.enrol = enrol};

    if ((!is_courses && request->kind != CARILLON__IMPORT_KIND__IMPORT_STUDENTS) ||
        page_begin(&page, request->cursor,
                   request->limit == 0 ? HASHES_LIMIT_DEFAULT : request->limit,
                   HASHES_LIMIT_MAX) != OK) {
        return ENROL_SAY(reading->text, ERR_ARGUMENT,
                         "kind, limit or cursor is not acceptable");
    }
    struct slice institution = slice_from_text(request->institution);
    uint32_t catalogue = is_courses ? campus_catalogue_find(&enrol->campus, institution,
                                                            slice_from_text(request->term))
                                    : campus_body_find(&enrol->campus, institution);

    if (catalogue != CAMPUS_NONE) {
        const struct campus_catalogue *of = campus_catalogue(&enrol->campus, catalogue);

        page.end = of->member_count;
        reply.names = enrol__scratch(enrol, page.limit * sizeof(char *));
        reply.hashes = enrol__scratch(enrol, page.limit * sizeof(uint64_t));
        for (; page_goes_on(&page, reply.n_names); page.at++, page.looked_at++) {
            hash_add(&page, &reply, request->kind, of->members[page.at]);
        }
    }
    reply.next_cursor = page_cursor(&page);
    return enrol__pack(&reply.base, reading->reply);
}

/* ---- export */

static bool is_wanted(const struct page *page, const struct campus_catalogue *in)
{
    const struct campus *campus = &page->enrol->campus;

    if (page->institution.len > 0 &&
        !slice_is_equal(campus_word(campus, in->institution)->text, page->institution)) {
        return false;
    }
    return page->term.len == 0 || in->term == CAMPUS_NONE ||
           slice_is_equal(campus_word(campus, in->term)->text, page->term);
}

static Carillon__ExportRow *row_make(struct page *page, uint32_t student, uint32_t section)
{
    struct enrol *enrol = page->enrol;
    Carillon__ExportRow *row = enrol__scratch(enrol, sizeof *row);
    struct campus_name name;

    campus_section_name(&enrol->campus, section, &name);
    carillon__export_row__init(row);
    row->student = enrol__text(
        enrol, campus_profile_token(campus_student(&enrol->campus, student)->profile));
    row->institution = enrol__text(enrol, name.institution);
    row->code = enrol__text(enrol, name.code);
    row->section = enrol__text(enrol, name.section);
    row->term = enrol__text(enrol, name.term);
    page->bytes +=
        ROW_BYTES + name.institution.len + name.code.len + name.section.len + name.term.len;
    return row;
}

/* A student's rows go together, so a page may have a few more than its limit. */
static void export_registrations(struct page *page, Carillon__ExportReply *reply)
{
    struct enrol *enrol = page->enrol;
    const struct campus *campus = &enrol->campus;

    page->end = campus->students.count;
    reply->rows =
        enrol__scratch(enrol, (page->limit + CAMPUS_REGISTRATIONS_MAX) * sizeof(void *));
    for (; page_goes_on(page, reply->n_rows); page->at++, page->looked_at++) {
        uint32_t ordinal = (uint32_t)page->at;
        const struct campus_student *student = campus_student(campus, ordinal);

        /* a stand-in's are in his home's part of the export */
        for (uint32_t i = 0; i < student->registration_count && !student->is_foreign; i++) {
            const struct campus_registration *registration = campus_registration(student, i);
            uint32_t section = registration->section;

            if (is_wanted(page, campus_catalogue(campus,
                                                 campus_section(campus, section)->catalogue))) {
                Carillon__ExportRow *row = row_make(page, ordinal, section);

                row->since_index = campus_registration_index(registration);
                row->over_capacity = campus_registration_is_over(registration);
                reply->rows[reply->n_rows++] = row;
            }
        }
    }
}

/* A section's line goes together; it is bounded by the limit of its catalogue. */
static void export_waitlists(struct page *page, Carillon__ExportReply *reply)
{
    struct enrol *enrol = page->enrol;
    const struct campus *campus = &enrol->campus;

    page->end = campus->sections.count;
    reply->rows = enrol__scratch(enrol, (page->limit + CAMPUS_WAITLIST_MAX) * sizeof(void *));
    for (; page_goes_on(page, reply->n_rows); page->at++, page->looked_at++) {
        uint32_t ordinal = (uint32_t)page->at;
        const struct campus_section *section = campus_section(campus, ordinal);
        uint32_t number = 0;

        if (section->waiting == 0 || campus_course(campus, section->course)->is_foreign ||
            !is_wanted(page, campus_catalogue(campus, section->catalogue))) {
            continue;
        }
        for (uint32_t at = section->wait_first; at != CAMPUS_NONE;
             at = campus_place(campus, at)->next) {
            Carillon__ExportRow *row =
                row_make(page, campus_place(campus, at)->student, ordinal);

            row->since_index = campus_place(campus, at)->since_index;
            row->place = ++number;
            reply->rows[reply->n_rows++] = row;
        }
    }
}

static void export_courses(struct page *page, Carillon__ExportReply *reply)
{
    struct enrol *enrol = page->enrol;
    const struct campus *campus = &enrol->campus;

    page->end = campus->courses.count;
    reply->courses = enrol__scratch(enrol, page->limit * sizeof(void *));
    for (; page_goes_on(page, reply->n_courses); page->at++, page->looked_at++) {
        const struct campus_course *course = campus_course(campus, (uint32_t)page->at);

        if (course->state != CAMPUS_OFFERED ||
            !is_wanted(page, campus_catalogue(campus, course->catalogue))) {
            continue;
        }
        const struct campus_document *document = campus_document(campus, course->document);
        Carillon__Course *message =
            wire_unpack(&carillon__course__descriptor,
                        slice_from(document->blob, document->blob_len), &enrol->scratch);

        if (message != NULL) {
            reply->courses[reply->n_courses++] = message;
            page->bytes += document->blob_len;
        }
    }
}

static Carillon__Student *student_message(struct enrol *enrol,
                                          const struct campus_student *student)
{
    const struct campus *campus = &enrol->campus;
    const struct campus_profile *profile = student->profile;
    const struct campus_catalogue *body = campus_catalogue(campus, student->body);
    Carillon__Student *message = enrol__scratch(enrol, sizeof *message);

    carillon__student__init(message);
    message->institution = enrol__text(enrol, campus_word(campus, body->institution)->text);
    message->token = enrol__text(enrol, campus_profile_token(profile));
    message->name = enrol__text(enrol, campus_profile_name(profile));
    message->level = profile->level;
    message->content_hash = profile->content_hash;
    message->n_taken = profile->taken_count;
    message->taken = enrol__scratch(enrol, profile->taken_count * sizeof(void *));
    for (uint32_t i = 0; i < profile->taken_count; i++) {
        const struct campus_code *code = campus_code(campus, profile->taken[i].code);
        Carillon__Taken *taken = enrol__scratch(enrol, sizeof *taken);

        carillon__taken__init(taken);
        if (code->institution != body->institution) {
            taken->institution =
                enrol__text(enrol, campus_word(campus, code->institution)->text);
        }
        taken->code = enrol__text(enrol, campus_word(campus, code->word)->text);
        taken->grade = profile->taken[i].grade;
        taken->credits_hundredths = profile->taken[i].credits;
        message->taken[i] = taken;
    }
    return message;
}

static void export_students(struct page *page, Carillon__ExportReply *reply)
{
    const struct campus *campus = &page->enrol->campus;

    page->end = campus->students.count;
    reply->students = enrol__scratch(page->enrol, page->limit * sizeof(void *));
    for (; page_goes_on(page, reply->n_students); page->at++, page->looked_at++) {
        const struct campus_student *student = campus_student(campus, (uint32_t)page->at);

        if (student->state == CAMPUS_OFFERED &&
            is_wanted(page, campus_catalogue(campus, student->body))) {
            reply->students[reply->n_students++] = student_message(page->enrol, student);
            page->bytes += student->profile->bytes * (size_t)4; /* codes are longer as text */
        }
    }
}

int enrol__read_export(struct enrol_reading *reading, const void *body)
{
    const Carillon__ExportRequest *request = body;
    Carillon__ExportReply reply = CARILLON__EXPORT_REPLY__INIT;
    struct page page = {
        .enrol = reading->enrol,
        .institution = slice_from_text(request->institution),
        .term = slice_from_text(request->term),
    };

    if (page_begin(&page, request->cursor,
                   request->limit == 0 ? EXPORT_LIMIT_DEFAULT : request->limit,
                   EXPORT_LIMIT_MAX) != OK) {
        return ENROL_SAY(reading->text, ERR_ARGUMENT, "limit or cursor is not acceptable");
    }
    switch (request->kind) {
    case CARILLON__EXPORT_KIND__EXPORT_REGISTRATIONS:
        export_registrations(&page, &reply);
        break;
    case CARILLON__EXPORT_KIND__EXPORT_COURSES:
        export_courses(&page, &reply);
        break;
    case CARILLON__EXPORT_KIND__EXPORT_STUDENTS:
        export_students(&page, &reply);
        break;
    case CARILLON__EXPORT_KIND__EXPORT_WAITLISTS:
        export_waitlists(&page, &reply);
        break;
    case CARILLON__EXPORT_KIND__EXPORT_NONE:
    case _CARILLON__EXPORT_KIND_IS_INT_SIZE:
    default:
        return ENROL_SAY(reading->text, ERR_ARGUMENT, "nothing of that kind can be exported");
    }
    reply.next_cursor = page_cursor(&page);
    reply.as_of = enrol__as_of(reading->enrol);
    return enrol__pack(&reply.base, reading->reply);
}
