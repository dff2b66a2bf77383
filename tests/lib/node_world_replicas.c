/* The other nodes of the world's cluster. */
#include <stdio.h>

#include "base/assert.h"
#include "identity/certificate.h"
#include "node/replicas.h"
#include "tests/lib/node_world.h"

enum { PORT = 7440, GATHER_MS = 30000 };

static void address_of(uint32_t number, char out[32])
{
    (void)snprintf(out, 32, "10.0.1.%u", number + 1);
}

/* What its certificate would say of a node. */
static void show_node(struct io *io, const struct node *node)
{
    struct io_peer peer = {.role = IDENTITY_ROLE_NODE, .is_encrypted = true};
    const uint8_t *id = node->raft.identity.node;

    for (size_t i = 0; i < LOG_ID_BYTES; i++) {
        (void)snprintf(peer.name + 2 * i, 3, "%02x", id[i]);
    }
    io_sim_peer_set(io, &peer);
}

static void introduce(struct node *node, const struct node *other, const char *address)
{
    int rc = node == NULL || other == NULL
                 ? OK
                 : node__member_put(node, other->raft.id, address, PORT);

    ASSERT(rc == OK);
}

/* Everybody who runs knows everybody who has ever run: who does not run any more has the same
 * number when it comes back. */
void node_world__introduce(struct node_world *world)
{
    for (uint32_t i = 0; i < world->replica_count; i++) {
        struct node *replica = world->replicas[i].node;
        char address[32];

        address_of(i, address);
        introduce(world->node, replica, address);
        introduce(replica, world->node, "10.0.0.1");
        for (uint32_t k = 0; k < world->replica_count; k++) {
            introduce(world->replicas[k].node, replica, address);
        }
    }
    if (world->node != NULL && world->replica_count > 0) {
        show_node(world->io, world->node);
    }
}

void node_world_replicas(struct node_world *world, uint32_t count)
{
    ASSERT(count <= NODE_WORLD_REPLICAS_MAX && world->opens == 0);
    world->replica_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct world_replica *replica = &world->replicas[i];
        char address[32];

        address_of(i, address);
        replica->io = io_sim_machine_create(world->sim, address);
        replica->config = world->config;
        replica->config.is_joined = true;
        (void)snprintf(replica->config.listen, sizeof replica->config.listen, "%s:%d", address,
                       PORT);
    }
}

static void copy_file(struct io *from, struct io *to, const char *path)
{
    uint8_t bytes[4096];
    struct io_file *file;
    size_t len;

    int rc = io_file_open(from, path, IO_OPEN_READ, &file);
    ASSERT(rc == OK);
    rc = io_file_read(from, file, 0, bytes, sizeof bytes, &len);
    ASSERT(rc == OK && len < sizeof bytes);
    io_file_close(from, file);
    rc = io_file_open(to, path, IO_OPEN_CREATE, &file);
    ASSERT(rc == OK);
    rc = io_file_write(to, file, 0, bytes, len);
    rc = rc == OK ? io_file_sync(to, file) : rc;
    ASSERT(rc == OK);
    io_file_close(to, file);
}

/* They are of the same cluster: its root is theirs. */
void node_world__replicas_begin(struct node_world *world)
{
    for (uint32_t i = 0; i < world->replica_count; i++) {
        struct io *io = world->replicas[i].io;
        int rc = io_folder_make(io, "data/keys");

        ASSERT(rc == OK);
        copy_file(world->io, io, "data/keys/root.key");
        copy_file(world->io, io, "data/keys/root.crt");
        rc = io_folder_sync(io, "data/keys");
        ASSERT(rc == OK);
        if (i + world->replicas_late < world->replica_count) {
            node_world_replica_up(world, i);
        }
    }
}

void node_world_replica_kill(struct node_world *world, uint32_t number)
{
    struct world_replica *replica = &world->replicas[number];

    io_sim_kill(replica->io);
    if (replica->node != NULL) {
        io_sim_forget(replica->io);
        node_forget(replica->node);
        replica->node = NULL;
    }
}

void node_world_replica_damage(struct node_world *world, uint32_t number)
{
    struct world_replica *replica = &world->replicas[number];
    const struct log *log = &replica->node->raft.log;
    char path[LOG_PATH_BYTES];

    (void)snprintf(path, sizeof path, "%.*s/log-%016llx", LOG_PATH_BYTES - 32, log->folder,
                   (unsigned long long)log->segments[0].serial);
    node_world_replica_kill(world, number);
    int rc = io_sim_flip_bit(replica->io, path, 70 + rng_below(&world->rng, 20), 3);
    ASSERT(rc == OK);
}

