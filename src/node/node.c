/* The composition: what opens after what, what closes before what, and which hook belongs to
 * whom. */
#include "node/node.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "identity/keyring_join.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

enum { CLOCK_MS = 1000, PAGE_BYTES = 4096, LEAVE_MS = 500, LEAVE_STEP_MS = 10 };

/* ---- engine hooks: restore and snapshot
 * -------------------------------------------------------------------------- */

static int open_connections(struct node *node);

/* A new folder whose keys were given to it by a cluster belongs there. Errors: ERR_GONE it was
 * not given any. */
static int take_joined(struct node *node, struct log_identity *identity)
{
    struct keyring_joined joined;
    int rc = keyring_joined_read(node->io, node->config.data_folder, &joined, &node->text);

    if (rc == OK) {
        memcpy(identity->cluster, joined.cluster, sizeof identity->cluster);
        memcpy(identity->node, joined.node, sizeof identity->node);
        identity->shards = joined.shards;
        identity->is_joined = true;
    }
    return rc;
}

static bool is_shard_count(uint32_t count)
{
    return count >= 1 && count <= NODE_SHARDS_MAX && (count & (count - 1)) == 0;
}

/* The folder is ours and the local secret is there: clients that come early wait in the
 * backlog. */
static int identify(void *context, bool is_new, struct log_identity *identity)
{
    struct node *node = context;
    struct door_folder folder = {node->config.data_folder,
                                 is_new ? KEYRING_NEW : KEYRING_FOUND};
    int rc = is_new ? take_joined(node, identity) : OK;

    if (identity->is_joined) {
        folder.start = !is_new || rc == OK ? KEYRING_JOINED : KEYRING_NEW;
    }
    if (rc != OK && rc != ERR_GONE) {
        return rc;
    }
    if (!is_shard_count(identity->shards)) {
        (void)!buf_append_format(&node->text, "%u shards: a power of two in 1..%d",
                                 identity->shards, NODE_SHARDS_MAX);
        return ERR_CONFIG;
    }
    uint64_t needed = (uint64_t)identity->shards * NODE_SHARD_BYTES_MIN;

    if (node->config.memory_bytes_max < needed) {
        (void)!buf_append_format(&node->text,
                                 "memory_bytes_max: %u shards need %" PRIu64 " MiB or more",
                                 identity->shards, needed >> 20);
        return ERR_CONFIG;
    }
    node__shards_make(node, identity->shards);
    rc = door_open(&node->door, node->io, &node->arena, &folder, identity->cluster,
                       &node->text);

    return rc == OK ? open_connections(node) : rc;
}

static int identified(void *context, const struct log_identity *identity)
{
    struct node *node = context;

    return door_open_node(&node->door, identity->node, &node->text);
}

static int restore_begin(void *context, uint32_t group, uint64_t index)
{
    struct node *node = context;

    if (group == NODE_GROUP_META) {
        node__meta_restore_begin(node);
        return OK;
    }
    return node__shard_restore_begin(node__shard_of_group(node, group), index);
}

static int restore_chunk(void *context, uint32_t group, struct slice chunk)
{
    struct node *node = context;

    return group == NODE_GROUP_META
               ? node__meta_restore_chunk(node, chunk)
               : enrol_restore_chunk(node__shard_of_group(node, group)->enrol, chunk);
}

static int restore_end(void *context, uint32_t group)
{
    struct node *node = context;

    return group == NODE_GROUP_META
               ? node__meta_restore_end(node)
               : node__shard_restore_end(node__shard_of_group(node, group));
}

static void snapshot_begin(void *context, uint32_t group)
{
    struct node *node = context;

    if (group == NODE_GROUP_META) {
        node__meta_snapshot_begin(node);
    } else {
        node__shard_snapshot_begin(node__shard_of_group(node, group));
    }
}

static int snapshot_step(void *context, uint32_t group, struct buf *out)
{
    struct node *node = context;

    return group == NODE_GROUP_META
               ? node__meta_snapshot_step(node, out)
               : node__shard_snapshot_step(node__shard_of_group(node, group), out);
}

static void snapshot_end(void *context, uint32_t group, int status)
{
    struct node *node = context;

    if (group != NODE_GROUP_META) {
        node__shard_snapshot_end(node__shard_of_group(node, group), status);
    }
}

/* ---- engine hooks: who leads
 * --------------------------------------------------------------------------------------------------------
 */

