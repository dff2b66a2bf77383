/* The cluster's own group: who may become a member, once, and that the same entries give the
 * same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "meta/meta.h"

enum { NOON_MS = 1000000, DAY_MS = 86400000 };

static struct meta meta;

static int setup(void **state)
{
    (void)state;
    meta_init(&meta);
    return 0;
}

static struct meta_entry entry_of(enum meta_kind kind, uint8_t node)
{
    struct meta_entry entry = {.kind = kind, .wall_ms = NOON_MS};
    struct meta_member *member = &entry.member;

    memset(member->id, 0x10 + node, sizeof member->id);
    memset(member->key, 0x40 + node, sizeof member->key);
    (void)snprintf(member->name, sizeof member->name, "node-%u", node);
    (void)snprintf(member->address, sizeof member->address, "192.0.2.%u:7440", node);
    member->key_ms = 500;
    return entry;
}

static struct meta_entry join_of(uint8_t node, uint8_t invite)
{
    struct meta_entry entry = entry_of(META_MEMBER_JOIN, node);

    memset(entry.invite, invite, sizeof entry.invite);
    entry.invite_expires_ms = NOON_MS + DAY_MS;
    return entry;
}

/* Applies it; what was said beforehand has to be what comes of it. */
static int apply(const struct meta_entry *entry)
{
    int said = meta_check(&meta, entry);
    uint64_t before = meta_hash(&meta);
    uint64_t wall_ms = meta.wall_ms;
    int rc = meta_apply(&meta, entry);

    assert_int_equal(rc, said);
    if (rc != OK && entry->wall_ms <= wall_ms) {
        assert_true(meta_hash(&meta) == before);
    }
    return rc;
}

static enum meta_member_state state_of(uint8_t node)
{
    struct meta_entry entry = entry_of(META_TIME, node);
    const struct meta_member *member = meta_find(&meta, entry.member.id);

    return member == NULL ? META_ANY : member->state;
}

static int put_state(uint8_t node, enum meta_member_state state)
{
    struct meta_entry entry = entry_of(META_MEMBER_PUT, node);

    entry.member.state = state;
    return apply(&entry);
}

static int remove_node(uint8_t node)
{
    struct meta_entry entry = entry_of(META_MEMBER_REMOVE, node);

    return apply(&entry);
}

static void member_put__of_a_known_node__changes_its_address_and_keeps_its_state(void **state)
{
    struct meta_entry entry = entry_of(META_MEMBER_PUT, 1);

    (void)state;
    assert_int_equal(put_state(1, META_PRESENT), OK);
    (void)snprintf(entry.member.address, sizeof entry.member.address, "192.0.2.9:7441");
    assert_int_equal(apply(&entry), OK);
    assert_int_equal(state_of(1), META_PRESENT);
    assert_string_equal(meta.members[0].address, "192.0.2.9:7441");
    assert_int_equal(meta.member_count, 1);
}

static void member_put__with_another_nodes_number__is_refused(void **state)
{
    struct meta_entry entry = entry_of(META_MEMBER_PUT, 1);

    (void)state;
    assert_int_equal(apply(&entry), OK);
    entry.member.id[0] ^= 1; /* the number is in the last eight bytes */
    assert_int_equal(apply(&entry), ERR_EXISTS);
    assert_int_equal(remove_node(1), OK);
    assert_int_equal(apply(&entry), ERR_EXISTS);
    assert_int_equal(meta.member_count, 1);
}

static void member_put__with_a_key_that_is_no_later__is_refused(void **state)
{
    struct meta_entry entry = entry_of(META_MEMBER_PUT, 1);

    (void)state;
    assert_int_equal(apply(&entry), OK);
    entry.member.key[0] ^= 1;
    assert_int_equal(apply(&entry), ERR_EXISTS);
    entry.member.key_ms++;
    assert_int_equal(apply(&entry), OK);
    assert_memory_equal(meta.members[0].key, entry.member.key, META_KEY_BYTES);
}

