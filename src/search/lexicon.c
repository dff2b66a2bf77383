#include "search/lexicon.h"

#include "base/assert.h"
#include "base/hash.h"

enum { BUCKET_MIN = 4, BUCKET_TERMS_MAX = 1 << 27 };

struct term_key {
    enum term_space space;
    struct slice text;
};

void lexicon_init(struct lexicon *lexicon, struct arena *arena)
{
    *lexicon = (struct lexicon){
        .arena = arena, .text_used = LEXICON_TEXT_PAGE, .lists_free = TERM_NONE};
    stemmers_init(&lexicon->stemmers);
    map_init(&lexicon->map, arena);
    map_init(&lexicon->bucket_map, arena);
}

void lexicon_fini(struct lexicon *lexicon)
{
    stemmers_fini(&lexicon->stemmers);
}

static bool term_is(const void *context, uint32_t value, const void *key)
{
    const struct lexicon *lexicon = context;
    const struct term_key *wanted = key;
    const struct term *term = lexicon_term(lexicon, value);
    return term->len == wanted->text.len && term->space == wanted->space &&
           memcmp(lexicon->texts[term->text >> 16] + (term->text & 0xFFFF), wanted->text.data,
                  term->len) == 0;
}

static uint64_t hash_of(enum term_space space, struct slice text)
{
    return hash_bytes_seeded(space, text.data, text.len);
}

uint32_t lexicon_find(const struct lexicon *lexicon, enum term_space space, struct slice text)
{
    struct term_key key = {space, text};
    return map_find(&lexicon->map, hash_of(space, text), term_is, lexicon, &key);
}

void lexicon_prefetch(const struct lexicon *lexicon, enum term_space space, struct slice text,
                      uint32_t step)
{
    uint64_t hash = hash_of(space, text);
    if (step == 0) {
        map_prefetch(&lexicon->map, hash);
        return;
    }
    uint32_t id = map_peek(&lexicon->map, hash);
    if (id == MAP_NONE) {
        return;
    }
    if (step == 1) {
        __builtin_prefetch(lexicon_term(lexicon, id));
    } else {
        __builtin_prefetch(lexicon_text(lexicon, id).data);
    }
}

/* Append a page pointer to an array that grows by doubling. */
static void *pages_reserve(struct arena *arena, void *pages, uint32_t count, uint32_t *capacity)
{
    if (count < *capacity) {
        return pages;
    }
    uint32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    pages = arena_grow(arena, pages, sizeof(void *), *capacity, wanted);
    *capacity = wanted;
    return pages;
}

static uint32_t text_put(struct lexicon *lexicon, struct slice text)
{
    if (lexicon->text_used + text.len > LEXICON_TEXT_PAGE) {
        lexicon->texts = pages_reserve(lexicon->arena, lexicon->texts, lexicon->texts_count,
                                       &lexicon->texts_capacity);
        lexicon->texts[lexicon->texts_count++] = arena_alloc(lexicon->arena, LEXICON_TEXT_PAGE);
        lexicon->text_used = 0;
    }
    uint32_t page = lexicon->texts_count - 1;
    uint32_t offset = lexicon->text_used;
    memcpy(lexicon->texts[page] + offset, text.data, text.len);
    lexicon->text_used += (uint32_t)text.len;
    return page << 16 | offset;
}

uint32_t lexicon_put(struct lexicon *lexicon, enum term_space space, struct slice text)
{
    ASSERT(text.len > 0 && text.len <= UINT8_MAX);
    struct term_key key = {space, text};
    uint64_t hash = hash_of(space, text);
    uint32_t id = map_find(&lexicon->map, hash, term_is, lexicon, &key);
    if (id != MAP_NONE) {
        return id;
    }
    id = lexicon->count;
    if (id % TERM_PAGE == 0) {
        lexicon->pages = pages_reserve(lexicon->arena, lexicon->pages, id / TERM_PAGE,
                                       &lexicon->pages_capacity);
        lexicon->pages[id / TERM_PAGE] =
            arena_alloc(lexicon->arena, TERM_PAGE * sizeof(struct term));
    }
    lexicon->count++;
    *lexicon_term(lexicon, id) = (struct term){
        .text = text_put(lexicon, text),
        .stem = TERM_NONE,
        .len = (uint8_t)text.len,
        .space = (uint8_t)(space & 3),
    };
    map_put(&lexicon->map, hash, id);
    return id;
}

