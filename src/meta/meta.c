#include "meta/meta.h"

#include "base/assert.h"

/* Which state may follow which: rows are before, columns after. */
static const bool may_follow[META_STATE_NR][META_STATE_NR] = {
    [META_ANY] = {[META_JOINING] = true, [META_PRESENT] = true}, /* of a new node */
    [META_JOINING] = {[META_JOINING] = true, [META_PRESENT] = true, [META_REMOVED] = true},
    [META_PRESENT] = {[META_PRESENT] = true, [META_LEAVING] = true, [META_REMOVED] = true},
    [META_LEAVING] = {[META_LEAVING] = true, [META_PRESENT] = true, [META_REMOVED] = true},
};

void meta_init(struct meta *meta)
{
    memset(meta, 0, sizeof *meta);
}

/* ---- looking ---- */

uint64_t meta_number(const uint8_t id[META_ID_BYTES])
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++) {
        number |= (uint64_t)id[META_ID_BYTES - 8 + i] << (8 * i);
    }
    return number;
}

static uint32_t row_of(const struct meta *meta, const uint8_t id[META_ID_BYTES])
{
    uint32_t row = 0;

    while (row < meta->member_count &&
           memcmp(meta->members[row].id, id, META_ID_BYTES) != 0) {
        row++;
    }
    return row;
}

const struct meta_member *meta_find(const struct meta *meta, const uint8_t id[META_ID_BYTES])
{
    uint32_t row = row_of(meta, id);

    return row < meta->member_count ? &meta->members[row] : NULL;
}

const struct meta_member *meta_find_number(const struct meta *meta, uint64_t number)
{
    for (uint32_t row = 0; row < meta->member_count; row++) {
        if (meta_number(meta->members[row].id) == number) {
            return &meta->members[row];
        }
    }
    return NULL;
}

uint32_t meta_member_count(const struct meta *meta)
{
    uint32_t count = 0;

    for (uint32_t row = 0; row < meta->member_count; row++) {
        count += meta->members[row].state != META_REMOVED;
    }
    return count;
}

static const struct meta_invite *invite_find(const struct meta *meta,
                                             const uint8_t hash[META_HASH_BYTES])
{
    for (uint32_t i = 0; i < meta->invite_count; i++) {
        if (memcmp(meta->invites[i].hash, hash, META_HASH_BYTES) == 0) {
            return &meta->invites[i];
        }
    }
    return NULL;
}

bool meta_invite_is_used(const struct meta *meta, const uint8_t hash[META_HASH_BYTES],
                         const uint8_t *id, uint64_t wall_ms)
{
    const struct meta_invite *invite = invite_find(meta, hash);

    if (invite == NULL) {
        return false;
    }
    bool is_again = id == NULL || memcmp(invite->node, id, META_ID_BYTES) == 0;

    return !is_again || wall_ms >= invite->used_ms + META_INVITE_AGAIN_MS;
}

const char *meta_state_name(enum meta_member_state state)
{
    static const char *const names[META_STATE_NR] = {"?", "joining", "member", "leaving",
                                                     "removed"};

    return state < META_STATE_NR ? names[state] : names[META_ANY];
}

bool meta_name_is_valid(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(text);

    return len > 0 && len <= META_NAME_BYTES_MAX && strspn(text, allowed) == len;
}

bool meta_address_is_valid(const char *text)
{
    size_t len = strlen(text);
    const char *colon = strrchr(text, ':');

    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return len <= META_ADDRESS_BYTES_MAX && colon != NULL && colon != text && colon[1] != '\0';
}

/* ---- judging ---- */

static int check_fields(const struct meta_member *member)
{
    return meta_number(member->id) != 0 && meta_name_is_valid(member->name) &&
                   meta_address_is_valid(member->address) && member->state < META_REMOVED
               ? OK
               : ERR_ARGUMENT;
}

/* Two members never have one number, for consensus tells them apart by it; not even when one of
 * them is removed, for it may not know that yet. */
static bool number_is_taken(const struct meta *meta, const uint8_t id[META_ID_BYTES])
{
    for (uint32_t row = 0; row < meta->member_count; row++) {
        const uint8_t *other = meta->members[row].id;

        if (meta_number(other) == meta_number(id) && memcmp(other, id, META_ID_BYTES) != 0) {
            return true;
        }
    }
    return false;
}

/* The row of a node removed so long ago that it may be forgotten, or that after the last. */
static uint32_t free_row(const struct meta *meta, uint64_t wall_ms)
{
    uint32_t row = 0;

    while (row < meta->member_count &&
           (meta->members[row].state != META_REMOVED ||
            wall_ms < meta->members[row].changed_ms + META_REMOVED_MS)) {
        row++;
    }
    return row;
}

