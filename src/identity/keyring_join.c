#include "identity/keyring_join.h"

#include <stdio.h>

#include "base/assert.h"
#include "identity/encoding.h"

enum { PEM_BYTES_MAX = 8 << 10, MARK_BYTES_MAX = 512, SHARDS_MAX = 63 };

static const char invite_prefix[] = "carillon-invite:";
static const char mark_head[] = "carillon-joined 1";

void keyring_join_id(const uint8_t key[IDENTITY_KEY_BYTES], uint8_t ret_id[IDENTITY_ID_BYTES])
{
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];

    identity_hash(slice_from(key, IDENTITY_KEY_BYTES), fingerprint);
    memcpy(ret_id, fingerprint, IDENTITY_ID_BYTES);
}

/* ---- the invite ---- */

/* Cut what follows the last colon. */
static bool cut_last(struct slice *text, struct slice *ret_part)
{
    size_t at = text->len;

    while (at > 0 && text->data[at - 1] != ':') {
        at--;
    }
    if (at == 0) {
        return false;
    }
    *ret_part = slice_sub(*text, at, SIZE_MAX);
    text->len = at - 1;
    return true;
}

int keyring_invite_parse(const char *text, struct keyring_invite *ret_invite)
{
    struct slice rest = slice_from_text(text);
    size_t prefix = sizeof invite_prefix - 1;
    struct slice secret;
    struct slice root;

    if (strncmp(text, invite_prefix, prefix) != 0) {
        return ERR_MALFORMED;
    }
    rest = slice_sub(rest, prefix, SIZE_MAX);
    if (!cut_last(&rest, &secret) || !cut_last(&rest, &root) || rest.len == 0 ||
        rest.len > CREDENTIAL_ADDRESS_BYTES_MAX ||
        hex_decode(root, ret_invite->root, sizeof ret_invite->root) != OK ||
        hex_decode(secret, ret_invite->secret, sizeof ret_invite->secret) != OK) {
        return ERR_MALFORMED;
    }
    memcpy(ret_invite->address, rest.data, rest.len);
    ret_invite->address[rest.len] = '\0';
    return OK;
}

/* ---- files ---- */

static void folder_of(const char *data_folder, char ret_folder[KEYRING_PATH_BYTES])
{
    int len = snprintf(ret_folder, KEYRING_PATH_BYTES, "%s/keys", data_folder);

    ASSERT(len > 0 && len < KEYRING_PATH_BYTES);
}

static int say(struct buf *text, const char *folder, const char *name, int status)
{
    (void)!buf_append_format(
        text, "%s/%s: %s", folder, name,
        status == ERR_PERMISSION
            ? "it must be a plain file that only its owner can read (mode 0600)"
            : error_text(status));
    return status;
}

/* Errors: ERR_GONE; others are said. */
static int read_file(struct io *io, const char *folder, const char *name, struct buf *out,
                     struct buf *text)
{
    int rc = keyring__read(io, folder, name, out);

    return rc == OK || rc == ERR_GONE ? rc : say(text, folder, name, rc);
}

static int write_file(struct io *io, const char *folder, const char *name, struct slice bytes,
                      struct buf *text)
{
    int rc = keyring__write(io, folder, name, bytes);

    return rc == OK ? OK : say(text, folder, name, rc);
}

/* ---- the mark ---- */

static bool take_line(struct slice *rest, const char *name, struct slice *ret_value)
{
    struct slice line;
    size_t len = strlen(name);

    if (!slice_cut(*rest, '\n', &line, rest) || line.len < len ||
        memcmp(line.data, name, len) != 0) {
        return false;
    }
    *ret_value = slice_sub(line, len, SIZE_MAX);
    return true;
}

