/* SHOW over several shards: the questions, and one answer. */
#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "enrol/merge.h"
#include "enrol/route.h"
#include "proto/envelope.pb-c.h"
#include "wire/field.h"
#include "wire/message.h"
#include "wire/pack.h"

enum { REQUEST_STUDENT = 4 }; /* a field of ShowRequest */

bool enrol_show_home(struct slice body, uint32_t shards, uint32_t *ret_home, struct buf *out)
{
    struct slice token = field_find(body, REQUEST_STUDENT);

    if (token.len == 0) {
        return false;
    }
    *ret_home = campus_shard_of(token, shards);
    return *ret_home != enrol_route(CARILLON__METHOD__METHOD_SHOW, body, shards).shard &&
           pack_bytes(out, token) == OK;
}

int enrol_show_ask(struct slice body, struct slice record, struct buf *out)
{
    int rc = pack_bytes(out, record);

    return rc == OK ? pack_bytes(out, body) : rc;
}

static int put_code(const char *institution, const char *code, struct buf *out)
{
    int rc = pack_bytes(out, slice_from_text(institution));

    return rc == OK ? pack_bytes(out, slice_from_text(code)) : rc;
}

/* Of what institution a code is that the rule names, from its node @at on. */
static const char *institution_of(const Carillon__Course *course, const char *code, size_t *at)
{
    for (size_t i = *at; i < course->n_prerequisites; i++) {
        const Carillon__RuleNode *node = course->prerequisites[i];

        if (strcmp(node->code, code) == 0) {
            *at = i + 1;
            return node->institution[0] != '\0' ? node->institution : course->institution;
        }
    }
    return course->institution;
}

/* Unknown codes stand in the order of the rule. One that lies in the course's own shard may
 * stand there twice, known and unknown: nobody else knows it. */
static int put_unknown(const Carillon__ShowReply *reply, struct buf *out)
{
    size_t at = 0;
    int rc = pack_u64(out, reply->n_unknown_codes);

    for (size_t i = 0; rc == OK && i < reply->n_unknown_codes; i++) {
        const char *code = reply->unknown_codes[i];

        rc = put_code(institution_of(reply->course, code, &at), code, out);
    }
    return rc;
}

int enrol_show_ask_others(struct slice packed, struct arena *scratch, struct buf *out)
{
    const Carillon__ShowReply *reply =
        wire_unpack(&carillon__show_reply__descriptor, packed, scratch);

    if (reply == NULL || reply->course == NULL) {
        return ERR_MALFORMED;
    }
    int rc = put_code(reply->course->institution, reply->course->code, out);
    return rc == OK ? put_unknown(reply, out) : rc;
}

static void add_unlocks(Carillon__ShowReply *to, const Carillon__ShowReply *from)
{
    for (size_t i = 0; i < from->n_unlocks && to->n_unlocks < ENROL_UNLOCKS_MAX; i++) {
        to->unlocks[to->n_unlocks++] = from->unlocks[i];
    }
}

int enrol_show_fill(struct slice packed, const struct slice *answers, uint32_t count,
                    bool is_all, struct arena *scratch, struct buf *out)
{
    Carillon__ShowReply *reply =
        wire_unpack(&carillon__show_reply__descriptor, packed, scratch);

    if (reply == NULL) {
        return ERR_MALFORMED;
    }
    const Carillon__ShowReply own = *reply;
    bool *is_known = arena_alloc_zero(scratch, (own.n_unknown_codes + 1) * sizeof *is_known);

    reply->unlocks = arena_alloc(scratch, ENROL_UNLOCKS_MAX * sizeof(char *));
    reply->n_unlocks = 0;
    add_unlocks(reply, &own);
    for (uint32_t i = 0; i < count; i++) {
        const Carillon__ShowReply *from =
            wire_unpack(&carillon__show_reply__descriptor, answers[i], scratch);

        if (from == NULL || from->n_ticks != own.n_unknown_codes) {
            return ERR_MALFORMED;
        }
        add_unlocks(reply, from);
        for (size_t at = 0; at < from->n_ticks; at++) {
            is_known[at] = is_known[at] || from->ticks[at]->met;
        }
    }
    reply->n_unknown_codes = 0;
    for (size_t i = 0; is_all && i < own.n_unknown_codes; i++) {
        if (!is_known[i]) {
            reply->unknown_codes[reply->n_unknown_codes++] = own.unknown_codes[i];
        }
    }
    return wire_pack(&reply->base, out) == OK ? OK : ERR_NOSPACE_REPLY;
}
