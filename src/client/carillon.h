/* client/carillon.h -- libcarillon: talk to a Carillon node from C.
 *
 * Layer: client (base, io, io_uv, wire)     Spec: docs/spec/protocol.md
 *
 * One client is used by one thread. It holds one or more connections to one node, opened on
 * first use and opened again when they break: to that node, or to another of its cluster, whose
 * nodes it learns from the one it talks to. It takes no node of another cluster. Requests are
 * pipelined; replies may come in any order. A request ends exactly once, with one of three
 * kinds of answer: yes (OK), no (any other error: nothing happened and nothing will), or
 * unknown (ERR_TIMEOUT: a change may or may not have been made; asking again with the same key
 * is safe and tells which).
 *
 * The library repeats a request by itself, within its deadline, when its connection breaks or
 * when the node says that the cause may pass (error_is_retryable), always with the same key,
 * after a jittered exponential pause, and only while the retry budget lasts: one window of
 * requests to begin with, a tenth of a retry more for every success. A request that changes
 * state is never repeated without a key.
 *
 * Errors are those of base/error.h: 0 or negative, to be checked. When memory ends the library
 * returns ERR_NOMEM.
 */
#ifndef CARILLON_CLIENT_CARILLON_H
#define CARILLON_CLIENT_CARILLON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CARILLON_CHECKED         __attribute__((warn_unused_result))

#define CARILLON_ADDRESS_DEFAULT "127.0.0.1:7440"

enum {
    CARILLON_KEY_BYTES = 16,
    CARILLON_CONNECTIONS_MAX = 1024,
    CARILLON_OUTSTANDING_MAX = 65535,
    CARILLON_CONNECT_MS = 5000, /* defaults of the options below */
    CARILLON_OUTSTANDING = 256,
    CARILLON_SILENCE_MS = 5000,
};

struct carillon_client;
struct io;
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

/* An idempotency key: a UUID of version 7 (RFC 9562). The node keeps the answer under it for 24
 * hours. */
struct carillon_key {
    uint8_t bytes[CARILLON_KEY_BYTES];
};

/* What a client is made of. A zeroed struct asks for the defaults. */
struct carillon_options {
    const char *address; /* "host:port", "[v6]:port" or "host"; numeric, or localhost; or up to
                            16 of them with commas between; NULL: the default */
    const char
        *name; /* who we are, for the node's logs, at most 64 bytes; NULL: "libcarillon" */
    const char *credential;   /* path of a credential file; NULL: it is looked for
                                 (docs/spec/identity.md section 6); "": none is shown */
    uint32_t connections;     /* 0: 1 */
    uint32_t outstanding_max; /* unanswered requests, over all connections; 0:
                                 CARILLON_OUTSTANDING */
    uint32_t deadline_ms;     /* of a request that names none; 0: the method's own */
    uint32_t connect_ms;      /* for a connection and its greeting; 0: CARILLON_CONNECT_MS */
    uint32_t silence_ms; /* a connection this long without a word, when a request on it is given
                            up, is replaced; 0: CARILLON_SILENCE_MS */
    bool retry_never;    /* hand every failure to the caller */
    bool stays; /* with the nodes that were given: those that are told of are not asked */
    struct io *io;       /* the world to live in, lent until destroy; NULL: one of its own */
};

/* The answer to one request. In a callback it is lent for the call; from a blocking call until
 * the next one. */
struct carillon_reply {
    int status;          /* OK or an error of base/error.h */
    const char *text;    /* what happened, where, and what to do; never NULL */
    const uint8_t *body; /* the method's reply message; also with ERR_REFUSED and ERR_QUERY */
    size_t body_bytes;
    uint32_t attempts; /* how often it was sent, 0 when it never was */
    bool is_stale;     /* stale_ok was asked for: a state that may be as old as this */
    uint64_t age_ms;   /* whatever was answered to anybody earlier than this ago is in it */
    uint64_t applied_index; /* the shard's newest entry that is in it */
};

typedef void (*carillon_done)(void *context, const struct carillon_reply *reply);

/* One request, as given to carillon_submit_call. The library copies what it needs. */
struct carillon_call {
    uint32_t method;                /* enum Method of proto/envelope.proto */
    uint32_t deadline_ms;           /* 0: the client's */
    const struct carillon_key *key; /* NULL: none, for methods that only read */
    const void *body;               /* the method's request message, packed; or NULL and */
    size_t body_bytes;
    const struct ProtobufCMessage *message; /* the message itself, packed by the library */
    bool stale_ok; /* reads: any node may answer from what it has applied */
    carillon_done done;
    void *context;
};

/* What the node said that a connection was made to last. */
struct carillon_node {
    uint32_t version; /* of the protocol; 0 while no connection was made */
    char node_version[32];
    uint8_t cluster_id[16];
    uint8_t node_id[16];
    uint32_t outstanding_max; /* a connection */
    uint32_t roles;           /* what we may do there: bits of enum Role */
    bool is_encrypted;
    char student[65]; /* whom alone we may act for; "" when it is not a student's token */
};

/* Where the credential for this client's first address is kept when one logs in (`carillon
 * login`). Errors: ERR_GONE neither XDG_CONFIG_HOME nor HOME says where. */
int carillon_login_path(const struct carillon_client *client, char *out,
                        size_t size) CARILLON_CHECKED;

/* ---- a client ---- */

/* Make a client. Nothing is sent yet.
 *
 * Owns:   copies @options (NULL: all defaults); @ret_client goes to carillon_destroy.
 * Errors: ERR_ADDRESS the address is not one; ERR_ARGUMENT beyond the bounds above; ERR_NOMEM;
 * ERR_IO.
 */
