/* search/spelling.h -- a quick no for words that no title and no name has: bits of hashes, for
 * looking a word's many misspellings up.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 7
 *
 * A Bloom filter in layers: when one is full, the next has twice its bits, so that no word is
 * ever moved. Each word sets its bits within one 64-bit block. The hash is a polynomial over
 * the bytes, so that the hash of a word with one letter taken out, put in or replaced comes
 * from the hashes of its parts without reading it again.
 */
#ifndef CARILLON_SEARCH_SPELLING_H
#define CARILLON_SEARCH_SPELLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/slice.h"

#define SPELLING_FACTOR 0x9E3779B97F4A7C15ULL

enum { SPELLING_LAYERS_MAX = 16 };

struct spelling {
    struct {
        uint64_t *blocks;
        uint32_t mask; /* of blocks; their number is a power of two */
    } layers[SPELLING_LAYERS_MAX];
    uint32_t layers_count;
    uint32_t words; /* in the last layer */
};

/* The hash continued by one byte more. */
static inline uint64_t spelling_next(uint64_t hash, uint8_t byte)
{
    return hash * SPELLING_FACTOR + byte + 1;
}

/* Take @word in. When the last layer is full as well, it takes words beyond its measure, and
 * says "perhaps" more often. */
void spelling_add(struct spelling *spelling, struct arena *arena, struct slice word);

static inline uint64_t spelling_bits(uint64_t mixed)
{
    return 1ULL << (mixed & 63) | 1ULL << (mixed >> 6 & 63) | 1ULL << (mixed >> 12 & 63) |
           1ULL << (mixed >> 18 & 63);
}

/* Whether a word of this hash may be there; false is certain. */
static inline bool spelling_may_have(const struct spelling *spelling, uint64_t hash)
{
    uint64_t mixed = hash_u64(hash);
    uint64_t bits = spelling_bits(mixed);
    for (uint32_t i = spelling->layers_count; i-- > 0;) {
        uint32_t block = (uint32_t)(mixed >> 32) & spelling->layers[i].mask;
        if ((spelling->layers[i].blocks[block] & bits) == bits) {
            return true;
        }
    }
    return false;
}

#endif
