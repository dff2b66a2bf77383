/* Attempts across shards, at the shards' leaders: what the machine in enrol asks for is done
 * here, in its order. */
#include "base/assert.h"
#include "enrol/across.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"

enum { DRAIN_PASSES = 8 };

/* What comes back to a machine, or to a request that asks several shards, when the call that
 * caused it has ended: no machine is called from within another call of it. */
enum inbox_kind {
    INBOX_MESSAGE = 1,  /* of another shard's leader, in this node */
    INBOX_READ_POINT,   /* is reached */
    INBOX_NOT_PROPOSED, /* an entry that was to be */
    INBOX_ANSWER,       /* to a question of this node */
};

struct inbox_item {
    uint32_t kind; /* enum inbox_kind */
    uint32_t shard;
    uint32_t from;   /* MESSAGE */
    uint32_t method; /* NOT_PROPOSED */
    int status;      /* ANSWER */
    uint64_t id;     /* READ_POINT: the token; ANSWER: whose */
    size_t body_len;
    size_t text_len; /* ANSWER; of NOT_PROPOSED the key */
};

/* A request that the machine has; it names it by place and generation. */
struct across_client {
    struct shard *shard; /* NULL: the place is free */
    struct read_of of;   /* body: a copy */
    struct slice key;    /* likewise */
    uint32_t generation;
    uint32_t next; /* free: the next free place */
};

static uint64_t now_ms(const struct node *node)
{
    return io_now_ns(node->io) / 1000000;
}

/* ---- what is kept for the end of the turn */

static void inbox_put(struct node *node, struct inbox_item *item, struct slice body,
                      struct slice text)
{
    item->body_len = body.len;
    item->text_len = text.len;
    if (item->kind == INBOX_MESSAGE &&
        node->inbox.len + sizeof *item + body.len > NODE_INBOX_BYTES_MAX) {
        return; /* it is said again by who needs it */
    }
    int rc = buf_append(&node->inbox, item, sizeof *item);
    rc = rc == OK ? buf_append_slice(&node->inbox, body) : rc;
    rc = rc == OK ? buf_append_slice(&node->inbox, text) : rc;
    ASSERT(rc == OK); /* whoever waits for answers and proposes entries is bounded */
    node->writes_turn.again = true;
}

void node__asked(struct node *node, const struct conn_answer *answer)
{
    struct inbox_item item = {
        .kind = INBOX_ANSWER, .id = answer->id, .status = answer->status};

    inbox_put(node, &item, answer->body,
              answer->text == NULL ? SLICE_NONE : slice_from_text(answer->text));
}

/* ---- for whom attempts are made */

static struct across_client *client_take(struct shard *shard, const struct read_of *of,
                                         struct slice key, uint64_t *ret_client)
{
    struct node *node = shard->node;

    if (node->client_free == UINT32_MAX ||
        !arena_has_room(&node->arena, of->body.len + key.len)) {
        return NULL;
    }
    uint32_t place = node->client_free;
    struct across_client *client = &node->clients[place];

    node->client_free = client->next;
    client->shard = shard;
    client->of = *of;
    client->of.body = arena_copy(&node->arena, of->body);
    client->key = arena_copy(&node->arena, key);
    *ret_client = (uint64_t)client->generation << 32 | place;
    return client;
}

static struct across_client *client_find(struct shard *shard, uint64_t name)
{
    struct across_client *client = &shard->node->clients[(uint32_t)name];

    ASSERT((uint32_t)name < NODE_CLIENTS_MAX);
    return client->shard == shard && client->generation == name >> 32 ? client : NULL;
}

static void client_give(struct across_client *client)
{
    struct node *node = client->shard->node;

    arena_free_slice(&node->arena, client->of.body);
    arena_free_slice(&node->arena, client->key);
    client->shard = NULL;
    client->generation++;
    client->next = node->client_free;
    node->client_free = (uint32_t)(client - node->clients);
}

/* ---- effects */

static void send(struct shard *shard, const struct across_effect *effect)
{
    struct node *node = shard->node;
    uint32_t group = NODE_GROUP_SHARD + effect->shard;

    if (node->shards[effect->shard].is_leading) {
        struct inbox_item item = {
            .kind = INBOX_MESSAGE, .shard = effect->shard, .from = shard->number};

        inbox_put(node, &item, effect->body, SLICE_NONE);
        return;
    }
    raft_id leader = engine_raft_leader(&node->raft, group);

    if (leader != 0 && leader != node->raft.id) {
        link_send_across(&node->links, leader, group, shard->number, effect->body);
    }
}

static void propose(struct shard *shard, const struct across_effect *effect)
{
    if (node__entry_propose(shard, effect->method, effect->key, effect->body) != OK) {
        struct inbox_item item = {
            .kind = INBOX_NOT_PROPOSED, .shard = shard->number, .method = effect->method};

        inbox_put(shard->node, &item, effect->body, effect->key);
    }
}

