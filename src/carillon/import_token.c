#include "carillon/import_token.h"

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool ends_word(uint8_t byte)
{
    /* A zero byte is no mark: it belongs to the word, so that words never touch one another. */
    return is_space(byte) || (byte != '\0' && strchr("(){},;>\"'", byte) != NULL);
}

static size_t quoted_end(struct slice text, size_t at)
{
    size_t end = at + 1;

    while (end < text.len && text.data[end] != text.data[at]) {
        end++;
    }
    return end;
}

struct import_token import_token_at(struct slice text, size_t at)
{
    static const char marks[] = "(){},;";
    static const enum import_token_kind kinds[] = {TOKEN_OPEN,      TOKEN_CLOSE, TOKEN_BRACE,
                                                   TOKEN_BRACE_END, TOKEN_COMMA, TOKEN_COMMA};

    while (at < text.len && is_space(text.data[at])) {
        at++;
    }
    if (at == text.len) {
        return (struct import_token){TOKEN_END, SLICE_NONE, at};
    }
    const char *mark = text.data[at] == '\0' ? NULL : strchr(marks, text.data[at]);

    if (mark != NULL) {
        return (struct import_token){kinds[mark - marks], slice_sub(text, at, 1), at};
    }
    if (text.data[at] == '>') {
        bool is_whole = at + 1 < text.len && text.data[at + 1] == '=';

        return (struct import_token){is_whole ? TOKEN_AT_LEAST : TOKEN_BAD,
                                     slice_sub(text, at, 2), at};
    }
    if (text.data[at] == '"' || text.data[at] == '\'') {
        size_t end = quoted_end(text, at);

        return (struct import_token){end < text.len && end > at + 1 ? TOKEN_QUOTED : TOKEN_BAD,
                                     slice_sub(text, at, end - at + 1), at};
    }
    size_t end = at + 1;

    while (end < text.len && !ends_word(text.data[end])) {
        end++;
    }
    return (struct import_token){TOKEN_WORD, slice_sub(text, at, end - at), at};
}
