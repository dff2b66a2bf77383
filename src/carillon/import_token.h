/* carillon/import_token.h -- the tokens of the prerequisite grammar.
 *
 * Layer: carillon     Spec: docs/spec/import.md, "Prerequisites in CSV"
 */
#ifndef CARILLON_CARILLON_IMPORT_TOKEN_H
#define CARILLON_CARILLON_IMPORT_TOKEN_H

#include "base/slice.h"

enum import_token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_QUOTED,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_BRACE,
    TOKEN_BRACE_END,
    TOKEN_COMMA,
    TOKEN_AT_LEAST,
    TOKEN_BAD
};

struct import_token {
    enum import_token_kind kind;
    struct slice text; /* with its quotation marks */
    size_t at;         /* byte offset */
};

/* The token that begins at or after byte @at of @text; TOKEN_END at the end, TOKEN_BAD for an
 * unfinished quotation or operator. The token after it begins at its at + text.len. */
struct import_token import_token_at(struct slice text, size_t at);

#endif
