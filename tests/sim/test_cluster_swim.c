/* Who of a cluster's members is there, in a simulated world: by datagrams, by links where they do
 * not come through, and by nobody else's word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/members_bed.h"

enum {
    SETTLED_MS = 12000,    /* all have one another's keys by then */
    NET_HEADER_BYTES = 28, /* IPv4 and UDP */
    IDLE_BYTES_MAX = 2048, /* a second and node */
    VERDICT_MS = 3000,
};

static uint64_t sometimes[SOMETIMES_NR];

static void begin(struct node_world *world, uint64_t seed)
{
    members_bed_begin(world, seed, sometimes);
}

static void members__that_run__are_alive_by_datagrams_alone(void **state)
{
    struct node_world world;
    struct swim_counters before[MEMBERS_BED_NODES];

    (void)state;
    begin(&world, 1);
    node_world_run_ms(&world, SETTLED_MS);
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        before[i] = members_bed_node(&world, i)->swim->counters;
    }
    node_world_run_ms(&world, 60000);
    assert_true(members_bed_all_alive(&world));
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        const struct swim_counters *counters = &members_bed_node(&world, i)->swim->counters;

        assert_int_equal(counters->linked, before[i].linked);
        assert_int_equal(counters->refused, before[i].refused);
        assert_true(counters->received > before[i].received + 300);
        assert_int_equal(members_bed_node(&world, i)->swim->core.counters.misaddressed, 0);
    }
    node_world_fini(&world);
}

static void members__at_rest__say_little(void **state)
{
    struct node_world world;
    struct swim_counters before[MEMBERS_BED_NODES];
    enum { SECONDS = 60 };

    (void)state;
    begin(&world, 2);
    node_world_run_ms(&world, SETTLED_MS);
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        before[i] = members_bed_node(&world, i)->swim->counters;
    }
    node_world_run_ms(&world, SECONDS * 1000);
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        const struct swim_counters *now = &members_bed_node(&world, i)->swim->counters;
        uint64_t sent = now->sent - before[i].sent;
        uint64_t bytes = now->sent_bytes - before[i].sent_bytes + sent * NET_HEADER_BYTES;

        assert_true(sent > SECONDS); /* it does speak */
        assert_true(bytes / SECONDS <= IDLE_BYTES_MAX);
        if (i == 0) {
            print_message("%llu bytes a second and node\n",
                          (unsigned long long)(bytes / SECONDS));
        }
    }
    node_world_fini(&world);
}

static void member__killed__is_unreachable_and_comes_back(void **state)
{
    struct node_world world;
    uint64_t since_ms;

    (void)state;
    begin(&world, 3);
    raft_id dead = members_bed_node(&world, 2)->raft.id;
    uint64_t killed_ms = io_wall_ms(world.io);
    node_world_replica_kill(&world, 1);
    for (uint32_t ms = 0; ms < VERDICT_MS && !node__swim_is_unreachable(world.node, dead);
         ms += 50) {
        node_world_run_ms(&world, 50);
    }
    assert_int_equal(node__swim_state(world.node, dead, &since_ms), MEMBER_UNREACHABLE);
    assert_true(since_ms > killed_ms);
    assert_false(node__swim_is_gone(world.node, dead));
    assert_false(node__is_present(world.node, dead));
    node_world_run_ms(&world, 62000);
    assert_true(node__swim_is_gone(world.node, dead));
    /* it is a member all the same: only an entry takes that away */
    assert_true(node__may_carry(world.node, dead));
    assert_int_equal(engine_raft_configuration(&world.node->raft, 1)->count, MEMBERS_BED_NODES);
    node_world_replica_up(&world, 1);
    node_world_run_ms(&world, 5000);
    assert_true(members_bed_all_alive(&world));
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* Whoever ends in good order says so: nobody has to find out. */
static void member__that_stops__has_left(void **state)
{
    struct node_world world;
    uint64_t since_ms;

    (void)state;
    begin(&world, 4);
    raft_id id = world.node->raft.id;
    node_world_close(&world);
    node_world_run_ms(&world, 200);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(node__swim_state(world.replicas[i].node, id, &since_ms), MEMBER_LEFT);
    }
    assert_int_equal(node_world_open(&world), OK);
    node_world_run_ms(&world, 5000);
    assert_true(members_bed_all_alive(&world));
    node_world_fini(&world);
}

