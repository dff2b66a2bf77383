#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "client/client_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

enum { HELLO_MAGIC = 0x43524c4e, PROTOCOL_VERSION = 1 };

static void link_on_timer(struct io_timer *timer);

static void link_on_closed(struct io_stream *stream)
{
    struct client_link *link = CONTAINER_OF(stream, struct client_link, stream);
    struct carillon_client *client = link->client;

    frame_reader_fini(&link->reader);
    buf_fini(&stream->out);
    client__link_init(client, link);
    if (!client->is_destroying) {
        client__links_connect(client);
        return;
    }
    client->closing_count--;
    if (client->closing_count == 0 && client->world == NULL) {
        client__destroy_finish(
            client); /* in a world of its own carillon_destroy_in waits and does it */
    }
}

static void link_close_stream(struct client_link *link)
{
    struct carillon_client *client = link->client;

    ASSERT(link->state != LINK_IDLE && link->state != LINK_CLOSING);
    io_timer_stop(client->io, &link->timer);
    if (link->is_dirty) {
        link->is_dirty = false;
        client->dirty_count--;
    }
    if (link->state == LINK_READY && !link->is_leaving) {
        client->ready_count--;
    }
    link->is_leaving = false;
    link->state = LINK_CLOSING;
    io_stream_close(client->io, &link->stream);
}

/* Whether a node was ever spoken to: then a broken connection is worth waiting for, else it is
 * an answer. */
static bool was_greeted(const struct carillon_client *client)
{
    return client->counters.connects > 0;
}

/* A failure in the greeting that says something about the node, not about the moment. */
static bool is_final(int status)
{
    return !error_is_retryable(status) && status != ERR_IO && status != ERR_EOF;
}

static void note_failure(struct client_link *link, int status, const char *text)
{
    struct carillon_client *client = link->client;

    client->connect_status = status;
    snprintf(client->connect_text, sizeof client->connect_text, "%s (%s port %u)",
             text != NULL && text[0] != '\0' ? text : error_text(status), link->peer->address,
             (unsigned)link->peer->port);
}

/* A peer that was not tried yet is tried at once, or nearly: all who have lost the same node
 * come at the same time. Once all have failed the pauses grow. */
static uint32_t pause_before_next(struct client_link *link, bool is_another)
{
    uint32_t peers = link->client->peer_count;

    return client__pause_ms(link->client,
                            is_another ? 0 : (link->failures + peers - 1) / peers);
}

void client__link_fail(struct client_link *link, int status, const char *text)
{
    struct carillon_client *client = link->client;
    bool was_ready = link->state == LINK_READY;

    note_failure(link, status, text);
    link_close_stream(link);
    link->failures++;
    link->is_paused = true;
    bool is_another = client__peer_failed(link->peer, is_final(status));

    io_timer_start(client->io, &link->timer, pause_before_next(link, is_another),
                   link_on_timer);
    if (was_ready) {
        client->counters.lost++;
        client__slots_lost(link, status, client->connect_text);
        return;
    }
    client->is_refused = client->is_refused || !is_another;
    if (client->ready_count == 0 && !is_another &&
        (client__peers_are_hopeless(client) || !was_greeted(client))) {
        client__slots_refuse(client, status, client->connect_text);
    }
}

void client__link_leave(struct client_link *link)
{
    ASSERT(link->state == LINK_READY && !link->is_leaving);
    link->is_leaving = true;
    link->client->ready_count--;
    io_timer_start(link->client->io, &link->timer, CLIENT_LEAVE_MS, link_on_timer);
    client__link_settle(link);
}

void client__link_settle(struct client_link *link)
{
    if (link->is_leaving && list_is_empty(&link->sent)) {
        link_close_stream(link);
    }
}

/* What is not answered by now is asked elsewhere, under the same keys. */
static void leave_now(struct client_link *link)
{
    link_close_stream(link);
    client__slots_lost(link, ERR_CLOSED, "the connection was given up for one to another node");
}

static void link_on_timer(struct io_timer *timer)
{
    struct client_link *link = CONTAINER_OF(timer, struct client_link, timer);

    if (link->is_paused) {
        link->is_paused = false;
        client__links_connect(link->client);
        return;
    }
    struct carillon_client *client = link->client;

    if (link->is_leaving) {
        leave_now(link);
        return;
    }
    if (link->refused != OK) {
        client__link_fail(link, link->refused,
                          link->refused == ERR_UNAUTHENTICATED ? client->credential_text
                                                               : NULL);
        return;
    }
    client__link_fail(link, ERR_TIMEOUT,
                      link->state == LINK_GREETING
                          ? "the connection was taken, but nothing greets there"
                          : "nothing answers at that address in time");
}

