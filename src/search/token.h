/* search/token.h -- cuts text into what is indexed: folded words, and pairs of characters where
 * words have no spaces.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 2
 *
 * A word is a run of letters and digits ("c++" and "c#" keep their signs after one or two
 * letters). A run of n characters of a script without spaces gives n - 1 overlapping pairs, a
 * lone character itself. Where `joins` is set, one space between two such characters is as good
 * as none, so that a name written either way is the same.
 */
#ifndef CARILLON_SEARCH_TOKEN_H
#define CARILLON_SEARCH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { TOKEN_BYTES_MAX = 48 }; /* of folded text; the rest of a longer word is cut off */

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_PAIR,
    TOKEN_SINGLE, /* one character of a script without spaces; beside the pairs only when
                     `singles` is set */
};

struct token {
    enum token_kind kind;
    bool is_extra; /* a single beside its pair: takes no place in the order of tokens */
    bool is_glued; /* only a hyphen or an apostrophe stands between this word and the one before
                    */
    bool is_plain; /* a word of letters only: can be stemmed */
    uint8_t len;
    uint8_t text[TOKEN_BYTES_MAX]; /* folded UTF-8 */
    uint32_t from;                 /* bytes of the source [from, to) */
    uint32_t to;
};

struct tokens {
    struct slice text;
    bool joins;
    bool singles;
    /* state */
    size_t at;
    bool is_inside; /* the character at `at` was the second of the last pair */
    bool is_single_given;
};

static inline struct tokens tokens_of(struct slice text, bool joins, bool singles)
{
    return (struct tokens){.text = text, .joins = joins, .singles = singles};
}

/* The next token. Returns: its kind, TOKEN_END at the end of the text. */
enum token_kind token_next(struct tokens *tokens, struct token *ret_token);

static inline struct slice token_slice(const struct token *token)
{
    return (struct slice){token->text, token->len};
}

/* One byte that tells a word as written from others of the same stem. */
static inline uint8_t token_hash(const struct token *token)
{
    uint32_t hash = token->len;
    for (uint32_t i = 0; i < token->len; i++) {
        hash = hash * 31 + token->text[i];
    }
    return (uint8_t)(hash ^ hash >> 8);
}

#endif
