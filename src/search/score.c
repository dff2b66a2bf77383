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
    /* Units of search_query_step() that these take. */
    TITLE_WORK = 8,
    HIT_WORK = 4,
    PHRASE_WORK = 20,
};

static uint32_t mask_of(uint32_t term)
{
    return (term * 0x9E3779B1U) >> 25;
}

static void sequence_add(const struct search_query *query, struct sequence *sequence,
                         uint32_t leaf)
{
    const struct slot *slot = &query->slots[leaf];
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        sequence->masks[mask_of(slot->ways[i].term)] |= 1ULL << sequence->count;
    }
    sequence->leaves[sequence->count++] = (uint8_t)leaf;
}

void query_order_ready(struct search_query *query)
{
    const struct search_plan *plan = query->plan;
    if (plan->soft != 0) {
        query->soft = query->soft == NULL ? arena_alloc(query->scratch, sizeof(*query->soft))
                                          : query->soft;
        *query->soft = (struct sequence){0};
        for (uint64_t rest = plan->soft; rest != 0; rest &= rest - 1) {
            sequence_add(query, query->soft, (uint32_t)__builtin_ctzll(rest));
        }
    }
    for (uint32_t i = 0; i < plan->leaves_count; i++) {
        const struct leaf *leaf = &plan->leaves[i];
        if (leaf->kind != LEAF_PHRASE || query->phrases[i] != NULL) {
            continue;
        }
        query->phrases[i] = arena_alloc_zero(query->scratch, sizeof(struct sequence));
        for (uint32_t word = leaf->first; word <= leaf->last; word++) {
            sequence_add(query, query->phrases[i], word);
        }
    }
}

/* Shift-And matching: bit i of @state says that the first i + 1 words of the sequence stand
 * before here. Returns: the state behind @term. */
static uint64_t sequence_next(const struct search_query *query, const struct sequence *sequence,
                              uint64_t state, uint32_t term)
{
    uint64_t candidates = (state << 1 | 1) & sequence->masks[mask_of(term)];
    uint64_t next = 0;
    for (; candidates != 0; candidates &= candidates - 1) {
        uint32_t word = (uint32_t)__builtin_ctzll(candidates);
        bool is_it = slot_has(&query->slots[sequence->leaves[word]], term);
        next |= is_it ? 1ULL << word : 0;
    }
    return next;
}

static bool is_sequence_end(const struct sequence *sequence, uint64_t state)
{
    return (state >> (sequence->count - 1) & 1) != 0;
}

/* Where in the title the query's bare words stand side by side in their order, or -1.
 * @ret_written: whether they are written alike as well. */
