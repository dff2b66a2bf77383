/* node/node_private.h -- the node's state, shared by the files of this room.
 *
 * Layer: node (base, io, wire, log, meta, campus, search, enrol)
 */
#ifndef CARILLON_NODE_NODE_PRIVATE_H
#define CARILLON_NODE_NODE_PRIVATE_H

#include <stdatomic.h>

#include "base/sm.h"
#include "enrol/enrol.h"
#include "meta/meta.h"
#include "node/audit.h"
#include "node/change.h"
#include "node/conn.h"
#include "node/door.h"
#include "node/engine_raft.h"
#include "node/histogram.h"
#include "node/link.h"
#include "node/node.h"
#include "node/shard.h"
#include "node/stale.h"
#include "proto/meta.pb-c.h"
#include "proto/operator.pb-c.h"
#include "node/swim.h"
#include "search/search.h"
#include "wire/envelope.h"
#include "wire/field.h"
#include "wire/method.h"

enum {
    NODE_GROUP_META = 0,
    NODE_GROUP_SHARD = 1,          /* of the first; the others follow */
    NODE_SHARDS_MAX = 1024,
    NODE_SHARD_BYTES_MIN = 8 << 20, /* of memory_bytes_max */
    NODE_PENDING_MAX = 1 << 12,    /* proposed and not yet applied, of one shard; a power of two */
    NODE_PENDING_ALL = 1 << 16,    /* of all shards */
    NODE_PENDING_MIN = 1 << 8,     /* of one of many */
    NODE_QUEUE_MIN = 512,          /* so many may wait, however slow the disk is */
    NODE_QUEUE_MS = 50,            /* behind one that has waited for so long nobody queues */
    NODE_GATHER_MAX = 64,          /* writes looked at side by side: ENROL_PREFETCH_MAX */
    NODE_GATHER_BYTES = 64 << 10,  /* of their keys and bodies; a larger one goes alone */
    NODE_QUERIES_MAX = 256,        /* searches that needed more than one slice, at a time */
    NODE_QUERY_SLICE_WORK = 10000, /* search_query_step units: about 100 us */
    NODE_QUERY_SLICES_SHORT = 16,  /* more of them, and a search makes way for others */
    NODE_QUERY_TURN_NS = 300000,   /* what parked searches get of a turn */
    NODE_RETRY_AFTER_MS = 100,
    NODE_ENTRY_BYTES_MAX = (1 << 20) + 256,
    NODE_REPLY_BODY_BYTES_MAX = (1 << 20) - 4096,
    NODE_TEXT_BYTES_MAX = 4096,
    NODE_READS_MAX = 1 << 14,     /* waiting for a read point */
    NODE_SPREADS_MAX = 256,       /* requests that several shards answer, at a time */
    NODE_CLIENTS_MAX = 1 << 14,   /* requests that attempts across shards are made for */
    NODE_INBOX_BYTES_MAX = 64 << 20, /* messages between shards of this node */
    NODE_IMPORT_IDLE_MS = 120000, /* an import without news for so long has nobody who sends it */
    NODE_READ_FACT = 0x10201, /* between nodes: what became of a fact (facts.c) */
    NODE_PEER_ENTRIES_MAX = 1024, /* of one message: raft_options.append_entries_max */
    NODE_CLUSTER_GROUPS_MAX = 65, /* whose leaders clients are told */
    NODE_CLUSTER_BYTES_MAX = 3 << 10, /* fits beside any body: NODE_REPLY_BODY_BYTES_MAX */
};

/* An entry of the log that is not applied yet, while the node starts. */
struct replayed {
    struct shard *shard;
    uint64_t index;
    uint64_t term;
    uint32_t at;
    uint32_t len;
};

/* What the next entries of a shard will look at. */
struct node_ahead {
    const struct shard *shard;
    uint64_t index; /* of the first one */
    uint32_t count;
    struct enrol_hint hints[ENGINE_AHEAD_MAX];
};

/* A write that came in this turn and is not proposed yet; key and body lie in node.gather, one
 * behind the other. */
struct gathered {
    struct shard *shard;
    struct conn_name conn;
    uint64_t id;
    uint64_t deadline_ns;
    uint32_t method;
    uint32_t key_at;
    uint32_t key_len;
    uint32_t body_len;
    struct enrol_hint hint;
};

