#include "raft/raft_private.h"

void raft__on_stored(struct raft *raft, const struct raft_event *event)
{
    bool was_hard_stored = raft__is_hard_stored(raft);

    ASSERT(event->sequence <= raft->sequence);
    if (event->sequence <= raft->stored) {
        return;
    }
    raft->stored = event->sequence;
    raft->waiting_ms = raft->now_ms;
    bool has_moved = raft_log_stored(&raft->log, event->sequence);
    if (!was_hard_stored && raft__is_hard_stored(raft)) {
        raft__hard_stored(raft);
    }
    if (raft->is_release_due && raft->stored >= raft->mark_sequence) {
        raft->is_release_due = false;
        raft__request(raft, (struct raft_request){
                                .kind = RAFT_RELEASE,
                                .index = raft->log.base,
                            });
    }
    if (has_moved && raft->role == RAFT_FOLLOWER && raft->leader != 0) {
        raft->is_ack_due = true;
        if (raft->is_full) {
            raft__announce_room(raft);
        }
    }
}
