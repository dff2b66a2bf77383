#include "search/ranking.h"

/* The reasons are about catalogues in general; each was kept only if it helped on courses of
 * many institutions. */
const struct ranking ranking = {
    /* A title is written to say what the course is; a description mentions much in passing; who
     * asks for a name mostly means the teacher and seldom someone discussed in the text. */
    .title_weight = 8,
    .people_weight = 5,
    .text_weight = 1,
    /* The letters of a code ("PHIL") say less than a word of the title. */
    .subject_weight = 3,
    /* Typical lengths in words over many catalogues. Fixed, so that a document's weight never
     * depends on the others and no posting is ever rewritten. */
    .title_length = 5,
    .people_length = 4,
    .text_length = 60,
    /* A long title dilutes a word, a long description somewhat more; a long list of teachers
       says nothing. */
    .title_slope_percent = 40,
    .people_slope_percent = 10,
    .text_slope_percent = 60,
    /* BM25's k1, in percent of one plain occurrence in an average description: high enough that
     * a title still beats a description that repeats the word. */
    .saturation_percent = 200,
    /* The same stem is nearly the same word; a longer word that begins alike is often meant,
     * but the exact one goes first; a corrected word is a guess; II for 2 is no guess. */
    .stem_percent = 100,
    .prefix_percent = 80,
    .typo_percent = 80,
    .numeral_percent = 95,
    /* All words in the title, the more so the less else it says: asked for "ring theory", the
     * course of that name goes before "Ring Theory with Applications to Codes". */
    .title_all_percent = 40,
    .title_cover_percent = 60,
    /* In the order asked for, side by side; at the very start; and being the title. */
    .title_phrase_percent = 30,
    .title_start_percent = 8,
    .title_exact_percent = 25,
    /* Written exactly as asked, where the stem alone would have done: "dynamic" is not
       "dynamics". */
    .title_written_percent = 6,
    /* Who types a code wants that course: more than any words can weigh together. */
    .code_whole = 60000,
    .code_part = 50000,
    .code_prefix = 30000,
    .code_number = 5000,
    /* Between equals the introductory course goes first: more people look for it. */
    .level_step = 24,
    /* A word that nobody has must not drown the others. */
    .idf_max = 4096,
    /* Half a screen of full matches is an answer; with fewer, courses that have most of the
     * words, by weight, follow behind them. */
    .relax_below = 8,
    .relax_keep_percent = 60,
    /* When even that finds nothing, and no correction helps, anything is better than an empty
       page. */
    .relax_last_percent = 25,
};

uint32_t ranking_log2(uint64_t value)
{
    uint32_t whole = 63 - (uint32_t)__builtin_clzll(value);
    uint64_t fraction = whole >= 8 ? value >> (whole - 8) : value << (8 - whole);
    return whole * 256 + (uint32_t)(fraction & 0xFF);
}

uint32_t ranking_information(uint32_t count, uint32_t total)
{
    uint32_t all = ranking_log2(2 * (uint64_t)total + 2);
    uint32_t some = ranking_log2(2 * (uint64_t)count + 1);
    uint32_t units = all > some + 16 ? all - some : 16;
    return units > ranking.idf_max ? ranking.idf_max : units;
}