/* A search on its way: most end within the call that brought them, the others wait here between
 * slices. */
struct query {
    struct node *node;
    struct list node_link; /* in node.queries, .long_queries or .idle_queries */
    struct arena scratch;
    struct conn_name conn;
    uint64_t id;
    uint64_t began_ns;
    uint64_t deadline_ns;
    uint32_t slices; /* run so far */
    struct enrol_seeker seeker;
    bool is_brief;
    bool is_stale_ok;
    struct node_state_age age; /* is_stale_ok: when it began */
    struct search_plan *plan;
    struct search_query *search;
    struct search_request request;
};

#define NODE_ASK_SLOT   UINT32_MAX
#define NODE_POINT_SLOT (UINT32_MAX - 1) /* the node asks how far a shard is committed (stale.c) */

/* Who wants an answer: a request of a connection, or a question of this node itself, which
 * spread.c keeps; then there is no connection, and the name's slot is NODE_ASK_SLOT. */
struct asker {
    struct conn *conn;
    struct conn_name name;
    uint64_t id;
};

/* A request as it is being answered. */
struct node_call {
    struct asker asker;
    uint64_t deadline_ns;
    const struct conn_who *who;
    const struct method *method; /* NULL: one of those between nodes */
    struct slice payload;        /* the Request */
    uint32_t group;              /* whose leader is to take it; with is_addressed */
    bool is_forwarded;           /* by another node */
    bool is_addressed;           /* to the group's leader, not to the cluster */
};

/* A read and who asked for it. */
struct read_of {
    struct conn_name conn;
    uint64_t id; /* with method 0: the token of a point that the shard's attempts wait for */
    uint64_t deadline_ns;
    uint32_t method;
    struct slice body;
};

/* One that waits for a read point; its body is a copy. */
struct parked_read {
    struct engine_read point;
    struct shard *shard;
    struct list node_link; /* in node.reads or .idle_reads */
    struct read_of of;
};

/* What clients are told of the cluster. */
struct node_cluster_row {
    Carillon__ClusterNode message;
    uint32_t leads[NODE_CLUSTER_GROUPS_MAX];
};

struct node_cluster {
    Carillon__Cluster message;
    Carillon__ClusterNode *list[META_MEMBERS_MAX];
    struct node_cluster_row rows[META_MEMBERS_MAX];
    struct buf packed;  /* as clients were told last */
    struct buf packing; /* as it is now */
};

/* What a NODE method waits for before it can answer. */
struct wait {
    struct node *node;
    struct list node_link; /* in node.waits */
    struct conn_name conn;
    uint64_t id;
    uint64_t began_ns;
    struct engine_snapshot snapshot;
    struct audit_query audit;
    struct enrol_verify *verify;
    uint32_t shard;      /* the one at work; those before it are done */
    struct buf *replies; /* of verify, of those that are done; NULL with one shard */
    uint64_t snapshot_index;
    uint64_t snapshot_bytes;
};

struct spread;
struct across_client;

/* What a question of this node was answered. */
struct spread_answer {
    uint64_t id; /* the asker's */
    int status;
    struct slice body;
    struct slice text;
};

struct node_counters {
    uint64_t requests;
    uint64_t refused_load;
    uint64_t late_answers;        /* withheld: their deadline had passed */
    struct histogram search_time; /* frame decoded to answer queued, ns */
    uint64_t searches;            /* begun */
    uint64_t search_cpu_ns;       /* of one search in sixteen, times sixteen */
    uint64_t bad_peer_messages;
};

struct node {
    struct io *io;
    struct node_config config;
    struct arena arena; /* the node's own long-lived pieces */
    struct arena search_arena;
    struct arena scratch; /* one request or one entry at a time */
    struct engine_raft raft;
    struct engine *engine;
    struct meta meta; /* who the cluster's nodes are */
    struct buf meta_bytes; /* its snapshot, being written or restored */
    struct list changes; /* struct node_change, proposed here */
    uint32_t admission_count; /* of nodes that join */
    struct node_sign *renewal; /* of this node's certificate; NULL: none is on its way */
    uint32_t request_count;   /* of changes, and of certificates, that others wait for */
    uint64_t own_proposed; /* the entry that puts this node there; 0: none is on its way */
    struct shard *shards;
    uint32_t shard_count; /* a power of two, 0 before the folder's identity is known */
    struct search_index *search; /* of all shards' documents */
    uint64_t search_reserved; /* for the chunks in flight */
    atomic_bool indexing_must_stop; /* read on the log's lane */
    bool indexing_is_paused;  /* restored states wait there to be indexed further */
    uint32_t indexing_pause_nr;
    uint64_t indexing_calm_nr; /* entries since that the lane might have run beside */
    struct door door;
    struct conn_table conns;
    struct enrol_result result;
    struct buf entry;
    struct buf body;
    struct buf text;
    struct buf notes;

