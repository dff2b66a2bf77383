/* A second daemon becomes a node of the first one's cluster, by an invite, once; and everything
 * that is no invite, or no cluster to join, is refused, said and counted. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/carillon.h"
#include "identity/encoding.h"
#include "identity/keyring_join.h"
#include "proto/envelope.pb-c.h"
#include "proto/identity.pb-c.h"
#include "proto/meta.pb-c.h"
#include "proto/operator.pb-c.h"
#include "tests/lib/daemon.h"
#include "wire/message.h"

enum { INVITE_BYTES = 300, PATH_BYTES = DAEMON_PATH_BYTES + 64, OUTPUT_BYTES = 4096, ADDED_TRIES = 100 };

static const char program[] = BINARY_FOLDER "/bin/carillond";
static struct daemon first;
static struct carillon_client *operator;
static char root[2 * IDENTITY_FINGERPRINT_BYTES + 1];

/* ---- the first node, as its operator sees it ---- */

static void *call(uint32_t method, bool is_write, const ProtobufCMessage *request,
                  const ProtobufCMessageDescriptor *type)
{
    struct carillon_key key = carillon_key_make(operator);
    void *reply = NULL;

    assert_int_equal(
        carillon_call_message(operator, method, is_write ? &key : NULL, request, type, &reply),
        OK);
    return reply;
}

static uint64_t refused_by_invite(void)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = call(CARILLON__METHOD__METHOD_STATUS, false, &request.base,
                                        &carillon__status_reply__descriptor);
    uint64_t count = UINT64_MAX;

    for (size_t i = 0; i < reply->n_refused; i++) {
        if (strcmp(reply->refused[i]->reason, "invite") == 0) {
            count = reply->refused[i]->count;
        }
    }
    carillon_message_free(reply);
    assert_true(count != UINT64_MAX);
    return count;
}

static size_t member_count(void)
{
    Carillon__MembersRequest request = CARILLON__MEMBERS_REQUEST__INIT;
    Carillon__MembersReply *reply = call(CARILLON__METHOD__METHOD_MEMBERS, false, &request.base,
                                         &carillon__members_reply__descriptor);
    size_t count = reply->n_members;

    carillon_message_free(reply);
    return count;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Grant an invite that lives @span_ms. Returns: the hash it is known by. */
static void invite(uint64_t span_ms, char out[INVITE_BYTES],
                   uint8_t ret_hash[IDENTITY_FINGERPRINT_BYTES])
{
    Carillon__GrantRequest request = CARILLON__GRANT_REQUEST__INIT;
    uint8_t secret[TOKEN_BYTES];
    char digits[2 * TOKEN_BYTES + 1];

    carillon_random(operator, secret, sizeof secret);
    identity_hash(slice_from(secret, sizeof secret), ret_hash);
    request.hash = wire_binary(slice_from(ret_hash, IDENTITY_FINGERPRINT_BYTES));
    request.role = CARILLON__ROLE__ROLE_NODE;
    request.name = wire_text("invite");
    request.expires_ms = now_ms() + span_ms;
    carillon_message_free(call(CARILLON__METHOD__METHOD_GRANT, true, &request.base,
                               &carillon__grant_reply__descriptor));
    hex_encode(slice_from(secret, sizeof secret), digits);
    (void)snprintf(out, INVITE_BYTES, "carillon-invite:%s:%s:%s", first.address, root, digits);
}

static void good_invite(char out[INVITE_BYTES])
{
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];

    invite(3600000, out, hash);
}

/* ---- others ---- */

/* A port that nobody had a moment ago. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Start it with an invite (NULL: without) on a port of its own, saying that it is found there or
 * nowhere. */
static bool start_at(struct daemon *daemon, const char *line, bool is_found)
{
    char listen[32];
    char advertise[64];
    const char *flags[] = {"--listen",    listen, "--set", advertise, "--set",
                           "name=second", line != NULL ? "--join" : NULL, line, NULL};

    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", free_port());
    (void)snprintf(advertise, sizeof advertise, "advertise=%s",
                   is_found ? listen : "127.0.0.1:1");
    return daemon_start(daemon, program, flags);
}

