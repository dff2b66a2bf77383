/* Verdicts: the table of section 3 of docs/spec/registration.md, a function a row.
 * Rows 1 to 14; the others are in model_load.c. */
#include <stdio.h>

#include "tests/lib/model_private.h"

static const struct model_student *student_of(const struct model_bench *bench)
{
    return &bench->model->students.items[bench->attempt->student];
}

const struct model_offer *model__offer_of(const struct model *model, int section)
{
    const struct model_course *course = model_course_of(model, section);
    int offer = model_offer_find(model, course->institution, course->term);

    ASSERT(offer != MODEL_NONE);
    return &model->offers.items[offer];
}

uint32_t model__permit(const struct model *model, int student, int section)
{
    const struct model_student *s = &model->students.items[student];

    for (int i = 0; i < s->permit_count; i++) {
        if (s->permits[i].section == section) {
            return s->permits[i].kinds;
        }
    }
    return 0;
}

uint32_t model__window(const struct model *model, const struct model_offer *offer)
{
    if (offer->opens_ms != 0 && model->wall_ms < offer->opens_ms) {
        return MODEL_REFUSAL(WINDOW_NOT_OPEN);
    }
    if (offer->closes_ms != 0 && model->wall_ms >= offer->closes_ms) {
        return MODEL_REFUSAL(WINDOW_CLOSED);
    }
    return MODEL_REFUSAL(NONE);
}

bool model__has_permit(const struct model_bench *bench, int section, uint32_t kind)
{
    return (model__permit(bench->model, bench->attempt->student, section) & kind) != 0;
}

void model__refuse_section(const struct model_bench *bench, uint32_t kind, uint32_t op,
                           int section)
{
    struct model_refusal *refusal = model__refuse(bench->refusals, kind, op);

    model__section_text(bench->model, section, refusal->evidence, sizeof refusal->evidence);
}

/* Rows 1 and 2. */
static void judge_student(const struct model_bench *bench)
{
    const struct model_student *student = student_of(bench);
    bool has_add = false;

    for (int i = 0; i < bench->attempt->op_count; i++) {
        has_add = has_add || bench->attempt->ops[i].is_add;
    }
    if (!has_add) {
        return;
    }
    if (student->presence == MODEL_WITHDRAWN) {
        model__refuse(bench->refusals, MODEL_REFUSAL(STUDENT_WITHDRAWN), MODEL_WHOLE);
    }
    for (int i = 0; i < student->block_count; i++) {
        struct model_refusal *refusal =
            model__refuse(bench->refusals, MODEL_REFUSAL(BLOCKED), MODEL_WHOLE);

        snprintf(refusal->evidence, sizeof refusal->evidence, "%s", student->blocks[i].reason);
    }
}

/* Rows 4 and 5. */
static void judge_drop(const struct model_bench *bench, const struct model_attempt_op *op,
                       uint32_t index)
{
    const struct model *model = bench->model;
    int student = bench->attempt->student;
    uint32_t window;

    if (model_registration_find(model, student, op->section) == MODEL_NONE) {
        if (model_place_find(model, student, op->section) == MODEL_NONE) {
            model__refuse_section(bench, MODEL_REFUSAL(NOT_REGISTERED), index, op->section);
        }
        return;
    }
    window = model__window(model, model__offer_of(model, op->section));
    if (window != MODEL_REFUSAL(NONE)) {
        model__refuse(bench->refusals, window, index);
    }
}

static bool is_listed(const int *sections, int count, int section)
{
    for (int i = 0; i < count; i++) {
        if (sections[i] == section) {
            return true;
        }
    }
    return false;
}

/* Whether entry @at of the after-state is there when op @index is judged: a registration, or
 * the add of an earlier op. */
static bool is_before(const struct model_bench *bench, int at, uint32_t index)
{
    return bench->after.ops[at] == MODEL_NONE || bench->after.ops[at] < (int)index;
}

