/* search/lexicon.h -- every distinct word, pair and code of the index, its stem and its posting
 * list.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 5
 *
 * A term is named by a dense number given in order of first appearance; its text never moves or
 * goes. A stem is a term like any other. Words of titles and names, and codes, stand in buckets
 * by their first two bytes as well: that is where prefixes and misspellings look.
 */
#ifndef CARILLON_SEARCH_LEXICON_H
#define CARILLON_SEARCH_LEXICON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "search/language.h"
#include "search/posting.h"
#include "search/spelling.h"

enum term_space {
    TERM_WORD,    /* words, stems, pairs, single characters */
    TERM_CODE,    /* keys of whole codes (search/code.h) */
    TERM_NUMBER,  /* the number part of codes */
    TERM_SUBJECT, /* keys of subjects */
};

#define TERM_NONE UINT32_MAX

enum {
    TERM_PAGE = 1024,
    LEXICON_TEXT_PAGE = 64 << 10,
};

struct term {
    uint32_t text;   /* where its bytes stand: page << 16 | offset */
    uint32_t stem;   /* in `language`; TERM_NONE: not looked for yet */
    uint32_t count;  /* postings, those of removed rows included until they are swept */
    uint32_t last;   /* the only posting's row when count is 1 */
    uint32_t list;   /* its byte when count is 1; beyond that the number of the list */
    uint16_t listed; /* documents that have it in title or instructors, saturating */
    uint8_t len;
    uint8_t language : 6;
    uint8_t space : 2;
};

/* Roughly how many documents list the term is told too, so that the commonest of a bucket are
 * found without a look at the others. */
struct bucket_entry {
    uint32_t term : 27;
    uint32_t listed_class : 5; /* lexicon_listed_class() of its `listed` */
    uint32_t next; /* bytes 3 to 6 of the text, first one highest, zero beyond the end */
};

struct bucket {
    uint32_t key; /* space << 16 | first two bytes */
    uint32_t count;
    uint32_t capacity;
    struct bucket_entry *entries;
};

struct lexicon {
    struct arena *arena;
    struct stemmers stemmers;
    struct map map;
    struct term **pages;
    uint32_t pages_capacity;
    uint32_t count;
    uint8_t **texts;
    uint32_t texts_capacity;
    uint32_t texts_count;
    uint32_t text_used; /* of the last page */
    struct posting_list **lists;
    uint32_t lists_pages;
    uint32_t lists_count;
    uint32_t lists_free; /* a list's place to use again, linked by `last`; TERM_NONE: none */
    struct map bucket_map;
    struct bucket *buckets;
    uint32_t buckets_count;
    uint32_t buckets_capacity;
    struct spelling spelling; /* words (TERM_WORD) that are listed */
    uint64_t posting_bytes;
};

void lexicon_init(struct lexicon *lexicon, struct arena *arena);
void lexicon_fini(struct lexicon *lexicon); /* the stemmers only: memory goes with the arena */

static inline struct term *lexicon_term(const struct lexicon *lexicon, uint32_t term)
{
    return &lexicon->pages[term / TERM_PAGE][term % TERM_PAGE];
}

static inline struct slice lexicon_text(const struct lexicon *lexicon, uint32_t id)
{
    const struct term *term = lexicon_term(lexicon, id);
    return (struct slice){lexicon->texts[term->text >> 16] + (term->text & 0xFFFF), term->len};
}

/* The term of @text (1..255 bytes), or TERM_NONE. */
uint32_t lexicon_find(const struct lexicon *lexicon, enum term_space space, struct slice text);

/* Ask the memory for what lexicon_find() of the text will read, without waiting: @step 0 to
 * LEXICON_FETCH_STEPS - 1, each of which reads what the one before asked for. For several texts
 * side by side. */
enum { LEXICON_FETCH_STEPS = 3 };
void lexicon_prefetch(const struct lexicon *lexicon, enum term_space space, struct slice text,
                      uint32_t step);

/* The same, made when it is not there. */
uint32_t lexicon_put(struct lexicon *lexicon, enum term_space space, struct slice text);

/* The stem of the word @id in @language, made when it is not there. */
uint32_t lexicon_stem(struct lexicon *lexicon, uint32_t id, uint32_t language);

/* Count one document more that has @id in its title or instructors (or as its code). */
void lexicon_list(struct lexicon *lexicon, uint32_t id);

/* The bucket of terms that begin with the first two bytes of @prefix (len >= 2), or NULL. */
const struct bucket *lexicon_bucket(const struct lexicon *lexicon, enum term_space space,
                                    struct slice prefix);

/* One for each two bits of @listed: below 4, 16, 64 ... */
static inline uint32_t lexicon_listed_class(uint32_t listed)
{
    return (31U - (uint32_t)__builtin_clz(listed | 1)) / 2;
}

/* The four bytes of @text behind its first two, as buckets keep them. */
uint32_t lexicon_next_bytes(struct slice text);

/* The last row in the list of @id, which has a posting. */
uint32_t lexicon_last(const struct lexicon *lexicon, uint32_t id);

void lexicon_append(struct lexicon *lexicon, uint32_t id, uint32_t row, uint8_t byte);

/* Drop the postings of rows that are not alive from @id's list. Returns: postings looked at. */
uint32_t lexicon_sweep(struct lexicon *lexicon, uint32_t id,
                       bool (*is_alive)(const void *context, uint32_t row),
                       const void *context);

/* Ask the memory for the list of @id (@step 0), then for its first postings (1). */
void lexicon_prefetch_list(const struct lexicon *lexicon, uint32_t id, uint32_t step);

/* Stand on the first posting of @id. */
void lexicon_open(const struct lexicon *lexicon, uint32_t id, struct posting_walk *ret_walk);

#endif
