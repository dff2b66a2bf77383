#include "node/conn.h"

#include "base/assert.h"
#include "node/event.h"
#include "proto/envelope.pb-c.h"
#include "wire/envelope.h"
#include "wire/message.h"
#include "wire/method.h"

enum { SWEEP_MS = 1000, HOLD_STEP_MS = 20, WELCOME_SCRATCH_BYTES = 4096 };

static struct conn *conn_of(struct io_stream *stream)
{
    return CONTAINER_OF(stream, struct conn, stream);
}

static uint64_t now_ms(const struct conn_table *table)
{
    return io_now_ns(table->io) / 1000000;
}

static void mark_dirty(struct conn *conn)
{
    if (!list_is_linked(&conn->dirty)) {
        list_add(&conn->table->dirty, &conn->dirty);
    }
}

static void stop_arriving(struct conn *conn)
{
    if (list_is_linked(&conn->arriving)) {
        list_remove(&conn->arriving);
        conn->table->arriving_count--;
    }
}

static void conn_close(struct conn *conn)
{
    if (conn->is_closing) {
        return;
    }
    conn->is_closing = true;
    stop_arriving(conn);
    list_remove(&conn->dirty);
    io_stream_close(conn->table->io, &conn->stream);
}

/* Say what was wrong, try to get it out, and close: the stream cannot be understood any
 * further. */
void conn_refuse(struct conn *conn, int status, const char *text)
{
    struct conn_table *table = conn->table;

    table->counters.bad_frames++;
    event_log(EVENT_WARNING, "conn-bad-frame", "slot=%u error=%s text=\"%s\"", conn->name.slot,
              error_name(status), text);
    if (conn->is_greeted) {
        conn_reply(conn, &(struct conn_answer){.status = status, .text = text});
    } else {
        Carillon__Welcome welcome = CARILLON__WELCOME__INIT;

        welcome.status = (uint32_t)-status;
        welcome.text = wire_text(text);
        (void)!wire_pack_frame(&welcome.base, &conn->stream.out); /* closed in any case */
    }
    if (!conn->is_closing) {
        io_stream_flush(table->io, &conn->stream);
        conn_close(conn);
    }
}

void conn_turn_away(struct conn *conn, enum io_refusal refusal, int status, const char *text)
{
    struct conn_table *table = conn->table;

    if (conn->is_closing) {
        return;
    }
    table->hooks.refused(table->hooks.context, refusal);
    if (text != NULL && conn->is_greeted) {
        conn_reply(conn, &(struct conn_answer){.status = status, .text = text});
    } else if (text != NULL) {
        Carillon__Welcome welcome = CARILLON__WELCOME__INIT;

        welcome.status = (uint32_t)-status;
        welcome.text = wire_text(text);
        (void)!wire_pack_frame(&welcome.base, &conn->stream.out); /* closed in any case */
    }
    if (!conn->is_closing) {
        io_stream_flush(table->io, &conn->stream);
        conn_close(conn);
    }
}

/* ---- greeting ---- */

static void on_hold(struct io_timer *timer);

/* Keep the Hello, and read nothing more from who shows it. */
static void hold(struct conn *conn, struct slice payload)
{
    struct conn_table *table = conn->table;

    ASSERT(payload.len <= CONN_HELLO_BYTES_MAX);
    conn->held = arena_alloc(table->arena, sizeof *conn->held);
    conn->held->shown_ns = io_now_exact_ns(table->io);
    conn->held->len = (uint32_t)payload.len;
    memcpy(conn->held->bytes, payload.data, payload.len);
    io_stream_pause(table->io, &conn->stream);
    if (!table->is_holding) {
        table->is_holding = true;
        io_timer_start(table->io, &table->hold, HOLD_STEP_MS, on_hold);
    }
}

static void release(struct conn *conn)
{
    arena_free(conn->table->arena, conn->held, sizeof *conn->held);
    conn->held = NULL;
}

