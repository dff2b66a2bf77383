/* The client in the simulation, against a node that takes changes by key and loses connections
 * at every moment: whatever happens, yes means done once, no means not done, and only unknown
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
};

/* Chances in a million, at each request the node receives. */
struct weather {
    uint32_t busy;       /* refused for load, nothing done */
    uint32_t cut_before; /* the connection breaks, nothing done */
    uint32_t cut_after;  /* done, and the connection breaks before the answer */
    uint32_t silent;     /* done, and never answered */
};

struct request {
    struct scene *scene;
    int status; /* PENDING until it ended */
    uint32_t ends;
    uint32_t attempts;
};

struct scene {
    struct io_sim *sim;
    struct fake_node node;
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

/* A change happens once for its key; the request's number stands in the body. */
static void node_take(struct fake_conn *conn, const Carillon__Request *request)
{
    struct scene *scene = conn->node->context;
    uint32_t number;

    assert_int_equal(request->body.len, sizeof number);
    memcpy(&number, request->body.data, sizeof number);
    assert_true(number < REQUESTS);
    assert_int_equal(request->key.len, CARILLON_KEY_BYTES);
    assert_memory_equal(request->key.data, scene->keys[number].bytes, CARILLON_KEY_BYTES);
    if (rng_chance(&scene->rng, scene->weather.busy)) {
        fake_reply(conn, request->id, ERR_BUSY, SLICE_NONE);
        return;
    }
    if (rng_chance(&scene->rng, scene->weather.cut_before)) {
        fake_conn_cut(conn);
        return;
    }
    scene->is_done[number] = true;
    if (rng_chance(&scene->rng, scene->weather.cut_after)) {
        fake_conn_cut(conn);
        return;
    }
    if (!rng_chance(&scene->rng, scene->weather.silent)) {
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

    return scene->is_destroyed && fake_node_is_closed(&scene->node);
}

/* Run one scene to its end. Returns: the trace hash. */
static uint64_t scene_run(struct scene *scene, uint64_t seed, const struct weather *weather)
{
    memset(scene, 0, sizeof *scene);
    scene->sim = io_sim_create(seed, NULL);
    scene->weather = *weather;
    rng_init(&scene->rng, seed);
    struct io *server = io_sim_machine_create(scene->sim, "10.0.0.1");
    struct io *user = io_sim_machine_create(scene->sim, "10.0.0.2");
    fake_node_open_at(&scene->node, server, "10.0.0.1", PORT);
    scene->node.request = node_take;
    scene->node.context = scene;
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
    struct carillon_client *client = scene->client;
    scene->client = NULL;
    carillon_destroy_in(client, on_destroyed, scene);
    fake_node_close(&scene->node);
    assert_true(io_sim_run_until(scene->sim, is_torn_down, scene, LIMIT_MS));
    uint64_t hash = io_sim_trace_hash(scene->sim);
    arena_fini(&scene->node.arena);
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
        cmocka_unit_test(sim__fair_weather__everything_is_yes_at_once),
        cmocka_unit_test(sim__same_seed__same_bytes),
        cmocka_unit_test(check__lies__are_refused),
    };

    return cmocka_run_group_tests_name("client_sim", tests, NULL, NULL);
}
