#include "node/link.h"

#include <stdio.h>

#include "base/assert.h"
#include "node/event.h"
#include "proto/envelope.pb-c.h"
#include "wire/field_append.h"
#include "wire/message.h"

enum {
    MESSAGE_BYTES_LIKELY = 256,
    HEAD_BYTES_MAX = 64, /* of a Request, before its body */
    SWEEP_MS = 500,
    GRACE_NS = 500000000, /* how much later than its deadline an answer may still come */
    WELCOME_SCRATCH_BYTES = 16 << 10,
    REQUEST_METHOD = 2, /* fields of Request, PeerRequest, PeerMessage, ForwardRequest */
    REQUEST_BODY = 5,
    PEER_MESSAGES = 1,
    PEER_GROUP = 1,
    PEER_MESSAGE = 2,
    PEER_ACROSS = 3,
    PEER_FROM_SHARD = 4,
    FORWARD_ROLES = 1,
    FORWARD_STUDENT = 2,
    FORWARD_REQUEST = 3,
    FORWARD_TO = 4,
    REQUEST_ID = 1,
};

static void dial(struct link *link);

static struct link *link_of(struct io_stream *stream)
{
    return CONTAINER_OF(stream, struct link, stream);
}

struct link *link_find(struct link_table *table, raft_id id)
{
    for (uint32_t i = 0; i < LINKS_MAX && id != 0; i++) {
        if (table->links[i].id == id && !table->links[i].is_unwanted) {
            return &table->links[i];
        }
    }
    return NULL;
}

const struct link *link_find_const(const struct link_table *table, raft_id id)
{
    return link_find((struct link_table *)table, id);
}

/* ---- what others are to answer ---- */

static void forward_free(struct link_table *table, uint32_t place)
{
    struct link_forward *forward = &table->forwards[place];

    forward->to = 0;
    forward->generation++;
    forward->next = table->forward_free;
    table->forward_free = place;
    table->forward_count--;
}

/* One more place; most nodes never use many. Returns: false when there are as many as may be. */
static bool forward_make(struct link_table *table)
{
    if (table->forward_made == LINK_FORWARDS_MAX) {
        return false;
    }
    table->forwards[table->forward_made] = (struct link_forward){.next = table->forward_free};
    table->forward_free = table->forward_made++;
    return true;
}

static void forward_end(struct link_table *table, const struct link_forward *forward,
                        int status, const struct envelope_reply *reply)
{
    if (forward->ask != NULL) {
        forward->ask->done(forward->ask, status, reply);
    } else if (status == OK) {
        table->hooks.answered(table->hooks.context, forward, reply);
    } else {
        table->hooks.unanswered(table->hooks.context, forward, status);
    }
}

/* Whoever waits for an answer of @to (0: of anybody, if it is late) hears that none will come. */
static void forwards_end(struct link_table *table, raft_id to, uint64_t now)
{
    for (uint32_t i = 0; i < table->forward_made && table->forward_count > 0; i++) {
        const struct link_forward forward = table->forwards[i];
        bool is_late = now > forward.deadline_ns && now - forward.deadline_ns > GRACE_NS;

        if (forward.to != 0 && (forward.to == to || (to == 0 && is_late))) {
            forward_free(table, i);
            forward_end(table, &forward, to == 0 ? ERR_TIMEOUT : ERR_CLOSED, NULL);
        }
    }
}

static void take_reply(struct link *link, const struct envelope_reply *reply)
{
    struct link_table *table = link->table;
    uint32_t place = (uint32_t)reply->id;

    if (place >= table->forward_made || table->forwards[place].to != link->id ||
        table->forwards[place].generation != (uint32_t)(reply->id >> 32)) {
        return; /* it comes too late */
    }
    const struct link_forward forward = table->forwards[place];

    forward_free(table, place);
    forward_end(table, &forward, OK, reply);
}

/* ---- the end of a connection ---- */

static void table_check_closed(struct link_table *table)
{
    if (table->is_closing && table->used == 0) {
        table->is_closing = false;
        for (uint32_t i = 0; i < LINKS_MAX; i++) {
            buf_fini(&table->links[i].gathered);
        }
        table->closed(table->closed_context);
    }
}

