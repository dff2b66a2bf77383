/* What random histories have found, as the shortest story of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sm.h"
#include "enrol/enrol.h"
#include "proto/operator.pb-c.h"
#include "tests/lib/checker.h"
#include "tests/lib/checker_case.h"
#include "wire/message.h"

enum { MEMORY_BYTES = 64 << 20, REPLY_BYTES = 1 << 20 };

/* The small campus, on both sides: every answer is compared as it comes. */
struct story {
    struct checker_case *model;
    struct enrol *enrol;
    struct enrol_result result;
    struct buf reply;
    struct buf text;
};

static void entry_compare(void *context, const struct model_entry *entry,
                          const struct model_result *expected)
{
    struct story *story = context;
    struct enrol_entry applied = {entry->index, entry->term, entry->wall_ms,  entry->method,
                                  entry->key,   entry->body, ENROL_HINT_NONE};
    struct checker_answer actual;
    bool is_equal;

    enrol_apply(story->enrol, &applied, &story->result);
    actual = (struct checker_answer){story->result.status, story->result.is_repeated,
                                     story->result.index, buf_slice(&story->result.reply)};
    buf_clear(&story->text);
    is_equal = checker_answer(expected, entry->method, &actual, &story->text);
    if (!is_equal) {
        fprintf(stderr, "%s\n", buf_text(&story->text));
    }
    assert_true(is_equal);
}

static int story_setup(void **state)
{
    struct enrol_config config = {.memory_bytes_max = MEMORY_BYTES, .group = 1};
    struct story *story = calloc(1, sizeof *story);

    assert_non_null(story);
    config.cluster_id.bytes[0] = 1;
    story->enrol = enrol_create(&config);
    enrol_result_init(&story->result);
    buf_init(&story->reply, REPLY_BYTES);
    buf_init(&story->text, REPLY_BYTES);
    story->model = checker_case_create(entry_compare, story);
    *state = story;
    return 0;
}

static int story_teardown(void **state)
{
    struct story *story = *state;

    checker_case_destroy(story->model);
    buf_fini(&story->reply);
    buf_fini(&story->text);
    enrol_result_fini(&story->result);
    enrol_destroy(story->enrol);
    free(story);
    return 0;
}

static void submit(struct story *story, const char *student, const char *ops, int status)
{
    checker_case_submit(story->model, student, ops);
    assert_int_equal(story->model->last.status, status);
}

/* Ask for the outcome of the last key, of @student. */
static void outcome_compare(struct story *story, const char *student)
{
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;
    struct buf body;
    struct buf expected;

    request.student = wire_text(student);
    request.key = wire_binary(slice_from(story->model->key, UUID_BYTES));
    buf_init(&body, REPLY_BYTES);
    buf_init(&expected, REPLY_BYTES);
    buf_clear(&story->reply);
    buf_clear(&story->text);
    assert_int_equal(wire_pack(&request.base, &body), OK);
    assert_int_equal(enrol_read(story->enrol, CARILLON__METHOD__METHOD_OUTCOME,
                                buf_slice(&body), story->model->model.wall_ms, &story->reply,
                                &story->text),
                     OK);
    checker_outcome_pack(&story->model->model,
                         model_answer_find(&story->model->model, story->model->key), &expected);
    assert_true(checker_reply(&carillon__outcome_reply__descriptor, buf_slice(&expected),
                              buf_slice(&story->reply), &story->text));
    buf_fini(&body);
    buf_fini(&expected);
}

static void assert_verified(struct story *story)
{
    struct enrol_verify *verify = enrol_verify_begin(story->enrol);
    Carillon__VerifyReply *reply;
    int status;

    do {
        status = enrol_verify_step(verify);
    } while (status == SM_PENDING);
    buf_clear(&story->reply);
    assert_int_equal(status, OK);
    assert_int_equal(enrol_verify_end(verify, &story->reply), OK);
    reply = carillon__verify_reply__unpack(NULL, story->reply.len, story->reply.data);
    assert_non_null(reply);
    assert_int_equal(reply->n_findings, 0);
    assert_true(reply->ok);
    carillon__verify_reply__free_unpacked(reply, NULL);
}

static void submit__wait_for_what_is_held_naming_it_as_promotion_drop__is_refused(void **state)
{
    struct story *story = *state;

    submit(story, "s1", "+A", OK);
    submit(story, "s1", "~A<A", ERR_REFUSED);
}

static void outcome__of_a_request_that_ended_with_an_error__is_known(void **state)
{
    struct story *story = *state;

    submit(story, "s1", "+X", ERR_UNKNOWN_COURSE);
    outcome_compare(story, "s1");
}

static void import_chunk__student_of_another_institution__is_refused(void **state)
{
    struct story *story = *state;
    struct uuid id = uuid_make(1000000, (uint8_t[10]){7});
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Student student = CARILLON__STUDENT__INIT;
    Carillon__Student *students[] = {&student};

    begin.kind = CARILLON__IMPORT_KIND__IMPORT_STUDENTS;
    begin.institution = wire_text("u");
    begin.import_id = wire_binary(slice_from(id.bytes, UUID_BYTES));
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base);
    student.institution = wire_text("v");
    student.token = wire_text("s9");
    chunk.import_id = begin.import_id;
    chunk.n_students = 1;
    chunk.students = students;
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base);
    assert_int_equal(story->model->last.status, ERR_ARGUMENT);
}

