#include "tests/lib/fake_node.h"

#include "base/assert.h"
#include "wire/message.h"

enum { OUT_BYTES_MAX = 8 << 20, ARENA_BYTES = 4 << 20, FAKE_ID_BYTES = 16 };

static void conn_on_closed(struct io_stream *stream)
{
    struct fake_conn *conn = CONTAINER_OF(stream, struct fake_conn, stream);

    buf_fini(&conn->stream.out);
    frame_reader_fini(&conn->reader);
    conn->is_open = false;
    conn->is_closing = false;
    conn->node->closed++;
}

void fake_conn_cut(struct fake_conn *conn)
{
    if (conn->is_open && !conn->is_closing) {
        conn->is_closing = true;
        io_stream_close(conn->node->io, &conn->stream);
    }
}

static void conn_on_ended(struct io_stream *stream, int status)
{
    (void)status;
    fake_conn_cut(CONTAINER_OF(stream, struct fake_conn, stream));
}

void fake_send(struct fake_conn *conn, struct slice bytes)
{
    if (conn->is_closing) {
        return;
    }
    int rc = buf_append_slice(&conn->stream.out, bytes);
    ASSERT(rc == OK);
    io_stream_flush(conn->node->io, &conn->stream);
}

static void send_message(struct fake_conn *conn, const ProtobufCMessage *message)
{
    if (conn->is_closing) {
        return;
    }
    int rc = wire_pack_frame(message, &conn->stream.out);
    ASSERT(rc == OK);
    io_stream_flush(conn->node->io, &conn->stream);
}

void fake_reply(struct fake_conn *conn, uint64_t id, int status, struct slice body)
{
    Carillon__Reply reply = CARILLON__REPLY__INIT;

    reply.id = id;
    reply.status = (uint32_t)-status;
    reply.body = wire_binary(body);
    send_message(conn, &reply.base);
}

void fake_reply_message(struct fake_conn *conn, const Carillon__Reply *reply)
{
    send_message(conn, &reply->base);
}

static void welcome_send(struct fake_conn *conn)
{
    struct fake_node *node = conn->node;
    Carillon__Welcome welcome = CARILLON__WELCOME__INIT;

    if (node->is_garbled) {
        fake_send(conn, SLICE_LITERAL("\x04\0\0\0\xff\xff\xff\xff"));
        return;
    }
    welcome.version = node->welcome_version;
    welcome.status = node->welcome_status;
    welcome.text = wire_text(node->welcome_text);
    welcome.node_version = wire_text("9.8.7");
    welcome.cluster_id =
        wire_binary(slice_from((const uint8_t *)node->cluster_id, FAKE_ID_BYTES));
    if (node->node_id != NULL) {
        welcome.node_id =
            wire_binary(slice_from((const uint8_t *)node->node_id, FAKE_ID_BYTES));
    }
    welcome.cluster = node->cluster;
    welcome.outstanding_max = node->outstanding_max;
    welcome.frame_bytes_max = FRAME_BYTES_MAX;
    send_message(conn, &welcome.base);
}

static void frame_take(struct fake_conn *conn, struct slice payload)
{
    struct fake_node *node = conn->node;

    if (!conn->is_greeted) {
        conn->is_greeted = true;
        if (!node->is_silent) {
            welcome_send(conn);
        }
        return;
    }
    arena_reset(&node->arena);
    const Carillon__Request *request =
        wire_unpack(&carillon__request__descriptor, payload, &node->arena);
    ASSERT(request != NULL);
    node->requests++;
    conn->requests++;
    node->request(conn, request);
}

static void conn_on_received(struct io_stream *stream, struct slice bytes)
{
    struct fake_conn *conn = CONTAINER_OF(stream, struct fake_conn, stream);
    struct slice payload;

    frame_reader_feed(&conn->reader, bytes);
    while (!conn->is_closing && frame_reader_next(&conn->reader, &payload) == OK) {
        frame_take(conn, payload);
    }
}

static struct fake_conn *conn_make(struct fake_node *node)
{
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        struct fake_conn *conn = &node->conns[i];

        if (!conn->is_open) {
            *conn = (struct fake_conn){.node = node};
            buf_init(&conn->stream.out, OUT_BYTES_MAX);
            frame_reader_init(&conn->reader, FRAME_BYTES_MAX);
            conn->stream.received = conn_on_received;
            conn->stream.ended = conn_on_ended;
            conn->stream.closed = conn_on_closed;
            return conn;
        }
    }
    return NULL;
}

static void listener_on_incoming(struct io_listener *listener)
{
    struct fake_node *node = CONTAINER_OF(listener, struct fake_node, listener);

    for (;;) {
        struct fake_conn *conn = conn_make(node);

        ASSERT(conn != NULL);
        if (io_accept(node->io, listener, &conn->stream) != OK) {
            buf_fini(&conn->stream.out);
            frame_reader_fini(&conn->reader);
            return;
        }
        conn->is_open = true;
        node->accepted++;
        io_stream_resume(node->io, &conn->stream);
    }
}

static void listener_on_closed(struct io_listener *listener)
{
    CONTAINER_OF(listener, struct fake_node, listener)->is_listening = false;
}

void fake_node_open(struct fake_node *node, struct io *io, uint16_t port)
{
    fake_node_open_at(node, io, "127.0.0.1", port);
}

void fake_node_open_at(struct fake_node *node, struct io *io, const char *address,
                       uint16_t port)
{
    memset(node, 0, sizeof *node);
    node->io = io;
    node->welcome_version = 1;
    node->welcome_text = "";
    node->cluster_id = "cluster of tests";
    node->outstanding_max = 1000;
    arena_init(&node->arena, ARENA_BYTES);
    node->listener.incoming = listener_on_incoming;
    node->listener.closed = listener_on_closed;
    int rc = io_listen(io, &node->listener, address, port, &node->port);
    ASSERT(rc == OK);
    node->is_listening = true;
}

void fake_node_close(struct fake_node *node)
{
    io_listener_close(node->io, &node->listener);
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        fake_conn_cut(&node->conns[i]);
    }
}

bool fake_node_is_closed(const struct fake_node *node)
{
    for (size_t i = 0; i < FAKE_CONNS_MAX; i++) {
        if (node->conns[i].is_open) {
            return false;
        }
    }
    return !node->is_listening;
}
