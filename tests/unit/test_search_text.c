#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "search/code.h"
#include "search/language.h"
#include "search/token.h"

enum { LINE_BYTES = 512 };

/* The tokens of @text joined by bars, words as they are, pairs in brackets, singles in
 * parentheses. */
static const char *cut(const char *text, bool joins, bool singles)
{
    static char line[LINE_BYTES];
    struct tokens tokens = tokens_of(slice_from_text(text), joins, singles);
    struct token token;
    size_t used = 0;
    while (token_next(&tokens, &token) != TOKEN_END) {
        const char *marks = token.kind == TOKEN_WORD   ? ""
                            : token.kind == TOKEN_PAIR ? "[]"
                                                       : "()";
        assert_true(used + token.len + 4 < LINE_BYTES);
        if (used > 0) {
            line[used++] = '|';
        }
        if (marks[0] != '\0') {
            line[used++] = marks[0];
        }
        memcpy(line + used, token.text, token.len);
        used += token.len;
        if (marks[0] != '\0') {
            line[used++] = marks[1];
        }
        assert_true(token.to <= strlen(text) && token.from < token.to);
    }
    line[used] = '\0';
    return line;
}

static void token_next__case_and_accents__are_folded(void **state)
{
    (void)state;
    assert_string_equal(cut("Höhere ALGÈBRE linéaire", false, false),
                        "hohere|algebre|lineaire");
    assert_string_equal(cut("Çağdaş Işık İLERİ ılık", false, false), "cagdas|isik|ileri|ilik");
    assert_string_equal(cut("Straße Æther Øre łódź œuvre", false, false),
                        "strasse|aether|ore|lodz|oeuvre");
    assert_string_equal(cut("Ελλάδα Психология", false, false), "ελλαδα|психология");
    assert_string_equal(cut("e\xCC\x81t\xC3\xA9", false, false),
                        "ete"); /* combining and composed */
}

static void token_next__width_and_number_forms__are_folded(void **state)
{
    (void)state;
    assert_string_equal(cut("ＣＳ１０１ Ⅱ ② ๓", false, false), "cs101|ii|2|3");
    assert_string_equal(cut("ｱｲ", false, false), "[アイ]");
}

static void token_next__signs_after_one_letter__belong_to_the_word(void **state)
{
    (void)state;
    assert_string_equal(cut("C++, C# and c", false, false), "c++|c#|and|c");
    assert_string_equal(cut("a+b", false, false), "a+|b");
}

static void token_next__scripts_without_spaces__give_overlapping_pairs(void **state)
{
    (void)state;
    assert_string_equal(cut("線性代數", false, false), "[線性]|[性代]|[代數]");
    assert_string_equal(cut("データ構造2", false, false), "[デー]|[ータ]|[タ構]|[構造]|2");
    assert_string_equal(cut("한국어", false, false), "[한국]|[국어]");
    assert_string_equal(cut("學", false, false), "(學)");
    assert_string_equal(cut("代數", false, true), "(代)|[代數]|(數)");
}

static void token_next__joins__skips_one_space_between_such_characters(void **state)
{
    (void)state;
    assert_string_equal(cut("山田 太郎", true, false), "[山田]|[田太]|[太郎]");
    assert_string_equal(cut("山田　太郎", true, false), "[山田]|[田太]|[太郎]");
    assert_string_equal(cut("山田 太郎", false, false), "[山田]|[太郎]");
    assert_string_equal(cut("山田、太郎", true, false), "[山田]|[太郎]");
}

static void token_next__long_word__is_cut_at_the_same_place_always(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(strlen(cut(text, false, false)), TOKEN_BYTES_MAX);
}

static void token_next__bad_bytes__separate_words(void **state)
{
    (void)state;
    assert_string_equal(cut("ab\xFF"
                            "cd\xE4\xB8",
                            false, false),
                        "ab|cd");
}

static const char *key(const char *text)
{
    static struct code_key found;
    if (!code_key_of(slice_from_text(text), &found)) {
        return "";
    }
    found.data[found.len < CODE_KEY_BYTES_MAX ? found.len : CODE_KEY_BYTES_MAX - 1] = '\0';
    return (const char *)found.data;
}

static void code_key_of__blanks_dashes_and_case__do_not_matter(void **state)
{
    (void)state;
    assert_string_equal(key("XY2030"), "xy2030");
    assert_string_equal(key("xy 2030"), "xy2030");
    assert_string_equal(key("XY-2030"), "xy2030");
    assert_string_equal(key("XY\xE2\x80\x93"
                            "2030"),
                        "xy2030");
}

static void code_key_of__dots_between_digits__matter(void **state)
{
    (void)state;
    assert_string_equal(key("10.87"), "10.87");
    assert_string_equal(key("1.087"), "1.087");
    assert_string_equal(key("AB.101"), "ab101");
}

