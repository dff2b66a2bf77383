/* SCHEDULE: everything about one student. */
#include "campus/foreign.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "wire/message.h"

/* The parsed Course message of what is shown of a course, or NULL. */
const Carillon__Course *enrol__course_message(struct enrol *enrol, uint32_t course)
{
    uint32_t document = campus_course(&enrol->campus, course)->document;

    if (document == CAMPUS_NONE) {
        return NULL;
    }
    const struct campus_document *of = campus_document(&enrol->campus, document);

    return wire_unpack(&carillon__course__descriptor, slice_from(of->blob, of->blob_len),
                       &enrol->scratch);
}

static const Carillon__Section *section_message(const Carillon__Course *course, struct slice id)
{
    for (size_t i = 0; course != NULL && i < course->n_sections; i++) {
        if (slice_is_equal(slice_from_text(course->sections[i]->id), id)) {
            return course->sections[i];
        }
    }
    return NULL;
}

/* Meetings as three lists of one length; places of meeting stand in the document only. */
static void item_meetings(struct enrol *enrol, const struct campus_section *section,
                          const Carillon__Section *message, Carillon__ScheduleItem *item)
{
    const struct campus_meeting *meetings = campus_section_meetings(section);
    size_t count = section->meeting_count;

    item->meeting_days = enrol__scratch(enrol, count * sizeof(uint32_t));
    item->meeting_start_min = enrol__scratch(enrol, count * sizeof(uint32_t));
    item->meeting_end_min = enrol__scratch(enrol, count * sizeof(uint32_t));
    item->meeting_location = enrol__scratch(enrol, count * sizeof(char *));
    item->n_meeting_days = count;
    item->n_meeting_start_min = count;
    item->n_meeting_end_min = count;
    item->n_meeting_location = count;
    for (size_t i = 0; i < count; i++) {
        item->meeting_days[i] = meetings[i].days;
        item->meeting_start_min[i] = meetings[i].start_min;
        item->meeting_end_min[i] = meetings[i].end_min;
        item->meeting_location[i] = message != NULL && i < message->n_meetings
                                        ? message->meetings[i]->location
                                        : wire_text("");
    }
}

/* What is shown of a section, whoever has it. */
static Carillon__ScheduleItem *item_of(struct enrol *enrol, uint32_t ordinal)
{
    const struct campus_section *section = campus_section(&enrol->campus, ordinal);
    const struct campus_course *course = campus_course(&enrol->campus, section->course);
    const Carillon__Course *message = enrol__course_message(enrol, section->course);
    Carillon__ScheduleItem *item = enrol__scratch(enrol, sizeof *item);

    carillon__schedule_item__init(item);
    item->section = enrol__section_message(enrol, ordinal);
    item->credits_known = course->credits != CAMPUS_NONE;
    item->credits_hundredths = item->credits_known ? course->credits : 0;
    item->withdrawn = section->state == CAMPUS_WITHDRAWN;
    if (message != NULL) {
        item->title = message->title;
        item->n_instructors = message->n_instructors;
        item->instructors = message->instructors;
    }
    item_meetings(enrol, section, section_message(message, campus_section_id(section)), item);
    return item;
}

static Carillon__ScheduleItem *item_make(struct enrol *enrol,
                                         const struct campus_registration *registration)
{
    Carillon__ScheduleItem *item = item_of(enrol, registration->section);

    item->since_index = campus_registration_index(registration);
    item->since_ms = campus_registration_ms(registration);
    return item;
}

static bool is_in_term(const struct enrol *enrol, uint32_t section, const char *term)
{
    uint32_t word = enrol__term_of(&enrol->campus, section);

    return term[0] == '\0' ||
           slice_is_equal(campus_word(&enrol->campus, word)->text, slice_from_text(term));
}

