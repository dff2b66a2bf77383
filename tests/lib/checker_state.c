/* What schedules, rosters and outcomes should be, made from the model and compared. */
#include <stdio.h>

#include "base/arena.h"
#include "base/assert.h"
#include "tests/lib/checker.h"
#include "wire/message.h"

enum { SCRATCH_BYTES = 4 << 20, LIST_ROOM = 4096 };

static Carillon__SectionName *name_of(const struct model *model, int section,
                                      struct arena *scratch)
{
    const struct model_course *course = model_course_of(model, section);
    Carillon__SectionName *name = arena_alloc(scratch, sizeof *name);

    carillon__section_name__init(name);
    name->institution = wire_text(course->institution);
    name->code = wire_text(course->code);
    name->section = wire_text(model->sections.items[section].id);
    name->term = wire_text(course->term);
    return name;
}

static Carillon__Receipt *receipt_of(const struct model *model, struct arena *scratch)
{
    Carillon__Receipt *receipt = arena_alloc(scratch, sizeof *receipt);

    carillon__receipt__init(receipt);
    receipt->cluster_id = wire_binary(slice_from(model->cluster_id, UUID_BYTES));
    receipt->group = model->group;
    receipt->term = model->term;
    receipt->index = model->index;
    return receipt;
}

static Carillon__ScheduleItem *item_of(const struct model *model,
                                       const struct model_registration *registration,
                                       struct arena *scratch)
{
    const struct model_section *section = &model->sections.items[registration->section];
    const struct model_course *course = model_course_of(model, registration->section);
    Carillon__ScheduleItem *item = arena_alloc(scratch, sizeof *item);
    size_t count = (size_t)section->meeting_count;

    carillon__schedule_item__init(item);
    item->section = name_of(model, registration->section, scratch);
    item->credits_known = course->credits_known;
    item->credits_hundredths = course->credits_known ? course->credits : 0;
    item->since_index = registration->since_index;
    item->since_ms = registration->since_ms;
    item->withdrawn = section->presence == MODEL_WITHDRAWN;
    item->n_meeting_days = count;
    item->meeting_days = arena_alloc(scratch, MODEL_MEETINGS_MAX * sizeof(uint32_t));
    item->n_meeting_start_min = count;
    item->meeting_start_min = arena_alloc(scratch, MODEL_MEETINGS_MAX * sizeof(uint32_t));
    item->n_meeting_end_min = count;
    item->meeting_end_min = arena_alloc(scratch, MODEL_MEETINGS_MAX * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        item->meeting_days[i] = section->meetings[i].days;
        item->meeting_start_min[i] = section->meetings[i].start_min;
        item->meeting_end_min[i] = section->meetings[i].end_min;
    }
    return item;
}

static Carillon__WaitlistItem *place_of(const struct model *model, int at,
                                        struct arena *scratch)
{
    const struct model_place *place = &model->places.items[at];
    Carillon__WaitlistItem *item = arena_alloc(scratch, sizeof *item);

    carillon__waitlist_item__init(item);
    item->section = name_of(model, place->section, scratch);
    item->place = model_place_number(model, at);
    item->since_ms = place->since_ms;
    item->skips = place->skips;
    item->last_skip = place->last_skip;
    item->last_skip_ms = place->last_skip_ms;
    item->last_skip_evidence = wire_text(place->last_skip_evidence);
    item->promotion_drops =
        arena_alloc(scratch, MODEL_DROPS_MAX * sizeof *item->promotion_drops);
    for (int i = 0; i < place->drop_count; i++) {
        item->promotion_drops[item->n_promotion_drops++] =
            name_of(model, place->drops[i], scratch);
    }
    return item;
}

static void schedule_items(const struct model *model, int student,
                           Carillon__ScheduleReply *reply, struct arena *scratch)
{
    reply->items = arena_alloc(scratch, LIST_ROOM * sizeof *reply->items);
    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *registration = &model->registrations.items[i];
        const struct model_course *course;

        if (registration->student != student) {
            continue;
        }
        course = model_course_of(model, registration->section);
        reply->items[reply->n_items++] = item_of(model, registration, scratch);
        reply->credits_hundredths += course->credits_known ? course->credits : 0;
        reply->credits_incomplete = reply->credits_incomplete || !course->credits_known;
    }
}

/* Places in order of joining, those of one entry in the order of first import. */
static void schedule_places(const struct model *model, int student,
                            Carillon__ScheduleReply *reply, struct arena *scratch)
{
    int places[LIST_ROOM];
    int count = 0;

    reply->waitlist = arena_alloc(scratch, LIST_ROOM * sizeof *reply->waitlist);
    for (int i = 0; i < model->places.count; i++) {
        const struct model_place *place = &model->places.items[i];
        int at = count;

        if (place->student != student) {
            continue;
        }
        while (at > 0 &&
               model->places.items[places[at - 1]].since_index == place->since_index &&
               model->places.items[places[at - 1]].section > place->section) {
            places[at] = places[at - 1];
            at--;
        }
        places[at] = i;
        count++;
    }
    for (int i = 0; i < count; i++) {
        reply->waitlist[reply->n_waitlist++] = place_of(model, places[i], scratch);
    }
}

