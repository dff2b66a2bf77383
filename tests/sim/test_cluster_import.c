/* Requests of an import whose shards have not come equally far: the table of
 * docs/spec/import.md, row by row. Each row has an import X of a body of students of its own,
 * and where it says so another one, Y, of the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "campus/import.h"
#include "enrol/staging.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum {
    SHARDS = 4,
    STUDENTS = 12,
    BODY_BYTES = 4096,
    APPLIED_MS = 300,                       /* an entry, on all nodes */
    GIVEN_UP_MS = ENROL_PREPARED_MS + 5000, /* what is prepared, at the latest */
    ROWS_MAX = 64,
    LINE_BYTES = 4096,
};

/* What a shard has seen of X and Y. */
enum state {
    NOTHING,
    OPEN,             /* X was begun, */
    CHUNK,            /* and has its first chunk, */
    PREPARED,         /* and is prepared under the key of the row's COMMIT, */
    PREPARED_ELSE,    /* or under another */
    ENDED,            /* X was begun and aborted */
    DROPPED,          /* X was begun, and then Y, */
    DROPPED_PREPARED, /* which is prepared */
    BEHIND,           /* Y alone was begun, */
    BEHIND_PREPARED,  /* and is prepared */
};

static const char *const states[] = {
    [NOTHING] = "nothing",
    [OPEN] = "open",
    [CHUNK] = "chunk",
    [PREPARED] = "prepared",
    [PREPARED_ELSE] = "prepared else",
    [ENDED] = "ended",
    [DROPPED] = "dropped",
    [DROPPED_PREPARED] = "dropped prepared",
    [BEHIND] = "behind",
    [BEHIND_PREPARED] = "behind prepared",
};

enum request { BEGIN, CHUNK_FIRST, CHUNK_SECOND, COMMIT, ABORT, REQUEST_NR };

static const char *const requests[] = {
    [BEGIN] = "BEGIN",
    [CHUNK_FIRST] = "first chunk",
    [CHUNK_SECOND] = "second chunk",
    [COMMIT] = "COMMIT",
    [ABORT] = "ABORT",
};

static const int statuses[] = {OK, ERR_UNKNOWN_IMPORT, ERR_BUSY, ERR_TIMEOUT, ERR_ARGUMENT};

struct row {
    char name[32];
    enum request request;
    enum state states[SHARDS];
    int now;         /* what is answered; */
    int later;       /* and to the same key, when nothing is prepared any more */
    uint32_t x_open; /* in which shards then, bit by bit */
    uint32_t y_open;
};

static struct row rows[ROWS_MAX];
static uint32_t row_count;

/* ---- the table */

static uint32_t word_find(const char *word, const char *const *words, size_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            return i;
        }
    }
    fail_msg("no such word: %s", word);
    return 0;
}

static int status_find(const char *word)
{
    char name[64];

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        (void)snprintf(name, sizeof name, statuses[i] == OK ? "%s" : "`%s`",
                       error_name(statuses[i]));
        if (strcmp(name, word) == 0) {
            return statuses[i];
        }
    }
    fail_msg("no such status: %s", word);
    return OK;
}

static uint32_t shards_read(const char *digits)
{
    uint32_t shards = 0;

    for (; digits[0] >= '0' && digits[0] < '0' + SHARDS; digits++) {
        shards |= 1U << (digits[0] - '0');
    }
    return shards;
}

/* The text until @mark, which goes; @rest then begins behind it. */
static const char *cut(char **rest, const char *mark)
{
    char *word = *rest;
    char *end = strstr(word, mark);

    assert_non_null(end);
    *end = '\0';
    *rest = end + strlen(mark);
    return word;
}

static void row_read(char *line)
{
    struct row *row = &rows[row_count++];

    assert_true(row_count <= ROWS_MAX);
    line += strlen("| ");
    (void)snprintf(row->name, sizeof row->name, "%.31s", cut(&line, " | "));
    row->request = word_find(cut(&line, " | "), requests, REQUEST_NR);
    for (uint32_t i = 0; i < SHARDS; i++) {
        row->states[i] = word_find(cut(&line, i + 1 < SHARDS ? ", " : " | "), states,
                                   sizeof states / sizeof states[0]);
    }
    row->now = status_find(cut(&line, " | "));
    row->later = status_find(cut(&line, " | "));
    row->x_open = shards_read(cut(&line, " | "));
    row->y_open = shards_read(cut(&line, " |"));
}

