/* What goes wrong in a cluster, and how it ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "log/bytes.h"
#include "node/node_private.h"
#include "tests/lib/cluster_world.h"

enum {
    LASTS_MS = 8000, /* at most */
    PAUSE_MS = 6000,
    CALLS_MAX = 60,
    ROOM_BYTES = 600 << 10,
    JUMP_MS = 600000,
    DRIFT_PPM = 100000,
    SLOW_SYNC_US = 400000,
    SEGMENT_BYTES_MAX = 4 << 20,
    RECORD_SERIAL = 40, /* where it stands in a record */
};

static struct rng *rng_of(struct cluster_world *cluster)
{
    return &cluster->world.rng;
}

/* A machine of a node that has come, or of a client (behind them). */
static struct io *machine(const struct cluster_world *cluster, uint32_t number)
{
    return number < cluster->node_count
               ? cluster_world__io(cluster, number)
               : cluster->world.client_io[number - cluster->node_count];
}

static void wires_set(struct cluster_world *cluster, uint32_t one, uint32_t other,
                      const struct io_sim_wire *wire)
{
    io_sim_wire_set(machine(cluster, one), machine(cluster, other), wire);
    io_sim_wire_set(machine(cluster, other), machine(cluster, one), wire);
}

static void node_wires_set(struct cluster_world *cluster, uint32_t node,
                           const struct io_sim_wire *wire)
{
    for (uint32_t i = 0; i < cluster->node_count + NODE_WORLD_CLIENTS; i++) {
        if (i != node) {
            wires_set(cluster, node, i, wire);
        }
    }
}

static uint32_t any_node(struct cluster_world *cluster)
{
    return (uint32_t)rng_below(rng_of(cluster), cluster->node_count);
}

static uint32_t another(struct cluster_world *cluster, uint32_t node)
{
    uint32_t step = (uint32_t)rng_between(rng_of(cluster), 1, cluster->node_count - 1);

    return (node + step) % cluster->node_count;
}

static bool runs(const struct cluster_world *cluster, uint32_t node)
{
    return cluster_world__node(cluster, node) != NULL &&
           !cluster_world__node(cluster, node)->is_failed &&
           cluster->nodes[node].start_ns == 0 &&
           !io_sim_is_down(cluster_world__io(cluster, node));
}

/* It ends by itself after a while. */
static bool lasts(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    if (cluster->trouble_count == CLUSTER_TROUBLES_MAX) {
        return false;
    }
    cluster->troubles[cluster->trouble_count++] = (struct cluster_trouble){
        .until_ns = cluster_world__now_ns(cluster) +
                    rng_between(rng_of(cluster), 50, LASTS_MS) * 1000000,
        .fault = fault,
        .node = node,
    };
    return true;
}

/* ---- wires ---- */

static bool strike_wires(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    struct rng *rng = rng_of(cluster);
    struct io_sim_wire wire = {0};
    uint32_t other = another(cluster, node);

    if (!lasts(cluster, fault, node)) {
        return false;
    }
    if (fault == FAULT_WIRE_DELAYED) {
        wire.delay_us = rng_between(rng, 1000, 400000);
    } else if (fault == FAULT_WIRE_LOSSY) {
        wire.loss_ppm = (uint32_t)rng_between(rng, 10000, 300000);
    } else if (fault == FAULT_WIRE_SLOW) {
        wire.bytes_per_s = rng_between(rng, 2000, 100000);
    } else {
        wire.is_cut = true;
    }
    if (fault == FAULT_CUT_ONE_WAY) {
        io_sim_wire_set(machine(cluster, node), machine(cluster, other), &wire);
    } else if (fault == FAULT_CUT_CLIENT) {
        wires_set(cluster, node,
                  cluster->node_count + (uint32_t)rng_below(rng, NODE_WORLD_CLIENTS), &wire);
    } else if (fault == FAULT_CUT_NODE) {
        node_wires_set(cluster, node, &wire);
    } else {
        wires_set(cluster, node, other, &wire);
    }
    return true;
}

/* ---- processes and machines ---- */

