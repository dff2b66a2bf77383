#include "raft/raft_private.h"

/* A member that lost its log, or a part of it that it may have acknowledged, begins again with
 * nothing: it neither votes nor counts until a leader that does not count it has refilled it.
 * docs/spec/raft.md section 12 argues why that is safe. */

bool raft_is_refilling(const struct raft *raft)
{
    return raft->is_refilling || !raft__is_hard_stored(raft);
}

bool raft_is_refilled_by(const struct raft *raft, raft_id id)
{
    uint32_t at = raft_configuration_find(&raft->configuration, id);

    return raft->role == RAFT_LEADER && at < raft->configuration.count &&
           raft->progress[at].is_refilling;
}

/* What it said before it lost its log is not true any more, and may come late. What it said
 * after that begins from nothing. */
struct raft_progress *raft__progress_of(struct raft *raft, const struct raft_message *message)
{
    struct raft_progress *progress = raft__progress(raft, message->from);

    if (progress == NULL || raft->role != RAFT_LEADER || message->refill < progress->refill) {
        return NULL;
    }
    if (message->refill > progress->refill) {
        raft__progress_reset(raft, progress, message->from);
        progress->refill = message->refill;
    }
    if (!message->is_refilling || !progress->is_refilling) {
        progress->is_refilling = message->is_refilling;
        progress->is_readmitted = false;
        progress->readmit_at = 0;
    }
    return progress;
}

bool raft__counts(const struct raft *raft, uint32_t at)
{
    const struct raft_member *member = &raft->configuration.members[at];

    return member->is_voter &&
           (member->id == raft->options.id || !raft->progress[at].is_refilling);
}

/* Voters that count are all that can commit a change: none of them goes before those that do
 * not. */
bool raft__refill_forbids(const struct raft *raft, enum raft_change_kind change, raft_id peer)
{
    if (raft_is_refilled_by(raft, peer)) {
        return change == RAFT_PROMOTE;
    }
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->configuration.members[i].is_voter && !raft__counts(raft, i)) {
            return change != RAFT_ADD_LEARNER;
        }
    }
    return false;
}

/* An entry of the own term, made after the loss was known and committed while the member had no
 * vote, shows that no election in which it voted before can be won any more. */
static void advance(struct raft *raft, struct raft_progress *progress)
{
    if (progress->readmit_at == 0) {
        if (raft_log_has_room(&raft->log, raft->term, 0)) {
            raft__append_own(raft, RAFT_ENTRY_NOOP, SLICE_NONE);
            raft__persist_entries(raft, raft->log.last);
            progress->readmit_at = raft->log.last;
        }
        return;
    }
    if (!progress->is_readmitted && raft->commit >= progress->readmit_at &&
        progress->match >= progress->readmit_at) {
        progress->is_readmitted = true;
        progress->is_due = true;
    }
}

void raft__refill_advance(struct raft *raft)
{
    if (raft->role != RAFT_LEADER || raft->configuration.index > raft->commit ||
        raft_log_term(&raft->log, raft->commit) != raft->term || raft->transfer_to != 0) {
        return;
    }
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->progress[i].is_refilling && !raft->configuration.members[i].is_voter) {
            advance(raft, &raft->progress[i]);
        }
    }
}

/* Its vote of this term may have been given before; that of its leader is the only one that it
 * knows to have been right. */
void raft__recv_readmission(struct raft *raft, const struct raft_message *message)
{
    if (!raft->is_refilling || message->readmits != raft->options.refill) {
        return;
    }
    if (raft->vote == 0) {
        raft__set_hard(raft, raft->term, message->from);
    }
    raft->is_refilling = false;
}
