/* Who belongs to the groups: the leader of each walks its configuration to where the members
 * say that it should be, one change at a time (docs/spec/meta.md section 6). */
#include "node/event.h"
#include "node/replicas.h"

enum { SNAPSHOTS_AT_ONCE = 2 }; /* sent by one node to those that have come */

/* What the leader of a group goes by. */
struct aim {
    struct node *node;
    uint32_t group;
    const struct raft *raft;
    struct placement placement;
    uint32_t full;   /* voters, when all of the placement are */
    uint32_t target; /* of them, as many as are there now, and an odd number */
    uint32_t voters; /* as it is */
    uint32_t kept;   /* of them, those that are to stay */
};

/* Whether @id may have a vote. A leader's own state of group 0 may lag: whom it does not know
 * is no less a member, and as long as it knows of few, all of them are wanted. */
static bool is_wanted(const struct aim *aim, raft_id id)
{
    const struct meta_member *member = meta_find_number(&aim->node->meta, id);

    return placement_has(&aim->placement, id) || member == NULL ||
           (aim->placement.count < PLACEMENT_REPLICAS && node__may_carry(aim->node, id));
}

void node__placement(const struct node *node, uint32_t group, struct placement *ret_placement)
{
    raft_id nodes[META_ROWS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < node->meta.member_count; i++) {
        const struct meta_member *member = &node->meta.members[i];

        if (member->state == META_PRESENT) {
            nodes[count++] = meta_number(member->id);
        }
    }
    placement_choose(group, nodes, count, ret_placement);
}

/* Those of the placement that are there now: one that is not would have a vote and not give it.
 */
static uint32_t present_count(const struct aim *aim)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < aim->placement.count; i++) {
        count += node__is_present(aim->node, aim->placement.nodes[i]);
    }
    return count;
}

static void take_aim(struct node *node, uint32_t group, struct aim *ret_aim)
{
    const struct raft *raft = &node->raft.groups[group].raft;
    const struct raft_configuration *now = &raft->configuration;

    *ret_aim = (struct aim){.node = node, .group = group, .raft = raft};
    node__placement(node, group, &ret_aim->placement);
    ret_aim->full = placement_voters(ret_aim->placement.count);
    ret_aim->target = placement_voters(present_count(ret_aim));
    for (uint32_t i = 0; i < now->count; i++) {
        bool is_voter = now->members[i].is_voter;

        ret_aim->voters += is_voter;
        ret_aim->kept += is_voter && is_wanted(ret_aim, now->members[i].id);
    }
}

/* ---- votes */

/* A voter that lost its log counts for nothing, and nothing else can change while it is one.
 * Returns: whether there is one to be demoted. */
static bool find_refilled(const struct aim *aim, raft_id *ret_id)
{
    const struct raft_configuration *now = &aim->raft->configuration;

    for (uint32_t i = 0; i < now->count; i++) {
        if (now->members[i].is_voter && raft_is_refilled_by(aim->raft, now->members[i].id)) {
            *ret_id = now->members[i].id;
            return true;
        }
    }
    return false;
}

/* Whether one vote less leaves as many as there are to be. Whoever is not wanted keeps its vote
 * as long as without it their number were even: that would help nobody to bear a loss. */
static bool is_one_too_many(const struct aim *aim)
{
    bool is_replaced = aim->kept < aim->voters && aim->kept >= aim->full && aim->kept % 2 == 1;

    return aim->full > 0 && aim->voters > aim->full && (aim->voters % 2 == 0 || is_replaced);
}

/* Of two voters the one that could be done without more easily. */
static bool is_spared_before(const struct aim *aim, raft_id id, raft_id other)
{
    bool is_kept = is_wanted(aim, id);
    bool keeps_up = node__keeps_up(aim->node, aim->group, id);

    if (is_kept != is_wanted(aim, other)) {
        return !is_kept;
    }
    if (keeps_up != node__keeps_up(aim->node, aim->group, other)) {
        return !keeps_up;
    }
    return placement_weight(id, aim->group) < placement_weight(other, aim->group);
}

/* Whether the group goes on without the vote of @id: a majority of the others keeps up. Some
 * may be down, or have no room. */
static bool can_spare(const struct aim *aim, raft_id id)
{
    const struct raft_configuration *now = &aim->raft->configuration;
    uint32_t others = 0;

    for (uint32_t i = 0; i < now->count; i++) {
        raft_id other = now->members[i].id;

        others += now->members[i].is_voter && other != id &&
                  node__keeps_up(aim->node, aim->group, other);
    }
    return others > (aim->voters - 1) / 2;
}

/* The voter that is to become a learner: never the leader by its own doing, nor another in its
 * place (it hands over then). */
