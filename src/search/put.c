#include "base/assert.h"
#include "base/hash.h"
#include "search/code.h"
#include "search/index.h"
#include "search/ranking.h"
#include "search/token.h"

enum {
    SLOTS_MIN = 1024,
    VARINT_BYTES_MAX = 5,
};

static void occurrence_add(struct search_index *index, uint32_t term, enum field field,
                           const struct token *token)
{
    struct intake *intake = &index->intake;
    if (intake->count == intake->capacity) {
        uint32_t wanted = intake->capacity == 0 ? SLOTS_MIN : intake->capacity * 2;
        intake->occurrences =
            arena_grow(index->arena, intake->occurrences, sizeof(*intake->occurrences),
                       intake->capacity, wanted);
        intake->capacity = wanted;
    }
    intake->occurrences[intake->count++] = (struct occurrence){
        .term = term,
        .field = (uint8_t)field,
        .hash = token_hash(token),
        .is_plain = token->is_plain,
        .is_extra = token->is_extra,
        .is_pair = token->kind != TOKEN_WORD,
    };
}

/* A compound written with a hyphen or an apostrophe is found in one word as well: "e-commerce",
 * "O'Neill". */
static void compound_add(struct search_index *index, const struct token *before,
                         const struct token *token, enum field field)
{
    struct token joined = *before;
    if (before->len + token->len > TOKEN_BYTES_MAX) {
        return;
    }
    memcpy(joined.text + joined.len, token->text, token->len);
    joined.len = (uint8_t)(joined.len + token->len);
    joined.is_plain = before->is_plain && token->is_plain;
    joined.is_extra = true;
    occurrence_add(index, lexicon_put(&index->lexicon, TERM_WORD, token_slice(&joined)), field,
                   &joined);
}

static void take_field(struct search_index *index, struct slice text, enum field field)
{
    bool is_short = field == FIELD_TITLE || field == FIELD_PEOPLE;
    struct tokens tokens = tokens_of(text, true, is_short);
    struct token pair[2];
    uint32_t now = 0;
    pair[1].kind = TOKEN_END;
    while (token_next(&tokens, &pair[now]) != TOKEN_END) {
        struct token *token = &pair[now];
        uint32_t term = lexicon_put(&index->lexicon, TERM_WORD, token_slice(token));
        occurrence_add(index, term, field, token);
        if (is_short && token->is_glued && token->kind == TOKEN_WORD &&
            pair[1 - now].kind == TOKEN_WORD) {
            compound_add(index, &pair[1 - now], token, field);
        }
        now = 1 - now;
    }
}

/* The language of the document: told by its own function words, else what its institution
 * mostly writes. */
static uint32_t take_language(struct search_index *index, struct name *institution)
{
    const struct intake *intake = &index->intake;
    uint32_t hits[LANGUAGE_COUNT] = {0};
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t term = intake->occurrences[i].term;
        uint8_t field = intake->occurrences[i].field;
        if (!index_is_function_word(index, term) ||
            (field != FIELD_TITLE && field != FIELD_TEXT)) {
            continue;
        }
        uint32_t mask = index->function_of[term];
        uint32_t points = LANGUAGE_POINTS / (uint32_t)__builtin_popcount(mask);
        for (uint32_t l = 0; l < LANGUAGE_COUNT; l++) {
            hits[l] += (mask >> l & 1) != 0 ? points : 0;
        }
    }
    uint32_t guess = language_guess(hits);
    if (guess != LANGUAGE_NONE) {
        institution->languages[guess]++;
        return guess;
    }
    uint32_t best = LANGUAGE_ENGLISH;
    for (uint32_t l = 0; l < LANGUAGE_COUNT; l++) {
        best = institution->languages[l] > institution->languages[best] ? l : best;
    }
    return best;
}

