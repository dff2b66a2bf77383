/* How long a suspect has, how it is told, and when it is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/member_bed.h"

#define FIRST ((member_incarnation)1 << 32)

enum { SHORTEST_MS = 800, GONE_MS = 60000 };

static struct member_bed *bed;

static int make_bed(void **state)
{
    (void)state;
    bed = member_bed_create(7);
    return 0;
}

static int drop_bed(void **state)
{
    (void)state;
    member_bed_destroy(bed);
    return 0;
}

static enum member_state held(member_id id)
{
    return member_bed_peer(bed, id).state;
}

/* @of is suspect by the word of @from, for @age_ms so far; nobody answers for it, and this
 * member does not look for itself. */
static void suspect(member_id from, member_id of, uint32_t age_ms)
{
    struct member_claim claim = {.id = of,
                                 .incarnation = FIRST,
                                 .state = MEMBER_SUSPECT,
                                 .age_ms = age_ms,
                                 .accuser_count = 1,
                                 .accusers = {from}};
    bed->is_silent[of] = true;
    bed->member.options.checkers = 0;
    member_bed_hear(bed, MEMBER_GOSSIP, from, 0, &claim);
}

/* Milliseconds until @id is held for unreachable, while this member's own probes add nothing.
 */
static uint64_t time_until_unreachable(member_id id)
{
    uint64_t began = bed->now_ms;

    while (held(id) == MEMBER_SUSPECT && bed->now_ms < began + 20000) {
        bed->member.probe_ms = bed->now_ms + 100;
        bed->member.probe.is_active = false;
        member_bed_pass(bed, 1);
    }
    return bed->now_ms - began;
}

static void suspicion__of_n_members__lasts_as_the_logarithm_says(void **state)
{
    struct member_options options;
    (void)state;

    member_options_default(&options);
    assert_int_equal(member_suspicion_min_ms(&options, 1), 800);
    assert_int_equal(member_suspicion_min_ms(&options, 10), 800);
    assert_in_range(member_suspicion_min_ms(&options, 30), 1180, 1182);
    assert_in_range(member_suspicion_min_ms(&options, 100), 1599, 1600);
    assert_in_range(member_suspicion_min_ms(&options, 256), 1925, 1927);
    for (uint32_t n = 2; n < 256; n++) {
        assert_true(member_suspicion_min_ms(&options, n) <=
                    member_suspicion_min_ms(&options, n + 1));
    }
}

static void suspicion__confirmed__is_shortened(void **state)
{
    (void)state;
    suspect(2, 5, 0);
    assert_in_range(time_until_unreachable(5), 6 * SHORTEST_MS - 2, 6 * SHORTEST_MS);
    suspect(2, 6, 0);
    suspect(2, 6, 0);
    suspect(3, 6, 0);
    assert_in_range(time_until_unreachable(6), 2276 - 2, 2276);
    suspect(2, 7, 0);
    suspect(3, 7, 0);
    suspect(4, 7, 0);
    assert_in_range(time_until_unreachable(7), SHORTEST_MS - 2, SHORTEST_MS);
}

static void suspicion__of_one_of_two__is_the_shortest(void **state)
{
    (void)state;
    member_bed_destroy(bed);
    bed = member_bed_create(2);
    member_bed_say(bed, MEMBER_LINK_RESET, 2);
    bed->is_silent[2] = true;
    assert_in_range(time_until_unreachable(2), SHORTEST_MS - 2, SHORTEST_MS);
}

/* Half of the time is left to the suspect, however long it is suspected elsewhere. */
static void suspicion__told_with_its_age__is_credited_half(void **state)
{
    (void)state;
    suspect(2, 5, 100);
    suspect(3, 5, 100);
    suspect(4, 5, 100);
    assert_in_range(time_until_unreachable(5), SHORTEST_MS - 102, SHORTEST_MS - 100);
    suspect(2, 6, 700);
    suspect(3, 6, 700);
    suspect(4, 6, 700);
    assert_in_range(time_until_unreachable(6), SHORTEST_MS / 2 - 2, SHORTEST_MS / 2);
}

static void suspect__while_it_is_one__is_told_again_and_again(void **state)
{
    (void)state;
    suspect(2, 5, 0);
    assert_int_equal(member_bed_count(bed, MEMBER_PING, 5), 1);
    assert_int_equal(member_bed_count_claims(bed, 5, MEMBER_SUSPECT),
                     member_bed_count(bed, 0, 0));
    (void)time_until_unreachable(5);
    assert_in_range(member_bed_count(bed, MEMBER_PING, 5), 4 * 6, 4 * 6 + 1);
    for (uint32_t i = 0; i < bed->sent_count; i++) {
        if (bed->sent[i].message.to == 5) {
            assert_int_equal(bed->sent[i].message.claims[0].id, 5);
        }
    }
}

static void link__reset__suspects_at_once(void **state)
{
    (void)state;
    member_bed_say(bed, MEMBER_LINK_RESET, 5);
    assert_int_equal(held(5), MEMBER_SUSPECT);
    assert_int_equal(member_bed_peer(bed, 5).accusers[0], 1);
    assert_int_equal(member_bed_count(bed, MEMBER_PING, 5), 1);
    member_bed_say(bed, MEMBER_LINK_RESET, 1);
    member_bed_say(bed, MEMBER_LINK_RESET, 99);
    assert_int_equal(bed->change_count, 1);
}

