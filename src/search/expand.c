#include "base/hash.h"
#include "search/query.h"
#include "search/ranking.h"

enum {
    BUCKET_BYTES = 6,       /* of a term that a bucket and its entries tell */
    PREFIX_LETTERS_MIN = 3, /* shorter beginnings say too little */
    PREFIX_WAYS_MAX = 16,
    CODE_WAYS_MAX = 8,
    CODE_PREFIX_MIN = 3,
    ACTIVE_SHARE = 4096, /* a language counts when one in so many documents is in it */
    COMMONER_FACTOR = 4, /* longer words so much commoner: a word is taken for a beginning */
    NUMERALS = 12,
    CORRECTED_MAX = 3, /* words looked for among their neighbours at a time */
    WORD_WORK = 500,   /* units that expanding a word takes */
};

/* A word as a slice that a table can hold. */
#define FORM(text)                                                                             \
    {                                                                                          \
        (const uint8_t *)(text), sizeof(text) - 1                                              \
    }

static uint32_t count_of(const struct search_query *query, uint32_t term)
{
    return lexicon_term(&query->index->lexicon, term)->count;
}

bool query_way_add(struct search_query *query, struct slot *slot, uint32_t term,
                   enum way_kind kind, uint32_t percent)
{
    if (term == TERM_NONE || count_of(query, term) == 0 || slot_has(slot, term) ||
        slot->ways_count == SLOT_WAYS_MAX || query->ways_count == QUERY_WAYS_MAX) {
        return false;
    }
    if (slot->ways == NULL) {
        slot->ways = arena_alloc(query->scratch, SLOT_WAYS_MAX * sizeof(struct way));
    }
    query->ways_count++;
    slot->ways[slot->ways_count++] =
        (struct way){.term = term, .kind = (uint8_t)kind, .percent = (uint8_t)percent};
    lexicon_prefetch_list(&query->index->lexicon, term, 0);
    slot->count += count_of(query, term);
    return true;
}