static int mark_decode(struct slice bytes, struct keyring_joined *ret_joined)
{
    struct slice value;
    uint64_t shards = 0;
    bool is_well = take_line(&bytes, mark_head, &value) && value.len == 0 &&
                   take_line(&bytes, "cluster ", &value) &&
                   hex_decode(value, ret_joined->cluster, sizeof ret_joined->cluster) == OK &&
                   take_line(&bytes, "node ", &value) &&
                   hex_decode(value, ret_joined->node, sizeof ret_joined->node) == OK &&
                   take_line(&bytes, "shards ", &value) &&
                   slice_parse_u64(value, SHARDS_MAX, &shards) == OK;

    ret_joined->shards = (uint32_t)shards;
    return is_well && shards > 0 ? OK : ERR_DAMAGED;
}

static int mark_encode(const struct keyring_joined *joined, struct buf *out)
{
    char cluster[2 * IDENTITY_ID_BYTES + 1];
    char node[2 * IDENTITY_ID_BYTES + 1];

    hex_encode(slice_from(joined->cluster, sizeof joined->cluster), cluster);
    hex_encode(slice_from(joined->node, sizeof joined->node), node);
    return buf_append_format(out, "%s\ncluster %s\nnode %s\nshards %u\n", mark_head, cluster,
                             node, joined->shards);
}

int keyring_joined_read(struct io *io, const char *data_folder,
                        struct keyring_joined *ret_joined, struct buf *text)
{
    char folder[KEYRING_PATH_BYTES];
    struct buf file;

    folder_of(data_folder, folder);
    buf_init(&file, MARK_BYTES_MAX);
    int rc = read_file(io, folder, "joined", &file, text);

    if (rc == OK) {
        rc = mark_decode(buf_slice(&file), ret_joined);
        rc = rc == OK ? OK : say(text, folder, "joined", rc);
    }
    buf_fini(&file);
    return rc;
}

/* ---- the key ---- */

static int make_key(struct io *io, const char *folder, struct identity_key *ret_key,
                    struct buf *text)
{
    uint8_t seed[IDENTITY_KEY_BYTES];
    struct buf pem;

    io_random(io, seed, sizeof seed);
    int rc = identity_key_make(seed, ret_key);

    identity_wipe(seed, sizeof seed);
    buf_init(&pem, PEM_BYTES_MAX);
    rc = rc == OK ? identity_key_to_pem(ret_key, &pem) : rc;
    rc = rc == OK ? write_file(io, folder, "node.key", buf_slice(&pem), text) : rc;
    identity_buf_wipe(&pem);
    return rc;
}

int keyring_join_key(struct io *io, const char *data_folder, struct identity_key *ret_key,
                     struct buf *text)
{
    char folder[KEYRING_PATH_BYTES];
    struct buf pem;

    folder_of(data_folder, folder);
    buf_init(&pem, PEM_BYTES_MAX);
    int rc = io_folder_make(io, folder);

    rc = rc == OK ? OK : say(text, folder, "", rc);
    rc = rc == OK ? read_file(io, folder, "root.key", &pem, text) : rc;
    if (rc == OK) {
        (void)!buf_append_format(text,
                                 "%s/root.key: this folder began as a cluster of its own; to "
                                 "join another, start with an empty folder",
                                 folder);
        rc = ERR_EXISTS;
    }
    identity_buf_wipe(&pem);
    if (rc != ERR_GONE) {
        return rc;
    }
    buf_init(&pem, PEM_BYTES_MAX);
    rc = read_file(io, folder, "node.key", &pem, text);
    if (rc == OK && identity_key_from_pem(buf_slice(&pem), ret_key) != OK) {
        rc = say(text, folder, "node.key", ERR_DAMAGED);
    }
    identity_buf_wipe(&pem);
    return rc == ERR_GONE ? make_key(io, folder, ret_key, text) : rc;
}

int keyring_join_root(struct io *io, const char *data_folder,
                      uint8_t ret_fingerprint[IDENTITY_FINGERPRINT_BYTES], struct buf *text)
{
    char folder[KEYRING_PATH_BYTES];
    struct identity_key root = {0};
    struct buf pem;
    struct buf der;

    folder_of(data_folder, folder);
    buf_init(&pem, PEM_BYTES_MAX);
    buf_init(&der, IDENTITY_CERTIFICATE_BYTES_MAX);
    int rc = read_file(io, folder, "root.crt", &pem, text);

    if (rc == OK && (identity_certificate_from_pem(buf_slice(&pem), &der) != OK ||
                     identity_certificate_root_key(buf_slice(&der), &root) != OK)) {
        rc = say(text, folder, "root.crt", ERR_DAMAGED);
    }
    if (rc == OK) {
        identity_fingerprint(&root, ret_fingerprint);
    }
    identity_key_fini(&root);
    buf_fini(&pem);
    buf_fini(&der);
    return rc;
}

