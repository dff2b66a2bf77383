#include "raft/raft_private.h"

/* One change at a time, of one member, in force from the moment it stands in the log (Ongaro,
 * chapter 4). So each configuration of a log but its newest is committed, and rolling back goes
 * one step at the most: two configurations are enough to remember. */

static void rebuild_progress(struct raft *raft, const struct raft_configuration *before)
{
    struct raft_progress progress[RAFT_MEMBERS_MAX];

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft_id id = raft->configuration.members[i].id;
        uint32_t at = raft_configuration_find(before, id);
        if (at < before->count) {
            progress[i] = raft->progress[at];
        } else {
            raft__progress_reset(raft, &progress[i], id);
        }
    }
    memcpy(raft->progress, progress, raft->configuration.count * sizeof progress[0]);
}

void raft__configuration_take(struct raft *raft, const struct raft_configuration *next)
{
    raft->configuration_before = raft->configuration;
    raft->configuration = *next;
    rebuild_progress(raft, &raft->configuration_before);
}

void raft__configuration_roll_back(struct raft *raft, raft_index truncated)
{
    if (raft->configuration.index < truncated) {
        return;
    }
    if (raft->configuration_before.index >= truncated) {
        raft__stop(raft, "the leader's log contradicts a committed configuration");
        return;
    }
    struct raft_configuration gone = raft->configuration;
    raft->configuration = raft->configuration_before;
    rebuild_progress(raft, &gone);
}

static enum raft_outcome judge(struct raft *raft, const struct raft_event *event,
                               struct raft_configuration *next)
{
    if (raft->role != RAFT_LEADER) {
        return RAFT_NOT_LEADER;
    }
    /* "... a leader may not begin a change before an entry of its own term is committed"
     * (Ongaro's correction of 2015): else two changes of two leaders could each have a majority
     * that knows nothing of the other. */
    if (raft->configuration.index > raft->commit ||
        raft_log_term(&raft->log, raft->commit) != raft->term || raft->transfer_to != 0 ||
        !raft_log_has_room(&raft->log, raft->term, RAFT_CONFIGURATION_BYTES_MAX)) {
        return RAFT_BUSY;
    }
    *next = raft->configuration;
    int status = raft_configuration_change(next, event->change, event->peer);
    if (status != OK) {
        return status == ERR_FULL ? RAFT_BUSY : RAFT_INVALID;
    }
    /* A learner that lags would take the group's progress away with its vote. */
    if (raft__refill_forbids(raft, event->change, event->peer)) {
        return RAFT_BUSY;
    }
    const struct raft_progress *progress = raft__progress(raft, event->peer);
    if (event->change == RAFT_PROMOTE && progress->match < raft->commit) {
        return RAFT_BUSY;
    }
    return RAFT_DONE;
}

void raft__on_change_asked(struct raft *raft, const struct raft_event *event)
{
    struct raft_configuration next;
    enum raft_outcome outcome = judge(raft, event, &next);

    if (outcome == RAFT_DONE) {
        uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
        next.index = raft->log.last + 1;
        uint32_t len = raft_configuration_encode(&next, bytes);
        raft__append_own(raft, RAFT_ENTRY_CONFIGURATION, slice_from(bytes, len));
        raft__persist_entries(raft, raft->log.last);
        raft__configuration_take(raft, &next);
    }
    raft__reply(raft, RAFT_REPLY_CHANGED, outcome, event->token);
    if (outcome == RAFT_DONE) {
        raft->out->replies[raft->out->reply_count - 1].index = raft->log.last;
    }
}
