/* base/hash.h -- XXH3 with a fixed seed: the hash of tables, contents and states (not a
 * cryptographic one).
 *
 * Layer: base
 */
#ifndef CARILLON_BASE_HASH_H
#define CARILLON_BASE_HASH_H

#include "base/slice.h"

/* XXH3 64 bit of the bytes. The same on every machine and in every release: stored data relies
 * on it. */
uint64_t hash_bytes(const void *data, size_t len);

static inline uint64_t hash_slice(struct slice s)
{
    return hash_bytes(s.data, s.len);
}

/* The hash of the bytes continued from @seed, for keys of several parts. */
uint64_t hash_bytes_seeded(uint64_t seed, const void *data, size_t len);

/* A good mix of one integer (splitmix64 finaliser). */
static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

#endif
