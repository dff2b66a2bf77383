/* Who is not let in by a real daemon, each by what he shows: the alert or answer he gets, the
 * counter that says so, and that nobody else notices. And that no secret is where it should not
 * be. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/carillon.h"
#include "identity/encoding.h"
#include "proto/catalogue.pb-c.h"
#include "proto/envelope.pb-c.h"
#include "proto/identity.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/daemon.h"
#include "tests/lib/greeting.h"
#include "tests/lib/tls_peer.h"
#include "wire/frame.h"
#include "wire/message.h"

enum {
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_REVOKED = 44,
    ALERT_EXPIRED = 45,
    ALERT_UNKNOWN_CA = 48,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_NO_PROTOCOL = 120,
    CROWD = 1000,
    SLOW_SECONDS_MAX = 14,
};

static const uint64_t day_ms = 86400000;

static struct daemon the_daemon;
static struct carillon_client *bystander;
static struct identity_key root;
static struct identity_key holder;
static uint8_t cluster[IDENTITY_ID_BYTES];
static uint8_t token[TOKEN_BYTES]; /* ann's */

/* ---- the node, as its operator sees it ---- */

static uint64_t count_of(const char *reason)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;
    uint64_t count = UINT64_MAX;

    assert_int_equal(carillon_call_message(bystander, CARILLON__METHOD__METHOD_STATUS, NULL,
                                           &request.base, &carillon__status_reply__descriptor,
                                           &reply),
                     OK);
    for (size_t i = 0; i < reply->n_refused; i++) {
        if (strcmp(reply->refused[i]->reason, reason) == 0) {
            count = reply->refused[i]->count;
        }
    }
    carillon_message_free(reply);
    assert_true(count != UINT64_MAX);
    assert_int_equal(carillon_counters(bystander).lost, 0);
    return count;
}

static void change(uint32_t method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *reply_type)
{
    struct carillon_key key = carillon_key_make(bystander);
    void *reply = NULL;

    assert_int_equal(
        carillon_call_message(bystander, method, &key, request, reply_type, &reply), OK);
    carillon_message_free(reply);
}

static void read_key(const char *name, struct identity_key *ret_key)
{
    char path[DAEMON_PATH_BYTES + 64];
    char pem[4096];

    (void)snprintf(path, sizeof path, "%s/data/keys/%s", the_daemon.folder, name);
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    size_t len = fread(pem, 1, sizeof pem, file);

    (void)fclose(file);
    assert_int_equal(identity_key_from_pem(slice_from(pem, len), ret_key), OK);
}

/* ---- certificates of any kind ---- */

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000;
}

static struct identity_certificate_plan good_plan(void)
{
    struct identity_certificate_plan plan = {
        .role = IDENTITY_ROLE_OPERATOR,
        .name = "alma",
        .subject = &holder,
        .issuer = &root,
        .not_before_ms = now_ms() - day_ms,
        .not_after_ms = now_ms() + day_ms,
    };

    static uint8_t number; /* no two are the same: one will be revoked */

    memcpy(plan.cluster, cluster, sizeof plan.cluster);
    plan.serial[IDENTITY_SERIAL_BYTES - 1] = ++number;
    return plan;
}

static struct buf certificate;

static struct tls_peer_options show(const struct identity_certificate_plan *plan)
{
    buf_clear(&certificate);
    assert_int_equal(identity_certificate_issue(plan, &certificate), OK);
    return (struct tls_peer_options){.certificate = buf_slice(&certificate), .key = &holder};
}

static struct slice hello(const uint8_t *shown)
{
    static struct buf out;

    if (out.max == 0) {
        buf_init(&out, 1024);
    }
    buf_clear(&out);
    greeting_token(shown, &out);
    return buf_slice(&out);
}

/* Connect, say Hello, and expect to be refused with @alert (or, without one, a Welcome with an
 * error), counted as @reason, once. */
