/* Rules: section 4 of docs/spec/registration.md. */
#include <stdio.h>

#include "tests/lib/model_private.h"

/* A tree and whom it is judged for. */
struct view {
    const struct model *model;
    const struct model_student *student;
    const struct model_course *course;
    const struct model_after *after;
};

/* 0, passed without a known grade, is better than any grade. */
static bool is_better(uint32_t grade, uint32_t than)
{
    return than != 0 && (grade == 0 || grade > than);
}

const struct model_taken *model__taken(const struct model_student *student,
                                       const char *institution, const char *code)
{
    const struct model_taken *best = NULL;

    for (int i = 0; i < student->taken_count; i++) {
        const struct model_taken *taken = &student->taken[i];

        if (strcmp(taken->code, code) == 0 && strcmp(taken->institution, institution) == 0 &&
            (best == NULL || is_better(taken->grade, best->grade))) {
            best = taken;
        }
    }
    return best;
}

bool model__is_passing(const struct model_taken *taken)
{
    return taken != NULL && taken->grade != 1;
}

/* The credits of a taken course, as the catalogue knows them. */
static uint32_t credits_in_catalogue(const struct model *model, const struct model_taken *taken)
{
    for (int i = 0; i < model->courses.count; i++) {
        const struct model_course *course = &model->courses.items[i];

        if (course->presence == MODEL_OFFERED && course->credits_known &&
            strcmp(course->code, taken->code) == 0 &&
            strcmp(course->institution, taken->institution) == 0) {
            return course->credits;
        }
    }
    return 0;
}

static uint64_t credits_earned(const struct model *model, const struct model_student *student)
{
    uint64_t sum = 0;

    for (int i = 0; i < student->taken_count; i++) {
        const struct model_taken *taken = &student->taken[i];

        /* A course taken twice counts once, with its better grade. */
        if (taken != model__taken(student, taken->institution, taken->code) ||
            !model__is_passing(taken)) {
            continue;
        }
        sum += taken->credits != 0 ? taken->credits : credits_in_catalogue(model, taken);
    }
    return sum;
}

static bool is_taken_together(const struct view *view, const char *institution,
                              const char *code)
{
    for (int i = 0; i < view->after->count; i++) {
        const struct model_course *other =
            model_course_of(view->model, view->after->sections[i]);

        if (strcmp(other->code, code) == 0 && strcmp(other->institution, institution) == 0 &&
            strcmp(other->term, view->course->term) == 0) {
            return true;
        }
    }
    return false;
}

static bool course_leaf_holds(const struct view *view, const struct model_node *node)
{
    const char *institution =
        node->institution[0] == '\0' ? view->course->institution : node->institution;
    const struct model_taken *taken = model__taken(view->student, institution, node->code);

    if (taken != NULL) {
        bool is_enough = node->grade_min > 0
                             ? taken->grade == 0 || taken->grade >= node->grade_min
                             : model__is_passing(taken);

        if (is_enough) {
            return true;
        }
    }
    return node->concurrent && is_taken_together(view, institution, node->code);
}

static bool leaf_holds(const struct view *view, const struct model_node *node)
{
    if (node->kind == CARILLON__RULE_KIND__RULE_LEVEL) {
        return view->student->level >= node->count;
    }
    if (node->kind == CARILLON__RULE_KIND__RULE_CREDITS) {
        return credits_earned(view->model, view->student) >= node->count;
    }
    ASSERT(node->kind == CARILLON__RULE_KIND__RULE_COURSE);
    return course_leaf_holds(view, node);
}

static bool is_leaf(const struct model_node *node)
{
    return node->kind != CARILLON__RULE_KIND__RULE_AND &&
           node->kind != CARILLON__RULE_KIND__RULE_OR &&
           node->kind != CARILLON__RULE_KIND__RULE_N_OF;
}

/* Judge the subtree at node @at. Returns the position after it. */
static int subtree_judge(const struct view *view, int at, bool *ret_holds)
{
    const struct model_node *node = &view->course->nodes[at];
    uint32_t held = 0;

    if (is_leaf(node)) {
        *ret_holds = leaf_holds(view, node);
        return at + 1;
    }
    at++;
    for (uint32_t i = 0; i < node->children; i++) {
        bool holds;

        at = subtree_judge(view, at, &holds);
        held += holds;
    }
    if (node->kind == CARILLON__RULE_KIND__RULE_AND) {
        *ret_holds = held == node->children;
    } else {
        *ret_holds = held >= (node->kind == CARILLON__RULE_KIND__RULE_OR ? 1 : node->count);
    }
    return at;
}

static void leaf_refuse(const struct view *view, int at, uint32_t op,
                        struct model_refusals *refusals)
{
    const struct model_node *node = &view->course->nodes[at];
    struct model_refusal *refusal;

    if (node->kind == CARILLON__RULE_KIND__RULE_LEVEL) {
        refusal = model__refuse(refusals, CARILLON__REFUSAL_KIND__REFUSAL_LEVEL_RESTRICTED, op);
        snprintf(refusal->evidence, sizeof refusal->evidence, "%u", node->count);
    } else if (node->kind == CARILLON__RULE_KIND__RULE_CREDITS) {
        refusal = model__refuse(refusals, CARILLON__REFUSAL_KIND__REFUSAL_CREDITS_UNMET, op);
        snprintf(refusal->evidence, sizeof refusal->evidence, "%u.%02u", node->count / 100,
                 node->count % 100);
    } else {
        refusal =
            model__refuse(refusals,
                          node->concurrent ? CARILLON__REFUSAL_KIND__REFUSAL_COREQUISITE_MISSING
                                           : CARILLON__REFUSAL_KIND__REFUSAL_PREREQUISITE_UNMET,
                          op);
        snprintf(refusal->evidence, sizeof refusal->evidence, "%s", node->code);
    }
    refusal->rule_node = (uint32_t)at;
}

/* List the failing leaves below a failing node; a node that holds hides what is below it.
 * Returns the position after the subtree. */
static int subtree_refuse(const struct view *view, int at, uint32_t op,
                          struct model_refusals *refusals)
{
    const struct model_node *node = &view->course->nodes[at];
    bool holds;
    int end = subtree_judge(view, at, &holds);

    if (holds) {
        return end;
    }
    if (is_leaf(node)) {
        leaf_refuse(view, at, op, refusals);
        return end;
    }
    at++;
    for (uint32_t i = 0; i < node->children; i++) {
        at = subtree_refuse(view, at, op, refusals);
    }
    return end;
}

bool model__rule_holds(const struct model *model, int student, int course,
                       const struct model_after *after)
{
    struct view view = {model, &model->students.items[student], &model->courses.items[course],
                        after};
    bool holds = true;

    if (view.course->node_count > 0) {
        subtree_judge(&view, 0, &holds);
    }
    return holds;
}

void model__rule_refuse(const struct model *model, int student, int course,
                        const struct model_after *after, uint32_t op,
                        struct model_refusals *refusals)
{
    struct view view = {model, &model->students.items[student], &model->courses.items[course],
                        after};

    if (view.course->node_count > 0) {
        subtree_refuse(&view, 0, op, refusals);
    }
}
