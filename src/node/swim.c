/* The membership core in its node: time, members, verdicts; and the two ways for what it says. */
#include "node/swim.h"

#include "base/assert.h"
#include "identity/key.h"
#include "node/event.h"
#include "node/node_private.h"
#include "proto/peer.pb-c.h"
#include "wire/field.h"

enum {
    FLAG_HEARD = 1, /* the sender hears the receiver's datagrams, and holds it for alive */
    ITEM_BYTES = 1, /* fields of PeerDatagram */
    ITEM_HEARD = 2,
    ITEM_BYTES_MAX = MEMBER_DATAGRAM_BYTES_MAX + 16,
    SECONDS_BITS = 30, /* of boot: incarnations have 62 bits, of which 32 count refutations */
};

/* 2026-01-01 00:00 UTC */
static const uint64_t epoch_ms = 1767225600000ULL;

static uint64_t now_ms(const struct node *node)
{
    return io_now_ns(node->io) / 1000000;
}

static struct swim_peer *find_peer(struct swim *swim, member_id id)
{
    for (uint32_t i = 0; i < SWIM_PEERS_MAX && id != 0; i++) {
        if (swim->peers[i].id == id) {
            return &swim->peers[i];
        }
    }
    return NULL;
}

static bool is_fresh(const struct node *node, uint64_t at_ns)
{
    return at_ns != 0 && io_now_ns(node->io) - at_ns < (uint64_t)SWIM_HEARD_MS * 1000000;
}

static bool is_alive(const struct swim *swim, member_id id)
{
    struct member_peer held;

    return member_find(&swim->core, id, &held) == OK && held.state == MEMBER_ALIVE;
}

/* ---- saying ---- */

/* Returns: whether it was sent. */
static bool send_datagram(struct node *node, struct swim_peer *peer, const struct link *link,
                          struct slice text, uint8_t flags)
{
    struct swim *swim = node->swim;
    const struct seal_head head = {.from = node->raft.id, .flags = flags};

    if (!swim->is_receiving || !peer->has_sender || link == NULL) {
        return false;
    }
    size_t len = seal_make(&peer->sender, &head, text, swim->bytes);

    if (io_datagrams_send(node->io, &swim->datagrams, link->address, link->port,
                          slice_from(swim->bytes, len)) != OK) {
        return false; /* lost, like others on their way */
    }
    swim->counters.sent++;
    swim->counters.sent_bytes += len;
    return true;
}

static bool send_linked(struct node *node, member_id to, struct slice text, uint8_t flags)
{
    uint8_t item[ITEM_BYTES_MAX];
    uint8_t *end = field_put_bytes(item, ITEM_BYTES, text);

    end = field_put_number(end, ITEM_HEARD, (flags & FLAG_HEARD) != 0);
    return link_say(&node->links, to, NODE_PEER_DATAGRAM,
                    slice_from(item, (size_t)(end - item))) == OK;
}

/* A key is good for one connection at most: it is never written down, and ends with the process.
 */
static void give_key(struct node *node, struct swim_peer *peer)
{
    uint8_t key[SEAL_KEY_BYTES];

    io_random(node->io, key, sizeof key);
    peer->has_sender = link_say(&node->links, peer->id, NODE_PEER_KEY,
                                slice_from(key, sizeof key)) == OK;
    peer->keyed_ns = io_now_ns(node->io);
    seal_sender_init(&peer->sender, key);
    identity_wipe(key, sizeof key);
}

/* Who does not hear this node's datagrams, or is said not to be there, is told by every way that
 * there is; and a new key now and then, for it may have come before the other knew this node. */