/* Row 7. */
static void judge_duplicate(const struct model_bench *bench, const struct model_attempt_op *op,
                            uint32_t index)
{
    const struct model *model = bench->model;
    int course = model->sections.items[op->section].course;

    if (model_registration_find(model, bench->attempt->student, op->section) != MODEL_NONE) {
        model__refuse_section(bench, MODEL_REFUSAL(ALREADY_REGISTERED), index, op->section);
    }
    for (int i = 0; i < bench->after.count; i++) {
        int other = bench->after.sections[i];
        bool is_registration = bench->after.ops[i] == MODEL_NONE;

        if (!is_before(bench, i, index) || other == op->section ||
            model->sections.items[other].course != course ||
            (is_registration && op->is_wait && is_listed(op->drops, op->drop_count, other))) {
            continue;
        }
        model__refuse_section(bench, MODEL_REFUSAL(ALREADY_REGISTERED), index, other);
    }
}

/* Row 9. */
static void judge_taken(const struct model_bench *bench, const struct model_attempt_op *op,
                        uint32_t index)
{
    const struct model_course *course = model_course_of(bench->model, op->section);
    struct model_refusal *refusal;

    if (model__has_permit(bench, op->section, CARILLON__PERMIT_KIND__PERMIT_RULE) ||
        !model__is_passing(
            model__taken(student_of(bench), course->institution, course->code))) {
        return;
    }
    refusal = model__refuse(bench->refusals, MODEL_REFUSAL(ALREADY_TAKEN), index);
    snprintf(refusal->evidence, sizeof refusal->evidence, "%s", course->code);
}

/* Row 10. */
static void judge_window(const struct model_bench *bench, const struct model_attempt_op *op,
                         uint32_t index)
{
    const struct model_offer *offer = model__offer_of(bench->model, op->section);
    uint32_t window = model__window(bench->model, offer);

    if (window == MODEL_REFUSAL(NONE) && student_of(bench)->level < offer->level_min) {
        window = MODEL_REFUSAL(WINDOW_NOT_OPEN);
    }
    if (window != MODEL_REFUSAL(NONE)) {
        model__refuse(bench->refusals, window, index);
    }
}

static bool is_overlapping(const struct model_section *a, const struct model_section *b)
{
    for (int i = 0; i < a->meeting_count; i++) {
        for (int j = 0; j < b->meeting_count; j++) {
            const struct model_meeting *m = &a->meetings[i];
            const struct model_meeting *n = &b->meetings[j];

            if ((m->days & n->days) != 0 && m->start_min < n->end_min &&
                n->start_min < m->end_min) {
                return true;
            }
        }
    }
    return false;
}

/* Row 12. */
static void judge_time(const struct model_bench *bench, const struct model_attempt_op *op,
                       uint32_t index)
{
    const struct model *model = bench->model;
    const char *term = model_course_of(model, op->section)->term;

    if (model__has_permit(bench, op->section, CARILLON__PERMIT_KIND__PERMIT_TIME)) {
        return;
    }
    for (int i = 0; i < bench->after.count; i++) {
        int other = bench->after.sections[i];

        if (!is_before(bench, i, index) || other == op->section ||
            strcmp(model_course_of(model, other)->term, term) != 0 ||
            model__has_permit(bench, other, CARILLON__PERMIT_KIND__PERMIT_TIME)) {
            continue;
        }
        if (is_overlapping(&model->sections.items[op->section],
                           &model->sections.items[other])) {
            model__refuse_section(bench, MODEL_REFUSAL(TIME_CONFLICT), index, other);
        }
    }
}

/* How many places the student has, with those that earlier ops ask for. */
static uint32_t places_before(const struct model_bench *bench, uint32_t index)
{
    uint32_t count = 0;

    for (int i = 0; i < bench->model->places.count; i++) {
        count += bench->model->places.items[i].student == bench->attempt->student;
    }
    for (uint32_t i = 0; i < index; i++) {
        count += bench->attempt->ops[i].is_wait && !bench->attempt->ops[i].is_duplicate;
    }
    return count;
}