/* Nobody finds it: it is not added to the groups, and they do not miss it when it has ended. */
static bool start(struct daemon *daemon, const char *line)
{
    return start_at(daemon, line, false);
}

static void expect_said(const struct daemon *daemon, const char *words)
{
    char *said = daemon_log(daemon);

    if (strstr(said, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, said);
    }
    free(said);
}

/* A newcomer with this invite does not start, and says @words. */
static void expect_refused(const char *line, const char *words)
{
    struct daemon newcomer;

    daemon_init(&newcomer);
    assert_false(start(&newcomer, line));
    expect_said(&newcomer, words);
    daemon_fini(&newcomer);
}

static void run(const char *command, char out[OUTPUT_BYTES])
{
    FILE *pipe = popen(command, "r");

    assert_non_null(pipe);
    size_t len = fread(out, 1, OUTPUT_BYTES - 1, pipe);

    out[len] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void key_path(const struct daemon *daemon, const char *name, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s/data/keys/%s", daemon->folder, name);
}

static void copy_key(const struct daemon *from, const struct daemon *to)
{
    char path[PATH_BYTES];
    char bytes[4096];

    key_path(from, "node.key", path);
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);

    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/data", to->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    key_path(to, "", path);
    assert_int_equal(mkdir(path, 0700), 0);
    key_path(to, "node.key", path);
    (void)umask(0077);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    (void)fclose(file);
}

/* ---- joining ---- */

/* Of two nodes one votes and the other learns, for good: nothing is said to move. */
static void expect_shards(const struct daemon *daemon)
{
    char command[OUTPUT_BYTES];
    char out[OUTPUT_BYTES];
    const char *row = out;
    int rows = 0;

    (void)snprintf(command, sizeof command, "%s/bin/carillon shards --connect %s", BINARY_FOLDER,
                   daemon->address);
    run(command, out);
    while ((row = strstr(row, "\tsecond\t\t")) != NULL) {
        row++;
        rows++;
    }
    assert_int_equal(rows, 2);
    assert_int_equal(strncmp(out, "cluster\t", 8), 0);
    assert_non_null(strstr(out, "\nshard 1\t"));
}

static void node__with_an_invite__is_listed_and_goes_on_without_it(void **state)
{
    struct daemon second;
    char command[OUTPUT_BYTES];
    char out[OUTPUT_BYTES];
    char line[OUTPUT_BYTES];

    (void)state;
    daemon_init(&second);
    (void)snprintf(command, sizeof command, "%s/bin/carillon node invite --connect %s",
                   BINARY_FOLDER, first.address);
    run(command, line);
    line[strcspn(line, "\n")] = '\0';
    assert_true(start_at(&second, line, true));
    expect_said(&second, "waiting to be added");
    (void)snprintf(command, sizeof command, "%s/bin/carillon members --connect %s",
                   BINARY_FOLDER, first.address);
    for (int i = 0; i < ADDED_TRIES && (i == 0 || strstr(out, "joining") != NULL); i++) {
        (void)usleep(100000); /* the first one adds it by itself */
        run(command, out);
    }
    assert_non_null(strstr(out, "second"));
    assert_non_null(strstr(out, second.address));
    assert_non_null(strstr(out, first.address));
    assert_null(strstr(out, "joining"));
    (void)snprintf(command, sizeof command, "%s/bin/carillon members --json --connect %s",
                   BINARY_FOLDER, first.address);
    run(command, out);
    assert_null(strstr(out, "\"MEMBER_JOINING\""));
    assert_non_null(strstr(out, "\"MEMBER_PRESENT\""));
    expect_shards(&first);

    /* killed, and started without the invite, then with it, though it is used */
    (void)daemon_signal(&second, SIGKILL);
    assert_true(start_at(&second, NULL, true));
    (void)daemon_signal(&second, SIGTERM);
    assert_true(start_at(&second, line, true));
    assert_int_equal(member_count(), 2);
    daemon_fini(&second);
}

