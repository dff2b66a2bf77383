/* Facts of the cluster: group 0 puts them in order, the leader of each shard copies them into
 * its log, and who asked hears when every shard has applied them (docs/spec/enrol.md, facts and
 * imports). */
#include "base/assert.h"
#include "enrol/fact.h"
#include "enrol/route.h"
#include "enrol/staging.h"
#include "node/event.h"
#include "node/spread.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"
#include "wire/pack.h"

enum { OWN_DEADLINE_MS = 10000 };

/* ---- copying */

/* The one in group 0's list that comes next in the shard, or NULL. */
static const struct meta_fact *next_fact(const struct shard *shard)
{
    const struct meta *meta = &shard->node->meta;
    uint64_t next = enrol_fact_newest(shard->enrol) + 1;

    for (uint32_t i = 0; i < meta->fact_count; i++) {
        if (meta->facts[i].number == next) {
            return &meta->facts[i];
        }
    }
    return NULL;
}

void node__facts_copy(struct shard *shard)
{
    struct node *node = shard->node;
    const struct meta_fact *fact = next_fact(shard);

    if (!shard->is_leading || shard->fact_proposed != 0 || fact == NULL || node->is_closing) {
        return;
    }
    const struct enrol_fact copied = {
        .number = fact->number,
        .wall_ms = fact->wall_ms,
        .term = fact->term,
        .index = fact->index,
        .method = fact->method,
        .body = slice_from(fact->body, fact->body_len),
    };
    struct buf body;

    buf_init(&body, NODE_ENTRY_BYTES_MAX);
    int rc = enrol_fact_pack(&copied, &body);
    ASSERT(rc == OK);
    rc = node__propose_keyed(shard, ENROL_ENTRY_FACT, slice_from(fact->key, META_FACT_KEY_BYTES),
                             buf_slice(&body), &shard->fact_proposed);
    if (rc != OK) {
        shard->fact_proposed = 0; /* the next tick tries */
    }
    buf_fini(&body);
}

void node__facts_copy_all(struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        node__facts_copy(&node->shards[i]);
    }
}

/* ---- what became of one */

static void pack_number(uint64_t number, struct slice key, struct buf *out)
{
    buf_clear(out);
    int rc = pack_u64(out, number);
    rc = rc == OK ? pack_bytes(out, key) : rc;
    ASSERT(rc == OK);
}

int node__fact_read(struct shard *shard, struct slice body, struct buf *reply, struct buf *text)
{
    struct unpack in = unpack_from(body);
    uint64_t number = unpack_u64(&in);
    struct slice key = unpack_bytes(&in);
    int status = OK;

    if (!unpack_is_done(&in)) {
        return ERR_MALFORMED;
    }
    if (enrol_fact_newest(shard->enrol) < number) {
        return ERR_BUSY;
    }
    return key.len == 0 || enrol_fact_answer(shard->enrol, key, &status, reply, text)
               ? status
               : ERR_KEY_EXPIRED;
}

/* ---- ordering */

void node__fact(struct node *node, const struct node_call *call,
                const struct envelope_request *request)
{
    const struct asker *asker = &call->asker;
    const struct enrol_entry judged = {
        .wall_ms = node__wall_ms(node),
        .method = request->method,
        .key = request->key,
        .body = request->body,
        .hint = ENROL_HINT_NONE,
    };
    struct meta_entry entry = {
        .kind = META_FACT,
        .fact = {.method = request->method, .key = request->key, .body = request->body},
    };
    struct enrol_route route = enrol_route(request->method, request->body, node->shard_count);
    /* a client's abort goes to every shard; what is prepared is ended by a fact alone */
    bool is_fact = route.kind == ENROL_ROUTE_FACT ||
                   request->method == CARILLON__METHOD__METHOD_IMPORT_ABORT;
    int rc = is_fact ? OK : ERR_METHOD;

    rc = rc == OK && node->is_closing ? ERR_STOPPED : rc;
    rc = rc == OK ? enrol_fact_check(node->shards[0].enrol, &judged, &node->text) : rc;
    struct spread *spread = rc == OK ? node__spread_take(node, call, request) : NULL;
    rc = rc == OK && spread == NULL ? ERR_BUSY : rc;
    rc = rc == OK ? node__meta_propose(node, &entry, &spread->fact_index) : rc;
    if (rc != OK) {
        node__answer_error(node, asker->name, asker->id, rc);
        return;
    }
    spread->step = SPREAD_FACT_ORDER;
    node__owe(asker);
}

