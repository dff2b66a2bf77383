/* A change on its way: gathered within a turn, admitted, proposed, and answered when its entry
 * was applied. */
#include "base/assert.h"
#include "enrol/prefetch.h"
#include "node/node_private.h"
#include "wire/envelope.h"

enum { AHEAD_OBJECTS = 8, AHEAD_LISTS = 4 }; /* entries */

uint64_t node__wall_ms(struct node *node)
{
    uint64_t now = io_wall_ms(node->io);

    if (now > node->wall_ms) {
        node->wall_ms = now;
    }
    return node->wall_ms;
}

/* ---- proposing */

static int entry_propose(struct node *node, uint32_t method, struct slice key,
                         struct slice body, uint64_t *ret_index)
{
    const struct envelope_entry entry = {
        .wall_ms = node__wall_ms(node), .method = method, .key = key, .body = body};

    buf_clear(&node->entry);
    if (envelope_entry_encode(&entry, &node->entry) != OK) {
        return ERR_TOO_LARGE;
    }
    return engine_propose(node->engine, NODE_GROUP_SHARD, buf_slice(&node->entry), ret_index);
}

/* @entry: method, key, body and hint. */
static int admit(struct node *node, struct enrol_entry *entry, uint64_t *ret_index)
{
    entry->wall_ms = node__wall_ms(node);
    int rc = enrol_admit(node->enrol, entry, &node->text);

    if (rc != OK) {
        return rc;
    }
    rc = node__index_admit(node, entry->method, entry->body);
    if (rc == OK) {
        rc = entry_propose(node, entry->method, entry->key, entry->body, ret_index);
        if (rc != OK) {
            node__index_forget(node, entry->method, entry->body);
        }
    }
    if (rc != OK) {
        enrol_forget(node->enrol, entry->method, entry->body);
    }
    return rc;
}

int node__propose(struct node *node, uint32_t method, struct slice body)
{
    struct uuid key = {0};
    uint8_t random[10];
    uint64_t index;

    if (method == CARILLON__METHOD__METHOD_NONE) {
        return entry_propose(node, method, SLICE_NONE, SLICE_NONE, &index);
    }
    io_random(node->io, random, sizeof random);
    key = uuid_make(node__wall_ms(node), random);
    struct enrol_entry entry = {.method = method,
                                .key = slice_from(key.bytes, sizeof key.bytes),
                                .body = body,
                                .hint = ENROL_HINT_NONE};

    return admit(node, &entry, &index);
}

/* ---- requests */

/* Whether more writes wait than will be answered soon: who comes now is told so at once, which
 * costs little, and those before him are answered in time. */
static bool is_overloaded(const struct node *node)
{
    uint64_t waiting = node->pending_last - node->pending_first + node->gathered_count;
    const struct pending *oldest = &node->pending[node->pending_first % NODE_PENDING_MAX];

    return waiting >= NODE_PENDING_MAX ||
           (waiting >= NODE_QUEUE_MIN && node->pending_first != node->pending_last &&
            io_now_ns(node->io) - oldest->since_ns > (uint64_t)NODE_QUEUE_MS * 1000000);
}

/* Whether the node takes a write at all now. */
static int write_gate(const struct node *node, const struct conn *conn)
{
    if (node->is_closing || node->is_failed) {
        return ERR_STOPPED;
    }
    if (!node->is_leading) {
        return ERR_NOT_LEADER;
    }
    if (!node->is_writable) {
        return ERR_DISK_FULL;
    }
    if (is_overloaded(node) ||
        (conn->who.node == 0 && conn->outstanding >= node->conns.limits.outstanding_max) ||
        audit_is_behind(node->audit)) {
        return audit_status(node->audit) == ERR_DISK_FULL ? ERR_DISK_FULL : ERR_BUSY;
    }
    return OK;
}

/* A write's deadline is looked at before it is proposed, and before it is answered: in between
 * it is an entry, which nobody can take back. */
static bool is_late(const struct node *node, uint64_t deadline_ns)
{
    return io_now_ns(node->io) > deadline_ns;
}

static void write_admit(struct node *node, const struct gathered *write, struct slice key,
                        struct slice body)
{
    struct enrol_entry entry = {
        .method = write->method, .key = key, .body = body, .hint = write->hint};
    struct conn *conn = conn_find(&node->conns, write->conn);
    uint64_t index = 0;

    if (conn == NULL) {
        return; /* nobody has heard that it was accepted: it need not be */
    }
    buf_clear(&node->text);
    int rc = is_late(node, write->deadline_ns) ? ERR_TIMEOUT : OK;
    if (rc == OK) {
        rc = admit(node, &entry, &index);
    }
    if (rc != OK) {
        conn->outstanding--;
        node__answer_error(node, conn, write->id, rc);
        return;
    }
    node->pending[node->pending_last++ % NODE_PENDING_MAX] =
        (struct pending){.conn = write->conn,
                         .id = write->id,
                         .index = index,
                         .since_ns = io_now_ns(node->io),
                         .hint = write->hint,
                         .deadline_ns = write->deadline_ns};
}

static struct slice gathered_key(const struct node *node, const struct gathered *write)
{
    return slice_sub(buf_slice(&node->gather), write->key_at, write->key_len);
}

