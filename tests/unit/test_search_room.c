/* The bound on what documents add to the index holds for texts made to break it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "search/search.h"

enum { TEXT_MAX = 48 << 10, BUDGET = 1 << 30 };

struct bed {
    struct arena arena;
    struct search_index *index;
    char text[TEXT_MAX];
    size_t len;
    uint32_t doc;
    uint64_t bound;
};

static void bed_init(struct bed *bed)
{
    memset(bed, 0, sizeof *bed);
    arena_init(&bed->arena, BUDGET);
    bed->index = search_create(&bed->arena);
}

static void bed_fini(struct bed *bed)
{
    search_destroy(bed->index);
    arena_fini(&bed->arena);
}

/* Put the text, in the title or in the description, and count what it may take. */
static void put(struct bed *bed, bool is_title)
{
    char code[16];
    int len = snprintf(code, sizeof code, "X %u", bed->doc);
    struct slice text = slice_from(bed->text, bed->len);
    struct search_document document = {
        .institution = slice_from_text("a"),
        .term = slice_from_text("b"),
        .code = slice_from(code, (size_t)len),
        .subject = slice_from_text("X"),
        .number = slice_from(code + 2, (size_t)len - 2),
        .title = is_title ? text : SLICE_NONE,
        .description = is_title ? SLICE_NONE : text,
    };

    search_put(bed->index, bed->doc++, &document, true);
    bed->bound += search_growth(1, bed->len + (size_t)len);
    bed->len = 0;
}

enum words {
    WORDS_APART,
    WORDS_GLUED, /* by hyphens: two in a row are a word of their own as well */
    WORDS_WIDE,  /* three-byte signs, that make pairs as well */
};

/* The @n-th of words that are all different, as short as can be. */
static void add_word(struct bed *bed, uint32_t n, enum words words)
{
    if (words == WORDS_WIDE) {
        uint32_t sign = 0x4E00 + n % 20000;

        bed->text[bed->len++] = (char)(0xE0 | sign >> 12);
        bed->text[bed->len++] = (char)(0x80 | (sign >> 6 & 0x3F));
        bed->text[bed->len++] = (char)(0x80 | (sign & 0x3F));
        return;
    }
    do {
        bed->text[bed->len++] = (char)('a' + n % 26);
        n /= 26;
    } while (n > 0);
    bed->text[bed->len++] = words == WORDS_GLUED ? '-' : ' ';
}

static void check(bool is_title, enum words words, uint32_t count, uint32_t count_each,
                  uint32_t step)
{
    static struct bed bed;

    bed_init(&bed);
    uint64_t before = bed.arena.used;
    for (uint32_t n = 0; n < count; n++) {
        add_word(&bed, n * step, words);
        if ((n + 1) % count_each == 0 || bed.len + 16 > TEXT_MAX) {
            /* The tables' own steps are the margin's part. */
            put(&bed, is_title);
        }
    }
    uint64_t grown = bed.arena.used - before;
    assert_true(grown <= bed.bound + (4 << 20));
    bed_fini(&bed);
}

static void search_growth__texts_of_new_words__bounds_what_they_take(void **state)
{
    (void)state;
    check(false, WORDS_APART, 300000, 6000, 1);
    check(false, WORDS_APART, 300000, 10, 1);
    check(true, WORDS_APART, 300000, 100, 1);
    check(true, WORDS_APART, 300000, 1, 1);
    check(true, WORDS_GLUED, 300000, 100, 1);
    check(true, WORDS_GLUED, 300000, 3000, 1);
    check(false, WORDS_WIDE, 200000, 5000, 7);
    check(true, WORDS_WIDE, 200000, 100, 7919);
    check(true, WORDS_WIDE, 20000, 1, 1);
}

static void search_has_room__small_budget__says_no_before_it_is_used_up(void **state)
{
    static struct bed bed;

    (void)state;
    bed_init(&bed);
    bed.arena.budget = 16 << 20;
    uint32_t n = 0;
    uint32_t puts = 0;
    while (search_has_room(bed.index, search_growth(1, TEXT_MAX))) {
        while (bed.len + 16 < TEXT_MAX) {
            add_word(&bed, n++, WORDS_APART);
        }
        put(&bed, puts++ % 2 == 0);
        assert_true(bed.arena.used <= bed.arena.budget);
        assert_true(puts < 10000);
    }
    assert_true(bed.arena.used > bed.arena.budget / 4); /* and not long before it is */
    bed_fini(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_growth__texts_of_new_words__bounds_what_they_take),
        cmocka_unit_test(search_has_room__small_budget__says_no_before_it_is_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
