#include "raft/raft_private.h"

enum raft_outcome raft_may_propose(const struct raft *raft, uint32_t count, uint64_t bytes)
{
    const struct raft_log *log = &raft->log;

    if (raft->role != RAFT_LEADER) {
        return RAFT_NOT_LEADER;
    }
    bool has_room = raft_log_has_room(log, raft->term, bytes) &&
                    log->tail_count + count <= log->tail_max &&
                    log->last - raft->commit + count <= raft->options.uncommitted_max;
    return raft->transfer_to == 0 && has_room ? RAFT_DONE : RAFT_BUSY;
}

static enum raft_outcome judge(const struct raft *raft, const struct raft_event *event)
{
    uint64_t bytes = 0;

    if (raft->role != RAFT_LEADER) {
        return RAFT_NOT_LEADER;
    }
    for (uint32_t i = 0; i < event->count; i++) {
        bytes += event->payloads[i].len;
        if (event->payloads[i].len > raft->options.tail_bytes_max / 2) {
            return RAFT_INVALID; /* no member could hold it */
        }
    }
    return event->count == 0 ? RAFT_INVALID : raft_may_propose(raft, event->count, bytes);
}

/* A batch is one write and one message: the caller gathers what comes during a turn. */
void raft__on_proposed(struct raft *raft, const struct raft_event *event)
{
    enum raft_outcome outcome = judge(raft, event);
    raft_index first = raft->log.last + 1;
    if (outcome == RAFT_DONE) {
        for (uint32_t i = 0; i < event->count; i++) {
            raft__append_own(raft, RAFT_ENTRY_DATA, event->payloads[i]);
        }
        raft__persist_entries(raft, first);
    }
    raft__reply(raft, RAFT_REPLY_PROPOSED, outcome, event->token);
    if (outcome == RAFT_DONE) {
        raft->out->replies[raft->out->reply_count - 1].index = first;
    }
}
