/* The client finds the nodes of a cluster from any of them, and goes on elsewhere when the one
 * it talks to dies. Two scripted nodes in one real world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "client/carillon.h"
#include "io_uv/io_uv.h"
#include "tests/lib/fake_node.h"
#include "wire/message.h"

enum {
    NODES = 2,
    STEP_MS = 10,
    PATIENCE_STEPS = 3000,
    ADDRESS_BYTES = 32,
    LIST_BYTES = 200,
    ANSWERS_MANY = 200,
};

static const char *const ids[NODES] = {"the first node..", "the second node."};

/* What the nodes say of the cluster. */
struct told {
    Carillon__Cluster message;
    Carillon__ClusterNode nodes[NODES];
    Carillon__ClusterNode *list[NODES];
    uint32_t leads[NODES][2];
};

struct scene {
    struct io_uv *world;
    struct io *io;
    struct fake_node nodes[NODES];
    char addresses[NODES][ADDRESS_BYTES];
    struct told told;
    struct carillon_client *client;
    bool is_destroyed;
    uint32_t ended;
    struct carillon_reply last;
    char text[LIST_BYTES];
    struct carillon_key key;
};

/* ---- the nodes ---- */

static void answer(struct fake_conn *conn, const Carillon__Request *request)
{
    struct scene *scene = conn->node->context;

    if (request->key.len > 0) {
        assert_memory_equal(request->key.data, scene->key.bytes, CARILLON_KEY_BYTES);
    }
    fake_reply(conn, request->id, OK, SLICE_NONE);
}

/* The node dies of its first request. */
static void die(struct fake_conn *conn, const Carillon__Request *request)
{
    struct scene *scene = conn->node->context;

    if (request->key.len > 0) {
        assert_memory_equal(request->key.data, scene->key.bytes, CARILLON_KEY_BYTES);
    }
    fake_node_close(conn->node);
}

static void not_leader(struct fake_conn *conn, const Carillon__Request *request)
{
    fake_reply(conn, request->id, ERR_NOT_LEADER, SLICE_NONE);
}

static void say_nothing(struct fake_conn *conn, const Carillon__Request *request)
{
    (void)conn;
    (void)request;
}

static void answer_to_the_probe_only(struct fake_conn *conn, const Carillon__Request *request)
{
    if (request->method == CARILLON__METHOD__METHOD_NONE) {
        fake_reply(conn, request->id, ERR_METHOD, SLICE_NONE);
    }
}

static void answer_and_tell(struct fake_conn *conn, const Carillon__Request *request)
{
    struct scene *scene = conn->node->context;
    Carillon__Reply reply = CARILLON__REPLY__INIT;

    reply.id = request->id;
    reply.cluster = &scene->told.message;
    fake_reply_message(conn, &reply);
}

static void answer_with_age(struct fake_conn *conn, const Carillon__Request *request)
{
    Carillon__Staleness stale = CARILLON__STALENESS__INIT;
    Carillon__Reply reply = CARILLON__REPLY__INIT;

    stale.age_ms = 1234;
    stale.applied_index = 77;
    reply.id = request->id;
    reply.stale = &stale;
    fake_reply_message(conn, &reply);
}

static void tell(struct scene *scene, uint32_t leader)
{
    struct told *told = &scene->told;

    carillon__cluster__init(&told->message);
    told->message.nodes = told->list;
    told->message.n_nodes = NODES;
    for (uint32_t i = 0; i < NODES; i++) {
        carillon__cluster_node__init(&told->nodes[i]);
        told->nodes[i].node_id = wire_binary(slice_from((const uint8_t *)ids[i], 16));
        told->nodes[i].address = scene->addresses[i];
        told->nodes[i].leads = told->leads[i];
        told->nodes[i].n_leads = i == leader ? 2 : 0;
        told->leads[i][1] = 1;
        told->list[i] = &told->nodes[i];
    }
}

