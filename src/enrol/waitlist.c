/* Waitlists: who is promoted, who is passed over, and what that sets free (specification,
 * section 5). */
#include "base/assert.h"
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"

void enrol__note(struct enrol_work *work, uint32_t kind, uint32_t student, uint32_t section,
                 const struct enrol_refusal *refusal)
{
    struct enrol_result *result = work->result;
    struct enrol_note note = {
        .kind = kind,
        .student = student,
        .section = section,
        .text_at = (uint32_t)result->note_text.len,
    };

    if (refusal != NULL) {
        note.refusal = refusal->kind;
        note.text_len = (uint32_t)refusal->evidence.len;
        int rc = buf_append_slice(&result->note_text, refusal->evidence);

        note.text_len = rc == OK ? note.text_len : 0;
    }
    int rc = buf_append(&result->notes, &note, sizeof note);
    (void)rc; /* the bound is far above what one entry can do; a note too many is lost, not the
                 change */
}

static bool has_op(const struct enrol_attempt *attempt, uint32_t section)
{
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].section == section) {
            return true;
        }
    }
    return false;
}

/* The submit that a promotion stands for. */
void enrol__promotion_make(struct enrol *enrol, const struct campus_place *place,
                           uint64_t wall_ms, struct enrol_attempt *attempt)
{
    const struct campus_student *student = campus_student(&enrol->campus, place->student);

    attempt->enrol = enrol;
    attempt->parts = NULL;
    attempt->facts = NULL;
    attempt->student = place->student;
    attempt->who = student;
    attempt->wall_ms = wall_ms;
    attempt->is_settled = true;
    attempt->is_promotion = true;
    attempt->has_add = true;
    attempt->op_count = 0;
    for (uint32_t i = 0; i <= place->drop_count; i++) {
        bool is_add = i == place->drop_count;
        uint32_t section = is_add ? place->section : place->drops[i];

        if (!is_add && (attempt->op_count == ENROL_OPS_MAX - 1 || has_op(attempt, section) ||
                        campus_registration_find(student, section) == NULL)) {
            continue;
        }
        struct enrol_op *op = &attempt->ops[attempt->op_count++];

        op->kind = is_add ? CARILLON__OP_KIND__OP_ADD : CARILLON__OP_KIND__OP_DROP;
        op->section = section;
        op->waitlist = false;
        op->is_wait = false;
        op->is_void = false;
        op->place = 0;
        op->change = 0;
        op->drop_count = 0;
    }
}

static bool is_eligible(struct enrol *enrol, const struct campus_place *place, uint64_t wall_ms,
                        struct enrol_attempt *attempt)
{
    enrol__promotion_make(enrol, place, wall_ms, attempt);
    enrol__attempt_judge(attempt);
    return attempt->refusal_count == 0;
}

bool enrol__is_spoken_for(struct enrol *enrol, uint32_t section, uint64_t wall_ms)
{
    const struct campus_section *of = campus_section(&enrol->campus, section);
    struct enrol_attempt attempt;

    if (!campus_section_is_stalled(of)) {
        return false;
    }
    uint32_t left =
        of->capacity == CAMPUS_NONE ? UINT32_MAX : of->capacity - of->enrolled - of->held - of->offered;

    for (uint32_t at = of->wait_first; at != CAMPUS_NONE && left > 0;
         at = campus_place(&enrol->campus, at)->next) {
        const struct campus_place *place = campus_place(&enrol->campus, at);
        bool is_next = enrol__is_foreign_place(enrol, place)
                           ? enrol__can_be_offered(place, wall_ms)
                           : is_eligible(enrol, place, wall_ms, &attempt);

        left -= is_next ? 1 : 0;
    }
    return left == 0;
}

bool enrol__is_eligible(struct enrol *enrol, uint32_t place, uint64_t wall_ms)
{
    struct enrol_attempt attempt;

    /* of someone at home in another shard only that shard can tell */
    return !enrol__is_foreign_place(enrol, campus_place(&enrol->campus, place)) &&
           is_eligible(enrol, campus_place(&enrol->campus, place), wall_ms, &attempt);
}

