/* client/client_private.h -- what the files of libcarillon share.
 *
 * Layer: client (base, io, io_uv, wire)
 *
 * A node lives in a place of the table of peers: under an address that was given, or that
 * another node has told. New connections lead to the target; when it fails, another peer
 * becomes the target.
 *
 * A request lives in a slot of a fixed table. It is in exactly one list: free, waiting (for a
 * link with room), sent (on one link) or paused (before it is sent again). Ids carry the slot's
 * index and its generation, so a late reply to a request that was given up never meets the
 * slot's next tenant.
 */
#ifndef CARILLON_CLIENT_CLIENT_PRIVATE_H
#define CARILLON_CLIENT_CLIENT_PRIVATE_H

#include "base/arena.h"
#include "base/rng.h"
#include "client/carillon.h"
#include "identity/credential.h"
#include "io/io.h"
#include "io_uv/io_uv.h"
#include "proto/envelope.pb-c.h"
#include "wire/frame.h"

enum {
    CLIENT_NAME_BYTES_MAX = 64,
    CLIENT_ADDRESS_BYTES_MAX = 64,
    CLIENT_PATH_BYTES_MAX = 500,
    CLIENT_TEXT_BYTES_MAX = 512,
    CLIENT_OUT_BYTES_MAX = 16 << 20, /* unsent bytes a link may hold */
    CLIENT_PAUSE_MS_MIN = 10,        /* the first pause before a retry or a new connection */
    CLIENT_PAUSE_MS_MAX = 1000,
    CLIENT_WAIT_MS = 20, /* a blocking call's longest sleep: what the world put off ends no wait
                            of its own */
    CLIENT_TICK_NS = 2000000,  /* deadlines and pauses are looked at this often at most */
    CLIENT_BUDGET_SUCCESS = 1, /* tenths of a retry that a success earns */
    CLIENT_BUDGET_RETRY = 10,  /* tenths that a retry costs */
    CLIENT_BUDGET_RETRIES_MIN = 10,
    CLIENT_GIVEN_MAX = 16, /* addresses */
    CLIENT_TOLD_MAX = 16,  /* nodes that others told of: META_MEMBERS_MAX of the node */
    CLIENT_PEERS_MAX = CLIENT_GIVEN_MAX + CLIENT_TOLD_MAX,
    CLIENT_SETTLE_ANSWERS =
        64,                 /* from one node, before the client moves to the one that leads */
    CLIENT_MOVE_MS = 2000,  /* between two such moves, at least half of it */
    CLIENT_PROBE_MS = 1000,     /* of silence, before a node is asked whether it is there; and again before it is left */
    CLIENT_LEAVE_MS = 2000, /* a connection that is left may take to answer what was sent */
};

/* One node, as far as it is known. */
struct client_peer {
    struct carillon_client *client;
    char address[CLIENT_ADDRESS_BYTES_MAX + 1]; /* "": the place is free */
    uint16_t port;
    bool is_given; /* by who made the client; else another node told */
    bool is_gone;  /* the node that told last knows it no more; free when no link leads there */
    bool has_id;
    uint8_t id[16];
    uint32_t leads;   /* shards, as was told: a hint */
    bool has_failed;  /* since anybody was greeted, or since all have failed */
    bool is_hopeless; /* and why says something about the node, not about the moment */
    struct credential credential;
    uint64_t credential_hash; /* of the file it was read from; 0: none */
    struct io_tls *tls;       /* of a credential that wants it */
};

/* The id of a question whether the node is there: what no slot has, for none has the last index. */
#define CLIENT_PROBE_ID ((uint64_t)1 << 16)

enum slot_place {
    SLOT_FREE,
    SLOT_WAITING,
    SLOT_SENT,
    SLOT_PAUSED,
};

struct slot {
    struct list node; /* in the list that place names */
    enum slot_place place;
    uint32_t index;
    uint32_t generation;
    struct client_link *link; /* SLOT_SENT */
    uint64_t due_ns;          /* the deadline */
    uint64_t resume_ns;       /* SLOT_PAUSED: when to go on */
    uint32_t method;
    uint32_t attempts;
    bool has_key;
    bool is_stale_ok;
    bool is_unknown; /* some attempt may have changed something and was not answered */
    int status; /* of the last attempt that ended: what the deadline reports when nothing is
                   unknown */
    struct carillon_key key;
    carillon_done done;
    void *context;
    uint8_t *body; /* kept with the slot for its next tenant */
    size_t body_bytes;
    size_t body_cap;
};