static void slots_clear(struct search_index *index)
{
    struct intake *intake = &index->intake;
    uint32_t wanted = intake->slots_capacity == 0 ? SLOTS_MIN : intake->slots_capacity;
    while (wanted < intake->count * 2) {
        wanted *= 2;
    }
    if (wanted != intake->slots_capacity) {
        intake->slots = arena_grow(index->arena, intake->slots, sizeof(uint32_t),
                                   intake->slots_capacity, wanted);
        intake->slots_capacity = wanted;
        memset(intake->slots, 0, wanted * sizeof(uint32_t));
    }
    if (intake->count > intake->tallies_capacity) {
        intake->tallies = arena_grow(index->arena, intake->tallies, sizeof(*intake->tallies),
                                     intake->tallies_capacity, intake->capacity);
        intake->tallies_capacity = intake->capacity;
    }
    intake->tallies_count = 0;
}

static uint32_t *slot_of(struct intake *intake, uint32_t term)
{
    uint32_t mask = intake->slots_capacity - 1;
    uint32_t at = (uint32_t)hash_u64(term) & mask;
    while (intake->slots[at] != 0 && intake->tallies[intake->slots[at] - 1].term != term) {
        at = (at + 1) & mask;
    }
    return &intake->slots[at];
}

/* Stem every token, list the words of titles and names as written, and count. */
static void take_tallies(struct search_index *index, uint32_t language)
{
    struct intake *intake = &index->intake;
    slots_clear(index);
    for (uint32_t i = 0; i < intake->count; i++) {
        struct occurrence *occurrence = &intake->occurrences[i];
        bool is_function = index_is_function_word(index, occurrence->term);
        uint32_t written = occurrence->term;
        if (occurrence->is_plain && !is_function) {
            occurrence->term = lexicon_stem(&index->lexicon, written, language);
        }
        uint32_t *slot = slot_of(intake, occurrence->term);
        if (*slot == 0) {
            intake->tallies[intake->tallies_count] = (struct tally){
                .term = occurrence->term, .slot = (uint32_t)(slot - intake->slots)};
            *slot = ++intake->tallies_count;
        }
        struct tally *tally = &intake->tallies[*slot - 1];
        if ((occurrence->field == FIELD_TITLE || occurrence->field == FIELD_PEOPLE)) {
            lexicon_list(&index->lexicon, written);
        }
        if (tally->counts[occurrence->field] < UINT16_MAX) {
            tally->counts[occurrence->field]++;
        }
    }
    for (uint32_t i = 0; i < intake->tallies_count; i++) {
        intake->slots[intake->tallies[i].slot] = 0;
    }
}

/* One field's share of a term's weight, in 1/256 of an occurrence: BM25F's length
 * normalisation. */
static uint64_t field_share(uint32_t count, uint32_t length, uint32_t usual,
                            uint32_t slope_percent, uint32_t weight)
{
    uint64_t norm = 100 - slope_percent + (uint64_t)slope_percent * length / usual;
    return (uint64_t)count * weight * 256 * 100 / norm;
}

static uint8_t posting_byte(const struct tally *tally, const uint32_t lengths[FIELD_COUNT])
{
    const struct ranking *r = &ranking;
    uint64_t share = field_share(tally->counts[FIELD_TITLE], lengths[FIELD_TITLE],
                                 r->title_length, r->title_slope_percent, r->title_weight) +
                     field_share(tally->counts[FIELD_PEOPLE], lengths[FIELD_PEOPLE],
                                 r->people_length, r->people_slope_percent, r->people_weight) +
                     field_share(tally->counts[FIELD_TEXT], lengths[FIELD_TEXT], r->text_length,
                                 r->text_slope_percent, r->text_weight) +
                     (uint64_t)tally->counts[FIELD_SUBJECT] * r->subject_weight * 256;
    uint64_t saturated = share * POSTING_STRENGTH / (share + r->saturation_percent * 256 / 100);
    uint32_t fields = (tally->counts[FIELD_TITLE] > 0 ? POSTING_TITLE : 0U) |
                      (tally->counts[FIELD_PEOPLE] > 0 ? POSTING_PEOPLE : 0U) |
                      (tally->counts[FIELD_TEXT] > 0 ? POSTING_TEXT : 0U);
    return (uint8_t)(fields | (uint32_t)saturated);
}