static void forget_place(struct link *link)
{
    struct link_table *table = link->table;

    buf_fini(&link->gathered);
    *link = (struct link){.table = table};
    buf_init(&link->gathered, FRAME_PEER_BYTES_MAX - HEAD_BYTES_MAX);
}

static void on_retry(struct io_timer *timer)
{
    dial(CONTAINER_OF(timer, struct link, timer));
}

static void on_closed(struct io_stream *stream)
{
    struct link *link = link_of(stream);
    struct link_table *table = link->table;

    frame_reader_fini(&link->reader);
    buf_fini(&stream->out);
    link->state = LINK_IDLE;
    table->used--;
    if (link->is_unwanted) {
        forget_place(link);
    } else if (!table->is_closing) {
        uint32_t shift = link->failures < 5 ? link->failures : 5;
        uint64_t pause = (uint64_t)LINK_RETRY_MS << shift;

        link->failures++;
        io_timer_start(table->io, &link->timer,
                       pause < LINK_RETRY_MS_MAX ? pause : LINK_RETRY_MS_MAX, on_retry);
    }
    table_check_closed(table);
}

static void hang_up(struct link *link)
{
    struct link_table *table = link->table;
    bool was_up = link->state == LINK_UP;

    io_timer_stop(table->io, &link->timer);
    if (link->state == LINK_IDLE) {
        if (link->is_unwanted) {
            forget_place(link);
        }
        return;
    }
    if (link->state == LINK_CLOSING) {
        return;
    }
    link->state = LINK_CLOSING;
    link->is_dirty = false;
    buf_clear(&link->gathered);
    io_stream_close(table->io, &link->stream);
    if (was_up) {
        event_log(EVENT_INFO, "link-down", "node=%016llx", (unsigned long long)link->id);
        forwards_end(table, link->id, 0);
        if (!link->is_unwanted && !table->is_closing) {
            table->hooks.down(table->hooks.context, link->id);
        }
    }
}

static void on_ended(struct io_stream *stream, int status)
{
    (void)status;
    hang_up(link_of(stream));
}

/* ---- the greeting ---- */

static void on_greet_late(struct io_timer *timer)
{
    hang_up(CONTAINER_OF(timer, struct link, timer));
}

static void on_connected(struct io_stream *stream, int status)
{
    struct link *link = link_of(stream);
    Carillon__Hello hello = CARILLON__HELLO__INIT;
    char name[] = "carillon-node";

    if (status != OK) {
        hang_up(link);
        return;
    }
    hello.magic = CONN_MAGIC;
    hello.version_min = CONN_PROTOCOL_VERSION;
    hello.version_max = CONN_PROTOCOL_VERSION;
    hello.client = name;
    link->state = LINK_GREETING;
    io_stream_resume(link->table->io, stream);
    int rc = wire_pack_frame(&hello.base, &stream->out);
    ASSERT(rc == OK); /* nothing else has been said yet */
    io_stream_flush(link->table->io, stream);
}

static raft_id number_of(ProtobufCBinaryData node_id)
{
    raft_id id = 0;

    for (size_t i = 0; node_id.len == 16 && i < 8; i++) {
        id |= (raft_id)node_id.data[8 + i] << (8 * i);
    }
    return id;
}

enum welcome { WELCOME_NO, WELCOME_YES, WELCOME_REMOVED };

/* Another node may have its address by now. */
static enum welcome read_welcome(const struct link *link, struct slice payload)
{
    enum welcome result = WELCOME_NO;
    struct arena scratch;

    arena_init(&scratch, WELCOME_SCRATCH_BYTES);
    const Carillon__Welcome *welcome =
        wire_unpack(&carillon__welcome__descriptor, payload, &scratch);

    if (welcome != NULL && error_from_wire(welcome->status) == ERR_GONE) {
        result = WELCOME_REMOVED;
    } else if (welcome != NULL && welcome->status == 0 &&
               welcome->version == CONN_PROTOCOL_VERSION &&
               number_of(welcome->node_id) == link->id) {
        result = WELCOME_YES;
    }
    arena_fini(&scratch);
    return result;
}

