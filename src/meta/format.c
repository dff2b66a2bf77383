/* The bytes of the cluster's own group: its entries, and its state as snapshots keep it. */
#include "base/assert.h"
#include "base/hash.h"
#include "meta/meta.h"
#include "proto/meta.pb-c.h"
#include "wire/field.h"
#include "wire/message.h"

enum { STATE_FORMAT = 1, SCRATCH_BYTES_MAX = 256 << 10 };

/* ---- one member ---- */

static void describe(const struct meta_member *member, Carillon__Member *out)
{
    carillon__member__init(out);
    out->node_id = wire_binary(slice_from(member->id, sizeof member->id));
    out->name = wire_text(member->name);
    out->address = wire_text(member->address);
    out->key = wire_binary(slice_from(member->key, sizeof member->key));
    out->key_ms = member->key_ms;
    out->state = (Carillon__MemberState)member->state;
    out->changed_ms = member->changed_ms;
}

static bool take_bytes(ProtobufCBinaryData from, uint8_t *to, size_t len)
{
    if (from.len == len) {
        memcpy(to, from.data, len);
    }
    return from.len == len;
}

static bool take_text(const char *from, char *to, size_t len_max)
{
    size_t len = strlen(from);

    if (len <= len_max) {
        memcpy(to, from, len + 1);
    }
    return len <= len_max;
}

static bool take_member(const Carillon__Member *from, struct meta_member *to)
{
    to->key_ms = from->key_ms;
    to->state = (enum meta_member_state)from->state;
    to->changed_ms = from->changed_ms;
    return take_bytes(from->node_id, to->id, sizeof to->id) &&
           take_bytes(from->key, to->key, sizeof to->key) &&
           take_text(from->name, to->name, META_NAME_BYTES_MAX) &&
           take_text(from->address, to->address, META_ADDRESS_BYTES_MAX) &&
           from->state >= CARILLON__MEMBER_STATE__MEMBER_NONE &&
           from->state <= CARILLON__MEMBER_STATE__MEMBER_REMOVED;
}

/* ---- entries ---- */

static bool is_about_a_member(enum meta_kind kind)
{
    return kind == META_MEMBER_PUT || kind == META_MEMBER_JOIN || kind == META_MEMBER_REMOVE ||
           kind == META_MEMBER_STATE;
}

/* @bytes: the whole entry. What is unpacked goes with its memory, so key and body are looked up
 * where they lie. */
static bool take_fact(struct slice bytes, struct meta_entry *entry)
{
    enum { ENTRY_FACT = 6, FACT_NUMBER = 1, FACT_METHOD = 3, FACT_KEY = 4, FACT_BODY = 5 };
    struct field_reader in = field_reader_from(bytes);
    struct slice fact = SLICE_NONE;
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return false;
        }
        if (field.number == ENTRY_FACT && field.type == FIELD_BYTES) {
            fact = field.bytes;
        }
    }
    in = field_reader_from(fact);
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return false;
        }
        if (field.number == FACT_NUMBER && field.type == FIELD_VARINT) {
            entry->fact.number = field.value;
        } else if (field.number == FACT_METHOD && field.type == FIELD_VARINT) {
            entry->fact.method = (uint32_t)field.value;
        } else if (field.number == FACT_KEY && field.type == FIELD_BYTES) {
            entry->fact.key = field.bytes;
        } else if (field.number == FACT_BODY && field.type == FIELD_BYTES) {
            entry->fact.body = field.bytes;
        }
    }
    return true;
}

int meta_entry_encode(const struct meta_entry *entry, struct buf *out)
{
    Carillon__MetaEntry message = CARILLON__META_ENTRY__INIT;
    Carillon__Member member;

    message.wall_ms = entry->wall_ms;
    message.kind = (Carillon__MetaKind)entry->kind;
    Carillon__MetaFact fact = CARILLON__META_FACT__INIT;

    if (is_about_a_member(entry->kind)) {
        describe(&entry->member, &member);
        member.changed_ms = 0;
        message.member = &member;
    }
    if (entry->kind == META_FACT || entry->kind == META_FACTS_APPLIED) {
        fact.number = entry->fact.number;
        fact.method = entry->fact.method;
        fact.key = wire_binary(entry->fact.key);
        fact.body = wire_binary(entry->fact.body);
        message.fact = &fact;
    }
    if (entry->kind == META_MEMBER_JOIN) {
        message.invite = wire_binary(slice_from(entry->invite, sizeof entry->invite));
        message.invite_expires_ms = entry->invite_expires_ms;
    }
    return wire_pack(&message.base, out);
}

static bool take_entry(const Carillon__MetaEntry *message, struct meta_entry *entry)
{
    entry->wall_ms = message->wall_ms;
    entry->kind = (enum meta_kind)message->kind;
    entry->invite_expires_ms = message->invite_expires_ms;
    bool is_fact = entry->kind == META_FACT || entry->kind == META_FACTS_APPLIED;
    bool is_well = entry->kind == META_TIME || is_about_a_member(entry->kind) ||
                   (is_fact && message->fact != NULL);

    if (is_well && is_about_a_member(entry->kind)) {
        is_well = message->member != NULL && take_member(message->member, &entry->member);
        entry->member.changed_ms = 0;
    }
    if (is_well && entry->kind == META_MEMBER_JOIN) {
        is_well = take_bytes(message->invite, entry->invite, sizeof entry->invite);
    }
    return is_well;
}

int meta_entry_decode(struct slice bytes, struct meta_entry *ret_entry)
{
    struct arena scratch;
    struct meta_entry entry = {0};

    arena_init(&scratch, SCRATCH_BYTES_MAX);
    const Carillon__MetaEntry *message =
        wire_unpack(&carillon__meta_entry__descriptor, bytes, &scratch);
    bool is_well = message != NULL && take_entry(message, &entry) &&
                   (message->fact == NULL || take_fact(bytes, &entry));

    arena_fini(&scratch);
    if (is_well) {
        *ret_entry = entry;
    }
    return is_well ? OK : ERR_MALFORMED;
}

