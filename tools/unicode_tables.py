#!/usr/bin/env python3
"""Writes src/text/unicode_tables.inc: the general category of every code point, Unicode 16.0.

Hugging Face tokenizers 0.23.3 splits text with a regex engine that knows Unicode 16.0 (checked over
all code points: see tools/fuzz_tokenizer.py --unicode). A newer or older table would cut words
with letters of the difference differently, so the version is pinned here and does not follow the
machine.

Needs: pip install unicodedata2==16.0.0
"""

import pathlib

import unicodedata2

BLOCK = 256
CATEGORIES = (
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
)
# Control characters that have the property White_Space; they get a letter of their own.
CONTROL_SPACE = {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85}


def letter(code: int) -> str:
    if code in CONTROL_SPACE:
        index = len(CATEGORIES)
    else:
        category = unicodedata2.category(chr(code))
        index = CATEGORIES.index("Cn" if category == "Cs" else category)  # no text holds surrogates
    return chr(ord("a") + index)


def main() -> None:
    assert unicodedata2.unidata_version == "16.0.0", unicodedata2.unidata_version
    blocks: dict[str, int] = {}
    index: list[int] = []
    for start in range(0, 0x110000, BLOCK):
        text = "".join(letter(code) for code in range(start, start + BLOCK))
        index.append(blocks.setdefault(text, len(blocks)))
    assert len(blocks) <= 256
    lines = [
        "// Unicode 16.0 general categories, written by tools/unicode_tables.py; do not edit.",
        "// A letter of kCategoryBlocks is 'a' + Category; kCategoryIndex gives the block of "
        "code >> 8.",
        "",
        f"inline constexpr u8 kCategoryIndex[{len(index)}] = {{",
    ]
    for start in range(0, len(index), 19):
        lines.append("    " + " ".join(f"{block}," for block in index[start : start + 19]))
    lines += ["};", f"inline constexpr char kCategoryBlocks[{len(blocks)}][{BLOCK} + 1] = {{"]
    for text in blocks:
        for start in range(0, BLOCK, 86):
            end = "," if start + 86 >= BLOCK else ""
            lines.append(f'    "{text[start : start + 86]}"{end}')
    lines.append("};")
    path = pathlib.Path(__file__).parent.parent / "src/text/unicode_tables.inc"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {len(blocks)} blocks, {len(lines)} lines")


if __name__ == "__main__":
    main()
