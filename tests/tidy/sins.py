"""One sin for each rule, and one page without any: a rule that no longer bites is a finding."""

from source import Tree

CMAKE = "orrery_room(base LINKS fmt::fmt)\norrery_room(text ROOMS base LINKS x::y)\n" \
        "orrery_room(engine ROOMS text)\n"
PAGE = "| `base` | stones | nothing |\n| `text` | tokens | `base` |\n| `engine` | all | `text` |\n"
README = "# text\n\nIt must not know: models.\n"
OPENING = "// A file that says what it is about.\n"

CLEAN = {
    "CMakeLists.txt": CMAKE,
    "docs/ARCHITECTURE.md": PAGE,
    "src/text/README.md": README,
    "src/text/word.cpp": OPENING + '#include "base/types.h"\n#include "text/word.h"\n'
                         "namespace orrery {\n// Spoken of here: throw, exit(1), assert(x).\n"
                         "struct Word {\n  int size;\n};\nconstexpr int kMost = 3;\n"
                         'const char* name() { return "exit(1)"; }\n}\n',
}

SINS = {
    "arrows": ("src/text/a.cpp", OPENING + '#include "engine/engine.h"\n'),
    "includes_are_complete": ("src/text/a.cpp", OPENING + "int a = std::max(1, 2);\n"),
    "arrows_documented": ("docs/ARCHITECTURE.md", PAGE.replace("| `text` |\n", "| `base` |\n")),
    "rooms_have_readmes": ("src/text/README.md", "# text\n" * 31),
    "file_names": ("src/text/CamelCase.cpp", OPENING),
    "type_names": ("src/text/a.h", OPENING + "struct snake_type {\n};\n"),
    "line_length": ("src/text/a.cpp", OPENING + "// " + "x" * 98 + "\n"),
    "file_length": ("src/text/a.cpp", OPENING + "int x;\n" * 500),
    "function_length": ("src/text/a.cpp",
                        OPENING + "namespace a {\nvoid f(int n) {\n" + "  ++n;\n" * 70 + "}\n}\n"),
    "opening_comments": ("src/text/a.cpp", "#include <vector>\n"),
    "family_names": ("src/engine/a.cpp", OPENING + 'bool b = name == "qwen2";\n'),
    "families_are_short": ("src/model/families/a.cpp",
                           OPENING + "namespace a {\nvoid f(int n) {\n" + "  ++n;\n" * 21 +
                           "}\n}\n"),
    "library_is_quiet": ("src/text/a.cpp", OPENING + "void f() { throw 1; }\n"),
    "no_std_regex": ("src/text/a.cpp", OPENING + "std::regex word;\n"),
    "no_native_flags": ("src/text/room.cmake", "add_compile_options(-march=native)\n"),
    "no_promises": ("src/text/a.cpp", OPENING + "// TODO: later\n"),
    "no_dead_code": ("src/text/a.cpp", OPENING + "// return old_way(x);\n"),
    "no_foreign_hosts": ("tools/get.sh", "# get it\nget https://registry.invalid/x\n"),
    "no_machine_paths": ("tools/get.sh", "# get it\ncat /home/somebody/x\n"),
}


def _tree(files):
    return Tree(files, lambda path: files[path].encode())


def not_found(checks):
    """What is wrong with the rules: sins that they miss, and clean pages that they blame."""
    findings = []
    for check in checks:
        if check.__name__ not in SINS:
            findings.append(f"tests/tidy/sins.py: no sin for {check.__name__}")
            continue
        path, text = SINS[check.__name__]
        found = list(check(_tree({**CLEAN, path: text})))
        if not any(place == path for place, _, _ in found):
            findings.append(f"{check.__name__} does not see its sin in {path}")
        for place, line, message in check(_tree(CLEAN)):
            findings.append(f"{check.__name__} blames the clean {place}:{line}: {message}")
    return findings
