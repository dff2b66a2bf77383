/* Who we are to a node, and how we know that it is the one: docs/spec/identity.md sections 6
 * and 7. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "client/client_private.h"
#include "identity/credential.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

enum { PATH_BYTES = 512, RUNTIME_FOLDERS = 3 };

/* ---- where it is ---- */

/* Errors: ERR_GONE it is not there; ERR_PERMISSION; ERR_MALFORMED; ERR_IO. */
static int read_file(struct carillon_client *client, const char *path, struct buf *out)
{
    struct io_file *file = NULL;
    size_t len = 0;
    int rc = io_file_open(client->io, path, IO_OPEN_PRIVATE, &file);

    if (rc != OK) {
        return rc;
    }
    rc = buf_reserve(out, CREDENTIAL_FILE_BYTES_MAX);
    rc = rc == OK
             ? io_file_read(client->io, file, 0, out->data, CREDENTIAL_FILE_BYTES_MAX, &len)
             : rc;
    io_file_close(client->io, file);
    out->len = rc == OK ? len : 0;
    return rc;
}

/* Where `carillon login` puts the one for the node at @peer. */
static int login_path(const struct client_peer *peer, char *out, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n = -1;

    if (config != NULL && config[0] == '/') {
        n = snprintf(out, size, "%s/carillon/credentials/%s_%u", config, peer->address,
                     peer->port);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, size, "%s/.config/carillon/credentials/%s_%u", home, peer->address,
                     peer->port);
    }
    if (n < 0 || (size_t)n >= size) {
        return ERR_GONE;
    }
    for (char *c = strrchr(out, '/'); *c != '\0'; c++) {
        if (*c == ':') {
            *c = '.';
        }
    }
    return OK;
}

int carillon_login_path(const struct carillon_client *client, char *out, size_t size)
{
    return login_path(&client->peers[0], out, size);
}

/* The @number-th place for the local credential. */
static bool runtime_path(const struct client_peer *peer, int number, char out[PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    switch (number) {
    case 0:
        out[0] = '\0';
        return runtime != NULL && runtime[0] == '/' &&
               snprintf(out, PATH_BYTES, "%s/carillon/%u", runtime, peer->port) < PATH_BYTES;
    case 1:
        return snprintf(out, PATH_BYTES, "/run/carillon/%u", peer->port) < PATH_BYTES;
    default:
        return snprintf(out, PATH_BYTES, "/tmp/carillon-%u/%u", (unsigned)geteuid(),
                        peer->port) < PATH_BYTES;
    }
}

/* Errors: ERR_GONE nothing is anywhere. */
static int find_own(struct client_peer *peer, char path[PATH_BYTES], struct buf *out)
{
    int rc = ERR_GONE;

    if (login_path(peer, path, PATH_BYTES) == OK) {
        rc = read_file(peer->client, path, out);
    }
    for (int i = 0;
         rc == ERR_GONE && client__address_is_loopback(peer->address) && i < RUNTIME_FOLDERS;
         i++) {
        rc = runtime_path(peer, i, path) ? read_file(peer->client, path, out) : ERR_GONE;
    }
    return rc;
}

/* Whether the text is that of a local credential, which is of the node that was given and of no
 * other. */
static bool is_local(struct slice text)
{
    struct credential credential;

    credential_init(&credential);
    bool is =
        credential_decode(text, &credential) == OK && credential.kind == CREDENTIAL_KIND_LOCAL;
    credential_fini(&credential);
    return is;
}

/* The one of another address: it opens any node of its cluster, and its pin says whether this
 * is one. Not a local one. Errors: ERR_GONE there is none; as read_file. */
static int find_of_others(struct client_peer *peer, char path[PATH_BYTES], struct buf *out)
{
    struct carillon_client *client = peer->client;
    int rc = ERR_GONE;

    for (uint32_t i = 0; rc == ERR_GONE && i < client->given_count; i++) {
        const struct client_peer *other = &client->peers[i];
        char its[PATH_BYTES];

        if (other == peer || login_path(other, its, PATH_BYTES) != OK) {
            continue;
        }
        rc = read_file(client, its, out);
        if (rc == OK && is_local(buf_slice(out))) {
            buf_clear(out);
            rc = ERR_GONE;
        }
        if (rc != ERR_GONE) {
            memcpy(path, its, sizeof its);
        }
    }
    return rc;
}

/* Errors: ERR_GONE nothing is anywhere. */
static int find_file(struct client_peer *peer, char path[PATH_BYTES], struct buf *out)
{
    struct carillon_client *client = peer->client;
    int rc;

    if (client->credential_path[0] != '\0') {
        (void)snprintf(path, PATH_BYTES, "%s", client->credential_path);
        rc = read_file(client, path, out);
        if (rc != OK || peer->is_given || !is_local(buf_slice(out))) {
            return rc;
        }
        buf_clear(out);
    }
    rc = find_own(peer, path, out);
    return rc == ERR_GONE ? find_of_others(peer, path, out) : rc;
}

/* ---- TLS ---- */

/* Somebody who logs in knows the root's fingerprint, and by it learns the cluster's id. */
static void learn_cluster(struct credential *own, struct slice certificate,
                          const struct identity_key *root)
{
    static const uint8_t unknown[IDENTITY_ID_BYTES];
    struct identity_certificate read;

    if (memcmp(own->cluster, unknown, sizeof unknown) == 0 &&
        identity_certificate_read(certificate, root, &read) == IO_REFUSAL_NONE) {
        memcpy(own->cluster, read.cluster, sizeof own->cluster);
    }
}

/* The node's certificate must be a node's of the pinned cluster. The root's own comes from the
 * credential, or, known by its fingerprint, from the node. */
static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    struct client_peer *peer = context;
    struct credential *own = &peer->credential;
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];
    struct identity_certificate read;
    struct identity_key root = {0};
    struct identity_trust trust = {
        .root = &root, .roles = IDENTITY_ROLE_NODE, .wall_ms = io_wall_ms(peer->client->io)};
    struct slice from =
        own->root_certificate.len > 0 ? buf_slice(&own->root_certificate) : issuer;

    if (identity_certificate_root_key(from, &root) != OK) {
        return IO_REFUSAL_OTHER_CA;
    }
    identity_fingerprint(&root, fingerprint);
    enum io_refusal refusal = IO_REFUSAL_OTHER_CA;

    if (memcmp(fingerprint, own->root, sizeof fingerprint) == 0) {
        learn_cluster(own, certificate, &root);
        memcpy(trust.cluster, own->cluster, sizeof trust.cluster);
        refusal = identity_certificate_judge(&trust, certificate, &read);
    }
    if (refusal == IO_REFUSAL_NONE) {
        ret_peer->role = read.role;
        memcpy(ret_peer->name, read.name, sizeof ret_peer->name);
        if (own->root_certificate.len == 0) {
            (void)!buf_append_slice(&own->root_certificate, issuer); /* for saving */
        }
    }
    identity_key_fini(&root);
    return refusal;
}

