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

static int propose(struct shard *shard, uint32_t method, struct slice key,
                         struct slice body, uint64_t *ret_index)
{
    struct node *node = shard->node;
    const struct envelope_entry entry = {
        .wall_ms = node__wall_ms(node), .method = method, .key = key, .body = body};

    buf_clear(&node->entry);
    if (envelope_entry_encode(&entry, &node->entry) != OK) {
        return ERR_TOO_LARGE;
    }
    return engine_propose(node->engine, node__group_of(shard), buf_slice(&node->entry),
                          ret_index);
}

/* @entry: method, key, body and hint. */
static int admit(struct shard *shard, struct enrol_entry *entry, uint64_t *ret_index)
{
    struct node *node = shard->node;

    entry->wall_ms = node__wall_ms(node);
    int rc = enrol_admit(shard->enrol, entry, &node->text);

    if (rc != OK) {
        return rc;
    }
    rc = node__index_admit(shard, entry->method, entry->body);
    if (rc == OK) {
        rc = propose(shard, entry->method, entry->key, entry->body, ret_index);
        if (rc != OK) {
            node__index_forget(shard, entry->method, entry->body);
        }
    }
    if (rc != OK) {
        enrol_forget(shard->enrol, entry->method, entry->body);
    }
    return rc;
}

int node__entry_propose(struct shard *shard, uint32_t method, struct slice key,
                        struct slice body)
{
    uint64_t index;

    return propose(shard, method, key, body, &index);
}

int node__propose_keyed(struct shard *shard, uint32_t method, struct slice key,
                        struct slice body, uint64_t *ret_index)
{
    struct enrol_entry entry = {
        .method = method, .key = key, .body = body, .hint = ENROL_HINT_NONE};

    buf_clear(&shard->node->text);
    return admit(shard, &entry, ret_index);
}

int node__propose(struct shard *shard, uint32_t method, struct slice body)
{
    struct node *node = shard->node;
    struct uuid key = {0};
    uint8_t random[10];
    uint64_t index;

    if (method == CARILLON__METHOD__METHOD_NONE) {
        return propose(shard, method, SLICE_NONE, SLICE_NONE, &index);
    }
    io_random(node->io, random, sizeof random);
    key = uuid_make(node__wall_ms(node), random);
    return node__propose_keyed(shard, method, slice_from(key.bytes, sizeof key.bytes), body,
                               &index);
}

/* ---- requests */

/* The oldest write that waits, or NULL. */
static struct pending *oldest(const struct shard *shard)
{
    return shard->pending_first == shard->pending_last
               ? NULL
               : &shard->pending[shard->pending_first & (shard->node->pending_max - 1)];
}

/* Whether more writes of the shard wait than will be answered soon: who comes now is told so at
 * once, which costs little, and those before him are answered in time. */
static bool is_overloaded(const struct shard *shard)
{
    const struct node *node = shard->node;
    uint64_t waiting = shard->pending_last - shard->pending_first + shard->gathered_count;
    const struct pending *first = oldest(shard);

    return waiting >= node->pending_max ||
           (waiting >= NODE_QUEUE_MIN && first != NULL &&
            io_now_ns(node->io) - first->since_ns > (uint64_t)NODE_QUEUE_MS * 1000000);
}

