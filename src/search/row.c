#include "base/assert.h"
#include "base/hash.h"
#include "search/code.h"
#include "search/index.h"

enum {
    SWEEP_WORK = 4096,     /* postings a put looks at while a sweep runs */
    SWEEP_DEAD_MIN = 1024, /* rows */
    SWEEP_DEAD_SHARE = 8,  /* sweep when one in so many rows is dead */
};

#define PAGE_GONE UINT32_MAX /* a full page whose rows were all dead when the sweep began */

static void **pages_grow(struct arena *arena, void *pages, uint32_t count, uint32_t *capacity)
{
    uint32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    wanted = wanted < count ? count : wanted;
    void **grown = arena_grow(arena, pages, sizeof(void *), *capacity, wanted);
    for (uint32_t i = *capacity; i < wanted; i++) {
        grown[i] = NULL;
    }
    *capacity = wanted;
    return grown;
}

uint32_t index_row_of(const struct search_index *index, uint32_t doc)
{
    if (doc / ROW_PAGE >= index->docs_pages || index->docs[doc / ROW_PAGE] == NULL) {
        return POSTING_NO_ROW;
    }
    return index->docs[doc / ROW_PAGE][doc % ROW_PAGE] - 1;
}

static void docs_set(struct search_index *index, uint32_t doc, uint32_t row)
{
    ASSERT(doc < SEARCH_DOC_MAX);
    uint32_t page = doc / ROW_PAGE;
    if (page >= index->docs_pages) {
        index->docs =
            (uint32_t **)pages_grow(index->arena, index->docs, page + 1, &index->docs_pages);
    }
    if (index->docs[page] == NULL) {
        index->docs[page] = arena_alloc_zero(index->arena, ROW_PAGE * sizeof(uint32_t));
    }
    index->docs[page][doc % ROW_PAGE] = row + 1;
}

void index_state_set(struct search_index *index, uint32_t row, enum row_state state)
{
    uint64_t *live = &index_block(index, row)->live;
    uint64_t bit = 1ULL << row % ROW_BLOCK;
    index_facts(index, row)->state = (uint8_t)state;
    *live = state == ROW_LIVE ? *live | bit : *live & ~bit;
}

void index_title_class_set(struct search_index *index, uint32_t row, uint32_t words)
{
    struct row_block *block = index_block(index, row);
    uint32_t title_class = 0;
    while (title_class < 3 && words >= title_class_words(title_class + 1)) {
        title_class++;
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t *bits = &block->title_class[i];
        uint64_t bit = 1ULL << row % ROW_BLOCK;
        *bits = (title_class >> i & 1) != 0 ? *bits | bit : *bits & ~bit;
    }
}

void index_names_set(struct search_index *index, uint32_t row, struct row_names names)
{
    struct row_names *alike = &index_block(index, row)->alike;
    *index_names(index, row) = names;
    if (row % ROW_BLOCK == 0) {
        *alike = names;
        return;
    }
    alike->institution =
        alike->institution == names.institution ? names.institution : NAME_NONE;
    alike->term = alike->term == names.term ? names.term : NAME_NONE;
}

static void doc_set(struct search_index *index, uint32_t row, uint32_t doc)
{
    struct row_block *block = index_block(index, row);
    index->heads[row / ROW_PAGE]->docs[row % ROW_PAGE] = doc;
    if (row % ROW_BLOCK == 0) {
        block->doc_first = doc;
    } else if (block->doc_first != DOC_MIXED && doc != block->doc_first + row % ROW_BLOCK) {
        block->doc_first = DOC_MIXED;
    }
}

static void row_kill(struct search_index *index, uint32_t at)
{
    struct row *row = index_row(index, at);
    struct row_facts *facts = index_facts(index, at);
    ASSERT(facts->state != ROW_DEAD);
    index_state_set(index, at, ROW_DEAD);
    arena_free(index->arena, *index_forward(index, at), row->forward_bytes);
    index->forward_bytes -= row->forward_bytes;
    index->text_bytes -= row->text_bytes;
    index->institutions.items[index_names(index, at)->institution].rows--;
    index->languages[row->language]--;
    *index_forward(index, at) = NULL;
    index->rows_alive[at / ROW_PAGE]--;
    index->alive--;
    index->dead++;
    docs_set(index, index_doc(index, at), POSTING_NO_ROW);
}

/* Room for the block that begins with the newest row. */
static void block_add(struct search_index *index, uint32_t row)
{
    uint32_t at = row / ROW_BLOCK;
    if (at >= index->blocks_capacity) {
        uint32_t wanted =
            index->blocks_capacity == 0 ? ROW_PAGE / ROW_BLOCK : index->blocks_capacity * 2;
        index->blocks = arena_grow(index->arena, index->blocks, sizeof(*index->blocks),
                                   index->blocks_capacity, wanted);
        index->blocks_capacity = wanted;
    }
    index->blocks[at] = (struct row_block){0};
}

