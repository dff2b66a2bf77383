#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "tests/lib/raft_world.h"

/* What must always hold. Each check looks only at what the event touched. */

const struct world_entry *world_entry_find(const struct world *world, raft_index index,
                                           raft_term term)
{
    const struct world_entry *entry = world->entries[index];
    while (entry != NULL && entry->entry.term != term) {
        entry = entry->other;
    }
    return entry;
}

/* Log matching (Raft, section 5.3), by induction: an entry is named by index and term, has one
 * content, and always the same predecessor. */
static void intern(struct world *world, uint32_t node, raft_index index,
                   const struct raft_entry *entry, raft_term prev_term)
{
    const struct world_entry *known = world_entry_find(world, index, entry->term);

    if (known == NULL) {
        struct world_entry *fresh = arena_alloc_zero(&world->arena, sizeof *fresh);
        fresh->index = index;
        fresh->prev_term = prev_term;
        fresh->entry = *entry;
        fresh->entry.payload = arena_copy(&world->arena, entry->payload);
        fresh->other = world->entries[index];
        world->entries[index] = fresh;
        if (world->leaders[entry->term] != node + 1) {
            world_fail(world,
                       "n%u made an entry %" PRIu64 " of term %" PRIu64
                       " that it does not lead",
                       node + 1, index, entry->term);
        }
        return;
    }
    if (known->prev_term != prev_term || known->entry.kind != entry->kind ||
        !slice_is_equal(known->entry.payload, entry->payload)) {
        world_fail(world, "log matching: n%u holds another entry %" PRIu64 " of term %" PRIu64,
                   node + 1, index, entry->term);
    }
}

static void persist_entries(struct world *world, uint32_t at,
                            const struct raft_persist *persist)
{
    struct world_node *node = &world->node[at];

    for (uint32_t i = 0; i < persist->count; i++) {
        raft_index index = persist->index + i;
        raft_term prev =
            i > 0 ? persist->entries[i - 1].term : raft_log_term(&node->raft.log, index - 1);
        if (index >= WORLD_INDEX_MAX) {
            world_fail(world, "the world is too small for index %" PRIu64, index);
            return;
        }
        intern(world, at, index, &persist->entries[i], prev);
        if (persist->entries[i].kind == RAFT_ENTRY_CONFIGURATION &&
            node->configuration_count < WORLD_CONFIGURATIONS_MAX) {
            node->configurations[node->configuration_count++] = index;
        }
    }
}

void world_check_persist(struct world *world, uint32_t at, const struct raft_persist *persist)
{
    struct world_node *node = &world->node[at];

    switch (persist->kind) {
    case RAFT_PERSIST_ENTRIES:
        persist_entries(world, at, persist);
        break;
    case RAFT_PERSIST_TRUNCATE:
        world_mark(world, WORLD_TRUNCATED);
        if (persist->index <= node->commit_before) {
            world_fail(world, "n%u cuts its log at %" PRIu64 ", committed is %" PRIu64, at + 1,
                       persist->index, node->commit_before);
        }
        while (node->configuration_count > 1 &&
               node->configurations[node->configuration_count - 1] >= persist->index) {
            node->configuration_count--;
            world_mark(world, WORLD_CONFIGURATION_ROLLED_BACK);
        }
        break;
    case RAFT_PERSIST_MARK:
    case RAFT_PERSIST_HARD:
        break;
    }
}

/* ---- nothing is spoken before it is on disk */

static void check_ack(struct world *world, uint32_t at, const struct raft_message *message)
{
    const struct world_node *node = &world->node[at];
    const struct world_node *leader = &world->node[message->to - 1];
    raft_index match = message->append_reply.match;

    if (match > node->durable_last && match > node->snapshot.at.index) {
        world_fail(world, "n%u acknowledges %" PRIu64 ", on disk are %" PRIu64, at + 1, match,
                   node->durable_last);
        return;
    }
    if (match == 0 || match <= node->snapshot.at.index || !leader->is_up ||
        leader->raft.role != RAFT_LEADER || leader->raft.term != message->term) {
        return;
    }
    raft_term term = raft_log_term(&leader->raft.log, match);
    if (term != 0 && term != node->durable[match]->entry.term) {
        world_fail(world,
                   "n%u acknowledges %" PRIu64 " of term %" PRIu64
                   ", its leader n%u holds term %" PRIu64,
                   at + 1, match, node->durable[match]->entry.term, (unsigned)message->to,
                   term);
    }
}

/* The term a restart would find: that of the hard state, or of what is younger than it. */
static raft_term durable_term(const struct world_node *node)
{
    raft_term term = node->hard_term;

    if (node->snapshot.at.term > term) {
        term = node->snapshot.at.term;
    }
    if (node->durable_last > node->snapshot.at.index &&
        node->durable[node->durable_last]->entry.term > term) {
        term = node->durable[node->durable_last]->entry.term;
    }
    return term;
}

