/* Certificates at the door: the one that is shown, and those of others, in both directions.
 *
 * verify() of those who come in is called on a thread of the world. What it reads here itself, the
 * root's key and the cluster's id, stays as the door was opened with it; the state is the loop's,
 * and is asked there. Only a certificate that the root has signed gets so far. */
#include "identity/encoding.h"
#include "node/door.h"

/* Something asked of the state. */
struct inquiry {
    const struct door *door;
    const uint8_t *hash;
    const struct door_member *member;
    bool is_revoked;
    enum io_refusal refusal;
};

static void on_ask_revoked(void *context)
{
    struct inquiry *inquiry = context;
    const struct door_hooks *hooks = &inquiry->door->hooks;

    inquiry->is_revoked = hooks->is_revoked(hooks->context, inquiry->hash);
}

static void on_ask_member(void *context)
{
    struct inquiry *inquiry = context;
    const struct door_hooks *hooks = &inquiry->door->hooks;

    inquiry->refusal = hooks->member(hooks->context, inquiry->member);
}

static bool is_revoked(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES])
{
    struct door *door = context;
    struct inquiry inquiry = {.door = door, .hash = hash};

    io_ask(door->io, on_ask_revoked, &inquiry);
    return inquiry.is_revoked;
}

/* A node's certificate names its id. */
static enum io_refusal judge_node(const struct door *door, const char *name,
                                  const uint8_t *key, uint64_t key_ms,
                                  struct door_member *ret_member)
{
    ret_member->key = key;
    ret_member->key_ms = key_ms;
    if (hex_decode(slice_from_text(name), ret_member->id, sizeof ret_member->id) != OK) {
        return IO_REFUSAL_CERTIFICATE;
    }
    struct inquiry inquiry = {.door = door, .member = ret_member};

    io_ask(door->io, on_ask_member, &inquiry);
    return inquiry.refusal;
}

static enum io_refusal judge(struct door *door, uint32_t roles, struct slice certificate,
                             struct io_peer *ret_peer)
{
    struct identity_certificate read;
    struct door_member member;
    struct identity_trust trust = {
        .root = &door->ring.root,
        .roles = roles,
        .wall_ms = io_wall_ms(door->io),
        .is_revoked = is_revoked,
        .context = door,
    };

    memcpy(trust.cluster, door->ring.cluster, sizeof trust.cluster);
    enum io_refusal refusal = identity_certificate_judge(&trust, certificate, &read);

    if (refusal == IO_REFUSAL_NONE && read.role == IDENTITY_ROLE_NODE) {
        refusal = judge_node(door, read.name, read.key, read.not_before_ms, &member);
    }
    if (refusal == IO_REFUSAL_REMOVED && roles != IDENTITY_ROLE_NODE) {
        refusal = IO_REFUSAL_NONE; /* it comes as far as its Hello, to be told */
    }
    if (refusal == IO_REFUSAL_NONE) {
        ret_peer->role = read.role;
        memcpy(ret_peer->name, read.name, sizeof ret_peer->name);
    }
    return refusal;
}

/* The issuer that is sent along is ours, or it does not count. */
static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    (void)issuer;
    return judge(context,
                 IDENTITY_ROLE_CLIENT | IDENTITY_ROLE_REGISTRAR | IDENTITY_ROLE_OPERATOR |
                     IDENTITY_ROLE_NODE,
                 certificate, ret_peer);
}

static enum io_refusal verify_dialled(void *context, struct slice certificate,
                                      struct slice issuer, struct io_peer *ret_peer)
{
    (void)issuer;
    return judge(context, IDENTITY_ROLE_NODE, certificate, ret_peer);
}

enum io_refusal door_peer_id(const struct door *door, const struct io_peer *peer,
                             uint8_t ret_id[IDENTITY_ID_BYTES])
{
    struct door_member member;

    if (!peer->is_encrypted || peer->role != IDENTITY_ROLE_NODE) {
        return IO_REFUSAL_ROLE;
    }
    enum io_refusal refusal = judge_node(door, peer->name, NULL, 0, &member);

    if (refusal == IO_REFUSAL_NONE) {
        memcpy(ret_id, member.id, sizeof member.id);
    }
    return refusal;
}

static int show(struct door *door, const struct io_tls_options *options, struct io_tls **tls)
{
    return *tls == NULL ? io_tls_create(door->io, options, tls)
                        : io_tls_renew(door->io, *tls, options);
}

int door__show_certificate(struct door *door)
{
    struct buf key;
    struct io_tls_options options = {
        .is_server = true,
        .certificate = buf_slice(&door->ring.node.certificate),
        .issuer = buf_slice(&door->ring.root_certificate),
        .verify = verify,
        .context = door,
    };

    buf_init(&key, IDENTITY_KEY_FILE_BYTES_MAX);
    int rc = identity_key_to_der(&door->ring.node.key, &key);

    options.key = buf_slice(&key);
    rc = rc == OK ? show(door, &options, &door->tls) : rc;
    options.is_server = false;
    options.verify = verify_dialled;
    rc = rc == OK ? show(door, &options, &door->peer_tls) : rc;
    identity_buf_wipe(&key);
    return rc;
}
