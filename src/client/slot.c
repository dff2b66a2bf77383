#include <stdlib.h>

#include "base/assert.h"
#include "client/client_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum {
    ENVELOPE_BYTES_MAX = 64, /* what a Request adds to its body, and some */
    DEADLINE_MS = 10000,     /* of a method that the registry does not know */
    INDEX_BITS = 16, /* CLIENT_PROBE_ID */
    NS_PER_MS = 1000000,
};

static bool slot_reads(const struct slot *slot)
{
    const struct method *method = method_get(slot->method);

    return method != NULL && method->kind != METHOD_KIND_WRITE;
}

/* Never 0: that is how the node names the connection itself. */
static uint64_t slot_id(const struct slot *slot)
{
    return ((uint64_t)slot->generation << INDEX_BITS | slot->index) + 1;
}

static void slot_move(struct slot *slot, struct list *to, enum slot_place place)
{
    list_remove(&slot->node);
    list_add(to, &slot->node);
    slot->place = place;
}

/* The slot is free before its owner hears of it, so that the owner may ask again at once. */
static void slot_end(struct carillon_client *client, struct slot *slot,
                     const struct carillon_reply *reply)
{
    carillon_done done = slot->done;
    void *context = slot->context;

    ASSERT(slot->place != SLOT_FREE);
    ASSERT(client->outstanding > 0);
    slot->generation++;
    slot->link = NULL;
    slot_move(slot, &client->free, SLOT_FREE);
    client->outstanding--;
    client->counters.requests++;
    done(context, reply);
}

/* A request that was never sent is not unknown because its connection took too long. */
static int unsent_status(const struct slot *slot, int connect_status)
{
    return connect_status == ERR_TIMEOUT && slot->attempts == 0 ? ERR_REFUSED_CONNECT
                                                                : connect_status;
}

/* End a slot without an answer. Unknown is never turned into no: a change that may have
 * happened ends with ERR_TIMEOUT, whatever its last attempt met. */
static void slot_end_failed(struct carillon_client *client, struct slot *slot, int status,
                            const char *text)
{
    if (slot->is_unknown && status != ERR_TIMEOUT) {
        status = ERR_TIMEOUT;
        text = NULL;
    }
    struct carillon_reply reply = {
        .status = status,
        .text = text != NULL && text[0] != '\0' ? text : error_text(status),
        .attempts = slot->attempts,
    };
    slot_end(client, slot, &reply);
}

/* ---- the timer ---- */

static void tick_on_timer(struct io_timer *timer)
{
    struct carillon_client *client = CONTAINER_OF(timer, struct carillon_client, timer);

    client__slots_tick(client);
}

/* One timer serves all slots: it is set to the earliest moment anything is due, and looks at
 * all of them then. */
static void tick_by(struct carillon_client *client, uint64_t at_ns)
{
    if (at_ns >= client->timer_ns) {
        return;
    }
    uint64_t now_ns = io_now_exact_ns(client->io);
    uint64_t wait_ns = at_ns > now_ns + CLIENT_TICK_NS ? at_ns - now_ns : CLIENT_TICK_NS;

    client->timer_ns = now_ns + wait_ns;
    io_timer_start(client->io, &client->timer, (wait_ns + NS_PER_MS - 1) / NS_PER_MS,
                   tick_on_timer);
}

/* ---- again ---- */

uint32_t client__pause_ms(struct carillon_client *client, uint32_t failures)
{
    uint32_t doublings = failures > 8 ? 8 : failures;
    uint64_t high = (uint64_t)CLIENT_PAUSE_MS_MIN << doublings;

    high = high > CLIENT_PAUSE_MS_MAX ? CLIENT_PAUSE_MS_MAX : high;
    return (uint32_t)rng_between(&client->rng, high / 2, high);
}

/* Whether it is about the very node that it was sent to: another would answer for itself. */
static bool slot_is_of_one_node(const struct slot *slot)
{
    const struct method *method = method_get(slot->method);

    return method != NULL && method->kind == METHOD_KIND_NODE;
}

/* Put the slot aside to be sent again. Returns: false when it may not be, or there is no time
 * or budget left. */
