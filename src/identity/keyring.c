/* Opening DATA/keys: what is there, and whether it fits together. */
#include "identity/keyring.h"

#include <stdio.h>

#include "base/assert.h"

enum { PEM_BYTES_MAX = 8 << 10 };

/* Say which file, and what about it. */
static int say(const struct keyring *ring, struct buf *text, const char *name, int status,
               const char *what)
{
    (void)!buf_append_format(text, "%s/%s: %s", ring->folder, name, what);
    return status;
}

static int say_io(const struct keyring *ring, struct buf *text, const char *name, int status)
{
    return say(ring, text, name, status,
               status == ERR_PERMISSION
                   ? "it must be a plain file that only its owner can read (mode 0600)"
                   : error_text(status));
}

/* ---- one file each ---- */

/* Errors: ERR_GONE; others are said. */
static int read_key(struct keyring *ring, const char *name, struct identity_key *ret_key,
                    struct buf *text)
{
    struct buf pem;

    buf_init(&pem, PEM_BYTES_MAX);
    int rc = keyring__read(ring->io, ring->folder, name, &pem);

    if (rc == OK && identity_key_from_pem(buf_slice(&pem), ret_key) != OK) {
        rc = say(ring, text, name, ERR_DAMAGED, "it does not hold an Ed25519 private key");
    } else if (rc != OK && rc != ERR_GONE) {
        rc = say_io(ring, text, name, rc);
    }
    identity_buf_wipe(&pem);
    return rc;
}

static int read_certificate(struct keyring *ring, const char *name, struct buf *out,
                            struct buf *text)
{
    struct buf pem;

    buf_init(&pem, PEM_BYTES_MAX);
    buf_init(out, IDENTITY_CERTIFICATE_BYTES_MAX);
    int rc = keyring__read(ring->io, ring->folder, name, &pem);

    if (rc == OK && identity_certificate_from_pem(buf_slice(&pem), out) != OK) {
        rc = say(ring, text, name, ERR_DAMAGED, "it does not hold a certificate");
    } else if (rc != OK && rc != ERR_GONE) {
        rc = say_io(ring, text, name, rc);
    }
    buf_fini(&pem);
    return rc;
}

/* ---- the root ---- */

static int root_make_key(struct keyring *ring, struct identity_key *ret_key)
{
    uint8_t seed[IDENTITY_KEY_BYTES];
    struct buf pem;

    io_random(ring->io, seed, sizeof seed);
    int rc = identity_key_make(seed, ret_key);

    identity_wipe(seed, sizeof seed);
    buf_init(&pem, PEM_BYTES_MAX);
    rc = rc == OK ? identity_key_to_pem(ret_key, &pem) : rc;
    rc = rc == OK ? keyring__write(ring->io, ring->folder, "root.key", buf_slice(&pem)) : rc;
    identity_buf_wipe(&pem);
    return rc;
}

static uint64_t hour_before(uint64_t wall_ms)
{
    enum { HOUR_MS = 3600 * 1000 };

    return wall_ms > HOUR_MS ? wall_ms - HOUR_MS : 0;
}

static int root_make_certificate(struct keyring *ring, const struct identity_key *key)
{
    struct identity_certificate_plan plan = {.subject = key, .issuer = key};
    uint64_t now = io_wall_ms(ring->io);
    struct buf pem;

    memcpy(plan.cluster, ring->cluster, sizeof plan.cluster);
    plan.not_before_ms = hour_before(now);
    plan.not_after_ms = now + (uint64_t)IDENTITY_ROOT_DAYS * 86400 * 1000;
    io_random(ring->io, plan.serial, sizeof plan.serial);
    buf_clear(&ring->root_certificate);
    int rc = identity_certificate_issue(&plan, &ring->root_certificate);

    buf_init(&pem, PEM_BYTES_MAX);
    rc = rc == OK ? identity_certificate_to_pem(buf_slice(&ring->root_certificate), &pem) : rc;
    rc = rc == OK ? keyring__write(ring->io, ring->folder, "root.crt", buf_slice(&pem)) : rc;
    buf_fini(&pem);
    return rc;
}

/* The certificate that is there names this root, of this cluster. */
static int root_check(struct keyring *ring, const struct identity_key *key, struct buf *text)
{
    struct identity_certificate read;
    struct identity_key root = {0};
    int rc = identity_certificate_read_root(buf_slice(&ring->root_certificate), &root, &read);

    if (rc != OK) {
        return say(ring, text, "root.crt", ERR_DAMAGED, "it is not a root certificate");
    }
    if (key->pkey != NULL && memcmp(key->bytes, root.bytes, sizeof root.bytes) != 0) {
        rc = say(ring, text, "root.key", ERR_DAMAGED, "it is not the key of root.crt");
    } else if (memcmp(read.cluster, ring->cluster, sizeof read.cluster) != 0) {
        rc = say(ring, text, "root.crt", ERR_DAMAGED,
                 "it belongs to another cluster than this data folder");
    }
    identity_key_fini(&ring->root);
    ring->root = root;
    return rc;
}

