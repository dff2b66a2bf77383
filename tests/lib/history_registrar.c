/* Registrars' requests, imports apart. */
#include "tests/lib/history_private.h"

enum { MINUTE_MS = 60 * 1000, REASONS = 20 };

/* A window that is open, closed, opens or closes soon, or is for some levels. */
void history__window(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__WindowRequest request = CARILLON__WINDOW_REQUEST__INIT;
    uint64_t soon_ms = history->wall_ms + rng_below(&history->rng, MINUTE_MS / 6);

    if (history__chance(history, 200000) && history__opening_begin(history, model, op)) {
        return;
    }
    request.institution =
        history__institution(history, history__pick(history, history->institution_count));
    request.term = history__term(history, history__pick(history, history->term_count));
    request.by = history__text(history, "registrar");
    switch (history__pick(history, history->is_opening ? 6 : 20)) {
    case 0:
        request.opens_ms = 1;
        request.closes_ms = 1;
        break;
    case 1:
    case 2:
    case 3:
        request.opens_ms = soon_ms;
        break;
    case 4:
        request.closes_ms = soon_ms;
        break;
    case 5:
        request.opens_ms = history->wall_ms - MINUTE_MS;
        request.closes_ms = soon_ms;
        break;
    case 6:
        request.level_min = (uint32_t)history__pick(history, 6);
        break;
    default:
        break; /* open for all */
    }
    if (history__chance(history, history->odds.bad_shape)) {
        request.opens_ms = history->wall_ms + 1;
        request.closes_ms = history->wall_ms;
    } else if (history__chance(history, history->odds.unknown_name)) {
        request.term = history__text(history, "t9");
    }
    history__body(op, CARILLON__METHOD__METHOD_WINDOW, &request.base);
}

void history__limits(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__LimitsRequest request = CARILLON__LIMITS_REQUEST__INIT;

    (void)model;
    request.institution =
        history__institution(history, history__pick(history, history->institution_count));
    request.term = history__term(history, history__pick(history, history->term_count));
    request.by = history__text(history, "registrar");
    request.courses_max = (uint32_t)rng_between(&history->rng, 1, 8);
    if (history__chance(history, 500000)) {
        request.credits_max_hundredths = (uint32_t)rng_between(&history->rng, 3, 30) * 100;
    }
    if (history__chance(history, 500000)) {
        request.waitlist_max = (uint32_t)rng_between(&history->rng, 1, 5);
    }
    if (history__chance(history, history->odds.bad_shape)) {
        if (history__chance(history, 500000)) {
            request.courses_max = history__chance(history, 500000) ? 0 : 17;
        } else {
            request.waitlist_max = 10001;
        }
    } else if (history__chance(history, history->odds.unknown_name)) {
        request.term = history__text(history, "t9");
    }
    history__body(op, CARILLON__METHOD__METHOD_LIMITS, &request.base);
}

void history__block(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__BlockRequest request = CARILLON__BLOCK_REQUEST__INIT;
    int student;
    bool is_lift;

    request.student = history__student_token(history);
    if (history__chance(history, 300000)) {
        request.student = history__token(history, 0);
    }
    student = model_student_find(model, request.student);
    is_lift = student != MODEL_NONE && model->students.items[student].block_count > 0 &&
              history__chance(history, history->is_hoarded ? 30000 : 500000);
    request.remove = is_lift || history__chance(history, 30000);
    request.reason = history__text(history, "reason %d", history__pick(history, REASONS));
    request.by = history__text(history, "registrar");
    if (is_lift && history__chance(history, 700000)) {
        const struct model_student *s = &model->students.items[student];

        request.reason = history__text(
            history, "%s", s->blocks[history__pick(history, s->block_count)].reason);
    } else if (request.remove && history__chance(history, 300000)) {
        request.reason = history__text(history, "%s", "");
    }
    if (history__chance(history, history->odds.bad_shape)) {
        request.reason = history__chance(history, 500000)
                             ? history__text(history, "%s", "")
                             : history__text(history, "%0*d", MODEL_REASON_MAX + 1, 1);
    } else if (history__chance(history, 50000)) {
        request.reason = history__text(history, "%0*d", MODEL_REASON_MAX, 1);
    }
    history__body(op, CARILLON__METHOD__METHOD_BLOCK, &request.base);
}

void history__permit(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__PermitRequest request = CARILLON__PERMIT_REQUEST__INIT;
    int student;

    request.student = history__student_token(history);
    request.section = history__name(history, model, history__section(history, model));
    if (history__chance(history, history->is_hoarded ? 900000 : 300000)) {
        request.student = history__token(history, 0);
        request.section =
            history__name(history, model, history__pick(history, model->sections.count));
    }
    student = model_student_find(model, request.student);
    request.kinds = (uint32_t)rng_between(&history->rng, 1, 7);
    request.reason = history__text(history, "asked");
    request.by = history__text(history, "registrar");
    if (history__chance(history, history->is_hoarded ? 10000 : 150000)) {
        request.kinds = 0;
        if (student != MODEL_NONE && model->students.items[student].permit_count > 0) {
            const struct model_student *s = &model->students.items[student];

            request.section = history__name(
                history, model, s->permits[history__pick(history, s->permit_count)].section);
        }
    }
    if (history__chance(history, history->odds.bad_shape)) {
        request.kinds = 8;
    }
    history__body(op, CARILLON__METHOD__METHOD_PERMIT, &request.base);
}

/* Up, down, to none: mostly where somebody waits or sits. */
void history__cap(struct history *history, const struct model *model, struct history_op *op)
{
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;
    int section = history__section(history, model);

    if (model->places.count > 0 &&
        history__chance(history, history->is_opening ? 800000 : 500000)) {
        section = model->places.items[history__pick(history, model->places.count)].section;
    }
    request.section = history__name(history, model, section);
    request.capacity_known = history__chance(history, 900000);
    request.capacity = (uint32_t)rng_between(&history->rng, 0, 7);
    if (history__chance(history, history->is_opening ? 800000 : 500000)) {
        request.capacity = model_enrolled(model, section) + 1;
    }
    if (!request.capacity_known) {
        request.capacity = 0;
    }
    request.by = history__text(history, "registrar");
    history__body(op, CARILLON__METHOD__METHOD_CAP, &request.base);
}
