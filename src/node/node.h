/* node/node.h -- the composition: connections, the log, the shard's state and the search index
 * on one loop.
 *
 * Layer: node (base, io, wire, log, campus, search, enrol)
 *
 * The node routes events to the cores and performs their effects, always in one order: persist,
 * send, apply, reply. It knows no protocol rules and no byte layouts.
 */
#ifndef CARILLON_NODE_NODE_H
#define CARILLON_NODE_NODE_H

#include "io/io.h"
#include "node/config.h"

struct node;

/* Open the data folder, recover, build the index and serve.
 *
 * Owns:    copies @config; @io stays the caller's and must outlive the node.
 * Bounds:  memory as config->memory_bytes_max tells.
 * Errors:  ERR_LOCKED another process uses the folder; ERR_DAMAGED stored data is damaged
 * (@text names file and offset); ERR_CANCELLED it is, and was set aside: open once more, in
 * another world, to be refilled by the cluster's other nodes; ERR_EXISTS the port is in use; ERR_ADDRESS, ERR_PERMISSION,
 * ERR_DISK_FULL, ERR_IO. @text says what to do.
 */
int node_open(struct io *io, const struct node_config *config, struct node **ret_node,
              struct buf *text) CHECKED;

/* The port that is served. */
uint16_t node_port(const struct node *node);

/* Called once when the node cannot go on (a disk error): nothing is acknowledged any more. The
 * owner closes the node and ends. */
void node_on_failed(struct node *node, void (*failed)(void *context), void *context);

/* Stop taking requests, let what is on its way to the disk finish and be answered, close the
 * log. closed(context) follows, after which the node is gone. */
void node_close(struct node *node, void (*closed)(void *context), void *context);

/* Free the memory of a node whose simulated process has died: nothing is written, said or
 * called, also when it was closing; what the world was to tell of closing it must not tell
 * either. */
void node_forget(struct node *node);

#endif