/* Whether there was a root here once: a card says so. */
static bool has_card(struct keyring *ring)
{
    struct buf bytes;

    buf_init(&bytes, CARD_BYTES_MAX + 1);
    int rc = keyring__read(ring->io, ring->folder, "card", &bytes);

    buf_fini(&bytes);
    return rc != ERR_GONE;
}

/* Whether the folder may be given a root of its own. */
static int root_may_make(struct keyring *ring, enum keyring_start start, struct buf *text)
{
    struct identity_key node = {0};

    if (start == KEYRING_JOINED || (start == KEYRING_FOUND && has_card(ring))) {
        return say(ring, text, "root.crt", ERR_DAMAGED,
                   "the cluster's root is lost; put root.crt (and root.key) back");
    }
    int rc = start == KEYRING_NEW ? read_key(ring, "node.key", &node, text) : ERR_GONE;

    identity_key_fini(&node);
    if (rc == OK) {
        return say(ring, text, "node.key", ERR_CONFIG,
                   "this folder began to join a cluster and did not come to the end; start with "
                   "--join and the invite again, or with an empty folder");
    }
    return rc == ERR_GONE ? OK : rc;
}

static int root_settle(struct keyring *ring, struct identity_key *key, enum keyring_start start,
                       uint8_t cluster[IDENTITY_ID_BYTES], struct buf *text)
{
    bool is_new = start == KEYRING_NEW;
    uint8_t of_key[IDENTITY_ID_BYTES] = {0};
    int rc = read_key(ring, "root.key", key, text);
    int certificate_rc = OK;

    if (rc == OK || rc == ERR_GONE) {
        certificate_rc = read_certificate(ring, "root.crt", &ring->root_certificate, text);
    }
    if ((rc != OK && rc != ERR_GONE) || (certificate_rc != OK && certificate_rc != ERR_GONE)) {
        return rc != OK && rc != ERR_GONE ? rc : certificate_rc;
    }
    if (rc == ERR_GONE && (certificate_rc == ERR_GONE || is_new)) {
        rc = root_may_make(ring, start, text);
        if (rc != OK) {
            return rc;
        }
        rc = root_make_key(ring, key);
        certificate_rc = ERR_GONE;
        if (rc != OK) {
            return say_io(ring, text, "root.key", rc);
        }
    }
    ring->has_root_key = key->pkey != NULL;
    if (ring->has_root_key) {
        identity_cluster_id(key, of_key);
    }
    if (is_new) {
        memcpy(cluster, of_key, sizeof of_key); /* nobody was told another one */
    }
    memcpy(ring->cluster, cluster, sizeof ring->cluster);
    if (certificate_rc == ERR_GONE) {
        rc = root_make_certificate(ring, key);
        if (rc != OK) {
            return say_io(ring, text, "root.crt", rc);
        }
    }
    return root_check(ring, key, text);
}

/* ---- the local secret ---- */

static int read_secret(struct keyring *ring, struct buf *text)
{
    struct credential local;
    struct buf file;

    credential_init(&local);
    buf_init(&file, CREDENTIAL_FILE_BYTES_MAX);
    int rc = keyring__read(ring->io, ring->folder, "local", &file);

    if (rc == OK && (credential_decode(buf_slice(&file), &local) != OK ||
                     local.kind != CREDENTIAL_KIND_LOCAL)) {
        rc = say(ring, text, "local", ERR_DAMAGED,
                 "it is not a local credential; remove it to have another one made");
    } else if (rc == OK) {
        memcpy(ring->secret, local.secret, sizeof ring->secret);
        ring->has_secret = true;
    } else {
        rc = rc == ERR_GONE ? OK : say_io(ring, text, "local", rc);
    }
    identity_buf_wipe(&file);
    credential_fini(&local);
    return rc;
}

static int make(struct keyring *ring, unsigned parts, struct buf *text)
{
    struct keyring_update update;

    keyring_plan(ring, parts, &update);
    keyring_make(ring->io, &update);
    if (update.status != OK) {
        (void)!buf_append_format(text, "%s/%s", ring->folder, update.text);
    }
    return keyring_take(ring, &update);
}

int keyring_open(struct keyring *ring, struct io *io, const char *data_folder,
                 enum keyring_start start, uint8_t cluster[IDENTITY_ID_BYTES], struct buf *text)
{
    struct identity_key key = {0};
    uint8_t of_key[IDENTITY_ID_BYTES];

