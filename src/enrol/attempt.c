/* One request of one student: from its names to a verdict with every refusal. The numbers in
 * comments are those of the table in docs/spec/registration.md section 3. */
#include "base/assert.h"
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "enrol/request.h"

static int op_shape(const struct request_op *op, uint32_t at, struct buf *text)
{
    if (op->kind != CARILLON__OP_KIND__OP_ADD && op->kind != CARILLON__OP_KIND__OP_DROP) {
        return ENROL_SAY(text, ERR_ARGUMENT, "op %u is neither an add nor a drop", at + 1);
    }
    if (op->kind == CARILLON__OP_KIND__OP_DROP && op->waitlist) {
        return ENROL_SAY(text, ERR_ARGUMENT, "op %u: a drop has no waitlist", at + 1);
    }
    if (op->drop_count > (op->waitlist ? CAMPUS_DROPS_MAX : 0)) {
        return ENROL_SAY(text, ERR_ARGUMENT,
                         "op %u: drops on promotion go with a waitlist, at most 16", at + 1);
    }
    return OK;
}

/* @part: where the section lies when it is another shard's, or NULL. */
static int op_make(struct enrol *enrol, const struct request_op *from, uint32_t hint,
                   const struct enrol_part *part, struct enrol_op *op, struct buf *text)
{
    struct campus_name name;
    int rc = OK;

    if (part != NULL && part->is_foreign) {
        op->section = part->section;
    } else if (campus_section_is_named(&enrol->campus, hint, &from->name)) {
        op->section = hint;
    } else {
        rc = enrol__find_section(enrol, &from->name, &op->section, text);
    }
    op->kind = from->kind;
    op->waitlist = from->waitlist;
    op->is_wait = false;
    op->is_void = false;
    op->place = 0;
    op->change = 0;
    op->drop_count = 0;
    for (uint32_t i = 0; rc == OK && i < from->drop_count; i++) {
        rc = request_decode_name(from->drops[i], &name);
        rc = rc == OK ? enrol__find_section(enrol, &name, &op->drops[op->drop_count++], text)
                      : rc;
    }
    return rc;
}

static int request_shape(struct slice body, struct request *request, struct buf *text)
{
    int rc = request_decode(body, request);

    if (rc != OK) {
        return ENROL_SAY(text, rc, "the request's body is malformed");
    }
    if (request->op_count == 0 || request->op_count > ENROL_OPS_MAX) {
        return ENROL_SAY(text, ERR_ARGUMENT, "a request has 1 to 16 ops, not %u",
                         request->op_count);
    }
    for (uint32_t i = 0; rc == OK && i < request->op_count; i++) {
        rc = op_shape(&request->ops[i], i, text);
    }
    return rc;
}

static int make(struct enrol *enrol, struct slice body, struct enrol_hint hint,
                const struct enrol_parts *parts, struct enrol_attempt *attempt,
                struct buf *text)
{
    struct request request;

    attempt->student = CAMPUS_NONE;
    request.student = SLICE_NONE;
    int rc = request_shape(body, &request, text);

    if (rc != OK) {
        /* whose request it was is kept with its answer, also when nothing else of it is right
         */
        (void)!enrol_student_find(enrol, request.student, &attempt->student);
        return rc;
    }
    attempt->enrol = enrol;
    attempt->parts = parts;
    attempt->facts = NULL;
    attempt->is_promotion = false;
    attempt->is_settled = false;
    attempt->has_add = false;
    attempt->op_count = 0;
    attempt->refusal_count = 0;
    if (campus_student_is_named(&enrol->campus, hint.student, request.student)) {
        attempt->student = hint.student;
    } else {
        rc = enrol__find_student(enrol, request.student, &attempt->student, text);
    }
    attempt->who = rc == OK ? campus_student(&enrol->campus, attempt->student) : NULL;
    for (uint32_t i = 0; rc == OK && i < request.op_count; i++) {
        rc = op_make(enrol, &request.ops[i], i == 0 ? hint.section : CAMPUS_NONE,
                     parts == NULL ? NULL : &parts->of[i], &attempt->ops[attempt->op_count++],
                     text);
        attempt->has_add = attempt->has_add || request.ops[i].kind == CARILLON__OP_KIND__OP_ADD;
    }
    return rc;
}