static int tls_make(struct client_peer *peer)
{
    struct credential *own = &peer->credential;
    struct io_tls_options options = {
        .certificate = buf_slice(&own->certificate),
        .key = buf_slice(&own->key),
        .verify = verify,
        .context = peer,
    };

    return io_tls_create(peer->client->io, &options, &peer->tls);
}

/* ---- loading ---- */

void client__credential_forget(struct client_peer *peer)
{
    io_tls_destroy(peer->client->io, peer->tls);
    peer->tls = NULL;
    credential_fini(&peer->credential);
    credential_init(&peer->credential);
    peer->credential_hash = 0;
}

static int take(struct client_peer *peer, const char *path, struct slice text)
{
    struct carillon_client *client = peer->client;
    uint64_t hash = hash_slice(text);

    if (hash == peer->credential_hash) {
        return OK; /* as before, and sessions to be resumed with it */
    }
    client__credential_forget(peer);
    int rc = credential_decode(text, &peer->credential);

    if (rc == OK && peer->credential.kind != CREDENTIAL_KIND_LOCAL) {
        rc = tls_make(peer);
    }
    if (rc != OK) {
        client__credential_forget(peer);
        (void)snprintf(client->credential_text, sizeof client->credential_text,
                       "%.300s: this is no credential file that could be used", path);
        return ERR_UNAUTHENTICATED;
    }
    peer->credential_hash = hash;
    return OK;
}

/* A client that has been greeted belongs to that cluster: a request it repeats must not become
 * another cluster's. Errors: ERR_UNAUTHENTICATED. */
static int check_cluster(struct carillon_client *client, struct slice cluster)
{
    if (!client->has_cluster ||
        slice_is_equal(cluster, slice_from(client->cluster, sizeof client->cluster))) {
        return OK;
    }
    (void)snprintf(client->credential_text, sizeof client->credential_text,
                   "another cluster is there than the one that this client speaks with");
    return ERR_UNAUTHENTICATED;
}