    *ring = (struct keyring){.io = io, .is_joined = start == KEYRING_JOINED};
    buf_init(&ring->root_certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&ring->card_bytes, CARD_BYTES_MAX + 1);
    buf_init(&ring->node.certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&ring->operator.certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    int len = snprintf(ring->folder, sizeof ring->folder, "%s/keys", data_folder);

    ASSERT(len > 0 && (size_t)len < sizeof ring->folder);
    int rc = io_folder_make(io, ring->folder);

    if (rc != OK) {
        return say_io(ring, text, "", rc);
    }
    rc = root_settle(ring, &key, start, cluster, text);
    if (rc == OK) {
        identity_cluster_id(&ring->root, of_key);
        ring->is_adopted = memcmp(of_key, ring->cluster, sizeof of_key) != 0;
    }
    identity_key_fini(&key);
    rc = rc == OK ? read_secret(ring, text) : rc;
    return rc == OK && !ring->has_secret ? make(ring, KEYRING_SECRET, text) : rc;
}

/* ---- the node ---- */

/* A pair's files; what is missing or does not fit is left out and made anew. */
static int read_pair(struct keyring *ring, const char *key_name, const char *certificate_name,
                     uint32_t role, struct keyring_pair *pair, struct buf *text)
{
    struct identity_certificate read;
    int rc = read_key(ring, key_name, &pair->key, text);

    if (rc == ERR_GONE) {
        return OK;
    }
    rc = rc == OK ? read_certificate(ring, certificate_name, &pair->certificate, text) : rc;
    if (rc != OK) {
        return rc == ERR_GONE ? OK : rc;
    }
    enum io_refusal refusal =
        identity_certificate_read(buf_slice(&pair->certificate), &ring->root, &read);

    if (refusal != IO_REFUSAL_NONE || read.role != role ||
        memcmp(read.cluster, ring->cluster, sizeof read.cluster) != 0 ||
        memcmp(read.key, pair->key.bytes, sizeof read.key) != 0) {
        buf_clear(&pair->certificate);
        return OK;
    }
    pair->not_before_ms = read.not_before_ms;
    pair->not_after_ms = read.not_after_ms;
    return OK;
}

static int read_card(struct keyring *ring, struct buf *text)
{
    struct card card;
    int rc = keyring__read(ring->io, ring->folder, "card", &ring->card_bytes);

    if (rc == ERR_GONE) {
        return OK;
    }
    if (rc != OK) {
        return say_io(ring, text, "card", rc);
    }
    if (card_read(buf_slice(&ring->card_bytes), &card) != OK ||
        memcmp(card.root_key, ring->root.bytes, sizeof card.root_key) != 0 ||
        memcmp(card.cluster, ring->cluster, sizeof card.cluster) != 0) {
        return say(ring, text, "card", ERR_DAMAGED, "it is not this cluster's card");
    }
    ring->card = card;
    return OK;
}

/* Make what is missing. What only ends soon can wait for the root key to come back. */
static int make_missing(struct keyring *ring, struct buf *text)
{
    uint64_t now = io_wall_ms(ring->io);
    unsigned due = keyring_due(ring, now);
    bool node_is_good = ring->node.certificate.len > 0 && ring->node.not_after_ms > now;

    if (due == 0) {
        return OK;
    }
    if (!ring->has_root_key && node_is_good && ring->card.epoch > 0) {
        due &= ~(unsigned)(KEYRING_SIGNED | KEYRING_OPERATOR_KEY);
    }
    return make(ring, due, text);
}

int keyring_open_node(struct keyring *ring, const uint8_t node_id[IDENTITY_ID_BYTES],
                      struct buf *text)
{
    memcpy(ring->node_id, node_id, sizeof ring->node_id);
    int rc = read_pair(ring, "node.key", "node.crt", IDENTITY_ROLE_NODE, &ring->node, text);

    rc = rc == OK ? read_pair(ring, "operator.key", "operator.crt", IDENTITY_ROLE_OPERATOR,
                              &ring->operator, text)
                  : rc;
    rc = rc == OK ? read_card(ring, text) : rc;
    return rc == OK ? make_missing(ring, text) : rc;
}

static void pair_fini(struct keyring_pair *pair)
{
    identity_key_fini(&pair->key);
    buf_fini(&pair->certificate);
}

void keyring_fini(struct keyring *ring)
{
    identity_key_fini(&ring->root);
    buf_fini(&ring->root_certificate);
    buf_fini(&ring->card_bytes);
    pair_fini(&ring->node);
    pair_fini(&ring->operator);
    identity_wipe(ring, sizeof *ring);
}

int keyring_local_credential(const struct keyring *ring, const char *address, struct buf *out)
{
    struct credential local;

    credential_init(&local);
    local.kind = CREDENTIAL_KIND_LOCAL;
    (void)snprintf(local.address, sizeof local.address, "%s", address);
    memcpy(local.cluster, ring->cluster, sizeof local.cluster);
    identity_fingerprint(&ring->root, local.root);
    memcpy(local.secret, ring->secret, sizeof local.secret);
    int rc = buf_append_slice(&local.root_certificate, buf_slice(&ring->root_certificate));

    rc = rc == OK ? credential_encode(&local, out) : rc;
    credential_fini(&local);
    return rc;
}
