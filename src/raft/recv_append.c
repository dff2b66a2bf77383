#include "raft/raft_private.h"

static raft_index min_index(raft_index a, raft_index b)
{
    return a < b ? a : b;
}

/* Terms never fall along a log, and none is above the leader's. */
static bool is_well_formed(const struct raft_message *message)
{
    const struct raft_append *append = &message->append;
    raft_term before = append->prev_term;

    for (uint32_t i = 0; i < append->count; i++) {
        if (append->entries[i].term < before) {
            return false;
        }
        before = append->entries[i].term;
    }
    return before <= message->term && (append->prev_index == 0) == (append->prev_term == 0);
}

/* The logs do not meet at prev_index. Say where they may: the newest entry at or below it whose
 * term is not above prev_term. A whole term is skipped at a time, by either side. */
static void reject(struct raft *raft, const struct raft_message *message)
{
    const struct raft_append *append = &message->append;

    if (raft->is_full) {
        return; /* it would be sent in vain: room is announced when there is some */
    }
    if (raft->is_without_room) { /* likewise, but nothing will be announced: a sign of life */
        raft->is_ack_due = true;
        return;
    }
    raft_index hint = raft_log_find_term(
        &raft->log, min_index(append->prev_index, raft->log.last), append->prev_term);

    /* What is committed fits every leader. */
    if (hint < raft->commit) {
        hint = raft->commit;
    }
    raft->reject = (struct raft_message){
        .append_reply =
            {
                           .is_rejected = true,
                           .rejected = append->prev_index,
                           .hint_index = hint,
                           .hint_term = raft_log_term(&raft->log, hint),
                           },
    };
    raft->is_reject_due = true;
}

static bool take_configuration(struct raft *raft, const struct raft_entry *entry)
{
    struct raft_configuration next;

    if (entry->kind != RAFT_ENTRY_CONFIGURATION) {
        return true;
    }
    if (raft_configuration_decode(entry->payload, raft->log.last + 1, &next) != OK) {
        raft__stop(raft, "a configuration entry does not follow the format");
        return false;
    }
    raft__configuration_take(raft, &next);
    return true;
}

/* Add what is new, as far as it fits. Returns: the index of the last entry that is known to be
 * the leader's. */
static raft_index take_entries(struct raft *raft, const struct raft_append *append)
{
    struct raft_log *log = &raft->log;
    raft_index index = append->prev_index;
    uint32_t i = 0;

    /* "If an existing entry conflicts with a new one (same index but different terms), delete
     * the existing entry and all that follow it": and only then. A message that was overtaken
     * by a longer one must not cut what that one brought. */
    while (i < append->count && index + 1 <= log->last &&
           (index + 1 <= raft->commit ||
            raft_log_term(log, index + 1) == append->entries[i].term)) {
        index++;
        i++;
    }
    if (i == append->count || raft->is_without_room) {
        return index;
    }
    if (index < log->last) {
        raft__configuration_roll_back(raft, index + 1);
        if (raft->role == RAFT_STOPPED) {
            return index;
        }
        raft_log_truncate(log, index + 1);
        raft__persist(raft, (struct raft_persist){
                                .kind = RAFT_PERSIST_TRUNCATE,
                                .index = index + 1,
                            });
    }
    raft_index first = index + 1;
    while (i < append->count &&
           raft_log_has_room(log, append->entries[i].term, append->entries[i].payload.len) &&
           take_configuration(raft, &append->entries[i])) {
        raft_log_append(log, &append->entries[i]);
        index++;
        i++;
    }
    if (raft->role != RAFT_STOPPED && index >= first) {
        raft__persist_entries(raft, first);
    }
    raft->is_full = i < append->count;
    if (raft->is_full && log->durable == log->last) {
        raft__want_snapshot(raft); /* the disk is not what it waits for */
    }
    return index;
}

/* The disk has caught up with what filled the memory: ask for what was left out. */
void raft__announce_room(struct raft *raft)
{
    raft->is_full = false;
    raft->reject = (struct raft_message){
        .append_reply =
            {
                           .is_rejected = true,
                           .rejected = raft->log.last + 1,
                           .hint_index = raft->log.last,
                           .hint_term = raft_log_last_term(&raft->log),
                           },
    };
    raft->is_reject_due = true;
}

void raft__recv_append(struct raft *raft, const struct raft_message *message)
{
    const struct raft_append *append = &message->append;
    struct raft_log *log = &raft->log;

    if (!is_well_formed(message)) {
        return;
    }
    raft__recv_readmission(raft, message);
    if (append->round > raft->round) {
        raft->round = append->round;
    }
    if (raft->receipt.is_installing) {
        raft->is_ack_due = true; /* the log is about to be replaced: only a sign of life */
        return;
    }
    if (append->prev_index > log->last ||
        (append->prev_index > raft->commit &&
         raft_log_term(log, append->prev_index) != append->prev_term)) {
        reject(raft, message);
        return;
    }
    raft_index last = log->last;
    raft_index known = take_entries(raft, append);
    if (raft->role == RAFT_STOPPED) {
        return;
    }
    /* Only what this message proved: the log may go on with leftovers that the leader never
     * looked at. */
    if (known > raft->verified) {
        raft->verified = known;
    }
    if (min_index(append->commit, raft->verified) > raft->commit) {
        raft->commit = min_index(append->commit, raft->verified);
    }
    /* New entries are acknowledged when they are on disk. */
    if (log->last == last || log->durable >= known) {
        raft->is_ack_due = true;
    }
}

void raft__flush_ack(struct raft *raft)
{
    if (!raft->is_ack_due && !raft->is_reject_due) {
        return;
    }
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0) {
        raft->is_ack_due = false;
        raft->is_reject_due = false;
        return;
    }
    if (!raft__is_hard_stored(raft)) {
        return; /* the term that the answer is made in is not on disk yet */
    }
    struct raft_message *reply = raft__send(raft, RAFT_APPEND_REPLY, raft->leader);
    if (raft->is_reject_due) {
        reply->append_reply = raft->reject.append_reply;
    }
    reply->append_reply.match = min_index(raft->log.durable, raft->verified);
    reply->append_reply.seen = raft->verified;
    reply->append_reply.round = raft->round;
    raft->is_ack_due = false;
    raft->is_reject_due = false;
}
