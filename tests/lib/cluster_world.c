#include "tests/lib/cluster_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "io_uv/io_uv.h"
#include "node/event.h"
#include "node/node_private.h"

enum {
    STEP_MS = 20,      /* between looks at what is due */
    AWAY_MS = 5000,    /* of a node that is down, at most */
    ASKED_MAX = 40,    /* of requests without an answer */
    AGAIN_PPM = 60000, /* of requests: one that was asked before */
    LOOK_PPM = 200000, /* of requests: a read, when there is a witness */
    TRAILING_MAX = 10, /* entries behind a snapshot, of seeds that install them */
    SEGMENT_BYTES = 32 << 10,
    SNAPSHOT_LOG_BYTES = 12 << 10,
    IMPORTS_MAX = 5,
    LAST_OPS = 4,    /* asked when all is well again */
    AUDIT_MS = 2000, /* a trail that found no room is written again within that */
};

const char *const cluster_world_names[CLUSTER_MARK_NR] = {
    [FAULT_WIRE_DELAYED] = "wire delayed",
    [FAULT_WIRE_LOSSY] = "wire lossy",
    [FAULT_WIRE_SLOW] = "wire slow",
    [FAULT_CUT_ONE_WAY] = "wire cut one way",
    [FAULT_CUT_PARTIAL] = "two nodes cut from each other",
    [FAULT_CUT_NODE] = "node cut off",
    [FAULT_CUT_CLIENT] = "client cut off",
    [FAULT_KILLED] = "process killed",
    [FAULT_POWER] = "power cut",
    [FAULT_POWER_ALL] = "power cut of all",
    [FAULT_POWER_IN_IO] = "power cut in a file call",
    [FAULT_POWER_IN_START] = "power cut in a start",
    [FAULT_CLOSED] = "orderly end",
    [FAULT_PAUSED] = "process paused",
    [FAULT_DISK_ERROR] = "disk error",
    [FAULT_DISK_FULL] = "disk full",
    [FAULT_DISK_SLOW] = "disk slow",
    [FAULT_DISK_ROT] = "bit gone bad",
    [FAULT_CLOCK_JUMP] = "clock jump",
    [FAULT_CLOCK_DRIFT] = "clock drift",
    [FAULT_JOIN] = "node joins",
    [FAULT_REMOVE] = "node removed",
    [FAULT_SNAPSHOT] = "snapshot asked for",
    [FAULT_TRANSFER] = "is to lead",
    [CLUSTER_LEADER_CHANGED] = "leader elected",
    [CLUSTER_TRUNCATED] = "log truncated",
    [CLUSTER_INSTALLED] = "begins again from another's snapshot",
    [CLUSTER_DAMAGE_FOUND] = "damage found at the start",
    [CLUSTER_FAILED] = "stops because of its disk",
    [CLUSTER_UNREADY] = "cannot start yet",
    [CLUSTER_MEMBERS_CHANGED] = "members changed",
    [CLUSTER_UNKNOWN_SETTLED] = "unknown request settled",
    [CLUSTER_ASKED_AGAIN] = "answered request asked again",
};

struct io *cluster_world__io(const struct cluster_world *cluster, uint32_t node)
{
    return node == 0 ? cluster->world.io : cluster->world.replicas[node - 1].io;
}

struct node *cluster_world__node(const struct cluster_world *cluster, uint32_t node)
{
    return node == 0 ? cluster->world.node : cluster->world.replicas[node - 1].node;
}

uint64_t cluster_world__now_ns(const struct cluster_world *cluster)
{
    return io_sim_now_ns(cluster->world.sim);
}

void cluster_world__say(struct cluster_world *cluster, uint32_t node, const char *format, ...)
{
    char text[512];
    va_list values;

    if (cluster->options.say == NULL) {
        return;
    }
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    cluster->options.say(cluster->options.context,
                         (cluster_world__now_ns(cluster) - cluster->begin_ns) / 1000000, node,
                         text);
}

void cluster_world__mark(struct cluster_world *cluster, uint32_t mark, uint32_t node)
{
    cluster->options.counts[mark]++;
    cluster_world__say(cluster, node, "%s", cluster_world_names[mark]);
}

/* ---- processes come and go ---- */