static void code_key_of__zeros_that_lead_behind_letters__go(void **state)
{
    (void)state;
    assert_string_equal(key("ABCD 0150"), "abcd150");
    assert_string_equal(key("ABCD 0"), "abcd0");
    assert_string_equal(key("0201107"), "0201107");
    assert_string_equal(key("ABC 1001"), "abc1001");
    assert_string_equal(key("1.005"), "1.005");
}

static void code_key_of__nothing_in_it__is_refused(void **state)
{
    (void)state;
    assert_string_equal(key(""), "");
    assert_string_equal(key("- /"), "");
}

static void code_parts__several_codes__each_get_a_key(void **state)
{
    (void)state;
    struct code_key keys[CODE_PARTS_MAX + 1];
    assert_int_equal(code_parts(SLICE_LITERAL("ABC 238/DEF 268/GHI 25A"), keys), 3);
    assert_true(slice_is_equal(code_key_slice(&keys[0]), SLICE_LITERAL("abc238")));
    assert_true(slice_is_equal(code_key_slice(&keys[2]), SLICE_LITERAL("ghi25a")));
    assert_int_equal(code_parts(SLICE_LITERAL("ABC 20/21"), keys), 2);
    assert_true(slice_is_equal(code_key_slice(&keys[1]), SLICE_LITERAL("abc21")));
    assert_int_equal(code_parts(SLICE_LITERAL("ABC 20A/B"), keys), 2);
    assert_true(slice_is_equal(code_key_slice(&keys[1]), SLICE_LITERAL("abc20ab")));
}

static void code_parts__more_parts_than_keys__keeps_the_first(void **state)
{
    (void)state;
    struct code_key keys[CODE_PARTS_MAX];
    assert_int_equal(code_parts(SLICE_LITERAL("A1/B2/C3/D4/E5/F6/G7/H8/I9/J10"), keys),
                     CODE_PARTS_MAX);
}

static void code_number__digits__are_read_and_saturate(void **state)
{
    (void)state;
    assert_int_equal(code_number(SLICE_LITERAL("0150")), 150);
    assert_int_equal(code_number(SLICE_LITERAL("A01H3")), 1);
    assert_int_equal(code_number(SLICE_LITERAL("none")), 0);
    assert_int_equal(code_number(SLICE_LITERAL("99999999999999999999")), 1000000000);
}

static void stemmers_stem__folded_words__meet_their_forms(void **state)
{
    (void)state;
    struct stemmers stemmers;
    stemmers_init(&stemmers);
    for (uint32_t i = 0; i < LANGUAGE_COUNT; i++) {
        assert_non_null(stemmers.of[i]);
    }
    struct slice stem = stemmers_stem(&stemmers, LANGUAGE_ENGLISH, SLICE_LITERAL("compilers"));
    assert_true(slice_is_equal(stem, SLICE_LITERAL("compil")));
    stem = stemmers_stem(&stemmers, LANGUAGE_NONE, SLICE_LITERAL("compilers"));
    assert_true(slice_is_equal(stem, SLICE_LITERAL("compilers")));
    stemmers_fini(&stemmers);
}

static void language_guess__no_clear_lead__is_no_guess(void **state)
{
    (void)state;
    uint32_t points[LANGUAGE_COUNT] = {0};
    assert_int_equal(language_guess(points), LANGUAGE_NONE);
    points[3] = LANGUAGE_POINTS;
    assert_int_equal(language_guess(points), LANGUAGE_NONE);
    points[3] = 3 * LANGUAGE_POINTS;
    assert_int_equal(language_guess(points), 3);
    points[5] = 3 * LANGUAGE_POINTS - 1;
    assert_int_equal(language_guess(points), LANGUAGE_NONE);
    points[3] = 12 * LANGUAGE_POINTS;
    points[5] = 11 * LANGUAGE_POINTS;
    assert_int_equal(language_guess(points), 3);
    points[5] = points[3];
    assert_int_equal(language_guess(points), LANGUAGE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_next__case_and_accents__are_folded),
        cmocka_unit_test(token_next__width_and_number_forms__are_folded),
        cmocka_unit_test(token_next__signs_after_one_letter__belong_to_the_word),
        cmocka_unit_test(token_next__scripts_without_spaces__give_overlapping_pairs),
        cmocka_unit_test(token_next__joins__skips_one_space_between_such_characters),
        cmocka_unit_test(token_next__long_word__is_cut_at_the_same_place_always),
        cmocka_unit_test(token_next__bad_bytes__separate_words),
        cmocka_unit_test(code_key_of__blanks_dashes_and_case__do_not_matter),
        cmocka_unit_test(code_key_of__dots_between_digits__matter),
        cmocka_unit_test(code_key_of__zeros_that_lead_behind_letters__go),
        cmocka_unit_test(code_key_of__nothing_in_it__is_refused),
        cmocka_unit_test(code_parts__several_codes__each_get_a_key),
        cmocka_unit_test(code_parts__more_parts_than_keys__keeps_the_first),
        cmocka_unit_test(code_number__digits__are_read_and_saturate),
        cmocka_unit_test(stemmers_stem__folded_words__meet_their_forms),
        cmocka_unit_test(language_guess__no_clear_lead__is_no_guess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