static void reply(struct shard *shard, const struct across_effect *effect)
{
    struct node *node = shard->node;
    struct across_client *client = client_find(shard, effect->client);
    struct conn_answer answer = {.status = effect->status, .body = effect->body};

    if (client == NULL) {
        return;
    }
    answer.id = client->of.id;
    if (effect->status != OK && effect->text.len > 0) {
        buf_clear(&node->text);
        (void)!buf_append_slice(&node->text, effect->text);
        answer.text = buf_text(&node->text);
    }
    if (error_is_retryable(effect->status)) {
        answer.retry_after_ms = NODE_RETRY_AFTER_MS;
    }
    node__pay(node, client->of.conn, &answer);
    client_give(client);
}

/* The request is this shard's alone after all. */
static void local(struct shard *shard, const struct across_effect *effect)
{
    struct across_client *client = client_find(shard, effect->client);

    if (client == NULL) {
        return;
    }
    if (client->of.method == CARILLON__METHOD__METHOD_CHECK ||
        client->of.method == CARILLON__METHOD__METHOD_ROSTER) {
        node__read_pay(shard, &client->of);
    } else {
        const struct gathered write = {
            .shard = shard,
            .conn = client->of.conn,
            .id = client->of.id,
            .deadline_ns = client->of.deadline_ns,
            .method = client->of.method,
            .hint = ENROL_HINT_NONE,
        };

        node__write_owed(&write, client->key, client->of.body);
    }
    client_give(client);
}

static void read_point(struct shard *shard, uint64_t token)
{
    if (node__read_point(shard, token) == OK) {
        node__across_read_point(shard, token, OK);
    } /* else it comes, or the machine asks again */
}

void node__across_read_point(struct shard *shard, uint64_t token, int status)
{
    struct inbox_item item = {
        .kind = INBOX_READ_POINT, .shard = shard->number, .id = token};

    if (status == OK) {
        inbox_put(shard->node, &item, SLICE_NONE, SLICE_NONE);
    }
}

/* Nothing here calls the machine, so its effects stay as they are meanwhile. */
static void perform(struct shard *shard)
{
    for (size_t i = 0; i < across_effect_count(shard->across); i++) {
        const struct across_effect effect = across_effect_at(shard->across, i);

        switch ((enum across_effect_kind)effect.kind) {
        case ACROSS_PROPOSE:
            propose(shard, &effect);
            break;
        case ACROSS_SEND:
            send(shard, &effect);
            break;
        case ACROSS_REPLY:
            reply(shard, &effect);
            break;
        case ACROSS_LOCAL:
        case ACROSS_ROSTER:
            local(shard, &effect);
            break;
        case ACROSS_READ:
            read_point(shard, effect.token);
            break;
        }
    }
}

/* ---- requests */

static int submit(struct shard *shard, const struct read_of *of, struct slice key,
                  uint64_t client)
{
    struct node *node = shard->node;
    const struct across_request request = {
        .now_ms = now_ms(node),
        .wall_ms = node__wall_ms(node),
        .deadline_ms = of->deadline_ns / 1000000,
        .client = client,
        .key = key,
        .body = of->body,
    };

    switch (of->method) {
    case CARILLON__METHOD__METHOD_SUBMIT:
        return across_submit(shard->across, &request, &node->text);
    case CARILLON__METHOD__METHOD_PERMIT:
        return across_permit(shard->across, &request, &node->text);
    default:
        ASSERT(of->method == CARILLON__METHOD__METHOD_CHECK);
        return across_check(shard->across, &request, &node->text);
    }
}

static int roster(struct shard *shard, const struct read_of *of, uint64_t client)
{
    struct node *node = shard->node;
    uint32_t section;
    int rc = enrol_roster_section(shard->enrol, of->body, &section, &node->text);

    return rc == OK ? across_roster(shard->across, now_ms(node), of->deadline_ns / 1000000,
                                    section, client)
                    : rc;
}

/* Who asked is owed. */
static void begin(struct shard *shard, const struct read_of *of, struct slice key)
{
    struct node *node = shard->node;
    uint64_t name;
    struct across_client *client = client_take(shard, of, key, &name);
    int rc = ERR_BUSY;

    buf_clear(&node->text);
    if (client != NULL && !shard->is_leading) {
        rc = ERR_NOT_LEADER;
    } else if (client != NULL) {
        rc = of->method == CARILLON__METHOD__METHOD_ROSTER
                 ? roster(shard, &client->of, name)
                 : submit(shard, &client->of, client->key, name);
    }
    if (rc != OK && client != NULL) {
        client_give(client);
    }
    if (rc != OK) {
        node__pay_error(node, of->conn, of->id, rc);
        return;
    }
    perform(shard);
}

