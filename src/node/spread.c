/* A request that several shards answer: it is asked of each shard's leader, and one answer is
 * made of theirs. */
#include "base/assert.h"
#include "enrol/route.h"
#include "enrol/staging.h"
#include "node/event.h"
#include "node/spread.h"
#include "proto/envelope.pb-c.h"
#include "wire/field_append.h"

enum { /* numbers of the fields of Request */
    REQUEST_METHOD = 2,
    REQUEST_KEY = 3,
    REQUEST_DEADLINE = 4,
    REQUEST_BODY = 5,
};

/* ---- places */

struct spread *node__spread_take(struct node *node, const struct node_call *call,
                                 const struct envelope_request *request)
{
    struct spread *spread = NULL;

    for (uint32_t i = 0; i < NODE_SPREADS_MAX && spread == NULL; i++) {
        spread = node->spreads[i].step == SPREAD_FREE ? &node->spreads[i] : NULL;
    }
    if (spread == NULL) {
        return NULL;
    }
    spread->node = node;
    spread->conn = call->asker.name;
    spread->id = call->asker.id;
    spread->who = *call->who;
    spread->method = request->method;
    spread->deadline_ns = call->deadline_ns;
    spread->awaited = 0;
    spread->status = OK;
    spread->is_own = false;
    spread->is_stale_ok = false;
    buf_clear(&spread->key);
    buf_clear(&spread->body);
    int rc = buf_append_slice(&spread->key, request->key);
    rc = rc == OK ? buf_append_slice(&spread->body, request->body) : rc;
    ASSERT(rc == OK); /* they came in a frame */
    for (uint32_t i = 0; i < node->shard_count; i++) {
        spread->parts[i].is_done = false;
        spread->parts[i].is_asked = false;
        buf_clear(&spread->parts[i].reply);
        buf_clear(&spread->parts[i].text);
    }
    return spread;
}

static void give(struct spread *spread)
{
    spread->step = SPREAD_FREE;
    spread->generation++;
}

void node__spreads_make(struct node *node)
{
    node->spreads = arena_alloc_zero(&node->arena, NODE_SPREADS_MAX * sizeof *node->spreads);
    buf_init(&node->packed, NODE_ENTRY_BYTES_MAX + NODE_TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < NODE_SPREADS_MAX; i++) {
        struct spread *spread = &node->spreads[i];

        spread->parts =
            arena_alloc_zero(&node->arena, node->shard_count * sizeof *spread->parts);
        buf_init(&spread->key, NODE_ENTRY_BYTES_MAX);
        buf_init(&spread->body, NODE_ENTRY_BYTES_MAX);
        for (uint32_t part = 0; part < node->shard_count; part++) {
            buf_init(&spread->parts[part].reply, NODE_ENTRY_BYTES_MAX);
            buf_init(&spread->parts[part].text, NODE_TEXT_BYTES_MAX);
        }
    }
}

void node__spread_fini(struct node *node)
{
    for (uint32_t i = 0; node->spreads != NULL && i < NODE_SPREADS_MAX; i++) {
        struct spread *spread = &node->spreads[i];

        buf_fini(&spread->key);
        buf_fini(&spread->body);
        for (uint32_t part = 0; part < node->shard_count; part++) {
            buf_fini(&spread->parts[part].reply);
            buf_fini(&spread->parts[part].text);
        }
    }
    buf_fini(&node->packed);
}

/* ---- the end */

void node__spread_pay_error(struct spread *spread, int status)
{
    if (!spread->is_own) {
        node__pay_error(spread->node, spread->conn, spread->id, status);
    }
    give(spread);
}

void node__spread_pay(struct spread *spread, int status)
{
    struct node *node = spread->node;
    struct conn_answer answer = {
        .id = spread->id, .status = status, .body = buf_slice(&node->body)};

    if (status != OK && node->text.len > 0) {
        answer.text = buf_text(&node->text);
    }
    if (spread->is_stale_ok) {
        answer.stale = node__stale_pack(node, &spread->age);
    }
    if (error_is_retryable(status)) {
        answer.retry_after_ms = NODE_RETRY_AFTER_MS;
    }
    if (!spread->is_own) {
        node__pay(node, spread->conn, &answer);
    }
    give(spread);
}

/* Nothing happened there, and nothing will. */
static bool is_never(int status)
{
    return status == ERR_BUSY || status == ERR_NOT_LEADER || status == ERR_DISK_FULL ||
           status == ERR_FULL || status == ERR_STOPPED;
}

/* A change that some shards took and others could not is neither a yes nor a no. */
static bool is_half_done(const struct spread *spread)
{
    const struct method *method = method_get(spread->method);
    uint32_t never = 0;

    for (uint32_t i = 0; i < spread->node->shard_count; i++) {
        never += is_never(spread->parts[i].status);
    }
    return method->kind == METHOD_KIND_WRITE && never > 0 && never < spread->node->shard_count;
}

