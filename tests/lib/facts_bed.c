/* The shards of a cluster without nodes: entries are applied as they come. */
#include "tests/lib/facts_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/lib/campus_fixture.h"
#include "wire/message.h"

enum { BYTES_MAX = 1 << 16, TEXT_MAX = 512 };

struct facts_bed facts;

int facts_setup(void **state)
{
    (void)state;
    facts = (struct facts_bed){0};
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        facts.shard[i] = enrol_create(&(struct enrol_config){
            .memory_bytes_max = 1ULL << 30, .group = i + 1, .shards = FACTS_SHARDS});
        enrol_result_init(&facts.result[i]);
    }
    arena_init(&facts.scratch, 1 << 24);
    buf_init(&facts.body, BYTES_MAX);
    buf_init(&facts.part, BYTES_MAX);
    buf_init(&facts.reply, BYTES_MAX);
    buf_init(&facts.text, TEXT_MAX);
    return 0;
}

int facts_teardown(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        enrol_destroy(facts.shard[i]);
        enrol_result_fini(&facts.result[i]);
    }
    arena_fini(&facts.scratch);
    buf_fini(&facts.body);
    buf_fini(&facts.part);
    buf_fini(&facts.reply);
    buf_fini(&facts.text);
    return 0;
}

struct slice facts_key(void)
{
    return slice_from(facts.key.bytes, UUID_BYTES);
}

void facts_new_key(void)
{
    uint8_t random[10] = {0};
    uint64_t number = hash_u64(++facts.keys);

    memcpy(random, &number, sizeof number);
    facts.key = uuid_make(FIXTURE_WALL_MS, random);
}

/* One entry in one shard, admitted first. Returns: the status. */
int facts_apply(uint32_t shard, uint32_t method, struct slice entry_key, struct slice body)
{
    struct enrol_entry entry = {
        .index = facts.index[shard] + 1,
        .term = 1,
        .wall_ms = FIXTURE_WALL_MS,
        .method = method,
        .key = entry_key,
        .body = body,
        .hint = ENROL_HINT_NONE,
    };

    facts.index[shard]++;
    enrol_apply(facts.shard[shard], &entry, &facts.result[shard]);
    return facts.result[shard].status;
}

int facts_merge(uint32_t method)
{
    struct enrol_merge_part parts[FACTS_SHARDS];

    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        parts[i] =
            (struct enrol_merge_part){facts.result[i].status, buf_slice(&facts.result[i].text),
                                      buf_slice(&facts.result[i].reply)};
    }
    buf_clear(&facts.reply);
    buf_clear(&facts.text);
    return enrol_merge(
        &(struct enrol_merge){
            .method = method,
            .count = FACTS_SHARDS,
            .parts = parts,
        },
        &facts.scratch, &facts.reply, &facts.text);
}

void facts_set_body(const ProtobufCMessage *message)
{
    buf_clear(&facts.body);
    assert_int_equal(wire_pack(message, &facts.body), OK);
}

/* One fact in one shard. */
int facts_apply_fact(uint32_t shard, uint64_t number, uint32_t method)
{
    const struct enrol_fact fact = {.number = number,
                                    .wall_ms = FIXTURE_WALL_MS,
                                    .term = 7,
                                    .index = number,
                                    .method = method,
                                    .body = buf_slice(&facts.body)};
    struct enrol_entry entry = {
        .wall_ms = FIXTURE_WALL_MS, .method = ENROL_ENTRY_FACT, .key = facts_key()};

    buf_clear(&facts.part);
    assert_int_equal(enrol_fact_pack(&fact, &facts.part), OK);
    entry.body = buf_slice(&facts.part);
    buf_clear(&facts.text);
    int rc = enrol_admit(facts.shard[shard], &entry, &facts.text);

    assert_int_equal(rc, number > enrol_fact_newest(facts.shard[shard]) ? OK : ERR_EXISTS);
    return facts_apply(shard, ENROL_ENTRY_FACT, facts_key(), buf_slice(&facts.part));
}

/* The request of @facts.key as the next fact, in every shard. Returns: what the client hears.
 */
int facts_put(uint32_t method)
{
    facts.facts++;
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        (void)facts_apply_fact(i, facts.facts, method);
    }
    return facts_merge(method);
}

int facts_put_of(uint32_t method, const ProtobufCMessage *message)
{
    facts_new_key();
    facts_set_body(message);
    return facts_put(method);
}

/* The same bytes in every shard, as an entry of a method. */
int facts_every_of(uint32_t method, const ProtobufCMessage *message)
{
    facts_new_key();
    facts_set_body(message);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        (void)facts_apply(i, method, facts_key(), buf_slice(&facts.body));
    }
    return facts_merge(method);
}

/* ---- imports */

Carillon__ImportBeginRequest facts_begin_message(const struct facts_import *import)
{
    Carillon__ImportBeginRequest message = CARILLON__IMPORT_BEGIN_REQUEST__INIT;

    message.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    message.institution = wire_text("x");
    message.term = wire_text("t");
    message.import_id = wire_binary(slice_from(import->id.bytes, UUID_BYTES));
    return message;
}

struct facts_import facts_import_begin(void)
{
    struct facts_import import = {.chunks = 0};

    facts_new_key();
    import.id = facts.key;
    Carillon__ImportBeginRequest message = facts_begin_message(&import);

