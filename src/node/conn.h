/* node/conn.h -- one client connection: hello, frames in, replies out, and its bounds.
 *
 * Layer: node (base, io, wire)     Spec: docs/spec/protocol.md
 *
 * The connections of a node live in slots; a slot and the generation it had name a connection
 * after it may be gone, so that an answer that comes late finds either its connection or
 * nobody.
 */
#ifndef CARILLON_NODE_CONN_H
#define CARILLON_NODE_CONN_H

#include "base/list.h"
#include "io/io.h"
#include "wire/frame.h"

enum {
    CONN_PROTOCOL_VERSION = 1,
    CONN_MAGIC = 0x43524c4e,
    CONN_OUT_HIGH_BYTES =
        1 << 20, /* more answers than this unread: stop reading from the client */
    CONN_OUT_BYTES_MAX = 4 << 20,
    CONN_HELLO_MS = 10000,
    CONN_HELLO_BYTES_MAX = 256, /* of the first frame */
    CONN_HOLD_MS = 3000,        /* for the node to learn whether a credential is good */
    CONN_ARRIVING_MAX = 256,    /* connections whose Hello was not taken yet */
    CONN_STUDENT_BYTES_MAX = 64,
    CONN_STALL_MS = 30000, /* a frame that has begun must end within this */
};

struct conn_table;

struct conn_name {
    uint32_t slot;
    uint32_t generation;
};

/* Who speaks, once the Hello was taken. */
struct conn_who {
    uint32_t roles; /* what it may do: bits of method_role */
    uint32_t token; /* its number in the state, plus 1; 0: it came without one */
    uint64_t node;  /* its member number, when it is a node; else 0 */
    char student[CONN_STUDENT_BYTES_MAX +
                 1];   /* whom alone it may act for, when it is a student */
    uint8_t proof[32]; /* for the Welcome */
};

/* A Hello that is to be judged again. */
struct conn_held {
    uint64_t shown_ns;
    uint32_t len;
    uint8_t bytes[CONN_HELLO_BYTES_MAX];
};

struct conn {
    struct io_stream stream;
    struct conn_table *table;
    struct frame_reader reader;
    struct list dirty; /* in conn_table.dirty while answers wait for the end of the turn */
    struct list arriving; /* in conn_table.arriving until it is greeted */
    struct conn_held *held; /* while the node cannot tell yet whom it lets in, or NULL */
    struct conn_name name;
    struct conn_who who;
    uint32_t outstanding; /* requests that will be answered later */
    uint64_t since_ms;    /* of the last whole frame, or of the accept */
    uint64_t cluster_told; /* conn_table.cluster_version when the client was told last */
    bool is_greeted;
    bool is_paused;
    bool is_closing;
};

/* What the table asks of the node. */
struct conn_hooks {
    void *context;
    /* A whole request frame; the payload is borrowed for the call. Answer with conn_reply, now
     * or later. */
    void (*request)(void *context, struct conn *conn, struct slice payload);
    /* Whether anything may be heard from this peer. */
    enum io_refusal (*arrive)(void *context, const struct io_peer *peer);
    /* Judge the Hello of a client of our version: fill in conn->who and Welcome, or in Welcome
     * only the text. */
    enum io_refusal (*greet)(void *context, struct conn *conn, const void *hello,
                             void *welcome);
    /* Whether that judgement of what was shown at @ns stands. If not, the Hello is judged again
     * until it does, or CONN_HOLD_MS have passed. */
    bool (*is_final)(void *context, enum io_refusal refusal, uint64_t ns);
    /* Somebody was not let in. */
    void (*refused)(void *context, enum io_refusal refusal);
};

struct conn_limits {
    uint32_t connections_max;
    uint32_t outstanding_max;
};

struct conn_counters {
    uint64_t accepted;
    uint64_t bad_frames;
    uint64_t refused_connections;
};

struct conn_table {
    struct io *io;
    struct arena *arena;
    struct conn_hooks hooks;
    struct conn_limits limits;
    struct conn_counters counters;
    struct io_listener listener;
    struct io_turn turn;
    struct io_timer sweep;
    struct io_timer hold; /* runs while somebody is held */
    struct list dirty;
    struct list arriving; /* the longest first */
    uint32_t arriving_count;
    bool is_holding;
    struct conn **slots;
    uint32_t *generations;
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t used;
    struct slice cluster; /* a packed Cluster, for clients; lent */
    uint64_t cluster_version;
    bool is_serving; /* who comes is let in */
    bool is_closing;
    bool listener_is_closed;
    void (*closed)(struct conn_table *table);
};

/* Listen on a numeric @address and @port (0: any free one, stored back) and serve. The hooks
 * are set beforehand. Memory for the connections comes from @arena. Errors: as io_listen. */
int conn_table_open(struct conn_table *table, struct io *io, struct arena *arena,
                    const struct conn_limits *limits, const char *address,
                    uint16_t *port) CHECKED;

/* Let in who has come, and send answers at the end of each turn from now on; called when every hook that answers has
 * been added, so that a turn's answers leave in that turn. */
void conn_table_serve(struct conn_table *table);

/* Stop listening and close every connection; closed() follows. */
void conn_table_close(struct conn_table *table, void (*closed)(struct conn_table *table));

/* Close the connections of clients: they may come again. */
void conn_table_turn_out(struct conn_table *table);

/* Close the connections of the node with this member number. */
void conn_table_turn_out_node(struct conn_table *table, uint64_t node);

/* Free the memory of the connections of a process that has died; the streams are not closed. */
void conn_table_forget(struct conn_table *table);

/* The cluster has changed: every client is told with its next answer. @cluster: a packed
 * Cluster, lent until the next call. */
void conn_table_tell(struct conn_table *table, struct slice cluster);

/* Whether who speaks is a client that may go to other nodes. */
bool conn_is_of_a_client(const struct conn *conn);

/* The connection of that name, or NULL when it is gone. */
struct conn *conn_find(struct conn_table *table, struct conn_name name);

struct conn_answer {
    uint64_t id;
    int status; /* OK or an error */
    uint32_t retry_after_ms;
    const char *text; /* NULL: the error's own */
    struct slice body;
    struct slice stale; /* a packed Staleness, or none */
};

/* Queue one reply; it leaves at the end of the turn, together with the others. A client that
 * does not read until CONN_OUT_BYTES_MAX are waiting is cut off. */
void conn_reply(struct conn *conn, const struct conn_answer *answer);

/* Do not let it in, or no longer: say why, if there is a @text, and close. */
void conn_turn_away(struct conn *conn, enum io_refusal refusal, int status, const char *text);

/* Say what was wrong with a frame, and close: the stream cannot be trusted any further. */
void conn_refuse(struct conn *conn, int status, const char *text);

/* Whether the client reads its answers too slowly to be given more work now. */
static inline bool conn_is_choked(const struct conn *conn)
{
    return conn->stream.out.len >
           CONN_OUT_HIGH_BYTES; /* `out` holds what was flushed and not taken too */
}

#endif
