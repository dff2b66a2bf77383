#include "raft/raft_private.h"

/* What every message has in common. A message that makes no sense is dropped: its bytes came
 * from a peer. */

typedef void raft_receiver(struct raft *raft, const struct raft_message *message);

static raft_receiver *const receivers[RAFT_MESSAGE_NR] = {
    [RAFT_VOTE] = raft__recv_vote,
    [RAFT_VOTE_REPLY] = raft__recv_vote_reply,
    [RAFT_APPEND] = raft__recv_append,
    [RAFT_APPEND_REPLY] = raft__recv_append_reply,
    [RAFT_SNAPSHOT] = raft__recv_snapshot,
    [RAFT_SNAPSHOT_REPLY] = raft__recv_snapshot_reply,
    [RAFT_TIMEOUT_NOW] = raft__recv_timeout_now,
};

/* "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to
 * follower" (Raft, figure 2). Votes look at the term themselves. */
static bool is_term_followed(const struct raft_message *message)
{
    return message->type != RAFT_VOTE && message->type != RAFT_VOTE_REPLY;
}

static bool is_from_leader(const struct raft_message *message)
{
    return message->type == RAFT_APPEND || message->type == RAFT_SNAPSHOT;
}

/* The sender leads the current term: nobody else does (Raft, section 5.2). */
static void follow(struct raft *raft, const struct raft_message *message)
{
    if (raft->role != RAFT_FOLLOWER || raft->leader != message->from) {
        raft__become_follower(raft, raft->term, message->from);
    }
    raft->heard_ms = raft->now_ms;
    raft__reset_election(raft);
}

/* A leader of the past learns of the present by the reply. */
static void refuse_old_leader(struct raft *raft, const struct raft_message *message)
{
    struct raft_message *reply = raft__send(raft, RAFT_APPEND_REPLY, message->from);
    reply->append_reply.is_rejected = true;
}

void raft__on_received(struct raft *raft, const struct raft_event *event)
{
    const struct raft_message *message = event->message;

    if (message->type <= 0 || message->type >= RAFT_MESSAGE_NR || message->from == 0 ||
        message->to != raft->options.id || message->from == raft->options.id ||
        message->term == 0) {
        return;
    }
    raft->is_without_room = event->is_without_room;
    if (is_term_followed(message)) {
        if (message->term > raft->term) {
            raft__become_follower(raft, message->term,
                                  is_from_leader(message) ? message->from : 0);
        } else if (message->term < raft->term) {
            if (is_from_leader(message)) {
                refuse_old_leader(raft, message);
            }
            return;
        }
        if (is_from_leader(message)) {
            if (raft->role == RAFT_LEADER) {
                return; /* two leaders in one term: not a message of this protocol */
            }
            follow(raft, message);
        }
    }
    receivers[message->type](raft, message);
}
