#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"

/* No node may leave before its parent does, also where the smallest one does not show it. */
static void check_order(const struct heap *heap)
{
    for (size_t position = 1; position <= heap->count; position++) {
        const struct heap_node *node = heap->nodes[position - 1];
        assert_int_equal(node->position, position);
        if (position > 1) {
            const struct heap_node *parent = heap->nodes[position / 2 - 1];
            assert_true(parent->key < node->key ||
                        (parent->key == node->key && parent->sequence < node->sequence));
        }
    }
}

static void heap__random_adds_and_removes__leave_in_the_order_of_a_naive_model(void **state)
{
    (void)state;
    enum { NODES = 200 };
    static struct heap_node nodes[NODES];
    struct heap heap;
    struct rng rng;
    rng_init(&rng, 31);
    heap_init(&heap);
    size_t count = 0;
    for (int i = 0; i < 20000; i++) {
        struct heap_node *node = &nodes[rng_below(&rng, NODES)];
        if (heap_has(node)) {
            heap_remove(&heap, node);
            count--;
        } else {
            heap_add(&heap, node, rng_below(&rng, 50));
            count++;
        }
        const struct heap_node *least = NULL;
        for (int j = 0; j < NODES; j++) {
            const struct heap_node *other = &nodes[j];
            if (heap_has(other) &&
                (least == NULL || other->key < least->key ||
                 (other->key == least->key && other->sequence < least->sequence))) {
                least = other;
            }
        }
        assert_ptr_equal(heap_first(&heap), least);
        assert_int_equal(heap.count, count);
        check_order(&heap);
    }
    heap_fini(&heap);
}

static void heap__equal_keys__leave_in_the_order_they_came(void **state)
{
    (void)state;
    enum { NODES = 100 };
    struct heap_node nodes[NODES] = {0};
    struct heap heap;
    heap_init(&heap);
    for (int i = NODES - 1; i >= 0; i--) {
        heap_add(&heap, &nodes[i], 5);
    }
    for (int i = NODES - 1; i >= 0; i--) {
        assert_ptr_equal(heap_first(&heap), &nodes[i]);
        heap_remove(&heap, &nodes[i]);
    }
    assert_null(heap_first(&heap));
    heap_fini(&heap);
}

static void heap_remove__node_in_no_heap__does_nothing(void **state)
{
    (void)state;
    struct heap_node node = {0};
    struct heap heap;
    heap_init(&heap);
    heap_remove(&heap, &node);
    heap_add(&heap, &node, UINT64_MAX);
    assert_true(heap_has(&node));
    heap_remove(&heap, &node);
    heap_remove(&heap, &node);
    assert_false(heap_has(&node));
    assert_null(heap_first(&heap));
    heap_fini(&heap);
}

static void heap_fini__nodes_freed_before__touches_none(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap);
    struct heap_node *node = calloc(1, sizeof *node);
    heap_add(&heap, node, 1);
    free(node);
    heap_fini(&heap); /* AddressSanitizer would report a touch */
    assert_int_equal(heap.count, 0);
    assert_null(heap_first(&heap));
}

struct item {
    int number;
    struct list node;
};

static void list__items__keep_their_order_and_may_leave_while_walked(void **state)
{
    (void)state;
    struct item items[6] = {0};
    struct list head;
    list_init(&head);
    assert_true(list_is_empty(&head));
    for (int i = 0; i < 6; i++) {
        items[i].number = i;
        assert_false(list_is_linked(&items[i].node));
        list_add(&head, &items[i].node);
        assert_true(list_is_linked(&items[i].node));
    }
    struct list *node;
    struct list *following;
    int expected = 0;
    LIST_EACH(node, following, &head)
    {
        struct item *item = CONTAINER_OF(node, struct item, node);
        assert_int_equal(item->number, expected++);
        if (item->number % 2 == 0) {
            list_remove(node);
        }
    }
    assert_int_equal(expected, 6);
    int sum = 0;
    LIST_EACH(node, following, &head)
    {
        sum = sum * 10 + CONTAINER_OF(node, struct item, node)->number;
        list_remove(node);
        list_remove(node);
    }
    assert_int_equal(sum, 135);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap__random_adds_and_removes__leave_in_the_order_of_a_naive_model),
        cmocka_unit_test(heap__equal_keys__leave_in_the_order_they_came),
        cmocka_unit_test(heap_remove__node_in_no_heap__does_nothing),
        cmocka_unit_test(heap_fini__nodes_freed_before__touches_none),
        cmocka_unit_test(list__items__keep_their_order_and_may_leave_while_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