static void on_role(void *context, uint32_t group, bool is_leading, uint64_t term)
{
    struct node *node = context;

    if (group == NODE_GROUP_META) {
        node__meta_role(node, is_leading);
        return;
    }
    struct shard *shard = node__shard_of_group(node, group);
    shard->is_leading = is_leading;
    node__leaders_rest(node);
    event_log(EVENT_INFO, is_leading ? "leading" : "following", "group=%u term=%llu", group,
              (unsigned long long)term);
    if (!is_leading) {
        if (node->shard_count > 1) {
            node__across_follow(shard);
        }
        node__writes_lost(shard);
        return;
    }
    node__lead(shard);
    if (node->shard_count > 1) {
        node__across_lead(shard, term);
    }
}

/* ---- engine hooks: the disk
 * ----------------------------------------------------------------------------------------- */

static void on_writable(void *context, bool is_writable)
{
    struct node *node = context;

    if (node->is_writable != is_writable) {
        event_log(is_writable ? EVENT_INFO : EVENT_ERROR,
                  is_writable ? "disk-has-room" : "disk-full", "writes=%s",
                  is_writable ? "accepted" : "refused");
    }
    node->is_writable = is_writable;
}

void node__fail(struct node *node, const char *text)
{
    if (node->is_failed) {
        return;
    }
    node->is_failed = true;
    event_log(EVENT_ERROR, "node-failed", "reason=\"%s\"", text);
    if (node->failed != NULL) {
        node->failed(node->failed_context);
    }
}

static void on_failed(void *context, const char *text)
{
    node__fail(context, text);
}

/* ---- closing
 * ----------------------------------------------------------------------------------------------------------
 */

static void node_free(struct node *node)
{
    struct arena arena = node->arena;

    arena_spare_free(node->spare);
    node__swim_fini(node);
    node__verify_fini(node);
    node__search_fini(node);
    search_destroy(node->search);
    node__across_fini(node);
    node__spread_fini(node);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        enrol_destroy(node->shards[i].enrol);
    }
    enrol_result_fini(&node->result);
    arena_fini(&node->search_arena);
    arena_fini(&node->scratch);
    buf_fini(&node->entry);
    buf_fini(&node->gather);
    buf_fini(&node->body);
    buf_fini(&node->text);
    buf_fini(&node->notes);
    buf_fini(&node->meta_bytes);
    node__cluster_fini(node);
    arena_fini(&arena);
}

static void on_memory_idle(struct node *node)
{
    void (*closed)(void *context) = node->closed;
    void *closed_context = node->closed_context;

    io_turn_remove(node->io, &node->writes_turn);
    io_turn_remove(node->io, &node->turn);
    node_free(node);
    closed(closed_context);
}

static void on_door_closed(void *context)
{
    struct node *node = context;

    if (!node__memory_await(node, on_memory_idle)) {
        on_memory_idle(node);
    }
}

static void close_audits(struct node *node);

static void on_audit_closed(void *context)
{
    struct shard *shard = context;

    shard->audit = NULL;
    close_audits(shard->node);
}

/* One after the other. */
static void close_audits(struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct shard *shard = &node->shards[i];

        if (shard->audit != NULL) {
            audit_close(shard->audit, on_audit_closed, shard);
            return;
        }
    }
    door_close(&node->door, on_door_closed, node);
}

/* Everything is applied: what connections still have to say is said, then they are closed. */
static void on_connections_closed(struct conn_table *table)
{
    struct node *node = CONTAINER_OF(table, struct node, conns);

    close_audits(node);
}

static void on_book_closed(struct node *node)
{
    conn_table_close(&node->conns, on_connections_closed);
}

static void on_swim_closed(struct node *node)
{
    node__book_close(node, on_book_closed);
}

static void on_links_closed(void *context)
{
    node__swim_close(context, on_swim_closed);
}

static void on_engine_closed(void *context)
{
    struct node *node = context;

    node->engine_is_closed = true;
    event_log(EVENT_INFO, "node-stopped", "applied=%llu",
              (unsigned long long)node__applied(node));
    link_table_close(&node->links, on_links_closed, node);
}

/* Whoever takes over has done so, or does not: others elect one then. */
static void on_leaving(struct io_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, clock);

    bool is_done = !node__leads_any(node) && node__swim_has_left(node);

    if (!node->is_failed && !is_done && io_now_ns(node->io) < node->leave_by_ns) {
        io_timer_start(node->io, timer, LEAVE_STEP_MS, on_leaving);
        return;
    }
    engine_close(node->engine);
}

