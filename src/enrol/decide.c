/* The student's side of judging: what the home knows. Blocks, times, how much is too much, and
 * what a drop breaks. */
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"

/* 1 and 2, for requests that add something. */
void enrol__decide_student(struct enrol_attempt *attempt)
{
    const struct campus_student *student =
        attempt->who;

    if (!attempt->has_add) {
        return;
    }
    if (student->state == CAMPUS_WITHDRAWN) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_STUDENT_WITHDRAWN, ENROL_WHOLE,
                      SLICE_NONE);
    }
    for (uint32_t i = 0; student->extra != NULL && i < student->extra->block_count; i++) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_BLOCKED, ENROL_WHOLE,
                      student->extra->blocks[i].reason);
    }
}

/* 12. */
void enrol__decide_times(struct enrol_attempt *attempt, uint32_t op_index)
{
    const struct enrol *enrol = attempt->enrol;
    uint32_t ordinal = attempt->ops[op_index].section;
    const struct campus_section *section = campus_section(&enrol->campus, ordinal);
    uint32_t term = enrol__term_of(&enrol->campus, ordinal);

    if (section->meeting_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < attempt->after_count; i++) {
        uint32_t other = attempt->after[i];

        if (i >= attempt->kept_count && attempt->after_op[i] >= op_index) {
            break;
        }
        if (other == ordinal || enrol__term_of(&enrol->campus, other) != term ||
            !campus_sections_clash(section, campus_section(&enrol->campus, other))) {
            continue;
        }
        if (!enrol__has_permit(attempt, ordinal,
                               CARILLON__PERMIT_KIND__PERMIT_TIME) &&
            !enrol__has_permit(attempt, other,
                               CARILLON__PERMIT_KIND__PERMIT_TIME)) {
            enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_TIME_CONFLICT, op_index,
                          enrol__evidence_section(attempt, other));
        }
    }
}

/* 15 and 16 for one (institution, term): the limits are its own, the load is that of the whole
 * term. */
static void judge_load(struct enrol_attempt *attempt, uint32_t catalogue)
{
    struct enrol *enrol = attempt->enrol;
    const struct campus_catalogue *in = campus_catalogue(&enrol->campus, catalogue);
    uint32_t courses = 0;
    uint64_t credits = 0;

    for (uint32_t i = 0; i < attempt->after_count; i++) {
        if (enrol__term_of(&enrol->campus, attempt->after[i]) != in->term) {
            continue;
        }
        courses++;
        if (in->credits_max != 0) {
            const struct campus_section *section =
                campus_section(&enrol->campus, attempt->after[i]);
            uint32_t known = campus_course(&enrol->campus, section->course)->credits;

            credits += known == CAMPUS_NONE ? 0 : known;
        }
    }
    if (courses > in->courses_max) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_COURSE_LIMIT, ENROL_WHOLE,
                      ENROL_EVIDENCE(enrol, "%u of %u", courses, in->courses_max));
    }
    if (in->credits_max != 0 && credits > in->credits_max) {
        enrol__refuse(
            attempt, CARILLON__REFUSAL_KIND__REFUSAL_CREDIT_LOAD_EXCEEDED, ENROL_WHOLE,
            ENROL_EVIDENCE(enrol, "%llu.%02u of %u.%02u", (unsigned long long)(credits / 100),
                           (unsigned)(credits % 100), in->credits_max / 100,
                           in->credits_max % 100));
    }
}

static bool rule_holds(const struct enrol_attempt *attempt, uint32_t section,
                       const uint32_t *sections, uint32_t count)
{
    const struct campus *campus = &attempt->enrol->campus;
    const struct campus_section *of = campus_section(campus, section);
    struct rule_verdict verdict;
    const struct rule_facts facts = {
        .campus = campus,
        .student = attempt->who,
        .term = enrol__term_of(campus, section),
        .sections = sections,
        .section_count = count,
    };

    rule_judge(campus_course(campus, of->course)->rule, &facts, &verdict);
    return verdict.is_met;
}

/* 17: who keeps a course that needs the dropped one beside it. */
static void judge_corequisites(struct enrol_attempt *attempt, uint32_t op_index)
{
    const struct campus *campus = &attempt->enrol->campus;
    const struct campus_student *student = attempt->who;
    const struct campus_section *dropped =
        campus_section(campus, attempt->ops[op_index].section);
    uint32_t code = campus_course(campus, dropped->course)->code;
    uint32_t before[CAMPUS_REGISTRATIONS_MAX];

    for (uint32_t i = 0; i < student->registration_count; i++) {
        before[i] = campus_registration(student, i)->section;
    }
    for (uint32_t i = 0; i < attempt->kept_count; i++) {
        uint32_t kept = attempt->after[i];
        const struct campus_course *course =
            campus_course(campus, campus_section(campus, kept)->course);

        if (!rule_needs_beside(course->rule, code) ||
            !rule_holds(attempt, kept, before, student->registration_count) ||
            rule_holds(attempt, kept, attempt->after, attempt->after_count) ||
            enrol__has_permit(attempt, kept,
                              CARILLON__PERMIT_KIND__PERMIT_RULE)) {
            continue;
        }
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_COREQUISITE_MISSING, op_index,
                      enrol__evidence_section(attempt, kept));
    }
}

void enrol__decide_load(struct enrol_attempt *attempt)
{
    const struct campus *campus = &attempt->enrol->campus;
    uint32_t seen[ENROL_OPS_MAX];
    uint32_t seen_count = 0;

    if (attempt->after_count > CAMPUS_REGISTRATIONS_MAX) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_COURSE_LIMIT, ENROL_WHOLE,
                      ENROL_EVIDENCE(attempt->enrol, "%u of %u in all terms",
                                     attempt->after_count, CAMPUS_REGISTRATIONS_MAX));
    }
    for (uint32_t i = attempt->kept_count; i < attempt->after_count; i++) {
        uint32_t catalogue = campus_section(campus, attempt->after[i])->catalogue;
        bool is_seen = false;

        for (uint32_t j = 0; j < seen_count; j++) {
            is_seen = is_seen || seen[j] == catalogue;
        }
        if (!is_seen) {
            seen[seen_count++] = catalogue;
            judge_load(attempt, catalogue);
        }
    }
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct enrol_op *op = &attempt->ops[i];

        if (op->kind == CARILLON__OP_KIND__OP_DROP && !op->is_void &&
            campus_registration_find(attempt->who, op->section) !=
                NULL) {
            judge_corequisites(attempt, i);
        }
    }
}
