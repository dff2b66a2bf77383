/* Many courses, frequent words: what a search passes over without a look must not have
 * mattered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/sm.h"
#include "search/scan.h"
#include "search/spelling.h"
#include "tests/lib/search_fixture.h"

enum {
    DOCS = 4000,
    WORDS = 40,
    NUMERALS = 4, /* the first words of all are numerals, each with several lists */
    TITLE_WORDS_MAX = 6,
    TEXT_WORDS_MAX = 20,
    QUERIES = 300,
    PAGE_SMALL = 7,
    PAGES_MAX = DOCS,
    FULL_MATCH = 1 << 30,
};

struct course {
    bool is_there;
    uint32_t level;
    uint32_t institution;
    uint64_t words; /* bits */
};

static struct course courses[DOCS];
static struct search_fixture fixture;
static struct rng rng;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

/* Low words are frequent, high ones are rare. */
static uint32_t draw_word(void)
{
    uint32_t bound = 1 + draw(WORDS);
    return draw(bound);
}

/* The word in one of its forms. */
static void write_word(char *out, size_t size, uint32_t word)
{
    static const char *const forms[NUMERALS][2] = {
        {"2",  "II" },
        {"3",  "iii"},
        {"4",  "IV" },
        {"11", "xi" }
    };
    size_t used = strlen(out);
    if (word < NUMERALS) {
        (void)snprintf(out + used, size - used, "%s ", forms[word][draw(2)]);
    } else {
        (void)snprintf(out + used, size - used, "q%uz ", word);
    }
}

static void put_course(uint32_t doc)
{
    char title[128] = "";
    char text[256] = "";
    char institution[16];
    struct course *course = &courses[doc];
    *course = (struct course){.is_there = true, .level = draw(6), .institution = draw(3)};
    for (uint32_t i = draw(TITLE_WORDS_MAX) + 1; i > 0; i--) {
        uint32_t word = draw_word();
        course->words |= 1ULL << word;
        write_word(title, sizeof(title), word);
    }
    for (uint32_t i = draw(TEXT_WORDS_MAX); i > 0; i--) {
        uint32_t word = draw_word();
        course->words |= 1ULL << word;
        write_word(text, sizeof(text), word);
    }
    (void)snprintf(institution, sizeof(institution), "inst%u", course->institution);
    struct sample sample = {.institution = institution,
                            .code = "X",
                            .title = title,
                            .description = text,
                            .level = course->level};
    search_fixture_put(&fixture, doc, &sample);
}

static void fill(void)
{
    search_fixture_init(&fixture);
    for (uint32_t doc = 0; doc < DOCS; doc++) {
        put_course(doc);
    }
    /* Rows die, and a sweep gives some of their pages back. */
    for (uint32_t doc = 0; doc < DOCS / 3; doc++) {
        put_course(doc);
    }
    for (uint32_t i = 0; i < DOCS / 8; i++) {
        uint32_t doc = draw(DOCS);
        search_remove(fixture.index, doc);
        courses[doc].is_there = false;
    }
}

/* All full matches, page by page. */
static uint32_t search_all(const char *query, struct search_request request,
                           struct search_hit hits[DOCS])
{
    uint32_t count = 0;
    for (uint32_t page = 0; page < PAGES_MAX; page++) {
        search_fixture_search_with(&fixture, query, request);
        assert_int_equal(fixture.status, 0);
        for (uint32_t i = 0; i < fixture.count; i++) {
            if (fixture.result.hits[i].score >= FULL_MATCH) {
                assert_true(count < DOCS);
                hits[count++] = fixture.result.hits[i];
            }
        }
        if (!fixture.result.has_more) {
            break;
        }
        request.has_after = true;
        request.after_score = fixture.result.hits[fixture.count - 1].score;
        request.after_doc = fixture.result.hits[fixture.count - 1].doc;
    }
    return count;
}

struct question {
    char text[128];
    uint64_t words;
    uint32_t level;       /* 0: any */
    uint32_t institution; /* 3: any */
};