void cluster_world__fell(struct cluster_world *cluster, uint32_t node)
{
    struct node_world *world = &cluster->world;
    struct cluster_node *seen = &cluster->nodes[node];

    if (node == 0) {
        if (!io_sim_is_down(world->io)) {
            io_sim_kill(world->io);
        }
        node_world_fallen(world);
        world->is_failed = false;
        world->is_closing = false;
    } else {
        node_world_replica_kill(world, node - 1);
    }
    seen->is_closing = false;
    seen->start_ns =
        cluster_world__now_ns(cluster) + rng_between(&world->rng, 1, AWAY_MS) * 1000000;
    cluster_world__forget(cluster, node);
}

static void on_replica_closed(void *context)
{
    ((struct world_replica *)context)->node = NULL;
}

/* A process that gave up because of its disk, or ends in an orderly way. */
static void look_after(struct cluster_world *cluster, uint32_t node)
{
    struct cluster_node *seen = &cluster->nodes[node];
    struct node *who = cluster_world__node(cluster, node);

    if (seen->start_ns != 0 || seen->is_removed || seen->born_ns == 0) {
        return;
    }
    if (who == NULL || io_sim_is_down(cluster_world__io(cluster, node))) {
        cluster_world__say(cluster, node, who == NULL ? "has ended" : "is down");
        cluster_world__fell(cluster, node);
    } else if (who->is_failed && !seen->is_closing) {
        cluster_world__mark(cluster, CLUSTER_FAILED, node);
        seen->is_closing = true;
        seen->has_trouble = true;
        if (node > 0) {
            node_close(who, on_replica_closed, &cluster->world.replicas[node - 1]);
        }
    }
}

static struct cluster_world *of(struct node_world *world)
{
    return CONTAINER_OF(world, struct cluster_world, world);
}

static void on_event(struct node_world *world)
{
    struct cluster_world *cluster = of(world);
    const struct io *io = io_sim_last(world->sim);

    for (uint32_t i = 0; i < cluster->node_count; i++) {
        if (cluster_world__io(cluster, i) == io) {
            cluster_world__check(cluster, i);
            look_after(cluster, i);
            return;
        }
    }
}

static void few_behind_snapshots(struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        node->raft.groups[group].raft.options.trailing_max = TRAILING_MAX;
    }
}

/* A start may be refused for damage, which is then mended; it may fail while its disk is in
 * trouble, or end with the power. Any other failure is wrong. */
static void not_started(struct cluster_world *cluster, uint32_t node, int status)
{
    struct cluster_node *seen = &cluster->nodes[node];
    struct io *io = cluster_world__io(cluster, node);

    seen->start_ns = cluster_world__now_ns(cluster) + 500000000;
    if (io_sim_is_down(io)) {
        return;
    }
    if (status == ERR_DAMAGED && io_sim_rot_mend(io) > 0) {
        cluster_world__mark(cluster, CLUSTER_DAMAGE_FOUND, node);
    } else if (seen->has_trouble && status != ERR_DAMAGED) {
        cluster_world__mark(cluster, CLUSTER_UNREADY, node);
    } else {
        node_world_violate(&cluster->world, "node %u does not start: %s: %s", node,
                           error_name(status), buf_text(&cluster->world.text));
    }
}

static void start(struct cluster_world *cluster, uint32_t node)
{
    struct node_world *world = &cluster->world;
    struct cluster_node *seen = &cluster->nodes[node];
    struct io *io = cluster_world__io(cluster, node);

    seen->start_ns = UINT64_MAX; /* nobody looks after it meanwhile */
    cluster_world__forget(cluster, node);
    if (!io_sim_is_down(io)) {
        io_sim_kill(io); /* nothing of its last life is left */
    }
    io_sim_restart(io);
    cluster_world__start_trouble(cluster, node);
    int rc = node == 0 ? node_world_open(world) : node_world_replica_open(world, node - 1);
    if (rc != OK) {
        not_started(cluster, node, rc);
        return;
    }
    seen->start_ns = 0;
    seen->born_ns = seen->born_ns == 0 ? cluster_world__now_ns(cluster) : seen->born_ns;
    if (cluster->has_installs) {
        few_behind_snapshots(cluster_world__node(cluster, node));
    }
    if (io_sim_is_down(io)) { /* power failed in a call whose result does not matter to a start */
        cluster_world__fell(cluster, node);
        return;
    }
    cluster_world__say(cluster, node, "runs");
    cluster_world__check(cluster, node);
}

static void start_due(struct cluster_world *cluster)
{
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        struct cluster_node *seen = &cluster->nodes[i];

        if (seen->start_ns != 0 && seen->start_ns != UINT64_MAX && !seen->is_removed &&
            seen->start_ns <= cluster_world__now_ns(cluster)) {
            start(cluster, i);
        }
    }
}

/* ---- requests ---- */

