/* What is believed of others, what is answered when it is of oneself, and what is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/member_bed.h"

#define FIRST ((member_incarnation)1 << 32)

static struct member_bed *bed;

static int make_bed(void **state)
{
    (void)state;
    bed = member_bed_create(5);
    return 0;
}

static int drop_bed(void **state)
{
    (void)state;
    member_bed_destroy(bed);
    return 0;
}

static void expect(member_id id, enum member_state state, member_incarnation incarnation)
{
    struct member_peer peer = member_bed_peer(bed, id);
    assert_int_equal(peer.state, state);
    assert_int_equal(peer.incarnation, incarnation);
}

static void claim__older_or_the_same__changes_nothing(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 3, MEMBER_ALIVE, FIRST + 4);
    expect(3, MEMBER_ALIVE, FIRST + 4);
    member_bed_claim(bed, 2, 3, MEMBER_SUSPECT, FIRST + 3);
    member_bed_claim(bed, 2, 3, MEMBER_UNREACHABLE, FIRST + 3);
    member_bed_claim(bed, 2, 3, MEMBER_LEFT, FIRST + 3);
    member_bed_claim(bed, 2, 3, MEMBER_ALIVE, FIRST + 3);
    expect(3, MEMBER_ALIVE, FIRST + 4);
    assert_int_equal(bed->change_count, 0);
}

static void suspicion__refuted__is_not_raised_again_from_that_incarnation(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 3, MEMBER_SUSPECT, FIRST);
    expect(3, MEMBER_SUSPECT, FIRST);
    member_bed_claim(bed, 2, 3, MEMBER_ALIVE, FIRST);
    expect(3, MEMBER_SUSPECT, FIRST);
    member_bed_claim(bed, 4, 3, MEMBER_ALIVE, FIRST + 1);
    expect(3, MEMBER_ALIVE, FIRST + 1);
    member_bed_claim(bed, 2, 3, MEMBER_SUSPECT, FIRST);
    member_bed_claim(bed, 5, 3, MEMBER_UNREACHABLE, FIRST);
    expect(3, MEMBER_ALIVE, FIRST + 1);
    assert_int_equal(member_bed_told(bed, MEMBER_CHANGED, 3, MEMBER_SUSPECT), 1);
    assert_int_equal(member_bed_told(bed, MEMBER_CHANGED, 3, MEMBER_ALIVE), 1);
}

static void claim__unreachable__only_begins_a_suspicion(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 3, MEMBER_UNREACHABLE, FIRST);
    member_bed_claim(bed, 4, 3, MEMBER_UNREACHABLE, FIRST);
    member_bed_claim(bed, 5, 3, MEMBER_UNREACHABLE, FIRST);
    expect(3, MEMBER_SUSPECT, FIRST);
    /* ... which has all confirmations, and no less than the shortest time. */
    bed->is_silent[3] = true;
    member_bed_pass(bed, 799);
    expect(3, MEMBER_SUSPECT, FIRST);
    member_bed_pass(bed, 1);
    expect(3, MEMBER_UNREACHABLE, FIRST);
    /* Whoever is unreachable is not suspected again from there. */
    member_bed_claim(bed, 5, 3, MEMBER_SUSPECT, FIRST);
    expect(3, MEMBER_UNREACHABLE, FIRST);
    member_bed_claim(bed, 5, 3, MEMBER_SUSPECT, FIRST + 1);
    expect(3, MEMBER_SUSPECT, FIRST + 1);
}

static void claim__left__is_believed_until_the_next_life(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 3, MEMBER_LEFT, FIRST);
    expect(3, MEMBER_LEFT, FIRST);
    member_bed_claim(bed, 4, 3, MEMBER_UNREACHABLE, FIRST);
    member_bed_claim(bed, 4, 3, MEMBER_ALIVE, FIRST);
    expect(3, MEMBER_LEFT, FIRST);
    member_bed_pass(bed, 70000);
    expect(3, MEMBER_LEFT, FIRST);
    assert_int_equal(member_bed_told(bed, MEMBER_GONE, 3, MEMBER_LEFT), 0);
    member_bed_claim(bed, 4, 3, MEMBER_ALIVE, 2 * FIRST);
    expect(3, MEMBER_ALIVE, 2 * FIRST);
}

