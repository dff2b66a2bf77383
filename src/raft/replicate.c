#include "raft/raft_private.h"

/* What the leader sends to each member, and when. docs/spec/raft.md section 6. */

void raft__progress_probe(struct raft_progress *progress, raft_index next)
{
    progress->mode = RAFT_PROBE;
    progress->next = next;
    progress->inflight_count = 0;
    progress->is_probe_sent = false;
}

void raft__progress_reset(struct raft *raft, struct raft_progress *progress, raft_id id)
{
    *progress = (struct raft_progress){
        .id = id,
        .heard_ms = raft->now_ms, /* a new leader gives everybody one election timeout */
        .is_due = true,
    };
    raft__progress_probe(progress, raft->log.last + 1);
}

static struct raft_message *begin_append(struct raft *raft, struct raft_progress *progress)
{
    struct raft_message *message = raft__send(raft, RAFT_APPEND, progress->id);
    message->append = (struct raft_append){
        .prev_index = progress->next - 1,
        .prev_term = raft_log_term(&raft->log, progress->next - 1),
        .commit = raft->commit,
        .round = raft->round,
    };
    message->readmits = progress->is_readmitted ? progress->refill : 0;
    progress->sent_ms = raft->now_ms;
    progress->is_due = false;
    return message;
}

static void send_entries(struct raft *raft, struct raft_progress *progress,
                         const struct raft_entry *entries, raft_index available)
{
    struct raft_message *message = begin_append(raft, progress);
    size_t bytes = 0;
    uint32_t count = 0;

    while (count < available && count < raft->options.append_entries_max) {
        bytes += entries[count].payload.len;
        if (count > 0 && bytes > raft->options.append_bytes_max) {
            break;
        }
        count++;
    }
    message->append.entries = entries;
    message->append.count = count;
    if (progress->mode == RAFT_PROBE) {
        progress->is_probe_sent = true;
        return;
    }
    /* Further appends follow without waiting for this one's reply. */
    progress->next += count;
    ASSERT(progress->inflight_count < RAFT_INFLIGHT_MAX);
    progress
        ->inflight[(progress->inflight_start + progress->inflight_count) % RAFT_INFLIGHT_MAX] =
        progress->next - 1;
    progress->inflight_count++;
}

static void read_entries(struct raft *raft, struct raft_progress *progress)
{
    raft_index count = raft->log.tail_first - progress->next;

    progress->is_reading = true;
    raft__request(raft, (struct raft_request){
                            .kind = RAFT_READ_ENTRIES,
                            .peer = progress->id,
                            .term = raft->term,
                            .index = progress->next,
                            .count = count < raft->options.append_entries_max
                                         ? (uint32_t)count
                                         : raft->options.append_entries_max,
                        });
}

/* Send the next entries, or have them read. Returns: whether there may be more to do. */
static bool send_next(struct raft *raft, struct raft_progress *progress)
{
    if (progress->next > raft->log.last) {
        return false;
    }
    if (raft_log_has(&raft->log, progress->next)) {
        send_entries(raft, progress, raft_log_at(&raft->log, progress->next),
                     raft->log.last - progress->next + 1);
        return true;
    }
    if (!progress->is_reading) {
        read_entries(raft, progress);
    }
    return false;
}

/* The first probe brings entries along; one that is repeated does not: the follower may be
 * down, or busy with a snapshot, and asking where the logs meet needs none. */
static void replicate_probe(struct raft *raft, struct raft_progress *progress)
{
    if (progress->is_probe_sent) {
        if (progress->is_due) {
            (void)begin_append(raft, progress);
        }
        return;
    }
    if (!send_next(raft, progress) && (progress->is_due || progress->next > raft->log.last)) {
        (void)begin_append(raft, progress);
        progress->is_probe_sent = true;
    }
}

static void replicate_pipeline(struct raft *raft, struct raft_progress *progress)
{
    while (progress->inflight_count < raft->options.inflight_max && send_next(raft, progress)) {
    }
    if (progress->is_due) {
        /* prev_index is the newest that was sent: a follower that lost some says so now. */
        (void)begin_append(raft, progress);
    }
}

static void begin_catch_up(struct raft *raft, struct raft_progress *progress)
{
    progress->mode = RAFT_CATCH_UP;
    progress->snapshot_index = raft->snapshot.index;
    progress->snapshot_offset = 0;
    progress->is_chunk_sent = false;
    progress->is_reading = false;
    progress->inflight_count = 0;
}

static void replicate_snapshot(struct raft *raft, struct raft_progress *progress)
{
    if (progress->snapshot_index != raft->snapshot.index) {
        begin_catch_up(raft, progress); /* a newer one took its place */
    }
    if (progress->is_due) {
        /* A heartbeat that asks for nothing: every log agrees before its first entry. What was
         * sent before the last heartbeat and not answered is taken for lost. */
        struct raft_message *message = raft__send(raft, RAFT_APPEND, progress->id);
        message->append.commit = 0;
        message->append.round = raft->round;
        progress->is_due = false;
        if (progress->sent_ms + raft->options.heartbeat_ms <= raft->now_ms) {
            progress->is_chunk_sent = false;
        }
    }
    if (!progress->is_chunk_sent && !progress->is_reading) {
        progress->is_reading = true;
        raft__request(raft, (struct raft_request){
                                .kind = RAFT_READ_CHUNK,
                                .peer = progress->id,
                                .term = raft->term,
                                .index = progress->snapshot_index,
                                .offset = progress->snapshot_offset,
                            });
    }
}

void raft__replicate(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        struct raft_progress *progress = &raft->progress[i];
        if (progress->id == raft->options.id) {
            continue;
        }
        if (progress->mode != RAFT_CATCH_UP && progress->next <= raft->log.base) {
            begin_catch_up(raft, progress);
        }
        switch (progress->mode) {
        case RAFT_PROBE:
            replicate_probe(raft, progress);
            break;
        case RAFT_PIPELINE:
            replicate_pipeline(raft, progress);
            break;
        case RAFT_CATCH_UP:
            replicate_snapshot(raft, progress);
            break;
        }
    }
}

void raft__on_entries_read(struct raft *raft, const struct raft_event *event)
{
    if (event->peer == 0) {
        raft__on_entries_read_to_apply(raft, event);
        return;
    }
    struct raft_progress *progress = raft__progress(raft, event->peer);
    if (raft->role != RAFT_LEADER || event->term != raft->term || progress == NULL ||
        !progress->is_reading || progress->mode == RAFT_CATCH_UP) {
        return;
    }
    progress->is_reading = false;
    if (event->index != progress->next || progress->next <= raft->log.base ||
        event->index + event->count - 1 > raft->log.last ||
        (progress->mode == RAFT_PROBE && progress->is_probe_sent) ||
        (progress->mode == RAFT_PIPELINE &&
         progress->inflight_count >= raft->options.inflight_max)) {
        return;
    }
    if (event->count == 0) {
        /* It is in the log and cannot be read: not now; the next heartbeat tries again. */
        raft__progress_probe(progress, progress->next);
        progress->is_probe_sent = true;
        return;
    }
    send_entries(raft, progress, event->entries, event->count);
}