static void promote(struct enrol_work *work, uint32_t section, struct enrol_attempt *attempt)
{
    struct enrol *enrol = work->enrol;

    enrol__confirm(work, attempt);
    enrol__note(work, ENROL_NOTE_PROMOTED, attempt->student, section, NULL);
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].change == CARILLON__CHANGE_KIND__CHANGE_DROPPED) {
            enrol__note(work, ENROL_NOTE_PROMOTION_DROP, attempt->student,
                        attempt->ops[i].section, NULL);
            enrol__queue_section(enrol, attempt->ops[i].section);
        }
    }
    enrol__queue_student(enrol, attempt->student);
}

uint32_t enrol__settle(struct enrol_work *work, uint32_t section)
{
    struct enrol *enrol = work->enrol;
    const struct campus_section *of = campus_section(&enrol->campus, section);
    struct campus_since now = enrol__since(work);
    uint32_t promoted = 0;
    uint32_t next = CAMPUS_NONE;
    struct enrol_attempt attempt;

    for (uint32_t at = of->wait_first; at != CAMPUS_NONE && campus_section_is_stalled(of);
         at = next) {
        const struct campus_place *place = campus_place(&enrol->campus, at);

        next = place->next;
        if (enrol__is_foreign_place(enrol, place)) {
            if (enrol__can_be_offered(place, now.ms)) {
                enrol__offer_make(work, at);
            }
        } else if (is_eligible(enrol, place, now.ms, &attempt)) {
            promote(work, section, &attempt);
            promoted++;
        } else if (place->skip_index != now.index) {
            campus_place_skip(&enrol->campus, at, &now, attempt.refusals[0].kind,
                              attempt.refusals[0].evidence);
            enrol__note(work, ENROL_NOTE_SKIPPED, place->student, section,
                        &attempt.refusals[0]);
        }
    }
    return promoted;
}

/* ---- the queue */

static void queue_grow(struct enrol *enrol)
{
    uint32_t cap = enrol->queue_cap == 0 ? 64 : enrol->queue_cap * 2;
    uint32_t *queue = arena_alloc(&enrol->campus.arena, cap * sizeof *queue);

    for (uint32_t i = 0; i < enrol->queue_count; i++) {
        queue[i] = enrol->queue[(enrol->queue_first + i) & (enrol->queue_cap - 1)];
    }
    if (enrol->queue_cap > 0) {
        arena_free(&enrol->campus.arena, enrol->queue, enrol->queue_cap * sizeof *queue);
    }
    enrol->queue = queue;
    enrol->queue_first = 0;
    enrol->queue_cap = cap;
}

void enrol__queue_section(struct enrol *enrol, uint32_t section)
{
    struct campus_section *of = campus_section(&enrol->campus, section);

    if (of->is_queued || !campus_section_is_stalled(of)) {
        return;
    }
    if (enrol->queue_count == enrol->queue_cap) {
        queue_grow(enrol);
    }
    enrol->queue[(enrol->queue_first + enrol->queue_count++) & (enrol->queue_cap - 1)] =
        section;
    of->is_queued = true;
}

void enrol__queue_student(struct enrol *enrol, uint32_t student)
{
    for (uint32_t at = campus_place_first(campus_student(&enrol->campus, student));
         at != CAMPUS_NONE; at = campus_place(&enrol->campus, at)->next_of_student) {
        enrol__queue_section(enrol, campus_place(&enrol->campus, at)->section);
    }
}

void enrol__queue_all(struct enrol *enrol)
{
    for (uint32_t i = 0; i < enrol->campus.stalled_count; i++) {
        enrol__queue_section(enrol, enrol->campus.stalled[i]);
    }
}

/* Ends: a section enters the queue again only after a promotion, and each promotion ends a
 * place. */
uint32_t enrol__queue_work(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    uint32_t promoted = 0;

    while (enrol->queue_count > 0) {
        uint32_t section = enrol->queue[enrol->queue_first];

        enrol->queue_first = (enrol->queue_first + 1) & (enrol->queue_cap - 1);
        enrol->queue_count--;
        campus_section(&enrol->campus, section)->is_queued = false;
        promoted += enrol__settle(work, section);
    }
    return promoted;
}
