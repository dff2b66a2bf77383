/* Imports over several shards: all of it or nothing, in every shard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/facts_bed.h"
#include "wire/message.h"

static void import__over_shards__lies_where_its_keys_are(void **state)
{
    struct facts_import import;
    (void)state;
    import = facts_import_begin();
    assert_int_equal(facts_import_chunk(&import, 0, FACTS_COURSES / 2, 0, 0), OK);
    assert_int_equal(facts_import_chunk(&import, FACTS_COURSES / 2, FACTS_COURSES, 0, 0), OK);
    assert_int_equal(facts_offered(), 0);
    assert_int_equal(facts_import_commit(&import, false), OK);
    assert_int_equal(facts_offered(), FACTS_COURSES);
    for (uint32_t i = 0; i < FACTS_COURSES; i++) {
        struct slice code = slice_from_text(facts_code(i));
        const struct campus *campus =
            enrol_campus(facts.shard[campus_shard_of(code, FACTS_SHARDS)]);
        struct campus_name name = {.code = code};
        uint32_t course;

        assert_int_equal(campus_resolve_course(campus, &name, &course), OK);
    }
    Carillon__ImportCommitReply *reply =
        carillon__import_commit_reply__unpack(NULL, facts.reply.len, facts.reply.data);
    assert_non_null(reply);
    assert_int_equal(reply->added, FACTS_COURSES);
    assert_int_equal(reply->total, FACTS_COURSES);
    assert_int_equal(reply->receipt->group, 0);
    assert_int_equal(reply->receipt->index, facts.facts);
    carillon__import_commit_reply__free_unpacked(reply, NULL);
}

static void import__of_anothers_record__is_refused_by_the_shard(void **state)
{
    struct facts_import import = facts_import_begin();
    Carillon__ImportChunkRequest message = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course course = CARILLON__COURSE__INIT;
    Carillon__Course *list[1] = {&course};
    (void)state;
    message.import_id = wire_binary(slice_from(import.id.bytes, UUID_BYTES));
    message.courses = list;
    message.n_courses = 1;
    course.code = wire_text("C0");
    course.title = wire_text("Sums");
    facts_new_key();
    facts_set_body(&message.base);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        assert_int_equal(
            facts_apply(i, CARILLON__METHOD__METHOD_IMPORT_CHUNK, facts_key(),
                        buf_slice(&facts.body)),
            campus_shard_of(SLICE_LITERAL("C0"), FACTS_SHARDS) == i ? OK : ERR_ARGUMENT);
    }
}

/* More than half is judged over all shards: all of one shard may go, and half of each may not.
 */
static void import__that_removes_too_much__is_refused_as_a_whole(void **state)
{
    struct facts_import import;
    (void)state;
    facts_populate();
    import = facts_import_begin();
    assert_int_equal(facts_import_chunk(&import, 0, 0, 0, FACTS_COURSES / 2 + 1), OK);
    assert_int_equal(facts_import_commit(&import, false), ERR_SHRINK);
    assert_int_equal(facts_offered(), FACTS_COURSES);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) { /* it stays open, and is nobody's secret */
        struct uuid id;
        uint64_t since_ms;

        assert_true(enrol_open_import(facts.shard[i], 0, &id));
        assert_false(enrol_prepared_import(facts.shard[i], 0, &id, &since_ms));
    }
    assert_int_equal(facts_import_commit(&import, true), OK);
    assert_int_equal(facts_offered(), FACTS_COURSES / 2 - 1);
}

static void import__that_removes_half__is_taken_whatever_one_shard_loses(void **state)
{
    struct facts_import import;
    bool has_lost_most = false;
    (void)state;
    facts_populate();
    uint64_t before[FACTS_SHARDS];
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        before[i] = enrol_campus(facts.shard[i])->course_count;
    }
    import = facts_import_begin();
    assert_int_equal(facts_import_chunk(&import, 0, 0, 0, FACTS_COURSES / 2), OK);
    assert_int_equal(facts_import_commit(&import, false), OK);
    assert_int_equal(facts_offered(), FACTS_COURSES / 2);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        has_lost_most =
            has_lost_most || enrol_campus(facts.shard[i])->course_count * 2 < before[i];
    }
    assert_true(has_lost_most);
}

/* ---- prepared */

