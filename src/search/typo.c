#include "search/query.h"
#include "search/ranking.h"

enum {
    LETTERS_MIN = 4,     /* shorter words have too many neighbours */
    LETTERS_TWO_MIN = 8, /* two letters may be off from here on */
    LETTERS_MAX = 24,
    CANDIDATES_MAX = 4,
    CORRECT_WORK = 800, /* units of search_query_step() that neighbours one letter off take */
    WORK_PER_WORD = 20, /* and each word that is compared */
};

/* What the candidates so far are worth: the commonest title words win, those of equal letters
 * first. */
struct candidates {
    const struct lexicon *lexicon;
    uint32_t terms[CANDIDATES_MAX];
    uint32_t count;
};

static void candidate_add(struct candidates *candidates, uint32_t term)
{
    uint32_t listed = lexicon_term(candidates->lexicon, term)->listed;
    uint32_t at = candidates->count;
    for (uint32_t i = 0; i < candidates->count; i++) {
        if (candidates->terms[i] == term) {
            return;
        }
    }
    while (at > 0) {
        uint32_t before = candidates->terms[at - 1];
        uint32_t other = lexicon_term(candidates->lexicon, before)->listed;
        if (other > listed || (other == listed && before < term)) {
            break;
        }
        at--;
    }
    if (at >= CANDIDATES_MAX) {
        return;
    }
    uint32_t last = candidates->count < CANDIDATES_MAX ? candidates->count : CANDIDATES_MAX - 1;
    for (uint32_t i = last; i > at; i--) {
        candidates->terms[i] = candidates->terms[i - 1];
    }
    candidates->terms[at] = term;
    candidates->count = last + 1;
}

static void try_word(struct candidates *candidates, const uint8_t *word, size_t len)
{
    uint32_t term = lexicon_find(candidates->lexicon, TERM_WORD, (struct slice){word, len});
    if (term != TERM_NONE && lexicon_term(candidates->lexicon, term)->listed > 0) {
        candidate_add(candidates, term);
    }
}

/* The word whose neighbours are looked for, with the hashes of its beginnings: [i] of the first
 * i letters. A neighbour's hash is made of those, and only what may be there is spelt out. */
struct misspelt {
    struct slice word;
    uint64_t heads[LETTERS_MAX + 1];
    uint64_t powers[LETTERS_MAX + 2]; /* of the hash's factor */
};

static struct misspelt misspelt_of(struct slice word)
{
    struct misspelt misspelt = {.word = word, .powers = {1}};
    for (size_t i = 0; i < word.len; i++) {
        misspelt.heads[i + 1] = spelling_next(misspelt.heads[i], word.data[i]);
    }
    for (size_t i = 1; i < word.len + 2; i++) {
        misspelt.powers[i] = misspelt.powers[i - 1] * SPELLING_FACTOR;
    }
    return misspelt;
}

/* The hash of what begins with a hash of @head and goes on with the word's letters from @from
 * on. */
static uint64_t joined(const struct misspelt *misspelt, uint64_t head, size_t from)
{
    size_t rest = misspelt->word.len - from;
    uint64_t power = misspelt->powers[rest];
    uint64_t tail = misspelt->heads[misspelt->word.len] - misspelt->heads[from] * power;
    return head * power + tail;
}

/* Try the word with its letters [at, at + taken) replaced by the @put letters at @letters. */
static void try_change(struct candidates *candidates, const struct misspelt *misspelt,
                       size_t at, size_t taken, const uint8_t *letters, size_t put)
{
    uint64_t hash = misspelt->heads[at];
    for (size_t i = 0; i < put; i++) {
        hash = spelling_next(hash, letters[i]);
    }
    hash = joined(misspelt, hash, at + taken);
    if (!spelling_may_have(&candidates->lexicon->spelling, hash)) {
        return;
    }
    uint8_t form[LETTERS_MAX + 2];
    struct slice word = misspelt->word;
    memcpy(form, word.data, at);
    for (size_t i = 0; i < put; i++) {
        form[at + i] = letters[i];
    }
    memcpy(form + at + put, word.data + at + taken, word.len - at - taken);
    try_word(candidates, form, word.len - taken + put);
}

/* Every word one deletion, exchange, replacement or insertion away: about 54 for each letter of
 * the word, nearly all of which spelling_may_have() denies. Folded Latin has the alphabet a to
 * z. */
static void one_off(struct candidates *candidates, struct slice word)
{
    static const uint8_t letters[26] = "abcdefghijklmnopqrstuvwxyz";
    struct misspelt misspelt = misspelt_of(word);
    for (size_t i = 0; i < word.len; i++) {
        try_change(candidates, &misspelt, i, 1, NULL, 0);
    }
    for (size_t i = 0; i + 1 < word.len; i++) {
        uint8_t exchanged[2] = {word.data[i + 1], word.data[i]};
        try_change(candidates, &misspelt, i, 2, exchanged, 2);
    }
    for (size_t i = 0; i < word.len; i++) {
        for (size_t at = 0; at < sizeof letters; at++) {
            try_change(candidates, &misspelt, i, 1, &letters[at], 1);
        }
    }
    for (size_t i = 0; i <= word.len; i++) {
        for (size_t at = 0; at < sizeof letters; at++) {
            try_change(candidates, &misspelt, i, 0, &letters[at], 1);
        }
    }
}

