/* io_uv/tls_context.c -- settings that all secure streams of one kind share: version, keys,
 * verification, tickets. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/assert.h"
#include "io_uv/tls_private.h"

enum { TICKETS = 2, SESSION_SECONDS = 2 * 3600, DER_BYTES_MAX = 8192 };

static const uint8_t alpn[] = "\x0a"
                              "carillon/1";

enum { ALPN_BYTES = sizeof alpn - 1 };

struct io_tls *tls_context_hold(struct io_tls *of)
{
    of->holds++;
    return of;
}

void tls_context_release(struct io_tls *of)
{
    if (--of->holds > 0) {
        return;
    }
    while (of->session_count > 0) {
        SSL_SESSION_free(of->sessions[--of->session_count]);
    }
    SSL_CTX_free(of->context);
    pthread_mutex_destroy(&of->mutex);
    free(of);
}

SSL *tls_context_new_end(struct io_tls *of)
{
    pthread_mutex_lock(&of->mutex);
    SSL *ssl = SSL_new(of->context); /* takes the certificate there is now with it */
    pthread_mutex_unlock(&of->mutex);
    ASSERT(ssl != NULL);
    return ssl;
}

/* ---- verification ---- */

/* The certificate's DER in @bytes; empty for NULL and for what is too long to be looked at. */
static struct slice der_of(X509 *x509, uint8_t bytes[DER_BYTES_MAX])
{
    uint8_t *at = bytes;
    int len = x509 == NULL ? 0 : i2d_X509(x509, NULL);

    if (len <= 0 || len > DER_BYTES_MAX) {
        return SLICE_NONE;
    }
    len = i2d_X509(x509, &at);
    return slice_from(bytes, len > 0 ? (size_t)len : 0);
}

enum io_refusal tls_context_judge(struct tls *tls, X509 *certificate, X509 *issuer)
{
    uint8_t own[DER_BYTES_MAX];
    uint8_t next[DER_BYTES_MAX];

    return tls->of->verify(tls->of->verify_context, der_of(certificate, own),
                           der_of(issuer, next), tls->peer);
}

/* The code whose alert says most of it to the peer; 0: bad_certificate. */
static const int errors[IO_REFUSAL_NR] = {
    [IO_REFUSAL_OTHER_CA] = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    [IO_REFUSAL_EXPIRED] = X509_V_ERR_CERT_HAS_EXPIRED,
    [IO_REFUSAL_REVOKED] = X509_V_ERR_CERT_REVOKED,
};

static int on_verify(X509_STORE_CTX *store, void *argument)
{
    (void)argument;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = SSL_get_app_data(ssl);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(store);
    X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : NULL;
    enum io_refusal refusal = tls_context_judge(tls, X509_STORE_CTX_get0_cert(store), issuer);

    if (refusal == IO_REFUSAL_NONE) {
        return 1;
    }
    tls->peer->refusal = refusal;
    X509_STORE_CTX_set_error(store,
                             errors[refusal] != 0 ? errors[refusal] : X509_V_ERR_CERT_REJECTED);
    return 0;
}

/* ---- ALPN ---- */