static int table_read(void **state)
{
    FILE *file = fopen(SOURCE_FOLDER "/docs/spec/import.md", "r");
    char line[LINE_BYTES];
    bool is_there = false;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL && strncmp(line, "## Cases", 8) != 0) {
        is_there = is_there || strncmp(line, "## Where shards", 15) == 0;
        if (is_there && line[0] == '|' && strchr(line, '.') != NULL) {
            row_read(line);
        }
    }
    assert_int_equal(fclose(file), 0);
    assert_true(row_count > REQUEST_NR);
    return 0;
}

static uint64_t sometimes[SOMETIMES_NR];
static struct node_world world;
static struct buf body;
static struct buf part;

/* ---- imports */

struct import {
    char institution[16];
    struct carillon_key id;
    struct carillon_key keys[REQUEST_NR]; /* of each request */
};

static void import_make(struct import *import, const char *institution)
{
    (void)snprintf(import->institution, sizeof import->institution, "%s", institution);
    import->id = carillon_key_make(node_world_client(&world));
    for (uint32_t i = 0; i < REQUEST_NR; i++) {
        import->keys[i] = carillon_key_make(node_world_client(&world));
    }
}

static uint32_t method_of(enum request request)
{
    return request == BEGIN    ? CARILLON__METHOD__METHOD_IMPORT_BEGIN
           : request == COMMIT ? CARILLON__METHOD__METHOD_IMPORT_COMMIT
           : request == ABORT  ? CARILLON__METHOD__METHOD_IMPORT_ABORT
                               : CARILLON__METHOD__METHOD_IMPORT_CHUNK;
}

static void pack_chunk(const struct import *import, uint32_t sequence)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Student students[STUDENTS];
    Carillon__Student *list[STUDENTS];
    char tokens[STUDENTS][32];

    for (uint32_t i = 0; i < STUDENTS; i++) {
        carillon__student__init(&students[i]);
        (void)snprintf(tokens[i], sizeof tokens[i], "%s-%u-%u", import->institution, sequence,
                       i);
        students[i].token = tokens[i];
        students[i].name = tokens[i];
        list[i] = &students[i];
    }
    chunk.import_id = wire_binary(slice_from(import->id.bytes, UUID_BYTES));
    chunk.sequence = sequence;
    chunk.students = list;
    chunk.n_students = STUDENTS;
    assert_int_equal(wire_pack(&chunk.base, &body), OK);
}

/* The request's bytes are then in body. */
static void pack(const struct import *import, enum request request)
{
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    Carillon__ImportAbortRequest abort = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    ProtobufCBinaryData id = {UUID_BYTES, (uint8_t *)import->id.bytes};

    buf_clear(&body);
    begin.kind = CARILLON__IMPORT_KIND__IMPORT_STUDENTS;
    begin.institution = (char *)import->institution;
    begin.import_id = commit.import_id = abort.import_id = id;
    commit.chunks = 1;
    if (request == CHUNK_FIRST || request == CHUNK_SECOND) {
        pack_chunk(import, request == CHUNK_SECOND);
    } else {
        assert_int_equal(wire_pack(request == BEGIN    ? &begin.base
                                   : request == COMMIT ? &commit.base
                                                       : &abort.base,
                                   &body),
                         OK);
    }
}

/* ---- one shard alone, as it is when others were not reached */

static struct shard *shard_of(uint32_t number)
{
    struct node *const nodes[] = {world.node, world.replicas[0].node, world.replicas[1].node};

    for (uint32_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        if (nodes[i] != NULL && nodes[i]->shards[number].is_leading) {
            return &nodes[i]->shards[number];
        }
    }
    fail_msg("nobody leads shard %u", number);
    return NULL;
}

static void put(uint32_t number, const struct import *import, enum request request)
{
    const struct carillon_key *key = &import->keys[request];

    pack(import, request);
    buf_clear(&part);
    if (request == CHUNK_FIRST) {
        assert_int_equal(enrol_chunk_split(buf_slice(&body), SHARDS, number, &part), OK);
    } else {
        assert_int_equal(buf_append_slice(&part, buf_slice(&body)), OK);
    }
    assert_int_equal(node__entry_propose(shard_of(number), method_of(request),
                                         slice_from(key->bytes, UUID_BYTES), buf_slice(&part)),
                     OK);
}

static void prepare(uint32_t number, const struct import *import,
                    const struct carillon_key *key)
{
    pack(import, COMMIT);
    buf_clear(&part);
    assert_int_equal(
        enrol_staging_ask(slice_from(key->bytes, UUID_BYTES), buf_slice(&body), &part), OK);
    assert_int_equal(node__entry_propose(shard_of(number), ENROL_ENTRY_PREPARE, SLICE_NONE,
                                         buf_slice(&part)),
                     OK);
}

