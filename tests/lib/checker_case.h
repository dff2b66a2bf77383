/* tests/lib/checker_case.h -- a small campus for the checkers' own tests.
 *
 * Courses A (one seat), B and C (two each), of four credits; A and B meet at the same hour; C
 * wants a course that nobody took. Students s1, s2 and s3. The honest node is the model itself.
 */
#ifndef CARILLON_TESTS_CHECKER_CASE_H
#define CARILLON_TESTS_CHECKER_CASE_H

#include "base/buf.h"
#include "tests/lib/model.h"

enum { CHECKER_CASE_BYTES = 1 << 16 };

/* Called with every entry and what the model said of it. */
typedef void checker_case_observe(void *context, const struct model_entry *entry,
                                  const struct model_result *result);

struct checker_case {
    checker_case_observe *observe; /* may be NULL */
    void *context;
    struct model model;
    struct model_result last;
    struct buf body;
    struct buf reply;
    struct buf why;
    uint8_t key[UUID_BYTES];
    uint8_t key_count;
    uint32_t method;
};

/* Build the campus, by entries that @observe hears of as of all later ones. */
struct checker_case *checker_case_create(checker_case_observe *observe, void *context);
void checker_case_destroy(struct checker_case *c);

/* For cmocka: the case is in *state. */
int checker_case_setup(void **state);
int checker_case_teardown(void **state);

/* Apply a request with a new key; the answer is in @c->last. */
void checker_case_apply(struct checker_case *c, uint32_t method,
                        const ProtobufCMessage *request);

/* Import a chunk: begin, chunk, commit. */
void checker_case_import(struct checker_case *c, uint32_t kind, const char *institution,
                         Carillon__ImportChunkRequest *chunk);

/* Submit: "+A" adds, "~A" adds or waits, "-A" drops, and "<A" behind one that waits is a
 * promotion drop of it; several ops stand one after the other. The second form uses the key of
 * the request before. */
void checker_case_submit(struct checker_case *c, const char *student, const char *ops);
void checker_case_submit_again(struct checker_case *c, const char *student, const char *ops);

#endif
