#include "raft/raft_private.h"

/* The log's records, read back in order, become the member's state again: docs/spec/raft.md
 * section 5. The snapshot came first. Records that it covers say nothing new, but they tell
 * whether the entries behind it follow it: when power failed between the snapshot's becoming
 * durable and the records after it, the log may hold entries that contradict it. */

static int restore_configuration(struct raft *raft, raft_index index, struct slice payload)
{
    struct raft_configuration next;

    if (raft_configuration_decode(payload, index, &next) != OK) {
        return ERR_DAMAGED;
    }
    raft->configuration_before = raft->configuration;
    raft->configuration = next;
    return OK;
}

static int restore_entry(struct raft *raft, raft_index index, const struct raft_entry *entry)
{
    struct raft_log *log = &raft->log;

    if (index <= raft->snapshot.index) {
        raft->is_connected =
            index == raft->snapshot.index && entry->term == raft->snapshot.term;
        raft->is_leftover = raft->is_leftover && !raft->is_connected;
        return OK;
    }
    /* The first record that was not recycled may be an entry that was cut off later. */
    if (log->last == raft->snapshot.index && entry->term < raft->snapshot.term) {
        raft->is_connected = false;
    }
    if (!raft->is_connected) {
        raft->is_leftover = true;
        return OK;
    }
    raft_log_trim(log, raft->applied + 1);
    if (index != log->last + 1 || entry->term < raft_log_last_term(log)) {
        return ERR_DAMAGED;
    }
    if (!raft_log_has_room(log, entry->term, entry->payload.len)) {
        return ERR_FULL; /* more changes of term than the options allow */
    }
    if (entry->kind == RAFT_ENTRY_CONFIGURATION &&
        restore_configuration(raft, index, entry->payload) != OK) {
        return ERR_DAMAGED;
    }
    raft_log_append(log, entry);
    raft_log_at(log, index)->sequence = 0;
    log->durable = log->last;
    return OK;
}

/* An entry that gives others a vote counts by the configuration that it begins. */
bool raft_is_alone(const struct raft *raft, const struct raft_entry *entry)
{
    struct raft_configuration next = raft->configuration;

    if (entry->kind == RAFT_ENTRY_CONFIGURATION &&
        raft_configuration_decode(entry->payload, 0, &next) != OK) {
        return false;
    }
    return !raft->is_refilling && raft->is_connected && raft->applied == raft->log.last &&
           raft__is_voter(raft) && raft_configuration_voters(&raft->configuration) == 1 &&
           raft_configuration_voters(&next) == 1;
}

/* It need not be in memory: it will not be applied again, and a member that lags gets it from
 * the disk. */
int raft_restore_applied(struct raft *raft, raft_index index, const struct raft_entry *entry)
{
    struct raft_log *log = &raft->log;

    ASSERT(raft_is_alone(raft, entry));
    if (index != log->last + 1 || entry->term < raft_log_last_term(log)) {
        return ERR_DAMAGED;
    }
    if (!raft_log_append_absent(log, entry->term)) {
        return ERR_FULL;
    }
    raft->commit = index;
    raft->applied = index;
    if (entry->kind == RAFT_ENTRY_CONFIGURATION) {
        int status = restore_configuration(raft, index, entry->payload);

        raft->configuration_applied = raft->configuration;
        return status;
    }
    return OK;
}

static int restore_truncation(struct raft *raft, raft_index index)
{
    struct raft_log *log = &raft->log;

    if (index <= raft->snapshot.index + 1) {
        raft->is_leftover = false;
    }
    if (index <= raft->snapshot.index) {
        raft_log_reset(log, raft->snapshot.index, raft->snapshot.term);
        raft->configuration = raft->snapshot.configuration;
        raft->configuration_before = raft->snapshot.configuration;
        raft->is_connected = false;
        return OK;
    }
    if (index > log->last) {
        return OK;
    }
    if (index <= raft->applied) {
        return ERR_DAMAGED; /* committed entries are never void */
    }
    if (raft->configuration.index >= index) {
        if (raft->configuration_before.index >= index) {
            return ERR_DAMAGED;
        }
        raft->configuration = raft->configuration_before;
    }
    raft_log_truncate(log, index);
    return OK;
}

static int restore_mark(struct raft *raft, raft_index index)
{
    if (index > raft->snapshot.index) {
        return ERR_DAMAGED; /* a snapshot that was durable is missing */
    }
    if (index == raft->snapshot.index) {
        raft->is_connected = true;
        raft->is_leftover = false;
    }
    raft->mark = index;
    return OK;
}

int raft_restore(struct raft *raft, const struct raft_persist *record)
{
    switch (record->kind) {
    case RAFT_PERSIST_HARD:
        raft->term = record->term;
        raft->vote = record->vote;
        return OK;
    case RAFT_PERSIST_TRUNCATE:
        return restore_truncation(raft, record->index);
    case RAFT_PERSIST_MARK:
        return restore_mark(raft, record->index);
    case RAFT_PERSIST_ENTRIES:
        for (uint32_t i = 0; i < record->count; i++) {
            int status = restore_entry(raft, record->index + i, &record->entries[i]);
            if (status != OK) {
                return status;
            }
        }
        return OK;
    }
    return ERR_DAMAGED;
}

void raft_start(struct raft *raft, uint64_t now_ms)
{
    raft_term last_term = raft_log_last_term(&raft->log);

    if (raft->term < last_term) {
        raft->term = last_term;
        raft->vote = 0;
    }
    raft->is_repair_due =
        !raft->is_connected || raft->is_leftover || raft->mark != raft->snapshot.index;
    raft->now_ms = now_ms;
    raft__reset_election(raft);
    /* Alone there is nobody to wait for. */
    if (raft__is_voter(raft) && raft_configuration_voters(&raft->configuration) == 1) {
        raft->election_ms = now_ms;
    }
}

/* Entries that do not follow the snapshot are voided before others take their place, and the
 * mark lets a later start see that those do follow it. */
void raft__repair(struct raft *raft)
{
    raft->is_repair_due = false;
    ASSERT(!raft->is_leftover || raft->log.last == raft->snapshot.index);
    if (raft->is_leftover) {
        raft__persist(raft, (struct raft_persist){
                                .kind = RAFT_PERSIST_TRUNCATE,
                                .index = raft->snapshot.index + 1,
                            });
    }
    raft__put_mark(raft);
}
