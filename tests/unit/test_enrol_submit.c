/* One student's requests: every refusal, all or nothing, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/campus_fixture.h"

static int setup(void **state)
{
    static struct campus_fixture f;
    static const char *const two[] = {"A:1:05:600-660", "B:2:05:700-760", NULL};

    fixture_init(&f);
    *state = &f;
    assert_int_equal(fixture_student(&f, "ann", 2, "CS0"), OK);
    assert_int_equal(fixture_student(&f, "bob", 1, ""), OK);
    assert_int_equal(fixture_course(&f, "CS1", 400, NULL, two), OK);
    assert_int_equal(fixture_simple(&f, "CS2", "A:-:05:630-690"), OK);
    assert_int_equal(fixture_simple(&f, "CS3", "A:9:05:660-700"), OK);
    assert_int_equal(fixture_simple(&f, "CS4", "A:9"), OK);
    assert_int_equal(fixture_simple(&f, "CS5", "A:9"), OK);
    assert_int_equal(fixture_simple(&f, "CS6", "A:9"), OK);
    assert_int_equal(fixture_simple(&f, "CS0", "A:9"), OK);
    return 0;
}

static void submit__add__registers_on_both_sides(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_submit(f, "ann", "+CS1#A"), "REGISTERED x:CS1#A");
    assert_string_equal(fixture_schedule(f, "ann"), "CS1#A");
    assert_string_equal(fixture_roster(f, "CS1#A"), "ann");
}

static void submit__drop__frees_the_seat(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "-CS1#A"), "DROPPED x:CS1#A");
    assert_string_equal(fixture_roster(f, "CS1#A"), "");
    assert_string_equal(fixture_submit(f, "bob", "+CS1#A"), "REGISTERED x:CS1#A");
}

static void submit__section_full__says_a_place_is_available(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "bob", "+CS1#A"), "WAITLIST_AVAILABLE@0[1 of 1]");
    assert_int_equal(f->result.status, ERR_REFUSED);
}

static void submit__waitlist_full_too__says_no_seat(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_student(f, "cid", 1, ""), OK);
    assert_int_equal(fixture_limits(f, 5, 0, 1), OK);
    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "bob", "~CS1#A"), "WAITLISTED x:CS1#A/1");
    assert_string_equal(fixture_submit(f, "cid", "+CS1#A"), "SEAT_UNAVAILABLE@0[1 of 1]");
    assert_string_equal(fixture_submit(f, "cid", "~CS1#A"), "WAITLIST_FULL@0[1 of 1]");
    assert_string_equal(fixture_submit(f, "bob", "~CS1#A"),
                        "ALREADY_WAITLISTED@0[x:CS1#A] WAITLIST_FULL@0[1 of 1]");
}

static void submit__times_overlap__names_the_other_section(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "+CS2"), "TIME_CONFLICT@0[x:CS1#A]");
    assert_string_equal(fixture_submit(f, "bob", "+CS1#A +CS2"),
                        "WAITLIST_AVAILABLE@0[1 of 1] TIME_CONFLICT@1[x:CS1#A]");
}

static void submit__ends_as_the_other_begins__is_no_conflict(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "+CS3"), "REGISTERED x:CS3#A");
}

static void submit__sixth_course__exceeds_the_limit(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_submit(f, "ann", "+CS1#A +CS3 +CS4 +CS5 +CS6"),
                        "REGISTERED x:CS1#A REGISTERED x:CS3#A REGISTERED x:CS4#A REGISTERED "
                        "x:CS5#A REGISTERED x:CS6#A");
    assert_int_equal(fixture_simple(f, "CS7", "A:9"), OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS7"), "COURSE_LIMIT@*[6 of 5]");
    assert_string_equal(fixture_submit(f, "ann", "+CS7 -CS4"),
                        "REGISTERED x:CS7#A DROPPED x:CS4#A");
}

static void submit__credits_over_the_cap__are_refused(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_limits(f, 5, 600, 0), OK);
    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "+CS4"),
                        "CREDIT_LOAD_EXCEEDED@*[7.00 of 6.00]");
    assert_int_equal(fixture_course(f, "FREE", -1, NULL, NULL), OK);
    assert_string_equal(fixture_submit(f, "ann", "+FREE"), "REGISTERED x:FREE#1");
}

static void submit__everything_wrong__lists_all_of_it(void **state)
{
    struct campus_fixture *f = *state;
    static const char *const one[] = {"A:0:05:640-650", NULL};

    assert_int_equal(fixture_course(f, "BAD", 300, "&3 :CS9 L4 $9000", one), OK);
    assert_int_equal(fixture_block(f, "ann", "fees", false), OK);
    assert_int_equal(fixture_limits(f, 1, 0, 0), OK);
    assert_int_equal(fixture_block(f, "ann", "fees", true), OK);
    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_int_equal(fixture_block(f, "ann", "fees", false), OK);
    assert_int_equal(fixture_window(f, 1, 2, 0), OK);
    assert_string_equal(
        fixture_submit(f, "ann", "+BAD -CS4"),
        "BLOCKED@*[fees] WINDOW_CLOSED@0 PREREQUISITE_UNMET@0/1[CS9] LEVEL_RESTRICTED@0/2[4] "
        "CREDITS_UNMET@0/3[90.00] TIME_CONFLICT@0[x:CS1#A] WAITLIST_AVAILABLE@0[0 of 0] "
        "NOT_REGISTERED@1[x:CS4#A] COURSE_LIMIT@*[2 of 1]");
    assert_string_equal(fixture_schedule(f, "ann"), "CS1#A");
}

static void submit__same_course_twice__is_already_registered(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "+CS1#B"), "ALREADY_REGISTERED@0[x:CS1#A]");
    assert_string_equal(fixture_submit(f, "ann", "+CS1#A"),
                        "ALREADY_REGISTERED@0[x:CS1#A] WAITLIST_AVAILABLE@0[1 of 1]");
    assert_string_equal(fixture_submit(f, "bob", "+CS1#B +CS1#A"),
                        "ALREADY_REGISTERED@1[x:CS1#B] WAITLIST_AVAILABLE@1[1 of 1]");
}

static void submit__swap_of_sections__is_one_step(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "-CS1#A +CS1#B"),
                        "DROPPED x:CS1#A REGISTERED x:CS1#B");
    assert_string_equal(fixture_schedule(f, "ann"), "CS1#B");
}

static void submit__swap_into_a_full_section__keeps_the_old_one(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "+CS1#A");
    (void)fixture_submit(f, "ann", "+CS4");
    assert_string_equal(fixture_submit(f, "ann", "-CS4 +CS1#A"),
                        "WAITLIST_AVAILABLE@1[1 of 1]");
    assert_string_equal(fixture_schedule(f, "ann"), "CS4#A");
}

static void submit__section_named_twice__refuses_the_later_op(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_submit(f, "ann", "+CS4 -x:CS4#A"), "DUPLICATE_OP@1[x:CS4#A]");
}

static void submit__course_taken__is_refused_unless_failed(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_submit(f, "ann", "+CS0"), "ALREADY_TAKEN@0[CS0]");
    assert_int_equal(fixture_student(f, "fay", 1, "CS0=1"), OK);
    assert_string_equal(fixture_submit(f, "fay", "+CS0"), "REGISTERED x:CS0#A");
}

static void submit__window__opens_closes_and_asks_for_a_level(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_window(f, f->wall_ms + 10, f->wall_ms + 20, 2), OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS4"), "WINDOW_NOT_OPEN@0");
    f->wall_ms += 10;
    assert_string_equal(fixture_submit(f, "bob", "+CS4"), "WINDOW_NOT_OPEN@0[level 2 and up]");
    assert_string_equal(fixture_submit(f, "ann", "+CS4"), "REGISTERED x:CS4#A");
    f->wall_ms += 10;
    assert_string_equal(fixture_submit(f, "ann", "+CS5"), "WINDOW_CLOSED@0");
    assert_string_equal(fixture_submit(f, "ann", "-CS4"), "WINDOW_CLOSED@0");
}

static void submit__unknown_names__are_named_errors(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_submit(f, "zoe", "+CS1#A"), "ERR_UNKNOWN_STUDENT");
    assert_string_equal(fixture_submit(f, "ann", "+CS9"), "ERR_UNKNOWN_COURSE");
    assert_string_equal(fixture_submit(f, "ann", "+y:CS1#A"), "ERR_UNKNOWN_COURSE");
    assert_string_equal(fixture_submit(f, "ann", "+CS1#Z"), "ERR_UNKNOWN_SECTION");
    assert_string_equal(fixture_submit(f, "ann", "+CS1"), "ERR_AMBIGUOUS");
    assert_string_equal(fixture_submit(f, "ann", ""), "ERR_ARGUMENT");
    f->is_admitting = false; /* the same when it comes to light at apply only */
    assert_string_equal(fixture_submit(f, "zoe", "+CS1#A"), "ERR_UNKNOWN_STUDENT");
    assert_string_equal(fixture_submit(f, "ann", "+CS1#Z"), "ERR_UNKNOWN_SECTION");
}

