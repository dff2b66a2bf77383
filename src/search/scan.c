#include "search/scan.h"

#include <string.h>

#include "search/fold.h"

enum { BLOCK = 64 };

#define ONES (UINT64_MAX / 255) /* a one in each byte */

static uint32_t start_two(const uint8_t *bytes)
{
    return (bytes[0] * 31U + bytes[1]) % SCAN_TWO_BITS;
}

static uint32_t start_three(const uint8_t *bytes)
{
    return (bytes[0] * 961U + bytes[1] * 31U + bytes[2] * 7U) % SCAN_THREE_BITS;
}

void scan_starts_add(struct scan_starts *starts, struct slice way)
{
    uint8_t bytes[3] = {way.data[0], way.len > 1 ? way.data[1] : 0,
                        way.len > 2 ? way.data[2] : 0};
    if (!starts->first[bytes[0]] && bytes[0] < 0x80 &&
        starts->letters_count <= SCAN_LETTERS_MAX) {
        starts->letters[starts->letters_count % SCAN_LETTERS_MAX] = bytes[0];
        starts->letters_count++;
    }
    starts->first[bytes[0]] = true;
    if (way.len > 2) {
        starts->three[start_three(bytes) / 64] |= 1ULL << start_three(bytes) % 64;
    } else {
        starts->two[start_two(bytes) / 64] |= 1ULL << start_two(bytes) % 64;
    }
}

/* Whether a way of the query may begin like a word with these three bytes (0 beyond its end).
 */
static bool has_start(const struct scan_starts *starts, const uint8_t bytes[3])
{
    uint32_t three = start_three(bytes);
    uint32_t two = start_two(bytes);
    return ((starts->three[three / 64] >> three % 64 | starts->two[two / 64] >> two % 64) &
            1) != 0;
}

/* Move to the end of the word in whose middle @at stands. */
static size_t word_rest(struct slice text, size_t at)
{
    while (at < text.len) {
        if (fold_ascii[text.data[at]] != 0) {
            at++;
            continue;
        }
        if (text.data[at] < 0x80) {
            break;
        }
        struct fold_char folded = fold_char_at(text, at);
        if (folded.kind == FOLD_OTHER || folded.kind == FOLD_GRAM) {
            break;
        }
        at += folded.len;
    }
    return at;
}

/* Whether the character at tokens->at is one of U+3000 to U+D7FF, all of which fold to
 * themselves, and no way of the query begins with it: then no pair that begins here can match,
 * and it is passed over. */
static bool skip_character(struct tokens *tokens, const struct scan_starts *starts)
{
    struct slice text = tokens->text;
    const uint8_t *bytes = text.data + tokens->at;
    if (text.len - tokens->at < 3 || bytes[0] < 0xE3 || bytes[0] > 0xED ||
        has_start(starts, bytes)) {
        return false;
    }
    tokens->is_inside =
        bytes[0] != 0xE3 || bytes[1] != 0x80; /* behind punctuation a run begins anew */
    tokens->at += 3;
    return true;
}

/* Whether a way of the query may begin like the word of ASCII letters and digits at @at. */
static bool may_match(const struct scan *scan, size_t at)
{
    struct slice text = scan->tokens.text;
    uint8_t first = fold_ascii[text.data[at]];
    if (!scan->starts->first[first]) {
        return false;
    }
    uint8_t second = at + 1 < text.len ? text.data[at + 1] : 0;
    uint8_t third = at + 2 < text.len ? text.data[at + 2] : 0;
    bool is_plain = second < 0x80 && third < 0x80 && second != '+' && second != '#' &&
                    third != '+' && third != '#';
    uint8_t bytes[3] = {first, fold_ascii[second],
                        fold_ascii[second] == 0 ? 0 : fold_ascii[third]};
    return !is_plain || has_start(scan->starts, bytes);
}

/* Bit 7 of each byte that is at least @low and at most @high, for bytes and bounds below 0x80.
 */
static uint64_t bytes_between(uint64_t bytes, uint64_t low, uint64_t high)
{
    return (bytes + ONES * (0x80 - low)) & ~(bytes + ONES * (0x7F - high)) & ONES * 0x80;
}

