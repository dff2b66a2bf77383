/* io/peer.h -- who is at the other end of a stream, and what a secure stream is made of.
 *
 * Layer: io (base)     Spec: docs/spec/identity.md sections 3, 7 and 8
 *
 * The world carries out the handshake; what a certificate is worth is decided by the verifier
 * that the code above gives it. Neither knows the other's business.
 */
#ifndef CARILLON_IO_PEER_H
#define CARILLON_IO_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* Why somebody was not let in. The numbers index counters; identity_refusal_name() has the
 * words. */
enum io_refusal {
    IO_REFUSAL_NONE,
    IO_REFUSAL_PLAIN,         /* not encrypted where it has to be */
    IO_REFUSAL_NO_CREDENTIAL, /* from here on in the order of the specification's table */
    IO_REFUSAL_CERTIFICATE,
    IO_REFUSAL_OTHER_CA,
    IO_REFUSAL_EXPIRED,
    IO_REFUSAL_NOT_YET_VALID,
    IO_REFUSAL_OTHER_CLUSTER,
    IO_REFUSAL_REVOKED,
    IO_REFUSAL_ROLE,
    IO_REFUSAL_TLS_VERSION,
    IO_REFUSAL_TLS,
    IO_REFUSAL_SECRET,
    IO_REFUSAL_REPLAY,
    IO_REFUSAL_TOKEN,
    IO_REFUSAL_INVITE,
    IO_REFUSAL_MEMBER,
    IO_REFUSAL_REMOVED,
    IO_REFUSAL_SLOW,
    IO_REFUSAL_SIZE,
    IO_REFUSAL_CROWD,
    IO_REFUSAL_FORBIDDEN,
    IO_REFUSAL_NR,
};

enum { IO_PEER_NAME_BYTES_MAX = 64 };

struct io_peer {
    uint32_t role; /* what its certificate says, in the verifier's numbers; 0: it showed none */
    enum io_refusal refusal; /* why the stream has ended, if that is why */
    bool is_encrypted;
    bool is_loopback;                      /* on this machine */
    bool is_resumed;                       /* the handshake was a short one */
    char name[IO_PEER_NAME_BYTES_MAX + 1]; /* what its certificate says */
};

/* What one side of secure streams is made of. The bytes are borrowed for the call. */
struct io_tls_options {
    bool is_server;
    struct slice certificate; /* X.509, DER; empty: a client that shows none */
    struct slice key;         /* PKCS #8, DER */
    struct slice issuer;      /* its certificate's, sent along; empty: none */
    /* Judge the peer's certificate, @issuer being the next one it sent, or empty. Called within
     * the handshake and again when a session is resumed; of who comes in on a thread of the
     * world, so it reads what never changes while the io_tls is used, and what may change it
     * asks for by io_ask(). Fills in role and name, and returns IO_REFUSAL_NONE, or why not. */
    enum io_refusal (*verify)(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer);
    void *context; /* must outlive the io_tls */
};

struct io;
struct io_tls; /* owned by the world */

/* Errors: ERR_ARGUMENT key or certificate cannot be used; ERR_FULL. */
int io_tls_create(struct io *io, const struct io_tls_options *options,
                  struct io_tls **ret_tls) CHECKED;

/* Show another certificate (and key) in handshakes from now on. Errors: as create; the old one
 * stays then. */
int io_tls_renew(struct io *io, struct io_tls *tls,
                 const struct io_tls_options *options) CHECKED;

/* Streams and listeners that use it may outlive it. NULL is allowed. */
void io_tls_destroy(struct io *io, struct io_tls *tls);

#endif