static void add_items(struct enrol *enrol, const struct campus_student *student,
                      const char *term, Carillon__ScheduleReply *reply)
{
    reply->items = enrol__scratch(enrol, student->registration_count * sizeof(void *));
    for (uint32_t i = 0; i < student->registration_count; i++) {
        const struct campus_registration *registration = campus_registration(student, i);

        if (is_in_term(enrol, registration->section, term)) {
            Carillon__ScheduleItem *item = item_make(enrol, registration);

            reply->items[reply->n_items++] = item;
            reply->credits_hundredths += item->credits_hundredths;
            reply->credits_incomplete = reply->credits_incomplete || !item->credits_known;
        }
    }
}

static Carillon__WaitlistItem *waiting_make(struct enrol *enrol, uint32_t ordinal)
{
    const struct campus_place *place = campus_place(&enrol->campus, ordinal);
    const struct campus_section *section = campus_section(&enrol->campus, place->section);
    const Carillon__Course *message = enrol__course_message(enrol, section->course);
    Carillon__WaitlistItem *item = enrol__scratch(enrol, sizeof *item);

    carillon__waitlist_item__init(item);
    item->section = enrol__section_message(enrol, place->section);
    item->title = message != NULL ? message->title : wire_text("");
    item->place = campus_place_number(&enrol->campus, ordinal);
    item->since_ms = place->since_ms;
    item->skips = place->skips;
    item->last_skip = (Carillon__RefusalKind)place->skip_kind;
    item->last_skip_ms = place->skip_ms;
    item->last_skip_evidence = enrol__text(enrol, place->skip_evidence);
    item->n_promotion_drops = place->drop_count;
    item->promotion_drops = enrol__scratch(enrol, place->drop_count * sizeof(void *));
    for (uint32_t i = 0; i < place->drop_count; i++) {
        item->promotion_drops[i] = enrol__section_message(enrol, place->drops[i]);
    }
    return item;
}

static void add_waiting(struct enrol *enrol, const struct campus_student *student,
                        const char *term, Carillon__ScheduleReply *reply)
{
    uint32_t count = student->extra == NULL ? 0 : student->extra->place_count;

    reply->waitlist = enrol__scratch(enrol, count * sizeof(void *));
    for (uint32_t at = campus_place_first(student); at != CAMPUS_NONE;
         at = campus_place(&enrol->campus, at)->next_of_student) {
        if (is_in_term(enrol, campus_place(&enrol->campus, at)->section, term)) {
            reply->waitlist[reply->n_waitlist++] = waiting_make(enrol, at);
        }
    }
}

static void add_extra(struct enrol *enrol, const struct campus_extra *extra,
                      Carillon__ScheduleReply *reply)
{
    reply->n_blocks = extra->block_count;
    reply->blocks = enrol__scratch(enrol, extra->block_count * sizeof(void *));
    for (uint32_t i = 0; i < extra->block_count; i++) {
        Carillon__BlockItem *item = enrol__scratch(enrol, sizeof *item);

        carillon__block_item__init(item);
        item->reason = enrol__text(enrol, extra->blocks[i].reason);
        item->by = enrol__text(enrol, extra->blocks[i].by);
        item->since_ms = extra->blocks[i].since_ms;
        reply->blocks[i] = item;
    }
    reply->n_permits = extra->permit_count;
    reply->permits = enrol__scratch(enrol, extra->permit_count * sizeof(void *));
    for (uint32_t i = 0; i < extra->permit_count; i++) {
        const struct campus_permit *permit = &extra->permits[i];
        Carillon__PermitItem *item = enrol__scratch(enrol, sizeof *item);

        carillon__permit_item__init(item);
        item->section = enrol__section_message(enrol, permit->section);
        item->kinds = permit->kinds;
        item->reason = enrol__text(enrol, permit->reason);
        item->by = enrol__text(enrol, permit->by);
        item->since_ms = permit->since_ms;
        reply->permits[i] = item;
    }
}

/* The limits shown are those of the student's own institution in the term asked for, else the
 * defaults; each section's own (institution, term) decides when it is added. */