static void submit__code_at_two_institutions__needs_the_institution(void **state)
{
    struct campus_fixture *f = *state;

    f->institution = "y";
    assert_int_equal(fixture_simple(f, "CS4", "A:9"), OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS4"), "ERR_AMBIGUOUS");
    assert_string_equal(fixture_submit(f, "ann", "+y:CS4"), "REGISTERED y:CS4#A");
    assert_string_equal(fixture_submit(f, "ann", "+x:CS4"), "REGISTERED x:CS4#A");
    f->institution = "x";
}

static void submit__limits_of_two_institutions__count_all_courses_of_the_term(void **state)
{
    struct campus_fixture *f = *state;

    f->institution = "y";
    assert_int_equal(fixture_simple(f, "MA1", "A:9"), OK);
    assert_int_equal(fixture_limits(f, 2, 0, 0), OK);
    f->institution = "x";
    (void)fixture_submit(f, "ann", "+CS3 +CS4");
    assert_string_equal(fixture_submit(f, "ann", "+MA1"), "COURSE_LIMIT@*[3 of 2]");
    assert_string_equal(fixture_submit(f, "ann", "+CS5"), "REGISTERED x:CS5#A");
}

static void submit__course_beside__enters_and_leaves_together(void **state)
{
    struct campus_fixture *f = *state;
    static const char *const one[] = {"A:9", NULL};

    assert_int_equal(fixture_course(f, "LAB", 100, ":CS4*", one), OK);
    assert_string_equal(fixture_submit(f, "ann", "+LAB"), "COREQUISITE_MISSING@0[CS4]");
    assert_string_equal(fixture_submit(f, "ann", "+LAB +CS4"),
                        "REGISTERED x:LAB#A REGISTERED x:CS4#A");
    assert_string_equal(fixture_submit(f, "ann", "-CS4"), "COREQUISITE_MISSING@0[x:LAB#A]");
    assert_string_equal(fixture_submit(f, "ann", "-CS4 -LAB"),
                        "DROPPED x:CS4#A DROPPED x:LAB#A");
}

static void submit__withdrawn_section__takes_nobody_and_lets_go(void **state)
{
    struct campus_fixture *f = *state;
    static const char *const rest[] = {"B:2:05:700-760", NULL};

    (void)fixture_submit(f, "ann", "+CS1#A");
    assert_int_equal(fixture_course(f, "CS1", 400, NULL, rest), OK);
    assert_string_equal(fixture_submit(f, "bob", "+CS1#A"),
                        "SECTION_WITHDRAWN@0[x:CS1#A] WAITLIST_AVAILABLE@0[1 of 1]");
    assert_string_equal(fixture_schedule(f, "ann"), "CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "-CS1#A +CS1"),
                        "DROPPED x:CS1#A REGISTERED x:CS1#B");
}

static void submit__withdrawn_student__may_only_drop(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS4");
    assert_int_equal(fixture_remove(f, CARILLON__IMPORT_KIND__IMPORT_STUDENTS, "ann", true),
                     OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS5"), "STUDENT_WITHDRAWN@*");
    assert_string_equal(fixture_submit(f, "ann", "-CS4"), "DROPPED x:CS4#A");
    assert_int_equal(fixture_remove(f, CARILLON__IMPORT_KIND__IMPORT_STUDENTS, "bob", true),
                     OK);
    assert_string_equal(fixture_submit(f, "bob", "+CS4"), "ERR_UNKNOWN_STUDENT");
}

static void submit__malformed_body__is_an_error_and_no_more(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(
        fixture_apply(f, CARILLON__METHOD__METHOD_SUBMIT, SLICE_LITERAL("\xff\xff\xff")),
        ERR_MALFORMED);
    f->is_admitting = false;
    assert_int_equal(
        fixture_apply(f, CARILLON__METHOD__METHOD_SUBMIT, SLICE_LITERAL("\xff\xff\xff")),
        ERR_MALFORMED);
    assert_int_equal(fixture_apply(f, 999, SLICE_NONE), ERR_METHOD);
}

static void check__says_what_submit_would__and_changes_nothing(void **state)
{
    struct campus_fixture *f = *state;
    uint64_t before = enrol_hash(f->enrol);

    assert_string_equal(fixture_check(f, "ann", "+CS1#A +CS3"),
                        "REGISTERED x:CS1#A REGISTERED x:CS3#A");
    assert_string_equal(fixture_check(f, "ann", "+CS1#A +CS2"), "TIME_CONFLICT@1[x:CS1#A]");
    assert_string_equal(fixture_check(f, "ann", "-CS1#A"), "NOT_REGISTERED@0[x:CS1#A]");
    assert_string_equal(fixture_check(f, "zoe", "+CS1#A"), "ERR_UNKNOWN_STUDENT");
    assert_true(before == enrol_hash(f->enrol));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(submit__add__registers_on_both_sides),
        TEST(submit__drop__frees_the_seat),
        TEST(submit__section_full__says_a_place_is_available),
        TEST(submit__waitlist_full_too__says_no_seat),
        TEST(submit__times_overlap__names_the_other_section),
        TEST(submit__ends_as_the_other_begins__is_no_conflict),
        TEST(submit__sixth_course__exceeds_the_limit),
        TEST(submit__credits_over_the_cap__are_refused),
        TEST(submit__everything_wrong__lists_all_of_it),
        TEST(submit__same_course_twice__is_already_registered),
        TEST(submit__swap_of_sections__is_one_step),
        TEST(submit__swap_into_a_full_section__keeps_the_old_one),
        TEST(submit__section_named_twice__refuses_the_later_op),
        TEST(submit__course_taken__is_refused_unless_failed),
        TEST(submit__window__opens_closes_and_asks_for_a_level),
        TEST(submit__unknown_names__are_named_errors),
        TEST(submit__code_at_two_institutions__needs_the_institution),
        TEST(submit__limits_of_two_institutions__count_all_courses_of_the_term),
        TEST(submit__course_beside__enters_and_leaves_together),
        TEST(submit__withdrawn_section__takes_nobody_and_lets_go),
        TEST(submit__withdrawn_student__may_only_drop),
        TEST(submit__malformed_body__is_an_error_and_no_more),
        TEST(check__says_what_submit_would__and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
