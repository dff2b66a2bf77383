/* Students' requests. */
#include "tests/lib/history_private.h"

enum { OPS_ROOM = 20, HOT_SECTIONS = 6 };

#define ADD  CARILLON__OP_KIND__OP_ADD
#define DROP CARILLON__OP_KIND__OP_DROP

int history__section(struct history *history, const struct model *model)
{
    int count = model->sections.count;

    ASSERT(count > 0);
    if (history->is_opening && model->places.count > 0 && history__chance(history, 400000)) {
        return model->places.items[history__pick(history, model->places.count)].section;
    }
    return history__pick(history, count > HOT_SECTIONS && history__chance(history, 600000)
                                      ? HOT_SECTIONS
                                      : count);
}

char *history__student_token(struct history *history)
{
    if (history__chance(history, history->odds.unknown_name)) {
        return history__text(history, "nobody");
    }
    return history__token(history, history__pick(history, history->student_count));
}

Carillon__SectionName *history__name(struct history *history, const struct model *model,
                                     int section)
{
    Carillon__SectionName *name = history__zero(history, sizeof *name);
    const struct model_course *course = model_course_of(model, section);
    bool is_short = history__chance(history, history->odds.short_name);

    carillon__section_name__init(name);
    name->code = history__text(history, "%s", course->code);
    if (!is_short || history__chance(history, 500000)) {
        name->institution = history__text(history, "%s", course->institution);
    }
    if (!is_short || history__chance(history, 500000)) {
        name->term = history__text(history, "%s", course->term);
    }
    if (!is_short || history__chance(history, 500000)) {
        name->section = history__text(history, "%s", model->sections.items[section].id);
    }
    if (history__chance(history, history->odds.unknown_name)) {
        char **parts[] = {&name->code, &name->section, &name->institution, &name->term};

        *parts[history__pick(history, 4)] = history__text(history, "X9");
    }
    return name;
}

/* A section that the student is registered in, or waits for; MODEL_NONE: none. */
static int held_section(struct history *history, const struct model *model, int student,
                        bool is_place)
{
    int count = is_place ? model->places.count : model->registrations.count;
    int start = count == 0 ? 0 : history__pick(history, count);

    for (int i = 0; i < count; i++) {
        int at = (start + i) % count;

        if (is_place && model->places.items[at].student == student) {
            return model->places.items[at].section;
        }
        if (!is_place && model->registrations.items[at].student == student) {
            return model->registrations.items[at].section;
        }
    }
    return MODEL_NONE;
}

static Carillon__Op *op_push(struct history *history, const struct model *model,
                             Carillon__SubmitRequest *request, uint32_t kind, int section)
{
    Carillon__SectionName *name = history__name(history, model, section);
    Carillon__Op *op = history__zero(history, sizeof *op);

    carillon__op__init(op);
    op->kind = kind;
    op->institution = name->institution;
    op->code = name->code;
    op->section = name->section;
    op->term = name->term;
    ASSERT(request->n_ops < OPS_ROOM);
    request->ops[request->n_ops++] = op;
    return op;
}

static void promotion_drop_push(struct history *history, const struct model *model,
                                Carillon__Op *op, int section)
{
    if (op->promotion_drops == NULL) {
        op->promotion_drops = history__zero(history, OPS_ROOM * sizeof *op->promotion_drops);
    }
    op->promotion_drops[op->n_promotion_drops++] = history__name(history, model, section);
}

/* Some of what the student has, to be dropped when he is promoted. */
static void promotion_drops_draw(struct history *history, const struct model *model,
                                 int student, Carillon__Op *op)
{
    int wanted = 1 + history__pick(history, 2);

    for (int i = 0; i < model->registrations.count && wanted > 0; i++) {
        const struct model_registration *registration = &model->registrations.items[i];

        if (student != MODEL_NONE && registration->student == student &&
            history__chance(history, 600000)) {
            promotion_drop_push(history, model, op, registration->section);
            wanted--;
        }
    }
    if (history__chance(history, 50000)) {
        promotion_drop_push(history, model, op, history__section(history, model));
    }
    if (history__chance(history, history->odds.bad_shape)) {
        while (op->n_promotion_drops < MODEL_DROPS_MAX + 1) {
            promotion_drop_push(history, model, op, history__section(history, model));
        }
    }
}