static bool take_welcome(struct link *link, struct slice payload)
{
    struct link_table *table = link->table;
    const struct link_hooks *hooks = &table->hooks;
    enum welcome welcome = read_welcome(link, payload);

    if (!hooks->is_it(hooks->context, io_stream_peer(&link->stream), link->id)) {
        return false; /* its word counts for nothing */
    }
    if (welcome == WELCOME_REMOVED) {
        hooks->removed(hooks->context, link->id);
    }
    if (welcome != WELCOME_YES) {
        return false;
    }
    io_timer_stop(table->io, &link->timer);
    link->state = LINK_UP;
    link->failures = 0;
    event_log(EVENT_INFO, "link-up", "node=%016llx address=%s port=%u",
              (unsigned long long)link->id, link->address, link->port);
    hooks->up(hooks->context, link->id);
    return true;
}

static bool take_frame(struct link *link, struct slice payload)
{
    struct envelope_reply reply;

    if (link->state == LINK_GREETING) {
        return take_welcome(link, payload);
    }
    /* Id 0 is about the connection itself: it ends. */
    if (envelope_reply_decode(payload, &reply) != OK) {
        return false;
    }
    take_reply(link, &reply);
    return true;
}

static void on_received(struct io_stream *stream, struct slice bytes)
{
    struct link *link = link_of(stream);
    struct slice payload;
    int rc = OK;

    frame_reader_feed(&link->reader, bytes);
    while (link->state != LINK_CLOSING &&
           (rc = frame_reader_next(&link->reader, &payload)) == OK) {
        if (!take_frame(link, payload)) {
            hang_up(link);
        }
    }
    if (link->state != LINK_CLOSING && rc != ERR_EOF) {
        hang_up(link);
    }
}

static void dial(struct link *link)
{
    struct link_table *table = link->table;

    ASSERT(link->state == LINK_IDLE && !table->is_closing);
    link->stream = (struct io_stream){
        .tls = table->tls,
        .connected = on_connected,
        .received = on_received,
        .ended = on_ended,
        .closed = on_closed,
    };
    buf_init(&link->stream.out, LINK_OUT_BYTES_MAX);
    frame_reader_init(&link->reader, FRAME_BYTES_MAX);
    if (io_stream_connect(table->io, &link->stream, link->address, link->port) != OK) {
        frame_reader_fini(&link->reader);
        buf_fini(&link->stream.out);
        io_timer_start(table->io, &link->timer, LINK_RETRY_MS_MAX, on_retry);
        return;
    }
    table->used++;
    link->state = LINK_DIALLING;
    io_timer_start(table->io, &link->timer, LINK_GREET_MS, on_greet_late);
}

/* ---- saying something ---- */

/* What was gathered becomes a request. A stream is sent from when it likes, so nothing unfinished
 * may ever stand in it. */
static void pass_on(struct link *link)
{
    struct buf *out = &link->stream.out;
    size_t before = out->len;
    size_t frame;

    if (link->gathered.len == 0) {
        return;
    }
    int rc = frame_begin(out, &frame);
    rc = rc == OK ? field_append_number(out, REQUEST_METHOD, CARILLON__METHOD__METHOD_PEER) : rc;
    rc = rc == OK ? field_append_item(out, REQUEST_BODY, buf_slice(&link->gathered)) : rc;
    if (rc == OK) {
        frame_end(out, frame);
    } else {
        out->len = before;
        link->table->dropped++;
    }
    buf_clear(&link->gathered);
}

static int append_message(struct buf *out, uint32_t group, const struct raft_message *message)
{
    struct field_open item;
    struct field_open inner;

    int rc = field_begin(out, PEER_MESSAGES, MESSAGE_BYTES_LIKELY, &item);
    rc = rc == OK ? field_append_number(out, PEER_GROUP, group) : rc;
    rc = rc == OK ? field_begin(out, PEER_MESSAGE, MESSAGE_BYTES_LIKELY, &inner) : rc;
    rc = rc == OK ? raft_message_encode(message, out) : rc;
    rc = rc == OK ? field_end(out, inner) : rc;
    return rc == OK ? field_end(out, item) : rc;
}

void link_send(struct link_table *table, uint32_t group, const struct raft_message *message)
{
    struct link *link = link_find(table, message->to);

    if (!link_is_up(link)) {
        table->dropped++;
        return;
    }
    struct buf *gathered = &link->gathered;
    size_t before = gathered->len;

    if (append_message(gathered, group, message) != OK) {
        gathered->len = before;
        pass_on(link);
        if (append_message(gathered, group, message) != OK) {
            buf_clear(gathered);
            table->dropped++;
        }
    }
    link->is_dirty = true;
}