/* Whoever missed the refutation hears of it from whom it tells the suspicion. */
static void suspicion__refuted_long_ago__is_corrected_at_its_sender(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 3, MEMBER_ALIVE, FIRST + 4);
    member_bed_pass(bed, 2000);
    member_bed_forget(bed);
    member_bed_claim(bed, 5, 3, MEMBER_SUSPECT, FIRST + 3);
    assert_int_equal(member_bed_count(bed, MEMBER_GOSSIP, 5), 1);
    assert_int_equal(bed->sent_count, 1);
    assert_int_equal(bed->sent[0].message.claims[0].id, 3);
    assert_int_equal(bed->sent[0].message.claims[0].state, MEMBER_ALIVE);
    assert_int_equal(bed->sent[0].message.claims[0].incarnation, FIRST + 4);
    /* What is merely old is not worth a datagram. */
    member_bed_claim(bed, 5, 3, MEMBER_ALIVE, FIRST + 3);
    assert_int_equal(bed->sent_count, 1);
}

static void suspicion_of_itself__in_a_ping__is_refuted_in_the_answer(void **state)
{
    struct member_claim claim = {.id = 1, .incarnation = FIRST, .state = MEMBER_SUSPECT};
    (void)state;

    member_bed_hear(bed, MEMBER_PING, 2, 77, &claim);
    expect(1, MEMBER_ALIVE, FIRST + 1);
    assert_int_equal(bed->member.health, 1);
    assert_int_equal(bed->member.counters.refutations, 1);
    assert_int_equal(bed->sent[0].message.type, MEMBER_ACK);
    assert_int_equal(bed->sent[0].message.sequence, 77);
    assert_int_equal(bed->sent[0].message.incarnation, FIRST + 1);
    assert_true(member_bed_count_claims(bed, 1, MEMBER_ALIVE) > 0);
    /* Once is enough. */
    member_bed_hear(bed, MEMBER_PING, 3, 78, &claim);
    expect(1, MEMBER_ALIVE, FIRST + 1);
    assert_int_equal(bed->change_count, 0);
}

static void claim_of_itself__from_a_life_that_went_further__is_surpassed(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 1, MEMBER_ALIVE, 3 * FIRST);
    expect(1, MEMBER_ALIVE, 3 * FIRST + 1);
    member_bed_claim(bed, 2, 1, MEMBER_UNREACHABLE, 4 * FIRST);
    expect(1, MEMBER_ALIVE, 4 * FIRST + 1);
    member_bed_claim(bed, 2, 1, MEMBER_SUSPECT, MEMBER_INCARNATION_MAX);
    expect(1, MEMBER_ALIVE, 4 * FIRST + 1);
}

static void member__that_left__refutes_nothing_and_judges_nobody(void **state)
{
    (void)state;
    member_bed_say(bed, MEMBER_LEAVE, 0);
    assert_false(member_has_left(&bed->member));
    member_bed_pass(bed, 500);
    assert_true(member_has_left(&bed->member));
    assert_true(member_bed_count_claims(bed, 1, MEMBER_LEFT) >= 4);
    member_bed_forget(bed);
    member_bed_claim(bed, 2, 1, MEMBER_SUSPECT, FIRST);
    expect(1, MEMBER_LEFT, FIRST);
    member_bed_hear(bed, MEMBER_PING, 2, 5, NULL);
    assert_true(bed->sent[bed->sent_count - 1].message.is_leaving);
    member_bed_claim(bed, 2, 3, MEMBER_SUSPECT, FIRST);
    member_bed_pass(bed, 90000);
    expect(3, MEMBER_SUSPECT, FIRST);
}

