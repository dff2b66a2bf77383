#include "raft/raft_private.h"

/* The newest index that a majority of the voters has on disk: whatever it is, not only the
 * newest entry of all, or the group would starve while its leader's disk runs ahead. */
static raft_index quorum_match(const struct raft *raft)
{
    raft_index sorted[RAFT_MEMBERS_MAX]; /* descending */
    uint32_t count = 0;

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        if (!member->is_voter) {
            continue;
        }
        raft_index match = member->id == raft->options.id ? raft->log.durable
                           : raft__counts(raft, i)        ? raft->progress[i].match
                                                          : 0;
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < match; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = match;
    }
    return sorted[raft_configuration_quorum(&raft->configuration) - 1];
}

void raft__commit_by_count(struct raft *raft)
{
    raft_index index = quorum_match(raft);

    /* "Only log entries from the leader's current term are committed by counting replicas"
     * (Raft, section 5.4.2). */
    if (index > raft->commit && raft_log_term(&raft->log, index) == raft->term) {
        raft->commit = index;
    }
    /* A leader that removed itself leads until that is committed, and counts for nothing. */
    if (!raft__is_voter(raft) && raft->configuration.index <= raft->commit) {
        raft__become_follower(raft, raft->term, 0);
    }
}

static void apply_entries(struct raft *raft, const struct raft_entry *entries, uint32_t count)
{
    struct raft_effects *out = raft->out;

    ASSERT(out->apply_count < RAFT_APPLIES_MAX);
    out->applies[out->apply_count++] = (struct raft_apply){
        .index = raft->applied + 1,
        .entries = entries,
        .count = count,
    };
    for (uint32_t i = 0; i < count; i++) {
        raft->applied++;
        if (entries[i].kind == RAFT_ENTRY_CONFIGURATION &&
            raft_configuration_decode(entries[i].payload, raft->applied,
                                      &raft->configuration_applied) != OK) {
            raft__stop(raft, "a configuration entry does not follow the format");
            return;
        }
    }
}

void raft__apply(struct raft *raft)
{
    if (raft->role == RAFT_STOPPED || raft->applied == raft->commit || raft->is_applying) {
        return;
    }
    raft_index next = raft->applied + 1;
    if (raft_log_has(&raft->log, next)) {
        apply_entries(raft, raft_log_at(&raft->log, next),
                      (uint32_t)(raft->commit - raft->applied));
        return;
    }
    /* Only what is not in memory: behind it the disk may still hold entries that were cut off.
     */
    raft_index end =
        raft->commit < raft->log.tail_first ? raft->commit + 1 : raft->log.tail_first;
    raft_index count = end - next;
    raft->is_applying = true;
    raft__request(raft, (struct raft_request){
                            .kind = RAFT_READ_ENTRIES,
                            .term = raft->term,
                            .index = next,
                            .count = count < raft->options.read_entries_max
                                         ? (uint32_t)count
                                         : raft->options.read_entries_max,
                        });
}

/* They are committed: no truncation can have come between. */
void raft__on_entries_read_to_apply(struct raft *raft, const struct raft_event *event)
{
    raft->is_applying = false;
    if (event->index != raft->applied + 1) {
        return; /* a snapshot was installed meanwhile */
    }
    if (event->count == 0 || event->index + event->count - 1 > raft->commit) {
        raft__stop(raft, "a committed entry cannot be read back");
        return;
    }
    apply_entries(raft, event->entries, event->count);
}
