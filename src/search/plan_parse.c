#include "base/assert.h"
#include "base/utf8.h"
#include "search/plan.h"
#include "search/posting.h"

enum { CODE_LETTERS_MAX = 12, RUN_CHARS_MAX = 24 };

/* What stands between two brackets (the whole query is the outermost). */
struct frame {
    uint8_t op;            /* OP_AND or OP_OR once two operands met, else 0 */
    uint8_t pending;       /* the operator read last, 0: none */
    bool is_negated;       /* NOT before the next operand */
    bool is_outer_negated; /* NOT before the bracket */
    uint32_t operands;
    uint32_t at;       /* of the bracket */
    uint32_t op_at;    /* of the pending operator */
    uint16_t ops_from; /* of the program */
};

/* One operand of the outermost frame. */
struct operand {
    struct stretch ops;
    bool is_soft; /* bare words: leaves [first, last] */
    uint8_t first;
    uint8_t last;
};

struct parser {
    struct search_plan *plan;
    struct search_error *error;
    struct slice text;
    uint32_t at;
    uint32_t terms;
    struct frame frames[SEARCH_NESTING_MAX + 1];
    uint32_t depth;
    struct operand operands[PLAN_HARD_MAX];
    uint32_t operands_count;
    /* The bare words just read, for codes written in several parts. */
    struct slice chunks[3];
    uint8_t chunk_first[3];
    uint32_t chunks_count;
};

int plan_error(struct search_error *error, uint32_t at, const char *text)
{
    error->at = at;
    size_t len = strlen(text);
    len = len < sizeof(error->text) ? len : sizeof(error->text) - 1;
    memcpy(error->text, text, len);
    error->text[len] = '\0';
    return ERR_QUERY;
}

static int fail(struct parser *parser, uint32_t at, const char *text)
{
    return plan_error(parser->error, at, text);
}

static int op_add(struct parser *parser, uint32_t op)
{
    struct search_plan *plan = parser->plan;
    if (plan->ops_count == PLAN_OPS_MAX) {
        return fail(parser, parser->at, "the query has too many parts");
    }
    plan->ops[plan->ops_count++] = (uint8_t)op;
    return OK;
}

static int leaf_add(struct parser *parser, const struct leaf *leaf)
{
    struct search_plan *plan = parser->plan;
    if (plan->leaves_count == PLAN_LEAVES_MAX) {
        return fail(parser, leaf->at, "the query has too many words");
    }
    plan->leaves[plan->leaves_count] = *leaf;
    return op_add(parser, plan->leaves_count++);
}

/* The operand whose program begins at @from is complete: negate it, join it to the ones before.
 */
static int operand_end(struct parser *parser, uint32_t at, const struct operand *operand)
{
    struct frame *frame = &parser->frames[parser->depth];
    bool is_negated = frame->is_negated;
    if (is_negated) {
        int status = op_add(parser, OP_NOT);
        if (status != OK) {
            return status;
        }
        frame->is_negated = false;
    }
    uint8_t op = frame->pending == 0 ? OP_AND : frame->pending;
    uint32_t op_at = frame->pending == 0 ? at : frame->op_at;
    frame->pending = 0;
    frame->operands++;
    if (frame->operands > 1) {
        if (frame->op != 0 && frame->op != op) {
            return fail(parser, op_at, "AND and OR side by side need brackets");
        }
        frame->op = op;
    }
    if (parser->depth == 0) {
        if (parser->operands_count == PLAN_HARD_MAX) {
            return fail(parser, at, "the query has too many parts");
        }
        struct operand *kept = &parser->operands[parser->operands_count++];
        *kept = *operand;
        kept->ops.to = (uint16_t)parser->plan->ops_count;
        kept->is_soft = operand->is_soft && !is_negated;
        return OK;
    }
    return frame->operands > 1 ? op_add(parser, frame->op) : OK;
}

static int term_count(struct parser *parser, uint32_t at)
{
    parser->terms++;
    return parser->terms > SEARCH_TERMS_MAX ? fail(parser, at, "more than 32 words and filters")
                                            : OK;
}

/* The tokens of @text as leaves, each one needed. @ret_count: how many, 0 for mere punctuation.
 * A long run of a script without spaces is taken in pairs that do not overlap: every character
 * is still asked for. */
