/* io_uv/tls.h -- TLS 1.3 over byte buffers: what one stream's end of it needs. The sockets are
 * stream.c's.
 *
 * Layer: io_uv (base, io, libssl)     Spec: docs/spec/identity.md section 7
 *
 * Ciphertext goes in by tls_feed and comes out of tls_pending; plaintext by tls_read and
 * tls_write. Nothing here waits, and nothing of a peer that was not let in gets out as
 * plaintext. An end belongs to one thread at a time: a step of a handshake may be made on a
 * lane (arrival.c), and until it has come back nobody else touches that end.
 */
#ifndef CARILLON_IO_UV_TLS_H
#define CARILLON_IO_UV_TLS_H

#include "io/io.h"
#include "io/peer.h"

enum {
    TLS_HANDSHAKE_BYTES_MAX = 16 << 10, /* from the peer, until the handshake is done */
    TLS_RECORD_BYTES = 16 << 10,
    TLS_FIRST_BYTE = 0x16, /* of a connection that speaks TLS */
    TLS_OUT_BYTES_MAX = 1 << 20,
};

struct tls;

/* One end; @peer lives as long and is filled in. What costs is made with its first step. Both
 * on the loop. */
struct tls *tls_create(struct io_tls *of, struct io_peer *peer);
void tls_destroy(struct tls *tls);

/* Fill in another peer from now on: who makes a step elsewhere does not write where the loop
 * reads. */
void tls_set_peer(struct tls *tls, struct io_peer *peer);

/* How much of @bytes, that have come of a handshake, is worth a step: its whole records. All of
 * it when it is not records, which is then found out; nothing when more has to come. */
size_t tls_whole_records(struct slice bytes);

/* Take ciphertext from the peer and go on with the handshake, if it is not done.
 *
 * Returns: OK, or ERR_UNAUTHENTICATED: peer->refusal says why, and an alert may be pending. */
int tls_feed(struct tls *tls, struct slice bytes) CHECKED;

/* A client's first flight. */
int tls_begin(struct tls *tls) CHECKED;

/* Whether the handshake is done and the peer was let in. */
bool tls_is_open(const struct tls *tls);

/* Plaintext that has come, at most @len bytes.
 * Returns: OK (@ret_len may be 0: no more now), ERR_EOF the peer has said goodbye,
 * ERR_UNAUTHENTICATED: an alert, or a record that does not open; peer->refusal has more. */
int tls_read(struct tls *tls, uint8_t *data, size_t len, size_t *ret_len) CHECKED;

/* Seal plaintext. Returns: ERR_IO when it cannot be. */
int tls_write(struct tls *tls, struct slice bytes) CHECKED;

/* Say goodbye. */
void tls_close(struct tls *tls);

/* Ciphertext for the peer, and how much of it the kernel has taken. */
struct slice tls_pending(const struct tls *tls);
void tls_sent(struct tls *tls, size_t len);

#endif
