#include "campus/table.h"

#include <string.h>

#include "base/assert.h"

void table_init(struct table *table, struct arena *arena, size_t element)
{
    ASSERT(element > 0);
    *table = (struct table){.arena = arena, .element = element};
}

static void add_chunk(struct table *table)
{
    if (table->chunk_count == table->chunk_cap) {
        uint32_t cap = table->chunk_cap == 0 ? 8 : table->chunk_cap * 2;

        table->chunks = arena_grow(table->arena, table->chunks, sizeof *table->chunks,
                                   table->chunk_cap, cap);
        table->chunk_cap = cap;
    }
    table->chunks[table->chunk_count++] =
        arena_alloc_zero(table->arena, table->element * TABLE_CHUNK);
}

uint32_t table_add(struct table *table)
{
    ASSERT(table->count < UINT32_MAX - 1);
    if (table->count == table->chunk_count * TABLE_CHUNK) {
        add_chunk(table);
    }
    return table->count++;
}

void table_resize(struct table *table, uint32_t count)
{
    while (table->chunk_count * (uint64_t)TABLE_CHUNK < count) {
        add_chunk(table);
    }
    if (table->count < count) {
        table->count = count;
    }
}

void table_fini(struct table *table)
{
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        arena_free(table->arena, table->chunks[i], table->element * TABLE_CHUNK);
    }
    if (table->chunk_cap > 0) {
        arena_free(table->arena, table->chunks, table->chunk_cap * sizeof *table->chunks);
    }
    table_init(table, table->arena, table->element);
}
