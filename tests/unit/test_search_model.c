#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "tests/lib/search_fixture.h"

/* Generated courses and generated queries; what the index finds must be what a scan over the
 * texts finds. The words hold a digit, so that none has a stem, a longer form or a neighbour:
 * this test is about sets, not about language. */
enum {
    DOCS = 90,
    WORDS = 12,
    TITLE_WORDS = 4,
    TEXT_WORDS = 12,
    ROUNDS = 60,
    QUERIES = 50,
    NODES_MAX = 40,
    NODE_BYTES = 1024,
    FULL_MATCH = 1 << 30,
};

struct course {
    bool is_there;
    bool is_hidden;
    uint32_t title[TITLE_WORDS];
    uint32_t text[TEXT_WORDS];
    uint32_t level;
    uint32_t credits;
    uint32_t institution;
};

enum kind {
    NODE_WORD,
    NODE_TITLE,
    NODE_PHRASE,
    NODE_LEVEL,
    NODE_CREDITS,
    NODE_AT,
    NODE_PREDICATE,
    NODE_NOT,
    NODE_AND,
    NODE_OR
};

struct node {
    enum kind kind;
    uint32_t word;
    uint32_t second;
    uint32_t left;
    uint32_t right;
};

static struct course courses[DOCS];
static struct node nodes[NODES_MAX];
static uint32_t nodes_count;
static struct rng rng;
static struct search_fixture fixture;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

static void put_course(uint32_t doc)
{
    struct course *course = &courses[doc];
    char title[128] = "";
    char text[256] = "";
    char institution[16];
    *course = (struct course){
        .is_there = true, .level = draw(6), .credits = draw(5) * 50, .institution = draw(3)};
    for (uint32_t i = 0; i < TITLE_WORDS; i++) {
        course->title[i] = draw(WORDS);
        (void)snprintf(title + strlen(title), 8, "q%uz ", course->title[i]);
    }
    for (uint32_t i = 0; i < TEXT_WORDS; i++) {
        course->text[i] = draw(WORDS);
        (void)snprintf(text + strlen(text), 8, "q%uz ", course->text[i]);
    }
    (void)snprintf(institution, sizeof(institution), "inst%u", course->institution);
    struct sample sample = {.institution = institution,
                            .code = "X",
                            .title = title,
                            .description = text,
                            .level = course->level,
                            .credits = course->credits};
    search_fixture_put(&fixture, doc, &sample);
}

static void change(uint32_t doc)
{
    struct course *course = &courses[doc];
    switch (draw(4)) {
    case 0:
        search_remove(fixture.index, doc);
        course->is_there = false;
        break;
    case 1:
        search_hide(fixture.index, doc);
        course->is_hidden = true;
        break;
    case 2:
        search_publish(fixture.index, doc);
        course->is_hidden = false;
        break;
    default:
        put_course(doc);
        break;
    }
}

static bool has_word(const uint32_t *words, uint32_t count, uint32_t word)
{
    for (uint32_t i = 0; i < count; i++) {
        if (words[i] == word) {
            return true;
        }
    }
    return false;
}

static bool has_pair(const uint32_t *words, uint32_t count, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (words[i] == a && words[i + 1] == b) {
            return true;
        }
    }
    return false;
}

static bool holds(void *context, enum search_predicate predicate, uint32_t doc)
{
    (void)context;
    return (doc + (uint32_t)predicate) % 3 != 0;
}

/* Children stand behind their parents: one pass from the last node to the first settles all. */
static bool model_holds(uint32_t doc)
{
    const struct course *c = &courses[doc];
    bool truth[NODES_MAX] = {false};
    for (uint32_t i = nodes_count; i-- > 0;) {
        const struct node *node = &nodes[i];
        switch (node->kind) {
        case NODE_WORD:
            truth[i] = has_word(c->title, TITLE_WORDS, node->word) ||
                       has_word(c->text, TEXT_WORDS, node->word);
            break;
        case NODE_TITLE:
            truth[i] = has_word(c->title, TITLE_WORDS, node->word);
            break;
        case NODE_PHRASE:
            truth[i] = has_pair(c->title, TITLE_WORDS, node->word, node->second) ||
                       has_pair(c->text, TEXT_WORDS, node->word, node->second);
            break;
        case NODE_LEVEL:
            truth[i] = c->level >= 2 && c->level <= node->word;
            break;
        case NODE_CREDITS:
            truth[i] = c->credits != 0 && c->credits >= node->word * 50;
            break;
        case NODE_AT:
            truth[i] = c->institution == node->word;
            break;
        case NODE_PREDICATE:
            truth[i] = holds(NULL, (enum search_predicate)node->word, doc);
            break;
        case NODE_NOT:
            truth[i] = !truth[node->left];
            break;
        case NODE_AND:
            truth[i] = truth[node->left] && truth[node->right];
            break;
        case NODE_OR:
            truth[i] = truth[node->left] || truth[node->right];
            break;
        }
    }
    return c->is_there && !c->is_hidden && truth[0];
}

/* Make the tree of node 0 top down, breadth first, at most @depth operators deep. */
static void make_tree(uint32_t depth)
{
    uint32_t level_end = 1;
    nodes_count = 1;
    for (uint32_t i = 0; i < nodes_count; i++) {
        if (i == level_end) {
            depth -= depth > 0 ? 1 : 0;
            level_end = nodes_count;
        }
        struct node *node = &nodes[i];
        uint32_t kind = depth > 0 ? draw(12) : draw(7);
        node->kind = kind < 10 ? (enum kind)kind : kind == 10 ? NODE_AND : NODE_OR;
        node->word = draw(WORDS);
        node->second = draw(WORDS);
        if (node->kind == NODE_LEVEL || node->kind == NODE_CREDITS || node->kind == NODE_AT ||
            node->kind == NODE_PREDICATE) {
            node->word = node->kind == NODE_LEVEL ? 2 + draw(4) : draw(3);
        }
        if (node->kind >= NODE_NOT) {
            node->left = nodes_count++;
            node->right = node->kind == NODE_NOT ? 0 : nodes_count++;
        }
    }
}