int carillon_create(const struct carillon_options *options,
                    struct carillon_client **ret_client) CARILLON_CHECKED;

/* End every request that is unanswered with ERR_CANCELLED (one that may have changed something:
 * ERR_TIMEOUT), close the connections and free the client. NULL is allowed. Not from inside a
 * callback. In a lent world the world's loop must run until carillon_destroy's @destroyed (may
 * be NULL) was called; in the client's own it has been on return. */
void carillon_destroy(struct carillon_client *client);
void carillon_destroy_in(struct carillon_client *client, void (*destroyed)(void *context),
                         void *context);

/* Connect all connections and wait until each was greeted, or every address has failed.
 * Optional: requests connect by themselves. Errors, of the address tried last:
 * ERR_REFUSED_CONNECT nothing listens; ERR_VERSION; ERR_TIMEOUT; what the node's greeting says
 * (ERR_UNAUTHENTICATED: it does not take our credential, or is not the node that the credential
 * is for). See carillon_text for words. ERR_ARGUMENT in a lent world. */
int carillon_connect(struct carillon_client *client) CARILLON_CHECKED;

/* What is known of the node; borrowed until destroy. */
const struct carillon_node *carillon_node(const struct carillon_client *client);

/* A new key from the wall clock and random bits. */
struct carillon_key carillon_key_make(struct carillon_client *client);

/* ---- asynchronous ---- */

/* Send one request; call->done follows exactly once, never from inside this call.
 *
 * Bounds:  outstanding_max of the options, and of the node a connection.
 * Errors:  ERR_BUSY that many are unanswered (nothing is kept; poll and try again);
 * ERR_TOO_LARGE for a frame; ERR_NOMEM.
 */
int carillon_submit_call(struct carillon_client *client,
                         const struct carillon_call *call) CARILLON_CHECKED;

/* How many requests are unanswered. */
uint32_t carillon_outstanding(const struct carillon_client *client);

/* Send what was submitted, wait up to @timeout_ms (0: do not wait) for something to happen, and
 * call what is done. Errors: ERR_ARGUMENT in a lent world. */
int carillon_poll(struct carillon_client *client, uint32_t timeout_ms) CARILLON_CHECKED;

/* Hand what was submitted to the kernel now; needed only in a lent world outside its callbacks.
 */
void carillon_flush(struct carillon_client *client);

/* For a loop of the caller's: a descriptor that is readable when carillon_poll(client, 0) has
 * something to do, and after how many ms it is to be called anyway (-1: never). The descriptor
 * is -1 in a lent world. */
int carillon_descriptor(const struct carillon_client *client);
int carillon_timeout_ms(struct carillon_client *client);

/* Random bytes of the system, as for tokens. */
void carillon_random(struct carillon_client *client, void *data, size_t len);

/* The credential in use, with what was learned of the cluster when connecting; borrowed. For
 * tools that include identity/credential.h. */
struct credential;
const struct credential *carillon_credential(const struct carillon_client *client);

/* Numbers since the client was made. */
struct carillon_counters {
    uint64_t requests; /* ended */
    uint64_t retries;
    uint64_t connects; /* greeted connections */
    uint64_t lost;     /* greeted connections that broke */
    uint64_t late;     /* replies to requests given up */
    uint64_t malformed;
};
struct carillon_counters carillon_counters(const struct carillon_client *client);

/* ---- blocking ---- */

/* Send one request and wait for its end.
 *
 * Returns: the status in @ret_reply, which is always written.
 * Owns:    @ret_reply points into the client until its next blocking call.
 */
int carillon_call(struct carillon_client *client, const struct carillon_call *call,
                  struct carillon_reply *ret_reply) CARILLON_CHECKED;

/* The same with messages: pack @request, wait, unpack the reply.
 *
 * @key:    NULL for methods that only read.
 * Returns: the status. @ret_reply is always written: the reply message (of @reply_type, to be
 * given to carillon_message_free) with OK, ERR_REFUSED, ERR_QUERY and whenever the node sent
 * one; else NULL. carillon_text has the words. Errors:  besides the node's: ERR_MALFORMED the
 * reply is not a @reply_type.
 */
int carillon_call_message(struct carillon_client *client, uint32_t method,
                          const struct carillon_key *key,
                          const struct ProtobufCMessage *request,
                          const struct ProtobufCMessageDescriptor *reply_type,
                          void *ret_reply) CARILLON_CHECKED;

/* Free a message that carillon_call_message returned. NULL is allowed. */
void carillon_message_free(void *message);

/* What the last blocking call that failed had to say, a sentence for people; "" when it did not
 * fail. Borrowed until the next blocking call. */
const char *carillon_text(const struct carillon_client *client);

/* Whether carillon_call_message takes an old state for reads, from any node. */
void carillon_set_stale_ok(struct carillon_client *client, bool is_stale_ok);

/* How old the state behind the last blocking call's answer may be, as in carillon_reply.
 * Returns: false when it was not an old one that was taken. */
bool carillon_age(const struct carillon_client *client, uint64_t *ret_age_ms,
                  uint64_t *ret_applied_index);

/* Change the deadline of requests that name none. */
void carillon_set_deadline(struct carillon_client *client, uint32_t deadline_ms);

/* The words of base/error.h for @error: its name ("ERR_BUSY") and one clause. Static storage.
 */
const char *carillon_error_name(int error);
const char *carillon_error_text(int error);

#endif
