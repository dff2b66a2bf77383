#include "raft/raft_private.h"

/* The receiver says where to go on, also after chunks were lost or it was begun before. */
void raft__recv_snapshot_reply(struct raft *raft, const struct raft_message *message)
{
    const struct raft_snapshot_reply *reply = &message->snapshot_reply;
    struct raft_progress *progress = raft__progress_of(raft, message);

    if (progress == NULL || reply->round > raft->round) {
        return;
    }
    progress->heard_ms = raft->now_ms;
    if (reply->round > progress->round) {
        progress->round = reply->round;
    }
    if (progress->mode != RAFT_CATCH_UP || reply->index != progress->snapshot_index ||
        reply->snapshot_term != raft->snapshot.term) {
        return;
    }
    if (reply->is_complete) {
        /* It is being installed, which the next append will show. Nothing is proved yet: what
         * the receiver has not made durable it may still lose. */
        raft__progress_probe(progress, progress->snapshot_index + 1);
        progress->is_probe_sent = true;
        progress->is_reading = false;
        return;
    }
    progress->snapshot_offset = reply->offset;
    progress->is_chunk_sent = false;
}

void raft__on_chunk_read(struct raft *raft, const struct raft_event *event)
{
    struct raft_progress *progress = raft__progress(raft, event->peer);

    if (raft->role != RAFT_LEADER || event->term != raft->term || progress == NULL ||
        progress->mode != RAFT_CATCH_UP || !progress->is_reading ||
        event->index != progress->snapshot_index ||
        event->offset != progress->snapshot_offset) {
        if (progress != NULL && progress->mode == RAFT_CATCH_UP) {
            progress->is_reading = false;
        }
        return;
    }
    progress->is_reading = false;
    progress->is_chunk_sent =
        true; /* also when it could not be read: a heartbeat tries again */
    progress->sent_ms = raft->now_ms;
    if (event->status != OK || event->index != raft->snapshot.index) {
        return;
    }
    struct raft_message *message = raft__send(raft, RAFT_SNAPSHOT, progress->id);
    message->snapshot = (struct raft_snapshot_chunk){
        .snapshot = &raft->snapshot,
        .offset = event->offset,
        .data = event->data,
        .round = raft->round,
        .is_last = event->is_last,
    };
}
