#include "search/index.h"

#include "search/token.h"

/* A new word of three bytes takes a term, its text, a place in the row and at its second
 * occurrence a list; tests/unit/test_search_room puts texts of nothing but such words. */
enum {
    DOCUMENT_BYTES = 512,
    TEXT_BYTE_BYTES = 32,
    MARGIN_BYTES = 1 << 20, /* pages of rows and terms, posting lists that move */
};

/* The first terms of the lexicon are the function words of all languages: whether a word is
 * one, and of which languages, is then an array access while documents are read. */
static void add_function_words(struct search_index *index)
{
    struct lexicon *lexicon = &index->lexicon;
    for (uint32_t l = 0; l < LANGUAGE_COUNT; l++) {
        struct tokens tokens =
            tokens_of(slice_from_text(languages[l].function_words), false, false);
        struct token token;
        while (token_next(&tokens, &token) != TOKEN_END) {
            uint32_t term = lexicon_put(lexicon, TERM_WORD, token_slice(&token));
            if (term >= index->function_words) {
                index->function_of =
                    arena_grow(index->arena, index->function_of, sizeof(uint16_t),
                               index->function_words, term + 1);
                index->function_words = term + 1;
                index->function_of[term] = 0;
            }
            index->function_of[term] = (uint16_t)(index->function_of[term] | 1U << l);
        }
    }
}

struct search_index *search_create(struct arena *arena)
{
    struct search_index *index = arena_alloc_zero(arena, sizeof(*index));
    index->arena = arena;
    lexicon_init(&index->lexicon, arena);
    map_init(&index->institutions.map, arena);
    map_init(&index->terms.map, arena);
    (void)names_put(&index->institutions, arena, SLICE_NONE);
    (void)names_put(&index->terms, arena, SLICE_NONE);
    add_function_words(index);
    return index;
}

void search_destroy(struct search_index *index)
{
    if (index != NULL) {
        lexicon_fini(&index->lexicon);
    }
}

uint64_t search_growth(uint64_t documents, uint64_t text_bytes)
{
    return documents * DOCUMENT_BYTES + text_bytes * TEXT_BYTE_BYTES;
}

static uint64_t map_bytes(const struct map *map)
{
    return map->now.slots == NULL ? 0 : (map->now.mask + 1) * sizeof(struct map_slot);
}

/* The tables of words and of their beginnings may double, and the longest list of postings may
 * move. */
static uint64_t margin_of(const struct search_index *index)
{
    const struct lexicon *lexicon = &index->lexicon;

    return 2 * (map_bytes(&lexicon->map) + map_bytes(&lexicon->bucket_map)) +
           2 * (uint64_t)lexicon->buckets_capacity * sizeof(struct bucket) + MARGIN_BYTES;
}

bool search_has_room(const struct search_index *index, uint64_t growth)
{
    return arena_has_room(index->arena, growth + margin_of(index));
}

struct search_stats search_stats(const struct search_index *index)
{
    return (struct search_stats){
        .documents = index->alive,
        .text_bytes = index->text_bytes,
        .index_bytes = index->arena->used,
        .posting_bytes = index->lexicon.posting_bytes,
        .forward_bytes = index->forward_bytes,
        .terms = index->lexicon.count,
    };
}
