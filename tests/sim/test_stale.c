/* Reads that may be old, of a cluster in a simulated world: whatever age an answer states, what
 * was told to anybody before that is in it; who is cut off goes on answering, and its age
 * grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "proto/registrar.pb-c.h"
#include "proto/search.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/field.h"
#include "wire/message.h"

enum {
    SEEDS = 12,
    OPS = 60,
    AGE_MS_FRESH = 1000, /* twice what is between two questions to the leader */
    CUT_MS = 3000,
    NS_PER_MS = 1000000,
};

static uint64_t sometimes[SOMETIMES_NR];

/* Somebody who asks one node only. */
struct reader {
    struct node_world *world;
    struct carillon_client *client;
    bool is_done;
    bool is_destroyed;
    struct carillon_reply reply;
};

static void begin_shards(struct node_world *world, uint64_t seed, uint32_t shards)
{
    node_world_init(world, seed, NULL, sometimes);
    world->config.shards = shards;
    node_world_replicas(world, 2);
    assert_int_equal(node_world_open(world), OK);
    assert_true(node_world_gather(world));
    for (uint32_t wave = 0; wave < 2; wave++) {
        node_world_import(world);
        while (world->waves[wave].state <= WAVE_COMMITTING && node_world_step(world)) {
        }
    }
    node_world_run_ms(world, 2000);
    assert_string_equal(world->violation, "");
}

static void begin(struct node_world *world, uint64_t seed)
{
    begin_shards(world, seed, 1);
}

static void reader_begin(struct reader *reader, struct node_world *world, const char *address)
{
    struct carillon_options options = {
        .address = address, .credential = "", .retry_never = true, .io = world->client_io[0]};

    *reader = (struct reader){.world = world};
    assert_int_equal(carillon_create(&options, &reader->client), OK);
}

static void on_destroyed(void *context)
{
    ((struct reader *)context)->is_destroyed = true;
}

static void reader_end(struct reader *reader)
{
    carillon_destroy_in(reader->client, on_destroyed, reader);
    while (!reader->is_destroyed) {
        (void)node_world_step(reader->world);
    }
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct reader *reader = context;

    reader->is_done = true;
    reader->reply = *reply;
    reader->reply.body = NULL;
}

static int ask(struct reader *reader, uint32_t method, const ProtobufCMessage *request,
               bool stale_ok)
{
    struct carillon_call call = {.method = method,
                                 .message = request,
                                 .deadline_ms = 700,
                                 .stale_ok = stale_ok,
                                 .done = on_done,
                                 .context = reader};

    reader->is_done = false;
    assert_int_equal(carillon_submit_call(reader->client, &call), OK);
    carillon_flush(reader->client);
    while (!reader->is_done) {
        (void)node_world_step(reader->world);
    }
    return reader->reply.status;
}

static int list(struct reader *reader, bool stale_ok)
{
    Carillon__CataloguesRequest request = CARILLON__CATALOGUES_REQUEST__INIT;

    return ask(reader, CARILLON__METHOD__METHOD_CATALOGUES, &request.base, stale_ok);
}

static uint64_t applied(const struct node *node)
{
    struct engine_status status;

    engine_status(node->engine, NODE_GROUP_SHARD, &status);
    return status.applied;
}

static void stale__of_any_node__says_its_age(void **state)
{
    static const char *const addresses[] = {"10.0.0.1:7440", "10.0.1.1:7440", "10.0.1.2:7440"};
    Carillon__SearchRequest search = CARILLON__SEARCH_REQUEST__INIT;
    struct node_world world;
    struct reader reader;

    (void)state;
    begin(&world, 1);
    search.query = wire_text("ringing");
    for (uint32_t i = 0; i < 3; i++) {
        reader_begin(&reader, &world, addresses[i]);
        assert_int_equal(list(&reader, true), OK);
        assert_true(reader.reply.is_stale);
        assert_in_range(reader.reply.age_ms, 1, AGE_MS_FRESH);
        assert_int_equal(reader.reply.applied_index, applied(world.node));
        assert_int_equal(ask(&reader, CARILLON__METHOD__METHOD_SEARCH, &search.base, true), OK);
        assert_true(reader.reply.is_stale);
        assert_in_range(reader.reply.age_ms, 1, AGE_MS_FRESH);
        assert_int_equal(list(&reader, false), OK); /* what nobody asked for is not said */
        assert_false(reader.reply.is_stale);
        reader_end(&reader);
    }
    node_world_fini(&world);
}

