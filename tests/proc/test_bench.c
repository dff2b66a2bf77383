/* The benchmarks, small: they pass their own check, say their figures, and leave nothing
 * behind. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum { OUTPUT_BYTES_MAX = 64 << 10, ARGUMENTS_MAX = 32, STEP_MS = 20, PATIENCE_STEPS = 3000 };

static char folder[64];
static char output[OUTPUT_BYTES_MAX];

static int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/carillon-test-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a benchmark left something */
}

static bool folder_is_empty(void)
{
    DIR *open_folder = opendir(folder);
    size_t count = 0;

    assert_non_null(open_folder);
    while (readdir(open_folder) != NULL) {
        count++;
    }
    (void)closedir(open_folder);
    return count == 2; /* . and .. */
}

/* Start `carillon bench ARGUMENTS... --folder FOLDER` with its output in a pipe. */
static pid_t bench_start(const char *const *arguments, int *ret_pipe)
{
    const char *line[ARGUMENTS_MAX] = {BINARY_FOLDER "/bin/carillon", "bench"};
    size_t count = 2;
    int ends[2];

    for (; arguments[count - 2] != NULL; count++) {
        line[count] = arguments[count - 2];
    }
    line[count++] = "--folder";
    line[count] = folder;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        union {
            const char **from;
            char **to;
        } argv = {.from = line}; /* execv only reads it */

        if (dup2(ends[1], 1) < 0) {
            _exit(127);
        }
        (void)close(ends[0]);
        (void)close(ends[1]);
        execv(line[0], argv.to);
        _exit(127);
    }
    (void)close(ends[1]);
    *ret_pipe = ends[0];
    return pid;
}

/* Run to the end. Returns: the exit code; `output` has what it printed. */
static int bench_run(const char *const *arguments)
{
    int from, status;
    size_t len = 0;
    ssize_t n;
    pid_t pid = bench_start(arguments, &from);

    while (len < sizeof output - 1 &&
           (n = read(from, output + len, sizeof output - 1 - len)) > 0) {
        len += (size_t)n;
    }
    output[len] = '\0';
    (void)close(from);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The value of a line `key=value` of the output. */
static double figure(const char *key)
{
    size_t len = strlen(key);

    for (const char *at = output; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, len) == 0 && at[len] == '=') {
            return strtod(at + len + 1, NULL);
        }
    }
    fail_msg("no line %s= in:\n%s", key, output);
    return 0;
}

