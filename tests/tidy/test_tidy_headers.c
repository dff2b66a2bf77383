#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/source_tree.h"

/* That every header compiles alone is the build's work: the target headers_alone
 * (tests/CMakeLists.txt) has a translation unit for each. Here we see that it has left out
 * none, and that such a unit does fail for a bad header. */

extern char **environ;

static void headers__each__has_a_unit_that_was_compiled(void **state)
{
    (void)state;
    struct source_tree tree;
    struct findings findings = {0};
    size_t count = 0;
    source_tree_read(&tree, SOURCE_FOLDER);
    for (size_t i = 0; i < tree.count; i++) {
        const struct source_file *file = &tree.files[i];
        if (!source_file_begins(file, "src/") || !source_file_ends(file, ".h")) {
            continue;
        }
        char object[600];
        size_t used = (size_t)snprintf(object, sizeof object,
                                       "%s/tests/CMakeFiles/headers_alone.dir/headers_alone/",
                                       BINARY_FOLDER);
        for (const char *at = file->path + 4; *at != 0 && used + 10 < sizeof object; at++) {
            object[used++] = *at == '/' || *at == '.' ? '_' : *at;
        }
        strcpy(object + used, ".c.o");
        if (access(object, R_OK) != 0) {
            findings_add(&findings, file, 1, "was not compiled alone (build first)");
        }
        count++;
    }
    source_tree_free(&tree);
    assert_true(count > 10);
    findings_expect_none(&findings);
}

static char folder[] = "/tmp/carillon-header-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

/* Compile the template with @header as room/x.h. Returns: the compiler's exit status. */
static int compile_alone(const char *header)
{
    write_file("x.h", header);
    write_file("x.c",
               "#include \"x.h\"\n#include \"x.h\"\n\nextern const int header_alone_x;\n");
    char unit[200];
    snprintf(unit, sizeof unit, "%s/x.c", folder);
    char *arguments[] = {(char *)(uintptr_t)C_COMPILER,
                         (char *)(uintptr_t) "-std=c17",
                         (char *)(uintptr_t) "-Wall",
                         (char *)(uintptr_t) "-Werror",
                         (char *)(uintptr_t) "-fsyntax-only",
                         unit,
                         NULL};
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    assert_int_equal(posix_spawnp(&child, C_COMPILER, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void headers__that_lean_on_others_or_have_no_guard__do_not_compile(void **state)
{
    (void)state;
    static const char good[] =
        "#ifndef CARILLON_X_H\n#define CARILLON_X_H\n#include <stddef.h>\n"
        "struct x {\n    size_t len;\n};\n#endif\n";
    assert_int_equal(compile_alone(good), 0);
    assert_int_not_equal(compile_alone("#ifndef CARILLON_X_H\n#define CARILLON_X_H\n"
                                       "struct x {\n    size_t len;\n};\n#endif\n"),
                         0);
    assert_int_not_equal(
        compile_alone("#include <stddef.h>\nstruct x {\n    size_t len;\n};\n"), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/x.h", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/x.c", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers__each__has_a_unit_that_was_compiled),
        cmocka_unit_test_setup_teardown(
            headers__that_lean_on_others_or_have_no_guard__do_not_compile, make_folder,
            remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