void node_close(struct node *node, void (*closed)(void *context), void *context)
{
    ASSERT(!node->is_closing);
    node->is_closing = true;
    node->closed = closed;
    node->closed_context = context;
    io_timer_stop(node->io, &node->clock);
    node__across_stop(node);
    node__peers_stop(node);
    node__verify_fini(node);
    node->leave_by_ns = io_now_ns(node->io) + (uint64_t)LEAVE_MS * 1000000;
    bool is_failed = node->is_failed;
    bool is_asked = !is_failed && node__hand_over(node);

    if (!is_failed) {
        node__swim_leave(node);
    }
    if (is_asked || (!is_failed && !node__swim_has_left(node))) {
        io_timer_start(node->io, &node->clock, LEAVE_STEP_MS, on_leaving);
    } else {
        engine_close(node->engine);
    }
}

void node_forget(struct node *node)
{
    if (!node->engine_is_closed) {
        engine_raft_abandon(&node->raft);
    }
    node__waits_forget(node);
    link_table_forget(&node->links);
    conn_table_forget(&node->conns);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].audit != NULL) {
            audit_forget(node->shards[i].audit);
        }
    }
    door_forget(&node->door);
    node_free(node);
}

void node_on_failed(struct node *node, void (*failed)(void *context), void *context)
{
    node->failed = failed;
    node->failed_context = context;
}

uint16_t node_port(const struct node *node)
{
    return node->port;
}

/* ---- time
 * -----------------------------------------------------------------------------------------------------------------
 */

static void on_clock(struct io_timer *timer)
{
    struct node *node = CONTAINER_OF(timer, struct node, clock);
    uint64_t now = node__wall_ms(node);

    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (audit_status(node->shards[i].audit) == ERR_IO) {
            node__fail(node, "the audit trail cannot be written: the disk failed");
            return;
        }
    }
    node__members_look(node);
    if (node->shard_count > 1) {
        node__facts_look(node);
    }
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].is_leading) {
            node__shard_tick(&node->shards[i], now);
        } else if (!node->is_writable) {
            node__serve(node); /* it will not lead for a while, and there are reads to answer */
        }
    }
    io_timer_start(node->io, timer, CLOCK_MS, on_clock);
}

static void on_writes_turn(struct io_turn *turn)
{
    struct node *node = CONTAINER_OF(turn, struct node, writes_turn);

    if (node->engine_is_closed) {
        return; /* what shards still have to say to one another is of no use any more */
    }
    turn->again = node__inbox_drain(node);
    if (node->gathered_count > 0) {
        node__writes_admit(node);
    }
    turn->again = turn->again || node->inbox.len > 0;
}

static void on_turn(struct io_turn *turn)
{
    struct node *node = CONTAINER_OF(turn, struct node, turn);
    bool searches = node__search_turn(node);
    bool verifies = node__verify_turn(node);

    node__memory_turn(node);
    turn->again = searches || verifies;
}

/* ---- opening
 * --------------------------------------------------------------------------------------------------------------
 */

/* ---- who comes in */

static enum io_refusal on_arrive(void *context, const struct io_peer *peer)
{
    return door_arrive(&((struct node *)context)->door, peer);
}

static enum io_refusal on_greet(void *context, struct conn *conn, const void *hello,
                                void *message)
{
    struct node *node = context;
    Carillon__Welcome *welcome = message;
    const struct log_identity *identity = node__identity(node);

    welcome->node_version = wire_text(CARILLON_VERSION);
    welcome->cluster_id = wire_binary(slice_from(identity->cluster, sizeof identity->cluster));
    welcome->node_id = wire_binary(slice_from(identity->node, sizeof identity->node));
    enum io_refusal refusal =
        door_greet(&node->door, io_stream_peer(&conn->stream), hello, &conn->who, message);

    if (refusal == IO_REFUSAL_NONE && conn_is_of_a_client(conn)) {
        welcome->cluster = node__cluster(node);
    }
    return refusal;
}

/* Tokens and invites are looked up in the state, which may be older than they are. */
static bool is_final(void *context, enum io_refusal refusal, uint64_t ns)
{
    return (refusal != IO_REFUSAL_TOKEN && refusal != IO_REFUSAL_INVITE) ||
           node__is_known_since(context, ns);
}

static void on_refused(void *context, enum io_refusal refusal)
{
    door_refused(&((struct node *)context)->door, refusal);
}

/* A student's token is in the shard that is his home, others are in all. Its number names both
 * shard and place there. */
bool node__token_find(struct node *node, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                      struct enrol_token_view *ret_token)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (enrol_token_find(node->shards[i].enrol, hash, node__wall_ms(node), ret_token)) {
            ret_token->number = ret_token->number * node->shard_count + i;
            return true;
        }
    }
    return false;
}

