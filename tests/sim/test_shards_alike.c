/* A quiet world of several shards answers every request as one shard does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "campus/shard.h"
#include "enrol/across_entry.h"
#include "enrol/merge.h"
#include "enrol/route.h"
#include "proto/envelope.pb-c.h"
#include "proto/registration.pb-c.h"
#include "proto/search.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

enum { SEEDS = 100, REQUESTS = 60, OPS_MAX = 4, TEXT_BYTES = 4096 };
enum { UNKNOWING = 6 }; /* a course whose rule names one that is not there */

static struct shards_world *world;
static uint32_t accepted;
static uint32_t refused;
static uint32_t permitted;
static uint32_t ticked;

static int make_world(void **state)
{
    (void)state;
    world = shards_world_create();
    return 0;
}

static int drop_world(void **state)
{
    (void)state;
    shards_world_destroy(world);
    return 0;
}

/* ---- one shard, spoken to directly */

struct single {
    struct enrol *enrol;
    struct enrol_result result;
    uint64_t index;
    uint64_t keys;
};

static void single_begin(struct single *single)
{
    single->enrol = fixture_empty();
    single->index = 0;
    single->keys = 1000000;
    enrol_result_init(&single->result);
    shards_world_populate(single->enrol, 1, 0, &single->index);
}

static void single_end(struct single *single)
{
    enrol_destroy(single->enrol);
    enrol_result_fini(&single->result);
}

static int single_write(struct single *single, uint32_t method, struct slice body)
{
    uint8_t random[10] = {0};
    uint64_t number = hash_u64(++single->keys);
    struct buf text;

    memcpy(random, &number, sizeof number);
    struct uuid key = uuid_make(FIXTURE_WALL_MS + world->now_ms, random);
    struct enrol_entry entry = {.index = single->index + 1,
                                .term = 1,
                                .wall_ms = FIXTURE_WALL_MS + world->now_ms,
                                .method = method,
                                .key = slice_from(key.bytes, UUID_BYTES),
                                .body = body,
                                .hint = ENROL_HINT_NONE};

    buf_init(&text, 1 << 16);
    int rc = enrol_admit(single->enrol, &entry, &text);

    buf_fini(&text);
    buf_clear(&single->result.reply);
    if (rc != OK) {
        return rc;
    }
    single->index++;
    enrol_apply(single->enrol, &entry, &single->result);
    return single->result.status;
}

static int read_of(struct enrol *enrol, uint32_t method, struct slice body, struct buf *reply)
{
    struct buf text;

    buf_init(&text, 1 << 16);
    buf_clear(reply);
    int rc = enrol_read(enrol, method, body, FIXTURE_WALL_MS + world->now_ms, reply, &text);

    buf_fini(&text);
    return rc;
}

/* The reply stands where a submit's would. */
static int single_read(struct single *single, uint32_t method, struct slice body)
{
    return read_of(single->enrol, method, body, &single->result.reply);
}

/* ---- answers in words, without the receipt */

static void tell_name(const Carillon__SectionName *name, char *text)
{
    size_t len = strlen(text);

    (void)snprintf(text + len, TEXT_BYTES - len, " %s:%s#%s@%s", name->institution, name->code,
                   name->section, name->term);
}

static void tell_parts(Carillon__Change *const *changes, size_t change_count,
                       Carillon__Refusal *const *refusals, size_t refusal_count, char *text)
{
    text[0] = '\0';
    for (size_t i = 0; i < change_count; i++) {
        size_t len = strlen(text);

        (void)snprintf(text + len, TEXT_BYTES - len, " change %u place %u",
                       (unsigned)changes[i]->kind, changes[i]->waitlist_place);
        tell_name(changes[i]->section, text);
    }
    for (size_t i = 0; i < refusal_count; i++) {
        const Carillon__Refusal *refusal = refusals[i];
        size_t len = strlen(text);

        (void)snprintf(text + len, TEXT_BYTES - len, " refusal %u op %u node %u [%s] %s",
                       (unsigned)refusal->kind, refusal->op, refusal->rule_node,
                       refusal->evidence, refusal->remedy);
    }
}

static void tell(struct slice packed, char *text)
{
    Carillon__SubmitReply *reply =
        carillon__submit_reply__unpack(NULL, packed.len, packed.data);

    assert_non_null(reply);
    tell_parts(reply->changes, reply->n_changes, reply->refusals, reply->n_refusals, text);
    carillon__submit_reply__free_unpacked(reply, NULL);
}