static void ask_again(struct spread *spread)
{
    struct node *node = spread->node;
    bool is_told = spread->step == SPREAD_FACT_ALL;

    pack_number(spread->fact_number, is_told ? buf_slice(&spread->key) : SLICE_NONE,
                &spread->body);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (!spread->parts[i].is_done && !spread->parts[i].is_asked) {
            node__spread_ask(spread, i,
                             &(struct spread_question){.group = NODE_GROUP_SHARD + i,
                                                       .method = NODE_READ_FACT,
                                                       .body = buf_slice(&spread->body)});
        }
    }
}

void node__facts_applied(struct node *node, uint64_t index, int status)
{
    node__facts_copy_all(node);
    for (uint32_t i = 0; i < NODE_SPREADS_MAX; i++) {
        struct spread *spread = &node->spreads[i];

        if (spread->step != SPREAD_FACT_ORDER || spread->fact_index != index) {
            continue;
        }
        if (status != OK) {
            buf_clear(&node->text);
            node__spread_pay_error(spread, status);
            continue;
        }
        spread->step = SPREAD_FACT_ALL;
        spread->fact_number = node->meta.fact_newest;
        ask_again(spread);
    }
}

void node__facts_lost(struct node *node)
{
    for (uint32_t i = 0; node->spreads != NULL && i < NODE_SPREADS_MAX; i++) {
        struct spread *spread = &node->spreads[i];

        if (spread->step == SPREAD_FACT_ORDER) {
            buf_clear(&node->text);
            node__spread_pay_error(spread, ERR_TIMEOUT);
        }
    }
}

/* ---- forgetting */

static void forget(struct node *node, uint64_t number)
{
    struct meta_entry entry = {.kind = META_FACTS_APPLIED, .fact = {.number = number}};
    uint64_t index;

    if (node->is_leading_meta && !node->is_closing) {
        (void)!node__meta_propose(node, &entry, &index); /* else it is looked at once more */
    }
}

static struct spread *own_spread(struct node *node, const struct envelope_request *request)
{
    static const struct conn_who nobody = {.roles = METHOD_ROLE_REGISTRAR};
    const struct node_call call = {
        .asker = {.name = {.slot = NODE_ASK_SLOT}},
        .who = &nobody,
        .deadline_ns = io_now_ns(node->io) + (uint64_t)OWN_DEADLINE_MS * 1000000,
    };
    struct spread *spread = node__spread_take(node, &call, request);

    if (spread != NULL) {
        spread->is_own = true;
    }
    return spread;
}

static bool is_followed(const struct node *node)
{
    for (uint32_t i = 0; i < NODE_SPREADS_MAX; i++) {
        enum spread_step step = node->spreads[i].step;

        if (step == SPREAD_FACT_ALL || step == SPREAD_FACT_OLD) {
            return true;
        }
    }
    return false;
}

/* An import that was prepared and never ended would keep its chunks for ever. */
static void end_prepared(struct shard *shard)
{
    struct node *node = shard->node;
    struct uuid import;
    uint64_t since_ms;
    uint8_t random[10];

    for (size_t n = 0; enrol_prepared_import(shard->enrol, n, &import, &since_ms); n++) {
        Carillon__ImportAbortRequest message = CARILLON__IMPORT_ABORT_REQUEST__INIT;

        if (node__wall_ms(node) < since_ms + ENROL_PREPARED_MS) {
            continue;
        }
        io_random(node->io, random, sizeof random);
        struct uuid key = uuid_make(node__wall_ms(node), random);
        message.import_id = wire_binary(slice_from(import.bytes, sizeof import.bytes));
        buf_clear(&node->body);
        int rc = wire_pack(&message.base, &node->body);
        ASSERT(rc == OK);
        struct spread *spread = own_spread(
            node, &(struct envelope_request){.method = CARILLON__METHOD__METHOD_IMPORT_ABORT,
                                             .key = slice_from(key.bytes, sizeof key.bytes),
                                             .body = buf_slice(&node->body)});
        if (spread != NULL) {
            event_log(EVENT_WARNING, "import-given-up", "reason=\"prepared and never ended\"");
            node__fact_pass_on(spread, spread->method);
        }
        return;
    }
}