/* Whoever does not ask for our protocol is turned away before a key was used. */
static int on_client_hello(SSL *ssl, int *alert, void *argument)
{
    const uint8_t *extension;
    size_t len;

    (void)argument;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                  &extension, &len) != 1) {
        /* One that cannot do TLS 1.3 is to hear that, and gets there by itself. */
        if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &extension, &len) !=
            1) {
            return SSL_CLIENT_HELLO_SUCCESS;
        }
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_alpn(SSL *ssl, const uint8_t **ret_chosen, uint8_t *ret_len,
                   const uint8_t *offered, unsigned offered_len, void *argument)
{
    (void)ssl;
    (void)argument;
    for (unsigned at = 0; at < offered_len; at += 1U + offered[at]) {
        if (offered_len - at >= ALPN_BYTES && memcmp(offered + at, alpn, ALPN_BYTES) == 0) {
            *ret_chosen = alpn + 1;
            *ret_len = ALPN_BYTES - 1;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- tickets ---- */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls *tls = SSL_get_app_data(ssl);

    struct io_tls *of = tls->of;

    if (of->session_count == TLS_SESSIONS_MAX) { /* the oldest ends first */
        SSL_SESSION_free(of->sessions[0]);
        memmove(of->sessions, of->sessions + 1, sizeof of->sessions - sizeof of->sessions[0]);
        of->session_count--;
    }
    of->sessions[of->session_count++] = session;
    return 1; /* kept */
}

/* ---- making ---- */

static X509 *certificate_read(struct slice der)
{
    const uint8_t *at = der.data;

    return der.len == 0 || der.len > DER_BYTES_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);
}

static bool use_chain(SSL_CTX *context, struct slice der)
{
    X509 *issuer = certificate_read(der);
    bool ok = issuer != NULL && SSL_CTX_clear_chain_certs(context) == 1 &&
              SSL_CTX_add1_chain_cert(context, issuer) == 1;

    X509_free(issuer);
    return ok;
}

static bool use_certificate(SSL_CTX *context, const struct io_tls_options *options)
{
    const uint8_t *at = options->key.data;
    X509 *certificate = certificate_read(options->certificate);
    EVP_PKEY *key =
        options->key.len == 0 ? NULL : d2i_AutoPrivateKey(NULL, &at, (long)options->key.len);
    bool ok = certificate != NULL && key != NULL &&
              X509_check_private_key(certificate, key) == 1 &&
              SSL_CTX_use_cert_and_key(context, certificate, key, NULL, 1) == 1 &&
              (options->issuer.len == 0 || use_chain(context, options->issuer));

    X509_free(certificate);
    EVP_PKEY_free(key);
    return ok;
}

static bool set_up_side(struct io_tls *tls)
{
    SSL_CTX *context = tls->context;

    if (tls->is_server) {
        SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
        SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* the ticket has it all */
        return SSL_CTX_set_num_tickets(context, TICKETS) == 1 &&
               SSL_CTX_set_session_id_context(context, alpn, ALPN_BYTES) == 1;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    return SSL_CTX_set_alpn_protos(context, alpn, ALPN_BYTES) == 0;
}

static bool set_up(struct io_tls *tls)
{
    SSL_CTX *context = tls->context;

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, on_verify, NULL);
    SSL_CTX_set_max_cert_list(context, TLS_HANDSHAKE_BYTES_MAX);
    (void)SSL_CTX_set_timeout(context, SESSION_SECONDS);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 && set_up_side(tls);
}

int io_uv__tls_create(struct io *io, const struct io_tls_options *options,
                      struct io_tls **ret_tls)
{
    struct io_tls *tls = io_uv__alloc(sizeof(*tls));

    (void)io;
    tls->holds = 1;
    int rc = pthread_mutex_init(&tls->mutex, NULL);
    ASSERT(rc == 0);
    tls->is_server = options->is_server;
    tls->verify = options->verify;
    tls->verify_context = options->context;
    tls->context = SSL_CTX_new(tls->is_server ? TLS_server_method() : TLS_client_method());
    ASSERT(tls->context != NULL);
    bool has_own = options->certificate.len > 0;
    bool ok =
        set_up(tls) && (has_own ? use_certificate(tls->context, options) : !tls->is_server);
    ERR_clear_error();
    if (!ok) {
        tls_context_release(tls);
        return ERR_ARGUMENT;
    }
    *ret_tls = tls;
    return OK;
}

int io_uv__tls_renew(struct io *io, struct io_tls *tls, const struct io_tls_options *options)
{
    (void)io;
    pthread_mutex_lock(&tls->mutex);
    bool ok = use_certificate(tls->context, options);
    pthread_mutex_unlock(&tls->mutex);
    ERR_clear_error();
    return ok ? OK : ERR_ARGUMENT;
}

void io_uv__tls_destroy(struct io *io, struct io_tls *tls)
{
    (void)io;
    if (tls != NULL) {
        tls_context_release(tls);
    }
}
