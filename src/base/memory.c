#include <stdlib.h>

#include "base/assert.h"
#include "base/base_private.h"

/* Everything is sized from the configuration and reserved before it is promised. A system
 * without memory is therefore a machine set up too small: stopping is safer than going on with
 * half an operation. */
void *base__obtain(size_t size)
{
    ASSERT(size > 0);
    void *block = malloc(size);
    ASSERT(block != NULL && "the system has no memory left");
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