static struct question make_question(void)
{
    struct question question = {.institution = draw(4)};
    for (uint32_t i = draw(3) + 1; i > 0; i--) {
        uint32_t word = draw_word();
        question.words |= 1ULL << word;
        write_word(question.text, sizeof(question.text), word);
    }
    if (draw(3) == 0) {
        question.level = 1 + draw(5);
        size_t used = strlen(question.text);
        (void)snprintf(question.text + used, sizeof(question.text) - used, "level:%u",
                       question.level);
    }
    return question;
}

static bool scan_holds(const struct question *question, uint32_t doc)
{
    const struct course *course = &courses[doc];
    return course->is_there && (course->words & question->words) == question->words &&
           (question->level == 0 || course->level == question->level) &&
           (question->institution == 3 || course->institution == question->institution);
}

static void search__frequent_words__pages_of_any_size_are_what_a_scan_finds(void **state)
{
    static struct search_hit large[DOCS], small[DOCS];
    (void)state;
    rng_init(&rng, 4);
    fill();
    uint32_t frequent = 0;
    for (uint32_t i = 0; i < QUERIES; i++) {
        struct question question = make_question();
        char institution[16] = "";
        if (question.institution < 3) {
            (void)snprintf(institution, sizeof(institution), "inst%u", question.institution);
        }
        struct search_request request = {.limit = SEARCH_LIMIT_MAX,
                                         .institution = slice_from_text(institution)};
        uint32_t count = search_all(question.text, request, large);
        uint32_t expected = 0;
        for (uint32_t doc = 0; doc < DOCS; doc++) {
            expected += scan_holds(&question, doc) ? 1 : 0;
        }
        assert_int_equal(count, expected);
        for (uint32_t h = 0; h < count; h++) {
            assert_true(scan_holds(&question, large[h].doc));
            assert_true(
                h == 0 || large[h - 1].score > large[h].score ||
                (large[h - 1].score == large[h].score && large[h - 1].doc < large[h].doc));
        }
        request.limit = PAGE_SMALL;
        assert_int_equal(search_all(question.text, request, small), count);
        assert_memory_equal(small, large, count * sizeof(*small));
        /* The count of matches is exact however little was looked at. */
        search_fixture_search_with(&fixture, question.text, request);
        if (expected >= 8) {
            assert_int_equal(fixture.result.matches, expected);
            assert_false(fixture.result.matches_more);
        }
        frequent += count > 600 ? 1 : 0;
    }
    assert_true(frequent > 10);
    search_fixture_fini(&fixture);
}

/* Pieces of texts: words that are marked and such that are not, in several scripts, and what
 * stands between them. */
static const char *const pieces[] = {
    "ring",
    "Rings",
    "caf\xC3\xA9",
    "\xC3\xA9tude",
    "c++",
    "c",
    "a1",
    " ",
    " ",
    " ",
    "-",
    "'",
    "\xE2\x80\x99",
    ", ",
    "\xE4\xB8\xAD",
    "\xE6\x96\x87",
    "\xE5\xAD\xA6",
    "\xE3\x80\x82",
    "\xE0\xB8\x81",
    "\xE0\xB8\xB2",
    "e\xCC\x81t",
    "\xEF\xBC\xA1",
    "theory",
    "2",
    "\xE3\x81\xAE",
    "a-very-long-stretch-of-words-that-fills-whole-blocks-of-sixty-four-bytes-and-more ",
};
static const char *const ways[] = {
    "ring",         "c++",    "et",      "\xE4\xB8\xAD\xE6\x96\x87",
    "\xE5\xAD\xA6", "a1",     "2",       "a",
    "very",         "long",   "stretch", "words",
    "fills",        "blocks", "of",      "more"};

enum { PIECES = sizeof(pieces) / sizeof(pieces[0]), WAYS = sizeof(ways) / sizeof(ways[0]) };

/* Whether the token is one of the first @count ways, or begins with the three bytes of one. */
static bool is_wanted(const struct token *token, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strlen(ways[i]);
        size_t looked = len < 3 ? len : 3;
        if (token->len >= looked && memcmp(token->text, ways[i], looked) == 0 &&
            (len >= 3 || token->len == len)) {
            return true;
        }
    }
    return false;
}

