/* Sections: invariants 1, 4 and 9. A roster or a line may be as long as it likes: the walk
 * stops after a step's work and goes on from there. What lies behind the cursor when an entry
 * is applied was right when it was looked at, and what lies before it is looked at as it is
 * then; only sums over a whole that has changed meanwhile are left out, or begun again. */
#include "base/assert.h"
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/verify_private.h"

enum { BEGUN_MAX = 8 }; /* a line that changes all the time is left alone after so many tries */

static bool is_worked(const struct enrol_verify *verify)
{
    return verify->work >= VERIFY_WORK_PER_STEP;
}

/* No entry was applied since the part was begun. */
static bool is_same(const struct enrol_verify *verify)
{
    return verify->walk.index == verify->enrol->index;
}

/* Whether it is counted: a stand-in is, where the section itself lies. */
static bool is_own(const struct enrol_verify *verify)
{
    const struct campus *campus = &verify->enrol->campus;

    return !campus_course(campus, campus_section(campus, verify->section)->course)->is_foreign;
}

static void check_capacity(struct enrol_verify *verify)
{
    const struct campus_section *section =
        campus_section(&verify->enrol->campus, verify->section);
    uint64_t allowed = (uint64_t)section->capacity + section->over + section->excused;

    uint64_t seats = (uint64_t)section->enrolled + section->held + section->offered;

    if (section->capacity != CAMPUS_NONE && seats > allowed) {
        VERIFY_FIND(verify, "section %u: %llu are enrolled, %llu may be", verify->section,
                    (unsigned long long)seats, (unsigned long long)allowed);
    }
}

/* Holds keep what they keep: seats, those over the limit among them, and places. */
static uint32_t check_held(struct enrol_verify *verify)
{
    const struct enrol_across *across = &verify->enrol->across;
    const struct campus_section *section =
        campus_section(&verify->enrol->campus, verify->section);
    uint32_t counts[ENROL_HELD_NR] = {0};
    uint32_t over = 0;

    if (section->held == 0 && section->places_held == 0) {
        return 0; /* by far the most */
    }
    for (uint32_t at = across->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(across, at)->next) {
        const struct enrol_hold *hold = enrol__hold(across, at);

        for (uint32_t i = 0; i < hold->op_count; i++) {
            if (hold->ops[i].section == verify->section) {
                counts[hold->ops[i].what]++;
                over += hold->ops[i].is_over ? 1 : 0;
            }
        }
        verify->work++;
    }
    if (counts[ENROL_HELD_SEAT] != section->held ||
        counts[ENROL_HELD_PLACE] != section->places_held) {
        VERIFY_FIND(verify, "section %u: %u seats and %u places are held, %u and %u on record",
                    verify->section, counts[ENROL_HELD_SEAT], counts[ENROL_HELD_PLACE],
                    section->held, section->places_held);
    }
    return over;
}

static void check_seated(struct enrol_verify *verify, uint32_t student)
{
    struct verify_section *walk = &verify->walk;
    const struct campus_registration *registration = campus_registration_find(
        campus_student(&verify->enrol->campus, student), verify->section);

    if (registration == NULL) {
        VERIFY_FIND(verify, "section %u: student %u is on the roster and does not know",
                    verify->section, student);
        return;
    }
    if (campus_registration_index(registration) < walk->last) {
        VERIFY_FIND(verify, "section %u: the roster is not in order of registration",
                    verify->section);
    }
    walk->last = campus_registration_index(registration);
    walk->over += campus_registration_is_over(registration) ? 1 : 0;
}

/* Each part returns whether it is done. A roster keeps its order when someone leaves: the
 * cursor then passes over one, no more. */
static bool check_roster(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;
    const struct campus_section *section =
        campus_section(&verify->enrol->campus, verify->section);

    if (walk->at == 0) {
        check_capacity(verify);
    }
    for (; walk->at < section->enrolled && !is_worked(verify); verify->work++) {
        check_seated(verify, section->roster[walk->at++]);
        verify->registrations += is_own(verify) ? 1 : 0;
    }
    if (walk->at < section->enrolled) {
        return false;
    }
    uint32_t over = walk->over + check_held(verify);

    if (is_same(verify) && over != section->over) {
        VERIFY_FIND(verify, "section %u: %u are over capacity, %u on record", verify->section,
                    over, section->over);
    }
    return true;
}

static void check_place(struct enrol_verify *verify, uint32_t at)
{
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_place *place = campus_place(campus, at);

    if (place->section != verify->section || place->since_index < verify->walk.last ||
        campus_place_find(campus, place->student, verify->section) != at) {
        VERIFY_FIND(verify, "section %u: the waitlist is not in order", verify->section);
    }
    if (campus_registration_find(campus_student(campus, place->student), verify->section) !=
        NULL) {
        VERIFY_FIND(verify, "section %u: student %u is registered and waits", verify->section,
                    place->student);
    }
    verify->walk.last = place->since_index;
}

