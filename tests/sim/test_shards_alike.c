/* A quiet world of several shards answers every request as one shard does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "proto/envelope.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

enum { SEEDS = 100, REQUESTS = 60, OPS_MAX = 4, TEXT_BYTES = 4096 };

static struct shards_world *world;
static uint32_t accepted;
static uint32_t refused;

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

static int single_submit(struct single *single, struct slice body)
{
    uint8_t random[10] = {0};
    uint64_t number = hash_u64(++single->keys);
    struct buf text;

    memcpy(random, &number, sizeof number);
    struct uuid key = uuid_make(FIXTURE_WALL_MS + world->now_ms, random);
    struct enrol_entry entry = {.index = single->index + 1,
                                .term = 1,
                                .wall_ms = FIXTURE_WALL_MS + world->now_ms,
                                .method = CARILLON__METHOD__METHOD_SUBMIT,
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

/* ---- answers in words, without the receipt */

static void tell_name(const Carillon__SectionName *name, char *text)
{
    size_t len = strlen(text);

    (void)snprintf(text + len, TEXT_BYTES - len, " %s:%s#%s@%s", name->institution, name->code,
                   name->section, name->term);
}

static void tell(struct slice packed, char *text)
{
    Carillon__SubmitReply *reply =
        carillon__submit_reply__unpack(NULL, packed.len, packed.data);

    text[0] = '\0';
    assert_non_null(reply);
    for (size_t i = 0; i < reply->n_changes; i++) {
        size_t len = strlen(text);

        (void)snprintf(text + len, TEXT_BYTES - len, " change %u",
                       (unsigned)reply->changes[i]->kind);
        tell_name(reply->changes[i]->section, text);
    }
    for (size_t i = 0; i < reply->n_refusals; i++) {
        const Carillon__Refusal *refusal = reply->refusals[i];
        size_t len = strlen(text);

        (void)snprintf(text + len, TEXT_BYTES - len, " refusal %u op %u node %u [%s] %s",
                       (unsigned)refusal->kind, refusal->op, refusal->rule_node,
                       refusal->evidence, refusal->remedy);
    }
    carillon__submit_reply__free_unpacked(reply, NULL);
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
        list[i] = &ops[i];
    }
    buf_clear(body);
    assert_int_equal(wire_pack(&message.base, body), OK);
    return buf_slice(body);
}

static void run_alike(uint64_t seed, uint32_t shards)
{
    static char ours[TEXT_BYTES];
    static char theirs[TEXT_BYTES];
    struct single single;
    struct rng rng;
    struct buf body;

    rng_init(&rng, seed);
    buf_init(&body, 1 << 16);
    shards_world_begin_quiet(world, seed, shards);
    single_begin(&single);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        uint32_t student = (uint32_t)rng_below(&rng, SHARDS_STUDENTS);
        struct slice packed = draw_body(&rng, student, &body);
        int expected = single_submit(&single, packed);
        int status = shards_world_submit(world, student, packed);

        if (world->violation[0] != '\0') {
            fail_msg("SEED=%llu: %s", (unsigned long long)seed, world->violation);
        }
        assert_string_equal(error_name(status), error_name(expected));
        accepted += status == OK ? 1 : 0;
        refused += status == ERR_REFUSED ? 1 : 0;
        tell(buf_slice(&single.result.reply), ours);
        tell(buf_slice(&world->reply), theirs);
        if (strcmp(ours, theirs) != 0) {
            fail_msg("SEED=%llu request %u of %u shards:%s\nand of one:%s",
                     (unsigned long long)seed, i, shards, theirs, ours);
        }
    }
    single_end(&single);
    buf_fini(&body);
}

static void several_shards__asked_one_by_one__answer_as_one_shard_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_alike(seed, 2U << seed % 3);
    }
    print_message("%u accepted, %u refused\n", accepted, refused);
    assert_true(accepted > SEEDS * 5 && refused > SEEDS * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_shards__asked_one_by_one__answer_as_one_shard_does),
    };
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
