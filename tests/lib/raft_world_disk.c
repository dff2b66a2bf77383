#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/raft_world.h"

/* The disk of a member: its log as a list of records, written batch by batch as log/ does it,
 * and its snapshot file. A crash keeps what is durable, and of the batch under way a beginning
 * of any length: recovery drops what follows the first record that is missing. */

static void push(struct world *world, uint32_t at, const struct world_record *record)
{
    struct world_node *node = &world->node[at];

    if (node->record_count == node->record_cap) {
        node->record_cap = node->record_cap == 0 ? 256 : node->record_cap * 2;
        node->records = realloc(node->records, node->record_cap * sizeof node->records[0]);
        ASSERT(node->records != NULL);
    }
    node->records[node->record_count++] = *record;
}

bool world_disk_append(struct world *world, uint32_t at, const struct raft_persist *persist)
{
    struct world_record record = {
        .kind = persist->kind,
        .sequence = persist->sequence,
        .index = persist->index,
        .term = persist->term,
        .vote = persist->vote,
    };

    if (persist->kind != RAFT_PERSIST_ENTRIES) {
        push(world, at, &record);
        return true;
    }
    for (uint32_t i = 0; i < persist->count; i++) {
        record.index = persist->index + i;
        record.entry = world_entry_find(world, record.index, persist->entries[i].term);
        if (record.entry == NULL) {
            return false;
        }
        push(world, at, &record);
    }
    return true;
}

/* A record is on disk: what a restart would find now. */
static void settle(struct world *world, uint32_t at, const struct world_record *record)
{
    struct world_node *node = &world->node[at];

    switch (record->kind) {
    case RAFT_PERSIST_HARD:
        node->hard_term = record->term;
        node->hard_vote = record->vote;
        break;
    case RAFT_PERSIST_TRUNCATE:
        if (record->index <= node->durable_last) {
            node->durable_last = record->index - 1;
        }
        break;
    case RAFT_PERSIST_MARK:
        if (record->index > node->durable_last) {
            node->durable_last = record->index;
            node->durable[record->index] = world_entry_find(world, record->index, record->term);
        }
        break;
    case RAFT_PERSIST_ENTRIES:
        node->durable[record->index] = record->entry;
        node->durable_last = record->index;
        break;
    }
}

/* Records in front that say nothing any more, as recycling a segment drops them. The newest
 * hard state is kept: the log copies it. */
static void recycle(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    uint32_t gone = 0;

    while (gone < node->durable_count && (node->records[gone].kind != RAFT_PERSIST_ENTRIES ||
                                          node->records[gone].index <= node->released)) {
        if (node->records[gone].kind == RAFT_PERSIST_HARD) {
            node->hard_recycled = node->records[gone];
        }
        gone++;
    }
    if (gone == 0) {
        return;
    }
    world_mark(world, WORLD_LOG_RECYCLED);
    node->record_count -= gone;
    node->durable_count -= gone;
    memmove(node->records, node->records + gone, node->record_count * sizeof node->records[0]);
}

void world_disk_kick(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    if (world->is_scripted || node->batch_end != 0 ||
        node->durable_count == node->record_count) {
        return;
    }
    uint64_t delay = rng_below(&world->rng, world->faults.disk_ms + 1);
    if (node->disk_slow_ms > 0) {
        delay += rng_below(&world->rng, node->disk_slow_ms);
    }
    node->batch_end = node->record_count;
    world_post(world, delay, WORLD_DISK, at, node->life, NULL);
}

static void disk_fails(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    struct raft_event event = {.kind = RAFT_DISK_FAILED, .text = "the disk failed"};

    world_mark(world, WORLD_DISK_FAILED);
    world->marks[WORLD_LEADER_DISK_FAILED] += node->raft.role == RAFT_LEADER;
    world_step(world, at, &event);
    if (node->raft.role != RAFT_STOPPED) {
        world_fail(world, "n%u goes on after its disk failed", at + 1);
    }
    if (node->is_up) {
        /* The node ends; whether the batch reached the disk nobody knows. */
        world_crash(world, at);
    }
}