static void begin_prepared(uint32_t number, const struct import *import,
                           const struct carillon_key *key)
{
    put(number, import, BEGIN);
    put(number, import, CHUNK_FIRST);
    prepare(number, import, key);
}

static void bring_to(uint32_t number, enum state state, const struct import *x,
                     const struct import *y)
{
    if (state != NOTHING && state < BEHIND && state != PREPARED && state != PREPARED_ELSE) {
        put(number, x, BEGIN);
    }
    switch (state) {
    case NOTHING:
    case OPEN:
        break;
    case CHUNK:
        put(number, x, CHUNK_FIRST);
        break;
    case PREPARED:
        begin_prepared(number, x, &x->keys[COMMIT]);
        break;
    case PREPARED_ELSE:
        begin_prepared(number, x, &y->keys[COMMIT]);
        break;
    case ENDED:
        put(number, x, ABORT);
        break;
    case DROPPED:
    case BEHIND:
        put(number, y, BEGIN);
        break;
    case DROPPED_PREPARED:
    case BEHIND_PREPARED:
        begin_prepared(number, y, &y->keys[COMMIT]);
        break;
    }
}

static uint32_t open_in(const struct import *import)
{
    struct uuid id;
    uint32_t open = 0;

    memcpy(id.bytes, import->id.bytes, UUID_BYTES);
    for (uint32_t i = 0; i < SHARDS; i++) {
        open |= campus_import_find(enrol_campus(shard_of(i)->enrol), &id) != NULL ? 1U << i : 0;
    }
    return open;
}

/* ---- the cluster */

struct asked {
    bool is_done;
    int status;
    uint64_t hash; /* of the reply */
};

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct asked *asked = context;

    asked->is_done = true;
    asked->status = reply->status;
    asked->hash = hash_bytes(reply->body, reply->body_bytes);
}

static void send(struct asked *asked, const struct import *import, enum request request,
                 const struct carillon_key *key)
{
    struct carillon_client *client = node_world_client(&world);

    pack(import, request);
    struct carillon_call call = {.method = method_of(request),
                                 .key = key,
                                 .body = body.data,
                                 .body_bytes = body.len,
                                 .done = on_done,
                                 .context = asked};
    assert_int_equal(carillon_submit_call(client, &call), OK);
    carillon_flush(client);
}

static void await(const struct asked *asked)
{
    while (!asked->is_done && node_world_step(&world)) {
    }
    assert_true(asked->is_done);
}

static struct asked ask(const struct import *import, enum request request,
                        const struct carillon_key *key)
{
    struct asked asked = {.is_done = false};

    send(&asked, import, request, key);
    await(&asked);
    return asked;
}

static void expect_status(const struct row *row, const char *when, int status, int expected)
{
    if (status != expected) {
        fail_msg("%s: %s instead of %s %s", row->name, error_name(status), error_name(expected),
                 when);
    }
}

static void expect_row(const struct row *row, uint32_t number)
{
    struct import x;
    struct import y;
    char institution[16];
    bool is_over = true;

    (void)snprintf(institution, sizeof institution, "body%u", number);
    import_make(&x, institution);
    import_make(&y, institution);
    for (uint32_t i = 0; i < SHARDS; i++) {
        bring_to(i, row->states[i], &x, &y);
        is_over = is_over && row->states[i] != PREPARED && row->states[i] != PREPARED_ELSE &&
                  row->states[i] != DROPPED_PREPARED && row->states[i] != BEHIND_PREPARED;
    }
    node_world_run_ms(&world, APPLIED_MS);
    struct asked now = ask(&x, row->request, &x.keys[row->request]);

    expect_status(row, "at first", now.status, row->now);
    if (!is_over) {
        node_world_run_ms(&world, GIVEN_UP_MS);
    }
    struct asked later = ask(&x, row->request, &x.keys[row->request]);

    expect_status(row, "later", later.status, row->later);
    if (now.status == OK) {
        assert_true(now.hash == later.hash);
    }
    node_world_run_ms(&world, APPLIED_MS);
    if (open_in(&x) != row->x_open || open_in(&y) != row->y_open) {
        fail_msg("%s: X is open in %x and Y in %x instead of %x and %x", row->name, open_in(&x),
                 open_in(&y), row->x_open, row->y_open);
    }
}

static void begin_world(uint64_t seed, uint32_t replicas)
{
    node_world_init(&world, seed, NULL, sometimes);
    world.config.shards = SHARDS;
    world.retry_never = true;
    node_world_replicas(&world, replicas);
    if (replicas > 0) { /* asked is one that does not lead all */
        world.doors[0] = world.doors[1] = "10.0.1.1:7440";
    }
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    node_world_run_ms(&world, 5000);
    buf_init(&body, BODY_BYTES);
    buf_init(&part, BODY_BYTES);
}