/* ---- the greeting ---- */

static int hello_send(struct client_link *link)
{
    Carillon__Hello hello = CARILLON__HELLO__INIT;
    struct client_hello own;

    hello.magic = HELLO_MAGIC;
    hello.version_min = PROTOCOL_VERSION;
    hello.version_max = PROTOCOL_VERSION;
    hello.client = link->client->name;
    client__credential_show(link, &own);
    if (own.credential.kind != CARILLON__CREDENTIAL_KIND__CREDENTIAL_NONE) {
        hello.credential = &own.credential;
    }
    int rc = wire_pack_frame(&hello.base, &link->stream.out);
    if (rc == OK) {
        io_stream_flush(link->client->io, &link->stream);
    }
    return rc;
}

/* Why one side would not have the other, in words. */
static const char *refusal_text(struct io_stream *stream, char text[CLIENT_TEXT_BYTES_MAX / 2])
{
    (void)snprintf(text, CLIENT_TEXT_BYTES_MAX / 2,
                   "no secure connection: %s",
                   identity_refusal_name(io_stream_peer(stream)->refusal));
    return text;
}

static void link_on_connected(struct io_stream *stream, int status)
{
    struct client_link *link = CONTAINER_OF(stream, struct client_link, stream);
    char text[CLIENT_TEXT_BYTES_MAX / 2];

    if (status == OK) {
        link->state = LINK_GREETING;
        io_stream_resume(link->client->io, stream);
        /* A node that has just begun to listen put its credential there just now. */
        status = stream->tls == NULL ? client__credential_reload(link->peer) : OK;
        status = status == OK ? hello_send(link) : status;
    }
    if (status != OK) {
        client__link_fail(link, status,
                          status == ERR_UNAUTHENTICATED ? refusal_text(stream, text) : NULL);
    }
}

/* Where another link is better led, now that the client is there: at most as many are wanted
 * as were asked for. */
static void replace_stray(struct carillon_client *client)
{
    for (uint32_t i = 0; i < client->link_count; i++) {
        struct client_link *link = &client->links[i];

        if (client->ready_count > client->options.connections && link->state == LINK_READY &&
            !link->is_leaving && link->peer != client->target) {
            client__link_leave(link);
        }
    }
}

static void copy_id(uint8_t to[16], ProtobufCBinaryData from)
{
    if (from.len == 16) {
        memcpy(to, from.data, 16);
    }
}

/* The node's word may be the reason why it does not want us: version 0, or a status of the
 * error table. */
static int welcome_status(const Carillon__Welcome *welcome)
{
    if (welcome->status != 0) {
        return error_from_wire(welcome->status);
    }
    return welcome->version == PROTOCOL_VERSION ? OK : ERR_VERSION;
}

static void welcome_take(struct client_link *link, const Carillon__Welcome *welcome)
{
    struct carillon_client *client = link->client;
    struct carillon_node *node = &client->node;
    uint32_t room = welcome->outstanding_max == 0 ? 1 : welcome->outstanding_max;

    node->version = welcome->version;
    node->outstanding_max = room;
    node->roles = welcome->roles;
    node->is_encrypted = io_stream_peer(&link->stream)->is_encrypted;
    snprintf(node->student, sizeof node->student, "%s", welcome->student);
    snprintf(node->node_version, sizeof node->node_version, "%s", welcome->node_version);
    copy_id(node->cluster_id, welcome->cluster_id);
    copy_id(node->node_id, welcome->node_id);
    link->inflight_max = room < client->link_inflight_max ? room : client->link_inflight_max;
    link->state = LINK_READY;
    client->ready_count++;
    link->failures = 0;
    client->counters.connects++;
    client->connect_status = OK;
    io_timer_stop(client->io, &link->timer);
    if (welcome->cluster_id.len == sizeof client->cluster) {
        client->has_cluster = true;
        copy_id(client->cluster, welcome->cluster_id);
    }
    client__peer_greeted(link, wire_bytes(welcome->node_id));
    if (welcome->cluster != NULL) {
        client__peers_learn(link, welcome->cluster);
    }
    replace_stray(client);
}

