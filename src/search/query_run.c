#include "base/assert.h"
#include "base/sm.h"
#include "search/query.h"
#include "search/ranking.h"

enum { DAYS_WORK = 10, PREDICATE_WORK = 20 };

struct search_query *search_query_begin(struct search_index *index,
                                        const struct search_plan *plan,
                                        const struct search_request *request,
                                        struct arena *scratch)
{
    ASSERT(request->limit >= 1 && request->limit <= SEARCH_LIMIT_MAX);
    struct search_query *query = arena_alloc_zero(scratch, sizeof(*query));
    query->index = index;
    query->plan = plan;
    query->request = *request;
    query->scratch = scratch;
    query->version = index->version;
    query->hits_max = request->limit;
    query->hits = arena_alloc(scratch, request->limit * sizeof(*query->hits));
    query->window = arena_alloc(scratch, sizeof(*query->window));
    query->window->block = WINDOW_BLOCKS;
    query->run = RUN_EXPAND;
    return query;
}

/* Every word has its ways: choose how to go through the rows. */
static void run_begin(struct search_query *query)
{
    query_filters(query);
    query_sort_words(query);
    query_order_hard(query);
    query_order_ready(query);
    query_bound_rows(query);
    query->is_named = query->institution != NAME_NONE || query->term != NAME_NONE;
    query_choose_drivers(query);
    query->run = RUN_STRICT;
    if (query->plan->leaves_count == 0) {
        query->run = RUN_DONE;
        query_mark_ready(query);
    }
}

/* The index changed since the last step: lists may have moved, rows may be gone. */
static void reopen(struct search_query *query)
{
    window_forget_gone(query);
    for (uint32_t leaf = 0; leaf < query->plan->leaves_count; leaf++) {
        struct slot *slot = &query->slots[leaf];
        for (uint32_t i = 0; i < slot->ways_count; i++) {
            lexicon_open(&query->index->lexicon, slot->ways[i].term, &slot->ways[i].walk);
        }
    }
    query->version = query->index->version;
}

/* Units of search_query_step() that a filter takes: days are fetched from the row's own bytes,
 * and a predicate looks at sections, a timetable or rules. */
static uint32_t filter_work(enum leaf_kind kind)
{
    if (kind == LEAF_PREDICATE) {
        return PREDICATE_WORK;
    }
    return kind == LEAF_DAYS_ONLY || kind == LEAF_DAYS_NONE ? DAYS_WORK : 1;
}

static bool leaf_holds(struct search_query *query, uint32_t at, uint32_t row)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    query->work += filter_work(leaf->kind);
    if (leaf_is_listed(leaf)) {
        return query->slots[at].is_passive || slot_probe(query, at, row);
    }
    return leaf->kind == LEAF_PHRASE ? query_phrase_holds(query, at, row)
                                     : query_filter_holds(query, at, row);
}

static bool stretch_holds(struct search_query *query, struct stretch stretch, uint32_t row)
{
    bool stack[PLAN_LEAVES_MAX + 1] = {false};
    uint32_t top = 0;
    for (uint32_t i = stretch.from; i < stretch.to; i++) {
        uint8_t op = query->plan->ops[i];
        if (op < OP_AND) {
            /* The phrase of words that are not all there needs no look. */
            bool is_idle =
                query->plan->leaves[op].kind == LEAF_PHRASE && top > 0 && !stack[top - 1];
            stack[top++] = !is_idle && leaf_holds(query, op, row);
        } else if (op == OP_NOT) {
            stack[top - 1] = !stack[top - 1];
        } else {
            bool right = stack[--top];
            stack[top - 1] = op == OP_AND ? stack[top - 1] && right : stack[top - 1] || right;
        }
    }
    return stack[0];
}

/* Everything but the bare words: alive, institution, term, filters, phrases, brackets. */
static bool hard_holds(struct search_query *query, uint32_t at)
{
    if (!query_may_find(query, at)) {
        return false;
    }
    for (uint32_t i = 0; i < query->plan->hard_count; i++) {
        if (!stretch_holds(query, query->hard[i], at)) {
            return false;
        }
    }
    return true;
}

