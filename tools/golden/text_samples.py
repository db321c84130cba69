"""Random texts that tokenizers stumble over, from a seed.

A text is a handful of pieces; a piece is a run of one Unicode category or script, white space, a
contraction, a number, code, a formula, an emoji sequence, combining marks, or a token's own name.
"""

import random
import sys
import unicodedata

SCRIPTS = {
    "latin": (0x41, 0x17F),
    "greek": (0x370, 0x3FF),
    "cyrillic": (0x400, 0x4FF),
    "hebrew": (0x590, 0x5FF),
    "arabic": (0x600, 0x6FF),
    "devanagari": (0x900, 0x97F),
    "thai": (0xE00, 0xE7F),
    "jamo": (0x1100, 0x11FF),
    "kana": (0x3040, 0x30FF),
    "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
    "fullwidth": (0xFF00, 0xFFEF),
    "emoji": (0x1F300, 0x1FAFF),
    "math": (0x1D400, 0x1D7FF),
    "marks": (0x300, 0x36F),
    "punctuation": (0x2000, 0x206F),
    "arrows": (0x2190, 0x22FF),
    "compat": (0xF900, 0xFAFF),
    "ascii": (0x20, 0x7E),
    "control": (0x00, 0x1F),
    "rare": (0x10000, 0x1FFFF),
}
SPACES = [
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u200b",
    "\x0b",
    "\x0c",
    "\x85",
    "\u180e",
    " \n",
    "\n\n\n",
    "\t\t",
    "\u2003",
    "\ufeff",
    "    ",
    "▁",
    "▁▁",
]
WORDS = [
    "the",
    "Hello",
    "world",
    "it's",
    "I'LL",
    "don't",
    "WE'RE",
    "you'Ve",
    "l'été",
    "naïve",
    "straße",
    "iPhone",
    "HTTPServer",
    "camelCase",
    "snake_case",
    "über",
    "Ωmega",
    "Привет",
    "你好",
    "世界",
    "こんにちは",
    "カタカナ",
    "안녕하세요",
    "مرحبا",
    "नमस्ते",
    "ไทย",
    "'ſ",
    "'S",
    "'t",
    "'",
    "''",
    "ﬁn",
    "Ⅷ",
    "½",
    "x²",
    "ＡＢＣ",
    "e\u0301",
    "A\u030a",
    "ǅ",
    "ſ",
    "İ",
    "Kelvin",
    "<s>",
    "</s>",
    "<unk>",
    "<0x0A>",
    "<0xFF>",
    "[INST]",
    "[/INST]",
    "Ġ",
    "Ċ",
    "<|",
    "|>",
    "<｜",
    "▁of",
    "．",
    "。",
    "，",
    "！？",
]
NUMBERS = [
    "0",
    "7",
    "12",
    "123",
    "1234",
    "12345",
    "3.14",
    "1,000,000",
    "1e-5",
    "٣٤٥",
    "१२",
    "①②",
    "0x1F",
    "2024-11-24",
    "100%",
    "$5",
    "№5",
    "1/2",
    "٪",
    "३",
    "1st",
    "v2.0",
]
CODE = [
    "def f(x):\n    return x+1\n",
    "for(int i=0;i<n;++i){a[i]*=2;}",
    "x = y if z else None",
    '<div class="a">&nbsp;</div>',
    "SELECT * FROM t WHERE a='b';",
    "#include <vector>\n",
    "a->b::c<d>()",
    "\\frac{a}{b}",
    "$\\sum_{i=1}^{n} x_i^2$",
    "E=mc²",
    "∫₀^∞ e^{-x²} dx = √π/2",
    '{"k": [1, 2.5, null]}',
    "http://example.com/c?d=e&f#g",
    "!!!",
    "...",
    "----",
    "/*x*/",
    "//\n//",
    "\n/",
    "```py\n",
    "~~~",
    "@@",
    "a\tb",
    "}\n\n{",
    "==>",
    ":-)",
    "!\n\n",
]
EMOJI = [
    "😀",
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "👍🏽",
    "🇩🇪",
    "❤️",
    "1️⃣",
    "🧑🏿‍🚀",
    "☠",
    "\u200d",
    "\ufe0f",
    "🇩",
    "🫠",
]


def is_text(code):
    return code < 0x110000 and not 0xD800 <= code < 0xE000


def by_category():
    table = {}
    for code in range(sys.maxunicode + 1):
        if is_text(code):
            table.setdefault(unicodedata.category(chr(code)), []).append(code)
    return table


class Samples:
    def __init__(self, seed, special=()):
        self.random = random.Random(seed)
        self.special = list(special)
        self.categories = by_category()

    def run_of(self, pick):
        return "".join(chr(pick()) for _ in range(self.random.choice((1, 1, 2, 3, 5, 9))))

    def piece(self):
        r = self.random
        kind = r.randrange(13)
        if kind == 0:
            codes = self.categories[r.choice(list(self.categories))]
            return self.run_of(lambda: r.choice(codes))
        if kind == 1:
            low, high = SCRIPTS[r.choice(list(SCRIPTS))]
            return self.run_of(lambda: r.randint(low, high))
        if kind in (2, 3):
            return "".join(r.choice(SPACES) for _ in range(r.choice((1, 1, 2, 4))))
        if kind in (4, 5, 6):
            return r.choice(("", " ", " ")) + r.choice(WORDS)
        if kind == 7:
            return r.choice(("", " ")) + r.choice(NUMBERS)
        if kind == 8:
            return r.choice(CODE)
        if kind == 9:
            return "".join(r.choice(EMOJI) for _ in range(r.choice((1, 2, 4))))
        if kind == 10:
            if not self.special:
                return "<s>"
            token = r.choice(self.special)
            return token if r.random() < 0.8 else token[: r.randrange(len(token)) + 1]
        if kind == 11:
            unit = r.choice(("a", " ", "\n", "=", "哈", "1", "é", "aB", "\u0301", "😀", "▁"))
            return unit * r.choice((2, 3, 7, 16, 60))
        return self.run_of(lambda: r.randint(0x20, 0x7E))

    def text(self):
        return "".join(self.piece() for _ in range(self.random.choice((1, 2, 2, 3, 4, 6, 10))))
