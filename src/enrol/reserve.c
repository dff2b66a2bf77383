/* The section's side of judging: is it offered, is it new to the student, is the window open,
 * does its rule hold, is there a seat. What is looked at here is what the section's shard
 * knows, and the student's facts. */
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"

/* 7: another section of the same course, or this one. */
static void refuse_duplicates(struct enrol_attempt *attempt, uint32_t op_index)
{
    const struct campus *campus = &attempt->enrol->campus;
    const struct enrol_op *op = &attempt->ops[op_index];
    uint32_t course = campus_section(campus, op->section)->course;

    for (uint32_t i = 0; i < attempt->after_count; i++) {
        bool is_kept = i < attempt->kept_count;
        bool is_given_up = false;

        if (!is_kept && attempt->after_op[i] >= op_index) {
            break;
        }
        if (campus_section(campus, attempt->after[i])->course != course) {
            continue;
        }
        for (uint32_t at = 0;
             is_kept && op->is_wait && attempt->after[i] != op->section && at < op->drop_count;
             at++) {
            is_given_up = is_given_up || op->drops[at] == attempt->after[i];
        }
        if (!is_given_up) {
            enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_REGISTERED, op_index,
                          enrol__evidence_section(attempt, attempt->after[i]));
        }
    }
}

/* 8: who waits for a seat cannot wait again; a permit lets him turn the place into a seat. */
static void refuse_waiting(struct enrol_attempt *attempt, uint32_t op_index)
{
    const struct enrol *enrol = attempt->enrol;
    uint32_t section = attempt->ops[op_index].section;

    if (enrol__place_of(attempt, section) == CAMPUS_NONE) {
        return;
    }
    if (!campus_section_is_full(campus_section(&enrol->campus, section)) ||
        !enrol__has_permit(attempt, section,
                           CARILLON__PERMIT_KIND__PERMIT_CAPACITY)) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_WAITLISTED, op_index,
                      enrol__evidence_section(attempt, section));
    }
}

/* 10. The window of the section's (institution, term), by logged time. */
static void refuse_window(struct enrol_attempt *attempt, uint32_t op_index)
{
    struct enrol *enrol = attempt->enrol;
    const struct campus_section *section =
        campus_section(&enrol->campus, attempt->ops[op_index].section);
    const struct campus_catalogue *in = campus_catalogue(&enrol->campus, section->catalogue);

    if (in->opens_ms != 0 && attempt->wall_ms < in->opens_ms) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_NOT_OPEN, op_index,
                      SLICE_NONE);
    } else if (in->closes_ms != 0 && attempt->wall_ms >= in->closes_ms) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_CLOSED, op_index,
                      SLICE_NONE);
    } else if (attempt->who->level < in->level_min) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WINDOW_NOT_OPEN, op_index,
                      ENROL_EVIDENCE(enrol, "level %u and up", in->level_min));
    }
}

static uint32_t leaf_refusal(const struct campus_rule_node *node)
{
    if (node->kind == CARILLON__RULE_KIND__RULE_LEVEL) {
        return CARILLON__REFUSAL_KIND__REFUSAL_LEVEL_RESTRICTED;
    }
    if (node->kind == CARILLON__RULE_KIND__RULE_CREDITS) {
        return CARILLON__REFUSAL_KIND__REFUSAL_CREDITS_UNMET;
    }
    return node->concurrent ? CARILLON__REFUSAL_KIND__REFUSAL_COREQUISITE_MISSING
                            : CARILLON__REFUSAL_KIND__REFUSAL_PREREQUISITE_UNMET;
}

static struct slice leaf_evidence(struct enrol *enrol, const struct campus_rule_node *node)
{
    if (node->kind == CARILLON__RULE_KIND__RULE_LEVEL) {
        return ENROL_EVIDENCE(enrol, "%u", node->count);
    }
    if (node->kind == CARILLON__RULE_KIND__RULE_CREDITS) {
        return ENROL_EVIDENCE(enrol, "%u.%02u", node->count / 100, node->count % 100);
    }
    return campus_word(&enrol->campus, campus_code(&enrol->campus, node->code)->word)->text;
}

/* 11: every failing leaf that matters. */
uint32_t enrol__beside(const struct enrol_facts *facts, uint32_t term,
                       uint32_t codes[ENROL_AFTER_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < facts->beside_count; i++) {
        if (facts->terms[i] == term || facts->terms[i] == CAMPUS_NONE) {
            codes[count++] = facts->codes[i];
        }
    }
    return count;
}

