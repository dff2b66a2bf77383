#include "node/join.h"

#include <stdio.h>

#include "base/assert.h"
#include "log/identity.h"
#include "meta/meta.h"
#include "node/conn.h"
#include "node/event.h"
#include "proto/envelope.pb-c.h"
#include "proto/meta.pb-c.h"
#include "wire/envelope.h"
#include "wire/message.h"

enum { SCRATCH_BYTES = 256 << 10, REQUEST_ID = 1, PAUSE_MS = 500, NS_PER_MS = 1000000 };

static struct node_join *join_of(struct sm *sm)
{
    return CONTAINER_OF(sm, struct node_join, sm);
}

static int say(struct node_join *join, int status, const char *what)
{
    if (join->text.len == 0) {
        (void)!buf_append_text(&join->text, what);
    }
    return status;
}

/* ---- whom it speaks with ---- */

/* The node's certificate, under the root whose fingerprint stands in the invite. */
static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    struct node_join *join = context;
    struct identity_certificate read;
    struct identity_key root = {0};
    struct identity_trust trust = {
        .root = &root, .roles = IDENTITY_ROLE_NODE, .wall_ms = io_wall_ms(join->io)};
    enum io_refusal refusal = IO_REFUSAL_OTHER_CA;

    if (identity_certificate_read_root(issuer, &root, &read) != OK) {
        return refusal;
    }
    identity_fingerprint(&root, join->root);
    if (memcmp(join->root, join->invite.root, sizeof join->root) == 0) {
        memcpy(trust.cluster, read.cluster, sizeof trust.cluster);
        refusal = identity_certificate_judge(&trust, certificate, &read);
    }
    if (refusal == IO_REFUSAL_NONE) {
        ret_peer->role = read.role;
        memcpy(ret_peer->name, read.name, sizeof ret_peer->name);
    }
    identity_key_fini(&root);
    return refusal;
}

static void on_connected(struct io_stream *stream, int status);
static void on_received(struct io_stream *stream, struct slice bytes);
static void on_ended(struct io_stream *stream, int status);
static void on_closed(struct io_stream *stream);

/* What the present step waited for. */
static void heard(struct node_join *join, int status)
{
    if (join->is_waiting) {
        join->is_waiting = false;
        sm_done(&join->sm, status);
    }
}

static void on_late(struct io_timer *timer)
{
    struct node_join *join = CONTAINER_OF(timer, struct node_join, timer);

    heard(join,
          say(join, ERR_TIMEOUT, "no answer in time; start again with the same invite"));
}

/* ---- the steps ---- */

static int join_dial(struct sm *sm)
{
    struct node_join *join = join_of(sm);
    char address[CONFIG_ADDRESS_BYTES];
    struct io_tls_options options = {.verify = verify, .context = join};
    uint16_t port;

    buf_init(&join->stream.out, JOIN_OUT_BYTES_MAX);
    frame_reader_init(&join->reader, FRAME_BYTES_MAX);
    join->stream.connected = on_connected;
    join->stream.received = on_received;
    join->stream.ended = on_ended;
    join->stream.closed = on_closed;
    if (strlen(join->invite.address) >= sizeof address ||
        node_config_address_split(join->invite.address, address, &port) != OK) {
        return say(join, ERR_CONFIG,
                   "the invite's address is not a numeric address and a port; have another one "
                   "made with --address");
    }
    int rc = io_tls_create(join->io, &options, &join->tls);

    if (rc != OK) {
        return rc;
    }
    join->stream.tls = join->tls;
    rc = io_stream_connect(join->io, &join->stream, address, port);
    if (rc != OK) {
        return say(join, rc,
                   "the invite's address is not numeric; have another one made with --address");
    }
    join->is_connecting = true;
    join->is_waiting = true;
    io_timer_start(join->io, &join->timer, JOIN_MS, on_late);
    return SM_PENDING;
}

static int join_greet(struct sm *sm)
{
    struct node_join *join = join_of(sm);
    Carillon__Hello hello = CARILLON__HELLO__INIT;
    Carillon__Credential credential = CARILLON__CREDENTIAL__INIT;

    credential.kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_INVITE;
    credential.token = wire_binary(slice_from(join->invite.secret, sizeof join->invite.secret));
    hello.magic = CONN_MAGIC;
    hello.version_min = CONN_PROTOCOL_VERSION;
    hello.version_max = CONN_PROTOCOL_VERSION;
    hello.client = wire_text("carillond/" CARILLON_VERSION);
    hello.credential = &credential;
    int rc = wire_pack_frame(&hello.base, &join->stream.out);

    if (rc == OK) {
        join->is_waiting = true;
        io_stream_resume(join->io, &join->stream);
        io_stream_flush(join->io, &join->stream);
    }
    return rc == OK ? SM_PENDING : rc;
}

