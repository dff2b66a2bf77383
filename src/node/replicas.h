/* node/replicas.h -- who belongs to the groups, and who should lead them.
 *
 * Layer: node (base, io, meta, raft)     Spec: docs/spec/meta.md section 6
 */
#ifndef CARILLON_NODE_REPLICAS_H
#define CARILLON_NODE_REPLICAS_H

#include "node/node_private.h"
#include "node/placement.h"

/* Where @group should be, as this node's state of group 0 says. */
void node__placement(const struct node *node, uint32_t group, struct placement *ret_placement);

/* Make the next change of each group that is led here. */
void node__replicas_turn(struct node *node);

/* ---- leaders.c */

/* Whether @id is there, has room, and has nearly all of @group, which is led here. */
bool node__keeps_up(const struct node *node, uint32_t group, raft_id id);

/* This node leads @group and does not belong to its placement: hand it over to one that does. */
void node__leader_leaves(struct node *node, uint32_t group, const struct placement *placement);

#endif
