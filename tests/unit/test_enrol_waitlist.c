/* Waitlists, permits, blocks and capacities: who gets the freed seat, and who is told why not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/campus_fixture.h"

enum { CAPACITY = 1, RULE = 2, TIME = 4 };

static int setup(void **state)
{
    static struct campus_fixture f;
    static const char *const tokens[] = {"ann", "bob", "cid", "dot", "eve"};

    fixture_init(&f);
    *state = &f;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        assert_int_equal(fixture_student(&f, tokens[i], 1, ""), OK);
    }
    assert_int_equal(fixture_simple(&f, "HOT", "A:1:01:600-660"), OK);
    assert_int_equal(fixture_simple(&f, "WARM", "A:1:02:600-660"), OK);
    assert_int_equal(fixture_simple(&f, "SAME", "A:9:01:630-690"), OK);
    assert_int_equal(fixture_simple(&f, "FREE", "A:-"), OK);
    assert_string_equal(fixture_submit(&f, "ann", "+HOT"), "REGISTERED x:HOT#A");
    return 0;
}

static void waitlist__seat_freed__goes_to_the_first(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_submit(f, "bob", "~HOT"), "WAITLISTED x:HOT#A/1");
    assert_string_equal(fixture_submit(f, "cid", "~HOT"), "WAITLISTED x:HOT#A/2");
    assert_string_equal(fixture_submit(f, "ann", "-HOT"), "DROPPED x:HOT#A");
    assert_string_equal(fixture_notes(f), "promoted bob A");
    assert_string_equal(fixture_roster(f, "HOT"), "bob | cid/1");
}

static void waitlist__first_cannot__is_skipped_with_the_reason(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "cid", "~HOT");
    (void)fixture_submit(f, "bob", "+SAME");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_notes(f),
                        "skipped bob A TIME_CONFLICT[x:SAME#A], promoted cid A");
    assert_string_equal(fixture_roster(f, "HOT"), "cid | bob/1");
}

static void waitlist__nobody_can__seat_is_for_others_until_someone_can(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "bob", "+SAME");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_roster(f, "HOT"), " | bob/1");
    assert_string_equal(fixture_submit(f, "bob", "-SAME"), "DROPPED x:SAME#A");
    assert_string_equal(fixture_notes(f), "promoted bob A");
    assert_string_equal(fixture_roster(f, "HOT"), "bob");
}

static void waitlist__nobody_can__a_direct_add_takes_the_seat(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "bob", "+SAME");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_check(f, "cid", "+HOT"), "REGISTERED x:HOT#A");
    assert_string_equal(fixture_submit(f, "cid", "+HOT"), "REGISTERED x:HOT#A");
    assert_string_equal(fixture_notes(f), "skipped bob A TIME_CONFLICT[x:SAME#A]");
}

static void waitlist__window_opens_by_the_clock__nobody_overtakes(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    assert_int_equal(fixture_window(f, f->wall_ms + 100, 0, 0), OK);
    assert_int_equal(fixture_cap(f, "HOT", 2), OK);
    assert_string_equal(fixture_notes(f), "skipped bob A WINDOW_NOT_OPEN[]");
    f->wall_ms += 100;
    assert_string_equal(fixture_check(f, "cid", "+HOT"), "WAITLIST_AVAILABLE@0[1 of 2]");
    assert_string_equal(fixture_submit(f, "cid", "+HOT"), "WAITLIST_AVAILABLE@0[2 of 2]");
    assert_string_equal(fixture_notes(f), "promoted bob A");
    assert_string_equal(fixture_roster(f, "HOT"), "ann bob");
}

static void waitlist__time_passes__promotes_whose_window_opened(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    assert_int_equal(fixture_window(f, f->wall_ms + 100, 0, 0), OK);
    assert_int_equal(fixture_cap(f, "HOT", 2), OK);
    fixture_tick(f, 100);
    assert_string_equal(fixture_notes(f), "promoted bob A");
}

static void waitlist__drops_on_promotion__happen_then_and_cascade(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "+WARM");
    assert_string_equal(fixture_submit(f, "cid", "~WARM"), "WAITLISTED x:WARM#A/1");
    assert_string_equal(fixture_submit(f, "bob", "~HOT(WARM)"), "WAITLISTED x:HOT#A/1");
    assert_string_equal(fixture_schedule(f, "bob"), "WARM#A | HOT#A/1");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_notes(f), "promoted bob A, dropped bob A, promoted cid A");
    assert_string_equal(fixture_schedule(f, "bob"), "HOT#A");
    assert_string_equal(fixture_schedule(f, "cid"), "WARM#A");
}

static void waitlist__two_exchange_seats__by_one_drop(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "+WARM");
    (void)fixture_submit(f, "ann", "~WARM(HOT)");
    (void)fixture_submit(f, "bob", "~HOT(WARM)");
    assert_int_equal(fixture_cap(f, "HOT", 2), OK);
    assert_string_equal(fixture_roster(f, "HOT"), "bob");
    assert_string_equal(fixture_roster(f, "WARM"), "ann");
}

static void waitlist__other_section_of_the_course__may_be_waited_for(void **state)
{
    struct campus_fixture *f = *state;
    static const char *const two[] = {"A:1:04:600-660", "B:9:04:700-760", NULL};

    assert_int_equal(fixture_course(f, "DUO", 300, NULL, two), OK);
    (void)fixture_submit(f, "cid", "+DUO#A");
    (void)fixture_submit(f, "bob", "+DUO#B");
    assert_string_equal(fixture_submit(f, "bob", "~DUO#A"), "ALREADY_REGISTERED@0[x:DUO#B]");
    assert_string_equal(fixture_submit(f, "bob", "~DUO#A(DUO#B)"), "WAITLISTED x:DUO#A/1");
    (void)fixture_submit(f, "cid", "-DUO#A");
    assert_string_equal(fixture_schedule(f, "bob"), "DUO#A");
}

static void waitlist__leaving__moves_the_others_up(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "cid", "~HOT");
    assert_string_equal(fixture_submit(f, "bob", "-HOT"), "WAITLIST_LEFT x:HOT#A");
    assert_string_equal(fixture_roster(f, "HOT"), "ann | cid/1");
}

static void waitlist__places_do_not_count_toward_the_five(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_limits(f, 1, 0, 0), OK);
    assert_string_equal(fixture_submit(f, "bob", "+FREE ~HOT"),
                        "REGISTERED x:FREE#A WAITLISTED x:HOT#A/1");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_notes(f), "skipped bob A COURSE_LIMIT[2 of 1]");
    assert_int_equal(fixture_limits(f, 2, 0, 0), OK);
    assert_string_equal(fixture_notes(f), "promoted bob A");
}

static void waitlist__swap_with_a_place__commits_the_rest(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "+FREE");
    assert_string_equal(fixture_submit(f, "bob", "-FREE ~HOT +SAME"),
                        "DROPPED x:FREE#A WAITLISTED x:HOT#A/1 REGISTERED x:SAME#A");
}

static void block__set__refuses_adds_and_promotions_until_lifted(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    assert_int_equal(fixture_block(f, "bob", "fees", false), OK);
    assert_int_equal(fixture_block(f, "bob", "library", false), OK);
    assert_int_equal(fixture_block(f, "bob", "fees", false), OK);
    assert_string_equal(fixture_submit(f, "bob", "+FREE"),
                        "BLOCKED@*[fees] BLOCKED@*[library]");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_notes(f), "skipped bob A BLOCKED[fees]");
    assert_int_equal(fixture_block(f, "bob", "rent", true), ERR_GONE);
    assert_int_equal(fixture_block(f, "bob", "fees", true), OK);
    assert_string_equal(fixture_notes(f), "skipped bob A BLOCKED[library]");
    assert_int_equal(fixture_block(f, "bob", "", true), OK);
    assert_string_equal(fixture_notes(f), "promoted bob A");
}

static void block__seventeenth__is_full(void **state)
{
    struct campus_fixture *f = *state;
    char reason[] = "a";

    for (int i = 0; i < 16; i++, reason[0]++) {
        assert_int_equal(fixture_block(f, "bob", reason, false), OK);
    }
    assert_int_equal(fixture_block(f, "bob", reason, false), ERR_FULL);
    assert_int_equal(fixture_block(f, "bob", "", false), ERR_ARGUMENT);
}

static void permit__capacity__seats_above_the_limit_on_record(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_permit(f, "bob", "HOT", CAPACITY), OK);
    assert_string_equal(fixture_submit(f, "bob", "+HOT"), "REGISTERED x:HOT#A");
    assert_string_equal(fixture_roster(f, "HOT"), "ann bob!");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_submit(f, "cid", "+HOT"), "WAITLIST_AVAILABLE@0[1 of 1]");
    assert_int_equal(fixture_permit(f, "bob", "HOT", 0), OK);
    assert_int_equal(fixture_permit(f, "bob", "HOT", 0), ERR_GONE);
    assert_int_equal(fixture_permit(f, "bob", "HOT", 8), ERR_ARGUMENT);
}

static void permit__capacity__turns_a_place_into_a_seat(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    assert_string_equal(fixture_submit(f, "bob", "+HOT"),
                        "ALREADY_WAITLISTED@0[x:HOT#A] WAITLIST_AVAILABLE@0[1 of 1]");
    assert_int_equal(fixture_permit(f, "bob", "HOT", CAPACITY), OK);
    assert_string_equal(fixture_submit(f, "bob", "+HOT"), "REGISTERED x:HOT#A");
    assert_string_equal(fixture_roster(f, "HOT"), "ann bob!");
}

static void permit__rule__lifts_prerequisites_and_repetition(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_course(f, "HARD", 300, "&2 :BASE L9", NULL), OK);
    assert_int_equal(fixture_student(f, "gus", 1, "FREE"), OK);
    assert_string_equal(
        fixture_submit(f, "gus", "+HARD +FREE"),
        "PREREQUISITE_UNMET@0/1[BASE] LEVEL_RESTRICTED@0/2[9] ALREADY_TAKEN@1[FREE]");
    assert_int_equal(fixture_permit(f, "gus", "HARD", RULE), OK);
    assert_int_equal(fixture_permit(f, "gus", "FREE", RULE), OK);
    assert_string_equal(fixture_submit(f, "gus", "+HARD +FREE"),
                        "REGISTERED x:HARD#1 REGISTERED x:FREE#A");
    assert_int_equal(fixture_permit(f, "gus", "HARD", 0), OK);
}

static void permit__time__lifts_the_conflict_from_either_side(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_permit(f, "ann", "HOT", TIME), OK);
    assert_string_equal(fixture_submit(f, "ann", "+SAME"), "REGISTERED x:SAME#A");
    (void)fixture_submit(f, "bob", "+SAME");
    assert_int_equal(fixture_cap(f, "HOT", 9), OK);
    assert_string_equal(fixture_submit(f, "bob", "+HOT"), "TIME_CONFLICT@0[x:SAME#A]");
    assert_int_equal(fixture_permit(f, "bob", "HOT", TIME), OK);
    assert_string_equal(fixture_submit(f, "bob", "+HOT"), "REGISTERED x:HOT#A");
}

static void permit__for_one_who_waits__promotes_at_once(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "bob", "+SAME");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_int_equal(fixture_permit(f, "bob", "HOT", TIME), OK);
    assert_string_equal(fixture_notes(f), "promoted bob A");
}

static void cap__lowered__drops_nobody_and_admits_nobody(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_cap(f, "HOT", 3), OK);
    (void)fixture_submit(f, "bob", "+HOT");
    (void)fixture_submit(f, "cid", "+HOT");
    assert_int_equal(fixture_cap(f, "HOT", 1), OK);
    assert_string_equal(fixture_roster(f, "HOT"), "ann bob cid");
    assert_string_equal(fixture_verify(f), "");
    (void)fixture_submit(f, "dot", "~HOT");
    (void)fixture_submit(f, "ann", "-HOT");
    assert_string_equal(fixture_roster(f, "HOT"), "bob cid | dot/1");
}

static void cap__raised__promotes_as_many_as_fit(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "cid", "~HOT");
    (void)fixture_submit(f, "dot", "~HOT");
    assert_int_equal(fixture_cap(f, "HOT", 3), OK);
    assert_string_equal(fixture_notes(f), "promoted bob A, promoted cid A");
    assert_int_equal(fixture_cap(f, "HOT", -1), OK);
    assert_string_equal(fixture_roster(f, "HOT"), "ann bob cid dot");
}

/* Those who were promoted by it are enrolled when it is answered. */
static void cap__raised__counts_the_promoted_as_enrolled(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "bob", "~HOT");
    (void)fixture_submit(f, "cid", "~HOT");
    assert_int_equal(fixture_cap(f, "HOT", 2), OK);
    Carillon__CapReply *reply =
        carillon__cap_reply__unpack(NULL, f->result.reply.len, f->result.reply.data);

    assert_non_null(reply);
    assert_int_equal(reply->promoted, 1);
    assert_int_equal(reply->enrolled, 2);
    carillon__cap_reply__free_unpacked(reply, NULL);
    assert_string_equal(fixture_roster(f, "HOT"), "ann bob | cid/1");
}

