/* base/arena.h -- memory with a byte budget for the cores: allocate, free by size, or forget
 * everything at once.
 *
 * Layer: base
 *
 * Blocks are rounded up to a size class (16 bytes steps up to 128, then four classes per power
 * of two) and freed blocks are reused per class, in last-in first-out order, so that the
 * sequence of calls alone decides what is used: no address, no time. Above 64 KiB a block is
 * taken from the system and given back to it.
 *
 * The budget is a promise kept by whoever decides about growth: a core asks arena_has_room()
 * before a change is proposed, and never fails at apply. An allocation beyond the budget
 * therefore still succeeds; only when the system itself has no memory the process stops. `used`
 * is what callers hold, in rounded bytes.
 */
#ifndef CARILLON_BASE_ARENA_H
#define CARILLON_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    ARENA_CLASSES = 64,
    ARENA_BLOCK_BYTES = 1 << 20,
    ARENA_LARGE_BYTES = 64 << 10,
    ARENA_SPARE_BYTES = 4 << 20,
};

struct arena_block;
struct arena_free;

struct arena {
    struct arena_block *blocks; /* chunks of ARENA_BLOCK_BYTES (fewer for a small arena) */
    struct arena_block *large;  /* blocks of their own, doubly linked */
    struct arena_free *free[ARENA_CLASSES]; /* per size class */
    uint8_t *next;                          /* unused part of the newest chunk */
    uint8_t *end;
    struct arena_block *spare; /* the next chunk, or NULL */
    uint64_t used;   /* bytes handed out and not freed, rounded up */
    uint64_t held;   /* bytes taken from the system */
    uint64_t budget; /* bytes */
};

/* An arena with a budget of @budget bytes; takes nothing from the system yet. */
void arena_init(struct arena *arena, uint64_t budget);

/* Give everything back to the system. Takes a zeroed arena. */
void arena_fini(struct arena *arena);

/* Forget every allocation but keep the first chunk for reuse. For scratch memory. */
void arena_reset(struct arena *arena);

/* @size bytes (size > 0), aligned to 16, not cleared. Never NULL. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, cleared. */
void *arena_alloc_zero(struct arena *arena, size_t size);

/* Free a block that was allocated with this very @size. NULL is allowed. */
void arena_free(struct arena *arena, void *block, size_t size);

/* Copy of @s that the arena owns (len 0 gives data NULL). */
struct slice arena_copy(struct arena *arena, struct slice s);

/* Free a slice made by arena_copy. */
void arena_free_slice(struct arena *arena, struct slice s);

/* Grow an array from @old_count to @new_count elements of @element bytes, keeping the contents;
 * the new part is not cleared. @array may be NULL when old_count is 0. */
void *arena_grow(struct arena *arena, void *array, size_t element, size_t old_count,
                 size_t new_count);

/* A page of memory that is used for the first time has to be found and cleared by the system,
 * which takes longer than all the work on what is put there. An arena that keeps growing can be
 * given its next chunk beforehand, prepared by another thread. It makes no difference to what
 * is allocated.
 *
 * Whether a spare chunk will be wanted soon: an arena that holds as much already, and may hold
 * much more, is at the second half of its newest chunk and has none. */
bool arena_wants_spare(const struct arena *arena);

/* A chunk of ARENA_SPARE_BYTES whose pages are there. On any thread. Owns: the caller, until
 * arena_spare_give or arena_spare_free (NULL is allowed). */
struct arena_block *arena_spare_make(void);
void arena_spare_give(struct arena *arena, struct arena_block *spare);
void arena_spare_free(struct arena_block *spare);

/* Have @advise called with every block of 2 MiB and more that is taken from the system from now
 * on, on any thread: a program may want such in huge pages, and they begin at a multiple of
 * 2 MiB. It makes no difference to what is allocated. Before the first arena; NULL: nobody is
 * called. */
void arena_advise(void (*advise)(void *block, size_t bytes));

/* The rounded size that an allocation of @size costs. */
uint64_t arena_cost(size_t size);

/* Whether @bytes more stay within the budget. */
static inline bool arena_has_room(const struct arena *arena, uint64_t bytes)
{
    return arena->used + bytes <= arena->budget;
}

#endif
