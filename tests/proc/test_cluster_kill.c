/* Three real daemons, one that dies: registrations go on, and nothing acknowledged is lost. The
 * load and its check are those of `carillon bench register`: every answer is compared with what
 * the cluster holds afterwards. */
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
    KILLS_MERGE = 2,
    KILLS_NIGHTLY = 30,
    BEFORE_KILL_MS = 4500, /* the catalogue is there and registrations have begun */
    GATHER_TRIES = 200,
    RESUME_MS_MAX = 10000, /* generous: figures are docs/performance.md's business */
};

static const char program[] = BINARY_FOLDER "/bin/carillond";
static struct daemon nodes[NODES];
static double resumed_ms[KILLS_NIGHTLY];

static uint32_t kills(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    return campaign != NULL && strcmp(campaign, "nightly") == 0 ? KILLS_NIGHTLY : KILLS_MERGE;
}

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

/* ---- a death in the middle of a rush ---- */

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

static void cluster__leader_killed_in_a_rush__loses_nothing(void **state)
{
    char out[OUTPUT_BYTES];

    (void)state;
    for (uint32_t i = 0; i < kills(); i++) {
        uint32_t victim = leader();
        FILE *rush = rush_begin(&nodes[(victim + 1) % NODES], i + 1);

        (void)usleep(BEFORE_KILL_MS * 1000);
        assert_true(WIFSIGNALED(daemon_signal(&nodes[victim], SIGKILL)));
        rush_end(rush, out);
        assert_non_null(strstr(out, "verdict=passed"));
        assert_true(figure(out, "failed=") == 0 && figure(out, "unknown=") == 0);
        assert_true(figure(out, "accepted_per_s=") > 0);
        resumed_ms[i] = figure(out, "max_ms=");
        assert_true(resumed_ms[i] < RESUME_MS_MAX);
        print_message("leader killed: the longest answer took %.0f ms, %.0f checked\n",
                      resumed_ms[i], figure(out, "checked="));
        assert_true(leader() != victim);
        restart(&nodes[victim]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster__leader_killed_in_a_rush__loses_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
