/* search/code.h -- course codes as keys: what must be equal is equal, what must differ differs.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 4
 *
 * The key of a code is its letters and digits, folded, without blanks and dashes; a dot between
 * two digits stays (10.87 is not 1.087), and zeros that lead a number behind letters go (ABC
 * 0150 is ABC150). A code that is several codes ("ABC 238/DEF 268") has a key for each part.
 */
#ifndef CARILLON_SEARCH_CODE_H
#define CARILLON_SEARCH_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { CODE_KEY_BYTES_MAX = 64, CODE_PARTS_MAX = 8 };

struct code_key {
    uint8_t len;
    bool has_digit;
    bool has_letter;
    bool has_dot;
    uint8_t data[CODE_KEY_BYTES_MAX];
};

static inline struct slice code_key_slice(const struct code_key *key)
{
    return (struct slice){key->data, key->len};
}

/* The key of @text. Returns: false when it has no letter or digit, or is longer than a key. */
bool code_key_of(struct slice text, struct code_key *ret_key);

/* The key of the name of an institution or term: as written, but for the case of ASCII letters;
 * cut after a key's length. Returns: false when it is empty. */
bool code_name_of(struct slice text, struct code_key *ret_key);

/* The keys of @code: of its parts where it has several, else its own alone. Returns: how many.
 */
uint32_t code_parts(struct slice code, struct code_key ret_keys[CODE_PARTS_MAX]);

/* The first run of digits in @number as a number (saturating at 10^9), or 0 without digits. */
uint32_t code_number(struct slice number);

#endif
