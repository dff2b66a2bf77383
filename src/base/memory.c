#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/base_private.h"

/* Blocks of this size and more begin at a multiple of it: whoever is told of them can have all
 * of it in huge pages, not only what lies between two bounds inside it. */
enum { ADVISED_FROM_BYTES = 2 << 20, ALIGNMENT = 16 };

static void (*large_block_advise)(void *block, size_t bytes);

void arena_advise(void (*advise)(void *block, size_t bytes))
{
    large_block_advise = advise;
}

/* Everything is sized from the configuration and reserved before it is promised. A system
 * without memory is therefore a machine set up too small: stopping is safer than going on with
 * half an operation. */
void *base__obtain(size_t size)
{
    ASSERT(size > 0);
    bool is_advised = size >= ADVISED_FROM_BYTES && large_block_advise != NULL;
    void *block;
    int rc = posix_memalign(&block, is_advised ? ADVISED_FROM_BYTES : ALIGNMENT, size);
    ASSERT(rc == 0 && "the system has no memory left");
    if (is_advised) {
        large_block_advise(block, size);
    }
    return block;
}

void *base__resize(void *block, size_t size)
{
    ASSERT(size > 0);
    void *moved = realloc(block, size);
    ASSERT(moved != NULL && "the system has no memory left");
    return moved;
}

void base__release(void *block)
{
    free(block);
}
