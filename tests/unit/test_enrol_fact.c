/* Facts of the cluster in every shard, and what is made of the shards' answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sm.h"
#include "enrol/enrol_private.h"
#include "enrol/route.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/facts_bed.h"
#include "wire/message.h"

/* ---- facts */

static Carillon__WindowRequest window_of(uint64_t opens_ms)
{
    Carillon__WindowRequest message = CARILLON__WINDOW_REQUEST__INIT;

    message.institution = wire_text("x");
    message.term = wire_text("t");
    message.opens_ms = opens_ms;
    return message;
}

static void fact__is_taken_by_every_shard_that_knows_the_catalogue(void **state)
{
    struct facts_import import;
    (void)state;
    import = facts_import_begin();
    assert_int_equal(facts_import_chunk(&import, 0, 1, 0, 0),
                     OK); /* one course, so one shard has any */
    assert_int_equal(facts_import_commit(&import, false), OK);
    Carillon__WindowRequest window = window_of(5);
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_WINDOW, &window.base), OK);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        assert_int_equal(facts_catalogue(i)->opens_ms, 5);
    }
    window.term = wire_text("another");
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_WINDOW, &window.base), ERR_GONE);
    assert_true(facts.text.len > 0);
}

static void fact__that_is_not_newer__does_nothing_and_says_so(void **state)
{
    struct uuid first;
    (void)state;
    facts_populate();
    Carillon__WindowRequest window = window_of(5);
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_WINDOW, &window.base), OK);
    first = facts.key;
    window = window_of(6);
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_WINDOW, &window.base), OK);
    facts.key = first;
    window = window_of(5);
    facts_set_body(&window.base);
    assert_int_equal(facts_apply_fact(1, facts.facts - 1, CARILLON__METHOD__METHOD_WINDOW), OK);
    assert_true(facts.result[1].is_outdated);
    assert_true(facts.result[1].reply.len > 0); /* its answer, once more */
    assert_int_equal(facts_catalogue(1)->opens_ms, 6);
    facts_new_key(); /* nobody's any more */
    assert_int_equal(facts_apply_fact(1, facts.facts - 1, CARILLON__METHOD__METHOD_WINDOW), OK);
    assert_true(facts.result[1].is_outdated);
    assert_int_equal(facts_catalogue(1)->opens_ms, 6);
    int status = ERR_BUSY;
    buf_clear(&facts.reply);
    assert_true(enrol_fact_answer(facts.shard[1], slice_from(first.bytes, UUID_BYTES), &status,
                                  &facts.reply, &facts.text));
    assert_int_equal(status, OK);
    assert_false(
        enrol_fact_answer(facts.shard[1], facts_key(), &status, &facts.reply, &facts.text));
}

static void fact__that_leaves_a_gap__is_refused(void **state)
{
    (void)state;
    facts_populate();
    Carillon__WindowRequest window = window_of(5);
    facts_new_key();
    facts_set_body(&window.base);
    assert_int_equal(facts_apply_fact(1, facts.facts + 2, CARILLON__METHOD__METHOD_WINDOW),
                     ERR_ARGUMENT);
    assert_int_equal(enrol_fact_newest(facts.shard[1]), facts.facts);
    assert_int_equal(facts_catalogue(1)->opens_ms, 0);
    assert_int_equal(facts_apply_fact(1, facts.facts + 1, CARILLON__METHOD__METHOD_WINDOW), OK);
    assert_false(facts.result[1].is_repeated);
    assert_int_equal(facts_catalogue(1)->opens_ms, 5);
}

/* Also what is refused in every shard was a fact: the next one follows it. */
static void fact__that_is_refused__counts(void **state)
{
    Carillon__LimitsRequest limits = CARILLON__LIMITS_REQUEST__INIT;
    (void)state;
    facts_populate();
    limits.institution = wire_text("x");
    limits.term = wire_text("t");
    limits.courses_max = 99;
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_LIMITS, &limits.base), ERR_ARGUMENT);
    limits.courses_max = 3;
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_LIMITS, &limits.base), OK);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        assert_int_equal(facts_catalogue(i)->courses_max, 3);
    }
}