/* Function words are posted for titles and names only: in running text they are everywhere and
 * tell nothing. */
static void post_words(struct search_index *index, uint32_t row)
{
    struct intake *intake = &index->intake;
    uint32_t lengths[FIELD_COUNT] = {0};
    for (uint32_t i = 0; i < intake->count; i++) {
        lengths[intake->occurrences[i].field] += intake->occurrences[i].is_extra ? 0 : 1;
    }
    for (uint32_t i = 0; i < intake->tallies_count; i++) {
        const struct tally *tally = &intake->tallies[i];
        bool is_short = tally->counts[FIELD_TITLE] + tally->counts[FIELD_PEOPLE] > 0;
        if (is_short || !index_is_function_word(index, tally->term)) {
            lexicon_append(&index->lexicon, tally->term, row, posting_byte(tally, lengths));
        }
    }
}

static void post_key(struct search_index *index, enum term_space space, struct slice key,
                     uint32_t row, uint8_t strength)
{
    uint32_t term = lexicon_put(&index->lexicon, space, key);
    const struct term *known = lexicon_term(&index->lexicon, term);
    if (known->count > 0 && lexicon_last(&index->lexicon, term) == row) {
        return; /* two parts of one code may be equal */
    }
    lexicon_append(&index->lexicon, term, row, strength);
    if (space == TERM_CODE) {
        lexicon_list(&index->lexicon, term);
    }
}

/* The digits that lead @key, without leading zeros: "0103e" gives "103". */
static struct slice digits_of(struct slice key)
{
    size_t from = 0;
    while (from + 1 < key.len && key.data[from] == '0') {
        from++;
    }
    size_t to = from;
    while (to < key.len && key.data[to] >= '0' && key.data[to] <= '9') {
        to++;
    }
    return slice_sub(key, from, to - from);
}

static void post_code(struct search_index *index, const struct search_document *document,
                      uint32_t row)
{
    struct code_key keys[CODE_PARTS_MAX + 1];
    uint32_t count = code_parts(document->code, keys);
    for (uint32_t i = 0; i < count; i++) {
        post_key(index, TERM_CODE, code_key_slice(&keys[i]), row,
                 count == 1 ? POSTING_STRENGTH : POSTING_STRENGTH - 1);
    }
    bool is_structured = count > 0 && (keys[0].has_letter || keys[0].has_dot);
    if (is_structured && code_key_of(document->number, &keys[0]) && keys[0].has_digit) {
        struct slice number = code_key_slice(&keys[0]);
        post_key(index, TERM_NUMBER, number, row, POSTING_STRENGTH);
        struct slice digits = digits_of(number);
        if (digits.len > 0) {
            post_key(index, TERM_NUMBER, digits, row, POSTING_STRENGTH);
        }
    }
    if (code_key_of(document->subject, &keys[0])) {
        struct slice subject = code_key_slice(&keys[0]);
        post_key(index, TERM_SUBJECT, subject, row, POSTING_STRENGTH);
    }
}

