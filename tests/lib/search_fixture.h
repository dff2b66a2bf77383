/* tests/lib/search_fixture.h -- a small index and one-line searches on it, for the tests of
 * search.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_SEARCH_FIXTURE_H
#define CARILLON_TESTS_SEARCH_FIXTURE_H

#include "search/search.h"

enum { FIXTURE_HITS_MAX = SEARCH_LIMIT_MAX };

struct search_fixture {
    struct arena memory;
    struct arena scratch;
    struct search_index *index;
    /* The last search. */
    int status;
    struct search_error error;
    struct search_query *query;
    struct search_result result;
    uint32_t steps;
    uint32_t docs[FIXTURE_HITS_MAX]; /* found, best first */
    uint32_t count;
};

/* A course in plain text; absent fields are NULL or 0. */
struct sample {
    const char *institution; /* NULL: "alpha" */
    const char *term;        /* NULL: "current" */
    const char *code;
    const char *subject;
    const char *number;
    const char *title;
    const char *description;
    const char *instructor;
    const uint8_t *days;
    uint32_t days_count;
    uint32_t credits; /* hundredths, 0 unknown */
    uint32_t level;
};

void search_fixture_init(struct search_fixture *fixture);
void search_fixture_fini(struct search_fixture *fixture);

void search_fixture_put(struct search_fixture *fixture, uint32_t doc,
                        const struct sample *sample);

/* Search with a page of 20, stepping 50 units at a time. Everything of the last search is in
 * the fixture. */
void search_fixture_search(struct search_fixture *fixture, const char *query);

/* The same with the caller's own request (limit 0: 20). */
void search_fixture_search_with(struct search_fixture *fixture, const char *query,
                                struct search_request request);

/* Whether the last search found @doc, and nothing else. */
bool search_fixture_found_only(const struct search_fixture *fixture, uint32_t doc);

bool search_fixture_found(const struct search_fixture *fixture, uint32_t doc);

#endif
