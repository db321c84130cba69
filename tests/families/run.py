"""What the docs say of families is what the program prints."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "build/release/orrery"


def printed(*arguments):
    return subprocess.run(
        [PROGRAM, "families", *arguments], capture_output=True, text=True, check=True
    ).stdout


def between(text, name):
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    return text.split(begin, 1)[1].split(end, 1)[0]


CHECKS = {
    "docs/families.md is `orrery families --page`": lambda: (
        (ROOT / "docs/families.md").read_text() == printed("--page")
    ),
    "README's table is `orrery families --markdown`": lambda: (
        between((ROOT / "README.md").read_text(), "families") == printed("--markdown")
    ),
}

failed = False
for what, holds in CHECKS.items():
    good = holds()
    failed |= not good
    print(f"{'ok' if good else 'FAIL'} - {what}")
sys.exit(failed)
