/* What the node is in its groups, and how membership speaks: a part of its status. */
#include "node/replicas.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

static Carillon__GroupRole role_of(const struct node *node, const struct raft *raft)
{
    if (raft->role == RAFT_LEADER) {
        return CARILLON__GROUP_ROLE__GROUP_LEADER;
    }
    if (!raft_configuration_is_voter(&raft->configuration, node->raft.id)) {
        return CARILLON__GROUP_ROLE__GROUP_LEARNER;
    }
    return raft->role == RAFT_FOLLOWER ? CARILLON__GROUP_ROLE__GROUP_FOLLOWER
                                       : CARILLON__GROUP_ROLE__GROUP_CANDIDATE;
}

static const char *name_of(const struct node *node, raft_id id)
{
    const struct meta_member *member = meta_find_number(&node->meta, id);

    return member != NULL ? member->name : "";
}

static void describe_member(const struct node *node, const struct raft *raft, uint32_t place,
                            Carillon__GroupMember *out)
{
    const struct raft_member *member = &raft->configuration.members[place];
    uint64_t last = raft->log.last;

    carillon__group_member__init(out);
    out->node = member->id;
    out->voter = member->is_voter;
    out->name = wire_text(name_of(node, member->id));
    if (raft->role == RAFT_LEADER && member->id != node->raft.id) {
        out->lag = last - raft->progress[place].match;
    }
}

static void describe_group(struct node *node, uint32_t group, Carillon__GroupStatus *out)
{
    const struct raft *raft = &node->raft.groups[group].raft;
    uint32_t count = raft->configuration.count;
    struct placement placement;

    node__placement(node, group, &placement);
    carillon__group_status__init(out);
    out->group = group;
    out->role = role_of(node, raft);
    out->term = raft->term;
    out->leader = raft->leader;
    out->last_index = raft->log.last;
    out->commit_index = raft->commit;
    out->applied_index = raft->applied;
    out->members = arena_alloc(&node->scratch, (count + 1) * sizeof *out->members);
    for (uint32_t i = 0; i < count; i++) {
        out->members[i] = arena_alloc(&node->scratch, sizeof **out->members);
        describe_member(node, raft, i, out->members[i]);
        out->members[i]->placed = placement_has(&placement, out->members[i]->node);
    }
    out->n_members = count;
}

void node__status_groups(struct node *node, Carillon__StatusReply *reply)
{
    uint32_t groups = engine_raft_groups(&node->raft);

    reply->groups = arena_alloc(&node->scratch, (groups + 1) * sizeof *reply->groups);
    for (uint32_t group = 0; group < groups; group++) {
        if (node->raft.groups[group].raft.configuration.count > 0) {
            Carillon__GroupStatus *row = arena_alloc(&node->scratch, sizeof *row);

            describe_group(node, group, row);
            reply->groups[reply->n_groups++] = row;
        }
    }
    reply->datagrams_sent = node->swim->counters.sent;
    reply->datagrams_received = node->swim->counters.received;
    reply->datagrams_refused = node->swim->counters.refused;
    reply->datagrams_linked = node->swim->counters.linked;
}