static int ask_body(const struct node_join *join, struct buf *out)
{
    Carillon__JoinRequest request = CARILLON__JOIN_REQUEST__INIT;
    uint8_t id[IDENTITY_ID_BYTES];

    keyring_join_id(join->key.bytes, id);
    request.node_id = wire_binary(slice_from(id, sizeof id));
    request.key = wire_binary(slice_from(join->key.bytes, sizeof join->key.bytes));
    request.name = wire_text(join->config->name[0] != '\0' ? join->config->name : "node");
    request.address = wire_text(join->config->advertise[0] != '\0' ? join->config->advertise
                                                                   : join->config->listen);
    return wire_pack(&request.base, out);
}

static int join_ask(struct sm *sm)
{
    struct node_join *join = join_of(sm);
    Carillon__Request request = CARILLON__REQUEST__INIT;
    struct buf body;

    buf_init(&body, 1024);
    int rc = ask_body(join, &body);

    request.id = REQUEST_ID;
    request.method = CARILLON__METHOD__METHOD_JOIN;
    request.body = wire_binary(buf_slice(&body));
    rc = rc == OK ? wire_pack_frame(&request.base, &join->stream.out) : rc;
    if (rc == OK) {
        join->is_waiting = true;
        io_stream_flush(join->io, &join->stream);
    }
    buf_fini(&body);
    return rc == OK ? SM_PENDING : rc;
}

static int keep(struct node_join *join, const Carillon__JoinReply *reply)
{
    struct keyring_answer answer = {
        .joined = {.shards = reply->shards},
        .root_certificate = wire_bytes(reply->root_certificate),
        .node_certificate = wire_bytes(reply->node_certificate),
        .card = wire_bytes(reply->card),
    };

    if (reply->cluster_id.len != sizeof answer.joined.cluster) {
        return ERR_MALFORMED;
    }
    memcpy(answer.joined.cluster, reply->cluster_id.data, sizeof answer.joined.cluster);
    int rc = keyring_join_check(&answer, &join->key, join->invite.root, io_wall_ms(join->io));

    return rc == OK ? keyring_join_keep(join->io, join->config->data_folder, &answer, &join->text)
                    : rc;
}

static int join_keep(struct sm *sm)
{
    struct node_join *join = join_of(sm);
    struct arena scratch;
    int rc = ERR_MALFORMED;

    arena_init(&scratch, SCRATCH_BYTES);
    const Carillon__JoinReply *reply =
        wire_unpack(&carillon__join_reply__descriptor, buf_slice(&join->reply), &scratch);

    if (reply != NULL) {
        rc = keep(join, reply);
    }
    arena_fini(&scratch);
    return rc == OK ? OK : say(join, rc, "the answer is not one that a node of that cluster gives");
}

static int join_close(struct sm *sm)
{
    struct node_join *join = join_of(sm);

    io_timer_stop(join->io, &join->timer);
    if (!join->is_connecting) {
        return OK;
    }
    io_stream_close(join->io, &join->stream);
    return SM_PENDING;
}

enum { JOIN_DIAL, JOIN_GREET, JOIN_ASK, JOIN_KEEP, JOIN_CLOSE, JOIN_DONE, JOIN_NR };

static const struct sm_state join_states[JOIN_NR] = {
    /*               name     start       success     failure    */
    [JOIN_DIAL] = {"dial", join_dial, JOIN_GREET, JOIN_CLOSE},
    [JOIN_GREET] = {"greet", join_greet, JOIN_ASK, JOIN_CLOSE},
    [JOIN_ASK] = {"ask", join_ask, JOIN_KEEP, JOIN_CLOSE},
    [JOIN_KEEP] = {"keep", join_keep, JOIN_CLOSE, JOIN_CLOSE},
    [JOIN_CLOSE] = {"close", join_close, JOIN_DONE, JOIN_DONE},
    [JOIN_DONE] = {"done", NULL, 0, 0},
};

/* ---- what the stream says ---- */