static bool slot_pause(struct carillon_client *client, struct slot *slot, uint32_t at_least_ms)
{
    if (client->options.retry_never || client->is_destroying ||
        client->budget < CLIENT_BUDGET_RETRY || !(slot->has_key || slot_reads(slot)) ||
        (slot_is_of_one_node(slot) && client->peer_count > 1)) {
        return false;
    }
    uint64_t pause_ms = client__pause_ms(client, slot->attempts);
    pause_ms = pause_ms < at_least_ms ? at_least_ms : pause_ms;
    uint64_t resume_ns = io_now_exact_ns(client->io) + pause_ms * NS_PER_MS;
    if (resume_ns >= slot->due_ns) {
        return false;
    }
    client->budget -= CLIENT_BUDGET_RETRY;
    client->counters.retries++;
    slot->resume_ns = resume_ns;
    slot->link = NULL;
    slot_move(slot, &client->paused, SLOT_PAUSED);
    tick_by(client, resume_ns);
    return true;
}

static void budget_earn(struct carillon_client *client)
{
    if (client->budget + CLIENT_BUDGET_SUCCESS <= client->budget_max) {
        client->budget += CLIENT_BUDGET_SUCCESS;
    }
}

/* ---- sending ---- */

/* Append the slot's request to @link. Errors: ERR_FULL. */
static int slot_send(struct slot *slot, struct client_link *link)
{
    Carillon__Request request = CARILLON__REQUEST__INIT;
    uint64_t now_ns = io_now_ns(link->client->io);
    uint64_t left_ns = slot->due_ns > now_ns ? slot->due_ns - now_ns : 0;

    request.id = slot_id(slot);
    request.method = slot->method;
    request.deadline_ms = (uint32_t)(left_ns / NS_PER_MS) + 1;
    if (slot->has_key) {
        request.key = wire_binary(slice_from(slot->key.bytes, sizeof slot->key.bytes));
    }
    request.body = wire_binary(slice_from(slot->body, slot->body_bytes));
    request.stale_ok = slot->is_stale_ok;
    int rc = wire_pack_frame(&request.base, &link->stream.out);
    if (rc != OK) {
        return rc;
    }
    slot->attempts++;
    slot->link = link;
    slot_move(slot, &link->sent, SLOT_SENT);
    if (link->inflight == 0) {
        link->heard_ns = now_ns; /* silence begins with something to say */
        link->is_probed = false;
    }
    link->inflight++;
    client__link_touch(link);
    if (link->client->peer_count > 1) {
        tick_by(link->client, now_ns + (uint64_t)CLIENT_PROBE_MS * NS_PER_MS);
    }
    return OK;
}

void client__slots_dispatch(struct carillon_client *client)
{
    while (!list_is_empty(&client->waiting)) {
        struct slot *slot = CONTAINER_OF(client->waiting.next, struct slot, node);
        struct client_link *link = client__link_pick(client);

        if (link == NULL || slot_send(slot, link) != OK) {
            return; /* the next reply, or the drained link, brings us back */
        }
    }
}

