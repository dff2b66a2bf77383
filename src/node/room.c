/* A node whose disk is full: it goes on answering reads and giving votes, but takes no entries.
 * A group that it leads would refuse every change, so where a majority has room it hands the
 * group over to a voter that has. */
#include "node/event.h"
#include "node/node_private.h"

bool node__has_room(const struct node *node, raft_id id)
{
    const struct link *link = link_find_const(&node->links, id);

    return id == node->raft.id ? node->is_writable : link == NULL || !link->is_full;
}

void node__room_said(struct node *node, raft_id id, bool has_room)
{
    struct link *link = link_find(&node->links, id);

    if (link != NULL) {
        link->is_full = !has_room;
    }
}

void node__room_link_up(struct node *node, raft_id id)
{
    struct link *link = link_find(&node->links, id);

    if (link != NULL) {
        link->is_told_full = false;
    }
}

static void tell(struct node *node)
{
    const uint8_t has_room = node->is_writable;

    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &node->links.links[i];

        if (link->id != 0 && link_is_up(link) && link->is_told_full == node->is_writable &&
            link_say(&node->links, link->id, NODE_PEER_ROOM, slice_from(&has_room, 1)) == OK) {
            link->is_told_full = !node->is_writable;
        }
    }
}

/* The voter that is nearest to having the whole log, of those that can be handed the group. */
static raft_id successor(const struct node *node, uint32_t group)
{
    const struct raft *raft = &node->raft.groups[group].raft;
    raft_id best = 0;
    raft_index best_match = 0;

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];

        if (member->is_voter && member->id != node->raft.id &&
            node__is_present(node, member->id) && node__may_carry(node, member->id) &&
            node__has_room(node, member->id) &&
            (best == 0 || raft->progress[i].match > best_match)) {
            best = member->id;
            best_match = raft->progress[i].match;
        }
    }
    return best;
}

/* Whether changes could be accepted if another led: else reads are better served where they
 * are. */
static bool has_majority(const struct node *node, uint32_t group)
{
    const struct raft_configuration *now = engine_raft_configuration(&node->raft, group);
    uint32_t voters = 0;
    uint32_t with_room = 0;

    for (uint32_t i = 0; i < now->count; i++) {
        raft_id id = now->members[i].id;

        voters += now->members[i].is_voter;
        with_room +=
            now->members[i].is_voter && node__is_present(node, id) && node__has_room(node, id);
    }
    return with_room > voters / 2;
}

static void hand_over(struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        bool is_due = node->raft.groups[group].is_leading && has_majority(node, group);
        raft_id next = is_due ? successor(node, group) : 0;

        if (next != 0 && node->raft.groups[group].raft.transfer_to == 0) {
            event_log(EVENT_WARNING, "leader-moves", "group=%u node=%016llx reason=disk-full",
                      group, (unsigned long long)next);
            engine_raft_transfer(&node->raft, group, next);
        }
    }
}

void node__room_turn(struct node *node)
{
    tell(node);
    if (!node->is_writable && !node->is_closing && !node->is_failed) {
        hand_over(node);
    }
}
