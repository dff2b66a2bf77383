#include "base/assert.h"
#include "base/sm.h"
#include "search/query.h"
#include "search/ranking.h"

enum { COST_ALL = UINT32_MAX / 2, WIDEN_WORK = 4000 };

static bool is_listed(const struct leaf *leaf)
{
    return leaf->kind == LEAF_WORD ||
           (!leaf->any && (leaf->kind == LEAF_SUBJECT || leaf->kind == LEAF_CODE));
}

static bool is_function_leaf(const struct search_query *query, uint32_t leaf)
{
    uint32_t term = query->slots[leaf].written;
    return term != TERM_NONE && index_is_function_word(query->index, term);
}

/* Among @leaves, let function words be passive unless there is nothing else. */
static void set_passive(struct search_query *query, uint64_t leaves)
{
    uint64_t functions = 0;
    for (uint64_t rest = leaves; rest != 0; rest &= rest - 1) {
        uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
        const struct slot *slot = &query->slots[leaf];
        bool has_code =
            slot->ways_count > 0 && slot->ways[slot->ways_count - 1].kind == WAY_CODE;
        functions |= is_function_leaf(query, leaf) && !has_code ? 1ULL << leaf : 0;
    }
    if (functions == leaves) {
        return;
    }
    query->scored &= ~functions;
    for (; functions != 0; functions &= functions - 1) {
        query->slots[__builtin_ctzll(functions)].is_passive = true;
    }
}

/* The bare words that are needed, rarest first. */
static void order_words(struct search_query *query)
{
    query->needed_count = 0;
    query->weight = 0;
    for (uint64_t rest = query->plan->soft & query->scored; rest != 0; rest &= rest - 1) {
        uint32_t leaf = (uint32_t)__builtin_ctzll(rest);
        uint32_t at = query->needed_count++;
        while (at > 0 && query->slots[query->needed[at - 1]].count > query->slots[leaf].count) {
            query->needed[at] = query->needed[at - 1];
            at--;
        }
        query->needed[at] = (uint8_t)leaf;
        query->weight += query->slots[leaf].ways_count > 0 ? query->slots[leaf].weight : 0;
    }
}

/* Find the words that say nothing, and order the bare ones that do, rarest first. */
static void sort_words(struct search_query *query)
{
    const struct search_plan *plan = query->plan;
    for (uint32_t i = 0; i < plan->leaves_count; i++) {
        query->scored |= plan->leaves[i].kind == LEAF_WORD ? 1ULL << i : 0;
    }
    set_passive(query, plan->soft);
    for (uint32_t i = 0; i < plan->leaves_count; i++) {
        const struct leaf *leaf = &plan->leaves[i];
        if (leaf->kind == LEAF_PHRASE) {
            set_passive(query, (2ULL << leaf->last) - (1ULL << leaf->first));
        }
    }
    order_words(query);
}

struct cover {
    uint32_t cost;
    uint64_t leaves; /* 0: only all rows will do */
};

static struct cover cover_min(struct cover a, struct cover b)
{
    return b.cost < a.cost ? b : a;
}

/* The cheapest set of posting lists whose union holds every row for which the stretch is true.
 */
static struct cover stretch_cover(const struct search_query *query, struct stretch stretch)
{
    struct cover stack[PLAN_LEAVES_MAX + 1];
    uint32_t top = 0;
    for (uint32_t i = stretch.from; i < stretch.to; i++) {
        uint8_t op = query->plan->ops[i];
        if (op < OP_AND) {
            bool is_list = is_listed(&query->plan->leaves[op]) && !query->slots[op].is_passive;
            stack[top++] = is_list ? (struct cover){query->slots[op].count, 1ULL << op}
                                   : (struct cover){COST_ALL, 0};
        } else if (op == OP_NOT) {
            stack[top - 1] = (struct cover){COST_ALL, 0};
        } else {
            struct cover right = stack[--top];
            struct cover *left = &stack[top - 1];
            if (op == OP_AND) {
                *left = cover_min(*left, right);
            } else if (left->cost == COST_ALL || right.cost == COST_ALL ||
                       left->cost + right.cost >= COST_ALL) {
                *left = (struct cover){COST_ALL, 0};
            } else {
                *left = (struct cover){left->cost + right.cost, left->leaves | right.leaves};
            }
        }
    }
    ASSERT(top == 1);
    return stack[0];
}

