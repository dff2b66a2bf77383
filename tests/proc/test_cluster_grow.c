/* What docs/operations.md tells whoever runs a cluster, from its first node on: it grows to
 * three and to five, nodes are replaced in good order and because their folders are lost, it
 * shrinks to three, is stopped as a whole and started, and grows again; all by the commands of
 * that page, while students register. The votes go where they should each time, who was removed
 * stops by itself, and what clients were told is judged by the witness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "tests/lib/rush.h"

enum {
    MACHINES = 6,
    SOME_SHARDS = 4,
    CALM_MS = 100,
    DOWN_MS = 1000,
    MOVE_MS = 30000, /* generous: figures are docs/performance.md's business */
    ROUNDS_NIGHTLY = 6,
    SLOW_MS = 4,
    LOST_PPM = 10000,
    WORDS_BYTES = 128,
    ID_BYTES = 64,
};

static struct cluster_bed bed;
static struct rush rush;
static uint64_t seed;
static uint32_t members; /* the nodes that belong to the cluster, as a set of bits */
static uint32_t drained;

/* ---- where the votes are ---- */

static uint32_t shards(void)
{
    return bed.options.shards > 1 ? bed.options.shards : 1;
}

/* Of so many nodes: an odd number, three, in the cluster's own group five. */
static int votes_wanted(uint32_t group, int nodes)
{
    if (group == 0 && nodes >= 5) {
        return 5;
    }
    return nodes >= 3 ? 3 : 1;
}

/* Whether @asked says of every group that all members belong to it and nobody else, that as
 * many of them vote as should, that somebody leads who is not drained, and that nothing is
 * about to move. Who is drained has given its vote away, but of three, where nobody could take
 * it. */
static bool says_settled(uint32_t asked)
{
    struct cluster_group groups[CLUSTER_SHARDS_MAX + 1];
    bool is_settled = cluster_groups(&bed, asked, groups);
    uint32_t voting = __builtin_popcount(members) == 3 ? members : members & ~drained;

    for (uint32_t i = 0; i <= shards() && is_settled; i++) {
        const struct cluster_group *group = &groups[i];
        int wanted = votes_wanted(i, __builtin_popcount(voting));

        is_settled = (group->voters | group->learners) == members && group->strangers == 0 &&
                     (group->voters & ~voting) == 0 && !group->is_moving &&
                     __builtin_popcount(group->voters) == wanted && group->leader != 0 &&
                     (group->leader & drained) == 0;
    }
    return is_settled;
}

/* One of the members that run; which, is left to chance. */
static uint32_t another_than(uint32_t node)
{
    uint32_t other = (uint32_t)rng_below(&rush.rng, bed.count);

    while ((members >> other & 1) == 0 || other == node || bed.nodes[other].pid == 0) {
        other = (other + 1) % bed.count;
    }
    return other;
}

/* Something that is asked from now on is accepted at every node. */
static void await_accepted(const char *what)
{
    uint32_t served = ~members;

    rush_since(&rush);
    while (served != UINT32_MAX) {
        if (rush_now_ms() > rush.since_ms + MOVE_MS) {
            cluster_print(&bed);
            fail_msg("%s: nothing is accepted at nodes %x", what, ~served);
        }
        rush_run(&rush, CALM_MS / 10);
        for (uint32_t i = 0; i < bed.count; i++) {
            served |= rush.accepted[i] > 0 ? 1U << i : 0;
        }
    }
}

/* Students register meanwhile. */
static void await_settled(const char *what)
{
    uint64_t begun = rush_now_ms();

    rush_run(&rush, CALM_MS);
    while (!says_settled(another_than(MACHINES))) {
        if (rush_now_ms() > begun + MOVE_MS) {
            cluster_print(&bed);
            fail_msg("%s: the votes do not come to rest", what);
        }
        rush_run(&rush, CALM_MS);
    }
    print_message("%s: settled after %llu ms\n", what,
                  (unsigned long long)(rush_now_ms() - begun));
    await_accepted(what);
}

/* ---- what an operator does ---- */

static uint32_t leader_of(uint32_t group)
{
    struct cluster_group groups[CLUSTER_SHARDS_MAX + 1];

    while (!cluster_groups(&bed, another_than(MACHINES), groups) || groups[group].leader == 0) {
        rush_run(&rush, CALM_MS);
    }
    return (uint32_t)__builtin_ctz(groups[group].leader);
}

static uint32_t any_group(void)
{
    return (uint32_t)rng_below(&rush.rng, shards() + 1);
}