void world_disk_done(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    if (node->disk_fail_in > 0 && --node->disk_fail_in == 0) {
        disk_fails(world, at);
        return;
    }
    while (node->durable_count < node->batch_end) {
        settle(world, at, &node->records[node->durable_count++]);
    }
    struct raft_event event = {
        .kind = RAFT_STORED,
        .sequence = node->records[node->durable_count - 1].sequence,
    };
    node->batch_end = 0;
    if (node->released > 0 && rng_below(&world->rng, 8) == 0 && node->durable_count > 1) {
        recycle(world, at);
    }
    world_step(world, at, &event);
}

/* ---- the snapshot file, and reading the log */

static uint32_t snapshot_bytes(const struct world_snapshot *snapshot)
{
    return 8 + (uint32_t)(snapshot->at.index * 37 % (WORLD_SNAPSHOT_BYTES_MAX - 8));
}

static uint8_t snapshot_byte(const struct world_snapshot *snapshot, uint32_t at)
{
    uint8_t byte = (uint8_t)(snapshot->hash >> (8 * (at % 8)));
    return at < 8 ? byte : (uint8_t)(byte ^ at);
}

/* One after the other, as the bulk lane does it. */
static void post_job(struct world *world, uint32_t at, struct world_packet *packet,
                     enum world_job_kind job, uint64_t delay_ms)
{
    struct world_node *node = &world->node[at];

    if (node->bulk_ms > world->now_ms) {
        delay_ms += node->bulk_ms - world->now_ms;
    }
    node->bulk_ms = world->now_ms + delay_ms;
    packet->job = job;
    world_post(world, delay_ms, WORLD_JOB, at, world->node[at].life, packet);
}

void world_disk_request(struct world *world, uint32_t at, const struct raft_request *request)
{
    static const enum world_job_kind jobs[] = {
        [RAFT_READ_ENTRIES] = WORLD_READ_ENTRIES,
        [RAFT_READ_CHUNK] = WORLD_READ_CHUNK,
        [RAFT_WRITE_CHUNK] = WORLD_WRITE_CHUNK,
        [RAFT_INSTALL] = WORLD_INSTALL,
    };
    struct world_node *node = &world->node[at];

    switch (request->kind) {
    case RAFT_READ_ENTRIES:
    case RAFT_READ_CHUNK:
    case RAFT_WRITE_CHUNK:
    case RAFT_INSTALL: {
        struct world_packet *packet = world_packet_take(world);
        packet->request = *request;
        if (request->snapshot != NULL) {
            packet->snapshot = *request->snapshot;
        }
        if (request->data.len > 0) {
            memcpy(packet->data, request->data.data, request->data.len);
            packet->request.data.data = packet->data;
        }
        post_job(world, at, packet, jobs[request->kind],
                 request->kind == RAFT_INSTALL
                     ? 1 + rng_below(&world->rng, rng_below(&world->rng, 2) ? 60 : 2500)
                     : rng_below(&world->rng, 4));
        return;
    }
    case RAFT_ABANDON:
        world_mark(world, WORLD_SNAPSHOT_ABANDONED);
        return;
    case RAFT_WANT_SNAPSHOT:
        world_snapshot_take(world, at);
        return;
    case RAFT_RELEASE:
        if (request->index > node->released) {
            node->released = request->index;
        }
        if (rng_below(&world->rng, 4) == 0 && node->batch_end == 0) {
            recycle(world, at);
        }
        return;
    }
}