static int title_find(const struct search_query *query, const uint8_t *bytes, bool *ret_written)
{
    const struct sequence *soft = query->soft;
    struct forward forward = forward_of(bytes);
    uint8_t hashes[TITLE_TOKENS_MAX];
    uint32_t count = forward.title < TITLE_TOKENS_MAX ? forward.title : TITLE_TOKENS_MAX;
    uint64_t state = 0;
    for (uint32_t at = 0; at < count; at++) {
        uint32_t term = forward_title(&forward, &hashes[at]);
        state = sequence_next(query, soft, state, term);
        if (!is_sequence_end(soft, state)) {
            continue;
        }
        uint32_t from = at + 1 - soft->count;
        *ret_written = true;
        for (uint32_t i = 0; i < soft->count; i++) {
            uint8_t hash = query->plan->leaves[soft->leaves[i]].hash;
            *ret_written = *ret_written && hash == hashes[from + i];
        }
        return (int)from;
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
 * it has both. @length: what the title counts. */
static uint32_t title_cover(uint32_t said, uint32_t length)
{
    return length <= said ? 100 : said * 100 / length;
}

/* What the title adds beyond having all the words, in percent of the query's weight. */
static uint32_t title_order_percent(const struct search_query *query, uint32_t row,
                                    uint32_t cover)
{
    bool is_written = false;
    int from = title_find(query, *index_forward(query->index, row), &is_written);
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

/* Add the words of phrases, fields and brackets that were found. */
static void add_hard_words(const struct search_query *query, struct row_sum *sum)
{
    for (uint64_t rest = query->scored & ~query->plan->soft; rest != 0; rest &= rest - 1) {
        uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
        if (query->matches[leaf].score > 0) {
            sum_add(query, sum, leaf, &query->matches[leaf]);
        }
    }
}

static uint32_t relaxed_score(const struct search_query *query, const struct row_sum *sum,
                              uint64_t score)
{
    uint32_t share =
        query->weight == 0 ? 0 : (uint32_t)((uint64_t)sum->weight * SHARE_MAX / query->weight);
    share = share > SHARE_MAX ? SHARE_MAX : share;
    return share << SHARE_SHIFT | (uint32_t)(score > FINE_MAX ? FINE_MAX : score);
}

static void add_hit(struct search_query *query, uint32_t row, uint32_t score)
{
    if (query->hits_count == query->hits_max && score < query->hits[0].score) {
        query->has_more = true;
        return;
    }
    query->work += HIT_WORK;
    query_hit_add(query, (struct search_hit){index_doc(query->index, row), score});
}

/* Whether the title has the function words that stand between or beside the needed ones: else
 * they cannot stand side by side in it. */
static bool title_has_passive(struct search_query *query, uint32_t row)
{
    for (uint64_t rest = query->plan->soft & ~query->scored; rest != 0; rest &= rest - 1) {
        uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
        if (!slot_probe(query, leaf, row) ||
            (query->matches[leaf].fields & POSTING_TITLE) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t full_score(uint64_t score)
{
    return FULL_BIT | (uint32_t)(score > FINE_MAX ? FINE_MAX : score);
}

/* Whether the row cannot be a hit even with a score of @most: enough others are better. */
static bool is_beaten(struct search_query *query, uint32_t row, uint64_t most)
{
    if (query->hits_count < query->hits_max) {
        return false;
    }
    struct search_hit worst = query->hits[0];
    uint64_t score = FULL_BIT | most;
    if (score > worst.score ||
        (score == worst.score && index_doc(query->index, row) <= worst.doc)) {
        return false;
    }
    query->has_more = true;
    return true;
}

/* Better ones may have come since the rows were noted: those that are beaten by now are
 * forgotten, and the bytes of the others asked for. */
static void titled_fetch(struct search_query *query)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < query->titled_count; i++) {
        struct titled titled = query->titled[i];
        if (!is_beaten(query, titled.row, titled.most)) {
            __builtin_prefetch(*index_forward(query->index, titled.row));
            query->titled[kept++] = titled;
        }
    }
    query->titled_count = kept;
}

void query_take_titled(struct search_query *query)
{
    titled_fetch(query);
    for (uint32_t i = 0; i < query->titled_count; i++) {
        const struct titled *titled = &query->titled[i];
        if (is_beaten(query, titled->row, titled->most)) {
            continue;
        }
        query->work += TITLE_WORK;
        uint32_t percent = title_order_percent(query, titled->row, titled->cover);
        add_hit(query, titled->row,
                full_score(titled->score + (uint64_t)titled->weight * percent / 100));
    }
    query->titled_count = 0;
}

/* What words of this weight get for a title of this length that has all of them. */
static struct title_gain title_gain_of(uint32_t weight, uint32_t said, uint32_t length)
{
    uint32_t cover = title_cover(said, length);
    uint32_t share = ranking.title_all_percent + ranking.title_cover_percent * cover / 100;
    uint32_t sure = (uint32_t)((uint64_t)weight * share / 100);
    return (struct title_gain){
        cover, sure, sure + (uint32_t)((uint64_t)weight * title_order_most(cover) / 100)};
}

/* The same as a table: nearly all rows that have the same words share it. */
static const struct title_gain *title_gains(struct search_query *query, uint32_t weight,
                                            uint32_t said)
{
    struct title_gains *gains = &query->gains;
    if (gains->weight != weight || gains->said != said) {
        gains->weight = weight;
        gains->said = said;
        for (uint32_t i = 0; i < TITLE_GAINS; i++) {
            gains->of[i] = title_gain_of(weight, said, i);
        }
    }
    return gains->of;
}

static struct title_gain title_gain(struct search_query *query, const struct row_sum *sum,
                                    const struct row_facts *facts)
{
    uint32_t said = (uint32_t)sum->words + sum->pairs;
    uint32_t length =
        part_length(sum->words, facts->words) + part_length(sum->pairs, facts->pairs);
    const struct title_gain *gains = title_gains(query, sum->weight, said);
    return length < TITLE_GAINS ? gains[length] : title_gain_of(sum->weight, said, length);
}

/* A row with all words in the title, and good enough as far as its length tells. */
static void take_titled(struct search_query *query, uint32_t row, uint32_t weight,
                        struct title_gain gain, uint64_t score)
{
    uint64_t most = score + gain.most;
    score += gain.sure;
    if (query->soft == NULL || !title_has_passive(query, row)) {
        add_hit(query, row, full_score(score));
        return;
    }
    __builtin_prefetch(index_forward(query->index, row));
    query->titled[query->titled_count++] =
        (struct titled){row, weight, gain.cover, score, most};
    if (query->titled_count == TITLED_MAX) {
        query_take_titled(query);
    }
}

#define LEVEL_GAIN_MOST ((uint64_t)ranking.level_step * (LEVELS - 1))

static uint32_t level_gain(const struct row_facts *facts)
{
    uint32_t level = facts->level >= 1 && facts->level < LEVELS ? facts->level : LEVELS / 2;
    return ranking.level_step * (LEVELS - level);
}

/* A row that matches with all its words. */
static inline void take_full(struct search_query *query, uint32_t row,
                             const struct row_facts *facts, const struct row_sum *sum)
{
    uint64_t score = (uint64_t)sum->score + level_gain(facts);
    bool is_title = sum->is_titled && !sum->is_code && sum->words + sum->pairs != 0;
    struct title_gain gain = {0};
    if (is_title) {
        gain = title_gain(query, sum, facts);
    }
    if (is_beaten(query, row, score + gain.most)) {
        return;
    }
    if (is_title) {
        take_titled(query, row, sum->weight, gain, score);
    } else {
        add_hit(query, row, full_score(score));
    }
}

/* The words that are needed, all of which a row has. */
static struct row_sum needed_sum(const struct search_query *query)
{
    struct row_sum sum = {.weight = query->weight};
    for (uint32_t i = 0; i < query->needed_count; i++) {
        bool is_pair = query->slots[query->needed[i]].is_pair;
        sum.words = (uint8_t)(sum.words + !is_pair);
        sum.pairs = (uint8_t)(sum.pairs + is_pair);
    }
    return sum;
}

/* The most that a title of each class can add to the score of a row that has all words. Pairs
 * count other things than words. */
static void class_gains(struct search_query *query, uint32_t ret_gains[TITLE_CLASSES])
{
    struct row_sum sum = needed_sum(query);
    const struct title_gain *gains =
        title_gains(query, sum.weight, (uint32_t)sum.words + sum.pairs);
    for (uint32_t i = 0; i < TITLE_CLASSES; i++) {
        ret_gains[i] = gains[sum.words > 0 ? title_class_words(i) : 0].most;
    }
}

/* The most that a row of the window can score but for its title. @ret_is_titled: whether the
 * title may add to that. */
static inline uint64_t row_most(const struct window *window, uint32_t at, bool *ret_is_titled)
{
    if (window->is_lone) {
        const struct match *match = &window->matches[at];
        *ret_is_titled = (match->fields & POSTING_TITLE) != 0;
        return LEVEL_GAIN_MOST + match->score + match->bonus;
    }
    const struct row_sum *sum = &window->sums[at];
    *ret_is_titled = sum->is_titled && !sum->is_code;
    return LEVEL_GAIN_MOST + sum->score;
}

/* Of the block's @rows, all of which have all words, those that may still become hits: what the
 * words themselves score and about how long the title is say no of nearly all others, without a
 * look at their facts. */
static uint64_t good_rows(struct search_query *query, uint32_t from, uint64_t rows)
{
    uint32_t gains[TITLE_CLASSES];
    class_gains(query, gains);
    const struct window *window = query->window;
    const struct row_block *block = index_block(query->index, window->first + from);
    uint64_t low = block->title_class[0];
    uint64_t high = block->title_class[1];
    uint64_t worst = query->hits[0].score;
    uint64_t good = 0;
    for (uint64_t rest = rows; rest != 0; rest &= rest - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(rest);
        bool is_titled;
        uint64_t most = row_most(window, from + bit, &is_titled);
        uint32_t gain = gains[(low >> bit & 1) | (high >> bit & 1) << 1];
        most += is_titled ? gain : 0;
        good |= (uint64_t)((FULL_BIT | most) >= worst) << bit;
    }
    query->has_more = query->has_more || good != rows;
    return good;
}

void query_take_noted(struct search_query *query)
{
    for (uint32_t i = 0; i < query->noted_count; i++) {
        const struct noted *noted = &query->noted[i];
        take_full(query, noted->row, index_facts(query->index, noted->row), &noted->sum);
    }
    query->noted_count = 0;
}

static void note(struct search_query *query, uint32_t at)
{
    const struct window *window = query->window;
    if (query->noted_count == NOTED_MAX) {
        query_take_noted(query);
    }
    struct noted *noted = &query->noted[query->noted_count++];
    noted->row = window->first + at;
    __builtin_prefetch(index_facts(query->index, noted->row));
    index_doc_prefetch(query->index, noted->row);
    bool is_titled;
    (void)row_most(window, at, &is_titled);
    if (is_titled) {
        __builtin_prefetch(index_forward(query->index, noted->row));
    }
    if (window->is_lone) {
        noted->sum = (struct row_sum){.is_titled = true};
        sum_add(query, &noted->sum, query->needed[0], &window->matches[at]);
    } else {
        noted->sum = window->sums[at];
    }
}

void query_note_block(struct search_query *query)
{
    struct window *window = query->window;
    uint32_t from = window->block * ROW_BLOCK;
    uint64_t rows = window->rows[window->block++];
    if (rows == 0) {
        return;
    }
    rows = query_may_find_block(query, window->first + from, rows);
    uint32_t count = (uint32_t)__builtin_popcountll(rows);
    query->work += 1 + count;
    query->matches_count += count;
    if (query->hits_count == query->hits_max) {
        rows = good_rows(query, from, rows);
    }
    for (; rows != 0; rows &= rows - 1) {
        note(query, from + (uint32_t)__builtin_ctzll(rows));
    }
}

void query_take(struct search_query *query, uint32_t row, struct row_sum *sum, bool is_full)
{
    const struct row_facts *facts = index_facts(query->index, row);
    query->matches_count++;
    add_hard_words(query, sum);
    if (is_full) {
        take_full(query, row, facts, sum);
    } else {
        add_hit(query, row,
                relaxed_score(query, sum, (uint64_t)sum->score + level_gain(facts)));
    }
}

uint32_t query_share_weight(const struct search_query *query, uint32_t score)
{
    uint64_t share = score >> SHARE_SHIFT;
    return (uint32_t)((share * query->weight + SHARE_MAX - 1) / SHARE_MAX);
}

/* Whether the words of the phrase stand side by side among the next @count tokens. */
static bool stretch_has(struct search_query *query, const struct sequence *phrase,
                        struct forward *forward, uint32_t count, bool is_title)
{
    uint64_t state = 0;
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t term = forward_varint(forward);
        forward->at += is_title ? 1 : 0;
        state = sequence_next(query, phrase, state, term);
        found = found || is_sequence_end(phrase, state);
    }
    query->work += count;
    return found;
}

/* The same for the description. Its pairs are not kept in order: for scripts without spaces
 * having all of them counts. */
static bool text_has(struct search_query *query, const struct leaf *leaf,
                     const struct sequence *phrase, struct forward *forward)
{
    for (uint32_t word = leaf->first; word <= leaf->last; word++) {
        if (query->slots[word].is_pair) {
            return true; /* phrase_fields() has seen to it */
        }
    }
    return stretch_has(query, phrase, forward, forward->text, false);
}

/* The fields that have all words of the phrase. Function words are not posted for
 * descriptions. */
static uint8_t phrase_fields(const struct search_query *query, const struct leaf *phrase)
{
    uint8_t fields = phrase->fields == 0 ? POSTING_FIELDS : phrase->fields;
    for (uint32_t leaf = phrase->first; leaf <= phrase->last; leaf++) {
        fields &= query->slots[leaf].is_passive ? POSTING_FIELDS : query->matches[leaf].fields;
    }
    return fields;
}

bool query_phrase_holds(struct search_query *query, uint32_t at, uint32_t row)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    const struct sequence *phrase = query->phrases[at];
    uint8_t fields = phrase_fields(query, leaf);
    if (fields == 0) {
        return false;
    }
    query->work += PHRASE_WORK;
    struct forward forward = forward_of(*index_forward(query->index, row));
    if (stretch_has(query, phrase, &forward, forward.title, true) &&
        (fields & POSTING_TITLE) != 0) {
        return true;
    }
    if (fields == POSTING_TITLE) {
        return false;
    }
    if (stretch_has(query, phrase, &forward, forward.people, false) &&
        (fields & POSTING_PEOPLE) != 0) {
        return true;
    }
    return (fields & POSTING_TEXT) != 0 && text_has(query, leaf, phrase, &forward);
}
