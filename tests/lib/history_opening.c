/* Windows that open while somebody waits and a seat is free: only then has settling first, or
 * the passing of time, anything to do. */
#include "tests/lib/history_private.h"

enum { SOON_MS = 5000 };

bool history__opening_begin(struct history *history, const struct model *model,
                            struct history_op *op)
{
    Carillon__WindowRequest request = CARILLON__WINDOW_REQUEST__INIT;
    const struct model_course *course;

    if (model->places.count == 0) {
        return false;
    }
    history->opening_section =
        model->places.items[history__pick(history, model->places.count)].section;
    history->opening_ms = history->wall_ms + SOON_MS;
    history->opening_step = 1;
    course = model_course_of(model, history->opening_section);
    request.institution = history__text(history, "%s", course->institution);
    request.term = history__text(history, "%s", course->term);
    request.opens_ms = history->opening_ms;
    request.by = history__text(history, "registrar");
    history__body(op, CARILLON__METHOD__METHOD_WINDOW, &request.base);
    return true;
}

static void seat_add(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;

    request.section = history__name(history, model, history->opening_section);
    request.capacity_known = true;
    request.capacity = model_enrolled(model, history->opening_section) + 1;
    request.by = history__text(history, "registrar");
    history__body(op, CARILLON__METHOD__METHOD_CAP, &request.base);
}

/* Somebody who comes from outside the line. */
static void seat_want(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__SectionName *name = history__name(history, model, history->opening_section);
    Carillon__Op want = CARILLON__OP__INIT;
    Carillon__Op *ops[] = {&want};

    want.kind = CARILLON__OP_KIND__OP_ADD;
    want.institution = name->institution;
    want.code = name->code;
    want.section = name->section;
    want.term = name->term;
    want.waitlist = history__chance(history, 300000);
    request.student = history__student_token(history);
    request.n_ops = 1;
    request.ops = ops;
    history__body(op, CARILLON__METHOD__METHOD_SUBMIT, &request.base);
}

void history__opening_step(struct history *history, const struct model *model,
                           struct history_op *op)
{
    if (history->opening_step == 1) {
        history->opening_step = 2;
        seat_add(history, model, op);
        return;
    }
    history->opening_step = 0;
    if (history->wall_ms < history->opening_ms) {
        history->wall_ms = history->opening_ms + rng_below(&history->rng, 2);
    }
    if (history__chance(history, 600000)) {
        seat_want(history, model, op);
    } else {
        op->method = 0;
        op->key_len = 0;
        buf_clear(&op->body);
    }
}
