/* The section's shard: a student of another shard is judged by what his home says of him,
 * beside what stands of him here. Changes nothing but what settling changes. */
#include "base/assert.h"
#include "campus/foreign.h"
#include "campus/student.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"

/* ---- facts: what the home says of the student, as far as it means anything here */

/* Insert in order of codes. The home names each once. */
static void taken_insert(struct campus_profile *profile, struct campus_taken taken)
{
    uint32_t at = profile->taken_count++;

    for (; at > 0 && profile->taken[at - 1].code > taken.code; at--) {
        profile->taken[at] = profile->taken[at - 1];
    }
    profile->taken[at] = taken;
}

/* Whether any section that is added has a rule, which may ask for whatever it likes. */
static bool has_rule(const struct enrol_attempt *attempt)
{
    const struct campus *campus = &attempt->enrol->campus;
    bool has = false;

    for (uint32_t i = 0; i < attempt->op_count; i++) {
        has = has ||
              (attempt->ops[i].kind == CARILLON__OP_KIND__OP_ADD &&
               campus_course(campus, campus_section(campus, attempt->ops[i].section)->course)
                       ->rule != NULL);
    }
    return has;
}

/* Whether a course that was taken is one of those that are added. */
static bool is_added(const struct enrol_attempt *attempt, const struct across_taken *taken)
{
    const struct campus *campus = &attempt->enrol->campus;

    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct campus_code *code = campus_code(
            campus,
            campus_course(campus, campus_section(campus, attempt->ops[i].section)->course)
                ->code);

        if (slice_is_equal(campus_word(campus, code->word)->text, taken->code) &&
            slice_is_equal(campus_word(campus, code->institution)->text, taken->institution)) {
            return true;
        }
    }
    return false;
}

/* The profile to judge by, and the rest of the facts. Courses that nothing here knows by name
 * cannot be asked for by a rule: of them only the credits count. @unruled: an attempt of which
 * nothing has a rule; then only what is added and was taken before counts, and the names of the
 * rest need not be looked up. Else NULL. */
static struct campus_profile *record_take(struct enrol *enrol,
                                          const struct across_reserve *reserve,
                                          const struct enrol_attempt *unruled,
                                          struct enrol_facts *facts)
{
    struct campus_profile *profile = arena_alloc_zero(
        &enrol->scratch, sizeof *profile + reserve->taken_count * sizeof(struct campus_taken));

    facts->beside_count = 0;
    facts->credits_more = 0;
    profile->level = (uint16_t)reserve->level;
    for (uint32_t i = 0; i < reserve->taken_count; i++) {
        const struct across_taken *from = &reserve->taken[i];

        if (unruled != NULL && !is_added(unruled, from)) {
            continue;
        }
        struct campus_taken taken = {
            .code = enrol__code_find(&enrol->campus, from->institution, from->code),
            .grade = (uint16_t)from->grade,
            .credits = (uint16_t)from->credits,
        };

        if (taken.code != CAMPUS_NONE) {
            taken_insert(profile, taken);
        } else if (campus_taken_is_passed(&taken)) {
            facts->credits_more += taken.credits;
        }
    }
    for (uint32_t i = 0; unruled == NULL && i < reserve->beside_count; i++) {
        const struct across_beside *from = &reserve->beside[i];
        uint32_t code = enrol__code_find(&enrol->campus, from->institution, from->code);
        uint32_t term = campus_word_find(&enrol->campus, from->term);

        if (code != CAMPUS_NONE && (term != CAMPUS_NONE || from->term.len == 0)) {
            facts->codes[facts->beside_count] = code;
            facts->terms[facts->beside_count++] = term;
        }
    }
    return profile;
}

struct campus_student *enrol__foreign_record(struct enrol *enrol,
                                             const struct across_reserve *reserve,
                                             struct enrol_facts *facts)
{
    struct campus_student *made = enrol__scratch(enrol, sizeof *made);

    made->profile = record_take(enrol, reserve, NULL, facts);
    made->level = made->profile->level;
    return made;
}

/* ---- who is judged */

static void permits_take(const struct campus *campus, const struct across_reserve *reserve,
                         struct campus_extra *extra)
{
    for (uint32_t i = 0; i < reserve->permit_count; i++) {
        uint32_t section = campus_full_name_find(campus, &reserve->permits[i].name);

        if (section != CAMPUS_NONE) {
            extra->permits[extra->permit_count++] =
                (struct campus_permit){.section = section, .kinds = reserve->permits[i].kinds};
        }
    }
}

/* His stand-in, if there is one, with the facts in their places. */
static const struct campus_student *who(const struct enrol_attempt *attempt,
                                        const struct across_reserve *reserve,
                                        struct enrol_facts *facts)
{
    struct enrol *enrol = attempt->enrol;
    uint32_t student = attempt->student;
    struct campus_student *made = enrol__scratch(enrol, sizeof *made);
    struct campus_extra *extra = enrol__scratch(enrol, sizeof *extra);

    extra->first_place = CAMPUS_NONE;
    if (student != CAMPUS_NONE) {
        *made = *campus_student(&enrol->campus, student);
        *extra = made->extra != NULL ? *made->extra : *extra;
    }
    extra->permit_count = 0;
    extra->permits =
        enrol__scratch(enrol, (reserve->permit_count + 1) * sizeof *extra->permits);
    permits_take(&enrol->campus, reserve, extra);
    made->extra = extra;
    made->profile = record_take(enrol, reserve, has_rule(attempt) ? NULL : attempt, facts);
    made->level = made->profile->level;
    return made;
}