static void op_draw(struct history *history, const struct model *model, int student,
                    Carillon__SubmitRequest *request)
{
    int kind = history__pick(history, 12);
    int section = history__section(history, model);
    int held = MODEL_NONE;
    Carillon__Op *op;

    if (kind < 3 && student != MODEL_NONE) {
        held = held_section(history, model, student, kind == 0);
    }
    if (held != MODEL_NONE) {
        op_push(history, model, request, DROP, held);
        return;
    }
    op = op_push(history, model, request,
                 kind == 3 && history__chance(history, 300000) ? DROP : ADD, section);
    op->waitlist = op->kind == ADD && kind < 8;
    if (op->waitlist && kind == 5) {
        promotion_drops_draw(history, model, student, op);
    }
}

static void shape_spoil(struct history *history, const struct model *model,
                        Carillon__SubmitRequest *request)
{
    switch (history__pick(history, 4)) {
    case 0:
        request->n_ops = 0;
        break;
    case 1:
        while (request->n_ops < MODEL_OPS_MAX + 1) {
            op_push(history, model, request, ADD, history__section(history, model));
        }
        break;
    case 2:
        request->ops[0]->kind =
            history__chance(history, 500000) ? CARILLON__OP_KIND__OP_NONE : (Carillon__OpKind)7;
        break;
    default:
        request->ops[0]->waitlist = false;
        request->ops[0]->n_promotion_drops = 0;
        promotion_drop_push(history, model, request->ops[0], history__section(history, model));
    }
}

static Carillon__SubmitRequest *request_begin(struct history *history,
                                              const struct model *model, int *ret_student)
{
    Carillon__SubmitRequest *request = history__zero(history, sizeof *request);

    carillon__submit_request__init(request);
    request->student = history__student_token(history);
    request->ops = history__zero(history, OPS_ROOM * sizeof(Carillon__Op *));
    *ret_student = model_student_find(model, request->student);
    return request;
}

static void request_end(struct history *history, const struct model *model,
                        Carillon__SubmitRequest *request, struct history_op *op)
{
    if (history__chance(history, history->odds.bad_shape)) {
        shape_spoil(history, model, request);
    }
    history__body(op, CARILLON__METHOD__METHOD_SUBMIT, &request->base);
}

void history__submit(struct history *history, const struct model *model, struct history_op *op)
{
    static const int counts[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                 2, 2, 2, 2, 2, 3, 3, 4, 5, 7, 16};
    int student;
    Carillon__SubmitRequest *request = request_begin(history, model, &student);
    int count = counts[history__pick(history, 23)];

    for (int i = 0; i < count; i++) {
        op_draw(history, model, student, request);
    }
    request_end(history, model, request, op);
}

/* Another offered section, of the same course when there is one. */
static int sibling(struct history *history, const struct model *model, int section)
{
    int start = history__pick(history, model->sections.count);

    for (int i = 0; i < model->sections.count; i++) {
        int at = (start + i) % model->sections.count;

        if (at != section &&
            model->sections.items[at].course == model->sections.items[section].course) {
            return at;
        }
    }
    return history__section(history, model);
}

/* Out of one section and into another, in either order. */
void history__swap(struct history *history, const struct model *model, struct history_op *op)
{
    int student;
    Carillon__SubmitRequest *request = request_begin(history, model, &student);
    int held = held_section(history, model, student, false);
    int wanted;

    if (held == MODEL_NONE) {
        held = history__section(history, model);
    }
    wanted = history__chance(history, 500000) ? sibling(history, model, held)
                                              : history__section(history, model);
    if (history__chance(history, 500000)) {
        op_push(history, model, request, DROP, held);
        op_push(history, model, request, ADD, wanted);
    } else {
        op_push(history, model, request, ADD, wanted);
        op_push(history, model, request, DROP, held);
    }
    request->ops[0]->waitlist =
        request->ops[0]->kind == ADD && history__chance(history, 300000);
    request_end(history, model, request, op);
}

/* In line for a section, often in exchange for what the student has. */
void history__wait(struct history *history, const struct model *model, struct history_op *op)
{
    int student;
    Carillon__SubmitRequest *request = request_begin(history, model, &student);
    int held = held_section(history, model, student, false);
    int wanted = history__section(history, model);
    Carillon__Op *add;

    if (held != MODEL_NONE && history__chance(history, 300000)) {
        wanted = sibling(history, model, held);
    }
    add = op_push(history, model, request, ADD, wanted);
    add->waitlist = true;
    if (held != MODEL_NONE && history__chance(history, 600000)) {
        promotion_drop_push(history, model, add, held);
    } else if (history__chance(history, 300000)) {
        promotion_drops_draw(history, model, student, add);
    }
    request_end(history, model, request, op);
}
