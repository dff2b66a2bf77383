/* The section's shard: holds are made, and settled as the home has decided. */
#include "base/assert.h"
#include "campus/foreign.h"
#include "campus/section.h"
#include "campus/shard.h"
#include "campus/snapshot.h"
#include "campus/student.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"

/* ---- what is kept */

/* A time permit for any section counts; the home knows. */
static uint8_t permits_of(const struct enrol_attempt *attempt, uint32_t section)
{
    const struct campus_permit *permit = campus_permit_find(attempt->who, section);
    uint32_t kinds = permit == NULL ? 0 : permit->kinds;

    return (uint8_t)(campus_section_is_full(campus_section(&attempt->enrol->campus, section))
                         ? kinds
                         : kinds & ~(uint32_t)CARILLON__PERMIT_KIND__PERMIT_CAPACITY);
}

static struct enrol_held_op keep(const struct enrol_attempt *attempt, const struct enrol_op *op,
                                 uint32_t number)
{
    struct enrol *enrol = attempt->enrol;
    struct campus *campus = &enrol->campus;
    uint32_t student = attempt->student;
    struct enrol_held_op held = {.section = op->section, .op = (uint8_t)number};

    if (op->is_void) {
        return held;
    }
    if (op->kind == CARILLON__OP_KIND__OP_ADD && op->is_wait) {
        struct campus_section *of = campus_section(campus, op->section);

        held.what = ENROL_HELD_PLACE;
        held.place = of->waiting + ++of->places_held;
    } else if (op->kind == CARILLON__OP_KIND__OP_ADD) {
        uint32_t place = campus_place_find(campus, student, op->section);

        held.what = ENROL_HELD_SEAT;
        held.permits = permits_of(attempt, op->section);
        held.is_over = (held.permits & CARILLON__PERMIT_KIND__PERMIT_CAPACITY) != 0;
        campus_seat_hold(campus, op->section, held.is_over);
        if (place != CAMPUS_NONE && campus_place(campus, place)->offer != CAMPUS_NONE) {
            /* The seat that was kept for him anyway; not before, or a limit that was lowered
             * meanwhile would excuse one less. */
            enrol__offer_end(enrol, place);
        }
    } else if (campus_registration_find(campus_student(campus, student), op->section) != NULL) {
        held.what = ENROL_HELD_DROP;
    } else if (campus_place_find(campus, student, op->section) != CAMPUS_NONE) {
        held.what = ENROL_HELD_PLACE_DROP;
    }
    return held;
}

static void make_hold(struct enrol_work *work, const struct across_head *head,
                      const struct across_reserve *reserve, const struct enrol_attempt *attempt)
{
    struct enrol *enrol = work->enrol;
    struct enrol_hold hold = {
        .id = head->id,
        .since_ms = work->entry->wall_ms,
        .since_index = work->entry->index,
        .student = attempt->student,
        .op_count = attempt->op_count,
    };

    for (uint32_t i = 0; i < attempt->op_count; i++) {
        hold.ops[i] = keep(attempt, &attempt->ops[i], reserve->ops[i].op);
    }
    (void)enrol__hold_add(&enrol->across, &hold);
    campus_touch_student(&enrol->campus, attempt->student);
    campus_stand_in_set(campus_student(&enrol->campus, attempt->student), head->id.term,
                        head->id.counter);
}

/* ---- what the home is told */

static void reply(struct enrol_work *work, const struct across_head *head,
                  struct across_reserved *reserved)
{
    struct across_head back = *head;

    reserved->fact = work->enrol->fact;

    back.kind = ACROSS_RESERVED;
    across_put_head(&work->result->reply, &back);
    across_put_reserved(&work->result->reply, reserved);
}