static struct slice gathered_body(const struct node *node, const struct gathered *write)
{
    return slice_sub(buf_slice(&node->gather), write->key_at + write->key_len, write->body_len);
}

/* Side by side, the cache misses of a group take little longer than those of one. */
static void prefetch(struct node *node)
{
    struct enrol_ahead ahead[ENROL_PREFETCH_MAX];
    struct gathered *of[ENROL_PREFETCH_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < node->gathered_count; i++) {
        struct gathered *write = &node->gathered[i];

        if (write->method == CARILLON__METHOD__METHOD_SUBMIT) {
            of[count] = write;
            ahead[count++] = (struct enrol_ahead){.key = gathered_key(node, write),
                                                  .body = gathered_body(node, write)};
        }
    }
    enrol_prefetch(node->enrol, ahead, count);
    for (size_t i = 0; i < count; i++) {
        of[i]->hint = ahead[i].hint;
    }
}

void node__writes_admit(struct node *node)
{
    prefetch(node);
    for (uint32_t i = 0; i < node->gathered_count; i++) {
        const struct gathered *write = &node->gathered[i];

        write_admit(node, write, gathered_key(node, write), gathered_body(node, write));
    }
    node->gathered_count = 0;
    buf_clear(&node->gather);
}

void node__write(struct node *node, struct conn *conn, const struct envelope_request *request,
                 uint64_t deadline_ns)
{
    int rc = write_gate(node, conn);
    struct gathered write = {
        .conn = conn->name,
        .id = request->id,
        .deadline_ns = deadline_ns,
        .method = request->method,
        .key_len = (uint32_t)request->key.len,
        .body_len = (uint32_t)request->body.len,
        .hint = ENROL_HINT_NONE,
    };

    if (rc != OK) {
        node__answer_error(node, conn, request->id, rc);
        return;
    }
    conn->outstanding++;
    if (node->gathered_count == NODE_GATHER_MAX ||
        node->gather.len + write.key_len + write.body_len > NODE_GATHER_BYTES) {
        node__writes_admit(node);
    }
    if (write.key_len + (uint64_t)write.body_len > NODE_GATHER_BYTES) {
        write_admit(node, &write, request->key, request->body); /* too large to be kept */
        return;
    }
    write.key_at = (uint32_t)node->gather.len;
    rc = buf_append_slice(&node->gather, request->key);
    rc = rc == OK ? buf_append_slice(&node->gather, request->body) : rc;
    ASSERT(rc == OK); /* there was room */
    node->gathered[node->gathered_count++] = write;
}

/* ---- applied */

/* A batch is applied some time after its entries were admitted, and what they looked at may
 * have left the processor's cache: it is asked for again a few entries ahead. */
static void look_ahead(const struct node *node)
{
    uint64_t left = node->pending_last - node->pending_first;

    if (left > AHEAD_OBJECTS) {
        uint64_t at = (node->pending_first + AHEAD_OBJECTS) % NODE_PENDING_MAX;

        enrol_prefetch_hint(node->enrol, node->pending[at].hint, ENROL_AHEAD_OBJECTS);
    }
    if (left > AHEAD_LISTS) {
        uint64_t at = (node->pending_first + AHEAD_LISTS) % NODE_PENDING_MAX;

        enrol_prefetch_hint(node->enrol, node->pending[at].hint, ENROL_AHEAD_LISTS);
    }
}

struct enrol_hint node__write_hint(const struct node *node, uint64_t index)
{
    const struct pending *pending = &node->pending[node->pending_first % NODE_PENDING_MAX];

    if (node->pending_first == node->pending_last || pending->index != index) {
        return ENROL_HINT_NONE;
    }
    look_ahead(node);
    return pending->hint;
}

/* The entry at the head of the ring is this one, unless nobody waits for it. */
void node__write_applied(struct node *node, uint64_t index)
{
    const struct enrol_result *result = &node->result;

    if (node->pending_first == node->pending_last ||
        node->pending[node->pending_first % NODE_PENDING_MAX].index != index) {
        return;
    }
    const struct pending *pending = &node->pending[node->pending_first++ % NODE_PENDING_MAX];
    struct conn *conn = conn_find(&node->conns, pending->conn);
    if (conn == NULL) {
        return;
    }
    conn->outstanding--;
    if (is_late(node, pending->deadline_ns)) {
        /* Who asked has stopped waiting, and counts the request as under way until some answer
         * comes, as this node's bound does. It must not be told yes or no any more. */
        node->counters.late_answers++;
        conn_reply(conn, &(struct conn_answer){.id = pending->id, .status = ERR_TIMEOUT});
        return;
    }
    struct conn_answer answer = {
        .id = pending->id, .status = result->status, .body = buf_slice(&result->reply)};
    if (result->status != OK && result->text.len > 0) {
        answer.text = buf_text(&node->result.text);
    }
    conn_reply(conn, &answer);
}

void node__writes_lost(struct node *node)
{
    while (node->pending_first != node->pending_last) {
        const struct pending *pending =
            &node->pending[node->pending_first++ % NODE_PENDING_MAX];
        struct conn *conn = conn_find(&node->conns, pending->conn);

        if (conn != NULL) {
            conn->outstanding--;
            node__answer_unknown(node, conn, pending->id);
        }
    }
    enrol_forget_all(node->enrol);
    node__index_forget_all(node);
}
