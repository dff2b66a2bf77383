/* base/map.h -- the one hash table: from a 64-bit hash and the caller's notion of equality to a
 * 32-bit value.
 *
 * Layer: base
 *
 * The table stores only (hash, value) pairs; the keys live in the caller's objects, which the
 * value names (an index into the caller's array). There is no way to walk it: order by hash
 * would leak into results, so callers that need an order keep one. Linear probing; erased slots
 * are closed up by moving followers back (no tombstones). Growth is incremental: the old table
 * is moved a few slots per put, so that no single call takes long.
 */
#ifndef CARILLON_BASE_MAP_H
#define CARILLON_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define MAP_NONE UINT32_MAX /* a value that is never stored */

struct map_slot {
    uint32_t hash;  /* the low half: the rest hardly ever saves a look at the object */
    uint32_t value; /* MAP_NONE: empty */
};

struct map_table {
    struct map_slot *slots;
    size_t mask;  /* capacity - 1; capacity is a power of two, at most 2^32 */
    size_t count; /* slots in use */
};

struct map {
    struct arena *arena;
    struct map_table now; /* takes new values */
    struct map_table old; /* being moved; slots NULL when nothing is */
    size_t moved;         /* slots of old that were moved already */
};

/* Whether the object that @value names has the key @key. */
typedef bool (*map_equal)(const void *context, uint32_t value, const void *key);

/* An empty table in @arena; allocates on the first put. */
void map_init(struct map *map, struct arena *arena);
void map_fini(struct map *map);

/* Make room for @count values at once (for loading). */
void map_reserve(struct map *map, size_t count);

/* The value that was put under @hash and for which @equal(context, value, key) holds, or
 * MAP_NONE. */
uint32_t map_find(const struct map *map, uint64_t hash, map_equal equal, const void *context,
                  const void *key);

/* Bring the places where @hash is looked for into the processor's cache, without waiting for
 * them: for callers that know of several values that they will want soon. */
static inline void map_prefetch(const struct map *map, uint64_t hash)
{
    if (map->now.slots != NULL) {
        __builtin_prefetch(&map->now.slots[hash & map->now.mask]);
    }
    if (map->old.slots != NULL) {
        __builtin_prefetch(&map->old.slots[hash & map->old.mask]);
    }
}

/* The first value stored under @hash, or MAP_NONE: what map_find will most likely return, told
 * without looking at the callers' objects. Only a hint. */
uint32_t map_peek(const struct map *map, uint64_t hash);

/* Add a value under @hash. The caller has made sure that its key is not there yet. @value is
 * not MAP_NONE. */
void map_put(struct map *map, uint64_t hash, uint32_t value);

/* Remove the pair (@hash, @value). Returns: whether it was there. */
bool map_remove(struct map *map, uint64_t hash, uint32_t value);

static inline size_t map_count(const struct map *map)
{
    return map->now.count + map->old.count;
}

#endif
