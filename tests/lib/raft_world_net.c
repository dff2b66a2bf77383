#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/raft_world.h"

/* The network loses, repeats, delays, reorders and cuts, in one direction or both. */

enum { WIRE_EVERY = 16, WIRE_BYTES_MAX = 1 << 16 }; /* seeds that check it; bytes */

static const char *const type_names[RAFT_MESSAGE_NR] = {
    [RAFT_VOTE] = "vote",
    [RAFT_VOTE_REPLY] = "vote-reply",
    [RAFT_APPEND] = "append",
    [RAFT_APPEND_REPLY] = "append-reply",
    [RAFT_SNAPSHOT] = "snapshot",
    [RAFT_SNAPSHOT_REPLY] = "snapshot-reply",
    [RAFT_TIMEOUT_NOW] = "timeout-now",
};

static void trace(struct world *world, const char *what, const struct raft_message *message)
{
    if (!world->is_traced) {
        return;
    }
    char text[160] = "";
    switch (message->type) {
    case RAFT_VOTE:
        (void)snprintf(text, sizeof text, "%slast %" PRIu64 " of term %" PRIu64,
                       message->vote.is_pre ? "pre " : "", message->vote.last_index,
                       message->vote.last_term);
        break;
    case RAFT_VOTE_REPLY:
        (void)snprintf(text, sizeof text, "%s%s", message->vote_reply.is_pre ? "pre " : "",
                       message->vote_reply.is_granted ? "granted" : "refused");
        break;
    case RAFT_APPEND:
        (void)snprintf(
            text, sizeof text,
            "%u after %" PRIu64 " of term %" PRIu64 ", commit %" PRIu64 ", round %" PRIu64,
            message->append.count, message->append.prev_index, message->append.prev_term,
            message->append.commit, message->append.round);
        break;
    case RAFT_APPEND_REPLY:
        (void)snprintf(text, sizeof text,
                       "%s match %" PRIu64 " seen %" PRIu64 " hint %" PRIu64 " of %" PRIu64
                       ", round %" PRIu64,
                       message->append_reply.is_rejected ? "rejected" : "ok",
                       message->append_reply.match, message->append_reply.seen,
                       message->append_reply.hint_index, message->append_reply.hint_term,
                       message->append_reply.round);
        break;
    case RAFT_SNAPSHOT:
        (void)snprintf(text, sizeof text, "at %" PRIu64 " offset %" PRIu64 "%s",
                       message->snapshot.snapshot->index, message->snapshot.offset,
                       message->snapshot.is_last ? " last" : "");
        break;
    case RAFT_SNAPSHOT_REPLY:
        (void)snprintf(text, sizeof text, "at %" PRIu64 " offset %" PRIu64 "%s",
                       message->snapshot_reply.index, message->snapshot_reply.offset,
                       message->snapshot_reply.is_complete ? " complete" : "");
        break;
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_NR:
        break;
    }
    world_trace(world, "n%u -> n%u %s term %" PRIu64 " %s %s", (unsigned)message->from,
                (unsigned)message->to, what, message->term, type_names[message->type], text);
}

static void post(struct world *world, const struct raft_message *message)
{
    struct world_packet *packet = world_packet_take(world);
    uint64_t delay = 1 + rng_below(&world->rng, 4);

    packet->message = *message;
    if (message->type == RAFT_APPEND) {
        for (uint32_t i = 0; i < message->append.count && i < WORLD_APPEND_MAX; i++) {
            raft_index index = message->append.prev_index + 1 + i;
            const struct world_entry *entry =
                world_entry_find(world, index, message->append.entries[i].term);
            if (entry == NULL) {
                world_fail(world, "n%u sends an entry nobody made", (unsigned)message->from);
                return;
            }
            packet->entries[i] = entry->entry;
        }
        packet->message.append.entries = packet->entries;
    } else if (message->type == RAFT_SNAPSHOT) {
        packet->snapshot = *message->snapshot.snapshot;
        memcpy(packet->data, message->snapshot.data.data, message->snapshot.data.len);
        packet->message.snapshot.snapshot = &packet->snapshot;
        packet->message.snapshot.data.data = packet->data;
    }
    if (!world->is_healed && rng_chance(&world->rng, world->faults.delay_ppm)) {
        world_mark(world, WORLD_DELAYED);
        delay += rng_below(&world->rng, world->faults.delay_ms);
    }
    world_post(world, delay, WORLD_PACKET, (uint32_t)message->to - 1, 0, packet);
}

/* Every message survives the wire: what is read back is written as the same bytes. */
static void check_wire(struct world *world, const struct raft_message *message)
{
    struct raft_entry entries[WORLD_APPEND_MAX];
    struct raft_message_space space = {.entries = entries, .entries_max = WORLD_APPEND_MAX};
    struct raft_message read;
    struct buf first;
    struct buf second;

    buf_init(&first, WIRE_BYTES_MAX);
    buf_init(&second, WIRE_BYTES_MAX);
    if (raft_message_encode(message, &first) != OK ||
        raft_message_decode(buf_slice(&first), &space, &read) != OK ||
        raft_message_encode(&read, &second) != OK ||
        !slice_is_equal(buf_slice(&first), buf_slice(&second))) {
        world_fail(world, "a message of type %d does not survive the wire", (int)message->type);
    }
    buf_fini(&first);
    buf_fini(&second);
}

void world_send(struct world *world, const struct raft_message *message)
{
    if (world->seed % WIRE_EVERY == 0) {
        check_wire(world, message);
    }
    world_mix(world, message->type, message->from << 8 | message->to, message->term);
    if (world->cut[message->from - 1][message->to - 1]) {
        trace(world, "cut", message);
        return;
    }
    if (!world->is_healed && rng_chance(&world->rng, world->faults.loss_ppm)) {
        world_mark(world, WORLD_LOST);
        trace(world, "lost", message);
        return;
    }
    trace(world, "", message);
    post(world, message);
    if (!world->is_healed && rng_chance(&world->rng, world->faults.duplicate_ppm)) {
        world_mark(world, WORLD_DUPLICATED);
        post(world, message);
    }
}

void world_deliver(struct world *world, uint32_t at, struct world_packet *packet)
{
    const struct raft_message *message = &packet->message;
    const struct raft_receipt *receipt = &world->node[at].raft.receipt;

    if (world->cut[message->from - 1][at]) {
        return;
    }
    if (message->type == RAFT_SNAPSHOT && receipt->is_active && !receipt->is_writing &&
        receipt->offset > 0 && message->snapshot.offset < receipt->offset &&
        receipt->snapshot.index == packet->snapshot.index) {
        world_mark(world, WORLD_SNAPSHOT_RESUMED);
    }
    struct raft_event event = {.kind = RAFT_RECEIVED, .message = message};
    world_step(world, at, &event);
}
