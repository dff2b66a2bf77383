/* node/placement.h -- which nodes keep which group.
 *
 * Layer: node (base, raft)     Spec: docs/spec/meta.md section 6
 *
 * Rendezvous hashing over the members' numbers: each node has a weight for each group, and a
 * group is kept by the nodes with the highest. So every node finds the same without asking, a
 * node that comes takes only what it is among the first for, and one that goes gives only its
 * own away.
 */
#ifndef CARILLON_NODE_PLACEMENT_H
#define CARILLON_NODE_PLACEMENT_H

#include "raft/configuration.h"

enum {
    PLACEMENT_REPLICAS = 3,      /* of a shard, and voters of group 0, */
    PLACEMENT_REPLICAS_META = 5, /* of which there are so many when there are so many nodes */
};

/* The nodes that are to keep a group: its voters, or as many of them as make an odd number. */
struct placement {
    uint32_t count;
    raft_id nodes[PLACEMENT_REPLICAS_META]; /* the first would lead it best */
};

/* How much @node is wanted for @group: of two nodes the one with more comes first. */
uint64_t placement_weight(raft_id node, uint32_t group);

/* Choose for @group (0: the cluster's own) among @nodes, which are all different. */
void placement_choose(uint32_t group, const raft_id *nodes, uint32_t count,
                      struct placement *ret_placement);

bool placement_has(const struct placement *placement, raft_id node);

/* As many voters as may be of @nodes: an odd number. One more would only have to be asked. */
static inline uint32_t placement_voters(uint32_t nodes)
{
    return nodes - (nodes > 0 && nodes % 2 == 0 ? 1 : 0);
}

#endif