static void reply_granted(struct enrol_work *work, const struct across_head *head,
                          const struct enrol_hold *hold)
{
    struct across_reserved reserved = {.outcome = ACROSS_GRANTED};

    for (uint32_t i = 0; i < hold->op_count; i++) {
        const struct enrol_held_op *op = &hold->ops[i];

        reserved.parts[reserved.part_count++] = (struct across_part){
            .op = op->op,
            .what = op->what,
            .place = op->place,
            .permits = op->permits,
            .description = enrol__describe(work->enrol, op->section),
        };
    }
    reply(work, head, &reserved);
}

static void reply_refused(struct enrol_work *work, const struct across_head *head,
                          const struct across_reserve *reserve,
                          const struct enrol_attempt *attempt)
{
    struct across_reserved reserved;

    enrol__foreign_tell(attempt, reserve, &reserved);
    reply(work, head, &reserved);
}

/* ---- the end of a hold */

/* What a hold kept is given up; what others can have now is looked at afterwards. */
static void release(struct enrol *enrol, uint32_t slot)
{
    const struct enrol_hold hold = *enrol__hold(&enrol->across, slot);

    enrol__hold_remove(&enrol->across, slot);
    for (uint32_t i = 0; i < hold.op_count; i++) {
        if (hold.ops[i].what == ENROL_HELD_SEAT) {
            campus_seat_release(&enrol->campus, hold.ops[i].section, hold.ops[i].is_over);
            enrol__queue_section(enrol, hold.ops[i].section);
        } else if (hold.ops[i].what == ENROL_HELD_PLACE) {
            campus_section(&enrol->campus, hold.ops[i].section)->places_held--;
        }
    }
}

static void confirm_drop(struct enrol *enrol, uint32_t student, const struct enrol_held_op *op)
{
    struct campus *campus = &enrol->campus;
    uint32_t place = campus_place_find(campus, student, op->section);

    if (op->what == ENROL_HELD_DROP &&
        campus_registration_find(campus_student(campus, student), op->section) != NULL) {
        campus_unregister(campus, student, op->section);
        enrol__queue_section(enrol, op->section);
    } else if (op->what == ENROL_HELD_PLACE_DROP && place != CAMPUS_NONE) {
        enrol__place_end(enrol, place);
    }
}

/* A seat that is held becomes a registration, and a place on that waitlist ends; a place that
 * is held becomes the last in line. */
static void confirm_add(struct enrol_work *work, uint32_t student,
                        const struct enrol_held_op *op)
{
    struct enrol *enrol = work->enrol;
    struct campus_since since = enrol__since(work);
    uint32_t place = campus_place_find(&enrol->campus, student, op->section);

    if (op->what == ENROL_HELD_SEAT) {
        if (place != CAMPUS_NONE) {
            enrol__place_end(enrol, place);
        }
        since.permits = op->permits;
        campus_seat_give(&enrol->campus, op->section, student, op->is_over, since);
    } else if (op->what == ENROL_HELD_PLACE) {
        campus_section(&enrol->campus, op->section)->places_held--;
        (void)campus_place_add(&enrol->campus, student, op->section, &since);
        enrol__queue_section(enrol, op->section);
    }
}

/* Acts on what the hold keeps, and on nothing else. */
static void confirm(struct enrol_work *work, uint32_t slot)
{
    struct enrol *enrol = work->enrol;
    const struct enrol_hold hold = *enrol__hold(&enrol->across, slot);

    enrol__hold_remove(&enrol->across, slot);
    for (uint32_t i = 0; i < hold.op_count; i++) {
        confirm_drop(enrol, hold.student, &hold.ops[i]);
    }
    for (uint32_t i = 0; i < hold.op_count; i++) {
        confirm_add(work, hold.student, &hold.ops[i]);
    }
}

/* ---- the entries */

