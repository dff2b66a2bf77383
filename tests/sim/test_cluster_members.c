/* A cluster's members in a simulated world: drained, removed, moved, certified; and nothing
 * that was told is lost meanwhile. SEED=n runs one seed of the campaign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/replicas.h"
#include "tests/lib/members_bed.h"

enum {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SEEDS_MERGE = 25, /* each costs five times as much */
#else
    SEEDS_MERGE = 100,
#endif
    SEEDS_NIGHTLY = 10000,
    FAILURES_SHOWN = 5,
};

static uint64_t sometimes[SOMETIMES_NR];

static void begin(struct node_world *world, uint64_t seed)
{
    members_bed_begin(world, seed, sometimes);
}

static bool is_well(const struct node *node)
{
    return node != NULL && !node->is_failed && !node->is_removed;
}

/* ---- changes ---- */

static void node__drained__leads_nothing_until_it_is_taken_back(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 20);
    members_bed_import(&world);
    members_bed_import(&world);
    assert_true(members_bed_leads_any(world.node));
    const uint8_t *id = node__identity(world.node)->node;
    /* asked of one that does not lead */
    assert_int_equal(members_bed_change(&world, 1, id, META_MEMBER_STATE, META_LEAVING), OK);
    node_world_run_ms(&world, 3000);
    for (int i = 0; i < 100; i++) {
        node_world_ask_random(&world);
        node_world_run_ms(&world, 100);
        assert_false(members_bed_leads_any(world.node));
    }
    assert_false(node__may_carry(members_bed_node(&world, 1), world.node->raft.id));
    /* of three one more or less would leave two: its vote is kept */
    assert_int_equal(raft_configuration_voters(engine_raft_configuration(&world.node->raft, 1)),
                     3);
    /* nobody else is left to lead if these go too */
    assert_int_equal(members_bed_change(&world, 0,
                                        node__identity(members_bed_node(&world, 1))->node,
                                        META_MEMBER_STATE, META_LEAVING),
                     OK);
    assert_int_equal(members_bed_change(&world, 0,
                                        node__identity(members_bed_node(&world, 2))->node,
                                        META_MEMBER_STATE, META_LEAVING),
                     ERR_ARGUMENT);
    assert_int_equal(members_bed_change(&world, 0, id, META_MEMBER_STATE, META_PRESENT), OK);
    assert_int_equal(members_bed_change(&world, 0, id, META_MEMBER_STATE, META_JOINING),
                     ERR_ARGUMENT);
    node_world_settle(&world);
    node_world_check(&world);
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

static uint32_t members_of(const struct node *node, uint32_t group)
{
    return engine_raft_configuration(&node->raft, group)->count;
}

/* Of two and of four one is a learner: it takes the vote of the one that is drained. */
static void node__drained_of_an_even_number__gives_its_vote_to_the_learner(void **state)
{
    (void)state;
    for (uint32_t others = 1; others <= 3; others += 2) {
        struct node_world world;

        node_world_init(&world, 25 + others, NULL, sometimes);
        node_world_replicas(&world, others);
        assert_int_equal(node_world_open(&world), OK);
        assert_true(node_world_gather(&world));
        node_world_run_ms(&world, 2000); /* the learner has everything */
        uint32_t number = members_bed_leader_of(&world, 1);
        struct node *node = members_bed_node(&world, number);
        raft_id drained = node->raft.id;
        assert_true(members_bed_is_voter(&world, 1, drained));
        assert_int_equal(members_bed_change(&world, number == 1 ? 0 : 1,
                                            node__identity(node)->node, META_MEMBER_STATE,
                                            META_LEAVING),
                         OK);
        node_world_run_ms(&world, 6000);
        for (uint32_t group = 0; group < engine_raft_groups(&world.node->raft); group++) {
            assert_false(members_bed_is_voter(&world, group, drained));
            assert_int_equal(
                raft_configuration_voters(engine_raft_configuration(&world.node->raft, group)),
                others);
            assert_int_equal(members_of(world.node, group), others + 1);
        }
        assert_false(members_bed_leads_any(node));
        assert_int_equal(members_bed_change(&world, number == 1 ? 0 : 1,
                                            node__identity(node)->node, META_MEMBER_STATE,
                                            META_PRESENT),
                         OK);
        assert_true(node_world_gather(&world));
        members_bed_expect_fine(&world);
        node_world_fini(&world);
    }
}