static void member_put__of_what_is_not_well_formed__is_refused(void **state)
{
    static const char *const names[] = {"", "two words", "caf\xc3\xa9", "a/b"};
    static const char *const addresses[] = {"", "host", ":7440", "host:", "a b:1"};
    struct meta_entry entry = entry_of(META_MEMBER_PUT, 1);
    struct meta_entry bad;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bad = entry;
        (void)snprintf(bad.member.name, sizeof bad.member.name, "%s", names[i]);
        assert_int_equal(apply(&bad), ERR_ARGUMENT);
    }
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        bad = entry;
        (void)snprintf(bad.member.address, sizeof bad.member.address, "%s", addresses[i]);
        assert_int_equal(apply(&bad), ERR_ARGUMENT);
    }
    bad = entry;
    memset(bad.member.id + 8, 0, 8); /* consensus has nobody of number 0 */
    assert_int_equal(apply(&bad), ERR_ARGUMENT);
    assert_int_equal(meta.member_count, 0);
    assert_int_equal(apply(&entry), OK);
}

static void states__follow_each_other_in_one_direction(void **state)
{
    (void)state;
    assert_int_equal(put_state(3, META_PRESENT), OK); /* which stays */
    assert_int_equal(put_state(1, META_LEAVING), ERR_ARGUMENT);
    assert_int_equal(put_state(1, META_JOINING), OK);
    assert_int_equal(put_state(1, META_LEAVING), ERR_ARGUMENT);
    assert_int_equal(put_state(1, META_PRESENT), OK);
    assert_int_equal(put_state(1, META_JOINING), ERR_ARGUMENT);
    assert_int_equal(put_state(1, META_LEAVING), OK);
    assert_int_equal(put_state(1, META_PRESENT), OK);
    assert_int_equal(put_state(1, META_REMOVED), ERR_ARGUMENT); /* has an entry of its own */
    assert_int_equal(remove_node(1), OK);
    assert_int_equal(remove_node(1), OK);
    assert_int_equal(put_state(1, META_PRESENT), ERR_GONE);
    assert_int_equal(put_state(1, META_ANY), ERR_GONE);
    assert_int_equal(remove_node(2), ERR_GONE);
    assert_int_equal(state_of(1), META_REMOVED);
}

static int drain(uint8_t node, enum meta_member_state to)
{
    struct meta_entry entry = entry_of(META_MEMBER_STATE, node);

    entry.member.state = to;
    memset(entry.member.key, 0, sizeof entry.member.key); /* what else it says does not count */
    entry.member.name[0] = '\0';
    entry.member.address[0] = '\0';
    return apply(&entry);
}

static void member_state__changes_the_state_and_nothing_else(void **state)
{
    struct meta_member before;

    (void)state;
    assert_int_equal(drain(1, META_LEAVING), ERR_GONE);
    assert_int_equal(put_state(1, META_PRESENT), OK);
    assert_int_equal(put_state(2, META_JOINING), OK);
    assert_int_equal(drain(2, META_LEAVING), ERR_ARGUMENT); /* it keeps nothing yet */
    assert_int_equal(put_state(2, META_PRESENT), OK);
    before = meta.members[1];
    assert_int_equal(drain(2, META_LEAVING), OK);
    assert_int_equal(drain(2, META_LEAVING), OK);
    assert_int_equal(state_of(2), META_LEAVING);
    meta.members[1].state = META_PRESENT;
    assert_memory_equal(&before, &meta.members[1], sizeof before);
    assert_int_equal(drain(2, META_JOINING), ERR_ARGUMENT);
    assert_int_equal(drain(2, META_REMOVED), ERR_ARGUMENT); /* that is an entry of its own */
    assert_int_equal(drain(2, META_PRESENT), OK);
    assert_int_equal(remove_node(2), OK);
    assert_int_equal(drain(2, META_PRESENT), ERR_GONE);
}

/* Somebody has to keep the data. */
static void the_last_member__is_neither_drained_nor_removed(void **state)
{
    (void)state;
    assert_int_equal(put_state(1, META_PRESENT), OK);
    assert_int_equal(put_state(2, META_JOINING), OK);
    assert_int_equal(drain(1, META_LEAVING), ERR_ARGUMENT);
    assert_int_equal(remove_node(1), ERR_ARGUMENT);
    assert_int_equal(put_state(2, META_PRESENT), OK);
    assert_int_equal(drain(1, META_LEAVING), OK);
    assert_int_equal(drain(2, META_LEAVING), ERR_ARGUMENT);
    assert_int_equal(remove_node(2), ERR_ARGUMENT); /* the other is on its way out */
    assert_int_equal(remove_node(1), OK);
    assert_int_equal(remove_node(1), OK);
    assert_int_equal(remove_node(2), ERR_ARGUMENT);
}

