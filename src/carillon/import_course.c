#include "carillon/import_record.h"

#include <stdlib.h>

#include "base/hash.h"
#include "carillon/import_value.h"
#include "wire/message.h"

void import_course_set_code(struct import_context *context, Carillon__Course *course,
                            struct slice code)
{
    course->code =
        import_text(context, "code", code, IMPORT_CODE_BYTES_MAX, IMPORT_TEXT_REQUIRED);
    if (strpbrk(course->code, ":#@") != NULL) {
        import_context_find(context, IMPORT_FOUND_CODE_CHARACTER, "code",
                            slice_from_text(course->code));
    }
}

void import_course_set_term(struct import_context *context, Carillon__Course *course,
                            struct slice own)
{
    struct slice term = slice_trim(own);

    if (context->term != NULL) {
        term = slice_from_text(context->term);
    } else if (term.len == 0) {
        term = slice_from_text(context->term_default);
    }
    if (!import_is_slug(term)) {
        import_context_find(context, IMPORT_FOUND_INSTITUTION_NAME, "term", term);
        return;
    }
    course->term = import_text(context, "term", term, IMPORT_SLUG_BYTES_MAX, 0);
}

char *import_institution(struct import_context *context, struct slice own)
{
    struct slice name = slice_trim(own);

    if (context->institution != NULL) {
        name = slice_from_text(context->institution);
    } else if (name.len == 0) {
        name = slice_from_text(context->institution_default);
    }
    if (name.len == 0) {
        import_context_find(context, IMPORT_FOUND_INSTITUTION_MISSING, "institution",
                            SLICE_NONE);
        return wire_text("");
    }
    if (!import_is_slug(name)) {
        import_context_find(context, IMPORT_FOUND_INSTITUTION_NAME, "institution", name);
        return wire_text("");
    }
    return import_text(context, "institution", name, IMPORT_SLUG_BYTES_MAX, 0);
}

void import_section_set_capacity(struct import_context *context, Carillon__Section *section,
                                 int64_t capacity)
{
    char evidence[24];

    snprintf(evidence, sizeof evidence, "%lld", (long long)capacity);
    if (capacity < 0) {
        import_context_find(context, IMPORT_FOUND_CAPACITY_NEGATIVE, "capacity",
                            slice_from_text(evidence));
        return;
    }
    if (capacity > IMPORT_CAPACITY_MAX) {
        import_context_find(context, IMPORT_FOUND_CAPACITY_ABSURD, "capacity",
                            slice_from_text(evidence));
        return;
    }
    if (capacity >= IMPORT_CAPACITY_SUSPECT) {
        import_context_find(context, IMPORT_FOUND_CAPACITY_SUSPECT, "capacity",
                            slice_from_text(evidence));
    }
    section->capacity_known = true;
    section->capacity = (uint32_t)capacity;
}

Carillon__Section *import_course_add_section(struct import_context *context,
                                             Carillon__Course *course)
{
    Carillon__Section *section = arena_alloc(context->arena, sizeof *section);

    carillon__section__init(section);
    course->sections =
        import_append(context->arena, course->sections, &course->n_sections, section);
    return section;
}

void import_course_add_instructor(struct import_context *context, Carillon__Course *course,
                                  struct slice name)
{
    char *text = import_text(context, "instructors", name, IMPORT_NAME_BYTES_MAX, 0);

    if (text[0] != '\0') {
        course->instructors =
            import_append(context->arena, course->instructors, &course->n_instructors, text);
    }
}

static bool read_time(struct import_context *context, const char *field, struct slice text,
                      uint32_t *ret_min)
{
    if (import_time_parse(text, ret_min) != OK) {
        import_context_find(context, IMPORT_FOUND_TIME_FORMAT, field, text);
        return false;
    }
    return true;
}

void import_section_add_meeting(struct import_context *context, Carillon__Section *section,
                                struct slice days, struct slice start, struct slice end,
                                struct slice location)
{
    Carillon__Meeting meeting = CARILLON__MEETING__INIT;

    days = slice_trim(days);
    start = slice_trim(start);
    end = slice_trim(end);
    if (days.len == 0 || start.len == 0 || end.len == 0) {
        import_context_find(context, IMPORT_FOUND_MEETING_INCOMPLETE,
                            days.len == 0    ? "days"
                            : start.len == 0 ? "start"
                                             : "end",
                            SLICE_NONE);
        return;
    }
    if (import_days_parse(days, &meeting.days) != OK) {
        import_context_find(context, IMPORT_FOUND_DAYS_LETTER, "days", days);
    }
    bool has_start = read_time(context, "start", start, &meeting.start_min);
    bool has_end = read_time(context, "end", end, &meeting.end_min);

