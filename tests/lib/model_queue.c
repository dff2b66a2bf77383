/* Waitlists: section 5 of docs/spec/registration.md. */
#include <stdio.h>

#include "tests/lib/model_private.h"

void model__register(struct model *model, int student, int section, bool over_capacity)
{
    int place = model_place_find(model, student, section);
    struct model_registration *registration;

    if (place != MODEL_NONE) {
        MODEL_REMOVE(model->places, place);
    }
    registration = MODEL_PUSH(model->registrations);
    *registration = (struct model_registration){
        .student = student,
        .section = section,
        .since_index = model->index,
        .since_ms = model->wall_ms,
        .over_capacity = over_capacity,
    };
}

void model__unregister(struct model *model, int student, int section)
{
    int registration = model_registration_find(model, student, section);

    ASSERT(registration != MODEL_NONE);
    MODEL_REMOVE(model->registrations, registration);
}

static void note(struct model *model, enum model_note_kind kind, int student, int section)
{
    struct model_note *added = MODEL_PUSH(model->notes);

    added->kind = kind;
    added->student = student;
    added->section = section;
}

static void skip(struct model *model, int at, const struct model_refusal *refusal)
{
    struct model_place *place = &model->places.items[at];
    struct model_note *noted;

    if (place->skip_index == model->index) {
        return;
    }
    place->skip_index = model->index;
    place->skips++;
    place->last_skip = refusal->kind;
    place->last_skip_ms = model->wall_ms;
    memcpy(place->last_skip_evidence, refusal->evidence, sizeof refusal->evidence);
    note(model, MODEL_SKIPPED, place->student, place->section);
    noted = &model->notes.items[model->notes.count - 1];
    noted->refusal = refusal->kind;
    memcpy(noted->evidence, refusal->evidence, sizeof refusal->evidence);
}

static bool is_op_of(const struct model_attempt *attempt, int section)
{
    for (int i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].section == section) {
            return true;
        }
    }
    return false;
}

/* What the student of a place would ask for now: the first of his drops, each once, then the
 * section. */
static struct model_attempt place_attempt(const struct model *model,
                                          const struct model_place *place)
{
    struct model_attempt attempt = {.student = place->student, .is_promotion = true};
    struct model_attempt_op *op;

    for (int i = 0; i < place->drop_count; i++) {
        if (attempt.op_count == MODEL_OPS_MAX - 1 || is_op_of(&attempt, place->drops[i]) ||
            model_registration_find(model, place->student, place->drops[i]) == MODEL_NONE) {
            continue;
        }
        op = &attempt.ops[attempt.op_count++];
        op->section = place->drops[i];
    }
    op = &attempt.ops[attempt.op_count++];
    op->is_add = true;
    op->section = place->section;
    return attempt;
}

static void promote(struct model *model, const struct model_attempt *attempt)
{
    int section = attempt->ops[attempt->op_count - 1].section;

    note(model, MODEL_PROMOTED, attempt->student, section);
    for (int i = 0; i < attempt->op_count - 1; i++) {
        model__unregister(model, attempt->student, attempt->ops[i].section);
        note(model, MODEL_PROMOTION_DROP, attempt->student, attempt->ops[i].section);
    }
    model__register(model, attempt->student, section, false);
    for (int i = 0; i < attempt->op_count - 1; i++) {
        model__queue_section(model, attempt->ops[i].section);
    }
    model__queue_student(model, attempt->student);
}

uint32_t model__settle(struct model *model, int section)
{
    static struct model_refusals refusals;
    uint32_t promoted = 0;
    int at = 0;

    if (model->sections.items[section].presence == MODEL_WITHDRAWN) {
        return 0;
    }
    while (at < model->places.count && !model_is_full(model, section)) {
        struct model_attempt attempt;

        if (model->places.items[at].section != section) {
            at++;
            continue;
        }
        attempt = place_attempt(model, &model->places.items[at]);
        model__judge(model, &attempt, &refusals);
        if (refusals.count == 0) {
            promote(model, &attempt); /* the place at @at ends: the next one follows */
            promoted++;
        } else {
            skip(model, at, &refusals.items[0]);
            at++;
        }
    }
    return promoted;
}

void model__queue_section(struct model *model, int section)
{
    if (model_waiting(model, section) == 0 || model_is_full(model, section)) {
        return;
    }
    for (int i = 0; i < model->queue.count; i++) {
        if (model->queue.items[i] == section) {
            return;
        }
    }
    *MODEL_PUSH(model->queue) = section;
}

void model__queue_student(struct model *model, int student)
{
    int sections[MODEL_PLACES_MAX];
    uint64_t since[MODEL_PLACES_MAX];
    int count = 0;

    for (int i = 0; i < model->places.count; i++) {
        const struct model_place *place = &model->places.items[i];
        int at = count;

        if (place->student != student) {
            continue;
        }
        /* In order of joining; those of one entry in order of first import. */
        while (at > 0 && since[at - 1] == place->since_index &&
               sections[at - 1] > place->section) {
            sections[at] = sections[at - 1];
            since[at] = since[at - 1];
            at--;
        }
        sections[at] = place->section;
        since[at] = place->since_index;
        count++;
        ASSERT(count <= MODEL_PLACES_MAX);
    }
    for (int i = 0; i < count; i++) {
        model__queue_section(model, sections[i]);
    }
}

void model__queue_all(struct model *model)
{
    for (int i = 0; i < model->sections.count; i++) {
        model__queue_section(model, i);
    }
}

uint32_t model__queue_run(struct model *model, int section)
{
    uint32_t promoted = 0;

    while (model->queue.count > 0) {
        int first = model->queue.items[0];
        uint32_t count;

        MODEL_REMOVE(model->queue, 0);
        count = model__settle(model, first);
        promoted += first == section ? count : 0;
    }
    return promoted;
}
