#include "carillon/import_value.h"

#include <strings.h>

#include "carillon/import_limits.h"

enum { GRADE_POINTS_MAX = 430 };

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_word(struct slice text, const char *word)
{
    return text.len == strlen(word) &&
           strncasecmp((const char *)text.data, word, text.len) == 0;
}

int import_time_parse(struct slice text, uint32_t *ret_min)
{
    size_t colon = text.len == 4 ? 1 : 2;
    uint32_t digits[4] = {0, 0, 0, 0};
    size_t at = colon == 1 ? 1 : 0;

    if (text.len != 4 && text.len != 5) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (i == colon) {
            if (text.data[i] != ':') {
                return ERR_MALFORMED;
            }
            continue;
        }
        if (!is_digit(text.data[i])) {
            return ERR_MALFORMED;
        }
        digits[at++] = (uint32_t)(text.data[i] - '0');
    }
    uint32_t hours = digits[0] * 10 + digits[1];
    uint32_t minutes = digits[2] * 10 + digits[3];

    if (minutes > 59 || hours * 60 + minutes > IMPORT_MINUTES_A_DAY) {
        return ERR_MALFORMED;
    }
    *ret_min = hours * 60 + minutes;
    return OK;
}

int import_days_parse(struct slice text, uint32_t *ret_days)
{
    static const char letters[] = "MTWRFSU";
    uint32_t days = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *letter = text.data[i] == '\0' ? NULL : strchr(letters, (char)text.data[i]);

        if (letter == NULL) {
            return ERR_MALFORMED;
        }
        days |= 1U << (letter - letters);
    }
    *ret_days = days;
    return OK;
}

int import_hundredths_parse(struct slice text, uint32_t max, uint32_t *ret_hundredths)
{
    uint64_t value = 0;
    size_t digits = 0;
    size_t decimals = 0;
    bool has_point = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.' && !has_point && digits > 0) {
            has_point = true;
            continue;
        }
        if (!is_digit(text.data[i])) {
            return ERR_MALFORMED;
        }
        /* Zeros beyond the hundredths change nothing: "3.500" is 3.5. */
        if (has_point && decimals == 2) {
            if (text.data[i] != '0') {
                return ERR_MALFORMED;
            }
            continue;
        }
        decimals += has_point ? 1 : 0;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
        digits++;
        if (value > UINT32_MAX) {
            return ERR_TOO_LARGE;
        }
    }
    if (digits == 0 || (has_point && decimals == 0)) {
        return ERR_MALFORMED;
    }
    value *= decimals == 0 ? 100 : decimals == 1 ? 10 : 1;
    if (value > max) {
        return ERR_TOO_LARGE;
    }
    *ret_hundredths = (uint32_t)value;
    return OK;
}

/* Points of the letters A to F in hundredths; E is not part of the scale. */
static int letter_points(uint8_t letter, uint32_t *ret_points)
{
    static const char letters[] = "FDCBA";
    const char *at = letter == '\0' ? NULL : strchr(letters, letter & ~0x20);

    if (at == NULL) {
        return ERR_MALFORMED;
    }
    *ret_points = (uint32_t)(at - letters) * 100;
    return OK;
}

int import_grade_parse(struct slice text, uint32_t *ret_grade)
{
    static const char *const passed[] = {"P", "S", "CR", "pass", "passed"};
    uint32_t points = 0;

    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        if (is_word(text, passed[i])) {
            *ret_grade = 0;
            return OK;
        }
    }
    if (text.len > 0 && is_digit(text.data[0])) {
        if (import_hundredths_parse(text, GRADE_POINTS_MAX, &points) != OK) {
            return ERR_MALFORMED;
        }
        *ret_grade = points + 1;
        return OK;
    }
    if (text.len < 1 || text.len > 2 || letter_points(text.data[0], &points) != OK) {
        return ERR_MALFORMED;
    }
    if (text.len == 2) {
        bool is_plus = text.data[1] == '+';

        if ((!is_plus && text.data[1] != '-') || points == 0) {
            return ERR_MALFORMED;
        }
        points = is_plus ? points + 30 : points - 30;
    }
    *ret_grade = points + 1;
    return OK;
}

int import_level_parse(struct slice text, uint32_t max, uint32_t *ret_level)
{
    static const char *const years[] = {"freshman", "sophomore", "junior", "senior",
                                        "graduate"};
    uint64_t level = 0;

    for (size_t i = 0; i < sizeof years / sizeof years[0]; i++) {
        if (is_word(text, years[i])) {
            *ret_level = (uint32_t)i + 1;
            return OK;
        }
    }
    if (slice_parse_u64(text, max, &level) != OK || level == 0) {
        return ERR_MALFORMED;
    }
    *ret_level = (uint32_t)level;
    return OK;
}

bool import_is_slug(struct slice text)
{
    if (text.len == 0 || text.len > IMPORT_SLUG_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        bool is_inner = byte == '-' || byte == '.' || byte == '_';

        if (!is_digit(byte) && !(byte >= 'a' && byte <= 'z') && !(is_inner && i > 0)) {
            return false;
        }
    }
    return true;
}
