/* The state of a handshake, from the node's side of it: bytes from nowhere, and a real client's
 * with some of them changed on the way, in pieces of any size. It opens only for who was
 * judged, never gives plaintext before, and keeps its bounds.
 *
 * A client's bytes are recorded once a process, a whole handshake and a resumed one, and then
 * said again: the node's random bytes are the same in every run, so it says the same to them,
 * and what was recorded goes on to fit. So an input costs the node's part of a handshake, and
 * what it does depends on nothing but its bytes. One kind of input in eight has a client that
 * lives and may answer what a changed hello has led to.
 */
#define OPENSSL_SUPPRESS_DEPRECATED  /* RAND_METHOD is the way to make random bytes repeatable \
                                      */

#include <openssl/rand.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/rng.h"
#include "identity/certificate.h"
#include "io_uv/io_uv.h"
#include "io_uv/tls.h"

enum {
    ROUNDS_MAX = 4,
    FLIGHT_BYTES_MAX = 1 << 13,
    READ_BYTES = 4096,
    KINDS = 8,
    KIND_LIVE = KINDS - 1, /* and of the others, the lower half is whole handshakes */
};

static struct io *io;
static struct io_tls *server;
static struct io_tls *client;
static unsigned judged; /* by the node, and found good */
static struct rng random_source;

/* What a client says in turn, and last something for its owner. */
struct recording {
    uint8_t flights[ROUNDS_MAX][FLIGHT_BYTES_MAX];
    size_t lens[ROUNDS_MAX];
    size_t count;
};

static struct recording whole;
static struct recording resumed;
static const char words[] = "words for the owner";

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

/* ---- random bytes that are the same in every run ---- */

static int random_bytes(unsigned char *data, int len)
{
    rng_fill(&random_source, data, (size_t)len);
    return 1;
}

static int random_is_there(void)
{
    return 1;
}

static void random_repeat(void)
{
    static const RAND_METHOD method = {
        .bytes = random_bytes, .pseudorand = random_bytes, .status = random_is_there};
    int ok = RAND_set_rand_method(&method);

    ASSERT(ok == 1);
}

/* ---- giving ---- */

/* What the node's end was given and has not taken a step with. */
static uint8_t arrived[TLS_HANDSHAKE_BYTES_MAX];
static size_t arrived_len;

/* A node's end, as if it were the first. */
static struct tls *node_end(struct io_peer *peer)
{
    rng_init(&random_source, 1);
    judged = 0;
    arrived_len = 0;
    return tls_create(server, peer);
}

/* Let @end take @bytes, and read what it makes of them. Returns: whether it goes on. */
static bool step(struct tls *end, const struct io_peer *peer, struct slice bytes)
{
    static uint8_t plain[READ_BYTES];
    size_t len = 0;
    int rc = tls_feed(end, bytes);

    if (rc == OK && tls_is_open(end)) {
        rc = tls_read(end, plain, sizeof plain, &len);
    }
    ASSERT(tls_pending(end).len < TLS_OUT_BYTES_MAX);
    ASSERT(rc == OK || rc == ERR_EOF || peer->refusal != IO_REFUSAL_NONE);
    return rc == OK;
}

/* Take as much of @bytes as there is room for, and a step with what is whole. Returns: how
 * much. */
static size_t gather(struct tls *end, const struct io_peer *peer, struct slice bytes,
                     bool *goes_on)
{
    bytes = slice_sub(bytes, 0, sizeof arrived - arrived_len);
    memcpy(arrived + arrived_len, bytes.data, bytes.len);
    arrived_len += bytes.len;
    size_t len = arrived_len == sizeof arrived
                     ? arrived_len
                     : tls_whole_records(slice_from(arrived, arrived_len));
    ASSERT(len <= arrived_len);
    *goes_on = len == 0 || step(end, peer, slice_from(arrived, len));
    arrived_len -= len;
    memmove(arrived, arrived + len, arrived_len);
    return bytes.len;
}

/* Give @bytes to the node's @end in pieces: whole records of a handshake, as they become whole,
 * and then as they come. Returns: whether it goes on. */
static bool give(struct tls *end, const struct io_peer *peer, struct slice bytes, size_t piece)
{
    bool goes_on = true;

    while (goes_on && bytes.len > 0) {
        struct slice part = slice_sub(bytes, 0, piece);
        size_t len = part.len;
        if (tls_is_open(end)) {
            goes_on = step(end, peer, part);
        } else {
            len = gather(end, peer, part, &goes_on);
        }
        bytes = slice_sub(bytes, len, SIZE_MAX);
    }
    if (goes_on && tls_is_open(end) && arrived_len > 0) {
        goes_on = step(end, peer, slice_from(arrived, arrived_len));
        arrived_len = 0;
    }
    return goes_on;
}

static void from_nowhere(struct slice bytes, size_t piece)
{
    struct io_peer peer = {0};
    struct tls *end = node_end(&peer);

    (void)give(end, &peer, bytes, piece);
    ASSERT(!tls_is_open(end) && judged == 0 && peer.role == 0);
    tls_destroy(end);
}

/* ---- a client's flights ---- */

/* Take what waits to be sent. Returns: its length. */
static size_t flight_take(struct tls *far, uint8_t flight[FLIGHT_BYTES_MAX])
{
    struct slice pending = tls_pending(far);

    ASSERT(pending.len <= FLIGHT_BYTES_MAX);
    if (pending.len > 0) {
        memcpy(flight, pending.data, pending.len);
        tls_sent(far, pending.len);
    }
    return pending.len;
}

