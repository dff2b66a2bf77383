/* The whole node in a simulated world: students and registrars at work while power fails,
 * processes die, disks fill up, slow down and break. After each trouble everything that was
 * told is compared with what the node holds. SEED=n runs one seed of the campaign and says what
 * happened in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "node/node_private.h"
#include "proto/operator.pb-c.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"
#include "tests/lib/node_world.h"

enum {
    SEEDS_MERGE = 400,
    SEEDS_NIGHTLY = 5000,
    SEEDS_TWICE = 8, /* every so many is run twice */
    SEEDS_LYING = 40,
    ROUNDS_MAX = 4,
    ROUND_OPS = 45,
    RUSH_OPS = 5,
    RUSH_STEPS = 100,
    ASKED_MAX = 24,
    QUIET_EVENTS = 40,
    SLOW_US = 30000,
    ROOM_MS = 9000, /* longer than the node waits before it looks for room again */
    STARTS_MAX = 20,
};

static uint64_t sometimes[SOMETIMES_NR];
static uint64_t power_on_seed; /* given by SEED=, or UINT64_MAX */

static bool is_telling(void)
{
    return power_on_seed != UINT64_MAX;
}

/* ---- a day without trouble ---- */

static bool wave_is_on(const struct node_world *world)
{
    return world->wave_count > 0 &&
           world->waves[world->wave_count - 1].state <= WAVE_COMMITTING;
}

/* Requests over several connections, in bursts or now and then, as long as the node is well. */
static void work(struct node_world *world, uint32_t ops)
{
    uint64_t quiet = rng_between(&world->rng, 2, QUIET_EVENTS);

    for (uint32_t asked = 0; asked < ops && node_world_is_well(world);) {
        if (world->asked < ASKED_MAX && rng_chance(&world->rng, 400000)) {
            node_world_ask_random(world);
            asked++;
        }
        for (uint64_t n = rng_below(&world->rng, quiet); n > 0 && node_world_is_well(world);
             n--) {
            (void)node_world_step(world);
        }
    }
}

static void import(struct node_world *world)
{
    node_world_import(world);
    while (wave_is_on(world) && node_world_is_well(world) && node_world_step(world)) {
    }
}

static void begin_term(struct node_world *world)
{
    if (node_world_open(world) != OK) {
        node_world_violate(world, "the first start: %s", buf_text(&world->text));
        return;
    }
    import(world);
    import(world);
    node_world_ask(node_world_op(world, WORLD_LIMITS));
    node_world_settle(world);
}

/* ---- starting again ---- */

/* Until the node serves: recovery may meet the same troubles once more. */
static void start_again(struct node_world *world)
{
    for (int starts = 0; starts < STARTS_MAX && world->violation[0] == '\0'; starts++) {
        if (io_sim_is_down(world->io)) {
            node_world_up(world);
        }
        if (starts < 3 && rng_chance(&world->rng, 350000)) {
            io_sim_crash_at(world->io, rng_between(&world->rng, 1, 60));
        }
        int rc = node_world_open(world);

        if (io_sim_is_down(world->io)) {
            sometimes[SOMETIMES_CUT_IN_RECOVERY]++;
            node_world_fallen(world);
            continue;
        }
        if (rc == OK) {
            return;
        }
        if (rc == ERR_DISK_FULL) {
            io_sim_disk_bytes_set(world->io, 0);
        } else if (rc != ERR_IO) {
            node_world_violate(world, "the node does not start: %s", buf_text(&world->text));
        }
        io_sim_fail_clear(world->io);
    }
    node_world_violate(world, "the node does not start");
}

/* There is room on the disk. Returns: whether the node finds it, when it was short of it. */
static bool make_room(struct node_world *world)
{
    io_sim_disk_bytes_set(world->io, 0);
    if (!world->is_short) {
        return true;
    }
    world->is_short = false;
    node_world_run_ms(world, ROOM_MS);
    return !node_world_is_well(world) || world->node->is_writable;
}

/* Whatever has become of the process: bring it back, ask again what nobody answered, compare.
 */
