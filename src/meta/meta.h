/* meta/meta.h -- the state of the cluster's own group: who its nodes are.
 *
 * Layer: meta (base, wire)     Spec: docs/spec/meta.md
 *
 * A pure state machine: the same entries give the same state, hash and snapshot on every node.
 * Whoever proposes asks meta_check() first, so that what can be refused is refused before it
 * is written; meta_apply() judges again, for two proposals may contradict each other.
 */
#ifndef CARILLON_META_META_H
#define CARILLON_META_META_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum {
    META_ID_BYTES = 16,
    META_KEY_BYTES = 32,
    META_HASH_BYTES = 32,
    META_NAME_BYTES_MAX = 64,
    META_ADDRESS_BYTES_MAX = 63,
    META_MEMBERS_MAX = 16, /* that are not removed */
    META_ROWS_MAX = 64,    /* the removed ones included */
    META_INVITES_MAX = 64, /* used, and not ended yet */
    META_INVITE_AGAIN_MS = 3600 * 1000, /* so long whom it let in may ask for the answer again */
    META_FACTS_MAX = 16, /* that not every shard has applied */
    META_FACT_KEY_BYTES = 16,
    META_FACT_BYTES_MAX = 1024, /* of a request */
    META_ENTRY_BYTES_MAX = 2048,
    META_STATE_BYTES_MAX = 56 << 10,
};

/* How long a removed node is remembered: its certificates have ended by then. */
#define META_REMOVED_MS (100ULL * 86400 * 1000)

/* The numbers are those of enum MemberState in proto/meta.proto. */
enum meta_member_state {
    META_ANY, /* of a change: as it is */
    META_JOINING,
    META_PRESENT,
    META_LEAVING,
    META_REMOVED,
    META_STATE_NR,
};

struct meta_member {
    uint8_t id[META_ID_BYTES];
    char name[META_NAME_BYTES_MAX + 1];
    char address[META_ADDRESS_BYTES_MAX + 1];
    uint8_t key[META_KEY_BYTES];
    uint64_t key_ms; /* when its certificate begins */
    enum meta_member_state state;
    uint64_t changed_ms;
};

struct meta_invite {
    uint8_t hash[META_HASH_BYTES];
    uint8_t node[META_ID_BYTES];
    uint64_t used_ms;
    uint64_t expires_ms;
};

/* A request that every shard applies, in the order of the numbers. */
struct meta_fact {
    uint64_t number; /* 1 up, without gaps */
    uint64_t wall_ms;
    uint64_t term; /* of the entry that brought it: its receipt */
    uint64_t index;
    uint32_t method;
    uint32_t body_len;
    uint8_t key[META_FACT_KEY_BYTES];
    uint8_t body[META_FACT_BYTES_MAX];
};

struct meta {
    struct meta_member members[META_ROWS_MAX];
    uint32_t member_count;
    struct meta_invite invites[META_INVITES_MAX];
    uint32_t invite_count;
    struct meta_fact facts[META_FACTS_MAX]; /* in their order */
    uint32_t fact_count;
    uint64_t fact_newest; /* the number given last */
    uint64_t wall_ms;     /* of the newest entry */
};

/* The numbers are those of enum MetaKind. */
enum meta_kind {
    META_TIME,
    META_MEMBER_PUT,
    META_MEMBER_JOIN,
    META_MEMBER_REMOVE,
    META_MEMBER_STATE = 4,
    META_FACT = 8,          /* gets the next number */
    META_FACTS_APPLIED = 9, /* up to fact.number, in every shard: they are forgotten */
    META_KIND_NR,
};

struct meta_entry {
    enum meta_kind kind;
    uint64_t wall_ms;
    uint64_t term; /* its place in the log: the caller's to say when it is applied */
    uint64_t index;
    struct meta_member member; /* META_MEMBER_REMOVE: its id counts; META_MEMBER_STATE: and its
                                  state */
    uint8_t invite[META_HASH_BYTES];
    uint64_t invite_expires_ms;
    struct {
        uint64_t number;
        uint32_t method;
        struct slice key; /* borrowed, like the body */
        struct slice body;
    } fact;
};

/* Nobody is a member. */
void meta_init(struct meta *meta);

/* What applying @entry now would return. */
int meta_check(const struct meta *meta, const struct meta_entry *entry) CHECKED;

/* Change the state, or leave it as it is but for the time.
 *
 * Errors: ERR_ARGUMENT a field is not well formed, or the state may not follow its own, or
 * nobody would be left;
 * ERR_EXISTS another node has its number, or the node another key that is no older; ERR_FULL
 * too many nodes, or invites; ERR_GONE the node is removed, or unknown; ERR_FORBIDDEN the
 * invite was used. Of a fact: ERR_TOO_LARGE, ERR_ARGUMENT, ERR_BUSY too many are not applied
 * everywhere.
 */
int meta_apply(struct meta *meta, const struct meta_entry *entry);

/* The member with this id, removed ones included, or NULL. */
const struct meta_member *meta_find(const struct meta *meta, const uint8_t id[META_ID_BYTES]);

/* The same by its number. */
const struct meta_member *meta_find_number(const struct meta *meta, uint64_t number);

/* Whether an invite was used, so that nobody is let in by it any more: but for the one it let
 * in, within META_INVITE_AGAIN_MS before @wall_ms, when @id is that one's, or NULL for anyone. */
bool meta_invite_is_used(const struct meta *meta, const uint8_t hash[META_HASH_BYTES],
                         const uint8_t *id, uint64_t wall_ms);

/* Those that are not removed. */
uint32_t meta_member_count(const struct meta *meta);

/* "joining", "member", "leaving", "removed"; "?" for other numbers. */
const char *meta_state_name(enum meta_member_state state);

/* Whether @text may be a node's name (1 to 64 of a-z A-Z 0-9 . _ -), or an address (printable,
 * host:port). */
bool meta_name_is_valid(const char *text);
bool meta_address_is_valid(const char *text);

/* A member's number in consensus: the last 8 bytes of its id, little endian. */
uint64_t meta_number(const uint8_t id[META_ID_BYTES]);

/* ---- bytes: format.c */

/* Append an entry as the log keeps it. Errors: ERR_FULL. */
int meta_entry_encode(const struct meta_entry *entry, struct buf *out) CHECKED;

/* The fact is borrowed from @bytes. Errors: ERR_MALFORMED; nothing is written then. */
int meta_entry_decode(struct slice bytes, struct meta_entry *ret_entry) CHECKED;

/* Append the whole state: the same bytes for the same state. Errors: ERR_FULL. */
int meta_snapshot(const struct meta *meta, struct buf *out) CHECKED;

/* Errors: ERR_DAMAGED, ERR_VERSION; @meta is as before then. */
int meta_restore(struct meta *meta, struct slice bytes) CHECKED;

/* The hash of those bytes. */
uint64_t meta_hash(const struct meta *meta);

#endif
