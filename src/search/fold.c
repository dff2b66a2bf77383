#include "search/fold.h"

#include "base/utf8.h"

/* clang-format off */
const uint8_t fold_ascii[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 0, 0, 0, 0, 0, 0,
    0, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
    112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 0, 0, 0, 0, 0,
    0, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
    112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 0, 0, 0, 0, 0,
};
/* clang-format on */

enum { PAGE_CODES = 64, TARGET_MASK = 0xFFF, KIND_SHIFT = 12 };

/* Scripts that need no page of their own: in whole blocks, each character folding to itself. */
static const struct range {
    uint32_t first;
    uint32_t last;
    enum fold_kind kind;
} ranges[] = {
    {0x00250, 0x002BF, FOLD_WORD}, /* phonetic letters */
    {0x00700, 0x00963, FOLD_WORD}, /* Syriac to Devanagari */
    {0x00966, 0x00DF3, FOLD_WORD}, /* Indic scripts, vowel signs included */
    {0x00E80, 0x00EFF, FOLD_GRAM}, /* Lao */
    {0x00F00, 0x00F0A, FOLD_WORD}, /* Tibetan, around its tsheg and shad marks */
    {0x00F15, 0x00FFF, FOLD_WORD},
    {0x01000, 0x0109F, FOLD_GRAM}, /* Burmese */
    {0x010A0, 0x010FF, FOLD_WORD}, /* Georgian */
    {0x01100, 0x011FF, FOLD_GRAM}, /* Hangul letters */
    {0x01200, 0x0177F, FOLD_WORD}, /* Ethiopic, Cherokee, Philippine scripts */
    {0x01780, 0x017FF, FOLD_GRAM}, /* Khmer */
    {0x01800, 0x01DFF, FOLD_WORD}, /* Mongolian to phonetic extensions */
    {0x02C00, 0x02DFF, FOLD_WORD}, /* Glagolitic, Coptic, Ethiopic extended */
    {0x02E80, 0x02FDF, FOLD_GRAM}, /* CJK radicals */
    {0x03100, 0x031FF, FOLD_GRAM}, /* bopomofo, Hangul letters, CJK strokes */
    {0x03400, 0x04DBF, FOLD_GRAM}, /* CJK extension A */
    {0x04E00, 0x09FFF, FOLD_GRAM}, /* CJK ideographs */
    {0x0A000, 0x0ABFF, FOLD_WORD}, /* Yi to Meetei Mayek */
    {0x0AC00, 0x0D7A3, FOLD_GRAM}, /* Hangul syllables */
    {0x0F900, 0x0FAFF, FOLD_GRAM}, /* CJK compatibility ideographs */
    {0x10000, 0x1CFFF, FOLD_WORD}, /* historic scripts */
    {0x20000, 0x3FFFF, FOLD_GRAM}, /* CJK extensions B and later */
};

static enum fold_kind kind_of(uint32_t code)
{
    size_t low = 0;
    size_t high = sizeof(ranges) / sizeof(ranges[0]);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > ranges[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == sizeof(ranges) / sizeof(ranges[0]) || code < ranges[low].first) {
        return FOLD_OTHER;
    }
    return ranges[low].kind;
}

static struct fold_char fold_paged(uint32_t code, size_t len)
{
    uint16_t entry =
        fold_page[fold_page_of[code / PAGE_CODES] * PAGE_CODES + code % PAGE_CODES];
    struct fold_char folded = {.kind = (enum fold_kind)(entry >> KIND_SHIFT),
                               .len = (uint32_t)len,
                               .count = 1,
                               .out = {code}};
    uint32_t target = entry & TARGET_MASK;
    if (target != 0) {
        folded.count = 0;
        while (folded.count < 4 && fold_target[target][folded.count] != 0) {
            folded.out[folded.count] = fold_target[target][folded.count];
            folded.count++;
        }
    }
    return folded;
}

struct fold_char fold_char_at(struct slice text, size_t at)
{
    uint8_t byte = text.data[at];
    if (byte < 0x80) {
        uint8_t low = fold_ascii[byte];
        enum fold_kind kind = low == 0 ? FOLD_OTHER : low <= '9' ? FOLD_DIGIT : FOLD_WORD;
        return (struct fold_char){kind, 1, 1, {low == 0 ? byte : low}};
    }
    size_t len = 0;
    uint32_t code = utf8_decode(text, at, &len);
    if (code < 0x10000 && fold_page_of[code / PAGE_CODES] != 0) {
        return fold_paged(code, len);
    }
    return (struct fold_char){kind_of(code), (uint32_t)len, 1, {code}};
}