static void end_world(void)
{
    assert_string_equal(world.violation, "");
    buf_fini(&body);
    buf_fini(&part);
    node_world_fini(&world);
}

static void expect_rows(uint64_t seed, uint32_t replicas)
{
    begin_world(seed, replicas);
    for (uint32_t i = 0; i < row_count; i++) {
        expect_row(&rows[i], i);
    }
    end_world();
}

static void import__whose_shards_differ__is_answered_by_the_table(void **state)
{
    (void)state;
    expect_rows(1, 0);
}

static void import__whose_shards_differ__is_answered_so_by_any_node(void **state)
{
    (void)state;
    expect_rows(2, 2);
}

/* One whose beginning was not heard everywhere, and a later one that went all its way. */
static void import__begun_in_some__is_over_when_a_later_one_was_committed(void **state)
{
    struct import x;
    struct import y;

    (void)state;
    begin_world(3, 0);
    import_make(&x, "body");
    import_make(&y, "body");
    for (uint32_t i = 0; i + 1 < SHARDS; i++) {
        put(i, &x, BEGIN);
    }
    node_world_run_ms(&world, APPLIED_MS);
    assert_int_equal(ask(&y, BEGIN, &y.keys[BEGIN]).status, OK);
    assert_int_equal(ask(&y, CHUNK_FIRST, &y.keys[CHUNK_FIRST]).status, OK);
    assert_int_equal(ask(&y, COMMIT, &y.keys[COMMIT]).status, OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&x, BEGIN, &x.keys[BEGIN]).status, ERR_UNKNOWN_IMPORT);
        assert_int_equal(ask(&x, CHUNK_FIRST, &x.keys[CHUNK_FIRST]).status, ERR_UNKNOWN_IMPORT);
        assert_int_equal(ask(&x, COMMIT, &x.keys[COMMIT]).status, ERR_UNKNOWN_IMPORT);
        assert_int_equal(ask(&x, ABORT, &x.keys[ABORT]).status, OK);
        assert_int_equal(ask(&y, COMMIT, &y.keys[COMMIT]).status, OK);
    }
    assert_int_equal(open_in(&x), 0);
    end_world();
}

/* As many facts as group 0 keeps, which the last shard does not come to copy. */
static void fill_with_facts(struct shard *late)
{
    struct import nobodys;

    late->fact_proposed = UINT64_MAX; /* as if one were on its way */
    for (uint32_t i = 0; i < META_FACTS_MAX; i++) {
        struct meta_entry entry = {.kind = META_FACT};
        uint64_t index;

        import_make(&nobodys, "none");
        pack(&nobodys, ABORT);
        entry.fact.method = CARILLON__METHOD__METHOD_IMPORT_ABORT;
        entry.fact.key = slice_from(nobodys.keys[ABORT].bytes, UUID_BYTES);
        entry.fact.body = buf_slice(&body);
        assert_int_equal(node__meta_propose(world.node, &entry, &index), OK);
        node_world_run_ms(&world, APPLIED_MS);
    }
    assert_int_equal(world.node->meta.fact_count, META_FACTS_MAX);
}

/* Group 0 has no room for its end, when all shards are prepared: that is no time to say no. */
static void import__that_is_prepared__is_answered_when_group_0_has_room(void **state)
{
    struct import x;
    struct asked asked = {.is_done = false};

    (void)state;
    begin_world(4, 0);
    import_make(&x, "body");
    assert_int_equal(ask(&x, BEGIN, &x.keys[BEGIN]).status, OK);
    assert_int_equal(ask(&x, CHUNK_FIRST, &x.keys[CHUNK_FIRST]).status, OK);
    fill_with_facts(&world.node->shards[SHARDS - 1]);
    send(&asked, &x, COMMIT, &x.keys[COMMIT]);
    node_world_run_ms(&world, ENROL_PREPARED_MS / 4);
    assert_false(asked.is_done);
    assert_int_equal(open_in(&x), (1U << SHARDS) - 1);
    world.node->shards[SHARDS - 1].fact_proposed = 0;
    await(&asked);
    assert_int_equal(asked.status, OK);
    assert_int_equal(open_in(&x), 0);
    end_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import__whose_shards_differ__is_answered_by_the_table),
        cmocka_unit_test(import__whose_shards_differ__is_answered_so_by_any_node),
        cmocka_unit_test(import__begun_in_some__is_over_when_a_later_one_was_committed),
        cmocka_unit_test(import__that_is_prepared__is_answered_when_group_0_has_room),
    };
    return cmocka_run_group_tests(tests, table_read, NULL);
}
