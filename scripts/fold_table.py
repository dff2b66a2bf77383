#!/usr/bin/env python3
"""Write src/search/fold_table.c: what the search makes of each character, from the Unicode data of Python.

Ranges covered: Latin (0080-024F, 1E00-1EFF), combining marks (0300-036F), Greek (0370-03FF, 1F00-1FFF), Cyrillic
(0400-052F), Armenian, Hebrew and Arabic (0530-06FF), Thai (0E00-0E7F), punctuation to number forms (2000-21FF),
enclosed letters and digits (2400-24FF), CJK punctuation and kana (3000-30FF), ligatures (FB00-FB7F), width forms and
marks (FE00-FFFF). Everything else is classed by src/search/fold.c in whole ranges and maps to itself.
"""
import sys
import unicodedata

PAGE = 64
RANGES = [(0x80, 0x250), (0x2C0, 0x700), (0xE00, 0xE80), (0x1E00, 0x2200), (0x2440, 0x2500), (0x3000, 0x3100),
          (0xFB00, 0xFB80), (0xFE00, 0x10000)]
OTHER, WORD, DIGIT, GRAM, DROP = range(5)
BY_HAND = {'ß': 'ss', 'ẞ': 'ss', 'æ': 'ae', 'Æ': 'ae', 'œ': 'oe', 'Œ': 'oe', 'ø': 'o', 'Ø': 'o', 'ł': 'l', 'Ł': 'l',
           'đ': 'd', 'Đ': 'd', 'ð': 'd', 'Ð': 'd', 'þ': 'th', 'Þ': 'th', 'ħ': 'h', 'Ħ': 'h', 'ı': 'i', 'İ': 'i',
           'ŋ': 'n', 'Ŋ': 'n', 'ŧ': 't', 'Ŧ': 't', 'ĸ': 'k', 'ſ': 's', 'ƒ': 'f', 'ə': 'e', 'Ə': 'e', 'ς': 'σ'}
DROPPED = [(0x00AD, 0x00AD), (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05C7), (0x0610, 0x061A), (0x0640, 0x0640),
           (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064),
           (0x3099, 0x309A), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0xFEFF, 0xFEFF)]


def folded(char):
    if char in BY_HAND:
        return BY_HAND[char]
    out = ''
    keep_marks = 0x3040 <= ord(char) <= 0x30FF or 0xFF65 <= ord(char) <= 0xFF9F or 0xE00 <= ord(char) < 0xE80
    form = unicodedata.normalize('NFKC' if keep_marks else 'NFKD', char)
    for part in form.casefold():
        if keep_marks or not unicodedata.combining(part):
            out += BY_HAND.get(part, part)
    return ''.join(c for c in out if keep_marks or unicodedata.category(c)[0] in 'LNS') if len(out) > 1 else out


def digit(char):
    value = unicodedata.digit(char, None)
    return None if value is None else str(value)


def kind(char):
    code = ord(char)
    if any(low <= code <= high for low, high in DROPPED):
        return DROP
    if 0xE00 <= code < 0xE80:
        return GRAM if unicodedata.category(char)[0] in 'LM' else OTHER
    if 0x3040 <= code <= 0x30FF and char not in '゠・' or char in '々〆〇' or 0xFF66 <= code <= 0xFFDC:
        return GRAM
    category = unicodedata.category(char)
    return WORD if category[0] == 'L' or category in ('Nl', 'No') else OTHER


def entry(code, targets):
    char = chr(code)
    value = digit(char)
    if value is not None:
        return DIGIT, value
    what = kind(char)
    if what in (OTHER, DROP):
        text = folded(char)
        if what == OTHER and 0xFF00 <= code and len(text) == 1 and ord(text) < 128 and code != 0xFFFD:
            return OTHER, text
        return what, ''
    text = folded(char)
    if len(text) > 4 or any(ord(c) > 0xFFFF for c in text) or text == char:
        text = ''
    if text and all(c.isdigit() for c in text):
        what = DIGIT
    return what, text


def main():
    targets, pages, index = {'': 0}, {}, {}
    for low, high in RANGES:
        for first in range(low - low % PAGE, high, PAGE):
            row = []
            for code in range(first, first + PAGE):
                what, text = entry(code, targets)
                row.append(what << 12 | targets.setdefault(text, len(targets)))
            index[first // PAGE] = pages.setdefault(tuple(row), len(pages) + 1)
    out = sys.stdout
    out.write('/* search/fold_table.c -- written by scripts/fold_table.py from Unicode %s; not edited by hand. */\n'
              '#include "search/fold.h"\n\n/* clang-format off */\n' % unicodedata.unidata_version)

    def numbers(name, values, per_line, form):
        out.write(name + ' = {\n')
        for at in range(0, len(values), per_line):
            out.write('    ' + ' '.join(form % v for v in values[at:at + per_line]) + '\n')
        out.write('};\n\n')

    numbers('const uint8_t fold_page_of[1024]', [index.get(i, 0) for i in range(1024)], 32, '%d,')
    values = [v for row in [tuple([0] * PAGE)] + list(pages) for v in row]
    numbers('const uint16_t fold_page[%d]' % len(values), values, 16, '%d,')
    flat = [','.join(str(ord(c)) for c in text.ljust(1, '\0')) for text in targets]
    numbers('const uint16_t fold_target[%d][4]' % len(targets), flat, 6, '{%s},')
    out.write('/* clang-format on */\n')


main()