static int welcome_receive(struct client_link *link, struct slice payload)
{
    struct carillon_client *client = link->client;
    char text[CLIENT_TEXT_BYTES_MAX / 2];

    arena_reset(&client->arena);
    const Carillon__Welcome *welcome =
        wire_unpack(&carillon__welcome__descriptor, payload, &client->arena);
    if (welcome == NULL) {
        client->counters.malformed++;
        client__link_fail(link, ERR_MALFORMED, "what listens there is not a Carillon node");
        return ERR_MALFORMED;
    }
    int status = welcome_status(welcome);
    if (status != OK) {
        snprintf(text, sizeof text, "%s", welcome->text);
        client__link_fail(link, status, text);
        return status;
    }
    status = client__credential_check(link, welcome);
    if (status != OK) {
        client__link_fail(link, status, client->credential_text);
        return status;
    }
    welcome_take(link, welcome);
    client__slots_dispatch(client);
    client__links_connect(client); /* others may lead elsewhere still */
    return OK;
}

/* ---- bytes ---- */

static int link_receive_frame(struct client_link *link, struct slice payload)
{
    if (link->state == LINK_GREETING) {
        return welcome_receive(link, payload);
    }
    const char *text;
    int rc = client__slots_reply(link, payload, &text);
    if (rc != OK) {
        link->client->counters.malformed += text == NULL;
        client__link_fail(link, rc,
                          text != NULL ? text : "the node's answer could not be read");
    }
    return rc == OK && link->state != LINK_READY ? ERR_CLOSED : rc;
}

static void link_on_received(struct io_stream *stream, struct slice bytes)
{
    struct client_link *link = CONTAINER_OF(stream, struct client_link, stream);
    struct slice payload;
    int rc;

    link->heard_ns = io_now_ns(link->client->io);
    link->is_probed = false;
    frame_reader_feed(&link->reader, bytes);
    for (;;) {
        rc = frame_reader_next(&link->reader, &payload);
        if (rc != OK) {
            break;
        }
        if (link_receive_frame(link, payload) != OK) {
            return; /* the link has failed and is closing */
        }
    }
    if (rc != ERR_EOF) {
        link->client->counters.malformed++;
        client__link_fail(link, ERR_MALFORMED,
                          "what listens there sends frames that are too long");
        return;
    }
    client__slots_dispatch(link->client);
}

static void link_on_drained(struct io_stream *stream)
{
    struct client_link *link = CONTAINER_OF(stream, struct client_link, stream);

    client__slots_dispatch(link->client);
}

static void link_on_ended(struct io_stream *stream, int status)
{
    struct client_link *link = CONTAINER_OF(stream, struct client_link, stream);
    char text[CLIENT_TEXT_BYTES_MAX / 2];

    if (status == ERR_UNAUTHENTICATED) {
        client__link_fail(link, status, refusal_text(stream, text));
        return;
    }
    client__link_fail(link, status == ERR_EOF ? ERR_CLOSED : status,
                      "the node has closed the connection");
}

/* ---- for the other files ---- */

void client__link_init(struct carillon_client *client, struct client_link *link)
{
    struct io_timer timer = link->timer; /* may be armed: the pause goes on over the closing */
    bool is_paused = link->is_paused;
    uint32_t failures = link->failures;

    *link = (struct client_link){
        .client = client,
        .timer = timer,
        .is_paused = is_paused,
        .failures = failures,
    };
    list_init(&link->sent);
}

/* The first round goes quickly over those that do not answer: the next may. */
static uint32_t connect_ms(const struct carillon_client *client)
{
    uint32_t ms = client->options.connect_ms;

    return client->is_patient || client->peer_count == 1 ? ms : (ms + 3) / 4;
}

static void link_connect(struct client_link *link)
{
    struct carillon_client *client = link->client;

    buf_init(&link->stream.out, CLIENT_OUT_BYTES_MAX);
    frame_reader_init(&link->reader, FRAME_BYTES_MAX);
    link->stream.connected = link_on_connected;
    link->stream.received = link_on_received;
    link->stream.drained = link_on_drained;
    link->stream.ended = link_on_ended;
    link->stream.closed = link_on_closed;
    link->state = LINK_CONNECTING;
    io_timer_start(client->io, &link->timer, connect_ms(client), link_on_timer);
    link->peer = client->target;
    int rc = client__credential_load(link->peer);

    link->stream.tls = link->peer->tls;
    rc = rc == OK ? io_stream_connect(client->io, &link->stream, link->peer->address,
                                      link->peer->port)
                  : rc;
    if (rc != OK) {
        link->refused = rc; /* the caller may be inside submit, where no callback may run */
        io_timer_start(client->io, &link->timer, 0, link_on_timer);
    }
}

