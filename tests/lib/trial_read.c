/* What can be read from both sides, compared. */
#include <stdio.h>

#include "base/sm.h"
#include "proto/operator.pb-c.h"
#include "tests/lib/checker.h"
#include "tests/lib/trial_private.h"
#include "wire/message.h"

enum {
    CHECK_PPM = 300000,
    OUTCOMES = 8,
    VERIFY_STEPS_MAX = 1 << 20,
    ROSTER_MAX = 256,
    PAGES_MAX = 256,
};

int trial__read(struct trial *trial, uint32_t method, const ProtobufCMessage *request)
{
    struct buf body;
    int status;

    buf_init(&body, 64 << 10);
    buf_clear(&trial->reply);
    buf_clear(&trial->text);
    status = wire_pack(request, &body);
    ASSERT(status == OK);
    status = enrol_read(trial->enrol, method, buf_slice(&body), trial->model.wall_ms,
                        &trial->reply, &trial->text);
    buf_fini(&body);
    return status;
}

bool trial__check_ask(struct trial *trial, const struct history_op *op,
                      struct trial_check *ret_check)
{
    uint64_t hash;

    if (op->method != CARILLON__METHOD__METHOD_SUBMIT || !rng_chance(&trial->rng, CHECK_PPM)) {
        return true;
    }
    hash = enrol_hash(trial->enrol);
    ret_check->is_asked = true;
    buf_init(&ret_check->reply, 1 << 20);
    buf_clear(&trial->text);
    ret_check->status =
        enrol_read(trial->enrol, CARILLON__METHOD__METHOD_CHECK, buf_slice(&op->body),
                   op->wall_ms, &ret_check->reply, &trial->text);
    trial->counters->marks[TRIAL_CHECKED]++;
    if (enrol_hash(trial->enrol) != hash) {
        return trial__differ(trial, "CHECK changed the state");
    }
    return true;
}

bool trial__check_compare(struct trial *trial, const struct model_result *expected,
                          struct trial_check *check)
{
    bool is_same = true;

    if (!check->is_asked) {
        return true;
    }
    /* CHECK knows no keys, and judges the state as it is, without settling it first. */
    if (trial->model.settled_first == 0 && !expected->is_repeated &&
        expected->status != ERR_KEY_EXPIRED && expected->status != ERR_KEY_REUSED &&
        expected->status != ERR_ARGUMENT) {
        is_same = checker_check(expected, check->status, buf_slice(&check->reply), trial->why);
        trial->counters->marks[TRIAL_CHECKED_OK] += expected->status == OK;
    }
    buf_fini(&check->reply);
    return is_same;
}

static bool reply_compare(struct trial *trial, const ProtobufCMessageDescriptor *type)
{
    return checker_reply(type, buf_slice(&trial->expected), buf_slice(&trial->reply),
                         trial->why);
}

static bool schedules_compare(struct trial *trial)
{
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;

    for (int i = 0; i < trial->model.students.count; i++) {
        const struct model_student *student = &trial->model.students.items[i];
        int status;

        request.student = wire_text(student->token);
        status = trial__read(trial, CARILLON__METHOD__METHOD_SCHEDULE, &request.base);
        if (student->presence == MODEL_ABSENT) {
            if (status != ERR_UNKNOWN_STUDENT) {
                return trial__differ(trial, "a removed student has a schedule");
            }
            continue;
        }
        if (status != OK) {
            return trial__differ(trial, "a schedule cannot be read");
        }
        buf_clear(&trial->expected);
        checker_schedule_pack(&trial->model, i, &trial->expected);
        if (!reply_compare(trial, &carillon__schedule_reply__descriptor)) {
            return trial__differ(trial, "schedule");
        }
    }
    return true;
}

/* Read the roster of @name page by page, and put the pages together in trial->reply. */
static int roster_read(struct trial *trial, Carillon__SectionName *name)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__RosterReply *pages[PAGES_MAX];
    Carillon__RosterStudent *students[ROSTER_MAX];
    Carillon__RosterReply whole;
    int count = 0;
    int status;

    request.section = name;
    request.limit =
        rng_chance(&trial->rng, 500000) ? 1000 : (uint32_t)rng_between(&trial->rng, 1, 4);
    do {
        status = trial__read(trial, CARILLON__METHOD__METHOD_ROSTER, &request.base);
        if (status != OK) {
            break;
        }
        pages[count] =
            carillon__roster_reply__unpack(NULL, trial->reply.len, trial->reply.data);
        ASSERT(pages[count] != NULL);
        request.cursor = pages[count++]->next_cursor;
    } while (request.cursor[0] != '\0' && count < PAGES_MAX);
    if (status == OK) {
        whole = *pages[0];
        whole.n_students = 0;
        whole.students = students;
        for (int i = 0; i < count; i++) {
            ASSERT(whole.n_students + pages[i]->n_students <= ROSTER_MAX);
            for (size_t j = 0; j < pages[i]->n_students; j++) {
                students[whole.n_students++] = pages[i]->students[j];
            }
        }
        buf_clear(&trial->reply);
        status = wire_pack(&whole.base, &trial->reply);
    }
    while (count > 0) {
        carillon__roster_reply__free_unpacked(pages[--count], NULL);
    }
    return status;
}

static bool rosters_compare(struct trial *trial)
{
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

    for (int i = 0; i < trial->model.sections.count; i++) {
        const struct model_course *course = model_course_of(&trial->model, i);
        int status;

        name.institution = wire_text(course->institution);
        name.term = wire_text(course->term);
        name.code = wire_text(course->code);
        name.section = trial->model.sections.items[i].id;
        status = roster_read(trial, &name);
        if (trial->model.sections.items[i].presence == MODEL_ABSENT) {
            if (status != ERR_UNKNOWN_SECTION && status != ERR_UNKNOWN_COURSE) {
                return trial__differ(trial, "a removed section has a roster");
            }
            continue;
        }
        if (status != OK) {
            return trial__differ(trial, "a roster cannot be read");
        }
        buf_clear(&trial->expected);
        checker_roster_pack(&trial->model, i, &trial->expected);
        if (!reply_compare(trial, &carillon__roster_reply__descriptor)) {
            return trial__differ(trial, "roster");
        }
    }
    return true;
}