static void bench_register__by_tls__is_checked_all_the_same(void **state)
{
    static const char *const arguments[] = {
        "register",      "--tls", "--seconds",     "0.5", "--warmup",   "0.2",
        "--runs",        "2",     "--students",    "500", "--sections", "60",
        "--outstanding", "32",    "--connections", "4",   NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_non_null(strstr(output, "transport=TLS 1.3\n"));
    assert_non_null(strstr(output, "verdict=passed\n"));
    assert_true(figure("accepted_per_s") > 0);
}

static void bench_handshake__both_kinds__are_what_they_say(void **state)
{
    static const char *const arguments[] = {"handshake", "--seconds", "0.5", NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_true(figure("full_per_s") > 0);
    assert_true(figure("full_short") == 0);
    assert_true(figure("resumed_per_s") > 0);
    assert_true(figure("resumed_short") > 0);
}

static void bench_overload__small__floods_and_recovers(void **state)
{
    static const char *const arguments[] = {"overload", "--seconds",     "0.5", "--warmup",
                                            "0.2",      "--times",       "2",   "--students",
                                            "500",      "--sections",    "60",  "--outstanding",
                                            "16",       "--connections", "4",   NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_non_null(strstr(output, "verdict=passed\n"));
    assert_true(figure("peak_answers_per_s") > 0);
    assert_true(figure("refused_answers_per_s") > 0);
    assert_true(figure("retried_answers_per_s") > 0);
    assert_true(figure("after_answers_per_s") > 0);
    assert_true(figure("refused_failed") == 0);
    assert_true(figure("retried_failed") == 0);
    assert_true(folder_is_empty());
}

static void bench_flood__small__brings_every_crowd(void **state)
{
    static const char *const arguments[] = {
        "flood",      "--seconds", "0.5",        "--warmup", "0.2",     "--runs", "1",
        "--students", "500",       "--sections", "60",       "--crowd", "400",    NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_non_null(strstr(output, "verdict=passed\n"));
    assert_true(figure("alone_p99_ms") > 0);
    assert_true(figure("silent_begun_per_s") > 0);
    assert_true(figure("hello_begun_per_s") > 0);
    assert_true(figure("slow_begun_per_s") > 0);
    assert_true(figure("slow_p99_ratio") > 0);
    assert_true(folder_is_empty());
}

static void bench_register__small__is_checked_and_leaves_nothing(void **state)
{
    static const char *const arguments[] = {"register", "--seconds",     "0.5", "--warmup",
                                            "0.2",      "--runs",        "2",   "--students",
                                            "500",      "--sections",    "60",  "--outstanding",
                                            "32",       "--connections", "4",   NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_non_null(strstr(output, "verdict=passed\n"));
    assert_true(figure("answers_per_s") > 0);
    assert_true(figure("accepted_per_s") > 0);
    assert_true(figure("checked") > 0);
    assert_true(figure("p50_ms") > 0);
    assert_true(figure("p50_ms") <= figure("p99_ms"));
    assert_true(figure("p99_ms") <= figure("max_ms"));
    assert_true(figure("server_us") > 0);
    assert_true(figure("floor_p50_ms") > 0);
    assert_true(figure("student_bytes") > 0);
    assert_int_equal((int)figure("failed"), 0);
    assert_true(folder_is_empty());
}

static void bench_search__samples__finds_and_measures(void **state)
{
    static const char *const arguments[] = {
        "search",     "--data",     SOURCE_FOLDER "/samples",
        "--seconds",  "0.5",        "--warmup",
        "0.2",        "--distinct", "100",
        "--students", "500",        "--sections",
        "60",         NULL};
    unsigned hit = 0, asked = 0;

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    const char *at = strstr(output, "hit_at_5=");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "hit_at_5=%u/%u", &hit, &asked), 2);
    assert_true(asked > 0);
    assert_true(hit * 10 >= asked * 9);
    assert_true(figure("search_per_s") > 0);
    assert_int_equal((int)figure("search_failed"), 0);
    assert_true(figure("search_node_cpu_us") > 0);
    assert_true(figure("distinct_per_s") > 0);
    assert_true(figure("paced_per_s") > 0);
    assert_true(figure("register_beside_p99_ms") > 0);
    assert_true(folder_is_empty());
}

static void bench_start__small__keeps_every_registration(void **state)
{
    static const char *const arguments[] = {
        "start",      "--data", SOURCE_FOLDER "/samples", "--students", "500",
        "--sections", "60",     "--registrations",        "300",        NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_non_null(strstr(output, "verdict=passed\n"));
    assert_true(figure("registrations") >= 300);
    assert_true(figure("found") >= figure("registrations"));
    assert_true(figure("killed_searched_s") > 0);
    assert_true(folder_is_empty());
}

static void bench_snapshot__small__keeps_every_registration(void **state)
{
    static const char *const arguments[] = {"snapshot",
                                            "--data",
                                            SOURCE_FOLDER "/samples",
                                            "--students",
                                            "500",
                                            "--sections",
                                            "60",
                                            "--registrations",
                                            "300",
                                            "--seconds",
                                            "0.5",
                                            "--warmup",
                                            "0.2",
                                            "--runs",
                                            "2",
                                            NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_non_null(strstr(output, "verdict=passed\n"));
    assert_true(figure("registrations") >= 300);
    assert_true(figure("found") == figure("accepted"));
    assert_true(figure("during_p999_ms") > 0);
    assert_true(figure("outside_p999_ms") > 0);
    assert_true(figure("snapshot_mib") > 0);
    assert_true(folder_is_empty());
}

static void bench_import__samples__registers_meanwhile(void **state)
{
    static const char *const arguments[] = {
        "import",     "--data",     SOURCE_FOLDER "/samples",
        "--seconds",  "0.5",        "--warmup",
        "0.2",        "--students", "500",
        "--sections", "60",         NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 0);
    assert_true(figure("courses") >= 180);
    assert_true(figure("import_s") > 0);
    assert_true(figure("beside_p99_ms") > 0);
    assert_true(folder_is_empty());
}

static void bench_register__interrupted__ends_soon_and_leaves_nothing(void **state)
{
    static const char *const arguments[] = {"register", "--seconds",  "600", "--runs",
                                            "1",        "--students", "500", "--sections",
                                            "60",       NULL};
    struct timespec step = {0, STEP_MS * 1000000L};
    int from, status, waited = 0;
    pid_t pid, ended = 0;

    (void)state;
    pid = bench_start(arguments, &from);
    while (folder_is_empty() && waited++ < PATIENCE_STEPS) {
        nanosleep(&step, NULL);
    }
    nanosleep(&(struct timespec){1, 0}, NULL);
    assert_int_equal(kill(pid, SIGINT), 0);
    for (waited = 0; ended == 0 && waited < PATIENCE_STEPS; waited++) {
        nanosleep(&step, NULL);
        ended = waitpid(pid, &status, WNOHANG);
    }
    assert_int_equal(ended, pid);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 0);
    (void)close(from);
    assert_true(folder_is_empty());
}

static void bench__no_kind__is_a_usage_error(void **state)
{
    static const char *const arguments[] = {NULL};

    (void)state;
    assert_int_equal(bench_run(arguments), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_register__small__is_checked_and_leaves_nothing),
        cmocka_unit_test(bench_register__by_tls__is_checked_all_the_same),
        cmocka_unit_test(bench_handshake__both_kinds__are_what_they_say),
        cmocka_unit_test(bench_overload__small__floods_and_recovers),
        cmocka_unit_test(bench_flood__small__brings_every_crowd),
        cmocka_unit_test(bench_search__samples__finds_and_measures),
        cmocka_unit_test(bench_start__small__keeps_every_registration),
        cmocka_unit_test(bench_snapshot__small__keeps_every_registration),
        cmocka_unit_test(bench_import__samples__registers_meanwhile),
        cmocka_unit_test(bench_register__interrupted__ends_soon_and_leaves_nothing),
        cmocka_unit_test(bench__no_kind__is_a_usage_error),
    };

    return cmocka_run_group_tests_name("bench", tests, folder_make, folder_remove);
}
