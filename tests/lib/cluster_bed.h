/* tests/lib/cluster_bed.h -- a cluster of real daemons of a test's own, and what may happen to
 * it.
 *
 * Layer: tests
 *
 * The nodes form as docs/operations.md says: the first founds, the others join with invites and
 * become voters; more may join later, and others go. Either each has a network namespace, with
 * a switch between them (net_switch), or all are on loopback, for faults that need no network.
 *
 * A node's number is that of its machine, the first is 0. Another node on the same machine has
 * the same number and address, and another name.
 */
#ifndef CARILLON_TESTS_CLUSTER_BED_H
#define CARILLON_TESTS_CLUSTER_BED_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/daemon.h"
#include "tests/lib/fault_control.h"
#include "tests/lib/net_switch.h"

enum {
    CLUSTER_NODES_MAX = SWITCH_NODES_MAX,
    CLUSTER_SHARDS_MAX = 8,
    CLUSTER_NAME_BYTES = 16,
    CLUSTER_ADDRESS_BYTES = 32,
    CLUSTER_INVITE_BYTES = 4096,
    CLUSTER_WORDS_BYTES = 8192, /* of what a command prints */
};

struct cluster_options {
    uint32_t nodes;
    uint32_t machines; /* that there are, for nodes that join later; 0: as many as nodes */
    uint32_t shards;   /* 0: one */
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
    uint32_t count; /* of machines that have or had a node */
    uint32_t named; /* nodes so far */
    bool is_founded;
    struct daemon nodes[CLUSTER_NODES_MAX];
    char names[CLUSTER_NODES_MAX][CLUSTER_NAME_BYTES];
    char listen[CLUSTER_NODES_MAX][CLUSTER_ADDRESS_BYTES];
    char advertise[CLUSTER_NODES_MAX][CLUSTER_ADDRESS_BYTES];
    struct fault_control *controls[CLUSTER_NODES_MAX];
    bool is_mounted[CLUSTER_NODES_MAX];
    struct net_switch net;
};

/* What a node says of a group; nodes are bits of a set. */
struct cluster_group {
    uint32_t leader; /* 0: nobody, or none of the bed's nodes */
    uint32_t voters;
    uint32_t learners;
    uint32_t strangers; /* how many belong to it that are none of the bed's nodes any more */
    bool is_moving;     /* votes are about to */
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

/* Run `carillon WORDS` on the machine of @asked, and have that node answer. What it prints goes
 * to @out, or nowhere when that is NULL. Returns: its exit code. */
int cluster_run(const struct cluster_bed *bed, uint32_t asked, const char *words,
                char out[CLUSTER_WORDS_BYTES]);

/* The same until it is done: while nobody leads, or the groups could not bear it, it is refused
 * and asked again. */
void cluster_operate(const struct cluster_bed *bed, uint32_t asked, const char *words,
                     char out[CLUSTER_WORDS_BYTES]);

/* By an invite of the node @by another node joins on the machine @node: the next one, or one
 * whose node is gone, with its folder. That it belongs to the groups is to be waited for. */
void cluster_join(struct cluster_bed *bed, uint32_t node, uint32_t by);

/* Remove the node that is called @name, by the node @by. */
void cluster_remove(const struct cluster_bed *bed, uint32_t by, const char *name);

/* Wait until @node has ended by itself. Returns: the wait status as of waitpid. */
int cluster_await_end(struct cluster_bed *bed, uint32_t node, uint32_t ms);

/* If the root key is with the node @from, whoever runs the nodes moves it to the node @to. */
void cluster_hand_root_key(const struct cluster_bed *bed, uint32_t from, uint32_t to);

/* The folder of a node that was killed is lost: another joins in its place by an @invite of the
 * node @by, at an address of its own, and the lost one is removed, as docs/operations.md says.
 * On loopback. That it votes is to be waited for. Returns: cluster_voters_made() of groups 0
 * and 1 together before it joined. */
uint32_t cluster_replace(struct cluster_bed *bed, uint32_t node, uint32_t by,
                         const char *invite);

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

/* The groups as the node @asked knows them: one more than there are shards. Returns: false when
 * it does not answer, or does not belong to all of them yet. */
bool cluster_groups(const struct cluster_bed *bed, uint32_t asked,
                    struct cluster_group ret_groups[CLUSTER_SHARDS_MAX + 1]);

/* Who votes in @group, as a set of bits, as a node that runs knows it, and whether votes are
 * about to move (or NULL). */
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