/* A leader may begin to lead before its own state of group 0 has everybody, and then has no
 * link to them either: that is no reason to take their votes away. */
static void node__that_a_leader_has_no_link_to__keeps_its_vote(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 27);
    assert_true(members_bed_leads_any(world.node));
    raft_id other = members_bed_node(&world, 1)->raft.id;
    link_remove(&world.node->links, other);
    for (int i = 0; i < 30; i++) {
        node_world_run_ms(&world, 100);
        for (uint32_t group = 0; group < engine_raft_groups(&world.node->raft); group++) {
            assert_true(members_bed_is_voter(&world, group, other));
        }
    }
    node_world_fini(&world);
}

static void expect_stopped(struct node_world *world, uint32_t number)
{
    for (int i = 0; i < 100 && !members_bed_node(world, number)->is_failed; i++) {
        node_world_run_ms(world, 100);
    }
    assert_true(members_bed_node(world, number)->is_failed);
}

static void node__removed__stops_and_is_not_let_in_again(void **state)
{
    struct node_world world;
    uint8_t id[META_ID_BYTES];

    (void)state;
    begin(&world, 21);
    members_bed_import(&world);
    members_bed_import(&world);
    memcpy(id, node__identity(members_bed_node(&world, 2))->node, sizeof id);
    assert_int_equal(members_bed_change(&world, 0, id, META_MEMBER_REMOVE, META_ANY), OK);
    assert_int_equal(members_bed_change(&world, 1, id, META_MEMBER_REMOVE, META_ANY),
                     OK); /* once is enough */
    expect_stopped(&world, 2);
    node_world_replica_kill(&world, 1);
    members_bed_work(&world, 100);
    node_world_settle(&world);
    for (uint32_t group = 0; group < engine_raft_groups(&world.node->raft); group++) {
        assert_int_equal(members_of(world.node, group), 2);
    }
    assert_int_equal(members_bed_change(&world, 0, id, META_MEMBER_STATE, META_PRESENT),
                     ERR_GONE);
    /* it comes back with its old folder */
    node_world_replica_up(&world, 1);
    expect_stopped(&world, 2);
    assert_true(members_bed_node(&world, 2)->is_removed);
    assert_int_equal(members_of(world.node, 1), 2);
    node_world_check(&world);
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* It lay dead when it was removed: it does not know, and is told by whom it greets. */
static void node__removed_while_it_was_away__is_told_when_it_comes_back(void **state)
{
    struct node_world world;
    uint8_t id[META_ID_BYTES];

    (void)state;
    begin(&world, 22);
    memcpy(id, node__identity(members_bed_node(&world, 2))->node, sizeof id);
    node_world_replica_kill(&world, 1);
    assert_int_equal(members_bed_change(&world, 0, id, META_MEMBER_REMOVE, META_ANY), OK);
    node_world_run_ms(&world, 3000);
    assert_int_equal(members_of(world.node, 1), 2);
    node_world_replica_up(&world, 1);
    const struct meta_member *own = meta_find(&members_bed_node(&world, 2)->meta, id);
    assert_true(own == NULL || own->state != META_REMOVED); /* it does not know */
    expect_stopped(&world, 2);
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* A node that starts knows where the others are, before anybody has told it anything. */
static void node__that_starts__dials_those_it_knew(void **state)
{
    struct node_world world;
    raft_id others[2];
    struct buf text;

    (void)state;
    begin(&world, 26);
    others[0] = world.node->raft.id;
    others[1] = members_bed_node(&world, 1)->raft.id;
    node_world_run_ms(&world, 2000);
    node_world_replica_kill(&world, 1);
    io_sim_restart(world.replicas[1].io);
    buf_init(&text, 4096);
    assert_int_equal(node_open(world.replicas[1].io, &world.replicas[1].config,
                               &world.replicas[1].node, &text),
                     OK);
    buf_fini(&text);
    for (int i = 0; i < 2; i++) {
        const struct link *link = link_find(&members_bed_node(&world, 2)->links, others[i]);

        assert_non_null(link);
        assert_string_equal(link->address, i == 0 ? "10.0.0.1" : "10.0.1.1");
    }
    node_world_run_ms(&world, 5000);
    assert_true(members_bed_all_alive(&world));
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* Two of three are there: to take one of them away would be to take the cluster away. */
static void removal__that_leaves_no_majority__is_refused(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 23);
    node_world_replica_kill(&world, 1);
    node_world_run_ms(&world, 3000);
    static struct members_bed_wish wish;
    wish = (struct members_bed_wish){.change = {.done = members_bed_on_done}};
    wish.change.entry.kind = META_MEMBER_REMOVE;
    memcpy(wish.change.entry.member.id, node__identity(members_bed_node(&world, 1))->node,
           META_ID_BYTES);
    struct node *leader =
        world.node->is_leading_meta ? world.node : members_bed_node(&world, 1);
    assert_true(leader->is_leading_meta);
    if (leader == members_bed_node(&world, 1)) {
        memcpy(wish.change.entry.member.id, node__identity(world.node)->node, META_ID_BYTES);
    }
    assert_int_equal(node__change(leader, &wish.change), ERR_BUSY);
    node_world_run_ms(&world, 1000);
    assert_true(is_well(world.node) && is_well(members_bed_node(&world, 1)));
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

/* A node that does not lead, and that others find elsewhere now. */
static void node__with_another_address__tells_the_leader(void **state)
{
    struct node_world world;
    struct node_config *config;

    (void)state;
    begin(&world, 24);
    const uint8_t *id = node__identity(members_bed_node(&world, 2))->node;
    config = &world.replicas[1].config;
    node_world_replica_kill(&world, 1);
    (void)snprintf(config->advertise, sizeof config->advertise, "10.0.1.2:7441");
    (void)snprintf(config->listen, sizeof config->listen, "10.0.1.2:7441");
    (void)snprintf(config->name, sizeof config->name, "moved");
    node_world_run_ms(&world, 500);
    node_world_replica_up(&world, 1);
    id = node__identity(members_bed_node(&world, 2))->node;
    node_world_run_ms(&world, 6000);
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        const struct meta_member *member = meta_find(&members_bed_node(&world, i)->meta, id);

        assert_string_equal(member->address, "10.0.1.2:7441");
        assert_string_equal(member->name, "moved");
        assert_int_equal(member->state, META_PRESENT);
    }
    assert_true(members_bed_all_alive(&world));
    node_world_fini(&world);
}

/* ---- certificates ---- */

enum { LOOK_MS = 3700 * 1000, DAY_MS = 24 * 3600 * 1000, DAYS = 61 };

/* Without the root key from its next start on. */
static void take_root_key(struct node_world *world, uint32_t replica)
{
    struct io *io = world->replicas[replica].io;

    node_world_replica_kill(world, replica);
    io_sim_restart(io);
    assert_int_equal(io_file_remove(io, "data/keys/root.key"), OK);
    assert_int_equal(io_folder_sync(io, "data/keys"), OK);
    node_world_replica_up(world, replica);
    node_world_run_ms(world, 3000); /* its links come up */
}

static void let_days_pass(struct node_world *world)
{
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        struct io *io = members_bed_io(world, i);

        io_sim_wall_set(io, io_wall_ms(io) + (uint64_t)DAYS * DAY_MS);
    }
    node_world_run_ms(world, LOOK_MS);
}

static void certificate__of_a_node_without_the_root_key__is_renewed_by_another(void **state)
{
    struct node_world world;

    (void)state;
    begin(&world, 40);
    take_root_key(&world, 1);
    assert_true(node_world_gather(&world));
    const struct keyring_pair *pair = &members_bed_node(&world, 2)->door.ring.node;
    uint8_t key[IDENTITY_KEY_BYTES];
    uint64_t until_ms = pair->not_after_ms;

    memcpy(key, pair->key.bytes, sizeof key);
    let_days_pass(&world);
    assert_false(members_bed_node(&world, 2)->door.ring.has_root_key);
    assert_true(pair->not_after_ms >= until_ms + (uint64_t)DAYS * DAY_MS);
    assert_memory_equal(pair->key.bytes, key, sizeof key);
    /* it is on the disk: the next start has it */
    until_ms = pair->not_after_ms;
    node_world_replica_kill(&world, 1);
    node_world_replica_up(&world, 1);
    assert_true(members_bed_node(&world, 2)->door.ring.node.not_after_ms / 1000 ==
                until_ms / 1000);
    members_bed_expect_fine(&world);
    node_world_fini(&world);
}

static int sign_status;

static void on_signed(struct node_sign *sign, int status, const char *text)
{
    (void)text;
    sign_status = status;
    assert_true(status != OK || sign->signing.certificate_len > 0);
}

/* What the node without the root key is told when it asks for a certificate. */
static int ask_certificate(struct node_world *world, const uint8_t *id, const uint8_t *key,
                           struct slice invite)
{
    static struct node_sign sign;

    sign = (struct node_sign){.invite = invite, .done = on_signed};
    memcpy(sign.signing.id, id, sizeof sign.signing.id);
    memcpy(sign.signing.key, key, sizeof sign.signing.key);
    sign_status = SM_PENDING;
    assert_int_equal(node__sign(members_bed_node(world, 2), &sign), OK);
    for (int i = 0; i < 100 && sign_status == SM_PENDING; i++) {
        node_world_run_ms(world, 50);
    }
    return sign_status;
}

/* A member asks for itself and the key that the cluster knows of it, or for whoever has an
 * invite that is good. */
static void certificate__for_anything_else__is_not_signed(void **state)
{
    struct node_world world;
    uint8_t other_key[IDENTITY_KEY_BYTES];
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES] = {7};

    (void)state;
    begin(&world, 41);
    take_root_key(&world, 1);
    assert_true(node_world_gather(&world));
    const uint8_t *id = node__identity(members_bed_node(&world, 2))->node;
    const uint8_t *other = node__identity(members_bed_node(&world, 1))->node;
    const uint8_t *key = members_bed_node(&world, 2)->door.ring.node.key.bytes;

    memcpy(other_key, members_bed_node(&world, 1)->door.ring.node.key.bytes, sizeof other_key);
    assert_int_equal(ask_certificate(&world, id, key, SLICE_NONE), OK);
    assert_int_equal(ask_certificate(&world, other, other_key, SLICE_NONE), ERR_FORBIDDEN);
    assert_int_equal(ask_certificate(&world, other, key, SLICE_NONE), ERR_FORBIDDEN);
    assert_int_equal(ask_certificate(&world, id, other_key, SLICE_NONE), ERR_FORBIDDEN);
    /* of an invite that it has not heard of it cannot say whether it is good */
    assert_int_equal(ask_certificate(&world, id, key, slice_from(hash, sizeof hash)),
                     ERR_NOT_LEADER);
    node_world_fini(&world);
}

