/* Three real daemons that are restarted one after the other, and one that is drained and removed:
 * registrations go on, and nothing acknowledged is lost. The load and its check are those of
 * `carillon bench register`: every answer is compared with what the cluster holds afterwards. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/daemon.h"

enum {
    NODES = 3,
    COMMAND_BYTES = 2048,
    OUTPUT_BYTES = 8192,
    BEFORE_RESTART_MS = 4500, /* the catalogue is there and registrations have begun */
    GATHER_TRIES = 200,
};

static const char program[] = BINARY_FOLDER "/bin/carillond";
static struct daemon nodes[NODES];

static void run(const char *command, char out[OUTPUT_BYTES])
{
    FILE *pipe = popen(command, "r");

    assert_non_null(pipe);
    size_t len = fread(out, 1, OUTPUT_BYTES - 1, pipe);
    out[len] = '\0';
    (void)pclose(pipe);
}

/* ---- the cluster ---- */

/* A port that is free now: the others have to find this node, after a restart as well. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void start_with(struct daemon *node, const char *listen, const char *invite)
{
    const char *const flags[] = {"--listen", listen, invite == NULL ? NULL : "--join", invite,
                                 NULL};

    if (!daemon_start(node, program, flags)) {
        char *log = daemon_log(node);

        print_error("%s\n", log);
        free(log);
        fail();
    }
}

static void join(struct daemon *node)
{
    char command[COMMAND_BYTES];
    char out[OUTPUT_BYTES];
    char listen[32];

    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", free_port());
    (void)snprintf(command, sizeof command, "%s/bin/carillon node invite --connect %s",
                   BINARY_FOLDER, nodes[0].address);
    run(command, out);
    char *invite = strstr(out, "carillon-invite:");
    assert_non_null(invite);
    invite[strcspn(invite, " \n")] = '\0';
    start_with(node, listen, invite);
}

/* The newest term in which @node began to lead the shard, or 0. */
static unsigned long led_term(const struct daemon *node)
{
    char *log = daemon_log(node);
    unsigned long newest = 0;

    for (const char *at = log; (at = strstr(at, "leading group=1 term=")) != NULL; at++) {
        newest = strtoul(at + strlen("leading group=1 term="), NULL, 10);
    }
    free(log);
    return newest;
}

static uint32_t leader(void)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < NODES; i++) {
        if (led_term(&nodes[i]) > led_term(&nodes[best])) {
            best = i;
        }
    }
    return best;
}

static uint32_t voters_made(void)
{
    uint32_t made = 0;

    for (uint32_t i = 0; i < NODES; i++) {
        char *log = daemon_log(&nodes[i]);

        for (const char *at = log; (at = strstr(at, "group-changes group=1 ")) != NULL; at++) {
            made += strncmp(strstr(at, "change="), "change=2", 8) == 0;
        }
        free(log);
    }
    return made;
}

static int setup(void **state)
{
    char listen[32];

    (void)state;
    for (uint32_t i = 0; i < NODES; i++) {
        daemon_init(&nodes[i]);
    }
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", free_port());
    start_with(&nodes[0], listen, NULL);
    join(&nodes[1]);
    join(&nodes[2]);
    for (int i = 0; i < GATHER_TRIES && voters_made() < NODES - 1; i++) {
        (void)usleep(50000);
    }
    assert_int_equal(voters_made(), NODES - 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NODES; i++) {
        daemon_fini(&nodes[i]);
    }
    return 0;
}

/* ---- a rush ---- */

static double figure(const char *out, const char *name)
{
    const char *at = strstr(out, name);

    assert_non_null(at);
    return strtod(at + strlen(name), NULL);
}

static FILE *rush_begin(const struct daemon *entrance, uint32_t seed)
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof command,
                   "%s/bin/carillon bench register --connect %s --runs 1 --seconds 8 "
                   "--warmup 1 --outstanding 32 --connections 4 --students 3000 "
                   "--sections 300 --seed %u 2>&1",
                   BINARY_FOLDER, entrance->address, seed);
    FILE *rush = popen(command, "r");
    assert_non_null(rush);
    return rush;
}

static void print_logs(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        char *log = daemon_log(&nodes[i]);

        (void)fprintf(stderr, "node %u, %s:\n%s\n", i + 1, nodes[i].address, log);
        free(log);
    }
}

static void rush_end(FILE *rush, char out[OUTPUT_BYTES])
{
    size_t len = fread(out, 1, OUTPUT_BYTES - 1, rush);

    out[len] = '\0';
    int status = pclose(rush);
    if (status != 0) {
        print_error("%s\n", out);
        print_logs();
    }
    assert_int_equal(status, 0);
}

static void restart(struct daemon *node)
{
    char address[sizeof node->address];

    (void)snprintf(address, sizeof address, "%s", node->address);
    start_with(node, address, NULL);
}

