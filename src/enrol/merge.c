/* One answer of the cluster, made of those of its shards. */
#include "enrol/merge.h"

#include "base/hash.h"
#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"
#include "wire/pack.h"

enum { FINDINGS_MAX = 100 };

struct merging {
    uint32_t count;
    void **replies; /* unpacked, of those shards that have one; NULL else */
    struct arena *scratch;
    struct buf *reply;
};

static void *fresh(struct merging *merging, size_t bytes)
{
    return arena_alloc_zero(merging->scratch, bytes == 0 ? 1 : bytes);
}

static int pack(struct merging *merging, const ProtobufCMessage *message)
{
    return wire_pack(message, merging->reply) == OK ? OK : ERR_NOSPACE_REPLY;
}

/* ---- facts and imports. Every reply is there, but of what is revoked. The receipt of a fact
 * is group 0's, and the same in all. */

static int merge_same(struct merging *merging)
{
    return pack(merging, merging->replies[0]);
}

static int merge_chunk(struct merging *merging)
{
    Carillon__ImportChunkReply *to = merging->replies[0];

    for (uint32_t i = 1; i < merging->count; i++) {
        const Carillon__ImportChunkReply *from = merging->replies[i];

        to->next_sequence =
            from->next_sequence < to->next_sequence ? from->next_sequence : to->next_sequence;
    }
    return pack(merging, &to->base);
}

static int merge_commit(struct merging *merging)
{
    Carillon__ImportCommitReply *to = merging->replies[0];

    for (uint32_t i = 1; i < merging->count; i++) {
        const Carillon__ImportCommitReply *from = merging->replies[i];

        to->added += from->added;
        to->changed += from->changed;
        to->removed += from->removed;
        to->withdrawn += from->withdrawn;
        to->total += from->total;
    }
    return pack(merging, &to->base);
}

static int merge_abort(struct merging *merging)
{
    Carillon__ImportAbortReply *to = merging->replies[0];

    for (uint32_t i = 1; i < merging->count; i++) {
        to->existed =
            to->existed || ((const Carillon__ImportAbortReply *)merging->replies[i])->existed;
    }
    return pack(merging, &to->base);
}

/* A token that all shards have is one token: the most that any has revoked, not the sum. */
static int merge_revoke(struct merging *merging)
{
    Carillon__RevokeReply to = CARILLON__REVOKE_REPLY__INIT;

    for (uint32_t i = 0; i < merging->count; i++) {
        const Carillon__RevokeReply *from = merging->replies[i];

        if (from != NULL) {
            to.revoked = from->revoked > to.revoked ? from->revoked : to.revoked;
            to.receipt = to.receipt == NULL ? from->receipt : to.receipt;
        }
    }
    return pack(merging, &to.base);
}

static int merge_token_revoke(struct merging *merging)
{
    Carillon__TokenRevokeReply to = CARILLON__TOKEN_REVOKE_REPLY__INIT;

    for (uint32_t i = 0; i < merging->count; i++) {
        const Carillon__TokenRevokeReply *from = merging->replies[i];

        if (from != NULL) {
            to.revoked = from->revoked > to.revoked ? from->revoked : to.revoked;
            to.receipt = to.receipt == NULL ? from->receipt : to.receipt;
        }
    }
    return pack(merging, &to.base);
}

/* ---- reads */

static bool is_same(const Carillon__CatalogueItem *a, const Carillon__CatalogueItem *b)
{
    return strcmp(a->institution, b->institution) == 0 && strcmp(a->term, b->term) == 0;
}

/* A shard that has not yet heard of the newest facts says less; the newest counts. */
static void add_item(Carillon__CatalogueItem *to, const Carillon__CatalogueItem *from)
{
    to->courses += from->courses;
    to->sections += from->sections;
    to->seats += from->seats;
    to->courses_without_sections += from->courses_without_sections;
    to->sections_without_limit += from->sections_without_limit;
    to->updated_ms = from->updated_ms > to->updated_ms ? from->updated_ms : to->updated_ms;
}

static int merge_catalogues(struct merging *merging)
{
    Carillon__CataloguesReply to = CARILLON__CATALOGUES_REPLY__INIT;
    size_t most = 0;

    for (uint32_t i = 0; i < merging->count; i++) {
        most += ((const Carillon__CataloguesReply *)merging->replies[i])->n_items;
    }
    to.items = fresh(merging, most * sizeof(void *));
    for (uint32_t i = 0; i < merging->count; i++) {
        const Carillon__CataloguesReply *from = merging->replies[i];

        to.students += from->students;
        to.registrations += from->registrations;
        for (size_t at = 0; at < from->n_items; at++) {
            size_t found = 0;

            while (found < to.n_items && !is_same(to.items[found], from->items[at])) {
                found++;
            }
            if (found < to.n_items) {
                add_item(to.items[found], from->items[at]);
            } else {
                to.items[to.n_items++] = from->items[at];
            }
        }
    }
    return pack(merging, &to.base);
}