/* ---- any trouble, by seeds ---- */

static uint64_t seed_count(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? SEEDS_NIGHTLY : SEEDS_MERGE;
}

/* Any node falls for a while, with work going on. */
static void trouble(struct node_world *world)
{
    uint32_t fallen = (uint32_t)rng_below(&world->rng, 2);

    if (rng_chance(&world->rng, 300000)) {
        node_world_kill(world);
        node_world_run_ms(world, rng_below(&world->rng, 2000));
        node_world_up(world);
        if (node_world_open(world) != OK) {
            node_world_violate(world, "the node does not start: %s", buf_text(&world->text));
        }
        return;
    }
    node_world_replica_kill(world, fallen);
    members_bed_work(world, 10);
    node_world_run_ms(world, rng_below(&world->rng, 2000));
    node_world_replica_up(world, fallen);
}

static void drain_and_undo(struct node_world *world)
{
    uint8_t id[META_ID_BYTES];
    uint32_t number = (uint32_t)rng_below(&world->rng, MEMBERS_BED_NODES);

    memcpy(id, node__identity(members_bed_node(world, number))->node, sizeof id);
    int rc = members_bed_change(world, (uint32_t)rng_below(&world->rng, MEMBERS_BED_NODES), id,
                                META_MEMBER_STATE, META_LEAVING);

    members_bed_work(world, 15);
    trouble(world);
    members_bed_work(world, 15);
    rc = rc == OK
             ? members_bed_change(world, (uint32_t)rng_below(&world->rng, MEMBERS_BED_NODES),
                                  id, META_MEMBER_STATE, META_PRESENT)
             : rc;
    if (rc != OK) {
        node_world_violate(world, "a node is not drained and taken back: %s", error_name(rc));
    }
}