static void read_entries(struct world *world, uint32_t at, struct world_packet *packet)
{
    const struct world_node *node = &world->node[at];
    const struct raft_request *request = &packet->request;
    uint32_t count = 0;

    while (count < request->count && count < WORLD_APPEND_MAX &&
           request->index + count > node->released &&
           request->index + count <= node->durable_last) {
        packet->entries[count] = node->durable[request->index + count]->entry;
        count++;
    }
    world_mark(world, request->peer == 0 ? WORLD_READ_FROM_LOG_TO_APPLY : WORLD_READ_FROM_LOG);
    struct raft_event event = {
        .kind = RAFT_ENTRIES_READ,
        .peer = request->peer,
        .term = request->term,
        .index = request->index,
        .entries = packet->entries,
        .count = count,
    };
    world_step(world, at, &event);
}

static void read_chunk(struct world *world, uint32_t at, struct world_packet *packet)
{
    const struct world_node *node = &world->node[at];
    const struct raft_request *request = &packet->request;
    uint32_t total = snapshot_bytes(&node->snapshot);
    bool is_there = node->snapshot.at.index == request->index && request->offset <= total;
    uint32_t len = 0;

    while (is_there && len < WORLD_CHUNK_BYTES && request->offset + len < total) {
        packet->data[len] = snapshot_byte(&node->snapshot, (uint32_t)request->offset + len);
        len++;
    }
    struct raft_event event = {
        .kind = RAFT_CHUNK_READ,
        .peer = request->peer,
        .term = request->term,
        .index = request->index,
        .offset = request->offset,
        .data = slice_from(packet->data, len),
        .is_last = request->offset + len == total,
        .status = is_there ? OK : ERR_GONE,
    };
    world_step(world, at, &event);
}

static void write_chunk(struct world *world, uint32_t at, struct world_packet *packet)
{
    struct world_node *node = &world->node[at];
    const struct raft_request *request = &packet->request;

    if (request->offset == 0) {
        node->received = 0;
        node->receiving = (struct world_snapshot){.at = packet->snapshot};
    }
    if (node->received == request->offset &&
        request->offset + request->data.len <= WORLD_SNAPSHOT_BYTES_MAX) {
        memcpy(node->receive_bytes + node->received, packet->data, request->data.len);
        node->received += (uint32_t)request->data.len;
    }
    struct raft_event event = {
        .kind = RAFT_CHUNK_WRITTEN,
        .term = request->term,
        .index = request->index,
        .offset = request->offset + request->data.len,
    };
    world_step(world, at, &event);
}

static int check_received(struct world_node *node, raft_index index)
{
    struct world_snapshot *receiving = &node->receiving;

    if (receiving->at.index != index || node->received < 8) {
        return ERR_DAMAGED;
    }
    receiving->hash = 0;
    for (uint32_t i = 0; i < 8; i++) {
        receiving->hash |= (uint64_t)node->receive_bytes[i] << (8 * i);
    }
    for (uint32_t i = 0; i < node->received; i++) {
        if (node->receive_bytes[i] != snapshot_byte(receiving, i)) {
            return ERR_DAMAGED;
        }
    }
    return node->received == snapshot_bytes(receiving) ? OK : ERR_DAMAGED;
}

/* The file becomes the current one at one moment; the member hears of it at a later one. */
static void install(struct world *world, uint32_t at, struct world_packet *packet)
{
    struct world_node *node = &world->node[at];
    struct world_packet *then = world_packet_take(world);

    then->request = packet->request;
    then->status = check_received(node, packet->request.index);
    if (then->status == OK) {
        node->snapshot = node->receiving;
        node->received = 0;
        if (node->raft.term != packet->request.term) {
            world_mark(world, WORLD_INSTALLED_ACROSS_TERMS);
        }
    } else {
        world_fail(world, "n%u received a snapshot at %" PRIu64 " whose bytes do not check",
                   at + 1, packet->request.index);
    }
    post_job(world, at, then, WORLD_INSTALLED, rng_below(&world->rng, 60));
}

void world_snapshot_take(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    if (!node->is_up || node->is_taking || node->applied <= node->snapshot.at.index ||
        node->applied != node->raft.applied) {
        return;
    }
    struct world_packet *packet = world_packet_take(world);
    raft_snapshot_point(&node->raft, &packet->taken.at);
    packet->taken.hash = node->hash;
    node->is_taking = true;
    post_job(world, at, packet, WORLD_TAKE, rng_below(&world->rng, 100));
}

