/* Verdicts about a request as a whole: rows 15 to 17 of the table of section 3. */
#include <stdio.h>

#include "tests/lib/model_private.h"

/* Rows 15 and 16 for the (institution, term) of one offer. */
static void judge_load(const struct model_bench *bench, const struct model_offer *offer)
{
    const struct model *model = bench->model;
    struct model_refusal *refusal;
    uint32_t courses = 0;
    uint32_t credits = 0;

    for (int i = 0; i < bench->after.count; i++) {
        const struct model_course *course = model_course_of(model, bench->after.sections[i]);

        if (strcmp(course->term, offer->term) == 0) {
            courses++;
            credits += course->credits_known ? course->credits : 0;
        }
    }
    if (courses > offer->courses_max) {
        refusal = model__refuse(bench->refusals, MODEL_REFUSAL(COURSE_LIMIT), MODEL_WHOLE);
        snprintf(refusal->evidence, sizeof refusal->evidence, "%u of %u", courses,
                 offer->courses_max);
    }
    if (offer->credits_max != 0 && credits > offer->credits_max) {
        refusal =
            model__refuse(bench->refusals, MODEL_REFUSAL(CREDIT_LOAD_EXCEEDED), MODEL_WHOLE);
        snprintf(refusal->evidence, sizeof refusal->evidence, "%u.%02u of %u.%02u",
                 credits / 100, credits % 100, offer->credits_max / 100,
                 offer->credits_max % 100);
    }
}

void model__judge_loads(const struct model_bench *bench)
{
    const struct model_offer *judged[MODEL_OPS_MAX];
    int count = 0;

    for (int i = 0; i < bench->attempt->op_count; i++) {
        const struct model_offer *offer;
        bool is_new = true;

        if (!model__is_seat_add(&bench->attempt->ops[i])) {
            continue;
        }
        offer = model__offer_of(bench->model, bench->attempt->ops[i].section);
        for (int j = 0; j < count; j++) {
            is_new = is_new && judged[j] != offer;
        }
        if (count == 0 && bench->after.count > MODEL_REGISTRATIONS_MAX) {
            struct model_refusal *refusal =
                model__refuse(bench->refusals, MODEL_REFUSAL(COURSE_LIMIT), MODEL_WHOLE);

            snprintf(refusal->evidence, sizeof refusal->evidence, "%d of %d",
                     bench->after.count, MODEL_REGISTRATIONS_MAX);
        }
        if (is_new) {
            judged[count++] = offer;
            judge_load(bench, offer);
        }
    }
}

static bool has_concurrent_leaf(const struct model_course *course,
                                const struct model_course *dropped)
{
    if (strcmp(course->term, dropped->term) != 0) {
        return false;
    }
    for (int i = 0; i < course->node_count; i++) {
        const struct model_node *node = &course->nodes[i];
        const char *institution =
            node->institution[0] == '\0' ? course->institution : node->institution;

        if (node->kind == CARILLON__RULE_KIND__RULE_COURSE && node->concurrent &&
            strcmp(node->code, dropped->code) == 0 &&
            strcmp(institution, dropped->institution) == 0) {
            return true;
        }
    }
    return false;
}

/* Row 17. */
void model__judge_corequisites(const struct model_bench *bench)
{
    const struct model *model = bench->model;
    int student = bench->attempt->student;
    bool listed[MODEL_AFTER_MAX] = {false};

    for (int i = 0; i < bench->attempt->op_count; i++) {
        const struct model_attempt_op *op = &bench->attempt->ops[i];

        if (op->is_add || op->is_duplicate ||
            model_registration_find(model, student, op->section) == MODEL_NONE) {
            continue;
        }
        for (int j = 0; j < bench->after.count && bench->after.ops[j] == MODEL_NONE; j++) {
            int kept = bench->after.sections[j];
            int course = model->sections.items[kept].course;

            if (listed[j] ||
                model__has_permit(bench, kept, CARILLON__PERMIT_KIND__PERMIT_RULE) ||
                !has_concurrent_leaf(&model->courses.items[course],
                                     model_course_of(model, op->section)) ||
                !model__rule_holds(model, student, course, &bench->before) ||
                model__rule_holds(model, student, course, &bench->after)) {
                continue;
            }
            listed[j] = true;
            model__refuse_section(bench, MODEL_REFUSAL(COREQUISITE_MISSING), (uint32_t)i, kept);
        }
    }
}