/* ---- the client's side ---- */

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    scene->world = io_uv_create();
    scene->io = io_uv_world(scene->world);
    for (uint32_t i = 0; i < NODES; i++) {
        fake_node_open(&scene->nodes[i], scene->io, 0);
        scene->nodes[i].context = scene;
        scene->nodes[i].node_id = ids[i];
        scene->nodes[i].request = answer;
        (void)snprintf(scene->addresses[i], ADDRESS_BYTES, "127.0.0.1:%u",
                       (unsigned)scene->nodes[i].port);
    }
    tell(scene, NODES);
    *state = scene;
    return 0;
}

static void make_client(struct scene *scene, const char *address)
{
    struct carillon_options options = {
        .address = address, .credential = "", .io = scene->io, .connect_ms = 1000};

    assert_int_equal(carillon_create(&options, &scene->client), OK);
    scene->key = carillon_key_make(scene->client);
}

static void on_destroyed(void *context)
{
    ((struct scene *)context)->is_destroyed = true;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    bool is_closed = false;

    if (scene->client != NULL) {
        carillon_destroy_in(scene->client, on_destroyed, scene);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        if (scene->nodes[i].is_listening) {
            fake_node_close(&scene->nodes[i]);
        }
    }
    for (int i = 0; i < PATIENCE_STEPS && !is_closed; i++) {
        io_uv_run_once(scene->world, STEP_MS);
        is_closed = (scene->client == NULL || scene->is_destroyed) &&
                    fake_node_is_closed(&scene->nodes[0]) &&
                    fake_node_is_closed(&scene->nodes[1]);
    }
    assert_true(is_closed);
    for (uint32_t i = 0; i < NODES; i++) {
        arena_fini(&scene->nodes[i].arena);
    }
    io_uv_destroy(scene->world);
    free(scene);
    return 0;
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct scene *scene = context;

    scene->ended++;
    scene->last = *reply;
    (void)snprintf(scene->text, sizeof scene->text, "%s", reply->text);
}

static void submit(struct scene *scene, struct carillon_call call)
{
    call.done = on_done;
    call.context = scene;
    call.deadline_ms = call.deadline_ms == 0 ? 10000 : call.deadline_ms;
    assert_int_equal(carillon_submit_call(scene->client, &call), OK);
    carillon_flush(scene->client);
}

static int wait_ended(struct scene *scene, uint32_t count)
{
    for (int i = 0; scene->ended < count && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(scene->world, STEP_MS);
    }
    assert_int_equal(scene->ended, count);
    return scene->last.status;
}

static int change(struct scene *scene)
{
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_SUBMIT,
                                         .key = &scene->key});
    return wait_ended(scene, scene->ended + 1);
}

static int look(struct scene *scene)
{
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_SHOW});
    return wait_ended(scene, scene->ended + 1);
}

static void both(struct scene *scene, char list[LIST_BYTES])
{
    (void)snprintf(list, LIST_BYTES, "%s,%s", scene->addresses[0], scene->addresses[1]);
}

/* ---- addresses that are given ---- */

static void peers__first_address_is_dead__the_second_answers(void **state)
{
    struct scene *scene = *state;
    char list[LIST_BYTES];

    both(scene, list);
    fake_node_close(&scene->nodes[0]);
    make_client(scene, list);
    assert_int_equal(change(scene), OK);
    assert_int_equal(scene->last.attempts, 1);
    assert_int_equal(scene->nodes[1].requests, 1);
}

static void peers__all_are_dead__is_said_once_all_were_tried(void **state)
{
    struct scene *scene = *state;
    char list[LIST_BYTES];

    both(scene, list);
    fake_node_close(&scene->nodes[0]);
    fake_node_close(&scene->nodes[1]);
    make_client(scene, list);
    assert_int_equal(change(scene), ERR_REFUSED_CONNECT);
    assert_int_equal(scene->last.attempts, 0);
}

static void peers__list_that_is_none__is_refused(void **state)
{
    struct scene *scene = *state;
    struct carillon_client *client;
    static const char *const lists[] = {"127.0.0.1:1,127.0.0.1:0", "127.0.0.1:1,,127.0.0.1:x",
                                        "127.0.0.1:99999"};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct carillon_options options = {.address = lists[i], .io = scene->io};

        assert_int_equal(carillon_create(&options, &client), ERR_ADDRESS);
    }
}

