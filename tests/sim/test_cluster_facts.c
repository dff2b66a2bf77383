/* Facts of a simulated cluster when a shard, or the cluster's own group, has no leader for a
 * moment: none is lost, none overtakes another, and an import that is to end ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "campus/name.h"
#include "enrol/fact.h"
#include "enrol/staging.h"
#include "node/node_private.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum {
    SHARDS = 4,
    IMPORTED = 1, /* facts until there are courses */
    LIMIT = 3,
    TOGETHER = 4,        /* facts on their way at the same time */
    DEADLINE_MS = 10000, /* time for an election, and more */
    SHORT_MS = 100,      /* and for none */
    REST_MS = 10000,
};

static uint64_t sometimes[SOMETIMES_NR];
static struct node_world world;
static struct carillon_client *client; /* of world.node */

static void begin(uint64_t seed, uint32_t replicas)
{
    node_world_init(&world, seed, NULL, sometimes);
    world.config.shards = SHARDS;
    world.retry_never = true;
    node_world_replicas(&world, replicas);
    assert_int_equal(node_world_open(&world), OK);
    assert_true(node_world_gather(&world));
    client = node_world_client(&world);
    node_world_import(&world);
    while (world.waves[0].state <= WAVE_COMMITTING && node_world_step(&world)) {
    }
    assert_int_equal(world.waves[0].state, WAVE_COMMITTED);
    node_world_run_ms(&world, 2000);
}

static void end(void)
{
    assert_string_equal(world.violation, "");
    node_world_fini(&world);
}

/* ---- who leads */

static bool leads(const struct node *node, uint32_t group)
{
    return node != NULL &&
           (group == NODE_GROUP_META ? node->is_leading_meta
                                     : node->shards[group - NODE_GROUP_SHARD].is_leading);
}

static struct node *leader_of(uint32_t group)
{
    struct node *const nodes[] = {world.node, world.replicas[0].node, world.replicas[1].node};

    for (uint32_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        if (leads(nodes[i], group)) {
            return nodes[i];
        }
    }
    return NULL;
}

static void let_lead(const struct node *node, uint32_t group)
{
    while (!leads(node, group)) {
        struct node *from = leader_of(group);

        if (from != NULL) {
            engine_raft_transfer(&from->raft, group, node->raft.id);
        }
        node_world_run_ms(&world, 10);
    }
}

/* The node that clients ask leads all groups but @group. The one that leads that dies. */
static void lose_leader(uint32_t group)
{
    for (uint32_t i = 0; i <= SHARDS; i++) {
        let_lead(i == group ? world.replicas[0].node : world.node, i);
    }
    for (uint32_t i = 0; i <= SHARDS; i++) {
        assert_true(leads(i == group ? world.replicas[0].node : world.node, i));
    }
    node_world_replica_kill(&world, 0);
}

/* ---- asking */

struct asked {
    bool is_done;
    int status;
};

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct asked *asked = context;

    asked->is_done = true;
    asked->status = reply->status;
}

static void submit(uint32_t method, const ProtobufCMessage *request, uint32_t deadline_ms,
                   struct asked *asked)
{
    struct carillon_key key = carillon_key_make(client);
    struct carillon_call call = {.method = method,
                                 .key = &key,
                                 .message = request,
                                 .deadline_ms = deadline_ms,
                                 .done = on_done,
                                 .context = asked};

    *asked = (struct asked){.is_done = false};
    assert_int_equal(carillon_submit_call(client, &call), OK);
}

static int await(const struct asked *asked)
{
    carillon_flush(client);
    while (!asked->is_done && node_world_step(&world)) {
    }
    assert_true(asked->is_done);
    return asked->status;
}

static void submit_limits(uint32_t courses_max, uint32_t deadline_ms, struct asked *asked)
{
    Carillon__LimitsRequest request = CARILLON__LIMITS_REQUEST__INIT;

    request.institution = wire_text("gen");
    request.term = wire_text("current");
    request.courses_max = courses_max;
    submit(CARILLON__METHOD__METHOD_LIMITS, &request.base, deadline_ms, asked);
}

