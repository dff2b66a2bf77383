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
#include "enrol/enrol_private.h"
#include "wire/message.h"

enum {
    WORK_PER_STEP = 256, /* registrations, places and objects: about a microsecond each */
    FINDINGS_MAX = 100,
    FINDING_BYTES = 256,
    SCANNED_ROSTER_MAX = 512, /* a longer one is searched by halving */
};

struct enrol_verify {
    struct arena own;
    struct enrol *enrol;
    uint64_t begun_at; /* index */
    uint32_t section;  /* cursors */
    uint32_t student;
    uint64_t hash_cursor;
    uint32_t answer;
    uint64_t hash;
    uint64_t sections;
    uint64_t students;
    uint64_t registrations;
    uint32_t work;
    uint32_t finding_count;
    bool is_campus_hashed;
    char *findings[FINDINGS_MAX];
};

struct enrol_verify *enrol_verify_begin(struct enrol *enrol)
{
    struct arena own;

    arena_init(&own, sizeof(struct enrol_verify) + (uint64_t)FINDINGS_MAX * FINDING_BYTES);
    struct enrol_verify *verify = arena_alloc_zero(&own, sizeof *verify);

    verify->own = own;
    verify->enrol = enrol;
    verify->begun_at = enrol->index;
    verify->answer = enrol->answers.first;
    verify->hash = hash_u64(enrol->index);
    return verify;
}

static void find(struct enrol_verify *verify, int rc)
{
    const struct buf *line = &verify->enrol->line;

    ASSERT(rc == OK);
    if (verify->finding_count < FINDINGS_MAX) {
        char *text = arena_alloc_zero(&verify->own, line->len + 1);

        memcpy(text, line->data, line->len);
        verify->findings[verify->finding_count++] = text;
    }
}

#define FIND(verify, ...)                                                                      \
    find((verify), buf_append_format(enrol__line((verify)->enrol), __VA_ARGS__))

/* ---- sections: invariants 1, 4 and 9 */

static void check_capacity(struct enrol_verify *verify, uint32_t ordinal)
{
    const struct campus_section *section = campus_section(&verify->enrol->campus, ordinal);
    uint64_t allowed = (uint64_t)section->capacity + section->over + section->excused;

    if (section->capacity != CAMPUS_NONE && section->enrolled > allowed) {
        FIND(verify, "section %u: %u are enrolled, %llu may be", ordinal, section->enrolled,
             (unsigned long long)allowed);
    }
}

static void check_roster(struct enrol_verify *verify, uint32_t ordinal)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_section *section = campus_section(campus, ordinal);
    uint64_t last = 0;
    uint32_t over = 0;

    for (uint32_t i = 0; i < section->enrolled; i++) {
        const struct campus_registration *registration =
            campus_registration_find(campus_student(campus, section->roster[i]), ordinal);

        if (registration == NULL) {
            FIND(verify, "section %u: student %u is on the roster and does not know", ordinal,
                 section->roster[i]);
            continue;
        }
        if (campus_registration_index(registration) < last) {
            FIND(verify, "section %u: the roster is not in order of registration", ordinal);
        }
        last = campus_registration_index(registration);
        over += campus_registration_is_over(registration) ? 1 : 0;
    }
    if (over != section->over) {
        FIND(verify, "section %u: %u are over capacity, %u on record", ordinal, over,
             section->over);
    }
    verify->work += section->enrolled;
    verify->registrations += section->enrolled;
}

static void check_line(struct enrol_verify *verify, uint32_t ordinal)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_section *section = campus_section(campus, ordinal);
    uint64_t last = 0;
    uint32_t count = 0;

    for (uint32_t at = section->wait_first; at != CAMPUS_NONE;
         at = campus_place(campus, at)->next) {
        const struct campus_place *place = campus_place(campus, at);

        if (place->section != ordinal || place->since_index < last ||
            campus_place_find(campus, place->student, ordinal) != at) {
            FIND(verify, "section %u: the waitlist is not in order", ordinal);
        }
        if (campus_registration_find(campus_student(campus, place->student), ordinal) != NULL) {
            FIND(verify, "section %u: student %u is registered and waits", ordinal,
                 place->student);
        }
        last = place->since_index;
        count++;
    }
    if (count != section->waiting) {
        FIND(verify, "section %u: %u wait, %u on record", ordinal, count, section->waiting);
    }
    verify->work += count;
}

/* Whether a window decides when students move in or out of the section: windows open by the
 * clock and not by an entry. */
static bool has_window(const struct campus *campus, uint32_t ordinal)
{
    const struct campus_catalogue *in =
        campus_catalogue(campus, campus_section(campus, ordinal)->catalogue);

    return in->opens_ms != 0 || in->closes_ms != 0;
}