static void member_join__lets_one_node_in(void **state)
{
    struct meta_entry first = join_of(1, 0xa1);
    struct meta_entry second = join_of(2, 0xa1);

    (void)state;
    assert_int_equal(apply(&first), OK);
    assert_int_equal(state_of(1), META_JOINING);
    assert_int_equal(apply(&second), ERR_FORBIDDEN);
    assert_int_equal(state_of(2), META_ANY);
    memset(second.invite, 0xa2, sizeof second.invite);
    assert_int_equal(apply(&second), OK);
}

static void member_join__of_the_same_node__is_answered_again_for_an_hour(void **state)
{
    struct meta_entry join = join_of(1, 0xa1);

    (void)state;
    assert_int_equal(apply(&join), OK);
    join.wall_ms += META_INVITE_AGAIN_MS - 1;
    assert_int_equal(apply(&join), OK);
    join.wall_ms += 1; /* after the first use, not after the last */
    assert_int_equal(apply(&join), ERR_FORBIDDEN);
}

static void member_join__with_the_id_of_another_key__is_refused(void **state)
{
    struct meta_entry join = join_of(1, 0xa1);

    (void)state;
    assert_int_equal(apply(&join), OK);
    join.member.key[5] ^= 1;
    join.member.key_ms++;
    assert_int_equal(apply(&join), ERR_EXISTS);
    memset(join.invite, 0xa2, sizeof join.invite);
    assert_int_equal(apply(&join), ERR_EXISTS);
}

static void member_join__after_the_invite_ended__is_refused(void **state)
{
    struct meta_entry join = join_of(1, 0xa1);

    (void)state;
    join.wall_ms = join.invite_expires_ms;
    assert_int_equal(apply(&join), ERR_FORBIDDEN);
    /* and time does not go back for whoever has a clock that is slow */
    join.wall_ms = NOON_MS;
    assert_int_equal(apply(&join), ERR_FORBIDDEN);
    assert_int_equal(meta.member_count, 0);
}

static void a_removed_node__does_not_come_back_by_an_invite(void **state)
{
    struct meta_entry join = join_of(1, 0xa1);

    (void)state;
    assert_int_equal(apply(&join), OK);
    assert_int_equal(remove_node(1), OK);
    assert_int_equal(apply(&join), ERR_GONE);
    memset(join.invite, 0xa2, sizeof join.invite);
    assert_int_equal(apply(&join), ERR_GONE);
}

static void members__beyond_the_bound__are_refused(void **state)
{
    (void)state;
    for (uint8_t node = 1; node <= META_MEMBERS_MAX; node++) {
        assert_int_equal(put_state(node, META_ANY), OK);
    }
    assert_int_equal(put_state(META_MEMBERS_MAX + 1, META_ANY), ERR_FULL);
    assert_int_equal(remove_node(3), OK);
    assert_int_equal(put_state(META_MEMBERS_MAX + 1, META_ANY), OK);
    assert_int_equal(meta_member_count(&meta), META_MEMBERS_MAX);
}

static void removed_nodes__are_remembered_until_their_certificates_have_ended(void **state)
{
    struct meta_entry late = entry_of(META_MEMBER_PUT, META_ROWS_MAX + 1);

    (void)state;
    for (uint8_t node = 1; node <= META_ROWS_MAX; node++) {
        assert_int_equal(put_state(node, META_ANY), OK);
        assert_int_equal(remove_node(node), OK);
    }
    assert_int_equal(apply(&late), ERR_FULL);
    late.wall_ms = NOON_MS + META_REMOVED_MS - 1;
    assert_int_equal(apply(&late), ERR_FULL);
    late.wall_ms++;
    assert_int_equal(apply(&late), OK);
    assert_int_equal(meta.member_count, META_ROWS_MAX);
    assert_int_equal(state_of(1), META_ANY);
    assert_int_equal(state_of(2), META_REMOVED);
}