static void choose_drivers(struct search_query *query)
{
    struct cover best = {COST_ALL, 0};
    for (uint32_t i = 0; i < query->plan->hard_count; i++) {
        best = cover_min(best, stretch_cover(query, query->plan->hard[i]));
    }
    if (query->needed_count > 0) {
        uint32_t leaf = query->needed[0];
        best = cover_min(best, (struct cover){query->slots[leaf].count, 1ULL << leaf});
    }
    query->drivers = best.leaves;
}

/* Rows of one institution lie between its first and its last. */
static void bound_rows(struct search_query *query)
{
    uint32_t name = query->institution;
    const struct search_plan *plan = query->plan;
    for (uint32_t i = 0; i < plan->hard_count; i++) {
        const struct leaf *leaf = &plan->leaves[plan->ops[plan->hard[i].from] & 63];
        bool is_alone = plan->hard[i].to == plan->hard[i].from + 1 && leaf->kind == LEAF_AT;
        if (is_alone && leaf->count == 1) {
            name = query->leaf_term[leaf->first];
            query->is_nowhere = query->is_nowhere || name == NAME_NONE;
        }
    }
    query->row_end = query->index->rows_count;
    if (name != NAME_NONE) {
        const struct name *item = &query->index->institutions.items[name];
        query->row_next = item->row_first == POSTING_NO_ROW ? 0 : item->row_first;
        query->row_end = item->row_first == POSTING_NO_ROW ? 0 : item->row_last + 1;
    }
    query->row_end = query->is_nowhere ? 0 : query->row_end;
    query->row_begin = query->row_next;
}

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
    query_expand(query);
    query_filters(query);
    sort_words(query);
    bound_rows(query);
    choose_drivers(query);
    query->run = RUN_STRICT;
    if (plan->leaves_count == 0) {
        query->run = RUN_DONE;
        query_mark_ready(query);
    }
    return query;
}

/* The index changed since the last step: lists may have moved. */
static void reopen(struct search_query *query)
{
    for (uint32_t leaf = 0; leaf < query->plan->leaves_count; leaf++) {
        struct slot *slot = &query->slots[leaf];
        for (uint32_t i = 0; i < slot->ways_count; i++) {
            lexicon_open(&query->index->lexicon, slot->ways[i].term, &slot->ways[i].walk);
        }
    }
    query->version = query->index->version;
}

static uint32_t slot_seek(struct search_query *query, struct slot *slot, uint32_t row)
{
    uint32_t least = POSTING_NO_ROW;
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        struct posting_walk *walk = &slot->ways[i].walk;
        posting_seek(walk, row);
        least = walk->row < least ? walk->row : least;
    }
    query->work += slot->ways_count;
    return least;
}

/* Whether the slot's word is in the row; query->matches tells how. */
static bool slot_probe(struct search_query *query, uint32_t leaf, uint32_t row)
{
    struct slot *slot = &query->slots[leaf];
    struct match match = {0};
    bool found = false;
    slot->row = POSTING_NO_ROW;
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        struct way *way = &slot->ways[i];
        posting_seek(&way->walk, row);
        slot->row = way->walk.row < slot->row ? way->walk.row : slot->row;
        if (way->walk.row != row ||
            (slot->fields != 0 && (way->walk.byte & slot->fields) == 0)) {
            continue;
        }
        uint32_t score = way->weight * ((way->walk.byte & POSTING_STRENGTH) + 1U) / 32;
        found = true;
        match.score = score > match.score ? score : match.score;
        match.bonus = way->bonus > match.bonus ? way->bonus : match.bonus;
        match.fields |= way->walk.byte & POSTING_FIELDS;
    }
    query->work += slot->ways_count;
    query->matches[leaf] = match;
    return found;
}

static bool leaf_holds(struct search_query *query, uint32_t at, uint32_t row)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    query->work++;
    if (is_listed(leaf)) {
        return query->slots[at].is_passive || slot_probe(query, at, row);
    }
    return leaf->kind == LEAF_PHRASE ? query_phrase_holds(query, leaf, row)
                                     : query_filter_holds(query, at, row);
}