enum link_state {
    LINK_IDLE,
    LINK_CONNECTING,
    LINK_GREETING, /* Hello sent, Welcome awaited */
    LINK_READY,
    LINK_CLOSING,
};

struct client_link {
    struct io_stream stream;
    struct carillon_client *client;
    struct client_peer *peer; /* where it leads; NULL: nowhere yet */
    enum link_state state;
    bool is_leaving;       /* ready, and takes nothing more: another one takes over */
    struct io_timer timer; /* connecting and greeting: too long; idle: the pause is over */
    bool is_paused;
    bool is_dirty;         /* bytes appended and not flushed */
    uint32_t failures;     /* in a row */
    uint64_t hello_ms;     /* what the proof in our Hello was made of */
    uint8_t hello_nonce[PROOF_NONCE_BYTES];
    int refused;           /* the connect call itself failed; told from the timer */
    uint32_t inflight;     /* requests the node has not answered, given up ones included */
    uint32_t inflight_max; /* ours, and the node's */
    uint32_t abandoned;    /* of inflight, given up */
    uint32_t answers;
    bool is_probed; /* asked whether it is there, and silent since */
    uint64_t heard_ns;     /* when it last said something, or had nothing to say */
    struct list sent;      /* slots */
    struct frame_reader reader;
};

struct carillon_client {
    struct io *io;
    struct io_uv *world; /* NULL in a lent world */
    struct io_turn turn;
    struct io_timer timer; /* the earliest deadline or pause */
    uint64_t timer_ns;     /* when it fires; UINT64_MAX: not armed */
    struct rng rng;
    struct carillon_options options;
    char name[CLIENT_NAME_BYTES_MAX + 1];
    struct client_peer peers[CLIENT_PEERS_MAX]; /* those that were given come first */
    uint32_t given_count;
    struct client_peer *target;        /* where the next connection leads */
    const struct client_peer *greeted; /* by whom we were greeted last */
    uint32_t peer_count;
    bool is_patient; /* all peers have failed since anybody greeted: connecting may take its time */
    uint64_t move_ns;                  /* not before then to the one that leads */
    bool has_cluster;                  /* and no node of another one is taken any more */
    uint8_t cluster[IDENTITY_ID_BYTES];
    char credential_path[CLIENT_PATH_BYTES_MAX + 1]; /* "": it is looked for */
    bool has_no_credential;                          /* nor shall it be looked for */
    char credential_text[CLIENT_TEXT_BYTES_MAX];

    struct client_link *
        links; /* one more than connections: it is there before the one that it replaces goes */
    uint32_t link_count;
    uint32_t cursor; /* the link to try first */
    uint32_t link_inflight_max;
    uint32_t dirty_count; /* links */
    uint32_t ready_count; /* links that take requests */
    bool is_connecting; /* carillon_connect waits for all links */
    bool is_refused;    /* meanwhile every peer has failed */

    struct slot *slots;
    struct list free;
    struct list waiting;
    struct list paused;
    uint32_t outstanding;
    uint32_t budget; /* tenths of a retry */
    uint32_t budget_max;

    struct arena arena; /* one reply at a time */
    struct carillon_node node;
    struct carillon_counters counters;
    int connect_status; /* of the last connection that failed; OK after one succeeded */
    char connect_text[CLIENT_TEXT_BYTES_MAX];

    bool is_destroying;
    uint32_t closing_count;
    void (*destroyed)(void *context);
    void *destroyed_context;

    bool is_stale_ok; /* of blocking calls with messages */
    bool is_stale;    /* the last blocking call's answer, as in carillon_reply */
    uint64_t age_ms;
    uint64_t applied_index;
    char text[CLIENT_TEXT_BYTES_MAX]; /* of the last blocking call */
    uint8_t *held;                    /* its reply's body */
    size_t held_cap;
};

/* ---- link.c: connections ---- */

void client__link_init(struct carillon_client *client, struct client_link *link);

/* Connect every idle link whose pause is over. */
void client__links_connect(struct carillon_client *client);

/* The link to send the next request on, or NULL when none has room. */
struct client_link *client__link_pick(struct carillon_client *client);

/* Whether @link may take one more request. */
bool client__link_has_room(const struct client_link *link);

/* @link takes nothing more, and closes when what was sent on it is answered. */
void client__link_leave(struct client_link *link);

