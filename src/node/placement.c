#include "node/placement.h"

#include "base/hash.h"

uint64_t placement_weight(raft_id node, uint32_t group)
{
    return hash_u64(node ^ hash_u64(group));
}

/* Ids are different, and so are their weights: the hash is a permutation. */
static bool comes_before(raft_id node, raft_id other, uint32_t group)
{
    return placement_weight(node, group) > placement_weight(other, group);
}

static uint32_t replicas_of(uint32_t group, uint32_t nodes)
{
    uint32_t most = group == 0 && nodes >= PLACEMENT_REPLICAS_META ? PLACEMENT_REPLICAS_META
                                                                   : PLACEMENT_REPLICAS;

    return nodes < most ? nodes : most;
}

void placement_choose(uint32_t group, const raft_id *nodes, uint32_t count,
                      struct placement *ret_placement)
{
    uint32_t wanted = replicas_of(group, count);
    struct placement chosen = {0};

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = chosen.count;

        while (at > 0 && comes_before(nodes[i], chosen.nodes[at - 1], group)) {
            at--;
        }
        if (at == wanted) {
            continue;
        }
        chosen.count += chosen.count < wanted;
        for (uint32_t place = chosen.count - 1; place > at; place--) {
            chosen.nodes[place] = chosen.nodes[place - 1];
        }
        chosen.nodes[at] = nodes[i];
    }
    *ret_placement = chosen;
}

bool placement_has(const struct placement *placement, raft_id node)
{
    for (uint32_t i = 0; i < placement->count; i++) {
        if (placement->nodes[i] == node) {
            return true;
        }
    }
    return false;
}
