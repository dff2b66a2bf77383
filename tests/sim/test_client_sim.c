/* The client in the simulation, against nodes that take changes by key and lose connections, or
 * die, at every moment: whatever happens, yes means done once, no means not done, and only unknown
 * leaves it open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rng.h"
#include "client/carillon.h"
#include "io_sim/io_sim.h"
#include "tests/lib/fake_node.h"
#include "wire/message.h"

enum {
    SEEDS = 60,
    REQUESTS = 400,
    OUTSTANDING = 16,
    DEADLINE_MS = 3000,
    PORT = 7440,
    LIMIT_MS = 600000,
    PENDING = 1, /* no answer yet */
    NODES_MAX = 3,
    REVIVE_MS = 300,
    ADDRESS_BYTES = 32,
};

/* Chances in a million, at each request the node receives. */
struct weather {
    uint32_t busy;       /* refused for load, nothing done */
    uint32_t cut_before; /* the connection breaks, nothing done */
    uint32_t cut_after;  /* done, and the connection breaks before the answer */
    uint32_t silent;     /* done, and never answered */
    uint32_t die_before; /* the whole node is gone for a while, nothing done */
    uint32_t die_after;  /* done, and it is gone before the answer */
    uint32_t not_leader; /* refused, nothing done */
    uint32_t nodes;      /* of one cluster, which is what is done; 0: 1 */
};

struct request {
    struct scene *scene;
    int status; /* PENDING until it ended */
    uint32_t ends;
    uint32_t attempts;
};

struct scene {
    struct io_sim *sim;
    struct fake_node nodes[NODES_MAX];
    struct io *servers[NODES_MAX];
    bool is_dying[NODES_MAX];
    uint32_t node_count;
    uint32_t deaths;
    struct io_timer revive;
    char addresses[NODES_MAX][ADDRESS_BYTES];
    Carillon__Cluster cluster;
    Carillon__ClusterNode rows[NODES_MAX];
    Carillon__ClusterNode *row_list[NODES_MAX];
    uint32_t taken_by[NODES_MAX]; /* requests */
    struct carillon_client *client;
    struct rng rng;
    struct weather weather;
    struct request requests[REQUESTS];
    uint32_t submitted;
    uint32_t ended;
    bool is_done[REQUESTS]; /* the node's state */
    struct carillon_key keys[REQUESTS];
    bool is_destroyed;
};

/* ---- the node ---- */

static void node_take(struct fake_conn *conn, const Carillon__Request *request);

static void node_open(struct scene *scene, uint32_t number)
{
    char address[ADDRESS_BYTES];

    (void)snprintf(address, sizeof address, "10.0.0.%u", number + 1);
    fake_node_open_at(&scene->nodes[number], scene->servers[number], address, PORT);
    scene->nodes[number].request = node_take;
    scene->nodes[number].context = scene;
    scene->nodes[number].node_id = (const char *)scene->rows[number].node_id.data;
    scene->nodes[number].cluster = &scene->cluster;
    scene->is_dying[number] = false;
}

static void node_die(struct fake_node *node)
{
    struct scene *scene = node->context;
    uint32_t number = (uint32_t)(node - scene->nodes);

    scene->is_dying[number] = true;
    scene->deaths++;
    fake_node_close(node);
}

/* Whoever is gone comes back, as another process with the same data. */
static void on_revive(struct io_timer *timer)
{
    struct scene *scene = CONTAINER_OF(timer, struct scene, revive);

    for (uint32_t i = 0; i < scene->node_count; i++) {
        if (scene->is_dying[i] && fake_node_is_closed(&scene->nodes[i]) &&
            rng_chance(&scene->rng, 500000)) {
            arena_fini(&scene->nodes[i].arena);
            node_open(scene, i);
        }
    }
    io_timer_start(scene->servers[0], timer, REVIVE_MS, on_revive);
}

/* Trouble before anything is done. Returns: whether that was it. */
static bool is_troubled(struct fake_conn *conn, const Carillon__Request *request)
{
    struct scene *scene = conn->node->context;
    const struct weather *weather = &scene->weather;

    if (rng_chance(&scene->rng, weather->busy)) {
        fake_reply(conn, request->id, ERR_BUSY, SLICE_NONE);
    } else if (rng_chance(&scene->rng, weather->not_leader)) {
        fake_reply(conn, request->id, ERR_NOT_LEADER, SLICE_NONE);
    } else if (rng_chance(&scene->rng, weather->cut_before)) {
        fake_conn_cut(conn);
    } else if (rng_chance(&scene->rng, weather->die_before)) {
        node_die(conn->node);
    } else {
        return false;
    }
    return true;
}

/* A change happens once for its key, whichever node it is asked of; the request's number stands
 * in the body. */