static void refused(const struct tls_peer_options *options, const uint8_t *shown, int alert,
                    const char *reason)
{
    struct tls_peer peer;
    uint64_t before = count_of(reason);

    tls_peer_open(&peer, the_daemon.address, options);
    if (peer.is_open) { /* it looks well to the client; the node has not answered yet */
        tls_peer_send(&peer, hello(shown));
    }
    size_t frames = tls_peer_read(&peer, 1);

    if (alert != TLS_PEER_ALERT_NONE) {
        assert_int_equal(frames, 0);
        assert_int_equal(peer.alert, alert);
    } else {
        assert_int_equal(frames, 1);
        assert_int_equal(tls_peer_status(&peer, false), ERR_UNAUTHENTICATED);
    }
    (void)tls_peer_read(&peer, 2);
    assert_true(peer.has_ended);
    tls_peer_close(&peer);
    assert_int_equal(count_of(reason), before + 1);
}

static void certificate__in_order__is_let_in(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();
    struct tls_peer_options options = show(&plan);
    struct tls_peer peer;

    tls_peer_open(&peer, the_daemon.address, &options);
    assert_true(peer.is_open);
    tls_peer_send(&peer, hello(NULL));
    assert_int_equal(tls_peer_read(&peer, 1), 1);
    assert_int_equal(tls_peer_status(&peer, false), OK);
    tls_peer_close(&peer);
}

static void certificate__none_and_no_token__is_refused(void **state)
{
    (void)state;
    refused(&(struct tls_peer_options){0}, NULL, TLS_PEER_ALERT_NONE, "no-credential");
}

static void certificate__of_another_ca__is_refused(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();
    uint8_t seed[IDENTITY_KEY_BYTES] = {9};
    struct identity_key other = {0};

    assert_int_equal(identity_key_make(seed, &other), OK);
    plan.issuer = &other;
    struct tls_peer_options options = show(&plan);

    refused(&options, NULL, ALERT_UNKNOWN_CA, "other-ca");
    identity_key_fini(&other);
}

static void certificate__out_of_its_time__is_refused(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();

    plan.not_after_ms = now_ms() - 1000;
    struct tls_peer_options options = show(&plan);

    refused(&options, NULL, ALERT_EXPIRED, "expired");
    plan = good_plan();
    plan.not_before_ms = now_ms() + 3600000;
    options = show(&plan);
    refused(&options, NULL, ALERT_BAD_CERTIFICATE, "not-yet-valid");
}

static void certificate__of_another_cluster__is_refused(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();

    plan.cluster[0] ^= 1;
    struct tls_peer_options options = show(&plan);

    refused(&options, NULL, ALERT_BAD_CERTIFICATE, "other-cluster");
}

static void certificate__of_the_root_itself__is_refused(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();

    plan.role = IDENTITY_ROLE_NONE;
    struct tls_peer_options options = show(&plan);

    refused(&options, NULL, ALERT_BAD_CERTIFICATE, "certificate");
}

static void certificate__revoked__is_refused(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();
    struct tls_peer_options options = show(&plan);
    Carillon__RevokeRequest request = CARILLON__REVOKE_REQUEST__INIT;
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];

    identity_hash(options.certificate, hash);
    request.certificate = wire_binary(slice_from(hash, sizeof hash));
    change(CARILLON__METHOD__METHOD_REVOKE, &request.base, &carillon__revoke_reply__descriptor);
    refused(&options, NULL, ALERT_REVOKED, "revoked");
}

static void tls__of_an_older_version_or_another_protocol__is_refused(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();
    struct tls_peer_options options = show(&plan);

    options.is_old = true;
    refused(&options, NULL, ALERT_PROTOCOL_VERSION, "tls-version");
    options.is_old = false;
    options.is_nameless = true;
    refused(&options, NULL, ALERT_NO_PROTOCOL, "tls");
}

/* ---- tokens ---- */

static void token__unknown__is_refused(void **state)
{
    (void)state;
    const uint8_t unknown[TOKEN_BYTES] = {1, 2, 3};
    struct identity_certificate_plan plan = good_plan();
    struct tls_peer_options options = show(&plan);

    refused(&(struct tls_peer_options){0}, unknown, TLS_PEER_ALERT_NONE, "token");
    /* A good one beside an operator's certificate would leave open who it is. */
    refused(&options, token, TLS_PEER_ALERT_NONE, "token");
}

/* One request of a connection that shows @options and @shown. Returns: the reply's status. */
static int asked(const struct tls_peer_options *options, const uint8_t *shown, uint32_t method,
                 struct slice body)
{
    Carillon__Request request = CARILLON__REQUEST__INIT;
    struct tls_peer peer;
    struct buf out;

