#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "search/plan.h"

static struct arena scratch;

static int set_up(void **state)
{
    (void)state;
    arena_init(&scratch, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&scratch);
    return 0;
}

static const struct search_plan *read_plan(const char *text)
{
    struct search_plan *plan = NULL;
    struct search_error error;
    arena_reset(&scratch);
    assert_int_equal(search_plan_parse(slice_from_text(text), &scratch, &plan, &error), OK);
    return plan;
}

/* The query is refused at byte @at, and the clause holds @part. */
static void refused(const char *text, uint32_t at, const char *part)
{
    struct search_plan *plan = NULL;
    struct search_error error;
    arena_reset(&scratch);
    assert_int_equal(search_plan_parse(slice_from_text(text), &scratch, &plan, &error),
                     ERR_QUERY);
    assert_null(plan);
    assert_int_equal(error.at, at);
    assert_non_null(strstr(error.text, part));
}

static void search_plan_parse__bare_words__are_soft(void **state)
{
    (void)state;
    const struct search_plan *plan = read_plan("linear  algebra AND proofs");
    assert_int_equal(plan->leaves_count, 3);
    assert_int_equal(plan->soft, 7);
    assert_int_equal(plan->hard_count, 0);
    assert_true(plan->leaves[2].is_final);
}

static void search_plan_parse__filters_and_phrases__are_hard(void **state)
{
    (void)state;
    const struct search_plan *plan = read_plan("algebra \"number theory\" credits:>=3 -rings");
    assert_int_equal(plan->soft, 1);
    assert_int_equal(plan->hard_count, 3);
    assert_int_equal(plan->leaves[3].kind, LEAF_PHRASE);
    assert_int_equal(plan->leaves[4].kind, LEAF_CREDITS);
    assert_int_equal(plan->leaves[4].low, 300);
}

static void search_plan_parse__levels__tell_levels_from_numbers(void **state)
{
    (void)state;
    assert_int_equal(read_plan("level:3")->leaves[0].kind, LEAF_LEVEL);
    assert_int_equal(read_plan("level:1..5")->leaves[0].kind, LEAF_LEVEL);
    assert_int_equal(read_plan("level:>=3")->leaves[0].kind, LEAF_LEVEL);
    assert_int_equal(read_plan("level:300..499")->leaves[0].kind, LEAF_NUMBER);
    assert_int_equal(read_plan("level:>=300")->leaves[0].kind, LEAF_NUMBER);
    const struct leaf *leaf = &read_plan("level:<400")->leaves[0];
    assert_int_equal(leaf->kind, LEAF_NUMBER);
    assert_int_equal(leaf->high, 399);
}

static void search_plan_parse__credits__are_hundredths(void **state)
{
    (void)state;
    const struct leaf *leaf = &read_plan("credits:1.5..4")->leaves[0];
    assert_int_equal(leaf->low, 150);
    assert_int_equal(leaf->high, 400);
    leaf = &read_plan("credits:>0.25")->leaves[0];
    assert_int_equal(leaf->low, 26);
    assert_int_equal(leaf->high, UINT32_MAX);
}

static void search_plan_parse__lists__may_go_on_behind_blanks(void **state)
{
    (void)state;
    const struct search_plan *plan = read_plan("subject:in CSCI, MATH,PHYS rings");
    assert_int_equal(plan->leaves[0].kind, LEAF_SUBJECT);
    assert_int_equal(plan->leaves[0].count, 3);
    assert_int_equal(plan->leaves_count, 2);
    plan = read_plan("days:has-none-of F algebra");
    assert_int_equal(plan->leaves[0].kind, LEAF_DAYS_NONE);
    assert_int_equal(plan->leaves[0].low, 1 << 4);
    assert_int_equal(plan->leaves_count, 2);
}

static void search_plan_parse__codes_in_several_words__make_one_span(void **state)
{
    (void)state;
    const struct search_plan *plan = read_plan("abc 101 e");
    bool found = false;
    for (uint32_t i = 0; i < plan->spans_count; i++) {
        const struct span *span = &plan->spans[i];
        found =
            found || (slice_is_equal(code_key_slice(&span->key), SLICE_LITERAL("abc101e")) &&
                      span->first == 0 && span->last == 2);
    }
    assert_true(found);
}

static void search_plan_parse__and_beside_or__names_the_place(void **state)
{
    (void)state;
    refused("a OR b c", 7, "brackets");
    refused("a b OR c", 4, "brackets");
    refused("(a AND b OR c)", 9, "brackets");
    assert_int_equal(read_plan("(a OR b) c")->hard_count, 1);
    assert_int_equal(read_plan("a OR b OR c")->hard_count, 1);
}

