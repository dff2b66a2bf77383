/* Nodes that are to go: one that is drained leads nothing, one that was removed stops. */
#include "node/event.h"
#include "node/node_private.h"

enum { HAND_OVER_MS = 1000, REMOVED_MS = 3000 };

bool node__may_carry(const struct node *node, raft_id id)
{
    const struct meta_member *member = meta_find_number(&node->meta, id);

    return member == NULL || (member->state != META_LEAVING && member->state != META_REMOVED);
}

bool node__was_removed(const struct node *node, raft_id id)
{
    const struct meta_member *member = meta_find_number(&node->meta, id);

    return member != NULL && member->state == META_REMOVED;
}

bool node__is_present(const struct node *node, raft_id id)
{
    return id == node->raft.id || (link_is_up(link_find_const(&node->links, id)) &&
                                   !node__swim_is_unreachable(node, id));
}

bool node__can_do_without(const struct node *node, raft_id id)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        const struct raft_configuration *now = engine_raft_configuration(&node->raft, group);
        uint32_t voters = 0;
        uint32_t present = 0;

        for (uint32_t i = 0; i < now->count; i++) {
            bool counts = now->members[i].is_voter && now->members[i].id != id;

            voters += counts;
            present += counts && node__is_present(node, now->members[i].id);
        }
        if (now->count > 0 && present <= voters / 2) {
            return false;
        }
    }
    return true;
}

void node__removed(struct node *node, raft_id by)
{
    if (!node->is_removed) {
        node->is_removed = true;
        node->removed_ns = io_now_ns(node->io);
        event_log(EVENT_ERROR, "removed-from-cluster", "told_by=%016llx",
                  (unsigned long long)by);
    }
}

static bool is_due(const struct node *node, uint64_t since_ns, uint64_t ms)
{
    return io_now_ns(node->io) - since_ns >= ms * 1000000;
}

void node__depart_turn(struct node *node)
{
    const struct meta_member *own = meta_find(&node->meta, node__identity(node)->node);

    if (own != NULL && own->state == META_REMOVED) {
        node__removed(node, node->raft.id);
    }
    bool is_to_go = node->is_removed || (own != NULL && own->state == META_LEAVING);

    if (is_to_go && node__leads_any(node) &&
        (node->handed_over_ns == 0 || is_due(node, node->handed_over_ns, HAND_OVER_MS))) {
        node->handed_over_ns = io_now_ns(node->io);
        (void)node__hand_over(node);
    }
    if (node->is_removed &&
        (!node__leads_any(node) || is_due(node, node->removed_ns, REMOVED_MS))) {
        node__fail(node,
                   "this node was removed from its cluster and is not let in again; to use the "
                   "machine, start with an empty data folder and a new invite "
                   "(`carillon node invite`)");
    }
}
