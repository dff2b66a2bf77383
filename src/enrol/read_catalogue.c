/* CATALOGUES and SHOW. */
#include "campus/document.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "wire/message.h"

enum { UNLOCKS_MAX = 50 };

/* ---- catalogues */

int enrol__read_catalogues(struct enrol_reading *reading, const void *request)
{
    struct enrol *enrol = reading->enrol;
    const struct campus *campus = &enrol->campus;
    Carillon__CataloguesReply reply = CARILLON__CATALOGUES_REPLY__INIT;

    (void)request; /* it asks for everything */
    reply.items = enrol__scratch(enrol, campus->catalogues.count * sizeof(void *));
    for (uint32_t i = 0; i < campus->catalogues.count; i++) {
        const struct campus_catalogue *of = campus_catalogue(campus, i);

        if (of->term == CAMPUS_NONE || of->updated_ms == 0) {
            continue; /* a student body, or never committed */
        }
        Carillon__CatalogueItem *item = enrol__scratch(enrol, sizeof *item);

        carillon__catalogue_item__init(item);
        item->institution = enrol__text(enrol, campus_word(campus, of->institution)->text);
        item->term = enrol__text(enrol, campus_word(campus, of->term)->text);
        item->courses = of->offered;
        item->sections = of->sections;
        item->seats = of->seats;
        item->courses_without_sections = of->bare;
        item->sections_without_limit = of->unlimited;
        item->opens_ms = of->opens_ms;
        item->closes_ms = of->closes_ms;
        item->courses_max = of->courses_max;
        item->credits_max_hundredths = of->credits_max;
        item->updated_ms = of->updated_ms;
        reply.items[reply.n_items++] = item;
    }
    reply.students = campus->student_count;
    reply.registrations = campus->registration_count - campus->registrations_away;
    return enrol__pack(&reply.base, reading->reply);
}

/* ---- show */

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

static void add_ticks(struct enrol *enrol, uint32_t ordinal, uint32_t student,
                      Carillon__ShowReply *reply)
{
    const struct campus_course *course = campus_course(&enrol->campus, ordinal);
    const struct campus_student *of = campus_student(&enrol->campus, student);
    uint32_t sections[CAMPUS_REGISTRATIONS_MAX];
    struct rule_verdict verdict;

    if (course->rule == NULL) {
        return;
    }
    for (uint32_t i = 0; i < of->registration_count; i++) {
        sections[i] = campus_registration(of, i)->section;
    }
    const struct rule_facts facts = {
        .campus = &enrol->campus,
        .student = of,
        .term = campus_catalogue(&enrol->campus, course->catalogue)->term,
        .sections = sections,
        .section_count = of->registration_count,
    };

    rule_judge(course->rule, &facts, &verdict);
    reply->ticks = enrol__scratch(enrol, course->rule->count * sizeof(void *));
    for (uint32_t i = 0; i < course->rule->count; i++) {
        Carillon__RuleTick *tick = enrol__scratch(enrol, sizeof *tick);

        carillon__rule_tick__init(tick);
        tick->rule_node = i;
        tick->met = verdict.met[i];
        reply->ticks[reply->n_ticks++] = tick;
    }
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
static void add_unlocks(struct enrol *enrol, const struct campus_course *course,
                        Carillon__ShowReply *reply)
{
    const struct campus_code *code = campus_code(&enrol->campus, course->code);

    reply->unlocks = enrol__scratch(enrol, UNLOCKS_MAX * sizeof(char *));
    for (uint32_t i = 0; i < code->named_count && reply->n_unlocks < UNLOCKS_MAX; i++) {
        const struct campus_course *named_by = campus_course(&enrol->campus, code->named_by[i]);

        if (named_by->state == CAMPUS_OFFERED && names_code(named_by->rule, course->code)) {
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

int enrol__read_show(struct enrol_reading *reading, const void *body)
{
    const Carillon__ShowRequest *request = body;
    struct enrol *enrol = reading->enrol;
    Carillon__ShowReply reply = CARILLON__SHOW_REPLY__INIT;
    struct campus_name name = {.institution = slice_from_text(request->institution),
                               .code = slice_from_text(request->code),
                               .term = slice_from_text(request->term)};
    uint32_t ordinal = CAMPUS_NONE;
    uint32_t student = CAMPUS_NONE;
    int rc = enrol__find_course(enrol, &name, &ordinal, reading->text);

    if (rc == OK && request->student[0] != '\0') {
        rc = enrol__find_student(enrol, slice_from_text(request->student), &student,
                                 reading->text);
    }
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
    reply.course = message;
    reply.withdrawn = course->state == CAMPUS_WITHDRAWN;
    add_sections(enrol, course, message, &reply);
    if (student != CAMPUS_NONE) {
        add_ticks(enrol, ordinal, student, &reply);
    }
    add_unlocks(enrol, course, &reply);
    add_unknown_codes(enrol, course->rule, &reply);
    reply.as_of = enrol__as_of(enrol);
    return enrol__pack(&reply.base, reading->reply);
}