static void node_take(struct fake_conn *conn, const Carillon__Request *request)
{
    struct scene *scene = conn->node->context;
    uint32_t number;

    if (request->method == CARILLON__METHOD__METHOD_NONE) {
        fake_reply(conn, request->id, OK, SLICE_NONE); /* whether anybody is there */
        return;
    }
    assert_int_equal(request->body.len, sizeof number);
    memcpy(&number, request->body.data, sizeof number);
    assert_true(number < REQUESTS);
    assert_int_equal(request->key.len, CARILLON_KEY_BYTES);
    assert_memory_equal(request->key.data, scene->keys[number].bytes, CARILLON_KEY_BYTES);
    scene->taken_by[conn->node - scene->nodes]++;
    if (is_troubled(conn, request)) {
        return;
    }
    scene->is_done[number] = true;
    if (rng_chance(&scene->rng, scene->weather.cut_after)) {
        fake_conn_cut(conn);
    } else if (rng_chance(&scene->rng, scene->weather.die_after)) {
        node_die(conn->node);
    } else if (!rng_chance(&scene->rng, scene->weather.silent)) {
        fake_reply(conn, request->id, OK, SLICE_NONE);
    }
}

/* ---- the client's side ---- */

static void submit_next(struct scene *scene);

static void request_on_done(void *context, const struct carillon_reply *reply)
{
    struct request *request = context;
    struct scene *scene = request->scene;

    request->status = reply->status;
    request->attempts = reply->attempts;
    request->ends++;
    scene->ended++;
    submit_next(scene);
}

static void submit_next(struct scene *scene)
{
    uint32_t number = scene->submitted;

    if (number == REQUESTS || scene->client == NULL) {
        return;
    }
    scene->submitted++;
    scene->keys[number] = carillon_key_make(scene->client);
    scene->requests[number] = (struct request){.scene = scene, .status = PENDING};
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT,
        .deadline_ms = DEADLINE_MS,
        .key = &scene->keys[number],
        .body = &number,
        .body_bytes = sizeof number,
        .done = request_on_done,
        .context = &scene->requests[number],
    };
    assert_int_equal(carillon_submit_call(scene->client, &call), OK);
}

static bool all_ended(void *context)
{
    return ((const struct scene *)context)->ended == REQUESTS;
}

static void on_destroyed(void *context)
{
    ((struct scene *)context)->is_destroyed = true;
}

static bool is_torn_down(void *context)
{
    const struct scene *scene = context;

    for (uint32_t i = 0; i < scene->node_count; i++) {
        if (!fake_node_is_closed(&scene->nodes[i])) {
            return false;
        }
    }
    return scene->is_destroyed;
}

/* What the nodes tell of one another. */
static void cluster_make(struct scene *scene)
{
    static const char *const ids[NODES_MAX] = {"node number one.", "node number two.",
                                               "node number 3..."};

    carillon__cluster__init(&scene->cluster);
    scene->cluster.nodes = scene->row_list;
    scene->cluster.n_nodes = scene->node_count;
    for (uint32_t i = 0; i < scene->node_count; i++) {
        carillon__cluster_node__init(&scene->rows[i]);
        (void)snprintf(scene->addresses[i], ADDRESS_BYTES, "10.0.0.%u:%d", i + 1, PORT);
        scene->rows[i].node_id = wire_binary(slice_from((const uint8_t *)ids[i], 16));
        scene->rows[i].address = scene->addresses[i];
        scene->row_list[i] = &scene->rows[i];
    }
}

static void scene_end(struct scene *scene)
{
    struct carillon_client *client = scene->client;

    scene->client = NULL;
    carillon_destroy_in(client, on_destroyed, scene);
    io_timer_stop(scene->servers[0], &scene->revive);
    for (uint32_t i = 0; i < scene->node_count; i++) {
        if (!scene->is_dying[i]) {
            fake_node_close(&scene->nodes[i]);
        }
    }
    assert_true(io_sim_run_until(scene->sim, is_torn_down, scene, LIMIT_MS));
    for (uint32_t i = 0; i < scene->node_count; i++) {
        arena_fini(&scene->nodes[i].arena);
    }
}

/* Run one scene to its end. Returns: the trace hash. */
static uint64_t scene_run(struct scene *scene, uint64_t seed, const struct weather *weather)
{
    memset(scene, 0, sizeof *scene);
    scene->sim = io_sim_create(seed, NULL);
    scene->weather = *weather;
    rng_init(&scene->rng, seed);
    scene->node_count = weather->nodes == 0 ? 1 : weather->nodes;
    cluster_make(scene);
    for (uint32_t i = 0; i < scene->node_count; i++) {
        char address[ADDRESS_BYTES];

        (void)snprintf(address, sizeof address, "10.0.0.%u", i + 1);
        scene->servers[i] = io_sim_machine_create(scene->sim, address);
        node_open(scene, i);
    }
    struct io *user = io_sim_machine_create(scene->sim, "10.0.1.1");
    io_timer_start(scene->servers[0], &scene->revive, REVIVE_MS, on_revive);
    struct carillon_options options = {.address = "10.0.0.1:7440",
                                       .credential = "",
                                       .connections = 3,
                                       .outstanding_max = OUTSTANDING,
                                       .io = user};
    assert_int_equal(carillon_create(&options, &scene->client), OK);
    for (int i = 0; i < OUTSTANDING; i++) {
        submit_next(scene);
    }
    carillon_flush(scene->client);
    assert_true(io_sim_run_until(scene->sim, all_ended, scene, LIMIT_MS));
    scene_end(scene);
    uint64_t hash = io_sim_trace_hash(scene->sim);
    io_sim_destroy(scene->sim);
    return hash;
}