void node__spread_merge(struct spread *spread)
{
    struct node *node = spread->node;

    buf_clear(&node->text);
    buf_clear(&node->body);
    arena_reset(&node->scratch);
    if (is_half_done(spread)) {
        (void)!buf_append_text(&node->text, "some shards took it and others could not; safe to "
                                            "try again with the same key");
        node__spread_pay(spread, ERR_TIMEOUT);
        return;
    }
    struct enrol_merge_part *parts =
        arena_alloc(&node->scratch, node->shard_count * sizeof *parts);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct spread_part *part = &spread->parts[i];

        parts[i] = (struct enrol_merge_part){part->status, buf_slice(&part->text),
                                             buf_slice(&part->reply)};
    }
    struct enrol_merge merge = {
        .method = spread->method, .count = node->shard_count, .parts = parts};
    int rc = enrol_merge(&merge, &node->scratch, &node->body, &node->text);
    node__spread_pay(spread, rc);
}

/* ---- asking */

static int pack(struct node *node, const struct envelope_request *request)
{
    struct buf *out = &node->packed;

    buf_clear(out);
    int rc = field_append_number(out, REQUEST_METHOD, request->method);
    rc = rc == OK ? field_append_text(out, REQUEST_KEY, request->key) : rc;
    rc = rc == OK ? field_append_number(out, REQUEST_DEADLINE, request->deadline_ms) : rc;
    return rc == OK ? field_append_text(out, REQUEST_BODY, request->body) : rc;
}

void node__spread_ask(struct spread *spread, uint32_t part, const struct spread_question *of)
{
    struct node *node = spread->node;
    uint64_t now = io_now_ns(node->io);
    uint64_t left_ms = spread->deadline_ns > now ? (spread->deadline_ns - now) / 1000000 : 0;
    const struct envelope_request request = {
        .method = of->method,
        .key = of->key,
        .body = of->body,
        .deadline_ms = (uint32_t)(left_ms > 0 ? left_ms : 1),
        .is_stale_ok = spread->is_stale_ok,
    };
    struct node_call call = {
        .asker = {.name = {.slot = NODE_ASK_SLOT},
                  .id = (uint64_t)spread->generation << 32 |
                        (uint64_t)(spread - node->spreads) << 16 | part},
        .deadline_ns = spread->deadline_ns,
        .who = &spread->who,
        .method = method_get(of->method),
        .group = of->group,
        .is_addressed = true,
    };

    spread->parts[part].is_asked = true;
    spread->parts[part].is_done = false;
    spread->awaited++;
    buf_clear(&node->text);
    if (pack(node, &request) != OK) {
        node__answer_error(node, call.asker.name, call.asker.id, ERR_TOO_LARGE);
        return;
    }
    call.payload = buf_slice(&node->packed);
    node__pass(node, &call, &request);
}

void node__spread_ask_all(struct spread *spread, uint32_t method, struct slice key,
                          struct slice body)
{
    for (uint32_t i = 0; i < spread->node->shard_count; i++) {
        const struct spread_question question = {
            .group = NODE_GROUP_SHARD + i, .method = method, .key = key, .body = body};

        node__spread_ask(spread, i, &question);
    }
}

/* ---- step by step */

static void page_end(struct spread *spread)
{
    struct node *node = spread->node;
    struct spread_part *part = &spread->parts[spread->shard];
    int rc = part->status;

    buf_clear(&node->body);
    buf_clear(&node->text);
    if (rc == OK) {
        rc = enrol_page_close(spread->method, spread->shard, node->shard_count,
                              buf_slice(&part->reply), &node->body);
    } else {
        (void)!buf_append_slice(&node->text, buf_slice(&part->text));
    }
    node__spread_pay(spread, rc);
}

void node__spread_next(struct spread *spread)
{
    switch (spread->step) {
    case SPREAD_ALL:
        node__spread_merge(spread);
        break;
    case SPREAD_PAGE:
        page_end(spread);
        break;
    case SPREAD_SCHEDULE_HOME:
    case SPREAD_SCHEDULE:
    case SPREAD_SHOW_HOME:
    case SPREAD_SHOW_COURSE:
    case SPREAD_SHOW:
        node__spread_read_next(spread);
        break;
    case SPREAD_IMPORT_READ:
    case SPREAD_IMPORT_PREPARE:
    case SPREAD_IMPORT_FACT:
    case SPREAD_FACT_ALL:
    case SPREAD_FACT_OLD:
        node__fact_next(spread);
        break;
    case SPREAD_FACT_ORDER:
    case SPREAD_FREE:
        UNREACHABLE();
    }
}

void node__spread_answered(struct node *node, const struct spread_answer *answer)
{
    struct spread *spread = &node->spreads[answer->id >> 16 & 0xffff];
    struct spread_part *part = &spread->parts[answer->id & 0xffff];

    if (spread->step == SPREAD_FREE || spread->generation != (uint32_t)(answer->id >> 32)) {
        return;
    }
    ASSERT(part->is_asked && !part->is_done && spread->awaited > 0);
    part->is_asked = false;
    part->is_done = true;
    part->status = answer->status;
    buf_clear(&part->reply);
    buf_clear(&part->text);
    if (buf_append_slice(&part->reply, answer->body) != OK) {
        part->status = ERR_NOSPACE_REPLY;
    }
    (void)!buf_append_slice(&part->text, answer->text);
    spread->awaited--;
    if (spread->awaited == 0) {
        node__spread_next(spread);
    }
}

