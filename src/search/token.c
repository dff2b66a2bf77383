#include "search/token.h"

#include "base/utf8.h"
#include "search/fold.h"

enum { SIGN_WORD_MAX = 2 }; /* letters before a sign that belongs to the word: c++, f# */

static void append(struct token *token, const struct fold_char *folded)
{
    for (uint32_t i = 0; i < folded->count; i++) {
        uint8_t bytes[UTF8_BYTES_MAX];
        size_t len = utf8_encode(folded->out[i], bytes);
        if (token->len + len > TOKEN_BYTES_MAX) {
            return;
        }
        memcpy(token->text + token->len, bytes, len);
        token->len = (uint8_t)(token->len + len);
    }
}

/* "c++" and "c#" are words; "A+" and "#1" are not worth one, but do no harm. */
static void take_signs(struct tokens *tokens, struct token *token)
{
    if (token->len > SIGN_WORD_MAX || !token->is_plain) {
        return;
    }
    while (tokens->at < tokens->text.len &&
           (tokens->text.data[tokens->at] == '+' || tokens->text.data[tokens->at] == '#')) {
        token->text[token->len++] = tokens->text.data[tokens->at++];
        token->is_plain = false;
        if (token->len >= SIGN_WORD_MAX + 2) {
            break;
        }
    }
}

/* The rest of a word whose first character stands at tokens->at. */
static enum token_kind take_word(struct tokens *tokens, struct token *token)
{
    struct slice text = tokens->text;
    token->from = (uint32_t)tokens->at;
    token->is_plain = true;
    while (tokens->at < text.len) {
        uint8_t low = fold_ascii[text.data[tokens->at]];
        if (low != 0) {
            token->is_plain = token->is_plain && low > '9';
            if (token->len < TOKEN_BYTES_MAX) {
                token->text[token->len++] = low;
            }
            tokens->at++;
            continue;
        }
        if (text.data[tokens->at] < 0x80) {
            break;
        }
        struct fold_char folded = fold_char_at(text, tokens->at);
        if (folded.kind == FOLD_OTHER || folded.kind == FOLD_GRAM) {
            break;
        }
        if (folded.kind != FOLD_DROP) {
            token->is_plain = token->is_plain && folded.kind == FOLD_WORD;
            append(token, &folded);
        }
        tokens->at += folded.len;
    }
    take_signs(tokens, token);
    token->to = (uint32_t)tokens->at;
    return TOKEN_WORD;
}

/* Where the partner of the character that ends at @at begins, or 0 when there is none. */
static size_t partner_at(const struct tokens *tokens, size_t at, struct fold_char *ret_partner)
{
    bool is_spaced = false;
    while (at < tokens->text.len) {
        struct fold_char next = fold_char_at(tokens->text, at);
        if (next.kind == FOLD_GRAM) {
            *ret_partner = next;
            return at;
        }
        bool is_space = next.out[0] == ' ' || next.out[0] == 0x3000;
        if (next.kind != FOLD_DROP && (!is_space || is_spaced || !tokens->joins)) {
            return 0;
        }
        is_spaced = is_spaced || is_space;
        at += next.len;
    }
    return 0;
}

/* One pair or single of a run; the character @first stands at tokens->at. TOKEN_END: nothing to
 * give here. */
static enum token_kind take_gram(struct tokens *tokens, struct token *token,
                                 const struct fold_char *first)
{
    append(token, first);
    token->from = (uint32_t)tokens->at;
    token->to = token->from + first->len;
    struct fold_char second;
    size_t second_at = partner_at(tokens, token->to, &second);
    bool is_lone = second_at == 0 && !tokens->is_inside;
    if (is_lone || (tokens->singles && !tokens->is_single_given)) {
        token->is_extra = !is_lone;
        tokens->is_single_given = !is_lone;
        tokens->at += is_lone ? first->len : 0;
        return TOKEN_SINGLE;
    }
    tokens->is_single_given = false;
    if (second_at == 0) {
        tokens->is_inside = false;
        tokens->at += first->len;
        return TOKEN_END;
    }
    append(token, &second);
    token->to = (uint32_t)(second_at + second.len);
    tokens->at = second_at;
    tokens->is_inside = true;
    return TOKEN_PAIR;
}

static bool is_joiner(const struct fold_char *folded)
{
    uint32_t code = folded->out[0];
    return code == '-' || code == '\'' || code == 0x2019 || code == 0x2010 || code == 0x2011;
}

enum token_kind token_next(struct tokens *tokens, struct token *token)
{
    bool is_glued = false;
    token->kind = TOKEN_END;
    while (tokens->at < tokens->text.len) {
        token->len = 0;
        token->is_extra = false;
        token->is_glued = is_glued;
        token->is_plain = false;
        if (fold_ascii[tokens->text.data[tokens->at]] != 0) {
            token->kind = take_word(tokens, token);
            break;
        }
        struct fold_char first = fold_char_at(tokens->text, tokens->at);
        if (first.kind == FOLD_WORD || first.kind == FOLD_DIGIT) {
            token->kind = take_word(tokens, token);
        } else if (first.kind == FOLD_GRAM) {
            token->kind = take_gram(tokens, token, &first);
        } else {
            is_glued = tokens->at > 0 && is_joiner(&first);
            tokens->at += first.len;
        }
        if (token->kind != TOKEN_END) {
            break;
        }
    }
    return token->kind;
}
