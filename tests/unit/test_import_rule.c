#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "carillon/export.h"
#include "carillon/import_rule.h"
#include "wire/message.h"

enum { TREES = 2000 };

static struct import_rule rule;
static struct import_rule again;

/* The tree as a line: kinds with their numbers, in prefix order. */
static void describe(const struct import_rule *tree, char *out, size_t size)
{
    static const char *const kinds[] = {"?", "and", "or", "of", "", "level", "credits"};
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < tree->count; i++) {
        const Carillon__RuleNode *node = tree->nodes[i];

        len += (size_t)snprintf(out + len, size - len, "%s%s%s", i > 0 ? " " : "",
                                kinds[node->kind], node->code);
        if (node->children > 0) {
            len += (size_t)snprintf(out + len, size - len, "/%u", node->children);
        }
        if (node->count > 0) {
            len += (size_t)snprintf(out + len, size - len, ":%u", node->count);
        }
        if (node->grade_min > 0) {
            len += (size_t)snprintf(out + len, size - len, ">=%u", node->grade_min);
        }
        if (node->concurrent) {
            len += (size_t)snprintf(out + len, size - len, "+");
        }
    }
}

static void rule_parse__the_grammar__gives_the_tree(void **state)
{
    static const char *const rows[][2] = {
        {"",                                    ""                                                                      },
        {"   ",                                 ""                                                                      },
        {"A",                                   "A"                                                                     },
        {"A and B",                             "and/2 A B"                                                             },
        {"A or B or C",                         "or/3 A B C"                                                            },
        {"(A and B)",                           "and/2 A B"                                                             },
        {"((A))",                               "A"                                                                     },
        {"(A or B) and C",                      "and/2 or/2 A B C"                                                      },
        {"A and (B or (C and D)) and E",        "and/3 A or/2 B and/2 C D E"                                            },
        {"2 of {A, B, C}",                      "of/3:2 A B C"                                                          },
        {"1 of {A and B, C}",                   "of/2:1 and/2 A B C"                                                    },
        {"1 of {1 of {A, B}, C} and D",         "and/2 of/2:1 of/2:1 A B C D"                                           },
        {"level >= 3 or credits >= 7.5",        "or/2 level:3 credits:750"                                              },
        {"level >= junior",                     "level:3"                                                               },
        {"CS 101 >= C- or MATH 120 concurrent", "or/2 CS 101>=171 MATH 120+"                                            },
        {"CS101>=C-and CS102",                  NULL                                                                    },
        {"CS101 >= 2.7 (concurrent)",           "CS101>=271+"                                                           },
        {"OR 101 and AND1",                     "and/2 OR 101 AND1"                                                     },
        {"\"A, B\" or 'C (old)'",               "or/2 A, B C (old)"                                                     },
        {"2 of 3 or 4",                         NULL                                                                    },
        {"HYD-330/ENV-330 or 10.87",            "or/2 HYD-330/ENV-330 10.87"                                            },
        {"levelling >= A",                      "levelling>=401"                                                        },
        {"海洋 101 and ΝΑΥ 201",           "and/2 海洋 101 ΝΑΥ 201"                                           },
        {"(CS101 >= C- or CS105) and (MATH120 concurrent) and 2 of {X, Y, Z} and level >= 3 "
         "and credits >= 60",          "and/5 or/2 CS101>=171 CS105 MATH120+ of/3:2 X Y Z level:3 credits:6000"},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct import_rule_error error = {0, ""};
        char text[512];

        import_rule_init(&rule, &arena);
        int result = import_rule_parse(&rule, slice_from_text(rows[i][0]), &error);

        if (rows[i][1] == NULL) {
            assert_int_not_equal(result, OK);
            continue;
        }
        assert_int_equal(result, OK);
        describe(&rule, text, sizeof text);
        assert_string_equal(text, rows[i][1]);
    }
    arena_fini(&arena);
}

static void rule_parse__mistakes__are_told_with_their_place(void **state)
{
    static const struct {
        const char *text;
        int error;
        size_t at;
    } rows[] = {
        {"and A",           ERR_MALFORMED, 0 },
        {"A and",           ERR_MALFORMED, 5 },
        {"A or and B",      ERR_MALFORMED, 5 },
        {"A and B or C",    ERR_MALFORMED, 8 },
        {"(A",              ERR_MALFORMED, 2 },
        {"A)",              ERR_MALFORMED, 1 },
        {"()",              ERR_MALFORMED, 1 },
        {"2 of A",          ERR_MALFORMED, 5 },
        {"2 of {A, B",      ERR_MALFORMED, 10},
        {"2 of {}",         ERR_MALFORMED, 6 },
        {"2 of {A,}",       ERR_MALFORMED, 8 },
        {"3 of {A, B}",     ERR_ARGUMENT,  0 },
        {"0 of {A, B}",     ERR_ARGUMENT,  0 },
        {"A >= Q",          ERR_GONE,      5 },
        {"A >=",            ERR_GONE,      4 },
        {"A > B",           ERR_MALFORMED, 2 },
        {"level >= 12",     ERR_MALFORMED, 9 },
        {"credits >= many", ERR_MALFORMED, 11},
        {"\"A",             ERR_MALFORMED, 0 },
        {"A \"B\"",         ERR_MALFORMED, 2 },
        {"A (concurrent",   ERR_MALFORMED, 13},
        {"A AND B",         ERR_MALFORMED, 2 },
        {"A, B",            ERR_MALFORMED, 1 },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct import_rule_error error = {SIZE_MAX, ""};

        import_rule_init(&rule, &arena);
        assert_int_equal(import_rule_parse(&rule, slice_from_text(rows[i].text), &error),
                         rows[i].error);
        assert_int_equal(error.at, rows[i].at);
        assert_true(error.text[0] != '\0');
    }
    arena_fini(&arena);
}

