/* What clients are told of the cluster: its nodes, their addresses and who leads what
 * (docs/spec/protocol.md section 8). A client that knows it goes on elsewhere when the node it
 * talks to dies. */
#include "base/assert.h"
#include "node/node_private.h"
#include "wire/message.h"

static raft_id leader_of(const struct node *node, uint32_t group)
{
    return node->raft.groups[group].is_leading ? node->raft.id
                                               : engine_raft_leader(&node->raft, group);
}

static void pack_node(const struct node *node, const struct meta_member *member,
                      struct node_cluster_row *row)
{
    uint32_t groups = engine_raft_groups(&node->raft);

    carillon__cluster_node__init(&row->message);
    row->message.node_id = wire_binary(slice_from(member->id, sizeof member->id));
    row->message.address = wire_text(member->address);
    row->message.leads = row->leads;
    for (uint32_t group = 0; group < groups && group < NODE_CLUSTER_GROUPS_MAX; group++) {
        if (leader_of(node, group) == meta_number(member->id)) {
            row->leads[row->message.n_leads++] = group;
        }
    }
}

Carillon__Cluster *node__cluster(struct node *node)
{
    struct node_cluster *cluster = &node->cluster;

    carillon__cluster__init(&cluster->message);
    cluster->message.nodes = cluster->list;
    for (uint32_t i = 0; i < node->meta.member_count; i++) {
        const struct meta_member *member = &node->meta.members[i];

        if (member->state != META_REMOVED && cluster->message.n_nodes < META_MEMBERS_MAX) {
            struct node_cluster_row *row = &cluster->rows[cluster->message.n_nodes];

            pack_node(node, member, row);
            cluster->list[cluster->message.n_nodes++] = &row->message;
        }
    }
    return &cluster->message;
}

void node__cluster_look(struct node *node)
{
    struct node_cluster *cluster = &node->cluster;
    struct buf *old = &cluster->packed;
    struct buf *packed = &cluster->packing;

    buf_clear(packed);
    int rc = wire_pack(&node__cluster(node)->base, packed);

    ASSERT(rc == OK); /* its bounds are the buffer's */
    if (slice_is_equal(buf_slice(old), buf_slice(packed))) {
        return;
    }
    struct buf kept = *old;

    *old = *packed;
    *packed = kept;
    conn_table_tell(&node->conns, buf_slice(old));
}

void node__cluster_init(struct node *node)
{
    buf_init(&node->cluster.packed, NODE_CLUSTER_BYTES_MAX);
    buf_init(&node->cluster.packing, NODE_CLUSTER_BYTES_MAX);
}

void node__cluster_fini(struct node *node)
{
    buf_fini(&node->cluster.packed);
    buf_fini(&node->cluster.packing);
}
