#include "raft/message.h"

#include "base/assert.h"
#include "wire/field.h"

/* Every message is the same flat list of fields; a table of two functions, one each way, says
 * which of them a type uses. */

enum flag {
    FLAG_PRE = 1,
    FLAG_TRANSFER = 2,
    FLAG_GRANTED = 4,
    FLAG_REJECTED = 8,
    FLAG_LAST = 16,
    FLAG_COMPLETE = 32,
    FLAG_REFILLING = 64,
};

enum number {
    NUMBER_TYPE = 1,
    NUMBER_FROM,
    NUMBER_TO,
    NUMBER_TERM,
    NUMBER_FLAGS,
    NUMBER_INDEX,
    NUMBER_INDEX_TERM,
    NUMBER_COMMIT,
    NUMBER_MATCH,
    NUMBER_ROUND,
    NUMBER_OFFSET,
    NUMBER_ENTRIES,
    NUMBER_DATA,
    NUMBER_CONFIGURATION,
    NUMBER_CONFIGURATION_INDEX,
    NUMBER_REFILL,
    NUMBER_READMITS,
};

enum {
    ENTRY_TERM = 1,
    ENTRY_KIND,
    ENTRY_PAYLOAD,
    NUMBERS_BYTES_MAX = 15 * (2 + FIELD_VARINT_BYTES_MAX),
};

struct fields {
    uint64_t flags;
    uint64_t index;
    uint64_t index_term;
    uint64_t commit;
    uint64_t match;
    uint64_t round;
    uint64_t offset;
    struct slice data;
};

static uint64_t flag(bool is_set, enum flag bit)
{
    return is_set ? (uint64_t)bit : 0;
}

static struct fields gather(const struct raft_message *message)
{
    const struct raft_append_reply *reply = &message->append_reply;
    const struct raft_snapshot_chunk *chunk = &message->snapshot;

    switch (message->type) {
    case RAFT_VOTE:
        return (struct fields){
            .flags = flag(message->vote.is_pre, FLAG_PRE) |
                     flag(message->vote.is_transfer, FLAG_TRANSFER),
            .index = message->vote.last_index,
            .index_term = message->vote.last_term,
        };
    case RAFT_VOTE_REPLY:
        return (struct fields){
            .flags = flag(message->vote_reply.is_pre, FLAG_PRE) |
                     flag(message->vote_reply.is_granted, FLAG_GRANTED),
        };
    case RAFT_APPEND:
        return (struct fields){
            .index = message->append.prev_index,
            .index_term = message->append.prev_term,
            .commit = message->append.commit,
            .round = message->append.round,
        };
    case RAFT_APPEND_REPLY:
        return (struct fields){
            .flags = flag(reply->is_rejected, FLAG_REJECTED),
            .index = reply->hint_index,
            .index_term = reply->hint_term,
            .commit = reply->seen,
            .match = reply->match,
            .round = reply->round,
            .offset = reply->rejected,
        };
    case RAFT_SNAPSHOT:
        return (struct fields){
            .flags = flag(chunk->is_last, FLAG_LAST),
            .index = chunk->snapshot->index,
            .index_term = chunk->snapshot->term,
            .round = chunk->round,
            .offset = chunk->offset,
            .data = chunk->data,
        };
    case RAFT_SNAPSHOT_REPLY:
        return (struct fields){
            .flags = flag(message->snapshot_reply.is_complete, FLAG_COMPLETE),
            .index = message->snapshot_reply.index,
            .index_term = message->snapshot_reply.snapshot_term,
            .round = message->snapshot_reply.round,
            .offset = message->snapshot_reply.offset,
        };
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_NR:
        break;
    }
    return (struct fields){0};
}

