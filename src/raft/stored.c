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
    if (raft->log.run_count > raft->log.runs_max / 4 * 3) {
        raft__want_snapshot(raft);
    }
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0) {
        return;
    }
    raft->is_ack_due = raft->is_ack_due || has_moved;
    if (raft->is_full) {
        /* at every write, for a snapshot may have moved what counts as durable before this one
         */
        raft__announce_room(raft);
    }
}