static void registrar__nonsense__is_refused(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_window(f, 10, 5, 0), ERR_ARGUMENT);
    assert_int_equal(fixture_limits(f, 0, 0, 0), ERR_ARGUMENT);
    assert_int_equal(fixture_limits(f, 17, 0, 0), ERR_ARGUMENT);
    assert_int_equal(fixture_limits(f, 5, 0, 10001), ERR_ARGUMENT);
    assert_int_equal(fixture_cap(f, "HOT", 1000001), ERR_ARGUMENT);
    f->term = "never";
    assert_int_equal(fixture_window(f, 1, 2, 0), ERR_GONE);
    assert_int_equal(fixture_limits(f, 5, 0, 0), ERR_GONE);
    f->term = "t";
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waitlist__seat_freed__goes_to_the_first),
        TEST(waitlist__first_cannot__is_skipped_with_the_reason),
        TEST(waitlist__nobody_can__seat_is_for_others_until_someone_can),
        TEST(waitlist__nobody_can__a_direct_add_takes_the_seat),
        TEST(waitlist__window_opens_by_the_clock__nobody_overtakes),
        TEST(waitlist__time_passes__promotes_whose_window_opened),
        TEST(waitlist__drops_on_promotion__happen_then_and_cascade),
        TEST(waitlist__two_exchange_seats__by_one_drop),
        TEST(waitlist__other_section_of_the_course__may_be_waited_for),
        TEST(waitlist__leaving__moves_the_others_up),
        TEST(waitlist__places_do_not_count_toward_the_five),
        TEST(waitlist__swap_with_a_place__commits_the_rest),
        TEST(block__set__refuses_adds_and_promotions_until_lifted),
        TEST(block__seventeenth__is_full),
        TEST(permit__capacity__seats_above_the_limit_on_record),
        TEST(permit__capacity__turns_a_place_into_a_seat),
        TEST(permit__rule__lifts_prerequisites_and_repetition),
        TEST(permit__time__lifts_the_conflict_from_either_side),
        TEST(permit__for_one_who_waits__promotes_at_once),
        TEST(cap__lowered__drops_nobody_and_admits_nobody),
        TEST(cap__raised__promotes_as_many_as_fit),
        TEST(cap__raised__counts_the_promoted_as_enrolled),
        TEST(registrar__nonsense__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
