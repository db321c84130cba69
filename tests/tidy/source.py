"""The tree that the rules look at, and just enough understanding of C++ to look at it.

No parser: comments and strings are blanked (newlines and columns stay), functions are found by
matching braces. Good enough for rules about length and forbidden words, and fast.
"""

import functools
import re

CPP = (".cpp", ".h")

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<raw>R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)")"""
    r"""|(?P<string>"(?:[^"\\\n]|\\.)*"|(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+')""",
    re.DOTALL)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return TOKEN.sub(lambda found: _blank(found[0]) if found["comment"] else found[0], text)


def code_only(text):
    """The text with comments and the insides of strings blanked."""
    def blank(found):
        if found["comment"]:
            return _blank(found[0])
        return found[0][0] + _blank(found[0][1:-1]) + found[0][-1]
    return TOKEN.sub(blank, text)


def raw_string_lines(text):
    """The numbers of the lines that a raw string touches: data, which cannot be broken."""
    found = set()
    for token in TOKEN.finditer(text):
        if token["raw"]:
            first = text.count("\n", 0, token.start()) + 1
            found.update(range(first, first + token[0].count("\n") + 1))
    return found


def without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda found: _blank(found[0]), code,
                  flags=re.MULTILINE)


def functions(text):
    """(first line, lines) of each function body that stands in a namespace or class."""
    code = without_preprocessor(code_only(text))
    found, stack, head = [], [], 0
    for place in re.finditer(r"[{};]", code):
        character = place[0]
        if character == "{":
            before = code[head:place.start()]
            inside = any(kind == "function" for kind, _ in stack)
            stack.append((_kind_of(before, inside), place.start()))
        elif character == "}" and stack:
            kind, begin = stack.pop()
            if kind == "function" and not any(k == "function" for k, _ in stack):
                first = code.count("\n", 0, begin) + 1
                found.append((first, code.count("\n", begin, place.start()) + 1))
        head = place.end()
    return found


def _kind_of(before, inside_function):
    before = before.strip()
    if inside_function:
        return "block"
    if re.search(r"\b(namespace|enum|extern)\b[^()]*$", before):
        return "scope"
    if re.search(r"\b(struct|class|union)\b[^()=]*$", before):
        return "scope"
    if ")" in before and not before.endswith(("=", ",", "(", "return")):
        return "function"
    return "block"


class Tree:
    """The files of one repository: paths with forward slashes, text read once."""

    def __init__(self, paths, read):
        """`read(path)` gives the bytes of a file."""
        self.paths = sorted(paths)
        self._read = read

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        """The file's text; empty for one that is no text."""
        data = self._read(path) if path in self.paths else b""
        return "" if b"\0" in data[:4096] else data.decode("utf-8", errors="replace")

    def lines(self, path):
        return enumerate(self.text(path).splitlines(), 1)

    def under(self, folders, endings=()):
        """The paths below any of `folders` that end in one of `endings` (or all)."""
        return [path for path in self.paths
                if path.startswith(tuple(folder + "/" for folder in folders))
                and (not endings or path.endswith(tuple(endings)))]

    def cpp(self):
        return self.under(("src", "apps", "tests", "bench", "fuzz"), CPP)