static void on_told(const struct world_op *op)
{
    struct cluster_world *cluster = of(op->world);

    cluster_world__check_told(cluster, op);
    cluster->options.counts[CLUSTER_UNKNOWN_SETTLED] += op->was_unknown;
    if (cluster->options.is_verbose) {
        cluster_world__say(cluster, UINT32_MAX,
                           "told: %s at %" PRIu64 " to s%u, add C %u, drop C %u",
                           error_name(op->status), op->index, op->student, op->add, op->drop);
    }
}

static void ask_again(struct cluster_world *cluster)
{
    struct node_world *world = &cluster->world;
    struct world_op *op = &world->ops[rng_below(&world->rng, world->op_count)];

    if (!op->is_asked && (op->state == WORLD_OP_UNKNOWN ||
                          (op->state == WORLD_OP_TOLD &&
                           (op->kind <= WORLD_CAP || op->status == OK)))) {
        cluster->options.counts[CLUSTER_ASKED_AGAIN] += op->state == WORLD_OP_TOLD;
        node_world_ask(op);
    }
}

static void ask(struct cluster_world *cluster)
{
    struct node_world *world = &cluster->world;

    if (world->asked >= ASKED_MAX || world->op_count + 64 > NODE_WORLD_OPS_MAX) {
        return;
    }
    if (cluster->is_recorded && rng_chance(&world->rng, LOOK_PPM)) {
        node_world_look_random(world);
    } else if (rng_chance(&world->rng, AGAIN_PPM)) {
        ask_again(cluster);
    } else if (world->wave_count < IMPORTS_MAX && rng_chance(&world->rng, 10000)) {
        node_world_import(world);
    } else {
        node_world_ask_random(world);
    }
}

/* ---- the story ---- */

static bool is_fine(const struct cluster_world *cluster)
{
    return cluster->world.violation[0] == '\0';
}

static uint64_t since_begin_ms(const struct cluster_world *cluster)
{
    return (cluster_world__now_ns(cluster) - cluster->begin_ns) / 1000000;
}

static void live_through_trouble(struct cluster_world *cluster, uint64_t until_ms)
{
    struct node_world *world = &cluster->world;

    while (since_begin_ms(cluster) < until_ms && is_fine(cluster)) {
        uint64_t now = cluster_world__now_ns(cluster);

        if (now >= cluster->next_op_ns) {
            ask(cluster);
            cluster->next_op_ns =
                now + rng_between(&world->rng, 1, cluster->op_pace_ms) * 1000000;
        }
        if (now >= cluster->next_strike_ns) {
            cluster_world__strike(cluster);
            cluster->next_strike_ns =
                now + rng_between(&world->rng, 1, cluster->pace_ms) * 1000000;
        }
        cluster_world__relieve(cluster);
        start_due(cluster);
        node_world_run_ms(world, rng_between(&world->rng, 1, STEP_MS));
    }
}

/* Whatever shard it is about. */
static bool can_ask(const struct cluster_world *cluster, uint32_t node)
{
    struct node *who = cluster_world__node(cluster, node);

    for (uint32_t i = 0; who != NULL && i < who->shard_count; i++) {
        raft_id leader = engine_raft_leader(&who->raft, NODE_GROUP_SHARD + i);
        bool is_there = leader == who->raft.id ? who->shards[i].is_leading
                                               : link_is_up(link_find(&who->links, leader));

        if (leader == 0 || !is_there) {
            return false;
        }
    }
    return who != NULL;
}

/* Whether, as @of knows, @node was drained before it belonged to the group: then it is not taken
 * into it. */
static bool is_left_out(const struct node *of, uint32_t group, const struct node *node)
{
    const struct raft_configuration *now = &of->raft.groups[group].raft.configuration;

    return raft_configuration_find(now, node->raft.id) == now->count &&
           !node__may_carry(of, node->raft.id);
}

/* Everybody who belongs to the cluster runs, follows who leads, and has what it has. */
static bool is_gathered(const struct cluster_world *cluster)
{
    uint32_t leaders = 0;

    for (uint32_t group = 0; group < cluster->group_count; group++) {
        const struct node *leader = NULL;

        for (uint32_t i = 0; i < cluster->node_count; i++) {
            const struct node *node = cluster_world__node(cluster, i);

            if (node != NULL && node->raft.groups[group].is_leading) {
                leaders++;
                leader = node;
            }
        }
        if (leader == NULL) {
            return false;
        }
        uint64_t commit = leader->raft.groups[group].raft.commit;

        for (uint32_t i = 0; i < cluster->node_count; i++) {
            const struct cluster_node *seen = &cluster->nodes[i];
            const struct node *node = cluster_world__node(cluster, i);

            if (!seen->is_removed && seen->born_ns != 0 &&
                (node == NULL || (node->raft.groups[group].raft.applied < commit &&
                                  !is_left_out(leader, group, node)))) {
                return false;
            }
        }
    }
    return leaders == cluster->group_count && can_ask(cluster, 0) && can_ask(cluster, 1);
}

