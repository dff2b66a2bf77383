/* Probes, errands for others, local health, and how news travels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/member_bed.h"

#define FIRST ((member_incarnation)1 << 32)

enum { PROBE_MS = 200, DIRECT_MS = 80, NACK_MS = 64, RELAYS = 3 };

static struct member_bed *bed;

static int make_bed(void **state)
{
    (void)state;
    bed = member_bed_create(9);
    return 0;
}

static int drop_bed(void **state)
{
    (void)state;
    member_bed_destroy(bed);
    return 0;
}

/* Until the probe of @id is under way, a millisecond old at the most. */
static void pass_until_probed(member_id id)
{
    for (uint32_t i = 0; i < 10000; i++) {
        if (bed->member.probe.is_active && bed->member.probe.target == id) {
            return;
        }
        member_bed_pass(bed, 1);
    }
    fail();
}

static void probes__of_a_round__reach_everybody_once(void **state)
{
    (void)state;
    member_id order[2][8];
    /* Rounds begin where the last ended: find a beginning. */
    while (bed->member.order_at != bed->member.order_count) {
        member_bed_pass(bed, 1);
    }
    for (uint32_t round = 0; round < 2; round++) {
        member_bed_forget(bed);
        while (member_bed_count(bed, MEMBER_PING, 0) < 8) {
            member_bed_pass(bed, 1);
        }
        for (member_id id = 2; id <= 9; id++) {
            assert_int_equal(member_bed_count(bed, MEMBER_PING, id), 1);
        }
        uint32_t count = 0;
        for (uint32_t i = 0; i < bed->sent_count; i++) {
            if (bed->sent[i].message.type == MEMBER_PING) {
                order[round][count++] = bed->sent[i].message.to;
            }
        }
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
}

static void probe__unanswered__asks_others_and_then_suspects(void **state)
{
    (void)state;
    bed->is_deaf[5] = true;
    pass_until_probed(5);
    uint64_t sent_ms = bed->member.probe.sent_ms;
    member_bed_forget(bed);
    member_bed_pass(bed, sent_ms + DIRECT_MS - 1 - bed->now_ms);
    assert_int_equal(bed->sent_count, 0);
    member_bed_pass(bed, 1);
    assert_int_equal(member_bed_count(bed, MEMBER_PING_REQ, 0), RELAYS);
    assert_int_equal(member_bed_count(bed, MEMBER_PING_REQ, 5), 0);
    for (member_id id = 2; id <= 9; id++) {
        assert_true(member_bed_count(bed, MEMBER_PING_REQ, id) <= 1);
    }
    member_bed_pass(bed, PROBE_MS - DIRECT_MS - 1);
    assert_int_equal(member_bed_peer(bed, 5).state, MEMBER_ALIVE);
    member_bed_pass(bed, 1);
    assert_int_equal(member_bed_peer(bed, 5).state, MEMBER_SUSPECT);
    assert_int_equal(member_bed_peer(bed, 5).since_ms, sent_ms);
    /* All relays said that they hear nothing either: it is not this one's fault. */
    assert_int_equal(bed->member.health, 0);
}

static void probe__answered_to_a_relay__suspects_nobody(void **state)
{
    (void)state;
    bed->is_silent[5] = true;
    pass_until_probed(5);
    /* The ping was lost; others reach it. */
    bed->is_silent[5] = false;
    member_bed_pass(bed, PROBE_MS + 1);
    assert_int_equal(bed->member.counters.probes_failed, 0);
    assert_int_equal(member_bed_peer(bed, 5).state, MEMBER_ALIVE);
    assert_int_equal(member_bed_count(bed, MEMBER_PING_REQ, 0), RELAYS);
}

static void probe__without_nacks__is_this_members_own_weakness(void **state)
{
    (void)state;
    for (member_id id = 2; id <= 9; id++) {
        bed->is_silent[id] = true;
    }
    pass_until_probed(5);
    member_bed_pass(bed, PROBE_MS);
    assert_int_equal(bed->member.health, RELAYS);
    /* Slower from now on. */
    while (!bed->member.probe.is_active) {
        member_bed_pass(bed, 1);
    }
    const struct member_probe *probe = &bed->member.probe;
    assert_int_equal(probe->end_ms - probe->sent_ms, PROBE_MS * (RELAYS + 1));
    assert_int_equal(probe->direct_ms - probe->sent_ms, DIRECT_MS * (RELAYS + 1));
    member_bed_pass(bed, 60000);
    assert_int_equal(bed->member.health, MEMBER_HEALTH_MAX);
    /* And well again by answers. */
    for (member_id id = 2; id <= 9; id++) {
        bed->is_silent[id] = false;
        member_bed_claim(bed, 2, id, MEMBER_ALIVE, FIRST + 1);
    }
    member_bed_pass(bed, 60000);
    assert_int_equal(bed->member.health, 0);
}

static void ack__of_another_question__answers_nothing(void **state)
{
    (void)state;
    bed->is_silent[5] = true;
    pass_until_probed(5);
    uint32_t sequence = bed->member.probe.sequence;
    member_bed_hear(bed, MEMBER_ACK, 5, sequence - 1, NULL);
    member_bed_hear(bed, MEMBER_ACK, 5, 0, NULL);
    member_bed_hear(bed, MEMBER_ACK, 6, sequence, NULL);
    assert_true(bed->member.probe.is_active);
    member_bed_hear(bed, MEMBER_ACK, 5, sequence, NULL);
    assert_false(bed->member.probe.is_active);
}

static void send_request(member_id from, member_id target, uint32_t sequence)
{
    struct member_message request = {
        .type = MEMBER_PING_REQ,
        .from = from,
        .to = 1,
        .incarnation = FIRST,
        .sequence = sequence,
        .target = target,
    };
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];
    uint32_t len = member_message_encode(&request, bytes);
    struct member_event event = {.kind = MEMBER_RECEIVED, .bytes = slice_from(bytes, len)};
    member_bed_step(bed, &event);
}