static bool strike_process(struct cluster_world *cluster, enum cluster_fault fault,
                           uint32_t node)
{
    struct io *io = cluster_world__io(cluster, node);

    if (!runs(cluster, node)) {
        return false;
    }
    if (fault == FAULT_POWER_IN_IO) {
        io_sim_crash_at(io, rng_between(rng_of(cluster), 1, CALLS_MAX));
        return true;
    }
    if (fault == FAULT_PAUSED) {
        io_sim_pause(io, rng_between(rng_of(cluster), 10, PAUSE_MS));
        return true;
    }
    if (fault == FAULT_KILLED) {
        io_sim_kill(io);
    } else {
        io_sim_crash(io);
    }
    cluster_world__fell(cluster, node);
    return true;
}

static bool strike_all(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    bool any = false;

    (void)fault;
    (void)node;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        any |= strike_process(cluster, FAULT_POWER, i);
    }
    return any;
}

static void on_replica_closed(void *context)
{
    ((struct world_replica *)context)->node = NULL;
}

static bool strike_close(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    struct node *who = cluster_world__node(cluster, node);

    (void)fault;
    if (!runs(cluster, node) || who->is_closing) {
        return false;
    }
    if (node == 0) {
        node_world_close_begin(&cluster->world);
    } else {
        node_close(who, on_replica_closed, &cluster->world.replicas[node - 1]);
    }
    cluster->nodes[node].is_closing = true;
    return true;
}

/* ---- disks ---- */

/* Not of the newest segment that has a batch: what goes bad in the last one cannot be told from a
 * torn write. */
struct rot {
    struct io *io;
    char newest[64];
};

static bool is_segment(const char *path)
{
    return strncmp(path, "data/log/log-", 13) == 0;
}

/* Spare ones are behind it, zero or with records of an earlier life (docs/spec/log.md). */
static bool is_in_use(struct io *io, const char *path)
{
    struct buf bytes;

    buf_init(&bytes, SEGMENT_BYTES_MAX);
    bool is = io_sim_durable_read(io, path, &bytes) == OK && bytes.len >= RECORD_SERIAL + 8 &&
              memcmp(bytes.data, "CLR", 3) == 0 &&
              bytes_get_u64(bytes.data + RECORD_SERIAL) == strtoull(path + 13, NULL, 16);

    buf_fini(&bytes);
    return is;
}

static bool note_newest(void *context, const char *path)
{
    struct rot *rot = context;

    if (is_segment(path) && strcmp(path, rot->newest) > 0 && is_in_use(rot->io, path)) {
        (void)snprintf(rot->newest, sizeof rot->newest, "%s", path);
    }
    return false;
}

static bool may_rot(void *context, const char *path)
{
    const struct rot *rot = context;

    return (is_segment(path) && strcmp(path, rot->newest) < 0) ||
           strncmp(path, "data/snapshots/snapshot-", 24) == 0;
}

static bool strike_rot(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    struct io *io = cluster_world__io(cluster, node);
    struct rot rot = {.io = io};

    (void)fault;
    (void)io_sim_rot(io, "data/", note_newest, &rot);
    cluster->nodes[node].has_trouble = true;
    return io_sim_rot(io, "data/", may_rot, &rot);
}

static bool strike_disk(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    static const enum io_sim_call kinds[] = {IO_SIM_ANY, IO_SIM_SYNC, IO_SIM_WRITE, IO_SIM_READ,
                                             IO_SIM_RENAME};
    struct rng *rng = rng_of(cluster);
    struct io *io = cluster_world__io(cluster, node);

    if (!runs(cluster, node) || !lasts(cluster, fault, node)) {
        return false;
    }
    cluster->nodes[node].has_trouble = true;
    if (fault == FAULT_DISK_ERROR) {
        io_sim_fail_clear(io);
        io_sim_fail(io, kinds[rng_below(rng, sizeof kinds / sizeof kinds[0])],
                    rng_between(rng, 1, CALLS_MAX), ERR_IO, false);
    } else if (fault == FAULT_DISK_FULL) {
        io_sim_disk_bytes_set(io, rng_between(rng, 1, ROOM_BYTES));
    } else {
        io_sim_sync_slow(io, rng_between(rng, 1000, SLOW_SYNC_US));
    }
    return true;
}

/* ---- clocks ---- */

static bool strike_clock(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    struct rng *rng = rng_of(cluster);
    struct io *io = cluster_world__io(cluster, node);

    if (fault == FAULT_CLOCK_JUMP) {
        io_sim_wall_set(io, io_wall_ms(io) + rng_below(rng, 2 * JUMP_MS) - JUMP_MS);
    } else {
        io_sim_drift_set(io, (int32_t)rng_below(rng, 2 * DRIFT_PPM) - DRIFT_PPM);
    }
    return true;
}