/* Copy the body into the slot, whose memory stays with it. Errors: ERR_TOO_LARGE, ERR_NOMEM. */
static int slot_fill_body(struct slot *slot, const struct carillon_call *call)
{
    size_t len = call->message == NULL ? call->body_bytes
                                       : protobuf_c_message_get_packed_size(call->message);

    if (len > FRAME_BYTES_MAX - ENVELOPE_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    if (len > slot->body_cap) {
        uint8_t *body = realloc(slot->body, len);

        if (body == NULL) {
            return ERR_NOMEM;
        }
        slot->body = body;
        slot->body_cap = len;
    }
    slot->body_bytes = len;
    if (call->message != NULL) {
        protobuf_c_message_pack(call->message, slot->body);
    } else if (len > 0) {
        memcpy(slot->body, call->body, len);
    }
    return OK;
}

static uint64_t deadline_ms(const struct carillon_client *client,
                            const struct carillon_call *call)
{
    const struct method *method = method_get(call->method);

    if (call->deadline_ms > 0) {
        return call->deadline_ms;
    }
    if (client->options.deadline_ms > 0) {
        return client->options.deadline_ms;
    }
    return method == NULL ? DEADLINE_MS : method->deadline_ms;
}

int carillon_submit_call(struct carillon_client *client, const struct carillon_call *call)
{
    ASSERT(call->done != NULL);
    if (list_is_empty(&client->free) || client->is_destroying) {
        return ERR_BUSY;
    }
    /* The slot freed last is the one the cache still knows. */
    struct slot *slot = CONTAINER_OF(client->free.prev, struct slot, node);
    int rc = slot_fill_body(slot, call);

    if (rc != OK) {
        return rc;
    }
    slot->method = call->method;
    slot->has_key = call->key != NULL;
    if (slot->has_key) {
        slot->key = *call->key;
    }
    slot->attempts = 0;
    slot->is_stale_ok = call->stale_ok;
    slot->is_unknown = false;
    slot->status = OK;
    slot->done = call->done;
    slot->context = call->context;
    slot->due_ns = io_now_exact_ns(client->io) + deadline_ms(client, call) * NS_PER_MS;
    slot_move(slot, &client->waiting, SLOT_WAITING);
    client->outstanding++;
    tick_by(client, slot->due_ns);
    client__slots_dispatch(client);
    if (client->ready_count < client->options.connections) {
        client__links_connect(client);
    }
    return OK;
}

/* ---- answers ---- */

/* The slot on @link that @id names, or NULL. */
static struct slot *slot_get(struct client_link *link, uint64_t id)
{
    struct carillon_client *client = link->client;
    uint32_t index = (uint32_t)((id - 1) & ((1U << INDEX_BITS) - 1));

    if (index >= client->options.outstanding_max) {
        return NULL;
    }
    struct slot *slot = &client->slots[index];
    return slot->place == SLOT_SENT && slot->link == link && slot_id(slot) == id ? slot : NULL;
}

/* Whether @status is said before the key is looked at: it tells nothing of what an earlier
 * attempt has done. */
static bool is_before_the_key(int status)
{
    return status == ERR_PERMISSION || status == ERR_UNAUTHENTICATED || status == ERR_FORBIDDEN;
}

/* Whether the node says of itself that it is not the one to ask. */
static bool is_another_better(int status)
{
    return status == ERR_NOT_LEADER || status == ERR_STOPPED;
}

static void slot_answer(struct carillon_client *client, struct slot *slot,
                        const Carillon__Reply *answer)
{
    int status = answer->status == 0 ? OK : error_from_wire(answer->status);

    slot->status = status;
    if (status == ERR_TIMEOUT && !slot_reads(slot)) {
        slot->is_unknown = true;
    }
    if (slot->is_unknown && is_before_the_key(status)) {
        slot_end_failed(client, slot, status, NULL);
        return;
    }
    if (is_another_better(status)) {
        client__peers_avoid(slot->link);
    }
    if (!error_is_retryable(status)) {
        struct carillon_reply reply = {
            .status = status,
            .text = answer->text[0] != '\0' || status == OK ? answer->text : error_text(status),
            .body = answer->body.data,
            .body_bytes = answer->body.len,
            .attempts = slot->attempts,
            .is_stale = answer->stale != NULL,
        };

        if (answer->stale != NULL) {
            reply.age_ms = answer->stale->age_ms;
            reply.applied_index = answer->stale->applied_index;
        }
        budget_earn(client);
        slot_end(client, slot, &reply);
        return;
    }
    if (!slot_pause(client, slot, answer->retry_after_ms)) {
        slot_end_failed(client, slot, status, answer->text);
    }
}

int client__slots_reply(struct client_link *link, struct slice payload, const char **ret_text)
{
    struct carillon_client *client = link->client;

    *ret_text = NULL;
    arena_reset(&client->arena);
    const Carillon__Reply *answer =
        wire_unpack(&carillon__reply__descriptor, payload, &client->arena);
    if (answer == NULL) {
        return ERR_MALFORMED;
    }
    if (answer->id == 0) {
        *ret_text = answer->text;
        return answer->status == 0 ? ERR_MALFORMED : error_from_wire(answer->status);
    }
    if (answer->id == CLIENT_PROBE_ID) {
        return OK; /* it is there: that was all we asked */
    }
    struct slot *slot = slot_get(link, answer->id);
    if (slot == NULL && link->abandoned == 0) {
        return ERR_MALFORMED; /* an answer to what was not asked */
    }
    ASSERT(link->inflight > 0);
    link->inflight--;
    client->cursor = (uint32_t)(link - client->links);
    if (answer->cluster != NULL) {
        client__peers_learn(link, answer->cluster);
    }
    client__peers_answered(link);
    if (slot == NULL) {
        link->abandoned--;
        client->counters.late++;
        return OK;
    }
    if (answer->stale != NULL && !slot->is_stale_ok) {
        return ERR_MALFORMED; /* whoever did not ask for it must not be given an old state */
    }
    slot_answer(client, slot, answer);
    client__link_settle(link);
    return OK;
}

/* ---- failures ---- */

void client__slots_lost(struct client_link *link, int status, const char *text)
{
    struct carillon_client *client = link->client;

    /* What callbacks ask meanwhile goes elsewhere: the link is closing. */
    while (!list_is_empty(&link->sent)) {
        struct slot *slot = CONTAINER_OF(link->sent.next, struct slot, node);

        slot->status = status;
        slot->is_unknown = slot->is_unknown || !slot_reads(slot);
        bool is_tried_again = error_is_retryable(status) || status == ERR_IO;

        if (!is_tried_again || !slot_pause(client, slot, 0)) {
            slot_end_failed(client, slot, status, text);
        }
    }
}

void client__slots_refuse(struct carillon_client *client, int status, const char *text)
{
    struct list refused;

    /* Taken aside first: a callback may ask again, and that waits anew. */
    list_init(&refused);
    while (!list_is_empty(&client->waiting)) {
        slot_move(CONTAINER_OF(client->waiting.next, struct slot, node), &refused,
                  SLOT_WAITING);
    }
    while (!list_is_empty(&refused)) {
        struct slot *slot = CONTAINER_OF(refused.next, struct slot, node);

        slot_end_failed(client, slot, unsent_status(slot, status), text);
    }
}

void client__slots_cancel(struct carillon_client *client)
{
    for (uint32_t i = 0; i < client->options.outstanding_max; i++) {
        struct slot *slot = &client->slots[i];

        if (slot->place == SLOT_FREE) {
            continue;
        }
        slot->is_unknown = slot->is_unknown || (slot->place == SLOT_SENT && !slot_reads(slot));
        slot_end_failed(client, slot, ERR_CANCELLED, NULL);
    }
    ASSERT(client->outstanding == 0);
}

/* The deadline is there. What was sent stays in its link's count until the node answers, for
 * the node counts so. */
static void slot_give_up(struct carillon_client *client, struct slot *slot, uint64_t now_ns)
{
    if (slot->place == SLOT_SENT) {
        struct client_link *link = slot->link;

        slot->is_unknown = slot->is_unknown || !slot_reads(slot);
        link->abandoned++;
        slot_end_failed(client, slot, ERR_TIMEOUT, NULL);
        client__link_doubt(link, now_ns);
        client__link_settle(link);
        return;
    }
    if (slot->status != OK) {
        slot_end_failed(client, slot, slot->status, NULL);
    } else if (client->connect_status != OK) {
        slot_end_failed(client, slot, unsent_status(slot, client->connect_status),
                        client->connect_text);
    } else {
        slot_end_failed(client, slot, ERR_BUSY,
                        "the request found no place in time; it was not sent");
    }
}

/* Returns: when to do so again. */
static uint64_t links_probe(struct carillon_client *client, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;

    for (uint32_t i = 0; i < client->link_count; i++) {
        uint64_t at_ns = client__link_probe(&client->links[i], now_ns);

        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    return next_ns;
}

void client__slots_tick(struct carillon_client *client)
{
    uint64_t now_ns = io_now_exact_ns(client->io);
    uint64_t next_ns = UINT64_MAX;

    client->timer_ns = UINT64_MAX;
    for (uint32_t i = 0; i < client->options.outstanding_max; i++) {
        struct slot *slot = &client->slots[i];

        if (slot->place != SLOT_FREE && slot->due_ns <= now_ns) {
            slot_give_up(client, slot, now_ns);
        } else if (slot->place == SLOT_PAUSED && slot->resume_ns <= now_ns) {
            slot_move(slot, &client->waiting, SLOT_WAITING);
        }
        if (slot->place == SLOT_FREE) {
            continue;
        }
        uint64_t at_ns = slot->place == SLOT_PAUSED && slot->resume_ns < slot->due_ns
                             ? slot->resume_ns
                             : slot->due_ns;
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    uint64_t probe_ns = links_probe(client, now_ns);

    next_ns = probe_ns < next_ns ? probe_ns : next_ns;
    if (next_ns != UINT64_MAX) {
        tick_by(client, next_ns);
    }
    client__slots_dispatch(client);
    client__links_connect(client);
}