/* Change the bytes at some places: (flight, place, by what) each. Returns: whether any was. */
static bool flight_change(uint8_t *flight, size_t len, size_t number, struct slice changes)
{
    bool is_changed = false;

    for (size_t at = 0; at + 4 <= changes.len; at += 4) {
        size_t place = (size_t)changes.data[at + 1] << 8 | changes.data[at + 2];
        if (changes.data[at] % 4 == number && place < len && changes.data[at + 3] != 0) {
            flight[place] ^= changes.data[at + 3];
            is_changed = true;
        }
    }
    return is_changed;
}

/* A client that was left alone gets in, and nobody unjudged does. */
static void judge_end(const struct tls *end, const struct io_peer *seen, bool is_changed)
{
    ASSERT(is_changed || tls_is_open(end));
    ASSERT(!tls_is_open(end) || judged > 0);
    ASSERT(!tls_is_open(end) || seen->role == IDENTITY_ROLE_OPERATOR);
}

static void record(struct recording *recording)
{
    struct io_peer seen = {0};
    struct io_peer other = {0};
    struct tls *end = node_end(&seen);
    struct rng nodes = random_source;
    rng_init(&random_source, 2);
    struct tls *far = tls_create(client, &other);
    int rc = tls_begin(far);

    ASSERT(rc == OK);
    for (bool goes_on = true; goes_on; recording->count++) {
        uint8_t *flight = recording->flights[recording->count];
        size_t len = flight_take(far, flight);
        struct rng clients = random_source;

        ASSERT(recording->count + 1 < ROUNDS_MAX && len > 0);
        recording->lens[recording->count] = len;
        random_source = nodes;
        goes_on = give(end, &seen, slice_from(flight, len), SIZE_MAX) && !tls_is_open(end);
        nodes = random_source;
        random_source = clients;
        struct slice back = tls_pending(end);
        (void)step(far, &other, back); /* with the last, tickets for the next time */
        tls_sent(end, back.len);
    }
    rc = tls_write(far, slice_from(words, sizeof words));
    ASSERT(rc == OK && tls_is_open(end));
    recording->lens[recording->count] = flight_take(far, recording->flights[recording->count]);
    recording->count++;
    tls_close(far); /* without a goodbye its tickets would be void */
    tls_destroy(end);
    tls_destroy(far);
    ASSERT(seen.is_resumed == (recording == &resumed));
}

static void from_recording(const struct recording *recording, struct slice changes,
                           size_t piece)
{
    static uint8_t flight[FLIGHT_BYTES_MAX];
    struct io_peer seen = {0};
    struct tls *end = node_end(&seen);
    bool is_changed = false;
    bool goes_on = true;

    for (size_t i = 0; goes_on && i < recording->count; i++) {
        size_t len = recording->lens[i];
        memcpy(flight, recording->flights[i], len);
        is_changed |= flight_change(flight, len, i, changes);
        goes_on = give(end, &seen, slice_from(flight, len), piece);
        tls_sent(end, tls_pending(end).len);
    }
    judge_end(end, &seen, is_changed);
    ASSERT(is_changed || goes_on);
    ASSERT(!tls_is_open(end) || seen.is_resumed == (recording == &resumed));
    tls_destroy(end);
}

static void from_a_client(struct slice changes, size_t piece)
{
    static uint8_t flight[FLIGHT_BYTES_MAX];
    struct io_peer seen = {0};
    struct io_peer other = {0};
    struct tls *end = node_end(&seen);
    struct tls *far = tls_create(client, &other);
    bool goes_on = tls_begin(far) == OK;
    bool is_changed = false;

    for (uint8_t round = 0; goes_on && round < ROUNDS_MAX; round++) {
        size_t len = flight_take(far, flight);
        if (len == 0) {
            break;
        }
        is_changed |= flight_change(flight, len, round, changes);
        /* Tickets would make the next input another one. */
        goes_on = give(end, &seen, slice_from(flight, len), piece) && !tls_is_open(end);
        struct slice back = tls_pending(end);
        goes_on = goes_on && step(far, &other, back);
        tls_sent(end, back.len);
    }
    judge_end(end, &seen, is_changed);
    tls_destroy(end);
    tls_destroy(far);
}

/* ---- */

static void set_up(void)
{
    if (io == NULL) {
        io = io_uv_world(io_uv_create());
        random_repeat();
        make(true, 1, &server);
        make(false, 2, &client);
        record(&whole);
        record(&resumed);
        io_tls_destroy(io, client); /* with the tickets that are left */
        make(false, 2, &client);
    }
}

/* A handshake allocates half a megabyte and frees it. What the address sanitizer keeps of that,
 * to see it used again, is a few handshakes' worth; more would cost a page fault a page. */
__attribute__((visibility("default"))) const char *
__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier): it asks for that name */
{
    return "quarantine_size_mb=2:max_malloc_fill_size=0:malloc_context_size=8";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size < 2) {
        return 0;
    }
    struct slice rest = slice_from(data + 2, size - 2);
    struct slice changes = slice_sub(rest, 0, 64);
    size_t piece = data[1] == 0 ? SIZE_MAX : data[1];
    unsigned kind = data[0] / 2 % KINDS;
    if (data[0] % 2 == 0) {
        from_nowhere(rest, piece);
    } else if (kind == KIND_LIVE) {
        from_a_client(changes, piece);
    } else {
        from_recording(kind < KINDS / 2 ? &whole : &resumed, changes, piece);
    }
    return 0;
}