/* Rows 13 and 14. */
static void judge_seat(const struct model_bench *bench, const struct model_attempt_op *op,
                       uint32_t index)
{
    const struct model *model = bench->model;
    uint32_t waiting = model_waiting(model, op->section);
    uint32_t limit = model__offer_of(model, op->section)->waitlist_max;
    struct model_refusal *refusal;

    if (op->is_wait) {
        uint32_t places = places_before(bench, index);

        if (places >= MODEL_PLACES_MAX) {
            refusal = model__refuse(bench->refusals, MODEL_REFUSAL(WAITLIST_FULL), index);
            snprintf(refusal->evidence, sizeof refusal->evidence, "%u of %u", places,
                     MODEL_PLACES_MAX);
        } else if (waiting >= limit) {
            refusal = model__refuse(bench->refusals, MODEL_REFUSAL(WAITLIST_FULL), index);
            snprintf(refusal->evidence, sizeof refusal->evidence, "%u of %u", waiting, limit);
        }
        return;
    }
    if (op->waitlist || !model_is_full(model, op->section) ||
        model__has_permit(bench, op->section, CARILLON__PERMIT_KIND__PERMIT_CAPACITY)) {
        return;
    }
    refusal = model__refuse(bench->refusals,
                            waiting < limit ? MODEL_REFUSAL(WAITLIST_AVAILABLE)
                                            : MODEL_REFUSAL(SEAT_UNAVAILABLE),
                            index);
    snprintf(refusal->evidence, sizeof refusal->evidence, "%u of %u",
             model_enrolled(model, op->section), model->sections.items[op->section].capacity);
}

/* Rows 6 to 14, for an add. A promotion is not asked for its place or its seat. */
static void judge_add(const struct model_bench *bench, const struct model_attempt_op *op,
                      uint32_t index)
{
    const struct model *model = bench->model;
    const struct model_section *section = &model->sections.items[op->section];

    if (section->presence == MODEL_WITHDRAWN) {
        model__refuse(bench->refusals, MODEL_REFUSAL(SECTION_WITHDRAWN), index);
    }
    judge_duplicate(bench, op, index);
    if (!bench->attempt->is_promotion &&
        model_place_find(model, bench->attempt->student, op->section) != MODEL_NONE &&
        !(model_is_full(model, op->section) &&
          model__has_permit(bench, op->section, CARILLON__PERMIT_KIND__PERMIT_CAPACITY))) {
        model__refuse(bench->refusals, MODEL_REFUSAL(ALREADY_WAITLISTED), index);
    }
    judge_taken(bench, op, index);
    judge_window(bench, op, index);
    if (!model__has_permit(bench, op->section, CARILLON__PERMIT_KIND__PERMIT_RULE)) {
        model__rule_refuse(model, bench->attempt->student, section->course, &bench->after,
                           index, bench->refusals);
    }
    if (!op->is_wait) {
        judge_time(bench, op, index);
    }
    if (!bench->attempt->is_promotion) {
        judge_seat(bench, op, index);
    }
}

void model__judge(const struct model *model, struct model_attempt *attempt,
                  struct model_refusals *ret_refusals)
{
    struct model_bench bench = {.model = model, .attempt = attempt, .refusals = ret_refusals};

    ret_refusals->count = 0;
    model__attempt_prepare(model, attempt, &bench.before, &bench.after);
    judge_student(&bench);
    for (int i = 0; i < attempt->op_count; i++) {
        const struct model_attempt_op *op = &attempt->ops[i];

        if (op->is_duplicate) {
            model__refuse_section(&bench, MODEL_REFUSAL(DUPLICATE_OP), (uint32_t)i,
                                  op->section);
        } else if (op->is_add) {
            judge_add(&bench, op, (uint32_t)i);
        } else {
            judge_drop(&bench, op, (uint32_t)i);
        }
    }
    model__judge_loads(&bench);
    model__judge_corequisites(&bench);
}
