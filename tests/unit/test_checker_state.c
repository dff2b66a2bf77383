/* The checkers' own tests: states that they must refuse.
 *
 * The honest node is the model itself; what it shows is packed, spoiled, and must be reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/checker.h"
#include "tests/lib/checker_case.h"
#include "wire/message.h"

/* What one model would show, put to the checker of another. */
static bool is_schedule_accepted(struct checker_case *c, const struct model *shown,
                                 const char *token)
{
    struct buf expected;
    bool is_equal;

    buf_init(&expected, CHECKER_CASE_BYTES);
    buf_clear(&c->reply);
    checker_schedule_pack(&c->model, model_student_find(&c->model, token), &expected);
    checker_schedule_pack(shown, model_student_find(shown, token), &c->reply);
    is_equal = checker_reply(&carillon__schedule_reply__descriptor, buf_slice(&expected),
                             buf_slice(&c->reply), &c->why);
    buf_fini(&expected);
    return is_equal;
}

static bool is_roster_accepted(struct checker_case *c, const struct model *shown, int section)
{
    struct buf expected;
    bool is_equal;

    buf_init(&expected, CHECKER_CASE_BYTES);
    buf_clear(&c->reply);
    checker_roster_pack(&c->model, section, &expected);
    checker_roster_pack(shown, section, &c->reply);
    is_equal = checker_reply(&carillon__roster_reply__descriptor, buf_slice(&expected),
                             buf_slice(&c->reply), &c->why);
    buf_fini(&expected);
    return is_equal;
}

/* A copy whose registrations and places may be spoiled; the rest is shared. */
struct spoiled {
    struct model model;
    struct model_registration registrations[16];
    struct model_place places[16];
};

static struct spoiled *spoil(const struct checker_case *c)
{
    struct spoiled *spoiled = calloc(1, sizeof *spoiled);

    assert_non_null(spoiled);
    assert_true(c->model.registrations.count < 16 && c->model.places.count < 16);
    spoiled->model = c->model;
    memcpy(spoiled->registrations, c->model.registrations.items,
           (size_t)c->model.registrations.count * sizeof *spoiled->registrations);
    if (c->model.places.count > 0) {
        memcpy(spoiled->places, c->model.places.items,
               (size_t)c->model.places.count * sizeof *spoiled->places);
    }
    spoiled->model.registrations.items = spoiled->registrations;
    spoiled->model.places.items = spoiled->places;
    return spoiled;
}

static void checker_schedule__acknowledged_registration_lost__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct spoiled *shown;

    checker_case_submit(c, "s1", "+B");
    checker_case_submit(c, "s2", "+B");
    shown = spoil(c);
    assert_true(is_schedule_accepted(c, &shown->model, "s2"));
    shown->model.registrations.count--;
    assert_false(is_schedule_accepted(c, &shown->model, "s2"));
    assert_false(is_roster_accepted(c, &shown->model, c->model.registrations.items[1].section));
    free(shown);
}

static void checker_roster__other_than_the_schedules__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct spoiled *shown;

    checker_case_submit(c, "s1", "+B");
    shown = spoil(c);
    assert_true(is_roster_accepted(c, &shown->model, shown->registrations[0].section));
    shown->registrations[1] = shown->registrations[0];
    shown->registrations[1].student = model_student_find(&c->model, "s3");
    shown->model.registrations.count++;
    assert_true(is_schedule_accepted(c, &shown->model, "s1"));
    assert_false(is_roster_accepted(c, &shown->model, shown->registrations[0].section));
    free(shown);
}

static void checker_roster__waitlist_overtaken__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct spoiled *shown;
    int section;

    checker_case_submit(c, "s1", "+A");
    checker_case_submit(c, "s2", "~A");
    checker_case_submit(c, "s3", "~A");
    checker_case_submit(c, "s1", "-A");
    section = c->model.registrations.items[0].section;
    assert_int_equal(c->model.registrations.items[0].student,
                     model_student_find(&c->model, "s2"));
    shown = spoil(c);
    assert_true(is_roster_accepted(c, &shown->model, section));
    shown->registrations[0].student = model_student_find(&c->model, "s3");
    shown->places[0].student = model_student_find(&c->model, "s2");
    assert_false(is_roster_accepted(c, &shown->model, section));
    assert_false(is_schedule_accepted(c, &shown->model, "s2"));
    assert_false(is_schedule_accepted(c, &shown->model, "s3"));
    free(shown);
}

static void checker_outcome__answer_forgotten__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct buf expected;

    checker_case_submit(c, "s1", "+B");
    buf_init(&expected, CHECKER_CASE_BYTES);
    checker_outcome_pack(&c->model, model_answer_find(&c->model, c->key), &expected);
    checker_outcome_pack(&c->model, NULL, &c->reply);
    assert_true(checker_reply(&carillon__outcome_reply__descriptor, buf_slice(&expected),
                              buf_slice(&expected), &c->why));
    assert_false(checker_reply(&carillon__outcome_reply__descriptor, buf_slice(&expected),
                               buf_slice(&c->reply), &c->why));
    buf_fini(&expected);
}

static void checker_model__course_held_twice_or_waited_for__is_reported(void **state)
{
    struct checker_case *c = *state;
    struct spoiled *shown;

    checker_case_submit(c, "s1", "+A");
    checker_case_submit(c, "s2", "~A");
    shown = spoil(c);
    assert_true(checker_model(&shown->model, &c->why));
    shown->places[0].student = shown->registrations[0].student;
    assert_false(checker_model(&shown->model, &c->why));
    shown->model.places.count = 0;
    assert_true(checker_model(&shown->model, &c->why));
    shown->registrations[1] = shown->registrations[0];
    shown->model.registrations.count++;
    assert_false(checker_model(&shown->model, &c->why));
    free(shown);
}

#define CASE(name)                                                                             \
    cmocka_unit_test_setup_teardown(name, checker_case_setup, checker_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(checker_schedule__acknowledged_registration_lost__is_reported),
        CASE(checker_roster__other_than_the_schedules__is_reported),
        CASE(checker_roster__waitlist_overtaken__is_reported),
        CASE(checker_outcome__answer_forgotten__is_reported),
        CASE(checker_model__course_held_twice_or_waited_for__is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
