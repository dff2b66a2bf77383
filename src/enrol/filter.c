/* What search asks about a document and a student. */
#include "campus/name.h"
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

/* ---- a student of another state: the same names may have other numbers here */

/* A word of @from in @to, or CAMPUS_NONE. */
static uint32_t word_in(const struct campus *to, const struct campus *from, uint32_t word)
{
    return to == from ? word : campus_word_find(to, campus_word(from, word)->text);
}

static uint32_t code_in(const struct campus *to, const struct campus *from, uint32_t ordinal)
{
    const struct campus_code *code = campus_code(from, ordinal);
    uint32_t institution = word_in(to, from, code->institution);
    uint32_t word = word_in(to, from, code->word);

    return institution == CAMPUS_NONE || word == CAMPUS_NONE
               ? CAMPUS_NONE
               : campus_code_find(to, institution, word);
}

/* What a rule here looks at of a student at home elsewhere. */
struct visitor {
    struct campus_student student;
    uint32_t codes[CAMPUS_REGISTRATIONS_MAX];
    uint32_t code_count;
    uint64_t credits_more;
    _Alignas(struct campus_profile) uint8_t profile[sizeof(struct campus_profile) +
                                                    CAMPUS_TAKEN_MAX *
                                                        sizeof(struct campus_taken)];
};

/* In order of codes, each of which comes once. */
static void add_taken(struct campus_profile *profile, struct campus_taken taken)
{
    uint32_t at = profile->taken_count++;

    while (at > 0 && profile->taken[at - 1].code > taken.code) {
        profile->taken[at] = profile->taken[at - 1];
        at--;
    }
    profile->taken[at] = taken;
}

static void visit_taken(struct visitor *visitor, const struct campus *campus,
                        struct enrol_seeker seeker)
{
    const struct campus *home = &seeker.home->campus;
    const struct campus_profile *profile = campus_student(home, seeker.student)->profile;

    visitor->student.profile->level = profile->level;
    for (uint32_t i = 0; i < profile->taken_count; i++) {
        struct campus_taken taken = profile->taken[i];
        uint32_t code = code_in(campus, home, taken.code);

        if (taken.credits == 0) { /* as the home's catalogue says, where it knows */
            taken.credits = (uint16_t)rule_credits_of(home, taken.code);
        }
        taken.code = code;
        if (code != CAMPUS_NONE) {
            add_taken(visitor->student.profile, taken);
        } else if (campus_taken_is_passed(&taken)) {
            visitor->credits_more += taken.credits;
        }
    }
}

/* @term: a word here; the student's courses of other terms are beside nothing. */
static void visit(struct visitor *visitor, const struct campus *campus,
                  struct enrol_seeker seeker, uint32_t term)
{
    const struct campus *home = &seeker.home->campus;
    const struct campus_student *who = campus_student(home, seeker.student);

    memset(visitor, 0, sizeof *visitor);
    visitor->student.profile = (struct campus_profile *)(void *)visitor->profile;
    visitor->student.level = who->level;
    visit_taken(visitor, campus, seeker);
    for (uint32_t i = 0; i < who->registration_count; i++) {
        const struct campus_section *section =
            campus_section(home, campus_registration(who, i)->section);
        const struct campus_course *course = campus_course(home, section->course);
        uint32_t code = code_in(campus, home, course->code);

        if (code != CAMPUS_NONE &&
            word_in(campus, home, campus_catalogue(home, course->catalogue)->term) == term) {
            visitor->codes[visitor->code_count++] = code;
        }
    }
}

/* ---- fits */

static bool section_fits(const struct enrol *enrol, const struct campus_section *section,
                         struct enrol_seeker seeker)
{
    const struct campus *home = &seeker.home->campus;
    const struct campus_student *student = campus_student(home, seeker.student);
    uint32_t term = campus_catalogue(&enrol->campus, section->catalogue)->term;

    for (uint32_t i = 0; i < student->registration_count; i++) {
        const struct campus_section *other =
            campus_section(home, campus_registration(student, i)->section);

        if (word_in(&enrol->campus, home, campus_catalogue(home, other->catalogue)->term) ==
                term &&
            campus_sections_clash(section, other)) {
            return false;
        }
    }
    return true;
}

bool enrol_document_fits(const struct enrol *enrol, uint32_t document,
                         struct enrol_seeker seeker)
{
    const struct campus_document *of = campus_document(&enrol->campus, document);

    for (uint32_t i = 0; of->course != CAMPUS_NONE && i < of->offer_count; i++) {
        const struct campus_section *section = offer_section(enrol, of, i);

        if (section->state == CAMPUS_OFFERED && section_fits(enrol, section, seeker)) {
            return true;
        }
    }
    return false;
}

/* ---- eligible */

static bool has_course(const struct rule_facts *facts, uint32_t code)
{
    const struct campus_taken *taken = campus_taken_find(facts->student->profile, code);

    for (uint32_t i = 0; i < facts->code_count; i++) {
        if (facts->codes[i] == code) {
            return true;
        }
    }
    return taken != NULL && campus_taken_is_passed(taken);
}

static bool is_met(const struct campus_document *of, const struct campus_course *course,
                   const struct rule_facts *facts)
{
    struct rule_verdict verdict;

    if (has_course(facts, course->code)) {
        return false;
    }
    rule_judge(of->rule, facts, &verdict);
    return verdict.is_met;
}

bool enrol_document_eligible(const struct enrol *enrol, uint32_t document,
                             struct enrol_seeker seeker)
{
    const struct campus *campus = &enrol->campus;
    const struct campus_document *of = campus_document(campus, document);
    uint32_t sections[CAMPUS_REGISTRATIONS_MAX];
    struct visitor visitor;

    if (of->course == CAMPUS_NONE) {
        return false;
    }
    const struct campus_course *course = campus_course(campus, of->course);
    struct rule_facts facts = {
        .campus = campus, .term = campus_catalogue(campus, course->catalogue)->term};

    if (seeker.home != enrol) {
        visit(&visitor, campus, seeker, facts.term);
        facts.student = &visitor.student;
        facts.codes = visitor.codes;
        facts.code_count = visitor.code_count;
        facts.credits_more = visitor.credits_more;
        return is_met(of, course, &facts);
    }
    facts.student = campus_student(campus, seeker.student);
    facts.sections = sections;
    facts.section_count = facts.student->registration_count;
    for (uint32_t i = 0; i < facts.section_count; i++) {
        sections[i] = campus_registration(facts.student, i)->section;
        if (campus_section(campus, sections[i])->course == of->course) {
            return false;
        }
    }
    return is_met(of, course, &facts);
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