/* ---- nodes that others told of ---- */

static void peers__node_dies_of_a_change__is_sent_elsewhere_under_its_key(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = die;
    make_client(scene, scene->addresses[0]);
    assert_int_equal(change(scene), OK);
    assert_int_equal(scene->last.attempts, 2);
    assert_int_equal(scene->nodes[0].requests, 1);
    assert_int_equal(scene->nodes[1].requests, 1); /* answer() has compared the keys */
}

static void peers__change_without_a_key__is_not_sent_elsewhere(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = die;
    make_client(scene, scene->addresses[0]);
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_SUBMIT});
    assert_int_equal(wait_ended(scene, 1), ERR_TIMEOUT);
    assert_int_equal(scene->nodes[1].requests, 0);
}

static void peers__what_is_about_one_node__is_not_asked_of_another(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = die;
    make_client(scene, scene->addresses[0]);
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_STATUS});
    assert_int_equal(wait_ended(scene, 1), ERR_CLOSED);
    assert_int_equal(scene->nodes[1].requests, 0);
}

static void peers__told_to_stay__asks_nobody_else(void **state)
{
    struct scene *scene = *state;
    struct carillon_options options = {
        .address = scene->addresses[0], .credential = "", .io = scene->io, .stays = true};

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = die;
    assert_int_equal(carillon_create(&options, &scene->client), OK);
    scene->key = carillon_key_make(scene->client);
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_SUBMIT,
                                         .key = &scene->key,
                                         .deadline_ms = 500});
    assert_int_equal(wait_ended(scene, 1), ERR_TIMEOUT);
    assert_int_equal(scene->nodes[1].accepted, 0);
}

static void peers__told_with_an_answer__are_known_from_then_on(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].request = answer_and_tell;
    make_client(scene, scene->addresses[0]);
    assert_int_equal(look(scene), OK);
    fake_node_close(&scene->nodes[0]);
    assert_int_equal(look(scene), OK);
    assert_int_equal(scene->nodes[1].requests, 1);
}

static void peers__node_of_another_cluster__is_not_taken(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[1].cluster_id = "another cluster.";
    scene->nodes[0].request = die;
    make_client(scene, scene->addresses[0]);
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_SUBMIT,
                                         .key = &scene->key,
                                         .deadline_ms = 1000});
    assert_int_equal(wait_ended(scene, 1), ERR_TIMEOUT); /* unknown, and it stays so */
    assert_true(scene->nodes[1].accepted > 0);
    assert_int_equal(scene->nodes[1].requests, 0);
}

/* Its machine is gone, and said no word. */
static void peers__node_falls_silent__others_are_asked_in_time(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = say_nothing;
    make_client(scene, scene->addresses[0]);
    assert_int_equal(change(scene), OK);
    assert_int_equal(scene->last.attempts, 2);
    assert_int_equal(scene->nodes[1].requests, 1);
    assert_int_equal(scene->nodes[0].requests, 2); /* the change, and whether it is there */
}

/* What takes long is not asked elsewhere as long as the node is there. */
static void peers__node_takes_its_time__is_waited_for(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = answer_to_the_probe_only;
    make_client(scene, scene->addresses[0]);
    submit(scene, (struct carillon_call){.method = CARILLON__METHOD__METHOD_SUBMIT,
                                         .key = &scene->key,
                                         .deadline_ms = 3500});
    assert_int_equal(wait_ended(scene, 1), ERR_TIMEOUT);
    assert_int_equal(scene->last.attempts, 1);
    assert_int_equal(scene->nodes[1].requests, 0);
    assert_true(scene->nodes[0].requests >= 3);
}

/* A node that knows no leader is left for one that may know more. */
static void peers__node_that_leads_to_no_leader__is_left(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].cluster = &scene->told.message;
    scene->nodes[0].request = not_leader;
    make_client(scene, scene->addresses[0]);
    assert_int_equal(change(scene), OK);
    assert_int_equal(scene->nodes[1].requests, 1);
    for (int i = 0; scene->nodes[0].closed == 0 && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(scene->world, STEP_MS);
    }
    assert_int_equal(scene->nodes[0].closed, 1);
    assert_int_equal(carillon_counters(scene->client).lost, 0); /* it was left in order */
}

