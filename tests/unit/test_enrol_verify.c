/* Verify must refuse a broken state: each invariant is broken by hand and has to be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "campus/name.h"
#include "campus/section.h"
#include "tests/lib/campus_fixture.h"

static struct campus *campus_of(struct campus_fixture *f)
{
    return (struct campus *)(uintptr_t)enrol_campus(f->enrol);
}

static uint32_t section_of(struct campus_fixture *f, const char *code)
{
    struct campus_name name = {.code = slice_from_text(code)};
    uint32_t section = 0;

    assert_int_equal(campus_resolve_section(campus_of(f), &name, &section), OK);
    return section;
}

static uint32_t student_of(struct campus_fixture *f, const char *token)
{
    uint32_t student = 0;

    assert_int_equal(enrol_student_find(f->enrol, slice_from_text(token), &student), OK);
    return student;
}

static int setup(void **state)
{
    static struct campus_fixture f;

    fixture_init(&f);
    *state = &f;
    assert_int_equal(fixture_student(&f, "ann", 1, ""), OK);
    assert_int_equal(fixture_student(&f, "bob", 1, ""), OK);
    assert_int_equal(fixture_student(&f, "cid", 1, ""), OK);
    assert_int_equal(fixture_simple(&f, "ONE", "A:1:01:600-660"), OK);
    assert_int_equal(fixture_simple(&f, "TWO", "A:9:01:630-690"), OK);
    assert_int_equal(fixture_course(&f, "HARD", 300, ":ONE", NULL), OK);
    assert_int_equal(fixture_limits(&f, 2, 600, 0), OK);
    assert_string_equal(fixture_submit(&f, "ann", "+ONE"), "REGISTERED x:ONE#A");
    assert_string_equal(fixture_submit(&f, "bob", "~ONE"), "WAITLISTED x:ONE#A/1");
    assert_string_equal(fixture_verify(&f), "");
    return 0;
}

static int teardown(void **state)
{
    fixture_fini(*state);
    return 0;
}

static void assert_found(struct campus_fixture *f, const char *words)
{
    const char *findings = fixture_verify(f);

    if (strstr(findings, words) == NULL) {
        fail_msg("not found: \"%s\" in \"%s\"", words, findings);
    }
}

static struct campus_since later(struct campus_fixture *f)
{
    return (struct campus_since){f->index + 1, f->wall_ms, 0};
}

static void verify__seat_too_many__is_found(void **state)
{
    struct campus_fixture *f = *state;

    campus_register(campus_of(f), student_of(f, "cid"), section_of(f, "ONE"), later(f));
    assert_found(f, "2 are enrolled, 1 may be");
}

static void verify__roster_entry_without_registration__is_found(void **state)
{
    struct campus_fixture *f = *state;

    campus_roster_add(campus_of(f), section_of(f, "TWO"), student_of(f, "cid"));
    assert_found(f, "on the roster and does not know");
}

static void verify__registration_without_roster_entry__is_found(void **state)
{
    struct campus_fixture *f = *state;

    campus_roster_remove(campus_of(f), section_of(f, "ONE"), student_of(f, "ann"));
    assert_found(f, "which does not know");
}

static void verify__times_that_clash__are_found(void **state)
{
    struct campus_fixture *f = *state;

    campus_register(campus_of(f), student_of(f, "ann"), section_of(f, "TWO"), later(f));
    assert_found(f, "meet at the same time");
}

static void verify__rule_not_met__is_found(void **state)
{
    struct campus_fixture *f = *state;

    campus_register(campus_of(f), student_of(f, "cid"), section_of(f, "HARD"), later(f));
    assert_found(f, "against its rule");
}

static void verify__too_many_courses_and_credits__are_found(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_course(f, "BIG", 700, NULL, NULL), OK);
    assert_int_equal(fixture_course(f, "B2", 100, NULL, NULL), OK);
    assert_int_equal(fixture_course(f, "B3", 100, NULL, NULL), OK);
    campus_register(campus_of(f), student_of(f, "cid"), section_of(f, "BIG"), later(f));
    campus_register(campus_of(f), student_of(f, "cid"), section_of(f, "B2"), later(f));
    campus_register(campus_of(f), student_of(f, "cid"), section_of(f, "B3"), later(f));
    assert_found(f, "3 courses in a term of 2");
    assert_found(f, "900 hundredths of credits");
}

static void verify__two_sections_of_a_course__are_found(void **state)
{
    struct campus_fixture *f = *state;
    static const char *const two[] = {"A:9", "B:9", NULL};

    assert_int_equal(fixture_course(f, "DUO", 100, NULL, two), OK);
    assert_string_equal(fixture_submit(f, "cid", "+DUO#A"), "REGISTERED x:DUO#A");
    campus_register(
        campus_of(f), student_of(f, "cid"),
        campus_registration(campus_student(campus_of(f), student_of(f, "cid")), 0)->section + 1,
        later(f));
    assert_found(f, "of the same course");
}

static void verify__free_seat_while_someone_waits__is_found(void **state)
{
    struct campus_fixture *f = *state;

    campus_section_set_capacity(campus_of(f), section_of(f, "ONE"), 2);
    assert_found(f, "a seat is free while someone eligible waits");
}

static void verify__waiting_beside_a_seat__is_found(void **state)
{
    struct campus_fixture *f = *state;
    struct campus_since since = later(f);

    (void)campus_place_add(campus_of(f), student_of(f, "ann"), section_of(f, "ONE"), &since);
    assert_found(f, "is registered and waits");
}

static void verify__entries_applied_meanwhile__leaves_the_hash_out(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_verify *verify = enrol_verify_begin(f->enrol);
    static const uint8_t state_hash_tag = 0x19; /* field 3, fixed64 */

    (void)fixture_submit(f, "cid", "+TWO");
    while (enrol_verify_step(verify) != OK) {
    }
    buf_clear(&f->reply);
    assert_int_equal(enrol_verify_end(verify, &f->reply), OK);
    assert_true(f->reply.len > 0);
    assert_null(memchr(f->reply.data, state_hash_tag, f->reply.len));
}