/* The offer that an add claims is still the student's. */
static int claim_check(const struct enrol *enrol, uint32_t student, uint32_t section,
                       uint64_t number, struct buf *text)
{
    uint32_t place = campus_place_find(&enrol->campus, student, section);
    uint32_t offer =
        place == CAMPUS_NONE ? CAMPUS_NONE : campus_place(&enrol->campus, place)->offer;

    return offer != CAMPUS_NONE && enrol__offer(&enrol->across, offer)->number == number
               ? OK
               : ENROL_SAY(text, ERR_GONE, "the offer has ended");
}

static int op_take(struct enrol *enrol, const struct across_op *from,
                   struct enrol_attempt *attempt, struct enrol_op *op, struct buf *text)
{
    *op = (struct enrol_op){.kind = from->kind, .waitlist = from->waitlist};
    int rc = enrol__find_section(enrol, &from->name, &op->section, text);

    if (rc == OK && from->claim != 0) {
        rc = claim_check(enrol, attempt->student, op->section, from->claim, text);
        attempt->is_promotion = true;
    }
    attempt->has_add = attempt->has_add || op->kind == CARILLON__OP_KIND__OP_ADD;
    return rc;
}

static int ops_take(struct enrol *enrol, const struct across_reserve *reserve,
                    struct enrol_attempt *attempt, struct buf *text)
{
    int rc = OK;

    attempt->op_count = reserve->op_count;
    for (uint32_t i = 0; rc == OK && i < reserve->op_count; i++) {
        rc = op_take(enrol, &reserve->ops[i], attempt, &attempt->ops[i], text);
    }
    return rc;
}

/* The section's side of the rules; what concerns the student alone is the home's. */
static void judge(struct enrol_attempt *attempt)
{
    enrol__attempt_prepare(attempt);
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        if (attempt->ops[i].kind != CARILLON__OP_KIND__OP_ADD || attempt->ops[i].is_void) {
            continue;
        }
        enrol__reserve_course(attempt, i);
        if (!attempt->is_promotion) {
            enrol__reserve_seat(attempt, i);
        }
    }
}

bool enrol__foreign_is_ruled(const struct campus *campus, const struct across_reserve *reserve)
{
    for (uint32_t i = 0; i < reserve->op_count; i++) {
        const struct across_op *op = &reserve->ops[i];
        uint32_t course;

        if (op->kind == CARILLON__OP_KIND__OP_ADD &&
            campus_resolve_course(campus, &op->name, &course) == OK &&
            campus_course(campus, course)->rule != NULL) {
            return true;
        }
    }
    return false;
}

int enrol__foreign_judge(struct enrol_attempt *attempt, const struct across_reserve *reserve,
                         struct enrol_work *work, struct buf *text)
{
    struct enrol *enrol = attempt->enrol;
    struct enrol_facts *facts = arena_alloc(&enrol->scratch, sizeof *facts);
    int rc = ops_take(enrol, reserve, attempt, text);

    if (rc != OK) {
        return rc;
    }
    for (uint32_t i = 0; work != NULL && i < attempt->op_count; i++) {
        if (attempt->ops[i].kind == CARILLON__OP_KIND__OP_ADD) {
            (void)enrol__settle(work, attempt->ops[i].section);
        }
    }
    attempt->is_settled = work != NULL;
    attempt->facts = facts;
    attempt->who = who(attempt, reserve, facts);
    judge(attempt);
    return OK;
}

/* ---- what the home is told */

struct slice enrol__describe(struct enrol *enrol, uint32_t section)
{
    struct buf out;

    buf_init(&out, ACROSS_BYTES_MAX);
    int rc = campus_section_describe(&enrol->campus, section, &out);

    ASSERT(rc == OK);
    struct slice copy = arena_copy(&enrol->scratch, buf_slice(&out));

    buf_fini(&out);
    return copy;
}

/* What would be kept for an op. Of what is refused only the mode counts: a place asks for less
 * than a seat. */
static uint32_t what_of(const struct enrol_attempt *attempt, const struct enrol_op *op)
{
    if (op->is_void) {
        return ENROL_HELD_NOTHING;
    }
    if (op->kind == CARILLON__OP_KIND__OP_ADD) {
        return op->is_wait                   ? ENROL_HELD_PLACE
               : attempt->refusal_count == 0 ? ENROL_HELD_SEAT
                                             : ENROL_HELD_NOTHING;
    }
    if (campus_registration_find(attempt->who, op->section) != NULL) {
        return ENROL_HELD_DROP;
    }
    return enrol__place_of(attempt, op->section) != CAMPUS_NONE ? ENROL_HELD_PLACE_DROP
                                                                : ENROL_HELD_NOTHING;
}

void enrol__foreign_tell(const struct enrol_attempt *attempt,
                         const struct across_reserve *reserve, struct across_reserved *to)
{
    const struct campus *campus = &attempt->enrol->campus;

    *to = (struct across_reserved){.outcome = attempt->refusal_count > 0 ? ACROSS_REFUSED
                                                                         : ACROSS_GRANTED};
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct enrol_op *op = &attempt->ops[i];
        const struct campus_section *section = campus_section(campus, op->section);

        to->parts[to->part_count++] = (struct across_part){
            .op = reserve->ops[i].op,
            .what = what_of(attempt, op),
            .place = op->is_wait ? section->waiting + section->places_held + 1 : 0,
            .description = enrol__describe(attempt->enrol, op->section),
        };
    }
    for (uint32_t i = 0; i < attempt->refusal_count; i++) {
        const struct enrol_refusal *from = &attempt->refusals[i];

        to->refusals[to->refusal_count++] = (struct across_refusal){
            .kind = from->kind,
            .op = reserve->ops[from->op].op,
            .rule_node = from->rule_node,
            .evidence = from->evidence,
        };
    }
}