/* Write a leaf as the query language has it. */
static void write_leaf(const struct node *node, char *out, size_t size)
{
    static const char *const predicates[] = {"open:true", "fits:me", "eligible:me"};
    switch (node->kind) {
    case NODE_WORD:
        (void)snprintf(out, size, "q%uz", node->word);
        break;
    case NODE_TITLE:
        (void)snprintf(out, size, "title:Q%uZ", node->word);
        break;
    case NODE_PHRASE:
        (void)snprintf(out, size, "\"q%uz q%uz\"", node->word, node->second);
        break;
    case NODE_LEVEL:
        (void)snprintf(out, size, "level:2..%u", node->word);
        break;
    case NODE_CREDITS:
        (void)snprintf(out, size, "credits:>=%u.%u", node->word / 2, node->word % 2 * 5);
        break;
    case NODE_AT:
        (void)snprintf(out, size, "at:inst%u", node->word);
        break;
    case NODE_PREDICATE:
        (void)snprintf(out, size, "%s", predicates[node->word]);
        break;
    case NODE_NOT:
    case NODE_AND:
    case NODE_OR:
        break;
    }
}

/* Write a node whose children are written. */
static void write_node(const struct node *node, const char *left, const char *right, char *out,
                       size_t size)
{
    if (node->kind == NODE_NOT) {
        (void)snprintf(out, size, draw(2) == 0 ? "(NOT %s)" : "(-%s)", left);
    } else if (node->kind == NODE_AND) {
        (void)snprintf(out, size, draw(2) == 0 ? "(%s %s)" : "(%s AND %s)", left, right);
    } else if (node->kind == NODE_OR) {
        (void)snprintf(out, size, "(%s OR %s)", left, right);
    } else {
        write_leaf(node, out, size);
    }
}

/* Write every node from the last to the first; node 0 is the query. */
static void write_query(char *out, size_t size)
{
    static char texts[NODES_MAX][NODE_BYTES];
    char text[NODE_BYTES * 2 + 8];
    for (uint32_t i = nodes_count; i-- > 0;) {
        write_node(&nodes[i], texts[nodes[i].left], texts[nodes[i].right], text, sizeof(text));
        (void)snprintf(texts[i], NODE_BYTES, "%.*s", NODE_BYTES - 1, text);
    }
    (void)snprintf(out, size, "%s", texts[0]);
}

static void compare(const char *query)
{
    struct search_request request = {.limit = SEARCH_LIMIT_MAX, .holds = holds};
    search_fixture_search_with(&fixture, query, request);
    if (fixture.status != OK) {
        fail_msg("%s: %s", query, fixture.error.text);
    }
    bool found[DOCS] = {false};
    for (uint32_t i = 0; i < fixture.count; i++) {
        assert_false(found[fixture.docs[i]]);
        found[fixture.docs[i]] = fixture.result.hits[i].score >= FULL_MATCH;
    }
    for (uint32_t doc = 0; doc < DOCS; doc++) {
        if (found[doc] != model_holds(doc)) {
            fail_msg("%s: course %u is %sfound", query, doc, found[doc] ? "" : "not ");
        }
    }
}

static void search__generated_queries__find_what_a_scan_finds(void **state)
{
    (void)state;
    rng_init(&rng, 20260913);
    search_fixture_init(&fixture);
    for (uint32_t doc = 0; doc < DOCS; doc++) {
        put_course(doc);
    }
    uint32_t matches = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < QUERIES; i++) {
            char query[NODE_BYTES];
            make_tree(draw(4));
            write_query(query, sizeof(query));
            if (strlen(query) <= SEARCH_QUERY_BYTES_MAX) {
                compare(query);
                matches += fixture.result.matches > 0 && fixture.result.matches < DOCS ? 1 : 0;
            }
        }
        for (uint32_t i = 0; i < DOCS / 3; i++) {
            change(draw(DOCS));
        }
    }
    assert_true(matches > ROUNDS * QUERIES / 2); /* the queries tell courses apart */
    search_fixture_fini(&fixture);
}

/* Bare words at the top, which may be relaxed: the full matches are the scan's, and come first.
 */
static void search__generated_words__full_matches_come_first(void **state)
{
    (void)state;
    rng_init(&rng, 7);
    search_fixture_init(&fixture);
    for (uint32_t doc = 0; doc < DOCS; doc++) {
        put_course(doc);
    }
    for (uint32_t i = 0; i < QUERIES * 4; i++) {
        char query[64] = "";
        uint32_t count = 2 + draw(4);
        nodes_count = 2 * count - 1;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t word = draw(WORDS);
            (void)snprintf(query + strlen(query), 16, "q%uz ", word);
            nodes[count - 1 + k] = (struct node){.kind = NODE_WORD, .word = word};
            if (k + 1 < count) {
                nodes[k] =
                    (struct node){.kind = NODE_AND, .left = count - 1 + k, .right = k + 1};
            }
        }
        nodes[count - 2].right = 2 * count - 2;
        compare(query);
        for (uint32_t k = 1; k < fixture.count; k++) {
            assert_true(fixture.result.hits[k - 1].score >= fixture.result.hits[k].score);
        }
    }
    search_fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search__generated_queries__find_what_a_scan_finds),
        cmocka_unit_test(search__generated_words__full_matches_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