static void on_connected(struct io_stream *stream, int status)
{
    struct node_join *join = CONTAINER_OF(stream, struct node_join, stream);

    if (status == ERR_UNAUTHENTICATED) {
        (void)say(join, status,
                  "what answers there is not of the cluster that the invite is for");
    }
    heard(join, status);
}

static int take_welcome(struct node_join *join, struct slice payload)
{
    struct arena scratch;
    int rc = ERR_MALFORMED;

    arena_init(&scratch, SCRATCH_BYTES);
    const Carillon__Welcome *welcome =
        wire_unpack(&carillon__welcome__descriptor, payload, &scratch);

    if (welcome == NULL) {
        (void)say(join, rc, "what listens there is not a Carillon node");
    } else if (welcome->status != 0) {
        rc = say(join, error_from_wire(welcome->status), welcome->text);
    } else {
        rc = welcome->version == CONN_PROTOCOL_VERSION ? OK : ERR_VERSION;
    }
    arena_fini(&scratch);
    join->is_greeted = rc == OK;
    join->was_greeted |= join->is_greeted;
    return rc;
}

static int take_reply(struct node_join *join, struct slice payload)
{
    struct envelope_reply reply;

    if (envelope_reply_decode(payload, &reply) != OK ||
        (reply.id != REQUEST_ID && reply.status == 0)) {
        return say(join, ERR_MALFORMED, "the node's answer could not be read");
    }
    if (reply.status != 0) {
        if (join->text.len == 0) {
            (void)!buf_append_slice(&join->text, reply.text);
        }
        return error_from_wire(reply.status);
    }
    return buf_append_slice(&join->reply, reply.body);
}

static void on_received(struct io_stream *stream, struct slice bytes)
{
    struct node_join *join = CONTAINER_OF(stream, struct node_join, stream);
    struct slice payload;
    int rc;

    frame_reader_feed(&join->reader, bytes);
    while (join->is_waiting) {
        rc = frame_reader_next(&join->reader, &payload);
        if (rc == ERR_EOF) {
            return;
        }
        if (rc == OK) {
            rc = join->is_greeted ? take_reply(join, payload) : take_welcome(join, payload);
        }
        heard(join, rc);
    }
}

static void on_ended(struct io_stream *stream, int status)
{
    struct node_join *join = CONTAINER_OF(stream, struct node_join, stream);

    heard(join, say(join, status == ERR_EOF ? ERR_CLOSED : status,
                    "the node has closed the connection; start again with the same invite"));
}

static void on_closed(struct io_stream *stream)
{
    struct node_join *join = CONTAINER_OF(stream, struct node_join, stream);

    join->is_connecting = false;
    sm_done(&join->sm, OK);
}

/* ---- beginning and end ---- */

static void give_back(struct node_join *join)
{
    if (join->lock != NULL) {
        io_folder_unlock(join->io, join->lock);
        join->lock = NULL;
    }
}

/* Ends by itself: a leader was lost and another is elected, or the node that the invite names is
 * started again. Any key may come with its invite once more (docs/spec/meta.md). */
static bool is_passing(const struct node_join *join, int status)
{
    return status == ERR_NOT_LEADER || status == ERR_BUSY || status == ERR_TIMEOUT ||
           (join->was_greeted && (status == ERR_STOPPED || status == ERR_CLOSED ||
                                  status == ERR_REFUSED_CONNECT));
}

/* Release what one attempt has used. */
static void attempt_fini(struct node_join *join)
{
    io_tls_destroy(join->io, join->tls);
    join->tls = NULL;
    frame_reader_fini(&join->reader);
    buf_fini(&join->stream.out);
}

static void on_paused(struct io_timer *timer);

static void pause_before_another(struct node_join *join, int status)
{
    event_log(EVENT_INFO, "join-again", "address=%s error=%s text=\"%s\"",
              join->invite.address, error_name(status), buf_text(&join->text));
    attempt_fini(join);
    join->stream = (struct io_stream){0};
    join->is_greeted = false;
    buf_clear(&join->reply);
    buf_clear(&join->text);
    io_timer_start(join->io, &join->timer, PAUSE_MS, on_paused);
}

static void on_finished(struct sm *sm, int status)
{
    struct node_join *join = join_of(sm);

    if (is_passing(join, status) &&
        io_now_ns(join->io) + (uint64_t)PAUSE_MS * NS_PER_MS < join->patience_ns) {
        pause_before_another(join, status);
        return;
    }
    give_back(join);
    if (status == OK) {
        event_log(EVENT_INFO, "cluster-joined", "address=%s data=%s", join->invite.address,
                  join->config->data_folder);
    } else {
        (void)say(join, status, error_text(status));
    }
    join->done(join, status);
}

