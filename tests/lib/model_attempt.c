/* What an attempt would change: the modes of its ops, and the after-state (section 3). */
#include "tests/lib/model_private.h"

bool model__is_seat_add(const struct model_attempt_op *op)
{
    return op->is_add && !op->is_wait && !op->is_duplicate;
}

static void after_add(struct model_after *after, int section, int op)
{
    ASSERT((size_t)after->count < sizeof after->sections / sizeof after->sections[0]);
    after->sections[after->count] = section;
    after->ops[after->count++] = op;
}

static bool is_dropped(const struct model_attempt *attempt, int section)
{
    for (int i = 0; i < attempt->op_count; i++) {
        const struct model_attempt_op *op = &attempt->ops[i];

        if (!op->is_add && !op->is_duplicate && op->section == section) {
            return true;
        }
    }
    return false;
}

void model__attempt_prepare(const struct model *model, struct model_attempt *attempt,
                            struct model_after *ret_before, struct model_after *ret_after)
{
    for (int i = 0; i < attempt->op_count; i++) {
        struct model_attempt_op *op = &attempt->ops[i];

        op->is_duplicate = false;
        for (int j = 0; j < i; j++) {
            op->is_duplicate = op->is_duplicate || attempt->ops[j].section == op->section;
        }
        op->is_wait = op->is_add && op->waitlist && model_is_full(model, op->section) &&
                      (model__permit(model, attempt->student, op->section) &
                       CARILLON__PERMIT_KIND__PERMIT_CAPACITY) == 0;
    }
    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *registration = &model->registrations.items[i];

        if (registration->student != attempt->student) {
            continue;
        }
        after_add(ret_before, registration->section, MODEL_NONE);
        if (!is_dropped(attempt, registration->section)) {
            after_add(ret_after, registration->section, MODEL_NONE);
        }
    }
    for (int i = 0; i < attempt->op_count; i++) {
        if (model__is_seat_add(&attempt->ops[i])) {
            after_add(ret_after, attempt->ops[i].section, i);
        }
    }
}