/* What the scan passes over could not match, and what it gives is what cutting gives. */
static void scan_next__any_text__gives_the_tokens_that_begin_as_a_way(void **state)
{
    (void)state;
    /* Few first letters are looked for all at once, many one by one. */
    struct scan_starts starts_of[WAYS + 1] = {0};
    for (uint32_t count = 0; count <= WAYS; count++) {
        for (uint32_t i = 0; i < count; i++) {
            scan_starts_add(&starts_of[count], slice_from_text(ways[i]));
        }
    }
    rng_init(&rng, 5);
    uint32_t given = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        char text[1024] = "";
        for (uint32_t i = draw(12); i > 0; i--) {
            strcat(text, pieces[draw(PIECES)]);
        }
        uint32_t count = draw(WAYS + 1);
        struct scan scan = scan_of(slice_from_text(text), &starts_of[count]);
        struct tokens tokens = tokens_of(slice_from_text(text), true, false);
        struct token found = {0}, token;
        bool is_more = scan_next(&scan, &found);
        while (token_next(&tokens, &token) != TOKEN_END) {
            if (is_more && found.from == token.from && found.to == token.to) {
                assert_int_equal(found.kind, token.kind);
                assert_int_equal(found.len, token.len);
                assert_memory_equal(found.text, token.text, token.len);
                given++;
                is_more = scan_next(&scan, &found);
            } else if (is_wanted(&token, count)) {
                fail_msg("'%s': passed over the token at %u", text, token.from);
            }
        }
        if (is_more) {
            fail_msg("'%s': a token at %u that is none", text, found.from);
        }
    }
    assert_true(given > 20000);
}

static void spelling__words_that_were_added__are_never_denied(void **state)
{
    enum { ADDED = 60000, ASKED = 20000 };
    (void)state;
    struct arena arena;
    struct spelling spelling = {0};
    arena_init(&arena, UINT64_MAX);
    for (uint32_t i = 0; i < ADDED; i++) {
        char word[16];
        (void)snprintf(word, sizeof(word), "w%x", i);
        spelling_add(&spelling, &arena, slice_from_text(word));
    }
    uint32_t perhaps = 0;
    for (uint32_t i = 0; i < ADDED + ASKED; i++) {
        char word[16];
        (void)snprintf(word, sizeof(word), "w%x", i);
        uint64_t hash = 0;
        for (const char *at = word; *at != '\0'; at++) {
            hash = spelling_next(hash, (uint8_t)*at);
        }
        bool may = spelling_may_have(&spelling, hash);
        assert_true(may || i >= ADDED);
        perhaps += may && i >= ADDED ? 1 : 0;
    }
    assert_true(perhaps < ASKED / 8);
    assert_true(arena.used < ADDED * 4); /* and it is small */
    arena_fini(&arena);
}

/* Every way to be one letter off finds the word, for words of many lengths. */
static void search__one_letter_off__finds_the_word(void **state)
{
    enum { COUNT = 400 };
    static char names[COUNT][16];
    (void)state;
    rng_init(&rng, 6);
    search_fixture_init(&fixture);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t len = 7 + draw(6);
        for (uint32_t k = 0; k < len; k++) {
            names[i][k] = (char)('b' + draw(24)); /* no word of any language */
        }
        struct sample sample = {.code = "X", .title = names[i]};
        search_fixture_put(&fixture, i, &sample);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        char asked[20];
        uint32_t len = (uint32_t)strlen(names[i]);
        uint32_t at = draw(len - 1);
        memcpy(asked, names[i], sizeof(names[i]));
        switch (i % 4) {
        case 0:
            memmove(asked + at, asked + at + 1, len - at);
            break;
        case 1:
            memmove(asked + at + 1, asked + at, len + 1 - at);
            asked[at] = 'a';
            break;
        case 2:
            asked[at] = 'a';
            break;
        default:
            asked[at] = names[i][at + 1];
            asked[at + 1] = names[i][at];
            break;
        }
        search_fixture_search(&fixture, asked);
        if (!search_fixture_found(&fixture, i)) {
            fail_msg("%s does not find %s", asked, names[i]);
        }
    }
    search_fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search__frequent_words__pages_of_any_size_are_what_a_scan_finds),
        cmocka_unit_test(scan_next__any_text__gives_the_tokens_that_begin_as_a_way),
        cmocka_unit_test(spelling__words_that_were_added__are_never_denied),
        cmocka_unit_test(search__one_letter_off__finds_the_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
