/* Submit: section 3 of docs/spec/registration.md, from the request to the reply. */
#include "tests/lib/model_private.h"

#define CHANGE(name) CARILLON__CHANGE_KIND__CHANGE_##name

/* What the reply's messages are made of. */
struct reply {
    Carillon__Refusal refusals[MODEL_REFUSALS_MAX];
    Carillon__Refusal *refusal_list[MODEL_REFUSALS_MAX];
    Carillon__Change changes[MODEL_OPS_MAX];
    Carillon__SectionName names[MODEL_OPS_MAX];
    Carillon__Change *change_list[MODEL_OPS_MAX];
};

static bool is_well_formed(const Carillon__SubmitRequest *request)
{
    if (request->n_ops < 1 || request->n_ops > MODEL_OPS_MAX) {
        return false;
    }
    for (size_t i = 0; i < request->n_ops; i++) {
        const Carillon__Op *op = request->ops[i];

        if (op->kind != CARILLON__OP_KIND__OP_ADD && op->kind != CARILLON__OP_KIND__OP_DROP) {
            return false;
        }
        if (op->n_promotion_drops > MODEL_DROPS_MAX ||
            (op->n_promotion_drops > 0 &&
             (op->kind != CARILLON__OP_KIND__OP_ADD || !op->waitlist))) {
            return false;
        }
    }
    return true;
}

static int op_resolve(const struct model *model, const Carillon__Op *op,
                      struct model_attempt_op *ret_op)
{
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    int status;

    name.institution = op->institution;
    name.code = op->code;
    name.section = op->section;
    name.term = op->term;
    ret_op->is_add = op->kind == CARILLON__OP_KIND__OP_ADD;
    ret_op->waitlist = op->waitlist != 0;
    status = model_resolve(model, &name, &ret_op->section);
    for (size_t i = 0; i < op->n_promotion_drops && status == OK; i++) {
        status = model_resolve(model, op->promotion_drops[i], &ret_op->drops[i]);
        ret_op->drop_count++;
    }
    return status;
}

static int attempt_resolve(const struct model *model, const Carillon__SubmitRequest *request,
                           struct model_attempt *attempt)
{
    int status = OK;

    attempt->student = model_student_find(model, request->student);
    if (attempt->student == MODEL_NONE ||
        model->students.items[attempt->student].presence == MODEL_ABSENT) {
        return ERR_UNKNOWN_STUDENT;
    }
    for (size_t i = 0; i < request->n_ops && status == OK; i++) {
        status = op_resolve(model, request->ops[i], &attempt->ops[i]);
        attempt->op_count++;
    }
    return status;
}

static uint32_t drop(struct model *model, int student, int section)
{
    int place = model_place_find(model, student, section);

    if (place != MODEL_NONE) {
        MODEL_REMOVE(model->places, place);
        return CHANGE(WAITLIST_LEFT);
    }
    model__unregister(model, student, section);
    return CHANGE(DROPPED);
}

static uint32_t add(struct model *model, int student, const struct model_attempt_op *op)
{
    struct model_place *place;

    if (!op->is_wait) {
        model__register(model, student, op->section, model_is_full(model, op->section));
        return CHANGE(REGISTERED);
    }
    place = MODEL_PUSH(model->places);
    place->student = student;
    place->section = op->section;
    place->since_index = model->index;
    place->since_ms = model->wall_ms;
    place->drop_count = op->drop_count;
    memcpy(place->drops, op->drops, sizeof op->drops);
    return CHANGE(WAITLISTED);
}

/* Do it: the drops, then the adds; then put into the queue what that may have changed. */
static void attempt_perform(struct model *model, const struct model_attempt *attempt,
                            Carillon__Change *changes)
{
    for (int i = 0; i < attempt->op_count; i++) {
        if (!attempt->ops[i].is_add) {
            changes[i].kind = drop(model, attempt->student, attempt->ops[i].section);
        }
    }
    for (int i = 0; i < attempt->op_count; i++) {
        const struct model_attempt_op *op = &attempt->ops[i];

        if (op->is_add) {
            changes[i].kind = add(model, attempt->student, op);
        }
        if (op->is_wait) {
            changes[i].waitlist_place = model_waiting(model, op->section);
        }
    }
    for (int i = 0; i < attempt->op_count; i++) {
        if (changes[i].kind == CHANGE(DROPPED)) {
            model__queue_section(model, attempt->ops[i].section);
        }
    }
    model__queue_student(model, attempt->student);
}

static void reply_changes(struct model *model, const struct model_attempt *attempt,
                          struct reply *parts, Carillon__SubmitReply *reply)
{
    for (int i = 0; i < attempt->op_count; i++) {
        const struct model_course *course = model_course_of(model, attempt->ops[i].section);
        Carillon__SectionName *name = &parts->names[i];

        carillon__section_name__init(name);
        name->institution = wire_text(course->institution);
        name->code = wire_text(course->code);
        name->section = model->sections.items[attempt->ops[i].section].id;
        name->term = wire_text(course->term);
        carillon__change__init(&parts->changes[i]);
        parts->changes[i].section = name;
        parts->change_list[i] = &parts->changes[i];
    }
    attempt_perform(model, attempt, parts->changes);
    reply->n_changes = (size_t)attempt->op_count;
    reply->changes = parts->change_list;
}

static void reply_refusals(struct model_refusals *refusals, struct reply *parts,
                           Carillon__SubmitReply *reply)
{
    for (int i = 0; i < refusals->count; i++) {
        Carillon__Refusal *refusal = &parts->refusals[i];

        carillon__refusal__init(refusal);
        refusal->kind = refusals->items[i].kind;
        refusal->op = refusals->items[i].op;
        refusal->rule_node = refusals->items[i].rule_node;
        refusal->evidence = refusals->items[i].evidence;
        parts->refusal_list[i] = refusal;
    }
    reply->n_refusals = (size_t)refusals->count;
    reply->refusals = parts->refusal_list;
}

static int submit(struct model *model, const Carillon__SubmitRequest *request,
                  struct model_answer *answer)
{
    static struct model_refusals refusals;
    static struct reply parts;
    struct model_attempt attempt = {.op_count = 0};
    Carillon__SubmitReply reply = CARILLON__SUBMIT_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    int status;

    if (!is_well_formed(request)) {
        return ERR_ARGUMENT;
    }
    status = attempt_resolve(model, request, &attempt);
    if (status != OK) {
        return status;
    }
    for (int i = 0; i < attempt.op_count; i++) {
        if (attempt.ops[i].is_add) {
            model->settled_first += model__settle(model, attempt.ops[i].section);
        }
    }
    model__judge(model, &attempt, &refusals);
    reply.receipt = &receipt;
    if (refusals.count > 0) {
        reply_refusals(&refusals, &parts, &reply);
    } else {
        reply_changes(model, &attempt, &parts, &reply);
    }
    model__queue_run(model, MODEL_NONE);
    model__reply(answer, &reply.base);
    return refusals.count > 0 ? ERR_REFUSED : OK;
}

int model__submit(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__SubmitRequest *request =
        carillon__submit_request__unpack(NULL, body.len, body.data);
    int status = ERR_MALFORMED;

    if (request != NULL) {
        status = submit(model, request, answer);
        carillon__submit_request__free_unpacked(request, NULL);
    }
    return status;
}