static void invite__used_by_one__lets_no_other_in(void **state)
{
    struct daemon second;
    char line[INVITE_BYTES];
    uint64_t before = refused_by_invite();
    size_t members = member_count();

    (void)state;
    good_invite(line);
    daemon_init(&second);
    assert_true(start(&second, line));
    expect_refused(line, "the invite was used");
    assert_int_equal(refused_by_invite(), before + 1);
    assert_int_equal(member_count(), members + 1);
    daemon_fini(&second);
}

/* Its answer was lost: it has its key, and asks again. */
static void invite__shown_again_by_the_same_node__is_answered_again(void **state)
{
    struct daemon second;
    struct daemon again;
    char line[INVITE_BYTES];
    size_t members = member_count();

    (void)state;
    good_invite(line);
    daemon_init(&second);
    daemon_init(&again);
    assert_true(start(&second, line));
    (void)daemon_signal(&second, SIGKILL);
    copy_key(&second, &again);
    assert_true(start(&again, line));
    assert_int_equal(member_count(), members + 1);
    daemon_fini(&again);
    daemon_fini(&second);
}

static void invite__ended_revoked_or_invented__is_refused_and_counted(void **state)
{
    Carillon__RevokeRequest revoke = CARILLON__REVOKE_REQUEST__INIT;
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];
    char line[INVITE_BYTES];
    uint64_t before = refused_by_invite();
    size_t members = member_count();

    (void)state;
    invite(1, line, hash);
    (void)usleep(2000);
    expect_refused(line, "the invite is unknown");
    invite(3600000, line, hash);
    revoke.id = wire_binary(slice_from(hash, 8));
    carillon_message_free(call(CARILLON__METHOD__METHOD_REVOKE, true, &revoke.base,
                               &carillon__revoke_reply__descriptor));
    expect_refused(line, "the invite is unknown");
    good_invite(line);
    line[strlen(line) - 1] = line[strlen(line) - 1] == '0' ? '1' : '0';
    expect_refused(line, "the invite is unknown");
    assert_int_equal(refused_by_invite(), before + 3);
    assert_int_equal(member_count(), members);
}

static void invite__with_another_fingerprint__is_not_shown_to_anybody(void **state)
{
    char line[INVITE_BYTES];
    uint64_t before = refused_by_invite();
    char *at;

    (void)state;
    good_invite(line);
    at = strstr(line, root);
    at[0] = at[0] == '0' ? '1' : '0';
    expect_refused(line, "not of the cluster that the invite is for");
    assert_int_equal(refused_by_invite(), before);
    at[0] = root[0];
    expect_refused("carillon-invite:nonsense", "carillon-invite:HOST:PORT");
}

/* ---- folders ---- */

static void folder__of_another_cluster__does_not_join(void **state)
{
    struct daemon other;
    char line[INVITE_BYTES];
    size_t members = member_count();

    (void)state;
    good_invite(line);
    daemon_init(&other);
    assert_true(start(&other, NULL));
    (void)daemon_signal(&other, SIGTERM);
    assert_false(start(&other, line));
    expect_said(&other, "belongs to another cluster");
    assert_true(start(&other, NULL)); /* and is unharmed */
    assert_int_equal(member_count(), members);
    daemon_fini(&other);
}

static void folder__that_began_to_join__says_how_to_go_on(void **state)
{
    struct daemon second;
    struct daemon halfway;
    char line[INVITE_BYTES];

    (void)state;
    good_invite(line);
    daemon_init(&second);
    daemon_init(&halfway);
    assert_true(start(&second, line));
    copy_key(&second, &halfway);
    assert_false(start(&halfway, NULL));
    expect_said(&halfway, "began to join a cluster");
    daemon_fini(&halfway);
    daemon_fini(&second);
}