static void search_plan_parse__unbalanced__names_the_place(void **state)
{
    (void)state;
    refused("ring (theory", 5, "never closed");
    refused("ring theory)", 11, "never opened");
    refused("a \"b c", 2, "never closed");
}

static void search_plan_parse__operators_without_words__are_refused(void **state)
{
    (void)state;
    refused("AND a", 0, "before");
    refused("a OR", 2, "behind");
    refused("a AND OR b", 6, "two operators");
    refused("a NOT", 5, "NOT");
    refused("(a OR) b", 3, "behind");
}

static void search_plan_parse__bad_filter_values__say_what_is_wanted(void **state)
{
    (void)state;
    refused("x level:high", 2, "level:");
    refused("credits:-3", 0, "credits:");
    refused("credits:4..3", 0, "credits:");
    refused("days:MXQ", 0, "days:");
    refused("open:maybe", 0, "open:");
    refused("fits:you", 0, "me");
    refused("colour:red", 0, "no filter");
    refused("subject:,", 0, "empty");
    refused("title:-", 0, "needs a word");
}

static void search_plan_parse__limits__hold(void **state)
{
    (void)state;
    char text[SEARCH_QUERY_BYTES_MAX + 2];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    refused(text, SEARCH_QUERY_BYTES_MAX, "512");
    text[SEARCH_QUERY_BYTES_MAX] = '\0';
    assert_int_equal(read_plan(text)->leaves_count, 1);

    for (uint32_t i = 0; i < 33; i++) {
        memcpy(text + 2 * i, "a ", 3);
    }
    refused(text, 64, "32");
    text[63] = '\0';
    assert_int_equal(read_plan(text)->leaves_count, 32);

    refused("((((((((( a )))))))))", 8, "nested");
    assert_int_equal(read_plan("(((((((( a ))))))))")->leaves_count, 1);
}

static void search_plan_parse__long_run_without_spaces__asks_for_every_character(void **state)
{
    (void)state;
    char text[3 * 100 + 1];
    for (uint32_t i = 0; i < 100; i++) {
        memcpy(text + 3 * i, "代", 4);
    }
    const struct search_plan *plan = read_plan(text);
    assert_true(plan->leaves_count >= 50 && plan->leaves_count <= PLAN_LEAVES_MAX);
}

static void search_plan_parse__not_utf8__names_the_place(void **state)
{
    (void)state;
    refused("ab \xFF", 3, "UTF-8");
}

static void search_plan_parse__punctuation_only__is_an_empty_query(void **state)
{
    (void)state;
    assert_int_equal(read_plan(" - ... () ")->leaves_count, 0);
    assert_int_equal(read_plan("")->leaves_count, 0);
}

static void search_plan_asks__predicates__are_found_with_their_place(void **state)
{
    (void)state;
    uint32_t at = 0;
    const struct search_plan *plan = read_plan("rings (open:true OR fits:me)");
    assert_true(search_plan_asks(plan, SEARCH_FITS_ME, &at));
    assert_int_equal(at, 20);
    assert_true(search_plan_asks(plan, SEARCH_IS_OPEN, NULL));
    assert_false(search_plan_asks(plan, SEARCH_ELIGIBLE_ME, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_plan_parse__bare_words__are_soft),
        cmocka_unit_test(search_plan_parse__filters_and_phrases__are_hard),
        cmocka_unit_test(search_plan_parse__levels__tell_levels_from_numbers),
        cmocka_unit_test(search_plan_parse__credits__are_hundredths),
        cmocka_unit_test(search_plan_parse__lists__may_go_on_behind_blanks),
        cmocka_unit_test(search_plan_parse__codes_in_several_words__make_one_span),
        cmocka_unit_test(search_plan_parse__and_beside_or__names_the_place),
        cmocka_unit_test(search_plan_parse__unbalanced__names_the_place),
        cmocka_unit_test(search_plan_parse__operators_without_words__are_refused),
        cmocka_unit_test(search_plan_parse__bad_filter_values__say_what_is_wanted),
        cmocka_unit_test(search_plan_parse__limits__hold),
        cmocka_unit_test(search_plan_parse__long_run_without_spaces__asks_for_every_character),
        cmocka_unit_test(search_plan_parse__not_utf8__names_the_place),
        cmocka_unit_test(search_plan_parse__punctuation_only__is_an_empty_query),
        cmocka_unit_test(search_plan_asks__predicates__are_found_with_their_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
