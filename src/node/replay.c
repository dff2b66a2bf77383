/* Entries of the log at start: gathered, looked at side by side, and applied in their order. */
#include "base/assert.h"
#include "enrol/prefetch.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"

/* Side by side, the cache misses of a group take little longer than those of one. A hint that
 * an earlier entry of the group has made stale is checked like any other. */
static void prefetch(const struct shard *shard, struct enrol_entry *entries)
{
    const struct node *node = shard->node;
    struct enrol_ahead ahead[ENROL_PREFETCH_MAX];
    struct enrol_entry *of[ENROL_PREFETCH_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < node->replay_count; i++) {
        if (node->replayed[i].shard == shard &&
            entries[i].method == CARILLON__METHOD__METHOD_SUBMIT) {
            of[count] = &entries[i];
            ahead[count++] =
                (struct enrol_ahead){.key = entries[i].key, .body = entries[i].body};
        }
    }
    enrol_prefetch(shard->enrol, ahead, count);
    for (size_t i = 0; i < count; i++) {
        of[i]->hint = ahead[i].hint;
    }
}

void node__replay_flush(struct node *node)
{
    struct enrol_entry entries[NODE_GATHER_MAX];

    for (uint32_t i = 0; i < node->replay_count; i++) {
        const struct replayed *from = &node->replayed[i];

        node__entry_decode(from->index, from->term,
                           slice_sub(buf_slice(&node->gather), from->at, from->len),
                           &entries[i]);
    }
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].gathered_count > 0) {
            prefetch(&node->shards[i], entries);
            node->shards[i].gathered_count = 0;
        }
    }
    for (uint32_t i = 0; i < node->replay_count; i++) {
        node__entry_apply(node->replayed[i].shard, &entries[i]);
    }
    node->replay_count = 0;
    buf_clear(&node->gather);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        audit_bound(node->shards[i].audit);
    }
}

void node__replay(struct shard *shard, uint64_t index, uint64_t term, struct slice payload)
{
    struct node *node = shard->node;
    struct enrol_entry entry;

    if (node->replay_count == NODE_GATHER_MAX ||
        node->gather.len + payload.len > NODE_GATHER_BYTES) {
        node__replay_flush(node);
    }
    if (payload.len > NODE_GATHER_BYTES) {
        node__entry_decode(index, term, payload, &entry); /* too large to be kept */
        node__entry_apply(shard, &entry);
        return;
    }
    node->replayed[node->replay_count++] =
        (struct replayed){shard, index, term, (uint32_t)node->gather.len, (uint32_t)payload.len};
    int rc = buf_append_slice(&node->gather, payload);
    ASSERT(rc == OK); /* there was room */
    shard->gathered_count++;
}