/* The stems of a word in every language the catalogue is written in. */
static void add_stems(struct search_query *query, struct slot *slot, const struct leaf *leaf,
                      enum way_kind kind, uint32_t percent)
{
    struct search_index *index = query->index;
    struct slice word = leaf_slice(leaf);
    uint32_t written = slot->written;
    query_way_add(query, slot, written, kind, percent);
    if (!leaf->is_plain || (written != TERM_NONE && index_is_function_word(index, written))) {
        return;
    }
    /* Most languages agree on most words. Each stemmer keeps its last stem until its next. */
    struct slice stems[LANGUAGE_COUNT];
    uint32_t count = 0;
    for (uint32_t l = 0; l < LANGUAGE_COUNT; l++) {
        if (index->languages[l] <= index->alive / ACTIVE_SHARE) {
            continue;
        }
        struct slice stem = stemmers_stem(&index->lexicon.stemmers, l, word);
        bool is_new = !slice_is_equal(stem, word);
        for (uint32_t i = 0; i < count; i++) {
            is_new = is_new && !slice_is_equal(stems[i], stem);
        }
        if (is_new) {
            stems[count++] = stem;
            lexicon_prefetch(&index->lexicon, TERM_WORD, stem, 0);
        }
    }
    for (uint32_t step = 1; step < LEXICON_FETCH_STEPS; step++) {
        for (uint32_t i = 0; i < count; i++) {
            lexicon_prefetch(&index->lexicon, TERM_WORD, stems[i], step);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        query_way_add(query, slot, lexicon_find(&index->lexicon, TERM_WORD, stems[i]), kind,
                      percent);
    }
}

/* 2, II and 二 are one number. */
static void add_numerals(struct search_query *query, struct slot *slot, struct slice word)
{
    static const struct slice forms[NUMERALS][3] = {
        {FORM("1"),  FORM("i"),    FORM("一")},
        {FORM("2"),  FORM("ii"),   FORM("二")},
        {FORM("3"),  FORM("iii"),  FORM("三")},
        {FORM("4"),  FORM("iv"),   FORM("四")},
        {FORM("5"),  FORM("v"),    FORM("五")},
        {FORM("6"),  FORM("vi"),   FORM("六")},
        {FORM("7"),  FORM("vii"),  FORM("七")},
        {FORM("8"),  FORM("viii"), FORM("八")},
        {FORM("9"),  FORM("ix"),   FORM("九")},
        {FORM("10"), FORM("x"),    FORM("十")},
        {FORM("11"), FORM("xi"),   FORM("")   },
        {FORM("12"), FORM("xii"),  FORM("")   },
    };
    for (uint32_t i = 0; i < NUMERALS; i++) {
        bool is_one = false;
        for (uint32_t f = 0; f < 3; f++) {
            is_one = is_one || slice_is_equal(word, forms[i][f]);
        }
        for (uint32_t f = 0; is_one && f < 3 && forms[i][f].len > 0; f++) {
            uint32_t term = lexicon_find(&query->index->lexicon, TERM_WORD, forms[i][f]);
            query_way_add(query, slot, term, WAY_NUMERAL, ranking.numeral_percent);
        }
    }
}

static void add_number(struct search_query *query, struct slot *slot, const struct leaf *leaf)
{
    struct slice word = leaf_slice(leaf);
    while (word.len > 1 && word.data[0] == '0') {
        word = slice_sub(word, 1, word.len);
    }
    if (word.len == 0 || word.data[0] < '0' || word.data[0] > '9') {
        return;
    }
    struct lexicon *lexicon = &query->index->lexicon;
    uint32_t term = lexicon_find(lexicon, TERM_NUMBER, word);
    if (query_way_add(query, slot, term, WAY_NUMBER, 100) && word.len >= CODE_PREFIX_MIN) {
        slot->ways[slot->ways_count - 1].bonus = ranking.code_number;
    }
    query_way_add(query, slot, lexicon_find(lexicon, TERM_WORD, word), WAY_NUMERAL, 100);
}

/* Keep @term among the @max commonest of @best (count in @kept), common ones first, then older
 * terms. */
static void keep_best(const struct search_query *query, uint32_t *best, uint32_t *kept,
                      uint32_t max, uint32_t term)
{
    uint32_t listed = lexicon_term(&query->index->lexicon, term)->listed;
    uint32_t at = *kept;
    while (at > 0) {
        uint32_t other = lexicon_term(&query->index->lexicon, best[at - 1])->listed;
        if (other > listed || (other == listed && best[at - 1] < term)) {
            break;
        }
        at--;
    }
    if (at >= max) {
        return;
    }
    uint32_t last = *kept < max ? *kept : max - 1;
    for (uint32_t i = last; i > at; i--) {
        best[i] = best[i - 1];
    }
    best[at] = term;
    *kept = last + 1;
}

/* Whether the term of @entry begins with @prefix and is longer. @shift: bits of the entry's
 * bytes that are beyond the prefix. */
static bool is_longer(const struct lexicon *lexicon, const struct bucket_entry *entry,
                      struct slice prefix, uint32_t shift)
{
    if (prefix.len < BUCKET_BYTES) {
        /* The entry alone tells that the term begins so, and whether it goes on. */
        return (entry->next >> (shift - 8) & 0xFF) != 0;
    }
    struct slice text = lexicon_text(lexicon, entry->term);
    return text.len > prefix.len && slice_has_prefix(text, prefix);
}

uint32_t query_longer_terms(const struct search_query *query, enum term_space space,
                            struct slice prefix, const struct longer_wanted *wanted,
                            uint32_t *ret_terms)
{
    const struct lexicon *lexicon = &query->index->lexicon;
    const struct bucket *bucket = lexicon_bucket(lexicon, space, prefix);
    if (bucket == NULL || prefix.len < 2) {
        return 0;
    }
    uint32_t shift = prefix.len >= BUCKET_BYTES ? 0 : (uint32_t)(BUCKET_BYTES - prefix.len) * 8;
    uint32_t bytes = shift == 32 ? 0 : lexicon_next_bytes(prefix) >> shift;
    uint32_t class_min = lexicon_listed_class(wanted->listed_min);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct bucket_entry *entry = &bucket->entries[i];
        uint32_t next = shift == 32 ? 0 : entry->next >> shift;
        if (next != bytes || entry->listed_class < class_min ||
            !is_longer(lexicon, entry, prefix, shift)) {
            continue;
        }
        keep_best(query, ret_terms, &kept, wanted->max, entry->term);
        if (kept == wanted->max) {
            uint32_t least = lexicon_term(lexicon, ret_terms[kept - 1])->listed;
            uint32_t class = lexicon_listed_class(least);
            class_min = class > class_min ? class : class_min;
        }
    }
    return kept;
}

