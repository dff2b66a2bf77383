/* search/search.h -- the catalogue's own search: an inverted index in memory, its query
 * language and its ranking.
 *
 * Layer: search (base)     Spec: docs/spec/search.md
 *
 * Documents are courses, named by a 32-bit id that the caller chooses (small numbers: an array
 * is kept over them). The index copies what it needs and keeps no text: marking takes the text
 * from the caller again. Nothing here waits, allocates outside the arenas it was given, reads a
 * clock or depends on addresses: the same calls give the same answers. Text is UTF-8; bytes
 * that are not are skipped like punctuation.
 */
#ifndef CARILLON_SEARCH_SEARCH_H
#define CARILLON_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum {
    SEARCH_QUERY_BYTES_MAX = 512,
    SEARCH_TERMS_MAX = 32,            /* words, phrases and filters of one query */
    SEARCH_NESTING_MAX = 8,           /* brackets */
    SEARCH_LIMIT_MAX = 100,           /* hits of one page */
    SEARCH_DAYS_MAX = 16,             /* distinct day masks of one course that days: looks at */
    SEARCH_DOC_MAX = 1 << 25,         /* document ids are smaller */
    SEARCH_SCRATCH_BYTES = 256 << 10, /* what one query takes from its scratch arena at most */
};

struct search_index;

/* One course as the index sees it. Everything is borrowed for the call. */
struct search_document {
    struct slice institution; /* slug */
    struct slice term;
    struct slice code;
    struct slice subject;
    struct slice number;
    struct slice title;
    struct slice description;
    const struct slice *instructors;
    uint32_t instructors_count;
    bool credits_known;
    uint32_t credits_hundredths;
    uint32_t level; /* 1..5, 0 unknown */
    /* Distinct masks of the sections that meet: bit 0 Monday .. bit 6 Sunday. The first
     * SEARCH_DAYS_MAX are kept. */
    const uint8_t *days;
    uint32_t days_count;
};

/* An empty index. All its memory comes from @arena, which nothing else uses; search_has_room()
 * watches its budget. */
struct search_index *search_create(struct arena *arena);

/* Forget the index; arena_fini() by the caller gives the memory back. NULL is allowed. */
void search_destroy(struct search_index *index);

/* What putting @documents with @text_bytes of text in all may add to the index at most,
 * whatever their words: a real catalogue adds about its text once, a text in which every word
 * is new many times as much. */
uint64_t search_growth(uint64_t documents, uint64_t text_bytes);

/* Whether @growth (a sum of search_growth) stays within the budget, with what tables that grow
 * by doubling may take at a time. */
bool search_has_room(const struct search_index *index, uint64_t growth);

/* Index @document under @doc (< SEARCH_DOC_MAX), in place of what was there. A hidden document
 * is indexed but never found until search_publish(). Bounds: about 25 us for an average course,
 * in proportion to its text; includes a bounded share of cleaning up after removed documents.
 */
void search_put(struct search_index *index, uint32_t doc,
                const struct search_document *document, bool hidden);

/* Let a hidden document be found, or hide it again; a @doc that is not there is ignored.
 * Bounds: O(1). */
void search_publish(struct search_index *index, uint32_t doc);
void search_hide(struct search_index *index, uint32_t doc);

/* Forget @doc; one that is not there is ignored. Bounds: O(1); its postings are cleaned up by
 * later puts. */
void search_remove(struct search_index *index, uint32_t doc);

struct search_stats {
    uint64_t documents;     /* there, hidden ones included */
    uint64_t text_bytes;    /* of their code, subject, title, instructors and description */
    uint64_t index_bytes;   /* what the index holds of its arena */
    uint64_t posting_bytes; /* of which: posting lists */
    uint64_t forward_bytes; /* of which: documents' own rows */
    uint64_t terms;         /* distinct words, bigrams and codes */
};

struct search_stats search_stats(const struct search_index *index);

/* ---- a query: parse, begin, step until OK, read the result, mark ---- */

struct search_plan;
struct search_query;

struct search_error {
    uint32_t at;    /* byte position in the query, from 0 */
    char text[112]; /* one clause for people, terminated */
};

/* Read the query language of docs/spec/search.md.
 *
 * Returns: OK and the plan, which lives in @scratch and borrows nothing.
 * Errors:  ERR_QUERY with position and reason in @ret_error: too long, too many terms, too
 * deep, unbalanced, mixed AND and OR without brackets, an unknown or impossible filter value,
 * bytes that are not UTF-8. */
int search_plan_parse(struct slice text, struct arena *scratch, struct search_plan **ret_plan,
                      struct search_error *ret_error) CHECKED;

/* What only the caller can answer about a document, with the student of the request in its own
 * context. */
enum search_predicate { SEARCH_IS_OPEN, SEARCH_FITS_ME, SEARCH_ELIGIBLE_ME };

/* Whether the plan asks @predicate anywhere (without a student, fits: and eligible: are the
 * caller's to refuse).
 * @ret_at, if not NULL, is set to the byte position of the first. */
bool search_plan_asks(const struct search_plan *plan, enum search_predicate predicate,
                      uint32_t *ret_at);

struct search_request {
    struct slice institution; /* empty: all; an at: in the query takes its place */
    struct slice term;        /* empty: all; a term: in the query takes its place */
    uint32_t limit;           /* hits wanted, 1..SEARCH_LIMIT_MAX */
    bool has_after; /* continue behind this place: score and doc of the last hit of the page
                       before */
    uint32_t after_score;
    uint32_t after_doc;
    bool (*holds)(void *context, enum search_predicate predicate,
                  uint32_t doc); /* NULL: nothing holds */
    void *context;
};

/* Prepare to run @plan against @index; all work is done by the steps. @plan, @scratch and
 * @request's strings must outlive the query, which lives in @scratch: forget it by forgetting
 * the arena. The index may change between steps; documents put or removed meanwhile may or may
 * not be found. */
struct search_query *search_query_begin(struct search_index *index,
                                        const struct search_plan *plan,
                                        const struct search_request *request,
                                        struct arena *scratch);

/* Do at most about @work units (about 10 ns each: three postings, a probe, a look at a row).
 * Returns: SM_PENDING while there is more to do, OK when the result is complete. */
int search_query_step(struct search_query *query, uint32_t work) CHECKED;

struct search_hit {
    uint32_t doc;
    uint32_t score;
};

struct search_result {
    const struct search_hit
        *hits; /* best first; by score, then by doc; lent until the scratch is forgotten */
    uint32_t count;
    bool has_more;     /* a next page exists: continue after the last hit */
    uint32_t matches;  /* documents that match the whole query, and those that follow with fewer
                          of its words */
    bool matches_more; /* matches is a lower bound */
    const char *corrected; /* "harmnoy -> harmony", several joined by ", "; "" when
                              nothing was corrected */
};

/* The result of a finished query. */
struct search_result search_query_result(const struct search_query *query);

/* Append @text to @out with the parts that match the query between U+0002 and U+0003 (control
 * characters of the text itself become spaces). Errors: ERR_FULL as buf_append, with @out cut
 * back to what it was. */
int search_mark(const struct search_query *query, struct slice text, struct buf *out) CHECKED;

/* Append a piece of @text of at most about @bytes_max bytes around the first place with the
 * most matches, marked as search_mark() does, with U+2026 where it is cut. Looks at the first
 * SEARCH_SNIPPET_SCAN bytes only. */
enum { SEARCH_SNIPPET_SCAN = 640 };
int search_snippet(const struct search_query *query, struct slice text, uint32_t bytes_max,
                   struct buf *out) CHECKED;

#endif