/* Close @link if it leaves and has nothing more to wait for. */
void client__link_settle(struct client_link *link);

/* Hand all appended bytes to the kernel. */
void client__links_flush(struct carillon_client *client);

/* Note that bytes were appended to @link. */
void client__link_touch(struct client_link *link);

/* Close @link because of @status; its requests are told, and it connects again after a pause
 * when there is work. */
void client__link_fail(struct client_link *link, int status, const char *text);

/* A request on @link was given up: when it has been silent for too long it is replaced, for a
 * peer that vanished without a word would otherwise hold our requests for ever. */
void client__link_doubt(struct client_link *link, uint64_t now_ns);

/* A node that says nothing while others could answer is asked whether it is there, and left when it is not: a machine
 * that lost its power says no word. Returns: when to look again; UINT64_MAX: never. */
uint64_t client__link_probe(struct client_link *link, uint64_t now_ns);

/* Close @link for good; client->closing_count falls when it is done. */
void client__link_close(struct client_link *link);

/* ---- peers.c: which node to talk to ---- */

/* Take the list of addresses of carillon_options apart. Errors: ERR_ADDRESS, ERR_ARGUMENT too
 * many. */
int client__peers_init(struct carillon_client *client, const char *text) CHECKED;
void client__peers_fini(struct carillon_client *client);

/* @peer did not do; another becomes the target. Returns: false when all have failed now, and a
 * new round begins. */
bool client__peer_failed(struct client_peer *peer, bool is_hopeless);

/* The node at the other end of @link has greeted us. */
void client__peer_greeted(struct client_link *link, struct slice node_id);

/* It has told of the cluster's nodes (a Carillon__Cluster). */
void client__peers_learn(struct client_link *link, const void *message);

/* It has answered once more: perhaps we had better ask the one that leads. */
void client__peers_answered(struct client_link *link);

/* It is there, but cannot serve us. */
void client__peers_avoid(struct client_link *link);

/* Whether every peer that failed in the round that is over was hopeless. */
bool client__peers_are_hopeless(const struct carillon_client *client);

bool client__address_is_loopback(const char *address);
bool client__address_is_numeric(const char *address);

/* ---- slot.c: requests ---- */

/* Send what waits, as far as links have room. */
void client__slots_dispatch(struct carillon_client *client);

/* A whole reply frame's @payload came on @link. Errors: what ends the link: ERR_MALFORMED, or
 * what the node says of the connection itself, with its words in @ret_text (else NULL), lent
 * until the next reply. */
int client__slots_reply(struct client_link *link, struct slice payload,
                        const char **ret_text) CHECKED;

/* @link is lost with @status: its requests are sent again, or end. */
void client__slots_lost(struct client_link *link, int status, const char *text);

/* No connection can be had: end everything that waits for one with @status. */
void client__slots_refuse(struct carillon_client *client, int status, const char *text);

/* End everything. */
void client__slots_cancel(struct carillon_client *client);

/* client->timer fired. */
void client__slots_tick(struct carillon_client *client);

/* ---- client.c ---- */

/* All links are closed: free the client. */
void client__destroy_finish(struct carillon_client *client);

/* ---- credential.c ---- */

/* The credential part of a Hello, with what it points to. */
struct client_hello {
    Carillon__Credential credential;
    uint8_t proof[PROOF_BYTES];
};

/* Find and read the credential for @peer anew. Having none is fine where the node may still
 * take us. Errors: ERR_UNAUTHENTICATED, client->credential_text says why. */
int client__credential_load(struct client_peer *peer) CHECKED;
/* The same once more, for a connection that was begun as a plain one. */
int client__credential_reload(struct client_peer *peer) CHECKED;
void client__credential_forget(struct client_peer *peer);

void client__credential_show(struct client_link *link, struct client_hello *hello);

/* Whether the Carillon__Welcome comes from the node that the credential is for. Errors:
 * ERR_UNAUTHENTICATED. */
int client__credential_check(const struct client_link *link, const void *message) CHECKED;

/* ---- address.c ---- */

/* Take one address apart. Errors: ERR_ADDRESS. */
int client__address_parse(struct slice text, char ret_host[CLIENT_ADDRESS_BYTES_MAX + 1],
                          uint16_t *ret_port) CHECKED;

/* A pause before attempt or connection number @failures + 1, in ms: exponential, the upper half
 * drawn. */
uint32_t client__pause_ms(struct carillon_client *client, uint32_t failures);

#endif
