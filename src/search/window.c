#include "search/window.h"

#include <string.h>

#include "search/query.h"

enum {
    /* Costs in units of search_query_step(). */
    FILL_WORK = 8,
    POSTINGS_PER_UNIT = 3,
};

/* What a posting of the way says. */
static struct match match_of(const struct way *way, uint8_t byte)
{
    uint32_t score = way->weight * ((byte & POSTING_STRENGTH) + 1U) / 32;
    return (struct match){score == 0 ? 1 : score, way->bonus, byte & POSTING_FIELDS};
}

/* The strongest way counts. */
static void match_merge(struct match *match, const struct match *other)
{
    match->score = other->score > match->score ? other->score : match->score;
    match->bonus = other->bonus > match->bonus ? other->bonus : match->bonus;
    match->fields |= other->fields;
}

bool slot_probe(struct search_query *query, uint32_t leaf, uint32_t row)
{
    struct slot *slot = &query->slots[leaf];
    struct match match = {0};
    uint32_t least = POSTING_NO_ROW;
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        struct way *way = &slot->ways[i];
        posting_seek(&way->walk, row);
        least = way->walk.row < least ? way->walk.row : least;
        if (way->walk.row == row &&
            (slot->fields == 0 || (way->walk.byte & slot->fields) != 0)) {
            struct match found = match_of(way, way->walk.byte);
            match_merge(&match, &found);
        }
    }
    slot->row = least;
    query->work += 1 + slot->ways_count / 2;
    query->matches[leaf] = match;
    return match.score > 0;
}

/* Set the bits of the rows in the window that the way has, and what it says there.
 * @is_kept: move on behind the window.
 * Returns: how many. */
static uint32_t way_pour(struct window *window, struct way *way, uint8_t fields, bool is_kept)
{
    posting_seek(&way->walk, window->first);
    struct posting_walk walk = way->walk; /* in registers */
    uint32_t first = window->first;
    uint32_t end = window->end;
    uint32_t count = 0;
    for (; walk.row < end; posting_next(&walk)) {
        count++;
        if (fields != 0 && (walk.byte & fields) == 0) {
            continue;
        }
        uint32_t at = walk.row - first;
        struct match found = match_of(way, walk.byte);
        if ((window->there[at / 64] >> at % 64 & 1) != 0) {
            match_merge(&window->matches[at], &found);
        } else {
            window->there[at / 64] |= 1ULL << at % 64;
            window->matches[at] = found;
        }
    }
    /* Words of brackets and fields are looked up row by row later on. */
    way->walk = is_kept ? walk : way->walk;
    return count;
}

/* All ways of the word. */
static void slot_pour(struct search_query *query, uint32_t leaf)
{
    struct window *window = query->window;
    struct slot *slot = &query->slots[leaf];
    bool is_soft = (query->plan->soft >> leaf & 1) != 0;
    uint32_t count = 0;
    memset(window->there, 0, sizeof(window->there));
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        count += way_pour(window, &slot->ways[i], slot->fields, is_soft);
    }
    query->work += count / POSTINGS_PER_UNIT + slot->ways_count;
}

static uint32_t slot_seek(struct search_query *query, struct slot *slot, uint32_t row)
{
    uint32_t least = POSTING_NO_ROW;
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        struct posting_walk *walk = &slot->ways[i].walk;
        posting_seek(walk, row);
        least = walk->row < least ? walk->row : least;
    }
    query->work += 1 + slot->ways_count / 2;
    return least;
}

/* The first row from @row on that a driver has. */
static uint32_t drivers_seek(struct search_query *query, uint32_t row)
{
    if (query->drivers == 0) {
        /* All rows, but for the pages that a sweep has given back. */
        while (row < query->row_end && query->index->rows[row / ROW_PAGE] == NULL) {
            row = (row / ROW_PAGE + 1) * ROW_PAGE;
        }
        return row;
    }
    uint32_t least = POSTING_NO_ROW;
    for (uint64_t rest = query->drivers; rest != 0; rest &= rest - 1) {
        uint32_t found = slot_seek(query, &query->slots[__builtin_ctzll(rest)], row);
        least = found < least ? found : least;
    }
    return least;
}