void world_check_send(struct world *world, uint32_t at, const struct raft_message *message)
{
    const struct world_node *node = &world->node[at];
    bool needs_term = false;
    raft_id vote = 0;

    if (message->type == RAFT_VOTE && !message->vote.is_pre) {
        vote = at + 1;
    } else if (message->type == RAFT_VOTE_REPLY && !message->vote_reply.is_pre) {
        vote = message->vote_reply.is_granted ? message->to : 0;
        if (!message->vote_reply.is_granted) {
            world_mark(world, WORLD_VOTE_REFUSED);
        }
    } else if (message->type == RAFT_VOTE_REPLY && !message->vote_reply.is_granted) {
        world_mark(world, WORLD_PRE_VOTE_REFUSED);
    } else if (message->type == RAFT_APPEND_REPLY) {
        needs_term = !message->append_reply.is_rejected || message->append_reply.round > 0;
        world->marks[WORLD_REJECTED] += message->append_reply.hint_index > 0;
        check_ack(world, at, message);
    } else if (message->type == RAFT_SNAPSHOT) {
        world_mark(world, WORLD_SNAPSHOT_SENT);
    } else if (message->type == RAFT_SNAPSHOT_REPLY) {
        needs_term = true;
    }
    if ((vote != 0 && (node->hard_term != message->term || node->hard_vote != vote)) ||
        (needs_term && durable_term(node) != message->term)) {
        world_fail(world,
                   "n%u speaks in term %" PRIu64 " (message %d), on disk is term %" PRIu64
                   " and a vote for n%u",
                   at + 1, message->term, (int)message->type, node->hard_term,
                   (unsigned)node->hard_vote);
    }
}

/* ---- state machine safety */

static uint64_t chain(uint64_t hash, raft_index index, const struct raft_entry *entry)
{
    uint64_t parts[4] = {hash, index, entry->term, (uint64_t)entry->kind};
    return hash_bytes_seeded(hash_bytes(parts, sizeof parts), entry->payload.data,
                             entry->payload.len);
}

static void check_restore(struct world *world, uint32_t at, const struct raft_apply *apply)
{
    struct world_node *node = &world->node[at];

    world_mark(world, WORLD_SNAPSHOT_INSTALLED);
    if (apply->index > world->hashed || node->snapshot.at.index != apply->index ||
        node->snapshot.hash != world->hashes[apply->index]) {
        world_fail(world, "n%u begins again from a wrong snapshot at %" PRIu64, at + 1,
                   apply->index);
        return;
    }
    if (apply->index <= node->applied) {
        world_fail(world, "n%u goes back to a snapshot", at + 1);
    }
    node->applied = apply->index;
    node->hash = node->snapshot.hash;
    uint32_t kept = 1;
    for (uint32_t i = 0; i < node->configuration_count; i++) {
        if (node->configurations[i] > apply->index &&
            node->configurations[i] <= node->raft.log.last) {
            node->configurations[kept++] = node->configurations[i];
        }
    }
    node->configurations[0] = apply->snapshot->configuration.index;
    node->configuration_count = kept;
}

void world_check_apply(struct world *world, uint32_t at, const struct raft_apply *apply)
{
    struct world_node *node = &world->node[at];

    if (apply->snapshot != NULL) {
        check_restore(world, at, apply);
        return;
    }
    if (apply->index != node->applied + 1) {
        world_fail(world, "n%u applies %" PRIu64 " after %" PRIu64, at + 1, apply->index,
                   node->applied);
    }
    for (uint32_t i = 0; i < apply->count; i++) {
        raft_index index = ++node->applied;
        const struct raft_entry *entry = &apply->entries[i];
        node->hash = chain(node->hash, index, entry);
        if (index > world->committed || world->commits[index]->entry.term != entry->term) {
            world_fail(world, "n%u applies an entry %" PRIu64 " that is not committed", at + 1,
                       index);
            return;
        }
        if (index > world->hashed) {
            world->hashed = index;
            world->hashes[index] = node->hash;
        } else if (world->hashes[index] != node->hash) {
            world_fail(world, "state machines differ: n%u at %" PRIu64, at + 1, index);
            return;
        }
        /* Whoever proposed here is told now. */
        if (node->raft.role == RAFT_LEADER && entry->term == node->raft.term &&
            entry->kind == RAFT_ENTRY_DATA && index > world->acked) {
            world->acked = index;
            world_mark(world, WORLD_ACKED);
        }
    }
}

/* ---- what a member is */

static bool holds(const struct world_node *node, raft_index index, raft_term term)
{
    return index <= node->snapshot.at.index ||
           (index <= node->durable_last && node->durable[index]->entry.term == term);
}

