#include "base/arena.h"

#include "base/assert.h"
#include "base/base_private.h"

/* A chunk or a large block as the system gave it; what callers get follows the header. */
struct arena_block {
    _Alignas(16) struct arena_block *next;
    struct arena_block *prev; /* large blocks only */
    size_t bytes;             /* header included */
};

struct arena_free {
    struct arena_free *next;
};

enum {
    STEP_BYTES = 16,   /* classes up to SMALL_BYTES are this far apart */
    SMALL_BYTES = 128, /* above it four classes per power of two */
    SMALL_CLASSES = SMALL_BYTES / STEP_BYTES,
    SMALL_BITS = 7,    /* SMALL_BYTES = 1 << SMALL_BITS */
    PAGE_BYTES = 4096, /* large blocks are rounded to pages */
    HEADER_BYTES = sizeof(struct arena_block),
    SPARE_BUDGET_PARTS = 16,    /* a spare chunk is a small part of what an arena may hold */
    CHUNK_BYTES_STEP = 2 << 20, /* of a huge page */
    CHUNK_BYTES_MAX = 16 << 20,
};

_Static_assert(HEADER_BYTES % 16 == 0, "what follows a header is aligned to 16");
_Static_assert(SMALL_CLASSES + 4 * (16 - SMALL_BITS) <= ARENA_CLASSES,
               "every class has a list");

/* AddressSanitizer hears of freed and not yet used bytes, so that it finds misuse inside a
 * chunk too. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_SANITIZED 1
#endif

#ifdef ARENA_SANITIZED
#include <sanitizer/asan_interface.h>
#define FORBID(start, bytes) __asan_poison_memory_region((start), (bytes))
#define PERMIT(start, bytes) __asan_unpoison_memory_region((start), (bytes))
#else
#define FORBID(start, bytes) ((void)(start), (void)(bytes))
#define PERMIT(start, bytes) ((void)(start), (void)(bytes))
#endif

/* AddressSanitizer maps a large block and its shadow anew each time, which takes longer than
 * all that a test does with a small arena. */
#ifdef ARENA_SANITIZED
enum { CHUNK_BYTES_FIRST = 64 << 10 };
#else
enum { CHUNK_BYTES_FIRST = ARENA_BLOCK_BYTES };
#endif

static size_t round_up(size_t size, size_t step)
{
    return (size + step - 1) & ~(step - 1);
}

/* The class that holds @size bytes, 1 <= size <= ARENA_LARGE_BYTES. */
static unsigned class_of(size_t size)
{
    if (size <= SMALL_BYTES) {
        return (unsigned)((size - 1) / STEP_BYTES);
    }
    /* 2^bits < size <= 2^(bits + 1), in quarters of 2^bits above it. */
    unsigned bits = 63U - (unsigned)__builtin_clzll(size - 1);
    unsigned quarter = (unsigned)((size - 1) >> (bits - 2)) & 3U;
    return SMALL_CLASSES + (bits - SMALL_BITS) * 4 + quarter;
}

static size_t class_bytes(unsigned class)
{
    ASSERT(class < ARENA_CLASSES);
    if (class < SMALL_CLASSES) {
        return (size_t)(class + 1) * STEP_BYTES;
    }
    unsigned bits = (class - SMALL_CLASSES) / 4 + SMALL_BITS;
    unsigned quarter = (class - SMALL_CLASSES) % 4;
    return ((size_t)1 << bits) + ((size_t)(quarter + 1) << (bits - 2));
}

uint64_t arena_cost(size_t size)
{
    ASSERT(size > 0);
    ASSERT(size <= SIZE_MAX / 2);
    return size > ARENA_LARGE_BYTES ? round_up(size, PAGE_BYTES) : class_bytes(class_of(size));
}

void arena_init(struct arena *arena, uint64_t budget)
{
    *arena = (struct arena){.budget = budget};
}

static void release_all(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        base__release(block);
        block = next;
    }
}

void arena_fini(struct arena *arena)
{
    release_all(arena->blocks);
    release_all(arena->large);
    base__release(arena->spare);
    *arena = (struct arena){.budget = arena->budget};
}

void arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->blocks;
    while (first != NULL && first->next != NULL) {
        struct arena_block *next = first->next;
        base__release(first);
        first = next;
    }
    release_all(arena->large);
    base__release(arena->spare);
    *arena = (struct arena){.budget = arena->budget};
    if (first != NULL) {
        arena->blocks = first;
        arena->held = first->bytes;
        arena->next = (uint8_t *)first + HEADER_BYTES;
        arena->end = (uint8_t *)first + first->bytes;
        FORBID(arena->next, (size_t)(arena->end - arena->next));
    }
}

static void list_put(struct arena *arena, unsigned class, void *block)
{
    struct arena_free *freed = block;
    PERMIT(freed, sizeof *freed);
    freed->next = arena->free[class];
    arena->free[class] = freed;
    FORBID(block, class_bytes(class));
}

/* What is left of the newest chunk becomes free blocks, the largest that fit first. */
static void use_up_chunk(struct arena *arena)
{
    size_t left = (size_t)(arena->end - arena->next);
    while (left >= STEP_BYTES) {
        size_t size = left < ARENA_LARGE_BYTES ? left : ARENA_LARGE_BYTES;
        unsigned class = class_of(size);
        if (class_bytes(class) > size) {
            class --;
        }
        list_put(arena, class, arena->next);
        arena->next += class_bytes(class);
        left -= class_bytes(class);
    }
}