/* What is known of whole blocks of the window's rows comes from memory while lists are poured.
 */
static void blocks_prefetch(const struct search_index *index, const struct window *window)
{
    for (uint32_t row = window->first; row < window->end; row += 2 * ROW_BLOCK) {
        __builtin_prefetch(index_block(index, row));
    }
}

/* Let the window begin with the next row of a driver. Returns: false when there is none. */
static bool window_move(struct search_query *query)
{
    struct window *window = query->window;
    uint32_t next = drivers_seek(query, query->row_next);
    query->work += FILL_WORK;
    if (next >= query->row_end) {
        return false;
    }
    /* Blocks of the window are blocks of the index. No row comes twice by it: windows end with
     * a block or with the last row. */
    window->first = next / ROW_BLOCK * ROW_BLOCK;
    uint32_t rows = query->row_end - window->first;
    window->end = window->first + (rows < WINDOW_ROWS ? rows : WINDOW_ROWS);
    if (query->drivers == 0) {
        /* A window does not run on into the next page, which may be gone. */
        uint32_t page_end = (window->first / ROW_PAGE + 1) * ROW_PAGE;
        window->end = window->end < page_end ? window->end : page_end;
    }
    query->row_next = window->end;
    window->block = 0;
    blocks_prefetch(query->index, window);
    memset(window->rows, 0, sizeof(window->rows));
    return true;
}

/* The rows that a driver has. */
static void pour_drivers(struct search_query *query)
{
    struct window *window = query->window;
    for (uint64_t rest = query->drivers; rest != 0; rest &= rest - 1) {
        slot_pour(query, (uint32_t)__builtin_ctzll(rest));
        for (uint32_t i = 0; i < WINDOW_BLOCKS; i++) {
            window->rows[i] |= window->there[i];
        }
    }
    if (query->drivers == 0) {
        uint32_t rows = window->end - window->first;
        for (uint32_t i = 0; i < rows / 64; i++) {
            window->rows[i] = UINT64_MAX;
        }
        if (rows % 64 != 0) {
            window->rows[rows / 64] = (1ULL << rows % 64) - 1;
        }
    }
}

static uint32_t rows_count(const struct window *window)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < WINDOW_BLOCKS; i++) {
        count += (uint32_t)__builtin_popcountll(window->rows[i]);
    }
    return count;
}

static void sum_begin(struct row_sum *sum)
{
    *sum = (struct row_sum){.is_titled = true};
}

/* Keep the rows that have the word that was poured in, and add it to their sums. */
static void keep_poured(struct search_query *query, uint32_t leaf, bool is_first)
{
    struct window *window = query->window;
    for (uint32_t i = 0; i < WINDOW_BLOCKS; i++) {
        window->rows[i] &= window->there[i];
        for (uint64_t rest = window->rows[i]; rest != 0; rest &= rest - 1) {
            uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(rest);
            if (is_first) {
                sum_begin(&window->sums[at]);
            }
            sum_add(query, &window->sums[at], leaf, &window->matches[at]);
        }
    }
}

/* The same by looking each row up. */
static void keep_probed(struct search_query *query, uint32_t leaf, bool is_first)
{
    struct window *window = query->window;
    const struct slot *slot = &query->slots[leaf];
    uint32_t next = window->first; /* the word stands in no row before this one */
    for (uint32_t i = 0; i < WINDOW_BLOCKS; i++) {
        for (uint64_t rest = window->rows[i]; rest != 0; rest &= rest - 1) {
            uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(rest);
            uint32_t row = window->first + at;
            if (row < next || !slot_probe(query, leaf, row)) {
                window->rows[i] &= ~(rest & (0 - rest));
                next = row < next ? next : slot->row;
                continue;
            }
            if (is_first) {
                sum_begin(&window->sums[at]);
            }
            sum_add(query, &window->sums[at], leaf, &query->matches[leaf]);
        }
    }
}

