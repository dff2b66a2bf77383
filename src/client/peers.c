/* Which node to talk to: addresses that were given, nodes that other nodes have told of, and
 * the one where the next connection leads. docs/spec/protocol.md section 8. */
#include "base/assert.h"
#include "client/client_private.h"

/* ---- the table ---- */

static bool is_used(const struct client_peer *peer)
{
    return peer->address[0] != '\0' && !peer->is_gone;
}

static void count(struct carillon_client *client)
{
    client->peer_count = 0;
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        client->peer_count += is_used(&client->peers[i]);
    }
}

static struct client_peer *find_address(struct carillon_client *client, const char *address,
                                        uint16_t port)
{
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        struct client_peer *peer = &client->peers[i];

        if (peer->address[0] != '\0' && strcmp(peer->address, address) == 0 &&
            peer->port == port) {
            return peer;
        }
    }
    return NULL;
}

/* Those that were given come first. */
static struct client_peer *find_id(struct carillon_client *client, const uint8_t id[16])
{
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        struct client_peer *peer = &client->peers[i];

        if (is_used(peer) && peer->has_id && memcmp(peer->id, id, sizeof peer->id) == 0) {
            return peer;
        }
    }
    return NULL;
}

static bool has_links(const struct client_peer *peer)
{
    const struct carillon_client *client = peer->client;

    for (uint32_t i = 0; i < client->link_count; i++) {
        if (client->links[i].peer == peer) {
            return true;
        }
    }
    return client->target == peer || client->greeted == peer;
}

static void peer_init(struct carillon_client *client, struct client_peer *peer)
{
    *peer = (struct client_peer){.client = client};
    credential_init(&peer->credential);
}

/* Room for one more that was told: a free place, or one whose node is gone. */
static struct client_peer *find_room(struct carillon_client *client)
{
    for (uint32_t i = CLIENT_GIVEN_MAX; i < CLIENT_PEERS_MAX; i++) {
        struct client_peer *peer = &client->peers[i];

        if (peer->address[0] == '\0' || (peer->is_gone && !has_links(peer))) {
            client__credential_forget(peer);
            peer_init(client, peer);
            return peer;
        }
    }
    return NULL;
}

static int give(struct carillon_client *client, struct slice text)
{
    struct client_peer *peer = &client->peers[client->given_count];

    if (client->given_count == CLIENT_GIVEN_MAX) {
        return ERR_ARGUMENT;
    }
    int rc = client__address_parse(text, peer->address, &peer->port);

    if (rc != OK) {
        return rc;
    }
    if (find_address(client, peer->address, peer->port) != peer) {
        peer->address[0] = '\0'; /* it was given twice */
        return OK;
    }
    peer->is_given = true;
    client->given_count++;
    return OK;
}

int client__peers_init(struct carillon_client *client, const char *text)
{
    struct slice rest = slice_from_text(text);
    struct slice address;
    int rc = OK;

    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        peer_init(client, &client->peers[i]);
    }
    for (bool has_more = true; rc == OK && has_more;) {
        has_more = slice_cut(rest, ',', &address, &rest);
        rc = give(client, address);
    }
    client->target = &client->peers[0];
    client->greeted = client->target;
    count(client);
    return rc;
}

void client__peers_fini(struct carillon_client *client)
{
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX && client->io != NULL; i++) {
        client__credential_forget(&client->peers[i]);
    }
}

/* ---- choosing ---- */

static bool may_try(const struct client_peer *peer)
{
    return is_used(peer) && !peer->has_failed;
}

/* The one that is thought to lead the most. When it is the target already, nothing is better.
 */
static struct client_peer *find_leader(struct carillon_client *client)
{
    struct client_peer *best = NULL;

    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        struct client_peer *peer = &client->peers[i];

        if (may_try(peer) && peer->leads > (best == NULL ? 0 : best->leads)) {
            best = peer;
        }
    }
    return best;
}

/* One that a connection leads to already. */
static struct client_peer *find_connected(struct carillon_client *client)
{
    for (uint32_t i = 0; i < client->link_count; i++) {
        const struct client_link *link = &client->links[i];

        if (link->state == LINK_READY && !link->is_leaving && may_try(link->peer)) {
            return link->peer;
        }
    }
    return NULL;
}

static struct client_peer *find_next(struct carillon_client *client)
{
    uint32_t at = (uint32_t)(client->target - client->peers);

    for (uint32_t i = 1; i <= CLIENT_PEERS_MAX; i++) {
        struct client_peer *peer = &client->peers[(at + i) % CLIENT_PEERS_MAX];

        if (may_try(peer)) {
            return peer;
        }
    }
    return NULL;
}

static struct client_peer *choose(struct carillon_client *client)
{
    struct client_peer *peer = find_leader(client);

    peer = peer == NULL ? find_connected(client) : peer;
    return peer == NULL ? find_next(client) : peer;
}

static void begin_round(struct carillon_client *client)
{
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        client->peers[i].has_failed = false;
    }
}

