/* The state of a handshake, from the node's side of it: bytes from nowhere, and a real client's
 * with some of them changed on the way, in pieces of any size. It opens only for who was
 * judged, never gives plaintext before, and keeps its bounds. */
#include <stdint.h>

#include "base/assert.h"
#include "identity/certificate.h"
#include "io_uv/io_uv.h"
#include "io_uv/tls.h"

enum { ROUNDS_MAX = 64, READ_BYTES = 4096 };

static struct io *io;
static struct io_tls *server;
static struct io_tls *client;
static unsigned judged; /* by the node, and found good */

static enum io_refusal judge_client(void *context, struct slice certificate,
                                    struct slice issuer, struct io_peer *ret_peer)
{
    (void)context;
    (void)issuer;
    ASSERT(certificate.len <= 8192);
    ret_peer->role = IDENTITY_ROLE_OPERATOR;
    judged++;
    return IO_REFUSAL_NONE;
}

static enum io_refusal judge_node(void *context, struct slice certificate, struct slice issuer,
                                  struct io_peer *ret_peer)
{
    (void)context;
    (void)certificate;
    (void)issuer;
    (void)ret_peer;
    return IO_REFUSAL_NONE;
}

static void make(bool is_server, uint8_t seed_byte, struct io_tls **ret_tls)
{
    uint8_t seed[IDENTITY_KEY_BYTES] = {seed_byte};
    struct identity_key key = {0};
    struct buf certificate;
    struct buf der;

    buf_init(&certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&der, IDENTITY_KEY_FILE_BYTES_MAX);
    int rc = identity_key_make(seed, &key);
    ASSERT(rc == OK);
    struct identity_certificate_plan plan = {
        .role = IDENTITY_ROLE_NODE, .name = "n", .subject = &key, .issuer = &key};
    plan.not_after_ms = 4000000000000;
    rc = identity_certificate_issue(&plan, &certificate);
    ASSERT(rc == OK);
    rc = identity_key_to_der(&key, &der);
    ASSERT(rc == OK);
    struct io_tls_options options = {.is_server = is_server,
                                     .certificate = buf_slice(&certificate),
                                     .key = buf_slice(&der),
                                     .verify = is_server ? judge_client : judge_node};
    rc = io_tls_create(io, &options, ret_tls);
    ASSERT(rc == OK);
    buf_fini(&certificate);
    buf_fini(&der);
    identity_key_fini(&key);
}

static void set_up(void)
{
    if (io == NULL) {
        io = io_uv_world(io_uv_create());
        make(true, 1, &server);
        make(false, 2, &client);
    }
}

/* Give @bytes to @end in pieces, and read what it makes of them. Returns: whether it goes on.
 */
static bool give(struct tls *end, const struct io_peer *peer, struct slice bytes, size_t piece)
{
    uint8_t plain[READ_BYTES];

    while (bytes.len > 0) {
        size_t len = 0;
        int rc = tls_feed(end, slice_sub(bytes, 0, piece));
        bytes = slice_sub(bytes, piece, SIZE_MAX);
        if (rc == OK && tls_is_open(end)) {
            rc = tls_read(end, plain, sizeof plain, &len);
        }
        ASSERT(tls_pending(end).len < TLS_OUT_BYTES_MAX);
        if (rc != OK) {
            ASSERT(rc == ERR_EOF || peer->refusal != IO_REFUSAL_NONE);
            return false;
        }
    }
    return true;
}

static void from_nowhere(struct slice bytes, size_t piece)
{
    struct io_peer peer = {0};
    struct tls *end = tls_create(server, &peer);

    judged = 0;
    (void)give(end, &peer, bytes, piece);
    ASSERT(!tls_is_open(end) && judged == 0 && peer.role == 0);
    tls_destroy(end);
}

/* A client's flights with the bytes at some places changed: (flight, place, by what) each. */
static void from_a_client(struct slice changes, size_t piece)
{
    struct io_peer seen = {0};
    struct io_peer other = {0};
    struct tls *end = tls_create(server, &seen);
    struct tls *far = tls_create(client, &other);
    bool goes_on = tls_begin(far) == OK;
    bool is_changed = false;

    judged = 0;
    for (uint8_t round = 0; goes_on && round < ROUNDS_MAX; round++) {
        uint8_t flight[1 << 15];
        struct slice pending = tls_pending(far);
        if (pending.len == 0 || pending.len > sizeof flight) {
            break;
        }
        memcpy(flight, pending.data, pending.len);
        for (size_t at = 0; at + 4 <= changes.len; at += 4) {
            size_t place = (size_t)changes.data[at + 1] << 8 | changes.data[at + 2];
            if (changes.data[at] % 4 == round && place < pending.len &&
                changes.data[at + 3] != 0) {
                flight[place] ^= changes.data[at + 3];
                is_changed = true;
            }
        }
        size_t len = pending.len;
        tls_sent(far, len);
        goes_on = give(end, &seen, slice_from(flight, len), piece);
        struct slice back = tls_pending(end);
        goes_on = goes_on && give(far, &other, back, SIZE_MAX);
        tls_sent(end, back.len);
    }
    /* A client that was left alone gets in, and nobody unjudged does. */
    ASSERT(is_changed || tls_is_open(end));
    ASSERT(!tls_is_open(end) || judged > 0);
    tls_destroy(end);
    tls_destroy(far);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size < 2) {
        return 0;
    }
    struct slice rest = slice_from(data + 2, size - 2);
    size_t piece = data[1] == 0 ? SIZE_MAX : data[1];
    if (data[0] % 2 == 0) {
        from_nowhere(rest, piece);
    } else {
        from_a_client(slice_sub(rest, 0, 64), piece);
    }
    return 0;
}
