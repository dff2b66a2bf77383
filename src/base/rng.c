#include "base/rng.h"

#include "base/assert.h"
#include "base/hash.h"

/* xoshiro256** of Blackman and Vigna ("Scrambled Linear Pseudorandom Number Generators", 2018),
 * its state filled by splitmix64 as its authors advise: no seed, zero included, gives the
 * forbidden all-zero state. */
void rng_init(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15ULL;
        rng->state[i] = hash_u64(seed);
    }
}

static uint64_t rotate_left(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    ASSERT(bound > 0);
    /* Draws below 2^64 mod bound would make small results likelier: they are drawn again. */
    uint64_t excess = (0 - bound) % bound;
    uint64_t draw = rng_next(rng);
    while (draw < excess) {
        draw = rng_next(rng);
    }
    return draw % bound;
}

uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high)
{
    ASSERT(low <= high);
    if (high - low == UINT64_MAX) {
        return rng_next(rng);
    }
    return low + rng_below(rng, high - low + 1);
}

bool rng_chance(struct rng *rng, uint32_t ppm)
{
    return rng_below(rng, 1000000) < ppm;
}

void rng_fill(struct rng *rng, void *data, size_t len)
{
    uint8_t *at = data;
    uint64_t draw = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0) {
            draw = rng_next(rng);
        }
        at[i] = (uint8_t)draw; /* lowest byte first, whatever the machine's order */
        draw >>= 8;
    }
}
