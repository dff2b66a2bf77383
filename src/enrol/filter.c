/* What search asks about a document and a student. */
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"

/* The sections that a document offers are those of its course once it is published. */
static const struct campus_section *
offer_section(const struct enrol *enrol, const struct campus_document *document, uint32_t i)
{
    return campus_section(&enrol->campus, document->offers[i].section);
}

bool enrol_document_open(const struct enrol *enrol, uint32_t document)
{
    const struct campus_document *of = campus_document(&enrol->campus, document);

    for (uint32_t i = 0; of->course != CAMPUS_NONE && i < of->offer_count; i++) {
        const struct campus_section *section = offer_section(enrol, of, i);

        if (section->state == CAMPUS_OFFERED && !campus_section_is_full(section)) {
            return true;
        }
    }
    return false;
}

static bool section_fits(const struct enrol *enrol, const struct campus_section *section,
                         const struct campus_student *student)
{
    uint32_t term = campus_catalogue(&enrol->campus, section->catalogue)->term;

    for (uint32_t i = 0; i < student->registration_count; i++) {
        const struct campus_section *other =
            campus_section(&enrol->campus, campus_registration(student, i)->section);

        if (campus_catalogue(&enrol->campus, other->catalogue)->term == term &&
            campus_sections_clash(section, other)) {
            return false;
        }
    }
    return true;
}

bool enrol_document_fits(const struct enrol *enrol, uint32_t document, uint32_t student)
{
    const struct campus_document *of = campus_document(&enrol->campus, document);

    for (uint32_t i = 0; of->course != CAMPUS_NONE && i < of->offer_count; i++) {
        const struct campus_section *section = offer_section(enrol, of, i);

        if (section->state == CAMPUS_OFFERED &&
            section_fits(enrol, section, campus_student(&enrol->campus, student))) {
            return true;
        }
    }
    return false;
}

bool enrol_document_eligible(const struct enrol *enrol, uint32_t document, uint32_t student)
{
    const struct campus *campus = &enrol->campus;
    const struct campus_document *of = campus_document(campus, document);
    const struct campus_student *who = campus_student(campus, student);
    uint32_t sections[CAMPUS_REGISTRATIONS_MAX];
    struct rule_verdict verdict;

    if (of->course == CAMPUS_NONE) {
        return false;
    }
    const struct campus_course *course = campus_course(campus, of->course);
    const struct campus_taken *taken = campus_taken_find(who->profile, course->code);

    if (taken != NULL && campus_taken_is_passed(taken)) {
        return false;
    }
    for (uint32_t i = 0; i < who->registration_count; i++) {
        sections[i] = campus_registration(who, i)->section;
        if (campus_section(campus, sections[i])->course == of->course) {
            return false;
        }
    }
    const struct rule_facts facts = {
        .campus = campus,
        .student = who,
        .term = campus_catalogue(campus, course->catalogue)->term,
        .sections = sections,
        .section_count = who->registration_count,
    };

    rule_judge(of->rule, &facts, &verdict);
    return verdict.is_met;
}

bool enrol_document_next(const struct enrol *enrol, uint32_t *cursor,
                         struct enrol_effect *ret_effect)
{
    const struct campus *campus = &enrol->campus;

    while (*cursor < campus->documents.count) {
        uint32_t document = (*cursor)++;
        const struct campus_document *of = campus_document(campus, document);

        if (of->course == CAMPUS_NONE) {
            continue;
        }
        const struct campus_course *course = campus_course(campus, of->course);
        bool is_shown = course->document == document;

        if (is_shown && course->state != CAMPUS_OFFERED) {
            continue; /* withdrawn: shown, not found */
        }
        *ret_effect = (struct enrol_effect){
            is_shown ? ENROL_DOCUMENT_PUBLISHED : ENROL_DOCUMENT_STAGED, document};
        return true;
    }
    return false;
}
