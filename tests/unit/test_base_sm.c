#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/sm.h"

/* An operation whose states answer what the test wrote down, and that notes the way it took. */
struct walk {
    struct sm sm;
    int answers[4];
    char path[64];
    int finished;
    int status;
};

static struct walk *walk_of(struct sm *sm)
{
    return CONTAINER_OF(sm, struct walk, sm);
}

static int walk_start(struct sm *sm)
{
    struct walk *walk = walk_of(sm);
    strcat(walk->path, sm_name(sm));
    return walk->answers[sm->current];
}

static void walk_finished(struct sm *sm, int status)
{
    walk_of(sm)->finished++;
    walk_of(sm)->status = status;
}

enum { OPEN, SEND, CLOSE, DONE };

static const struct sm_state states[] = {
  /*           name  start       success  failure */
    [OPEN] = {"o", walk_start, SEND,  DONE },
    [SEND] = {"s", walk_start, CLOSE, CLOSE},
    [CLOSE] = {"c", walk_start, DONE,  DONE },
    [DONE] = {"d", NULL,       0,     0    },
};

static void sm_start__nothing_waits__finishes_at_once(void **state)
{
    (void)state;
    struct walk walk = {0};
    sm_start(&walk.sm, states, walk_finished);
    assert_string_equal(walk.path, "osc");
    assert_string_equal(sm_name(&walk.sm), "d");
    assert_int_equal(walk.finished, 1);
    assert_int_equal(walk.status, OK);
}

static void sm_done__each_state_waits__goes_on_one_by_one(void **state)
{
    (void)state;
    struct walk walk = {
        .answers = {SM_PENDING, SM_PENDING, SM_PENDING}
    };
    sm_start(&walk.sm, states, walk_finished);
    assert_string_equal(walk.path, "o");
    sm_done(&walk.sm, OK);
    assert_string_equal(walk.path, "os");
    assert_string_equal(sm_name(&walk.sm), "s");
    sm_done(&walk.sm, OK);
    assert_int_equal(walk.finished, 0);
    sm_done(&walk.sm, OK);
    assert_string_equal(walk.path, "osc");
    assert_int_equal(walk.finished, 1);
    assert_int_equal(walk.status, OK);
}

static void sm__failure_at_once__takes_the_edge_of_failure(void **state)
{
    (void)state;
    struct walk walk = {.answers = {ERR_GONE}};
    sm_start(&walk.sm, states, walk_finished);
    assert_string_equal(walk.path, "o");
    assert_int_equal(walk.finished, 1);
    assert_int_equal(walk.status, ERR_GONE);
}

static void sm__failure_later__still_cleans_up_and_reports_the_first_error(void **state)
{
    (void)state;
    struct walk walk = {
        .answers = {OK, SM_PENDING, SM_PENDING}
    };
    sm_start(&walk.sm, states, walk_finished);
    sm_done(&walk.sm, ERR_TIMEOUT);
    assert_string_equal(walk.path, "osc");
    sm_done(&walk.sm, ERR_IO); /* closing fails too: not what the caller has to hear */
    assert_int_equal(walk.finished, 1);
    assert_int_equal(walk.status, ERR_TIMEOUT);
}

static void sm__success_after_failure__does_not_hide_the_error(void **state)
{
    (void)state;
    struct walk walk = {
        .answers = {OK, ERR_IO, SM_PENDING}
    };
    sm_start(&walk.sm, states, walk_finished);
    assert_int_equal(walk.finished, 0);
    sm_done(&walk.sm, OK);
    assert_int_equal(walk.status, ERR_IO);
}

static void sm_start__only_an_end__finishes_with_ok(void **state)
{
    (void)state;
    static const struct sm_state only_end[] = {
        {"end", NULL, 0, 0}
    };
    struct walk walk = {.status = -1};
    sm_start(&walk.sm, only_end, walk_finished);
    assert_int_equal(walk.finished, 1);
    assert_int_equal(walk.status, OK);
}

static void sm_start__again_after_the_end__begins_anew(void **state)
{
    (void)state;
    struct walk walk = {.answers = {ERR_IO}};
    sm_start(&walk.sm, states, walk_finished);
    walk.answers[OPEN] = OK;
    sm_start(&walk.sm, states, walk_finished);
    assert_string_equal(walk.path, "oosc");
    assert_int_equal(walk.finished, 2);
    assert_int_equal(walk.status, OK);
}

static int freed_status;

static void free_walk(struct sm *sm, int status)
{
    freed_status = status;
    free(walk_of(sm));
}

static void sm__finished_frees_the_operation__nothing_touches_it_afterwards(void **state)
{
    (void)state;
    struct walk *walk = calloc(1, sizeof *walk);
    walk->answers[CLOSE] = SM_PENDING;
    freed_status = 1;
    sm_start(&walk->sm, states, free_walk);
    sm_done(&walk->sm, ERR_CANCELLED); /* AddressSanitizer would report a touch */
    assert_int_equal(freed_status, ERR_CANCELLED);
    walk = calloc(1, sizeof *walk);
    sm_start(&walk->sm, states, free_walk);
    assert_int_equal(freed_status, OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sm_start__nothing_waits__finishes_at_once),
        cmocka_unit_test(sm_done__each_state_waits__goes_on_one_by_one),
        cmocka_unit_test(sm__failure_at_once__takes_the_edge_of_failure),
        cmocka_unit_test(sm__failure_later__still_cleans_up_and_reports_the_first_error),
        cmocka_unit_test(sm__success_after_failure__does_not_hide_the_error),
        cmocka_unit_test(sm_start__only_an_end__finishes_with_ok),
        cmocka_unit_test(sm_start__again_after_the_end__begins_anew),
        cmocka_unit_test(sm__finished_frees_the_operation__nothing_touches_it_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