int enrol__attempt_make(struct enrol *enrol, struct slice body, struct enrol_hint hint,
                        struct enrol_attempt *attempt, struct buf *text)
{
    return make(enrol, body, hint, NULL, attempt, text);
}

int enrol__attempt_make_across(struct enrol *enrol, struct slice body,
                               const struct enrol_parts *parts, struct enrol_attempt *attempt,
                               struct buf *text)
{
    return make(enrol, body, ENROL_HINT_NONE, parts, attempt, text);
}

/* ---- refusals */

void enrol__refuse(struct enrol_attempt *attempt, uint32_t kind, uint32_t op,
                   struct slice evidence)
{
    if (attempt->refusal_count < ENROL_REFUSALS_MAX) {
        attempt->refusals[attempt->refusal_count++] =
            (struct enrol_refusal){.kind = kind, .op = op, .evidence = evidence};
    }
}

struct buf *enrol__line(struct enrol *enrol)
{
    buf_clear(&enrol->line);
    return &enrol->line;
}

struct slice enrol__line_copy(struct enrol *enrol, int rc)
{
    ASSERT(rc == OK); /* what goes into a line is bounded far below it */
    return arena_copy(&enrol->scratch, buf_slice(&enrol->line));
}

struct slice enrol__evidence_section(struct enrol_attempt *attempt, uint32_t section)
{
    struct campus_name name;

    campus_section_name(&attempt->enrol->campus, section, &name);
    return enrol__line_copy(attempt->enrol,
                            campus_name_format(&name, enrol__line(attempt->enrol)));
}

bool enrol__has_permit(const struct enrol_attempt *attempt, uint32_t section, uint32_t kind)
{
    const struct campus_permit *permit = campus_permit_find(attempt->who, section);

    return permit != NULL && (permit->kinds & kind) != 0;
}

uint32_t enrol__term_of(const struct campus *campus, uint32_t section)
{
    return campus_catalogue(campus, campus_section(campus, section)->catalogue)->term;
}

/* ---- judging */

/* 3: the later of two ops that name the same section is void. */
static void void_duplicates(struct enrol_attempt *attempt)
{
    for (uint32_t i = 1; i < attempt->op_count; i++) {
        for (uint32_t j = 0; j < i && !attempt->ops[i].is_void; j++) {
            attempt->ops[i].is_void = attempt->ops[i].section == attempt->ops[j].section;
        }
    }
}

/* A free seat that somebody waiting could take is not free. An entry has settled its sections
 * before it judges. */
bool enrol__is_taken(const struct enrol_attempt *attempt, uint32_t section)
{
    const struct campus_section *of = campus_section(&attempt->enrol->campus, section);

    if (campus_section_is_full(of)) {
        return true;
    }
    return of->waiting > 0 && !attempt->is_settled &&
           enrol__is_spoken_for(attempt->enrol, section, attempt->wall_ms);
}

static void choose_modes(struct enrol_attempt *attempt)
{
    const struct enrol *enrol = attempt->enrol;

    for (uint32_t i = 0; i < attempt->op_count; i++) {
        struct enrol_op *op = &attempt->ops[i];

        if (attempt->parts != NULL && attempt->parts->of[i].is_foreign) {
            op->is_wait = attempt->parts->of[i].what == ENROL_HELD_PLACE;
            continue;
        }
        op->is_wait =
            op->kind == CARILLON__OP_KIND__OP_ADD && op->waitlist &&
            enrol__is_taken(attempt, op->section) &&
            !campus_section_is_undecided(campus_section(&enrol->campus, op->section)) &&
            !enrol__has_permit(attempt, op->section,
                               CARILLON__PERMIT_KIND__PERMIT_CAPACITY);
    }
}

static bool is_dropped(const struct enrol_attempt *attempt, uint32_t section)
{
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct enrol_op *op = &attempt->ops[i];

        if (op->section == section && op->kind == CARILLON__OP_KIND__OP_DROP && !op->is_void) {
            return true;
        }
    }
    return false;
}

static void make_after_state(struct enrol_attempt *attempt)
{
    const struct campus_student *student = attempt->who;

    attempt->kept_count = 0;
    for (uint32_t i = 0; i < student->registration_count; i++) {
        uint32_t section = campus_registration(student, i)->section;

        if (!is_dropped(attempt, section)) {
            attempt->after[attempt->kept_count++] = section;
        }
    }
    attempt->after_count = attempt->kept_count;
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct enrol_op *op = &attempt->ops[i];

        if (op->kind == CARILLON__OP_KIND__OP_ADD && !op->is_void && !op->is_wait) {
            attempt->after_op[attempt->after_count] = (uint8_t)i;
            attempt->after[attempt->after_count++] = op->section;
        }
    }
}

