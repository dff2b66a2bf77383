/* identity/key.h -- Ed25519 keys: making, storing, signing, and how a key is named.
 *
 * Layer: identity (base, libcrypto)     Spec: docs/spec/identity.md section 1
 *
 * Private keys live in the secure heap of libcrypto once identity_secure_memory() was called:
 * locked, left out of core dumps, overwritten when freed.
 */
#ifndef CARILLON_IDENTITY_KEY_H
#define CARILLON_IDENTITY_KEY_H

#include "base/buf.h"
#include "base/error.h"

enum {
    IDENTITY_ID_BYTES = 16,          /* of clusters and nodes */
    IDENTITY_KEY_BYTES = 32,         /* public keys, and the seeds of private ones */
    IDENTITY_FINGERPRINT_BYTES = 32, /* SHA-256 */
    IDENTITY_SIGNATURE_BYTES = 64,
    IDENTITY_KEY_FILE_BYTES_MAX = 4096,
};

/* A key pair, or a public key alone. All zero: none. */
struct identity_key {
    void *pkey; /* libcrypto's */
    bool has_private;
    uint8_t bytes[IDENTITY_KEY_BYTES]; /* the public key */
};

/* Set up the secure heap; once a process, before the first key. Without it keys are on the
 * ordinary heap. */
void identity_secure_memory(void);

/* Make a key pair from 32 random bytes of the world, which the caller then wipes. */
int identity_key_make(const uint8_t seed[IDENTITY_KEY_BYTES],
                      struct identity_key *ret_key) CHECKED;

/* A public key alone. Errors: ERR_MALFORMED. */
int identity_key_public(struct slice bytes, struct identity_key *ret_key) CHECKED;

/* Release it. Takes zeroed ones. */
void identity_key_fini(struct identity_key *key);

/* A private key as the text of a PEM file, and back. Errors: ERR_MALFORMED also for keys of
 * another kind; ERR_FULL. */
int identity_key_to_pem(const struct identity_key *key, struct buf *out) CHECKED;
int identity_key_from_pem(struct slice text, struct identity_key *ret_key) CHECKED;

/* The same as PKCS #8 DER, for io_tls_options. */
int identity_key_to_der(const struct identity_key *key, struct buf *out) CHECKED;
int identity_key_from_der(struct slice der, struct identity_key *ret_key) CHECKED;

void identity_key_sign(const struct identity_key *key, struct slice message,
                       uint8_t ret_signature[IDENTITY_SIGNATURE_BYTES]);
bool identity_key_verify(const struct identity_key *key, struct slice message,
                         struct slice signature);

/* SHA-256. */
void identity_hash(struct slice bytes, uint8_t ret_hash[IDENTITY_FINGERPRINT_BYTES]);

/* The hash of the public key. */
void identity_fingerprint(const struct identity_key *key,
                          uint8_t ret_fingerprint[IDENTITY_FINGERPRINT_BYTES]);

/* The id of the cluster whose first root key this is. */
void identity_cluster_id(const struct identity_key *root, uint8_t ret_id[IDENTITY_ID_BYTES]);

/* Overwrite what was secret. */
void identity_wipe(void *data, size_t len);

/* Overwrite a buffer's whole memory and release it. */
void identity_buf_wipe(struct buf *buf);

#endif
