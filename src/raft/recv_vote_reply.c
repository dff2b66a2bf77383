#include "raft/raft_private.h"

void raft__recv_vote_reply(struct raft *raft, const struct raft_message *message)
{
    const struct raft_vote_reply *reply = &message->vote_reply;
    bool is_awaited = reply->is_pre
                          ? raft->role == RAFT_PRE_CANDIDATE && message->term == raft->term + 1
                          : raft->role == RAFT_CANDIDATE && message->term == raft->term;

    if (!reply->is_granted && message->term > raft->term) {
        /* Somebody is ahead: the next attempt begins from its term. */
        raft__become_follower(raft, message->term, 0);
        return;
    }
    struct raft_progress *progress = raft__progress(raft, message->from);
    if (!is_awaited || !reply->is_granted || progress == NULL) {
        return;
    }
    progress->is_granted = true;
    if (!raft__has_won(raft)) {
        return;
    }
    if (reply->is_pre) {
        raft__campaign_for_real(raft, false);
    } else if (raft__is_hard_stored(raft)) {
        raft__become_leader(raft);
    }
}
