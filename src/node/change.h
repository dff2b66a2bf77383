/* node/change.h -- who the cluster's nodes are, as any node changes it; certificates; where the
 * others were.
 *
 * Layer: node (base, io, identity, meta, enrol)     Spec: docs/spec/meta.md section 3
 */
#ifndef CARILLON_NODE_CHANGE_H
#define CARILLON_NODE_CHANGE_H

#include "enrol/enrol.h"
#include "node/door.h"
#include "node/link.h"
#include "proto/meta.pb-c.h"

struct node;

/* Fields of PeerRequest. */
enum {
    NODE_PEER_MESSAGES = 1,
    NODE_PEER_ADDRESS = 2,
    NODE_PEER_OWN = 3,
    NODE_PEER_KEY = 4,
    NODE_PEER_DATAGRAM = 5,
    NODE_PEER_ROOM = 6,
};

/* The file DATA/members. */
struct book {
    struct node *node;
    struct io_job job;
    int status;
    bool is_busy;
    void (*closed)(struct node *node);
    char bytes[2048]; /* in the file, or on their way there: a line a member */
    size_t len;
};

/* ---- book.c: where the others were, for the next start */

/* Keep links to those of the start before; when the links are open. */
void node__book_open(struct node *node);

/* Keep where the members are, if that has changed. */
void node__book_keep(struct node *node);

/* closed() follows when nothing is on its way to the disk. */
void node__book_close(struct node *node, void (*closed)(struct node *node));

/* ---- change.c: entries of the meta group, proposed by whoever leads it */

/* A change on its way; embedded by the caller, who keeps it until done(). */
struct node_change {
    struct node *node;
    struct list node_link; /* in node.changes, when it was proposed here */
    struct link_ask ask;   /* when the leader was asked */
    struct meta_entry entry;
    uint64_t index;
    /* @status: OK, it is in force; as meta_apply, or as engine_propose; ERR_TIMEOUT nobody
     * knows. */
    void (*done)(struct node_change *change, int status);
};

/* Have the leader of the meta group judge and propose change->entry; done() follows once.
 * Errors: as meta_check; ERR_NOT_LEADER nobody leads; ERR_BUSY; nothing has happened then. */
int node__change(struct node *node, struct node_change *change) CHECKED;

/* The entry of the meta group at @index was applied, with this result. */
void node__changes_applied(struct node *node, uint64_t index, int status);

/* The node leads the meta group no more. */
void node__changes_lost(struct node *node);

/* METHOD_META, METHOD_CHANGE */
void node__peer_change(struct node *node, const struct conn *conn, uint64_t id, struct slice body);
void node__operator_change(struct node *node, const struct conn *conn, uint64_t id, struct slice body);

/* ---- sign.c: certificates of nodes, made by one that has the root key */

/* One on its way; embedded by the caller, who keeps it until done(). */
struct node_sign {
    struct node *node;
    struct door_signing signing; /* what is wanted, and what came */
    struct link_ask ask;
    uint32_t asked;          /* links that were asked, or passed over */
    struct slice invite;     /* its hash, kept by the caller; empty: for this node itself */
    void (*done)(struct node_sign *sign, int status, const char *text);
};

/* Sign here, or have another node do it; done() follows once. Errors: ERR_BUSY; as door_sign. */
int node__sign(struct node *node, struct node_sign *sign) CHECKED;

/* door_hooks.renew */
void node__renew(void *context);

/* METHOD_SIGN */
void node__peer_sign(struct node *node, const struct conn *conn, uint64_t id, struct slice body);

/* ---- depart.c: nodes that are to go */

/* Whether @id may keep data and lead: it is a member, or not known yet, and not being moved
 * away from. */
bool node__may_carry(const struct node *node, raft_id id);

/* Whether this node's state of group 0 says that @id was removed. */
bool node__was_removed(const struct node *node, raft_id id);

/* Whether @id can be counted on now: there is a link to it, and it is not held for unreachable. A
 * hint, no verdict. This node itself can. */
bool node__is_present(const struct node *node, raft_id id);

/* Whether every group still has a majority of its voters present without @id: whoever takes one
 * away while too many others are down takes the cluster away. */
bool node__can_do_without(const struct node *node, raft_id id);

/* @by says that this node was removed from the cluster: it stops. */
void node__removed(struct node *node, raft_id by);

/* Hand over what this node leads and shall not; stop when it was removed. Called every
 * PLACEMENT_MS. */
void node__depart_turn(struct node *node);

/* Before the engine is opened; when the node serves; when it stops. */
void node__peers_open(struct node *node);
void node__peers_serve(struct node *node);
void node__peers_stop(struct node *node);

/* The live token with this hash, in whichever shard it is. */
bool node__token_find(struct node *node, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                      struct enrol_token_view *ret_token);

/* The node cannot go on: whoever owns it is told, and closes it. */
void node__fail(struct node *node, const char *text);

/* Ask others to lead what this node leads. Returns: whether anybody was asked. */
bool node__hand_over(struct node *node);
bool node__leads_any(const struct node *node);

/* Pay to a change of which nobody knows whether it happened. */
void node__pay_unknown(struct node *node, struct conn_name name, uint64_t id);

/* node__answer with a message. */
void node__answer_message(struct node *node, struct conn_name name, uint64_t id,
                          const ProtobufCMessage *message);

/* METHOD_PEER, of attempts across shards: from the leader of shard @from. */
void node__across_take(struct node *node, uint32_t group, uint32_t from, struct slice message);

#endif