static void recover(struct node_world *world)
{
    for (int i = 0; i < STARTS_MAX && world->violation[0] == '\0'; i++) {
        if (io_sim_is_down(world->io)) {
            node_world_fallen(world);
        }
        if (world->node != NULL && !node_world_is_well(world)) {
            node_world_close(world);
        }
        if (world->node == NULL) {
            start_again(world);
        }
        io_sim_fail_clear(world->io);
        if (node_world_is_well(world) && !make_room(world)) {
            node_world_violate(world, "writes are still refused though there is room");
        }
        node_world_settle(world);
        if (node_world_is_well(world)) {
            break;
        }
    }
    if (node_world_is_well(world)) {
        node_world_check(world);
    }
}

/* ---- troubles ---- */

static void trouble_none(struct node_world *world)
{
    work(world, ROUND_OPS);
}

static void trouble_resets(struct node_world *world)
{
    for (int i = 0; i < 4; i++) {
        work(world, ROUND_OPS / 4);
        struct conn_table *table = &world->node->conns;
        struct conn *conn = table->slots[rng_below(&world->rng, table->limits.connections_max)];

        if (conn != NULL && !conn->is_closing) {
            io_sim_stream_reset(&conn->stream);
            sometimes[SOMETIMES_RESET]++;
        }
    }
}

static void trouble_kill(struct node_world *world)
{
    work(world, (uint32_t)rng_between(&world->rng, 1, ROUND_OPS));
    node_world_kill(world);
}

/* Power fails in the middle of some file call. */
static void trouble_cut(struct node_world *world)
{
    io_sim_crash_at(world->io, rng_between(&world->rng, 1, 160));
    work(world, ROUND_OPS);
    if (node_world_is_well(world)) {
        node_world_cut(world);
    }
}

static void trouble_cut_in_snapshot(struct node_world *world)
{
    work(world, 10);
    if (node_world_is_well(world)) {
        int rc = engine_snapshot(world->node->engine, NODE_GROUP_SHARD, NULL);

        ASSERT(rc == SM_PENDING);
        io_sim_crash_at(world->io, rng_between(&world->rng, 1, 30));
        work(world, 10);
    }
    if (node_world_is_well(world)) {
        node_world_cut(world);
    }
}

static void trouble_cut_in_import(struct node_world *world)
{
    work(world, 5);
    node_world_import(world);
    io_sim_crash_at(world->io, rng_between(&world->rng, 1, 24));
    work(world, 20);
    if (node_world_is_well(world)) {
        node_world_check_reads(world);
        node_world_cut(world);
    }
}

static void trouble_import(struct node_world *world)
{
    node_world_import(world);
    work(world, 10);
    if (node_world_is_well(world)) {
        node_world_check_reads(world);
    }
}

static void trouble_slow(struct node_world *world)
{
    io_sim_sync_slow(world->io, rng_below(&world->rng, SLOW_US));
    work(world, ROUND_OPS);
    io_sim_sync_slow(world->io, 0);
}

/* A write or sync fails, once or from then on: the node stops and tells nothing more. */
static void trouble_failing(struct node_world *world)
{
    static const enum io_sim_call kinds[] = {IO_SIM_WRITE, IO_SIM_SYNC, IO_SIM_ANY};

    io_sim_fail(world->io, kinds[rng_below(&world->rng, 3)], rng_between(&world->rng, 1, 60),
                ERR_IO, rng_chance(&world->rng, 500000));
    work(world, ROUND_OPS);
    if (world->is_failed) {
        node_world_run_ms(world, 100);
        io_sim_fail_clear(world->io);
        node_world_close(world);
    }
    if (!io_sim_is_down(world->io)) {
        if (rng_chance(&world->rng, 500000)) {
            node_world_kill(world);
        } else {
            node_world_cut(world);
        }
    }
}

/* Several at once, and event by event until there is no room: so that some wait at that very moment. */
static void rush(struct node_world *world)
{
    for (int i = 0; i < RUSH_OPS && node_world_is_well(world); i++) {
        node_world_ask_random(world);
    }
    for (int i = 0; i < RUSH_STEPS && node_world_is_well(world) && world->node->is_writable; i++) {
        (void)node_world_step(world);
    }
}

/* There is no room, then there is: reads go on all the time, writes by themselves afterwards.
 */