/* Whether @a comes before @b in the answer. */
static bool is_before(struct search_hit a, struct search_hit b)
{
    return a.score != b.score ? a.score > b.score : a.doc < b.doc;
}

static void sift_down(struct search_hit *hits, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t worst = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            worst = is_before(hits[worst], hits[child]) ? child : worst;
        }
        if (worst == at) {
            return;
        }
        struct search_hit moved = hits[at];
        hits[at] = hits[worst];
        hits[worst] = moved;
        at = worst;
    }
}

void query_hit_add(struct search_query *query, struct search_hit hit)
{
    struct search_hit after = {query->request.after_doc, query->request.after_score};
    if (query->request.has_after && !is_before(after, hit)) {
        return;
    }
    struct search_hit *hits = query->hits;
    if (query->hits_count < query->hits_max) {
        uint32_t at = query->hits_count++;
        while (at > 0 && is_before(hits[(at - 1) / 2], hit)) {
            hits[at] = hits[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        hits[at] = hit;
        return;
    }
    query->has_more = true;
    if (is_before(hit, hits[0])) {
        hits[0] = hit;
        sift_down(hits, query->hits_count, 0);
    }
}

/* The strict run of a query of bare words only. */
static bool step_plain(struct search_query *query, uint32_t budget)
{
    bool is_over = false;
    while (!is_over && query->work < budget) {
        if (query->window->block < WINDOW_BLOCKS) {
            query_note_block(query);
        } else {
            is_over = !window_fill_strict(query);
        }
    }
    query_take_noted(query);
    query_take_titled(query);
    return is_over;
}

static bool step_strict(struct search_query *query, uint32_t budget)
{
    if (query->plan->hard_count == 0) {
        return step_plain(query, budget);
    }
    bool is_over = false;
    while (!is_over && query->work < budget) {
        uint32_t row = window_next(query->window);
        if (row == POSTING_NO_ROW) {
            is_over = !window_fill_strict(query);
            continue;
        }
        query->work++;
        if (hard_holds(query, row)) {
            query_take(query, row, &query->window->sums[row - query->window->first], true);
        }
    }
    query_take_titled(query);
    return is_over;
}

/* Few rows have all words: look for those that have most of them by weight. Every such row has
 * one of the rarest words whose absence it could not make up for; these drive. */
static bool relax(struct search_query *query)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < query->needed_count; i++) {
        known += query->slots[query->needed[i]].ways_count > 0 ? 1 : 0;
    }
    bool is_some = known > 1 || (known == 1 && known < query->needed_count);
    if (query->matches_count >= ranking.relax_below || !is_some) {
        return false;
    }
    query->relax_need =
        (uint32_t)((uint64_t)query->weight *
                   (query->is_wide ? ranking.relax_last_percent : ranking.relax_keep_percent) /
                   100);
    query->relax_need = query->relax_need == 0 ? 1 : query->relax_need;
    uint32_t rest = query->weight;
    query->essential = 0;
    query->drivers = 0;
    while (query->essential < query->needed_count && rest >= query->relax_need) {
        const struct slot *slot = &query->slots[query->needed[query->essential++]];
        rest -= slot->ways_count > 0 ? slot->weight : 0;
        query->drivers |= slot->ways_count > 0 ? 1ULL << slot->leaf : 0;
    }
    query->essential_weight = query->weight - rest;
    query->run = RUN_RELAXED;
    reopen(query);
    query->row_next = query->row_begin;
    return query->drivers != 0;
}

