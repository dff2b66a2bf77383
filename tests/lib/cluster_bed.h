/* tests/lib/cluster_bed.h -- a cluster of real daemons of a test's own, and what may happen to
 * it.
 *
 * Layer: tests
 *
 * The nodes form as docs/operations.md says: the first founds, the others join with invites and
 * become voters. Either each has a network namespace, with a switch between them (net_switch),
 * or all are on loopback, for faults that need no network.
 */
#ifndef CARILLON_TESTS_CLUSTER_BED_H
#define CARILLON_TESTS_CLUSTER_BED_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/daemon.h"
#include "tests/lib/fault_control.h"
#include "tests/lib/net_switch.h"

enum { CLUSTER_NODES_MAX = SWITCH_NODES_MAX, CLUSTER_ADDRESS_BYTES = 32, CLUSTER_INVITE_BYTES = 4096 };

struct cluster_options {
    uint32_t nodes;
    uint32_t shards; /* 0: one */
    bool is_networked;
    bool may_refill;       /* the nodes are started with --refill */
    bool is_controlled;    /* clock and syncs obey cluster_bed.controls */
    uint32_t disk_mib;     /* of a file system for each data folder; 0: the machine's */
    const char *segments;  /* log_segment_bytes and */
    const char *snapshots; /* snapshot_log_bytes; NULL: the defaults */
    uint64_t seed;         /* of the switch */
};

struct cluster_bed {
    struct cluster_options options;
    uint32_t count;
    bool is_founded;
    struct daemon nodes[CLUSTER_NODES_MAX];
    char listen[CLUSTER_NODES_MAX][CLUSTER_ADDRESS_BYTES];
    char advertise[CLUSTER_NODES_MAX][CLUSTER_ADDRESS_BYTES];
    struct fault_control *controls[CLUSTER_NODES_MAX];
    bool is_mounted[CLUSTER_NODES_MAX];
    struct net_switch net;
};

/* Start the nodes and wait until all are voters. Anything unexpected fails the test.
 * Returns: false when the kernel grants no namespaces or no file systems; the reason is printed
 * and nothing is open. */
bool cluster_open(struct cluster_bed *bed, const struct cluster_options *options);
void cluster_close(struct cluster_bed *bed);

/* Print what the nodes said, for a test that is about to fail. */
void cluster_print(const struct cluster_bed *bed);

/* SIGKILL; start again in the same folder, at the same address. */
void cluster_kill(struct cluster_bed *bed, uint32_t node);
void cluster_start(struct cluster_bed *bed, uint32_t node);

/* The same, without failing when it refuses to start. Returns: whether it serves. */
bool cluster_try_start(struct cluster_bed *bed, uint32_t node);

/* Have the node @by make an invite: one line, without its end. */
void cluster_invite(const struct cluster_bed *bed, uint32_t by, char out[CLUSTER_INVITE_BYTES]);

/* The folder of a node that was killed is lost: another joins in its place by an @invite of the
 * node @by, at an address of its own, and the lost one is removed, as docs/operations.md says. On
 * loopback. That it votes is to be waited for. Returns: cluster_voters_made() of groups 0 and 1
 * together before it joined. */
uint32_t cluster_replace(struct cluster_bed *bed, uint32_t node, uint32_t by, const char *invite);

/* How often a member was made a voter of the group, as the logs of those tell that are there.
 */
uint32_t cluster_voters_made(const struct cluster_bed *bed, uint32_t group);

/* Send SIGSTOP, SIGCONT and the like. */
void cluster_signal(const struct cluster_bed *bed, uint32_t node, int signal);

/* Who leads the first shard: who began to last, as the nodes' logs tell. */
uint32_t cluster_leader(const struct cluster_bed *bed);

/* The same of any group; shard s, from 0, is group s + 1. */
uint32_t cluster_leader_of(const struct cluster_bed *bed, uint32_t group);

/* Wait until one that is not in the set of bits @but leads in a later term than it. Returns:
 * its number; fails the test after @ms. */
uint32_t cluster_await_leader(const struct cluster_bed *bed, uint32_t but, uint32_t ms);
uint32_t cluster_await_leader_of(const struct cluster_bed *bed, uint32_t group, uint32_t but,
                                 uint32_t ms);

/* Who votes in @group, as a set of bits, as a node that runs knows it, and whether votes are about
 * to move (or NULL). */
uint32_t cluster_voters(const struct cluster_bed *bed, uint32_t group, bool *ret_is_moving);

/* How often @text stands in the log of @node. */
uint32_t cluster_said(const struct cluster_bed *bed, uint32_t node, const char *text);

/* Wait until @text stands in the log of @node more than @before times. */
void cluster_await(const struct cluster_bed *bed, uint32_t node, const char *text,
                   uint32_t before, uint32_t ms);

/* What is started or connected meanwhile is on the machine of @node. */
void cluster_enter(const struct cluster_bed *bed, uint32_t node);
void cluster_leave(const struct cluster_bed *bed);

/* The data folder of @node. */
void cluster_data(const struct cluster_bed *bed, uint32_t node, char *out, size_t size);

#endif