/* The certificate cannot be signed: the invite is as good as before. */
static void root_key__moved_away__is_asked_for_and_the_invite_stays_good(void **state)
{
    struct daemon second;
    char line[INVITE_BYTES];
    char path[PATH_BYTES];
    char away[PATH_BYTES];
    size_t members = member_count();

    (void)state;
    good_invite(line);
    key_path(&first, "root.key", path);
    (void)snprintf(away, sizeof away, "%s/away", first.folder);
    assert_int_equal(rename(path, away), 0);
    expect_refused(line, "put root.key back into DATA/keys");
    assert_int_equal(member_count(), members);
    assert_int_equal(rename(away, path), 0);
    daemon_init(&second);
    assert_true(start(&second, line));
    assert_int_equal(member_count(), members + 1);
    daemon_fini(&second);
}

static void node__that_others_could_not_find__does_not_ask(void **state)
{
    struct daemon second;
    char line[INVITE_BYTES];
    const char *flags[] = {"--listen", "127.0.0.1:0", "--join", line, NULL};

    (void)state;
    good_invite(line);
    daemon_init(&second);
    assert_false(daemon_start(&second, program, flags));
    expect_said(&second, "set advertise");
    daemon_fini(&second);
}

static void node__that_nobody_adds__answers_for_its_state_and_nothing_else(void **state)
{
    struct daemon second;
    char line[INVITE_BYTES];
    char command[OUTPUT_BYTES];
    char out[OUTPUT_BYTES];

    (void)state;
    good_invite(line);
    daemon_init(&second);
    assert_true(start(&second, line));
    (void)snprintf(command, sizeof command, "%s/bin/carillon status --connect %s",
                   BINARY_FOLDER, second.address);
    run(command, out);
    assert_non_null(strstr(out, "waiting to be added"));
    (void)snprintf(command, sizeof command,
                   "%s/bin/carillon search algebra --connect %s 2>&1; test $? = 5",
                   BINARY_FOLDER, second.address);
    run(command, out);
    (void)snprintf(command, sizeof command,
                   "%s/bin/carillon members --connect %s 2>&1; test $? = 5", BINARY_FOLDER,
                   second.address);
    run(command, out);
    assert_non_null(strstr(out, "waits to be added"));
    daemon_fini(&second);
}

static void members__after_a_restart__are_as_before(void **state)
{
    size_t members = member_count();

    (void)state;
    carillon_destroy(operator);
    (void)daemon_signal(&first, SIGKILL);
    assert_true(daemon_start(&first, program, NULL));
    struct carillon_options options = {.address = first.address};

    assert_int_equal(carillon_create(&options, &operator), OK);
    assert_int_equal(member_count(), members);
}

/* ---- */

static int setup(void **state)
{
    struct carillon_options options = {.name = "operator"};
    Carillon__KeysRequest request = CARILLON__KEYS_REQUEST__INIT;

    (void)state;
    daemon_init(&first);
    if (!daemon_start(&first, program, NULL)) {
        return -1;
    }
    options.address = first.address;
    if (carillon_create(&options, &operator) != OK || carillon_connect(operator) != OK) {
        return -1;
    }
    Carillon__KeysReply *reply = call(CARILLON__METHOD__METHOD_KEYS, false, &request.base,
                                      &carillon__keys_reply__descriptor);

    hex_encode(wire_bytes(reply->keys[0]->fingerprint), root);
    carillon_message_free(reply);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    carillon_destroy(operator);
    daemon_fini(&first);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__with_an_invite__is_listed_and_goes_on_without_it),
        cmocka_unit_test(invite__used_by_one__lets_no_other_in),
        cmocka_unit_test(invite__shown_again_by_the_same_node__is_answered_again),
        cmocka_unit_test(invite__ended_revoked_or_invented__is_refused_and_counted),
        cmocka_unit_test(invite__with_another_fingerprint__is_not_shown_to_anybody),
        cmocka_unit_test(folder__of_another_cluster__does_not_join),
        cmocka_unit_test(folder__that_began_to_join__says_how_to_go_on),
        cmocka_unit_test(root_key__moved_away__is_asked_for_and_the_invite_stays_good),
        cmocka_unit_test(node__that_others_could_not_find__does_not_ask),
        cmocka_unit_test(node__that_nobody_adds__answers_for_its_state_and_nothing_else),
        cmocka_unit_test(members__after_a_restart__are_as_before),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