/* Committed means: on the disks of a majority. A crash of everybody would lose nothing. */
static void check_commit(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    const struct raft *raft = &node->raft;
    raft_term term = raft_log_term(&raft->log, raft->commit);
    uint32_t holders = 0;

    if (term != raft->term) {
        world_fail(world, "n%u commits %" PRIu64 " of the older term %" PRIu64 " by counting",
                   at + 1, raft->commit, term);
    }
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        const struct world_node *holder = &world->node[member->id - 1];

        /* Who lost it may have had it when it said so; it helps nobody else to lead meanwhile.
         */
        holders +=
            member->is_voter && (holds(holder, raft->commit, term) || holder->is_refilling);
    }
    if (holders < raft_configuration_quorum(&raft->configuration)) {
        world_fail(world, "n%u commits %" PRIu64 ", which %u disks hold", at + 1, raft->commit,
                   holders);
    }
    if (raft->log.durable < raft->commit) {
        world_mark(world, WORLD_COMMITTED_WITHOUT_LEADERS_DISK);
    }
    for (raft_index i = world->committed + 1; i <= raft->commit; i++) {
        world->commits[i] = world_entry_find(world, i, raft_log_term(&raft->log, i));
        world->commit_terms[i] = raft->term;
        world->committed = i;
    }
}

/* A majority holds the next entry, and it is not the leader's own: exactly what figure 8 of the
 * paper is about. */
static void mark_old_term(struct world *world, uint32_t at)
{
    const struct raft *raft = &world->node[at].raft;
    raft_index next = raft->commit + 1;
    uint32_t holders = 0;

    if (next > raft->log.last || raft_log_term(&raft->log, next) == raft->term) {
        return;
    }
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        raft_index match = member->id == at + 1 ? raft->log.durable : raft->progress[i].match;
        holders += member->is_voter && match >= next;
    }
    world->marks[WORLD_OLD_TERM_NOT_COUNTED] +=
        holders >= raft_configuration_quorum(&raft->configuration);
}

static void check_leader(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    const struct raft *raft = &node->raft;

    if (raft->term >= WORLD_TERMS_MAX) {
        world_fail(world, "term %" PRIu64 ": elections do not end", raft->term);
        return;
    }
    if (world->leaders[raft->term] != 0 && world->leaders[raft->term] != at + 1) {
        world_fail(world, "two leaders in term %" PRIu64 ": n%u and n%u", raft->term,
                   (unsigned)world->leaders[raft->term], at + 1);
    }
    if (node->role != RAFT_LEADER || node->term != raft->term) {
        raft_index newest = world->committed;
        world->leaders[raft->term] = at + 1;
        world_mark(world, WORLD_LEADER_ELECTED);
        /* Leader completeness (Raft, section 5.4): it has what was committed in earlier terms
         * (a candidate may hear of its votes long after later terms have begun). By log
         * matching the newest says it all. */
        while (newest > 0 && world->commit_terms[newest] >= raft->term) {
            newest--;
        }
        if (newest > raft->log.base &&
            raft_log_term(&raft->log, newest) != world->commits[newest]->entry.term) {
            world_fail(world, "n%u leads term %" PRIu64 " without the committed entry %" PRIu64,
                       at + 1, raft->term, newest);
        }
    }
}

void world_check_configuration(struct world *world, uint32_t at)
{
    const struct world_node *node = &world->node[at];
    const struct raft *raft = &node->raft;
    raft_index newest = node->configurations[node->configuration_count - 1];

    if (raft->configuration.index != newest) {
        world_fail(world, "n%u uses the configuration of %" PRIu64 ", its log says %" PRIu64,
                   at + 1, raft->configuration.index, newest);
    }
}

void world_check_node(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    const struct raft *raft = &node->raft;

    if (raft->term < node->term) {
        world_fail(world, "n%u: the term goes back", at + 1);
    }
    if (raft->commit < node->commit) {
        world_fail(world, "n%u: commit goes back from %" PRIu64 " to %" PRIu64, at + 1,
                   node->commit, raft->commit);
    }
    if (raft->role == RAFT_LEADER) {
        check_leader(world, at);
        mark_old_term(world, at);
    }
    if (raft->commit > node->commit) {
        if (raft->role == RAFT_LEADER && raft->commit > world->committed) {
            check_commit(world, at);
        } else if (raft->commit > world->committed && raft->role == RAFT_FOLLOWER &&
                   node->role == RAFT_LEADER) {
            check_commit(world, at); /* it removed itself with this commit */
        } else if (raft->commit > world->committed) {
            world_fail(world, "n%u believes %" PRIu64 " committed, nobody committed it", at + 1,
                       raft->commit);
        }
        raft_term term = raft_log_term(&raft->log, raft->commit);
        if (term != 0 && raft->commit <= world->committed &&
            world->commits[raft->commit]->entry.term != term) {
            world_fail(world, "n%u: its committed entry %" PRIu64 " is another", at + 1,
                       raft->commit);
        }
    }
    if (node->role == RAFT_LEADER && raft->role != RAFT_LEADER && raft->term == node->term) {
        world_mark(world, raft->stored < raft->sequence &&
                                  raft->waiting_ms + raft->options.stall_ms <= raft->now_ms
                              ? WORLD_LEADER_STALLED
                          : !raft_configuration_is_voter(&raft->configuration, at + 1)
                              ? WORLD_LEADER_REMOVED
                              : WORLD_LEADER_STEPPED_DOWN);
    }
    world->marks[WORLD_FOLLOWER_FULL] += raft->is_full;
    node->role = raft->role;
    node->term = raft->term;
    node->commit_before = node->commit;
    node->commit = raft->commit;
}