/* Look the row's other words up, and add them to @sum, as long as it may come to @need. */
static bool relaxed_holds(struct search_query *query, uint32_t row, uint32_t need,
                          struct row_sum *sum)
{
    uint32_t rest = query->weight - query->essential_weight;
    for (uint32_t i = query->essential; i < query->needed_count; i++) {
        uint32_t leaf = query->needed[i];
        const struct slot *slot = &query->slots[leaf];
        if (sum->weight + rest < need) {
            return false;
        }
        rest -= slot->ways_count > 0 ? slot->weight : 0;
        if (slot_probe(query, leaf, row)) {
            sum_add(query, sum, leaf, &query->matches[leaf]);
        }
    }
    /* Rows with all words were found by the strict run. */
    return sum->weight >= need && sum->words + sum->pairs < (int)query->needed_count;
}

static void relaxed_row(struct search_query *query, uint32_t row)
{
    uint32_t need = query->relax_need;
    if (query->hits_count == query->hits_max) {
        uint32_t worst = query_share_weight(query, query->hits[0].score);
        query->is_pruned = query->is_pruned || worst > need;
        need = worst > need ? worst : need;
    }
    struct row_sum *sum = &query->window->sums[row - query->window->first];
    query->work++;
    if (relaxed_holds(query, row, need, sum) && hard_holds(query, row)) {
        query_take(query, row, sum, false);
    }
}

static bool step_relaxed(struct search_query *query, uint32_t budget)
{
    while (query->work < budget) {
        uint32_t row = window_next(query->window);
        if (row != POSTING_NO_ROW) {
            relaxed_row(query, row);
        } else if (!window_fill_relaxed(query)) {
            return true;
        }
    }
    return false;
}

static void sort_hits(struct search_query *query)
{
    struct search_hit *hits = query->hits;
    for (uint32_t count = query->hits_count; count > 1; count--) {
        struct search_hit worst = hits[0];
        hits[0] = hits[count - 1];
        hits[count - 1] = worst;
        sift_down(hits, count - 1, 0);
    }
}

/* A run has come to its end: go on with the next, or sort what was found. Strict, then relaxed;
 * and if nothing at all was found, both once more with the words taken for beginnings and
 * misspellings. */
static void run_end(struct search_query *query)
{
    if (query->run == RUN_STRICT && relax(query)) {
        return;
    }
    if (query->matches_count == 0 && !query->is_wide && query->needed_count > 0) {
        query->is_wide = true;
        query->expand_at = 0;
        query->run = RUN_WIDEN;
        return;
    }
    query->run = RUN_DONE;
    sort_hits(query);
    query_mark_ready(query);
}

/* The needed words were taken for beginnings and misspellings. */
static void widen_end(struct search_query *query)
{
    query_order_words(query);
    query_choose_drivers(query);
    query_order_ready(query);
    query->run = RUN_STRICT;
    reopen(query);
    query->row_next = query->is_wider ? query->row_begin : query->row_end;
}

/* One word, or some rows. Returns: whether the run is over. */
static bool run_step(struct search_query *query, uint32_t budget)
{
    switch (query->run) {
    case RUN_EXPAND:
        return query_expand_step(query, budget);
    case RUN_STRICT:
        return step_strict(query, budget);
    case RUN_RELAXED:
        return step_relaxed(query, budget);
    case RUN_WIDEN:
        return query_widen_step(query, budget);
    case RUN_DONE:
        break;
    }
    return false;
}

int search_query_step(struct search_query *query, uint32_t work)
{
    query->work = 0;
    if (query->run != RUN_DONE && query->version != query->index->version) {
        reopen(query);
    }
    while (query->run != RUN_DONE) {
        if (!run_step(query, work)) {
            return SM_PENDING;
        }
        if (query->run == RUN_EXPAND) {
            run_begin(query);
        } else if (query->run == RUN_WIDEN) {
            widen_end(query);
        } else {
            run_end(query);
        }
    }
    return OK;
}

struct search_result search_query_result(const struct search_query *query)
{
    ASSERT(query->run == RUN_DONE);
    return (struct search_result){
        .hits = query->hits,
        .count = query->hits_count,
        .has_more = query->has_more,
        .matches = query->matches_count,
        .matches_more = query->is_pruned,
        .corrected = query->corrected,
    };
}
