/* io_uv/tls.c -- one end of a secure stream. What all ends of one kind share is in
 * tls_context.c. */
#include "io_uv/tls.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "base/assert.h"
#include "io_uv/tls_private.h"

enum { HEADER_BYTES = 5, VERSION_MAJOR = 3 }; /* of a record: type, version, length */

struct tls *tls_create(struct io_tls *of, struct io_peer *peer)
{
    struct tls *tls = io_uv__alloc(sizeof(*tls));

    tls->of = tls_context_hold(of);
    tls->peer = peer;
    peer->is_encrypted = true;
    return tls;
}

static void make(struct tls *tls)
{
    struct io_tls *of = tls->of;

    tls->ssl = tls_context_new_end(of);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    ASSERT(tls->in != NULL && tls->out != NULL);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_app_data(tls->ssl, tls);
    if (of->is_server) {
        SSL_set_accept_state(tls->ssl);
        return;
    }
    SSL_set_connect_state(tls->ssl);
    if (of->session_count > 0) {
        SSL_SESSION *session = of->sessions[--of->session_count];
        int ok = SSL_set_session(tls->ssl, session);
        ASSERT(ok == 1);
        SSL_SESSION_free(session); /* ours; the end holds its own */
    }
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL) {
        return;
    }
    SSL_free(tls->ssl); /* and both buffers */
    tls_context_release(tls->of);
    free(tls);
}

void tls_set_peer(struct tls *tls, struct io_peer *peer)
{
    tls->peer = peer;
}

bool tls_is_open(const struct tls *tls)
{
    return tls->is_open;
}

/* ---- why it failed ---- */

/* What an alert from the peer says of us. */
static enum io_refusal refusal_of_alert(int alert)
{
    switch (alert) {
    case SSL_AD_UNKNOWN_CA:
        return IO_REFUSAL_OTHER_CA;
    case SSL_AD_CERTIFICATE_EXPIRED:
        return IO_REFUSAL_EXPIRED;
    case SSL_AD_CERTIFICATE_REVOKED:
        return IO_REFUSAL_REVOKED;
    case SSL_AD_BAD_CERTIFICATE:
        return IO_REFUSAL_CERTIFICATE;
    case SSL_AD_PROTOCOL_VERSION:
        return IO_REFUSAL_TLS_VERSION;
    default:
        return IO_REFUSAL_TLS;
    }
}

static enum io_refusal refusal_of_error(const struct tls *tls)
{
    int reason = ERR_GET_REASON(ERR_peek_error());

    /* OpenSSL counts a peer's alerts from 1000 up, by their numbers. What a client thinks of
     * our certificate is no refusal of ours. */
    if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255) {
        return tls->of->is_server ? IO_REFUSAL_TLS
                                  : refusal_of_alert(reason - SSL_AD_REASON_OFFSET);
    }
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
        return IO_REFUSAL_TLS_VERSION;
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
        return IO_REFUSAL_SIZE;
    default:
        return IO_REFUSAL_TLS;
    }
}

static int refuse(struct tls *tls, enum io_refusal refusal)
{
    if (tls->peer->refusal == IO_REFUSAL_NONE) {
        tls->peer->refusal = refusal;
    }
    tls->is_broken = true;
    ERR_clear_error();
    return ERR_UNAUTHENTICATED;
}

/* ---- the handshake ---- */

/* A resumed session brings the certificate that was shown when it began: dates have passed and
 * certificates been revoked since. */
static int judge_again(struct tls *tls)
{
    X509 *x509 = SSL_get0_peer_certificate(tls->ssl);

    tls->peer->is_resumed = true;
    if (x509 == NULL) {
        return tls->of->is_server ? OK : refuse(tls, IO_REFUSAL_CERTIFICATE);
    }
    enum io_refusal refusal = tls_context_judge(tls, x509, NULL);

    return refusal == IO_REFUSAL_NONE ? OK : refuse(tls, refusal);
}

static int handshake_step(struct tls *tls)
{
    ERR_clear_error();
    int done = SSL_do_handshake(tls->ssl);
    if (done != 1) {
        int error = SSL_get_error(tls->ssl, done);
        return error == SSL_ERROR_WANT_READ ? OK : refuse(tls, refusal_of_error(tls));
    }
    int rc = SSL_session_reused(tls->ssl) == 1 ? judge_again(tls) : OK;
    tls->is_open = rc == OK;
    return rc;
}