/* ---- the state ---- */

static void describe_fact(const struct meta_fact *fact, Carillon__MetaFact *out)
{
    carillon__meta_fact__init(out);
    out->number = fact->number;
    out->wall_ms = fact->wall_ms;
    out->term = fact->term;
    out->index = fact->index;
    out->method = fact->method;
    out->key = wire_binary(slice_from(fact->key, sizeof fact->key));
    out->body = wire_binary(slice_from(fact->body, fact->body_len));
}

static bool take_facts(const Carillon__MetaState *message, struct meta *meta)
{
    if (message->n_facts > META_FACTS_MAX || message->n_facts > message->fact_newest) {
        return false;
    }
    meta->fact_newest = message->fact_newest;
    for (size_t i = 0; i < message->n_facts; i++) {
        const Carillon__MetaFact *from = message->facts[i];
        struct meta_fact *fact = &meta->facts[meta->fact_count++];
        bool is_next = from->number == message->fact_newest - message->n_facts + 1 + i;

        if (!is_next || from->body.len > META_FACT_BYTES_MAX ||
            !take_bytes(from->key, fact->key, sizeof fact->key)) {
            return false;
        }
        fact->number = from->number;
        fact->wall_ms = from->wall_ms;
        fact->term = from->term;
        fact->index = from->index;
        fact->method = from->method;
        fact->body_len = (uint32_t)from->body.len;
        if (from->body.len > 0) {
            memcpy(fact->body, from->body.data, from->body.len);
        }
    }
    return true;
}

int meta_snapshot(const struct meta *meta, struct buf *out)
{
    Carillon__MetaState message = CARILLON__META_STATE__INIT;
    Carillon__Member members[META_ROWS_MAX];
    Carillon__Member *member_list[META_ROWS_MAX];
    Carillon__UsedInvite invites[META_INVITES_MAX];
    Carillon__UsedInvite *invite_list[META_INVITES_MAX];

    for (uint32_t i = 0; i < meta->member_count; i++) {
        describe(&meta->members[i], &members[i]);
        member_list[i] = &members[i];
    }
    for (uint32_t i = 0; i < meta->invite_count; i++) {
        const struct meta_invite *invite = &meta->invites[i];

        carillon__used_invite__init(&invites[i]);
        invites[i].hash = wire_binary(slice_from(invite->hash, sizeof invite->hash));
        invites[i].node_id = wire_binary(slice_from(invite->node, sizeof invite->node));
        invites[i].used_ms = invite->used_ms;
        invites[i].expires_ms = invite->expires_ms;
        invite_list[i] = &invites[i];
    }
    Carillon__MetaFact facts[META_FACTS_MAX];
    Carillon__MetaFact *fact_list[META_FACTS_MAX];

    for (uint32_t i = 0; i < meta->fact_count; i++) {
        describe_fact(&meta->facts[i], &facts[i]);
        fact_list[i] = &facts[i];
    }
    message.n_facts = meta->fact_count;
    message.facts = fact_list;
    message.fact_newest = meta->fact_newest;
    message.format = STATE_FORMAT;
    message.wall_ms = meta->wall_ms;
    message.n_members = meta->member_count;
    message.members = member_list;
    message.n_invites = meta->invite_count;
    message.invites = invite_list;
    return wire_pack(&message.base, out);
}

static bool take_state(const Carillon__MetaState *message, struct meta *meta)
{
    if (message->n_members > META_ROWS_MAX || message->n_invites > META_INVITES_MAX) {
        return false;
    }
    for (size_t i = 0; i < message->n_members; i++) {
        struct meta_member *member = &meta->members[i];

        if (!take_member(message->members[i], member) || member->state == META_ANY ||
            meta_find(meta, member->id) != NULL) {
            return false;
        }
        meta->member_count++;
    }
    for (size_t i = 0; i < message->n_invites; i++) {
        const Carillon__UsedInvite *from = message->invites[i];
        struct meta_invite *invite = &meta->invites[i];

        if (!take_bytes(from->hash, invite->hash, sizeof invite->hash) ||
            !take_bytes(from->node_id, invite->node, sizeof invite->node)) {
            return false;
        }
        invite->used_ms = from->used_ms;
        invite->expires_ms = from->expires_ms;
        meta->invite_count++;
    }
    meta->wall_ms = message->wall_ms;
    return take_facts(message, meta) && meta_member_count(meta) <= META_MEMBERS_MAX;
}

int meta_restore(struct meta *meta, struct slice bytes)
{
    struct arena scratch;
    struct meta restored;
    int rc = ERR_DAMAGED;

    meta_init(&restored);
    arena_init(&scratch, SCRATCH_BYTES_MAX);
    const Carillon__MetaState *message =
        wire_unpack(&carillon__meta_state__descriptor, bytes, &scratch);

    if (message != NULL && message->format != STATE_FORMAT) {
        rc = ERR_VERSION;
    } else if (message != NULL && take_state(message, &restored)) {
        rc = OK;
    }
    arena_fini(&scratch);
    if (rc == OK) {
        *meta = restored;
    }
    return rc;
}

uint64_t meta_hash(const struct meta *meta)
{
    struct buf bytes;

    buf_init(&bytes, META_STATE_BYTES_MAX);
    int rc = meta_snapshot(meta, &bytes);

    ASSERT(rc == OK);
    uint64_t hash = hash_slice(buf_slice(&bytes));

    buf_fini(&bytes);
    return hash;
}