/* A finding with its shard's number before it. */
static char *finding_text(struct merging *merging, uint32_t shard, const char *finding)
{
    struct buf text;

    buf_init(&text, 4096);
    int rc = buf_append_format(&text, "shard %u: %s", shard, finding);

    rc = rc == OK ? buf_append_byte(&text, '\0') : rc;
    char *copy = wire_text("a finding too long to tell");

    if (rc == OK) {
        copy = memcpy(arena_alloc(merging->scratch, text.len), text.data, text.len);
    }
    buf_fini(&text);
    return copy;
}

/* The hash tells two clusters apart, or the same at two moments; 0 when one shard moved on. */
static int merge_verify(struct merging *merging)
{
    Carillon__VerifyReply to = CARILLON__VERIFY_REPLY__INIT;
    bool has_moved = false;

    to.ok = true;
    to.findings = fresh(merging, FINDINGS_MAX * sizeof(char *));
    for (uint32_t i = 0; i < merging->count; i++) {
        const Carillon__VerifyReply *from = merging->replies[i];

        to.ok = to.ok && from->ok;
        has_moved = has_moved || from->state_hash == 0;
        to.state_hash = hash_u64(to.state_hash ^ from->state_hash);
        to.sections_checked += from->sections_checked;
        to.students_checked += from->students_checked;
        to.registrations_checked += from->registrations_checked;
        for (size_t at = 0; at < from->n_findings && to.n_findings < FINDINGS_MAX; at++) {
            to.findings[to.n_findings++] = finding_text(merging, i, from->findings[at]);
        }
    }
    to.state_hash = has_moved ? 0 : to.state_hash;
    return pack(merging, &to.base);
}

/* ---- the rows */

static int (*merger_of(uint32_t method))(struct merging *)
{
    switch (method) {
    case CARILLON__METHOD__METHOD_IMPORT_BEGIN:
        return merge_same;
    case CARILLON__METHOD__METHOD_IMPORT_CHUNK:
        return merge_chunk;
    case CARILLON__METHOD__METHOD_IMPORT_COMMIT:
        return merge_commit;
    case CARILLON__METHOD__METHOD_IMPORT_ABORT:
        return merge_abort;
    case CARILLON__METHOD__METHOD_WINDOW:
        return merge_same;
    case CARILLON__METHOD__METHOD_LIMITS:
        return merge_same;
    case CARILLON__METHOD__METHOD_GRANT:
        return merge_same;
    case CARILLON__METHOD__METHOD_REVOKE:
        return merge_revoke;
    case CARILLON__METHOD__METHOD_TOKEN_REVOKE:
        return merge_token_revoke;
    case CARILLON__METHOD__METHOD_CATALOGUES:
        return merge_catalogues;
    case CARILLON__METHOD__METHOD_VERIFY:
        return merge_verify;
    default:
        return NULL;
    }
}

/* The first that failed, or @count; what is revoked need be in one shard only. */
static uint32_t failed(uint32_t method, const struct enrol_merge_part *parts, uint32_t count)
{
    bool is_revoking = method == CARILLON__METHOD__METHOD_REVOKE ||
                       method == CARILLON__METHOD__METHOD_TOKEN_REVOKE;
    uint32_t first = count;

    for (uint32_t i = count; i-- > 0;) {
        if (is_revoking && parts[i].status == OK) {
            return count;
        }
        first = parts[i].status != OK ? i : first;
    }
    return first;
}

int enrol_merge(const struct enrol_merge *merge, struct arena *scratch, struct buf *reply,
                struct buf *text)
{
    int (*merger)(struct merging *) = merger_of(merge->method);
    const struct enrol_merge_part *parts = merge->parts;
    struct merging merging = {.count = merge->count, .scratch = scratch, .reply = reply};

    if (merger == NULL || merge->count == 0) {
        return ERR_METHOD;
    }
    uint32_t first = failed(merge->method, parts, merge->count);

    if (first < merge->count) {
        return ENROL_SAY(text, parts[first].status, "%.*s", (int)parts[first].text.len,
                         parts[first].text.len == 0 ? ""
                                                    : (const char *)parts[first].text.data);
    }
    merging.replies = fresh(&merging, merge->count * sizeof(void *));
    for (uint32_t i = 0; i < merge->count; i++) {
        if (parts[i].status == OK) {
            merging.replies[i] =
                wire_unpack(method_get(merge->method)->reply, parts[i].reply, scratch);
            if (merging.replies[i] == NULL) {
                return ERR_MALFORMED;
            }
        }
    }
    return merger(&merging);
}

/* ---- schedules */

