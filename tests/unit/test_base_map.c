#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/rng.h"

enum { KEYS = 6000 };

/* The model: key k is in the map when present[k], and its value is k. */
struct model {
    bool present[KEYS];
    size_t count;
    uint64_t (*hash)(uint32_t key);
};

static bool has_key(const void *context, uint32_t value, const void *key)
{
    (void)context;
    return value == *(const uint32_t *)key;
}

static uint64_t hash_good(uint32_t key)
{
    return hash_u64(key + 1);
}

/* All keys crowd into few homes near the end of every table, so that runs are long and wrap
 * around. */
static uint64_t hash_crowded(uint32_t key)
{
    return UINT64_MAX - key % 5;
}

/* Keys in rows: neighbouring homes, every run touches the next. */
static uint64_t hash_plain(uint32_t key)
{
    return key;
}

static bool is_growing(const struct map *map)
{
    return map->old.slots != NULL;
}

static void check_key(const struct map *map, const struct model *model, uint32_t key)
{
    uint32_t found = map_find(map, model->hash(key), has_key, NULL, &key);
    assert_int_equal(found, model->present[key] ? key : MAP_NONE);
}

static void check_all(const struct map *map, const struct model *model, uint32_t keys)
{
    assert_int_equal(map_count(map), model->count);
    for (uint32_t key = 0; key < keys; key++) {
        check_key(map, model, key);
    }
}

static void flip_key(struct map *map, struct model *model, uint32_t key)
{
    if (model->present[key]) {
        assert_true(map_remove(map, model->hash(key), key));
        model->count--;
    } else {
        assert_false(map_remove(map, model->hash(key), key));
        map_put(map, model->hash(key), key);
        model->count++;
    }
    model->present[key] = !model->present[key];
}

/* Random flips whose odds drift between growing and shrinking. Returns how often a growth was
 * under way. */
static size_t churn(struct model *model, uint32_t keys, int operations, uint64_t seed)
{
    struct arena arena;
    struct map map;
    struct rng rng;
    size_t growing = 0;
    rng_init(&rng, seed);
    arena_init(&arena, 1 << 20);
    map_init(&map, &arena);
    for (int i = 0; i < operations; i++) {
        uint32_t key = (uint32_t)rng_below(&rng, keys);
        bool wants_put = rng_chance(&rng, i * 2 < operations ? 800000 : 300000);
        if (model->present[key] != wants_put) {
            flip_key(&map, model, key);
        }
        check_key(&map, model, key);
        check_key(&map, model, (uint32_t)rng_below(&rng, keys));
        growing += is_growing(&map);
        if (i % (operations / 10) == 0 || (is_growing(&map) && i % 97 == 0)) {
            check_all(&map, model, keys);
        }
    }
    check_all(&map, model, keys);
    map_fini(&map);
    assert_int_equal(arena.used, 0);
    arena_fini(&arena);
    return growing;
}

static void map__random_operations__match_a_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct model model = {.hash = hash_good};
        size_t growing = churn(&model, KEYS, 60000, seed);
        assert_true(growing > 500); /* the incremental phase was really met */
    }
}

static void map__crowded_hashes__match_a_naive_model(void **state)
{
    (void)state;
    struct model model = {.hash = hash_crowded};
    assert_true(churn(&model, 300, 6000, 4) > 0);
}

static void map__neighbouring_hashes__match_a_naive_model(void **state)
{
    (void)state;
    struct model model = {.hash = hash_plain};
    assert_true(churn(&model, 2000, 20000, 5) > 0);
}

static void map_put__while_growing__everything_stays_reachable_at_every_step(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    struct model model = {.hash = hash_good};
    arena_init(&arena, 1 << 20);
    map_init(&map, &arena);
    size_t growths = 0;
    bool was_growing = false;
    for (uint32_t key = 0; key < 800; key++) {
        flip_key(&map, &model, key);
        check_all(&map, &model, 801);
        growths += is_growing(&map) && !was_growing;
        was_growing = is_growing(&map);
    }
    assert_true(growths >= 5);
    map_fini(&map);
    arena_fini(&arena);
}

static void map_remove__while_growing__finds_values_of_both_tables(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    struct model model = {.hash = hash_good};
    arena_init(&arena, 1 << 20);
    map_init(&map, &arena);
    uint32_t key = 0;
    while (!(is_growing(&map) && map.old.count > 300)) {
        flip_key(&map, &model, key++);
    }
    assert_true(map.now.count > 0);
    for (uint32_t gone = 0; gone < key; gone++) {
        flip_key(&map, &model, gone);
        if (gone % 37 == 0) {
            check_all(&map, &model, key);
        }
    }
    assert_int_equal(map_count(&map), 0);
    map_fini(&map);
    arena_fini(&arena);
}