    struct gathered gathered[NODE_GATHER_MAX];
    uint32_t gathered_count;
    struct buf gather;
    struct replayed replayed[NODE_GATHER_MAX]; /* their payloads lie in gather */
    uint32_t replay_count;
    struct node_ahead ahead;
    struct io_turn writes_turn; /* before those of the log and of the connections */

    struct io_job spare_job;
    struct arena_block *spare; /* the bulk lane's until the job is done */
    struct shard *spare_shard; /* whose it will be */
    bool spare_is_coming;
    void (*spare_awaited)(struct node *node);

    uint32_t pending_max; /* of one shard; a power of two */

    struct list queries;      /* parked, in the order they came */
    struct list long_queries; /* those that have had their NODE_QUERY_SLICES_SHORT */
    struct list idle_queries;
    uint32_t query_count;
    struct io_turn turn;
    struct link_table links;
    struct node_cluster cluster;
    struct io_timer stale_timer;
    uint8_t stale_packed[2 * (1 + FIELD_VARINT_BYTES_MAX)];
    struct swim *swim; /* NULL: not open yet */
    struct book book;
    struct raft_entry *peer_entries; /* of the message being read */
    struct io_timer placement;
    uint64_t leaders_rest_ns; /* until then leaders stay where they are */
    struct list reads; /* that wait for a read point */
    struct list idle_reads;
    uint32_t read_count;
    struct spread *spreads;        /* NODE_SPREADS_MAX; NULL with one shard */
    struct across_client *clients; /* NODE_CLIENTS_MAX; NULL with one shard */
    uint32_t client_free;          /* head of the free places; UINT32_MAX: none */
    struct buf inbox;              /* for the end of the turn (shard_across.c) */
    struct buf inbox_spare;
    struct buf packed; /* a question to another node */
    struct io_timer across_timer;
    struct list waits;      /* of methods of kind NODE */
    struct wait *verifying; /* the one running verify, or NULL */

    struct io_timer clock;
    uint64_t wall_ms; /* of the newest entry: never goes back */

    struct node_counters counters;
    uint64_t leave_by_ns; /* closing: so long others may take over */
    uint64_t opened_ns;
    bool is_replayed; /* what comes now is news */
    uint16_t port;
    bool is_listening;
    bool is_port_refused; /* why the start failed */
    bool is_leading_meta;
    bool is_serving; /* connections are taken */
    bool is_writable;
    bool is_failed;
    bool is_removed;        /* from the cluster: it stops */
    uint64_t removed_ns;    /* when it heard of that */
    uint64_t handed_over_ns; /* when it last asked others to lead */
    bool is_closing;
    bool engine_is_closed;
    void (*failed)(void *context);
    void *failed_context;
    void (*closed)(void *context);
    void *closed_context;
};

/* Whose data folder it is; known from the first restore hook on. */
static inline const struct log_identity *node__identity(const struct node *node)
{
    return &node->raft.identity;
}

static inline struct shard *node__shard_of_group(const struct node *node, uint32_t group)
{
    return &node->shards[group - NODE_GROUP_SHARD];
}

static inline uint32_t node__group_of(const struct shard *shard)
{
    return NODE_GROUP_SHARD + shard->number;
}

/* The search index knows all shards' documents by one ordinal each. */
static inline uint32_t node__document(const struct shard *shard, uint32_t ordinal)
{
    return ordinal * shard->node->shard_count + shard->number;
}

static inline const struct shard *node__document_shard(const struct node *node,
                                                       uint32_t document)
{
    return &node->shards[document & (node->shard_count - 1)];
}