static void cut(struct node_world *world, uint32_t from, uint32_t to, bool is_cut)
{
    io_sim_datagrams_cut(members_bed_io(world, from), members_bed_io(world, to), is_cut);
}

/* No datagram goes through, or none in one direction: what they would have said goes over the
 * links, and nobody is unreachable at any moment. */
static void datagrams__that_do_not_come_through__go_over_links(void **state)
{
    (void)state;
    for (uint32_t ways = 1; ways <= 2; ways++) {
        struct node_world world;

        begin(&world, 10 + ways);
        node_world_run_ms(&world, 6000);
        for (uint32_t from = 0; from < MEMBERS_BED_NODES; from++) {
            for (uint32_t to = 0; to < MEMBERS_BED_NODES; to++) {
                cut(&world, from, to, from != to && (ways == 2 || from == 0));
            }
        }
        for (int i = 0; i < 600; i++) {
            node_world_run_ms(&world, 50);
            for (uint32_t at = 0; at < MEMBERS_BED_NODES; at++) {
                for (uint32_t of = 0; of < MEMBERS_BED_NODES; of++) {
                    assert_true(at == of || members_bed_state(&world, at, of) <= MEMBER_SUSPECT);
                }
            }
        }
        assert_true(members_bed_all_alive(&world));
        assert_true(world.node->swim->counters.linked > 50);
        for (uint32_t from = 0; from < MEMBERS_BED_NODES; from++) {
            for (uint32_t to = 0; to < MEMBERS_BED_NODES; to++) {
                cut(&world, from, to, false);
            }
        }
        node_world_run_ms(&world, 6000);
        uint64_t linked = world.node->swim->counters.linked;
        node_world_run_ms(&world, 10000);
        assert_int_equal(world.node->swim->counters.linked, linked);
        node_world_fini(&world);
    }
}

/* A stranger sends what he likes, and what he heard once; nobody listens. */
static void datagrams__of_strangers__are_refused(void **state)
{
    struct node_world world;
    struct io_datagrams post = {0};
    uint8_t bytes[200];
    uint16_t port;

    (void)state;
    begin(&world, 14);
    node_world_run_ms(&world, SETTLED_MS);
    struct io *stranger = io_sim_machine_create(world.sim, "10.0.9.9");
    uint64_t before = world.node->swim->counters.refused;
    const struct io_sim_datagram_faults repeated = {.copied_ppm = 1000000};

    post.received = (void (*)(struct io_datagrams *, const char *, uint16_t, struct slice))abort;
    post.closed = (void (*)(struct io_datagrams *))abort;
    assert_int_equal(io_datagrams_open(stranger, &post, "10.0.9.9", 7440, &port), OK);
    for (uint32_t i = 0; i < 100; i++) {
        rng_fill(&world.rng, bytes, sizeof bytes);
        bytes[0] = 1;
        if (i % 2 == 0) { /* as if it were a member's */
            uint64_t id = members_bed_node(&world, 1)->raft.id;
            memcpy(bytes + 2, &id, sizeof id);
        }
        assert_int_equal(io_datagrams_send(stranger, &post, "10.0.0.1", 7440,
                                           slice_from(bytes, sizeof bytes)),
                         OK);
    }
    node_world_run_ms(&world, 100);
    assert_int_equal(world.node->swim->counters.refused, before + 100);
    /* everything twice: half of it is refused, and all stay alive */
    before = world.node->swim->counters.refused;
    uint64_t received = world.node->swim->counters.received;
    io_sim_datagram_faults_set(world.sim, &repeated);
    node_world_run_ms(&world, 10000);
    received = world.node->swim->counters.received - received;
    uint64_t refused = world.node->swim->counters.refused - before;
    assert_true(received > 50 && refused + 10 > received && refused < received + 10);
    assert_true(members_bed_all_alive(&world));
    node_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members__that_run__are_alive_by_datagrams_alone),
        cmocka_unit_test(members__at_rest__say_little),
        cmocka_unit_test(member__killed__is_unreachable_and_comes_back),
        cmocka_unit_test(member__that_stops__has_left),
        cmocka_unit_test(datagrams__that_do_not_come_through__go_over_links),
        cmocka_unit_test(datagrams__of_strangers__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