static void scatter(const struct fields *from, struct raft_message_space *space,
                    uint32_t entry_count, struct raft_message *to)
{
    switch (to->type) {
    case RAFT_VOTE:
        to->vote = (struct raft_vote){
            .last_index = from->index,
            .last_term = from->index_term,
            .is_pre = (from->flags & FLAG_PRE) != 0,
            .is_transfer = (from->flags & FLAG_TRANSFER) != 0,
        };
        break;
    case RAFT_VOTE_REPLY:
        to->vote_reply = (struct raft_vote_reply){
            .is_pre = (from->flags & FLAG_PRE) != 0,
            .is_granted = (from->flags & FLAG_GRANTED) != 0,
        };
        break;
    case RAFT_APPEND:
        to->append = (struct raft_append){
            .prev_index = from->index,
            .prev_term = from->index_term,
            .commit = from->commit,
            .round = from->round,
            .entries = space->entries,
            .count = entry_count,
        };
        break;
    case RAFT_APPEND_REPLY:
        to->append_reply = (struct raft_append_reply){
            .is_rejected = (from->flags & FLAG_REJECTED) != 0,
            .match = from->match,
            .seen = from->commit,
            .rejected = from->offset,
            .hint_index = from->index,
            .hint_term = from->index_term,
            .round = from->round,
        };
        break;
    case RAFT_SNAPSHOT:
        space->snapshot.index = from->index;
        space->snapshot.term = from->index_term;
        to->snapshot = (struct raft_snapshot_chunk){
            .snapshot = &space->snapshot,
            .offset = from->offset,
            .data = from->data,
            .round = from->round,
            .is_last = (from->flags & FLAG_LAST) != 0,
        };
        break;
    case RAFT_SNAPSHOT_REPLY:
        to->snapshot_reply = (struct raft_snapshot_reply){
            .index = from->index,
            .snapshot_term = from->index_term,
            .offset = from->offset,
            .round = from->round,
            .is_complete = (from->flags & FLAG_COMPLETE) != 0,
        };
        break;
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_NR:
        break;
    }
}

/* ---- writing */

static size_t entry_bytes(const struct raft_entry *entry)
{
    return field_number_bytes(entry->term) + field_number_bytes((uint64_t)entry->kind) +
           field_len_bytes(entry->payload.len);
}

static size_t bytes_max(const struct raft_message *message)
{
    size_t bytes = NUMBERS_BYTES_MAX;

    if (message->type == RAFT_APPEND) {
        for (uint32_t i = 0; i < message->append.count; i++) {
            bytes += field_bytes_max(entry_bytes(&message->append.entries[i]));
        }
    } else if (message->type == RAFT_SNAPSHOT) {
        bytes += field_bytes_max(message->snapshot.data.len) +
                 field_bytes_max(RAFT_CONFIGURATION_BYTES_MAX);
    }
    return bytes;
}

static uint8_t *put_entries(uint8_t *to, const struct raft_append *append)
{
    for (uint32_t i = 0; i < append->count; i++) {
        const struct raft_entry *entry = &append->entries[i];
        to = field_put_head(to, NUMBER_ENTRIES, entry_bytes(entry));
        to = field_put_number(to, ENTRY_TERM, entry->term);
        to = field_put_number(to, ENTRY_KIND, (uint64_t)entry->kind);
        to = field_put_bytes(to, ENTRY_PAYLOAD, entry->payload);
    }
    return to;
}

static uint8_t *put_snapshot(uint8_t *to, const struct raft_snapshot_chunk *chunk)
{
    const struct raft_configuration *configuration = &chunk->snapshot->configuration;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    uint32_t len = raft_configuration_encode(configuration, bytes);

    to = field_put_bytes(to, NUMBER_DATA, chunk->data);
    to = field_put_bytes(to, NUMBER_CONFIGURATION, slice_from(bytes, len));
    return field_put_number(to, NUMBER_CONFIGURATION_INDEX, configuration->index);
}

int raft_message_encode(const struct raft_message *message, struct buf *out)
{
    struct fields fields = gather(message);
    size_t bytes = bytes_max(message);

    int status = buf_reserve(out, bytes);
    if (status != OK) {
        return status;
    }
    uint8_t *to = out->data + out->len;
    to = field_put_number(to, NUMBER_TYPE, (uint64_t)message->type);
    to = field_put_fixed64(to, NUMBER_FROM, message->from);
    to = field_put_fixed64(to, NUMBER_TO, message->to);
    to = field_put_number(to, NUMBER_TERM, message->term);
    to = field_put_number(to, NUMBER_FLAGS,
                          fields.flags | flag(message->is_refilling, FLAG_REFILLING));
    to = field_put_number(to, NUMBER_INDEX, fields.index);
    to = field_put_number(to, NUMBER_INDEX_TERM, fields.index_term);
    to = field_put_number(to, NUMBER_COMMIT, fields.commit);
    to = field_put_number(to, NUMBER_MATCH, fields.match);
    to = field_put_number(to, NUMBER_ROUND, fields.round);
    to = field_put_number(to, NUMBER_OFFSET, fields.offset);
    if (message->type == RAFT_APPEND) {
        to = put_entries(to, &message->append);
    } else if (message->type == RAFT_SNAPSHOT) {
        to = put_snapshot(to, &message->snapshot);
    }
    to = field_put_number(to, NUMBER_REFILL, message->refill);
    to = field_put_number(to, NUMBER_READMITS, message->readmits);
    ASSERT((size_t)(to - out->data) <= out->len + bytes);
    out->len = (size_t)(to - out->data);
    return OK;
}

