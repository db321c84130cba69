#!/usr/bin/env python3
"""Writes src/text/unicode_library_tables.inc: where tokenizers 0.23.3 is not Unicode 16.

Its parts were built with Unicode tables of several years: normal forms and accents with 10.0,
punctuation with an older one, numbers and lower case with 17.0. Each table here is what the library
does, asked of the library for every code point, as a difference from the categories of Unicode 16.

Needs: pip install unicodedata2==16.0.0 tokenizers==0.23.3
"""

import pathlib

import tokenizers
import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
CATEGORY = {code: unicodedata2.category(chr(code)) for code in CODES}


def of(*categories):
    return {code for code in CODES if CATEGORY[code].startswith(categories)}


def removed_by(pre_tokenizer):
    """The code points that a splitting pre-tokenizer takes for delimiters."""
    kept = set()
    for _, (begin, end) in pre_tokenizer.pre_tokenize_str("".join(map(chr, CODES))):
        kept.update(range(begin, end))
    return {code for place, code in enumerate(CODES) if place not in kept}


def word_characters():
    """\\w of Rust's regex: what stays in one piece between two letters."""
    text = "\n".join(f"a{chr(code)}a" for code in CODES)
    pieces = pre_tokenizers.Whitespace().pre_tokenize_str(text)
    return {ord(piece[1]) for piece, _ in pieces if len(piece) == 3 and piece[0] == piece[2] == "a"}


def numbers():
    """Rust's is_numeric."""
    text = "x".join(map(chr, CODES))
    pieces = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(text)
    return {
        CODES[a // 2] for piece, (a, b) in pieces if len(piece) == 1 and a % 2 == 0 and piece != "x"
    }


def inert_in_normal_forms():
    """Characters that have a decomposition or a combining class in Unicode 16, or are the first
    part of a composite, and that the library leaves alone because its tables are older."""
    forms = {
        "NFC": normalizers.NFC(),
        "NFD": normalizers.NFD(),
        "NFKC": normalizers.NFKC(),
        "NFKD": normalizers.NFKD(),
    }
    inert = set()
    for code in CODES:
        for form, library in forms.items():
            # U+0315 has combining class 232: most marks move before it.
            for text in (chr(code), "a\u0315" + chr(code), "a" + chr(code) + "\u0334"):
                if library.normalize_str(text) != unicodedata2.normalize(form, text):
                    inert.add(code)
    for code in CODES:
        parts = unicodedata2.normalize("NFD", chr(code))
        if code in inert and len(parts) == 2:
            composed = forms["NFC"].normalize_str(parts)
            if composed != unicodedata2.normalize("NFC", parts):
                inert.add(ord(parts[0]))
    return inert


def not_trivial_in_nfc():
    """Characters that NFC may change, move, or join with the one before."""
    result = set()
    for code in CODES:
        text = chr(code)
        if unicodedata2.normalize("NFC", text) != text or unicodedata2.combining(text):
            result.add(code)
        parts = unicodedata2.normalize("NFD", text)
        if len(parts) > 1:
            result.update(ord(part) for part in parts[1:])
    result.update(
        range(0x1161, 0x1176)
    )  # Hangul vowels and final consonants join what stands before
    result.update(range(0x11A8, 0x11C3))
    return result


def ranges(codes):
    runs = []
    for code in sorted(codes):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return runs


def wrapped(items, width=96):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 1 > width:
            lines.append(line)
            line = "   "
        line += " " + item
    return [*lines, line]


def range_table(name, comment, codes):
    runs = ranges(codes)
    rows = [f"{{{first:#x}, {last:#x}}}," for first, last in runs]
    return [f"// {comment}", f"inline constexpr CodeRange {name}[] = {{", *wrapped(rows), "};"]


def lower_case_table():
    lower = normalizers.Lowercase()
    runs = []
    for code in CODES:
        text = lower.normalize_str(chr(code))
        if text == chr(code) or len(text) > 1:
            continue
        delta = ord(text) - code
        last = runs[-1] if runs else None
        if (
            last
            and last[3] == delta
            and (code - last[1] == last[2] or (last[0] == last[1] and code - last[1] <= 2))
        ):
            last[2] = code - last[1]
            last[1] = code
        else:
            runs.append([code, code, 1, delta])
    rows = [f"{{{a:#x}, {b:#x}, {step}, {delta}}}," for a, b, step, delta in runs]
    return [
        "// first, last, step, what to add (U+0130 alone becomes two characters).",
        "inline constexpr CaseRun kLowerCase[] = {",
        *wrapped(rows),
        "};",
    ]


def main():
    assert unicodedata2.unidata_version == "16.0.0" and tokenizers.__version__ == "0.23.3"
    word = of("L", "M", "Nd", "Nl", "Pc")
    onig = removed_by(pre_tokenizers.Split(Regex(r"\w"), "removed"))
    ascii_symbols = {code for code in range(128) if CATEGORY[code][0] == "S"}
    punctuation = of("P") | ascii_symbols
    library_punctuation = removed_by(pre_tokenizers.Punctuation("removed"))
    strip = normalizers.StripAccents()
    accents = {code for code in CODES if strip.normalize_str("a" + chr(code)) == "a"}
    assert not word - onig and not word - word_characters() and not of("N") - numbers()
    blocks = [0] * (0x110000 // 128)
    for code in not_trivial_in_nfc():
        blocks[code // 128] = 1
    while blocks and not blocks[-1]:
        blocks.pop()
    bits = [
        sum(b << i for i, b in enumerate(blocks[at : at + 8])) for at in range(0, len(blocks), 8)
    ]
    lines = [
        "// What tokenizers 0.23.3 does where it is not Unicode 16, written by",
        "// tools/unicode_library_tables.py; do not edit.",
        *range_table(
            "kWordExtra",
            r"In Rust's \w, but no letter, mark, digit, connector.",
            word_characters() - word,
        ),
        *range_table(
            "kOnigurumaWordExtra", r"In Oniguruma's \w, but none of those either.", onig - word
        ),
        *range_table(
            "kPunctuationExtra",
            "Punctuation to the library only.",
            library_punctuation - punctuation,
        ),
        *range_table(
            "kPunctuationMissing",
            "Punctuation, but not to the library.",
            punctuation - library_punctuation,
        ),
        *range_table("kNumberExtra", "Numbers since Unicode 17.", numbers() - of("N")),
        *range_table("kAccentExtra", "Removed as accents, but no marks.", accents - of("M")),
        *range_table("kAccentMissing", "Marks that are not removed.", of("M") - accents),
        *range_table(
            "kInert", "Not yet there for the library's normal forms.", inert_in_normal_forms()
        ),
        *lower_case_table(),
        "// Bit i of byte b: the block of 128 code points number 8 b + i has some that NFC changes.",
        f"inline constexpr u8 kNfcBlocks[{len(bits)}] = {{",
        *wrapped([f"{b}," for b in bits]),
        "};",
    ]
    path = pathlib.Path(__file__).parent.parent / "src/text/unicode_library_tables.inc"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {len(lines)} lines")


if __name__ == "__main__":
    main()
