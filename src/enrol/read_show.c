/* SHOW: one course; and what shards ask one another for it (enrol/merge.h). */
#include "campus/document.h"
#include "campus/student.h"
#include "enrol/across_facts.h"
#include "enrol/enrol_private.h"
#include "enrol/merge.h"
#include "wire/message.h"

static void add_sections(struct enrol *enrol, const struct campus_course *course,
                         const Carillon__Course *message, Carillon__ShowReply *reply)
{
    reply->sections = enrol__scratch(enrol, course->section_count * sizeof(void *));
    for (uint32_t i = 0; i < course->section_count; i++) {
        const struct campus_section *section =
            campus_section(&enrol->campus, course->sections[i].section);
        struct slice id = campus_section_id(section);

        if (section->state == CAMPUS_HIDDEN) {
            continue;
        }
        Carillon__SectionState *state = enrol__scratch(enrol, sizeof *state);

        carillon__section_state__init(state);
        state->id = enrol__text(enrol, id);
        state->capacity_known = section->capacity != CAMPUS_NONE;
        state->capacity = state->capacity_known ? section->capacity : 0;
        state->enrolled = section->enrolled;
        state->waiting = section->waiting;
        state->withdrawn = section->state == CAMPUS_WITHDRAWN;
        for (size_t at = 0; at < message->n_sections; at++) {
            if (slice_is_equal(slice_from_text(message->sections[at]->id), id)) {
                state->n_meetings = message->sections[at]->n_meetings;
                state->meetings = message->sections[at]->meetings;
            }
        }
        reply->sections[reply->n_sections++] = state;
    }
}

static void add_tick(struct enrol *enrol, uint32_t node, bool is_met,
                     Carillon__ShowReply *reply)
{
    Carillon__RuleTick *tick = enrol__scratch(enrol, sizeof *tick);

    carillon__rule_tick__init(tick);
    tick->rule_node = node;
    tick->met = is_met;
    reply->ticks[reply->n_ticks++] = tick;
}

static void add_ticks(struct enrol *enrol, const struct campus_course *course,
                      const struct rule_facts *facts, Carillon__ShowReply *reply)
{
    struct rule_verdict verdict;

    if (course->rule == NULL) {
        return;
    }
    rule_judge(course->rule, facts, &verdict);
    reply->ticks = enrol__scratch(enrol, course->rule->count * sizeof(void *));
    for (uint32_t i = 0; i < course->rule->count; i++) {
        add_tick(enrol, i, verdict.met[i], reply);
    }
}

static uint32_t term_of(const struct campus *campus, const struct campus_course *course)
{
    return campus_catalogue(campus, course->catalogue)->term;
}

static void add_ticks_of(struct enrol *enrol, const struct campus_course *course,
                         uint32_t student, Carillon__ShowReply *reply)
{
    const struct campus_student *of = campus_student(&enrol->campus, student);
    uint32_t sections[CAMPUS_REGISTRATIONS_MAX];

    for (uint32_t i = 0; i < of->registration_count; i++) {
        sections[i] = campus_registration(of, i)->section;
    }
    const struct rule_facts facts = {
        .campus = &enrol->campus,
        .student = of,
        .term = term_of(&enrol->campus, course),
        .sections = sections,
        .section_count = of->registration_count,
    };

    add_ticks(enrol, course, &facts, reply);
}

/* Of a student of another shard, by the record that his home gave. */
static void add_ticks_by(struct enrol *enrol, const struct campus_course *course,
                         const struct across_reserve *record, Carillon__ShowReply *reply)
{
    struct enrol_facts *more = enrol__scratch(enrol, sizeof *more);
    uint32_t codes[ENROL_AFTER_MAX];
    struct rule_facts facts = {
        .campus = &enrol->campus,
        .student = enrol__foreign_record(enrol, record, more),
        .term = term_of(&enrol->campus, course),
        .codes = codes,
        .credits_more = more->credits_more,
    };

    facts.code_count = enrol__beside(more, facts.term, codes);
    add_ticks(enrol, course, &facts, reply);
}

