/* search/window.h -- the rows a query looks at next: a short stretch of the index, and what of
 * the query's words stands where in it.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 7
 *
 * A word may have two dozen lists. Walking them side by side, row after row, costs a look at
 * each of them per row; so a word's lists are poured one after another into a window of rows
 * instead, whose bits and sums stay in the cache. Where few rows are left, each is looked up.
 * Inside the room only.
 */
#ifndef CARILLON_SEARCH_WINDOW_H
#define CARILLON_SEARCH_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum { WINDOW_ROWS = 512, WINDOW_BLOCKS = WINDOW_ROWS / 64 };

struct search_query;

/* What probing a word at a row gave. */
struct match {
    uint32_t score; /* at least 1 where the word is */
    uint32_t bonus;
    uint8_t fields;
};

/* The needed words that a row has, together. */
struct row_sum {
    uint32_t score; /* bonuses included */
    uint32_t weight;
    uint8_t words;
    uint8_t pairs;
    bool is_titled; /* all of them are in the title */
    bool is_code;
};

struct window {
    uint32_t first; /* row of the first bit */
    uint32_t end;
    bool is_lone;   /* one needed word drives alone: `matches` are all there is, and no sums */
    uint32_t block; /* blocks of rows before this one have been looked at */
    uint64_t rows[WINDOW_BLOCKS];  /* still to be looked at */
    uint64_t there[WINDOW_BLOCKS]; /* where the word poured in last stands */
    struct match matches[WINDOW_ROWS];
    struct row_sum sums[WINDOW_ROWS];
};

/* Fill the window with the next rows from query->row_next on that have all needed words.
 * Returns: false when there are no more rows. The window may be empty otherwise. */
bool window_fill_strict(struct search_query *query);

/* The same with the rows that have one of the essential words; sums hold those only. */
bool window_fill_relaxed(struct search_query *query);

/* The next row, which is taken out, or POSTING_NO_ROW. */
uint32_t window_next(struct window *window);

/* The index has changed: forget those rows whose page a sweep has given back. What the window
 * says of the others stays true, for rows are never changed. */
void window_forget_gone(struct search_query *query);

/* Whether the word of @leaf is in the row; query->matches tells how. */
bool slot_probe(struct search_query *query, uint32_t leaf, uint32_t row);

#endif
