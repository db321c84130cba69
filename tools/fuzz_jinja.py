"""Renders random templates with jinja2 (in transformers' settings) and with our engine, and
compares.

    cmake --build --preset release --target jinja_lines
    python tools/fuzz_jinja.py --count 20000 [--seed 1]

Both must give the same text, or both an error. Differences that are on purpose (see
src/text/jinja/README.md) are told apart by their messages. Ends with 1 after the first --show
differences.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "golden"))
from jinja_cases import VARIABLES, feature_templates  # noqa: E402
from jinja_oracle import render  # noqa: E402

ON_PURPOSE = (
    "64 bits",
    "is not supported",
    "too large",
    "too deep",
    "no Unicode character",
    "(\\N)",
    "too many steps",
    "too much memory",
    "too long",
    "recursion depth",
    "a complex number",
)
NAMES = list(VARIABLES) + ["missing", "x", "y", "ns", "loop"]
STRINGS = [
    "",
    "a",
    "Hello World",
    "x,y,,z",
    "  pad \n",
    "ÄÖ ß",
    "你好",
    "12",
    "-3.5",
    "<b>&'\"",
    "ΣΑΣ",
    "a-b_c d",
    "%s",
    "{}",
    "one\ntwo\r\n",
    "👩‍💻",
]
FILTERS = (
    """abs attr batch capitalize center count d default dictsort e escape filesizeformat first float
