/* Changing DATA/keys: what is due, making it, using it. */
#include <stdio.h>

#include "base/assert.h"
#include "identity/encoding.h"
#include "identity/keyring.h"

enum { PEM_BYTES_MAX = 8 << 10 };

static const uint64_t day_ms = 86400ULL * 1000;

/* A third of its life is left, or less. */
static bool ends_soon(const struct keyring_pair *pair, unsigned days, uint64_t wall_ms)
{
    return pair->not_after_ms < wall_ms + days * day_ms / 3;
}

unsigned keyring_due(const struct keyring *ring, uint64_t wall_ms)
{
    unsigned due = 0;

    if (ring->node.key.pkey == NULL) {
        due |= KEYRING_NODE_KEY | KEYRING_NODE_CERTIFICATE | KEYRING_CARD;
    }
    if (ring->node.certificate.len == 0 ||
        ends_soon(&ring->node, IDENTITY_NODE_DAYS, wall_ms)) {
        due |= KEYRING_NODE_CERTIFICATE;
    }
    if (ring->operator.key.pkey == NULL) {
        due |= KEYRING_OPERATOR_KEY | KEYRING_OPERATOR_CERTIFICATE;
    }
    if (ring->operator.certificate.len == 0 ||
        ends_soon(&ring->operator, IDENTITY_OPERATOR_DAYS, wall_ms)) {
        due |= KEYRING_OPERATOR_CERTIFICATE;
    }
    /* A card of an earlier key was written when the process ended between the two. */
    if (ring->card.epoch == 0 ||
        (ring->node.key.pkey != NULL &&
         memcmp(ring->card.node_key, ring->node.key.bytes, sizeof ring->card.node_key) != 0)) {
        due |= KEYRING_CARD;
    }
    /* The card and the operator's certificate are kept where the root key is. */
    if (ring->is_joined && !ring->has_root_key) {
        due &= KEYRING_NODE_KEY | KEYRING_NODE_CERTIFICATE;
    }
    return ring->has_secret ? due : due | KEYRING_SECRET;
}

void keyring_plan(const struct keyring *ring, unsigned parts, struct keyring_update *ret_update)
{
    *ret_update =
        (struct keyring_update){.ring = ring, .parts = parts, .wall_ms = io_wall_ms(ring->io)};
    io_random(ring->io, &ret_update->random, sizeof ret_update->random);
    buf_init(&ret_update->node.certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&ret_update->operator.certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&ret_update->guest.certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&ret_update->card_bytes, CARD_BYTES_MAX + 1);
}

/* ---- making ---- */

static int fail(struct keyring_update *update, const char *name, int status, const char *what)
{
    (void)snprintf(update->text, sizeof update->text, "%s: %s", name, what);
    return status;
}

static int write_file(struct io *io, struct keyring_update *update, const char *name,
                      const struct buf *bytes)
{
    int rc = keyring__write(io, update->ring->folder, name, buf_slice(bytes));

    return rc == OK ? OK : fail(update, name, rc, error_text(rc));
}

/* The one moment in which the root's private key is in memory. */
static int root_load(struct io *io, struct keyring_update *update, struct identity_key *ret_key)
{
    struct buf pem;

    buf_init(&pem, PEM_BYTES_MAX);
    int rc = keyring__read(io, update->ring->folder, "root.key", &pem);

    rc = rc == OK ? identity_key_from_pem(buf_slice(&pem), ret_key) : rc;
    identity_buf_wipe(&pem);
    if (rc == OK &&
        memcmp(ret_key->bytes, update->ring->root.bytes, sizeof ret_key->bytes) != 0) {
        return fail(update, "root.key", ERR_DAMAGED, "it is not the key of root.crt");
    }
    if (rc == ERR_GONE) {
        return fail(update, "root.key", rc,
                    "it is needed to sign certificates and is not there; put it back");
    }
    return rc == OK ? OK : fail(update, "root.key", rc, error_text(rc));
}

static int make_key(struct io *io, struct keyring_update *update, const char *name,
                    const uint8_t seed[IDENTITY_KEY_BYTES], struct identity_key *ret_key)
{
    struct buf pem;

    buf_init(&pem, PEM_BYTES_MAX);
    int rc = identity_key_make(seed, ret_key);

    rc = rc == OK ? identity_key_to_pem(ret_key, &pem) : rc;
    rc = rc == OK ? write_file(io, update, name, &pem) : rc;
    identity_buf_wipe(&pem);
    return rc;
}

static int make_certificate(struct io *io, struct keyring_update *update, const char *name,
                            const struct identity_certificate_plan *plan,
                            struct keyring_pair *pair)
{
    struct buf pem;

    buf_init(&pem, PEM_BYTES_MAX);
    int rc = identity_certificate_issue(plan, &pair->certificate);