static const struct member_message *find_sent(enum member_message_type type, member_id to)
{
    for (uint32_t i = 0; i < bed->sent_count; i++) {
        if (bed->sent[i].message.type == type && bed->sent[i].message.to == to) {
            return &bed->sent[i].message;
        }
    }
    return NULL;
}

static void errand__answered__is_passed_on_with_what_is_held(void **state)
{
    (void)state;
    send_request(2, 5, 4711);
    const struct member_message *ack = find_sent(MEMBER_ACK, 2);
    assert_non_null(ack);
    assert_int_equal(ack->sequence, 4711);
    assert_int_equal(ack->claims[0].id, 5);
    assert_int_equal(ack->claims[0].incarnation, FIRST);
    member_bed_pass(bed, NACK_MS + 1);
    assert_null(find_sent(MEMBER_NACK, 2));
}

static void errand__unanswered__is_told_and_passed_on_when_late(void **state)
{
    (void)state;
    bed->is_silent[5] = true;
    send_request(2, 5, 4711);
    const struct member_message *ping = find_sent(MEMBER_PING, 5);
    assert_non_null(ping);
    uint32_t sequence = ping->sequence;
    member_bed_pass(bed, NACK_MS - 1);
    assert_null(find_sent(MEMBER_NACK, 2));
    member_bed_pass(bed, 1);
    assert_non_null(find_sent(MEMBER_NACK, 2));
    assert_int_equal(find_sent(MEMBER_NACK, 2)->sequence, 4711);
    member_bed_hear(bed, MEMBER_ACK, 5, sequence, NULL);
    assert_non_null(find_sent(MEMBER_ACK, 2));
    /* Errands for and about nobody are not run. */
    member_bed_forget(bed);
    send_request(2, 99, 1);
    send_request(2, 1, 2);
    assert_int_equal(bed->sent_count, 0);
}

static void errands__without_number__push_out_the_oldest(void **state)
{
    (void)state;
    bed->is_silent[5] = true;
    for (uint32_t i = 1; i <= MEMBER_ERRANDS_MAX + 5; i++) {
        send_request(2, 5, i);
    }
    assert_int_equal(bed->member.counters.errands_lost, 5);
}

/* Four times for nine members: the factor times the number of digits. */
static void news__whatever_happens__is_sent_so_often_and_no_more(void **state)
{
    (void)state;
    member_bed_claim(bed, 2, 5, MEMBER_ALIVE, FIRST + 1);
    member_bed_pass(bed, 1000);
    assert_int_equal(member_bed_count_claims(bed, 5, MEMBER_ALIVE), 4);
    assert_int_equal(bed->member.news_count, 0);
    member_bed_claim(bed, 3, 5, MEMBER_ALIVE, FIRST + 1);
    member_bed_forget(bed);
    member_bed_pass(bed, 1000);
    assert_int_equal(member_bed_count_claims(bed, 5, MEMBER_ALIVE), 0);
}

