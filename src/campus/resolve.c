/* Names that people and clients use: parts may be left out when they go without saying. */
#include "campus/name.h"

/* One way a name can be read: institution and term as words, CAMPUS_NONE when left out. */
struct reading {
    uint32_t institution;
    uint32_t term;
    uint32_t found;
    uint32_t matches;
};

static void match_terms(const struct campus *campus, uint32_t code, struct reading *reading)
{
    for (uint32_t at = campus_code(campus, code)->first_course; at != CAMPUS_NONE;
         at = campus_course(campus, at)->next_same_code) {
        const struct campus_course *course = campus_course(campus, at);

        if (course->state == CAMPUS_HIDDEN) {
            continue;
        }
        if (reading->term != CAMPUS_NONE &&
            campus_catalogue(campus, course->catalogue)->term != reading->term) {
            continue;
        }
        reading->found = at;
        reading->matches++;
    }
}

int campus_resolve_course(const struct campus *campus, const struct campus_name *name,
                          uint32_t *ret_course)
{
    struct reading reading = {CAMPUS_NONE, CAMPUS_NONE, CAMPUS_NONE, 0};
    uint32_t word = campus_word_find(campus, name->code);

    if (name->institution.len > 0) {
        reading.institution = campus_word_find(campus, name->institution);
        word = reading.institution == CAMPUS_NONE ? CAMPUS_NONE : word;
    }
    if (name->term.len > 0) {
        reading.term = campus_word_find(campus, name->term);
        word = reading.term == CAMPUS_NONE ? CAMPUS_NONE : word;
    }
    if (word == CAMPUS_NONE) {
        return ERR_UNKNOWN_COURSE;
    }
    for (uint32_t at = campus_word(campus, word)->first_code; at != CAMPUS_NONE;
         at = campus_code(campus, at)->next_same_word) {
        if (reading.institution == CAMPUS_NONE ||
            campus_code(campus, at)->institution == reading.institution) {
            match_terms(campus, at, &reading);
        }
    }
    if (reading.matches != 1) {
        return reading.matches == 0 ? ERR_UNKNOWN_COURSE : ERR_AMBIGUOUS;
    }
    *ret_course = reading.found;
    return OK;
}

/* The only section of @course in @state; the count of those. */
static uint32_t only_section(const struct campus *campus, uint32_t course, uint8_t state,
                             uint32_t *ret_section)
{
    const struct campus_course *in = campus_course(campus, course);
    uint32_t matches = 0;

    for (uint32_t i = 0; i < in->section_count; i++) {
        if (campus_section(campus, in->sections[i].section)->state == state) {
            *ret_section = in->sections[i].section;
            matches++;
        }
    }
    return matches;
}

int campus_resolve_section(const struct campus *campus, const struct campus_name *name,
                           uint32_t *ret_section)
{
    uint32_t course = CAMPUS_NONE;
    uint32_t section = CAMPUS_NONE;
    int rc = campus_resolve_course(campus, name, &course);

    if (rc != OK) {
        return rc;
    }
    if (name->section.len > 0) {
        section = campus_section_find(campus, course, name->section);
        if (section == CAMPUS_NONE || campus_section(campus, section)->state == CAMPUS_HIDDEN) {
            return ERR_UNKNOWN_SECTION;
        }
    } else {
        uint32_t matches = only_section(campus, course, CAMPUS_OFFERED, &section);

        if (matches == 0) {
            matches = only_section(campus, course, CAMPUS_WITHDRAWN, &section);
        }
        if (matches != 1) {
            return matches == 0 ? ERR_UNKNOWN_SECTION : ERR_AMBIGUOUS;
        }
    }
    *ret_section = section;
    return OK;
}

bool campus_section_is_named(const struct campus *campus, uint32_t section,
                             const struct campus_name *name)
{
    if (section >= campus->sections.count || name->institution.len == 0 ||
        name->section.len == 0) {
        return false;
    }
    const struct campus_section *at = campus_section(campus, section);
    const struct campus_course *course = campus_course(campus, at->course);
    const struct campus_code *code = campus_code(campus, course->code);
    struct campus_name full;

    if (at->state == CAMPUS_HIDDEN || course->state == CAMPUS_HIDDEN ||
        code->first_course != at->course || course->next_same_code != CAMPUS_NONE) {
        return false; /* hidden, or one of several terms */
    }
    campus_section_name(campus, section, &full);
    return slice_is_equal(full.section, name->section) &&
           slice_is_equal(full.code, name->code) &&
           slice_is_equal(full.institution, name->institution) &&
           (name->term.len == 0 || slice_is_equal(full.term, name->term));
}

bool campus_student_is_named(const struct campus *campus, uint32_t student, struct slice token)
{
    if (student >= campus->students.count) {
        return false;
    }
    const struct campus_student *at = campus_student(campus, student);

    return at->state != CAMPUS_HIDDEN &&
           slice_is_equal(campus_profile_token(at->profile), token);
}

uint32_t campus_full_name_find(const struct campus *campus, const struct campus_name *name)
{
    uint32_t catalogue = campus_catalogue_find(campus, name->institution, name->term);
    uint32_t course = catalogue == CAMPUS_NONE
                          ? CAMPUS_NONE
                          : campus_course_find(campus, catalogue, name->code);

    return course == CAMPUS_NONE ? CAMPUS_NONE
                                 : campus_section_find(campus, course, name->section);
}

void campus_course_name(const struct campus *campus, uint32_t course,
                        struct campus_name *ret_name)
{
    const struct campus_course *named = campus_course(campus, course);
    const struct campus_catalogue *catalogue = campus_catalogue(campus, named->catalogue);

    ret_name->institution = campus_word(campus, catalogue->institution)->text;
    ret_name->term = campus_word(campus, catalogue->term)->text;
    ret_name->code = campus_word(campus, campus_code(campus, named->code)->word)->text;
    ret_name->section = SLICE_NONE;
}

void campus_section_name(const struct campus *campus, uint32_t section,
                         struct campus_name *ret_name)
{
    const struct campus_section *named = campus_section(campus, section);

    campus_course_name(campus, named->course, ret_name);
    ret_name->section = campus_section_id(named);
}

int campus_name_format(const struct campus_name *name, struct buf *out)
{
    int rc = OK;

    if (name->institution.len > 0) {
        rc = buf_append_slice(out, name->institution);
        rc = rc == OK ? buf_append_byte(out, ':') : rc;
    }
    rc = rc == OK ? buf_append_slice(out, name->code) : rc;
    if (name->section.len > 0) {
        rc = rc == OK ? buf_append_byte(out, '#') : rc;
        rc = rc == OK ? buf_append_slice(out, name->section) : rc;
    }
    return rc;
}
