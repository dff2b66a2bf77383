#include "raft/raft_private.h"

struct raft_message *raft__send(struct raft *raft, enum raft_message_type type, raft_id to)
{
    struct raft_effects *out = raft->out;

    ASSERT(out->send_count < RAFT_SENDS_MAX);
    ASSERT(to != raft->options.id);
    struct raft_message *message = &out->sends[out->send_count++];
    *message = (struct raft_message){
        .type = type,
        .from = raft->options.id,
        .to = to,
        .term = raft->term,
        .refill = raft->options.refill,
        .is_refilling = raft->is_refilling,
    };
    return message;
}

void raft__persist(struct raft *raft, struct raft_persist record)
{
    struct raft_effects *out = raft->out;

    ASSERT(out->persist_count < RAFT_PERSISTS_MAX);
    if (raft->stored == raft->sequence) {
        raft->waiting_ms = raft->now_ms;
    }
    record.sequence = ++raft->sequence;
    out->persists[out->persist_count++] = record;
}

void raft__persist_entries(struct raft *raft, raft_index from)
{
    struct raft_log *log = &raft->log;

    ASSERT(raft_log_has(log, from));
    for (raft_index i = from; i <= log->last; i++) {
        raft_log_at(log, i)->sequence = raft->sequence + 1;
    }
    raft__persist(raft, (struct raft_persist){
                            .kind = RAFT_PERSIST_ENTRIES,
                            .index = from,
                            .entries = raft_log_at(log, from),
                            .count = (uint32_t)(log->last - from + 1),
                        });
}

void raft__request(struct raft *raft, struct raft_request request)
{
    struct raft_effects *out = raft->out;

    ASSERT(out->request_count < RAFT_REQUESTS_MAX);
    out->requests[out->request_count++] = request;
}

void raft__reply(struct raft *raft, enum raft_reply_kind kind, enum raft_outcome outcome,
                 uint64_t token)
{
    struct raft_effects *out = raft->out;

    ASSERT(out->reply_count < RAFT_REPLIES_MAX);
    out->replies[out->reply_count++] = (struct raft_reply){
        .kind = kind,
        .outcome = outcome,
        .token = token,
        .term = raft->term,
        .leader = raft->leader,
    };
}

void raft__stop(struct raft *raft, const char *text)
{
    struct raft_effects *out = raft->out;

    if (raft->role == RAFT_STOPPED) {
        return;
    }
    raft__transfer_end(raft, RAFT_LOST);
    raft__reads_fail(raft);
    raft->role = RAFT_STOPPED;
    raft->leader = 0;
    /* Nothing that this step wanted to say may be relied on any more. */
    out->persist_count = 0;
    out->request_count = 0;
    out->send_count = 0;
    out->apply_count = 0;
    raft__reply(raft, RAFT_REPLY_STOPPED, RAFT_LOST, 0);
    out->replies[out->reply_count - 1].text = text;
}