static void stale__of_a_node_alone__has_no_age(void **state)
{
    struct node_world world;
    struct reader reader;

    (void)state;
    node_world_init(&world, 2, NULL, sometimes);
    assert_int_equal(node_world_open(&world), OK);
    reader_begin(&reader, &world, "10.0.0.1:7440");
    assert_int_equal(list(&reader, true), OK);
    assert_true(reader.reply.is_stale);
    assert_int_equal(reader.reply.age_ms, 1);
    reader_end(&reader);
    node_world_fini(&world);
}

static void stale__of_a_node_that_is_cut_off__grows(void **state)
{
    struct node_world world;
    struct reader reader;

    (void)state;
    begin(&world, 3);
    node_world_kill(&world);
    node_world_replica_kill(&world, 1);
    reader_begin(&reader, &world, "10.0.1.1:7440");
    for (uint64_t away = CUT_MS; away <= 3 * CUT_MS; away += CUT_MS) {
        node_world_run_ms(&world, CUT_MS);
        assert_int_equal(list(&reader, true), OK);
        assert_true(reader.reply.is_stale);
        assert_in_range(reader.reply.age_ms, away - 700, away + 3 * AGE_MS_FRESH);
        assert_int_not_equal(list(&reader, false), OK); /* nobody can say that this is all */
    }
    reader_end(&reader);
    node_world_up(&world);
    node_world_fini(&world);
}

/* What several shards have a part in is as old as the oldest of them. */
static void stale__of_several_shards__says_the_age_of_the_oldest(void **state)
{
    Carillon__ScheduleRequest schedule = CARILLON__SCHEDULE_REQUEST__INIT;
    Carillon__RosterRequest roster = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__SearchRequest search = CARILLON__SEARCH_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    struct node_world world;
    struct reader reader;
    char student[24], course[24];

    (void)state;
    begin_shards(&world, 6, 4);
    node_world_student(1, student);
    node_world_course(1, course);
    schedule.student = student;
    search.query = wire_text("ringing");
    name.code = course;
    name.section = wire_text("1");
    roster.section = &name;
    reader_begin(&reader, &world, "10.0.1.1:7440");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(list(&reader, true), OK);
        assert_true(reader.reply.is_stale);
        assert_int_equal(
            ask(&reader, CARILLON__METHOD__METHOD_SCHEDULE, &schedule.base, true), OK);
        assert_true(reader.reply.is_stale);
        assert_int_equal(
            ask(&reader, CARILLON__METHOD__METHOD_SEARCH, &search.base, true), OK);
        assert_true(reader.reply.is_stale);
        assert_in_range(reader.reply.age_ms, round * (CUT_MS - 700),
                        round * CUT_MS + 3 * AGE_MS_FRESH);
        /* it takes what the leaders of other shards say, and none of them is old */
        int rc = ask(&reader, CARILLON__METHOD__METHOD_ROSTER, &roster.base, true);
        assert_false(reader.reply.is_stale);
        assert_int_equal(rc == OK, round == 0);
        if (round == 0) {
            node_world_kill(&world);
            node_world_replica_kill(&world, 1);
            node_world_run_ms(&world, CUT_MS);
        }
    }
    reader_end(&reader);
    node_world_up(&world);
    node_world_fini(&world);
}

/* It has its snapshot, and has heard of nobody since. */
static void stale__of_a_node_that_has_heard_of_nobody__is_not_given(void **state)
{
    struct node_world world;
    struct reader reader;

    (void)state;
    begin(&world, 4);
    node_world_kill(&world);
    node_world_replica_kill(&world, 0);
    node_world_replica_kill(&world, 1);
    node_world_replica_up(&world, 0);
    node_world_run_ms(&world, 1000);
    reader_begin(&reader, &world, "10.0.1.1:7440");
    assert_int_equal(list(&reader, true), ERR_NOT_LEADER);
    assert_false(reader.reply.is_stale);
    reader_end(&reader);
    node_world_up(&world);
    node_world_fini(&world);
}

