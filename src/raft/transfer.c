#include "raft/raft_private.h"

/* Leadership to another voter, on request (Ongaro, section 3.10): take no proposals, wait until
 * it has the whole log, tell it to campaign. Given up after an election timeout. */

void raft__transfer_end(struct raft *raft, enum raft_outcome outcome)
{
    if (raft->transfer_to == 0) {
        return;
    }
    raft->transfer_to = 0;
    raft__reply(raft, RAFT_REPLY_TRANSFERRED, outcome, raft->transfer_token);
}

void raft__on_transfer_asked(struct raft *raft, const struct raft_event *event)
{
    enum raft_outcome outcome = RAFT_DONE;

    if (raft->role != RAFT_LEADER) {
        outcome = RAFT_NOT_LEADER;
    } else if (raft->transfer_to != 0 || raft_is_refilled_by(raft, event->peer)) {
        outcome = RAFT_BUSY;
    } else if (event->peer == raft->options.id ||
               !raft_configuration_is_voter(&raft->configuration, event->peer)) {
        outcome = RAFT_INVALID;
    }
    if (outcome != RAFT_DONE) {
        raft__reply(raft, RAFT_REPLY_TRANSFERRED, outcome, event->token);
        return;
    }
    raft->transfer_to = event->peer;
    raft->transfer_token = event->token;
    raft->transfer_ms = raft->now_ms + raft->options.election_ms;
    raft->is_transfer_sent = false;
}

/* The target has everything, and has it on disk. */
void raft__transfer_advance(struct raft *raft)
{
    if (raft->transfer_to == 0 || raft->is_transfer_sent) {
        return;
    }
    const struct raft_progress *progress = raft__progress(raft, raft->transfer_to);
    if (progress->match == raft->log.last) {
        (void)raft__send(raft, RAFT_TIMEOUT_NOW, raft->transfer_to);
        raft->is_transfer_sent = true;
    }
}