/* Bit 7 of each byte, gathered; the first byte's becomes bit 0. */
static uint64_t gathered(uint64_t bits)
{
    return (bits >> 7) * 0x0102040810204080ULL >> 56;
}

/* What the bytes of a block are, the first one lowest. */
struct block_bits {
    uint64_t letters; /* letters or digits of ASCII */
    uint64_t firsts;  /* of those, at least the ones that a way begins with */
    uint64_t leads;   /* beginnings of characters beyond ASCII */
    uint64_t others;  /* all bytes of those */
};

/* Eight bytes as a number, the first one lowest; written so that compilers see one load. */
static uint64_t eight_bytes(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
           (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

/* A block that the text's end cuts short. */
static struct block_bits block_last(const uint8_t *from, size_t len)
{
    struct block_bits bits = {0};
    for (size_t i = 0; i < len && i < BLOCK; i += 8) {
        uint8_t last[8] = {0};
        memcpy(last, from + i, len - i < 8 ? len - i : 8);
        uint64_t bytes = eight_bytes(last);
        uint64_t high = bytes & ONES * 0x80;
        uint64_t low = bytes & ONES * 0x7F;
        uint64_t found =
            bytes_between(low | ONES * 0x20, 'a', 'z') | bytes_between(low, '0', '9');
        bits.letters |= gathered(found & ~high) << i;
        bits.leads |= gathered(high & bytes << 1) << i;
        bits.others |= gathered(high) << i;
    }
    bits.firsts = bits.letters;
    return bits;
}

#if defined(__SSE2__)
typedef uint8_t sixteen __attribute__((vector_size(16)));
typedef signed char sixteen_signed __attribute__((vector_size(16)));

static sixteen sixteen_of(int byte)
{
    return (sixteen){0} + (uint8_t)byte;
}

/* All ones in bytes that are at least @low and at most @high, for bounds below 0x80: moved up
 * to the largest of signed bytes they are above all others, and wrap around to themselves only.
 */
static sixteen sixteen_between(sixteen bytes, int low, int high)
{
    sixteen moved = bytes + sixteen_of(0x7F - high);
    sixteen below = sixteen_of(0x7F - high + low - 1);
    return (sixteen)((sixteen_signed)moved > (sixteen_signed)below);
}

/* Bit 7 of each byte, gathered. */
static uint64_t sixteen_bits(sixteen bytes)
{
    return (uint32_t)__builtin_ia32_pmovmskb128((char __attribute__((vector_size(16))))bytes);
}

static struct block_bits sixteen_find(const uint8_t *from, const struct scan_starts *starts)
{
    sixteen bytes;
    memcpy(&bytes, from, sizeof(bytes));
    sixteen low = bytes | sixteen_of(0x20);
    sixteen letters = sixteen_between(low, 'a', 'z') | sixteen_between(bytes, '0', '9');
    sixteen firsts = letters;
    if (starts->letters_count <= SCAN_LETTERS_MAX) {
        sixteen found = sixteen_of(0);
        for (uint32_t i = 0; i < starts->letters_count; i++) {
            found |= (sixteen)(low == sixteen_of(starts->letters[i]));
        }
        firsts &= found;
    }
    return (struct block_bits){
        .letters = sixteen_bits(letters),
        .firsts = sixteen_bits(firsts),
        .leads = sixteen_bits(bytes & (bytes + bytes)),
        .others = sixteen_bits(bytes),
    };
}

static struct block_bits block_whole(const uint8_t *from, const struct scan_starts *starts)
{
    struct block_bits bits = {0};
    for (uint32_t i = 0; i < BLOCK; i += 16) {
        struct block_bits part = sixteen_find(from + i, starts);
        bits.letters |= part.letters << i;
        bits.firsts |= part.firsts << i;
        bits.leads |= part.leads << i;
        bits.others |= part.others << i;
    }
    return bits;
}
#else
static struct block_bits block_whole(const uint8_t *from, const struct scan_starts *starts)
{
    (void)starts;
    return block_last(from, BLOCK);
}
#endif

/* Find the places of the block at scan->block. */
static void block_find(struct scan *scan)
{
    struct slice text = scan->tokens.text;
    if (text.len == 0) {
        return;
    }
    const uint8_t *from = text.data + scan->block;
    size_t left = text.len - scan->block;
    struct block_bits bits =
        left >= BLOCK ? block_whole(from, scan->starts) : block_last(from, left);
    uint64_t before = (bits.letters | bits.others) << 1;
    if (scan->block > 0) {
        uint8_t last = text.data[scan->block - 1];
        before |= last >= 0x80 || fold_ascii[last] != 0 ? 1 : 0;
    }
    scan->places = (bits.firsts & ~before) | bits.leads;
}

struct scan scan_of(struct slice text, const struct scan_starts *starts)
{
    struct scan scan = {.starts = starts, .tokens = tokens_of(text, true, false)};
    block_find(&scan);
    return scan;
}

/* The next place that is not behind the tokens, or the text's length. */
static size_t place_next(struct scan *scan)
{
    size_t len = scan->tokens.text.len;
    for (;;) {
        while (scan->places == 0) {
            if (scan->block + BLOCK >= len) {
                return len;
            }
            scan->block += BLOCK;
            block_find(scan);
        }
        size_t place = scan->block + (size_t)__builtin_ctzll(scan->places);
        scan->places &= scan->places - 1;
        if (place >= scan->tokens.at) {
            return place;
        }
    }
}

/* Go on from @place. Two characters of a script without spaces are side by side only where
 * nothing but one blank was passed over. */
static void move_to(struct scan *scan, size_t place)
{
    size_t at = scan->tokens.at;
    bool is_beside = place == at || (place == at + 1 && scan->tokens.text.data[at] == ' ');
    scan->tokens.is_inside = scan->tokens.is_inside && is_beside;
    scan->tokens.at = place;
}

/* Whether the character beyond ASCII at @place is done with: inside a word that begins
 * otherwise, or one that no way begins with. */
static bool is_passed(struct scan *scan, size_t place)
{
    struct slice text = scan->tokens.text;
    if (place > scan->tokens.at && fold_ascii[text.data[place - 1]] != 0) {
        size_t end = word_rest(text, place);
        if (end > place) {
            move_to(scan, end);
            return true;
        }
    }
    move_to(scan, place);
    if (skip_character(&scan->tokens, scan->starts)) {
        return true;
    }
    enum fold_kind kind = fold_char_at(text, place).kind;
    scan->tokens.is_inside = scan->tokens.is_inside && (kind == FOLD_GRAM || kind == FOLD_DROP);
    return false;
}

/* Find the place where the next token that may match begins. Returns: false at the end. */
static bool place_find(struct scan *scan)
{
    struct slice text = scan->tokens.text;
    for (;;) {
        size_t at = scan->tokens.at;
        /* A word right behind a character beyond ASCII has no place of its own. */
        if (at > scan->looked && at < text.len && text.data[at - 1] >= 0x80 &&
            fold_ascii[text.data[at]] != 0) {
            scan->looked = at;
            scan->tokens.is_inside = false;
            if (may_match(scan, at)) {
                return true;
            }
        }
        size_t place = place_next(scan);
        if (place == text.len) {
            return false;
        }
        if (text.data[place] >= 0x80) {
            if (!is_passed(scan, place)) {
                return true;
            }
        } else if (may_match(scan, place)) {
            scan->tokens.at = place;
            scan->tokens.is_inside = false;
            return true;
        }
    }
}

bool scan_next(struct scan *scan, struct token *token)
{
    while (place_find(scan)) {
        if (token_next(&scan->tokens, token) == TOKEN_END) {
            return false;
        }
        uint8_t bytes[3] = {token->text[0], token->len > 1 ? token->text[1] : 0,
                            token->len > 2 ? token->text[2] : 0};
        if (has_start(scan->starts, bytes)) {
            return true;
        }
    }
    return false;
}