/* Invites are signed for where the root key is. */
static void take_in(uint32_t node)
{
    cluster_join(&bed, node, another_than(node));
    members |= 1U << node;
    rush_meet(&rush, node);
}

/* A machine without a node that belongs to the cluster. */
static uint32_t free_machine(void)
{
    return (uint32_t)__builtin_ctz(~members);
}

static void operate(const char *words, uint32_t node)
{
    char all[WORDS_BYTES];

    (void)snprintf(all, sizeof all, "%s %s", words, bed.names[node]);
    cluster_operate(&bed, another_than(node), all, NULL);
}

static void drain(uint32_t node)
{
    operate("node drain", node);
    drained |= 1U << node;
}

/* It stays after all. */
static void take_back(uint32_t node)
{
    operate("node drain --undo", node);
    drained &= ~(1U << node);
}

/* Its clients come to it until it stops, and hear at another node what became of what they
 * asked. */
static void take_out(uint32_t node)
{
    uint32_t other = another_than(node);
    uint32_t said = cluster_said(&bed, node, "removed-from-cluster");

    cluster_hand_root_key(&bed, node, other);
    cluster_remove(&bed, other, bed.names[node]);
    members &= ~(1U << node);
    drained &= ~(1U << node);
    for (uint64_t end = rush_now_ms() + MOVE_MS;
         cluster_said(&bed, node, "removed-from-cluster") == said && rush_now_ms() < end;) {
        rush_run(&rush, CALM_MS);
    }
    int status = cluster_await_end(&bed, node, MOVE_MS);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    assert_true(cluster_said(&bed, node, "removed-from-cluster") > said);
    rush_part(&rush, node, other);
}

/* The id of @node, as `members` lists it. */
static void id_of(uint32_t node, char out[ID_BYTES])
{
    char said[CLUSTER_WORDS_BYTES];
    char name[CLUSTER_NAME_BYTES + 2];

    (void)snprintf(name, sizeof name, "\t%s\t", bed.names[node]);
    assert_int_equal(cluster_run(&bed, another_than(node), "members", said), 0);
    char *row = strstr(said, name);
    assert_non_null(row);
    *row = '\0';
    row = strrchr(said, '\n');
    row = row != NULL ? row + 1 : said;
    assert_true(strlen(row) < ID_BYTES);
    memcpy(out, row, strlen(row) + 1);
}

/* What every node says in the end: as many are there as should, all are alive, and vote where
 * they should. */
static void expect_settled_at(uint32_t asked)
{
    char said[CLUSTER_WORDS_BYTES];
    int alive = 0;

    for (uint64_t end = rush_now_ms() + MOVE_MS; !says_settled(asked);) {
        assert_true(rush_now_ms() < end);
        rush_run(&rush, CALM_MS);
    }
    assert_int_equal(cluster_run(&bed, asked, "members", said), 0);
    for (const char *at = said; (at = strstr(at, "\tmember\t")) != NULL; at++) {
        const char *end = strchr(at, '\n');
        const char *word = strstr(at, "\talive\t");

        assert_true(word != NULL && word < end);
        alive++;
    }
    assert_int_equal(alive, __builtin_popcount(members));
    assert_null(strstr(said, "joining"));
    assert_null(strstr(said, "leaving"));
}

/* ---- stories ---- */

/* While votes move: whoever leads one of the groups. It is started again. */
static void kill_a_leader(void)
{
    if (!rush_is_nightly()) {
        return;
    }
    uint32_t node = leader_of(any_group());

    cluster_kill(&bed, node);
    rush_run(&rush, (uint32_t)rng_below(&rush.rng, DOWN_MS));
    cluster_start(&bed, node);
}

/* Every other round packets are slow, overtake one another and are lost. */
static void change_weather(uint32_t round)
{
    if (!bed.options.is_networked) {
        return;
    }
    if (round % 2 == 0) {
        net_switch_heal(&bed.net);
    } else {
        net_switch_slow(&bed.net, SLOW_MS, SLOW_MS, LOST_PPM);
    }
}

static void grow_to(uint32_t nodes)
{
    while ((uint32_t)__builtin_popcount(members) < nodes) {
        take_in(free_machine());
        kill_a_leader();
    }
    await_settled("grown");
}

/* First the newcomer, then it leads nothing, then it is removed. */
static void replace_in_good_order(uint32_t node)
{
    take_in(free_machine());
    await_settled("a newcomer");
    drain(node);
    kill_a_leader();
    await_settled("drained");
    take_out(node);
    kill_a_leader();
    await_settled("removed");
}

