#include "tests/lib/member_bed.h"

#include <stdlib.h>

#include "base/assert.h"

enum { FIRST_INCARNATION_BITS = 32, SETTLE_MS = 3000 };

struct member_bed *member_bed_create(uint32_t members)
{
    struct member_bed *bed = calloc(1, sizeof *bed);
    struct member_options options;

    ASSERT(bed != NULL);
    bed->members = members;
    bed->now_ms = MEMBER_BED_BEGIN_MS;
    member_options_default(&options);
    options.id = 1;
    options.boot = 1;
    options.seed = 7;
    member_init(&bed->member, &options, bed->now_ms);
    for (uint32_t id = 1; id <= members; id++) {
        member_bed_say(bed, MEMBER_ADD, id);
    }
    for (uint32_t id = 2; id <= members; id++) {
        member_bed_hear(bed, MEMBER_GOSSIP, id, 0, NULL);
    }
    member_bed_pass(bed, SETTLE_MS);
    member_bed_forget(bed);
    return bed;
}

void member_bed_destroy(struct member_bed *bed)
{
    member_fini(&bed->member);
    free(bed);
}

void member_bed_forget(struct member_bed *bed)
{
    bed->sent_count = 0;
    bed->answered = 0;
    bed->change_count = 0;
}

/* The others' answers to one message. */
static void answer(struct member_bed *bed, const struct member_message *message)
{
    if (bed->is_silent[message->to]) {
        return;
    }
    if (message->type == MEMBER_PING && message->sequence != 0 && !bed->is_deaf[message->to]) {
        member_bed_hear(bed, MEMBER_ACK, message->to, message->sequence, NULL);
    } else if (message->type == MEMBER_PING_REQ) {
        bool has_answer = !bed->is_silent[message->target] && !bed->is_deaf[message->target];
        member_bed_hear(bed, has_answer ? MEMBER_ACK : MEMBER_NACK, message->to,
                        message->sequence, NULL);
    }
}

void member_bed_step(struct member_bed *bed, const struct member_event *event)
{
    member_step(&bed->member, event, bed->now_ms, &bed->effects);
    for (uint32_t i = 0; i < bed->effects.send_count; i++) {
        const struct member_send *send = &bed->effects.sends[i];
        ASSERT(bed->sent_count < MEMBER_BED_SENT_MAX);
        struct member_bed_sent *sent = &bed->sent[bed->sent_count++];
        sent->at_ms = bed->now_ms;
        sent->bytes = send->len;
        int status = member_message_decode(slice_from(send->bytes, send->len), &sent->message);
        ASSERT(status == OK && sent->message.to == send->to);
    }
    for (uint32_t i = 0; i < bed->effects.change_count; i++) {
        ASSERT(bed->change_count < MEMBER_CHANGES_MAX);
        bed->changes[bed->change_count++] = bed->effects.changes[i];
    }
    while (bed->answered < bed->sent_count) {
        bed->answered++;
        struct member_message message = bed->sent[bed->answered - 1].message;
        answer(bed, &message);
    }
}

void member_bed_say(struct member_bed *bed, enum member_event_kind kind, member_id peer)
{
    struct member_event event = {.kind = kind, .peer = peer};
    member_bed_step(bed, &event);
}

void member_bed_pass(struct member_bed *bed, uint64_t ms)
{
    uint64_t until = bed->now_ms + ms;

    for (;;) {
        uint64_t deadline = member_deadline_ms(&bed->member);
        if (deadline > until) {
            break;
        }
        bed->now_ms = deadline > bed->now_ms ? deadline : bed->now_ms;
        member_bed_say(bed, MEMBER_TICK, 0);
    }
    bed->now_ms = until;
}

void member_bed_hear(struct member_bed *bed, enum member_message_type type, member_id from,
                     uint32_t sequence, const struct member_claim *claim)
{
    struct member_message message = {
        .type = type,
        .from = from,
        .to = 1,
        .incarnation = (member_incarnation)1 << FIRST_INCARNATION_BITS,
        .sequence = sequence,
        .is_reply_wanted = type == MEMBER_SYNC,
    };
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];

    if (claim != NULL) {
        message.claims[message.claim_count++] = *claim;
    }
    uint32_t len = member_message_encode(&message, bytes);
    struct member_event event = {.kind = MEMBER_RECEIVED, .bytes = slice_from(bytes, len)};
    member_bed_step(bed, &event);
}

void member_bed_claim(struct member_bed *bed, member_id from, member_id of,
                      enum member_state state, member_incarnation incarnation)
{
    struct member_claim claim = {.id = of, .incarnation = incarnation, .state = state};
    member_bed_hear(bed, MEMBER_GOSSIP, from, 0, &claim);
}

struct member_peer member_bed_peer(const struct member_bed *bed, member_id id)
{
    struct member_peer peer = {0};
    int status = member_find(&bed->member, id, &peer);
    ASSERT(status == OK);
    return peer;
}

uint32_t member_bed_count(const struct member_bed *bed, enum member_message_type type,
                          member_id to)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < bed->sent_count; i++) {
        const struct member_message *message = &bed->sent[i].message;
        count += (type == 0 || message->type == type) && (to == 0 || message->to == to);
    }
    return count;
}

static bool has_claim(const struct member_message *message, member_id of,
                      enum member_state state)
{
    for (uint32_t i = 0; i < message->claim_count; i++) {
        const struct member_claim *claim = &message->claims[i];
        if (claim->id == of && (state == 0 || claim->state == state)) {
            return true;
        }
    }
    return false;
}

uint32_t member_bed_count_claims(const struct member_bed *bed, member_id of,
                                 enum member_state state)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < bed->sent_count; i++) {
        count += has_claim(&bed->sent[i].message, of, state);
    }
    return count;
}

uint32_t member_bed_told(const struct member_bed *bed, enum member_change_kind kind,
                         member_id of, enum member_state state)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < bed->change_count; i++) {
        const struct member_change *change = &bed->changes[i];
        count += change->kind == kind && change->id == of && change->state == state;
    }
    return count;
}