/* ---- members ---- */

static bool strike_join(struct cluster_world *cluster, enum cluster_fault fault,
                        uint32_t unused)
{
    uint32_t node = cluster->node_count - 1;

    (void)fault;
    (void)unused;
    if (cluster->nodes[node].born_ns != 0 || cluster->nodes[node].start_ns != 0) {
        return false;
    }
    cluster->nodes[node].start_ns = cluster_world__now_ns(cluster);
    return true;
}

/* The leader of the cluster's own group, or the number of nodes. */
static uint32_t leader_of(const struct cluster_world *cluster, uint32_t group)
{
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster_world__node(cluster, i);

        /* of one that ends the groups are gone already, or soon */
        if (runs(cluster, i) && !node->is_closing && node->raft.groups[group].is_leading) {
            return i;
        }
    }
    return cluster->node_count;
}

/* Somebody has a node drained, or takes that back; so many nodes stay that all votes find a
 * place. */
static bool strike_drain(struct cluster_world *cluster, uint32_t leader, uint32_t node)
{
    struct node *first = cluster_world__node(cluster, leader);
    struct node *who = cluster_world__node(cluster, node);
    struct meta_entry entry = {.kind = META_MEMBER_STATE};
    uint32_t present = 0;
    uint64_t index;

    for (uint32_t i = 0; i < first->meta.member_count; i++) {
        present += first->meta.members[i].state == META_PRESENT;
    }
    memcpy(entry.member.id, node__identity(who)->node, sizeof entry.member.id);
    const struct meta_member *member = meta_find(&first->meta, entry.member.id);

    if (member == NULL || (member->state == META_PRESENT && present <= 3)) {
        return false;
    }
    entry.member.state = member->state == META_PRESENT ? META_LEAVING : META_PRESENT;
    if (node__meta_propose(first, &entry, &index) != OK) {
        return false;
    }
    cluster_world__say(cluster, node, "%s",
                       entry.member.state == META_LEAVING ? "drained" : "taken back");
    return true;
}

/* Somebody switches it off for good and takes it out of the cluster. Clients speak with nodes 0
 * and 1. Of many nodes any may be drained before. */
static bool strike_remove(struct cluster_world *cluster, enum cluster_fault fault,
                          uint32_t any)
{
    uint32_t node = 2;
    struct node *who = cluster_world__node(cluster, node);
    uint32_t leader = leader_of(cluster, NODE_GROUP_META);

    (void)fault;
    if (cluster->options.nodes >= 5 && leader < cluster->node_count && runs(cluster, any) &&
        rng_chance(rng_of(cluster), 800000)) {
        return strike_drain(cluster, leader, any);
    }
    if (cluster->nodes[cluster->node_count - 1].born_ns == 0 ||
        cluster->nodes[node].is_removed || !runs(cluster, node) ||
        leader == cluster->node_count || leader == node) {
        return false;
    }
    struct meta_entry entry = {.kind = META_MEMBER_REMOVE};
    struct node *first = cluster_world__node(cluster, leader);
    uint64_t index;

    memcpy(entry.member.id, node__identity(who)->node, sizeof entry.member.id);
    if (meta_find(&first->meta, entry.member.id) == NULL ||
        node__meta_propose(first, &entry, &index) != OK) {
        return false;
    }
    cluster->nodes[node].is_removed = true;
    io_sim_kill(cluster_world__io(cluster, node));
    cluster_world__fell(cluster, node);
    return true;
}

static bool strike_group(struct cluster_world *cluster, enum cluster_fault fault, uint32_t node)
{
    uint32_t group = (uint32_t)rng_below(rng_of(cluster), cluster->group_count);

    if (!runs(cluster, node)) {
        return false;
    }
    struct node *who = cluster_world__node(cluster, node);

    if (fault == FAULT_SNAPSHOT) {
        return !who->is_closing && engine_snapshot(who->engine, group, NULL) == SM_PENDING;
    }
    uint32_t leader = leader_of(cluster, group);

    if (leader == cluster->node_count || leader == node) {
        return false;
    }
    engine_raft_transfer(&cluster_world__node(cluster, leader)->raft, group, who->raft.id);
    return true;
}

/* ---- striking and healing ---- */

