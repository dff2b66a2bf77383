/* io_uv/tls_private.h -- what tls.c and tls_context.c share.
 *
 * Layer: io_uv
 */
#ifndef CARILLON_IO_UV_TLS_PRIVATE_H
#define CARILLON_IO_UV_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "io_uv/io_uv_private.h"
#include "io_uv/tls.h"

enum { TLS_SESSIONS_MAX = 32 };

/* What all ends of one kind share. Counted, on the loop: it lives until the last end has gone.
 * Lanes take new ends from @context while the loop may give it another certificate: each under
 * the mutex. All else of it stays as it was made, or is a client's, which uses no lane. */
struct io_tls {
    pthread_mutex_t mutex;
    SSL_CTX *context;
    SSL_SESSION
        *sessions[TLS_SESSIONS_MAX]; /* a client's tickets, each good once; newest last */
    size_t session_count;
    enum io_refusal (*verify)(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer);
    void *verify_context;
    size_t holds;
    bool is_server;
};

struct tls {
    struct io_tls *of;
    struct io_peer *peer;
    SSL *ssl; /* NULL: there was no step yet; so are in and out */
    BIO *in;
    BIO *out;
    size_t handshake_bytes;
    bool is_open;
    bool is_broken;
};

struct io_tls *tls_context_hold(struct io_tls *of);
void tls_context_release(struct io_tls *of);

/* An SSL of it. On any thread. */
SSL *tls_context_new_end(struct io_tls *of);

/* Ask the verifier. @issuer may be NULL. */
enum io_refusal tls_context_judge(struct tls *tls, X509 *certificate, X509 *issuer);

#endif