static int words_add(struct parser *parser, struct slice text, uint32_t at, uint8_t fields,
                     uint32_t *ret_count)
{
    struct tokens tokens = tokens_of(text, false, false);
    struct token token;
    uint32_t count = 0;
    uint32_t run = 0;
    bool is_long = text.len > (size_t)RUN_CHARS_MAX * 3;
    while (token_next(&tokens, &token) != TOKEN_END) {
        run = token.kind == TOKEN_PAIR ? run + 1 : 0;
        if (is_long && run > 0 && run % 2 == 0 && tokens.at + 4 < text.len) {
            continue;
        }
        struct leaf leaf = {
            .kind = LEAF_WORD,
            .fields = fields,
            .is_pair = token.kind != TOKEN_WORD,
            .is_plain = token.is_plain,
            .hash = token_hash(&token),
            .len = token.len,
            .at = at + token.from,
        };
        memcpy(leaf.text, token.text, token.len);
        int status = leaf_add(parser, &leaf);
        if (status == OK && count > 0) {
            status = op_add(parser, OP_AND);
        }
        if (status != OK) {
            return status;
        }
        count++;
    }
    *ret_count = count;
    return OK;
}

static void span_add(struct parser *parser, uint8_t first, uint8_t last,
                     const struct code_key *key)
{
    struct search_plan *plan = parser->plan;
    if (plan->spans_count < PLAN_SPANS_MAX && key->has_digit) {
        plan->spans[plan->spans_count++] =
            (struct span){.first = first, .last = last, .key = *key};
    }
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* "ABC 101", "ABC 101 E" and "ABC101": note what might be one code. The part just read stands
 * last and ends with leaf @last. */
static void spans_add(struct parser *parser, uint8_t last_leaf)
{
    uint32_t count = parser->chunks_count;
    struct slice last = parser->chunks[count - 1];
    struct code_key key;
    if (code_key_of(last, &key)) {
        span_add(parser, parser->chunk_first[count - 1], last_leaf, &key);
    }
    for (uint32_t back = 1; back < count; back++) {
        uint32_t from = count - 1 - back;
        struct slice whole = {parser->chunks[from].data,
                              (size_t)(last.data + last.len - parser->chunks[from].data)};
        struct code_key head;
        bool is_code = code_key_of(parser->chunks[from], &head) && !head.has_digit &&
                       head.len <= CODE_LETTERS_MAX &&
                       is_digit(parser->chunks[from + 1].data[0]) &&
                       (back == 1 || last.len == 1);
        if (is_code && code_key_of(whole, &key)) {
            span_add(parser, parser->chunk_first[from], last_leaf, &key);
        }
    }
}

static void chunk_push(struct parser *parser, struct slice chunk, uint8_t first)
{
    if (parser->chunks_count == 3) {
        parser->chunks_count = 2;
        for (uint32_t i = 0; i < 2; i++) {
            parser->chunks[i] = parser->chunks[i + 1];
            parser->chunk_first[i] = parser->chunk_first[i + 1];
        }
    }
    parser->chunks[parser->chunks_count] = chunk;
    parser->chunk_first[parser->chunks_count++] = first;
}

/* A chunk that is a list of codes ("ABC 20/21", "ABC 20/DEF 30"): each part may be a code of
 * its own, and one that begins with its number has the letters of the first. */
static void parts_add(struct parser *parser, struct slice chunk, uint32_t at, uint8_t first)
{
    struct code_key keys[CODE_PARTS_MAX];
    uint32_t keys_count = code_parts(chunk, keys);
    uint32_t leaf = first;
    struct slice rest = chunk;
    bool is_more = true;
    for (uint32_t i = 0; is_more; i++) {
        struct slice part;
        is_more = slice_cut(rest, '/', &part, &rest);
        uint32_t end = at + (uint32_t)(part.data + part.len - chunk.data);
        uint32_t from = leaf;
        while (leaf < parser->plan->leaves_count && parser->plan->leaves[leaf].at < end) {
            leaf++;
        }
        if (leaf == from) {
            continue;
        }
        chunk_push(parser, part, (uint8_t)from);
        spans_add(parser, (uint8_t)(leaf - 1));
        if (i > 0 && i < keys_count) {
            span_add(parser, (uint8_t)from, (uint8_t)(leaf - 1), &keys[i]);
        }
    }
}

static int bare_chunk(struct parser *parser, struct slice chunk, uint32_t at)
{
    struct operand operand = {.is_soft = true,
                              .first = (uint8_t)parser->plan->leaves_count,
                              .ops.from = (uint16_t)parser->plan->ops_count};
    uint32_t count = 0;
    int status = words_add(parser, chunk, at, 0, &count);
    if (status != OK || count == 0) {
        return status;
    }
    status = term_count(parser, at);
    if (status != OK) {
        return status;
    }
    operand.last = (uint8_t)(parser->plan->leaves_count - 1);
    if (!parser->frames[parser->depth].is_negated) {
        parts_add(parser, chunk, at, operand.first);
        if (parser->at == parser->text.len) {
            parser->plan->leaves[operand.last].is_final = true;
        }
    }
    return operand_end(parser, at, &operand);
}

/* A quoted phrase whose opening quote stands at parser->at. */
static int phrase(struct parser *parser, uint8_t fields)
{
    uint32_t at = parser->at;
    size_t end = at + 1;
    while (end < parser->text.len && parser->text.data[end] != '"') {
        end++;
    }
    if (end == parser->text.len) {
        return fail(parser, at, "this quote is never closed");
    }
    struct operand operand = {.first = (uint8_t)parser->plan->leaves_count,
                              .ops.from = (uint16_t)parser->plan->ops_count};
    uint32_t count = 0;
    parser->chunks_count = 0;
    int status = words_add(parser, slice_sub(parser->text, at + 1, end - at - 1), at + 1,
                           fields, &count);
    parser->at = (uint32_t)end + 1;
    if (status != OK || count == 0) {
        return status;
    }
    operand.last = (uint8_t)(parser->plan->leaves_count - 1);
    if (count > 1) {
        struct leaf leaf = {.kind = LEAF_PHRASE,
                            .fields = fields,
                            .first = operand.first,
                            .last = operand.last,
                            .at = at};
        status = leaf_add(parser, &leaf);
        status = status == OK ? op_add(parser, OP_AND) : status;
    }
    status = status == OK ? term_count(parser, at) : status;
    return status == OK ? operand_end(parser, at, &operand) : status;
}

/* The end of the chunk that begins at @at: white space, a bracket or a quote. */
static uint32_t chunk_end(const struct parser *parser, uint32_t at)
{
    while (at < parser->text.len) {
        uint8_t byte = parser->text.data[at];
        if (byte <= ' ' || byte == '(' || byte == ')' || byte == '"') {
            break;
        }
        at++;
    }
    return at;
}

static uint32_t blanks_end(const struct parser *parser, uint32_t at)
{
    while (at < parser->text.len && parser->text.data[at] <= ' ') {
        at++;
    }
    return at;
}

/* A filter's value may go on behind blanks: "in ABC, DEF", "has-none-of F". */
static struct slice filter_value(struct parser *parser, uint32_t from, uint32_t end)
{
    struct slice value = slice_sub(parser->text, from, end - from);
    if (slice_is_equal(value, SLICE_LITERAL("in"))) {
        from = blanks_end(parser, end);
        end = chunk_end(parser, from);
    } else if (slice_is_equal(value, SLICE_LITERAL("has-none-of"))) {
        end = chunk_end(parser, blanks_end(parser, end));
    }
    while (end > from && parser->text.data[end - 1] == ',' &&
           chunk_end(parser, blanks_end(parser, end)) > blanks_end(parser, end)) {
        end = chunk_end(parser, blanks_end(parser, end));
    }
    parser->at = end;
    return slice_sub(parser->text, from, end - from);
}

/* title: and instructor: are words in a field. */
static int field_words(struct parser *parser, uint8_t fields, uint32_t at, uint32_t from,
                       uint32_t end)
{
    if (from == end && from < parser->text.len && parser->text.data[from] == '"') {
        parser->at = from;
        return phrase(parser, fields);
    }
    struct operand operand = {.ops.from = (uint16_t)parser->plan->ops_count};
    uint32_t count = 0;
    parser->at = end;
    int status =
        words_add(parser, slice_sub(parser->text, from, end - from), from, fields, &count);
    if (status == OK && count == 0) {
        return fail(parser, at, "this filter needs a word behind its colon");
    }
    status = status == OK ? term_count(parser, at) : status;
    return status == OK ? operand_end(parser, at, &operand) : status;
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < 'a' || name.data[i] > 'z') {
            return false;
        }
    }
    return name.len > 1;
}

