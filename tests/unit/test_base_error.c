#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"

struct row {
    const char *name;
    int number;
    int error;
};

#define ROW(name, number, retry, http, exit_code, text) {#name, number, name},
static const struct row table[] = {ERROR_TABLE(ROW)};
#undef ROW

enum { ROWS = sizeof table / sizeof table[0] };

static void error_table__numbers__are_unique_and_dense(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(table[i].number, i + 1);
        assert_int_equal(table[i].error, -(i + 1));
    }
}

static void error_table__every_row__has_name_text_and_statuses(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        int error = table[i].error;
        assert_string_equal(error_name(error), table[i].name);
        assert_true(strlen(error_text(error)) > 5);
        assert_in_range(error_http_status(error), 400, 599);
        assert_in_range(error_exit_code(error), 1, EXIT_USAGE);
        assert_int_equal(error_from_wire((unsigned)table[i].number), error);
    }
}

static void error__full__is_retryable_and_damage_is_not(void **state)
{
    (void)state;
    assert_true(error_is_retryable(ERR_FULL));
    assert_false(error_is_retryable(ERR_DAMAGED));
    assert_int_equal(error_exit_code(ERR_REFUSED), EXIT_REFUSED);
    assert_int_equal(error_exit_code(ERR_TIMEOUT), EXIT_UNKNOWN);
    assert_int_equal(error_http_status(ERR_TOO_LARGE), 413);
}

static void error__success__is_named_ok(void **state)
{
    (void)state;
    assert_string_equal(error_name(OK), "OK");
    assert_int_equal(error_http_status(OK), 200);
    assert_int_equal(error_exit_code(OK), EXIT_DONE);
    assert_int_equal(error_from_wire(0), OK);
}

static void error__number_outside_the_table__is_unknown(void **state)
{
    (void)state;
    assert_string_equal(error_name(1), "ERR_?");
    assert_string_equal(error_name(-(ROWS + 1)), "ERR_?");
    assert_string_equal(error_name(INT32_MIN), "ERR_?");
    assert_int_equal(error_exit_code(-5000), EXIT_FAILED);
    assert_int_equal(error_from_wire(ROWS + 1), ERR_INTERNAL);
    assert_int_equal(error_from_wire(UINT32_MAX), ERR_INTERNAL);
}

static void assert__false_condition__stops_the_process_in_every_build(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        ASSERT(child != 0);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_table__numbers__are_unique_and_dense),
        cmocka_unit_test(error_table__every_row__has_name_text_and_statuses),
        cmocka_unit_test(error__full__is_retryable_and_damage_is_not),
        cmocka_unit_test(error__success__is_named_ok),
        cmocka_unit_test(error__number_outside_the_table__is_unknown),
        cmocka_unit_test(assert__false_condition__stops_the_process_in_every_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
