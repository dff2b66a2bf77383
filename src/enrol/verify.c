/* Walks the invariants of the state, a slice at a time. Entries may be applied between slices:
 * each object is checked as it is at its moment. What held when a registration was made is
 * judged again only where nothing it rests on has changed since (the course, the profile, the
 * limits), and permits that were in force are on record in the registration itself. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/sm.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/student.h"
#include "enrol/verify_private.h"
#include "wire/message.h"

enum { SCANNED_ROSTER_MAX = 512 }; /* a longer one is searched by halving */

struct enrol_verify *enrol_verify_begin(struct enrol *enrol)
{
    struct arena own;

    arena_init(&own, sizeof(struct enrol_verify) + (uint64_t)VERIFY_FINDINGS_MAX * VERIFY_FINDING_BYTES);
    struct enrol_verify *verify = arena_alloc_zero(&own, sizeof *verify);

    verify->own = own;
    verify->enrol = enrol;
    verify->begun_at = enrol->index;
    verify->answer = enrol->answers.first;
    verify->hash = hash_u64(enrol->index);
    return verify;
}

void enrol__verify_find(struct enrol_verify *verify, int rc)
{
    const struct buf *line = &verify->enrol->line;

    ASSERT(rc == OK);
    if (verify->finding_count < VERIFY_FINDINGS_MAX) {
        char *text = arena_alloc_zero(&verify->own, line->len + 1);

        memcpy(text, line->data, line->len);
        verify->findings[verify->finding_count++] = text;
    }
}

/* ---- students: invariants 2, 3, 4, 6 and 7 */

static bool is_on_roster(struct enrol_verify *verify, uint32_t student,
                         const struct campus_registration *registration)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_section *section = campus_section(campus, registration->section);
    uint32_t low = 0;
    uint32_t high = section->enrolled;

    /* A roster ascends by index: halve a long one down to the entries of this index. */
    while (high - low > SCANNED_ROSTER_MAX) {
        uint32_t middle = low + (high - low) / 2;
        const struct campus_registration *there = campus_registration_find(
            campus_student(campus, section->roster[middle]), registration->section);

        if (there != NULL &&
            campus_registration_index(there) < campus_registration_index(registration)) {
            low = middle + 1;
        } else if (there != NULL &&
                   campus_registration_index(there) > campus_registration_index(registration)) {
            high = middle;
        } else {
            break;
        }
    }
    verify->work += (high - low) / VERIFY_SCANNED_PER_WORK;
    for (uint32_t i = low; i < high; i++) {
        if (section->roster[i] == student) {
            return true;
        }
    }
    return false;
}

/* Whether the registration's course has stayed what it was. */
static bool is_unchanged(const struct campus *campus,
                         const struct campus_registration *registration)
{
    const struct campus_section *section = campus_section(campus, registration->section);

    return campus_course(campus, section->course)->changed_index <
           campus_registration_index(registration);
}

static void check_pair(struct enrol_verify *verify, uint32_t student,
                       const struct campus_registration *a, const struct campus_registration *b)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_section *of_a = campus_section(campus, a->section);
    const struct campus_section *of_b = campus_section(campus, b->section);
    uint32_t permits = campus_registration_permits(a) | campus_registration_permits(b);
    /* The times of a stand-in are those of some decision, not of this one; and for a student of
     * another shard they were judged there, before a change that came here before its news. */
    bool is_foreign = campus_student(campus, student)->is_foreign ||
                      campus_course(campus, of_a->course)->is_foreign ||
                      campus_course(campus, of_b->course)->is_foreign;

    if (of_a->course == of_b->course) {
        VERIFY_FIND(verify, "student %u: sections %u and %u are of the same course", student,
             a->section, b->section);
    }
    if (!is_foreign && (permits & CARILLON__PERMIT_KIND__PERMIT_TIME) == 0 && is_unchanged(campus, a) &&
        is_unchanged(campus, b) &&
        enrol__term_of(campus, a->section) == enrol__term_of(campus, b->section) &&
        campus_sections_clash(of_a, of_b)) {
        VERIFY_FIND(verify, "student %u: sections %u and %u meet at the same time", student,
             a->section, b->section);
    }
}

/* What was allowed when the newest registration of a term was made holds for what is left of
 * it. Within one entry the later in order is the newer. */
static void check_load(struct enrol_verify *verify, uint32_t student, uint32_t place)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_student *of = campus_student(campus, student);
    const struct campus_registration *newest = campus_registration(of, place);
    const struct campus_catalogue *in =
        campus_catalogue(campus, campus_section(campus, newest->section)->catalogue);
    bool is_comparable = in->limits_index < campus_registration_index(newest);
    uint64_t credits = 0;
    uint32_t courses = 0;

    for (uint32_t i = 0; i < of->registration_count; i++) {
        const struct campus_registration *at = campus_registration(of, i);

        if (enrol__term_of(campus, at->section) != in->term) {
            continue;
        }
        if (campus_registration_index(at) > campus_registration_index(newest) ||
            (i > place && campus_registration_index(at) == campus_registration_index(newest))) {
            return; /* not the newest after all */
        }
        const struct campus_course *course =
            campus_course(campus, campus_section(campus, at->section)->course);

        courses++;
        credits += course->credits == CAMPUS_NONE ? 0 : course->credits;
        is_comparable =
            is_comparable && course->changed_index < campus_registration_index(newest);
    }
    if (is_comparable && courses > in->courses_max) {
        VERIFY_FIND(verify, "student %u: %u courses in a term of %u", student, courses,
             in->courses_max);
    }
    if (is_comparable && in->credits_max != 0 && credits > in->credits_max) {
        VERIFY_FIND(verify, "student %u: %llu hundredths of credits in a term of %u", student,
             (unsigned long long)credits, in->credits_max);
    }
}