/* @count students on the roster of TWO, all of them waiting for ONE, which meets at the same
 * time: nobody could have a seat there. */
static void make_crowd(struct campus_fixture *f, uint32_t count)
{
    char token[16];

    assert_int_equal(fixture_cap(f, "TWO", -1), OK);
    assert_int_equal(fixture_limits(f, 2, 600, count + 1), OK);
    assert_string_equal(fixture_submit(f, "bob", "+TWO"), "REGISTERED x:TWO#A");
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(token, sizeof token, "s%u", i);
        assert_int_equal(fixture_student(f, token, 1, ""), OK);
        assert_string_equal(fixture_submit(f, token, "+TWO"), "REGISTERED x:TWO#A");
        assert_non_null(strstr(fixture_submit(f, token, "~ONE"), "WAITLISTED"));
    }
    campus_section_set_capacity(campus_of(f), section_of(f, "ONE"), 2);
}

enum { CROWD = 1500, STEP_WORK_MAX = 320 };

static void verify__long_rosters_and_lines__are_walked_in_bounded_steps(void **state)
{
    struct campus_fixture *f = *state;

    make_crowd(f, CROWD);
    struct enrol_verify *verify = enrol_verify_begin(f->enrol);
    uint32_t steps = 1;
    while (enrol_verify_step(verify) != OK) {
        steps++;
    }
    assert_true(enrol_verify_work_most(verify) <= STEP_WORK_MAX);
    assert_true(steps > 4 * CROWD / STEP_WORK_MAX);
    assert_int_equal(enrol_verify_end(verify, NULL), OK);
    assert_string_equal(fixture_verify(f), "");
}

/* Someone leaves the crowd after each step, and the walk comes to its end all the same. */
static void verify__long_ones_change_meanwhile__still_ends_and_finds_nothing(void **state)
{
    struct campus_fixture *f = *state;
    char token[16];

    make_crowd(f, CROWD);
    struct enrol_verify *verify = enrol_verify_begin(f->enrol);
    for (uint32_t i = 0; enrol_verify_step(verify) != OK; i++) {
        if (i < CROWD) {
            (void)snprintf(token, sizeof token, "s%u", i * 7 % CROWD);
            (void)fixture_submit(f, token, i % 2 == 0 ? "-TWO" : "-ONE");
        }
        assert_true(i < 1000);
    }
    buf_clear(&f->reply);
    assert_int_equal(enrol_verify_end(verify, &f->reply), OK);
    assert_string_equal(fixture_verify(f), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(verify__seat_too_many__is_found),
        TEST(verify__roster_entry_without_registration__is_found),
        TEST(verify__registration_without_roster_entry__is_found),
        TEST(verify__times_that_clash__are_found),
        TEST(verify__rule_not_met__is_found),
        TEST(verify__too_many_courses_and_credits__are_found),
        TEST(verify__two_sections_of_a_course__are_found),
        TEST(verify__free_seat_while_someone_waits__is_found),
        TEST(verify__waiting_beside_a_seat__is_found),
        TEST(verify__entries_applied_meanwhile__leaves_the_hash_out),
        TEST(verify__long_rosters_and_lines__are_walked_in_bounded_steps),
        TEST(verify__long_ones_change_meanwhile__still_ends_and_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
