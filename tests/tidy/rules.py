"""The rules: each function takes the Tree and yields (path, line, message) for what breaks it.

The first line of its docstring is the rule. The arrows between the rooms are read from
CMakeLists.txt, where they are also the link lists: there is one list, and two things hold to it.
"""

import re

from includes import missing
from source import CPP, code_only, functions, raw_string_lines, without_comments

CODE = ("src", "apps")
OUR_CODE = (".cpp", ".h", ".def", ".py", ".sh", ".cmake")
# Text that others wrote and that tests keep as it came.
DATA = ("tests/golden/", "fuzz/corpus/", "tests/data/")


def _our_files(tree):
    return [path for path in tree.paths
            if not path.startswith(DATA) and path != "LICENSE" and tree.text(path)]


def _arrows(tree):
    """{room: rooms that it may include from}, as CMakeLists.txt links them."""
    arrows = {}
    for found in re.finditer(r"^orrery_room\((\w+)([^)]*)\)", tree.text("CMakeLists.txt"),
                             re.MULTILINE):
        mode, rooms = "", set()
        for word in found[2].split():
            if word in ("ROOMS", "LINKS"):
                mode = word
            elif mode == "ROOMS":
                rooms.add(word)
        arrows[found[1]] = rooms
    return arrows


def _includes(tree, path):
    for number, line in enumerate(without_comments(tree.text(path)).splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if found:
            yield number, found[1]


def arrows(tree):
    """A room includes only from itself, from base, and along its arrows."""
    allowed = _arrows(tree)
    for path in tree.under(("src",), (".cpp", ".h", ".def")):
        room = path.split("/")[1]
        if room not in allowed:
            yield path, 1, f"the room '{room}' has no orrery_room() in CMakeLists.txt"
            continue
        for line, included in _includes(tree, path):
            to = included.split("/")[0]
            if "/" not in included:
                yield path, line, f'write the room: "{room}/{included}"'
            elif to == "support" and re.search(r"_test\.cpp$|/test_\w+\.h$", path):
                continue  # tests/support
            elif to not in {room, "base"} | allowed[room]:
                yield path, line, f"'{room}' must not include from '{to}'"


def arrows_documented(tree):
    """The table of arrows in docs/ARCHITECTURE.md is that of CMakeLists.txt, without a cycle."""
    page = "docs/ARCHITECTURE.md"
    if page not in tree.paths:
        yield page, 1, "is missing"
        return
    told = {}
    for line in tree.text(page).splitlines():
        found = re.match(r"\| `(\w+)` \|[^|]*\| ([^|]*) \|", line)
        if found:
            told[found[1]] = set(re.findall(r"`(\w+)`", found[2]))
    real = _arrows(tree)
    for room, to in real.items():
        if told.get(room, set()) - {"base"} != to - {"base"}:
            yield page, 1, f"says {room} <- {sorted(told.get(room, []))}, CMake {sorted(to)}"
    order = list(real)
    for room, to in real.items():
        for other in to:
            if order.index(other) > order.index(room):
                yield "CMakeLists.txt", 1, f"the arrow of '{room}' to '{other}' points upwards"


def rooms_have_readmes(tree):
    """Each room opens with a README of at most 30 lines that says what it must not know."""
    rooms = {path.split("/")[1] for path in tree.under(("src",)) if path.count("/") > 1}
    for room in sorted(rooms):
        path = f"src/{room}/README.md"
        if path not in tree.paths:
            yield path, 1, "is missing"
            continue
        text = tree.text(path)
        if text.count("\n") > 30:
            yield path, 31, f"has {text.count(chr(10))} lines, 30 are allowed"
        if "must not know" not in text:
            yield path, 1, "does not say what the room must not know"


def includes_are_complete(tree):
    """What a file uses of the standard library it includes, itself or through our headers."""
    known = {}
    for path in tree.paths:
        if path.endswith(CPP) and not path.startswith(DATA):
            for line, header in missing(tree, path, code_only(tree.text(path)), known):
                yield path, line, f"needs {header}"


def file_names(tree):
    """Files and folders of code are named in snake_case; headers and sources lie side by side."""
    for path in tree.under(("src", "apps", "bench", "fuzz", "tools", "tests/tidy", "cmake")):
        if path.startswith(DATA):
            continue
        for part in path.split("/")[1:]:
            if not re.fullmatch(r"[a-z0-9_]+(-[a-z0-9]+)*\.(txt|json)|"
                                r"[a-z0-9_]+(\.[a-z0-9]+)?|README\.md|CMakeLists\.txt", part):
                yield path, 1, f"'{part}' is not snake_case"


def type_names(tree):
    """Types are PascalCase, constants kPascal."""
    for path in tree.under(CODE, (".cpp", ".h")):
        code = code_only(tree.text(path))
        for found in re.finditer(
                r"^[ \t]*(?:struct|class|union|enum(?: class| struct)?)[ \t]+(\w+)[ \t]*"
                r"(?:final[ \t]*)?(?::[^;]*)?\{", code, re.MULTILINE):
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", found[1]):
                yield path, code.count("\n", 0, found.start(1)) + 1, f"type '{found[1]}'"
        for found in re.finditer(
                r"^(?:inline |static )*constexpr [\w:<>, ]+? (\w+)(?:\[\w*\])* ?[={]", code,
                re.MULTILINE):
            if not re.fullmatch(r"k[A-Z0-9]\w*", found[1]):
                yield path, code.count("\n", 0, found.start(1)) + 1, f"constant '{found[1]}'"


def line_length(tree):
    """Lines have at most 100 columns."""
    for path in _our_files(tree):
        if not path.endswith(OUR_CODE + (".txt", ".md")) and path not in ("dev", ".ci/run"):
            continue
        if path.endswith(".md") and "\nPrinted by `" in tree.text(path)[:200]:
            continue  # a page of the program's is as wide as its facts
        data = raw_string_lines(tree.text(path)) if path.endswith(CPP) else ()
        for number, line in tree.lines(path):
            if number in data:
                continue
            if path.endswith(".md") and ("|" in line or "](" in line):
                continue  # a table row or a link cannot be broken
            if path.endswith("_cases.py"):
                continue  # a table: one case a line
            if path.startswith("tools/") and re.search(r"""(["']).{30,}\1""", line):
                continue  # a long text in a recipe is data
            if len(line) > 100:
                yield path, number, f"{len(line)} columns"


def file_length(tree):
    """Files have at most 500 lines, kernels and tables 800."""
    for path in _our_files(tree):
        if not path.endswith(OUR_CODE):
            continue
        long = path.startswith("src/kernels/") or re.search(r"_tables?\.(cpp|h|def)$", path)
        limit = 800 if long else 500
        count = tree.text(path).count("\n")
        if count > limit:
            yield path, limit + 1, f"{count} lines, {limit} are allowed"


def function_length(tree):
    """Functions have at most 70 lines."""
    for path in tree.cpp():
        for line, count in functions(tree.text(path)):
            if count > 70:
                yield path, line, f"a function of {count} lines"


def opening_comments(tree):
    """Each file opens with a comment that says what it is (a source may leave it to its header)."""
    for path in _our_files(tree):
        if not path.endswith(OUR_CODE):
            continue
        if path.endswith(".cpp") and path[:-4] + ".h" in tree.paths:
            continue
        first = [line for line in tree.text(path).splitlines()
                 if line.strip() and not re.match(r"#!|# shellcheck", line)][:1]
        mark = {"py": ('"""', "#"), "sh": ("# ",), "cmake": ("# ",)}.get(
            path.rsplit(".", 1)[1], ("// ",))
        if not first or not first[0].startswith(mark) or len(first[0]) < 20:
            yield path, 1, "opens without saying what it is"


FAMILIES = re.compile(r"llama|mi[sx]tral|qwen|deepseek|gemma|cohere|olmo|internlm|falcon|granite|"
                      r"chatglm|glm4|gpt_?oss|phi[34]|kimi", re.IGNORECASE)
PEERS = re.compile(r"[oO]llama|llama(\.cpp|-bench|-perplexity|-completion|-quantize|-server)|"
                   r"exllama")


def family_names(tree):
    """No family is named in code outside src/model/families (tests and text's data apart)."""
    for path in tree.under(CODE, (".cpp", ".h", ".def")):
        if path.startswith(("src/model/families", "src/text/")) or path.endswith("_test.cpp"):
            continue
        for number, line in enumerate(without_comments(tree.text(path)).splitlines(), 1):
            found = FAMILIES.search(PEERS.sub("", line))
            if found:
                yield path, number, f"names the family '{found[0]}': make it data"


# Of model/families: what reads settings and what lists, not what describes.
FAMILY_TOOLS = {"families", "fields", "field_names", "rope_fields", "layers", "published"}


def families_are_short(tree):
    """A family is a description of at most 20 lines in a file of at most 80."""
    for path in tree.under(("src/model/families",), (".cpp",)):
        name = path.rsplit("/", 1)[1][:-4]
        if name in FAMILY_TOOLS or name.endswith("_test"):
            continue
        if tree.text(path).count("\n") > 80:
            yield path, 81, f"has {tree.text(path).count(chr(10))} lines"
        for line, count in functions(tree.text(path)):
            if count - 1 > 20:  # without the closing brace
                yield path, line, f"a description of {count - 1} lines"


# Where an interpreter unwinds its own recursion by exception and catches it at its border.
MAY_THROW = ("src/text/jinja/",)
BANNED = [
    (re.compile(r"\bassert\s*\("), "assert: what comes from outside must get an Error"),
    (re.compile(r"\b(abort|exit|_Exit|quick_exit|terminate)\s*\("), "the library never ends"),
    (re.compile(r"\b(v?f?printf|puts|fputs|putchar|perror)\s*\(|\bfmt::print"), "a print"),
    (re.compile(r"\b(cout|cerr|clog)\b|#\s*include\s*<iostream>"), "a print stream"),
]


def library_is_quiet(tree):
    """The library never prints, exits, aborts, asserts or throws."""
    for path in tree.under(("src",), (".cpp", ".h")):
        if path.endswith("_test.cpp"):
            continue
        for number, line in enumerate(code_only(tree.text(path)).splitlines(), 1):
            line = line.replace("static_assert", "")
            if re.search(r"\bthrow\b", line) and not path.startswith(MAY_THROW):
                yield path, number, "throw: return an Error (fail())"
            for pattern, why in BANNED:
                if pattern.search(line):
                    yield path, number, why


def no_std_regex(tree):
    """No std::regex, which backtracks without limit, and no std::format, which g++ 12 lacks."""
    for path in tree.cpp():
        for number, line in enumerate(code_only(tree.text(path)).splitlines(), 1):
            if re.search(r"std::w?regex|<regex>|std::format\b|#\s*include\s*<format>", line):
                yield path, number, "use PCRE2 or a hand-written splitter, and fmt"


def no_native_flags(tree):
    """No -march=native: machines differ, and a rung sets its own flags."""
    for path in tree.paths:
        if path.endswith(("CMakeLists.txt", ".cmake", "CMakePresets.json")):
            for number, line in tree.lines(path):
                if re.search(r"-m(arch|tune|cpu)=native", line):
                    yield path, number, "names the machine that builds"


def no_promises(tree):
    """No to-do marks: do it, or file an issue."""
    for path in _our_files(tree):
        if path.startswith("tests/tidy/") or not path.endswith(OUR_CODE + (".md", ".txt")):
            continue
        for number, line in tree.lines(path):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield path, number, "a promise in the code"


def no_dead_code(tree):
    """No commented-out code."""
    for path in tree.cpp():
        for number, line in tree.lines(path):
            comment = re.match(r"\s*//\s?(.*)$", line)
            if comment and re.search(r"^(if|for|while|return|auto|const|#include)\b.*[;{]$|"
                                     r"^[\w.\->\[\]]+\(.*\);$|^\}\s*$", comment[1]):
                yield path, number, "looks like commented-out code"


# git-lfs.github.com is the first line of every Git LFS pointer file, which a reader must know.
HOSTS = {"www.apache.org", "www.w3.org", "arxiv.org", "localhost", "127.0.0.1", "example.com",
         "example.org", "HOST",  # the last stands for one
         "git-lfs.github.com"}


def no_foreign_hosts(tree):
    """No address of a registry or of anything else that a build could come to lean on."""
    for path in _our_files(tree):
        if path.endswith("_test.cpp") or path.startswith("tests/tidy/"):
            continue
        for number, line in tree.lines(path):
            for host in re.findall(r"\b(?:https?|ftp)://([\w.\-]+)", line):
                if host not in HOSTS:
                    yield path, number, f"names the host {host}"


def no_machine_paths(tree):
    """No path of somebody's machine."""
    for path in _our_files(tree):
        if path.startswith("tests/tidy/"):
            continue
        for number, line in tree.lines(path):
            if re.search(r"(?<![\w.$}*~/-])/(home|root|work|opt|mnt|tmp)/\w", line):
                yield path, number, "names a path of one machine: use mktemp, $HOME, a flag"


CHECKS = [arrows, includes_are_complete, arrows_documented, rooms_have_readmes, file_names,
          type_names, line_length, file_length, function_length, opening_comments, family_names,
          families_are_short, library_is_quiet, no_std_regex, no_native_flags, no_promises,
          no_dead_code, no_foreign_hosts, no_machine_paths]
