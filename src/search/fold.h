/* search/fold.h -- what the search sees of a character: its kind, and its letters without case,
 * accents and width.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 2
 *
 * The tables of fold_table.c are written by scripts/fold_table.py from the Unicode data; no
 * locale takes part.
 */
#ifndef CARILLON_SEARCH_FOLD_H
#define CARILLON_SEARCH_FOLD_H

#include <stdint.h>

#include "base/slice.h"

enum fold_kind {
    FOLD_OTHER, /* separates words */
    FOLD_WORD,  /* letters of scripts that write spaces between words */
    FOLD_DIGIT, /* decimal digits of any script, folded to 0..9 */
    FOLD_GRAM,  /* scripts without spaces (CJK, kana, Thai, ...) and Hangul: indexed by pairs */
    FOLD_DROP,  /* marks that are skipped inside words */
};

struct fold_char {
    enum fold_kind kind;
    uint32_t len;    /* bytes of the character in the text, at least 1 */
    uint32_t count;  /* code points in out */
    uint32_t out[4]; /* folded */
};

/* Fold the character at @at (at < text.len). A bad byte is FOLD_OTHER of length 1. */
struct fold_char fold_char_at(struct slice text, size_t at);

/* ASCII letters and digits to their folded byte; 0 for everything else. */
extern const uint8_t fold_ascii[256];

/* Generated: page numbers of the first 65,536 code points by 64 (0: no page), and per code
 * point kind << 12 | target, target 0 being the code point itself. */
extern const uint8_t fold_page_of[1024];
extern const uint16_t fold_page[];
extern const uint16_t fold_target[][4];

#endif