    rc = rc == OK ? identity_certificate_to_pem(buf_slice(&pair->certificate), &pem) : rc;
    rc = rc == OK ? write_file(io, update, name, &pem) : rc;
    buf_fini(&pem);
    pair->not_before_ms = plan->not_before_ms;
    pair->not_after_ms = plan->not_after_ms;
    return rc;
}

/* The key a pair has from now on: the one just made, or the one it had. */
static const struct identity_key *key_of(const struct keyring_pair *made,
                                         const struct keyring_pair *had)
{
    return made->key.pkey != NULL ? &made->key : &had->key;
}

static struct identity_certificate_plan plan_of(const struct keyring_update *update,
                                                const struct identity_key *root, uint32_t role,
                                                unsigned days)
{
    struct identity_certificate_plan plan = {.role = role, .issuer = root};
    uint64_t hour_ms = day_ms / 24;

    memcpy(plan.cluster, update->ring->cluster, sizeof plan.cluster);
    plan.not_before_ms = update->wall_ms > hour_ms ? update->wall_ms - hour_ms : 0;
    plan.not_after_ms = update->wall_ms + days * day_ms;
    return plan;
}

static int make_node_certificate(struct io *io, struct keyring_update *update,
                                 const struct identity_key *root)
{
    char name[2 * IDENTITY_ID_BYTES + 1];
    struct identity_certificate_plan plan =
        plan_of(update, root, IDENTITY_ROLE_NODE, IDENTITY_NODE_DAYS);

    hex_encode(slice_from(update->ring->node_id, IDENTITY_ID_BYTES), name);
    plan.name = name;
    plan.subject = key_of(&update->node, &update->ring->node);
    memcpy(plan.serial, update->random.serials[0], sizeof plan.serial);
    return make_certificate(io, update, "node.crt", &plan, &update->node);
}

static int make_operator_certificate(struct io *io, struct keyring_update *update,
                                     const struct identity_key *root)
{
    struct identity_certificate_plan plan =
        plan_of(update, root, IDENTITY_ROLE_OPERATOR, IDENTITY_OPERATOR_DAYS);

    plan.name = "local";
    plan.subject = key_of(&update->operator, & update->ring->operator);
    memcpy(plan.serial, update->random.serials[1], sizeof plan.serial);
    return make_certificate(io, update, "operator.crt", &plan, &update->operator);
}

static int make_guest_certificate(struct keyring_update *update, const struct identity_key *root)
{
    char name[2 * IDENTITY_ID_BYTES + 1];
    struct identity_key subject = {0};
    struct identity_certificate_plan plan =
        plan_of(update, root, IDENTITY_ROLE_NODE, IDENTITY_NODE_DAYS);
    int rc = identity_key_public(slice_from(update->guest_key, sizeof update->guest_key),
                                 &subject);

    if (rc != OK) {
        return fail(update, "", rc, "the node's key is none");
    }
    hex_encode(slice_from(update->guest_id, IDENTITY_ID_BYTES), name);
    plan.name = name;
    plan.subject = &subject;
    memcpy(plan.serial, update->random.serials[2], sizeof plan.serial);
    rc = identity_certificate_issue(&plan, &update->guest.certificate);
    update->guest.not_before_ms = plan.not_before_ms;
    update->guest.not_after_ms = plan.not_after_ms;
    identity_key_fini(&subject);
    return rc;
}

/* Another node's root key has signed it: it counts if it is what would have been made here. */
static int keep_given_certificate(struct io *io, struct keyring_update *update)
{
    const struct keyring *ring = update->ring;
    struct identity_trust trust = {
        .root = &ring->root, .roles = IDENTITY_ROLE_NODE, .wall_ms = update->wall_ms};
    struct identity_certificate read;
    char name[2 * IDENTITY_ID_BYTES + 1];
    struct buf pem;

    memcpy(trust.cluster, ring->cluster, sizeof trust.cluster);
    hex_encode(slice_from(ring->node_id, IDENTITY_ID_BYTES), name);
    if (identity_certificate_judge(&trust, update->given, &read) != IO_REFUSAL_NONE ||
        strcmp(read.name, name) != 0 ||
        memcmp(read.key, ring->node.key.bytes, sizeof read.key) != 0 ||
        read.not_after_ms <= ring->node.not_after_ms) {
        return fail(update, "node.crt", ERR_MALFORMED,
                    "what was given is no later certificate for this node's key");
    }
    buf_init(&pem, PEM_BYTES_MAX);
    int rc = buf_append_slice(&update->node.certificate, update->given);

    rc = rc == OK ? identity_certificate_to_pem(update->given, &pem) : rc;
    rc = rc == OK ? write_file(io, update, "node.crt", &pem) : rc;
    buf_fini(&pem);
    update->node.not_before_ms = read.not_before_ms;
    update->node.not_after_ms = read.not_after_ms;
    return rc;
}

