/* Reads of a simulated cluster of three: whoever leads asks the others before it answers, once
 * for all that wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum {
    STEPS_MAX = 24, /* a round takes fewer */
    ANSWERED_MS = 100,
    SHORT_MS = 100, /* shorter than whoever leads takes to notice that it is alone */
    LONG_MS = 10000,
    SLOW_MS = 3000,      /* on the way at most, and */
    FORGOTTEN_MS = 1100, /* when nobody waits for an answer any more, after its deadline */
    PATIENT_MS = 60000,  /* the one asked goes on believing in the leader meanwhile */
    TRIES = 10,
};

static uint64_t sometimes[SOMETIMES_NR];
static struct node_world world;

static void begin_at(uint64_t seed, const char *door)
{
    node_world_init(&world, seed, NULL, sometimes);
    for (uint32_t i = 0; i < NODE_WORLD_CLIENTS; i++) {
        world.doors[i] = door;
    }
    world.retry_never = true;
    node_world_replicas(&world, 2);
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    node_world_run_ms(&world, 1000);
}

static void begin(uint64_t seed)
{
    begin_at(seed, NULL);
}

static void end(void)
{
    assert_string_equal(world.violation, "");
    node_world_fini(&world);
}

/* ---- read points */

static uint32_t answered;

static void on_read(struct engine_read *read, int status)
{
    (void)read;
    assert_int_equal(status, OK);
    answered++;
}

static struct node *leader(void)
{
    struct node *const nodes[] = {world.node, world.replicas[0].node, world.replicas[1].node};

    for (uint32_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        if (nodes[i]->shards[0].is_leading) {
            return nodes[i];
        }
    }
    fail_msg("nobody leads");
    return NULL;
}

/* The second comes when the others are being asked for the first: whenever that is, and though
 * no third one follows, they are asked for it too. */
static void read__that_comes_during_a_round__is_answered_by_the_next(void **state)
{
    struct engine_read reads[2];
    uint32_t during = 0;

    (void)state;
    begin(1);
    struct node *node = leader();

    for (uint32_t steps = 0; steps < STEPS_MAX; steps++) {
        answered = 0;
        for (uint32_t i = 0; i < 2; i++) {
            reads[i].done = on_read;
            assert_int_equal(engine_read_point(node->engine, NODE_GROUP_SHARD, &reads[i]),
                             SM_PENDING);
            for (uint32_t step = 0; i == 0 && step < steps; step++) {
                (void)node_world_step(&world);
            }
            during += i == 0 && answered == 0 ? 1 : 0;
        }
        node_world_run_ms(&world, ANSWERED_MS);
        assert_int_equal(answered, 2);
    }
    assert_in_range(during, 2, STEPS_MAX - 1);
    end();
}

/* ---- a leader that is alone, and does not know it yet */

static void on_done(void *context, const struct carillon_reply *reply)
{
    *(int *)context = reply->status;
}

static int ask(uint32_t method, const ProtobufCMessage *request, uint32_t deadline_ms)
{
    struct carillon_client *client = node_world_client(&world);
    int status = 1;
    struct carillon_call call = {.method = method,
                                 .message = request,
                                 .deadline_ms = deadline_ms,
                                 .done = on_done,
                                 .context = &status};

    assert_int_equal(carillon_submit_call(client, &call), OK);
    carillon_flush(client);
    while (status == 1 && node_world_step(&world)) {
    }
    return status;
}

static int list(uint32_t deadline_ms)
{
    Carillon__CataloguesRequest request = CARILLON__CATALOGUES_REQUEST__INIT;

    return ask(CARILLON__METHOD__METHOD_CATALOGUES, &request.base, deadline_ms);
}

/* A course that there is not. */
static int show(uint32_t deadline_ms)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

    name.code = wire_text("NONE");
    name.section = wire_text("1");
    request.section = &name;
    return ask(CARILLON__METHOD__METHOD_ROSTER, &request.base, deadline_ms);
}

/* Another may lead for all it knows, and have taken something that it has not heard of. */
static void read__of_a_leader_whom_nobody_answers__is_not_answered(void **state)
{
    (void)state;
    begin(2);
    assert_ptr_equal(leader(), world.node);
    assert_int_equal(list(SHORT_MS), OK);
    node_world_replica_kill(&world, 0);
    assert_int_equal(list(SHORT_MS), OK); /* by a majority */
    node_world_replica_kill(&world, 1);
    int status = list(SHORT_MS);

    assert_true(world.node->shards[0].is_leading);
    assert_int_not_equal(status, OK);
    node_world_replica_up(&world, 0);
    node_world_run_ms(&world, 5000);
    assert_int_equal(list(SHORT_MS), OK);
    end();
}

/* What the leader says is so long on its way that nobody waits for it any more when it comes,
 * and another request has come after it. */
static void read__answered_late__is_no_answer_to_the_next(void **state)
{
    const struct io_sim_wire slow = {.delay_us = SLOW_MS * 1000};
    uint32_t answered_late = 0;

    (void)state;
    begin_at(3, "10.0.1.1:7440");
    assert_ptr_equal(leader(), world.node);
    assert_int_equal(show(SHORT_MS), ERR_UNKNOWN_COURSE);
    world.replicas[0].node->raft.groups[NODE_GROUP_SHARD].raft.options.election_ms = PATIENT_MS;
    node_world_run_ms(&world, SHORT_MS);
    io_sim_wire_set(world.io, world.replicas[0].io, &slow);
    for (uint32_t i = 0; i < TRIES; i++) {
        if (show(SHORT_MS) == ERR_TIMEOUT) {
            node_world_run_ms(&world, FORGOTTEN_MS);
            int status = list(LONG_MS);

            assert_int_not_equal(status, ERR_UNKNOWN_COURSE);
            answered_late += status == OK ? 1 : 0;
        }
    }
    assert_in_range(answered_late, TRIES / 2, TRIES);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__that_comes_during_a_round__is_answered_by_the_next),
        cmocka_unit_test(read__answered_late__is_no_answer_to_the_next),
        cmocka_unit_test(read__of_a_leader_whom_nobody_answers__is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