static void trouble_full(struct node_world *world)
{
    const uint64_t plenty = 1ULL << 30;
    uint64_t free_bytes = plenty;

    world->is_short = true;
    io_sim_disk_bytes_set(world->io, plenty);
    if (io_folder_free_bytes(world->io, "data", &free_bytes) != OK) {
        return;
    }
    io_sim_disk_bytes_set(world->io, plenty - free_bytes + rng_below(&world->rng, 16 << 10));
    for (int i = 0; i < 12 && node_world_is_well(world) && world->node->is_writable; i++) {
        work(world, ROUND_OPS);
        rush(world);
    }
    if (!node_world_is_well(world)) {
        return;
    }
    if (!world->node->is_writable) {
        sometimes[SOMETIMES_FULL_WAITING] +=
            world->node->shards[0].pending_first != world->node->shards[0].pending_last;
        node_world_check_reads(world);
    }
    if (rng_chance(&world->rng, 300000)) {
        node_world_cut(world);
    }
}

struct trouble {
    const char *name;
    void (*happen)(struct node_world *world);
};

static const struct trouble troubles[] = {
    {"none",                   trouble_none           },
    {"connections reset",      trouble_resets         },
    {"killed",                 trouble_kill           },
    {"power cut",              trouble_cut            },
    {"power cut",              trouble_cut            },
    {"power cut in snapshot",  trouble_cut_in_snapshot},
    {"power cut in an import", trouble_cut_in_import  },
    {"import",                 trouble_import         },
    {"slow disk",              trouble_slow           },
    {"failing disk",           trouble_failing        },
    {"full disk",              trouble_full           },
};

enum { TROUBLES = sizeof troubles / sizeof troubles[0] };

/* ---- the story of one seed ---- */

static void story(struct node_world *world)
{
    uint64_t rounds = rng_between(&world->rng, 2, ROUNDS_MAX);

    begin_term(world);
    for (uint64_t i = 0; i < rounds && world->violation[0] == '\0'; i++) {
        const struct trouble *trouble = &troubles[rng_below(&world->rng, TROUBLES)];

        if (is_telling()) {
            print_message("at %llu ms, entry %llu: %s\n",
                          (unsigned long long)(io_sim_now_ns(world->sim) / 1000000),
                          (unsigned long long)world->node->shards[0].applied, trouble->name);
        }
        trouble->happen(world);
        recover(world);
    }
    if (world->violation[0] == '\0') {
        node_world_close(world);
        node_world_cut(world);
        recover(world);
    }
}

struct outcome {
    uint64_t hash;
    char violation[512];
};

static struct outcome run(uint64_t seed, bool lies)
{
    struct node_world world;
    struct outcome outcome;

    node_world_init(&world, seed, NULL, sometimes);
    io_sim_sync_lies(world.io, lies);
    story(&world);
    outcome.hash = io_sim_trace_hash(world.sim);
    memcpy(outcome.violation, world.violation, sizeof outcome.violation);
    node_world_fini(&world);
    return outcome;
}

static uint64_t seeds(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? SEEDS_NIGHTLY : SEEDS_MERGE;
}

static void node__in_any_trouble__keeps_what_it_told(void **state)
{
    uint64_t first = is_telling() ? power_on_seed : 0;
    uint64_t end = is_telling() ? first + 1 : seeds();
    uint64_t violations = 0;

    (void)state;
    for (uint64_t seed = first; seed < end; seed++) {
        struct outcome outcome = run(seed, false);

        if (outcome.violation[0] != '\0') {
            print_error("SEED=%llu: %s\n", (unsigned long long)seed, outcome.violation);
            violations++;
        }
        if (seed % SEEDS_TWICE == 0) {
            assert_true(run(seed, false).hash == outcome.hash);
        }
    }
    assert_int_equal(violations, 0);
}

/* What the campaign says it tests has happened. */
static void node__campaign__has_met_every_trouble(void **state)
{
    uint64_t never = 0;

    (void)state;
    if (is_telling()) {
        skip();
    }
    for (int i = 0; i < SOMETIMES_NR; i++) {
        print_message("%8llu  %s\n", (unsigned long long)sometimes[i],
                      node_world_sometimes_names[i]);
        never += sometimes[i] == 0;
    }
    assert_int_equal(never, 0);
}

/* The control: with a sync that does nothing the same checks must find something missing. */
static void node__with_a_sync_that_lies__is_found_out(void **state)
{
    uint64_t found = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS_LYING; seed++) {
        found += run(seed, true).violation[0] != '\0';
    }
    print_message("%llu of %d seeds found out\n", (unsigned long long)found, SEEDS_LYING);
    assert_true(found > SEEDS_LYING / 4);
}

