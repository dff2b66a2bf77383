/* search/query.h -- a running query: per word the terms it may be (slots and ways), the rows it
 * goes through, the best hits.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 7
 *
 * Inside the room only.
 */
#ifndef CARILLON_SEARCH_QUERY_H
#define CARILLON_SEARCH_QUERY_H

#include "search/index.h"
#include "search/plan.h"
#include "search/scan.h"
#include "search/window.h"

enum {
    SLOT_WAYS_MAX = 24,
    QUERY_WAYS_MAX = 512,
    QUERY_CORRECTED_MAX = 256,
};

/* How a term came to stand for a word of the query. */
enum way_kind {
    WAY_STEM,
    WAY_PREFIX,
    WAY_TYPO,
    WAY_NUMERAL,
    WAY_NUMBER, /* the number part of a code */
    WAY_CODE,   /* the whole code, perhaps written in several words */
};

struct way {
    struct posting_walk walk;
    uint32_t term;
    uint32_t weight; /* units for full strength */
    uint32_t bonus;  /* units on top: codes */
    uint8_t kind;
    uint8_t percent; /* of the word's weight */
};

/* One word of the query. */
struct slot {
    struct way *ways;
    uint32_t ways_count;
    uint32_t count;   /* postings of all ways */
    uint32_t weight;  /* units: the information of the word */
    uint32_t row;     /* the first row from the one probed last that a way has */
    uint32_t written; /* the term of the word as written, or TERM_NONE */
    uint8_t leaf;
    uint8_t fields;  /* 0: any */
    bool is_passive; /* a function word beside others: only looked at where order counts */
    bool is_pair;
};

/* Words of the query in an order, to be found side by side in a row's tokens. Most tokens are
 * none of them: `masks` says by a hash of the term which words it may be. */
enum { SEQUENCE_MASKS = 128 };

struct sequence {
    uint32_t count;
    uint8_t leaves[PLAN_LEAVES_MAX];
    uint64_t masks[SEQUENCE_MASKS]; /* bit i: perhaps a way of leaves[i] */
};

/* A row that has all words and may become a hit. Of rare words each window has a row or two,
 * whose facts are far away: they are asked for here, and looked at together. */
struct noted {
    uint32_t row;
    struct row_sum sum;
};

enum { NOTED_MAX = 32 };

/* A row that has all words in its title, and whose score is still to be raised by their order.
 */
struct titled {
    uint32_t row;
    uint32_t weight;
    uint32_t cover; /* percent */
    uint64_t score;
    uint64_t most; /* with the best order */
};

enum { TITLED_MAX = 32 };

/* What a title of some length that has all words adds to the score. */
struct title_gain {
    uint32_t cover; /* percent */
    uint32_t sure;
    uint32_t most; /* with the best order */
};

enum { TITLE_GAINS = 16 };

struct title_gains {
    uint32_t weight;                   /* of the words they are for */
    uint32_t said;                     /* how many words */
    struct title_gain of[TITLE_GAINS]; /* by length */
};

/* What was found out about words of marked texts: the same few words match again and again. */
enum { MARK_MEMO = 128 };

struct mark_memo {
    uint64_t hashes[MARK_MEMO]; /* of words, 0: none */
    bool matches[MARK_MEMO];
};

enum run { RUN_EXPAND, RUN_STRICT, RUN_RELAXED, RUN_WIDEN, RUN_DONE };

struct search_query {
    struct search_index *index;
    const struct search_plan *plan;
    struct search_request request;
    struct arena *scratch;
    struct slot slots[PLAN_LEAVES_MAX]; /* of LEAF_WORD leaves, by leaf */
    uint32_t ways_count;
    uint32_t corrections;                /* words that were looked for among their neighbours */
    uint32_t expand_at;                  /* the word to expand or to widen next */
    uint32_t leaf_term[PLAN_VALUES_MAX]; /* values of filters as terms or names */
    /* The soft words that are needed, rarest first: not function words that stand beside
     * others. */
    uint8_t needed[PLAN_LEAVES_MAX];
    uint32_t needed_count;
    uint64_t scored; /* leaves: the needed words and those of phrases, fields and brackets */
    uint32_t weight; /* of the needed words together */
    struct match matches[PLAN_LEAVES_MAX];
    struct stretch hard[PLAN_HARD_MAX]; /* those of the plan, cheap ones first */
    /* Rows: those of one institution lie between two bounds. */
    uint32_t institution; /* name, NAME_NONE: any */
    uint32_t term;
    bool is_named;   /* there is one or the other */
    bool is_nowhere; /* the institution or term does not exist */
    uint32_t row_begin;
    uint32_t row_next;
    uint32_t row_end;
    struct window *window;
    uint64_t drivers; /* slots whose union holds every matching row; 0: go through all rows */
    /* Progress. */
    enum run run;
    uint64_t version; /* of the index when the walks were opened */
    uint32_t work;
    bool is_wide;        /* widening was tried */
    bool is_wider;       /* and added something */
    uint32_t relax_need; /* units a row must gather in the relaxed run */
    uint32_t essential;  /* relaxed: the first so many needed words hold every candidate */
    uint32_t essential_weight;
    struct sequence *soft;                     /* the bare words as written; NULL: none */
    struct sequence *phrases[PLAN_LEAVES_MAX]; /* of LEAF_PHRASE leaves */
    struct noted
        noted[NOTED_MAX]; /* between steps there are none, as of the titled: rows may go */
    uint32_t noted_count;
    struct titled titled[TITLED_MAX]; /* between steps there are none: rows may go */
    uint32_t titled_count;
    struct title_gains gains;
    /* Hits: a heap with the worst on top, sorted at the end. */
    struct search_hit *hits;
    uint32_t hits_count;
    uint32_t hits_max;
    uint32_t matches_count;
    bool has_more;
    bool is_pruned;
    char corrected[QUERY_CORRECTED_MAX];
    struct scan_starts starts;
    struct mark_memo *memo; /* of the words marked so far; NULL until the result is complete */
};