void node__across_write(struct shard *shard, const struct node_call *call,
                        const struct envelope_request *request)
{
    const struct asker *asker = &call->asker;
    int rc = node__write_gate(shard, asker);
    const struct read_of of = {
        .conn = asker->name,
        .id = asker->id,
        .deadline_ns = call->deadline_ns,
        .method = request->method,
        .body = request->body,
    };

    if (rc != OK) {
        node__answer_error(shard->node, asker->name, asker->id, rc);
        return;
    }
    node__owe(asker);
    begin(shard, &of, request->key);
}

void node__across_read(struct shard *shard, const struct read_of *of)
{
    begin(shard, of, SLICE_NONE);
}

/* ---- what comes in */

void node__across_take(struct node *node, uint32_t group, uint32_t from, struct slice message)
{
    struct inbox_item item = {
        .kind = INBOX_MESSAGE, .shard = group - NODE_GROUP_SHARD, .from = from};

    if (group < NODE_GROUP_SHARD || group > node->shard_count || from >= node->shard_count) {
        node->counters.bad_peer_messages++;
        return;
    }
    inbox_put(node, &item, message, SLICE_NONE);
}

void node__across_applied(struct shard *shard, const struct enrol_entry *entry)
{
    struct node *node = shard->node;

    if (entry->method == ENROL_ENTRY_FACT && entry->index >= shard->fact_proposed) {
        shard->fact_proposed = 0;
        node__facts_copy(shard);
    }
    if (shard->across != NULL) {
        across_applied(shard->across, now_ms(node), entry, &node->result);
        perform(shard);
    }
}

static void take_item(struct node *node, const struct inbox_item *item, struct slice body,
                      struct slice text)
{
    struct shard *shard = &node->shards[item->shard];
    struct across *across = shard->across;

    if (item->kind == INBOX_ANSWER) {
        const struct spread_answer answer = {item->id, item->status, body, text};

        node__spread_answered(node, &answer);
        return;
    }
    if (across == NULL) {
        return; /* it leads no more */
    }
    switch ((enum inbox_kind)item->kind) {
    case INBOX_MESSAGE:
        if (!across_receive(across, now_ms(node), item->from, body)) {
            node->counters.bad_peer_messages++;
        }
        break;
    case INBOX_READ_POINT:
        across_read_done(across, now_ms(node), item->id);
        break;
    case INBOX_NOT_PROPOSED:
        across_not_proposed(across, item->method, text, body);
        break;
    case INBOX_ANSWER:
        UNREACHABLE();
    }
    perform(shard);
}

static void drain(struct node *node)
{
    struct buf now = node->inbox;
    size_t at = 0;

    node->inbox = node->inbox_spare;
    while (at < now.len) {
        struct slice rest = slice_sub(buf_slice(&now), at, now.len - at);
        struct inbox_item item;

        memcpy(&item, rest.data, sizeof item);
        take_item(node, &item, slice_sub(rest, sizeof item, item.body_len),
                  slice_sub(rest, sizeof item + item.body_len, item.text_len));
        at += sizeof item + item.body_len + item.text_len;
    }
    buf_clear(&now);
    node->inbox_spare = now;
}

bool node__inbox_drain(struct node *node)
{
    for (int i = 0; i < DRAIN_PASSES && node->inbox.len > 0; i++) {
        drain(node);
    }
    return node->inbox.len > 0;
}

/* ---- leading */

void node__across_lead(struct shard *shard, uint64_t term)
{
    if (shard->across == NULL) {
        shard->across = across_create(shard->enrol);
    }
    across_lead(shard->across, term);
    perform(shard);
    node__facts_copy(shard);
}

void node__across_follow(struct shard *shard)
{
    shard->fact_proposed = 0;
    if (shard->across != NULL) {
        across_follow(shard->across);
        perform(shard);
    }
}

void node__across_drop(struct shard *shard)
{
    node__across_follow(shard);
    across_destroy(shard->across);
    shard->across = NULL;
}

static void on_tick(struct io_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, across_timer);

    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct shard *shard = &node->shards[i];

        if (shard->is_leading && shard->across != NULL) {
            across_tick(shard->across, now_ms(node), node__wall_ms(node));
            perform(shard);
            node__facts_copy(shard);
        }
    }
    node__spread_tick(node);
    io_timer_start(node->io, timer, ACROSS_TICK_MS, on_tick);
}

void node__across_make(struct node *node)
{
    node->clients = arena_alloc_zero(&node->arena, NODE_CLIENTS_MAX * sizeof *node->clients);
    for (uint32_t i = 0; i < NODE_CLIENTS_MAX; i++) {
        node->clients[i].next = i + 1 < NODE_CLIENTS_MAX ? i + 1 : UINT32_MAX;
    }
}

void node__across_open(struct node *node)
{
    if (node->shard_count > 1) {
        io_timer_start(node->io, &node->across_timer, ACROSS_TICK_MS, on_tick);
    }
}

void node__across_stop(struct node *node)
{
    io_timer_stop(node->io, &node->across_timer);
}

void node__across_fini(struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        across_destroy(node->shards[i].across);
    }
    buf_fini(&node->inbox);
    buf_fini(&node->inbox_spare);
}
