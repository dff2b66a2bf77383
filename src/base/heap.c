#include "base/heap.h"

#include "base/assert.h"
#include "base/base_private.h"

enum { FIRST_NODES = 16 };

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

/* Nodes that are still in it are not touched: their owners may have freed them already. */
void heap_fini(struct heap *heap)
{
    base__release(heap->nodes);
    *heap = (struct heap){0};
}

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->sequence < b->sequence;
}

/* Positions count from 1: the children of p are 2p and 2p + 1. */
static void place(struct heap *heap, struct heap_node *node, size_t position)
{
    heap->nodes[position - 1] = node;
    node->position = position;
}

static void sift_up(struct heap *heap, struct heap_node *node, size_t position)
{
    while (position > 1 && is_before(node, heap->nodes[position / 2 - 1])) {
        place(heap, heap->nodes[position / 2 - 1], position);
        position /= 2;
    }
    place(heap, node, position);
}

static void sift_down(struct heap *heap, struct heap_node *node, size_t position)
{
    for (;;) {
        size_t child = position * 2;
        if (child > heap->count) {
            break;
        }
        if (child < heap->count && is_before(heap->nodes[child], heap->nodes[child - 1])) {
            child++;
        }
        if (!is_before(heap->nodes[child - 1], node)) {
            break;
        }
        place(heap, heap->nodes[child - 1], position);
        position = child;
    }
    place(heap, node, position);
}

void heap_add(struct heap *heap, struct heap_node *node, uint64_t key)
{
    ASSERT(!heap_has(node));
    if (heap->count == heap->cap) {
        heap->cap = heap->cap == 0 ? FIRST_NODES : heap->cap * 2;
        heap->nodes = base__resize(heap->nodes, heap->cap * sizeof(struct heap_node *));
    }
    node->key = key;
    node->sequence = heap->sequence++;
    heap->count++;
    sift_up(heap, node, heap->count);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_has(node)) {
        return;
    }
    size_t position = node->position;
    ASSERT(position <= heap->count);
    ASSERT(heap->nodes[position - 1] == node);
    node->position = 0;
    struct heap_node *last = heap->nodes[heap->count - 1];
    heap->count--;
    if (last == node) {
        return;
    }
    /* The last node fills the gap; it may belong above as well as below it. */
    if (position > 1 && is_before(last, heap->nodes[position / 2 - 1])) {
        sift_up(heap, last, position);
    } else {
        sift_down(heap, last, position);
    }
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}