void enrol__reserve_rule(struct enrol_attempt *attempt, uint32_t op_index)
{
    struct enrol *enrol = attempt->enrol;
    uint32_t section = attempt->ops[op_index].section;
    const struct campus_course *course =
        campus_course(&enrol->campus, campus_section(&enrol->campus, section)->course);
    struct rule_verdict verdict;

    if (course->rule == NULL) {
        return;
    }
    uint32_t codes[ENROL_AFTER_MAX];
    struct rule_facts facts = {
        .campus = &enrol->campus,
        .student = attempt->who,
        .term = enrol__term_of(&enrol->campus, section),
        .sections = attempt->after,
        .section_count = attempt->after_count,
        .codes = codes,
    };

    if (attempt->facts != NULL) {
        facts.code_count = enrol__beside(attempt->facts, facts.term, codes);
        facts.credits_more = attempt->facts->credits_more;
    }

    rule_judge(course->rule, &facts, &verdict);
    for (uint32_t i = 0; !verdict.is_met && i < course->rule->count; i++) {
        if (verdict.is_listed[i]) {
            uint32_t before = attempt->refusal_count;

            enrol__refuse(attempt, leaf_refusal(&course->rule->nodes[i]), op_index,
                          leaf_evidence(enrol, &course->rule->nodes[i]));
            if (attempt->refusal_count > before) {
                attempt->refusals[before].rule_node = i;
            }
        }
    }
}

void enrol__reserve_course(struct enrol_attempt *attempt, uint32_t op_index)
{
    struct enrol *enrol = attempt->enrol;
    uint32_t ordinal = attempt->ops[op_index].section;
    const struct campus_section *section = campus_section(&enrol->campus, ordinal);
    const struct campus_student *student = attempt->who;
    bool is_exempt =
        enrol__has_permit(attempt, ordinal, CARILLON__PERMIT_KIND__PERMIT_RULE);

    if (section->state != CAMPUS_OFFERED) { /* 6 */
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_SECTION_WITHDRAWN, op_index,
                      enrol__evidence_section(attempt, ordinal));
    }
    refuse_duplicates(attempt, op_index);
    if (!attempt->is_promotion) {
        refuse_waiting(attempt, op_index);
    }
    if (!is_exempt) { /* 9 */
        uint32_t code = campus_course(&enrol->campus, section->course)->code;
        const struct campus_taken *taken = campus_taken_find(student->profile, code);

        if (taken != NULL && campus_taken_is_passed(taken)) {
            enrol__refuse(
                attempt, CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_TAKEN, op_index,
                campus_word(&enrol->campus, campus_code(&enrol->campus, code)->word)->text);
        }
    }
    refuse_window(attempt, op_index);
    if (!is_exempt) {
        enrol__reserve_rule(attempt, op_index);
    }
}

/* 14, the student's side. */
void enrol__reserve_place(struct enrol_attempt *attempt, uint32_t op_index)
{
    const struct campus_student *student = attempt->who;
    uint32_t places = student->extra == NULL ? 0 : student->extra->place_count;

    for (uint32_t i = 0; i < op_index; i++) {
        places += attempt->ops[i].is_wait ? 1 : 0;
    }
    if (places >= CAMPUS_PLACES_MAX) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_FULL, op_index,
                      ENROL_EVIDENCE(attempt->enrol, "%u places of the student", places));
    }
}

/* 14. */
static void refuse_place(struct enrol_attempt *attempt, uint32_t op_index)
{
    struct enrol *enrol = attempt->enrol;
    const struct campus_section *section =
        campus_section(&enrol->campus, attempt->ops[op_index].section);
    const struct campus_catalogue *in = campus_catalogue(&enrol->campus, section->catalogue);
    uint32_t waiting = section->waiting + section->places_held;

    if (waiting >= in->waitlist_max) {
        enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_FULL, op_index,
                      ENROL_EVIDENCE(enrol, "%u of %u", waiting, in->waitlist_max));
    } else {
        enrol__reserve_place(attempt, op_index);
    }
}

/* 13 and 14. */
void enrol__reserve_seat(struct enrol_attempt *attempt, uint32_t op_index)
{
    struct enrol *enrol = attempt->enrol;
    const struct enrol_op *op = &attempt->ops[op_index];
    const struct campus_section *section = campus_section(&enrol->campus, op->section);
    const struct campus_catalogue *in = campus_catalogue(&enrol->campus, section->catalogue);

    if (op->is_wait) {
        refuse_place(attempt, op_index);
        return;
    }
    if (!enrol__is_taken(attempt, op->section)) {
        return;
    }
    if (!enrol__has_permit(attempt, op->section,
                           CARILLON__PERMIT_KIND__PERMIT_CAPACITY)) {
        if (campus_section_is_undecided(section)) {
            enrol__refuse(attempt, CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNDECIDED, op_index,
                          ENROL_EVIDENCE(enrol, "%u of %u, %u undecided", section->enrolled,
                                         section->capacity, section->held));
            return;
        }
        enrol__refuse(attempt,
                      section->waiting < in->waitlist_max
                          ? CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_AVAILABLE
                          : CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNAVAILABLE,
                      op_index,
                      ENROL_EVIDENCE(enrol, "%u of %u", section->enrolled, section->capacity));
    }
}