static void carry(struct node *node, member_id to, struct slice text)
{
    struct swim *swim = node->swim;
    struct swim_peer *peer = find_peer(swim, to);
    const struct link *link = link_find(&node->links, to);

    if (peer == NULL) {
        return; /* removed in this very step */
    }
    bool held_alive = is_alive(swim, to);
    uint8_t flags = held_alive && is_fresh(node, peer->heard_ns) ? FLAG_HEARD : 0;
    bool is_sent = send_datagram(node, peer, link, text, flags);
    bool is_linked = false;

    if (!is_sent || !held_alive || !is_fresh(node, peer->told_ns)) {
        if (!is_fresh(node, peer->keyed_ns)) {
            give_key(node, peer);
        }
        is_linked = send_linked(node, to, text, flags);
        swim->counters.linked += is_linked;
    }
    swim->counters.left_out += !is_sent && !is_linked;
}

/* ---- what changes ---- */

static void say_change(const struct member_change *change)
{
    static const char *const words[MEMBER_STATE_NR] = {
        [MEMBER_ALIVE] = "member-alive",
        [MEMBER_SUSPECT] = "member-suspect",
        [MEMBER_UNREACHABLE] = "member-unreachable",
        [MEMBER_LEFT] = "member-left",
    };
    bool is_gone = change->kind == MEMBER_GONE;
    bool is_bad = is_gone || change->state == MEMBER_UNREACHABLE;

    event_log(is_bad ? EVENT_WARNING : EVENT_INFO,
              is_gone ? "member-gone" : words[change->state], "node=%016llx incarnation=%llx",
              (unsigned long long)change->id, (unsigned long long)change->incarnation);
}

static void on_change(struct node *node, const struct member_change *change)
{
    struct swim_peer *peer = find_peer(node->swim, change->id);

    if (change->id == node->raft.id || peer == NULL) {
        return;
    }
    if (change->kind == MEMBER_CHANGED) {
        peer->since_ms = io_wall_ms(node->io);
    }
    say_change(change);
}

static void on_timer(struct io_timer *timer);

static void set_timer(struct node *node)
{
    struct swim *swim = node->swim;
    uint64_t deadline = member_deadline_ms(&swim->core);
    uint64_t now = now_ms(node);

    if (deadline == UINT64_MAX || swim->is_closing) {
        io_timer_stop(node->io, &swim->timer);
    } else {
        io_timer_start(node->io, &swim->timer, deadline > now ? deadline - now : 0, on_timer);
    }
}

static void step(struct node *node, const struct member_event *event)
{
    struct swim *swim = node->swim;

    if (swim->is_closing) {
        return;
    }
    member_step(&swim->core, event, now_ms(node), &swim->effects);
    for (uint32_t i = 0; i < swim->effects.change_count; i++) {
        on_change(node, &swim->effects.changes[i]);
    }
    for (uint32_t i = 0; i < swim->effects.send_count; i++) {
        const struct member_send *send = &swim->effects.sends[i];

        carry(node, send->to, slice_from(send->bytes, send->len));
    }
    set_timer(node);
}

static void on_timer(struct io_timer *timer)
{
    struct swim *swim = CONTAINER_OF(timer, struct swim, timer);

    step(swim->node, &(struct member_event){.kind = MEMBER_TICK});
}

/* ---- hearing ---- */

static void heard(struct node *node, struct swim_peer *peer, struct slice text, bool is_told)
{
    const struct member_event event = {
        .kind = MEMBER_RECEIVED, .peer = peer->id, .bytes = text};

    peer->told_ns = is_told ? io_now_ns(node->io) : 0;
    step(node, &event);
}

static void on_datagram(struct io_datagrams *datagrams, const char *address, uint16_t port,
                        struct slice bytes)
{
    struct swim *swim = CONTAINER_OF(datagrams, struct swim, datagrams);
    uint8_t text[IO_DATAGRAM_BYTES_MAX];
    struct seal_head head = {0};

    (void)address; /* anybody's may stand there: the seal tells who it is */
    (void)port;
    int rc = seal_read_head(bytes, &head);
    struct swim_peer *peer = rc == OK ? find_peer(swim, head.from) : NULL;