static void let_in(struct conn *conn, const Carillon__Welcome *welcome)
{
    struct conn_table *table = conn->table;
    int rc = wire_pack_frame(&welcome->base, &conn->stream.out);

    ASSERT(rc == OK); /* nothing else has been said yet */
    stop_arriving(conn);
    conn->is_greeted = true;
    conn->cluster_told = table->cluster_version;
    frame_reader_widen(&conn->reader,
                       conn->who.node != 0 ? FRAME_PEER_BYTES_MAX : FRAME_BYTES_MAX);
    mark_dirty(conn);
}

static void do_not_let_in(struct conn *conn, enum io_refusal refusal, struct slice payload,
                          const char *text)
{
    struct conn_table *table = conn->table;
    uint64_t now_ns = io_now_exact_ns(table->io);
    uint64_t shown_ns = conn->held != NULL ? conn->held->shown_ns : now_ns;

    if (table->hooks.is_final(table->hooks.context, refusal, shown_ns)) {
        conn_turn_away(conn, refusal,
                       refusal == IO_REFUSAL_REMOVED ? ERR_GONE : ERR_UNAUTHENTICATED, text);
    } else if (now_ns - shown_ns > CONN_HOLD_MS * UINT64_C(1000000)) {
        conn_turn_away(conn, refusal, ERR_NOT_LEADER,
                       "this node does not know the credential, and cannot learn from a leader "
                       "just now whether it is good; try another node, or again");
    } else if (conn->held == NULL) {
        hold(conn, payload);
    }
}

/* The Hello is of our version: who is it? */
static void greet_who(struct conn *conn, const Carillon__Hello *hello, struct slice payload)
{
    struct conn_table *table = conn->table;
    Carillon__Welcome welcome = CARILLON__WELCOME__INIT;

    welcome.version = CONN_PROTOCOL_VERSION;
    welcome.frame_bytes_max = FRAME_BYTES_MAX;
    welcome.outstanding_max = table->limits.outstanding_max;
    enum io_refusal refusal = table->hooks.greet(table->hooks.context, conn, hello, &welcome);

    if (refusal == IO_REFUSAL_NONE) {
        let_in(conn, &welcome);
    } else {
        do_not_let_in(conn, refusal, payload, welcome.text);
    }
}

static void greet(struct conn *conn, struct slice payload)
{
    struct arena scratch;

    arena_init(&scratch, WELCOME_SCRATCH_BYTES);
    const Carillon__Hello *hello = wire_unpack(&carillon__hello__descriptor, payload, &scratch);
    if (hello == NULL || hello->magic != CONN_MAGIC) {
        conn_refuse(conn, ERR_MALFORMED, "the first frame is not a Hello of this protocol");
    } else if (hello->version_min > CONN_PROTOCOL_VERSION ||
               hello->version_max < CONN_PROTOCOL_VERSION) {
        conn_refuse(conn, ERR_VERSION, "this node speaks protocol version 1");
    } else {
        greet_who(conn, hello, payload);
    }
    arena_fini(&scratch);
}

/* ---- frames ---- */

static void take_frames(struct conn *conn)
{
    struct conn_table *table = conn->table;
    struct slice payload;
    int rc;

    while (!conn->is_closing && conn->held == NULL &&
           (rc = frame_reader_next(&conn->reader, &payload)) != ERR_EOF) {
        if (rc != OK && !conn->is_greeted) {
            conn_turn_away(conn, IO_REFUSAL_SIZE, rc, "a Hello is at most 256 bytes long");
            return;
        }
        if (rc != OK) {
            conn_refuse(conn, rc, "a frame is longer than 1 MiB");
            return;
        }
        conn->since_ms = now_ms(table);
        if (conn->is_greeted) {
            table->hooks.request(table->hooks.context, conn, payload);
        } else {
            greet(conn, payload);
        }
    }
    if (!conn->is_closing && conn_is_choked(conn)) {
        conn->is_paused = true;
        io_stream_pause(table->io, &conn->stream);
    }
}

static void judge_again(struct conn *conn)
{
    greet(conn, slice_from(conn->held->bytes, conn->held->len));
    if (!conn->is_greeted || conn->is_closing) {
        return;
    }
    release(conn);
    io_stream_resume(conn->table->io, &conn->stream);
    take_frames(conn);
}