static void take(struct world *world, uint32_t at, struct world_packet *packet)
{
    struct world_node *node = &world->node[at];
    struct world_packet *then = world_packet_take(world);

    then->taken = packet->taken;
    if (packet->taken.at.index > node->snapshot.at.index) {
        node->snapshot = packet->taken;
    }
    post_job(world, at, then, WORLD_TAKEN, rng_below(&world->rng, 60));
}

void world_disk_job(struct world *world, uint32_t at, struct world_packet *packet)
{
    struct world_node *node = &world->node[at];
    struct raft_event event = {
        .index = packet->request.index,
        .term = packet->request.term,
        .status = packet->status,
        .snapshot = &packet->taken.at,
    };

    switch (packet->job) {
    case WORLD_READ_ENTRIES:
        read_entries(world, at, packet);
        break;
    case WORLD_READ_CHUNK:
        read_chunk(world, at, packet);
        break;
    case WORLD_WRITE_CHUNK:
        write_chunk(world, at, packet);
        break;
    case WORLD_INSTALL:
        install(world, at, packet);
        break;
    case WORLD_TAKE:
        take(world, at, packet);
        break;
    case WORLD_INSTALLED:
        event.kind = RAFT_INSTALLED;
        world_step(world, at, &event);
        break;
    case WORLD_TAKEN:
        node->is_taking = false;
        world_mark(world, WORLD_SNAPSHOT_TAKEN);
        event.kind = RAFT_TAKEN;
        world_step(world, at, &event);
        break;
    }
}

/* ---- crash and restart */

void world_crash(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    ASSERT(node->is_up);
    world_trace(world, "n%u crashes", at + 1);
    world_mix(world, 77, at, node->record_count);
    if (node->snapshot.at.index > node->raft.snapshot.index) {
        world_mark(world, WORLD_CRASH_SNAPSHOT_DURABLE);
    }
    raft_fini(&node->raft);
    node->is_up = false;
    node->life++;
    uint32_t under_way = node->batch_end == 0 ? 0 : node->batch_end - node->durable_count;
    uint32_t kept = (uint32_t)rng_below(&world->rng, (uint64_t)under_way + 1);
    if (node->record_count > node->durable_count) {
        world_mark(world, kept > 0 && kept < under_way ? WORLD_SUFFIX_TORN : WORLD_SUFFIX_LOST);
    }
    while (kept-- > 0) {
        settle(world, at, &node->records[node->durable_count++]);
    }
    node->record_count = node->durable_count;
    node->batch_end = 0;
    node->received = 0;
    node->bulk_ms = 0;
    node->is_taking = false;
    node->disk_fail_in = 0;
    node->disk_slow_ms = 0;
    uint64_t delay = world->is_scripted ? 0 : 1 + rng_below(&world->rng, 1500);
    if (!world->is_scripted) {
        world_post(world, delay, WORLD_RESTART, at, node->life, NULL);
    }
}

/* The only voter: what stands on its disk is committed, whether it came to know or not. */
static int restore_applied(struct world *world, uint32_t at, const struct world_record *record)
{
    struct world_node *node = &world->node[at];
    const struct raft_apply apply = {
        .index = record->index, .entries = &record->entry->entry, .count = 1};

    if (record->index == world->committed + 1) {
        world->committed = record->index;
        world->commits[record->index] = record->entry;
        world->commit_terms[record->index] = record->entry->entry.term;
    }
    int status = raft_restore_applied(&node->raft, record->index, &record->entry->entry);
    if (status == OK) {
        world_mark(world, WORLD_RESTORED_APPLIED);
        world_check_apply(world, at, &apply);
    }
    if (raft_configuration_voters(&node->raft.configuration) != 1) {
        world_fail(world, "n%u takes %" PRIu64 " for committed, which gives others a vote",
                   at + 1, record->index);
    }
    return status;
}

