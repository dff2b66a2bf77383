/* Changes on their way through the node: gathered in a turn, and given up when they come too
 * late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum {
    BURST = 3 * NODE_GATHER_MAX + 7,
    OUTSTANDING = NODE_QUEUE_MIN + 64,
    SLOW_US = 400000,
    WALL_BYTES = NODE_GATHER_BYTES + 10
};

static uint64_t sometimes[SOMETIMES_NR];

static void begin(struct node_world *world)
{
    node_world_init(world, 5, NULL, sometimes);
    world->config.outstanding_max = 1024;
    world->config.log_segment_bytes = 4 << 20; /* room for a long batch */
    assert_int_equal(node_world_open(world), OK);
    for (int i = 0; i < 2; i++) { /* the catalogue, then the students */
        node_world_import(world);
        node_world_run_ms(world, 1000);
    }
    assert_int_equal(world->waves[1].state, WAVE_COMMITTED);
}

static void end(struct node_world *world)
{
    assert_string_equal(world->violation, "");
    node_world_close(world);
    node_world_fini(world);
}

struct asked {
    int status;
    uint32_t answers;
};

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct asked *asked = context;

    asked->status = reply->status;
    asked->answers++;
}

static struct carillon_client *client_of(struct node_world *world)
{
    const struct carillon_options options = {
        .credential = "",
        .address = "10.0.0.1:7440",
        .connections = 1,
        .outstanding_max = OUTSTANDING,
        .retry_never = true,
        .io = world->client_io[0],
    };
    struct carillon_client *client;

    assert_int_equal(carillon_create(&options, &client), OK);
    return client;
}

static void submit(struct carillon_client *client, const struct carillon_key *key,
                   const char *student, uint32_t deadline_ms, struct asked *asked)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *ops[] = {&op};
    char code[24];

    node_world_course(1, code);
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = code;
    op.waitlist = true;
    request.student = wire_text(student);
    request.n_ops = 1;
    request.ops = ops;
    const struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT,
        .deadline_ms = deadline_ms,
        .key = key,
        .message = &request.base,
        .done = on_done,
        .context = asked,
    };

    assert_int_equal(carillon_submit_call(client, &call), OK);
    carillon_flush(client);
}

static void on_destroyed(void *context)
{
    *(bool *)context = true;
}

static void destroy(struct node_world *world, struct carillon_client *client)
{
    bool is_gone = false;

    carillon_destroy_in(client, on_destroyed, &is_gone);
    for (int i = 0; i < 1000 && !is_gone; i++) {
        node_world_run_ms(world, 1);
    }
    assert_true(is_gone);
}

/* More than fit side by side, and among them one that is too large to be kept with others. */
static void node__many_writes_in_one_turn__answers_each_once(void **state)
{
    static struct node_world world;
    static struct asked asked[BURST];
    static char wall[WALL_BYTES];
    char student[24];

    (void)state;
    memset(asked, 0, sizeof asked);
    memset(wall, 'w', sizeof wall - 1);
    begin(&world);
    uint64_t before = world.node->shards[0].applied;
    struct carillon_client *client = client_of(&world);

    for (uint32_t i = 0; i < BURST; i++) {
        const struct carillon_key key = carillon_key_make(client);

        node_world_student(1 + i % NODE_WORLD_STUDENTS, student);
        submit(client, &key, i == BURST / 2 ? wall : student, 0, &asked[i]);
    }
    node_world_run_ms(&world, 3000);
    for (uint32_t i = 0; i < BURST; i++) {
        assert_int_equal(asked[i].answers, 1);
        if (i == BURST / 2) {
            assert_int_equal(asked[i].status, ERR_UNKNOWN_STUDENT);
        } else {
            assert_true(asked[i].status == OK || asked[i].status == ERR_REFUSED);
        }
    }
    assert_true(world.node->shards[0].applied == before + BURST - 1);
    destroy(&world, client);
    end(&world);
}

/* The deadline passes while the entry is on its way to the disk: nobody hears yes or no, and
 * whoever asks again with the same key hears what came of it. */
static void node__deadline_over_before_the_disk_answers__is_unknown(void **state)
{
    static struct node_world world;
    struct asked first = {0}, again = {0};

    (void)state;
    begin(&world);
    uint64_t before = world.node->shards[0].applied;
    struct carillon_client *client = client_of(&world);
    const struct carillon_key key = carillon_key_make(client);

    io_sim_sync_slow(world.io, SLOW_US);
    submit(client, &key, "s1", 20, &first);
    node_world_run_ms(&world, 3000);
    assert_int_equal(first.answers, 1);
    assert_int_equal(first.status, ERR_TIMEOUT);
    assert_int_equal(world.node->counters.late_answers, 1);
    assert_true(world.node->shards[0].applied == before + 1);
    /* The place it took among the unanswered is free again on either side. */
    assert_int_equal(carillon_counters(client).late, 1);

    io_sim_sync_slow(world.io, 0);
    submit(client, &key, "s1", 0, &again);
    node_world_run_ms(&world, 1000);
    assert_int_equal(again.answers, 1);
    assert_int_equal(again.status, OK);
    assert_int_equal(world.node->counters.late_answers, 1);
    destroy(&world, client);
    end(&world);
}