/* A replica goes for good, drained or not, running or dead. */
static void remove_one(struct node_world *world)
{
    uint32_t number = 1 + (uint32_t)rng_below(&world->rng, 2);
    uint8_t id[META_ID_BYTES];
    bool is_dead = rng_chance(&world->rng, 400000);
    int rc = OK;

    memcpy(id, node__identity(members_bed_node(world, number))->node, sizeof id);
    if (rng_chance(&world->rng, 500000)) {
        rc = members_bed_change(world, 0, id, META_MEMBER_STATE, META_LEAVING);
        members_bed_work(world, 10);
    }
    if (is_dead) {
        node_world_replica_kill(world, number - 1);
    }
    rc = rc == OK ? members_bed_change(world, 0, id, META_MEMBER_REMOVE, META_ANY) : rc;
    members_bed_work(world, 20);
    if (!is_dead) {
        for (int i = 0; i < 100 && !members_bed_node(world, number)->is_failed; i++) {
            node_world_run_ms(world, 100);
        }
        if (!members_bed_node(world, number)->is_failed) {
            node_world_violate(world, "a node that was removed goes on");
        }
        node_world_replica_kill(world, number - 1);
    }
    if (rc != OK) {
        node_world_violate(world, "a node is not removed: %s", error_name(rc));
    }
}