static bool stretch_holds(struct search_query *query, struct stretch stretch, uint32_t row)
{
    bool stack[PLAN_LEAVES_MAX + 1];
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
    const struct row_head *row = index_head(query->index, at);
    if (row->state != ROW_LIVE ||
        (query->institution != NAME_NONE && row->institution != query->institution) ||
        (query->term != NAME_NONE && row->term != query->term)) {
        return false;
    }
    for (uint32_t i = 0; i < query->plan->hard_count; i++) {
        if (!stretch_holds(query, query->plan->hard[i], at)) {
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

static void hit_add(struct search_query *query, struct search_hit hit)
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

static void take(struct search_query *query, uint32_t row, bool is_full)
{
    query->matches_count++;
    query->work += 4;
    uint32_t score = query_score(query, row, is_full);
    if (query->hits_count == query->hits_max && score < query->hits[0].score) {
        query->has_more = true;
        return;
    }
    hit_add(query,
            (struct search_hit){.doc = index_row(query->index, row)->doc, .score = score});
}

/* The first row from @row on that a driver has. */
static uint32_t drivers_seek(struct search_query *query, uint64_t drivers, uint32_t row)
{
    if (drivers == 0) {
        /* All rows, but for the pages that a sweep has given back. */
        while (row < query->row_end && query->index->rows[row / ROW_PAGE] == NULL) {
            row = (row / ROW_PAGE + 1) * ROW_PAGE;
        }
        query->work++;
        return row;
    }
    uint32_t least = POSTING_NO_ROW;
    for (; drivers != 0; drivers &= drivers - 1) {
        uint32_t found = slot_seek(query, &query->slots[__builtin_ctzll(drivers)], row);
        least = found < least ? found : least;
    }
    return least;
}

/* All needed words at @row, rarest first; a miss tells from which row on it is worth going on.
 */
static bool words_hold(struct search_query *query, uint32_t row, uint32_t *ret_next)
{
    for (uint32_t i = 0; i < query->needed_count; i++) {
        uint32_t leaf = query->needed[i];
        if (!slot_probe(query, leaf, row)) {
            uint32_t next = query->slots[leaf].row;
            *ret_next = next > row ? next : row + 1;
            return false;
        }
    }
    *ret_next = row + 1;
    return true;
}

static bool step_strict(struct search_query *query, uint32_t budget)
{
    while (query->work < budget) {
        uint32_t row = drivers_seek(query, query->drivers, query->row_next);
        if (row >= query->row_end) {
            return true;
        }
        if (words_hold(query, row, &query->row_next) && hard_holds(query, row)) {
            take(query, row, true);
        }
    }
    return false;
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
    query->run = RUN_RELAXED;
    query->row_next = query->row_begin;
    reopen(query);
    return query->drivers != 0;
}

/* The weight of the words in @row, or 0 when it stays below what is needed. @ret_all: it has
 * all of them. */
static uint32_t relaxed_weight(struct search_query *query, uint32_t row, uint32_t need,
                               bool *ret_all)
{
    uint32_t found = 0;
    uint32_t rest = query->weight;
    *ret_all = true;
    for (uint32_t i = 0; i < query->needed_count; i++) {
        uint32_t leaf = query->needed[i];
        const struct slot *slot = &query->slots[leaf];
        uint32_t weight = slot->ways_count > 0 ? slot->weight : 0;
        rest -= weight;
        if (slot_probe(query, leaf, row)) {
            found += weight;
        } else {
            *ret_all = false;
        }
        if (found + rest < need) {
            return 0;
        }
    }
    return found;
}

static bool step_relaxed(struct search_query *query, uint32_t budget)
{
    while (query->work < budget) {
        uint32_t row = drivers_seek(query, query->drivers, query->row_next);
        if (row >= query->row_end) {
            return true;
        }
        query->row_next = row + 1;
        uint32_t need = query->relax_need;
        if (query->hits_count == query->hits_max) {
            uint32_t worst = query_share_weight(query, query->hits[0].score);
            query->is_pruned = query->is_pruned || worst > need;
            need = worst > need ? worst : need;
        }
        bool has_all = false;
        if (relaxed_weight(query, row, need, &has_all) > 0 && !has_all &&
            hard_holds(query, row)) {
            take(query, row, false);
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
        bool is_wider = query_widen(query);
        query->work += WIDEN_WORK;
        order_words(query);
        choose_drivers(query);
        query->run = RUN_STRICT;
        query->row_next = is_wider ? query->row_begin : query->row_end;
        reopen(query);
        return;
    }
    query->run = RUN_DONE;
    sort_hits(query);
    query_mark_ready(query);
}

int search_query_step(struct search_query *query, uint32_t work)
{
    query->work = 0;
    if (query->run != RUN_DONE && query->version != query->index->version) {
        reopen(query);
    }
    while (query->run != RUN_DONE) {
        bool is_over =
            query->run == RUN_STRICT ? step_strict(query, work) : step_relaxed(query, work);
        if (!is_over) {
            return SM_PENDING;
        }
        run_end(query);
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