void node__facts_look(struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].is_leading) {
            end_prepared(&node->shards[i]);
        }
    }
    if (!node->is_leading_meta || node->meta.fact_count == 0 || is_followed(node)) {
        return;
    }
    struct spread *spread =
        own_spread(node, &(struct envelope_request){.method = CARILLON__METHOD__METHOD_WINDOW});
    if (spread != NULL) {
        spread->step = SPREAD_FACT_OLD;
        spread->fact_number = node->meta.fact_newest;
        ask_again(spread);
    }
}

void node__spread_tick(struct node *node)
{
    uint64_t now = io_now_ns(node->io);

    for (uint32_t i = 0; i < NODE_SPREADS_MAX; i++) {
        struct spread *spread = &node->spreads[i];
        bool is_polled = spread->step == SPREAD_FACT_ALL || spread->step == SPREAD_FACT_OLD;

        bool is_unheard = spread->step == SPREAD_IMPORT_FACT && spread->awaited == 0;

        if (!is_polled && !is_unheard && spread->step != SPREAD_FACT_ORDER) {
            continue;
        }
        if (now > spread->deadline_ns) {
            buf_clear(&node->text);
            (void)!buf_append_text(&node->text, "not every shard has applied it yet; safe to "
                                                "ask again with the same key");
            node__spread_pay_error(spread, ERR_TIMEOUT);
        } else if (is_polled) {
            ask_again(spread);
        } else if (is_unheard) {
            node__fact_pass_on(spread, spread->fact_method);
        }
    }
}

/* ---- imports */

void node__fact_pass_on(struct spread *spread, uint32_t method)
{
    spread->step = SPREAD_IMPORT_FACT;
    spread->fact_method = method;
    node__spread_ask(spread, 0,
                     &(struct spread_question){.group = NODE_GROUP_META,
                                               .method = method,
                                               .key = buf_slice(&spread->key),
                                               .body = buf_slice(&spread->body)});
}

static int ask_import(struct spread *spread, enum spread_step step, uint32_t method)
{
    int (*ask)(struct slice key, struct slice body, struct buf *out) =
        spread->method == CARILLON__METHOD__METHOD_IMPORT_BEGIN ? enrol_begin_ask
                                                                : enrol_staging_ask;
    struct buf question;

    buf_init(&question, NODE_ENTRY_BYTES_MAX);
    int rc = ask(buf_slice(&spread->key), buf_slice(&spread->body), &question);
    if (rc == OK) {
        spread->step = step;
        node__spread_ask_all(spread, method, SLICE_NONE, buf_slice(&question));
    }
    buf_fini(&question);
    return rc;
}

int node__import_ask(struct spread *spread)
{
    return ask_import(spread, SPREAD_IMPORT_READ, ENROL_READ_IMPORT);
}

/* What the shards have. Errors: of the first that did not say. */
static int staging_parts(struct spread *spread, struct enrol_staging **ret_parts)
{
    struct node *node = spread->node;
    int rc = OK;

    arena_reset(&node->scratch);
    struct enrol_staging *parts =
        arena_alloc_zero(&node->scratch, node->shard_count * sizeof *parts);
    for (uint32_t i = 0; i < node->shard_count && rc == OK; i++) {
        rc = spread->parts[i].status;
        if (rc == OK) {
            rc = enrol_staging_unpack(buf_slice(&spread->parts[i].reply), &parts[i]);
        } else {
            (void)!buf_append_slice(&node->text, buf_slice(&spread->parts[i].text));
        }
    }
    *ret_parts = parts;
    return rc;
}

/* The end that group 0 is asked for is not the client's: it has a key of its own. */
static void give_up(struct spread *spread, int status)
{
    struct node *node = spread->node;
    Carillon__ImportAbortRequest message = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    const Carillon__ImportCommitRequest *commit = wire_unpack(
        &carillon__import_commit_request__descriptor, buf_slice(&spread->body), &node->scratch);
    uint8_t random[10];

    ASSERT(commit != NULL); /* the shards have read it */
    io_random(node->io, random, sizeof random);
    struct uuid key = uuid_make(node__wall_ms(node), random);
    message.import_id = commit->import_id;
    spread->status = status;
    buf_clear(&spread->key);
    buf_clear(&spread->body);
    int rc = buf_append(&spread->key, key.bytes, sizeof key.bytes);
    rc = rc == OK ? wire_pack(&message.base, &spread->body) : rc;
    ASSERT(rc == OK);
    node__fact_pass_on(spread, CARILLON__METHOD__METHOD_IMPORT_ABORT);
}

