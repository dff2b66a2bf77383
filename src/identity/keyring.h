/* identity/keyring.h -- the folder DATA/keys: what a node is made of, and how it is kept.
 *
 * Layer: identity (base, io, wire, libcrypto)     Spec: docs/spec/identity.md sections 2 and 4
 *
 * Opening has two halves, for the cluster's id follows from the root key and is recorded in the
 * data folder between them. Afterwards changes are made in three steps, so that no file is
 * written on the loop: plan (what is due), make (files; on a lane), take (from now on).
 */
#ifndef CARILLON_IDENTITY_KEYRING_H
#define CARILLON_IDENTITY_KEYRING_H

#include "identity/card.h"
#include "identity/credential.h"
#include "io/io.h"

enum { KEYRING_PATH_BYTES = 480 };

/* A key pair with its certificate. */
struct keyring_pair {
    struct identity_key key;
    struct buf certificate; /* DER */
    uint64_t not_before_ms;
    uint64_t not_after_ms;
};

struct keyring {
    struct io *io;
    char folder[KEYRING_PATH_BYTES];
    uint8_t cluster[IDENTITY_ID_BYTES];
    uint8_t node_id[IDENTITY_ID_BYTES];
    bool is_joined;           /* the root key is another node's */
    bool is_adopted;          /* the cluster's id is not its root key's hash */
    bool has_root_key;        /* root.key was there when last looked at */
    struct identity_key root; /* the public key alone */
    struct buf root_certificate;
    struct keyring_pair node;
    struct keyring_pair operator;
    struct card card;
    struct buf card_bytes; /* the SignedCard */
    uint8_t secret[PROOF_SECRET_BYTES];
    bool has_secret;
};

/* Parts that are missing or due. */
enum keyring_part {
    KEYRING_NODE_KEY = 1,
    KEYRING_NODE_CERTIFICATE = 2,
    KEYRING_OPERATOR_KEY = 4,
    KEYRING_OPERATOR_CERTIFICATE = 8,
    KEYRING_CARD = 16,
    KEYRING_SECRET = 32,
    KEYRING_GUEST = 64, /* a certificate for another node; no file */
    KEYRING_GIVEN = 128, /* the node's certificate, as another node has made it */
    KEYRING_SIGNED = KEYRING_NODE_CERTIFICATE | KEYRING_OPERATOR_CERTIFICATE | KEYRING_CARD |
                     KEYRING_GUEST,
    KEYRING_ROTATION =
        KEYRING_NODE_KEY | KEYRING_NODE_CERTIFICATE | KEYRING_CARD | KEYRING_SECRET,
};

/* ---- opening: waits for the disk, before the node serves */

/* What is known of the folder beforehand. */
enum keyring_start {
    KEYRING_FOUND,  /* it has its identity */
    KEYRING_NEW,    /* it is being made: so is a cluster */
    KEYRING_JOINED, /* it belongs to a cluster that was there: no root is ever made */
};

/* Find or make DATA/keys, the root key and the local secret. @cluster is the recorded id, or, of
 * a KEYRING_NEW one, is set to the root key's.
 *
 * Errors: ERR_PERMISSION others can read a key; ERR_DAMAGED; ERR_CONFIG a join was begun there
 * and not ended; ERR_IO, ERR_DISK_FULL. @text says
 * which file and what to do. The ring may be given to keyring_fini in any case.
 */
int keyring_open(struct keyring *ring, struct io *io, const char *data_folder,
                 enum keyring_start start, uint8_t cluster[IDENTITY_ID_BYTES], struct buf *text) CHECKED;

/* Find or make all the rest. Errors: as keyring_open; ERR_GONE the root key is needed and is
 * not there. */
int keyring_open_node(struct keyring *ring, const uint8_t node_id[IDENTITY_ID_BYTES],
                      struct buf *text) CHECKED;

/* Wipe and release. Takes zeroed ones. */
void keyring_fini(struct keyring *ring);

/* ---- changing */

/* One change on its way. */
struct keyring_update {
    const struct keyring *ring; /* not changed between plan and take */
    unsigned parts;
    uint64_t wall_ms;
    struct {
        uint8_t node_seed[IDENTITY_KEY_BYTES];
        uint8_t operator_seed[IDENTITY_KEY_BYTES];
        uint8_t secret[PROOF_SECRET_BYTES];
        uint8_t serials[3][IDENTITY_SERIAL_BYTES];
    } random;
    uint8_t guest_id[IDENTITY_ID_BYTES]; /* KEYRING_GUEST: set after planning */
    uint8_t guest_key[IDENTITY_KEY_BYTES];
    struct slice given; /* KEYRING_GIVEN: DER, kept by the caller; set after planning */
    struct keyring_pair guest; /* its certificate alone; read it before taking */
    struct keyring_pair node; /* what was made */
    struct keyring_pair operator;
    struct card card;
    struct buf card_bytes;
    bool has_root_key;
    int status;
    char text[256]; /* what went wrong */
};

/* What is missing, or ends soon. */
unsigned keyring_due(const struct keyring *ring, uint64_t wall_ms);

/* Prepare to make @parts, on the loop. */
void keyring_plan(const struct keyring *ring, unsigned parts,
                  struct keyring_update *ret_update);

/* Make and write them; touches files and the update only. update->status tells: ERR_GONE there
 * is no root.key to sign with. Parts that went well before another failed stay on disk and are
 * found by the next start. */
void keyring_make(struct io *io, struct keyring_update *update);

/* Use what was made, if it went well, and wipe the update. Returns: the update's status. */
int keyring_take(struct keyring *ring, struct keyring_update *update);

/* Append the local credential for clients of @address. Errors: ERR_FULL. */
int keyring_local_credential(const struct keyring *ring, const char *address,
                             struct buf *out) CHECKED;

/* The same of a secret that is being made. */
int keyring_update_credential(const struct keyring_update *update, const char *address,
                              struct buf *out) CHECKED;

/* ---- keyring_file.c: within the room */

/* Append what @name in the folder holds, at most @out's bound. Errors: ERR_GONE,
 * ERR_PERMISSION others can read it, ERR_TOO_LARGE, ERR_IO. */
int keyring__read(struct io *io, const char *folder, const char *name, struct buf *out) CHECKED;

/* Replace @name as a whole, durably. Errors: ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE. */
int keyring__write(struct io *io, const char *folder, const char *name,
                   struct slice bytes) CHECKED;

#endif
