#include "search/code.h"

#include "base/utf8.h"
#include "search/fold.h"

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_dot_inside(struct slice text, size_t at)
{
    return text.data[at] == '.' && at > 0 && at + 1 < text.len && is_digit(text.data[at - 1]) &&
           is_digit(text.data[at + 1]);
}

/* Whether the digit about to be written would be a zero that leads a number behind letters. */
static bool is_leading_zero(const struct code_key *key, uint32_t digit, struct slice text,
                            size_t next)
{
    if (digit != '0' || key->len == 0 || is_digit(key->data[key->len - 1]) ||
        key->data[key->len - 1] == '.') {
        return false;
    }
    return next < text.len && is_digit(text.data[next]);
}

static bool key_append(struct code_key *key, const struct fold_char *folded)
{
    for (uint32_t i = 0; i < folded->count; i++) {
        uint8_t bytes[UTF8_BYTES_MAX];
        size_t len = utf8_encode(folded->out[i], bytes);
        if (key->len + len > CODE_KEY_BYTES_MAX) {
            return false;
        }
        memcpy(key->data + key->len, bytes, len);
        key->len = (uint8_t)(key->len + len);
    }
    return true;
}

bool code_key_of(struct slice text, struct code_key *key)
{
    *key = (struct code_key){0};
    for (size_t at = 0; at < text.len;) {
        struct fold_char folded = fold_char_at(text, at);
        size_t next = at + folded.len;
        if (folded.kind == FOLD_OTHER && is_dot_inside(text, at)) {
            folded.kind = FOLD_WORD;
            key->has_dot = true;
        } else if (folded.kind == FOLD_DIGIT) {
            key->has_digit = true;
        } else if (folded.kind == FOLD_WORD || folded.kind == FOLD_GRAM) {
            key->has_letter = true;
        }
        bool is_kept = folded.kind != FOLD_OTHER && folded.kind != FOLD_DROP &&
                       !is_leading_zero(key, folded.out[0], text, next);
        if (is_kept && !key_append(key, &folded)) {
            return false;
        }
        at = next;
    }
    return key->len > 0;
}

bool code_name_of(struct slice text, struct code_key *key)
{
    *key = (struct code_key){0};
    key->len = (uint8_t)(text.len < CODE_KEY_BYTES_MAX ? text.len : CODE_KEY_BYTES_MAX);
    for (uint32_t i = 0; i < key->len; i++) {
        uint8_t byte = text.data[i];
        key->data[i] = fold_ascii[byte] != 0 ? fold_ascii[byte] : byte;
    }
    return key->len > 0;
}

/* A part that begins with its number takes the letters of the first part: "ABC 20/21". */
static bool part_complete(const struct code_key *first, struct code_key *part)
{
    if (!is_digit(part->data[0]) || !first->has_letter || is_digit(first->data[0])) {
        return true;
    }
    uint8_t letters = 0;
    while (letters < first->len && !is_digit(first->data[letters])) {
        letters++;
    }
    if (part->len + letters > CODE_KEY_BYTES_MAX) {
        return false;
    }
    memmove(part->data + letters, part->data, part->len);
    memcpy(part->data, first->data, letters);
    part->len = (uint8_t)(part->len + letters);
    part->has_letter = true;
    return true;
}

uint32_t code_parts(struct slice code, struct code_key keys[CODE_PARTS_MAX])
{
    uint32_t count = 0;
    struct slice rest = code;
    bool is_more = true;
    while (is_more && count < CODE_PARTS_MAX) {
        struct slice part;
        is_more = slice_cut(rest, '/', &part, &rest);
        bool is_part = code_key_of(part, &keys[count]) && keys[count].has_digit &&
                       (count == 0 || part_complete(&keys[0], &keys[count]));
        if (!is_part) {
            /* Not a list of codes after all ("ABC 20A/B"): the whole of it is a key as well. */
            return code_key_of(code, &keys[count]) ? count + 1 : count;
        }
        count++;
    }
    return count;
}

uint32_t code_number(struct slice number)
{
    size_t at = 0;
    while (at < number.len && !is_digit(number.data[at])) {
        at++;
    }
    uint64_t value = 0;
    for (; at < number.len && is_digit(number.data[at]); at++) {
        value = value * 10 + (uint64_t)(number.data[at] - '0');
        value = value > 1000000000 ? 1000000000 : value;
    }
    return (uint32_t)value;
}
