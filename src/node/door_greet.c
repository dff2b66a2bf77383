/* Who comes in: section 7 of docs/spec/identity.md, and the counting of section 8. */
#include "base/assert.h"
#include "meta/meta.h"
#include "node/door.h"
#include "node/event.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

static const uint64_t say_every_ns = 1000000000;

enum io_refusal door_arrive(const struct door *door, const struct io_peer *peer)
{
    return peer->is_encrypted || (peer->is_loopback && door->is_plain_allowed)
               ? IO_REFUSAL_NONE
               : IO_REFUSAL_PLAIN;
}

/* What a certificate's role may do: the bits of method rows. */
static uint32_t rights_of(uint32_t role)
{
    switch (role) {
    case IDENTITY_ROLE_OPERATOR:
        return IDENTITY_ROLE_CLIENT | IDENTITY_ROLE_REGISTRAR | IDENTITY_ROLE_OPERATOR;
    default:
        return IDENTITY_ROLE_CLIENT | role;
    }
}

/* ---- one kind of credential each ---- */

static enum io_refusal greet_certificate(const struct door *door, const struct io_peer *peer,
                                         struct conn_who *ret_who)
{
    uint8_t id[IDENTITY_ID_BYTES];

    if (!peer->is_encrypted || peer->role == IDENTITY_ROLE_NONE) {
        return IO_REFUSAL_NO_CREDENTIAL;
    }
    ret_who->roles = rights_of(peer->role);
    if (peer->role != IDENTITY_ROLE_NODE) {
        return IO_REFUSAL_NONE;
    }
    enum io_refusal refusal = door_peer_id(door, peer, id);

    ret_who->node = refusal == IO_REFUSAL_NONE ? meta_number(id) : 0;
    return refusal;
}

static enum io_refusal greet_local(struct door *door, const struct io_peer *peer,
                                   const Carillon__Credential *credential,
                                   struct conn_who *ret_who)
{
    uint8_t proof[PROOF_BYTES];

    if (peer->is_encrypted || !peer->is_loopback ||
        credential->nonce.len != PROOF_NONCE_BYTES || credential->proof.len != PROOF_BYTES) {
        return IO_REFUSAL_SECRET;
    }
    proof_make(door->ring.secret, PROOF_HELLO, credential->wall_ms, credential->nonce.data,
               proof);
    if (!proof_is_equal(proof, credential->proof.data, sizeof proof)) {
        return IO_REFUSAL_SECRET;
    }
    enum io_refusal refusal = (enum io_refusal)proof_memory_take(
        &door->memory, credential->wall_ms, credential->nonce.data, io_wall_ms(door->io));

    ret_who->roles = rights_of(IDENTITY_ROLE_OPERATOR);
    return refusal;
}

static enum io_refusal greet_token(struct door *door, const struct io_peer *peer,
                                   const Carillon__Credential *credential,
                                   struct conn_who *ret_who)
{
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];
    bool may = peer->is_encrypted &&
               (peer->role == IDENTITY_ROLE_NONE || peer->role == IDENTITY_ROLE_CLIENT);

    if (!may || credential->token.len != TOKEN_BYTES) {
        return IO_REFUSAL_TOKEN;
    }
    identity_hash(wire_bytes(credential->token), hash);
    enum io_refusal refusal = door->hooks.token(door->hooks.context, hash, ret_who);

    ret_who->roles = rights_of(ret_who->roles);
    return refusal;
}

static enum io_refusal greet_invite(struct door *door, const struct io_peer *peer,
                                    const Carillon__Credential *credential,
                                    struct conn_who *ret_who)
{
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];

    if (!peer->is_encrypted || peer->role != IDENTITY_ROLE_NONE ||
        credential->token.len != TOKEN_BYTES) {
        return IO_REFUSAL_INVITE;
    }
    identity_hash(wire_bytes(credential->token), hash);
    return door->hooks.invite(door->hooks.context, hash, ret_who);
}

