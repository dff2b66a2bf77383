/* The whole node in a simulated world, and a witness of what its clients are told: power cuts,
 * killed processes, broken connections and slow disks, with requests and reads under way, some
 * of which nobody ever hears of again. SEED=n runs one seed; CARILLON_KEEP=FOLDER keeps the
 * histories that are not believed. */
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
#include "tests/lib/node_world.h"
#include "tests/lib/witness.h"

enum {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SEEDS_MERGE = 60, /* each costs five times as much */
#else
    SEEDS_MERGE = 200,
#endif
    SEEDS_NIGHTLY = 3000,
    SEEDS_LYING = 60,
    ROUNDS_MAX = 4,
    ROUND_OPS = 50,
    ASKED_MAX = 20,
    QUIET_EVENTS = 40,
    CALM_MS = 70000, /* longer than any request waits */
    SLOW_US = 30000,
    STARTS_MAX = 20,
};

static uint64_t sometimes[SOMETIMES_NR];

struct sum {
    uint64_t calls;
    uint64_t entries;
    uint64_t reads;
    uint64_t unknown;
    uint64_t supposed;
    uint64_t tried;
    uint64_t undecided;
    uint64_t wrong;
};

/* ---- work and troubles ---- */

static void work(struct node_world *world, uint32_t ops)
{
    uint64_t quiet = rng_between(&world->rng, 2, QUIET_EVENTS);

    for (uint32_t asked = 0; asked < ops && node_world_is_well(world);) {
        if (world->asked < ASKED_MAX && rng_chance(&world->rng, 400000)) {
            node_world_ask_random(world);
            asked++;
        }
        if (rng_chance(&world->rng, 150000)) {
            node_world_look_random(world);
        }
        for (uint64_t n = rng_below(&world->rng, quiet); n > 0 && node_world_is_well(world);
             n--) {
            (void)node_world_step(world);
        }
    }
}

static void reset_one(struct node_world *world)
{
    struct conn_table *table = &world->node->conns;
    struct conn *conn = table->slots[rng_below(&world->rng, table->limits.connections_max)];

    if (conn != NULL && !conn->is_closing) {
        io_sim_stream_reset(&conn->stream);
    }
}

static void trouble(struct node_world *world)
{
    uint64_t dice = rng_below(&world->rng, 5);

    if (dice == 0) {
        io_sim_crash_at(world->io, rng_between(&world->rng, 1, 160));
    } else if (dice == 1) {
        io_sim_sync_slow(world->io, rng_below(&world->rng, SLOW_US));
    }
    work(world, (uint32_t)rng_between(&world->rng, 5, ROUND_OPS));
    if (dice == 2 && node_world_is_well(world)) {
        reset_one(world);
        work(world, ROUND_OPS / 2);
    }
    if (node_world_is_well(world)) {
        if (rng_chance(&world->rng, 500000)) {
            node_world_cut(world);
        } else {
            node_world_kill(world);
        }
    }
}

static void start_again(struct node_world *world)
{
    for (int i = 0; i < STARTS_MAX && world->violation[0] == '\0'; i++) {
        if (io_sim_is_down(world->io)) {
            node_world_fallen(world);
            node_world_up(world);
        }
        io_sim_sync_slow(world->io, 0);
        if (node_world_open(world) == OK) {
            return;
        }
    }
    node_world_violate(world, "the node does not start: %s", buf_text(&world->text));
}

/* Half of those who got no answer ask again; the others have gone home. */
static void ask_some_again(struct node_world *world)
{
    for (uint32_t i = 0; i < world->op_count && node_world_is_well(world); i++) {
        struct world_op *op = &world->ops[i];

        if (op->state == WORLD_OP_UNKNOWN && world->asked < ASKED_MAX &&
            rng_chance(&world->rng, 500000)) {
            node_world_ask(op);
        }
    }
    node_world_run_ms(world, CALM_MS);
}

