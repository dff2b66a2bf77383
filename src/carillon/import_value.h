/* carillon/import_value.h -- the small values of catalogues: times, days, grades, credits,
 * names.
 *
 * Layer: carillon     Spec: docs/spec/import.md, "Values"
 *
 * All functions are pure; each returns OK, or ERR_MALFORMED with nothing stored.
 */
#ifndef CARILLON_CARILLON_IMPORT_VALUE_H
#define CARILLON_CARILLON_IMPORT_VALUE_H

#include "base/error.h"
#include "base/slice.h"

/* "09:50", "9:50" or "24:00" to minutes after midnight. */
int import_time_parse(struct slice text, uint32_t *ret_min) CHECKED;

/* Letters of MTWRFSU to bits, bit 0 Monday; a letter may occur again. The empty text gives 0.
 */
int import_days_parse(struct slice text, uint32_t *ret_days) CHECKED;

/* A grade as hundredths of a grade point + 1: A+ 4.30, A 4.00, A- 3.70 ... D- 0.70, F 0.00, or
 * the points themselves ("3.7", 0 to 4.30). P, S, CR and "pass" mean passed without a grade and
 * give 0. */
int import_grade_parse(struct slice text, uint32_t *ret_grade) CHECKED;

/* A decimal number without sign and exponent, with at most two decimals, to hundredths.
 * Errors: ERR_MALFORMED; ERR_TOO_LARGE above @max hundredths. */
int import_hundredths_parse(struct slice text, uint32_t max, uint32_t *ret_hundredths) CHECKED;

/* A level: a number from 1, or freshman, sophomore, junior, senior, graduate (1 to 5). */
int import_level_parse(struct slice text, uint32_t max, uint32_t *ret_level) CHECKED;

/* The level of a student in @semester (from 1): two semesters make a year. */
static inline uint32_t import_level_of_semester(uint32_t semester)
{
    return (semester + 1) / 2;
}

/* Whether @text is a short name (institution, term): small letters, digits, dots, dashes,
 * underscores, beginning with a letter or digit, at most IMPORT_SLUG_BYTES_MAX. */
bool import_is_slug(struct slice text);

#endif