uint32_t index_row_add(struct search_index *index, uint32_t doc)
{
    uint32_t before = index_row_of(index, doc);
    if (before != POSTING_NO_ROW) {
        row_kill(index, before);
    }
    uint32_t at = index->rows_count;
    ASSERT(at < POSTING_NO_ROW - 1);
    uint32_t page = at / ROW_PAGE;
    if (at % ROW_PAGE == 0) {
        if (page >= index->rows_pages) {
            uint32_t old = index->rows_pages;
            uint32_t same = old;
            index->rows = (struct row **)pages_grow(index->arena, index->rows, page + 1, &same);
            index->heads = (struct row_heads **)pages_grow(index->arena, index->heads, page + 1,
                                                           &index->rows_pages);
            index->rows_alive = arena_grow(index->arena, index->rows_alive, sizeof(uint32_t),
                                           old, index->rows_pages);
        }
        index->rows[page] = arena_alloc(index->arena, ROW_PAGE * sizeof(struct row));
        index->heads[page] = arena_alloc(index->arena, sizeof(struct row_heads));
        index->rows_alive[page] = 0;
    }
    if (at % ROW_BLOCK == 0) {
        block_add(index, at);
    }
    index->rows_count++;
    index->rows_alive[page]++;
    index->alive++;
    *index_row(index, at) = (struct row){0};
    doc_set(index, at, doc);
    *index_facts(index, at) = (struct row_facts){0};
    index_state_set(index, at, ROW_DEAD);
    *index_forward(index, at) = NULL;
    docs_set(index, doc, at);
    return at;
}

static bool row_is_alive(const void *context, uint32_t row)
{
    const struct search_index *index = context;
    return index->rows[row / ROW_PAGE] != NULL && index_facts(index, row)->state != ROW_DEAD;
}

static void sweep_begin(struct search_index *index)
{
    index->is_sweeping = true;
    index->sweep_at = 0;
    index->sweep_dead = index->dead;
    for (uint32_t page = 0; page < index->rows_count / ROW_PAGE; page++) {
        if (index->rows_alive[page] == 0) {
            index->rows_alive[page] = PAGE_GONE;
        }
    }
}

/* The sweep is over: pages whose rows all died before it began are in no posting list any more.
 */
static void sweep_end(struct search_index *index)
{
    index->is_sweeping = false;
    index->dead -= index->sweep_dead;
    for (uint32_t page = 0; page < index->rows_count / ROW_PAGE; page++) {
        if (index->rows[page] != NULL && index->rows_alive[page] == PAGE_GONE) {
            arena_free(index->arena, index->rows[page], ROW_PAGE * sizeof(struct row));
            arena_free(index->arena, index->heads[page], sizeof(struct row_heads));
            index->rows[page] = NULL;
            index->heads[page] = NULL;
        }
    }
}

void index_sweep(struct search_index *index)
{
    if (!index->is_sweeping) {
        if (index->dead < SWEEP_DEAD_MIN || index->dead < index->alive / SWEEP_DEAD_SHARE) {
            return;
        }
        sweep_begin(index);
    }
    uint32_t work = 0;
    index->version++;
    while (index->sweep_at < index->lexicon.count && work < SWEEP_WORK) {
        work += lexicon_sweep(&index->lexicon, index->sweep_at++, row_is_alive, index);
    }
    if (index->sweep_at == index->lexicon.count) {
        sweep_end(index);
    }
}

static bool name_is(const void *context, uint32_t value, const void *key)
{
    const struct names *names = context;
    return slice_is_equal(names->items[value].text, *(const struct slice *)key);
}

uint32_t names_find(const struct names *names, struct slice text)
{
    struct code_key key;
    (void)code_name_of(text, &key);
    struct slice wanted = code_key_slice(&key);
    uint32_t found = map_find(&names->map, hash_slice(wanted), name_is, names, &wanted);
    return found == MAP_NONE ? NAME_NONE : found;
}

uint32_t names_put(struct names *names, struct arena *arena, struct slice text)
{
    uint32_t found = names_find(names, text);
    if (found != NAME_NONE) {
        return found;
    }
    if (names->count == NAME_NONE) {
        return 0; /* more names than anyone has: the rest is found under none */
    }
    if (names->count == names->capacity) {
        uint32_t wanted = names->capacity == 0 ? 16 : names->capacity * 2;
        names->items =
            arena_grow(arena, names->items, sizeof(*names->items), names->capacity, wanted);
        names->capacity = wanted;
    }
    struct code_key key;
    (void)code_name_of(text, &key);
    names->items[names->count] = (struct name){.text = arena_copy(arena, code_key_slice(&key)),
                                               .row_first = POSTING_NO_ROW};
    map_put(&names->map, hash_slice(code_key_slice(&key)), names->count);
    return names->count++;
}

void search_remove(struct search_index *index, uint32_t doc)
{
    uint32_t row = index_row_of(index, doc);
    if (row != POSTING_NO_ROW) {
        row_kill(index, row);
        index_sweep(index);
    }
}

static void set_state(struct search_index *index, uint32_t doc, enum row_state state)
{
    uint32_t row = index_row_of(index, doc);
    if (row != POSTING_NO_ROW) {
        index_state_set(index, row, state);
    }
}

void search_publish(struct search_index *index, uint32_t doc)
{
    set_state(index, doc, ROW_LIVE);
}

void search_hide(struct search_index *index, uint32_t doc)
{
    set_state(index, doc, ROW_HIDDEN);
}
