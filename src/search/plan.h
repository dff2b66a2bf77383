/* search/plan.h -- a query after reading: leaves, a program over them, filters, and the codes
 * it may contain.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 6
 *
 * The query is a list of conjuncts that must all hold. A bare word at the top is a conjunct of
 * its own, and soft: it may be missing when too few documents have all words. Everything else
 * (phrases, filters, NOT, brackets) is hard: a stretch of the program, which is in postfix
 * order over the leaves' truth. Inside the room only.
 */
#ifndef CARILLON_SEARCH_PLAN_H
#define CARILLON_SEARCH_PLAN_H

#include "search/code.h"
#include "search/search.h"
#include "search/token.h"

enum {
    PLAN_LEAVES_MAX = 64, /* one bit each */
    PLAN_OPS_MAX = 256,
    PLAN_HARD_MAX = 40,
    PLAN_SPANS_MAX = 48,
    PLAN_VALUES_MAX = 32,
};

enum leaf_kind {
    LEAF_WORD,   /* a word, pair or single character */
    LEAF_PHRASE, /* the words of leaves [first, last] stand side by side in one field */
    LEAF_SUBJECT,
    LEAF_AT,
    LEAF_TERM,
    LEAF_CODE,
    LEAF_LEVEL,
    LEAF_NUMBER, /* course number in a range */
    LEAF_CREDITS,
    LEAF_DAYS_ONLY,
    LEAF_DAYS_NONE,
    LEAF_PREDICATE,
};

struct leaf {
    enum leaf_kind kind;
    uint8_t fields; /* POSTING_TITLE.. the word must stand in; 0: anywhere */
    uint8_t first; /* LEAF_PHRASE: leaves; filters with a list: values [first, first + count) */
    uint8_t last;
    uint8_t count;
    bool is_pair;
    bool is_plain;
    bool is_final;  /* the last bare word of the query, perhaps still being typed */
    bool any;       /* at:*, term:* */
    bool is_prefix; /* code:ABC* */
    uint8_t hash;   /* of the word as written, as title tokens carry it */
    uint8_t predicate;
    uint8_t len;
    uint8_t text[TOKEN_BYTES_MAX];
    uint32_t low; /* ranges, inclusive; day masks in low */
    uint32_t high;
    uint32_t at; /* byte position in the query */
};

enum { OP_AND = 0x80, OP_OR, OP_NOT }; /* below 0x80: push the truth of that leaf */

struct stretch {
    uint16_t from; /* of the program */
    uint16_t to;
};

/* Bare words that may be one code: leaves [first, last] and its key. */
struct span {
    uint8_t first;
    uint8_t last;
    struct code_key key;
};

struct search_plan {
    struct leaf leaves[PLAN_LEAVES_MAX];
    uint32_t leaves_count;
    uint8_t ops[PLAN_OPS_MAX];
    uint32_t ops_count;
    struct stretch hard[PLAN_HARD_MAX];
    uint32_t hard_count;
    uint64_t soft; /* leaves */
    struct span spans[PLAN_SPANS_MAX];
    uint32_t spans_count;
    struct code_key values[PLAN_VALUES_MAX];
    uint32_t values_count;
    bool has_at;
    bool has_term;
};

static inline struct slice leaf_slice(const struct leaf *leaf)
{
    return (struct slice){leaf->text, leaf->len};
}

/* Read the value of the filter @name ("level") into @leaf, its lists into @plan.
 * Returns: OK; ERR_GONE when no filter has this name; ERR_QUERY with the clause in
 * @error->text. */
int plan_filter(struct search_plan *plan, struct slice name, struct slice value,
                struct leaf *leaf, struct search_error *error) CHECKED;

/* Set the text of @error and return ERR_QUERY. */
int plan_error(struct search_error *error, uint32_t at, const char *text) CHECKED;

#endif
