/* identity/proof.h -- showing that one holds a secret without sending it.
 *
 * Layer: identity (base, libcrypto)     Spec: docs/spec/identity.md sections 6 and 7
 */
#ifndef CARILLON_IDENTITY_PROOF_H
#define CARILLON_IDENTITY_PROOF_H

#include "base/map.h"
#include "identity/key.h"

enum {
    PROOF_SECRET_BYTES = 32,
    PROOF_NONCE_BYTES = 16,
    PROOF_BYTES = 32,
    PROOF_WINDOW_MS = 30000,
    PROOF_NONCES_MAX = 1 << 14, /* a power of two */
    TOKEN_BYTES = 32,
    TOKEN_ID_BYTES = 8,
};

enum proof_side { PROOF_HELLO, PROOF_WELCOME };

/* The proof of @secret for one connection. */
void proof_make(const uint8_t secret[PROOF_SECRET_BYTES], enum proof_side side,
                uint64_t wall_ms, const uint8_t nonce[PROOF_NONCE_BYTES],
                uint8_t ret_proof[PROOF_BYTES]);

/* Whether two secrets are equal, in time that depends on @len alone. */
bool proof_is_equal(const void *a, const void *b, size_t len);

/* Every Hello that was taken, so that none is taken twice. Bounded: the oldest are forgotten,
 * and what is not newer than them is not taken any more. */
struct proof_memory {
    struct proof_seen *seen; /* a ring of PROOF_NONCES_MAX, by number */
    struct map map;          /* nonce hash to number */
    uint64_t first;
    uint64_t next;
    uint64_t floor_ms; /* what was made up to here is not taken */
};

struct proof_seen {
    uint8_t nonce[PROOF_NONCE_BYTES];
    uint64_t wall_ms;
};

/* Nothing made before @wall_ms will be taken. Memory comes from @arena and goes with it. */
void proof_memory_init(struct proof_memory *memory, struct arena *arena, uint64_t wall_ms);
void proof_memory_fini(struct proof_memory *memory);

/* Take a Hello's time and nonce, once.
 * Returns: IO_REFUSAL_NONE, IO_REFUSAL_SECRET when it is too old or from the future,
 * IO_REFUSAL_REPLAY. */
int proof_memory_take(struct proof_memory *memory, uint64_t wall_ms,
                      const uint8_t nonce[PROOF_NONCE_BYTES], uint64_t now_ms) CHECKED;

#endif
