/* campus/table.h -- a growing array of equal elements whose addresses never change.
 *
 * Layer: campus (base)
 *
 * Elements lie in chunks of TABLE_CHUNK; growing adds a chunk and at times a longer list of
 * chunks, so that no single call copies the elements. Elements are addressed by ordinal, 0 up,
 * and are never taken out.
 */
#ifndef CARILLON_CAMPUS_TABLE_H
#define CARILLON_CAMPUS_TABLE_H

#include "base/arena.h"

enum { TABLE_CHUNK_BITS = 9, TABLE_CHUNK = 1 << TABLE_CHUNK_BITS };

struct table {
    struct arena *arena;
    uint8_t **chunks;
    size_t element; /* bytes */
    uint32_t count; /* ordinals 0..count-1 are in use */
    uint32_t chunk_count;
    uint32_t chunk_cap;
};

/* An empty table in @arena of elements of @element bytes; allocates nothing yet. */
void table_init(struct table *table, struct arena *arena, size_t element);

/* Add a cleared element. Returns: its ordinal, the count before. */
uint32_t table_add(struct table *table);

/* Make ordinals 0..@count-1 exist (cleared); for loading. Never shrinks. */
void table_resize(struct table *table, uint32_t count);

/* Free everything; the table is empty then. */
void table_fini(struct table *table);

/* The element @ordinal (ordinal < count). */
static inline void *table_at(const struct table *table, uint32_t ordinal)
{
    return table->chunks[ordinal >> TABLE_CHUNK_BITS] +
           (ordinal & (TABLE_CHUNK - 1)) * table->element;
}

#endif