    rc = peer != NULL && peer->has_receiver ? seal_open(&peer->receiver, bytes, text)
                                            : ERR_UNAUTHENTICATED;
    if (rc != OK) {
        swim->counters.refused++;
        return;
    }
    swim->counters.received++;
    peer->heard_ns = io_now_ns(swim->node->io);
    heard(swim->node, peer, slice_from(text, bytes.len - SEAL_BYTES),
          (head.flags & FLAG_HEARD) != 0);
}

void node__swim_linked(struct node *node, member_id from, struct slice item)
{
    struct swim_peer *peer = find_peer(node->swim, from);
    struct field_reader in = field_reader_from(item);
    struct slice text = SLICE_NONE;
    bool is_told = false;
    struct field field;

    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            node->counters.bad_peer_messages++;
            return;
        }
        if (field.number == ITEM_BYTES && field.type == FIELD_BYTES) {
            text = field.bytes;
        } else if (field.number == ITEM_HEARD && field.type == FIELD_VARINT) {
            is_told = field.value != 0;
        }
    }
    if (peer != NULL) {
        heard(node, peer, text, is_told);
    }
}

void node__swim_key(struct node *node, member_id from, struct slice key)
{
    struct swim_peer *peer = find_peer(node->swim, from);

    if (key.len != SEAL_KEY_BYTES) {
        node->counters.bad_peer_messages++;
    } else if (peer != NULL) {
        seal_receiver_init(&peer->receiver, key.data);
        peer->has_receiver = true;
    }
}

/* ---- links ---- */

void node__swim_link_up(struct node *node, member_id id)
{
    struct swim_peer *peer = find_peer(node->swim, id);

    if (peer != NULL) {
        peer->told_ns = 0; /* a new key has come through nowhere yet */
        give_key(node, peer);
    }
}

/* Most links break because the other end has died. */
void node__swim_link_down(struct node *node, member_id id)
{
    if (find_peer(node->swim, id) != NULL && is_alive(node->swim, id)) {
        step(node, &(struct member_event){.kind = MEMBER_LINK_RESET, .peer = id});
    }
}

/* ---- members ---- */

static void on_datagrams_closed(struct io_datagrams *datagrams)
{
    struct swim *swim = CONTAINER_OF(datagrams, struct swim, datagrams);

    swim->is_receiving = false;
    swim->closed(swim->node);
}

/* Where the node serves its streams, other nodes find its datagrams. */
static void receive(struct node *node)
{
    struct swim *swim = node->swim;
    char address[CONFIG_ADDRESS_BYTES];
    uint16_t port;

    if (swim->is_receiving || swim->is_refused || swim->is_closing) {
        return;
    }
    swim->datagrams =
        (struct io_datagrams){.received = on_datagram, .closed = on_datagrams_closed};
    int rc = node_config_listen_split(&node->config, address, &port);

    rc = rc == OK ? io_datagrams_open(node->io, &swim->datagrams, address, node->port, &port)
                  : rc;
    swim->is_receiving = rc == OK;
    swim->is_refused = rc != OK;
    if (rc != OK) {
        event_log(EVENT_WARNING, "datagrams-not-received", "address=%s port=%u error=%s", address,
                  node->port, error_name(rc));
    }
}

static void add(struct node *node, member_id id)
{
    struct swim *swim = node->swim;

    for (uint32_t i = 0; i < SWIM_PEERS_MAX; i++) {
        if (swim->peers[i].id == 0) {
            swim->peers[i] = (struct swim_peer){.id = id};
            receive(node);
            step(node, &(struct member_event){.kind = MEMBER_ADD, .peer = id});
            if (link_is_up(link_find(&node->links, id))) {
                give_key(node, &swim->peers[i]);
            }
            return;
        }
    }
}

static void remove_peer(struct node *node, struct swim_peer *peer)
{
    member_id id = peer->id;

    identity_wipe(peer, sizeof *peer);
    step(node, &(struct member_event){.kind = MEMBER_REMOVE, .peer = id});
}

