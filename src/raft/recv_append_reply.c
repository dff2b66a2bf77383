#include "raft/raft_private.h"

static void release_inflight(struct raft_progress *progress)
{
    while (progress->inflight_count > 0 &&
           progress->inflight[progress->inflight_start] <= progress->match) {
        progress->inflight_start = (progress->inflight_start + 1) % RAFT_INFLIGHT_MAX;
        progress->inflight_count--;
    }
}

/* The logs meet at or before the hint. Try there at once: not one place a heartbeat, and a
 * whole term at a time. */
static void back_up(struct raft *raft, struct raft_progress *progress,
                    const struct raft_append_reply *reply)
{
    const struct raft_log *log = &raft->log;
    raft_index meet = reply->hint_index < log->last ? reply->hint_index : log->last;
    bool is_stale = progress->mode == RAFT_PROBE ? reply->rejected != progress->next - 1
                                                 : reply->rejected <= progress->match;

    if (is_stale) {
        return; /* it answers an append that was overtaken */
    }
    if (meet >= log->base) {
        meet = raft_log_find_term(log, meet, reply->hint_term);
        if (meet == log->base && log->base_term > reply->hint_term) {
            meet = log->base - 1;
        }
    }
    if (meet < progress->match) {
        meet = progress->match;
    }
    raft__progress_probe(progress, meet + 1);
}

void raft__recv_append_reply(struct raft *raft, const struct raft_message *message)
{
    const struct raft_append_reply *reply = &message->append_reply;
    struct raft_progress *progress = raft__progress_of(raft, message);

    if (progress == NULL || reply->match > raft->log.last || reply->seen > raft->log.last ||
        reply->match > reply->seen || reply->round > raft->round) {
        return;
    }
    progress->heard_ms = raft->now_ms;
    if (reply->round > progress->round) {
        progress->round = reply->round;
    }
    if (reply->match > progress->match) {
        progress->match = reply->match;
    }
    release_inflight(progress);
    if (reply->is_rejected) {
        if (progress->mode != RAFT_CATCH_UP) {
            back_up(raft, progress, reply);
        }
        return;
    }
    if (progress->mode == RAFT_PROBE
            ? reply->seen + 1 >= progress->next
            : progress->mode == RAFT_CATCH_UP && reply->seen >= progress->snapshot_index) {
        raft__progress_probe(progress, reply->seen + 1);
        progress->mode = RAFT_PIPELINE;
        progress->is_reading = false;
    }
}
