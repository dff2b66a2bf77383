#include "search/forward.h"
#include "search/query.h"
#include "search/ranking.h"

enum {
    TITLE_TOKENS_MAX = 64, /* of a title that are looked at */
    FULL_BIT = 1 << 30,
    SHARE_SHIFT = 24,
    SHARE_MAX = 63,
    FINE_MAX = (1 << 24) - 1,
    LEVELS = 6,
};

struct title {
    uint32_t count;
    uint32_t terms[TITLE_TOKENS_MAX];
    uint8_t hashes[TITLE_TOKENS_MAX];
};

static void title_read(const struct row *row, struct title *title)
{
    struct forward forward = forward_of(row);
    title->count = forward.title < TITLE_TOKENS_MAX ? forward.title : TITLE_TOKENS_MAX;
    for (uint32_t i = 0; i < title->count; i++) {
        title->terms[i] = forward_title(&forward, &title->hashes[i]);
    }
}

/* Where in the title the query's bare words stand side by side in their order, or -1.
 * @ret_written: whether they are written alike as well. */
static int title_find(const struct search_query *query, const struct title *title,
                      bool *ret_written)
{
    uint64_t soft = query->plan->soft;
    uint32_t words = (uint32_t)__builtin_popcountll(soft);
    for (uint32_t from = 0; from + words <= title->count; from++) {
        uint32_t at = from;
        uint64_t rest = soft;
        bool is_written = true;
        while (rest != 0) {
            uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
            if (!slot_has(&query->slots[leaf], title->terms[at])) {
                break;
            }
            is_written = is_written && query->plan->leaves[leaf].hash == title->hashes[at];
            rest &= rest - 1;
            at++;
        }
        if (rest == 0) {
            *ret_written = is_written;
            return (int)from;
        }
    }
    return -1;
}

/* How much of the title the query says, in percent: of its words, of its pairs, or of both when
 * it has both. */
static uint32_t title_cover(const struct search_query *query, const struct row *row,
                            uint64_t said_leaves)
{
    uint32_t pairs = 0;
    uint32_t words = 0;
    for (; said_leaves != 0; said_leaves &= said_leaves - 1) {
        bool is_pair = query->slots[__builtin_ctzll(said_leaves)].is_pair;
        pairs += is_pair ? 1 : 0;
        words += is_pair ? 0 : 1;
    }
    uint32_t length = (words > 0 ? row->words : 0U) + (pairs > 0 ? row->pairs : 0U);
    uint32_t said = words + pairs;
    return length <= said ? 100 : said * 100 / length;
}

/* What the title adds when it has all the words, in percent of the query's weight. */
static uint32_t title_percent(const struct search_query *query, const struct row *row,
                              uint64_t leaves)
{
    uint32_t cover = title_cover(query, row, leaves);
    uint32_t percent = ranking.title_all_percent + ranking.title_cover_percent * cover / 100;
    if (query->plan->soft == 0) {
        return percent;
    }
    struct title title;
    title_read(row, &title);
    bool is_written = false;
    int from = title_find(query, &title, &is_written);
    if (from >= 0) {
        percent += ranking.title_phrase_percent;
        percent += from == 0 ? ranking.title_start_percent : 0;
        percent += cover == 100 ? ranking.title_exact_percent : 0;
        percent += is_written ? ranking.title_written_percent : 0;
    }
    return percent;
}

/* The most that any title can add, in percent of the query's weight. */
static uint32_t title_percent_max(void)
{
    return ranking.title_all_percent + ranking.title_cover_percent +
           ranking.title_phrase_percent + ranking.title_start_percent +
           ranking.title_exact_percent + ranking.title_written_percent;
}

uint32_t query_score(struct search_query *query, uint32_t row_at, bool is_full)
{
    const struct row *row = index_row(query->index, row_at);
    uint64_t score = 0;
    uint64_t found = 0;  /* leaves */
    uint64_t titled = 0; /* of which: in the title */
    uint32_t weight = 0; /* of the words found */
    bool is_code = false;
    for (uint64_t rest = query->scored; rest != 0; rest &= rest - 1) {
        uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
        const struct match *match = &query->matches[leaf];
        if (match->score == 0) {
            continue;
        }
        score += match->score + match->bonus;
        weight += query->slots[leaf].weight;
        found |= 1ULL << leaf;
        titled |= (match->fields & POSTING_TITLE) != 0 ? 1ULL << leaf : 0;
        is_code = is_code || match->bonus > 0;
    }
    bool is_titled = is_full && titled == found && found != 0 && !is_code;
    uint64_t most = score + (uint64_t)ranking.level_step * LEVELS +
                    (is_titled ? (uint64_t)weight * title_percent_max() / 100 : 0);
    if (is_full && query->hits_count == query->hits_max &&
        (FULL_BIT | most) < query->hits[0].score) {
        return 0; /* too little even with the best of titles: spare the look at it */
    }
    if (is_titled) {
        score += (uint64_t)weight * title_percent(query, row, titled) / 100;
    }
    uint32_t level = row->level >= 1 && row->level < LEVELS ? row->level : LEVELS / 2;
    score += (uint64_t)ranking.level_step * (LEVELS - level);
    score = score > FINE_MAX ? FINE_MAX : score;
    if (is_full) {
        return FULL_BIT | (uint32_t)score;
    }
    uint32_t share =
        query->weight == 0 ? 0 : (uint32_t)((uint64_t)weight * SHARE_MAX / query->weight);
    share = share > SHARE_MAX ? SHARE_MAX : share;
    return share << SHARE_SHIFT | (uint32_t)score;
}

uint32_t query_share_weight(const struct search_query *query, uint32_t score)
{
    uint64_t share = score >> SHARE_SHIFT;
    return (uint32_t)((share * query->weight + SHARE_MAX - 1) / SHARE_MAX);
}

/* Whether leaves [first, last] stand side by side among the next @count tokens. */
static bool stretch_has(const struct search_query *query, const struct leaf *phrase,
                        struct forward *forward, uint32_t count, bool is_title)
{
    /* Bit i: the first i + 1 words stand before here (Shift-And matching). */
    uint64_t state = 0;
    uint64_t goal = 1ULL << (phrase->last - phrase->first);
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t term = forward_varint(forward);
        forward->at += is_title ? 1 : 0;
        uint64_t candidates = (state << 1 | 1) & (goal | (goal - 1));
        state = 0;
        while (candidates != 0) {
            uint32_t word = (uint32_t)__builtin_ctzll(candidates);
            candidates &= candidates - 1;
            state |= slot_has(&query->slots[phrase->first + word], term) ? 1ULL << word : 0;
        }
        found = found || (state & goal) != 0;
    }
    return found;
}

bool query_phrase_holds(const struct search_query *query, const struct leaf *phrase,
                        uint32_t row_at)
{
    struct forward forward = forward_of(index_row(query->index, row_at));
    bool in_title = stretch_has(query, phrase, &forward, forward.title, true);
    bool in_people = stretch_has(query, phrase, &forward, forward.people, false);
    if (phrase->fields != 0) {
        return (in_title && (phrase->fields & POSTING_TITLE) != 0) ||
               (in_people && (phrase->fields & POSTING_PEOPLE) != 0);
    }
    return in_title || in_people || stretch_has(query, phrase, &forward, forward.text, false);
}