/* How many connections to make now. Those that lead elsewhere than to the target are replaced
 * one by one, each only when the next is there. */
static uint32_t links_wanted(const struct carillon_client *client)
{
    uint32_t count = 0, strays = 0, coming = 0;

    for (uint32_t i = 0; i < client->link_count; i++) {
        const struct client_link *link = &client->links[i];
        bool is_ready = link->state == LINK_READY && !link->is_leaving;
        bool is_coming = link->state == LINK_CONNECTING || link->state == LINK_GREETING;

        count += is_ready || is_coming || link->is_paused;
        strays += is_ready && link->peer != client->target;
        coming += is_coming || link->is_paused;
    }
    if (count < client->options.connections) {
        return client->options.connections - count;
    }
    return count == client->options.connections && strays > 0 && coming == 0 ? 1 : 0;
}

void client__links_connect(struct carillon_client *client)
{
    if (client->is_destroying || (client->outstanding == 0 && !client->is_connecting)) {
        return;
    }
    uint32_t wanted = links_wanted(client);

    for (uint32_t i = 0; i < client->link_count && wanted > 0; i++) {
        struct client_link *link = &client->links[i];

        if (link->state == LINK_IDLE && !link->is_paused) {
            link_connect(link);
            wanted--;
        }
    }
}

bool client__link_has_room(const struct client_link *link)
{
    return link->state == LINK_READY && !link->is_leaving &&
           link->inflight < link->inflight_max;
}

/* From the cursor on: a reply leaves the cursor at its own link, so a closed loop finds the
 * link that has just got room at once; otherwise requests go round. */
struct client_link *client__link_pick(struct carillon_client *client)
{
    uint32_t count = client->link_count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at =
            client->cursor + i < count ? client->cursor + i : client->cursor + i - count;

        if (client__link_has_room(&client->links[at])) {
            client->cursor = at + 1 < count ? at + 1 : 0;
            return &client->links[at];
        }
    }
    return NULL;
}

void client__link_doubt(struct client_link *link, uint64_t now_ns)
{
    uint64_t silence_ns = (uint64_t)link->client->options.silence_ms * 1000000;

    if (link->state == LINK_READY && now_ns > link->heard_ns &&
        now_ns - link->heard_ns >= silence_ns) {
        client__link_fail(link, ERR_CLOSED, "the node has fallen silent");
    }
}

static void probe_send(struct client_link *link)
{
    Carillon__Request request = CARILLON__REQUEST__INIT;

    request.id = CLIENT_PROBE_ID;
    request.method = CARILLON__METHOD__METHOD_NONE; /* any answer will do */
    if (wire_pack_frame(&request.base, &link->stream.out) == OK) {
        client__link_touch(link);
        client__links_flush(link->client);
    }
}

uint64_t client__link_probe(struct client_link *link, uint64_t now_ns)
{
    uint64_t step_ns = (uint64_t)CLIENT_PROBE_MS * 1000000;
    uint64_t due_ns = link->heard_ns + (link->is_probed ? 2 : 1) * step_ns;

    if (link->state != LINK_READY || list_is_empty(&link->sent) ||
        link->client->peer_count == 1) {
        return UINT64_MAX;
    }
    if (now_ns < due_ns) {
        return due_ns;
    }
    if (link->is_probed) {
        client__link_fail(link, ERR_CLOSED, "the node has fallen silent");
        return UINT64_MAX;
    }
    link->is_probed = true;
    probe_send(link);
    return now_ns + step_ns;
}

void client__link_touch(struct client_link *link)
{
    if (!link->is_dirty) {
        link->is_dirty = true;
        link->client->dirty_count++;
    }
}

void client__links_flush(struct carillon_client *client)
{
    for (uint32_t i = 0; client->dirty_count > 0 && i < client->link_count; i++) {
        struct client_link *link = &client->links[i];

        if (link->is_dirty) {
            link->is_dirty = false;
            client->dirty_count--;
            io_stream_flush(client->io, &link->stream);
        }
    }
}

void client__link_close(struct client_link *link)
{
    struct carillon_client *client = link->client;

    if (link->state == LINK_IDLE) {
        io_timer_stop(client->io, &link->timer);
        return;
    }
    client->closing_count++;
    if (link->state != LINK_CLOSING) {
        link_close_stream(link);
    }
    io_timer_stop(client->io, &link->timer);
}
