#include "carillon/import_rule.h"

#include <stdio.h>

#include "base/assert.h"
#include "carillon/import_token.h"
#include "carillon/import_value.h"
#include "wire/message.h"

/* The grammar, lowest binding first:
 *
 *     expression = term { "and" term } | term { "or" term }
 *     term       = "(" expression ")" | NUMBER "of" "{" expression { "," expression } "}"
 *                | "level" ">=" LEVEL | "credits" ">=" NUMBER | course
 *     course     = CODE [ ">=" GRADE ] [ "concurrent" | "(concurrent)" ]
 *
 * `and` and `or` side by side without brackets are refused instead of ranked. A CODE is one or
 * more bare words, or anything between quotation marks.
 *
 * Groups are met before their operator is known, so every bracket opens a frame; when it
 * closes, its node is put in front of its members (nodes are moved up by one), or left out when
 * there is one member only.
 */
struct frame {
    enum import_token_kind
        opener;   /* TOKEN_OPEN, TOKEN_BRACE, or TOKEN_END for the whole text */
    size_t first; /* index of the first member's node */
    uint32_t members;
    uint32_t count;            /* n of a brace */
    Carillon__RuleKind joined; /* AND or OR once seen, RULE_NONE before */
    size_t at;
};

struct parser {
    struct import_rule *rule;
    struct slice text;
    struct import_token token; /* the one to look at next */
    struct frame frames[2 * IMPORT_RULE_DEPTH_MAX + 1];
    size_t depth; /* frames in use */
    struct import_rule_error *error;
};

static bool is_text(const struct import_token *token, const char *word)
{
    return token->kind == TOKEN_WORD && slice_is_equal(token->text, slice_from_text(word));
}

static int fail(struct parser *parser, int error, size_t at, const char *what)
{
    parser->error->at = at;
    snprintf(parser->error->text, sizeof parser->error->text, "%s", what);
    return error;
}

static void advance(struct parser *parser)
{
    parser->token = import_token_at(parser->text, parser->token.at + parser->token.text.len);
}

static struct import_token peek(const struct parser *parser)
{
    return import_token_at(parser->text, parser->token.at + parser->token.text.len);
}

static bool is_keyword(const struct import_token *token)
{
    return is_text(token, "and") || is_text(token, "or") || is_text(token, "concurrent");
}

static int push(struct parser *parser, enum import_token_kind opener, uint32_t count)
{
    if (parser->depth > IMPORT_RULE_DEPTH_MAX) {
        return fail(parser, ERR_TOO_LARGE, parser->token.at, "brackets nested too deep");
    }
    parser->frames[parser->depth++] = (struct frame){
        .opener = opener, .first = parser->rule->count, .count = count, .at = parser->token.at};
    return OK;
}

static struct frame *top(struct parser *parser)
{
    ASSERT(parser->depth > 0);
    return &parser->frames[parser->depth - 1];
}

/* Put a node for the closed @frame in front of its members. */
static int insert_group(struct parser *parser, const struct frame *frame,
                        Carillon__RuleKind kind)
{
    struct import_rule *rule = parser->rule;
    Carillon__RuleNode *node = NULL;

    if (import_rule_add(rule, kind, &node) != OK) {
        return fail(parser, ERR_FULL, frame->at, "more than 256 nodes");
    }
    memmove(&rule->nodes[frame->first + 1], &rule->nodes[frame->first],
            (rule->count - 1 - frame->first) * sizeof rule->nodes[0]);
    rule->nodes[frame->first] = node;
    node->children = frame->members;
    node->count = kind == CARILLON__RULE_KIND__RULE_N_OF ? frame->count : 0;
    return OK;
}

static int close_frame(struct parser *parser)
{
    struct frame frame = *top(parser);

    parser->depth--;
    if (frame.opener == TOKEN_BRACE) {
        if (frame.count < 1 || frame.count > frame.members) {
            return fail(parser, ERR_ARGUMENT, frame.at, "n must be 1 to the number of members");
        }
        return insert_group(parser, &frame, CARILLON__RULE_KIND__RULE_N_OF);
    }
    return frame.members < 2 ? OK : insert_group(parser, &frame, frame.joined);
}

