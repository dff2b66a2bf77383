/* What speaks against a request: docs/spec/registration.md sections 3 and 4, for one
 * institution in one term. */
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { KEPT = -1, AFTER_MAX = 256, OF_REQUEST = -1 };

/* A section that the student would have afterwards, and the wish it comes from. */
struct after {
    int section;
    int wish; /* KEPT: it was there before */
};

struct judgement {
    const struct witness_state *state;
    const struct witness_request *request;
    struct witness_items *out;
    bool is_duplicate[WITNESS_WISHES_MAX];
    bool is_wait[WITNESS_WISHES_MAX];
    struct after after[AFTER_MAX];
    int after_count;
    int before[AFTER_MAX]; /* sections */
    int before_count;
};

static void refuse(struct judgement *judgement, int wish, enum witness_refusal refusal)
{
    if (judgement->out->count < WITNESS_REFUSALS_MAX) {
        judgement->out->rows[judgement->out->count++] =
            (struct witness_item){.kind = WITNESS_ITEM_REFUSAL, .who = wish, .code = refusal};
    }
}

static const struct witness_course *course_of(const struct judgement *judgement, int section)
{
    const struct witness_history *history = judgement->state->history;

    return &history->course_rows[history->section_rows[section].course];
}

static int course_number(const struct judgement *judgement, int section)
{
    return judgement->state->history->section_rows[section].course;
}

static bool has_permit(const struct judgement *judgement, int section, uint32_t kind)
{
    return (witness__permits(judgement->state, judgement->request->student, section) & kind) !=
           0;
}

/* ---- what would be there afterwards ---- */

static bool is_dropped(const struct judgement *judgement, int section)
{
    const struct witness_request *request = judgement->request;

    for (int i = 0; i < request->wish_count; i++) {
        if (!judgement->is_duplicate[i] && request->wishes[i].is_drop &&
            request->wishes[i].section == section) {
            return true;
        }
    }
    return false;
}

static void after_add(struct judgement *judgement, int section, int wish)
{
    ASSERT(judgement->after_count < AFTER_MAX);
    judgement->after[judgement->after_count++] = (struct after){section, wish};
}

static void look_at_wishes(struct judgement *judgement)
{
    const struct witness_request *request = judgement->request;

    for (int i = 0; i < request->wish_count; i++) {
        const struct witness_wish *wish = &request->wishes[i];

        for (int k = 0; k < i; k++) {
            judgement->is_duplicate[i] |= request->wishes[k].section == wish->section;
        }
        judgement->is_wait[i] = !wish->is_drop && wish->is_wait && !request->is_promotion &&
                                witness__is_full(judgement->state, wish->section) &&
                                !has_permit(judgement, wish->section, WITNESS_PERMIT_CAPACITY);
    }
}

static void foresee(struct judgement *judgement)
{
    const struct witness_state *state = judgement->state;
    const struct witness_request *request = judgement->request;

    look_at_wishes(judgement);
    for (int i = 0; i < state->seat_count; i++) {
        if (state->seats[i].student == request->student) {
            ASSERT(judgement->before_count < AFTER_MAX);
            judgement->before[judgement->before_count++] = state->seats[i].section;
            if (!is_dropped(judgement, state->seats[i].section)) {
                after_add(judgement, state->seats[i].section, KEPT);
            }
        }
    }
    for (int i = 0; i < request->wish_count; i++) {
        if (!judgement->is_duplicate[i] && !request->wishes[i].is_drop &&
            !judgement->is_wait[i]) {
            after_add(judgement, request->wishes[i].section, i);
        }
    }
}

/* ---- rules of a course ---- */

static bool has_taken(const struct judgement *judgement, int course)
{
    const struct witness_student *student =
        &judgement->state->history->student_rows[judgement->request->student];

    for (int i = 0; i < student->taken_count; i++) {
        if (student->taken[i] == course) {
            return true;
        }
    }
    return false;
}

static bool will_have(const struct judgement *judgement, int course)
{
    for (int i = 0; i < judgement->after_count; i++) {
        if (course_number(judgement, judgement->after[i].section) == course) {
            return true;
        }
    }
    return false;
}

static bool had(const struct judgement *judgement, int course)
{
    for (int i = 0; i < judgement->before_count; i++) {
        if (course_number(judgement, judgement->before[i]) == course) {
            return true;
        }
    }
    return false;
}

static bool leaf_holds(const struct judgement *judgement, const struct witness_leaf *leaf,
                       bool is_before)
{
    const struct witness_student *student =
        &judgement->state->history->student_rows[judgement->request->student];

    if (leaf->kind == WITNESS_LEVEL) {
        return student->level >= leaf->level;
    }
    if (has_taken(judgement, leaf->course)) {
        return true;
    }
    return leaf->kind == WITNESS_WITH &&
           (is_before ? had(judgement, leaf->course) : will_have(judgement, leaf->course));
}

