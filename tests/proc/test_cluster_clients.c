/* Real nodes that die under the clients that talk to them: the conversation of
 * tests/proc/conversation.txt goes on, and prints what it prints when nothing happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/cluster_bed.h"

enum {
    NODES = 3,
    COMMAND_BYTES = 2048,
    OUTPUT_BYTES = 64 << 10,
    LINE_BYTES = 1024,
    LINES_BEFORE_DEATH = 80, /* searching is over, and registering begins */
    OLD_MS = 1500,
    RESUME_TRIES = 100,
};

static const char script[] = SOURCE_FOLDER "/tests/proc/conversation.txt";
static struct cluster_bed bed;

static int setup(void **state)
{
    const struct cluster_options options = {.nodes = NODES};

    (void)state;
    assert_true(cluster_open(&bed, &options));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_close(&bed);
    return 0;
}

static void all_addresses(uint32_t first, char *out, size_t size)
{
    (void)snprintf(out, size, "%s,%s,%s", bed.nodes[first].address,
                   bed.nodes[(first + 1) % NODES].address,
                   bed.nodes[(first + 2) % NODES].address);
}

/* Run `carillon ARGUMENTS` against @connect. Returns: its exit code; @out has both its outputs.
 */
static int carillon(const char *connect, const char *arguments, char out[OUTPUT_BYTES])
{
    char command[COMMAND_BYTES];

    (void)snprintf(command, sizeof command,
                   "cd %s && CARILLON_CONNECT=%s %s/bin/carillon %s 2>&1", SOURCE_FOLDER,
                   connect, BINARY_FOLDER, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t len = fread(out, 1, OUTPUT_BYTES - 1, pipe);
    out[len] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void import_samples(void)
{
    char *out = calloc(1, OUTPUT_BYTES);

    assert_int_equal(carillon(bed.nodes[0].address, "import samples", out), 0);
    assert_int_equal(carillon(bed.nodes[0].address, "import --students samples/students", out),
                     0);
    free(out);
}

static char *script_text(void)
{
    char *text = calloc(1, OUTPUT_BYTES);
    FILE *file = fopen(script, "r");

    assert_non_null(file);
    assert_in_range(fread(text, 1, OUTPUT_BYTES - 1, file), 1, OUTPUT_BYTES - 2);
    (void)fclose(file);
    return text;
}

/* Hold the conversation, knowing the address of @first only, and kill that node in the middle.
 */
static char *converse_and_kill(uint32_t first)
{
    char command[COMMAND_BYTES];
    char line[LINE_BYTES];
    char *out = calloc(1, OUTPUT_BYTES);
    size_t len = 0;

    (void)snprintf(command, sizeof command, "%s/tests/conversation %s %s 2>&1", BINARY_FOLDER,
                   bed.nodes[first].address, script);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    for (int i = 0; fgets(line, sizeof line, pipe) != NULL; i++) {
        size_t bytes = strlen(line);

        assert_true(len + bytes < OUTPUT_BYTES);
        memcpy(out + len, line, bytes);
        len += bytes;
        if (i == LINES_BEFORE_DEATH) {
            cluster_kill(&bed, first);
        }
    }
    assert_int_equal(pclose(pipe), 0);
    return out;
}

static void expect_the_script(uint32_t victim)
{
    import_samples();
    char *got = converse_and_kill(victim);
    char *wanted = script_text();

    /* What it says at last is how often it was greeted: the death came in time. */
    char *end = strstr(got, "connections: ");

    if (end == NULL || strncmp(got, wanted, strlen(wanted)) != 0) {
        cluster_print(&bed);
    }
    assert_non_null(end);
    *end = '\0';
    assert_string_equal(got, wanted);
    free(got);
    free(wanted);
}

static void client__the_leader_it_talks_to_dies__goes_on_as_if_nothing_happened(void **state)
{
    (void)state;
    expect_the_script(cluster_leader(&bed));
}

static void client__the_follower_it_talks_to_dies__goes_on_as_if_nothing_happened(void **state)
{
    (void)state;
    expect_the_script((cluster_leader(&bed) + 1) % NODES);
}

/* The command line begins anew each time: of the addresses it was given one has to answer. */
static void command_line__with_several_addresses__finds_those_that_live(void **state)
{
    char *out = calloc(1, OUTPUT_BYTES);
    uint32_t leader = cluster_leader(&bed);
    char list[COMMAND_BYTES / 2];
    int code = -1;

    (void)state;
    import_samples();
    all_addresses(leader, list, sizeof list);
    cluster_kill(&bed, leader);
    code = carillon(list, "register --student lm-0007 'COMP 240'", out);
    assert_int_equal(code, 0);
    assert_non_null(strstr(out, "registered"));
    assert_int_equal(carillon(bed.nodes[leader].address, "schedule --student lm-0007", out), 5);

    /* one node is left: it cannot decide, nor say that it knows all, but what it knew and how
     * long ago; that the registration is committed it hears by the next heartbeat */
    (void)usleep(OLD_MS * 1000);
    cluster_kill(&bed, (leader + 1) % NODES);
    (void)usleep(OLD_MS * 1000);
    assert_int_equal(carillon(list, "schedule --timeout 1 --student lm-0007", out), 5);
    assert_int_equal(carillon(list, "schedule --stale-ok --student lm-0007", out), 0);
    assert_non_null(strstr(out, "COMP 240#1"));
    const char *at = strstr(out, "at most ");
    assert_non_null(at);
    double age = strtod(at + strlen("at most "), NULL);
    assert_true(age >= OLD_MS / 1000.0 - 0.1);
    (void)usleep(OLD_MS * 1000);
    assert_int_equal(carillon(list, "show --stale-ok 'COMP 240'", out), 0);
    at = strstr(out, "at most ");
    assert_non_null(at);
    assert_true(strtod(at + strlen("at most "), NULL) >= age + OLD_MS / 1000.0 - 0.1);
    free(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(client__the_leader_it_talks_to_dies__goes_on_as_if_nothing_happened),
        TEST(client__the_follower_it_talks_to_dies__goes_on_as_if_nothing_happened),
        TEST(command_line__with_several_addresses__finds_those_that_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