/* Those who are held; whoever is judged leaves the list. */
static void on_hold(struct io_timer *timer)
{
    struct conn_table *table = CONTAINER_OF(timer, struct conn_table, hold);
    struct list *node;
    struct list *following;

    table->is_holding = false;
    LIST_EACH(node, following, &table->arriving)
    {
        struct conn *conn = CONTAINER_OF(node, struct conn, arriving);

        if (conn->held != NULL) {
            judge_again(conn);
            table->is_holding = table->is_holding || conn->held != NULL;
        }
    }
    if (table->is_holding && !table->is_closing) {
        io_timer_start(table->io, timer, HOLD_STEP_MS, on_hold);
    }
}

static void on_received(struct io_stream *stream, struct slice bytes)
{
    struct conn *conn = conn_of(stream);
    struct conn_table *table = conn->table;

    if (!conn->is_greeted) {
        enum io_refusal refusal =
            table->hooks.arrive(table->hooks.context, io_stream_peer(stream));

        if (refusal != IO_REFUSAL_NONE) {
            conn_turn_away(conn, refusal, ERR_UNAUTHENTICATED, NULL);
            return;
        }
    }
    frame_reader_feed(&conn->reader, bytes);
    take_frames(conn);
}

/* Read on from a client that has taken its answers. */
static void resume(struct conn *conn)
{
    if (conn->is_paused && !conn->is_closing && !conn_is_choked(conn)) {
        conn->is_paused = false;
        io_stream_resume(conn->table->io, &conn->stream);
    }
}

static void on_drained(struct io_stream *stream)
{
    resume(conn_of(stream));
}

static void on_ended(struct io_stream *stream, int status)
{
    struct conn *conn = conn_of(stream);
    enum io_refusal refusal = io_stream_peer(stream)->refusal;

    /* A client may leave whenever it likes. */
    if (status == ERR_UNAUTHENTICATED && refusal != IO_REFUSAL_NONE) {
        conn->table->hooks.refused(conn->table->hooks.context, refusal);
    }
    conn_close(conn);
}

static void table_check_closed(struct conn_table *table)
{
    if (table->is_closing && table->used == 0 && table->listener_is_closed) {
        io_turn_remove(table->io, &table->turn);
        table->closed(table);
    }
}

static void on_closed(struct io_stream *stream)
{
    struct conn *conn = conn_of(stream);
    struct conn_table *table = conn->table;
    uint32_t slot = conn->name.slot;

    if (conn->held != NULL) {
        release(conn);
    }
    frame_reader_fini(&conn->reader);
    buf_fini(&conn->stream.out);
    arena_free(table->arena, conn, sizeof *conn);
    table->slots[slot] = NULL;
    table->generations[slot]++;
    table->free_slots[table->free_count++] = slot;
    table->used--;
    table_check_closed(table);
}

static struct conn *conn_create(struct conn_table *table)
{
    uint32_t slot = table->free_slots[--table->free_count];
    struct conn *conn = arena_alloc_zero(table->arena, sizeof *conn);

    conn->table = table;
    conn->name = (struct conn_name){slot, table->generations[slot]};
    conn->since_ms = now_ms(table);
    conn->stream.received = on_received;
    conn->stream.drained = on_drained;
    conn->stream.ended = on_ended;
    conn->stream.closed = on_closed;
    buf_init(&conn->stream.out, CONN_OUT_BYTES_MAX);
    frame_reader_init(&conn->reader, CONN_HELLO_BYTES_MAX);
    table->slots[slot] = conn;
    table->used++;
    return conn;
}

/* A crowd at the door does not keep the next one out: who has been there longest makes room. */
static void arrive(struct conn *conn)
{
    struct conn_table *table = conn->table;

    list_add(&table->arriving, &conn->arriving);
    table->arriving_count++;
    if (table->arriving_count > CONN_ARRIVING_MAX) {
        conn_turn_away(CONTAINER_OF(table->arriving.next, struct conn, arriving),
                       IO_REFUSAL_CROWD, ERR_FULL, NULL);
    }
    io_stream_resume(table->io, &conn->stream);
}

