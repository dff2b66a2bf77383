/* node/door.h -- who may come in: the node's keys, its side of TLS, and what a Hello has to
 * show.
 *
 * Layer: node (base, io, wire, identity, meta)     Spec: docs/spec/identity.md
 *
 * Everything that is refused is counted by its reason, and said in at most one line a second
 * and reason. What somebody may do once inside is rights.h's.
 */
#ifndef CARILLON_NODE_DOOR_H
#define CARILLON_NODE_DOOR_H

#include "identity/keyring.h"
#include "node/conn.h"

enum { DOOR_FOLDER_BYTES = 256, DOOR_PATH_BYTES = DOOR_FOLDER_BYTES + 32 };

/* Somebody waits for keys to be rotated. */
struct door_rotation {
    struct list node;
    void (*done)(struct door_rotation *rotation, int status, const char *text);
};

/* A node, as its certificate says. */
struct door_member {
    uint8_t id[IDENTITY_ID_BYTES];
    const uint8_t *key; /* IDENTITY_KEY_BYTES; NULL: judged already */
    uint64_t key_ms;    /* when the certificate begins */
};

/* A certificate is being made for a node that joins. */
struct door_signing {
    uint8_t id[IDENTITY_ID_BYTES];
    uint8_t key[IDENTITY_KEY_BYTES];
    uint8_t certificate[IDENTITY_CERTIFICATE_BYTES_MAX]; /* DER */
    size_t certificate_len;
    uint64_t not_before_ms;
    void (*done)(struct door_signing *signing, int status, const char *text);
};

/* What the door asks of the state. */
struct door_hooks {
    void *context;
    /* The holder of the token with this hash, into @ret_who: IO_REFUSAL_NONE or
     * IO_REFUSAL_TOKEN. */
    enum io_refusal (*token)(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                             struct conn_who *ret_who);
    /* The same of an invite: IO_REFUSAL_NONE or IO_REFUSAL_INVITE. */
    enum io_refusal (*invite)(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                              struct conn_who *ret_who);
    bool (*is_revoked)(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES]);
    /* Whether a node may be one of this cluster: IO_REFUSAL_NONE, IO_REFUSAL_REMOVED, or
     * IO_REFUSAL_MEMBER. */
    enum io_refusal (*member)(void *context, const struct door_member *member);
    /* The node's certificate ends, and the key to sign another is not here: have one made
     * elsewhere (door_take_certificate), or say that there is none (door_warn). */
    void (*renew)(void *context);
};

struct door {
    struct io *io;
    struct door_hooks hooks;
    struct keyring ring;
    struct io_tls *tls;      /* for who comes in */
    struct io_tls *peer_tls; /* for the nodes that this one dials */
    struct proof_memory memory;
    bool is_plain_allowed; /* to peers on this machine */
    bool is_open;          /* the keys are there */

    uint64_t refused[IO_REFUSAL_NR];
    uint64_t unsaid[IO_REFUSAL_NR]; /* of these, not in a line yet */
    uint64_t said_ns[IO_REFUSAL_NR];
    uint64_t handshakes; /* that let somebody in */
    uint64_t resumed;    /* of them, the short ones */

    char local_path[DOOR_PATH_BYTES]; /* the local credential for clients; "": none */
    char local_folder[DOOR_FOLDER_BYTES];
    char local_address[CREDENTIAL_ADDRESS_BYTES_MAX + 1];
    struct io_timer timer; /* looks whether a certificate ends */
    struct io_job job;
    struct keyring_update update; /* the job's */
    struct list rotations;        /* struct door_rotation */
    struct door_signing *signing; /* the job's, if it is one */
    uint8_t given[IDENTITY_CERTIFICATE_BYTES_MAX]; /* the job's, if it is one */
    size_t given_len;
    uint64_t warned_ms;
    bool is_busy; /* the job is on its way */
    bool is_closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* The data folder. */
struct door_folder {
    const char *path;
    enum keyring_start start;
};

/* Find or make the cluster's root and the local secret (engine_hooks.identify). Memory comes
 * from @arena. Errors: as keyring_open. */
int door_open(struct door *door, struct io *io, struct arena *arena,
              const struct door_folder *folder, uint8_t cluster[IDENTITY_ID_BYTES],
              struct buf *text) CHECKED;

/* Find or make all the rest, and be ready to let people in (engine_hooks.identified). Errors:
 * as keyring_open_node. */
int door_open_node(struct door *door, const uint8_t node_id[IDENTITY_ID_BYTES],
                   struct buf *text) CHECKED;

/* Get the local credential ready in @folder, for clients of @address; then, as soon as there
 * may be any, put it where they look for it. Not being able to is said in a line and no reason
 * not to serve. */
void door_prepare(struct door *door, const char *folder, const char *address);
void door_publish(struct door *door, uint16_t port);

/* Begin to look after the certificates. */
void door_serve(struct door *door);

/* Stop looking, take the local credential back; closed() follows, at once or when what is on
 * its way to the disk is there. Takes a door that was never opened. */
void door_close(struct door *door, void (*closed)(void *context), void *context);

/* Free the memory of a process that has died. */
void door_forget(struct door *door);

/* Make new keys, certificate, card and local secret; done() follows. */
void door_rotate(struct door *door, struct door_rotation *rotation);

/* Make a certificate for a node; the storage is kept until done(), which follows.
 * Returns: SM_PENDING. Errors: ERR_BUSY keys are being made already. */
int door_sign(struct door *door, struct door_signing *signing) CHECKED;

/* Use @certificate, which another node has signed for this one's key, if it is good; kept until
 * then by the door. Errors: ERR_BUSY keys are being made already; ERR_TOO_LARGE. */
int door_take_certificate(struct door *door, struct slice certificate) CHECKED;

/* The certificate was not renewed: say so, once a day. */
void door_warn(struct door *door, int status, const char *text);

/* ---- door_tls.c: handshakes ---- */

/* What a stream to another node of the cluster is to connect with (io_stream.tls): it shows
 * this node's certificate and takes nothing but that of a node. Lives until the door closes. */
static inline struct io_tls *door_peer_tls(const struct door *door)
{
    return door->peer_tls;
}

/* Which node stands at the other end of a stream, dialled or accepted; whoever dials compares it
 * with the one that was meant. Errors: IO_REFUSAL_ROLE it is no node; IO_REFUSAL_CERTIFICATE its
 * name is no id; IO_REFUSAL_REMOVED it was removed; IO_REFUSAL_MEMBER. */
enum io_refusal door_peer_id(const struct door *door, const struct io_peer *peer,
                             uint8_t ret_id[IDENTITY_ID_BYTES]);

/* Use the node's present certificate in handshakes from now on. */
int door__show_certificate(struct door *door) CHECKED;

/* ---- conn_hooks ---- */

/* Whether anything may be heard from @peer. */
enum io_refusal door_arrive(const struct door *door, const struct io_peer *peer);

/* Judge a Hello (struct Carillon__Hello). Fills in @ret_who and the welcome's part of it; on a
 * refusal the welcome's text. */
enum io_refusal door_greet(struct door *door, const struct io_peer *peer, const void *hello,
                           struct conn_who *ret_who, void *welcome);

/* Count it, and say it now and then. */
void door_refused(struct door *door, enum io_refusal refusal);

#endif
