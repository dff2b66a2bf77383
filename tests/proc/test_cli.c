/* The command line against a real daemon and the samples: a registrar's and a student's day,
 * with the exit codes that scripts rely on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "carillon/verbs.h"
#include "tests/lib/daemon.h"

enum {
    OUTPUT_BYTES_MAX = 1 << 20,
    COMMAND_BYTES = 2048,
    LARGE_RECORDS = 60000,
    PROMOTED_TRIES = 500
};

static struct daemon the_daemon;
static char output[OUTPUT_BYTES_MAX];

/* Run `carillon ARGUMENTS` in a shell, both outputs in `output`. Returns: its exit code. */
static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int run(const char *format, ...)
{
    char command[COMMAND_BYTES];
    va_list arguments;
    int prefix =
        snprintf(command, sizeof command, "cd '%s' && CARILLON_CONNECT=%s '%s/bin/carillon' ",
                 SOURCE_FOLDER, the_daemon.address, BINARY_FOLDER);

    va_start(arguments, format);
    vsnprintf(command + prefix, sizeof command - (size_t)prefix, format, arguments);
    va_end(arguments);
    strncat(command, " 2>&1", sizeof command - strlen(command) - 1);
    FILE *pipe = popen(command, "r");

    assert_non_null(pipe);
    size_t len = fread(output, 1, sizeof output - 1, pipe);

    output[len] = '\0';
    int status = pclose(pipe);

    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_says(const char *text)
{
    if (strstr(output, text) == NULL) {
        fail_msg("\"%s\" is expected in\n%s", text, output);
    }
}

static int start_with(const char *const *flags)
{
    daemon_init(&the_daemon);
    return daemon_start(&the_daemon, BINARY_FOLDER "/bin/carillond", flags) ? 0 : -1;
}

static int start(void **state)
{
    (void)state;
    return start_with(NULL);
}

static int start_shards(void **state)
{
    static const char *const flags[] = {"--shards", "8", NULL};

    (void)state;
    return start_with(flags);
}

static int stop(void **state)
{
    (void)state;
    daemon_fini(&the_daemon);
    return 0;
}

static void cli__without_a_daemon__says_how_to_start_one(void **state)
{
    (void)state;
    assert_int_equal(run("status --connect 127.0.0.1:1"), EXIT_UNAVAILABLE);
    assert_says("carillon: no daemon answers at 127.0.0.1:1: nothing answers at that address; "
                "start one with `carillond`");
    assert_int_equal(run("status --connect here:and:there"), EXIT_USAGE);
}

static void cli__wrong_usage__exits_with_64(void **state)
{
    static const char *const rows[] = {
        "",
        "frobnicate",
        "show",
        "show A B",
        "swap A",
        "cap X",
        "cap X many",
        "permit a b",
        "block lm-0001",
        "call no.such",
        "register A",
        "export --kind x",
        "limits",
        "open",
        "import --term 'A b' x",
        "call node.status '{\"x\":1}'",
        "register --student a ''",
        "audit --limit 5000",
        "search x --limit 1000",
        "open lindenmoor --from soon",
        "sim",
        "sim --seed many",
        "sim --seed 1 --nodes 4",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int code = run("%s", rows[i]);

        if (code != EXIT_USAGE) {
            fail_msg("carillon %s: exit %d\n%s", rows[i], code, output);
        }
    }
}

static void cli__help_of_every_verb__has_an_example(void **state)
{
    (void)state;
    for (size_t i = 0; verb_at(i) != NULL; i++) {
        char example[64];

        snprintf(example, sizeof example, "carillon %s", verb_at(i)->name);
        assert_int_equal(run("%s --help", verb_at(i)->name), EXIT_DONE);
        const char *first = strstr(output, example);

        assert_non_null(first);
        /* Once in the usage line, and once more in an example. */
        assert_non_null(strstr(first + 1, example));
        assert_null(strchr(output, '\\')); /* an escape that was escaped */
    }
    assert_int_equal(run("--help"), EXIT_DONE);
    assert_says("swap        drop one section and register for another in one step");
}

static void cli__the_samples__are_imported_and_then_unchanged(void **state)
{
    (void)state;
    assert_int_equal(run("import --dry-run samples"), EXIT_DONE);
    assert_says("samples/lindenmoor.jsonl: lindenmoor, current: 66 courses with 107 sections; "
                "would add 66, change 0, remove 0; unchanged 0");
    assert_int_equal(run("catalogues"), EXIT_DONE);
    assert_string_equal(output, "");
    assert_int_equal(run("import samples"), EXIT_DONE);
    assert_says("; added 66, changed 0, removed 0, unchanged 0");
    assert_int_equal(run("import --students samples/students"), EXIT_DONE);
    assert_says("samples/students/brackwater.csv: brackwater: 120 students; added 120");
    assert_int_equal(run("import samples"), EXIT_DONE);
    assert_says(
        "samples/thalassa.jsonl: thalassa, current: 65 courses with 103 sections; nothing "
        "to do, all unchanged");
    assert_int_equal(run("catalogues"), EXIT_DONE);
    assert_says("brackwater\tcurrent\t63\t96\t");
}

/* Nobody waits any more: the home of a student of another shard has to be asked first. */
static void await_promoted(const char *section)
{
    for (int tries = 0; tries < PROMOTED_TRIES; tries++) {
        assert_int_equal(run("roster '%s'", section), EXIT_DONE);
        if (strstr(output, "waiting") == NULL) {
            return;
        }
        (void)usleep(20000);
    }
    fail_msg("nobody is promoted:\n%s", output);
}

static void cli__a_day_of_a_student__ends_with_the_exit_codes_promised(void **state)
{
    (void)state;
    assert_int_equal(run("show --student lm-0053 'lindenmoor:COMP 390'"), EXIT_DONE);
    assert_says("2 of");
    assert_int_equal(run("check --student lm-0002 'COMP 320#1' 'COMP 101#1'"), EXIT_REFUSED);
    assert_says("refused\tCOMP 320#1\tprerequisite-unmet\tCOMP 240\t");
    assert_says("refused\tCOMP 320#1\tprerequisite-unmet\tCOMP 250\t");
    assert_int_equal(run("register --student lm-0002 'COMP 320#1' 'COMP 101#1'"), EXIT_REFUSED);
    assert_int_equal(run("schedule --student lm-0002"), EXIT_DONE);
    assert_string_equal(output, "");
    for (size_t i = 0; i < 4; i++) {
        static const char *const tokens[] = {"lm-0053", "lm-0120", "lm-0154", "lm-0160"};

        assert_int_equal(run("register --student %s 'COMP 240#1'", tokens[i]), EXIT_DONE);
        assert_string_equal(output, "registered\tlindenmoor:COMP 240#1@current\t\n");
    }
    assert_int_equal(run("register --student lm-0007 'COMP 240#1'"), EXIT_REFUSED);
    assert_says("waitlist-available\t4 of 4");
    assert_int_equal(run("waitlist --student lm-0007 'COMP 240#1'"), EXIT_WAITLISTED);
    assert_string_equal(output, "waiting\tlindenmoor:COMP 240#1@current\t1\n");
    assert_int_equal(run("drop --student lm-0053 'COMP 240#1'"), EXIT_DONE);
    await_promoted("lindenmoor:COMP 240#1");
    assert_says("lm-0007\tSilas Nettleship\tlindenmoor\t");
    assert_int_equal(run("swap --student lm-0002 'COMP 101#1' 'COMP 101#2'"), EXIT_REFUSED);
    assert_int_equal(run("register --student lm-0002 'COMP 101#1'"), EXIT_DONE);
    assert_int_equal(run("swap --student lm-0002 'COMP 101#1' 'COMP 101#2'"), EXIT_DONE);
    assert_int_equal(run("schedule --student lm-0002"), EXIT_DONE);
    assert_memory_equal(output, "lindenmoor:COMP 101#2@current\t", 30);
}

static void cli__unknown_names__are_told_with_near_ones(void **state)
{
    (void)state;
    assert_int_equal(run("show 'lindenmoor:COMP 24'"), EXIT_FAILED);
    assert_says("no course");
    assert_says(
        "did you mean one of these?\n    lindenmoor:COMP 240@current  Operating Systems\n");
    assert_int_equal(run("register --student lm-0002 'COMP 240#9'"), EXIT_FAILED);
    assert_says("no section");
    assert_int_equal(run("register --student nobody 'COMP 240#1'"), EXIT_FAILED);
    assert_says("no student");
}

static void cli__the_same_key_again__gives_the_same_answer(void **state)
{
    char first[4096];

    (void)state;
    /* The key must be of the day: it is taken from an answer that the node does not keep. */
    assert_int_equal(run("call node.status | grep -o 'uptime' > /dev/null; date +%%s%%3N"), 0);
    unsigned long long now = strtoull(output, NULL, 10);
    char key[64];

    snprintf(key, sizeof key, "%08llx-%04llx-7abc-8def-0123456789ab", now >> 16, now & 0xffff);
    assert_int_equal(run("register --json --student lm-0003 --key %s 'GEOG 120#1'", key),
                     EXIT_DONE);
    memcpy(first, output, sizeof first);
    first[sizeof first - 1] = '\0';
    assert_int_equal(run("register --json --student lm-0003 --key %s 'GEOG 120#1'", key),
                     EXIT_DONE);
    assert_string_equal(output, first);
    assert_int_equal(run("register --student lm-0003 --key %s 'HIST 110#1'", key), EXIT_FAILED);
    assert_int_equal(run("register --student lm-0003 --key 123 'HIST 110#1'"), EXIT_USAGE);
}

static void cli__a_day_of_a_registrar__blocks_permits_caps_and_windows(void **state)
{
    (void)state;
    assert_int_equal(run("block lm-0004 'library fines' --by test"), EXIT_DONE);
    assert_int_equal(run("register --student lm-0004 'HIST 110#1'"), EXIT_REFUSED);
    assert_says("blocked\tlibrary fines");
    assert_int_equal(run("block lm-0004 --lift"), EXIT_DONE);
    assert_int_equal(run("close lindenmoor"), EXIT_DONE);
    assert_int_equal(run("register --student lm-0004 'HIST 110#1'"), EXIT_REFUSED);
    assert_says("window-closed");
    assert_int_equal(run("open lindenmoor --from 2100-01-01T08:00"), EXIT_DONE);
    assert_int_equal(run("register --student lm-0004 'HIST 110#1'"), EXIT_REFUSED);
    assert_says("window-not-open");
    assert_int_equal(run("open lindenmoor"), EXIT_DONE);
    assert_int_equal(run("permit lm-0004 'COMP 240#1' --rule --capacity --reason agreed"),
                     EXIT_DONE);
    assert_int_equal(run("register --student lm-0004 'COMP 240#1'"), EXIT_DONE);
    assert_int_equal(run("cap 'COMP 240#1' 2"), EXIT_DONE);
    assert_says("5 enrolled, 0 promoted");
    assert_int_equal(run("limits lindenmoor --courses 1"), EXIT_DONE);
    assert_int_equal(run("register --student lm-0004 'HIST 110#1'"), EXIT_REFUSED);
    assert_says("course-limit\t2 of 1");
    assert_int_equal(run("limits lindenmoor --courses 5"), EXIT_DONE);
    assert_int_equal(run("audit --student lm-0004 --json"), EXIT_DONE);
    assert_says("\"text\":\"");
    assert_int_equal(run("audit --student lm-0004"), EXIT_DONE);
    assert_says("course-limit: 2 of 1");
    assert_int_equal(run("verify"), EXIT_DONE);
    assert_says("all in order");
}

static void cli__what_is_exported__is_imported_as_unchanged(void **state)
{
    const char *folder = the_daemon.folder;

    (void)state;
    assert_int_equal(
        run("export --kind courses --institution thalassa > '%s/thalassa.jsonl'", folder), 0);
    assert_int_equal(run("import --dry-run '%s/thalassa.jsonl'", folder), EXIT_DONE);
    assert_says("would add 0, change 0, remove 0; unchanged 65");
    assert_int_equal(
        run("export --kind students --institution thalassa --format csv > '%s/thalassa.csv'",
            folder),
        0);
    assert_int_equal(run("import --students --dry-run '%s/thalassa.csv'", folder), EXIT_DONE);
    assert_says("would add 0, change 0, remove 0; unchanged 100");
    assert_int_equal(run("export --format csv"), EXIT_DONE);
    assert_says("lm-0007,lindenmoor,COMP 240,1,current,");
}

static void cli__an_import_of_less_than_half__needs_force(void **state)
{
    const char *folder = the_daemon.folder;

    (void)state;
    assert_int_equal(
        run("--version > /dev/null; head -10 samples/thalassa.jsonl > '%s/few.jsonl'", folder),
        0);
    assert_int_equal(run("import '%s/few.jsonl'", folder), EXIT_REFUSED);
    assert_says("--force");
    assert_int_equal(run("import --force '%s/few.jsonl'", folder), EXIT_DONE);
    assert_says("removed 55");
    assert_int_equal(run("import samples/thalassa.jsonl"), EXIT_DONE);
    assert_says("added 55");
}

static void cli__a_file_with_one_bad_record__changes_nothing(void **state)
{
    const char *folder = the_daemon.folder;

    (void)state;
    assert_int_equal(
        run("--version > /dev/null; sed '3s/\"level\": 2/\"level\": 100/; 4s/SEA 210/SEA 211/' "
            "samples/thalassa.jsonl > '%s/bad.jsonl'",
            folder),
        0);
    assert_int_equal(run("import '%s/bad.jsonl'", folder), EXIT_FAILED);
    assert_says("bad.jsonl:3: level: not a level from 1 to 9: 100");
    assert_says("bad.jsonl: refused; nothing was changed");
    assert_int_equal(run("import samples/thalassa.jsonl"), EXIT_DONE);
    assert_says("nothing to do, all unchanged");
}

/* A catalogue that takes a second or more. */
static void write_large(const char *path)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    for (size_t i = 0; i < LARGE_RECORDS; i++) {
        fprintf(out,
                "{\"institution\":\"large\",\"code\":\"L %zu\",\"title\":\"Course number %zu\","
                "\"description\":\"%0200zu\"}\n",
                i, i, i);
    }
    fclose(out);
}