static int reserve_anew(struct enrol_work *work, const struct across_head *head,
                        const struct across_reserve *reserve, uint32_t student)
{
    struct enrol_attempt attempt = {
        .enrol = work->enrol, .student = student, .wall_ms = work->entry->wall_ms};
    int rc = enrol__foreign_judge(&attempt, reserve, work, &work->result->text);

    if (rc != OK) {
        struct across_reserved failed = {
            .outcome = ACROSS_FAILED, .error = rc, .text = buf_slice(&work->result->text)};

        reply(work, head, &failed);
        return rc;
    }
    if (attempt.refusal_count > 0) {
        reply_refused(work, head, reserve, &attempt);
        return ERR_REFUSED;
    }
    make_hold(work, head, reserve, &attempt);
    reply_granted(
        work, head,
        enrol__hold(&work->enrol->across, enrol__hold_find(&work->enrol->across, student)));
    return OK;
}

int enrol__reserve_apply(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    struct unpack in = unpack_from(work->entry->body);
    struct across_reserve *reserve = arena_alloc(&enrol->scratch, sizeof *reserve);
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserve(&in, reserve);
    if (!unpack_is_done(&in) || campus_is_own(&enrol->campus, head.token)) {
        return ERR_MALFORMED; /* not admitted by any leader */
    }
    uint32_t student = campus_student_stand_in(&enrol->campus, reserve->institution, head.token,
                                               reserve->name);
    const struct campus_student *of = campus_student(&enrol->campus, student);
    const struct enrol_attempt_id newest = {head.id.home, campus_stand_in_term(of),
                                            campus_stand_in_counter(of)};
    uint32_t slot = enrol__hold_find(&enrol->across, student);
    int order = enrol_attempt_id_compare(&head.id, &newest);

    work->result->student = student;
    if (order == 0 && slot != CAMPUS_NONE) { /* again: the same answer */
        reply_granted(work, &head, enrol__hold(&enrol->across, slot));
        return OK;
    }
    if (order <= 0) { /* what came of it is known already, or a newer attempt was here */
        struct across_reserved outdated = {.outcome = ACROSS_OUTDATED};

        reply(work, &head, &outdated);
        return ERR_GONE;
    }
    if (!reserve->is_whole && enrol__foreign_is_ruled(&enrol->campus, reserve)) {
        /* The rule came between the leader's look and here. */
        struct across_reserved ruled = {.outcome = ACROSS_RULED};

        reply(work, &head, &ruled);
        return ERR_GONE;
    }
    if (slot != CAMPUS_NONE) {
        /* "A newer attempt of the same student takes over that student's older hold": the home
         * begins none before the older ones are settled here, or can never be decided. */
        release(enrol, slot);
    }
    int rc = reserve_anew(work, &head, reserve, student);

    (void)enrol__queue_work(work);
    return rc;
}

/* One decision, which ends the hold of its attempt. */
static void settle(struct enrol_work *work, const struct across_head *head, uint32_t verdict)
{
    struct enrol *enrol = work->enrol;
    uint32_t student = campus_student_find(&enrol->campus, head->token);
    uint32_t slot =
        student == CAMPUS_NONE ? CAMPUS_NONE : enrol__hold_find(&enrol->across, student);

    /* "They act only on a hold or drop mark with that attempt's id and never on a registration;
     * without one they are acknowledged and do nothing." */
    if (slot != CAMPUS_NONE &&
        enrol_attempt_id_compare(&enrol__hold(&enrol->across, slot)->id, &head->id) == 0) {
        work->result->student = student;
        if (verdict == ACROSS_CONFIRM) {
            confirm(work, slot);
        } else {
            release(enrol, slot);
        }
    }
    const struct across_head back = {ACROSS_SETTLED, head->id, head->token};

    across_put_head(&work->result->reply, &back);
}

int enrol__settle_apply(struct enrol_work *work)
{
    struct unpack in = unpack_from(work->entry->body);
    uint32_t count = across_settle_count(work->entry->body);

    if (count == 0) {
        return ERR_MALFORMED; /* not admitted by any leader */
    }
    for (uint32_t i = 0; i < count; i++) {
        struct across_head head;

        across_take_head(&in, &head);
        settle(work, &head, (uint32_t)unpack_u64(&in));
    }
    if (count > 1) {
        work->result->student = CAMPUS_NONE; /* it speaks of several */
    }
    (void)enrol__queue_work(work);
    return OK;
}
