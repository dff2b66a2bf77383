/* What must always hold of a cluster. Each check looks only at what the event touched. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "node/node_private.h"
#include "tests/lib/cluster_world.h"

enum { TERMS_MAX = 100000 };

static void *grown(void *array, size_t element, uint64_t need, uint64_t *cap)
{
    uint64_t before = *cap;

    if (need < before) {
        return array;
    }
    while (*cap <= need) {
        *cap = *cap == 0 ? 256 : *cap * 2;
    }
    array = realloc(array, (size_t)*cap * element);
    ASSERT(array != NULL);
    memset((char *)array + before * element, 0, (size_t)(*cap - before) * element);
    return array;
}

static struct cluster_index *index_of(struct cluster_group *group, uint64_t index)
{
    group->indexes = grown(group->indexes, sizeof *group->indexes, index, &group->index_cap);
    return &group->indexes[index];
}

/* ---- log matching (Raft, section 5.3), by induction: an entry is named by index and term, has
 * one content, and always the same predecessor. */

static struct cluster_entry *entry_find(struct cluster_group *group, uint64_t index,
                                        uint64_t term)
{
    for (uint32_t at = index_of(group, index)->entries; at != 0; at = group->entries[at].next) {
        if (group->entries[at].term == term) {
            return &group->entries[at];
        }
    }
    return NULL;
}

static void entry_add(struct cluster_group *group, uint64_t index,
                      const struct cluster_entry *entry)
{
    group->entry_count += group->entry_count == 0; /* 0 is none */
    group->entries =
        grown(group->entries, sizeof *group->entries, group->entry_count, &group->entry_cap);
    group->entries[group->entry_count] = *entry;
    group->entries[group->entry_count].next = index_of(group, index)->entries;
    index_of(group, index)->entries = group->entry_count++;
}

static void check_entry(struct cluster_world *cluster, uint32_t node, uint32_t number,
                        uint64_t index)
{
    const struct raft_log *log =
        &cluster_world__node(cluster, node)->raft.groups[number].raft.log;
    struct cluster_group *group = &cluster->groups[number];
    const struct raft_entry *entry = raft_log_at(log, index);
    const struct cluster_entry fresh = {
        .term = entry->term,
        .prev_term = raft_log_term(log, index - 1),
        .hash =
            hash_bytes_seeded((uint64_t)entry->kind, entry->payload.data, entry->payload.len),
    };
    struct cluster_entry *known = entry_find(group, index, entry->term);

    if (known == NULL) {
        entry_add(group, index, &fresh);
        return;
    }
    if (known->hash != fresh.hash || (known->prev_term != 0 && fresh.prev_term != 0 &&
                                      known->prev_term != fresh.prev_term)) {
        node_world_violate(&cluster->world,
                           "log matching: node %u holds another entry %" PRIu64
                           " of term %" PRIu64 " of group %u",
                           node, index, entry->term, number);
    }
    if (known->prev_term == 0) {
        known->prev_term = fresh.prev_term;
    }
}

static void check_log(struct cluster_world *cluster, uint32_t node, uint32_t number)
{
    const struct raft *raft = &cluster_world__node(cluster, node)->raft.groups[number].raft;
    struct cluster_view *view = &cluster->nodes[node].views[number];
    uint64_t same = view->last < raft->log.last ? view->last : raft->log.last;

    view->held = grown(view->held, sizeof *view->held, raft->log.last, &view->held_cap);
    while (same > raft->log.base && view->held[same] != raft_log_term(&raft->log, same)) {
        same--;
    }
    same = same < raft->log.base ? raft->log.base : same;
    if (same < view->last) {
        cluster->options.counts[CLUSTER_TRUNCATED]++;
        if (same < view->commit) {
            node_world_violate(&cluster->world,
                               "node %u cuts its log of group %u at %" PRIu64
                               ", committed is %" PRIu64,
                               node, number, same + 1, view->commit);
        }
    }
    for (uint64_t i = same + 1; i <= raft->log.last; i++) {
        view->held[i] = raft_log_term(&raft->log, i);
        if (raft_log_has(&raft->log, i)) {
            check_entry(cluster, node, number, i);
        }
    }
    view->last = raft->log.last;
    view->last_term = raft_log_last_term(&raft->log);
}

/* ---- who leads */

