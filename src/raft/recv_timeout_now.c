#include "raft/raft_private.h"

/* The leader hands over: campaign at once, without asking first. A repeated or late message is
 * of an older term by then; the campaign is the ordinary one, with its vote on disk before it
 * is spoken, so that a transfer cannot make anybody vote twice. */
void raft__recv_timeout_now(struct raft *raft, const struct raft_message *message)
{
    if (message->term != raft->term || raft->role != RAFT_FOLLOWER ||
        raft->leader != message->from || !raft__is_voter(raft) || raft->is_refilling ||
        raft->receipt.is_installing) {
        return;
    }
    raft__campaign_for_real(raft, true);
}
