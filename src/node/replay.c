/* Entries that come in numbers: the log's at start, gathered, looked at side by side, and
 * applied in their order; and a leader's, before they are applied. */
#include "base/assert.h"
#include "enrol/prefetch.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"

_Static_assert((int)ENGINE_AHEAD_MAX <= (int)ENROL_PREFETCH_MAX, "looked at in one go");

static struct enrol_ahead ahead_of(const struct enrol_entry *entry)
{
    return (struct enrol_ahead){
        .method = entry->method, .key = entry->key, .body = entry->body};
}

/* Side by side, the cache misses of a group take little longer than those of one. A hint that
 * an earlier entry of the group has made stale is checked like any other. */
static void prefetch(const struct shard *shard, struct enrol_entry *entries,
                     uint32_t entry_count)
{
    const struct node *node = shard->node;
    struct enrol_ahead ahead[ENROL_PREFETCH_MAX];
    struct enrol_entry *of[ENROL_PREFETCH_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < entry_count; i++) {
        if (node->replayed[i].shard == shard && enrol_is_prefetched(entries[i].method)) {
            of[count] = &entries[i];
            ahead[count++] = ahead_of(&entries[i]);
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
    uint32_t count = node->replay_count;

    for (uint32_t i = 0; i < count; i++) {
        const struct replayed *from = &node->replayed[i];

        node__entry_decode(from->index, from->term,
                           slice_sub(buf_slice(&node->gather), from->at, from->len),
                           &entries[i]);
    }
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].gathered_count > 0) {
            prefetch(&node->shards[i], entries, count);
            node->shards[i].gathered_count = 0;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
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
    node->replayed[node->replay_count++] = (struct replayed){
        shard, index, term, (uint32_t)node->gather.len, (uint32_t)payload.len};
    int rc = buf_append_slice(&node->gather, payload);
    ASSERT(rc == OK); /* there was room */
    shard->gathered_count++;
}

/* ---- entries of others ---- */

void node__ahead(void *context, uint32_t group, uint64_t index, const struct slice *payloads,
                 uint32_t count)
{
    struct node *node = context;
    const struct shard *shard =
        group == NODE_GROUP_META ? NULL : node__shard_of_group(node, group);
    struct enrol_ahead ahead[ENGINE_AHEAD_MAX];
    uint32_t places[ENGINE_AHEAD_MAX];
    bool is_admitted = shard != NULL && shard->pending_first != shard->pending_last;
    uint32_t looked = 0;

    node->ahead.count = 0;
    if (shard == NULL || (is_admitted && node->shard_count == 1)) {
        return; /* what was admitted here was looked at then */
    }
    for (uint32_t i = 0; i < count; i++) {
        struct enrol_entry entry;

        node->ahead.hints[i] = ENROL_HINT_NONE;
        if (payloads[i].len > 0) {
            node__entry_decode(index + i, 0, payloads[i], &entry);
            bool was_looked_at =
                is_admitted && entry.method == CARILLON__METHOD__METHOD_SUBMIT;

            if (enrol_is_prefetched(entry.method) && !was_looked_at) {
                places[looked] = i;
                ahead[looked++] = ahead_of(&entry);
            }
        }
    }
    enrol_prefetch(shard->enrol, ahead, looked);
    for (uint32_t i = 0; i < looked; i++) {
        node->ahead.hints[places[i]] = ahead[i].hint;
    }
    node->ahead.shard = shard;
    node->ahead.index = index;
    node->ahead.count = count;
}

struct enrol_hint node__ahead_hint(const struct shard *shard, uint64_t index)
{
    const struct node_ahead *ahead = &shard->node->ahead;
    bool is_known =
        ahead->shard == shard && index >= ahead->index && index - ahead->index < ahead->count;

    return is_known ? ahead->hints[index - ahead->index] : ENROL_HINT_NONE;
}
