#include "search/forward.h"
#include "search/query.h"

enum { FILTER_CODES_MAX = SLOT_WAYS_MAX };

/* Every key of the list as a way of the leaf's slot; with a prefix, every code that begins so
 * (the commonest, if there are more than a slot holds). */
static void list_ways(struct search_query *query, uint32_t at, enum term_space space)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    struct slot *slot = &query->slots[at];
    const struct lexicon *lexicon = &query->index->lexicon;
    for (uint32_t i = leaf->first; i < (uint32_t)leaf->first + leaf->count; i++) {
        struct slice key = code_key_slice(&query->plan->values[i]);
        query_way_add(query, slot, lexicon_find(lexicon, space, key), WAY_CODE, 0);
        uint32_t terms[FILTER_CODES_MAX];
        struct longer_wanted wanted = {.max = FILTER_CODES_MAX};
        uint32_t found =
            leaf->is_prefix ? query_longer_terms(query, space, key, &wanted, terms) : 0;
        for (uint32_t k = 0; k < found; k++) {
            query_way_add(query, slot, terms[k], WAY_CODE, 0);
        }
    }
    for (uint32_t i = 0; i < slot->ways_count; i++) {
        lexicon_open(&query->index->lexicon, slot->ways[i].term, &slot->ways[i].walk);
    }
}

static uint32_t request_name(const struct names *names, struct slice text, bool is_replaced,
                             bool *is_nowhere)
{
    if (text.len == 0 || is_replaced) {
        return NAME_NONE;
    }
    uint32_t name = names_find(names, text);
    *is_nowhere = *is_nowhere || name == NAME_NONE;
    return name;
}

void query_filters(struct search_query *query)
{
    const struct search_plan *plan = query->plan;
    const struct search_index *index = query->index;
    query->institution = request_name(&index->institutions, query->request.institution,
                                      plan->has_at, &query->is_nowhere);
    query->term =
        request_name(&index->terms, query->request.term, plan->has_term, &query->is_nowhere);
    for (uint32_t i = 0; i < plan->leaves_count; i++) {
        const struct leaf *leaf = &plan->leaves[i];
        if (leaf->kind == LEAF_SUBJECT && !leaf->any) {
            list_ways(query, i, TERM_SUBJECT);
        } else if (leaf->kind == LEAF_CODE && !leaf->any) {
            list_ways(query, i, TERM_CODE);
        } else if (leaf->kind == LEAF_AT || leaf->kind == LEAF_TERM) {
            const struct names *names =
                leaf->kind == LEAF_AT ? &index->institutions : &index->terms;
            for (uint32_t v = leaf->first; v < (uint32_t)leaf->first + leaf->count; v++) {
                query->leaf_term[v] = names_find(names, code_key_slice(&plan->values[v]));
            }
        }
    }
}

static bool list_has(const struct search_query *query, const struct leaf *leaf, uint32_t name)
{
    bool found = leaf->any;
    for (uint32_t v = leaf->first; v < (uint32_t)leaf->first + leaf->count; v++) {
        found = found || query->leaf_term[v] == name;
    }
    return found;
}

/* Whether one section of the row meets only on the days of @allowed. */
static bool days_hold(const uint8_t *bytes, uint32_t allowed)
{
    struct forward forward = forward_of(bytes);
    for (uint32_t i = 0; i < forward.days_count; i++) {
        if (forward.days[i] != 0 && (forward.days[i] & ~allowed) == 0) {
            return true;
        }
    }
    return false;
}

bool query_filter_holds(const struct search_query *query, uint32_t at, uint32_t row_at)
{
    const struct leaf *leaf = &query->plan->leaves[at];
    const struct search_index *index = query->index;
    const struct row *row = index_row(index, row_at);
    uint8_t level = index_facts(index, row_at)->level;
    switch (leaf->kind) {
    case LEAF_AT:
        return list_has(query, leaf, index_names(index, row_at)->institution);
    case LEAF_TERM:
        return list_has(query, leaf, index_names(index, row_at)->term);
    case LEAF_LEVEL:
        return level != 0 && level >= leaf->low && level <= leaf->high;
    case LEAF_NUMBER:
        return row->number != 0 && row->number >= leaf->low && row->number <= leaf->high;
    case LEAF_CREDITS:
        return row->credits != CREDITS_UNKNOWN && row->credits >= leaf->low &&
               row->credits <= leaf->high;
    case LEAF_DAYS_ONLY:
        return days_hold(*index_forward(index, row_at), leaf->low);
    case LEAF_DAYS_NONE:
        return days_hold(*index_forward(index, row_at), ~leaf->low);
    case LEAF_PREDICATE:
        return query->request.holds != NULL &&
               query->request.holds(query->request.context,
                                    (enum search_predicate)leaf->predicate,
                                    index_doc(index, row_at));
    case LEAF_SUBJECT:
    case LEAF_CODE:
    case LEAF_WORD:
    case LEAF_PHRASE:
        break;
    }
    return leaf->any;
}

uint64_t query_may_find_block(const struct search_query *query, uint32_t first, uint64_t rows)
{
    const struct row_block *block = index_block(query->index, first);
    rows &= block->live;
    if (!query->is_named || rows == 0) {
        return rows;
    }
    struct row_names alike = block->alike;
    if ((query->institution == NAME_NONE || alike.institution == query->institution) &&
        (query->term == NAME_NONE || alike.term == query->term)) {
        return rows;
    }
    for (uint64_t rest = rows; rest != 0; rest &= rest - 1) {
        if (!query_may_find(query, first + (uint32_t)__builtin_ctzll(rest))) {
            rows &= ~(rest & (0 - rest));
        }
    }
    return rows;
}