/* The text of a code: one quoted text, or bare words joined by one space. */
static int parse_code(struct parser *parser, char **ret_code)
{
    char *code = arena_alloc(parser->rule->arena, parser->text.len + 1);
    size_t len = 0;
    size_t at = parser->token.at;

    if (parser->token.kind == TOKEN_QUOTED) {
        len = parser->token.text.len - 2;
        memcpy(code, parser->token.text.data + 1, len);
        advance(parser);
    }
    while (len == 0 || parser->token.kind == TOKEN_WORD) {
        if (parser->token.kind != TOKEN_WORD || is_keyword(&parser->token)) {
            break;
        }
        if (is_text(&parser->token, "AND") || (is_text(&parser->token, "OR") && len > 0)) {
            return fail(parser, ERR_MALFORMED, parser->token.at,
                        "write and, or in small letters, or quote the code");
        }
        if (len > 0) {
            code[len++] = ' ';
        }
        memcpy(code + len, parser->token.text.data, parser->token.text.len);
        len += parser->token.text.len;
        advance(parser);
    }
    if (len == 0 || len > IMPORT_CODE_BYTES_MAX) {
        return fail(parser, ERR_MALFORMED, at,
                    len == 0 ? "a course code is expected" : "a code of more than 128 bytes");
    }
    code[len] = '\0';
    *ret_code = code;
    return OK;
}

/* Split "lindenmoor:CS101" when the part before the colon can be an institution. */
static void split_institution(Carillon__RuleNode *node, char *code)
{
    char *colon = strchr(code, ':');

    node->code = code;
    if (colon != NULL && import_is_slug(slice_from(code, (size_t)(colon - code)))) {
        *colon = '\0';
        node->institution = code;
        node->code = colon + 1;
    }
}

static int parse_concurrent(struct parser *parser, Carillon__RuleNode *node)
{
    struct import_token next = peek(parser);

    if (parser->token.kind == TOKEN_OPEN && is_text(&next, "concurrent")) {
        advance(parser);
        advance(parser);
        if (parser->token.kind != TOKEN_CLOSE) {
            return fail(parser, ERR_MALFORMED, parser->token.at, ") is expected");
        }
        advance(parser);
        node->concurrent = true;
    } else if (is_text(&parser->token, "concurrent")) {
        advance(parser);
        node->concurrent = true;
    }
    return OK;
}

static int parse_course(struct parser *parser)
{
    Carillon__RuleNode *node = NULL;
    char *code = NULL;
    int error = parse_code(parser, &code);

    if (error != OK) {
        return error;
    }
    if (import_rule_add(parser->rule, CARILLON__RULE_KIND__RULE_COURSE, &node) != OK) {
        return fail(parser, ERR_FULL, parser->token.at, "more than 256 nodes");
    }
    split_institution(node, code);
    if (parser->token.kind == TOKEN_AT_LEAST) {
        advance(parser);
        if (parser->token.kind != TOKEN_WORD ||
            import_grade_parse(parser->token.text, &node->grade_min) != OK) {
            return fail(parser, ERR_GONE, parser->token.at,
                        "a grade is expected, like C- or 1.7");
        }
        advance(parser);
    }
    return parse_concurrent(parser, node);
}

/* "level >= 3" and "credits >= 60". */
static int parse_threshold(struct parser *parser, bool is_level)
{
    Carillon__RuleNode *node = NULL;
    Carillon__RuleKind kind =
        is_level ? CARILLON__RULE_KIND__RULE_LEVEL : CARILLON__RULE_KIND__RULE_CREDITS;

    advance(parser);
    advance(parser);
    if (import_rule_add(parser->rule, kind, &node) != OK) {
        return fail(parser, ERR_FULL, parser->token.at, "more than 256 nodes");
    }
    int error = is_level
                    ? import_level_parse(parser->token.text, IMPORT_LEVEL_MAX, &node->count)
                    : import_hundredths_parse(parser->token.text,
                                              IMPORT_CREDITS_RULE_HUNDREDTHS_MAX, &node->count);
    if (parser->token.kind != TOKEN_WORD || error != OK) {
        return fail(parser, ERR_MALFORMED, parser->token.at,
                    is_level ? "a level is expected, 1 to 9"
                             : "a number of credits is expected");
    }
    advance(parser);
    return OK;
}

