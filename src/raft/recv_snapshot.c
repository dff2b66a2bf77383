#include "raft/raft_private.h"

/* A snapshot in chunks, each written before the next is asked for. The receipt belongs to the
 * term it was begun in: a change of term abandons it, except while the disk is already making
 * it the current one; then the member finishes first and neither campaigns nor touches its log.
 */

static bool is_known(const struct raft *raft, const struct raft_snapshot *snapshot)
{
    return snapshot->index <= raft->commit ||
           (snapshot->index <= raft->log.last &&
            raft_log_term(&raft->log, snapshot->index) == snapshot->term);
}

static bool is_same(const struct raft_receipt *receipt, const struct raft_message *message)
{
    return receipt->is_active && receipt->from == message->from &&
           receipt->term == message->term &&
           receipt->snapshot.index == message->snapshot.snapshot->index &&
           receipt->snapshot.term == message->snapshot.snapshot->term;
}

static void answer(struct raft *raft, bool is_complete)
{
    const struct raft_receipt *receipt = &raft->receipt;

    if (!raft__is_hard_stored(raft)) {
        return; /* the leader asks again */
    }
    struct raft_message *reply = raft__send(raft, RAFT_SNAPSHOT_REPLY, receipt->from);
    reply->snapshot_reply = (struct raft_snapshot_reply){
        .index = receipt->snapshot.index,
        .snapshot_term = receipt->snapshot.term,
        .offset = receipt->offset,
        .round = raft->round,
        .is_complete = is_complete,
    };
}

/* The log goes as far as the snapshot and agrees with it: there is nothing to install, and the
 * snapshot proves that all of it is committed. */
static void take_as_known(struct raft *raft, const struct raft_snapshot *snapshot)
{
    if (snapshot->index > raft->commit) {
        raft->commit = snapshot->index;
    }
    if (snapshot->index > raft->verified) {
        raft->verified = snapshot->index;
    }
    raft->is_ack_due = true;
}

void raft__recv_snapshot(struct raft *raft, const struct raft_message *message)
{
    const struct raft_snapshot_chunk *chunk = &message->snapshot;
    struct raft_receipt *receipt = &raft->receipt;

    if (chunk->snapshot->index == 0 || chunk->snapshot->term == 0 ||
        chunk->snapshot->term > message->term ||
        chunk->snapshot->configuration.index > chunk->snapshot->index) {
        return;
    }
    if (chunk->round > raft->round) {
        raft->round = chunk->round;
    }
    if (receipt->is_installing) {
        raft->is_ack_due = true;
        return;
    }
    if (is_known(raft, chunk->snapshot)) {
        take_as_known(raft, chunk->snapshot);
        return;
    }
    if (!is_same(receipt, message)) {
        *receipt = (struct raft_receipt){
            .snapshot = *chunk->snapshot,
            .from = message->from,
            .term = message->term,
            .is_active = true,
        };
    }
    if (receipt->is_writing) {
        return;
    }
    if (chunk->offset != receipt->offset) {
        answer(raft, false);
        return;
    }
    receipt->is_writing = true;
    receipt->is_last = chunk->is_last;
    receipt->offset_next = chunk->offset + chunk->data.len;
    raft__request(raft, (struct raft_request){
                            .kind = RAFT_WRITE_CHUNK,
                            .term = receipt->term,
                            .index = receipt->snapshot.index,
                            .offset = chunk->offset,
                            .data = chunk->data,
                            .snapshot = &receipt->snapshot,
                        });
}

void raft__on_chunk_written(struct raft *raft, const struct raft_event *event)
{
    struct raft_receipt *receipt = &raft->receipt;

    if (!receipt->is_active || !receipt->is_writing || event->term != receipt->term ||
        event->index != receipt->snapshot.index || event->offset != receipt->offset_next) {
        return;
    }
    receipt->is_writing = false;
    receipt->offset = receipt->offset_next;
    if (is_known(raft, &receipt->snapshot)) {
        /* Late appends brought the log there meanwhile. */
        receipt->is_active = false;
        raft__request(raft, (struct raft_request){.kind = RAFT_ABANDON});
        take_as_known(raft, &receipt->snapshot);
        return;
    }
    if (receipt->is_last) {
        receipt->is_installing = true;
        raft__request(raft, (struct raft_request){
                                .kind = RAFT_INSTALL,
                                .term = receipt->term,
                                .index = receipt->snapshot.index,
                                .snapshot = &receipt->snapshot,
                            });
    }
    answer(raft, receipt->is_last);
}