static uint32_t limit_in(uint32_t shard)
{
    struct node *leader = leader_of(NODE_GROUP_SHARD + shard);

    assert_non_null(leader);
    const struct campus *campus = enrol_campus(leader->shards[shard].enrol);

    return campus_catalogue(campus, campus_catalogue_find(campus, SLICE_LITERAL("gen"),
                                                          SLICE_LITERAL("current")))
        ->courses_max;
}

/* Every shard has applied all there are, and the same was the last. */
static void expect_everywhere(uint64_t facts)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct node *leader = leader_of(NODE_GROUP_SHARD + i);

        assert_non_null(leader);
        assert_int_equal(leader->meta.fact_newest, facts);
        assert_int_equal(enrol_fact_newest(leader->shards[i].enrol), facts);
        assert_int_equal(limit_in(i), limit_in(0));
    }
}

/* ---- the stories */

static void facts__of_one_moment__are_copied_one_after_the_other(void **state)
{
    struct asked asked[TOGETHER];

    (void)state;
    begin(1, 0);
    for (uint32_t i = 0; i < TOGETHER; i++) {
        submit_limits(i + 1, DEADLINE_MS, &asked[i]);
    }
    for (uint32_t i = 0; i < TOGETHER; i++) {
        assert_int_equal(await(&asked[i]), OK);
    }
    expect_everywhere(IMPORTED + TOGETHER);
    end();
}

/* Whoever asked has gone, and it is looked for facts that may be forgotten, before the shard
 * has a leader again. */
static void fact__that_a_shard_has_not_had__is_kept_for_its_next_leader(void **state)
{
    struct asked asked;

    (void)state;
    begin(2, 2);
    lose_leader(NODE_GROUP_SHARD + 2);
    submit_limits(LIMIT, SHORT_MS, &asked);
    assert_int_equal(await(&asked), ERR_TIMEOUT);
    node_world_run_ms(&world, SHORT_MS); /* the node has noticed it too */
    node__facts_look(world.node);
    node_world_run_ms(&world, SHORT_MS);
    assert_null(leader_of(NODE_GROUP_SHARD + 2));
    assert_int_equal(world.node->meta.fact_count, 1);
    node_world_run_ms(&world, REST_MS);
    expect_everywhere(IMPORTED + 1);
    assert_int_equal(limit_in(2), LIMIT);
    assert_int_equal(world.node->meta.fact_count, 0);
    end();
}

/* All shards are prepared when it is asked for the fact, so nobody can say that nothing came of
 * it. */
static void commit__while_nobody_orders_facts__waits_for_it(void **state)
{
    Carillon__ImportBeginRequest begun = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    struct asked asked;
    struct uuid id;
    uint64_t since_ms;

    (void)state;
    begin(3, 2);
    struct carillon_key import = carillon_key_make(client);

    begun.kind = CARILLON__IMPORT_KIND__IMPORT_STUDENTS;
    begun.institution = wire_text("gen");
    begun.import_id = commit.import_id =
        wire_binary(slice_from(import.bytes, sizeof import.bytes));
    submit(CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begun.base, DEADLINE_MS, &asked);
    assert_int_equal(await(&asked), OK);
    lose_leader(NODE_GROUP_META);
    submit(CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base, DEADLINE_MS, &asked);
    carillon_flush(client);
    node_world_run_ms(&world, SHORT_MS);
    assert_null(leader_of(NODE_GROUP_META));
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_true(enrol_prepared_import(world.node->shards[i].enrol, 0, &id, &since_ms));
    }
    assert_false(asked.is_done);
    assert_int_equal(await(&asked), OK);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_false(enrol_prepared_import(world.node->shards[i].enrol, 0, &id, &since_ms));
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts__of_one_moment__are_copied_one_after_the_other),
        cmocka_unit_test(fact__that_a_shard_has_not_had__is_kept_for_its_next_leader),
        cmocka_unit_test(commit__while_nobody_orders_facts__waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