/* Whether the shard takes a write at all now. */
int node__write_gate(const struct shard *shard, const struct asker *asker)
{
    const struct node *node = shard->node;
    const struct conn *conn = asker->conn;

    if (node->is_closing || node->is_failed) {
        return ERR_STOPPED;
    }
    if (!shard->is_leading) {
        return ERR_NOT_LEADER;
    }
    if (!node->is_writable) {
        return ERR_DISK_FULL;
    }
    if (is_overloaded(shard) ||
        (conn != NULL && conn->who.node == 0 &&
         conn->outstanding >= node->conns.limits.outstanding_max) ||
        audit_is_behind(shard->audit)) {
        return audit_status(shard->audit) == ERR_DISK_FULL ? ERR_DISK_FULL : ERR_BUSY;
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
    struct shard *shard = write->shard;
    struct enrol_entry entry = {
        .method = write->method, .key = key, .body = body, .hint = write->hint};
    uint64_t index = 0;

    if (!node__is_awaited_by(node, write->conn)) {
        return; /* nobody has heard that it was accepted: it need not be */
    }
    buf_clear(&node->text);
    int rc = is_late(node, write->deadline_ns) ? ERR_TIMEOUT : OK;
    if (rc == OK) {
        rc = admit(shard, &entry, &index);
    }
    if (rc != OK) {
        node__pay_error(node, write->conn, write->id, rc);
        return;
    }
    shard->pending[shard->pending_last++ & (node->pending_max - 1)] =
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
static void prefetch(struct shard *shard)
{
    struct node *node = shard->node;
    struct enrol_ahead ahead[ENROL_PREFETCH_MAX];
    struct gathered *of[ENROL_PREFETCH_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < node->gathered_count; i++) {
        struct gathered *write = &node->gathered[i];

        if (write->shard == shard && write->method == CARILLON__METHOD__METHOD_SUBMIT) {
            of[count] = write;
            ahead[count++] = (struct enrol_ahead){.method = write->method,
                                                  .key = gathered_key(node, write),
                                                  .body = gathered_body(node, write)};
        }
    }
    enrol_prefetch(shard->enrol, ahead, count);
    for (size_t i = 0; i < count; i++) {
        of[i]->hint = ahead[i].hint;
    }
    shard->gathered_count = 0;
}

void node__writes_admit(struct node *node)
{
    for (uint32_t i = 0; i < node->gathered_count; i++) {
        if (node->gathered[i].shard->gathered_count > 0) {
            prefetch(node->gathered[i].shard);
        }
    }
    for (uint32_t i = 0; i < node->gathered_count; i++) {
        const struct gathered *write = &node->gathered[i];

        write_admit(node, write, gathered_key(node, write), gathered_body(node, write));
    }
    node->gathered_count = 0;
    buf_clear(&node->gather);
}

void node__write_owed(const struct gathered *of, struct slice key, struct slice body)
{
    struct gathered write = *of;
    struct node *node = write.shard->node;

    write.key_len = (uint32_t)key.len;
    write.body_len = (uint32_t)body.len;
    if (node->gathered_count == NODE_GATHER_MAX ||
        node->gather.len + write.key_len + write.body_len > NODE_GATHER_BYTES) {
        node__writes_admit(node);
    }
    if (write.key_len + (uint64_t)write.body_len > NODE_GATHER_BYTES) {
        write_admit(node, &write, key, body); /* too large to be kept */
        return;
    }
    write.key_at = (uint32_t)node->gather.len;
    int rc = buf_append_slice(&node->gather, key);
    rc = rc == OK ? buf_append_slice(&node->gather, body) : rc;
    ASSERT(rc == OK); /* there was room */
    node->gathered[node->gathered_count++] = write;
    write.shard->gathered_count++;
    node->writes_turn.again = true;
}

void node__write(struct shard *shard, const struct asker *asker,
                 const struct envelope_request *request, uint64_t deadline_ns)
{
    int rc = node__write_gate(shard, asker);
    const struct gathered write = {
        .shard = shard,
        .conn = asker->name,
        .id = asker->id,
        .deadline_ns = deadline_ns,
        .method = request->method,
        .hint = ENROL_HINT_NONE,
    };

    if (rc != OK) {
        node__answer_error(shard->node, asker->name, asker->id, rc);
        return;
    }
    node__owe(asker);
    node__write_owed(&write, request->key, request->body);
}

/* ---- applied */

/* A batch is applied some time after its entries were admitted, and what they looked at may
 * have left the processor's cache: it is asked for again a few entries ahead. */
static void look_ahead(const struct shard *shard)
{
    uint64_t mask = shard->node->pending_max - 1;
    uint64_t left = shard->pending_last - shard->pending_first;

    if (left > AHEAD_OBJECTS) {
        uint64_t at = (shard->pending_first + AHEAD_OBJECTS) & mask;

        enrol_prefetch_hint(shard->enrol, shard->pending[at].hint, ENROL_AHEAD_OBJECTS);
    }
    if (left > AHEAD_LISTS) {
        uint64_t at = (shard->pending_first + AHEAD_LISTS) & mask;

        enrol_prefetch_hint(shard->enrol, shard->pending[at].hint, ENROL_AHEAD_LISTS);
    }
}

struct enrol_hint node__write_hint(const struct shard *shard, uint64_t index)
{
    const struct pending *pending = oldest(shard);

    if (pending == NULL || pending->index != index) {
        return node__ahead_hint(shard, index);
    }
    look_ahead(shard);
    return pending->hint;
}

/* The entry at the head of the ring is this one, unless nobody waits for it. */
void node__write_applied(struct shard *shard, uint64_t index)
{
    struct node *node = shard->node;
    const struct enrol_result *result = &node->result;
    const struct pending *pending = oldest(shard);

    if (pending == NULL || pending->index != index) {
        return;
    }
    shard->pending_first++;
    if (is_late(node, pending->deadline_ns)) {
        node__pay_late(node, pending->conn, pending->id);
        return;
    }
    struct conn_answer answer = {
        .id = pending->id, .status = result->status, .body = buf_slice(&result->reply)};
    if (result->status != OK && result->text.len > 0) {
        answer.text = buf_text(&node->result.text);
    }
    node__pay(node, pending->conn, &answer);
}

void node__writes_lost(struct shard *shard)
{
    struct node *node = shard->node;
    const struct pending *pending;

    while ((pending = oldest(shard)) != NULL) {
        shard->pending_first++;
        node__pay_unknown(node, pending->conn, pending->id);
    }
    enrol_forget_all(shard->enrol);
    node__index_forget_all(shard);
}
