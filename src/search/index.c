#include "search/index.h"

#include "search/token.h"

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

bool search_has_room(const struct search_index *index, uint64_t text_bytes)
{
    return arena_has_room(index->arena, text_bytes * 2);
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
