#include "tests/lib/tls_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/assert.h"
#include "proto/envelope.pb-c.h"
#include "wire/frame.h"
#include "wire/message.h"

enum { SAID_MAX = 1 << 20, IN_MAX = 4 << 20, PATIENCE_SECONDS = 15 };

int tls_peer_dial(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    const char *colon = strchr(address, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ASSERT(colon != NULL && fd >= 0);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int rc = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

    rc |= connect(fd, (const struct sockaddr *)&to, sizeof to);
    ASSERT(rc == 0);
    return fd;
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct tls_peer *peer = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) != 0) {
        peer->alert = value & 0xff;
    }
}

static int accept_all(X509_STORE_CTX *store, void *argument)
{
    (void)store;
    (void)argument;
    return 1;
}

/* Send what the library has made, and keep it. */
static void flush(struct tls_peer *peer)
{
    char *data = NULL;
    BIO *out = SSL_get_wbio(peer->ssl);
    long len = BIO_get_mem_data(out, &data);

    if (len > 0) {
        (void)!buf_append(&peer->said, data, (size_t)len);
        (void)send(peer->fd, data, (size_t)len, MSG_NOSIGNAL);
        (void)BIO_reset(out);
    }
}

/* Returns: whether anything came. */
static bool fill(struct tls_peer *peer)
{
    uint8_t piece[16384];
    ssize_t got = recv(peer->fd, piece, sizeof piece, 0);

    if (got <= 0) {
        peer->has_ended = true;
        return false;
    }
    return BIO_write(SSL_get_rbio(peer->ssl), piece, (int)got) == (int)got;
}

static void context_make(struct tls_peer *peer, const struct tls_peer_options *options)
{
    static const uint8_t alpn[] = "\x0a"
                                  "carillon/1";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    ASSERT(context != NULL);
    peer->context = context;
    SSL_CTX_set_cert_verify_callback(context, accept_all, NULL);
    if (options->is_old) {
        (void)SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    }
    if (!options->is_nameless) {
        (void)SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
    }
    if (options->certificate.len > 0) {
        const uint8_t *at = options->certificate.data;
        X509 *x509 = d2i_X509(NULL, &at, (long)options->certificate.len);
        int ok = x509 != NULL && SSL_CTX_use_certificate(context, x509) == 1 &&
                 SSL_CTX_use_PrivateKey(context, options->key->pkey) == 1;

        ASSERT(ok);
        X509_free(x509);
    }
}

void tls_peer_open(struct tls_peer *peer, const char *address,
                   const struct tls_peer_options *options)
{
    *peer = (struct tls_peer){.fd = tls_peer_dial(address), .alert = TLS_PEER_ALERT_NONE};
    buf_init(&peer->said, SAID_MAX);
    buf_init(&peer->in, IN_MAX);
    context_make(peer, options);
    peer->ssl = SSL_new(peer->context);
    ASSERT(peer->ssl != NULL);
    SSL_set_app_data((SSL *)peer->ssl, peer);
    SSL_set_info_callback(peer->ssl, on_info);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(peer->ssl);
    for (;;) {
        int rc = SSL_do_handshake(peer->ssl);

        flush(peer);
        peer->is_open = rc == 1;
        if (rc == 1 || SSL_get_error(peer->ssl, rc) != SSL_ERROR_WANT_READ || !fill(peer)) {
            break;
        }
    }
    ERR_clear_error();
}

void tls_peer_send(struct tls_peer *peer, struct slice bytes)
{
    if (SSL_write(peer->ssl, bytes.data, (int)bytes.len) > 0) {
        flush(peer);
    }
    ERR_clear_error();
}

static size_t count_frames(const struct tls_peer *peer, struct slice *ret_last)
{
    struct frame_reader reader;
    struct slice payload;
    size_t count = 0;

    frame_reader_init(&reader, FRAME_BYTES_MAX);
    frame_reader_feed(&reader, buf_slice(&peer->in));
    while (frame_reader_next(&reader, &payload) == OK) {
        *ret_last = payload;
        count++;
    }
    frame_reader_fini(&reader);
    return count;
}

size_t tls_peer_read(struct tls_peer *peer, size_t frames)
{
    uint8_t piece[16384];
    struct slice last;

    while (count_frames(peer, &last) < frames && !peer->has_ended) {
        int got = SSL_read(peer->ssl, piece, sizeof piece);

        if (got > 0) {
            int rc = buf_append(&peer->in, piece, (size_t)got);
            ASSERT(rc == OK);
        } else if (SSL_get_error(peer->ssl, got) != SSL_ERROR_WANT_READ) {
            peer->has_ended = true;
        } else {
            flush(peer);
            (void)fill(peer);
        }
        ERR_clear_error();
    }
    return count_frames(peer, &last);
}

int tls_peer_status(const struct tls_peer *peer, bool is_reply)
{
    struct slice last = SLICE_NONE;
    struct arena scratch;
    uint32_t status = UINT32_MAX;

    (void)count_frames(peer, &last);
    arena_init(&scratch, 4 << 20);
    if (is_reply) {
        const Carillon__Reply *reply =
            wire_unpack(&carillon__reply__descriptor, last, &scratch);

        status = reply == NULL ? UINT32_MAX : reply->status;
    } else {
        const Carillon__Welcome *welcome =
            wire_unpack(&carillon__welcome__descriptor, last, &scratch);

        status = welcome == NULL ? UINT32_MAX : welcome->status;
    }
    arena_fini(&scratch);
    return error_from_wire(status);
}

void tls_peer_close(struct tls_peer *peer)
{
    (void)close(peer->fd);
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    buf_fini(&peer->said);
    buf_fini(&peer->in);
}