static void prepared__import__is_ended_by_facts_alone(void **state)
{
    struct facts_import import = facts_import_begin();
    struct enrol_staging part;
    struct uuid id;
    uint64_t since_ms;
    Carillon__ImportAbortRequest abort = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    (void)state;
    assert_int_equal(facts_import_chunk(&import, 0, 1, 0, 0), OK);
    facts_new_key();
    facts_set_commit(&import, false);
    facts_prepare(0, &part);
    assert_true(part.is_prepared);
    assert_true(enrol_prepared_import(facts.shard[0], 0, &id, &since_ms));
    assert_int_equal(since_ms, FIXTURE_WALL_MS);
    assert_false(enrol_open_import(facts.shard[0], 0, &id)); /* no restart ends it */
    facts_new_key();
    assert_int_equal(facts_apply(0, CARILLON__METHOD__METHOD_IMPORT_COMMIT, facts_key(),
                                 buf_slice(&facts.body)),
                     ERR_BUSY);
    abort.import_id = wire_binary(slice_from(import.id.bytes, UUID_BYTES));
    facts_new_key();
    facts_set_body(&abort.base);
    assert_int_equal(facts_apply(0, CARILLON__METHOD__METHOD_IMPORT_ABORT, facts_key(),
                                 buf_slice(&facts.body)),
                     ERR_BUSY);
    struct facts_import newer = import;
    facts_new_key();
    newer.id = facts.key;
    Carillon__ImportBeginRequest message = facts_begin_message(&newer);
    facts_new_key();
    facts_set_body(&message.base);
    assert_int_equal(facts_apply(0, CARILLON__METHOD__METHOD_IMPORT_BEGIN, facts_key(),
                                 buf_slice(&facts.body)),
                     ERR_BUSY);
    facts_new_key();
    assert_int_equal(facts_import_chunk(&import, 1, 2, 0, 0), ERR_ARGUMENT);
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort.base), OK);
    assert_false(enrol_prepared_import(facts.shard[0], 0, &id, &since_ms));
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        assert_false(enrol_open_import(facts.shard[i], 0, &id));
    }
}

static int apply_again(uint32_t method, const struct uuid *key, const ProtobufCMessage *message)
{
    facts_set_body(message);
    return facts_apply(0, method, slice_from(key->bytes, UUID_BYTES), buf_slice(&facts.body));
}

/* What is prepared stands in the way of others for a while only. */
static void prepared__import__keeps_no_answer_for_those_it_turned_away(void **state)
{
    struct facts_import import = facts_import_begin();
    struct enrol_staging part;
    Carillon__ImportAbortRequest abort = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    (void)state;
    facts_new_key();
    facts_set_commit(&import, false);
    facts_prepare(0, &part);
    struct facts_import newer = import;
    facts_new_key();
    newer.id = facts.key;
    Carillon__ImportBeginRequest begin = facts_begin_message(&newer);
    facts_new_key();
    struct uuid begin_key = facts.key;
    facts_new_key();
    struct uuid abort_key = facts.key;
    abort.import_id = wire_binary(slice_from(import.id.bytes, UUID_BYTES));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(apply_again(CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin_key,
                                     &begin.base),
                         ERR_BUSY);
        assert_int_equal(apply_again(CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort_key,
                                     &abort.base),
                         ERR_BUSY);
        assert_false(facts.result[0].is_repeated);
    }
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort.base), OK);
    assert_int_equal(
        apply_again(CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin_key, &begin.base), OK);
    assert_false(facts.result[0].is_repeated);
    assert_int_equal(
        apply_again(CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort_key, &abort.base), OK);
}

/* A shard that has not promised commits nothing: so none may, and the fact is not made. */
static void commit__without_a_promise__makes_nothing_visible(void **state)
{
    struct facts_import import = facts_import_begin();
    (void)state;
    assert_int_equal(facts_import_chunk(&import, 0, FACTS_COURSES, 0, 0), OK);
    facts_new_key();
    facts_set_commit(&import, false);
    assert_int_equal(facts_put(CARILLON__METHOD__METHOD_IMPORT_COMMIT), ERR_UNKNOWN_IMPORT);
    assert_int_equal(facts_offered(), 0);
}