static void used_invites__are_remembered_until_they_end(void **state)
{
    struct meta_entry join;

    (void)state;
    for (uint8_t i = 0; i < META_INVITES_MAX; i++) {
        join = join_of(i + 1, i);
        assert_int_equal(apply(&join), OK);
        assert_int_equal(remove_node(i + 1), OK);
    }
    join = join_of(META_INVITES_MAX + 1, 0xee);
    join.wall_ms += META_REMOVED_MS; /* so that there is a row */
    join.invite_expires_ms = join.wall_ms + 1;
    assert_int_equal(apply(&join), OK);
    assert_int_equal(meta.invite_count, 1);
}

static void used_invites__beyond_the_bound__let_nobody_in(void **state)
{
    struct meta_entry join;

    (void)state;
    for (uint8_t i = 0; i < META_INVITES_MAX - 1; i++) {
        join = join_of(i + 1, i);
        assert_int_equal(apply(&join), OK);
        assert_int_equal(remove_node(i + 1), OK);
    }
    join = join_of(META_INVITES_MAX, 0xee);
    assert_int_equal(apply(&join), OK); /* the last row and the last invite */
    join = join_of(META_INVITES_MAX, 0xef);
    assert_int_equal(apply(&join), ERR_FULL); /* the same node, by one invite more */
}

static void entry__decoded__is_what_was_encoded(void **state)
{
    struct meta_entry join = join_of(7, 0x77);
    struct meta_entry read;
    struct buf bytes;

    (void)state;
    join.member.state = META_LEAVING;
    buf_init(&bytes, META_ENTRY_BYTES_MAX);
    assert_int_equal(meta_entry_encode(&join, &bytes), OK);
    assert_int_equal(meta_entry_decode(buf_slice(&bytes), &read), OK);
    assert_int_equal(read.kind, META_MEMBER_JOIN);
    assert_memory_equal(&read.member.id, &join.member.id, META_ID_BYTES);
    assert_memory_equal(&read.member.key, &join.member.key, META_KEY_BYTES);
    assert_memory_equal(read.invite, join.invite, META_HASH_BYTES);
    assert_string_equal(read.member.name, join.member.name);
    assert_string_equal(read.member.address, join.member.address);
    assert_int_equal(read.member.state, META_LEAVING);
    assert_int_equal(read.member.key_ms, join.member.key_ms);
    assert_int_equal(read.invite_expires_ms, join.invite_expires_ms);
    assert_int_equal(read.wall_ms, NOON_MS);
    /* every prefix of it is another entry or none, and no harm */
    for (size_t len = 0; len < bytes.len; len++) {
        (void)!meta_entry_decode(slice_from(bytes.data, len), &read);
    }
    buf_fini(&bytes);
}

/* Random entries: a state restored from its snapshot goes on as the one it was taken of. */
static void snapshot__restored_at_any_place__goes_on_the_same(void **state)
{
    struct rng rng;
    struct meta other;
    struct buf bytes;

    (void)state;
    rng_init(&rng, 20261);
    buf_init(&bytes, META_STATE_BYTES_MAX);
    meta_init(&other);
    for (int i = 0; i < 6000; i++) {
        uint8_t node = (uint8_t)rng_below(&rng, 90);
        struct meta_entry entry = join_of(node, (uint8_t)rng_below(&rng, 90));

        entry.kind = (enum meta_kind)rng_below(&rng, META_KIND_NR);
        entry.wall_ms += (uint64_t)i * 20 * 60 * 1000;
        entry.invite_expires_ms = entry.wall_ms + rng_below(&rng, 3 * DAY_MS);
        entry.member.state =
            entry.kind == META_MEMBER_PUT || entry.kind == META_MEMBER_STATE ? (enum meta_member_state)rng_below(&rng, 5) : META_ANY;
        entry.member.key[0] = (uint8_t)rng_below(&rng, 2);
        entry.member.key_ms = rng_below(&rng, 1000);
        assert_int_equal(meta_apply(&other, &entry), apply(&entry));
        assert_true(meta_hash(&other) == meta_hash(&meta));
        if (rng_below(&rng, 10) == 0) {
            buf_clear(&bytes);
            assert_int_equal(meta_snapshot(&meta, &bytes), OK);
            assert_int_equal(meta_restore(&other, buf_slice(&bytes)), OK);
        }
    }
    assert_true(meta.member_count == META_ROWS_MAX); /* it came to the bounds */
    buf_fini(&bytes);
}

