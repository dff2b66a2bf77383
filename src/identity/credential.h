/* identity/credential.h -- the text of a credential file.
 *
 * Layer: identity (base)     Spec: docs/spec/identity.md section 6
 */
#ifndef CARILLON_IDENTITY_CREDENTIAL_H
#define CARILLON_IDENTITY_CREDENTIAL_H

#include "identity/certificate.h"
#include "identity/proof.h"

enum { CREDENTIAL_FILE_BYTES_MAX = 16 << 10, CREDENTIAL_ADDRESS_BYTES_MAX = 80 };

enum credential_kind {
    CREDENTIAL_KIND_NONE,
    CREDENTIAL_KIND_LOCAL,
    CREDENTIAL_KIND_TOKEN,
    CREDENTIAL_KIND_CERTIFICATE,
};

/* Zeroed: none. credential_fini() wipes it. */
struct credential {
    enum credential_kind kind;
    char address[CREDENTIAL_ADDRESS_BYTES_MAX + 1];
    uint8_t cluster[IDENTITY_ID_BYTES];
    uint8_t root[IDENTITY_FINGERPRINT_BYTES]; /* the pinned fingerprint */
    uint8_t secret[PROOF_SECRET_BYTES];       /* local: the secret; token: the token */
    struct buf root_certificate;              /* DER */
    struct buf certificate;                   /* DER; certificate only */
    struct buf key;                           /* PKCS #8 DER; certificate only */
};

void credential_init(struct credential *credential);
void credential_fini(struct credential *credential);

/* Append the text. Errors: ERR_FULL. */
int credential_encode(const struct credential *credential, struct buf *out) CHECKED;

/* Read a text into an initialised @credential. Errors: ERR_MALFORMED, ERR_VERSION. */
int credential_decode(struct slice text, struct credential *credential) CHECKED;

/* A token as people see it ("crt1_" and 64 digits), and back. Errors: ERR_MALFORMED. */
enum { TOKEN_TEXT_BYTES = 5 + 2 * TOKEN_BYTES };
void token_format(const uint8_t token[TOKEN_BYTES], char out[TOKEN_TEXT_BYTES + 1]);
int token_parse(struct slice text, uint8_t ret_token[TOKEN_BYTES]) CHECKED;

#endif