static void commit__promised_to_another__makes_nothing_visible(void **state)
{
    struct facts_import import = facts_import_begin();
    struct enrol_staging part;
    struct enrol_staging parts[FACTS_SHARDS];
    (void)state;
    assert_int_equal(facts_import_chunk(&import, 0, FACTS_COURSES, 0, 0), OK);
    facts_new_key();
    facts_set_commit(&import, false);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        facts_prepare(i, &part);
    }
    facts_new_key();
    facts_ask_all(parts);
    assert_int_equal(
        enrol_staging_judge(parts, FACTS_SHARDS, buf_slice(&facts.body), &facts.text).next,
        ENROL_STAGING_REFUSE);
    assert_int_equal(facts_put(CARILLON__METHOD__METHOD_IMPORT_COMMIT), ERR_UNKNOWN_IMPORT);
    assert_int_equal(facts_offered(), 0);
}

static void commit__asked_for_again__comes_to_the_same(void **state)
{
    struct facts_import import = facts_import_begin();
    (void)state;
    assert_int_equal(facts_import_chunk(&import, 0, FACTS_COURSES, 0, 0), OK);
    assert_int_equal(facts_import_commit(&import, false), OK);
    facts_set_commit(&import, false);
    struct buf first;
    buf_init(&first, 1 << 16);
    assert_int_equal(buf_append_slice(&first, buf_slice(&facts.reply)), OK);
    assert_int_equal(facts_commit(), OK); /* the same key */
    assert_true(facts.result[1].is_repeated);
    assert_true(slice_is_equal(buf_slice(&first), buf_slice(&facts.reply))); /* its receipt */
    buf_fini(&first);
    assert_int_equal(facts_offered(), FACTS_COURSES);
    facts_new_key();
    assert_int_equal(facts_commit(), ERR_UNKNOWN_IMPORT);
}

/* A shard that has lost the import (its node restarted) makes the whole end, before and after
 * some have promised. */
static void commit__where_one_shard_has_lost_it__ends_it_everywhere(void **state)
{
    struct facts_import import = facts_import_begin();
    struct enrol_staging parts[FACTS_SHARDS];
    Carillon__ImportAbortRequest abort = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    (void)state;
    assert_int_equal(facts_import_chunk(&import, 0, FACTS_COURSES, 0, 0), OK);
    abort.import_id = wire_binary(slice_from(import.id.bytes, UUID_BYTES));
    facts_new_key();
    facts_set_body(&abort.base);
    assert_int_equal(facts_apply(2, CARILLON__METHOD__METHOD_IMPORT_ABORT, facts_key(),
                                 buf_slice(&facts.body)),
                     OK);
    facts_new_key();
    facts_set_commit(&import, false);
    facts_ask_all(parts);
    struct enrol_staging_verdict verdict =
        enrol_staging_judge(parts, FACTS_SHARDS, buf_slice(&facts.body), &facts.text);
    assert_int_equal(verdict.next, ENROL_STAGING_REFUSE);
    assert_int_equal(verdict.status, ERR_UNKNOWN_IMPORT);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        facts_prepare(i, &parts[i]);
    }
    verdict = enrol_staging_decide(parts, FACTS_SHARDS, &facts.text);
    assert_int_equal(verdict.next, ENROL_STAGING_ABORT);
    assert_int_equal(verdict.status, ERR_UNKNOWN_IMPORT);
    facts_ask_all(parts); /* somebody else looks, before the fact */
    assert_int_equal(
        enrol_staging_judge(parts, FACTS_SHARDS, buf_slice(&facts.body), &facts.text).next,
        ENROL_STAGING_ABORT);
    assert_int_equal(facts_put_of(CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort.base), OK);
    assert_int_equal(facts_offered(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, facts_setup, facts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(import__over_shards__lies_where_its_keys_are),
        TEST(import__of_anothers_record__is_refused_by_the_shard),
        TEST(import__that_removes_too_much__is_refused_as_a_whole),
        TEST(import__that_removes_half__is_taken_whatever_one_shard_loses),
        TEST(prepared__import__is_ended_by_facts_alone),
        TEST(prepared__import__keeps_no_answer_for_those_it_turned_away),
        TEST(commit__without_a_promise__makes_nothing_visible),
        TEST(commit__promised_to_another__makes_nothing_visible),
        TEST(commit__asked_for_again__comes_to_the_same),
        TEST(commit__where_one_shard_has_lost_it__ends_it_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