static bool names_code(const struct campus_rule *rule, uint32_t code)
{
    for (uint32_t i = 0; rule != NULL && i < rule->count; i++) {
        if (rule->nodes[i].code == code) {
            return true;
        }
    }
    return false;
}

static char *code_text(struct enrol *enrol, uint32_t code)
{
    return enrol__text(
        enrol, campus_word(&enrol->campus, campus_code(&enrol->campus, code)->word)->text);
}

/* Offered courses whose rule names this one; the list may still hold some that no longer do. */
static void add_unlocks(struct enrol *enrol, uint32_t ordinal, Carillon__ShowReply *reply)
{
    const struct campus_code *code = campus_code(&enrol->campus, ordinal);

    reply->unlocks = enrol__scratch(enrol, ENROL_UNLOCKS_MAX * sizeof(char *));
    for (uint32_t i = 0; i < code->named_count && reply->n_unlocks < ENROL_UNLOCKS_MAX; i++) {
        const struct campus_course *named_by = campus_course(&enrol->campus, code->named_by[i]);

        if (named_by->state == CAMPUS_OFFERED && names_code(named_by->rule, ordinal)) {
            reply->unlocks[reply->n_unlocks++] = code_text(enrol, named_by->code);
        }
    }
}

static bool is_known_code(const struct campus *campus, uint32_t code)
{
    for (uint32_t at = campus_code(campus, code)->first_course; at != CAMPUS_NONE;
         at = campus_course(campus, at)->next_same_code) {
        if (campus_course(campus, at)->state != CAMPUS_HIDDEN) {
            return true;
        }
    }
    return false;
}

static void add_unknown_codes(struct enrol *enrol, const struct campus_rule *rule,
                              Carillon__ShowReply *reply)
{
    if (rule == NULL) {
        return;
    }
    reply->unknown_codes = enrol__scratch(enrol, rule->count * sizeof(char *));
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t code = rule->nodes[i].code;

        if (code != CAMPUS_NONE && !is_known_code(&enrol->campus, code)) {
            reply->unknown_codes[reply->n_unknown_codes++] = code_text(enrol, code);
        }
    }
}

/* The course alone, to be followed by ticks, and packed. */
static int show(struct enrol_reading *reading, const Carillon__ShowRequest *request,
                Carillon__ShowReply *reply, const struct campus_course **ret_course)
{
    struct enrol *enrol = reading->enrol;
    struct campus_name name = {.institution = slice_from_text(request->institution),
                               .code = slice_from_text(request->code),
                               .term = slice_from_text(request->term)};
    uint32_t ordinal = CAMPUS_NONE;
    int rc = enrol__find_course(enrol, &name, &ordinal, reading->text);

    if (rc != OK) {
        return rc;
    }
    const struct campus_course *course = campus_course(&enrol->campus, ordinal);
    const struct campus_document *document = campus_document(&enrol->campus, course->document);
    Carillon__Course *message =
        wire_unpack(&carillon__course__descriptor,
                    slice_from(document->blob, document->blob_len), &enrol->scratch);

    if (message == NULL) {
        return ENROL_SAY(reading->text, ERR_NOSPACE_REPLY,
                         "the course does not fit into memory");
    }
    reply->course = message;
    reply->withdrawn = course->state == CAMPUS_WITHDRAWN;
    add_sections(enrol, course, message, reply);
    add_unlocks(enrol, course->code, reply);
    add_unknown_codes(enrol, course->rule, reply);
    reply->as_of = enrol__as_of(enrol);
    *ret_course = course;
    return OK;
}

int enrol__read_show(struct enrol_reading *reading, const void *body)
{
    const Carillon__ShowRequest *request = body;
    struct enrol *enrol = reading->enrol;
    Carillon__ShowReply reply = CARILLON__SHOW_REPLY__INIT;
    const struct campus_course *course;
    uint32_t student = CAMPUS_NONE;
    int rc = show(reading, request, &reply, &course);

    if (rc == OK && request->student[0] != '\0') {
        rc = enrol__find_student(enrol, slice_from_text(request->student), &student,
                                 reading->text);
    }
    if (rc != OK) {
        return rc;
    }
    if (student != CAMPUS_NONE) {
        add_ticks_of(enrol, course, student, &reply);
    }
    return enrol__pack(&reply.base, reading->reply);
}

