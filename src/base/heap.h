/* base/heap.h -- a binary min-heap of embedded nodes, for timers and event queues.
 *
 * Layer: base
 *
 * Nodes with equal keys leave in the order of their sequence number, which the heap gives out:
 * the order never depends on addresses.
 */
#ifndef CARILLON_BASE_HEAP_H
#define CARILLON_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    uint64_t sequence;
    size_t position; /* 1-based place in the heap, 0 when in none */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t cap;
    uint64_t sequence;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);

/* Add @node with @key. The node is in no heap. */
void heap_add(struct heap *heap, struct heap_node *node, uint64_t key);

/* Take @node out; does nothing when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The node with the smallest key, or NULL. It stays in the heap. */
struct heap_node *heap_first(const struct heap *heap);

static inline bool heap_has(const struct heap_node *node)
{
    return node->position != 0;
}

#endif
