#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/base_private.h"

enum { ADVISED_FROM_BYTES = 4 << 20 };

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
    void *block = malloc(size);
    ASSERT(block != NULL && "the system has no memory left");
    if (size >= ADVISED_FROM_BYTES && large_block_advise != NULL) {
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
