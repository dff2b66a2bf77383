/* search/index.h -- the index itself: rows (documents as they were put), names, and the
 * lexicon.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 5
 *
 * A put gives the document a new row, so that posting lists only grow at their end; the row
 * before is dead from then on. Dead rows are never found; a sweep that advances a little with
 * each put takes their postings away. Inside the room only.
 */
#ifndef CARILLON_SEARCH_INDEX_H
#define CARILLON_SEARCH_INDEX_H

#include "base/map.h"
#include "search/lexicon.h"
#include "search/search.h"

#define CREDITS_UNKNOWN UINT32_MAX /* no enumerator: those are ints */

enum {
    ROW_PAGE = 1024,
    ROW_BLOCK = 64, /* rows that one word of bits tells of */
    TITLE_CLASSES = 4,
    NAME_NONE = UINT16_MAX,
};

enum row_state { ROW_DEAD, ROW_HIDDEN, ROW_LIVE };

/* The row's own bytes: how many tokens the title has, the instructors, the description, and how
 * many day masks (four varints); the day masks; then the tokens in this order, each the varint
 * of its term (stem), title tokens followed by one byte of the hash of the word as written.
 * Pairs of the description are left out. */
struct row {
    uint32_t forward_bytes;
    uint32_t number;
    uint32_t credits;    /* hundredths, or CREDITS_UNKNOWN */
    uint32_t text_bytes; /* of the document */
    uint32_t language;
};

/* What nearly every look at a row needs: four bytes, so that those of all rows stay in the
 * cache. */
struct row_facts {
    uint8_t state; /* enum row_state */
    uint8_t level;
    uint8_t words; /* words of the title that are not function words, at most 255 */
    uint8_t pairs; /* pairs of the title, at most 255 */
};

struct row_names {
    uint16_t institution;
    uint16_t term;
};

#define DOC_MIXED UINT32_MAX

/* What most looks at a row come to, for a block of them at once: bits of its rows, and what all
 * of them have, dead ones included. */
struct row_block {
    uint64_t live;           /* ROW_LIVE */
    uint64_t title_class[2]; /* the low and the high bit of it */
    struct row_names alike;  /* NAME_NONE: they differ */
    uint32_t doc_first;      /* of the first row, when each row's is one above the one before,
                                as mostly after a start and an import; else DOC_MIXED */
};

/* The heads of a page of rows, column by column. */
struct row_heads {
    struct row_facts facts[ROW_PAGE];
    uint32_t docs[ROW_PAGE];
    struct row_names names[ROW_PAGE];
    uint8_t *forward[ROW_PAGE]; /* see struct row */
};

/* An institution or a term. */
struct name {
    struct slice text; /* folded */
    uint32_t rows;     /* not dead */
    uint32_t row_first;
    uint32_t row_last;
    uint32_t languages[LANGUAGE_COUNT]; /* documents told to be in each */
};

struct names {
    struct name *items;
    uint32_t count;
    uint32_t capacity;
    struct map map;
};

/* One token of the document being put. */
struct occurrence {
    uint32_t term;
    uint8_t field; /* enum field */
    uint8_t hash;  /* of the word as written */
    bool is_plain;
    bool is_extra; /* not part of the order of tokens */
    bool is_pair;
};

enum field { FIELD_TITLE, FIELD_PEOPLE, FIELD_SUBJECT, FIELD_TEXT, FIELD_COUNT };

/* How often a term occurs in the document being put. */
struct tally {
    uint32_t term;
    uint32_t slot; /* its place in the table of slots */
    uint16_t counts[FIELD_COUNT];
};

struct intake {
    struct occurrence *occurrences;
    uint32_t count;
    uint32_t capacity;
    struct tally *tallies; /* in order of first occurrence */
    uint32_t tallies_count;
    uint32_t tallies_capacity;
    uint32_t *slots; /* hash of term to tally + 1 */
    uint32_t slots_capacity;
    uint8_t *bytes; /* the forward row being built */
    uint32_t bytes_capacity;
};

