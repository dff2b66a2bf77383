#include "raft/raft_private.h"

/* "If a server receives a RequestVote request within the minimum election timeout of hearing
 * from a current leader, it does not update its term or grant its vote" (Ongaro,
 * section 4.2.3). A leader that a majority follows hears from itself. */
static bool has_leader(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER) {
        return true;
    }
    return raft->leader != 0 && raft->now_ms < raft->heard_ms + raft->options.election_ms;
}

/* "... the voter denies its vote if its own log is more up-to-date than that of the candidate"
 * (Raft, section 5.4.1). */
static bool is_up_to_date(const struct raft *raft, const struct raft_vote *vote)
{
    raft_term last_term = raft_log_last_term(&raft->log);
    return vote->last_term > last_term ||
           (vote->last_term == last_term && vote->last_index >= raft->log.last);
}

static void answer(struct raft *raft, const struct raft_message *message, bool is_granted)
{
    struct raft_message *reply = raft__send(raft, RAFT_VOTE_REPLY, message->from);
    reply->vote_reply.is_pre = message->vote.is_pre;
    reply->vote_reply.is_granted = is_granted;
    if (is_granted) {
        reply->term = message->term;
    }
}

/* Changes nothing here: no term, no vote, no timeout. */
static void recv_pre_vote(struct raft *raft, const struct raft_message *message)
{
    answer(raft, message,
           message->term > raft->term && !has_leader(raft) &&
               is_up_to_date(raft, &message->vote));
}

void raft__recv_vote(struct raft *raft, const struct raft_message *message)
{
    if (raft->is_refilling) {
        /* It may have voted in that term, and does not know what it acknowledged. */
        answer(raft, message, false);
        return;
    }
    if (message->vote.is_pre) {
        recv_pre_vote(raft, message);
        return;
    }
    if (message->term < raft->term || (has_leader(raft) && !message->vote.is_transfer)) {
        answer(raft, message, false);
        return;
    }
    if (message->term > raft->term) {
        raft__become_follower(raft, message->term, 0);
    }
    bool is_free = raft->vote == 0 || raft->vote == message->from;
    if (raft->role != RAFT_FOLLOWER || !is_free || !is_up_to_date(raft, &message->vote)) {
        answer(raft, message, false);
        return;
    }
    if (raft->vote == 0) {
        raft__set_hard(raft, raft->term, message->from);
    }
    raft__reset_election(raft);
    /* "Before responding": the vote is said when it is on disk, at once if it is already. */
    raft->vote_reply_to = message->from;
    if (raft__is_hard_stored(raft)) {
        raft__hard_stored(raft);
    }
}
