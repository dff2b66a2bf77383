/* The benchmark's checker: a history it must accept, and one of every kind that it must refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "carillon/bench_verify.h"

enum { SECTIONS = 8, STUDENTS = 4, SMALL = 0, CLASHING = 1, DEMANDING = 2, TWIN = 7 };

/* Section 0 has one seat. Section 1 meets when section 0 meets. Section 2 asks for course 900
 * or 901, which student 0 has taken and student 1 has not. Section 7 is a second section of
 * section 6's course. The others are harmless. */
struct world {
    struct bench_workload workload;
    struct bench_section sections[SECTIONS];
    uint32_t alternatives[2];
    uint32_t taken[1];
    uint32_t taken_at[STUDENTS + 1];
    struct bench_history history;
    struct bench_readback readback;
    bool has_roster[SECTIONS];
    bool has_schedule[STUDENTS];
};

static void add(struct bench_pairs *pairs, uint32_t student, uint32_t section)
{
    assert_int_equal(bench_pairs_add(pairs, (struct bench_pair){student, section}), OK);
}

/* Registered, told so, and found in all three places. */
static void add_sound(struct world *world, uint32_t student, uint32_t section)
{
    add(&world->history.accepted, student, section);
    add(&world->readback.exported, student, section);
    add(&world->readback.rosters, student, section);
    add(&world->readback.schedules, student, section);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    for (uint32_t i = 0; i < SECTIONS; i++) {
        world->sections[i] =
            (struct bench_section){.course = i + 1, .capacity = 3, .interval_count = 1};
        world->sections[i].intervals[0] =
            (struct bench_interval){(uint16_t)(100 * i), (uint16_t)(100 * i + 50)};
        world->has_roster[i] = true;
    }
    world->sections[SMALL].capacity = 1;
    world->sections[CLASHING].intervals[0] = (struct bench_interval){49, 80};
    world->sections[DEMANDING].clause_count = 1;
    world->sections[DEMANDING].clauses[1] = 2;
    world->sections[TWIN].course = world->sections[TWIN - 1].course;
    world->alternatives[0] = 900;
    world->alternatives[1] = 901;
    world->taken[0] = 901;
    for (uint32_t i = 1; i <= STUDENTS; i++) {
        world->taken_at[i] = 1;
        world->has_schedule[i - 1] = true;
    }
    world->workload = (struct bench_workload){.sections = world->sections,
                                              .section_count = SECTIONS,
                                              .alternatives = world->alternatives,
                                              .student_count = STUDENTS,
                                              .taken_at = world->taken_at,
                                              .taken = world->taken};
    world->readback.has_roster = world->has_roster;
    world->readback.has_schedule = world->has_schedule;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    bench_pairs_fini(&world->history.accepted);
    bench_pairs_fini(&world->history.unknown);
    bench_pairs_fini(&world->readback.exported);
    bench_pairs_fini(&world->readback.rosters);
    bench_pairs_fini(&world->readback.schedules);
    free(world);
    return 0;
}

static struct bench_verdict verdict_of(struct world *world)
{
    struct bench_verdict verdict;

    assert_int_equal(
        bench_verify(&world->workload, &world->history, &world->readback, &verdict), OK);
    return verdict;
}

/* Exactly @fault was found, @count times. */
static void expect_only(struct world *world, enum bench_fault fault, uint64_t count)
{
    struct bench_verdict verdict = verdict_of(world);

    assert_false(bench_verdict_is_clean(&verdict));
    for (int i = 0; i < BENCH_FAULT_NR; i++) {
        assert_int_equal(verdict.counts[i], i == (int)fault ? count : 0);
    }
    assert_non_null(bench_fault_text(fault));
}

static void verify__sound_history__is_clean(void **state)
{
    struct world *world = *state;

    add_sound(world, 3, 5);
    add_sound(world, 0, SMALL);
    add_sound(world, 0, DEMANDING);
    add_sound(world, 1, CLASHING);
    add_sound(world, 1, 3);
    struct bench_verdict verdict = verdict_of(world);
    assert_true(bench_verdict_is_clean(&verdict));
    assert_int_equal(verdict.registrations, 5);
}

static void verify__nothing_happened__is_clean(void **state)
{
    struct world *world = *state;
    struct bench_verdict verdict = verdict_of(world);

    assert_true(bench_verdict_is_clean(&verdict));
}

static void verify__unknown_outcome__may_be_there_or_not(void **state)
{
    struct world *world = *state;

    add(&world->history.unknown, 1, 3);
    add(&world->history.unknown, 2, 3);
    add(&world->readback.exported, 2, 3);
    add(&world->readback.rosters, 2, 3);
    add(&world->readback.schedules, 2, 3);
    struct bench_verdict verdict = verdict_of(world);
    assert_true(bench_verdict_is_clean(&verdict));
    assert_int_equal(verdict.unknown_happened, 1);
}