static inline uint32_t node__document_ordinal(const struct node *node, uint32_t document)
{
    return document / node->shard_count;
}

/* So is a token known to its connection. */
static inline const struct shard *node__token_shard(const struct node *node, uint32_t token)
{
    return &node->shards[token & (node->shard_count - 1)];
}

static inline uint32_t node__token_place(const struct node *node, uint32_t token)
{
    return token / node->shard_count;
}

/* ---- dispatch.c: a request in, an answer out */

/* A request frame of a connection (conn_hooks.request). */
void node__request(void *context, struct conn *conn, struct slice payload);

/* engine_hooks: an entry is durable. */
void node__apply(void *context, uint32_t group, uint64_t index, uint64_t term,
                 struct slice payload, bool is_replay);

/* Answer the connection of that name, if it is still there. */
void node__answer(struct node *node, struct conn_name name, const struct conn_answer *answer);

/* The same with an error: its text is node.text, or the error's own. */
void node__answer_error(struct node *node, struct conn_name name, uint64_t id, int status);

/* Whoever asked will be answered later: with one of the next two, once. */
void node__owe(const struct asker *asker);

/* Answer that request, if who made it is still there. */
void node__pay(struct node *node, struct conn_name name, const struct conn_answer *answer);
void node__pay_error(struct node *node, struct conn_name name, uint64_t id, int status);

/* Who asked has stopped waiting, and counts the request as under way until some answer comes. It
 * must not be told yes or no any more. */
void node__pay_late(struct node *node, struct conn_name name, uint64_t id);

/* Whether who made that request is still there. */
bool node__is_awaited_by(struct node *node, struct conn_name name);

/* Have the leader of @call's group, this node or another, answer it. */
void node__pass(struct node *node, const struct node_call *call,
                const struct envelope_request *request);

/* ---- cluster.c: what clients are told of the other nodes */

void node__cluster_init(struct node *node);
void node__cluster_fini(struct node *node);

/* As it is now (a Carillon__Cluster); lent until the next call. */
Carillon__Cluster *node__cluster(struct node *node);

/* Tell the clients if anything has changed. */
void node__cluster_look(struct node *node);

/* ---- peer.c: the other nodes */

/* METHOD_PEER. */
void node__peer_messages(struct node *node, const struct conn *conn, struct slice body);

/* engine_hooks.send. */
void node__peer_send(void *context, uint32_t group, const void *message);

/* Have the leader of its group answer @call, or say that there is none. */
void node__forward(struct node *node, const struct node_call *call);

/* Who made the request that @body (a ForwardRequest) carries, and who is to take it: who,
 * payload, group, is_addressed of @ret_call. Errors: ERR_MALFORMED. */
int node__forwarded_decode(struct slice body, struct conn_who *ret_who,
                           struct node_call *ret_call) CHECKED;

/* The node @id belongs to the cluster and listens at a numeric @address. Errors: as link_put. */
int node__member_put(struct node *node, raft_id id, const char *address, uint16_t port) CHECKED;

/* Keep links to those that the meta group says are members, and look whether they are there. */
void node__members_link(struct node *node);

/* ---- leaders.c: where shards are led */

/* Hand a shard over to whoever should lead it, if this node leads one and has not just done so. */
void node__leaders_spread(struct node *node);

/* Not now: leaders have changed. */
void node__leaders_rest(struct node *node);

/* ---- room.c: whose disk is full */

/* Whether @id can take entries, as far as it has said. */
bool node__has_room(const struct node *node, raft_id id);

/* The node @id has said whether it has room. */
void node__room_said(struct node *node, raft_id id, bool has_room);

/* A link is up: what was told over the one before counts no more. */
void node__room_link_up(struct node *node, raft_id id);

/* Tell the others when this node's disk is full, and when it has room again; while it is full,
 * hand what it leads over to voters that have room. */
void node__room_turn(struct node *node);

/* ---- read.c: reads behind a read point */

/* Whether reads of the shard are answered here: the node leads it, or is alone. */
bool node__can_read(const struct shard *shard);

/* Answer a read from a state that holds all that was answered before. */
void node__read(struct shard *shard, const struct node_call *call,
                const struct envelope_request *request);

/* Answer from the state as it is. */
void node__read_pay(struct shard *shard, const struct read_of *of);