static void on_paused(struct io_timer *timer)
{
    struct node_join *join = CONTAINER_OF(timer, struct node_join, timer);

    sm_start(&join->sm, join_states, on_finished);
}

static bool is_wildcard(const char *address)
{
    return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
}

/* Where others are to find this node, and what the invite says. */
static int check_config(struct node_join *join)
{
    const struct node_config *config = join->config;
    const char *address = config->advertise[0] != '\0' ? config->advertise : config->listen;
    size_t len = strlen(address);

    if (keyring_invite_parse(config->join, &join->invite) != OK) {
        return say(join, ERR_CONFIG,
                   "join: what `carillon node invite` prints is wanted, "
                   "carillon-invite:HOST:PORT:FINGERPRINT:SECRET");
    }
    if (is_wildcard(address) || (len > 2 && strcmp(address + len - 2, ":0") == 0)) {
        return say(join, ERR_CONFIG,
                   "the other nodes have to find this one: give --listen an address and a port of "
                   "its own, or set advertise");
    }
    return OK;
}

/* Whose the folder is. Returns: OK that cluster's; ERR_GONE nobody's yet. */
static int check_folder(struct node_join *join)
{
    const char *folder = join->config->data_folder;
    uint8_t root[IDENTITY_FINGERPRINT_BYTES];
    struct log_identity identity;
    struct keyring_joined joined;
    int rc = log_identity_read(join->io, folder, &identity);

    if (rc == ERR_GONE) {
        rc = keyring_joined_read(join->io, folder, &joined, &join->text);
    }
    if (rc != OK) {
        return rc;
    }
    rc = keyring_join_root(join->io, folder, root, &join->text);
    if (rc == ERR_GONE || (rc == OK && memcmp(root, join->invite.root, sizeof root) != 0)) {
        (void)!buf_append_format(&join->text,
                                 "%s belongs to another cluster than the invite; start without "
                                 "--join, or with an empty folder",
                                 folder);
        rc = ERR_EXISTS;
    }
    return rc;
}

static int no_file(void *context, const char *name)
{
    (void)context;
    (void)name;
    return ERR_EXISTS;
}

/* A log without an identity is damage, which node_open() tells about. */
static int check_empty(struct node_join *join)
{
    char path[LOG_PATH_BYTES];
    int rc = log_path_join(path, join->config->data_folder, "log");

    rc = rc == OK ? io_folder_list(join->io, path, no_file, NULL) : rc;
    if (rc == ERR_EXISTS) {
        return say(join, rc, "there is a log in the data folder already; join with an empty one");
    }
    return rc == ERR_GONE ? OK : rc;
}

static int prepare(struct node_join *join)
{
    const char *folder = join->config->data_folder;
    int rc = check_config(join);

    rc = rc == OK ? io_folder_make(join->io, folder) : rc;
    rc = rc == OK ? io_folder_lock(join->io, folder, &join->lock) : rc;
    rc = rc == OK ? check_folder(join) : rc;
    if (rc != ERR_GONE) {
        return rc;
    }
    rc = check_empty(join);
    rc = rc == OK ? keyring_join_key(join->io, folder, &join->key, &join->text) : rc;
    return rc == OK ? SM_PENDING : rc;
}

int node_join_start(struct node_join *join, struct io *io, const struct node_config *config,
                    void (*done)(struct node_join *join, int status))
{
    *join = (struct node_join){.io = io, .config = config, .done = done};
    buf_init(&join->text, JOIN_TEXT_BYTES_MAX);
    buf_init(&join->reply, FRAME_BYTES_MAX);
    int rc = prepare(join);

    if (rc != SM_PENDING) {
        give_back(join);
        return rc == OK ? OK : say(join, rc, error_text(rc));
    }
    join->patience_ns = io_now_ns(io) + (uint64_t)JOIN_MS * NS_PER_MS;
    sm_start(&join->sm, join_states, on_finished);
    return SM_PENDING;
}

void node_join_fini(struct node_join *join)
{
    give_back(join);
    attempt_fini(join);
    buf_fini(&join->reply);
    buf_fini(&join->text);
    identity_key_fini(&join->key);
    identity_wipe(&join->invite, sizeof join->invite);
}
