/* tests/lib/greeting.h -- Hello frames for tests that speak to a daemon byte by byte.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_LIB_GREETING_H
#define CARILLON_TESTS_LIB_GREETING_H

#include "base/buf.h"
#include "identity/credential.h"

enum { GREETING_MAGIC = 0x43524c4e };

/* The local credential for the daemon at @address ("127.0.0.1:PORT"), as its clients find it.
 * The caller gives it to credential_fini. */
void greeting_credential(const char *address, struct credential *ret_credential);

/* Append a Hello frame that proves the local credential, made now. */
void greeting_local(const char *address, struct buf *out);

/* The same with a proof of another secret, moment (ms from now) or nonce. */
void greeting_proof(const uint8_t secret[PROOF_SECRET_BYTES], int64_t late_ms,
                    const uint8_t nonce[PROOF_NONCE_BYTES], struct buf *out);

/* Append a Hello frame with a token, or with no credential at all (NULL). */
void greeting_token(const uint8_t token[TOKEN_BYTES], struct buf *out);

#endif