static void story(struct node_world *world)
{
    for (uint64_t rounds = rng_between(&world->rng, 1, 2); rounds > 0; rounds--) {
        members_bed_work(world, 15);
        drain_and_undo(world);
        if (world->violation[0] == '\0' && !node_world_gather(world)) {
            node_world_violate(world, "the nodes do not find together again");
        }
    }
    if (world->violation[0] == '\0') {
        remove_one(world);
    }
    if (world->violation[0] == '\0' && !node_world_gather(world)) {
        node_world_violate(world, "the nodes that stay do not find together");
    }
    if (world->violation[0] == '\0') {
        members_bed_work(world, 15);
        node_world_settle(world);
        node_world_run_ms(world, 500); /* a learner hears by a heartbeat what is committed */
        node_world_check(world);
    }
}

static uint64_t asked;

static bool run_seed(uint64_t seed)
{
    struct node_world world;
    const struct io_sim_datagram_faults faults = {
        .lost_ppm = 30000, .copied_ppm = 10000, .late_ppm = 10000, .late_us = 20000};

    begin(&world, seed);
    io_sim_datagram_faults_set(world.sim, &faults);
    members_bed_import(&world);
    members_bed_import(&world);
    story(&world);
    bool is_fine = world.violation[0] == '\0';
    asked += world.op_count;
    if (!is_fine) {
        print_error("SEED=%llu: %s\n", (unsigned long long)seed, world.violation);
    }
    node_world_fini(&world);
    return is_fine;
}

static void members__that_come_and_go_in_any_trouble__lose_nothing(void **state)
{
    const char *one = getenv("SEED");
    uint64_t first = one == NULL ? 300 : strtoull(one, NULL, 10);
    uint64_t count = one == NULL ? seed_count() : 1;
    uint64_t failed = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count && failed < FAILURES_SHOWN; seed++) {
        failed += !run_seed(seed);
    }
    assert_int_equal(failed, 0);
    assert_true(asked > 50 * count); /* there was work to lose */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__drained__leads_nothing_until_it_is_taken_back),
        cmocka_unit_test(node__drained_of_an_even_number__gives_its_vote_to_the_learner),
        cmocka_unit_test(node__that_a_leader_has_no_link_to__keeps_its_vote),
        cmocka_unit_test(node__removed__stops_and_is_not_let_in_again),
        cmocka_unit_test(node__removed_while_it_was_away__is_told_when_it_comes_back),
        cmocka_unit_test(node__that_starts__dials_those_it_knew),
        cmocka_unit_test(removal__that_leaves_no_majority__is_refused),
        cmocka_unit_test(node__with_another_address__tells_the_leader),
        cmocka_unit_test(certificate__of_a_node_without_the_root_key__is_renewed_by_another),
        cmocka_unit_test(certificate__for_anything_else__is_not_signed),
        cmocka_unit_test(members__that_come_and_go_in_any_trouble__lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
