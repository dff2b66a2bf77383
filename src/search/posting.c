#include "search/posting.h"

#include "base/assert.h"

enum {
    CAPACITY_MIN = 16,
    CAPACITY_EXACT = 32 << 10, /* beyond, an allocation is not rounded up to a class */
    SKIPS_MIN = 4,
    COUNT_MAX = (1 << 26) - 1,
};

static uint32_t varint_put(uint8_t *out, uint32_t value)
{
    uint32_t len = 0;
    while (value >= 0x80) {
        out[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (uint8_t)value;
    return len;
}

/* A quarter more each time: little waste, and a posting is copied about four times in its life.
 */
static void reserve(struct posting_list *list, struct arena *arena, uint32_t bytes)
{
    if (list->used + bytes <= list->capacity) {
        return;
    }
    uint32_t wanted = list->capacity + list->capacity / 4;
    wanted = wanted < list->used + bytes ? list->used + bytes : wanted;
    wanted = wanted < CAPACITY_MIN ? CAPACITY_MIN : wanted;
    wanted = wanted > CAPACITY_EXACT ? wanted : (uint32_t)arena_cost(wanted);
    list->data = arena_grow(arena, list->data, 1, list->capacity, wanted);
    list->capacity = wanted;
}

static uint32_t skips_capacity(uint32_t skips_class)
{
    uint32_t capacity = skips_class == 0 ? 0 : SKIPS_MIN;
    for (uint32_t i = 1; i < skips_class; i++) {
        capacity += capacity / 2;
    }
    return capacity;
}

static void add_skip(struct posting_list *list, struct arena *arena, uint32_t block)
{
    uint32_t capacity = skips_capacity(list->skips_class);
    if (block >= capacity) {
        list->skips_class = (list->skips_class + 1U) & 63U;
        list->skips = arena_grow(arena, list->skips, sizeof(*list->skips), capacity,
                                 skips_capacity(list->skips_class));
    }
    list->skips[block] = (struct posting_skip){list->last, list->used};
}

/* The bytes of the varint of @value. */
static uint32_t varint_bytes(uint32_t value)
{
    uint32_t bits = 32 - (uint32_t)__builtin_clz(value | 1);
    return (bits + 6) / 7;
}

void posting_append(struct posting_list *list, struct arena *arena, uint32_t row, uint8_t byte)
{
    ASSERT(list->count == 0 || row > list->last);
    ASSERT(list->count < COUNT_MAX);
    if (list->count > 0 && list->count % POSTING_BLOCK == 0) {
        add_skip(list, arena, (uint32_t)list->count / POSTING_BLOCK - 1);
    }
    reserve(list, arena, varint_bytes(row - list->last) + 1);
    list->used += varint_put(list->data + list->used, row - list->last);
    list->data[list->used++] = byte;
    list->last = row;
    list->count = (list->count + 1U) & COUNT_MAX;
}

uint32_t posting_sweep(struct posting_list *list, struct arena *arena,
                       bool (*is_alive)(const void *context, uint32_t row), const void *context)
{
    struct posting_walk walk;
    posting_open(&walk, list);
    struct posting_list kept = *list;
    kept.used = 0;
    kept.count = 0;
    kept.last = 0;
    uint32_t seen = 0;
    uint32_t count = list->count;
    while (seen < count) {
        uint32_t row = walk.row;
        uint8_t byte = walk.byte;
        seen++;
        posting_next(&walk);
        /* Distances add up, and a varint of a sum is no longer than its parts' together: the
         * copy never overtakes the walk. */
        if (is_alive(context, row)) {
            if (kept.count > 0 && kept.count % POSTING_BLOCK == 0) {
                add_skip(&kept, arena, (uint32_t)kept.count / POSTING_BLOCK - 1);
            }
            kept.used += varint_put(kept.data + kept.used, row - kept.last);
            kept.data[kept.used++] = byte;
            kept.last = row;
            kept.count = (kept.count + 1U) & COUNT_MAX;
        }
    }
    *list = kept;
    return list->count;
}

void posting_free(struct posting_list *list, struct arena *arena)
{
    arena_free(arena, list->data, list->capacity);
    arena_free(arena, list->skips, skips_capacity(list->skips_class) * sizeof(*list->skips));
    *list = (struct posting_list){0};
}

void posting_open(struct posting_walk *walk, const struct posting_list *list)
{
    *walk = (struct posting_walk){.list = list, .at = list->data};
    posting_next(walk);
}

void posting_skip_to(struct posting_walk *walk, uint32_t row)
{
    const struct posting_list *list = walk->list;
    uint32_t skips =
        ((uint32_t)list->count - 1) / POSTING_BLOCK; /* skip i leads into block i + 1 */
    uint32_t low = walk->seen / POSTING_BLOCK;       /* blocks up to here are behind us */
    if (low >= skips || list->skips[low].before >= row) {
        return;
    }
    /* Gallop, then halve: the last skip whose row before is still below the wanted row. */
    uint32_t step = 1;
    while (low + step < skips && list->skips[low + step].before < row) {
        low += step;
        step *= 2;
    }
    uint32_t high = low + step < skips ? low + step : skips;
    while (low + 1 < high) {
        uint32_t middle = (low + high) / 2;
        if (list->skips[middle].before < row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    walk->row = list->skips[low].before;
    walk->at = list->data + list->skips[low].offset;
    walk->seen = (low + 1) * POSTING_BLOCK;
}