/* No room is left: not for those who only stand at the door either. */
static void make_room(struct conn_table *table)
{
    if (!list_is_empty(&table->arriving)) {
        struct conn *oldest = CONTAINER_OF(table->arriving.next, struct conn, arriving);

        if (now_ms(table) - oldest->since_ms > SWEEP_MS) {
            conn_turn_away(oldest, IO_REFUSAL_CROWD, ERR_FULL, NULL);
        }
    }
}

/* One slot stays free for the connection that is told there is no room. */
static void on_incoming(struct io_listener *listener)
{
    struct conn_table *table = CONTAINER_OF(listener, struct conn_table, listener);

    /* Who comes early waits in the backlog. */
    while (table->is_serving && table->free_count > 0) {
        struct conn *conn = conn_create(table);
        int rc = io_accept(table->io, listener, &conn->stream);

        if (rc != OK) {
            conn->is_closing = true;
            on_closed(&conn->stream);
            if (rc != ERR_GONE) {
                event_log(EVENT_WARNING, "conn-accept-failed", "error=%s", error_name(rc));
            }
            return;
        }
        table->counters.accepted++;
        if (table->used > table->limits.connections_max) {
            make_room(table);
            table->counters.refused_connections++;
            conn_refuse(conn, ERR_FULL,
                        "the node serves as many connections as it may; try again later");
        } else {
            arrive(conn);
        }
    }
}

static void on_turn(struct io_turn *turn)
{
    struct conn_table *table = CONTAINER_OF(turn, struct conn_table, turn);
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, &table->dirty)
    {
        struct conn *conn = CONTAINER_OF(node, struct conn, dirty);

        list_remove(node);
        io_stream_flush(table->io, &conn->stream);
        resume(conn); /* drained() only follows a flush that could not finish */
    }
}

/* Cut off those who do not greet in time, and those who began a frame and stopped. */
static void on_sweep(struct io_timer *timer)
{
    struct conn_table *table = CONTAINER_OF(timer, struct conn_table, sweep);
    uint64_t now = now_ms(table);

    for (uint32_t slot = 0; slot < table->limits.connections_max + 1; slot++) {
        struct conn *conn = table->slots[slot];

        if (conn == NULL || conn->is_closing || conn->is_paused) {
            continue;
        }
        if (!conn->is_greeted && now - conn->since_ms > CONN_HELLO_MS) {
            conn_turn_away(conn, IO_REFUSAL_SLOW, ERR_TIMEOUT, NULL);
        } else if (frame_reader_is_inside(&conn->reader) &&
                   now - conn->since_ms > CONN_STALL_MS) {
            conn_refuse(conn, ERR_TIMEOUT, "a frame was begun and not ended within 30 seconds");
        }
    }
    io_timer_start(table->io, timer, SWEEP_MS, on_sweep);
}

static void on_listener_closed(struct io_listener *listener)
{
    struct conn_table *table = CONTAINER_OF(listener, struct conn_table, listener);

    table->listener_is_closed = true;
    table_check_closed(table);
}

int conn_table_open(struct conn_table *table, struct io *io, struct arena *arena,
                    const struct conn_limits *limits, const char *address, uint16_t *port)
{
    uint32_t slots = limits->connections_max + 1;

    table->io = io;
    table->arena = arena;
    table->limits = *limits;
    table->listener =
        (struct io_listener){.incoming = on_incoming, .closed = on_listener_closed};
    list_init(&table->dirty);
    list_init(&table->arriving);
    table->slots = arena_alloc_zero(arena, slots * sizeof *table->slots);
    table->generations = arena_alloc_zero(arena, slots * sizeof *table->generations);
    table->free_slots = arena_alloc(arena, slots * sizeof *table->free_slots);
    for (uint32_t i = 0; i < slots; i++) {
        table->free_slots[table->free_count++] = slots - 1 - i;
    }
    int rc = io_listen(io, &table->listener, address, *port, port);
    if (rc != OK) {
        return rc;
    }
    io_timer_start(io, &table->sweep, SWEEP_MS, on_sweep);
    return OK;
}