static int make_card(struct io *io, struct keyring_update *update,
                     const struct identity_key *root)
{
    const struct keyring *ring = update->ring;
    struct card *card = &update->card;

    memcpy(card->cluster, ring->cluster, sizeof card->cluster);
    memcpy(card->root_key, root->bytes, sizeof card->root_key);
    card->is_adopted = ring->is_adopted;
    card->epoch = ring->card.epoch + 1;
    if (ring->card.epoch > 0) {
        identity_hash(buf_slice(&ring->card_bytes), card->previous);
    }
    memcpy(card->node, ring->node_id, sizeof card->node);
    memcpy(card->node_key, key_of(&update->node, &ring->node)->bytes, sizeof card->node_key);
    card->made_ms = update->wall_ms;
    int rc = card_sign(card, root, &update->card_bytes);

    return rc == OK ? write_file(io, update, "card", &update->card_bytes) : rc;
}

int keyring_update_credential(const struct keyring_update *update, const char *address,
                              struct buf *out)
{
    struct keyring face = *update->ring; /* read only: what the file says of the cluster */

    memcpy(face.secret, update->random.secret, sizeof face.secret);
    int rc = keyring_local_credential(&face, address, out);

    identity_wipe(&face, sizeof face);
    return rc;
}

static int make_secret(struct io *io, struct keyring_update *update)
{
    struct buf file;

    buf_init(&file, CREDENTIAL_FILE_BYTES_MAX);
    int rc = keyring_update_credential(update, "", &file);

    rc = rc == OK ? write_file(io, update, "local", &file) : rc;
    identity_buf_wipe(&file);
    return rc;
}

static int make_signed(struct io *io, struct keyring_update *update)
{
    struct identity_key root = {0};
    int rc = root_load(io, update, &root);

    update->has_root_key = rc == OK;
    /* Keys only when there is somebody to sign for them: a key without its certificate would be
     * of no use. */
    if (rc == OK && (update->parts & KEYRING_NODE_KEY) != 0) {
        rc = make_key(io, update, "node.key", update->random.node_seed, &update->node.key);
    }
    if (rc == OK && (update->parts & KEYRING_NODE_CERTIFICATE) != 0) {
        rc = make_node_certificate(io, update, &root);
    }
    if (rc == OK && (update->parts & KEYRING_OPERATOR_KEY) != 0) {
        rc = make_key(io, update, "operator.key", update->random.operator_seed,
                      &update->operator.key);
    }
    if (rc == OK && (update->parts & KEYRING_OPERATOR_CERTIFICATE) != 0) {
        rc = make_operator_certificate(io, update, &root);
    }
    if (rc == OK && (update->parts & KEYRING_GUEST) != 0) {
        rc = make_guest_certificate(update, &root);
    }
    if (rc == OK && (update->parts & KEYRING_CARD) != 0) {
        rc = make_card(io, update, &root);
    }
    identity_key_fini(&root);
    return rc;
}

void keyring_make(struct io *io, struct keyring_update *update)
{
    int rc = OK;

    if ((update->parts & KEYRING_SIGNED) != 0) {
        rc = make_signed(io, update);
    }
    if (rc == OK && (update->parts & KEYRING_GIVEN) != 0) {
        rc = keep_given_certificate(io, update);
    }
    if (rc == OK && (update->parts & KEYRING_SECRET) != 0) {
        rc = make_secret(io, update);
    }
    if (rc != OK && update->text[0] == '\0') {
        (void)fail(update, "", rc, error_text(rc));
    }
    update->status = rc;
}

/* ---- using ---- */

static void take_pair(struct keyring_pair *to, struct keyring_pair *from)
{
    if (from->key.pkey != NULL) {
        identity_key_fini(&to->key);
        to->key = from->key;
        from->key = (struct identity_key){0};
    }
    if (from->certificate.len > 0) {
        buf_fini(&to->certificate);
        to->certificate = from->certificate;
        to->not_before_ms = from->not_before_ms;
        to->not_after_ms = from->not_after_ms;
        from->certificate = (struct buf){0};
    }
}

int keyring_take(struct keyring *ring, struct keyring_update *update)
{
    int status = update->status;

    ASSERT(update->ring == ring);
    if ((update->parts & KEYRING_SIGNED) != 0) {
        ring->has_root_key = update->has_root_key;
    }
    if (status == OK) {
        take_pair(&ring->node, &update->node);
        take_pair(&ring->operator, & update->operator);
        if (update->card.epoch > 0) {
            ring->card = update->card;
            buf_fini(&ring->card_bytes);
            ring->card_bytes = update->card_bytes;
            update->card_bytes = (struct buf){0};
        }
        if ((update->parts & KEYRING_SECRET) != 0) {
            memcpy(ring->secret, update->random.secret, sizeof ring->secret);
            ring->has_secret = true;
        }
    }
    identity_key_fini(&update->node.key);
    identity_key_fini(&update->operator.key);
    buf_fini(&update->node.certificate);
    buf_fini(&update->operator.certificate);
    buf_fini(&update->guest.certificate);
    buf_fini(&update->card_bytes);
    identity_wipe(update, sizeof *update);
    return status;
}