/* ---- the answer ---- */

static int check_card(const struct keyring_answer *answer, const struct identity_key *root)
{
    struct card card;

    return card_read(answer->card, &card) == OK &&
                   memcmp(card.root_key, root->bytes, sizeof card.root_key) == 0 &&
                   memcmp(card.cluster, answer->joined.cluster, sizeof card.cluster) == 0
               ? OK
               : ERR_MALFORMED;
}

static int check_node(const struct keyring_answer *answer, const struct identity_key *key,
                      const struct identity_key *root, uint64_t wall_ms)
{
    struct identity_trust trust = {
        .root = root, .roles = IDENTITY_ROLE_NODE, .wall_ms = wall_ms};
    struct identity_certificate read;
    char name[2 * IDENTITY_ID_BYTES + 1];

    hex_encode(slice_from(answer->joined.node, IDENTITY_ID_BYTES), name);
    memcpy(trust.cluster, answer->joined.cluster, sizeof trust.cluster);
    return identity_certificate_judge(&trust, answer->node_certificate, &read) ==
                       IO_REFUSAL_NONE &&
                   memcmp(read.key, key->bytes, sizeof read.key) == 0 &&
                   strcmp(read.name, name) == 0
               ? OK
               : ERR_MALFORMED;
}

int keyring_join_check(struct keyring_answer *answer, const struct identity_key *key,
                       const uint8_t root[IDENTITY_FINGERPRINT_BYTES], uint64_t wall_ms)
{
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];
    struct identity_certificate read;
    struct identity_key own = {0};
    int rc = identity_certificate_read_root(answer->root_certificate, &own, &read);

    if (rc != OK) {
        return ERR_MALFORMED;
    }
    identity_fingerprint(&own, fingerprint);
    keyring_join_id(key->bytes, answer->joined.node);
    if (memcmp(fingerprint, root, sizeof fingerprint) != 0) {
        rc = ERR_UNAUTHENTICATED;
    } else if (memcmp(read.cluster, answer->joined.cluster, sizeof read.cluster) != 0 ||
               answer->joined.shards == 0 || answer->joined.shards > SHARDS_MAX) {
        rc = ERR_MALFORMED;
    }
    rc = rc == OK ? check_node(answer, key, &own, wall_ms) : rc;
    rc = rc == OK ? check_card(answer, &own) : rc;
    identity_key_fini(&own);
    return rc;
}

static int write_certificate(struct io *io, const char *folder, const char *name,
                             struct slice der, struct buf *text)
{
    struct buf pem;

    buf_init(&pem, PEM_BYTES_MAX);
    int rc = identity_certificate_to_pem(der, &pem);

    rc = rc == OK ? write_file(io, folder, name, buf_slice(&pem), text) : rc;
    buf_fini(&pem);
    return rc;
}

int keyring_join_keep(struct io *io, const char *data_folder,
                      const struct keyring_answer *answer, struct buf *text)
{
    char folder[KEYRING_PATH_BYTES];
    struct buf mark;

    folder_of(data_folder, folder);
    buf_init(&mark, MARK_BYTES_MAX);
    int rc = mark_encode(&answer->joined, &mark);

    rc = rc == OK ? write_certificate(io, folder, "root.crt", answer->root_certificate, text)
                  : rc;
    rc = rc == OK ? write_certificate(io, folder, "node.crt", answer->node_certificate, text)
                  : rc;
    rc = rc == OK ? write_file(io, folder, "card", answer->card, text) : rc;
    rc = rc == OK ? write_file(io, folder, "joined", buf_slice(&mark), text) : rc;
    buf_fini(&mark);
    return rc;
}