static void tell_check(struct slice packed, char *text)
{
    Carillon__CheckReply *reply = carillon__check_reply__unpack(NULL, packed.len, packed.data);

    assert_non_null(reply);
    tell_parts(reply->changes, reply->n_changes, reply->refusals, reply->n_refusals, text);
    carillon__check_reply__free_unpacked(reply, NULL);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a course unlocks comes in the order of shards; who is enrolled may be held still. */
static void tell_show(struct slice packed, char *text)
{
    Carillon__ShowReply *reply = carillon__show_reply__unpack(NULL, packed.len, packed.data);
    size_t len = (size_t)snprintf(text, TEXT_BYTES, " %s:", reply->course->code);

    for (size_t i = 0; i < reply->n_sections; i++) {
        len += (size_t)snprintf(text + len, TEXT_BYTES - len, " %s of %u",
                                reply->sections[i]->id, reply->sections[i]->capacity);
    }
    for (size_t i = 0; i < reply->n_ticks; i++) {
        len += (size_t)snprintf(text + len, TEXT_BYTES - len, " %u%c",
                                reply->ticks[i]->rule_node, reply->ticks[i]->met ? '+' : '-');
    }
    if (reply->n_unlocks > 1) {
        qsort(reply->unlocks, reply->n_unlocks, sizeof reply->unlocks[0], compare_texts);
    }
    for (size_t i = 0; i < reply->n_unlocks; i++) {
        len += (size_t)snprintf(text + len, TEXT_BYTES - len, " unlocks %s", reply->unlocks[i]);
    }
    for (size_t i = 0; i < reply->n_unknown_codes; i++) {
        len += (size_t)snprintf(text + len, TEXT_BYTES - len, " unknown %s",
                                reply->unknown_codes[i]);
    }
    carillon__show_reply__free_unpacked(reply, NULL);
}

/* ---- the same requests to both */

static struct slice draw_body(struct rng *rng, uint32_t student, struct buf *body)
{
    Carillon__SubmitRequest message = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[OPS_MAX];
    Carillon__Op *list[OPS_MAX];
    bool is_full = rng_chance(rng, 500000);

    message.student = wire_text(shards_student_name(student));
    message.ops = list;
    message.n_ops = rng_below(rng, OPS_MAX) + 1;
    for (size_t i = 0; i < message.n_ops; i++) {
        carillon__op__init(&ops[i]);
        ops[i].kind =
            rng_chance(rng, 300000) ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
        ops[i].code = wire_text(shards_course_name((uint32_t)rng_below(rng, SHARDS_COURSES)));
        if (rng_chance(rng, 20000)) {
            ops[i].code = wire_text("NONE");
        }
        if (is_full) {
            ops[i].institution = wire_text("x");
            ops[i].term = wire_text("t");
            ops[i].section = wire_text("A");
        }
        ops[i].waitlist = ops[i].kind == CARILLON__OP_KIND__OP_ADD && rng_chance(rng, 200000);
        list[i] = &ops[i];
    }
    buf_clear(body);
    assert_int_equal(wire_pack(&message.base, body), OK);
    return buf_slice(body);
}

struct pair {
    struct single single;
    struct rng rng;
    struct buf body;
    uint32_t shards;
};

static void expect(const struct pair *pair, int status, int expected,
                   void (*told)(struct slice, char *))
{
    static char ours[TEXT_BYTES];
    static char theirs[TEXT_BYTES];

    if (world->violation[0] != '\0') {
        fail_msg("SEED=%llu: %s", (unsigned long long)world->seed, world->violation);
    }
    if (status != expected) {
        fail_msg("SEED=%llu %u shards: %s, and one: %s", (unsigned long long)world->seed,
                 pair->shards, error_name(status), error_name(expected));
    }
    if (told == NULL || (status != OK && status != ERR_REFUSED)) {
        return;
    }
    told(buf_slice(&pair->single.result.reply), ours);
    told(buf_slice(&world->reply), theirs);
    if (strcmp(ours, theirs) != 0) {
        fail_msg("SEED=%llu %u shards:%s\nand of one:%s", (unsigned long long)world->seed,
                 pair->shards, theirs, ours);
    }
}

/* What the registrar allows counts in both. */
static void permit_both(struct pair *pair)
{
    uint32_t student = (uint32_t)rng_below(&pair->rng, SHARDS_STUDENTS);
    uint32_t course = (uint32_t)rng_below(&pair->rng, SHARDS_COURSES);
    uint32_t kinds = (uint32_t)rng_below(&pair->rng, 8);
    int expected = single_write(&pair->single, CARILLON__METHOD__METHOD_PERMIT,
                                shards_permit_body(world, student, course, kinds));

    expect(pair, shards_world_permit(world, student, course, kinds), expected, NULL);
    permitted += expected == OK ? 1 : 0;
}

static void ask_both(struct pair *pair)
{
    uint32_t student = (uint32_t)rng_below(&pair->rng, SHARDS_STUDENTS);
    struct slice packed = draw_body(&pair->rng, student, &pair->body);
    int expected = single_read(&pair->single, CARILLON__METHOD__METHOD_CHECK, packed);

    expect(pair, shards_world_check(world, student, packed), expected, tell_check);
    expected = single_write(&pair->single, CARILLON__METHOD__METHOD_SUBMIT, packed);
    expect(pair, shards_world_submit(world, student, packed), expected, tell);
    accepted += expected == OK ? 1 : 0;
    refused += expected == ERR_REFUSED ? 1 : 0;
}

/* As a node asks for it, of all shards but @missing. */
static int show_across(struct pair *pair, struct slice body, uint32_t missing)
{
    struct buf question;
    struct buf replies[SHARDS_MAX];
    struct slice answers[SHARDS_MAX];
    uint32_t count = 0;
    uint32_t home;
    uint32_t of = enrol_route(CARILLON__METHOD__METHOD_SHOW, body, pair->shards).shard;
    uint32_t method = CARILLON__METHOD__METHOD_SHOW;
    struct arena scratch;
    int rc = OK;

    arena_init(&scratch, 1 << 20);
    buf_init(&question, 1 << 20);
    for (uint32_t i = 0; i < pair->shards; i++) {
        buf_init(&replies[i], 1 << 20);
    }
    if (enrol_show_home(body, pair->shards, &home, &question)) {
        rc = read_of(world->shard[home].truth, ENROL_READ_RECORD, buf_slice(&question),
                     &replies[home]);
        buf_clear(&question);
        method = ENROL_READ_SHOWN;
        assert_int_equal(enrol_show_ask(body, buf_slice(&replies[home]), &question), OK);
        body = buf_slice(&question);
    }
    rc = rc == OK ? read_of(world->shard[of].truth, method, body, &replies[of]) : rc;
    buf_clear(&question);
    if (rc == OK) {
        assert_int_equal(enrol_show_ask_others(buf_slice(&replies[of]), &scratch, &question),
                         OK);
    }
    for (uint32_t i = 0; rc == OK && i < pair->shards; i++) {
        if (i != of && i != missing) {
            assert_int_equal(read_of(world->shard[i].truth, ENROL_READ_RELATED,
                                     buf_slice(&question), &replies[i]),
                             OK);
            answers[count++] = buf_slice(&replies[i]);
        }
    }
    buf_clear(&world->reply);
    rc = rc == OK ? enrol_show_fill(buf_slice(&replies[of]), answers, count,
                                    count == pair->shards - 1, &scratch, &world->reply)
                  : rc;
    for (uint32_t i = 0; i < pair->shards; i++) {
        buf_fini(&replies[i]);
    }
    buf_fini(&question);
    arena_fini(&scratch);
    return rc;
}

static void show_both(struct pair *pair)
{
    Carillon__ShowRequest message = CARILLON__SHOW_REQUEST__INIT;
    uint32_t student = (uint32_t)rng_below(&pair->rng, 2 * SHARDS_STUDENTS);

    message.code =
        wire_text(shards_course_name((uint32_t)rng_below(&pair->rng, SHARDS_COURSES)));
    if (student < SHARDS_STUDENTS) {
        message.student = wire_text(shards_student_name(student));
    }
    message.student = rng_chance(&pair->rng, 50000) ? wire_text("nobody") : message.student;
    message.code = rng_chance(&pair->rng, 50000) ? wire_text("NONE") : message.code;
    buf_clear(&pair->body);
    assert_int_equal(wire_pack(&message.base, &pair->body), OK);
    int expected =
        single_read(&pair->single, CARILLON__METHOD__METHOD_SHOW, buf_slice(&pair->body));
    bool is_either =
        strcmp(message.student, "nobody") == 0 && strcmp(message.code, "NONE") == 0;
    int status = show_across(pair, buf_slice(&pair->body), pair->shards);

    expect(pair, is_either ? expected : status, expected, tell_show);
    ticked += status == OK && student < SHARDS_STUDENTS ? 1 : 0;
}

/* Who does not answer may know what nobody else does. */
static void show_in_part(struct pair *pair, uint32_t course)
{
    Carillon__ShowRequest message = CARILLON__SHOW_REQUEST__INIT;
    Carillon__ShowReply *reply;

    message.code = wire_text(shards_course_name(course));
    buf_clear(&pair->body);
    assert_int_equal(wire_pack(&message.base, &pair->body), OK);
    uint32_t of = campus_shard_of(slice_from_text(shards_course_name(course)), pair->shards);

    assert_int_equal(show_across(pair, buf_slice(&pair->body), (of + 1) % pair->shards), OK);
    reply = carillon__show_reply__unpack(NULL, world->reply.len, world->reply.data);
    assert_int_equal(reply->n_unknown_codes, 0);
    carillon__show_reply__free_unpacked(reply, NULL);
}

static void run_alike(uint64_t seed, uint32_t shards)
{
    struct pair pair = {.shards = shards};

    rng_init(&pair.rng, seed);
    buf_init(&pair.body, 1 << 16);
    shards_world_begin_quiet(world, seed, shards);
    single_begin(&pair.single);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        if (rng_chance(&pair.rng, 150000)) {
            permit_both(&pair);
        }
        ask_both(&pair);
        show_both(&pair);
    }
    show_in_part(&pair, UNKNOWING);
    single_end(&pair.single);
    buf_fini(&pair.body);
}

static void several_shards__asked_one_by_one__answer_as_one_shard_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_alike(seed, 2U << seed % 3);
    }
    print_message("%u accepted, %u refused\n", accepted, refused);
    assert_true(accepted > SEEDS * 5 && refused > SEEDS * 5 && permitted > SEEDS * 3);
    assert_true(ticked > SEEDS * REQUESTS / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_shards__asked_one_by_one__answer_as_one_shard_does),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