/* Until the program catches SIGINT, which before would simply end it. */
static void wait_until_caught(pid_t child)
{
    char path[64];
    unsigned long long caught = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)child);
    for (int tries = 0; (caught & (1ULL << (SIGINT - 1))) == 0 && tries < 6000; tries++) {
        char line[256];
        FILE *status = fopen(path, "re");

        assert_non_null(status);
        while (fgets(line, sizeof line, status) != NULL) {
            (void)sscanf(line, "SigCgt: %llx", &caught);
        }
        (void)fclose(status);
        usleep(5000);
    }
    assert_true((caught & (1ULL << (SIGINT - 1))) != 0);
}

static void cli__an_interrupted_import__changes_nothing(void **state)
{
    char path[600];

    (void)state;
    snprintf(path, sizeof path, "%s/large.jsonl", the_daemon.folder);
    write_large(path);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        char program[600];

        snprintf(program, sizeof program, "%s/bin/carillon", BINARY_FOLDER);
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(99);
        }
        execl(program, program, "import", "--connect", the_daemon.address, path, (char *)NULL);
        _exit(98);
    }
    wait_until_caught(child);
    usleep(200000);
    assert_int_equal(kill(child, SIGINT), 0);
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_UNAVAILABLE);
    assert_int_equal(run("catalogues"), EXIT_DONE);
    assert_null(strstr(output, "large"));
}