static void schedule_blocks(const struct model_student *student, Carillon__ScheduleReply *reply,
                            struct arena *scratch)
{
    reply->blocks = arena_alloc(scratch, MODEL_BLOCKS_MAX * sizeof *reply->blocks);
    for (int i = 0; i < student->block_count; i++) {
        Carillon__BlockItem *item = arena_alloc(scratch, sizeof *item);

        carillon__block_item__init(item);
        item->reason = wire_text(student->blocks[i].reason);
        item->since_ms = student->blocks[i].since_ms;
        reply->blocks[reply->n_blocks++] = item;
    }
}

static void schedule_permits(const struct model *model, const struct model_student *student,
                             Carillon__ScheduleReply *reply, struct arena *scratch)
{
    reply->permits = arena_alloc(scratch, MODEL_PERMITS_MAX * sizeof *reply->permits);
    for (int i = 0; i < student->permit_count; i++) {
        Carillon__PermitItem *item = arena_alloc(scratch, sizeof *item);

        carillon__permit_item__init(item);
        item->section = name_of(model, student->permits[i].section, scratch);
        item->kinds = student->permits[i].kinds;
        item->since_ms = student->permits[i].since_ms;
        reply->permits[reply->n_permits++] = item;
    }
}

void checker_schedule_pack(const struct model *model, int at, struct buf *out)
{
    const struct model_student *student = &model->students.items[at];
    Carillon__ScheduleReply expected = CARILLON__SCHEDULE_REPLY__INIT;
    struct arena scratch;
    int status;

    arena_init(&scratch, SCRATCH_BYTES);
    expected.student = wire_text(student->token);
    expected.name = wire_text(student->name);
    expected.institution = wire_text(student->institution);
    expected.level = student->level;
    expected.withdrawn = student->presence == MODEL_WITHDRAWN;
    expected.as_of = receipt_of(model, &scratch);
    schedule_items(model, at, &expected, &scratch);
    schedule_places(model, at, &expected, &scratch);
    schedule_blocks(student, &expected, &scratch);
    schedule_permits(model, student, &expected, &scratch);
    status = wire_pack(&expected.base, out);
    ASSERT(status == OK);
    arena_fini(&scratch);
}

static Carillon__RosterStudent *row_of(const struct model *model, int at, struct arena *scratch)
{
    const struct model_student *student = &model->students.items[at];
    Carillon__RosterStudent *row = arena_alloc(scratch, sizeof *row);

    carillon__roster_student__init(row);
    row->token = wire_text(student->token);
    row->name = wire_text(student->name);
    row->institution = wire_text(student->institution);
    return row;
}

void checker_roster_pack(const struct model *model, int section, struct buf *out)
{
    Carillon__RosterReply expected = CARILLON__ROSTER_REPLY__INIT;
    Carillon__RosterStudent *row;
    struct arena scratch;
    int status;

    arena_init(&scratch, SCRATCH_BYTES);
    expected.section = name_of(model, section, &scratch);
    expected.capacity_known = model->sections.items[section].capacity_known;
    expected.capacity = expected.capacity_known ? model->sections.items[section].capacity : 0;
    expected.enrolled = model_enrolled(model, section);
    expected.waiting = model_waiting(model, section);
    expected.as_of = receipt_of(model, &scratch);
    expected.students = arena_alloc(&scratch, LIST_ROOM * sizeof *expected.students);
    expected.waitlist = arena_alloc(&scratch, LIST_ROOM * sizeof *expected.waitlist);
    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *registration = &model->registrations.items[i];

        if (registration->section == section) {
            row = row_of(model, registration->student, &scratch);
            row->since_index = registration->since_index;
            row->since_ms = registration->since_ms;
            row->over_capacity = registration->over_capacity;
            expected.students[expected.n_students++] = row;
        }
    }
    for (int i = 0; i < model->places.count; i++) {
        const struct model_place *place = &model->places.items[i];

        if (place->section == section) {
            row = row_of(model, place->student, &scratch);
            row->since_index = place->since_index;
            row->since_ms = place->since_ms;
            row->waitlist_place = model_place_number(model, i);
            expected.waitlist[expected.n_waitlist++] = row;
        }
    }
    status = wire_pack(&expected.base, out);
    ASSERT(status == OK);
    arena_fini(&scratch);
}

void checker_outcome_pack(const struct model *model, const struct model_answer *answer,
                          struct buf *out)
{
    Carillon__OutcomeReply expected = CARILLON__OUTCOME_REPLY__INIT;
    Carillon__SubmitReply *submit = NULL;
    struct arena scratch;
    int status;

    arena_init(&scratch, SCRATCH_BYTES);
    expected.as_of = receipt_of(model, &scratch);
    if (answer != NULL) {
        expected.known = true;
        expected.status = (uint32_t)-answer->status;
        if (answer->reply_len > 0) {
            submit = carillon__submit_reply__unpack(NULL, answer->reply_len, answer->reply);
            expected.outcome = submit;
        }
    }
    status = wire_pack(&expected.base, out);
    ASSERT(status == OK);
    if (submit != NULL) {
        carillon__submit_reply__free_unpacked(submit, NULL);
    }
    arena_fini(&scratch);
}