static void restore__of_damaged_bytes__changes_nothing(void **state)
{
    struct meta_entry join = join_of(1, 0xa1);
    struct buf bytes;
    uint64_t before;

    (void)state;
    assert_int_equal(apply(&join), OK);
    buf_init(&bytes, META_STATE_BYTES_MAX);
    assert_int_equal(meta_snapshot(&meta, &bytes), OK);
    before = meta_hash(&meta);
    assert_int_equal(meta_restore(&meta, slice_from(bytes.data, bytes.len - 1)), ERR_DAMAGED);
    assert_int_equal(meta_restore(&meta, SLICE_NONE), ERR_VERSION);
    assert_true(meta_hash(&meta) == before);
    /* two rows of one id */
    struct buf twice;

    buf_init(&twice, META_STATE_BYTES_MAX);
    assert_int_equal(buf_append_slice(&twice, buf_slice(&bytes)), OK);
    assert_int_equal(buf_append_slice(&twice, buf_slice(&bytes)), OK);
    assert_int_equal(meta_restore(&meta, buf_slice(&twice)), ERR_DAMAGED);
    assert_true(meta_hash(&meta) == before);
    buf_fini(&twice);
    buf_fini(&bytes);
}

/* ---- facts of the cluster */

static int put_fact(uint8_t key, struct slice body)
{
    uint8_t bytes[META_FACT_KEY_BYTES];
    struct meta_entry entry = {.kind = META_FACT,
                               .wall_ms = NOON_MS,
                               .fact = {.method = 14, .key = {bytes, sizeof bytes}, .body = body}};

    memset(bytes, key, sizeof bytes);
    return apply(&entry);
}

static int forget_facts(uint64_t number)
{
    return apply(&(struct meta_entry){
        .kind = META_FACTS_APPLIED, .wall_ms = NOON_MS, .fact = {.number = number}});
}

static void facts__one_after_the_other__get_numbers_without_gaps(void **state)
{
    (void)state;
    assert_int_equal(put_fact(1, SLICE_LITERAL("one")), OK);
    assert_int_equal(put_fact(2, SLICE_LITERAL("two")), OK);
    assert_int_equal(meta.fact_newest, 2);
    assert_int_equal(meta.facts[0].number, 1);
    assert_int_equal(meta.facts[1].number, 2);
    assert_memory_equal(meta.facts[1].body, "two", 3);
    assert_int_equal(forget_facts(3), ERR_ARGUMENT);
    assert_int_equal(forget_facts(1), OK);
    assert_int_equal(meta.fact_count, 1);
    assert_int_equal(meta.facts[0].number, 2);
    assert_int_equal(forget_facts(2), OK);
    assert_int_equal(put_fact(3, SLICE_LITERAL("three")), OK);
    assert_int_equal(meta.facts[0].number, 3);
}

static void facts__too_large_or_too_many__are_refused(void **state)
{
    static const uint8_t large[META_FACT_BYTES_MAX + 1];

    (void)state;
    assert_int_equal(put_fact(1, slice_from(large, sizeof large)), ERR_TOO_LARGE);
    for (uint8_t i = 0; i < META_FACTS_MAX; i++) {
        assert_int_equal(put_fact(i, slice_from(large, META_FACT_BYTES_MAX)), OK);
    }
    assert_int_equal(put_fact(99, SLICE_NONE), ERR_BUSY);
    assert_int_equal(forget_facts(1), OK);
    assert_int_equal(put_fact(99, SLICE_NONE), OK);
}