static uint32_t varint_put(uint8_t *out, uint32_t value)
{
    uint32_t len = 0;
    while (value >= 0x80) {
        out[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[len++] = (uint8_t)value;
    return len;
}

/* Build the row's own bytes (see struct row) and count what of the title a query can cover. */
static void store_forward(struct search_index *index, uint32_t at,
                          const struct search_document *document)
{
    struct intake *intake = &index->intake;
    struct row *row = index_row(index, at);
    struct row_facts *facts = index_facts(index, at);
    uint32_t wanted = (intake->count + FIELD_COUNT) * (VARINT_BYTES_MAX + 1) + SEARCH_DAYS_MAX;
    uint32_t days_count =
        document->days_count < SEARCH_DAYS_MAX ? document->days_count : SEARCH_DAYS_MAX;
    if (wanted > intake->bytes_capacity) {
        wanted += wanted / 2;
        intake->bytes =
            arena_grow(index->arena, intake->bytes, 1, intake->bytes_capacity, wanted);
        intake->bytes_capacity = wanted;
    }
    uint32_t counts[FIELD_COUNT] = {0};
    for (uint32_t i = 0; i < intake->count; i++) {
        const struct occurrence *occurrence = &intake->occurrences[i];
        bool is_kept =
            !occurrence->is_extra && !(occurrence->is_pair && occurrence->field == FIELD_TEXT);
        counts[occurrence->field] += is_kept ? 1 : 0;
    }
    uint32_t len = varint_put(intake->bytes, counts[FIELD_TITLE]);
    len += varint_put(intake->bytes + len, counts[FIELD_PEOPLE]);
    len += varint_put(intake->bytes + len, counts[FIELD_TEXT]);
    len += varint_put(intake->bytes + len, days_count);
    if (days_count > 0) {
        memcpy(intake->bytes + len, document->days, days_count);
        len += days_count;
    }
    uint32_t words = 0;
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < intake->count; i++) {
        const struct occurrence *occurrence = &intake->occurrences[i];
        bool is_kept = !occurrence->is_extra && occurrence->field != FIELD_SUBJECT &&
                       !(occurrence->is_pair && occurrence->field == FIELD_TEXT);
        if (!is_kept) {
            continue;
        }
        len += varint_put(intake->bytes + len, occurrence->term);
        if (occurrence->field != FIELD_TITLE) {
            continue;
        }
        intake->bytes[len++] = occurrence->hash;
        pairs += occurrence->is_pair ? 1 : 0;
        words +=
            !occurrence->is_pair && !index_is_function_word(index, occurrence->term) ? 1 : 0;
    }
    facts->words = (uint8_t)(words > UINT8_MAX ? UINT8_MAX : words);
    facts->pairs = (uint8_t)(pairs > UINT8_MAX ? UINT8_MAX : pairs);
    index_title_class_set(index, at, facts->words);
    uint8_t *forward = arena_alloc(index->arena, len);
    *index_forward(index, at) = forward;
    row->forward_bytes = len;
    memcpy(forward, intake->bytes, len);
    index->forward_bytes += len;
}

static void take_fields(struct search_index *index, const struct search_document *document)
{
    index->intake.count = 0;
    take_field(index, document->title, FIELD_TITLE);
    for (uint32_t i = 0; i < document->instructors_count; i++) {
        take_field(index, document->instructors[i], FIELD_PEOPLE);
    }
    take_field(index, document->subject, FIELD_SUBJECT);
    take_field(index, document->description, FIELD_TEXT);
}

static uint32_t text_bytes_of(const struct search_document *document)
{
    size_t bytes = document->code.len + document->subject.len + document->title.len +
                   document->description.len;
    for (uint32_t i = 0; i < document->instructors_count; i++) {
        bytes += document->instructors[i].len;
    }
    return (uint32_t)bytes;
}

void search_put(struct search_index *index, uint32_t doc,
                const struct search_document *document, bool hidden)
{
    index->version++;
    uint32_t at = index_row_add(index, doc);
    struct row *row = index_row(index, at);
    struct row_facts *facts = index_facts(index, at);
    struct row_names names = {
        .institution =
            (uint16_t)names_put(&index->institutions, index->arena, document->institution),
        .term = (uint16_t)names_put(&index->terms, index->arena, document->term),
    };
    index_names_set(index, at, names);
    struct name *institution = &index->institutions.items[names.institution];
    institution->rows++;
    institution->row_last = at;
    institution->row_first =
        institution->row_first == POSTING_NO_ROW ? at : institution->row_first;

    take_fields(index, document);
    row->language = take_language(index, institution);
    index->languages[row->language]++;
    take_tallies(index, row->language);
    post_words(index, at);
    post_code(index, document, at);
    store_forward(index, at, document);

    row->number = code_number(document->number);
    row->credits = document->credits_known ? document->credits_hundredths : CREDITS_UNKNOWN;
    facts->level = (uint8_t)(document->level > UINT8_MAX ? 0 : document->level);
    row->text_bytes = text_bytes_of(document);
    index->text_bytes += row->text_bytes;
    index_state_set(index, at, hidden ? ROW_HIDDEN : ROW_LIVE);
    index_sweep(index);
}
