/* base/rng.h -- a seeded random sequence (xoshiro256**): the same seed gives the same numbers
 * everywhere.
 *
 * Layer: base
 */
#ifndef CARILLON_BASE_RNG_H
#define CARILLON_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);

uint64_t rng_next(struct rng *rng);

/* A number in 0..bound-1 without bias; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* A number in low..high, both included. */
uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high);

/* True in @ppm of a million draws. */
bool rng_chance(struct rng *rng, uint32_t ppm);

void rng_fill(struct rng *rng, void *data, size_t len);

#endif
