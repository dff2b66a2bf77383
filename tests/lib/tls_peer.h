/* tests/lib/tls_peer.h -- a TLS client that shows whatever the test wants it to, and tells what
 * it was answered.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_LIB_TLS_PEER_H
#define CARILLON_TESTS_LIB_TLS_PEER_H

#include <stdbool.h>

#include "base/buf.h"
#include "identity/certificate.h"

enum { TLS_PEER_ALERT_NONE = -1 };

struct tls_peer_options {
    struct slice certificate; /* DER; empty: none */
    const struct identity_key *key;
    bool is_old;      /* TLS 1.2 at most */
    bool is_nameless; /* no ALPN */
};

/* One conversation. */
struct tls_peer {
    void *ssl; /* libssl's */
    void *context;
    int fd;
    struct buf said; /* every byte that went out, sealed */
    struct buf in;   /* plaintext */
    int alert;       /* the one that came, or TLS_PEER_ALERT_NONE */
    bool is_open;    /* the handshake was done as far as we saw */
    bool has_ended;
};

/* A plain connection to @address ("127.0.0.1:PORT"). */
int tls_peer_dial(const char *address);

/* Connect and do the handshake, as far as it goes. */
void tls_peer_open(struct tls_peer *peer, const char *address,
                   const struct tls_peer_options *options);

/* Seal and send. */
void tls_peer_send(struct tls_peer *peer, struct slice bytes);

/* Read until @frames whole frames are there, an alert came, or the other side has ended (at
 * most 15 s). Returns: how many frames there are. */
size_t tls_peer_read(struct tls_peer *peer, size_t frames);

/* The status in the last frame, a Welcome's or a Reply's, as an error. */
int tls_peer_status(const struct tls_peer *peer, bool is_reply);

void tls_peer_close(struct tls_peer *peer);

#endif
