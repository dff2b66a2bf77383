#include "base/map.h"

#include <string.h>

#include "base/assert.h"

enum {
    SLOTS_MIN = 16,
    /* A table is full at three quarters. While C slots of the old one are moved (each one
     * looked at, and three quarters of them moved), 3/4 C puts bring the new one to its limit:
     * more than 7/3 steps a put suffice. */
    STEPS_PER_PUT = 8,
};

static size_t limit_of(const struct map_table *table)
{
    return table->slots == NULL ? 0 : (table->mask + 1) / 4 * 3;
}

static struct map_table table_make(struct arena *arena, size_t capacity)
{
    ASSERT(capacity >= SLOTS_MIN);
    ASSERT((capacity & (capacity - 1)) == 0);
    ASSERT(capacity - 1 <= UINT32_MAX); /* a slot keeps as much of a hash */
    struct map_table table = {.mask = capacity - 1};
    table.slots = arena_alloc(arena, capacity * sizeof(struct map_slot));
    /* All ones is MAP_NONE in every slot. */
    memset(table.slots, 0xff, capacity * sizeof(struct map_slot));
    return table;
}

static void table_free(struct arena *arena, struct map_table *table)
{
    if (table->slots != NULL) {
        arena_free(arena, table->slots, (table->mask + 1) * sizeof(struct map_slot));
    }
    *table = (struct map_table){0};
}

static void table_put(struct map_table *table, uint64_t hash, uint32_t value)
{
    ASSERT(table->count < table->mask);
    size_t at = (size_t)hash & table->mask;
    while (table->slots[at].value != MAP_NONE) {
        at = (at + 1) & table->mask;
    }
    table->slots[at] = (struct map_slot){.hash = (uint32_t)hash, .value = value};
    table->count++;
}

/* Empty slot @hole and close the gap: a follower moves back when the hole lies between its home
 * and its place, so that every value stays reachable from its home without passing an empty
 * slot. */
static void table_erase(struct map_table *table, size_t hole)
{
    size_t at = hole;
    for (;;) {
        at = (at + 1) & table->mask;
        const struct map_slot *slot = &table->slots[at];
        if (slot->value == MAP_NONE) {
            break;
        }
        size_t home = (size_t)slot->hash & table->mask;
        size_t from_home = (at - home) & table->mask;
        size_t from_hole = (at - hole) & table->mask;
        if (from_home >= from_hole) {
            table->slots[hole] = *slot;
            hole = at;
        }
    }
    table->slots[hole].value = MAP_NONE;
    ASSERT(table->count > 0);
    table->count--;
}

static uint32_t table_find(const struct map_table *table, uint64_t hash, map_equal equal,
                           const void *context, const void *key)
{
    if (table->count == 0) {
        return MAP_NONE;
    }
    size_t at = (size_t)hash & table->mask;
    while (table->slots[at].value != MAP_NONE) {
        const struct map_slot *slot = &table->slots[at];
        if (slot->hash == (uint32_t)hash && equal(context, slot->value, key)) {
            return slot->value;
        }
        at = (at + 1) & table->mask;
    }
    return MAP_NONE;
}

static bool table_remove(struct map_table *table, uint64_t hash, uint32_t value)
{
    if (table->count == 0) {
        return false;
    }
    size_t at = (size_t)hash & table->mask;
    while (table->slots[at].value != MAP_NONE) {
        if (table->slots[at].hash == (uint32_t)hash && table->slots[at].value == value) {
            table_erase(table, at);
            return true;
        }
        at = (at + 1) & table->mask;
    }
    return false;
}

/* Take up to @steps steps of emptying the old table from its first slot on. Erasing closes gaps
 * only at and behind the slot that is being emptied, so that slots before `moved` stay empty
 * and old stays a sound table. */
static void move_some(struct map *map, size_t steps)
{
    while (map->old.slots != NULL && steps > 0) {
        if (map->old.count == 0) {
            table_free(map->arena, &map->old);
            map->moved = 0;
            return;
        }
        ASSERT(map->moved <= map->old.mask);
        struct map_slot slot = map->old.slots[map->moved];
        if (slot.value == MAP_NONE) {
            map->moved++;
        } else {
            table_put(&map->now, slot.hash, slot.value);
            table_erase(&map->old, map->moved);
        }
        steps--;
    }
}

static void start_growth(struct map *map, size_t capacity)
{
    move_some(map, SIZE_MAX); /* ends what is left of the last growth */
    map->old = map->now;
    map->moved = 0;
    map->now = table_make(map->arena, capacity);
}

void map_init(struct map *map, struct arena *arena)
{
    *map = (struct map){.arena = arena};
}

void map_fini(struct map *map)
{
    if (map->arena != NULL) {
        table_free(map->arena, &map->now);
        table_free(map->arena, &map->old);
    }
    *map = (struct map){.arena = map->arena};
}

void map_reserve(struct map *map, size_t count)
{
    ASSERT(count <= SIZE_MAX / 4 / sizeof(struct map_slot));
    size_t capacity = SLOTS_MIN;
    while (capacity / 4 * 3 < count) {
        capacity *= 2;
    }
    if (limit_of(&map->now) < count) {
        start_growth(map, capacity);
        move_some(map, SIZE_MAX);
    }
}

uint32_t map_find(const struct map *map, uint64_t hash, map_equal equal, const void *context,
                  const void *key)
{
    uint32_t value = table_find(&map->now, hash, equal, context, key);
    if (value == MAP_NONE) {
        value = table_find(&map->old, hash, equal, context, key);
    }
    return value;
}

static bool any_is_equal(const void *context, uint32_t value, const void *key)
{
    (void)context;
    (void)value;
    (void)key;
    return true;
}

uint32_t map_peek(const struct map *map, uint64_t hash)
{
    return map_find(map, hash, any_is_equal, NULL, NULL);
}

void map_put(struct map *map, uint64_t hash, uint32_t value)
{
    ASSERT(value != MAP_NONE);
    if (map_count(map) >= limit_of(&map->now)) {
        start_growth(map, map->now.slots == NULL ? SLOTS_MIN : (map->now.mask + 1) * 2);
    }
    move_some(map, STEPS_PER_PUT);
    table_put(&map->now, hash, value);
}

bool map_remove(struct map *map, uint64_t hash, uint32_t value)
{
    return table_remove(&map->now, hash, value) || table_remove(&map->old, hash, value);
}