static void begin_term(struct node_world *world)
{
    int rc = node_world_open(world);

    ASSERT(rc == OK);
    for (int i = 0; i < 2; i++) {
        node_world_import(world);
        while (world->waves[i].state <= WAVE_COMMITTING && node_world_step(world)) {
        }
    }
    node_world_ask(node_world_op(world, WORLD_LIMITS));
    node_world_settle(world);
}

static void story(struct node_world *world, const char *name, bool lies)
{
    uint64_t rounds = rng_between(&world->rng, 1, ROUNDS_MAX);

    begin_term(world);
    io_sim_sync_lies(world->io, lies);
    for (uint64_t i = 0; i < rounds && world->violation[0] == '\0'; i++) {
        trouble(world);
        start_again(world);
        ask_some_again(world);
    }
    if (world->violation[0] == '\0') {
        node_world_check_record(world, name);
    }
}

/* ---- seeds ---- */

static void run(struct sum *sum, uint64_t seed, bool lies)
{
    struct node_world world;
    struct witness_record record;
    struct witness_result result;
    char name[64];

    witness_record_init(&record);
    node_world_init(&world, seed, NULL, sometimes);
    node_world_record(&world, &record);
    (void)snprintf(name, sizeof name, "witness_node_%llu", (unsigned long long)seed);
    story(&world, name, lies);
    witness_record_flush(&record);
    witness_check(record.text, record.len, &result);
    sum->calls += result.calls;
    sum->entries += result.entries;
    sum->reads += result.reads;
    sum->unknown += result.unknown;
    sum->supposed += result.supposed;
    sum->tried += result.tried;
    if (result.kind == WITNESS_UNDECIDED) {
        sum->undecided++;
    } else if (result.kind != WITNESS_GOOD || (!lies && world.violation[0] != '\0')) {
        sum->wrong++;
        if (!lies) {
            print_error("SEED=%llu: %s\n", (unsigned long long)seed, world.violation);
        }
    }
    node_world_fini(&world);
    witness_record_fini(&record);
}

static void witness__of_a_node_in_trouble__believes_what_it_told(void **state)
{
    const char *only = getenv("SEED");
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    bool is_nightly = campaign != NULL && strcmp(campaign, "nightly") == 0;
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 0;
    uint64_t end =
        only != NULL ? first + 1 : first + (is_nightly ? SEEDS_NIGHTLY : SEEDS_MERGE);
    struct sum sum = {0};

    (void)state;
    for (uint64_t seed = first; seed < end; seed++) {
        run(&sum, seed, false);
    }
    print_message("%llu calls, %llu entries, %llu reads, %llu unanswered, %llu of them "
                  "supposed, %llu steps; %llu histories undecided, %llu wrong\n",
                  (unsigned long long)sum.calls, (unsigned long long)sum.entries,
                  (unsigned long long)sum.reads, (unsigned long long)sum.unknown,
                  (unsigned long long)sum.supposed, (unsigned long long)sum.tried,
                  (unsigned long long)sum.undecided, (unsigned long long)sum.wrong);
    assert_int_equal(sum.wrong, 0);
    assert_true(sum.undecided <= (end - first) / 50);
    if (only == NULL) {
        assert_true(sum.unknown > 0 && sum.supposed > 0);
    }
}

/* The control: a disk whose sync does nothing. Mostly the node itself finds its log damaged and
 * does not start; where it does start, the witness alone must find acknowledged answers
 * missing; nothing else is compared here. */
static void witness__of_a_sync_that_lies__finds_out(void **state)
{
    struct sum sum = {0};

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS_LYING; seed++) {
        run(&sum, seed, true);
    }
    print_message("%llu of %d seeds found out\n", (unsigned long long)sum.wrong, SEEDS_LYING);
    assert_true(sum.wrong > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witness__of_a_node_in_trouble__believes_what_it_told),
        cmocka_unit_test(witness__of_a_sync_that_lies__finds_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
