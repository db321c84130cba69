#!/usr/bin/env python3
"""Draws a recorded terminal session as an SVG picture, as the README shows one.

    script -q -c "build/release/orrery run" session.txt      (talk, then leave)
    tools/terminal_picture.py session.txt docs/pictures/terminal.svg --title "orrery run"

It follows the part of a terminal's language that our program and a shell speak: text, colours and
weights, grounds, wide characters, carriage return, moving, erasing. It keeps everything that
scrolled by. What it does not do: animation, the alternate screen.
"""

import argparse
import pathlib
import re
import sys
import unicodedata
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

PALETTE = ["#2e3440", "#bf616a", "#a3be8c", "#ebcb8b", "#81a1c1", "#b48ead", "#88c0d0", "#d8dee9"]
BRIGHT = ["#4c566a", "#d08770", "#b5d19c", "#f0d399", "#8fb4dd", "#c9a3c4", "#8fd3dd", "#eceff4"]
INK, PAPER, BAR, DIM = "#d8dee9", "#20242c", "#2b303b", "#7b8494"
CELL_WIDTH, LINE_HEIGHT, MARGIN, TITLE_HEIGHT = 8.4, 19, 16, 30
BAR_CHARACTER = "│"

# One step of the stream: a control sequence, an operating-system command, another escape, a control
# character, or text.
STEP = re.compile(
    r"\x1b\[(?P<private>[?>=]?)(?P<numbers>[\d;]*)(?P<verb>[A-Za-z])"
    r"|\x1b\](?:[^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b."
    r"|(?P<control>[\x00-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)


def of_256(code):
    """A colour of the 256 that terminals have: 16, a cube of 6 x 6 x 6, and greys."""
    if code < 16:
        return (PALETTE + BRIGHT)[code]
    if code >= 232:
        return "#" + f"{8 + 10 * (code - 232):02x}" * 3
    steps = [0, 95, 135, 175, 215, 255]
    red, rest = divmod(code - 16, 36)
    return f"#{steps[red]:02x}{steps[rest // 6]:02x}{steps[rest % 6]:02x}"


def cells(character):
    """How many columns a terminal gives to it."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True)
class Style:
    colour: str = INK
    ground: str = ""
    bold: bool = False
    italic: bool = False


def styled(style, numbers):
    """The style after `ESC [ numbers m`."""
    queue = [int(number or 0) for number in numbers.split(";")]
    while queue:
        code = queue.pop(0)
        if code == 0:
            style = Style()
        elif code == 1:
            style = replace(style, bold=True)
        elif code == 2:
            style = replace(style, colour=DIM)
        elif code == 3:
            style = replace(style, italic=True)
        elif code == 22:
            style = replace(style, bold=False, colour=INK)
        elif code == 23:
            style = replace(style, italic=False)
        elif 30 <= code <= 37:
            style = replace(style, colour=PALETTE[code - 30])
        elif 90 <= code <= 97:
            style = replace(style, colour=BRIGHT[code - 90])
        elif code == 39:
            style = replace(style, colour=INK)
        elif code == 49:
            style = replace(style, ground="")
        elif code in (38, 48) and queue[:1] == [5]:
            _, number = queue.pop(0), queue.pop(0)
            colour = of_256(number)
            style = replace(style, **{"colour" if code == 38 else "ground": colour})
        elif code in (38, 48):
            del queue[:4]
    return style


class Screen:
    """Lines of (character, style) and a cursor; behind a wide character stands an empty one."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [[]], 0, 0
        self.style = Style()

    def put(self, character):
        width = cells(character)
        if width == 0:
            self.join(character)
            return
        if self.column + width > self.columns:
            self.row, self.column = self.row + 1, 0
        while len(self.lines) <= self.row:
            self.lines.append([])
        line = self.lines[self.row]
        while len(line) <= self.column:
            line.append((" ", Style()))
        line[self.column : self.column + width] = [(character, self.style)] + (width - 1) * [
            ("", self.style)
        ]
        self.column += width

    def join(self, mark):
        """A mark or joiner belongs to the character before it."""
        at = self.column - 1
        line = self.lines[self.row]
        while at > 0 and not line[at][0]:
            at -= 1
        if 0 <= at < len(line):
            line[at] = (line[at][0] + mark, line[at][1])

    def control(self, character):
        if character == "\n":
            self.row += 1
            while len(self.lines) <= self.row:
                self.lines.append([])
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.column = (self.column // 8 + 1) * 8

    def command(self, verb, numbers):
        count = int(numbers.split(";")[0] or 0)
        if verb == "m":
            self.style = styled(self.style, numbers)
        elif verb == "K":
            del self.lines[self.row][self.column if count == 0 else 0 :]
        elif verb == "J" and count == 0:
            del self.lines[self.row][self.column :]
            del self.lines[self.row + 1 :]
        elif verb == "A":
            self.row = max(0, self.row - max(1, count))
        elif verb == "C":
            self.column += max(1, count)
        elif verb == "D":
            self.column = max(0, self.column - max(1, count))
        elif verb == "G":
            self.column = max(1, count) - 1

    def feed(self, text):
        for step in STEP.finditer(text):
            if step["text"]:
                for character in step["text"]:
                    self.put(character)
            elif step["control"]:
                self.control(step["control"])
            elif step["verb"] and not step["private"]:
                self.command(step["verb"], step["numbers"])


def runs(line):
    """The line as [column, text, style, columns]: neighbours of one style together, but a wide
    character and one with marks alone, since fonts do not hold them to whole columns. A bar is
    alone, too: it is drawn, to meet the one of the next line."""
    found, together = [], False
    for column, (character, style) in enumerate(line):
        if not character:
            found[-1][3] += 1
            continue
        plain = len(character) == 1 and cells(character) == 1 and character != BAR_CHARACTER
        if found and together and plain and found[-1][2] == style:
            found[-1][1] += character
            found[-1][3] += 1
        else:
            found.append([column, character, style, 1])
        together = plain
    return found


def drawn(text, x, y, style, wide):
    """The parts of a picture that show `text`, which has one style and `wide` columns."""
    if text == BAR_CHARACTER:
        middle = x + CELL_WIDTH / 2
        yield f'<path d="M{middle:.1f} {y - 14}v{LINE_HEIGHT}" stroke="{DIM}"/>'
        return
    looks = f'fill="{style.colour}"'
    looks += ' font-weight="bold"' if style.bold else ""
    looks += ' font-style="italic"' if style.italic else ""
    if wide == 2 and cells(text[0]) == 2:  # its shape is narrower than two columns
        yield (
            f'<text x="{x + CELL_WIDTH:.1f}" y="{y}" {looks} text-anchor="middle">'
            f"{escape(text)}</text>"
        )
        return
    # Browsers draw several blanks as one: what stands between them is placed by itself.
    for part in re.finditer(r"\S+(?: \S+)*", text):
        length = wide if part[0] == text else len(part[0])
        yield (
            f'<text x="{x + CELL_WIDTH * part.start():.1f}" y="{y}" {looks} '
            f'textLength="{CELL_WIDTH * length:.1f}">{escape(part[0])}</text>'
        )


def draw(lines, columns, title):
    width = 2 * MARGIN + CELL_WIDTH * columns
    height = TITLE_HEIGHT + 2 * MARGIN + LINE_HEIGHT * len(lines)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">',
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
        f'<path d="M0 {TITLE_HEIGHT}V8a8 8 0 0 1 8-8H{width - 8:.0f}a8 8 0 0 1 8 8'
        f'V{TITLE_HEIGHT}z" fill="{BAR}"/>',
    ]
    for index, colour in enumerate(("#bf616a", "#ebcb8b", "#a3be8c")):
        out.append(f'<circle cx="{18 + 20 * index}" cy="15" r="6" fill="{colour}"/>')
    out.append(
        f'<text x="{width / 2:.0f}" y="20" fill="{DIM}" text-anchor="middle" '
        f'font-family="sans-serif" font-size="13">{escape(title)}</text>'
    )
    out.append(
        "<g font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" "
        'font-size="14">'
    )
    for row, line in enumerate(lines):
        y = TITLE_HEIGHT + MARGIN + LINE_HEIGHT * row + 14
        for column, text, style, wide in runs(line):
            x = MARGIN + CELL_WIDTH * column
            if style.ground:
                out.append(
                    f'<rect x="{x:.1f}" y="{y - 14}" width="{CELL_WIDTH * wide:.1f}" '
                    f'height="{LINE_HEIGHT}" fill="{style.ground}"/>'
                )
            out += drawn(text, x, y, style, wide)
    return "\n".join([*out, "</g>", "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("session", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--title", default="orrery")
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--lines", type=int, default=40, help="the last ones are kept")
    options = parser.parse_args()
    text = options.session.read_bytes().decode("utf-8", errors="replace")
    # `script` writes a line of its own before and after.
    text = re.sub(r"\AScript started[^\n]*\n|\n?Script done[^\n]*\n?\Z", "", text)
    screen = Screen(options.columns)
    screen.feed(text)
    lines = screen.lines
    while lines and not any(character.strip() for character, _ in lines[-1]):
        lines.pop()
    if not lines:
        sys.exit("terminal_picture: error: the session shows nothing")
    options.picture.write_text(
        draw(lines[-options.lines :], options.columns, options.title), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