    buf_init(&out, 4096);
    tls_peer_open(&peer, the_daemon.address, options);
    tls_peer_send(&peer, hello(shown));
    assert_int_equal(tls_peer_read(&peer, 1), 1);
    assert_int_equal(tls_peer_status(&peer, false), OK);
    request.id = 1;
    request.method = method;
    request.body = wire_binary(body);
    assert_int_equal(wire_pack_frame(&request.base, &out), OK);
    tls_peer_send(&peer, buf_slice(&out));
    assert_int_equal(tls_peer_read(&peer, 2), 2);
    int status = tls_peer_status(&peer, true);

    tls_peer_close(&peer);
    buf_fini(&out);
    return status;
}

static void role__of_a_client_or_student__may_not_do_what_operators_and_nodes_may(void **state)
{
    (void)state;
    struct identity_certificate_plan plan = good_plan();
    uint64_t before = count_of("forbidden");

    plan.role = IDENTITY_ROLE_CLIENT;
    struct tls_peer_options client = show(&plan);

    assert_int_equal(asked(&client, NULL, CARILLON__METHOD__METHOD_KEYS, SLICE_NONE),
                     ERR_FORBIDDEN);
    assert_int_equal(asked(&client, NULL, CARILLON__METHOD__METHOD_STATUS, SLICE_NONE), OK);
    const struct tls_peer_options none = {0};

    assert_int_equal(asked(&none, token, CARILLON__METHOD__METHOD_SNAPSHOT, SLICE_NONE),
                     ERR_FORBIDDEN);
    /* before its body is looked at */
    assert_int_equal(
        asked(&none, token, CARILLON__METHOD__METHOD_ROTATE, SLICE_LITERAL("\xff\xff")),
        ERR_FORBIDDEN);
    assert_int_equal(asked(&none, token, CARILLON__METHOD__METHOD_SCHEDULE,
                           SLICE_LITERAL("\x0a\x03"
                                         "bob")),
                     ERR_FORBIDDEN);
    assert_int_equal(asked(&none, token, CARILLON__METHOD__METHOD_SCHEDULE,
                           SLICE_LITERAL("\x0a\x03"
                                         "ann")),
                     OK);
    assert_int_equal(asked(&client, token, CARILLON__METHOD__METHOD_SCHEDULE,
                           SLICE_LITERAL("\x0a\x03"
                                         "ann")),
                     OK);
    assert_int_equal(count_of("forbidden"), before + 4);
}

/* ---- plain connections ---- */

/* Send @bytes on a plain connection. Returns: the Welcome's status, or ERR_EOF when none came.
 */
static int greeted_plain(struct slice bytes)
{
    uint8_t in[4096];
    size_t len = 0;
    int fd = tls_peer_dial(the_daemon.address);
    int status = ERR_EOF;

    assert_int_equal(send(fd, bytes.data, bytes.len, MSG_NOSIGNAL), bytes.len);
    for (;;) {
        ssize_t got = recv(fd, in + len, sizeof in - len, 0);

        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        if (len > FRAME_HEADER_BYTES &&
            len >= FRAME_HEADER_BYTES + (size_t)in[0] + in[1] * 256U) {
            Carillon__Welcome *welcome = carillon__welcome__unpack(
                NULL, len - FRAME_HEADER_BYTES, in + FRAME_HEADER_BYTES);

            assert_non_null(welcome);
            status = error_from_wire(welcome->status);
            carillon__welcome__free_unpacked(welcome, NULL);
            break;
        }
    }
    (void)close(fd);
    return status;
}