/* The same of what those who wait would drop for a seat. */
static bool has_window_beside(const struct campus *campus, const struct campus_section *section)
{
    for (uint32_t at = section->wait_first; at != CAMPUS_NONE;
         at = campus_place(campus, at)->next) {
        const struct campus_place *place = campus_place(campus, at);

        for (uint32_t i = 0; i < place->drop_count; i++) {
            if (has_window(campus, place->drops[i])) {
                return true;
            }
        }
    }
    return false;
}

/* A free seat while someone eligible waits. Sections under a window are left to their next
 * entry. */
static void check_stalled(struct enrol_verify *verify, uint32_t ordinal)
{
    struct enrol *enrol = verify->enrol;
    const struct campus_section *section = campus_section(&enrol->campus, ordinal);

    if (!campus_section_is_stalled(section) || has_window(&enrol->campus, ordinal) ||
        has_window_beside(&enrol->campus, section)) {
        return;
    }
    arena_reset(&enrol->scratch);
    if (enrol__has_eligible(enrol, ordinal, enrol->wall_ms)) {
        FIND(verify, "section %u: a seat is free while someone eligible waits", ordinal);
    }
    verify->work += section->waiting;
}

static void check_section(struct enrol_verify *verify, uint32_t ordinal)
{
    check_capacity(verify, ordinal);
    check_roster(verify, ordinal);
    check_line(verify, ordinal);
    check_stalled(verify, ordinal);
    verify->sections++;
}

/* ---- students: invariants 2, 3, 4, 6 and 7 */

static bool is_on_roster(const struct campus *campus, uint32_t student,
                         const struct campus_registration *registration)
{
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

    if (of_a->course == of_b->course) {
        FIND(verify, "student %u: sections %u and %u are of the same course", student,
             a->section, b->section);
    }
    if ((permits & CARILLON__PERMIT_KIND__PERMIT_TIME) == 0 && is_unchanged(campus, a) &&
        is_unchanged(campus, b) &&
        enrol__term_of(campus, a->section) == enrol__term_of(campus, b->section) &&
        campus_sections_clash(of_a, of_b)) {
        FIND(verify, "student %u: sections %u and %u meet at the same time", student,
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
        FIND(verify, "student %u: %u courses in a term of %u", student, courses,
             in->courses_max);
    }
    if (is_comparable && in->credits_max != 0 && credits > in->credits_max) {
        FIND(verify, "student %u: %llu hundredths of credits in a term of %u", student,
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

    if (rule == NULL || !is_unchanged(campus, registration) ||
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
        .student = student,
        .term = enrol__term_of(campus, registration->section),
        .sections = sections,
        .section_count = of->registration_count,
    };

    rule_judge(rule, &facts, &verdict);
    if (!verdict.is_met) {
        FIND(verify, "student %u: registered in section %u against its rule", student,
             registration->section);
    }
}

static void check_student(struct enrol_verify *verify, uint32_t ordinal)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_student *student = campus_student(campus, ordinal);

    for (uint32_t i = 0; i < student->registration_count; i++) {
        const struct campus_registration *registration = campus_registration(student, i);

        if (!is_on_roster(campus, ordinal, registration)) {
            FIND(verify, "student %u: registered in section %u, which does not know", ordinal,
                 registration->section);
        }
        for (uint32_t j = 0; j < i; j++) {
            check_pair(verify, ordinal, campus_registration(student, j), registration);
        }
        check_load(verify, ordinal, i);
        check_rule(verify, ordinal, registration);
    }
    if (student->state == CAMPUS_HIDDEN && student->registration_count > 0) {
        FIND(verify, "student %u: removed, and registered", ordinal);
    }
    verify->work += 1U + 2U * student->registration_count;
    verify->students++;
}

/* ---- slices */

int enrol_verify_step(struct enrol_verify *verify)
{
    struct enrol *enrol = verify->enrol;
    const struct campus *campus = &enrol->campus;

    verify->work = 0;
    while (verify->work < WORK_PER_STEP) {
        if (verify->section < campus->sections.count) {
            check_section(verify, verify->section++);
            verify->work++;
        } else if (verify->student < campus->students.count) {
            check_student(verify, verify->student++);
        } else if (enrol->index == verify->begun_at && !verify->is_campus_hashed) {
            verify->is_campus_hashed =
                !campus_hash_step(campus, &verify->hash_cursor, WORK_PER_STEP, &verify->hash);
            verify->work += WORK_PER_STEP;
        } else if (enrol->index == verify->begun_at && verify->answer != enrol->answers.next) {
            verify->hash += enrol__answer_hash(enrol, verify->answer++);
            verify->work++;
        } else {
            return OK; /* a hash of several states would be of no use */
        }
    }
    return SM_PENDING;
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
        bool is_whole = verify->is_campus_hashed && verify->answer == enrol->answers.next;

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