/* One that comes late, when some shards have had it and a later one after it, would drop that
 * in the others, and be over itself. */
static void begin_judge(struct spread *spread, const struct enrol_staging *parts)
{
    int rc = enrol_begin_judge(parts, spread->node->shard_count, &spread->node->text);

    if (rc == OK) {
        node__spread_every(spread);
    } else {
        node__spread_pay_error(spread, rc);
    }
}

static void commit_judge(struct spread *spread, const struct enrol_staging *parts)
{
    struct node *node = spread->node;
    struct enrol_staging_verdict verdict;
    int rc;

    verdict = spread->step == SPREAD_IMPORT_READ
                  ? enrol_staging_judge(parts, node->shard_count, buf_slice(&spread->body),
                                        &node->text)
                  : enrol_staging_decide(parts, node->shard_count, &node->text);
    switch ((enum enrol_staging_next)verdict.next) {
    case ENROL_STAGING_PREPARE:
        rc = ask_import(spread, SPREAD_IMPORT_PREPARE, ENROL_ENTRY_PREPARE);
        ASSERT(rc == OK); /* it was packed before */
        break;
    case ENROL_STAGING_FACT:
        node__fact_pass_on(spread, spread->method);
        break;
    case ENROL_STAGING_ABORT:
        give_up(spread, verdict.status);
        break;
    case ENROL_STAGING_REFUSE:
        node__spread_pay_error(spread, verdict.status);
        break;
    }
}

static void import_judge(struct spread *spread)
{
    struct enrol_staging *parts;

    buf_clear(&spread->node->text);
    int rc = staging_parts(spread, &parts);
    if (rc != OK) {
        /* after PREPARE nobody knows who took it: the same key comes to the same end */
        node__spread_pay_error(spread, spread->step == SPREAD_IMPORT_READ ? rc : ERR_TIMEOUT);
    } else if (spread->method == CARILLON__METHOD__METHOD_IMPORT_BEGIN) {
        begin_judge(spread, parts);
    } else {
        commit_judge(spread, parts);
    }
}

static bool is_to_be_asked_again(int status)
{
    return status == ERR_BUSY || status == ERR_NOT_LEADER || status == ERR_TIMEOUT ||
           status == ERR_STOPPED;
}

static void import_end(struct spread *spread)
{
    struct node *node = spread->node;
    struct spread_part *part = &spread->parts[0];

    buf_clear(&node->text);
    buf_clear(&node->body);
    (void)!buf_append_slice(&node->text, buf_slice(&part->text));
    (void)!buf_append_slice(&node->body, buf_slice(&part->reply));
    if (is_to_be_asked_again(part->status)) {
        part->is_done = false; /* shards are prepared: this is no time to say no */
    } else if (spread->status != OK) { /* it was given up */
        buf_clear(&node->text);
        node__spread_pay_error(spread, spread->status);
    } else {
        node__spread_pay(spread, part->status);
    }
}

/* ---- the steps */

/* All have answered: whoever has not applied it yet is asked again by the next tick. */
static void fact_end(struct spread *spread)
{
    struct node *node = spread->node;
    bool is_everywhere = true;

    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct spread_part *part = &spread->parts[i];

        if (is_to_be_asked_again(part->status)) {
            part->is_done = false;
            is_everywhere = false;
        }
    }
    if (!is_everywhere) {
        return;
    }
    forget(node, spread->fact_number);
    if (spread->step == SPREAD_FACT_OLD) {
        node__spread_pay_error(spread, OK);
        return;
    }
    node__spread_merge(spread);
}

void node__fact_next(struct spread *spread)
{
    if (spread->step == SPREAD_IMPORT_READ || spread->step == SPREAD_IMPORT_PREPARE) {
        import_judge(spread);
    } else if (spread->step == SPREAD_IMPORT_FACT) {
        import_end(spread);
    } else {
        fact_end(spread);
    }
}