static bool is_of(const Carillon__SectionName *name, uint32_t shards, uint32_t shard)
{
    return campus_shard_of(slice_from_text(name->code), shards) == shard;
}

static int put_name(const Carillon__SectionName *name, struct buf *out)
{
    int rc = pack_bytes(out, slice_from_text(name->institution));

    rc = rc == OK ? pack_bytes(out, slice_from_text(name->code)) : rc;
    rc = rc == OK ? pack_bytes(out, slice_from_text(name->section)) : rc;
    return rc == OK ? pack_bytes(out, slice_from_text(name->term)) : rc;
}

int enrol_schedule_ask(struct slice packed, uint32_t shards, uint32_t shard,
                       struct arena *scratch, struct buf *out)
{
    const Carillon__ScheduleReply *reply =
        wire_unpack(&carillon__schedule_reply__descriptor, packed, scratch);
    uint32_t count = 0;
    int rc = OK;

    if (reply == NULL) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < reply->n_items; i++) {
        count += is_of(reply->items[i]->section, shards, shard);
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        count += is_of(reply->waitlist[i]->section, shards, shard);
    }
    if (count == 0) {
        return OK;
    }
    rc = pack_bytes(out, slice_from_text(reply->student));
    rc = rc == OK ? pack_u64(out, count) : rc;
    for (size_t i = 0; rc == OK && i < reply->n_items; i++) {
        if (is_of(reply->items[i]->section, shards, shard)) {
            rc = put_name(reply->items[i]->section, out);
        }
    }
    for (size_t i = 0; rc == OK && i < reply->n_waitlist; i++) {
        if (is_of(reply->waitlist[i]->section, shards, shard)) {
            rc = put_name(reply->waitlist[i]->section, out);
        }
    }
    return rc;
}

static bool is_named(const Carillon__SectionName *a, const Carillon__SectionName *b)
{
    return strcmp(a->institution, b->institution) == 0 && strcmp(a->code, b->code) == 0 &&
           strcmp(a->section, b->section) == 0 && strcmp(a->term, b->term) == 0;
}

/* Since when he has it is the home's to say. */
static void fill_item(Carillon__ScheduleItem *to, const Carillon__ScheduleItem *from)
{
    const Carillon__ScheduleItem own = *to;

    *to = *from;
    to->since_index = own.since_index;
    to->since_ms = own.since_ms;
}

/* The line is the section's shard's; what a promotion would drop is the home's. */
static void fill_place(Carillon__WaitlistItem *to, const Carillon__WaitlistItem *from)
{
    to->place = from->place;
    to->since_ms = from->since_ms;
    to->skips = from->skips;
    to->last_skip = from->last_skip;
    to->last_skip_ms = from->last_skip_ms;
    to->last_skip_evidence = from->last_skip_evidence;
}

static void fill(Carillon__ScheduleReply *to, const Carillon__ScheduleReply *from)
{
    for (size_t at = 0; at < from->n_items; at++) {
        for (size_t i = 0; i < to->n_items; i++) {
            if (is_named(to->items[i]->section, from->items[at]->section)) {
                fill_item(to->items[i], from->items[at]);
            }
        }
        for (size_t i = 0; i < to->n_waitlist; i++) {
            if (is_named(to->waitlist[i]->section, from->items[at]->section)) {
                to->waitlist[i]->title = from->items[at]->title;
            }
        }
    }
    for (size_t at = 0; at < from->n_waitlist; at++) {
        for (size_t i = 0; i < to->n_waitlist; i++) {
            if (is_named(to->waitlist[i]->section, from->waitlist[at]->section)) {
                fill_place(to->waitlist[i], from->waitlist[at]);
            }
        }
    }
}

int enrol_schedule_fill(struct slice packed, const struct slice *answers, uint32_t count,
                        struct arena *scratch, struct buf *out)
{
    Carillon__ScheduleReply *reply =
        wire_unpack(&carillon__schedule_reply__descriptor, packed, scratch);

    for (uint32_t i = 0; reply != NULL && i < count; i++) {
        const Carillon__ScheduleReply *answer =
            wire_unpack(&carillon__schedule_reply__descriptor, answers[i], scratch);

        if (answer == NULL) {
            return ERR_MALFORMED;
        }
        fill(reply, answer);
    }
    if (reply == NULL) {
        return ERR_MALFORMED;
    }
    reply->credits_hundredths = 0;
    reply->credits_incomplete = false;
    for (size_t i = 0; i < reply->n_items; i++) {
        reply->credits_hundredths += reply->items[i]->credits_hundredths;
        reply->credits_incomplete =
            reply->credits_incomplete || !reply->items[i]->credits_known;
    }
    return wire_pack(&reply->base, out) == OK ? OK : ERR_NOSPACE_REPLY;
}