struct tally {
    uint32_t yes;
    uint32_t no;
    uint32_t unknown;
    uint32_t again; /* took more than one attempt */
};

/* Three answers, each true. Returns: false when one is not. */
static bool scene_check(const struct scene *scene, struct tally *tally)
{
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const struct request *request = &scene->requests[i];

        if (request->ends != 1) {
            return false;
        }
        tally->again += request->attempts > 1;
        if (request->status == OK) {
            tally->yes++;
            if (!scene->is_done[i]) {
                return false;
            }
        } else if (request->status == ERR_TIMEOUT) {
            tally->unknown++;
        } else {
            tally->no++;
            if (scene->is_done[i]) {
                return false;
            }
        }
    }
    return true;
}

static void sim__weather_of_every_kind__answers_are_true(void **state)
{
    static const struct weather weather = {
        .busy = 200000, .cut_before = 20000, .cut_after = 20000, .silent = 10000};
    struct scene *scene = calloc(1, sizeof *scene);
    struct tally tally = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scene_run(scene, seed, &weather);
        if (!scene_check(scene, &tally)) {
            fail_msg("an answer is not true: seed %llu", (unsigned long long)seed);
        }
    }
    /* every kind of answer was seen, or the scene proves nothing */
    assert_true(tally.yes > SEEDS * REQUESTS / 2);
    assert_true(tally.no > 0);
    assert_true(tally.unknown > 0);
    assert_true(tally.again > SEEDS);
    free(scene);
}

/* The client knows one address to begin with; nodes die under it and come back. */
static void sim__nodes_that_die__answers_are_true_and_all_are_asked(void **state)
{
    static const struct weather weather = {.busy = 5000,
                                           .cut_before = 500,
                                           .cut_after = 500,
                                           .silent = 500,
                                           .die_before = 2000,
                                           .die_after = 2000,
                                           .not_leader = 5000,
                                           .nodes = NODES_MAX};
    struct scene *scene = calloc(1, sizeof *scene);
    struct tally tally = {0};
    uint32_t deaths = 0, asked_of_all = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scene_run(scene, seed, &weather);
        if (!scene_check(scene, &tally)) {
            fail_msg("an answer is not true: seed %llu", (unsigned long long)seed);
        }
        deaths += scene->deaths;
        asked_of_all += scene->taken_by[0] > 0 && scene->taken_by[1] > 0 && scene->taken_by[2] > 0;
    }
    print_message("%u deaths, %u yes, %u no, %u unknown, %u again, all asked in %u\n", deaths,
                  tally.yes, tally.no, tally.unknown, tally.again, asked_of_all);
    assert_true(deaths > SEEDS);
    assert_true(asked_of_all > SEEDS / 4);
    assert_true(tally.again > SEEDS);
    assert_true(tally.unknown > 0);
    /* a node that dies is no reason to give up: only those that were never answered are left */
    assert_true(tally.yes > SEEDS * REQUESTS * 9 / 10);
    free(scene);
}

static void sim__fair_weather__everything_is_yes_at_once(void **state)
{
    static const struct weather weather = {0};
    struct scene *scene = calloc(1, sizeof *scene);
    struct tally tally = {0};

    (void)state;
    scene_run(scene, 7, &weather);
    assert_true(scene_check(scene, &tally));
    assert_int_equal(tally.yes, REQUESTS);
    assert_int_equal(tally.again, 0);
    free(scene);
}

static void sim__same_seed__same_bytes(void **state)
{
    static const struct weather weather = {
        .busy = 100000, .cut_before = 30000, .cut_after = 30000, .silent = 5000};
    struct scene *scene = calloc(1, sizeof *scene);

    (void)state;
    uint64_t first = scene_run(scene, 11, &weather);
    assert_true(scene_run(scene, 11, &weather) == first);
    assert_true(scene_run(scene, 12, &weather) != first);
    free(scene);
}

/* The check itself: a no that happened and a yes that did not must be refused. */
static void check__lies__are_refused(void **state)
{
    static const struct weather weather = {0};
    struct scene *scene = calloc(1, sizeof *scene);
    struct tally tally = {0};

    (void)state;
    scene_run(scene, 3, &weather);
    scene->is_done[5] = false;
    assert_false(scene_check(scene, &tally));
    scene->is_done[5] = true;
    scene->requests[9].status = ERR_BUSY;
    assert_false(scene_check(scene, &tally));
    scene->requests[9].status = OK;
    scene->requests[9].ends = 2;
    assert_false(scene_check(scene, &tally));
    free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sim__weather_of_every_kind__answers_are_true),
        cmocka_unit_test(sim__nodes_that_die__answers_are_true_and_all_are_asked),
        cmocka_unit_test(sim__fair_weather__everything_is_yes_at_once),
        cmocka_unit_test(sim__same_seed__same_bytes),
        cmocka_unit_test(check__lies__are_refused),
    };

    return cmocka_run_group_tests_name("client_sim", tests, NULL, NULL);
}
