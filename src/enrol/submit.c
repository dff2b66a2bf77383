/* METHOD_SUBMIT: reserve, decide and confirm in one entry, because everything lies in one
 * shard. */
#include "base/assert.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "enrol/verdict.h"

int enrol__submit_check(struct enrol *enrol, const void *request, struct buf *text)
{
    const struct enrol_entry *entry = request;
    struct enrol_attempt attempt;

    return enrol__attempt_make(enrol, entry->body, entry->hint, &attempt, text);
}

static void confirm_drop(struct enrol_work *work, uint32_t student, struct enrol_op *op)
{
    struct campus *campus = &work->enrol->campus;

    if (campus_registration_find(campus_student(campus, student), op->section) != NULL) {
        campus_unregister(campus, student, op->section);
        op->change = CARILLON__CHANGE_KIND__CHANGE_DROPPED;
    } else {
        enrol__place_end(work->enrol, campus_place_find(campus, student, op->section));
        op->change = CARILLON__CHANGE_KIND__CHANGE_WAITLIST_LEFT;
    }
}

/* A time permit may be for either of two sections that meet at once: any counts. */
static uint32_t permits_in_force(const struct campus *campus, uint32_t student,
                                 uint32_t section)
{
    const struct campus_extra *extra = campus_student(campus, student)->extra;
    uint32_t permits = campus_section_is_full(campus_section(campus, section))
                           ? CARILLON__PERMIT_KIND__PERMIT_CAPACITY
                           : 0;

    for (uint32_t i = 0; extra != NULL && i < extra->permit_count; i++) {
        uint32_t counts = CARILLON__PERMIT_KIND__PERMIT_TIME;

        if (extra->permits[i].section == section) {
            counts |= CARILLON__PERMIT_KIND__PERMIT_RULE;
        }
        permits |= extra->permits[i].kinds & counts;
    }
    return permits;
}

/* @part: what another shard keeps for the add, or NULL. */
static void confirm_add(struct enrol_work *work, uint32_t student, struct enrol_op *op,
                        const struct enrol_part *part)
{
    struct campus *campus = &work->enrol->campus;
    struct campus_since since = enrol__since(work);
    bool is_foreign = part != NULL && part->is_foreign;
    uint32_t place = campus_place_find(campus, student, op->section);

    if (op->is_wait) {
        place = campus_place_add(campus, student, op->section, &since);
        campus_place_set_drops(campus, place, op->drops, op->drop_count);
        op->place = is_foreign ? part->place : campus_section(campus, op->section)->waiting;
        op->change = CARILLON__CHANGE_KIND__CHANGE_WAITLISTED;
        return;
    }
    if (place != CAMPUS_NONE) {
        enrol__place_end(work->enrol, place);
    }
    since.permits = is_foreign ? part->permits : permits_in_force(campus, student, op->section);
    campus_register(campus, student, op->section, since);
    op->change = CARILLON__CHANGE_KIND__CHANGE_REGISTERED;
}

void enrol__confirm(struct enrol_work *work, struct enrol_attempt *attempt)
{
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].kind == CARILLON__OP_KIND__OP_DROP) {
            confirm_drop(work, attempt->student, &attempt->ops[i]);
        }
    }
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].kind == CARILLON__OP_KIND__OP_ADD) {
            confirm_add(work, attempt->student, &attempt->ops[i],
                        attempt->parts == NULL ? NULL : &attempt->parts->of[i]);
        }
    }
}

void enrol__attempt_queue(struct enrol *enrol, const struct enrol_attempt *attempt)
{
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].change == CARILLON__CHANGE_KIND__CHANGE_DROPPED) {
            enrol__queue_section(enrol, attempt->ops[i].section);
        }
    }
    enrol__queue_student(enrol, attempt->student);
}

int enrol__attempt_reply(struct enrol_work *work, const struct enrol_attempt *attempt)
{
    bool is_refused = attempt->refusal_count > 0;
    int rc = enrol__submit_reply(work->enrol,
                                 &(struct enrol_verdict){
                                     .term = work->entry->term,
                                     .index = work->entry->index,
                                     .ops = attempt->ops,
                                     .op_count = is_refused ? 0 : attempt->op_count,
                                     .refusals = attempt->refusals,
                                     .refusal_count = attempt->refusal_count,
                                 },
                                 &work->result->reply);

    if (rc != OK || !is_refused) {
        return rc;
    }
    return ENROL_SAY(&work->result->text, ERR_REFUSED, "refused by %u rule%s",
                     attempt->refusal_count, attempt->refusal_count == 1 ? "" : "s");
}

int enrol__submit_apply(struct enrol_work *work, const void *request)
{
    struct enrol *enrol = work->enrol;
    struct enrol_attempt attempt;
    (void)request; /* raw: the entry */
    int rc = enrol__attempt_make(enrol, work->entry->body, work->entry->hint, &attempt,
                                 &work->result->text);

    work->result->student = attempt.student;
    if (rc != OK) {
        return rc;
    }
    attempt.wall_ms = work->entry->wall_ms;
    for (uint32_t i = 0; i < attempt.op_count; i++) {
        if (attempt.ops[i].kind == CARILLON__OP_KIND__OP_ADD) {
            (void)enrol__settle(work, attempt.ops[i].section);
        }
    }
    attempt.is_settled = true;
    enrol__attempt_judge(&attempt);
    if (attempt.refusal_count == 0) {
        enrol__confirm(work, &attempt);
        enrol__attempt_queue(enrol, &attempt);
        if (attempt.op_count == 1) {
            work->change = attempt.ops[0].change;
            work->section = attempt.ops[0].section;
            work->place = attempt.ops[0].place;
        }
    }
    rc = enrol__attempt_reply(work, &attempt);
    (void)enrol__queue_work(work);
    return rc;
}