/* ---- for a course and a student of two shards */

/* The body: a token. The reply are the facts that a RESERVE would say of him to a shard that
 * has none of his courses: across_put_facts. */
int enrol__read_record(struct enrol_reading *reading, const void *request)
{
    struct enrol *enrol = reading->enrol;
    struct unpack in = unpack_from(*(const struct slice *)request);
    struct slice token = unpack_bytes(&in);
    struct across_reserve *record = enrol__scratch(enrol, sizeof *record);
    const struct request none = {.op_count = 0};
    uint32_t student = CAMPUS_NONE;

    if (!unpack_is_done(&in)) {
        return ENROL_SAY(reading->text, ERR_MALFORMED, "not a question about a record");
    }
    int rc = enrol__find_student(enrol, token, &student, reading->text);
    if (rc != OK) {
        return rc;
    }
    struct buf packed;

    buf_init(&packed, ACROSS_BYTES_MAX);
    record->is_whole = true;
    across__facts(&enrol->campus, student, &none, CAMPUS_NONE, 0, record);
    across_put_facts(&packed, record);
    rc = buf_append_slice(reading->reply, buf_slice(&packed)) == OK ? OK : ERR_NOSPACE_REPLY;
    buf_fini(&packed);
    return rc;
}

/* The body: a record, and the ShowRequest. */
int enrol__read_shown(struct enrol_reading *reading, const void *body)
{
    struct enrol *enrol = reading->enrol;
    struct unpack in = unpack_from(*(const struct slice *)body);
    struct unpack from = unpack_from(unpack_bytes(&in));
    struct slice packed = unpack_bytes(&in);
    struct across_reserve *record = enrol__scratch(enrol, sizeof *record);
    const Carillon__ShowRequest *request =
        wire_unpack(&carillon__show_request__descriptor, packed, &enrol->scratch);
    Carillon__ShowReply reply = CARILLON__SHOW_REPLY__INIT;
    const struct campus_course *course;

    across_take_facts(&from, record);
    if (request == NULL || !unpack_is_done(&in) || !unpack_is_done(&from)) {
        return ENROL_SAY(reading->text, ERR_MALFORMED, "not a question about a course");
    }
    int rc = show(reading, request, &reply, &course);
    if (rc != OK) {
        return rc;
    }
    add_ticks_by(enrol, course, record, &reply);
    return enrol__pack(&reply.base, reading->reply);
}

static uint32_t code_take(const struct campus *campus, struct unpack *in)
{
    struct slice institution = unpack_bytes(in);

    return enrol__code_find(campus, institution, unpack_bytes(in));
}

/* The body: institution and code of the course, and of courses that its rule names and its
 * shard does not know. The reply is a ShowReply with what the course unlocks here, and a tick
 * for each of those, from 0, whether it is known here. */
int enrol__read_related(struct enrol_reading *reading, const void *request)
{
    struct enrol *enrol = reading->enrol;
    const struct campus *campus = &enrol->campus;
    struct unpack in = unpack_from(*(const struct slice *)request);
    uint32_t code = code_take(campus, &in);
    uint32_t count = (uint32_t)unpack_u64_max(&in, RULE_NODES_MAX);
    Carillon__ShowReply reply = CARILLON__SHOW_REPLY__INIT;

    reply.ticks = enrol__scratch(enrol, count * sizeof(void *));
    for (uint32_t i = 0; i < count && !in.failed; i++) {
        uint32_t asked = code_take(campus, &in);

        add_tick(enrol, i, asked != CAMPUS_NONE && is_known_code(campus, asked), &reply);
    }
    if (!unpack_is_done(&in)) {
        return ENROL_SAY(reading->text, ERR_MALFORMED, "not a question about a course");
    }
    if (code != CAMPUS_NONE) {
        add_unlocks(enrol, code, &reply);
    }
    return enrol__pack(&reply.base, reading->reply);
}