static uint32_t unsettled(struct cluster_world *cluster)
{
    struct node_world *world = &cluster->world;
    uint32_t count = world->asked;

    for (uint32_t i = 0; i < world->op_count; i++) {
        if (world->ops[i].state == WORLD_OP_UNKNOWN) {
            count++;
            if (world->asked < ASKED_MAX) {
                node_world_ask(&world->ops[i]);
            }
        }
    }
    return count;
}

/* Say what keeps them apart. */
static void violate_apart(struct cluster_world *cluster)
{
    char what[400] = "";
    size_t len = 0;

    for (uint32_t i = 0; i < cluster->node_count && len < sizeof what; i++) {
        const struct node *node = cluster_world__node(cluster, i);

        len += (size_t)snprintf(what + len, sizeof what - len, "; node %u%s", i,
                                node == NULL ? " is down" : ":");
        for (uint32_t group = 0;
             node != NULL && group < engine_raft_groups(&node->raft) && len < sizeof what;
             group++) {
            const struct raft *raft = &node->raft.groups[group].raft;

            len += (size_t)snprintf(what + len, sizeof what - len, " %llu/%llu%s",
                                    (unsigned long long)raft->applied,
                                    (unsigned long long)raft->commit,
                                    node->raft.groups[group].is_leading ? " leads" : "");
        }
    }
    node_world_violate(&cluster->world, "the nodes do not find together again%s", what);
}

/* All trouble has ended: what was asked is answered, and nobody is behind, soon. */
static void expect_answers(struct cluster_world *cluster)
{
    uint64_t until = since_begin_ms(cluster) + CLUSTER_HEAL_MS;
    uint32_t waiting = 1;
    bool is_together = false;

    while (is_fine(cluster) && since_begin_ms(cluster) < until &&
           (waiting > 0 || !is_together)) {
        start_due(cluster);
        node_world_run_ms(&cluster->world, STEP_MS);
        is_together = is_gathered(cluster);
        waiting = !is_together ? 1 : unsettled(cluster);
    }
    if (is_fine(cluster) && !is_together) {
        violate_apart(cluster);
    } else if (is_fine(cluster) && waiting > 0) {
        node_world_violate(&cluster->world, "%u requests stay without an answer", waiting);
    }
}

/* As far as consensus counts: the newest entry that changed a shard may be older than a snapshot that
 * a node began from. */
static bool is_equal(const struct node *node, const struct node *other, uint32_t shard)
{
    uint32_t group = NODE_GROUP_SHARD + shard;

    return node->raft.groups[group].raft.applied == other->raft.groups[group].raft.applied &&
           enrol_hash(node->shards[shard].enrol) == enrol_hash(other->shards[shard].enrol);
}

static void expect_equal(struct cluster_world *cluster)
{
    struct node *first = cluster_world__node(cluster, 0);

    for (uint32_t i = 1; i < cluster->node_count && is_fine(cluster) && first != NULL; i++) {
        struct node *node = cluster_world__node(cluster, i);

        if (cluster->nodes[i].is_removed || cluster->nodes[i].born_ns == 0) {
            continue;
        }
        for (uint32_t k = 0; k < first->shard_count; k++) {
            if (node == NULL || (!is_equal(node, first, k) &&
                                 !is_left_out(first, NODE_GROUP_SHARD + k, node))) {
                node_world_violate(&cluster->world,
                                   "node %u does not hold of shard %u what node 0 holds", i, k);
            }
        }
    }
}

static void check_in_the_end(struct cluster_world *cluster, uint64_t seed)
{
    struct node_world *world = &cluster->world;

    for (uint32_t i = 0; i < LAST_OPS; i++) {
        node_world_ask_random(world);
    }
    expect_answers(cluster);
    if (!is_fine(cluster)) {
        return;
    }
    node_world_settle(world);
    node_world_run_ms(world, AUDIT_MS);
    node_world_check(world);
    if (cluster->is_recorded && is_fine(cluster)) {
        char name[32];

        (void)snprintf(name, sizeof name, "cluster-%" PRIu64, seed);
        node_world_check_record(world, name);
    }
    if (is_fine(cluster)) {
        expect_answers(cluster);
        expect_equal(cluster);
    }
}