static void plain__without_the_local_secret__is_refused(void **state)
{
    (void)state;
    struct credential local;
    struct buf out;
    uint8_t nonce[PROOF_NONCE_BYTES] = {7};
    uint64_t none = count_of("no-credential");
    uint64_t secret = count_of("secret");
    uint64_t tokens = count_of("token");
    uint64_t replays = count_of("replay");
    uint64_t sizes = count_of("size");

    buf_init(&out, 8192);
    greeting_credential(the_daemon.address, &local);
    assert_int_equal(greeted_plain(hello(NULL)), ERR_UNAUTHENTICATED);
    assert_int_equal(greeted_plain(hello(token)), ERR_UNAUTHENTICATED);
    local.secret[0] ^= 1;
    greeting_proof(local.secret, 0, nonce, &out);
    assert_int_equal(greeted_plain(buf_slice(&out)), ERR_UNAUTHENTICATED);
    local.secret[0] ^= 1;
    buf_clear(&out);
    greeting_proof(local.secret, 60000, nonce, &out);
    assert_int_equal(greeted_plain(buf_slice(&out)), ERR_UNAUTHENTICATED);
    buf_clear(&out);
    greeting_proof(local.secret, 0, nonce, &out);
    assert_int_equal(greeted_plain(buf_slice(&out)), OK);
    assert_int_equal(greeted_plain(buf_slice(&out)), ERR_UNAUTHENTICATED); /* word for word */
    buf_clear(&out);
    assert_int_equal(buf_append(&out, "\x01\x01\0\0", 4), OK); /* 257 bytes */
    assert_int_equal(greeted_plain(buf_slice(&out)), ERR_TOO_LARGE);
    assert_int_equal(count_of("no-credential"), none + 1);
    assert_int_equal(count_of("token"), tokens + 1);
    assert_int_equal(count_of("secret"), secret + 2);
    assert_int_equal(count_of("replay"), replays + 1);
    assert_int_equal(count_of("size"), sizes + 1);
    credential_fini(&local);
    buf_fini(&out);
}

/* ---- what was recorded, changed, slow, or many ---- */

static void connection__recorded_and_said_again__opens_nothing(void **state)
{
    (void)state;
    const struct tls_peer_options none = {0};
    struct tls_peer peer;
    uint64_t before = count_of("tls");
    uint8_t answer[8192];

    tls_peer_open(&peer, the_daemon.address, &none);
    tls_peer_send(&peer, hello(token));
    assert_int_equal(tls_peer_read(&peer, 1), 1);
    int fd = tls_peer_dial(the_daemon.address);

    assert_int_equal(send(fd, peer.said.data, peer.said.len, MSG_NOSIGNAL), peer.said.len);
    while (recv(fd, answer, sizeof answer, 0) > 0) {
    }
    (void)close(fd);
    assert_int_equal(count_of("tls"), before + 1);
    /* And a record that was changed on the way ends a connection that was open. */
    peer.said.data[peer.said.len - 1] ^= 1;
    assert_true(send(peer.fd, peer.said.data + peer.said.len - 64, 64, MSG_NOSIGNAL) == 64);
    (void)tls_peer_read(&peer, 2);
    assert_true(peer.has_ended);
    assert_int_equal(count_of("tls"), before + 2);
    tls_peer_close(&peer);
}

static int crowd_fds[CROWD];

/* A thousand connections that all say this much of a handshake. */
static void crowd_come(struct slice words)
{
    for (size_t i = 0; i < CROWD; i++) {
        crowd_fds[i] = tls_peer_dial(the_daemon.address);
        assert_int_equal(send(crowd_fds[i], words.data, words.len, MSG_NOSIGNAL), words.len);
    }
}

/* All that there was no room for were counted. */
static void crowd_leave(uint64_t counted_before)
{
    assert_true(count_of("crowd") - counted_before >= CROWD - 257);
    for (size_t i = 0; i < CROWD; i++) {
        (void)close(crowd_fds[i]);
    }
}

static void handshakes__half_open_by_the_thousand__keep_nobody_out(void **state)
{
    (void)state;
    struct carillon_options options = {.address = the_daemon.address, .retry_never = true};
    struct carillon_client *newcomer = NULL;
    uint64_t before = count_of("crowd");

    crowd_come(SLICE_LITERAL("\x16\x03\x01"));
    assert_int_equal(carillon_create(&options, &newcomer), OK);
    assert_int_equal(carillon_connect(newcomer), OK);
    carillon_destroy(newcomer);
    crowd_leave(before);
}

