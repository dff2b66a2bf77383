/* base/base_private.h -- memory from the system, for the containers of base only.
 *
 * Layer: base
 */
#ifndef CARILLON_BASE_PRIVATE_H
#define CARILLON_BASE_PRIVATE_H

#include <stddef.h>

/* @size bytes (size > 0), not cleared; stops the process when the system has none. Never NULL.
 * Owns: the caller, who gives it back with base__release. */
void *base__obtain(size_t size);

/* @block (may be NULL) moved to @size bytes, contents kept. Never NULL. */
void *base__resize(void *block, size_t size);

/* Give @block (may be NULL) back. */
void base__release(void *block);

#endif
