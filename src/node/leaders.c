/* Where shards are led: each has a favourite among its voters, so that the nodes share the work
 * of leading, and whoever leads it hands it over to that one when it is there. */
#include "node/event.h"
#include "node/replicas.h"

enum {
    LEADERS_MS = 1000,  /* between two moves of this node, and after one of leaders */
    LEADERS_BEHIND = 64, /* entries: more, and it has not caught up */
};

static bool has_caught_up(const struct raft *raft, raft_id id)
{
    for (uint32_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        if (raft->progress[i].id == id) {
            return raft->progress[i].match + LEADERS_BEHIND >= raft->log.last;
        }
    }
    return false;
}

bool node__keeps_up(const struct node *node, uint32_t group, raft_id id)
{
    return id == node->raft.id || (node__is_present(node, id) && node__has_room(node, id) &&
                                   has_caught_up(&node->raft.groups[group].raft, id));
}

static bool could_lead(const struct node *node, uint32_t group, raft_id id)
{
    const struct raft *raft = &node->raft.groups[group].raft;

    return raft_configuration_is_voter(&raft->configuration, id) && id != node->raft.id &&
           link_is_up(link_find_const(&node->links, id)) && node__may_carry(node, id) &&
           node__has_room(node, id) && has_caught_up(raft, id);
}

/* Who should lead the group that this node leads: a voter of higher weight that could at once,
 * or itself. When one goes only its own groups move, and they come back to it. Weights only rise
 * from hand to hand, so leadership never goes round. */
static raft_id favourite(struct node *node, uint32_t group)
{
    const struct raft *raft = &node->raft.groups[group].raft;
    raft_id best = node->raft.id;

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft_id id = raft->configuration.members[i].id;

        if (placement_weight(id, group) > placement_weight(best, group) &&
            could_lead(node, group, id)) {
            best = id;
        }
    }
    return best;
}

void node__leaders_rest(struct node *node)
{
    node->leaders_rest_ns = io_now_ns(node->io) + (uint64_t)LEADERS_MS * 1000000;
}

static bool is_resting(const struct node *node)
{
    return node->is_closing || node->is_failed || io_now_ns(node->io) < node->leaders_rest_ns;
}

static void move(struct node *node, uint32_t group, raft_id to)
{
    event_log(EVENT_INFO, "leader-moves", "group=%u node=%016llx", group, (unsigned long long)to);
    engine_raft_transfer(&node->raft, group, to);
    node__leaders_rest(node);
}

void node__leader_leaves(struct node *node, uint32_t group, const struct placement *placement)
{
    for (uint32_t i = 0; i < placement->count && !is_resting(node); i++) {
        if (could_lead(node, group, placement->nodes[i])) {
            move(node, group, placement->nodes[i]);
        }
    }
}

void node__leaders_spread(struct node *node)
{
    if (node->shard_count == 1 || is_resting(node)) {
        return;
    }
    for (uint32_t i = 0; i < node->shard_count; i++) {
        uint32_t group = NODE_GROUP_SHARD + i;
        const struct raft *raft = &node->raft.groups[group].raft;
        bool is_settled = raft->configuration.index <= raft->commit;
        raft_id best =
            node->shards[i].is_leading && is_settled ? favourite(node, group) : node->raft.id;

        if (best != node->raft.id) {
            move(node, group, best);
            return; /* one at a time */
        }
    }
}