int tls_begin(struct tls *tls)
{
    ASSERT(!tls->of->is_server);
    make(tls);
    return handshake_step(tls);
}

size_t tls_whole_records(struct slice bytes)
{
    size_t at = 0;

    while (bytes.len - at >= HEADER_BYTES) {
        const uint8_t *header = bytes.data + at;
        size_t len = (size_t)header[3] << 8 | header[4];
        if (header[1] != VERSION_MAJOR || len > TLS_HANDSHAKE_BYTES_MAX) {
            return bytes.len;
        }
        if (bytes.len - at < HEADER_BYTES + len) {
            break;
        }
        at += HEADER_BYTES + len;
    }
    return at;
}

static void feed(struct tls *tls, struct slice bytes)
{
    int len = BIO_write(tls->in, bytes.data, (int)bytes.len);
    ASSERT(len == (int)bytes.len);
}

int tls_feed(struct tls *tls, struct slice bytes)
{
    ASSERT(!tls->is_broken);
    if (tls->ssl == NULL) {
        make(tls);
    }
    /* What follows the handshake in the same run of bytes does not count against its bound. */
    while (!tls->is_open && bytes.len > 0) {
        size_t room = TLS_HANDSHAKE_BYTES_MAX - tls->handshake_bytes;
        size_t len = bytes.len < TLS_RECORD_BYTES / 4 ? bytes.len : TLS_RECORD_BYTES / 4;
        if (room == 0) {
            return refuse(tls, IO_REFUSAL_SIZE);
        }
        len = len < room ? len : room;
        feed(tls, slice_sub(bytes, 0, len));
        tls->handshake_bytes += len;
        bytes = slice_sub(bytes, len, SIZE_MAX);
        int rc = handshake_step(tls);
        if (rc != OK) {
            return rc;
        }
    }
    if (bytes.len > 0) {
        feed(tls, bytes);
    }
    return OK;
}

/* ---- bytes ---- */

static int read_failed(struct tls *tls, int error)
{
    if (error == SSL_ERROR_WANT_READ) {
        return OK;
    }
    return error == SSL_ERROR_ZERO_RETURN ? ERR_EOF : refuse(tls, refusal_of_error(tls));
}

int tls_read(struct tls *tls, uint8_t *data, size_t len, size_t *ret_len)
{
    *ret_len = 0;
    ASSERT(tls->is_open);
    while (*ret_len < len && !tls->is_broken) {
        size_t got = 0;
        ERR_clear_error();
        int ok = SSL_read_ex(tls->ssl, data + *ret_len, len - *ret_len, &got);
        if (ok != 1) {
            int error = SSL_get_error(tls->ssl, ok);
            if (error == SSL_ERROR_WANT_READ || *ret_len == 0) {
                return read_failed(tls, error);
            }
            return OK; /* what came before is handed over first; the next call says the rest */
        }
        *ret_len += got;
    }
    return OK;
}

int tls_write(struct tls *tls, struct slice bytes)
{
    ASSERT(tls->is_open && bytes.len > 0);
    size_t written = 0;
    ERR_clear_error();
    int ok = tls->is_broken ? 0 : SSL_write_ex(tls->ssl, bytes.data, bytes.len, &written);
    if (ok != 1 || written != bytes.len) {
        tls->is_broken = true;
        ERR_clear_error();
        return ERR_IO;
    }
    return OK;
}

void tls_close(struct tls *tls)
{
    if (tls->is_open && !tls->is_broken) {
        (void)SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
}

struct slice tls_pending(const struct tls *tls)
{
    char *data = NULL;

    if (tls->out == NULL) {
        return SLICE_NONE;
    }
    long len = BIO_get_mem_data(tls->out, &data);

    return slice_from(data, len > 0 ? (size_t)len : 0);
}

void tls_sent(struct tls *tls, size_t len)
{
    uint8_t gone[4096];

    if (len == tls_pending(tls).len) {
        (void)BIO_reset(tls->out);
        return;
    }
    while (len > 0) {
        int step = (int)(len < sizeof gone ? len : sizeof gone);
        int got = BIO_read(tls->out, gone, step);
        ASSERT(got == step);
        len -= (size_t)got;
    }
}