    assert_int_equal(facts_every_of(CARILLON__METHOD__METHOD_IMPORT_BEGIN, &message.base), OK);
    return import;
}

const char *facts_code(uint32_t number)
{
    static char codes[FACTS_COURSES][8];

    (void)snprintf(codes[number], sizeof codes[number], "C%u", number);
    return codes[number];
}

/* Courses from @from to below @to staged, those from @gone_from to below @gone_to removed, in
 * every shard its own. */
int facts_import_chunk(struct facts_import *import, uint32_t from, uint32_t to,
                       uint32_t gone_from, uint32_t gone_to)
{
    Carillon__ImportChunkRequest message = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course courses[FACTS_COURSES];
    Carillon__Course *list[FACTS_COURSES];
    char *removed[FACTS_COURSES];

    message.import_id = wire_binary(slice_from(import->id.bytes, UUID_BYTES));
    message.sequence = import->chunks;
    message.courses = list;
    message.removed = removed;
    for (uint32_t i = from; i < to; i++) {
        carillon__course__init(&courses[i]);
        courses[i].code = wire_text(facts_code(i));
        courses[i].title = wire_text("Sums");
        list[message.n_courses++] = &courses[i];
    }
    for (uint32_t i = gone_from; i < gone_to; i++) {
        removed[message.n_removed++] = wire_text(facts_code(i));
    }
    facts_new_key();
    facts_set_body(&message.base);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        buf_clear(&facts.part);
        assert_int_equal(
            enrol_chunk_split(buf_slice(&facts.body), FACTS_SHARDS, i, &facts.part), OK);
        (void)facts_apply(i, CARILLON__METHOD__METHOD_IMPORT_CHUNK, facts_key(),
                          buf_slice(&facts.part));
    }
    int rc = facts_merge(CARILLON__METHOD__METHOD_IMPORT_CHUNK);

    import->chunks += rc == OK ? 1 : 0;
    return rc;
}

void facts_set_commit(const struct facts_import *import, bool force)
{
    Carillon__ImportCommitRequest message = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    message.import_id = wire_binary(slice_from(import->id.bytes, UUID_BYTES));
    message.chunks = import->chunks;
    message.force = force;
    facts_set_body(&message.base);
}

void facts_ask_all(struct enrol_staging *parts)
{
    buf_clear(&facts.part);
    assert_int_equal(enrol_staging_ask(facts_key(), buf_slice(&facts.body), &facts.part), OK);
    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        buf_clear(&facts.reply);
        assert_int_equal(enrol_read(facts.shard[i], ENROL_READ_IMPORT, buf_slice(&facts.part),
                                    FIXTURE_WALL_MS, &facts.reply, &facts.text),
                         OK);
        assert_int_equal(enrol_staging_unpack(buf_slice(&facts.reply), &parts[i]), OK);
    }
}

void facts_prepare(uint32_t shard, struct enrol_staging *part)
{
    buf_clear(&facts.part);
    assert_int_equal(enrol_staging_ask(facts_key(), buf_slice(&facts.body), &facts.part), OK);
    struct enrol_entry entry = {.wall_ms = FIXTURE_WALL_MS,
                                .method = ENROL_ENTRY_PREPARE,
                                .body = buf_slice(&facts.part)};

    assert_int_equal(enrol_admit(facts.shard[shard], &entry, &facts.text), OK);
    assert_int_equal(
        facts_apply(shard, ENROL_ENTRY_PREPARE, SLICE_NONE, buf_slice(&facts.part)), OK);
    assert_int_equal(enrol_staging_unpack(buf_slice(&facts.result[shard].reply), part), OK);
}

/* As a node does it, for the request of @facts.key in @facts.body. Returns: what the client
 * hears. */
int facts_commit(void)
{
    struct enrol_staging parts[FACTS_SHARDS];

    facts_ask_all(parts);
    buf_clear(&facts.text);
    struct enrol_staging_verdict verdict =
        enrol_staging_judge(parts, FACTS_SHARDS, buf_slice(&facts.body), &facts.text);

    if (verdict.next == ENROL_STAGING_PREPARE) {
        for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
            facts_prepare(i, &parts[i]);
        }
        verdict = enrol_staging_decide(parts, FACTS_SHARDS, &facts.text);
    }
    return verdict.next == ENROL_STAGING_FACT
               ? facts_put(CARILLON__METHOD__METHOD_IMPORT_COMMIT)
               : verdict.status;
}

int facts_import_commit(const struct facts_import *import, bool force)
{
    facts_new_key();
    facts_set_commit(import, force);
    return facts_commit();
}

uint64_t facts_offered(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < FACTS_SHARDS; i++) {
        count += enrol_campus(facts.shard[i])->course_count;
    }
    return count;
}

void facts_populate(void)
{
    struct facts_import import = facts_import_begin();

    assert_int_equal(facts_import_chunk(&import, 0, FACTS_COURSES / 2, 0, 0), OK);
    assert_int_equal(facts_import_chunk(&import, FACTS_COURSES / 2, FACTS_COURSES, 0, 0), OK);
    assert_int_equal(facts_import_commit(&import, false), OK);
}

const struct campus_catalogue *facts_catalogue(uint32_t shard)
{
    const struct campus *campus = enrol_campus(facts.shard[shard]);

    return campus_catalogue(
        campus, campus_catalogue_find(campus, SLICE_LITERAL("x"), SLICE_LITERAL("t")));
}