static void map_put__one_call__moves_a_bounded_number_of_slots(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    arena_init(&arena, 64 << 20);
    map_init(&map, &arena);
    for (uint32_t key = 0; key < 100000; key++) {
        size_t old_before = map.old.count;
        bool was_growing = is_growing(&map);
        map_put(&map, hash_good(key), key);
        if (was_growing && is_growing(&map)) {
            assert_true(old_before - map.old.count <= 8);
        }
    }
    map_fini(&map);
    arena_fini(&arena);
}

static void map_find__same_hash_other_key__asks_the_caller(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    arena_init(&arena, 4096);
    map_init(&map, &arena);
    for (uint32_t value = 0; value < 10; value++) {
        map_put(&map, 77, value);
    }
    for (uint32_t value = 0; value < 10; value++) {
        assert_int_equal(map_find(&map, 77, has_key, NULL, &value), value);
    }
    uint32_t missing = 10;
    assert_int_equal(map_find(&map, 77, has_key, NULL, &missing), MAP_NONE);
    assert_true(map_remove(&map, 77, 4));
    assert_false(map_remove(&map, 77, 4));
    uint32_t four = 4;
    assert_int_equal(map_find(&map, 77, has_key, NULL, &four), MAP_NONE);
    map_fini(&map);
    arena_fini(&arena);
}

static void map_reserve__then_puts__never_grow(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    struct model model = {.hash = hash_good};
    arena_init(&arena, 1 << 20);
    map_init(&map, &arena);
    for (uint32_t key = 0; key < 100; key++) {
        flip_key(&map, &model, key);
    }
    map_reserve(&map, 5000);
    check_all(&map, &model, 200);
    assert_false(is_growing(&map));
    const struct map_slot *slots = map.now.slots;
    for (uint32_t key = 100; key < 5000; key++) {
        flip_key(&map, &model, key);
    }
    assert_ptr_equal(map.now.slots, slots);
    map_reserve(&map, 10); /* smaller: nothing to do */
    assert_ptr_equal(map.now.slots, slots);
    check_all(&map, &model, KEYS);
    map_fini(&map);
    arena_fini(&arena);
}

static void map__empty__finds_and_removes_nothing_and_takes_no_memory(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    uint32_t key = 1;
    arena_init(&arena, 4096);
    map_init(&map, &arena);
    assert_int_equal(map_find(&map, 1, has_key, NULL, &key), MAP_NONE);
    assert_false(map_remove(&map, 1, 1));
    assert_int_equal(map_count(&map), 0);
    assert_int_equal(arena.held, 0);
    map_fini(&map);
    map_fini(&map);
    struct map zeroed = {0};
    map_fini(&zeroed);
    arena_fini(&arena);
}

static void map_peek__of_what_is_there__is_what_find_returns(void **state)
{
    (void)state;
    struct arena arena;
    struct map map;
    struct model model = {.hash = hash_good};
    arena_init(&arena, 1 << 20);
    map_init(&map, &arena);
    map_prefetch(&map, 7); /* an empty one has nothing to bring */
    assert_int_equal(map_peek(&map, 7), MAP_NONE);
    for (uint32_t key = 0; key < 3000; key++) {
        flip_key(&map, &model, key);
        map_prefetch(&map, hash_good(key));
        assert_int_equal(map_peek(&map, hash_good(key / 2)), key / 2); /* while growing too */
    }
    assert_int_equal(map_peek(&map, hash_good(3000)), MAP_NONE);
    map_fini(&map);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map__random_operations__match_a_naive_model),
        cmocka_unit_test(map__crowded_hashes__match_a_naive_model),
        cmocka_unit_test(map__neighbouring_hashes__match_a_naive_model),
        cmocka_unit_test(map_put__while_growing__everything_stays_reachable_at_every_step),
        cmocka_unit_test(map_remove__while_growing__finds_values_of_both_tables),
        cmocka_unit_test(map_put__one_call__moves_a_bounded_number_of_slots),
        cmocka_unit_test(map_find__same_hash_other_key__asks_the_caller),
        cmocka_unit_test(map_peek__of_what_is_there__is_what_find_returns),
        cmocka_unit_test(map_reserve__then_puts__never_grow),
        cmocka_unit_test(map__empty__finds_and_removes_nothing_and_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