static void peers__after_many_answers__the_one_that_leads_is_asked(void **state)
{
    struct scene *scene = *state;

    tell(scene, 1);
    scene->nodes[0].cluster = scene->nodes[1].cluster = &scene->told.message;
    make_client(scene, scene->addresses[0]);
    for (int i = 0; i < ANSWERS_MANY; i++) {
        assert_int_equal(look(scene), OK);
        assert_int_equal(scene->last.attempts, 1);
    }
    assert_int_equal(scene->nodes[0].requests + scene->nodes[1].requests, ANSWERS_MANY);
    assert_true(scene->nodes[1].requests > 0);
    assert_int_equal(scene->nodes[1].accepted, 1);
}

/* One that cannot be reached is no reason to lose the one that can. */
static void peers__the_one_that_leads_is_dead__nothing_is_lost(void **state)
{
    struct scene *scene = *state;

    tell(scene, 1);
    scene->nodes[0].cluster = &scene->told.message;
    fake_node_close(&scene->nodes[1]);
    make_client(scene, scene->addresses[0]);
    for (int i = 0; i < ANSWERS_MANY; i++) {
        assert_int_equal(look(scene), OK);
        assert_int_equal(scene->last.attempts, 1);
    }
    assert_int_equal(scene->nodes[0].requests, ANSWERS_MANY);
}

/* Addresses that mean something else here than where they were told. */
static void peers__address_of_no_use__is_not_taken(void **state)
{
    struct scene *scene = *state;
    static const char *const useless[] = {"0.0.0.0:7440", "[::]:7440", "no name at all", ":x"};

    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        char address[ADDRESS_BYTES];

        (void)snprintf(address, sizeof address, "%s", useless[i]);
        scene->told.nodes[1].address = address;
        scene->nodes[0].request = answer_and_tell;
        if (scene->client == NULL) {
            make_client(scene, scene->addresses[0]);
        }
        assert_int_equal(look(scene), OK);
    }
    assert_int_equal(scene->nodes[0].accepted, 1);
}

/* ---- old states ---- */

static void stale__asked_for__says_its_age(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].request = answer_with_age;
    make_client(scene, scene->addresses[0]);
    submit(scene,
           (struct carillon_call){.method = CARILLON__METHOD__METHOD_SHOW, .stale_ok = true});
    assert_int_equal(wait_ended(scene, 1), OK);
    assert_true(scene->last.is_stale);
    assert_int_equal(scene->last.age_ms, 1234);
    assert_int_equal(scene->last.applied_index, 77);
}

static void stale__not_asked_for__is_not_taken(void **state)
{
    struct scene *scene = *state;

    scene->nodes[0].request = answer_with_age;
    make_client(scene, scene->addresses[0]);
    assert_int_equal(look(scene), ERR_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(peers__first_address_is_dead__the_second_answers),
        TEST(peers__all_are_dead__is_said_once_all_were_tried),
        TEST(peers__list_that_is_none__is_refused),
        TEST(peers__node_dies_of_a_change__is_sent_elsewhere_under_its_key),
        TEST(peers__change_without_a_key__is_not_sent_elsewhere),
        TEST(peers__what_is_about_one_node__is_not_asked_of_another),
        TEST(peers__told_to_stay__asks_nobody_else),
        TEST(peers__told_with_an_answer__are_known_from_then_on),
        TEST(peers__node_of_another_cluster__is_not_taken),
        TEST(peers__node_falls_silent__others_are_asked_in_time),
        TEST(peers__node_takes_its_time__is_waited_for),
        TEST(peers__node_that_leads_to_no_leader__is_left),
        TEST(peers__after_many_answers__the_one_that_leads_is_asked),
        TEST(peers__the_one_that_leads_is_dead__nothing_is_lost),
        TEST(peers__address_of_no_use__is_not_taken),
        TEST(stale__asked_for__says_its_age),
        TEST(stale__not_asked_for__is_not_taken),
    };

    return cmocka_run_group_tests_name("client_peers", tests, NULL, NULL);
}