/* The student who is named in the request of an answer. */
static bool outcome_compare(struct trial *trial, const struct model_answer *answer)
{
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;
    Carillon__SubmitRequest *submit =
        carillon__submit_request__unpack(NULL, answer->body_len, answer->body);
    int student;
    bool is_same = true;

    if (submit == NULL) {
        return true;
    }
    student = model_student_find(&trial->model, submit->student);
    if (student != MODEL_NONE &&
        trial->model.students.items[student].presence != MODEL_ABSENT) {
        request.student = submit->student;
        request.key = wire_binary(slice_from(answer->key, UUID_BYTES));
        buf_clear(&trial->expected);
        checker_outcome_pack(&trial->model, answer, &trial->expected);
        is_same = trial__read(trial, CARILLON__METHOD__METHOD_OUTCOME, &request.base) == OK &&
                  reply_compare(trial, &carillon__outcome_reply__descriptor);
        if (!is_same) {
            trial__differ(trial, "outcome");
        }
    }
    carillon__submit_request__free_unpacked(submit, NULL);
    return is_same;
}

/* Some of the submits of the last 25 h. */
static bool outcomes_compare(struct trial *trial)
{
    static const uint64_t kept_ms = (uint64_t)25 * 3600 * 1000;

    for (int i = 0; i < OUTCOMES && trial->model.answers.count > 0; i++) {
        const struct model_answer *answer =
            &trial->model.answers
                 .items[rng_below(&trial->rng, (uint64_t)trial->model.answers.count)];

        if (answer->method == CARILLON__METHOD__METHOD_SUBMIT &&
            answer->wall_ms + kept_ms > trial->model.wall_ms &&
            !outcome_compare(trial, answer)) {
            return false;
        }
    }
    return true;
}

/* The numbers that STATUS shows. */
static bool counters_compare(struct trial *trial)
{
    struct enrol_counters counters;

    enrol_count(trial->enrol, &counters);
    if (counters.registrations != (uint64_t)trial->model.registrations.count ||
        counters.waiting != (uint64_t)trial->model.places.count) {
        return trial__differ(trial, "registrations or places are counted wrongly");
    }
    return true;
}

bool trial__state_compare(struct trial *trial)
{
    if (!checker_model(&trial->model, trial->why)) {
        return trial__differ(trial, "the model contradicts itself");
    }
    trial->counters->marks[TRIAL_COMPARED]++;
    return counters_compare(trial) && trial__hashes_compare(trial) &&
           trial__documents_compare(trial, trial->enrol) && schedules_compare(trial) &&
           rosters_compare(trial) && outcomes_compare(trial);
}

bool trial__verify(struct trial *trial)
{
    struct enrol_verify *verify = enrol_verify_begin(trial->enrol);
    Carillon__VerifyReply *reply;
    int status = SM_PENDING;
    bool is_ok;

    for (int i = 0; i < VERIFY_STEPS_MAX && status == SM_PENDING; i++) {
        status = enrol_verify_step(verify);
    }
    buf_clear(&trial->reply);
    if (enrol_verify_end(verify, &trial->reply) != OK || status != OK) {
        return trial__differ(trial, "verify does not end");
    }
    reply = carillon__verify_reply__unpack(NULL, trial->reply.len, trial->reply.data);
    ASSERT(reply != NULL);
    is_ok = reply->ok && reply->n_findings == 0 &&
            reply->state_hash == enrol_hash(trial->enrol) &&
            reply->registrations_checked == (uint64_t)trial->model.registrations.count;
    if (!is_ok) {
        trial__differ(trial, "verify is not content");
        history_message_words(&reply->base, trial->why);
    }
    carillon__verify_reply__free_unpacked(reply, NULL);
    trial->counters->marks[TRIAL_VERIFIED]++;
    return is_ok;
}

static uint32_t student_of(const struct trial *trial, const struct model_note *note)
{
    const char *token = trial->model.students.items[note->student].token;
    uint32_t student = 0;

    return enrol_student_find(trial->enrol, slice_from_text(token), &student) == OK
               ? student
               : CAMPUS_NONE;
}

bool trial__notes_compare(struct trial *trial)
{
    size_t count = (size_t)trial->model.notes.count;
    char text[160];

    for (size_t i = 0; i < count || i < enrol_note_count(&trial->result); i++) {
        const struct model_note *expected = &trial->model.notes.items[i];
        struct enrol_note actual = {.kind = 0};

        if (i < enrol_note_count(&trial->result)) {
            actual = enrol_note_at(&trial->result, i);
        }
        if (i < count && (uint32_t)expected->kind == actual.kind &&
            student_of(trial, expected) == actual.student &&
            expected->refusal == actual.refusal &&
            (expected->evidence[0] == '\0' ||
             slice_is_equal(slice_sub(buf_slice(&trial->result.note_text), actual.text_at,
                                      actual.text_len),
                            slice_from_text(expected->evidence)))) {
            continue;
        }
        snprintf(text, sizeof text,
                 "note %zu: expected kind %d refusal %u \"%.60s\", got kind %u refusal %u", i,
                 i < count ? (int)expected->kind : 0, i < count ? expected->refusal : 0,
                 i < count ? expected->evidence : "", actual.kind, actual.refusal);
        return trial__differ(trial, text);
    }
    return true;
}