/* Whether it is cheaper to pour the word's postings of this window than to look up @rows. */
static bool is_pouring_cheaper(const struct search_query *query, uint32_t leaf, uint32_t rows)
{
    const struct slot *slot = &query->slots[leaf];
    uint64_t postings = (uint64_t)slot->count * WINDOW_ROWS / (query->index->rows_count + 1);
    return postings + (uint64_t)2 * slot->ways_count <= (uint64_t)3 * rows * slot->ways_count;
}

bool window_fill_strict(struct search_query *query)
{
    if (!window_move(query)) {
        return false;
    }
    struct window *window = query->window;
    pour_drivers(query);
    window->is_lone = query->needed_count == 1 && query->plan->hard_count == 0 &&
                      query->drivers == 1ULL << query->needed[0];
    if (window->is_lone) {
        return true;
    }
    for (uint32_t i = 0; i < query->needed_count; i++) {
        uint32_t leaf = query->needed[i];
        bool is_poured = query->drivers == 1ULL << leaf;
        if (!is_poured) {
            uint32_t rows = rows_count(window);
            if (rows == 0) {
                return true;
            }
            if (is_pouring_cheaper(query, leaf, rows)) {
                slot_pour(query, leaf);
                is_poured = true;
            }
        }
        if (is_poured) {
            keep_poured(query, leaf, i == 0);
        } else {
            keep_probed(query, leaf, i == 0);
        }
    }
    if (query->needed_count == 0) {
        for (uint32_t at = 0; at < WINDOW_ROWS; at++) {
            sum_begin(&window->sums[at]);
        }
    }
    return true;
}

/* Add what was poured into block @b to the sums there; rows that had none begin with it. */
static void block_add_poured(struct search_query *query, uint32_t leaf, uint32_t b)
{
    struct window *window = query->window;
    for (uint64_t rest = window->there[b]; rest != 0; rest &= rest - 1) {
        uint32_t at = b * 64 + (uint32_t)__builtin_ctzll(rest);
        if ((window->rows[b] & rest & (0 - rest)) == 0) {
            sum_begin(&window->sums[at]);
        }
        sum_add(query, &window->sums[at], leaf, &window->matches[at]);
    }
    window->rows[b] |= window->there[b];
}

bool window_fill_relaxed(struct search_query *query)
{
    if (!window_move(query)) {
        return false;
    }
    for (uint32_t i = 0; i < query->essential; i++) {
        uint32_t leaf = query->needed[i];
        if (query->slots[leaf].ways_count == 0) {
            continue;
        }
        slot_pour(query, leaf);
        for (uint32_t b = 0; b < WINDOW_BLOCKS; b++) {
            block_add_poured(query, leaf, b);
        }
    }
    return true;
}

uint32_t window_next(struct window *window)
{
    for (; window->block < WINDOW_BLOCKS; window->block++) {
        uint64_t rest = window->rows[window->block];
        if (rest != 0) {
            window->rows[window->block] = rest & (rest - 1);
            return window->first + window->block * 64 + (uint32_t)__builtin_ctzll(rest);
        }
    }
    return POSTING_NO_ROW;
}

void window_forget_gone(struct search_query *query)
{
    struct window *window = query->window;
    for (uint32_t i = window->block; i < WINDOW_BLOCKS; i++) {
        for (uint64_t rest = window->rows[i]; rest != 0; rest &= rest - 1) {
            uint32_t row = window->first + i * 64 + (uint32_t)__builtin_ctzll(rest);
            if (query->index->rows[row / ROW_PAGE] == NULL) {
                window->rows[i] &= ~(rest & (0 - rest));
            }
        }
    }
}