static void window__of_what_was_only_begun_to_import__is_gone(void **state)
{
    struct story *story = *state;
    struct uuid id = uuid_make(1000000, (uint8_t[10]){7});
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportAbortRequest abort = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    Carillon__WindowRequest window = CARILLON__WINDOW_REQUEST__INIT;

    begin.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    begin.institution = wire_text("u");
    begin.term = wire_text("t2");
    begin.import_id = wire_binary(slice_from(id.bytes, UUID_BYTES));
    abort.import_id = begin.import_id;
    window.institution = wire_text("u");
    window.term = wire_text("t2");
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base);
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort.base);
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_WINDOW, &window.base);
    assert_int_equal(story->model->last.status, ERR_GONE);
}

/* A course with one section of one seat. */
static void course_import(struct story *story, const char *institution, const char *code,
                          uint32_t credits)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course course = CARILLON__COURSE__INIT;
    Carillon__Course *courses[] = {&course};
    Carillon__Section section = CARILLON__SECTION__INIT;
    Carillon__Section *sections[] = {&section};

    section.id = wire_text("1");
    section.capacity_known = true;
    section.capacity = 1;
    course.n_sections = 1;
    course.sections = sections;
    course.institution = wire_text(institution);
    course.term = wire_text("t");
    course.code = wire_text(code);
    course.credits_known = true;
    course.credits_hundredths = credits;
    chunk.n_courses = 1;
    chunk.courses = courses;
    checker_case_import(story->model, CARILLON__IMPORT_KIND__IMPORT_COURSES, institution,
                        &chunk);
}

static void limits_set(struct story *story, uint32_t courses_max, uint32_t credits_max)
{
    Carillon__LimitsRequest limits = CARILLON__LIMITS_REQUEST__INIT;

    limits.institution = wire_text("u");
    limits.term = wire_text("t");
    limits.courses_max = courses_max;
    limits.credits_max_hundredths = credits_max;
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_LIMITS, &limits.base);
    assert_int_equal(story->model->last.status, OK);
}

static void verify__limit_lowered_below_what_students_have__finds_nothing(void **state)
{
    struct story *story = *state;

    submit(story, "s1", "+B", OK);
    limits_set(story, 1, 300);
    assert_verified(story);
}

static void verify__limit_passed_by_adds_elsewhere__finds_nothing(void **state)
{
    struct story *story = *state;

    limits_set(story, 1, 500);
    course_import(story, "v", "D", 400);
    submit(story, "s1", "+B", OK);
    submit(story, "s1", "+D", OK);
    assert_verified(story);
}

static void verify__credits_raised_by_an_import__finds_nothing(void **state)
{
    struct story *story = *state;

    limits_set(story, 5, 500);
    submit(story, "s1", "+B", OK);
    course_import(story, "u", "B", 1000);
    assert_verified(story);
}

static void block_set(struct story *story, bool remove)
{
    Carillon__BlockRequest block = CARILLON__BLOCK_REQUEST__INIT;

    block.student = wire_text("s1");
    block.remove = remove;
    block.reason = wire_text("fees");
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_BLOCK, &block.base);
    assert_int_equal(story->model->last.status, OK);
}

static void cap_set(struct story *story, const char *code, uint32_t capacity)
{
    Carillon__CapRequest cap = CARILLON__CAP_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

    name.code = wire_text(code);
    cap.section = &name;
    cap.capacity_known = true;
    cap.capacity = capacity;
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_CAP, &cap.base);
    assert_int_equal(story->model->last.status, OK);
}

/* Two promotions of one entry: the second, elsewhere, passes the limit of the first. */
static void verify__limit_passed_by_promotions_of_one_entry__finds_nothing(void **state)
{
    struct story *story = *state;

    limits_set(story, 5, 500);
    course_import(story, "v", "D", 400);
    submit(story, "s2", "+A", OK);
    submit(story, "s2", "+D", OK);
    submit(story, "s1", "~A", OK);
    submit(story, "s1", "~D", OK);
    block_set(story, false);
    cap_set(story, "A", 2);
    cap_set(story, "D", 2);
    block_set(story, true);
    assert_int_equal(story->model->model.registrations.count, 4);
    assert_verified(story);
}

/* A seat came free before the window of a promotion drop opened; nothing has looked at it
 * since. */
static void verify__window_of_a_promotion_drop_opened_since__finds_nothing(void **state)
{
    struct story *story = *state;
    Carillon__WindowRequest window = CARILLON__WINDOW_REQUEST__INIT;

    course_import(story, "v", "D", 400);
    submit(story, "s1", "+D", OK);
    submit(story, "s2", "+A", OK);
    submit(story, "s2", "~D<A", OK);
    window.institution = wire_text("u");
    window.term = wire_text("t");
    window.opens_ms = story->model->model.wall_ms + 3;
    checker_case_apply(story->model, CARILLON__METHOD__METHOD_WINDOW, &window.base);
    cap_set(story, "D", 2);
    assert_int_equal(story->model->model.notes.count, 1);
    block_set(story, false);
    assert_true(story->model->model.wall_ms >= window.opens_ms);
    assert_verified(story);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(submit__wait_for_what_is_held_naming_it_as_promotion_drop__is_refused),
        STORY(outcome__of_a_request_that_ended_with_an_error__is_known),
        STORY(import_chunk__student_of_another_institution__is_refused),
        STORY(window__of_what_was_only_begun_to_import__is_gone),
        STORY(verify__limit_lowered_below_what_students_have__finds_nothing),
        STORY(verify__limit_passed_by_adds_elsewhere__finds_nothing),
        STORY(verify__limit_passed_by_promotions_of_one_entry__finds_nothing),
        STORY(verify__window_of_a_promotion_drop_opened_since__finds_nothing),
        STORY(verify__credits_raised_by_an_import__finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