static void accusers__as_they_become_known__are_told_on(void **state)
{
    struct member_claim claim = {
        .id = 5,
        .incarnation = FIRST,
        .state = MEMBER_SUSPECT,
        .accuser_count = 3,
        .accusers = {3, 5, 99}
    };
    (void)state;
    bed->is_silent[5] = true;
    member_bed_hear(bed, MEMBER_GOSSIP, 2, 0, &claim);
    /* The suspect itself and a stranger are no accusers. */
    assert_int_equal(member_bed_peer(bed, 5).accuser_count, 1);
    claim.accusers[0] = 4;
    claim.accusers[1] = 6;
    claim.accusers[2] = 7;
    member_bed_hear(bed, MEMBER_GOSSIP, 2, 0, &claim);
    assert_int_equal(member_bed_peer(bed, 5).accuser_count, 3);
    assert_int_equal(member_bed_peer(bed, 5).accusers[2], 6);
    member_bed_pass(bed, 60);
    const struct member_message *gossip = &bed->sent[bed->sent_count - 1].message;
    assert_int_equal(gossip->claims[0].accuser_count, 3);
}

/* All of 256 members, most of them with much to tell, in datagrams of 1200 bytes. */
static void sync__of_the_largest_cluster__fits_its_datagrams(void **state)
{
    bool is_told[MEMBER_MEMBERS_MAX + 1] = {false};
    uint32_t wanted = 0;
    (void)state;

    member_bed_destroy(bed);
    bed = member_bed_create(MEMBER_MEMBERS_MAX);
    for (member_id id = 3; id <= MEMBER_MEMBERS_MAX; id++) {
        struct member_claim claim = {
            .id = id,
            .incarnation = MEMBER_INCARNATION_MAX - id,
            .state = MEMBER_SUSPECT,
            .accuser_count = 3,
            .accusers = {2, id == 3 ? 4 : 3, id == 5 ? 4 : 5}
        };
        bed->is_silent[id] = true;
        member_bed_hear(bed, MEMBER_GOSSIP, 2, 0, &claim);
    }
    member_bed_forget(bed);
    member_bed_hear(bed, MEMBER_SYNC, 2, 0, NULL);
    for (uint32_t i = 0; i < bed->sent_count; i++) {
        const struct member_message *message = &bed->sent[i].message;
        assert_true(bed->sent[i].bytes <= MEMBER_DATAGRAM_BYTES_MAX);
        if (message->type != MEMBER_SYNC_REPLY) {
            continue;
        }
        wanted += message->is_reply_wanted;
        for (uint32_t at = 0; at < message->claim_count; at++) {
            is_told[message->claims[at].id] = true;
        }
    }
    assert_int_equal(wanted, 0);
    for (member_id id = 3; id <= MEMBER_MEMBERS_MAX; id++) {
        assert_true(is_told[id]);
    }
    /* Its own exchange asks for one reply. */
    member_bed_forget(bed);
    bed->member.sync_ms = bed->now_ms;
    member_bed_say(bed, MEMBER_TICK, 0);
    for (uint32_t i = 0; i < bed->sent_count; i++) {
        wanted += bed->sent[i].message.is_reply_wanted;
    }
    assert_int_equal(wanted, 1);
    assert_true(member_bed_count(bed, MEMBER_SYNC, 0) > 5);
}

/* A storm of tellings waits for the next step instead of being lost. */
static void tellings__more_than_fit_a_step__follow_in_the_next(void **state)
{
    (void)state;
    member_bed_destroy(bed);
    bed = member_bed_create(100);
    for (member_id id = 3; id <= 100; id++) {
        member_bed_claim(bed, 2, id, MEMBER_SUSPECT, FIRST);
    }
    member_bed_pass(bed, 10);
    bed->now_ms += 1000;
    member_bed_forget(bed);
    member_bed_say(bed, MEMBER_TICK, 0);
    assert_true(bed->sent_count >= MEMBER_SENDS_MAX);
    member_bed_pass(bed, 3);
    for (member_id id = 3; id <= 100; id++) {
        assert_true(member_bed_count(bed, MEMBER_PING, id) >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(probes__of_a_round__reach_everybody_once, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(probe__unanswered__asks_others_and_then_suspects,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(probe__answered_to_a_relay__suspects_nobody, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(probe__without_nacks__is_this_members_own_weakness,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(ack__of_another_question__answers_nothing, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(errand__answered__is_passed_on_with_what_is_held,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(errand__unanswered__is_told_and_passed_on_when_late,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(errands__without_number__push_out_the_oldest, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(news__whatever_happens__is_sent_so_often_and_no_more,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(accusers__as_they_become_known__are_told_on, make_bed,
                                        drop_bed),
        cmocka_unit_test_setup_teardown(sync__of_the_largest_cluster__fits_its_datagrams,
                                        make_bed, drop_bed),
        cmocka_unit_test_setup_teardown(tellings__more_than_fit_a_step__follow_in_the_next,
                                        make_bed, drop_bed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
