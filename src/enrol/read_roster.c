/* ROSTER: who is in a section, page by page, in order of registration. */
#include <inttypes.h>

#include "base/assert.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "wire/message.h"

enum { ROSTER_LIMIT_DEFAULT = 100, ROSTER_LIMIT_MAX = 1000 };

/* Where a page begins: after the registration of @student at @index. */
struct roster_cursor {
    uint64_t index;
    uint32_t student;
};

static int cursor_parse(const char *text, struct roster_cursor *ret_cursor)
{
    struct slice index;
    struct slice student;
    uint64_t ordinal = 0;

    *ret_cursor = (struct roster_cursor){0, CAMPUS_NONE};
    if (text[0] == '\0') {
        return OK;
    }
    if (!slice_cut(slice_from_text(text), '.', &index, &student) ||
        slice_parse_u64(index, UINT64_MAX, &ret_cursor->index) != OK ||
        slice_parse_u64(student, UINT32_MAX, &ordinal) != OK) {
        return ERR_ARGUMENT;
    }
    ret_cursor->student = (uint32_t)ordinal;
    return OK;
}

static uint64_t since_of(const struct enrol *enrol, uint32_t section, uint32_t at)
{
    uint32_t student = campus_section(&enrol->campus, section)->roster[at];
    const struct campus_registration *registration =
        campus_registration_find(campus_student(&enrol->campus, student), section);

    ASSERT(registration != NULL);
    return campus_registration_index(registration);
}

/* The first of the page: a roster ascends by index, so halving finds where the cursor's index
 * begins. Those of one entry stand together; after the cursor's student the page begins, or
 * after all of them if he has left. */
static uint32_t page_start(const struct enrol *enrol, uint32_t section,
                           const struct roster_cursor *cursor)
{
    const struct campus_section *of = campus_section(&enrol->campus, section);
    uint32_t low = 0;
    uint32_t high = of->enrolled;

    if (cursor->index == 0) {
        return 0;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (since_of(enrol, section, middle) < cursor->index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low < of->enrolled && since_of(enrol, section, low) == cursor->index) {
        low++;
        if (of->roster[low - 1] == cursor->student) {
            break;
        }
    }
    return low;
}

static Carillon__RosterStudent *student_make(struct enrol *enrol, uint32_t ordinal)
{
    const struct campus_student *student = campus_student(&enrol->campus, ordinal);
    const struct campus_catalogue *body = campus_catalogue(&enrol->campus, student->body);
    Carillon__RosterStudent *row = enrol__scratch(enrol, sizeof *row);

    carillon__roster_student__init(row);
    row->token = enrol__text(enrol, campus_profile_token(student->profile));
    row->name = enrol__text(enrol, campus_profile_name(student->profile));
    row->institution = enrol__text(enrol, campus_word(&enrol->campus, body->institution)->text);
    return row;
}

static void add_students(struct enrol *enrol, uint32_t section, uint32_t from, uint32_t limit,
                         Carillon__RosterReply *reply)
{
    const struct campus_section *of = campus_section(&enrol->campus, section);
    uint32_t count = of->enrolled - from < limit ? of->enrolled - from : limit;

    reply->students = enrol__scratch(enrol, count * sizeof(void *));
    for (uint32_t i = from; i < from + count; i++) {
        const struct campus_registration *registration =
            campus_registration_find(campus_student(&enrol->campus, of->roster[i]), section);
        Carillon__RosterStudent *row = student_make(enrol, of->roster[i]);

        row->since_index = campus_registration_index(registration);
        row->since_ms = campus_registration_ms(registration);
        row->over_capacity = campus_registration_is_over(registration);
        reply->students[reply->n_students++] = row;
        if (i + 1 == from + count && i + 1 < of->enrolled) {
            reply->next_cursor =
                enrol__text(enrol, ENROL_EVIDENCE(enrol, "%" PRIu64 ".%u", row->since_index,
                                                  of->roster[i]));
        }
    }
}

static void add_waitlist(struct enrol *enrol, uint32_t section, Carillon__RosterReply *reply)
{
    const struct campus_section *of = campus_section(&enrol->campus, section);
    uint32_t count = of->waiting < ROSTER_LIMIT_MAX ? of->waiting : ROSTER_LIMIT_MAX;

    reply->waitlist = enrol__scratch(enrol, count * sizeof(void *));
    for (uint32_t at = of->wait_first; reply->n_waitlist < count;
         at = campus_place(&enrol->campus, at)->next) {
        const struct campus_place *place = campus_place(&enrol->campus, at);
        Carillon__RosterStudent *row = student_make(enrol, place->student);

        row->since_index = place->since_index;
        row->since_ms = place->since_ms;
        reply->waitlist[reply->n_waitlist++] = row;
        row->waitlist_place = (uint32_t)reply->n_waitlist;
    }
}

int enrol__read_roster(struct enrol_reading *reading, const void *body)
{
    const Carillon__RosterRequest *request = body;
    struct enrol *enrol = reading->enrol;
    Carillon__RosterReply reply = CARILLON__ROSTER_REPLY__INIT;
    struct campus_name name = enrol__name(request->section);
    struct roster_cursor cursor;
    uint32_t ordinal = CAMPUS_NONE;
    uint32_t limit = request->limit == 0 ? ROSTER_LIMIT_DEFAULT : request->limit;

    if (limit > ROSTER_LIMIT_MAX || cursor_parse(request->cursor, &cursor) != OK) {
        return ENROL_SAY(reading->text, ERR_ARGUMENT, "limit or cursor is not acceptable");
    }
    int rc = enrol__find_section(enrol, &name, &ordinal, reading->text);

    if (rc != OK) {
        return rc;
    }
    const struct campus_section *section = campus_section(&enrol->campus, ordinal);
    const Carillon__Course *message = enrol__course_message(enrol, section->course);

    reply.section = enrol__section_message(enrol, ordinal);
    reply.title = message != NULL ? message->title : wire_text("");
    reply.capacity_known = section->capacity != CAMPUS_NONE;
    reply.capacity = reply.capacity_known ? section->capacity : 0;
    reply.enrolled = section->enrolled;
    reply.waiting = section->waiting;
    reply.pending = section->held;
    add_students(enrol, ordinal, page_start(enrol, ordinal, &cursor), limit, &reply);
    if (cursor.index == 0) {
        add_waitlist(enrol, ordinal, &reply);
    }
    reply.as_of = enrol__as_of(enrol);
    return enrol__pack(&reply.base, reading->reply);
}

int enrol_roster_section(struct enrol *enrol, struct slice body, uint32_t *ret_section,
                         struct buf *text)
{
    arena_reset(&enrol->scratch);
    const Carillon__RosterRequest *request =
        wire_unpack(&carillon__roster_request__descriptor, body, &enrol->scratch);

    if (request == NULL) {
        return ENROL_SAY(text, ERR_MALFORMED, "the request's body is malformed");
    }
    struct campus_name name = enrol__name(request->section);
    return enrol__find_section(enrol, &name, ret_section, text);
}