/* A random tree with at most @room nodes below @depth levels. */
static void grow(struct import_rule *tree, struct rng *rng, size_t depth)
{
    static const char *const codes[] = {"CS 101", "10.87", "A/B–C", "or else",
                                        "(x)",    "海 1",  "2 of"};
    Carillon__RuleNode *node = NULL;
    uint64_t kind = depth == 0 || tree->count > 200 ? 3 + rng_below(rng, 3) : rng_below(rng, 6);

    assert_int_equal(import_rule_add(tree, CARILLON__RULE_KIND__RULE_COURSE, &node), OK);
    if (kind < 3) {
        static const Carillon__RuleKind groups[] = {CARILLON__RULE_KIND__RULE_AND,
                                                    CARILLON__RULE_KIND__RULE_OR,
                                                    CARILLON__RULE_KIND__RULE_N_OF};

        node->kind = groups[kind];
        node->children = (uint32_t)rng_between(rng, kind == 2 ? 1 : 2, 4);
        node->count = kind == 2 ? (uint32_t)rng_between(rng, 1, node->children) : 0;
        for (uint32_t i = 0; i < node->children; i++) {
            grow(tree, rng, depth - 1);
        }
    } else if (kind == 3) {
        node->kind = CARILLON__RULE_KIND__RULE_LEVEL;
        node->count = (uint32_t)rng_between(rng, 1, 9);
    } else if (kind == 4) {
        node->kind = CARILLON__RULE_KIND__RULE_CREDITS;
        node->count = (uint32_t)rng_between(rng, 0, 20000);
    } else {
        node->code = wire_text(codes[rng_below(rng, 7)]);
        node->institution = wire_text(rng_below(rng, 4) == 0 ? "brackwater" : "");
        node->grade_min = rng_below(rng, 2) == 0 ? 0 : (uint32_t)rng_between(rng, 1, 431);
        node->concurrent = rng_below(rng, 3) == 0;
    }
}

static void assert_same_tree(const struct import_rule *a, const struct import_rule *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        uint8_t left[512];
        uint8_t right[512];
        size_t len = carillon__rule_node__pack(a->nodes[i], left);

        assert_int_equal(carillon__rule_node__pack(b->nodes[i], right), len);
        assert_memory_equal(left, right, len);
    }
}

static void rules__random_trees__come_back_through_the_grammar_and_through_json(void **state)
{
    struct import_rule_error error;
    struct rng rng;

    (void)state;
    rng_init(&rng, 6);
    for (size_t i = 0; i < TREES; i++) {
        struct cli cli = {.json = false};
        char *text = NULL;
        size_t len = 0;

        arena_init(&cli.arena, 16 << 20);
        import_rule_init(&rule, &cli.arena);
        grow(&rule, &rng, 4);
        char *grammar = export_rule_text(&cli, rule.nodes, rule.count);

        import_rule_init(&again, &cli.arena);
        assert_int_equal(import_rule_parse(&again, slice_from_text(grammar), &error), OK);
        assert_same_tree(&rule, &again);

        FILE *out = open_memstream(&text, &len);

        export_json_rule(out, rule.nodes, rule.count);
        fclose(out);
        struct json_object *tree = json_tokener_parse(text);

        assert_non_null(tree);
        import_rule_init(&again, &cli.arena);
        assert_int_equal(import_rule_from_json(&again, tree, &error), OK);
        assert_same_tree(&rule, &again);
        json_object_put(tree);
        free(text);
        arena_fini(&cli.arena);
    }
}

static void rule_parse__a_very_long_text__is_refused_without_recursion(void **state)
{
    enum { BYTES = 1 << 20 };
    struct import_rule_error error = {0, ""};
    struct arena arena;
    char *text = malloc(BYTES);

    (void)state;
    assert_non_null(text);
    arena_init(&arena, 64 << 20);
    memset(text, '(', BYTES);
    import_rule_init(&rule, &arena);
    assert_int_equal(import_rule_parse(&rule, slice_from(text, BYTES), &error), ERR_TOO_LARGE);
    for (size_t i = 0; i + 6 < BYTES; i += 6) {
        memcpy(text + i, "A and ", 6);
    }
    import_rule_init(&rule, &arena);
    assert_int_equal(import_rule_parse(&rule, slice_from(text, 6 * 1000), &error), ERR_FULL);
    arena_fini(&arena);
    free(text);
}

static void rule_parse__zero_bytes__never_make_a_code_longer_than_the_text(void **state)
{
    static const char text[] = "A\0B\0C\0\0D";
    struct import_rule_error error = {0, ""};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    import_rule_init(&rule, &arena);
    assert_int_equal(import_rule_parse(&rule, slice_from(text, sizeof text - 1), &error), OK);
    assert_int_equal(rule.count, 1);
    assert_memory_equal(rule.nodes[0]->code, text, sizeof text);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_parse__the_grammar__gives_the_tree),
        cmocka_unit_test(rule_parse__mistakes__are_told_with_their_place),
        cmocka_unit_test(rules__random_trees__come_back_through_the_grammar_and_through_json),
        cmocka_unit_test(rule_parse__zero_bytes__never_make_a_code_longer_than_the_text),
        cmocka_unit_test(rule_parse__a_very_long_text__is_refused_without_recursion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