/* ---- reading */

static int read_entry(struct slice bytes, struct raft_entry *ret_entry)
{
    struct field_reader in = field_reader_from(bytes);
    struct raft_entry entry = {0};
    uint64_t kind = 0;

    while (!field_reader_is_done(&in)) {
        struct field field = {0};
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number == ENTRY_TERM && field.type == FIELD_VARINT) {
            entry.term = field.value;
        } else if (field.number == ENTRY_KIND && field.type == FIELD_VARINT) {
            kind = field.value;
        } else if (field.number == ENTRY_PAYLOAD && field.type == FIELD_BYTES) {
            entry.payload = field.bytes;
        }
    }
    if (entry.term == 0 || kind < RAFT_ENTRY_DATA || kind > RAFT_ENTRY_CONFIGURATION) {
        return ERR_MALFORMED;
    }
    entry.kind = (enum raft_entry_kind)kind;
    *ret_entry = entry;
    return OK;
}

static void read_number(const struct field *field, struct fields *fields, uint64_t *type,
                        uint64_t *configuration_index, struct raft_message *message)
{
    uint64_t *const places[] = {
        [NUMBER_TYPE] = type,
        [NUMBER_FROM] = &message->from,
        [NUMBER_TO] = &message->to,
        [NUMBER_TERM] = &message->term,
        [NUMBER_FLAGS] = &fields->flags,
        [NUMBER_INDEX] = &fields->index,
        [NUMBER_INDEX_TERM] = &fields->index_term,
        [NUMBER_COMMIT] = &fields->commit,
        [NUMBER_MATCH] = &fields->match,
        [NUMBER_ROUND] = &fields->round,
        [NUMBER_OFFSET] = &fields->offset,
        [NUMBER_CONFIGURATION_INDEX] = configuration_index,
        [NUMBER_REFILL] = &message->refill,
        [NUMBER_READMITS] = &message->readmits,
    };
    bool is_fixed = field->number == NUMBER_FROM || field->number == NUMBER_TO;

    if (field->number < sizeof places / sizeof places[0] && places[field->number] != NULL &&
        field->type == (uint32_t)(is_fixed ? FIELD_FIXED64 : FIELD_VARINT)) {
        *places[field->number] = field->value;
    }
}

int raft_message_decode(struct slice bytes, struct raft_message_space *space,
                        struct raft_message *ret_message)
{
    struct field_reader in = field_reader_from(bytes);
    struct raft_message message = {0};
    struct fields fields = {0};
    struct slice configuration = SLICE_NONE;
    uint64_t configuration_index = 0;
    uint64_t type = 0;
    uint32_t count = 0;
    int status = OK;

    while (!field_reader_is_done(&in)) {
        struct field field = {0};
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.type != FIELD_BYTES) {
            read_number(&field, &fields, &type, &configuration_index, &message);
        } else if (field.number == NUMBER_DATA) {
            fields.data = field.bytes;
        } else if (field.number == NUMBER_CONFIGURATION) {
            configuration = field.bytes;
        } else if (field.number == NUMBER_ENTRIES) {
            if (count == space->entries_max) {
                return ERR_TOO_LARGE;
            }
            status = read_entry(field.bytes, &space->entries[count++]);
            if (status != OK) {
                return status;
            }
        }
    }
    if (type == 0 || type >= RAFT_MESSAGE_NR) {
        return ERR_MALFORMED;
    }
    message.type = (enum raft_message_type)type;
    message.is_refilling = (fields.flags & FLAG_REFILLING) != 0;
    if (message.type == RAFT_SNAPSHOT) {
        status = raft_configuration_decode(configuration, configuration_index,
                                           &space->snapshot.configuration);
    }
    scatter(&fields, space, count, &message);
    *ret_message = message;
    return status;
}
