/* node/swim.h -- who of the cluster's nodes is there: drives the membership core, and carries
 * what it says.
 *
 * Layer: node (base, io, identity, member, meta, raft)     Spec: docs/spec/member.md section 10
 *
 * Datagrams go to the port that the other serves, sealed with a key that it got over the link to
 * it; and over the link as well, until it has said that they come through. Verdicts are hints
 * for others: nothing here removes a member.
 */
#ifndef CARILLON_NODE_SWIM_H
#define CARILLON_NODE_SWIM_H

#include "identity/seal.h"
#include "io/io.h"
#include "member/member.h"
#include "meta/meta.h"

enum {
    SWIM_PEERS_MAX = META_MEMBERS_MAX,
    SWIM_HEARD_MS = 5000, /* so long what came through says that more will */
};

struct node;

/* What is known of the way to and from another member. */
struct swim_peer {
    member_id id; /* 0: the place is free */
    struct seal_sender sender;
    struct seal_receiver receiver;
    bool has_sender;
    bool has_receiver;
    uint64_t keyed_ns; /* when it was last told a key */
    uint64_t heard_ns; /* when a datagram of it came */
    uint64_t told_ns;  /* when it said that this node's come */
    uint64_t since_ms; /* wall time of the last change of its state */
};

struct swim_counters {
    uint64_t sent;        /* datagrams */
    uint64_t sent_bytes;  /* without the headers of the network */
    uint64_t received;
    uint64_t refused;     /* datagrams whose seal did not open, or that came again */
    uint64_t linked;      /* of what was sent, over a link (as well) */
    uint64_t left_out;    /* there was no way */
};

struct swim {
    struct node *node;
    struct member core;
    struct member_effects effects;
    struct io_timer timer;
    struct io_datagrams datagrams;
    struct swim_peer peers[SWIM_PEERS_MAX];
    struct swim_counters counters;
    uint8_t bytes[IO_DATAGRAM_BYTES_MAX];
    bool is_receiving; /* datagrams are open */
    bool is_refused;   /* they could not be opened, and that was said */
    bool is_leaving;
    bool is_closing;
    void (*closed)(struct node *node);
};

/* Before the links are opened. Nobody is spoken to until there are other members. */
void node__swim_open(struct node *node);

/* Who the members are, as the meta group's state says now. */
void node__swim_members(struct node *node);

/* The link to @id has come up, or broke. */
void node__swim_link_up(struct node *node, member_id id);
void node__swim_link_down(struct node *node, member_id id);

/* @from said on a connection of its own: the key that its datagrams are sealed with from now on;
 * what would have been a datagram. */
void node__swim_key(struct node *node, member_id from, struct slice key);
void node__swim_linked(struct node *node, member_id from, struct slice item);

/* This node leaves in good order; whether that has been said often enough. */
void node__swim_leave(struct node *node);
bool node__swim_has_left(const struct node *node);

/* Stop; closed() follows, at once or later. */
void node__swim_close(struct node *node, void (*closed)(struct node *node));

/* Free the memory. */
void node__swim_fini(struct node *node);

/* ---- asking */

/* What is held of @id: its state, and in @ret_since_ms since when, by this machine's clock (0:
 * since it began to look). MEMBER_STATE_NR for who is no member. */
enum member_state node__swim_state(const struct node *node, member_id id,
                                   uint64_t *ret_since_ms);

/* Whether @id has been held for unreachable; and for gone, which others may act on. Both are
 * false of who is no member. */
bool node__swim_is_unreachable(const struct node *node, member_id id);
bool node__swim_is_gone(const struct node *node, member_id id);

#endif
