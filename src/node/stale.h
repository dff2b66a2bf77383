/* node/stale.h -- how old the state of a node that does not lead may be, and reads that take it.
 *
 * Layer: node (base, wire, enrol)     Spec: docs/spec/protocol.md section 9
 */
#ifndef CARILLON_NODE_STALE_H
#define CARILLON_NODE_STALE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct envelope_reply;
struct envelope_request;
struct link_forward;
struct node;
struct node_call;
struct shard;

/* The state as a read found it. */
struct node_state_age {
    uint64_t known_ns; /* whatever was answered to anybody before it is in the state; 0: unknown */
    uint64_t index;    /* applied last */
};

/* Begin to learn how old the state is; and stop. */
void node__stale_serve(struct node *node);
void node__stale_stop(struct node *node);

/* What the leader of a shard answered to the node's own question, @forward; NULL: nothing. */
void node__stale_answered(struct node *node, const struct link_forward *forward,
                          const struct envelope_reply *reply);

/* METHOD_POINT, at a read point: append the body of its answer. Errors: ERR_FULL. */
int node__point(const struct shard *shard, struct buf *out) CHECKED;

/* What is known of the age of @shard's state; NULL: of the oldest. Errors: ERR_NOT_LEADER
 * nothing, with node.text. */
int node__stale_look(struct node *node, struct shard *shard,
                     struct node_state_age *ret_age) CHECKED;

/* Whether the state has all that was answered to anybody before @ns, as far as is known by now;
 * if not, the leaders are asked, and it will be soon. */
bool node__is_known_since(struct node *node, uint64_t ns);

/* Whether @request may be answered from what was applied here: a roster or a check of one of
 * several shards takes the answers of others. */
bool node__is_stale_ok(const struct node *node, const struct envelope_request *request);

/* The packed Staleness of an answer that is made now, lent until the next. */
struct slice node__stale_pack(struct node *node, const struct node_state_age *age);

/* A read that takes what was applied. */
void node__stale_read(struct shard *shard, const struct node_call *call,
                      const struct envelope_request *request);

#endif