void conn_table_serve(struct conn_table *table)
{
    table->is_serving = true;
    io_turn_add(table->io, &table->turn, on_turn);
    on_incoming(&table->listener);
}

void conn_table_close(struct conn_table *table, void (*closed)(struct conn_table *table))
{
    table->is_closing = true;
    table->closed = closed;
    io_timer_stop(table->io, &table->sweep);
    io_timer_stop(table->io, &table->hold);
    io_listener_close(table->io, &table->listener);
    for (uint32_t slot = 0; slot < table->limits.connections_max + 1; slot++) {
        struct conn *conn = table->slots[slot];

        if (conn != NULL && !conn->is_closing) {
            io_stream_flush(table->io, &conn->stream);
            conn_close(conn);
        }
    }
}

void conn_table_turn_out(struct conn_table *table)
{
    for (uint32_t slot = 0; slot < table->limits.connections_max + 1; slot++) {
        struct conn *conn = table->slots[slot];

        if (conn != NULL && conn->is_greeted && conn->who.node == 0) {
            conn_close(conn);
        }
    }
}

void conn_table_turn_out_node(struct conn_table *table, uint64_t node)
{
    for (uint32_t slot = 0; slot < table->limits.connections_max + 1; slot++) {
        struct conn *conn = table->slots[slot];

        if (conn != NULL && conn->is_greeted && conn->who.node == node) {
            conn_close(conn);
        }
    }
}

void conn_table_forget(struct conn_table *table)
{
    for (uint32_t slot = 0; slot < table->limits.connections_max + 1; slot++) {
        struct conn *conn = table->slots[slot];

        if (conn != NULL) {
            frame_reader_fini(&conn->reader);
            buf_fini(&conn->stream.out);
        }
    }
}

void conn_table_tell(struct conn_table *table, struct slice cluster)
{
    table->cluster = cluster;
    table->cluster_version++;
}

bool conn_is_of_a_client(const struct conn *conn)
{
    return conn->who.node == 0 && (conn->who.roles & METHOD_ROLE_INVITED) == 0;
}

struct conn *conn_find(struct conn_table *table, struct conn_name name)
{
    struct conn *conn = table->slots[name.slot];

    return conn != NULL && conn->name.generation == name.generation && !conn->is_closing ? conn
                                                                                         : NULL;
}

void conn_reply(struct conn *conn, const struct conn_answer *answer)
{
    if (conn->is_closing) {
        return;
    }
    struct envelope_reply reply = {
        .id = answer->id,
        .status = (uint32_t)-answer->status,
        .retry_after_ms = answer->retry_after_ms,
        .body = answer->body,
        .stale = answer->stale,
    };
    bool is_told = conn->cluster_told != conn->table->cluster_version && conn->is_greeted &&
                   conn_is_of_a_client(conn);

    if (is_told) {
        reply.cluster = conn->table->cluster;
    }
    if (answer->status != OK) {
        reply.text =
            slice_from_text(answer->text != NULL ? answer->text : error_text(answer->status));
    }
    int rc = envelope_reply_encode(&reply, &conn->stream.out);
    if (rc == ERR_TOO_LARGE) {
        reply.status = (uint32_t)-ERR_NOSPACE_REPLY;
        reply.text = SLICE_LITERAL("the answer is longer than a frame; ask for fewer rows");
        reply.body = SLICE_NONE;
        reply.stale = SLICE_NONE;
        rc = envelope_reply_encode(&reply, &conn->stream.out);
    }
    if (rc != OK) {
        event_log(EVENT_WARNING, "conn-cut-off",
                  "slot=%u reason=\"client does not read its answers\"", conn->name.slot);
        conn_close(conn);
        return;
    }
    if (is_told) {
        conn->cluster_told = conn->table->cluster_version;
    }
    mark_dirty(conn);
}
