#include "raft/raft_private.h"

/* Linearizable reads without a clock (Ongaro, section 6.4): a read asked now may be answered
 * from a state that holds everything committed now, once a majority has answered a heartbeat
 * begun after it was asked, so that no newer leader had been elected by then. Reads that come
 * while a round of heartbeats is under way share the next one. */

uint64_t raft__quorum_round(const struct raft *raft)
{
    uint64_t sorted[RAFT_MEMBERS_MAX]; /* descending */
    uint32_t count = 0;

    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        if (!member->is_voter) {
            continue;
        }
        uint64_t round = member->id == raft->options.id ? raft->round
                         : raft__counts(raft, i)        ? raft->progress[i].round
                                                        : 0;
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < round; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = round;
    }
    return sorted[raft_configuration_quorum(&raft->configuration) - 1];
}

static void begin_round(struct raft *raft)
{
    raft->round++;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft->progress[i].is_due = true;
    }
}

void raft__on_read_asked(struct raft *raft, const struct raft_event *event)
{
    if (raft->role != RAFT_LEADER || raft->read_count == RAFT_READS_MAX) {
        raft__reply(raft, RAFT_REPLY_READ,
                    raft->role != RAFT_LEADER ? RAFT_NOT_LEADER : RAFT_BUSY, event->token);
        return;
    }
    bool is_under_way = raft->round_confirmed < raft->round;
    if (!is_under_way) {
        begin_round(raft);
    }
    raft->reads[raft->read_count++] = (struct raft_read){
        .token = event->token,
        .round = is_under_way ? raft->round + 1 : raft->round,
    };
}

void raft__reads_advance(struct raft *raft)
{
    uint32_t done = 0;

    raft->round_confirmed = raft__quorum_round(raft);
    /* Until an entry of its own term is committed a leader does not know what is. */
    if (raft_log_term(&raft->log, raft->commit) == raft->term) {
        for (uint32_t i = 0; i < raft->read_count; i++) {
            if (raft->reads[i].index == 0) {
                raft->reads[i].index = raft->commit;
            }
        }
    }
    while (done < raft->read_count && raft->reads[done].index != 0 &&
           raft->reads[done].index <= raft->applied &&
           raft->reads[done].round <= raft->round_confirmed) {
        raft__reply(raft, RAFT_REPLY_READ, RAFT_DONE, raft->reads[done].token);
        raft->out->replies[raft->out->reply_count - 1].index = raft->reads[done].index;
        done++;
    }
    raft->read_count -= done;
    memmove(raft->reads, raft->reads + done, raft->read_count * sizeof raft->reads[0]);
    if (raft->read_count > 0 && raft->reads[raft->read_count - 1].round > raft->round &&
        raft->round_confirmed == raft->round) {
        begin_round(raft);
    }
}

void raft__reads_fail(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->read_count; i++) {
        raft__reply(raft, RAFT_REPLY_READ, RAFT_NOT_LEADER, raft->reads[i].token);
    }
    raft->read_count = 0;
}
