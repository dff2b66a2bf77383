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

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Names are not looked up; what exactly a numeric address is, the world says. */
static bool is_numeric(const char *address)
{
    return address[strspn(address, "0123456789abcdefABCDEF.:")] == '\0';
}

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

int carillon_login_path(const struct carillon_client *client, char *out, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n = -1;

    if (config != NULL && config[0] == '/') {
        n = snprintf(out, size, "%s/carillon/credentials/%s_%u", config, client->address,
                     client->port);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, size, "%s/.config/carillon/credentials/%s_%u", home, client->address,
                     client->port);
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

/* The @number-th place for the local credential. */
static bool runtime_path(const struct carillon_client *client, int number, char out[PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    switch (number) {
    case 0:
        out[0] = '\0';
        return runtime != NULL && runtime[0] == '/' &&
               snprintf(out, PATH_BYTES, "%s/carillon/%u", runtime, client->port) < PATH_BYTES;
    case 1:
        return snprintf(out, PATH_BYTES, "/run/carillon/%u", client->port) < PATH_BYTES;
    default:
        return snprintf(out, PATH_BYTES, "/tmp/carillon-%u/%u", (unsigned)geteuid(),
                        client->port) < PATH_BYTES;
    }
}

/* Errors: ERR_GONE nothing is anywhere. */
static int find_file(struct carillon_client *client, char path[PATH_BYTES], struct buf *out)
{
    int rc = ERR_GONE;

    if (client->credential_path[0] != '\0') {
        (void)snprintf(path, PATH_BYTES, "%s", client->credential_path);
        return read_file(client, path, out);
    }
    if (carillon_login_path(client, path, PATH_BYTES) == OK) {
        rc = read_file(client, path, out);
    }
    for (int i = 0; rc == ERR_GONE && is_loopback(client->address) && i < RUNTIME_FOLDERS;
         i++) {
        rc = runtime_path(client, i, path) ? read_file(client, path, out) : ERR_GONE;
    }
    return rc;
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
    struct carillon_client *client = context;
    struct credential *own = &client->credential;
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];
    struct identity_certificate read;
    struct identity_key root = {0};
    struct identity_trust trust = {
        .root = &root, .roles = IDENTITY_ROLE_NODE, .wall_ms = io_wall_ms(client->io)};
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

static int tls_make(struct carillon_client *client)
{
    struct credential *own = &client->credential;
    struct io_tls_options options = {
        .certificate = buf_slice(&own->certificate),
        .key = buf_slice(&own->key),
        .verify = verify,
        .context = client,
    };

    return io_tls_create(client->io, &options, &client->tls);
}

/* ---- loading ---- */

static void forget(struct carillon_client *client)
{
    io_tls_destroy(client->io, client->tls);
    client->tls = NULL;
    credential_fini(&client->credential);
    credential_init(&client->credential);
    client->credential_hash = 0;
}

static int take(struct carillon_client *client, const char *path, struct slice text)
{
    uint64_t hash = hash_slice(text);

    if (hash == client->credential_hash) {
        return OK; /* as before, and sessions to be resumed with it */
    }
    forget(client);
    int rc = credential_decode(text, &client->credential);

    if (rc == OK && client->credential.kind != CREDENTIAL_KIND_LOCAL) {
        rc = tls_make(client);
    }
    if (rc != OK) {
        forget(client);
        (void)snprintf(client->credential_text, sizeof client->credential_text,
                       "%.300s: this is no credential file that could be used", path);
        return ERR_UNAUTHENTICATED;
    }
    client->credential_hash = hash;
    return OK;
}

int client__credential_load(struct carillon_client *client)
{
    char path[PATH_BYTES] = "";
    struct buf text;

    client->credential_text[0] = '\0';
    if (client->has_no_credential || !is_numeric(client->address)) {
        return OK; /* none is wanted, or connecting will fail for another reason */
    }
    buf_init(&text, CREDENTIAL_FILE_BYTES_MAX);
    int rc = find_file(client, path, &text);

    if (rc == OK) {
        rc = take(client, path, buf_slice(&text));
    } else if (rc == ERR_GONE && client->credential_path[0] == '\0' &&
               is_loopback(client->address)) {
        forget(client); /* the node says what to do */
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

int client__credential_reload(struct carillon_client *client)
{
    int rc = client__credential_load(client);

    return rc == OK && client->tls != NULL ? ERR_CLOSED : rc;
}

void client__credential_fini(struct carillon_client *client)
{
    if (client->io != NULL) {
        io_tls_destroy(client->io, client->tls);
    }
    credential_fini(&client->credential);
}

/* ---- the greeting ---- */

void client__credential_show(struct client_link *link, struct client_hello *hello)
{
    struct carillon_client *client = link->client;
    Carillon__Credential *out = &hello->credential;

    *out = (Carillon__Credential)CARILLON__CREDENTIAL__INIT;
    switch (client->credential.kind) {
    case CREDENTIAL_KIND_LOCAL:
        link->hello_ms = io_wall_ms(client->io);
        io_random(client->io, link->hello_nonce, sizeof link->hello_nonce);
        proof_make(client->credential.secret, PROOF_HELLO, link->hello_ms, link->hello_nonce,
                   hello->proof);
        out->kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_LOCAL;
        out->wall_ms = link->hello_ms;
        out->nonce = wire_binary(slice_from(link->hello_nonce, sizeof link->hello_nonce));
        out->proof = wire_binary(slice_from(hello->proof, sizeof hello->proof));
        break;
    case CREDENTIAL_KIND_TOKEN:
        out->kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_TOKEN;
        out->token = wire_binary(
            slice_from(client->credential.secret, sizeof client->credential.secret));
        break;
    case CREDENTIAL_KIND_NONE:
    case CREDENTIAL_KIND_CERTIFICATE:
        break;
    }
}

int client__credential_check(const struct client_link *link, const void *message)
{
    const struct credential *own = &link->client->credential;
    const Carillon__Welcome *welcome = message;
    uint8_t proof[PROOF_BYTES];

    if (own->kind == CREDENTIAL_KIND_NONE) {
        return OK;
    }
    if (welcome->cluster_id.len != sizeof own->cluster ||
        memcmp(welcome->cluster_id.data, own->cluster, sizeof own->cluster) != 0) {
        return ERR_UNAUTHENTICATED;
    }
    if (own->kind != CREDENTIAL_KIND_LOCAL) {
        return OK;
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
    return &client->credential;
}
