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

static void title_read(const struct row_head *row, struct title *title)
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

/* What one script of the title counts. A title in two scripts mostly says the same twice: the
 * one that the query does not use counts as one word. */
static uint32_t part_length(uint32_t said, uint32_t length)
{
    if (said > 0) {
        return length;
    }
    return length > 0 ? 1 : 0;
}

/* How much of the title the query says, in percent: of its words, of its pairs, or of both when
 * it has both. */
static uint32_t title_cover(const struct search_query *query, const struct row_head *row,
                            uint64_t said_leaves)
{
    uint32_t pairs = 0;
    uint32_t words = 0;
    for (; said_leaves != 0; said_leaves &= said_leaves - 1) {
        bool is_pair = query->slots[__builtin_ctzll(said_leaves)].is_pair;
        pairs += is_pair ? 1 : 0;
        words += is_pair ? 0 : 1;
    }
    uint32_t length = part_length(words, row->words) + part_length(pairs, row->pairs);
    uint32_t said = words + pairs;
    return length <= said ? 100 : said * 100 / length;
}

/* What the title adds beyond having all the words, in percent of the query's weight. */
static uint32_t title_order_percent(const struct search_query *query,
                                    const struct row_head *row, uint32_t cover)
{
    struct title title;
    title_read(row, &title);
    bool is_written = false;
    int from = title_find(query, &title, &is_written);
    if (from < 0) {
        return 0;
    }
    return ranking.title_phrase_percent + (from == 0 ? ranking.title_start_percent : 0) +
           (cover == 100 ? ranking.title_exact_percent : 0) +
           (is_written ? ranking.title_written_percent : 0);
}

/* The most that title_order_percent() can give. */
static uint32_t title_order_most(uint32_t cover)
{
    return ranking.title_phrase_percent + ranking.title_start_percent +
           (cover == 100 ? ranking.title_exact_percent : 0) + ranking.title_written_percent;
}

/* What the words found in the row weigh, and where they were found. */
struct sum {
    uint64_t score;
    uint32_t weight;
    uint64_t found;  /* leaves */
    uint64_t titled; /* of which: in the title */
    bool is_code;
};

static struct sum sum_matches(const struct search_query *query)
{
    struct sum sum = {0};
    for (uint64_t rest = query->scored; rest != 0; rest &= rest - 1) {
        uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
        const struct match *match = &query->matches[leaf];
        if (match->score == 0) {
            continue;
        }
        sum.score += match->score + match->bonus;
        sum.weight += query->slots[leaf].weight;
        sum.found |= 1ULL << leaf;
        sum.titled |= (match->fields & POSTING_TITLE) != 0 ? 1ULL << leaf : 0;
        sum.is_code = sum.is_code || match->bonus > 0;
    }
    return sum;
}

/* Whether the page is full and a row that reaches @most would still come behind all of it. */
static bool is_hopeless(const struct search_query *query, uint32_t row, uint64_t most)
{
    if (query->hits_count < query->hits_max || most > query->hits[0].score) {
        return false;
    }
    return most < query->hits[0].score ||
           index_row(query->index, row)->doc > query->hits[0].doc;
}

uint32_t query_score(struct search_query *query, uint32_t row_at, bool is_full)
{
    const struct row_head *head = index_head(query->index, row_at);
    struct sum sum = sum_matches(query);
    uint64_t score = sum.score;
    uint32_t level = head->level >= 1 && head->level < LEVELS ? head->level : LEVELS / 2;
    score += (uint64_t)ranking.level_step * (LEVELS - level);
    if (!is_full) {
        uint32_t share = query->weight == 0
                             ? 0
                             : (uint32_t)((uint64_t)sum.weight * SHARE_MAX / query->weight);
        share = share > SHARE_MAX ? SHARE_MAX : share;
        return share << SHARE_SHIFT | (uint32_t)(score > FINE_MAX ? FINE_MAX : score);
    }
    if (sum.titled == sum.found && sum.found != 0 && !sum.is_code) {
        uint32_t cover = title_cover(query, head, sum.titled);
        score += (uint64_t)sum.weight *
                 (ranking.title_all_percent + ranking.title_cover_percent * cover / 100) / 100;
        uint64_t most = score + (uint64_t)sum.weight * title_order_most(cover) / 100;
        if (is_hopeless(query, row_at, FULL_BIT | most)) {
            return 0; /* too little even with the best of titles: spare the look at it */
        }
        if (query->plan->soft != 0) {
            uint32_t percent = title_order_percent(query, head, cover);
            score += (uint64_t)sum.weight * percent / 100;
        }
    }
    return FULL_BIT | (uint32_t)(score > FINE_MAX ? FINE_MAX : score);
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

/* The same for the description. Its pairs are not kept in order: for scripts without spaces
 * having all of them counts. */
static bool text_has(const struct search_query *query, const struct leaf *phrase,
                     struct forward *forward)
{
    bool has_pairs = false;
    bool in_text = true;
    for (uint32_t leaf = phrase->first; leaf <= phrase->last; leaf++) {
        has_pairs = has_pairs || query->slots[leaf].is_pair;
        in_text = in_text && (query->slots[leaf].is_passive ||
                              (query->matches[leaf].fields & POSTING_TEXT) != 0);
    }
    return has_pairs ? in_text : stretch_has(query, phrase, forward, forward->text, false);
}

bool query_phrase_holds(const struct search_query *query, const struct leaf *phrase,
                        uint32_t row_at)
{
    struct forward forward = forward_of(index_head(query->index, row_at));
    bool in_title = stretch_has(query, phrase, &forward, forward.title, true);
    bool in_people = stretch_has(query, phrase, &forward, forward.people, false);
    if (phrase->fields != 0) {
        return (in_title && (phrase->fields & POSTING_TITLE) != 0) ||
               (in_people && (phrase->fields & POSTING_PEOPLE) != 0);
    }
    return in_title || in_people || text_has(query, phrase, &forward);
}