/* The figures that a node tells, of its processor time too, are of the world it lives in. */
static uint64_t hash_of_figures(void)
{
    const Carillon__StatusRequest status = CARILLON__STATUS_REQUEST__INIT;
    Carillon__SearchRequest search = CARILLON__SEARCH_REQUEST__INIT;
    Carillon__StatusReply *told;
    Carillon__SearchReply *found;
    struct node_world world;

    search.query = wire_text("open:true");
    node_world_init(&world, 1, NULL, sometimes);
    begin_term(&world);
    assert_int_equal(node_world_call(&world, CARILLON__METHOD__METHOD_SEARCH, &search.base,
                                     &carillon__search_reply__descriptor, &found),
                     OK);
    assert_int_equal(node_world_call(&world, CARILLON__METHOD__METHOD_STATUS, &status.base,
                                     &carillon__status_reply__descriptor, &told),
                     OK);
    assert_non_null(told);
    assert_true(told->cpu_user_us > 0);
    assert_true(told->search_cpu_ns > 0);
    uint64_t hash = io_sim_trace_hash(world.sim);
    node_world_fini(&world);
    return hash;
}

static void node__asked_for_its_figures__tells_the_same_in_every_run(void **state)
{
    (void)state;
    assert_true(hash_of_figures() == hash_of_figures());
}

/* Power fails in an orderly end, when the log is closed and the process is not gone yet. */
static void node__power_cut_behind_the_end_of_its_log__starts_again(void **state)
{
    struct node_world world;

    (void)state;
    node_world_init(&world, 3, NULL, sometimes);
    begin_term(&world);
    node_world_close_begin(&world);
    while (!world.node->engine_is_closed) {
        assert_true(node_world_step(&world));
        assert_non_null(world.node);
    }
    node_world_cut(&world);
    recover(&world);
    assert_string_equal(world.violation, "");
    node_world_fini(&world);
}

static void tell(struct node_world *world, enum world_op_kind kind, uint32_t student,
                 uint32_t add, uint32_t drop)
{
    struct world_op *op = node_world_op(world, kind);

    op->student = student;
    op->add = add;
    op->drop = drop;
    node_world_ask(op);
    while (op->state == WORLD_OP_ASKED) {
        assert_true(node_world_step(world));
    }
    assert_int_equal(op->state, WORLD_OP_TOLD);
}

/* The model knows the limit of courses: who has as many as he may is passed over until he drops
 * one or the limit rises, and his seat goes to whoever waits behind him. */
static void node__student_with_all_courses_he_may_have__is_passed_over(void **state)
{
    struct node_world world;

    (void)state;
    node_world_init(&world, 4, NULL, sometimes);
    assert_int_equal(node_world_open(&world), OK);
    import(&world);
    import(&world);
    tell(&world, WORLD_ADD, 2, 1, 0);
    for (uint32_t course = 2; course <= NODE_WORLD_COURSES; course++) {
        tell(&world, WORLD_ADD, 1, course, 0);
    }
    tell(&world, WORLD_WAIT, 1, 1, 0);
    tell(&world, WORLD_WAIT, 3, 1, 0);
    tell(&world, WORLD_DROP, 2, 0, 1);
    node_world_check(&world); /* the third student has it */
    tell(&world, WORLD_DROP, 3, 0, 1);
    node_world_check(&world); /* nobody */
    tell(&world, WORLD_DROP, 1, 0, 6);
    tell(&world, WORLD_ADD, 1, 6, 0);
    node_world_check(&world); /* the first; the sixth course is refused */
    tell(&world, WORLD_LIMITS, 0, 0, 0);
    tell(&world, WORLD_ADD, 1, 6, 0);
    node_world_check(&world);
    assert_string_equal(world.violation, "");
    node_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__asked_for_its_figures__tells_the_same_in_every_run),
        cmocka_unit_test(node__power_cut_behind_the_end_of_its_log__starts_again),
        cmocka_unit_test(node__student_with_all_courses_he_may_have__is_passed_over),
        cmocka_unit_test(node__in_any_trouble__keeps_what_it_told),
        cmocka_unit_test(node__campaign__has_met_every_trouble),
        cmocka_unit_test(node__with_a_sync_that_lies__is_found_out),
    };
    const char *seed = getenv("SEED");

    power_on_seed = seed != NULL ? strtoull(seed, NULL, 10) : UINT64_MAX;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