/* The holder of a token. An invite opens no connection of clients. */
static enum io_refusal find_token(void *context,
                                  const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                                  struct conn_who *ret_who)
{
    struct enrol_token_view token;

    if (!node__token_find(context, hash, &token) || token.role == METHOD_ROLE_NODE || token.student.len > CONN_STUDENT_BYTES_MAX) {
        return IO_REFUSAL_TOKEN;
    }
    ret_who->roles = token.role;
    ret_who->token = token.number + 1;
    if (token.student.len > 0) {
        memcpy(ret_who->student, token.student.data, token.student.len);
    }
    ret_who->student[token.student.len] = '\0';
    return IO_REFUSAL_NONE;
}

/* Whoever shows an invite may ask to join, and nothing else. */
static enum io_refusal find_invite(void *context,
                                   const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                                   struct conn_who *ret_who)
{
    struct node *node = context;
    struct enrol_token_view token;

    if (!node__token_find(node, hash, &token) ||
        token.role != METHOD_ROLE_NODE ||
        meta_invite_is_used(&node->meta, hash, NULL, node__wall_ms(node))) {
        return IO_REFUSAL_INVITE;
    }
    ret_who->roles = METHOD_ROLE_INVITED;
    ret_who->token = token.number + 1;
    return IO_REFUSAL_NONE;
}

static bool is_revoked(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES])
{
    return enrol_certificate_is_revoked(((struct node *)context)->shards[0].enrol, hash);
}

static struct node *node_create(struct io *io, const struct node_config *config)
{
    struct arena arena;

    arena_init(&arena, config->memory_bytes_max / 16);
    struct node *node = arena_alloc_zero(&arena, sizeof *node);
    node->arena = arena;
    node->io = io;
    node->config = *config;
    node->is_writable = true;
    arena_init(&node->search_arena, config->memory_bytes_max / 4);
    arena_init(&node->scratch, 16 << 20);
    node->search = search_create(&node->search_arena);
    enrol_result_init(&node->result);
    buf_init(&node->entry, NODE_ENTRY_BYTES_MAX);
    buf_init(&node->gather, NODE_GATHER_BYTES);
    buf_init(&node->body, NODE_REPLY_BODY_BYTES_MAX);
    buf_init(&node->text, NODE_TEXT_BYTES_MAX);
    buf_init(&node->notes, NODE_REPLY_BODY_BYTES_MAX);
    buf_init(&node->meta_bytes, META_STATE_BYTES_MAX);
    buf_init(&node->inbox, INT32_MAX);
    buf_init(&node->inbox_spare, INT32_MAX);
    node__cluster_init(node);
    list_init(&node->queries);
    list_init(&node->long_queries);
    list_init(&node->idle_queries);
    list_init(&node->waits);
    list_init(&node->reads);
    list_init(&node->idle_reads);
    list_init(&node->changes);
    return node;
}

static int open_engine(struct node *node, struct buf *text)
{
    const struct engine_hooks hooks = {
        .context = node,
        .identify = identify,
        .identified = identified,
        .apply = node__apply,
        .ahead = node__ahead,
        .restore_begin = restore_begin,
        .restore_chunk = restore_chunk,
        .restore_end = restore_end,
        .snapshot_begin = snapshot_begin,
        .snapshot_step = snapshot_step,
        .snapshot_end = snapshot_end,
        .role = on_role,
        .send = node__peer_send,
        .writable = on_writable,
        .failed = on_failed,
        .closed = on_engine_closed,
    };
    struct engine_options options;

    node->engine = &node->raft.engine;
    engine_options_default(&options);
    options.folder = node->config.data_folder;
    options.shards = node->config.shards == 0 ? 1 : (uint32_t)node->config.shards;
    options.is_joined = node->config.is_joined;
    options.refill = node->config.refill;
    options.snapshot_log_bytes = node->config.snapshot_log_bytes;
    options.log.segment_bytes = node->config.log_segment_bytes / PAGE_BYTES * PAGE_BYTES;
    uint64_t batch_bytes = options.log.segment_bytes - 2 * (uint64_t)PAGE_BYTES;
    if (batch_bytes < options.log.batch_bytes) {
        options.log.batch_bytes = (uint32_t)batch_bytes; /* a batch lies in one segment */
    }
    int rc = engine_raft_open(&node->raft, node->io, &options, &hooks);
    if (rc == OK) {
        node__replay_flush(node);
    }
    node__index_wait(node);
    node->is_replayed = true;
    if (rc != OK) {
        const char *reason = engine_raft_text(&node->raft);

        if (node->text.len > 0) {
            reason = buf_text(&node->text);
        } else if (reason[0] == '\0') {
            reason = error_text(rc);
        }
        (void)!buf_append_format(text, "%s: %s",
                                 node->is_port_refused ? node->config.listen
                                                       : node->config.data_folder,
                                 reason);
    }
    return rc != OK && engine_raft_is_set_aside(&node->raft) ? ERR_CANCELLED : rc;
}

