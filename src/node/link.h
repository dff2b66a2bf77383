/* node/link.h -- connections to the other nodes of the cluster.
 *
 * Layer: node (base, io, wire, meta, raft)     Spec: docs/spec/protocol.md section 7
 *
 * This node dials every other one and speaks the client protocol with it, as a client of role
 * node: messages of its members of groups, which nobody answers, and requests that were made
 * here and that the other is to answer. So two nodes have two connections, one for what each
 * has to say. A link that breaks is dialled again for ever. What is said to a node that cannot
 * be reached, or that reads too slowly, is dropped: consensus says it again.
 */
#ifndef CARILLON_NODE_LINK_H
#define CARILLON_NODE_LINK_H

#include "meta/meta.h"
#include "node/conn.h"
#include "raft/message.h"
#include "wire/envelope.h"

enum {
    LINKS_MAX = RAFT_MEMBERS_MAX - 1,
    LINK_ADDRESS_BYTES = 48,       /* a numeric address */
    LINK_FORWARDS_MAX = 1 << 14,   /* requests that others are to answer, of all links */
    LINK_OUT_BYTES_MAX = 16 << 20, /* waiting to be sent to one node */
    LINK_GREET_MS = 3000,          /* from dialling to its Welcome */
    LINK_ASK_MS = 10000,           /* an answer to link_ask */
    LINK_RETRY_MS = 50,            /* before the first repetition; doubled up to LINK_RETRY_MS_MAX */
    LINK_RETRY_MS_MAX = 1000,
};

enum link_state { LINK_IDLE, LINK_DIALLING, LINK_GREETING, LINK_UP, LINK_CLOSING };

struct link_table;

struct link {
    struct link_table *table;
    raft_id id; /* whom it leads to; 0: the place is free */
    char address[LINK_ADDRESS_BYTES];
    uint16_t port;
    enum link_state state;
    struct io_stream stream;
    struct frame_reader reader;
    struct io_timer timer; /* of the greeting, or before the next dial */
    uint32_t failures;
    struct buf gathered; /* messages of this turn: a PeerRequest in the making */
    bool is_dirty;       /* something waits for the end of the turn */
    bool is_unwanted;  /* it goes when it is closed */
    bool is_full;      /* the node at the other end has said that its disk is */
    bool is_told_full; /* and was told so of this one's */
};

/* What this node itself asks of another; embedded by the caller, who keeps it until done(). */
struct link_ask {
    /* @status: OK, and @reply is there; or that of link_hooks.unanswered. */
    void (*done)(struct link_ask *ask, int status, const struct envelope_reply *reply);
};

/* A request of somebody else that another node is to answer, or of this node's own. */
struct link_forward {
    struct link_ask *ask; /* its own; NULL: somebody else's */
    struct conn_name conn;
    uint64_t id; /* as who asked calls it */
    uint64_t deadline_ns;
    uint32_t generation; /* of the place */
    uint32_t next;       /* free: the next free one */
    uint32_t group_to;   /* 1 + the group whose leader is to take it, or 0 */
    raft_id to;          /* 0: free */
    bool is_write;
};

struct link_hooks {
    void *context;
    /* Whether who stands at the other end of a stream is the node @id. */
    bool (*is_it)(void *context, const struct io_peer *peer, raft_id id);
    /* The answer to what @forward was for. */
    void (*answered)(void *context, const struct link_forward *forward,
                     const struct envelope_reply *reply);
    /* None will come: the link broke (ERR_CLOSED), or its deadline has passed (ERR_TIMEOUT).
     * Nobody knows what became of it. */
    void (*unanswered)(void *context, const struct link_forward *forward, int status);
    /* The link to @id is up: what is said now comes before everything else. */
    void (*up)(void *context, raft_id id);
    /* It broke, or the other ended it. */
    void (*down)(void *context, raft_id id);
    /* The node at the other end, which is @id, says that this one was removed from the cluster. */
    void (*removed)(void *context, raft_id id);
};

struct link_table {
    struct io *io;
    struct io_tls *tls; /* how this node shows itself */
    char own_address[META_ADDRESS_BYTES_MAX + 1]; /* host:port, told to the others */
    struct link_hooks hooks;
    struct arena *arena;
    struct io_turn turn;
    struct io_timer sweep;
    struct link links[LINKS_MAX];
    struct link_forward *forwards;
    uint32_t forward_free; /* head of the free places; UINT32_MAX: none */
    uint32_t forward_made; /* places that were ever in use */
    uint32_t forward_count;
    uint64_t dropped; /* messages */
    uint32_t used;    /* links whose stream is not closed yet */
    bool is_closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* Memory comes from @arena. */
void link_table_open(struct link_table *table, struct io *io, struct arena *arena,
                     const struct link_hooks *hooks);

/* Close all; closed() follows, at once or later. */
void link_table_close(struct link_table *table, void (*closed)(void *context), void *context);

/* Free the memory of a process that has died. */
void link_table_forget(struct link_table *table);

/* Keep a link to @id at a numeric @address from now on; a link that leads elsewhere is dialled
 * anew. Errors: ERR_FULL; ERR_ADDRESS it is too long. */
int link_put(struct link_table *table, raft_id id, const char *address,
             uint16_t port) CHECKED;

/* No link to @id any more. */
void link_remove(struct link_table *table, raft_id id);

/* The link to @id, or NULL. */
struct link *link_find(struct link_table *table, raft_id id);
const struct link *link_find_const(const struct link_table *table, raft_id id);

static inline bool link_is_up(const struct link *link)
{
    return link != NULL && link->state == LINK_UP;
}

/* Say @message of @group at the end of the turn, if the link is up and keeps pace. */
void link_send(struct link_table *table, uint32_t group, const struct raft_message *message);

/* Say @message of the leader of shard @from to that of @group, which @to is: likewise. */
void link_send_across(struct link_table *table, raft_id to, uint32_t group, uint32_t from,
                      struct slice message);

/* Say @bytes, a field @number of PeerRequest, at the end of the turn. Errors: ERR_CLOSED the link
 * is not up; ERR_FULL it does not keep pace: nothing is said then. */
int link_say(struct link_table *table, raft_id to, uint32_t number, struct slice bytes) CHECKED;

/* Ask the node @to by a @method of its own with @body; ask->done() follows once. Errors: as
 * link_forward. */
int link_ask(struct link_table *table, raft_id to, uint32_t method, struct slice body,
             struct link_ask *ask) CHECKED;

/* Have the node @to answer a request. @request: its packed Request; @who made it.
 * answered() or unanswered() follows once.
 * Errors: ERR_NOT_LEADER the node cannot be reached; ERR_BUSY too many wait for an answer. */
int link_forward(struct link_table *table, raft_id to, const struct conn_who *who,
                 const struct link_forward *forward, struct slice request) CHECKED;

#endif