int link_say(struct link_table *table, raft_id to, uint32_t number, struct slice bytes)
{
    struct link *link = link_find(table, to);

    if (!link_is_up(link)) {
        return ERR_CLOSED;
    }
    int rc = field_append_item(&link->gathered, number, bytes);

    if (rc != OK) {
        pass_on(link);
        rc = field_append_item(&link->gathered, number, bytes);
    }
    link->is_dirty = true;
    return rc;
}

/* ---- asking ---- */

/* A request in the making, of which nothing is sent before it is complete. */
struct asking {
    struct link *link;
    uint32_t place; /* of its forward */
    size_t before;
    size_t frame;
    struct field_open body;
    int rc;
};

static int ask_begin(struct link_table *table, raft_id to, uint32_t method, size_t bytes_likely,
                     struct asking *asking)
{
    struct link *link = link_find(table, to);

    if (!link_is_up(link)) {
        return ERR_NOT_LEADER;
    }
    if (table->forward_free == UINT32_MAX && !forward_make(table)) {
        return ERR_BUSY;
    }
    pass_on(link); /* in the order that it was said */
    struct buf *out = &link->stream.out;
    uint32_t place = table->forward_free;
    uint64_t id = (uint64_t)table->forwards[place].generation << 32 | place;
    *asking = (struct asking){.link = link, .place = place, .before = out->len};
    int rc = frame_begin(out, &asking->frame);

    rc = rc == OK ? field_append_number(out, REQUEST_ID, id) : rc;
    rc = rc == OK ? field_append_number(out, REQUEST_METHOD, method) : rc;
    asking->rc = rc == OK ? field_begin(out, REQUEST_BODY, bytes_likely, &asking->body) : rc;
    return OK;
}

static int ask_end(struct asking *asking, const struct link_forward *forward)
{
    struct link *link = asking->link;
    struct link_table *table = link->table;
    struct buf *out = &link->stream.out;
    struct link_forward *kept = &table->forwards[asking->place];
    uint32_t generation = kept->generation;
    int rc = asking->rc == OK ? field_end(out, asking->body) : asking->rc;

    if (rc != OK || out->len - asking->frame > FRAME_PEER_BYTES_MAX) {
        out->len = asking->before;
        return ERR_BUSY;
    }
    frame_end(out, asking->frame);
    table->forward_free = kept->next;
    table->forward_count++;
    *kept = *forward;
    kept->generation = generation;
    kept->to = link->id;
    link->is_dirty = true;
    return OK;
}

int link_ask(struct link_table *table, raft_id to, uint32_t method, struct slice body,
             struct link_ask *ask)
{
    const struct link_forward forward = {
        .ask = ask,
        .deadline_ns = io_now_ns(table->io) + (uint64_t)LINK_ASK_MS * 1000000,
    };
    struct asking asking;
    int rc = ask_begin(table, to, method, body.len, &asking);

    if (rc != OK) {
        return rc;
    }
    asking.rc = asking.rc == OK ? buf_append_slice(&asking.link->stream.out, body) : asking.rc;
    return ask_end(&asking, &forward);
}

static int append_across(struct buf *out, uint32_t group, uint32_t from, struct slice message)
{
    struct field_open item;

    int rc = field_begin(out, PEER_MESSAGES, message.len + HEAD_BYTES_MAX, &item);
    rc = rc == OK ? field_append_number(out, PEER_GROUP, group) : rc;
    rc = rc == OK ? field_append_item(out, PEER_ACROSS, message) : rc;
    rc = rc == OK ? field_append_number(out, PEER_FROM_SHARD, from) : rc;
    return rc == OK ? field_end(out, item) : rc;
}

void link_send_across(struct link_table *table, raft_id to, uint32_t group, uint32_t from,
                      struct slice message)
{
    struct link *link = link_find(table, to);

    if (!link_is_up(link)) {
        table->dropped++;
        return;
    }
    struct buf *gathered = &link->gathered;
    size_t before = gathered->len;