    if (has_start && has_end && meeting.end_min <= meeting.start_min) {
        import_context_find(context, IMPORT_FOUND_TIME_ORDER, "end", end);
    }
    meeting.location = import_text(context, "location", location, IMPORT_NAME_BYTES_MAX, 0);

    Carillon__Meeting *copy = arena_alloc(context->arena, sizeof *copy);

    *copy = meeting;
    section->meetings =
        import_append(context->arena, section->meetings, &section->n_meetings, copy);
}

static void check_sections(struct import_context *context, const Carillon__Course *course)
{
    char evidence[64];

    if (course->n_sections > IMPORT_SECTIONS_MAX) {
        snprintf(evidence, sizeof evidence, "%zu, at most %d", course->n_sections,
                 IMPORT_SECTIONS_MAX);
        import_context_find(context, IMPORT_FOUND_TOO_MANY, "sections",
                            slice_from_text(evidence));
        return;
    }
    for (size_t i = 0; i < course->n_sections; i++) {
        const Carillon__Section *section = course->sections[i];

        import_context_enter(context, "sections", i);
        if (section->n_meetings > IMPORT_MEETINGS_MAX) {
            snprintf(evidence, sizeof evidence, "%zu, at most %d", section->n_meetings,
                     IMPORT_MEETINGS_MAX);
            import_context_find(context, IMPORT_FOUND_TOO_MANY, "meetings",
                                slice_from_text(evidence));
        }
        for (size_t j = 0; j < i && section->id[0] != '\0'; j++) {
            if (strcmp(section->id, course->sections[j]->id) == 0) {
                import_context_find(context, IMPORT_FOUND_SECTION_DUPLICATE, "id",
                                    slice_from_text(section->id));
                break;
            }
        }
    }
    context->prefix[0] = '\0';
}

/* The hash of a message packed with hash 0, and the check that the record fits a chunk. */
static uint64_t hash_message(struct import_context *context, const ProtobufCMessage *message)
{
    buf_clear(&context->packed);
    if (wire_pack(message, &context->packed) != OK ||
        context->packed.len > IMPORT_RECORD_BYTES_MAX) {
        char evidence[64];

        snprintf(evidence, sizeof evidence, "%zu bytes",
                 protobuf_c_message_get_packed_size(message));
        import_find(context->report, IMPORT_FOUND_RECORD_TOO_LARGE, NULL,
                    slice_from_text(evidence));
        return 0;
    }
    return hash_slice(buf_slice(&context->packed));
}

void import_course_finish(struct import_context *context, Carillon__Course *course)
{
    char evidence[64];

    if (course->title[0] == '\0') {
        import_context_find(context, IMPORT_FOUND_TITLE_EMPTY, "title",
                            slice_from_text(course->code));
    }
    if (course->n_instructors > IMPORT_INSTRUCTORS_MAX) {
        snprintf(evidence, sizeof evidence, "%zu, at most %d", course->n_instructors,
                 IMPORT_INSTRUCTORS_MAX);
        import_context_find(context, IMPORT_FOUND_TOO_MANY, "instructors",
                            slice_from_text(evidence));
    }
    check_sections(context, course);
    course->content_hash = 0;
    course->content_hash = hash_message(context, &course->base);
}

static int compare_taken(const void *a, const void *b)
{
    const Carillon__Taken *left = *(Carillon__Taken *const *)a;
    const Carillon__Taken *right = *(Carillon__Taken *const *)b;
    int order = strcmp(left->institution, right->institution);

    return order != 0 ? order : strcmp(left->code, right->code);
}

void import_student_finish(struct import_context *context, Carillon__Student *student)
{
    char evidence[64];

    /* What was taken is a set: another order in the file is no change. */
    if (student->n_taken > 1) {
        qsort(student->taken, student->n_taken, sizeof student->taken[0], compare_taken);
    }

    if (student->n_taken > IMPORT_TAKEN_MAX) {
        snprintf(evidence, sizeof evidence, "%zu, at most %d", student->n_taken,
                 IMPORT_TAKEN_MAX);
        import_context_find(context, IMPORT_FOUND_TOO_MANY, "taken", slice_from_text(evidence));
    }
    student->content_hash = 0;
    student->content_hash = hash_message(context, &student->base);
}
