#include <string.h>

#include "base/assert.h"
#include "member/member.h"

/* Any bytes as a datagram to a member among four: nothing breaks, what was read is written as a
 * message that reads the same, and whoever is addressed takes it, twice, and lives on. */

enum { MEMBERS = 4, LIFE_MS = 8000, TICKS_MAX = 1000 };

static struct member member;
static struct member_effects effects;

static void step(enum member_event_kind kind, member_id peer, struct slice bytes,
                 uint64_t now_ms)
{
    struct member_event event = {.kind = kind, .peer = peer, .bytes = bytes};
    member_step(&member, &event, now_ms, &effects);
    for (uint32_t i = 0; i < effects.send_count; i++) {
        struct member_message message;
        struct slice sent = slice_from(effects.sends[i].bytes, effects.sends[i].len);
        ASSERT(member_message_decode(sent, &message) == OK);
        ASSERT(message.to == effects.sends[i].to && message.from == 1);
    }
}

static void receive(struct slice bytes)
{
    struct member_options options;
    uint64_t now_ms = 1000;

    member_options_default(&options);
    options.id = 1;
    options.boot = 1;
    options.seed = 1;
    member_init(&member, &options, now_ms);
    for (member_id id = 2; id <= MEMBERS; id++) {
        step(MEMBER_ADD, id, SLICE_NONE, now_ms);
    }
    step(MEMBER_RECEIVED, 0, bytes, now_ms + 1);
    step(MEMBER_RECEIVED, 0, bytes, now_ms + 2);
    for (uint32_t i = 0; i < TICKS_MAX && now_ms < LIFE_MS; i++) {
        uint64_t deadline = member_deadline_ms(&member);
        now_ms = deadline > now_ms ? deadline : now_ms + 1;
        step(MEMBER_TICK, 0, SLICE_NONE, now_ms);
    }
    ASSERT(now_ms >= LIFE_MS);
    member_fini(&member);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct member_message message;
    static struct member_message again;
    uint8_t first[MEMBER_DATAGRAM_BYTES_MAX];
    uint8_t second[MEMBER_DATAGRAM_BYTES_MAX];
    uint32_t bytes = MEMBER_HEADER_BYTES_MAX;

    if (member_message_decode(slice_from(data, len), &message) != OK) {
        return 0;
    }
    for (uint32_t i = 0; i < message.claim_count; i++) {
        bytes += member_claim_bytes(&message.claims[i]);
    }
    if (bytes <= MEMBER_DATAGRAM_BYTES_MAX) {
        uint32_t written = member_message_encode(&message, first);
        ASSERT(member_message_decode(slice_from(first, written), &again) == OK);
        ASSERT(member_message_encode(&again, second) == written);
        ASSERT(memcmp(first, second, written) == 0);
    }
    receive(slice_from(data, len));
    return 0;
}