/* The program beside it tells the story of a seed, the same each time. */
static void cli__one_seed_of_the_simulation__is_told_and_repeated(void **state)
{
    char *first;

    (void)state;
    assert_int_equal(run("sim --seed 1"), EXIT_DONE);
    assert_says("leads group 1 in term 1");
    assert_says("trouble begins");
    assert_says("nothing was wrong, trace ");
    first = strdup(output);
    assert_int_equal(run("sim --seed 1"), EXIT_DONE);
    assert_string_equal(output, first);
    assert_int_equal(run("sim --seed 1 --nodes 5"), EXIT_DONE);
    assert_true(strcmp(output, first) != 0);
    free(first);
}

static void carillond__with_too_little_memory_for_its_shards__says_how_much(void **state)
{
    static const char *const flags[] = {"--shards", "16", "--memory", "64M", NULL};
    struct daemon daemon;

    (void)state;
    daemon_init(&daemon);
    assert_false(daemon_start(&daemon, BINARY_FOLDER "/bin/carillond", flags));
    char *log = daemon_log(&daemon);

    assert_non_null(strstr(log, "memory_bytes_max: 16 shards need 128 MiB or more"));
    free(log);
    daemon_fini(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cli__without_a_daemon__says_how_to_start_one),
        cmocka_unit_test(cli__wrong_usage__exits_with_64),
        cmocka_unit_test(cli__help_of_every_verb__has_an_example),
        cmocka_unit_test(cli__the_samples__are_imported_and_then_unchanged),
        cmocka_unit_test(cli__a_day_of_a_student__ends_with_the_exit_codes_promised),
        cmocka_unit_test(cli__unknown_names__are_told_with_near_ones),
        cmocka_unit_test(cli__the_same_key_again__gives_the_same_answer),
        cmocka_unit_test(cli__a_day_of_a_registrar__blocks_permits_caps_and_windows),
        cmocka_unit_test(cli__what_is_exported__is_imported_as_unchanged),
        cmocka_unit_test(cli__an_import_of_less_than_half__needs_force),
        cmocka_unit_test(cli__a_file_with_one_bad_record__changes_nothing),
        cmocka_unit_test(cli__an_interrupted_import__changes_nothing),
        cmocka_unit_test(cli__one_seed_of_the_simulation__is_told_and_repeated),
        cmocka_unit_test(carillond__with_too_little_memory_for_its_shards__says_how_much),
    };

    /* students and courses of several shards look the same */
    const struct CMUnitTest shards[] = {
        cmocka_unit_test(cli__the_samples__are_imported_and_then_unchanged),
        cmocka_unit_test(cli__a_day_of_a_student__ends_with_the_exit_codes_promised),
        cmocka_unit_test(cli__unknown_names__are_told_with_near_ones),
        cmocka_unit_test(cli__the_same_key_again__gives_the_same_answer),
        cmocka_unit_test(cli__a_day_of_a_registrar__blocks_permits_caps_and_windows),
        cmocka_unit_test(cli__what_is_exported__is_imported_as_unchanged),
        cmocka_unit_test(cli__an_import_of_less_than_half__needs_force),
        cmocka_unit_test(cli__a_file_with_one_bad_record__changes_nothing),
    };

    return cmocka_run_group_tests(tests, start, stop) +
           cmocka_run_group_tests(shards, start_shards, stop);
}
