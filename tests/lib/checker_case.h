/* tests/lib/checker_case.h -- a small campus for the checkers' own tests.
 *
 * Courses A (one seat), B and C (two each); A and B meet at the same hour; C wants a course
 * that nobody took. Students s1, s2 and s3. The honest node is the model itself.
 */
#ifndef CARILLON_TESTS_CHECKER_CASE_H
#define CARILLON_TESTS_CHECKER_CASE_H

#include "base/buf.h"
#include "tests/lib/model.h"

enum { CHECKER_CASE_BYTES = 1 << 16 };

struct checker_case {
    struct model model;
    struct model_result last;
    struct buf body;
    struct buf reply;
    struct buf why;
    uint8_t key[UUID_BYTES];
    uint8_t key_count;
    uint32_t method;
};

/* For cmocka: the case is in *state. */
int checker_case_setup(void **state);
int checker_case_teardown(void **state);

/* "+A" adds, "~A" adds or waits, "-A" drops; several stand one after the other. The answer is
 * in @c->last; the second form uses the key of the request before. */
void checker_case_submit(struct checker_case *c, const char *student, const char *ops);
void checker_case_submit_again(struct checker_case *c, const char *student, const char *ops);

#endif