static bool (*const strikes[FAULT_NR])(struct cluster_world *cluster, enum cluster_fault fault,
                                       uint32_t node) = {
    [FAULT_WIRE_DELAYED] = strike_wires,
    [FAULT_WIRE_LOSSY] = strike_wires,
    [FAULT_WIRE_SLOW] = strike_wires,
    [FAULT_CUT_ONE_WAY] = strike_wires,
    [FAULT_CUT_PARTIAL] = strike_wires,
    [FAULT_CUT_NODE] = strike_wires,
    [FAULT_CUT_CLIENT] = strike_wires,
    [FAULT_KILLED] = strike_process,
    [FAULT_POWER] = strike_process,
    [FAULT_POWER_ALL] = strike_all,
    [FAULT_POWER_IN_IO] = strike_process,
    [FAULT_POWER_IN_START] = NULL, /* it strikes when a node starts */
    [FAULT_CLOSED] = strike_close,
    [FAULT_PAUSED] = strike_process,
    [FAULT_DISK_ERROR] = strike_disk,
    [FAULT_DISK_FULL] = strike_disk,
    [FAULT_DISK_SLOW] = strike_disk,
    [FAULT_DISK_ROT] = strike_rot,
    [FAULT_CLOCK_JUMP] = strike_clock,
    [FAULT_CLOCK_DRIFT] = strike_clock,
    [FAULT_JOIN] = strike_join,
    [FAULT_REMOVE] = strike_remove,
    [FAULT_SNAPSHOT] = strike_group,
    [FAULT_TRANSFER] = strike_group,
};

void cluster_world__strike(struct cluster_world *cluster)
{
    enum cluster_fault fault = (enum cluster_fault)rng_below(rng_of(cluster), FAULT_NR);
    uint32_t node = any_node(cluster);

    for (uint32_t i = 0; i < FAULT_NR && (cluster->faults >> fault & 1) == 0; i++) {
        fault = (enum cluster_fault)((fault + 1) % FAULT_NR);
    }
    if ((cluster->faults >> fault & 1) != 0 && strikes[fault] != NULL &&
        strikes[fault](cluster, fault, node)) {
        cluster_world__mark(cluster, fault, node);
    }
}

void cluster_world__start_trouble(struct cluster_world *cluster, uint32_t node)
{
    if (!cluster->is_healing && (cluster->faults >> FAULT_POWER_IN_START & 1) != 0 &&
        rng_chance(rng_of(cluster), 300000)) {
        io_sim_crash_at(cluster_world__io(cluster, node),
                        rng_between(rng_of(cluster), 1, 2 * CALLS_MAX));
        cluster_world__mark(cluster, FAULT_POWER_IN_START, node);
    }
}

static void end_trouble(struct cluster_world *cluster, const struct cluster_trouble *trouble)
{
    static const struct io_sim_wire whole;
    struct io *io = cluster_world__io(cluster, trouble->node);

    if (trouble->fault <= FAULT_CUT_CLIENT) {
        node_wires_set(cluster, trouble->node, &whole);
    } else if (trouble->fault == FAULT_DISK_ERROR) {
        io_sim_fail_clear(io);
    } else if (trouble->fault == FAULT_DISK_FULL) {
        io_sim_disk_bytes_set(io, 0);
    } else {
        io_sim_sync_slow(io, 0);
    }
    cluster_world__say(cluster, trouble->node, "no more: %s",
                       cluster_world_names[trouble->fault]);
}

void cluster_world__relieve(struct cluster_world *cluster)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < cluster->trouble_count; i++) {
        const struct cluster_trouble trouble = cluster->troubles[i];

        if (trouble.until_ns > cluster_world__now_ns(cluster) && !cluster->is_healing) {
            cluster->troubles[left++] = trouble;
        } else {
            end_trouble(cluster, &trouble);
        }
    }
    cluster->trouble_count = left;
}

void cluster_world__heal(struct cluster_world *cluster)
{
    cluster->is_healing = true;
    cluster_world__relieve(cluster);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        struct io *io = cluster_world__io(cluster, i);

        io_sim_fail_clear(io);
        io_sim_disk_bytes_set(io, 0);
        io_sim_drift_set(io, 0);
        cluster->nodes[i].has_trouble = false;
        if (cluster->nodes[i].start_ns != 0) {
            cluster->nodes[i].start_ns = cluster_world__now_ns(cluster);
        }
    }
}