/* A read point for the shard's attempts. Returns: OK, it is reached; SM_PENDING and
 * node__across_read_point() follows once. Errors: as engine_read_point; ERR_BUSY. */
int node__read_point(struct shard *shard, uint64_t token) CHECKED;

/* ---- shard_across.c: attempts across shards, at their leaders */

/* Begin to lead, or cease to. */
void node__across_lead(struct shard *shard, uint64_t term);
void node__across_follow(struct shard *shard);

/* The shard's state is about to be replaced, or freed. */
void node__across_drop(struct shard *shard);

/* A request that other shards may have a part in: SUBMIT, PERMIT. */
void node__across_write(struct shard *shard, const struct node_call *call,
                        const struct envelope_request *request);

/* CHECK and ROSTER, after a read point; who asked is owed. */
void node__across_read(struct shard *shard, const struct read_of *of);

void node__across_read_point(struct shard *shard, uint64_t token, int status);
void node__across_applied(struct shard *shard, const struct enrol_entry *entry);

/* What was sent within the node. Returns: whether there was anything. */
bool node__inbox_drain(struct node *node);

/* Keep what a question of this node was answered, until node__inbox_drain(). */
void node__asked(struct node *node, const struct conn_answer *answer);

/* Make room for clients; serve; stop; free the memory. */
void node__across_make(struct node *node);
void node__across_open(struct node *node);
void node__across_stop(struct node *node);
void node__across_fini(struct node *node);

/* ---- spread.c: requests that several shards answer */

/* Have the shards that it concerns answer a request, and make one answer of theirs. */
void node__spread(struct node *node, struct node_call *call,
                  const struct envelope_request *request);

/* The leader of the shard takes a request: it leads here. */
void node__shard_take(struct shard *shard, const struct node_call *call,
                      const struct envelope_request *request);

/* Whether only nodes send it, and to the leader of a group. */
bool node__is_between_nodes(uint32_t method);

void node__spread_answered(struct node *node, const struct spread_answer *answer);

/* Make room for NODE_SPREADS_MAX; free their memory. */
void node__spreads_make(struct node *node);
void node__spread_fini(struct node *node);

/* ---- facts.c: facts of the cluster */

/* Group 0 is led here: put the request in the order of the facts, and answer it when every
 * shard has applied it. */
void node__fact(struct node *node, const struct node_call *call,
                const struct envelope_request *request);

/* What became of a fact in the shard: ERR_BUSY while it was not applied yet. */
int node__fact_read(struct shard *shard, struct slice body, struct buf *reply,
                    struct buf *text) CHECKED;

/* Copy the next fact into the shard's log, when it is led here and none is on its way. */
void node__facts_copy(struct shard *shard);
void node__facts_copy_all(struct node *node);

/* Group 0's entry at @index was applied; its leader is another now. */
void node__facts_applied(struct node *node, uint64_t index, int status);
void node__facts_lost(struct node *node);

/* Every ACROSS_TICK_MS: ask again who had not applied a fact. */
void node__spread_tick(struct node *node);

/* Once a second: facts that every shard has applied are forgotten, imports that nobody ends are
 * ended. */
void node__facts_look(struct node *node);

/* ---- members.c: who the cluster's nodes are */

/* engine_hooks, of the meta group. */
void node__meta_restore_begin(struct node *node);
int node__meta_restore_chunk(struct node *node, struct slice chunk) CHECKED;
int node__meta_restore_end(struct node *node) CHECKED;
void node__meta_snapshot_begin(struct node *node);
int node__meta_snapshot_step(struct node *node, struct buf *out) CHECKED;
void node__meta_apply(struct node *node, uint64_t index, uint64_t term, struct slice payload,
                      bool is_replay);
void node__meta_role(struct node *node, bool is_leading);

/* Judge @entry, stamp it and propose it. Errors: as meta_check, and as engine_propose; ERR_BUSY
 * also for a removal that a group could not bear now. */
int node__meta_propose(struct node *node, struct meta_entry *entry,
                       uint64_t *ret_index) CHECKED;

/* See to it that the state says of this node what it is, when it is for this node to say. */
void node__members_look(struct node *node);

/* A node says what it is, and that is another thing than the state does. */
void node__member_said(struct node *node, const struct conn *conn, struct slice body);

