/* Which words and lists lead a query through the rows, and which rows there are to go through.
 */
#include "base/assert.h"
#include "search/query.h"

enum { COST_ALL = UINT32_MAX / 2 };

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

void query_order_words(struct search_query *query)
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

void query_sort_words(struct search_query *query)
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
    query_order_words(query);
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
    struct cover stack[PLAN_LEAVES_MAX + 1] = {{0}};
    uint32_t top = 0;
    for (uint32_t i = stretch.from; i < stretch.to; i++) {
        uint8_t op = query->plan->ops[i];
        if (op < OP_AND) {
            bool is_list =
                leaf_is_listed(&query->plan->leaves[op]) && !query->slots[op].is_passive;
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

/* What a look at the leaf costs, roughly: stretches are tried cheapest first. */
static uint32_t leaf_cost(enum leaf_kind kind)
{
    switch (kind) {
    case LEAF_LEVEL:
    case LEAF_AT:
    case LEAF_TERM:
        return 1;
    case LEAF_NUMBER:
    case LEAF_CREDITS:
        return 2;
    case LEAF_WORD:
    case LEAF_SUBJECT:
    case LEAF_CODE:
        return 4;
    case LEAF_DAYS_ONLY:
    case LEAF_DAYS_NONE:
        return 8;
    case LEAF_PREDICATE:
        return 16;
    case LEAF_PHRASE:
        break;
    }
    return 32;
}

static uint32_t stretch_cost(const struct search_plan *plan, struct stretch stretch)
{
    uint32_t cost = 0;
    for (uint32_t i = stretch.from; i < stretch.to; i++) {
        cost += plan->ops[i] < OP_AND ? leaf_cost(plan->leaves[plan->ops[i]].kind) : 0;
    }
    return cost;
}

void query_order_hard(struct search_query *query)
{
    const struct search_plan *plan = query->plan;
    for (uint32_t i = 0; i < plan->hard_count; i++) {
        uint32_t cost = stretch_cost(plan, plan->hard[i]);
        uint32_t at = i;
        while (at > 0 && stretch_cost(plan, query->hard[at - 1]) > cost) {
            query->hard[at] = query->hard[at - 1];
            at--;
        }
        query->hard[at] = plan->hard[i];
    }
}

void query_choose_drivers(struct search_query *query)
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

void query_bound_rows(struct search_query *query)
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