/* Looked at before it becomes one, by whichever shard. */
static void fact__is_checked_by_any_shard(void **state)
{
    Carillon__RevokeRequest revoke = CARILLON__REVOKE_REQUEST__INIT;
    Carillon__WindowRequest window = window_of(5);
    uint8_t id[ENROL_TOKEN_ID_BYTES] = {1};
    (void)state;
    facts_new_key();
    facts_set_body(&window.base);
    struct enrol_entry entry = {.wall_ms = FIXTURE_WALL_MS,
                                .method = CARILLON__METHOD__METHOD_WINDOW,
                                .key = facts_key(),
                                .body = buf_slice(&facts.body)};
    assert_int_equal(enrol_fact_check(facts.shard[3], &entry, &facts.text), ERR_GONE);
    entry.key = SLICE_NONE;
    assert_int_equal(enrol_fact_check(facts.shard[3], &entry, &facts.text), ERR_ARGUMENT);
    revoke.id = (ProtobufCBinaryData){sizeof id, id};
    facts_set_body(&revoke.base);
    entry = (struct enrol_entry){.wall_ms = FIXTURE_WALL_MS,
                                 .method = CARILLON__METHOD__METHOD_REVOKE,
                                 .key = facts_key(),
                                 .body = buf_slice(&facts.body)};
    assert_int_equal(enrol_fact_check(facts.shard[3], &entry, &facts.text), OK);
    entry.method = CARILLON__METHOD__METHOD_CAP;
    assert_int_equal(enrol_fact_check(facts.shard[3], &entry, &facts.text), ERR_METHOD);
}

static void grant__is_found_in_every_shard_until_it_is_revoked(void **state)
{
    Carillon__GrantRequest grant = CARILLON__GRANT_REQUEST__INIT;
    Carillon__RevokeRequest revoke = CARILLON__REVOKE_REQUEST__INIT;
    uint8_t hash[ENROL_TOKEN_HASH_BYTES] = {1, 2, 3};
    struct enrol_token_view view;
    (void)state;
    grant.hash = (ProtobufCBinaryData){sizeof hash, hash};
    grant.role = CARILLON__ROLE__ROLE_REGISTRAR;
    grant.name = wire_text("office");
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_GRANT, &grant.base), OK);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        assert_true(enrol_token_find(facts.shard[i], hash, FIXTURE_WALL_MS, &view));
    }
    revoke.id = (ProtobufCBinaryData){ENROL_TOKEN_ID_BYTES, hash};
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_REVOKE, &revoke.base), OK);
    Carillon__RevokeReply *reply =
        carillon__revoke_reply__unpack(NULL, facts.reply.len, facts.reply.data);
    assert_int_equal(reply->revoked, 1); /* one token, known four times */
    carillon__revoke_reply__free_unpacked(reply, NULL);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        assert_false(enrol_token_find(facts.shard[i], hash, FIXTURE_WALL_MS, &view));
    }
    hash[0] = 9;
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_REVOKE, &revoke.base), ERR_GONE);
}

/* ---- snapshots */

static struct enrol *restored(uint32_t shard, struct buf *stream)
{
    struct enrol *enrol = enrol_create(&facts.shard[shard]->config);
    int rc = SM_PENDING;

    buf_clear(stream);
    assert_int_equal(enrol_snapshot_begin(facts.shard[shard]), OK);
    while (rc == SM_PENDING) {
        rc = enrol_snapshot_step(facts.shard[shard], stream);
    }
    assert_int_equal(rc, OK);
    assert_int_equal(enrol_restore_chunk(enrol, buf_slice(stream)), OK);
    assert_int_equal(enrol_restore_end(enrol), OK);
    return enrol;
}

static void snapshot__keeps_the_newest_fact_and_promises(void **state)
{
    struct enrol_staging part;
    struct facts_import import;
    struct buf stream;
    struct uuid id;
    uint64_t since_ms;
    (void)state;
    facts_populate();
    import = facts_import_begin();
    facts_new_key();
    facts_set_commit(&import, false);
    facts_prepare(1, &part);
    buf_init(&stream, 1 << 22);
    struct enrol *again = restored(1, &stream);
    assert_int_equal(enrol_hash(again), enrol_hash(facts.shard[1]));
    assert_int_equal(enrol_fact_newest(again), facts.facts);
    assert_true(enrol_prepared_import(again, 0, &id, &since_ms));
    assert_memory_equal(&id, &import.id, sizeof id);
    enrol_destroy(facts.shard[1]);
    facts.shard[1] = again;
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        if (i != 1) {
            facts_prepare(i, &part);
        }
    }
    assert_int_equal(facts_put(CARILLON__METHOD__METHOD_IMPORT_COMMIT), OK);
    buf_fini(&stream);
}