static void datagram__of_or_about_no_member__is_dropped_and_counted(void **state)
{
    struct member_event event = {.kind = MEMBER_RECEIVED, .bytes = SLICE_LITERAL("\x08")};
    struct member_peer peer;
    (void)state;

    member_bed_step(bed, &event);
    assert_int_equal(bed->member.counters.malformed, 1);
    member_bed_hear(bed, MEMBER_PING, 9, 1, NULL);
    assert_int_equal(bed->member.counters.unknown_senders, 1);
    member_bed_hear(bed, MEMBER_PING, 1, 1, NULL);
    assert_int_equal(bed->member.counters.misaddressed, 1);
    /* member 3 has proved to have sent it, and says that it is 2 */
    struct member_message message = {
        .type = MEMBER_PING, .from = 2, .to = 1, .incarnation = FIRST, .sequence = 1};
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];
    event.peer = 3;
    event.bytes = slice_from(bytes, member_message_encode(&message, bytes));
    member_bed_step(bed, &event);
    assert_int_equal(bed->member.counters.misaddressed, 2);
    assert_int_equal(bed->sent_count, 0);
    member_bed_claim(bed, 2, 9, MEMBER_ALIVE, FIRST);
    assert_int_equal(bed->member.counters.unknown_claims, 1);
    assert_int_equal(member_find(&bed->member, 9, &peer), ERR_GONE);
}

static void members__added_and_removed__as_committed_entries_say(void **state)
{
    struct member_peer peer;
    (void)state;

    member_bed_claim(bed, 2, 3, MEMBER_SUSPECT, FIRST);
    member_bed_say(bed, MEMBER_REMOVE, 3);
    assert_int_equal(member_find(&bed->member, 3, &peer), ERR_GONE);
    member_bed_forget(bed);
    member_bed_pass(bed, 5000);
    assert_int_equal(member_bed_count(bed, 0, 3), 0);
    assert_int_equal(member_bed_count_claims(bed, 3, 0), 0);
    member_bed_say(bed, MEMBER_ADD, 3);
    expect(3, MEMBER_ALIVE, 0);
    member_bed_say(bed, MEMBER_REMOVE, 1);
    member_bed_forget(bed);
    member_bed_pass(bed, 5000);
    member_bed_hear(bed, MEMBER_PING, 2, 1, NULL);
    assert_int_equal(bed->sent_count, 0);
    assert_true(member_deadline_ms(&bed->member) == UINT64_MAX);
    member_bed_say(bed, MEMBER_ADD, 1);
    member_bed_hear(bed, MEMBER_PING, 2, 1, NULL);
    assert_int_equal(member_bed_count(bed, MEMBER_ACK, 2), 1);
}

static void members__beyond_the_limit__are_refused_and_counted(void **state)
{
    struct member_bed *full = member_bed_create(MEMBER_MEMBERS_MAX);
    (void)state;

    member_bed_say(full, MEMBER_ADD, MEMBER_MEMBERS_MAX + 1);
    assert_int_equal(full->member.counters.refused_adds, 1);
    assert_int_equal(full->member.peer_count, MEMBER_MEMBERS_MAX);
    member_bed_destroy(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(claim__older_or_the_same__changes_nothing, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(
            suspicion__refuted__is_not_raised_again_from_that_incarnation, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(claim__unreachable__only_begins_a_suspicion, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(claim__left__is_believed_until_the_next_life, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(suspicion__refuted_long_ago__is_corrected_at_its_sender,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(
            suspicion_of_itself__in_a_ping__is_refuted_in_the_answer, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(
            claim_of_itself__from_a_life_that_went_further__is_surpassed, make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(member__that_left__refutes_nothing_and_judges_nobody,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(datagram__of_or_about_no_member__is_dropped_and_counted,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(members__added_and_removed__as_committed_entries_say,
                                        make_bed, drop_bed),
        cmocka_unit_test(members__beyond_the_limit__are_refused_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
