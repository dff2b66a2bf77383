/* campus/shard.h -- which shard a key belongs to.
 *
 * Layer: campus (base)     Spec: docs/spec/enrol.md section 1
 *
 * A student's key is the token, a course's the code alone: so that a name that leaves out
 * institution or term leads to one shard, and courses that could be meant by it lie together.
 */
#ifndef CARILLON_CAMPUS_SHARD_H
#define CARILLON_CAMPUS_SHARD_H

#include "base/hash.h"
#include "campus/campus.h"

enum { CAMPUS_SHARDS_MAX = 1024 };

/* The shard, from 0, of @key among @shard_count, a power of two. */
static inline uint32_t campus_shard_of(struct slice key, uint32_t shard_count)
{
    return shard_count <= 1 ? 0 : (uint32_t)(hash_slice(key) >> 32) & (shard_count - 1);
}

static inline bool campus_is_sharded(const struct campus *campus)
{
    return campus->shard_count > 1;
}

static inline bool campus_is_own(const struct campus *campus, struct slice key)
{
    return !campus_is_sharded(campus) ||
           campus_shard_of(key, campus->shard_count) == campus->shard;
}

#endif