static void suspicion__while_the_process_stood_still__begins_anew(void **state)
{
    (void)state;
    suspect(2, 5, 0);
    suspect(3, 5, 0);
    suspect(4, 5, 0);
    member_bed_pass(bed, SHORTEST_MS - 100);
    assert_int_equal(held(5), MEMBER_SUSPECT);
    bed->now_ms += 30000;
    memset(bed->is_deaf, true, sizeof bed->is_deaf);
    member_bed_say(bed, MEMBER_TICK, 0);
    assert_int_equal(held(5), MEMBER_SUSPECT);
    assert_int_equal(bed->member.counters.stalls, 1);
    assert_int_equal(bed->member.health, 1);
    assert_in_range(time_until_unreachable(5), SHORTEST_MS - 2, SHORTEST_MS);
}

static void make_unreachable(member_id id)
{
    suspect(2, id, 0);
    suspect(3, id, 0);
    suspect(4, id, 0);
    (void)time_until_unreachable(id);
    assert_int_equal(held(id), MEMBER_UNREACHABLE);
}

static void member__unreachable_for_gone_ms__is_gone_once(void **state)
{
    (void)state;
    make_unreachable(5);
    member_bed_pass(bed, GONE_MS - 10);
    assert_int_equal(member_bed_told(bed, MEMBER_GONE, 5, MEMBER_UNREACHABLE), 0);
    member_bed_forget(bed);
    member_bed_pass(bed, 10);
    assert_int_equal(member_bed_told(bed, MEMBER_GONE, 5, MEMBER_UNREACHABLE), 1);
    member_bed_forget(bed);
    member_bed_pass(bed, 2000);
    assert_int_equal(bed->change_count, 0);
    member_bed_claim(bed, 2, 5, MEMBER_ALIVE, FIRST + 1);
    assert_int_equal(member_bed_told(bed, MEMBER_CHANGED, 5, MEMBER_ALIVE), 1);
    assert_false(member_bed_peer(bed, 5).is_gone);
}

static void member__unreachable_while_the_observer_slept__is_not_gone(void **state)
{
    (void)state;
    make_unreachable(5);
    member_bed_pass(bed, 20000);
    bed->now_ms += GONE_MS;
    member_bed_say(bed, MEMBER_TICK, 0);
    member_bed_forget(bed);
    member_bed_pass(bed, GONE_MS - 20000 - 1000);
    assert_int_equal(member_bed_told(bed, MEMBER_GONE, 5, MEMBER_UNREACHABLE), 0);
    member_bed_pass(bed, 1200);
    assert_int_equal(member_bed_told(bed, MEMBER_GONE, 5, MEMBER_UNREACHABLE), 1);
}

/* Four of seven cannot be reached: it may be this one that is cut off. */
static void members__the_majority__are_never_gone(void **state)
{
    (void)state;
    for (member_id id = 4; id <= 7; id++) {
        suspect(2, id, 0);
        suspect(3, id, 0);
    }
    member_bed_pass(bed, 10000);
    for (member_id id = 4; id <= 7; id++) {
        assert_int_equal(held(id), MEMBER_UNREACHABLE);
    }
    member_bed_forget(bed);
    member_bed_pass(bed, 2 * GONE_MS);
    assert_int_equal(bed->change_count, 0);
    /* One comes back: now the time of the others begins. */
    bed->is_silent[7] = false;
    member_bed_claim(bed, 2, 7, MEMBER_ALIVE, FIRST + 1);
    member_bed_pass(bed, GONE_MS - 10);
    assert_int_equal(member_bed_told(bed, MEMBER_GONE, 4, MEMBER_UNREACHABLE), 0);
    member_bed_forget(bed);
    member_bed_pass(bed, 10);
    assert_int_equal(bed->change_count, 3);
}

/* Two that hold each other for left, and started since, must find together: neither probes. */
static void member__that_left__is_knocked_at(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 5, MEMBER_LEFT, FIRST);
    member_bed_forget(bed);
    member_bed_pass(bed, 5000);
    assert_in_range(member_bed_count(bed, MEMBER_PING, 5), 4, 6);
}

static void members__unreachable__are_knocked_at_in_turn(void **state)
{
    (void)state;
    make_unreachable(5);
    make_unreachable(6);
    member_bed_forget(bed);
    member_bed_pass(bed, 10000);
    assert_in_range(member_bed_count(bed, MEMBER_PING, 5), 4, 6);
    assert_in_range(member_bed_count(bed, MEMBER_PING, 6), 4, 6);
    assert_true(member_bed_count_claims(bed, 5, MEMBER_UNREACHABLE) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suspicion__of_n_members__lasts_as_the_logarithm_says),
        cmocka_unit_test_setup_teardown(suspicion__confirmed__is_shortened, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(suspicion__of_one_of_two__is_the_shortest, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(suspicion__told_with_its_age__is_credited_half,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(suspect__while_it_is_one__is_told_again_and_again,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(link__reset__suspects_at_once, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(suspicion__while_the_process_stood_still__begins_anew,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(member__unreachable_for_gone_ms__is_gone_once, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(
            member__unreachable_while_the_observer_slept__is_not_gone, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(members__the_majority__are_never_gone, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(member__that_left__is_knocked_at, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(members__unreachable__are_knocked_at_in_turn, make_bed,
                                        drop_bed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