    if (append_across(gathered, group, from, message) != OK) {
        gathered->len = before;
        pass_on(link);
        if (append_across(gathered, group, from, message) != OK) {
            buf_clear(gathered);
            table->dropped++;
        }
    }
    link->is_dirty = true;
}

static void append_forward(struct buf *out, int *rc, const struct conn_who *who,
                           const struct link_forward *forward, struct slice request)
{
    *rc = *rc == OK ? field_append_number(out, FORWARD_TO, forward->group_to) : *rc;
    *rc = *rc == OK ? field_append_number(out, FORWARD_ROLES, who->roles) : *rc;
    *rc = *rc == OK ? field_append_text(out, FORWARD_STUDENT, slice_from_text(who->student))
                    : *rc;
    *rc = *rc == OK ? field_append_text(out, FORWARD_REQUEST, request) : *rc;
}

int link_forward(struct link_table *table, raft_id to, const struct conn_who *who,
                 const struct link_forward *forward, struct slice request)
{
    struct asking asking;
    int rc = ask_begin(table, to, CARILLON__METHOD__METHOD_FORWARD, request.len, &asking);

    if (rc == OK) {
        append_forward(&asking.link->stream.out, &asking.rc, who, forward, request);
        rc = ask_end(&asking, forward);
    }
    return rc;
}

static void on_turn(struct io_turn *turn)
{
    struct link_table *table = CONTAINER_OF(turn, struct link_table, turn);

    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &table->links[i];

        if (link->is_dirty) {
            link->is_dirty = false;
            pass_on(link);
            io_stream_flush(table->io, &link->stream);
        }
    }
}

/* ---- the table ---- */

static void on_sweep(struct io_timer *timer)
{
    struct link_table *table = CONTAINER_OF(timer, struct link_table, sweep);

    forwards_end(table, 0, io_now_ns(table->io));
    io_timer_start(table->io, timer, SWEEP_MS, on_sweep);
}

void link_table_open(struct link_table *table, struct io *io, struct arena *arena,
                     const struct link_hooks *hooks)
{
    table->io = io;
    table->arena = arena;
    table->hooks = *hooks;
    table->forwards = arena_alloc(arena, LINK_FORWARDS_MAX * sizeof *table->forwards);
    table->forward_free = UINT32_MAX;
    table->forward_made = 0;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        table->links[i].table = table;
        buf_init(&table->links[i].gathered, FRAME_PEER_BYTES_MAX - HEAD_BYTES_MAX);
    }
    io_turn_add(io, &table->turn, on_turn);
    io_timer_start(io, &table->sweep, SWEEP_MS, on_sweep);
}

static struct link *free_place(struct link_table *table)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (table->links[i].id == 0) {
            return &table->links[i];
        }
    }
    return NULL;
}

int link_put(struct link_table *table, raft_id id, const char *address, uint16_t port)
{
    struct link *link = link_find(table, id);

    ASSERT(id != 0);
    if (strlen(address) >= LINK_ADDRESS_BYTES) {
        return ERR_ADDRESS;
    }
    if (link != NULL && strcmp(link->address, address) == 0 && link->port == port) {
        return OK;
    }
    if (link != NULL) {
        link_remove(table, id);
    }
    link = free_place(table);
    if (link == NULL) {
        return ERR_FULL;
    }
    link->id = id;
    link->port = port;
    (void)snprintf(link->address, sizeof link->address, "%s", address);
    dial(link);
    return OK;
}

void link_remove(struct link_table *table, raft_id id)
{
    struct link *link = link_find(table, id);

    if (link != NULL) {
        link->is_unwanted = true;
        hang_up(link);
    }
}

void link_table_close(struct link_table *table, void (*closed)(void *context), void *context)
{
    table->closed = closed;
    table->closed_context = context;
    table->is_closing = true;
    if (table->io != NULL) {
        io_turn_remove(table->io, &table->turn);
        io_timer_stop(table->io, &table->sweep);
        for (uint32_t i = 0; i < LINKS_MAX; i++) {
            hang_up(&table->links[i]);
        }
    }
    table_check_closed(table);
}

void link_table_forget(struct link_table *table)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        buf_fini(&table->links[i].gathered);
        if (table->links[i].state != LINK_IDLE) {
            frame_reader_fini(&table->links[i].reader);
            buf_fini(&table->links[i].stream.out);
        }
    }
}