struct search_index {
    struct arena *arena;
    struct lexicon lexicon;
    struct row **rows;
    struct row_heads **heads; /* pages as of rows */
    struct row_block *blocks; /* side by side, for a query goes through them from end to end;
                                 half a byte a row, also of pages given back */
    uint32_t blocks_capacity;
    uint32_t *rows_alive; /* per page */
    uint32_t rows_pages;
    uint32_t rows_count;
    uint32_t **docs; /* pages: document to row + 1, 0 none */
    uint32_t docs_pages;
    struct names institutions;
    struct names terms;
    uint32_t languages[LANGUAGE_COUNT]; /* live documents stemmed in each */
    uint32_t function_words;            /* the first terms of the lexicon are function words */
    uint16_t *function_of;              /* and of which languages */
    uint32_t alive;                     /* rows not dead */
    uint32_t dead;                      /* rows dead whose postings may still be there */
    bool is_sweeping;
    uint32_t sweep_at;   /* term */
    uint32_t sweep_dead; /* dead rows when the sweep began: gone when it ends */
    uint64_t version;    /* raised whenever posting lists may have moved */
    uint64_t text_bytes;
    uint64_t forward_bytes;
    struct intake intake;
};

static inline struct row *index_row(const struct search_index *index, uint32_t row)
{
    return &index->rows[row / ROW_PAGE][row % ROW_PAGE];
}

static inline struct row_facts *index_facts(const struct search_index *index, uint32_t row)
{
    return &index->heads[row / ROW_PAGE]->facts[row % ROW_PAGE];
}

static inline struct row_block *index_block(const struct search_index *index, uint32_t row)
{
    return &index->blocks[row / ROW_BLOCK];
}

static inline uint32_t index_doc(const struct search_index *index, uint32_t row)
{
    uint32_t first = index_block(index, row)->doc_first;
    return first != DOC_MIXED ? first + row % ROW_BLOCK
                              : index->heads[row / ROW_PAGE]->docs[row % ROW_PAGE];
}

/* Ask the memory for what index_doc() will read beyond the block. */
static inline void index_doc_prefetch(const struct search_index *index, uint32_t row)
{
    if (index_block(index, row)->doc_first == DOC_MIXED) {
        __builtin_prefetch(&index->heads[row / ROW_PAGE]->docs[row % ROW_PAGE]);
    }
}

static inline struct row_names *index_names(const struct search_index *index, uint32_t row)
{
    return &index->heads[row / ROW_PAGE]->names[row % ROW_PAGE];
}

static inline uint8_t **index_forward(const struct search_index *index, uint32_t row)
{
    return &index->heads[row / ROW_PAGE]->forward[row % ROW_PAGE];
}

/* Show the row, hide it or let it die: facts and bits together. */
void index_state_set(struct search_index *index, uint32_t row, enum row_state state);

/* How long the row's title is, roughly: class 0 to 3 for less than 2, 3, 5 words, or more. */
void index_title_class_set(struct search_index *index, uint32_t row, uint32_t words);

/* The fewest words of titles of @title_class. */
static inline uint32_t title_class_words(uint32_t title_class)
{
    return title_class == 3 ? 5 : title_class + (title_class > 0 ? 1 : 0);
}

/* Name the institution and term of the newest row. */
void index_names_set(struct search_index *index, uint32_t row, struct row_names names);

/* The row of @doc, or POSTING_NO_ROW. */
uint32_t index_row_of(const struct search_index *index, uint32_t doc);

/* The name with this text (see code_name_of), or NAME_NONE. */
uint32_t names_find(const struct names *names, struct slice text);
uint32_t names_put(struct names *names, struct arena *arena, struct slice text);

/* A new row for @doc, dead until its state is set; the row before it dies. */
uint32_t index_row_add(struct search_index *index, uint32_t doc);

/* Advance the sweep by about SWEEP_WORK postings, if one is due. */
void index_sweep(struct search_index *index);

static inline bool index_is_function_word(const struct search_index *index, uint32_t term)
{
    return term < index->function_words;
}

#endif