/* Its machine gets another node, at the same address. */
static void replace_lost(uint32_t node)
{
    char id[ID_BYTES];
    char words[WORDS_BYTES];
    uint32_t by = another_than(node);

    id_of(node, id);
    cluster_hand_root_key(&bed, node, by); /* a copy of it */
    cluster_kill(&bed, node);
    members &= ~(1U << node);
    rush_run(&rush, CALM_MS);
    take_in(node);
    cluster_remove(&bed, by, id);
    kill_a_leader();
    await_settled("replaced");
    (void)snprintf(words, sizeof words, "node remove %s", id);
    assert_int_equal(cluster_run(&bed, by, words, NULL),
                     EXIT_FAILED); /* it is no member any more */
}

static void shrink_to(uint32_t nodes)
{
    while ((uint32_t)__builtin_popcount(members) > nodes) {
        uint32_t node = leader_of(any_group());

        drain(node);
        kill_a_leader();
        await_settled("drained");
        take_out(node);
    }
    await_settled("shrunk");
}

/* Of three, which cannot do without its vote. A node is asked that has just been started: what
 * it does not know it may not know yet. */
static void drain_for_a_while(uint32_t node)
{
    char words[WORDS_BYTES];
    uint32_t asked = another_than(node);

    cluster_kill(&bed, asked);
    cluster_start(&bed, asked);
    (void)snprintf(words, sizeof words, "node drain %s", bed.names[node]);
    cluster_operate(&bed, asked, words, NULL);
    drained |= 1U << node;
    kill_a_leader();
    await_settled("drained of three");
    take_back(node);
    await_settled("taken back");
}

/* All at once: what they hold is what is on their disks. */
static void stop_and_start(void)
{
    for (uint32_t i = 0; i < bed.count; i++) {
        if ((members >> i & 1) != 0) {
            cluster_signal(&bed, i, SIGTERM);
        }
    }
    for (uint32_t i = 0; i < bed.count; i++) {
        if ((members >> i & 1) != 0) {
            assert_int_equal(cluster_await_end(&bed, i, MOVE_MS), 0);
        }
    }
    for (uint32_t i = 0; i < bed.count; i++) {
        if ((members >> i & 1) != 0) {
            cluster_start(&bed, i);
        }
    }
    await_settled("started again");
}

static void open_first(uint32_t shard_count)
{
    struct cluster_options options = {.nodes = 1,
                                      .machines = MACHINES,
                                      .shards = shard_count,
                                      .is_networked = true,
                                      .segments = "2M",
                                      .snapshots = "1M",
                                      .seed = seed};

    if (!cluster_open(&bed, &options)) {
        options.is_networked = false; /* on loopback then */
        assert_true(cluster_open(&bed, &options));
    }
    rush_open(&rush, &bed, seed);
    members = 1;
    drained = 0;
    await_settled("alone");
}

static void close_all(const char *name)
{
    for (uint32_t i = 0; i < bed.count; i++) {
        if ((members >> i & 1) != 0) {
            expect_settled_at(i);
        }
    }
    rush_judge(&rush, name);
    rush_close(&rush);
    cluster_close(&bed);
}

/* All there is, again and again. */
static void live_long(uint32_t shard_count, const char *name)
{
    open_first(shard_count);
    for (uint32_t i = 0; i < ROUNDS_NIGHTLY; i++) {
        change_weather(i);
        grow_to(3);
        drain_for_a_while(leader_of(any_group()));
        grow_to(5);
        replace_in_good_order(leader_of(any_group()));
        replace_lost(leader_of(any_group()));
        shrink_to(3);
        stop_and_start();
    }
    change_weather(0);
    grow_to(5);
    close_all(name);
}

static void cluster__that_is_operated_in_a_rush__loses_nothing(void **state)
{
    (void)state;
    if (rush_is_nightly()) {
        live_long(1, "grow");
        return;
    }
    open_first(1);
    grow_to(3);
    drain_for_a_while(leader_of(1));
    stop_and_start();
    grow_to(5);
    replace_in_good_order(leader_of(1));
    shrink_to(3);
    close_all("grow");
}

static void shards__of_a_cluster_that_is_operated__lose_nothing(void **state)
{
    (void)state;
    if (rush_is_nightly()) {
        live_long(SOME_SHARDS, "grow-shards");
        return;
    }
    open_first(SOME_SHARDS);
    grow_to(3);
    replace_lost(leader_of(0));
    grow_to(5);
    replace_in_good_order(leader_of(any_group()));
    close_all("grow-shards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__that_is_operated_in_a_rush__loses_nothing),
        cmocka_unit_test(shards__of_a_cluster_that_is_operated__lose_nothing),
    };

    seed = rush_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