/* Whether @a and @b are at most two insertions, deletions, replacements or exchanges of
 * neighbours apart (restricted Damerau-Levenshtein distance, three rows). */
static bool is_two_off(struct slice a, struct slice b)
{
    uint8_t rows[3][LETTERS_MAX + 3];
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        uint8_t *now = rows[i % 3];
        const uint8_t *above = rows[(i - 1) % 3];
        const uint8_t *before = rows[(i + 1) % 3];
        uint8_t least = UINT8_MAX;
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.len; j++) {
            uint8_t best = (uint8_t)(above[j - 1] + (a.data[i - 1] == b.data[j - 1] ? 0 : 1));
            best = above[j] + 1 < best ? (uint8_t)(above[j] + 1) : best;
            best = now[j - 1] + 1 < best ? (uint8_t)(now[j - 1] + 1) : best;
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < best) {
                best = (uint8_t)(before[j - 2] + 1);
            }
            now[j] = best;
            least = best < least ? best : least;
        }
        if (least > 2) {
            return false;
        }
    }
    return rows[a.len % 3][b.len] <= 2;
}

/* Whether words that begin alike and go on with these four letters can be two letters off at
 * most: each letter that is wrong, missing or too many takes at most one of the four out of
 * those that both have, in order. A quick no before a word is read. */
static bool is_next_near(uint32_t a, uint32_t b)
{
    uint8_t row[5] = {0}; /* of the table of longest common subsequences */
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t letter = (uint8_t)(a >> (24 - 8 * i));
        uint8_t diagonal = 0;
        for (uint32_t j = 1; j <= 4; j++) {
            uint8_t above = row[j];
            uint8_t longer = above > row[j - 1] ? above : row[j - 1];
            row[j] = letter == (uint8_t)(b >> (32 - 8 * j)) ? (uint8_t)(diagonal + 1) : longer;
            diagonal = above;
        }
    }
    return row[4] >= 2;
}

/* Words two letters off, among those that begin with the same two: who misspells a long word
 * mostly begins it right. Returns: how many words were compared. */
static uint32_t two_off(struct candidates *candidates, struct slice word)
{
    const struct bucket *bucket = lexicon_bucket(candidates->lexicon, TERM_WORD, word);
    if (bucket == NULL) {
        return 0;
    }
    uint32_t looked = 0;
    uint32_t next = lexicon_next_bytes(word);
    for (uint32_t i = 0; i < bucket->count; i++) {
        if (!is_next_near(next, bucket->entries[i].next)) {
            continue;
        }
        uint32_t term = bucket->entries[i].term;
        looked++;
        uint32_t len = lexicon_term(candidates->lexicon, term)->len;
        if (len + 2 < word.len || len > word.len + 2) {
            continue;
        }
        if (is_two_off(word, lexicon_text(candidates->lexicon, term))) {
            candidate_add(candidates, term);
        }
    }
    return looked;
}

static void note_correction(struct search_query *query, struct slice word, uint32_t term)
{
    struct slice right = lexicon_text(&query->index->lexicon, term);
    size_t used = strlen(query->corrected);
    if (used + word.len + right.len + sizeof(",  -> ") > sizeof(query->corrected)) {
        return;
    }
    char *out = query->corrected + used;
    if (used > 0) {
        memcpy(out, ", ", 2);
        out += 2;
    }
    memcpy(out, word.data, word.len);
    memcpy(out + word.len, " -> ", 4);
    memcpy(out + word.len + 4, right.data, right.len);
    out[word.len + 4 + right.len] = '\0';
}

void query_correct(struct search_query *query, struct slot *slot, struct slice word,
                   uint32_t own)
{
    bool is_latin = true;
    for (size_t i = 0; i < word.len; i++) {
        is_latin = is_latin && word.data[i] < 0x80;
    }
    if (!is_latin || word.len < LETTERS_MIN || word.len > LETTERS_MAX) {
        return;
    }
    struct candidates candidates = {.lexicon = &query->index->lexicon};
    query->work += CORRECT_WORK;
    one_off(&candidates, word);
    if (candidates.count == 0 && word.len >= LETTERS_TWO_MIN && slot->ways_count == 0) {
        query->work += two_off(&candidates, word) * WORK_PER_WORD;
    }
    uint32_t first = slot->ways_count;
    for (uint32_t i = 0; i < candidates.count; i++) {
        const struct term *term = lexicon_term(&query->index->lexicon, candidates.terms[i]);
        if (term->listed < own) {
            break;
        }
        uint32_t stem = term->stem == TERM_NONE ? candidates.terms[i] : term->stem;
        query_way_add(query, slot, stem, WAY_TYPO, ranking.typo_percent);
    }
    if (slot->ways_count > first) {
        note_correction(query, word, candidates.terms[0]);
    }
}