static int open_connections(struct node *node)
{
    const struct conn_limits limits = {
        .connections_max = (uint32_t)node->config.connections_max,
        .outstanding_max = (uint32_t)node->config.outstanding_max,
    };
    char address[CONFIG_ADDRESS_BYTES];
    int rc = node_config_listen_split(&node->config, address, &node->port);

    node->conns.hooks = (struct conn_hooks){
        node, node__request, on_arrive, on_greet, is_final, on_refused,
    };
    node->door.hooks = (struct door_hooks){node, find_token, find_invite, is_revoked,
                                            node__member_judge, node__renew};
    node->door.is_plain_allowed = strcmp(node->config.plain, "loopback") == 0;
    if (rc == OK) {
        door_prepare(&node->door, node->config.runtime_folder, node->config.listen);
        rc = conn_table_open(&node->conns, node->io, &node->arena, &limits, address,
                             &node->port);
    }
    if (rc == OK) {
        node->is_listening = true;
        door_publish(&node->door, node->port);
        return OK;
    }
    node->is_port_refused = true;
    (void)!buf_append_text(&node->text,
                           rc == ERR_EXISTS
                               ? "another program listens there; stop it or give --listen "
                                 "127.0.0.1:PORT"
                               : error_text(rc));
    return rc;
}

/* Recovery failed: what is open is closed, and the node's memory goes with the last of it. */
static void on_abandoned(void *context)
{
    (void)context;
}

static void abandon(struct node *node)
{
    node->is_closing = true;
    node->closed = on_abandoned;
    for (uint32_t i = 0; i < node->shard_count; i++) {
        struct shard *shard = &node->shards[i];

        if (shard->audit != NULL && audit_is_idle(shard->audit)) {
            audit_forget(shard->audit); /* the next start's replay appends the records again */
            shard->audit = NULL;
        }
    }
    if (node->is_listening) {
        conn_table_close(&node->conns, on_connections_closed);
    } else {
        on_connections_closed(&node->conns);
    }
}

static void log_opened(struct node *node)
{
    struct enrol_counters counters;

    node__count(node, &counters);
    event_log(EVENT_INFO, "node-serving",
              "port=%u data=%s courses=%llu students=%llu registrations=%llu applied=%llu "
              "took_ms=%llu",
              node->port, node->config.data_folder, (unsigned long long)counters.courses,
              (unsigned long long)counters.students, (unsigned long long)counters.registrations,
              (unsigned long long)node__applied(node),
              (unsigned long long)((io_now_exact_ns(node->io) - node->opened_ns) / 1000000));
}

/* Of a node that is alone from its first leading on, so that nobody finds it unready. */
void node__serve(struct node *node)
{
    if (!node->is_serving && !node->is_closing && !node->is_failed) {
        node->is_serving = true;
        conn_table_serve(&node->conns);
        log_opened(node);
    }
}

int node_open(struct io *io, const struct node_config *config, struct node **ret_node,
              struct buf *text)
{
    struct node *node = node_create(io, config);

    node->opened_ns = io_now_exact_ns(io);
    io_turn_add(io, &node->writes_turn, on_writes_turn);
    int rc = open_engine(node, text);
    if (rc != OK) {
        abandon(node);
        return rc;
    }
    node__swim_open(node);
    node__peers_open(node);
    node->conns.listener.tls = node->door.tls;
    door_serve(&node->door);
    for (uint32_t i = 0; i < node->shard_count; i++) {
        node->shards[i].tick_ms = node__wall_ms(node);
    }
    io_turn_add(io, &node->turn, on_turn);
    io_timer_start(io, &node->clock, CLOCK_MS, on_clock);
    node__peers_serve(node);
    node__across_open(node);
    if (!node__is_awaited(node)) {
        node__serve(node); /* others may lead */
    }
    if (node__is_waiting(node)) {
        event_log(EVENT_INFO, "waiting-to-be-added", "text=\"waiting to be added\"");
    }
    *ret_node = node;
    return OK;
}