/* Rules that ask for credits rest on other courses too; those that ask for a course beside, on
 * permits that may have been taken back: such are judged only for students who never had any.
 */
static bool is_rule_comparable(const struct campus_student *student,
                               const struct campus_rule *rule)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        if (rule->nodes[i].kind == CARILLON__RULE_KIND__RULE_CREDITS ||
            (rule->nodes[i].concurrent && student->extra != NULL)) {
            return false;
        }
    }
    return true;
}

static void check_rule(struct enrol_verify *verify, uint32_t student,
                       const struct campus_registration *registration)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_student *of = campus_student(campus, student);
    const struct campus_section *section = campus_section(campus, registration->section);
    const struct campus_rule *rule = campus_course(campus, section->course)->rule;
    uint32_t sections[CAMPUS_REGISTRATIONS_MAX];
    struct rule_verdict verdict;

    if (rule == NULL || of->is_foreign ||
        campus_course(campus, section->course)->is_foreign ||
        !is_unchanged(campus, registration) ||
        of->profile_index >= campus_registration_index(registration) ||
        (campus_registration_permits(registration) & CARILLON__PERMIT_KIND__PERMIT_RULE) != 0 ||
        !is_rule_comparable(of, rule)) {
        return;
    }
    for (uint32_t i = 0; i < of->registration_count; i++) {
        sections[i] = campus_registration(of, i)->section;
    }
    const struct rule_facts facts = {
        .campus = campus,
        .student = of,
        .term = enrol__term_of(campus, registration->section),
        .sections = sections,
        .section_count = of->registration_count,
    };

    rule_judge(rule, &facts, &verdict);
    if (!verdict.is_met) {
        VERIFY_FIND(verify, "student %u: registered in section %u against its rule", student,
             registration->section);
    }
}

static void check_student(struct enrol_verify *verify, uint32_t ordinal)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_student *student = campus_student(campus, ordinal);

    for (uint32_t i = 0; i < student->registration_count; i++) {
        const struct campus_registration *registration = campus_registration(student, i);

        if (!is_on_roster(verify, ordinal, registration)) {
            VERIFY_FIND(verify, "student %u: registered in section %u, which does not know", ordinal,
                 registration->section);
        }
        for (uint32_t j = 0; j < i; j++) {
            check_pair(verify, ordinal, campus_registration(student, j), registration);
        }
        check_load(verify, ordinal, i);
        check_rule(verify, ordinal, registration);
    }
    if (student->state == CAMPUS_HIDDEN && !student->is_foreign &&
        student->registration_count > 0) {
        VERIFY_FIND(verify, "student %u: removed, and registered", ordinal);
    }
    verify->work += 1U + 2U * student->registration_count;
    verify->students += student->is_foreign ? 0 : 1;
}

/* ---- slices */

/* What of the state is hashed next; nothing, once entries were applied: a hash of several states
 * would be of no use. Returns: false when there is nothing more. */
static bool hash_next(struct enrol_verify *verify)
{
    struct enrol *enrol = verify->enrol;

    if (enrol->index != verify->begun_at) {
        return false;
    }
    if (!verify->is_campus_hashed) {
        verify->is_campus_hashed = !campus_hash_step(
            &enrol->campus, &verify->hash_cursor, VERIFY_HASH_BYTES, &verify->hash);
        verify->work += VERIFY_WORK_HASHING;
    } else if (verify->answer != enrol->answers.next) {
        verify->hash += enrol__answer_hash(enrol, verify->answer++);
        verify->work++;
    } else if (verify->token < enrol->tokens.count) {
        verify->hash += enrol__token_hash(enrol, verify->token++);
        verify->work++;
    } else if (!verify->is_across_hashed) {
        verify->hash += enrol__across_hash(enrol);
        verify->is_across_hashed = true;
        verify->work += VERIFY_WORK_HASHING;
    } else {
        return false;
    }
    return true;
}

int enrol_verify_step(struct enrol_verify *verify)
{
    const struct campus *campus = &verify->enrol->campus;
    bool is_over = false;

    verify->work = 0;
    while (!is_over && verify->work < VERIFY_WORK_PER_STEP) {
        if (verify->section < campus->sections.count) {
            verify->work += enrol__verify_section(verify) ? 1 : 0;
        } else if (verify->student < campus->students.count) {
            check_student(verify, verify->student++);
        } else {
            is_over = !hash_next(verify);
        }
    }
    verify->work_most = verify->work > verify->work_most ? verify->work : verify->work_most;
    return is_over ? OK : SM_PENDING;
}

uint32_t enrol_verify_work_most(const struct enrol_verify *verify)
{
    return verify->work_most;
}

int enrol_verify_end(struct enrol_verify *verify, struct buf *reply)
{
    int rc = OK;

    if (verify == NULL) {
        return OK;
    }
    if (reply != NULL) {
        const struct enrol *enrol = verify->enrol;
        Carillon__VerifyReply message = CARILLON__VERIFY_REPLY__INIT;
        bool is_whole = verify->is_campus_hashed && verify->answer == enrol->answers.next &&
                        verify->token == enrol->tokens.count && verify->is_across_hashed;

        message.ok = verify->finding_count == 0;
        message.index = enrol->index;
        message.state_hash = is_whole && enrol->index == verify->begun_at ? verify->hash : 0;
        message.n_findings = verify->finding_count;
        message.findings = verify->findings;
        message.sections_checked = verify->sections;
        message.students_checked = verify->students;
        message.registrations_checked = verify->registrations;
        rc = enrol__pack(&message.base, reply);
    }
    struct arena own = verify->own;

    arena_fini(&own);
    return rc;
}