/* ---- beginning */

static int begin_page(struct spread *spread)
{
    struct node *node = spread->node;
    struct buf body;

    buf_init(&body, NODE_ENTRY_BYTES_MAX);
    int rc = enrol_page_open(spread->method, buf_slice(&spread->body), node->shard_count,
                             &spread->shard, &body);
    if (rc == OK) {
        const struct spread_question question = {.group = NODE_GROUP_SHARD + spread->shard,
                                                 .method = spread->method,
                                                 .body = buf_slice(&body)};

        spread->step = SPREAD_PAGE;
        node__spread_ask(spread, spread->shard, &question);
    }
    buf_fini(&body);
    return rc;
}

/* Each shard gets a chunk, if an empty one, so that all count them alike. */
static int begin_split(struct spread *spread)
{
    struct node *node = spread->node;
    struct buf body;
    int rc = OK;

    buf_init(&body, NODE_ENTRY_BYTES_MAX);
    spread->step = SPREAD_ALL;
    for (uint32_t i = 0; i < node->shard_count && rc == OK; i++) {
        buf_clear(&body);
        rc = enrol_chunk_split(buf_slice(&spread->body), node->shard_count, i, &body);
        if (rc == OK) {
            const struct spread_question question = {.group = NODE_GROUP_SHARD + i,
                                                     .method = spread->method,
                                                     .key = buf_slice(&spread->key),
                                                     .body = buf_slice(&body)};

            node__spread_ask(spread, i, &question);
        }
    }
    buf_fini(&body);
    return rc;
}

void node__spread_every(struct spread *spread)
{
    spread->step = SPREAD_ALL;
    node__spread_ask_all(spread, spread->method, buf_slice(&spread->key),
                         buf_slice(&spread->body));
}

static int begin(struct spread *spread, const struct enrol_route *route)
{
    if (spread->method == CARILLON__METHOD__METHOD_IMPORT_COMMIT) {
        return node__import_ask(spread);
    }
    if (spread->method == CARILLON__METHOD__METHOD_IMPORT_BEGIN &&
        node__import_ask(spread) == OK) {
        return OK; /* else the shards say what is wrong with it */
    }
    if (route->kind == ENROL_ROUTE_PAGES) {
        return begin_page(spread);
    }
    if (route->kind == ENROL_ROUTE_SPLIT) {
        return begin_split(spread);
    }
    if (route->kind == ENROL_ROUTE_EVERY) {
        node__spread_every(spread);
        return OK;
    }
    node__spread_read(spread, route->shard);
    return OK;
}

static bool is_one_groups(const struct enrol_route *route, uint32_t method)
{
    bool is_more =
        method == CARILLON__METHOD__METHOD_SCHEDULE || method == CARILLON__METHOD__METHOD_SHOW;

    return (route->kind == ENROL_ROUTE_SHARD && !is_more) ||
           (route->kind == ENROL_ROUTE_FACT &&
            method != CARILLON__METHOD__METHOD_IMPORT_COMMIT);
}

void node__spread(struct node *node, struct node_call *call,
                  const struct envelope_request *request)
{
    struct enrol_route route = enrol_route(request->method, request->body, node->shard_count);

    if (is_one_groups(&route, request->method)) {
        call->group =
            route.kind == ENROL_ROUTE_FACT ? NODE_GROUP_META : NODE_GROUP_SHARD + route.shard;
        node__pass(node, call, request);
        return;
    }
    struct spread *spread = node__spread_take(node, call, request);
    if (spread == NULL) {
        node__answer_error(node, call->asker.name, call->asker.id, ERR_BUSY);
        return;
    }
    node__owe(&call->asker);
    spread->is_stale_ok = node__is_stale_ok(node, request);
    int rc = spread->is_stale_ok ? node__stale_look(node, NULL, &spread->age) : OK;

    rc = rc == OK ? begin(spread, &route) : rc;
    if (rc != OK) {
        node__spread_pay_error(spread, rc);
    }
}

/* ---- at the leader of a shard */

bool node__is_between_nodes(uint32_t method)
{
    return method == NODE_READ_FACT || method == ENROL_ENTRY_PREPARE ||
           (method >= ENROL_READ_IMPORT && method < ENROL_READ_END);
}

void node__shard_take(struct shard *shard, const struct node_call *call,
                      const struct envelope_request *request)
{
    bool is_read = call->method == NULL ? request->method != ENROL_ENTRY_PREPARE
                                        : call->method->kind == METHOD_KIND_READ;

    if (is_read) {
        node__read(shard, call, request);
    } else if (request->method == CARILLON__METHOD__METHOD_SUBMIT ||
               request->method == CARILLON__METHOD__METHOD_PERMIT) {
        node__across_write(shard, call, request);
    } else {
        node__write(shard, &call->asker, request, call->deadline_ns);
    }
}