/* ---- what is made of answers to reads */

static void read_all(uint32_t method, const ProtobufCMessage *message)
{
    facts_set_body(message);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        buf_clear(&facts.result[i].reply);
        buf_clear(&facts.result[i].text);
        facts.result[i].status =
            enrol_read(facts.shard[i], method, buf_slice(&facts.body), FIXTURE_WALL_MS,
                       &facts.result[i].reply, &facts.result[i].text);
    }
}

static void catalogues__of_all_shards__count_once(void **state)
{
    Carillon__CataloguesRequest request = CARILLON__CATALOGUES_REQUEST__INIT;
    (void)state;
    facts_populate();
    read_all(CARILLON__METHOD__METHOD_CATALOGUES, &request.base);
    assert_int_equal(facts_merge(CARILLON__METHOD__METHOD_CATALOGUES), OK);
    Carillon__CataloguesReply *reply =
        carillon__catalogues_reply__unpack(NULL, facts.reply.len, facts.reply.data);
    assert_int_equal(reply->n_items, 1);
    assert_int_equal(reply->items[0]->courses, FACTS_COURSES);
    assert_int_equal(reply->items[0]->sections, FACTS_COURSES);
    carillon__catalogues_reply__free_unpacked(reply, NULL);
}

static void pages__of_all_shards__name_every_course_once(void **state)
{
    Carillon__ImportHashesRequest request = CARILLON__IMPORT_HASHES_REQUEST__INIT;
    char cursor[64] = "";
    uint32_t seen[FACTS_COURSES] = {0};
    uint32_t pages = 0;
    (void)state;
    facts_populate();
    request.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    request.institution = wire_text("x");
    request.term = wire_text("t");
    request.limit = 2;
    do {
        uint32_t shard;

        request.cursor = cursor;
        facts_set_body(&request.base);
        buf_clear(&facts.part);
        assert_int_equal(enrol_page_open(CARILLON__METHOD__METHOD_IMPORT_HASHES,
                                         buf_slice(&facts.body), FACTS_SHARDS, &shard,
                                         &facts.part),
                         OK);
        buf_clear(&facts.result[0].reply);
        assert_int_equal(enrol_read(facts.shard[shard], CARILLON__METHOD__METHOD_IMPORT_HASHES,
                                    buf_slice(&facts.part), FIXTURE_WALL_MS,
                                    &facts.result[0].reply, &facts.text),
                         OK);
        buf_clear(&facts.reply);
        assert_int_equal(enrol_page_close(CARILLON__METHOD__METHOD_IMPORT_HASHES, shard,
                                          FACTS_SHARDS, buf_slice(&facts.result[0].reply),
                                          &facts.reply),
                         OK);
        Carillon__ImportHashesReply *reply =
            carillon__import_hashes_reply__unpack(NULL, facts.reply.len, facts.reply.data);
        for (size_t i = 0; i < reply->n_names; i++) {
            for (uint32_t at = 0; at < FACTS_COURSES; at++) {
                seen[at] += strcmp(reply->names[i], facts_code(at)) == 0;
            }
        }
        assert_true(strlen(reply->next_cursor) < sizeof cursor);
        (void)memcpy(cursor, reply->next_cursor, strlen(reply->next_cursor) + 1);
        carillon__import_hashes_reply__free_unpacked(reply, NULL);
        assert_true(++pages < 20);
    } while (cursor[0] != '\0');
    for (uint32_t at = 0; at < FACTS_COURSES; at++) {
        assert_int_equal(seen[at], 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, facts_setup, facts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(fact__is_taken_by_every_shard_that_knows_the_catalogue),
        TEST(fact__that_is_not_newer__does_nothing_and_says_so),
        TEST(fact__that_leaves_a_gap__is_refused),
        TEST(fact__that_is_refused__counts),
        TEST(fact__is_checked_by_any_shard),
        TEST(grant__is_found_in_every_shard_until_it_is_revoked),
        TEST(snapshot__keeps_the_newest_fact_and_promises),
        TEST(catalogues__of_all_shards__count_once),
        TEST(pages__of_all_shards__name_every_course_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