/* "name:value" from @at; the colon stands at @colon, the chunk ends at @end. @ret_is_filter:
 * whether it is one. */
static int filter(struct parser *parser, uint32_t at, uint32_t colon, uint32_t end,
                  bool *ret_is_filter)
{
    struct slice name = slice_sub(parser->text, at, colon - at);
    *ret_is_filter =
        is_name(name) &&
        (colon + 1 < end || (end < parser->text.len && parser->text.data[end] == '"'));
    if (!*ret_is_filter) {
        return OK;
    }
    parser->chunks_count = 0;
    if (slice_is_equal(name, SLICE_LITERAL("title"))) {
        return field_words(parser, POSTING_TITLE, at, colon + 1, end);
    }
    if (slice_is_equal(name, SLICE_LITERAL("instructor"))) {
        return field_words(parser, POSTING_PEOPLE, at, colon + 1, end);
    }
    struct leaf leaf = {.at = at};
    struct operand operand = {.ops.from = (uint16_t)parser->plan->ops_count};
    int status = plan_filter(parser->plan, name, filter_value(parser, colon + 1, end), &leaf,
                             parser->error);
    if (status == ERR_GONE) {
        return fail(parser, at, "there is no filter of this name");
    }
    if (status != OK) {
        return status;
    }
    parser->plan->has_at = parser->plan->has_at || leaf.kind == LEAF_AT;
    parser->plan->has_term = parser->plan->has_term || leaf.kind == LEAF_TERM;
    bool is_turned = leaf.kind == LEAF_PREDICATE && leaf.any;
    status = leaf_add(parser, &leaf);
    status = status == OK && is_turned ? op_add(parser, OP_NOT) : status;
    status = status == OK ? term_count(parser, at) : status;
    return status == OK ? operand_end(parser, at, &operand) : status;
}