/* A turn that lasted longer than a write may take: it is refused before anything is written. */
static void node__deadline_over_before_it_is_proposed__writes_nothing(void **state)
{
    static struct node_world world;
    static const uint8_t key[16] = {0};
    struct node *node;

    (void)state;
    begin(&world);
    node = world.node;
    uint64_t before = node->shards[0].applied;
    struct carillon_client *client = client_of(&world);
    struct asked asked = {0};

    submit(client, &(struct carillon_key){{0}}, "s1", 0, &asked); /* makes a connection */
    node_world_run_ms(&world, 1000);
    struct conn *conn = NULL;
    for (uint32_t slot = 0; slot <= node->conns.limits.connections_max && conn == NULL;
         slot++) {
        conn = node->conns.slots[slot];
    }
    assert_non_null(conn);
    const struct envelope_request request = {.id = 1u << 30,
                                             .method = CARILLON__METHOD__METHOD_SUBMIT,
                                             .key = slice_from(key, sizeof key)};
    uint32_t outstanding = conn->outstanding;

    const struct asker asker = {conn, conn->name, request.id};

    node__write(&node->shards[0], &asker, &request, io_now_ns(node->io) - 1);
    node__writes_admit(node);
    assert_int_equal(conn->outstanding, outstanding);
    assert_true(node->shards[0].pending_first == node->shards[0].pending_last);
    assert_true(node->shards[0].applied == before);
    destroy(&world, client);
    end(&world);
}

/* A disk that takes its time, and more writes than it keeps up with: whoever comes when those
 * before him wait for long is told to come again, at once; those before him are answered, and
 * afterwards all is as it was. */
static void node__writes_wait_for_long__turns_newcomers_away(void **state)
{
    static struct node_world world;
    static struct asked early[NODE_QUEUE_MIN], late[8], after;
    char student[24];

    (void)state;
    memset(early, 0, sizeof early);
    memset(late, 0, sizeof late);
    memset(&after, 0, sizeof after);
    begin(&world);
    struct carillon_client *client = client_of(&world);

    io_sim_sync_slow(world.io, (uint64_t)5 * SLOW_US);
    for (uint32_t i = 0; i < NODE_QUEUE_MIN; i++) {
        const struct carillon_key key = carillon_key_make(client);

        node_world_student(1 + i % NODE_WORLD_STUDENTS, student);
        submit(client, &key, student, 0, &early[i]);
        if (i == 0) {
            node_world_run_ms(&world, 20); /* its batch is on its way; the others wait */
        }
    }
    node_world_run_ms(&world, NODE_QUEUE_MS + 200);
    for (uint32_t i = 0; i < 8; i++) {
        const struct carillon_key key = carillon_key_make(client);

        submit(client, &key, "s1", 0, &late[i]);
    }
    node_world_run_ms(&world, 100);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(late[i].answers, 1);
        assert_int_equal(late[i].status, ERR_BUSY);
    }
    assert_int_equal(early[NODE_QUEUE_MIN - 1].answers, 0); /* its batch is on its way */
    node_world_run_ms(&world, 9000);
    for (uint32_t i = 0; i < NODE_QUEUE_MIN; i++) {
        assert_int_equal(early[i].answers, 1);
        if (early[i].status != OK && early[i].status != ERR_REFUSED) {
            fail_msg("write %u: %s", i, error_name(early[i].status));
        }
    }
    const struct carillon_key key = carillon_key_make(client);

    submit(client, &key, "s2", 0, &after);
    node_world_run_ms(&world, 3000);
    assert_int_equal(after.answers, 1);
    assert_true(after.status == OK || after.status == ERR_REFUSED);
    destroy(&world, client);
    end(&world);
}

/* Links to other nodes may take longer to close than the engine: what comes in meanwhile must
 * not look for a group. */
static void node__asked_behind_its_engines_end__says_so(void **state)
{
    static struct node_world world;
    struct asked asked = {0};

    (void)state;
    begin(&world);
    struct carillon_client *client = client_of(&world);
    const struct carillon_key key = carillon_key_make(client);
    uint32_t groups = world.node->raft.group_count;

    world.node->engine_is_closed = true;
    world.node->raft.group_count = 0;
    submit(client, &key, "s1", 200, &asked);
    node_world_run_ms(&world, 1000);
    assert_int_equal(asked.answers, 1);
    assert_int_equal(asked.status, ERR_STOPPED);
    world.node->engine_is_closed = false;
    world.node->raft.group_count = groups;
    destroy(&world, client);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__many_writes_in_one_turn__answers_each_once),
        cmocka_unit_test(node__deadline_over_before_the_disk_answers__is_unknown),
        cmocka_unit_test(node__asked_behind_its_engines_end__says_so),
        cmocka_unit_test(node__deadline_over_before_it_is_proposed__writes_nothing),
        cmocka_unit_test(node__writes_wait_for_long__turns_newcomers_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
