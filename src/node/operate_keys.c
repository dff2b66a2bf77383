/* Methods about who is who: the node's keys, rotating them, and who was not let in. */
#include "base/assert.h"
#include "node/node_private.h"
#include "proto/identity.pb-c.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

/* One key's line, and the bytes it points to. */
struct key_line {
    Carillon__KeyInfo info;
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];
    uint8_t certificate[IDENTITY_FINGERPRINT_BYTES];
};

static void describe(struct key_line *line, const char *name, const struct identity_key *key,
                     const struct buf *certificate)
{
    carillon__key_info__init(&line->info);
    line->info.name = wire_text(name);
    identity_fingerprint(key, line->fingerprint);
    identity_hash(buf_slice(certificate), line->certificate);
    line->info.fingerprint = wire_binary(slice_from(line->fingerprint, IDENTITY_KEY_BYTES));
    line->info.certificate = wire_binary(slice_from(line->certificate, IDENTITY_KEY_BYTES));
}

static void describe_pair(struct key_line *line, const char *name,
                          const struct keyring_pair *pair)
{
    describe(line, name, &pair->key, &pair->certificate);
    line->info.not_before_ms = pair->not_before_ms;
    line->info.not_after_ms = pair->not_after_ms;
    line->info.is_here = true;
}

static void describe_root(struct key_line *line, const struct keyring *ring)
{
    struct identity_certificate read;

    describe(line, "root", &ring->root, &ring->root_certificate);
    (void)identity_certificate_read(buf_slice(&ring->root_certificate), &ring->root, &read);
    line->info.not_before_ms = read.not_before_ms;
    line->info.not_after_ms = read.not_after_ms;
    line->info.is_here = ring->has_root_key;
}

void node__keys(struct node *node, struct conn *conn, uint64_t id)
{
    const struct keyring *ring = &node->door.ring;
    Carillon__KeysReply reply = CARILLON__KEYS_REPLY__INIT;
    struct key_line lines[3];
    Carillon__KeyInfo *infos[] = {&lines[0].info, &lines[1].info, &lines[2].info};

    describe_root(&lines[0], ring);
    describe_pair(&lines[1], "node", &ring->node);
    describe_pair(&lines[2], "operator", &ring->operator);
    reply.cluster_id = wire_binary(slice_from(ring->cluster, sizeof ring->cluster));
    reply.node_id = wire_binary(slice_from(ring->node_id, sizeof ring->node_id));
    reply.adopted = ring->is_adopted;
    reply.card_epoch = ring->card.epoch;
    reply.card = wire_binary(buf_slice(&ring->card_bytes));
    reply.root_certificate = wire_binary(buf_slice(&ring->root_certificate));
    reply.n_keys = 3;
    reply.keys = infos;
    node__answer_message(node, conn->name, id, &reply.base);
}

/* ---- rotating ---- */

struct rotation {
    struct node *node;
    struct door_rotation rotation;
    struct conn_name conn;
    uint64_t id;
};

static void on_rotated(struct door_rotation *done, int status, const char *text)
{
    struct rotation *rotation = CONTAINER_OF(done, struct rotation, rotation);
    struct node *node = rotation->node;
    const struct keyring *ring = &node->door.ring;
    Carillon__RotateReply reply = CARILLON__ROTATE_REPLY__INIT;
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];

    if (status == OK) {
        identity_fingerprint(&ring->node.key, fingerprint);
        reply.card_epoch = ring->card.epoch;
        reply.node_fingerprint = wire_binary(slice_from(fingerprint, sizeof fingerprint));
        reply.not_after_ms = ring->node.not_after_ms;
        node__answer_message(node, rotation->conn, rotation->id, &reply.base);
    } else {
        node__answer(node, rotation->conn,
                     &(struct conn_answer){.id = rotation->id, .status = status, .text = text});
    }
    arena_free(&node->arena, rotation, sizeof *rotation);
}

void node__rotate(struct node *node, struct conn *conn, uint64_t id)
{
    struct rotation *rotation = arena_alloc_zero(&node->arena, sizeof *rotation);

    rotation->node = node;
    rotation->conn = conn->name;
    rotation->id = id;
    rotation->rotation.done = on_rotated;
    door_rotate(&node->door, &rotation->rotation);
}

/* ---- status ---- */

void node__status_refusals(const struct node *node, struct node_refusals *out,
                           Carillon__StatusReply *reply)
{
    size_t count = 0;

    for (int i = IO_REFUSAL_NONE + 1; i < IO_REFUSAL_NR; i++) {
        Carillon__RefusalCount *row = &out->rows[count];

        carillon__refusal_count__init(row);
        row->reason = wire_text(identity_refusal_name((enum io_refusal)i));
        row->count = node->door.refused[i];
        out->list[count++] = row;
    }
    reply->n_refused = count;
    reply->refused = out->list;
    reply->tls_handshakes = node->door.handshakes;
    reply->tls_resumed = node->door.resumed;
    reply->certificate_ends_ms = node->door.ring.node.not_after_ms;
}