static bool restore(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];

    if (node->hard_recycled.kind != 0) {
        node->raft.term = node->hard_recycled.term;
        node->raft.vote = node->hard_recycled.vote;
    }
    for (uint32_t i = 0; i < node->durable_count; i++) {
        const struct world_record *record = &node->records[i];
        struct raft_persist persist = {
            .kind = record->kind,
            .index = record->index,
            .term = record->term,
            .vote = record->vote,
            .entries = record->entry == NULL ? NULL : &record->entry->entry,
            .count = record->entry == NULL ? 0 : 1,
        };
        bool is_applied = record->kind == RAFT_PERSIST_ENTRIES &&
                          record->index > node->snapshot.at.index &&
                          raft_is_alone(&node->raft, &record->entry->entry);
        int status = is_applied ? restore_applied(world, at, record)
                                : raft_restore(&node->raft, &persist);
        if (status != OK) {
            world_fail(world,
                       "n%u cannot read its own log: %s at record %u (kind %d, index %" PRIu64
                       "), snapshot %" PRIu64,
                       at + 1, error_name(status), i, (int)record->kind, record->index,
                       node->snapshot.at.index);
            return false;
        }
    }
    return true;
}

/* What the checks remember of a member is what its disk says. */
static void recall(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    const struct raft *raft = &node->raft;

    node->configuration_count = 1;
    node->configurations[0] = raft->snapshot.configuration.index;
    node->durable_last = raft->log.last;
    for (raft_index i = raft->snapshot.index + 1; i <= raft->log.last; i++) {
        const struct world_entry *entry =
            world_entry_find(world, i, raft_log_term(&raft->log, i));
        node->durable[i] = entry;
        if (entry->entry.kind == RAFT_ENTRY_CONFIGURATION &&
            node->configuration_count < WORLD_CONFIGURATIONS_MAX) {
            node->configurations[node->configuration_count++] = i;
        }
    }
    if (raft->snapshot.index > 0) {
        node->durable[raft->snapshot.index] =
            world_entry_find(world, raft->snapshot.index, raft->snapshot.term);
    }
    node->commit = raft->commit;
    node->commit_before = raft->commit;
    node->role = raft->role;
    node->term = raft->term;
    world_check_configuration(world, at);
}

void world_restart(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    struct raft_options options = world->options;

    ASSERT(!node->is_up);
    world_disk_lose(world, at);
    world_trace(world, "n%u starts", at + 1);
    options.refill = node->refill;
    options.is_refilling = node->is_refilling;
    options.id = at + 1;
    options.seed = rng_next(&world->rng);
    raft_init(&node->raft, &options, &node->snapshot.at);
    node->is_up = true;
    node->applied = node->snapshot.at.index;
    node->hash = node->snapshot.hash;
    if (!restore(world, at)) {
        return;
    }
    raft_start(&node->raft, world_clock(world, at));
    if (node->raft.term < node->hard_term ||
        (node->raft.term == node->hard_term && node->raft.vote != node->hard_vote)) {
        world_fail(world, "n%u forgot its term or vote", at + 1);
    }
    world->marks[WORLD_LOG_REPAIRED] += node->raft.is_repair_due;
    world_mark(world, WORLD_RESTARTED);
    recall(world, at);
    struct raft_event event = {.kind = RAFT_TICK};
    world_step(world, at, &event);
}

void world_node_reset(struct world *world, uint32_t at)
{
    struct world_node *node = &world->node[at];
    struct world_record *records = node->records;
    uint32_t record_cap = node->record_cap;

    if (node->is_up) {
        raft_fini(&node->raft);
    }
    *node = (struct world_node){.records = records, .record_cap = record_cap, .life = 1};
    for (uint32_t i = 0; at < world->voters && i < world->voters; i++) {
        node->snapshot.at.configuration.members[i] = (struct raft_member){i + 1, true};
        node->snapshot.at.configuration.count = i + 1;
    }
}