/* Where others find this node. */
void node__own_address(const struct node *node, char ret_address[META_ADDRESS_BYTES_MAX + 1]);

/* door_hooks.member */
enum io_refusal node__member_judge(void *context, const struct door_member *peer);

struct node_members {
    Carillon__Member rows[META_ROWS_MAX];
    Carillon__Member *list[META_ROWS_MAX];
    uint32_t count;
};

/* All members, pointing into the state. */
void node__members_pack(const struct node *node, struct node_members *out);

/* The method of that name. */
void node__members(struct node *node, struct conn *conn, uint64_t id);

/* Whether the node has joined, and belongs to no group yet; or has lost its log, and does not
 * know yet what it must. */
static inline bool node__is_waiting(const struct node *node)
{
    return node->raft.refill.is_refilling ||
           (node__identity(node)->is_joined &&
            engine_raft_configuration(&node->raft, NODE_GROUP_META)->count == 0);
}

/* ---- admission.c: nodes that join */

/* The method of that name, of a connection that showed an invite. */
void node__join(struct node *node, struct conn *conn, uint64_t id, struct slice body);

/* What the error of an entry about a node means to people. */
const char *node__admission_text(int status);

/* ---- write.c: a change on its way */

/* A request that changes state; it is admitted and proposed before the turn ends. */
void node__write(struct shard *shard, const struct asker *asker,
                 const struct envelope_request *request, uint64_t deadline_ns);

/* Whether the shard takes a write now. */
int node__write_gate(const struct shard *shard, const struct asker *asker) CHECKED;

/* A write whose asker is owed: all but its key and body are in @write. */
struct gathered;
void node__write_owed(const struct gathered *write, struct slice key, struct slice body);

/* Admit and propose what the turn has gathered. */
void node__writes_admit(struct node *node);

/* The node leads the shard no more: what became of the writes on their way is unknown. */
void node__writes_lost(struct shard *shard);

/* Take connections, if that has not begun. */
void node__serve(struct node *node);

/* What was seen of the entry at @index, the next one to be applied, when it was admitted here,
 * or by node__ahead(). */
struct enrol_hint node__write_hint(const struct shard *shard, uint64_t index);

/* The entry at @index was applied and its result is node.result: answer who waits for it. */
void node__write_applied(struct shard *shard, uint64_t index);

/* Admit and propose an entry that nobody waits for, under a key. Errors: as enrol_admit and
 * engine_propose. */
int node__propose_keyed(struct shard *shard, uint32_t method, struct slice key,
                        struct slice body, uint64_t *ret_index) CHECKED;

/* Propose an entry whose memory is reserved. Errors: as engine_propose. */
int node__entry_propose(struct shard *shard, uint32_t method, struct slice key,
                        struct slice body) CHECKED;

/* Propose an entry that nobody waits for: an import's end, the passing of time. Errors: as
 * engine_propose. */
int node__propose(struct shard *shard, uint32_t method, struct slice body) CHECKED;

/* The wall clock, never going back behind what was logged. */
uint64_t node__wall_ms(struct node *node);

/* ---- shard.c: a shard's state in this node */

/* Make room for @count shards; nothing of theirs is read or made yet. */
void node__shards_make(struct node *node, uint32_t count);

/* engine_hooks, of a shard's group. */
int node__shard_restore_begin(struct shard *shard, uint64_t index) CHECKED;
int node__shard_restore_end(struct shard *shard) CHECKED;
void node__shard_snapshot_begin(struct shard *shard);
int node__shard_snapshot_step(struct shard *shard, struct buf *out) CHECKED;
void node__shard_snapshot_end(struct shard *shard, int status);

/* Once a second, of a shard that is led here: log the passing of time where it matters, and end
 * imports that were left behind. */
void node__shard_tick(struct shard *shard, uint64_t now);

/* An entry of that method was applied. */
void node__import_heard(struct shard *shard, uint32_t method);

/* The node has begun to lead the shard. */
void node__lead(struct shard *shard);

/* Whether there is a shard that only this node could lead, and does not yet. */
bool node__is_awaited(const struct node *node);

/* What all shards hold, and how many entries they have applied, together. */
void node__count(const struct node *node, struct enrol_counters *ret_counters);
uint64_t node__applied(const struct node *node);

