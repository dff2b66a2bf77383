/* base/list.h -- a doubly linked list of nodes embedded in the caller's structs.
 *
 * Layer: base
 *
 * A head is a node that points to itself when empty. A node that is in no list is zeroed or
 * points to itself.
 */
#ifndef CARILLON_BASE_LIST_H
#define CARILLON_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* The struct of @type whose @member is at @node. */
#define CONTAINER_OF(node, type, member)                                                       \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* Add @node before the head: at the end. */
static inline void list_add(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Remove @node from the list it is in; it may be added again. Does nothing to a node that is in
 * none. */
static inline void list_remove(struct list *node)
{
    if (node->next != NULL) {
        node->next->prev = node->prev;
        node->prev->next = node->next;
    }
    node->next = NULL;
    node->prev = NULL;
}

static inline bool list_is_linked(const struct list *node)
{
    return node->next != NULL;
}

/* Move all nodes of @from to @to, which is made empty before. */
static inline void list_move(struct list *from, struct list *to)
{
    list_init(to);
    if (!list_is_empty(from)) {
        *to = *from;
        to->next->prev = to;
        to->prev->next = to;
        list_init(from);
    }
}

/* Walk a list; the current node may be removed. @next is a second cursor of the same type. */
#define LIST_EACH(node, following, head)                                                       \
    for ((node) = (head)->next, (following) = (node)->next; (node) != (head);                  \
         (node) = (following), (following) = (node)->next)

#endif