/* Two imports bring courses and students; until then nothing goes wrong. */
static void begin(struct cluster_world *cluster)
{
    struct node_world *world = &cluster->world;
    int rc = node_world_open(world);

    ASSERT(rc == OK);
    for (uint32_t i = 0; i < cluster->options.nodes; i++) {
        cluster->nodes[i].born_ns = cluster_world__now_ns(cluster);
        if (cluster->has_installs) {
            few_behind_snapshots(cluster_world__node(cluster, i));
        }
    }
    if (!node_world_gather(world)) {
        node_world_violate(world, "the nodes do not find together");
    }
    for (uint32_t wave = 0; wave < 2 && is_fine(cluster); wave++) {
        node_world_import(world);
        while (world->waves[wave].state <= WAVE_COMMITTING && is_fine(cluster) &&
               node_world_step(world)) {
        }
    }
}

static void draw(struct cluster_world *cluster)
{
    struct rng *rng = &cluster->world.rng;
    uint32_t ppm = (uint32_t)rng_between(rng, 100000, 700000);

    for (uint32_t i = 0; i < FAULT_NR; i++) {
        cluster->faults |= rng_chance(rng, ppm) ? 1U << i : 0;
    }
    cluster->pace_ms = rng_between(rng, 300, 6000);
    cluster->op_pace_ms = rng_between(rng, 20, 600);
    cluster->is_recorded = rng_chance(rng, 250000);
    cluster->has_installs = rng_chance(rng, 500000);
}

static void init(struct cluster_world *cluster, uint64_t seed,
                 const struct cluster_options *options)
{
    const struct io_sim_options sim = {.network_delay_us = 2000,
                                       .unheard_ms = IO_UV_UNACKNOWLEDGED_MS};
    struct node_world *world = &cluster->world;

    ASSERT(options->nodes >= 2 && options->nodes < CLUSTER_NODES_MAX);
    memset(cluster, 0, sizeof *cluster);
    cluster->options = *options;
    cluster->node_count = options->nodes + 1;
    cluster->group_count = (options->shards == 0 ? 1 : options->shards) + 1;
    ASSERT(cluster->group_count <= CLUSTER_GROUPS_MAX);
    node_world_init(world, seed, &sim, options->sometimes);
    if (options->is_verbose) {
        event_set_level(EVENT_INFO);
    }
    world->config.shards = options->shards;
    world->config.log_segment_bytes = SEGMENT_BYTES;
    world->config.snapshot_log_bytes = SNAPSHOT_LOG_BYTES;
    world->watch = on_event;
    world->told = on_told;
    world->doors[1] = "10.0.1.1:7440";
    world->replicas_late = 1;
    node_world_replicas(world, options->nodes);
    cluster->begin_ns = cluster_world__now_ns(cluster);
    draw(cluster);
    if (cluster->is_recorded) {
        witness_record_init(&cluster->record);
        node_world_record(world, &cluster->record);
    }
}

uint32_t cluster_world_nodes(uint64_t seed)
{
    return seed % 8 == 7 ? 5 : 3;
}

bool cluster_world_run(struct cluster_world *cluster, uint64_t seed,
                       const struct cluster_options *options)
{
    init(cluster, seed, options);
    begin(cluster);
    cluster_world__say(cluster, UINT32_MAX, "trouble begins");
    live_through_trouble(cluster, CLUSTER_RUN_MS - CLUSTER_HEAL_MS / 3);
    cluster_world__say(cluster, UINT32_MAX, "trouble ends");
    cluster_world__heal(cluster);
    expect_answers(cluster);
    if (is_fine(cluster)) {
        check_in_the_end(cluster, seed);
    }
    while (is_fine(cluster) && since_begin_ms(cluster) < CLUSTER_RUN_MS) {
        node_world_run_ms(&cluster->world, STEP_MS);
    }
    if (!is_fine(cluster)) {
        cluster_world__say(cluster, UINT32_MAX, "WRONG: %s", cluster->world.violation);
    }
    return is_fine(cluster);
}

void cluster_world_fini(struct cluster_world *cluster)
{
    cluster->world.watch = NULL;
    cluster->world.told = NULL;
    node_world_fini(&cluster->world);
    cluster_world__check_fini(cluster);
    if (cluster->is_recorded) {
        witness_record_fini(&cluster->record);
    }
}