static void check_leader(struct cluster_world *cluster, uint32_t node, uint32_t number)
{
    const struct raft *raft = &cluster_world__node(cluster, node)->raft.groups[number].raft;
    struct cluster_group *group = &cluster->groups[number];

    if (raft->term > TERMS_MAX) {
        node_world_violate(&cluster->world, "elections do not end");
        return;
    }
    group->leaders =
        grown(group->leaders, sizeof *group->leaders, raft->term, &group->term_cap);
    if (group->leaders[raft->term] != 0 && group->leaders[raft->term] != node + 1) {
        node_world_violate(&cluster->world,
                           "two leaders of group %u in term %" PRIu64 ": nodes %u and %u",
                           number, raft->term, group->leaders[raft->term] - 1, node);
    }
    group->leaders[raft->term] = node + 1;
    cluster->options.counts[CLUSTER_LEADER_CHANGED]++;
    cluster_world__say(cluster, node, "leads group %u in term %" PRIu64, number, raft->term);

    /* Leader completeness (Raft, section 5.4): it has what was committed in earlier terms; the
     * newest says it all. */
    uint64_t newest = group->commit;

    while (newest > 0 && index_of(group, newest)->commit_term >= raft->term) {
        newest--;
    }
    if (newest > raft->log.base &&
        raft_log_term(&raft->log, newest) != index_of(group, newest)->committed) {
        node_world_violate(&cluster->world,
                           "node %u leads term %" PRIu64
                           " of group %u without the committed entry %" PRIu64,
                           node, raft->term, number, newest);
    }
}

/* ---- what is committed */

/* Entries are counted by who leads, or is alone. Whoever else believes in a commit has heard of
 * it. */
static void check_commit(struct cluster_world *cluster, uint32_t node, uint32_t number)
{
    const struct raft *raft = &cluster_world__node(cluster, node)->raft.groups[number].raft;
    struct cluster_group *group = &cluster->groups[number];
    struct cluster_view *view = &cluster->nodes[node].views[number];
    bool may_decide = raft->role == RAFT_LEADER || view->role == RAFT_LEADER ||
                      raft_configuration_voters(&raft->configuration) <= 1;
    uint64_t from = view->commit > raft->log.base ? view->commit : raft->log.base;

    if (raft->commit > group->commit && !may_decide) {
        node_world_violate(&cluster->world,
                           "node %u believes %" PRIu64
                           " of group %u committed, nobody committed it",
                           node, raft->commit, number);
        return;
    }
    for (uint64_t i = from + 1; i <= raft->commit; i++) {
        struct cluster_index *known = index_of(group, i);
        uint64_t term = raft_log_term(&raft->log, i);

        if (known->committed != 0 && known->committed != term) {
            node_world_violate(&cluster->world,
                               "node %u commits entry %" PRIu64 " of term %" PRIu64
                               " of group %u; that of term %" PRIu64 " is lost",
                               node, i, term, number, known->committed);
        } else if (known->committed == 0) {
            known->committed = term;
            known->commit_term = raft->term;
        }
    }
    group->commit = raft->commit > group->commit ? raft->commit : group->commit;
}

static uint64_t state_hash(struct node *node, uint32_t number)
{
    return number == NODE_GROUP_META ? meta_hash(&node->meta) : enrol_hash(node__shard_of_group(node, number)->enrol);
}

static void check_seats(struct cluster_world *cluster, uint32_t node, uint32_t group)
{
    const struct campus *campus = enrol_campus(
        node__shard_of_group(cluster_world__node(cluster, node), group)->enrol);

    for (uint32_t i = 0; i < campus->sections.count; i++) {
        const struct campus_section *section = campus_section(campus, i);

        if (section->capacity != CAMPUS_NONE &&
            section->enrolled + section->held + section->offered >
                section->capacity + section->over + section->excused) {
            node_world_violate(&cluster->world,
                               "node %u has %u registrations, %u held and %u offered, for %u "
                               "seats, %u over and %u excused, of section %u of group %u%s",
                               node, section->enrolled, section->held, section->offered,
                               section->capacity, section->over, section->excused, i, group,
                               campus_course(campus, section->course)->is_foreign
                                   ? ", a stand-in"
                                   : "");
        }
    }
}

static void check_applied(struct cluster_world *cluster, uint32_t node, uint32_t number)
{
    struct node *who = cluster_world__node(cluster, node);
    const struct raft *raft = &who->raft.groups[number].raft;
    struct cluster_group *group = &cluster->groups[number];

    if (raft->applied > group->commit) {
        node_world_violate(&cluster->world,
                           "node %u applies %" PRIu64 " of group %u, committed are %" PRIu64,
                           node, raft->applied, number, group->commit);
        return;
    }
    struct cluster_index *known = index_of(group, raft->applied);
    uint64_t hash = state_hash(who, number);

    hash += hash == 0;
    if (known->state != 0 && known->state != hash) {
        node_world_violate(&cluster->world,
                           "node %u holds another state of group %u at %" PRIu64, node, number,
                           raft->applied);
    }
    known->state = hash;
    if (number != NODE_GROUP_META) {
        check_seats(cluster, node, number);
    }
}