static void verify__acknowledged_and_not_there__is_lost(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    add(&world->history.accepted, 1, 3);
    expect_only(world, BENCH_FAULT_LOST, 1);
}

static void verify__there_and_never_acknowledged__is_unasked(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    add(&world->readback.exported, 1, 3);
    add(&world->readback.rosters, 1, 3);
    add(&world->readback.schedules, 1, 3);
    expect_only(world, BENCH_FAULT_UNASKED, 1);
}

static void verify__acknowledged_twice__is_found(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    add(&world->history.accepted, 0, 3);
    expect_only(world, BENCH_FAULT_TWICE, 1);
}

static void verify__there_twice__is_found(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    add(&world->readback.rosters, 0, 3);
    expect_only(world, BENCH_FAULT_TWICE, 1);
}

static void verify__one_seat_two_students__is_over_capacity(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, SMALL);
    add_sound(world, 1, SMALL);
    expect_only(world, BENCH_FAULT_CAPACITY, 1);
}

static void verify__six_courses__are_over_the_limit(void **state)
{
    struct world *world = *state;
    static const uint32_t six[] = {SMALL, DEMANDING, 3, 4, 5, 6};

    for (size_t i = 0; i < 6; i++) {
        add_sound(world, 0, six[i]);
    }
    expect_only(world, BENCH_FAULT_LIMIT, 1);
}

static void verify__overlapping_meetings__are_a_clash(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, SMALL);
    add_sound(world, 0, CLASHING);
    expect_only(world, BENCH_FAULT_TIME, 1);
}

static void verify__meetings_that_touch__are_no_clash(void **state)
{
    struct world *world = *state;

    world->sections[CLASHING].intervals[0].from_min = 50;
    add_sound(world, 0, SMALL);
    add_sound(world, 0, CLASHING);
    struct bench_verdict verdict = verdict_of(world);
    assert_true(bench_verdict_is_clean(&verdict));
}

static void verify__course_not_taken_before__breaks_the_prerequisite(void **state)
{
    struct world *world = *state;

    add_sound(world, 1, DEMANDING);
    expect_only(world, BENCH_FAULT_PREREQUISITE, 1);
}

static void verify__two_sections_of_a_course__are_found(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, TWIN);
    add_sound(world, 0, TWIN - 1);
    expect_only(world, BENCH_FAULT_COURSE_TWICE, 1);
}

static void verify__roster_lacks_a_student__differs(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    world->readback.rosters.count = 0;
    expect_only(world, BENCH_FAULT_ROSTER, 1);
    world->has_roster[3] = false; /* it was not read */
    struct bench_verdict verdict = verdict_of(world);
    assert_true(bench_verdict_is_clean(&verdict));
}

static void verify__roster_has_one_more__differs(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    add(&world->readback.rosters, 2, 3);
    expect_only(world, BENCH_FAULT_ROSTER, 1);
}

static void verify__schedule_lacks_a_course__differs(void **state)
{
    struct world *world = *state;

    add_sound(world, 0, 3);
    world->readback.schedules.count = 0;
    expect_only(world, BENCH_FAULT_SCHEDULE, 1);
}

static void verify__rows_of_strangers__are_found(void **state)
{
    struct world *world = *state;

    world->readback.strangers = 2;
    expect_only(world, BENCH_FAULT_STRANGER, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(verify__sound_history__is_clean),
        CASE(verify__nothing_happened__is_clean),
        CASE(verify__unknown_outcome__may_be_there_or_not),
        CASE(verify__acknowledged_and_not_there__is_lost),
        CASE(verify__there_and_never_acknowledged__is_unasked),
        CASE(verify__acknowledged_twice__is_found),
        CASE(verify__there_twice__is_found),
        CASE(verify__one_seat_two_students__is_over_capacity),
        CASE(verify__six_courses__are_over_the_limit),
        CASE(verify__overlapping_meetings__are_a_clash),
        CASE(verify__meetings_that_touch__are_no_clash),
        CASE(verify__course_not_taken_before__breaks_the_prerequisite),
        CASE(verify__two_sections_of_a_course__are_found),
        CASE(verify__roster_lacks_a_student__differs),
        CASE(verify__roster_has_one_more__differs),
        CASE(verify__schedule_lacks_a_course__differs),
        CASE(verify__rows_of_strangers__are_found),
    };

    return cmocka_run_group_tests_name("bench_verify", tests, NULL, NULL);
}