/* ---- the greeting ---- */

static const char *text_of(enum io_refusal refusal)
{
    if (refusal == IO_REFUSAL_NO_CREDENTIAL) {
        return "no credential was shown: on this machine be the user who runs the node, or "
               "root; "
               "elsewhere `carillon login`";
    }
    if (refusal == IO_REFUSAL_TOKEN) {
        return "the token is unknown, revoked or has ended, or did not come over TLS";
    }
    if (refusal == IO_REFUSAL_REMOVED) {
        return "this node was removed from the cluster";
    }
    if (refusal == IO_REFUSAL_MEMBER || refusal == IO_REFUSAL_CERTIFICATE) {
        return "this node is no member of the cluster any more, or has another key by now";
    }
    if (refusal == IO_REFUSAL_INVITE) {
        return "the invite is unknown, was used or revoked, or has ended; `carillon node invite` "
               "makes another one";
    }
    if (refusal == IO_REFUSAL_REPLAY) {
        return "this Hello was taken before";
    }
    return "the proof of the local credential does not hold: another node's file, or a clock "
           "that is wrong";
}

static enum io_refusal greet(struct door *door, const struct io_peer *peer,
                             const Carillon__Credential *credential, struct conn_who *ret_who)
{
    Carillon__CredentialKind kind =
        credential == NULL ? CARILLON__CREDENTIAL_KIND__CREDENTIAL_NONE : credential->kind;

    switch ((int)kind) {
    case CARILLON__CREDENTIAL_KIND__CREDENTIAL_LOCAL:
        return greet_local(door, peer, credential, ret_who);
    case CARILLON__CREDENTIAL_KIND__CREDENTIAL_TOKEN:
        return greet_token(door, peer, credential, ret_who);
    case CARILLON__CREDENTIAL_KIND__CREDENTIAL_INVITE:
        return greet_invite(door, peer, credential, ret_who);
    default:
        return greet_certificate(door, peer, ret_who);
    }
}

enum io_refusal door_greet(struct door *door, const struct io_peer *peer, const void *hello,
                           struct conn_who *ret_who, void *welcome)
{
    const Carillon__Credential *credential = ((const Carillon__Hello *)hello)->credential;
    Carillon__Welcome *out = welcome;

    *ret_who = (struct conn_who){0};
    enum io_refusal refusal = greet(door, peer, credential, ret_who);

    if (refusal != IO_REFUSAL_NONE) {
        *ret_who = (struct conn_who){0};
        out->text = wire_text(text_of(refusal));
        return refusal;
    }
    out->roles = ret_who->roles & ~(uint32_t)IDENTITY_ROLE_CLIENT;
    out->student = ret_who->student;
    if (credential != NULL && credential->kind == CARILLON__CREDENTIAL_KIND__CREDENTIAL_LOCAL) {
        proof_make(door->ring.secret, PROOF_WELCOME, credential->wall_ms,
                   credential->nonce.data, ret_who->proof);
        out->proof = wire_binary(slice_from(ret_who->proof, sizeof ret_who->proof));
    }
    if (peer->is_encrypted) {
        door->handshakes++;
        door->resumed += peer->is_resumed;
    }
    return IO_REFUSAL_NONE;
}

/* ---- counting ---- */

void door_refused(struct door *door, enum io_refusal refusal)
{
    uint64_t now = io_now_ns(door->io);

    ASSERT(refusal > IO_REFUSAL_NONE && refusal < IO_REFUSAL_NR);
    door->refused[refusal]++;
    door->unsaid[refusal]++;
    if (door->said_ns[refusal] != 0 && now - door->said_ns[refusal] < say_every_ns) {
        return;
    }
    event_log(EVENT_WARNING, "conn-refused", "reason=%s count=%llu",
              identity_refusal_name(refusal), (unsigned long long)door->unsaid[refusal]);
    door->said_ns[refusal] = now;
    door->unsaid[refusal] = 0;
}