/* ---- memory.c: the state's next chunk of memory */

/* Have one prepared when it will be wanted soon. */
void node__memory_turn(struct node *node);

/* Of a closing node. Returns: whether one is being prepared; then @done follows. */
bool node__memory_await(struct node *node, void (*done)(struct node *node));

/* An entry's parts, from what was proposed; borrowed from @payload. */
void node__entry_decode(uint64_t index, uint64_t term, struct slice payload,
                        struct enrol_entry *ret_entry);

/* Change the state, the search index and the audit trail by one entry. */
void node__entry_apply(struct shard *shard, const struct enrol_entry *entry);

/* ---- trail.c: the audit trail */

/* Append what became of the entry, by node.result, unless the trail has it. */
void node__trail_entry(struct shard *shard, const struct enrol_entry *entry);

/* ---- replay.c: entries that come in numbers: the log's at start, a leader's */

/* Entries that are about to be applied; node__ahead_hint() then knows what they look at. */
void node__ahead(void *context, uint32_t group, uint64_t index, const struct slice *payloads,
                 uint32_t count);
struct enrol_hint node__ahead_hint(const struct shard *shard, uint64_t index);

/* Take an entry; it is applied with others, before node__replay_flush() returns at the latest. */
void node__replay(struct shard *shard, uint64_t index, uint64_t term, struct slice payload);
void node__replay_flush(struct node *node);

/* ---- index_feed.c: what enrol's effects mean for the search index */

void node__index_effects(struct shard *shard, const struct enrol_result *result);

/* Reserve the memory that indexing an import's chunk may take, until its entry is applied or
 * node__index_forget() gives it back; other methods need none. Errors: ERR_FULL, ERR_BUSY the
 * chunks in flight may need what is left; with @node->text. */
int node__index_admit(struct shard *shard, uint32_t method, struct slice body) CHECKED;
void node__index_forget(struct shard *shard, uint32_t method, struct slice body);
void node__index_forget_all(struct shard *shard);

/* Begin to index every document of the shard's restored state, beside the replay: on the log's lane,
 * which has nothing to write before the node serves. */
void node__index_all(struct shard *shard);

/* The same here and now, for a node that serves already. */
void node__index_now(struct shard *shard);

/* Take the documents of a state that is about to be replaced out of the index. */
void node__index_drop(struct shard *shard);

/* Wait until all of them are. */
void node__index_wait(struct node *node);

/* An entry of @method is about to be replayed: stop the lane if it may change what is read there, or let it
 * go on. */
void node__index_before(struct node *node, uint32_t method);

/* ---- query.c: searching */

void node__search(struct node *node, const struct node_call *call,
                  const struct envelope_request *request);

/* Go on with parked searches, slice by slice, for NODE_QUERY_TURN_NS. Returns: whether any is
 * left. */
bool node__search_turn(struct node *node);

void node__search_fini(struct node *node);

/* Whatever is searched for now is asked for again: the state is another. */
void node__search_forget(struct node *node);

/* Append the SearchReply of a query that has come to its end. Errors: ERR_FULL. */
int node__search_pack(const struct query *query, struct buf *out) CHECKED;

/* ---- operate.c: methods of kind NODE */

void node__operate(struct node *node, struct conn *conn, uint64_t id,
                   const struct method *method, struct slice body);

/* operate_keys.c: those about who is who */
void node__keys(struct node *node, struct conn *conn, uint64_t id);
void node__rotate(struct node *node, struct conn *conn, uint64_t id);

struct node_refusals {
    Carillon__RefusalCount rows[IO_REFUSAL_NR];
    Carillon__RefusalCount *list[IO_REFUSAL_NR];
};

/* Fill in who was not let in, and how; @out is what the reply then points to. */
void node__status_refusals(const struct node *node, struct node_refusals *out,
                           Carillon__StatusReply *reply);

/* operate_groups.c: fill in the groups and the datagrams, from node.scratch. */
void node__status_groups(struct node *node, Carillon__StatusReply *reply);

/* A slice of a running verify. Returns: whether more is to do. */
bool node__verify_turn(struct node *node);

/* Give up a running verify. */
void node__verify_fini(struct node *node);

/* Free what still waits in a process that has died. */
void node__waits_forget(struct node *node);

#endif
