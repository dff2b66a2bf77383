/* node/join.h -- a node without data becomes one of a cluster that is there, by an invite.
 *
 * Layer: node (base, io, wire, identity, log)     Spec: docs/spec/identity.md section 10
 *
 * Before node_open(): the folder's keys are made, the cluster is asked over TLS pinned to the
 * fingerprint in the invite, and its answer is kept in DATA/keys. node_open() then finds a folder
 * that has joined. What ends by itself, an election above all, is waited for; whatever else
 * interrupts it, the same start again goes on.
 */
#ifndef CARILLON_NODE_JOIN_H
#define CARILLON_NODE_JOIN_H

#include "base/sm.h"
#include "identity/keyring_join.h"
#include "node/config.h"
#include "wire/frame.h"

enum { JOIN_MS = 30000, JOIN_OUT_BYTES_MAX = 8 << 10, JOIN_TEXT_BYTES_MAX = 2048 };

/* Private but for its storage and what is said to be read. */
struct node_join {
    struct sm sm;
    struct io *io;
    const struct node_config *config;
    struct keyring_invite invite;
    struct io_file *lock;
    struct identity_key key;
    uint8_t root[IDENTITY_FINGERPRINT_BYTES]; /* whose certificate was shown */
    struct io_stream stream;
    struct io_tls *tls;
    struct io_timer timer;
    struct frame_reader reader;
    bool is_connecting; /* the stream is to be closed */
    bool is_greeted;
    bool was_greeted; /* in this attempt or one before */
    uint64_t patience_ns; /* until then it is tried again */
    bool is_waiting; /* for the node's word */
    struct buf reply;
    struct buf text; /* read when it failed: what happened and what to do */
    void (*done)(struct node_join *join, int status);
};

/* Join the cluster of config->join. @config is borrowed until the end. Waits for the disk.
 *
 * Returns: OK the folder belongs to that cluster already; SM_PENDING: done() is called once, before
 * it returns or later, with OK or an error.
 * Errors:  ERR_CONFIG the invite or this node's address cannot be used; ERR_EXISTS the folder is of
 * another cluster; ERR_LOCKED, ERR_PERMISSION, ERR_DAMAGED, ERR_IO; in done() also
 * ERR_UNAUTHENTICATED the other does not know the invite, or is not of that cluster;
 * ERR_REFUSED_CONNECT, ERR_TIMEOUT, ERR_CLOSED; what the other answered. With @join->text, and
 * node_join_fini() to follow in any case.
 */
int node_join_start(struct node_join *join, struct io *io, const struct node_config *config,
                    void (*done)(struct node_join *join, int status)) CHECKED;

/* Wipe and release. Not while it is under way. */
void node_join_fini(struct node_join *join);

#endif