static int check_new(const struct meta *meta, const struct meta_member *member,
                     uint64_t wall_ms)
{
    if (number_is_taken(meta, member->id)) {
        return ERR_EXISTS;
    }
    if (meta_member_count(meta) == META_MEMBERS_MAX || free_row(meta, wall_ms) == META_ROWS_MAX) {
        return ERR_FULL;
    }
    return member->state == META_ANY || may_follow[META_ANY][member->state] ? OK : ERR_ARGUMENT;
}

static int check_put(const struct meta *meta, const struct meta_member *member,
                     uint64_t wall_ms)
{
    const struct meta_member *own = meta_find(meta, member->id);
    int rc = check_fields(member);

    if (rc != OK || own == NULL) {
        return rc != OK ? rc : check_new(meta, member, wall_ms);
    }
    if (own->state == META_REMOVED) {
        return ERR_GONE;
    }
    bool is_same_key = memcmp(own->key, member->key, sizeof own->key) == 0;

    if (!is_same_key && member->key_ms <= own->key_ms) {
        return ERR_EXISTS;
    }
    return member->state == META_ANY || may_follow[own->state][member->state] ? OK
                                                                              : ERR_ARGUMENT;
}

/* The used invites that are still to be remembered at @wall_ms. */
static uint32_t invites_kept(const struct meta *meta, uint64_t wall_ms)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < meta->invite_count; i++) {
        count += meta->invites[i].expires_ms > wall_ms;
    }
    return count;
}

/* A node that is let in comes with the key its id was made of; whoever came already, with a
 * later key perhaps, has nothing to ask for by an invite. */
static int check_join(const struct meta *meta, const struct meta_entry *entry, uint64_t wall_ms)
{
    const struct meta_member *own = meta_find(meta, entry->member.id);

    if (entry->invite_expires_ms <= wall_ms ||
        meta_invite_is_used(meta, entry->invite, entry->member.id, wall_ms)) {
        return ERR_FORBIDDEN;
    }
    if (entry->member.state != META_ANY) {
        return ERR_ARGUMENT;
    }
    if (own != NULL && memcmp(own->key, entry->member.key, sizeof own->key) != 0) {
        return ERR_EXISTS;
    }
    if (invite_find(meta, entry->invite) == NULL &&
        invites_kept(meta, wall_ms) == META_INVITES_MAX) {
        return ERR_FULL;
    }
    return check_put(meta, &entry->member, wall_ms);
}

/* Whether a member is there, other than @id, that nothing is moved away from. */
static bool has_another(const struct meta *meta, const uint8_t id[META_ID_BYTES])
{
    for (uint32_t row = 0; row < meta->member_count; row++) {
        const struct meta_member *other = &meta->members[row];

        if (other->state == META_PRESENT && memcmp(other->id, id, META_ID_BYTES) != 0) {
            return true;
        }
    }
    return false;
}

static int check_state(const struct meta *meta, const struct meta_member *member)
{
    const struct meta_member *own = meta_find(meta, member->id);

    if (own == NULL || own->state == META_REMOVED) {
        return ERR_GONE;
    }
    bool may = member->state < META_REMOVED && may_follow[own->state][member->state];

    return may && (member->state != META_LEAVING || has_another(meta, member->id))
               ? OK
               : ERR_ARGUMENT;
}