/* The largest state, too, fits into what a snapshot of it may have. */
static void facts__in_a_snapshot__come_back_as_they_were(void **state)
{
    static const uint8_t large[META_FACT_BYTES_MAX] = {7};
    struct meta before;
    struct buf bytes;

    (void)state;
    assert_int_equal(put_fact(1, SLICE_LITERAL("gone")), OK);
    assert_int_equal(forget_facts(1), OK);
    for (uint8_t i = 0; i < META_FACTS_MAX; i++) {
        assert_int_equal(put_fact(i, slice_from(large, sizeof large)), OK);
    }
    buf_init(&bytes, META_STATE_BYTES_MAX);
    assert_int_equal(meta_snapshot(&meta, &bytes), OK);
    before = meta;
    meta_init(&meta);
    assert_int_equal(meta_restore(&meta, buf_slice(&bytes)), OK);
    assert_memory_equal(meta.facts, before.facts, sizeof meta.facts);
    assert_int_equal(meta.fact_count, META_FACTS_MAX);
    assert_int_equal(meta.fact_newest, META_FACTS_MAX + 1);
    buf_fini(&bytes);
}

static void facts__as_an_entry__are_read_as_they_were_written(void **state)
{
    static const uint8_t key[META_FACT_KEY_BYTES] = {1, 2, 3};
    const struct meta_entry entry = {
        .kind = META_FACT,
        .wall_ms = NOON_MS,
        .fact = {.method = 14, .key = {key, sizeof key}, .body = SLICE_LITERAL("body")}};
    struct meta_entry read;
    struct buf bytes;

    (void)state;
    buf_init(&bytes, META_ENTRY_BYTES_MAX);
    assert_int_equal(meta_entry_encode(&entry, &bytes), OK);
    assert_int_equal(meta_entry_decode(buf_slice(&bytes), &read), OK);
    assert_int_equal(read.kind, META_FACT);
    assert_int_equal(read.fact.method, 14);
    assert_true(slice_is_equal(read.fact.key, entry.fact.key));
    assert_true(slice_is_equal(read.fact.body, entry.fact.body));
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            member_put__of_a_known_node__changes_its_address_and_keeps_its_state, setup),
        cmocka_unit_test_setup(member_put__with_another_nodes_number__is_refused, setup),
        cmocka_unit_test_setup(member_put__with_a_key_that_is_no_later__is_refused, setup),
        cmocka_unit_test_setup(member_put__of_what_is_not_well_formed__is_refused, setup),
        cmocka_unit_test_setup(states__follow_each_other_in_one_direction, setup),
        cmocka_unit_test_setup(member_state__changes_the_state_and_nothing_else, setup),
        cmocka_unit_test_setup(the_last_member__is_neither_drained_nor_removed, setup),
        cmocka_unit_test_setup(member_join__lets_one_node_in, setup),
        cmocka_unit_test_setup(member_join__of_the_same_node__is_answered_again_for_an_hour,
                               setup),
        cmocka_unit_test_setup(member_join__with_the_id_of_another_key__is_refused, setup),
        cmocka_unit_test_setup(member_join__after_the_invite_ended__is_refused, setup),
        cmocka_unit_test_setup(a_removed_node__does_not_come_back_by_an_invite, setup),
        cmocka_unit_test_setup(members__beyond_the_bound__are_refused, setup),
        cmocka_unit_test_setup(
            removed_nodes__are_remembered_until_their_certificates_have_ended, setup),
        cmocka_unit_test_setup(used_invites__are_remembered_until_they_end, setup),
        cmocka_unit_test_setup(used_invites__beyond_the_bound__let_nobody_in, setup),
        cmocka_unit_test_setup(entry__decoded__is_what_was_encoded, setup),
        cmocka_unit_test_setup(snapshot__restored_at_any_place__goes_on_the_same, setup),
        cmocka_unit_test_setup(restore__of_damaged_bytes__changes_nothing, setup),
        cmocka_unit_test_setup(facts__one_after_the_other__get_numbers_without_gaps, setup),
        cmocka_unit_test_setup(facts__too_large_or_too_many__are_refused, setup),
        cmocka_unit_test_setup(facts__in_a_snapshot__come_back_as_they_were, setup),
        cmocka_unit_test_setup(facts__as_an_entry__are_read_as_they_were_written, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
