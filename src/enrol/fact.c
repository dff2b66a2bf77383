/* Facts of the cluster, applied in group 0's order. */
#include "enrol/fact.h"

#include "enrol/enrol_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/pack.h"

int enrol_fact_pack(const struct enrol_fact *fact, struct buf *out)
{
    int rc = pack_u64(out, fact->number);

    rc = rc == OK ? pack_u64(out, fact->wall_ms) : rc;
    rc = rc == OK ? pack_u64(out, fact->term) : rc;
    rc = rc == OK ? pack_u64(out, fact->index) : rc;
    rc = rc == OK ? pack_u64(out, fact->method) : rc;
    return rc == OK ? pack_bytes(out, fact->body) : rc;
}

int enrol_fact_unpack(struct slice body, struct enrol_fact *ret_fact)
{
    struct unpack in = unpack_from(body);

    ret_fact->number = unpack_u64(&in);
    ret_fact->wall_ms = unpack_u64(&in);
    ret_fact->term = unpack_u64(&in);
    ret_fact->index = unpack_u64(&in);
    ret_fact->method = (uint32_t)unpack_u64_max(&in, UINT16_MAX);
    ret_fact->body = unpack_bytes(&in);
    return unpack_is_done(&in) && ret_fact->number > 0 ? OK : ERR_MALFORMED;
}

uint64_t enrol_fact_newest(const struct enrol *enrol)
{
    return enrol->fact;
}

static bool is_fact(uint32_t method)
{
    switch (method) {
    case CARILLON__METHOD__METHOD_WINDOW:
    case CARILLON__METHOD__METHOD_LIMITS:
    case CARILLON__METHOD__METHOD_GRANT:
    case CARILLON__METHOD__METHOD_REVOKE:
    case CARILLON__METHOD__METHOD_TOKEN_REVOKE:
    case CARILLON__METHOD__METHOD_IMPORT_COMMIT:
    case CARILLON__METHOD__METHOD_IMPORT_ABORT:
        return true;
    default:
        return false;
    }
}

/* What is revoked is in the shard that has it, and the aggregate's to miss; a fact ends what is
 * prepared; an import that is open nowhere is refused in all shards alike. */
static bool is_for_all_to_say(uint32_t method, int rc)
{
    switch (rc) {
    case ERR_GONE:
        return method == CARILLON__METHOD__METHOD_REVOKE ||
               method == CARILLON__METHOD__METHOD_TOKEN_REVOKE;
    case ERR_BUSY:
        return method == CARILLON__METHOD__METHOD_IMPORT_ABORT;
    case ERR_UNKNOWN_IMPORT:
        return method == CARILLON__METHOD__METHOD_IMPORT_COMMIT;
    default:
        return false;
    }
}

int enrol_fact_check(struct enrol *enrol, const struct enrol_entry *entry, struct buf *text)
{
    if (!is_fact(entry->method)) {
        return ENROL_SAY(text, ERR_METHOD, "method %u is no fact of the cluster",
                         entry->method);
    }
    int rc = enrol__check(enrol, entry, text);

    if (is_for_all_to_say(entry->method, rc)) {
        buf_clear(text);
        rc = OK;
    }
    return rc;
}

int enrol__fact_admit(struct enrol *enrol, const struct enrol_entry *entry, struct buf *text)
{
    struct enrol_fact fact;

    if (enrol_fact_unpack(entry->body, &fact) != OK || !is_fact(fact.method)) {
        return ENROL_SAY(text, ERR_MALFORMED, "not a fact of the cluster");
    }
    if (fact.number <= enrol->fact) {
        return ENROL_SAY(text, ERR_EXISTS, "the fact was applied already");
    }
    /* Other shards have it: this one must not wait for memory. Facts are few and small. */
    enrol->reserved += enrol__across_growth(entry->method, entry->body);
    return OK;
}

/* Its answer once more, as far as it is known still: for a leader whose predecessor told
 * nobody. */
static int again(struct enrol_work *work)
{
    const struct enrol_answer *answer = answers_find(&work->enrol->answers, work->entry->key);

    work->result->is_outdated = true;
    if (answer == NULL) {
        return OK;
    }
    enrol__answer_repeat(work->enrol, answer, work->result);
    return work->result->status;
}

bool enrol_fact_answer(struct enrol *enrol, struct slice key, int *ret_status,
                       struct buf *reply, struct buf *text)
{
    const struct enrol_answer *answer =
        key.len == UUID_BYTES ? answers_find(&enrol->answers, key) : NULL;

    if (answer == NULL) {
        return false;
    }
    *ret_status = answer->status == 0 ? OK : error_from_wire(answer->status);
    arena_reset(&enrol->scratch);
    int rc = enrol__answer_reply(enrol, answer, reply);

    rc = rc == OK ? buf_append_slice(text, answer_text(answer)) : rc;
    return rc == OK;
}

int enrol__fact_apply(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    const struct enrol_entry *entry = work->entry;
    struct enrol_entry as = *entry;
    struct enrol_fact fact;

    if (enrol_fact_unpack(entry->body, &fact) != OK || !is_fact(fact.method) ||
        entry->key.len != UUID_BYTES) {
        return ERR_MALFORMED; /* not admitted by any leader */
    }
    if (fact.number <= enrol->fact) {
        return again(work);
    }
    if (fact.number != enrol->fact + 1) {
        return ENROL_SAY(&work->result->text, ERR_ARGUMENT, "fact %llu does not follow %llu",
                         (unsigned long long)fact.number, (unsigned long long)enrol->fact);
    }
    enrol->fact = fact.number;
    as.method = fact.method;
    as.body = fact.body;
    work->entry = &as;
    work->asked_ms = fact.wall_ms;
    work->fact = &fact;
    enrol__apply_keyed(work);
    work->entry = entry;
    work->fact = NULL;
    return work->result->status;
}
