#include "raft/raft_private.h"

/* Snapshots that are durable here: one's own, or one that was installed. */

/* The log may let go of what a snapshot covers when the mark is durable: before, only the
 * records in front tell a restart whether those behind follow the snapshot. */
void raft__put_mark(struct raft *raft)
{
    raft__persist(raft, (struct raft_persist){
                            .kind = RAFT_PERSIST_MARK,
                            .index = raft->snapshot.index,
                            .term = raft->snapshot.term,
                        });
    raft->mark_sequence = raft->sequence;
    raft->is_release_due = true;
}

/* Each change of term since the snapshot takes memory; the room for them is nearly gone. */
void raft__want_snapshot(struct raft *raft)
{
    if (raft->applied > raft->snapshot.index) {
        raft__request(raft, (struct raft_request){.kind = RAFT_WANT_SNAPSHOT});
    }
}

static void compact(struct raft *raft, raft_index base)
{
    struct raft_log *log = &raft->log;

    /* What a durable snapshot covers would survive a crash, written or not. */
    if (log->durable < raft->snapshot.index) {
        log->durable = raft->snapshot.index;
    }
    raft_log_compact(log, base);
}

void raft__on_taken(struct raft *raft, const struct raft_event *event)
{
    const struct raft_snapshot *snapshot = event->snapshot;
    uint32_t members = raft->configuration_applied.count;
    uint32_t trailing = members > 1 ? raft->options.trailing_max : 0; /* else nobody lags */

    ASSERT(snapshot->index <= raft->applied);
    if (snapshot->index <= raft->snapshot.index) {
        return; /* one that was installed meanwhile reaches further */
    }
    raft->snapshot = *snapshot;
    raft__put_mark(raft);
    compact(raft, snapshot->index > trailing ? snapshot->index - trailing : 0);
}

/* Entries that an idle group keeps for members that lag would keep others' in the log as well. */
void raft__on_let_go(struct raft *raft, const struct raft_event *event)
{
    raft_index index =
        event->index < raft->snapshot.index ? event->index : raft->snapshot.index;

    if (index <= raft->log.base) {
        return;
    }
    compact(raft, index);
    if (raft->stored >= raft->mark_sequence) {
        raft__request(raft,
                      (struct raft_request){.kind = RAFT_RELEASE, .index = raft->log.base});
    } else {
        raft->is_release_due = true;
    }
}

/* Begin again from the snapshot. Entries behind it stay if they follow it; else they are void,
 * as everything is that contradicts what was committed. */
static void adopt(struct raft *raft, const struct raft_snapshot *snapshot)
{
    struct raft_log *log = &raft->log;
    bool is_followed =
        snapshot->index <= log->last && raft_log_term(log, snapshot->index) == snapshot->term;

    raft->snapshot = *snapshot;
    if (!is_followed) {
        if (log->last > snapshot->index) {
            raft__persist(raft, (struct raft_persist){
                                    .kind = RAFT_PERSIST_TRUNCATE,
                                    .index = snapshot->index + 1,
                                });
        }
        raft_log_reset(log, snapshot->index, snapshot->term);
        raft__configuration_take(raft, &snapshot->configuration);
        raft->configuration_before = snapshot->configuration;
    }
    raft__put_mark(raft);
    raft->commit = snapshot->index;
    raft->applied = snapshot->index;
    raft->configuration_applied = snapshot->configuration;
    compact(raft, snapshot->index);
    raft->out->applies[raft->out->apply_count++] = (struct raft_apply){
        .index = snapshot->index,
        .snapshot = &raft->snapshot,
    };
}

void raft__on_installed(struct raft *raft, const struct raft_event *event)
{
    struct raft_receipt *receipt = &raft->receipt;

    if (!receipt->is_installing || event->index != receipt->snapshot.index) {
        return;
    }
    receipt->is_installing = false;
    receipt->is_active = false;
    if (event->status != OK) {
        return; /* the leader's next append finds out, and it begins anew */
    }
    ASSERT(raft->role == RAFT_FOLLOWER && receipt->snapshot.index > raft->commit);
    adopt(raft, &receipt->snapshot);
    /* Acknowledged now that it is durable, and to the leader that sent it: to a later one the
     * term of this proof means nothing. */
    if (raft->leader == receipt->from && raft->term == receipt->term) {
        raft->verified = receipt->snapshot.index;
        raft->is_ack_due = true;
    }
}