static bool rule_holds(const struct judgement *judgement, int section, bool is_before)
{
    const struct witness_course *course = course_of(judgement, section);

    for (int i = 0; i < course->leaf_count; i++) {
        if (!leaf_holds(judgement, &course->leaves[i], is_before)) {
            return false;
        }
    }
    return true;
}

static bool rule_names(const struct judgement *judgement, int section, int course)
{
    const struct witness_course *of = course_of(judgement, section);

    for (int i = 0; i < of->leaf_count; i++) {
        if (of->leaves[i].kind == WITNESS_WITH && of->leaves[i].course == course) {
            return true;
        }
    }
    return false;
}

static void judge_rule(struct judgement *judgement, int wish, int section)
{
    static const enum witness_refusal kinds[] = {
        [WITNESS_NEEDS] = WITNESS_PREREQUISITE_UNMET,
        [WITNESS_WITH] = WITNESS_COREQUISITE_MISSING,
        [WITNESS_LEVEL] = WITNESS_LEVEL_RESTRICTED,
    };
    const struct witness_course *course = course_of(judgement, section);

    for (int i = 0; i < course->leaf_count; i++) {
        if (!leaf_holds(judgement, &course->leaves[i], false)) {
            refuse(judgement, wish, kinds[course->leaves[i].kind]);
        }
    }
}

/* ---- op by op ---- */

static bool overlap(const struct witness_section *a, const struct witness_section *b)
{
    for (int i = 0; i < a->meeting_count; i++) {
        for (int k = 0; k < b->meeting_count; k++) {
            const struct witness_meeting *one = &a->meetings[i];
            const struct witness_meeting *other = &b->meetings[k];

            if ((one->days & other->days) != 0 && one->start < other->end &&
                other->start < one->end) {
                return true;
            }
        }
    }
    return false;
}

static void judge_drop(struct judgement *judgement, int number)
{
    const struct witness_state *state = judgement->state;
    const struct witness_wish *wish = &judgement->request->wishes[number];
    int student = judgement->request->student;

    if (witness__seat_find(state, student, wish->section) == WITNESS_NONE) {
        if (witness__place_find(state, student, wish->section) == WITNESS_NONE) {
            refuse(judgement, number, WITNESS_NOT_REGISTERED);
        }
        return;
    }
    if (state->window != WITNESS_OPEN) {
        refuse(judgement, number,
               state->window == WITNESS_CLOSED ? WITNESS_WINDOW_CLOSED
                                               : WITNESS_WINDOW_NOT_OPEN);
    }
}

static bool is_dropped_on_promotion(const struct witness_wish *wish, int section)
{
    for (int i = 0; i < wish->drop_count; i++) {
        if (wish->drops[i] == section) {
            return true;
        }
    }
    return false;
}

static void judge_held(struct judgement *judgement, int number)
{
    const struct witness_wish *wish = &judgement->request->wishes[number];
    int course = course_number(judgement, wish->section);

    if (witness__seat_find(judgement->state, judgement->request->student, wish->section) !=
        WITNESS_NONE) {
        refuse(judgement, number, WITNESS_ALREADY_REGISTERED);
    }
    for (int i = 0; i < judgement->after_count; i++) {
        const struct after *after = &judgement->after[i];

        if (after->section != wish->section && after->wish < number &&
            course_number(judgement, after->section) == course &&
            !(judgement->is_wait[number] && after->wish == KEPT &&
              is_dropped_on_promotion(wish, after->section))) {
            refuse(judgement, number, WITNESS_ALREADY_REGISTERED);
        }
    }
}

static void judge_window(struct judgement *judgement, int number)
{
    const struct witness_state *state = judgement->state;
    uint32_t level = state->history->student_rows[judgement->request->student].level;

    if (state->window == WITNESS_BEFORE) {
        refuse(judgement, number, WITNESS_WINDOW_NOT_OPEN);
    } else if (state->window == WITNESS_CLOSED) {
        refuse(judgement, number, WITNESS_WINDOW_CLOSED);
    } else if (level < state->level_min) {
        refuse(judgement, number, WITNESS_WINDOW_NOT_OPEN);
    }
}

static void judge_times(struct judgement *judgement, int number)
{
    const struct witness_section *rows = judgement->state->history->section_rows;
    int section = judgement->request->wishes[number].section;

    if (has_permit(judgement, section, WITNESS_PERMIT_TIME)) {
        return;
    }
    for (int i = 0; i < judgement->after_count; i++) {
        const struct after *after = &judgement->after[i];

        if (after->wish < number && after->section != section &&
            overlap(&rows[section], &rows[after->section]) &&
            !has_permit(judgement, after->section, WITNESS_PERMIT_TIME)) {
            refuse(judgement, number, WITNESS_TIME_CONFLICT);
        }
    }
}

