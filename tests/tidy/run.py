#!/usr/bin/env python3
"""The house rules, as tests: each check prints `ok - name` or its findings and `FAIL - name`.

Style that a program can check never reaches a review. A finding is `path:line: what`; its key is
`check path`, and tests/tidy/allow.txt may excuse a key. That list only shrinks: an entry that
excuses nothing any more is itself a finding. docs/STYLE.md gives the reasons of the rules.
"""

import pathlib
import subprocess
import sys

import rules
import sins
from source import Tree

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read_tree():
    """What git tracks or would add."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    paths = {path for path in listed.splitlines() if (ROOT / path).is_file()}
    return Tree(paths, lambda path: (ROOT / path).read_bytes())


def read_allowed(tree):
    allowed = {}
    for _, line in tree.lines("tests/tidy/allow.txt"):
        words = line.split("#")[0].split()
        if words:
            allowed[" ".join(words)] = False  # not needed yet
    return allowed


def report(name, rule, findings):
    for finding in findings:
        print(f"  {finding}")
    print(f"{'FAIL' if findings else 'ok'} - {name}: {rule}")
    return bool(findings)


def main():
    tree = read_tree()
    allowed = read_allowed(tree)
    failed = 0
    for check in rules.CHECKS:
        bad = []
        for path, line, message in check(tree):
            key = f"{check.__name__} {path}"
            if key in allowed:
                allowed[key] = True
            else:
                bad.append(f"{path}:{line}: {message}")
        failed += report(check.__name__, check.__doc__.splitlines()[0], bad)
    stale = [f"tests/tidy/allow.txt: '{key}' excuses nothing any more: take it out"
             for key, needed in allowed.items() if not needed]
    failed += report("allow_list", "Every exception is still needed.", stale)
    failed += report("rules_bite", "Every rule finds the sin that it is there for.",
                     sins.not_found(rules.CHECKS))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