void node_world_replica_cut(struct node_world *world, uint32_t number)
{
    io_sim_crash(world->replicas[number].io);
    if (world->replicas[number].node != NULL) {
        io_sim_forget(world->replicas[number].io);
        node_forget(world->replicas[number].node);
        world->replicas[number].node = NULL;
    }
}

static void on_replica_failed(void *context)
{
    (void)context; /* it is found out by whoever looks */
}

int node_world_replica_open(struct node_world *world, uint32_t number)
{
    struct world_replica *replica = &world->replicas[number];

    if (io_sim_is_down(replica->io)) {
        io_sim_restart(replica->io);
    }
    buf_clear(&world->text);
    replica->node = NULL;
    int rc = node_open(replica->io, &replica->config, &replica->node, &world->text);
    if (rc == ERR_CANCELLED) { /* a damaged log was set aside */
        node_world_run_ms(world, 10);
        buf_clear(&world->text);
        rc = node_open(replica->io, &replica->config, &replica->node, &world->text);
    }
    if (rc != OK) {
        replica->node = NULL;
        node_world_run_ms(world, 10); /* what is open closes by itself */
        return rc;
    }
    node_on_failed(replica->node, on_replica_failed, replica);
    show_node(replica->io, replica->node);
    node_world__introduce(world);
    return OK;
}

void node_world_replica_up(struct node_world *world, uint32_t number)
{
    if (node_world_replica_open(world, number) != OK) {
        node_world_violate(world, "replica %u does not start: %s", number,
                           buf_text(&world->text));
    }
}

static uint32_t running(const struct node_world *world)
{
    uint32_t count = world->node != NULL;

    for (uint32_t i = 0; i < world->replica_count; i++) {
        count += world->replicas[i].node != NULL;
    }
    return count;
}

/* Whether what is asked of @node is answered, by itself or by the leader, of whatever shard. */
static bool can_ask(struct node *node)
{
    for (uint32_t i = 0; node != NULL && i < node->shard_count; i++) {
        raft_id leader = engine_raft_leader(&node->raft, NODE_GROUP_SHARD + i);
        bool is_there = leader == node->raft.id ? node->shards[i].is_leading
                                                : link_is_up(link_find(&node->links, leader));

        if (leader == 0 || !is_there) {
            return false;
        }
    }
    return node != NULL;
}

static bool is_joining(const struct node *node)
{
    for (uint32_t i = 0; i < node->meta.member_count; i++) {
        if (node->meta.members[i].state == META_JOINING) {
            return true;
        }
    }
    return false;
}

/* As the leader of the group has it: those vote that the members say, and nobody else; and one of
 * several shards is led by whoever should. */
static bool is_placed(const struct node *node, uint32_t group, uint32_t nodes)
{
    const struct raft *raft = &node->raft.groups[group].raft;
    const struct raft_configuration *now = &raft->configuration;
    struct placement placement;
    uint32_t voters = 0;

    node__placement(node, group, &placement);
    if (group > 0 && node->shard_count > 1 && placement.nodes[0] != node->raft.id) {
        return false;
    }
    for (uint32_t i = 0; i < placement.count; i++) {
        voters += raft_configuration_is_voter(now, placement.nodes[i]);
    }
    return node->raft.groups[group].is_leading && now->index <= raft->commit &&
           meta_member_count(&node->meta) == nodes && !is_joining(node) &&
           voters == placement_voters(placement.count) &&
           raft_configuration_voters(now) == voters;
}

static bool is_gathered(const struct node_world *world)
{
    uint32_t complete = 0;

    for (uint32_t i = 0; i <= world->replica_count; i++) {
        const struct node *node = i == 0 ? world->node : world->replicas[i - 1].node;

        for (uint32_t group = 0; node != NULL && group < engine_raft_groups(&node->raft);
             group++) {
            complete += is_placed(node, group, running(world));
        }
    }
    return world->node != NULL && complete == world->node->shard_count + 1 && can_ask(world->node);
}

bool node_world_gather(struct node_world *world)
{
    uint64_t until = io_sim_now_ns(world->sim) + (uint64_t)GATHER_MS * 1000000;

    while (io_sim_now_ns(world->sim) < until && !is_gathered(world) && node_world_step(world)) {
    }
    return is_gathered(world);
}