uint32_t lexicon_stem(struct lexicon *lexicon, uint32_t id, uint32_t language)
{
    struct term *term = lexicon_term(lexicon, id);
    if (term->stem != TERM_NONE && term->language == language) {
        return term->stem;
    }
    struct slice stem = stemmers_stem(&lexicon->stemmers, language, lexicon_text(lexicon, id));
    uint32_t found = lexicon_put(lexicon, TERM_WORD, stem);
    term->stem = found;
    term->language = (uint8_t)(language & 63);
    return found;
}

static bool bucket_is(const void *context, uint32_t value, const void *key)
{
    const struct lexicon *lexicon = context;
    const uint32_t *wanted = key;
    return lexicon->buckets[value].key == *wanted;
}

static uint32_t bucket_key(enum term_space space, struct slice text)
{
    uint32_t second = text.len > 1 ? text.data[1] : 0;
    return (uint32_t)space << 16 | (uint32_t)text.data[0] << 8 | second;
}

uint32_t lexicon_next_bytes(struct slice text)
{
    uint32_t next = 0;
    for (size_t i = 2; i < 6; i++) {
        next = next << 8 | (i < text.len ? text.data[i] : 0);
    }
    return next;
}

static void bucket_add(struct lexicon *lexicon, uint32_t id, enum term_space space)
{
    struct slice text = lexicon_text(lexicon, id);
    uint32_t key = bucket_key(space, text);
    uint32_t at = map_find(&lexicon->bucket_map, hash_u64(key), bucket_is, lexicon, &key);
    if (at == MAP_NONE) {
        at = lexicon->buckets_count++;
        if (at >= lexicon->buckets_capacity) {
            uint32_t wanted =
                lexicon->buckets_capacity == 0 ? 64 : lexicon->buckets_capacity * 2;
            lexicon->buckets =
                arena_grow(lexicon->arena, lexicon->buckets, sizeof(*lexicon->buckets),
                           lexicon->buckets_capacity, wanted);
            lexicon->buckets_capacity = wanted;
        }
        lexicon->buckets[at] = (struct bucket){.key = key};
        map_put(&lexicon->bucket_map, hash_u64(key), at);
    }
    struct bucket *bucket = &lexicon->buckets[at];
    if (bucket->count == bucket->capacity) {
        uint32_t wanted = bucket->capacity + bucket->capacity / 2;
        wanted = wanted < BUCKET_MIN ? BUCKET_MIN : wanted;
        bucket->entries = arena_grow(lexicon->arena, bucket->entries, sizeof(*bucket->entries),
                                     bucket->capacity, wanted);
        bucket->capacity = wanted;
    }
    ASSERT(id < BUCKET_TERMS_MAX);
    bucket->entries[bucket->count++] = (struct bucket_entry){
        .term = id & (BUCKET_TERMS_MAX - 1), .next = lexicon_next_bytes(text)};
}

/* The term's number of documents has come into another class. */
static void bucket_reclass(struct lexicon *lexicon, uint32_t id)
{
    const struct term *term = lexicon_term(lexicon, id);
    uint32_t key = bucket_key((enum term_space)term->space, lexicon_text(lexicon, id));
    uint32_t at = map_find(&lexicon->bucket_map, hash_u64(key), bucket_is, lexicon, &key);
    ASSERT(at != MAP_NONE);
    struct bucket *bucket = &lexicon->buckets[at];
    uint32_t i = 0;
    while (i < bucket->count && bucket->entries[i].term != id) {
        i++;
    }
    ASSERT(i < bucket->count); /* all listed terms are in one */
    bucket->entries[i].listed_class = lexicon_listed_class(term->listed) & 31U;
}

void lexicon_list(struct lexicon *lexicon, uint32_t id)
{
    struct term *term = lexicon_term(lexicon, id);
    if (term->listed == 0) {
        bucket_add(lexicon, id, (enum term_space)term->space);
        if (term->space == TERM_WORD) {
            spelling_add(&lexicon->spelling, lexicon->arena, lexicon_text(lexicon, id));
        }
    }
    if (term->listed < UINT16_MAX) {
        term->listed++;
        if (lexicon_listed_class(term->listed) != lexicon_listed_class(term->listed - 1U)) {
            bucket_reclass(lexicon, id);
        }
    }
}