static int check_own(struct client_peer *peer)
{
    static const uint8_t unknown[IDENTITY_ID_BYTES];
    const struct credential *own = &peer->credential;

    return own->kind == CREDENTIAL_KIND_NONE ||
                   memcmp(own->cluster, unknown, sizeof unknown) == 0
               ? OK
               : check_cluster(peer->client, slice_from(own->cluster, sizeof own->cluster));
}

int client__credential_load(struct client_peer *peer)
{
    struct carillon_client *client = peer->client;
    bool is_loopback = client__address_is_loopback(peer->address);
    char path[PATH_BYTES] = "";
    struct buf text;

    client->credential_text[0] = '\0';
    if (client->has_no_credential || !client__address_is_numeric(peer->address)) {
        return OK; /* none is wanted, or connecting will fail for another reason */
    }
    buf_init(&text, CREDENTIAL_FILE_BYTES_MAX);
    int rc = find_file(peer, path, &text);

    if (rc == OK) {
        rc = take(peer, path, buf_slice(&text));
        rc = rc == OK ? check_own(peer) : rc;
    } else if (rc == ERR_GONE && is_loopback &&
               (client->credential_path[0] == '\0' || !peer->is_given)) {
        client__credential_forget(peer); /* the node says what to do */
        rc = OK;
    } else {
        (void)snprintf(client->credential_text, sizeof client->credential_text,
                       rc == ERR_GONE ? "%.300s: there is no credential for this address; "
                                        "`carillon login` makes one"
                       : rc == ERR_PERMISSION
                           ? "%.300s: a credential must be readable by its owner only (0600)"
                           : "%.300s: the credential cannot be read",
                       path);
        rc = ERR_UNAUTHENTICATED;
    }
    identity_buf_wipe(&text);
    return rc;
}

int client__credential_reload(struct client_peer *peer)
{
    int rc = client__credential_load(peer);

    return rc == OK && peer->tls != NULL ? ERR_CLOSED : rc;
}

/* ---- the greeting ---- */

void client__credential_show(struct client_link *link, struct client_hello *hello)
{
    struct carillon_client *client = link->client;
    const struct credential *own = &link->peer->credential;
    Carillon__Credential *out = &hello->credential;

    *out = (Carillon__Credential)CARILLON__CREDENTIAL__INIT;
    switch (own->kind) {
    case CREDENTIAL_KIND_LOCAL:
        link->hello_ms = io_wall_ms(client->io);
        io_random(client->io, link->hello_nonce, sizeof link->hello_nonce);
        proof_make(own->secret, PROOF_HELLO, link->hello_ms, link->hello_nonce, hello->proof);
        out->kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_LOCAL;
        out->wall_ms = link->hello_ms;
        out->nonce = wire_binary(slice_from(link->hello_nonce, sizeof link->hello_nonce));
        out->proof = wire_binary(slice_from(hello->proof, sizeof hello->proof));
        break;
    case CREDENTIAL_KIND_TOKEN:
        out->kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_TOKEN;
        out->token = wire_binary(slice_from(own->secret, sizeof own->secret));
        break;
    case CREDENTIAL_KIND_NONE:
    case CREDENTIAL_KIND_CERTIFICATE:
        break;
    }
}

int client__credential_check(const struct client_link *link, const void *message)
{
    struct carillon_client *client = link->client;
    const struct credential *own = &link->peer->credential;
    const Carillon__Welcome *welcome = message;
    struct slice cluster = wire_bytes(welcome->cluster_id);
    uint8_t proof[PROOF_BYTES];

    if (own->kind == CREDENTIAL_KIND_NONE) {
        return check_cluster(client, cluster);
    }
    (void)snprintf(client->credential_text, sizeof client->credential_text,
                   "what listens there is not the node that the credential is for");
    if (!slice_is_equal(cluster, slice_from(own->cluster, sizeof own->cluster))) {
        return ERR_UNAUTHENTICATED;
    }
    int rc = check_cluster(client, cluster);

    if (rc != OK || own->kind != CREDENTIAL_KIND_LOCAL) {
        return rc;
    }
    proof_make(own->secret, PROOF_WELCOME, link->hello_ms, link->hello_nonce, proof);
    return welcome->proof.len == sizeof proof &&
                   proof_is_equal(proof, welcome->proof.data, sizeof proof)
               ? OK
               : ERR_UNAUTHENTICATED;
}

/* ---- for tools ---- */

void carillon_random(struct carillon_client *client, void *data, size_t len)
{
    io_random(client->io, data, len);
}

const struct credential *carillon_credential(const struct carillon_client *client)
{
    return &client->greeted->credential;
}