static bool find_spared(const struct aim *aim, raft_id *ret_id)
{
    const struct raft_configuration *now = &aim->raft->configuration;
    raft_id own = aim->node->raft.id;
    raft_id found = 0;

    for (uint32_t i = 0; i < now->count && is_one_too_many(aim); i++) {
        raft_id id = now->members[i].id;

        if (now->members[i].is_voter && id != own &&
            (found == 0 || is_spared_before(aim, id, found))) {
            found = id;
        }
    }
    *ret_id = found;
    return found != 0 && can_spare(aim, found) &&
           (!is_wanted(aim, found) || is_wanted(aim, own));
}

/* Whether nothing is left to change but that another is to lead. */
static bool is_to_hand_over(const struct aim *aim)
{
    return is_one_too_many(aim) && !is_wanted(aim, aim->node->raft.id);
}

/* The learner that is to become a voter: the one that is wanted most. Raft refuses it until it
 * has what is committed. */
static bool find_promoted(const struct aim *aim, raft_id *ret_id)
{
    const struct raft_configuration *now = &aim->raft->configuration;

    for (uint32_t i = 0; i < aim->placement.count && aim->kept < aim->target; i++) {
        raft_id id = aim->placement.nodes[i];
        uint32_t at = raft_configuration_find(now, id);

        if (at < now->count && !now->members[at].is_voter && node__is_present(aim->node, id) &&
            !raft_is_refilled_by(aim->raft, id)) {
            *ret_id = id;
            return true;
        }
    }
    return false;
}

/* ---- who belongs to it at all */

/* Members that are there and need a snapshot of a group that is led here before they can follow
 * it. */
static uint32_t snapshots_awaited(const struct node *node)
{
    uint32_t count = 0;

    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        const struct raft *raft = &node->raft.groups[group].raft;

        for (uint32_t i = 0; raft->role == RAFT_LEADER && i < raft->configuration.count; i++) {
            raft_id id = raft->configuration.members[i].id;

            count += id != node->raft.id && raft->progress[i].match < raft->log.base &&
                     node__is_present(node, id);
        }
    }
    return count;
}

/* A node that has come needs a snapshot of every group. Few at a time are sent, so that service
 * goes on: the others follow when those have arrived. */
static bool find_newcomer(const struct aim *aim, raft_id *ret_id)
{
    const struct raft_configuration *now = &aim->raft->configuration;

    if (aim->raft->log.base > 0 && snapshots_awaited(aim->node) >= SNAPSHOTS_AT_ONCE) {
        return false;
    }
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        const struct link *link = &aim->node->links.links[i];

        if (link_is_up(link) && raft_configuration_find(now, link->id) == now->count &&
            node__may_carry(aim->node, link->id)) {
            *ret_id = link->id;
            return true;
        }
    }
    return false;
}

/* Removed from the cluster: its vote goes first, then itself. */
static bool find_removed(const struct aim *aim, enum raft_change_kind *ret_kind,
                         raft_id *ret_id)
{
    const struct raft_configuration *now = &aim->raft->configuration;

    for (uint32_t i = 0; i < now->count; i++) {
        const struct raft_member *member = &now->members[i];
        bool may_demote = aim->voters > 1 && member->id != aim->node->raft.id;

        if (node__was_removed(aim->node, member->id) && (!member->is_voter || may_demote)) {
            *ret_kind = member->is_voter ? RAFT_DEMOTE : RAFT_REMOVE;
            *ret_id = member->id;
            return true;
        }
    }
    return false;
}

/* The next change that brings the group nearer to its aim. Returns: whether there is one. */
static bool next_change(const struct aim *aim, enum raft_change_kind *ret_kind, raft_id *ret_id)
{
    if (find_refilled(aim, ret_id)) {
        *ret_kind = RAFT_DEMOTE;
        return true;
    }
    if (find_newcomer(aim, ret_id)) {
        *ret_kind = RAFT_ADD_LEARNER;
        return true;
    }
    if (find_removed(aim, ret_kind, ret_id)) {
        return true;
    }
    if (find_spared(aim, ret_id)) {
        *ret_kind = RAFT_DEMOTE;
        return true;
    }
    *ret_kind = RAFT_PROMOTE;
    return find_promoted(aim, ret_id);
}

static void turn(const struct aim *aim)
{
    struct node *node = aim->node;
    enum raft_change_kind kind;
    raft_id id;

    if (!next_change(aim, &kind, &id)) {
        if (is_to_hand_over(aim)) {
            node__leader_leaves(node, aim->group, &aim->placement);
        }
        return;
    }
    if (engine_raft_change(&node->raft, aim->group, kind, id) == OK) {
        event_log(EVENT_INFO, "group-changes", "group=%u node=%016llx change=%d", aim->group,
                  (unsigned long long)id, (int)kind);
    }
}

void node__replicas_turn(struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        const struct raft *raft = &node->raft.groups[group].raft;
        struct aim aim;

        if (node->raft.groups[group].is_leading && raft->configuration.index <= raft->commit) {
            take_aim(node, group, &aim);
            turn(&aim);
        }
    }
}
