#include "identity/proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"
#include "base/hash.h"
#include "io/peer.h"

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

void proof_make(const uint8_t secret[PROOF_SECRET_BYTES], enum proof_side side,
                uint64_t wall_ms, const uint8_t nonce[PROOF_NONCE_BYTES],
                uint8_t ret_proof[PROOF_BYTES])
{
    static const char *const words[] = {"carillon local hello 1", "carillon local welcome 1"};
    uint8_t message[32 + 8 + PROOF_NONCE_BYTES];
    size_t len = strlen(words[side]);
    unsigned proof_len = 0;

    memcpy(message, words[side], len);
    put_u64(message + len, wall_ms);
    memcpy(message + len + 8, nonce, PROOF_NONCE_BYTES);
    const uint8_t *made = HMAC(EVP_sha256(), secret, PROOF_SECRET_BYTES, message,
                               len + 8 + PROOF_NONCE_BYTES, ret_proof, &proof_len);

    ASSERT(made != NULL && proof_len == PROOF_BYTES);
}

bool proof_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

/* ---- what was taken ---- */

void proof_memory_init(struct proof_memory *memory, struct arena *arena, uint64_t wall_ms)
{
    *memory = (struct proof_memory){.floor_ms = wall_ms == 0 ? 0 : wall_ms - 1};
    map_init(&memory->map, arena);
    memory->seen = arena_alloc(arena, PROOF_NONCES_MAX * sizeof *memory->seen);
}

void proof_memory_fini(struct proof_memory *memory)
{
    if (memory->seen != NULL) {
        arena_free(memory->map.arena, memory->seen, PROOF_NONCES_MAX * sizeof *memory->seen);
        map_fini(&memory->map);
    }
    memory->seen = NULL;
}

static bool is_seen(const void *context, uint32_t value, const void *key)
{
    const struct proof_memory *memory = context;

    return memcmp(memory->seen[value].nonce, key, PROOF_NONCE_BYTES) == 0;
}

static uint64_t nonce_hash(const uint8_t nonce[PROOF_NONCE_BYTES])
{
    return hash_bytes(nonce, PROOF_NONCE_BYTES);
}

static void forget_first(struct proof_memory *memory)
{
    uint32_t at = (uint32_t)(memory->first++ % PROOF_NONCES_MAX);
    const struct proof_seen *seen = &memory->seen[at];
    bool was_there = map_remove(&memory->map, nonce_hash(seen->nonce), at);

    ASSERT(was_there);
    if (seen->wall_ms > memory->floor_ms) {
        memory->floor_ms = seen->wall_ms;
    }
}

int proof_memory_take(struct proof_memory *memory, uint64_t wall_ms,
                      const uint8_t nonce[PROOF_NONCE_BYTES], uint64_t now_ms)
{
    uint64_t hash = nonce_hash(nonce);

    if (wall_ms > now_ms + PROOF_WINDOW_MS || wall_ms + PROOF_WINDOW_MS < now_ms) {
        return IO_REFUSAL_SECRET;
    }
    if (wall_ms <= memory->floor_ms ||
        map_find(&memory->map, hash, is_seen, memory, nonce) != MAP_NONE) {
        return IO_REFUSAL_REPLAY;
    }
    if (memory->next - memory->first == PROOF_NONCES_MAX) {
        forget_first(memory);
    }
    uint32_t at = (uint32_t)(memory->next++ % PROOF_NONCES_MAX);

    memcpy(memory->seen[at].nonce, nonce, PROOF_NONCE_BYTES);
    memory->seen[at].wall_ms = wall_ms;
    map_put(&memory->map, hash, at);
    return IO_REFUSAL_NONE;
}