/* The leader is ahead: its answer counts only once this node has come so far. */
static void stale__answer_that_is_not_applied_yet__does_not_count(void **state)
{
    struct node_world world;
    struct node_state_age before, after;
    uint8_t body[16];

    (void)state;
    begin(&world, 5);
    struct node *node = world.replicas[0].node;
    struct shard_stale *stale = &node->shards[0].stale;
    assert_int_equal(node__stale_look(node, NULL, &before), OK);
    for (uint64_t ahead = 1; ahead <= 1; ahead--) { /* one entry too many, then none */
        uint8_t *end = field_put_number(body, 1, applied(node) + ahead);
        const struct envelope_reply reply = {.body = slice_from(body, (size_t)(end - body))};

        stale->is_answered = false;
        stale->asked_ns = io_now_ns(node->io);
        node__stale_answered(node, &(struct link_forward){0}, &reply);
        assert_int_equal(node__stale_look(node, NULL, &after), OK);
        assert_int_equal(after.known_ns == stale->asked_ns, ahead == 0);
        assert_int_equal(after.known_ns == before.known_ns, ahead == 1);
    }
    node_world_fini(&world);
}

/* ---- an age never lies ---- */

/* Up to which place in the log somebody had been told when. */
struct telling {
    uint64_t ns;
    uint64_t index;
};

struct tellings {
    struct telling list[NODE_WORLD_OPS_MAX];
    uint32_t count;
};

static void note(struct tellings *tellings, const struct node_world *world)
{
    uint64_t newest = 0;

    for (uint32_t i = 0; i < world->op_count; i++) {
        const struct world_op *op = &world->ops[i];

        if (op->state == WORLD_OP_TOLD && op->index > newest) {
            newest = op->index;
        }
    }
    if (tellings->count == 0 || newest > tellings->list[tellings->count - 1].index) {
        tellings->list[tellings->count++] = (struct telling){io_sim_now_ns(world->sim), newest};
    }
}

/* The answer was made after @asked_ns: what was told an age before then is in it. */
static void expect_true(const struct tellings *tellings, const struct reader *reader,
                        uint64_t asked_ns)
{
    uint64_t age_ns = reader->reply.age_ms * NS_PER_MS;

    for (uint32_t i = 0; i < tellings->count; i++) {
        if (tellings->list[i].ns + age_ns <= asked_ns) {
            assert_true(reader->reply.applied_index >= tellings->list[i].index);
        }
    }
}

static void run_for(struct node_world *world, struct tellings *tellings, uint64_t ms)
{
    uint64_t until = io_sim_now_ns(world->sim) + ms * NS_PER_MS;

    while (io_sim_now_ns(world->sim) < until && node_world_step(world)) {
        note(tellings, world);
    }
}

static void run_seed(uint64_t seed, struct tellings *tellings)
{
    struct node_world world;
    struct reader reader;
    bool is_down = false;

    begin(&world, seed);
    tellings->count = 0;
    reader_begin(&reader, &world, "10.0.1.1:7440");
    for (uint32_t i = 0; i < OPS; i++) {
        node_world_ask_random(&world);
        run_for(&world, tellings, rng_below(&world.rng, 60));
        if (rng_chance(&world.rng, 50000)) { /* two of three are needed for a change */
            if (is_down) {
                node_world_replica_up(&world, 1);
            } else {
                node_world_replica_kill(&world, 1);
            }
            is_down = !is_down;
        }
        uint64_t asked_ns = io_sim_now_ns(world.sim);

        note(tellings, &world);
        if (list(&reader, true) == OK) {
            assert_true(reader.reply.is_stale);
            expect_true(tellings, &reader, asked_ns);
        }
    }
    assert_string_equal(world.violation, "");
    reader_end(&reader);
    node_world_fini(&world);
}

static void stale__in_a_rush__whatever_is_older_than_its_age_is_in_it(void **state)
{
    struct tellings *tellings = calloc(1, sizeof *tellings);

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_seed(seed, tellings);
        assert_true(tellings->count > OPS / 4);
    }
    free(tellings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale__of_any_node__says_its_age),
        cmocka_unit_test(stale__of_a_node_alone__has_no_age),
        cmocka_unit_test(stale__of_a_node_that_is_cut_off__grows),
        cmocka_unit_test(stale__of_several_shards__says_the_age_of_the_oldest),
        cmocka_unit_test(stale__of_a_node_that_has_heard_of_nobody__is_not_given),
        cmocka_unit_test(stale__answer_that_is_not_applied_yet__does_not_count),
        cmocka_unit_test(stale__in_a_rush__whatever_is_older_than_its_age_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
