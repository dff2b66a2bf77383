#include "search/query.h"
#include "search/ranking.h"

enum {
    LETTERS_MIN = 4,     /* shorter words have too many neighbours */
    LETTERS_TWO_MIN = 8, /* two letters may be off from here on */
    LETTERS_MAX = 24,
    CANDIDATES_MAX = 4,
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

/* Every word one deletion, exchange, replacement or insertion away, asked of the lexicon: about
 * 54 for each letter of the word, with no index of its own. Folded Latin has the alphabet a to
 * z. */
static void one_off(struct candidates *candidates, struct slice word)
{
    uint8_t form[LETTERS_MAX + 2];
    for (size_t i = 0; i < word.len; i++) {
        memcpy(form, word.data, i);
        memcpy(form + i, word.data + i + 1, word.len - i - 1);
        try_word(candidates, form, word.len - 1);
    }
    for (size_t i = 0; i + 1 < word.len; i++) {
        memcpy(form, word.data, word.len);
        form[i] = word.data[i + 1];
        form[i + 1] = word.data[i];
        try_word(candidates, form, word.len);
    }
    for (size_t i = 0; i < word.len; i++) {
        memcpy(form, word.data, word.len);
        for (uint8_t letter = 'a'; letter <= 'z'; letter++) {
            form[i] = letter;
            try_word(candidates, form, word.len);
        }
    }
    for (size_t i = 0; i <= word.len; i++) {
        memcpy(form, word.data, i);
        memcpy(form + i + 1, word.data + i, word.len - i);
        for (uint8_t letter = 'a'; letter <= 'z'; letter++) {
            form[i] = letter;
            try_word(candidates, form, word.len + 1);
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

/* Words two letters off, among those that begin with the same two: who misspells a long word
 * mostly begins it right. */
static void two_off(struct candidates *candidates, struct slice word)
{
    const struct bucket *bucket = lexicon_bucket(candidates->lexicon, TERM_WORD, word);
    if (bucket == NULL) {
        return;
    }
    for (uint32_t i = 0; i < bucket->count; i++) {
        uint32_t term = bucket->entries[i].term;
        uint32_t len = lexicon_term(candidates->lexicon, term)->len;
        if (len + 2 < word.len || len > word.len + 2) {
            continue;
        }
        if (is_two_off(word, lexicon_text(candidates->lexicon, term))) {
            candidate_add(candidates, term);
        }
    }
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
    one_off(&candidates, word);
    if (candidates.count == 0 && word.len >= LETTERS_TWO_MIN && slot->ways_count == 0) {
        two_off(&candidates, word);
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
