#include "base/hash.h"
#include "search/query.h"
#include "search/scan.h"

enum {
    PARTS_MAX = 128,   /* marked parts of one text; the rest stays plain */
    SNIPPET_PARTS = 8, /* matches after which a snippet looks no further */
    LEAD_BYTES = 40,   /* of a snippet before its first match */
    MARK_BEGIN = 0x02,
    MARK_END = 0x03,
};

/* A marked part of the text, in bytes. */
struct part {
    uint32_t from;
    uint32_t to;
};

struct parts {
    struct part items[PARTS_MAX];
    uint32_t count;
};

void query_mark_ready(struct search_query *query)
{
    query->memo = arena_alloc_zero(query->scratch, sizeof(*query->memo));
    for (uint64_t rest = query->scored; rest != 0; rest &= rest - 1) {
        const struct slot *slot = &query->slots[__builtin_ctzll(rest)];
        for (uint32_t i = 0; i < slot->ways_count; i++) {
            scan_starts_add(&query->starts,
                            lexicon_text(&query->index->lexicon, slot->ways[i].term));
        }
    }
}

/* Whether the token stands for a word of the query: as it is written, or by the stem it was
 * last indexed under. */
static bool is_match_looked_up(const struct search_query *query, const struct token *token)
{
    uint32_t id = lexicon_find(&query->index->lexicon, TERM_WORD, token_slice(token));
    if (id == TERM_NONE) {
        return false;
    }
    uint32_t stem = lexicon_term(&query->index->lexicon, id)->stem;
    for (uint64_t rest = query->scored; rest != 0; rest &= rest - 1) {
        const struct slot *slot = &query->slots[__builtin_ctzll(rest)];
        if (slot_has(slot, id) || (stem != TERM_NONE && slot_has(slot, stem))) {
            return true;
        }
    }
    return false;
}

static bool is_match(const struct search_query *query, const struct token *token)
{
    uint64_t hash = hash_slice(token_slice(token));
    uint32_t at = (uint32_t)(hash % MARK_MEMO);
    if (query->memo->hashes[at] != hash) {
        query->memo->hashes[at] = hash;
        query->memo->matches[at] = is_match_looked_up(query, token);
    }
    return query->memo->matches[at];
}

/* The first @max parts of @text that match, in order; neighbours that touch become one. */
static void find_parts(const struct search_query *query, struct slice text, uint32_t max,
                       struct parts *parts)
{
    struct scan scan = scan_of(text, &query->starts);
    struct token token;
    parts->count = 0;
    while (parts->count < max && scan_next(&scan, &token)) {
        if (!is_match(query, &token)) {
            continue;
        }
        if (parts->count > 0 && token.from <= parts->items[parts->count - 1].to) {
            parts->items[parts->count - 1].to = token.to;
        } else {
            parts->items[parts->count++] = (struct part){token.from, token.to};
        }
    }
}

/* Whether one of eight bytes is a control character of ASCII. May say so of others as well. */
static bool has_control(uint64_t bytes)
{
    uint64_t ones = UINT64_MAX / 255;
    uint64_t below = (bytes - ones * ' ') & ~bytes;
    uint64_t del = bytes ^ ones * 0x7F;
    return ((below | ((del - ones) & ~del)) & ones * 0x80) != 0;
}

/* Append bytes of the text, its control characters as spaces: only our marks are marks. */
static int append_plain(struct buf *out, struct slice text)
{
    int status = buf_append_slice(out, text);
    for (size_t i = out->len - (status == OK ? text.len : 0); i < out->len; i++) {
        uint64_t bytes;
        if (out->len - i >= sizeof(bytes)) {
            memcpy(&bytes, out->data + i, sizeof(bytes));
            if (!has_control(bytes)) {
                i += sizeof(bytes) - 1;
                continue;
            }
        }
        out->data[i] = out->data[i] < ' ' || out->data[i] == 0x7F ? ' ' : out->data[i];
    }
    return status;
}

