/* client/client_private.h -- what the files of libcarillon share.
 *
 * Layer: client (base, io, io_uv, wire)
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
};

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
    enum link_state state;
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
    char address[CLIENT_ADDRESS_BYTES_MAX + 1];
    uint16_t port;
    char credential_path[CLIENT_PATH_BYTES_MAX + 1]; /* "": it is looked for */
    bool has_no_credential;                          /* nor shall it be looked for */
    struct credential credential;
    uint64_t credential_hash; /* of the file it was read from; 0: none */
    char credential_text[CLIENT_TEXT_BYTES_MAX];
    struct io_tls *tls; /* of a credential that wants it */

    struct client_link *links;
    uint32_t cursor; /* the link to try first */
    uint32_t link_inflight_max;
    uint32_t dirty_count; /* links */
    uint32_t ready_count;
    bool is_connecting; /* carillon_connect waits for all links */

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

/* Close @link for good; client->closing_count falls when it is done. */
void client__link_close(struct client_link *link);

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

/* Find and read the credential anew. Having none is fine where the node may still take us.
 * Errors: ERR_UNAUTHENTICATED, client->credential_text says why. */
int client__credential_load(struct carillon_client *client) CHECKED;
/* The same once more, for a connection that was begun as a plain one. */
int client__credential_reload(struct carillon_client *client) CHECKED;
void client__credential_fini(struct carillon_client *client);

void client__credential_show(struct client_link *link, struct client_hello *hello);

/* Whether the Carillon__Welcome comes from the node that the credential is for. Errors:
 * ERR_UNAUTHENTICATED. */
int client__credential_check(const struct client_link *link, const void *message) CHECKED;

/* ---- address.c ---- */

/* Take an address of carillon_options apart. Errors: ERR_ADDRESS. */
int client__address_parse(const char *text, char ret_host[CLIENT_ADDRESS_BYTES_MAX + 1],
                          uint16_t *ret_port) CHECKED;

/* A pause before attempt or connection number @failures + 1, in ms: exponential, the upper half
 * drawn. */
uint32_t client__pause_ms(struct carillon_client *client, uint32_t failures);

#endif