const struct bucket *lexicon_bucket(const struct lexicon *lexicon, enum term_space space,
                                    struct slice prefix)
{
    uint32_t key = bucket_key(space, prefix);
    uint32_t at = map_find(&lexicon->bucket_map, hash_u64(key), bucket_is, lexicon, &key);
    return at == MAP_NONE ? NULL : &lexicon->buckets[at];
}

static struct posting_list *list_at(const struct lexicon *lexicon, uint32_t at)
{
    return &lexicon->lists[at / TERM_PAGE][at % TERM_PAGE];
}

static struct posting_list *list_make(struct lexicon *lexicon, struct term *term)
{
    uint32_t at = lexicon->lists_free;
    if (at != TERM_NONE) {
        lexicon->lists_free = list_at(lexicon, at)->last;
    } else {
        at = lexicon->lists_count++;
    }
    if (at == lexicon->lists_count - 1 && at % TERM_PAGE == 0) {
        lexicon->lists = pages_reserve(lexicon->arena, lexicon->lists, at / TERM_PAGE,
                                       &lexicon->lists_pages);
        lexicon->lists[at / TERM_PAGE] =
            arena_alloc(lexicon->arena, TERM_PAGE * sizeof(struct posting_list));
    }
    struct posting_list *list = list_at(lexicon, at);
    *list = (struct posting_list){0};
    posting_append(list, lexicon->arena, term->last, (uint8_t)term->list);
    term->list = at;
    return list;
}

uint32_t lexicon_last(const struct lexicon *lexicon, uint32_t id)
{
    const struct term *term = lexicon_term(lexicon, id);
    return term->count == 1 ? term->last : list_at(lexicon, term->list)->last;
}

void lexicon_append(struct lexicon *lexicon, uint32_t id, uint32_t row, uint8_t byte)
{
    struct term *term = lexicon_term(lexicon, id);
    term->count++;
    if (term->count == 1) {
        term->last = row;
        term->list = byte;
        return;
    }
    struct posting_list *list =
        term->count == 2 ? list_make(lexicon, term) : list_at(lexicon, term->list);
    uint64_t before = list->capacity;
    posting_append(list, lexicon->arena, row, byte);
    lexicon->posting_bytes += list->capacity - before;
}

/* A term with one posting or none keeps it itself: give its list's place free. */
static void list_drop(struct lexicon *lexicon, struct term *term, struct posting_list *list)
{
    struct posting_walk walk = {.row = POSTING_NO_ROW};
    if (list->count == 1) {
        posting_open(&walk, list);
    }
    lexicon->posting_bytes -= list->capacity;
    posting_free(list, lexicon->arena);
    list->last = lexicon->lists_free;
    lexicon->lists_free = term->list;
    term->last = walk.row;
    term->list = walk.byte;
}

uint32_t lexicon_sweep(struct lexicon *lexicon, uint32_t id,
                       bool (*is_alive)(const void *context, uint32_t row), const void *context)
{
    struct term *term = lexicon_term(lexicon, id);
    if (term->count == 0) {
        return 1;
    }
    if (term->count == 1) {
        term->count = is_alive(context, term->last) ? 1 : 0;
        return 1;
    }
    struct posting_list *list = list_at(lexicon, term->list);
    uint32_t looked = list->count;
    term->count = posting_sweep(list, lexicon->arena, is_alive, context);
    if (term->count <= 1) {
        list_drop(lexicon, term, list);
    }
    return looked;
}

void lexicon_prefetch_list(const struct lexicon *lexicon, uint32_t id, uint32_t step)
{
    const struct term *term = lexicon_term(lexicon, id);
    if (term->count < 2) {
        return;
    }
    const struct posting_list *list = list_at(lexicon, term->list);
    if (step == 0) {
        __builtin_prefetch(list);
    } else {
        __builtin_prefetch(list->data);
    }
}

void lexicon_open(const struct lexicon *lexicon, uint32_t id, struct posting_walk *walk)
{
    const struct term *term = lexicon_term(lexicon, id);
    if (term->count == 0) {
        posting_open_single(walk, POSTING_NO_ROW, 0);
    } else if (term->count == 1) {
        posting_open_single(walk, term->last, (uint8_t)term->list);
    } else {
        posting_open(walk, list_at(lexicon, term->list));
    }
}