forceescape format groupby indent int join last length list lower items map min max pprint reject
rejectattr
replace reverse round safe select selectattr slice sort string striptags sum title tojson trim
truncate unique
upper urlencode wordcount wordwrap xmlattr""".split()
)
TESTS = """odd even divisibleby defined undefined none boolean false true integer float lower upper
string
mapping number sequence iterable callable sameas escaped in eq ne gt ge lt le equalto""".split()
METHODS = """strip lstrip rstrip split rsplit splitlines startswith endswith replace find rfind
index count join
upper lower title capitalize swapcase zfill center ljust rjust removeprefix removesuffix partition
rpartition
isdigit isalpha isalnum isspace islower isupper istitle items keys values get copy expandtabs
casefold format
append pop update nope""".split()
KEYWORDS = {
    "default": ["default_value", "boolean"],
    "d": ["boolean"],
    "dictsort": ["by", "reverse", "case_sensitive"],
    "sort": ["reverse", "attribute", "case_sensitive"],
    "tojson": ["indent", "ensure_ascii", "sort_keys"],
    "join": ["attribute", "d"],
    "map": ["attribute", "default"],
    "indent": ["width", "first", "blank"],
    "truncate": ["length", "killwords", "end", "leeway"],
    "round": ["precision", "method"],
    "int": ["default", "base"],
    "unique": ["attribute"],
    "min": ["attribute"],
    "max": ["attribute"],
    "sum": ["attribute", "start"],
    "batch": ["fill_with"],
    "slice": ["fill_with"],
    "groupby": ["default"],
    "trim": ["chars"],
    "replace": ["count"],
    "wordwrap": ["width", "break_long_words"],
}


class Grammar:
    """Random templates. `depth` bounds the size; choices are weighted towards what means something."""

    def __init__(self, rng):
        self.rng = rng

    def pick(self, options):
        return self.rng.choice(options)

    def string(self):
        text = self.pick(STRINGS)
        return repr(text) if self.rng.random() < 0.8 else json.dumps(text)

    def literal(self):
        return self.pick(
            [
                lambda: str(self.rng.randint(-3, 12)),
                lambda: self.pick(["0.5", "2.0", "1e3", "-1.25", "3.14159", "1e-5"]),
                self.string,
                self.string,
                lambda: self.pick(["true", "false", "none"]),
                lambda: self.pick(["name", "age", "x.k", "0", "upper", "odd"]).join("''"),
            ]
        )()

    def atom(self):
        return self.pick(NAMES) if self.rng.random() < 0.55 else self.literal()

    def sequence(self, depth):
        items = ", ".join(self.expression(depth - 1) for _ in range(self.rng.randint(0, 3)))
        if self.rng.random() < 0.6:
            return f"[{items}]"
        if self.rng.random() < 0.5:
            return f"({items},)" if items else "()"
        return (
            "{"
            + ", ".join(
                f"{self.pick(['1', self.string()])}: {self.expression(depth - 1)}"
                for _ in range(self.rng.randint(0, 3))
            )
            + "}"
        )

    def arguments(self, depth, name=""):
        given = [
            self.expression(depth - 1) if self.rng.random() < 0.3 else self.literal()
            for _ in range(self.pick([0, 0, 1, 1, 1, 2, 3]))
        ]
        if name in KEYWORDS and self.rng.random() < 0.4:
            given.append(f"{self.pick(KEYWORDS[name])}={self.literal()}")
        return f"({', '.join(given)})"

    def filter(self, depth):
        name = self.pick(FILTERS)
        return name + (self.arguments(depth, name) if self.rng.random() < 0.6 else "")

    def test(self, depth):
        name = self.pick(TESTS)
        negated = "not " if self.rng.random() < 0.2 else ""
        return (
            negated + name + (f"({self.expression(depth - 1)})" if self.rng.random() < 0.4 else "")
        )

    def slice(self):
        part = lambda: self.pick(["", "", "0", "1", "-1", "2", "-3", "7"])  # noqa: E731
        return (
            f"[{part()}:{part()}"
            + (f":{self.pick(['', '1', '2', '-1', '-2'])}" if self.rng.random() < 0.4 else "")
            + "]"
        )

    def expression(self, depth):
        if depth <= 0:
            return self.atom()
        sub = lambda: self.expression(depth - 1)  # noqa: E731
        kind = self.rng.randint(0, 15)
        if kind <= 2:
            return self.atom()
        if kind == 3:
            return f"{sub()} {self.pick('+ - * / // % ~ ~ +'.split())} {sub()}"
        if kind == 4:
            return f"{sub()} {self.pick(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'and', 'or'])} {sub()}"
        if kind == 5:
            return f"({sub()})"
        if kind == 6:
            return self.sequence(depth)
        if kind in (7, 8, 9):
            return f"{sub()}|{self.filter(depth)}"
        if kind == 10:
            return f"{sub()} is {self.test(depth)}"
        if kind == 11:
            return f"{self.pick(NAMES)}{self.slice()}"
        if kind == 12:
            return f"{self.pick(NAMES)}.{self.pick(METHODS)}{self.arguments(depth)}"
        if kind == 13:
            return (
                f"{self.pick(NAMES)}[{sub()}]"
                if self.rng.random() < 0.5
                else f"{self.pick(NAMES)}.{self.pick(['a', 'b', 'x', 'name', '0', 'items', 'y'])}"
            )
        if kind == 14:
            return f"{sub()} if {sub()}" + (f" else {sub()}" if self.rng.random() < 0.8 else "")
        return f"{self.pick(['not ', '-', '+'])}{sub()}"

    def tag(self, text):
        return (
            "{%"
            + self.pick(["", "", "", "-", "+"])
            + f" {text} "
            + self.pick(["", "", "", "-"])
            + "%}"
        )

    def data(self):
        return self.pick(
            ["", "text", "\n", "  ", "\n  ", " x \n", "é", "{# c #}", "{#- c -#}\n", "a\n\n"]
        )

    def loop_body(self, depth):
        extra = self.pick(
            [
                "",
                "",
                "{{ loop.index }}",
                "{{ loop.last }}",
                "{{ loop.length }}",
                "{{ loop.previtem }}",
                "{{ loop.nextitem }}",
                "{{ loop.cycle('a', 'b') }}",
                "{{ loop.changed(x) }}",
                "{% if loop.first %}{% continue %}{% endif %}",
                "{% if x == 1 %}{% break %}{% endif %}",
                "{{ loop.revindex0 }}",
                "{% set ns.v = x %}",
                "{% set y = x %}",
            ]
        )
        return extra + self.body(depth)

    def statement(self, depth):
        kind = self.rng.randint(0, 13)
        e = lambda: self.expression(min(depth, 2))  # noqa: E731
        body = lambda: self.body(depth - 1)  # noqa: E731
        if kind <= 4 or depth <= 0:
            return (
                "{{"
                + self.pick(["", "", "-"])
                + f" {self.expression(depth)} "
                + self.pick(["", "", "-"])
                + "}}"
            )
        if kind == 5:
            return (
                self.tag(f"if {e()}")
                + body()
                + self.pick(["", self.tag(f"elif {e()}") + body(), self.tag("else") + body()])
                + self.tag("endif")
            )
        if kind in (6, 7):
            target = self.pick(["x", "x", "x", "x, y", "y"])
            items = self.pick(
                [
                    e,
                    e,
                    lambda: self.pick(
                        ["l", "words", "users", "d.items()", "range(3)", "s", "l|map('string')"]
                    ),
                ]
            )()
            condition = self.pick(["", "", "", f" if {e()}", " if x"])
            other = self.tag("else") + body() if self.rng.random() < 0.3 else ""
            return (
                self.tag(f"for {target} in {items}{condition}")
                + self.loop_body(depth - 1)
                + other
                + self.tag("endfor")
            )
        if kind == 8:
            return self.tag(f"set {self.pick(['x', 'y', 'x, y', 'ns.v', 'n'])} = {e()}")
        if kind == 9:
            return (
                self.tag(f"set {self.pick(['x', 'y'])}{self.pick(['', ' | upper', ' | trim'])}")
                + body()
                + self.tag("endset")
            )
        if kind == 10:
            name = self.pick(["m", "q"])
            return (
                self.tag(f"macro {name}({self.pick(['', 'x', 'x, y=2', 'x=1'])})")
                + body()
                + self.pick(["", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}"])
                + self.tag("endmacro")
                + self.pick(
                    [
                        "",
                        "{{ " + name + self.arguments(1) + " }}",
                        self.tag(f"call {name}{self.arguments(1)}") + body() + self.tag("endcall"),
                    ]
                )
            )
        if kind == 11:
            return self.tag(f"filter {self.filter(1)}") + body() + self.tag("endfilter")
        if kind == 12:
            return self.tag(f"with x = {e()}") + body() + self.tag("endwith")
        return self.pick(
            [
                self.tag("raw") + "{{ x }}\n" + self.tag("endraw"),
                self.tag("generation") + body() + self.tag("endgeneration"),
                self.tag("set ns = namespace(v=1)"),
                self.data(),
            ]
        )

    def body(self, depth):
        return (
            "".join(self.data() + self.statement(depth) for _ in range(self.rng.randint(1, 3)))
            + self.data()
        )

    def template(self):
        if self.rng.random() < 0.4:
            return "{{ " + self.expression(self.rng.randint(1, 4)) + " }}"
        text = "{% set ns = namespace(v=0) %}" + self.body(self.rng.randint(1, 3))
        if self.rng.random() < 0.03:  # a broken one
            at = self.rng.randrange(len(text))
            text = text[:at] + self.pick(["", "{", "}", "%", "(", "'", "|"]) + text[at + 1 :]
        return text


def mutate(rng, template):
    """A feature template with a piece of another one put in."""
    other = rng.choice(FEATURES)
    at, begin = rng.randrange(len(template) + 1), rng.randrange(len(other) + 1)
    return (
        template[:at]
        + other[begin : begin + rng.randint(1, 12)]
        + template[at + rng.randint(0, 3) :]
    )


FEATURES = [t for t in feature_templates() if t]


def same(want, got):
    if ("error" in want) != ("error" in got):
        return "error" in got and any(reason in got["error"] for reason in ON_PURPOSE)
    return "error" in want or want["rendered"] == got["rendered"] or " at 0x" in want["rendered"]


def uninteresting(template, want):
    """Where Python itself is the odd one: constants folded differently, floats beyond 64-bit integers, surrogates."""
    if any(
        word in template
        for word in ("random", "lipsum", "urlize", "self", "pprint", "\\N", "strftime_now")
    ):
        return True
    try:
        (want.get("rendered") or "").encode()
    except UnicodeEncodeError:
        return True
    return False


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--engine", default=str(ROOT / "build" / "release" / "jinja_lines"))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    grammar = Grammar(rng)
    engine = subprocess.Popen([options.engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    differences = errors = 0
    for index in range(options.count):
        template = mutate(rng, rng.choice(FEATURES)) if rng.random() < 0.25 else grammar.template()
        engine.stdin.write(
            json.dumps({"template": template, "variables": VARIABLES}).encode() + b"\n"
        )
        engine.stdin.flush()
        got = json.loads(engine.stdout.readline())
        want = render(template, VARIABLES)
        errors += "error" in want
        if same(want, got) or uninteresting(template, want):
            continue
        differences += 1
        print(
            f"template {index}: {template!r}\n  jinja2: {want}\n  ours:   { {k: v for k, v in got.items() if k != 'segments'} }"
        )
        if differences >= options.show:
            break
    print(f"{index + 1} templates, {errors} of them errors in jinja2, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
