/* lib/fake_node.h -- a server that speaks the client protocol's frames and says what a test
 * wants it to say.
 *
 * It knows no registration: a test gives the greeting's parts and a function that is called for
 * every request. The function answers at once, later, in another order, or not at all.
 */
#ifndef CARILLON_TESTS_LIB_FAKE_NODE_H
#define CARILLON_TESTS_LIB_FAKE_NODE_H

#include "base/arena.h"
#include "io/io.h"
#include "proto/envelope.pb-c.h"
#include "wire/frame.h"

enum { FAKE_CONNS_MAX = 80 };

struct fake_node;

struct fake_conn {
    struct io_stream stream;
    struct fake_node *node;
    struct frame_reader reader;
    bool is_open;
    bool is_closing;
    bool is_greeted;
    uint32_t requests;
};

struct fake_node {
    struct io *io;
    struct io_listener listener;
    uint16_t port;
    struct arena arena;
    struct fake_conn conns[FAKE_CONNS_MAX];
    bool is_listening;

    /* What a test sets. */
    uint32_t welcome_version;
    uint32_t welcome_status;
    const char *welcome_text;
    uint32_t outstanding_max;
    const char *cluster_id;     /* 16 bytes */
    const char *node_id;        /* 16 bytes, or NULL */
    Carillon__Cluster *cluster; /* told in the greeting; NULL: nothing */
    bool is_silent;  /* never greets */
    bool is_garbled; /* greets with bytes that are no message */
    void (*request)(struct fake_conn *conn, const Carillon__Request *request);
    void *context;

    /* What a test looks at. */
    uint32_t accepted;
    uint32_t requests;
    uint32_t closed;
};

/* Serve on a free port of 127.0.0.1 (node->port), or on @port when it is not 0. The node is
 * zeroed by this. */
void fake_node_open(struct fake_node *node, struct io *io, uint16_t port);

/* The same on another @address of the world. */
void fake_node_open_at(struct fake_node *node, struct io *io, const char *address,
                       uint16_t port);

/* Close the listener and every connection; the world must run a little for it to be done
 * (fake_node_is_closed). */
void fake_node_close(struct fake_node *node);
bool fake_node_is_closed(const struct fake_node *node);

/* Cut one connection. */
void fake_conn_cut(struct fake_conn *conn);

/* Answer the request with @id. */
void fake_reply(struct fake_conn *conn, uint64_t id, int status, struct slice body);

/* The same with all that a Reply may say. */
void fake_reply_message(struct fake_conn *conn, const Carillon__Reply *reply);

/* Send @bytes as they are. */
void fake_send(struct fake_conn *conn, struct slice bytes);

#endif