/* The same message every time, and the node has to compute an answer to each. */
static void handshakes__begun_by_the_thousand__keep_nobody_out(void **state)
{
    (void)state;
    const struct tls_peer_options none = {0};
    struct tls_peer recorded;
    struct tls_peer newcomer;
    uint64_t before = count_of("crowd");

    tls_peer_open(&recorded, the_daemon.address, &none);
    assert_true(recorded.is_open && recorded.said.len > 5);
    crowd_come(slice_from(recorded.said.data,
                          5 + ((size_t)recorded.said.data[3] << 8 | recorded.said.data[4])));
    tls_peer_open(&newcomer, the_daemon.address, &none);
    tls_peer_send(&newcomer, hello(token));
    assert_int_equal(tls_peer_read(&newcomer, 1), 1);
    assert_int_equal(tls_peer_status(&newcomer, false), OK);
    tls_peer_close(&newcomer);
    tls_peer_close(&recorded);
    crowd_leave(before);
}

static void handshake__of_one_byte_a_second__is_cut_off(void **state)
{
    (void)state;
    static const uint8_t record[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2, 3, 4, 5};
    uint64_t before = count_of("slow");
    int fd = tls_peer_dial(the_daemon.address);
    struct timeval second = {.tv_sec = 1};
    uint8_t answer[256];
    int seconds = 0;
    bool is_cut = false;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second), 0);
    while (!is_cut && seconds < SLOW_SECONDS_MAX) {
        (void)send(fd, record + seconds % (int)sizeof record, 1, MSG_NOSIGNAL);
        ssize_t got = recv(fd, answer, sizeof answer, 0); /* a second, or the end */

        is_cut = got == 0 || (got < 0 && errno == ECONNRESET);
        seconds++;
    }
    (void)close(fd);
    assert_true(is_cut);
    assert_int_equal(count_of("slow"), before + 1);
}

/* ---- secrets ---- */

static uint8_t secrets[8][64]; /* what must not be found, as bytes and as digits */
static size_t secret_lens[8];
static size_t secret_count;
static size_t files_read;

static void secret_add(const uint8_t bytes[32])
{
    char digits[65];

    memcpy(secrets[secret_count], bytes, 32);
    secret_lens[secret_count++] = 32;
    hex_encode(slice_from(bytes, 32), digits);
    memcpy(secrets[secret_count], digits, 64);
    secret_lens[secret_count++] = 64;
}

static int look_into(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)walk;
    if (type != FTW_F || info->st_size == 0 || strstr(path, "/keys/") != NULL ||
        strstr(path, "/carillon-run-") != NULL) {
        return 0;
    }
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    size_t len = (size_t)info->st_size;
    uint8_t *bytes = malloc(len);

    assert_non_null(bytes);
    len = fread(bytes, 1, len, file);
    (void)fclose(file);
    for (size_t i = 0; i < secret_count; i++) {
        if (memmem(bytes, len, secrets[i], secret_lens[i]) != NULL) {
            fail_msg("%s holds secret %zu", path, i);
        }
    }
    free(bytes);
    files_read++;
    return 0;
}

/* The private key's 32 bytes. */
static void secret_add_key(const char *name)
{
    struct identity_key key = {0};
    struct buf der;

    read_key(name, &key);
    buf_init(&der, 4096);
    assert_int_equal(identity_key_to_der(&key, &der), OK);
    assert_int_equal(der.len, 48); /* RFC 8410: the seed is its end */
    secret_add(der.data + 16);
    identity_key_fini(&key);
    buf_fini(&der);
}

static void secrets__in_log_snapshot_audit_and_words__are_none(void **state)
{
    (void)state;
    struct credential local;
    Carillon__SnapshotRequest request = CARILLON__SNAPSHOT_REQUEST__INIT;
    Carillon__SnapshotReply *reply = NULL;

    assert_int_equal(carillon_call_message(bystander, CARILLON__METHOD__METHOD_SNAPSHOT, NULL,
                                           &request.base, &carillon__snapshot_reply__descriptor,
                                           &reply),
                     OK);
    carillon_message_free(reply);
    greeting_credential(the_daemon.address, &local);
    secret_add(token);
    secret_add(local.secret);
    secret_add_key("root.key");
    secret_add_key("node.key");
    credential_fini(&local);
    assert_int_equal(nftw(the_daemon.folder, look_into, 16, FTW_PHYS), 0);
    assert_true(files_read >= 4); /* log, snapshot, audit, what it said */
    char *said = daemon_log(&the_daemon);

    assert_non_null(strstr(said, "conn-refused reason=other-ca count=1"));
    assert_non_null(strstr(said, "conn-refused reason=revoked count=1"));
    free(said);
}