/* Append [from, to) of the text with its parts marked. */
static int append_marked(struct buf *out, struct slice text, const struct parts *parts,
                         uint32_t from, uint32_t to)
{
    uint32_t at = from;
    int status = OK;
    for (uint32_t i = 0; status == OK && i < parts->count; i++) {
        const struct part *part = &parts->items[i];
        if (part->from < at || part->to > to) {
            continue;
        }
        status = append_plain(out, slice_sub(text, at, part->from - at));
        status = status == OK ? buf_append_byte(out, MARK_BEGIN) : status;
        status = status == OK
                     ? append_plain(out, slice_sub(text, part->from, part->to - part->from))
                     : status;
        status = status == OK ? buf_append_byte(out, MARK_END) : status;
        at = part->to;
    }
    return status == OK ? append_plain(out, slice_sub(text, at, to - at)) : status;
}

int search_mark(const struct search_query *query, struct slice text, struct buf *out)
{
    struct parts parts;
    size_t before = out->len;
    find_parts(query, text, PARTS_MAX, &parts);
    int status = append_marked(out, text, &parts, 0, (uint32_t)text.len);
    if (status != OK) {
        out->len = before;
    }
    return status;
}

static bool is_inside_character(struct slice text, size_t at)
{
    return at < text.len && (text.data[at] & 0xC0) == 0x80;
}

/* The first part of the window of @bytes with the most parts. */
static uint32_t best_window(const struct parts *parts, uint32_t bytes)
{
    uint32_t best = 0;
    uint32_t most = 0;
    uint32_t end = 0;
    for (uint32_t i = 0; i < parts->count; i++) {
        while (end < parts->count && parts->items[end].to - parts->items[i].from <= bytes) {
            end++;
        }
        if (end > i && end - i > most) {
            most = end - i;
            best = i;
        }
    }
    return best;
}

/* Move @at on to the next beginning of a word, at most @limit. */
static uint32_t word_start(struct slice text, uint32_t at, uint32_t limit)
{
    if (at == 0) {
        return 0;
    }
    for (uint32_t i = at; i < limit; i++) {
        if (text.data[i - 1] == ' ') {
            return i;
        }
    }
    while (is_inside_character(text, at)) {
        at++;
    }
    return at;
}

/* Move @at back to the end of a word, or at least of a character, at least @limit. */
static uint32_t word_end(struct slice text, uint32_t at, uint32_t limit)
{
    for (uint32_t i = at; i > limit; i--) {
        if (i == text.len || text.data[i] == ' ') {
            return i;
        }
    }
    while (is_inside_character(text, at)) {
        at--;
    }
    return at;
}

int search_snippet(const struct search_query *query, struct slice text, uint32_t bytes_max,
                   struct buf *out)
{
    struct slice looked = slice_sub(text, 0, SEARCH_SNIPPET_SCAN);
    while (looked.len > 0 && looked.len < text.len && is_inside_character(text, looked.len)) {
        looked.len--;
    }
    struct parts parts;
    find_parts(query, looked, SNIPPET_PARTS, &parts);
    uint32_t first = parts.count == 0 ? 0 : parts.items[best_window(&parts, bytes_max)].from;
    uint32_t lead = bytes_max / 4 < LEAD_BYTES ? bytes_max / 4 : LEAD_BYTES;
    uint32_t from = word_start(text, first > lead ? first - lead : 0, first);
    uint32_t to = text.len - from <= bytes_max ? (uint32_t)text.len : from + bytes_max;
    to = to == text.len ? to : word_end(text, to, from + bytes_max * 3 / 4);
    size_t before = out->len;
    int status = from > 0 ? buf_append_text(out, "\xE2\x80\xA6") : OK;
    status = status == OK ? append_marked(out, text, &parts, from, to) : status;
    if (status == OK && to < text.len) {
        status = buf_append_text(out, "\xE2\x80\xA6");
    }
    if (status != OK) {
        out->len = before;
    }
    return status;
}