static void add_limits(const struct enrol *enrol, struct slice institution, const char *term,
                       Carillon__ScheduleReply *reply)
{
    uint32_t catalogue =
        campus_catalogue_find(&enrol->campus, institution, slice_from_text(term));

    reply->courses_max = CAMPUS_COURSES_MAX_DEFAULT;
    if (term[0] != '\0' && catalogue != CAMPUS_NONE) {
        reply->courses_max = campus_catalogue(&enrol->campus, catalogue)->courses_max;
        reply->credits_max_hundredths =
            campus_catalogue(&enrol->campus, catalogue)->credits_max;
    }
}

int enrol__read_schedule(struct enrol_reading *reading, const void *body)
{
    const Carillon__ScheduleRequest *request = body;
    struct enrol *enrol = reading->enrol;
    Carillon__ScheduleReply reply = CARILLON__SCHEDULE_REPLY__INIT;
    uint32_t ordinal = CAMPUS_NONE;
    int rc =
        enrol__find_student(enrol, slice_from_text(request->student), &ordinal, reading->text);

    if (rc != OK) {
        return rc;
    }
    const struct campus_student *student = campus_student(&enrol->campus, ordinal);
    const struct campus_catalogue *body_of = campus_catalogue(&enrol->campus, student->body);
    struct slice institution = campus_word(&enrol->campus, body_of->institution)->text;

    reply.student = enrol__text(enrol, campus_profile_token(student->profile));
    reply.name = enrol__text(enrol, campus_profile_name(student->profile));
    reply.institution = enrol__text(enrol, institution);
    reply.level = student->level;
    reply.withdrawn = student->state == CAMPUS_WITHDRAWN;
    add_items(enrol, student, request->term, &reply);
    add_waiting(enrol, student, request->term, &reply);
    if (student->extra != NULL) {
        add_extra(enrol, student->extra, &reply);
    }
    add_limits(enrol, institution, request->term, &reply);
    reply.as_of = enrol__as_of(enrol);
    return enrol__pack(&reply.base, reading->reply);
}

/* ---- for the home of a student who has sections here */

static bool is_foreign(const struct campus *campus, uint32_t section)
{
    return campus_course(campus, campus_section(campus, section)->course)->is_foreign;
}

/* The body: token, then full names. The reply is a ScheduleReply with an item for each section
 * that is known, and the student's places in their lines. */
int enrol__read_sections(struct enrol_reading *reading, const void *request)
{
    struct enrol *enrol = reading->enrol;
    struct unpack in = unpack_from(*(const struct slice *)request);
    uint32_t student = campus_student_find(&enrol->campus, unpack_bytes(&in));
    uint32_t count = (uint32_t)unpack_u64_max(&in, ENROL_SECTIONS_ASKED_MAX);
    Carillon__ScheduleReply reply = CARILLON__SCHEDULE_REPLY__INIT;

    reply.items = enrol__scratch(enrol, count * sizeof(void *));
    reply.waitlist = enrol__scratch(enrol, count * sizeof(void *));
    for (uint32_t i = 0; i < count && !in.failed; i++) {
        struct campus_name name = campus_description_name(&in);
        uint32_t section = campus_full_name_find(&enrol->campus, &name);

        if (section == CAMPUS_NONE || is_foreign(&enrol->campus, section)) {
            continue;
        }
        uint32_t place = student == CAMPUS_NONE
                             ? CAMPUS_NONE
                             : campus_place_find(&enrol->campus, student, section);

        reply.items[reply.n_items++] = item_of(enrol, section);
        if (place != CAMPUS_NONE) {
            reply.waitlist[reply.n_waitlist++] = waiting_make(enrol, place);
        }
    }
    if (!unpack_is_done(&in)) {
        return ENROL_SAY(reading->text, ERR_MALFORMED, "not a question about sections");
    }
    reply.as_of = enrol__as_of(enrol);
    return enrol__pack(&reply.base, reading->reply);
}