/* ---- an event */

static void check_group(struct cluster_world *cluster, uint32_t node, uint32_t number)
{
    const struct raft *raft = &cluster_world__node(cluster, node)->raft.groups[number].raft;
    struct cluster_view *view = &cluster->nodes[node].views[number];
    bool is_log_changed =
        raft->log.last != view->last || raft_log_last_term(&raft->log) != view->last_term;

    if (raft->term < view->term) {
        node_world_violate(&cluster->world, "node %u: the term of group %u goes back", node,
                           number);
    }
    if (raft->commit < view->commit) {
        node_world_violate(&cluster->world,
                           "node %u: commit of group %u goes back from %" PRIu64 " to %" PRIu64,
                           node, number, view->commit, raft->commit);
    }
    if (is_log_changed) {
        check_log(cluster, node, number);
    }
    if (raft->role == RAFT_LEADER && (view->role != RAFT_LEADER || view->term != raft->term)) {
        check_leader(cluster, node, number);
    }
    if (raft->commit != view->commit) {
        check_commit(cluster, node, number);
    }
    if (raft->applied != view->applied) {
        check_applied(cluster, node, number);
        if (view->applied != 0 && raft->snapshot.index > view->applied &&
            raft->applied >= raft->snapshot.index) {
            cluster_world__mark(cluster, CLUSTER_INSTALLED, node);
        }
    }
    if (raft->configuration.index != view->configuration && view->configuration != 0) {
        cluster->options.counts[CLUSTER_MEMBERS_CHANGED]++;
        cluster_world__say(cluster, node, "group %u has %u members, %u with a vote", number,
                           raft->configuration.count,
                           raft_configuration_voters(&raft->configuration));
    }
    view->term = raft->term;
    view->role = (int)raft->role;
    view->commit = raft->commit;
    view->applied = raft->applied;
    view->configuration = raft->configuration.index;
}

static bool is_as_before(const struct cluster_view *view, const struct raft *raft)
{
    return raft->term == view->term && (int)raft->role == view->role &&
           raft->commit == view->commit && raft->applied == view->applied &&
           raft->log.last == view->last && raft_log_last_term(&raft->log) == view->last_term &&
           raft->configuration.index == view->configuration;
}

void cluster_world__check(struct cluster_world *cluster, uint32_t node)
{
    struct cluster_node *seen = &cluster->nodes[node];
    struct node *who = cluster_world__node(cluster, node);

    if (who == NULL || who->is_failed || cluster->world.violation[0] != '\0') {
        return;
    }
    for (uint32_t i = 0; i < engine_raft_groups(&who->raft); i++) {
        if (!seen->is_watched || !is_as_before(&seen->views[i], &who->raft.groups[i].raft)) {
            check_group(cluster, node, i);
        }
    }
    seen->is_watched = true;
}

/* What is told stands in the log of the shard, where nothing can take it away any more. */
void cluster_world__check_told(struct cluster_world *cluster, const struct world_op *op)
{
    struct cluster_group *group = &cluster->groups[NODE_GROUP_SHARD];

    /* of several shards a receipt's group is known to its client alone */
    if (cluster->group_count == 2 && op->index > group->commit) {
        node_world_violate(&cluster->world,
                           "entry %" PRIu64 " was told, committed are %" PRIu64, op->index,
                           group->commit);
    }
}

void cluster_world__forget(struct cluster_world *cluster, uint32_t node)
{
    struct cluster_node *seen = &cluster->nodes[node];

    seen->is_watched = false;
    for (uint32_t i = 0; i < CLUSTER_GROUPS_MAX; i++) {
        struct cluster_view *view = &seen->views[i];

        *view = (struct cluster_view){.held = view->held, .held_cap = view->held_cap};
    }
}

void cluster_world__check_fini(struct cluster_world *cluster)
{
    for (uint32_t i = 0; i < CLUSTER_GROUPS_MAX; i++) {
        free(cluster->groups[i].indexes);
        free(cluster->groups[i].entries);
        free(cluster->groups[i].leaders);
        for (uint32_t k = 0; k < CLUSTER_NODES_MAX; k++) {
            free(cluster->nodes[k].views[i].held);
        }
    }
}