bool client__peers_are_hopeless(const struct carillon_client *client)
{
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        if (is_used(&client->peers[i]) && !client->peers[i].is_hopeless) {
            return false;
        }
    }
    return true;
}

bool client__peer_failed(struct client_peer *peer, bool is_hopeless)
{
    struct carillon_client *client = peer->client;

    peer->has_failed = true;
    peer->is_hopeless = is_hopeless;
    struct client_peer *next = choose(client);
    bool is_over = next == NULL;

    if (is_over) {
        begin_round(client);
        client->is_patient = true;
        next = find_next(client);
        ASSERT(next != NULL); /* those that were given stay */
    }
    if (client->target == peer || is_over) {
        client->target = next;
    }
    return !is_over;
}

/* ---- what a node says ---- */

void client__peer_greeted(struct client_link *link, struct slice node_id)
{
    struct carillon_client *client = link->client;
    struct client_peer *peer = link->peer;

    begin_round(client);
    client->is_patient = false;
    peer->is_hopeless = false;
    client->greeted = peer;
    if (node_id.len != sizeof peer->id) {
        return;
    }
    for (uint32_t i = CLIENT_GIVEN_MAX; i < CLIENT_PEERS_MAX; i++) {
        struct client_peer *other = &client->peers[i];

        if (other != peer && other->has_id &&
            memcmp(other->id, node_id.data, sizeof other->id) == 0) {
            other->is_gone = true; /* the same node under two addresses */
        }
    }
    memcpy(peer->id, node_id.data, sizeof peer->id);
    peer->has_id = true;
    count(client);
}

/* A node that listens everywhere, or on its own machine only, has told nothing of use. */
static bool is_of_use(const struct client_link *link, const char *address)
{
    return client__address_is_numeric(address) && strcmp(address, "0.0.0.0") != 0 &&
           strcmp(address, "::") != 0 &&
           (!client__address_is_loopback(address) ||
            client__address_is_loopback(link->peer->address));
}

/* The place of the node that was told of, or NULL. */
static struct client_peer *take_node(struct client_link *link,
                                     const Carillon__ClusterNode *node)
{
    struct carillon_client *client = link->client;
    char address[CLIENT_ADDRESS_BYTES_MAX + 1];
    uint16_t port;
    struct client_peer *peer = find_id(client, node->node_id.data);

    if (client__address_parse(slice_from_text(node->address), address, &port) != OK ||
        !is_of_use(link, address)) {
        return peer;
    }
    peer = peer == NULL ? find_address(client, address, port) : peer;
    peer = peer == NULL ? find_room(client) : peer;
    if (peer != NULL && peer->address[0] == '\0') {
        memcpy(peer->address, address, sizeof peer->address);
        peer->port = port;
    }
    return peer;
}

void client__peers_learn(struct client_link *link, const void *message)
{
    const Carillon__Cluster *cluster = message;
    struct carillon_client *client = link->client;

    if (cluster->n_nodes == 0 || client->options.stays) {
        return; /* no nodes: one that has not heard of the cluster yet */
    }
    for (uint32_t i = 0; i < CLIENT_PEERS_MAX; i++) {
        client->peers[i].leads = 0;
        client->peers[i].is_gone = !client->peers[i].is_given;
    }
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        const Carillon__ClusterNode *node = cluster->nodes[i];
        struct client_peer *peer =
            node->node_id.len == sizeof peer->id ? take_node(link, node) : NULL;

        if (peer == NULL) {
            continue;
        }
        peer->is_gone = false;
        peer->has_id = true;
        memcpy(peer->id, node->node_id.data, sizeof peer->id);
        for (size_t k = 0; k < node->n_leads; k++) {
            peer->leads +=
                node->leads[k] != 0; /* who leads group 0 answers nothing of clients */
        }
    }
    count(client);
    if (client->target->is_gone) {
        client->target = link->peer->is_gone ? &client->peers[0] : link->peer;
    }
}

static void move_to(struct carillon_client *client, struct client_peer *peer)
{
    client->target = peer;
    client__links_connect(client);
}

void client__peers_answered(struct client_link *link)
{
    struct carillon_client *client = link->client;

    link->answers++;
    if (link->answers % CLIENT_SETTLE_ANSWERS != 0 || link->peer != client->target ||
        link->peer->leads > 0) {
        return;
    }
    struct client_peer *leader = find_leader(client);
    uint64_t now_ns = io_now_ns(client->io);

    if (leader != NULL && now_ns >= client->move_ns) {
        client->move_ns =
            now_ns + rng_between(&client->rng, CLIENT_MOVE_MS / 2, CLIENT_MOVE_MS) * 1000000;
        move_to(client, leader);
    }
}

void client__peers_avoid(struct client_link *link)
{
    struct carillon_client *client = link->client;

    if (link->peer == client->target && client->peer_count > 1 && !link->is_leaving) {
        (void)client__peer_failed(link->peer, false);
        move_to(client, client->target);
    }
}
