/* search/ranking.h -- every constant that decides the order of results, in one table (ranking.c
 * gives the reasons).
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 8
 *
 * Scores are whole numbers; one "unit" is 1/256 of a bit of information (the weight of a word
 * that half of all documents have is 256 units).
 */
#ifndef CARILLON_SEARCH_RANKING_H
#define CARILLON_SEARCH_RANKING_H

#include <stdint.h>

struct ranking {
    /* How strongly a field speaks for a word: BM25F with the lengths below as "average". */
    uint32_t title_weight;
    uint32_t people_weight;
    uint32_t text_weight;
    uint32_t subject_weight;
    uint32_t title_length;
    uint32_t people_length;
    uint32_t text_length;
    uint32_t title_slope_percent;
    uint32_t people_slope_percent;
    uint32_t text_slope_percent;
    uint32_t saturation_percent;
    /* What a way of matching is worth, in percent of the word itself. */
    uint32_t stem_percent;
    uint32_t prefix_percent;
    uint32_t typo_percent;
    uint32_t numeral_percent;
    /* Bonuses in percent of the query's whole weight. */
    uint32_t title_all_percent;
    uint32_t title_cover_percent;
    uint32_t title_phrase_percent;
    uint32_t title_start_percent;
    uint32_t title_exact_percent;
    uint32_t title_written_percent;
    /* Codes, in units. */
    uint32_t code_whole;
    uint32_t code_part;
    uint32_t code_prefix;
    uint32_t code_number;
    /* Small preferences that decide between equals, in units. */
    uint32_t level_step;
    uint32_t idf_max;
    /* When and how far to relax. */
    uint32_t relax_below;
    uint32_t relax_keep_percent;
    uint32_t relax_last_percent;
};

extern const struct ranking ranking;

/* The information of a word that @count of @total documents have, in units: 256 * log2((total +
 * 1) / (count + 1/2)), at least 16. */
uint32_t ranking_information(uint32_t count, uint32_t total);

/* 256 * log2(value), value >= 1; by linear interpolation between powers of two, off by at
 * most 23. */
uint32_t ranking_log2(uint64_t value);

#endif