/* 4 and 5. A drop of a place on a waitlist needs nothing but the place. */
static void judge_drop(struct enrol_attempt *attempt, uint32_t op)
{
    const struct campus *campus = &attempt->enrol->campus;
    uint32_t section = attempt->ops[op].section;

    if (campus_registration_find(attempt->who, section) == NULL) {
        if (enrol__place_of(attempt, section) == CAMPUS_NONE) {
            enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_NOT_REGISTERED, op,
                          enrol__evidence_section(attempt, section));
        }
        return;
    }
    const struct campus_catalogue *in =
        campus_catalogue(campus, campus_section(campus, section)->catalogue);

    if (in->opens_ms != 0 && attempt->wall_ms < in->opens_ms) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_NOT_OPEN, op, SLICE_NONE);
    } else if (in->closes_ms != 0 && attempt->wall_ms >= in->closes_ms) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_CLOSED, op, SLICE_NONE);
    }
}

/* What the section's shard refuses, as far as it comes before the times, or after them. */
static void refuse_foreign(struct enrol_attempt *attempt, uint32_t op, bool is_seat)
{
    for (uint32_t i = 0; i < attempt->parts->refusal_count; i++) {
        const struct enrol_refusal *refusal = &attempt->parts->refusals[i];
        bool is_of_seat = refusal->kind == CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNAVAILABLE ||
                          refusal->kind == CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNDECIDED ||
                          refusal->kind == CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_AVAILABLE ||
                          refusal->kind == CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_FULL;

        if (refusal->op == op && is_of_seat == is_seat &&
            attempt->refusal_count < ENROL_REFUSALS_MAX) {
            attempt->refusals[attempt->refusal_count++] = *refusal;
        }
    }
}

/* The section's shard was told that every add would be in the after-state. Those that take a
 * place are not: the rule is looked at again, for what it asks for beside. */
static bool is_told_too_much(const struct enrol_attempt *attempt, uint32_t op)
{
    for (uint32_t i = 0; i < attempt->parts->refusal_count; i++) {
        if (attempt->parts->refusals[i].op == op) {
            return false; /* refused anyway */
        }
    }
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (i != op && attempt->ops[i].is_wait) {
            return !enrol__has_permit(attempt, attempt->ops[op].section,
                                      CARILLON__PERMIT_KIND__PERMIT_RULE);
        }
    }
    return false;
}

static void judge_add(struct enrol_attempt *attempt, uint32_t op)
{
    bool is_foreign = attempt->parts != NULL && attempt->parts->of[op].is_foreign;

    if (is_foreign) {
        refuse_foreign(attempt, op, false);
        if (is_told_too_much(attempt, op)) {
            enrol__reserve_rule(attempt, op);
        }
    } else {
        enrol__reserve_course(attempt, op);
    }
    if (!attempt->ops[op].is_wait) {
        enrol__decide_times(attempt, op);
    }
    if (is_foreign) {
        refuse_foreign(attempt, op, true);
        if (attempt->ops[op].is_wait) {
            enrol__reserve_place(attempt, op);
        }
    } else if (!attempt->is_promotion) {
        enrol__reserve_seat(attempt, op);
    }
}

void enrol__attempt_prepare(struct enrol_attempt *attempt)
{
    attempt->refusal_count = 0;
    void_duplicates(attempt);
    if (!attempt->is_promotion) {
        choose_modes(attempt);
    }
    make_after_state(attempt);
}

void enrol__attempt_judge(struct enrol_attempt *attempt)
{
    enrol__attempt_prepare(attempt);
    enrol__decide_student(attempt);
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct enrol_op *op = &attempt->ops[i];

        if (op->is_void) {
            enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_DUPLICATE_OP, i,
                          enrol__evidence_section(attempt, op->section));
        } else if (op->kind == CARILLON__OP_KIND__OP_DROP) {
            judge_drop(attempt, i);
        } else {
            judge_add(attempt, i);
        }
    }
    enrol__decide_load(attempt);
}
