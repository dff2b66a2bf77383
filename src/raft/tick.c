#include "raft/raft_private.h"

/* "... a leader steps down if an election timeout elapses without a successful round of
 * heartbeats to a majority of its cluster" (Ongaro, section 6.2). */
static bool has_quorum(const struct raft *raft)
{
    uint32_t heard = 0;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        heard += raft__counts(raft, i) &&
                 (member->id == raft->options.id ||
                  raft->progress[i].heard_ms + raft->options.election_ms > raft->now_ms);
    }
    return heard >= raft_configuration_quorum(&raft->configuration);
}

/* The network may carry a leader whose own disk does not answer; it gives way to one whose disk
 * does. */
static bool is_stalled(const struct raft *raft)
{
    return raft->stored < raft->sequence &&
           raft->waiting_ms + raft->options.stall_ms <= raft->now_ms;
}

static void tick_leader(struct raft *raft)
{
    if (raft->transfer_to != 0 && raft->now_ms >= raft->transfer_ms) {
        raft__transfer_end(raft, RAFT_TIMED_OUT);
    }
    if (raft->now_ms < raft->heartbeat_ms) {
        return;
    }
    raft->heartbeat_ms = raft->now_ms + raft->options.heartbeat_ms;
    if (!has_quorum(raft) || is_stalled(raft)) {
        raft__become_follower(raft, raft->term, 0);
        return;
    }
    raft->is_transfer_sent = false;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft->progress[i].is_due = true;
    }
}

void raft__on_tick(struct raft *raft, const struct raft_event *event)
{
    (void)event;
    if (raft->role == RAFT_LEADER) {
        tick_leader(raft);
    } else if (raft->now_ms >= raft->election_ms) {
        raft__campaign(raft);
    }
}