/* How many titles and names have the word as written. */
static uint32_t listed_of(const struct search_query *query, const struct slot *slot)
{
    return slot->written == TERM_NONE
               ? 0
               : lexicon_term(&query->index->lexicon, slot->written)->listed;
}

/* What a word may be the beginning of: for the word still being typed and for words that
 * nothing else explains; and where longer words are so much commoner that it must be a short
 * form ("intro"). */
static void add_prefixes(struct search_query *query, struct slot *slot, const struct leaf *leaf,
                         bool is_wide)
{
    struct slice word = leaf_slice(leaf);
    if (!leaf->is_plain || word.len < PREFIX_LETTERS_MIN) {
        return;
    }
    uint32_t terms[PREFIX_WAYS_MAX];
    uint32_t own = is_wide ? 0 : listed_of(query, slot);
    struct longer_wanted wanted = {
        .max = leaf->is_final || is_wide ? PREFIX_WAYS_MAX : PREFIX_WAYS_MAX / 2,
        .listed_min = own * (leaf->is_final ? 1 : COMMONER_FACTOR),
    };
    uint32_t found = query_longer_terms(query, TERM_WORD, word, &wanted, terms);
    for (uint32_t i = 0; i < found; i++) {
        const struct term *term = lexicon_term(&query->index->lexicon, terms[i]);
        if (term->listed >= wanted.listed_min) {
            uint32_t stem = term->stem == TERM_NONE ? terms[i] : term->stem;
            query_way_add(query, slot, stem, WAY_PREFIX, ranking.prefix_percent);
        }
    }
}

static void way_code(struct search_query *query, const struct span *span, uint32_t term,
                     uint32_t bonus)
{
    for (uint32_t leaf = span->first; leaf <= span->last; leaf++) {
        struct slot *slot = &query->slots[leaf];
        if (query_way_add(query, slot, term, WAY_CODE, 0) && leaf == span->first) {
            slot->ways[slot->ways_count - 1].bonus = bonus;
        }
    }
}

/* A code as it stands; and codes that continue it with a letter ("ABC101" finds ABC101T), or
 * with anything if nothing else is known of it. */
static void add_codes(struct search_query *query, const struct span *span)
{
    const struct lexicon *lexicon = &query->index->lexicon;
    struct slice key = code_key_slice(&span->key);
    uint32_t whole = lexicon_find(lexicon, TERM_CODE, key);
    if (whole != TERM_NONE && count_of(query, whole) > 0) {
        way_code(query, span, whole, ranking.code_whole);
    } else {
        whole = TERM_NONE;
    }
    bool is_code = span->key.has_letter || key.len >= CODE_PREFIX_MIN + 1;
    if (key.len < CODE_PREFIX_MIN || !is_code) {
        return;
    }
    bool is_known = whole != TERM_NONE || query->slots[span->first].ways_count > 0;
    uint32_t terms[CODE_WAYS_MAX];
    struct longer_wanted wanted = {.max = CODE_WAYS_MAX};
    uint32_t found = query_longer_terms(query, TERM_CODE, key, &wanted, terms);
    for (uint32_t i = 0; i < found; i++) {
        uint8_t next = lexicon_text(lexicon, terms[i]).data[key.len];
        bool is_number_longer = (next >= '0' && next <= '9') || next == '.';
        if (!is_number_longer || !is_known) {
            way_code(query, span, terms[i], ranking.code_prefix);
        }
    }
}