static int bracket_open(struct parser *parser)
{
    if (parser->depth == SEARCH_NESTING_MAX) {
        return fail(parser, parser->at, "brackets are nested too deeply");
    }
    parser->chunks_count = 0;
    struct frame *outer = &parser->frames[parser->depth];
    struct frame *inner = &parser->frames[++parser->depth];
    *inner = (struct frame){.at = parser->at,
                            .ops_from = (uint16_t)parser->plan->ops_count,
                            .is_outer_negated = outer->is_negated};
    outer->is_negated = false;
    parser->at++;
    return OK;
}

/* Whether the frame may end here; what is missing stands in the error. */
static int frame_end(struct parser *parser, uint32_t at)
{
    const struct frame *frame = &parser->frames[parser->depth];
    if (frame->pending != 0) {
        return fail(parser, frame->op_at, "this AND or OR has nothing behind it");
    }
    if (frame->is_negated) {
        return fail(parser, at, "a NOT has nothing behind it");
    }
    return OK;
}

static int bracket_close(struct parser *parser)
{
    if (parser->depth == 0) {
        return fail(parser, parser->at, "this bracket was never opened");
    }
    int status = frame_end(parser, parser->at);
    if (status != OK) {
        return status;
    }
    struct frame inner = parser->frames[parser->depth--];
    parser->chunks_count = 0;
    parser->at++;
    if (inner.operands == 0) {
        return OK; /* nothing but punctuation inside */
    }
    parser->frames[parser->depth].is_negated = inner.is_outer_negated;
    struct operand operand = {.ops.from = inner.ops_from};
    return operand_end(parser, inner.at, &operand);
}

/* AND, OR and NOT in capitals. @ret_is_operator: whether @chunk is one. */
static int operator_word(struct parser *parser, struct slice chunk, uint32_t at,
                         bool *ret_is_operator)
{
    struct frame *frame = &parser->frames[parser->depth];
    bool is_and = slice_is_equal(chunk, SLICE_LITERAL("AND"));
    bool is_or = slice_is_equal(chunk, SLICE_LITERAL("OR"));
    bool is_not = slice_is_equal(chunk, SLICE_LITERAL("NOT"));
    *ret_is_operator = is_and || is_or || is_not;
    if (!*ret_is_operator) {
        return OK;
    }
    parser->chunks_count = 0;
    if (is_not) {
        frame->is_negated = !frame->is_negated;
        return OK;
    }
    if (frame->operands == 0) {
        return fail(parser, at, "this AND or OR has nothing before it");
    }
    if (frame->pending != 0 || frame->is_negated) {
        return fail(parser, at, "two operators follow each other");
    }
    frame->pending = is_and ? OP_AND : OP_OR;
    frame->op_at = at;
    return OK;
}

static int chunk(struct parser *parser)
{
    uint32_t at = parser->at;
    uint32_t end = chunk_end(parser, at);
    bool is_taken = false;
    int status = operator_word(parser, slice_sub(parser->text, at, end - at), at, &is_taken);
    if (is_taken || status != OK) {
        parser->at = end;
        return status;
    }
    for (uint32_t colon = at; colon < end; colon++) {
        if (parser->text.data[colon] == ':') {
            status = filter(parser, at, colon, end, &is_taken);
            if (is_taken || status != OK) {
                return status;
            }
            break;
        }
    }
    parser->at = end;
    return bare_chunk(parser, slice_sub(parser->text, at, end - at), at);
}