/* A state that took the place of another may have forgotten somebody altogether. */
static bool is_member(const struct node *node, member_id id)
{
    const struct meta_member *member = meta_find_number(&node->meta, id);

    return member != NULL && member->state != META_REMOVED;
}

void node__swim_members(struct node *node)
{
    struct swim *swim = node->swim;

    for (uint32_t i = 0; i < SWIM_PEERS_MAX; i++) {
        if (swim->peers[i].id != 0 && !is_member(node, swim->peers[i].id)) {
            remove_peer(node, &swim->peers[i]);
        }
    }
    for (uint32_t i = 0; i < node->meta.member_count; i++) {
        member_id id = meta_number(node->meta.members[i].id);

        if (id != node->raft.id && node->meta.members[i].state != META_REMOVED &&
            find_peer(swim, id) == NULL) {
            add(node, id);
        }
    }
}

/* ---- beginning and end ---- */

/* A start later than another is above it by its clock, which does not go back behind the logged
 * time; where it does all the same, section 3 of the specification mends it. */
static uint32_t boot_of(struct node *node)
{
    uint64_t wall_ms = node__wall_ms(node);
    uint64_t seconds = wall_ms > epoch_ms ? (wall_ms - epoch_ms) / 1000 + 1 : 1;
    uint64_t most = (1ULL << SECONDS_BITS) - 1;

    return (uint32_t)(seconds < most ? seconds : most);
}

void node__swim_open(struct node *node)
{
    struct swim *swim = arena_alloc_zero(&node->arena, sizeof *swim);
    struct member_options options;

    member_options_default(&options);
    options.id = node->raft.id;
    options.boot = boot_of(node);
    options.members_max = SWIM_PEERS_MAX + 1;
    io_random(node->io, &options.seed, sizeof options.seed);
    swim->node = node;
    node->swim = swim;
    member_init(&swim->core, &options, now_ms(node));
}

void node__swim_leave(struct node *node)
{
    if (node->swim != NULL && !node->swim->is_leaving) {
        node->swim->is_leaving = true;
        step(node, &(struct member_event){.kind = MEMBER_LEAVE});
    }
}

bool node__swim_has_left(const struct node *node)
{
    return node->swim == NULL || member_has_left(&node->swim->core);
}

void node__swim_close(struct node *node, void (*closed)(struct node *node))
{
    struct swim *swim = node->swim;

    if (swim == NULL) {
        closed(node);
        return;
    }
    swim->is_closing = true;
    swim->closed = closed;
    io_timer_stop(node->io, &swim->timer);
    if (swim->is_receiving) {
        io_datagrams_close(node->io, &swim->datagrams);
    } else {
        closed(node);
    }
}

void node__swim_fini(struct node *node)
{
    if (node->swim != NULL) {
        identity_wipe(node->swim->peers, sizeof node->swim->peers);
        member_fini(&node->swim->core);
    }
}

/* ---- asking ---- */

enum member_state node__swim_state(const struct node *node, member_id id,
                                   uint64_t *ret_since_ms)
{
    struct member_peer held;

    *ret_since_ms = 0;
    if (node->swim == NULL || member_find(&node->swim->core, id, &held) != OK) {
        return MEMBER_STATE_NR;
    }
    for (uint32_t i = 0; i < SWIM_PEERS_MAX; i++) {
        if (node->swim->peers[i].id == id) {
            *ret_since_ms = node->swim->peers[i].since_ms;
        }
    }
    return held.state;
}

bool node__swim_is_unreachable(const struct node *node, member_id id)
{
    uint64_t since_ms;

    return node__swim_state(node, id, &since_ms) == MEMBER_UNREACHABLE;
}

bool node__swim_is_gone(const struct node *node, member_id id)
{
    struct member_peer held;

    return node->swim != NULL && member_find(&node->swim->core, id, &held) == OK && held.is_gone;
}
