/* search/language.h -- the languages we can tell apart by their function words, and their
 * stemmers.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 3
 *
 * Words are stemmed after folding, in documents and queries alike, so that a query typed
 * without accents meets the same stem. Stemming is Snowball's (libstemmer).
 */
#ifndef CARILLON_SEARCH_LANGUAGE_H
#define CARILLON_SEARCH_LANGUAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { LANGUAGE_ENGLISH = 0, LANGUAGE_COUNT = 15, LANGUAGE_NONE = 255, LANGUAGE_POINTS = 12 };

struct language {
    const char *stemmer;        /* libstemmer's name */
    const char *function_words; /* separated by blanks, as written */
};

extern const struct language languages[LANGUAGE_COUNT];

struct sb_stemmer;

struct stemmers {
    struct sb_stemmer *of[LANGUAGE_COUNT];
};

/* Open a stemmer per language; one that libstemmer lacks leaves words as they are. */
void stemmers_init(struct stemmers *stemmers);
void stemmers_fini(struct stemmers *stemmers);

/* The stem of the folded @word, lent until the next call; @word itself when it has none of its
 * own. */
struct slice stemmers_stem(struct stemmers *stemmers, uint32_t language, struct slice word);

/* The language with most @points, or LANGUAGE_NONE when the lead is not clear: a wrong guess
 * costs a stemmer in every query. A function word of one language is worth LANGUAGE_POINTS, one
 * that several share a part of it to each. */
uint32_t language_guess(const uint32_t points[LANGUAGE_COUNT]);

#endif
