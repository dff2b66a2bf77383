/* search/scan.h -- goes through a text for the few tokens that may match a query, past the many
 * that begin otherwise.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 9
 *
 * Where words of ASCII letters begin is found for 64 bytes at a time, by their first letters if
 * the query's ways have few, and a word that begins as no way of the query does costs one look;
 * anything else is cut into tokens as the index does.
 * Inside the room only.
 */
#ifndef CARILLON_SEARCH_SCAN_H
#define CARILLON_SEARCH_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "search/token.h"

/* How the query's ways begin: their first byte, and bits of a hash of their first two or three.
 */
enum { SCAN_TWO_BITS = 256, SCAN_THREE_BITS = 4096, SCAN_LETTERS_MAX = 8 };

struct scan_starts {
    bool first[256];
    uint8_t letters[SCAN_LETTERS_MAX]; /* the first bytes that are letters or digits of ASCII */
    uint8_t letters_count; /* beyond the maximum: more than are looked for all at once */
    uint64_t two[SCAN_TWO_BITS / 64]; /* ways of one or two bytes */
    uint64_t three[SCAN_THREE_BITS / 64];
};

void scan_starts_add(struct scan_starts *starts, struct slice way);

struct scan {
    const struct scan_starts *starts;
    struct tokens tokens;
    size_t block; /* of 64 bytes: the one that `places` is of */
    uint64_t
        places;    /* still to be looked at: beginnings of ASCII words, and other characters */
    size_t looked; /* the ASCII word behind another character that was looked at last */
};

struct scan scan_of(struct slice text, const struct scan_starts *starts);

/* The next token that begins as a way of the query does. Returns: false at the text's end. */
bool scan_next(struct scan *scan, struct token *ret_token);

#endif
