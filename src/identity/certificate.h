/* identity/certificate.h -- certificates of a cluster: issuing and judging them.
 *
 * Layer: identity (base, io, libcrypto)     Spec: docs/spec/identity.md section 3
 *
 * Judging is ours from end to end: one issuer, no intermediates, one name of one form. What
 * libcrypto's general path building would accept beyond that is not accepted.
 */
#ifndef CARILLON_IDENTITY_CERTIFICATE_H
#define CARILLON_IDENTITY_CERTIFICATE_H

#include "identity/key.h"
#include "io/peer.h"

enum {
    IDENTITY_CERTIFICATE_BYTES_MAX = 4096,
    IDENTITY_SERIAL_BYTES = 16,
    IDENTITY_NODE_DAYS = 90,
    IDENTITY_OPERATOR_DAYS = 365,
    IDENTITY_ROOT_DAYS = 7300,
};

/* What a certificate, a token or a method's row speaks of: bits, so that sets of them can be
 * named. The numbers are those of enum Role in proto/identity.proto. */
enum identity_role {
    IDENTITY_ROLE_NONE = 0,
    IDENTITY_ROLE_CLIENT = 1, /* known, and no more */
    IDENTITY_ROLE_STUDENT = 2,
    IDENTITY_ROLE_REGISTRAR = 4,
    IDENTITY_ROLE_OPERATOR = 8,
    IDENTITY_ROLE_NODE = 16,
    IDENTITY_ROLE_INVITED = 32, /* by an invite; in no certificate */
};

/* "operator"; NULL for what is not one role. */
const char *identity_role_name(uint32_t role);

/* IDENTITY_ROLE_NONE for an unknown name. */
uint32_t identity_role_find(struct slice name);

/* Whether @name may stand in a certificate or a grant: 1 to 64 of a-z A-Z 0-9 . _ - */
bool identity_name_is_valid(struct slice name);

/* What a certificate is to say. */
struct identity_certificate_plan {
    uint8_t cluster[IDENTITY_ID_BYTES];
    uint32_t role; /* IDENTITY_ROLE_NONE: the root's own */
    const char *name;
    const struct identity_key *subject;
    const struct identity_key *issuer; /* the root; has its private key */
    uint64_t not_before_ms;
    uint64_t not_after_ms;
    uint8_t serial[IDENTITY_SERIAL_BYTES]; /* random */
};

/* Append the certificate as DER. Errors: ERR_FULL. */
int identity_certificate_issue(const struct identity_certificate_plan *plan,
                               struct buf *out) CHECKED;

/* What was read from one. */
struct identity_certificate {
    uint32_t role; /* IDENTITY_ROLE_NONE: a root's own */
    uint8_t cluster[IDENTITY_ID_BYTES];
    char name[IO_PEER_NAME_BYTES_MAX + 1];
    uint8_t key[IDENTITY_KEY_BYTES];
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES]; /* of the DER */
    uint64_t not_before_ms;
    uint64_t not_after_ms;
};

/* Read @der and check that it is signed by @root; nothing else is judged.
 * Returns: IO_REFUSAL_NONE, IO_REFUSAL_CERTIFICATE or IO_REFUSAL_OTHER_CA. */
enum io_refusal identity_certificate_read(struct slice der, const struct identity_key *root,
                                          struct identity_certificate *ret_certificate);

/* The key in a self-signed root certificate, and what else it says. Errors: ERR_MALFORMED also
 * when it is not signed by that key. */
int identity_certificate_read_root(struct slice der, struct identity_key *ret_key,
                                   struct identity_certificate *ret_certificate) CHECKED;
int identity_certificate_root_key(struct slice der, struct identity_key *ret_key) CHECKED;

/* Whom a verifier expects. */
struct identity_trust {
    const struct identity_key *root;
    uint8_t cluster[IDENTITY_ID_BYTES];
    uint32_t roles; /* that may stand at the other end */
    uint64_t wall_ms;
    bool (*is_revoked)(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES]);
    void *context; /* of is_revoked, which may be NULL */
};

/* The whole of section 3's list, in its order. */
enum io_refusal identity_certificate_judge(const struct identity_trust *trust, struct slice der,
                                           struct identity_certificate *ret_certificate);

/* A certificate as the text of a PEM file, and back to DER; whether that is a certificate is
 * seen by whoever reads it. Errors: ERR_MALFORMED, ERR_FULL. */
int identity_certificate_to_pem(struct slice der, struct buf *out) CHECKED;
int identity_certificate_from_pem(struct slice text, struct buf *out) CHECKED;

/* The word of a refusal, as counters and log lines have it: "other-ca". */
const char *identity_refusal_name(enum io_refusal refusal);

#endif
