#include "identity/card.h"

#include "proto/identity.pb-c.h"
#include "wire/message.h"

enum { PROTOCOL_VERSION = 1 };

/* What the signature stands under besides the card, so that it can be taken for nothing else.
 */
static const char domain[] = "carillon card 1\n";

static int signed_text(struct slice card, struct buf *out)
{
    int rc = buf_append(out, domain, sizeof domain - 1);

    return rc == OK ? buf_append_slice(out, card) : rc;
}

static int pack_card(const struct card *card, struct buf *out)
{
    Carillon__Card message = CARILLON__CARD__INIT;
    Carillon__CardNode node = CARILLON__CARD_NODE__INIT;
    Carillon__CardNode *nodes[] = {&node};

    node.node_id = wire_binary(slice_from(card->node, sizeof card->node));
    node.key = wire_binary(slice_from(card->node_key, sizeof card->node_key));
    message.format = CARD_FORMAT;
    message.cluster_id = wire_binary(slice_from(card->cluster, sizeof card->cluster));
    message.root_key = wire_binary(slice_from(card->root_key, sizeof card->root_key));
    message.adopted = card->is_adopted;
    message.epoch = card->epoch;
    if (card->epoch > 1) {
        message.previous = wire_binary(slice_from(card->previous, sizeof card->previous));
    }
    message.n_nodes = 1;
    message.nodes = nodes;
    message.protocol_min = PROTOCOL_VERSION;
    message.protocol_max = PROTOCOL_VERSION;
    message.made_ms = card->made_ms;
    return wire_pack(&message.base, out);
}

int card_sign(const struct card *card, const struct identity_key *root, struct buf *out)
{
    Carillon__SignedCard message = CARILLON__SIGNED_CARD__INIT;
    uint8_t signature[IDENTITY_SIGNATURE_BYTES];
    struct buf bytes;
    struct buf text;

    buf_init(&bytes, CARD_BYTES_MAX);
    buf_init(&text, CARD_BYTES_MAX + sizeof domain);
    int rc = pack_card(card, &bytes);

    rc = rc == OK ? signed_text(buf_slice(&bytes), &text) : rc;
    if (rc == OK) {
        identity_key_sign(root, buf_slice(&text), signature);
        message.card = wire_binary(buf_slice(&bytes));
        message.signature = wire_binary(slice_from(signature, sizeof signature));
        rc = wire_pack(&message.base, out);
    }
    buf_fini(&bytes);
    buf_fini(&text);
    return rc;
}

static int take_bytes(ProtobufCBinaryData from, uint8_t *to, size_t len)
{
    if (from.len != len) {
        return ERR_MALFORMED;
    }
    if (len > 0) {
        memcpy(to, from.data, len);
    }
    return OK;
}

static int take_card(const Carillon__Card *message, struct card *card)
{
    if (message->format != CARD_FORMAT) {
        return ERR_VERSION;
    }
    if (message->epoch == 0 || message->n_nodes < 1 || message->n_nodes > CARD_NODES_MAX) {
        return ERR_MALFORMED;
    }
    int rc = take_bytes(message->cluster_id, card->cluster, sizeof card->cluster);

    rc = rc == OK ? take_bytes(message->root_key, card->root_key, sizeof card->root_key) : rc;
    rc = rc == OK ? take_bytes(message->previous, card->previous,
                               message->epoch == 1 ? 0 : sizeof card->previous)
                  : rc;
    rc = rc == OK ? take_bytes(message->nodes[0]->node_id, card->node, sizeof card->node) : rc;
    rc = rc == OK ? take_bytes(message->nodes[0]->key, card->node_key, sizeof card->node_key)
                  : rc;
    card->is_adopted = message->adopted;
    card->epoch = message->epoch;
    card->made_ms = message->made_ms;
    return rc;
}

/* The key that is to have signed is inside what was signed: the id ties it to the cluster. */
static int check_signature(const struct card *card, struct slice bytes, struct slice signature)
{
    struct identity_key root = {0};
    struct buf text;
    uint8_t id[IDENTITY_ID_BYTES];
    int rc = identity_key_public(slice_from(card->root_key, sizeof card->root_key), &root);

    if (rc != OK) {
        return rc;
    }
    buf_init(&text, CARD_BYTES_MAX + sizeof domain);
    rc = signed_text(bytes, &text);
    identity_cluster_id(&root, id);
    if (rc == OK && (!identity_key_verify(&root, buf_slice(&text), signature) ||
                     (!card->is_adopted && memcmp(id, card->cluster, sizeof id) != 0))) {
        rc = ERR_MALFORMED;
    }
    identity_key_fini(&root);
    buf_fini(&text);
    return rc;
}

int card_read(struct slice bytes, struct card *ret_card)
{
    struct arena scratch;
    struct card card = {0};
    int rc = ERR_MALFORMED;

    if (bytes.len > CARD_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    arena_init(&scratch, 4 * (uint64_t)CARD_BYTES_MAX);
    const Carillon__SignedCard *outer =
        wire_unpack(&carillon__signed_card__descriptor, bytes, &scratch);
    const Carillon__Card *inner =
        outer == NULL
            ? NULL
            : wire_unpack(&carillon__card__descriptor, wire_bytes(outer->card), &scratch);

    if (inner != NULL) {
        rc = take_card(inner, &card);
        rc = rc == OK
                 ? check_signature(&card, wire_bytes(outer->card), wire_bytes(outer->signature))
                 : rc;
    }
    arena_fini(&scratch);
    if (rc == OK) {
        *ret_card = card;
    }
    return rc;
}