/* Fill the slots of the query's words with ways (stems, numerals, codes, prefixes,
 * corrections), word after word while query->work is below @budget. Returns: whether all are
 * filled. */
bool query_expand_step(struct search_query *query, uint32_t budget);

/* Add @term as a way of @slot, unless it is there, has no postings, or the slot is full.
 * Returns: whether it was added. */
bool query_way_add(struct search_query *query, struct slot *slot, uint32_t term,
                   enum way_kind kind, uint32_t percent);

struct longer_wanted {
    uint32_t max;        /* terms */
    uint32_t listed_min; /* documents that list a term; rarer ones may be left out */
};

/* The commonest terms of @space that begin with @prefix (len >= 2) and are longer, into
 * @ret_terms. Returns: how many. */
uint32_t query_longer_terms(const struct search_query *query, enum term_space space,
                            struct slice prefix, const struct longer_wanted *wanted,
                            uint32_t *ret_terms);

/* Add ways for words one or two letters off @word that are at least as common as @own; says so
 * in query->corrected. */
void query_correct(struct search_query *query, struct slot *slot, struct slice word,
                   uint32_t own);

/* Nothing was found: take every needed word for a beginning or a misspelling, known or not.
 * Returns: whether it is done; query->is_wider then tells whether that added anything. */
bool query_widen_step(struct search_query *query, uint32_t budget);

/* Find the words that say nothing, and order the bare ones that do, rarest first. */
void query_sort_words(struct search_query *query);

/* The bare words that are needed, rarest first. */
void query_order_words(struct search_query *query);

/* The hard stretches, cheap ones first. */
void query_order_hard(struct search_query *query);

/* Rows of one institution lie between its first and its last. */
void query_bound_rows(struct search_query *query);

/* The cheapest lists whose union holds every match. */
void query_choose_drivers(struct search_query *query);

/* The result is complete: make ready for marking. */
void query_mark_ready(struct search_query *query);

/* Look names and subjects of the filters up. */
void query_filters(struct search_query *query);

/* Whether the filter leaf @leaf holds for the row. */
bool query_filter_holds(const struct search_query *query, uint32_t leaf, uint32_t row);

/* Take the row, which matched, for a hit, if it is good enough: @sum of its needed words, to
 * which the words of phrases, fields and brackets are added from query->matches. Rows whose
 * title has to be looked at are only noted: their bytes are on their way meanwhile.
 * @is_full: all needed words. */
void query_take(struct search_query *query, uint32_t row, struct row_sum *sum, bool is_full);

/* The same for the next block of the window, whose rows have all words and need nothing else
 * but to be alive and of the right institution and term: counts those that are, and notes those
 * that may become hits. */
void query_note_block(struct search_query *query);

/* Take the noted rows. */
void query_take_noted(struct search_query *query);

/* Look at the titles of the noted rows. */
void query_take_titled(struct search_query *query);

/* Make ready for finding the bare words and the phrases side by side. */
void query_order_ready(struct search_query *query);

/* Put the hit where it belongs among the best (query_run). */
void query_hit_add(struct search_query *query, struct search_hit hit);

/* The weight of words that a relaxed hit of @score has at least. */
uint32_t query_share_weight(const struct search_query *query, uint32_t score);

/* Whether the words of the LEAF_PHRASE @phrase stand side by side in the row. */
bool query_phrase_holds(struct search_query *query, uint32_t phrase, uint32_t row);

/* Whether the row may be found at all: shown, and of the institution and term that the request
 * names. */
static inline bool query_may_find(const struct search_query *query, uint32_t row)
{
    if (index_facts(query->index, row)->state != ROW_LIVE) {
        return false;
    }
    if (!query->is_named) {
        return true;
    }
    const struct row_names *names = index_names(query->index, row);
    return (query->institution == NAME_NONE || names->institution == query->institution) &&
           (query->term == NAME_NONE || names->term == query->term);
}

/* Those of @rows, bits of the block of rows that begins with @first, that may be found. Most
 * blocks need no look at any row. */
uint64_t query_may_find_block(const struct search_query *query, uint32_t first, uint64_t rows);

/* Add a word that was found. */
static inline void sum_add(const struct search_query *query, struct row_sum *sum, uint32_t leaf,
                           const struct match *match)
{
    const struct slot *slot = &query->slots[leaf];
    sum->score += match->score + match->bonus;
    sum->weight += slot->weight;
    sum->words = (uint8_t)(sum->words + !slot->is_pair);
    sum->pairs = (uint8_t)(sum->pairs + slot->is_pair);
    sum->is_titled = sum->is_titled && (match->fields & POSTING_TITLE) != 0;
    sum->is_code = sum->is_code || match->bonus > 0;
}

/* Whether rows come from the leaf's posting lists. */
static inline bool leaf_is_listed(const struct leaf *leaf)
{
    return leaf->kind == LEAF_WORD ||
           (!leaf->any && (leaf->kind == LEAF_SUBJECT || leaf->kind == LEAF_CODE));
}

/* Whether @term is one of the slot's ways (prefixes and corrections included). */
static inline bool slot_has(const struct slot *slot, uint32_t term)
{
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        if (slot->ways[i].term == term) {
            return true;
        }
    }
    return false;
}

#endif