/* A term, or the opening of one. @ret_is_open tells that the members of a bracket follow. */
static int parse_term(struct parser *parser, bool *ret_is_open)
{
    struct import_token next = peek(parser);
    uint64_t count = 0;
    size_t at = parser->token.at;

    *ret_is_open = false;
    if (parser->token.kind == TOKEN_OPEN) {
        int error = push(parser, TOKEN_OPEN, 0);

        advance(parser);
        *ret_is_open = true;
        return error;
    }
    if (next.kind == TOKEN_AT_LEAST &&
        (is_text(&parser->token, "level") || is_text(&parser->token, "credits"))) {
        return parse_threshold(parser, is_text(&parser->token, "level"));
    }
    if (is_text(&next, "of") && slice_parse_u64(parser->token.text, 1000, &count) == OK) {
        advance(parser);
        advance(parser);
        if (parser->token.kind != TOKEN_BRACE) {
            return fail(parser, ERR_MALFORMED, parser->token.at, "{ is expected");
        }
        int error = push(parser, TOKEN_BRACE, (uint32_t)count);

        advance(parser);
        if (error == OK) {
            top(parser)->at = at;
            error = push(parser, TOKEN_COMMA, 0);
        }
        *ret_is_open = true;
        return error;
    }
    return parse_course(parser);
}

/* After a term: an operator, or closing brackets. @ret_is_done tells that the text has ended.
 */
static int parse_after_term(struct parser *parser, bool *ret_is_done)
{
    *ret_is_done = false;
    for (;;) {
        struct frame *frame = top(parser);
        enum import_token_kind kind = parser->token.kind;
        bool is_and = is_text(&parser->token, "and");

        frame->members++;
        if (is_and || is_text(&parser->token, "or")) {
            Carillon__RuleKind joined =
                is_and ? CARILLON__RULE_KIND__RULE_AND : CARILLON__RULE_KIND__RULE_OR;

            if (frame->joined != CARILLON__RULE_KIND__RULE_NONE && frame->joined != joined) {
                return fail(parser, ERR_MALFORMED, parser->token.at,
                            "and beside or: put brackets around what belongs together");
            }
            frame->joined = joined;
            advance(parser);
            return OK;
        }
        if (kind == TOKEN_END && frame->opener == TOKEN_END) {
            *ret_is_done = true;
            return close_frame(parser);
        }
        bool ends_member =
            frame->opener == TOKEN_COMMA && (kind == TOKEN_COMMA || kind == TOKEN_BRACE_END);

        if (!ends_member && !(kind == TOKEN_CLOSE && frame->opener == TOKEN_OPEN)) {
            return fail(parser, ERR_MALFORMED, parser->token.at,
                        kind == TOKEN_BAD             ? "an unfinished quotation or operator"
                        : frame->opener == TOKEN_END  ? "and, or, or the end is expected"
                        : frame->opener == TOKEN_OPEN ? "and, or, or ) is expected"
                                                      : "and, or, a comma or } is expected");
        }
        int error = close_frame(parser);

        if (error != OK) {
            return error;
        }
        advance(parser);
        if (kind == TOKEN_COMMA) {
            top(parser)->members++;
            return push(parser, TOKEN_COMMA, 0);
        }
        if (kind == TOKEN_BRACE_END) {
            top(parser)->members++;
            error = close_frame(parser);
            if (error != OK) {
                return error;
            }
        }
    }
}

int import_rule_parse(struct import_rule *rule, struct slice text,
                      struct import_rule_error *ret_error)
{
    struct parser parser = {.rule = rule, .text = text, .error = ret_error};
    bool is_done = false;
    bool is_open = false;

    parser.token = import_token_at(text, 0);
    if (parser.token.kind == TOKEN_END) {
        return OK;
    }
    int error = push(&parser, TOKEN_END, 0);

    while (error == OK && !is_done) {
        error = parse_term(&parser, &is_open);
        if (error == OK && !is_open) {
            error = parse_after_term(&parser, &is_done);
        }
    }
    return error;
}
