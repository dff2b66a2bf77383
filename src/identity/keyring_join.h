/* identity/keyring_join.h -- DATA/keys of a node that joins a cluster which is there already.
 *
 * Layer: identity (base, io, wire, libcrypto)     Spec: docs/spec/identity.md section 10
 *
 * The node's key comes first, and its id follows from it: so whoever asks again after a crash
 * asks as the same node. What the cluster answers is kept as a whole by the file `joined`,
 * written last. All of this waits for the disk, before the node serves.
 */
#ifndef CARILLON_IDENTITY_KEYRING_JOIN_H
#define CARILLON_IDENTITY_KEYRING_JOIN_H

#include "identity/keyring.h"

/* What an invite says: carillon-invite:<host:port>:<fingerprint>:<secret>. */
struct keyring_invite {
    char address[CREDENTIAL_ADDRESS_BYTES_MAX + 1];
    uint8_t root[IDENTITY_FINGERPRINT_BYTES];
    uint8_t secret[TOKEN_BYTES];
};

/* Errors: ERR_MALFORMED. */
int keyring_invite_parse(const char *text, struct keyring_invite *ret_invite) CHECKED;

/* The id of a node that joins: the first bytes of its first key's fingerprint. */
void keyring_join_id(const uint8_t key[IDENTITY_KEY_BYTES], uint8_t ret_id[IDENTITY_ID_BYTES]);

/* What a folder that joined belongs to. */
struct keyring_joined {
    uint8_t cluster[IDENTITY_ID_BYTES];
    uint8_t node[IDENTITY_ID_BYTES];
    uint32_t shards;
};

/* Errors: ERR_GONE the folder did not join, or not to the end; ERR_DAMAGED, ERR_PERMISSION,
 * ERR_IO with @text. */
int keyring_joined_read(struct io *io, const char *data_folder,
                        struct keyring_joined *ret_joined, struct buf *text) CHECKED;

/* Find or make the key to join with. Errors: ERR_EXISTS the folder has a root key: it is a
 * cluster's own; as keyring_open; with @text. */
int keyring_join_key(struct io *io, const char *data_folder, struct identity_key *ret_key,
                     struct buf *text) CHECKED;

/* The fingerprint of the root that the folder's keys are of. Errors: ERR_GONE; as
 * keyring_open, with @text. */
int keyring_join_root(struct io *io, const char *data_folder,
                      uint8_t ret_fingerprint[IDENTITY_FINGERPRINT_BYTES],
                      struct buf *text) CHECKED;

/* What a cluster answers to who asks to join; DER, and the SignedCard. */
struct keyring_answer {
    struct keyring_joined joined; /* cluster and shards; node is set here */
    struct slice root_certificate;
    struct slice node_certificate;
    struct slice card;
};

/* Whether it is the answer for @key, of the cluster whose root key has the fingerprint @root.
 * Errors: ERR_UNAUTHENTICATED another root; ERR_MALFORMED it does not fit together. */
int keyring_join_check(struct keyring_answer *answer, const struct identity_key *key,
                       const uint8_t root[IDENTITY_FINGERPRINT_BYTES],
                       uint64_t wall_ms) CHECKED;

/* Write it all, each file durable before the next, `joined` last. Errors: ERR_IO,
 * ERR_DISK_FULL, ERR_TOO_LARGE; with @text. */
int keyring_join_keep(struct io *io, const char *data_folder,
                      const struct keyring_answer *answer, struct buf *text) CHECKED;

#endif