static void judge_seat(struct judgement *judgement, int number)
{
    const struct witness_state *state = judgement->state;
    int section = judgement->request->wishes[number].section;
    bool has_room = witness__waiting(state, section) < state->limits[2];

    if (judgement->is_wait[number]) {
        if (!has_room) {
            refuse(judgement, number, WITNESS_WAITLIST_FULL);
        }
    } else if (witness__is_full(state, section) &&
               !has_permit(judgement, section, WITNESS_PERMIT_CAPACITY)) {
        refuse(judgement, number,
               has_room ? WITNESS_WAITLIST_AVAILABLE : WITNESS_SEAT_UNAVAILABLE);
    }
}

static void judge_add(struct judgement *judgement, int number)
{
    const struct witness_state *state = judgement->state;
    const struct witness_request *request = judgement->request;
    int section = request->wishes[number].section;
    bool is_permitted = has_permit(judgement, section, WITNESS_PERMIT_RULE);

    judge_held(judgement, number);
    if (!request->is_promotion &&
        witness__place_find(state, request->student, section) != WITNESS_NONE &&
        !(witness__is_full(state, section) &&
          has_permit(judgement, section, WITNESS_PERMIT_CAPACITY))) {
        refuse(judgement, number, WITNESS_ALREADY_WAITLISTED);
    }
    if (!is_permitted && has_taken(judgement, course_number(judgement, section))) {
        refuse(judgement, number, WITNESS_ALREADY_TAKEN);
    }
    judge_window(judgement, number);
    if (!is_permitted) {
        judge_rule(judgement, number, section);
    }
    if (!judgement->is_wait[number]) {
        judge_times(judgement, number);
    }
    if (!request->is_promotion) {
        judge_seat(judgement, number);
    }
}

/* ---- the request as a whole ---- */

static void judge_blocks(struct judgement *judgement)
{
    const struct witness_state *state = judgement->state;
    bool has_add = false;

    for (int i = 0; i < judgement->request->wish_count; i++) {
        has_add |= !judgement->request->wishes[i].is_drop;
    }
    for (int i = 0; has_add && i < state->block_count; i++) {
        if (state->blocks[i].student == judgement->request->student) {
            refuse(judgement, OF_REQUEST, WITNESS_BLOCKED);
        }
    }
}

static void judge_load(struct judgement *judgement)
{
    const uint32_t *limits = judgement->state->limits;
    bool has_seat_add = false;
    uint64_t credits = 0;

    for (int i = 0; i < judgement->after_count; i++) {
        has_seat_add |= judgement->after[i].wish != KEPT;
        credits += course_of(judgement, judgement->after[i].section)->credits;
    }
    if (has_seat_add && (uint32_t)judgement->after_count > limits[0]) {
        refuse(judgement, OF_REQUEST, WITNESS_COURSE_LIMIT);
    }
    if (has_seat_add && limits[1] != 0 && credits > limits[1]) {
        refuse(judgement, OF_REQUEST, WITNESS_CREDIT_LOAD_EXCEEDED);
    }
}

/* Registrations whose rule would no longer hold without what is dropped. */
static void judge_left_alone(struct judgement *judgement)
{
    const struct witness_request *request = judgement->request;
    bool is_told[AFTER_MAX] = {false};

    for (int i = 0; i < request->wish_count; i++) {
        int section = request->wishes[i].section;

        if (judgement->is_duplicate[i] || !request->wishes[i].is_drop ||
            witness__seat_find(judgement->state, request->student, section) == WITNESS_NONE) {
            continue;
        }
        for (int k = 0; k < judgement->after_count; k++) {
            int kept = judgement->after[k].section;

            if (judgement->after[k].wish == KEPT && !is_told[k] &&
                rule_names(judgement, kept, course_number(judgement, section)) &&
                rule_holds(judgement, kept, true) && !rule_holds(judgement, kept, false) &&
                !has_permit(judgement, kept, WITNESS_PERMIT_RULE)) {
                is_told[k] = true;
                refuse(judgement, i, WITNESS_COREQUISITE_MISSING);
            }
        }
    }
}

void witness__judge(const struct witness_state *state, const struct witness_request *request,
                    struct witness_items *out)
{
    struct judgement judgement = {.state = state, .request = request, .out = out};

    ASSERT(request->wish_count <= WITNESS_WISHES_MAX);
    out->count = 0;
    foresee(&judgement);
    judge_blocks(&judgement);
    for (int i = 0; i < request->wish_count; i++) {
        if (judgement.is_duplicate[i]) {
            refuse(&judgement, i, WITNESS_DUPLICATE_OP);
        } else if (request->wishes[i].is_drop) {
            judge_drop(&judgement, i);
        } else {
            judge_add(&judgement, i);
        }
    }
    judge_load(&judgement);
    judge_left_alone(&judgement);
}