/* ---- in good order ---- */

static void ask(const struct daemon *node, const char *words, char out[OUTPUT_BYTES])
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof command, "%s/bin/carillon %s --connect %s 2>&1",
                   BINARY_FOLDER, words, node->address);
    run(command, out);
}

/* The words of the line about @of, as @node answers to `members`. */
static bool members_say(const struct daemon *node, const struct daemon *of, const char *words)
{
    char out[OUTPUT_BYTES];

    ask(node, "members", out);
    char *line = strstr(out, of->address);
    if (line != NULL) {
        line[strcspn(line, "\n")] = '\0';
    }
    return line != NULL && strstr(line, words) != NULL;
}

static bool members_come_to_say(const struct daemon *node, const struct daemon *of,
                                const char *words)
{
    for (int i = 0; i < GATHER_TRIES; i++) {
        if (members_say(node, of, words)) {
            return true;
        }
        (void)usleep(50000);
    }
    return false;
}

static bool nobody_lags(void)
{
    char out[OUTPUT_BYTES];

    for (int i = 0; i < GATHER_TRIES; i++) {
        bool lags = false;

        for (uint32_t node = 0; node < NODES; node++) {
            ask(&nodes[node], "status", out);
            lags |= strstr(out, "lags") != NULL || strstr(out, "group") == NULL;
        }
        if (!lags) {
            return true;
        }
        (void)usleep(50000);
    }
    return false;
}

static void restart_in_good_order(struct daemon *node, const struct daemon *witness)
{
    int status = daemon_signal(node, SIGTERM);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(members_come_to_say(witness, node, "left"));
    restart(node);
    assert_true(members_come_to_say(witness, node, "alive"));
}

/* Each is stopped and started while registrations come in by another. */
static void cluster__restarted_node_by_node_in_a_rush__loses_nothing(void **state)
{
    char out[OUTPUT_BYTES];

    (void)state;
    assert_true(nobody_lags());
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t entrance = round == 0 ? 0 : 1;
        FILE *rush = rush_begin(&nodes[entrance], 100 + round);

        (void)usleep(BEFORE_RESTART_MS * 1000);
        for (uint32_t i = 0; i < NODES; i++) {
            if (i != entrance && (round == 0 || i == 0)) {
                restart_in_good_order(&nodes[i], &nodes[entrance]);
            }
        }
        rush_end(rush, out);
        assert_non_null(strstr(out, "verdict=passed"));
        assert_true(figure(out, "failed=") == 0 && figure(out, "unknown=") == 0);
        assert_true(figure(out, "accepted_per_s=") > 0);
        print_message("restarted one by one: the longest answer took %.0f ms, %.0f checked\n",
                      figure(out, "max_ms="), figure(out, "checked="));
        assert_true(nobody_lags());
    }
}

static bool has_said(const struct daemon *node, const char *words)
{
    char *log = daemon_log(node);
    bool has = strstr(log, words) != NULL;

    free(log);
    return has;
}

/* It stops by itself; and when its folder is started again it is told, and stops again. */
static void expect_stopped(struct daemon *node)
{
    int status = 0;

    for (int i = 0; i < GATHER_TRIES && waitpid(node->pid, &status, WNOHANG) == 0; i++) {
        (void)usleep(50000);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 0) {
        print_logs();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    node->pid = 0;
    assert_true(has_said(node, "this node was removed from its cluster"));
}

static void cluster__leader_drained_and_removed__goes_on_without_it(void **state)
{
    char out[OUTPUT_BYTES];
    char words[128];
    uint32_t gone = leader();
    struct daemon *other = &nodes[(gone + 1) % NODES];

    (void)state;
    (void)snprintf(words, sizeof words, "node drain %s", nodes[gone].address);
    ask(other, words, out);
    assert_non_null(strstr(out, "is being drained"));
    assert_true(members_come_to_say(other, &nodes[gone], "leaving"));
    for (int i = 0; i < GATHER_TRIES && leader() == gone; i++) {
        (void)usleep(50000);
    }
    assert_true(leader() != gone);
    (void)snprintf(words, sizeof words, "node remove %s", nodes[gone].address);
    ask(other, words, out);
    assert_non_null(strstr(out, "is removed"));
    expect_stopped(&nodes[gone]);
    assert_true(members_come_to_say(other, &nodes[gone], "removed"));
    (void)snprintf(words, sizeof words, "node drain %s", nodes[gone].address);
    ask(other, words, out);
    assert_non_null(strstr(out, "no node of the cluster is called"));
    rush_end(rush_begin(other, 200), out);
    assert_non_null(strstr(out, "verdict=passed"));
    restart(&nodes[gone]);
    expect_stopped(&nodes[gone]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__restarted_node_by_node_in_a_rush__loses_nothing),
        cmocka_unit_test(cluster__leader_drained_and_removed__goes_on_without_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