/* The last: it ends the daemon. */
static void core_dump__of_the_daemon__is_not_written(void **state)
{
    (void)state;
    int status = daemon_signal(&the_daemon, SIGABRT);

    assert_true(WIFSIGNALED(status));
    assert_false(WCOREDUMP(status));
}

/* ---- */

/* Two students, and a token for the first. */
static void import_students(void)
{
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    Carillon__TokenIssueRequest issue = CARILLON__TOKEN_ISSUE_REQUEST__INIT;
    Carillon__Student students[2] = {CARILLON__STUDENT__INIT, CARILLON__STUDENT__INIT};
    Carillon__Student *list[] = {&students[0], &students[1]};
    struct carillon_key id = carillon_key_make(bystander);
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];

    students[0].institution = wire_text("x");
    students[0].token = wire_text("ann");
    students[1].institution = wire_text("x");
    students[1].token = wire_text("bob");
    begin.kind = CARILLON__IMPORT_KIND__IMPORT_STUDENTS;
    begin.institution = wire_text("x");
    begin.import_id = wire_binary(slice_from(id.bytes, sizeof id.bytes));
    change(CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base,
           &carillon__import_begin_reply__descriptor);
    chunk.import_id = begin.import_id;
    chunk.n_students = 2;
    chunk.students = list;
    change(CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base,
           &carillon__import_chunk_reply__descriptor);
    commit.import_id = begin.import_id;
    commit.chunks = 1;
    change(CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base,
           &carillon__import_commit_reply__descriptor);
    carillon_random(bystander, token, sizeof token);
    identity_hash(slice_from(token, sizeof token), hash);
    issue.hash = wire_binary(slice_from(hash, sizeof hash));
    issue.student = wire_text("ann");
    change(CARILLON__METHOD__METHOD_TOKEN_ISSUE, &issue.base,
           &carillon__token_issue_reply__descriptor);
}

static int setup(void **state)
{
    struct carillon_options options = {.name = "bystander", .retry_never = true};
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    uint8_t seed[IDENTITY_KEY_BYTES] = {3};

    (void)state;
    (void)setrlimit(RLIMIT_CORE, &unlimited);
    daemon_init(&the_daemon);
    if (!daemon_start(&the_daemon, BINARY_FOLDER "/bin/carillond", NULL)) {
        return -1;
    }
    options.address = the_daemon.address;
    if (carillon_create(&options, &bystander) != OK || carillon_connect(bystander) != OK) {
        return -1;
    }
    buf_init(&certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    read_key("root.key", &root);
    identity_cluster_id(&root, cluster);
    import_students();
    return identity_key_make(seed, &holder);
}

static int teardown(void **state)
{
    (void)state;
    carillon_destroy(bystander);
    identity_key_fini(&root);
    identity_key_fini(&holder);
    buf_fini(&certificate);
    daemon_fini(&the_daemon);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate__in_order__is_let_in),
        cmocka_unit_test(certificate__none_and_no_token__is_refused),
        cmocka_unit_test(certificate__of_another_ca__is_refused),
        cmocka_unit_test(certificate__out_of_its_time__is_refused),
        cmocka_unit_test(certificate__of_another_cluster__is_refused),
        cmocka_unit_test(certificate__of_the_root_itself__is_refused),
        cmocka_unit_test(certificate__revoked__is_refused),
        cmocka_unit_test(tls__of_an_older_version_or_another_protocol__is_refused),
        cmocka_unit_test(token__unknown__is_refused),
        cmocka_unit_test(role__of_a_client_or_student__may_not_do_what_operators_and_nodes_may),
        cmocka_unit_test(plain__without_the_local_secret__is_refused),
        cmocka_unit_test(connection__recorded_and_said_again__opens_nothing),
        cmocka_unit_test(handshakes__half_open_by_the_thousand__keep_nobody_out),
        cmocka_unit_test(handshakes__begun_by_the_thousand__keep_nobody_out),
        cmocka_unit_test(handshake__of_one_byte_a_second__is_cut_off),
        cmocka_unit_test(secrets__in_log_snapshot_audit_and_words__are_none),
        cmocka_unit_test(core_dump__of_the_daemon__is_not_written),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