/* Make @chunk the one to take from. */
static void use_chunk(struct arena *arena, struct arena_block *chunk, size_t bytes)
{
    *chunk = (struct arena_block){.next = arena->blocks, .bytes = bytes};
    arena->blocks = chunk;
    arena->next = (uint8_t *)chunk + HEADER_BYTES;
    arena->end = (uint8_t *)chunk + bytes;
    FORBID(arena->next, bytes - HEADER_BYTES);
}

/* Chunks grow with what is held, so that those of a large arena can lie in huge pages; what is
 * not yet used of one costs addresses only. */
static uint64_t chunk_bytes(const struct arena *arena)
{
    uint64_t bytes = arena->held / 8 / CHUNK_BYTES_STEP * CHUNK_BYTES_STEP;

    if (bytes < CHUNK_BYTES_STEP) {
        bytes = arena->held < CHUNK_BYTES_FIRST ? CHUNK_BYTES_FIRST : arena->held;
        bytes = bytes > ARENA_BLOCK_BYTES ? ARENA_BLOCK_BYTES : bytes;
        bytes = arena->held / 2 < CHUNK_BYTES_STEP ? bytes : CHUNK_BYTES_STEP;
    }
    bytes = bytes > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : bytes;
    return arena->budget < bytes - HEADER_BYTES ? arena->budget + HEADER_BYTES : bytes;
}

static void add_chunk(struct arena *arena, size_t needed)
{
    use_up_chunk(arena);
    if (arena->spare != NULL) {
        struct arena_block *spare = arena->spare;

        arena->spare = NULL;
        use_chunk(arena, spare, ARENA_SPARE_BYTES);
        return;
    }
    uint64_t wanted = chunk_bytes(arena);
    if (wanted < needed + HEADER_BYTES) {
        wanted = needed + HEADER_BYTES;
    }
    size_t bytes = round_up((size_t)wanted, STEP_BYTES);
    use_chunk(arena, base__obtain(bytes), bytes);
    arena->held += bytes;
}

bool arena_wants_spare(const struct arena *arena)
{
    return arena->spare == NULL && arena->budget / SPARE_BUDGET_PARTS >= ARENA_SPARE_BYTES &&
           arena->held >= ARENA_SPARE_BYTES && arena->blocks != NULL &&
           (size_t)(arena->end - arena->next) < arena->blocks->bytes / 2;
}

struct arena_block *arena_spare_make(void)
{
    struct arena_block *spare = base__obtain(ARENA_SPARE_BYTES);

    memset(spare, 0, ARENA_SPARE_BYTES);
    return spare;
}

void arena_spare_give(struct arena *arena, struct arena_block *spare)
{
    ASSERT(arena->spare == NULL);
    arena->spare = spare;
    arena->held += ARENA_SPARE_BYTES;
}

void arena_spare_free(struct arena_block *spare)
{
    base__release(spare);
}

static void *alloc_large(struct arena *arena, size_t rounded)
{
    struct arena_block *block = base__obtain(rounded + HEADER_BYTES);
    *block = (struct arena_block){.next = arena->large, .bytes = rounded + HEADER_BYTES};
    if (arena->large != NULL) {
        arena->large->prev = block;
    }
    arena->large = block;
    arena->held += block->bytes;
    return (uint8_t *)block + HEADER_BYTES;
}

static void free_large(struct arena *arena, void *data)
{
    struct arena_block *block = (struct arena_block *)(void *)((uint8_t *)data - HEADER_BYTES);
    if (block->prev != NULL) {
        block->prev->next = block->next;
    } else {
        ASSERT(arena->large == block);
        arena->large = block->next;
    }
    if (block->next != NULL) {
        block->next->prev = block->prev;
    }
    ASSERT(arena->held >= block->bytes);
    arena->held -= block->bytes;
    base__release(block);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size_t)arena_cost(size);
    arena->used += rounded;
    if (size > ARENA_LARGE_BYTES) {
        return alloc_large(arena, rounded);
    }
    unsigned class = class_of(size);
    struct arena_free *freed = arena->free[class];
    if (freed != NULL) {
        PERMIT(freed, size < sizeof *freed ? sizeof *freed : size);
        arena->free[class] = freed->next;
        return freed;
    }
    if ((size_t)(arena->end - arena->next) < rounded) {
        add_chunk(arena, rounded);
    }
    void *block = arena->next;
    arena->next += rounded;
    PERMIT(block, size);
    return block;
}

void *arena_alloc_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void arena_free(struct arena *arena, void *block, size_t size)
{
    if (block == NULL) {
        return;
    }
    uint64_t rounded = arena_cost(size);
    ASSERT(arena->used >= rounded);
    arena->used -= rounded;
    if (size > ARENA_LARGE_BYTES) {
        free_large(arena, block);
        return;
    }
    list_put(arena, class_of(size), block);
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    if (s.len == 0) {
        return SLICE_NONE;
    }
    void *data = arena_alloc(arena, s.len);
    memcpy(data, s.data, s.len);
    return slice_from(data, s.len);
}

void arena_free_slice(struct arena *arena, struct slice s)
{
    if (s.len > 0) {
        arena_free(arena, (void *)s.data, s.len);
    }
}

void *arena_grow(struct arena *arena, void *array, size_t element, size_t old_count,
                 size_t new_count)
{
    ASSERT(element > 0);
    ASSERT(new_count > 0 && new_count >= old_count);
    ASSERT(new_count <= SIZE_MAX / 2 / element);
    ASSERT(old_count == 0 || array != NULL);
    size_t old_size = element * old_count;
    size_t new_size = element * new_count;
    if (old_count > 0 && arena_cost(old_size) == arena_cost(new_size)) {
        PERMIT(array, new_size);
        return array;
    }
    void *moved = arena_alloc(arena, new_size);
    if (old_count > 0) {
        memcpy(moved, array, old_size);
        arena_free(arena, array, old_size);
    }
    return moved;
}
