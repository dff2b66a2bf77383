/* Where shards are led: each has a favourite among its voters, so that the nodes share the work
 * of leading, and whoever leads it hands it over to that one when it is there. */
#include "base/hash.h"
#include "node/event.h"
#include "node/node_private.h"

enum {
    LEADERS_MS = 1000,  /* between two moves of this node, and after one of leaders */
    LEADERS_BEHIND = 64, /* entries: more, and it has not caught up */
};

/* Rendezvous: the node with the highest weight leads the group. When one goes only its own move,
 * and they come back to it. */
static uint64_t weight(raft_id id, uint32_t group)
{
    return hash_u64(id ^ hash_u64(group));
}

static bool has_caught_up(const struct raft *raft, raft_id id)
{
    for (uint32_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        if (raft->progress[i].id == id) {
            return raft->progress[i].match + LEADERS_BEHIND >= raft->log.last;
        }
    }
    return false;
}

/* Who should lead the group that this node leads: a voter of higher weight that could at once,
 * or itself. Weights only rise from hand to hand, so leadership never goes round. */
static raft_id favourite(struct node *node, uint32_t group)
{
    const struct raft *raft = &node->raft.groups[group].raft;
    raft_id best = node->raft.id;

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];

        if (member->is_voter && member->id != node->raft.id &&
            weight(member->id, group) > weight(best, group) &&
            link_is_up(link_find(&node->links, member->id)) &&
            node__has_room(node, member->id) && has_caught_up(raft, member->id)) {
            best = member->id;
        }
    }
    return best;
}

void node__leaders_rest(struct node *node)
{
    node->leaders_rest_ns = io_now_ns(node->io) + (uint64_t)LEADERS_MS * 1000000;
}

void node__leaders_spread(struct node *node)
{
    if (node->shard_count == 1 || node->is_closing || node->is_failed ||
        io_now_ns(node->io) < node->leaders_rest_ns) {
        return;
    }
    for (uint32_t i = 0; i < node->shard_count; i++) {
        uint32_t group = NODE_GROUP_SHARD + i;
        const struct raft *raft = &node->raft.groups[group].raft;
        bool is_settled = raft->configuration.index <= raft->commit;
        raft_id best =
            node->shards[i].is_leading && is_settled ? favourite(node, group) : node->raft.id;

        if (best != node->raft.id) {
            event_log(EVENT_INFO, "leader-moves", "group=%u node=%016llx", group,
                      (unsigned long long)best);
            engine_raft_transfer(&node->raft, group, best);
            node__leaders_rest(node);
            return; /* one at a time */
        }
    }
}