/* Now that all ways are known: what the word weighs, and each way's share of it. */
static void weigh(struct search_query *query, struct slot *slot)
{
    uint32_t total = query->index->alive;
    uint32_t words = 0;
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        words += slot->ways[i].kind == WAY_CODE ? 0 : count_of(query, slot->ways[i].term);
    }
    words = words == 0 ? slot->count : words;
    slot->weight = ranking_information(words < total ? words : total, total);
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        lexicon_prefetch_list(&query->index->lexicon, slot->ways[i].term, 1);
    }
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        struct way *way = &slot->ways[i];
        way->weight = way->kind == WAY_CODE ? slot->weight : slot->weight * way->percent / 100;
        lexicon_open(&query->index->lexicon, way->term, &way->walk);
    }
}

static void expand_word(struct search_query *query, uint32_t at)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    struct slot *slot = &query->slots[at];
    struct slice word = leaf_slice(leaf);
    query->work += WORD_WORK;
    slot->written = lexicon_find(&query->index->lexicon, TERM_WORD, word);
    add_stems(query, slot, leaf, WAY_STEM, ranking.stem_percent);
    if (!leaf->is_plain || word.len <= 4 || leaf->is_pair) {
        add_numerals(query, slot, word);
        add_number(query, slot, leaf);
    }
    add_prefixes(query, slot, leaf, false);
    /* A word is taken for misspelled when no title and no name has it. */
    if (leaf->is_plain && query->corrections < CORRECTED_MAX && listed_of(query, slot) == 0) {
        query->corrections++;
        query_correct(query, slot, word, slot->count);
    }
}

/* Codes need every word's own ways, and weights everything. */
static void expand_end(struct search_query *query)
{
    const struct search_plan *plan = query->plan;
    for (uint32_t i = 0; i < plan->spans_count; i++) {
        add_codes(query, &plan->spans[i]);
    }
    for (uint32_t i = 0; i < plan->leaves_count; i++) {
        if (plan->leaves[i].kind == LEAF_WORD) {
            weigh(query, &query->slots[i]);
        }
    }
}

/* Let all words, and the codes they make, come from memory side by side. */
static void fetch_words(const struct search_query *query)
{
    const struct search_plan *plan = query->plan;
    const struct lexicon *lexicon = &query->index->lexicon;
    for (uint32_t step = 0; step < LEXICON_FETCH_STEPS; step++) {
        for (uint32_t i = 0; i < plan->leaves_count; i++) {
            if (plan->leaves[i].kind == LEAF_WORD) {
                lexicon_prefetch(lexicon, TERM_WORD, leaf_slice(&plan->leaves[i]), step);
            }
        }
        for (uint32_t i = 0; i < plan->spans_count; i++) {
            lexicon_prefetch(lexicon, TERM_CODE, code_key_slice(&plan->spans[i].key), step);
        }
    }
}

bool query_expand_step(struct search_query *query, uint32_t budget)
{
    const struct search_plan *plan = query->plan;
    if (query->expand_at == 0) {
        fetch_words(query);
    }
    while (query->expand_at < plan->leaves_count) {
        if (query->work >= budget) {
            return false;
        }
        uint32_t i = query->expand_at++;
        const struct leaf *leaf = &plan->leaves[i];
        query->slots[i] =
            (struct slot){.leaf = (uint8_t)i, .fields = leaf->fields, .is_pair = leaf->is_pair};
        if (leaf->kind == LEAF_WORD) {
            expand_word(query, i);
        }
    }
    expand_end(query);
    return true;
}

static void widen_word(struct search_query *query, uint32_t at)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    struct slot *slot = &query->slots[at];
    if (!leaf->is_plain || query->corrections >= 2 * CORRECTED_MAX) {
        return;
    }
    query->corrections++;
    uint32_t own = listed_of(query, slot);
    uint32_t before = slot->ways_count;
    add_prefixes(query, slot, leaf, true);
    query_correct(query, slot, leaf_slice(leaf), own);
    weigh(query, slot);
    query->is_wider = query->is_wider || slot->ways_count > before;
}

bool query_widen_step(struct search_query *query, uint32_t budget)
{
    while (query->expand_at < query->needed_count) {
        if (query->work >= budget) {
            return false;
        }
        widen_word(query, query->needed[query->expand_at++]);
    }
    return true;
}