/* The last one is not removed: nobody could take it back. */
static int check_remove(const struct meta *meta, const struct meta_member *member)
{
    const struct meta_member *own = meta_find(meta, member->id);

    if (own == NULL) {
        return ERR_GONE;
    }
    bool is_one = own->state == META_PRESENT || own->state == META_LEAVING;

    return !is_one || has_another(meta, member->id) ? OK : ERR_ARGUMENT;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static int check_fact(const struct meta *meta, const struct meta_entry *entry)
{
    if (entry->fact.key.len != META_FACT_KEY_BYTES || entry->fact.method == 0) {
        return ERR_ARGUMENT;
    }
    if (entry->fact.body.len > META_FACT_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    return meta->fact_count < META_FACTS_MAX ? OK : ERR_BUSY;
}

int meta_check(const struct meta *meta, const struct meta_entry *entry)
{
    uint64_t wall_ms = later(meta->wall_ms, entry->wall_ms);

    switch (entry->kind) {
    case META_TIME:
        return OK;
    case META_MEMBER_PUT:
        return check_put(meta, &entry->member, wall_ms);
    case META_MEMBER_JOIN:
        return check_join(meta, entry, wall_ms);
    case META_MEMBER_REMOVE:
        return check_remove(meta, &entry->member);
    case META_MEMBER_STATE:
        return check_state(meta, &entry->member);
    case META_FACT:
        return check_fact(meta, entry);
    case META_FACTS_APPLIED:
        return entry->fact.number <= meta->fact_newest ? OK : ERR_ARGUMENT;
    case META_KIND_NR:
        break;
    }
    return ERR_ARGUMENT;
}

/* ---- changing ---- */

static void put(struct meta *meta, const struct meta_member *member)
{
    uint32_t row = row_of(meta, member->id);
    bool is_new = row == meta->member_count;
    enum meta_member_state before = is_new ? META_ANY : meta->members[row].state;
    uint64_t changed_ms = is_new ? 0 : meta->members[row].changed_ms;
    uint64_t key_ms = is_new ? 0 : meta->members[row].key_ms;

    if (is_new) {
        row = free_row(meta, meta->wall_ms);
        ASSERT(row < META_ROWS_MAX);
        meta->member_count += row == meta->member_count;
    }
    struct meta_member *own = &meta->members[row];

    *own = *member;
    if (member->state == META_ANY) {
        own->state = is_new ? META_JOINING : before;
    }
    own->key_ms = later(key_ms, member->key_ms);
    own->changed_ms = own->state != before ? meta->wall_ms : changed_ms;
}

/* Those that ended are forgotten: an invite that ended lets nobody in. */
static void invite_use(struct meta *meta, const struct meta_entry *entry)
{
    uint32_t kept = 0;

    if (invite_find(meta, entry->invite) != NULL) {
        return; /* it asks again */
    }
    for (uint32_t i = 0; i < meta->invite_count; i++) {
        if (meta->invites[i].expires_ms > meta->wall_ms) {
            meta->invites[kept++] = meta->invites[i];
        }
    }
    ASSERT(kept < META_INVITES_MAX);
    struct meta_invite *invite = &meta->invites[kept];

    *invite = (struct meta_invite){.used_ms = meta->wall_ms,
                                   .expires_ms = entry->invite_expires_ms};
    memcpy(invite->hash, entry->invite, sizeof invite->hash);
    memcpy(invite->node, entry->member.id, sizeof invite->node);
    meta->invite_count = kept + 1;
}

static void set_state(struct meta *meta, const uint8_t id[META_ID_BYTES],
                      enum meta_member_state state)
{
    struct meta_member *own = &meta->members[row_of(meta, id)];

    if (own->state != state) {
        own->state = state;
        own->changed_ms = meta->wall_ms;
    }
}

static void add_fact(struct meta *meta, const struct meta_entry *entry)
{
    struct meta_fact *fact = &meta->facts[meta->fact_count++];

    *fact = (struct meta_fact){
        .number = ++meta->fact_newest,
        .wall_ms = meta->wall_ms,
        .term = entry->term,
        .index = entry->index,
        .method = entry->fact.method,
        .body_len = (uint32_t)entry->fact.body.len,
    };
    memcpy(fact->key, entry->fact.key.data, META_FACT_KEY_BYTES);
    if (fact->body_len > 0) {
        memcpy(fact->body, entry->fact.body.data, fact->body_len);
    }
}

static void forget_facts(struct meta *meta, uint64_t number)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < meta->fact_count; i++) {
        if (meta->facts[i].number > number) {
            meta->facts[kept++] = meta->facts[i];
        }
    }
    meta->fact_count = kept;
}

int meta_apply(struct meta *meta, const struct meta_entry *entry)
{
    int rc = meta_check(meta, entry);

    meta->wall_ms = later(meta->wall_ms, entry->wall_ms);
    if (rc != OK || entry->kind == META_TIME) {
        return rc;
    }
    switch (entry->kind) {
    case META_MEMBER_JOIN:
        invite_use(meta, entry);
        put(meta, &entry->member);
        break;
    case META_MEMBER_PUT:
        put(meta, &entry->member);
        break;
    case META_MEMBER_REMOVE:
        set_state(meta, entry->member.id, META_REMOVED);
        break;
    case META_MEMBER_STATE:
        set_state(meta, entry->member.id, entry->member.state);
        break;
    case META_FACT:
        add_fact(meta, entry);
        break;
    case META_FACTS_APPLIED:
        forget_facts(meta, entry->fact.number);
        break;
    case META_TIME:
    case META_KIND_NR:
        UNREACHABLE();
    }
    ASSERT(meta_member_count(meta) <= META_MEMBERS_MAX);
    return OK;
}