static bool check_line(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;
    const struct campus *campus = &verify->enrol->campus;
    const struct campus_section *section = campus_section(campus, verify->section);

    for (; walk->at != CAMPUS_NONE && !is_worked(verify); verify->work++) {
        check_place(verify, walk->at);
        walk->at = campus_place(campus, walk->at)->next;
        walk->count++;
    }
    if (walk->at != CAMPUS_NONE) {
        return false;
    }
    if (walk->count != section->waiting) {
        VERIFY_FIND(verify, "section %u: %u wait, %u on record", verify->section, walk->count,
                    section->waiting);
    }
    return true;
}

/* Whether a window decides when students move in or out of the section: windows open by the
 * clock and not by an entry. */
static bool has_window(const struct campus *campus, uint32_t ordinal)
{
    const struct campus_catalogue *in =
        campus_catalogue(campus, campus_section(campus, ordinal)->catalogue);

    return in->opens_ms != 0 || in->closes_ms != 0;
}

static bool drops_under_window(const struct campus *campus, const struct campus_place *place)
{
    for (uint32_t i = 0; i < place->drop_count; i++) {
        if (has_window(campus, place->drops[i])) {
            return true;
        }
    }
    return false;
}

/* A free seat while someone eligible waits is what the next part looks for. Sections under a
 * window are left to their next entry, their own or that of a section that would be dropped. */
static bool check_windows(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;
    const struct campus *campus = &verify->enrol->campus;

    if (!campus_section_is_stalled(campus_section(campus, verify->section)) ||
        has_window(campus, verify->section)) {
        walk->part = VERIFY_ELIGIBLE; /* and that has nothing to look for */
        return true;
    }
    for (; walk->at != CAMPUS_NONE && !is_worked(verify); verify->work++) {
        const struct campus_place *place = campus_place(campus, walk->at);

        if (drops_under_window(campus, place)) {
            walk->part = VERIFY_ELIGIBLE;
            return true;
        }
        walk->at = place->next;
    }
    return walk->at == CAMPUS_NONE;
}

static bool check_eligible(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;
    struct enrol *enrol = verify->enrol;

    arena_reset(&enrol->scratch);
    for (; walk->at != CAMPUS_NONE && !is_worked(verify); verify->work += VERIFY_WORK_JUDGING) {
        if (enrol__is_eligible(enrol, walk->at, enrol->wall_ms)) {
            VERIFY_FIND(verify, "section %u: a seat is free while someone eligible waits",
                        verify->section);
            return true;
        }
        walk->at = campus_place(&enrol->campus, walk->at)->next;
    }
    return walk->at == CAMPUS_NONE;
}

static bool (*const parts[VERIFY_PART_NR])(struct enrol_verify *verify) = {
    [VERIFY_ROSTER] = check_roster,
    [VERIFY_LINE] = check_line,
    [VERIFY_WINDOWS] = check_windows,
    [VERIFY_ELIGIBLE] = check_eligible,
};

/* Begin the part, or begin it again: a place that the cursor stood on may be anyone's by now,
 * and whether seats are free is a question of one moment. Windows and seats are one question.
 */
static void part_begin(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;
    const struct campus_section *section =
        campus_section(&verify->enrol->campus, verify->section);

    walk->part = walk->part == VERIFY_ELIGIBLE ? VERIFY_WINDOWS : walk->part;
    walk->at = walk->part == VERIFY_ROSTER ? 0 : section->wait_first;
    walk->last = 0;
    walk->over = 0;
    walk->count = 0;
    walk->index = verify->enrol->index;
    walk->is_begun = true;
    walk->begun++;
}

static void part_next(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;

    if (walk->part == VERIFY_WINDOWS) { /* the same moment's, from the front of the line */
        walk->at = campus_section(&verify->enrol->campus, verify->section)->wait_first;
    } else {
        walk->is_begun = false;
        walk->begun = 0;
    }
    walk->part++;
}

bool enrol__verify_section(struct enrol_verify *verify)
{
    struct verify_section *walk = &verify->walk;

    while (walk->part < VERIFY_PART_NR) {
        if (!walk->is_begun || (walk->part != VERIFY_ROSTER && !is_same(verify))) {
            if (walk->begun == BEGUN_MAX) {
                break;
            }
            part_begin(verify);
        }
        if (!parts[walk->part](verify)) {
            return false;
        }
        part_next(verify);
    }
    *walk = (struct verify_section){0};
    verify->sections += is_own(verify) ? 1 : 0;
    verify->section++;
    return true;
}