/* A minus before a word, quote or bracket, and behind a blank or bracket. */
static bool is_minus(const struct parser *parser)
{
    uint32_t at = parser->at;
    return parser->text.data[at] == '-' && at + 1 < parser->text.len &&
           parser->text.data[at + 1] > ' ' && parser->text.data[at + 1] != '-' &&
           parser->text.data[at + 1] != ')';
}

static int parse(struct parser *parser)
{
    int status = OK;
    while (status == OK && parser->at < parser->text.len) {
        uint8_t byte = parser->text.data[parser->at];
        if (byte <= ' ') {
            parser->at++;
        } else if (byte == '(') {
            status = bracket_open(parser);
        } else if (byte == ')') {
            status = bracket_close(parser);
        } else if (byte == '"') {
            status = phrase(parser, 0);
        } else if (is_minus(parser)) {
            parser->frames[parser->depth].is_negated =
                !parser->frames[parser->depth].is_negated;
            parser->at++;
        } else {
            status = chunk(parser);
        }
    }
    if (status == OK && parser->depth > 0) {
        return fail(parser, parser->frames[parser->depth].at, "this bracket is never closed");
    }
    return status == OK ? frame_end(parser, (uint32_t)parser->text.len) : status;
}

/* What a test of this operand costs: the caller's answers are dearest, and asked last. */
static uint32_t operand_cost(const struct search_plan *plan, const struct operand *operand)
{
    uint32_t cost = 0;
    for (uint32_t i = operand->ops.from; i < operand->ops.to; i++) {
        uint32_t leaf_cost = 0;
        if (plan->ops[i] < OP_AND) {
            enum leaf_kind kind = plan->leaves[plan->ops[i]].kind;
            leaf_cost = kind == LEAF_PREDICATE ? 3
                        : kind == LEAF_PHRASE  ? 2
                        : kind == LEAF_WORD    ? 1
                                               : 0;
        }
        cost = leaf_cost > cost ? leaf_cost : cost;
    }
    return cost;
}

/* Sort the outermost operands into soft words and hard stretches; an outermost OR is one hard
 * stretch. */
static int finish(struct parser *parser)
{
    struct search_plan *plan = parser->plan;
    uint32_t costs[PLAN_HARD_MAX];
    if (parser->frames[0].op == OP_OR) {
        for (uint32_t i = 1; i < parser->operands_count; i++) {
            int status = op_add(parser, OP_OR);
            if (status != OK) {
                return status;
            }
        }
        plan->hard[plan->hard_count++] = (struct stretch){0, (uint16_t)plan->ops_count};
        return OK;
    }
    for (uint32_t i = 0; i < parser->operands_count; i++) {
        const struct operand *operand = &parser->operands[i];
        if (!operand->is_soft) {
            costs[plan->hard_count] = operand_cost(plan, operand);
            uint32_t at = plan->hard_count++;
            for (; at > 0 && costs[at - 1] > costs[at]; at--) {
                uint32_t cost = costs[at];
                costs[at] = costs[at - 1];
                costs[at - 1] = cost;
                plan->hard[at] = plan->hard[at - 1];
            }
            plan->hard[at] = operand->ops;
            continue;
        }
        for (uint32_t leaf = operand->first; leaf <= operand->last; leaf++) {
            plan->soft |= 1ULL << leaf;
        }
    }
    return OK;
}

int search_plan_parse(struct slice text, struct arena *scratch, struct search_plan **ret_plan,
                      struct search_error *ret_error)
{
    *ret_error = (struct search_error){0};
    if (text.len > SEARCH_QUERY_BYTES_MAX) {
        return plan_error(ret_error, SEARCH_QUERY_BYTES_MAX, "longer than 512 bytes");
    }
    size_t valid = utf8_valid_prefix(text);
    if (valid != text.len) {
        return plan_error(ret_error, (uint32_t)valid, "not UTF-8");
    }
    struct search_plan *plan = arena_alloc_zero(scratch, sizeof(*plan));
    struct parser parser = {.plan = plan, .error = ret_error, .text = text};
    int status = parse(&parser);
    if (status == OK) {
        status = finish(&parser);
    }
    if (status == OK) {
        *ret_plan = plan;
    }
    return status;
}

bool search_plan_asks(const struct search_plan *plan, enum search_predicate predicate,
                      uint32_t *ret_at)
{
    for (uint32_t i = 0; i < plan->leaves_count; i++) {
        const struct leaf *leaf = &plan->leaves[i];
        if (leaf->kind == LEAF_PREDICATE && leaf->predicate == predicate) {
            if (ret_at != NULL) {
                *ret_at = leaf->at;
            }
            return true;
        }
    }
    return false;
}
